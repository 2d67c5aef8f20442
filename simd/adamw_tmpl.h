/* Adam with decoupled weight decay. [ADAMW19] Loshchilov and Hutter, 2019.
 * Bound by three divisions and a root an element in the cache, by seven arrays'
 * traffic beyond it. */
#include "kernels_tmpl.h"

void KERNEL(adamw)(float *p, float *m, float *v, const float *g, size_t n,
                   const t2g_adamw *s)
{
    vec b1 = vec_set1(s->b1), b2 = vec_set1(s->b2);
    vec a1 = vec_set1(1.0f - s->b1), a2 = vec_set1(1.0f - s->b2);
    vec c1 = vec_set1(s->c1), c2 = vec_set1(s->c2);
    vec lr = vec_set1(s->lr), eps = vec_set1(s->eps);
    vec decay = vec_set1(s->decay), scale = vec_set1(s->scale);
    for (size_t j = 0; j < n; j += VEC) {
        size_t left = n - j;
        vec gj = vec_load_n(g + j, left) * scale;
        vec mj = b1 * vec_load_n(m + j, left) + a1 * gj;
        vec vj = b2 * vec_load_n(v + j, left) + (a2 * gj) * gj;
        vec step = lr * ((mj / c1) / (vec_sqrt(vj / c2) + eps));
        vec_store_n(m + j, mj, left);
        vec_store_n(v + j, vj, left);
        vec_store_n(p + j, vec_load_n(p + j, left) * decay - step, left);
    }
}
