/* The state of a translation, and reading the pattern. */
#ifndef T2G_TOKENIZER_REGEX_TRANSLATOR_H
#define T2G_TOKENIZER_REGEX_TRANSLATOR_H

#include <string.h>

#include "regex_private.h"
#include "unicode.h"

enum {
    DEPTH_LIMIT = 100, /* groups or classes within each other */
    GROUPS = 9         /* that can be referred to */
};

typedef struct t2g_group {
    bool usable; /* complete, and not within a look-around */
    uint32_t least;
} t2g_group;

typedef struct t2g_translator {
    const char *pattern;
    size_t n, at;
    t2g_buffer *out;
    unsigned depth, brackets; /* groups and classes we are in */
    bool fold, any; /* (?i), and (?m): the dot matches LF too */
    unsigned around; /* look-arounds we are in */
    bool behind, not_behind; /* in a look-behind; in a negative one */
    uint32_t neighbour; /* the literal just before under (?i), or 0 */
    t2g_group group[GROUPS + 1];
    size_t groups;
    bool consumed; /* on the way here a character may have been taken */
    bool asserted; /* and before one was, there was an assertion */
    bool named, referred; /* has named groups, back-references by number */
    bool atomic;          /* has atomic groups, possessive ones included */
    bool boundaries;      /* \b or \B */
} t2g_translator;

/* --- classes ------------------------------------------------------------- */

/* An escape that stands for one character, from its letter on; at is where its
 * backslash is. */
T2G_CHECK t2g_status t2g_regex_take_escaped(t2g_translator *t, size_t at,
                                            uint32_t *code);
/* \s \d \w \h \p{...} and their opposites, at the backslash. *is is false, and
 * nothing read, for anything else. */
T2G_CHECK t2g_status t2g_regex_take_class_escape(t2g_translator *t,
                                                 t2g_set *set, bool *is);
/* [...] or [^...], at its bracket. */
T2G_CHECK t2g_status t2g_regex_take_class(t2g_translator *t, t2g_set *set);

/* --- reading the pattern ------------------------------------------------- */

static inline t2g_status refuse(const t2g_translator *t, size_t at,
                                const char *why)
{
    return t2g_regex_fail(T2G_ERR_UNSUPPORTED, t->pattern, t->n, at, why);
}

static inline t2g_status wrong(const t2g_translator *t, size_t at,
                               const char *why)
{
    return t2g_regex_fail(T2G_ERR_FORMAT, t->pattern, t->n, at, why);
}

static inline bool at_end(const t2g_translator *t)
{
    return t->at == t->n;
}

/* Whether the pattern goes on with s. */
static inline bool sees(const t2g_translator *t, const char *s)
{
    size_t n = strlen(s);
    return t->n - t->at >= n && memcmp(t->pattern + t->at, s, n) == 0;
}

static inline bool accept(t2g_translator *t, const char *s)
{
    if (!sees(t, s))
        return false;
    t->at += strlen(s);
    return true;
}

/* Not at the end. */
static inline uint32_t take_code(t2g_translator *t)
{
    const unsigned char *s = (const unsigned char *)t->pattern + t->at;
    t->at += utf8_length(s[0]);
    return utf8_decode(s);
}

static inline bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static inline bool is_letter(uint32_t c)
{
    return c < 0x80 && (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
}

#endif
