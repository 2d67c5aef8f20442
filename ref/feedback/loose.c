/* Read t2g_loose_read from the bottom up. */
#include "loose.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../tokenizer/unicode.h"
#include "fold.h"

enum { MOST_DEPTH = 64, MOST_STRICT_DEPTH = 900, MOST_KEY = 64 };

void t2g_loose_free(t2g_loose *v)
{
    for (size_t i = 0; i < v->count; i++)
        t2g_loose_free(&v->item[i]);
    t2g_free(v->item);
    t2g_free(v->text);
    *v = (t2g_loose){0};
}

const t2g_loose *t2g_loose_member(const t2g_loose *object, const char *key)
{
    const t2g_loose *found = NULL;
    size_t n = strlen(key);
    for (size_t i = 0; object->kind == LOOSE_OBJECT && i < object->count;
         i += 2)
        if (object->item[i].length == n &&
            memcmp(object->item[i].text, key, n) == 0)
            found = &object->item[i + 1];
    return found;
}

static void repair(t2g_loose_reader *r, unsigned what)
{
    r->repairs |= what;
}

/* --- what stands where ---------------------------------------------------- */

static char at(const t2g_loose_reader *r, size_t i)
{
    return i < r->n ? r->text[i] : '\0';
}

static bool is_one_of(char c, const char *set)
{
    return c != '\0' && strchr(set, c);
}

static bool starts(const t2g_loose_reader *r, size_t i, const char *word)
{
    size_t n = strlen(word);
    return r->n - i >= n && memcmp(r->text + i, word, n) == 0;
}

static size_t charge(t2g_loose_reader *r, size_t from, size_t to)
{
    size_t cost = to - from;
    r->effort = r->effort > cost ? r->effort - cost : 0;
    return to;
}

static size_t comment_end(const t2g_loose_reader *r, size_t i)
{
    if (starts(r, i, "//")) {
        while (i < r->n && r->text[i] != '\n')
            i++;
        return i;
    }
    for (i += 2; i < r->n && !starts(r, i, "*/"); i++)
        ;
    return i + 2 < r->n ? i + 2 : r->n;
}

/* First byte from i on that is neither white space nor (loose) comment. */
static size_t skip(t2g_loose_reader *r, size_t i)
{
    size_t from = i;
    while (i < r->n) {
        size_t length = 1;
        if (r->strict ? !is_one_of(r->text[i], " \t\n\r")
                      : !(length = t2g_space_at(r->text, r->n, i))) {
            if (r->strict || !(starts(r, i, "//") || starts(r, i, "/*")))
                break;
            length = comment_end(r, i) - i;
        }
        i += length;
    }
    return charge(r, from, i);
}

void t2g_loose_skip(t2g_loose_reader *r)
{
    size_t from = r->at;
    r->at = skip(r, from);
    for (size_t i = from; i < r->at; i++)
        if (r->text[i] == '/')
            repair(r, T2G_REPAIR_COMMENT);
}

/* --- strings -------------------------------------------------------------- */

typedef enum place { KEY, MEMBER, ITEM } place; /* what the string is */

static bool is_quote(char c)
{
    return c == '"' || c == '\'';
}

/* A quoted key and its colon, of a length that keys have. */
static bool key_at(t2g_loose_reader *r, size_t i)
{
    if (!is_quote(at(r, i)))
        return false;
    for (size_t k = i + 1; k < r->n && k <= i + MOST_KEY; k++)
        if (is_quote(r->text[k]) && at(r, skip(r, k + 1)) == ':')
            return true;
        else if (r->text[k] == '\n')
            return false;
    return false;
}

static bool value_at(const t2g_loose_reader *r, size_t i)
{
    static const char *const words[] = {"true", "false", "null", "True",
                                        "False", "None", "NaN", "Infinity"};
    if (is_one_of(at(r, i), "\"'[{(+-.0123456789"))
        return true;
    for (size_t k = 0; k < sizeof words / sizeof *words; k++)
        if (starts(r, i, words[k]))
            return true;
    return false;
}

/* Does what follows a comma at i go with the end of a string before it? */
static bool goes_on(t2g_loose_reader *r, size_t i, place where)
{
    i = skip(r, i + 1);
    if (i >= r->n || is_one_of(at(r, i), "]}),"))
        return true;
    return where == MEMBER ? key_at(r, i) : value_at(r, i);
}

/* Two quotes with white space between: an end and a beginning? */
static bool next_begins(t2g_loose_reader *r, size_t i, place where)
{
    if (where == MEMBER)
        return key_at(r, i);
    char c = at(r, i + 1);
    return c && !is_one_of(c, ",:]})") && !t2g_space_at(r->text, r->n, i + 1);
}

/* A quote inside a string ends it only where that makes sense of what
 * follows. */
static bool closes(t2g_loose_reader *r, size_t quote, place where)
{
    size_t i = skip(r, quote + 1);
    char c = at(r, i);
    if (i >= r->n)
        return true;
    if (where == KEY)
        return is_one_of(c, ":,}]");
    if (c == ',')
        return goes_on(r, i, where);
    if (c == ']') { /* code quotes subscripts */
        i = skip(r, i + 1);
        return i >= r->n || is_one_of(at(r, i), ",]}){[(\"'`");
    }
    if (c == ')')
        return r->tuples > 0;
    if (c == ':') /* a key: the bracket before it is missing */
        return where == ITEM && is_one_of(at(r, skip(r, i + 1)), "[{");
    return c == '}' || (is_quote(c) && i > quote + 1 &&
                        next_begins(r, i, where));
}

/* Four hexadecimal digits at i, or -1. */
static long hex4(const t2g_loose_reader *r, size_t i)
{
    long code = 0;
    for (size_t k = i; k < i + 4; k++) {
        char c = at(r, k);
        if (!is_one_of(c, "0123456789abcdefABCDEF"))
            return -1;
        code = code * 16 + (c <= '9' ? c - '0' : (c | 32) - 'a' + 10);
    }
    return code;
}

/* \uXXXX at r->at (on the u), pairs joined, lone surrogates replaced. */
static t2g_status read_unicode(t2g_loose_reader *r, t2g_buffer *out)
{
    char bytes[4];
    long code = hex4(r, r->at + 1), low;
    if (code < 0)
        return T2G_ERR_FORMAT;
    r->at += 5;
    if (code >= 0xd800 && code < 0xdc00 && starts(r, r->at, "\\u") &&
        (low = hex4(r, r->at + 2)) >= 0xdc00 && low < 0xe000) {
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
        r->at += 6;
    }
    if (code >= 0xd800 && code < 0xe000)
        code = 0xfffd;
    return t2g_buffer_append(out, bytes, utf8_encode(bytes, (uint32_t)code));
}

/* The escape whose backslash is at r->at. */
static t2g_status read_escape(t2g_loose_reader *r, char quote, t2g_buffer *out)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    char c = at(r, ++r->at);
    const char *known = is_one_of(c, from) ? strchr(from, c) : NULL;
    if (c == 'u') {
        t2g_status s = read_unicode(r, out);
        if (s != T2G_ERR_FORMAT)
            return s;
    }
    if (known) {
        r->at++;
        return t2g_buffer_append(out, to + (known - from), 1);
    }
    if (r->strict)
        return T2G_ERR_FORMAT;
    if (r->at >= r->n)
        return T2G_OK; /* the end is found by the caller */
    if (c == '\'' && quote == '\'') {
        r->at++;
        return t2g_buffer_puts(out, "'");
    }
    repair(r, T2G_REPAIR_UNKNOWN_ESCAPE);
    return t2g_buffer_puts(out, "\\");
}

/* Takes what needs no thought; returns the character that does. */
static t2g_status read_run(t2g_loose_reader *r, char quote, t2g_buffer *out)
{
    size_t i = r->at;
    while (i < r->n && r->text[i] != quote && r->text[i] != '\\' &&
           !(r->strict && (unsigned char)r->text[i] < 0x20)) {
        if ((unsigned char)r->text[i] < 0x20)
            repair(r, T2G_REPAIR_RAW_CONTROL);
        i++;
    }
    t2g_status s = t2g_buffer_append(out, r->text + r->at, i - r->at);
    r->at = charge(r, r->at, i);
    return s;
}

static t2g_status read_characters(t2g_loose_reader *r, char quote, place where,
                                  t2g_buffer *out)
{
    for (;;) {
        T2G_TRY(read_run(r, quote, out));
        if (r->at >= r->n || r->effort == 0) {
            r->cut = true;
            return T2G_ERR_FORMAT;
        }
        if (r->text[r->at] == '\\') {
            T2G_TRY(read_escape(r, quote, out));
        } else if (r->text[r->at] != quote) {
            return T2G_ERR_FORMAT; /* strict: a control character */
        } else if (r->strict || closes(r, r->at, where)) {
            r->at++;
            return t2g_buffer_append(out, "", 0);
        } else {
            repair(r, T2G_REPAIR_INNER_QUOTE);
            T2G_TRY(t2g_buffer_append(out, r->text + r->at++, 1));
        }
    }
}

static t2g_status read_string(t2g_loose_reader *r, place where, t2g_loose *out)
{
    char quote = r->text[r->at++];
    t2g_buffer b = {0};
    if (quote == '\'')
        repair(r, T2G_REPAIR_SINGLE_QUOTES);
    t2g_status s = read_characters(r, quote, where, &b);
    if (s != T2G_OK) {
        t2g_buffer_free(&b);
        return s;
    }
    *out = (t2g_loose){.kind = LOOSE_STRING, .text = b.data, .length = b.size};
    return T2G_OK;
}

/* --- numbers and words ---------------------------------------------------- */

static size_t digits(const t2g_loose_reader *r, size_t i)
{
    while (at(r, i) >= '0' && at(r, i) <= '9')
        i++;
    return i;
}

/* End of the number at i, or i. Strict: no plus sign, no leading zeros, digits
 * on both sides of a point. */
static size_t number_end(const t2g_loose_reader *r, size_t i, bool *integer)
{
    size_t start = i, first, end;
    if (at(r, i) == '-' || (at(r, i) == '+' && !r->strict))
        i++;
    first = i;
    i = digits(r, i);
    if (r->strict && (i == first || (at(r, first) == '0' && i > first + 1)))
        return start;
    *integer = true;
    if (at(r, i) == '.') {
        end = digits(r, i + 1);
        bool whole = end > i + 1 || (!r->strict && i > first);
        *integer = !whole;
        i = whole ? end : i;
    }
    if (i == first)
        return start;
    if ((at(r, i) | 32) == 'e') {
        end = i + 1 + is_one_of(at(r, i + 1), "+-");
        *integer &= digits(r, end) == end;
        i = digits(r, end) > end ? digits(r, end) : i;
    }
    return i;
}

static t2g_status read_number(t2g_loose_reader *r, t2g_loose *out)
{
    bool integer = false;
    size_t end = number_end(r, r->at, &integer);
    if (end == r->at)
        return T2G_ERR_FORMAT;
    char *copy = t2g_strndup(r->text + r->at, end - r->at);
    if (!copy)
        return T2G_ERR_MEMORY;
    if (*copy == '+')
        repair(r, T2G_REPAIR_PLUS_SIGN);
    *out = (t2g_loose){.kind = LOOSE_NUMBER, .integer = integer,
                       .number = strtod(copy, NULL)};
    t2g_free(copy);
    r->at = charge(r, r->at, end);
    return T2G_OK;
}

static t2g_status read_word(t2g_loose_reader *r, t2g_loose *out)
{
    static const struct {
        const char *word;
        loose_kind kind;
        double number; /* truth of a BOOL */
        bool python;
    } words[] = {{"true", LOOSE_BOOL, 1, false},
                 {"false", LOOSE_BOOL, 0, false},
                 {"null", LOOSE_NULL, 0, false},
                 {"NaN", LOOSE_NUMBER, NAN, false},
                 {"Infinity", LOOSE_NUMBER, INFINITY, false},
                 {"-Infinity", LOOSE_NUMBER, -INFINITY, false},
                 {"True", LOOSE_BOOL, 1, true},
                 {"False", LOOSE_BOOL, 0, true},
                 {"None", LOOSE_NULL, 0, true}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (starts(r, r->at, words[i].word) && !(words[i].python &&
                                                 r->strict)) {
            *out = (t2g_loose){.kind = words[i].kind,
                               .truth = words[i].number == 1,
                               .number = words[i].number};
            if (words[i].python)
                repair(r, T2G_REPAIR_PYTHON_LITERAL);
            r->at += strlen(words[i].word);
            return T2G_OK;
        }
    return read_number(r, out);
}

/* --- containers ----------------------------------------------------------- */

static t2g_status read_value(t2g_loose_reader *r, place where, t2g_loose *out);

/* Takes over v; container size is the power of two from count up. */
static t2g_status add(t2g_loose *to, t2g_loose *v)
{
    size_t n = to->count;
    if ((n & (n - 1)) == 0) {
        t2g_loose *item = t2g_regrow(to->item, n, n ? 2 * n : 1, sizeof *item);
        if (!item) {
            t2g_loose_free(v);
            return T2G_ERR_MEMORY;
        }
        to->item = item;
    }
    to->item[to->count++] = *v;
    *v = (t2g_loose){0};
    return T2G_OK;
}

/* The container is over because the text is. */
static t2g_status cut(t2g_loose_reader *r, t2g_loose *v)
{
    r->cut = v->cut = true;
    repair(r, T2G_REPAIR_END_OF_INPUT);
    return r->strict ? T2G_ERR_FORMAT : T2G_OK;
}

/* Between elements: true to go on, false at the container's end. */
static t2g_status read_separator(t2g_loose_reader *r, char close, bool first,
                                 bool *more)
{
    bool comma = false;
    for (*more = true;; r->at++) {
        t2g_loose_skip(r);
        char c = at(r, r->at);
        if (r->at >= r->n)
            return T2G_OK;
        if (c == ',' && !(r->strict && (first || comma))) {
            if (comma || first)
                repair(r, T2G_REPAIR_EXTRA_COMMA);
            comma = true;
            continue;
        }
        *more = c != close;
        if (!*more) {
            if (comma && r->strict)
                return T2G_ERR_FORMAT;
            if (comma)
                repair(r, T2G_REPAIR_EXTRA_COMMA);
            r->at++;
        } else if (is_one_of(c, "]})") && !r->strict && r->depth > 1) {
            repair(r, T2G_REPAIR_MISSING_BRACKET); /* the outer one's end */
            *more = false;
        } else if (!first && !comma) {
            if (r->strict)
                return T2G_ERR_FORMAT;
            repair(r, T2G_REPAIR_MISSING_COMMA);
        }
        return T2G_OK;
    }
}

/* A string of an array that turns out to be the next key of the object around
 * it: the array's bracket is missing. */
static bool is_next_key(t2g_loose_reader *r, const t2g_loose *v)
{
    return !r->strict && v->kind == LOOSE_STRING && r->depth > 1 &&
           at(r, skip(r, r->at)) == ':';
}

static t2g_status read_items(t2g_loose_reader *r, char close, t2g_loose *out)
{
    for (bool first = true, more;; first = false) {
        T2G_TRY(read_separator(r, close, first, &more));
        if (!more)
            return T2G_OK;
        if (r->at >= r->n)
            return cut(r, out);
        t2g_loose v = {0};
        size_t start = r->at;
        t2g_status s = read_value(r, ITEM, &v);
        if (s != T2G_OK)
            return r->cut && s == T2G_ERR_FORMAT ? cut(r, out) : s;
        if (is_next_key(r, &v)) {
            t2g_loose_free(&v);
            r->at = start;
            repair(r, T2G_REPAIR_MISSING_BRACKET);
            return T2G_OK;
        }
        T2G_TRY(add(out, &v));
        if (r->cut)
            return cut(r, out);
    }
}

/* A key, its colon and the value. */
static t2g_status read_member(t2g_loose_reader *r, t2g_loose *out)
{
    t2g_loose key = {0}, value = {0};
    if (!(at(r, r->at) == '"' || (at(r, r->at) == '\'' && !r->strict)))
        return T2G_ERR_FORMAT;
    T2G_TRY(read_string(r, KEY, &key));
    t2g_loose_skip(r);
    r->cut = r->at >= r->n;
    t2g_status s = at(r, r->at) == ':' ? T2G_OK : T2G_ERR_FORMAT;
    if (s == T2G_OK) {
        r->at++;
        t2g_loose_skip(r);
        r->cut = r->at >= r->n;
        s = read_value(r, MEMBER, &value);
    }
    if (s == T2G_OK)
        s = add(out, &key);
    if (s == T2G_OK)
        s = add(out, &value);
    t2g_loose_free(&key);
    t2g_loose_free(&value);
    return s;
}

static t2g_status read_members(t2g_loose_reader *r, t2g_loose *out)
{
    for (bool first = true, more;; first = false) {
        T2G_TRY(read_separator(r, '}', first, &more));
        if (!more)
            return T2G_OK;
        if (r->at >= r->n)
            return cut(r, out);
        t2g_status s = read_member(r, out);
        if (s != T2G_OK)
            return r->cut && s == T2G_ERR_FORMAT ? cut(r, out) : s;
        if (r->cut)
            return cut(r, out);
    }
}

static t2g_status read_container(t2g_loose_reader *r, t2g_loose *out)
{
    char open = r->text[r->at++];
    size_t most = r->strict ? MOST_STRICT_DEPTH : MOST_DEPTH;
    t2g_status s = T2G_ERR_FORMAT;
    *out = (t2g_loose){.kind = open == '{' ? LOOSE_OBJECT : LOOSE_ARRAY};
    if (open == '(')
        repair(r, T2G_REPAIR_TUPLE);
    r->tuples += open == '(';
    if (++r->depth <= most)
        s = open == '{' ? read_members(r, out)
                        : read_items(r, open == '[' ? ']' : ')', out);
    r->depth--;
    r->tuples -= open == '(';
    if (s != T2G_OK)
        t2g_loose_free(out);
    return s;
}

static t2g_status read_value(t2g_loose_reader *r, place where, t2g_loose *out)
{
    char c = at(r, r->at);
    *out = (t2g_loose){0};
    if (r->effort == 0 || r->at >= r->n)
        return T2G_ERR_FORMAT;
    if (c == '"' || (c == '\'' && !r->strict))
        return read_string(r, where, out);
    if (c == '[' || c == '{' || (c == '(' && !r->strict))
        return read_container(r, out);
    return read_word(r, out);
}

static t2g_status read_from_here(t2g_loose_reader *r, place where,
                                 t2g_loose *out)
{
    r->depth = r->tuples = 0;
    r->cut = false;
    return read_value(r, where, out);
}

t2g_status t2g_loose_read(t2g_loose_reader *r, t2g_loose *out)
{
    return read_from_here(r, ITEM, out);
}

t2g_status t2g_loose_read_member(t2g_loose_reader *r, t2g_loose *out)
{
    return read_from_here(r, MEMBER, out);
}
