/* The model: folders and their errors, and what the order of operations
 * promises - equal bits however a batch is cut, packed, cached or threaded. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "t2g/t2g.h"

#define OK(call) assert_int_equal(call, T2G_OK)

enum { V = 61, H = 20, TOKENS = 90, ROWS = 5 };

static t2g_kernels kernels;

static const t2g_config small = {
    .vocab_size = V, .hidden_size = H, .intermediate_size = 27,
    .num_hidden_layers = 2, .num_attention_heads = 4, .num_key_value_heads = 2,
    .head_dim = 6, .max_position_embeddings = 128, .rms_norm_eps = 1e-5f,
    .attention_bias = true, .tie_word_embeddings = true, .bos_token_id = 0,
    .pad_token_id = 2, .eos_token_id = {1, 7}, .eos_count = 2,
    .initializer_range = 0.3, .rope_theta = 10000, .rope_factor = 1,
    .rope_beta_fast = 32, .rope_beta_slow = 1, .rope_truncate = true};

/* A row of one token, rows on both sides of a panel of 32 keys. */
static const size_t borders[ROWS + 1] = {0, 33, 34, 66, 71, TOKENS};

static void fill_ids(uint32_t *id)
{
    const t2g_stream s = {11, 0, 0, T2G_RNG_DATA};
    for (size_t i = 0; i < TOKENS; i++)
        id[i] = t2g_random_below(&s, i, V);
    id[40] = 2; /* the padding token as an input */
}

static t2g_model *new_model(const t2g_config *c)
{
    t2g_model *m;
    OK(t2g_model_init(&m, c, &kernels, 5, false));
    OK(t2g_model_add_value_head(m, 6));
    const t2g_stream s = {3, 0, 0, T2G_RNG_NOIS};
    for (size_t i = 0; i < m->params; i++) /* biases, norms: no round values */
        if (m->param[i].rows == 1)
            for (size_t j = 0; j < m->param[i].cols; j++)
                m->param[i].weight[j] +=
                    0.2f * t2g_random_normal(&s, 1000 * i + j);
    t2g_model_pack(m);
    return m;
}

static void *room(size_t count, size_t size)
{
    void *p = t2g_calloc(count, size);
    assert_non_null(p);
    return p;
}

static void assert_message(const char *part)
{
    if (!strstr(t2g_error_message(), part))
        fail_msg("'%s' does not name '%s'", t2g_error_message(), part);
}

static void assert_same_weights(const t2g_model *a, const t2g_model *b)
{
    assert_int_equal(a->params, b->params);
    for (size_t i = 0; i < a->params; i++) {
        const t2g_param *p = &a->param[i], *q = &b->param[i];
        assert_string_equal(p->name, q->name);
        assert_int_equal(p->rows * p->cols, q->rows * q->cols);
        assert_memory_equal(p->weight, q->weight,
                            p->rows * p->cols * sizeof(float));
    }
}

/* --- folders ------------------------------------------------------------- */

static char folder[64];

static const char *in_folder(const char *name)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static int make_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/t2g-model-XXXXXX");
    return mkdtemp(folder) ? 0 : 1;
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(in_folder("config.json"));
    unlink(in_folder("generation_config.json"));
    unlink(in_folder("model.safetensors"));
    return rmdir(folder);
}

static void write_text(const char *name, const char *text)
{
    OK(t2g_file_write(in_folder(name), text, strlen(text)));
}

static void save_and_load_keep_every_bit(void **state)
{
    static const t2g_rope_type types[] = {T2G_ROPE_DEFAULT, T2G_ROPE_LINEAR,
                                          T2G_ROPE_LLAMA3, T2G_ROPE_YARN};
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        t2g_config c = small;
        c.rope_type = types[i];
        c.rope_factor = i ? 4 : 1;
        c.rope_low = i == 2 ? 1 : 0;
        c.rope_high = i == 2 ? 4 : 0;
        c.rope_original = i >= 2 ? 32 : 0;
        c.tie_word_embeddings = i % 2 == 0;
        c.mlp_bias = i == 3;
        t2g_model *m = new_model(&c), *back;
        OK(t2g_model_save(m, folder));
        OK(t2g_model_load(&back, folder, &kernels));
        assert_same_weights(m, back);
        assert_memory_equal(m->inv_freq, back->inv_freq,
                            c.head_dim / 2 * sizeof(float));
        assert_true(m->rope_scale == back->rope_scale);
        assert_int_equal(back->config.eos_count, 2);
        assert_int_equal(back->config.eos_token_id[1], 7);
        assert_int_equal(back->config.pad_token_id, 2);
        assert_true(back->config.rms_norm_eps == c.rms_norm_eps);
        assert_int_equal(back->head == back->embed, c.tie_word_embeddings);
        t2g_model_free(m);
        t2g_model_free(back);
    }
}

/* The tensors of a model as a file with one of them changed. */
typedef struct change {
    const char *name; /* of the tensor to change */
    const char *new_name;
    bool leave_out, transpose;
} change;

static void save_changed(const t2g_model *m, const change *change)
{
    t2g_tensor_out *t = room(m->params, sizeof *t);
    size_t n = 0;
    for (size_t i = 0; i < m->params; i++) {
        const t2g_param *p = &m->param[i];
        bool matrix = p->rows > 1 || p->product;
        bool hit = strcmp(p->name, change->name) == 0;
        if (hit && change->leave_out)
            continue;
        t[n] = (t2g_tensor_out){
            .name = hit && change->new_name ? change->new_name : p->name,
            .dtype = T2G_F32, .rank = matrix ? 2 : 1, .data = p->weight};
        t[n].shape[0] = matrix ? p->rows : p->cols;
        t[n].shape[1] = p->cols;
        if (hit && change->transpose) {
            t[n].shape[0] = p->cols;
            t[n].shape[1] = p->rows;
        }
        n++;
    }
    OK(t2g_safetensors_write(in_folder("model.safetensors"), t, n, NULL));
    t2g_free(t);
}

static void checkpoints_must_fit_their_configuration(void **state)
{
    static const char up[] = "model.layers.1.mlp.up_proj.weight";
    static const change changes[] = {
        {.name = up, .leave_out = true},
        {.name = up, .transpose = true},
        {.name = up, .new_name = "model.layers.2.mlp.up_proj.weight"},
        {.name = up, .new_name = "layers.1.mlp.up_proj.weight"},
        {.name = "v_head.summary.bias", .leave_out = true}};
    static const char *const named[] = {
        up, "expected [27, 20]", "model.layers.2.mlp.up_proj.weight",
        "layers.1.mlp.up_proj.weight", "v_head.summary.bias"};
    t2g_model *m = new_model(&small), *back;
    (void)state;
    OK(t2g_model_save(m, folder));
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        save_changed(m, &changes[i]);
        assert_int_equal(t2g_model_load(&back, folder, &kernels),
                         T2G_ERR_FORMAT);
        assert_null(back);
        assert_message(named[i]);
        assert_message(folder);
    }
    t2g_model_free(m);
}

static void missing_files_are_named(void **state)
{
    t2g_model *back;
    t2g_config c;
    (void)state;
    assert_int_equal(t2g_model_load(&back, "/tmp/t2g-no-such-model", &kernels),
                     T2G_ERR_IO);
    assert_message("/tmp/t2g-no-such-model");
    write_text("config.json", "{\"model_type\": \"llama\"}");
    assert_int_equal(t2g_config_read(&c, folder), T2G_ERR_FORMAT);
    assert_message("vocab_size");
}

/* What config.json may not say, and the key that the message names. */
static void configurations_are_refused_by_key(void **state)
{
    static const char *const cases[][3] = {
        {"\"model_type\": \"gpt2\"", "model_type", "gpt2"},
        {"\"hidden_size\": \"20\"", "hidden_size", "\"20\""},
        {"\"hidden_size\": 21", "hidden_size", "21"},
        {"\"head_dim\": 5", "head_dim", "5"},
        {"\"num_key_value_heads\": 3", "num_key_value_heads", "3"},
        {"\"vocab_size\": 1e3", "vocab_size", "1000.0"},
        {"\"vocab_size\": 4611686018427387904", "vocab_size", "46116860"},
        {"\"eos_token_id\": 61", "eos_token_id", "61"},
        {"\"hidden_act\": \"gelu\"", "hidden_act", "gelu"},
        {"\"rms_norm_eps\": -1", "rms_norm_eps", "-1"},
        {"\"quantization_config\": {}", "quantization_config", "{}"},
        {"\"rope_scaling\": {\"type\": \"dynamic\", \"factor\": 2}",
         "rope_type", "dynamic"},
        {"\"rope_scaling\": {\"type\": \"linear\"}", "factor", "rotary"},
        {"\"rope_scaling\": {\"type\": \"linear\", \"factor\": 0}", "factor",
         "0"},
        {"\"rope_scaling\": {\"type\": \"yarn\", \"beta_slow\": 0}",
         "beta_slow", "0"},
        {"\"partial_rotary_factor\": 0.5", "partial_rotary_factor", "0.5"}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[512];
        json_t *all = json_pack("{s:s, s:i, s:i, s:i, s:i, s:i}", "model_type",
                                "llama", "vocab_size", V, "hidden_size", H,
                                "intermediate_size", 27, "num_hidden_layers", 2,
                                "num_attention_heads", 2);
        snprintf(text, sizeof text, "{%s}", cases[i][0]);
        json_t *one = json_loads(text, 0, NULL);
        assert_non_null(one);
        json_object_update(all, one);
        OK(t2g_json_write(in_folder("config.json"), all));
        t2g_config c;
        t2g_status s = t2g_config_read(&c, folder);
        assert_true(s == T2G_ERR_FORMAT || s == T2G_ERR_UNSUPPORTED);
        assert_message(cases[i][1]);
        assert_message(cases[i][2]);
        json_decref(one);
        json_decref(all);
    }
}

/* --- passes -------------------------------------------------------------- */

/* Hidden states of a batch, which the caller frees. */
static float *hidden_of(const t2g_model *m, const uint32_t *id,
                        const size_t *row, size_t rows, bool keep)
{
    t2g_activations *a;
    const t2g_batch batch = {id, row, rows};
    const float *hidden;
    size_t n = (row[rows] - row[0]) * m->config.hidden_size;
    float *copy = room(n, sizeof *copy);
    OK(t2g_activations_new(&a, m));
    OK(t2g_forward(m, a, &batch, keep, &hidden));
    memcpy(copy, hidden, n * sizeof *copy);
    t2g_activations_free(a);
    return copy;
}

static void packed_rows_equal_rows_alone(void **state)
{
    uint32_t id[TOKENS];
    t2g_model *m = new_model(&small);
    (void)state;
    fill_ids(id);
    float *all = hidden_of(m, id, borders, ROWS, true);
    for (size_t r = 0; r < ROWS; r++) {
        size_t n = borders[r + 1] - borders[r];
        float *one = hidden_of(m, id, borders + r, 1, false);
        assert_memory_equal(one, all + borders[r] * H, n * H * sizeof *one);
        t2g_free(one);
    }
    t2g_free(all);
    t2g_model_free(m);
}

static void unknown_ids_are_refused(void **state)
{
    t2g_model *m = new_model(&small);
    t2g_activations *a;
    const uint32_t id[] = {1, 2, V};
    const size_t row[] = {0, 3};
    const t2g_batch batch = {id, row, 1}, empty = {id, row, 0};
    const t2g_decision d = {1, V};
    const float *hidden;
    float logprob;
    (void)state;
    OK(t2g_activations_new(&a, m));
    assert_int_equal(t2g_forward(m, a, &batch, false, &hidden), T2G_ERR_ARG);
    assert_message("token id 61 at position 2");
    assert_int_equal(t2g_forward(m, a, &empty, false, &hidden), T2G_ERR_ARG);
    float *h = hidden_of(m, id, (size_t[]){0, 2}, 1, false);
    assert_int_equal(t2g_head_logprobs(m, h, NULL, NULL, &d, 1, &logprob, NULL,
                                       NULL, NULL, NULL), T2G_ERR_ARG);
    assert_message("target id 61");
    t2g_free(h);
    t2g_activations_free(a);
    t2g_model_free(m);
}

/* --- gradients ----------------------------------------------------------- */

/* A loss that reaches every parameter: with weights c of each decision for the
 * next token,  sum c0*logprob + c1*entropy + c2*value. */
typedef struct objective {
    uint32_t id[TOKENS];
    float c[3][TOKENS];
} objective;

static void make_objective(objective *o)
{
    const t2g_stream s = {17, 0, 0, T2G_RNG_NOIS};
    fill_ids(o->id);
    for (size_t k = 0; k < 3; k++)
        for (size_t i = 0; i < TOKENS; i++)
            o->c[k][i] = 0.2f * t2g_random_normal(&s, k * TOKENS + i);
}

/* Decisions of rows [first, last), positions counted from the first of them. */
static size_t decide(const objective *o, size_t first, size_t last,
                     t2g_decision *d, size_t *position)
{
    size_t n = 0, base = borders[first];
    for (size_t r = first; r < last; r++)
        for (size_t t = borders[r] + 1; t < borders[r + 1]; t++) {
            position[n] = t - 1 - base;
            d[n++] = (t2g_decision){t - 1 - base, o->id[t]};
        }
    return n;
}

/* Adds the gradient of rows [first, last) as one micro-batch. */
static void accumulate(t2g_model *m, const objective *o, size_t first,
                       size_t last)
{
    t2g_activations *a;
    t2g_decision d[TOKENS];
    size_t position[TOKENS], base = borders[first];
    size_t n = decide(o, first, last, d, position);
    float g[3][TOKENS];
    const t2g_batch batch = {o->id, borders + first, last - first};
    const float *hidden;
    float *dh = room((borders[last] - base) * H, sizeof *dh);
    for (size_t k = 0; k < 3; k++)
        for (size_t i = 0; i < n; i++)
            g[k][i] = o->c[k][base + position[i]];
    OK(t2g_activations_new(&a, m));
    OK(t2g_forward(m, a, &batch, true, &hidden));
    OK(t2g_head_backward(m, hidden, d, n, g[0], g[1], dh));
    t2g_values_backward(m, hidden, position, n, g[2], dh);
    OK(t2g_backward(m, a, &batch, dh));
    t2g_activations_free(a);
    t2g_free(dh);
}

static double objective_value(const t2g_model *m, const objective *o)
{
    t2g_decision d[TOKENS];
    size_t position[TOKENS], n = decide(o, 0, ROWS, d, position);
    float logprob[TOKENS], entropy[TOKENS], value[TOKENS];
    float *hidden = hidden_of(m, o->id, borders, ROWS, false);
    double sum = 0;
    OK(t2g_head_logprobs(m, hidden, NULL, NULL, d, n, logprob, entropy, NULL,
                         NULL, NULL));
    t2g_values(m, hidden, position, n, value);
    for (size_t i = 0; i < n; i++)
        sum += (double)o->c[0][position[i]] * (double)logprob[i] +
               (double)o->c[1][position[i]] * (double)entropy[i] +
               (double)o->c[2][position[i]] * (double)value[i];
    t2g_free(hidden);
    return sum;
}

static t2g_model *model_with_gradients(const objective *o, const size_t *cut,
                                       size_t cuts)
{
    t2g_model *m = new_model(&small);
    OK(t2g_model_make_trainable(m));
    for (size_t i = 0; i + 1 < cuts; i++)
        accumulate(m, o, cut[i], cut[i + 1]);
    t2g_model_finish_grad(m);
    return m;
}

static void assert_same_gradients(const t2g_model *a, const t2g_model *b)
{
    for (size_t i = 0; i < a->params; i++) {
        const t2g_param *p = &a->param[i], *q = &b->param[i];
        if (memcmp(p->grad, q->grad, p->rows * p->cols * sizeof(float)) != 0)
            fail_msg("gradients of %s differ", p->name);
    }
}

static void microbatches_equal_one_batch(void **state)
{
    static const size_t whole[] = {0, ROWS}, pairs[] = {0, 2, 4, ROWS};
    static const size_t each[] = {0, 1, 2, 3, 4, ROWS};
    objective o;
    (void)state;
    make_objective(&o);
    t2g_model *a = model_with_gradients(&o, whole, 2);
    t2g_model *b = model_with_gradients(&o, pairs, 4);
    t2g_model *c = model_with_gradients(&o, each, ROWS + 1);
    assert_same_gradients(a, b);
    assert_same_gradients(a, c);
    t2g_model_zero_grad(a);
    for (size_t i = 0; i < a->params; i++)
        assert_true(a->param[i].grad[0] == 0);
    t2g_model_free(a);
    t2g_model_free(b);
    t2g_model_free(c);
}

static void any_number_of_threads_gives_equal_bits(void **state)
{
    static const size_t whole[] = {0, ROWS};
    t2g_model *m[3];
    objective o;
    (void)state;
    make_objective(&o);
    for (int n = 1; n <= 3; n++) {
        OK(t2g_set_threads(n));
        m[n - 1] = model_with_gradients(&o, whole, 2);
    }
    OK(t2g_set_threads(2));
    assert_same_gradients(m[0], m[1]);
    assert_same_gradients(m[0], m[2]);
    for (int n = 0; n < 3; n++)
        t2g_model_free(m[n]);
}

static void shift(t2g_model *m, t2g_param *p, const float *start,
                  const float *direction, double step)
{
    for (size_t i = 0; i < p->rows * p->cols; i++)
        p->weight[i] = (float)((double)start[i] + step * (double)direction[i]);
    t2g_model_pack(m);
}

/* Derivative along `direction` by a difference of fourth order. */
static double difference(t2g_model *m, const objective *o, t2g_param *p,
                         const float *start, const float *direction, double h)
{
    double f[4];
    static const double at[4] = {-2, -1, 1, 2};
    for (size_t k = 0; k < 4; k++) {
        shift(m, p, start, direction, at[k] * h);
        f[k] = objective_value(m, o);
    }
    shift(m, p, start, direction, 0);
    return (f[0] - 8 * f[1] + 8 * f[2] - f[3]) / (12 * h);
}

/* Of one parameter's gradient along a unit direction, half random and half the
 * gradient's: |difference - gradient . direction| / |gradient|. */
static double gradient_error(t2g_model *m, const objective *o, t2g_param *p,
                             size_t number)
{
    const t2g_stream s = {23, (uint32_t)number, 0, T2G_RNG_NOIS};
    size_t n = p->rows * p->cols;
    float *start = room(n, sizeof *start), *direction = room(n, sizeof(float));
    double norm = 0, length = 0, along = 0;
    memcpy(start, p->weight, n * sizeof *start);
    for (size_t i = 0; i < n; i++) {
        direction[i] = t2g_random_normal(&s, i);
        norm += (double)p->grad[i] * (double)p->grad[i];
    }
    norm = sqrt(norm);
    for (size_t i = 0; i < n; i++) {
        direction[i] = (float)((double)direction[i] / sqrt((double)n) +
                               (double)p->grad[i] / norm);
        length += (double)direction[i] * (double)direction[i];
    }
    for (size_t i = 0; i < n; i++) {
        direction[i] = (float)((double)direction[i] / sqrt(length));
        along += (double)p->grad[i] * (double)direction[i];
    }
    double error = fabs(difference(m, o, p, start, direction, 0.01) - along);
    t2g_free(start);
    t2g_free(direction);
    return error / norm;
}

/* Without a padding token: its missing lookup gradient is deliberate. */
static void gradients_agree_with_differences(void **state)
{
    t2g_config c = small;
    objective o;
    double worst = 0;
    const char *at = "";
    (void)state;
    c.pad_token_id = -1;
    c.mlp_bias = true;
    c.rope_type = T2G_ROPE_YARN; /* a table scale that is not 1 */
    c.rope_factor = 4;
    c.rope_original = 16;
    make_objective(&o);
    t2g_model *m = new_model(&c);
    OK(t2g_model_make_trainable(m));
    accumulate(m, &o, 0, ROWS);
    t2g_model_finish_grad(m);
    for (size_t i = 0; i < m->params; i++) {
        double error = gradient_error(m, &o, &m->param[i], i);
        if (error > worst) {
            worst = error;
            at = m->param[i].name;
        }
    }
    printf("worst relative error of a gradient %.2g (%s)\n", worst, at);
    assert_true(worst < 1e-3);
    t2g_model_free(m);
}

/* --- generation ---------------------------------------------------------- */

static t2g_sampling sampling(bool do_sample)
{
    return (t2g_sampling){.do_sample = do_sample, .temperature = 1, .top_p = 1,
                          .max_new_tokens = 40, .seed = 9, .step = 3};
}

static void generate(t2g_generation *g, const t2g_model *m, const uint32_t *id,
                     const size_t *row, size_t rows, const t2g_sampling *s,
                     uint32_t first)
{
    const t2g_batch batch = {id, row, rows};
    OK(t2g_generate(m, &batch, s, first, m->config.eos_token_id,
                    m->config.eos_count, NULL, NULL, g));
}

/* A cached step computes what scoring the whole row computes, to the bit. */
static void cached_logprobs_equal_scored_ones(void **state)
{
    t2g_model *m = new_model(&small);
    uint32_t id[TOKENS];
    (void)state;
    fill_ids(id);
    for (int sampled = 0; sampled < 2; sampled++) {
        const t2g_sampling s = sampling(sampled);
        t2g_generation g;
        generate(&g, m, id, borders, ROWS, &s, 0);
        for (size_t r = 0; r < ROWS; r++) {
            size_t p = borders[r + 1] - borders[r];
            size_t n = g.row[r + 1] - g.row[r];
            const size_t row[2] = {0, p + n};
            uint32_t whole[TOKENS + 40];
            t2g_decision d[40];
            float logprob[40];
            memcpy(whole, id + borders[r], p * sizeof *id);
            memcpy(whole + p, g.id + g.row[r], n * sizeof *id);
            for (size_t i = 0; i < n; i++)
                d[i] = (t2g_decision){p + i - 1, whole[p + i]};
            float *hidden = hidden_of(m, whole, row, 1, false);
            OK(t2g_head_logprobs(m, hidden, NULL, NULL, d, n, logprob, NULL,
                                 NULL, NULL, NULL));
            assert_memory_equal(logprob, g.logprob + g.row[r],
                                n * sizeof *logprob);
            t2g_free(hidden);
        }
        t2g_generation_free(&g);
    }
    t2g_model_free(m);
}

/* More rows than are decoded at once: most wait for a place. */
static void generation_does_not_depend_on_companions(void **state)
{
    enum { MANY = 150, EACH = 3 };
    t2g_model *m = new_model(&small);
    const t2g_sampling s = sampling(true);
    const t2g_stream stream = {1, 0, 0, T2G_RNG_DATA};
    uint32_t id[MANY * EACH];
    size_t row[MANY + 1], lengths = 0;
    t2g_generation all, one;
    (void)state;
    for (size_t i = 0; i < MANY * EACH; i++)
        id[i] = t2g_random_below(&stream, i, V);
    for (size_t r = 0; r <= MANY; r++)
        row[r] = r * EACH;
    generate(&all, m, id, row, MANY, &s, 100);
    for (size_t r = 0; r < MANY; r += 7) {
        generate(&one, m, id, row + r, 1, &s, 100 + (uint32_t)r);
        size_t n = all.row[r + 1] - all.row[r];
        assert_int_equal(one.row[1], n);
        assert_memory_equal(one.id, all.id + all.row[r], n * sizeof *one.id);
        assert_memory_equal(one.logprob, all.logprob + all.row[r],
                            n * sizeof *one.logprob);
        assert_int_equal(one.ended[0], all.ended[r]);
        lengths |= (size_t)1 << (n % 40);
        t2g_generation_free(&one);
    }
    assert_true(lengths & (lengths - 1)); /* rows did end at different places */
    t2g_generation_free(&all);
    t2g_model_free(m);
}

static void sampling_settings_do_what_they_say(void **state)
{
    t2g_model *m = new_model(&small);
    uint32_t id[TOKENS];
    t2g_generation greedy, narrow, late;
    t2g_sampling s = sampling(false);
    (void)state;
    fill_ids(id);
    generate(&greedy, m, id, borders, ROWS, &s, 0);
    s = sampling(true);
    s.top_k = 1;
    generate(&narrow, m, id, borders, ROWS, &s, 0);
    assert_memory_equal(narrow.row, greedy.row, sizeof borders);
    assert_memory_equal(narrow.id, greedy.id,
                        greedy.row[ROWS] * sizeof *greedy.id);
    s = sampling(true);
    s.min_new_tokens = 25;
    generate(&late, m, id, borders, ROWS, &s, 0);
    for (size_t r = 0; r < ROWS; r++)
        assert_true(late.row[r + 1] - late.row[r] > 25 ||
                    (late.row[r + 1] - late.row[r] == 40 && !late.ended[r]));
    t2g_generation_free(&greedy);
    t2g_generation_free(&narrow);
    t2g_generation_free(&late);
    t2g_model_free(m);
}

static void bad_settings_are_refused(void **state)
{
    t2g_model *m = new_model(&small);
    const uint32_t id[] = {3, 4};
    const size_t row[] = {0, 2}, none[] = {0, 0};
    const t2g_batch batch = {id, row, 1}, empty = {id, none, 1};
    const int64_t eos = V;
    t2g_generation g;
    t2g_sampling s = sampling(true);
    (void)state;
    s.temperature = 0;
    assert_int_equal(t2g_generate(m, &batch, &s, 0, NULL, 0, NULL, NULL, &g),
                     T2G_ERR_ARG);
    assert_message("temperature");
    s = sampling(true);
    s.top_p = 1.5;
    assert_int_equal(t2g_generate(m, &batch, &s, 0, NULL, 0, NULL, NULL, &g),
                     T2G_ERR_ARG);
    assert_message("top_p");
    s = sampling(true);
    assert_int_equal(t2g_generate(m, &batch, &s, 0, &eos, 1, NULL, NULL, &g),
                     T2G_ERR_ARG);
    assert_message("61");
    assert_int_equal(t2g_generate(m, &empty, &s, 0, NULL, 0, NULL, NULL, &g),
                     T2G_ERR_ARG);
    assert_message("prompt 0");
    t2g_model_free(m);
}

/* --- exhausted memory ---------------------------------------------------- */

/* Gives memory `left` times, then none; counts what is in use. */
typedef struct meter {
    size_t left, used;
} meter;

static void *meter_alloc(void *context, size_t size, size_t align)
{
    meter *b = context;
    void *p = NULL;
    if (b->left == 0 || posix_memalign(&p, align, size) != 0)
        return NULL;
    b->left--;
    b->used++;
    return p;
}

static void meter_release(void *context, void *pointer)
{
    meter *b = context;
    if (pointer)
        b->used--;
    free(pointer);
}

/* Load, one training pass, generation: everything that allocates. */
static t2g_status whole_life(void)
{
    static const uint32_t id[] = {5, 6, 7, 8};
    static const size_t row[] = {0, 3, 4};
    static const t2g_decision d[] = {{0, 6}, {1, 7}};
    static const float g[] = {1, 2};
    const t2g_batch batch = {id, row, 2};
    t2g_sampling s = sampling(true);
    t2g_generation out = {0};
    t2g_activations *a = NULL;
    t2g_model *m = NULL, *copy = NULL;
    const float *hidden;
    float dh[4 * H] = {0};
    s.max_new_tokens = 2;
    t2g_status st = t2g_model_load(&m, folder, &kernels);
    if (st == T2G_OK)
        st = t2g_model_clone(&copy, m);
    if (st == T2G_OK)
        st = t2g_model_make_trainable(m);
    if (st == T2G_OK)
        st = t2g_activations_new(&a, m);
    if (st == T2G_OK)
        st = t2g_forward(m, a, &batch, true, &hidden);
    if (st == T2G_OK)
        st = t2g_head_backward(m, hidden, d, 2, g, g, dh);
    if (st == T2G_OK)
        st = t2g_backward(m, a, &batch, dh);
    if (st == T2G_OK)
        st = t2g_generate(m, &batch, &s, 0, NULL, 0, NULL, NULL, &out);
    t2g_generation_free(&out);
    t2g_activations_free(a);
    t2g_model_free(copy);
    t2g_model_free(m);
    return st;
}

static void exhausted_memory_is_an_error(void **state)
{
    meter b = {0};
    const t2g_allocator allocator = {meter_alloc, meter_release, &b};
    t2g_model *m = new_model(&small);
    t2g_status s = T2G_ERR_MEMORY;
    size_t n = 0;
    (void)state;
    OK(t2g_model_save(m, folder));
    t2g_model_free(m);
    t2g_set_allocator(&allocator);
    for (; s != T2G_OK; n++) {
        b.left = n;
        s = whole_life();
        assert_true(s == T2G_OK || s == T2G_ERR_MEMORY);
        assert_int_equal(b.used, 0);
    }
    t2g_set_allocator(NULL);
    assert_true(n > 50);
}

int main(void)
{
    if (t2g_kernels_select(&kernels, NULL) != T2G_OK ||
        t2g_set_threads(2) != T2G_OK) {
        fprintf(stderr, "%s\n", t2g_error_message());
        return 1;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(save_and_load_keep_every_bit),
        cmocka_unit_test(checkpoints_must_fit_their_configuration),
        cmocka_unit_test(missing_files_are_named),
        cmocka_unit_test(configurations_are_refused_by_key),
        cmocka_unit_test(packed_rows_equal_rows_alone),
        cmocka_unit_test(unknown_ids_are_refused),
        cmocka_unit_test(microbatches_equal_one_batch),
        cmocka_unit_test(any_number_of_threads_gives_equal_bits),
        cmocka_unit_test(gradients_agree_with_differences),
        cmocka_unit_test(cached_logprobs_equal_scored_ones),
        cmocka_unit_test(generation_does_not_depend_on_companions),
        cmocka_unit_test(sampling_settings_do_what_they_say),
        cmocka_unit_test(bad_settings_are_refused),
        cmocka_unit_test(exhausted_memory_is_an_error),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
