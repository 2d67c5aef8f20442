#define XXH_INLINE_ALL
#include <string.h>
#include <xxhash.h>

#include "tokenizer_private.h"
#include "unicode.h"

/* --- byte symbols -------------------------------------------------------- */

/* Bytes that print stand for themselves, the other 68 in ascending order for
 * U+0100 and on. [GPT-2] bytes_to_unicode. */
static bool byte_prints(unsigned byte)
{
    return (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte != 0xad);
}

uint32_t t2g_byte_symbol(unsigned char byte)
{
    if (byte_prints(byte))
        return byte;
    if (byte <= 0x20)
        return 0x100u + byte;
    return byte == 0xad ? 0x143 : 0x121u + (byte - 0x7fu);
}

/* The byte of a symbol, or -1. */
static int symbol_byte(uint32_t code)
{
    if (code < 0x100)
        return byte_prints(code) ? (int)code : -1;
    if (code <= 0x120)
        return (int)code - 0x100;
    if (code <= 0x142)
        return (int)code - 0x121 + 0x7f;
    return code == 0x143 ? 0xad : -1;
}

/* Writes at most n bytes; false when a character is no byte symbol. */
static bool symbols_to_bytes(const char *content, size_t n, char *bytes,
                             size_t *length)
{
    const unsigned char *s = (const unsigned char *)content;
    *length = 0;
    for (size_t i = 0; i < n; i += utf8_length(s[i])) {
        int byte = symbol_byte(utf8_decode(s + i));
        if (byte < 0)
            return false;
        bytes[(*length)++] = (char)byte;
    }
    return true;
}

t2g_status t2g_append_symbol_bytes(t2g_buffer *out, const char *text, size_t n)
{
    size_t begin = out->size, length;
    T2G_TRY(t2g_buffer_append(out, text, n));
    if (n > 0 && symbols_to_bytes(text, n, out->data + begin, &length))
        out->size = begin + length;
    return T2G_OK;
}

/* --- index of texts ------------------------------------------------------ */

typedef enum key_kind { KEY_CONTENT, KEY_BYTES } key_kind;

static const char *key_of(const t2g_vocabulary *v, key_kind kind, uint32_t id,
                          size_t *n)
{
    const t2g_token *token = &v->token[id];
    *n = kind == KEY_CONTENT ? token->content_length : token->bytes_length;
    return kind == KEY_CONTENT ? token_content(v, id) : token_bytes(v, id);
}

/* The slot that holds this key, or the free one where it belongs. Half of the
 * hash chooses it, the other half is compared before the text. */
static size_t find_slot(const t2g_vocabulary *v, const t2g_text_index *index,
                        key_kind kind, uint64_t hash, const char *s, size_t n)
{
    uint32_t check = (uint32_t)(hash >> 32);
    size_t i = hash & (index->capacity - 1);
    for (; index->slot[i].id != 0; i = (i + 1) & (index->capacity - 1)) {
        size_t length;
        if (index->slot[i].hash != check)
            continue;
        const char *key = key_of(v, kind, index->slot[i].id - 1, &length);
        if (length == n && memcmp(key, s, n) == 0)
            break;
    }
    return i;
}

static void insert(const t2g_vocabulary *v, t2g_text_index *index,
                   key_kind kind, uint32_t id)
{
    size_t n;
    const char *key = key_of(v, kind, id, &n);
    uint64_t hash = XXH3_64bits(key, n);
    size_t slot = find_slot(v, index, kind, hash, key, n);
    index->used += index->slot[slot].id == 0;
    index->slot[slot] = (t2g_text_slot){(uint32_t)(hash >> 32), id + 1};
}

static t2g_status resize_index(const t2g_vocabulary *v, t2g_text_index *index,
                               key_kind kind, size_t capacity)
{
    t2g_text_index larger = {.capacity = capacity};
    larger.slot = t2g_calloc(larger.capacity, sizeof *larger.slot);
    if (!larger.slot)
        return T2G_ERR_MEMORY;
    for (size_t i = 0; i < index->capacity; i++)
        if (index->slot[i].id != 0)
            insert(v, &larger, kind, index->slot[i].id - 1);
    t2g_free(index->slot);
    *index = larger;
    return T2G_OK;
}

/* Keeps the table at most half full with `more` keys. */
static t2g_status grow_index(const t2g_vocabulary *v, t2g_text_index *index,
                             key_kind kind, size_t more)
{
    size_t capacity = index->capacity ? index->capacity : 1024;
    while (2 * (index->used + more) > capacity)
        capacity *= 2;
    return capacity == index->capacity
               ? T2G_OK
               : resize_index(v, index, kind, capacity);
}

static int64_t find(const t2g_vocabulary *v, const t2g_text_index *index,
                    key_kind kind, const char *s, size_t n)
{
    if (index->capacity == 0)
        return T2G_NO_TOKEN;
    return (int64_t)index->slot[find_slot(v, index, kind, XXH3_64bits(s, n), s,
                                          n)].id - 1;
}

/* --- tokens -------------------------------------------------------------- */

static t2g_status reserve_id(t2g_vocabulary *v, uint32_t id)
{
    if (id >= T2G_ID_LIMIT)
        return t2g_fail(T2G_ERR_FORMAT, "id %u, expected less than %d", id,
                        T2G_ID_LIMIT);
    if (id < v->capacity)
        return T2G_OK;
    size_t capacity = v->capacity ? v->capacity : 1024;
    while (capacity <= id)
        capacity *= 2;
    t2g_token *token = t2g_regrow(v->token, v->capacity, capacity,
                                  sizeof *token);
    if (!token)
        return T2G_ERR_MEMORY;
    v->token = token;
    v->capacity = capacity;
    return T2G_OK;
}

/* Appends content with a NUL, and the bytes behind it unless they are equal. */
static t2g_status store_text(t2g_vocabulary *v, t2g_token *token,
                             const char *content, size_t n)
{
    size_t begin = v->text.size, behind = begin + n + 1, length;
    T2G_TRY(t2g_buffer_append(&v->text, content, n));
    T2G_TRY(t2g_buffer_append(&v->text, "", 1));
    T2G_TRY(t2g_buffer_append(&v->text, content, n)); /* room for the bytes */
    v->text.size = behind;
    token->content = token->bytes = begin;
    token->content_length = token->bytes_length = (uint32_t)n;

    char *bytes = v->text.data + behind;
    if (!symbols_to_bytes(content, n, bytes, &length))
        return T2G_OK;
    token->flags |= TOKEN_SYMBOLIC;
    if (length == n) /* ASCII that prints */
        return T2G_OK;
    token->bytes = behind;
    token->bytes_length = (uint32_t)length;
    v->text.size = behind + length;
    return T2G_OK;
}

t2g_status t2g_vocabulary_reserve(t2g_vocabulary *v, size_t tokens)
{
    if (tokens > T2G_ID_LIMIT)
        tokens = T2G_ID_LIMIT;
    if (tokens > 0)
        T2G_TRY(reserve_id(v, (uint32_t)(tokens - 1)));
    return grow_index(v, &v->by_content, KEY_CONTENT, tokens);
}

t2g_status t2g_vocabulary_put(t2g_vocabulary *v, uint32_t id,
                              const char *content, size_t n, unsigned flags)
{
    t2g_token token = {.flags = flags};
    if (n > UINT32_MAX)
        return t2g_fail(T2G_ERR_FORMAT, "a token of %zu bytes", n);
    T2G_TRY(reserve_id(v, id));
    if (v->token[id].flags != 0)
        return t2g_fail(T2G_ERR_FORMAT, "id %u of '%.*s' is that of '%.*s' "
                        "already", id, (int)n, content,
                        (int)v->token[id].content_length,
                        token_content(v, id));
    T2G_TRY(grow_index(v, &v->by_content, KEY_CONTENT, 1));
    T2G_TRY(store_text(v, &token, content, n));
    v->token[id] = token;
    if (id >= v->size)
        v->size = (size_t)id + 1;
    insert(v, &v->by_content, KEY_CONTENT, id);
    v->model_count += (flags & TOKEN_MODEL) != 0;
    return T2G_OK;
}

/* Takes a key out, and in again those behind it, which might not be found over
 * the gap. */
static void erase(const t2g_vocabulary *v, t2g_text_index *index,
                  key_kind kind, uint32_t id)
{
    size_t mask = index->capacity - 1, n;
    const char *key = key_of(v, kind, id, &n);
    size_t hole = find_slot(v, index, kind, XXH3_64bits(key, n), key, n);
    index->slot[hole].id = 0;
    index->used--;
    for (size_t i = (hole + 1) & mask; index->slot[i].id != 0;
         i = (i + 1) & mask) {
        uint32_t moved = index->slot[i].id - 1;
        index->slot[i].id = 0;
        index->used--;
        insert(v, index, kind, moved);
    }
}

void t2g_vocabulary_remove(t2g_vocabulary *v, uint32_t id)
{
    erase(v, &v->by_content, KEY_CONTENT, id);
    v->token[id].flags = 0;
    v->model_count--;
}

t2g_status t2g_vocabulary_set_bytes(t2g_vocabulary *v, uint32_t id,
                                    const char *text, size_t n, bool symbols)
{
    size_t begin = v->text.size;
    if (n > UINT32_MAX)
        return t2g_fail(T2G_ERR_FORMAT, "a token of %zu bytes", n);
    T2G_TRY(symbols ? t2g_append_symbol_bytes(&v->text, text, n)
                    : t2g_buffer_append(&v->text, text, n));
    n = v->text.size - begin;
    v->token[id].bytes = begin;
    v->token[id].bytes_length = (uint32_t)n;
    return T2G_OK;
}

t2g_status t2g_vocabulary_index_bytes(t2g_vocabulary *v)
{
    const unsigned wanted = TOKEN_MODEL | TOKEN_SYMBOLIC;
    T2G_TRY(grow_index(v, &v->by_bytes, KEY_BYTES, v->model_count));
    for (uint32_t id = 0; id < v->size; id++)
        if ((v->token[id].flags & wanted) == wanted)
            insert(v, &v->by_bytes, KEY_BYTES, id);
    return T2G_OK;
}

int64_t t2g_vocabulary_find(const t2g_vocabulary *v, const char *content,
                            size_t n)
{
    return find(v, &v->by_content, KEY_CONTENT, content, n);
}

int64_t t2g_vocabulary_find_bytes(const t2g_vocabulary *v, const char *bytes,
                                  size_t n)
{
    return find(v, &v->by_bytes, KEY_BYTES, bytes, n);
}

void t2g_vocabulary_free(t2g_vocabulary *v)
{
    t2g_free(v->token);
    t2g_buffer_free(&v->text);
    t2g_free(v->by_content.slot);
    t2g_free(v->by_bytes.slot);
}

/* --- merges -------------------------------------------------------------- */

/* The slot that holds this pair, or the free one where it belongs. */
static size_t find_pair(const t2g_merges *m, uint32_t left, uint32_t right)
{
    uint64_t pair = (uint64_t)left << 32 | right;
    uint64_t hash = pair * UINT64_C(0x9e3779b97f4a7c15);
    size_t i = (size_t)(hash ^ hash >> 32) & (m->slots - 1);
    for (; m->slot[i].id != T2G_NO_ID; i = (i + 1) & (m->slots - 1))
        if (m->slot[i].left == left && m->slot[i].right == right)
            break;
    return i;
}

/* Keeps the table at most two thirds full. */
static t2g_status reserve_slots(t2g_merges *m, size_t count)
{
    size_t slots = m->slots ? m->slots : 1024;
    while (3 * count > 2 * slots)
        slots *= 2;
    if (slots == m->slots)
        return T2G_OK;
    t2g_merge *slot = t2g_calloc(slots, sizeof *slot);
    if (!slot)
        return T2G_ERR_MEMORY;
    t2g_free(m->slot);
    m->slot = slot;
    m->slots = slots;
    for (size_t i = 0; i < slots; i++)
        slot[i].id = T2G_NO_ID;
    for (size_t rank = 0; rank < m->count; rank++)
        slot[find_pair(m, m->merge[rank].left, m->merge[rank].right)] =
            m->merge[rank];
    return T2G_OK;
}

t2g_status t2g_merges_reserve(t2g_merges *m, size_t count)
{
    if (count > m->capacity) {
        size_t capacity = 2 * m->capacity > count ? 2 * m->capacity : count;
        t2g_merge *merge = t2g_regrow(m->merge, m->count, capacity,
                                      sizeof *merge);
        if (!merge)
            return T2G_ERR_MEMORY;
        m->merge = merge;
        m->capacity = capacity;
    }
    return reserve_slots(m, count);
}

t2g_status t2g_merges_put(t2g_merges *m, uint32_t left, uint32_t right,
                          uint32_t id)
{
    if (m->count >= INT32_MAX)
        return t2g_fail(T2G_ERR_FORMAT, "more than %d merges", INT32_MAX);
    T2G_TRY(t2g_merges_reserve(m, m->count + 1));
    t2g_merge merge = {left, right, (uint32_t)m->count, id};
    m->slot[find_pair(m, left, right)] = merge;
    m->merge[m->count++] = merge;
    return T2G_OK;
}

const t2g_merge *t2g_merges_find(const t2g_merges *m, uint32_t left,
                                 uint32_t right)
{
    if (m->slots == 0)
        return NULL;
    const t2g_merge *merge = &m->slot[find_pair(m, left, right)];
    return merge->id == T2G_NO_ID ? NULL : merge;
}

void t2g_merges_free(t2g_merges *m)
{
    t2g_free(m->merge);
    t2g_free(m->slot);
}
