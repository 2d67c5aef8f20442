/* A stretch of text on its way to the model. */
#ifndef T2G_TOKENIZER_PIECE_H
#define T2G_TOKENIZER_PIECE_H

#include <stddef.h>

/* Byte i stands for the bytes [base + i, base + i + 1) of the original, or,
 * after a step that rewrote it, [origin[2i], origin[2i+1]). */
typedef struct t2g_piece {
    const char *text;
    size_t n;
    size_t base;
    const size_t *origin; /* NULL: not rewritten */
} t2g_piece;

static inline t2g_piece piece_slice(const t2g_piece *p, size_t begin,
                                    size_t end)
{
    return (t2g_piece){p->text + begin, end - begin, p->base + begin,
                       p->origin ? p->origin + 2 * begin : NULL};
}

/* Original range of bytes begin..end of a piece, begin < end. */
static inline size_t piece_begin(const t2g_piece *p, size_t begin)
{
    return p->origin ? p->origin[2 * begin] : p->base + begin;
}

static inline size_t piece_end(const t2g_piece *p, size_t end)
{
    return p->origin ? p->origin[2 * end - 1] : p->base + end;
}

#endif
