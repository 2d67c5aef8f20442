/* Rollouts: prompts in, sampled responses with their bytes and byte ranges
 * out. */
#include <string.h>

#include "train_private.h"

void t2g_rollouts_free(t2g_rollouts *r)
{
    t2g_free(r->prompt_id);
    t2g_free(r->prompt_row);
    t2g_free(r->rollout);
    t2g_free(r->offset);
    t2g_free(r->ends);
    t2g_free(r->delta);
    t2g_buffer_free(&r->text);
    t2g_generation_free(&r->generation);
    *r = (t2g_rollouts){0};
}

/* Copies the prompts of samples first .. first+n-1 into one packed batch. */
static t2g_status collect_prompts(t2g_rollouts *r, size_t n, uint64_t first,
                                  t2g_prompt_fn *prompt, void *context)
{
    size_t total = 0, capacity = 0;
    r->prompt_row = t2g_calloc(n + 1, sizeof *r->prompt_row);
    r->rollout = t2g_calloc(n, sizeof *r->rollout);
    if (!r->prompt_row || !r->rollout)
        return T2G_ERR_MEMORY;
    for (size_t k = 0; k < n; k++) {
        const uint32_t *id;
        size_t count;
        T2G_TRY(prompt(context, first + k, &id, &count,
                       &r->rollout[k].prompt_index));
        if (total + count > capacity) {
            size_t more = 2 * (total + count);
            uint32_t *all = t2g_regrow(r->prompt_id, total, more, sizeof *all);
            if (!all)
                return T2G_ERR_MEMORY;
            r->prompt_id = all;
            capacity = more;
        }
        memcpy(r->prompt_id + total, id, count * sizeof *id);
        total += count;
        r->prompt_row[k + 1] = total;
    }
    return T2G_OK;
}

/* Bytes and byte ranges of the sampled ids: never by encoding text again. */
static t2g_status describe(t2g_rollouts *r, const t2g_tokenizer *tok, size_t n)
{
    const t2g_generation *g = &r->generation;
    size_t tokens = g->row[n], at = 0;
    r->offset = t2g_calloc(tokens, 2 * sizeof *r->offset);
    r->ends = t2g_calloc(tokens, sizeof *r->ends);
    r->delta = t2g_calloc(tokens, sizeof *r->delta);
    size_t *text_at = t2g_calloc(n, sizeof *text_at);
    t2g_status s = r->offset && r->ends && r->delta && text_at
                       ? t2g_buffer_puts(&r->text, "") : T2G_ERR_MEMORY;
    for (size_t k = 0; s == T2G_OK && k < n; k++) {
        size_t count = g->row[k + 1] - g->row[k], begin = 0;
        text_at[k] = at = r->text.size;
        s = t2g_tokenizer_decode_bytes(tok, g->id + g->row[k], count, true,
                                       &r->text, r->ends + g->row[k]);
        for (size_t i = 0; s == T2G_OK && i < count; i++) {
            size_t end = r->ends[g->row[k] + i];
            r->offset[2 * (g->row[k] + i)] = begin;
            r->offset[2 * (g->row[k] + i) + 1] = end;
            begin = end;
        }
        r->rollout[k].text_length = r->text.size - at;
    }
    for (size_t k = 0; s == T2G_OK && k < n; k++)
        r->rollout[k].text = r->text.data + text_at[k];
    t2g_free(text_at);
    return s;
}

t2g_status t2g_rollouts_draw(t2g_rollouts *r, const t2g_model *m,
                             const t2g_tokenizer *tok,
                             const t2g_sampling *sampling, size_t n,
                             uint64_t first, t2g_prompt_fn *prompt,
                             void *prompt_context)
{
    const t2g_config *c = &m->config;
    T2G_TRY(collect_prompts(r, n, first, prompt, prompt_context));
    t2g_batch batch = {r->prompt_id, r->prompt_row, n};
    T2G_TRY(t2g_generate(m, &batch, sampling, 0, c->eos_token_id, c->eos_count,
                         NULL, NULL, &r->generation));
    T2G_TRY(describe(r, tok, n));
    const t2g_generation *g = &r->generation;
    for (size_t k = 0; k < n; k++) {
        t2g_rollout *o = &r->rollout[k];
        o->prompt = r->prompt_id + r->prompt_row[k];
        o->prompt_count = r->prompt_row[k + 1] - r->prompt_row[k];
        o->response = g->id + g->row[k];
        o->response_count = g->row[k + 1] - g->row[k];
        o->ended = g->ended[k];
        o->offset = r->offset + 2 * g->row[k];
        o->delta = r->delta + g->row[k];
        o->usable = true;
    }
    r->count = n;
    return T2G_OK;
}
