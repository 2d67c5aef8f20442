/* Root mean square normalisation. [RMS19] Zhang and Sennrich, 2019. */
#include "kernels_ref.h"

FUSED float t2g_rmsnorm_ref(float *y, const float *x, const float *g, size_t n,
                            float eps)
{
    float s = 1.0f / sqrtf(lanes_dot(x, x, n) / (float)n + eps);
    for (size_t j = 0; j < n; j++)
        y[j] = g[j] * (x[j] * s);
    return s;
}

/* Lane sum of fmaf(dy*g, x, lane). */
INLINE float gradient_dot_input(const float *dy, const float *g,
                                const float *x, size_t n)
{
    float lane[LANES] = {0};
    for (size_t i = 0; i < n; i += LANES) {
        float w[LANES];
        size_t size = group_size(n - i);
        for (size_t j = 0; j < size; j++)
            w[j] = dy[i + j] * g[i + j];
        lanes_fma(lane, w, x + i, size);
    }
    return lanes_fold(lane);
}

/* y = g*x*s and ds/dx[j] = -s^3 x[j]/n, so with w = dy*g
 *   dx[j] = s*w[j] - x[j] * s^3/n * sum(w*x) = s * (w[j] - x[j]*c). */
FUSED void t2g_rmsnorm_bwd_ref(float *dx, const float *dy, const float *x,
                               const float *g, float s, size_t n)
{
    float c = gradient_dot_input(dy, g, x, n) * (s * s / (float)n);
    for (size_t j = 0; j < n; j++)
        dx[j] = dx[j] + s * (dy[j] * g[j] - x[j] * c);
}

FUSED void t2g_rmsnorm_gain_bwd_ref(float *dg, const float *dy, const float *x,
                                    size_t ld, const float *s, size_t n,
                                    size_t t)
{
    for (size_t i = 0; i < t; i++)
        for (size_t j = 0; j < n; j++)
            dg[j] = fmaf(dy[i * ld + j], x[i * ld + j] * s[i], dg[j]);
}
