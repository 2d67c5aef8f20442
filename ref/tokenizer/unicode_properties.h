/* Properties of Unicode 16.0 as ranges of code points. */
#ifndef T2G_TOKENIZER_UNICODE_PROPERTIES_H
#define T2G_TOKENIZER_UNICODE_PROPERTIES_H

#include <stddef.h>
#include <stdint.h>

typedef struct t2g_unicode_range {
    uint32_t first, last;
} t2g_unicode_range;

/* The code points of a property, ascending and apart; NULL for a name that is
 * none of these (the case of letters counts):
 *   a general category, L or Lu, all of them (Cn: unassigned);
 *   a script: Arabic Cyrillic Devanagari Greek Han Hangul Hebrew Hiragana
 *   Katakana Latin Thai;
 *   Word and Space: what \w and \s of Oniguruma match. */
const t2g_unicode_range *t2g_unicode_property(const char *name, size_t *count);

#endif
