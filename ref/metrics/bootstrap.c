/* Bootstrap by counted draws. Efron, Bootstrap methods: another look at the
 * jackknife, 1979; percentile interval. */
#include "t2g/statistics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "t2g/memory.h"
#include "t2g/rng.h"

static const size_t most_units = (1 << 24) - 1, most_replicates = 1 << 24;

/* --- replicates ----------------------------------------------------------- */

static t2g_status check_options(const t2g_bootstrap_options *o, size_t n)
{
    if (n == 0 || n > most_units)
        return t2g_fail(T2G_ERR_ARG, "a bootstrap of %zu units, expected 1 to "
                        "%zu", n, most_units);
    if (!(o->alpha > 0 && o->alpha < 1))
        return t2g_fail(T2G_ERR_ARG, "alpha is %g, expected a number between "
                        "0 and 1", o->alpha);
    if (o->replicates > most_replicates)
        return t2g_fail(T2G_ERR_ARG, "%zu replicates, expected at most %zu",
                        o->replicates, most_replicates);
    return T2G_OK;
}

/* Numbers 0 .. n-1 of a stream, below n: t2g_random_below with each block made
 * once. */
static void draw_units(uint32_t *draw, size_t n, const t2g_stream *s)
{
    const uint32_t key[2] = {(uint32_t)s->seed, (uint32_t)(s->seed >> 32)};
    uint32_t word[4];
    for (size_t i = 0; i < n; i++) {
        const uint32_t counter[4] = {(uint32_t)(i / 4), s->sample, s->step,
                                     s->purpose};
        if (i % 4 == 0)
            t2g_philox(word, counter, key);
        draw[i] = (uint32_t)((uint64_t)word[i % 4] * n >> 32);
    }
}

/* The statistic of the units as they are, and of each replicate. */
static t2g_status run(double *value, double *replicate, uint32_t *draw,
                      t2g_statistic_fn *statistic, const void *data, size_t n,
                      const t2g_bootstrap_options *o)
{
    for (size_t i = 0; i < n; i++)
        draw[i] = (uint32_t)i;
    *value = statistic(data, draw, n);
    if (!isfinite(*value))
        return t2g_fail(T2G_ERR_NUMERIC, "the statistic to be resampled is %g",
                        *value);
    for (size_t b = 0; b < o->replicates; b++) {
        t2g_stream s = {o->seed, (uint32_t)b, o->stratum, T2G_RNG_BOOT};
        draw_units(draw, n, &s);
        replicate[b] = statistic(data, draw, n);
        if (!isfinite(replicate[b]))
            return t2g_fail(T2G_ERR_NUMERIC, "the statistic of bootstrap "
                            "replicate %zu is %g: too few units", b,
                            replicate[b]);
    }
    return T2G_OK;
}

/* --- what they say -------------------------------------------------------- */

static int compare(const void *x, const void *y)
{
    double a = *(const double *)x, b = *(const double *)y;
    return (a > b) - (a < b);
}

static double deviation(const double *x, size_t n)
{
    double mean = 0, sum = 0;
    for (size_t i = 0; i < n; i++)
        mean += x[i];
    mean /= (double)n;
    for (size_t i = 0; i < n; i++)
        sum += (x[i] - mean) * (x[i] - mean);
    return n > 1 ? sqrt(sum / (double)(n - 1)) : 0;
}

static double p_of(const double *x, size_t n)
{
    size_t below = 0, above = 0;
    for (size_t i = 0; i < n; i++) {
        below += x[i] <= 0;
        above += x[i] >= 0;
    }
    size_t least = below < above ? below : above;
    return fmin(1, 2 * (1 + (double)least) / ((double)n + 1));
}

/* sorted [n]: a copy of x, to be sorted. */
static void summarise(t2g_bootstrap_result *out, const double *x,
                      double *sorted, size_t n, double alpha)
{
    out->se = deviation(x, n);
    out->p = p_of(x, n);
    memcpy(sorted, x, n * sizeof *x);
    qsort(sorted, n, sizeof *sorted, compare);
    size_t k = (size_t)floor((double)n * alpha / 2);
    out->lo = sorted[k];
    out->hi = sorted[n - 1 - k];
}

t2g_status t2g_bootstrap(t2g_bootstrap_result *out, double *replicate,
                         t2g_statistic_fn *statistic, const void *data,
                         size_t n, const t2g_bootstrap_options *options)
{
    t2g_bootstrap_options o = *options;
    o.replicates = o.replicates ? o.replicates : 10000;
    o.alpha = o.alpha != 0 ? o.alpha : 0.05;
    T2G_TRY(check_options(&o, n));
    uint32_t *draw = t2g_calloc(n, sizeof *draw);
    double *work = t2g_calloc(2 * o.replicates, sizeof *work);
    double *x = replicate ? replicate : work;
    t2g_status s = T2G_ERR_MEMORY;
    if (draw && work)
        s = run(&out->value, x, draw, statistic, data, n, &o);
    if (s == T2G_OK)
        summarise(out, x, work + o.replicates, o.replicates, o.alpha);
    t2g_free(draw);
    t2g_free(work);
    return s;
}

/* --- means ---------------------------------------------------------------- */

typedef struct two_columns {
    const double *a, *b;
} two_columns;

static double mean_of(const void *data, const uint32_t *draw, size_t n)
{
    const double *value = data;
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += value[draw[i]];
    return sum / (double)n;
}

static double mean_difference(const void *data, const uint32_t *draw, size_t n)
{
    const two_columns *c = data;
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += c->a[draw[i]] - c->b[draw[i]];
    return sum / (double)n;
}

static double ratio_of_sums(const void *data, const uint32_t *draw, size_t n)
{
    const two_columns *c = data;
    double top = 0, bottom = 0;
    for (size_t i = 0; i < n; i++) {
        top += c->a[draw[i]];
        bottom += c->b[draw[i]];
    }
    return bottom != 0 ? top / bottom : 0;
}

t2g_status t2g_bootstrap_mean(t2g_bootstrap_result *out, double *replicate,
                              const double *value, size_t n,
                              const t2g_bootstrap_options *options)
{
    return t2g_bootstrap(out, replicate, mean_of, value, n, options);
}

t2g_status t2g_bootstrap_paired(t2g_bootstrap_result *out, double *replicate,
                                const double *a, const double *b, size_t n,
                                const t2g_bootstrap_options *options)
{
    two_columns c = {a, b};
    return t2g_bootstrap(out, replicate, mean_difference, &c, n, options);
}

t2g_status t2g_bootstrap_ratio(t2g_bootstrap_result *out, double *replicate,
                               const double *top, const double *bottom,
                               size_t n, const t2g_bootstrap_options *options)
{
    two_columns c = {top, bottom};
    return t2g_bootstrap(out, replicate, ratio_of_sums, &c, n, options);
}
