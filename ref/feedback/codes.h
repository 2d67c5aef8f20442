/* Strings as code points, with what Python's str does to them. */
#ifndef T2G_CODES_H
#define T2G_CODES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "t2g/memory.h"

typedef struct t2g_codes {
    uint32_t *code;
    size_t n, capacity;
} t2g_codes;

void t2g_codes_free(t2g_codes *c);
T2G_CHECK t2g_status t2g_codes_append(t2g_codes *c, const uint32_t *code,
                                      size_t n);
/* Appends bytes as they are. */
T2G_CHECK t2g_status t2g_codes_widen(t2g_codes *c, const char *bytes,
                                     size_t n);
T2G_CHECK t2g_status t2g_codes_add(t2g_codes *c, uint32_t code);
/* Appends decoded bytes; each maximal part that is not UTF-8 is U+FFFD. */
T2G_CHECK t2g_status t2g_codes_decode(t2g_codes *c, const char *bytes,
                                      size_t n);
/* Appends str.lower() of a string. */
T2G_CHECK t2g_status t2g_codes_lower(t2g_codes *c, const uint32_t *code,
                                     size_t n);
T2G_CHECK t2g_status t2g_codes_encode(const uint32_t *code, size_t n,
                                      t2g_buffer *out);

/* A part of a string. */
typedef struct t2g_part {
    const uint32_t *code;
    size_t n;
} t2g_part;

t2g_part t2g_codes_part(const t2g_codes *c, size_t begin, size_t end);
t2g_part t2g_part_strip(t2g_part p);
bool t2g_part_equal(t2g_part a, t2g_part b);
/* str.find from `from` on; SIZE_MAX: none. */
size_t t2g_part_find(t2g_part text, t2g_part what, size_t from);
/* The next word of str.split() from *at on, which moves behind it; false: no
 * more. */
bool t2g_part_word(t2g_part text, size_t *at, t2g_part *word);
size_t t2g_part_words(t2g_part text);

#endif
