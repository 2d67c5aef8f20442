/* Sequence matcher: the longest common block, then the same left and right of
 * it. */
#ifndef T2G_DIFFLIB_H
#define T2G_DIFFLIB_H

#include "codes.h"
#include "t2g/official.h"

/* The second string, prepared for many first ones. */
typedef struct t2g_matcher {
    t2g_part b;
    uint32_t *symbol; /* [symbols], rising: characters that are looked up */
    size_t *first;    /* [symbols + 1]: their places in `place` */
    size_t *place;    /* rising for each symbol */
    size_t symbols;
    size_t *run, *row; /* [2 * (b.n + 1)]: lengths of runs ending there, and the
                          row they are of */
    size_t rows;       /* number of the latest row */
    uint64_t steps;    /* so far */
} t2g_matcher;

T2G_CHECK t2g_status t2g_matcher_make(t2g_matcher *m, t2g_part b,
                                      bool autojunk);
void t2g_matcher_free(t2g_matcher *m);
t2g_block t2g_matcher_longest(t2g_matcher *m, t2g_part a, size_t a_begin,
                              size_t a_end, size_t b_begin, size_t b_end);
/* Ratio, and the size of the largest block (may be NULL). */
T2G_CHECK t2g_status t2g_matcher_ratio(t2g_matcher *m, t2g_part a,
                                       double *ratio, size_t *largest);
T2G_CHECK t2g_status t2g_matcher_blocks(t2g_matcher *m, t2g_part a,
                                        t2g_matching *out);

#endif
