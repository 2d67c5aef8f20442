/* Byte pair encoding of one piece: while adjacent symbols are in the merge
 * table, the pair of lowest rank merges, among equal pairs the leftmost.
 * A heap of candidates with lazy deletion makes it O(n log n). */
#include "tokenizer_private.h"

/* Each symbol but the last gives a candidate, each merge at most two more and
 * there are fewer merges than symbols; each merge pops one. */
enum { CANDIDATES_PER_SYMBOL = 2 };

static t2g_status reserve(t2g_bpe *b, size_t n)
{
    if (n <= b->capacity)
        return T2G_OK;
    size_t capacity = n < 128 ? 128 : n + n / 2;
    t2g_bpe_free(b);
    b->symbol = t2g_calloc(capacity, sizeof *b->symbol);
    b->heap = t2g_calloc(capacity, CANDIDATES_PER_SYMBOL * sizeof *b->heap);
    if (!b->symbol || !b->heap)
        return T2G_ERR_MEMORY;
    b->capacity = capacity;
    return T2G_OK;
}

void t2g_bpe_free(t2g_bpe *b)
{
    t2g_free(b->symbol);
    t2g_free(b->heap);
    *b = (t2g_bpe){0};
}

/* --- candidates ---------------------------------------------------------- */

static bool comes_before(const t2g_candidate *a, const t2g_candidate *b)
{
    return a->rank != b->rank ? a->rank < b->rank : a->symbol < b->symbol;
}

static void push(t2g_bpe *b, t2g_candidate c)
{
    size_t i = b->heap_count++;
    for (; i > 0 && comes_before(&c, &b->heap[(i - 1) / 2]); i = (i - 1) / 2)
        b->heap[i] = b->heap[(i - 1) / 2];
    b->heap[i] = c;
}

static t2g_candidate pop(t2g_bpe *b)
{
    t2g_candidate top = b->heap[0], last = b->heap[--b->heap_count];
    size_t i = 0, child;
    for (; (child = 2 * i + 1) < b->heap_count; i = child) {
        if (child + 1 < b->heap_count &&
            comes_before(&b->heap[child + 1], &b->heap[child]))
            child++;
        if (!comes_before(&b->heap[child], &last))
            break;
        b->heap[i] = b->heap[child];
    }
    b->heap[i] = last;
    return top;
}

/* The symbol and the one behind it, if they can merge. */
static void consider(const t2g_merges *m, t2g_bpe *b, size_t symbol)
{
    const t2g_symbol *left = &b->symbol[symbol];
    if (left->next == T2G_LAST_SYMBOL)
        return;
    const t2g_symbol *right = &b->symbol[left->next];
    int64_t rank = t2g_merges_find(m, left->id, right->id);
    if (rank != T2G_NO_MERGE)
        push(b, (t2g_candidate){(uint32_t)rank, m->merge[rank].id, symbol,
                                right->end});
}

/* Symbols only ever grow, so the pair is the one that was considered if it
 * still begins and ends where that did. */
static bool is_current(const t2g_bpe *b, const t2g_candidate *c)
{
    const t2g_symbol *left = &b->symbol[c->symbol];
    return left->end != 0 && left->next != T2G_LAST_SYMBOL &&
           b->symbol[left->next].end == c->end;
}

/* --- merging ------------------------------------------------------------- */

static void merge(t2g_bpe *b, const t2g_candidate *c)
{
    t2g_symbol *left = &b->symbol[c->symbol];
    t2g_symbol *right = &b->symbol[left->next];
    left->id = c->id;
    left->end = right->end;
    left->next = right->next;
    right->end = 0;
    if (left->next != T2G_LAST_SYMBOL)
        b->symbol[left->next].previous = c->symbol;
}

/* One symbol a byte; bytes without a token are dropped. */
static size_t spell(const t2g_tokenizer *t, t2g_bpe *b, const char *bytes,
                    size_t n)
{
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        int64_t id = t->byte_id[(unsigned char)bytes[i]];
        if (id == T2G_NO_TOKEN)
            continue;
        b->symbol[count] = (t2g_symbol){i, i + 1, count - 1, count + 1,
                                        (uint32_t)id};
        count++;
    }
    if (count > 0)
        b->symbol[count - 1].next = T2G_LAST_SYMBOL;
    return count;
}

t2g_status t2g_bpe_encode(const t2g_tokenizer *t, t2g_bpe *b,
                          const char *bytes, size_t n, size_t *count)
{
    T2G_TRY(reserve(b, n));
    if (t->ignore_merges) {
        int64_t id = t2g_vocabulary_find_bytes(&t->vocabulary, bytes, n);
        if (id != T2G_NO_TOKEN) {
            b->symbol[0] = (t2g_symbol){0, n, 0, T2G_LAST_SYMBOL, (uint32_t)id};
            *count = 1;
            return T2G_OK;
        }
    }
    *count = spell(t, b, bytes, n);
    b->heap_count = 0;
    for (size_t i = 0; i + 1 < *count; i++)
        consider(&t->merges, b, i);
    while (b->heap_count > 0) {
        t2g_candidate c = pop(b);
        if (!is_current(b, &c))
            continue;
        merge(b, &c);
        --*count;
        if (c.symbol > 0)
            consider(&t->merges, b, b->symbol[c.symbol].previous);
        consider(&t->merges, b, c.symbol);
    }
    return T2G_OK;
}
