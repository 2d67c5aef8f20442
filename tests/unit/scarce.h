/* An allocator whose memory ends: `left` more allocations succeed. */
#ifndef SCARCE_H
#define SCARCE_H

#include <stdlib.h>

#include "t2g/memory.h"

typedef struct budget {
    size_t left, alive;
} budget;

static void *scarce(void *context, size_t size, size_t align)
{
    budget *b = context;
    if (b->left == 0)
        return NULL;
    b->left--;
    b->alive++;
    return aligned_alloc(align, (size + align - 1) / align * align);
}

static void give_back(void *context, void *pointer)
{
    ((budget *)context)->alive -= pointer != NULL;
    free(pointer);
}

#endif
