/* Two feedback files about the same responses: how far they agree, and how well
 * the first predicts the second. */
#include "eval_feedback.h"

#include <math.h>
#include <string.h>

/* --- one response --------------------------------------------------------- */

void two_critiques_free(two_critiques *c)
{
    for (int k = 0; k < SIDES; k++) {
        t2g_critique_free(&c->critique[k]);
        t2g_free(c->delta[k]);
    }
    t2g_encoding_free(&c->units);
}

/* Ranges of the words, white space between them belonging to none. */
static t2g_status cut_words(t2g_encoding *out, t2g_text text)
{
    t2g_tokens words = {0};
    t2g_status s = t2g_blank_tokens(&words, text);
    size_t at = 0;
    for (size_t i = 0; s == T2G_OK && i < words.count; i++) {
        t2g_text w = t2g_tokens_at(&words, i);
        while (memcmp(text.data + at, w.data, w.size) != 0)
            at++;
        s = t2g_encoding_add(out, 0, at, at + w.size);
        at += w.size;
    }
    t2g_tokens_free(&words);
    return s;
}

static void count_placements(two_critiques *c, int side,
                             const t2g_alignment *a)
{
    c->placements[side] = a->count;
    c->conflicts[side] = a->conflicts;
    for (size_t i = 0; i < a->count; i++) {
        c->unmatched[side] += strcmp(a->placement[i].method, "none") == 0;
        c->ambiguous[side] += a->placement[i].ambiguous;
    }
}

/* Rewards of one side; a reply that was not understood says nothing. */
static t2g_status place(two_critiques *c, int side)
{
    t2g_alignment a = {0};
    size_t n = c->units.count;
    c->delta[side] = t2g_calloc(n, sizeof *c->delta[side]);
    if (!c->delta[side])
        return T2G_ERR_MEMORY;
    if (c->critique[side].status == T2G_CRITIQUE_UNPARSED)
        return T2G_OK;
    t2g_status s = t2g_align(&a, c->response.data, c->response.size,
                             &c->critique[side], c->units.offset, n, NULL);
    if (s == T2G_OK) {
        memcpy(c->delta[side], a.delta, n * sizeof *a.delta);
        count_placements(c, side, &a);
    }
    t2g_alignment_free(&a);
    return s;
}

static t2g_status read_side(two_critiques *c, int side, const t2g_records *r,
                            size_t i)
{
    t2g_text response;
    T2G_TRY(eval_text(r, i, "response", &response));
    if (side == PREDICTED)
        c->response = response;
    else if (response.size != c->response.size ||
             memcmp(response.data, c->response.data, response.size) != 0)
        return t2g_fail(T2G_ERR_FORMAT, "%s:%zu has another response than the "
                        "first file's record", r->path, r->line[i]);
    t2g_status s = t2g_critique_from_record(&c->critique[side], r->record[i]);
    return s == T2G_OK ? s : eval_fail_at(s, r, i);
}

t2g_status two_critiques_read(two_critiques *c, const evaluation *e, size_t i,
                              const t2g_tokenizer *tok)
{
    *c = (two_critiques){0};
    T2G_TRY(read_side(c, PREDICTED, &e->data, i));
    T2G_TRY(read_side(c, TRUE_ONE, &e->other, i));
    T2G_TRY(tok ? t2g_tokenizer_encode(tok, c->response.data,
                                       c->response.size, 0, &c->units)
                : cut_words(&c->units, c->response));
    T2G_TRY(place(c, PREDICTED));
    return place(c, TRUE_ONE);
}

t2g_status need_second_file(const evaluation *e)
{
    if (e->other.count > 0)
        return T2G_OK;
    return t2g_fail(T2G_ERR_ARG, "agreement and rm compare two files of "
                    "feedback; there is one");
}

/* --- counts a response, so that responses can be resampled ---------------- */

static const char *const label_name[] = {"good", "poor"};

typedef struct pair_counts {
    double joint[T2G_CLASSES * T2G_CLASSES]; /* signs of units: i first, j */
    t2g_label_counts label;
    t2g_run_counts run[2]; /* of good, of poor units */
} pair_counts;

typedef struct feedback_set {
    pair_counts *own; /* [n] */
    double *rouge;    /* F1 of ROUGE-L, where both have a critique in words */
    size_t n, rouge_count, unparsed[SIDES], empty[SIDES];
    size_t unmatched[SIDES], ambiguous[SIDES], placements[SIDES],
        conflicts[SIDES], units;
} feedback_set;

static int sign(double x)
{
    return (x > 0) - (x < 0);
}

/* Signs of the rewards, and their runs. */
static t2g_status count_runs(pair_counts *p, const two_critiques *c)
{
    size_t n = c->units.count;
    double *x = t2g_calloc(2 * n, sizeof *x), *y = x + n;
    if (!x)
        return T2G_ERR_MEMORY;
    for (size_t t = 0; t < n; t++) {
        x[t] = sign(c->delta[PREDICTED][t]);
        y[t] = sign(c->delta[TRUE_ONE][t]);
        p->joint[(size_t)(x[t] + 1) * T2G_CLASSES + (size_t)(y[t] + 1)]++;
    }
    t2g_status s = t2g_run_count(&p->run[0], x, n, y, n, 1);
    if (s == T2G_OK)
        s = t2g_run_count(&p->run[1], x, n, y, n, -1);
    t2g_free(x);
    return s;
}

/* A pair without words on one side is in no mean. */
static t2g_status compare_words(feedback_set *s, const two_critiques *c)
{
    const t2g_critique *p = &c->critique[PREDICTED];
    const t2g_critique *r = &c->critique[TRUE_ONE];
    t2g_prf rouge[T2G_ROUGES];
    if (p->text_length == 0 || r->text_length == 0)
        return T2G_OK;
    T2G_TRY(t2g_rouge(rouge, (t2g_text){r->text, r->text_length},
                      (t2g_text){p->text, p->text_length}, true));
    s->rouge[s->rouge_count++] = rouge[T2G_ROUGE_L].f1;
    return T2G_OK;
}

static void count_sides(feedback_set *s, const two_critiques *c)
{
    s->units += c->units.count;
    for (int k = 0; k < SIDES; k++) {
        s->unparsed[k] += c->critique[k].status == T2G_CRITIQUE_UNPARSED;
        s->empty[k] += c->critique[k].status == T2G_CRITIQUE_EMPTY;
        s->unmatched[k] += c->unmatched[k];
        s->ambiguous[k] += c->ambiguous[k];
        s->placements[k] += c->placements[k];
        s->conflicts[k] += c->conflicts[k];
    }
}

static t2g_status count_pair(feedback_set *s, size_t i, const two_critiques *c)
{
    t2g_label_count(&s->own[i].label, c->delta[PREDICTED], c->delta[TRUE_ONE],
                    c->units.count);
    count_sides(s, c);
    T2G_TRY(count_runs(&s->own[i], c));
    return compare_words(s, c);
}

static t2g_status collect(feedback_set *s, const evaluation *e,
                          const t2g_tokenizer *tok)
{
    for (size_t i = 0; i < s->n; i++) {
        two_critiques c;
        t2g_status st = two_critiques_read(&c, e, i, tok);
        if (st == T2G_OK)
            st = count_pair(s, i, &c);
        two_critiques_free(&c);
        T2G_TRY(st);
    }
    return T2G_OK;
}

/* --- statistics of drawn responses ---------------------------------------- */

static double same_of(const void *data, const uint32_t *draw, size_t n)
{
    const pair_counts *own = data;
    double same = 0, all = 0;
    for (size_t i = 0; i < n; i++)
        for (int k = 0; k < T2G_CLASSES * T2G_CLASSES; k++) {
            double count = own[draw[i]].joint[k];
            same += k % (T2G_CLASSES + 1) == 0 ? count : 0;
            all += count;
        }
    return same / all;
}

static double kappa_of(const void *data, const uint32_t *draw, size_t n)
{
    const pair_counts *own = data;
    double joint[T2G_CLASSES * T2G_CLASSES] = {0};
    for (size_t i = 0; i < n; i++)
        for (int k = 0; k < T2G_CLASSES * T2G_CLASSES; k++)
            joint[k] += own[draw[i]].joint[k];
    return t2g_kappa_of_counts(joint, T2G_CLASSES, T2G_DISTANCE_NOMINAL);
}

/* Of one label over all units of the drawn responses. */
static t2g_prf label_prf(const pair_counts *own, const uint32_t *draw,
                         size_t n, int label)
{
    double hit = 0, predicted = 0, actual = 0;
    for (size_t i = 0; i < n; i++) {
        const t2g_label_counts *c = &own[draw[i]].label;
        hit += (double)c->hit[label];
        predicted += (double)c->predicted[label];
        actual += (double)c->actual[label];
    }
    return t2g_prf_of(hit, predicted, actual);
}

/* Of its spans; a hit shares at least half, or (exact) all. */
static t2g_prf span_prf(const pair_counts *own, const uint32_t *draw, size_t n,
                        int label, bool exact)
{
    double hit = 0, predicted = 0, actual = 0;
    for (size_t i = 0; i < n; i++) {
        const t2g_run_counts *c = &own[draw[i]].run[label];
        hit += (double)(exact ? c->exact : c->half);
        predicted += (double)c->predicted;
        actual += (double)c->reference;
    }
    return t2g_prf_of(hit, predicted, actual);
}

/* A score to be resampled: of units or of spans, and which part of it. */
typedef struct part_of {
    const pair_counts *own;
    int label, part;          /* 0 precision, 1 recall, 2 F1 */
    enum { UNITS, SPANS, EXACT_SPANS } of;
} part_of;

static double part_value(const void *data, const uint32_t *draw, size_t n)
{
    const part_of *p = data;
    t2g_prf s = p->of == UNITS ? label_prf(p->own, draw, n, p->label)
                               : span_prf(p->own, draw, n, p->label,
                                          p->of == EXACT_SPANS);
    return p->part == 0 ? s.precision : p->part == 1 ? s.recall : s.f1;
}

/* --- the report ----------------------------------------------------------- */

static t2g_status resampled(const evaluation *e, json_t *group,
                            const char *name, t2g_statistic_fn *statistic,
                            const void *data)
{
    t2g_bootstrap_result r = {.value = NAN};
    size_t n = e->data.count;
    return figure_resampled(group, name,
                            t2g_bootstrap(&r, NULL, statistic, data, n,
                                          &e->resampling), &r, n);
}

static t2g_status report_prf(const evaluation *e, json_t *group,
                             part_of which)
{
    static const char *const name[] = {"precision", "recall", "f1"};
    for (which.part = 0; which.part < 3; which.part++)
        T2G_TRY(resampled(e, group, name[which.part], part_value, &which));
    return T2G_OK;
}

static t2g_status report_units(const evaluation *e, json_t *group,
                               const feedback_set *s)
{
    json_object_set_new(group, e->o->tokenizer ? "tokens" : "words",
                        json_integer((json_int_t)s->units));
    T2G_TRY(resampled(e, group, "same", same_of, s->own));
    T2G_TRY(resampled(e, group, "kappa", kappa_of, s->own));
    for (int k = 0; k < 2; k++) {
        part_of which = {.own = s->own, .label = k, .of = UNITS};
        json_t *label = figure_group(group, label_name[k]);
        T2G_TRY(report_prf(e, label, which));
        which.of = SPANS;
        T2G_TRY(report_prf(e, figure_group(label, "spans_half"), which));
        which.of = EXACT_SPANS;
        T2G_TRY(report_prf(e, figure_group(label, "spans_exact"), which));
    }
    return figure_mean(e, group, "critique_rougeL", s->rouge, s->rouge_count);
}

/* What went wrong on either side. */
static t2g_status report_sides(const evaluation *e, json_t *group,
                               const feedback_set *s)
{
    static const char *const side[] = {"first", "second"};
    for (int k = 0; k < SIDES; k++) {
        json_t *own = figure_group(group, side[k]);
        T2G_TRY(figure_share(e, own, "unparsed", s->unparsed[k], s->n));
        T2G_TRY(figure_share(e, own, "empty", s->empty[k], s->n));
        if (s->placements[k]) {
            T2G_TRY(figure_share(e, own, "unmatched", s->unmatched[k],
                                 s->placements[k]));
            T2G_TRY(figure_share(e, own, "ambiguous", s->ambiguous[k],
                                 s->placements[k]));
        }
        if (s->units)
            T2G_TRY(figure_share(e, own, "conflicting", s->conflicts[k],
                                 s->units));
    }
    return T2G_OK;
}

t2g_status eval_agreement(evaluation *e, json_t *group)
{
    t2g_tokenizer *tok = NULL;
    feedback_set s = {.n = e->data.count};
    T2G_TRY(need_second_file(e));
    if (e->o->tokenizer)
        T2G_TRY(t2g_tokenizer_load(&tok, e->o->tokenizer));
    s.own = t2g_calloc(s.n, sizeof *s.own);
    s.rouge = t2g_calloc(s.n, sizeof *s.rouge);
    t2g_status st = s.own && s.rouge ? collect(&s, e, tok) : T2G_ERR_MEMORY;
    if (st == T2G_OK)
        st = report_units(e, group, &s);
    if (st == T2G_OK)
        st = report_sides(e, group, &s);
    t2g_tokenizer_free(tok);
    t2g_free(s.own);
    t2g_free(s.rouge);
    return st;
}

