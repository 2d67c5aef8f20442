/* Student's t, Wilson's interval, the sign test. */
#include <math.h>

#include "t2g/kernels.h"
#include "t2g/memory.h"
#include "t2g/statistics.h"

/* --- incomplete beta function --------------------------------------------- */

/* Its continued fraction, by Lentz's method as modified by Thompson and
 * Barnett, 1986: converges quickly for x < (a + 1) / (a + b + 2). */
static double beta_fraction(double a, double b, double x)
{
    static const double tiny = 1e-300;
    double c = 1, d = 1 - (a + b) * x / (a + 1);
    d = 1 / (fabs(d) < tiny ? tiny : d);
    double product = d;
    for (double m = 1; m < 100000; m++) {
        double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
        double odd = -(a + m) * (a + b + m) * x /
                     ((a + 2 * m) * (a + 2 * m + 1));
        double step = 1;
        for (int k = 0; k < 2; k++) {
            double term = k ? odd : even;
            d = 1 + term * d;
            c = 1 + term / c;
            d = 1 / (fabs(d) < tiny ? tiny : d);
            c = fabs(c) < tiny ? tiny : c;
            step = c * d;
            product *= step;
        }
        if (fabs(step - 1) < 1e-16)
            break;
    }
    return product;
}

/* lgamma itself keeps the sign where threads share it. */
static double log_gamma(double x)
{
    int sign;
    return lgamma_r(x, &sign);
}

double t2g_incomplete_beta(double a, double b, double x)
{
    if (x <= 0 || x >= 1)
        return x >= 1;
    double front = t2g_exp(log_gamma(a + b) - log_gamma(a) - log_gamma(b) +
                           a * t2g_log(x) + b * log1p(-x));
    if (x < (a + 1) / (a + b + 2))
        return front * beta_fraction(a, b, x) / a;
    return 1 - front * beta_fraction(b, a, 1 - x) / b;
}

/* --- quantiles ------------------------------------------------------------ */

double t2g_t_p(double t, double df)
{
    return isnan(t) ? NAN : t2g_incomplete_beta(df / 2, 0.5, df / (df + t * t));
}

static double normal_p(double z, double df)
{
    (void)df;
    return erfc(z / sqrt(2));
}

/* Where the falling tail p(x) reaches 1 - level: bisection to the last bit. */
static double quantile(double (*tail)(double x, double df), double level,
                       double df)
{
    double low = 0, high = 1;
    while (tail(high, df) > 1 - level && high < 1e300)
        high *= 2;
    for (;;) {
        double middle = low + (high - low) / 2;
        if (middle <= low || middle >= high)
            return middle;
        if (tail(middle, df) > 1 - level)
            low = middle;
        else
            high = middle;
    }
}

double t2g_t_quantile(double level, double df)
{
    return quantile(t2g_t_p, level, df);
}

double t2g_normal_quantile(double level)
{
    return quantile(normal_p, level, 0);
}

/* --- intervals ------------------------------------------------------------ */

static t2g_status check_level(double level)
{
    if (level > 0 && level < 1)
        return T2G_OK;
    return t2g_fail(T2G_ERR_ARG, "level is %g, expected a number between 0 "
                    "and 1", level);
}

t2g_status t2g_t_interval_of(t2g_t_interval *out, const double *value,
                             size_t n, double level)
{
    double sum = 0, squares = 0;
    T2G_TRY(check_level(level));
    if (n < 2)
        return t2g_fail(T2G_ERR_ARG, "a t interval of %zu values, expected at "
                        "least 2", n);
    for (size_t i = 0; i < n; i++) {
        if (!isfinite(value[i]))
            return t2g_fail(T2G_ERR_NUMERIC, "value %zu is %g", i, value[i]);
        sum += value[i];
    }
    double mean = sum / (double)n;
    for (size_t i = 0; i < n; i++)
        squares += (value[i] - mean) * (value[i] - mean);
    double sd = sqrt(squares / (double)(n - 1)), se = sd / sqrt((double)n);
    double half = t2g_t_quantile(level, (double)(n - 1)) * se;
    *out = (t2g_t_interval){mean, sd, mean - half, mean + half,
                            t2g_t_p(mean / se, (double)(n - 1))};
    return T2G_OK;
}

t2g_status t2g_ratio_interval_of(t2g_t_interval *out, const double *a,
                                 const double *b, size_t n, double level)
{
    double *logs = t2g_calloc(n, sizeof *logs);
    t2g_status s = logs ? T2G_OK : T2G_ERR_MEMORY;
    for (size_t i = 0; s == T2G_OK && i < n; i++) {
        if (!(a[i] > 0 && b[i] > 0))
            s = t2g_fail(T2G_ERR_ARG, "ratio %zu is %g / %g, expected positive "
                         "numbers", i, a[i], b[i]);
        logs[i] = s == T2G_OK ? t2g_log(a[i] / b[i]) : 0;
    }
    if (s == T2G_OK)
        s = t2g_t_interval_of(out, logs, n, level);
    if (s == T2G_OK) {
        out->mean = t2g_exp(out->mean);
        out->lo = t2g_exp(out->lo);
        out->hi = t2g_exp(out->hi);
    }
    t2g_free(logs);
    return s;
}

t2g_status t2g_wilson(double *lo, double *hi, double share, size_t n,
                      double level)
{
    T2G_TRY(check_level(level));
    if (n == 0 || !(share >= 0 && share <= 1))
        return t2g_fail(T2G_ERR_ARG, "a share of %g of %zu, expected 0 to 1 of "
                        "at least 1", share, n);
    double N = (double)n, z = t2g_normal_quantile(level), zz = z * z;
    double centre = (share + zz / (2 * N)) / (1 + zz / N);
    double half = z / (1 + zz / N) *
                  sqrt(share * (1 - share) / N + zz / (4 * N * N));
    *lo = share == 0 ? 0 : centre - half;
    *hi = share == 1 ? 1 : centre + half;
    return T2G_OK;
}

/* P(X <= k) of n fair coins is the incomplete beta function at 1/2. */
double t2g_sign_test(size_t wins, size_t losses)
{
    size_t few = wins < losses ? wins : losses, many = wins + losses - few;
    if (few == many)
        return 1;
    return fmin(1, 2 * t2g_incomplete_beta((double)many, (double)few + 1, 0.5));
}
