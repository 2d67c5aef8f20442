/* Replays vectors/tokenizer/chat.json: what transformers renders. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "t2g/chat.h"
#include "t2g/files.h"

static json_t *root;

static int read_vectors(void **state)
{
    (void)state;
    return t2g_json_read(&root, "vectors/tokenizer/chat.json") == T2G_OK ? 0
                                                                         : -1;
}

static int free_vectors(void **state)
{
    (void)state;
    json_decref(root);
    return 0;
}

static t2g_chat_input input_of(const json_t *conversation)
{
    return (t2g_chat_input){
        .messages = json_object_get(conversation, "messages"),
        .bos_token = json_string_value(json_object_get(root, "bos_token")),
        .eos_token = json_string_value(json_object_get(root, "eos_token")),
        .variables = json_object_get(conversation, "variables"),
        .now = json_integer_value(json_object_get(root, "now"))};
}

static const json_t *conversation_of(const json_t *c)
{
    const json_t *all = json_object_get(root, "conversations");
    return json_array_get(all, (size_t)json_integer_value(
                                   json_array_get(c, 0)));
}

/* `want` is a string, or null: an error. */
static void check_text(const char *what, t2g_status s, const t2g_chat_text *got,
                       const json_t *want)
{
    if (s != T2G_OK && !json_is_null(want))
        fail_msg("%s: %s", what, t2g_error_message());
    if (s == T2G_OK && json_is_null(want))
        fail_msg("%s: '%s', expected an error", what, got->text.data);
    if (s != T2G_OK)
        return;
    if (got->text.size != json_string_length(want) ||
        memcmp(got->text.data, json_string_value(want), got->text.size))
        fail_msg("%s: '%s', expected '%s'", what, got->text.data,
                 json_string_value(want));
    assert_int_equal(got->from_input.size, got->text.size);
}

static t2g_chat_template *compiled(const char *name)
{
    t2g_chat_template *t;
    const char *text = t2g_chat_builtin(name);
    assert_non_null(text);
    assert_int_equal(t2g_chat_compile(&t, text, strlen(text), name), T2G_OK);
    return t;
}

static void builtin_templates(void **state)
{
    const char *name;
    json_t *cases;
    (void)state;
    json_object_foreach(json_object_get(root, "builtin"), name, cases) {
        t2g_chat_template *t = compiled(name);
        t2g_chat_text text = {0};
        assert_true(json_array_size(cases) >= 200);
        for (size_t i = 0; i < json_array_size(cases); i++) {
            const json_t *c = json_array_get(cases, i);
            t2g_chat_input in = input_of(conversation_of(c));
            in.add_generation_prompt = json_is_true(json_array_get(c, 1));
            check_text(name, t2g_chat_render(t, &in, &text), &text,
                       json_array_get(c, 2));
        }
        t2g_chat_text_free(&text);
        t2g_chat_free(t);
    }
}

static void constructs(void **state)
{
    const json_t *cases = json_object_get(root, "constructs");
    t2g_chat_input in = input_of(json_object_get(root, "construct_input"));
    t2g_chat_text text = {0};
    (void)state;
    for (size_t i = 0; i < json_array_size(cases); i++) {
        const json_t *c = json_array_get(cases, i);
        const json_t *source = json_array_get(c, 0);
        t2g_chat_template *t;
        t2g_status s = t2g_chat_compile(&t, json_string_value(source),
                                        json_string_length(source), "t");
        if (s == T2G_OK)
            s = t2g_chat_render(t, &in, &text);
        check_text(json_string_value(source), s, &text, json_array_get(c, 1));
        t2g_chat_free(t);
    }
    t2g_chat_text_free(&text);
}

static void check_ranges(const char *name, t2g_status s,
                         const t2g_chat_text *got, const json_t *want)
{
    if (json_is_null(want)) {
        assert_int_not_equal(s, T2G_OK);
        return;
    }
    if (s != T2G_OK)
        fail_msg("%s: %s", name, t2g_error_message());
    assert_int_equal(2 * got->assistant_count, json_array_size(want));
    for (size_t i = 0; i < got->assistant_count; i++) {
        assert_int_equal(got->assistant[i].begin,
                         json_integer_value(json_array_get(want, 2 * i)));
        assert_int_equal(got->assistant[i].end,
                         json_integer_value(json_array_get(want, 2 * i + 1)));
    }
}

static void assistant_turns(void **state)
{
    const char *name;
    json_t *cases;
    (void)state;
    json_object_foreach(json_object_get(root, "assistant"), name, cases) {
        t2g_chat_template *t = compiled(name);
        t2g_chat_text text = {0};
        for (size_t i = 0; i < json_array_size(cases); i++) {
            const json_t *c = json_array_get(cases, i);
            t2g_chat_input in = input_of(conversation_of(c));
            check_ranges(name, t2g_chat_assistant_ranges(t, &in, &text), &text,
                         json_array_get(c, 1));
        }
        t2g_chat_text_free(&text);
        t2g_chat_free(t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(builtin_templates),
        cmocka_unit_test(constructs),
        cmocka_unit_test(assistant_turns),
    };
    return cmocka_run_group_tests_name("golden/chat", tests, read_vectors,
                                       free_vectors);
}
