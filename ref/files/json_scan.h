/* Reading JSON without building a tree: for members of a size that a tree does
 * not bear. */
#ifndef T2G_JSON_SCAN_H
#define T2G_JSON_SCAN_H

#include "t2g/memory.h"
#include "t2g/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Valid UTF-8; p is where reading goes on. */
typedef struct json_scan {
    const char *begin, *p, *end;
    t2g_buffer text; /* a string with escapes, decoded */
    bool no_memory;  /* why a string was refused */
} json_scan;

/* The character behind whitespace, or 0 at the end. */
char t2g_json_scan_peek(json_scan *s);
/* Takes that character if it is c. */
bool t2g_json_scan_take(json_scan *s, char c);
/* A string; the result lives until the next call, or in the input. False, and p
 * where the fault is, when there is no valid one. */
bool t2g_json_scan_string(json_scan *s, const char **text, size_t *n);
/* An integer from 0 to 2^32 - 1, without fraction or exponent. */
bool t2g_json_scan_u32(json_scan *s, uint32_t *value);
/* Passes over a value of any type, which need not be valid inside. *elements
 * (may be NULL) is how many an array or object seems to have. */
bool t2g_json_scan_skip(json_scan *s, size_t *elements);
/* "line:column" of p. */
void t2g_json_scan_place(const json_scan *s, size_t *line, size_t *column);

#endif
