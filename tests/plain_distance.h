/* The plain dynamic programme of approximate matching, to check the
 * bit-parallel one against. */
#ifndef T2G_TESTS_PLAIN_DISTANCE_H
#define T2G_TESTS_PLAIN_DISTANCE_H

#include <stddef.h>
#include <stdint.h>

/* A cell: distance, and the smallest start of a substring at it. */
typedef struct cell {
    uint32_t distance;
    size_t start;
} cell;

static inline cell better(cell a, cell b)
{
    if (a.distance != b.distance)
        return a.distance < b.distance ? a : b;
    return a.start < b.start ? a : b;
}

static inline cell worse_by(cell c, uint32_t d)
{
    c.distance += d;
    return c;
}

/* column[i], 0 <= i <= m: the pattern's first i characters against the
 * substrings that end before the text's first character. */
static inline void plain_begin(cell *column, size_t m)
{
    for (size_t i = 0; i <= m; i++)
        column[i] = (cell){(uint32_t)i, 0};
}

/* The same, of those that end after the text's character j. */
static inline void plain_step(cell *column, const uint32_t *pattern, size_t m,
                              uint32_t character, size_t j)
{
    cell diagonal = column[0];
    column[0] = (cell){0, j + 1};
    for (size_t i = 1; i <= m; i++) {
        cell old = column[i];
        cell best = worse_by(diagonal, pattern[i - 1] != character);
        best = better(best, worse_by(old, 1));
        column[i] = better(best, worse_by(column[i - 1], 1));
        diagonal = old;
    }
}

#endif
