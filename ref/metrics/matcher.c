/* Matching blocks of two texts: the longest common run of characters, then the
 * same to its left and to its right. As Python's difflib, which follows
 * Ratcliff and Metzener, Pattern matching: the gestalt approach, 1988. */
#include "metrics_private.h"

#include <stdlib.h>

#include "../tokenizer/unicode.h"

static const uint64_t most_steps = (uint64_t)1 << 32;
enum { AUTOJUNK_FROM = 200 };

typedef struct range {
    size_t a, a_end, b, b_end;
} range;

typedef struct matcher {
    uint32_t *a, *b;   /* characters */
    size_t na, nb;
    uint64_t *place;   /* [nb] character of b << 32 | position, sorted */
    size_t *from, *to; /* [na] places of the character a[i] */
    size_t *run[2];    /* [nb] length of the common run ending at j ... */
    uint64_t *row[2];  /* ... if it was written in this row */
    uint64_t rows, steps;
    range *todo;
    size_t todo_count, todo_capacity;
} matcher;

/* --- preparing ------------------------------------------------------------ */

static t2g_status read_characters(uint32_t **out, size_t *count, t2g_text text)
{
    const unsigned char *s = (const unsigned char *)text.data;
    *out = t2g_calloc(text.size, sizeof **out);
    *count = 0;
    if (!*out)
        return T2G_ERR_MEMORY;
    T2G_TRY(t2g_text_check(text));
    for (size_t i = 0; i < text.size; i += utf8_length(s[i]))
        (*out)[(*count)++] = utf8_decode(s + i);
    return T2G_OK;
}

static int compare(const void *x, const void *y)
{
    uint64_t a = *(const uint64_t *)x, b = *(const uint64_t *)y;
    return (a > b) - (a < b);
}

/* The first place at or behind key. */
static size_t lower_bound(const matcher *m, uint64_t key)
{
    size_t low = 0, high = m->nb;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (m->place[middle] < key)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void find_places(matcher *m, bool autojunk)
{
    size_t popular = autojunk && m->nb >= AUTOJUNK_FROM ? m->nb / 100 + 1
                                                        : m->nb;
    for (size_t j = 0; j < m->nb; j++)
        m->place[j] = (uint64_t)m->b[j] << 32 | j;
    qsort(m->place, m->nb, sizeof *m->place, compare);
    for (size_t i = 0; i < m->na; i++) {
        m->from[i] = lower_bound(m, (uint64_t)m->a[i] << 32);
        m->to[i] = lower_bound(m, ((uint64_t)m->a[i] + 1) << 32);
        if (m->to[i] - m->from[i] > popular)
            m->to[i] = m->from[i];
    }
}

static t2g_status prepare(matcher *m, t2g_text a, t2g_text b, bool autojunk)
{
    T2G_TRY(read_characters(&m->a, &m->na, a));
    T2G_TRY(read_characters(&m->b, &m->nb, b));
    if (m->nb > UINT32_MAX)
        return t2g_fail(T2G_ERR_UNSUPPORTED, "a text of %zu characters, "
                        "expected fewer than 2^32", m->nb);
    m->place = t2g_calloc(m->nb, sizeof *m->place);
    m->from = t2g_calloc(m->na, sizeof *m->from);
    m->to = t2g_calloc(m->na, sizeof *m->to);
    for (int k = 0; k < 2; k++) {
        m->run[k] = t2g_calloc(m->nb, sizeof *m->run[k]);
        m->row[k] = t2g_calloc(m->nb, sizeof *m->row[k]);
        if (!m->run[k] || !m->row[k])
            return T2G_ERR_MEMORY;
    }
    if (!m->place || !m->from || !m->to)
        return T2G_ERR_MEMORY;
    find_places(m, autojunk);
    return T2G_OK;
}

static void matcher_free(matcher *m)
{
    t2g_free(m->a);
    t2g_free(m->b);
    t2g_free(m->place);
    t2g_free(m->from);
    t2g_free(m->to);
    for (int k = 0; k < 2; k++) {
        t2g_free(m->run[k]);
        t2g_free(m->row[k]);
    }
    t2g_free(m->todo);
}

/* --- the longest block ---------------------------------------------------- */

/* Runs that end at a[i], each one longer than the run at i-1, j-1. The first
 * strictly longer run becomes the block. */
static void extend_runs(matcher *m, const range *in, size_t i, range *block)
{
    size_t *run = m->run[i % 2], *before = m->run[1 - i % 2];
    uint64_t *row = m->row[i % 2], *row_before = m->row[1 - i % 2];
    m->rows++;
    for (size_t k = m->from[i]; k < m->to[i]; k++) {
        size_t j = (uint32_t)m->place[k];
        m->steps++;
        if (j < in->b)
            continue;
        if (j >= in->b_end)
            break;
        bool goes_on = j > in->b && i > in->a &&
                       row_before[j - 1] == m->rows - 1;
        run[j] = goes_on ? before[j - 1] + 1 : 1;
        row[j] = m->rows;
        if (run[j] > block->a_end - block->a)
            *block = (range){i + 1 - run[j], i + 1, j + 1 - run[j], j + 1};
    }
}

static range longest(matcher *m, const range *in)
{
    range r = {in->a, in->a, in->b, in->b};
    for (size_t i = in->a; i < in->a_end && m->steps <= most_steps; i++)
        extend_runs(m, in, i, &r);
    m->steps += in->a_end - in->a;
    /* Frequent characters start no block but may lengthen one. */
    while (r.a > in->a && r.b > in->b && m->a[r.a - 1] == m->b[r.b - 1]) {
        r.a--;
        r.b--;
    }
    while (r.a_end < in->a_end && r.b_end < in->b_end &&
           m->a[r.a_end] == m->b[r.b_end]) {
        r.a_end++;
        r.b_end++;
    }
    return r;
}

/* --- all blocks ----------------------------------------------------------- */

static t2g_status push(matcher *m, range r)
{
    if (r.a == r.a_end || r.b == r.b_end)
        return T2G_OK;
    if (m->todo_count == m->todo_capacity) {
        size_t more = m->todo_capacity ? 2 * m->todo_capacity : 32;
        range *todo = t2g_regrow(m->todo, m->todo_count, more, sizeof *todo);
        if (!todo)
            return T2G_ERR_MEMORY;
        m->todo = todo;
        m->todo_capacity = more;
    }
    m->todo[m->todo_count++] = r;
    return T2G_OK;
}

static t2g_status sum_blocks(matcher *m, size_t *sum)
{
    *sum = 0;
    T2G_TRY(push(m, (range){0, m->na, 0, m->nb}));
    while (m->todo_count > 0) {
        range in = m->todo[--m->todo_count], block = longest(m, &in);
        if (m->steps > most_steps)
            return t2g_fail(T2G_ERR_UNSUPPORTED, "texts of %zu and %zu "
                            "characters that repeat too much to be compared",
                            m->na, m->nb);
        if (block.a == block.a_end)
            continue;
        *sum += block.a_end - block.a;
        T2G_TRY(push(m, (range){in.a, block.a, in.b, block.b}));
        T2G_TRY(push(m, (range){block.a_end, in.a_end, block.b_end,
                                in.b_end}));
    }
    return T2G_OK;
}

t2g_status t2g_match(t2g_matching *out, t2g_text a, t2g_text b, bool autojunk)
{
    matcher m = {0};
    t2g_status s = prepare(&m, a, b, autojunk);
    if (s == T2G_OK)
        s = sum_blocks(&m, &out->matched);
    if (s == T2G_OK) {
        out->a = m.na;
        out->b = m.nb;
        out->ratio = m.na + m.nb ? 2.0 * (double)out->matched /
                                       (double)(m.na + m.nb) : 1;
    }
    matcher_free(&m);
    return s;
}
