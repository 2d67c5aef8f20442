/* Generation and training of small models, on all threads. */
#include <string.h>

#include "bench.h"

/* --- models -------------------------------------------------------------- */

static t2g_status make_model(t2g_model **m, const bench_shape *s,
                             const t2g_kernels *k)
{
    const t2g_config c = {
        .vocab_size = s->vocab, .hidden_size = s->hidden,
        .intermediate_size = s->intermediate, .num_hidden_layers = s->layers,
        .num_attention_heads = s->heads, .num_key_value_heads = s->kv_heads,
        .head_dim = s->head_dim, .max_position_embeddings = 2048,
        .rms_norm_eps = 1e-5f, .tie_word_embeddings = true,
        .bos_token_id = -1, .pad_token_id = -1, .initializer_range = 0.02,
        .rope_theta = 10000, .rope_factor = 1};
    return t2g_model_init(m, &c, k, 42, true);
}

/* Weights that a token meets in products: all but the norms. */
static double product_weights(const t2g_model *m)
{
    double n = 0;
    for (size_t i = 0; i < m->params; i++)
        if (m->param[i].product)
            n += (double)m->param[i].rows * (double)m->param[i].cols;
    return n;
}

/* Rows of one length with ids spread over the vocabulary. */
typedef struct rows {
    uint32_t *id;
    size_t *row, count;
} rows;

static void free_rows(rows *r)
{
    t2g_free(r->id);
    t2g_free(r->row);
}

static t2g_status make_rows(rows *r, size_t count, size_t length, size_t vocab)
{
    *r = (rows){.id = t2g_calloc(count * length, sizeof *r->id),
                .row = t2g_calloc(count + 1, sizeof *r->row), .count = count};
    if (!r->id || !r->row) {
        free_rows(r);
        return T2G_ERR_MEMORY;
    }
    for (size_t i = 0; i < count * length; i++)
        r->id[i] = (uint32_t)(i * 2654435761u % vocab);
    for (size_t i = 0; i <= count; i++)
        r->row[i] = i * length;
    return T2G_OK;
}

/* --- decode -------------------------------------------------------------- */

enum { PROMPT = 32, NEW_TOKENS = 32 };

typedef struct decode_call {
    const t2g_model *model;
    rows prompts;
} decode_call;

static t2g_status decode(void *context)
{
    const decode_call *c = context;
    const t2g_batch batch = {c->prompts.id, c->prompts.row, c->prompts.count};
    const t2g_sampling s = {.do_sample = true, .temperature = 1, .top_p = 1,
                            .max_new_tokens = NEW_TOKENS, .seed = 42};
    t2g_generation g = {0};
    t2g_status status = t2g_generate(c->model, &batch, &s, 0, NULL, 0, NULL,
                                     NULL, &g);
    t2g_generation_free(&g);
    return status;
}

/* Weights larger than the cache are read once a step for all rows together; if
 * that takes less than the arithmetic, or nothing at all, arithmetic is the
 * bound. The prompt's tokens are processed too, and counted in the cost. */
static t2g_status bench_decode_rows(bench *b, const bench_shape *s,
                                    const t2g_model *m, size_t count)
{
    char shape[64];
    decode_call c = {.model = m};
    double n = product_weights(m), tokens = (double)count * NEW_TOKENS;
    double flops = 2 * n * (double)count * (PROMPT + NEW_TOKENS);
    double bytes = sizeof(float) * n * (NEW_TOKENS + 1);
    bool memory = sizeof(float) * n > (double)b->cache &&
                  bytes / b->peak.bytes > flops / b->peak.flops;
    T2G_TRY(make_rows(&c.prompts, count, PROMPT, s->vocab));
    snprintf(shape, sizeof shape, "%s rows %zu", s->name, count);
    const bench_entry e = {
        .group = "decode", .name = "generate", .shape = shape,
        .isa = m->kernels.isa, .threads = t2g_threads(), .amount = tokens,
        .scale = 1, .unit = "tok/s",
        .bound = memory ? BOUND_BANDWIDTH : BOUND_FLOPS,
        .cost = memory ? bytes : flops, .run = decode, .context = &c};
    t2g_status status = bench_measure(b, &e);
    free_rows(&c.prompts);
    return status;
}

t2g_status bench_decode(bench *b, const t2g_kernels *k)
{
    static const size_t counts[] = {1, 8, 96};
    t2g_status s = T2G_OK;
    for (size_t i = 0; s == T2G_OK && i < BENCH_SMALL; i++) {
        t2g_model *m;
        T2G_TRY(make_model(&m, &bench_shapes[i], k));
        for (size_t j = 0; s == T2G_OK && j < 3; j++)
            s = bench_decode_rows(b, &bench_shapes[i], m, counts[j]);
        t2g_model_free(m);
    }
    return s;
}

/* --- training ------------------------------------------------------------ */

enum { ROWS = 16, LENGTH = 64, STEP_TOKENS = ROWS * LENGTH };

typedef struct train_call {
    t2g_model *model;
    t2g_activations *acts;
    t2g_optimizer *optimizer;
    rows batch;
    t2g_decision *decision;
    float *logprob, *weight, *d_hidden;
} train_call;

/* Forward, cross-entropy on every next token, backward, AdamW. */
static t2g_status train_step(void *context)
{
    train_call *c = context;
    const t2g_batch batch = {c->batch.id, c->batch.row, ROWS};
    const size_t n = STEP_TOKENS - ROWS;
    const float *hidden;
    T2G_TRY(t2g_forward(c->model, c->acts, &batch, true, &hidden));
    T2G_TRY(t2g_head_logprobs(c->model, hidden, NULL, NULL, c->decision, n,
                              c->logprob, NULL, NULL, NULL, NULL));
    memset(c->d_hidden, 0,
           STEP_TOKENS * c->model->config.hidden_size * sizeof *c->d_hidden);
    T2G_TRY(t2g_head_backward(c->model, hidden, c->decision, n, c->weight,
                              NULL, c->d_hidden));
    T2G_TRY(t2g_backward(c->model, c->acts, &batch, c->d_hidden));
    return t2g_optimizer_step(c->optimizer, c->model, 1e-4, NULL);
}

static void list_decisions(train_call *c)
{
    size_t n = 0;
    for (size_t r = 0; r < ROWS; r++)
        for (size_t i = 0; i + 1 < LENGTH; i++) {
            size_t at = r * LENGTH + i;
            c->decision[n] = (t2g_decision){at, c->batch.id[at + 1]};
            c->weight[n++] = -1.0f / (STEP_TOKENS - ROWS);
        }
}

static t2g_status make_training(train_call *c, const bench_shape *s,
                                const t2g_kernels *k)
{
    const t2g_optim_config optim = {T2G_ADAMW, 0.9, 0.999, 1e-8, 0.01, 1};
    T2G_TRY(make_model(&c->model, s, k));
    T2G_TRY(t2g_model_make_trainable(c->model));
    T2G_TRY(t2g_activations_new(&c->acts, c->model));
    T2G_TRY(t2g_optimizer_new(&c->optimizer, &optim, c->model));
    T2G_TRY(make_rows(&c->batch, ROWS, LENGTH, s->vocab));
    c->decision = t2g_calloc(STEP_TOKENS, sizeof *c->decision);
    c->logprob = t2g_calloc(STEP_TOKENS, sizeof *c->logprob);
    c->weight = t2g_calloc(STEP_TOKENS, sizeof *c->weight);
    c->d_hidden = t2g_calloc(STEP_TOKENS * s->hidden, sizeof *c->d_hidden);
    if (!c->decision || !c->logprob || !c->weight || !c->d_hidden)
        return T2G_ERR_MEMORY;
    list_decisions(c);
    return T2G_OK;
}

static void free_training(train_call *c)
{
    t2g_optimizer_free(c->optimizer);
    t2g_activations_free(c->acts);
    t2g_model_free(c->model);
    free_rows(&c->batch);
    t2g_free(c->decision);
    t2g_free(c->logprob);
    t2g_free(c->weight);
    t2g_free(c->d_hidden);
}

/* Model FLOPs as usually counted: 6 a weight and token, and 12 a pair of tokens
 * and component in attention (forward 4, backward 8); recomputing is not
 * counted. */
static double model_flops(const train_call *c, const bench_shape *s)
{
    double pairs = 0.5 * ROWS * LENGTH * (LENGTH + 1);
    double width = (double)(s->layers * s->heads * s->head_dim);
    return 6 * product_weights(c->model) * STEP_TOKENS + 12 * pairs * width;
}

static t2g_status bench_train_shape(bench *b, const bench_shape *s,
                                    const t2g_kernels *k)
{
    char shape[64];
    train_call c = {0};
    t2g_status status = make_training(&c, s, k);
    if (status == T2G_OK) {
        snprintf(shape, sizeof shape, "%s %dx%d", s->name, ROWS, LENGTH);
        const bench_entry e = {
            .group = "train", .name = "step", .shape = shape, .isa = k->isa,
            .threads = t2g_threads(), .amount = STEP_TOKENS, .scale = 1,
            .unit = "tok/s", .bound = BOUND_FLOPS, .cost = model_flops(&c, s),
            .run = train_step, .context = &c};
        status = bench_measure(b, &e);
    }
    free_training(&c);
    return status;
}

t2g_status bench_train(bench *b, const t2g_kernels *k)
{
    for (size_t i = 0; i < BENCH_SMALL; i++)
        T2G_TRY(bench_train_shape(b, &bench_shapes[i], k));
    return T2G_OK;
}
