/* t2g eval: metrics of responses. */
#include <math.h>
#include <string.h>

#include "training.h"

/* --- the built-in task's true checker ------------------------------------- */

/* Accuracy is a ratio of sums over responses; its standard error is that of a
 * ratio estimator with responses as the sampled unit. */
typedef struct facts_score {
    t2g_facts_tally sum;
    double se;
} facts_score;

static double claims(const t2g_facts_tally *t)
{
    return (double)(t->right + t->wrong + t->missing + t->invented +
                    t->repeated);
}

static t2g_status check_all(const t2g_records *r, t2g_facts_tally *each)
{
    for (size_t i = 0; i < r->count; i++) {
        const char *prompt, *response;
        size_t prompt_n, n;
        T2G_TRY(t2g_record_string(r, i, "prompt", true, &prompt, &prompt_n));
        T2G_TRY(t2g_record_string(r, i, "response", true, &response, &n));
        t2g_status s = t2g_facts_check(prompt, prompt_n, response, n, NULL,
                                       &each[i]);
        if (s != T2G_OK)
            return t2g_fail_in(s, "%s:%zu", r->path, r->line[i]);
    }
    return T2G_OK;
}

static void add(t2g_facts_tally *to, const t2g_facts_tally *t)
{
    to->right += t->right;
    to->wrong += t->wrong;
    to->missing += t->missing;
    to->invented += t->invented;
    to->repeated += t->repeated;
    for (size_t k = 0; k < T2G_FACTS; k++) {
        to->fact_right[k] += t->fact_right[k];
        to->fact_told[k] += t->fact_told[k];
    }
}

static t2g_status score_facts(const t2g_records *r, facts_score *out)
{
    t2g_facts_tally *each = t2g_calloc(r->count, sizeof *each);
    if (!each)
        return T2G_ERR_MEMORY;
    *out = (facts_score){0};
    t2g_status s = check_all(r, each);
    for (size_t i = 0; i < r->count; i++)
        add(&out->sum, &each[i]);
    double accuracy = t2g_facts_accuracy(&out->sum), squares = 0;
    for (size_t i = 0; i < r->count; i++) {
        double d = (double)each[i].right - accuracy * claims(&each[i]);
        squares += d * d;
    }
    out->se = claims(&out->sum) > 0 ? sqrt(squares) / claims(&out->sum) : 0;
    t2g_free(each);
    return s;
}

static t2g_status facts(const t2g_records *r, json_t *out)
{
    facts_score f;
    T2G_TRY(score_facts(r, &f));
    double n = (double)r->count;
    json_t *each = json_object();
    for (size_t k = 0; k < T2G_FACTS; k++)
        json_object_set_new(each, t2g_fact_name(k),
                            json_real(f.sum.fact_told[k]
                                          ? (double)f.sum.fact_right[k] /
                                                (double)f.sum.fact_told[k]
                                          : 0));
    json_object_set_new(
        out, "facts",
        json_pack("{s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:o}", "accuracy",
                  t2g_facts_accuracy(&f.sum), "se", f.se, "right",
                  (double)f.sum.right / n, "wrong", (double)f.sum.wrong / n,
                  "missing", (double)f.sum.missing / n, "invented",
                  (double)f.sum.invented / n, "repeated",
                  (double)f.sum.repeated / n, "by_fact", each));
    return T2G_OK;
}

/* --- text ----------------------------------------------------------------- */

static t2g_status length(const t2g_records *r, json_t *out)
{
    double bytes = 0, words = 0, empty = 0, cut = 0, n = (double)r->count;
    for (size_t i = 0; i < r->count; i++) {
        const char *text;
        size_t size;
        T2G_TRY(t2g_record_string(r, i, "response", true, &text, &size));
        bool in_word = false, any = false;
        for (size_t k = 0; k < size; k++) {
            bool blank = strchr(" \t\n\r", text[k]) != NULL;
            words += !blank && !in_word;
            in_word = !blank;
            any |= !blank;
        }
        const char *why = json_string_value(
            json_object_get(r->record[i], "finish_reason"));
        bytes += (double)size;
        empty += !any;
        cut += why && strcmp(why, "length") == 0;
    }
    json_object_set_new(out, "length",
                        json_pack("{s:f, s:f, s:f, s:f}", "bytes", bytes / n,
                                  "words", words / n, "empty", empty / n,
                                  "cut", cut / n));
    return T2G_OK;
}

/* --- the command ---------------------------------------------------------- */

static const struct metric {
    const char *name;
    t2g_status (*measure)(const t2g_records *r, json_t *out);
} metrics[] = {{"length", length}, {"facts", facts}};

static t2g_status measure(const t2g_records *r, const string_list *names,
                          json_t *out)
{
    json_object_set_new(out, "responses", json_integer((json_int_t)r->count));
    for (size_t i = 0; i < names->count; i++) {
        size_t k = 0, n = sizeof metrics / sizeof *metrics;
        while (k < n && strcmp(metrics[k].name, names->item[i]) != 0)
            k++;
        if (k == n)
            return t2g_fail(T2G_ERR_ARG, "unknown metric '%s', expected length "
                            "or facts", names->item[i]);
        T2G_TRY(metrics[k].measure(r, out));
    }
    return T2G_OK;
}

static void print_table(const json_t *value, const char *path)
{
    const char *key;
    json_t *v;
    char full[256];
    json_object_foreach((json_t *)(uintptr_t)value, key, v) {
        snprintf(full, sizeof full, "%s%s%s", path, *path ? "." : "", key);
        if (json_is_object(v))
            print_table(v, full);
        else
            printf("%-24s %10.4g\n", full, json_number_value(v));
    }
}

static t2g_status work(const invocation *inv, const training_options *o,
                       const string_list *names, const char *output)
{
    t2g_records r = {0};
    json_t *out = json_object();
    t2g_status s = load_records(&r, inv, o, o->data);
    if (s == T2G_OK)
        s = measure(&r, names, out);
    if (s == T2G_OK && output)
        s = t2g_json_write(output, out);
    else if (s == T2G_OK && inv->common.json)
        json_dumpf(out, stdout, JSON_INDENT(2)), putchar('\n');
    else if (s == T2G_OK)
        print_table(out, "");
    json_decref(out);
    t2g_records_free(&r);
    return s;
}

static int run(const command *self, int argc, char **argv)
{
    training_options o = {0};
    string_list names = {0};
    const char *output = NULL;
    option table[] = {
        RECORD_OPTIONS(o),
        {"metrics", OPTION_LIST, &names, "Metrics",
         "length (default), facts (the built-in task's checker)", 0, 0, NULL,
         false},
        {"output", OPTION_TEXT, &output, "Output", "write JSON here", 0, 0,
         NULL, false},
        {0}};
    invocation inv;
    int status = cli_parse(&inv, self, table, argc, argv);
    if (status >= 0)
        return status;
    const char *one = "length";
    string_list fallback = {&one, 1};
    if (!o.data)
        status = cli_usage(&inv, "needs --data");
    else
        status = work(&inv, &o, names.count ? &names : &fallback, output) ==
                         T2G_OK ? EXIT_DONE : cli_failed(&inv);
    cli_free(&inv);
    return status;
}

const command command_eval = {
    "eval", "metrics of responses", "--data RESPONSES [--metrics LIST]",
    "t2g eval --data responses.jsonl --metrics length,facts", run};
