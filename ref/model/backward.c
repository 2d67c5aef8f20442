/* The backward pass, layer by layer from the top; each step is the mirror of
 * one in forward.c. Weight gradients are chains over the tokens of the batch in
 * their order, continued from what is already there. */
#include <math.h>
#include <string.h>

#include "model_private.h"

/* Gradients within one layer, [tokens, width]. */
typedef struct layer_grads {
    float *x;          /* of the layer's output, then of its input */
    float *h;          /* of a norm's output */
    float *q, *k, *v, *o;
    float *act, *gate, *up;
} layer_grads;

static t2g_status lay_out(layer_grads *g, t2g_activations *a)
{
    const t2g_config *c = &a->model->config;
    size_t T = a->tokens, H = c->hidden_size, I = c->intermediate_size;
    size_t Q = c->num_attention_heads * c->head_dim;
    size_t K = c->num_key_value_heads * c->head_dim;
    size_t floats = T * (2 * H + 2 * Q + 2 * K + 3 * I);
    if (floats > a->backward_floats) {
        t2g_free(a->backward);
        a->backward_floats = 0;
        a->backward = t2g_calloc(floats, sizeof(float));
        if (!a->backward)
            return T2G_ERR_MEMORY;
        a->backward_floats = floats;
    }
    float *b = a->backward;
    g->x = b;
    g->h = g->x + T * H;
    g->q = g->h + T * H;
    g->o = g->q + T * Q;
    g->k = g->o + T * Q;
    g->v = g->k + T * K;
    g->act = g->v + T * K;
    g->gate = g->act + T * I;
    g->up = g->gate + T * I;
    return T2G_OK;
}

/* dx += gradient through y = norm(x); the gain's gradient. */
static void norm_backward(const t2g_model *m, float *dx, const float *dy,
                          const float *x, const float *s, t2g_param *g,
                          size_t T)
{
    enum { COLUMNS = 64 };
    size_t H = m->config.hidden_size;
#pragma omp parallel if (T > 16)
    {
#pragma omp for schedule(static) nowait
        for (size_t t = 0; t < T; t++)
            m->kernels.rmsnorm_bwd(dx + t * H, dy + t * H, x + t * H,
                                   g->weight, s[t], H);
#pragma omp for schedule(static)
        for (size_t j = 0; j < H; j += COLUMNS)
            m->kernels.rmsnorm_gain_bwd(g->grad + j, dy + j, x + j, H, s,
                                        H - j < COLUMNS ? H - j : COLUMNS, T);
    }
}

static void swiglu_backward(const t2g_model *m, const layer_grads *g,
                            const t2g_layer_acts *y, size_t T)
{
    size_t I = m->config.intermediate_size;
#pragma omp parallel for schedule(static) if (T > 4)
    for (size_t t = 0; t < T; t++)
        m->kernels.swiglu_bwd(g->gate + t * I, g->up + t * I, g->act + t * I,
                              y->gate + t * I, y->up + t * I, I);
}

/* One linear map y = W h + b: weight and bias gradients. */
static void linear_backward(const t2g_model *m, t2g_param *w, t2g_param *b,
                            const float *dy, const float *h, size_t T)
{
    t2g_linear_weight_grad(&m->kernels, w, dy, h, T);
    if (b)
        t2g_bias_grad(&m->kernels, b, dy, T);
}

static void mlp_backward(const t2g_model *m, const t2g_layer *w,
                         const t2g_layer_acts *y, const layer_grads *g,
                         size_t T)
{
    const t2g_kernels *k = &m->kernels;
    t2g_linear_input_grad(k, g->act, g->x, w->down, 0, T);
    linear_backward(m, w->down, w->down_bias, g->x, y->act, T);
    swiglu_backward(m, g, y, T);
    t2g_linear_input_grad(k, g->h, g->gate, w->gate, 0, T);
    t2g_linear_input_grad(k, g->h, g->up, w->up, 1, T);
    linear_backward(m, w->gate, w->gate_bias, g->gate, y->h2, T);
    linear_backward(m, w->up, w->up_bias, g->up, y->h2, T);
    norm_backward(m, g->x, g->h, y->mid, y->s2, w->post_norm, T);
}

/* One row and key/value head: dq of its group's heads, dk and dv of its own. */
static void attend_backward(const t2g_model *m, const t2g_activations *a,
                            const t2g_layer_acts *y, const layer_grads *g,
                            const t2g_packed_row *r, size_t head)
{
    const t2g_config *c = &m->config;
    size_t d = c->head_dim, A = c->num_attention_heads;
    size_t K = c->num_key_value_heads, group = A / K;
    size_t at_kv = r->begin * K * d + head * d;
    float *keys = t2g_thread_scratch(a);
    float *values = keys + t2g_panel_floats(d, r->count);
    float *scratch = values + t2g_panel_floats(d, r->count);
    m->kernels.pack(keys, y->k + at_kv, K * d, 1, d, r->count);
    m->kernels.pack(values, y->v + at_kv, K * d, 1, d, r->count);
    for (size_t t = 0; t < r->count; t++) {
        memset(g->k + at_kv + t * K * d, 0, d * sizeof(float));
        memset(g->v + at_kv + t * K * d, 0, d * sizeof(float));
    }
    for (size_t i = 0; i < group; i++) {
        size_t q = head * group + i, at = r->begin * A * d + q * d;
        m->kernels.attention_bwd(
            g->q + at, g->k + at_kv, g->v + at_kv, g->o + at, y->o + at,
            y->lse + 2 * (q * a->tokens + r->begin), y->q + at, y->k + at_kv,
            keys, values, A * d, A * d, K * d, r->count, d,
            1.0f / sqrtf((float)d), scratch);
    }
}

static void rotate_back(const t2g_model *m, const t2g_activations *a,
                        const layer_grads *g, size_t T)
{
    size_t d = m->config.head_dim, half = d / 2;
    size_t A = m->config.num_attention_heads;
    size_t K = m->config.num_key_value_heads;
#pragma omp parallel for schedule(static) if (T > 16)
    for (size_t t = 0; t < T; t++) {
        const float *c = a->rope.cos + a->position[t] * half;
        const float *s = a->rope.sin + a->position[t] * half;
        m->kernels.rope(g->q + t * A * d, A, d, c, s, -1);
        m->kernels.rope(g->k + t * K * d, K, d, c, s, -1);
    }
}

static void attention_backward(const t2g_model *m, const t2g_activations *a,
                               const t2g_layer *w, const t2g_layer_acts *y,
                               const layer_grads *g, size_t rows)
{
    const t2g_kernels *k = &m->kernels;
    size_t T = a->tokens, K = m->config.num_key_value_heads;
    t2g_linear_input_grad(k, g->o, g->x, w->o, 0, T);
    linear_backward(m, w->o, w->o_bias, g->x, y->o, T);
#pragma omp parallel for collapse(2) schedule(dynamic) if (rows * K > 1)
    for (size_t r = 0; r < rows; r++)
        for (size_t h = 0; h < K; h++)
            attend_backward(m, a, y, g, &a->row[r], h);
    rotate_back(m, a, g, T);
    t2g_linear_input_grad(k, g->h, g->q, w->q, 0, T);
    t2g_linear_input_grad(k, g->h, g->k, w->k, 1, T);
    t2g_linear_input_grad(k, g->h, g->v, w->v, 1, T);
    linear_backward(m, w->q, w->q_bias, g->q, y->h1, T);
    linear_backward(m, w->k, w->k_bias, g->k, y->h1, T);
    linear_backward(m, w->v, w->v_bias, g->v, y->h1, T);
    norm_backward(m, g->x, g->h, y->x, y->s1, w->input_norm, T);
}

/* The lookup's share of the embedding gradient, in token order. As in
 * transformers the padding token's row gets none. */
static void embed_backward(t2g_model *m, const float *dx, const uint32_t *id,
                           size_t T)
{
    size_t H = m->config.hidden_size;
    for (size_t t = 0; t < T; t++) {
        if ((int64_t)id[t] == m->config.pad_token_id)
            continue;
        float *g = m->lookup_grad + id[t] * H;
        for (size_t j = 0; j < H; j++)
            g[j] += dx[t * H + j];
    }
}

t2g_status t2g_backward(t2g_model *m, t2g_activations *a,
                        const t2g_batch *batch, float *d_hidden)
{
    size_t T = a->tokens, H = m->config.hidden_size, longest = 0;
    layer_grads g;
    if (!m->trainable)
        return t2g_fail(T2G_ERR_ARG, "the model was not made trainable");
    T2G_TRY(lay_out(&g, a));
    for (size_t r = 0; r < batch->rows; r++)
        if (a->row[r].count > longest)
            longest = a->row[r].count;
    T2G_TRY(t2g_scratch_reach(
        a, 2 * t2g_panel_floats(m->config.head_dim, longest) +
               16 * (longest + 32)));
    memset(g.x, 0, T * H * sizeof(float));
    norm_backward(m, g.x, d_hidden, a->final_x, a->final_s, m->norm, T);
    for (size_t l = m->config.num_hidden_layers; l-- > 0;) {
        mlp_backward(m, &m->layer[l], &a->layer[l], &g, T);
        attention_backward(m, a, &m->layer[l], &a->layer[l], &g, batch->rows);
    }
    embed_backward(m, g.x, batch->id + batch->row[0], T);
    return T2G_OK;
}
