/* Rewards of tokens as the released code of [T2G] finds them: words of a
 * critique are matched with tokens by their strings. Kept for comparison; new
 * work aligns by character offsets instead. */
#include <string.h>

#include "t2g/kernels.h"
#include "t2g/memory.h"
#include "t2g/ppo.h"
#include "text.h"

enum { LONGEST_MATCH = 9 }; /* tokens */

/* Appends s stripped, ASCII in lower case, U+201B as an apostrophe; a NUL. */
static t2g_status append_normal(t2g_buffer *out, const char *s)
{
    size_t n = strlen(s), begin = out->size, used = begin, length;
    for (size_t i = 0; i < n; i += length) {
        uint32_t c = next_character(s + i, n - i, &length);
        char lower = (char)(c | 0x20);
        if (white_space(c) && out->size == begin)
            continue;
        if (c == 0x201b)
            T2G_TRY(t2g_buffer_append(out, "'", 1));
        else if (c >= 'A' && c <= 'Z')
            T2G_TRY(t2g_buffer_append(out, &lower, 1));
        else
            T2G_TRY(t2g_buffer_append(out, s + i, length));
        if (!white_space(c))
            used = out->size;
    }
    out->size = used;
    return t2g_buffer_append(out, "", 1);
}

/* `count` normalised strings, one after the other. */
typedef struct strings {
    t2g_buffer text;
    size_t *at; /* [count] */
} strings;

static t2g_status normalise(strings *s, const char *const *string, size_t count)
{
    s->at = t2g_calloc(count, sizeof *s->at);
    if (!s->at)
        return T2G_ERR_MEMORY;
    for (size_t i = 0; i < count; i++) {
        s->at[i] = s->text.size;
        T2G_TRY(append_normal(&s->text, string[i]));
    }
    return T2G_OK;
}

static void free_strings(strings *s)
{
    t2g_buffer_free(&s->text);
    t2g_free(s->at);
}

static const char *get(const strings *s, size_t i)
{
    return s->text.data + s->at[i];
}

/* The first token with a string behind the assistant's header; `tokens` when
 * the header is the end, SIZE_MAX without a header. */
static size_t answer_start(const strings *token, size_t tokens)
{
    for (size_t i = 0; i + 2 < tokens; i++) {
        if (strcmp(get(token, i), "<|start_header_id|>") != 0 ||
            strcmp(get(token, i + 1), "assistant") != 0 ||
            strcmp(get(token, i + 2), "<|end_header_id|>") != 0)
            continue;
        for (i += 3; i < tokens && !*get(token, i);)
            i++;
        return i;
    }
    return SIZE_MAX;
}

/* Number of tokens from t on that make up the word; 0: none do. The last token
 * of the row is never the end of a match. */
static size_t match(const strings *token, size_t tokens, size_t t,
                    const char *word)
{
    for (size_t i = 1; i <= LONGEST_MATCH && t + i < tokens; i++) {
        const char *piece = get(token, t + i - 1);
        size_t length = strlen(piece);
        if (strncmp(word, piece, length) != 0)
            return 0;
        word += length;
        if (!*word)
            return i;
    }
    return 0;
}

/* Looks for the word at *t and the next tokens; moves *t to the match. */
static size_t search(const strings *token, size_t tokens, size_t *t,
                     const char *word, unsigned attempts)
{
    for (unsigned a = 0; a < attempts && *t < tokens; a++, ++*t) {
        size_t length = match(token, tokens, *t, word);
        if (length)
            return length;
    }
    return 0;
}

static bool is_text(const char *token)
{
    size_t n = strlen(token), length;
    if (*token == '<')
        return false;
    for (size_t i = 0; i < n; i += length)
        if (unicode_class(next_character(token + i, n - i, &length)) &
            (CLASS_L | CLASS_N))
            return true;
    return false;
}

/* Writes the scores of matched tokens; returns the number of words given up. */
static size_t give_scores(float *score, const strings *token, size_t tokens,
                          size_t t, const strings *word,
                          const float *word_score, size_t words,
                          unsigned attempts)
{
    size_t given_up = 0;
    for (size_t w = 0; w < words && t < tokens; w++) {
        size_t at = t;
        if (!*get(word, w))
            continue;
        size_t length = search(token, tokens, &at, get(word, w), attempts);
        if (!length && at == tokens) /* the code stops here, and so do we */
            break;
        if (!length) {
            given_up++;
            continue;
        }
        for (t = at; t < at + length; t++)
            score[t] = is_text(get(token, t)) ? word_score[w] : 0;
    }
    return given_up;
}

t2g_status t2g_official_token_scores(float *score, size_t *start,
                                     double *skipped, const char *const *token,
                                     size_t tokens, const char *const *word,
                                     const float *word_score, size_t words,
                                     unsigned attempts)
{
    strings t = {0}, w = {0};
    t2g_status s = normalise(&t, token, tokens);
    if (s == T2G_OK)
        s = normalise(&w, word, words);
    size_t first = s == T2G_OK ? answer_start(&t, tokens) : 0;
    if (first == SIZE_MAX)
        s = t2g_fail(T2G_ERR_ARG, "no assistant header among %zu tokens",
                     tokens);
    if (s == T2G_OK) {
        memset(score, 0, tokens * sizeof *score);
        size_t given_up = give_scores(score, &t, tokens, first, &w, word_score,
                                      words, attempts);
        *start = first;
        *skipped = words ? (double)given_up / (double)words : 0;
    }
    free_strings(&t);
    free_strings(&w);
    return s;
}

void t2g_length_weight(double *weight, const float *score, size_t n,
                       double alpha, double length)
{
    size_t first = 0;
    while (first < n && score[first] == 0)
        first++;
    if (first == n)
        first = 0;
    for (size_t i = 0; i < n; i++) {
        double x = alpha * ((double)(i - first + 1) - length) - 6;
        x = x < -10 ? -10 : x > 6 ? 6 : x;
        weight[i] = i < first ? 1 : 1 / (1 + t2g_exp(x));
    }
}
