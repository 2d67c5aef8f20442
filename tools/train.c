/* t2g train: the policy optimiser on prompts, with rewards from a reward model
 * or a critic. Text2Grad, PRM-PPO and PPO are one code path. */
#include <string.h>

#include "judging.h"

static const char *const algorithm_names[] = {"text2grad", "prm-ppo", "ppo",
                                              NULL};
static const char *const granularity_names[] = {"token", "step", "whole",
                                                NULL};
static const char *const kl_names[] = {"kl", "abs", "mse", "full", NULL};
static const char *const whiten_names[] = {"full", "scale", "none", NULL};
static const t2g_whitening whiten_modes[] = {T2G_WHITEN_FULL, T2G_WHITEN_SCALE,
                                             T2G_WHITEN_NONE};
static const char *const critic_names[] = {"none", "facts", NULL};
enum { CRITIC_NONE, CRITIC_FACTS };
static const char *const unparsed_names[] = {"exclude", "zero", NULL};
enum { UNPARSED_EXCLUDE, UNPARSED_ZERO };

typedef struct train_options {
    training_options t;
    const char *reward_model, *ref_model;
    rules_options rules;
    int algorithm, granularity, kl_penalty, whiten, critic, watch, on_unparsed;
    double kl_coef, kl_target, kl_horizon, cliprange, cliprange_value, vf_coef,
        ent_coef, gamma, lam, ratio_threshold, reward_scale, advantage_clamp,
        target_kl, value_ridge, temperature, top_p;
    bool adaptive_kl, fit_value_head, early_stopping, unconstrained;
    uint64_t minibatch, accumulation, ppo_epochs, steps, max_new_tokens, top_k,
        judge_tokens, log_samples;
} train_options;

typedef struct run_state {
    session s;
    const train_options *o;
    t2g_align_options rules;
    t2g_model *rm, *ref;
    t2g_tokenizer *rm_tok;
    t2g_reply_grammar *grammar;
    prompt_set prompts;
    t2g_judgement *judged; /* of the current step */
    size_t judged_count;
    FILE *samples, *audit;
    uint64_t tokens, drawn;
    double started, judge_unparsed;
} run_state;

/* --- rewards -------------------------------------------------------------- */

static t2g_status prompt_text(const run_state *r, const t2g_rollout *w,
                              const char **text, size_t *n)
{
    return t2g_record_string(&r->s.data, w->prompt_index, "prompt", true, text,
                             n);
}

static t2g_status judge_by_model(run_state *r, size_t n)
{
    const t2g_sampling greedy = {.temperature = 1, .top_p = 1,
                                 .max_new_tokens = r->o->judge_tokens};
    return t2g_reward_judge(r->rm, r->rm_tok, r->grammar, r->judged, n,
                            &greedy, NULL, NULL);
}

static t2g_status judge_by_facts(run_state *r, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        t2g_judgement *j = &r->judged[i];
        T2G_TRY(t2g_facts_check(j->prompt, j->prompt_length, j->response,
                                j->response_length, &j->critique, NULL));
    }
    return T2G_OK;
}

static t2g_status write_audit(run_state *r, const t2g_alignment *a,
                              const t2g_judgement *j, uint64_t sample)
{
    json_t *lines = json_array(), *line, *id = json_integer((json_int_t)sample);
    size_t i;
    t2g_status s = lines && id ? t2g_align_audit(a, &j->critique, j->response,
                                                 &r->rules, id, lines)
                               : T2G_ERR_MEMORY;
    if (s == T2G_OK)
        json_array_foreach(lines, i, line) {
            json_dumpf(line, r->audit, JSON_COMPACT);
            fputc('\n', r->audit);
        }
    json_decref(lines);
    json_decref(id);
    return s;
}

/* Critique text and spans -> one reward a token. */
static t2g_status place(run_state *r, t2g_rollout *w, const t2g_judgement *j,
                        uint64_t sample)
{
    t2g_alignment a = {0};
    if (j->critique.status == T2G_CRITIQUE_UNPARSED) {
        w->usable = r->o->on_unparsed == UNPARSED_ZERO; /* never a reward */
        r->judge_unparsed++;
    }
    T2G_TRY(t2g_align(&a, w->text, w->text_length, &j->critique, w->offset,
                      w->response_count, &r->rules));
    if (strcmp(a.status, "dropped") == 0)
        w->usable = false;
    memcpy(w->delta, a.delta, w->response_count * sizeof *w->delta);
    t2g_status s = write_audit(r, &a, j, sample);
    t2g_alignment_free(&a);
    return s;
}

static void forget_judgements(run_state *r)
{
    for (size_t i = 0; i < r->judged_count; i++)
        t2g_critique_free(&r->judged[i].critique);
    t2g_free(r->judged);
    r->judged = NULL;
    r->judged_count = 0;
}

static t2g_status rewards(void *context, uint64_t step, t2g_rollout *w,
                          size_t n)
{
    run_state *r = context;
    forget_judgements(r);
    r->judge_unparsed = 0;
    r->judged = t2g_calloc(n, sizeof *r->judged);
    if (!r->judged)
        return T2G_ERR_MEMORY;
    r->judged_count = n;
    for (size_t i = 0; i < n; i++) {
        t2g_judgement *j = &r->judged[i];
        T2G_TRY(prompt_text(r, &w[i], &j->prompt, &j->prompt_length));
        j->response = w[i].text;
        j->response_length = w[i].text_length;
    }
    T2G_TRY(r->rm ? judge_by_model(r, n) : judge_by_facts(r, n));
    for (size_t i = 0; i < n; i++)
        T2G_TRY(place(r, &w[i], &r->judged[i], step * n + i));
    return T2G_OK;
}

/* --- logs ----------------------------------------------------------------- */

/* The true checker looks on; what it says is never used. */
static t2g_status watch(run_state *r, const t2g_rl_report *p, json_t *line)
{
    t2g_facts_tally t = {0};
    if (r->o->watch != CRITIC_FACTS)
        return T2G_OK;
    for (size_t i = 0; i < p->rows; i++) {
        const t2g_judgement *j = &r->judged[i];
        T2G_TRY(t2g_facts_check(j->prompt, j->prompt_length, j->response,
                                j->response_length, NULL, &t));
    }
    double n = (double)p->rows;
    json_object_set_new(line, "accuracy", json_real(t2g_facts_accuracy(&t)));
    json_object_set_new(line, "facts/repeated",
                        json_real((double)t.repeated / n));
    json_object_set_new(line, "facts/missing",
                        json_real((double)t.missing / n));
    json_object_set_new(line, "facts/invented",
                        json_real((double)t.invented / n));
    return T2G_OK;
}

static json_t *metrics_of(const run_state *r, const t2g_rl_report *p)
{
    const t2g_step_stats *t = &p->step_stats;
    json_t *o = json_pack("{s:s, s:s, s:I, s:I}", "stage", "train", "arm",
                          algorithm_names[r->o->algorithm], "step",
                          (json_int_t)p->step, "samples",
                          (json_int_t)r->drawn);
    const struct {
        const char *name;
        double value;
    } v[] = {
        {"score", p->score},
        {"objective/kl", t->kl},
        {"objective/kl_coef", p->kl_coef},
        {"objective/entropy", t->entropy},
        {"ppo/mean_non_score_reward", t->mean_non_score_reward},
        {"ppo/mean_scores", t->mean_scores},
        {"ppo/std_scores", t->std_scores},
        {"ppo/val/var_explained", p->var_explained},
        {"ppo/learning_rate", p->lr},
        {"grad_norm", p->grad_norm},
        {"usable", (double)p->usable / (double)p->rows},
        {"constrained", r->grammar != NULL},
        {"unparsed", r->judge_unparsed / (double)p->rows},
        {"skipped_minibatches", (double)p->skipped_minibatches},
        {"tokens/responses_len_mean",
         p->usable ? (double)p->response_tokens / (double)p->usable : 0},
        {"time/rollout", p->seconds_rollout},
        {"time/reward", p->seconds_reward},
        {"time/update", p->seconds_update},
        {"seconds", cli_seconds() - r->started},
        {"memory", (double)cli_peak_memory()}};
    for (size_t i = 0; i < sizeof v / sizeof *v; i++)
        json_object_set_new(o, v[i].name, json_real(v[i].value));
    for (size_t i = 0; i < T2G_PPO_STATS; i++) {
        const t2g_ppo_stat_name *n = &t2g_ppo_stat_names[i];
        char name[64];
        double value;
        snprintf(name, sizeof name, "ppo/%s", n->name);
        memcpy(&value, (const char *)&p->stats + n->offset, sizeof value);
        json_object_set_new(o, name, json_real(value));
    }
    return o;
}

/* The step's first responses; JSON holds no bytes that are not UTF-8, and byte
 * ranges must fit the text, so such responses are left out. */
static t2g_status write_samples(run_state *r, const t2g_rl_report *p)
{
    for (size_t i = 0; i < p->rows && i < r->o->log_samples; i++) {
        const t2g_rollout *w = &p->rollout[i];
        const t2g_judgement *j = &r->judged[i];
        if (t2g_utf8_invalid(w->text, w->text_length) != w->text_length)
            continue;
        json_t *line = json_pack("{s:s, s:I, s:o, s:o}", "arm",
                                 algorithm_names[r->o->algorithm], "step",
                                 (json_int_t)p->step, "prompt",
                                 json_stringn(j->prompt, j->prompt_length),
                                 "response", json_stringn(w->text,
                                                          w->text_length));
        t2g_status s = line ? set_token_rewards(line, w->offset, w->delta,
                                                w->response_count)
                            : T2G_ERR_MEMORY;
        if (s == T2G_OK)
            s = t2g_critique_to_record(&j->critique, line);
        if (s == T2G_OK) {
            json_dumpf(line, r->samples, JSON_COMPACT);
            fputc('\n', r->samples);
        }
        json_decref(line);
        T2G_TRY(s);
    }
    return T2G_OK;
}

static t2g_status step_done(void *context, const t2g_rl_report *p)
{
    run_state *r = context;
    char extra[96];
    r->drawn += p->rows;
    r->tokens += p->response_tokens;
    json_t *line = metrics_of(r, p);
    t2g_status s = watch(r, p, line);
    double accuracy = json_number_value(json_object_get(line, "accuracy"));
    metrics_line(&r->s, line);
    T2G_TRY(s);
    if (p->usable == 0)
        cli_note(r->s.inv, "step %llu: none of the %zu critiques could be "
                 "read, the policy stays as it is",
                 (unsigned long long)p->step, p->rows);
    T2G_TRY(write_samples(r, p));
    if (r->o->watch)
        snprintf(extra, sizeof extra, "score %.2f  KL %.2f  true accuracy %.3f",
                 p->score, p->step_stats.kl, accuracy);
    else
        snprintf(extra, sizeof extra, "score %.2f  KL %.2f", p->score,
                 p->step_stats.kl);
    progress_update(&r->s.bar, p->step, r->tokens, "tok", extra);
    return cli_interrupted() ? t2g_fail(T2G_ERR_INTERRUPTED, "stopped after "
                                        "step %llu", (unsigned long long)
                                        p->step)
                             : T2G_OK;
}

/* --- the run -------------------------------------------------------------- */

static t2g_rl_config rl_config(const train_options *o, uint64_t seed)
{
    t2g_rl_config c = t2g_rl_defaults();
    c.ppo = (t2g_ppo_config){
        .cliprange = (float)o->cliprange,
        .cliprange_value = (float)o->cliprange_value,
        .vf_coef = (float)o->vf_coef, .ent_coef = (float)o->ent_coef,
        .ratio_threshold = (float)o->ratio_threshold, .logratio_clamp = 20};
    c.optim = optim_config(&o->t);
    c.schedule = (t2g_schedule)o->t.lr_scheduler;
    c.lr = o->t.learning_rate;
    c.warmup = o->t.warmup_steps;
    c.steps = o->steps;
    c.batch = o->t.batch_size;
    c.minibatch = o->minibatch;
    c.gradient_accumulation = o->accumulation;
    c.ppo_epochs = o->ppo_epochs;
    c.granularity = (t2g_granularity)o->granularity;
    c.kl_penalty = (t2g_kl_penalty)o->kl_penalty;
    c.kl = (t2g_kl_controller){o->kl_coef, o->kl_target, o->kl_horizon,
                               o->adaptive_kl};
    c.gamma = (float)o->gamma;
    c.lam = (float)o->lam;
    c.whiten = whiten_modes[o->whiten];
    c.reward_scale = (float)o->reward_scale;
    c.advantage_clamp = (float)o->advantage_clamp;
    c.fit_value_head = o->fit_value_head;
    c.value_ridge = o->value_ridge;
    c.early_stopping = o->early_stopping;
    c.target_kl = o->target_kl;
    c.sampling.temperature = o->temperature;
    c.sampling.top_k = o->top_k;
    c.sampling.top_p = o->top_p;
    c.sampling.max_new_tokens = o->max_new_tokens;
    c.seed = seed;
    return c;
}

static t2g_status open_log(FILE **f, const char *dir, const char *name)
{
    char path[4096];
    T2G_TRY(join_path(path, dir, name));
    *f = fopen(path, "w");
    return *f ? T2G_OK : t2g_fail(T2G_ERR_IO, "%s: cannot be written", path);
}

static t2g_status close_log(FILE **f, const char *name)
{
    bool bad = *f && ferror(*f);
    bad |= *f && fclose(*f) != 0;
    *f = NULL;
    return bad ? t2g_fail(T2G_ERR_IO, "%s: could not be written", name)
               : T2G_OK;
}

static t2g_status load_critic(run_state *r)
{
    const train_options *o = r->o;
    if (!o->reward_model)
        return T2G_OK;
    T2G_TRY(t2g_model_load(&r->rm, o->reward_model, &r->s.inv->kernels));
    T2G_TRY(t2g_tokenizer_load(&r->rm_tok, o->reward_model));
    return judge_grammar(&r->grammar, r->rm, r->rm_tok, o->unconstrained);
}

static t2g_status work(run_state *r, const invocation *inv,
                       const train_options *o)
{
    r->o = o;
    T2G_TRY(session_open(&r->s, inv, &o->t));
    T2G_TRY(load_critic(r));
    T2G_TRY(prompts_read(&r->prompts, &r->s.data, &r->s.chat));
    t2g_model *m = r->s.model;
    if (o->ref_model)
        T2G_TRY(t2g_model_load(&r->ref, o->ref_model, &inv->kernels));
    else
        T2G_TRY(t2g_model_clone(&r->ref, m));
    m->config.eos_count = end_tokens(m, r->s.tok, m->config.eos_token_id);
    T2G_TRY(t2g_model_add_value_head(m, inv->common.seed));
    T2G_TRY(cli_output_dir(inv, o->t.output_dir, false, o->t.overwrite));
    T2G_TRY(metrics_open(&r->s));
    T2G_TRY(open_log(&r->samples, o->t.output_dir, "samples.jsonl"));
    T2G_TRY(open_log(&r->audit, o->t.output_dir, "audit.jsonl"));

    t2g_rl_config c = rl_config(o, inv->common.seed);
    r->started = cli_seconds();
    progress_begin(&r->s.bar, inv, algorithm_names[o->algorithm], c.steps);
    t2g_status s = t2g_rl(m, r->ref, r->s.tok, &c, prompts_next, &r->prompts,
                          rewards, r, step_done, r);
    progress_end(&r->s.bar, NULL);
    if (s == T2G_OK || s == T2G_ERR_INTERRUPTED)
        T2G_TRY(save_model(m, r->s.tok, o->t.output_dir));
    T2G_TRY(s);
    T2G_TRY(close_log(&r->samples, "samples.jsonl"));
    T2G_TRY(close_log(&r->audit, "audit.jsonl"));
    return metrics_close(&r->s);
}

static void close_run(run_state *r)
{
    forget_judgements(r);
    prompts_free(&r->prompts);
    t2g_reply_grammar_free(r->grammar);
    t2g_model_free(r->rm);
    t2g_model_free(r->ref);
    t2g_tokenizer_free(r->rm_tok);
    if (r->samples)
        fclose(r->samples);
    if (r->audit)
        fclose(r->audit);
    session_close(&r->s);
}

/* What the algorithm's name sets unless an option says otherwise. */
static void settle_algorithm(train_options *o, const option *table)
{
    static const int granularity[] = {T2G_TOKEN, T2G_STEP, T2G_WHOLE};
    for (const option *p = table; p->name; p++)
        if (strcmp(p->name, "granularity") == 0 && p->given)
            return;
    o->granularity = granularity[o->algorithm];
}

static int run(const command *self, int argc, char **argv)
{
    train_options o = {
        .t = {.learning_rate = 1e-5, .adam_beta1 = 0.9, .adam_beta2 = 0.999,
              .adam_epsilon = 1e-8, .max_grad_norm = 1, .batch_size = 64,
              .logging_steps = 1},
        .kl_penalty = T2G_KL_FULL, .kl_coef = 0.2, .kl_target = 6,
        .kl_horizon = 10000, .adaptive_kl = true, .cliprange = 0.2,
        .cliprange_value = 0.2, .vf_coef = 0.1, .gamma = 1, .lam = 0.95,
        .ratio_threshold = 10, .reward_scale = 1, .target_kl = 1,
        .value_ridge = 1e-3, .temperature = 1, .top_p = 1, .minibatch = 16,
        .accumulation = 1, .ppo_epochs = 4, .steps = 100,
        .max_new_tokens = 64, .judge_tokens = 500, .log_samples = 2};
    option table[] = {
        DATA_OPTIONS(o.t), CHAT_OPTIONS(o.t),
        {"reward-model", OPTION_TEXT, &o.reward_model, "Rewards",
         "folder of a generative reward model", 0, 0, NULL, false},
        {"critic", OPTION_CHOICE, &o.critic, "Rewards",
         "a critic instead of a reward model", 0, 0, critic_names, false},
        {"judge-max-new-tokens", OPTION_COUNT, &o.judge_tokens, "Rewards",
         "longest critique of the reward model", 1, 1 << 20, NULL, false},
        UNCONSTRAINED_OPTION(o.unconstrained, "Rewards"),
        {"reward-scale", OPTION_REAL, &o.reward_scale, "Rewards",
         "multiplies every reward", 0, 1e6, NULL, false},
        RULES_OPTIONS(o.rules),
        {"on-unparsed", OPTION_CHOICE, &o.on_unparsed, "Rules",
         "a critique that cannot be read: leave the response out, or no "
         "reward", 0, 0, unparsed_names, false},
        {"watch", OPTION_CHOICE, &o.watch, "Rewards",
         "a critic whose verdict is logged, never used", 0, 0, critic_names,
         false},
        {"algorithm", OPTION_CHOICE, &o.algorithm, "Algorithm",
         "sets --granularity", 0, 0, algorithm_names, false},
        {"granularity", OPTION_CHOICE, &o.granularity, "Algorithm",
         "where rewards stand: on tokens, at step ends, on the last token", 0,
         0, granularity_names, false},
        {"steps", OPTION_COUNT, &o.steps, "Algorithm", "PPO steps", 1, 1e9,
         NULL, false},
        {"mini-batch-size", OPTION_COUNT, &o.minibatch, "Algorithm",
         "sequences a minibatch", 1, 1 << 20, NULL, false},
        {"gradient-accumulation-steps", OPTION_COUNT, &o.accumulation,
         "Algorithm", "minibatches an update", 1, 1 << 20, NULL, false},
        {"ppo-epochs", OPTION_COUNT, &o.ppo_epochs, "Algorithm",
         "passes over the samples of a step", 1, 1000, NULL, false},
        {"gamma", OPTION_REAL, &o.gamma, "Algorithm", "discount", 0, 1, NULL,
         false},
        {"lam", OPTION_REAL, &o.lam, "Algorithm",
         "lambda of the advantage estimate", 0, 1, NULL, false},
        {"whiten", OPTION_CHOICE, &o.whiten, "Algorithm",
         "advantages: full; scale keeps the mean; none", 0, 0, whiten_names,
         false},
        {"advantage-clamp", OPTION_REAL, &o.advantage_clamp, "Algorithm",
         "clamp whitened advantages to this; 0: never", 0, 1e6, NULL, false},
        {"cliprange", OPTION_REAL, &o.cliprange, "Algorithm",
         "clip the probability ratio", 0, 1e6, NULL, false},
        {"cliprange-value", OPTION_REAL, &o.cliprange_value, "Algorithm",
         "clip the value; 0: never", 0, 1e6, NULL, false},
        {"vf-coef", OPTION_REAL, &o.vf_coef, "Algorithm",
         "weight of the value loss", 0, 1e6, NULL, false},
        {"ent-coef", OPTION_REAL, &o.ent_coef, "Algorithm",
         "weight of the entropy bonus", 0, 1e6, NULL, false},
        {"ratio-threshold", OPTION_REAL, &o.ratio_threshold, "Algorithm",
         "skip a minibatch whose mean ratio exceeds this", 1, 1e9, NULL,
         false},
        {"fit-value-head", OPTION_FLAG, &o.fit_value_head, "Algorithm",
         "start the value head by least squares on the first returns", 0, 0,
         NULL, false},
        {"value-ridge", OPTION_REAL, &o.value_ridge, "Algorithm",
         "ridge of that fit", 0, 1e6, NULL, false},
        {"kl-penalty", OPTION_CHOICE, &o.kl_penalty, "KL",
         "estimator against the reference", 0, 0, kl_names, false},
        {"kl-coef", OPTION_REAL, &o.kl_coef, "KL", "weight (at the start)", 0,
         1e6, NULL, false},
        {"adap-kl-ctrl", OPTION_FLAG, &o.adaptive_kl, "KL",
         "adapt the weight towards the target", 0, 0, NULL, false},
        {"target", OPTION_REAL, &o.kl_target, "KL", "KL per response aimed at",
         1e-9, 1e9, NULL, false},
        {"horizon", OPTION_REAL, &o.kl_horizon, "KL",
         "how slowly the weight adapts", 1e-9, 1e12, NULL, false},
        {"early-stopping", OPTION_FLAG, &o.early_stopping, "KL",
         "end a step when the policy moved too far", 0, 0, NULL, false},
        {"target-kl", OPTION_REAL, &o.target_kl, "KL",
         "two thirds of what early stopping allows", 0, 1e9, NULL, false},
        {"ref-model", OPTION_TEXT, &o.ref_model, "KL",
         "reference policy (default: the start)", 0, 0, NULL, false},
        {"max-new-tokens", OPTION_COUNT, &o.max_new_tokens, "Sampling",
         "longest response", 1, 1 << 20, NULL, false},
        {"temperature", OPTION_REAL, &o.temperature, "Sampling",
         "divides the logits", 1e-6, 1e6, NULL, false},
        {"top-k", OPTION_COUNT, &o.top_k, "Sampling", "0: all", 0, 1 << 24,
         NULL, false},
        {"top-p", OPTION_REAL, &o.top_p, "Sampling", "1: all", 0, 1, NULL,
         false},
        OPTIMISER_OPTIONS(o.t), OUTPUT_OPTIONS(o.t),
        {"log-samples", OPTION_COUNT, &o.log_samples, "Output",
         "responses a step in samples.jsonl", 0, 1 << 20, NULL, false},
        {0}};
    invocation inv;
    int status = cli_parse(&inv, self, table, argc, argv);
    if (status >= 0)
        return status;
    settle_algorithm(&o, table);
    if (!o.t.model || !o.t.data || !o.t.output_dir)
        status = cli_usage(&inv, "needs --model, --data and --output-dir");
    else if (!o.reward_model == (o.critic == CRITIC_NONE))
        status = cli_usage(&inv, "needs either --reward-model or --critic");
    else {
        run_state r = {0};
        cli_catch_interrupts();
        t2g_status s = rules_read(&r.rules, &o.rules);
        if (s == T2G_OK)
            s = work(&r, &inv, &o);
        status = s == T2G_OK ? EXIT_DONE : cli_failed(&inv);
        close_run(&r);
        rules_free(&o.rules);
    }
    cli_free(&inv);
    return status;
}

const command command_train = {
    "train", "optimises a policy: Text2Grad, PRM-PPO or PPO",
    "--model DIR --data PROMPTS --reward-model DIR --output-dir DIR [options]",
    "t2g train --algorithm text2grad --model sft --reward-model rm "
    "--data prompts.jsonl --output-dir policy --learning-rate 3e-4",
    run};
