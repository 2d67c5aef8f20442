/* Where in a tokenizer.json something stands, for messages. */
#ifndef T2G_TOKENIZER_PLACE_H
#define T2G_TOKENIZER_PLACE_H

#include <stddef.h>
#include <stdio.h>

enum { PLACE_DEPTH = 16 };

typedef struct place {
    const char *file;
    char path[256]; /* cut off when longer */
    int depth;
} place;

static inline place place_top(const char *file)
{
    return (place){.file = file};
}

static inline place place_key(const place *outer, const char *key)
{
    place p = {.file = outer->file, .depth = outer->depth + 1};
    snprintf(p.path, sizeof p.path, "%.200s%s%.50s", outer->path,
             outer->path[0] ? "." : "", key);
    return p;
}

static inline place place_index(const place *outer, size_t i)
{
    place p = {.file = outer->file, .depth = outer->depth};
    snprintf(p.path, sizeof p.path, "%.200s[%zu]", outer->path, i);
    return p;
}

#endif
