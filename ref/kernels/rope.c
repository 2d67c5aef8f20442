/* Rotary position embedding. [ROPE21] Su et al., 2021; components i and i+d/2
 * are a pair, as in Llama's weights of the Hugging Face layout. */
#include "kernels_ref.h"

INLINE void rotate_head(float *x, size_t d, const float *c, const float *s,
                        float sign)
{
    size_t half = d / 2;
    for (size_t i = 0; i < half; i++) {
        float a = x[i], b = x[i + half], sine = sign * s[i];
        x[i] = a * c[i] - b * sine;
        x[i + half] = b * c[i] + a * sine;
    }
}

void t2g_rope_ref(float *x, size_t heads, size_t d, const float *c,
                  const float *s, float sign)
{
    for (size_t h = 0; h < heads; h++)
        rotate_head(x + h * d, d, c, s, sign);
}
