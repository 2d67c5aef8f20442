/* A reward model's feedback against the true one: what the scripts of [T2G]
 * report, and beside it the agreement on units and spans. */
#include <math.h>

#include "eval_feedback.h"

/* --- words and spans ------------------------------------------------------ */

typedef struct official {
    t2g_word_map_counts map;   /* summarisation: sets of words */
    t2g_word_counts word;      /* questions: place by place */
    t2g_run_counts run[2];     /* good, poor */
    t2g_prf rouge[T2G_ROUGES]; /* sums over the pairs of critiques */
    double *code[4];           /* F1 of fields, and their mean; [records] */
    size_t rouge_pairs, code_items;
} official;

/* Words with scores, and what they point into. */
typedef struct scored_words {
    json_t *list;
    t2g_word_score *word;
    size_t count;
} scored_words;

/* The words of the response with the signs of their rewards. */
static t2g_status words_of_response(scored_words *w, const two_critiques *c,
                                    int side)
{
    w->count = c->units.count;
    w->word = t2g_calloc(w->count, sizeof *w->word);
    if (!w->word)
        return T2G_ERR_MEMORY;
    for (size_t t = 0; t < w->count; t++) {
        const size_t *at = &c->units.offset[2 * t];
        double delta = c->delta[side][t];
        w->word[t] = (t2g_word_score){
            {c->response.data + at[0], at[1] - at[0]},
            (delta > 0) - (delta < 0)};
    }
    return T2G_OK;
}

/* The record's own list of words, if it has one. */
static t2g_status read_words(scored_words *w, const json_t *record,
                             const two_critiques *c, int side)
{
    *w = (scored_words){0};
    T2G_TRY(t2g_word_list(&w->list, record));
    if (json_array_size(w->list) > 0)
        return t2g_word_scores(&w->word, &w->count, w->list);
    return words_of_response(w, c, side);
}

static void scored_words_free(scored_words *w)
{
    json_decref(w->list);
    t2g_free(w->word);
}

static t2g_status count_words(official *o, const scored_words *p,
                              const scored_words *r)
{
    T2G_TRY(t2g_word_map_count(&o->map, p->word, p->count, r->word, r->count));
    t2g_word_count(&o->word, p->word, p->count, r->word, r->count);
    T2G_TRY(t2g_word_run_count(&o->run[0], p->word, p->count, r->word,
                               r->count, 1));
    return t2g_word_run_count(&o->run[1], p->word, p->count, r->word, r->count,
                              -1);
}

static t2g_status compare_words(official *o, const evaluation *e, size_t i,
                                const two_critiques *c)
{
    scored_words p, r = {0};
    t2g_status s = read_words(&p, e->data.record[i], c, PREDICTED);
    if (s == T2G_OK)
        s = read_words(&r, e->other.record[i], c, TRUE_ONE);
    if (s == T2G_OK)
        s = count_words(o, &p, &r);
    scored_words_free(&p);
    scored_words_free(&r);
    return s;
}

/* --- critiques in words, and code ----------------------------------------- */

static t2g_status compare_critiques(official *o, const two_critiques *c)
{
    const t2g_critique *p = &c->critique[PREDICTED];
    const t2g_critique *r = &c->critique[TRUE_ONE];
    t2g_prf one[T2G_ROUGES];
    if (p->text_length == 0 || r->text_length == 0)
        return T2G_OK;
    T2G_TRY(t2g_rouge(one, (t2g_text){r->text, r->text_length},
                      (t2g_text){p->text, p->text_length}, true));
    for (int k = 0; k < T2G_ROUGES; k++) {
        o->rouge[k].precision += one[k].precision;
        o->rouge[k].recall += one[k].recall;
        o->rouge[k].f1 += one[k].f1;
    }
    o->rouge_pairs++;
    return T2G_OK;
}

static const char *const code_field[] = {"wrong_code", "improvement_code",
                                         "feedback", "overall"};
enum { CODE_FIELDS = 3 };

/* Predicted snippets may be under generated_*. Records without any of the
 * fields are of another task. */
static t2g_status compare_code(official *o, const json_t *predicted,
                               const json_t *reference)
{
    if (!json_object_get(reference, "wrong_code") &&
        !json_object_get(reference, "improvement_code"))
        return T2G_OK;
    double sum = 0;
    for (int k = 0; k < CODE_FIELDS; k++) {
        char key[40];
        t2g_prf s;
        snprintf(key, sizeof key, "generated_%s", code_field[k]);
        const json_t *own = json_object_get(predicted, key);
        own = own ? own : json_object_get(predicted, code_field[k]);
        T2G_TRY(t2g_code_field_similarity(
            &s, own, json_object_get(reference, code_field[k])));
        o->code[k][o->code_items] = s.f1;
        sum += s.f1;
    }
    o->code[CODE_FIELDS][o->code_items++] = sum / CODE_FIELDS;
    return T2G_OK;
}

/* --- the report ----------------------------------------------------------- */

static void report_prf(json_t *parent, const char *name, t2g_prf s, size_t n)
{
    json_t *group = figure_group(parent, name);
    figure_set(group, "precision", s.precision, NAN, NAN, n);
    figure_set(group, "recall", s.recall, NAN, NAN, n);
    figure_set(group, "f1", s.f1, NAN, NAN, n);
}

static void report_words(json_t *group, const official *o)
{
    static const char *const name[] = {"poor", "neutral", "good", "overall"};
    json_t *sets = figure_group(group, "word_sets");
    json_t *places = figure_group(group, "word_places");
    for (int k = 0; k < T2G_CLASSES; k++)
        report_prf(sets, name[k],
                   t2g_prf_of((double)o->map.hit[k],
                              (double)o->map.predicted[k],
                              (double)o->map.actual[k]), o->map.actual[k]);
    for (int k = 0; k <= T2G_CLASSES; k++)
        report_prf(places, name[k], t2g_word_prf(&o->word, k),
                   o->word.tp[k] + o->word.fn[k]);
}

/* The official partial hits leave exact ones out, so that a perfect prediction
 * scores 0; `touched` counts both. */
static void report_spans(json_t *group, const char *name,
                         const t2g_run_counts *c)
{
    json_t *own = figure_group(group, name);
    double p = (double)c->predicted, r = (double)c->reference;
    size_t touched = c->partial + c->exact;
    report_prf(own, "partial", t2g_prf_of((double)c->partial, p, r),
               c->reference);
    report_prf(own, "exact", t2g_prf_of((double)c->exact, p, r),
               c->reference);
    report_prf(own, "touched", t2g_prf_of((double)touched, p, r),
               c->reference);
    figure_set(own, "avg_iou", touched ? c->iou / (double)touched : 0, NAN,
               NAN, touched);
}

static void report_critiques(json_t *group, const official *o)
{
    static const char *const name[] = {"rouge1", "rouge2", "rougeL",
                                       "rougeLsum"};
    double n = (double)o->rouge_pairs;
    json_t *own = figure_group(group, "critique");
    for (int k = 0; k < T2G_ROUGES && o->rouge_pairs; k++)
        report_prf(own, name[k],
                   (t2g_prf){o->rouge[k].precision / n, o->rouge[k].recall / n,
                             o->rouge[k].f1 / n}, o->rouge_pairs);
}

static t2g_status report(const evaluation *e, json_t *group, const official *o)
{
    report_words(group, o);
    json_t *spans = figure_group(group, "spans");
    report_spans(spans, "good", &o->run[0]);
    report_spans(spans, "poor", &o->run[1]);
    report_critiques(group, o);
    json_t *code = o->code_items ? figure_group(group, "code_f1") : NULL;
    for (int k = 0; code && k <= CODE_FIELDS; k++)
        T2G_TRY(figure_mean(e, code, code_field[k], o->code[k],
                            o->code_items));
    return T2G_OK;
}

static t2g_status collect(official *o, const evaluation *e)
{
    for (size_t i = 0; i < e->data.count; i++) {
        two_critiques c;
        t2g_status s = two_critiques_read(&c, e, i, NULL);
        if (s == T2G_OK)
            s = compare_words(o, e, i, &c);
        if (s == T2G_OK)
            s = compare_critiques(o, &c);
        if (s == T2G_OK)
            s = compare_code(o, e->data.record[i], e->other.record[i]);
        two_critiques_free(&c);
        T2G_TRY(s);
    }
    return T2G_OK;
}

t2g_status eval_rm(evaluation *e, json_t *group)
{
    official o = {0};
    size_t n = e->data.count;
    T2G_TRY(need_second_file(e));
    T2G_TRY(eval_agreement(e, figure_group(group, "agreement")));
    double *code = t2g_calloc((CODE_FIELDS + 1) * n, sizeof *code);
    for (int k = 0; k <= CODE_FIELDS; k++)
        o.code[k] = code + (size_t)k * n;
    t2g_status s = code ? collect(&o, e) : T2G_ERR_MEMORY;
    if (s == T2G_OK)
        s = report(e, figure_group(group, "official"), &o);
    t2g_free(code);
    return s;
}
