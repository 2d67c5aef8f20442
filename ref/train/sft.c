/* Supervised fine-tuning; training the generative reward model is the same with
 * other records. An update's loss is the mean cross-entropy over all completion
 * tokens of its batch. */
#include <math.h>
#include <string.h>
#include <time.h>

#include "train_private.h"

double t2g_clock(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* --- a packed batch of examples ------------------------------------------- */

void t2g_pack_free(t2g_pack *p)
{
    t2g_free(p->id);
    t2g_free(p->row);
    t2g_free(p->decision);
    t2g_free(p->first_decision);
    *p = (t2g_pack){0};
}

void t2g_pack_clear(t2g_pack *p)
{
    p->tokens = p->rows = p->decisions = 0;
}

static t2g_status reserve(t2g_pack *p, size_t tokens, size_t rows)
{
    if (p->tokens + tokens > p->token_capacity) {
        size_t n = 2 * (p->tokens + tokens);
        uint32_t *id = t2g_regrow(p->id, p->tokens, n, sizeof *id);
        if (!id)
            return T2G_ERR_MEMORY;
        p->id = id;
        t2g_decision *d = t2g_regrow(p->decision, p->decisions, n, sizeof *d);
        if (!d)
            return T2G_ERR_MEMORY;
        p->decision = d;
        p->token_capacity = n;
    }
    if (p->rows + rows > p->row_capacity) {
        size_t n = 2 * (p->rows + rows), old = p->rows ? p->rows + 1 : 0;
        size_t *row = t2g_regrow(p->row, old, n + 1, sizeof *row);
        if (!row)
            return T2G_ERR_MEMORY;
        p->row = row;
        size_t *first = t2g_regrow(p->first_decision, old, n + 1,
                                   sizeof *first);
        if (!first)
            return T2G_ERR_MEMORY;
        p->first_decision = first;
        p->row_capacity = n;
    }
    return T2G_OK;
}

t2g_status t2g_pack_add(t2g_pack *p, const uint32_t *prompt,
                        size_t prompt_count, const uint32_t *completion,
                        size_t count, const uint8_t *target)
{
    T2G_TRY(reserve(p, prompt_count + count, 1));
    memcpy(p->id + p->tokens, prompt, prompt_count * sizeof *p->id);
    memcpy(p->id + p->tokens + prompt_count, completion,
           count * sizeof *p->id);
    for (size_t i = prompt_count ? 0 : 1; i < count; i++)
        if (!target || target[i])
            p->decision[p->decisions++] = (t2g_decision){
                p->tokens + prompt_count + i - 1, completion[i]};
    p->tokens += prompt_count + count;
    p->rows++;
    p->row[p->rows] = p->tokens;
    p->first_decision[p->rows] = p->decisions;
    return T2G_OK;
}

t2g_batch t2g_pack_batch(const t2g_pack *p)
{
    return (t2g_batch){p->id, p->row, p->rows};
}

/* --- the loss ------------------------------------------------------------- */

/* What the forward pass of a batch says about its decisions. */
typedef struct scores {
    float *logprob, *entropy, *g;
    uint32_t *best;
    size_t capacity;
} scores;

static void free_scores(scores *s)
{
    t2g_free(s->logprob);
    t2g_free(s->entropy);
    t2g_free(s->g);
    t2g_free(s->best);
}

static t2g_status reserve_scores(scores *s, size_t n)
{
    if (n <= s->capacity)
        return T2G_OK;
    free_scores(s);
    *s = (scores){.logprob = t2g_calloc(n, sizeof(float)),
                  .entropy = t2g_calloc(n, sizeof(float)),
                  .g = t2g_calloc(n, sizeof(float)),
                  .best = t2g_calloc(n, sizeof(uint32_t))};
    if (!s->logprob || !s->entropy || !s->g || !s->best)
        return T2G_ERR_MEMORY;
    s->capacity = n;
    return T2G_OK;
}

typedef struct totals {
    double nll, entropy;
    uint64_t right, decisions, tokens;
} totals;

static void add_totals(totals *t, const scores *s, const t2g_pack *p)
{
    for (size_t i = 0; i < p->decisions; i++) {
        t->nll -= s->logprob[i];
        t->entropy += s->entropy[i];
        t->right += s->best[i] == p->decision[i].target;
    }
    t->decisions += p->decisions;
    t->tokens += p->tokens;
}

/* Forward and backward: the gradient of the mean over the batch's decisions. */
static t2g_status learn_batch(t2g_model *m, t2g_activations *acts,
                              const t2g_pack *p, scores *s, float *d_hidden)
{
    t2g_batch b = t2g_pack_batch(p);
    const float *hidden;
    T2G_TRY(reserve_scores(s, p->decisions));
    T2G_TRY(t2g_forward(m, acts, &b, true, &hidden));
    memset(d_hidden, 0,
           p->tokens * m->config.hidden_size * sizeof *d_hidden);
    for (size_t i = 0; i < p->decisions; i++)
        s->g[i] = -1.0f / (float)p->decisions;
    T2G_TRY(t2g_head_cross_entropy(m, hidden, p->decision, p->decisions, s->g,
                                   d_hidden, s->logprob, s->entropy, s->best));
    return t2g_backward(m, acts, &b, d_hidden);
}

static t2g_status score_batch(const t2g_model *m, t2g_activations *acts,
                              const t2g_pack *p, scores *s)
{
    t2g_batch b = t2g_pack_batch(p);
    const float *hidden;
    T2G_TRY(reserve_scores(s, p->decisions));
    T2G_TRY(t2g_forward(m, acts, &b, false, &hidden));
    return t2g_head_logprobs(m, hidden, NULL, NULL, p->decision, p->decisions,
                             s->logprob, s->entropy, s->best, NULL, NULL);
}

/* --- the loop ------------------------------------------------------------- */

typedef struct trainer {
    t2g_model *m;
    const t2g_sft_config *config;
    t2g_optimizer *optimizer;
    t2g_activations *acts;
    t2g_pack pack;
    scores scores;
    float *d_hidden;
    size_t d_hidden_floats;
    double started;
    uint64_t tokens;
} trainer;

static t2g_status fill_batch(t2g_pack *p, size_t batch, uint64_t first,
                             t2g_example_fn *example, void *context)
{
    t2g_pack_clear(p);
    for (size_t k = 0; k < batch; k++) {
        t2g_example e = {0};
        T2G_TRY(example(context, first + k, &e));
        T2G_TRY(t2g_pack_add(p, e.id, e.prompt, e.id + e.prompt,
                             e.count - e.prompt,
                             e.target ? e.target + e.prompt : NULL));
    }
    return T2G_OK;
}

static t2g_status update(trainer *t, uint64_t step, t2g_sft_report *r)
{
    size_t floats = t->pack.tokens * t->m->config.hidden_size;
    if (floats > t->d_hidden_floats) {
        t2g_free(t->d_hidden);
        t->d_hidden_floats = 0;
        t->d_hidden = t2g_calloc(floats, sizeof *t->d_hidden);
        if (!t->d_hidden)
            return T2G_ERR_MEMORY;
        t->d_hidden_floats = floats;
    }
    if (t->pack.decisions == 0)
        return t2g_fail(T2G_ERR_ARG, "update %llu: no completion token in the "
                        "batch", (unsigned long long)step);
    totals sum = {0};
    T2G_TRY(learn_batch(t->m, t->acts, &t->pack, &t->scores, t->d_hidden));
    add_totals(&sum, &t->scores, &t->pack);
    double n = (double)sum.decisions;
    *r = (t2g_sft_report){.loss = sum.nll / n,
                          .accuracy = (double)sum.right / n,
                          .entropy = sum.entropy / n};
    if (!isfinite(r->loss))
        return t2g_fail(T2G_ERR_NUMERIC, "update %llu: the loss is not finite",
                        (unsigned long long)step);
    r->lr = t2g_learning_rate(t->config->schedule, t->config->lr, step,
                              t->config->warmup, t->config->steps);
    T2G_TRY(t2g_optimizer_step(t->optimizer, t->m, r->lr, &r->grad_norm));
    t->tokens += sum.tokens;
    return T2G_OK;
}

static t2g_status run(trainer *t, t2g_example_fn *example, void *context,
                      t2g_sft_progress_fn *progress, void *progress_context)
{
    for (uint64_t step = 0; step < t->config->steps; step++) {
        t2g_sft_report r;
        T2G_TRY(fill_batch(&t->pack, t->config->batch,
                           step * t->config->batch, example, context));
        T2G_TRY(update(t, step, &r));
        r.step = step + 1;
        r.steps = t->config->steps;
        r.tokens = t->tokens;
        r.seconds = t2g_clock() - t->started;
        if (progress)
            T2G_TRY(progress(progress_context, &r));
    }
    return T2G_OK;
}

t2g_status t2g_sft(t2g_model *m, const t2g_sft_config *config,
                   t2g_example_fn *example, void *example_context,
                   t2g_sft_progress_fn *progress, void *progress_context)
{
    trainer t = {.m = m, .config = config, .started = t2g_clock()};
    if (config->batch == 0)
        return t2g_fail(T2G_ERR_ARG, "a batch of 0 sequences");
    t2g_status s = t2g_model_make_trainable(m);
    if (s == T2G_OK)
        s = t2g_optimizer_new(&t.optimizer, &config->optim, m);
    if (s == T2G_OK)
        s = t2g_activations_new(&t.acts, m);
    if (s == T2G_OK)
        s = run(&t, example, example_context, progress, progress_context);
    t2g_optimizer_free(t.optimizer);
    t2g_activations_free(t.acts);
    t2g_pack_free(&t.pack);
    free_scores(&t.scores);
    t2g_free(t.d_hidden);
    return s;
}

t2g_status t2g_sft_evaluate(const t2g_model *m, size_t batch,
                            t2g_example_fn *example, void *context, uint64_t n,
                            double *loss, double *accuracy)
{
    t2g_activations *acts = NULL;
    t2g_pack pack = {0};
    scores sc = {0};
    totals sum = {0};
    t2g_status s = t2g_activations_new(&acts, m);
    for (uint64_t i = 0; s == T2G_OK && i < n; i += batch) {
        size_t rows = n - i < batch ? (size_t)(n - i) : batch;
        s = fill_batch(&pack, rows, i, example, context);
        if (s == T2G_OK)
            s = score_batch(m, acts, &pack, &sc);
        if (s == T2G_OK)
            add_totals(&sum, &sc, &pack);
    }
    if (s == T2G_OK && sum.decisions == 0)
        s = t2g_fail(T2G_ERR_ARG, "no completion token to evaluate");
    if (s == T2G_OK) {
        *loss = sum.nll / (double)sum.decisions;
        *accuracy = (double)sum.right / (double)sum.decisions;
    }
    t2g_activations_free(acts);
    t2g_pack_free(&pack);
    free_scores(&sc);
    return s;
}
