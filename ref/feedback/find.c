/* Read t2g_find and t2g_find_waiting, at the bottom, first. */
#include "find.h"

#include <stdlib.h>
#include <string.h>

#include "edit_distance.h"
#include "search.h"

static t2g_status add_place(t2g_places *p, size_t begin, size_t end)
{
    if (p->count == 0)
        p->at = p->capacity ? p->at : &p->first;
    else if (p->count >= p->capacity) {
        size_t n = 2 * p->count + 2;
        t2g_range *at = t2g_regrow(p->capacity ? p->at : NULL, p->capacity, n,
                                   sizeof *at);
        if (!at)
            return T2G_ERR_MEMORY;
        if (p->capacity == 0)
            at[0] = p->first;
        p->at = at;
        p->capacity = n;
    }
    p->at[p->count++] = (t2g_range){begin, end};
    return T2G_OK;
}

void t2g_places_free(t2g_places *p)
{
    if (p->capacity)
        t2g_free(p->at);
    *p = (t2g_places){0};
}

bool t2g_inside_word(const char *text, size_t n, size_t i)
{
    return i > 0 && i < n && t2g_word_at(text, n, i - 1) &&
           t2g_word_at(text, n, i);
}

static bool at_words(const t2g_haystack *h, t2g_range r)
{
    return !t2g_inside_word(h->text, h->n, r.begin) &&
           !t2g_inside_word(h->text, h->n, r.end);
}

/* Occurrences at word borders are the only ones meant; when there are none,
 * those inside words may be (unless borders are required). */
static void keep_words(t2g_places *p, const t2g_haystack *h, bool required)
{
    size_t kept = 0;
    for (size_t i = 0; i < p->count; i++)
        kept += at_words(h, p->at[i]);
    if (kept == p->count || (kept == 0 && !required))
        return;
    kept = 0;
    for (size_t i = 0; i < p->count; i++)
        if (at_words(h, p->at[i]))
            p->at[kept++] = p->at[i];
    p->count = kept;
}

/* --- equal sequences ------------------------------------------------------ */

static t2g_part part_of(const t2g_folded *f)
{
    return (t2g_part){f->code, f->size};
}

/* Every occurrence in a text; f maps to bytes (NULL: they are bytes). */
static t2g_status find_equal(t2g_places *p, t2g_part text, const t2g_folded *f,
                             t2g_part pattern)
{
    t2g_search search;
    size_t first;
    t2g_search_begin(&search, text, 0, pattern);
    t2g_status s = t2g_search_next(&search, &first);
    while (s == T2G_OK && first != SIZE_MAX) {
        size_t end = first + pattern.n;
        s = f ? add_place(p, f->begin[first], f->end[end - 1])
              : add_place(p, first, end);
        if (s == T2G_OK)
            s = t2g_search_next(&search, &first);
    }
    t2g_search_end(&search);
    return s;
}

static t2g_status find_exact(t2g_places *p, t2g_haystack *h, const char *quote,
                             size_t n)
{
    h->quote.n = 0;
    T2G_TRY(t2g_codes_widen(&h->quote, quote, n));
    T2G_TRY(find_equal(p, (t2g_part){h->byte, h->n}, NULL,
                       (t2g_part){h->quote.code, n}));
    keep_words(p, h, false);
    return T2G_OK;
}

static t2g_status find_folded(t2g_places *p, const t2g_haystack *h,
                              const t2g_folded *pattern)
{
    T2G_TRY(find_equal(p, part_of(&h->folded), &h->folded, part_of(pattern)));
    keep_words(p, h, false);
    return T2G_OK;
}

/* --- what quoting adds ---------------------------------------------------- */

static bool word_byte(const char *s, size_t n, size_t i)
{
    return i < n && t2g_word_at(s, n, i);
}

/* Length of an escape, entity or mark at i and what it stands for ("" for
 * nothing); 0: none. */
static size_t markup(const char *s, size_t n, size_t i, const char **means)
{
    static const struct {
        const char *written, *means;
    } table[] = {{"\\\"", "\""}, {"\\'", "'"},  {"\\\\", "\\"},
                 {"\\n", " "},   {"\\t", " "},  {"&amp;", "&"},
                 {"&lt;", "<"},  {"&gt;", ">"}, {"&quot;", "\""},
                 {"&#39;", "'"}, {"**", ""},    {"__", ""},
                 {"`", ""}};
    if (!s[i] || !strchr("\\&*_`", s[i]))
        return 0;
    for (size_t k = 0; k < sizeof table / sizeof *table; k++) {
        size_t length = strlen(table[k].written);
        if (length <= n - i && memcmp(s + i, table[k].written, length) == 0) {
            *means = table[k].means;
            return length;
        }
    }
    *means = "";
    bool edge = (s[i] == '*' || s[i] == '_') &&
                (i > 0 && word_byte(s, n, i - 1)) != word_byte(s, n, i + 1);
    return edge;
}

/* The quote without backslash escapes, entities and Markdown marks, folded. */
static t2g_status fold_unescaped(t2g_folded *out, const char *quote, size_t n)
{
    t2g_buffer clean = {0};
    t2g_status s = T2G_OK;
    for (size_t i = 0; s == T2G_OK && i < n;) {
        const char *means;
        size_t length = markup(quote, n, i, &means);
        s = length ? t2g_buffer_puts(&clean, means)
                   : t2g_buffer_append(&clean, quote + i, 1);
        i += length ? length : 1;
    }
    if (s == T2G_OK)
        s = t2g_fold(out, clean.data ? clean.data : "", clean.size);
    t2g_buffer_free(&clean);
    return s;
}

/* --- letters and digits alone --------------------------------------------- */

static t2g_status find_skeleton(t2g_places *p, t2g_haystack *h)
{
    T2G_TRY(t2g_fold_skeleton(&h->bones, &h->clean));
    if (h->bones.size >= 3)
        T2G_TRY(find_equal(p, part_of(&h->skeleton), &h->skeleton,
                           part_of(&h->bones)));
    keep_words(p, h, true);
    return T2G_OK;
}

/* --- parts left out ------------------------------------------------------- */

/* The next piece of a pattern between runs of three or more dots, from *at on,
 * blanks at its ends left out. dots: is there such a run behind it? */
static t2g_range next_piece(const t2g_folded *f, size_t *at, bool *dots)
{
    size_t end = *at, run = 0;
    t2g_range r = {*at, 0};
    while (end + run < f->size && run < 3) {
        if (f->code[end + run] == '.')
            run++;
        else
            end += run + 1, run = 0;
    }
    *dots = run >= 3;
    r.end = *dots ? end : f->size;
    for (*at = r.end; *at < f->size && f->code[*at] == '.';)
        ++*at;
    while (r.begin < r.end && f->code[r.begin] == ' ')
        r.begin++;
    while (r.end > r.begin && f->code[r.end - 1] == ' ')
        r.end--;
    return r;
}

/* Start of the first occurrence of a piece at or behind `from`, or SIZE_MAX. */
static t2g_status first_behind(const t2g_folded *text, size_t from,
                               t2g_part piece, size_t *begin)
{
    t2g_search search;
    t2g_search_begin(&search, part_of(text), from, piece);
    t2g_status s = t2g_search_next(&search, begin);
    t2g_search_end(&search);
    return s;
}

/* All pieces in order, each at the first place behind the one before. */
static t2g_status find_ellipsis(t2g_places *p, const t2g_haystack *h,
                                const t2g_folded *pattern)
{
    const t2g_folded *text = &h->folded;
    size_t at = 0, from = 0, first = SIZE_MAX, begin;
    bool dots, any = false;
    while (at < pattern->size) {
        t2g_range r = next_piece(pattern, &at, &dots);
        any |= dots;
        if (!any)
            return T2G_OK; /* nothing was left out */
        if (r.begin == r.end)
            continue;
        t2g_part piece = {pattern->code + r.begin, r.end - r.begin};
        T2G_TRY(first_behind(text, from, piece, &begin));
        if (begin == SIZE_MAX)
            return T2G_OK;
        first = first == SIZE_MAX ? begin : first;
        from = begin + piece.n;
    }
    if (!any || first == SIZE_MAX || from - first > 6 * pattern->size + 80)
        return T2G_OK;
    return add_place(p, text->begin[first], text->end[from - 1]);
}

/* --- with errors ---------------------------------------------------------- */

/* Most errors in m characters. At these limits quotes that are not in a text
 * are found in it in well under one case of a hundred. */
static size_t most_errors(size_t m)
{
    double share = m < 20 ? 0.20 : m < 40 ? 0.30 : 0.35;
    return m < 8 ? 0 : (size_t)(share * (double)m);
}

/* A group of quotes sought with errors, and the scratch for it. */
typedef struct group {
    const t2g_haystack *h;
    const t2g_kernels *k;
    t2g_patterns patterns;
    uint16_t *row;      /* [folded.size]: the text as the group's symbols */
    uint16_t *distance; /* [folded.size][stride] */
} group;

/* One quote of it. */
typedef struct fuzzy {
    group *g;
    const t2g_haystack *h;
    size_t lane, length;
    size_t least, most; /* distances: the smallest there is, the largest
                           allowed */
    size_t effort;      /* words of bits that may still be computed */
    t2g_places *out;
} fuzzy;

static size_t words_of(size_t length)
{
    return (length + 63) / 64;
}

static size_t distance_at(const fuzzy *z, size_t end)
{
    return z->g->distance[(end - 1) * z->g->patterns.stride + z->lane];
}

/* The first end from `end` on at a distance of at most `most`, or beyond the
 * text. Neighbours differ by at most 1: what is far off is passed quickly. */
static size_t next_end(const fuzzy *z, size_t end, size_t most)
{
    size_t n = z->h->folded.size;
    while (end <= n && distance_at(z, end) > most)
        end += distance_at(z, end) - most;
    return end;
}

/* Where the match that ends before folded character `end` begins. */
static size_t start_of(fuzzy *z, size_t end)
{
    size_t d = distance_at(z, end);
    size_t cost = (z->length + d) * words_of(z->length);
    z->effort = z->effort > cost ? z->effort - cost : 0;
    return t2g_patterns_start(&z->g->patterns, z->g->k, z->lane, z->g->row, end,
                              (uint16_t)d);
}

/* Matches of one cost: twice the distance, and 1 for each end inside a word. */
static t2g_status add_matches(fuzzy *z, size_t cost)
{
    const t2g_haystack *h = z->h;
    size_t most = cost / 2 < z->most ? cost / 2 : z->most;
    for (size_t end = next_end(z, 1, most);
         end <= h->folded.size && z->effort; end = next_end(z, end + 1, most)) {
        size_t d = distance_at(z, end);
        if (2 * d + 2 < cost)
            continue;
        t2g_range r = {0, h->folded.end[end - 1]};
        size_t known = 2 * d + t2g_inside_word(h->text, h->n, r.end);
        if (known != cost && known + 1 != cost)
            continue;
        r.begin = h->folded.begin[start_of(z, end)];
        if (known + t2g_inside_word(h->text, h->n, r.begin) == cost)
            T2G_TRY(add_place(z->out, r.begin, r.end));
    }
    return T2G_OK;
}

static int by_start_then_longest(const void *a, const void *b)
{
    const t2g_range *x = a, *y = b;
    if (x->begin != y->begin)
        return x->begin < y->begin ? -1 : 1;
    return (x->end < y->end) - (x->end > y->end);
}

static void drop_overlapping(t2g_places *p)
{
    size_t kept = 0;
    if (p->count)
        qsort(p->at, p->count, sizeof *p->at, by_start_then_longest);
    for (size_t i = 0; i < p->count; i++)
        if (kept == 0 || p->at[i].begin >= p->at[kept - 1].end)
            p->at[kept++] = p->at[i];
    p->count = kept;
}

/* The cheapest matches. The effort for finding their starts is a multiple of
 * that for their ends: only texts that repeat themselves endlessly need it. */
static t2g_status find_matches(fuzzy *z)
{
    t2g_places *out = z->out;
    z->effort = 32 * z->h->folded.size * words_of(z->length) + 1000000;
    z->most = most_errors(z->length);
    out->distance = z->least;
    if (z->least > z->most)
        return T2G_OK;
    for (size_t extra = 0; extra <= 2 && out->count == 0; extra++)
        T2G_TRY(add_matches(z, 2 * z->least + extra));
    drop_overlapping(out);
    return T2G_OK;
}

/* The first `count` of w, which fit in one group. */
static t2g_status find_group(group *g, const t2g_waiting *w, size_t count)
{
    const t2g_haystack *h = g->h;
    t2g_part pattern[T2G_EDIT_LANES];
    uint16_t least[T2G_EDIT_LANES];
    for (size_t l = 0; l < count; l++)
        pattern[l] = (t2g_part){h->waiting_codes.code + w[l].begin, w[l].n};
    T2G_TRY(t2g_patterns_make(&g->patterns, pattern, count));
    t2g_patterns_rows(&g->patterns, g->row, part_of(&h->folded));
    t2g_patterns_distances(&g->patterns, g->k, g->row, h->folded.size,
                           g->distance, least);
    t2g_status s = T2G_OK;
    for (size_t l = 0; s == T2G_OK && l < count; l++) {
        fuzzy z = {.g = g, .h = h, .lane = l, .length = w[l].n,
                   .least = least[l], .out = w[l].out};
        s = find_matches(&z);
        if (s == T2G_OK && w[l].out->count)
            w[l].out->method = "fuzzy";
    }
    t2g_patterns_free(&g->patterns);
    return s;
}

static size_t group_size(const t2g_waiting *w, size_t count)
{
    size_t size = 0;
    while (size < count && size < T2G_EDIT_LANES &&
           w[size].n <= T2G_PATTERN_SHARED)
        size++;
    return size ? size : 1;
}

static int by_length(const void *a, const void *b)
{
    const t2g_waiting *x = a, *y = b;
    return (x->n > y->n) - (x->n < y->n);
}

/* Quotes of about one length share a group: it costs what its longest does. */
static t2g_status find_groups(t2g_haystack *h, const t2g_kernels *k)
{
    size_t n = h->folded.size, count = h->waiting_count;
    group g = {.h = h, .k = k};
    g.row = t2g_calloc(n, sizeof *g.row);
    g.distance = t2g_calloc(n, t2g_edit_stride(count) * sizeof *g.distance);
    t2g_status s = g.row && g.distance ? T2G_OK : T2G_ERR_MEMORY;
    qsort(h->waiting, count, sizeof *h->waiting, by_length);
    for (size_t i = 0, size; s == T2G_OK && i < count; i += size) {
        size = group_size(h->waiting + i, count - i);
        s = find_group(&g, h->waiting + i, size);
    }
    t2g_free(g.row);
    t2g_free(g.distance);
    return s;
}

static t2g_status add_waiting(t2g_haystack *h, t2g_places *out)
{
    if (h->waiting_count == h->waiting_capacity) {
        size_t n = 2 * h->waiting_count + T2G_EDIT_LANES;
        t2g_waiting *more = t2g_regrow(h->waiting, h->waiting_count, n,
                                       sizeof *more);
        if (!more)
            return T2G_ERR_MEMORY;
        h->waiting = more;
        h->waiting_capacity = n;
    }
    size_t begin = h->waiting_codes.n, n = h->clean.size;
    T2G_TRY(t2g_codes_append(&h->waiting_codes, h->clean.code, n));
    h->waiting[h->waiting_count++] = (t2g_waiting){out, begin, n};
    return T2G_OK;
}

static t2g_status find_fuzzy(t2g_places *out, t2g_haystack *h)
{
    size_t n = h->clean.size;
    if (most_errors(n) == 0 || n > T2G_PATTERN_MOST) {
        out->reason = n < 8 ? "too_short_for_fuzzy" : "too_long_for_fuzzy";
        return T2G_OK;
    }
    out->reason = "over_threshold";
    out->distance = out->length = n;
    return h->folded.size ? add_waiting(h, out) : T2G_OK;
}

/* --- the cascade ---------------------------------------------------------- */

t2g_status t2g_haystack_make(t2g_haystack *h, const char *text, size_t n)
{
    t2g_codes byte = {0};
    *h = (t2g_haystack){.text = text, .n = n};
    T2G_TRY(t2g_codes_widen(&byte, text, n));
    h->byte = byte.code;
    return T2G_OK;
}

static t2g_status prepare(t2g_haystack *h)
{
    if (h->ready)
        return T2G_OK;
    T2G_TRY(t2g_fold(&h->folded, h->text, h->n));
    T2G_TRY(t2g_fold_skeleton(&h->skeleton, &h->folded));
    h->ready = true;
    return T2G_OK;
}

void t2g_haystack_free(t2g_haystack *h)
{
    t2g_free(h->byte);
    t2g_folded_free(&h->folded);
    t2g_folded_free(&h->skeleton);
    t2g_codes_free(&h->quote);
    t2g_folded_free(&h->pattern);
    t2g_folded_free(&h->clean);
    t2g_folded_free(&h->bones);
    t2g_free(h->waiting);
    t2g_codes_free(&h->waiting_codes);
    *h = (t2g_haystack){0};
}

static bool settled(t2g_places *p, const char *method)
{
    if (p->count)
        p->method = method;
    return p->count > 0;
}

static bool same_codes(const t2g_folded *a, const t2g_folded *b)
{
    return a->size == b->size &&
           memcmp(a->code, b->code, a->size * sizeof *a->code) == 0;
}

/* The levels that look at more than the quote as it is. */
static t2g_status find_damaged(t2g_places *out, t2g_haystack *h)
{
    if (!same_codes(&h->pattern, &h->clean))
        T2G_TRY(find_folded(out, h, &h->clean));
    if (settled(out, "unescaped"))
        return T2G_OK;
    T2G_TRY(find_skeleton(out, h));
    if (settled(out, "skeleton"))
        return T2G_OK;
    T2G_TRY(find_ellipsis(out, h, &h->pattern));
    return settled(out, "ellipsis") ? T2G_OK : find_fuzzy(out, h);
}

static t2g_status find_changed(t2g_places *out, t2g_haystack *h,
                               const char *quote, size_t n)
{
    T2G_TRY(prepare(h));
    T2G_TRY(find_folded(out, h, &h->pattern));
    if (settled(out, "folded"))
        return T2G_OK;
    T2G_TRY(fold_unescaped(&h->clean, quote, n));
    return find_damaged(out, h);
}

t2g_status t2g_find(t2g_haystack *h, const char *quote, size_t n,
                    t2g_places *out)
{
    out->method = "none";
    T2G_TRY(find_exact(out, h, quote, n));
    if (settled(out, "exact"))
        return T2G_OK;
    T2G_TRY(t2g_fold(&h->pattern, quote, n));
    out->reason = "empty";
    if (h->pattern.size)
        T2G_TRY(find_changed(out, h, quote, n));
    if (out->length == 0)
        out->length = h->pattern.size;
    return T2G_OK;
}

t2g_status t2g_find_waiting(t2g_haystack *h, const t2g_kernels *k)
{
    t2g_kernels selected;
    if (h->waiting_count == 0)
        return T2G_OK;
    if (!k) {
        T2G_TRY(t2g_kernels_select(&selected, NULL));
        k = &selected;
    }
    t2g_status s = find_groups(h, k);
    h->waiting_count = h->waiting_codes.n = 0;
    return s;
}
