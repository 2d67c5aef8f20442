/* Generation with a key/value cache, many rows at once: a row that ends makes
 * place for the next prompt in the same step. What a row yields depends on its own
 * prompt and random stream alone. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model_private.h"

enum { SLOTS = 128 };

void t2g_generation_free(t2g_generation *g)
{
    t2g_free(g->id);
    t2g_free(g->row);
    t2g_free(g->ended);
    t2g_free(g->logprob);
    *g = (t2g_generation){0};
}

/* --- choosing a token ------------------------------------------------------- */

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

/* Removes the least likely tokens whose running probability, in ascending order,
 * stays within 1 - top_p; the last one always remains. */
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

static float largest(const float *z, size_t n)
{
    float m = z[0];
    for (size_t j = 1; j < n; j++)
        m = z[j] > m ? z[j] : m;
    return m;
}

static uint32_t arg_max(const float *z, size_t n)
{
    float m = largest(z, n);
    for (size_t j = 0; j < n; j++)
        if (z[j] == m)
            return (uint32_t)j;
    return 0; /* all NaN: reported by the log-probability */
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
        return arg_max(z, n);
    if (s->temperature != 1) {
        float t = (float)s->temperature;
        for (size_t j = 0; j < n; j++)
            z[j] /= t;
    }
    keep_top_k(z, work, n, s->top_k);
    keep_top_p(k, z, (ranked *)(void *)work, work + 2 * n, n, s->top_p);
    k->exp(z, z, largest(z, n), n);
    return draw(z, n, u);
}

/* --- the rows ------------------------------------------------------------------- */

typedef struct generator {
    const t2g_model *m;
    const t2g_batch *prompts;
    const t2g_sampling *s;
    uint32_t first_sample;
    const int64_t *eos;
    size_t eos_count;
    t2g_activations *acts;
    t2g_kv_cache cache;
    size_t slots;
    size_t *row_in_slot; /* [slots], or NONE */
    size_t *produced;    /* [rows] new tokens so far */
    uint32_t *out;       /* [rows][max_new_tokens] */
    float *logprob;
    uint8_t *ended;
    uint32_t *feed; /* tokens of the current step */
    size_t *source; /* [slots] row of each packed row of the step */
    float *logits;  /* [threads][block] */
    uint32_t *token; /* [slots] chosen */
    float *token_logprob;
    size_t next, done;
    uint64_t tokens;
} generator;

static const size_t NONE = SIZE_MAX;

static size_t prompt_length(const generator *g, size_t r)
{
    return g->prompts->row[r + 1] - g->prompts->row[r];
}

static bool is_eos(const generator *g, uint32_t id)
{
    for (size_t i = 0; i < g->eos_count; i++)
        if (g->eos[i] == (int64_t)id)
            return true;
    return false;
}

/* Fills free slots with waiting prompts and packs what every row feeds: its whole
 * prompt when it is new, else its latest token. */
static size_t pack_step(generator *g, size_t *tokens)
{
    size_t rows = 0;
    *tokens = 0;
    for (size_t slot = 0; slot < g->slots; slot++) {
        if (g->row_in_slot[slot] == NONE && g->next < g->prompts->rows)
            g->row_in_slot[slot] = g->next++;
        size_t r = g->row_in_slot[slot];
        if (r == NONE)
            continue;
        size_t n = g->produced[r], length = prompt_length(g, r);
        t2g_packed_row *p = &g->acts->row[rows];
        *p = (t2g_packed_row){.begin = *tokens, .slot = slot};
        if (n == 0) {
            p->count = length;
            memcpy(g->feed + *tokens, g->prompts->id + g->prompts->row[r],
                   length * sizeof *g->feed);
        } else {
            p->count = 1;
            p->first = length + n - 1;
            g->feed[*tokens] = g->out[r * g->s->max_new_tokens + n - 1];
        }
        *tokens += p->count;
        g->source[rows++] = r;
    }
    return rows;
}

enum { CHOOSE_BLOCK = 16 };

/* Logits of each row's last token, its log-probability of record, the choice. */
static void choose_rows(generator *g, size_t rows)
{
    const t2g_model *m = g->m;
    size_t H = m->config.hidden_size, V = m->config.vocab_size;
    size_t room = CHOOSE_BLOCK * (H + V) + 4 * V;
    size_t blocks = (rows + CHOOSE_BLOCK - 1) / CHOOSE_BLOCK;
#pragma omp parallel for schedule(dynamic) if (blocks > 1)
    for (size_t b = 0; b < blocks; b++) {
        float *z = g->logits + (size_t)t2g_thread_number() * room;
        float *x = z + CHOOSE_BLOCK * V, *work = x + CHOOSE_BLOCK * H;
        float *raw = work + 3 * V;
        size_t i = b * CHOOSE_BLOCK;
        size_t n = rows - i < CHOOSE_BLOCK ? rows - i : CHOOSE_BLOCK;
        for (size_t k = 0; k < n; k++) {
            const t2g_packed_row *p = &g->acts->row[i + k];
            memcpy(x + k * H, g->acts->hidden + (p->begin + p->count - 1) * H,
                   H * sizeof *x);
        }
        m->kernels.matmul(z, V, x, H, m->head->forward, NULL, 0, n, V, H);
        for (size_t k = 0; k < n; k++) {
            float *row = z + k * V;
            size_t r = g->source[i + k], t = g->produced[r];
            float lse = m->kernels.logsumexp(row, V, NULL);
            t2g_stream stream = {g->s->seed, g->first_sample + (uint32_t)r,
                                 g->s->step, T2G_RNG_SAMP};
            memcpy(raw, row, V * sizeof *row);
            if (t < g->s->min_new_tokens)
                for (size_t e = 0; e < g->eos_count; e++)
                    row[g->eos[e]] = -INFINITY;
            uint32_t id = choose(&m->kernels, row, work, V, g->s,
                                 t2g_random_unit(&stream, t));
            g->token[i + k] = id;
            g->token_logprob[i + k] = raw[id] - lse;
        }
    }
}

static t2g_status accept(generator *g, size_t rows)
{
    for (size_t i = 0; i < rows; i++) {
        size_t r = g->source[i], max = g->s->max_new_tokens;
        size_t at = r * max + g->produced[r]++;
        if (!isfinite(g->token_logprob[i]))
            return t2g_fail(T2G_ERR_NUMERIC, "generating row %zu: the "
                            "log-probability of token %zu is not finite", r,
                            g->produced[r] - 1);
        g->out[at] = g->token[i];
        g->logprob[at] = g->token_logprob[i];
        g->tokens++;
        g->ended[r] = is_eos(g, g->token[i]);
        if (g->ended[r] || g->produced[r] == max) {
            g->row_in_slot[g->acts->row[i].slot] = NONE;
            g->done++;
        }
    }
    return T2G_OK;
}

static t2g_status run(generator *g, t2g_generate_progress_fn *progress,
                      void *context)
{
    while (g->done < g->prompts->rows) {
        size_t tokens, rows = pack_step(g, &tokens);
        T2G_TRY(t2g_forward_rows(g->m, g->acts, g->feed, rows, tokens, false,
                                 &g->cache));
        choose_rows(g, rows);
        T2G_TRY(accept(g, rows));
        if (progress)
            T2G_TRY(progress(context, g->done, g->prompts->rows, g->tokens));
    }
    return T2G_OK;
}

static t2g_status allocate(generator *g, size_t longest)
{
    size_t rows = g->prompts->rows, max = g->s->max_new_tokens;
    size_t H = g->m->config.hidden_size, V = g->m->config.vocab_size;
    size_t room = CHOOSE_BLOCK * (H + V) + 4 * V;
    g->slots = rows < SLOTS ? rows : SLOTS;
    T2G_TRY(t2g_activations_new(&g->acts, g->m));
    T2G_TRY(t2g_activations_rows(g->acts, g->slots));
    T2G_TRY(t2g_kv_cache_new(&g->cache, g->m, g->slots, longest + max));
    g->row_in_slot = t2g_calloc(g->slots, sizeof *g->row_in_slot);
    g->produced = t2g_calloc(rows, sizeof *g->produced);
    g->out = t2g_calloc(rows * max, sizeof *g->out);
    g->logprob = t2g_calloc(rows * max, sizeof *g->logprob);
    g->ended = t2g_calloc(rows, 1);
    g->feed = t2g_calloc(g->slots * longest, sizeof *g->feed);
    g->source = t2g_calloc(g->slots, sizeof *g->source);
    g->logits = t2g_calloc((size_t)t2g_threads() * room, sizeof *g->logits);
    g->token = t2g_calloc(g->slots, sizeof *g->token);
    g->token_logprob = t2g_calloc(g->slots, sizeof *g->token_logprob);
    if (!g->row_in_slot || !g->produced || !g->out || !g->logprob ||
        !g->ended || !g->feed || !g->source || !g->logits || !g->token ||
        !g->token_logprob)
        return T2G_ERR_MEMORY;
    for (size_t i = 0; i < g->slots; i++)
        g->row_in_slot[i] = NONE;
    return T2G_OK;
}

static void release(generator *g)
{
    t2g_activations_free(g->acts);
    t2g_kv_cache_free(&g->cache);
    t2g_free(g->row_in_slot);
    t2g_free(g->produced);
    t2g_free(g->out);
    t2g_free(g->logprob);
    t2g_free(g->ended);
    t2g_free(g->feed);
    t2g_free(g->source);
    t2g_free(g->logits);
    t2g_free(g->token);
    t2g_free(g->token_logprob);
}

/* Closes up the rows: responses one behind the other. */
static t2g_status collect(generator *g, t2g_generation *out)
{
    size_t rows = g->prompts->rows, max = g->s->max_new_tokens, n = 0;
    out->row = t2g_calloc(rows + 1, sizeof *out->row);
    if (!out->row)
        return T2G_ERR_MEMORY;
    for (size_t r = 0; r < rows; r++) {
        memmove(g->out + n, g->out + r * max, g->produced[r] * sizeof *g->out);
        memmove(g->logprob + n, g->logprob + r * max,
                g->produced[r] * sizeof *g->logprob);
        n += g->produced[r];
        out->row[r + 1] = n;
    }
    out->id = g->out;
    out->logprob = g->logprob;
    out->ended = g->ended;
    g->out = NULL;
    g->logprob = NULL;
    g->ended = NULL;
    out->rows = rows;
    out->prompt_tokens = g->prompts->row[rows] - g->prompts->row[0];
    return T2G_OK;
}

static t2g_status check_settings(const generator *g, size_t *longest)
{
    const t2g_sampling *s = g->s;
    if (s->do_sample && !(s->temperature > 0))
        return t2g_fail(T2G_ERR_ARG, "temperature %g, expected more than 0; "
                        "for the most likely token do not sample",
                        s->temperature);
    if (!(s->top_p >= 0 && s->top_p <= 1))
        return t2g_fail(T2G_ERR_ARG, "top_p %g, expected 0 to 1", s->top_p);
    if (s->max_new_tokens == 0)
        return t2g_fail(T2G_ERR_ARG, "max_new_tokens is 0");
    for (size_t i = 0; i < g->eos_count; i++)
        if (g->eos[i] < 0 || g->eos[i] >= (int64_t)g->m->config.vocab_size)
            return t2g_fail(T2G_ERR_ARG, "end token %lld, the model knows 0 to "
                            "%zu", (long long)g->eos[i],
                            g->m->config.vocab_size - 1);
    for (size_t r = 0; r < g->prompts->rows; r++) {
        size_t n = prompt_length(g, r);
        if (n == 0)
            return t2g_fail(T2G_ERR_ARG, "prompt %zu has no tokens", r);
        *longest = n > *longest ? n : *longest;
    }
    return T2G_OK;
}

t2g_status t2g_generate(const t2g_model *m, const t2g_batch *prompts,
                        const t2g_sampling *s, uint32_t first_sample,
                        const int64_t *eos, size_t eos_count,
                        t2g_generate_progress_fn *progress, void *context,
                        t2g_generation *out)
{
    generator g = {.m = m, .prompts = prompts, .s = s,
                   .first_sample = first_sample, .eos = eos,
                   .eos_count = eos_count};
    size_t longest = 0;
    *out = (t2g_generation){0};
    T2G_TRY(check_settings(&g, &longest));
    t2g_status status = allocate(&g, longest ? longest : 1);
    if (status == T2G_OK)
        status = run(&g, progress, context);
    if (status == T2G_OK)
        status = collect(&g, out);
    release(&g);
    return status;
}
