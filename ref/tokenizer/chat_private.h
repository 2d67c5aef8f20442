/* What the parts of the chat template interpreter share: text to tokens
 * (chat_lex), tokens to a tree (chat_parse), the tree run over values
 * (chat_eval). All objects of a template or of a rendering lie in its arena and
 * go with it; nothing is freed alone. */
#ifndef T2G_CHAT_PRIVATE_H
#define T2G_CHAT_PRIVATE_H

#include "t2g/chat.h"

/* --- limits -------------------------------------------------------------- */

enum {
    T2G_CHAT_TEMPLATE_BYTES = 1 << 20,
    T2G_CHAT_PARSE_DEPTH = 100,      /* brackets and blocks in each other */
    T2G_CHAT_DEPTH = 500,            /* nodes and macros in each other */
    T2G_CHAT_DATA_DEPTH = 100,       /* lists and dicts in each other */
    T2G_CHAT_MEMORY = 256 << 20,     /* bytes of one rendering */
    T2G_CHAT_STEPS = 50 * 1000 * 1000,
    T2G_CHAT_RANGE = 100000          /* as Jinja's sandbox */
};

/* --- arena --------------------------------------------------------------- */

typedef struct t2g_arena_chunk t2g_arena_chunk;

typedef struct t2g_arena {
    t2g_arena_chunk *chunk;
    size_t total;
} t2g_arena;

/* Zeroed, aligned to 16. NULL, with a message: no memory, or past the limit. */
void *t2g_arena_take(t2g_arena *a, size_t count, size_t size);
/* The first `count` elements moved to twice the room, at least 8. */
void *t2g_arena_double(t2g_arena *a, const void *old, size_t count,
                       size_t size);
void t2g_arena_free(t2g_arena *a);

/* --- text ---------------------------------------------------------------- */

/* UTF-8. from_input has a byte for each, 1 = of the input; NULL: none is. */
typedef struct t2g_string {
    const char *s;
    const unsigned char *from_input;
    size_t n;
} t2g_string;

#define TEXT(literal) ((t2g_string){literal, NULL, sizeof literal - 1})

#define T2G_NOWHERE SIZE_MAX

t2g_string t2g_text_of(const char *s);
bool t2g_text_is(t2g_string a, const char *s);
bool t2g_text_same(t2g_string a, t2g_string b);
int t2g_text_compare(t2g_string a, t2g_string b);
/* Bytes [begin, end). */
t2g_string t2g_text_part(t2g_string a, size_t begin, size_t end);
size_t t2g_text_characters(t2g_string a);
/* Byte of the index-th character, n behind the last. */
size_t t2g_text_byte(t2g_string a, size_t index);
/* First place of needle at or behind `from`, or T2G_NOWHERE. */
size_t t2g_text_find(t2g_string a, t2g_string needle, size_t from);
size_t t2g_text_find_last(t2g_string a, t2g_string needle, size_t end);
bool t2g_text_starts(t2g_string a, t2g_string prefix);
bool t2g_text_ends(t2g_string a, t2g_string suffix);
/* The end of the line at `at`, and where the next one begins. */
size_t t2g_text_line(t2g_string a, size_t at, size_t *next);
enum { T2G_STRIP_LEFT = 1, T2G_STRIP_RIGHT = 2, T2G_STRIP_BOTH = 3 };
/* Without characters of the set at the ends; NULL: white space of Python. */
t2g_string t2g_text_strip(t2g_string a, const t2g_string *set, unsigned sides);

/* Text that grows. */
typedef struct t2g_builder {
    t2g_arena *arena;
    char *s;
    unsigned char *from_input;
    size_t n, capacity;
} t2g_builder;

T2G_CHECK t2g_status t2g_build(t2g_builder *b, t2g_string text);
/* Bytes that are all out of the input, or none. */
T2G_CHECK t2g_status t2g_build_bytes(t2g_builder *b, const char *s, size_t n,
                                     bool from_input);
T2G_CHECK t2g_status t2g_build_repeated(t2g_builder *b, t2g_string text,
                                        int64_t times);
t2g_string t2g_built(const t2g_builder *b);

typedef enum { T2G_UPPER, T2G_LOWER, T2G_TITLE } t2g_case;
/* str.upper, lower, title, capitalize of Python; the filter `title`. */
T2G_CHECK t2g_status t2g_text_case(t2g_builder *b, t2g_string a, t2g_case to);
T2G_CHECK t2g_status t2g_text_capitalize(t2g_builder *b, t2g_string a);
T2G_CHECK t2g_status t2g_text_title_words(t2g_builder *b, t2g_string a);

/* --- values -------------------------------------------------------------- */

typedef enum t2g_value_kind {
    VALUE_ABSENT, /* an argument that was not given */
    VALUE_UNDEFINED,
    VALUE_NONE,
    VALUE_BOOLEAN,
    VALUE_INTEGER,
    VALUE_REAL,
    VALUE_STRING,
    VALUE_LIST,
    VALUE_TUPLE,
    VALUE_VIEW,      /* what dict.items() gives: may be walked, not indexed */
    VALUE_GENERATOR, /* what map and select give: may be walked once */
    VALUE_DICT,
    VALUE_NAMESPACE,
    VALUE_LOOP,
    VALUE_MACRO,
    VALUE_FUNCTION,
    VALUE_METHOD
} t2g_value_kind;

typedef struct t2g_value t2g_value;
typedef struct t2g_node t2g_node;
typedef struct t2g_render t2g_render;
typedef struct t2g_scope t2g_scope;
typedef struct t2g_callable t2g_callable;

typedef struct t2g_list {
    t2g_value *item;
    size_t count, capacity;
    bool walked;   /* a generator that is used up */
    bool is_range; /* a list but when it is printed */
} t2g_list;

typedef struct t2g_dict {
    t2g_value *key, *value;
    size_t count, capacity;
} t2g_dict;

typedef struct t2g_loop {
    const t2g_list *items;
    size_t index;
    t2g_list *changed; /* the arguments of the latest loop.changed */
} t2g_loop;

typedef struct t2g_macro {
    const t2g_node *node;
    t2g_scope *scope; /* where it was defined */
} t2g_macro;

typedef struct t2g_method {
    const t2g_value *self;
    const t2g_callable *callable; /* NULL: Jinja's sandbox forbids it */
    t2g_string name;
} t2g_method;

struct t2g_value {
    t2g_value_kind kind;
    bool is_attribute; /* undefined: what has no attribute `text` */
    bool is_safe;      /* a string that |safe gave: + escapes what it meets */
    union {
        bool boolean;
        int64_t integer;
        double real;
        t2g_string text; /* a string; undefined: the name */
        t2g_list *list;
        t2g_dict *dict; /* dict, namespace */
        t2g_loop *loop;
        t2g_macro macro;
        const t2g_callable *function;
        const t2g_method *method;
    };
};

t2g_value t2g_value_boolean(bool b);
t2g_value t2g_value_integer(int64_t i);
t2g_value t2g_value_text(t2g_string text);
/* "str", "dict", ... */
const char *t2g_value_type(const t2g_value *v);
/* T2G_ERR_FORMAT with the message Jinja gives for an undefined value. */
t2g_status t2g_undefined_error(const t2g_value *v);

bool t2g_value_true(const t2g_value *v);
T2G_CHECK t2g_status t2g_value_equal(t2g_render *r, const t2g_value *a,
                                     const t2g_value *b, bool *equal);
/* *order < 0, 0, > 0. Fails where Python has no order. */
T2G_CHECK t2g_status t2g_value_compare(t2g_render *r, const t2g_value *a,
                                       const t2g_value *b, int *order);
T2G_CHECK t2g_status t2g_value_contains(t2g_render *r, const t2g_value *whole,
                                        const t2g_value *part, bool *found);
/* Number of a boolean, integer or real as a real. */
bool t2g_value_number(const t2g_value *v, double *number);
/* Booleans are integers too. */
bool t2g_value_index(const t2g_value *v, int64_t *index);
T2G_CHECK t2g_status t2g_value_length(const t2g_value *v, size_t *length);

T2G_CHECK t2g_status t2g_list_new(t2g_render *r, t2g_value_kind kind,
                                  t2g_value *out);
T2G_CHECK t2g_status t2g_list_add(t2g_render *r, t2g_list *list,
                                  const t2g_value *item);
/* The items of anything that may be walked: characters, keys, ... */
T2G_CHECK t2g_status t2g_walk(t2g_render *r, const t2g_value *v,
                              const t2g_list **items);
T2G_CHECK t2g_status t2g_sort(t2g_render *r, t2g_list *items,
                              const t2g_value *keys, bool reverse);

T2G_CHECK t2g_status t2g_dict_new(t2g_render *r, t2g_value_kind kind,
                                  t2g_value *out);
T2G_CHECK t2g_status t2g_dict_set(t2g_render *r, t2g_dict *d,
                                  const t2g_value *key, const t2g_value *value);
/* *found = NULL if there is none. */
T2G_CHECK t2g_status t2g_dict_find(t2g_render *r, const t2g_dict *d,
                                   const t2g_value *key, t2g_value **found);
const t2g_value *t2g_dict_get(const t2g_dict *d, const char *key);

/* A JSON value; its strings are marked as input. */
T2G_CHECK t2g_status t2g_value_from_json(t2g_render *r, const json_t *json,
                                         t2g_value *out);

/* str(), repr() of Python and json.dumps. */
T2G_CHECK t2g_status t2g_print(t2g_render *r, t2g_builder *b,
                               const t2g_value *v);
T2G_CHECK t2g_status t2g_print_text(t2g_render *r, const t2g_value *v,
                                    t2g_string *out);

typedef struct t2g_json_style {
    bool ensure_ascii, sort_keys, indented;
    t2g_string indent, item_separator, key_separator;
} t2g_json_style;
T2G_CHECK t2g_status t2g_print_json(t2g_render *r, t2g_builder *b,
                                    const t2g_value *v,
                                    const t2g_json_style *style);

/* --- what can be called -------------------------------------------------- */

typedef struct t2g_arguments {
    t2g_value *value;
    size_t count;
    t2g_string *name; /* [named]: of the last ones */
    size_t named;   /* value has count + named */
} t2g_arguments;

enum { T2G_PARAMETERS = 4 };

/* A filter, method or function. self: what is in front of it. argument: the
 * arguments by parameter, VALUE_ABSENT where not given. A variadic one gets
 * them as they are. */
typedef t2g_status t2g_callable_fn(t2g_render *r, const t2g_value *self,
                                   const t2g_value *argument, t2g_value *out);
typedef t2g_status t2g_variadic_fn(t2g_render *r, const t2g_value *self,
                                   const t2g_arguments *arguments,
                                   t2g_value *out);

struct t2g_callable {
    const char *name;
    t2g_callable_fn *run;
    t2g_variadic_fn *run_variadic; /* this or run */
    size_t required;
    const char *parameter[T2G_PARAMETERS];
};

typedef t2g_status t2g_test_fn(t2g_render *r, const t2g_value *v,
                               const t2g_value *argument, bool *is);
typedef struct t2g_test {
    const char *name;
    t2g_test_fn *run;
    size_t arguments;
} t2g_test;

/* NULL: no such. */
const t2g_callable *t2g_filter_find(t2g_string name);
const t2g_test *t2g_test_find(t2g_string name);
const t2g_callable *t2g_function_at(size_t i);
/* True if Python's type of v has a method of that name; *callable = NULL where
 * we, or Jinja's sandbox, have none. */
bool t2g_method_find(const t2g_value *v, t2g_string name,
                     const t2g_callable **callable);

T2G_CHECK t2g_status t2g_call(t2g_render *r, const t2g_callable *c,
                              const t2g_value *self,
                              const t2g_arguments *arguments, t2g_value *out);
/* a.name and a[key]. */
T2G_CHECK t2g_status t2g_attribute(t2g_render *r, const t2g_value *v,
                                   t2g_string name, t2g_value *out);
T2G_CHECK t2g_status t2g_subscript(t2g_render *r, const t2g_value *v,
                                   const t2g_value *key, t2g_value *out);
/* An argument as text, integer; the default if absent (or none). */
T2G_CHECK t2g_status t2g_text_argument(const t2g_value *v, const char *what,
                                       t2g_string absent, t2g_string *out);
T2G_CHECK t2g_status t2g_integer_argument(const t2g_value *v, const char *what,
                                          int64_t absent, int64_t *out);

/* --- the tree ------------------------------------------------------------ */

typedef struct t2g_place {
    unsigned line, column;
} t2g_place;

typedef enum t2g_node_kind {
    /* expressions          text, value        a, b, c           list */
    NODE_CONSTANT,       /* value */
    NODE_NAME,           /* name */
    NODE_LIST,           /*                                      items */
    NODE_TUPLE,          /*                                      items */
    NODE_DICT,           /*                                      key, value.. */
    NODE_ATTRIBUTE,      /* name               object */
    NODE_SUBSCRIPT,      /*                    object, key */
    NODE_SLICE,          /*                    object      [3] bounds or NULL */
    NODE_CALL,           /*                    callee            arguments */
    NODE_FILTER,         /* name               value             arguments */
    NODE_TEST,           /* name               value             arguments */
    NODE_NOT,            /*                    operand */
    NODE_NEGATE,         /*                    operand */
    NODE_POSITIVE,       /*                    operand */
    NODE_AND,            /*                    left, right */
    NODE_OR,             /*                    left, right */
    NODE_CONDITION,      /*                    test, then, else or NULL */
    NODE_COMPARE,        /*                    first             operands */
    NODE_OPERAND,        /* operator           right */
    NODE_BINARY,         /* operator           left, right */
    NODE_JOIN,           /*                                      items of ~ */
    /* statements */
    NODE_DATA,           /* text */
    NODE_PRINT,          /*                    value */
    NODE_IF,             /*       test, -, next elif or NULL; body, otherwise */
    NODE_FOR,            /*      target, items, test or NULL; body, otherwise */
    NODE_SET,            /*                    target, value */
    NODE_SET_BLOCK,      /*                    target;           body */
    NODE_SET_MEMBER,     /* name               namespace, value */
    NODE_MACRO,          /* name       parameters in list; defaults of the last
                            ones in otherwise; body */
    NODE_GENERATION,     /*                                      body */
    NODE_BREAK,
    NODE_CONTINUE
} t2g_node_kind;

typedef struct t2g_nodes {
    t2g_node **item;
    size_t count, capacity;
} t2g_nodes;

struct t2g_node {
    t2g_node_kind kind;
    t2g_place at;
    t2g_string text;
    t2g_value value;
    int op; /* t2g_token_kind of operators */
    t2g_node *a, *b, *c;
    t2g_nodes list, body, otherwise;
    t2g_string *argument_name; /* of the last `named` in list */
    size_t named;
    const t2g_callable *filter; /* NULL: unknown, an error when it is used */
    const t2g_test *test;
};

/* --- tokens -------------------------------------------------------------- */

typedef enum t2g_token_kind {
    TOKEN_DATA, TOKEN_PRINT_BEGIN, TOKEN_PRINT_END, TOKEN_BLOCK_BEGIN,
    TOKEN_BLOCK_END, TOKEN_NAME, TOKEN_STRING, TOKEN_NUMBER, TOKEN_END,
    /* operators, in the order of their spellings in chat_lex.c */
    TOKEN_POWER, TOKEN_FLOOR_DIVIDE, TOKEN_EQUAL, TOKEN_NOT_EQUAL,
    TOKEN_LESS_EQUAL, TOKEN_GREATER_EQUAL, TOKEN_ADD, TOKEN_SUBTRACT,
    TOKEN_MULTIPLY, TOKEN_DIVIDE, TOKEN_MODULO, TOKEN_TILDE, TOKEN_LESS,
    TOKEN_GREATER, TOKEN_ASSIGN, TOKEN_DOT, TOKEN_COLON, TOKEN_PIPE,
    TOKEN_COMMA, TOKEN_SEMICOLON, TOKEN_OPEN_ROUND, TOKEN_CLOSE_ROUND,
    TOKEN_OPEN_SQUARE, TOKEN_CLOSE_SQUARE, TOKEN_OPEN_CURLY, TOKEN_CLOSE_CURLY,
    /* two words, only in trees */
    TOKEN_IN, TOKEN_NOT_IN
} t2g_token_kind;

typedef struct t2g_chat_token {
    t2g_token_kind kind;
    t2g_place at;
    t2g_string text;   /* name, string, data */
    t2g_value value; /* number */
} t2g_chat_token;

typedef struct t2g_chat_tokens {
    t2g_chat_token *token; /* the last is TOKEN_END */
    size_t count, capacity;
} t2g_chat_tokens;

const char *t2g_token_spelling(t2g_token_kind kind);

struct t2g_chat_template {
    t2g_arena arena;
    char *name;
    t2g_nodes body;
    bool has_generation;
};

T2G_CHECK t2g_status t2g_chat_lex(t2g_chat_template *t, const char *text,
                                  size_t n, t2g_chat_tokens *out);
T2G_CHECK t2g_status t2g_chat_parse(t2g_chat_template *t,
                                    const t2g_chat_tokens *tokens);
/* A failure at a place of the template. */
t2g_status t2g_chat_fail(const t2g_chat_template *t, t2g_place at, t2g_status s,
                         const char *fmt, ...) T2G_PRINTF(4, 5);

/* --- rendering ----------------------------------------------------------- */

typedef enum { FLOW_ON, FLOW_BREAK, FLOW_CONTINUE } t2g_flow;

typedef struct t2g_variable {
    t2g_string name;
    t2g_value value;
} t2g_variable;

struct t2g_scope {
    t2g_scope *parent;
    t2g_variable *variable;
    size_t count, capacity;
};

struct t2g_render {
    const t2g_chat_template *template;
    t2g_arena arena;
    t2g_scope *scope;
    t2g_builder *out;
    t2g_builder text; /* of the whole; *out is another inside of blocks */
    t2g_flow flow;
    size_t depth, steps;
    bool located; /* the failure's message names its place */
    int64_t now;
    t2g_chat_range *generation;
    size_t generation_count, generation_capacity;
};

/* Counts work that grows with the data. T2G_ERR_UNSUPPORTED past the limit. */
T2G_CHECK t2g_status t2g_spend(t2g_render *r, size_t steps);
T2G_CHECK t2g_status t2g_scope_set(t2g_render *r, t2g_scope *scope,
                                   t2g_string name, const t2g_value *value);
T2G_CHECK t2g_status t2g_chat_run(t2g_render *r);
T2G_CHECK t2g_status t2g_call_macro(t2g_render *r, const t2g_macro *macro,
                                    const t2g_arguments *arguments,
                                    t2g_value *out);

#endif
