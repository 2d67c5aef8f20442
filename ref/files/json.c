#include "internal.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* --- reading ------------------------------------------------------------ */

const char *t2g_json_type(const json_t *value)
{
    if (!value)
        return "missing";
    switch (json_typeof(value)) {
    case JSON_OBJECT: return "an object";
    case JSON_ARRAY: return "an array";
    case JSON_STRING: return "a string";
    case JSON_INTEGER: return "an integer";
    case JSON_REAL: return "a real number";
    case JSON_TRUE: return "true";
    case JSON_FALSE: return "false";
    case JSON_NULL: return "null";
    }
    return "an unknown type";
}

/* Copies text, turning integers that do not fit 64 bits into reals ("e0" behind
 * them). Python writes such: the usual model_max_length is 10^30. */
static t2g_status widen_integers(t2g_buffer *out, const char *text, size_t n)
{
    size_t i = 0, copied = 0;
    bool quoted = false;
    while (i < n) {
        if (quoted || !(isdigit((unsigned char)text[i]) || text[i] == '-')) {
            if (text[i] == '"')
                quoted = !quoted;
            i += quoted && text[i] == '\\' ? 2 : 1;
            continue;
        }
        size_t length = 1 + strspn(text + i + 1, "0123456789");
        size_t whole = 1 + strspn(text + i + 1, "0123456789+-.eE");
        errno = 0;
        (void)strtoll(text + i, NULL, 10);
        i += whole;
        if (errno != ERANGE || whole != length)
            continue;
        T2G_TRY(t2g_buffer_append(out, text + copied, i - copied));
        T2G_TRY(t2g_buffer_puts(out, "e0"));
        copied = i;
    }
    return t2g_buffer_append(out, text + copied, n - copied);
}

static json_t *load(const char *text, size_t n, json_error_t *error)
{
    return json_loadb(text, n, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL |
                      JSON_DECODE_ANY, error);
}

static t2g_status check_utf8(const char *text, size_t n, const char *name,
                             size_t line)
{
    size_t bad = t2g_utf8_invalid(text, n), begin = 0;
    if (bad == n)
        return T2G_OK;
    for (size_t i = 0; i < bad; i++)
        if (text[i] == '\n') {
            begin = i + 1;
            line++;
        }
    size_t column = bad - begin + 1;
    return t2g_fail(T2G_ERR_FORMAT, "%s:%zu:%zu: byte %zu of the line, 0x%02X, "
                    "is not UTF-8", name, line, column, column,
                    (unsigned char)text[bad]);
}

t2g_status t2g_json_parse(json_t **out, const char *text, size_t n,
                          const char *name, size_t first_line)
{
    json_error_t error;
    T2G_TRY(check_utf8(text, n, name, first_line));
    *out = load(text, n, &error);
    if (!*out && json_error_code(&error) == json_error_numeric_overflow) {
        t2g_buffer widened = {0};
        t2g_status s = widen_integers(&widened, text, n);
        if (s == T2G_OK)
            *out = load(widened.data, widened.size, &error);
        t2g_buffer_free(&widened);
        T2G_TRY(s);
    }
    if (*out)
        return T2G_OK;
    if (error.text[0] == '\0') /* the parser only stays silent without memory */
        return t2g_fail(T2G_ERR_MEMORY, "%s:%zu: no memory to parse JSON of "
                        "%zu bytes", name, first_line, n);
    return t2g_fail(T2G_ERR_FORMAT, "%s:%zu:%d: not JSON: %s", name,
                    first_line + (size_t)error.line - 1, error.column,
                    error.text);
}

t2g_status t2g_json_read(json_t **out, const char *path)
{
    t2g_buffer text = {0};
    *out = NULL;
    t2g_status s = t2g_file_read(path, &text);
    if (s == T2G_OK && text.size == 0)
        s = t2g_fail(T2G_ERR_FORMAT, "%s:1:1: an empty file, expected JSON",
                     t2g_file_name(path));
    if (s == T2G_OK) {
        size_t mark = t2g_utf8_mark(text.data, text.size);
        s = t2g_json_parse(out, text.data + mark, text.size - mark,
                           t2g_file_name(path), 1);
    }
    t2g_buffer_free(&text);
    return s;
}

/* --- writing ------------------------------------------------------------ */

static t2g_status append_escape(t2g_buffer *out, unsigned char c)
{
    switch (c) {
    case '"': return t2g_buffer_puts(out, "\\\"");
    case '\\': return t2g_buffer_puts(out, "\\\\");
    case '\b': return t2g_buffer_puts(out, "\\b");
    case '\f': return t2g_buffer_puts(out, "\\f");
    case '\n': return t2g_buffer_puts(out, "\\n");
    case '\r': return t2g_buffer_puts(out, "\\r");
    case '\t': return t2g_buffer_puts(out, "\\t");
    }
    return t2g_buffer_printf(out, "\\u%04x", c);
}

t2g_status t2g_json_append_string(t2g_buffer *out, const char *s, size_t n)
{
    size_t copied = 0;
    T2G_TRY(t2g_buffer_puts(out, "\""));
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)s[i];
        if (c >= 0x20 && c != '"' && c != '\\')
            continue;
        T2G_TRY(t2g_buffer_append(out, s + copied, i - copied));
        T2G_TRY(append_escape(out, c));
        copied = i + 1;
    }
    T2G_TRY(t2g_buffer_append(out, s + copied, n - copied));
    return t2g_buffer_puts(out, "\"");
}

/* 15 digits always survive text -> double -> text, 17 double -> text -> double:
 * the shortest of 15 to 17 that reads back equal is what a person typed. */
static t2g_status append_real(t2g_buffer *out, double value)
{
    char text[32];
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    char *comma = strchr(text, ','); /* the locale of the host program */
    if (comma)
        *comma = '.';
    T2G_TRY(t2g_buffer_puts(out, text));
    return strpbrk(text, ".e") ? T2G_OK : t2g_buffer_puts(out, ".0");
}

t2g_status t2g_json_append_break(t2g_buffer *out, int depth)
{
    return depth < 0 ? T2G_OK : t2g_buffer_printf(out, "\n%*s", 2 * depth, "");
}


static t2g_status append_array(t2g_buffer *out, const json_t *array, int depth)
{
    int inner = depth < 0 ? depth : depth + 1;
    size_t n = json_array_size(array);
    T2G_TRY(t2g_buffer_puts(out, "["));
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            T2G_TRY(t2g_buffer_puts(out, ","));
        T2G_TRY(t2g_json_append_break(out, inner));
        T2G_TRY(t2g_json_append_at(out, json_array_get(array, i), inner));
    }
    if (n > 0)
        T2G_TRY(t2g_json_append_break(out, depth));
    return t2g_buffer_puts(out, "]");
}

static t2g_status append_object(t2g_buffer *out, const json_t *object,
                                int depth)
{
    int inner = depth < 0 ? depth : depth + 1;
    bool first = true;
    const char *key;
    json_t *value;
    T2G_TRY(t2g_buffer_puts(out, "{"));
    json_object_foreach((json_t *)object, key, value) {
        if (!first)
            T2G_TRY(t2g_buffer_puts(out, ","));
        first = false;
        T2G_TRY(t2g_json_append_break(out, inner));
        T2G_TRY(t2g_json_append_string(out, key, strlen(key)));
        T2G_TRY(t2g_buffer_puts(out, depth < 0 ? ":" : ": "));
        T2G_TRY(t2g_json_append_at(out, value, inner));
    }
    if (!first)
        T2G_TRY(t2g_json_append_break(out, depth));
    return t2g_buffer_puts(out, "}");
}

t2g_status t2g_json_append_at(t2g_buffer *out, const json_t *value, int depth)
{
    if (!value)
        return t2g_fail(T2G_ERR_MEMORY, "no memory for a JSON value");
    switch (json_typeof(value)) {
    case JSON_OBJECT: return append_object(out, value, depth);
    case JSON_ARRAY: return append_array(out, value, depth);
    case JSON_STRING:
        return t2g_json_append_string(out, json_string_value(value),
                             json_string_length(value));
    case JSON_INTEGER:
        return t2g_buffer_printf(out, "%" JSON_INTEGER_FORMAT,
                                 json_integer_value(value));
    case JSON_REAL: return append_real(out, json_real_value(value));
    case JSON_TRUE: return t2g_buffer_puts(out, "true");
    case JSON_FALSE: return t2g_buffer_puts(out, "false");
    case JSON_NULL: return t2g_buffer_puts(out, "null");
    }
    return t2g_fail(T2G_ERR_ARG, "a JSON value of unknown type");
}

t2g_status t2g_json_append(t2g_buffer *out, const json_t *value, bool pretty)
{
    return t2g_json_append_at(out, value, pretty ? 0 : -1);
}

t2g_status t2g_json_write(const char *path, const json_t *value)
{
    t2g_buffer text = {0};
    t2g_status s = t2g_json_append(&text, value, true);
    if (s == T2G_OK)
        s = t2g_buffer_puts(&text, "\n");
    if (s == T2G_OK)
        s = t2g_file_write(path, text.data, text.size);
    t2g_buffer_free(&text);
    return s;
}

json_t *t2g_json_text(const char *s, size_t n)
{
    t2g_buffer text = {0};
    json_t *out = NULL;
    if (t2g_utf8_append(&text, s, n) == T2G_OK)
        out = json_stringn(text.data, text.size);
    t2g_buffer_free(&text);
    return out;
}
