/* t2g bench: speed against this machine's measured peaks. */
#include "bench.h"

#include <stdlib.h>
#include <string.h>

const bench_shape bench_shapes[BENCH_SHAPES] = {
    {"demo", 128, 344, 3, 4, 4, 32, 1024},
    {"5M", 256, 688, 5, 8, 8, 32, 4096},
    {"SmolLM2-135M", 576, 1536, 30, 9, 3, 64, 49152},
    {"GPT-2", 768, 3072, 12, 12, 12, 64, 50257},
};

/* --- measuring ----------------------------------------------------------- */

enum { SAMPLES = 7 };
static const double SAMPLE_SECONDS = 4e-3;

static t2g_status time_calls(const bench_entry *e, size_t calls,
                             double *seconds)
{
    double begin = cli_seconds();
    for (size_t i = 0; i < calls; i++)
        T2G_TRY(e->run(e->context));
    *seconds = (cli_seconds() - begin) / (double)calls;
    return T2G_OK;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Seconds of one call: the median of samples, and their middle half's width as
 * a share of it. The first call warms up and says how many make a sample. */
static t2g_status time_entry(const bench_entry *e, double *median,
                             double *spread)
{
    double sample[SAMPLES], once;
    T2G_TRY(time_calls(e, 1, &once));
    T2G_TRY(time_calls(e, 1, &once));
    size_t calls = once < SAMPLE_SECONDS
                       ? (size_t)(SAMPLE_SECONDS / (once + 1e-9)) + 1 : 1;
    for (size_t i = 0; i < SAMPLES; i++)
        T2G_TRY(time_calls(e, calls, &sample[i]));
    qsort(sample, SAMPLES, sizeof *sample, by_size);
    *median = sample[SAMPLES / 2];
    *spread = (sample[SAMPLES * 3 / 4] - sample[SAMPLES / 4]) / *median;
    return T2G_OK;
}

/* --- reporting ----------------------------------------------------------- */

static const char *const bound_names[] = {"none", "flops", "bandwidth"};

static double peak_of(const bench *b, const bench_entry *e)
{
    const peaks *p = &b->peak;
    if (e->bound == BOUND_FLOPS)
        return e->threads > 1 ? p->flops : p->flops_one;
    return e->threads > 1 ? p->bytes : p->bytes_one;
}

static void print_json(const bench_entry *e, double value, double share,
                       double spread)
{
    json_t *line = json_pack(
        "{s:s, s:s, s:s, s:s, s:i, s:f, s:s, s:s, s:o, s:f}", "group",
        e->group, "name", e->name, "shape", e->shape, "isa", e->isa, "threads",
        e->threads, "value", value, "unit", e->unit, "bound",
        bound_names[e->bound], "share_of_peak",
        e->bound == BOUND_NONE ? json_null() : json_real(share), "spread",
        spread);
    json_dumpf(line, stdout, JSON_COMPACT | JSON_REAL_PRECISION(6));
    putchar('\n');
    json_decref(line);
}

static void print_text(bench *b, const bench_entry *e, double value,
                       double share, double spread)
{
    if (!b->header)
        printf("%-10s %-20s %-22s %-7s %3s %10s %-8s %7s %s\n", "group", "name",
               "shape", "isa", "thr", "value", "unit", "spread",
               "share of peak");
    b->header = true;
    printf("%-10s %-20s %-22s %-7s %3d %10.4g %-8s %6.1f%%", e->group, e->name,
           e->shape, e->isa, e->threads, value, e->unit, 100 * spread);
    if (e->bound != BOUND_NONE)
        printf(" %5.1f%% %s", 100 * share, bound_names[e->bound]);
    putchar('\n');
    fflush(stdout);
}

t2g_status bench_measure(bench *b, const bench_entry *e)
{
    double seconds, spread;
    if (cli_interrupted())
        return t2g_fail(T2G_ERR_INTERRUPTED, "interrupted");
    T2G_TRY(time_entry(e, &seconds, &spread));
    double value = e->amount / seconds * e->scale;
    double share = e->cost / seconds / peak_of(b, e);
    if (b->inv->common.json)
        print_json(e, value, share, spread);
    else
        print_text(b, e, value, share, spread);
    return T2G_OK;
}

static void print_peak(bench *b, const char *name, const char *shape,
                       int threads, double value, const char *unit)
{
    bench_entry e = {.group = "peak", .name = name, .shape = shape,
                     .isa = b->peak.isa, .threads = threads, .unit = unit};
    if (b->inv->common.json)
        print_json(&e, value, 0, 0);
    else
        print_text(b, &e, value, 0, 0);
}

static t2g_status measure_peaks(bench *b)
{
    const peaks *p = &b->peak;
    T2G_TRY(peaks_measure(&b->peak));
    print_peak(b, "fma", "registers", 1, p->flops_one * 1e-9, "GFLOP/s");
    print_peak(b, "read", "memory", 1, p->bytes_one * 1e-9, "GB/s");
    if (p->threads > 1) {
        print_peak(b, "fma", "registers", p->threads, p->flops * 1e-9,
                   "GFLOP/s");
        print_peak(b, "read", "memory", p->threads, p->bytes * 1e-9, "GB/s");
    }
    return T2G_OK;
}

/* --- groups -------------------------------------------------------------- */

static const struct group {
    const char *name;
    t2g_status (*run)(bench *b, const t2g_kernels *k);
    bool each_isa; /* else with the strongest chosen alone */
} groups[] = {
    {"kernels", bench_kernels, true},   {"gemm", bench_gemm, true},
    {"decode", bench_decode, true},     {"train", bench_train, true},
    {"tokenizer", bench_tokenizer, false}, {"align", bench_align, false},
};
enum { GROUPS = sizeof groups / sizeof *groups };

/* Without --isa and T2G_ISA each instruction set is measured in turn. */
static bool one_isa(const invocation *inv)
{
    const char *set = getenv("T2G_ISA");
    return inv->common.isa || (set && *set);
}

static t2g_status run_group(bench *b, const struct group *g)
{
    if (!g->each_isa || one_isa(b->inv))
        return g->run(b, &b->inv->kernels);
    for (const char *const *isa = t2g_isa_available(); *isa; isa++) {
        t2g_kernels k;
        T2G_TRY(t2g_kernels_select(&k, *isa));
        T2G_TRY(g->run(b, &k));
    }
    return T2G_OK;
}

static bool chosen(const invocation *inv, const char *name)
{
    for (size_t i = 0; i < inv->file_count; i++)
        if (strcmp(inv->files[i], name) == 0 ||
            strcmp(inv->files[i], "all") == 0)
            return true;
    return inv->file_count == 0;
}

static t2g_status run_groups(const invocation *inv, bench b)
{
    b.inv = inv;
    b.cache = cache_last_level();
    T2G_TRY(measure_peaks(&b));
    for (size_t i = 0; i < GROUPS; i++)
        if (chosen(inv, groups[i].name))
            T2G_TRY(run_group(&b, &groups[i]));
    return T2G_OK;
}

static const char *unknown_group(const invocation *inv)
{
    for (size_t i = 0; i < inv->file_count; i++) {
        bool known = strcmp(inv->files[i], "all") == 0;
        for (size_t g = 0; g < GROUPS; g++)
            known |= strcmp(inv->files[i], groups[g].name) == 0;
        if (!known)
            return inv->files[i];
    }
    return NULL;
}

static int run(const command *self, int argc, char **argv)
{
    bench b = {.inv = NULL};
    option table[] = {
        {"tokenizer", OPTION_TEXT, &b.tokenizer, "Group tokenizer",
         "the tokenizer to be measured, on the files of --data", 0, 0, NULL,
         false},
        {"data", OPTION_LIST, &b.texts, "Group tokenizer",
         "files of text, cut into 4 kB pieces", 0, 0, NULL, false},
        {0}};
    invocation inv;
    int status = cli_parse(&inv, self, table, argc, argv);
    if (status >= 0)
        return status;
    const char *unknown = unknown_group(&inv);
    cli_catch_interrupts();
    if (unknown)
        status = cli_usage(&inv, "unknown group '%s'", unknown);
    else if (!b.tokenizer != (b.texts.count == 0))
        status = cli_usage(&inv, "--tokenizer and --data go together");
    else
        status = run_groups(&inv, b) == T2G_OK ? EXIT_DONE : cli_failed(&inv);
    cli_free(&inv);
    return status;
}

const command command_bench = {
    "bench", "speed of kernels and training against this machine's peaks",
    "[kernels|gemm|decode|train|tokenizer|align|all ...] [options]",
    "t2g bench gemm train", run};
