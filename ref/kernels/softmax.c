/* Log-softmax of one row of logits: normaliser, entropy, KL, gradient. */
#include "kernels_ref.h"

/* Lane sum of exp(z - m). */
INLINE float sum_exp(const float *z, float m, size_t n)
{
    float lane[LANES] = {0}, e[LANES];
    for (size_t i = 0; i < n; i += LANES) {
        size_t size = group_size(n - i);
        t2g_exp_ref(e, z + i, m, size);
        lanes_add(lane, e, size);
    }
    return lanes_fold(lane);
}

/* The expected logit: lane sum of fmaf(p, z, lane), p = exp(z - lse). */
INLINE float expected_logit(const float *z, float lse, size_t n)
{
    float lane[LANES] = {0}, p[LANES];
    for (size_t i = 0; i < n; i += LANES) {
        size_t size = group_size(n - i);
        t2g_exp_ref(p, z + i, lse, size);
        lanes_fma(lane, p, z + i, size);
    }
    return lanes_fold(lane);
}

FUSED float t2g_logsumexp_ref(const float *z, size_t n, float *entropy)
{
    float m = maximum(z, n);
    float lse = m + t2g_logf(sum_exp(z, m, n));
    if (entropy)
        *entropy = lse - expected_logit(z, lse, n);
    return lse;
}

FUSED float t2g_softmax_kl_ref(const float *z, float lse, const float *zr,
                               float lser, size_t n)
{
    float lane[LANES] = {0}, p[LANES], ratio[LANES];
    for (size_t i = 0; i < n; i += LANES) {
        size_t size = group_size(n - i);
        t2g_exp_ref(p, z + i, lse, size);
        for (size_t j = 0; j < size; j++)
            ratio[j] = (z[i + j] - lse) - (zr[i + j] - lser);
        lanes_fma(lane, p, ratio, size);
    }
    return lanes_fold(lane);
}

/* d logprob(target)/dz[j] = (j == target) - P[j];
 * d entropy/dz[j] = -P[j] * (L[j] + entropy). */
void t2g_softmax_bwd_ref(float *dz, const float *z, float lse, float entropy,
                         size_t target, float g, float h, size_t n)
{
    for (size_t j = 0; j < n; j++) {
        float logprob = z[j] - lse, p = t2g_expf(logprob);
        float d = g * ((j == target ? 1.0f : 0.0f) - p);
        dz[j] = h == 0.0f ? d : d - h * (p * (logprob + entropy));
    }
}
