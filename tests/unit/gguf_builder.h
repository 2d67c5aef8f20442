/* Writing small GGUF files, right and wrong, for tests. */
#ifndef GGUF_BUILDER_H
#define GGUF_BUILDER_H

#include <string.h>

#include "t2g/gguf.h"

/* Keys and tensor infos are collected and counted, then joined. */
typedef struct gguf_builder {
    t2g_buffer keys, infos;
    uint64_t key_count, tensor_count;
} gguf_builder;

static void put_bytes(t2g_buffer *out, const void *bytes, size_t n)
{
    if (t2g_buffer_append(out, bytes, n) != T2G_OK)
        abort();
}

static void put_u32(t2g_buffer *out, uint32_t value)
{
    put_bytes(out, &value, sizeof value);
}

static void put_u64(t2g_buffer *out, uint64_t value)
{
    put_bytes(out, &value, sizeof value);
}

static void put_text(t2g_buffer *out, const char *s)
{
    put_u64(out, strlen(s));
    put_bytes(out, s, strlen(s));
}

static void add_key(gguf_builder *b, const char *name, t2g_gguf_type type)
{
    b->key_count++;
    put_text(&b->keys, name);
    put_u32(&b->keys, type);
}

static void add_number(gguf_builder *b, const char *name, t2g_gguf_type type,
                       const void *value, size_t size)
{
    add_key(b, name, type);
    put_bytes(&b->keys, value, size);
}

static void add_u32(gguf_builder *b, const char *name, uint32_t value)
{
    add_number(b, name, T2G_GGUF_U32, &value, sizeof value);
}

static void add_bool(gguf_builder *b, const char *name, uint8_t value)
{
    add_number(b, name, T2G_GGUF_BOOL, &value, sizeof value);
}

static void add_text(gguf_builder *b, const char *name, const char *value)
{
    add_key(b, name, T2G_GGUF_STRING);
    put_text(&b->keys, value);
}

static void add_array(gguf_builder *b, const char *name, t2g_gguf_type element,
                      uint64_t count)
{
    add_key(b, name, T2G_GGUF_ARRAY);
    put_u32(&b->keys, element);
    put_u64(&b->keys, count);
}

static void add_texts(gguf_builder *b, const char *name,
                      const char *const *value, size_t count)
{
    add_array(b, name, T2G_GGUF_STRING, count);
    for (size_t i = 0; i < count; i++)
        put_text(&b->keys, value[i]);
}

static void add_numbers(gguf_builder *b, const char *name,
                        t2g_gguf_type element, const void *value, size_t count)
{
    add_array(b, name, element, count);
    put_bytes(&b->keys, value, count * sizeof(uint32_t));
}

/* The header, the keys, the infos and the padding before the data. */
static void join_file(const gguf_builder *b, uint32_t version,
                      size_t alignment, t2g_buffer *out)
{
    put_bytes(out, "GGUF", 4);
    put_u32(out, version);
    put_u64(out, b->tensor_count);
    put_u64(out, b->key_count);
    put_bytes(out, b->keys.data, b->keys.size);
    put_bytes(out, b->infos.data, b->infos.size);
    while (out->size % alignment != 0)
        put_bytes(out, "", 1);
}

static void free_builder(gguf_builder *b)
{
    t2g_buffer_free(&b->keys);
    t2g_buffer_free(&b->infos);
    *b = (gguf_builder){0};
}

#endif
