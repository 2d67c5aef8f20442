#include "fold.h"

#include <string.h>

#include "../tokenizer/unicode.h"
#include "folding_tables.h"
#include "t2g/files.h"

void t2g_folded_free(t2g_folded *f)
{
    t2g_free(f->code);
    t2g_free(f->begin);
    t2g_free(f->end);
    *f = (t2g_folded){0};
}

/* --- characters ----------------------------------------------------------- */

size_t t2g_character_at(const char *text, size_t n, size_t i, uint32_t *code)
{
    const unsigned char *s = (const unsigned char *)text + i;
    size_t length = utf8_length(*s);
    if (*s < 0x80) {
        *code = *s;
        return 1;
    }
    if (length > n - i || t2g_utf8_invalid(text + i, length) != length) {
        *code = 0xfffd;
        return 1;
    }
    *code = utf8_decode(s);
    return length;
}

bool t2g_is_word(uint32_t c)
{
    return (unicode_class(c) & (CLASS_L | CLASS_N)) != 0;
}

size_t t2g_space_at(const char *text, size_t n, size_t i)
{
    uint32_t code;
    size_t length = t2g_character_at(text, n, i, &code);
    return unicode_is_space(code) ? length : 0;
}

bool t2g_word_at(const char *text, size_t n, size_t i)
{
    uint32_t code;
    while (i > 0 && ((unsigned char)text[i] & 0xc0) == 0x80)
        i--;
    t2g_character_at(text, n, i, &code);
    return t2g_is_word(code);
}

int t2g_decimal(uint32_t code)
{
    size_t low = 0, high = t2g_zero_count;
    while (low < high) { /* the last zero that is not beyond code */
        size_t middle = (low + high) / 2;
        if (t2g_zero[middle] <= code)
            low = middle + 1;
        else
            high = middle;
    }
    bool digit = low > 0 && code - t2g_zero[low - 1] < 10;
    return digit ? (int)(code - t2g_zero[low - 1]) : -1;
}

static bool zero_width(uint32_t c)
{
    return (c >= 0x200b && c <= 0x200d) || c == 0x2060 || c == 0xfeff ||
           c == 0xad;
}

/* The ASCII sign that a look-alike stands for, or 0. */
static char plain_sign(uint32_t c)
{
    if ((c >= 0x2018 && c <= 0x201b) || c == 0x2032 || c == 0xb4 || c == 0x60 ||
        c == 0x2bc || c == 0xff07)
        return '\'';
    if ((c >= 0x201c && c <= 0x201f) || c == 0x2033 || c == 0xab || c == 0xbb ||
        c == 0xff02)
        return '"';
    if ((c >= 0x2010 && c <= 0x2015) || c == 0x2212 || c == 0xfe58 ||
        c == 0xfe63 || c == 0xff0d)
        return '-';
    return 0;
}

static const t2g_folding_entry *find_folding(uint32_t code)
{
    size_t low = 0, high = t2g_folding_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (t2g_folding[middle].code < code)
            low = middle + 1;
        else
            high = middle;
    }
    bool found = low < t2g_folding_count && t2g_folding[low].code == code;
    return found ? &t2g_folding[low] : NULL;
}

static unsigned combining_class(uint32_t code)
{
    size_t low = 0, high = t2g_combining_count;
    if (code < 0x300)
        return 0;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (t2g_combining[middle].last < code)
            low = middle + 1;
        else
            high = middle;
    }
    return low < t2g_combining_count && t2g_combining[low].first <= code
               ? t2g_combining[low].class : 0;
}

/* --- folding -------------------------------------------------------------- */

static t2g_status reserve(t2g_folded *f, size_t capacity)
{
    if (capacity <= f->capacity)
        return T2G_OK;
    if (capacity < 2 * f->capacity)
        capacity = 2 * f->capacity;
    uint32_t *code = t2g_regrow(f->code, f->size, capacity, sizeof *code);
    if (!code)
        return T2G_ERR_MEMORY;
    f->code = code;
    size_t *begin = t2g_regrow(f->begin, f->size, capacity, sizeof *begin);
    if (!begin)
        return T2G_ERR_MEMORY;
    f->begin = begin;
    size_t *end = t2g_regrow(f->end, f->size, capacity, sizeof *end);
    if (!end)
        return T2G_ERR_MEMORY;
    f->end = end;
    f->capacity = capacity;
    return T2G_OK;
}

static void put(t2g_folded *f, uint32_t code, size_t begin, size_t end)
{
    f->code[f->size] = code;
    f->begin[f->size] = begin;
    f->end[f->size++] = end;
}

/* Marks stand in the order of their classes; those that change places share
 * their ranges. As in stream-safe text [UAX15] a run beyond 32 is cut, which
 * bounds the work. */
static void sort_last(t2g_folded *f)
{
    unsigned class = combining_class(f->code[f->size - 1]);
    size_t least = f->size > 32 ? f->size - 32 : 0;
    for (size_t i = f->size - 1; class && i > least; i--) {
        if (combining_class(f->code[i - 1]) <= class)
            return;
        uint32_t code = f->code[i];
        f->code[i] = f->code[i - 1];
        f->code[i - 1] = code;
        if (f->end[i - 1] < f->end[i])
            f->end[i - 1] = f->end[i];
        if (f->begin[i] > f->begin[i - 1])
            f->begin[i] = f->begin[i - 1];
    }
}

/* A run of white space is one blank; there is none at the start. */
static void put_blank(t2g_folded *f, size_t begin, size_t end)
{
    if (f->size && f->code[f->size - 1] == ' ')
        f->end[f->size - 1] = end;
    else if (f->size)
        put(f, ' ', begin, end);
}

static void put_code(t2g_folded *f, uint32_t code, size_t begin, size_t end)
{
    if (unicode_is_space(code)) {
        put_blank(f, begin, end);
        return;
    }
    put(f, code, begin, end);
    sort_last(f);
}

static void put_hangul(t2g_folded *f, uint32_t s, size_t begin, size_t end)
{
    put_code(f, 0x1100 + s / 588, begin, end);
    put_code(f, 0x1161 + s % 588 / 28, begin, end);
    if (s % 28)
        put_code(f, 0x11a7 + s % 28, begin, end);
}

/* Leaves room for one code a byte of the n bytes that are still to come. */
static t2g_status put_folded(t2g_folded *f, uint32_t code, size_t begin,
                             size_t end, size_t n)
{
    const t2g_folding_entry *e = find_folding(code);
    T2G_TRY(reserve(f, f->size + (e ? e->count : 3) + n));
    if (code >= 0xac00 && code < 0xd7a4)
        put_hangul(f, code - 0xac00, begin, end);
    else if (!e)
        put_code(f, code, begin, end);
    for (size_t k = 0; e && k < e->count; k++)
        put_code(f, t2g_folding_pool[e->at + k], begin, end);
    return T2G_OK;
}

/* Of ASCII: white space is a blank, ` a quote, capitals are small. */
static const unsigned char folded_ascii[128] = {
    0, 1, 2, 3, 4, 5, 6, 7, 8, ' ', ' ', ' ', ' ', ' ', 14, 15, 16, 17, 18, 19,
    20, 21, 22, 23, 24, 25, 26, 27, ' ', ' ', ' ', ' ', ' ', '!', '"', '#', '$',
    '%', '&', '\'', '(', ')', '*', '+', ',', '-', '.', '/', '0', '1', '2', '3',
    '4', '5', '6', '7', '8', '9', ':', ';', '<', '=', '>', '?', '@', 'a', 'b',
    'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n', 'o', 'p', 'q',
    'r', 's', 't', 'u', 'v', 'w', 'x', 'y', 'z', '[', '\\', ']', '^', '_', '\'',
    'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n', 'o',
    'p', 'q', 'r', 's', 't', 'u', 'v', 'w', 'x', 'y', 'z', '{', '|', '}', '~',
    127};

/* Folds ASCII from text[i] on, the fast path; returns where it ends. */
static size_t put_ascii(t2g_folded *f, const char *text, size_t n, size_t i)
{
    const unsigned char *s = (const unsigned char *)text;
    uint32_t *code = f->code;
    size_t *begin = f->begin, *end = f->end, size = f->size;
    uint32_t last = size ? code[size - 1] : ' ';
    for (; i < n && s[i] < 0x80; i++) {
        uint32_t c = folded_ascii[s[i]];
        if (((c ^ ' ') | (last ^ ' ')) == 0) { /* both blank, one branch */
            if (size)
                end[size - 1] = i + 1;
            continue;
        }
        code[size] = last = c;
        begin[size] = i;
        end[size++] = i + 1;
    }
    f->size = size;
    return i;
}

t2g_status t2g_fold(t2g_folded *f, const char *text, size_t n)
{
    f->size = 0;
    t2g_status s = reserve(f, n + 1);
    for (size_t i = 0; s == T2G_OK && (i = put_ascii(f, text, n, i)) < n;) {
        uint32_t code;
        size_t begin = i;
        i += t2g_character_at(text, n, i, &code);
        if (zero_width(code))
            continue;
        char sign = plain_sign(code);
        s = put_folded(f, sign ? (uint32_t)(unsigned char)sign : code, begin,
                       i, n - i);
    }
    if (s != T2G_OK)
        t2g_folded_free(f);
    else if (f->size && f->code[f->size - 1] == ' ')
        f->size--;
    return s;
}

t2g_status t2g_fold_skeleton(t2g_folded *out, const t2g_folded *f)
{
    out->size = 0;
    t2g_status s = reserve(out, f->size + 1);
    size_t size = 0;
    for (size_t i = 0; s == T2G_OK && i < f->size; i++) {
        out->code[size] = f->code[i];
        out->begin[size] = f->begin[i];
        out->end[size] = f->end[i];
        size += t2g_is_word(f->code[i]);
    }
    if (s != T2G_OK)
        t2g_folded_free(out);
    else
        out->size = size;
    return s;
}
