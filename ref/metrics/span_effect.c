/* What training did to the probability of tokens that a critique praised or
 * blamed. */
#include <math.h>
#include <stdlib.h>

#include "t2g/memory.h"
#include "t2g/statistics.h"

typedef struct tokens {
    double *d;            /* change of the log-probability */
    const double *delta;
    const uint8_t *mask;
    const size_t *response;
    size_t n;
} tokens;

static bool counts(const tokens *t, size_t i)
{
    return !t->mask || t->mask[i];
}

static int sign(double x)
{
    return (x > 0) - (x < 0);
}

static t2g_status find_changes(tokens *t, const double *before,
                               const double *after)
{
    for (size_t i = 0; i < t->n; i++) {
        if (i > 0 && t->response[i] < t->response[i - 1])
            return t2g_fail(T2G_ERR_ARG, "token %zu belongs to response %zu, "
                            "the one before it to response %zu", i,
                            t->response[i], t->response[i - 1]);
        t->d[i] = after[i] - before[i];
        if (counts(t, i) && !(isfinite(t->d[i]) && isfinite(t->delta[i])))
            return t2g_fail(T2G_ERR_NUMERIC, "token %zu changes by %g under a "
                            "reward of %g", i, t->d[i], t->delta[i]);
    }
    return T2G_OK;
}

/* --- classes -------------------------------------------------------------- */

static t2g_class_effect class_effect(const tokens *t, int class)
{
    double sum = 0, means = 0, own = 0;
    size_t count = 0, up = 0, responses = 0, own_count = 0;
    for (size_t i = 0; i < t->n; i++) {
        if (counts(t, i) && sign(t->delta[i]) == class) {
            sum += t->d[i];
            own += t->d[i];
            up += t->d[i] > 0;
            count++;
            own_count++;
        }
        bool last = i + 1 == t->n || t->response[i + 1] != t->response[i];
        if (last && own_count) {
            means += own / (double)own_count;
            responses++;
            own = 0;
            own_count = 0;
        }
    }
    if (count == 0)
        return (t2g_class_effect){0, NAN, NAN, NAN};
    return (t2g_class_effect){count, sum / (double)count,
                              means / (double)responses,
                              (double)up / (double)count};
}

static double weighted_effect(const tokens *t)
{
    double sum = 0, weight = 0;
    for (size_t i = 0; i < t->n; i++)
        if (counts(t, i)) {
            sum += t->delta[i] * t->d[i];
            weight += fabs(t->delta[i]);
        }
    return weight > 0 ? sum / weight : NAN;
}

/* --- area under the curve ------------------------------------------------- */

typedef struct scored {
    double d;
    int class;
} scored;

static int compare(const void *x, const void *y)
{
    const scored *a = x, *b = y;
    return (a->d > b->d) - (a->d < b->d);
}

/* Walks through groups of equal d, upward: each good token is above all poor
 * ones so far and ties with those of its group. */
static double area(scored *s, size_t n)
{
    double pairs = 0, poor = 0, good = 0;
    qsort(s, n, sizeof *s, compare);
    for (size_t i = 0, end; i < n; i = end) {
        double group[2] = {0, 0};
        for (end = i; end < n && s[end].d == s[i].d; end++)
            group[s[end].class > 0]++;
        pairs += group[1] * (poor + group[0] / 2);
        poor += group[0];
        good += group[1];
    }
    return pairs / (good * poor);
}

static t2g_status find_area(double *auc, const tokens *t)
{
    scored *s = t2g_calloc(t->n, sizeof *s);
    size_t n = 0;
    if (!s)
        return T2G_ERR_MEMORY;
    for (size_t i = 0; i < t->n; i++)
        if (counts(t, i) && sign(t->delta[i]) != 0)
            s[n++] = (scored){t->d[i], sign(t->delta[i])};
    *auc = area(s, n); /* 0/0 without one of the classes */
    t2g_free(s);
    return T2G_OK;
}

/* --- all of it ------------------------------------------------------------ */

static t2g_status measure(t2g_span_effect *out, const tokens *t)
{
    out->good = class_effect(t, 1);
    out->poor = class_effect(t, -1);
    out->neutral = class_effect(t, 0);
    out->contrast = out->good.mean - out->poor.mean;
    out->good_excess = out->good.mean - out->neutral.mean;
    out->poor_excess = out->poor.mean - out->neutral.mean;
    out->weighted = weighted_effect(t);
    return find_area(&out->auc, t);
}

t2g_status t2g_span_effect_of(t2g_span_effect *out, const double *before,
                              const double *after, const double *delta,
                              const uint8_t *mask, const size_t *response,
                              size_t n)
{
    tokens t = {t2g_calloc(n, sizeof *t.d), delta, mask, response, n};
    t2g_status s = t.d ? find_changes(&t, before, after) : T2G_ERR_MEMORY;
    if (s == T2G_OK)
        s = measure(out, &t);
    t2g_free(t.d);
    return s;
}
