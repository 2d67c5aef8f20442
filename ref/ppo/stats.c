/* Statistics of a PPO step, under TRL's names. */
#include <math.h>
#include <string.h>

#include "t2g/ppo.h"

void t2g_ppo_step_stats(t2g_step_stats *s, const float *kl,
                        const float *logprob, const float *delta,
                        const uint8_t *mask, const size_t *row, size_t rows,
                        double coef)
{
    double kl_sum = 0, decisions = 0;
    size_t with_mean = 0, with_std = 0;
    *s = (t2g_step_stats){0};
    for (size_t r = 0; r < rows; r++) {
        size_t i = row[r], n = row[r + 1] - i, N = 0;
        for (size_t p = i; p < i + n; p++) {
            if (!mask[p])
                continue;
            N++;
            kl_sum += kl[p];
            s->entropy -= logprob[p];
        }
        decisions += (double)N;
        if (N > 0) {
            s->mean_scores += t2g_masked_mean(delta + i, mask + i, n);
            with_mean++;
        }
        if (N > 1) {
            s->std_scores += sqrt(t2g_masked_variance(delta + i, mask + i, n,
                                                      true));
            with_std++;
        }
    }
    if (rows == 0 || decisions == 0)
        return;
    s->kl = kl_sum / (double)rows;
    s->entropy /= (double)rows;
    s->mean_non_score_reward = -(double)(float)coef * kl_sum / decisions;
    s->mean_scores /= (double)with_mean;
    s->std_scores = with_std ? s->std_scores / (double)with_std : 0;
}

#define STAT(name, field) {name, offsetof(t2g_ppo_stats, field)}

const t2g_ppo_stat_name t2g_ppo_stat_names[T2G_PPO_STATS] = {
    STAT("loss/policy", loss_policy),
    STAT("loss/value", loss_value),
    STAT("loss/total", loss_total),
    STAT("policy/entropy", entropy),
    STAT("policy/approxkl", approxkl),
    STAT("policy/policykl", policykl),
    STAT("policy/clipfrac", clipfrac),
    STAT("policy/advantages_mean", advantages_mean),
    STAT("policy/ratio", ratio_mean),
    STAT("returns/mean", returns_mean),
    STAT("returns/var", returns_var),
    STAT("val/vpred", vpred),
    STAT("val/error", val_error),
    STAT("val/clipfrac", val_clipfrac),
    STAT("val/mean", val_mean),
    STAT("val/var", val_var),
};

static double get(const t2g_ppo_stats *s, size_t i)
{
    double x;
    memcpy(&x, (const char *)s + t2g_ppo_stat_names[i].offset, sizeof x);
    return x;
}

static void set(t2g_ppo_stats *s, size_t i, double x)
{
    memcpy((char *)s + t2g_ppo_stat_names[i].offset, &x, sizeof x);
}

void t2g_ppo_average_add(t2g_ppo_average *a, const t2g_ppo_stats *s)
{
    for (size_t i = 0; i < T2G_PPO_STATS; i++)
        if (isfinite(get(s, i))) {
            set(&a->sum, i, get(&a->sum, i) + get(s, i));
            a->counted[i]++;
        }
    a->sum.decisions += s->decisions;
    a->minibatches++;
    a->skipped += s->skipped;
}

t2g_ppo_stats t2g_ppo_average_mean(const t2g_ppo_average *a)
{
    t2g_ppo_stats mean = {.decisions = a->sum.decisions,
                          .skipped = a->minibatches > 0 &&
                                     a->skipped == a->minibatches};
    for (size_t i = 0; i < T2G_PPO_STATS; i++)
        if (a->counted[i])
            set(&mean, i, get(&a->sum, i) / (double)a->counted[i]);
    return mean;
}

double t2g_var_explained(const t2g_ppo_stats *mean)
{
    return mean->returns_var > 0 ? 1 - mean->val_error / mean->returns_var : 0;
}
