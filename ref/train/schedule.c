/* Learning-rate schedules. */
#include "t2g/train.h"

static double log_warmup(double lr, uint64_t k, uint64_t warmup)
{
    uint64_t w = warmup > 2 ? warmup : 2;
    if (k >= w)
        return lr;
    return k ? lr * (t2g_log((double)k) / t2g_log((double)w)) : 0;
}

double t2g_learning_rate(t2g_schedule s, double lr, uint64_t k, uint64_t warmup,
                         uint64_t total)
{
    if (s == T2G_WARMUP_LOG)
        return log_warmup(lr, k, warmup);
    if (k < warmup)
        return lr * (double)(k + 1) / (double)warmup;
    if (s == T2G_CONSTANT)
        return lr;
    double x = 1; /* how much of the decay is done */
    if (total > warmup)
        x = (double)(k - warmup) / (double)(total - warmup);
    if (s == T2G_LINEAR)
        return x < 1 ? lr * (1 - x) : 0;
    return lr * 0.5 * (1 + t2g_cos(3.14159265358979323846 * x));
}
