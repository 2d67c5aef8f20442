/* Values as text: str() and repr() of Python, and json.dumps. */
#include "chat_private.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unicode.h"

static t2g_status build_ascii(t2g_builder *b, const char *s)
{
    return t2g_build(b, t2g_text_of(s));
}

/* --- numbers ------------------------------------------------------------- */

/* The shortest digits that read back equal, laid out as Python does. */
static void format_real(double x, char out[64])
{
    char shortest[32], digits[24] = "";
    int precision = 1, exponent;
    do
        snprintf(shortest, sizeof shortest, "%.*e", precision - 1, x);
    while (strtod(shortest, NULL) != x && ++precision <= 17);
    const char *s = shortest + (shortest[0] == '-');
    for (const char *p = s; *p != 'e'; p++)
        if (*p >= '0' && *p <= '9')
            strncat(digits, p, 1);
    exponent = atoi(strchr(s, 'e') + 1);
    const char *sign = shortest[0] == '-' ? "-" : "";
    int n = (int)strlen(digits);
    if (exponent < -4 || exponent >= 16)
        snprintf(out, 64, "%s%c%s%se%+03d", sign, digits[0], n > 1 ? "." : "",
                 digits + 1, exponent);
    else if (exponent < 0)
        snprintf(out, 64, "%s0.%.*s%s", sign, -exponent - 1, "000", digits);
    else if (n <= exponent + 1)
        snprintf(out, 64, "%s%s%.*s.0", sign, digits, exponent + 1 - n,
                 "000000000000000");
    else
        snprintf(out, 64, "%s%.*s.%s", sign, exponent + 1, digits,
                 digits + exponent + 1);
}

static t2g_status print_real(t2g_builder *b, double x, bool json)
{
    char text[64];
    if (isnan(x))
        return build_ascii(b, json ? "NaN" : "nan");
    if (isinf(x))
        return build_ascii(b, json ? x < 0 ? "-Infinity" : "Infinity"
                                   : x < 0 ? "-inf" : "inf");
    format_real(x, text);
    return build_ascii(b, text);
}

static t2g_status print_integer(t2g_builder *b, int64_t i)
{
    char text[24];
    snprintf(text, sizeof text, "%lld", (long long)i);
    return build_ascii(b, text);
}

/* --- strings ------------------------------------------------------------- */

static bool from_input_at(t2g_string text, size_t i)
{
    return text.from_input && text.from_input[i];
}

static t2g_status build_formatted(t2g_builder *b, bool from_input,
                                  const char *format, unsigned code)
{
    char text[16];
    int n = snprintf(text, sizeof text, format, code);
    return t2g_build_bytes(b, text, (size_t)n, from_input);
}

static bool is_printable(uint32_t code)
{
    return code == ' ' || (unicode_class(code) & (CLASS_L | CLASS_M | CLASS_N |
                                                  CLASS_P | CLASS_S)) != 0;
}

/* One character of a repr, `quote` standing around it. */
static t2g_status repr_character(t2g_builder *b, t2g_string c, char quote)
{
    uint32_t code = utf8_decode((const unsigned char *)c.s);
    bool input = from_input_at(c, 0);
    if (code == (unsigned char)quote || code == '\\')
        T2G_TRY(t2g_build_bytes(b, "\\", 1, input));
    else if (code == '\n' || code == '\r' || code == '\t')
        return build_formatted(b, input, "\\%c",
                               code == '\n' ? 'n' : code == '\r' ? 'r' : 't');
    else if (!is_printable(code))
        return build_formatted(b, input, code < 0x100 ? "\\x%02x"
                               : code < 0x10000 ? "\\u%04x" : "\\U%08x", code);
    return t2g_build(b, c);
}

static t2g_status repr_string(t2g_builder *b, t2g_string text)
{
    bool single = text.n && memchr(text.s, '\'', text.n);
    bool both = single && memchr(text.s, '"', text.n);
    char quote = single && !both ? '"' : '\'';
    T2G_TRY(t2g_build_bytes(b, &quote, 1, false));
    for (size_t i = 0, n; i < text.n; i += n) {
        n = utf8_length((unsigned char)text.s[i]);
        T2G_TRY(repr_character(b, t2g_text_part(text, i, i + n), quote));
    }
    return t2g_build_bytes(b, &quote, 1, false);
}

static t2g_status json_escape_wide(t2g_builder *b, uint32_t code, bool input)
{
    if (code < 0x10000)
        return build_formatted(b, input, "\\u%04x", code);
    T2G_TRY(build_formatted(b, input, "\\u%04x",
                            0xd800 + ((code - 0x10000) >> 10)));
    return build_formatted(b, input, "\\u%04x", 0xdc00 + (code & 0x3ff));
}

static t2g_status json_character(t2g_builder *b, t2g_string c, bool ensure_ascii)
{
    static const char from[] = "\"\\\n\r\t\f\b", to[] = "\"\\nrtfb";
    uint32_t code = utf8_decode((const unsigned char *)c.s);
    const char *known = code && code < 0x80 ? strchr(from, (int)code) : NULL;
    if (known)
        return build_formatted(b, from_input_at(c, 0), "\\%c",
                               (unsigned char)to[known - from]);
    if (code < 0x20 || (ensure_ascii && code > 0x7e))
        return json_escape_wide(b, code, from_input_at(c, 0));
    return t2g_build(b, c);
}

static t2g_status print_json_string(t2g_builder *b, t2g_string text,
                                    bool ensure_ascii)
{
    T2G_TRY(build_ascii(b, "\""));
    for (size_t i = 0, n; i < text.n; i += n) {
        n = utf8_length((unsigned char)text.s[i]);
        T2G_TRY(json_character(b, t2g_text_part(text, i, i + n),
                               ensure_ascii));
    }
    return build_ascii(b, "\"");
}

/* --- str and repr -------------------------------------------------------- */

static t2g_status repr(t2g_render *r, t2g_builder *b, const t2g_value *v);

static t2g_status repr_list(t2g_render *r, t2g_builder *b, const t2g_value *v)
{
    bool is_tuple = v->kind == VALUE_TUPLE;
    T2G_TRY(build_ascii(b, is_tuple ? "(" : "["));
    for (size_t i = 0; i < v->list->count; i++) {
        if (i)
            T2G_TRY(build_ascii(b, ", "));
        T2G_TRY(repr(r, b, &v->list->item[i]));
    }
    if (is_tuple)
        return build_ascii(b, v->list->count == 1 ? ",)" : ")");
    return build_ascii(b, "]");
}

static t2g_status repr_dict(t2g_render *r, t2g_builder *b, const t2g_dict *d)
{
    T2G_TRY(build_ascii(b, "{"));
    for (size_t i = 0; i < d->count; i++) {
        if (i)
            T2G_TRY(build_ascii(b, ", "));
        T2G_TRY(repr(r, b, &d->key[i]));
        T2G_TRY(build_ascii(b, ": "));
        T2G_TRY(repr(r, b, &d->value[i]));
    }
    return build_ascii(b, "}");
}

static t2g_status too_deep(void)
{
    return t2g_fail(T2G_ERR_UNSUPPORTED, "a value that nests deeper than %d",
                    T2G_CHAT_DEPTH);
}

static t2g_status refuse_range(void)
{
    return t2g_fail(T2G_ERR_UNSUPPORTED, "printing a range is not supported");
}

static t2g_status repr_container(t2g_render *r, t2g_builder *b,
                                 const t2g_value *v)
{
    if (v->kind == VALUE_LIST && v->list->is_range)
        return refuse_range();
    if (++r->depth > T2G_CHAT_DEPTH)
        return too_deep();
    T2G_TRY(v->kind == VALUE_DICT ? repr_dict(r, b, v->dict)
                                  : repr_list(r, b, v));
    r->depth--;
    return T2G_OK;
}

static t2g_status repr(t2g_render *r, t2g_builder *b, const t2g_value *v)
{
    T2G_TRY(t2g_spend(r, 1));
    switch (v->kind) {
    case VALUE_UNDEFINED: return build_ascii(b, "Undefined");
    case VALUE_NONE: return build_ascii(b, "None");
    case VALUE_BOOLEAN: return build_ascii(b, v->boolean ? "True" : "False");
    case VALUE_INTEGER: return print_integer(b, v->integer);
    case VALUE_REAL: return print_real(b, v->real, false);
    case VALUE_STRING: return repr_string(b, v->text);
    case VALUE_LIST: case VALUE_TUPLE: case VALUE_DICT:
        return repr_container(r, b, v);
    default:
        return t2g_fail(T2G_ERR_UNSUPPORTED, "printing a %s is not supported",
                        t2g_value_type(v));
    }
}

t2g_status t2g_print(t2g_render *r, t2g_builder *b, const t2g_value *v)
{
    if (v->kind == VALUE_UNDEFINED)
        return T2G_OK;
    if (v->kind == VALUE_STRING) {
        T2G_TRY(t2g_spend(r, v->text.n / 64));
        return t2g_build(b, v->text);
    }
    return repr(r, b, v);
}

t2g_status t2g_print_text(t2g_render *r, const t2g_value *v, t2g_string *out)
{
    t2g_builder b = {.arena = &r->arena};
    *out = v->text;
    if (v->kind == VALUE_STRING)
        return T2G_OK;
    T2G_TRY(t2g_print(r, &b, v));
    *out = t2g_built(&b);
    return T2G_OK;
}

/* --- JSON ---------------------------------------------------------------- */

typedef struct json_printer {
    t2g_render *render;
    t2g_builder *b;
    const t2g_json_style *style;
    int64_t depth;
} json_printer;

static t2g_status json_value(json_printer *p, const t2g_value *v);

static t2g_status json_line(json_printer *p)
{
    if (!p->style->indented)
        return T2G_OK;
    T2G_TRY(build_ascii(p->b, "\n"));
    return t2g_build_repeated(p->b, p->style->indent, p->depth);
}

/* In front of item i. */
static t2g_status json_separate(json_printer *p, size_t i)
{
    if (i)
        T2G_TRY(t2g_build(p->b, p->style->item_separator));
    return json_line(p);
}

static t2g_status json_key(json_printer *p, const t2g_value *key)
{
    t2g_string text = key->text;
    t2g_builder b = {.arena = &p->render->arena};
    if (key->kind < VALUE_NONE || key->kind > VALUE_STRING)
        return t2g_fail(T2G_ERR_FORMAT, "%s as a key of JSON",
                        t2g_value_type(key));
    if (key->kind != VALUE_STRING) {
        json_printer plain = {p->render, &b, p->style, 0};
        T2G_TRY(json_value(&plain, key));
        text = t2g_built(&b);
    }
    T2G_TRY(print_json_string(p->b, text, p->style->ensure_ascii));
    return t2g_build(p->b, p->style->key_separator);
}

/* The members as pairs, by rising key. */
static t2g_status sorted_members(t2g_render *r, const t2g_dict *d,
                                 t2g_dict *out)
{
    t2g_list keys = {.item = d->key, .count = d->count};
    t2g_list values = {.item = d->value, .count = d->count};
    T2G_TRY(t2g_sort(r, &keys, d->key, false));
    T2G_TRY(t2g_sort(r, &values, d->key, false));
    *out = (t2g_dict){keys.item, values.item, d->count, d->count};
    return T2G_OK;
}

static t2g_status json_dict(json_printer *p, const t2g_dict *d)
{
    t2g_dict sorted = *d;
    if (!d->count)
        return build_ascii(p->b, "{}");
    if (p->style->sort_keys)
        T2G_TRY(sorted_members(p->render, d, &sorted));
    T2G_TRY(build_ascii(p->b, "{"));
    p->depth++;
    for (size_t i = 0; i < d->count; i++) {
        T2G_TRY(json_separate(p, i));
        T2G_TRY(json_key(p, &sorted.key[i]));
        T2G_TRY(json_value(p, &sorted.value[i]));
    }
    p->depth--;
    T2G_TRY(json_line(p));
    return build_ascii(p->b, "}");
}

static t2g_status json_list(json_printer *p, const t2g_list *list)
{
    if (list->is_range)
        return refuse_range();
    if (!list->count)
        return build_ascii(p->b, "[]");
    T2G_TRY(build_ascii(p->b, "["));
    p->depth++;
    for (size_t i = 0; i < list->count; i++) {
        T2G_TRY(json_separate(p, i));
        T2G_TRY(json_value(p, &list->item[i]));
    }
    p->depth--;
    T2G_TRY(json_line(p));
    return build_ascii(p->b, "]");
}

static t2g_status json_value(json_printer *p, const t2g_value *v)
{
    T2G_TRY(t2g_spend(p->render, 1));
    if (p->depth > T2G_CHAT_DEPTH)
        return too_deep();
    switch (v->kind) {
    case VALUE_NONE: return build_ascii(p->b, "null");
    case VALUE_BOOLEAN: return build_ascii(p->b, v->boolean ? "true" : "false");
    case VALUE_INTEGER: return print_integer(p->b, v->integer);
    case VALUE_REAL: return print_real(p->b, v->real, true);
    case VALUE_STRING:
        return print_json_string(p->b, v->text, p->style->ensure_ascii);
    case VALUE_LIST: case VALUE_TUPLE: return json_list(p, v->list);
    case VALUE_DICT: return json_dict(p, v->dict);
    default:
        return t2g_fail(T2G_ERR_FORMAT, "%s has no form in JSON",
                        t2g_value_type(v));
    }
}

t2g_status t2g_print_json(t2g_render *r, t2g_builder *b, const t2g_value *v,
                          const t2g_json_style *style)
{
    json_printer p = {r, b, style, 0};
    return json_value(&p, v);
}
