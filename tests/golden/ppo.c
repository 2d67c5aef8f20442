/* Replays vectors/ppo: the policy optimiser against numpy in double. The format
 * and the tolerance are described in vectors/gen/ppo.py. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "t2g/t2g.h"

/* --- reading a case ----------------------------------------------------- */

enum { MOST = 512 }; /* elements of a tensor here */

static json_t *open_file(const char *name)
{
    char path[128];
    json_t *root;
    snprintf(path, sizeof path, "vectors/ppo/%s.json", name);
    if (t2g_json_read(&root, path) != T2G_OK)
        fail_msg("%s", t2g_error_message());
    return root;
}

static const json_t *find(const json_t *one, const char *part, const char *name)
{
    const json_t *t = json_object_get(json_object_get(one, part), name);
    if (!t)
        fail_msg("the case has no %s.%s", part, name);
    return t;
}

static double number(const json_t *one, const char *key)
{
    return json_number_value(find(one, "config", key));
}

static size_t shape(const json_t *one, const char *name, size_t axis)
{
    const json_t *s = json_object_get(find(one, "in", name), "shape");
    return (size_t)json_integer_value(json_array_get(s, axis));
}

static size_t numbers(double out[MOST], const json_t *one, const char *part,
                      const char *name)
{
    const json_t *data = json_object_get(find(one, part, name), "data");
    size_t n = json_array_size(data);
    assert_true(n <= MOST);
    for (size_t i = 0; i < n; i++)
        out[i] = json_number_value(json_array_get(data, i));
    return n;
}

static size_t floats(float out[MOST], const json_t *one, const char *name)
{
    double x[MOST];
    size_t n = numbers(x, one, "in", name);
    for (size_t i = 0; i < n; i++)
        out[i] = (float)x[i];
    return n;
}

static size_t bytes(uint8_t out[MOST], const json_t *one, const char *name)
{
    double x[MOST];
    size_t n = numbers(x, one, "in", name);
    for (size_t i = 0; i < n; i++)
        out[i] = x[i] != 0;
    return n;
}

/* --- comparing ---------------------------------------------------------- */

static void check(const json_t *one, const char *name, const float *got,
                  const uint8_t *mask, size_t n)
{
    double want[MOST];
    assert_int_equal(numbers(want, one, "out", name), n);
    for (size_t i = 0; i < n; i++) {
        double off = fabs((double)got[i] - want[i]);
        if ((mask && !mask[i]) || off <= 1e-6 + 1e-5 * fabs(want[i]))
            continue;
        fail_msg("%s: %s[%zu]: wanted %.9g, got %.9g",
                 json_string_value(json_object_get(one, "id")), name, i,
                 want[i], (double)got[i]);
    }
}

static void check_one(const json_t *one, const char *name, double got)
{
    float x = (float)got;
    check(one, name, &x, NULL, 1);
}

/* --- the kinds ---------------------------------------------------------- */

static void check_whitened(const json_t *one, const char *name,
                           const uint8_t *mask, t2g_whitening mode)
{
    float x[MOST];
    size_t n = floats(x, one, "values");
    t2g_whiten(x, mask, n, mode);
    check(one, name, x, mask, n);
}

static void replay_whiten(const json_t *one)
{
    float x[MOST];
    uint8_t mask[MOST];
    size_t n = floats(x, one, "values");
    bytes(mask, one, "mask");
    check_one(one, "mean", t2g_masked_mean(x, mask, n));
    check_one(one, "var_biased", t2g_masked_variance(x, mask, n, false));
    check_one(one, "var_unbiased", t2g_masked_variance(x, mask, n, true));
    check_whitened(one, "whiten", mask, T2G_WHITEN_FULL);
    check_whitened(one, "whiten_keep_mean", mask, T2G_WHITEN_KEEP_MEAN);
    check_whitened(one, "whiten_scale", mask, T2G_WHITEN_SCALE);
    check_whitened(one, "plain_whiten", NULL, T2G_WHITEN_FULL);
}

static void check_advantages(const json_t *one, const char *profile,
                             t2g_gae_gap gap)
{
    float value[MOST], reward[MOST], adv[MOST], ret[MOST];
    uint8_t mask[MOST];
    char name[64];
    size_t n = floats(value, one, "values"), T = shape(one, "values", 1);
    floats(reward, one, "rewards");
    bytes(mask, one, "mask");
    for (size_t i = 0; i < n; i += T)
        assert_int_equal(t2g_gae(adv + i, ret + i, reward + i, value + i,
                                 mask + i, T, (float)number(one, "gamma"),
                                 (float)number(one, "lam"), gap), T2G_OK);
    snprintf(name, sizeof name, "adv_raw_%s", profile);
    check(one, name, adv, NULL, n);
    snprintf(name, sizeof name, "returns_%s", profile);
    check(one, name, ret, NULL, n);
    t2g_whiten(adv, mask, n, T2G_WHITEN_FULL);
    snprintf(name, sizeof name, "adv_%s", profile);
    check(one, name, adv, NULL, n);
}

static void replay_advantages(const json_t *one)
{
    check_advantages(one, "official", T2G_GAP_RESET);
    check_advantages(one, "trl", T2G_GAP_DECAY);
}

static void replay_policy_grad(const json_t *one)
{
    float z[MOST], dz[MOST] = {0}, id[MOST], old[MOST], v_old[MOST], v[MOST];
    float adv[MOST], ret[MOST], lse[MOST], lp[MOST], h[MOST];
    float d_lp[MOST], d_v[MOST], d_h[MOST];
    uint8_t mask[MOST];
    size_t S = shape(one, "logits", 1), V = shape(one, "logits", 2), T = S - 1;
    size_t all = floats(z, one, "logits"), n = bytes(mask, one, "mask");
    t2g_ppo_config c = {(float)number(one, "cliprange"),
                        (float)number(one, "cliprange_value"),
                        (float)number(one, "vf_coef"),
                        (float)number(one, "ent_coef"),
                        (float)number(one, "ratio_threshold"), 20};
    t2g_ppo_stats s;
    t2g_kernels k;
    t2g_kernels_ref(&k);
    floats(id, one, "input_ids");
    floats(old, one, "old_logprobs");
    floats(v_old, one, "values");
    floats(v, one, "vpreds");
    floats(adv, one, "advantages");
    floats(ret, one, "returns");
    for (size_t i = 0; i < n; i++) {
        size_t at = i / T * S + i % T;
        lse[i] = k.logsumexp(z + at * V, V, &h[i]);
        lp[i] = z[at * V + (size_t)id[at + 1]] - lse[i];
    }
    t2g_ppo_loss(d_lp, d_v, d_h, &s, mask, old, lp, v_old, v, adv, ret, h, n,
                 &c, 1);
    for (size_t i = 0; i < n; i++) {
        size_t at = i / T * S + i % T;
        k.softmax_bwd(dz + at * V, z + at * V, lse[i], h[i],
                      (size_t)id[at + 1], d_lp[i], d_h[i], V);
    }
    check(one, "logprobs", lp, NULL, n);
    check_one(one, "loss_p", s.loss_policy);
    check_one(one, "loss_v", (double)c.vf_coef * s.loss_value);
    check_one(one, "loss_total", s.loss_total);
    check(one, "grad_logits", dz, NULL, all);
    check(one, "grad_vpreds", d_v, NULL, n);
}

static void replay_value_head(const json_t *one)
{
    float hidden[MOST], ret[MOST], weight[MOST], bias;
    uint8_t mask[MOST];
    size_t width = shape(one, "hidden", 1), n = bytes(mask, one, "mask");
    floats(hidden, one, "hidden");
    floats(ret, one, "returns");
    assert_int_equal(t2g_value_head_fit(weight, &bias, hidden, ret, mask, n,
                                        width, number(one, "ridge")), T2G_OK);
    check(one, "weight", weight, NULL, width);
    check_one(one, "bias", (double)bias);
}

static void replay_tensor(const json_t *one, int k,
                          const t2g_optim_config *config)
{
    float p[MOST], g[MOST], m[MOST] = {0}, v[MOST] = {0};
    char name[32];
    t2g_kernels kernels;
    t2g_kernels_ref(&kernels);
    snprintf(name, sizeof name, "p%d", k);
    size_t n = floats(p, one, name), cols = shape(one, name, 1);
    cols = cols ? cols : n; /* rank 1 */
    for (int j = 1; j <= (int)number(one, "n_steps"); j++) {
        snprintf(name, sizeof name, "g%d_step%d", k, j);
        floats(g, one, name);
        if (config->kind == T2G_ADAFACTOR) {
            assert_int_equal(t2g_adafactor(p, g, m, v, n / cols, cols,
                                           (uint64_t)j, number(one, "lr"),
                                           config->weight_decay), T2G_OK);
        } else {
            t2g_adamw s = t2g_adamw_constants(config, (uint64_t)j,
                                              number(one, "lr"), 1);
            kernels.adamw(p, m, v, g, n, &s);
        }
        snprintf(name, sizeof name, "p%d_step%d", k, j);
        check(one, name, p, NULL, n);
    }
}

static void replay_optim(const json_t *one)
{
    const char *type = json_string_value(find(one, "config", "type"));
    t2g_optim kind = strcmp(type, "adafactor") == 0 ? T2G_ADAFACTOR
                     : strcmp(type, "adam") == 0    ? T2G_ADAM
                                                    : T2G_ADAMW;
    t2g_optim_config config = {kind, 0.9, 0.999, number(one, "eps"),
                               number(one, "weight_decay"), 0};
    for (int k = 0; k < (int)number(one, "n_params"); k++)
        replay_tensor(one, k, &config);
}

static void check_integers(const json_t *one, const char *name,
                           const size_t *got, size_t n)
{
    double want[MOST];
    assert_int_equal(numbers(want, one, "out", name), n);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(got[i], (size_t)want[i]);
}

static void replay_steps(const json_t *one)
{
    static const char *const names[] = {"reward.sum", "reward.mean",
                                        "reward.sign", "reward.min"};
    const json_t *text = find(one, "in", "text");
    const char *s = json_string_value(text);
    size_t n = json_string_length(text), tokens = shape(one, "tokens", 0);
    size_t end[MOST], steps, offset[MOST], range[MOST], where[MOST];
    uint32_t step[MOST];
    uint8_t mask[MOST];
    double x[MOST];
    assert_true(n <= MOST);
    numbers(x, one, "in", "tokens");
    for (size_t i = 0; i < 2 * tokens; i++)
        offset[i] = (size_t)x[i];
    bytes(mask, one, "mask");
    assert_int_equal(t2g_step_ends(end, &steps, s, n, T2G_STEPS_SENTENCE),
                     T2G_OK);
    assert_int_equal(t2g_sentence_steps(step, s, n, offset, tokens), T2G_OK);
    for (size_t k = 0; k < steps; k++) {
        range[2 * k] = k ? end[k - 1] : 0;
        range[2 * k + 1] = end[k];
    }
    for (size_t i = 0; i < tokens; i++)
        where[i] = step[i];
    check_integers(one, "steps", range, 2 * steps);
    check_integers(one, "token_step", where, tokens);
    for (int i = 0; i < 4; i++) {
        float delta[MOST];
        floats(delta, one, "delta");
        t2g_step_rewards(delta, mask, step, tokens, (t2g_reduce)i);
        check(one, names[i], delta, NULL, tokens);
    }
}

static void replay(void **state)
{
    static const struct {
        const char *kind;
        void (*run)(const json_t *one);
    } kinds[] = {{"whiten", replay_whiten},
                 {"advantages", replay_advantages},
                 {"policy_grad", replay_policy_grad},
                 {"value_head", replay_value_head},
                 {"optim", replay_optim},
                 {"steps", replay_steps}};
    (void)state;
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        json_t *root = open_file(kinds[k].kind), *one;
        size_t i;
        assert_true(json_array_size(json_object_get(root, "cases")) > 0);
        json_array_foreach(json_object_get(root, "cases"), i, one)
            kinds[k].run(one);
        json_decref(root);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(replay)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
