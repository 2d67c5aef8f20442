/* The policy optimiser: values derived by hand, guards, and the loss against
 * finite differences of the same loss in double. */
#include "t2g/ppo.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "t2g/memory.h"
#include "t2g/train.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))
#define assert_near(got, want) \
    assert_float_equal((float)(got), (float)(want), 1e-6f)

static void assert_floats(const float *got, const float *want, size_t n)
{
    for (size_t i = 0; i < n; i++)
        assert_float_equal(got[i], want[i], 1e-6f);
}

/* Memory that runs out after `left` more allocations. */
static size_t left;

static void *scarce(void *context, size_t size, size_t align)
{
    (void)context;
    return left-- ? aligned_alloc(align, (size + align - 1) / align * align)
                  : NULL;
}

static void give_back(void *context, void *p)
{
    (void)context;
    free(p);
}

static const t2g_allocator scarcity = {scarce, give_back, NULL};

/* --- statistics and whitening ------------------------------------------- */

static void moments(void **state)
{
    const float x[] = {1, 100, 3, 5, 100};
    const uint8_t mask[] = {1, 0, 1, 1, 0}, none[5] = {0};
    (void)state;
    assert_near(t2g_masked_mean(x, mask, 5), 3);
    assert_near(t2g_masked_variance(x, mask, 5, true), 4);
    assert_near(t2g_masked_variance(x, mask, 5, false), 8.0 / 3);
    assert_near(t2g_masked_mean(x, NULL, 1), 1);
    assert_true(isnan(t2g_masked_mean(x, none, 5)));
    assert_near(t2g_masked_variance(x, none, 5, true), 0);
    assert_near(t2g_masked_variance(x, mask, 1, true), 0);
}

static void whitening(void **state)
{
    const float x[] = {1, 100, 3, 5}, full[] = {-1, 0, 0, 1};
    const float kept[] = {2, 0, 3, 4};
    const uint8_t mask[] = {1, 0, 1, 1};
    float y[4];
    (void)state;
    memcpy(y, x, sizeof x);
    t2g_whiten(y, mask, 4, T2G_WHITEN_FULL);
    assert_floats(y, full, 4);
    memcpy(y, x, sizeof x);
    t2g_whiten(y, mask, 4, T2G_WHITEN_KEEP_MEAN);
    assert_floats(y, kept, 4);
    memcpy(y, x, sizeof x);
    t2g_whiten(y, mask, 4, T2G_WHITEN_NONE);
    assert_memory_equal(y, x, sizeof x);
}

static void whitening_by_scale_keeps_signs(void **state)
{
    float x[] = {3, -4, 7};
    const float want[] = {3 / sqrtf(12.5f), -4 / sqrtf(12.5f), 0};
    const uint8_t mask[] = {1, 1, 0};
    (void)state;
    t2g_whiten(x, mask, 3, T2G_WHITEN_SCALE);
    assert_floats(x, want, 3);
}

static void whitening_too_little(void **state)
{
    static const t2g_whitening modes[] = {
        T2G_WHITEN_FULL, T2G_WHITEN_KEEP_MEAN, T2G_WHITEN_SCALE};
    const uint8_t none[3] = {0}, one[] = {0, 1, 0};
    const float zero[3] = {0};
    (void)state;
    for (size_t i = 0; i < COUNT(modes); i++) {
        float x[] = {7, -2, 9};
        t2g_whiten(x, none, 3, modes[i]);
        assert_floats(x, zero, 3);
    }
    float x[] = {7, -2, 9};
    t2g_whiten(x, one, 3, T2G_WHITEN_FULL);
    assert_floats(x, zero, 3);
}

/* --- masks -------------------------------------------------------------- */

enum { END = 9, COMMA = 8 };
static const uint32_t punct[] = {COMMA};
static const t2g_mask_tokens special = {END, punct, 1};

static void mask_is(t2g_mask_kind kind, const t2g_mask_row *row,
                    const uint32_t *seen, const char *want)
{
    uint8_t mask[16];
    assert_int_equal(t2g_mask(mask, row, seen, &special, kind), T2G_OK);
    for (size_t p = 0; p + 1 < row->tokens; p++)
        assert_int_equal(mask[p], want[p] == '1');
}

static void masks(void **state)
{
    /* padding, prompt of 2, response of 4 that ends early, padding */
    const uint32_t id[] = {0, 1, 2, 3, COMMA, END, 4, 0};
    const uint32_t other[] = {0, 1, COMMA, 3, 4, 5, 6, 0};
    t2g_mask_row row = {id, 8, 1, 2, 4};
    (void)state;
    mask_is(T2G_MASK_TRL, &row, NULL, "0011110");
    mask_is(T2G_MASK_DEFAULT, &row, NULL, "0011100");
    mask_is(T2G_MASK_PUNCT_ALIGNED, &row, NULL, "0010100");
    mask_is(T2G_MASK_OFFICIAL, &row, id, "0011010");
    mask_is(T2G_MASK_OFFICIAL, &row, other, "0001110");
}

static void impossible_masks(void **state)
{
    const uint32_t id[4] = {0};
    uint8_t mask[3];
    const t2g_mask_row no_prompt = {id, 4, 0, 0, 2};
    const t2g_mask_row long_row = {id, 4, 1, 2, 2};
    (void)state;
    assert_int_equal(t2g_mask(mask, &no_prompt, NULL, &special, T2G_MASK_TRL),
                     T2G_ERR_ARG);
    assert_int_equal(t2g_mask(mask, &long_row, NULL, &special, T2G_MASK_TRL),
                     T2G_ERR_ARG);
}

/* --- rewards ------------------------------------------------------------ */

static void kl_estimators(void **state)
{
    const float a[] = {-1, -3}, c[] = {-2, -1};
    const float kl[] = {1, -2}, abs[] = {1, 2}, mse[] = {0.5f, 2};
    float got[2];
    (void)state;
    assert_int_equal(t2g_kl(got, a, c, 2, T2G_KL_KL), T2G_OK);
    assert_floats(got, kl, 2);
    assert_int_equal(t2g_kl(got, a, c, 2, T2G_KL_ABS), T2G_OK);
    assert_floats(got, abs, 2);
    assert_int_equal(t2g_kl(got, a, c, 2, T2G_KL_MSE), T2G_OK);
    assert_floats(got, mse, 2);
    assert_int_equal(t2g_kl(got, a, c, 2, T2G_KL_FULL), T2G_ERR_ARG);
}

static void token_rewards(void **state)
{
    const float kl[] = {1, 2, 3}, delta[] = {1, -1, 1};
    const float want[] = {0.9f, -0.2f, 0.7f}, scored[] = {0.9f, -0.2f, 2.7f};
    const uint8_t mask[] = {1, 0, 1}, none[3] = {0};
    float reward[3];
    (void)state;
    t2g_token_rewards(reward, kl, delta, mask, 3, 0.1);
    assert_floats(reward, want, 3);
    assert_int_equal(t2g_scalar_reward(reward, mask, 3, 2), T2G_OK);
    assert_floats(reward, scored, 3);
    assert_int_equal(t2g_scalar_reward(reward, none, 3, 2), T2G_ERR_ARG);
    assert_floats(reward, scored, 3);
}

static void regrouping(void **state)
{
    static const float delta[] = {1, -0.5f, 0.25f, 1, 1, -1};
    static const uint8_t mask[] = {1, 1, 1, 1, 0, 1};
    static const uint32_t step[] = {0, 0, 0, 1, 1, 2};
    static const struct {
        t2g_granularity g;
        float want[6];
    } cases[] = {{T2G_TOKEN, {1, -0.5f, 0.25f, 1, 1, -1}},
                 {T2G_STEP, {0, 0, 0.75f, 1, 0, -1}},
                 {T2G_WHOLE, {0, 0, 0, 0, 0, 0.75f}}};
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        float x[6];
        memcpy(x, delta, sizeof x);
        t2g_regroup_rewards(x, mask, step, 6, cases[i].g);
        assert_floats(x, cases[i].want, 6);
    }
}

static void reductions(void **state)
{
    static const float want[][3] = {
        {0, 0, -0.5f}, {0, 0, -0.25f}, {0, 0, -1}, {0, 0, -1}};
    const uint8_t mask[] = {1, 0, 1}, none[3] = {0};
    const uint32_t step[3] = {0};
    const float zero[3] = {0};
    (void)state;
    for (int i = 0; i < 4; i++) {
        float x[] = {0.5f, -9, -1};
        t2g_step_rewards(x, mask, step, 3, (t2g_reduce)i);
        assert_floats(x, want[i], 3);
    }
    float x[] = {1, 1, 1}; /* a step without an unmasked token gives nothing */
    t2g_step_rewards(x, none, step, 3, T2G_REDUCE_MIN);
    assert_floats(x, zero, 3);
}

/* --- steps of a response ------------------------------------------------ */

/* The text with a bar behind each step but the last. */
static void cuts_are(t2g_step_mode mode, const char *marked)
{
    char text[128];
    size_t want[16], end[128], n = 0, bars = 0, steps;
    for (const char *s = marked; *s; s++)
        if (*s == '|')
            want[bars++] = n;
        else
            text[n++] = *s;
    if (n)
        want[bars++] = n;
    assert_int_equal(t2g_step_ends(end, &steps, text, n, mode), T2G_OK);
    assert_int_equal(steps, bars);
    assert_memory_equal(end, want, steps * sizeof *end);
}

static void sentences(void **state)
{
    (void)state;
    cuts_are(T2G_STEPS_SENTENCE, "");
    cuts_are(T2G_STEPS_SENTENCE, "No end");
    cuts_are(T2G_STEPS_SENTENCE, "One. |Two?! |\"Three.\" |Four...");
    cuts_are(T2G_STEPS_SENTENCE, "Dr. No met J. R. Ewing, e.g. him. |Then 3.5");
    cuts_are(T2G_STEPS_SENTENCE, "Inc.\n|A. so it goes on. |The end.");
    cuts_are(T2G_STEPS_SENTENCE, "1. First! |2. Second. and so on. |Third");
    cuts_are(T2G_STEPS_SENTENCE, "\xe3\x81\x82\xe3\x80\x82|\xe3\x81\x84");
    cuts_are(T2G_STEPS_SENTENCE, "bad \xff\xe3. |Go");
    cuts_are(T2G_STEPS_SENTENCE, "Words. |A.B.C.D.E.F.G.hello. |Out");
}

static void lines(void **state)
{
    (void)state;
    cuts_are(T2G_STEPS_LINE, "");
    cuts_are(T2G_STEPS_LINE, "\n \na = 1\n|b. c\n\n|d");
    cuts_are(T2G_STEPS_LINE, " \n ");
    cuts_are(T2G_STEPS_WHOLE, "One. Two.\nThree");
}

static void steps_of_tokens(void **state)
{
    static const char text[] = "Hi.\xe3\x80\x80 Yes"; /* with a wide blank */
    static const size_t offset[] = {0, 2, 2, 3, 3, 6, 5, 7, 6, 10, 10, 10};
    static const uint32_t want[] = {0, 0, 0, 0, 1, 1};
    uint32_t step[6];
    (void)state;
    assert_int_equal(t2g_sentence_steps(step, text, 10, offset, 6), T2G_OK);
    assert_memory_equal(step, want, sizeof want);
    assert_int_equal(t2g_sentence_steps(step, "", 0, offset + 10, 1), T2G_OK);
    assert_int_equal(step[0], 0);
}

/* --- the released code's rewards ---------------------------------------- */

static const char *const header[] = {
    "<|start_header_id|>", "assistant", "<|end_header_id|>", "\n\n"};

/* Scores of the tokens behind the header. */
static double scores_are(const char *const *token, size_t tokens,
                         const char *const *word, const float *word_score,
                         size_t words, const float *want)
{
    const char *row[32];
    float score[32];
    size_t start;
    double skipped;
    memcpy(row, header, sizeof header);
    memcpy(row + 4, token, tokens * sizeof *token);
    assert_int_equal(t2g_official_token_scores(score, &start, &skipped, row,
                                               tokens + 4, word, word_score,
                                               words, 5), T2G_OK);
    assert_int_equal(start, 4);
    assert_floats(score + 4, want, tokens);
    return skipped;
}

static void official_scores(void **state)
{
    static const char *const token[] = {" The", " un", "happy", ",", " cat",
                                        "\xe2\x80\x9bs", "<|eot|>"};
    static const char *const word[] = {"the", " ", "Unhappy,", "cat's"};
    static const char *const lost[] = {"the", "unhappy", "no such", "cat's"};
    static const float score[] = {1, 9, -1, 0.5f}, other[] = {1, -1, 5, 0.5f};
    static const float want[] = {1, -1, -1, 0, 0.5f, 0.5f, 0};
    static const float cut[] = {1, -1, -1, 0, 0, 0, 0};
    (void)state;
    assert_near(scores_are(token, 7, word, score, 4, want), 0);
    /* a word is looked for until the row ends: it and all after it are lost */
    assert_near(scores_are(token, 7, lost, other, 4, cut), 0);
    /* a word is given up after five tokens, and the next one still found */
    static const char *const many[] = {"a", "b", "c", "d", "e", "f", "g", "h"};
    static const char *const two[] = {"x", "a"};
    static const float first[] = {-1, 0, 0, 0, 0, 0, 0, 0}, signs[] = {1, -1};
    assert_near(scores_are(many, 8, two, signs, 2, first), 0.5);
    /* the very last token ends no word */
    static const float nothing[3] = {0};
    scores_are(many, 3, many + 2, signs, 1, nothing);
}

static void official_scores_need_a_header(void **state)
{
    static const char *const token[] = {"assistant", "a"};
    static const char *const word[] = {"a"};
    float score[2] = {7, 7}, one = 1;
    size_t start;
    double skipped;
    (void)state;
    assert_int_equal(t2g_official_token_scores(score, &start, &skipped, token,
                                               2, word, &one, 1, 5),
                     T2G_ERR_ARG);
    assert_near(score[0], 7);
}

static void length_weight(void **state)
{
    float score[70] = {0};
    double w[70];
    (void)state;
    score[3] = -1; /* where counting starts */
    t2g_length_weight(w, score, 70, 1, 48);
    assert_near(w[2], 1);
    assert_near(w[3], 1 / (1 + exp(-10)));
    assert_near(w[3 + 53], 0.5); /* k = 54 */
    assert_near(w[69], 1 / (1 + exp(6)));
    t2g_length_weight(w, score, 2, 1, 1); /* no score: from the start */
    assert_near(w[1], 1 / (1 + exp(-5)));
}

/* --- advantages --------------------------------------------------------- */

static void advantages_by_hand(void **state)
{
    /* d = 1 + .5*4 - 2, -1 + .5*2 - 4, 3 - 2; trace .5*.5 */
    const float reward[] = {1, -1, 3}, value[] = {2, 4, 2};
    const float want[] = {1 + 0.25f * -3.75f, -4 + 0.25f, 1};
    const uint8_t mask[] = {1, 1, 1};
    float adv[3], ret[3];
    (void)state;
    assert_int_equal(t2g_gae(adv, ret, reward, value, mask, 3, 0.5f, 0.5f,
                             T2G_GAP_RESET), T2G_OK);
    assert_floats(adv, want, 3);
    for (int i = 0; i < 3; i++)
        assert_near(ret[i], want[i] + value[i]);
}

static void a_gap_ends_the_trace_or_not(void **state)
{
    const float reward[] = {1, 50, 2}, value[] = {0, 70, 0};
    const float reset[] = {1, 0, 2}, decay[] = {3, 2, 2};
    const uint8_t mask[] = {1, 0, 1};
    float adv[3], ret[3];
    (void)state;
    assert_int_equal(t2g_gae(adv, ret, reward, value, mask, 3, 1, 1,
                             T2G_GAP_RESET), T2G_OK);
    assert_floats(adv, reset, 3);
    assert_int_equal(t2g_gae(adv, ret, reward, value, mask, 3, 1, 1,
                             T2G_GAP_DECAY), T2G_OK);
    assert_floats(adv, decay, 3);
}

static void gamma_and_lambda_have_a_range(void **state)
{
    static const float bad[][2] = {
        {-0.1f, 0.5f}, {1.1f, 0.5f}, {0.5f, -0.1f}, {0.5f, 1.1f}, {NAN, 0.5f}};
    const float x[1] = {1};
    const uint8_t mask[1] = {1};
    float adv[1] = {7}, ret[1] = {7};
    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_int_equal(t2g_gae(adv, ret, x, x, mask, 1, bad[i][0], bad[i][1],
                                 T2G_GAP_RESET), T2G_ERR_ARG);
    assert_near(adv[0], 7);
    assert_near(ret[0], 7);
    assert_int_equal(t2g_gae(adv, ret, x, x, mask, 0, 1, 1, T2G_GAP_RESET),
                     T2G_OK);
}

/* --- the loss ----------------------------------------------------------- */

enum { N = 6 };

typedef struct loss_input {
    uint8_t mask[N];
    float old[N], lp[N], v_old[N], v[N], adv[N], ret[N], h[N];
} loss_input;

typedef struct loss_output {
    float d_lp[N], d_v[N], d_h[N];
    t2g_ppo_stats s;
} loss_output;

/* Inside, above and below the clip, both signs of the advantage. */
static const loss_input example = {
    .mask = {1, 1, 0, 1, 1, 1},
    .old = {-1, -1, -1, -2, -2, -1},
    .lp = {-0.85f, -0.5f, -3, -2.5f, -1.5f, -1.6f},
    .v_old = {0, 1, 5, -1, 0.5f, 0},
    .v = {0.1f, 2, 5, -0.9f, 0, -0.5f},
    .adv = {1, 1, 9, 1, -1, -2},
    .ret = {1, 3, 9, -2, 0.2f, -1},
    .h = {1, 2, 9, 3, 4, 5}};
static const t2g_ppo_config usual = {0.2f, 0.2f, 0.5f, 0.1f, 10, 20};

static loss_output loss(const loss_input *x, const t2g_ppo_config *c,
                        float scale)
{
    loss_output y;
    t2g_ppo_loss(y.d_lp, y.d_v, y.d_h, &y.s, x->mask, x->old, x->lp, x->v_old,
                 x->v, x->adv, x->ret, x->h, N, c, scale);
    return y;
}

/* The same loss from its formula, of x with one number moved by `step`. */
static double loss_in_double(const loss_input *x, const float *moved,
                             double step, const t2g_ppo_config *c)
{
    double sum = 0, count = 0;
    for (int i = 0; i < N; i++) {
        if (!x->mask[i])
            continue;
        double lp = (double)x->lp[i] + (moved == &x->lp[i] ? step : 0);
        double v = (double)x->v[i] + (moved == &x->v[i] ? step : 0);
        double h = (double)x->h[i] + (moved == &x->h[i] ? step : 0);
        double low = 1 - (double)c->cliprange, high = 1 + (double)c->cliprange;
        double range = (double)c->cliprange_value, limit = 20;
        double d = lp - (double)x->old[i], a = (double)x->adv[i];
        if (c->logratio_clamp > 0)
            d = fmin(fmax(d, -limit), limit);
        double rho = exp(d), near = v, ret = (double)x->ret[i];
        if (range > 0)
            near = fmin(fmax(v, (double)x->v_old[i] - range),
                        (double)x->v_old[i] + range);
        sum += fmax(-a * rho, -a * fmin(fmax(rho, low), high)) +
               (double)c->vf_coef * 0.5 * fmax((v - ret) * (v - ret),
                                               (near - ret) * (near - ret)) -
               (double)c->ent_coef * h;
        count++;
    }
    return sum / count;
}

static double slope(const loss_input *x, const float *moved,
                    const t2g_ppo_config *c)
{
    double e = 1e-5;
    return (loss_in_double(x, moved, e, c) - loss_in_double(x, moved, -e, c)) /
           (2 * e);
}

static void gradients_are_slopes(void **state)
{
    static const t2g_ppo_config configs[] = {{0.2f, 0.2f, 0.5f, 0.1f, 10, 20},
                                             {0.1f, 0, 0.1f, 0, 10, 0},
                                             {0.3f, 0.6f, 1, 0.5f, 10, 20}};
    (void)state;
    for (size_t k = 0; k < COUNT(configs); k++) {
        const t2g_ppo_config *c = &configs[k];
        loss_output y = loss(&example, c, 0.25f);
        assert_near(y.s.loss_total, loss_in_double(&example, NULL, 0, c));
        for (int i = 0; i < N; i++) {
            assert_near(y.d_lp[i], 0.25 * slope(&example, &example.lp[i], c));
            assert_near(y.d_v[i], 0.25 * slope(&example, &example.v[i], c));
            assert_near(y.d_h[i], 0.25 * slope(&example, &example.h[i], c));
        }
    }
}

static void loss_statistics(void **state)
{
    loss_output y = loss(&example, &usual, 1);
    (void)state;
    assert_int_equal(y.s.decisions, 5);
    assert_false(y.s.skipped);
    assert_near(y.s.entropy, 3);
    assert_near(y.s.clipfrac, 2.0 / 5); /* up with A > 0, down with A < 0 */
    assert_near(y.s.val_clipfrac, 2.0 / 5); /* the second and the last */
    assert_near(y.s.policykl, (-0.15 - 0.5 + 0.5 - 0.5 + 0.6) / 5);
    assert_near(y.s.approxkl, 0.5 * (0.0225 + 0.25 * 3 + 0.36) / 5);
    assert_near(y.s.advantages_mean, 0);
    assert_near(y.s.returns_mean, 1.2 / 5);
    assert_near(y.s.val_mean, 0.5 / 5);
}

static void nothing_unmasked(void **state)
{
    static const float zero[N] = {0};
    loss_input x = example;
    (void)state;
    memset(x.mask, 0, N);
    loss_output y = loss(&x, &usual, 1);
    assert_int_equal(y.s.decisions, 0);
    assert_near(y.s.loss_total, 0);
    assert_floats(y.d_lp, zero, N);
    assert_floats(y.d_v, zero, N);
    assert_floats(y.d_h, zero, N);
}

static void a_single_decision(void **state)
{
    loss_input x = example;
    (void)state;
    memset(x.mask + 1, 0, N - 1);
    loss_output y = loss(&x, &usual, 1);
    assert_int_equal(y.s.decisions, 1);
    assert_true(isfinite(y.s.loss_total));
    assert_true(isnan(y.s.returns_var) && isnan(y.s.val_var));
    assert_near(y.d_lp[0], -exp(0.15));
}

static void a_mean_ratio_above_the_threshold_skips(void **state)
{
    static const float zero[N] = {0};
    t2g_ppo_config c = usual;
    loss_input x = example;
    (void)state;
    x.lp[0] = 4; /* ratio e^5 = 148, mean about 30 */
    loss_output y = loss(&x, &c, 1);
    assert_true(y.s.skipped);
    assert_near(y.s.loss_total, 0);
    assert_near(y.s.loss_policy, 0);
    assert_floats(y.d_lp, zero, N);
    assert_floats(y.d_v, zero, N);
    assert_floats(y.d_h, zero, N);
    c.ratio_threshold = 31;
    assert_false(loss(&x, &c, 1).s.skipped);
}

static void log_ratios_are_clamped(void **state)
{
    t2g_ppo_config c = usual;
    loss_input x = example;
    (void)state;
    c.ratio_threshold = 1e14f;
    x.lp[4] = 28; /* 30 above, negative advantage: not clipped by PPO */
    assert_near(loss(&x, &c, 1).d_lp[4], 0);
    assert_float_equal(t2g_ratio(-2, 28, 20), 4.851652e8f, 1e3f);
    c.logratio_clamp = 0;
    assert_true(loss(&x, &c, 1).d_lp[4] > 1e11f);
}

static void a_nan_is_not_hidden(void **state)
{
    (void)state;
    loss_input x = example;
    x.lp[3] = NAN;
    loss_output y = loss(&x, &usual, 1);
    assert_true(isnan(y.s.loss_total) && isnan(y.d_lp[3]));
    x = example;
    x.v[3] = NAN;
    y = loss(&x, &usual, 1);
    assert_true(isnan(y.s.loss_total) && isnan(y.d_v[3]));
}

/* --- controllers -------------------------------------------------------- */

static void kl_controller(void **state)
{
    t2g_kl_controller c = {0.2, 6, 100, true}, fixed = {0.2, 6, 100, false};
    (void)state;
    t2g_kl_controller_update(&c, 6.6, 10); /* error .1 */
    assert_near(c.coef, 0.2 * 1.01);
    t2g_kl_controller_update(&c, 60, 10); /* error clipped to .2 */
    assert_near(c.coef, 0.2 * 1.01 * 1.02);
    t2g_kl_controller_update(&c, -60, 10);
    assert_near(c.coef, 0.2 * 1.01 * 1.02 * 0.98);
    t2g_kl_controller_update(&fixed, 60, 10);
    assert_near(fixed.coef, 0.2);
    assert_true(t2g_early_stop(0.16, 0.1));
    assert_false(t2g_early_stop(0.14, 0.1));
    assert_false(t2g_early_stop(NAN, 0.1));
}

static void running_moments(void **state)
{
    t2g_running_moments m = {0, 1, 1, 1e-24};
    const float x[] = {1, 3}, y[] = {5};
    double mean, std;
    (void)state;
    t2g_running_moments_update(&m, x, 2, &mean, &std);
    assert_near(mean, 2);
    assert_near(std, sqrt(2));
    assert_near(m.mean, 2);
    assert_near(m.std, sqrt(2));
    t2g_running_moments_update(&m, y, 1, &mean, &std);
    assert_true(isnan(std));
    assert_near(m.mean, 3); /* as of 1, 3, 5 together */
    assert_near(m.var, 8.0 / 3);
    assert_near(m.std, 2);
    t2g_running_moments_update(&m, y, 0, &mean, &std);
    assert_near(m.count, 3);
}

static void score_scaling(void **state)
{
    const t2g_score_scaling scale = {true, false, 0}, all = {true, true, 0.5f},
                            clip = {false, false, 2};
    t2g_running_moments m = {0, 1, 1, 1e-24};
    float x[] = {1, 3}, y[] = {1, 3}, z[] = {-3, 1};
    const float scaled[] = {1 / sqrtf(2), 3 / sqrtf(2)};
    const float clipped[] = {-0.5f, 0.5f}, only_clipped[] = {-2, 1};
    (void)state;
    t2g_scale_scores(x, 2, &m, &scale);
    assert_floats(x, scaled, 2);
    t2g_scale_scores(y, 2, &m, &all);
    assert_floats(y, clipped, 2);
    t2g_scale_scores(z, 2, &m, &clip);
    assert_floats(z, only_clipped, 2);
}

/* --- the value head's start --------------------------------------------- */

static void value_head_of_a_plane(void **state)
{
    const float hidden[] = {0, 0, 1, 0, 0, 1, 1, 1, 9, 9};
    const float ret[] = {1, 3, 0, 2, 99}; /* 1 + 2a - b */
    const uint8_t mask[] = {1, 1, 1, 1, 0}, none[5] = {0};
    float weight[2], bias;
    (void)state;
    assert_int_equal(t2g_value_head_fit(weight, &bias, hidden, ret, mask, 5, 2,
                                        0), T2G_OK);
    assert_near(weight[0], 2);
    assert_near(weight[1], -1);
    assert_near(bias, 1);
    assert_int_equal(t2g_value_head_fit(weight, &bias, hidden, ret, mask, 5, 2,
                                        1e9), T2G_OK);
    assert_near(weight[0], 0);
    assert_near(bias, 1.5); /* not penalised: the mean */
    assert_int_equal(t2g_value_head_fit(weight, &bias, hidden, ret, none, 5, 2,
                                        1), T2G_ERR_ARG);
}

static void value_head_without_enough_data(void **state)
{
    const float hidden[] = {1, 2}, ret[] = {3};
    const uint8_t mask[] = {1};
    float weight[2], bias;
    (void)state;
    assert_int_equal(t2g_value_head_fit(weight, &bias, hidden, ret, mask, 1, 2,
                                        0), T2G_ERR_NUMERIC);
    assert_int_equal(t2g_value_head_fit(weight, &bias, hidden, ret, mask, 1, 2,
                                        1e-3), T2G_OK);
    assert_near(bias + weight[0] + 2 * weight[1], 3);
}

/* --- statistics of a step ----------------------------------------------- */

static void step_statistics(void **state)
{
    const float kl[] = {1, 2, 9, 3, 9}, lp[] = {-1, -2, -9, -3, -9};
    const float delta[] = {1, -1, 9, 1, 9};
    const uint8_t mask[] = {1, 1, 0, 1, 0};
    const size_t row[] = {0, 3, 4, 5}; /* of two, one and no decision */
    t2g_step_stats s;
    (void)state;
    t2g_ppo_step_stats(&s, kl, lp, delta, mask, row, 3, 0.5);
    assert_near(s.kl, 2);
    assert_near(s.entropy, 2);
    assert_near(s.mean_non_score_reward, -1);
    assert_near(s.mean_scores, 0.5);    /* of the rows that have a mean */
    assert_near(s.std_scores, sqrt(2)); /* of the row that has one */
    t2g_ppo_step_stats(&s, kl, lp, delta, mask, row + 2, 1, 0.5);
    assert_near(s.kl, 0);
}

static void averages_leave_out_what_is_no_number(void **state)
{
    t2g_ppo_average a = {0};
    t2g_ppo_stats x = {.loss_policy = 1, .returns_var = NAN, .decisions = 1,
                       .skipped = true};
    t2g_ppo_stats y = {.loss_policy = 3, .returns_var = 4, .val_error = 1,
                       .decisions = 2};
    (void)state;
    t2g_ppo_average_add(&a, &x);
    assert_true(t2g_ppo_average_mean(&a).skipped);
    assert_near(t2g_var_explained(&x), 0);
    t2g_ppo_average_add(&a, &y);
    t2g_ppo_stats mean = t2g_ppo_average_mean(&a);
    assert_near(mean.loss_policy, 2);
    assert_near(mean.returns_var, 4);
    assert_near(mean.val_error, 0.5);
    assert_near(t2g_var_explained(&mean), 1 - 0.5 / 4);
    assert_int_equal(mean.decisions, 3);
    assert_false(mean.skipped);
    assert_int_equal(a.skipped, 1);
}

/* Each double of the struct has exactly one name. */
static void statistics_have_names(void **state)
{
    size_t sum = 0;
    (void)state;
    assert_int_equal(offsetof(t2g_ppo_stats, decisions),
                     T2G_PPO_STATS * sizeof(double));
    for (size_t i = 0; i < T2G_PPO_STATS; i++)
        sum |= (size_t)1 << t2g_ppo_stat_names[i].offset / sizeof(double);
    assert_int_equal(sum, ((size_t)1 << T2G_PPO_STATS) - 1);
}

/* --- updates ------------------------------------------------------------ */

static void adafactor_by_hand(void **state)
{
    /* t = 1: the accumulators are g*g; u = sign(g) for a vector, rms 1 */
    float p[] = {1, 1}, row[1] = {0}, col[2] = {0};
    const float g[] = {3, -0.5f}, want[] = {0.9f - 0.1f, 0.9f + 0.1f};
    const float still[] = {0.9f, 0.9f}, zero[2] = {0};
    (void)state;
    assert_int_equal(t2g_adafactor(p, g, row, col, 1, 2, 1, 0.1, 1), T2G_OK);
    assert_floats(p, want, 2);
    /* a gradient of rank 1 is normalised to signs, too */
    float q[4] = {0}, r[2] = {0}, c[2] = {0};
    const float outer[] = {2, -4, 1, -2}, signs[] = {-1, 1, -1, 1};
    assert_int_equal(t2g_adafactor(q, outer, r, c, 2, 2, 1, 1, 0), T2G_OK);
    assert_floats(q, signs, 4);
    /* no gradient, no step; decay alone */
    float s[] = {1, 1}, none[1] = {0}, of[2] = {0};
    assert_int_equal(t2g_adafactor(s, zero, none, of, 1, 2, 1, 0.1, 1), T2G_OK);
    assert_floats(s, still, 2);
}

static void clip_factor(void **state)
{
    (void)state;
    assert_near(t2g_clip_factor(4, 1), 0.25);
    assert_near(t2g_clip_factor(0.5, 1), 1);
    assert_near(t2g_clip_factor(4, 0), 1);
    assert_near(t2g_clip_factor(0, 1), 1);
}

/* A first step of Adam moves by lr, for gradients of any size. */
static void adam_corrects_its_bias(void **state)
{
    const t2g_optim_config config = {T2G_ADAM, 0.9, 0.999, 0, 0, 0};
    t2g_adamw s = t2g_adamw_constants(&config, 1, 1, 1);
    float m = (1 - s.b1) * 3, v = (1 - s.b2) * 9;
    (void)state;
    assert_float_equal(m / s.c1 / sqrtf(v / s.c2), 1, 1e-7f);
    assert_near(s.decay, 1);
}

static void rates(void **state)
{
    (void)state;
    assert_near(t2g_learning_rate(T2G_LINEAR, 1, 12, 2, 10), 0);
    assert_near(t2g_learning_rate(T2G_LINEAR, 1, 6, 2, 10), 0.5);
    assert_near(t2g_learning_rate(T2G_CONSTANT, 1, 0, 4, 10), 0.25);
    assert_near(t2g_learning_rate(T2G_COSINE, 1, 10, 0, 10), 0);
    assert_near(t2g_learning_rate(T2G_COSINE, 1, 5, 5, 5), 0);
    assert_near(t2g_learning_rate(T2G_WARMUP_LOG, 1, 0, 50, 0), 0);
    assert_near(t2g_learning_rate(T2G_WARMUP_LOG, 1, 1, 50, 0), 0);
    assert_near(t2g_learning_rate(T2G_WARMUP_LOG, 1, 7, 49, 0), 0.5);
    assert_near(t2g_learning_rate(T2G_WARMUP_LOG, 1, 49, 49, 0), 1);
    assert_near(t2g_learning_rate(T2G_WARMUP_LOG, 1, 2, 0, 0), 1);
}

/* --- memory ------------------------------------------------------------- */

static t2g_status need_memory(int which)
{
    static const char *const token[] = {"<|start_header_id|>", "assistant",
                                        "<|end_header_id|>", "a", "b"};
    static const char *const word[] = {"a"};
    static const size_t offset[] = {0, 4};
    static const float x[] = {1, 2};
    static const uint8_t mask[] = {1, 1};
    float a[8], b[8] = {0}, c[8] = {0};
    uint32_t step[1];
    size_t start;
    double skipped;
    switch (which) {
    case 0:
        return t2g_sentence_steps(step, "a. b", 4, offset, 1);
    case 1:
        return t2g_official_token_scores(a, &start, &skipped, token, 5, word, x,
                                         1, 5);
    case 2:
        return t2g_value_head_fit(a, b, x, x, mask, 2, 1, 1);
    default:
        memcpy(a, x, sizeof x);
        return t2g_adafactor(a, x, b, c, 1, 2, 1, 1, 0);
    }
}

/* Each allocation fails in turn: an error, no leak; with enough, success. */
static void memory_runs_out(void **state)
{
    (void)state;
    t2g_set_allocator(&scarcity);
    for (int which = 0; which < 4; which++) {
        t2g_status s = T2G_ERR_MEMORY;
        for (size_t k = 0; s == T2G_ERR_MEMORY; k++) {
            assert_true(k < 200);
            left = k;
            s = need_memory(which);
            if (k == 0)
                assert_int_equal(s, T2G_ERR_MEMORY);
        }
        assert_int_equal(s, T2G_OK);
    }
    t2g_set_allocator(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(moments),
        cmocka_unit_test(whitening),
        cmocka_unit_test(whitening_by_scale_keeps_signs),
        cmocka_unit_test(whitening_too_little),
        cmocka_unit_test(masks),
        cmocka_unit_test(impossible_masks),
        cmocka_unit_test(kl_estimators),
        cmocka_unit_test(token_rewards),
        cmocka_unit_test(regrouping),
        cmocka_unit_test(reductions),
        cmocka_unit_test(sentences),
        cmocka_unit_test(lines),
        cmocka_unit_test(steps_of_tokens),
        cmocka_unit_test(official_scores),
        cmocka_unit_test(official_scores_need_a_header),
        cmocka_unit_test(length_weight),
        cmocka_unit_test(advantages_by_hand),
        cmocka_unit_test(a_gap_ends_the_trace_or_not),
        cmocka_unit_test(gamma_and_lambda_have_a_range),
        cmocka_unit_test(gradients_are_slopes),
        cmocka_unit_test(loss_statistics),
        cmocka_unit_test(nothing_unmasked),
        cmocka_unit_test(a_single_decision),
        cmocka_unit_test(a_mean_ratio_above_the_threshold_skips),
        cmocka_unit_test(log_ratios_are_clamped),
        cmocka_unit_test(a_nan_is_not_hidden),
        cmocka_unit_test(kl_controller),
        cmocka_unit_test(running_moments),
        cmocka_unit_test(score_scaling),
        cmocka_unit_test(value_head_of_a_plane),
        cmocka_unit_test(value_head_without_enough_data),
        cmocka_unit_test(step_statistics),
        cmocka_unit_test(averages_leave_out_what_is_no_number),
        cmocka_unit_test(statistics_have_names),
        cmocka_unit_test(adafactor_by_hand),
        cmocka_unit_test(clip_factor),
        cmocka_unit_test(adam_corrects_its_bias),
        cmocka_unit_test(rates),
        cmocka_unit_test(memory_runs_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
