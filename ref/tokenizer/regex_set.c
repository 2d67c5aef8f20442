/* Sets of code points, and how they grow when the case of letters does not
 * count. */
#include <stdlib.h>
#include <string.h>

#include "regex_private.h"

enum { LAST_CODE = 0x10ffff, SURROGATES = 0xd800, SURROGATES_END = 0xdfff };

static int by_first(const void *a, const void *b)
{
    uint32_t x = ((const t2g_unicode_range *)a)->first;
    uint32_t y = ((const t2g_unicode_range *)b)->first;
    return (x > y) - (x < y);
}

void t2g_set_settle(t2g_set *s)
{
    if (s->count == 0)
        return;
    qsort(s->range, s->count, sizeof *s->range, by_first);
    size_t kept = 1;
    for (size_t i = 1; i < s->count; i++) {
        t2g_unicode_range *last = &s->range[kept - 1], next = s->range[i];
        if (next.first > last->last + 1)
            s->range[kept++] = next;
        else if (next.last > last->last)
            last->last = next.last;
    }
    s->count = kept;
}

/* Room for one more. Settling first keeps repeated members from growing it. */
static t2g_status reserve(t2g_set *s)
{
    if (s->count < s->capacity)
        return T2G_OK;
    t2g_set_settle(s);
    if (s->count < s->capacity / 2)
        return T2G_OK;
    size_t capacity = s->capacity ? 2 * s->capacity : 64;
    void *range = t2g_regrow(s->range, s->capacity, capacity, sizeof *s->range);
    if (!range)
        return T2G_ERR_MEMORY;
    s->range = range;
    s->capacity = capacity;
    return T2G_OK;
}

t2g_status t2g_set_add(t2g_set *s, uint32_t first, uint32_t last)
{
    T2G_TRY(reserve(s));
    s->range[s->count++] = (t2g_unicode_range){first, last};
    return T2G_OK;
}

t2g_status t2g_set_add_ranges(t2g_set *s, const t2g_unicode_range *r,
                              size_t count)
{
    for (size_t i = 0; i < count; i++)
        T2G_TRY(t2g_set_add(s, r[i].first, r[i].last));
    return T2G_OK;
}

t2g_status t2g_set_add_property(t2g_set *s, const char *name)
{
    size_t count;
    const t2g_unicode_range *r = t2g_unicode_property(name, &count);
    return t2g_set_add_ranges(s, r, count);
}

t2g_status t2g_set_complement(t2g_set *s)
{
    t2g_set gaps = {0};
    uint32_t next = 0; /* behind the latest range */
    t2g_status status = T2G_OK;
    t2g_set_settle(s);
    for (size_t i = 0; i < s->count && status == T2G_OK; i++) {
        if (s->range[i].first > next)
            status = t2g_set_add(&gaps, next, s->range[i].first - 1);
        next = s->range[i].last + 1;
    }
    if (next <= LAST_CODE && status == T2G_OK)
        status = t2g_set_add(&gaps, next, LAST_CODE);
    if (status != T2G_OK) {
        t2g_set_free(&gaps);
        return status;
    }
    t2g_set_free(s);
    *s = gaps;
    return T2G_OK;
}

/* By De Morgan: outside s or outside other, turned round. */
t2g_status t2g_set_intersect(t2g_set *s, t2g_set *other)
{
    T2G_TRY(t2g_set_complement(s));
    T2G_TRY(t2g_set_complement(other));
    T2G_TRY(t2g_set_add_ranges(s, other->range, other->count));
    T2G_TRY(t2g_set_complement(s));
    return t2g_set_complement(other);
}

bool t2g_set_meets(t2g_set *s, t2g_set *other)
{
    t2g_set_settle(s);
    t2g_set_settle(other);
    for (size_t i = 0, j = 0; i < s->count && j < other->count;) {
        if (s->range[i].last < other->range[j].first)
            i++;
        else if (other->range[j].last < s->range[i].first)
            j++;
        else
            return true;
    }
    return false;
}

t2g_status t2g_set_covers(t2g_set *s, t2g_set *other, bool *covers)
{
    T2G_TRY(t2g_set_complement(s));
    *covers = !t2g_set_meets(s, other);
    return t2g_set_complement(s);
}

static t2g_status write_range(t2g_buffer *out, uint32_t first, uint32_t last)
{
    if (first == last)
        return t2g_buffer_printf(out, "\\x{%x}", (unsigned)first);
    return t2g_buffer_printf(out, "\\x{%x}-\\x{%x}", (unsigned)first,
                             (unsigned)last);
}

/* PCRE2 takes no surrogate for an end of a range; no text has any. */
static t2g_status write_ranges(const t2g_set *s, t2g_buffer *out)
{
    for (size_t i = 0; i < s->count; i++) {
        uint32_t first = s->range[i].first, last = s->range[i].last;
        if (first >= SURROGATES && first <= SURROGATES_END)
            first = SURROGATES_END + 1;
        if (last >= SURROGATES && last <= SURROGATES_END)
            last = SURROGATES - 1;
        if (first <= last)
            T2G_TRY(write_range(out, first, last));
    }
    return T2G_OK;
}

t2g_status t2g_set_write(t2g_set *s, t2g_buffer *out)
{
    t2g_set_settle(s);
    bool from_zero = s->count > 0 && s->range[0].first == 0;
    if (from_zero && s->range[0].last == LAST_CODE)
        return t2g_buffer_puts(out, ".");
    if (s->count == 0)
        return t2g_buffer_puts(out, "[^\\x{0}-\\x{10ffff}]");
    /* The complement has one range less in this case, else not. */
    bool inside_out =
        from_zero && s->range[s->count - 1].last == LAST_CODE;
    if (inside_out)
        T2G_TRY(t2g_set_complement(s));
    t2g_status status = t2g_buffer_puts(out, inside_out ? "[^" : "[");
    if (status == T2G_OK)
        status = write_ranges(s, out);
    if (status == T2G_OK)
        status = t2g_buffer_puts(out, "]");
    if (inside_out && status == T2G_OK)
        status = t2g_set_complement(s);
    return status;
}

void t2g_set_free(t2g_set *s)
{
    t2g_free(s->range);
    *s = (t2g_set){0};
}

/* --- case ---------------------------------------------------------------- */

/* Outside the letters with case, these fold in Unicode 16.0: U+0345 (with
 * U+03B9), Roman numerals and circled letters, each block within itself. */
static const t2g_unicode_range iota = {0x345, 0x345},
                               roman = {0x2160, 0x217f},
                               circled = {0x24b6, 0x24e9};

static t2g_status letters_with_case(t2g_set *s)
{
    T2G_TRY(t2g_set_add_property(s, "Lu"));
    T2G_TRY(t2g_set_add_property(s, "Ll"));
    return t2g_set_add_property(s, "Lt");
}

/* All code points that (?i) may relate to others, but those of ASCII. */
static t2g_status foldable(t2g_set *s)
{
    static const t2g_unicode_range ascii = {0, 0x7f};
    t2g_set outside = {0};
    t2g_status status = letters_with_case(s);
    if (status == T2G_OK)
        status = t2g_set_add_ranges(s, &iota, 1);
    if (status == T2G_OK)
        status = t2g_set_add_ranges(s, &roman, 1);
    if (status == T2G_OK)
        status = t2g_set_add_ranges(s, &circled, 1);
    if (status == T2G_OK)
        status = t2g_set_add_ranges(&outside, &ascii, 1);
    if (status == T2G_OK)
        status = t2g_set_complement(&outside);
    if (status == T2G_OK)
        status = t2g_set_intersect(s, &outside);
    t2g_set_free(&outside);
    return status;
}

t2g_status t2g_code_has_case(uint32_t code, bool *has)
{
    t2g_unicode_range range = {code, code};
    t2g_set all = {0}, one = {&range, 1, 1};
    t2g_status status = foldable(&all);
    *has = status == T2G_OK && t2g_set_meets(&all, &one);
    t2g_set_free(&all);
    return status;
}

/* A block that folds within itself must be in or out as a whole. */
static t2g_status is_torn(t2g_set *s, t2g_unicode_range block, bool *torn)
{
    t2g_set blocks = {&block, 1, 1};
    if (!t2g_set_meets(s, &blocks)) {
        *torn = false;
        return T2G_OK;
    }
    t2g_set whole = {0};
    t2g_status status = t2g_set_add_ranges(&whole, &block, 1);
    bool covers = false;
    if (status == T2G_OK)
        status = t2g_set_covers(s, &whole, &covers);
    t2g_set_free(&whole);
    *torn = !covers;
    return status;
}

/* The set holds all letters with case: they bring nothing but U+0345. */
static t2g_status fold_all_letters(t2g_set *s, bool *known)
{
    bool torn;
    T2G_TRY(is_torn(s, roman, &torn));
    if (!torn)
        T2G_TRY(is_torn(s, circled, &torn));
    *known = !torn;
    return torn ? T2G_OK : t2g_set_add_ranges(s, &iota, 1);
}

/* The set's letters with case are of ASCII only. */
static t2g_status fold_ascii(t2g_set *s)
{
    static const t2g_unicode_range long_s = {0x17f, 0x17f},
                                   kelvin = {0x212a, 0x212a};
    for (unsigned c = 'a'; c <= 'z'; c++) {
        t2g_unicode_range pair[2] = {{c, c}, {c - 0x20, c - 0x20}};
        t2g_set either = {pair, 2, 2};
        if (!t2g_set_meets(s, &either))
            continue;
        T2G_TRY(t2g_set_add_ranges(s, pair, 2));
        if (c == 's')
            T2G_TRY(t2g_set_add_ranges(s, &long_s, 1));
        if (c == 'k')
            T2G_TRY(t2g_set_add_ranges(s, &kelvin, 1));
    }
    return T2G_OK;
}

t2g_status t2g_set_fold(t2g_set *s, bool negated, bool *known)
{
    t2g_set others = {0}, letters = {0};
    bool all = false, some = true;
    t2g_status status = foldable(&others);
    if (status == T2G_OK)
        status = letters_with_case(&letters);
    if (status == T2G_OK)
        status = t2g_set_covers(s, &letters, &all);
    if (status == T2G_OK)
        some = t2g_set_meets(s, &others);
    t2g_set_free(&others);
    t2g_set_free(&letters);
    T2G_TRY(status);
    *known = !some || (all && negated);
    if (!*known)
        return T2G_OK;
    return some ? fold_all_letters(s, known) : fold_ascii(s);
}

static bool is_ascii_letter(uint32_t c)
{
    return (c | 0x20) >= 'a' && (c | 0x20) <= 'z' && c < 0x80;
}

bool t2g_pair_may_fold(uint32_t first, uint32_t second)
{
    /* U+00DF, U+1E9E; U+FB00 to U+FB06. */
    static const char pairs[][3] = {"ss", "st", "ff", "fi", "fl"};
    if (is_ascii_letter(first) != is_ascii_letter(second))
        return first >= 0x80 || second >= 0x80; /* such as U+0130, U+0149 */
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        if ((first | 0x20) == (unsigned char)pairs[i][0] &&
            (second | 0x20) == (unsigned char)pairs[i][1])
            return true;
    return false;
}
