/* Added tokens: contents that are found in the text before anything else. */
#include <string.h>

#include "tokenizer_private.h"
#include "unicode.h"

/* --- building ------------------------------------------------------------ */

t2g_status t2g_added_put(t2g_added_set *set, const char *text, size_t n,
                         uint32_t id)
{
    if (set->count == set->capacity) {
        size_t capacity = set->capacity ? 2 * set->capacity : 16;
        t2g_pattern *pattern = t2g_regrow(set->pattern, set->count, capacity,
                                          sizeof *pattern);
        if (!pattern)
            return T2G_ERR_MEMORY;
        set->pattern = pattern;
        set->capacity = capacity;
    }
    t2g_pattern new = {set->text.size, n, id};
    T2G_TRY(t2g_buffer_append(&set->text, text, n));
    set->pattern[set->count++] = new;
    return T2G_OK;
}

void t2g_added_free(t2g_added_set *set)
{
    t2g_buffer_free(&set->text);
    t2g_free(set->pattern);
}

static const char *text_of(const t2g_added_set *set, size_t i)
{
    return set->text.data + set->pattern[i].begin;
}

/* By text, of equal ones the smaller id first. */
static int compare(const t2g_added_set *set, size_t i, size_t j)
{
    const t2g_pattern *x = &set->pattern[i], *y = &set->pattern[j];
    size_t shorter = x->length < y->length ? x->length : y->length;
    int order = memcmp(text_of(set, i), text_of(set, j), shorter);
    if (order != 0)
        return order;
    if (x->length != y->length)
        return x->length > y->length ? 1 : -1;
    return (x->id > y->id) - (x->id < y->id);
}

static void swap(t2g_added_set *set, size_t i, size_t j)
{
    t2g_pattern x = set->pattern[i];
    set->pattern[i] = set->pattern[j];
    set->pattern[j] = x;
}

static void sift_down(t2g_added_set *set, size_t i, size_t count)
{
    for (size_t child; (child = 2 * i + 1) < count; i = child) {
        if (child + 1 < count && compare(set, child, child + 1) < 0)
            child++;
        if (compare(set, i, child) >= 0)
            return;
        swap(set, i, child);
    }
}

/* Heapsort: qsort has no argument for the text. */
void t2g_added_sort(t2g_added_set *set)
{
    for (size_t i = set->count / 2; i-- > 0;)
        sift_down(set, i, set->count);
    for (size_t last = set->count; last-- > 1;) {
        swap(set, 0, last);
        sift_down(set, 0, last);
    }
    for (int byte = 0, i = 0; byte < 257; byte++) {
        while ((size_t)i < set->count &&
               (unsigned char)*text_of(set, (size_t)i) < byte)
            i++;
        set->first[byte] = (size_t)i;
    }
    int first = set->count > 0 ? (unsigned char)*text_of(set, 0) : 0;
    bool same = set->count > 0 && set->first[first + 1] == set->count;
    set->only = same ? first : -1;
}

/* --- finding ------------------------------------------------------------- */

/* First index in [low, high) whose content has more than `depth` bytes and the
 * one there is at least `byte`. All share their first `depth` bytes, so those
 * that end there come first. */
static size_t lower_bound(const t2g_added_set *set, size_t low, size_t high,
                          size_t depth, int byte)
{
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (set->pattern[middle].length > depth &&
            (unsigned char)text_of(set, middle)[depth] >= byte)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

/* The longest text at p: narrows the sorted texts byte by byte. */
static bool longest_at(const t2g_added_set *set, const unsigned char *s,
                       size_t p, size_t n, t2g_added_match *match)
{
    size_t low = set->first[s[p]], high = set->first[s[p] + 1];
    bool found = false;
    for (size_t depth = 1; low < high; depth++) {
        for (size_t i = low; i < high && set->pattern[i].length == depth;
             i++) {
            *match = (t2g_added_match){p, p + depth, set->pattern[i].id};
            found = true;
        }
        if (p + depth == n)
            break;
        int byte = s[p + depth];
        low = lower_bound(set, low, high, depth, byte);
        high = lower_bound(set, low, high, depth, byte + 1);
    }
    return found;
}

/* Where a text could begin, from p on; n if nowhere. */
static size_t next_start(const t2g_added_set *set, const unsigned char *s,
                         size_t p, size_t n)
{
    if (set->only >= 0) {
        const unsigned char *at = memchr(s + p, set->only, n - p);
        return at ? (size_t)(at - s) : n;
    }
    while (p < n && set->first[s[p]] == set->first[s[p] + 1])
        p++;
    return p;
}

static bool stands_alone(const unsigned char *s, size_t n,
                         const t2g_added_match *m)
{
    if (m->begin > 0 &&
        unicode_class(utf8_decode(s + utf8_before(s, m->begin))) & CLASS_WORD)
        return false;
    return m->end == n ||
           !(unicode_class(utf8_decode(s + m->end)) & CLASS_WORD);
}

static bool space_at(const unsigned char *s, size_t p)
{
    return unicode_class(utf8_decode(s + p)) & CLASS_SPACE;
}

/* Takes neighbouring whitespace into the match, but none of an earlier one. */
static void strip(const unsigned char *s, size_t n, size_t taken,
                  unsigned flags, t2g_added_match *m)
{
    if (flags & TOKEN_LSTRIP)
        while (m->begin > taken && space_at(s, utf8_before(s, m->begin)))
            m->begin = utf8_before(s, m->begin);
    if (flags & TOKEN_RSTRIP)
        while (m->end < n && space_at(s, m->end))
            m->end += utf8_length(s[m->end]);
}

/* Whether a special token is to be taken as the plain text it stands in. */
static bool is_plain(const t2g_piece *piece, const t2g_added_scan *scan,
                     const t2g_added_match *m)
{
    if (scan->no_special)
        return true;
    if (!scan->input)
        return false;
    size_t end = piece_end(piece, m->end);
    for (size_t i = piece_begin(piece, m->begin); i < end; i++)
        if (scan->input[i])
            return true;
    return false;
}

/* A candidate that is refused is passed over as a whole; whitespace taken by
 * rstrip is searched again. Both as the reference does. */
bool t2g_added_next(const t2g_added_set *set, const t2g_vocabulary *v,
                    const t2g_piece *piece, t2g_added_scan *scan,
                    t2g_added_match *match)
{
    const unsigned char *s = (const unsigned char *)piece->text;
    size_t p = scan->searched, n = piece->n;
    while (set->count > 0 && (p = next_start(set, s, p, n)) < n) {
        if (!longest_at(set, s, p, n, match)) {
            p++;
            continue;
        }
        p = match->end;
        unsigned flags = v->token[match->id].flags;
        if ((flags & TOKEN_SPECIAL && is_plain(piece, scan, match)) ||
            (flags & TOKEN_SINGLE_WORD && !stands_alone(s, n, match)))
            continue;
        strip(s, n, scan->taken, flags, match);
        scan->searched = p;
        return true;
    }
    scan->searched = n;
    return false;
}
