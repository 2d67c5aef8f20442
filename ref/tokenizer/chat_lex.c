/* A template into tokens, by the rules of Jinja's lexer: where tags begin, what
 * '-', '+', trim_blocks and lstrip_blocks take away around them, and the words
 * inside of them. */
#include "chat_private.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "t2g/files.h"
#include "unicode.h"

typedef struct lexer {
    t2g_chat_template *template;
    const char *s;
    size_t n, at;
    size_t placed; /* place_of counted up to here */
    unsigned line, column;
    bool line_starting; /* what was read last ended a line */
    char bracket[T2G_CHAT_PARSE_DEPTH];
    size_t brackets;
    t2g_chat_tokens *out;
} lexer;

static const char *const spellings[] = {
    "**", "//", "==", "!=", "<=", ">=", "+", "-", "*", "/", "%", "~", "<",
    ">", "=", ".", ":", "|", ",", ";", "(", ")", "[", "]", "{", "}"};
enum { OPERATORS = sizeof spellings / sizeof *spellings };

const char *t2g_token_spelling(t2g_token_kind kind)
{
    static const char *const others[] = {
        "text", "{{", "}}", "{%", "%}", "a name", "a string", "a number",
        "the end of the template"};
    if (kind < TOKEN_POWER)
        return others[kind];
    return kind == TOKEN_IN ? "in" : kind == TOKEN_NOT_IN ? "not in"
                                   : spellings[kind - TOKEN_POWER];
}

/* --- places -------------------------------------------------------------- */

/* Positions are asked for in rising order, but for those of failures. */
static t2g_place place_of(lexer *l, size_t position)
{
    if (position < l->placed) {
        l->placed = 0;
        l->line = l->column = 1;
    }
    for (; l->placed < position; l->placed++)
        if (l->s[l->placed] == '\n') {
            l->line++;
            l->column = 1;
        } else if ((l->s[l->placed] & 0xc0) != 0x80) {
            l->column++;
        }
    return (t2g_place){l->line, l->column};
}

static t2g_status fail_at(lexer *l, size_t position, const char *what)
{
    return t2g_chat_fail(l->template, place_of(l, position), T2G_ERR_FORMAT,
                         "%s", what);
}

static t2g_status refuse_at(lexer *l, size_t position, const char *what)
{
    return t2g_chat_fail(l->template, place_of(l, position),
                         T2G_ERR_UNSUPPORTED, "%s is not supported", what);
}

static t2g_status add(lexer *l, t2g_token_kind kind, size_t position,
                      t2g_string text, t2g_value value)
{
    t2g_chat_tokens *t = l->out;
    if (t->count == t->capacity) {
        t->token = t2g_arena_double(&l->template->arena, t->token, t->count,
                                    sizeof *t->token);
        if (!t->token)
            return T2G_ERR_MEMORY;
        t->capacity = t->count ? 2 * t->count : 8;
    }
    t->token[t->count++] =
        (t2g_chat_token){kind, place_of(l, position), text, value};
    return T2G_OK;
}

static t2g_status add_plain(lexer *l, t2g_token_kind kind, size_t position)
{
    return add(l, kind, position, TEXT(""), (t2g_value){0});
}

/* --- white space --------------------------------------------------------- */

static t2g_string rest_of(const lexer *l, size_t from)
{
    return (t2g_string){l->s + from, NULL, l->n - from};
}

static size_t skip_space(const lexer *l, size_t at)
{
    return l->n - t2g_text_strip(rest_of(l, at), NULL, T2G_STRIP_LEFT).n;
}

static bool looking_at(const lexer *l, size_t at, const char *word)
{
    size_t n = strlen(word);
    return l->n - at >= n && !memcmp(l->s + at, word, n);
}

/* The text in front of a tag, as far as the tag leaves it. */
static t2g_string strip_before_tag(const lexer *l, t2g_string text, char sign,
                                 bool is_print)
{
    if (sign == '-')
        return t2g_text_strip(text, NULL, T2G_STRIP_RIGHT);
    if (sign == '+' || is_print)
        return text;
    size_t start = text.n;
    while (start > 0 && text.s[start - 1] != '\n')
        start--;
    t2g_string line = t2g_text_part(text, start, text.n);
    bool blank = t2g_text_strip(line, NULL, T2G_STRIP_LEFT).n == 0;
    return blank && (start > 0 || l->line_starting)
               ? t2g_text_part(text, 0, start) : text;
}

static t2g_status add_data(lexer *l, size_t begin, t2g_string text)
{
    return text.n ? add(l, TOKEN_DATA, begin, text, (t2g_value){0}) : T2G_OK;
}

/* If the closing mark ("%}", "#}", "}}") is at `at`, with a sign or without:
 * the position behind it and what it takes away. Else 0. */
static size_t end_of_tag(const lexer *l, size_t at, const char *mark)
{
    bool is_print = mark[0] == '}';
    if (looking_at(l, at, mark)) {
        at += 2;
        return !is_print && at < l->n && l->s[at] == '\n' ? at + 1 : at;
    }
    if (at < l->n && l->s[at] == '-' && looking_at(l, at + 1, mark))
        return skip_space(l, at + 3);
    if (!is_print && at < l->n && l->s[at] == '+' &&
        looking_at(l, at + 1, mark))
        return at + 3;
    return 0;
}

static void go_on_at(lexer *l, size_t at)
{
    l->line_starting = at > 0 && l->s[at - 1] == '\n';
    l->at = at;
}

/* --- names, numbers, strings --------------------------------------------- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           is_digit(c);
}

static t2g_status name(lexer *l)
{
    size_t begin = l->at;
    while (l->at < l->n && is_word(l->s[l->at]))
        l->at++;
    if (l->at < l->n && (l->s[l->at] & 0x80))
        return refuse_at(l, l->at, "a name with a character outside ASCII");
    t2g_string text = {l->s + begin, NULL, l->at - begin};
    return add(l, TOKEN_NAME, begin, text, (t2g_value){0});
}

static size_t skip_digits(const lexer *l, size_t at)
{
    while (at < l->n && is_digit(l->s[at]))
        at++;
    return at;
}

/* The end of the number's fraction and exponent, or of its whole part. */
static size_t end_of_number(const lexer *l, size_t whole)
{
    size_t end = whole;
    if (end + 1 < l->n && l->s[end] == '.' && is_digit(l->s[end + 1]))
        end = skip_digits(l, end + 1);
    if (end < l->n && (l->s[end] | 0x20) == 'e') {
        size_t digits = end + 1;
        if (digits < l->n && (l->s[digits] == '+' || l->s[digits] == '-'))
            digits++;
        size_t stop = skip_digits(l, digits);
        end = stop > digits ? stop : end;
    }
    return end;
}

static t2g_status number(lexer *l)
{
    char digits[64];
    size_t begin = l->at, whole = skip_digits(l, begin);
    size_t end = begin > 0 && l->s[begin - 1] == '.' ? whole
                                                     : end_of_number(l, whole);
    if (end < l->n && is_word(l->s[end]))
        return refuse_at(l, begin, "a number in this notation");
    if (end - begin >= sizeof digits)
        return refuse_at(l, begin, "a number of this length");
    memcpy(digits, l->s + begin, end - begin);
    digits[end - begin] = '\0';
    t2g_value value = {.kind = VALUE_REAL};
    if (end > whole) {
        value.real = strtod(digits, NULL);
    } else {
        if (end - begin > 18)
            return refuse_at(l, begin, "an integer of this size");
        value = t2g_value_integer(strtoll(digits, NULL, 10));
    }
    l->at = end;
    return add(l, TOKEN_NUMBER, begin, TEXT(""), value);
}

static int hex_value(char c)
{
    if (is_digit(c))
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Exactly `count` hexadecimal digits at `at`, or -1. */
static int64_t hex_digits(const lexer *l, size_t at, size_t count, size_t end)
{
    int64_t code = 0;
    for (size_t i = 0; i < count; i++) {
        if (at + i >= end || hex_value(l->s[at + i]) < 0)
            return -1;
        code = code << 4 | hex_value(l->s[at + i]);
    }
    return code;
}

static t2g_status escaped_code(lexer *l, size_t end, t2g_builder *b)
{
    char kind = l->s[l->at], utf8[4];
    size_t count = kind == 'x' ? 2 : kind == 'u' ? 4 : 8;
    int64_t code = hex_digits(l, l->at + 1, count, end);
    if (code < 0 || code > 0x10ffff)
        return fail_at(l, l->at - 1, "a broken \\x, \\u or \\U escape");
    if (code >= 0xd800 && code < 0xe000)
        return refuse_at(l, l->at - 1, "an escaped surrogate");
    l->at += count + 1;
    return t2g_build_bytes(b, utf8, utf8_encode(utf8, (uint32_t)code), false);
}

static t2g_status octal_code(lexer *l, size_t end, t2g_builder *b)
{
    char utf8[4];
    uint32_t code = 0;
    for (size_t i = 0; i < 3 && l->at < end && l->s[l->at] >= '0' &&
                       l->s[l->at] <= '7'; i++)
        code = code * 8 + (uint32_t)(l->s[l->at++] - '0');
    return t2g_build_bytes(b, utf8, utf8_encode(utf8, code), false);
}

/* l->at is behind the backslash. */
static t2g_status escape(lexer *l, size_t end, t2g_builder *b)
{
    static const char from[] = "nrtabfv\\'\"\n", to[] = "\n\r\t\a\b\f\v\\'\"";
    char c = l->s[l->at];
    const char *known = c ? strchr(from, c) : NULL;
    if (known) {
        l->at++;
        return t2g_build_bytes(b, to + (known - from), c != '\n', false);
    }
    if (c == 'x' || c == 'u' || c == 'U')
        return escaped_code(l, end, b);
    if (c >= '0' && c <= '7')
        return octal_code(l, end, b);
    if (c == 'N' || (c & 0x80))
        return refuse_at(l, l->at - 1, "this escape");
    return t2g_build_bytes(b, "\\", 1, false);
}

/* The first quote that no backslash stands in front of. */
static size_t end_of_string(const lexer *l)
{
    size_t at = l->at + 1;
    for (; at < l->n && l->s[at] != l->s[l->at]; at++)
        if (l->s[at] == '\\')
            at++;
    return at;
}

static t2g_status string(lexer *l)
{
    size_t begin = l->at, end = end_of_string(l);
    t2g_builder b = {.arena = &l->template->arena};
    if (end >= l->n)
        return fail_at(l, begin, "a string that does not end");
    l->at++;
    while (l->at < end) {
        size_t plain = l->at;
        while (l->at < end && l->s[l->at] != '\\')
            l->at++;
        T2G_TRY(t2g_build_bytes(&b, l->s + plain, l->at - plain, false));
        if (l->at < end) {
            l->at++;
            T2G_TRY(escape(l, end, &b));
        }
    }
    l->at = end + 1;
    return add(l, TOKEN_STRING, begin, t2g_built(&b), (t2g_value){0});
}

/* --- inside of a tag ----------------------------------------------------- */

static t2g_status balance(lexer *l, char c)
{
    const char *open = strchr("([{", c), *close = strchr(")]}", c);
    if (open) {
        if (l->brackets == sizeof l->bracket)
            return refuse_at(l, l->at, "nesting this deep");
        l->bracket[l->brackets++] = ")]}"[open - "([{"];
    } else if (close) {
        if (!l->brackets || l->bracket[l->brackets - 1] != c)
            return fail_at(l, l->at, "a closing bracket that matches none");
        l->brackets--;
    }
    return T2G_OK;
}

static t2g_status operator(lexer *l)
{
    size_t i = 0;
    while (i < OPERATORS && !looking_at(l, l->at, spellings[i]))
        i++;
    if (i == OPERATORS)
        return fail_at(l, l->at, "a character that begins nothing");
    if (i >= TOKEN_OPEN_ROUND - TOKEN_POWER)
        T2G_TRY(balance(l, l->s[l->at]));
    T2G_TRY(add_plain(l, (t2g_token_kind)(TOKEN_POWER + i), l->at));
    l->at += strlen(spellings[i]);
    return T2G_OK;
}

static t2g_status word(lexer *l)
{
    char c = l->s[l->at];
    if (is_digit(c))
        return number(l);
    if (is_word(c) || (c & 0x80))
        return name(l);
    return c == '\'' || c == '"' ? string(l) : operator(l);
}

/* Up to and with the mark that ends the tag. */
static t2g_status inside_tag(lexer *l, size_t begin, const char *mark,
                             t2g_token_kind end_kind)
{
    l->brackets = 0;
    for (;;) {
        l->at = skip_space(l, l->at);
        if (l->at >= l->n)
            return fail_at(l, begin, "a tag that does not end");
        size_t end = l->brackets ? 0 : end_of_tag(l, l->at, mark);
        if (end) {
            T2G_TRY(add_plain(l, end_kind, l->at));
            go_on_at(l, end);
            return T2G_OK;
        }
        T2G_TRY(word(l));
    }
}

/* --- tags ---------------------------------------------------------------- */

static t2g_status comment(lexer *l, size_t begin)
{
    for (size_t at = l->at; at < l->n; at++) {
        size_t end = end_of_tag(l, at, "#}");
        if (end) {
            go_on_at(l, end);
            return T2G_OK;
        }
    }
    return fail_at(l, begin, "a comment that does not end");
}

static char sign_at(const lexer *l, size_t at)
{
    return at < l->n && (l->s[at] == '-' || l->s[at] == '+') ? l->s[at] : 0;
}

/* If "{%", maybe a sign, and the word alone stand at `at`: the position behind
 * the word and white space. Else 0. */
static size_t after_word(const lexer *l, size_t at, const char *keyword)
{
    if (!looking_at(l, at, "{%"))
        return 0;
    at = skip_space(l, at + 2 + (sign_at(l, at + 2) != 0));
    return looking_at(l, at, keyword) ? skip_space(l, at + strlen(keyword)) : 0;
}

/* `{% raw %}` ends without taking a line break. */
static size_t end_of_raw_tag(const lexer *l, size_t at)
{
    size_t inside = after_word(l, at, "raw");
    if (inside && looking_at(l, inside, "-%}"))
        return skip_space(l, inside + 3);
    return inside && looking_at(l, inside, "%}") ? inside + 2 : 0;
}

static t2g_status raw(lexer *l, size_t begin)
{
    size_t from = l->at;
    for (size_t at = from; at < l->n; at++) {
        size_t inside = after_word(l, at, "endraw");
        size_t end = inside ? end_of_tag(l, inside, "%}") : 0;
        if (!end)
            continue;
        t2g_string text = t2g_text_part(rest_of(l, from), 0, at - from);
        text = strip_before_tag(l, text, sign_at(l, at + 2), false);
        T2G_TRY(add_data(l, from, text));
        go_on_at(l, end);
        return T2G_OK;
    }
    return fail_at(l, begin, "raw text that does not end");
}

static size_t next_tag(const lexer *l)
{
    size_t at = l->at;
    while (at + 1 < l->n && !(l->s[at] == '{' && strchr("{%#", l->s[at + 1]) &&
                              l->s[at + 1]))
        at++;
    return at + 1 < l->n ? at : l->n;
}

/* Text up to the next tag, and the tag. */
static t2g_status text_and_tag(lexer *l)
{
    size_t begin = l->at, tag = next_tag(l);
    t2g_string text = t2g_text_part(rest_of(l, begin), 0, tag - begin);
    if (tag == l->n) {
        l->at = l->n;
        return add_data(l, begin, text);
    }
    char kind = l->s[tag + 1], sign = sign_at(l, tag + 2);
    text = strip_before_tag(l, text, sign, kind == '{');
    T2G_TRY(add_data(l, begin, text));
    size_t end = end_of_raw_tag(l, tag);
    go_on_at(l, end ? end : tag + 2 + (sign != 0));
    if (end)
        return raw(l, tag);
    if (kind == '#')
        return comment(l, tag);
    T2G_TRY(add_plain(l, kind == '{' ? TOKEN_PRINT_BEGIN : TOKEN_BLOCK_BEGIN,
                      tag));
    return kind == '{' ? inside_tag(l, tag, "}}", TOKEN_PRINT_END)
                       : inside_tag(l, tag, "%}", TOKEN_BLOCK_END);
}

/* --- the whole ----------------------------------------------------------- */

/* "\r\n" and "\r" become "\n", and one at the end goes. */
static t2g_status normalize_lines(lexer *l, const char *text, size_t n)
{
    char *s = t2g_arena_take(&l->template->arena, n + 1, 1);
    if (!s)
        return T2G_ERR_MEMORY;
    for (size_t i = 0; i < n; i++) {
        if (text[i] == '\r' && i + 1 < n && text[i + 1] == '\n')
            i++;
        s[l->n++] = text[i] == '\r' ? '\n' : text[i];
    }
    if (l->n && s[l->n - 1] == '\n')
        l->n--;
    s[l->n] = '\0';
    l->s = s;
    return T2G_OK;
}

t2g_status t2g_chat_lex(t2g_chat_template *t, const char *text, size_t n,
                        t2g_chat_tokens *out)
{
    lexer l = {.template = t, .line = 1, .column = 1,
               .line_starting = true, .out = out};
    size_t invalid = t2g_utf8_invalid(text, n);
    if (invalid < n)
        return t2g_fail(T2G_ERR_FORMAT, "%s: byte %zu is not UTF-8", t->name,
                        invalid);
    T2G_TRY(normalize_lines(&l, text, n));
    while (l.at < l.n)
        T2G_TRY(text_and_tag(&l));
    return add_plain(&l, TOKEN_END, l.n);
}
