#include "align_official.h"

#include <stdlib.h>
#include <string.h>

const char *const task_names[] = {"sum", "qa", "code", NULL};

/* --- the reply ------------------------------------------------------------ */

/* Every word of a span with the span's score. */
static void append_words(json_t *list, const t2g_span *s)
{
    for (size_t i = 0, n; i < s->length; i += n) {
        n = strcspn(s->text + i, " \t\r\n");
        if (n > 0)
            json_array_append_new(list, json_pack(
                "[o, f]", t2g_json_text(s->text + i, n), s->score));
        n += i + n < s->length;
    }
}

static void append_span(json_t *first, json_t *second, t2g_task task,
                        const t2g_span *s)
{
    if (s->rejected)
        return;
    if (task == T2G_TASK_SUM) {
        append_words(first, s);
        return;
    }
    bool to_first = task == T2G_TASK_QA ? s->score > 0 : s->score < 0;
    bool to_second = task == T2G_TASK_QA ? s->score < 0 : s->score == 0;
    if (to_first || to_second)
        json_array_append_new(to_first ? first : second,
                              t2g_json_text(s->text, s->length));
}

/* The reply that would list what the critique lists. */
static char *reply_of(const t2g_critique *c, t2g_task task)
{
    static const char *const keys[][3] = {
        {"textual_feedback", "word_score_list", "unused"},
        {"textual_feedback", "good_spans", "poor_spans"},
        {"code_feedback", "wrong_code", "improvement_code"}};
    json_t *o = json_object(), *first = json_array(), *second = json_array();
    json_object_set_new(o, keys[task][0],
                        t2g_json_text(c->text ? c->text : "", c->text_length));
    for (size_t i = 0; i < c->count; i++)
        append_span(first, second, task, &c->span[i]);
    json_object_set_new(o, keys[task][1], first);
    if (task != T2G_TASK_SUM)
        json_object_set(o, keys[task][2], second);
    json_decref(second);
    char *text = json_dumps(o, 0);
    json_decref(o);
    return text;
}

/* --- tokens --------------------------------------------------------------- */

/* The strings of begin-of-text, the response's tokens and the end token, which
 * stand around them there. */
typedef struct strings {
    t2g_text *item;
    char **own; /* [tokens] */
    size_t tokens;
} strings;

static void strings_free(strings *s)
{
    for (size_t t = 0; s->own && t < s->tokens; t++)
        t2g_free(s->own[t]);
    t2g_free(s->own);
    t2g_free(s->item);
}

static t2g_status strings_make(strings *s, t2g_text response,
                               const size_t *offset, size_t tokens)
{
    static const t2g_text begin = {"<|begin_of_text|>", 17};
    static const t2g_text end = {"<|eot_id|>", 10};
    *s = (strings){t2g_calloc(tokens + 2, sizeof *s->item),
                   t2g_calloc(tokens, sizeof *s->own), tokens};
    if (!s->item || !s->own)
        return T2G_ERR_MEMORY;
    s->item[0] = begin;
    s->item[tokens + 1] = end;
    for (size_t t = 0; t < tokens; t++) {
        size_t from = offset[2 * t], to = offset[2 * t + 1];
        char *lower;
        bool special;
        t2g_status status = t2g_official_token_text(
            &s->own[t], &lower, &special,
            (t2g_text){response.data + from, to - from});
        t2g_free(lower);
        T2G_TRY(status);
        s->item[t + 1] = from == to ? end
                                    : (t2g_text){s->own[t],
                                                   strlen(s->own[t])};
    }
    return T2G_OK;
}

static t2g_status match_tokens(float *reward, t2g_task task,
                               const t2g_official_words *w, const strings *s)
{
    size_t n = s->tokens + 2, skipped;
    double *score = t2g_calloc(n, sizeof *score);
    t2g_text *word = t2g_calloc(w->count, sizeof *word);
    t2g_status status = score && word ? T2G_OK : T2G_ERR_MEMORY;
    for (size_t i = 0; status == T2G_OK && i < w->count; i++)
        word[i] = (t2g_text){w->word[i], strlen(w->word[i])};
    if (status == T2G_OK)
        status = t2g_official_match(score, NULL, &skipped, s->item, n, word,
                                    w->score, w->count, task);
    for (size_t t = 0; status == T2G_OK && t < s->tokens; t++)
        reward[t] = (float)score[t + 1];
    t2g_free(score);
    t2g_free(word);
    return status;
}

/* A single score gives an error (SUM) or zeros. */
static t2g_status reward_tokens(float *reward, const char **status,
                                t2g_task task, const t2g_official_words *w,
                                t2g_text response, const size_t *offset,
                                size_t tokens)
{
    strings s;
    *status = w->reason ? w->reason : w->status;
    if (w->count == 1 && task == T2G_TASK_SUM)
        *status = "IndexError";
    if (w->count < 2)
        return T2G_OK;
    t2g_status done = strings_make(&s, response, offset, tokens);
    if (done == T2G_OK)
        done = match_tokens(reward, task, w, &s);
    strings_free(&s);
    return done;
}

t2g_status official_rewards(float *reward, const char **status, t2g_task task,
                            const json_t *record, const t2g_critique *critique,
                            t2g_text response, const size_t *offset,
                            size_t tokens)
{
    const json_t *own = json_object_get(record, "reply");
    char *made = json_is_string(own) ? NULL : reply_of(critique, task);
    t2g_text reply = {json_string_value(own), json_string_length(own)};
    t2g_official_words w = {0};
    if (made)
        reply = (t2g_text){made, strlen(made)};
    if (!reply.data)
        return t2g_fail(T2G_ERR_MEMORY, "no memory for a reply");
    for (size_t t = 0; t < tokens; t++)
        reward[t] = 0;
    t2g_status s = t2g_official_reply(&w, task, response, reply);
    if (s == T2G_OK)
        s = reward_tokens(reward, status, task, &w, response, offset, tokens);
    t2g_official_words_free(&w);
    free(made);
    return s;
}
