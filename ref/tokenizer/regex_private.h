/* What the parts of the regular expressions share. */
#ifndef T2G_TOKENIZER_REGEX_PRIVATE_H
#define T2G_TOKENIZER_REGEX_PRIVATE_H

#include "regex.h"
#include "t2g/memory.h"
#include "unicode_properties.h"

/* --- sets of code points ------------------------------------------------- */

/* Start from {0}. Ranges are in order and apart after t2g_set_settle only. */
typedef struct t2g_set {
    t2g_unicode_range *range;
    size_t count, capacity;
} t2g_set;

T2G_CHECK t2g_status t2g_set_add(t2g_set *s, uint32_t first, uint32_t last);
T2G_CHECK t2g_status t2g_set_add_ranges(t2g_set *s, const t2g_unicode_range *r,
                                        size_t count);
/* A property that t2g_unicode_property knows. */
T2G_CHECK t2g_status t2g_set_add_property(t2g_set *s, const char *name);
void t2g_set_settle(t2g_set *s);
/* These settle their arguments. */
T2G_CHECK t2g_status t2g_set_complement(t2g_set *s);
T2G_CHECK t2g_status t2g_set_intersect(t2g_set *s, t2g_set *other);
bool t2g_set_meets(t2g_set *s, t2g_set *other);
T2G_CHECK t2g_status t2g_set_covers(t2g_set *s, t2g_set *other, bool *covers);
/* Writes the set as an item of PCRE2, one character long. */
T2G_CHECK t2g_status t2g_set_write(t2g_set *s, t2g_buffer *out);
void t2g_set_free(t2g_set *s);

/* --- letters that differ in case only ------------------------------------ */

/* Adds what (?i) adds to a bracket class. *known is false, and the set as it
 * was, when that is not known. A negated class knows no foldings to more than
 * one character. */
T2G_CHECK t2g_status t2g_set_fold(t2g_set *s, bool negated, bool *known);
/* Whether a code point outside ASCII may have partners in case. */
T2G_CHECK t2g_status t2g_code_has_case(uint32_t code, bool *has);
/* Whether the two in a row may match one character under (?i), as "ss" does
 * with U+00DF; true when in doubt. */
bool t2g_pair_may_fold(uint32_t first, uint32_t second);

/* --- translation --------------------------------------------------------- */

/* Appends the equivalent expression for PCRE2 to out, to be compiled with
 * PCRE2_UTF, PCRE2_MULTILINE and PCRE2_DOTALL and LF as the newline. *atomic:
 * it has atomic groups. */
T2G_CHECK t2g_status t2g_regex_translate(t2g_buffer *out, const char *pattern,
                                         size_t n, bool *atomic);

/* Records "regular expression '...'[, byte B]: why"; at may be
 * T2G_NO_POSITION. */
#define T2G_NO_POSITION ((size_t)-1)
t2g_status t2g_regex_fail(t2g_status s, const char *pattern, size_t n,
                          size_t at, const char *why);

#endif
