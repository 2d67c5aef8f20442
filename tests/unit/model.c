/* Models: what bits may not depend on, gradients against differences, folders
 * written and read, and what is said about bad ones. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "folder.h"
#include "t2g/t2g.h"

static t2g_kernels kernels;

#define OK(call)                                                               \
    do {                                                                       \
        if ((call) != T2G_OK)                                                  \
            fail_msg("%s", t2g_error_message());                               \
    } while (0)

/* Large enough that products, rows and decisions are split over threads; sizes
 * that fill no vector; grouped heads, biases, an untied head. */
static const t2g_config wide = {
    .vocab_size = 211, .hidden_size = 54, .intermediate_size = 93,
    .num_hidden_layers = 2, .num_attention_heads = 6, .num_key_value_heads = 2,
    .head_dim = 10, .max_position_embeddings = 128, .rms_norm_eps = 1e-5f,
    .attention_bias = true, .mlp_bias = true, .bos_token_id = -1,
    .pad_token_id = 5, .eos_token_id = {1}, .eos_count = 1,
    .initializer_range = 0.2, .rope_theta = 10000, .rope_factor = 1,
    .rope_beta_fast = 32, .rope_beta_slow = 1};

/* Small and tied, with llama3's frequencies. */
static const t2g_config small = {
    .vocab_size = 37, .hidden_size = 12, .intermediate_size = 17,
    .num_hidden_layers = 2, .num_attention_heads = 3, .num_key_value_heads = 1,
    .head_dim = 6, .max_position_embeddings = 64, .rms_norm_eps = 1e-5f,
    .tie_word_embeddings = true, .bos_token_id = 0, .pad_token_id = -1,
    .eos_token_id = {1, 7}, .eos_count = 2, .initializer_range = 0.1,
    .rope_type = T2G_ROPE_LLAMA3, .rope_theta = 500000, .rope_factor = 8,
    .rope_low = 1, .rope_high = 4, .rope_original = 16, .rope_beta_fast = 32,
    .rope_beta_slow = 1};

/* --- packed rows of random tokens ----------------------------------------- */

enum { MOST_ROWS = 40, MOST_TOKENS = 1024 };

typedef struct rows {
    uint32_t id[MOST_TOKENS];
    size_t row[MOST_ROWS + 1], rows;
} rows;

static void make_rows(rows *r, const size_t *length, size_t count,
                      const t2g_config *c)
{
    const t2g_stream stream = {3, 0, 0, T2G_RNG_TASK};
    r->rows = count;
    r->row[0] = 0;
    for (size_t i = 0; i < count; i++)
        r->row[i + 1] = r->row[i] + length[i];
    assert_true(r->row[count] <= MOST_TOKENS);
    for (size_t t = 0; t < r->row[count]; t++)
        r->id[t] = t2g_random_below(&stream, t, (uint32_t)c->vocab_size);
}

/* Rows around a panel of keys, one of a single token. */
static void some_rows(rows *r, const t2g_config *c)
{
    static const size_t length[] = {33, 1, 20, 32, 7, 31};
    make_rows(r, length, 6, c);
}

/* Rows first .. first+count-1. */
static t2g_batch rows_of(const rows *r, size_t first, size_t count)
{
    return (t2g_batch){r->id, r->row + first, count};
}

/* --- a loss and its gradient ---------------------------------------------- */

/* loss = sum of g*logprob + h*entropy + c*value over the decisions for all
 * tokens but each row's first; weights by the token's place among all rows, so
 * that they do not depend on how these are batched. */
typedef struct pass {
    t2g_decision decision[MOST_TOKENS];
    size_t position[MOST_TOKENS], n;
    float g[MOST_TOKENS], h[MOST_TOKENS], c[MOST_TOKENS];
    float logprob[MOST_TOKENS], entropy[MOST_TOKENS], value[MOST_TOKENS];
    uint32_t best[MOST_TOKENS];
    float *hidden; /* a copy, [tokens, H] */
    size_t floats; /* of hidden */
    double loss;
} pass;

static float weight_of(size_t token, size_t kind)
{
    const t2g_stream stream = {5, (uint32_t)kind, 0, T2G_RNG_TASK};
    return (float)(t2g_random_unit(&stream, token) - 0.4) / 64;
}

static void add_decisions(pass *p, const t2g_batch *b)
{
    size_t begin = b->row[0];
    p->n = 0;
    for (size_t r = 0; r < b->rows; r++)
        for (size_t t = b->row[r]; t + 1 < b->row[r + 1]; t++) {
            p->decision[p->n] = (t2g_decision){t - begin, b->id[t + 1]};
            p->position[p->n] = t - begin;
            p->g[p->n] = weight_of(t, 0);
            p->h[p->n] = weight_of(t, 1);
            p->c[p->n++] = weight_of(t, 2);
        }
}

static pass *new_pass(void)
{
    pass *p = t2g_calloc(1, sizeof *p);
    assert_non_null(p);
    return p;
}

static void free_pass(pass *p)
{
    t2g_free(p->hidden);
    t2g_free(p);
}

static double loss_of(const pass *p)
{
    double loss = 0;
    for (size_t i = 0; i < p->n; i++)
        loss += (double)p->g[i] * (double)p->logprob[i] +
                (double)p->h[i] * (double)p->entropy[i] +
                (double)p->c[i] * (double)p->value[i];
    return loss;
}

/* Forward; backward too when m is trainable. Gradients are added. */
static t2g_status run_pass(pass *p, t2g_model *m, t2g_activations *a,
                           const t2g_batch *b)
{
    const float *hidden;
    size_t H = m->config.hidden_size, T = b->row[b->rows] - b->row[0];
    add_decisions(p, b);
    T2G_TRY(t2g_forward(m, a, b, m->trainable, &hidden));
    T2G_TRY(t2g_head_logprobs(m, hidden, NULL, NULL, p->decision, p->n,
                              p->logprob, p->entropy, p->best, NULL, NULL));
    t2g_values(m, hidden, p->position, p->n, p->value);
    p->loss = loss_of(p);
    t2g_free(p->hidden);
    p->floats = T * H;
    p->hidden = t2g_calloc(T * H, sizeof *p->hidden);
    float *d_hidden = t2g_calloc(T * H, sizeof *d_hidden);
    t2g_status s = p->hidden && d_hidden ? T2G_OK : T2G_ERR_MEMORY;
    if (s == T2G_OK)
        memcpy(p->hidden, hidden, T * H * sizeof *hidden);
    if (s == T2G_OK && m->trainable) {
        s = t2g_head_backward(m, hidden, p->decision, p->n, p->g, p->h,
                              d_hidden);
        t2g_values_backward(m, hidden, p->position, p->n, p->c, d_hidden);
        if (s == T2G_OK)
            s = t2g_backward(m, a, b, d_hidden);
    }
    t2g_free(d_hidden);
    return s;
}

static t2g_model *new_model(const t2g_config *c, const t2g_kernels *k)
{
    t2g_model *m;
    OK(t2g_model_init(&m, c, k, 11, true));
    for (size_t i = 0; i < m->params; i++) /* biases and norms are constant */
        for (size_t j = 0; j < m->param[i].rows * m->param[i].cols; j++)
            m->param[i].weight[j] += 0.05f * (float)((i + 7 * j) % 11) - 0.25f;
    OK(t2g_model_add_value_head(m, 12));
    t2g_model_pack(m);
    return m;
}

static t2g_model *new_trainable(const t2g_config *c, const t2g_kernels *k)
{
    t2g_model *m = new_model(c, k);
    OK(t2g_model_make_trainable(m));
    return m;
}

static void run_batch(pass *p, t2g_model *m, const t2g_batch *b)
{
    t2g_activations *a;
    OK(t2g_activations_new(&a, m));
    OK(run_pass(p, m, a, b));
    t2g_activations_free(a);
}

static size_t elements(const t2g_param *p)
{
    return p->rows * p->cols;
}

static void assert_same_bits(const char *what, const float *got,
                             const float *want, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (memcmp(&got[i], &want[i], sizeof *got) != 0)
            fail_msg("%s[%zu]: wanted %.9g, got %.9g", what, i,
                     (double)want[i], (double)got[i]);
}

static void assert_same_gradients(const t2g_model *got, const t2g_model *want)
{
    double sum = 0;
    assert_int_equal(got->params, want->params);
    for (size_t i = 0; i < got->params; i++) {
        assert_same_bits(got->param[i].name, got->param[i].grad,
                         want->param[i].grad, elements(&got->param[i]));
        for (size_t j = 0; j < elements(&got->param[i]); j++)
            sum += fabs((double)got->param[i].grad[j]);
    }
    assert_true(sum > 0 && isfinite(sum));
}

static void assert_same_pass(const pass *got, const pass *want)
{
    assert_int_equal(got->n, want->n);
    assert_int_equal(got->floats, want->floats);
    assert_same_bits("hidden", got->hidden, want->hidden, want->floats);
    assert_same_bits("logprob", got->logprob, want->logprob, want->n);
    assert_same_bits("entropy", got->entropy, want->entropy, want->n);
    assert_same_bits("value", got->value, want->value, want->n);
    assert_memory_equal(got->best, want->best, want->n * sizeof *want->best);
}

/* --- what bits do not depend on ------------------------------------------- */

static void packed_rows_are_rows_alone(void **state)
{
    pass *all = new_pass(), *one = new_pass();
    rows r;
    (void)state;
    some_rows(&r, &wide);
    t2g_model *m = new_model(&wide, &kernels);
    const t2g_batch batch = rows_of(&r, 0, r.rows);
    run_batch(all, m, &batch);
    size_t at = 0, H = wide.hidden_size;
    for (size_t i = 0; i < r.rows; i++) {
        const t2g_batch alone = rows_of(&r, i, 1);
        run_batch(one, m, &alone);
        assert_same_bits("hidden", one->hidden, all->hidden + r.row[i] * H,
                         one->floats);
        assert_same_bits("logprob", one->logprob, all->logprob + at, one->n);
        assert_same_bits("entropy", one->entropy, all->entropy + at, one->n);
        assert_same_bits("value", one->value, all->value + at, one->n);
        at += one->n;
    }
    assert_int_equal(at, all->n);
    free_pass(all);
    free_pass(one);
    t2g_model_free(m);
}

static void micro_batches_are_one_batch_of(const t2g_config *c)
{
    pass *p = new_pass();
    rows r;
    static const size_t cut[] = {0, 2, 3, 6};
    some_rows(&r, c);
    t2g_model *whole = new_trainable(c, &kernels);
    t2g_model *parts = new_trainable(c, &kernels);
    t2g_activations *a;
    const t2g_batch batch = rows_of(&r, 0, r.rows);
    run_batch(p, whole, &batch);
    OK(t2g_activations_new(&a, parts)); /* reused: shrinks and grows */
    for (size_t i = 0; i < 3; i++) {
        const t2g_batch b = rows_of(&r, cut[i], cut[i + 1] - cut[i]);
        OK(run_pass(p, parts, a, &b));
    }
    t2g_model_finish_grad(whole);
    t2g_model_finish_grad(parts);
    assert_same_gradients(parts, whole);
    t2g_activations_free(a);
    free_pass(p);
    t2g_model_free(whole);
    t2g_model_free(parts);
}

static void micro_batches_are_one_batch(void **state)
{
    (void)state;
    micro_batches_are_one_batch_of(&wide);
    micro_batches_are_one_batch_of(&small);
}

/* Forward and backward with these kernels equal `want`. */
static void assert_same_with(const t2g_kernels *k, const rows *r,
                             const pass *want, const t2g_model *want_grads)
{
    pass *got = new_pass();
    const t2g_batch batch = rows_of(r, 0, r->rows);
    t2g_model *m = new_trainable(&wide, k);
    run_batch(got, m, &batch);
    t2g_model_finish_grad(m);
    assert_same_pass(got, want);
    assert_same_gradients(m, want_grads);
    free_pass(got);
    t2g_model_free(m);
}

/* Every instruction set with 1 to 3 threads: the scalar code's bits. */
static void threads_and_isas_do_not_matter(void **state)
{
    pass *want = new_pass();
    rows r;
    int threads = t2g_threads();
    t2g_kernels scalar;
    (void)state;
    some_rows(&r, &wide);
    const t2g_batch batch = rows_of(&r, 0, r.rows);
    t2g_kernels_ref(&scalar);
    OK(t2g_set_threads(1));
    t2g_model *m = new_trainable(&wide, &scalar);
    run_batch(want, m, &batch);
    t2g_model_finish_grad(m);
    const char *const *isa = t2g_isa_available();
    for (; *isa; isa++) {
        t2g_kernels k;
        OK(t2g_kernels_select(&k, *isa));
        for (int n = 1; n <= 3; n++) {
            OK(t2g_set_threads(n));
            assert_same_with(&k, &r, want, m);
        }
    }
    OK(t2g_set_threads(threads));
    free_pass(want);
    t2g_model_free(m);
}

/* Cross-entropy in one pass is log-probabilities, then their gradient. */
static void cross_entropy_is_both_passes(void **state)
{
    pass *p = new_pass();
    rows r;
    static float logprob[MOST_TOKENS], entropy[MOST_TOKENS];
    static uint32_t best[MOST_TOKENS];
    (void)state;
    some_rows(&r, &wide);
    const t2g_batch batch = rows_of(&r, 0, r.rows);
    size_t n = r.row[r.rows] * wide.hidden_size;
    t2g_model *one = new_trainable(&wide, &kernels);
    t2g_model *two = new_trainable(&wide, &kernels);
    float *d_one = t2g_calloc(n, sizeof *d_one);
    float *d_two = t2g_calloc(n, sizeof *d_two);
    assert_true(d_one && d_two);
    run_batch(p, one, &batch);
    t2g_model_zero_grad(one);
    OK(t2g_head_cross_entropy(one, p->hidden, p->decision, p->n, p->g, d_one,
                              logprob, entropy, best));
    OK(t2g_head_backward(two, p->hidden, p->decision, p->n, p->g, NULL, d_two));
    assert_same_bits("logprob", logprob, p->logprob, p->n);
    assert_same_bits("entropy", entropy, p->entropy, p->n);
    assert_memory_equal(best, p->best, p->n * sizeof *best);
    assert_same_bits("d_hidden", d_one, d_two, n);
    assert_same_gradients(one, two);
    t2g_free(d_one);
    t2g_free(d_two);
    free_pass(p);
    t2g_model_free(one);
    t2g_model_free(two);
}

/* A model against itself has no divergence; against another one it is that of
 * the logits, here in double. */
static void divergence(void **state)
{
    pass *p = new_pass(), *q = new_pass();
    rows r;
    static float kl[MOST_TOKENS], ref_logprob[MOST_TOKENS];
    static float z[40 * 37], zr[40 * 37];
    t2g_config other = small;
    size_t V = small.vocab_size;
    (void)state;
    make_rows(&r, (const size_t[]){40}, 1, &small);
    const t2g_batch batch = rows_of(&r, 0, 1);
    other.num_hidden_layers = 1;
    t2g_model *m = new_model(&small, &kernels), *ref = new_model(&other,
                                                                 &kernels);
    run_batch(q, ref, &batch);
    run_batch(p, m, &batch);
    OK(t2g_head_logits(m, p->hidden, p->position, p->n, z));
    OK(t2g_head_logits(ref, q->hidden, p->position, p->n, zr));
    OK(t2g_head_logprobs(m, p->hidden, ref, q->hidden, p->decision, p->n,
                         p->logprob, NULL, NULL, kl, ref_logprob));
    for (size_t i = 0; i < p->n; i++) {
        double sum = 0, ref_sum = 0, want = 0;
        for (size_t j = 0; j < V; j++) {
            sum += exp((double)z[i * V + j]);
            ref_sum += exp((double)zr[i * V + j]);
        }
        for (size_t j = 0; j < V; j++) {
            double lp = (double)z[i * V + j] - log(sum);
            want += exp(lp) * (lp - (double)zr[i * V + j] + log(ref_sum));
        }
        uint32_t target = p->decision[i].target;
        assert_true(fabs((double)kl[i] - want) < 1e-5 * (1 + want));
        assert_true(fabs((double)ref_logprob[i] - (double)zr[i * V + target] +
                         log(ref_sum)) < 1e-5);
    }
    OK(t2g_head_logprobs(m, p->hidden, m, p->hidden, p->decision, p->n,
                         p->logprob, NULL, NULL, kl, ref_logprob));
    for (size_t i = 0; i < p->n; i++)
        assert_true(kl[i] == 0 && ref_logprob[i] == p->logprob[i]);
    free_pass(q);
    free_pass(p);
    t2g_model_free(m);
    t2g_model_free(ref);
}

/* --- gradients against differences ---------------------------------------- */

/* A step in the weights of one tensor, or of all (only = params): 0.6 in the
 * gradient's direction and 0.4 in a random one. */
typedef struct direction {
    float *step;  /* of all parameters, one after the other */
    double slope; /* gradient . step */
} direction;

/* Sums of squares of gradient and random numbers over the chosen tensors. */
static void lengths(const t2g_model *m, const float *random, size_t only,
                    double *gradient, double *noise)
{
    *gradient = *noise = 0;
    for (size_t i = 0, k = 0; i < m->params; i++)
        for (size_t j = 0; j < elements(&m->param[i]); j++, k++)
            if (only == m->params || only == i) {
                double g = (double)m->param[i].grad[j];
                *gradient += g * g;
                *noise += (double)random[k] * (double)random[k];
            }
}

static direction new_direction(const t2g_model *m, size_t only)
{
    size_t n = t2g_model_parameters(m);
    direction d = {.step = t2g_calloc(n, sizeof *d.step)};
    const t2g_stream stream = {8, (uint32_t)only, 0, T2G_RNG_TASK};
    double gradient, noise;
    assert_non_null(d.step);
    for (size_t k = 0; k < n; k++)
        d.step[k] = t2g_random_normal(&stream, k);
    lengths(m, d.step, only, &gradient, &noise);
    for (size_t i = 0, k = 0; i < m->params; i++)
        for (size_t j = 0; j < elements(&m->param[i]); j++, k++) {
            double g = (double)m->param[i].grad[j];
            double x = 0.6 * g / sqrt(gradient) +
                       0.4 * (double)d.step[k] / sqrt(noise);
            d.step[k] = only == m->params || only == i ? (float)x : 0;
            d.slope += g * (double)d.step[k];
        }
    return d;
}

/* The loss of m moved by h steps. */
static double loss_at(const t2g_model *m, const direction *d,
                      const t2g_batch *b, double h)
{
    pass *p = new_pass();
    t2g_model *moved;
    OK(t2g_model_clone(&moved, m));
    for (size_t i = 0, k = 0; i < m->params; i++)
        for (size_t j = 0; j < elements(&m->param[i]); j++, k++)
            moved->param[i].weight[j] = (float)(
                (double)m->param[i].weight[j] + h * (double)d->step[k]);
    t2g_model_pack(moved);
    run_batch(p, moved, b);
    double loss = p->loss;
    free_pass(p);
    t2g_model_free(moved);
    return loss;
}

static double central(const t2g_model *m, const direction *d,
                      const t2g_batch *b, double h)
{
    return (loss_at(m, d, b, h) - loss_at(m, d, b, -h)) / (2 * h);
}

/* Two differences combined leave a truncation error of order h^4: below 1e-4 of
 * the slope for h = 0.005 (measured over h). The loss is a sum in double of
 * floats that are off by some 1e-6 each and carry weights near 1/200: 1e-7 in
 * all, of which the differences make at most 3/h times as much, 6e-5, and
 * moving the weights in float as much again. */
static void assert_slope(const t2g_model *m, const t2g_batch *b, size_t only)
{
    const double h = 0.005;
    direction d = new_direction(m, only);
    double slope = (4 * central(m, &d, b, h / 2) - central(m, &d, b, h)) / 3;
    if (!(fabs(slope - d.slope) <= 1.2e-4 + 1e-4 * fabs(d.slope)))
        fail_msg("%s: gradient %.9g, difference %.9g",
                 only < m->params ? m->param[only].name : "all", d.slope,
                 slope);
    t2g_free(d.step);
}

static void gradient_is_slope_of(const t2g_config *c)
{
    pass *p = new_pass();
    rows r;
    some_rows(&r, c);
    const t2g_batch batch = rows_of(&r, 0, r.rows);
    t2g_model *m = new_trainable(c, &kernels);
    run_batch(p, m, &batch);
    t2g_model_finish_grad(m);
    for (size_t only = 0; only <= m->params; only++)
        assert_slope(m, &batch, only);
    free_pass(p);
    t2g_model_free(m);
}

static void gradient_is_slope(void **state)
{
    t2g_config no_pad = wide; /* whose row would get no gradient */
    (void)state;
    no_pad.pad_token_id = -1;
    gradient_is_slope_of(&no_pad);
    gradient_is_slope_of(&small);
}

/* The padding token is an input like another, but its row of the embedding gets
 * no gradient from the lookup. */
static void padding_gets_no_gradient(void **state)
{
    pass *p = new_pass();
    rows r;
    (void)state;
    some_rows(&r, &wide);
    r.id[3] = (uint32_t)wide.pad_token_id;
    const t2g_batch batch = rows_of(&r, 0, r.rows);
    t2g_model *m = new_trainable(&wide, &kernels);
    run_batch(p, m, &batch);
    t2g_model_finish_grad(m);
    size_t H = wide.hidden_size;
    double pad = 0, other = 0;
    for (size_t j = 0; j < H; j++) {
        pad += fabs((double)m->embed->grad[wide.pad_token_id * H + j]);
        other += fabs((double)m->embed->grad[r.id[4] * H + j]);
    }
    assert_true(pad == 0 && other > 0);
    free_pass(p);
    t2g_model_free(m);
}

/* --- generation ----------------------------------------------------------- */

static const t2g_sampling sampled = {.do_sample = true, .temperature = 1.25,
                                     .top_k = 30, .top_p = 0.9,
                                     .max_new_tokens = 40, .min_new_tokens = 2,
                                     .seed = 77, .step = 3};

/* Many prompts, some as long as a panel of keys and about. */
static void some_prompts(rows *r, size_t count, const t2g_config *c)
{
    static const size_t length[] = {1, 31, 5, 32, 12, 33, 2, 20};
    size_t all[MOST_ROWS];
    for (size_t i = 0; i < count; i++)
        all[i] = length[i % 8];
    make_rows(r, all, count, c);
}

static t2g_generation generate(const t2g_model *m, const t2g_batch *prompts,
                               const t2g_sampling *s, uint32_t first)
{
    t2g_generation g;
    OK(t2g_generate(m, prompts, s, first, m->config.eos_token_id,
                    m->config.eos_count, NULL, NULL, &g));
    assert_int_equal(g.rows, prompts->rows);
    return g;
}

/* Prompts with their responses behind them. */
static void whole_texts(rows *out, const rows *prompts, const t2g_generation *g)
{
    size_t n = 0;
    out->rows = g->rows;
    out->row[0] = 0;
    for (size_t r = 0; r < g->rows; r++) {
        for (size_t t = prompts->row[r]; t < prompts->row[r + 1]; t++)
            out->id[n++] = prompts->id[t];
        for (size_t t = g->row[r]; t < g->row[r + 1]; t++)
            out->id[n++] = g->id[t];
        out->row[r + 1] = n;
    }
    assert_true(n <= MOST_TOKENS);
}

static void cache_gives_the_same_bits_of(const t2g_config *c,
                                         const t2g_sampling *s)
{
    enum { PROMPTS = 8 };
    pass *p = new_pass();
    rows prompts, texts;
    some_prompts(&prompts, PROMPTS, c);
    t2g_model *m = new_model(c, &kernels);
    const t2g_batch batch = rows_of(&prompts, 0, PROMPTS);
    t2g_generation g = generate(m, &batch, s, 0);
    whole_texts(&texts, &prompts, &g);
    const t2g_batch whole = rows_of(&texts, 0, PROMPTS);
    run_batch(p, m, &whole);
    size_t at = 0; /* the decision for a text's second token */
    for (size_t r = 0; r < PROMPTS; r++) {
        size_t prompt = prompts.row[r + 1] - prompts.row[r];
        size_t response = g.row[r + 1] - g.row[r];
        assert_same_bits("logprob", g.logprob + g.row[r],
                         p->logprob + at + prompt - 1, response);
        at += prompt + response - 1;
    }
    assert_int_equal(at, p->n);
    t2g_generation_free(&g);
    free_pass(p);
    t2g_model_free(m);
}

static void cache_gives_the_same_bits(void **state)
{
    t2g_sampling greedy = sampled;
    (void)state;
    greedy.do_sample = false;
    cache_gives_the_same_bits_of(&wide, &sampled);
    cache_gives_the_same_bits_of(&small, &sampled);
    cache_gives_the_same_bits_of(&wide, &greedy);
}

static void assert_same_response(const t2g_generation *got, size_t i,
                                 const t2g_generation *want, size_t k)
{
    size_t n = want->row[k + 1] - want->row[k];
    assert_int_equal(got->row[i + 1] - got->row[i], n);
    assert_memory_equal(got->id + got->row[i], want->id + want->row[k],
                        n * sizeof *want->id);
    assert_same_bits("logprob", got->logprob + got->row[i],
                     want->logprob + want->row[k], n);
    assert_int_equal(got->ended[i], want->ended[k]);
}

/* Each row alone is what it is among many, with any number of threads. */
static void companions_do_not_matter(void **state)
{
    rows prompts;
    int threads = t2g_threads();
    bool ended[2] = {false, false};
    (void)state;
    some_prompts(&prompts, MOST_ROWS, &small);
    t2g_model *m = new_model(&small, &kernels);
    const t2g_batch batch = rows_of(&prompts, 0, MOST_ROWS);
    t2g_generation all = generate(m, &batch, &sampled, 0);
    for (size_t r = 0; r < MOST_ROWS; r++) {
        const t2g_batch one = rows_of(&prompts, r, 1);
        t2g_generation alone = generate(m, &one, &sampled, (uint32_t)r);
        assert_same_response(&alone, 0, &all, r);
        ended[all.ended[r]] = true;
        t2g_generation_free(&alone);
    }
    assert_true(ended[0] && ended[1]);
    for (int n = 2; n <= 3; n++) {
        OK(t2g_set_threads(n));
        t2g_generation again = generate(m, &batch, &sampled, 0);
        for (size_t r = 0; r < MOST_ROWS; r++)
            assert_same_response(&again, r, &all, r);
        t2g_generation_free(&again);
    }
    OK(t2g_set_threads(threads));
    t2g_generation_free(&all);
    t2g_model_free(m);
}

/* A model that finds all tokens equally likely. */
static t2g_model *indifferent_model(void)
{
    t2g_config c = small;
    t2g_model *m;
    c.tie_word_embeddings = false;
    OK(t2g_model_init(&m, &c, &kernels, 1, true));
    memset(m->head->weight, 0, elements(m->head) * sizeof(float));
    t2g_model_pack(m);
    return m;
}

/* Among equals the smallest id; end tokens only behind min_new_tokens. */
static void greedy_ties(void **state)
{
    static const uint32_t prompt[] = {4}, want[] = {1, 1, 1, 0};
    static const size_t row[] = {0, 1};
    static const int64_t eos[] = {0};
    const t2g_batch batch = {prompt, row, 1};
    const t2g_sampling s = {.temperature = 1, .top_p = 1, .max_new_tokens = 9,
                            .min_new_tokens = 3};
    t2g_model *m = indifferent_model();
    t2g_generation g;
    (void)state;
    OK(t2g_generate(m, &batch, &s, 0, eos, 1, NULL, NULL, &g));
    assert_int_equal(g.row[1], 4);
    assert_memory_equal(g.id, want, sizeof want);
    assert_int_equal(g.ended[0], 1);
    t2g_generation_free(&g);
    OK(t2g_generate(m, &batch, &s, 0, NULL, 0, NULL, NULL, &g));
    assert_int_equal(g.row[1], 9); /* no end tokens: as many as allowed */
    assert_int_equal(g.ended[0], 0);
    t2g_generation_free(&g);
    t2g_model_free(m);
}

/* With equal likelihoods token i of row r is floor(u*V), u being number i of
 * stream r; below top_p = 1 the `low` smallest ids, least of equals, leave. */
static void assert_draws(const t2g_model *m, double top_p, size_t low)
{
    rows prompts;
    const t2g_sampling s = {.do_sample = true, .temperature = 0.7,
                            .top_p = top_p, .max_new_tokens = 12, .seed = 5,
                            .step = 6};
    size_t V = m->config.vocab_size;
    t2g_generation g;
    some_prompts(&prompts, 3, &m->config);
    const t2g_batch batch = rows_of(&prompts, 0, 3);
    OK(t2g_generate(m, &batch, &s, 100, NULL, 0, NULL, NULL, &g));
    assert_int_equal(g.row[3], 36);
    for (uint32_t i = 0; i < 36; i++) {
        const t2g_stream stream = {s.seed, 100 + i / 12, s.step, T2G_RNG_SAMP};
        double u = t2g_random_unit(&stream, i % 12);
        assert_int_equal(g.id[i], low + (size_t)(u * (double)(V - low)));
        assert_true(fabs((double)g.logprob[i] + log((double)V)) < 1e-6);
    }
    t2g_generation_free(&g);
}

static void draws_follow_the_stream(void **state)
{
    t2g_model *m = indifferent_model();
    (void)state;
    assert_draws(m, 1, 0);
    assert_draws(m, 0.7, 11); /* 11/37 is the last share within 0.3 */
    t2g_model_free(m);
}

static t2g_status stop_soon(void *context, size_t done, size_t total,
                            uint64_t tokens)
{
    assert_true(done <= total);
    *(uint64_t *)context = tokens;
    return tokens < 20 ? T2G_OK : t2g_fail(T2G_ERR_INTERRUPTED, "enough");
}

static void generation_is_stopped(void **state)
{
    rows prompts;
    t2g_generation g;
    uint64_t tokens = 0;
    t2g_model *m = indifferent_model();
    (void)state;
    some_prompts(&prompts, 4, &small);
    const t2g_batch batch = rows_of(&prompts, 0, 4);
    assert_int_equal(t2g_generate(m, &batch, &sampled, 0, NULL, 0, stop_soon,
                                  &tokens, &g), T2G_ERR_INTERRUPTED);
    assert_true(tokens >= 20 && tokens < 4 * sampled.max_new_tokens);
    assert_string_equal(t2g_error_message(), "enough");
    assert_null(g.id);
    t2g_model_free(m);
}

/* --- arguments ------------------------------------------------------------ */

static void assert_fails(t2g_status got, t2g_status want, const char *part)
{
    assert_int_equal(got, want);
    if (!strstr(t2g_error_message(), part))
        fail_msg("no '%s' in: %s", part, t2g_error_message());
}

static t2g_status generate_with(const t2g_model *m, const t2g_sampling *s,
                                const t2g_batch *b, int64_t eos)
{
    t2g_generation g;
    t2g_status status = t2g_generate(m, b, s, 0, &eos, 1, NULL, NULL, &g);
    assert_null(g.id);
    return status;
}

static void bad_sampling(void **state)
{
    static const uint32_t id[] = {4, 37};
    static const size_t one[] = {0, 1}, none[] = {0, 0}, both[] = {0, 2};
    const t2g_batch good = {id, one, 1}, empty = {id, none, 1};
    const t2g_batch unknown = {id, both, 1};
    t2g_model *m = indifferent_model();
    t2g_sampling cold = sampled, no_tokens = sampled, endless = sampled;
    t2g_sampling top_p = sampled;
    (void)state;
    cold.temperature = 0;
    no_tokens.max_new_tokens = 0;
    endless.max_new_tokens = SIZE_MAX / 8;
    top_p.top_p = 1.5;
    assert_fails(generate_with(m, &cold, &good, 1), T2G_ERR_ARG,
                 "temperature 0");
    assert_fails(generate_with(m, &top_p, &good, 1), T2G_ERR_ARG, "top_p 1.5");
    assert_fails(generate_with(m, &no_tokens, &good, 1), T2G_ERR_ARG,
                 "max_new_tokens");
    assert_fails(generate_with(m, &endless, &good, 1), T2G_ERR_ARG,
                 "max_new_tokens");
    assert_fails(generate_with(m, &sampled, &empty, 1), T2G_ERR_ARG,
                 "prompt 0");
    assert_fails(generate_with(m, &sampled, &good, 37), T2G_ERR_ARG,
                 "end token 37");
    assert_fails(generate_with(m, &sampled, &unknown, 1), T2G_ERR_ARG,
                 "token id 37");
    t2g_model_free(m);
}

static void bad_passes(void **state)
{
    static const uint32_t id[] = {4, 36, 2, 37};
    static const size_t good[] = {0, 3}, bad[] = {0, 3, 4}, none[] = {0, 0};
    static const t2g_decision falling[] = {{1, 2}, {0, 3}}, unknown = {0, 37};
    const t2g_batch batch = {id, good, 1}, beyond = {id, bad, 2};
    const t2g_batch empty = {id, none, 1};
    float d_hidden[3 * 12] = {0}, out[2], g[2] = {1, 1};
    const float *hidden;
    t2g_activations *a;
    t2g_model *m = new_model(&small, &kernels), *other = new_model(&wide,
                                                                   &kernels);
    (void)state;
    OK(t2g_activations_new(&a, m));
    assert_fails(t2g_forward(m, a, &beyond, true, &hidden), T2G_ERR_ARG,
                 "token id 37 at position 3");
    assert_fails(t2g_forward(m, a, &empty, true, &hidden), T2G_ERR_ARG,
                 "without tokens");
    OK(t2g_forward(m, a, &batch, true, &hidden));
    assert_fails(t2g_head_logprobs(m, hidden, NULL, NULL, &unknown, 1, out,
                                   NULL, NULL, NULL, NULL), T2G_ERR_ARG,
                 "target id 37");
    assert_fails(t2g_head_logprobs(m, hidden, other, hidden, falling, 2, out,
                                   NULL, NULL, NULL, NULL), T2G_ERR_ARG,
                 "211 tokens");
    assert_fails(t2g_backward(m, a, &batch, d_hidden), T2G_ERR_ARG,
                 "trainable");
    OK(t2g_model_make_trainable(m));
    assert_fails(t2g_head_backward(m, hidden, falling, 2, g, NULL, d_hidden),
                 T2G_ERR_ARG, "decision 1");
    assert_fails(t2g_head_backward(m, hidden, &unknown, 1, g, NULL, d_hidden),
                 T2G_ERR_ARG, "target id 37");
    t2g_activations_free(a);
    t2g_model_free(m);
    t2g_model_free(other);
}

/* --- folders -------------------------------------------------------------- */

static void digest_of(const t2g_model *m, char hex[33])
{
    t2g_digest *d;
    OK(t2g_digest_new(&d));
    t2g_model_digest(m, d);
    t2g_digest_finish(d, hex);
}

static void assert_same_model(const t2g_model *got, const t2g_model *want)
{
    char one[33], two[33];
    json_t *a = t2g_config_json(&got->config);
    json_t *b = t2g_config_json(&want->config);
    assert_true(json_equal(a, b));
    json_decref(a);
    json_decref(b);
    assert_int_equal(got->params, want->params);
    for (size_t i = 0; i < got->params; i++) {
        assert_string_equal(got->param[i].name, want->param[i].name);
        assert_same_bits(got->param[i].name, got->param[i].weight,
                         want->param[i].weight, elements(&want->param[i]));
    }
    assert_same_bits("inv_freq", got->inv_freq, want->inv_freq,
                     want->config.head_dim / 2);
    assert_same_bits("rope_scale", &got->rope_scale, &want->rope_scale, 1);
    digest_of(got, one);
    digest_of(want, two);
    assert_string_equal(one, two);
}

static void assert_same_file(const char *one, const char *two)
{
    t2g_buffer a = {0}, b = {0};
    OK(t2g_file_read(one, &a));
    OK(t2g_file_read(two, &b));
    assert_int_equal(a.size, b.size);
    assert_memory_equal(a.data, b.data, a.size);
    t2g_buffer_free(&a);
    t2g_buffer_free(&b);
}

static void round_trip(const t2g_config *c)
{
    t2g_model *m = new_model(c, &kernels), *loaded, *copy;
    OK(t2g_model_save(m, in_folder("new/one")));
    OK(t2g_model_load(&loaded, in_folder("new/one"), &kernels));
    assert_same_model(loaded, m);
    OK(t2g_model_clone(&copy, loaded));
    assert_same_model(copy, m);
    OK(t2g_model_save(copy, in_folder("two")));
    assert_same_file(in_folder("new/one/model.safetensors"),
                     in_folder("two/model.safetensors"));
    assert_same_file(in_folder("new/one/config.json"),
                     in_folder("two/config.json"));
    t2g_model_free(m);
    t2g_model_free(loaded);
    t2g_model_free(copy);
}

static void saved_models_load(void **state)
{
    t2g_config linear = wide, yarn = small;
    (void)state;
    linear.rope_type = T2G_ROPE_LINEAR;
    linear.rope_factor = 2.5;
    linear.rms_norm_eps = 3.3333e-6f;
    yarn.rope_type = T2G_ROPE_YARN;
    yarn.rope_truncate = false;
    yarn.eos_count = 0;
    round_trip(&wide);
    round_trip(&small);
    round_trip(&linear);
    round_trip(&yarn);
}

/* The tensors of m as they are saved; t [params]. */
static void tensors_of(const t2g_model *m, t2g_tensor_out *t)
{
    for (size_t i = 0; i < m->params; i++) {
        const t2g_param *p = &m->param[i];
        bool matrix = p->rows > 1 || p->product;
        t[i] = (t2g_tensor_out){p->name, T2G_F32, matrix ? 2 : 1,
                                {matrix ? p->rows : p->cols, p->cols},
                                p->weight};
    }
}

enum { MOST_TENSORS = 64 };

static void shards_load(void **state)
{
    t2g_tensor_out t[MOST_TENSORS];
    t2g_model *m = new_model(&wide, &kernels), *loaded;
    const char *dir = in_folder("sharded");
    json_t *map = json_object();
    (void)state;
    OK(t2g_model_save(m, dir));
    assert_int_equal(unlink(in_folder("sharded/model.safetensors")), 0);
    tensors_of(m, t);
    OK(t2g_safetensors_write(in_folder("sharded/a.safetensors"), t, 9, NULL));
    OK(t2g_safetensors_write(in_folder("sharded/b.safetensors"), t + 9,
                             m->params - 9, NULL));
    for (size_t i = 0; i < m->params; i++)
        json_object_set_new(map, t[i].name, json_string(
            i < 9 ? "a.safetensors" : "b.safetensors"));
    json_t *index = json_pack("{s:o}", "weight_map", map);
    OK(t2g_json_write(in_folder("sharded/model.safetensors.index.json"),
                      index));
    OK(t2g_model_load(&loaded, in_folder("sharded"), &kernels));
    assert_same_model(loaded, m);
    t2g_model_free(loaded);
    json_object_set_new(map, t[2].name, json_string("../a.safetensors"));
    OK(t2g_json_write(in_folder("sharded/model.safetensors.index.json"),
                      index));
    assert_fails(t2g_model_load(&loaded, in_folder("sharded"), &kernels),
                 T2G_ERR_FORMAT, "../a.safetensors");
    json_decref(index);
    t2g_model_free(m);
}

static void assert_folder_fails(t2g_status want, const char *part)
{
    t2g_model *m;
    assert_fails(t2g_model_load(&m, in_folder("bad"), &kernels), want, part);
    assert_null(m);
}

static void write_tensors(const t2g_tensor_out *t, size_t n)
{
    OK(t2g_safetensors_write(in_folder("bad/model.safetensors"), t, n, NULL));
}

static void bad_tensors(void **state)
{
    t2g_tensor_out t[MOST_TENSORS], kept;
    t2g_model *m = new_model(&small, &kernels);
    static const int64_t whole[37 * 12];
    size_t n = m->params, q = (size_t)(m->layer[1].q - m->param);
    (void)state;
    OK(t2g_model_save(m, in_folder("bad")));
    tensors_of(m, t);
    kept = t[q];
    t[q] = t[n - 1]; /* one less */
    write_tensors(t, n - 1);
    assert_folder_fails(T2G_ERR_FORMAT,
                        "'model.layers.1.self_attn.q_proj.weight' is missing");
    t[q] = kept;
    t[q].shape[0] = kept.shape[1];
    t[q].shape[1] = kept.shape[0];
    write_tensors(t, n);
    assert_folder_fails(T2G_ERR_FORMAT,
                        "has shape [12, 18], expected [18, 12]");
    t[q].shape[0] = kept.shape[0] - 1;
    t[q].shape[1] = kept.shape[1];
    write_tensors(t, n);
    assert_folder_fails(T2G_ERR_FORMAT,
                        "has shape [17, 12], expected [18, 12]");
    t[q].rank = 1;
    t[q].shape[0] = kept.shape[0] * kept.shape[1];
    write_tensors(t, n);
    assert_folder_fails(T2G_ERR_FORMAT, "has shape [216]");
    t[q] = kept;
    t[q].dtype = T2G_I64;
    t[q].data = whole;
    write_tensors(t, n);
    assert_folder_fails(T2G_ERR_UNSUPPORTED, "layers.1.self_attn.q_proj");
    t[q] = kept;
    t[n] = t[n - 1];
    t[n].name = "model.layers.2.mlp.up_proj.weight";
    write_tensors(t, n + 1);
    assert_folder_fails(T2G_ERR_FORMAT, "model.layers.2.mlp.up_proj.weight");
    t2g_model_free(m);
}

static void bad_files(void **state)
{
    t2g_model *m = new_model(&small, &kernels);
    char file[512];
    struct stat st;
    (void)state;
    snprintf(file, sizeof file, "%s", in_folder("bad/model.safetensors"));
    OK(t2g_model_save(m, in_folder("bad")));
    assert_int_equal(stat(file, &st), 0);
    for (off_t size = st.st_size - 1; size > 0; size /= 3) {
        assert_int_equal(truncate(file, size), 0);
        assert_folder_fails(T2G_ERR_FORMAT, "model.safetensors");
    }
    assert_int_equal(unlink(file), 0);
    assert_folder_fails(T2G_ERR_IO, "no model.safetensors");
    OK(t2g_file_write(in_folder("bad/pytorch_model.bin"), "", 0));
    assert_folder_fails(T2G_ERR_UNSUPPORTED, "pickle");
    assert_int_equal(unlink(in_folder("bad/config.json")), 0);
    assert_folder_fails(T2G_ERR_IO, "config.json");
    t2g_model_free(m);
}

/* config.json of `small` with one key changed; value NULL takes it away. */
static t2g_status read_changed(const char *key, json_t *value)
{
    t2g_config c;
    json_t *o = t2g_config_json(&small);
    const char *file = in_folder("config.json");
    if (value)
        json_object_set_new(o, key, value);
    else
        json_object_del(o, key);
    OK(t2g_json_write(file, o));
    json_decref(o);
    return t2g_config_read(&c, file);
}

static void bad_configurations(void **state)
{
    static const struct {
        const char *key, *json; /* NULL: absent */
        t2g_status status;
        const char *named; /* in the message, if not key */
    } bad[] = {
        {"hidden_size", NULL, T2G_ERR_FORMAT, NULL},
        {"hidden_size", "12.5", T2G_ERR_FORMAT, NULL},
        {"hidden_size", "14", T2G_ERR_FORMAT, NULL},
        {"vocab_size", "0", T2G_ERR_FORMAT, NULL},
        {"vocab_size", "1e12", T2G_ERR_FORMAT, NULL},
        {"num_hidden_layers", "-1", T2G_ERR_FORMAT, NULL},
        {"num_key_value_heads", "2", T2G_ERR_FORMAT, NULL},
        {"head_dim", "5", T2G_ERR_FORMAT, NULL},
        {"attention_bias", "1", T2G_ERR_FORMAT, NULL},
        {"rms_norm_eps", "-1e-5", T2G_ERR_FORMAT, NULL},
        {"eos_token_id", "37", T2G_ERR_FORMAT, NULL},
        {"model_type", "\"mamba\"", T2G_ERR_UNSUPPORTED, NULL},
        {"hidden_act", "\"gelu\"", T2G_ERR_UNSUPPORTED, NULL},
        {"quantization_config", "{}", T2G_ERR_UNSUPPORTED, NULL},
        {"rope_parameters", "7", T2G_ERR_FORMAT, NULL},
        {"rope_parameters", "{\"rope_type\": \"longrope\"}",
         T2G_ERR_UNSUPPORTED, "rope_type"},
        {"rope_parameters", "{\"rope_type\": \"linear\"}", T2G_ERR_FORMAT,
         "factor"},
    };
    (void)state;
    OK(read_changed("use_cache", json_false()));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const char *json = bad[i].json;
        json_t *value = json ? json_loads(json, JSON_DECODE_ANY, NULL) : NULL;
        assert_fails(read_changed(bad[i].key, value), bad[i].status,
                     bad[i].named ? bad[i].named : bad[i].key);
    }
}

/* --- memory --------------------------------------------------------------- */

static long until_failure = -1; /* allocations; -1: none fails */
static long alive;

static void *counting_alloc(void *context, size_t size, size_t align)
{
    void *p = NULL;
    (void)context;
    if (until_failure == 0) {
        until_failure = -2; /* the one has failed */
        return NULL;
    }
    if (until_failure > 0)
        until_failure--;
    if (posix_memalign(&p, align, size) != 0)
        return NULL;
    alive++;
    return p;
}

static void counting_release(void *context, void *pointer)
{
    (void)context;
    alive--;
    free(pointer);
}

static t2g_status train_and_generate(t2g_model *m, t2g_activations *a, pass *p)
{
    static const uint32_t id[] = {4, 36, 2, 9, 9, 30, 1, 12};
    static const size_t row[] = {0, 5, 8};
    const t2g_batch batch = {id, row, 2};
    const t2g_sampling s = {.temperature = 1, .top_p = 1, .max_new_tokens = 3};
    t2g_generation g;
    T2G_TRY(run_pass(p, m, a, &batch));
    T2G_TRY(t2g_generate(m, &batch, &s, 0, NULL, 0, NULL, NULL, &g));
    t2g_generation_free(&g);
    return T2G_OK;
}

/* Everything from a new model on. A value head that could not be added is asked
 * for again, as a caller may. */
static t2g_status whole_life(pass *p)
{
    t2g_model *m = NULL, *copy = NULL;
    t2g_activations *a = NULL;
    t2g_status s = t2g_model_init(&m, &small, &kernels, 1, true);
    if (s == T2G_OK)
        s = t2g_model_make_trainable(m);
    if (s == T2G_OK && (s = t2g_model_add_value_head(m, 2)) != T2G_OK) {
        OK(t2g_model_add_value_head(m, 2));
        assert_true(m->value_weight->grad && m->value_bias->grad);
    }
    if (s == T2G_OK)
        s = t2g_model_clone(&copy, m);
    if (s == T2G_OK)
        s = t2g_activations_new(&a, m);
    if (s == T2G_OK)
        s = train_and_generate(m, a, p);
    t2g_activations_free(a);
    t2g_model_free(copy);
    t2g_model_free(m);
    return s;
}

static void allocations_fail(void **state)
{
    static const t2g_allocator counting = {counting_alloc, counting_release,
                                           NULL};
    static pass p; /* its hidden states come and go with each life */
    long n = 0;
    (void)state;
    t2g_set_allocator(&counting);
    for (;; n++) {
        until_failure = n;
        t2g_status s = whole_life(&p);
        t2g_free(p.hidden);
        p.hidden = NULL;
        assert_int_equal(alive, 0);
        if (until_failure != -2)
            break;
        assert_int_equal(s, T2G_ERR_MEMORY);
    }
    until_failure = -1;
    assert_int_equal(whole_life(&p), T2G_OK);
    t2g_free(p.hidden);
    assert_int_equal(alive, 0);
    t2g_set_allocator(NULL);
    assert_true(n > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packed_rows_are_rows_alone),
        cmocka_unit_test(micro_batches_are_one_batch),
        cmocka_unit_test(threads_and_isas_do_not_matter),
        cmocka_unit_test(cross_entropy_is_both_passes),
        cmocka_unit_test(divergence),
        cmocka_unit_test(gradient_is_slope),
        cmocka_unit_test(padding_gets_no_gradient),
        cmocka_unit_test(cache_gives_the_same_bits),
        cmocka_unit_test(companions_do_not_matter),
        cmocka_unit_test(greedy_ties),
        cmocka_unit_test(draws_follow_the_stream),
        cmocka_unit_test(generation_is_stopped),
        cmocka_unit_test(bad_sampling),
        cmocka_unit_test(bad_passes),
        cmocka_unit_test(saved_models_load),
        cmocka_unit_test(shards_load),
        cmocka_unit_test(bad_tensors),
        cmocka_unit_test(bad_files),
        cmocka_unit_test(bad_configurations),
        cmocka_unit_test(allocations_fail),
    };
    /* One thread but where their number is the question. */
    if (t2g_kernels_select(&kernels, NULL) != T2G_OK ||
        t2g_set_threads(1) != T2G_OK) {
        print_error("%s\n", t2g_error_message());
        return 1;
    }
    return cmocka_run_group_tests_name("model", tests, make_folder,
                                       remove_folder);
}
