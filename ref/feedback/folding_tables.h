/* What characters fold to, and decimal digits. */
#ifndef T2G_FOLDING_TABLES_H
#define T2G_FOLDING_TABLES_H

#include <stdint.h>

/* code folds to count code points of the pool from `at`. */
typedef struct t2g_folding_entry {
    uint32_t code;
    uint16_t at, count;
} t2g_folding_entry;

/* All sorted by code. */
extern const uint16_t t2g_folding_count, t2g_zero_count;
extern const t2g_folding_entry t2g_folding[];
extern const uint32_t t2g_folding_pool[];
extern const uint32_t t2g_zero[];     /* zero of each script's digits */

#endif
