/* The exponential: SLEEF's deterministic one of this vector width. */
#include "kernels_tmpl.h"

void KERNEL(exp)(float *y, const float *x, float shift, size_t n)
{
    for (size_t j = 0; j < n; j += VEC) {
        vec v = vec_load_n(x + j, n - j);
        vec_store_n(y + j, vec_exp(v - vec_set1(shift)), n - j);
    }
}
