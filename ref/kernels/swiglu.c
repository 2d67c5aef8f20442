/* The gate of SwiGLU: SiLU(x) * u. [GLU20] Shazeer, 2020. */
#include "kernels_ref.h"

void t2g_swiglu_ref(float *y, const float *x, const float *u, size_t n)
{
    for (size_t j = 0; j < n; j++)
        y[j] = (x[j] / (1.0f + t2g_expf(-x[j]))) * u[j];
}

/* d SiLU/dx = s + x*s*(1-s) with s the logistic function of x. */
void t2g_swiglu_bwd_ref(float *dx, float *du, const float *dy, const float *x,
                        const float *u, size_t n)
{
    for (size_t j = 0; j < n; j++) {
        float xj = x[j], uj = u[j];
        float s = 1.0f / (1.0f + t2g_expf(-xj));
        du[j] = dy[j] * (xj * s);
        dx[j] = (dy[j] * uj) * (s * (1.0f + xj * (1.0f - s)));
    }
}
