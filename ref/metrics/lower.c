/* Lower case of texts. */
#include "../tokenizer/chat_case.h"
#include "../tokenizer/unicode.h"
#include "metrics_private.h"

static t2g_status append_lower(t2g_buffer *out, t2g_text text, size_t at)
{
    char bytes[4];
    uint32_t code[3];
    size_t count = t2g_lower_at(text.data, text.size, at, code);
    for (size_t i = 0; i < count; i++)
        T2G_TRY(t2g_buffer_append(out, bytes, utf8_encode(bytes, code[i])));
    return T2G_OK;
}

t2g_status t2g_lower_text(t2g_buffer *out, t2g_text text)
{
    const unsigned char *s = (const unsigned char *)text.data;
    T2G_TRY(t2g_text_check(text));
    for (size_t i = 0; i < text.size; i += utf8_length(s[i])) {
        char c = (char)(s[i] >= 'A' && s[i] <= 'Z' ? s[i] | 0x20 : s[i]);
        T2G_TRY(s[i] < 0x80 ? t2g_buffer_append(out, &c, 1)
                            : append_lower(out, text, i));
    }
    return t2g_buffer_append(out, "", 0);
}
