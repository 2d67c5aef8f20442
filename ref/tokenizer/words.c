/* Counting words, by all threads: texts are taken in batches, each thread
 * counts its share in a table of its own, and the tables are added up. */
#define XXH_INLINE_ALL
#include "words.h"

#include <string.h>
#include <xxhash.h>

#include "t2g/files.h"
#include "t2g/threads.h"

t2g_status t2g_grow(void **array, size_t count, size_t *capacity, size_t size)
{
    if (count < *capacity)
        return T2G_OK;
    if (count >= INT32_MAX)
        return t2g_fail(T2G_ERR_MEMORY, "too much text to train on");
    size_t larger = *capacity ? 2 * *capacity : 1024;
    void *p = t2g_regrow(*array, count, larger, size);
    if (!p)
        return T2G_ERR_MEMORY;
    *array = p;
    *capacity = larger;
    return T2G_OK;
}

/* --- one table ----------------------------------------------------------- */

void t2g_words_free(t2g_words *w)
{
    t2g_buffer_free(&w->text);
    t2g_free(w->word);
    t2g_free(w->slot);
}

/* The slot that holds this word, or the free one where it belongs. */
static size_t slot_of(const t2g_words *w, const char *s, size_t n)
{
    size_t i = XXH3_64bits(s, n) & (w->slots - 1);
    for (; w->slot[i] != 0; i = (i + 1) & (w->slots - 1)) {
        const t2g_word *word = &w->word[w->slot[i] - 1];
        if (word->length == n && memcmp(w->text.data + word->begin, s, n) == 0)
            break;
    }
    return i;
}

/* Keeps the table at most half full. */
static t2g_status grow_slots(t2g_words *w)
{
    if (2 * (w->count + 1) <= w->slots)
        return T2G_OK;
    size_t slots = w->slots ? 2 * w->slots : 4096;
    uint32_t *slot = t2g_calloc(slots, sizeof *slot);
    if (!slot)
        return T2G_ERR_MEMORY;
    t2g_free(w->slot);
    w->slot = slot;
    w->slots = slots;
    for (size_t i = 0; i < w->count; i++)
        slot[slot_of(w, w->text.data + w->word[i].begin, w->word[i].length)] =
            (uint32_t)i + 1;
    return T2G_OK;
}

static t2g_status add(t2g_words *w, const char *s, size_t n, uint64_t count)
{
    T2G_TRY(grow_slots(w));
    size_t slot = slot_of(w, s, n);
    if (w->slot[slot] == 0) {
        T2G_TRY(t2g_grow((void **)&w->word, w->count, &w->capacity,
                         sizeof *w->word));
        t2g_word new = {w->text.size, n, 0};
        T2G_TRY(t2g_buffer_append(&w->text, s, n));
        w->word[w->count++] = new;
        w->slot[slot] = (uint32_t)w->count;
    }
    w->word[w->slot[slot] - 1].count += count;
    return T2G_OK;
}

/* --- a batch of texts ---------------------------------------------------- */

enum { BATCH_BYTES = 1 << 22 };

typedef struct batch {
    t2g_buffer text;
    size_t *end; /* [count], of each in text */
    size_t count, capacity;
    size_t earlier; /* texts of the batches before */
} batch;

static t2g_status read_batch(batch *b, const t2g_tokenizer_training *source,
                             bool *at_end)
{
    b->earlier += b->count;
    b->count = b->text.size = 0;
    while (b->text.size < BATCH_BYTES) {
        const char *text = NULL;
        size_t n = 0;
        T2G_TRY(source->next(source->context, &text, &n));
        *at_end = !text;
        if (!text)
            break;
        T2G_TRY(t2g_grow((void **)&b->end, b->count, &b->capacity,
                         sizeof *b->end));
        T2G_TRY(t2g_buffer_append(&b->text, text, n));
        b->end[b->count++] = b->text.size;
    }
    return T2G_OK;
}

/* --- a thread ------------------------------------------------------------ */

typedef struct counter {
    t2g_words words;
    t2g_normalize_scratch normalize;
    t2g_pretokenize_scratch pretokenize;
    t2g_status status;
    char *message; /* of an error */
} counter;

static t2g_status count_piece(void *context, const t2g_piece *piece)
{
    return add(context, piece->text, piece->n, 1);
}

static t2g_status count_text(counter *c, const t2g_tokenizer *t,
                             const batch *b, size_t i)
{
    size_t begin = i > 0 ? b->end[i - 1] : 0;
    t2g_piece text = {b->text.data + begin, b->end[i] - begin, 0, NULL};
    if (text.n == 0)
        return T2G_OK;
    size_t valid = t2g_utf8_invalid(text.text, text.n);
    if (valid < text.n)
        return t2g_fail(T2G_ERR_FORMAT, "text %zu: byte %zu, 0x%02X, is not "
                        "UTF-8", b->earlier + i + 1, valid,
                        (unsigned char)text.text[valid]);
    if (!c->pretokenize.regex)
        T2G_TRY(t2g_regex_scratch_new(&c->pretokenize.regex));
    T2G_TRY(t2g_normalize(&t->normalizer, &text, &text, &c->normalize));
    return t2g_pretokenize(&t->pre_tokenizer, &text, &c->pretokenize,
                           count_piece, &c->words);
}

/* Texts [begin, end); an error of a thread is told by the caller's. */
static void count_share(counter *c, const t2g_tokenizer *t, const batch *b,
                        size_t begin, size_t end)
{
    for (size_t i = begin; i < end && c->status == T2G_OK; i++)
        c->status = count_text(c, t, b, i);
    if (c->status != T2G_OK && !c->message)
        c->message = t2g_strdup(t2g_error_message());
}

static t2g_status count_batch(counter *c, size_t threads,
                              const t2g_tokenizer *t, const batch *b)
{
#pragma omp parallel for schedule(static, 1)
    for (size_t k = 0; k < threads; k++)
        count_share(&c[k], t, b, k * b->count / threads,
                    (k + 1) * b->count / threads);
    for (size_t k = 0; k < threads; k++)
        if (c[k].status != T2G_OK)
            return t2g_fail(c[k].status, "%s",
                            c[k].message ? c[k].message : "no memory");
    return T2G_OK;
}

static t2g_status add_up(t2g_words *w, const counter *c, size_t threads)
{
    for (size_t k = 0; k < threads; k++)
        for (size_t i = 0; i < c[k].words.count; i++) {
            const t2g_word *word = &c[k].words.word[i];
            T2G_TRY(add(w, c[k].words.text.data + word->begin, word->length,
                        word->count));
        }
    return T2G_OK;
}

t2g_status t2g_words_count(t2g_words *w, const t2g_tokenizer *t,
                           const t2g_tokenizer_training *source)
{
    size_t threads = (size_t)t2g_threads();
    counter *c = t2g_calloc(threads, sizeof *c);
    batch b = {.count = 0};
    bool at_end = false;
    t2g_status s = c ? T2G_OK : T2G_ERR_MEMORY;
    while (s == T2G_OK && !at_end) {
        s = read_batch(&b, source, &at_end);
        if (s == T2G_OK)
            s = count_batch(c, threads, t, &b);
    }
    if (s == T2G_OK)
        s = add_up(w, c, threads);
    for (size_t k = 0; c && k < threads; k++) {
        t2g_words_free(&c[k].words);
        t2g_normalize_scratch_free(&c[k].normalize);
        t2g_pretokenize_scratch_free(&c[k].pretokenize);
        t2g_free(c[k].message);
    }
    t2g_free(c);
    t2g_buffer_free(&b.text);
    t2g_free(b.end);
    return s;
}
