/* Exact match and token F1 of short answers. Rajpurkar et al., SQuAD, 2016: the
 * official script's rules. */
#include "metrics_private.h"

#include <string.h>

#include "../tokenizer/unicode.h"

static bool punctuation(char c)
{
    return (c >= '!' && c <= '/') || (c >= ':' && c <= '@') ||
           (c >= '[' && c <= '`') || (c >= '{' && c <= '~');
}

static bool word_character(uint32_t code)
{
    return code == '_' || (unicode_class(code) & (CLASS_L | CLASS_N)) != 0;
}

static void drop_punctuation(t2g_buffer *b)
{
    size_t kept = 0;
    for (size_t i = 0; i < b->size; i++)
        if (!punctuation(b->data[i]))
            b->data[kept++] = b->data[i];
    b->size = kept;
}

static bool article(const char *word, size_t n)
{
    return (n == 1 && word[0] == 'a') || (n == 2 && memcmp(word, "an", 2) == 0)
           || (n == 3 && memcmp(word, "the", 3) == 0);
}

/* Bytes from i on whose characters all are (or all are not) of words. */
static size_t run_length(const t2g_buffer *b, size_t i, bool of_words)
{
    const unsigned char *s = (const unsigned char *)b->data;
    size_t end = i;
    while (end < b->size && word_character(utf8_decode(s + end)) == of_words)
        end += utf8_length(s[end]);
    return end - i;
}

/* Articles that are whole words become blanks. */
static void blank_articles(t2g_buffer *b)
{
    bool of_words = true;
    for (size_t i = 0, n; i < b->size; i += n, of_words = !of_words) {
        n = run_length(b, i, of_words);
        if (of_words && article(b->data + i, n))
            memset(b->data + i, ' ', n);
    }
}

/* The words of the normal form. */
static t2g_status normal_words(t2g_tokens *out, t2g_text text)
{
    t2g_buffer b = {0};
    t2g_status s = t2g_lower_text(&b, text);
    if (s == T2G_OK) {
        drop_punctuation(&b);
        blank_articles(&b);
        s = t2g_blank_tokens(out, (t2g_text){b.data, b.size});
    }
    t2g_buffer_free(&b);
    return s;
}

t2g_status t2g_answer_normalize(t2g_buffer *out, t2g_text text)
{
    t2g_tokens t = {0};
    t2g_status s = normal_words(&t, text);
    for (size_t i = 0; s == T2G_OK && i < t.count; i++) {
        t2g_text word = t2g_tokens_at(&t, i);
        if (i > 0)
            s = t2g_buffer_puts(out, " ");
        if (s == T2G_OK)
            s = t2g_buffer_append(out, word.data, word.size);
    }
    t2g_tokens_free(&t);
    return s == T2G_OK ? t2g_buffer_append(out, "", 0) : s;
}

static t2g_status compare(bool *exact, double *f1, t2g_numbering *words,
                          const t2g_sequence *r, const t2g_sequence *p)
{
    size_t hits, bytes = r->count * sizeof *r->word;
    *exact = r->count == p->count && memcmp(r->word, p->word, bytes) == 0;
    T2G_TRY(t2g_clipped_matches(&hits, p, r, 1, words->count));
    *f1 = r->count && p->count
              ? t2g_prf_of((double)hits, (double)p->count, (double)r->count).f1
              : r->count == p->count;
    return T2G_OK;
}

t2g_status t2g_answer_match(bool *exact, double *f1, t2g_text reference,
                            t2g_text prediction)
{
    t2g_tokens t = {0};
    t2g_numbering words = {0};
    t2g_sequence r = {0}, p = {0};
    t2g_status s = normal_words(&t, reference);
    if (s == T2G_OK)
        s = t2g_sequence_of(&r, &words, &t);
    if (s == T2G_OK)
        s = normal_words(&t, prediction);
    if (s == T2G_OK)
        s = t2g_sequence_of(&p, &words, &t);
    if (s == T2G_OK)
        s = compare(exact, f1, &words, &r, &p);
    t2g_sequence_free(&r);
    t2g_sequence_free(&p);
    t2g_numbering_free(&words);
    t2g_tokens_free(&t);
    return s;
}
