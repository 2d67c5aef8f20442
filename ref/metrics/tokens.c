/* Tokens of texts, lists of them, and precision with recall. */
#include "metrics_private.h"

#include <string.h>

#include "../feedback/fold.h"
#include "t2g/files.h"

double t2g_f1(double precision, double recall)
{
    double sum = precision + recall;
    return sum > 0 ? 2 * precision * recall / sum : 0;
}

t2g_prf t2g_prf_of(double hits, double predicted, double actual)
{
    t2g_prf out = {predicted > 0 ? hits / predicted : 0,
                   actual > 0 ? hits / actual : 0, 0};
    out.f1 = t2g_f1(out.precision, out.recall);
    return out;
}

t2g_status t2g_text_check(t2g_text text)
{
    size_t at = t2g_utf8_invalid(text.data, text.size);
    if (at == text.size)
        return T2G_OK;
    return t2g_fail(T2G_ERR_FORMAT, "byte %zu of the text is not UTF-8", at);
}

/* --- lists ---------------------------------------------------------------- */

void t2g_tokens_free(t2g_tokens *t)
{
    t2g_buffer_free(&t->text);
    t2g_free(t->end);
    *t = (t2g_tokens){0};
}

void t2g_tokens_clear(t2g_tokens *t)
{
    t->text.size = t->count = 0;
}

static size_t begin_of(const t2g_tokens *t, size_t i)
{
    return i ? t->end[i - 1] : 0;
}

t2g_text t2g_tokens_at(const t2g_tokens *t, size_t i)
{
    size_t begin = begin_of(t, i);
    return (t2g_text){t->text.data + begin, t->end[i] - begin};
}

t2g_status t2g_tokens_close(t2g_tokens *t)
{
    if (t->text.size == begin_of(t, t->count))
        return T2G_OK;
    if (t->count == t->capacity) {
        size_t more = t->capacity ? 2 * t->capacity : 64;
        size_t *end = t2g_regrow(t->end, t->count, more, sizeof *end);
        if (!end)
            return T2G_ERR_MEMORY;
        t->end = end;
        t->capacity = more;
    }
    t->end[t->count++] = t->text.size;
    return T2G_OK;
}

t2g_status t2g_blank_tokens(t2g_tokens *out, t2g_text text)
{
    t2g_tokens_clear(out);
    for (size_t i = 0, blank; i < text.size; i += blank ? blank : 1) {
        blank = t2g_space_at(text.data, text.size, i);
        T2G_TRY(blank ? t2g_tokens_close(out)
                      : t2g_buffer_append(&out->text, text.data + i, 1));
    }
    return t2g_tokens_close(out);
}

/* --- ROUGE's -------------------------------------------------------------- */

/* The small letter or digit that begins at byte i, or 0. Two signs above ASCII
 * have a lower case that begins with one: the Kelvin sign, and the capital I
 * with a dot, whose dot then separates like any other sign. */
static char letter_at(t2g_text text, size_t i, size_t *length)
{
    static const char kelvin[] = "\xe2\x84\xaa", dotted[] = "\xc4\xb0";
    char c = text.data[i];
    *length = 1;
    if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))
        return c;
    if (c >= 'A' && c <= 'Z')
        return (char)(c - 'A' + 'a');
    if (text.size - i >= 3 && memcmp(text.data + i, kelvin, 3) == 0) {
        *length = 3;
        return 'k';
    }
    return text.size - i >= 2 && memcmp(text.data + i, dotted, 2) == 0 ? 'i'
                                                                       : 0;
}

static t2g_status close_word(t2g_tokens *t, bool stem)
{
    size_t begin = begin_of(t, t->count), n = t->text.size - begin;
    if (stem && n > 3)
        t->text.size = begin + t2g_porter_stem(t->text.data + begin, n);
    return t2g_tokens_close(t);
}

t2g_status t2g_rouge_tokens(t2g_tokens *out, t2g_text text, bool stem)
{
    t2g_tokens_clear(out);
    for (size_t i = 0, length; i < text.size; i += length) {
        char c = letter_at(text, i, &length);
        T2G_TRY(c ? t2g_buffer_append(&out->text, &c, 1)
                  : close_word(out, stem));
    }
    return close_word(out, stem);
}
