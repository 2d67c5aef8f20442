/* Filters and tests of Jinja, by name. */
#include "chat_private.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* --- arguments ----------------------------------------------------------- */

static t2g_status wrong_argument(const t2g_value *v, const char *what,
                                 const char *wanted)
{
    if (v->kind == VALUE_UNDEFINED)
        return t2g_undefined_error(v);
    return t2g_fail(T2G_ERR_FORMAT, "%s is %s, expected %s", what,
                    t2g_value_type(v), wanted);
}

t2g_status t2g_text_argument(const t2g_value *v, const char *what,
                             t2g_string absent, t2g_string *out)
{
    *out = v->kind == VALUE_STRING ? v->text : absent;
    if (v->kind == VALUE_STRING || v->kind == VALUE_ABSENT)
        return T2G_OK;
    return wrong_argument(v, what, "str");
}

t2g_status t2g_integer_argument(const t2g_value *v, const char *what,
                                int64_t absent, int64_t *out)
{
    *out = absent;
    if (v->kind == VALUE_ABSENT || v->kind == VALUE_NONE ||
        t2g_value_index(v, out))
        return T2G_OK;
    return wrong_argument(v, what, "int");
}

/* "a.b.0" of a value; the whole if `path` is absent. */
static t2g_status attribute_path(t2g_render *r, const t2g_value *v,
                                 const t2g_value *path, t2g_value *out)
{
    *out = *v;
    if (path->kind == VALUE_ABSENT || path->kind == VALUE_NONE)
        return T2G_OK;
    if (path->kind != VALUE_STRING)
        return t2g_subscript(r, v, path, out);
    for (size_t at = 0, end; at <= path->text.n; at = end + 1) {
        end = t2g_text_find(path->text, TEXT("."), at);
        end = end == T2G_NOWHERE ? path->text.n : end;
        t2g_string part = t2g_text_part(path->text, at, end);
        t2g_value key = t2g_value_text(part), whole = *out;
        if (part.n && part.n < 10 && strspn(part.s, "0123456789") >= part.n)
            key = t2g_value_integer(strtol(part.s, NULL, 10));
        T2G_TRY(t2g_subscript(r, &whole, &key, out));
    }
    return T2G_OK;
}

/* --- text ---------------------------------------------------------------- */

typedef t2g_status case_fn(t2g_builder *b, t2g_string a);

static t2g_status change_case(t2g_render *r, const t2g_value *self,
                              case_fn *change, t2g_value *out)
{
    t2g_string text;
    t2g_builder b = {.arena = &r->arena};
    T2G_TRY(t2g_print_text(r, self, &text));
    T2G_TRY(t2g_spend(r, text.n));
    T2G_TRY(change(&b, text));
    *out = t2g_value_text(t2g_built(&b));
    return T2G_OK;
}

static t2g_status upper_text(t2g_builder *b, t2g_string a)
{
    return t2g_text_case(b, a, T2G_UPPER);
}

static t2g_status lower_text(t2g_builder *b, t2g_string a)
{
    return t2g_text_case(b, a, T2G_LOWER);
}

static t2g_status filter_upper(t2g_render *r, const t2g_value *self,
                               const t2g_value *argument, t2g_value *out)
{
    (void)argument;
    return change_case(r, self, upper_text, out);
}

static t2g_status filter_lower(t2g_render *r, const t2g_value *self,
                               const t2g_value *argument, t2g_value *out)
{
    (void)argument;
    return change_case(r, self, lower_text, out);
}

static t2g_status filter_title(t2g_render *r, const t2g_value *self,
                               const t2g_value *argument, t2g_value *out)
{
    (void)argument;
    return change_case(r, self, t2g_text_title_words, out);
}

static t2g_status filter_capitalize(t2g_render *r, const t2g_value *self,
                                    const t2g_value *argument, t2g_value *out)
{
    (void)argument;
    return change_case(r, self, t2g_text_capitalize, out);
}

static t2g_status filter_trim(t2g_render *r, const t2g_value *self,
                              const t2g_value *argument, t2g_value *out)
{
    t2g_string text, set;
    bool has_set = argument[0].kind == VALUE_STRING;
    T2G_TRY(t2g_print_text(r, self, &text));
    if (argument[0].kind != VALUE_NONE)
        T2G_TRY(t2g_text_argument(&argument[0], "chars", TEXT(""), &set));
    *out = t2g_value_text(t2g_text_strip(text, has_set ? &set : NULL,
                                         T2G_STRIP_BOTH));
    return T2G_OK;
}

static t2g_status filter_string(t2g_render *r, const t2g_value *self,
                                const t2g_value *argument, t2g_value *out)
{
    t2g_string text;
    (void)argument;
    T2G_TRY(t2g_print_text(r, self, &text));
    *out = t2g_value_text(text);
    return T2G_OK;
}

/* Everything else in jinja turns into text first; so do its arguments. */
static t2g_status filter_replace(t2g_render *r, const t2g_value *self,
                                 const t2g_value *argument, t2g_value *out)
{
    const t2g_callable *replace;
    t2g_value text[3];
    t2g_value whole;
    T2G_TRY(filter_string(r, self, NULL, &whole));
    T2G_TRY(filter_string(r, &argument[0], NULL, &text[0]));
    T2G_TRY(filter_string(r, &argument[1], NULL, &text[1]));
    text[2] = argument[2];
    t2g_method_find(&whole, TEXT("replace"), &replace);
    return replace->run(r, &whole, text, out);
}

static t2g_status indentation(t2g_render *r, const t2g_value *width,
                              t2g_string *out)
{
    int64_t spaces;
    t2g_builder b = {.arena = &r->arena};
    *out = width->text;
    if (width->kind == VALUE_STRING)
        return T2G_OK;
    T2G_TRY(t2g_integer_argument(width, "the width", 4, &spaces));
    T2G_TRY(t2g_build_repeated(&b, TEXT(" "), spaces));
    *out = t2g_built(&b);
    return T2G_OK;
}

/* Jinja puts a line break behind the text and splits that into lines, so that
 * one at the end of the text stays. */
static t2g_status filter_indent(t2g_render *r, const t2g_value *self,
                                const t2g_value *argument, t2g_value *out)
{
    t2g_string text, by;
    t2g_builder whole = {.arena = &r->arena}, b = {.arena = &r->arena};
    bool first = t2g_value_true(&argument[1]);
    bool blank = t2g_value_true(&argument[2]);
    T2G_TRY(t2g_text_argument(self, "what is indented", TEXT(""), &text));
    T2G_TRY(indentation(r, &argument[0], &by));
    T2G_TRY(t2g_spend(r, text.n));
    T2G_TRY(t2g_build(&whole, text));
    T2G_TRY(t2g_build(&whole, TEXT("\n")));
    text = t2g_built(&whole);
    for (size_t at = 0, end, next; at < text.n; at = next) {
        end = t2g_text_line(text, at, &next);
        T2G_TRY(t2g_build(&b, at ? TEXT("\n") : TEXT("")));
        if (at == 0 ? first : blank || end > at)
            T2G_TRY(t2g_build(&b, by));
        T2G_TRY(t2g_build(&b, t2g_text_part(text, at, end)));
    }
    *out = t2g_value_text(t2g_built(&b));
    return T2G_OK;
}

/* --- numbers ------------------------------------------------------------- */

/* Text as int() and float() take it: white space around, "_" is not ours. */
static bool parse_number(t2g_string text, double *real, int64_t *integer,
                         bool *is_integer)
{
    char digits[64], *end;
    text = t2g_text_strip(text, NULL, T2G_STRIP_BOTH);
    if (!text.n || text.n >= sizeof digits)
        return false;
    memcpy(digits, text.s, text.n);
    digits[text.n] = '\0';
    *is_integer = strspn(digits + strspn(digits, "+-"), "0123456789") +
                  strspn(digits, "+-") == text.n && text.n < 19;
    *integer = strtoll(digits, &end, 10);
    if (*is_integer && *end == '\0' && end != digits)
        return true;
    *is_integer = false;
    *real = strtod(digits, &end);
    return *end == '\0' && end != digits && !strpbrk(digits, "xX(");
}

static t2g_status integer_of_real(double x, const t2g_value *absent,
                                  t2g_value *out)
{
    *out = absent->kind == VALUE_ABSENT ? t2g_value_integer(0) : *absent;
    if (isfinite(x) && fabs(x) >= 9e18)
        return t2g_fail(T2G_ERR_UNSUPPORTED, "an integer beyond 64 bits");
    if (isfinite(x))
        *out = t2g_value_integer((int64_t)x);
    return T2G_OK;
}

static t2g_status filter_int(t2g_render *r, const t2g_value *self,
                             const t2g_value *argument, t2g_value *out)
{
    double real = NAN;
    int64_t integer;
    bool is_integer = false;
    (void)r;
    if (argument[1].kind != VALUE_ABSENT)
        return t2g_fail(T2G_ERR_UNSUPPORTED, "int with a base is not "
                        "supported");
    if (self->kind == VALUE_UNDEFINED)
        return t2g_undefined_error(self);
    if (self->kind == VALUE_STRING)
        real = parse_number(self->text, &real, &integer, &is_integer) ? real
                                                                      : NAN;
    else if (t2g_value_index(self, &integer))
        is_integer = true;
    else
        t2g_value_number(self, &real);
    if (!is_integer)
        return integer_of_real(real, &argument[0], out);
    *out = t2g_value_integer(integer);
    return T2G_OK;
}

static t2g_status filter_float(t2g_render *r, const t2g_value *self,
                               const t2g_value *argument, t2g_value *out)
{
    double real = 0;
    int64_t integer;
    bool is_integer = false, found;
    (void)r;
    if (self->kind == VALUE_UNDEFINED)
        return t2g_undefined_error(self);
    found = self->kind == VALUE_STRING
                ? parse_number(self->text, &real, &integer, &is_integer)
                : t2g_value_number(self, &real);
    *out = (t2g_value){.kind = VALUE_REAL};
    if (found)
        out->real = is_integer ? (double)integer : real;
    else if (argument[0].kind != VALUE_ABSENT)
        *out = argument[0];
    return T2G_OK;
}

static t2g_status filter_abs(t2g_render *r, const t2g_value *self,
                             const t2g_value *argument, t2g_value *out)
{
    int64_t integer;
    (void)r, (void)argument;
    *out = *self;
    if (t2g_value_index(self, &integer))
        *out = t2g_value_integer(integer < 0 && integer > INT64_MIN ? -integer
                                                                    : integer);
    else if (self->kind == VALUE_REAL)
        out->real = fabs(self->real);
    else
        return wrong_argument(self, "what abs is of", "a number");
    return T2G_OK;
}

/* --- any value ----------------------------------------------------------- */

static t2g_status filter_default(t2g_render *r, const t2g_value *self,
                                 const t2g_value *argument, t2g_value *out)
{
    (void)r;
    bool replace = self->kind == VALUE_UNDEFINED ||
                   (t2g_value_true(&argument[1]) && !t2g_value_true(self));
    *out = !replace ? *self
           : argument[0].kind == VALUE_ABSENT ? t2g_value_text(TEXT(""))
                                              : argument[0];
    return T2G_OK;
}

static t2g_status filter_length(t2g_render *r, const t2g_value *self,
                                const t2g_value *argument, t2g_value *out)
{
    size_t n;
    (void)r, (void)argument;
    T2G_TRY(t2g_value_length(self, &n));
    *out = t2g_value_integer((int64_t)n);
    return T2G_OK;
}

static t2g_status json_separators(t2g_render *r, const t2g_value *v,
                                  t2g_json_style *style)
{
    const t2g_list *items;
    style->item_separator = style->indented ? TEXT(",") : TEXT(", ");
    style->key_separator = TEXT(": ");
    if (v->kind == VALUE_ABSENT || v->kind == VALUE_NONE)
        return T2G_OK;
    T2G_TRY(t2g_walk(r, v, &items));
    if (items->count != 2 || items->item[0].kind != VALUE_STRING ||
        items->item[1].kind != VALUE_STRING)
        return wrong_argument(v, "separators", "two strings");
    style->item_separator = items->item[0].text;
    style->key_separator = items->item[1].text;
    return T2G_OK;
}

static t2g_status filter_tojson(t2g_render *r, const t2g_value *self,
                                const t2g_value *argument, t2g_value *out)
{
    t2g_json_style style = {.ensure_ascii = t2g_value_true(&argument[0]),
                            .sort_keys = t2g_value_true(&argument[3])};
    t2g_builder b = {.arena = &r->arena};
    style.indented = argument[1].kind != VALUE_ABSENT &&
                     argument[1].kind != VALUE_NONE;
    if (style.indented)
        T2G_TRY(indentation(r, &argument[1], &style.indent));
    T2G_TRY(json_separators(r, &argument[2], &style));
    T2G_TRY(t2g_print_json(r, &b, self, &style));
    T2G_TRY(t2g_spend(r, b.n));
    *out = t2g_value_text(t2g_built(&b));
    return T2G_OK;
}

static t2g_status filter_safe(t2g_render *r, const t2g_value *self,
                              const t2g_value *argument, t2g_value *out)
{
    T2G_TRY(filter_string(r, self, argument, out));
    out->is_safe = true;
    return T2G_OK;
}

/* --- lists and dicts ----------------------------------------------------- */

static t2g_status copied_list(t2g_render *r, const t2g_value *v,
                              t2g_value *out)
{
    const t2g_list *items;
    T2G_TRY(t2g_walk(r, v, &items));
    T2G_TRY(t2g_list_new(r, VALUE_LIST, out));
    for (size_t i = 0; i < items->count; i++)
        T2G_TRY(t2g_list_add(r, out->list, &items->item[i]));
    return T2G_OK;
}

static t2g_status filter_list(t2g_render *r, const t2g_value *self,
                              const t2g_value *argument, t2g_value *out)
{
    (void)argument;
    return copied_list(r, self, out);
}

static t2g_status end_item(t2g_render *r, const t2g_value *self, bool last,
                           t2g_value *out)
{
    const t2g_list *items;
    T2G_TRY(t2g_walk(r, self, &items));
    *out = (t2g_value){.kind = VALUE_UNDEFINED, .text = TEXT("first item")};
    if (items->count)
        *out = items->item[last ? items->count - 1 : 0];
    return T2G_OK;
}

static t2g_status filter_first(t2g_render *r, const t2g_value *self,
                               const t2g_value *argument, t2g_value *out)
{
    (void)argument;
    return end_item(r, self, false, out);
}

static t2g_status filter_last(t2g_render *r, const t2g_value *self,
                              const t2g_value *argument, t2g_value *out)
{
    (void)argument;
    return end_item(r, self, true, out);
}

static t2g_status filter_join(t2g_render *r, const t2g_value *self,
                              const t2g_value *argument, t2g_value *out)
{
    const t2g_list *items;
    t2g_string between = TEXT("");
    t2g_builder b = {.arena = &r->arena};
    if (argument[0].kind != VALUE_ABSENT)
        T2G_TRY(t2g_print_text(r, &argument[0], &between));
    T2G_TRY(t2g_walk(r, self, &items));
    for (size_t i = 0; i < items->count; i++) {
        t2g_value item;
        if (i)
            T2G_TRY(t2g_build(&b, between));
        T2G_TRY(attribute_path(r, &items->item[i], &argument[1], &item));
        T2G_TRY(t2g_print(r, &b, &item));
    }
    *out = t2g_value_text(t2g_built(&b));
    return T2G_OK;
}

static t2g_status filter_items(t2g_render *r, const t2g_value *self,
                               const t2g_value *argument, t2g_value *out)
{
    const t2g_callable *items;
    if (self->kind == VALUE_UNDEFINED)
        return t2g_list_new(r, VALUE_VIEW, out);
    if (self->kind != VALUE_DICT)
        return wrong_argument(self, "what items are of", "dict");
    t2g_method_find(self, TEXT("items"), &items);
    return items->run(r, self, argument, out);
}

/* What a sort compares: lower case unless case_sensitive. */
static t2g_status sort_key(t2g_render *r, const t2g_value *v,
                           const t2g_value *case_sensitive, t2g_value *out)
{
    *out = *v;
    if (v->kind != VALUE_STRING || t2g_value_true(case_sensitive))
        return T2G_OK;
    return filter_lower(r, v, NULL, out);
}

static t2g_status sort_keys(t2g_render *r, const t2g_list *items,
                            const t2g_value *path,
                            const t2g_value *case_sensitive, t2g_value **out)
{
    *out = t2g_arena_take(&r->arena, items->count, sizeof **out);
    if (!*out)
        return T2G_ERR_MEMORY;
    for (size_t i = 0; i < items->count; i++) {
        t2g_value part;
        T2G_TRY(attribute_path(r, &items->item[i], path, &part));
        T2G_TRY(sort_key(r, &part, case_sensitive, &(*out)[i]));
    }
    return T2G_OK;
}

static t2g_status sorted(t2g_render *r, const t2g_value *v,
                         const t2g_value *path,
                         const t2g_value *case_sensitive, bool reverse,
                         t2g_value *out)
{
    t2g_value *keys;
    T2G_TRY(copied_list(r, v, out));
    T2G_TRY(sort_keys(r, out->list, path, case_sensitive, &keys));
    return t2g_sort(r, out->list, keys, reverse);
}

static t2g_status filter_sort(t2g_render *r, const t2g_value *self,
                              const t2g_value *argument, t2g_value *out)
{
    return sorted(r, self, &argument[2], &argument[1],
                  t2g_value_true(&argument[0]), out);
}

static t2g_status filter_dictsort(t2g_render *r, const t2g_value *self,
                                  const t2g_value *argument, t2g_value *out)
{
    t2g_string by;
    t2g_value pairs;
    T2G_TRY(t2g_text_argument(&argument[1], "by", TEXT("key"), &by));
    if (self->kind != VALUE_DICT)
        return wrong_argument(self, "what is sorted", "dict");
    if (!t2g_text_is(by, "key") && !t2g_text_is(by, "value"))
        return t2g_fail(T2G_ERR_FORMAT, "dictsort is by \"key\" or \"value\"");
    t2g_value path = t2g_value_integer(t2g_text_is(by, "value"));
    T2G_TRY(filter_items(r, self, argument, &pairs));
    return sorted(r, &pairs, &path, &argument[0], t2g_value_true(&argument[2]),
                  out);
}

static t2g_status least(t2g_render *r, const t2g_value *v,
                        const t2g_value *argument, int sign, t2g_value *out)
{
    t2g_value *keys;
    const t2g_list *items;
    T2G_TRY(t2g_walk(r, v, &items));
    T2G_TRY(sort_keys(r, items, &argument[1], &argument[0], &keys));
    *out = (t2g_value){.kind = VALUE_UNDEFINED, .text = TEXT("least item")};
    if (items->count)
        *out = items->item[0];
    for (size_t i = 1, best = 0; i < items->count; i++) {
        int order;
        T2G_TRY(t2g_value_compare(r, &keys[i], &keys[best], &order));
        best = sign * order < 0 ? i : best;
        *out = items->item[best];
    }
    return T2G_OK;
}

static t2g_status filter_min(t2g_render *r, const t2g_value *self,
                             const t2g_value *argument, t2g_value *out)
{
    return least(r, self, argument, 1, out);
}

static t2g_status filter_max(t2g_render *r, const t2g_value *self,
                             const t2g_value *argument, t2g_value *out)
{
    return least(r, self, argument, -1, out);
}

static t2g_status filter_unique(t2g_render *r, const t2g_value *self,
                                const t2g_value *argument, t2g_value *out)
{
    t2g_value *keys, seen;
    const t2g_list *items;
    T2G_TRY(t2g_walk(r, self, &items));
    T2G_TRY(sort_keys(r, items, &argument[1], &argument[0], &keys));
    T2G_TRY(t2g_list_new(r, VALUE_LIST, &seen));
    T2G_TRY(t2g_list_new(r, VALUE_GENERATOR, out));
    for (size_t i = 0; i < items->count; i++) {
        bool known;
        T2G_TRY(t2g_value_contains(r, &seen, &keys[i], &known));
        if (known)
            continue;
        T2G_TRY(t2g_list_add(r, seen.list, &keys[i]));
        T2G_TRY(t2g_list_add(r, out->list, &items->item[i]));
    }
    return T2G_OK;
}

static t2g_status filter_reverse(t2g_render *r, const t2g_value *self,
                                 const t2g_value *argument, t2g_value *out)
{
    const t2g_list *items;
    t2g_builder b = {.arena = &r->arena};
    (void)argument;
    T2G_TRY(t2g_walk(r, self, &items));
    T2G_TRY(t2g_list_new(r, VALUE_GENERATOR, out));
    for (size_t i = items->count; i-- > 0;)
        T2G_TRY(self->kind == VALUE_STRING
                    ? t2g_build(&b, items->item[i].text)
                    : t2g_list_add(r, out->list, &items->item[i]));
    if (self->kind == VALUE_STRING)
        *out = t2g_value_text(t2g_built(&b));
    return T2G_OK;
}

/* --- map, select, reject ------------------------------------------------- */

static t2g_status wants(const char *filter, const char *what)
{
    return t2g_fail(T2G_ERR_FORMAT, "%s wants %s", filter, what);
}

/* map(attribute=path, default=value) */
static t2g_status map_attribute(t2g_render *r, const t2g_list *items,
                                const t2g_arguments *a, t2g_list *out)
{
    const t2g_value *path = NULL, *absent = NULL;
    for (size_t i = 0; i < a->named; i++)
        if (t2g_text_is(a->name[i], "attribute"))
            path = &a->value[i];
        else if (t2g_text_is(a->name[i], "default"))
            absent = &a->value[i];
    if (!path || (size_t)1 + (absent != NULL) != a->named)
        return wants("map", "a filter or attribute=");
    for (size_t i = 0; i < items->count; i++) {
        t2g_value part;
        T2G_TRY(attribute_path(r, &items->item[i], path, &part));
        if (absent && part.kind == VALUE_UNDEFINED)
            part = *absent;
        T2G_TRY(t2g_list_add(r, out, &part));
    }
    return T2G_OK;
}

/* Nothing that is false has items. */
static t2g_status walk_if_true(t2g_render *r, const t2g_value *v,
                               const t2g_list **items)
{
    static const t2g_list none = {0};
    *items = &none;
    return t2g_value_true(v) ? t2g_walk(r, v, items) : T2G_OK;
}

static t2g_arguments arguments_behind(const t2g_arguments *a, size_t skipped)
{
    return (t2g_arguments){a->value + skipped, a->count - skipped, a->name,
                           a->named};
}

static t2g_status filter_map(t2g_render *r, const t2g_value *self,
                             const t2g_arguments *a, t2g_value *out)
{
    const t2g_list *items;
    T2G_TRY(walk_if_true(r, self, &items));
    T2G_TRY(t2g_list_new(r, VALUE_GENERATOR, out));
    if (!a->count)
        return map_attribute(r, items, a, out->list);
    t2g_arguments rest = arguments_behind(a, 1);
    const t2g_callable *filter = a->value[0].kind == VALUE_STRING
                                     ? t2g_filter_find(a->value[0].text) : NULL;
    if (!filter)
        return wants("map", "the name of a filter that is supported");
    for (size_t i = 0; i < items->count; i++) {
        t2g_value item;
        T2G_TRY(t2g_call(r, filter, &items->item[i], &rest, &item));
        T2G_TRY(t2g_list_add(r, out->list, &item));
    }
    return T2G_OK;
}

static t2g_status passes(t2g_render *r, const t2g_value *v,
                         const t2g_arguments *a, bool *is)
{
    *is = t2g_value_true(v);
    if (!a->count)
        return T2G_OK;
    const t2g_test *test = a->value[0].kind == VALUE_STRING
                               ? t2g_test_find(a->value[0].text) : NULL;
    if (!test || a->named || test->arguments != a->count - 1)
        return wants("the filter", "the name of a test that is supported and "
                     "its arguments");
    return test->run(r, v, a->value + 1, is);
}

/* The items, or those of whose attribute, the first argument, it holds. */
static t2g_status picked(t2g_render *r, const t2g_value *self,
                         const t2g_arguments *a, bool by_attribute, bool wanted,
                         t2g_value *out)
{
    const t2g_list *items;
    static const t2g_value whole = {.kind = VALUE_ABSENT};
    if (by_attribute && !a->count)
        return wants("the filter", "an attribute");
    t2g_arguments test = arguments_behind(a, by_attribute);
    T2G_TRY(walk_if_true(r, self, &items));
    T2G_TRY(t2g_list_new(r, VALUE_GENERATOR, out));
    for (size_t i = 0; i < items->count; i++) {
        bool is;
        t2g_value part;
        T2G_TRY(attribute_path(r, &items->item[i],
                               by_attribute ? &a->value[0] : &whole, &part));
        T2G_TRY(passes(r, &part, &test, &is));
        if (is == wanted)
            T2G_TRY(t2g_list_add(r, out->list, &items->item[i]));
    }
    return T2G_OK;
}

static t2g_status filter_select(t2g_render *r, const t2g_value *self,
                                const t2g_arguments *a, t2g_value *out)
{
    return picked(r, self, a, false, true, out);
}

static t2g_status filter_reject(t2g_render *r, const t2g_value *self,
                                const t2g_arguments *a, t2g_value *out)
{
    return picked(r, self, a, false, false, out);
}

static t2g_status filter_selectattr(t2g_render *r, const t2g_value *self,
                                    const t2g_arguments *a, t2g_value *out)
{
    return picked(r, self, a, true, true, out);
}

static t2g_status filter_rejectattr(t2g_render *r, const t2g_value *self,
                                    const t2g_arguments *a, t2g_value *out)
{
    return picked(r, self, a, true, false, out);
}

static const t2g_callable filters[] = {
    {"abs", filter_abs, NULL, 0, {0}},
    {"capitalize", filter_capitalize, NULL, 0, {0}},
    {"count", filter_length, NULL, 0, {0}},
    {"d", filter_default, NULL, 0, {"default_value", "boolean"}},
    {"default", filter_default, NULL, 0, {"default_value", "boolean"}},
    {"dictsort", filter_dictsort, NULL, 0, {"case_sensitive", "by", "reverse"}},
    {"first", filter_first, NULL, 0, {0}},
    {"float", filter_float, NULL, 0, {"default"}},
    {"indent", filter_indent, NULL, 0, {"width", "first", "blank"}},
    {"int", filter_int, NULL, 0, {"default", "base"}},
    {"items", filter_items, NULL, 0, {0}},
    {"join", filter_join, NULL, 0, {"d", "attribute"}},
    {"last", filter_last, NULL, 0, {0}},
    {"length", filter_length, NULL, 0, {0}},
    {"list", filter_list, NULL, 0, {0}},
    {"lower", filter_lower, NULL, 0, {0}},
    {"map", NULL, filter_map, 0, {0}},
    {"max", filter_max, NULL, 0, {"case_sensitive", "attribute"}},
    {"min", filter_min, NULL, 0, {"case_sensitive", "attribute"}},
    {"reject", NULL, filter_reject, 0, {0}},
    {"rejectattr", NULL, filter_rejectattr, 0, {0}},
    {"replace", filter_replace, NULL, 2, {"old", "new", "count"}},
    {"reverse", filter_reverse, NULL, 0, {0}},
    {"safe", filter_safe, NULL, 0, {0}},
    {"select", NULL, filter_select, 0, {0}},
    {"selectattr", NULL, filter_selectattr, 0, {0}},
    {"sort", filter_sort, NULL, 0, {"reverse", "case_sensitive", "attribute"}},
    {"string", filter_string, NULL, 0, {0}},
    {"title", filter_title, NULL, 0, {0}},
    {"tojson", filter_tojson, NULL, 0,
     {"ensure_ascii", "indent", "separators", "sort_keys"}},
    {"trim", filter_trim, NULL, 0, {"chars"}},
    {"unique", filter_unique, NULL, 0, {"case_sensitive", "attribute"}},
    {"upper", filter_upper, NULL, 0, {0}}};

const t2g_callable *t2g_filter_find(t2g_string name)
{
    for (size_t i = 0; i < sizeof filters / sizeof *filters; i++)
        if (t2g_text_is(name, filters[i].name))
            return &filters[i];
    return NULL;
}
