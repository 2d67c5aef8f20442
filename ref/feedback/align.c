/* From quoted phrases to one reward a token [T2G] section 3: find each phrase
 * in the response by bytes, settle which occurrence is meant, give its score to
 * the tokens it covers. Read t2g_align from the bottom up. */
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "fold.h"
#include "t2g/feedback.h"
#include "t2g/files.h"

/* --- finding -------------------------------------------------------------- */

typedef struct range {
    size_t begin, end;
} range;

/* Where a span's text occurs. */
typedef struct places {
    range *at;
    size_t count, capacity;
    const char *method; /* "exact", "folded", "none" */
    const char *reason;
    bool given;   /* the critic told where, and it fits */
    size_t group; /* first span of the same folded text */
} places;

static t2g_status add_place(places *p, size_t begin, size_t end)
{
    if (p->count == p->capacity) {
        size_t n = p->capacity ? 2 * p->capacity : 4;
        range *at = t2g_regrow(p->at, p->count, n, sizeof *at);
        if (!at)
            return T2G_ERR_MEMORY;
        p->at = at;
        p->capacity = n;
    }
    p->at[p->count++] = (range){begin, end};
    return T2G_OK;
}

/* True when neither end lies between two letters or digits. */
static bool at_words(const char *text, size_t n, range r)
{
    bool left = r.begin > 0 && t2g_word_at(text, n, r.begin - 1) &&
                t2g_word_at(text, n, r.begin);
    bool right = r.end < n && r.end > 0 && t2g_word_at(text, n, r.end - 1) &&
                 t2g_word_at(text, n, r.end);
    return !left && !right;
}

/* Occurrences at word borders, when there are any, are the only ones meant. */
static void prefer_words(places *p, const char *text, size_t n)
{
    size_t kept = 0;
    for (size_t i = 0; i < p->count; i++)
        kept += at_words(text, n, p->at[i]);
    if (kept == 0 || kept == p->count)
        return;
    kept = 0;
    for (size_t i = 0; i < p->count; i++)
        if (at_words(text, n, p->at[i]))
            p->at[kept++] = p->at[i];
    p->count = kept;
}

static t2g_status find_exact(places *p, const char *text, size_t n,
                             const t2g_span *s)
{
    for (size_t i = 0; s->length && i + s->length <= n; i++) {
        const char *hit = memchr(text + i, s->text[0], n - s->length - i + 1);
        if (!hit)
            break;
        i = (size_t)(hit - text);
        if (memcmp(hit, s->text, s->length) == 0)
            T2G_TRY(add_place(p, i, i + s->length));
    }
    prefer_words(p, text, n);
    return T2G_OK;
}

static t2g_status find_folded(places *p, const char *text, size_t n,
                              const t2g_folded *f, const t2g_folded *pattern)
{
    size_t m = pattern->size;
    for (size_t i = 0; i + m <= f->size; i++)
        if (memcmp(f->text + i, pattern->text, m) == 0)
            T2G_TRY(add_place(p, f->begin[i], f->end[i + m - 1]));
    prefer_words(p, text, n);
    return T2G_OK;
}

static t2g_status find(places *p, const char *text, size_t n,
                       const t2g_span *s, const t2g_folded *f,
                       const t2g_folded *pattern)
{
    p->method = "none";
    p->reason = pattern->size ? "not_found" : "empty";
    if (s->rejected)
        p->reason = s->rejected;
    if (s->rejected || pattern->size == 0)
        return T2G_OK;
    T2G_TRY(find_exact(p, text, n, s));
    if (p->count) {
        p->method = "exact";
        return T2G_OK;
    }
    T2G_TRY(find_folded(p, text, n, f, pattern));
    if (p->count)
        p->method = "folded";
    return T2G_OK;
}

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

/* --- which occurrence ----------------------------------------------------- */

typedef struct aligner {
    const char *text;
    size_t n;
    const t2g_critique *critique;
    const t2g_align_options *options;
    places *places;
    t2g_alignment *out;
    size_t capacity;
} aligner;

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

static t2g_status place_at(aligner *a, size_t k, size_t occurrence,
                           const char *rule, bool ambiguous, double reward)
{
    const places *p = &a->places[k];
    t2g_placement at = {.span = k, .method = p->method, .rule = rule,
                        .start = p->at[occurrence].begin,
                        .end = p->at[occurrence].end, .occurrences = p->count,
                        .occurrence = occurrence, .ambiguous = ambiguous,
                        .reward = reward};
    return place(a, &at);
}

static t2g_status place_nowhere(aligner *a, size_t k, const char *rule,
                                const char *reason)
{
    t2g_placement at = {.span = k, .method = "none", .rule = rule,
                        .reason = reason, .occurrences = a->places[k].count};
    return place(a, &at);
}

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
    const places *p = &a->places[k];
    double score = a->critique->span[k].score;
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
    for (size_t i = 0; i < p->count; i++)
        T2G_TRY(place_at(a, k, i, split ? "split" : "all", true,
                         split ? score / (double)p->count : score));
    return T2G_OK;
}

/* Do two spans claim the same occurrences? */
static bool rivals(const places *p, const places *q)
{
    return !q->given && p->count == q->count &&
           memcmp(p->at, q->at, p->count * sizeof *p->at) == 0;
}

/* Several spans with the same occurrences, no more spans than these: listing
 * order is the order of occurrence. */
static t2g_status place_found(aligner *a, size_t k)
{
    const places *p = &a->places[k];
    double score = a->critique->span[k].score;
    size_t before = 0, all = 0;
    for (size_t i = 0; i < a->critique->count; i++)
        if (rivals(p, &a->places[i])) {
            all++;
            before += i < k;
        }
    if (p->count == 1)
        return place_at(a, k, 0, "unique", false, score);
    if (all > 1 && all <= p->count)
        return place_at(a, k, before, "in_order", false, score);
    return place_ambiguous(a, k);
}

static t2g_status place_span(aligner *a, size_t k)
{
    const t2g_span *s = &a->critique->span[k];
    const places *p = &a->places[k];
    if (p->given) {
        t2g_placement at = {.span = k, .method = "given", .rule = "given",
                            .start = s->start, .end = s->end,
                            .occurrences = 1, .reward = s->score};
        return place(a, &at);
    }
    if (p->count == 0)
        return place_nowhere(a, k, "unique", p->reason);
    return place_found(a, k);
}

/* An occurrence that a span with offsets took is none of the other spans'. */
static void leave_out_given(aligner *a, size_t k)
{
    places *p = &a->places[k];
    for (size_t i = 0; i < a->critique->count; i++) {
        size_t kept = 0;
        if (!a->places[i].given || a->places[i].group != p->group)
            continue;
        for (size_t j = 0; j < p->count && p->count > 1; j++)
            if (p->at[j].begin != a->critique->span[i].start)
                p->at[kept++] = p->at[j];
        p->count = kept ? kept : p->count;
    }
}

static t2g_status find_all(aligner *a)
{
    size_t count = a->critique->count;
    t2g_folded text = {0}, *pattern = t2g_calloc(count, sizeof *pattern);
    t2g_status s = pattern ? t2g_fold(&text, a->text, a->n) : T2G_ERR_MEMORY;
    for (size_t k = 0; s == T2G_OK && k < count; k++) {
        const t2g_span *span = &a->critique->span[k];
        s = t2g_fold(&pattern[k], span->text, span->length);
        if (s == T2G_OK)
            s = find(&a->places[k], a->text, a->n, span, &text, &pattern[k]);
        a->places[k].given = given(span, a->text, a->n);
        a->places[k].group = k;
        for (size_t i = 0; s == T2G_OK && i < k; i++)
            if (pattern[i].size == pattern[k].size &&
                memcmp(pattern[i].text, pattern[k].text,
                       pattern[k].size) == 0) {
                a->places[k].group = i;
                break;
            }
    }
    for (size_t k = 0; s == T2G_OK && k < count; k++)
        if (!a->places[k].given)
            leave_out_given(a, k);
    for (size_t k = 0; pattern && k < count; k++)
        t2g_folded_free(&pattern[k]);
    t2g_free(pattern);
    t2g_folded_free(&text);
    return s;
}

/* --- tokens --------------------------------------------------------------- */

/* A token's bytes without white space at either end. */
static range core_of(const char *text, size_t begin, size_t end)
{
    size_t length;
    while (begin < end && (length = t2g_space_at(text, end, begin)))
        begin += length;
    while (begin < end) {
        size_t last = end - 1;
        while (last > begin && ((unsigned char)text[last] & 0xc0) == 0x80)
            last--;
        if (!t2g_space_at(text, end, last))
            break;
        end = last;
    }
    return (range){begin, end};
}

static size_t overlap(range a, range b)
{
    size_t begin = a.begin > b.begin ? a.begin : b.begin;
    size_t end = a.end < b.end ? a.end : b.end;
    return begin < end ? end - begin : 0;
}

/* First and one past the last token of a byte range: those with at least half
 * of their core inside, else the one with the most; blanks between go along. */
static void cover(t2g_placement *p, const range *core, size_t tokens)
{
    range r = {p->start, p->end};
    size_t best = tokens, most = 0;
    p->first_token = p->last_token = 0;
    for (size_t t = 0; t < tokens; t++) {
        size_t size = core[t].end - core[t].begin, in = overlap(core[t], r);
        if (in > most) {
            most = in;
            best = t;
        }
        if (size == 0 || 2 * in < size)
            continue;
        if (p->first_token == p->last_token)
            p->first_token = t;
        p->last_token = t + 1;
    }
    if (p->first_token == p->last_token && best < tokens) {
        p->first_token = best;
        p->last_token = best + 1;
    }
}

static bool encloses(const t2g_placement *outer, const t2g_placement *inner)
{
    return outer->start <= inner->start && inner->end <= outer->end &&
           (outer->start < inner->start || inner->end < outer->end);
}

static bool holds(const t2g_placement *p, size_t t)
{
    return p->first_token <= t && t < p->last_token;
}

/* The more specific statement wins: is p overruled at token t? */
static bool overruled(const t2g_alignment *a, const t2g_placement *p, size_t t)
{
    for (size_t i = 0; i < a->count; i++)
        if (holds(&a->placement[i], t) && encloses(p, &a->placement[i]))
            return true;
    return false;
}

/* What the spans that hold token t make of it together. */
static double combine(t2g_alignment *a, size_t t, const t2g_align_options *o)
{
    double sum = 0, least = 0;
    bool any = false, up = false, down = false;
    size_t smallest = SIZE_MAX;
    for (size_t i = 0; i < a->count; i++) {
        const t2g_placement *p = &a->placement[i];
        if (!holds(p, t))
            continue;
        up |= p->reward > 0;
        down |= p->reward < 0;
        least = !any || p->reward < least ? p->reward : least;
        any = true;
        size_t size = p->end - p->start;
        if (o->on_overlap == T2G_OVERLAP_INNER) {
            sum = size < smallest    ? p->reward
                  : size == smallest ? sum + p->reward
                                     : sum;
            smallest = size < smallest ? size : smallest;
        } else if (!overruled(a, p, t)) {
            sum += p->reward;
        }
    }
    a->conflicts += up && down;
    if (!any)
        return o->background;
    if (o->on_overlap == T2G_OVERLAP_NEGATIVE)
        sum = least;
    return fmin(fmax(sum, -1), 1);
}

static bool has_word(const char *text, size_t n, range core)
{
    for (size_t i = core.begin; i < core.end; i++)
        if (t2g_word_at(text, n, i))
            return true;
    return false;
}

static t2g_status reward_tokens(aligner *a, const size_t *offset,
                                size_t tokens)
{
    t2g_alignment *o = a->out;
    range *core = t2g_calloc(tokens, sizeof *core);
    if (!core)
        return T2G_ERR_MEMORY;
    for (size_t t = 0; t < tokens; t++)
        core[t] = core_of(a->text, offset[2 * t], offset[2 * t + 1]);
    for (size_t i = 0; i < o->count; i++)
        if (o->placement[i].end > o->placement[i].start)
            cover(&o->placement[i], core, tokens);
    for (size_t t = 0; t < tokens; t++) {
        bool special = offset[2 * t] == offset[2 * t + 1];
        bool silent = a->options->punctuation_zero &&
                      !has_word(a->text, a->n, core[t]);
        o->delta[t] = special || silent ? 0
                                        : (float)combine(o, t, a->options);
    }
    t2g_free(core);
    return T2G_OK;
}

/* --- the whole ------------------------------------------------------------ */

void t2g_alignment_free(t2g_alignment *a)
{
    t2g_free(a->delta);
    t2g_free(a->placement);
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

static const char *status_of(const t2g_alignment *a, const t2g_critique *c)
{
    if (c->status == T2G_CRITIQUE_UNPARSED)
        return "unparsed";
    if (c->count == 0)
        return "empty";
    for (size_t i = 0; i < a->count; i++)
        if (strcmp(a->placement[i].method, "none") == 0)
            return "partial";
    return "ok";
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
    a.places = t2g_calloc(critique->count, sizeof *a.places);
    t2g_status s = out->delta && a.places ? T2G_OK : T2G_ERR_MEMORY;
    if (s == T2G_OK)
        s = find_all(&a);
    for (size_t k = 0; s == T2G_OK && k < critique->count; k++)
        s = place_span(&a, k);
    if (s == T2G_OK && critique->status != T2G_CRITIQUE_UNPARSED)
        s = reward_tokens(&a, offset, tokens);
    for (size_t k = 0; a.places && k < critique->count; k++)
        t2g_free(a.places[k].at);
    t2g_free(a.places);
    if (s == T2G_OK)
        out->status = status_of(out, critique);
    else
        t2g_alignment_free(out);
    return s;
}

/* --- audit ---------------------------------------------------------------- */

static json_t *placement_json(const t2g_placement *p, const t2g_span *s,
                              const char *response)
{
    bool found = p->end > p->start;
    json_t *o = json_pack(
        "{s:I, s:s, s:o, s:s, s:f, s:s, s:s, s:I, s:I, s:b, s:[I, I], s:f}",
        "k", (json_int_t)p->span, "source", s->source ? s->source : "spans",
        "text", t2g_json_text(s->text, s->length), "label", s->label, "score",
        s->score, "method", p->method, "rule", p->rule, "occurrences",
        (json_int_t)p->occurrences, "occurrence", (json_int_t)p->occurrence,
        "ambiguous", p->ambiguous, "tokens", (json_int_t)p->first_token,
        (json_int_t)p->last_token, "reward", p->reward);
    if (o && found) {
        json_object_set_new(o, "byte_start",
                            json_integer((json_int_t)p->start));
        json_object_set_new(o, "byte_end", json_integer((json_int_t)p->end));
        json_object_set_new(o, "matched", t2g_json_text(response + p->start,
                                                       p->end - p->start));
    }
    if (o && p->reason)
        json_object_set_new(o, "reason", json_string(p->reason));
    if (o && s->clamped)
        json_object_set_new(o, "clamped", json_true());
    return o;
}

/* XXH3-128 of the rewards, as their 4 little-endian bytes each. */
static json_t *digest_json(const t2g_alignment *a)
{
    t2g_digest *d;
    char hex[33];
    if (t2g_digest_new(&d) != T2G_OK)
        return NULL;
    for (size_t t = 0; t < a->tokens; t++) {
        uint32_t bits;
        memcpy(&bits, &a->delta[t], sizeof bits);
        const unsigned char bytes[4] = {bits & 0xff, bits >> 8 & 0xff,
                                        bits >> 16 & 0xff, bits >> 24};
        t2g_digest_bytes(d, bytes, sizeof bytes);
    }
    t2g_digest_finish(d, hex);
    return json_string(hex);
}

static json_t *summary_json(const t2g_alignment *a)
{
    static const char *const methods[] = {"given", "exact", "folded", "none"};
    json_t *by = json_object();
    size_t rewarded = 0;
    double sum = 0, absolute = 0;
    for (size_t m = 0; m < 4; m++) {
        size_t n = 0;
        for (size_t i = 0; i < a->count; i++)
            n += strcmp(a->placement[i].method, methods[m]) == 0;
        if (n)
            json_object_set_new(by, methods[m], json_integer((json_int_t)n));
    }
    for (size_t t = 0; t < a->tokens; t++) {
        rewarded += a->delta[t] != 0;
        sum += a->delta[t];
        absolute += fabs((double)a->delta[t]);
    }
    return json_pack("{s:s, s:o, s:I, s:I, s:I, s:f, s:f, s:o}", "status",
                     a->status, "methods", by, "tokens",
                     (json_int_t)a->tokens, "rewarded_tokens",
                     (json_int_t)rewarded, "conflicts",
                     (json_int_t)a->conflicts, "sum", sum, "abs_sum",
                     absolute, "digest", digest_json(a));
}

t2g_status t2g_align_audit(const t2g_alignment *a,
                           const t2g_critique *critique, const char *response,
                           const json_t *id, json_t *lines)
{
    for (size_t i = 0; i <= a->count; i++) {
        json_t *o = i < a->count
                        ? placement_json(&a->placement[i],
                                         &critique->span[a->placement[i].span],
                                         response)
                        : summary_json(a);
        if (o && id)
            json_object_set(o, "id", (json_t *)(uintptr_t)id);
        if (!o || json_array_append_new(lines, o) != 0)
            return t2g_fail(T2G_ERR_MEMORY, "an audit line cannot be made");
    }
    return T2G_OK;
}
