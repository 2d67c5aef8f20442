/* Log-softmax of one row of logits: normaliser, entropy, KL, gradient. */
#include "kernels_tmpl.h"

/* max z, a NaN left out; four chains hide the latency. */
INLINE float maximum(const float *z, size_t n)
{
    vec least = vec_set1(-INFINITY), m[4] = {least, least, least, least};
    size_t j = 0;
    for (; j + 4 * VEC <= n; j += 4 * VEC)
        UNROLL
        for (size_t i = 0; i < 4; i++)
            m[i] = vec_max(vec_load(z + j + i * VEC), m[i]);
    for (; j < n; j += VEC) {
        vec last = vec_keep_n(vec_load_n(z + j, n - j), n - j, least);
        m[0] = vec_max(last, m[0]);
    }
    m[0] = vec_max(vec_max(m[0], m[1]), vec_max(m[2], m[3]));
    return first_of_zeros(vec_maximum(m[0]), z, n);
}

/* Exponentials at a time. A call spills the lanes of a sum, so several go
 * before their terms are added; few, so that the sum overlaps with the next
 * ones. */
enum { CHUNK = 4 * LANES };

/* Lane sum of exp(z - m). */
INLINE float sum_exp(const float *z, float m, size_t n)
{
    lanes s = lanes_zero();
    float e[CHUNK];
    for (size_t j = 0; j < n; j += CHUNK) {
        size_t size = smaller(n - j, CHUNK);
        exp_shifted(e, z + j, m, size);
        lanes_add(&s, e, size);
    }
    return lanes_fold(s);
}

/* The expected logit: lane sum of fmaf(p, z, lane), p = exp(z - lse). */
INLINE float expected_logit(const float *z, float lse, size_t n)
{
    lanes s = lanes_zero();
    float p[CHUNK];
    for (size_t j = 0; j < n; j += CHUNK) {
        size_t size = smaller(n - j, CHUNK);
        exp_shifted(p, z + j, lse, size);
        lanes_fma(&s, p, z + j, size);
    }
    return lanes_fold(s);
}

float KERNEL(logsumexp)(const float *z, size_t n, float *entropy)
{
    float m = maximum(z, n);
    float lse = m + t2g_logf(sum_exp(z, m, n));
    if (entropy)
        *entropy = lse - expected_logit(z, lse, n);
    return lse;
}

/* ratio = (z-lse) - (zr-lser) */
INLINE void log_ratio(float *ratio, const float *z, float lse, const float *zr,
                      float lser, size_t n)
{
    for (size_t j = 0; j < n; j += VEC) {
        vec logprob = vec_load_n(z + j, n - j) - vec_set1(lse);
        vec other = vec_load_n(zr + j, n - j) - vec_set1(lser);
        vec_store_n(ratio + j, logprob - other, n - j);
    }
}

float KERNEL(softmax_kl)(const float *z, float lse, const float *zr, float lser,
                         size_t n)
{
    lanes s = lanes_zero();
    float p[CHUNK], ratio[CHUNK];
    for (size_t j = 0; j < n; j += CHUNK) {
        size_t size = smaller(n - j, CHUNK);
        exp_shifted(p, z + j, lse, size);
        log_ratio(ratio, z + j, lse, zr + j, lser, size);
        lanes_fma(&s, p, ratio, size);
    }
    return lanes_fold(s);
}

/* g*(hit - p) - h*(p*(logprob + entropy)): hit is 1 at the target, else 0. */
INLINE vec logit_gradient(vec logprob, vec hit, float entropy, float g, float h)
{
    vec p = vec_exp(logprob);
    vec d = vec_set1(g) * (hit - p);
    if (h == 0.0f)
        return d;
    return d - vec_set1(h) * (p * (logprob + vec_set1(entropy)));
}

/* hit for the elements from j on */
INLINE vec target_at(size_t target, size_t j)
{
    float hit[VEC] = {0};
    if (target >= j && target - j < VEC)
        hit[target - j] = 1.0f;
    return vec_load(hit);
}

void KERNEL(softmax_bwd)(float *dz, const float *z, float lse, float entropy,
                         size_t target, float g, float h, size_t n)
{
    for (size_t j = 0; j < n; j += VEC) {
        vec logprob = vec_load_n(z + j, n - j) - vec_set1(lse);
        vec hit = target_at(target, j);
        vec_store_n(dz + j, logit_gradient(logprob, hit, entropy, g, h), n - j);
    }
}
