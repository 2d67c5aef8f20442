/* Win rates, and how far judges agree. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "t2g/metrics.h"
#include "t2g/statistics.h"

/* --- win rate ------------------------------------------------------------- */

static bool verdict(int v)
{
    return v >= -1 && v <= 1;
}

t2g_status t2g_win_rate_of(t2g_win_rate *out, const int *ab, const int *ba,
                           size_t n, double level)
{
    size_t equal = 0, first = 0, decided = 0;
    *out = (t2g_win_rate){0};
    for (size_t i = 0; i < n; i++) {
        if (!verdict(ab[i]) || !verdict(ba[i]))
            return t2g_fail(T2G_ERR_ARG, "pair %zu has verdicts %d and %d, "
                            "expected -1, 0 or 1", i, ab[i], ba[i]);
        int sum = ab[i] + ba[i];
        out->wins += sum > 0;
        out->losses += sum < 0;
        out->ties += sum == 0;
        equal += ab[i] == ba[i];
        decided += (ab[i] != 0) + (ba[i] != 0);
        first += (ab[i] > 0) + (ba[i] < 0);
    }
    if (n == 0)
        return t2g_fail(T2G_ERR_ARG, "no pair was judged");
    out->rate = ((double)out->wins + (double)out->ties / 2) / (double)n;
    out->p_sign = t2g_sign_test(out->wins, out->losses);
    out->consistent = (double)equal / (double)n;
    out->first_position = decided ? (double)first / (double)decided : 0;
    return t2g_wilson(&out->lo, &out->hi, out->rate, n, level);
}

/* --- labels --------------------------------------------------------------- */

enum { MOST_LABELS = 256 };

static int compare(const void *x, const void *y)
{
    double a = *(const double *)x, b = *(const double *)y;
    return (a > b) - (a < b);
}

/* The different values, sorted; NaN left out. */
typedef struct labels {
    double *value;
    size_t count;
} labels;

static t2g_status labels_of(labels *l, const double *a, size_t n,
                            const double *b, size_t m)
{
    double *v = t2g_calloc(n + m, sizeof *v);
    *l = (labels){v, 0};
    if (!v)
        return T2G_ERR_MEMORY;
    size_t count = 0;
    for (size_t i = 0; i < n + m; i++) {
        double x = i < n ? a[i] : b[i - n];
        if (!isnan(x))
            v[count++] = x;
    }
    qsort(v, count, sizeof *v, compare);
    for (size_t i = 0; i < count; i++)
        if (l->count == 0 || v[i] != v[l->count - 1])
            v[l->count++] = v[i];
    if (l->count <= MOST_LABELS)
        return T2G_OK;
    return t2g_fail(T2G_ERR_UNSUPPORTED, "%zu different labels, expected at "
                    "most %d", l->count, MOST_LABELS);
}

/* x is among them. */
static size_t index_of(const labels *l, double x)
{
    size_t low = 0, high = l->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (l->value[middle] < x)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* --- kappa ---------------------------------------------------------------- */

static double kappa_weight(size_t i, size_t j, t2g_distance d)
{
    double apart = i > j ? (double)(i - j) : (double)(j - i);
    switch (d) {
    case T2G_DISTANCE_LINEAR: return apart;
    case T2G_DISTANCE_QUADRATIC: return apart * apart;
    default: return i != j;
    }
}

static double row_sum(const double *count, size_t K, size_t i)
{
    double sum = 0;
    for (size_t j = 0; j < K; j++)
        sum += count[i * K + j];
    return sum;
}

static double column_sum(const double *count, size_t K, size_t j)
{
    double sum = 0;
    for (size_t i = 0; i < K; i++)
        sum += count[i * K + j];
    return sum;
}

/* Disagreement seen over disagreement expected. */
double t2g_kappa_of_counts(const double *count, size_t K, t2g_distance d)
{
    double n = 0, seen = 0, expected = 0;
    for (size_t i = 0; i < K * K; i++)
        n += count[i];
    for (size_t i = 0; i < K; i++) {
        double row = row_sum(count, K, i);
        for (size_t j = 0; row > 0 && j < K; j++) {
            double w = kappa_weight(i, j, d);
            seen += w * count[i * K + j];
            expected += w * row * column_sum(count, K, j) / n;
        }
    }
    return 1 - seen / expected;
}

static t2g_status measure_kappa(double *out, const double *a, const double *b,
                                size_t n, const labels *l, t2g_distance d)
{
    size_t K = l->count;
    double *count = t2g_calloc(K * K, sizeof *count);
    if (!count)
        return T2G_ERR_MEMORY;
    for (size_t i = 0; i < n; i++)
        count[index_of(l, a[i]) * K + index_of(l, b[i])]++;
    *out = t2g_kappa_of_counts(count, K, d);
    t2g_free(count);
    return T2G_OK;
}

t2g_status t2g_cohen_kappa(double *out, const double *a, const double *b,
                           size_t n, t2g_distance weights)
{
    labels l;
    if (weights == T2G_DISTANCE_ORDINAL || weights == T2G_DISTANCE_INTERVAL)
        return t2g_fail(T2G_ERR_ARG, "kappa has nominal, linear and quadratic "
                        "weights");
    for (size_t i = 0; i < n; i++)
        if (isnan(a[i]) || isnan(b[i]))
            return t2g_fail(T2G_ERR_NUMERIC, "label %zu is NaN", i);
    t2g_status s = labels_of(&l, a, n, b, n);
    if (s == T2G_OK)
        s = measure_kappa(out, a, b, n, &l, weights);
    t2g_free(l.value);
    return s;
}

/* --- alpha ---------------------------------------------------------------- */

/* o [K][K]: pairs of values of one unit, by different raters, over that unit's
 * values less one. own [K]: work. */
static void add_unit(double *o, double *own, const labels *l,
                     const double *rating, size_t raters, size_t units,
                     size_t unit)
{
    size_t K = l->count, values = 0;
    memset(own, 0, K * sizeof *own);
    for (size_t r = 0; r < raters; r++)
        if (!isnan(rating[r * units + unit])) {
            own[index_of(l, rating[r * units + unit])]++;
            values++;
        }
    for (size_t i = 0; values > 1 && i < K; i++)
        for (size_t j = 0; own[i] > 0 && j < K; j++)
            o[i * K + j] += own[i] * (own[j] - (i == j)) /
                            (double)(values - 1);
}

/* upto [K + 1]: how many values there are below each label. */
static double alpha_distance(const labels *l, const double *upto, size_t i,
                             size_t j, t2g_distance d)
{
    if (d == T2G_DISTANCE_NOMINAL)
        return i != j;
    double apart = l->value[i] - l->value[j];
    if (d == T2G_DISTANCE_ORDINAL) {
        size_t low = i < j ? i : j, high = i < j ? j : i;
        double ends = upto[i + 1] - upto[i] + (upto[j + 1] - upto[j]);
        apart = upto[high + 1] - upto[low] - ends / 2;
    }
    return apart * apart;
}

static double alpha_of(const double *o, double *upto, const labels *l,
                       t2g_distance d)
{
    size_t K = l->count;
    double seen = 0, expected = 0;
    for (size_t i = 0; i < K; i++) {
        double margin = 0;
        for (size_t j = 0; j < K; j++)
            margin += o[i * K + j];
        upto[i + 1] = upto[i] + margin;
    }
    for (size_t i = 0; i < K; i++)
        for (size_t j = 0; j < K; j++) {
            double apart = alpha_distance(l, upto, i, j, d);
            seen += o[i * K + j] * apart;
            expected += (upto[i + 1] - upto[i]) * (upto[j + 1] - upto[j]) *
                        apart;
        }
    return 1 - (upto[K] - 1) * seen / expected;
}

t2g_status t2g_krippendorff(double *alpha, const double *rating, size_t raters,
                            size_t units, t2g_distance distance)
{
    labels l;
    if (distance == T2G_DISTANCE_LINEAR || distance == T2G_DISTANCE_QUADRATIC)
        return t2g_fail(T2G_ERR_ARG, "alpha has nominal, ordinal and interval "
                        "distances");
    t2g_status s = labels_of(&l, rating, raters * units, NULL, 0);
    size_t K = l.count;
    double *o = s == T2G_OK ? t2g_calloc(K * K + 2 * K + 1, sizeof *o) : NULL;
    if (s == T2G_OK && !o)
        s = T2G_ERR_MEMORY;
    if (s == T2G_OK) {
        for (size_t u = 0; u < units; u++)
            add_unit(o, o + K * K, &l, rating, raters, units, u);
        *alpha = alpha_of(o, o + K * K + K, &l, distance);
    }
    t2g_free(o);
    t2g_free(l.value);
    return s;
}
