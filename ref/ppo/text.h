/* Characters of text that may not be UTF-8. */
#ifndef T2G_PPO_TEXT_H
#define T2G_PPO_TEXT_H

#include <stdbool.h>

#include "../tokenizer/unicode.h"
#include "t2g/files.h"

/* The character at s, n >= 1 bytes left, and its length. A byte that is not
 * UTF-8 stands alone, as U+FFFD: no letter, no white space, no mark. */
static inline uint32_t next_character(const char *s, size_t n, size_t *length)
{
    *length = utf8_length((unsigned char)*s);
    if (*length <= n && t2g_utf8_invalid(s, *length) == *length)
        return utf8_decode((const unsigned char *)s);
    *length = 1;
    return 0xfffd;
}

/* White space as Python's str.split has it. */
static inline bool white_space(uint32_t c)
{
    return (c >= 0x1c && c <= 0x1f) || (unicode_class(c) & CLASS_SPACE);
}

#endif
