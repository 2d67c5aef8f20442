/** Allocation: hooks the host program may replace, overflow-checked sizes, and
 * the growable byte buffer every stage uses for text. */
#ifndef T2G_MEMORY_H
#define T2G_MEMORY_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "t2g/status.h"

/** alloc returns at least size bytes aligned to align (a power of two), or
 * NULL; release takes what alloc gave, or NULL. Both must be thread-safe. */
typedef struct t2g_allocator {
    void *(*alloc)(void *context, size_t size, size_t align);
    void (*release)(void *context, void *pointer);
    void *context;
} t2g_allocator;

/** Replaces the allocator; NULL restores the C library's. Call it before any
 * other function of the library, while no object of it is alive. */
void t2g_set_allocator(const t2g_allocator *allocator);

/** count*size zeroed bytes, aligned to 64; NULL on overflow or exhaustion, with
 * a message recorded (return T2G_ERR_MEMORY). count = 0 gives a valid
 * pointer. */
void *t2g_calloc(size_t count, size_t size);

/** Grows p from old_count to new_count elements; the new ones are zero. On
 * failure NULL, a message, and p is still valid and still the caller's. */
void *t2g_regrow(void *p, size_t old_count, size_t new_count, size_t size);

/** Frees what t2g_calloc, t2g_regrow or t2g_strdup gave; NULL is fine. */
void t2g_free(void *p);

/** A zero-terminated copy of n bytes (they may hold NULs). NULL on failure. */
char *t2g_strndup(const char *s, size_t n);
char *t2g_strdup(const char *s);

/** Bytes that grow. `data` is always followed by a NUL that `size` does not
 * count, and is NULL only while the buffer never held anything. Start from
 * {0}; t2g_buffer_free returns it to that. On failure it keeps its contents. */
typedef struct t2g_buffer {
    char *data;
    size_t size, capacity;
} t2g_buffer;

T2G_CHECK t2g_status t2g_buffer_append(t2g_buffer *b, const void *bytes,
                                       size_t n);
T2G_CHECK t2g_status t2g_buffer_puts(t2g_buffer *b, const char *s);
T2G_CHECK t2g_status t2g_buffer_printf(t2g_buffer *b, const char *fmt, ...)
    T2G_PRINTF(2, 3);
void t2g_buffer_free(t2g_buffer *b);

/** A text of somebody else's. */
typedef struct t2g_text {
    const char *data;
    size_t size;
} t2g_text;

#endif
