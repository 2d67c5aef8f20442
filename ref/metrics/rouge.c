/* ROUGE. Lin, ROUGE: a package for automatic evaluation of summaries, 2004, as
 * Python's rouge_score computes it. */
#include "metrics_private.h"

#include <string.h>

/* The two texts of a comparison under one numbering. */
typedef struct pair {
    t2g_numbering words, bigrams;
    t2g_sequence reference, prediction;
    t2g_lcs_table lcs;
} pair;

static t2g_status number_text(t2g_sequence *s, t2g_numbering *words,
                              t2g_text text, bool stem)
{
    t2g_tokens t = {0};
    t2g_status status = t2g_rouge_tokens(&t, text, stem);
    if (status == T2G_OK)
        status = t2g_sequence_of(s, words, &t);
    t2g_tokens_free(&t);
    return status;
}

static void pair_free(pair *p)
{
    t2g_sequence_free(&p->reference);
    t2g_sequence_free(&p->prediction);
    t2g_numbering_free(&p->words);
    t2g_numbering_free(&p->bigrams);
    t2g_lcs_free(&p->lcs);
}

/* --- n-grams and the subsequence ------------------------------------------ */

static t2g_status score_grams(t2g_prf *out, const pair *p, size_t distinct)
{
    size_t hits;
    T2G_TRY(t2g_clipped_matches(&hits, &p->prediction, &p->reference, 1,
                                distinct));
    *out = t2g_prf_of((double)hits,
                      (double)t2g_sequence_grams(&p->prediction),
                      (double)t2g_sequence_grams(&p->reference));
    return T2G_OK;
}

static t2g_status score_lcs(t2g_prf *out, pair *p)
{
    const t2g_sequence *r = &p->reference, *c = &p->prediction;
    size_t length;
    T2G_TRY(t2g_lcs(&p->lcs, &length, NULL, r->word, r->count, c->word,
                    c->count));
    *out = t2g_prf_of((double)length, (double)c->count, (double)r->count);
    return T2G_OK;
}

static t2g_status score_whole(t2g_prf out[T2G_ROUGES], pair *p)
{
    T2G_TRY(score_grams(&out[T2G_ROUGE_1], p, p->words.count));
    T2G_TRY(score_lcs(&out[T2G_ROUGE_L], p));
    T2G_TRY(t2g_sequence_extend(&p->reference, &p->bigrams));
    T2G_TRY(t2g_sequence_extend(&p->prediction, &p->bigrams));
    return score_grams(&out[T2G_ROUGE_2], p, p->bigrams.count);
}

/* --- lines ---------------------------------------------------------------- */

/* Sentences of a text: its lines that have words, as ranges of the words of the
 * whole (none goes over a line end). */
typedef struct lines {
    size_t *end, count;
} lines;

static t2g_status split_lines(lines *out, t2g_text text)
{
    size_t most = 1, words = 0;
    for (size_t i = 0; i < text.size; i++)
        most += text.data[i] == '\n';
    *out = (lines){t2g_calloc(most, sizeof *out->end), 0};
    t2g_tokens t = {0};
    t2g_status s = out->end ? T2G_OK : T2G_ERR_MEMORY;
    for (size_t begin = 0; s == T2G_OK && begin < text.size;) {
        const char *at = text.data + begin;
        const char *feed = memchr(at, '\n', text.size - begin);
        size_t n = feed ? (size_t)(feed - at) : text.size - begin;
        s = t2g_rouge_tokens(&t, (t2g_text){at, n}, false);
        words += t.count;
        if (t.count)
            out->end[out->count++] = words;
        begin += n + 1;
    }
    t2g_tokens_free(&t);
    return s;
}

/* Marks the words of a reference line that are in a common subsequence with any
 * line of the prediction. */
static t2g_status mark_line(uint8_t *member, pair *p, size_t from, size_t to,
                            const lines *l)
{
    for (size_t k = 0, begin = 0; k < l->count; begin = l->end[k++]) {
        size_t length;
        T2G_TRY(t2g_lcs(&p->lcs, &length, member + from,
                        p->reference.word + from, to - from,
                        p->prediction.word + begin, l->end[k] - begin));
    }
    return T2G_OK;
}

/* Marked words that the prediction still has: each of its words pays once. */
static size_t count_hits(const uint8_t *member, const t2g_sequence *r,
                         const t2g_sequence *c, uint32_t *left)
{
    size_t hits = 0;
    for (size_t i = 0; i < c->count; i++)
        left[c->word[i]]++;
    for (size_t i = 0; i < r->count; i++)
        if (member[i] && left[r->word[i]] > 0) {
            left[r->word[i]]--;
            hits++;
        }
    return hits;
}

static t2g_status score_marked(t2g_prf *out, pair *p, const lines *r,
                               const lines *c)
{
    uint8_t *member = t2g_calloc(p->reference.count, 1);
    uint32_t *left = t2g_calloc(p->words.count, sizeof *left);
    t2g_status s = member && left ? T2G_OK : T2G_ERR_MEMORY;
    for (size_t k = 0, begin = 0; s == T2G_OK && k < r->count;
         begin = r->end[k++])
        s = mark_line(member, p, begin, r->end[k], c);
    if (s == T2G_OK) {
        size_t hits = count_hits(member, &p->reference, &p->prediction, left);
        *out = t2g_prf_of((double)hits, (double)p->prediction.count,
                          (double)p->reference.count);
    }
    t2g_free(member);
    t2g_free(left);
    return s;
}

static t2g_status score_lines(t2g_prf *out, pair *p, t2g_text reference,
                              t2g_text prediction)
{
    lines r, c = {0};
    t2g_status s = split_lines(&r, reference);
    if (s == T2G_OK)
        s = split_lines(&c, prediction);
    if (s == T2G_OK)
        s = score_marked(out, p, &r, &c);
    t2g_free(r.end);
    t2g_free(c.end);
    return s;
}

/* --- scores --------------------------------------------------------------- */

t2g_status t2g_rouge(t2g_prf out[T2G_ROUGES], t2g_text reference,
                     t2g_text prediction, bool stem)
{
    pair p = {0};
    t2g_status s = number_text(&p.reference, &p.words, reference, stem);
    if (s == T2G_OK)
        s = number_text(&p.prediction, &p.words, prediction, stem);
    if (s == T2G_OK)
        s = score_whole(out, &p);
    if (s == T2G_OK)
        s = score_lines(&out[T2G_ROUGE_LSUM], &p, reference, prediction);
    pair_free(&p);
    return s;
}

t2g_status t2g_rouge_best(t2g_prf out[T2G_ROUGES], const t2g_text *reference,
                          size_t count, t2g_text prediction, bool stem)
{
    t2g_prf one[T2G_ROUGES];
    if (count == 0)
        return t2g_fail(T2G_ERR_ARG, "no reference");
    T2G_TRY(t2g_rouge(out, reference[0], prediction, stem));
    for (size_t i = 1; i < count; i++) {
        T2G_TRY(t2g_rouge(one, reference[i], prediction, stem));
        for (int k = 0; k < T2G_ROUGES; k++)
            if (one[k].f1 > out[k].f1)
                out[k] = one[k];
    }
    return T2G_OK;
}

t2g_status t2g_similarity(double *out, t2g_text reference, t2g_text prediction)
{
    t2g_prf rouge[T2G_ROUGES];
    t2g_text_matching m;
    T2G_TRY(t2g_rouge(rouge, reference, prediction, true));
    T2G_TRY(t2g_text_match(&m, reference, prediction));
    double mean = (rouge[T2G_ROUGE_1].f1 + rouge[T2G_ROUGE_2].f1 +
                   rouge[T2G_ROUGE_L].f1) / 3;
    *out = 0.5 * mean + 0.5 * m.ratio;
    return T2G_OK;
}
