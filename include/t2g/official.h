/** The profile "official": critiques become token rewards as in the released
 * code of [T2G], its faults included, so that runs can be compared with it.
 * Texts are UTF-8; offsets and lengths here are in code points, as there. New
 * work uses feedback.h. */
#ifndef T2G_OFFICIAL_H
#define T2G_OFFICIAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "t2g/memory.h"
#include "t2g/status.h"

typedef enum t2g_task { T2G_TASK_SUM, T2G_TASK_QA, T2G_TASK_CODE } t2g_task;

/* --- sequence matcher: Python's difflib [Ratcliff, Obershelp] ------------- */

typedef struct t2g_block {
    size_t a, b, size;
} t2g_block;

typedef struct t2g_matching {
    double ratio;      /* 2 * matching / (|a| + |b|) */
    t2g_block longest; /* over the whole */
    t2g_block *block;  /* [count], the closing one of size 0 included */
    size_t count;
} t2g_matching;

/** autojunk: characters that make up more than one percent of a b of at least
 * 200 are not looked up. out needs t2g_matching_free. T2G_ERR_UNSUPPORTED: texts
 * that repeat so much that comparing them takes more than 2^32 steps. */
T2G_CHECK t2g_status t2g_sequence_match(t2g_matching *out, t2g_text a,
                                        t2g_text b, bool autojunk);
void t2g_matching_free(t2g_matching *m);

/* --- spans to words ------------------------------------------------------- */

/** Where a span was put; start == end == SIZE_MAX: nowhere. */
typedef struct t2g_official_place {
    size_t start, end;
} t2g_official_place;

/** The fuzzy finder of a task (QA or CODE) at a threshold. */
T2G_CHECK t2g_status t2g_official_find(t2g_official_place *out, t2g_task task,
                                       t2g_text text, t2g_text span,
                                       double threshold);

/** Scores of the response's words (runs without white space): first and second
 * are good and poor spans (QA), wrong and improvable code (CODE). *scores
 * [*words] is the caller's (t2g_free). place (may be NULL) [firsts + seconds]:
 * where QA put each. */
T2G_CHECK t2g_status t2g_official_word_scores(
    double **scores, size_t *words, t2g_task task, t2g_text response,
    const t2g_text *first, size_t firsts, const t2g_text *second,
    size_t seconds, t2g_official_place *place);

/* --- reply to words ------------------------------------------------------- */

/** What the driver makes of one reply. */
typedef struct t2g_official_words {
    const char *status; /* static: "success", "failed", "error" */
    const char *reason; /* static: "too_short", "no_words", or the exception */
    char **word;        /* [count]; NUL-terminated copies */
    double *score;      /* [count] */
    size_t count;
} t2g_official_words;

T2G_CHECK t2g_status t2g_official_reply(t2g_official_words *out, t2g_task task,
                                        t2g_text response, t2g_text reply);
void t2g_official_words_free(t2g_official_words *w);

/* --- words to tokens ------------------------------------------------------ */

/** The string that stands for one token's bytes (invalid parts become U+FFFD,
 * stripped, U+201B an apostrophe), and the same in lower case. Both are the
 * caller's (t2g_free). *special: it never gets a score: it begins with "<" or
 * has no letter and no number. */
T2G_CHECK t2g_status t2g_official_token_text(char **text, char **lower,
                                             bool *special, t2g_text bytes);

/** Matches words with tokens (strings as above, not lowered). score [tokens];
 * word_of [tokens] (may be NULL): index of the word, SIZE_MAX where there is no
 * score; *skipped: words given up. T2G_ERR_ARG: words are all blank, which
 * raises there. */
T2G_CHECK t2g_status t2g_official_match(double *score, size_t *word_of,
                                        size_t *skipped,
                                        const t2g_text *token, size_t tokens,
                                        const t2g_text *word,
                                        const double *word_score, size_t words,
                                        t2g_task task);
/** Index of the first token with a string behind "<|start_header_id|>",
 * "assistant", "<|end_header_id|>"; tokens: there is none behind; SIZE_MAX: no
 * such header. */
size_t t2g_official_answer_start(const t2g_text *token, size_t tokens);
/** The same for a whole row, prompt and padding included: *answer is the index
 * of the first token of the answer. *share: of the words, those given up.
 * T2G_ERR_ARG where the code raises. */
T2G_CHECK t2g_status t2g_official_rematch(double *score, size_t *answer,
                                          double *share,
                                          const t2g_text *token,
                                          size_t tokens, const t2g_text *word,
                                          const double *word_score,
                                          size_t words, t2g_task task);

#endif
