/* What the kernels of every instruction set share. One source serves all: each
 * file of an ISA's folder includes vec_<isa>.h, then the kernel's template. The
 * contracts, and the order of every operation, are in t2g/kernels.h. */
#ifndef T2G_KERNELS_TMPL_H
#define T2G_KERNELS_TMPL_H

#include <math.h>
#include <stddef.h>

#include "t2g/kernels.h"

/* KERNEL(matmul) is t2g_matmul_avx2 where vec_avx2.h says ISA avx2. */
#define PASTE(name, isa) t2g_##name##_##isa
#define PASTE_EXPANDED(name, isa) PASTE(name, isa)
#define KERNEL(name) PASTE_EXPANDED(name, ISA)

#define INLINE static inline __attribute__((always_inline))

/* Complete, so that arrays indexed by the loop's variable live in registers. */
#ifdef __clang__
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 32")
#endif

t2g_pack_fn KERNEL(pack);
t2g_matmul_fn KERNEL(matmul);
t2g_matmul_tn_fn KERNEL(matmul_tn);
t2g_column_sum_fn KERNEL(column_sum);
t2g_rmsnorm_fn KERNEL(rmsnorm);
t2g_rmsnorm_bwd_fn KERNEL(rmsnorm_bwd);
t2g_rmsnorm_gain_bwd_fn KERNEL(rmsnorm_gain_bwd);
t2g_rope_fn KERNEL(rope);
t2g_attention_fn KERNEL(attention);
t2g_attention_bwd_fn KERNEL(attention_bwd);
t2g_swiglu_fn KERNEL(swiglu);
t2g_swiglu_bwd_fn KERNEL(swiglu_bwd);
t2g_logsumexp_fn KERNEL(logsumexp);
t2g_softmax_kl_fn KERNEL(softmax_kl);
t2g_softmax_bwd_fn KERNEL(softmax_bwd);
t2g_exp_fn KERNEL(exp);
t2g_sum_squares_fn KERNEL(sum_squares);
t2g_adamw_fn KERNEL(adamw);
t2g_edit_distance_fn KERNEL(edit_distance);

/* a - b, or 0 */
INLINE size_t excess(size_t a, size_t b)
{
    return a > b ? a - b : 0;
}

INLINE size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

INLINE size_t ceil_div(size_t a, size_t b)
{
    return (a + b - 1) / b;
}

/* Columns summed at a time: independent chains that hide an addition's latency,
 * with sums in registers. */
enum { COLUMNS = 8 * VEC };

/* The 16 lanes of a lane sum. */
enum { LANES = 16, LANE_VECS = LANES / VEC };
typedef struct lanes {
    vec part[LANE_VECS];
} lanes;

INLINE lanes lanes_zero(void)
{
    lanes s;
    UNROLL
    for (size_t g = 0; g < LANE_VECS; g++)
        s.part[g] = vec_set1(0.0f);
    return s;
}

INLINE float lanes_fold(lanes s)
{
    for (size_t w = LANE_VECS / 2; w > 0; w /= 2)
        for (size_t g = 0; g < w; g++)
            s.part[g] += s.part[g + w];
    return vec_sum(s.part[0]);
}

/* One more term a lane, n elements in all; what misses of the last 16 is +0. */
INLINE void lanes_add(lanes *s, const float *a, size_t n)
{
    for (size_t j = 0; j < n; j += LANES)
        UNROLL
        for (size_t g = 0; g < LANE_VECS; g++) {
            size_t at = j + g * VEC;
            s->part[g] += vec_load_n(a + at, excess(n, at));
        }
}

/* Likewise, the terms being fmaf(a, b, lane). */
INLINE void lanes_fma(lanes *s, const float *a, const float *b, size_t n)
{
    for (size_t j = 0; j < n; j += LANES)
        UNROLL
        for (size_t g = 0; g < LANE_VECS; g++) {
            size_t at = j + g * VEC, left = excess(n, at);
            s->part[g] = vec_fma(vec_load_n(a + at, left),
                                 vec_load_n(b + at, left), s->part[g]);
        }
}

/* Lane sum of fmaf(a, b, lane). */
INLINE float lanes_dot(const float *a, const float *b, size_t n)
{
    lanes s = lanes_zero();
    lanes_fma(&s, a, b, n);
    return lanes_fold(s);
}

/* top as a loop over x finds it: of zeros of both signs the first. */
INLINE float first_of_zeros(float top, const float *x, size_t n)
{
    for (size_t j = 0; top == 0.0f && j < n; j++)
        if (x[j] == 0.0f)
            return x[j];
    return top;
}

/* y = exp(x - shift), SLEEF's deterministic function of this vector width;
 * y may be x. */
INLINE void exp_shifted(float *y, const float *x, float shift, size_t n)
{
    for (size_t j = 0; j < n; j += VEC) {
        vec v = vec_load_n(x + j, n - j) - vec_set1(shift);
        vec_store_n(y + j, vec_exp(v), n - j);
    }
}

#endif
