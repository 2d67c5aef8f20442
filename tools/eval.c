/* t2g eval: metrics of responses and of feedback. */
#include "eval.h"

#include <math.h>
#include <string.h>

/* --- figures -------------------------------------------------------------- */

void figure_set(json_t *group, const char *name, double value, double lo,
                double hi, size_t n)
{
    json_t *f = json_object();
    json_object_set_new(f, "value",
                        isfinite(value) ? json_real(value) : json_null());
    if (isfinite(lo) && isfinite(hi)) {
        json_object_set_new(f, "lo", json_real(lo));
        json_object_set_new(f, "hi", json_real(hi));
    }
    json_object_set_new(f, "n", json_integer((json_int_t)n));
    json_object_set_new(group, name, f);
}

t2g_status figure_resampled(json_t *group, const char *name,
                            t2g_status outcome, const t2g_bootstrap_result *r,
                            size_t n)
{
    if (outcome == T2G_ERR_NUMERIC)
        figure_set(group, name, r->value, NAN, NAN, n);
    else if (outcome == T2G_OK)
        figure_set(group, name, r->value, r->lo, r->hi, n);
    else
        return outcome;
    return T2G_OK;
}

t2g_status figure_mean(const evaluation *e, json_t *group, const char *name,
                       const double *x, size_t n)
{
    t2g_bootstrap_result r = {.value = NAN};
    t2g_status s = T2G_ERR_NUMERIC; /* no mean of nothing */
    if (n > 0)
        s = t2g_bootstrap_mean(&r, NULL, x, n, &e->resampling);
    return figure_resampled(group, name, s, &r, n);
}

t2g_status figure_ratio(const evaluation *e, json_t *group, const char *name,
                        const double *top, const double *bottom, size_t n)
{
    t2g_bootstrap_result r = {.value = NAN};
    return figure_resampled(group, name,
                            t2g_bootstrap_ratio(&r, NULL, top, bottom, n,
                                                &e->resampling), &r, n);
}

t2g_status figure_share(const evaluation *e, json_t *group, const char *name,
                        size_t count, size_t n)
{
    double lo, hi, share = (double)count / (double)n;
    T2G_TRY(t2g_wilson(&lo, &hi, share, n, e->level));
    figure_set(group, name, share, lo, hi, n);
    return T2G_OK;
}

json_t *figure_group(json_t *parent, const char *name)
{
    json_t *group = json_object();
    json_object_set_new(parent, name, group);
    return group;
}

/* --- records -------------------------------------------------------------- */

t2g_status eval_fail_at(t2g_status s, const t2g_records *r, size_t i)
{
    return t2g_fail_in(s, "%s:%zu", r->path, r->line[i]);
}

t2g_status eval_text(const t2g_records *r, size_t i, const char *key,
                     t2g_text *out)
{
    return t2g_record_string(r, i, key, true, &out->data, &out->size);
}

static t2g_status reference_list(const t2g_records *r, size_t i,
                                 const json_t *list,
                                 t2g_text out[EVAL_REFERENCES], size_t *count)
{
    *count = json_array_size(list);
    for (size_t k = 0; k < *count && k < EVAL_REFERENCES; k++) {
        const json_t *value = json_array_get(list, k);
        if (!json_is_string(value))
            return t2g_fail(T2G_ERR_FORMAT, "%s:%zu: 'reference' %zu is no "
                            "string", r->path, r->line[i], k);
        out[k] = (t2g_text){json_string_value(value),
                            json_string_length(value)};
    }
    if (*count >= 1 && *count <= EVAL_REFERENCES)
        return T2G_OK;
    return t2g_fail(T2G_ERR_FORMAT, "%s:%zu: %zu references, expected 1 to %d",
                    r->path, r->line[i], *count, EVAL_REFERENCES);
}

t2g_status eval_references(const evaluation *e, size_t i,
                           t2g_text out[EVAL_REFERENCES], size_t *count)
{
    const t2g_records *r = e->other.count ? &e->other : &e->data;
    const json_t *own = json_object_get(r->record[i], "reference");
    const char *key = e->other.count ? "response" : NULL;
    if (own || json_object_get(r->record[i], "completion"))
        key = own ? "reference" : "completion";
    *count = 1;
    if (json_is_array(own))
        return reference_list(r, i, own, out, count);
    if (key)
        return eval_text(r, i, key, &out[0]);
    return t2g_fail(T2G_ERR_FORMAT, "%s:%zu: no 'reference' or 'completion'; "
                    "--references names a file that has them", r->path,
                    r->line[i]);
}

/* Both files speak of the same prompts, line by line. */
static t2g_status check_prompts(const t2g_records *a, const t2g_records *b)
{
    if (a->count != b->count)
        return t2g_fail(T2G_ERR_FORMAT, "%s has %zu records, %s has %zu",
                        a->path, a->count, b->path, b->count);
    for (size_t i = 0; i < a->count; i++) {
        const json_t *x = json_object_get(a->record[i], "prompt");
        const json_t *y = json_object_get(b->record[i], "prompt");
        if (x && y && !json_equal(x, y))
            return t2g_fail(T2G_ERR_FORMAT, "%s:%zu has another prompt than "
                            "%s:%zu", b->path, b->line[i], a->path,
                            a->line[i]);
    }
    return T2G_OK;
}

/* --- the table ------------------------------------------------------------ */

enum { NAME_WIDTH = 28 };

static void print_name(const char *name, int depth)
{
    printf("%*s%-*s", 2 * depth, "", NAME_WIDTH - 2 * depth, name);
}

/* value, interval, n of a figure, without the line's end. */
static void print_figure(const json_t *f)
{
    const json_t *value = json_object_get(f, "value");
    const json_t *lo = json_object_get(f, "lo");
    char interval[64] = "", number[32] = "-";
    if (lo)
        snprintf(interval, sizeof interval, "%.4g .. %.4g",
                 json_number_value(lo),
                 json_number_value(json_object_get(f, "hi")));
    if (json_is_number(value))
        snprintf(number, sizeof number, "%.4g", json_number_value(value));
    printf(" %10s  %-20s %8" JSON_INTEGER_FORMAT, number, interval,
           json_integer_value(json_object_get(f, "n")));
}

/* F1 stands for its group, precision and recall beside it. */
static void print_f1(const json_t *group, const json_t *f1)
{
    print_figure(f1);
    printf("   P %.4g  R %.4g\n",
           json_number_value(json_object_get(json_object_get(group,
                                                             "precision"),
                                             "value")),
           json_number_value(json_object_get(json_object_get(group, "recall"),
                                             "value")));
}

static void print_group(const json_t *group, int depth);

static void print_member(const char *name, const json_t *v, int depth)
{
    const json_t *f1 = json_object_get(v, "f1");
    bool figure = json_object_get(v, "value") != NULL;
    bool scores = f1 && json_object_get(v, "precision");
    if (json_is_object(v) && !figure && !scores)
        printf("%*s%s\n", 2 * depth, "", name);
    else
        print_name(name, depth);
    if (figure) {
        print_figure(v);
        putchar('\n');
        return;
    }
    if (scores)
        print_f1(v, f1);
    else if (json_is_string(v))
        printf("  %s\n", json_string_value(v));
    else if (json_is_number(v))
        printf(" %10.4g\n", json_number_value(v));
    print_group(v, depth + 1);
}

/* The parts of an F1 have been printed with it. */
static bool told(const json_t *group, const char *key)
{
    return json_object_get(group, "precision") &&
           (strcmp(key, "precision") == 0 || strcmp(key, "recall") == 0 ||
            strcmp(key, "f1") == 0);
}

static void print_group(const json_t *group, int depth)
{
    const char *key;
    json_t *v;
    json_object_foreach((json_t *)(uintptr_t)group, key, v)
        if (!told(group, key))
            print_member(key, v, depth);
}

static void print_table(const evaluation *e, const json_t *out)
{
    char heading[32];
    snprintf(heading, sizeof heading, "%g %% interval", 100 * e->level);
    printf("%s\n%*s %10s  %-20s %8s\n", e->data.path, NAME_WIDTH, "", "value",
           heading, "n");
    print_group(out, 0);
}

/* --- the command ---------------------------------------------------------- */

static const struct metric {
    const char *name;
    metric_fn *measure;
} metrics[] = {
    {"length", eval_length}, {"rouge", eval_rouge}, {"bleu", eval_bleu},
    {"match", eval_match}, {"distinct", eval_distinct},
    {"perplexity", eval_perplexity}, {"facts", eval_facts},
    {"passk", eval_passk}, {"winrate", eval_winrate},
    {"span_effect", eval_span_effect}, {"agreement", eval_agreement},
    {"rm", eval_rm}};
enum { METRICS = sizeof metrics / sizeof *metrics };

static const struct metric *metric_named(const char *name)
{
    const char *names[METRICS + 1] = {NULL};
    for (size_t k = 0; k < METRICS; k++) {
        names[k] = metrics[k].name;
        if (cli_same_name(name, names[k]))
            return &metrics[k];
    }
    const char *hint = cli_nearest(name, names);
    (void)t2g_fail(T2G_ERR_ARG, "unknown metric '%s'%s%s%s", name,
                   hint ? ", did you mean '" : "", hint ? hint : "",
                   hint ? "'?" : "; --help lists them");
    return NULL;
}

static bool metrics_known(const string_list *names)
{
    for (size_t i = 0; i < names->count; i++)
        if (!metric_named(names->item[i]))
            return false;
    return true;
}

static t2g_status measure(evaluation *e, const string_list *names, json_t *out)
{
    json_object_set_new(out, "responses",
                        json_integer((json_int_t)e->data.count));
    for (size_t i = 0; i < names->count; i++) {
        const struct metric *m = metric_named(names->item[i]);
        T2G_TRY(m->measure(e, figure_group(out, m->name)));
        if (cli_interrupted())
            return t2g_fail(T2G_ERR_INTERRUPTED, "stopped after %s", m->name);
    }
    return T2G_OK;
}

static t2g_status tell(const evaluation *e, const json_t *out,
                       const char *output)
{
    if (output || e->inv->common.json)
        return t2g_json_write(output ? output : "-", out);
    print_table(e, out);
    return T2G_OK;
}

static t2g_status work(evaluation *e, const char *data, const char *other,
                       const string_list *names, const char *output)
{
    json_t *out = json_object();
    t2g_status s = load_records(&e->data, e->inv, e->o, data);
    if (s == T2G_OK && other)
        s = load_records(&e->other, e->inv, e->o, other);
    if (s == T2G_OK && other)
        s = check_prompts(&e->data, &e->other);
    if (s == T2G_OK)
        s = measure(e, names, out);
    if (s == T2G_OK)
        s = tell(e, out, output);
    json_decref(out);
    t2g_records_free(&e->data);
    t2g_records_free(&e->other);
    return s;
}

/* Files: by their options, else as arguments in this order. */
static int run_files(evaluation *e, const char *references,
                     const string_list *names, const char *output)
{
    const invocation *inv = e->inv;
    const char *file[2] = {e->o->data, references};
    size_t next = 0;
    for (int k = 0; k < 2; k++)
        if (!file[k] && next < inv->file_count)
            file[k] = inv->files[next++];
    if (!metrics_known(names))
        return cli_usage(inv, "%s", t2g_error_message());
    if (!file[0])
        return cli_usage(inv, "needs --data");
    if (next < inv->file_count)
        return cli_usage(inv, "does not take a third file, '%s'",
                         inv->files[next]);
    return work(e, file[0], file[1], names, output) == T2G_OK
               ? EXIT_DONE : cli_failed(inv);
}

static int run(const command *self, int argc, char **argv)
{
    training_options o = {0};
    string_list names = {0};
    const char *output = NULL, *references = NULL;
    uint64_t replicates = 10000;
    double level = 0.95;
    option table[] = {
        RECORD_OPTIONS(o),
        {"references", OPTION_TEXT, &references, "Input",
         "a second file about the same prompts: its reference, completion or "
         "response; for agreement and rm the feedback to compare with", 0, 0,
         NULL, false},
        {"model", OPTION_TEXT, &o.model, "Input", "model of perplexity", 0, 0,
         NULL, false},
        {"tokenizer", OPTION_TEXT, &o.tokenizer, "Input",
         "agreement and rm on its tokens instead of words", 0, 0, NULL, false},
        {"metrics", OPTION_LIST, &names, "Metrics",
         "length (default); against references: rouge, bleu, match; of the "
         "texts: distinct, perplexity (--model), facts (the built-in task's "
         "checker); of records: passk (passed), winrate (verdict_ab, "
         "verdict_ba), span_effect (rewards, logprobs_before, "
         "logprobs_after); of two feedback files: agreement, rm (predicted, "
         "true)", 0, 0, NULL, false},
        {"level", OPTION_REAL, &level, "Metrics", "of intervals", 0.01, 0.9999,
         NULL, false},
        {"replicates", OPTION_COUNT, &replicates, "Metrics",
         "of the bootstrap", 100, 1 << 24, NULL, false},
        {"output", OPTION_TEXT, &output, "Output", "write JSON here", 0, 0,
         NULL, false},
        {0}};
    invocation inv;
    int status = cli_parse(&inv, self, table, argc, argv);
    if (status >= 0)
        return status;
    const char *one = "length";
    string_list fallback = {&one, 1};
    evaluation e = {.inv = &inv, .o = &o, .level = level,
                    .resampling = {.seed = inv.common.seed,
                                   .replicates = (size_t)replicates,
                                   .alpha = 1 - level}};
    cli_catch_interrupts();
    status = run_files(&e, references, names.count ? &names : &fallback,
                       output);
    cli_free(&inv);
    return status;
}

const command command_eval = {
    "eval", "metrics of responses and of feedback",
    "--data RESPONSES [--metrics LIST] [--references FILE]\n"
    "       t2g eval --metrics agreement|rm FEEDBACK FEEDBACK",
    "t2g eval --data responses.jsonl --references held_out.jsonl "
    "--metrics rouge,bleu,length", run};
