/* One response with two critiques of it, for metrics of feedback. */
#ifndef EVAL_FEEDBACK_H
#define EVAL_FEEDBACK_H

#include "eval.h"

enum { PREDICTED, TRUE_ONE, SIDES };

/* Both critiques as rewards of the response's units: its words, or the tokens
 * of a tokenizer. */
typedef struct two_critiques {
    t2g_text response;
    t2g_critique critique[SIDES];
    t2g_encoding units;
    float *delta[SIDES]; /* [units.count] */
    size_t unmatched[SIDES], ambiguous[SIDES], placements[SIDES],
        conflicts[SIDES];
} two_critiques;

/* Records i of both files; tok NULL: words. To be freed, failed or not. */
T2G_CHECK t2g_status two_critiques_read(two_critiques *c, const evaluation *e,
                                        size_t i, const t2g_tokenizer *tok);
void two_critiques_free(two_critiques *c);
/* T2G_ERR_ARG without a second file. */
T2G_CHECK t2g_status need_second_file(const evaluation *e);

#endif
