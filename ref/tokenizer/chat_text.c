/* Text of which each byte knows whether it came from the input, and the arena
 * it lies in. */
#define _GNU_SOURCE /* memmem */
#include "chat_private.h"

#include <string.h>

#include "unicode.h"

/* --- arena --------------------------------------------------------------- */

enum { ARENA_ALIGN = 16, ARENA_CHUNK = 1 << 14 };

struct t2g_arena_chunk {
    t2g_arena_chunk *next;
    size_t used, size;
    _Alignas(ARENA_ALIGN) char bytes[];
};

static t2g_status add_chunk(t2g_arena *a, size_t need)
{
    size_t size = a->total < ARENA_CHUNK ? ARENA_CHUNK : a->total;
    size = size > 1 << 22 ? 1 << 22 : size;
    size = size < need ? need : size;
    t2g_arena_chunk *chunk = t2g_calloc(1, sizeof *chunk + size);
    if (!chunk)
        return T2G_ERR_MEMORY;
    chunk->size = size;
    chunk->next = a->chunk;
    a->chunk = chunk;
    a->total += size;
    return T2G_OK;
}

void *t2g_arena_take(t2g_arena *a, size_t count, size_t size)
{
    if (count > T2G_CHAT_MEMORY / size ||
        a->total + count * size > T2G_CHAT_MEMORY) {
        t2g_fail(T2G_ERR_MEMORY, "the template takes more than %d bytes",
                 T2G_CHAT_MEMORY);
        return NULL;
    }
    size_t need = (count * size + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);
    t2g_arena_chunk *c = a->chunk;
    if (!c || need > c->size - c->used) {
        if (add_chunk(a, need) != T2G_OK)
            return NULL;
        c = a->chunk;
    }
    c->used += need;
    return c->bytes + c->used - need;
}

void *t2g_arena_double(t2g_arena *a, const void *old, size_t count, size_t size)
{
    void *more = t2g_arena_take(a, count ? 2 * count : 8, size);
    if (more && count)
        memcpy(more, old, count * size);
    return more;
}

void t2g_arena_free(t2g_arena *a)
{
    while (a->chunk) {
        t2g_arena_chunk *next = a->chunk->next;
        t2g_free(a->chunk);
        a->chunk = next;
    }
    a->total = 0;
}

/* --- comparing and cutting ----------------------------------------------- */

t2g_string t2g_text_of(const char *s)
{
    return (t2g_string){s, NULL, strlen(s)};
}

bool t2g_text_is(t2g_string a, const char *s)
{
    return t2g_text_same(a, t2g_text_of(s));
}

bool t2g_text_same(t2g_string a, t2g_string b)
{
    return a.n == b.n && (!a.n || !memcmp(a.s, b.s, a.n));
}

/* The order of bytes of UTF-8 is that of the code points. */
int t2g_text_compare(t2g_string a, t2g_string b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int order = n ? memcmp(a.s, b.s, n) : 0;
    return order ? order : (a.n > b.n) - (a.n < b.n);
}

t2g_string t2g_text_part(t2g_string a, size_t begin, size_t end)
{
    if (!a.n)
        return a;
    return (t2g_string){a.s + begin, a.from_input ? a.from_input + begin : NULL,
                      end - begin};
}

static bool starts_character(char c)
{
    return (c & 0xc0) != 0x80;
}

size_t t2g_text_characters(t2g_string a)
{
    size_t count = 0;
    for (size_t i = 0; i < a.n; i++)
        count += starts_character(a.s[i]);
    return count;
}

size_t t2g_text_byte(t2g_string a, size_t index)
{
    size_t i = 0;
    for (; i < a.n; i++)
        if (starts_character(a.s[i]) && index-- == 0)
            break;
    return i;
}

size_t t2g_text_find(t2g_string a, t2g_string needle, size_t from)
{
    if (from > a.n || needle.n > a.n - from)
        return T2G_NOWHERE;
    if (!needle.n)
        return from;
    const char *found = memmem(a.s + from, a.n - from, needle.s, needle.n);
    return found ? (size_t)(found - a.s) : T2G_NOWHERE;
}

size_t t2g_text_find_last(t2g_string a, t2g_string needle, size_t end)
{
    size_t last = T2G_NOWHERE, at = t2g_text_find(a, needle, 0);
    while (at != T2G_NOWHERE && at + needle.n <= end) {
        last = at;
        at = at < a.n ? t2g_text_find(a, needle, at + 1) : T2G_NOWHERE;
    }
    return last;
}

bool t2g_text_starts(t2g_string a, t2g_string prefix)
{
    return a.n >= prefix.n && t2g_text_same(t2g_text_part(a, 0, prefix.n),
                                            prefix);
}

bool t2g_text_ends(t2g_string a, t2g_string suffix)
{
    return a.n >= suffix.n &&
           t2g_text_same(t2g_text_part(a, a.n - suffix.n, a.n), suffix);
}

/* --- lines --------------------------------------------------------------- */

/* Where str.splitlines ends a line. */
static bool ends_line(uint32_t c)
{
    return (c >= 0x0a && c <= 0x0d) || (c >= 0x1c && c <= 0x1e) || c == 0x85 ||
           c == 0x2028 || c == 0x2029;
}

size_t t2g_text_line(t2g_string a, size_t at, size_t *next)
{
    size_t n = 0;
    for (; at < a.n; at += n) {
        n = utf8_length((unsigned char)a.s[at]);
        if (ends_line(utf8_decode((const unsigned char *)a.s + at)))
            break;
    }
    *next = at < a.n ? at + n : at;
    if (*next < a.n && a.s[at] == '\r' && a.s[*next] == '\n')
        ++*next;
    return at;
}

/* --- stripping ----------------------------------------------------------- */

static bool is_stripped(t2g_string a, size_t at, const t2g_string *set)
{
    const unsigned char *s = (const unsigned char *)a.s + at;
    if (!set)
        return unicode_is_space(utf8_decode(s));
    t2g_string character = {a.s + at, NULL, utf8_length(s[0])};
    return t2g_text_find(*set, character, 0) != T2G_NOWHERE;
}

t2g_string t2g_text_strip(t2g_string a, const t2g_string *set, unsigned sides)
{
    size_t begin = 0, end = a.n;
    if (sides & T2G_STRIP_LEFT)
        while (begin < end && is_stripped(a, begin, set))
            begin += utf8_length((unsigned char)a.s[begin]);
    if (sides & T2G_STRIP_RIGHT)
        while (end > begin) {
            size_t last = utf8_before((const unsigned char *)a.s, end);
            if (!is_stripped(a, last, set))
                break;
            end = last;
        }
    return t2g_text_part(a, begin, end);
}

/* --- building ------------------------------------------------------------ */

static t2g_status make_room(t2g_builder *b, size_t n)
{
    if (n <= b->capacity - b->n)
        return T2G_OK;
    size_t capacity = 2 * (b->n + n);
    char *s = t2g_arena_take(b->arena, capacity, 2);
    if (!s)
        return T2G_ERR_MEMORY;
    if (b->n) {
        memcpy(s, b->s, b->n);
        memcpy(s + capacity, b->from_input, b->n);
    }
    b->s = s;
    b->from_input = (unsigned char *)s + capacity;
    b->capacity = capacity;
    return T2G_OK;
}

t2g_status t2g_build(t2g_builder *b, t2g_string text)
{
    T2G_TRY(make_room(b, text.n));
    if (!text.n)
        return T2G_OK;
    memcpy(b->s + b->n, text.s, text.n);
    if (text.from_input)
        memcpy(b->from_input + b->n, text.from_input, text.n);
    else
        memset(b->from_input + b->n, 0, text.n);
    b->n += text.n;
    return T2G_OK;
}

t2g_status t2g_build_bytes(t2g_builder *b, const char *s, size_t n,
                           bool from_input)
{
    T2G_TRY(t2g_build(b, (t2g_string){s, NULL, n}));
    if (n)
        memset(b->from_input + b->n - n, from_input, n);
    return T2G_OK;
}

t2g_status t2g_build_repeated(t2g_builder *b, t2g_string text, int64_t times)
{
    if (times <= 0 || !text.n)
        return T2G_OK;
    if ((uint64_t)times > T2G_CHAT_MEMORY / text.n)
        return t2g_fail(T2G_ERR_UNSUPPORTED, "a text of %zu bytes, %lld times",
                        text.n, (long long)times);
    for (int64_t i = 0; i < times; i++)
        T2G_TRY(t2g_build(b, text));
    return T2G_OK;
}

t2g_string t2g_built(const t2g_builder *b)
{
    return (t2g_string){b->n ? b->s : "", b->from_input, b->n};
}
