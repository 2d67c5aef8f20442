#include "cli.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

/* --- messages ------------------------------------------------------------ */

static void say(const invocation *inv, const char *fmt, va_list args)
{
    progress_clear();
    fprintf(stderr, "t2g %s: ", inv->command->name);
    vfprintf(stderr, fmt, args);
    fputc('\n', stderr);
}

static void complain(const invocation *inv, const char *fmt, ...)
    T2G_PRINTF(2, 3);
static void complain(const invocation *inv, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    say(inv, fmt, args);
    va_end(args);
}

int cli_failed(const invocation *inv)
{
    complain(inv, "%s", t2g_error_message());
    return EXIT_FAILED;
}

int cli_usage(const invocation *inv, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    say(inv, fmt, args);
    va_end(args);
    fprintf(stderr, "usage: t2g %s %s\n       t2g %s --help explains the "
            "options\n", inv->command->name, inv->command->usage,
            inv->command->name);
    return EXIT_USAGE;
}

void cli_note(const invocation *inv, const char *fmt, ...)
{
    if (inv->common.quiet)
        return;
    va_list args;
    va_start(args, fmt);
    say(inv, fmt, args);
    va_end(args);
}

/* --- names --------------------------------------------------------------- */

static char plain(char c)
{
    return c == '_' ? '-' : c;
}

bool cli_same_name(const char *a, const char *b)
{
    while (*a && plain(*a) == plain(*b)) {
        a++;
        b++;
    }
    return plain(*a) == plain(*b);
}

enum { LONGEST_NAME = 48 };

/* Letters to insert, delete or replace between two names. [Levenshtein 1966] */
static size_t edit_distance(const char *a, const char *b)
{
    size_t n = strlen(b), row[LONGEST_NAME + 1];
    if (n > LONGEST_NAME)
        return SIZE_MAX;
    for (size_t j = 0; j <= n; j++)
        row[j] = j;
    for (size_t i = 1; a[i - 1]; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= n; j++) {
            size_t replace = diagonal + (plain(a[i - 1]) != plain(b[j - 1]));
            size_t other = 1 + (row[j] < row[j - 1] ? row[j] : row[j - 1]);
            diagonal = row[j];
            row[j] = replace < other ? replace : other;
        }
    }
    return row[n];
}

const char *cli_nearest(const char *word, const char *const *names)
{
    const char *best = NULL;
    size_t least = strlen(word) / 3 + 1;
    for (; *names; names++) {
        size_t d = edit_distance(word, *names);
        if (d <= least && (!best || d < least)) {
            best = *names;
            least = d;
        }
    }
    return best;
}

static option *find_in(option *table, const char *name)
{
    for (; table && table->name; table++)
        if (cli_same_name(name, table->name))
            return table;
    return NULL;
}

static option *find_option(const invocation *inv, const char *name)
{
    option *o = find_in(inv->options, name);
    return o ? o : find_in((option *)(uintptr_t)inv->shared, name);
}

static void list_names(const invocation *inv, const char **names, size_t room)
{
    size_t n = 0;
    for (const option *o = inv->options; o && o->name && n + 1 < room; o++)
        names[n++] = o->name;
    for (const option *o = inv->shared; o->name && n + 1 < room; o++)
        names[n++] = o->name;
    names[n] = NULL;
}

static t2g_status unknown_option(const invocation *inv, const char *name)
{
    const char *names[128];
    list_names(inv, names, sizeof names / sizeof *names);
    const char *hint = cli_nearest(name, names);
    if (hint)
        return t2g_fail(T2G_ERR_ARG, "unknown option '%s', did you mean "
                        "'%s'?", name, hint);
    return t2g_fail(T2G_ERR_ARG, "unknown option '%s'", name);
}

/* --- values -------------------------------------------------------------- */

static bool has_range(const option *o)
{
    return o->min != 0 || o->max != 0;
}

static t2g_status bad_value(const option *o, const char *text,
                            const char *expected)
{
    if (!has_range(o))
        return t2g_fail(T2G_ERR_ARG, "%s is '%s', expected %s", o->name, text,
                        expected);
    return t2g_fail(T2G_ERR_ARG, "%s is '%s', expected %s from %.10g to %.10g",
                    o->name, text, expected, o->min, o->max);
}

static t2g_status set_count(const option *o, const char *text)
{
    char *end = NULL;
    errno = 0;
    unsigned long long v = strtoull(text, &end, 10);
    bool good = isdigit((unsigned char)text[0]) && !*end && errno == 0;
    if (!good || (has_range(o) && ((double)v < o->min || (double)v > o->max)))
        return bad_value(o, text, "a whole number");
    *(uint64_t *)o->target = v;
    return T2G_OK;
}

static t2g_status set_real(const option *o, const char *text)
{
    char *end = NULL;
    double v = strtod(text, &end);
    bool good = end != text && !*end && isfinite(v);
    if (!good || (has_range(o) && (v < o->min || v > o->max)))
        return bad_value(o, text, "a number");
    *(double *)o->target = v;
    return T2G_OK;
}

/* "a, b or c" into text. */
static void list_choices(const option *o, char *text, size_t room)
{
    size_t n = 0;
    text[0] = '\0';
    for (size_t i = 0; o->choices[i] && n < room; i++) {
        const char *comma = i == 0 ? "" : o->choices[i + 1] ? ", " : " or ";
        n += (size_t)snprintf(text + n, room - n, "%s%s", comma,
                              o->choices[i]);
    }
}

static t2g_status set_choice(const option *o, const char *text)
{
    char list[512];
    for (int i = 0; o->choices[i]; i++)
        if (cli_same_name(text, o->choices[i])) {
            *(int *)o->target = i;
            return T2G_OK;
        }
    list_choices(o, list, sizeof list);
    return t2g_fail(T2G_ERR_ARG, "%s is '%s', expected %s", o->name, text,
                    list);
}

/* true or false as JSON, Python and shells write them; -1: something else. */
static int truth(const char *text)
{
    static const char *const words[] = {"false", "False", "0",
                                        "true", "True", "1"};
    for (int i = 0; i < 6; i++)
        if (strcmp(text, words[i]) == 0)
            return i / 3;
    return -1;
}

static t2g_status set_flag(const option *o, const char *text)
{
    int v = truth(text);
    if (v < 0)
        return bad_value(o, text, "true or false");
    *(bool *)o->target = v;
    return T2G_OK;
}

static t2g_status list_push(string_list *list, const char *item)
{
    const char **grown = t2g_regrow(list->item, list->count, list->count + 1,
                                    sizeof *grown);
    if (!grown)
        return T2G_ERR_MEMORY;
    grown[list->count] = item;
    list->item = grown;
    list->count++;
    return T2G_OK;
}

/* Appends the items of "a,b"; the first time they replace the default. */
static t2g_status set_list(invocation *inv, const option *o, const char *text)
{
    string_list *list = o->target;
    if (!o->given)
        *list = (string_list){0};
    while (*text) {
        size_t n = strcspn(text, ",");
        json_t *item = json_stringn(text, n);
        if (!item || json_array_append_new(inv->owned, item) != 0)
            return t2g_fail(T2G_ERR_FORMAT, "%s is '%s', which is not UTF-8",
                            o->name, text);
        if (n > 0)
            T2G_TRY(list_push(list, json_string_value(item)));
        text += n + (text[n] == ',');
    }
    return T2G_OK;
}

static t2g_status set_text(invocation *inv, option *o, const char *text)
{
    t2g_status s = T2G_OK;
    switch (o->kind) {
    case OPTION_FLAG: s = set_flag(o, text); break;
    case OPTION_TEXT: *(const char **)o->target = text; break;
    case OPTION_COUNT: s = set_count(o, text); break;
    case OPTION_REAL: s = set_real(o, text); break;
    case OPTION_CHOICE: s = set_choice(o, text); break;
    case OPTION_LIST: s = set_list(inv, o, text); break;
    }
    o->given = true;
    return s;
}

/* --- the command line ---------------------------------------------------- */

/* Which option `name` (without dashes) is; "no-NAME" is the flag NAME, off. */
static option *option_or_negation(const invocation *inv, const char *name,
                                  bool *negated)
{
    option *o = find_option(inv, name);
    *negated = false;
    if (o || strncmp(name, "no", 2) != 0 || plain(name[2]) != '-')
        return o;
    o = find_option(inv, name + 3);
    *negated = o && o->kind == OPTION_FLAG;
    return *negated ? o : NULL;
}

static bool is_option(const char *argument)
{
    return argument[0] == '-' && argument[1] == '-' && argument[2];
}

/* One "--name", "--name value" or "--name=value" at argv[*i]. */
static t2g_status take_option(invocation *inv, int argc, char **argv, int *i)
{
    char name[LONGEST_NAME + 1];
    const char *word = argv[*i] + 2, *equals = strchr(word, '=');
    const char *value = equals ? equals + 1 : NULL;
    size_t n = equals ? (size_t)(equals - word) : strlen(word);
    bool negated;
    if (n > LONGEST_NAME)
        return t2g_fail(T2G_ERR_ARG, "unknown option '%s'", word);
    memcpy(name, word, n);
    name[n] = '\0';
    option *o = option_or_negation(inv, name, &negated);
    if (!o)
        return unknown_option(inv, name);
    if (negated && value)
        return t2g_fail(T2G_ERR_ARG, "'--%s' takes no value", name);
    const char *next = *i + 1 < argc ? argv[*i + 1] : NULL;
    if (o->kind == OPTION_FLAG && !value) {
        value = negated ? "false" : "true";
        if (!negated && next && isalpha((unsigned char)next[0]) &&
            truth(next) >= 0) /* --do-sample True */
            value = argv[++*i];
    } else if (!value) {
        if (!next || is_option(next))
            return t2g_fail(T2G_ERR_ARG, "'--%s' needs a value", name);
        value = argv[++*i];
    }
    return set_text(inv, o, value);
}

static t2g_status take_arguments(invocation *inv, int argc, char **argv)
{
    bool files_only = false;
    for (int i = 1; i < argc; i++) {
        const char *a = argv[i];
        if (files_only || a[0] != '-' || !a[1])
            inv->files[inv->file_count++] = argv[i];
        else if (strcmp(a, "--") == 0)
            files_only = true;
        else if (is_option(a))
            T2G_TRY(take_option(inv, argc, argv, &i));
        else
            return t2g_fail(T2G_ERR_ARG, "unknown option '%s', options start "
                            "with two dashes", a);
    }
    return T2G_OK;
}

/* --- --config ------------------------------------------------------------ */

static t2g_status set_string(invocation *inv, option *o, const json_t *value)
{
    const char *text = json_string_value(value);
    if (strlen(text) != json_string_length(value))
        return t2g_fail(T2G_ERR_ARG, "%s has a NUL character", o->name);
    return set_text(inv, o, text);
}

static t2g_status set_number(invocation *inv, option *o, const json_t *value)
{
    char text[40];
    if (o->kind == OPTION_TEXT || o->kind == OPTION_LIST)
        return t2g_fail(T2G_ERR_ARG, "%s is a number, expected a string",
                        o->name);
    if (json_is_integer(value))
        snprintf(text, sizeof text, "%" JSON_INTEGER_FORMAT,
                 json_integer_value(value));
    else
        snprintf(text, sizeof text, "%.17g", json_real_value(value));
    return set_text(inv, o, text);
}

static t2g_status set_array(invocation *inv, option *o, const json_t *value)
{
    size_t i;
    json_t *item;
    if (o->kind != OPTION_LIST)
        return t2g_fail(T2G_ERR_ARG, "%s is an array, expected one value",
                        o->name);
    json_array_foreach(value, i, item) {
        if (!json_is_string(item))
            return t2g_fail(T2G_ERR_ARG, "%s holds something other than "
                            "strings", o->name);
        T2G_TRY(set_string(inv, o, item));
    }
    return T2G_OK;
}

static t2g_status set_json(invocation *inv, option *o, const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_NULL: return T2G_OK;
    case JSON_TRUE: return set_text(inv, o, "true");
    case JSON_FALSE: return set_text(inv, o, "false");
    case JSON_STRING: return set_string(inv, o, value);
    case JSON_INTEGER:
    case JSON_REAL: return set_number(inv, o, value);
    case JSON_ARRAY: return set_array(inv, o, value);
    case JSON_OBJECT: break;
    }
    return t2g_fail(T2G_ERR_ARG, "%s is an object, expected one value",
                    o->name);
}

/* run.json also says which command and version wrote it. */
static t2g_status check_command(const invocation *inv, const json_t *value)
{
    const char *name = json_string_value(value);
    if (name && strcmp(name, inv->command->name) == 0)
        return T2G_OK;
    return t2g_fail(T2G_ERR_ARG, "these are the options of command '%s', "
                    "expected '%s'", name ? name : "?", inv->command->name);
}

static t2g_status take_key(invocation *inv, const char *key,
                           const json_t *value)
{
    if (strcmp(key, "command") == 0)
        return check_command(inv, value);
    if (strcmp(key, "version") == 0)
        return T2G_OK;
    option *o = find_option(inv, key);
    if (!o)
        return unknown_option(inv, key);
    return o->given ? T2G_OK : set_json(inv, o, value);
}

static t2g_status take_config(invocation *inv)
{
    const char *path = inv->config_path, *key;
    json_t *value;
    T2G_TRY(t2g_json_read(&inv->config, path));
    if (!json_is_object(inv->config))
        return t2g_fail(T2G_ERR_FORMAT, "%s: expected a JSON object of options",
                        path);
    json_object_foreach(inv->config, key, value) {
        t2g_status s = take_key(inv, key, value);
        if (s != T2G_OK)
            return t2g_fail_in(s, "%s", path);
    }
    return T2G_OK;
}

/* --- --help -------------------------------------------------------------- */

enum { HELP_COLUMN = 28, HELP_WIDTH = 79 };

static void print_wrapped(const char *text, size_t column)
{
    while (*text) {
        size_t n = strcspn(text, " ");
        if (column + 1 + n > HELP_WIDTH && column > HELP_COLUMN) {
            printf("\n%*s", HELP_COLUMN, "");
            column = HELP_COLUMN;
        }
        column += (size_t)printf(" %.*s", (int)n, text);
        text += n;
        text += strspn(text, " ");
    }
    putchar('\n');
}

static void describe_default(const option *o, char *out, size_t room)
{
    const string_list *list;
    const char *text;
    size_t n;
    out[0] = '\0';
    switch (o->kind) {
    case OPTION_FLAG:
        if (*(bool *)o->target)
            snprintf(out, room, " (default: on)");
        break;
    case OPTION_TEXT:
        text = *(const char **)o->target;
        if (text)
            snprintf(out, room, " (default: %s)", text);
        break;
    case OPTION_COUNT:
        snprintf(out, room, " (default: %llu)",
                 (unsigned long long)*(uint64_t *)o->target);
        break;
    case OPTION_REAL:
        snprintf(out, room, " (default: %g)", *(double *)o->target);
        break;
    case OPTION_CHOICE:
        n = (size_t)snprintf(out, room, ": ");
        list_choices(o, out + n, room - n);
        n = strlen(out);
        snprintf(out + n, room - n, " (default: %s)",
                 o->choices[*(int *)o->target]);
        break;
    case OPTION_LIST:
        list = o->target;
        for (size_t i = n = 0; i < list->count && n < room; i++)
            n += (size_t)snprintf(out + n, room - n, "%s%s",
                                  i ? "," : " (default: ", list->item[i]);
        if (n > 0 && n < room)
            snprintf(out + n, room - n, ")");
        break;
    }
}

static void print_option(const option *o)
{
    static const char *const argument[] = {"", " VALUE", " N", " X", " NAME",
                                           " A,B"};
    bool on = o->kind == OPTION_FLAG && *(bool *)o->target;
    char extra[512], text[1024];
    size_t n = (size_t)printf("  --%s%s%s", on ? "[no-]" : "", o->name,
                              argument[o->kind]);
    describe_default(o, extra, sizeof extra);
    snprintf(text, sizeof text, "%s%s", o->help, extra);
    if (n >= HELP_COLUMN)
        printf("\n%*s", HELP_COLUMN, "");
    else
        printf("%*s", (int)(HELP_COLUMN - n), "");
    print_wrapped(text, HELP_COLUMN);
}

static void print_options(const option *table)
{
    const char *group = NULL;
    for (const option *o = table; o && o->name; o++) {
        if (!group || strcmp(group, o->group) != 0)
            printf("\n%s:\n", o->group);
        group = o->group;
        print_option(o);
    }
}

static void print_help(const invocation *inv)
{
    const command *c = inv->command;
    printf("t2g %s: %s\n\nusage: t2g %s %s\n", c->name, c->purpose, c->name,
           c->usage);
    print_options(inv->options);
    print_options(inv->shared);
    printf("\nexample:\n  %s\n", c->example);
}

/* --- parsing ------------------------------------------------------------- */

static void fill_shared(invocation *inv)
{
    const option table[SHARED_OPTIONS] = {
        {"config", OPTION_TEXT, &inv->config_path, "Common",
         "options from a JSON file (a run.json is one); the command line wins",
         0, 0, NULL, false},
        {"threads", OPTION_COUNT, &inv->common.threads, "Common",
         "0: T2G_THREADS, else OMP_NUM_THREADS, else all cores", 0, 4096, NULL,
         false},
        {"isa", OPTION_TEXT, &inv->common.isa, "Common",
         "scalar, avx2, avx512 or neon; else T2G_ISA, else the best", 0, 0,
         NULL, false},
        {"seed", OPTION_COUNT, &inv->common.seed, "Common",
         "of everything random", 0, 0, NULL, false},
        {"quiet", OPTION_FLAG, &inv->common.quiet, "Common",
         "no progress, no notes", 0, 0, NULL, false},
        {"json", OPTION_FLAG, &inv->common.json, "Common",
         "results as JSON", 0, 0, NULL, false},
        {"help", OPTION_FLAG, &inv->help, "Common", "this text", 0, 0, NULL,
         false},
    };
    inv->common.seed = 42;
    memcpy(inv->shared, table, sizeof table);
}

/* For --help the defaults must still be in the targets. */
static bool asks_for_help(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "-h") == 0 || strcmp(argv[i], "--help") == 0)
            return true;
    return false;
}

static t2g_status parse(invocation *inv, int argc, char **argv)
{
    inv->files = t2g_calloc((size_t)argc + 1, sizeof *inv->files);
    inv->owned = json_array();
    if (!inv->files || !inv->owned)
        return T2G_ERR_MEMORY;
    T2G_TRY(take_arguments(inv, argc, argv));
    if (inv->config_path)
        T2G_TRY(take_config(inv));
    T2G_TRY(t2g_set_threads((int)inv->common.threads));
    return t2g_kernels_select(&inv->kernels, inv->common.isa);
}

int cli_parse(invocation *inv, const command *self, option *options, int argc,
              char **argv)
{
    *inv = (invocation){.command = self, .options = options};
    fill_shared(inv);
    if (asks_for_help(argc, argv)) {
        print_help(inv);
        return EXIT_DONE;
    }
    t2g_status s = parse(inv, argc, argv);
    if (s == T2G_OK)
        return -1;
    int status = s == T2G_ERR_ARG ? cli_usage(inv, "%s", t2g_error_message())
                                  : cli_failed(inv);
    cli_free(inv);
    return status;
}

void cli_free(invocation *inv)
{
    for (option *o = inv->options; o && o->name; o++)
        if (o->kind == OPTION_LIST && o->given) {
            string_list *list = o->target;
            t2g_free(list->item);
            *list = (string_list){0};
        }
    t2g_free(inv->files);
    json_decref(inv->config);
    json_decref(inv->owned);
    inv->files = NULL;
    inv->config = inv->owned = NULL;
}

/* --- the resolved options ------------------------------------------------ */

/* JSON integers are signed: seeds beyond them are written as strings. */
static json_t *count_json(uint64_t v)
{
    char text[24];
    if (v <= INT64_MAX)
        return json_integer((json_int_t)v);
    snprintf(text, sizeof text, "%llu", (unsigned long long)v);
    return json_string(text);
}

static json_t *list_json(const string_list *list)
{
    json_t *array = json_array();
    for (size_t i = 0; i < list->count; i++)
        json_array_append_new(array, json_string(list->item[i]));
    return array;
}

static json_t *option_json(const option *o)
{
    const char *text;
    switch (o->kind) {
    case OPTION_FLAG: return json_boolean(*(bool *)o->target);
    case OPTION_TEXT:
        text = *(const char **)o->target;
        return text ? json_string(text) : NULL;
    case OPTION_COUNT: return count_json(*(uint64_t *)o->target);
    case OPTION_REAL: return json_real(*(double *)o->target);
    case OPTION_CHOICE: return json_string(o->choices[*(int *)o->target]);
    case OPTION_LIST: return list_json(o->target);
    }
    return NULL;
}

static bool is_for_one_call(const option *o)
{
    static const char *const never[] = {"config", "help", "resume",
                                        "overwrite"};
    for (size_t i = 0; i < sizeof never / sizeof *never; i++)
        if (strcmp(o->name, never[i]) == 0)
            return true;
    bool machine = strcmp(o->name, "threads") == 0 ||
                   strcmp(o->name, "isa") == 0;
    return machine && !o->given;
}

static void resolve(json_t *out, const option *table)
{
    for (const option *o = table; o && o->name; o++) {
        json_t *value = is_for_one_call(o) ? NULL : option_json(o);
        if (value)
            json_object_set_new(out, o->name, value);
    }
}

json_t *cli_resolved(const invocation *inv)
{
    json_t *out = json_pack("{s:s, s:s}", "command", inv->command->name,
                            "version", T2G_VERSION);
    if (out) {
        resolve(out, inv->options);
        resolve(out, inv->shared);
    }
    return out;
}

static t2g_status refuse_others_files(const invocation *inv, const char *dir)
{
    static const char *const kept[] = {"run.json", "model.safetensors"};
    char path[4096];
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, kept[i]);
        if (access(path, F_OK) == 0)
            return t2g_fail(T2G_ERR_ARG, "%s holds another run's %s; "
                            "--overwrite replaces it%s", dir, kept[i],
                            find_option(inv, "resume")
                                ? ", --resume continues it" : "");
    }
    return T2G_OK;
}

t2g_status cli_output_dir(const invocation *inv, const char *dir, bool resume,
                          bool overwrite)
{
    char path[4096];
    int n = snprintf(path, sizeof path, "%s/run.json", dir);
    if (n < 0 || (size_t)n >= sizeof path)
        return t2g_fail(T2G_ERR_ARG, "the path '%s' is too long", dir);
    if (!resume && !overwrite)
        T2G_TRY(refuse_others_files(inv, dir));
    T2G_TRY(t2g_directory_make(dir));
    json_t *resolved = cli_resolved(inv);
    t2g_status s = resolved ? t2g_json_write(path, resolved)
                            : t2g_fail(T2G_ERR_MEMORY, "no memory for %s",
                                       path);
    json_decref(resolved);
    return s;
}

/* --- interrupts, clock, memory ------------------------------------------- */

static volatile sig_atomic_t interrupted;

static void on_interrupt(int number)
{
    static const char text[] = "\nfinishing this step; once more ends at "
                               "once\n";
    (void)number;
    if (interrupted)
        _exit(EXIT_KILLED);
    interrupted = 1;
    ssize_t ignored = write(STDERR_FILENO, text, sizeof text - 1);
    (void)ignored;
}

bool cli_interrupted(void)
{
    return interrupted;
}

void cli_catch_interrupts(void)
{
    struct sigaction action = {.sa_handler = on_interrupt,
                               .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

double cli_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

size_t cli_peak_memory(void)
{
    struct rusage use;
    if (getrusage(RUSAGE_SELF, &use) != 0)
        return 0;
#ifdef __APPLE__
    return (size_t)use.ru_maxrss; /* bytes there, kilobytes elsewhere */
#else
    return (size_t)use.ru_maxrss * 1024;
#endif
}
