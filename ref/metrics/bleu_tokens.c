/* The tokens of mteval-v13a, as sacreBLEU cuts them. */
#include "metrics_private.h"

#include <string.h>

#include "../feedback/fold.h"
#include "../tokenizer/unicode.h"

static bool digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool point(char c)
{
    return c == '.' || c == ',';
}

/* Signs that are tokens wherever they stand. */
static bool alone(char c)
{
    return (c >= '{' && c <= '~') || (c >= '[' && c <= '`') ||
           (c >= ' ' && c <= '&') || (c >= '(' && c <= '+') ||
           (c >= ':' && c <= '@') || c == '/';
}

/* --- plain replacements --------------------------------------------------- */

/* to = from with each `old`, left to right, replaced by `new`. */
static t2g_status replace_all(t2g_buffer *to, const t2g_buffer *from,
                              const char *old, const char *new)
{
    size_t k = strlen(old), i = 0;
    to->size = 0;
    while (i < from->size)
        if (from->size - i >= k && memcmp(from->data + i, old, k) == 0) {
            T2G_TRY(t2g_buffer_puts(to, new));
            i += k;
        } else {
            T2G_TRY(t2g_buffer_append(to, from->data + i++, 1));
        }
    return T2G_OK;
}

static void swap(t2g_buffer *a, t2g_buffer *b)
{
    t2g_buffer c = *a;
    *a = *b;
    *b = c;
}

static t2g_status replace_markup(t2g_buffer *text, t2g_buffer *work)
{
    static const char *const table[][2] = {
        {"<skipped>", ""}, {"-\n", ""}, {"\n", " "}, {"&quot;", "\""},
        {"&amp;", "&"}, {"&lt;", "<"}, {"&gt;", ">"}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        T2G_TRY(replace_all(work, text, table[i][0], table[i][1]));
        swap(text, work);
    }
    return T2G_OK;
}

/* --- the four passes ------------------------------------------------------ */

/* How many bytes from s on belong together (1: they stay as they are), and what
 * takes their place. A match consumes its characters, so that the next begins
 * behind it: ".." is not cut as looking around would. */
typedef size_t pass_fn(const char *s, size_t left, char out[4], size_t *n);

static size_t keep(const char *s, char out[4], size_t *n)
{
    out[0] = s[0];
    *n = 1;
    return 1;
}

static size_t put(const char *spaced, size_t length, size_t consumed,
                  char out[4], size_t *n)
{
    memcpy(out, spaced, length);
    *n = length;
    return consumed;
}

static size_t pass_signs(const char *s, size_t left, char out[4], size_t *n)
{
    (void)left;
    if (!alone(s[0]))
        return keep(s, out, n);
    return put((char[]){' ', s[0], ' '}, 3, 1, out, n);
}

static size_t pass_point_behind(const char *s, size_t left, char out[4],
                                size_t *n)
{
    if (left < 2 || digit(s[0]) || !point(s[1]))
        return keep(s, out, n);
    return put((char[]){s[0], ' ', s[1], ' '}, 4, 2, out, n);
}

static size_t pass_point_before(const char *s, size_t left, char out[4],
                                size_t *n)
{
    if (left < 2 || !point(s[0]) || digit(s[1]))
        return keep(s, out, n);
    return put((char[]){' ', s[0], ' ', s[1]}, 4, 2, out, n);
}

static size_t pass_dash(const char *s, size_t left, char out[4], size_t *n)
{
    if (left < 2 || !digit(s[0]) || s[1] != '-')
        return keep(s, out, n);
    return put((char[]){s[0], ' ', '-', ' '}, 4, 2, out, n);
}

static t2g_status run_pass(pass_fn *pass, t2g_buffer *text, t2g_buffer *work)
{
    char out[4];
    size_t n;
    work->size = 0;
    for (size_t i = 0; i < text->size;) {
        i += pass(text->data + i, text->size - i, out, &n);
        T2G_TRY(t2g_buffer_append(work, out, n));
    }
    swap(text, work);
    return T2G_OK;
}

/* --- tokens --------------------------------------------------------------- */

/* Where white space at the end begins. */
static size_t trimmed(const t2g_buffer *b)
{
    size_t end = b->size;
    while (end > 0) {
        size_t last = utf8_before((const unsigned char *)b->data, end);
        if (!t2g_space_at(b->data, b->size, last))
            break;
        end = last;
    }
    return end;
}

static t2g_status tokenize(t2g_tokens *out, t2g_buffer *text, t2g_buffer *work)
{
    static pass_fn *const passes[] = {pass_signs, pass_point_behind,
                                      pass_point_before, pass_dash};
    text->size = trimmed(text);
    T2G_TRY(replace_markup(text, work));
    work->size = 0; /* a blank at both ends */
    T2G_TRY(t2g_buffer_puts(work, " "));
    T2G_TRY(t2g_buffer_append(work, text->data, text->size));
    T2G_TRY(t2g_buffer_puts(work, " "));
    swap(text, work);
    for (size_t i = 0; i < sizeof passes / sizeof *passes; i++)
        T2G_TRY(run_pass(passes[i], text, work));
    return t2g_blank_tokens(out, (t2g_text){text->data, text->size});
}

t2g_status t2g_bleu_tokens(t2g_tokens *out, t2g_text text, bool lowercase)
{
    t2g_buffer b = {0}, work = {0};
    t2g_status s = t2g_text_check(text);
    if (s == T2G_OK)
        s = lowercase ? t2g_lower_text(&b, text)
                      : t2g_buffer_append(&b, text.data, text.size);
    if (s == T2G_OK)
        s = tokenize(out, &b, &work);
    t2g_buffer_free(&b);
    t2g_buffer_free(&work);
    return s;
}
