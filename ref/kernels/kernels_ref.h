/* The scalar reference kernels: the specification, one operation a file. Their
 * contracts, and the order of every operation, are in t2g/kernels.h. */
#ifndef T2G_KERNELS_REF_H
#define T2G_KERNELS_REF_H

#include <math.h>
#include <stddef.h>

#include "t2g/kernels.h"

/* fmaf as one instruction. Every x86-64 CPU that SLEEF's FMA functions run on
 * has it, so functions may ask for it while the build itself stays generic;
 * t2g_kernels_select refuses the others. Elsewhere it is in the baseline. */
#ifdef __x86_64__
#define FUSED __attribute__((target("fma")))
#else
#define FUSED
#endif
#define INLINE static inline __attribute__((always_inline))

/* Lane sums go by groups of 16 elements, the last one of n mod 16. */
enum { LANES = 16 };

INLINE size_t group_size(size_t left)
{
    return left < LANES ? left : LANES;
}

/* One group's terms a*b; the lanes of missing elements add +0. */
INLINE void lanes_fma(float lane[LANES], const float *a, const float *b,
                      size_t n)
{
    if (n == LANES)
        for (size_t j = 0; j < LANES; j++)
            lane[j] = fmaf(a[j], b[j], lane[j]);
    else
        for (size_t j = 0; j < LANES; j++)
            lane[j] = j < n ? fmaf(a[j], b[j], lane[j]) : lane[j] + 0.0f;
}

/* One group's terms a. */
INLINE void lanes_add(float lane[LANES], const float *a, size_t n)
{
    for (size_t j = 0; j < LANES; j++)
        lane[j] += j < n ? a[j] : 0.0f;
}

/* Destroys the lanes. */
INLINE float lanes_fold(float lane[LANES])
{
    for (size_t w = LANES / 2; w > 0; w /= 2)
        for (size_t j = 0; j < w; j++)
            lane[j] += lane[j + w];
    return lane[0];
}

/* Lane sum of fmaf(a, b, lane). */
INLINE float lanes_dot(const float *a, const float *b, size_t n)
{
    float lane[LANES] = {0};
    for (size_t i = 0; i < n; i += LANES)
        lanes_fma(lane, a + i, b + i, group_size(n - i));
    return lanes_fold(lane);
}

/* max x. A NaN never wins: what it was meant for turns NaN without it. */
INLINE float maximum(const float *x, size_t n)
{
    float m = -INFINITY;
    for (size_t j = 0; j < n; j++)
        m = x[j] > m ? x[j] : m;
    return m;
}

t2g_pack_fn t2g_pack_ref;
t2g_matmul_fn t2g_matmul_ref;
t2g_matmul_tn_fn t2g_matmul_tn_ref;
t2g_column_sum_fn t2g_column_sum_ref;
t2g_rmsnorm_fn t2g_rmsnorm_ref;
t2g_rmsnorm_bwd_fn t2g_rmsnorm_bwd_ref;
t2g_rmsnorm_gain_bwd_fn t2g_rmsnorm_gain_bwd_ref;
t2g_rope_fn t2g_rope_ref;
t2g_attention_fn t2g_attention_ref;
t2g_attention_bwd_fn t2g_attention_bwd_ref;
t2g_swiglu_fn t2g_swiglu_ref;
t2g_swiglu_bwd_fn t2g_swiglu_bwd_ref;
t2g_logsumexp_fn t2g_logsumexp_ref;
t2g_softmax_kl_fn t2g_softmax_kl_ref;
t2g_softmax_bwd_fn t2g_softmax_bwd_ref;
t2g_exp_fn t2g_exp_ref;
t2g_sum_squares_fn t2g_sum_squares_ref;
t2g_adamw_fn t2g_adamw_ref;
t2g_edit_distance_fn t2g_edit_distance_ref;

#endif
