/* Text with alignment: each output character says which of the old ones it
 * stands for, in the way of [HF] tokenizers, NormalizedString. */
#include <string.h>

#include "normalize.h"
#include "unicode.h"

static size_t limit_of(size_t n)
{
    size_t limit = n < SIZE_MAX / T2G_GROWTH ? n * T2G_GROWTH : SIZE_MAX / 2;
    return limit > T2G_GROWTH_LEAST ? limit : T2G_GROWTH_LEAST;
}

t2g_rewrite t2g_rewrite_begin(const t2g_piece *in, t2g_rewritten *to)
{
    return (t2g_rewrite){
        .in = in, .to = to, .start = in->n > 0 ? piece_begin(in, 0) : in->base,
        .limit = limit_of(in->n)};
}

static t2g_status reserve(t2g_rewrite *r, size_t more)
{
    t2g_rewritten *to = r->to;
    if (more > r->limit - r->n)
        return t2g_fail(T2G_ERR_UNSUPPORTED, "the tokenizer rewrites a text to "
                        "more than %zu bytes", r->limit);
    if (r->n + more <= to->capacity)
        return T2G_OK;
    size_t capacity = 2 * (r->n + more);
    char *text = t2g_regrow(to->text, to->capacity, capacity, 1);
    if (!text)
        return T2G_ERR_MEMORY;
    to->text = text;
    size_t *origin = t2g_regrow(to->origin, 2 * to->capacity, 2 * capacity,
                                sizeof *origin);
    if (!origin)
        return T2G_ERR_MEMORY;
    to->origin = origin;
    to->capacity = capacity;
    return T2G_OK;
}

/* Appends text, every byte of which stands for [begin, end). */
static t2g_status append(t2g_rewrite *r, const char *text, size_t n,
                         size_t begin, size_t end)
{
    T2G_TRY(reserve(r, n));
    memcpy(r->to->text + r->n, text, n);
    for (size_t *origin = r->to->origin + 2 * r->n, *last = origin + 2 * n;
         origin < last; origin += 2) {
        origin[0] = begin;
        origin[1] = end;
    }
    r->n += n;
    return T2G_OK;
}

size_t t2g_rewrite_next(const t2g_rewrite *r)
{
    return r->read + utf8_length((unsigned char)r->in->text[r->read]);
}

void t2g_rewrite_skip(t2g_rewrite *r, size_t end)
{
    if (end == r->read)
        return;
    r->before = utf8_before((const unsigned char *)r->in->text, end);
    r->read = end;
}

t2g_status t2g_rewrite_keep(t2g_rewrite *r, size_t end)
{
    const t2g_piece *in = r->in;
    size_t n = end - r->read;
    if (n == 0)
        return T2G_OK;
    T2G_TRY(reserve(r, n));
    size_t *origin = r->to->origin + 2 * r->n;
    memcpy(r->to->text + r->n, in->text + r->read, n);
    if (in->origin)
        memcpy(origin, in->origin + 2 * r->read, 2 * n * sizeof *origin);
    else
        for (size_t i = 0; i < n; i++) {
            origin[2 * i] = in->base + r->read + i;
            origin[2 * i + 1] = in->base + r->read + i + 1;
        }
    r->n += n;
    t2g_rewrite_skip(r, end);
    return T2G_OK;
}

t2g_status t2g_rewrite_replace(t2g_rewrite *r, uint32_t code)
{
    char text[4];
    size_t end = t2g_rewrite_next(r), n = utf8_encode(text, code);
    if (n == end - r->read && memcmp(text, r->in->text + r->read, n) == 0)
        return t2g_rewrite_keep(r, end);
    T2G_TRY(append(r, text, n, piece_begin(r->in, r->read),
                   piece_end(r->in, end)));
    t2g_rewrite_skip(r, end);
    return T2G_OK;
}

t2g_status t2g_rewrite_bytes(t2g_rewrite *r, size_t end, uint32_t code)
{
    char text[4];
    T2G_TRY(append(r, text, utf8_encode(text, code),
                   piece_begin(r->in, r->read), piece_end(r->in, end)));
    r->before = r->read;
    r->read = end;
    return T2G_OK;
}

t2g_status t2g_rewrite_insert(t2g_rewrite *r, const char *text, size_t n)
{
    if (n == 0)
        return T2G_OK;
    if (r->read == 0)
        return append(r, text, n, r->start, r->start);
    return append(r, text, n, piece_begin(r->in, r->before),
                  piece_end(r->in, r->read));
}

t2g_status t2g_rewrite_prepend(t2g_rewrite *r, const char *text, size_t n)
{
    if (n == 0)
        return T2G_OK;
    return append(r, text, n, piece_begin(r->in, r->read),
                  piece_end(r->in, t2g_rewrite_next(r)));
}

t2g_status t2g_rewrite_end(t2g_rewrite *r, t2g_piece *out)
{
    T2G_TRY(t2g_rewrite_keep(r, r->in->n));
    *out = (t2g_piece){r->to->text, r->n, r->in->base, r->to->origin};
    return T2G_OK;
}

void t2g_rewritten_free(t2g_rewritten *r)
{
    t2g_free(r->text);
    t2g_free(r->origin);
    *r = (t2g_rewritten){0};
}
