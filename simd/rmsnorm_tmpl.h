/* Root mean square normalisation. [RMS19] Zhang and Sennrich, 2019. The lane
 * sums are 16 chains: bound by the latency of a multiply-add. */
#include "kernels_tmpl.h"

float KERNEL(rmsnorm)(float *y, const float *x, const float *g, size_t n,
                      float eps)
{
    float s = 1.0f / sqrtf(lanes_dot(x, x, n) / (float)n + eps);
    for (size_t j = 0; j < n; j += VEC) {
        vec xj = vec_load_n(x + j, n - j), gj = vec_load_n(g + j, n - j);
        vec_store_n(y + j, gj * (xj * vec_set1(s)), n - j);
    }
    return s;
}

/* Lane sum of fmaf(dy*g, x, lane). */
INLINE float gradient_dot_input(const float *dy, const float *g, const float *x,
                                size_t n)
{
    lanes s = lanes_zero();
    for (size_t j = 0; j < n; j += LANES)
        UNROLL
        for (size_t i = 0; i < LANE_VECS; i++) {
            size_t at = j + i * VEC, left = excess(n, at);
            vec w = vec_load_n(dy + at, left) * vec_load_n(g + at, left);
            s.part[i] = vec_fma(w, vec_load_n(x + at, left), s.part[i]);
        }
    return lanes_fold(s);
}

void KERNEL(rmsnorm_bwd)(float *dx, const float *dy, const float *x,
                         const float *g, float s, size_t n)
{
    float c = gradient_dot_input(dy, g, x, n) * (s * s / (float)n);
    for (size_t j = 0; j < n; j += VEC) {
        size_t left = n - j;
        vec w = vec_load_n(dy + j, left) * vec_load_n(g + j, left);
        vec xj = vec_load_n(x + j, left);
        vec d = vec_set1(s) * (w - xj * vec_set1(c));
        vec_store_n(dx + j, vec_load_n(dx + j, left) + d, left);
    }
}

/* The n <= COLUMNS first elements of dg. */
INLINE void gain_columns(float *dg, const float *dy, const float *x, size_t ld,
                         const float *s, size_t n, size_t t)
{
    vec sum[COLUMNS / VEC];
    UNROLL
    for (size_t v = 0; v < COLUMNS / VEC; v++)
        sum[v] = vec_load_n(dg + v * VEC, excess(n, v * VEC));
    for (size_t i = 0; i < t; i++, dy += ld, x += ld)
        UNROLL
        for (size_t v = 0; v < COLUMNS / VEC; v++) {
            size_t at = v * VEC, left = excess(n, at);
            vec normed = vec_load_n(x + at, left) * vec_set1(s[i]);
            sum[v] = vec_fma(vec_load_n(dy + at, left), normed, sum[v]);
        }
    UNROLL
    for (size_t v = 0; v < COLUMNS / VEC; v++)
        vec_store_n(dg + v * VEC, sum[v], excess(n, v * VEC));
}

void KERNEL(rmsnorm_gain_bwd)(float *dg, const float *dy, const float *x,
                              size_t ld, const float *s, size_t n, size_t t)
{
    size_t j = 0;
    for (; j + COLUMNS <= n; j += COLUMNS)
        gain_columns(dg + j, dy + j, x + j, ld, s, COLUMNS, t);
    if (j < n)
        gain_columns(dg + j, dy + j, x + j, ld, s, n - j, t);
}
