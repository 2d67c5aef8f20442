/* Read t2g_find, at the bottom, first. */
#include "find.h"

#include <stdlib.h>
#include <string.h>

#include "edit_distance.h"

static t2g_status add_place(t2g_places *p, size_t begin, size_t end)
{
    if (p->count == p->capacity) {
        size_t n = p->capacity ? 2 * p->capacity : 4;
        t2g_range *at = t2g_regrow(p->at, p->count, n, sizeof *at);
        if (!at)
            return T2G_ERR_MEMORY;
        p->at = at;
        p->capacity = n;
    }
    p->at[p->count++] = (t2g_range){begin, end};
    return T2G_OK;
}

void t2g_places_free(t2g_places *p)
{
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

/* Knuth, Morris and Pratt: at each place the length of the longest proper
 * border. Linear whatever the text. */
static size_t *borders(const uint32_t *pattern, size_t m)
{
    size_t *border = t2g_calloc(m, sizeof *border);
    for (size_t i = 1, k = 0; border && i < m; i++) {
        while (k > 0 && pattern[i] != pattern[k])
            k = border[k - 1];
        k += pattern[i] == pattern[k];
        border[i] = k;
    }
    return border;
}

/* Every occurrence in text[0, n); f maps to bytes (NULL: they are bytes). */
static t2g_status find_equal(t2g_places *p, const uint32_t *text, size_t n,
                             const t2g_folded *f, const uint32_t *pattern,
                             size_t m)
{
    if (m == 0 || m > n)
        return T2G_OK;
    size_t *border = borders(pattern, m), k = 0;
    t2g_status s = border ? T2G_OK : T2G_ERR_MEMORY;
    for (size_t i = 0; s == T2G_OK && i < n; i++) {
        while (k > 0 && text[i] != pattern[k])
            k = border[k - 1];
        k += text[i] == pattern[k];
        if (k < m)
            continue;
        size_t first = i + 1 - m;
        s = f ? add_place(p, f->begin[first], f->end[i])
              : add_place(p, first, i + 1);
        k = border[k - 1];
    }
    t2g_free(border);
    return s;
}

static t2g_status find_exact(t2g_places *p, const t2g_haystack *h,
                             const char *quote, size_t n)
{
    uint32_t *wide = t2g_calloc(n, sizeof *wide);
    if (!wide)
        return T2G_ERR_MEMORY;
    for (size_t i = 0; i < n; i++)
        wide[i] = (unsigned char)quote[i];
    t2g_status s = find_equal(p, h->byte, h->n, NULL, wide, n);
    t2g_free(wide);
    keep_words(p, h, false);
    return s;
}

static t2g_status find_folded(t2g_places *p, const t2g_haystack *h,
                              const t2g_folded *pattern)
{
    T2G_TRY(find_equal(p, h->folded.code, h->folded.size, &h->folded,
                       pattern->code, pattern->size));
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

static t2g_status find_skeleton(t2g_places *p, const t2g_haystack *h,
                                const t2g_folded *clean)
{
    t2g_folded pattern;
    T2G_TRY(t2g_fold_skeleton(&pattern, clean));
    t2g_status s = T2G_OK;
    if (pattern.size >= 3)
        s = find_equal(p, h->skeleton.code, h->skeleton.size, &h->skeleton,
                       pattern.code, pattern.size);
    t2g_folded_free(&pattern);
    keep_words(p, h, true);
    return s;
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

/* End of the first occurrence of a piece at or behind `from`; 0: none. */
static t2g_status first_behind(const t2g_folded *text, size_t from,
                               const uint32_t *piece, size_t m, size_t *begin,
                               size_t *end)
{
    size_t *border = borders(piece, m);
    if (!border)
        return T2G_ERR_MEMORY;
    *end = 0;
    for (size_t i = from, k = 0; i < text->size && *end == 0; i++) {
        while (k > 0 && text->code[i] != piece[k])
            k = border[k - 1];
        k += text->code[i] == piece[k];
        if (k == m) {
            *begin = i + 1 - m;
            *end = i + 1;
        }
    }
    t2g_free(border);
    return T2G_OK;
}

/* All pieces in order, each at the first place behind the one before. */
static t2g_status find_ellipsis(t2g_places *p, const t2g_haystack *h,
                                const t2g_folded *pattern)
{
    const t2g_folded *text = &h->folded;
    size_t at = 0, from = 0, first = SIZE_MAX, begin = 0, end = 0;
    bool dots, any = false;
    while (at < pattern->size) {
        t2g_range r = next_piece(pattern, &at, &dots);
        any |= dots;
        if (!any)
            return T2G_OK; /* nothing was left out */
        if (r.begin == r.end)
            continue;
        T2G_TRY(first_behind(text, from, pattern->code + r.begin,
                             r.end - r.begin, &begin, &end));
        if (end == 0)
            return T2G_OK;
        first = first == SIZE_MAX ? begin : first;
        from = end;
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

typedef struct fuzzy {
    const t2g_haystack *h;
    const t2g_pattern *pattern;
    uint32_t least, most; /* distances: the smallest there is, the largest
                             allowed */
    size_t effort;        /* words of bits that may still be computed */
    t2g_places *out;
} fuzzy;

/* Where the match that ends before folded character `end` begins. */
static size_t start_of(fuzzy *z, size_t end)
{
    uint32_t d = z->h->distance[end - 1];
    size_t cost = (z->pattern->length + d) * z->pattern->words;
    z->effort = z->effort > cost ? z->effort - cost : 0;
    return t2g_pattern_start(z->pattern, z->h->folded.code, end, d);
}

/* Matches of one cost: twice the distance, and 1 for each end inside a word. */
static t2g_status add_matches(fuzzy *z, uint32_t cost)
{
    const t2g_haystack *h = z->h;
    for (size_t end = 1; end <= h->folded.size && z->effort; end++) {
        uint32_t d = h->distance[end - 1];
        if (d > z->most || 2 * d > cost || 2 * d + 2 < cost)
            continue;
        t2g_range r = {0, h->folded.end[end - 1]};
        uint32_t known = 2 * d + t2g_inside_word(h->text, h->n, r.end);
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

static uint32_t least_of(const uint32_t *x, size_t n)
{
    uint32_t least = UINT32_MAX;
    for (size_t i = 0; i < n; i++)
        least = x[i] < least ? x[i] : least;
    return least;
}

/* The cheapest matches. The effort for finding their starts is a multiple of
 * that for their ends: only texts that repeat themselves endlessly need it. */
static t2g_status find_matches(t2g_places *out, const t2g_haystack *h,
                               const t2g_pattern *p)
{
    size_t n = h->folded.size;
    t2g_pattern_distances(p, h->folded.code, n, h->distance);
    fuzzy z = {h, p, least_of(h->distance, n),
               (uint32_t)most_errors(p->length), 32 * n * p->words + 1000000,
               out};
    out->distance = z.least;
    if (z.least > z.most)
        return T2G_OK;
    for (uint32_t extra = 0; extra <= 2 && out->count == 0; extra++)
        T2G_TRY(add_matches(&z, 2 * z.least + extra));
    drop_overlapping(out);
    return T2G_OK;
}

static t2g_status find_fuzzy(t2g_places *out, const t2g_haystack *h,
                             const t2g_folded *clean)
{
    t2g_pattern p;
    if (most_errors(clean->size) == 0 || clean->size > T2G_PATTERN_MOST) {
        out->reason = clean->size < 8 ? "too_short_for_fuzzy"
                                      : "too_long_for_fuzzy";
        return T2G_OK;
    }
    out->reason = "over_threshold";
    out->distance = out->length = clean->size;
    if (h->folded.size == 0)
        return T2G_OK;
    T2G_TRY(t2g_pattern_make(&p, clean->code, clean->size));
    t2g_status s = find_matches(out, h, &p);
    t2g_pattern_free(&p);
    return s;
}

/* --- the cascade ---------------------------------------------------------- */

t2g_status t2g_haystack_make(t2g_haystack *h, const char *text, size_t n)
{
    *h = (t2g_haystack){.text = text, .n = n,
                        .byte = t2g_calloc(n, sizeof *h->byte)};
    for (size_t i = 0; h->byte && i < n; i++)
        h->byte[i] = (unsigned char)text[i];
    return h->byte ? T2G_OK : T2G_ERR_MEMORY;
}

static t2g_status prepare(t2g_haystack *h)
{
    if (h->ready)
        return T2G_OK;
    T2G_TRY(t2g_fold(&h->folded, h->text, h->n));
    T2G_TRY(t2g_fold_skeleton(&h->skeleton, &h->folded));
    h->distance = t2g_calloc(h->folded.size, sizeof *h->distance);
    h->ready = h->distance != NULL;
    return h->ready ? T2G_OK : T2G_ERR_MEMORY;
}

void t2g_haystack_free(t2g_haystack *h)
{
    t2g_free(h->byte);
    t2g_free(h->distance);
    t2g_folded_free(&h->folded);
    t2g_folded_free(&h->skeleton);
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
static t2g_status find_damaged(t2g_places *out, const t2g_haystack *h,
                               const t2g_folded *pattern,
                               const t2g_folded *clean)
{
    if (!same_codes(pattern, clean))
        T2G_TRY(find_folded(out, h, clean));
    if (settled(out, "unescaped"))
        return T2G_OK;
    T2G_TRY(find_skeleton(out, h, clean));
    if (settled(out, "skeleton"))
        return T2G_OK;
    T2G_TRY(find_ellipsis(out, h, pattern));
    if (settled(out, "ellipsis"))
        return T2G_OK;
    T2G_TRY(find_fuzzy(out, h, clean));
    if (!settled(out, "fuzzy"))
        out->method = "none";
    return T2G_OK;
}

static t2g_status find_changed(t2g_places *out, t2g_haystack *h,
                               const char *quote, size_t n,
                               const t2g_folded *pattern)
{
    t2g_folded clean;
    T2G_TRY(prepare(h));
    T2G_TRY(find_folded(out, h, pattern));
    if (settled(out, "folded"))
        return T2G_OK;
    T2G_TRY(fold_unescaped(&clean, quote, n));
    t2g_status s = find_damaged(out, h, pattern, &clean);
    t2g_folded_free(&clean);
    return s;
}

t2g_status t2g_find(t2g_haystack *h, const char *quote, size_t n,
                    t2g_places *out)
{
    t2g_folded pattern;
    out->method = "none";
    T2G_TRY(find_exact(out, h, quote, n));
    if (settled(out, "exact"))
        return T2G_OK;
    T2G_TRY(t2g_fold(&pattern, quote, n));
    t2g_status s = T2G_OK;
    out->reason = "empty";
    if (pattern.size)
        s = find_changed(out, h, quote, n, &pattern);
    if (out->length == 0)
        out->length = pattern.size;
    t2g_folded_free(&pattern);
    return s;
}
