/* Finding a pattern with errors: the edit distance between a pattern and the
 * nearest substring that ends at each place of a text, bit-parallel
 * [Myers99] [Hyyro03], any length of pattern. */
#ifndef T2G_EDIT_DISTANCE_H
#define T2G_EDIT_DISTANCE_H

#include <stddef.h>
#include <stdint.h>

#include "t2g/memory.h"

typedef struct t2g_pattern {
    size_t length, words, symbols; /* symbols: distinct ones and "any other" */
    uint16_t ascii[128];           /* row of a symbol; 0: not in the pattern */
    uint32_t *slot_code;           /* hash table of the others */
    uint16_t *slot_row;
    size_t slots;
    uint64_t *match, *reversed; /* [symbols][words]: where the symbol stands */
    uint64_t *state;            /* [2][words] */
} t2g_pattern;

/* 1 <= m <= T2G_PATTERN_MOST; longer ones are T2G_ERR_UNSUPPORTED. */
enum { T2G_PATTERN_MOST = 8192 };
T2G_CHECK t2g_status t2g_pattern_make(t2g_pattern *p, const uint32_t *pattern,
                                      size_t m);
void t2g_pattern_free(t2g_pattern *p);

/* distance[j]: the least number of insertions, deletions and substitutions that
 * turn the pattern into a substring of text ending after text[j]. */
void t2g_pattern_distances(const t2g_pattern *p, const uint32_t *text,
                           size_t n, uint32_t *distance);
/* The smallest start of a substring text[start, end) at that distance. */
size_t t2g_pattern_start(const t2g_pattern *p, const uint32_t *text,
                         size_t end, uint32_t distance);

#endif
