/* Finding a quote in a response: a cascade from equal bytes to few errors. */
#ifndef T2G_FIND_H
#define T2G_FIND_H

#include "codes.h"
#include "fold.h"
#include "t2g/kernels.h"
#include "t2g/memory.h"

typedef struct t2g_range {
    size_t begin, end; /* bytes of the response */
} t2g_range;

/* Where a quote occurs, in order. It stays where it is in memory. */
typedef struct t2g_places {
    t2g_range *at, first; /* at: one place needs no memory of its own */
    size_t count, capacity;
    const char *method, *reason; /* static; reason when there is none */
    size_t distance, length; /* edits, and characters they were counted in */
} t2g_places;

/* A quote that only a search with errors can still find: n folded characters of
 * `waiting_codes` from `begin` on. */
typedef struct t2g_waiting {
    t2g_places *out;
    size_t begin, n;
} t2g_waiting;

/* A response prepared for many searches; folded when a quote first needs it.
 * Scratch is kept from quote to quote. */
typedef struct t2g_haystack {
    const char *text;
    size_t n;
    uint32_t *byte; /* [n]: the bytes, as wide as characters */
    bool ready;     /* of the following: */
    t2g_folded folded, skeleton;
    t2g_codes quote;                   /* scratch: its bytes */
    t2g_folded pattern, clean, bones;  /* scratch: folded quotes */
    t2g_waiting *waiting;
    size_t waiting_count, waiting_capacity;
    t2g_codes waiting_codes;
} t2g_haystack;

T2G_CHECK t2g_status t2g_haystack_make(t2g_haystack *h, const char *text,
                                       size_t n);
void t2g_haystack_free(t2g_haystack *h);

/* out starts from {0}; no place is an outcome, with a reason. What only a
 * search with errors can find waits for t2g_find_waiting; out is used until
 * then. */
T2G_CHECK t2g_status t2g_find(t2g_haystack *h, const char *quote, size_t n,
                              t2g_places *out);
/* Finds these, several at once. k NULL: t2g_kernels_select(NULL). */
T2G_CHECK t2g_status t2g_find_waiting(t2g_haystack *h, const t2g_kernels *k);
void t2g_places_free(t2g_places *p);

/* Does byte i of the text lie between two letters or digits? */
bool t2g_inside_word(const char *text, size_t n, size_t i);

#endif
