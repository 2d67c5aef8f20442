#include "fold.h"

#include "../tokenizer/unicode.h"
#include "t2g/files.h"

void t2g_folded_free(t2g_folded *f)
{
    t2g_free(f->text);
    t2g_free(f->begin);
    t2g_free(f->end);
    *f = (t2g_folded){0};
}

/* The character at i: its length (1 for a byte that is not UTF-8) and code. */
static size_t character(const char *text, size_t n, size_t i, uint32_t *code)
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

static bool space(uint32_t c)
{
    return (c >= 0x1c && c <= 0x1f) || (unicode_class(c) & CLASS_SPACE);
}

size_t t2g_space_at(const char *text, size_t n, size_t i)
{
    uint32_t code;
    size_t length = character(text, n, i, &code);
    return space(code) ? length : 0;
}

bool t2g_word_at(const char *text, size_t n, size_t i)
{
    uint32_t code;
    while (i > 0 && ((unsigned char)text[i] & 0xc0) == 0x80)
        i--;
    character(text, n, i, &code);
    return (unicode_class(code) & (CLASS_L | CLASS_N)) != 0;
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

/* Letters whose capital is the even or the odd one of a pair of neighbours. */
static bool paired(uint32_t c, uint32_t *capital)
{
    bool even = (c >= 0x100 && c <= 0x12f) || (c >= 0x132 && c <= 0x137) ||
                (c >= 0x14a && c <= 0x177) || (c >= 0x460 && c <= 0x481);
    bool odd = (c >= 0x139 && c <= 0x148) || (c >= 0x179 && c <= 0x17e);
    *capital = even ? c & ~1u : (c - 1) | 1u;
    return even || odd;
}

/* The small letter of a Greek capital with an accent, or c. */
static uint32_t greek(uint32_t c)
{
    if (c >= 0x388 && c <= 0x38a)
        return c + 37;
    if (c == 0x38e || c == 0x38f)
        return c + 63;
    return c == 0x386 ? 0x3ac : c == 0x38c ? 0x3cc : c;
}

/* Simple case folding where it keeps the length in UTF-8. */
static uint32_t lower(uint32_t c)
{
    uint32_t capital;
    if ((c >= 'A' && c <= 'Z') || (c >= 0xc0 && c <= 0xde && c != 0xd7) ||
        (c >= 0x391 && c <= 0x3ab) || (c >= 0x410 && c <= 0x42f))
        return c + 32;
    if (c >= 0x400 && c <= 0x40f)
        return c + 80;
    if (c == 0x3c2) /* sigma at the end of a word */
        return 0x3c3;
    return paired(c, &capital) ? capital + 1 : greek(c);
}

static void put(t2g_folded *f, char byte, size_t begin, size_t end)
{
    f->text[f->size] = byte;
    f->begin[f->size] = begin;
    f->end[f->size++] = end;
}

/* The character at `begin`, whose bytes are `text`. */
static void put_character(t2g_folded *f, const char *text, uint32_t code,
                          size_t begin, size_t length)
{
    char sign = plain_sign(code), folded[4];
    uint32_t low = lower(code);
    if (sign) {
        put(f, sign, begin, begin + length);
        return;
    }
    if (code == 0x2026)
        text = "...";
    else if (low != code) {
        utf8_encode(folded, low);
        text = folded;
    }
    for (size_t k = 0; k < length; k++)
        put(f, text[k], begin, begin + length);
}

t2g_status t2g_fold(t2g_folded *f, const char *text, size_t n)
{
    *f = (t2g_folded){.text = t2g_calloc(n + 1, 1),
                      .begin = t2g_calloc(n + 1, sizeof *f->begin),
                      .end = t2g_calloc(n + 1, sizeof *f->end)};
    if (!f->text || !f->begin || !f->end) {
        t2g_folded_free(f);
        return T2G_ERR_MEMORY;
    }
    size_t blank = 0, blank_end = 0; /* a run of white space not yet written */
    for (size_t i = 0, length; i < n; i += length) {
        uint32_t code;
        length = character(text, n, i, &code);
        if (zero_width(code))
            continue;
        if (space(code)) {
            if (blank_end == 0)
                blank = i;
            blank_end = i + length;
            continue;
        }
        if (blank_end && f->size)
            put(f, ' ', blank, blank_end);
        blank_end = 0;
        put_character(f, text + i, code, i, length);
    }
    return T2G_OK;
}
