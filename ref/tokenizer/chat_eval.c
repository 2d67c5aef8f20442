/* Runs the tree: expressions to values, statements to text. */
#include "chat_private.h"

#include <math.h>
#include <string.h>

static t2g_status eval(t2g_render *r, const t2g_node *n, t2g_value *out);
static t2g_status run_body(t2g_render *r, const t2g_nodes *body);

t2g_status t2g_spend(t2g_render *r, size_t steps)
{
    r->steps += steps;
    if (r->steps <= T2G_CHAT_STEPS)
        return T2G_OK;
    return t2g_fail(T2G_ERR_UNSUPPORTED, "the template takes more than %d "
                    "steps", T2G_CHAT_STEPS);
}

/* The innermost node puts its place in front of the message. */
static t2g_status located(t2g_render *r, const t2g_node *n, t2g_status s)
{
    if (r->located)
        return s;
    r->located = true;
    return t2g_fail_in(s, "%s:%u:%u", r->template->name, n->at.line,
                       n->at.column);
}

static t2g_status enter(t2g_render *r)
{
    T2G_TRY(t2g_spend(r, 1));
    if (++r->depth > T2G_CHAT_DEPTH)
        return t2g_fail(T2G_ERR_UNSUPPORTED, "the template nests deeper than "
                        "%d", T2G_CHAT_DEPTH);
    return T2G_OK;
}

/* --- names --------------------------------------------------------------- */

static t2g_status push_scope(t2g_render *r, t2g_scope *parent)
{
    t2g_scope *scope = t2g_arena_take(&r->arena, 1, sizeof *scope);
    if (!scope)
        return T2G_ERR_MEMORY;
    scope->parent = parent;
    r->scope = scope;
    return T2G_OK;
}

static t2g_variable *find_in(const t2g_scope *scope, t2g_string name)
{
    for (size_t i = 0; i < scope->count; i++)
        if (t2g_text_same(scope->variable[i].name, name))
            return &scope->variable[i];
    return NULL;
}

t2g_status t2g_scope_set(t2g_render *r, t2g_scope *scope, t2g_string name,
                         const t2g_value *value)
{
    t2g_variable *v = find_in(scope, name);
    if (v) {
        v->value = *value;
        return T2G_OK;
    }
    if (scope->count == scope->capacity) {
        v = t2g_arena_double(&r->arena, scope->variable, scope->count,
                             sizeof *v);
        if (!v)
            return T2G_ERR_MEMORY;
        scope->variable = v;
        scope->capacity = scope->count ? 2 * scope->count : 8;
    }
    scope->variable[scope->count++] = (t2g_variable){name, *value};
    return T2G_OK;
}

static t2g_status eval_name(t2g_render *r, const t2g_node *n, t2g_value *out)
{
    for (const t2g_scope *s = r->scope; s; s = s->parent) {
        const t2g_variable *v = find_in(s, n->text);
        T2G_TRY(t2g_spend(r, s->count / 4));
        if (v) {
            *out = v->value;
            return T2G_OK;
        }
    }
    *out = (t2g_value){.kind = VALUE_UNDEFINED, .text = n->text};
    return T2G_OK;
}

/* --- literals ------------------------------------------------------------ */

static t2g_status eval_items(t2g_render *r, const t2g_nodes *nodes,
                             t2g_value_kind kind, t2g_value *out)
{
    T2G_TRY(t2g_list_new(r, kind, out));
    for (size_t i = 0; i < nodes->count; i++) {
        t2g_value item;
        T2G_TRY(eval(r, nodes->item[i], &item));
        T2G_TRY(t2g_list_add(r, out->list, &item));
    }
    return T2G_OK;
}

static t2g_status eval_dict(t2g_render *r, const t2g_node *n, t2g_value *out)
{
    T2G_TRY(t2g_dict_new(r, VALUE_DICT, out));
    for (size_t i = 0; i < n->list.count; i += 2) {
        t2g_value key, value;
        T2G_TRY(eval(r, n->list.item[i], &key));
        T2G_TRY(eval(r, n->list.item[i + 1], &value));
        T2G_TRY(t2g_dict_set(r, out->dict, &key, &value));
    }
    return T2G_OK;
}

/* --- members and slices -------------------------------------------------- */

static t2g_status eval_attribute(t2g_render *r, const t2g_node *n,
                                 t2g_value *out)
{
    t2g_value object;
    T2G_TRY(eval(r, n->a, &object));
    return t2g_attribute(r, &object, n->text, out);
}

static t2g_status eval_subscript(t2g_render *r, const t2g_node *n,
                                 t2g_value *out)
{
    t2g_value object, key;
    T2G_TRY(eval(r, n->a, &object));
    T2G_TRY(eval(r, n->b, &key));
    return t2g_subscript(r, &object, &key, out);
}

/* A bound within [low, high], negative ones counted from the end. */
static int64_t clamp_bound(int64_t bound, int64_t n, int64_t low, int64_t high)
{
    bound += bound < 0 ? n : 0;
    return bound < low ? low : bound > high ? high : bound;
}

/* first, end, step of Python's slice of n items. */
static t2g_status slice_bounds(t2g_render *r, const t2g_node *n, int64_t length,
                               int64_t bound[3])
{
    t2g_value v[3] = {{0}};
    for (size_t i = 0; i < 3; i++)
        if (n->list.item[i])
            T2G_TRY(eval(r, n->list.item[i], &v[i]));
    T2G_TRY(t2g_integer_argument(&v[2], "the step", 1, &bound[2]));
    if (bound[2] == 0)
        return t2g_fail(T2G_ERR_FORMAT, "a slice of step 0");
    bool back = bound[2] < 0;
    int64_t low = back ? -1 : 0, high = back ? length - 1 : length;
    for (size_t i = 0; i < 2; i++) {
        bool given = v[i].kind != VALUE_ABSENT && v[i].kind != VALUE_NONE;
        T2G_TRY(t2g_integer_argument(&v[i], "a bound", 0, &bound[i]));
        bound[i] = given ? clamp_bound(bound[i], length, low, high)
                         : (i == 0) == back ? high : low;
    }
    return T2G_OK;
}

static t2g_status slice_items(t2g_render *r, const t2g_list *items,
                              const int64_t bound[3], t2g_list *out)
{
    int64_t step = bound[2], n = (int64_t)items->count;
    step = step > n + 1 ? n + 1 : step < -n - 1 ? -n - 1 : step;
    for (int64_t i = bound[0]; step > 0 ? i < bound[1] : i > bound[1];
         i += step)
        T2G_TRY(t2g_list_add(r, out, &items->item[i]));
    return T2G_OK;
}

/* By another step than 1. */
static t2g_status slice_characters(t2g_render *r, const t2g_value *v,
                                   const int64_t bound[3], t2g_value *out)
{
    const t2g_list *characters;
    t2g_value picked;
    t2g_builder b = {.arena = &r->arena};
    T2G_TRY(t2g_walk(r, v, &characters));
    T2G_TRY(t2g_list_new(r, VALUE_LIST, &picked));
    T2G_TRY(slice_items(r, characters, bound, picked.list));
    for (size_t i = 0; i < picked.list->count; i++)
        T2G_TRY(t2g_build(&b, picked.list->item[i].text));
    *out = t2g_value_text(t2g_built(&b));
    out->is_safe = v->is_safe;
    return T2G_OK;
}

static t2g_status slice_text(t2g_render *r, const t2g_node *n,
                             const t2g_value *v, t2g_value *out)
{
    int64_t bound[3];
    t2g_string text = v->text;
    T2G_TRY(t2g_spend(r, text.n / 16));
    T2G_TRY(slice_bounds(r, n, (int64_t)t2g_text_characters(text), bound));
    if (bound[2] != 1)
        return slice_characters(r, v, bound, out);
    size_t end = bound[1] < bound[0] ? (size_t)bound[0] : (size_t)bound[1];
    *out = t2g_value_text(t2g_text_part(
        text, t2g_text_byte(text, (size_t)bound[0]), t2g_text_byte(text, end)));
    out->is_safe = v->is_safe;
    return T2G_OK;
}

static t2g_status eval_slice(t2g_render *r, const t2g_node *n, t2g_value *out)
{
    t2g_value object;
    int64_t bound[3];
    T2G_TRY(eval(r, n->a, &object));
    if (object.kind == VALUE_STRING)
        return slice_text(r, n, &object, out);
    if (object.kind == VALUE_UNDEFINED)
        return t2g_undefined_error(&object);
    if (object.kind != VALUE_LIST && object.kind != VALUE_TUPLE)
        return t2g_fail(T2G_ERR_FORMAT, "a slice of %s",
                        t2g_value_type(&object));
    T2G_TRY(slice_bounds(r, n, (int64_t)object.list->count, bound));
    T2G_TRY(t2g_list_new(r, object.kind, out));
    return slice_items(r, object.list, bound, out->list);
}

/* --- operators ----------------------------------------------------------- */

static t2g_status no_operation(const t2g_node *n, const t2g_value *a,
                               const t2g_value *b)
{
    if (a->kind == VALUE_UNDEFINED || b->kind == VALUE_UNDEFINED)
        return t2g_undefined_error(a->kind == VALUE_UNDEFINED ? a : b);
    return t2g_fail(T2G_ERR_FORMAT, "%s %s %s", t2g_value_type(a),
                    t2g_token_spelling((t2g_token_kind)n->op),
                    t2g_value_type(b));
}

static t2g_status overflow(void)
{
    return t2g_fail(T2G_ERR_UNSUPPORTED, "an integer beyond 64 bits");
}

static int64_t floor_divide(int64_t a, int64_t b)
{
    return a / b - (a % b != 0 && (a < 0) != (b < 0));
}

static t2g_status divide_integers(int op, int64_t a, int64_t b, t2g_value *out)
{
    if (b == 0)
        return t2g_fail(T2G_ERR_FORMAT, "a division by 0");
    if (b == -1 && a == INT64_MIN)
        return overflow();
    if (op == TOKEN_DIVIDE)
        *out = (t2g_value){.kind = VALUE_REAL, .real = (double)a / (double)b};
    else if (op == TOKEN_FLOOR_DIVIDE)
        *out = t2g_value_integer(floor_divide(a, b));
    else
        *out = t2g_value_integer(a - floor_divide(a, b) * b);
    return T2G_OK;
}

static t2g_status integer_operation(int op, int64_t a, int64_t b,
                                    t2g_value *out)
{
    int64_t result;
    bool too_big;
    if (op == TOKEN_ADD)
        too_big = __builtin_add_overflow(a, b, &result);
    else if (op == TOKEN_SUBTRACT)
        too_big = __builtin_sub_overflow(a, b, &result);
    else if (op == TOKEN_MULTIPLY)
        too_big = __builtin_mul_overflow(a, b, &result);
    else
        return divide_integers(op, a, b, out);
    *out = t2g_value_integer(result);
    return too_big ? overflow() : T2G_OK;
}

/* Python's float modulo has the sign of the divisor. */
static double real_modulo(double a, double b)
{
    double rest = fmod(a, b);
    if (rest == 0)
        return copysign(0, b);
    return (rest < 0) != (b < 0) ? rest + b : rest;
}

static double real_floor_divide(double a, double b)
{
    double quotient = floor((a - real_modulo(a, b)) / b + 0.5);
    return quotient == 0 ? copysign(0, a / b) : quotient;
}

static t2g_status real_operation(int op, double a, double b, t2g_value *out)
{
    *out = (t2g_value){.kind = VALUE_REAL};
    if (op == TOKEN_ADD || op == TOKEN_SUBTRACT)
        out->real = op == TOKEN_ADD ? a + b : a - b;
    else if (op == TOKEN_MULTIPLY)
        out->real = a * b;
    else if (b == 0)
        return t2g_fail(T2G_ERR_FORMAT, "a division by 0");
    else if (op == TOKEN_DIVIDE)
        out->real = a / b;
    else
        out->real = op == TOKEN_MODULO ? real_modulo(a, b)
                                       : real_floor_divide(a, b);
    return T2G_OK;
}

static t2g_status repeat_list(t2g_render *r, const t2g_value *v, int64_t times,
                              t2g_value *out)
{
    T2G_TRY(t2g_list_new(r, v->kind, out));
    for (size_t n = v->list->count; times > 0 && n > 0; times--)
        for (size_t i = 0; i < n; i++)
            T2G_TRY(t2g_list_add(r, out->list, &v->list->item[i]));
    return T2G_OK;
}

static t2g_status repeat(t2g_render *r, const t2g_node *n, const t2g_value *v,
                         int64_t times, t2g_value *out)
{
    t2g_builder b = {.arena = &r->arena};
    if (v->kind == VALUE_LIST || v->kind == VALUE_TUPLE)
        return repeat_list(r, v, times, out);
    if (v->kind != VALUE_STRING)
        return no_operation(n, v, &(t2g_value){.kind = VALUE_INTEGER});
    T2G_TRY(t2g_build_repeated(&b, v->text, times));
    T2G_TRY(t2g_spend(r, b.n));
    *out = t2g_value_text(t2g_built(&b));
    return T2G_OK;
}

/* As markupsafe does it. */
static t2g_status build_escaped(t2g_builder *b, t2g_string text)
{
    static const char escaped[] = "&<>'\"";
    static const char *const names[] = {"&amp;", "&lt;", "&gt;", "&#39;",
                                        "&#34;"};
    for (size_t i = 0; i < text.n; i++) {
        t2g_string one = t2g_text_part(text, i, i + 1);
        const char *at = memchr(escaped, text.s[i], sizeof escaped - 1);
        bool input = text.from_input && text.from_input[i];
        T2G_TRY(at ? t2g_build_bytes(b, names[at - escaped],
                                     strlen(names[at - escaped]), input)
                   : t2g_build(b, one));
    }
    return T2G_OK;
}

/* Next to safe text, text that is not is escaped. */
static t2g_status add_texts(t2g_render *r, const t2g_value *a,
                            const t2g_value *b, t2g_value *out)
{
    t2g_builder sum = {.arena = &r->arena};
    T2G_TRY(t2g_spend(r, (a->text.n + b->text.n) / 64));
    T2G_TRY(b->is_safe && !a->is_safe ? build_escaped(&sum, a->text)
                                      : t2g_build(&sum, a->text));
    T2G_TRY(a->is_safe && !b->is_safe ? build_escaped(&sum, b->text)
                                      : t2g_build(&sum, b->text));
    *out = t2g_value_text(t2g_built(&sum));
    out->is_safe = a->is_safe || b->is_safe;
    return T2G_OK;
}

static t2g_status add_lists(t2g_render *r, const t2g_value *a,
                            const t2g_value *b, t2g_value *out)
{
    T2G_TRY(t2g_list_new(r, a->kind, out));
    for (size_t i = 0; i < a->list->count; i++)
        T2G_TRY(t2g_list_add(r, out->list, &a->list->item[i]));
    for (size_t i = 0; i < b->list->count; i++)
        T2G_TRY(t2g_list_add(r, out->list, &b->list->item[i]));
    return T2G_OK;
}

static t2g_status eval_binary(t2g_render *r, const t2g_node *n, t2g_value *out)
{
    t2g_value a, b;
    int64_t i, j;
    double x, y;
    T2G_TRY(eval(r, n->a, &a));
    T2G_TRY(eval(r, n->b, &b));
    if (t2g_value_index(&a, &i) && t2g_value_index(&b, &j))
        return integer_operation(n->op, i, j, out);
    if (t2g_value_number(&a, &x) && t2g_value_number(&b, &y))
        return real_operation(n->op, x, y, out);
    if (n->op == TOKEN_ADD && a.kind == b.kind) {
        if (a.kind == VALUE_STRING)
            return add_texts(r, &a, &b, out);
        if (a.kind == VALUE_LIST || a.kind == VALUE_TUPLE)
            return add_lists(r, &a, &b, out);
    }
    if (n->op == TOKEN_MULTIPLY && t2g_value_index(&b, &j))
        return repeat(r, n, &a, j, out);
    if (n->op == TOKEN_MULTIPLY && t2g_value_index(&a, &i))
        return repeat(r, n, &b, i, out);
    return no_operation(n, &a, &b);
}

static t2g_status eval_sign(t2g_render *r, const t2g_node *n, t2g_value *out)
{
    t2g_value v;
    int64_t i;
    int sign = n->kind == NODE_NEGATE ? -1 : 1;
    T2G_TRY(eval(r, n->a, &v));
    if (t2g_value_index(&v, &i))
        return integer_operation(TOKEN_MULTIPLY, i, sign, out);
    if (v.kind == VALUE_UNDEFINED)
        return t2g_undefined_error(&v);
    if (v.kind != VALUE_REAL)
        return t2g_fail(T2G_ERR_FORMAT, "a sign before %s",
                        t2g_value_type(&v));
    *out = (t2g_value){.kind = VALUE_REAL, .real = sign * v.real};
    return T2G_OK;
}

static t2g_status compare(t2g_render *r, int op, const t2g_value *a,
                          const t2g_value *b, bool *is)
{
    int order;
    if (op == TOKEN_IN || op == TOKEN_NOT_IN) {
        T2G_TRY(t2g_value_contains(r, b, a, is));
        *is ^= op == TOKEN_NOT_IN;
        return T2G_OK;
    }
    if (op == TOKEN_EQUAL || op == TOKEN_NOT_EQUAL) {
        T2G_TRY(t2g_value_equal(r, a, b, is));
        *is ^= op == TOKEN_NOT_EQUAL;
        return T2G_OK;
    }
    T2G_TRY(t2g_value_compare(r, a, b, &order));
    *is = op == TOKEN_LESS ? order < 0 : op == TOKEN_LESS_EQUAL ? order <= 0
          : op == TOKEN_GREATER ? order > 0 : order >= 0;
    return T2G_OK;
}

static t2g_status eval_compare(t2g_render *r, const t2g_node *n, t2g_value *out)
{
    t2g_value left, right;
    bool is = true;
    T2G_TRY(eval(r, n->a, &left));
    for (size_t i = 0; is && i < n->list.count; i++, left = right) {
        T2G_TRY(eval(r, n->list.item[i]->a, &right));
        T2G_TRY(compare(r, n->list.item[i]->op, &left, &right, &is));
    }
    *out = t2g_value_boolean(is);
    return T2G_OK;
}

static t2g_status eval_join(t2g_render *r, const t2g_node *n, t2g_value *out)
{
    t2g_builder b = {.arena = &r->arena};
    for (size_t i = 0; i < n->list.count; i++) {
        t2g_value part;
        T2G_TRY(eval(r, n->list.item[i], &part));
        T2G_TRY(t2g_print(r, &b, &part));
    }
    *out = t2g_value_text(t2g_built(&b));
    return T2G_OK;
}

static t2g_status eval_logical(t2g_render *r, const t2g_node *n, t2g_value *out)
{
    T2G_TRY(eval(r, n->a, out));
    if (t2g_value_true(out) == (n->kind == NODE_OR))
        return T2G_OK;
    return eval(r, n->b, out);
}

static t2g_status eval_condition(t2g_render *r, const t2g_node *n,
                                 t2g_value *out)
{
    t2g_value test;
    T2G_TRY(eval(r, n->a, &test));
    if (t2g_value_true(&test))
        return eval(r, n->b, out);
    if (n->c)
        return eval(r, n->c, out);
    *out = (t2g_value){.kind = VALUE_UNDEFINED, .text = TEXT("inline if")};
    return T2G_OK;
}

/* --- calls --------------------------------------------------------------- */

static t2g_status eval_arguments(t2g_render *r, const t2g_node *n,
                                 t2g_arguments *out)
{
    *out = (t2g_arguments){.count = n->list.count - n->named,
                           .name = n->argument_name, .named = n->named};
    out->value = t2g_arena_take(&r->arena, n->list.count, sizeof *out->value);
    if (!out->value)
        return T2G_ERR_MEMORY;
    for (size_t i = 0; i < n->list.count; i++)
        T2G_TRY(eval(r, n->list.item[i], &out->value[i]));
    return T2G_OK;
}

static t2g_status call_method(t2g_render *r, const t2g_method *m,
                              const t2g_arguments *a, t2g_value *out)
{
    if (!m->callable)
        return t2g_fail(T2G_ERR_UNSUPPORTED, "the method '%.*s' of %s is not "
                        "supported", (int)m->name.n, m->name.s,
                        t2g_value_type(m->self));
    return t2g_call(r, m->callable, m->self, a, out);
}

static t2g_status eval_call(t2g_render *r, const t2g_node *n, t2g_value *out)
{
    t2g_value callee;
    t2g_arguments a;
    T2G_TRY(eval(r, n->a, &callee));
    T2G_TRY(eval_arguments(r, n, &a));
    switch (callee.kind) {
    case VALUE_MACRO: return t2g_call_macro(r, &callee.macro, &a, out);
    case VALUE_FUNCTION: return t2g_call(r, callee.function, NULL, &a, out);
    case VALUE_METHOD: return call_method(r, callee.method, &a, out);
    case VALUE_UNDEFINED: return t2g_undefined_error(&callee);
    default:
        return t2g_fail(T2G_ERR_FORMAT, "%s cannot be called",
                        t2g_value_type(&callee));
    }
}

static t2g_status eval_filter(t2g_render *r, const t2g_node *n, t2g_value *out)
{
    t2g_value v;
    t2g_arguments a;
    if (!n->filter)
        return t2g_fail(T2G_ERR_UNSUPPORTED, "the filter '%.*s' is not "
                        "supported", (int)n->text.n, n->text.s);
    T2G_TRY(eval(r, n->a, &v));
    T2G_TRY(eval_arguments(r, n, &a));
    return t2g_call(r, n->filter, &v, &a, out);
}

static t2g_status eval_test(t2g_render *r, const t2g_node *n, t2g_value *out)
{
    t2g_value v;
    t2g_arguments a;
    bool is;
    if (!n->test)
        return t2g_fail(T2G_ERR_UNSUPPORTED, "the test '%.*s' is not "
                        "supported", (int)n->text.n, n->text.s);
    T2G_TRY(eval(r, n->a, &v));
    T2G_TRY(eval_arguments(r, n, &a));
    T2G_TRY(n->test->run(r, &v, a.value, &is));
    *out = t2g_value_boolean(is);
    return T2G_OK;
}

static t2g_status eval_not(t2g_render *r, const t2g_node *n, t2g_value *out)
{
    T2G_TRY(eval(r, n->a, out));
    *out = t2g_value_boolean(!t2g_value_true(out));
    return T2G_OK;
}

static t2g_status eval_kind(t2g_render *r, const t2g_node *n, t2g_value *out)
{
    switch (n->kind) {
    case NODE_CONSTANT: *out = n->value; return T2G_OK;
    case NODE_NAME: return eval_name(r, n, out);
    case NODE_LIST: return eval_items(r, &n->list, VALUE_LIST, out);
    case NODE_TUPLE: return eval_items(r, &n->list, VALUE_TUPLE, out);
    case NODE_DICT: return eval_dict(r, n, out);
    case NODE_ATTRIBUTE: return eval_attribute(r, n, out);
    case NODE_SUBSCRIPT: return eval_subscript(r, n, out);
    case NODE_SLICE: return eval_slice(r, n, out);
    case NODE_CALL: return eval_call(r, n, out);
    case NODE_FILTER: return eval_filter(r, n, out);
    case NODE_TEST: return eval_test(r, n, out);
    case NODE_NOT: return eval_not(r, n, out);
    case NODE_NEGATE: case NODE_POSITIVE: return eval_sign(r, n, out);
    case NODE_AND: case NODE_OR: return eval_logical(r, n, out);
    case NODE_CONDITION: return eval_condition(r, n, out);
    case NODE_COMPARE: return eval_compare(r, n, out);
    case NODE_BINARY: return eval_binary(r, n, out);
    default: return eval_join(r, n, out);
    }
}

static t2g_status eval(t2g_render *r, const t2g_node *n, t2g_value *out)
{
    t2g_status s = enter(r);
    if (s == T2G_OK)
        s = eval_kind(r, n, out);
    r->depth--;
    return s == T2G_OK ? s : located(r, n, s);
}

/* --- statements ---------------------------------------------------------- */

static t2g_status run_print(t2g_render *r, const t2g_node *n)
{
    t2g_value v;
    T2G_TRY(eval(r, n->a, &v));
    return t2g_print(r, r->out, &v);
}

static t2g_status run_if(t2g_render *r, const t2g_node *n)
{
    for (;; n = n->c) {
        t2g_value test;
        T2G_TRY(eval(r, n->a, &test));
        if (t2g_value_true(&test))
            return run_body(r, &n->body);
        if (!n->c)
            return run_body(r, &n->otherwise);
    }
}

static t2g_status assign(t2g_render *r, const t2g_node *target,
                         const t2g_value *v)
{
    const t2g_list *items;
    const t2g_nodes *names = &target->list;
    if (target->kind == NODE_NAME)
        return t2g_scope_set(r, r->scope, target->text, v);
    T2G_TRY(t2g_walk(r, v, &items));
    if (items->count != names->count)
        return t2g_fail(T2G_ERR_FORMAT, "%zu values for %zu names",
                        items->count, names->count);
    for (size_t i = 0; i < names->count; i++)
        T2G_TRY(t2g_scope_set(r, r->scope, names->item[i]->text,
                              &items->item[i]));
    return T2G_OK;
}

/* The items for which the loop's `if` holds. */
static t2g_status loop_items(t2g_render *r, const t2g_node *n,
                             const t2g_list **items)
{
    t2g_value all, kept;
    t2g_scope *outside = r->scope;
    T2G_TRY(eval(r, n->b, &all));
    T2G_TRY(t2g_walk(r, &all, items));
    if (!n->c)
        return T2G_OK;
    T2G_TRY(t2g_list_new(r, VALUE_LIST, &kept));
    for (size_t i = 0; i < (*items)->count; i++) {
        t2g_value test;
        T2G_TRY(push_scope(r, outside));
        T2G_TRY(assign(r, n->a, &(*items)->item[i]));
        T2G_TRY(eval(r, n->c, &test));
        if (t2g_value_true(&test))
            T2G_TRY(t2g_list_add(r, kept.list, &(*items)->item[i]));
    }
    r->scope = outside;
    *items = kept.list;
    return T2G_OK;
}

/* Each round has names of its own. */
static t2g_status run_round(t2g_render *r, const t2g_node *n,
                            t2g_scope *outside, t2g_loop *loop)
{
    t2g_value v = {.kind = VALUE_LOOP};
    v.loop = loop;
    T2G_TRY(push_scope(r, outside));
    T2G_TRY(t2g_scope_set(r, r->scope, TEXT("loop"), &v));
    T2G_TRY(assign(r, n->a, &loop->items->item[loop->index]));
    return run_body(r, &n->body);
}

static t2g_status run_for(t2g_render *r, const t2g_node *n)
{
    t2g_scope *outside = r->scope;
    t2g_loop *loop = t2g_arena_take(&r->arena, 1, sizeof *loop);
    if (!loop)
        return T2G_ERR_MEMORY;
    T2G_TRY(loop_items(r, n, &loop->items));
    for (; loop->index < loop->items->count; loop->index++) {
        T2G_TRY(run_round(r, n, outside, loop));
        bool ends = r->flow == FLOW_BREAK;
        r->flow = FLOW_ON;
        if (ends)
            break;
    }
    if (!loop->items->count) {
        T2G_TRY(push_scope(r, outside));
        T2G_TRY(run_body(r, &n->otherwise));
    }
    r->scope = outside;
    return T2G_OK;
}

static t2g_status run_set(t2g_render *r, const t2g_node *n)
{
    t2g_value v;
    T2G_TRY(eval(r, n->b, &v));
    return assign(r, n->a, &v);
}

static t2g_status run_set_member(t2g_render *r, const t2g_node *n)
{
    t2g_value space, v, key = t2g_value_text(n->text);
    T2G_TRY(eval(r, n->b, &v));
    T2G_TRY(eval(r, n->a, &space));
    if (space.kind != VALUE_NAMESPACE)
        return t2g_fail(T2G_ERR_FORMAT, "an attribute is set of %s, which is "
                        "no namespace", t2g_value_type(&space));
    return t2g_dict_set(r, space.dict, &key, &v);
}

/* The text of a body instead of its output. */
static t2g_status capture(t2g_render *r, const t2g_nodes *body, t2g_string *out)
{
    t2g_builder b = {.arena = &r->arena}, *outer = r->out;
    r->out = &b;
    T2G_TRY(run_body(r, body));
    r->out = outer;
    *out = t2g_built(&b);
    return T2G_OK;
}

static t2g_status run_set_block(t2g_render *r, const t2g_node *n)
{
    t2g_scope *outside = r->scope;
    t2g_value v = {.kind = VALUE_STRING};
    T2G_TRY(push_scope(r, outside));
    T2G_TRY(capture(r, &n->body, &v.text));
    r->scope = outside;
    return t2g_scope_set(r, outside, n->a->text, &v);
}

static t2g_status run_macro(t2g_render *r, const t2g_node *n)
{
    t2g_value v = {.kind = VALUE_MACRO};
    v.macro = (t2g_macro){n, r->scope};
    return t2g_scope_set(r, r->scope, n->text, &v);
}

/* Bytes that a model has to write. */
static t2g_status run_generation(t2g_render *r, const t2g_node *n)
{
    t2g_scope *outside = r->scope;
    if (r->out != &r->text)
        return t2g_fail(T2G_ERR_UNSUPPORTED, "a generation block inside of a "
                        "macro or a block is not supported");
    if (r->generation_count == r->generation_capacity) {
        t2g_chat_range *more = t2g_arena_double(
            &r->arena, r->generation, r->generation_count, sizeof *more);
        if (!more)
            return T2G_ERR_MEMORY;
        r->generation = more;
        r->generation_capacity = r->generation_count ? 2 * r->generation_count
                                                     : 8;
    }
    size_t begin = r->text.n;
    T2G_TRY(push_scope(r, outside));
    T2G_TRY(run_body(r, &n->body));
    r->scope = outside;
    r->generation[r->generation_count++] =
        (t2g_chat_range){begin, r->text.n};
    return T2G_OK;
}

static t2g_status run_kind(t2g_render *r, const t2g_node *n)
{
    switch (n->kind) {
    case NODE_DATA: return t2g_build(r->out, n->text);
    case NODE_PRINT: return run_print(r, n);
    case NODE_IF: return run_if(r, n);
    case NODE_FOR: return run_for(r, n);
    case NODE_SET: return run_set(r, n);
    case NODE_SET_BLOCK: return run_set_block(r, n);
    case NODE_SET_MEMBER: return run_set_member(r, n);
    case NODE_MACRO: return run_macro(r, n);
    case NODE_GENERATION: return run_generation(r, n);
    default:
        r->flow = n->kind == NODE_BREAK ? FLOW_BREAK : FLOW_CONTINUE;
        return T2G_OK;
    }
}

static t2g_status run_body(t2g_render *r, const t2g_nodes *body)
{
    for (size_t i = 0; i < body->count && r->flow == FLOW_ON; i++) {
        t2g_status s = enter(r);
        if (s == T2G_OK)
            s = run_kind(r, body->item[i]);
        r->depth--;
        if (s != T2G_OK)
            return located(r, body->item[i], s);
    }
    return T2G_OK;
}

/* --- macros -------------------------------------------------------------- */

static t2g_status bind_named(t2g_render *r, const t2g_node *macro,
                             t2g_string name, const t2g_value *value)
{
    for (size_t i = 0; i < macro->list.count; i++)
        if (t2g_text_same(macro->list.item[i]->text, name)) {
            if (find_in(r->scope, name))
                break;
            return t2g_scope_set(r, r->scope, name, value);
        }
    return t2g_fail(T2G_ERR_FORMAT, "the macro '%.*s' has no parameter '%.*s' "
                    "left", (int)macro->text.n, macro->text.s, (int)name.n,
                    name.s);
}

static t2g_status bind_given(t2g_render *r, const t2g_node *macro,
                             const t2g_arguments *a)
{
    if (a->count > macro->list.count)
        return t2g_fail(T2G_ERR_FORMAT, "the macro '%.*s' takes %zu arguments, "
                        "not %zu", (int)macro->text.n, macro->text.s,
                        macro->list.count, a->count);
    for (size_t i = 0; i < a->count; i++)
        T2G_TRY(t2g_scope_set(r, r->scope, macro->list.item[i]->text,
                              &a->value[i]));
    for (size_t i = 0; i < a->named; i++)
        T2G_TRY(bind_named(r, macro, a->name[i], &a->value[a->count + i]));
    return T2G_OK;
}

/* Defaults see the parameters in front of them. */
static t2g_status bind_defaults(t2g_render *r, const t2g_node *macro)
{
    size_t plain = macro->list.count - macro->otherwise.count;
    for (size_t i = 0; i < macro->list.count; i++) {
        t2g_string name = macro->list.item[i]->text;
        t2g_value v = {.kind = VALUE_UNDEFINED, .text = name};
        if (find_in(r->scope, name))
            continue;
        if (i >= plain)
            T2G_TRY(eval(r, macro->otherwise.item[i - plain], &v));
        T2G_TRY(t2g_scope_set(r, r->scope, name, &v));
    }
    return T2G_OK;
}

t2g_status t2g_call_macro(t2g_render *r, const t2g_macro *macro,
                          const t2g_arguments *a, t2g_value *out)
{
    t2g_scope *caller = r->scope;
    *out = (t2g_value){.kind = VALUE_STRING};
    T2G_TRY(push_scope(r, macro->scope));
    T2G_TRY(bind_given(r, macro->node, a));
    T2G_TRY(bind_defaults(r, macro->node));
    T2G_TRY(capture(r, &macro->node->body, &out->text));
    r->scope = caller;
    return T2G_OK;
}

/* --- the whole ----------------------------------------------------------- */

t2g_status t2g_chat_run(t2g_render *r)
{
    r->out = &r->text;
    return run_body(r, &r->template->body);
}
