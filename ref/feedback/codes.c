#include "codes.h"

#include <string.h>

#include "../tokenizer/chat_case.h"
#include "../tokenizer/unicode.h"
#include "fold.h"

void t2g_codes_free(t2g_codes *c)
{
    t2g_free(c->code);
    *c = (t2g_codes){0};
}

static t2g_status reserve(t2g_codes *c, size_t n)
{
    if (c->n + n <= c->capacity && c->code)
        return T2G_OK;
    size_t capacity = 2 * c->capacity + n + 16;
    uint32_t *more = t2g_regrow(c->code, c->n, capacity, sizeof *more);
    if (!more)
        return T2G_ERR_MEMORY;
    c->code = more;
    c->capacity = capacity;
    return T2G_OK;
}

t2g_status t2g_codes_append(t2g_codes *c, const uint32_t *code, size_t n)
{
    T2G_TRY(reserve(c, n));
    if (n)
        memcpy(c->code + c->n, code, n * sizeof *code);
    c->n += n;
    return T2G_OK;
}

t2g_status t2g_codes_widen(t2g_codes *c, const char *bytes, size_t n)
{
    T2G_TRY(reserve(c, n));
    uint32_t *code = c->code + c->n;
    for (size_t i = 0; i < n; i++)
        code[i] = (unsigned char)bytes[i];
    c->n += n;
    return T2G_OK;
}

t2g_status t2g_codes_add(t2g_codes *c, uint32_t code)
{
    return t2g_codes_append(c, &code, 1);
}

/* Bytes of the longest start of a character at s: what one U+FFFD replaces
 * [Unicode, table 3-8]. */
static size_t broken_length(const unsigned char *s, size_t n)
{
    unsigned char low = 0x80, high = 0xbf;
    size_t most = utf8_length(*s), k = 1;
    if (*s < 0xc2 || *s > 0xf4)
        return 1;
    low = *s == 0xe0 ? 0xa0 : *s == 0xf0 ? 0x90 : low;
    high = *s == 0xed ? 0x9f : *s == 0xf4 ? 0x8f : high;
    for (; k < most && k < n && s[k] >= low && s[k] <= high; k++) {
        low = 0x80;
        high = 0xbf;
    }
    return k;
}

t2g_status t2g_codes_decode(t2g_codes *c, const char *bytes, size_t n)
{
    const unsigned char *s = (const unsigned char *)bytes;
    T2G_TRY(t2g_codes_append(c, NULL, 0));
    for (size_t i = 0; i < n;) {
        size_t length = broken_length(s + i, n - i);
        bool whole = s[i] < 0x80 || (s[i] >= 0xc2 && s[i] <= 0xf4 &&
                                     length == utf8_length(s[i]));
        T2G_TRY(t2g_codes_add(c, whole ? utf8_decode(s + i) : 0xfffd));
        i += length;
    }
    return T2G_OK;
}

static t2g_status append_lower(t2g_codes *c, const t2g_buffer *text)
{
    const unsigned char *s = (const unsigned char *)text->data;
    T2G_TRY(t2g_codes_append(c, NULL, 0));
    for (size_t i = 0; i < text->size; i += utf8_length(s[i])) {
        uint32_t code[3];
        size_t n = t2g_lower_at(text->data, text->size, i, code);
        T2G_TRY(t2g_codes_append(c, code, n));
    }
    return T2G_OK;
}

t2g_status t2g_codes_lower(t2g_codes *c, const uint32_t *code, size_t n)
{
    t2g_buffer text = {0};
    t2g_status s = t2g_codes_encode(code, n, &text);
    if (s == T2G_OK)
        s = append_lower(c, &text);
    t2g_buffer_free(&text);
    return s;
}

t2g_status t2g_codes_encode(const uint32_t *code, size_t n, t2g_buffer *out)
{
    char bytes[4];
    T2G_TRY(t2g_buffer_append(out, "", 0));
    for (size_t i = 0; i < n; i++)
        T2G_TRY(t2g_buffer_append(out, bytes, utf8_encode(bytes, code[i])));
    return T2G_OK;
}

/* --- parts ---------------------------------------------------------------- */

t2g_part t2g_codes_part(const t2g_codes *c, size_t begin, size_t end)
{
    end = end < c->n ? end : c->n;
    begin = begin < end ? begin : end;
    return (t2g_part){c->code + begin, end - begin};
}

t2g_part t2g_part_strip(t2g_part p)
{
    while (p.n && unicode_is_space(p.code[0]))
        p.code++, p.n--;
    while (p.n && unicode_is_space(p.code[p.n - 1]))
        p.n--;
    return p;
}

bool t2g_part_equal(t2g_part a, t2g_part b)
{
    return a.n == b.n && (a.n == 0 ||
                          memcmp(a.code, b.code, a.n * sizeof *a.code) == 0);
}

size_t t2g_part_find(t2g_part text, t2g_part what, size_t from)
{
    for (size_t i = from; i + what.n <= text.n; i++)
        if (t2g_part_equal((t2g_part){text.code + i, what.n}, what))
            return i;
    return SIZE_MAX;
}

bool t2g_part_word(t2g_part text, size_t *at, t2g_part *word)
{
    size_t i = *at;
    while (i < text.n && unicode_is_space(text.code[i]))
        i++;
    *word = (t2g_part){text.code + i, 0};
    while (i < text.n && !unicode_is_space(text.code[i]))
        i++, word->n++;
    *at = i;
    return word->n > 0;
}

size_t t2g_part_words(t2g_part text)
{
    size_t at = 0, count = 0;
    t2g_part word;
    while (t2g_part_word(text, &at, &word))
        count++;
    return count;
}
