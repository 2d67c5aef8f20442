/* Folding: what a quote may change without becoming another quote. Narrower
 * than full Unicode: case of ASCII, Latin, Greek and Cyrillic letters one to
 * one, no compatibility decomposition, so that accents, ligatures and
 * full-width digits must be quoted as they are. */
#ifndef T2G_FOLD_H
#define T2G_FOLD_H

#include <stdbool.h>
#include <stddef.h>

#include "t2g/memory.h"

/* Folded bytes, each with the byte range of the original it came from. */
typedef struct t2g_folded {
    char *text;
    size_t *begin, *end; /* [size] */
    size_t size;
} t2g_folded;

/* Lower case; curly and other quotes, dashes and the ellipsis as in ASCII;
 * zero-width characters removed; runs of white space one blank, none at the
 * ends. Never longer than the text. */
T2G_CHECK t2g_status t2g_fold(t2g_folded *out, const char *text, size_t n);
void t2g_folded_free(t2g_folded *f);

/* Bytes of the white space character at i, or 0. */
size_t t2g_space_at(const char *text, size_t n, size_t i);
/* Is the character that byte i belongs to a letter or a digit? */
bool t2g_word_at(const char *text, size_t n, size_t i);

#endif
