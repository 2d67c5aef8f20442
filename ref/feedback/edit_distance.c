/* A column of the table of distances is kept as differences between neighbours,
 * which are -1, 0 or 1: two bit vectors, `more` and `less`, 64 rows a word. One
 * character of the text takes about 15 operations a word. Read block_step
 * beside figure 3 of [Hyyro03], "A bit-vector algorithm for computing
 * Levenshtein and Damerau edit distances". */
#include "edit_distance.h"

#include <string.h>

/* --- the pattern's symbols ------------------------------------------------ */

static size_t slot_of(const t2g_pattern *p, uint32_t code)
{
    size_t i = (code * 2654435761u) & (p->slots - 1);
    while (p->slot_row[i] && p->slot_code[i] != code)
        i = (i + 1) & (p->slots - 1);
    return i;
}

static size_t row_of(const t2g_pattern *p, uint32_t code)
{
    return code < 128 ? p->ascii[code] : p->slot_row[slot_of(p, code)];
}

static void add_symbol(t2g_pattern *p, uint32_t code)
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

static void set_bit(uint64_t *row, size_t i)
{
    row[i / 64] |= UINT64_C(1) << i % 64;
}

t2g_status t2g_pattern_make(t2g_pattern *p, const uint32_t *pattern, size_t m)
{
    *p = (t2g_pattern){.length = m, .words = (m + 63) / 64, .symbols = 1,
                       .slots = 2};
    if (m == 0 || m > T2G_PATTERN_MOST)
        return t2g_fail(T2G_ERR_UNSUPPORTED, "a pattern of %zu characters, "
                        "expected 1 to %d", m, T2G_PATTERN_MOST);
    while (p->slots < 2 * m)
        p->slots *= 2;
    p->slot_code = t2g_calloc(p->slots, sizeof *p->slot_code);
    p->slot_row = t2g_calloc(p->slots, sizeof *p->slot_row);
    p->state = t2g_calloc(2 * p->words, sizeof *p->state);
    if (p->slot_code && p->slot_row)
        for (size_t i = 0; i < m; i++)
            add_symbol(p, pattern[i]);
    p->match = t2g_calloc(p->symbols * p->words, sizeof *p->match);
    p->reversed = t2g_calloc(p->symbols * p->words, sizeof *p->reversed);
    if (!p->slot_code || !p->slot_row || !p->state || !p->match ||
        !p->reversed) {
        t2g_pattern_free(p);
        return T2G_ERR_MEMORY;
    }
    for (size_t i = 0; i < m; i++) {
        size_t row = row_of(p, pattern[i]) * p->words;
        set_bit(p->match + row, i);
        set_bit(p->reversed + row, m - 1 - i);
    }
    return T2G_OK;
}

void t2g_pattern_free(t2g_pattern *p)
{
    t2g_free(p->slot_code);
    t2g_free(p->slot_row);
    t2g_free(p->match);
    t2g_free(p->reversed);
    t2g_free(p->state);
    *p = (t2g_pattern){0};
}

/* --- columns -------------------------------------------------------------- */

/* Next column of 64 rows. `in` is the difference to the right above the first
 * row; returned is the one at the row of bit `bottom`. */
static inline int block_step(uint64_t *more, uint64_t *less, uint64_t match,
                             int in, unsigned bottom)
{
    uint64_t vertical = match | *less;
    match |= in < 0;
    uint64_t same = (((match & *more) + *more) ^ *more) | match;
    uint64_t up = *less | ~(same | *more), down = *more & same;
    int out = (int)(up >> bottom & 1) - (int)(down >> bottom & 1);
    up = up << 1 | (in > 0);
    down = down << 1 | (in < 0);
    *more = down | ~(vertical | up);
    *less = up & vertical;
    return out;
}

/* The difference to the right in the last row after one more character. `top`
 * is that in the row above the first: 0 when a match may begin anywhere, 1 when
 * it begins at the first character. */
static int column_step(const t2g_pattern *p, const uint64_t *match, int top)
{
    uint64_t *more = p->state, *less = p->state + p->words;
    size_t last = p->words - 1;
    for (size_t w = 0; w < last; w++)
        top = block_step(&more[w], &less[w], match[w], top, 63);
    return block_step(&more[last], &less[last], match[last], top,
                      (unsigned)((p->length - 1) % 64));
}

static void first_column(const t2g_pattern *p)
{
    memset(p->state, 0xff, p->words * sizeof *p->state);
    memset(p->state + p->words, 0, p->words * sizeof *p->state);
}

void t2g_pattern_distances(const t2g_pattern *p, const uint32_t *text,
                           size_t n, uint32_t *distance)
{
    uint32_t d = (uint32_t)p->length;
    first_column(p);
    for (size_t j = 0; j < n; j++) {
        const uint64_t *match = p->match + row_of(p, text[j]) * p->words;
        d += (uint32_t)column_step(p, match, 0);
        distance[j] = d;
    }
}

/* The same backwards from the end. Nothing longer than pattern and distance
 * together can be meant. */
size_t t2g_pattern_start(const t2g_pattern *p, const uint32_t *text,
                         size_t end, uint32_t distance)
{
    uint32_t d = (uint32_t)p->length;
    size_t start = end, most = p->length + distance;
    first_column(p);
    for (size_t k = 1; k <= most && k <= end; k++) {
        size_t row = row_of(p, text[end - k]);
        d += (uint32_t)column_step(p, p->reversed + row * p->words, 1);
        if (d == distance)
            start = end - k;
    }
    return start;
}
