/* Training loops on a model small enough to look at. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "t2g/t2g.h"

static t2g_kernels kernels;

static const t2g_config tiny = {
    .vocab_size = 300, .hidden_size = 16, .intermediate_size = 24,
    .num_hidden_layers = 2, .num_attention_heads = 2, .num_key_value_heads = 1,
    .head_dim = 8, .max_position_embeddings = 128, .rms_norm_eps = 1e-5f,
    .tie_word_embeddings = true, .bos_token_id = 0, .pad_token_id = 2,
    .eos_token_id = {1}, .eos_count = 1, .initializer_range = 0.1,
    .rope_theta = 10000, .rope_factor = 1, .rope_beta_fast = 32,
    .rope_beta_slow = 1};

static t2g_model *new_model(void)
{
    t2g_model *m;
    assert_int_equal(t2g_model_init(&m, &tiny, &kernels, 7, true), T2G_OK);
    return m;
}

static void digest_of(const t2g_model *m, char hex[33])
{
    t2g_digest *d;
    assert_int_equal(t2g_digest_new(&d), T2G_OK);
    t2g_model_digest(m, d);
    t2g_digest_finish(d, hex);
}

/* Example i: three ids and then the same three again, to be learned. */
static t2g_status copy_example(void *context, uint64_t i, t2g_example *out)
{
    uint32_t *id = context;
    for (uint32_t k = 0; k < 3; k++)
        id[k] = id[k + 3] = 3 + (uint32_t)(i * 7 + k * 5) % 40;
    id[6] = 1;
    *out = (t2g_example){id, 7, 3, NULL};
    return T2G_OK;
}

typedef struct losses {
    double first, last;
    uint64_t stop;
} losses;

static t2g_status note_loss(void *context, const t2g_sft_report *r)
{
    losses *l = context;
    if (r->step == 1)
        l->first = r->loss;
    l->last = r->loss;
    return r->step == l->stop ? t2g_fail(T2G_ERR_INTERRUPTED, "enough")
                              : T2G_OK;
}

static const t2g_sft_config sft = {
    .optim = {T2G_ADAMW, 0.9, 0.98, 1e-8, 0.01, 1.0}, .schedule = T2G_LINEAR,
    .lr = 1e-2, .warmup = 5, .steps = 60, .batch = 8, .seed = 1};

static void sft_learns(void **state)
{
    (void)state;
    uint32_t id[7];
    losses l = {0};
    t2g_model *m = new_model();
    assert_int_equal(t2g_sft(m, &sft, copy_example, id, note_loss, &l),
                     T2G_OK);
    assert_true(l.first > 4 && l.last < 0.6 * l.first);
    double loss, accuracy;
    assert_int_equal(t2g_sft_evaluate(m, 4, copy_example, id, 10, &loss,
                                      &accuracy), T2G_OK);
    assert_true(loss < 0.7 * l.first && accuracy > 0.2);
    t2g_model_free(m);
}

/* The same, of which only the last is to be learned: as targets, and as all but
 * one in the prompt. */
static t2g_status last_as_target(void *context, uint64_t i, t2g_example *out)
{
    static uint8_t target[7] = {[6] = 1};
    T2G_TRY(copy_example(context, i, out));
    out->target = target;
    return T2G_OK;
}

static t2g_status last_alone(void *context, uint64_t i, t2g_example *out)
{
    T2G_TRY(copy_example(context, i, out));
    out->prompt = 6;
    return T2G_OK;
}

static void only_targets_count(void **state)
{
    (void)state;
    uint32_t id[7];
    double loss[2], accuracy;
    t2g_model *m = new_model();
    assert_int_equal(t2g_sft_evaluate(m, 4, last_as_target, id, 10, &loss[0],
                                      &accuracy), T2G_OK);
    assert_int_equal(t2g_sft_evaluate(m, 4, last_alone, id, 10, &loss[1],
                                      &accuracy), T2G_OK);
    assert_memory_equal(&loss[0], &loss[1], sizeof *loss);
    t2g_model_free(m);
}

static void same_bits_for_any_threads(void **state)
{
    (void)state;
    char hex[3][33];
    for (int n = 1; n <= 3; n++) {
        uint32_t id[7];
        losses l = {.stop = 6};
        t2g_model *m = new_model();
        assert_int_equal(t2g_set_threads(n), T2G_OK);
        assert_int_equal(t2g_sft(m, &sft, copy_example, id, note_loss, &l),
                         T2G_ERR_INTERRUPTED);
        digest_of(m, hex[n - 1]);
        t2g_model_free(m);
    }
    assert_int_equal(t2g_set_threads(2), T2G_OK);
    assert_string_equal(hex[0], hex[1]);
    assert_string_equal(hex[0], hex[2]);
}

/* AdamW against its formula in double, one parameter followed for three
 * steps. */
static void adamw_follows_its_formula(void **state)
{
    (void)state;
    t2g_model *m = new_model();
    t2g_optimizer *o;
    t2g_optim_config c = {T2G_ADAMW, 0.9, 0.999, 1e-8, 0.1, 0};
    double p, first = 0, second = 0, norm;
    assert_int_equal(t2g_model_make_trainable(m), T2G_OK);
    assert_int_equal(t2g_optimizer_new(&o, &c, m), T2G_OK);
    p = m->norm->weight[3];
    for (int t = 1; t <= 3; t++) {
        double g = 0.25 * t;
        m->norm->grad[3] = (float)g;
        assert_int_equal(t2g_optimizer_step(o, m, 1e-2, &norm), T2G_OK);
        assert_float_equal(norm, g, 1e-6);
        first = 0.9 * first + 0.1 * g;
        second = 0.999 * second + 0.001 * g * g;
        p -= 1e-2 * 0.1 * p;
        p -= 1e-2 * (first / (1 - pow(0.9, t))) /
             (sqrt(second / (1 - pow(0.999, t))) + 1e-8);
        assert_float_equal(m->norm->weight[3], p, 2e-6);
        assert_true(m->norm->grad[3] == 0);
    }
    t2g_optimizer_free(o);
    t2g_model_free(m);
}

static void a_bad_gradient_stops_the_run(void **state)
{
    (void)state;
    t2g_model *m = new_model();
    t2g_optimizer *o;
    char before[33], after[33];
    assert_int_equal(t2g_model_make_trainable(m), T2G_OK);
    assert_int_equal(t2g_optimizer_new(&o, &sft.optim, m), T2G_OK);
    digest_of(m, before);
    m->layer[1].down->grad[5] = NAN;
    assert_int_equal(t2g_optimizer_step(o, m, 1e-2, NULL), T2G_ERR_NUMERIC);
    assert_non_null(strstr(t2g_error_message(), "layers.1.mlp.down_proj"));
    digest_of(m, after);
    assert_string_equal(before, after);
    t2g_optimizer_free(o);
    t2g_model_free(m);
}

static void schedules(void **state)
{
    (void)state;
    assert_float_equal(t2g_learning_rate(T2G_LINEAR, 1, 0, 0, 10), 1, 1e-12);
    assert_float_equal(t2g_learning_rate(T2G_LINEAR, 1, 5, 0, 10), 0.5, 1e-12);
    assert_float_equal(t2g_learning_rate(T2G_COSINE, 1, 5, 0, 10), 0.5, 1e-12);
    assert_float_equal(t2g_learning_rate(T2G_CONSTANT, 1, 9, 0, 10), 1, 0);
    assert_float_equal(t2g_learning_rate(T2G_LINEAR, 1, 1, 4, 10), 0.5, 1e-12);
    assert_float_equal(t2g_learning_rate(T2G_LINEAR, 1, 10, 0, 10), 0, 0);
}

/* --- the policy optimiser with a table of byte tokens --------------------- */

static t2g_status one_text(void *context, const char **text, size_t *length)
{
    int *left = context;
    *text = (*left)-- > 0 ? "on Sunday at seven in the lobby " : NULL;
    *length = *text ? strlen(*text) : 0;
    return T2G_OK;
}

static t2g_tokenizer *new_tokenizer(void)
{
    static const char *const special[] = {"<bos>", "<eot>", "<pad>"};
    int left = 3;
    t2g_tokenizer *t;
    t2g_tokenizer_training c = {
        .vocab_size = 280, .pre_tokenizer = "gpt2", .special = special,
        .special_count = 3, .bos = "<bos>", .eos = "<eot>", .pad = "<pad>",
        .next = one_text, .context = &left};
    assert_int_equal(t2g_tokenizer_train(&t, &c), T2G_OK);
    return t;
}

static t2g_status one_prompt(void *context, uint64_t i, const uint32_t **ids,
                             size_t *count, uint64_t *index)
{
    uint32_t *id = context;
    id[0] = 0;
    id[1] = 40 + (uint32_t)(i % 5);
    *ids = id;
    *count = 2;
    *index = i;
    return T2G_OK;
}

/* Praises even ids, blames odd ones; checks the ranges on the way. */
static t2g_status like_even(void *context, uint64_t step, t2g_rollout *r,
                            size_t n)
{
    (void)context;
    (void)step;
    for (size_t k = 0; k < n; k++)
        for (size_t i = 0; i < r[k].response_count; i++) {
            assert_true(r[k].delta[i] == 0);
            assert_true(r[k].offset[2 * i + 1] <= r[k].text_length);
            r[k].delta[i] = r[k].response[i] % 2 == 0 ? 1 : -1;
        }
    r[0].usable = n < 2;
    return T2G_OK;
}

typedef struct rl_log {
    double first, last;
    size_t steps;
} rl_log;

static t2g_status note_rl(void *context, const t2g_rl_report *r)
{
    rl_log *l = context;
    double per_token = r->score * (double)r->usable /
                       (double)r->response_tokens;
    if (r->step == 1)
        l->first = per_token;
    l->last = per_token;
    l->steps++;
    assert_int_equal(r->usable + 1, r->rows);
    return T2G_OK;
}

static void run_rl(t2g_granularity g, rl_log *log, char hex[33])
{
    t2g_model *m = new_model(), *ref;
    t2g_tokenizer *tok = new_tokenizer();
    uint32_t id[2];
    t2g_rl_config c = t2g_rl_defaults();
    c.steps = 12;
    c.batch = 24;
    c.minibatch = 12;
    c.ppo_epochs = 2;
    c.lr = 1e-2;
    c.granularity = g;
    c.kl.coef = 0.01;
    c.fit_value_head = true;
    c.ppo.cliprange_value = 0;
    c.sampling.max_new_tokens = 8;
    assert_int_equal(t2g_model_clone(&ref, m), T2G_OK);
    assert_int_equal(t2g_model_add_value_head(m, 1), T2G_OK);
    assert_int_equal(t2g_rl(m, ref, tok, &c, one_prompt, id, like_even, NULL,
                            note_rl, log), T2G_OK);
    digest_of(m, hex);
    t2g_model_free(m);
    t2g_model_free(ref);
    t2g_tokenizer_free(tok);
}

static void rl_learns_from_token_rewards(void **state)
{
    (void)state;
    rl_log log = {0}, again = {0};
    char a[33], b[33];
    run_rl(T2G_TOKEN, &log, a);
    assert_int_equal(log.steps, 12);
    assert_true(log.last > log.first + 0.3);
    assert_int_equal(t2g_set_threads(3), T2G_OK);
    run_rl(T2G_TOKEN, &again, b);
    assert_int_equal(t2g_set_threads(2), T2G_OK);
    assert_string_equal(a, b);
}

static void rl_learns_from_one_reward(void **state)
{
    (void)state;
    rl_log log = {0};
    char hex[33];
    run_rl(T2G_WHOLE, &log, hex);
    assert_true(log.last > log.first + 0.1);
}

/* --- the reward model's texts --------------------------------------------- */

static void reward_prompts(void **state)
{
    (void)state;
    t2g_buffer b = {0};
    assert_int_equal(t2g_reward_prompt("Q:", 2, "yes", 3, &b), T2G_OK);
    assert_string_equal(b.data, "Q: yes\nCRITIQUE:");
    b.size = 0;
    assert_int_equal(t2g_reward_prompt("Q:", 2, " yes", 4, &b), T2G_OK);
    assert_string_equal(b.data, "Q: yes\nCRITIQUE:");
    t2g_buffer_free(&b);
}

static void label_scores(void **state)
{
    (void)state;
    const float said[] = {1, 1, 0, -1, 0}, is[] = {1, 0, 1, -1, -0.5f};
    t2g_label_counts c = {0};
    double p, r, f;
    t2g_label_count(&c, said, is, 5);
    t2g_label_scores(&c, 0, &p, &r, &f);
    assert_float_equal(p, 0.5, 1e-12);
    assert_float_equal(r, 0.5, 1e-12);
    t2g_label_scores(&c, 1, &p, &r, &f);
    assert_float_equal(p, 1, 1e-12);
    assert_float_equal(r, 0.5, 1e-12);
    assert_float_equal(f, 2.0 / 3, 1e-12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sft_learns),
        cmocka_unit_test(only_targets_count),
        cmocka_unit_test(same_bits_for_any_threads),
        cmocka_unit_test(adamw_follows_its_formula),
        cmocka_unit_test(a_bad_gradient_stops_the_run),
        cmocka_unit_test(schedules),
        cmocka_unit_test(rl_learns_from_token_rewards),
        cmocka_unit_test(rl_learns_from_one_reward),
        cmocka_unit_test(reward_prompts),
        cmocka_unit_test(label_scores)};
    if (t2g_kernels_select(&kernels, NULL) != T2G_OK)
        return 1;
    return cmocka_run_group_tests_name("train", tests, NULL, NULL);
}
