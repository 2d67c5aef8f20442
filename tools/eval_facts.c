/* The built-in task's true checker. */
#include <math.h>
#include <stddef.h>

#include "eval.h"

static double claims(const t2g_facts_tally *t)
{
    return (double)(t->right + t->wrong + t->missing + t->invented +
                    t->repeated);
}

static t2g_status check_all(const t2g_records *r, t2g_facts_tally *each)
{
    for (size_t i = 0; i < r->count; i++) {
        t2g_text prompt, response;
        T2G_TRY(eval_text(r, i, "prompt", &prompt));
        T2G_TRY(eval_text(r, i, "response", &response));
        t2g_status s = t2g_facts_check(prompt.data, prompt.size,
                                       response.data, response.size, NULL,
                                       &each[i]);
        if (s != T2G_OK)
            return eval_fail_at(s, r, i);
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

/* Accuracy is a ratio of sums over responses; its standard error is that of a
 * ratio estimator with responses as the sampled unit. */
static double standard_error(const t2g_facts_tally *each, size_t n,
                             const t2g_facts_tally *sum)
{
    double accuracy = t2g_facts_accuracy(sum), squares = 0;
    for (size_t i = 0; i < n; i++) {
        double d = (double)each[i].right - accuracy * claims(&each[i]);
        squares += d * d;
    }
    return claims(sum) > 0 ? sqrt(squares) / claims(sum) : 0;
}

/* Facts of this kind a response. */
static t2g_status figure_count(const evaluation *e, json_t *group,
                               const char *name, const t2g_facts_tally *each,
                               size_t member, double *work)
{
    for (size_t i = 0; i < e->data.count; i++)
        work[i] = (double)*(const size_t *)((const char *)&each[i] + member);
    return figure_mean(e, group, name, work, e->data.count);
}

static t2g_status report(const evaluation *e, json_t *group,
                         const t2g_facts_tally *each,
                         const t2g_facts_tally *sum, double *work)
{
    static const struct { const char *name; size_t member; } counts[] = {
        {"right", offsetof(t2g_facts_tally, right)},
        {"wrong", offsetof(t2g_facts_tally, wrong)},
        {"missing", offsetof(t2g_facts_tally, missing)},
        {"invented", offsetof(t2g_facts_tally, invented)},
        {"repeated", offsetof(t2g_facts_tally, repeated)}};
    size_t n = e->data.count;
    for (size_t i = 0; i < n; i++) {
        work[i] = (double)each[i].right;
        work[n + i] = claims(&each[i]);
    }
    T2G_TRY(figure_ratio(e, group, "accuracy", work, work + n, n));
    json_object_set_new(group, "se", json_real(standard_error(each, n, sum)));
    for (size_t k = 0; k < sizeof counts / sizeof *counts; k++)
        T2G_TRY(figure_count(e, group, counts[k].name, each, counts[k].member,
                             work));
    json_t *by_fact = figure_group(group, "by_fact");
    for (size_t k = 0; k < T2G_FACTS; k++)
        if (sum->fact_told[k])
            T2G_TRY(figure_share(e, by_fact, t2g_fact_name(k),
                                 sum->fact_right[k], sum->fact_told[k]));
    return T2G_OK;
}

t2g_status eval_facts(evaluation *e, json_t *group)
{
    size_t n = e->data.count;
    t2g_facts_tally *each = t2g_calloc(n, sizeof *each), sum = {0};
    double *work = t2g_calloc(2 * n, sizeof *work);
    t2g_status s = each && work ? check_all(&e->data, each) : T2G_ERR_MEMORY;
    for (size_t i = 0; s == T2G_OK && i < n; i++)
        add(&sum, &each[i]);
    if (s == T2G_OK)
        s = report(e, group, each, &sum, work);
    t2g_free(each);
    t2g_free(work);
    return s;
}
