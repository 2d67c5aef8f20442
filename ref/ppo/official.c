/* Rewards of tokens as the released code of [T2G] finds them: words of a
 * critique are matched with tokens by their strings. Kept for comparison; new
 * work aligns by character offsets instead. */
#include <string.h>

#include "t2g/kernels.h"
#include "t2g/memory.h"
#include "t2g/official.h"
#include "t2g/ppo.h"

/* Strings as the matcher compares them. */
typedef struct strings {
    t2g_text *item;
    char **own; /* [count] */
    size_t count;
} strings;

static void free_strings(strings *s)
{
    for (size_t i = 0; s->own && i < s->count; i++)
        t2g_free(s->own[i]);
    t2g_free(s->own);
    t2g_free(s->item);
}

static t2g_status read_strings(strings *s, const char *const *string,
                               size_t count)
{
    *s = (strings){t2g_calloc(count, sizeof *s->item),
                   t2g_calloc(count, sizeof *s->own), count};
    if (!s->item || !s->own)
        return T2G_ERR_MEMORY;
    for (size_t i = 0; i < count; i++) {
        char *lower;
        bool special;
        t2g_status status = t2g_official_token_text(
            &s->own[i], &lower, &special,
            (t2g_text){string[i], strlen(string[i])});
        t2g_free(lower);
        T2G_TRY(status);
        s->item[i] = (t2g_text){s->own[i], strlen(s->own[i])};
    }
    return T2G_OK;
}

static bool any_word(const strings *word)
{
    for (size_t i = 0; i < word->count; i++)
        if (word->item[i].size)
            return true;
    return false;
}

/* Scores of the tokens from `first` on. */
static t2g_status match(float *score, double *skipped, const strings *token,
                        size_t first, const strings *word,
                        const float *word_score, unsigned attempts)
{
    size_t n = token->count - first, given_up = 0;
    double *out = t2g_calloc(n, sizeof *out);
    double *scores = t2g_calloc(word->count, sizeof *scores);
    t2g_status s = out && scores ? T2G_OK : T2G_ERR_MEMORY;
    for (size_t i = 0; s == T2G_OK && i < word->count; i++)
        scores[i] = (double)word_score[i];
    if (s == T2G_OK && any_word(word))
        s = t2g_official_match(out, NULL, &given_up, token->item + first, n,
                               word->item, scores, word->count,
                               attempts == 6 ? T2G_TASK_CODE : T2G_TASK_QA);
    if (s == T2G_OK) {
        memset(score, 0, token->count * sizeof *score);
        for (size_t t = 0; t < n; t++)
            score[first + t] = (float)out[t];
        *skipped = word->count ? (double)given_up / (double)word->count : 0;
    }
    t2g_free(out);
    t2g_free(scores);
    return s;
}

t2g_status t2g_official_token_scores(float *score, size_t *start,
                                     double *skipped, const char *const *token,
                                     size_t tokens, const char *const *word,
                                     const float *word_score, size_t words,
                                     unsigned attempts)
{
    strings t = {0}, w = {0};
    t2g_status s = read_strings(&t, token, tokens);
    if (s == T2G_OK)
        s = read_strings(&w, word, words);
    size_t first = s == T2G_OK ? t2g_official_answer_start(t.item, tokens) : 0;
    if (first == SIZE_MAX)
        s = t2g_fail(T2G_ERR_ARG, "no assistant header among %zu tokens",
                     tokens);
    if (s == T2G_OK)
        s = match(score, skipped, &t, first, &w, word_score, attempts);
    if (s == T2G_OK)
        *start = first;
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
