/* Values of Python, as far as templates see them: truth, equality, order,
 * lists and dicts. */
#include "chat_private.h"

#include <math.h>
#include <string.h>

#include "unicode.h"

t2g_value t2g_value_boolean(bool b)
{
    return (t2g_value){.kind = VALUE_BOOLEAN, .boolean = b};
}

t2g_value t2g_value_integer(int64_t i)
{
    return (t2g_value){.kind = VALUE_INTEGER, .integer = i};
}

t2g_value t2g_value_text(t2g_string text)
{
    return (t2g_value){.kind = VALUE_STRING, .text = text};
}

const char *t2g_value_type(const t2g_value *v)
{
    static const char *const names[] = {
        [VALUE_ABSENT] = "nothing", [VALUE_UNDEFINED] = "Undefined",
        [VALUE_NONE] = "None", [VALUE_BOOLEAN] = "bool",
        [VALUE_INTEGER] = "int", [VALUE_REAL] = "float",
        [VALUE_STRING] = "str", [VALUE_LIST] = "list", [VALUE_TUPLE] = "tuple",
        [VALUE_VIEW] = "dict view", [VALUE_GENERATOR] = "generator",
        [VALUE_DICT] = "dict", [VALUE_NAMESPACE] = "namespace",
        [VALUE_LOOP] = "loop", [VALUE_MACRO] = "macro",
        [VALUE_FUNCTION] = "function", [VALUE_METHOD] = "method"};
    return names[v->kind];
}

t2g_status t2g_undefined_error(const t2g_value *v)
{
    int n = v->text.n > 100 ? 100 : (int)v->text.n;
    return v->is_attribute
               ? t2g_fail(T2G_ERR_FORMAT, "the value has no attribute '%.*s'",
                          n, v->text.s)
               : t2g_fail(T2G_ERR_FORMAT, "'%.*s' is undefined", n, v->text.s);
}

static t2g_status type_error(const t2g_value *v, const char *what)
{
    if (v->kind == VALUE_UNDEFINED)
        return t2g_undefined_error(v);
    return t2g_fail(T2G_ERR_FORMAT, "%s %s", t2g_value_type(v), what);
}

/* --- numbers ------------------------------------------------------------- */

bool t2g_value_index(const t2g_value *v, int64_t *index)
{
    if (v->kind != VALUE_INTEGER && v->kind != VALUE_BOOLEAN)
        return false;
    *index = v->kind == VALUE_BOOLEAN ? v->boolean : v->integer;
    return true;
}

bool t2g_value_number(const t2g_value *v, double *number)
{
    int64_t integer;
    if (t2g_value_index(v, &integer))
        *number = (double)integer;
    else if (v->kind == VALUE_REAL)
        *number = v->real;
    else
        return false;
    return true;
}

/* Exact for two integers. False: one is no number, or NaN. */
static bool compare_numbers(const t2g_value *a, const t2g_value *b, int *order)
{
    int64_t i, j;
    double x, y;
    if (t2g_value_index(a, &i) && t2g_value_index(b, &j)) {
        *order = (i > j) - (i < j);
        return true;
    }
    if (!t2g_value_number(a, &x) || !t2g_value_number(b, &y))
        return false;
    *order = (x > y) - (x < y);
    return !isnan(x) && !isnan(y);
}

/* --- truth, length ------------------------------------------------------- */

static bool is_list(const t2g_value *v)
{
    return v->kind == VALUE_LIST || v->kind == VALUE_TUPLE ||
           v->kind == VALUE_VIEW || v->kind == VALUE_GENERATOR;
}

bool t2g_value_true(const t2g_value *v)
{
    switch (v->kind) {
    case VALUE_ABSENT: case VALUE_UNDEFINED: case VALUE_NONE: return false;
    case VALUE_BOOLEAN: return v->boolean;
    case VALUE_INTEGER: return v->integer != 0;
    case VALUE_REAL: return v->real != 0;
    case VALUE_STRING: return v->text.n > 0;
    case VALUE_LIST: case VALUE_TUPLE: case VALUE_VIEW:
        return v->list->count > 0;
    case VALUE_DICT: return v->dict->count > 0;
    default: return true;
    }
}

t2g_status t2g_value_length(const t2g_value *v, size_t *length)
{
    if (v->kind == VALUE_UNDEFINED)
        *length = 0;
    else if (v->kind == VALUE_STRING)
        *length = t2g_text_characters(v->text);
    else if (v->kind == VALUE_DICT)
        *length = v->dict->count;
    else if (v->kind == VALUE_LOOP)
        *length = v->loop->items->count;
    else if (is_list(v) && v->kind != VALUE_GENERATOR)
        *length = v->list->count;
    else
        return type_error(v, "has no length");
    return T2G_OK;
}

/* --- equality and order -------------------------------------------------- */

static t2g_status deeper(t2g_render *r)
{
    if (++r->depth > T2G_CHAT_DEPTH)
        return t2g_fail(T2G_ERR_UNSUPPORTED, "nesting deeper than %d",
                        T2G_CHAT_DEPTH);
    return T2G_OK;
}

static t2g_status lists_equal(t2g_render *r, const t2g_list *a,
                              const t2g_list *b, bool *equal)
{
    *equal = a->count == b->count;
    for (size_t i = 0; *equal && i < a->count; i++)
        T2G_TRY(t2g_value_equal(r, &a->item[i], &b->item[i], equal));
    return T2G_OK;
}

static t2g_status dicts_equal(t2g_render *r, const t2g_dict *a,
                              const t2g_dict *b, bool *equal)
{
    *equal = a->count == b->count;
    for (size_t i = 0; *equal && i < a->count; i++) {
        t2g_value *other;
        T2G_TRY(t2g_dict_find(r, b, &a->key[i], &other));
        *equal = other != NULL;
        if (other)
            T2G_TRY(t2g_value_equal(r, &a->value[i], other, equal));
    }
    return T2G_OK;
}

static bool same_object(const t2g_value *a, const t2g_value *b)
{
    switch (a->kind) {
    case VALUE_UNDEFINED: case VALUE_NONE: return true;
    case VALUE_VIEW: case VALUE_GENERATOR: return a->list == b->list;
    case VALUE_NAMESPACE: return a->dict == b->dict;
    case VALUE_LOOP: return a->loop == b->loop;
    case VALUE_MACRO: return a->macro.node == b->macro.node;
    case VALUE_FUNCTION: return a->function == b->function;
    default: return false;
    }
}

t2g_status t2g_value_equal(t2g_render *r, const t2g_value *a,
                           const t2g_value *b, bool *equal)
{
    int order;
    T2G_TRY(t2g_spend(r, 1));
    *equal = false;
    if (compare_numbers(a, b, &order))
        *equal = order == 0;
    if (a->kind != b->kind)
        return T2G_OK;
    T2G_TRY(deeper(r));
    t2g_status s = T2G_OK;
    if (a->kind == VALUE_STRING)
        *equal = t2g_text_same(a->text, b->text);
    else if (a->kind == VALUE_LIST || a->kind == VALUE_TUPLE)
        s = lists_equal(r, a->list, b->list, equal);
    else if (a->kind == VALUE_DICT)
        s = dicts_equal(r, a->dict, b->dict, equal);
    else
        *equal |= same_object(a, b);
    r->depth--;
    return s;
}

static t2g_status compare_lists(t2g_render *r, const t2g_list *a,
                                const t2g_list *b, int *order)
{
    for (size_t i = 0; i < a->count && i < b->count; i++) {
        bool equal;
        T2G_TRY(t2g_value_equal(r, &a->item[i], &b->item[i], &equal));
        if (!equal)
            return t2g_value_compare(r, &a->item[i], &b->item[i], order);
    }
    *order = (a->count > b->count) - (a->count < b->count);
    return T2G_OK;
}

t2g_status t2g_value_compare(t2g_render *r, const t2g_value *a,
                             const t2g_value *b, int *order)
{
    T2G_TRY(t2g_spend(r, 1));
    if (a->kind == VALUE_UNDEFINED || b->kind == VALUE_UNDEFINED)
        return t2g_undefined_error(a->kind == VALUE_UNDEFINED ? a : b);
    if (compare_numbers(a, b, order))
        return T2G_OK;
    if (a->kind == VALUE_STRING && b->kind == VALUE_STRING) {
        *order = t2g_text_compare(a->text, b->text);
        return T2G_OK;
    }
    if (a->kind != b->kind || (a->kind != VALUE_LIST && a->kind != VALUE_TUPLE))
        return t2g_fail(T2G_ERR_FORMAT, "%s and %s have no order",
                        t2g_value_type(a), t2g_value_type(b));
    T2G_TRY(deeper(r));
    t2g_status s = compare_lists(r, a->list, b->list, order);
    r->depth--;
    return s;
}

t2g_status t2g_value_contains(t2g_render *r, const t2g_value *whole,
                              const t2g_value *part, bool *found)
{
    *found = false;
    if (whole->kind == VALUE_STRING) {
        if (part->kind != VALUE_STRING)
            return type_error(part, "cannot be in a str");
        T2G_TRY(t2g_spend(r, whole->text.n / 16));
        *found = t2g_text_find(whole->text, part->text, 0) != T2G_NOWHERE;
        return T2G_OK;
    }
    const t2g_list *items;
    if (whole->kind == VALUE_DICT) {
        t2g_value *member;
        T2G_TRY(t2g_dict_find(r, whole->dict, part, &member));
        *found = member != NULL;
        return T2G_OK;
    }
    T2G_TRY(t2g_walk(r, whole, &items));
    for (size_t i = 0; !*found && i < items->count; i++)
        T2G_TRY(t2g_value_equal(r, &items->item[i], part, found));
    return T2G_OK;
}

/* --- lists --------------------------------------------------------------- */

t2g_status t2g_list_new(t2g_render *r, t2g_value_kind kind, t2g_value *out)
{
    *out = (t2g_value){.kind = kind};
    out->list = t2g_arena_take(&r->arena, 1, sizeof *out->list);
    return out->list ? T2G_OK : T2G_ERR_MEMORY;
}

t2g_status t2g_list_add(t2g_render *r, t2g_list *list, const t2g_value *item)
{
    T2G_TRY(t2g_spend(r, 1));
    if (list->count == list->capacity) {
        t2g_value *more = t2g_arena_double(&r->arena, list->item, list->count,
                                           sizeof *more);
        if (!more)
            return T2G_ERR_MEMORY;
        list->item = more;
        list->capacity = list->count ? 2 * list->count : 8;
    }
    list->item[list->count++] = *item;
    return T2G_OK;
}

static t2g_status characters(t2g_render *r, t2g_string text, t2g_list *items)
{
    for (size_t i = 0, n; i < text.n; i += n) {
        n = utf8_length((unsigned char)text.s[i]);
        t2g_value one = t2g_value_text(t2g_text_part(text, i, i + n));
        T2G_TRY(t2g_list_add(r, items, &one));
    }
    return T2G_OK;
}

t2g_status t2g_walk(t2g_render *r, const t2g_value *v, const t2g_list **items)
{
    t2g_value made;
    if (v->kind == VALUE_GENERATOR && v->list->walked)
        return t2g_fail(T2G_ERR_UNSUPPORTED, "what a filter gives is walked "
                        "twice: it wants |list");
    if (is_list(v)) {
        v->list->walked = true;
        *items = v->list;
        return T2G_OK;
    }
    T2G_TRY(t2g_list_new(r, VALUE_LIST, &made));
    *items = made.list;
    if (v->kind == VALUE_STRING)
        return characters(r, v->text, made.list);
    if (v->kind == VALUE_UNDEFINED)
        return T2G_OK;
    if (v->kind != VALUE_DICT)
        return type_error(v, "cannot be walked");
    for (size_t i = 0; i < v->dict->count; i++)
        T2G_TRY(t2g_list_add(r, made.list, &v->dict->key[i]));
    return T2G_OK;
}

/* Merges the sorted halves of index[0..n), n > 1, by way of spare. */
static t2g_status merge_halves(t2g_render *r, const t2g_value *keys,
                               size_t *index, size_t *spare, size_t n,
                               int sign)
{
    size_t half = n / 2, i = 0, j = half;
    memcpy(spare, index, n * sizeof *index);
    for (size_t k = 0; k < n; k++) {
        int order = 0;
        if (i < half && j < n)
            T2G_TRY(t2g_value_compare(r, &keys[spare[j]], &keys[spare[i]],
                                      &order));
        bool take_right = i == half || (j < n && sign * order < 0);
        index[k] = take_right ? spare[j++] : spare[i++];
    }
    return T2G_OK;
}

static t2g_status sort_indices(t2g_render *r, const t2g_value *keys,
                               size_t *index, size_t *spare, size_t n,
                               int sign)
{
    if (n < 2)
        return T2G_OK;
    T2G_TRY(sort_indices(r, keys, index, spare, n / 2, sign));
    T2G_TRY(sort_indices(r, keys, index + n / 2, spare, n - n / 2, sign));
    return merge_halves(r, keys, index, spare, n, sign);
}

/* Stable, also in reverse, as Python's sorted. */
t2g_status t2g_sort(t2g_render *r, t2g_list *items, const t2g_value *keys,
                    bool reverse)
{
    size_t n = items->count;
    size_t *index = t2g_arena_take(&r->arena, 2 * n, sizeof *index);
    t2g_value *sorted = t2g_arena_take(&r->arena, n, sizeof *sorted);
    if (!index || !sorted)
        return T2G_ERR_MEMORY;
    for (size_t i = 0; i < n; i++)
        index[i] = i;
    T2G_TRY(sort_indices(r, keys, index, index + n, n, reverse ? -1 : 1));
    for (size_t i = 0; i < n; i++)
        sorted[i] = items->item[index[i]];
    items->item = sorted;
    items->capacity = n;
    return T2G_OK;
}

/* --- dicts --------------------------------------------------------------- */

t2g_status t2g_dict_new(t2g_render *r, t2g_value_kind kind, t2g_value *out)
{
    *out = (t2g_value){.kind = kind};
    out->dict = t2g_arena_take(&r->arena, 1, sizeof *out->dict);
    return out->dict ? T2G_OK : T2G_ERR_MEMORY;
}

/* Dicts of templates are small. */
t2g_status t2g_dict_find(t2g_render *r, const t2g_dict *d, const t2g_value *key,
                         t2g_value **found)
{
    *found = NULL;
    if (key->kind >= VALUE_LIST && key->kind <= VALUE_DICT)
        return type_error(key, "cannot be a key");
    for (size_t i = 0; i < d->count; i++) {
        bool equal;
        T2G_TRY(t2g_value_equal(r, &d->key[i], key, &equal));
        if (equal) {
            *found = &d->value[i];
            break;
        }
    }
    return T2G_OK;
}

static t2g_status grow_dict(t2g_render *r, t2g_dict *d)
{
    t2g_value *key, *value;
    key = t2g_arena_double(&r->arena, d->key, d->count, sizeof *key);
    value = t2g_arena_double(&r->arena, d->value, d->count, sizeof *value);
    if (!key || !value)
        return T2G_ERR_MEMORY;
    d->key = key;
    d->value = value;
    d->capacity = d->count ? 2 * d->count : 8;
    return T2G_OK;
}

t2g_status t2g_dict_set(t2g_render *r, t2g_dict *d, const t2g_value *key,
                        const t2g_value *value)
{
    t2g_value *found;
    T2G_TRY(t2g_dict_find(r, d, key, &found));
    if (found) {
        *found = *value;
        return T2G_OK;
    }
    if (d->count == d->capacity)
        T2G_TRY(grow_dict(r, d));
    d->key[d->count] = *key;
    d->value[d->count++] = *value;
    return T2G_OK;
}

const t2g_value *t2g_dict_get(const t2g_dict *d, const char *key)
{
    for (size_t i = 0; i < d->count; i++)
        if (d->key[i].kind == VALUE_STRING && t2g_text_is(d->key[i].text, key))
            return &d->value[i];
    return NULL;
}

/* --- from JSON ----------------------------------------------------------- */

static t2g_status input_text(t2g_render *r, const char *s, size_t n,
                             t2g_value *out)
{
    t2g_builder b = {.arena = &r->arena};
    T2G_TRY(t2g_build_bytes(&b, s, n, true));
    *out = t2g_value_text(t2g_built(&b));
    return T2G_OK;
}

static t2g_status list_from_json(t2g_render *r, const json_t *json,
                                 t2g_value *out)
{
    T2G_TRY(t2g_list_new(r, VALUE_LIST, out));
    for (size_t i = 0; i < json_array_size(json); i++) {
        t2g_value item;
        T2G_TRY(t2g_value_from_json(r, json_array_get(json, i), &item));
        T2G_TRY(t2g_list_add(r, out->list, &item));
    }
    return T2G_OK;
}

/* Keys of a JSON object differ, so none is looked for. */
static t2g_status dict_from_json(t2g_render *r, const json_t *json,
                                 t2g_value *out)
{
    const char *name;
    json_t *member;
    T2G_TRY(t2g_dict_new(r, VALUE_DICT, out));
    json_object_foreach((json_t *)json, name, member) {
        t2g_dict *d = out->dict;
        if (d->count == d->capacity)
            T2G_TRY(grow_dict(r, d));
        T2G_TRY(input_text(r, name, strlen(name), &d->key[d->count]));
        T2G_TRY(t2g_value_from_json(r, member, &d->value[d->count]));
        d->count++;
    }
    return T2G_OK;
}

t2g_status t2g_value_from_json(t2g_render *r, const json_t *json,
                               t2g_value *out)
{
    *out = (t2g_value){.kind = VALUE_NONE};
    if (r->depth >= T2G_CHAT_DATA_DEPTH)
        return t2g_fail(T2G_ERR_UNSUPPORTED, "the input nests deeper than %d",
                        T2G_CHAT_DATA_DEPTH);
    if (json_is_boolean(json))
        *out = t2g_value_boolean(json_is_true(json));
    else if (json_is_integer(json))
        *out = t2g_value_integer(json_integer_value(json));
    else if (json_is_real(json))
        *out = (t2g_value){.kind = VALUE_REAL, .real = json_real_value(json)};
    else if (json_is_string(json))
        return input_text(r, json_string_value(json), json_string_length(json),
                          out);
    r->depth++;
    t2g_status s = json_is_array(json) ? list_from_json(r, json, out)
                   : json_is_object(json) ? dict_from_json(r, json, out)
                                          : T2G_OK;
    r->depth--;
    return s;
}
