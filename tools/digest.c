/* t2g digest: XXH3-128 of tensors, the same on every machine. */
#include <string.h>
#include <sys/stat.h>

#include "cli.h"

static t2g_status digest_model(const invocation *inv, const char *dir,
                               t2g_digest *d)
{
    t2g_model *m;
    T2G_TRY(t2g_model_load(&m, dir, &inv->kernels));
    t2g_model_digest(m, d);
    t2g_model_free(m);
    return T2G_OK;
}

/* Any tensors at all: name, type and bytes of each, by name. */
static t2g_status digest_tensors(const char *path, t2g_digest *d)
{
    t2g_safetensors st;
    T2G_TRY(t2g_safetensors_open(&st, path));
    for (size_t i = 0; i < st.count; i++) {
        const t2g_tensor_view *t = &st.tensor[i];
        t2g_digest_bytes(d, t->name, strlen(t->name) + 1);
        t2g_digest_bytes(d, t->dtype_name, strlen(t->dtype_name) + 1);
        t2g_digest_bytes(d, t->bytes, t->size);
    }
    t2g_safetensors_close(&st);
    return T2G_OK;
}

static t2g_status digest_path(const invocation *inv, const char *path,
                              char hex[33])
{
    struct stat st;
    bool folder = stat(path, &st) == 0 && S_ISDIR(st.st_mode);
    t2g_digest *d;
    T2G_TRY(t2g_digest_new(&d));
    t2g_status s = folder ? digest_model(inv, path, d)
                          : digest_tensors(path, d);
    t2g_digest_finish(d, hex);
    return s;
}

static int print_digests(const invocation *inv)
{
    for (size_t i = 0; i < inv->file_count; i++) {
        char hex[33];
        const char *path = inv->files[i];
        if (digest_path(inv, path, hex) != T2G_OK)
            return cli_failed(inv);
        if (inv->common.json) {
            json_t *line = json_pack("{s:s, s:s}", "path", path, "digest", hex);
            json_dumpf(line, stdout, JSON_COMPACT);
            putchar('\n');
            json_decref(line);
        } else {
            printf("%s  %s\n", hex, path);
        }
    }
    return EXIT_DONE;
}

static int run(const command *self, int argc, char **argv)
{
    option table[] = {{0}};
    invocation inv;
    int status = cli_parse(&inv, self, table, argc, argv);
    if (status >= 0)
        return status;
    status = inv.file_count ? print_digests(&inv)
                            : cli_usage(&inv, "needs a model folder or a "
                                              "safetensors file");
    cli_free(&inv);
    return status;
}

const command command_digest = {
    "digest", "one line that two equal models share, on every machine",
    "MODEL_DIR|FILE.safetensors ...", "t2g digest demo/text2grad", run};
