/* t2g verify: finds cases, hands them to their stage, counts. */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "verify_private.h"

/* --- stages -------------------------------------------------------------- */

typedef void stage_fn(verifier *v, const char *path, const json_t *root);

typedef struct stage_row {
    const char *name, *folder; /* as an argument, as a folder of cases */
    stage_fn *run;
    const char *within;        /* a stage whose folder may hold these cases */
} stage_row;

static const stage_row stages[] = {
    {"tokenizer", "tokenizer", verify_tokenizer, NULL},
    {"align", "align", verify_align, NULL},
    {"align", "feedback", verify_align, NULL}, /* as the library names it */
    {"ppo", "ppo", verify_ppo, NULL},
    {"model", "model", verify_model, NULL},
    {"generate", "generation", verify_model, "model"},
    {"baselines", "baselines", verify_ppo, NULL},
    {"metrics", "metrics", verify_metrics, NULL},
    {"kernels", "kernels", verify_kernels_stage, NULL},
};
enum { STAGES = sizeof stages / sizeof *stages };

static const stage_row *stage_of_folder(const char *name)
{
    for (size_t i = 0; i < STAGES; i++)
        if (strcmp(name, stages[i].folder) == 0)
            return &stages[i];
    return NULL;
}

/* The file formats under a model have a reader of their own. */
static stage_fn *function_of(const stage_row *s, const json_t *root)
{
    const char *kind = json_string_value(json_object_get(root, "kind"));
    if (!kind || strcmp(s->name, "model") != 0)
        return s->run;
    if (strcmp(kind, "gguf_tokenizer") == 0)
        return verify_tokenizer;
    return strncmp(kind, "safetensors", 11) == 0 ? verify_safetensors : s->run;
}

/* --- which files are cases ----------------------------------------------- */

static bool ends_with(const char *name, const char *end)
{
    size_t n = strlen(name), k = strlen(end);
    return n >= k && strcmp(name + n - k, end) == 0;
}

/* Files of model folders and runs are material of cases, not cases. */
static bool is_material(const char *name)
{
    static const char *const names[] = {
        "config.json", "generation_config.json", "tokenizer.json",
        "tokenizer.json.gz", "tokenizer_config.json", "vocab.json",
        "special_tokens_map.json", "added_tokens.json", "adapter_config.json",
        "run.json"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return ends_with(name, ".index.json");
}

static bool is_json(const char *name)
{
    return ends_with(name, ".json") || ends_with(name, ".json.gz");
}

/* Alignment's case files are plain lists or objects of lists. */
static bool is_case(const stage_row *s, const json_t *root)
{
    return json_is_array(root) || json_object_get(root, "kind") ||
           json_object_get(root, "format") || json_object_get(root, "cases") ||
           (strcmp(s->name, "align") == 0 && json_is_object(root));
}

/* --- the search ---------------------------------------------------------- */

enum { PATH_SIZE = 4096, DEEPEST = 16 };

typedef struct search {
    verifier *v;
    const stage_row *only;    /* NULL: all stages, by the names of folders */
    const char *argument; /* the PATH of the command line */
} search;

static bool is_folder(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* dir/name; false when it does not fit. */
static bool join(char out[PATH_SIZE], const char *dir, const char *name)
{
    const char *slash = ends_with(dir, "/") || !*dir ? "" : "/";
    int n = snprintf(out, PATH_SIZE, "%s%s%s", dir, slash, name);
    return n > 0 && n < PATH_SIZE;
}

static void fail_file(verifier *v, const char *field, const char *message)
{
    if (verify_begin(v, v->path, "-")) {
        verify_fail(v, field, "%s", message);
        verify_end(v);
    }
}

/* Where --got has the twin of path: at the same place below its own PATH. */
static void run_other(const search *s, const char *path, const json_t *root)
{
    char twin[PATH_SIZE];
    const char *below = path + strlen(s->argument);
    while (*below == '/')
        below++;
    const char *got = s->v->settings.got;
    if (!join(twin, got, below) || access(*below ? twin : got, R_OK) != 0)
        verify_skip(s->v, path, NULL, "--got has no such file");
    else
        verify_other(s->v, path, root, *below ? twin : got);
}

static void run_case_file(const search *s, const stage_row *stage,
                          const char *path, const json_t *root)
{
    stage_fn *run = function_of(stage, root);
    verify_file_begin(s->v, path);
    if (s->v->settings.got)
        run_other(s, path, root);
    else
        run(s->v, path, root);
    verify_file_end(s->v);
}

/* path is a JSON file; shown is the case: the file, or the folder it describes.
 * `named`: on the command line, so that it is never passed over. */
static void look_at_file(const search *s, const stage_row *stage,
                         const char *path, const char *shown, bool named)
{
    json_t *root = NULL;
    t2g_status status = t2g_json_read(&root, path);
    if (status != T2G_OK) {
        verify_file_begin(s->v, shown);
        fail_file(s->v, "file", t2g_error_message());
        verify_file_end(s->v);
    } else if (named || is_case(stage, root)) {
        run_case_file(s, stage, shown, root);
    }
    json_decref(root);
}

static void look_at_folder(const search *s, const stage_row *stage,
                           const char *path, int depth);

/* May a stage's folder hold cases of this stage? */
static bool may_hold(const stage_row *folder, const stage_row *stage)
{
    return strcmp(folder->name, stage->name) == 0 ||
           (stage->within && strcmp(folder->name, stage->within) == 0);
}

static void look_at_entry(const search *s, const stage_row *stage,
                          const char *folder, const char *name, int depth)
{
    char path[PATH_SIZE];
    if (name[0] == '.' || !join(path, folder, name))
        return;
    if (!is_folder(path)) {
        if (stage && is_json(name) && !is_material(name))
            look_at_file(s, stage, path, path, false);
        return;
    }
    const stage_row *own = stage_of_folder(name);
    if (!s->only)
        look_at_folder(s, own ? own : stage, path, depth + 1);
    else if (!own || may_hold(own, s->only))
        look_at_folder(s, s->only, path, depth + 1);
}

/* A folder with case.json is one case; with cases.json it is that file's
 * material; else each entry is looked at, in the order of names. */
static void look_at_folder(const search *s, const stage_row *stage,
                           const char *path, int depth)
{
    char file[PATH_SIZE];
    struct dirent **entry;
    if (depth > DEEPEST)
        return;
    if (stage && join(file, path, "case.json") && access(file, F_OK) == 0) {
        look_at_file(s, stage, file, path, true);
        return;
    }
    if (stage && join(file, path, "cases.json") && access(file, F_OK) == 0) {
        look_at_file(s, stage, file, file, false);
        if (join(file, path, "mutated.json") && access(file, F_OK) == 0)
            look_at_file(s, stage, file, file, false);
        return;
    }
    int n = scandir(path, &entry, NULL, alphasort);
    for (int i = 0; i < n; i++) {
        look_at_entry(s, stage, path, entry[i]->d_name, depth);
        free(entry[i]);
    }
    if (n >= 0)
        free(entry);
}

/* The stage named by the last folder of an absolute path that names one. */
static const stage_row *stage_of_path(const char *path)
{
    char *full = realpath(path, NULL), *rest = full, *name;
    const stage_row *found = NULL;
    while (full && (name = strtok_r(rest, "/", &rest))) {
        const stage_row *s = stage_of_folder(name);
        found = s ? s : found;
    }
    free(full);
    return found;
}

static void look_at_argument(verifier *v, const stage_row *only,
                             const char *path)
{
    search s = {v, only, path};
    const stage_row *stage = only ? only : stage_of_path(path);
    if (is_folder(path)) {
        look_at_folder(&s, stage, path, 0);
    } else if (stage || access(path, R_OK) != 0) {
        look_at_file(&s, stage ? stage : stages, path, path, true);
    } else {
        verify_file_begin(v, path);
        verify_skip(v, path, NULL, "no folder above it names its stage");
        verify_file_end(v);
    }
}

/* --- the command --------------------------------------------------------- */

static const stage_row *stage_named(const char *name)
{
    for (size_t i = 0; i < STAGES; i++)
        if (cli_same_name(name, stages[i].name))
            return &stages[i];
    return NULL;
}

static void print_summary(const verifier *v)
{
    const char *why;
    json_t *count;
    json_object_foreach(v->reasons, why, count)
        printf("skipped %" JSON_INTEGER_FORMAT ": %s\n",
               json_integer_value(count), why);
    printf("%zu passed, %zu failed, %zu skipped\n", v->passed, v->failed,
           v->skipped);
}

static void print_json(const verifier *v, const char *stage_name)
{
    json_t *out = json_pack("{s:s, s:s, s:I, s:I, s:I, s:O, s:O}", "stage",
                            stage_name, "isa", v->inv->kernels.isa, "passed",
                            (json_int_t)v->passed, "failed",
                            (json_int_t)v->failed, "skipped",
                            (json_int_t)v->skipped, "skip_reasons", v->reasons,
                            "files", v->files);
    json_dumpf(out, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(out);
}

static int verify(const invocation *inv, const verify_options *settings)
{
    verifier v = {.inv = inv, .settings = *settings, .reasons = json_object(),
                  .files = json_array()};
    const char *name = inv->files[0];
    const stage_row *only = stage_named(name);
    for (size_t i = 1; i < inv->file_count; i++)
        look_at_argument(&v, only, inv->files[i]);
    if (inv->common.json)
        print_json(&v, name);
    else
        print_summary(&v);
    json_decref(v.reasons);
    json_decref(v.files);
    return v.failed == 0 && v.passed > 0 ? EXIT_DONE : EXIT_FAILED;
}

static int check_arguments(const invocation *inv)
{
    const char *names[STAGES + 2];
    for (size_t i = 0; i < STAGES; i++)
        names[i] = stages[i].name;
    names[STAGES] = "all";
    names[STAGES + 1] = NULL;
    if (inv->file_count < 2)
        return cli_usage(inv, "needs a stage and at least one path");
    const char *name = inv->files[0];
    if (stage_named(name) || strcmp(name, "all") == 0)
        return -1;
    const char *hint = cli_nearest(name, names);
    return cli_usage(inv, "unknown stage '%s'%s%s%s", name,
                     hint ? ", did you mean '" : "", hint ? hint : "",
                     hint ? "'?" : "");
}

static int run(const command *self, int argc, char **argv)
{
    verify_options o = {.tolerance = -1};
    option table[] = {
        {"only", OPTION_TEXT, &o.only, "Cases", "only the case of this id", 0,
         0, NULL, false},
        {"tolerance", OPTION_REAL, &o.tolerance, "Cases",
         "factor of a case's measured rounding noise; -1: 8", -1, 1e9,
         NULL, false},
        {"tokenizers", OPTION_TEXT, &o.tokenizers, "Cases",
         "folder of the tokenizers that cases name", 0, 0, NULL, false},
        {"got", OPTION_TEXT, &o.got, "Another implementation",
         "its outputs, in files laid out like PATH; ours are not computed", 0,
         0, NULL, false},
        {0}};
    invocation inv;
    int status = cli_parse(&inv, self, table, argc, argv);
    if (status >= 0)
        return status;
    status = check_arguments(&inv);
    if (status < 0)
        status = verify(&inv, &o);
    cli_free(&inv);
    return status;
}

const command command_verify = {
    "verify", "compare with recorded cases of other implementations",
    "STAGE PATH... [options]\n"
    "       stages: tokenizer align ppo model generate baselines metrics "
    "kernels all",
    "t2g verify ppo vectors/ppo", run};
