/* Adam with decoupled weight decay. [ADAMW19] Loshchilov and Hutter, 2019. */
#include "kernels_ref.h"

void t2g_adamw_ref(float *p, float *m, float *v, const float *g, size_t n,
                   const t2g_adamw *s)
{
    for (size_t j = 0; j < n; j++) {
        float gj = g[j] * s->scale;
        m[j] = s->b1 * m[j] + (1.0f - s->b1) * gj;
        v[j] = s->b2 * v[j] + ((1.0f - s->b2) * gj) * gj;
        p[j] = p[j] * s->decay -
               s->lr * ((m[j] / s->c1) / (sqrtf(v[j] / s->c2) + s->eps));
    }
}
