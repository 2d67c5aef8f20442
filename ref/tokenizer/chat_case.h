/* Tables of upper, lower and title case. */
#ifndef T2G_CHAT_CASE_H
#define T2G_CHAT_CASE_H

#include <stddef.h>
#include <stdint.h>

/* first, first + step, ..., last each become themselves + delta. */
typedef struct t2g_case_run {
    uint32_t first, last, step;
    int32_t delta;
} t2g_case_run;

/* One character that becomes two or three. */
typedef struct t2g_case_special {
    uint32_t code, becomes[3];
} t2g_case_special;

typedef struct t2g_code_range {
    uint32_t first, last;
} t2g_code_range;

/* title: only where it differs from upper. */
extern const t2g_case_run t2g_case_upper[], t2g_case_lower[], t2g_case_title[];
extern const size_t t2g_case_upper_count, t2g_case_lower_count,
    t2g_case_title_count;
extern const t2g_case_special t2g_special_upper[], t2g_special_lower[],
    t2g_special_title[];
extern const size_t t2g_special_upper_count, t2g_special_lower_count,
    t2g_special_title_count;
extern const t2g_code_range t2g_cased[], t2g_case_ignored[];
extern const size_t t2g_cased_count, t2g_case_ignored_count;

/* Lower case of the character at `at` of n bytes of UTF-8, as Python's str has
 * it: up to three code points; their number. A capital sigma asks its
 * neighbours. */
size_t t2g_lower_at(const char *s, size_t n, size_t at, uint32_t out[3]);

#endif
