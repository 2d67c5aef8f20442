/* What steers a run from step to step: the KL coefficient [Ziegler 2019,
 * section 2.2, with proportional error clipped], running moments of scores,
 * early stop. */
#include <math.h>

#include "t2g/ppo.h"

void t2g_kl_controller_update(t2g_kl_controller *c, double kl, double n)
{
    if (!c->adaptive)
        return;
    double error = kl / c->target - 1;
    error = error < -0.2 ? -0.2 : error > 0.2 ? 0.2 : error;
    c->coef *= 1 + error * n / c->horizon;
}

bool t2g_early_stop(double policykl, double target)
{
    return policykl > 1.5 * target;
}

/* Two sets of moments become one [Chan, Golub, LeVeque 1979]. */
void t2g_running_moments_update(t2g_running_moments *m, const float *x,
                                size_t n, double *batch_mean,
                                double *batch_std)
{
    *batch_mean = t2g_masked_mean(x, NULL, n);
    *batch_std = n > 1 ? sqrt(t2g_masked_variance(x, NULL, n, true)) : NAN;
    if (n == 0)
        return;
    double k = (double)n, total = m->count + k, d = *batch_mean - m->mean;
    double var = t2g_masked_variance(x, NULL, n, false);
    m->mean += d * k / total;
    m->var = (var * k + m->var * m->count + d * d * m->count * k / total) /
             total;
    m->std = sqrt(m->var * total / (total - 1));
    m->count = total;
}

static float scaled(float x, const t2g_running_moments *m, bool normalise)
{
    static const double eps = 0x1p-23; /* float's */
    double shift = normalise ? m->mean : 0;
    return (float)(((double)x - shift) / (m->std + eps));
}

void t2g_scale_scores(float *score, size_t n, t2g_running_moments *m,
                      const t2g_score_scaling *c)
{
    double mean, std;
    t2g_running_moments_update(m, score, n, &mean, &std);
    for (size_t i = 0; i < n; i++) {
        float x = c->scale ? scaled(score[i], m, c->normalise) : score[i];
        if (c->clip > 0)
            x = x < -c->clip ? -c->clip : x > c->clip ? c->clip : x;
        score[i] = x;
    }
}
