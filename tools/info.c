/* t2g info: what the machine has, what is used, what a model needs. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "libraries.h"
#include "peaks.h"

/* --- the machine --------------------------------------------------------- */

/* The value of the first "key : value" line of a file of the kernel. */
static void proc_value(const char *path, const char *key, char *out,
                       size_t room)
{
    char line[512];
    size_t n = strlen(key);
    FILE *f = fopen(path, "r");
    out[0] = '\0';
    while (f && !out[0] && fgets(line, sizeof line, f)) {
        const char *colon = strchr(line, ':');
        if (strncmp(line, key, n) != 0 || !colon)
            continue;
        colon += 1 + strspn(colon + 1, " \t");
        snprintf(out, room, "%.*s", (int)strcspn(colon, "\n"), colon);
    }
    if (f)
        fclose(f);
}

static bool read_line(const char *path, char *out, size_t room)
{
    FILE *f = fopen(path, "r");
    if (!f)
        return false;
    bool good = fgets(out, (int)room, f) != NULL;
    fclose(f);
    out[good ? strcspn(out, "\n") : 0] = '\0';
    return good;
}

/* [{"level":1,"type":"Data","size":"48K"}, ...] of the first core. */
static json_t *caches(void)
{
    static const char *const files[] = {"level", "type", "size"};
    json_t *list = json_array();
    for (int i = 0; i < 8; i++) {
        char path[96], value[3][32];
        bool good = true;
        for (int k = 0; k < 3; k++) {
            snprintf(path, sizeof path,
                     "/sys/devices/system/cpu/cpu0/cache/index%d/%s", i,
                     files[k]);
            good = good && read_line(path, value[k], sizeof value[k]);
        }
        if (good)
            json_array_append_new(
                list, json_pack("{s:i, s:s, s:s}", "level", atoi(value[0]),
                                "type", value[1], "size", value[2]));
    }
    return list;
}

static t2g_status machine_json(const invocation *inv, json_t *out)
{
    char cpu[256], memory[64];
    peaks p;
    T2G_TRY(peaks_measure(&p));
    proc_value("/proc/cpuinfo", "model name", cpu, sizeof cpu);
    proc_value("/proc/meminfo", "MemTotal", memory, sizeof memory);
    json_t *machine = json_pack(
        "{s:s, s:I, s:o, s:f, s:s, s:i, s:s, s:f, s:f, s:f, s:f}", "cpu",
        *cpu ? cpu : "unknown", "cores",
        (json_int_t)sysconf(_SC_NPROCESSORS_ONLN), "caches", caches(),
        "memory_bytes", 1024.0 * atof(memory), "isa", inv->kernels.isa,
        "threads", t2g_threads(), "peak_isa", p.isa, "peak_flops", p.flops,
        "peak_flops_one_thread", p.flops_one, "peak_read_bytes", p.bytes,
        "peak_read_bytes_one_thread", p.bytes_one);
    if (!machine)
        return t2g_fail(T2G_ERR_MEMORY, "no memory for the report");
    json_object_set_new(out, "machine", machine);
    json_object_set_new(out, "build", libraries_json());
    return T2G_OK;
}

static double number(const json_t *o, const char *key)
{
    return json_number_value(json_object_get(o, key));
}

static const char *text(const json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));
    return s ? s : "";
}

static void print_machine(const json_t *m)
{
    size_t i;
    const json_t *c;
    printf("%-10s %s, %.0f cores\n%-10s", "cpu", text(m, "cpu"),
           number(m, "cores"), "caches");
    json_array_foreach(json_object_get(m, "caches"), i, c)
        printf("%s L%.0f %s %s", i ? "," : "", number(c, "level"),
               text(c, "type"), text(c, "size"));
    printf("\n%-10s %.1f GB\n%-10s %s\n%-10s %.0f\n", "memory",
           number(m, "memory_bytes") * 1e-9, "isa", text(m, "isa"), "threads",
           number(m, "threads"));
    printf("%-10s %.0f GFLOP/s fused multiply-add (%s), one thread %.0f\n",
           "peak", number(m, "peak_flops") * 1e-9, text(m, "peak_isa"),
           number(m, "peak_flops_one_thread") * 1e-9);
    printf("%-10s %.1f GB/s read from memory, one thread %.1f\n", "",
           number(m, "peak_read_bytes") * 1e-9,
           number(m, "peak_read_bytes_one_thread") * 1e-9);
}

/* --- a model ------------------------------------------------------------- */

typedef struct needs {
    double parameters, products, embedding; /* numbers of floats */
    double kv_token, kept_token;            /* floats a token */
} needs;

static needs needs_of(const t2g_config *c)
{
    double H = (double)c->hidden_size, I = (double)c->intermediate_size;
    double L = (double)c->num_hidden_layers, V = (double)c->vocab_size;
    double Q = (double)(c->num_attention_heads * c->head_dim);
    double K = (double)(c->num_key_value_heads * c->head_dim);
    double layer = 2 * H * Q + 2 * H * K + 3 * H * I, vectors = 2 * H;
    if (c->attention_bias)
        vectors += Q + 2 * K + H;
    if (c->mlp_bias)
        vectors += 2 * I + H;
    double head = c->tie_word_embeddings ? 0 : V * H;
    return (needs){.parameters = V * H + head + H + L * (layer + vectors),
                   .products = V * H + L * layer,
                   .embedding = V * H,
                   .kv_token = 2 * K * L,
                   .kept_token = L * (4 * H + 2 * Q + 2 * K + 3 * I) + 2 * H};
}

/* Inference keeps weights and their panels; training also gradients, the panels
 * of the backward pass, the embedding's share by lookup, and two moments. */
static json_t *model_json(const t2g_config *c)
{
    needs n = needs_of(c);
    double f = sizeof(float);
    return json_pack(
        "{s:f, s:f, s:f, s:f, s:f}", "parameters", n.parameters,
        "inference_bytes", f * (n.parameters + n.products),
        "cache_bytes_per_token", f * n.kv_token, "training_bytes",
        f * (4 * n.parameters + 2 * n.products + n.embedding),
        "activation_bytes_per_token", f * n.kept_token);
}

static void print_model(const char *path, const json_t *m)
{
    printf("\n%-10s %s: %.4g million parameters\n", "model", path,
           number(m, "parameters") * 1e-6);
    printf("%-10s %.3g GB to generate, and %.3g MB per 1000 tokens of "
           "context\n", "", number(m, "inference_bytes") * 1e-9,
           number(m, "cache_bytes_per_token") * 1e-3);
    printf("%-10s %.3g GB to train in full with AdamW, and %.3g MB per 1000 "
           "tokens of a batch\n", "", number(m, "training_bytes") * 1e-9,
           number(m, "activation_bytes_per_token") * 1e-3);
}

/* --- the command --------------------------------------------------------- */

static t2g_status work(const invocation *inv, json_t *out)
{
    if (inv->file_count) {
        t2g_config c;
        T2G_TRY(t2g_config_read(&c, inv->files[0]));
        json_object_set_new(out, "model", model_json(&c));
    }
    return machine_json(inv, out);
}

static void print_all(const invocation *inv, const json_t *out)
{
    if (inv->common.json) {
        json_dumpf(out, stdout, JSON_INDENT(2));
        putchar('\n');
        return;
    }
    print_machine(json_object_get(out, "machine"));
    libraries_print(stdout);
    if (inv->file_count)
        print_model(inv->files[0], json_object_get(out, "model"));
}

static int run(const command *self, int argc, char **argv)
{
    option table[] = {{0}};
    invocation inv;
    int status = cli_parse(&inv, self, table, argc, argv);
    if (status >= 0)
        return status;
    json_t *out = json_object();
    if (inv.file_count > 1)
        status = cli_usage(&inv, "takes one model at most");
    else if (work(&inv, out) != T2G_OK)
        status = cli_failed(&inv);
    else
        print_all(&inv, out);
    json_decref(out);
    cli_free(&inv);
    return status < 0 ? EXIT_DONE : status;
}

const command command_info = {
    "info", "what this machine has and uses, and what a model needs",
    "[MODEL_DIR|config.json]", "t2g info", run};
