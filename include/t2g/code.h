/** The program in a response: which of its bytes are code, and which bytes of
 * the response a line of that program is. Paper, section 3: the code task's
 * spans are lines of the solution. Nothing here runs anything. */
#ifndef T2G_CODE_H
#define T2G_CODE_H

#include <stdbool.h>
#include <stddef.h>

#include "t2g/memory.h"
#include "t2g/status.h"

/** n bytes of the program from `at` on are those of the response from `from`
 * on. */
typedef struct t2g_code_piece {
    size_t at, from, n;
} t2g_code_piece;

/** A program, and where the response is in it. */
typedef struct t2g_code {
    t2g_buffer text;
    t2g_code_piece *piece; /* in the order of both */
    size_t count;
} t2g_code;

/** Makes the program of a response. Its code is that of its ``` fences marked
 * python, py, python3 or not at all, else of all fences, else the whole of it;
 * blocks are joined by an empty line, an open fence ends with the response. A
 * prompt that itself defines `entry` (HumanEval's) goes in front: directly if
 * the response completes it, on lines of its own if the response defines
 * `entry` again. entry may be NULL: no prompt goes in front. */
T2G_CHECK t2g_status t2g_code_extract(t2g_code *out, t2g_text prompt,
                                      t2g_text response, const char *entry);

/** Bytes [*start, *end) of the response that are lines first..last (from 1) of
 * the program, without the blanks around them; false if no byte of these lines
 * is the response's, or nothing but blanks. */
bool t2g_code_lines(const t2g_code *c, const char *response, size_t first,
                    size_t last, size_t *start, size_t *end);

void t2g_code_free(t2g_code *c);

#endif
