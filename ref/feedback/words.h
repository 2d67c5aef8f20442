/* A list of judged words, set against the words of the response. */
#ifndef T2G_WORDS_H
#define T2G_WORDS_H

#include "find.h"
#include "t2g/feedback.h"

/* Where a listed word stands. word: index among the response's words, SIZE_MAX:
 * nowhere. */
typedef struct t2g_word_place {
    size_t word;
    t2g_range at;
} t2g_word_place;

/* out [critique->count]: for each span that is a word. The best alignment of
 * the two sequences: +2 for equal letters and digits, +1 more behind another
 * equal pair, -1 for a listed word without equal, -0.01 for a word passed over
 * between. *too_many: the lists are too long, nothing was placed. */
T2G_CHECK t2g_status t2g_match_words(t2g_word_place *out,
                                     const t2g_critique *critique,
                                     const char *response, size_t n,
                                     bool *too_many);

#endif
