/* Metrics of reward models as the official scripts compute them: cases by the
 * name of the computation, in one file. */
#include <string.h>

#include "verify.h"

/* --- comparing ------------------------------------------------------------ */

/* Expected values are rounded to 12 decimals. */
static void compare(verifier *v, const char *field, const json_t *got,
                    const json_t *want);

static void compare_members(verifier *v, const char *field, const json_t *got,
                            const json_t *want)
{
    const char *key;
    json_t *value;
    char full[128];
    json_object_foreach((json_t *)(uintptr_t)want, key, value) {
        snprintf(full, sizeof full, "%s%s%s", field, *field ? "." : "", key);
        compare(v, full, json_object_get(got, key), value);
    }
}

static void compare_items(verifier *v, const char *field, const json_t *got,
                          const json_t *want)
{
    const json_t *value;
    size_t i;
    char full[128];
    if (json_array_size(got) != json_array_size(want))
        verify_fail(v, field, "wanted %zu items, got %zu",
                    json_array_size(want), json_array_size(got));
    json_array_foreach(want, i, value) {
        snprintf(full, sizeof full, "%s[%zu]", field, i);
        compare(v, full, json_array_get(got, i), value);
    }
}

static void compare(verifier *v, const char *field, const json_t *got,
                    const json_t *want)
{
    double g = json_number_value(got), w = json_number_value(want);
    if (json_is_object(want))
        compare_members(v, field, got, want);
    else if (json_is_array(want))
        compare_items(v, field, got, want);
    else if (json_is_number(want) && json_is_number(got))
        verify_f64(v, field, &g, &w, 1, 1e-11, 0);
    else if (json_is_string(want) && json_is_string(got))
        verify_text(v, field, json_string_value(got), json_string_length(got),
                    json_string_value(want), json_string_length(want));
    else
        verify_fail(v, field, "another type than the case has");
}

/* --- inputs --------------------------------------------------------------- */

static t2g_text text_of(const json_t *value)
{
    const char *s = json_string_value(value);
    return (t2g_text){s ? s : "", s ? json_string_length(value) : 0};
}

/* Predicted and reference words of one sample. */
typedef struct word_lists {
    t2g_word_score *predicted, *reference;
    size_t np, nr;
} word_lists;

static t2g_status read_words(word_lists *w, const json_t *sample,
                             const char *predicted, const char *reference)
{
    *w = (word_lists){0};
    T2G_TRY(t2g_word_scores(&w->predicted, &w->np,
                            json_object_get(sample, predicted)));
    return t2g_word_scores(&w->reference, &w->nr,
                           json_object_get(sample, reference));
}

static void words_free(word_lists *w)
{
    t2g_free(w->predicted);
    t2g_free(w->reference);
}

/* --- computations: their results, shaped as the cases have them ----------- */

typedef t2g_status compute_fn(json_t *out, const json_t *one);

static json_t *prf_json(t2g_prf s)
{
    return json_pack("{s:f, s:f, s:f}", "precision", s.precision, "recall",
                     s.recall, "f1", s.f1);
}

static t2g_status word_maps(json_t *out, const json_t *one)
{
    static const char *const names[] = {"-1", "0", "1"};
    t2g_word_map_counts c = {0};
    const json_t *sample;
    size_t i;
    json_array_foreach(json_object_get(one, "samples"), i, sample) {
        word_lists w;
        t2g_status s = read_words(&w, sample, "predicted_word_scores",
                                  "standard_word_scores");
        if (s == T2G_OK)
            s = t2g_word_map_count(&c, w.predicted, w.np, w.reference, w.nr);
        words_free(&w);
        T2G_TRY(s);
    }
    json_t *each = json_object();
    for (int k = 0; k < T2G_CLASSES; k++) {
        json_t *o = prf_json(t2g_prf_of((double)c.hit[k],
                                        (double)c.predicted[k],
                                        (double)c.actual[k]));
        json_object_set_new(o, "true_positives",
                            json_integer((json_int_t)c.hit[k]));
        json_object_set_new(o, "predicted_positives",
                            json_integer((json_int_t)c.predicted[k]));
        json_object_set_new(o, "actual_positives",
                            json_integer((json_int_t)c.actual[k]));
        json_object_set_new(each, names[k], o);
    }
    json_object_set_new(out, "score_specific", each);
    json_object_set_new(
        out, "word_matching",
        json_pack("{s:I, s:I, s:I, s:I}", "total_std_words",
                  (json_int_t)c.reference_words, "total_pred_words",
                  (json_int_t)c.predicted_words, "missing_words",
                  (json_int_t)c.missing, "matching_words",
                  (json_int_t)c.common));
    return T2G_OK;
}

static t2g_status reference_list(json_t *out, const json_t *one)
{
    json_t *list;
    T2G_TRY(t2g_word_list(&list, json_object_get(one, "record")));
    json_object_set_new(out, "returns", list);
    return T2G_OK;
}

static t2g_status words(json_t *out, const json_t *one)
{
    static const char *const names[] = {"negative", "neutral", "positive",
                                        "overall"};
    t2g_word_counts c = {0};
    word_lists w;
    t2g_status s = read_words(&w, one, "extracted", "reference");
    if (s == T2G_OK)
        t2g_word_count(&c, w.predicted, w.np, w.reference, w.nr);
    for (int k = 0; s == T2G_OK && k <= T2G_CLASSES; k++) {
        json_t *o = prf_json(t2g_word_prf(&c, k));
        json_object_set_new(o, "tp", json_integer((json_int_t)c.tp[k]));
        json_object_set_new(o, "fp", json_integer((json_int_t)c.fp[k]));
        json_object_set_new(o, "fn", json_integer((json_int_t)c.fn[k]));
        json_object_set_new(out, names[k], o);
    }
    words_free(&w);
    return s;
}

static json_t *runs_json(const t2g_run_counts *c)
{
    double p = (double)c->predicted, r = (double)c->reference;
    t2g_prf partial = t2g_prf_of((double)c->partial, p, r);
    t2g_prf exact = t2g_prf_of((double)c->exact, p, r);
    size_t touched = c->partial + c->exact;
    return json_pack(
        "{s:I, s:I, s:I, s:I, s:f, s:f, s:f, s:f, s:f, s:f, s:f}", "gt_count",
        (json_int_t)c->reference, "ex_count", (json_int_t)c->predicted,
        "exact_match", (json_int_t)c->exact, "partial_match",
        (json_int_t)c->partial, "avg_iou",
        touched ? c->iou / (double)touched : 0, "precision",
        partial.precision, "recall", partial.recall, "f1", partial.f1,
        "exact_precision", exact.precision, "exact_recall", exact.recall,
        "exact_f1", exact.f1);
}

static t2g_status spans(json_t *out, const json_t *one)
{
    static const char *const names[] = {"good_span", "poor_span"};
    word_lists w;
    t2g_status s = read_words(&w, one, "extracted", "reference");
    for (int k = 0; s == T2G_OK && k < 2; k++) {
        t2g_run_counts c = {0};
        s = t2g_word_run_count(&c, w.predicted, w.np, w.reference, w.nr,
                               k ? -1 : 1);
        json_object_set_new(out, names[k], runs_json(&c));
    }
    words_free(&w);
    return s;
}

static t2g_status code(json_t *out, const json_t *one)
{
    t2g_prf s;
    T2G_TRY(t2g_code_field_similarity(&s, json_object_get(one, "generated"),
                                      json_object_get(one, "reference")));
    json_object_set_new(out, "scores",
                        json_pack("[f, f, f]", s.precision, s.recall, s.f1));
    return T2G_OK;
}

enum { CODE_FIELDS = 3 };
static const char *const code_field[] = {"wrong_code", "improvement_code",
                                         "feedback", "overall"};

static void add(t2g_prf *sum, const t2g_prf *s, double share)
{
    sum->precision += share * s->precision;
    sum->recall += share * s->recall;
    sum->f1 += share * s->f1; /* averaged, not computed again */
}

static t2g_status code_dataset(json_t *out, const json_t *one)
{
    const json_t *items = json_object_get(one, "items"), *item;
    t2g_prf sum[CODE_FIELDS + 1] = {{0}}, s;
    double n = (double)json_array_size(items);
    size_t i;
    json_array_foreach(items, i, item)
        for (int k = 0; k < CODE_FIELDS; k++) {
            char generated[64];
            snprintf(generated, sizeof generated, "generated_%s",
                     code_field[k]);
            T2G_TRY(t2g_code_field_similarity(
                &s, json_object_get(item, generated),
                json_object_get(item, code_field[k])));
            add(&sum[k], &s, 1 / n);
            add(&sum[CODE_FIELDS], &s, 1 / (n * CODE_FIELDS));
        }
    for (int k = 0; k <= CODE_FIELDS; k++)
        json_object_set_new(out, code_field[k], prf_json(sum[k]));
    json_object_set_new(out, "samples",
                        json_integer((json_int_t)json_array_size(items)));
    return T2G_OK;
}

static t2g_status critique_rouge(json_t *out, const json_t *one)
{
    static const char *const names[] = {"rouge1", "rouge2", "rougeL"};
    t2g_prf s[T2G_ROUGES];
    T2G_TRY(t2g_rouge(s, text_of(json_object_get(one, "reference")),
                      text_of(json_object_get(one, "candidate")), true));
    for (int k = 0; k < 3; k++)
        json_object_set_new(
            out, names[k],
            json_pack("{s:f, s:f, s:f}", "precision", s[k].precision, "recall",
                      s[k].recall, "fmeasure", s[k].f1));
    return T2G_OK;
}

/* --- cases ---------------------------------------------------------------- */

static const struct {
    const char *name;
    compute_fn *compute;
    const char *only; /* the expectation is this member of the result */
} parts[] = {{"slf5k_overall", word_maps, NULL},
             {"slf5k_reference_lists", reference_list, NULL},
             {"qa_words", words, NULL},
             {"qa_spans", spans, NULL},
             {"code_similarity", code, "scores"},
             {"code_dataset", code_dataset, NULL},
             {"rouge", critique_rouge, NULL}};

static void run_case(verifier *v, size_t part, const json_t *one)
{
    json_t *out = json_object(), *got = out;
    if (parts[part].compute(out, one) != T2G_OK)
        verify_fail(v, parts[part].name, "%s", t2g_error_message());
    else {
        if (parts[part].only)
            got = json_object_get(out, parts[part].only);
        compare(v, "", got, json_object_get(one, "expect"));
    }
    json_decref(out);
}

void verify_rm_metrics(verifier *v, const char *path, const json_t *root)
{
    for (size_t k = 0; k < sizeof parts / sizeof *parts; k++) {
        const json_t *one;
        size_t i;
        json_array_foreach(json_object_get(root, parts[k].name), i, one) {
            char id[64];
            snprintf(id, sizeof id, "%s-%zu", parts[k].name, i);
            if (verify_begin(v, path, id)) {
                run_case(v, k, one);
                verify_end(v);
            }
        }
    }
}
