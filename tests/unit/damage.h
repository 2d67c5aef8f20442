/* Damaging files at random, the same way each time. */
#ifndef DAMAGE_H
#define DAMAGE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "t2g/memory.h"

/* Writes a file without waiting for the disk. */
static void put_quickly(const char *path, const void *bytes, size_t n)
{
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(bytes, 1, n, f) != n || fclose(f) != 0)
        abort();
}

static uint64_t random_bits(uint64_t *state) /* [xorshift64*] */
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 2685821657736338717u;
}

/* One to four places get another byte, or eight bytes of an extreme number. */
static void damage(t2g_buffer *file, uint64_t *seed)
{
    static const uint64_t extreme[] = {0, 1, 0x7fffffff, 0xffffffff, 1ull << 32,
                                       1ull << 61, INT64_MAX, UINT64_MAX};
    for (uint64_t n = random_bits(seed) % 4 + 1; n > 0; n--) {
        uint64_t r = random_bits(seed);
        size_t at = random_bits(seed) % (file->size - 8);
        if (r % 3 == 0)
            memcpy(file->data + at, &extreme[r / 3 % 8], 8);
        else
            file->data[at] = (char)(r >> 8);
    }
}

#endif
