/* Cutting open text into the pieces that byte pair encoding never crosses. */
#include <string.h>

#include "tokenizer_private.h"
#include "unicode.h"

typedef struct walk {
    const t2g_pre_tokenizer *steps;
    t2g_piece_fn *sink;
    void *context;
} walk;

static t2g_status run_from(const walk *w, size_t step, const t2g_piece *piece);

/* Hands piece[begin, end) on, unless the step removes such segments. */
static t2g_status pass_on(const walk *w, size_t step, const t2g_piece *piece,
                          size_t begin, size_t end, bool match)
{
    const t2g_step *s = &w->steps->step[step];
    if (begin == end || (match && s->behavior == BEHAVIOR_REMOVED))
        return T2G_OK;
    t2g_piece segment = piece_slice(piece, begin, end);
    return run_from(w, step + 1, &segment);
}

/* Matches and the gaps between them; a segment ends where the next atom (match
 * or unmatched character) cannot join it. */
static t2g_status split(const walk *w, size_t step, const t2g_piece *piece)
{
    const t2g_step *s = &w->steps->step[step];
    const unsigned char *text = (const unsigned char *)piece->text;
    size_t begin = 0, n = piece->n;
    bool was_match = false, was_gap = false;
    for (size_t p = 0; p < n;) {
        size_t end = s->match(text, p, n);
        bool found = end > p;
        if (!found)
            end = p + utf8_length(text[p]);
        bool joins = found ? was_match && s->behavior == BEHAVIOR_CONTIGUOUS
                           : was_gap;
        if (!joins) {
            T2G_TRY(pass_on(w, step, piece, begin, p, was_match != s->invert));
            begin = p;
        }
        was_match = found;
        was_gap = !found;
        p = end;
    }
    return pass_on(w, step, piece, begin, n, was_match != s->invert);
}

/* A space in front, which stands for no byte of the original. */
static t2g_status prefix_space(const walk *w, size_t step,
                               const t2g_piece *piece)
{
    if (piece->text[0] == ' ')
        return run_from(w, step + 1, piece);
    size_t n = piece->n + 1;
    char *text = t2g_calloc(n, 1);
    size_t *origin = t2g_calloc(n, 2 * sizeof *origin);
    t2g_status status = text && origin ? T2G_OK : T2G_ERR_MEMORY;
    if (status == T2G_OK) {
        text[0] = ' ';
        memcpy(text + 1, piece->text, piece->n);
        origin[0] = origin[1] = piece_begin(piece, 0);
        for (size_t i = 0; i < piece->n; i++) {
            origin[2 * i + 2] = piece_begin(piece, i);
            origin[2 * i + 3] = piece_end(piece, i + 1);
        }
        t2g_piece prefixed = {text, n, piece->base, origin};
        status = run_from(w, step + 1, &prefixed);
    }
    t2g_free(text);
    t2g_free(origin);
    return status;
}

static t2g_status run_from(const walk *w, size_t step, const t2g_piece *piece)
{
    if (step == w->steps->count)
        return w->sink(w->context, piece);
    if (w->steps->step[step].kind == STEP_PREFIX_SPACE)
        return prefix_space(w, step, piece);
    return split(w, step, piece);
}

t2g_status t2g_pretokenize(const t2g_pre_tokenizer *p, const t2g_piece *open,
                           t2g_piece_fn *sink, void *context)
{
    walk w = {p, sink, context};
    return open->n > 0 ? run_from(&w, 0, open) : T2G_OK;
}
