/* Every pattern ends at the last row of the table; the rows above a shorter one
 * stay at the distance of the row above the first: they match anything when a
 * match may begin anywhere, and nothing when it begins with the text. */
#include "edit_distance.h"

#include <string.h>

enum { LANES = T2G_EDIT_LANES };

/* --- the patterns' symbols ------------------------------------------------ */

static size_t slot_of(const t2g_patterns *p, uint32_t code)
{
    size_t i = (code * 2654435761u) & (p->slots - 1);
    while (p->slot_row[i] && p->slot_code[i] != code)
        i = (i + 1) & (p->slots - 1);
    return i;
}

static uint16_t row_of(const t2g_patterns *p, uint32_t code)
{
    return code < 128 ? p->ascii[code] : p->slot_row[slot_of(p, code)];
}

static void add_symbol(t2g_patterns *p, uint32_t code)
{
    uint16_t *row = &p->ascii[code & 127];
    if (code >= 128) {
        size_t i = slot_of(p, code);
        p->slot_code[i] = code;
        row = &p->slot_row[i];
    }
    if (*row == 0)
        *row = (uint16_t)p->symbols++;
}

static size_t count_wide(t2g_part pattern)
{
    size_t count = 0;
    for (size_t i = 0; i < pattern.n; i++)
        count += pattern.code[i] >= 128;
    return count;
}

static t2g_status make_symbols(t2g_patterns *p)
{
    size_t wide = 0;
    for (size_t l = 0; l < p->lanes; l++)
        wide += count_wide(p->pattern[l]);
    for (p->slots = 2; p->slots < 2 * wide;)
        p->slots *= 2;
    p->slot_code = t2g_calloc(p->slots, sizeof *p->slot_code);
    p->slot_row = t2g_calloc(p->slots, sizeof *p->slot_row);
    if (!p->slot_code || !p->slot_row)
        return T2G_ERR_MEMORY;
    p->symbols = 1;
    for (size_t l = 0; l < p->lanes; l++)
        for (size_t i = 0; i < p->pattern[l].n; i++)
            add_symbol(p, p->pattern[l].code[i]);
    return T2G_OK;
}

/* --- rows of bits --------------------------------------------------------- */

static size_t words_of(t2g_part pattern)
{
    return (pattern.n + 63) / 64;
}

/* Bit i of a column of words that are `stride` apart. */
static void set_bit(uint64_t *column, size_t stride, size_t i)
{
    column[i / 64 * stride] |= UINT64_C(1) << i % 64;
}

/* Bits [0, n) likewise. */
static void set_bits(uint64_t *column, size_t stride, size_t n)
{
    for (size_t w = 0; w < n / 64; w++)
        column[w * stride] = UINT64_MAX;
    if (n % 64)
        column[n / 64 * stride] |= (UINT64_C(1) << n % 64) - 1;
}

static void fill_match(t2g_patterns *p, size_t lane)
{
    t2g_part pattern = p->pattern[lane];
    size_t column = p->words * p->stride, above = 64 * p->words - pattern.n;
    for (size_t s = 0; s < p->symbols; s++)
        set_bits(p->match + s * column + lane, p->stride, above);
    for (size_t i = 0; i < pattern.n; i++)
        set_bit(p->match + row_of(p, pattern.code[i]) * column + lane,
                p->stride, above + i);
}

static void reverse(t2g_patterns *p, size_t lane)
{
    t2g_part pattern = p->pattern[lane];
    size_t words = words_of(pattern), last = 64 * words - 1;
    memset(p->reversed, 0, p->symbols * words * sizeof *p->reversed);
    for (size_t i = 0; i < pattern.n; i++)
        set_bit(p->reversed + row_of(p, pattern.code[i]) * words, 1, last - i);
    p->reversed_lane = lane;
}

/* Down the pattern's rows, distances rise by 1 a row before the text begins. */
static void first_column(uint64_t *more, size_t words, size_t stride,
                         t2g_part pattern)
{
    set_bits(more, stride, 64 * words - pattern.n);
    for (size_t w = 0; w < words; w++)
        more[w * stride] = ~more[w * stride];
}

static t2g_status make_bits(t2g_patterns *p, size_t longest)
{
    size_t column = p->words * p->stride, table = p->symbols * column;
    uint64_t *bits = t2g_calloc(table + p->symbols * p->words + 2 * column,
                                sizeof *bits);
    p->window = t2g_calloc(4 * longest, sizeof *p->window);
    p->match = bits;
    if (!bits || !p->window)
        return T2G_ERR_MEMORY;
    p->state = bits + table;
    p->reversed = p->state + 2 * column;
    p->ends = p->window + 2 * longest;
    for (size_t l = 0; l < p->lanes; l++)
        fill_match(p, l);
    return T2G_OK;
}

t2g_status t2g_patterns_make(t2g_patterns *p, const t2g_part *pattern,
                             size_t lanes)
{
    size_t most = lanes == 1 ? T2G_PATTERN_MOST : T2G_PATTERN_SHARED;
    size_t longest = 0, shortest = most;
    *p = (t2g_patterns){.lanes = lanes, .stride = t2g_edit_stride(lanes),
                        .reversed_lane = SIZE_MAX};
    for (size_t l = 0; l < lanes && l < LANES; l++) {
        p->pattern[l] = pattern[l];
        longest = pattern[l].n > longest ? pattern[l].n : longest;
        shortest = pattern[l].n < shortest ? pattern[l].n : shortest;
    }
    if (lanes == 0 || lanes > LANES || shortest == 0 || longest > most)
        return t2g_fail(T2G_ERR_UNSUPPORTED, "%zu patterns of %zu to %zu "
                        "characters, expected 1 to %d of 1 to %zu", lanes,
                        shortest, longest, LANES, most);
    p->words = (longest + 63) / 64;
    t2g_status s = make_symbols(p);
    if (s == T2G_OK)
        s = make_bits(p, longest);
    if (s != T2G_OK)
        t2g_patterns_free(p);
    return s;
}

void t2g_patterns_free(t2g_patterns *p)
{
    t2g_free(p->slot_code);
    t2g_free(p->slot_row);
    t2g_free(p->match);
    t2g_free(p->window);
    *p = (t2g_patterns){0};
}

/* --- distances ------------------------------------------------------------ */

void t2g_patterns_rows(const t2g_patterns *p, uint16_t *row, t2g_part text)
{
    for (size_t i = 0; i < text.n; i++)
        row[i] = row_of(p, text.code[i]);
}

void t2g_patterns_distances(const t2g_patterns *p, const t2g_kernels *k,
                            const uint16_t *row, size_t n, uint16_t *distance,
                            uint16_t least[T2G_EDIT_LANES])
{
    uint16_t bottom[LANES] = {0};
    memset(p->state, 0, 2 * p->words * p->stride * sizeof *p->state);
    for (size_t l = 0; l < p->lanes; l++) {
        first_column(p->state + l, p->words, p->stride, p->pattern[l]);
        bottom[l] = (uint16_t)p->pattern[l].n;
    }
    k->edit_distance(distance, least, bottom, row, n, p->match, p->words,
                     p->state, p->lanes, 0);
}

/* The same backwards from the end. Nothing longer than pattern and distance
 * together can be meant. */
size_t t2g_patterns_start(t2g_patterns *p, const t2g_kernels *k, size_t lane,
                          const uint16_t *row, size_t end, uint16_t distance)
{
    t2g_part pattern = p->pattern[lane];
    size_t words = words_of(pattern), most = pattern.n + distance;
    uint16_t bottom = (uint16_t)pattern.n, least;
    size_t n = most < end ? most : end;
    if (p->reversed_lane != lane)
        reverse(p, lane);
    for (size_t i = 0; i < n; i++)
        p->window[i] = row[end - 1 - i];
    memset(p->state, 0, 2 * words * sizeof *p->state);
    first_column(p->state, words, 1, pattern);
    k->edit_distance(p->ends, &least, &bottom, p->window, n, p->reversed, words,
                     p->state, 1, 1);
    while (n > 0 && p->ends[n - 1] != distance)
        n--;
    return end - n;
}
