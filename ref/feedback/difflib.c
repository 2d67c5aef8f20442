#include "difflib.h"

#include <stdlib.h>
#include <string.h>

/* --- the index of b ------------------------------------------------------- */

typedef struct occurrence {
    uint32_t code;
    size_t at;
} occurrence;

static int by_code(const void *x, const void *y)
{
    const occurrence *a = x, *b = y;
    if (a->code != b->code)
        return a->code < b->code ? -1 : 1;
    return (a->at > b->at) - (a->at < b->at);
}

static void fill_index(t2g_matcher *m, const occurrence *o, size_t limit)
{
    size_t n = m->b.n, used = 0;
    for (size_t i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && o[end].code == o[i].code;)
            end++;
        if (end - i > limit)
            continue; /* junk */
        m->symbol[m->symbols] = o[i].code;
        m->first[m->symbols++] = used;
        for (size_t k = i; k < end; k++)
            m->place[used++] = o[k].at;
        m->first[m->symbols] = used;
    }
}

t2g_status t2g_matcher_make(t2g_matcher *m, t2g_part b, bool autojunk)
{
    size_t n = b.n;
    occurrence *o = t2g_calloc(n, sizeof *o);
    *m = (t2g_matcher){.b = b,
                       .symbol = t2g_calloc(n, sizeof *m->symbol),
                       .first = t2g_calloc(n + 1, sizeof *m->first),
                       .place = t2g_calloc(n, sizeof *m->place),
                       .run = t2g_calloc(2 * (n + 1), sizeof *m->run),
                       .row = t2g_calloc(2 * (n + 1), sizeof *m->row)};
    bool ready = o && m->symbol && m->first && m->place && m->run && m->row;
    for (size_t i = 0; ready && i < n; i++)
        o[i] = (occurrence){b.code[i], i};
    if (ready && n) {
        qsort(o, n, sizeof *o, by_code);
        fill_index(m, o, autojunk && n >= 200 ? n / 100 + 1 : n);
    }
    t2g_free(o);
    if (ready)
        return T2G_OK;
    t2g_matcher_free(m);
    return T2G_ERR_MEMORY;
}

void t2g_matcher_free(t2g_matcher *m)
{
    t2g_free(m->symbol);
    t2g_free(m->first);
    t2g_free(m->place);
    t2g_free(m->run);
    t2g_free(m->row);
    *m = (t2g_matcher){0};
}

/* Places of a character: [*begin, *end) of m->place. */
static void look_up(const t2g_matcher *m, uint32_t code, size_t *begin,
                    size_t *end)
{
    size_t low = 0, high = m->symbols;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (m->symbol[middle] < code)
            low = middle + 1;
        else
            high = middle;
    }
    bool found = low < m->symbols && m->symbol[low] == code;
    *begin = found ? m->first[low] : 0;
    *end = found ? m->first[low + 1] : 0;
}

/* --- the longest block ---------------------------------------------------- */

/* Runs that end at a[i], from those that end at a[i - 1]. The two rows of
 * lengths take turns; an entry counts only if it is of the row before. */
static void extend_runs(t2g_matcher *m, uint32_t code, size_t i, size_t b_begin,
                        size_t b_end, bool first, t2g_block *best)
{
    size_t width = m->b.n + 1, begin, end;
    size_t *run = m->run + (m->rows % 2) * width;
    size_t *row = m->row + (m->rows % 2) * width;
    const size_t *old_run = m->run + (1 - m->rows % 2) * width;
    const size_t *old_row = m->row + (1 - m->rows % 2) * width;
    look_up(m, code, &begin, &end);
    m->steps += end - begin;
    for (size_t k = begin; k < end; k++) {
        size_t j = m->place[k];
        if (j < b_begin)
            continue;
        if (j >= b_end)
            break;
        bool joined = !first && j > 0 && old_row[j - 1] == m->rows - 1;
        run[j] = joined ? old_run[j - 1] + 1 : 1;
        row[j] = m->rows;
        if (run[j] > best->size)
            *best = (t2g_block){i + 1 - run[j], j + 1 - run[j], run[j]};
    }
}

t2g_block t2g_matcher_longest(t2g_matcher *m, t2g_part a, size_t a_begin,
                              size_t a_end, size_t b_begin, size_t b_end)
{
    t2g_block best = {a_begin, b_begin, 0};
    for (size_t i = a_begin; i < a_end; i++) {
        m->rows++;
        extend_runs(m, a.code[i], i, b_begin, b_end, i == a_begin, &best);
    }
    while (best.a > a_begin && best.b > b_begin &&
           a.code[best.a - 1] == m->b.code[best.b - 1])
        best.a--, best.b--, best.size++;
    while (best.a + best.size < a_end && best.b + best.size < b_end &&
           a.code[best.a + best.size] == m->b.code[best.b + best.size])
        best.size++;
    return best;
}

/* --- all blocks ----------------------------------------------------------- */

typedef struct block_list {
    t2g_block *item;
    size_t count, capacity;
} block_list;

static t2g_status add_block(block_list *l, t2g_block b)
{
    if (l->count == l->capacity) {
        size_t n = l->capacity ? 2 * l->capacity : 16;
        t2g_block *more = t2g_regrow(l->item, l->count, n, sizeof *more);
        if (!more)
            return T2G_ERR_MEMORY;
        l->item = more;
        l->capacity = n;
    }
    l->item[l->count++] = b;
    return T2G_OK;
}

#define MOST_STEPS (UINT64_C(1) << 32)

/* Ranges still to be searched; as deep as there are blocks, so no recursion. */
typedef struct task {
    size_t a_begin, a_end, b_begin, b_end;
} task;

static t2g_status collect(t2g_matcher *m, t2g_part a, block_list *blocks)
{
    size_t waiting = 1, capacity = 16;
    task *stack = t2g_calloc(capacity, sizeof *stack);
    t2g_status s = stack ? T2G_OK : T2G_ERR_MEMORY;
    if (stack)
        stack[0] = (task){0, a.n, 0, m->b.n};
    while (s == T2G_OK && waiting) {
        task t = stack[--waiting];
        t2g_block b = t2g_matcher_longest(m, a, t.a_begin, t.a_end, t.b_begin,
                                          t.b_end);
        if (m->steps > MOST_STEPS)
            s = t2g_fail(T2G_ERR_UNSUPPORTED, "texts of %zu and %zu characters "
                         "that repeat too much to be compared", a.n, m->b.n);
        if (s != T2G_OK || b.size == 0)
            continue;
        s = add_block(blocks, b);
        if (waiting + 2 > capacity) {
            task *more = t2g_regrow(stack, capacity, 2 * capacity,
                                    sizeof *more);
            s = more ? s : T2G_ERR_MEMORY;
            stack = more ? more : stack;
            capacity *= more ? 2 : 1;
        }
        if (s != T2G_OK)
            break;
        if (t.a_begin < b.a && t.b_begin < b.b)
            stack[waiting++] = (task){t.a_begin, b.a, t.b_begin, b.b};
        if (b.a + b.size < t.a_end && b.b + b.size < t.b_end)
            stack[waiting++] = (task){b.a + b.size, t.a_end, b.b + b.size,
                                      t.b_end};
    }
    t2g_free(stack);
    return s;
}

static int by_place(const void *x, const void *y)
{
    const t2g_block *p = x, *q = y;
    return (p->a > q->a) - (p->a < q->a);
}

/* Sorted, neighbours that touch in both strings made one, and closed. */
static t2g_status finish(block_list *l, size_t a_n, size_t b_n)
{
    size_t kept = 0;
    if (l->count)
        qsort(l->item, l->count, sizeof *l->item, by_place);
    for (size_t i = 0; i < l->count; i++) {
        t2g_block b = l->item[i], *last = kept ? &l->item[kept - 1] : NULL;
        if (last && last->a + last->size == b.a &&
            last->b + last->size == b.b)
            last->size += b.size;
        else
            l->item[kept++] = b;
    }
    l->count = kept;
    return add_block(l, (t2g_block){a_n, b_n, 0});
}

t2g_status t2g_matcher_blocks(t2g_matcher *m, t2g_part a, t2g_matching *out)
{
    block_list l = {0};
    size_t matching = 0;
    t2g_status s = collect(m, a, &l);
    if (s == T2G_OK)
        s = finish(&l, a.n, m->b.n);
    if (s != T2G_OK) {
        t2g_free(l.item);
        return s;
    }
    for (size_t i = 0; i < l.count; i++)
        matching += l.item[i].size;
    size_t length = a.n + m->b.n;
    *out = (t2g_matching){
        .ratio = length ? 2.0 * (double)matching / (double)length : 1,
        .longest = t2g_matcher_longest(m, a, 0, a.n, 0, m->b.n),
        .block = l.item, .count = l.count};
    return T2G_OK;
}

void t2g_matching_free(t2g_matching *m)
{
    t2g_free(m->block);
    *m = (t2g_matching){0};
}

t2g_status t2g_matcher_ratio(t2g_matcher *m, t2g_part a, double *ratio,
                             size_t *largest)
{
    t2g_matching found;
    T2G_TRY(t2g_matcher_blocks(m, a, &found));
    *ratio = found.ratio;
    for (size_t i = 0; largest && i < found.count; i++)
        if (i == 0 || found.block[i].size > *largest)
            *largest = found.block[i].size;
    t2g_matching_free(&found);
    return T2G_OK;
}

t2g_status t2g_sequence_match(t2g_matching *out, t2g_text a, t2g_text b,
                              bool autojunk)
{
    t2g_codes x = {0}, y = {0};
    t2g_matcher m = {0};
    t2g_status s = t2g_codes_decode(&x, a.data, a.size);
    if (s == T2G_OK)
        s = t2g_codes_decode(&y, b.data, b.size);
    if (s == T2G_OK)
        s = t2g_matcher_make(&m, t2g_codes_part(&y, 0, y.n), autojunk);
    if (s == T2G_OK)
        s = t2g_matcher_blocks(&m, t2g_codes_part(&x, 0, x.n), out);
    t2g_matcher_free(&m);
    t2g_codes_free(&x);
    t2g_codes_free(&y);
    return s;
}
