#include "t2g/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ALIGN = 64 };

static void *libc_alloc(void *context, size_t size, size_t align)
{
    (void)context;
    void *p = NULL;
    return posix_memalign(&p, align, size) == 0 ? p : NULL;
}

static void libc_release(void *context, void *pointer)
{
    (void)context;
    free(pointer);
}

static t2g_allocator allocator = {libc_alloc, libc_release, NULL};

void t2g_set_allocator(const t2g_allocator *a)
{
    static const t2g_allocator libc = {libc_alloc, libc_release, NULL};
    allocator = a ? *a : libc;
}

static void *allocate(size_t count, size_t size)
{
    if (size != 0 && count > (SIZE_MAX - ALIGN) / size) {
        (void)t2g_fail(T2G_ERR_MEMORY, "%zu elements of %zu bytes exceed the "
                       "address space", count, size);
        return NULL;
    }
    size_t bytes = count * size;
    void *p = allocator.alloc(allocator.context, bytes ? bytes : 1, ALIGN);
    if (!p)
        (void)t2g_fail(T2G_ERR_MEMORY, "no memory for %zu bytes", bytes);
    return p;
}

void *t2g_calloc(size_t count, size_t size)
{
    void *p = allocate(count, size);
    if (p)
        memset(p, 0, count * size);
    return p;
}

void *t2g_regrow(void *p, size_t old_count, size_t new_count, size_t size)
{
    char *q = allocate(new_count, size);
    if (!q)
        return NULL;
    size_t keep = old_count < new_count ? old_count : new_count;
    if (p && keep)
        memcpy(q, p, keep * size);
    memset(q + keep * size, 0, (new_count - keep) * size);
    t2g_free(p);
    return q;
}

void t2g_free(void *p)
{
    if (p)
        allocator.release(allocator.context, p);
}

char *t2g_strndup(const char *s, size_t n)
{
    char *copy = n < SIZE_MAX ? t2g_calloc(n + 1, 1) : NULL;
    if (copy && n)
        memcpy(copy, s, n);
    return copy;
}

char *t2g_strdup(const char *s)
{
    return t2g_strndup(s, strlen(s));
}

static t2g_status reserve(t2g_buffer *b, size_t more)
{
    if (b->data && more < b->capacity - b->size)
        return T2G_OK;
    if (more > SIZE_MAX / 2 - b->size)
        return t2g_fail(T2G_ERR_MEMORY, "a text of %zu + %zu bytes", b->size,
                        more);
    size_t capacity = b->capacity ? b->capacity : 64;
    while (capacity <= b->size + more)
        capacity *= 2;
    char *data = t2g_regrow(b->data, b->size, capacity, 1);
    if (!data)
        return T2G_ERR_MEMORY;
    b->data = data;
    b->capacity = capacity;
    return T2G_OK;
}

t2g_status t2g_buffer_append(t2g_buffer *b, const void *bytes, size_t n)
{
    T2G_TRY(reserve(b, n));
    if (n)
        memcpy(b->data + b->size, bytes, n);
    b->size += n;
    b->data[b->size] = '\0';
    return T2G_OK;
}

t2g_status t2g_buffer_puts(t2g_buffer *b, const char *s)
{
    return t2g_buffer_append(b, s, strlen(s));
}

t2g_status t2g_buffer_printf(t2g_buffer *b, const char *fmt, ...)
{
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    t2g_status s = n < 0 ? t2g_fail(T2G_ERR_ARG, "bad format '%s'", fmt)
                         : reserve(b, (size_t)n);
    if (s == T2G_OK) {
        vsnprintf(b->data + b->size, (size_t)n + 1, fmt, again);
        b->size += (size_t)n;
    }
    va_end(again);
    return s;
}

void t2g_buffer_free(t2g_buffer *b)
{
    t2g_free(b->data);
    *b = (t2g_buffer){0};
}
