/* Folding: what a quote may change without becoming another quote. Case, quotes
 * and dashes of any kind, compatibility forms (accents apart, ligatures,
 * full-width), white space, characters without width. */
#ifndef T2G_FOLD_H
#define T2G_FOLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "t2g/memory.h"

/* Folded characters, each with the byte range of the original it came from. */
typedef struct t2g_folded {
    uint32_t *code;
    size_t *begin, *end; /* [size] */
    size_t size, capacity;
} t2g_folded;

/* Folds n bytes. Runs of white space become one blank, none at the ends. Bytes
 * that are not UTF-8 count as U+FFFD each. out starts from {0}, or from an
 * earlier result, whose memory is used again; likewise below. */
T2G_CHECK t2g_status t2g_fold(t2g_folded *out, const char *text, size_t n);
/* What of a folded text is letter or digit, with its ranges. */
T2G_CHECK t2g_status t2g_fold_skeleton(t2g_folded *out, const t2g_folded *f);
void t2g_folded_free(t2g_folded *f);

/* The character at byte i: its length (1 for a byte that is not UTF-8). */
size_t t2g_character_at(const char *text, size_t n, size_t i, uint32_t *code);
/* Letter or number. */
bool t2g_is_word(uint32_t code);
/* Value of a decimal digit of any script, or -1. */
int t2g_decimal(uint32_t code);

/* Bytes of the white space character at i, or 0. */
size_t t2g_space_at(const char *text, size_t n, size_t i);
/* Is the character that byte i belongs to a letter or a digit? */
bool t2g_word_at(const char *text, size_t n, size_t i);

#endif
