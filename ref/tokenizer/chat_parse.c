/* Tokens into a tree, by recursive descent, a function a level of precedence:
 * Jinja's grammar. */
#include "chat_private.h"

#include <string.h>

typedef struct parser {
    t2g_chat_template *template;
    const t2g_chat_token *token; /* the current one */
    size_t depth, loops;
    bool conditional; /* inside of an if: what is unknown fails only when run */
} parser;

static t2g_status expression(parser *p, t2g_node **out);
static t2g_status or_expression(parser *p, t2g_node **out);
static t2g_status unary(parser *p, bool with_filters, t2g_node **out);
static t2g_status statements(parser *p, t2g_nodes *body,
                             const char *const *end);

/* --- nodes and tokens ---------------------------------------------------- */

static t2g_status new_node(parser *p, t2g_node_kind kind, t2g_place at,
                           t2g_node **out)
{
    t2g_node *n = t2g_arena_take(&p->template->arena, 1, sizeof *n);
    if (!n)
        return T2G_ERR_MEMORY;
    n->kind = kind;
    n->at = at;
    *out = n;
    return T2G_OK;
}

static t2g_status new_operation(parser *p, t2g_node_kind kind, t2g_place at,
                                t2g_node *a, t2g_node *b, t2g_node **out)
{
    t2g_node *n;
    T2G_TRY(new_node(p, kind, at, &n));
    n->a = a;
    n->b = b;
    *out = n;
    return T2G_OK;
}

static t2g_status append(parser *p, t2g_nodes *nodes, t2g_node *node)
{
    if (nodes->count == nodes->capacity) {
        nodes->item = t2g_arena_double(&p->template->arena, nodes->item,
                                       nodes->count, sizeof *nodes->item);
        if (!nodes->item)
            return T2G_ERR_MEMORY;
        nodes->capacity = nodes->count ? 2 * nodes->count : 8;
    }
    nodes->item[nodes->count++] = node;
    return T2G_OK;
}

static bool is(const parser *p, t2g_token_kind kind)
{
    return p->token->kind == kind;
}

static bool is_word(const parser *p, const char *word)
{
    return is(p, TOKEN_NAME) && t2g_text_is(p->token->text, word);
}

static bool skip(parser *p, t2g_token_kind kind)
{
    bool found = is(p, kind);
    p->token += found && kind != TOKEN_END;
    return found;
}

static bool skip_word(parser *p, const char *word)
{
    bool found = is_word(p, word);
    p->token += found;
    return found;
}

static t2g_status unexpected(const parser *p, const char *wanted)
{
    const t2g_chat_token *t = p->token;
    if (t->kind == TOKEN_NAME)
        return t2g_chat_fail(p->template, t->at, T2G_ERR_FORMAT,
                             "'%.*s' where %s is expected", (int)t->text.n,
                             t->text.s, wanted);
    return t2g_chat_fail(p->template, t->at, T2G_ERR_FORMAT,
                         "%s where %s is expected",
                         t2g_token_spelling(t->kind), wanted);
}

static t2g_status refuse(const parser *p, t2g_place at, const char *what)
{
    return t2g_chat_fail(p->template, at, T2G_ERR_UNSUPPORTED,
                         "%s is not supported", what);
}

static t2g_status expect(parser *p, t2g_token_kind kind)
{
    return skip(p, kind) ? T2G_OK : unexpected(p, t2g_token_spelling(kind));
}

static t2g_status expect_name(parser *p, t2g_string *name)
{
    *name = p->token->text;
    return expect(p, TOKEN_NAME);
}

static t2g_status deeper(parser *p)
{
    if (++p->depth <= T2G_CHAT_PARSE_DEPTH)
        return T2G_OK;
    return refuse(p, p->token->at, "nesting this deep");
}

/* --- literals ------------------------------------------------------------ */

/* Expressions up to `close`, each followed by a comma but maybe the last. */
static t2g_status items_until(parser *p, t2g_token_kind close, t2g_nodes *items)
{
    while (!skip(p, close)) {
        t2g_node *item;
        T2G_TRY(expression(p, &item));
        T2G_TRY(append(p, items, item));
        if (!is(p, close))
            T2G_TRY(expect(p, TOKEN_COMMA));
    }
    return T2G_OK;
}

static t2g_status list_literal(parser *p, t2g_node **out)
{
    T2G_TRY(new_node(p, NODE_LIST, p->token->at, out));
    T2G_TRY(expect(p, TOKEN_OPEN_SQUARE));
    return items_until(p, TOKEN_CLOSE_SQUARE, &(*out)->list);
}

static t2g_status dict_literal(parser *p, t2g_node **out)
{
    T2G_TRY(new_node(p, NODE_DICT, p->token->at, out));
    T2G_TRY(expect(p, TOKEN_OPEN_CURLY));
    while (!skip(p, TOKEN_CLOSE_CURLY)) {
        t2g_node *key, *value;
        T2G_TRY(expression(p, &key));
        T2G_TRY(expect(p, TOKEN_COLON));
        T2G_TRY(expression(p, &value));
        T2G_TRY(append(p, &(*out)->list, key));
        T2G_TRY(append(p, &(*out)->list, value));
        if (!is(p, TOKEN_CLOSE_CURLY))
            T2G_TRY(expect(p, TOKEN_COMMA));
    }
    return T2G_OK;
}

static t2g_status constant(parser *p, t2g_value value, t2g_node **out)
{
    T2G_TRY(new_node(p, NODE_CONSTANT, p->token->at, out));
    (*out)->value = value;
    p->token++;
    return T2G_OK;
}

/* Strings next to each other are one. */
static t2g_status string_literal(parser *p, t2g_node **out)
{
    t2g_builder b = {.arena = &p->template->arena};
    T2G_TRY(new_node(p, NODE_CONSTANT, p->token->at, out));
    do
        T2G_TRY(t2g_build(&b, p->token->text));
    while (skip(p, TOKEN_STRING) && is(p, TOKEN_STRING));
    (*out)->value = t2g_value_text(t2g_built(&b));
    return T2G_OK;
}

static t2g_status name_or_keyword(parser *p, t2g_node **out)
{
    if (is_word(p, "true") || is_word(p, "True"))
        return constant(p, t2g_value_boolean(true), out);
    if (is_word(p, "false") || is_word(p, "False"))
        return constant(p, t2g_value_boolean(false), out);
    if (is_word(p, "none") || is_word(p, "None"))
        return constant(p, (t2g_value){.kind = VALUE_NONE}, out);
    T2G_TRY(new_node(p, NODE_NAME, p->token->at, out));
    return expect_name(p, &(*out)->text);
}

typedef t2g_status expression_fn(parser *p, t2g_node **out);

static bool ends_tuple(const parser *p, const char *word)
{
    return is(p, TOKEN_PRINT_END) || is(p, TOKEN_BLOCK_END) ||
           is(p, TOKEN_CLOSE_ROUND) || (word && is_word(p, word));
}

/* One expression, or several with commas: a tuple. It ends before `word`. */
static t2g_status tuple(parser *p, expression_fn *item, const char *word,
                        t2g_node **out)
{
    t2g_place at = p->token->at;
    t2g_node *whole, *one;
    T2G_TRY(item(p, &one));
    *out = one;
    if (!is(p, TOKEN_COMMA))
        return T2G_OK;
    T2G_TRY(new_node(p, NODE_TUPLE, at, &whole));
    T2G_TRY(append(p, &whole->list, one));
    while (skip(p, TOKEN_COMMA) && !ends_tuple(p, word)) {
        T2G_TRY(item(p, &one));
        T2G_TRY(append(p, &whole->list, one));
    }
    *out = whole;
    return T2G_OK;
}

static t2g_status in_parentheses(parser *p, t2g_node **out)
{
    t2g_place at = p->token->at;
    T2G_TRY(expect(p, TOKEN_OPEN_ROUND));
    if (skip(p, TOKEN_CLOSE_ROUND))
        return new_node(p, NODE_TUPLE, at, out);
    T2G_TRY(tuple(p, expression, NULL, out));
    return expect(p, TOKEN_CLOSE_ROUND);
}

static t2g_status primary(parser *p, t2g_node **out)
{
    switch (p->token->kind) {
    case TOKEN_NAME: return name_or_keyword(p, out);
    case TOKEN_STRING: return string_literal(p, out);
    case TOKEN_NUMBER: return constant(p, p->token->value, out);
    case TOKEN_OPEN_ROUND: return in_parentheses(p, out);
    case TOKEN_OPEN_SQUARE: return list_literal(p, out);
    case TOKEN_OPEN_CURLY: return dict_literal(p, out);
    default: return unexpected(p, "an expression");
    }
}

/* --- behind an operand: a.b, a[b], a(b), a|b, a is b --------------------- */

static t2g_status dot(parser *p, t2g_node *object, t2g_node **out)
{
    T2G_TRY(new_operation(p, NODE_ATTRIBUTE, p->token->at, object, NULL, out));
    p->token++;
    if (!is(p, TOKEN_NUMBER))
        return expect_name(p, &(*out)->text);
    (*out)->kind = NODE_SUBSCRIPT;
    return constant(p, p->token->value, &(*out)->b);
}

static bool ends_bound(const parser *p)
{
    return is(p, TOKEN_COLON) || is(p, TOKEN_CLOSE_SQUARE);
}

/* The bounds behind the first one, which may be NULL. */
static t2g_status slice(parser *p, t2g_node *subscript, t2g_node *first)
{
    t2g_node *bound[3] = {first, NULL, NULL};
    for (size_t i = 1; i < 3 && skip(p, TOKEN_COLON); i++)
        if (!ends_bound(p))
            T2G_TRY(expression(p, &bound[i]));
    subscript->kind = NODE_SLICE;
    for (size_t i = 0; i < 3; i++)
        T2G_TRY(append(p, &subscript->list, bound[i]));
    return T2G_OK;
}

static t2g_status square(parser *p, t2g_node *object, t2g_node **out)
{
    t2g_node *key = NULL;
    T2G_TRY(new_operation(p, NODE_SUBSCRIPT, p->token->at, object, NULL, out));
    p->token++;
    if (!is(p, TOKEN_COLON))
        T2G_TRY(expression(p, &key));
    if (is(p, TOKEN_COLON))
        T2G_TRY(slice(p, *out, key));
    (*out)->b = key;
    return expect(p, TOKEN_CLOSE_SQUARE);
}

static t2g_status argument(parser *p, t2g_node *call)
{
    t2g_node *value;
    if (is(p, TOKEN_MULTIPLY) || is(p, TOKEN_POWER))
        return refuse(p, p->token->at, "an argument list by * or **");
    bool named = is(p, TOKEN_NAME) && p->token[1].kind == TOKEN_ASSIGN;
    if (call->named && !named)
        return unexpected(p, "an argument with a name");
    if (named) {
        t2g_string *names = t2g_arena_take(&p->template->arena, call->named + 1,
                                         sizeof *names);
        if (!names)
            return T2G_ERR_MEMORY;
        if (call->named)
            memcpy(names, call->argument_name, call->named * sizeof *names);
        names[call->named++] = p->token->text;
        call->argument_name = names;
        p->token += 2;
    }
    T2G_TRY(expression(p, &value));
    return append(p, &call->list, value);
}

static t2g_status arguments(parser *p, t2g_node *call)
{
    T2G_TRY(expect(p, TOKEN_OPEN_ROUND));
    while (!skip(p, TOKEN_CLOSE_ROUND)) {
        T2G_TRY(argument(p, call));
        if (!is(p, TOKEN_CLOSE_ROUND))
            T2G_TRY(expect(p, TOKEN_COMMA));
    }
    return T2G_OK;
}

static t2g_status call(parser *p, t2g_node *callee, t2g_node **out)
{
    T2G_TRY(new_operation(p, NODE_CALL, p->token->at, callee, NULL, out));
    return arguments(p, *out);
}

/* An unknown name is an error, but inside of an if only when it is used. */
static t2g_status unknown(const parser *p, const char *what, const t2g_node *n)
{
    if (p->conditional)
        return T2G_OK;
    return t2g_chat_fail(p->template, n->at, T2G_ERR_UNSUPPORTED,
                         "the %s '%.*s' is not supported", what,
                         (int)n->text.n, n->text.s);
}

static t2g_status filter(parser *p, t2g_node *value, t2g_node **out)
{
    p->token++;
    T2G_TRY(new_operation(p, NODE_FILTER, p->token->at, value, NULL, out));
    T2G_TRY(expect_name(p, &(*out)->text));
    (*out)->filter = t2g_filter_find((*out)->text);
    if (!(*out)->filter)
        T2G_TRY(unknown(p, "filter", *out));
    return is(p, TOKEN_OPEN_ROUND) ? arguments(p, *out) : T2G_OK;
}

static t2g_status postfix(parser *p, t2g_node **out)
{
    for (;;) {
        if (is(p, TOKEN_DOT))
            T2G_TRY(dot(p, *out, out));
        else if (is(p, TOKEN_OPEN_SQUARE))
            T2G_TRY(square(p, *out, out));
        else if (is(p, TOKEN_OPEN_ROUND))
            T2G_TRY(call(p, *out, out));
        else
            return T2G_OK;
    }
}

/* An argument without parentheses: `x is divisibleby 3`. */
static bool begins_argument(const parser *p)
{
    switch (p->token->kind) {
    case TOKEN_NAME:
        return !is_word(p, "else") && !is_word(p, "or") && !is_word(p, "and");
    case TOKEN_STRING: case TOKEN_NUMBER: case TOKEN_OPEN_SQUARE:
    case TOKEN_OPEN_CURLY:
        return true;
    default:
        return false;
    }
}

static t2g_status test_argument(parser *p, t2g_node *n)
{
    t2g_node *argument;
    if (is(p, TOKEN_OPEN_ROUND))
        return arguments(p, n);
    if (!begins_argument(p))
        return T2G_OK;
    if (is_word(p, "is"))
        return unexpected(p, "the end of the test");
    T2G_TRY(primary(p, &argument));
    T2G_TRY(postfix(p, &argument));
    return append(p, &n->list, argument);
}

static t2g_status test(parser *p, t2g_node *value, t2g_node **out)
{
    t2g_node *n;
    p->token++;
    bool negated = skip_word(p, "not");
    T2G_TRY(new_operation(p, NODE_TEST, p->token->at, value, NULL, &n));
    T2G_TRY(expect_name(p, &n->text));
    n->test = t2g_test_find(n->text);
    if (!n->test)
        T2G_TRY(unknown(p, "test", n));
    T2G_TRY(test_argument(p, n));
    if (n->test && (n->list.count != n->test->arguments || n->named))
        return t2g_chat_fail(p->template, n->at, T2G_ERR_FORMAT,
                             "the test '%s' takes %zu arguments",
                             n->test->name, n->test->arguments);
    *out = n;
    return negated ? new_operation(p, NODE_NOT, n->at, n, NULL, out) : T2G_OK;
}

static t2g_status filters_and_tests(parser *p, t2g_node **out)
{
    for (;;) {
        if (is(p, TOKEN_PIPE))
            T2G_TRY(filter(p, *out, out));
        else if (is_word(p, "is"))
            T2G_TRY(test(p, *out, out));
        else if (is(p, TOKEN_OPEN_ROUND))
            T2G_TRY(call(p, *out, out));
        else
            return T2G_OK;
    }
}

/* --- operators ----------------------------------------------------------- */

static t2g_status signed_operand(parser *p, t2g_node **out)
{
    t2g_node *operand;
    t2g_place at = p->token->at;
    t2g_node_kind kind = is(p, TOKEN_SUBTRACT) ? NODE_NEGATE : NODE_POSITIVE;
    p->token++;
    T2G_TRY(deeper(p));
    T2G_TRY(unary(p, false, &operand));
    p->depth--;
    return new_operation(p, kind, at, operand, NULL, out);
}

static t2g_status unary(parser *p, bool with_filters, t2g_node **out)
{
    bool is_signed = is(p, TOKEN_SUBTRACT) || is(p, TOKEN_ADD);
    T2G_TRY(is_signed ? signed_operand(p, out) : primary(p, out));
    T2G_TRY(postfix(p, out));
    return with_filters ? filters_and_tests(p, out) : T2G_OK;
}

static t2g_status operand(parser *p, t2g_node **out)
{
    T2G_TRY(unary(p, true, out));
    if (is(p, TOKEN_POWER))
        return refuse(p, p->token->at, "the operator **");
    return T2G_OK;
}

/* left OP right OP right ..., OP being one of first..last. */
static t2g_status binary(parser *p, expression_fn *part, t2g_token_kind first,
                         t2g_token_kind last, t2g_node **out)
{
    T2G_TRY(part(p, out));
    while (p->token->kind >= first && p->token->kind <= last) {
        const t2g_chat_token *op = p->token++;
        t2g_node *right;
        T2G_TRY(part(p, &right));
        T2G_TRY(new_operation(p, NODE_BINARY, op->at, *out, right, out));
        (*out)->op = (int)op->kind;
    }
    return T2G_OK;
}

static t2g_status product(parser *p, t2g_node **out)
{
    T2G_TRY(operand(p, out));
    while ((p->token->kind >= TOKEN_MULTIPLY && p->token->kind <= TOKEN_MODULO)
           || is(p, TOKEN_FLOOR_DIVIDE)) {
        const t2g_chat_token *op = p->token++;
        t2g_node *right;
        T2G_TRY(operand(p, &right));
        T2G_TRY(new_operation(p, NODE_BINARY, op->at, *out, right, out));
        (*out)->op = (int)op->kind;
    }
    return T2G_OK;
}

static t2g_status joined(parser *p, t2g_node **out)
{
    t2g_node *whole, *part;
    T2G_TRY(product(p, out));
    if (!is(p, TOKEN_TILDE))
        return T2G_OK;
    T2G_TRY(new_node(p, NODE_JOIN, p->token->at, &whole));
    T2G_TRY(append(p, &whole->list, *out));
    while (skip(p, TOKEN_TILDE)) {
        T2G_TRY(product(p, &part));
        T2G_TRY(append(p, &whole->list, part));
    }
    *out = whole;
    return T2G_OK;
}

static t2g_status sum(parser *p, t2g_node **out)
{
    return binary(p, joined, TOKEN_ADD, TOKEN_SUBTRACT, out);
}

/* True, and the token passed, if an operator of comparison is next. */
static bool comparison_operator(parser *p, int *op)
{
    *op = (int)p->token->kind;
    if (skip(p, TOKEN_EQUAL) || skip(p, TOKEN_NOT_EQUAL) ||
        skip(p, TOKEN_LESS) || skip(p, TOKEN_LESS_EQUAL) ||
        skip(p, TOKEN_GREATER) || skip(p, TOKEN_GREATER_EQUAL))
        return true;
    *op = TOKEN_IN;
    if (skip_word(p, "in"))
        return true;
    *op = TOKEN_NOT_IN;
    if (!is_word(p, "not") || p->token[1].kind != TOKEN_NAME ||
        !t2g_text_is(p->token[1].text, "in"))
        return false;
    p->token += 2;
    return true;
}

static t2g_status comparison(parser *p, t2g_node **out)
{
    int op;
    t2g_node *whole = NULL;
    T2G_TRY(sum(p, out));
    for (t2g_place at = p->token->at; comparison_operator(p, &op);
         at = p->token->at) {
        t2g_node *right, *part;
        T2G_TRY(sum(p, &right));
        if (!whole)
            T2G_TRY(new_operation(p, NODE_COMPARE, at, *out, NULL, &whole));
        T2G_TRY(new_operation(p, NODE_OPERAND, at, right, NULL, &part));
        part->op = op;
        T2G_TRY(append(p, &whole->list, part));
        *out = whole;
    }
    return T2G_OK;
}

static t2g_status negation(parser *p, t2g_node **out)
{
    t2g_node *operand;
    t2g_place at = p->token->at;
    if (!skip_word(p, "not"))
        return comparison(p, out);
    T2G_TRY(deeper(p));
    T2G_TRY(negation(p, &operand));
    p->depth--;
    return new_operation(p, NODE_NOT, at, operand, NULL, out);
}

static t2g_status logical(parser *p, expression_fn *part, const char *word,
                          t2g_node_kind kind, t2g_node **out)
{
    T2G_TRY(part(p, out));
    for (t2g_place at = p->token->at; skip_word(p, word); at = p->token->at) {
        t2g_node *right;
        T2G_TRY(part(p, &right));
        T2G_TRY(new_operation(p, kind, at, *out, right, out));
    }
    return T2G_OK;
}

static t2g_status and_expression(parser *p, t2g_node **out)
{
    return logical(p, negation, "and", NODE_AND, out);
}

static t2g_status or_expression(parser *p, t2g_node **out)
{
    return logical(p, and_expression, "or", NODE_OR, out);
}

static t2g_status condition(parser *p, t2g_node **out)
{
    T2G_TRY(or_expression(p, out));
    for (t2g_place at = p->token->at; skip_word(p, "if"); at = p->token->at) {
        t2g_node *whole;
        T2G_TRY(new_operation(p, NODE_CONDITION, at, NULL, *out, &whole));
        T2G_TRY(or_expression(p, &whole->a));
        if (skip_word(p, "else"))
            T2G_TRY(expression(p, &whole->c));
        *out = whole;
    }
    return T2G_OK;
}

static t2g_status expression(parser *p, t2g_node **out)
{
    T2G_TRY(deeper(p));
    T2G_TRY(condition(p, out));
    p->depth--;
    return T2G_OK;
}

/* --- statements ---------------------------------------------------------- */

static t2g_status block_end(parser *p)
{
    return expect(p, TOKEN_BLOCK_END);
}

/* What stands between two tags; the second's word becomes the current token,
 * which is passed if `close`, the only word that may end it, is given. */
static t2g_status body_until(parser *p, t2g_nodes *body, const char *close)
{
    const char *const end[] = {close, NULL};
    T2G_TRY(statements(p, body, end));
    p->token++;
    return T2G_OK;
}

static t2g_status if_statement(parser *p, t2g_node **out)
{
    static const char *const end[] = {"elif", "else", "endif", NULL};
    t2g_node **part = out;
    bool was_conditional = p->conditional;
    p->conditional = true;
    for (bool more = true; more;) {
        T2G_TRY(new_node(p, NODE_IF, p->token->at, part));
        p->token++;
        T2G_TRY(tuple(p, or_expression, NULL, &(*part)->a));
        T2G_TRY(statements(p, &(*part)->body, end));
        more = is_word(p, "elif");
        if (more)
            part = &(*part)->c;
    }
    if (skip_word(p, "else"))
        T2G_TRY(body_until(p, &(*part)->otherwise, "endif"));
    else
        p->token++;
    p->conditional = was_conditional;
    return T2G_OK;
}

/* A name, or several. */
static t2g_status check_target(const parser *p, const t2g_node *n)
{
    if (n->kind == NODE_NAME)
        return T2G_OK;
    if (n->kind != NODE_TUPLE)
        return t2g_chat_fail(p->template, n->at, T2G_ERR_FORMAT,
                             "only names can be assigned to");
    for (size_t i = 0; i < n->list.count; i++)
        if (n->list.item[i]->kind != NODE_NAME)
            return refuse(p, n->list.item[i]->at, "a target inside a target");
    return T2G_OK;
}

static t2g_status for_statement(parser *p, t2g_node **out)
{
    static const char *const end[] = {"else", "endfor", NULL};
    T2G_TRY(new_node(p, NODE_FOR, p->token->at, out));
    t2g_node *n = *out;
    p->token++;
    T2G_TRY(tuple(p, primary, "in", &n->a));
    T2G_TRY(check_target(p, n->a));
    if (!skip_word(p, "in"))
        return unexpected(p, "in");
    T2G_TRY(tuple(p, or_expression, "recursive", &n->b));
    if (skip_word(p, "if"))
        T2G_TRY(expression(p, &n->c));
    if (is_word(p, "recursive"))
        return refuse(p, p->token->at, "a recursive loop");
    p->loops++;
    T2G_TRY(statements(p, &n->body, end));
    p->loops--;
    if (!skip_word(p, "else")) {
        p->token++;
        return T2G_OK;
    }
    return body_until(p, &n->otherwise, "endfor");
}

/* A body that loops outside of it do not reach into. */
static t2g_status closed_body(parser *p, t2g_nodes *body, const char *close)
{
    size_t loops = p->loops;
    p->loops = 0;
    T2G_TRY(body_until(p, body, close));
    p->loops = loops;
    return T2G_OK;
}

static t2g_status set_member(parser *p, t2g_node *n)
{
    n->kind = NODE_SET_MEMBER;
    T2G_TRY(name_or_keyword(p, &n->a));
    T2G_TRY(expect(p, TOKEN_DOT));
    T2G_TRY(expect_name(p, &n->text));
    T2G_TRY(expect(p, TOKEN_ASSIGN));
    return tuple(p, expression, NULL, &n->b);
}

static t2g_status set_statement(parser *p, t2g_node **out)
{
    T2G_TRY(new_node(p, NODE_SET, p->token->at, out));
    t2g_node *n = *out;
    p->token++;
    if (is(p, TOKEN_NAME) && p->token[1].kind == TOKEN_DOT)
        return set_member(p, n);
    T2G_TRY(tuple(p, primary, NULL, &n->a));
    T2G_TRY(check_target(p, n->a));
    if (skip(p, TOKEN_ASSIGN))
        return tuple(p, expression, NULL, &n->b);
    if (is(p, TOKEN_PIPE))
        return refuse(p, p->token->at, "a filter on a block");
    if (n->a->kind != NODE_NAME)
        return unexpected(p, "=");
    n->kind = NODE_SET_BLOCK;
    return closed_body(p, &n->body, "endset");
}

static t2g_status parameter(parser *p, t2g_node *macro)
{
    t2g_node *name, *value;
    T2G_TRY(new_node(p, NODE_NAME, p->token->at, &name));
    T2G_TRY(expect_name(p, &name->text));
    T2G_TRY(append(p, &macro->list, name));
    if (!skip(p, TOKEN_ASSIGN))
        return macro->otherwise.count ? unexpected(p, "a default value")
                                      : T2G_OK;
    T2G_TRY(expression(p, &value));
    return append(p, &macro->otherwise, value);
}

static t2g_status macro_statement(parser *p, t2g_node **out)
{
    T2G_TRY(new_node(p, NODE_MACRO, p->token->at, out));
    t2g_node *n = *out;
    p->token++;
    T2G_TRY(expect_name(p, &n->text));
    T2G_TRY(expect(p, TOKEN_OPEN_ROUND));
    while (!skip(p, TOKEN_CLOSE_ROUND)) {
        T2G_TRY(parameter(p, n));
        if (!is(p, TOKEN_CLOSE_ROUND))
            T2G_TRY(expect(p, TOKEN_COMMA));
    }
    return closed_body(p, &n->body, "endmacro");
}

static t2g_status generation_statement(parser *p, t2g_node **out)
{
    T2G_TRY(new_node(p, NODE_GENERATION, p->token->at, out));
    p->token++;
    p->template->has_generation = true;
    return closed_body(p, &(*out)->body, "endgeneration");
}

static t2g_status loop_control(parser *p, t2g_node **out)
{
    bool is_break = is_word(p, "break");
    if (!p->loops)
        return t2g_chat_fail(p->template, p->token->at, T2G_ERR_FORMAT,
                             "'%s' outside of a loop",
                             is_break ? "break" : "continue");
    T2G_TRY(new_node(p, is_break ? NODE_BREAK : NODE_CONTINUE, p->token->at,
                     out));
    p->token++;
    return T2G_OK;
}

static const struct {
    const char *name;
    expression_fn *parse;
} tags[] = {{"if", if_statement},       {"for", for_statement},
            {"set", set_statement},     {"macro", macro_statement},
            {"break", loop_control},    {"continue", loop_control},
            {"generation", generation_statement}};
enum { TAGS = sizeof tags / sizeof *tags };

static t2g_status tag(parser *p, t2g_node **out)
{
    for (size_t i = 0; i < TAGS; i++)
        if (is_word(p, tags[i].name)) {
            T2G_TRY(deeper(p));
            T2G_TRY(tags[i].parse(p, out));
            p->depth--;
            return block_end(p);
        }
    if (!is(p, TOKEN_NAME))
        return unexpected(p, "the name of a tag");
    return t2g_chat_fail(p->template, p->token->at, T2G_ERR_UNSUPPORTED,
                         "the tag '%.*s' is not supported here",
                         (int)p->token->text.n, p->token->text.s);
}

static t2g_status statement(parser *p, t2g_node **out)
{
    if (is(p, TOKEN_BLOCK_BEGIN)) {
        p->token++;
        return tag(p, out);
    }
    if (is(p, TOKEN_DATA)) {
        T2G_TRY(new_node(p, NODE_DATA, p->token->at, out));
        (*out)->text = p->token->text;
        p->token++;
        return T2G_OK;
    }
    T2G_TRY(new_node(p, NODE_PRINT, p->token->at, out));
    T2G_TRY(expect(p, TOKEN_PRINT_BEGIN));
    T2G_TRY(tuple(p, expression, NULL, &(*out)->a));
    return expect(p, TOKEN_PRINT_END);
}

static bool at_end_tag(const parser *p, const char *const *end)
{
    const t2g_chat_token *word = p->token + 1;
    if (!is(p, TOKEN_BLOCK_BEGIN) || word->kind != TOKEN_NAME)
        return false;
    while (*end && !t2g_text_is(word->text, *end))
        end++;
    return *end != NULL;
}

/* The rest of a tag, and the statements up to a tag whose word is one of `end`:
 * the word becomes the current token. */
static t2g_status statements(parser *p, t2g_nodes *body, const char *const *end)
{
    skip(p, TOKEN_COLON);
    T2G_TRY(block_end(p));
    while (!at_end_tag(p, end)) {
        t2g_node *one;
        if (is(p, TOKEN_END))
            return unexpected(p, end[1] ? end[0] : *end);
        T2G_TRY(statement(p, &one));
        T2G_TRY(append(p, body, one));
    }
    p->token++;
    return T2G_OK;
}

t2g_status t2g_chat_parse(t2g_chat_template *t, const t2g_chat_tokens *tokens)
{
    parser p = {.template = t, .token = tokens->token};
    while (!is(&p, TOKEN_END)) {
        t2g_node *one;
        T2G_TRY(statement(&p, &one));
        T2G_TRY(append(&p, &t->body, one));
    }
    return T2G_OK;
}
