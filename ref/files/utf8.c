#include "internal.h"

#include <string.h>

/* Length of the well-formed sequence at s, or 0. [RFC3629] section 4: the first
 * byte narrows the range of the second, which keeps out overlong forms,
 * surrogates and values above U+10FFFF. */
static size_t sequence_length(const unsigned char *s, size_t left)
{
    unsigned char low = 0x80, high = 0xbf;
    size_t length;

    if (s[0] < 0x80)
        return 1;
    if (s[0] >= 0xc2 && s[0] <= 0xdf) {
        length = 2;
    } else if (s[0] >= 0xe0 && s[0] <= 0xef) {
        length = 3;
        if (s[0] == 0xe0)
            low = 0xa0;
        if (s[0] == 0xed)
            high = 0x9f;
    } else if (s[0] >= 0xf0 && s[0] <= 0xf4) {
        length = 4;
        if (s[0] == 0xf0)
            low = 0x90;
        if (s[0] == 0xf4)
            high = 0x8f;
    } else {
        return 0;
    }
    if (left < length || s[1] < low || s[1] > high)
        return 0;
    for (size_t i = 2; i < length; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    return length;
}

static bool ascii8(const unsigned char *s)
{
    uint64_t word;
    memcpy(&word, s, sizeof word);
    return (word & UINT64_C(0x8080808080808080)) == 0;
}

size_t t2g_utf8_invalid(const char *s, size_t n)
{
    const unsigned char *u = (const unsigned char *)s;
    size_t i = 0;
    while (i < n) {
        if (n - i >= 8 && ascii8(u + i)) {
            i += 8;
            continue;
        }
        size_t length = sequence_length(u + i, n - i);
        if (length == 0)
            break;
        i += length;
    }
    return i;
}

size_t t2g_utf8_subpart(const char *s, size_t n)
{
    const unsigned char *u = (const unsigned char *)s;
    unsigned char low = u[0] == 0xe0 ? 0xa0 : u[0] == 0xf0 ? 0x90 : 0x80;
    unsigned char high = u[0] == 0xed ? 0x9f : u[0] == 0xf4 ? 0x8f : 0xbf;
    size_t i = 1, length = u[0] < 0xc2 || u[0] > 0xf4 ? 1
                           : u[0] < 0xe0              ? 2
                           : u[0] < 0xf0              ? 3
                                                      : 4;
    while (i < length && i < n && u[i] >= low && u[i] <= high) {
        low = 0x80;
        high = 0xbf;
        i++;
    }
    return i;
}

size_t t2g_utf8_mark(const char *s, size_t n)
{
    return n >= 3 && memcmp(s, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
}

t2g_status t2g_utf8_append(t2g_buffer *out, const char *s, size_t n)
{
    static const char replacement[] = "\xef\xbf\xbd";
    for (size_t i = 0; i < n; i++) {
        size_t good = t2g_utf8_invalid(s + i, n - i);
        T2G_TRY(t2g_buffer_append(out, s + i, good));
        i += good;
        if (i < n)
            T2G_TRY(t2g_buffer_puts(out, replacement));
    }
    return t2g_buffer_append(out, "", 0);
}
