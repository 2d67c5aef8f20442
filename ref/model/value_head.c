/* The value head: one linear output on the final hidden state (TRL's
 * AutoModelForCausalLMWithValueHead without its dropout). */
#include <math.h>

#include "model_private.h"

void t2g_values(const t2g_model *m, const float *hidden, const size_t *position,
                size_t n, float *value)
{
    size_t H = m->config.hidden_size;
#pragma omp parallel for schedule(static) if (n > 64)
    for (size_t i = 0; i < n; i++)
        m->kernels.matmul(&value[i], 1, hidden + position[i] * H, H,
                          m->value_weight->forward, m->value_bias->weight, 0,
                          1, 1, H);
}

void t2g_values_backward(t2g_model *m, const float *hidden,
                         const size_t *position, size_t n, const float *g,
                         float *d_hidden)
{
    size_t H = m->config.hidden_size;
    const float *w = m->value_weight->weight;
    for (size_t i = 0; i < n; i++) {
        const float *x = hidden + position[i] * H;
        float *dx = d_hidden + position[i] * H;
        for (size_t j = 0; j < H; j++)
            dx[j] += g[i] * w[j];
        m->kernels.matmul_tn(m->value_weight->grad, H, &g[i], 1, x, H, 1, H, 1);
        m->value_bias->grad[0] += g[i];
    }
}
