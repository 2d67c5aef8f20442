/* Chat templates: which bytes come from the input, what is refused and where,
 * limits, broken templates, exhaustion of memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "t2g/chat.h"

static const char messages_text[] =
    "[{\"role\": \"user\", \"content\": \" <A> b \\u00e9\\n\","
    "  \"parts\": [\"x,y\", \"z\"], \"key\": {\"k'\": \"v\\\"\"}},"
    " {\"role\": \"assistant\", \"content\": \"yes\"},"
    " {\"role\": \"a|>b\", \"content\": \"\", \"none\": null}]";

static json_t *messages;

static int read_messages(void **state)
{
    (void)state;
    messages = json_loads(messages_text, 0, NULL);
    return messages ? 0 : -1;
}

static int free_messages(void **state)
{
    (void)state;
    json_decref(messages);
    return 0;
}

/* Renders n bytes; *out is the caller's to free. */
static t2g_status render_bytes(const char *source, size_t n, t2g_chat_text *out)
{
    t2g_chat_template *t;
    t2g_chat_input in = {.messages = messages, .bos_token = "<s>",
                         .eos_token = "</s>", .now = 86400};
    t2g_status s = t2g_chat_compile(&t, source, n, "t");
    if (s == T2G_OK)
        s = t2g_chat_render(t, &in, out);
    t2g_chat_free(t);
    return s;
}

static t2g_status render(const char *source, t2g_chat_text *out)
{
    return render_bytes(source, strlen(source), out);
}

/* --- provenance ---------------------------------------------------------- */

/* The text with "[" and "]" around what came from the input. */
static void mark(const t2g_chat_text *text, char *out, size_t room)
{
    bool inside = false;
    size_t n = 0;
    for (size_t i = 0; i <= text->text.size && n + 4 < room; i++) {
        bool input = i < text->text.size && text->from_input.data[i];
        if (input != inside)
            out[n++] = input ? '[' : ']';
        inside = input;
        if (i < text->text.size)
            out[n++] = text->text.data[i];
    }
    out[n] = '\0';
}

static void input_stays_marked(void **state)
{
    static const char *const cases[][2] = {
        {"a{{ messages[1].content }}b", "a[yes]b"},
        {"{{ messages[1]['content'] + '<e>' }}", "[yes]<e>"},
        {"{{ '<' ~ messages[1].content ~ 1 }}", "<[yes]1"},
        {"{{ messages[0].content | trim }}|", "[<A> b \u00e9]|"},
        {"{{ messages[0].content.strip(' \n') }}", "[<A> b \u00e9]"},
        {"{{ messages[0].content[1:4] }}.", "[<A>]."},
        {"{{ messages[0].content[2] }}.", "[A]."},
        {"{{ messages[0].content | upper }}", "[ <A> B \u00c9\n]"},
        {"{{ messages[1].content | capitalize }}!", "[Yes]!"},
        {"{{ messages[1].content | title }}!", "[Yes]!"},
        {"{{ messages[1].content.replace('e', '-') }}", "[y]-[s]"},
        {"{{ 'a-b' | replace('-', messages[1].content) }}", "a[yes]b"},
        {"{{ messages[0].parts | join('; ') }}", "[x,y]; [z]"},
        {"{{ messages[0].parts[0].split(',') | join('+') }}", "[x]+[y]"},
        {"{{ messages[0].content.split('b') | last | length }}", "3"},
        {"{{ messages[0].key | tojson }}", "{\"[k']\": \"[v\\\"]\"}"},
        {"{{ messages[0].key }}", "{\"[k']\": '[v\"]'}"},
        {"{{ [messages[0].content] }}", "['[ <A> b \u00e9\\n]']"},
        {"{{ messages[0].parts | tojson(indent=1) }}",
         "[\n \"[x,y]\",\n \"[z]\"\n]"},
        {"{{ messages[0].content | tojson(ensure_ascii=true) }}",
         "\"[ <A> b \\u00e9\\n]\""},
        {"{% set x %}<{{ messages[1].content }}>{% endset %}{{ x }}",
         "<[yes]>"},
        {"{% macro f(a) %}({{ a }}){% endmacro %}{{ f(messages[1].content) }}",
         "([yes])"},
        {"{% for c in messages[1].content %}{{ c }}.{% endfor %}",
         "[y].[e].[s]."},
        {"{% for k, v in messages[0].key.items() %}{{ k }}={{ v }}"
         "{% endfor %}", "[k']=[v\"]"},
        {"{{ '{}:{}'.format('a', messages[1].content) }}", "a:[yes]"},
        {"{{ messages[1].content * 2 }}'", "[yesyes]'"},
        {"{{ messages[1].content | indent(2, true) }}", "  [yes]"},
        {"{{ messages[1].content | reverse }}", "[sey]"},
        {"{{ [messages[1].content] | map('upper') | first }}", "[YES]"},
        {"{{ '<b>' | safe + messages[0].content | trim }}",
         "<b>[&lt;A&gt; b \u00e9]"},
        {"{{ '<|' + messages[0].role + '|>' }}", "<|user|>"},
        {"{{ '<|' + messages[2].role + '|>' }}", "<|[a|>b]|>"},
        {"{{ messages[0].key == {\"k'\": 'v\"'} }}", "True"}};
    char marked[200];
    t2g_chat_text text = {0};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (render(cases[i][0], &text) != T2G_OK)
            fail_msg("%s: %s", cases[i][0], t2g_error_message());
        mark(&text, marked, sizeof marked);
        assert_string_equal(marked, cases[i][1]);
    }
    t2g_chat_text_free(&text);
}

/* --- what is refused ----------------------------------------------------- */

static void failures_name_their_place(void **state)
{
    static const struct {
        const char *source, *message;
        t2g_status status;
    } cases[] = {
        {"a\n {% include 'x' %}", "t:2:5: the tag 'include'",
         T2G_ERR_UNSUPPORTED},
        {"{% filter upper %}x{% endfilter %}", "t:1:4: the tag 'filter'",
         T2G_ERR_UNSUPPORTED},
        {"{% call f() %}x{% endcall %}", "t:1:4: the tag 'call'",
         T2G_ERR_UNSUPPORTED},
        {"{{ 1 | round }}", "t:1:8: the filter 'round'", T2G_ERR_UNSUPPORTED},
        {"{% if true %}{{ 1 | round }}{% endif %}", "t:1:21: the filter",
         T2G_ERR_UNSUPPORTED},
        {"{{ 1 is sameas 1 }}", "t:1:9: the test 'sameas'",
         T2G_ERR_UNSUPPORTED},
        {"{{ 2 ** 3 }}", "t:1:6: the operator **", T2G_ERR_UNSUPPORTED},
        {"{{ f(*x) }}", "t:1:6: an argument list by *", T2G_ERR_UNSUPPORTED},
        {"{% for i in x recursive %}{% endfor %}", "t:1:15: a recursive loop",
         T2G_ERR_UNSUPPORTED},
        {"{% set x | trim %}{% endset %}", "t:1:10: a filter on a block",
         T2G_ERR_UNSUPPORTED},
        {"{{ 0x10 }}", "t:1:4: a number in this notation",
         T2G_ERR_UNSUPPORTED},
        {"{{ 12345678901234567890 }}", "t:1:4: an integer of this size",
         T2G_ERR_UNSUPPORTED},
        {"{{ [].append(1) }}", "t:1:13: the value has no attribute 'append'",
         T2G_ERR_FORMAT},
        {"{{ 'a'.zfill(3) }}", "the method 'zfill'", T2G_ERR_UNSUPPORTED},
        {"{{ range(3) }}", "printing a range", T2G_ERR_UNSUPPORTED},
        {"{% set g = [1] | map('string') %}{{ g | join }}{{ g | join }}",
         "walked twice", T2G_ERR_UNSUPPORTED},
        {"\u00e9\u00e9{{ \u00e9 }}", "t:1:6: a name with a character outside",
         T2G_ERR_UNSUPPORTED},
        {"{{ x.y }}", "t:1:5: 'x' is undefined", T2G_ERR_FORMAT},
        {"{{ messages[0].a.b }}", "t:1:17: the value has no attribute 'a'",
         T2G_ERR_FORMAT},
        {"{{ 'a' + 1 }}", "t:1:8: str + int", T2G_ERR_FORMAT},
        {"{% if 1 %}\n\nx", "t:3:2: the end of the template where elif",
         T2G_ERR_FORMAT},
        {"{{ 1", "t:1:1: a tag that does not end", T2G_ERR_FORMAT},
        {"{{ (1 }}", "t:1:7: a closing bracket", T2G_ERR_FORMAT},
        {"{{ 'x }}", "t:1:4: a string that does not end", T2G_ERR_FORMAT},
        {"\xff", "t: byte 0 is not UTF-8", T2G_ERR_FORMAT},
        {"\n{{ raise_exception('roles: ' ~ messages | length) }}",
         "t:2:19: roles: 3", T2G_ERR_ARG}};
    t2g_chat_text text = {0};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        t2g_status s = render(cases[i].source, &text);
        if (!strstr(t2g_error_message(), cases[i].message))
            fail_msg("%s: '%s', expected '%s'", cases[i].source,
                     t2g_error_message(), cases[i].message);
        assert_int_equal(s, cases[i].status);
    }
    t2g_chat_text_free(&text);
}

static void input_is_checked(void **state)
{
    t2g_chat_template *t;
    t2g_chat_text text = {0};
    json_t *scalar = json_integer(1), *empty = json_array();
    json_t *bad = json_pack("[i]", 1);
    (void)state;
    assert_int_equal(t2g_chat_compile(&t, "x", 1, "t"), T2G_OK);
    assert_int_equal(t2g_chat_render(t, &(t2g_chat_input){0}, &text),
                     T2G_ERR_ARG);
    assert_int_equal(t2g_chat_render(t, &(t2g_chat_input){.messages = empty},
                                     &text), T2G_ERR_ARG);
    assert_int_equal(t2g_chat_render(t, &(t2g_chat_input){.messages = bad},
                                     &text), T2G_ERR_ARG);
    assert_int_equal(t2g_chat_render(t, &(t2g_chat_input){.messages = messages,
                                                          .variables = scalar},
                                     &text), T2G_ERR_ARG);
    json_decref(scalar);
    json_decref(empty);
    json_decref(bad);
    t2g_chat_text_free(&text);
    t2g_chat_free(t);
}

/* --- limits -------------------------------------------------------------- */

static void hostile_templates_end(void **state)
{
    static const char *const cases[] = {
        "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
        "{% for i in range(100000) %}{% for j in range(100000) %}"
        "{% endfor %}{% endfor %}",
        "{{ range(100001) | length }}",
        "{{ 'x' * 1000000000 }}",
        "{% set ns = namespace(x='x') %}{% for i in range(99) %}"
        "{% set ns.x = ns.x + ns.x %}{% endfor %}",
        "{% set ns = namespace(x=[0]) %}{% for i in range(99) %}"
        "{% set ns.x = ns.x + ns.x %}{% endfor %}",
        "{% set ns = namespace(x='x' * 1000000) %}{% for i in range(99999) %}"
        "{% set ns.y = ns.x.replace('x', 'yy') %}{% endfor %}",
        "{% set ns = namespace(x=[]) %}{% for i in range(9999) %}"
        "{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x }}",
        "{% set ns = namespace(x=[]) %}{% for i in range(9999) %}"
        "{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x | tojson }}",
        "{% set ns = namespace(x=[]) %}{% for i in range(9999) %}"
        "{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x == [ns.x] }}",
        "{{ 9223372036854775807 + 1 }}", "{{ 999999999999999999 * 99999 }}"};
    t2g_chat_text text = {0};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (render(cases[i], &text) == T2G_OK)
            fail_msg("%.60s: no limit", cases[i]);
    t2g_chat_text_free(&text);
}

static void steps_are_counted(void **state)
{
    t2g_chat_text text = {0};
    (void)state;
    assert_int_equal(render("{% set l = range(100000) | list %}{% for i in l %}"
                            "{{ l == l }}{% endfor %}", &text),
                     T2G_ERR_UNSUPPORTED);
    assert_non_null(strstr(t2g_error_message(), "steps"));
    t2g_chat_text_free(&text);
}

/* `open` many times, so that the parser has to stop. */
static void deep_nesting_is_refused(void **state)
{
    static const char *const open[] = {"(", "[", "not ", "-", "{1:",
                                       "1 if 1 else "};
    enum { TIMES = 20000 };
    t2g_chat_text text = {0};
    (void)state;
    for (size_t i = 0; i < sizeof open / sizeof *open; i++) {
        t2g_buffer b = {0};
        assert_int_equal(t2g_buffer_puts(&b, "{{ "), T2G_OK);
        for (size_t k = 0; k < TIMES; k++)
            assert_int_equal(t2g_buffer_puts(&b, open[i]), T2G_OK);
        assert_int_not_equal(render_bytes(b.data, b.size, &text), T2G_OK);
        t2g_buffer_free(&b);
    }
    t2g_chat_text_free(&text);
}

static void long_chains_end(void **state)
{
    static const char *const link[] = {" + 1", " and 1", "[0]", " | string",
                                       " is defined", " == 1", " ~ 1"};
    t2g_chat_text text = {0};
    (void)state;
    for (size_t i = 0; i < sizeof link / sizeof *link; i++) {
        t2g_buffer b = {0};
        assert_int_equal(t2g_buffer_puts(&b, "{{ 1"), T2G_OK);
        for (size_t k = 0; k < 20000; k++)
            assert_int_equal(t2g_buffer_puts(&b, link[i]), T2G_OK);
        assert_int_equal(t2g_buffer_puts(&b, " }}"), T2G_OK);
        t2g_status s = render_bytes(b.data, b.size, &text);
        assert_true(s != T2G_OK || text.text.size > 0);
        t2g_buffer_free(&b);
    }
    t2g_chat_text_free(&text);
}

/* --- broken templates ---------------------------------------------------- */

static const char everything[] =
    "{%- macro f(a, b=[1, 'x']) -%}{{ a ~ b | join(',') }}{%- endmacro %}\n"
    "{% set ns = namespace(n=0, t='\\u00e9\\n') %}{# comment #}\n"
    "{% for m in messages if m.role != 'system' %}\n"
    "  {%- if m.content is string and not loop.last %}"
    "{{ f(m.content[1:-1].split('b')[0] | trim) }}"
    "{% elif loop.first %}{{ m | tojson(indent=2) }}{% else %}"
    "{% raw %}{{ x }}{% endraw %}{% endif %}"
    "{% set ns.n = ns.n + loop.index0 * 2 // 3 - 1 %}"
    "{% generation %}{{ m.content | upper }}{% endgeneration %}"
    "{% if ns.n > 9 %}{% break %}{% endif %}{% endfor %}"
    "{% set block %}{{ {'a': (1, 2.5), \"b\": none}['a'][::-1] }}{% endset %}"
    "{{ block ~ ns.t ~ ('y' if ns.n in [1, 2] else bos_token) }}"
    "{{ messages | selectattr('role', 'equalto', 'user') | list | length }}"
    "{{ '{}-{a}'.format(1, a=2) }}{{ strftime_now('%Y') }}";

static void truncations_do_not_crash(void **state)
{
    t2g_chat_text text = {0};
    (void)state;
    assert_int_equal(render(everything, &text), T2G_OK);
    for (size_t n = 0; n < sizeof everything; n++) {
        char *copy = malloc(n + 1); /* exact, so that reads past it show */
        memcpy(copy, everything, n);
        t2g_status s = render_bytes(copy, n, &text);
        assert_true(s <= T2G_OK);
        free(copy);
    }
    t2g_chat_text_free(&text);
}

static uint32_t next_random(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

/* One to three bytes changed, taken out or doubled. */
static size_t mutate(char *s, size_t n, uint32_t *random)
{
    static const char bytes[] = "{}%#-+'\"()[]|.,:=~ \n\\0129azi_\xc3";
    for (uint32_t k = next_random(random) % 3 + 1; k > 0; k--) {
        size_t at = next_random(random) % n;
        uint32_t kind = next_random(random) % 3;
        if (kind == 0) {
            s[at] = bytes[next_random(random) % (sizeof bytes - 1)];
        } else if (kind == 1) {
            memmove(s + at, s + at + 1, n - at - 1);
            n--;
        } else {
            memmove(s + at + 1, s + at, n - at);
            n++;
        }
    }
    return n;
}

static void mutations_do_not_crash(void **state)
{
    enum { ROUNDS = 20000 };
    char copy[sizeof everything + 8];
    uint32_t random = 1;
    size_t rendered = 0;
    t2g_chat_text text = {0};
    (void)state;
    for (size_t i = 0; i < ROUNDS; i++) {
        memcpy(copy, everything, sizeof everything);
        size_t n = mutate(copy, sizeof everything - 1, &random);
        rendered += render_bytes(copy, n, &text) == T2G_OK;
    }
    assert_in_range(rendered, ROUNDS / 20, ROUNDS - ROUNDS / 20);
    t2g_chat_text_free(&text);
}

/* --- memory -------------------------------------------------------------- */

typedef struct fragile {
    size_t left;
} fragile;

static void *fragile_alloc(void *context, size_t size, size_t align)
{
    fragile *f = context;
    if (f->left == 0)
        return NULL;
    f->left--;
    return aligned_alloc(align, (size + align - 1) & ~(align - 1));
}

static void fragile_release(void *context, void *pointer)
{
    (void)context;
    free(pointer);
}

static void every_failed_allocation_is_reported(void **state)
{
    fragile f = {0};
    t2g_allocator allocator = {fragile_alloc, fragile_release, &f};
    t2g_status s = T2G_ERR_MEMORY;
    (void)state;
    t2g_set_allocator(&allocator);
    for (size_t allowed = 0; s != T2G_OK; allowed++) {
        t2g_chat_text text = {0};
        f.left = allowed;
        s = render(everything, &text);
        f.left = SIZE_MAX;
        t2g_chat_text_free(&text);
        assert_true(s == T2G_OK || s == T2G_ERR_MEMORY);
        assert_true(allowed < 1000);
    }
    t2g_set_allocator(NULL);
}

/* --- assistant turns ----------------------------------------------------- */

static t2g_status turns(const char *source, t2g_chat_text *out)
{
    t2g_chat_template *t;
    t2g_chat_input in = {.messages = messages, .eos_token = "</s>"};
    assert_int_equal(t2g_chat_compile(&t, source, strlen(source), "t"),
                     T2G_OK);
    t2g_status s = t2g_chat_assistant_ranges(t, &in, out);
    t2g_chat_free(t);
    return s;
}

#define LOOP(body) "{% for m in messages %}" body "{% endfor %}"
#define ASK "{% if add_generation_prompt %}assistant:{% endif %}"

static void check_turn(const char *source, const char *want)
{
    t2g_chat_text text = {0};
    if (turns(source, &text) != T2G_OK)
        fail_msg("%s: %s", source, t2g_error_message());
    assert_int_equal(text.assistant_count, 1);
    t2g_chat_range turn = text.assistant[0];
    assert_int_equal(turn.end - turn.begin, strlen(want));
    assert_memory_equal(text.text.data + turn.begin, want, strlen(want));
    t2g_chat_text_free(&text);
}

static void turns_follow_the_prompt(void **state)
{
    t2g_chat_text text = {0};
    (void)state;
    check_turn(LOOP("{{ m.role }}:{{ m.content }};") ASK, "yes;");
    check_turn(LOOP("{{ m.role }}:{{ m.content + eos_token }}\n") ASK,
               "yes</s>");
    check_turn(LOOP("{% if m.role == 'assistant' %}{% generation %}"
                    "{{ m.content }}{% endgeneration %}{% endif %}"), "yes");
    assert_int_equal(turns(LOOP("{{ m.role }}:{{ m.content if loop.last }}")
                           ASK, &text), T2G_ERR_UNSUPPORTED);
    assert_non_null(strstr(t2g_error_message(), "first 1 messages"));
    assert_int_equal(turns("{% set x %}{% generation %}{% endgeneration %}"
                           "{% endset %}", &text), T2G_ERR_UNSUPPORTED);
    t2g_chat_text_free(&text);
}

static void builtins_have_names(void **state)
{
    size_t n = 0;
    (void)state;
    for (const char *name; (name = t2g_chat_builtin_name(n)); n++) {
        t2g_chat_template *t;
        const char *text = t2g_chat_builtin(name);
        assert_int_equal(t2g_chat_compile(&t, text, strlen(text), name),
                         T2G_OK);
        t2g_chat_free(t);
    }
    assert_int_equal(n, 13);
    assert_null(t2g_chat_builtin("llama"));
    t2g_chat_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(input_stays_marked),
        cmocka_unit_test(failures_name_their_place),
        cmocka_unit_test(input_is_checked),
        cmocka_unit_test(hostile_templates_end),
        cmocka_unit_test(steps_are_counted),
        cmocka_unit_test(deep_nesting_is_refused),
        cmocka_unit_test(long_chains_end),
        cmocka_unit_test(truncations_do_not_crash),
        cmocka_unit_test(mutations_do_not_crash),
        cmocka_unit_test(every_failed_allocation_is_reported),
        cmocka_unit_test(turns_follow_the_prompt),
        cmocka_unit_test(builtins_have_names),
    };
    return cmocka_run_group_tests_name("unit/chat", tests, read_messages,
                                       free_messages);
}
