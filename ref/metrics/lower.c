/* Lower case of Unicode, without a language. */
#include "lower.h"

#include "../tokenizer/unicode.h"
#include "metrics_private.h"

enum { CAPITAL_SIGMA = 0x3a3, SIGMA = 0x3c3, FINAL_SIGMA = 0x3c2,
       DOTTED_CAPITAL_I = 0x130 };

static uint32_t lower_of(uint32_t code)
{
    size_t low = 0, high = t2g_lower_runs_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (t2g_lower_runs[middle].last < code)
            low = middle + 1;
        else
            high = middle;
    }
    const t2g_lower_run *run = &t2g_lower_runs[low];
    bool in = low < t2g_lower_runs_count && code >= run->first &&
              (code - run->first) % run->step == 0;
    return in ? code + (uint32_t)run->add : code;
}

static bool in_ranges(const t2g_code_range *range, size_t count, uint32_t code)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (range[middle].last < code)
            low = middle + 1;
        else
            high = middle;
    }
    return low < count && range[low].first <= code;
}

static bool ignored(uint32_t code)
{
    return in_ranges(t2g_ignored, t2g_ignored_count, code);
}

static bool cased(uint32_t code)
{
    return in_ranges(t2g_cased, t2g_cased_count, code);
}

/* Is the capital sigma at i the end of a word: a cased character before it and
 * none behind, ignored ones aside? `before`: the last one that counts. */
static bool final_sigma(t2g_text text, size_t i, uint32_t before)
{
    const unsigned char *s = (const unsigned char *)text.data;
    if (!cased(before))
        return false;
    for (i += utf8_length(s[i]); i < text.size; i += utf8_length(s[i])) {
        uint32_t code = utf8_decode(s + i);
        if (!ignored(code))
            return !cased(code);
    }
    return true;
}

static t2g_status put(t2g_buffer *out, uint32_t code)
{
    char bytes[4];
    return t2g_buffer_append(out, bytes, utf8_encode(bytes, code));
}

t2g_status t2g_lower(t2g_buffer *out, t2g_text text)
{
    const unsigned char *s = (const unsigned char *)text.data;
    uint32_t before = 0; /* the last character that is not ignored */
    T2G_TRY(t2g_text_check(text));
    for (size_t i = 0; i < text.size; i += utf8_length(s[i])) {
        uint32_t code = utf8_decode(s + i);
        if (code == DOTTED_CAPITAL_I)
            T2G_TRY(t2g_buffer_puts(out, "i\xcc\x87"));
        else if (code == CAPITAL_SIGMA)
            T2G_TRY(put(out, final_sigma(text, i, before) ? FINAL_SIGMA
                                                          : SIGMA));
        else
            T2G_TRY(put(out, lower_of(code)));
        if (!ignored(code))
            before = code;
    }
    return t2g_buffer_append(out, "", 0);
}
