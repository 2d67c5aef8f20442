/* Generation with a key/value cache, many rows at once: a row that ends makes
 * place for the next prompt in the same step. What a row yields depends on its
 * own prompt and random stream alone. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model_private.h"

/* Rows in flight, and how many a thread needs to be worth a worker. */
enum { SLOTS = 192, ROWS_A_WORKER = 8 };

void t2g_generation_free(t2g_generation *g)
{
    t2g_free(g->id);
    t2g_free(g->row);
    t2g_free(g->ended);
    t2g_free(g->logprob);
    *g = (t2g_generation){0};
}

/* --- choosing a token ----------------------------------------------------- */

static int descending(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return x < y ? 1 : x > y ? -1 : 0;
}

/* Removes (to -inf) everything below the k-th largest; ties with it stay. */
static void keep_top_k(float *z, float *sorted, size_t n, size_t k)
{
    if (k == 0 || k >= n)
        return;
    memcpy(sorted, z, n * sizeof *z);
    qsort(sorted, n, sizeof *sorted, descending);
    for (size_t j = 0; j < n; j++)
        if (z[j] < sorted[k - 1])
            z[j] = -INFINITY;
}

typedef struct ranked {
    float z;
    uint32_t id;
} ranked;

/* Ascending, of equal scores the lower id first. */
static int ascending(const void *a, const void *b)
{
    const ranked *x = a, *y = b;
    if (x->z != y->z)
        return x->z < y->z ? -1 : 1;
    return x->id < y->id ? -1 : x->id > y->id;
}

/* Removes the least likely tokens whose running probability, in ascending
 * order, stays within 1 - top_p; the last one always remains. */
static void keep_top_p(const t2g_kernels *k, float *z, ranked *order, float *p,
                       size_t n, double top_p)
{
    if (top_p >= 1)
        return;
    for (size_t j = 0; j < n; j++)
        order[j] = (ranked){z[j], (uint32_t)j};
    qsort(order, n, sizeof *order, ascending);
    for (size_t j = 0; j < n; j++)
        p[j] = order[j].z;
    k->exp(p, p, order[n - 1].z, n);
    double total = 0, sum = 0;
    for (size_t j = 0; j < n; j++)
        total += p[j];
    for (size_t j = 0; j + 1 < n; j++) {
        sum += p[j];
        if (sum > (1 - top_p) * total)
            break;
        z[order[j].id] = -INFINITY;
    }
}

/* The smallest id whose running sum of p exceeds u times the total. */
static uint32_t draw(const float *p, size_t n, double u)
{
    double total = 0, sum = 0;
    for (size_t j = 0; j < n; j++)
        total += p[j];
    uint32_t last = 0;
    for (size_t j = 0; j < n; j++) {
        sum += p[j];
        if (p[j] > 0)
            last = (uint32_t)j;
        if (sum > u * total)
            return (uint32_t)j;
    }
    return last;
}

/* Chooses from raw logits z [n], which it alters; work [3n] floats of room. */
static uint32_t choose(const t2g_kernels *k, float *z, float *work, size_t n,
                       const t2g_sampling *s, double u)
{
    if (!s->do_sample)
        return t2g_arg_max(z, n);
    if (s->temperature != 1) {
        float t = (float)s->temperature;
        for (size_t j = 0; j < n; j++)
            z[j] /= t;
    }
    keep_top_k(z, work, n, s->top_k);
    keep_top_p(k, z, (ranked *)(void *)work, work + 2 * n, n, s->top_p);
    k->exp(z, z, z[t2g_arg_max(z, n)], n);
    return draw(z, n, u);
}

/* --- the rows ------------------------------------------------------------- */

/* What all workers share: the prompts, which of them are taken, the results. */
typedef struct job {
    const t2g_model *m;
    const t2g_batch *prompts;
    const t2g_sampling *s;
    uint32_t first_sample;
    const int64_t *eos;
    size_t eos_count;
    size_t longest;      /* prompt */
    size_t *produced;    /* [rows] new tokens so far */
    uint32_t *out;       /* [rows][max_new_tokens] */
    float *logprob;
    uint8_t *ended;
    size_t next, done;
    uint64_t tokens;
    t2g_generate_progress_fn *progress;
    void *context;
    t2g_status status;   /* of the first worker that failed */
    char message[512];
} job;

/* One worker: rows in its slots go through the model together. With many
 * prompts each thread is a worker and never waits for another; with few there
 * is one, and threads share its products. */
typedef struct generator {
    job *j;
    t2g_activations *acts;
    t2g_kv_cache cache;
    size_t slots;
    size_t *row_in_slot; /* [slots], or NONE */
    uint32_t *feed;      /* tokens of the current step */
    size_t *source;      /* [slots] row of each packed row of the step */
    float *logits;       /* [threads][block] */
    uint32_t *token;     /* [slots] chosen */
    float *token_logprob;
} generator;

static const size_t NONE = SIZE_MAX;

static size_t prompt_length(const job *j, size_t r)
{
    return j->prompts->row[r + 1] - j->prompts->row[r];
}

static bool is_eos(const job *j, uint32_t id)
{
    for (size_t i = 0; i < j->eos_count; i++)
        if (j->eos[i] == (int64_t)id)
            return true;
    return false;
}

/* The next prompt nobody works on, or NONE; none after a failure. */
static size_t take_prompt(job *j)
{
    size_t r = NONE;
#pragma omp critical
    if (j->status == T2G_OK && j->next < j->prompts->rows)
        r = j->next++;
    return r;
}

/* Fills free slots with waiting prompts and packs what every row feeds: its
 * whole prompt when it is new, else its latest token. */
static size_t pack_step(generator *g, size_t *tokens)
{
    job *j = g->j;
    size_t rows = 0;
    *tokens = 0;
    for (size_t slot = 0; slot < g->slots; slot++) {
        if (g->row_in_slot[slot] == NONE)
            g->row_in_slot[slot] = take_prompt(j);
        size_t r = g->row_in_slot[slot];
        if (r == NONE)
            continue;
        size_t n = j->produced[r], length = prompt_length(j, r);
        t2g_packed_row *p = &g->acts->row[rows];
        *p = (t2g_packed_row){.begin = *tokens, .slot = slot};
        if (n == 0) {
            p->count = length;
            memcpy(g->feed + *tokens, j->prompts->id + j->prompts->row[r],
                   length * sizeof *g->feed);
        } else {
            p->count = 1;
            p->first = length + n - 1;
            g->feed[*tokens] = j->out[r * j->s->max_new_tokens + n - 1];
        }
        *tokens += p->count;
        g->source[rows++] = r;
    }
    return rows;
}

enum { CHOOSE_BLOCK = 16 };

/* Leaves of row r's logits z those of tokens that the constraint allows; room
 * [V] bytes. The most likely token is asked about first: where it alone counts
 * and is allowed, nothing else matters. */
static void constrain(const job *j, size_t r, float *z, uint8_t *room)
{
    const t2g_constraint *c = j->s->constraint;
    size_t V = j->m->config.vocab_size;
    size_t left = j->s->max_new_tokens - j->produced[r] - 1;
    if (!j->s->do_sample && c->allows(c->context, r, t2g_arg_max(z, V), left))
        return;
    memset(room, 0, V);
    c->mark(c->context, r, room, left);
    for (size_t id = 0; id < V; id++)
        if (!room[id])
            z[id] = -INFINITY;
}

static size_t choose_room(const t2g_model *m)
{
    size_t H = m->config.hidden_size, V = m->config.vocab_size;
    return CHOOSE_BLOCK * (H + V) + 4 * V;
}

/* One row: its logits z become the choice; work [4V] floats of room. */
static void choose_row(generator *g, size_t i, float *z, float *work)
{
    const job *j = g->j;
    const t2g_kernels *k = &j->m->kernels;
    size_t V = j->m->config.vocab_size, r = g->source[i], t = j->produced[r];
    float lse = k->logsumexp(z, V, NULL), *raw = work + 3 * V;
    t2g_stream stream = {j->s->seed, j->first_sample + (uint32_t)r,
                         j->s->step, T2G_RNG_SAMP};
    memcpy(raw, z, V * sizeof *z);
    if (t < j->s->min_new_tokens)
        for (size_t e = 0; e < j->eos_count; e++)
            z[j->eos[e]] = -INFINITY;
    if (j->s->constraint)
        constrain(j, r, z, (uint8_t *)work);
    uint32_t id = choose(k, z, work, V, j->s, t2g_random_unit(&stream, t));
    g->token[i] = id;
    g->token_logprob[i] = raw[id] - lse;
}

/* Logits of each row's last token, its log-probability of record, the
 * choice. */
static void choose_rows(generator *g, size_t rows)
{
    const t2g_model *m = g->j->m;
    size_t H = m->config.hidden_size, V = m->config.vocab_size;
    size_t room = choose_room(m);
    size_t blocks = (rows + CHOOSE_BLOCK - 1) / CHOOSE_BLOCK;
#pragma omp parallel for schedule(dynamic) if (blocks > 1)
    for (size_t b = 0; b < blocks; b++) {
        float *z = g->logits + (size_t)t2g_thread_number() * room;
        float *x = z + CHOOSE_BLOCK * V, *work = x + CHOOSE_BLOCK * H;
        size_t i = b * CHOOSE_BLOCK;
        size_t n = rows - i < CHOOSE_BLOCK ? rows - i : CHOOSE_BLOCK;
        for (size_t k = 0; k < n; k++) {
            const t2g_packed_row *p = &g->acts->row[i + k];
            memcpy(x + k * H, g->acts->hidden + (p->begin + p->count - 1) * H,
                   H * sizeof *x);
        }
        m->kernels.matmul(z, V, x, H, m->head->forward, NULL, 0, n, V, H);
        for (size_t k = 0; k < n; k++)
            choose_row(g, i + k, z + k * V, work);
    }
}

/* Files the chosen tokens; rows that ended leave their slots. */
static t2g_status accept(generator *g, size_t rows, size_t *ended)
{
    job *j = g->j;
    const t2g_constraint *c = j->s->constraint;
    size_t max = j->s->max_new_tokens;
    *ended = 0;
    for (size_t i = 0; i < rows; i++) {
        size_t r = g->source[i], at = r * max + j->produced[r]++;
        if (!isfinite(g->token_logprob[i]))
            return t2g_fail(T2G_ERR_NUMERIC, "generating row %zu: the "
                            "log-probability of token %zu is not finite", r,
                            j->produced[r] - 1);
        j->out[at] = g->token[i];
        j->logprob[at] = g->token_logprob[i];
        bool finished = false;
        if (c)
            T2G_TRY(c->take(c->context, r, g->token[i], &finished));
        j->ended[r] = finished || is_eos(j, g->token[i]);
        if (j->ended[r] || j->produced[r] == max) {
            g->row_in_slot[g->acts->row[i].slot] = NONE;
            ++*ended;
        }
    }
    return T2G_OK;
}

static t2g_status report(job *j, size_t rows, size_t ended)
{
    t2g_status s = T2G_OK;
#pragma omp critical
    {
        j->done += ended;
        j->tokens += rows;
        if (j->progress)
            s = j->progress(j->context, j->done, j->prompts->rows, j->tokens);
    }
    return s;
}

static t2g_status run(generator *g)
{
    for (;;) {
        size_t tokens, ended, rows = pack_step(g, &tokens);
        if (rows == 0)
            return T2G_OK;
        T2G_TRY(t2g_forward_rows(g->j->m, g->acts, g->feed, rows, tokens,
                                 false, &g->cache));
        choose_rows(g, rows);
        T2G_TRY(accept(g, rows, &ended));
        T2G_TRY(report(g->j, rows, ended));
    }
}

static t2g_status allocate(generator *g, size_t slots)
{
    const job *j = g->j;
    g->slots = slots;
    T2G_TRY(t2g_activations_new(&g->acts, j->m));
    T2G_TRY(t2g_activations_rows(g->acts, slots));
    T2G_TRY(t2g_kv_cache_new(&g->cache, j->m, slots,
                             j->longest + j->s->max_new_tokens));
    g->row_in_slot = t2g_calloc(slots, sizeof *g->row_in_slot);
    g->feed = t2g_calloc(slots * j->longest, sizeof *g->feed);
    g->source = t2g_calloc(slots, sizeof *g->source);
    g->logits = t2g_calloc((size_t)t2g_threads() * choose_room(j->m),
                           sizeof *g->logits);
    g->token = t2g_calloc(slots, sizeof *g->token);
    g->token_logprob = t2g_calloc(slots, sizeof *g->token_logprob);
    if (!g->row_in_slot || !g->feed || !g->source || !g->logits || !g->token ||
        !g->token_logprob)
        return T2G_ERR_MEMORY;
    for (size_t i = 0; i < slots; i++)
        g->row_in_slot[i] = NONE;
    return T2G_OK;
}

static void release(generator *g)
{
    t2g_activations_free(g->acts);
    t2g_kv_cache_free(&g->cache);
    t2g_free(g->row_in_slot);
    t2g_free(g->feed);
    t2g_free(g->source);
    t2g_free(g->logits);
    t2g_free(g->token);
    t2g_free(g->token_logprob);
}

/* Messages are a thread's own: a failing worker leaves its in the job. */
static void work(job *j, size_t slots)
{
    generator g = {.j = j};
    t2g_status s = allocate(&g, slots);
    if (s == T2G_OK)
        s = run(&g);
    release(&g);
#pragma omp critical
    if (s != T2G_OK && j->status == T2G_OK) {
        j->status = s;
        snprintf(j->message, sizeof j->message, "%.*s",
                 (int)sizeof j->message - 1, t2g_error_message());
    }
}

static void run_workers(job *j)
{
    size_t threads = (size_t)t2g_threads(), rows = j->prompts->rows;
    size_t workers = rows >= ROWS_A_WORKER * threads ? threads : 1;
    size_t slots = (rows + workers - 1) / workers;
    if (slots > SLOTS / workers)
        slots = SLOTS / workers ? SLOTS / workers : 1;
    if (workers == 1) {
        work(j, slots);
        return;
    }
#pragma omp parallel for schedule(static, 1) num_threads((int)workers)
    for (size_t w = 0; w < workers; w++)
        work(j, slots);
}

/* Closes up the rows: responses one behind the other. */
static t2g_status collect(job *j, t2g_generation *out)
{
    size_t rows = j->prompts->rows, max = j->s->max_new_tokens, n = 0;
    out->row = t2g_calloc(rows + 1, sizeof *out->row);
    if (!out->row)
        return T2G_ERR_MEMORY;
    for (size_t r = 0; r < rows; r++) {
        memmove(j->out + n, j->out + r * max, j->produced[r] * sizeof *j->out);
        memmove(j->logprob + n, j->logprob + r * max,
                j->produced[r] * sizeof *j->logprob);
        n += j->produced[r];
        out->row[r + 1] = n;
    }
    out->id = j->out;
    out->logprob = j->logprob;
    out->ended = j->ended;
    j->out = NULL;
    j->logprob = NULL;
    j->ended = NULL;
    out->rows = rows;
    out->prompt_tokens = j->prompts->row[rows] - j->prompts->row[0];
    return T2G_OK;
}

static t2g_status check_settings(job *j)
{
    const t2g_sampling *s = j->s;
    if (s->do_sample && !(s->temperature > 0))
        return t2g_fail(T2G_ERR_ARG, "temperature %g, expected more than 0; "
                        "for the most likely token do not sample",
                        s->temperature);
    if (!(s->top_p >= 0 && s->top_p <= 1))
        return t2g_fail(T2G_ERR_ARG, "top_p %g, expected 0 to 1", s->top_p);
    if (s->max_new_tokens == 0 || s->max_new_tokens > UINT32_MAX)
        return t2g_fail(T2G_ERR_ARG, "max_new_tokens %zu, expected 1 to %u",
                        s->max_new_tokens, UINT32_MAX);
    if (s->constraint && s->constraint->vocab_size != j->m->config.vocab_size)
        return t2g_fail(T2G_ERR_ARG, "a constraint for %zu tokens, the model "
                        "has %zu", s->constraint->vocab_size,
                        j->m->config.vocab_size);
    if (s->constraint && s->min_new_tokens)
        return t2g_fail(T2G_ERR_ARG, "min_new_tokens %zu, expected 0: the "
                        "constraint says where a row ends", s->min_new_tokens);
    for (size_t i = 0; i < j->eos_count; i++)
        if (j->eos[i] < 0 || j->eos[i] >= (int64_t)j->m->config.vocab_size)
            return t2g_fail(T2G_ERR_ARG, "end token %lld, the model knows 0 to "
                            "%zu", (long long)j->eos[i],
                            j->m->config.vocab_size - 1);
    j->longest = 1;
    for (size_t r = 0; r < j->prompts->rows; r++) {
        size_t n = prompt_length(j, r);
        if (n == 0)
            return t2g_fail(T2G_ERR_ARG, "prompt %zu has no tokens", r);
        j->longest = n > j->longest ? n : j->longest;
    }
    return T2G_OK;
}

t2g_status t2g_generate(const t2g_model *m, const t2g_batch *prompts,
                        const t2g_sampling *s, uint32_t first_sample,
                        const int64_t *eos, size_t eos_count,
                        t2g_generate_progress_fn *progress, void *context,
                        t2g_generation *out)
{
    job j = {.m = m, .prompts = prompts, .s = s, .first_sample = first_sample,
             .eos = eos, .eos_count = eos_count, .progress = progress,
             .context = context};
    size_t rows = prompts->rows, max = s->max_new_tokens;
    *out = (t2g_generation){0};
    T2G_TRY(check_settings(&j));
    j.produced = t2g_calloc(rows, sizeof *j.produced);
    j.out = t2g_calloc(rows * max, sizeof *j.out);
    j.logprob = t2g_calloc(rows * max, sizeof *j.logprob);
    j.ended = t2g_calloc(rows, 1);
    t2g_status status = j.produced && j.out && j.logprob && j.ended
                            ? T2G_OK : T2G_ERR_MEMORY;
    if (status == T2G_OK) {
        run_workers(&j);
        status = j.status == T2G_OK ? collect(&j, out)
                                    : t2g_fail(j.status, "%s", j.message);
    }
    t2g_free(j.produced);
    t2g_free(j.out);
    t2g_free(j.logprob);
    t2g_free(j.ended);
    return status;
}
