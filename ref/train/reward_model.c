/* The generative reward model: a language model that reads a prompt and a
 * response and writes a critique with the phrases it found good and poor
 * [T2G]. */
#include <string.h>

#include "train_private.h"

/* --- sequences ------------------------------------------------------------ */

t2g_status t2g_encode_prompt(const t2g_tokenizer *t, const char *text, size_t n,
                             t2g_encoding *out)
{
    size_t at = out->count;
    int64_t bos = t2g_tokenizer_bos(t);
    T2G_TRY(t2g_tokenizer_encode(t, text, n, T2G_ENCODE_TEMPLATE, out));
    bool wanted = bos >= 0 && bos != t2g_tokenizer_eos(t);
    if (!wanted || (out->count > at && out->id[at] == (uint32_t)bos))
        return T2G_OK;
    T2G_TRY(t2g_encoding_insert(out, at, 1));
    out->id[at] = (uint32_t)bos;
    return T2G_OK;
}

t2g_status t2g_encode_example(const t2g_tokenizer *t, const char *prompt,
                              size_t prompt_n, const char *completion, size_t n,
                              t2g_encoding *work, t2g_example *out)
{
    int64_t eos = t2g_tokenizer_eos(t);
    work->count = 0;
    T2G_TRY(t2g_encode_prompt(t, prompt, prompt_n, work));
    size_t prompt_count = work->count;
    T2G_TRY(t2g_tokenizer_encode(t, completion, n, 0, work));
    if (eos >= 0)
        T2G_TRY(t2g_encoding_add(work, (uint32_t)eos, 0, 0));
    *out = (t2g_example){work->id, work->count, prompt_count, NULL};
    return T2G_OK;
}

/* --- the reward model's texts --------------------------------------------- */

static bool blank(char c)
{
    return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

t2g_status t2g_reward_prompt(const char *prompt, size_t prompt_n,
                             const char *response, size_t n, t2g_buffer *out)
{
    bool apart = prompt_n == 0 || n == 0 || blank(prompt[prompt_n - 1]) ||
                 blank(response[0]);
    T2G_TRY(t2g_buffer_append(out, prompt, prompt_n));
    T2G_TRY(t2g_buffer_puts(out, apart ? "" : " "));
    T2G_TRY(t2g_utf8_append(out, response, n));
    return t2g_buffer_puts(out, "\nCRITIQUE:");
}

t2g_status t2g_reward_example(const t2g_tokenizer *t, const char *prompt,
                              size_t prompt_n, const char *response, size_t n,
                              const t2g_critique *critique, t2g_encoding *work,
                              t2g_example *out)
{
    t2g_buffer text = {0}, reply = {0};
    t2g_status s = t2g_reward_prompt(prompt, prompt_n, response, n, &text);
    if (s == T2G_OK)
        s = t2g_buffer_puts(&reply, " ");
    if (s == T2G_OK)
        s = t2g_critique_format(critique, &reply);
    if (s == T2G_OK)
        s = t2g_encode_example(t, text.data, text.size, reply.data, reply.size,
                               work, out);
    t2g_buffer_free(&text);
    t2g_buffer_free(&reply);
    return s;
}

/* --- judging -------------------------------------------------------------- */

static t2g_status encode_all(const t2g_tokenizer *t, const t2g_judgement *j,
                             size_t n, t2g_encoding *ids, size_t *row)
{
    t2g_buffer text = {0};
    t2g_status s = T2G_OK;
    for (size_t i = 0; s == T2G_OK && i < n; i++) {
        text.size = 0;
        s = t2g_reward_prompt(j[i].prompt, j[i].prompt_length, j[i].response,
                              j[i].response_length, &text);
        if (s == T2G_OK)
            s = t2g_encode_prompt(t, text.data, text.size, ids);
        row[i + 1] = ids->count;
    }
    t2g_buffer_free(&text);
    return s;
}

static t2g_status read_replies(const t2g_tokenizer *t, const t2g_generation *g,
                               t2g_judgement *j, size_t n)
{
    t2g_buffer reply = {0};
    t2g_status s = T2G_OK;
    for (size_t i = 0; s == T2G_OK && i < n; i++) {
        reply.size = 0;
        s = t2g_tokenizer_decode_bytes(t, g->id + g->row[i],
                                       g->row[i + 1] - g->row[i], true, &reply,
                                       NULL);
        if (s == T2G_OK)
            s = t2g_critique_parse(&j[i].critique,
                                   reply.data ? reply.data : "", reply.size);
    }
    t2g_buffer_free(&reply);
    return s;
}

static t2g_status follow(const t2g_reply_grammar *grammar,
                         const t2g_judgement *j, size_t n, size_t most_tokens,
                         t2g_reply_rows **out)
{
    t2g_text *response = t2g_calloc(n, sizeof *response);
    if (!response)
        return T2G_ERR_MEMORY;
    for (size_t i = 0; i < n; i++)
        response[i] = (t2g_text){j[i].response, j[i].response_length};
    t2g_status s = t2g_reply_rows_new(out, grammar, response, n, most_tokens);
    t2g_free(response);
    return s;
}

t2g_status t2g_reward_judge(const t2g_model *rm, const t2g_tokenizer *t,
                            const t2g_reply_grammar *grammar, t2g_judgement *j,
                            size_t n, const t2g_sampling *sampling,
                            t2g_generate_progress_fn *progress, void *context)
{
    t2g_encoding ids = {0};
    t2g_generation g = {0};
    t2g_reply_rows *replies = NULL;
    t2g_sampling free_or_not = *sampling;
    size_t *row = t2g_calloc(n + 1, sizeof *row);
    t2g_status s = row ? encode_all(t, j, n, &ids, row) : T2G_ERR_MEMORY;
    t2g_batch batch = {ids.id, row, n};
    if (s == T2G_OK && grammar)
        s = follow(grammar, j, n, sampling->max_new_tokens, &replies);
    if (replies)
        free_or_not.constraint = t2g_reply_rows_constraint(replies);
    if (s == T2G_OK && n)
        s = t2g_generate(rm, &batch, &free_or_not, 0, rm->config.eos_token_id,
                         rm->config.eos_count, progress, context, &g);
    if (s == T2G_OK && n)
        s = read_replies(t, &g, j, n);
    t2g_reply_rows_free(replies);
    t2g_generation_free(&g);
    t2g_encoding_free(&ids);
    t2g_free(row);
    return s;
}

/* --- agreement ------------------------------------------------------------ */

void t2g_label_count(t2g_label_counts *c, const float *predicted,
                     const float *actual, size_t tokens)
{
    for (size_t i = 0; i < tokens; i++)
        for (int label = 0; label < 2; label++) {
            float sign = label == 0 ? 1 : -1;
            bool p = sign * predicted[i] > 0, a = sign * actual[i] > 0;
            c->hit[label] += p && a;
            c->predicted[label] += p;
            c->actual[label] += a;
        }
}

void t2g_label_scores(const t2g_label_counts *c, int label, double *precision,
                      double *recall, double *f1)
{
    double hit = (double)c->hit[label];
    double p = c->predicted[label] ? hit / (double)c->predicted[label] : 0;
    double r = c->actual[label] ? hit / (double)c->actual[label] : 0;
    *precision = p;
    *recall = r;
    *f1 = p + r > 0 ? 2 * p * r / (p + r) : 0;
}
