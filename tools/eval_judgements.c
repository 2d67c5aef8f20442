/* Metrics of what records say about their responses: tests passed, verdicts,
 * log-probabilities before and after training. */
#include <math.h>
#include <string.h>

#include "eval.h"

/* --- pass@k --------------------------------------------------------------- */

/* Samples of one prompt, right ones among them. */
typedef struct problem {
    size_t n, c;
} problem;

/* problem [records]: those with equal prompts are one. */
static t2g_status collect(const t2g_records *r, problem *p, size_t *count)
{
    json_t *number = json_object();
    t2g_status s = T2G_OK;
    *count = 0;
    for (size_t i = 0; s == T2G_OK && i < r->count; i++) {
        const json_t *passed = json_object_get(r->record[i], "passed");
        t2g_text prompt;
        s = eval_text(r, i, "prompt", &prompt);
        if (s == T2G_OK && !json_is_boolean(passed))
            s = t2g_fail(T2G_ERR_FORMAT, "%s:%zu: no 'passed' that is true or "
                         "false", r->path, r->line[i]);
        if (s != T2G_OK)
            break;
        const json_t *known = json_object_get(number, prompt.data);
        size_t k = known ? (size_t)json_integer_value(known) : (*count)++;
        if (!known)
            json_object_set_new(number, prompt.data,
                                json_integer((json_int_t)k));
        p[k].n++;
        p[k].c += json_is_true(passed);
    }
    json_decref(number);
    return s;
}

t2g_status eval_passk(evaluation *e, json_t *group)
{
    static const size_t ks[] = {1, 5, 10, 100};
    size_t count = 0, fewest = SIZE_MAX;
    problem *p = t2g_calloc(e->data.count, sizeof *p);
    double *x = t2g_calloc(e->data.count, sizeof *x);
    t2g_status s = p && x ? collect(&e->data, p, &count) : T2G_ERR_MEMORY;
    for (size_t i = 0; i < count; i++)
        fewest = p[i].n < fewest ? p[i].n : fewest;
    for (size_t j = 0; j < sizeof ks / sizeof *ks; j++) {
        char name[16];
        if (s != T2G_OK || ks[j] > fewest)
            break;
        for (size_t i = 0; i < count; i++)
            x[i] = t2g_pass_at_k(p[i].n, p[i].c, ks[j]);
        snprintf(name, sizeof name, "pass@%zu", ks[j]);
        s = figure_mean(e, group, name, x, count);
    }
    t2g_free(p);
    t2g_free(x);
    return s;
}

/* --- win rate ------------------------------------------------------------- */

static t2g_status read_verdict(const t2g_records *r, size_t i, const char *key,
                               int *out)
{
    const json_t *v = json_object_get(r->record[i], key);
    json_int_t x = json_is_integer(v) ? json_integer_value(v) : 2;
    if (x < -1 || x > 1)
        return t2g_fail(T2G_ERR_FORMAT, "%s:%zu: no '%s' of -1, 0 or 1",
                        r->path, r->line[i], key);
    *out = (int)x;
    return T2G_OK;
}

static t2g_status report_wins(const evaluation *e, json_t *group, int *ab,
                              int *ba)
{
    size_t n = e->data.count;
    t2g_win_rate w;
    for (size_t i = 0; i < n; i++) {
        T2G_TRY(read_verdict(&e->data, i, "verdict_ab", &ab[i]));
        T2G_TRY(read_verdict(&e->data, i, "verdict_ba", &ba[i]));
    }
    T2G_TRY(t2g_win_rate_of(&w, ab, ba, n, e->level));
    figure_set(group, "rate", w.rate, w.lo, w.hi, n);
    json_object_set_new(group, "wins", json_integer((json_int_t)w.wins));
    json_object_set_new(group, "losses", json_integer((json_int_t)w.losses));
    json_object_set_new(group, "ties", json_integer((json_int_t)w.ties));
    json_object_set_new(group, "p_sign", json_real(w.p_sign));
    json_object_set_new(group, "consistent", json_real(w.consistent));
    json_object_set_new(group, "first_position", json_real(w.first_position));
    return T2G_OK;
}

t2g_status eval_winrate(evaluation *e, json_t *group)
{
    int *verdict = t2g_calloc(2 * e->data.count, sizeof *verdict);
    t2g_status s = T2G_ERR_MEMORY;
    if (verdict)
        s = report_wins(e, group, verdict, verdict + e->data.count);
    t2g_free(verdict);
    return s;
}

/* --- effect at criticised spans ------------------------------------------- */

enum { BEFORE, AFTER, DELTA, COLUMNS };
static const char *const column_key[] = {"logprobs_before", "logprobs_after",
                                         "rewards"};

/* All tokens of all responses; of each response, sums and counts of the change
 * of good and poor tokens. */
typedef struct effect_set {
    double *column[COLUMNS];
    size_t *response, tokens;
    struct class_sums { double sum[2], count[2]; } *own;
} effect_set;

static t2g_status count_tokens(const t2g_records *r, size_t *tokens)
{
    *tokens = 0;
    for (size_t i = 0; i < r->count; i++) {
        size_t n = json_array_size(json_object_get(r->record[i], "rewards"));
        for (int k = 0; k < COLUMNS; k++) {
            const json_t *list = json_object_get(r->record[i], column_key[k]);
            if (!json_is_array(list) || json_array_size(list) != n)
                return t2g_fail(T2G_ERR_FORMAT, "%s:%zu: no list '%s' of %zu "
                                "numbers", r->path, r->line[i], column_key[k],
                                n);
        }
        *tokens += n;
    }
    return T2G_OK;
}

static t2g_status read_effects(effect_set *s, const t2g_records *r)
{
    size_t at = 0;
    for (size_t i = 0; i < r->count; i++) {
        size_t n = json_array_size(json_object_get(r->record[i], "rewards"));
        for (size_t t = 0; t < n; t++, at++) {
            for (int k = 0; k < COLUMNS; k++) {
                const json_t *x = json_array_get(
                    json_object_get(r->record[i], column_key[k]), t);
                if (!json_is_number(x))
                    return t2g_fail(T2G_ERR_FORMAT, "%s:%zu: '%s' %zu is no "
                                    "number", r->path, r->line[i],
                                    column_key[k], t);
                s->column[k][at] = json_number_value(x);
            }
            s->response[at] = i;
        }
    }
    return T2G_OK;
}

static void sum_classes(effect_set *s)
{
    for (size_t t = 0; t < s->tokens; t++) {
        double delta = s->column[DELTA][t];
        if (delta == 0)
            continue;
        struct class_sums *own = &s->own[s->response[t]];
        own->sum[delta > 0] += s->column[AFTER][t] - s->column[BEFORE][t];
        own->count[delta > 0]++;
    }
}

static double contrast_of(const void *data, const uint32_t *draw, size_t n)
{
    const struct class_sums *own = data;
    double sum[2] = {0}, count[2] = {0};
    for (size_t i = 0; i < n; i++)
        for (int k = 0; k < 2; k++) {
            sum[k] += own[draw[i]].sum[k];
            count[k] += own[draw[i]].count[k];
        }
    return sum[1] / count[1] - sum[0] / count[0];
}

static void figure_class(json_t *group, const char *name,
                         const t2g_class_effect *c)
{
    json_t *own = figure_group(group, name);
    figure_set(own, "mean", c->mean, NAN, NAN, c->tokens);
    figure_set(own, "response_mean", c->response_mean, NAN, NAN, c->tokens);
    figure_set(own, "up", c->up, NAN, NAN, c->tokens);
}

static t2g_status report_effect(const evaluation *e, json_t *group,
                                effect_set *s)
{
    t2g_span_effect f;
    size_t n = e->data.count;
    T2G_TRY(t2g_span_effect_of(&f, s->column[BEFORE], s->column[AFTER],
                               s->column[DELTA], NULL, s->response,
                               s->tokens));
    sum_classes(s);
    t2g_bootstrap_result r = {.value = f.contrast};
    T2G_TRY(figure_resampled(group, "contrast",
                             t2g_bootstrap(&r, NULL, contrast_of, s->own, n,
                                           &e->resampling), &r, n));
    figure_set(group, "good_excess", f.good_excess, NAN, NAN, n);
    figure_set(group, "poor_excess", f.poor_excess, NAN, NAN, n);
    figure_set(group, "weighted", f.weighted, NAN, NAN, n);
    figure_set(group, "auc", f.auc, NAN, NAN, n);
    figure_class(group, "good", &f.good);
    figure_class(group, "poor", &f.poor);
    figure_class(group, "neutral", &f.neutral);
    return T2G_OK;
}

t2g_status eval_span_effect(evaluation *e, json_t *group)
{
    effect_set s = {0};
    T2G_TRY(count_tokens(&e->data, &s.tokens));
    double *x = t2g_calloc(COLUMNS * s.tokens, sizeof *x);
    for (int k = 0; k < COLUMNS; k++)
        s.column[k] = x + (size_t)k * s.tokens;
    s.response = t2g_calloc(s.tokens, sizeof *s.response);
    s.own = t2g_calloc(e->data.count, sizeof *s.own);
    t2g_status st = T2G_ERR_MEMORY;
    if (x && s.response && s.own)
        st = read_effects(&s, &e->data);
    if (st == T2G_OK)
        st = report_effect(e, group, &s);
    t2g_free(x);
    t2g_free(s.response);
    t2g_free(s.own);
    return st;
}
