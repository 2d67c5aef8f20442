/* The forward pass of a Llama model over packed rows. Read t2g_forward_rows
 * from the bottom up: embedding, L times (attention, MLP), final norm. Shapes:
 * T tokens of all rows, H hidden size, A query heads and K key/value heads of
 * size d, I width of the MLP. */
#include <math.h>
#include <string.h>

#include "model_private.h"

/* --- rotary tables -------------------------------------------------------- */

t2g_status t2g_rope_table_reach(t2g_rope_table *t, const t2g_model *m,
                                size_t positions)
{
    if (positions <= t->positions)
        return T2G_OK;
    t->half = m->config.head_dim / 2;
    size_t reach = (positions + 255) / 256 * 256, n = t->half;
    float *c = t2g_regrow(t->cos, t->positions * n, reach * n, sizeof *c);
    if (c)
        t->cos = c;
    float *s = c ? t2g_regrow(t->sin, t->positions * n, reach * n, sizeof *s)
                 : NULL;
    if (!s)
        return T2G_ERR_MEMORY;
    t->sin = s;
    for (size_t p = t->positions; p < reach; p++)
        for (size_t i = 0; i < n; i++) {
            float angle = (float)p * m->inv_freq[i];
            c[p * n + i] = m->rope_scale * t2g_cosf(angle);
            s[p * n + i] = m->rope_scale * t2g_sinf(angle);
        }
    t->positions = reach;
    return T2G_OK;
}

void t2g_rope_table_free(t2g_rope_table *t)
{
    t2g_free(t->cos);
    t2g_free(t->sin);
    *t = (t2g_rope_table){0};
}

/* --- key/value cache ------------------------------------------------------ */

static size_t cache_head_floats(const t2g_kv_cache *c, const t2g_model *m)
{
    return c->capacity * m->config.head_dim;
}

static size_t cache_offset(const t2g_kv_cache *c, const t2g_model *m,
                           size_t slot, size_t layer, size_t head)
{
    size_t L = m->config.num_hidden_layers, K = m->config.num_key_value_heads;
    return ((slot * L + layer) * K + head) * cache_head_floats(c, m);
}

t2g_status t2g_kv_cache_new(t2g_kv_cache *c, const t2g_model *m, size_t slots,
                            size_t positions)
{
    size_t layers = m->config.num_hidden_layers;
    size_t heads = layers * m->config.num_key_value_heads;
    c->slots = slots;
    c->capacity = (positions + T2G_PANEL - 1) / T2G_PANEL * T2G_PANEL;
    c->keys = t2g_calloc(slots * heads, cache_head_floats(c, m) *
                                            sizeof(float));
    c->values = t2g_calloc(slots * heads, cache_head_floats(c, m) *
                                              sizeof(float));
    if (c->keys && c->values)
        return T2G_OK;
    t2g_kv_cache_free(c);
    return T2G_ERR_MEMORY;
}

void t2g_kv_cache_free(t2g_kv_cache *c)
{
    t2g_free(c->keys);
    t2g_free(c->values);
    *c = (t2g_kv_cache){0};
}

/* --- activations ---------------------------------------------------------- */

/* Floats of one layer's activations a token. */
static size_t layer_floats(const t2g_config *c)
{
    size_t H = c->hidden_size, I = c->intermediate_size, d = c->head_dim;
    size_t A = c->num_attention_heads, K = c->num_key_value_heads;
    return 4 * H + 2 + 2 * A * d + 2 * K * d + 2 * A + 3 * I;
}

t2g_status t2g_activations_new(t2g_activations **out, const t2g_model *m)
{
    t2g_activations *a = t2g_calloc(1, sizeof *a);
    if (a)
        a->layer = t2g_calloc(m->config.num_hidden_layers, sizeof *a->layer);
    if (!a || !a->layer) {
        t2g_free(a);
        return T2G_ERR_MEMORY;
    }
    a->model = m;
    *out = a;
    return T2G_OK;
}

void t2g_activations_free(t2g_activations *a)
{
    if (!a)
        return;
    t2g_rope_table_free(&a->rope);
    t2g_free(a->layer);
    t2g_free(a->block);
    t2g_free(a->scratch);
    t2g_free(a->backward);
    t2g_free(a->row);
    t2g_free(a->position);
    t2g_free(a);
}

static float *take(float **block, size_t n)
{
    float *p = *block;
    *block += n;
    return p;
}

/* Lays the tensors out in one block: all layers when they are kept, else one
 * layer's that every layer overwrites. */
static t2g_status lay_out(t2g_activations *a, size_t T, bool keep)
{
    const t2g_config *c = &a->model->config;
    size_t L = c->num_hidden_layers, H = c->hidden_size;
    size_t I = c->intermediate_size, d = c->head_dim;
    size_t A = c->num_attention_heads, K = c->num_key_value_heads;
    size_t floats = T * ((keep ? L : 1) * layer_floats(c) + 2 * H + 1);
    if (floats > a->block_floats) {
        t2g_free(a->block);
        a->block_floats = 0;
        a->block = t2g_calloc(floats, sizeof(float));
        if (!a->block)
            return T2G_ERR_MEMORY;
        a->block_floats = floats;
    }
    float *b = a->block;
    for (size_t l = 0; l < L; l++) {
        t2g_layer_acts *y = &a->layer[l];
        if (l > 0 && !keep) {
            *y = a->layer[0];
            continue;
        }
        y->x = take(&b, T * H);
        y->mid = keep ? take(&b, T * H) : y->x;
        y->h1 = take(&b, T * H);
        y->h2 = keep ? take(&b, T * H) : y->h1;
        y->s1 = take(&b, T);
        y->s2 = take(&b, T);
        y->q = take(&b, T * A * d);
        y->k = take(&b, T * K * d);
        y->v = take(&b, T * K * d);
        y->o = take(&b, T * A * d);
        y->lse = take(&b, 2 * T * A);
        y->gate = take(&b, T * I);
        y->up = take(&b, T * I);
        y->act = keep ? take(&b, T * I) : y->gate;
    }
    a->final_x = keep ? take(&b, T * H) : a->layer[0].x;
    a->hidden = take(&b, T * H);
    a->final_s = take(&b, T);
    a->tokens = T;
    return T2G_OK;
}

t2g_status t2g_scratch_reach(t2g_activations *a, size_t floats)
{
    size_t threads = (size_t)t2g_threads();
    floats = (floats + 31) / 32 * 32; /* threads never share a cache line */
    if (floats <= a->scratch_floats && threads <= a->scratch_threads)
        return T2G_OK;
    t2g_free(a->scratch);
    a->scratch = t2g_calloc(threads * floats, sizeof(float));
    a->scratch_floats = a->scratch ? floats : 0;
    a->scratch_threads = a->scratch ? threads : 0;
    return a->scratch ? T2G_OK : T2G_ERR_MEMORY;
}

float *t2g_thread_scratch(const t2g_activations *a)
{
    return a->scratch + (size_t)t2g_thread_number() * a->scratch_floats;
}

t2g_status t2g_activations_rows(t2g_activations *a, size_t rows)
{
    if (rows <= a->row_capacity)
        return T2G_OK;
    t2g_packed_row *row = t2g_regrow(a->row, 0, rows, sizeof *row);
    if (!row)
        return T2G_ERR_MEMORY;
    a->row = row;
    a->row_capacity = rows;
    return T2G_OK;
}

/* --- the layer ------------------------------------------------------------ */

static void norm(const t2g_model *m, float *y, float *s, const float *x,
                 const t2g_param *g, size_t T)
{
    size_t H = m->config.hidden_size;
#pragma omp parallel for schedule(static) if (T > 16)
    for (size_t t = 0; t < T; t++)
        s[t] = m->kernels.rmsnorm(y + t * H, x + t * H, g->weight, H,
                                  m->config.rms_norm_eps);
}

static const float *bias_of(const t2g_param *p)
{
    return p ? p->weight : NULL;
}

/* y = x + W h (+ b): the chain of each output starts from the residual. */
static void add_linear(const t2g_model *m, float *y, const float *x,
                       const float *h, const t2g_param *w, const t2g_param *b,
                       size_t T)
{
    size_t H = w->rows;
    if (y != x)
        memcpy(y, x, T * H * sizeof *y);
    if (b)
        for (size_t t = 0; t < T; t++)
            for (size_t j = 0; j < H; j++)
                y[t * H + j] += b->weight[j];
    t2g_linear(&m->kernels, y, h, w, NULL, 1, T);
}

static void rotate(const t2g_model *m, const t2g_activations *a,
                   const t2g_layer_acts *y, size_t T)
{
    size_t d = m->config.head_dim, half = d / 2;
    size_t A = m->config.num_attention_heads;
    size_t K = m->config.num_key_value_heads;
#pragma omp parallel for schedule(static) if (T > 16)
    for (size_t t = 0; t < T; t++) {
        const float *c = a->rope.cos + a->position[t] * half;
        const float *s = a->rope.sin + a->position[t] * half;
        m->kernels.rope(y->q + t * A * d, A, d, c, s, 1);
        m->kernels.rope(y->k + t * K * d, K, d, c, s, 1);
    }
}

/* Puts a row's new keys and values of one head behind those in the cache. */
static void extend_cache(const t2g_model *m, const t2g_layer_acts *y,
                         const t2g_packed_row *r, size_t head, float *keys,
                         float *values)
{
    size_t d = m->config.head_dim, ld = m->config.num_key_value_heads * d;
    for (size_t t = 0; t < r->count; t++) {
        size_t p = r->first + t;
        const float *k = y->k + (r->begin + t) * ld + head * d;
        float *panel = keys + p / T2G_PANEL * T2G_PANEL * d + p % T2G_PANEL;
        for (size_t i = 0; i < d; i++)
            panel[i * T2G_PANEL] = k[i];
        memcpy(values + p * d, y->v + (r->begin + t) * ld + head * d,
               d * sizeof(float));
    }
}

/* One row and key/value head: the query heads of its group, in order. */
static void attend(const t2g_model *m, const t2g_activations *a,
                   const t2g_layer_acts *y, size_t layer,
                   const t2g_packed_row *r, size_t head, t2g_kv_cache *cache)
{
    const t2g_config *c = &m->config;
    size_t d = c->head_dim, A = c->num_attention_heads;
    size_t K = c->num_key_value_heads, group = A / K;
    size_t end = r->first + r->count;
    float *keys = t2g_thread_scratch(a);
    float *scratch = keys + t2g_panel_floats(d, end), *v = NULL;
    size_t ldv = d;
    if (cache) {
        scratch = keys;
        size_t at = cache_offset(cache, m, r->slot, layer, head);
        keys = cache->keys + at;
        v = cache->values + at;
        extend_cache(m, y, r, head, keys, v);
    } else {
        ldv = K * d;
        v = y->v + r->begin * ldv + head * d;
        m->kernels.pack(keys, y->k + r->begin * ldv + head * d, ldv, 1, d,
                        r->count);
    }
    float scale = 1.0f / sqrtf((float)d);
    for (size_t g = 0; g < group; g++) {
        size_t q = head * group + g, at = r->begin * A * d + q * d;
        m->kernels.attention(y->o + at, A * d,
                             y->lse + 2 * (q * a->tokens + r->begin),
                             y->q + at, A * d, r->count, r->first, keys, v,
                             ldv, d, scale, scratch);
    }
}

static void attention(const t2g_model *m, const t2g_activations *a, size_t l,
                      size_t rows, t2g_kv_cache *cache)
{
    size_t K = m->config.num_key_value_heads;
    const t2g_layer_acts *y = &a->layer[l];
#pragma omp parallel for collapse(2) schedule(dynamic) if (rows * K > 1)
    for (size_t r = 0; r < rows; r++)
        for (size_t h = 0; h < K; h++)
            attend(m, a, y, l, &a->row[r], h, cache);
}

static void swiglu(const t2g_model *m, const t2g_layer_acts *y, size_t T)
{
    size_t I = m->config.intermediate_size;
#pragma omp parallel for schedule(static) if (T > 4)
    for (size_t t = 0; t < T; t++)
        m->kernels.swiglu(y->act + t * I, y->gate + t * I, y->up + t * I, I);
}

/* next = layer(y->x); next may be y->x when nothing is kept. */
static void layer_forward(const t2g_model *m, t2g_activations *a, size_t l,
                          size_t rows, float *next, t2g_kv_cache *cache)
{
    const t2g_kernels *k = &m->kernels;
    const t2g_layer *w = &m->layer[l];
    t2g_layer_acts *y = &a->layer[l];
    size_t T = a->tokens;

    norm(m, y->h1, y->s1, y->x, w->input_norm, T);
    t2g_linear(k, y->q, y->h1, w->q, bias_of(w->q_bias), 0, T);
    t2g_linear(k, y->k, y->h1, w->k, bias_of(w->k_bias), 0, T);
    t2g_linear(k, y->v, y->h1, w->v, bias_of(w->v_bias), 0, T);
    rotate(m, a, y, T);
    attention(m, a, l, rows, cache);
    add_linear(m, y->mid, y->x, y->o, w->o, w->o_bias, T);

    norm(m, y->h2, y->s2, y->mid, w->post_norm, T);
    t2g_linear(k, y->gate, y->h2, w->gate, bias_of(w->gate_bias), 0, T);
    t2g_linear(k, y->up, y->h2, w->up, bias_of(w->up_bias), 0, T);
    swiglu(m, y, T);
    add_linear(m, next, y->mid, y->act, w->down, w->down_bias, T);
}

/* --- the pass ------------------------------------------------------------- */

static t2g_status check_ids(const t2g_model *m, const uint32_t *id, size_t T)
{
    for (size_t t = 0; t < T; t++)
        if (id[t] >= m->config.vocab_size)
            return t2g_fail(T2G_ERR_ARG, "token id %u at position %zu of the "
                            "batch, the model knows 0 to %zu", id[t], t,
                            m->config.vocab_size - 1);
    return T2G_OK;
}

static void embed(const t2g_model *m, float *x, const uint32_t *id, size_t T)
{
    size_t H = m->config.hidden_size;
    for (size_t t = 0; t < T; t++)
        memcpy(x + t * H, m->embed->weight + id[t] * H, H * sizeof *x);
}

/* Positions of all tokens; the longest row's end. */
static t2g_status place_tokens(t2g_activations *a, size_t rows, size_t T,
                               size_t *longest)
{
    if (T > a->position_capacity) {
        size_t *p = t2g_regrow(a->position, 0, T, sizeof *p);
        if (!p)
            return T2G_ERR_MEMORY;
        a->position = p;
        a->position_capacity = T;
    }
    *longest = 0;
    for (size_t r = 0; r < rows; r++) {
        const t2g_packed_row *row = &a->row[r];
        for (size_t t = 0; t < row->count; t++)
            a->position[row->begin + t] = row->first + t;
        if (row->first + row->count > *longest)
            *longest = row->first + row->count;
    }
    return T2G_OK;
}

t2g_status t2g_forward_rows(const t2g_model *m, t2g_activations *a,
                            const uint32_t *id, size_t rows, size_t T,
                            bool keep, t2g_kv_cache *cache)
{
    size_t L = m->config.num_hidden_layers, d = m->config.head_dim, longest;
    T2G_TRY(check_ids(m, id, T));
    T2G_TRY(place_tokens(a, rows, T, &longest));
    T2G_TRY(t2g_rope_table_reach(&a->rope, m, longest));
    T2G_TRY(t2g_scratch_reach(a, t2g_panel_floats(d, longest) +
                                     8 * (longest + 32)));
    T2G_TRY(lay_out(a, T, keep));
    embed(m, a->layer[0].x, id, T);
    for (size_t l = 0; l < L; l++)
        layer_forward(m, a, l, rows,
                      l + 1 < L ? a->layer[l + 1].x : a->final_x, cache);
    norm(m, a->hidden, a->final_s, a->final_x, m->norm, T);
    return T2G_OK;
}

t2g_status t2g_forward(const t2g_model *m, t2g_activations *a,
                       const t2g_batch *batch, bool keep, const float **hidden)
{
    T2G_TRY(t2g_activations_rows(a, batch->rows));
    for (size_t r = 0; r < batch->rows; r++)
        a->row[r] = (t2g_packed_row){
            .begin = batch->row[r] - batch->row[0],
            .count = batch->row[r + 1] - batch->row[r]};
    size_t T = batch->row[batch->rows] - batch->row[0];
    if (T == 0)
        return t2g_fail(T2G_ERR_ARG, "a batch without tokens");
    T2G_TRY(t2g_forward_rows(m, a, batch->id + batch->row[0], batch->rows, T,
                             keep, NULL));
    *hidden = a->hidden;
    return T2G_OK;
}

const float *t2g_hidden(const t2g_activations *a, size_t l)
{
    return l < a->model->config.num_hidden_layers ? a->layer[l].x : a->final_x;
}
