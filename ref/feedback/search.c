/* A window moves over the text. Its last two characters tell how far it may
 * move on without passing an occurrence [Horspool80, over pairs], so that most
 * of an ordinary text is never looked at. Texts and patterns that repeat
 * themselves use up the effort this may take, a few comparisons for each
 * character passed; Knuth, Morris and Pratt go on from there, linear whatever
 * the text. */
#include "search.h"

#include <string.h>

static uint8_t hash_pair(const uint32_t *last)
{
    return (uint8_t)(last[-1] << 3 ^ last[0]);
}

void t2g_search_begin(t2g_search *s, t2g_part text, size_t from,
                      t2g_part pattern)
{
    size_t m = pattern.n, most = m == 0 ? 0 : m > 256 ? 255 : m - 1;
    s->text = text;
    s->pattern = pattern;
    s->border = NULL;
    s->matched = 0;
    if (m == 0 || from > text.n || m > text.n - from) {
        s->pattern.n = 0; /* nothing to find */
        return;
    }
    s->at = from + m - 1;
    s->effort = most ? 4 * m : 0;
    memset(s->shift, (int)most, sizeof s->shift);
    for (size_t i = m - most; i < m; i++) {
        uint8_t *shift = &s->shift[hash_pair(pattern.code + i)];
        s->again = *shift;
        *shift = (uint8_t)(m - 1 - i);
    }
}

void t2g_search_end(t2g_search *s)
{
    t2g_free(s->border);
    s->border = NULL;
}

/* The windows; false: the text's end, or no effort is left. */
static bool next_window(t2g_search *s, size_t *start)
{
    const uint32_t *text = s->text.code;
    size_t m = s->pattern.n, bytes = m * sizeof *text;
    while (s->at < s->text.n && s->effort >= m) {
        size_t shift = s->shift[hash_pair(text + s->at)];
        if (shift) {
            s->at += shift;
            s->effort += 4 * shift;
            continue;
        }
        *start = s->at + 1 - m;
        s->at += s->again;
        s->effort += 4 * s->again - m;
        if (memcmp(text + *start, s->pattern.code, bytes) == 0)
            return true;
    }
    return false;
}

/* border[i]: the longest proper border of the pattern's first i + 1. */
static t2g_status make_borders(t2g_search *s)
{
    const uint32_t *pattern = s->pattern.code;
    s->border = t2g_calloc(s->pattern.n, sizeof *s->border);
    if (!s->border)
        return T2G_ERR_MEMORY;
    for (size_t i = 1, k = 0; i < s->pattern.n; i++) {
        while (k > 0 && pattern[i] != pattern[k])
            k = s->border[k - 1];
        k += pattern[i] == pattern[k];
        s->border[i] = k;
    }
    s->at -= s->pattern.n - 1; /* the window's first character */
    return T2G_OK;
}

static bool next_linear(t2g_search *s, size_t *start)
{
    const uint32_t *text = s->text.code, *pattern = s->pattern.code;
    size_t m = s->pattern.n, k = s->matched;
    for (size_t i = s->at; i < s->text.n; i++) {
        while (k > 0 && text[i] != pattern[k])
            k = s->border[k - 1];
        k += text[i] == pattern[k];
        if (k < m)
            continue;
        s->matched = s->border[k - 1];
        s->at = i + 1;
        *start = i + 1 - m;
        return true;
    }
    s->at = s->text.n;
    s->matched = 0;
    return false;
}

t2g_status t2g_search_next(t2g_search *s, size_t *start)
{
    bool found = false;
    if (s->pattern.n && !s->border) {
        found = next_window(s, start);
        if (!found && s->at < s->text.n)
            T2G_TRY(make_borders(s));
    }
    if (s->border)
        found = next_linear(s, start);
    if (!found)
        *start = SIZE_MAX;
    return T2G_OK;
}
