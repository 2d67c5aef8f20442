/* Whole PPO steps with a table in place of the network: logits[s] = W[x_s],
 * reference logits W_ref[x_s], value u[x_s] + b. Everything but the table is
 * the library's. Read from the bottom up. */
#include <math.h>
#include <string.h>

#include "verify_ppo.h"

enum { W, U, BIAS, TENSORS }; /* what is trained */
static const char *const tensor_names[TENSORS] = {"W", "u", "b"};

typedef struct tensor {
    float *p, *g, *m, *v;
    size_t rows, cols, n;
} tensor;

/* The case: what does not change from step to step but the parameters. */
typedef struct run {
    ppo_case *c;
    const t2g_kernels *k;
    size_t V, B, iteration, epoch, updates, minibatches;
    const char **vocab;
    tensor t[TENSORS];
    const float *ref;
    const int64_t *permutation; /* [epochs of all steps, B] */
    size_t permutations;
    t2g_ppo_config loss;
    t2g_optim_config optim;
    t2g_kl_controller kl;
    t2g_running_moments moments;
    bool scalar, official;
} run;

/* One step's numbers, [B, T] unless said otherwise. */
typedef struct step {
    size_t S, T, n;
    size_t *prompt, *response, *row; /* [B], [B], [B+1] */
    uint32_t *id;                    /* [B, S] */
    uint8_t *mask;
    float *logprob, *kl, *value, *delta, *score, *reward, *adv, *ret;
    double lr;
} step;

/* One minibatch, [rows, T]. */
typedef struct minibatch {
    size_t rows, n;
    const int64_t *order; /* [rows] */
    uint8_t *mask;
    float *old_logprob, *logprob, *lse, *entropy, *old_value, *value, *adv,
        *ret, *d_logprob, *d_entropy, *d_value;
} minibatch;

/* --- the table ---------------------------------------------------------- */

static const float *logits(const run *r, uint32_t id)
{
    return r->t[W].p + id * r->V;
}

static float value_of(const run *r, uint32_t id)
{
    return r->t[U].p[id] + r->t[BIAS].p[0];
}

/* Row b of the step under the parameters of now. */
static void score_row(const run *r, const step *s, size_t b, float *lse,
                      float *logprob, float *entropy, float *value)
{
    const uint32_t *id = s->id + b * s->S;
    for (size_t p = 0; p < s->T; p++) {
        const float *z = logits(r, id[p]);
        lse[p] = r->k->logsumexp(z, r->V, &entropy[p]);
        logprob[p] = z[id[p + 1]] - lse[p];
        value[p] = value_of(r, id[p]);
    }
}

/* --- building the rows -------------------------------------------------- */

static size_t tensor_length(run *r, const char *name)
{
    size_t n[1];
    case_shape(r->c, name, n, 1);
    return *n;
}

static void measure_rows(run *r, step *s)
{
    for (size_t b = 0; b < r->B; b++) {
        s->prompt[b] = tensor_length(
            r, case_name(r->c, "it%zu.query%zu", r->iteration, b));
        s->response[b] = tensor_length(
            r, case_name(r->c, "it%zu.response%zu", r->iteration, b));
        if (s->prompt[b] + s->response[b] > s->S)
            s->S = s->prompt[b] + s->response[b];
    }
}

static void read_ids(run *r, uint32_t *out, const char *name, size_t n)
{
    int64_t *id = case_i64(r->c, r->c->in, name, (long)n);
    for (size_t i = 0; id && i < n; i++) {
        if (id[i] < 0 || (size_t)id[i] >= r->V) {
            verify_fail(r->c->v, name, "%lld is no token of %zu",
                        (long long)id[i], r->V);
            r->c->broken = true;
            return;
        }
        out[i] = (uint32_t)id[i];
    }
}

static bool build_rows(run *r, step *s)
{
    ppo_case *c = r->c;
    uint32_t pad = (uint32_t)case_number(c, "pad_id", 0);
    s->prompt = case_array(c, r->B, sizeof *s->prompt);
    s->response = case_array(c, r->B, sizeof *s->response);
    s->row = case_array(c, r->B + 1, sizeof *s->row);
    if (c->broken)
        return false;
    measure_rows(r, s);
    if (c->broken || s->S < 2 || pad >= r->V)
        return false;
    s->T = s->S - 1;
    s->n = r->B * s->T;
    s->id = case_array(c, r->B * s->S, sizeof *s->id);
    s->mask = case_array(c, s->n, 1);
    float **arrays[] = {&s->logprob, &s->kl, &s->value, &s->delta, &s->reward,
                        &s->adv, &s->ret};
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++)
        *arrays[i] = case_floats(c, s->n);
    for (size_t b = 0; b < r->B && !c->broken; b++) {
        uint32_t *id = s->id + b * s->S;
        for (size_t i = 0; i < s->S; i++)
            id[i] = pad;
        read_ids(r, id, case_name(c, "it%zu.query%zu", r->iteration, b),
                 s->prompt[b]);
        read_ids(r, id + s->prompt[b],
                 case_name(c, "it%zu.response%zu", r->iteration, b),
                 s->response[b]);
        s->row[b + 1] = s->row[b] + s->T;
    }
    return !c->broken;
}

static bool make_masks(run *r, step *s)
{
    size_t forward = (size_t)case_number(r->c, "mini_batch_size", 1);
    t2g_mask_tokens t = {.end = (uint32_t)case_number(r->c, "eot_id", 0)};
    t.punct = case_ids(r->c, "punct_ids", &t.punct_count);
    t2g_mask_kind kind = r->scalar     ? T2G_MASK_TRL
                         : r->official ? T2G_MASK_OFFICIAL
                                       : T2G_MASK_DEFAULT;
    for (size_t b = 0; t.punct && b < r->B; b++) {
        t2g_mask_row row = {s->id + b * s->S, s->S, 0, s->prompt[b],
                            s->response[b]};
        if (!case_ok(r->c, "mask",
                     t2g_mask(s->mask + b * s->T, &row,
                              s->id + b % forward * s->S, &t, kind)))
            return false;
    }
    return t.punct != NULL;
}

/* --- rewards ------------------------------------------------------------ */

/* Token scores of row b, weighted by length if asked for, by decision. */
static bool score_tokens(run *r, step *s, size_t b)
{
    ppo_case *c = r->c;
    unsigned attempts = strcmp(case_text(c, "variant"), "kodcode") == 0 ? 6 : 5;
    size_t words, start;
    double skipped;
    const char **word = case_strings(
        c, case_name(c, "it%zu.words%zu", r->iteration, b), &words);
    float *word_score = case_f32(
        c, c->in, case_name(c, "it%zu.word_scores%zu", r->iteration, b),
        (long)words);
    const char **token = case_array(c, s->S, sizeof *token);
    float *score = case_floats(c, s->S);
    double *weight = case_array(c, s->S, sizeof *weight);
    if (c->broken)
        return false;
    for (size_t i = 0; i < s->S; i++)
        token[i] = r->vocab[s->id[b * s->S + i]];
    if (!case_ok(c, "token_scores",
                 t2g_official_token_scores(score, &start, &skipped, token, s->S,
                                           word, word_score, words, attempts)))
        return false;
    if (case_number(c, "length_weight", 0) != 0) {
        t2g_length_weight(weight, score, s->S, 1, 48);
        for (size_t i = 0; i < s->S; i++)
            score[i] = (float)(weight[i] * (double)score[i]);
    }
    memcpy(s->delta + b * s->T, score + 1, s->T * sizeof *score);
    return true;
}

/* One score a row, scaled, added to the reward of the last decision. */
static bool score_rows(run *r, step *s)
{
    ppo_case *c = r->c;
    t2g_score_scaling scaling = {
        case_number(c, "use_score_scaling", 0) != 0,
        case_number(c, "use_score_norm", 0) != 0,
        (float)case_number(c, "score_clip", 0)};
    s->score = case_f32(c, c->in, case_name(c, "it%zu.scores", r->iteration),
                        (long)r->B);
    if (!s->score)
        return false;
    t2g_scale_scores(s->score, r->B, &r->moments, &scaling);
    for (size_t b = 0; b < r->B; b++)
        if (!case_ok(c, "rewards",
                     t2g_scalar_reward(s->reward + b * s->T,
                                       s->mask + b * s->T, s->T, s->score[b])))
            return false;
    return true;
}

/* KL of the policy to the reference, values and log-probabilities. */
static bool score_policy(run *r, step *s)
{
    bool full = strcmp(case_text(r->c, "kl_penalty"), "full") == 0;
    float *lse = case_floats(r->c, s->n), *entropy = case_floats(r->c, s->n);
    float *ref_logprob = case_floats(r->c, s->n);
    if (r->c->broken)
        return false;
    for (size_t i = 0; i < s->n; i++) {
        size_t b = i / s->T, p = i % s->T;
        const uint32_t *id = s->id + b * s->S + p;
        const float *zr = r->ref + id[0] * r->V;
        if (p == 0)
            score_row(r, s, b, lse + i, s->logprob + i, entropy + i,
                      s->value + i);
        float ref_lse = r->k->logsumexp(zr, r->V, NULL);
        ref_logprob[i] = zr[id[1]] - ref_lse;
        if (full)
            s->kl[i] = r->k->softmax_kl(logits(r, id[0]), lse[i], zr, ref_lse,
                                        r->V);
    }
    return full || case_ok(r->c, "kl", t2g_kl(s->kl, s->logprob, ref_logprob,
                                              s->n, T2G_KL_KL));
}

static bool make_rewards(run *r, step *s)
{
    for (size_t b = 0; !r->scalar && b < r->B; b++)
        if (!score_tokens(r, s, b))
            return false;
    t2g_token_rewards(s->reward, s->kl, s->delta, s->mask, s->n, r->kl.coef);
    return !r->scalar || score_rows(r, s);
}

static bool make_advantages(run *r, step *s)
{
    ppo_case *c = r->c;
    for (size_t i = 0; i < s->n; i += s->T)
        if (!case_ok(c, "advantages",
                     t2g_gae(s->adv + i, s->ret + i, s->reward + i,
                             s->value + i, s->mask + i, s->T,
                             (float)case_number(c, "gamma", 1),
                             (float)case_number(c, "lam", 1),
                             r->scalar ? T2G_GAP_DECAY : T2G_GAP_RESET)))
            return false;
    return true;
}

/* --- comparing what is fixed for the step ------------------------------- */

static const char *field(run *r, const char *name)
{
    return case_name(r->c, "it%zu.%s", r->iteration, name);
}

static void check_integer(run *r, const char *name, size_t got)
{
    int64_t x = (int64_t)got;
    case_check_i64(r->c, field(r, name), &x, 1);
}

static void check_prepared(run *r, step *s)
{
    ppo_case *c = r->c;
    int64_t *mask = case_array(c, s->n, sizeof *mask);
    for (size_t i = 0; mask && i < s->n; i++)
        mask[i] = s->mask[i];
    if (mask)
        case_check_i64(c, field(r, "mask"), mask, s->n);
    case_check(c, field(r, "old_logprobs"), s->logprob, NULL, s->n);
    case_check(c, field(r, "kl"), s->kl, NULL, s->n);
    case_check(c, field(r, "values"), s->value, NULL, s->n);
    case_check(c, field(r, "rewards"), s->reward, NULL, s->n);
    case_check(c, field(r, "adv_raw"), s->adv, NULL, s->n);
    case_check(c, field(r, "returns"), s->ret, NULL, s->n);
    if (r->scalar)
        case_check(c, field(r, "scores_used"), s->score, NULL, r->B);
    else
        case_check(c, field(r, "token_scores_shifted"), s->delta, NULL, s->n);
}

static bool prepare(run *r, step *s)
{
    if (!build_rows(r, s) || !make_masks(r, s) || !score_policy(r, s) ||
        !make_rewards(r, s) || !make_advantages(r, s))
        return false;
    check_prepared(r, s);
    t2g_whiten(s->adv, s->mask, s->n, T2G_WHITEN_FULL);
    case_check(r->c, field(r, "advantages"), s->adv, s->mask, s->n);
    /* from here on values count where they are trained on */
    for (size_t i = 0; i < s->n; i++)
        s->value[i] = s->mask[i] ? s->value[i] : 0;
    return !r->c->broken;
}

/* --- updates ------------------------------------------------------------ */

static bool gather(run *r, const step *s, minibatch *m, const int64_t *order,
                   size_t rows)
{
    ppo_case *c = r->c;
    *m = (minibatch){.rows = rows, .n = rows * s->T, .order = order};
    float **arrays[] = {&m->old_logprob, &m->logprob, &m->lse, &m->entropy,
                        &m->old_value, &m->value, &m->adv, &m->ret,
                        &m->d_logprob, &m->d_entropy, &m->d_value};
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++)
        *arrays[i] = case_floats(c, m->n);
    m->mask = case_array(c, m->n, 1);
    for (size_t k = 0; !c->broken && k < rows; k++) {
        size_t to = k * s->T, from = (size_t)order[k] * s->T;
        memcpy(m->mask + to, s->mask + from, s->T);
        memcpy(m->old_logprob + to, s->logprob + from, s->T * sizeof(float));
        memcpy(m->old_value + to, s->value + from, s->T * sizeof(float));
        memcpy(m->adv + to, s->adv + from, s->T * sizeof(float));
        memcpy(m->ret + to, s->ret + from, s->T * sizeof(float));
    }
    return !c->broken;
}

/* Adds the minibatch's gradient to the table's. */
static void backward(run *r, const step *s, const minibatch *m, float *dz)
{
    for (size_t i = 0; i < m->n; i++) {
        const uint32_t *id =
            s->id + (size_t)m->order[i / s->T] * s->S + i % s->T;
        r->k->softmax_bwd(dz, logits(r, id[0]), m->lse[i], m->entropy[i], id[1],
                          m->d_logprob[i], m->d_entropy[i], r->V);
        for (size_t j = 0; j < r->V; j++)
            r->t[W].g[id[0] * r->V + j] += dz[j];
        r->t[U].g[id[0]] += m->d_value[i];
        r->t[BIAS].g[0] += m->d_value[i];
    }
}

static bool learn(run *r, const step *s, const int64_t *order, size_t rows,
                  t2g_ppo_stats *stats)
{
    minibatch m;
    float scale = 1 / (float)case_number(r->c, "grad_accum", 1);
    float *dz = case_floats(r->c, r->V);
    if (!dz || !gather(r, s, &m, order, rows))
        return false;
    for (size_t k = 0; k < rows; k++) {
        size_t i = k * s->T;
        score_row(r, s, (size_t)order[k], m.lse + i, m.logprob + i,
                  m.entropy + i, m.value + i);
    }
    t2g_ppo_loss(m.d_logprob, m.d_value, m.d_entropy, stats, m.mask,
                 m.old_logprob, m.logprob, m.old_value, m.value, m.adv, m.ret,
                 m.entropy, m.n, &r->loss, scale);
    backward(r, s, &m, dz);
    return true;
}

static void clip_gradients(run *r)
{
    double squares = 0, most = case_number(r->c, "max_grad_norm", 0);
    for (int k = 0; k < TENSORS; k++)
        squares += (double)r->k->sum_squares(r->t[k].g, r->t[k].n);
    float factor = (float)t2g_clip_factor(sqrt(squares), most);
    for (int k = 0; k < TENSORS; k++)
        for (size_t i = 0; i < r->t[k].n; i++)
            r->t[k].g[i] *= factor;
}

static void check_tensors(run *r, const char *prefix, bool gradients)
{
    for (int k = 0; k < TENSORS; k++)
        case_check(r->c,
                   case_name(r->c, "it%zu.update%zu.%s%s", r->iteration,
                             r->updates, prefix, tensor_names[k]),
                   gradients ? r->t[k].g : r->t[k].p, NULL, r->t[k].n);
}

/* t counts updates over all steps, from 1. */
static void update(run *r, const step *s, uint64_t t)
{
    clip_gradients(r);
    if (t == 1)
        check_tensors(r, "g", true);
    t2g_adamw adam = t2g_adamw_constants(&r->optim, t, s->lr, 1);
    for (int k = 0; k < TENSORS; k++) {
        tensor *x = &r->t[k];
        if (r->optim.kind == T2G_ADAFACTOR)
            case_ok(r->c, "adafactor",
                    t2g_adafactor(x->p, x->g, x->m, x->v, x->rows, x->cols, t,
                                  s->lr, r->optim.weight_decay));
        else
            r->k->adamw(x->p, x->m, x->v, x->g, x->n, &adam);
        memset(x->g, 0, x->n * sizeof *x->g);
    }
    check_tensors(r, "", false);
    r->updates++;
}

/* --- the epochs and their statistics ------------------------------------ */

/* Statistics of a step's minibatches, a list for each name. */
typedef struct stats_log {
    t2g_ppo_average average;
    float *list[T2G_PPO_STATS]; /* [at most minibatches] */
    double last_policykl;
} stats_log;

static double stat_value(const t2g_ppo_stats *s, size_t i)
{
    double x;
    memcpy(&x, (const char *)s + t2g_ppo_stat_names[i].offset, sizeof x);
    return x;
}

static void log_stats(run *r, stats_log *log, const t2g_ppo_stats *s)
{
    t2g_ppo_average_add(&log->average, s);
    for (size_t i = 0; i < T2G_PPO_STATS; i++)
        log->list[i][r->minibatches] = (float)stat_value(s, i);
    log->last_policykl = s->policykl;
    r->minibatches++;
}

static void check_minibatches(run *r, const stats_log *log)
{
    for (size_t i = 0; i < T2G_PPO_STATS; i++) {
        char *name = (char *)case_name(r->c, "it%zu.mb.%s", r->iteration,
                                       t2g_ppo_stat_names[i].name);
        for (char *slash = name; (slash = strchr(slash, '/'));)
            *slash = '.';
        if (case_has(r->c, name))
            case_check(r->c, name, log->list[i], NULL, r->minibatches);
    }
}

static bool run_epoch(run *r, const step *s, stats_log *log, uint64_t *t)
{
    size_t size = (size_t)case_number(r->c, "mini_batch_size", 1);
    size_t group = size * (size_t)case_number(r->c, "grad_accum", 1);
    if (size == 0 || group == 0 || r->epoch >= r->permutations) {
        verify_fail(r->c->v, "permutations", "there are %zu, epoch %zu needs "
                    "another", r->permutations, r->epoch);
        return false;
    }
    const int64_t *order = r->permutation + r->epoch++ * r->B;
    for (size_t i = 0; i < r->B; i += size) {
        t2g_ppo_stats stats;
        if (!learn(r, s, order + i, r->B - i < size ? r->B - i : size, &stats))
            return false;
        log_stats(r, log, &stats);
        if ((i + size) % group == 0 || i + size >= r->B)
            update(r, s, ++*t);
    }
    return true;
}

static void check_statistics(run *r, const step *s, const stats_log *log)
{
    ppo_case *c = r->c;
    t2g_step_stats t;
    t2g_ppo_step_stats(&t, s->kl, s->logprob, s->delta, s->mask, s->row, r->B,
                       r->kl.coef);
    if (r->scalar) {
        t.mean_scores = t2g_masked_mean(s->score, NULL, r->B);
        t.std_scores = sqrt(t2g_masked_variance(s->score, NULL, r->B, true));
    }
    t2g_ppo_stats mean = t2g_ppo_average_mean(&log->average);
    const struct {
        const char *name;
        double value;
    } stats[] = {{"stat.objective.kl", t.kl},
                 {"stat.objective.entropy", t.entropy},
                 {"stat.ppo.mean_non_score_reward", t.mean_non_score_reward},
                 {"stat.ppo.mean_scores", t.mean_scores},
                 {"stat.ppo.std_scores", t.std_scores},
                 {"stat.ppo.val.var_explained", t2g_var_explained(&mean)}};
    for (size_t i = 0; i < sizeof stats / sizeof *stats; i++)
        if (case_has(c, field(r, stats[i].name)))
            case_check_number(c, field(r, stats[i].name), stats[i].value);
    t2g_kl_controller_update(&r->kl, t.kl, (double)r->B);
}

static double learning_rate(const run *r, size_t iteration)
{
    const json_t *args = json_object_get(r->c->config, "optimizer_args");
    double lr = json_number_value(json_object_get(args, "lr"));
    return t2g_learning_rate(T2G_LINEAR, lr, iteration, 0,
                             (uint64_t)case_number(r->c, "lr_total", 1));
}

static void check_number_f64(run *r, const char *name, double got)
{
    case_check_f64(r->c, field(r, name), &got, 1);
}

static void check_after(run *r, size_t epochs)
{
    double coef = r->kl.coef, *want;
    /* the controller is fed a float upstream */
    want = case_f64(r->c, r->c->out, field(r, "kl_coef_after"), 1);
    if (want)
        verify_f64(r->c->v, "kl_coef_after", &coef, want, 1, 1e-9, 1e-9);
    check_number_f64(r, "lr_after", learning_rate(r, r->iteration + 1));
    check_integer(r, "n_updates", r->updates);
    check_integer(r, "n_minibatches", r->minibatches);
    check_integer(r, "n_epochs_run", epochs);
}

static bool run_step(run *r, uint64_t *t)
{
    ppo_case *c = r->c;
    step s = {.lr = learning_rate(r, r->iteration)};
    stats_log log = {0};
    size_t epochs = (size_t)case_number(c, "ppo_epochs", 1), epoch = 0;
    bool stopping = case_number(c, "early_stopping", 0) != 0, stop = false;
    r->updates = r->minibatches = 0;
    for (size_t i = 0; i < T2G_PPO_STATS; i++)
        log.list[i] = case_floats(c, epochs * r->B);
    if (c->broken || !prepare(r, &s))
        return false;
    while (epoch < epochs && !stop) {
        if (!run_epoch(r, &s, &log, t))
            return false;
        epoch++;
        stop = stopping && t2g_early_stop(log.last_policykl,
                                          case_number(c, "target_kl", 1));
    }
    check_minibatches(r, &log);
    check_statistics(r, &s, &log);
    check_after(r, epoch);
    return !c->broken;
}

/* --- reading the case --------------------------------------------------- */

static void read_tensors(run *r)
{
    ppo_case *c = r->c;
    const size_t rows[] = {r->V, 1, 1}, cols[] = {r->V, r->V, 1};
    for (int k = 0; k < TENSORS; k++) {
        tensor *t = &r->t[k];
        t->rows = rows[k];
        t->cols = cols[k];
        t->n = t->rows * t->cols;
        t->p = case_f32(c, c->in, tensor_names[k], (long)t->n);
        t->g = case_floats(c, t->n);
        t->m = case_floats(c, t->n);
        t->v = case_floats(c, t->n);
    }
    r->ref = case_f32(c, c->in, "W_ref", (long)(r->V * r->V));
}

static void read_vocabulary(run *r)
{
    const json_t *vocab = json_object_get(r->c->config, "vocab");
    r->V = json_array_size(vocab);
    r->vocab = case_array(r->c, r->V, sizeof *r->vocab);
    for (size_t i = 0; r->vocab && i < r->V; i++) {
        const char *text = json_string_value(json_array_get(vocab, i));
        r->vocab[i] = text ? text : "";
    }
}

static void read_optimiser(run *r)
{
    const char *name = case_text(r->c, "optimizer");
    const json_t *args = json_object_get(r->c->config, "optimizer_args");
    r->optim = (t2g_optim_config){
        .kind = strcmp(name, "adafactor") == 0 ? T2G_ADAFACTOR
                : strcmp(name, "adam") == 0    ? T2G_ADAM
                                               : T2G_ADAMW,
        .b1 = 0.9,
        .b2 = 0.999,
        .eps = 1e-8,
        .weight_decay = json_number_value(json_object_get(args,
                                                          "weight_decay"))};
}

static void read_constants(run *r)
{
    const ppo_case *c = r->c;
    r->scalar = strcmp(case_text(c, "profile"), "trl") == 0;
    r->official = strcmp(case_text(c, "profile"), "official") == 0;
    r->B = (size_t)case_number(c, "batch_size", 0);
    r->loss = (t2g_ppo_config){
        .cliprange = (float)case_number(c, "cliprange", 0),
        .cliprange_value = (float)case_number(c, "cliprange_value", 0),
        .vf_coef = (float)case_number(c, "vf_coef", 0),
        .ratio_threshold = (float)case_number(c, "ratio_threshold", 0),
        .logratio_clamp = r->scalar ? 0 : 20};
    r->kl = (t2g_kl_controller){case_number(c, "init_kl_coef", 0),
                                case_number(c, "kl_target", 1),
                                case_number(c, "kl_horizon", 1), true};
    r->moments = (t2g_running_moments){0, 1, 1, 1e-24};
}

static bool read_permutations(run *r)
{
    size_t size[2];
    case_shape(r->c, "permutations", size, 2);
    r->permutations = size[0];
    r->permutation = case_i64(r->c, r->c->in, "permutations",
                              (long)(size[0] * r->B));
    for (size_t i = 0; r->permutation && i < size[0] * r->B; i++)
        if (r->permutation[i] < 0 || (size_t)r->permutation[i] >= r->B) {
            verify_fail(r->c->v, "permutations", "%lld is no row of %zu",
                        (long long)r->permutation[i], r->B);
            return false;
        }
    return r->permutation != NULL;
}

void verify_ppo_step(ppo_case *c)
{
    run r = {.c = c, .k = verify_kernels(c->v)};
    uint64_t t = 0;
    read_constants(&r);
    read_vocabulary(&r);
    read_tensors(&r);
    read_optimiser(&r);
    if (!read_permutations(&r) || c->broken)
        return;
    size_t steps = (size_t)case_number(c, "n_iters", 1);
    while (r.iteration < steps && run_step(&r, &t))
        r.iteration++;
}
