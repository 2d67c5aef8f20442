/* Reading JSON as models write it. Every departure from JSON is one of a list
 * and recorded; nothing is guessed beyond it. */
#ifndef T2G_LOOSE_H
#define T2G_LOOSE_H

#include <stdbool.h>
#include <stddef.h>

#include "t2g/feedback.h"

typedef enum loose_kind { LOOSE_NULL, LOOSE_BOOL, LOOSE_NUMBER, LOOSE_STRING,
                          LOOSE_ARRAY, LOOSE_OBJECT } loose_kind;

/* A value. Unlike a parsed JSON object it keeps equal keys and their order. */
typedef struct t2g_loose {
    loose_kind kind;
    bool truth;    /* BOOL */
    bool integer;  /* NUMBER: written without fraction and exponent */
    bool cut;      /* the text ended inside */
    double number; /* infinite when too large */
    char *text;    /* STRING, followed by a NUL */
    size_t length;
    struct t2g_loose *item; /* ARRAY; OBJECT: key, value, key, value, ... */
    size_t count;           /* of item */
} t2g_loose;

void t2g_loose_free(t2g_loose *v);

typedef struct t2g_loose_reader {
    const char *text; /* text[n] is NUL */
    size_t n, at;
    bool strict;      /* JSON as Python's json module reads it */
    unsigned repairs; /* T2G_REPAIR_... that were needed */
    size_t effort;    /* bytes that may still be looked at */
    /* inner state */
    size_t depth, tuples;
    bool cut;
} t2g_loose_reader;

/* The value at r->at; r->at then stands behind it. T2G_ERR_FORMAT (without a
 * message): there is none, or effort is used up. */
T2G_CHECK t2g_status t2g_loose_read(t2g_loose_reader *r, t2g_loose *out);
/* The same for the value of an object's member: a string of several quotes ends
 * where another key begins. */
T2G_CHECK t2g_status t2g_loose_read_member(t2g_loose_reader *r,
                                           t2g_loose *out);
/* Passes white space and (loose) comments. */
void t2g_loose_skip(t2g_loose_reader *r);

/* The last member of that name, NULL if none (or not an object). */
const t2g_loose *t2g_loose_member(const t2g_loose *object, const char *key);

#endif
