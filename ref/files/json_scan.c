#include "json_scan.h"

#include <string.h>

#include "../tokenizer/unicode.h"

char t2g_json_scan_peek(json_scan *s)
{
    while (s->p < s->end && (*s->p == ' ' || *s->p == '\n' || *s->p == '\t' ||
                             *s->p == '\r'))
        s->p++;
    return s->p < s->end ? *s->p : 0;
}

bool t2g_json_scan_take(json_scan *s, char c)
{
    if (t2g_json_scan_peek(s) != c || s->p == s->end)
        return false;
    s->p++;
    return true;
}

/* --- strings ------------------------------------------------------------- */

/* Four hexadecimal digits; -1 when they are not. */
static int32_t hex4(const char *p, const char *end)
{
    int32_t code = 0;
    if (end - p < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        char c = p[i], low = (char)(c | 0x20);
        int digit = c >= '0' && c <= '9'       ? c - '0'
                    : low >= 'a' && low <= 'f' ? low - 'a' + 10
                                               : -1;
        if (digit < 0)
            return -1;
        code = 16 * code + digit;
    }
    return code;
}

/* Behind "\u"; a pair of surrogates is one character, a lone one is none. */
static bool unicode_escape(json_scan *s, uint32_t *code)
{
    int32_t first = hex4(s->p, s->end);
    if (first < 0 || (first >= 0xdc00 && first <= 0xdfff))
        return false;
    s->p += 4;
    *code = (uint32_t)first;
    if (first < 0xd800 || first > 0xdbff)
        return true;
    if (s->end - s->p < 6 || s->p[0] != '\\' || s->p[1] != 'u')
        return false;
    int32_t second = hex4(s->p + 2, s->end);
    if (second < 0xdc00 || second > 0xdfff)
        return false;
    s->p += 6;
    *code = 0x10000 + ((uint32_t)(first - 0xd800) << 10) +
            (uint32_t)(second - 0xdc00);
    return true;
}

/* Behind a backslash. */
static bool escape(json_scan *s, uint32_t *code)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    if (s->p == s->end)
        return false;
    char c = *s->p++;
    if (c == 'u')
        return unicode_escape(s, code);
    const char *at = c ? strchr(from, c) : NULL;
    if (at)
        *code = (unsigned char)to[at - from];
    return at;
}

/* End of what stands for itself. */
static const char *plain(const char *p, const char *end)
{
    while (p < end && *p != '"' && *p != '\\' && (unsigned char)*p >= 0x20)
        p++;
    return p;
}

static bool keep(json_scan *s, const char *text, size_t n)
{
    s->no_memory = t2g_buffer_append(&s->text, text, n) != T2G_OK;
    return !s->no_memory;
}

/* Behind the first part of a string that has escapes. */
static bool decode(json_scan *s, const char *begin)
{
    s->text.size = 0;
    for (;;) {
        char utf8[4];
        uint32_t code;
        if (!keep(s, begin, (size_t)(s->p - begin)) || s->p == s->end ||
            (unsigned char)*s->p < 0x20)
            return false;
        if (*s->p++ == '"')
            return true;
        if (!escape(s, &code) || !keep(s, utf8, utf8_encode(utf8, code)))
            return false;
        begin = s->p;
        s->p = plain(s->p, s->end);
    }
}

bool t2g_json_scan_string(json_scan *s, const char **text, size_t *n)
{
    if (!t2g_json_scan_take(s, '"'))
        return false;
    *text = s->p;
    s->p = plain(s->p, s->end);
    *n = (size_t)(s->p - *text);
    if (s->p < s->end && *s->p == '"') {
        s->p++;
        return true;
    }
    if (!decode(s, *text))
        return false;
    *text = s->text.data;
    *n = s->text.size;
    return true;
}

/* --- other values -------------------------------------------------------- */

static bool is_digit(const json_scan *s)
{
    return s->p < s->end && *s->p >= '0' && *s->p <= '9';
}

bool t2g_json_scan_u32(json_scan *s, uint32_t *value)
{
    uint64_t sum = 0;
    t2g_json_scan_peek(s);
    const char *begin = s->p;
    for (; is_digit(s) && sum <= UINT32_MAX; s->p++)
        sum = 10 * sum + (uint64_t)(*s->p - '0');
    bool good = s->p > begin && sum <= UINT32_MAX &&
                !(*begin == '0' && s->p > begin + 1) &&
                !(s->p < s->end && strchr(".eE", *s->p) && *s->p);
    *value = (uint32_t)sum;
    if (!good)
        s->p = begin;
    return good;
}

static bool skip_string(json_scan *s)
{
    for (s->p++; s->p < s->end && *s->p != '"'; s->p++)
        if (*s->p == '\\' && ++s->p == s->end)
            return false;
    return s->p < s->end && s->p++;
}

bool t2g_json_scan_skip(json_scan *s, size_t *elements)
{
    size_t depth = 0, commas = 0;
    do {
        char c = t2g_json_scan_peek(s);
        if (c == 0)
            return false;
        if (c == '"') {
            if (!skip_string(s))
                return false;
            continue;
        }
        commas += c == ',' && depth == 1;
        depth += c == '{' || c == '[';
        if (c == '}' || c == ']') {
            if (depth == 0)
                return false;
            depth--;
        }
        s->p++;
        if (depth == 0 && c != '}' && c != ']') /* a number or a word */
            while (s->p < s->end && !strchr(",]} \t\r\n", *s->p))
                s->p++;
    } while (depth > 0);
    if (elements)
        *elements = commas + 1;
    return true;
}

void t2g_json_scan_place(const json_scan *s, size_t *line, size_t *column)
{
    const char *begin = s->begin;
    *line = 1;
    for (const char *p = s->begin; p < s->p; p++)
        if (*p == '\n') {
            ++*line;
            begin = p + 1;
        }
    *column = (size_t)(s->p - begin) + 1;
}
