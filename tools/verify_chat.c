/* Verifying chat templates: conversations -> text, and the bytes of the
 * assistant's turns. A text or list that is null: an error. */
#include <string.h>

#include "t2g/chat.h"
#include "verify_tokenizer_files.h"

static t2g_chat_input input_of(const json_t *root, const json_t *conversation)
{
    return (t2g_chat_input){
        .messages = json_object_get(conversation, "messages"),
        .bos_token = json_string_value(json_object_get(root, "bos_token")),
        .eos_token = json_string_value(json_object_get(root, "eos_token")),
        .variables = json_object_get(conversation, "variables"),
        .now = json_integer_value(json_object_get(root, "now"))};
}

/* The conversation that the first element of a case names by number. */
static const json_t *conversation_of(const json_t *root, const json_t *c)
{
    const json_t *all = json_object_get(root, "conversations");
    return json_array_get(all, (size_t)json_integer_value(
                                   json_array_get(c, 0)));
}

/* Whether it ended as wanted, with something to compare. */
static bool compare_status(verifier *v, t2g_status s, const json_t *want)
{
    if (s != T2G_OK && !json_is_null(want))
        verify_fail(v, "status", "%s", t2g_error_message());
    if (s == T2G_OK && json_is_null(want))
        verify_fail(v, "status", "rendered, wanted an error");
    return s == T2G_OK && !json_is_null(want);
}

static void compare_rendered(verifier *v, t2g_status s,
                             const t2g_chat_text *got, const json_t *want)
{
    if (compare_status(v, s, want))
        verify_text(v, "text", got->text.data ? got->text.data : "",
                    got->text.size, json_string_value(want),
                    json_string_length(want));
}

static void compare_ranges(verifier *v, t2g_status s, const t2g_chat_text *got,
                           const json_t *want)
{
    size_t n = json_array_size(want);
    if (!compare_status(v, s, want))
        return;
    if (2 * got->assistant_count != n) {
        verify_fail(v, "turns", "%zu, wanted %zu", got->assistant_count, n / 2);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        const t2g_chat_range *r = &got->assistant[i / 2];
        int64_t have = (int64_t)(i % 2 ? r->end : r->begin);
        int64_t wanted = json_integer_value(json_array_get(want, i));
        verify_i64(v, "turns", &have, &wanted, 1);
    }
}

/* The cases of a built-in template: texts, or (turns) ranges. */
static void verify_builtin(verifier *v, const char *file, const json_t *root,
                           const char *name, const json_t *cases, bool turns)
{
    const char *source = t2g_chat_builtin(name);
    t2g_chat_template *t = NULL;
    t2g_chat_text text = {0};
    if (!source ||
        t2g_chat_compile(&t, source, strlen(source), name) != T2G_OK)
        verify_skip(v, file, name, "not a built-in template");
    for (size_t i = 0; t && i < json_array_size(cases); i++) {
        const json_t *c = json_array_get(cases, i);
        t2g_chat_input in = input_of(root, conversation_of(root, c));
        char id[96];
        snprintf(id, sizeof id, "%.40s/%s%zu", name, turns ? "turns" : "", i);
        if (!verify_begin(v, file, id))
            continue;
        in.add_generation_prompt = !turns && json_is_true(json_array_get(c, 1));
        if (turns)
            compare_ranges(v, t2g_chat_assistant_ranges(t, &in, &text), &text,
                           json_array_get(c, 1));
        else
            compare_rendered(v, t2g_chat_render(t, &in, &text), &text,
                             json_array_get(c, 2));
        verify_end(v);
    }
    t2g_chat_text_free(&text);
    t2g_chat_free(t);
}

static void verify_construct(verifier *v, const json_t *root, const json_t *c)
{
    const json_t *source = json_array_get(c, 0);
    t2g_chat_input in = input_of(root, json_object_get(root,
                                                       "construct_input"));
    t2g_chat_template *t;
    t2g_chat_text text = {0};
    t2g_status s = t2g_chat_compile(&t, json_string_value(source),
                                    json_string_length(source), "template");
    if (s == T2G_OK)
        s = t2g_chat_render(t, &in, &text);
    compare_rendered(v, s, &text, json_array_get(c, 1));
    t2g_chat_text_free(&text);
    t2g_chat_free(t);
}

void verify_chat(verifier *v, const char *file, const json_t *root)
{
    const json_t *constructs = json_object_get(root, "constructs");
    const char *name;
    json_t *cases;
    json_object_foreach(json_object_get(root, "builtin"), name, cases)
        verify_builtin(v, file, root, name, cases, false);
    json_object_foreach(json_object_get(root, "assistant"), name, cases)
        verify_builtin(v, file, root, name, cases, true);
    for (size_t i = 0; i < json_array_size(constructs); i++) {
        char id[96];
        snprintf(id, sizeof id, "construct/%zu", i);
        if (verify_begin(v, file, id)) {
            verify_construct(v, root, json_array_get(constructs, i));
            verify_end(v);
        }
    }
}
