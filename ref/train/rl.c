/* The span-level policy optimiser [T2G]: rollouts, rewards on tokens,
 * advantages, clipped updates. `granularity` alone tells Text2Grad (token),
 * PRM-PPO (step) and scalar PPO (whole) apart. Read t2g_rl from the bottom
 * up. */
#include <math.h>
#include <string.h>

#include "train_private.h"

/* One number per decision of the step's rows, fixed while it is optimised. */
typedef struct step_data {
    t2g_pack pack;
    float *logprob, *ref_logprob, *kl, *value;
    float *delta, *reward, *advantage, *ret;
    float *hidden; /* [decisions, H], only when the value head is fitted */
    uint8_t *mask;
} step_data;

/* The same for one minibatch, gathered from its rows, and what is new. */
typedef struct minibatch {
    t2g_pack pack;
    uint8_t *mask;
    float *old_logprob, *old_value, *advantage, *ret;
    float *logprob, *entropy, *value;
    float *d_logprob, *d_entropy, *d_value, *d_hidden;
    size_t *position;
    size_t decisions, hidden_floats; /* capacities */
} minibatch;

typedef struct optimiser {
    t2g_model *m;
    const t2g_model *ref;
    const t2g_tokenizer *tok;
    const t2g_rl_config *c;
    t2g_optimizer *adam;
    t2g_activations *acts, *ref_acts;
    t2g_kl_controller kl;
    step_data step;
    minibatch mini;
    uint32_t *order;
} optimiser;

t2g_rl_config t2g_rl_defaults(void)
{
    return (t2g_rl_config){
        .ppo = {.cliprange = 0.2f, .cliprange_value = 0.2f, .vf_coef = 0.1f,
                .ratio_threshold = 10, .logratio_clamp = 20},
        .optim = {T2G_ADAMW, 0.9, 0.999, 1e-8, 0, 1.0},
        .schedule = T2G_LINEAR,
        .lr = 1e-5,
        .steps = 100,
        .batch = 64,
        .minibatch = 8,
        .gradient_accumulation = 1,
        .ppo_epochs = 4,
        .granularity = T2G_TOKEN,
        .kl_penalty = T2G_KL_FULL,
        .kl = {0.2, 6, 10000, true},
        .gamma = 1,
        .lam = 0.95f,
        .whiten = T2G_WHITEN_FULL,
        .reward_scale = 1,
        .value_ridge = 1e-3,
        .target_kl = 1,
        .sampling = {.do_sample = true, .temperature = 1, .top_p = 1,
                     .max_new_tokens = 64},
        .seed = 42};
}

/* --- memory --------------------------------------------------------------- */

static void free_step(step_data *s)
{
    t2g_free(s->logprob);
    t2g_free(s->ref_logprob);
    t2g_free(s->kl);
    t2g_free(s->value);
    t2g_free(s->delta);
    t2g_free(s->reward);
    t2g_free(s->advantage);
    t2g_free(s->ret);
    t2g_free(s->hidden);
    t2g_free(s->mask);
    t2g_pack_free(&s->pack);
    *s = (step_data){0};
}

static t2g_status allocate_step(step_data *s, size_t hidden_width)
{
    size_t n = s->pack.decisions;
    float **arrays[] = {&s->logprob, &s->ref_logprob, &s->kl, &s->value,
                        &s->delta, &s->reward, &s->advantage, &s->ret};
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++)
        if (!(*arrays[i] = t2g_calloc(n, sizeof(float))))
            return T2G_ERR_MEMORY;
    s->mask = t2g_calloc(n, 1);
    if (hidden_width)
        s->hidden = t2g_calloc(n * hidden_width, sizeof(float));
    return s->mask && (s->hidden || !hidden_width) ? T2G_OK : T2G_ERR_MEMORY;
}

static void free_mini(minibatch *b)
{
    t2g_free(b->mask);
    t2g_free(b->old_logprob);
    t2g_free(b->old_value);
    t2g_free(b->advantage);
    t2g_free(b->ret);
    t2g_free(b->logprob);
    t2g_free(b->entropy);
    t2g_free(b->value);
    t2g_free(b->d_logprob);
    t2g_free(b->d_entropy);
    t2g_free(b->d_value);
    t2g_free(b->d_hidden);
    t2g_free(b->position);
    t2g_pack_free(&b->pack);
    *b = (minibatch){0};
}

static t2g_status reserve_mini(minibatch *b, size_t H)
{
    size_t n = b->pack.decisions, floats = b->pack.tokens * H;
    if (n > b->decisions) {
        float **arrays[] = {&b->old_logprob, &b->old_value, &b->advantage,
                            &b->ret, &b->logprob, &b->entropy, &b->value,
                            &b->d_logprob, &b->d_entropy, &b->d_value};
        t2g_free(b->mask);
        t2g_free(b->position);
        b->mask = t2g_calloc(n, 1);
        b->position = t2g_calloc(n, sizeof *b->position);
        b->decisions = 0;
        if (!b->mask || !b->position)
            return T2G_ERR_MEMORY;
        for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) {
            t2g_free(*arrays[i]);
            if (!(*arrays[i] = t2g_calloc(n, sizeof(float))))
                return T2G_ERR_MEMORY;
        }
        b->decisions = n;
    }
    if (floats > b->hidden_floats) {
        t2g_free(b->d_hidden);
        b->d_hidden = t2g_calloc(floats, sizeof(float));
        b->hidden_floats = b->d_hidden ? floats : 0;
        if (!b->d_hidden)
            return T2G_ERR_MEMORY;
    }
    return T2G_OK;
}

/* --- before the updates: everything that is fixed for the step ------------ */

/* Packs the usable rollouts, their rewards where the algorithm gives them. */
static t2g_status place_rewards(optimiser *o, const t2g_rollouts *r)
{
    step_data *s = &o->step;
    bool fit = o->c->fit_value_head;
    for (size_t k = 0; k < r->count; k++) {
        const t2g_rollout *w = &r->rollout[k];
        if (w->usable)
            T2G_TRY(t2g_pack_add(&s->pack, w->prompt, w->prompt_count,
                                 w->response, w->response_count, NULL));
    }
    T2G_TRY(allocate_step(s, fit ? o->m->config.hidden_size : 0));
    memset(s->mask, 1, s->pack.decisions);
    size_t at = 0;
    for (size_t k = 0; k < r->count; k++) {
        const t2g_rollout *w = &r->rollout[k];
        if (!w->usable)
            continue;
        uint32_t *step = NULL;
        if (o->c->granularity == T2G_STEP) {
            step = t2g_calloc(w->response_count, sizeof *step);
            if (!step)
                return T2G_ERR_MEMORY;
            t2g_status status = t2g_sentence_steps(
                step, w->text, w->text_length, w->offset, w->response_count);
            if (status != T2G_OK) {
                t2g_free(step);
                return status;
            }
        }
        for (size_t i = 0; i < w->response_count; i++)
            s->delta[at + i] = o->c->reward_scale * w->delta[i];
        t2g_regroup_rewards(s->delta + at, s->mask + at, step,
                            w->response_count, o->c->granularity);
        t2g_free(step);
        at += w->response_count;
    }
    return T2G_OK;
}

static void positions_of(size_t *position, const t2g_decision *d, size_t n)
{
    for (size_t i = 0; i < n; i++)
        position[i] = d[i].position;
}

/* Log-probabilities, KL and values of rows begin..end-1 under the old
 * policy. */
static t2g_status score_rows(optimiser *o, size_t begin, size_t end,
                             t2g_decision *d, size_t *position)
{
    step_data *s = &o->step;
    size_t first = s->pack.first_decision[begin], H = o->m->config.hidden_size;
    size_t n = s->pack.first_decision[end] - first;
    t2g_batch batch = {s->pack.id, s->pack.row + begin, end - begin};
    const float *hidden, *ref_hidden;
    for (size_t i = 0; i < n; i++) {
        d[i] = s->pack.decision[first + i];
        d[i].position -= s->pack.row[begin];
    }
    T2G_TRY(t2g_forward(o->m, o->acts, &batch, false, &hidden));
    T2G_TRY(t2g_forward(o->ref, o->ref_acts, &batch, false, &ref_hidden));
    T2G_TRY(t2g_head_logprobs(o->m, hidden, o->ref, ref_hidden, d, n,
                              s->logprob + first, NULL, NULL, s->kl + first,
                              s->ref_logprob + first));
    positions_of(position, d, n);
    t2g_values(o->m, hidden, position, n, s->value + first);
    for (size_t i = 0; s->hidden && i < n; i++)
        memcpy(s->hidden + (first + i) * H, hidden + d[i].position * H,
               H * sizeof(float));
    return T2G_OK;
}

static t2g_status score_step(optimiser *o)
{
    step_data *s = &o->step;
    size_t rows = s->pack.rows, chunk = 32;
    t2g_decision *d = t2g_calloc(s->pack.decisions, sizeof *d);
    size_t *position = t2g_calloc(s->pack.decisions, sizeof *position);
    t2g_status status = d && position ? T2G_OK : T2G_ERR_MEMORY;
    for (size_t b = 0; status == T2G_OK && b < rows; b += chunk)
        status = score_rows(o, b, rows - b < chunk ? rows : b + chunk, d,
                            position);
    t2g_free(d);
    t2g_free(position);
    if (status == T2G_OK && o->c->kl_penalty != T2G_KL_FULL)
        status = t2g_kl(s->kl, s->logprob, s->ref_logprob, s->pack.decisions,
                        o->c->kl_penalty);
    return status;
}

static t2g_status advantages(optimiser *o, float lambda)
{
    step_data *s = &o->step;
    for (size_t r = 0; r < s->pack.rows; r++) {
        size_t i = s->pack.first_decision[r];
        T2G_TRY(t2g_gae(s->advantage + i, s->ret + i, s->reward + i,
                        s->value + i, s->mask + i,
                        s->pack.first_decision[r + 1] - i, o->c->gamma, lambda,
                        T2G_GAP_RESET));
    }
    return T2G_OK;
}

/* Starts the value head from the returns themselves: with values of 0 and
 * lambda 1 the return of a position is the discounted sum of what follows. */
static t2g_status fit_value_head(optimiser *o)
{
    step_data *s = &o->step;
    t2g_model *m = o->m;
    size_t n = s->pack.decisions, H = m->config.hidden_size;
    memset(s->value, 0, n * sizeof(float));
    T2G_TRY(advantages(o, 1));
    T2G_TRY(t2g_value_head_fit(m->value_weight->weight, m->value_bias->weight,
                               s->hidden, s->ret, s->mask, n, H,
                               o->c->value_ridge));
    t2g_model_pack(m);
    size_t *position = t2g_calloc(n, sizeof *position);
    if (!position)
        return T2G_ERR_MEMORY;
    for (size_t i = 0; i < n; i++)
        position[i] = i;
    t2g_values(m, s->hidden, position, n, s->value);
    t2g_free(position);
    return T2G_OK;
}

static t2g_status prepare(optimiser *o, const t2g_rollouts *r, uint64_t step)
{
    step_data *s = &o->step;
    const t2g_rl_config *c = o->c;
    T2G_TRY(place_rewards(o, r));
    size_t n = s->pack.decisions;
    T2G_TRY(score_step(o));
    t2g_token_rewards(s->reward, s->kl, s->delta, s->mask, n, o->kl.coef);
    if (c->fit_value_head && step == 0)
        T2G_TRY(fit_value_head(o));
    T2G_TRY(advantages(o, c->lam));
    t2g_whiten(s->advantage, s->mask, n, c->whiten);
    for (size_t i = 0; c->advantage_clamp > 0 && i < n; i++)
        s->advantage[i] = fminf(fmaxf(s->advantage[i], -c->advantage_clamp),
                                c->advantage_clamp);
    return T2G_OK;
}

/* --- the updates ---------------------------------------------------------- */

static t2g_status gather(minibatch *b, const step_data *s,
                         const uint32_t *order, size_t rows, size_t H)
{
    t2g_pack_clear(&b->pack);
    for (size_t k = 0; k < rows; k++) {
        size_t r = order[k];
        size_t n = s->pack.first_decision[r + 1] - s->pack.first_decision[r];
        size_t begin = s->pack.row[r], count = s->pack.row[r + 1] - begin;
        T2G_TRY(t2g_pack_add(&b->pack, s->pack.id + begin, count - n,
                             s->pack.id + begin + count - n, n, NULL));
    }
    T2G_TRY(reserve_mini(b, H));
    for (size_t k = 0; k < rows; k++) {
        size_t i = b->pack.first_decision[k];
        size_t n = b->pack.first_decision[k + 1] - i;
        size_t from = s->pack.first_decision[order[k]];
        memcpy(b->mask + i, s->mask + from, n);
        memcpy(b->old_logprob + i, s->logprob + from, n * sizeof(float));
        memcpy(b->old_value + i, s->value + from, n * sizeof(float));
        memcpy(b->advantage + i, s->advantage + from, n * sizeof(float));
        memcpy(b->ret + i, s->ret + from, n * sizeof(float));
    }
    positions_of(b->position, b->pack.decision, b->pack.decisions);
    return T2G_OK;
}

/* Forward, loss and backward of one minibatch; gradients are added to the
 * model's with weight `scale`. */
static t2g_status learn(optimiser *o, float scale, t2g_ppo_stats *stats)
{
    minibatch *b = &o->mini;
    t2g_model *m = o->m;
    size_t n = b->pack.decisions, H = m->config.hidden_size;
    t2g_batch batch = t2g_pack_batch(&b->pack);
    const float *hidden;
    T2G_TRY(t2g_forward(m, o->acts, &batch, true, &hidden));
    T2G_TRY(t2g_head_logprobs(m, hidden, NULL, NULL, b->pack.decision, n,
                              b->logprob, b->entropy, NULL, NULL, NULL));
    t2g_values(m, hidden, b->position, n, b->value);
    t2g_ppo_loss(b->d_logprob, b->d_value, b->d_entropy, stats, b->mask,
                 b->old_logprob, b->logprob, b->old_value, b->value,
                 b->advantage, b->ret, b->entropy, n, &o->c->ppo, scale);
    if (!isfinite(stats->loss_total))
        return t2g_fail(T2G_ERR_NUMERIC, "the loss of a minibatch is not "
                        "finite");
    if (stats->skipped)
        return T2G_OK;
    memset(b->d_hidden, 0, b->pack.tokens * H * sizeof(float));
    t2g_values_backward(m, hidden, b->position, n, b->d_value, b->d_hidden);
    T2G_TRY(t2g_head_backward(m, hidden, b->pack.decision, n, b->d_logprob,
                              o->c->ppo.ent_coef != 0 ? b->d_entropy : NULL,
                              b->d_hidden));
    return t2g_backward(m, o->acts, &batch, b->d_hidden);
}

/* What the minibatches of a step did. */
typedef struct step_record {
    t2g_ppo_average stats;
    size_t updates;
    double norm; /* sum over updates */
    double last_policykl;
} step_record;

/* One group of minibatches: a single update with their mean gradient. */
static t2g_status update_group(optimiser *o, const uint32_t *order,
                               size_t rows, double lr, step_record *record)
{
    size_t mb = o->c->minibatch, parts = (rows + mb - 1) / mb, skipped = 0;
    for (size_t i = 0; i < rows; i += mb) {
        t2g_ppo_stats stats;
        T2G_TRY(gather(&o->mini, &o->step, order + i,
                       rows - i < mb ? rows - i : mb,
                       o->m->config.hidden_size));
        T2G_TRY(learn(o, 1.0f / (float)parts, &stats));
        t2g_ppo_average_add(&record->stats, &stats);
        record->last_policykl = stats.policykl;
        skipped += stats.skipped;
    }
    if (skipped == parts)
        return T2G_OK;
    double norm;
    T2G_TRY(t2g_optimizer_step(o->adam, o->m, lr, &norm));
    record->norm += norm;
    record->updates++;
    return T2G_OK;
}

static t2g_status optimise(optimiser *o, uint64_t step, double lr,
                           step_record *record)
{
    const t2g_rl_config *c = o->c;
    size_t rows = o->step.pack.rows;
    size_t group = c->minibatch * c->gradient_accumulation;
    for (size_t epoch = 0; epoch < c->ppo_epochs; epoch++) {
        t2g_stream stream = {c->seed, (uint32_t)epoch, (uint32_t)step,
                             T2G_RNG_SHUF};
        t2g_random_shuffle(&stream, o->order, rows);
        for (size_t i = 0; i < rows; i += group)
            T2G_TRY(update_group(o, o->order + i,
                                 rows - i < group ? rows - i : group, lr,
                                 record));
        if (c->early_stopping && t2g_early_stop(record->last_policykl,
                                                c->target_kl))
            break;
    }
    return T2G_OK;
}

/* --- the loop ------------------------------------------------------------- */

/* Mean over the step's rows of the sum of delta, before any scaling. */
static double mean_score(const t2g_rollouts *r, size_t usable)
{
    double sum = 0;
    for (size_t k = 0; k < r->count; k++)
        for (size_t i = 0; r->rollout[k].usable &&
                           i < r->rollout[k].response_count; i++)
            sum += r->rollout[k].delta[i];
    return usable ? sum / (double)usable : 0;
}

static void describe(optimiser *o, const t2g_rollouts *r,
                     const step_record *record, double lr,
                     t2g_rl_report *report)
{
    step_data *s = &o->step;
    t2g_ppo_step_stats(&report->step_stats, s->kl, s->logprob, s->delta,
                       s->mask, s->pack.first_decision, s->pack.rows,
                       o->kl.coef);
    report->stats = t2g_ppo_average_mean(&record->stats);
    report->kl_coef = o->kl.coef;
    report->lr = lr;
    report->grad_norm = record->updates
                            ? record->norm / (double)record->updates : 0;
    report->score = mean_score(r, s->pack.rows);
    report->response_tokens = s->pack.decisions;
    report->skipped_minibatches = record->stats.skipped;
    report->var_explained = t2g_var_explained(&report->stats);
}

static t2g_status one_step(optimiser *o, uint64_t step, t2g_rollouts *r,
                           t2g_prompt_fn *prompt, void *prompt_context,
                           t2g_reward_fn *reward, void *reward_context,
                           t2g_rl_report *report)
{
    const t2g_rl_config *c = o->c;
    t2g_sampling sampling = c->sampling;
    double start = t2g_clock();
    sampling.seed = c->seed;
    sampling.step = (uint32_t)step;
    T2G_TRY(t2g_rollouts_draw(r, o->m, o->tok, &sampling, c->batch,
                              step * c->batch, prompt, prompt_context));
    double drawn = t2g_clock();
    T2G_TRY(reward(reward_context, step, r->rollout, r->count));
    double judged = t2g_clock();
    *report = (t2g_rl_report){.step = step + 1, .steps = c->steps,
                              .rows = r->count, .rollout = r->rollout,
                              .seconds_rollout = drawn - start,
                              .seconds_reward = judged - drawn};
    for (size_t k = 0; k < r->count; k++)
        report->usable += r->rollout[k].usable;
    if (report->usable == 0)
        return T2G_OK;
    double lr = t2g_learning_rate(c->schedule, c->lr, step, c->warmup,
                                  c->steps);
    step_record record = {0};
    T2G_TRY(prepare(o, r, step));
    T2G_TRY(optimise(o, step, lr, &record));
    describe(o, r, &record, lr, report);
    t2g_kl_controller_update(&o->kl, report->step_stats.kl,
                             (double)report->usable);
    report->seconds_update = t2g_clock() - judged;
    return T2G_OK;
}

static t2g_status run(optimiser *o, t2g_prompt_fn *prompt,
                      void *prompt_context, t2g_reward_fn *reward,
                      void *reward_context, t2g_rl_progress_fn *progress,
                      void *progress_context)
{
    for (uint64_t step = 0; step < o->c->steps; step++) {
        t2g_rollouts r = {0};
        t2g_rl_report report;
        t2g_status s = one_step(o, step, &r, prompt, prompt_context, reward,
                                reward_context, &report);
        if (s == T2G_ERR_NUMERIC)
            s = t2g_fail_in(s, "PPO step %llu", (unsigned long long)step + 1);
        if (s == T2G_OK && progress)
            s = progress(progress_context, &report);
        free_step(&o->step);
        t2g_rollouts_free(&r);
        T2G_TRY(s);
    }
    return T2G_OK;
}

static t2g_status check(const t2g_model *m, const t2g_model *ref,
                        const t2g_rl_config *c)
{
    if (!m->value_weight)
        return t2g_fail(T2G_ERR_ARG, "the policy has no value head");
    if (m->config.vocab_size != ref->config.vocab_size)
        return t2g_fail(T2G_ERR_ARG, "policy and reference differ: %zu and %zu "
                        "tokens", m->config.vocab_size,
                        ref->config.vocab_size);
    if (!c->batch || !c->minibatch || !c->gradient_accumulation ||
        !c->ppo_epochs || !c->steps)
        return t2g_fail(T2G_ERR_ARG, "batch, minibatch, gradient accumulation, "
                        "epochs and steps must be at least 1");
    return T2G_OK;
}

t2g_status t2g_rl(t2g_model *m, const t2g_model *ref, const t2g_tokenizer *tok,
                  const t2g_rl_config *config, t2g_prompt_fn *prompt,
                  void *prompt_context, t2g_reward_fn *reward,
                  void *reward_context, t2g_rl_progress_fn *progress,
                  void *progress_context)
{
    T2G_TRY(check(m, ref, config));
    optimiser o = {.m = m, .ref = ref, .tok = tok, .c = config,
                   .kl = config->kl};
    t2g_status s = t2g_model_make_trainable(m);
    if (s == T2G_OK)
        s = t2g_optimizer_new(&o.adam, &config->optim, m);
    if (s == T2G_OK)
        s = t2g_activations_new(&o.acts, m);
    if (s == T2G_OK)
        s = t2g_activations_new(&o.ref_acts, ref);
    if (s == T2G_OK && !(o.order = t2g_calloc(config->batch, sizeof *o.order)))
        s = T2G_ERR_MEMORY;
    if (s == T2G_OK)
        s = run(&o, prompt, prompt_context, reward, reward_context, progress,
                progress_context);
    t2g_optimizer_free(o.adam);
    t2g_activations_free(o.acts);
    t2g_activations_free(o.ref_acts);
    t2g_free(o.order);
    free_mini(&o.mini);
    return s;
}
