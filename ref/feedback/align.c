/* From quoted phrases to one reward a token [T2G] section 3: find each phrase
 * in the response, settle which occurrence is meant, give its score to the
 * tokens it covers. Read t2g_align from the bottom up. */
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "find.h"
#include "tokens.h"
#include "words.h"

enum { MOST_OCCURRENCES = 4096 }; /* that one span may be divided among */

/* A span on its way to its places. */
typedef struct quest {
    t2g_places places;
    t2g_folded key; /* its text, folded, if any place is given */
    bool given;     /* the critic told where, and it fits */
    size_t rivals;  /* spans that claim the same places, itself included */
    size_t before;  /* of these, listed before it */
    double score;
} quest;

typedef struct aligner {
    const char *text;
    size_t n;
    const t2g_critique *critique;
    const t2g_align_options *options;
    quest *quest;
    t2g_word_place *word;
    bool too_many_words;
    t2g_alignment *out;
    size_t capacity;
} aligner;

/* --- placing -------------------------------------------------------------- */

static t2g_status place(aligner *a, const t2g_placement *p)
{
    t2g_alignment *o = a->out;
    if (o->count == a->capacity) {
        size_t n = a->capacity ? 2 * a->capacity : 8;
        t2g_placement *more = t2g_regrow(o->placement, o->count, n,
                                         sizeof *more);
        if (!more)
            return T2G_ERR_MEMORY;
        o->placement = more;
        a->capacity = n;
    }
    o->placement[o->count++] = *p;
    return T2G_OK;
}

static bool has_offsets(const t2g_span *s)
{
    return s->start != T2G_NO_OFFSET && s->end != T2G_NO_OFFSET;
}

static t2g_placement placement_of(const aligner *a, size_t k)
{
    const quest *q = &a->quest[k];
    return (t2g_placement){
        .span = k, .method = q->places.method, .distance = q->places.distance,
        .length = q->places.length, .occurrences = q->places.count,
        .offset_mismatch = has_offsets(&a->critique->span[k]) && !q->given};
}

static t2g_status place_at(aligner *a, size_t k, size_t occurrence,
                           const char *rule, bool ambiguous, double reward)
{
    const t2g_places *p = &a->quest[k].places;
    t2g_placement at = placement_of(a, k);
    at.rule = rule;
    at.start = p->at[occurrence].begin;
    at.end = p->at[occurrence].end;
    at.occurrence = occurrence;
    at.ambiguous = ambiguous;
    at.reward = reward;
    if (a->options->scale_by_similarity && p->distance)
        at.reward *= 1 - (double)p->distance / (double)p->length;
    return place(a, &at);
}

static t2g_status place_nowhere(aligner *a, size_t k, const char *rule,
                                const char *reason)
{
    t2g_placement at = placement_of(a, k);
    at.method = "none";
    at.rule = rule;
    at.reason = reason;
    return place(a, &at);
}

/* --- which occurrence ----------------------------------------------------- */

static bool contains(const char *text, const char *word)
{
    size_t m = strlen(word);
    for (; text && *text; text++) {
        size_t i = 0;
        while (i < m && text[i] &&
               tolower((unsigned char)text[i]) == word[i])
            i++;
        if (i == m)
            return true;
    }
    return false;
}

static bool speaks_of_repetition(const char *text)
{
    return contains(text, "repeat") || contains(text, "redundant") ||
           contains(text, "again");
}

/* What is blamed as a repetition is the later mention. The words of the whole
 * critique say nothing about a phrase that is praised. */
static bool is_repetition(const aligner *a, const t2g_span *s)
{
    return speaks_of_repetition(s->note) ||
           (s->score < 0 && speaks_of_repetition(a->critique->text));
}

/* No count of quotes settles which of several occurrences is meant. */
static t2g_status place_ambiguous(aligner *a, size_t k)
{
    const t2g_places *p = &a->quest[k].places;
    double score = a->quest[k].score;
    if (is_repetition(a, &a->critique->span[k]))
        return place_at(a, k, p->count - 1, "last_repeated", false, score);
    switch (a->options->on_repeat) {
    case T2G_REPEAT_FIRST: return place_at(a, k, 0, "first", true, score);
    case T2G_REPEAT_LAST:
        return place_at(a, k, p->count - 1, "last", true, score);
    case T2G_REPEAT_SKIP:
        return place_nowhere(a, k, "skip", "several_occurrences");
    default: break;
    }
    bool split = a->options->on_repeat == T2G_REPEAT_SPLIT;
    if (p->count > MOST_OCCURRENCES)
        return place_nowhere(a, k, split ? "split" : "all",
                             "too_many_occurrences");
    for (size_t i = 0; i < p->count; i++)
        T2G_TRY(place_at(a, k, i, split ? "split" : "all", true,
                         split ? score / (double)p->count : score));
    return T2G_OK;
}

/* Several spans with the same occurrences, no more spans than these: listing
 * order is the order of occurrence. */
static t2g_status place_found(aligner *a, size_t k)
{
    const quest *q = &a->quest[k];
    if (q->places.count == 1)
        return place_at(a, k, 0, "unique", false, q->score);
    if (q->rivals > 1 && q->rivals <= q->places.count)
        return place_at(a, k, q->before, "in_order", false, q->score);
    return place_ambiguous(a, k);
}

static t2g_status place_quote(aligner *a, size_t k)
{
    const t2g_span *s = &a->critique->span[k];
    const t2g_places *p = &a->quest[k].places;
    if (a->quest[k].given) {
        t2g_placement at = {.span = k, .method = "given", .rule = "given",
                            .start = s->start, .end = s->end,
                            .occurrences = 1, .reward = a->quest[k].score};
        return place(a, &at);
    }
    if (s->rejected || p->count == 0)
        return place_nowhere(a, k, "unique", s->rejected ? s->rejected
                                                         : p->reason);
    return place_found(a, k);
}

/* --- words ---------------------------------------------------------------- */

/* Listed words from k on that stand side by side with one score. */
static size_t run_length(const aligner *a, size_t k)
{
    size_t i = k + 1;
    while (i < a->critique->count && a->word[i].word != SIZE_MAX &&
           a->word[i].word == a->word[i - 1].word + 1 &&
           a->quest[i].score == a->quest[k].score)
        i++;
    return i - k;
}

/* Places the run of words that begins at k; *next is behind it. */
static t2g_status place_words(aligner *a, size_t k, size_t *next)
{
    const t2g_span *s = &a->critique->span[k];
    *next = k + 1;
    if (a->word[k].word == SIZE_MAX) {
        t2g_placement none = {
            .span = k, .words = 1, .method = "none", .rule = "in_order",
            .reason = s->rejected ? s->rejected
                      : a->too_many_words ? "too_many_words"
                                          : "no_such_word"};
        return place(a, &none);
    }
    *next = k + run_length(a, k);
    t2g_placement at = {.span = k, .words = *next - k, .method = "words",
                        .rule = "in_order", .start = a->word[k].at.begin,
                        .end = a->word[*next - 1].at.end, .occurrences = 1,
                        .reward = a->quest[k].score};
    return place(a, &at);
}

static t2g_status place_all(aligner *a)
{
    for (size_t k = 0, next; k < a->critique->count; k = next) {
        next = k + 1;
        T2G_TRY(a->critique->span[k].word ? place_words(a, k, &next)
                                          : place_quote(a, k));
    }
    return T2G_OK;
}

/* --- finding -------------------------------------------------------------- */

static bool boundary(const char *text, size_t n, size_t i)
{
    return i == n || ((unsigned char)text[i] & 0xc0) != 0x80;
}

/* Offsets of the critic hold when they lie on characters and hold its text. */
static bool given(const t2g_span *s, const char *text, size_t n)
{
    return s->start != T2G_NO_OFFSET && s->end != T2G_NO_OFFSET &&
           !s->rejected && s->start < s->end && s->end <= n &&
           boundary(text, n, s->start) && boundary(text, n, s->end) &&
           (s->length == 0 || (s->end - s->start == s->length &&
                               memcmp(text + s->start, s->text,
                                      s->length) == 0));
}

static bool same_type(const char *a, const char *b)
{
    while (*a && tolower((unsigned char)*a) == tolower((unsigned char)*b))
        a++, b++;
    return *a == *b;
}

static double score_of(const aligner *a, const t2g_span *s)
{
    for (size_t i = 0; s->note && i < a->options->severities; i++)
        if (same_type(s->note, a->options->severity[i].type))
            return a->options->severity[i].score;
    return s->score;
}

static t2g_status seek(aligner *a, t2g_haystack *h, size_t k)
{
    const t2g_span *s = &a->critique->span[k];
    quest *q = &a->quest[k];
    q->score = score_of(a, s);
    q->places.method = "none";
    if (s->word)
        return T2G_OK;
    q->given = given(s, a->text, a->n);
    return s->rejected ? T2G_OK : t2g_find(h, s->text, s->length, &q->places);
}

/* qsort has no context. */
typedef struct entry {
    const quest *q;
    size_t k;
} entry;

static int by_index(const entry *x, const entry *y)
{
    return (x->k > y->k) - (x->k < y->k);
}

static int compare_keys(const quest *x, const quest *y)
{
    if (x->key.size != y->key.size)
        return x->key.size < y->key.size ? -1 : 1;
    size_t n = x->key.size * sizeof *x->key.code;
    return n ? memcmp(x->key.code, y->key.code, n) : 0;
}

static int by_key(const void *a, const void *b)
{
    const entry *x = a, *y = b;
    int order = compare_keys(x->q, y->q);
    return order ? order : by_index(x, y);
}

static int compare_places(const quest *x, const quest *y)
{
    const t2g_places *p = &x->places, *q = &y->places;
    if (x->given != y->given)
        return x->given < y->given ? -1 : 1;
    if (p->count != q->count)
        return p->count < q->count ? -1 : 1;
    return p->count ? memcmp(p->at, q->at, p->count * sizeof *p->at) : 0;
}

static int by_places(const void *a, const void *b)
{
    const entry *x = a, *y = b;
    int order = compare_places(x->q, y->q);
    return order ? order : by_index(x, y);
}

static size_t group_end(const entry *e, size_t count, size_t begin,
                        int compare(const quest *, const quest *))
{
    size_t end = begin + 1;
    while (end < count && compare(e[begin].q, e[end].q) == 0)
        end++;
    return end;
}

/* Is there a span of the group whose given place begins there? */
static bool taken(const aligner *a, const entry *e, size_t count, size_t begin)
{
    for (size_t i = 0; i < count; i++)
        if (e[i].q->given && a->critique->span[e[i].k].start == begin)
            return true;
    return false;
}

/* An occurrence that a span with offsets took is none of the other spans' of
 * the same text, unless nothing would be left. */
static void leave_out_given(aligner *a, const entry *e, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        t2g_places *p = &a->quest[e[i].k].places;
        size_t kept = 0;
        if (e[i].q->given || p->count < 2)
            continue;
        for (size_t j = 0; j < p->count; j++)
            if (!taken(a, e, count, p->at[j].begin))
                p->at[kept++] = p->at[j];
        p->count = kept ? kept : p->count;
    }
}

static bool any_given(const entry *e, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (e[i].q->given)
            return true;
    return false;
}

/* Given places among spans of equal text, which sorting brings together. */
static t2g_status settle_given(aligner *a, entry *e)
{
    size_t count = a->critique->count;
    for (size_t k = 0; k < count; k++)
        T2G_TRY(t2g_fold(&a->quest[k].key, a->critique->span[k].text,
                         a->critique->span[k].length));
    qsort(e, count, sizeof *e, by_key);
    for (size_t i = 0, end; i < count; i = end) {
        end = group_end(e, count, i, compare_keys);
        if (any_given(e + i, end - i))
            leave_out_given(a, e + i, end - i);
    }
    return T2G_OK;
}

/* Who claims the same places, likewise. */
static void settle_rivals(aligner *a, entry *e)
{
    size_t count = a->critique->count;
    qsort(e, count, sizeof *e, by_places);
    for (size_t i = 0, end; i < count; i = end) {
        end = group_end(e, count, i, compare_places);
        for (size_t j = i; j < end; j++) {
            a->quest[e[j].k].rivals = end - i;
            a->quest[e[j].k].before = j - i;
        }
    }
}

static t2g_status find_all(aligner *a)
{
    size_t count = a->critique->count;
    t2g_haystack h;
    T2G_TRY(t2g_haystack_make(&h, a->text, a->n));
    entry *e = t2g_calloc(count, sizeof *e);
    t2g_status s = e ? T2G_OK : T2G_ERR_MEMORY;
    for (size_t k = 0; s == T2G_OK && k < count; k++) {
        s = seek(a, &h, k);
        e[k] = (entry){&a->quest[k], k};
    }
    if (s == T2G_OK)
        s = t2g_find_waiting(&h, a->options->kernels);
    if (s == T2G_OK && any_given(e, count))
        s = settle_given(a, e);
    if (s == T2G_OK && count)
        settle_rivals(a, e);
    if (s == T2G_OK)
        s = t2g_match_words(a->word, a->critique, a->text, a->n,
                            &a->too_many_words);
    t2g_free(e);
    t2g_haystack_free(&h);
    return s;
}

/* --- the whole ------------------------------------------------------------ */

void t2g_alignment_free(t2g_alignment *a)
{
    t2g_free(a->delta);
    t2g_free(a->silent);
    t2g_free(a->placement);
    t2g_free(a->opposed_pair);
    *a = (t2g_alignment){0};
}

static t2g_status check_offsets(const size_t *offset, size_t tokens, size_t n)
{
    for (size_t t = 0; t < tokens; t++)
        if (offset[2 * t] > offset[2 * t + 1] || offset[2 * t + 1] > n)
            return t2g_fail(T2G_ERR_ARG, "token %zu covers bytes %zu to %zu of "
                            "a response of %zu", t, offset[2 * t],
                            offset[2 * t + 1], n);
    return T2G_OK;
}

static const t2g_placement *first_unmatched(const t2g_alignment *a)
{
    for (size_t i = 0; i < a->count; i++)
        if (strcmp(a->placement[i].method, "none") == 0)
            return &a->placement[i];
    return NULL;
}

static const char *status_of(const t2g_alignment *a, const aligner *from)
{
    if (from->critique->status == T2G_CRITIQUE_UNPARSED)
        return "unparsed";
    if (from->critique->count == 0)
        return "empty";
    if (!first_unmatched(a))
        return "ok";
    return from->options->on_unmatched == T2G_UNMATCHED_DROP ? "dropped"
                                                             : "partial";
}

static t2g_status check_unmatched(const aligner *a)
{
    const t2g_placement *p = first_unmatched(a->out);
    if (!p || a->options->on_unmatched != T2G_UNMATCHED_FAIL)
        return T2G_OK;
    const t2g_span *s = &a->critique->span[p->span];
    return t2g_fail(T2G_ERR_FORMAT, "span %zu, '%.*s', is not in the response "
                    "(%s)", p->span, (int)(s->length < 60 ? s->length : 60),
                    s->text, p->reason);
}

static t2g_status reward(aligner *a, const size_t *offset)
{
    t2g_alignment *o = a->out;
    T2G_TRY(check_unmatched(a));
    o->status = status_of(o, a);
    t2g_silence_tokens(o, a->text, a->n, offset, a->options->punctuation_zero);
    t2g_cover_tokens(o, a->text, offset);
    bool used = strcmp(o->status, "unparsed") != 0 &&
                strcmp(o->status, "dropped") != 0;
    return used ? t2g_combine_tokens(o, a->options) : T2G_OK;
}

static void aligner_free(aligner *a)
{
    for (size_t k = 0; a->quest && k < a->critique->count; k++) {
        t2g_places_free(&a->quest[k].places);
        t2g_folded_free(&a->quest[k].key);
    }
    t2g_free(a->quest);
    t2g_free(a->word);
}

t2g_status t2g_align(t2g_alignment *out, const char *response, size_t n,
                     const t2g_critique *critique, const size_t *offset,
                     size_t tokens, const t2g_align_options *options)
{
    static const t2g_align_options defaults = {0};
    aligner a = {.text = response, .n = n, .critique = critique,
                 .options = options ? options : &defaults, .out = out};
    *out = (t2g_alignment){.tokens = tokens};
    T2G_TRY(check_offsets(offset, tokens, n));
    out->delta = t2g_calloc(tokens, sizeof *out->delta);
    out->silent = t2g_calloc(tokens, sizeof *out->silent);
    a.quest = t2g_calloc(critique->count, sizeof *a.quest);
    a.word = t2g_calloc(critique->count, sizeof *a.word);
    t2g_status s = out->delta && out->silent && a.quest && a.word
                       ? T2G_OK : T2G_ERR_MEMORY;
    if (s == T2G_OK)
        s = find_all(&a);
    if (s == T2G_OK)
        s = place_all(&a);
    if (s == T2G_OK)
        s = reward(&a, offset);
    aligner_free(&a);
    if (s != T2G_OK)
        t2g_alignment_free(out);
    return s;
}
