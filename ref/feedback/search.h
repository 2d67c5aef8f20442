/* Every occurrence of a sequence in a text, fast on ordinary ones and linear on
 * all. */
#ifndef T2G_SEARCH_H
#define T2G_SEARCH_H

#include "codes.h"

typedef struct t2g_search {
    t2g_part text, pattern;
    size_t at;          /* end of the window, or next character */
    size_t effort;      /* characters that windows may still compare */
    uint8_t shift[256]; /* of a window that ends with a pair of this hash */
    uint8_t again;      /* of one that was compared */
    size_t *border, matched; /* when effort is used up */
} t2g_search;

/* From text.code[from] on. */
void t2g_search_begin(t2g_search *s, t2g_part text, size_t from,
                      t2g_part pattern);
/* The start of the next occurrence, which may overlap the one before;
 * SIZE_MAX: no more. */
T2G_CHECK t2g_status t2g_search_next(t2g_search *s, size_t *start);
void t2g_search_end(t2g_search *s);

#endif
