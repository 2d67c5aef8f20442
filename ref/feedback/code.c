#include "t2g/code.h"

#include <string.h>

/* --- lines ---------------------------------------------------------------- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\f';
}

/* Behind the line that begins at i, its line break included. */
static size_t line_end(const char *s, size_t n, size_t i)
{
    const char *lf = memchr(s + i, '\n', n - i);
    return lf ? (size_t)(lf - s) + 1 : n;
}

static size_t trimmed_end(const char *s, size_t begin, size_t end)
{
    while (end > begin && is_blank(s[end - 1]))
        end--;
    return end;
}

static bool word_at(t2g_text s, size_t i, const char *word)
{
    size_t n = strlen(word);
    return s.size - i >= n && memcmp(s.data + i, word, n) == 0;
}

static bool is_name_byte(char c)
{
    return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
           (c >= 'A' && c <= 'Z') || (unsigned char)c >= 0x80;
}

/* A line at i that begins with "def NAME" or "class NAME", not indented. */
static bool defines_at(t2g_text s, size_t i, const char *name)
{
    static const char *const words[] = {"def ", "class ", "async def "};
    for (size_t w = 0; w < sizeof words / sizeof *words; w++) {
        size_t at = i + strlen(words[w]);
        if (!word_at(s, i, words[w]))
            continue;
        while (at < s.size && s.data[at] == ' ')
            at++;
        size_t end = at + strlen(name);
        if (word_at(s, at, name) &&
            (end == s.size || !is_name_byte(s.data[end])))
            return true;
    }
    return false;
}

static bool defines(t2g_text s, const char *name)
{
    for (size_t i = 0; i < s.size; i = line_end(s.data, s.size, i))
        if (defines_at(s, i, name))
            return true;
    return false;
}

/* --- fences --------------------------------------------------------------- */

/* A fence line of at least three back-quotes, at most three blanks in front. */
typedef struct fence {
    size_t ticks;      /* 0: this line is none */
    const char *label; /* the word behind them */
    size_t label_n;
} fence;

static fence fence_at(t2g_text s, size_t i)
{
    fence f = {0};
    size_t end = trimmed_end(s.data, i, line_end(s.data, s.size, i));
    size_t limit = i + 3;
    while (i < end && i < limit && s.data[i] == ' ')
        i++;
    size_t begin = i;
    while (i < end && s.data[i] == '`')
        i++;
    if (i - begin < 3 || memchr(s.data + i, '`', end - i))
        return f;
    f.ticks = i - begin;
    while (i < end && is_blank(s.data[i]))
        i++;
    f.label = s.data + i;
    while (i < end && !is_blank(s.data[i]))
        i++;
    f.label_n = (size_t)(s.data + i - f.label);
    return f;
}

static bool is_python(const fence *f)
{
    static const char *const names[] = {"", "python", "py", "python3",
                                        "Python"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strlen(names[i]) == f->label_n &&
            (f->label_n == 0 || !memcmp(names[i], f->label, f->label_n)))
            return true;
    return false;
}

/* --- the program ---------------------------------------------------------- */

static t2g_status add_piece(t2g_code *c, t2g_text response, size_t begin,
                            size_t end)
{
    t2g_code_piece *p = t2g_regrow(c->piece, c->count, c->count + 1, sizeof *p);
    if (!p)
        return T2G_ERR_MEMORY;
    c->piece = p;
    p[c->count++] = (t2g_code_piece){c->text.size, begin, end - begin};
    return t2g_buffer_append(&c->text, response.data + begin, end - begin);
}

/* A block without the empty lines around it; the first line keeps its
 * indentation, it may complete a function. */
static t2g_status add_block(t2g_code *c, t2g_text response, size_t begin,
                            size_t end)
{
    size_t i = begin;
    end = trimmed_end(response.data, begin, end);
    for (; i < end && is_blank(response.data[i]); i++)
        if (response.data[i] == '\n')
            begin = i + 1;
    if (begin >= end)
        return T2G_OK;
    if (c->count > 0)
        T2G_TRY(t2g_buffer_puts(&c->text, "\n\n"));
    return add_piece(c, response, begin, end);
}

/* Where the block behind the fence line ends; *next is behind its own fence. */
static size_t block_end(t2g_text s, size_t begin, size_t ticks, size_t *next)
{
    for (size_t i = begin; i < s.size; i = line_end(s.data, s.size, i)) {
        fence f = fence_at(s, i);
        if (f.ticks >= ticks && f.label_n == 0) {
            *next = line_end(s.data, s.size, i);
            return i;
        }
    }
    *next = s.size;
    return s.size;
}

static t2g_status add_fenced(t2g_code *c, t2g_text s, bool python)
{
    size_t next;
    for (size_t i = 0; i < s.size; i = next) {
        fence f = fence_at(s, i);
        size_t begin = next = line_end(s.data, s.size, i);
        if (f.ticks == 0)
            continue;
        size_t end = block_end(s, begin, f.ticks, &next);
        if (!python || is_python(&f))
            T2G_TRY(add_block(c, s, begin, end));
    }
    return T2G_OK;
}

static t2g_status add_response(t2g_code *c, t2g_text response)
{
    T2G_TRY(add_fenced(c, response, true));
    if (c->count == 0)
        T2G_TRY(add_fenced(c, response, false));
    if (c->count == 0)
        T2G_TRY(add_block(c, response, 0, response.size));
    return t2g_buffer_puts(&c->text, "\n");
}

/* Whether the extracted code of the response defines `entry`. */
static t2g_status is_whole(t2g_text response, const char *entry, bool *whole)
{
    t2g_code alone = {0};
    t2g_status s = add_response(&alone, response);
    *whole = s == T2G_OK &&
             defines((t2g_text){alone.text.data, alone.text.size}, entry);
    t2g_code_free(&alone);
    return s;
}

static t2g_status build(t2g_code *c, t2g_text prompt, t2g_text response,
                        const char *entry)
{
    bool whole;
    if (!entry || !defines(prompt, entry))
        return add_response(c, response);
    T2G_TRY(is_whole(response, entry, &whole));
    T2G_TRY(t2g_buffer_append(&c->text, prompt.data, prompt.size));
    /* A completion may go on in the prompt's last line; blocks begin lines. */
    if (whole || (c->text.size > 0 && response.size > 0 &&
                  c->text.data[c->text.size - 1] != '\n'))
        T2G_TRY(t2g_buffer_puts(&c->text, "\n"));
    return add_response(c, response);
}

t2g_status t2g_code_extract(t2g_code *out, t2g_text prompt, t2g_text response,
                            const char *entry)
{
    *out = (t2g_code){0};
    t2g_status s = build(out, prompt, response, entry);
    if (s != T2G_OK)
        t2g_code_free(out);
    return s;
}

void t2g_code_free(t2g_code *c)
{
    t2g_buffer_free(&c->text);
    t2g_free(c->piece);
    *c = (t2g_code){0};
}

/* --- from lines to bytes -------------------------------------------------- */

/* Bytes [*begin, *end) of the text that are lines first..last. */
static bool find_lines(const t2g_buffer *text, size_t first, size_t last,
                       size_t *begin, size_t *end)
{
    size_t line = 1, i = 0;
    if (first == 0 || first > last)
        return false;
    for (; line < first && i < text->size; line++)
        i = line_end(text->data, text->size, i);
    *begin = i;
    for (; line <= last && i < text->size; line++)
        i = line_end(text->data, text->size, i);
    *end = i;
    return *begin < *end;
}

bool t2g_code_lines(const t2g_code *c, const char *response, size_t first,
                    size_t last, size_t *start, size_t *end)
{
    size_t begin, stop;
    bool found = false;
    if (!find_lines(&c->text, first, last, &begin, &stop))
        return false;
    for (size_t i = 0; i < c->count; i++) {
        const t2g_code_piece *p = &c->piece[i];
        size_t a = p->at > begin ? p->at : begin;
        size_t b = p->at + p->n < stop ? p->at + p->n : stop;
        if (a >= b)
            continue;
        *start = found ? *start : p->from + (a - p->at);
        *end = p->from + (b - p->at);
        found = true;
    }
    if (!found)
        return false;
    *end = trimmed_end(response, *start, *end);
    while (*start < *end && is_blank(response[*start]))
        ++*start;
    return *start < *end;
}
