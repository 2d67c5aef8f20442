/** Statistics of figures: bootstrap, t and Wilson intervals, steps to a target,
 * and what training moved at the tokens a critique pointed at. All in double.
 * A value that is not finite is T2G_ERR_NUMERIC, never part of a mean. */
#ifndef T2G_STATISTICS_H
#define T2G_STATISTICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "t2g/status.h"

/* --- bootstrap (Efron 1979), percentile interval -------------------------- */

typedef struct t2g_bootstrap_options {
    uint64_t seed;
    uint32_t stratum;  /* keeps resamplings of one seed apart */
    size_t replicates; /* 0: 10,000 */
    double alpha;      /* 0: 0.05; the interval covers 1 - alpha */
} t2g_bootstrap_options;

typedef struct t2g_bootstrap_result {
    double value;  /* of the data as they are */
    double lo, hi; /* sorted replicates k and B-1-k, k = floor(B alpha/2) */
    double se;     /* sample deviation of the replicates */
    double p;      /* two-sided against 0: min(1, 2 (1 + m)/(B + 1)), m the
                      smaller number of replicates <= 0 and >= 0 */
} t2g_bootstrap_result;

/** A statistic of the n drawn units (indices of data, repeats included). */
typedef double t2g_statistic_fn(const void *data, const uint32_t *draw,
                                size_t n);

/** Unit i of replicate b is below(n) number i of stream (seed, sample b, step
 * stratum, purpose BOOT) of rng.h. The unit is what was sampled: a prompt or a
 * response, never a token. replicate (may be NULL): [replicates], in order of
 * b. T2G_ERR_ARG: n is 0 or at least 2^24, alpha outside (0, 1), more than
 * 2^24 replicates. T2G_ERR_NUMERIC: the statistic of the data or of a replicate
 * is not finite. */
T2G_CHECK t2g_status t2g_bootstrap(t2g_bootstrap_result *out,
                                   double *replicate,
                                   t2g_statistic_fn *statistic,
                                   const void *data, size_t n,
                                   const t2g_bootstrap_options *options);
/** Of the mean of value [n]; of the mean difference a - b of pairs. */
T2G_CHECK t2g_status t2g_bootstrap_mean(t2g_bootstrap_result *out,
                                        double *replicate, const double *value,
                                        size_t n,
                                        const t2g_bootstrap_options *options);
T2G_CHECK t2g_status t2g_bootstrap_paired(t2g_bootstrap_result *out,
                                          double *replicate, const double *a,
                                          const double *b, size_t n,
                                          const t2g_bootstrap_options *options);
/** Of a ratio of sums, sum of top / sum of bottom: a rate whose units differ in
 * size. */
T2G_CHECK t2g_status t2g_bootstrap_ratio(t2g_bootstrap_result *out,
                                         double *replicate, const double *top,
                                         const double *bottom, size_t n,
                                         const t2g_bootstrap_options *options);

/* --- intervals and tests -------------------------------------------------- */

/** Regularised incomplete beta function I_x(a, b); a, b > 0, 0 <= x <= 1. */
double t2g_incomplete_beta(double a, double b, double x);
/** t with P(|T| <= t) = level for df degrees of freedom; 0 < level < 1,
 * df > 0. */
double t2g_t_quantile(double level, double df);
/** P(|T| >= |t|). */
double t2g_t_p(double t, double df);
/** z with P(|Z| <= z) = level. */
double t2g_normal_quantile(double level);

typedef struct t2g_t_interval {
    double mean, sd, lo, hi;
    double p; /* two-sided, mean = 0; NaN if all values are 0 */
} t2g_t_interval;
/** mean +- t(n-1) sd / sqrt(n) of independent values: seeds, or differences of
 * paired runs. T2G_ERR_ARG: n < 2 or level outside (0, 1). */
T2G_CHECK t2g_status t2g_t_interval_of(t2g_t_interval *out,
                                       const double *value, size_t n,
                                       double level);
/** The same on logarithms of a/b; mean, lo and hi as ratios, sd of logarithms,
 * p against ratio 1. T2G_ERR_ARG also: a value is not positive. */
T2G_CHECK t2g_status t2g_ratio_interval_of(t2g_t_interval *out,
                                           const double *a, const double *b,
                                           size_t n, double level);
/** Wilson's score interval of a share of n (1927); ends exact at 0 and 1.
 * T2G_ERR_ARG: n = 0, a share outside [0, 1], level outside (0, 1). */
T2G_CHECK t2g_status t2g_wilson(double *lo, double *hi, double share, size_t n,
                                double level);
/** Exact two-sided binomial test of wins and losses at 1/2; 1 if both are 0. */
double t2g_sign_test(size_t wins, size_t losses);

/* --- convergence ---------------------------------------------------------- */

typedef struct t2g_convergence_rule {
    size_t window, hold; /* 5, 3 evaluations */
    double fraction;     /* 0.95 of the baseline's rise */
} t2g_convergence_rule;

typedef struct t2g_convergence {
    double target;         /* v0 + fraction * rise of the baseline */
    int64_t step_baseline; /* first of `hold` smoothed values in a row at or */
    int64_t step_method;   /* above the target; -1: never */
    double saving;         /* 1 - method/baseline; NaN without both */
    bool baseline_learned; /* it rose at all: else there is no claim */
} t2g_convergence;

/** out[i] = mean of the last `window` values up to i, fewer at the start. */
void t2g_smooth(double *out, const double *value, size_t n, size_t window);
/** step [n]: where both curves were evaluated, the first before any update.
 * T2G_ERR_ARG: n, window or hold is 0, steps do not grow. */
T2G_CHECK t2g_status t2g_convergence_of(t2g_convergence *out,
                                        const int64_t *step,
                                        const double *baseline,
                                        const double *method, size_t n,
                                        const t2g_convergence_rule *rule);

/* --- effect at criticised spans ------------------------------------------- */

typedef struct t2g_class_effect {
    size_t tokens;
    double mean;          /* of d over tokens */
    double response_mean; /* of the responses' means */
    double up;            /* share of tokens with d > 0 */
} t2g_class_effect;

/** d = log-probability after minus before training, of the same tokens. NaN
 * where a class has no tokens. */
typedef struct t2g_span_effect {
    t2g_class_effect good, poor, neutral; /* by the sign of delta */
    double contrast;                      /* mean(good) - mean(poor) */
    double good_excess, poor_excess;      /* mean - mean(neutral) */
    double weighted;                      /* sum delta d / sum |delta| */
    double auc; /* P(d of a good token > d of a poor one), ties half */
} t2g_span_effect;

/** All [n]; mask (may be NULL): 0 leaves a token out; response: its number,
 * never falling. T2G_ERR_ARG: response falls. T2G_ERR_NUMERIC: a value of a
 * token that counts is not finite. */
T2G_CHECK t2g_status t2g_span_effect_of(t2g_span_effect *out,
                                        const double *before,
                                        const double *after,
                                        const double *delta,
                                        const uint8_t *mask,
                                        const size_t *response, size_t n);

#endif
