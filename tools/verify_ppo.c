/* `t2g verify ppo`: the policy optimiser's formulas against cases of other
 * implementations, a function a kind. Where upstream gives NaN or fails because
 * too little is unmasked, ours gives zeros, and that is what is compared. */
#include <math.h>
#include <string.h>

#include "verify_ppo.h"

/* --- log-probabilities and entropy -------------------------------------- */

/* Rows of T positions, each with V logits; rows [B, S] where S may exceed T. */
typedef struct logits {
    const float *z;
    size_t B, S, T, V;
} logits;

static const float *logits_at(const logits *l, size_t b, size_t p)
{
    return l->z + (b * l->S + p) * l->V;
}

static void score_logits(const ppo_case *c, const logits *l, const int64_t *id,
                         float *lse, float *logprob, float *entropy)
{
    const t2g_kernels *k = verify_kernels(c->v);
    for (size_t b = 0; b < l->B; b++)
        for (size_t p = 0; p < l->T; p++) {
            size_t i = b * l->T + p;
            const float *z = logits_at(l, b, p);
            lse[i] = k->logsumexp(z, l->V, &entropy[i]);
            if (id)
                logprob[i] = z[id[b * l->S + p + 1]] - lse[i];
        }
}

/* dz [B, S, V] = gradient of sum(g*logprob + h*entropy). */
static void logits_gradient(const ppo_case *c, float *dz, const logits *l,
                            const int64_t *id, const float *lse,
                            const float *entropy, const float *g,
                            const float *h)
{
    for (size_t b = 0; b < l->B; b++)
        for (size_t p = 0; p < l->T; p++) {
            size_t i = b * l->T + p;
            verify_kernels(c->v)->softmax_bwd(
                dz + (b * l->S + p) * l->V, logits_at(l, b, p), lse[i],
                entropy[i], (size_t)id[b * l->S + p + 1], g[i], h[i], l->V);
        }
}

static bool read_logits(ppo_case *c, logits *l, int64_t **id)
{
    size_t size[3];
    case_shape(c, "logits", size, 3);
    *l = (logits){case_f32(c, c->in, "logits", ANY_COUNT), size[0], size[1],
                  size[1] - (size[1] > 0), size[2]};
    *id = case_i64(c, c->in, "input_ids", (long)(l->B * l->S));
    for (size_t i = 0; !c->broken && i < l->B * l->S; i++)
        if ((*id)[i] < 0 || (size_t)(*id)[i] >= l->V) {
            verify_fail(c->v, "input_ids", "%lld is no index of %zu logits",
                        (long long)(*id)[i], l->V);
            c->broken = true;
        }
    return !c->broken;
}

static void verify_logprobs(ppo_case *c)
{
    logits l;
    int64_t *id;
    if (!read_logits(c, &l, &id))
        return;
    size_t n = l.B * l.T, all = l.B * l.S * l.V;
    float *lse = case_floats(c, n), *logprob = case_floats(c, n);
    float *entropy = case_floats(c, n), *zero = case_floats(c, n);
    float *dz = case_floats(c, all), *dh = case_floats(c, all);
    float *weight = case_f32(c, c->out, "weights", (long)n);
    if (c->broken)
        return;
    score_logits(c, &l, id, lse, logprob, entropy);
    logits_gradient(c, dz, &l, id, lse, entropy, weight, zero);
    logits_gradient(c, dh, &l, id, lse, entropy, zero, weight);
    case_check(c, "logprobs", logprob, NULL, n);
    case_check(c, "entropy", entropy, NULL, n);
    case_check(c, "dlogits_logprobs", dz, NULL, all);
    case_check(c, "dlogits_entropy", dh, NULL, all);
}

/* --- masks -------------------------------------------------------------- */

static size_t first_one(const uint8_t *mask, size_t n)
{
    size_t i = 0;
    while (i < n && !mask[i])
        i++;
    return i;
}

static void verify_mask(ppo_case *c)
{
    static const struct {
        const char *name;
        t2g_mask_kind kind;
    } kinds[] = {{"mask_default", T2G_MASK_DEFAULT},
                 {"mask_punct_aligned", T2G_MASK_PUNCT_ALIGNED},
                 {"mask_official", T2G_MASK_OFFICIAL},
                 {"mask_trl", T2G_MASK_TRL}};
    size_t size[2], punct;
    case_shape(c, "input_ids", size, 2);
    size_t B = size[0], S = size[1], T = S ? S - 1 : 0;
    int64_t *wide = case_i64(c, c->in, "input_ids", (long)(B * S));
    uint8_t *attention = case_mask(c, c->in, "attention_mask", (long)(B * S));
    int64_t *prompt = case_i64(c, c->in, "query_len", (long)B);
    int64_t *response = case_i64(c, c->in, "response_len", (long)B);
    uint32_t *id = case_array(c, B * S, sizeof *id);
    uint8_t *mask = case_array(c, B * T, 1);
    int64_t *got = case_array(c, B * T, sizeof *got);
    t2g_mask_tokens t = {.end = (uint32_t)case_number(c, "eot_id", 0),
                         .punct = case_ids(c, "punct_ids", &punct)};
    size_t forward = (size_t)case_number(c, "forward_batch", 1);
    if (c->broken)
        return;
    t.punct_count = punct;
    for (size_t i = 0; i < B * S; i++)
        id[i] = (uint32_t)wide[i];
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        for (size_t b = 0; b < B; b++) {
            t2g_mask_row row = {id + b * S, S,
                                first_one(attention + b * S, S),
                                (size_t)prompt[b], (size_t)response[b]};
            if (!case_ok(c, kinds[k].name,
                         t2g_mask(mask + b * T, &row, id + b % forward * S, &t,
                                  kinds[k].kind)))
                return;
        }
        for (size_t i = 0; i < B * T; i++)
            got[i] = mask[i];
        case_check_i64(c, kinds[k].name, got, B * T);
    }
}

/* --- rewards ------------------------------------------------------------ */

static t2g_kl_penalty penalty_of(const ppo_case *c)
{
    static const char *const names[] = {"kl", "abs", "mse", "full"};
    for (int i = 0; i < 4; i++)
        if (strcmp(case_text(c, "kl_penalty"), names[i]) == 0)
            return (t2g_kl_penalty)i;
    return T2G_KL_KL;
}

static void full_kl(ppo_case *c, float *kl, size_t n)
{
    const t2g_kernels *k = verify_kernels(c->v);
    size_t size[3];
    case_shape(c, "logits", size, 3);
    size_t V = size[2];
    float *z = case_f32(c, c->in, "logits", (long)(n * V));
    float *zr = case_f32(c, c->in, "ref_logits", (long)(n * V));
    for (size_t i = 0; !c->broken && i < n; i++)
        kl[i] = k->softmax_kl(z + i * V, k->logsumexp(z + i * V, V, NULL),
                              zr + i * V, k->logsumexp(zr + i * V, V, NULL), V);
}

static void estimated_kl(ppo_case *c, float *kl, size_t n,
                         t2g_kl_penalty penalty)
{
    float *logprob = case_f32(c, c->in, "logprobs", (long)n);
    float *ref = case_f32(c, c->in, "ref_logprobs", (long)n);
    if (!c->broken)
        case_ok(c, "kl", t2g_kl(kl, logprob, ref, n, penalty));
}

static void verify_rewards(ppo_case *c)
{
    size_t size[2];
    case_shape(c, "mask", size, 2);
    size_t B = size[0], T = size[1], n = B * T;
    uint8_t *mask = case_mask(c, c->in, "mask", (long)n);
    uint8_t *none = case_array(c, n, 1);
    float *score = case_f32(c, c->in, "token_scores", (long)(B * (T + 1)));
    float *scalar = case_f32(c, c->in, "scalar_scores", (long)B);
    float *kl = case_floats(c, n), *delta = case_floats(c, n);
    float *reward = case_floats(c, n), *penalty = case_floats(c, n);
    double coef = case_number(c, "kl_coef", 0);
    if (!c->broken && penalty_of(c) == T2G_KL_FULL)
        full_kl(c, kl, n);
    else if (!c->broken)
        estimated_kl(c, kl, n, penalty_of(c));
    if (c->broken)
        return;
    for (size_t i = 0; i < n; i++)
        delta[i] = score[i / T * (T + 1) + i % T + 1];
    t2g_token_rewards(penalty, kl, delta, none, n, coef);
    t2g_token_rewards(reward, kl, delta, mask, n, coef);
    case_check(c, "kl", kl, NULL, n);
    case_check(c, "non_score_reward", penalty, NULL, n);
    case_check(c, "token_rewards", reward, NULL, n);
    for (size_t b = 0; case_has(c, "scalar_rewards") && b < B; b++)
        case_ok(c, "scalar_rewards",
                t2g_scalar_reward(penalty + b * T, mask + b * T, T, scalar[b]));
    if (case_has(c, "scalar_rewards"))
        case_check(c, "scalar_rewards", penalty, NULL, n);
}

/* --- advantages --------------------------------------------------------- */

/* TRL whitens masked rewards along with the others and lets them into the
 * trace: not something t2g_gae does, but it gives TRL's numbers for such input.
 */
static void prepare_as_trl(float *value, float *reward, uint8_t *mask, size_t n,
                           bool whiten)
{
    for (size_t i = 0; i < n; i++)
        if (!mask[i])
            value[i] = reward[i] = 0;
    double mean = t2g_masked_mean(reward, mask, n);
    double scale = sqrt(t2g_masked_variance(reward, mask, n, true) + 1e-8);
    for (size_t i = 0; whiten && i < n; i++)
        reward[i] = (float)(((double)reward[i] - mean) / scale + mean);
    memset(mask, 1, n);
}

static void check_advantages(ppo_case *c, const char *profile, float *value,
                             float *reward, size_t B, size_t T)
{
    size_t n = B * T;
    bool trl = strcmp(profile, "trl") == 0;
    bool whiten = case_number(c, "whiten_rewards", 0) != 0;
    uint8_t *mask = case_mask(c, c->in, "mask", (long)n);
    uint8_t *traced = case_mask(c, c->in, "mask", (long)n);
    float *adv = case_floats(c, n), *ret = case_floats(c, n);
    if (c->broken)
        return;
    if (trl)
        prepare_as_trl(value, reward, traced, n, whiten);
    else if (whiten)
        t2g_whiten(reward, mask, n, T2G_WHITEN_KEEP_MEAN);
    for (size_t i = 0; i < n; i += T)
        if (!case_ok(c, "advantages",
                     t2g_gae(adv + i, ret + i, reward + i, value + i,
                             traced + i, T, (float)case_number(c, "gamma", 1),
                             (float)case_number(c, "lam", 1),
                             trl ? T2G_GAP_DECAY : T2G_GAP_RESET)))
            return;
    bool defined = case_has(c, "values_masked");
    if (defined) {
        case_check(c, case_name(c, "adv_raw_%s", profile), adv, NULL, n);
        case_check(c, case_name(c, "returns_%s", profile), ret, NULL, n);
    }
    t2g_whiten(adv, mask, n, T2G_WHITEN_FULL);
    const char *name = case_name(c, "adv_%s", profile);
    if (count_mask(mask, n) > 1)
        case_check(c, name, adv, mask, n);
    else
        case_check_zero(c, name, adv, n);
}

static void verify_advantages(ppo_case *c)
{
    static const char *const profiles[] = {"official", "trl"};
    size_t size[2];
    case_shape(c, "mask", size, 2);
    long n = (long)(size[0] * size[1]);
    for (int i = 0; i < 2; i++) {
        float *value = case_f32(c, c->in, "values", n);
        float *reward = case_f32(c, c->in, "rewards", n);
        if (!c->broken)
            check_advantages(c, profiles[i], value, reward, size[0], size[1]);
    }
}

/* --- whitening ---------------------------------------------------------- */

static void check_whitened(ppo_case *c, const char *name, const uint8_t *mask,
                           size_t n, t2g_whitening mode)
{
    float *x = case_f32(c, c->in, "values", (long)n);
    if (!x)
        return;
    t2g_whiten(x, mask, n, mode);
    if (mask && count_mask(mask, n) <= 1 && mode == T2G_WHITEN_FULL)
        case_check_zero(c, name, x, n);
    else if (!mask || count_mask(mask, n) > 1)
        case_check(c, name, x, mask, n);
}

static void verify_whiten(ppo_case *c)
{
    size_t size[2];
    case_shape(c, "values", size, 2);
    size_t B = size[0], T = size[1], n = B * T;
    float *x = case_f32(c, c->in, "values", (long)n);
    uint8_t *mask = case_mask(c, c->in, "mask", (long)n);
    float *mean = case_floats(c, B);
    if (c->broken)
        return;
    for (size_t b = 0; b < B; b++)
        mean[b] = (float)t2g_masked_mean(x + b * T, mask + b * T, T);
    float var = (float)t2g_masked_variance(x, mask, n, true);
    case_check_number(c, "mean", t2g_masked_mean(x, mask, n));
    case_check(c, "mean_axis1", mean, NULL, B);
    case_check_number(c, "var_biased", t2g_masked_variance(x, mask, n, false));
    if (count_mask(mask, n) > 1)
        case_check_number(c, "var_unbiased", var);
    else
        case_check_zero(c, "var_unbiased", &var, 1);
    check_whitened(c, "whiten", mask, n, T2G_WHITEN_FULL);
    check_whitened(c, "whiten_keep_mean", mask, n, T2G_WHITEN_KEEP_MEAN);
    check_whitened(c, "plain_whiten", NULL, n, T2G_WHITEN_FULL);
    check_whitened(c, "plain_whiten_keep_mean", NULL, n, T2G_WHITEN_KEEP_MEAN);
    if (case_has(c, "whiten_scale")) /* ours, not TRL's */
        check_whitened(c, "whiten_scale", mask, n, T2G_WHITEN_SCALE);
}

/* --- the value head's start --------------------------------------------- */

static void verify_value_head(ppo_case *c)
{
    size_t size[2];
    float bias;
    case_shape(c, "hidden", size, 2);
    size_t n = size[0], width = size[1];
    float *hidden = case_f32(c, c->in, "hidden", (long)(n * width));
    float *ret = case_f32(c, c->in, "returns", (long)n);
    uint8_t *mask = case_mask(c, c->in, "mask", (long)n);
    float *weight = case_floats(c, width);
    if (c->broken || !case_ok(c, "weight",
                              t2g_value_head_fit(weight, &bias, hidden, ret,
                                                 mask, n, width,
                                                 case_number(c, "ridge", 0))))
        return;
    case_check(c, "weight", weight, NULL, width);
    case_check_number(c, "bias", (double)bias);
}

/* --- losses ------------------------------------------------------------- */

/* What t2g_ppo_loss reads and writes for one minibatch. */
typedef struct loss_data {
    size_t n;
    uint8_t *mask;
    float *old_logprob, *logprob, *old_value, *value, *advantage, *ret;
    float *entropy, *d_logprob, *d_value, *d_entropy;
    t2g_ppo_stats stats;
} loss_data;

static t2g_ppo_config loss_config(const ppo_case *c, float clamp)
{
    return (t2g_ppo_config){
        .cliprange = (float)case_number(c, "cliprange", 0),
        .cliprange_value = (float)case_number(c, "cliprange_value", 0),
        .vf_coef = (float)case_number(c, "vf_coef", 0),
        .ent_coef = (float)case_number(c, "ent_coef", 0),
        .ratio_threshold = (float)case_number(c, "ratio_threshold", 0),
        .logratio_clamp = clamp};
}

/* All but logprob and entropy, which a kind may compute. */
static bool read_loss(ppo_case *c, loss_data *d)
{
    size_t size[2];
    case_shape(c, "mask", size, 2);
    long n = (long)(size[0] * size[1]);
    d->n = (size_t)n;
    d->mask = case_mask(c, c->in, "mask", n);
    d->old_logprob = case_f32(c, c->in, "old_logprobs", n);
    d->old_value = case_f32(c, c->in, "values", n);
    d->value = case_f32(c, c->in, "vpreds", n);
    d->advantage = case_f32(c, c->in, "advantages", n);
    d->ret = case_f32(c, c->in, "returns", n);
    d->entropy = case_floats(c, d->n);
    d->d_logprob = case_floats(c, d->n);
    d->d_value = case_floats(c, d->n);
    d->d_entropy = case_floats(c, d->n);
    return !c->broken;
}

static void run_loss(loss_data *d, const t2g_ppo_config *config)
{
    t2g_ppo_loss(d->d_logprob, d->d_value, d->d_entropy, &d->stats, d->mask,
                 d->old_logprob, d->logprob, d->old_value, d->value,
                 d->advantage, d->ret, d->entropy, d->n, config, 1);
}

static void check_stats(ppo_case *c, const char *prefix, const t2g_ppo_stats *s)
{
    for (size_t i = 0; i < T2G_PPO_STATS; i++) {
        char *name = (char *)case_name(c, "%s.%s", prefix,
                                       t2g_ppo_stat_names[i].name);
        for (char *slash = name; (slash = strchr(slash, '/'));)
            *slash = '.';
        double value;
        memcpy(&value, (const char *)s + t2g_ppo_stat_names[i].offset,
               sizeof value);
        bool tensor = strcmp(t2g_ppo_stat_names[i].name, "policy/ratio") == 0;
        if (!tensor && case_has(c, name))
            case_check_number(c, name, value);
    }
}

static void check_loss(ppo_case *c, const char *prefix, loss_data *d,
                       const t2g_ppo_config *config)
{
    const t2g_ppo_stats *s = &d->stats;
    float *ratio = case_floats(c, d->n);
    for (size_t i = 0; ratio && i < d->n; i++)
        ratio[i] = t2g_ratio(d->old_logprob[i], d->logprob[i],
                             config->logratio_clamp);
    check_stats(c, prefix, s);
    case_check_number(c, case_name(c, "%s.loss_p", prefix), s->loss_policy);
    case_check_number(c, case_name(c, "%s.loss_v", prefix),
                      (double)config->vf_coef * s->loss_value);
    case_check_number(c, case_name(c, "%s.loss_sum", prefix), s->loss_total);
    case_check(c, case_name(c, "%s.policy.ratio", prefix), ratio, NULL, d->n);
    case_check(c, case_name(c, "%s.grad_logprobs", prefix), d->d_logprob, NULL,
               d->n);
    case_check(c, case_name(c, "%s.grad_vpreds", prefix), d->d_value, NULL,
               d->n);
}

static void check_no_loss(ppo_case *c, const loss_data *d)
{
    float loss[] = {(float)d->stats.loss_policy, (float)d->stats.loss_value,
                    (float)d->stats.loss_total};
    case_check_zero(c, "loss", loss, 3);
    case_check_zero(c, "grad_logprobs", d->d_logprob, d->n);
    case_check_zero(c, "grad_vpreds", d->d_value, d->n);
}

static void verify_loss(ppo_case *c)
{
    static const struct {
        const char *prefix;
        float clamp;
    } profiles[] = {{"official", 20}, {"trl", 0}};
    loss_data d;
    size_t size[3];
    if (!read_loss(c, &d))
        return;
    case_shape(c, "logits", size, 3);
    logits l = {case_f32(c, c->in, "logits", (long)(d.n * size[2])), size[0],
                size[1], size[1], size[2]};
    float *lse = case_floats(c, d.n);
    d.logprob = case_f32(c, c->in, "logprobs", (long)d.n);
    if (c->broken)
        return;
    score_logits(c, &l, NULL, lse, NULL, d.entropy);
    for (int i = 0; i < 2; i++) {
        t2g_ppo_config config = loss_config(c, profiles[i].clamp);
        run_loss(&d, &config);
        if (d.stats.decisions)
            check_loss(c, profiles[i].prefix, &d, &config);
        else
            check_no_loss(c, &d);
    }
}

static void verify_policy_grad(ppo_case *c)
{
    t2g_ppo_config config = loss_config(c, 20);
    loss_data d;
    logits l;
    int64_t *id;
    if (!read_loss(c, &d) || !read_logits(c, &l, &id))
        return;
    size_t all = l.B * l.S * l.V;
    float *lse = case_floats(c, d.n), *dz = case_floats(c, all);
    d.logprob = case_floats(c, d.n);
    if (c->broken)
        return;
    score_logits(c, &l, id, lse, d.logprob, d.entropy);
    run_loss(&d, &config);
    logits_gradient(c, dz, &l, id, lse, d.entropy, d.d_logprob, d.d_entropy);
    case_check(c, "logprobs", d.logprob, NULL, d.n);
    case_check_number(c, "loss_p", d.stats.loss_policy);
    case_check_number(c, "loss_v",
                      (double)config.vf_coef * d.stats.loss_value);
    case_check_number(c, "entropy", d.stats.entropy);
    case_check_number(c, "loss_total", d.stats.loss_total);
    case_check(c, "grad_logits", dz, NULL, all);
    case_check(c, "grad_vpreds", d.d_value, NULL, d.n);
}

/* --- controllers -------------------------------------------------------- */

static void verify_kl_controller(ppo_case *c)
{
    t2g_kl_controller adaptive = {case_number(c, "init", 0),
                                  case_number(c, "target", 1),
                                  case_number(c, "horizon", 1), true};
    t2g_kl_controller fixed = adaptive;
    size_t n[1];
    fixed.adaptive = false;
    case_shape(c, "current_kl", n, 1);
    double *kl = case_f64(c, c->in, "current_kl", (long)*n);
    double *rows = case_f64(c, c->in, "n_steps", (long)*n);
    double *a = case_array(c, *n, sizeof *a), *f = case_array(c, *n, sizeof *f);
    if (c->broken)
        return;
    for (size_t i = 0; i < *n; i++) {
        t2g_kl_controller_update(&adaptive, kl[i], rows[i]);
        t2g_kl_controller_update(&fixed, kl[i], rows[i]);
        a[i] = adaptive.coef;
        f[i] = fixed.coef;
    }
    double *want = case_f64(c, c->out, "adaptive", (long)*n);
    if (want) /* the error is a float upstream */
        verify_f64(c->v, "adaptive", a, want, *n, 1e-9, 1e-9);
    case_check_f64(c, "fixed", f, *n);
}

static void check_scores(ppo_case *c, const char *name, const char *batch,
                         size_t n, const t2g_running_moments *before,
                         bool normalise)
{
    t2g_running_moments m = *before;
    t2g_score_scaling scaling = {true, normalise,
                                 (float)case_number(c, "score_clip", 0)};
    float *x = case_f32(c, c->in, batch, (long)n);
    if (x) {
        t2g_scale_scores(x, n, &m, &scaling);
        case_check(c, name, x, NULL, n);
    }
}

static void verify_running_moments(ppo_case *c)
{
    t2g_running_moments m = {0, 1, 1, 1e-24};
    int batches = (int)case_number(c, "n_batches", 0);
    for (int j = 0; j < batches && !c->broken; j++) {
        const char *batch = case_name(c, "batch%d", j);
        t2g_running_moments before = m;
        size_t n[1];
        double mean, std;
        case_shape(c, batch, n, 1);
        float *x = case_f32(c, c->in, batch, (long)*n);
        if (c->broken)
            return;
        t2g_running_moments_update(&m, x, *n, &mean, &std);
        double state[] = {m.mean, m.std, m.var, m.count};
        float both[] = {(float)mean, (float)std};
        double *want = case_f64(c, c->out, case_name(c, "state%d", j), 4);
        if (want) /* the batch's mean and variance are float upstream */
            verify_f64(c->v, "state", state, want, 4, 1e-6, 1e-5);
        case_check(c, case_name(c, "batch_mean_std%d", j), both, NULL, 2);
        check_scores(c, case_name(c, "scaled%d", j), batch, *n, &before, false);
        check_scores(c, case_name(c, "normed%d", j), batch, *n, &before, true);
    }
}

static void verify_early_stop(ppo_case *c)
{
    size_t n[1];
    case_shape(c, "policykl", n, 1);
    double *kl = case_f64(c, c->in, "policykl", (long)*n);
    int64_t *stop = case_array(c, *n, sizeof *stop);
    for (size_t i = 0; !c->broken && i < *n; i++)
        stop[i] = t2g_early_stop(kl[i], case_number(c, "target_kl", 1));
    if (!c->broken)
        case_check_i64(c, "stop", stop, *n);
}

enum { MOST_TENSORS = 16 };

static void verify_clip(ppo_case *c)
{
    float *g[MOST_TENSORS];
    size_t n[MOST_TENSORS], count = 0;
    double squares = 0;
    for (; count < MOST_TENSORS; count++) {
        oracle_tensor t;
        const char *name = case_name(c, "g%zu", count);
        if (!json_object_get(c->in, name) ||
            !oracle_read(c->v, c->in, name, &t))
            break;
        n[count] = t.count;
        oracle_free(&t);
        if (!(g[count] = case_f32(c, c->in, name, (long)n[count])))
            return;
        squares += (double)verify_kernels(c->v)->sum_squares(g[count],
                                                             n[count]);
    }
    double factor = t2g_clip_factor(sqrt(squares),
                                    case_number(c, "max_norm", 0));
    case_check_number(c, "total_norm", sqrt(squares));
    for (size_t k = 0; k < count; k++) {
        for (size_t i = 0; i < n[k]; i++)
            g[k][i] *= (float)factor;
        case_check(c, case_name(c, "g%zu", k), g[k], NULL, n[k]);
    }
}

static void verify_controllers(ppo_case *c)
{
    const char *type = case_text(c, "type");
    if (strcmp(type, "kl_controller") == 0)
        verify_kl_controller(c);
    else if (strcmp(type, "running_moments") == 0)
        verify_running_moments(c);
    else if (strcmp(type, "early_stop") == 0)
        verify_early_stop(c);
    else if (strcmp(type, "clip_grad_norm") == 0)
        verify_clip(c);
    else
        verify_fail(c->v, "type", "no controller is called '%s'", type);
}

/* --- statistics of a step ----------------------------------------------- */

/* Mean over minibatches of in["mb.NAME"]. */
static t2g_ppo_stats average_minibatches(ppo_case *c, size_t minibatches)
{
    t2g_ppo_average average = {0};
    for (size_t k = 0; k < minibatches && !c->broken; k++) {
        t2g_ppo_stats s = {0};
        for (size_t i = 0; i < T2G_PPO_STATS; i++) {
            char *name = (char *)case_name(c, "mb.%s",
                                           t2g_ppo_stat_names[i].name);
            for (char *slash = name; (slash = strchr(slash, '/'));)
                *slash = '.';
            if (!json_object_get(c->in, name))
                continue;
            double *x = case_f64(c, c->in, name, (long)minibatches);
            if (x)
                memcpy((char *)&s + t2g_ppo_stat_names[i].offset, &x[k],
                       sizeof x[k]);
        }
        t2g_ppo_average_add(&average, &s);
    }
    return t2g_ppo_average_mean(&average);
}

static void check_lengths(ppo_case *c, const char *in, const char *out,
                          size_t B)
{
    float *x = case_f32(c, c->in, in, (long)B);
    if (!x)
        return;
    double std = sqrt(t2g_masked_variance(x, NULL, B, true));
    case_check(c, case_name(c, "tokens.%s_dist", out), x, NULL, B);
    case_check_number(c, case_name(c, "tokens.%s_len_mean", out),
                      t2g_masked_mean(x, NULL, B));
    case_check_number(c, case_name(c, "tokens.%s_len_std", out), std);
}

static void verify_stats(ppo_case *c)
{
    size_t size[2], minibatches[1];
    case_shape(c, "mask", size, 2);
    case_shape(c, "mb.loss.policy", minibatches, 1);
    size_t B = size[0], T = size[1], n = B * T;
    uint8_t *mask = case_mask(c, c->in, "mask", (long)n);
    float *kl = case_f32(c, c->in, "kls", (long)n);
    float *logprob = case_f32(c, c->in, "logprobs", (long)n);
    float *penalty = case_f32(c, c->in, "non_score_reward", (long)n);
    float *delta = case_f32(c, c->in, "token_scores_shifted", (long)n);
    float *scalar = case_f32(c, c->in, "scalar_scores", (long)B);
    size_t *row = case_array(c, B + 1, sizeof *row);
    float *row_kl = case_floats(c, B);
    if (c->broken || n == 0)
        return;
    double coef = -(double)penalty[0] / (double)kl[0]; /* not in the case */
    t2g_step_stats s;
    for (size_t b = 0; b < B; b++) {
        size_t one[] = {0, T};
        t2g_ppo_step_stats(&s, kl + b * T, logprob + b * T, delta + b * T,
                           mask + b * T, one, 1, coef);
        row_kl[b] = (float)s.kl;
        row[b + 1] = row[b] + T;
    }
    t2g_ppo_step_stats(&s, kl, logprob, delta, mask, row, B, coef);
    case_check_number(c, "objective.kl", s.kl);
    case_check(c, "objective.kl_dist", row_kl, NULL, B);
    case_check_number(c, "objective.entropy", s.entropy);
    case_check_number(c, "ppo.mean_non_score_reward", s.mean_non_score_reward);
    case_check_number(c, "ppo.mean_scores", s.mean_scores);
    case_check_number(c, "ppo.std_scores", s.std_scores);
    case_check_number(c, "trl.mean_scores", t2g_masked_mean(scalar, NULL, B));
    case_check_number(c, "trl.std_scores",
                      sqrt(t2g_masked_variance(scalar, NULL, B, true)));
    check_lengths(c, "query_len", "queries", B);
    check_lengths(c, "response_len", "responses", B);
    t2g_ppo_stats mean = average_minibatches(c, *minibatches);
    check_stats(c, "ppo", &mean);
    case_check_number(c, "ppo.val.var_explained", t2g_var_explained(&mean));
}

/* --- rewards of the released code --------------------------------------- */

static void verify_length_weight(ppo_case *c)
{
    size_t size[2];
    case_shape(c, "token_scores", size, 2);
    size_t B = size[0], S = size[1];
    float *score = case_f32(c, c->in, "token_scores", (long)(B * S));
    double *length = case_f64(c, c->in, "suggested_len", (long)B);
    double *weight = case_array(c, B * S, sizeof *weight);
    double *weighted = case_array(c, B * S, sizeof *weighted);
    if (c->broken)
        return;
    for (size_t b = 0; b < B; b++)
        t2g_length_weight(weight + b * S, score + b * S, S,
                          case_number(c, "alpha", 1), length[b]);
    for (size_t i = 0; i < B * S; i++)
        weighted[i] = weight[i] * (double)score[i];
    case_check_f64(c, "weight", weight, B * S);
    case_check_f64(c, "weighted", weighted, B * S);
}

static void verify_token_align(ppo_case *c)
{
    static const char *const variants[] = {"slf5k", "kodcode"};
    size_t tokens, words, start;
    const char **token = case_strings(c, "tokens", &tokens);
    const char **word = case_strings(c, "words", &words);
    float *word_score = case_f32(c, c->in, "word_scores", (long)words);
    float *score = case_floats(c, tokens);
    for (int i = 0; !c->broken && i < 2; i++) {
        const char *attempts = case_name(c, "max_attempts_%s", variants[i]);
        double skipped;
        if (!case_ok(c, "token_scores",
                     t2g_official_token_scores(
                         score, &start, &skipped, token, tokens, word,
                         word_score, words,
                         (unsigned)case_number(c, attempts, 5))))
            return;
        int64_t at = (int64_t)start;
        case_check_i64(c, "answer_start", &at, 1);
        case_check(c, case_name(c, "token_scores_%s", variants[i]), score, NULL,
                   tokens);
        case_check_f64(c, case_name(c, "skip_fraction_%s", variants[i]),
                       &skipped, 1);
    }
}

/* --- optimisers and schedules ------------------------------------------- */

typedef struct optim_tensor {
    float *p, *m, *v;
    size_t rows, cols;
} optim_tensor;

static double list_number(const ppo_case *c, const char *key, size_t i,
                          double otherwise)
{
    const json_t *x = json_array_get(json_object_get(c->config, key), i);
    return json_is_number(x) ? json_number_value(x) : otherwise;
}

static t2g_optim_config optim_config(const ppo_case *c)
{
    const char *type = case_text(c, "type");
    return (t2g_optim_config){
        .kind = strcmp(type, "adafactor") == 0 ? T2G_ADAFACTOR
                : strcmp(type, "adam") == 0    ? T2G_ADAM
                                               : T2G_ADAMW,
        .b1 = list_number(c, "betas", 0, 0.9),
        .b2 = list_number(c, "betas", 1, 0.999),
        .eps = case_number(c, "eps", 1e-8),
        .weight_decay = case_number(c, "weight_decay", 0)};
}

static bool read_optim_tensor(ppo_case *c, optim_tensor *t, int k)
{
    const char *name = case_name(c, "p%d", k);
    oracle_tensor shape;
    if (!oracle_read(c->v, c->in, name, &shape))
        return false;
    t->rows = shape.rank == 2 ? shape.shape[0] : 1;
    t->cols = shape.rank == 2 ? shape.shape[1] : shape.count;
    oracle_free(&shape);
    t->p = case_f32(c, c->in, name, (long)(t->rows * t->cols));
    t->m = case_floats(c, t->rows * t->cols);
    t->v = case_floats(c, t->rows * t->cols);
    return !c->broken;
}

static void step_optim_tensor(ppo_case *c, optim_tensor *t, const float *g,
                              const t2g_optim_config *config, uint64_t step)
{
    double lr = case_number(c, "lr", 0);
    size_t n = t->rows * t->cols;
    if (config->kind == T2G_ADAFACTOR) {
        case_ok(c, "adafactor",
                t2g_adafactor(t->p, g, t->m, t->v, t->rows, t->cols, step, lr,
                              config->weight_decay));
    } else {
        t2g_adamw s = t2g_adamw_constants(config, step, lr, 1);
        verify_kernels(c->v)->adamw(t->p, t->m, t->v, g, n, &s);
    }
}

static void check_moments(ppo_case *c, const optim_tensor *t, int k,
                          t2g_optim kind)
{
    size_t n = t->rows * t->cols;
    if (kind != T2G_ADAFACTOR) {
        case_check(c, case_name(c, "p%d_m", k), t->m, NULL, n);
        case_check(c, case_name(c, "p%d_v", k), t->v, NULL, n);
    } else if (case_has(c, case_name(c, "p%d_exp_avg_sq", k))) {
        case_check(c, case_name(c, "p%d_exp_avg_sq", k), t->v, NULL, n);
    } else {
        case_check(c, case_name(c, "p%d_exp_avg_sq_row", k), t->m, NULL,
                   t->rows);
        case_check(c, case_name(c, "p%d_exp_avg_sq_col", k), t->v, NULL,
                   t->cols);
    }
}

static void verify_optim(ppo_case *c)
{
    t2g_optim_config config = optim_config(c);
    int tensors = (int)case_number(c, "n_params", 0);
    int steps = (int)case_number(c, "n_steps", 0);
    for (int k = 0; k < tensors; k++) {
        optim_tensor t;
        if (!read_optim_tensor(c, &t, k))
            return;
        size_t n = t.rows * t.cols;
        for (int j = 1; j <= steps; j++) {
            float *g = case_f32(c, c->in, case_name(c, "g%d_step%d", k, j),
                                (long)n);
            if (!g)
                return;
            step_optim_tensor(c, &t, g, &config, (uint64_t)j);
            case_check(c, case_name(c, "p%d_step%d", k, j), t.p, NULL, n);
        }
        check_moments(c, &t, k, config.kind);
    }
}

static void check_rates(ppo_case *c, const char *name, t2g_schedule s,
                        const int64_t *k, size_t n, uint64_t warmup)
{
    double lr = case_number(c, "base_lr", 0);
    double *rate = case_array(c, n, sizeof *rate);
    double *want = case_f64(c, c->out, name, (long)n);
    if (c->broken)
        return;
    for (size_t i = 0; i < n; i++)
        rate[i] = t2g_learning_rate(
            s, lr, k ? (uint64_t)k[i] : i, warmup,
            (uint64_t)case_number(c, "total_steps", 0));
    verify_f64(c->v, name, rate, want, n, 1e-12 * lr, 1e-12);
}

static void verify_schedule(ppo_case *c)
{
    uint64_t warmup = (uint64_t)case_number(c, "ds_warmup_steps", 0);
    size_t n[1];
    case_shape(c, "k", n, 1);
    int64_t *k = case_i64(c, c->in, "k", (long)*n);
    if (c->broken)
        return;
    check_rates(c, "linear", T2G_LINEAR, k, *n, 0);
    check_rates(c, "cosine", T2G_COSINE, k, *n, 0);
    check_rates(c, "ds_warmup_log", T2G_WARMUP_LOG, NULL, warmup + 5, warmup);
}

/* --- steps of a response ------------------------------------------------ */

static t2g_step_mode step_mode(const ppo_case *c)
{
    const char *mode = case_text(c, "mode");
    return strcmp(mode, "line") == 0    ? T2G_STEPS_LINE
           : strcmp(mode, "whole") == 0 ? T2G_STEPS_WHOLE
                                        : T2G_STEPS_SENTENCE;
}

static void check_step_rewards(ppo_case *c, const uint32_t *step, size_t tokens)
{
    static const char *const names[] = {"sum", "mean", "sign", "min"};
    uint8_t *mask = case_mask(c, c->in, "mask", (long)tokens);
    for (int i = 0; mask && i < 4; i++) {
        const char *name = case_name(c, "reward.%s", names[i]);
        float *delta = case_f32(c, c->in, "delta", (long)tokens);
        if (!delta)
            return;
        t2g_step_rewards(delta, mask, step, tokens, (t2g_reduce)i);
        case_check(c, name, delta, NULL, tokens);
    }
}

/* As ranges [2*steps] of 64-bit integers. */
static void check_step_ranges(ppo_case *c, const size_t *end, size_t steps)
{
    int64_t *range = case_array(c, 2 * steps, sizeof *range);
    for (size_t k = 0; range && k < steps; k++) {
        range[2 * k] = k ? (int64_t)end[k - 1] : 0;
        range[2 * k + 1] = (int64_t)end[k];
    }
    if (range)
        case_check_i64(c, "steps", range, 2 * steps);
}

static void verify_steps(ppo_case *c)
{
    const json_t *text_value = json_object_get(c->in, "text");
    const char *text = json_string_value(text_value);
    size_t size[2], n = json_string_length(text_value), steps;
    case_shape(c, "tokens", size, 2);
    size_t tokens = size[0];
    int64_t *range = case_i64(c, c->in, "tokens", (long)(2 * tokens));
    size_t *offset = case_array(c, 2 * tokens, sizeof *offset);
    size_t *end = case_array(c, n, sizeof *end);
    uint32_t *step = case_array(c, tokens, sizeof *step);
    int64_t *got = case_array(c, tokens, sizeof *got);
    if (!text)
        verify_fail(c->v, "text", "the case has no text");
    if (c->broken || !text)
        return;
    for (size_t i = 0; i < 2 * tokens; i++)
        offset[i] = (size_t)range[i];
    if (!case_ok(c, "steps", t2g_step_ends(end, &steps, text, n,
                                           step_mode(c))) ||
        !case_ok(c, "token_step", t2g_token_steps(step, text, n, end, steps,
                                                  offset, tokens)))
        return;
    for (size_t i = 0; i < tokens; i++)
        got[i] = step[i];
    check_step_ranges(c, end, steps);
    case_check_i64(c, "token_step", got, tokens);
    check_step_rewards(c, step, tokens);
}

/* --- the stage ---------------------------------------------------------- */

static const struct {
    const char *name;
    void (*run)(ppo_case *c);
} kinds[] = {
    {"logprobs", verify_logprobs},
    {"mask", verify_mask},
    {"rewards", verify_rewards},
    {"advantages", verify_advantages},
    {"whiten", verify_whiten},
    {"loss", verify_loss},
    {"policy_grad", verify_policy_grad},
    {"value_head", verify_value_head},
    {"controllers", verify_controllers},
    {"stats", verify_stats},
    {"length_weight", verify_length_weight},
    {"token_align", verify_token_align},
    {"optim", verify_optim},
    {"schedule", verify_schedule},
    {"step", verify_ppo_step},
    {"steps", verify_steps},
};

static void verify_case(verifier *v, const char *path, const json_t *one,
                        void (*run)(ppo_case *c))
{
    const char *id = json_string_value(json_object_get(one, "id"));
    ppo_case c = {.v = v, .json = one, .config = json_object_get(one, "config"),
                  .in = json_object_get(one, "in"),
                  .out = json_object_get(one, "out")};
    if (!verify_begin(v, path, id ? id : "?"))
        return;
    run(&c);
    for (size_t i = 0; i < c.owned_count; i++)
        t2g_free(c.owned[i]);
    t2g_free(c.owned);
    verify_end(v);
}

void verify_ppo(verifier *v, const char *path, const json_t *root)
{
    const char *kind = json_string_value(json_object_get(root, "kind"));
    const json_t *cases = json_object_get(root, "cases"), *one;
    size_t i;
    for (size_t k = 0; kind && k < sizeof kinds / sizeof *kinds; k++)
        if (strcmp(kind, kinds[k].name) == 0) {
            json_array_foreach(cases, i, one)
                verify_case(v, path, one, kinds[k].run);
            return;
        }
    verify_skip(v, path, NULL, "not a kind of the policy optimiser's cases");
}
