/* Finding patterns with errors: the edit distance between a pattern and the
 * nearest substring that ends at each place of a text, bit-parallel, several
 * patterns at once (t2g_edit_distance_fn). */
#ifndef T2G_EDIT_DISTANCE_H
#define T2G_EDIT_DISTANCE_H

#include "codes.h"
#include "t2g/kernels.h"

/* Most symbols of a pattern alone, and of one among others: a group takes as
 * many symbols as its patterns together, with rows for its longest. */
enum { T2G_PATTERN_MOST = 8192,
       T2G_PATTERN_SHARED = T2G_PATTERN_MOST / T2G_EDIT_LANES };

typedef struct t2g_patterns {
    t2g_part pattern[T2G_EDIT_LANES];
    size_t lanes, stride;         /* of the arrays: t2g_edit_stride(lanes) */
    size_t words, symbols;        /* symbols: distinct ones and "any other" */
    uint16_t ascii[128];          /* row of a symbol; 0: in no pattern */
    uint32_t *slot_code;          /* hash table of the others */
    uint16_t *slot_row;
    size_t slots;
    uint64_t *match; /* [symbols][words][stride]: where the symbol stands */
    uint64_t *reversed;      /* [symbols][words]: one pattern read backwards, */
    size_t reversed_lane;    /* this one; SIZE_MAX: of none yet */
    uint64_t *state;         /* [2][words][stride] */
    uint16_t *window, *ends; /* [2 * longest]: a piece of the text backwards,
                                and its distances */
} t2g_patterns;

/* 1 to T2G_EDIT_LANES patterns, none empty or too long; they are not copied.
 * Else T2G_ERR_UNSUPPORTED. */
T2G_CHECK t2g_status t2g_patterns_make(t2g_patterns *p,
                                       const t2g_part *pattern, size_t lanes);
void t2g_patterns_free(t2g_patterns *p);

/* The text as rows of symbols, which the functions below take. */
void t2g_patterns_rows(const t2g_patterns *p, uint16_t *row, t2g_part text);

/* distance [n][stride]: at [j][lane] the least number of insertions, deletions
 * and substitutions that turn the lane's pattern into a substring of the text
 * ending after character j. least[lane]: the least of them. */
void t2g_patterns_distances(const t2g_patterns *p, const t2g_kernels *k,
                            const uint16_t *row, size_t n, uint16_t *distance,
                            uint16_t least[T2G_EDIT_LANES]);
/* The smallest start of a substring [start, end) at that distance from a lane's
 * pattern. */
size_t t2g_patterns_start(t2g_patterns *p, const t2g_kernels *k, size_t lane,
                          const uint16_t *row, size_t end, uint16_t distance);

#endif
