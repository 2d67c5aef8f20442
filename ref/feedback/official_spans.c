/* Spans to words as released, for the tasks QA and CODE. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "codes.h"
#include "difflib.h"
#include "fold.h"

static const t2g_official_place nowhere = {SIZE_MAX, SIZE_MAX};

static t2g_part all(const t2g_codes *c)
{
    return t2g_codes_part(c, 0, c->n);
}

static size_t at_most(size_t x, size_t limit)
{
    return x < limit ? x : limit;
}

static t2g_part slice(t2g_part p, size_t begin, size_t end)
{
    end = at_most(end, p.n);
    begin = at_most(begin, end);
    return (t2g_part){p.code + begin, end - begin};
}

/* The first `limit` words (from word `from` on), blanks between. */
static t2g_status join_words(t2g_codes *out, t2g_part text, size_t from,
                             size_t limit)
{
    size_t at = 0;
    t2g_part word;
    out->n = 0;
    T2G_TRY(t2g_codes_append(out, NULL, 0));
    for (size_t k = 0; k < from + limit && t2g_part_word(text, &at, &word);
         k++) {
        if (k > from)
            T2G_TRY(t2g_codes_add(out, ' '));
        if (k >= from)
            T2G_TRY(t2g_codes_append(out, word.code, word.n));
    }
    return T2G_OK;
}

/* --- QA ------------------------------------------------------------------- */

static bool is_mark(uint32_t c)
{
    return c != 0 && c < 0x80 && strchr(",.;:!?\"'()[]{}", (int)c) != NULL;
}

/* Marks become blanks, capitals small, runs of white space one blank. */
static t2g_status normal_qa(t2g_codes *out, t2g_part text)
{
    t2g_codes plain = {0}, low = {0};
    t2g_status s = t2g_codes_append(&plain, text.code, text.n);
    for (size_t i = 0; s == T2G_OK && i < plain.n; i++)
        plain.code[i] = is_mark(plain.code[i]) ? ' ' : plain.code[i];
    if (s == T2G_OK)
        s = t2g_codes_lower(&low, plain.code, plain.n);
    if (s == T2G_OK)
        s = join_words(out, all(&low), 0, SIZE_MAX / 2);
    t2g_codes_free(&plain);
    t2g_codes_free(&low);
    return s;
}

/* Place of word k, as if single blanks stood between the words. */
static size_t word_position(t2g_part text, size_t k)
{
    size_t at = 0, position = 0;
    t2g_part word;
    for (; k > 0 && t2g_part_word(text, &at, &word); k--)
        position += word.n + 1;
    return position;
}

/* The normalised span in the normalised text. */
static t2g_status find_normal(t2g_official_place *out, t2g_part t, t2g_part p)
{
    t2g_codes text = {0}, span = {0};
    t2g_status s = normal_qa(&text, t);
    if (s == T2G_OK)
        s = normal_qa(&span, p);
    size_t at = s == T2G_OK && span.n > 3
                    ? t2g_part_find(all(&text), all(&span), 0) : SIZE_MAX;
    if (at != SIZE_MAX) {
        size_t k = t2g_part_words(slice(all(&text), 0, at));
        if (k < t2g_part_words(t)) {
            size_t start = word_position(t, k);
            *out = (t2g_official_place){start, start + p.n};
        }
    }
    t2g_codes_free(&text);
    t2g_codes_free(&span);
    return s;
}

/* The window with the best ratio; a block of more than 0.7 of the span counts
 * as 0.7. */
static t2g_status find_window(size_t *start, double *best, t2g_part t,
                              t2g_part p)
{
    t2g_matcher m;
    size_t step = p.n / 4 ? p.n / 4 : 1, i = 0;
    *best = 0;
    *start = SIZE_MAX;
    T2G_TRY(t2g_matcher_make(&m, p, true));
    t2g_status s;
    do {
        double ratio;
        size_t largest = 0;
        s = t2g_matcher_ratio(&m, slice(t, i, t.n < p.n ? t.n : i + 2 * p.n),
                              &ratio, &largest);
        if (s != T2G_OK)
            break;
        if ((double)largest > (double)p.n * 0.7)
            ratio = fmax(ratio, 0.7);
        if (ratio > *best) {
            *best = ratio;
            *start = i;
        }
        i += step;
    } while (i + p.n <= t.n);
    t2g_matcher_free(&m);
    return s;
}

static t2g_status find_qa(t2g_official_place *out, t2g_part t, t2g_part p,
                          double threshold);

/* One half of the span alone, at a lower threshold. */
static t2g_status find_half(t2g_official_place *out, t2g_part t, t2g_part p,
                            double threshold)
{
    size_t half = p.n / 2;
    t2g_official_place x;
    T2G_TRY(find_qa(&x, t, slice(p, 0, half), threshold - 0.1));
    if (x.start != SIZE_MAX) {
        *out = (t2g_official_place){x.start, x.start + p.n};
        return T2G_OK;
    }
    T2G_TRY(find_qa(&x, t, slice(p, half, p.n), threshold - 0.1));
    if (x.start != SIZE_MAX) {
        size_t start = x.start > half ? x.start - half : 0;
        *out = (t2g_official_place){start, start + p.n};
    }
    return T2G_OK;
}

static t2g_status find_qa(t2g_official_place *out, t2g_part t, t2g_part p,
                          double threshold)
{
    double least = p.n < 5 ? fmax(0.5, threshold - 0.2) : threshold, best;
    size_t start;
    *out = nowhere;
    if (t.n == 0 || p.n == 0)
        return T2G_OK;
    start = t2g_part_find(t, p, 0);
    if (start == SIZE_MAX) {
        T2G_TRY(find_normal(out, t, p));
        if (out->start != SIZE_MAX)
            return T2G_OK;
        T2G_TRY(find_window(&start, &best, t, p));
        if (best < least)
            start = SIZE_MAX;
    }
    if (start != SIZE_MAX) {
        *out = (t2g_official_place){start, start + p.n};
        return T2G_OK;
    }
    return p.n > 10 ? find_half(out, t, p, threshold) : T2G_OK;
}

/* The halves of a long span, by words, as they are. */
static t2g_status find_word_half(t2g_official_place *out, t2g_part t,
                                 t2g_part p)
{
    size_t words = t2g_part_words(p);
    t2g_codes first = {0}, second = {0};
    t2g_status s = join_words(&first, p, 0, words / 2);
    if (s == T2G_OK)
        s = join_words(&second, p, words / 2, words);
    if (s == T2G_OK && words > 5) {
        size_t x = t2g_part_find(t, all(&first), 0);
        size_t y = t2g_part_find(t, all(&second), 0);
        if (x != SIZE_MAX)
            *out = (t2g_official_place){x, x + p.n};
        else if (y != SIZE_MAX)
            *out = (t2g_official_place){y > first.n ? y - first.n : 0,
                                        y + second.n};
    }
    t2g_codes_free(&first);
    t2g_codes_free(&second);
    return s;
}

static t2g_status place_qa(t2g_official_place *out, t2g_part t, t2g_part p)
{
    static const double thresholds[] = {0.7, 0.7 - 0.1, 0.7 - 0.2};
    size_t start = t2g_part_find(t, p, 0);
    *out = nowhere;
    if (start != SIZE_MAX) {
        *out = (t2g_official_place){start, start + p.n};
        return T2G_OK;
    }
    for (size_t i = 0; i < 3 && out->start == SIZE_MAX; i++)
        T2G_TRY(find_qa(out, t, p, thresholds[i]));
    return out->start == SIZE_MAX ? find_word_half(out, t, p) : T2G_OK;
}

/* A placed span with its score. */
typedef struct marked {
    t2g_part text; /* QA: the key */
    t2g_official_place at;
    double score;
} marked;

/* Keeps the order of first listing; a text listed again takes the new score and
 * place. */
static void put_marked(marked *m, size_t *count, marked new)
{
    size_t i = 0;
    while (i < *count && !t2g_part_equal(m[i].text, new.text))
        i++;
    if (i == *count)
        ++*count;
    else
        new.text = m[i].text;
    m[i] = new;
}

static void score_qa(double *score, t2g_part t, const marked *m, size_t count)
{
    size_t at = 0, position = 0, k = 0;
    t2g_part word;
    for (; t2g_part_word(t, &at, &word); position += word.n + 1, k++) {
        score[k] = count ? 0 : 0.1;
        for (size_t i = 0; i < count; i++)
            if (m[i].at.start <= position && position < m[i].at.end) {
                score[k] = m[i].score;
                break;
            }
    }
}

/* --- CODE ----------------------------------------------------------------- */

static t2g_status normal_code(t2g_codes *out, t2g_part text)
{
    return join_words(out, text, 0, SIZE_MAX / 2);
}

/* Short snippets by their first three words. */
static t2g_status find_anchor(t2g_official_place *out, t2g_part t, t2g_part p,
                              t2g_part normal)
{
    t2g_codes text = {0}, anchor = {0};
    t2g_status s = join_words(&anchor, normal, 0, 3);
    if (s == T2G_OK)
        s = normal_code(&text, t);
    size_t m = s == T2G_OK ? t2g_part_find(all(&text), all(&anchor), 0)
                           : SIZE_MAX;
    if (m != SIZE_MAX) {
        size_t x = t2g_part_find(t, all(&anchor), m > 20 ? m - 20 : 0);
        double end = (double)x + 1.2 * (double)p.n;
        if (x != SIZE_MAX)
            *out = (t2g_official_place){x, end < (double)t.n ? (size_t)end
                                                             : t.n};
    }
    t2g_codes_free(&text);
    t2g_codes_free(&anchor);
    return s;
}

/* First j at which the next characters of w normalise to the block. */
static t2g_status locate(size_t *j, t2g_part w, t2g_part block)
{
    t2g_codes piece = {0};
    t2g_status s = T2G_OK;
    bool found = false;
    for (*j = 0; !found && *j + block.n <= w.n; ++*j) {
        s = normal_code(&piece, slice(w, *j, *j + block.n));
        if (s != T2G_OK)
            break;
        found = t2g_part_equal(all(&piece), block);
    }
    *j = found ? *j - 1 : 0;
    t2g_codes_free(&piece);
    return s;
}

static t2g_status try_window(t2g_official_place *out, double *best,
                             double *kept, t2g_matcher *m, t2g_part t,
                             size_t i, size_t n)
{
    t2g_codes normal = {0};
    t2g_part w = slice(t, i, i + 2 * n);
    double ratio = 0;
    t2g_status s = normal_code(&normal, w);
    if (s == T2G_OK && normal.n)
        s = t2g_matcher_ratio(m, all(&normal), &ratio, NULL);
    if (s == T2G_OK && ratio > *best) {
        t2g_block b = t2g_matcher_longest(m, all(&normal), 0, normal.n, 0,
                                          m->b.n);
        size_t j;
        *best = ratio;
        if (b.size) {
            s = locate(&j, w, slice(all(&normal), b.a, b.a + b.size));
            *out = (t2g_official_place){i + j, i + j + n};
            *kept = ratio;
        }
    }
    t2g_codes_free(&normal);
    return s;
}

static t2g_status find_windows(t2g_official_place *out, t2g_part t, size_t n,
                               t2g_part normal, double threshold)
{
    size_t step = n / 8 ? n / 8 : 1;
    double best = 0, kept = 0;
    t2g_matcher m;
    T2G_TRY(t2g_matcher_make(&m, normal, false));
    t2g_status s = T2G_OK;
    for (size_t i = 0; s == T2G_OK && i <= t.n - at_most(n, t.n); i += step)
        s = try_window(out, &best, &kept, &m, t, i, n);
    t2g_matcher_free(&m);
    if (kept < threshold * 0.8)
        *out = nowhere;
    return s;
}

static t2g_status find_code(t2g_official_place *out, t2g_part t, t2g_part p,
                            double threshold)
{
    t2g_codes normal = {0};
    size_t start;
    *out = nowhere;
    if (t.n == 0 || p.n == 0)
        return T2G_OK;
    t2g_status s = normal_code(&normal, p);
    if (s == T2G_OK && normal.n) {
        start = t2g_part_find(t, p, 0);
        if (start != SIZE_MAX)
            *out = (t2g_official_place){start, start + p.n};
        else if (normal.n < 20)
            s = find_anchor(out, t, p, all(&normal));
        if (s == T2G_OK && out->start == SIZE_MAX)
            s = find_windows(out, t, p.n, all(&normal), threshold);
    }
    t2g_codes_free(&normal);
    return s;
}

static t2g_status place_code(t2g_official_place *out, t2g_part t, t2g_part p)
{
    t2g_codes words = {0};
    T2G_TRY(find_code(out, t, p, 0.75));
    if (out->start != SIZE_MAX || t2g_part_words(p) <= 3)
        return T2G_OK;
    t2g_status s = join_words(&words, p, 0, 10);
    if (s == T2G_OK)
        s = find_code(out, t, all(&words), 0.7);
    if (out->start != SIZE_MAX)
        out->end = at_most(out->start + p.n, t.n);
    t2g_codes_free(&words);
    return s;
}

/* Stable, by insertion: there are few. */
static void sort_by_start(marked *m, size_t count)
{
    for (size_t i = 1; i < count; i++)
        for (size_t k = i; k > 0 && m[k - 1].at.start > m[k].at.start; k--) {
            marked swap = m[k];
            m[k] = m[k - 1];
            m[k - 1] = swap;
        }
}

/* Ranges that overlap or touch become one, with the smaller score. */
static size_t merge(marked *m, size_t count)
{
    size_t kept = 0;
    sort_by_start(m, count);
    for (size_t i = 0; i < count; i++) {
        marked *last = kept ? &m[kept - 1] : NULL;
        if (last && m[i].at.start <= last->at.end) {
            last->at.end = m[i].at.end > last->at.end ? m[i].at.end
                                                      : last->at.end;
            last->score = fmin(last->score, m[i].score);
        } else {
            m[kept++] = m[i];
        }
    }
    return kept;
}

/* By the centre of each word, else (touching) by any contact. */
static bool score_words(double *score, t2g_part t, const marked *m,
                        size_t count, bool touching)
{
    size_t at = 0, k = 0;
    t2g_part word;
    bool any = false;
    for (; t2g_part_word(t, &at, &word); k++) {
        size_t end = at, start = end - word.n, centre = (start + end) / 2;
        for (size_t i = 0; i < count; i++) {
            bool in = touching ? start <= m[i].at.end && end >= m[i].at.start
                               : m[i].at.start <= centre &&
                                     centre < m[i].at.end;
            if (!in)
                continue;
            score[k] = m[i].score;
            any |= score[k] != 1;
            if (!touching)
                break;
        }
    }
    return any;
}

static void score_code(double *score, size_t words, t2g_part t, marked *m,
                       size_t count)
{
    for (size_t k = 0; k < words; k++)
        score[k] = 1;
    count = merge(m, count);
    if (count && !score_words(score, t, m, count, false))
        score_words(score, t, m, count, true);
}

/* --- both ----------------------------------------------------------------- */

t2g_status t2g_official_find(t2g_official_place *out, t2g_task task,
                             t2g_text text, t2g_text span,
                             double threshold)
{
    t2g_codes t = {0}, p = {0};
    t2g_status s = t2g_codes_decode(&t, text.data, text.size);
    if (s == T2G_OK)
        s = t2g_codes_decode(&p, span.data, span.size);
    if (s == T2G_OK)
        s = task == T2G_TASK_QA ? find_qa(out, all(&t), all(&p), threshold)
                                : find_code(out, all(&t), all(&p), threshold);
    t2g_codes_free(&t);
    t2g_codes_free(&p);
    return s;
}

typedef struct job {
    t2g_task task;
    t2g_codes text, *span;
    marked *marked;
    size_t marks;
    t2g_official_place *place; /* or NULL */
} job;

static t2g_status place_one(job *j, size_t i, t2g_text span, double score)
{
    t2g_official_place at = nowhere;
    T2G_TRY(t2g_codes_decode(&j->span[i], span.data, span.size));
    t2g_part p = t2g_part_strip(all(&j->span[i]));
    if (j->task == T2G_TASK_QA && p.n)
        T2G_TRY(place_qa(&at, all(&j->text), p));
    else if (j->task == T2G_TASK_CODE && p.n >= 2)
        T2G_TRY(place_code(&at, all(&j->text), p));
    if (j->place)
        j->place[i] = at;
    marked m = {p, at, score};
    if (at.start != SIZE_MAX && j->task == T2G_TASK_QA)
        put_marked(j->marked, &j->marks, m);
    else if (at.start != SIZE_MAX)
        j->marked[j->marks++] = m;
    return T2G_OK;
}

static t2g_status score_response(job *j, double **scores, size_t *words)
{
    *words = t2g_part_words(all(&j->text));
    *scores = t2g_calloc(*words, sizeof **scores);
    if (!*scores)
        return T2G_ERR_MEMORY;
    if (j->task == T2G_TASK_QA)
        score_qa(*scores, all(&j->text), j->marked, j->marks);
    else
        score_code(*scores, *words, all(&j->text), j->marked, j->marks);
    return T2G_OK;
}

t2g_status t2g_official_word_scores(
    double **scores, size_t *words, t2g_task task, t2g_text response,
    const t2g_text *first, size_t firsts, const t2g_text *second,
    size_t seconds, t2g_official_place *place)
{
    size_t count = firsts + seconds;
    double first_score = task == T2G_TASK_QA ? 1 : -1;
    double second_score = task == T2G_TASK_QA ? -1 : 0;
    job j = {.task = task, .span = t2g_calloc(count, sizeof *j.span),
             .marked = t2g_calloc(count, sizeof *j.marked), .place = place};
    *scores = NULL;
    t2g_status s = j.span && j.marked
                       ? t2g_codes_decode(&j.text, response.data, response.size)
                       : T2G_ERR_MEMORY;
    for (size_t i = 0; s == T2G_OK && i < count; i++)
        s = i < firsts ? place_one(&j, i, first[i], first_score)
                       : place_one(&j, i, second[i - firsts], second_score);
    if (s == T2G_OK)
        s = score_response(&j, scores, words);
    for (size_t i = 0; j.span && i < count; i++)
        t2g_codes_free(&j.span[i]);
    t2g_free(j.span);
    t2g_free(j.marked);
    t2g_codes_free(&j.text);
    return s;
}
