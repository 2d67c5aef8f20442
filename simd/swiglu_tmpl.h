/* The gate of SwiGLU: SiLU(x) * u. [GLU20] Shazeer, 2020. */
#include "kernels_tmpl.h"

/* 1 + exp(-x); the sign of a zero x is lost, exp is 1 for both. */
INLINE vec one_plus_exp_minus(vec x)
{
    return vec_set1(1.0f) + vec_exp(vec_set1(0.0f) - x);
}

void KERNEL(swiglu)(float *y, const float *x, const float *u, size_t n)
{
    for (size_t j = 0; j < n; j += VEC) {
        vec xj = vec_load_n(x + j, n - j), uj = vec_load_n(u + j, n - j);
        vec_store_n(y + j, (xj / one_plus_exp_minus(xj)) * uj, n - j);
    }
}

/* d SiLU/dx = s + x*s*(1-s) with s the logistic function of x. */
void KERNEL(swiglu_bwd)(float *dx, float *du, const float *dy, const float *x,
                        const float *u, size_t n)
{
    const vec one = vec_set1(1.0f);
    for (size_t j = 0; j < n; j += VEC) {
        size_t left = n - j;
        vec xj = vec_load_n(x + j, left), uj = vec_load_n(u + j, left);
        vec dyj = vec_load_n(dy + j, left);
        vec s = one / one_plus_exp_minus(xj);
        vec_store_n(du + j, dyj * (xj * s), left);
        vec_store_n(dx + j, (dyj * uj) * (s * (one + xj * (one - s))), left);
    }
}
