/* Tests of Jinja: what may stand behind `is`. */
#include "chat_private.h"

/* The kinds of which a test is true, as bits. */
static bool is_one_of(const t2g_value *v, unsigned kinds)
{
    return (kinds >> v->kind & 1) != 0;
}

#define KIND_TEST(name, kinds)                                                 \
    static t2g_status name(t2g_render *r, const t2g_value *v,                  \
                           const t2g_value *argument, bool *is)                \
    {                                                                          \
        (void)r, (void)argument;                                               \
        *is = is_one_of(v, kinds);                                             \
        return T2G_OK;                                                         \
    }

#define KIND(kind) (1u << VALUE_##kind)

KIND_TEST(test_defined, ~KIND(UNDEFINED))
KIND_TEST(test_undefined, KIND(UNDEFINED))
KIND_TEST(test_none, KIND(NONE))
KIND_TEST(test_string, KIND(STRING))
KIND_TEST(test_mapping, KIND(DICT))
KIND_TEST(test_boolean, KIND(BOOLEAN))
KIND_TEST(test_integer, KIND(INTEGER))
KIND_TEST(test_float, KIND(REAL))
KIND_TEST(test_number, KIND(BOOLEAN) | KIND(INTEGER) | KIND(REAL))
KIND_TEST(test_sequence, KIND(UNDEFINED) | KIND(STRING) | KIND(LIST) |
                             KIND(TUPLE) | KIND(DICT))
KIND_TEST(test_iterable, KIND(UNDEFINED) | KIND(STRING) | KIND(LIST) |
                             KIND(TUPLE) | KIND(VIEW) | KIND(GENERATOR) |
                             KIND(DICT) | KIND(LOOP))
KIND_TEST(test_callable, KIND(UNDEFINED) | KIND(MACRO) | KIND(FUNCTION) |
                             KIND(METHOD) | KIND(LOOP))

static t2g_status test_true(t2g_render *r, const t2g_value *v,
                            const t2g_value *argument, bool *is)
{
    (void)r, (void)argument;
    *is = v->kind == VALUE_BOOLEAN && v->boolean;
    return T2G_OK;
}

static t2g_status test_false(t2g_render *r, const t2g_value *v,
                             const t2g_value *argument, bool *is)
{
    (void)r, (void)argument;
    *is = v->kind == VALUE_BOOLEAN && !v->boolean;
    return T2G_OK;
}

static t2g_status test_equal(t2g_render *r, const t2g_value *v,
                             const t2g_value *argument, bool *is)
{
    return t2g_value_equal(r, v, argument, is);
}

static t2g_status test_unequal(t2g_render *r, const t2g_value *v,
                               const t2g_value *argument, bool *is)
{
    T2G_TRY(t2g_value_equal(r, v, argument, is));
    *is = !*is;
    return T2G_OK;
}

static t2g_status test_in(t2g_render *r, const t2g_value *v,
                          const t2g_value *argument, bool *is)
{
    return t2g_value_contains(r, argument, v, is);
}

#define ORDER_TEST(name, relation)                                             \
    static t2g_status name(t2g_render *r, const t2g_value *v,                  \
                           const t2g_value *argument, bool *is)                \
    {                                                                          \
        int order;                                                             \
        T2G_TRY(t2g_value_compare(r, v, argument, &order));                    \
        *is = order relation 0;                                                \
        return T2G_OK;                                                         \
    }

ORDER_TEST(test_less, <)
ORDER_TEST(test_less_equal, <=)
ORDER_TEST(test_greater, >)
ORDER_TEST(test_greater_equal, >=)

static t2g_status divides(const t2g_value *v, int64_t by, int64_t rest,
                          bool *is)
{
    int64_t integer;
    if (v->kind == VALUE_UNDEFINED)
        return t2g_undefined_error(v);
    if (!t2g_value_index(v, &integer) || by == 0)
        return t2g_fail(T2G_ERR_FORMAT, "%s is not an integer to divide",
                        t2g_value_type(v));
    *is = (by == -1 ? 0 : integer % by + (integer % by < 0 ? by : 0)) == rest;
    return T2G_OK;
}

static t2g_status test_even(t2g_render *r, const t2g_value *v,
                            const t2g_value *argument, bool *is)
{
    (void)r, (void)argument;
    return divides(v, 2, 0, is);
}

static t2g_status test_odd(t2g_render *r, const t2g_value *v,
                           const t2g_value *argument, bool *is)
{
    (void)r, (void)argument;
    return divides(v, 2, 1, is);
}

static t2g_status test_divisible(t2g_render *r, const t2g_value *v,
                                 const t2g_value *argument, bool *is)
{
    int64_t by;
    (void)r;
    T2G_TRY(t2g_integer_argument(argument, "the divisor", 1, &by));
    return divides(v, by < 0 && by > INT64_MIN ? -by : by, 0, is);
}

static const t2g_test tests[] = {
    {"defined", test_defined, 0},       {"undefined", test_undefined, 0},
    {"none", test_none, 0},             {"string", test_string, 0},
    {"mapping", test_mapping, 0},       {"boolean", test_boolean, 0},
    {"integer", test_integer, 0},       {"float", test_float, 0},
    {"number", test_number, 0},         {"sequence", test_sequence, 0},
    {"iterable", test_iterable, 0},     {"callable", test_callable, 0},
    {"true", test_true, 0},             {"false", test_false, 0},
    {"eq", test_equal, 1},              {"equalto", test_equal, 1},
    {"==", test_equal, 1},              {"ne", test_unequal, 1},
    {"!=", test_unequal, 1},            {"in", test_in, 1},
    {"lt", test_less, 1},               {"lessthan", test_less, 1},
    {"<", test_less, 1},                {"le", test_less_equal, 1},
    {"<=", test_less_equal, 1},         {"gt", test_greater, 1},
    {"greaterthan", test_greater, 1},   {">", test_greater, 1},
    {"ge", test_greater_equal, 1},      {">=", test_greater_equal, 1},
    {"even", test_even, 0},             {"odd", test_odd, 0},
    {"divisibleby", test_divisible, 1}};

const t2g_test *t2g_test_find(t2g_string name)
{
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++)
        if (t2g_text_is(name, tests[i].name))
            return &tests[i];
    return NULL;
}
