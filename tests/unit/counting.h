/* An allocator that counts, and fails once. */
#ifndef COUNTING_H
#define COUNTING_H

#include <stdlib.h>

#include "t2g/memory.h"

typedef struct counter {
    size_t allocations, fail_at, alive;
} counter;

static void *counting_alloc(void *context, size_t size, size_t align)
{
    counter *c = context;
    void *p = NULL;
    if (++c->allocations == c->fail_at || posix_memalign(&p, align, size) != 0)
        return NULL;
    c->alive++;
    return p;
}

static void counting_release(void *context, void *p)
{
    counter *c = context;
    c->alive -= p != NULL;
    free(p);
}

#endif
