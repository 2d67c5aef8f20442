/* Means and variances under a mask, and whitening. */
#include <math.h>

#include "t2g/ppo.h"

static bool in(const uint8_t *mask, size_t i)
{
    return !mask || mask[i];
}

static size_t count(const uint8_t *mask, size_t n)
{
    size_t N = 0;
    for (size_t i = 0; i < n; i++)
        N += in(mask, i);
    return N;
}

double t2g_masked_mean(const float *x, const uint8_t *mask, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        if (in(mask, i))
            sum += x[i];
    return sum / (double)count(mask, n);
}

double t2g_masked_variance(const float *x, const uint8_t *mask, size_t n,
                           bool unbiased)
{
    size_t N = count(mask, n);
    if (N <= 1)
        return 0;
    double mean = t2g_masked_mean(x, mask, n), sum = 0;
    for (size_t i = 0; i < n; i++)
        if (in(mask, i))
            sum += ((double)x[i] - mean) * ((double)x[i] - mean);
    return sum / (double)(unbiased ? N - 1 : N);
}

static double mean_square(const float *x, const uint8_t *mask, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        if (in(mask, i))
            sum += (double)x[i] * (double)x[i];
    return sum / (double)count(mask, n);
}

void t2g_whiten(float *x, const uint8_t *mask, size_t n, t2g_whitening mode)
{
    if (mode == T2G_WHITEN_NONE)
        return;
    bool scale_only = mode == T2G_WHITEN_SCALE;
    double mean = scale_only ? 0 : t2g_masked_mean(x, mask, n);
    double square = scale_only ? mean_square(x, mask, n)
                               : t2g_masked_variance(x, mask, n, true);
    double factor = 1 / sqrt(square + 1e-8);
    double shift = mode == T2G_WHITEN_KEEP_MEAN ? mean : 0;
    for (size_t i = 0; i < n; i++)
        x[i] = in(mask, i) ? (float)(((double)x[i] - mean) * factor + shift)
                           : 0;
}
