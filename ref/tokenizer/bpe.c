/* Byte pair encoding of one piece: it is spelled in symbols, and while two
 * adjacent ones are in the merge table, the pair of lowest rank merges, among
 * equal pairs the leftmost. [SHB16] */
#include <string.h>

#include "tokenizer_private.h"
#include "unicode.h"

static t2g_status reserve(t2g_bpe *b, size_t n)
{
    if (n <= b->capacity)
        return T2G_OK;
    enum { LARGE = 1 << 16 }; /* from where on room to spare costs too much */
    size_t capacity = n < 128 ? 128 : n < LARGE ? n + n / 2 : n;
    t2g_free(b->symbol);
    b->capacity = 0;
    b->symbol = t2g_calloc(capacity, sizeof *b->symbol);
    if (!b->symbol)
        return T2G_ERR_MEMORY;
    b->capacity = capacity;
    return T2G_OK;
}

void t2g_bpe_free(t2g_bpe *b)
{
    t2g_free(b->symbol);
    t2g_free(b->link);
    t2g_free(b->heap);
    t2g_buffer_free(&b->text);
    *b = (t2g_bpe){0};
}

/* --- spelling ------------------------------------------------------------ */

/* One symbol a byte; bytes without a token are dropped. */
static size_t spell_bytes(const t2g_spelling *s, t2g_symbol *symbol,
                          const char *text, size_t n)
{
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        int64_t id = s->byte_id[(unsigned char)text[i]];
        if (id != T2G_NO_TOKEN)
            symbol[count++] = (t2g_symbol){i, i + 1, (uint32_t)id};
    }
    return count;
}

/* Symbols being laid out one behind the other. */
typedef struct speller {
    const t2g_tokenizer *t;
    t2g_bpe *b;
    size_t count, at;
    size_t n;       /* length of the piece */
    size_t unknown; /* bytes of characters that wait for their unk token */
} speller;

static void lay(speller *s, int64_t id, size_t length)
{
    size_t end = s->at + length < s->n ? s->at + length : s->n;
    s->b->symbol[s->count++] = (t2g_symbol){s->at, end, (uint32_t)id};
    s->at = end;
}

static void lay_unknown(speller *s)
{
    if (s->unknown > 0)
        lay(s, s->t->spelling.unk, s->unknown);
    s->unknown = 0;
}

/* The character as it stands in the vocabulary: with the prefix of those that
 * continue a word, with the suffix of the one that ends it. */
static t2g_status decorate(speller *s, const char **c, size_t *n, bool first,
                           bool last)
{
    const t2g_spelling *how = &s->t->spelling;
    const char *prefix = first ? NULL : how->prefix;
    const char *suffix = last ? how->suffix : NULL;
    if (!prefix && !suffix)
        return T2G_OK;
    t2g_buffer *text = &s->b->text;
    text->size = 0;
    T2G_TRY(t2g_buffer_puts(text, prefix ? prefix : ""));
    T2G_TRY(t2g_buffer_append(text, *c, *n));
    T2G_TRY(t2g_buffer_puts(text, suffix ? suffix : ""));
    *c = text->data;
    *n = text->size;
    return T2G_OK;
}

/* As tokens <0xNN>, if all of them exist. */
static bool fall_back(speller *s, const char *c, size_t n)
{
    const int64_t *id = s->t->spelling.byte_id;
    if (!s->t->spelling.byte_fallback)
        return false;
    for (size_t i = 0; i < n; i++)
        if (id[(unsigned char)c[i]] == T2G_NO_TOKEN)
            return false;
    for (size_t i = 0; i < n; i++)
        lay(s, id[(unsigned char)c[i]], 1);
    return true;
}

static int64_t character_id(const t2g_tokenizer *t, const char *c, size_t n)
{
    if (n == 1 && !(*c & 0x80))
        return t->spelling.ascii_id[(unsigned char)*c];
    int64_t id = t2g_vocabulary_find(&t->vocabulary, c, n);
    return id != T2G_NO_TOKEN && t->vocabulary.token[id].flags & TOKEN_MODEL
               ? id : T2G_NO_TOKEN;
}

/* Unknown characters wait for the next one of the vocabulary, so that bytes
 * that follow them come out before, as in the reference. */
static t2g_status spell_character(speller *s, const char *c, size_t n,
                                  bool first, bool last)
{
    const t2g_spelling *how = &s->t->spelling;
    size_t length = n; /* of the text it covers */
    T2G_TRY(decorate(s, &c, &n, first, last));
    int64_t id = character_id(s->t, c, n);
    if (id != T2G_NO_TOKEN) {
        lay_unknown(s);
        lay(s, id, length);
    } else if (fall_back(s, c, n)) {
        return T2G_OK;
    } else if (how->unk == T2G_NO_TOKEN) {
        s->at += length; /* dropped */
    } else {
        if (!how->fuse_unk)
            lay_unknown(s);
        s->unknown += length;
    }
    return T2G_OK;
}

static t2g_status spell_characters(const t2g_tokenizer *t, t2g_bpe *b,
                                   const char *text, size_t n, size_t *count)
{
    speller s = {.t = t, .b = b, .n = n};
    for (size_t p = 0, end; p < n; p = end) {
        end = p + utf8_length((unsigned char)text[p]);
        T2G_TRY(spell_character(&s, text + p, end - p, p == 0, end == n));
    }
    lay_unknown(&s);
    *count = s.count;
    return T2G_OK;
}

/* --- merging, as defined ------------------------------------------------- */

/* The pairs i, i + 1 of a word that may merge. */
typedef struct pairs {
    uint32_t rank[T2G_LONG_WORD]; /* UINT32_MAX: they may not */
    uint32_t id[T2G_LONG_WORD];
} pairs;

static void consider_pair(const t2g_merges *m, const t2g_symbol *symbol,
                          pairs *p, size_t i)
{
    const t2g_merge *found = t2g_merges_find(m, symbol[i].id,
                                             symbol[i + 1].id);
    p->rank[i] = found ? found->rank : UINT32_MAX;
    p->id[i] = found ? found->id : 0;
}

static size_t best_pair(const pairs *p, size_t count)
{
    size_t best = 0;
    for (size_t i = 1; i < count; i++)
        if (p->rank[i] < p->rank[best])
            best = i;
    return best;
}

/* The pairs of a word as it is spelled. */
static void consider_all(const t2g_tokenizer *t, const t2g_symbol *symbol,
                         const char *text, size_t n, pairs *p)
{
    const unsigned char *s = (const unsigned char *)text;
    const uint32_t *byte_merge = t->spelling.byte_merge;
    for (size_t i = 0; i + 1 < n; i++) {
        if (!byte_merge) {
            consider_pair(&t->merges, symbol, p, i);
            continue;
        }
        uint32_t found = byte_merge[256 * s[symbol[i].begin] +
                                    s[symbol[i + 1].begin]];
        p->rank[i] = found - 1; /* 0, none, becomes the largest */
        p->id[i] = found ? t->merges.merge[found - 1].id : 0;
    }
}

/* Each round merges the best of all pairs: what the definition says, and the
 * fastest way for words of usual length. Returns how many symbols are left. */
static size_t merge_short(const t2g_tokenizer *t, t2g_symbol *symbol,
                          const char *text, size_t n)
{
    const t2g_merges *m = &t->merges;
    pairs p;
    consider_all(t, symbol, text, n, &p);
    while (n > 1) {
        size_t best = best_pair(&p, n - 1);
        if (p.rank[best] == UINT32_MAX)
            break;
        symbol[best].id = p.id[best];
        symbol[best].end = symbol[best + 1].end;
        n--;
        for (size_t i = best + 1; i < n; i++) {
            symbol[i] = symbol[i + 1];
            p.rank[i - 1] = p.rank[i];
            p.id[i - 1] = p.id[i];
        }
        if (best > 0)
            consider_pair(m, symbol, &p, best - 1);
        if (best + 1 < n)
            consider_pair(m, symbol, &p, best);
    }
    return n;
}

/* --- merging long words -------------------------------------------------- */

/* A heap of candidates with lazy deletion makes it O(n log n). Each symbol but
 * the last gives a candidate, each merge at most two more and there are fewer
 * merges than symbols; each merge pops one. */
enum { CANDIDATES_PER_SYMBOL = 2 };

static t2g_status reserve_long(t2g_bpe *b, size_t n)
{
    if (n <= b->long_capacity)
        return T2G_OK;
    t2g_free(b->link);
    t2g_free(b->heap);
    b->long_capacity = 0;
    b->link = t2g_calloc(b->capacity, sizeof *b->link);
    b->heap = t2g_calloc(b->capacity, CANDIDATES_PER_SYMBOL * sizeof *b->heap);
    if (!b->link || !b->heap)
        return T2G_ERR_MEMORY;
    b->long_capacity = b->capacity;
    return T2G_OK;
}

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

enum { NO_SYMBOL = 0 }; /* `next` of the last one: nothing follows */

/* The symbol and the one behind it, if they can merge. */
static void consider(const t2g_merges *m, t2g_bpe *b, size_t symbol)
{
    size_t next = b->link[symbol].next;
    if (next == NO_SYMBOL)
        return;
    const t2g_merge *merge = t2g_merges_find(m, b->symbol[symbol].id,
                                             b->symbol[next].id);
    if (merge)
        push(b, (t2g_candidate){merge->rank, merge->id, symbol});
}

/* Whether the pair is still there, or another one that merges alike. */
static bool is_current(const t2g_merges *m, const t2g_bpe *b,
                       const t2g_candidate *c)
{
    size_t next = b->link[c->symbol].next;
    if (b->link[c->symbol].dead || next == NO_SYMBOL)
        return false;
    const t2g_merge *merge = t2g_merges_find(m, b->symbol[c->symbol].id,
                                             b->symbol[next].id);
    return merge && merge->rank == c->rank;
}

static void merge(t2g_bpe *b, const t2g_candidate *c)
{
    size_t right = b->link[c->symbol].next, next = b->link[right].next;
    b->symbol[c->symbol].id = c->id;
    b->symbol[c->symbol].end = b->symbol[right].end;
    b->link[c->symbol].next = next;
    b->link[right].dead = true;
    if (next != NO_SYMBOL)
        b->link[next].previous = c->symbol;
}

static t2g_status merge_long(const t2g_merges *m, t2g_bpe *b, size_t *n)
{
    T2G_TRY(reserve_long(b, *n));
    b->heap_count = 0;
    for (size_t i = 0; i < *n; i++)
        b->link[i] = (t2g_link){i - (i > 0), i + 1 < *n ? i + 1 : NO_SYMBOL,
                                false};
    for (size_t i = 0; i < *n; i++)
        consider(m, b, i);
    while (b->heap_count > 0) {
        t2g_candidate c = pop(b);
        if (!is_current(m, b, &c))
            continue;
        merge(b, &c);
        if (c.symbol > 0)
            consider(m, b, b->link[c.symbol].previous);
        consider(m, b, c.symbol);
    }
    size_t kept = 0;
    for (size_t i = 0; i < *n; i++)
        if (!b->link[i].dead)
            b->symbol[kept++] = b->symbol[i];
    *n = kept;
    return T2G_OK;
}

/* --- the whole ----------------------------------------------------------- */

/* A piece that is a token as a whole, where that is looked up first. */
static int64_t whole_piece(const t2g_tokenizer *t, const char *text, size_t n)
{
    const t2g_vocabulary *v = &t->vocabulary;
    if (!t->spelling.ignore_merges)
        return T2G_NO_TOKEN;
    if (t->spelling.bytes)
        return t2g_vocabulary_find_bytes(v, text, n);
    int64_t id = t2g_vocabulary_find(v, text, n);
    return id != T2G_NO_TOKEN && v->token[id].flags & TOKEN_MODEL
               ? id
               : T2G_NO_TOKEN;
}

t2g_status t2g_bpe_encode(const t2g_tokenizer *t, t2g_bpe *b, const char *text,
                          size_t n, size_t *count)
{
    size_t affixes = t->spelling.suffix ? strlen(t->spelling.suffix) : 0;
    if (t->spelling.prefix)
        affixes += n * strlen(t->spelling.prefix);
    T2G_TRY(reserve(b, n + affixes)); /* bytes of them may become symbols */
    int64_t id = whole_piece(t, text, n);
    if (id != T2G_NO_TOKEN) {
        b->symbol[0] = (t2g_symbol){0, n, (uint32_t)id};
        *count = 1;
        return T2G_OK;
    }
    if (t->spelling.bytes)
        *count = spell_bytes(&t->spelling, b->symbol, text, n);
    else
        T2G_TRY(spell_characters(t, b, text, n, count));
    if (*count >= T2G_LONG_WORD)
        return merge_long(&t->merges, b, count);
    *count = merge_short(t, b->symbol, text, *count);
    return T2G_OK;
}
