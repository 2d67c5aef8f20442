/* Rotary position embedding. [ROPE21] Su et al., 2021; components i and i+d/2
 * are a pair, as in Llama's weights of the Hugging Face layout. */
#include "kernels_tmpl.h"

INLINE void rotate_head(float *x, size_t half, const float *c, const float *s,
                        vec sign)
{
    for (size_t i = 0; i < half; i += VEC) {
        size_t left = half - i;
        vec a = vec_load_n(x + i, left), b = vec_load_n(x + half + i, left);
        vec cosine = vec_load_n(c + i, left);
        vec sine = sign * vec_load_n(s + i, left);
        vec_store_n(x + i, a * cosine - b * sine, left);
        vec_store_n(x + half + i, b * cosine + a * sine, left);
    }
}

void KERNEL(rope)(float *x, size_t heads, size_t d, const float *c,
                  const float *s, float sign)
{
    for (size_t h = 0; h < heads; h++)
        rotate_head(x + h * d, d / 2, c, s, vec_set1(sign));
}
