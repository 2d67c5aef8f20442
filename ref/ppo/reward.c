/* Rewards of single decisions: what the critique gives, less the KL penalty;
 * and where an algorithm puts what the critique gave. */
#include <math.h>

#include "t2g/ppo.h"

void t2g_token_rewards(float *reward, const float *kl, const float *delta,
                       const uint8_t *mask, size_t n, double coef)
{
    float c = (float)coef;
    for (size_t i = 0; i < n; i++)
        reward[i] = -c * kl[i] + (mask[i] ? delta[i] : 0);
}

t2g_status t2g_scalar_reward(float *reward, const uint8_t *mask, size_t n,
                             float score)
{
    for (size_t i = n; i-- > 0;)
        if (mask[i]) {
            reward[i] += score;
            return T2G_OK;
        }
    return t2g_fail(T2G_ERR_ARG, "a row of %zu decisions has none to give its "
                    "score to: all are masked", n);
}

static double reduced(double sum, double least, size_t count, t2g_reduce reduce)
{
    switch (reduce) {
    case T2G_REDUCE_MEAN:
        return sum / (double)count;
    case T2G_REDUCE_SIGN:
        return (sum > 0) - (sum < 0);
    case T2G_REDUCE_MIN:
        return least;
    default:
        return sum;
    }
}

/* Clears [begin, end); its last unmasked decision gets their reduced reward. */
static void gather_reward(float *delta, const uint8_t *mask, size_t begin,
                          size_t end, t2g_reduce reduce)
{
    double sum = 0, least = INFINITY;
    size_t count = 0, last = end;
    for (size_t i = begin; i < end; i++) {
        if (mask[i]) {
            sum += delta[i];
            least = delta[i] < least ? delta[i] : least;
            last = i;
            count++;
        }
        delta[i] = 0;
    }
    if (count)
        delta[last] = (float)reduced(sum, least, count, reduce);
}

void t2g_step_rewards(float *delta, const uint8_t *mask, const uint32_t *step,
                      size_t n, t2g_reduce reduce)
{
    for (size_t begin = 0, end; begin < n; begin = end) {
        for (end = begin + 1; end < n && step[end] == step[begin];)
            end++;
        gather_reward(delta, mask, begin, end, reduce);
    }
}

void t2g_regroup_rewards(float *delta, const uint8_t *mask,
                         const uint32_t *step, size_t n, t2g_granularity g)
{
    if (g == T2G_WHOLE)
        gather_reward(delta, mask, 0, n, T2G_REDUCE_SUM);
    else if (g == T2G_STEP)
        t2g_step_rewards(delta, mask, step, n, T2G_REDUCE_SUM);
}
