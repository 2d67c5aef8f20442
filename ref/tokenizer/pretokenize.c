/* Cutting open text into the pieces that byte pair encoding never crosses. */
#include <string.h>

#include "tokenizer_private.h"
#include "unicode.h"

typedef struct walk {
    const t2g_pre_tokenizer *steps;
    t2g_pretokenize_scratch *scratch;
    t2g_piece_fn *sink;
    void *context;
} walk;

static t2g_status run_from(const walk *w, size_t step, const t2g_piece *piece);

/* --- what a split looks for ---------------------------------------------- */

typedef struct range {
    size_t begin, end;
} range;

static bool find_matcher(t2g_matcher *match, const t2g_piece *piece,
                         size_t from, range *found)
{
    const unsigned char *s = (const unsigned char *)piece->text;
    for (size_t p = from; p < piece->n; p += utf8_length(s[p])) {
        size_t end = match(s, p, piece->n);
        if (end > p) {
            *found = (range){p, end};
            return true;
        }
    }
    return false;
}

/* The next occurrence of a text; an empty one is between all characters. */
static bool find_text(const t2g_step *s, const t2g_piece *piece, size_t from,
                      range *found)
{
    for (size_t p = from; p + s->length <= piece->n; p++) {
        const char *at = s->length > 0
                             ? memchr(piece->text + p, s->text[0], piece->n - p)
                             : piece->text + p;
        if (!at)
            return false;
        p = (size_t)(at - piece->text);
        if (p + s->length <= piece->n &&
            memcmp(at, s->text, s->length) == 0) {
            *found = (range){p, p + s->length};
            return true;
        }
    }
    return false;
}

/* The first match at or behind `from`. */
static t2g_status find(const walk *w, const t2g_step *s, const t2g_piece *piece,
                       size_t from, bool *is_found, range *found)
{
    if (s->match)
        *is_found = find_matcher(s->match, piece, from, found);
    else if (s->regex)
        return t2g_regex_next(s->regex, w->scratch->regex, piece->text,
                              piece->n, from, is_found, &found->begin,
                              &found->end);
    else
        *is_found = find_text(s, piece, from, found);
    return T2G_OK;
}

/* --- splitting ----------------------------------------------------------- */

static t2g_status pass_on(const walk *w, size_t step, const t2g_piece *piece,
                          size_t begin, size_t end)
{
    t2g_piece part = piece_slice(piece, begin, end);
    return step + 1 == w->steps->count ? w->sink(w->context, &part)
                                       : run_from(w, step + 1, &part);
}

/* A stretch that may still grow: `match` is what its last segment is. */
typedef struct segment {
    size_t begin, end;
    bool match, exists;
} segment;

static t2g_status emit(const walk *w, size_t step, const t2g_piece *piece,
                       const segment *s)
{
    bool removed = s->match &&
                   w->steps->step[step].behavior == BEHAVIOR_REMOVED;
    if (!s->exists || removed || s->begin == s->end)
        return T2G_OK;
    return pass_on(w, step, piece, s->begin, s->end);
}

static bool joins(t2g_behavior behavior, const segment *last, bool match)
{
    if (!last->exists)
        return false;
    switch (behavior) {
    case BEHAVIOR_MERGED_WITH_PREVIOUS: return !last->match && match;
    case BEHAVIOR_MERGED_WITH_NEXT: return last->match && !match;
    case BEHAVIOR_CONTIGUOUS: return last->match == match;
    default: return false;
    }
}

/* The next segment of the piece, a match or a gap. */
static t2g_status add_segment(const walk *w, size_t step,
                              const t2g_piece *piece, segment *last, range r,
                              bool match)
{
    if (!joins(w->steps->step[step].behavior, last, match)) {
        T2G_TRY(emit(w, step, piece, last));
        last->begin = r.begin;
    }
    *last = (segment){last->begin, r.end, match, true};
    return T2G_OK;
}

/* Where to go on behind a match: an empty one is not found twice. */
static size_t behind(const t2g_piece *piece, range m)
{
    if (m.begin < m.end || m.end == piece->n)
        return m.begin < m.end ? m.end : m.end + 1;
    return m.end + utf8_length((unsigned char)piece->text[m.end]);
}

/* Matches and the gaps between them. An empty match right behind another match
 * is none; elsewhere it cuts the text. */
static t2g_status split(const walk *w, size_t step, const t2g_piece *piece)
{
    const t2g_step *s = &w->steps->step[step];
    segment last = {0};
    range m;
    bool found;
    size_t done = 0; /* where the gap begins */
    for (size_t from = 0; from <= piece->n; from = behind(piece, m)) {
        T2G_TRY(find(w, s, piece, from, &found, &m));
        if (!found)
            break;
        if (m.begin == m.end && m.begin == done && done > 0)
            continue;
        if (m.begin > done)
            T2G_TRY(add_segment(w, step, piece, &last,
                                (range){done, m.begin}, s->invert));
        T2G_TRY(add_segment(w, step, piece, &last, m, !s->invert));
        done = m.end;
    }
    if (done < piece->n)
        T2G_TRY(add_segment(w, step, piece, &last, (range){done, piece->n},
                            s->invert));
    return emit(w, step, piece, &last);
}

/* The same for a matcher when every segment stands alone, which is the usual
 * case and need not be remembered. */
static t2g_status split_alone(const walk *w, size_t step,
                              const t2g_piece *piece)
{
    const t2g_step *s = &w->steps->step[step];
    const unsigned char *text = (const unsigned char *)piece->text;
    bool removes = s->behavior == BEHAVIOR_REMOVED;
    bool gaps = !removes || !s->invert, matches = !removes || s->invert;
    size_t done = 0;
    for (size_t p = 0; p < piece->n;) {
        size_t end = s->match(text, p, piece->n);
        if (end == p) {
            p += utf8_length(text[p]);
            continue;
        }
        if (gaps && p > done)
            T2G_TRY(pass_on(w, step, piece, done, p));
        if (matches)
            T2G_TRY(pass_on(w, step, piece, p, end));
        p = done = end;
    }
    return gaps && done < piece->n ? pass_on(w, step, piece, done, piece->n)
                                   : T2G_OK;
}

/* --- steps that rewrite -------------------------------------------------- */

static t2g_status byte_symbols(t2g_rewrite *r)
{
    for (size_t i = 0; i < r->in->n; i++)
        T2G_TRY(t2g_rewrite_bytes(
            r, i + 1, t2g_byte_symbol((unsigned char)r->in->text[i])));
    return T2G_OK;
}

static t2g_status spaces(t2g_rewrite *r, const t2g_step *s)
{
    uint32_t code = utf8_decode((const unsigned char *)s->text);
    for (size_t i = 0; i < r->in->n; i++) {
        if (r->in->text[i] != ' ')
            continue;
        T2G_TRY(t2g_rewrite_keep(r, i));
        T2G_TRY(t2g_rewrite_replace(r, code));
    }
    return T2G_OK;
}

static t2g_status prepend(t2g_rewrite *r, const t2g_step *s)
{
    const t2g_piece *in = r->in;
    bool there = in->n >= s->length &&
                 memcmp(in->text, s->text, s->length) == 0;
    if (there || (s->first_only && piece_begin(in, 0) != 0))
        return T2G_OK;
    return t2g_rewrite_prepend(r, s->text, s->length);
}

static t2g_status rewrite(const walk *w, size_t step, const t2g_piece *piece)
{
    const t2g_step *s = &w->steps->step[step];
    t2g_rewrite r = t2g_rewrite_begin(piece, &w->scratch->rewritten[step]);
    t2g_piece out;
    T2G_TRY(s->kind == STEP_BYTE_SYMBOLS ? byte_symbols(&r)
            : s->kind == STEP_SPACES     ? spaces(&r, s)
                                         : prepend(&r, s));
    T2G_TRY(t2g_rewrite_end(&r, &out));
    return run_from(w, step + 1, &out);
}

static t2g_status run_from(const walk *w, size_t step, const t2g_piece *piece)
{
    if (step == w->steps->count)
        return w->sink(w->context, piece);
    const t2g_step *s = &w->steps->step[step];
    if (s->kind != STEP_SPLIT)
        return rewrite(w, step, piece);
    return s->match && s->behavior <= BEHAVIOR_ISOLATED
               ? split_alone(w, step, piece) : split(w, step, piece);
}

t2g_status t2g_pretokenize(const t2g_pre_tokenizer *p, const t2g_piece *open,
                           t2g_pretokenize_scratch *scratch,
                           t2g_piece_fn *sink, void *context)
{
    walk w = {p, scratch, sink, context};
    return open->n > 0 ? run_from(&w, 0, open) : T2G_OK;
}

void t2g_pretokenize_scratch_free(t2g_pretokenize_scratch *s)
{
    for (size_t i = 0; i < T2G_STEPS; i++)
        t2g_rewritten_free(&s->rewritten[i]);
    t2g_regex_scratch_free(s->regex);
    *s = (t2g_pretokenize_scratch){0};
}

void t2g_pre_tokenizer_free(t2g_pre_tokenizer *p)
{
    for (size_t i = 0; i < p->count; i++) {
        t2g_regex_free(p->step[i].regex);
        t2g_free(p->step[i].text);
    }
}
