/* The clipped policy loss [PPO] eq. 7, the clipped value loss, the entropy
 * bonus; gradients next to the values they belong to. */
#include <math.h>

#include "t2g/kernels.h"
#include "t2g/ppo.h"

/* One decision's terms. */
typedef struct terms {
    double policy, value, d_logprob, d_value, ratio, error;
    bool clipped, value_clipped;
} terms;

/* Comparisons, not fminf and fmaxf: a NaN stays one and is noticed. */
static float clamp(float x, float low, float high)
{
    return x < low ? low : x > high ? high : x;
}

float t2g_ratio(float old_logprob, float logprob, float limit)
{
    float d = logprob - old_logprob;
    return t2g_expf(limit > 0 ? clamp(d, -limit, limit) : d);
}

static void policy_terms(terms *t, float old_logprob, float logprob,
                         float advantage, const t2g_ppo_config *c)
{
    float limit = c->logratio_clamp;
    bool saturated = limit > 0 && fabsf(logprob - old_logprob) > limit;
    float rho = t2g_ratio(old_logprob, logprob, limit);
    float l1 = -advantage * rho;
    float l2 = -advantage * clamp(rho, 1 - c->cliprange, 1 + c->cliprange);
    t->ratio = rho;
    t->clipped = l2 > l1;
    t->policy = t->clipped ? l2 : l1;
    t->d_logprob = t->clipped || saturated ? 0 : l1; /* d rho = rho d logprob */
}

static void value_terms(terms *t, float old_value, float value, float ret,
                        const t2g_ppo_config *c)
{
    float e = value - ret, range = c->cliprange_value;
    float v = range > 0 ? clamp(value, old_value - range, old_value + range)
                        : value;
    float e1 = e * e, e2 = (v - ret) * (v - ret);
    t->error = e1;
    t->value_clipped = e2 > e1;
    t->value = t->value_clipped ? e2 : e1;
    t->d_value = t->value_clipped ? 0 : e;
}

static void add_statistics(t2g_ppo_stats *s, const terms *t, float old_logprob,
                           float logprob, float entropy, float value,
                           float advantage)
{
    double d = (double)logprob - (double)old_logprob;
    s->loss_policy += t->policy;
    s->loss_value += 0.5 * t->value;
    s->entropy += entropy;
    s->approxkl += 0.5 * d * d;
    s->policykl -= d;
    s->clipfrac += t->clipped;
    s->advantages_mean += advantage;
    s->ratio_mean += t->ratio;
    s->vpred += value;
    s->val_error += t->error;
    s->val_clipfrac += t->value_clipped;
}

static void divide_statistics(t2g_ppo_stats *s, double n)
{
    double *sums[] = {&s->loss_policy, &s->loss_value, &s->entropy,
                      &s->approxkl, &s->policykl, &s->clipfrac,
                      &s->advantages_mean, &s->ratio_mean, &s->vpred,
                      &s->val_error, &s->val_clipfrac};
    for (size_t i = 0; i < sizeof sums / sizeof *sums; i++)
        *sums[i] /= n;
}

/* Moments of what the old policy left: returns and values. */
static void add_moments(t2g_ppo_stats *s, const uint8_t *mask, const float *ret,
                        const float *old_value, size_t n)
{
    bool spread = s->decisions > 1;
    s->returns_mean = t2g_masked_mean(ret, mask, n);
    s->returns_var = spread ? t2g_masked_variance(ret, mask, n, true) : NAN;
    s->val_mean = t2g_masked_mean(old_value, mask, n);
    s->val_var = spread ? t2g_masked_variance(old_value, mask, n, true) : NAN;
}

static void clear(float *d_logprob, float *d_value, float *d_entropy, size_t n)
{
    for (size_t i = 0; i < n; i++)
        d_logprob[i] = d_value[i] = d_entropy[i] = 0;
}

void t2g_ppo_loss(float *d_logprob, float *d_value, float *d_entropy,
                  t2g_ppo_stats *stats, const uint8_t *mask,
                  const float *old_logprob, const float *logprob,
                  const float *old_value, const float *value,
                  const float *advantage, const float *ret,
                  const float *entropy, size_t n, const t2g_ppo_config *c,
                  float scale)
{
    *stats = (t2g_ppo_stats){0};
    clear(d_logprob, d_value, d_entropy, n);
    for (size_t i = 0; i < n; i++)
        stats->decisions += mask[i];
    if (stats->decisions == 0)
        return;
    double N = (double)stats->decisions, w = (double)scale / N;
    for (size_t i = 0; i < n; i++) {
        if (!mask[i])
            continue;
        terms t;
        policy_terms(&t, old_logprob[i], logprob[i], advantage[i], c);
        value_terms(&t, old_value[i], value[i], ret[i], c);
        add_statistics(stats, &t, old_logprob[i], logprob[i], entropy[i],
                       value[i], advantage[i]);
        d_logprob[i] = (float)(w * t.d_logprob);
        d_value[i] = (float)(w * (double)c->vf_coef * t.d_value);
        d_entropy[i] = (float)(-w * (double)c->ent_coef);
    }
    divide_statistics(stats, N);
    add_moments(stats, mask, ret, old_value, n);
    stats->skipped = stats->ratio_mean > (double)c->ratio_threshold;
    if (stats->skipped) {
        clear(d_logprob, d_value, d_entropy, n);
        stats->loss_policy = stats->loss_value = 0;
        return;
    }
    stats->loss_total = stats->loss_policy +
                        (double)c->vf_coef * stats->loss_value -
                        (double)c->ent_coef * stats->entropy;
}
