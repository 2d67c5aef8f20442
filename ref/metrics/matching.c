/* Matching blocks of two texts. */
#include "../tokenizer/unicode.h"
#include "metrics_private.h"
#include "t2g/official.h"

static size_t characters(t2g_text text)
{
    const unsigned char *s = (const unsigned char *)text.data;
    size_t count = 0;
    for (size_t i = 0; i < text.size; i += utf8_length(s[i]))
        count++;
    return count;
}

t2g_status t2g_text_match(t2g_text_matching *out, t2g_text a, t2g_text b)
{
    t2g_matching m;
    T2G_TRY(t2g_text_check(a));
    T2G_TRY(t2g_text_check(b));
    T2G_TRY(t2g_sequence_match(&m, a, b, true));
    *out = (t2g_text_matching){characters(a), characters(b), 0, m.ratio};
    for (size_t i = 0; i < m.count; i++)
        out->matched += m.block[i].size;
    t2g_matching_free(&m);
    return T2G_OK;
}
