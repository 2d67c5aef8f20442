/* Data of lower.c. */
#ifndef T2G_METRICS_LOWER_H
#define T2G_METRICS_LOWER_H

#include <stddef.h>
#include <stdint.h>

/* first, first + step, ... last become themselves + add. */
typedef struct t2g_lower_run {
    uint32_t first, last, step;
    int32_t add;
} t2g_lower_run;

typedef struct t2g_code_range {
    uint32_t first, last;
} t2g_code_range;

/* Sorted. Cased: has another case or is of one. Ignored: passed over when
 * looking for a cased neighbour (marks, apostrophes, full stops). */
extern const size_t t2g_lower_runs_count, t2g_cased_count, t2g_ignored_count;
extern const t2g_lower_run t2g_lower_runs[];
extern const t2g_code_range t2g_cased[], t2g_ignored[];

#endif
