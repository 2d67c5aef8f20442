/* A model's parameters: names and shapes, start values, folders, packed copies.
 * Names are those of transformers' LlamaForCausalLM, the value head's TRL's. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "model_private.h"

enum { PARAMS_A_LAYER = 16 };

static t2g_param *add_param(t2g_model *m, const char *name, size_t rows,
                            size_t cols, bool product)
{
    t2g_param *p = &m->param[m->params];
    snprintf(p->name, sizeof p->name, "%s", name);
    p->rows = rows;
    p->cols = cols;
    p->product = product;
    p->weight = t2g_calloc(rows * cols, sizeof *p->weight);
    if (!p->weight)
        return NULL;
    if (product) {
        p->forward = t2g_calloc(t2g_panel_floats(cols, rows), sizeof(float));
        if (!p->forward) {
            t2g_free(p->weight);
            p->weight = NULL;
            return NULL;
        }
    }
    m->params++;
    return p;
}

static t2g_param *add_layer_param(t2g_model *m, size_t layer, const char *name,
                                  size_t rows, size_t cols, bool product)
{
    char full[96];
    snprintf(full, sizeof full, "model.layers.%zu.%s", layer, name);
    return add_param(m, full, rows, cols, product);
}

static bool add_linear(t2g_model *m, size_t l, const char *module, size_t out,
                       size_t in, bool with_bias, t2g_param **w, t2g_param **b)
{
    char name[64];
    snprintf(name, sizeof name, "%s.weight", module);
    *w = add_layer_param(m, l, name, out, in, true);
    if (*w && with_bias) {
        snprintf(name, sizeof name, "%s.bias", module);
        *b = add_layer_param(m, l, name, 1, out, false);
        return *b != NULL;
    }
    return *w != NULL;
}

static bool add_layer(t2g_model *m, size_t l)
{
    const t2g_config *c = &m->config;
    t2g_layer *y = &m->layer[l];
    size_t H = c->hidden_size, I = c->intermediate_size;
    size_t Q = c->num_attention_heads * c->head_dim;
    size_t K = c->num_key_value_heads * c->head_dim;
    bool ab = c->attention_bias, mb = c->mlp_bias;
    y->input_norm = add_layer_param(m, l, "input_layernorm.weight", 1, H,
                                    false);
    if (!y->input_norm ||
        !add_linear(m, l, "self_attn.q_proj", Q, H, ab, &y->q, &y->q_bias) ||
        !add_linear(m, l, "self_attn.k_proj", K, H, ab, &y->k, &y->k_bias) ||
        !add_linear(m, l, "self_attn.v_proj", K, H, ab, &y->v, &y->v_bias) ||
        !add_linear(m, l, "self_attn.o_proj", H, Q, ab, &y->o, &y->o_bias))
        return false;
    y->post_norm = add_layer_param(m, l, "post_attention_layernorm.weight", 1,
                                   H, false);
    return y->post_norm &&
           add_linear(m, l, "mlp.gate_proj", I, H, mb, &y->gate,
                      &y->gate_bias) &&
           add_linear(m, l, "mlp.up_proj", I, H, mb, &y->up, &y->up_bias) &&
           add_linear(m, l, "mlp.down_proj", H, I, mb, &y->down,
                      &y->down_bias);
}

/* All parameters, zero; *m is NULL on failure. */
t2g_status t2g_model_new(t2g_model **out, const t2g_config *c,
                         const t2g_kernels *k)
{
    *out = NULL;
    T2G_TRY(t2g_config_check(c));
    t2g_model *m = t2g_calloc(1, sizeof *m);
    if (!m)
        return T2G_ERR_MEMORY;
    m->config = *c;
    m->kernels = *k;
    size_t L = c->num_hidden_layers, V = c->vocab_size, H = c->hidden_size;
    m->param = t2g_calloc(L * PARAMS_A_LAYER + 5, sizeof *m->param);
    m->layer = t2g_calloc(L, sizeof *m->layer);
    m->inv_freq = t2g_calloc(c->head_dim / 2, sizeof *m->inv_freq);
    bool ok = m->param && m->layer && m->inv_freq;
    ok = ok && (m->embed = add_param(m, "model.embed_tokens.weight", V, H,
                                     c->tie_word_embeddings));
    for (size_t l = 0; ok && l < L; l++)
        ok = add_layer(m, l);
    ok = ok && (m->norm = add_param(m, "model.norm.weight", 1, H, false));
    if (ok && c->tie_word_embeddings)
        m->head = m->embed;
    else if (ok)
        ok = (m->head = add_param(m, "lm_head.weight", V, H, true)) != NULL;
    if (!ok) {
        t2g_model_free(m);
        return T2G_ERR_MEMORY;
    }
    t2g_status s = t2g_rope_frequencies(c, m->inv_freq, &m->rope_scale);
    if (s != T2G_OK) {
        t2g_model_free(m);
        return s;
    }
    *out = m;
    return T2G_OK;
}

static void release_param(t2g_param *p)
{
    t2g_free(p->weight);
    t2g_free(p->grad);
    t2g_free(p->forward);
    t2g_free(p->backward);
    *p = (t2g_param){0};
}

void t2g_model_free(t2g_model *m)
{
    if (!m)
        return;
    for (size_t i = 0; i < m->params; i++)
        release_param(&m->param[i]);
    t2g_free(m->param);
    t2g_free(m->layer);
    t2g_free(m->inv_freq);
    t2g_free(m->lookup_grad);
    t2g_free(m);
}

/* --- start values --------------------------------------------------------- */

static void fill_normal(t2g_param *p, size_t index, uint64_t seed, double s)
{
    t2g_stream stream = {seed, (uint32_t)index, 0, T2G_RNG_INIT};
    for (size_t i = 0; i < p->rows * p->cols; i++)
        p->weight[i] = (float)(s * (double)t2g_random_normal(&stream, i));
}

static bool ends_with(const char *name, const char *end)
{
    size_t n = strlen(name), e = strlen(end);
    return n >= e && strcmp(name + n - e, end) == 0;
}

/* Deviation of a matrix's start values: 1/sqrt(fan_in) with the outputs into
 * the residual stream divided by sqrt(2L), or the configuration's. */
static double deviation(const t2g_model *m, const t2g_param *p, bool scaled)
{
    if (!scaled)
        return m->config.initializer_range;
    double s = 1 / sqrt((double)p->cols);
    if (ends_with(p->name, "o_proj.weight") ||
        ends_with(p->name, "down_proj.weight"))
        s /= sqrt(2.0 * (double)m->config.num_hidden_layers);
    return s;
}

t2g_status t2g_model_init(t2g_model **out, const t2g_config *c,
                          const t2g_kernels *k, uint64_t seed, bool scaled)
{
    T2G_TRY(t2g_model_new(out, c, k));
    t2g_model *m = *out;
#pragma omp parallel for schedule(dynamic)
    for (size_t i = 0; i < m->params; i++) {
        t2g_param *p = &m->param[i];
        if (ends_with(p->name, "norm.weight"))
            for (size_t j = 0; j < p->cols; j++)
                p->weight[j] = 1;
        else if (!ends_with(p->name, ".bias"))
            fill_normal(p, i, seed, deviation(m, p, scaled));
    }
    if (c->pad_token_id >= 0)
        memset(m->embed->weight + (size_t)c->pad_token_id * c->hidden_size, 0,
               c->hidden_size * sizeof(float));
    t2g_model_pack(m);
    return T2G_OK;
}

/* The value head's parameters are the last ones; none of them stays behind when
 * one could not be had. */
static void drop_value_head(t2g_model *m)
{
    t2g_param *const part[] = {m->value_bias, m->value_weight};
    for (size_t i = 0; i < 2; i++)
        if (part[i]) {
            release_param(part[i]);
            m->params--;
        }
    m->value_bias = m->value_weight = NULL;
}

t2g_status t2g_model_new_value_head(t2g_model *m)
{
    m->value_weight = add_param(m, "v_head.summary.weight", 1,
                                m->config.hidden_size, true);
    if (m->value_weight)
        m->value_bias = add_param(m, "v_head.summary.bias", 1, 1, false);
    if (m->value_bias)
        return T2G_OK;
    drop_value_head(m);
    return T2G_ERR_MEMORY;
}

static t2g_status make_trainable(t2g_param *p)
{
    if (!p->grad &&
        !(p->grad = t2g_calloc(p->rows * p->cols, sizeof *p->grad)))
        return T2G_ERR_MEMORY;
    if (p->product && !p->backward &&
        !(p->backward = t2g_calloc(t2g_panel_floats(p->rows, p->cols),
                                   sizeof(float))))
        return T2G_ERR_MEMORY;
    return T2G_OK;
}

t2g_status t2g_model_add_value_head(t2g_model *m, uint64_t seed)
{
    if (m->value_weight)
        return T2G_OK;
    T2G_TRY(t2g_model_new_value_head(m));
    size_t H = m->config.hidden_size;
    double bound = 1 / sqrt((double)H);
    t2g_stream stream = {seed, (uint32_t)m->params, 0, T2G_RNG_INIT};
    for (size_t i = 0; i < H + 1; i++) {
        double u = bound * (2 * t2g_random_unit(&stream, i) - 1);
        if (i < H)
            m->value_weight->weight[i] = (float)u;
        else
            m->value_bias->weight[0] = (float)u;
    }
    if (m->trainable && (make_trainable(m->value_weight) != T2G_OK ||
                         make_trainable(m->value_bias) != T2G_OK)) {
        drop_value_head(m);
        return T2G_ERR_MEMORY;
    }
    t2g_model_pack(m);
    return T2G_OK;
}

t2g_status t2g_model_make_trainable(t2g_model *m)
{
    for (size_t i = 0; i < m->params; i++)
        T2G_TRY(make_trainable(&m->param[i]));
    if (!m->lookup_grad &&
        !(m->lookup_grad = t2g_calloc(m->embed->rows * m->embed->cols,
                                      sizeof(float))))
        return T2G_ERR_MEMORY;
    m->trainable = true;
    t2g_model_pack(m);
    return T2G_OK;
}

void t2g_model_pack(t2g_model *m)
{
#pragma omp parallel for schedule(dynamic)
    for (size_t i = 0; i < m->params; i++) {
        t2g_param *p = &m->param[i];
        if (p->forward)
            m->kernels.pack(p->forward, p->weight, p->cols, 1, p->cols,
                            p->rows);
        if (p->backward)
            m->kernels.pack(p->backward, p->weight, p->cols, 0, p->rows,
                            p->cols);
    }
}

void t2g_model_zero_grad(t2g_model *m)
{
    for (size_t i = 0; i < m->params; i++)
        if (m->param[i].grad)
            memset(m->param[i].grad, 0,
                   m->param[i].rows * m->param[i].cols * sizeof(float));
    if (m->lookup_grad)
        memset(m->lookup_grad, 0,
               m->embed->rows * m->embed->cols * sizeof(float));
}

void t2g_model_finish_grad(t2g_model *m)
{
    size_t n = m->embed->rows * m->embed->cols;
    for (size_t i = 0; i < n; i++)
        m->embed->grad[i] += m->lookup_grad[i];
    memset(m->lookup_grad, 0, n * sizeof *m->lookup_grad);
}

t2g_status t2g_model_clone(t2g_model **copy, const t2g_model *m)
{
    T2G_TRY(t2g_model_new(copy, &m->config, &m->kernels));
    if (m->value_weight) {
        t2g_status s = t2g_model_new_value_head(*copy);
        if (s != T2G_OK) {
            t2g_model_free(*copy);
            *copy = NULL;
            return s;
        }
    }
    for (size_t i = 0; i < m->params; i++)
        memcpy((*copy)->param[i].weight, m->param[i].weight,
               m->param[i].rows * m->param[i].cols * sizeof(float));
    t2g_model_pack(*copy);
    return T2G_OK;
}

void t2g_model_digest(const t2g_model *m, t2g_digest *d)
{
    for (size_t i = 0; i < m->params; i++) {
        const t2g_param *p = &m->param[i];
        t2g_digest_bytes(d, p->name, strlen(p->name) + 1);
        t2g_digest_bytes(d, p->weight, p->rows * p->cols * sizeof(float));
    }
}

size_t t2g_model_parameters(const t2g_model *m)
{
    size_t n = 0;
    for (size_t i = 0; i < m->params; i++)
        n += m->param[i].rows * m->param[i].cols;
    return n;
}
