/* Regular expressions of tokenizer files. Their authors run them on Oniguruma
 * [Onig]; we translate each into an expression for PCRE2 that provably matches
 * the same, every Unicode class spelled out from our own Unicode 16.0 tables,
 * or refuse it. */
#ifndef T2G_TOKENIZER_REGEX_H
#define T2G_TOKENIZER_REGEX_H

#include <stdbool.h>
#include <stddef.h>

#include "t2g/status.h"

/* Immutable: any number of threads may use one. */
typedef struct t2g_regex t2g_regex;

/* What matching needs besides; one a thread, for any expressions. */
typedef struct t2g_regex_scratch t2g_regex_scratch;

/* Compiles n bytes of UTF-8, which may hold NULs. T2G_ERR_FORMAT: not an
 * expression. T2G_ERR_UNSUPPORTED: one, but what it means here is not known to
 * be what it means to Oniguruma, or it is too large. Messages name the
 * expression and the byte. On failure *out is NULL. */
T2G_CHECK t2g_status t2g_regex_compile(t2g_regex **out, const char *pattern,
                                       size_t n);
void t2g_regex_free(t2g_regex *r);

T2G_CHECK t2g_status t2g_regex_scratch_new(t2g_regex_scratch **out);
void t2g_regex_scratch_free(t2g_regex_scratch *s);

/* The leftmost match in text, n bytes of valid UTF-8, that begins at or behind
 * `from`, a character's boundary. Look-arounds and anchors see all of the text
 * and nothing else. T2G_ERR_FORMAT when the expression backtracks beyond all
 * measure: then there is no result, rather than a wrong one. */
T2G_CHECK t2g_status t2g_regex_next(const t2g_regex *r, t2g_regex_scratch *s,
                                    const char *text, size_t n, size_t from,
                                    bool *found, size_t *begin, size_t *end);

/* Where a walk through all matches of a text is; start from {0}. */
typedef struct t2g_regex_walk {
    size_t from; /* the search goes on here */
    size_t end;  /* of the latest match */
    bool matched;
} t2g_regex_walk;

/* The next match of the walk. The rule: each search begins where the latest
 * match ended; an empty match right there does not count, and the search is
 * repeated one character further on. Other empty matches do count. */
T2G_CHECK t2g_status t2g_regex_walk_next(const t2g_regex *r,
                                         t2g_regex_scratch *s,
                                         const char *text, size_t n,
                                         t2g_regex_walk *walk, bool *found,
                                         size_t *begin, size_t *end);

#endif
