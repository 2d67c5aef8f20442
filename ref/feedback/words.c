#include "words.h"

#include <string.h>

enum { EQUAL = 200, ADJACENT = 100, MISSING = -100, PASSED = -1 };
enum { PAIR, LISTED, RESPONSE }; /* how a cell was reached; 2 bits */
#define MOST_CELLS ((size_t)1 << 28)

/* Words by what their letters and digits fold to. */
typedef struct word_list {
    t2g_range *at;    /* bytes of the text; of a listed word, its index */
    t2g_folded *key;
    uint64_t *hash;
    size_t count, capacity;
} word_list;

static void free_list(word_list *l)
{
    for (size_t i = 0; l->key && i < l->count; i++)
        t2g_folded_free(&l->key[i]);
    t2g_free(l->at);
    t2g_free(l->key);
    t2g_free(l->hash);
}

static t2g_status make_list(word_list *l, size_t capacity)
{
    *l = (word_list){.at = t2g_calloc(capacity, sizeof *l->at),
                     .key = t2g_calloc(capacity, sizeof *l->key),
                     .hash = t2g_calloc(capacity, sizeof *l->hash)};
    return l->at && l->key && l->hash ? T2G_OK : T2G_ERR_MEMORY;
}

/* FNV-1a of the key. */
static uint64_t hash_of(const t2g_folded *f)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < f->size; i++)
        h = (h ^ f->code[i]) * UINT64_C(0x100000001b3);
    return h;
}

/* Signs alone are their own key. */
static t2g_status add_word(word_list *l, const char *word, size_t n,
                           t2g_range at)
{
    t2g_folded folded = {0}, *key = &l->key[l->count];
    T2G_TRY(t2g_fold(&folded, word, n));
    t2g_status s = t2g_fold_skeleton(key, &folded);
    if (s == T2G_OK && key->size == 0) {
        t2g_folded_free(key);
        *key = folded;
        folded = (t2g_folded){0};
    }
    t2g_folded_free(&folded);
    T2G_TRY(s);
    l->hash[l->count] = hash_of(key);
    l->at[l->count++] = at;
    return T2G_OK;
}

static t2g_range next_word(const char *text, size_t n, size_t i)
{
    size_t length;
    while (i < n && (length = t2g_space_at(text, n, i)))
        i += length;
    t2g_range r = {i, i};
    while (r.end < n && !t2g_space_at(text, n, r.end)) {
        uint32_t code;
        r.end += t2g_character_at(text, n, r.end, &code);
    }
    return r;
}

static t2g_status split(word_list *l, const char *text, size_t n)
{
    size_t count = 0;
    for (t2g_range r = next_word(text, n, 0); r.begin < r.end;
         r = next_word(text, n, r.end))
        count++;
    T2G_TRY(make_list(l, count));
    for (t2g_range r = next_word(text, n, 0); r.begin < r.end;
         r = next_word(text, n, r.end))
        T2G_TRY(add_word(l, text + r.begin, r.end - r.begin, r));
    return T2G_OK;
}

/* Usable words of the critique; at[i].begin is the span's index. */
static t2g_status collect(word_list *l, const t2g_critique *c)
{
    T2G_TRY(make_list(l, c->count));
    for (size_t k = 0; k < c->count; k++)
        if (c->span[k].word && !c->span[k].rejected)
            T2G_TRY(add_word(l, c->span[k].text, c->span[k].length,
                             (t2g_range){k, k}));
    return T2G_OK;
}

static bool equal(const word_list *a, size_t i, const word_list *b, size_t j)
{
    return a->hash[i] == b->hash[j] && a->key[i].size == b->key[j].size &&
           a->key[i].size > 0 &&
           memcmp(a->key[i].code, b->key[j].code,
                  a->key[i].size * sizeof *a->key[i].code) == 0;
}

/* The table of moves, four cells a byte. */
typedef struct table {
    const word_list *listed, *response;
    const t2g_critique *critique;
    const char *text; /* the response */
    uint8_t *move;
    int64_t *above, *row; /* scores [response->count + 1] */
} table;

static void set_move(table *t, size_t i, size_t j, unsigned move)
{
    size_t cell = i * (t->response->count + 1) + j;
    t->move[cell / 4] |= (uint8_t)(move << 2 * (cell % 4));
}

static unsigned move_at(const table *t, size_t i, size_t j)
{
    size_t cell = i * (t->response->count + 1) + j;
    return t->move[cell / 4] >> 2 * (cell % 4) & 3;
}

/* Of cell (i, j), which pairs words i - 1 and j - 1. */
static int64_t pair_score(const table *t, size_t i, size_t j)
{
    if (!equal(t->listed, i - 1, t->response, j - 1))
        return MISSING;
    bool adjacent = i > 1 && j > 1 && move_at(t, i - 1, j - 1) == PAIR &&
                    equal(t->listed, i - 2, t->response, j - 2);
    return EQUAL + (adjacent ? ADJACENT : 0);
}

static void fill_row(table *t, size_t i)
{
    t->row[0] = MISSING * (int64_t)i;
    set_move(t, i, 0, LISTED);
    for (size_t j = 1; j <= t->response->count; j++) {
        int64_t best = t->above[j - 1] + pair_score(t, i, j);
        unsigned move = PAIR;
        if (t->above[j] + MISSING > best) {
            best = t->above[j] + MISSING;
            move = LISTED;
        }
        if (t->row[j - 1] + PASSED > best) {
            best = t->row[j - 1] + PASSED;
            move = RESPONSE;
        }
        t->row[j] = best;
        set_move(t, i, j, move);
    }
}

/* The bytes of word j that listed word i means: all of it if it is listed as it
 * is, else without the signs at its ends. */
static t2g_range range_of(const table *t, size_t i, size_t j)
{
    const t2g_span *s = &t->critique->span[t->listed->at[i].begin];
    const t2g_folded *key = &t->response->key[j];
    t2g_range r = t->response->at[j];
    if (r.end - r.begin == s->length &&
        memcmp(t->text + r.begin, s->text, s->length) == 0)
        return r;
    return (t2g_range){r.begin + key->begin[0],
                       r.begin + key->end[key->size - 1]};
}

/* Back from the best end; words of the response behind it cost nothing. */
static void trace(const table *t, t2g_word_place *out)
{
    size_t i = t->listed->count, j = 0;
    for (size_t k = 1; k <= t->response->count; k++)
        if (t->above[k] > t->above[j])
            j = k;
    while (i > 0) {
        unsigned move = move_at(t, i, j);
        if (move == PAIR && equal(t->listed, i - 1, t->response, j - 1))
            out[t->listed->at[i - 1].begin] =
                (t2g_word_place){j - 1, range_of(t, i - 1, j - 1)};
        i -= move != RESPONSE;
        j -= move != LISTED;
    }
}

static t2g_status fill_table(table *t, t2g_word_place *out)
{
    size_t columns = t->response->count + 1, rows = t->listed->count + 1;
    t->move = t2g_calloc(rows * columns / 4 + 1, 1);
    t->above = t2g_calloc(columns, sizeof *t->above);
    t->row = t2g_calloc(columns, sizeof *t->row);
    bool ready = t->move && t->above && t->row;
    for (size_t i = 1; ready && i < rows; i++) {
        fill_row(t, i);
        int64_t *swap = t->above;
        t->above = t->row;
        t->row = swap;
    }
    if (ready)
        trace(t, out);
    t2g_free(t->move);
    t2g_free(t->above);
    t2g_free(t->row);
    return ready ? T2G_OK : T2G_ERR_MEMORY;
}

t2g_status t2g_match_words(t2g_word_place *out, const t2g_critique *critique,
                           const char *response, size_t n, bool *too_many)
{
    word_list listed = {0}, words = {0};
    table t = {.listed = &listed, .response = &words,
               .critique = critique, .text = response};
    for (size_t k = 0; k < critique->count; k++)
        out[k].word = SIZE_MAX;
    *too_many = false;
    t2g_status s = collect(&listed, critique);
    if (s == T2G_OK && listed.count)
        s = split(&words, response, n);
    if (s == T2G_OK && listed.count) {
        *too_many = MOST_CELLS / (words.count + 1) < listed.count + 1;
        if (!*too_many)
            s = fill_table(&t, out);
    }
    free_list(&listed);
    free_list(&words);
    return s;
}
