/* a.name, a[key] and a(...): members of values, the global functions, and how
 * arguments find their parameters. */
#include "chat_private.h"

#include <string.h>
#include <time.h>

/* --- attributes and items ------------------------------------------------ */

static void undefined_member(t2g_string name, t2g_value *out)
{
    *out = (t2g_value){.kind = VALUE_UNDEFINED, .is_attribute = true};
    out->text = name;
}

static t2g_status bound_method(t2g_render *r, const t2g_value *v, t2g_string name,
                               const t2g_callable *callable, t2g_value *out)
{
    struct {
        t2g_method method;
        t2g_value self;
    } *bound = t2g_arena_take(&r->arena, 1, sizeof *bound);
    if (!bound)
        return T2G_ERR_MEMORY;
    bound->self = *v;
    bound->method = (t2g_method){&bound->self, callable, name};
    *out = (t2g_value){.kind = VALUE_METHOD};
    out->method = &bound->method;
    return T2G_OK;
}

static void neighbour(const t2g_loop *loop, size_t index, t2g_string name,
                      t2g_value *out)
{
    undefined_member(name, out);
    if (index < loop->items->count)
        *out = loop->items->item[index];
}

/* False if loops have no such member. */
static bool loop_member(const t2g_loop *loop, t2g_string name, t2g_value *out)
{
    size_t n = loop->items->count, i = loop->index;
    const struct {
        const char *name;
        size_t number;
    } numbers[] = {{"index", i + 1}, {"index0", i}, {"length", n},
                   {"revindex", n - i}, {"revindex0", n - i - 1},
                   {"depth", 1}, {"depth0", 0}};
    for (size_t k = 0; k < sizeof numbers / sizeof *numbers; k++)
        if (t2g_text_is(name, numbers[k].name)) {
            *out = t2g_value_integer((int64_t)numbers[k].number);
            return true;
        }
    if (t2g_text_is(name, "first"))
        *out = t2g_value_boolean(i == 0);
    else if (t2g_text_is(name, "last"))
        *out = t2g_value_boolean(i + 1 == n);
    else if (t2g_text_is(name, "previtem"))
        neighbour(loop, i - 1, name, out);
    else if (t2g_text_is(name, "nextitem"))
        neighbour(loop, i + 1, name, out);
    else
        return false;
    return true;
}

/* True if Python's getattr finds something. */
static t2g_status own_attribute(t2g_render *r, const t2g_value *v,
                                t2g_string name, bool *found, t2g_value *out)
{
    const t2g_callable *callable;
    *found = v->kind == VALUE_LOOP && loop_member(v->loop, name, out);
    if (*found || !t2g_method_find(v, name, &callable))
        return T2G_OK;
    *found = true;
    return bound_method(r, v, name, callable, out);
}

static t2g_status own_item(t2g_render *r, const t2g_value *v,
                           const t2g_value *key, bool *found, t2g_value *out)
{
    t2g_value *member;
    int64_t i;
    *found = false;
    if (v->kind == VALUE_DICT || v->kind == VALUE_NAMESPACE) {
        if (key->kind >= VALUE_LIST && key->kind <= VALUE_DICT)
            return T2G_OK;
        T2G_TRY(t2g_dict_find(r, v->dict, key, &member));
        *found = member != NULL;
        if (member)
            *out = *member;
        return T2G_OK;
    }
    if (!t2g_value_index(key, &i))
        return T2G_OK;
    if (v->kind == VALUE_STRING) {
        int64_t n = (int64_t)t2g_text_characters(v->text);
        i += i < 0 ? n : 0;
        *found = i >= 0 && i < n;
        T2G_TRY(t2g_spend(r, v->text.n / 16));
        if (*found)
            *out = t2g_value_text(t2g_text_part(
                v->text, t2g_text_byte(v->text, (size_t)i),
                t2g_text_byte(v->text, (size_t)i + 1)));
        out->is_safe = *found && v->is_safe;
    } else if (v->kind == VALUE_LIST || v->kind == VALUE_TUPLE) {
        i += i < 0 ? (int64_t)v->list->count : 0;
        *found = i >= 0 && i < (int64_t)v->list->count;
        if (*found)
            *out = v->list->item[i];
    }
    return T2G_OK;
}

t2g_status t2g_attribute(t2g_render *r, const t2g_value *v, t2g_string name,
                         t2g_value *out)
{
    bool found;
    t2g_value key = t2g_value_text(name);
    if (v->kind == VALUE_UNDEFINED)
        return t2g_undefined_error(v);
    T2G_TRY(own_attribute(r, v, name, &found, out));
    if (!found)
        T2G_TRY(own_item(r, v, &key, &found, out));
    if (!found)
        undefined_member(name, out);
    return T2G_OK;
}

t2g_status t2g_subscript(t2g_render *r, const t2g_value *v,
                         const t2g_value *key, t2g_value *out)
{
    bool found;
    t2g_string name = key->kind == VALUE_STRING ? key->text : TEXT("[...]");
    if (v->kind == VALUE_UNDEFINED)
        return t2g_undefined_error(v);
    T2G_TRY(own_item(r, v, key, &found, out));
    if (!found && key->kind == VALUE_STRING)
        T2G_TRY(own_attribute(r, v, name, &found, out));
    if (!found)
        undefined_member(name, out);
    return T2G_OK;
}

/* --- global functions ---------------------------------------------------- */

static t2g_status function_range(t2g_render *r, const t2g_value *self,
                                 const t2g_value *argument, t2g_value *out)
{
    int64_t first, end, step;
    (void)self;
    T2G_TRY(t2g_integer_argument(&argument[0], "start", 0, &first));
    T2G_TRY(t2g_integer_argument(&argument[1], "stop", first, &end));
    T2G_TRY(t2g_integer_argument(&argument[2], "step", 1, &step));
    if (argument[1].kind == VALUE_ABSENT)
        first = 0;
    if (step == 0)
        return t2g_fail(T2G_ERR_FORMAT, "a range of step 0");
    if ((double)end - (double)first > 1e15 ||
        (double)first - (double)end > 1e15 || step > 1e15 || step < -1e15)
        return t2g_fail(T2G_ERR_UNSUPPORTED, "a range this wide");
    T2G_TRY(t2g_list_new(r, VALUE_LIST, out));
    out->list->is_range = true;
    for (; step > 0 ? first < end : first > end; first += step) {
        t2g_value item = t2g_value_integer(first);
        if (out->list->count == T2G_CHAT_RANGE)
            return t2g_fail(T2G_ERR_UNSUPPORTED, "a range of more than %d",
                            T2G_CHAT_RANGE);
        T2G_TRY(t2g_list_add(r, out->list, &item));
    }
    return T2G_OK;
}

/* dict and namespace: pairs, a dict, or named arguments. */
static t2g_status collect(t2g_render *r, const t2g_arguments *a, t2g_dict *out)
{
    if (a->count > 1 || (a->count && a->value[0].kind != VALUE_DICT))
        return t2g_fail(T2G_ERR_UNSUPPORTED, "dict and namespace take one dict "
                        "and named arguments");
    for (size_t i = 0; a->count && i < a->value[0].dict->count; i++)
        T2G_TRY(t2g_dict_set(r, out, &a->value[0].dict->key[i],
                             &a->value[0].dict->value[i]));
    for (size_t i = 0; i < a->named; i++) {
        t2g_value key = t2g_value_text(a->name[i]);
        T2G_TRY(t2g_dict_set(r, out, &key, &a->value[a->count + i]));
    }
    return T2G_OK;
}

static t2g_status function_dict(t2g_render *r, const t2g_value *self,
                                const t2g_arguments *a, t2g_value *out)
{
    (void)self;
    T2G_TRY(t2g_dict_new(r, VALUE_DICT, out));
    return collect(r, a, out->dict);
}

static t2g_status function_namespace(t2g_render *r, const t2g_value *self,
                                     const t2g_arguments *a, t2g_value *out)
{
    (void)self;
    T2G_TRY(t2g_dict_new(r, VALUE_NAMESPACE, out));
    return collect(r, a, out->dict);
}

static t2g_status function_raise(t2g_render *r, const t2g_value *self,
                                 const t2g_value *argument, t2g_value *out)
{
    t2g_string text;
    (void)self, (void)out;
    T2G_TRY(t2g_print_text(r, &argument[0], &text));
    return t2g_fail(T2G_ERR_ARG, "%.*s", text.n > 500 ? 500 : (int)text.n,
                    text.s);
}

static t2g_status function_strftime(t2g_render *r, const t2g_value *self,
                                    const t2g_value *argument, t2g_value *out)
{
    char format[64], date[256];
    t2g_string text;
    struct tm when;
    time_t now = (time_t)r->now;
    t2g_builder b = {.arena = &r->arena};
    (void)self;
    T2G_TRY(t2g_text_argument(&argument[0], "the format", TEXT(""), &text));
    if (text.n >= sizeof format || !gmtime_r(&now, &when))
        return t2g_fail(T2G_ERR_UNSUPPORTED, "this time or its format");
    memcpy(format, text.s, text.n);
    format[text.n] = '\0';
    T2G_TRY(t2g_build_bytes(&b, date, strftime(date, sizeof date, format,
                                               &when), false));
    *out = t2g_value_text(t2g_built(&b));
    return T2G_OK;
}

static const t2g_callable functions[] = {
    {"range", function_range, NULL, 1, {"start", "stop", "step"}},
    {"dict", NULL, function_dict, 0, {0}},
    {"namespace", NULL, function_namespace, 0, {0}},
    {"raise_exception", function_raise, NULL, 1, {"message"}},
    {"strftime_now", function_strftime, NULL, 1, {"format"}}};

const t2g_callable *t2g_function_at(size_t i)
{
    return i < sizeof functions / sizeof *functions ? &functions[i] : NULL;
}

/* --- calling ------------------------------------------------------------- */

static t2g_status bind_named(const t2g_callable *c, t2g_string name,
                             const t2g_value *value, t2g_value *bound)
{
    size_t i = 0;
    while (i < T2G_PARAMETERS && c->parameter[i] &&
           !t2g_text_is(name, c->parameter[i]))
        i++;
    if (i == T2G_PARAMETERS || !c->parameter[i])
        return t2g_fail(T2G_ERR_FORMAT, "'%s' has no parameter '%.*s'",
                        c->name, (int)name.n, name.s);
    if (bound[i].kind != VALUE_ABSENT)
        return t2g_fail(T2G_ERR_FORMAT, "'%s' is given '%s' twice", c->name,
                        c->parameter[i]);
    bound[i] = *value;
    return T2G_OK;
}

static t2g_status call_bound(t2g_render *r, const t2g_callable *c,
                             const t2g_value *self, const t2g_arguments *a,
                             t2g_value *out)
{
    t2g_value bound[T2G_PARAMETERS] = {{0}};
    if (c->run_variadic)
        return c->run_variadic(r, self, a, out);
    for (size_t i = 0; i < a->count; i++) {
        if (i == T2G_PARAMETERS || !c->parameter[i])
            return t2g_fail(T2G_ERR_FORMAT, "'%s' is given %zu arguments",
                            c->name, a->count);
        bound[i] = a->value[i];
    }
    for (size_t i = 0; i < a->named; i++)
        T2G_TRY(bind_named(c, a->name[i], &a->value[a->count + i], bound));
    for (size_t i = 0; i < c->required; i++)
        if (bound[i].kind == VALUE_ABSENT)
            return t2g_fail(T2G_ERR_FORMAT, "'%s' wants '%s'", c->name,
                            c->parameter[i]);
    return c->run(r, self, bound, out);
}

static bool is_named(const t2g_callable *c, const char *const *names)
{
    while (*names && strcmp(c->name, *names))
        names++;
    return *names != NULL;
}

/* What is done to safe text gives safe text, or something that is no text; the
 * rest, where arguments would have to be escaped, is refused. */
t2g_status t2g_call(t2g_render *r, const t2g_callable *c,
                    const t2g_value *self, const t2g_arguments *a,
                    t2g_value *out)
{
    static const char *const safe[] = {
        "trim", "strip", "lstrip", "rstrip", "upper", "lower", "title",
        "capitalize", "string", "safe", NULL};
    static const char *const plain[] = {
        "d", "default", "length", "count", "tojson", "startswith", "endswith",
        NULL};
    bool is_safe = self && self->kind == VALUE_STRING && self->is_safe;
    if (is_safe && !is_named(c, safe) && !is_named(c, plain))
        return t2g_fail(T2G_ERR_UNSUPPORTED, "'%s' of what |safe gave is not "
                        "supported", c->name);
    T2G_TRY(call_bound(r, c, self, a, out));
    if (is_safe && is_named(c, safe))
        out->is_safe = true;
    return T2G_OK;
}
