/* Added tokens: contents that are found in the text before anything else. */
#include <stdlib.h>
#include <string.h>

#include "tokenizer_private.h"
#include "unicode.h"

/* --- building ------------------------------------------------------------ */

static int compare_contents(const t2g_vocabulary *v, uint32_t a, uint32_t b)
{
    const t2g_token *x = &v->token[a], *y = &v->token[b];
    size_t shorter = x->content_length < y->content_length ? x->content_length
                                                           : y->content_length;
    int order = memcmp(token_content(v, a), token_content(v, b), shorter);
    if (order != 0)
        return order;
    return (x->content_length > y->content_length) -
           (x->content_length < y->content_length);
}

static void sift_down(const t2g_vocabulary *v, uint32_t *id, size_t i,
                      size_t count)
{
    for (size_t child; (child = 2 * i + 1) < count; i = child) {
        if (child + 1 < count &&
            compare_contents(v, id[child], id[child + 1]) < 0)
            child++;
        if (compare_contents(v, id[i], id[child]) >= 0)
            return;
        uint32_t swap = id[i];
        id[i] = id[child];
        id[child] = swap;
    }
}

/* Heapsort: qsort has no argument for the vocabulary. */
static void sort_contents(const t2g_vocabulary *v, uint32_t *id, size_t count)
{
    for (size_t i = count / 2; i-- > 0;)
        sift_down(v, id, i, count);
    for (size_t last = count; last-- > 1;) {
        uint32_t swap = id[0];
        id[0] = id[last];
        id[last] = swap;
        sift_down(v, id, 0, last);
    }
}

t2g_status t2g_added_build(t2g_added_set *set, const t2g_vocabulary *v,
                           unsigned mask, unsigned value)
{
    set->count = 0;
    for (size_t id = 0; id < v->size; id++)
        set->count += (v->token[id].flags & mask) == value;
    set->id = t2g_calloc(set->count, sizeof *set->id);
    if (!set->id)
        return T2G_ERR_MEMORY;
    size_t count = 0;
    for (uint32_t id = 0; id < v->size; id++)
        if ((v->token[id].flags & mask) == value)
            set->id[count++] = id;
    sort_contents(v, set->id, count);
    for (size_t byte = 0, i = 0; byte < 257; byte++) {
        while (i < count &&
               (unsigned char)*token_content(v, set->id[i]) < byte)
            i++;
        set->first[byte] = i;
    }
    return T2G_OK;
}

/* --- finding ------------------------------------------------------------- */

/* First index in [low, high) whose content has more than `depth` bytes and the
 * one there is at least `byte`. All share their first `depth` bytes, so those
 * that end there come first. */
static size_t lower_bound(const t2g_added_set *set, const t2g_vocabulary *v,
                          size_t low, size_t high, size_t depth, int byte)
{
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        uint32_t id = set->id[middle];
        if (v->token[id].content_length > depth &&
            (unsigned char)token_content(v, id)[depth] >= byte)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

/* The longest content at p: narrows the sorted contents byte by byte. */
static bool longest_at(const t2g_added_set *set, const t2g_vocabulary *v,
                       const unsigned char *s, size_t p, size_t n,
                       t2g_added_match *match)
{
    size_t low = set->first[s[p]], high = set->first[s[p] + 1];
    bool found = false;
    for (size_t depth = 1; low < high; depth++) {
        if (v->token[set->id[low]].content_length == depth) {
            *match = (t2g_added_match){p, p + depth, set->id[low]};
            found = true;
        }
        if (p + depth == n)
            break;
        int byte = s[p + depth];
        low = lower_bound(set, v, low, high, depth, byte);
        high = lower_bound(set, v, low, high, depth, byte + 1);
    }
    return found;
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

/* A candidate that is refused is passed over as a whole; whitespace taken by
 * rstrip is searched again. Both as the reference does. */
bool t2g_added_next(const t2g_added_set *set, const t2g_vocabulary *v,
                    const char *text, size_t n, bool no_special,
                    t2g_added_scan *scan, t2g_added_match *match)
{
    const unsigned char *s = (const unsigned char *)text;
    size_t p = scan->searched;
    while (set->count > 0 && p < n) {
        if (!longest_at(set, v, s, p, n, match)) {
            p++;
            continue;
        }
        p = match->end;
        unsigned flags = v->token[match->id].flags;
        if ((no_special && flags & TOKEN_SPECIAL) ||
            (flags & TOKEN_SINGLE_WORD && !stands_alone(s, n, match)))
            continue;
        strip(s, n, scan->taken, flags, match);
        scan->searched = p;
        return true;
    }
    scan->searched = n;
    return false;
}
