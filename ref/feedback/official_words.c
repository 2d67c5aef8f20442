/* Words to tokens as released: a greedy comparison of strings. */
#include <math.h>
#include <string.h>

#include "codes.h"
#include "fold.h"
#include "t2g/official.h"

enum { MOST_TOKENS = 9 }; /* that make up one word */

static bool is_special(t2g_part p)
{
    bool word = false;
    for (size_t i = 0; i < p.n; i++)
        word |= t2g_is_word(p.code[i]);
    return !word || p.code[0] == '<';
}

static t2g_status to_string(t2g_part p, char **out)
{
    t2g_buffer b = {0};
    t2g_status s = t2g_codes_encode(p.code, p.n, &b);
    *out = b.data;
    return s;
}

t2g_status t2g_official_token_text(char **text, char **lower, bool *special,
                                   t2g_text bytes)
{
    t2g_codes c = {0}, low = {0};
    *text = *lower = NULL;
    t2g_status s = t2g_codes_decode(&c, bytes.data, bytes.size);
    for (size_t i = 0; i < c.n; i++)
        c.code[i] = c.code[i] == 0x201b ? '\'' : c.code[i];
    t2g_part p = t2g_part_strip(t2g_codes_part(&c, 0, c.n));
    *special = is_special(p);
    if (s == T2G_OK)
        s = t2g_codes_lower(&low, p.code, p.n);
    if (s == T2G_OK)
        s = to_string(p, text);
    if (s == T2G_OK)
        s = to_string(t2g_codes_part(&low, 0, low.n), lower);
    t2g_codes_free(&c);
    t2g_codes_free(&low);
    return s;
}

/* --- the matcher ---------------------------------------------------------- */

/* Strings one after the other. */
typedef struct strings {
    t2g_codes codes;
    size_t *at; /* [count + 1] */
    size_t count;
} strings;

static t2g_part get(const strings *s, size_t i)
{
    return t2g_codes_part(&s->codes, s->at[i], s->at[i + 1]);
}

static void free_strings(strings *s)
{
    t2g_codes_free(&s->codes);
    t2g_free(s->at);
}

static t2g_status read_strings(strings *s, const t2g_text *string,
                               size_t count, bool lower)
{
    t2g_codes one = {0};
    *s = (strings){.at = t2g_calloc(count + 1, sizeof *s->at), .count = count};
    t2g_status status = s->at ? T2G_OK : T2G_ERR_MEMORY;
    for (size_t i = 0; status == T2G_OK && i < count; i++) {
        one.n = 0;
        status = t2g_codes_decode(&one, string[i].data, string[i].size);
        if (status == T2G_OK)
            status = lower ? t2g_codes_lower(&s->codes, one.code, one.n)
                           : t2g_codes_append(&s->codes, one.code, one.n);
        s->at[i + 1] = s->codes.n;
    }
    t2g_codes_free(&one);
    return status;
}

typedef struct matcher {
    strings token, word; /* words lowered */
    t2g_codes lowered;   /* scratch */
} matcher;

/* Do the tokens [q, q + c), lowered together, make the word? */
static t2g_status is_word(matcher *m, size_t q, size_t c, size_t word,
                          bool *same)
{
    t2g_part tokens = t2g_codes_part(&m->token.codes, m->token.at[q],
                                     m->token.at[q + c]);
    t2g_part wanted = get(&m->word, word);
    *same = false;
    if (tokens.n > 3 * wanted.n || wanted.n > 3 * tokens.n)
        return T2G_OK;
    m->lowered.n = 0;
    T2G_TRY(t2g_codes_lower(&m->lowered, tokens.code, tokens.n));
    *same = t2g_part_equal(t2g_codes_part(&m->lowered, 0, m->lowered.n),
                           wanted);
    return T2G_OK;
}

/* Tokens from q on that make the word; 0: none. The last token of all is never
 * one of them. */
static t2g_status hit(matcher *m, size_t q, size_t word, size_t *tokens)
{
    size_t left = m->token.count - q - 1;
    bool same = false;
    size_t c = 0;
    while (!same && c < MOST_TOKENS && c < left)
        T2G_TRY(is_word(m, q, ++c, word, &same));
    *tokens = same ? c : 0;
    return T2G_OK;
}

/* Looks for the word at *q and the next places. *end: the tokens are over. */
static t2g_status search(matcher *m, size_t *q, size_t word, size_t attempts,
                         size_t *tokens, bool *end)
{
    *tokens = 0;
    *end = false;
    for (size_t a = 0; a < attempts; a++, ++*q) {
        T2G_TRY(hit(m, *q, word, tokens));
        *end = *tokens == 0 && *q + 1 == m->token.count;
        if (*tokens || *end)
            return T2G_OK;
    }
    return T2G_OK;
}

static bool is_blank(t2g_part p)
{
    return t2g_part_strip(p).n == 0;
}

static t2g_status give_scores(matcher *m, double *score, size_t *word_of,
                              size_t *skipped, const double *word_score,
                              size_t attempts)
{
    for (size_t k = 0, p = 0; k < m->word.count && p < m->token.count; k++) {
        size_t q = p, tokens;
        bool end;
        if (is_blank(get(&m->word, k)))
            continue;
        T2G_TRY(search(m, &q, k, attempts, &tokens, &end));
        if (end)
            break;
        *skipped += tokens == 0;
        for (size_t t = q; t < q + tokens; t++)
            if (!is_special(get(&m->token, t))) {
                score[t] = word_score[k];
                word_of[t] = k;
            }
        p = tokens ? q + tokens : p;
    }
    return T2G_OK;
}

static bool all_blank(const strings *words)
{
    for (size_t k = 0; k < words->count; k++)
        if (!is_blank(get(words, k)))
            return false;
    return true;
}

t2g_status t2g_official_match(double *score, size_t *word_of, size_t *skipped,
                              const t2g_text *token, size_t tokens,
                              const t2g_text *word, const double *word_score,
                              size_t words, t2g_task task)
{
    matcher m = {0};
    size_t *own = t2g_calloc(tokens, sizeof *own);
    t2g_status s = own ? read_strings(&m.token, token, tokens, false)
                       : T2G_ERR_MEMORY;
    if (s == T2G_OK)
        s = read_strings(&m.word, word, words, true);
    if (s == T2G_OK && tokens && all_blank(&m.word))
        s = t2g_fail(T2G_ERR_ARG, "no word among %zu, for %zu tokens", words,
                     tokens);
    *skipped = 0;
    for (size_t t = 0; s == T2G_OK && t < tokens; t++) {
        score[t] = 0;
        own[t] = SIZE_MAX;
    }
    if (s == T2G_OK)
        s = give_scores(&m, score, own, skipped, word_score,
                        task == T2G_TASK_CODE ? 6 : 5);
    if (s == T2G_OK && word_of)
        memcpy(word_of, own, tokens * sizeof *own);
    t2g_free(own);
    t2g_codes_free(&m.lowered);
    free_strings(&m.token);
    free_strings(&m.word);
    return s;
}

/* --- a whole row ---------------------------------------------------------- */

static bool is_text(t2g_text s, const char *text)
{
    return s.size == strlen(text) && memcmp(s.data, text, s.size) == 0;
}

size_t t2g_official_answer_start(const t2g_text *token, size_t tokens)
{
    for (size_t i = 0; i + 2 < tokens; i++) {
        if (!is_text(token[i], "<|start_header_id|>") ||
            !is_text(token[i + 1], "assistant") ||
            !is_text(token[i + 2], "<|end_header_id|>"))
            continue;
        for (i += 3; i < tokens && token[i].size == 0;)
            i++;
        return i;
    }
    return SIZE_MAX;
}

/* One score becomes a number without dimension: SLF5K raises, the others give
 * zeros, as they do for none. */
static bool is_degenerate(size_t words, t2g_task task)
{
    return words == 1 || (words == 0 && task != T2G_TASK_SUM);
}

t2g_status t2g_official_rematch(double *score, size_t *answer, double *share,
                                const t2g_text *token, size_t tokens,
                                const t2g_text *word,
                                const double *word_score, size_t words,
                                t2g_task task)
{
    size_t skipped = 0, first = t2g_official_answer_start(token, tokens);
    *answer = first;
    *share = 0;
    for (size_t t = 0; t < tokens; t++)
        score[t] = 0;
    if (is_degenerate(words, task))
        return task == T2G_TASK_SUM
                   ? t2g_fail(T2G_ERR_ARG, "a single word's score")
                   : T2G_OK;
    if (first == SIZE_MAX)
        return t2g_fail(T2G_ERR_ARG, "no assistant header among %zu tokens",
                        tokens);
    T2G_TRY(t2g_official_match(score + first, NULL, &skipped, token + first,
                               tokens - first, word, word_score, words, task));
    *share = (double)skipped / (double)words;
    for (size_t t = first; t < tokens; t++)
        score[t] = (double)(float)score[t];
    return T2G_OK;
}
