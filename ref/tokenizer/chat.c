/* Chat templates: compiling, rendering, the bytes a model has to write. */
#include "chat_private.h"

#include <stdio.h>
#include <string.h>

t2g_status t2g_chat_fail(const t2g_chat_template *t, t2g_place at, t2g_status s,
                         const char *fmt, ...)
{
    char what[300];
    va_list args;
    va_start(args, fmt);
    vsnprintf(what, sizeof what, fmt, args);
    va_end(args);
    return t2g_fail(s, "%s:%u:%u: %s", t->name, at.line, at.column, what);
}

/* --- compiling ----------------------------------------------------------- */

static t2g_status compile(t2g_chat_template *t, const char *text, size_t n)
{
    t2g_chat_tokens tokens = {0};
    if (!t->name)
        return T2G_ERR_MEMORY;
    if (n > T2G_CHAT_TEMPLATE_BYTES)
        return t2g_fail(T2G_ERR_UNSUPPORTED, "%s: a template of %zu bytes, "
                        "more than %d", t->name, n, T2G_CHAT_TEMPLATE_BYTES);
    T2G_TRY(t2g_chat_lex(t, text, n, &tokens));
    return t2g_chat_parse(t, &tokens);
}

t2g_status t2g_chat_compile(t2g_chat_template **out, const char *text, size_t n,
                            const char *name)
{
    t2g_chat_template *t = t2g_calloc(1, sizeof *t);
    *out = NULL;
    if (!t)
        return T2G_ERR_MEMORY;
    t->name = t2g_strdup(name);
    t2g_status s = compile(t, text, n);
    if (s == T2G_OK)
        *out = t;
    else
        t2g_chat_free(t);
    return s;
}

void t2g_chat_free(t2g_chat_template *t)
{
    if (!t)
        return;
    t2g_arena_free(&t->arena);
    t2g_free(t->name);
    t2g_free(t);
}

/* --- messages ------------------------------------------------------------ */

static bool is_plain_word(t2g_string text)
{
    for (size_t i = 0; i < text.n; i++) {
        char c = text.s[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
              (c >= '0' && c <= '9') || c == '_' || c == '-'))
            return false;
    }
    return true;
}

static t2g_status set_key(t2g_render *r, t2g_dict *d, const char *key,
                          const t2g_value *value)
{
    t2g_value name = t2g_value_text(t2g_text_of(key));
    return t2g_dict_set(r, d, &name, value);
}

/* The names under which templates look for the reasoning of a turn, and callers
 * give it. */
static const char *const reasoning_names[] = {"reasoning_content", "thinking",
                                              "reasoning"};

static const t2g_value *find_reasoning(const t2g_dict *message)
{
    const t2g_value *found = NULL;
    for (size_t i = 0; i < 3 && !found; i++)
        found = t2g_dict_get(message, reasoning_names[i]);
    return found;
}

/* The members that are not null; the reasoning also as "thinking" and
 * "reasoning_content". */
static t2g_status complete_message(t2g_render *r, const t2g_dict *given,
                                   t2g_dict *out)
{
    t2g_value reasoning = {0};
    const t2g_value *found = find_reasoning(given);
    if (found && found->kind != VALUE_NONE) {
        reasoning = *found;
        T2G_TRY(set_key(r, out, "thinking", &reasoning));
    }
    for (size_t i = 0; i < given->count; i++)
        if (given->value[i].kind != VALUE_NONE)
            T2G_TRY(t2g_dict_set(r, out, &given->key[i], &given->value[i]));
    if (reasoning.kind != VALUE_ABSENT)
        T2G_TRY(set_key(r, out, "reasoning_content", &reasoning));
    for (size_t i = 0; i < out->count; i++)
        if (t2g_text_is(out->key[i].text, "role") &&
            out->value[i].kind == VALUE_STRING &&
            is_plain_word(out->value[i].text))
            out->value[i].text.from_input = NULL;
    return T2G_OK;
}

static t2g_status message_value(t2g_render *r, const json_t *message,
                                t2g_value *out)
{
    t2g_value given;
    T2G_TRY(t2g_value_from_json(r, message, &given));
    T2G_TRY(t2g_dict_new(r, VALUE_DICT, out));
    return complete_message(r, given.dict, out->dict);
}

static t2g_status messages_value(t2g_render *r, const json_t *messages,
                                 size_t count, t2g_value *out)
{
    T2G_TRY(t2g_list_new(r, VALUE_LIST, out));
    for (size_t i = 0; i < count; i++) {
        t2g_value message;
        const json_t *json = json_array_get(messages, i);
        if (!json_is_object(json))
            return t2g_fail(T2G_ERR_ARG, "message %zu is not an object", i);
        T2G_TRY(message_value(r, json, &message));
        T2G_TRY(t2g_list_add(r, out->list, &message));
    }
    return T2G_OK;
}

/* --- variables ----------------------------------------------------------- */

static t2g_status set_variable(t2g_render *r, const char *name, t2g_value value)
{
    return t2g_scope_set(r, r->scope, t2g_text_of(name), &value);
}

static t2g_status set_token(t2g_render *r, const char *name, const char *text)
{
    return text ? set_variable(r, name, t2g_value_text(t2g_text_of(text)))
                : T2G_OK;
}

static t2g_status set_functions(t2g_render *r)
{
    const t2g_callable *function;
    for (size_t i = 0; (function = t2g_function_at(i)); i++) {
        t2g_value v = {.kind = VALUE_FUNCTION};
        v.function = function;
        T2G_TRY(set_variable(r, function->name, v));
    }
    return T2G_OK;
}

/* The caller's own come last: they may replace the others. */
static t2g_status set_variables(t2g_render *r, const t2g_chat_input *in)
{
    const char *name;
    json_t *json;
    T2G_TRY(set_functions(r));
    T2G_TRY(set_variable(r, "tools", (t2g_value){.kind = VALUE_NONE}));
    T2G_TRY(set_variable(r, "documents", (t2g_value){.kind = VALUE_NONE}));
    T2G_TRY(set_token(r, "bos_token", in->bos_token));
    T2G_TRY(set_token(r, "eos_token", in->eos_token));
    T2G_TRY(set_token(r, "pad_token", in->pad_token));
    T2G_TRY(set_token(r, "unk_token", in->unk_token));
    json_object_foreach((json_t *)in->variables, name, json) {
        t2g_value v;
        T2G_TRY(t2g_value_from_json(r, json, &v));
        T2G_TRY(set_variable(r, name, v));
    }
    return T2G_OK;
}

/* --- rendering ----------------------------------------------------------- */

static t2g_status check_input(const t2g_chat_input *in)
{
    if (!json_is_array(in->messages) || !json_array_size(in->messages))
        return t2g_fail(T2G_ERR_ARG, "the messages are no array of objects, or "
                        "none");
    if (in->variables && !json_is_object(in->variables))
        return t2g_fail(T2G_ERR_ARG, "the variables are no object");
    return T2G_OK;
}

/* Renders the first `count` messages into r->text. */
static t2g_status render(t2g_render *r, const t2g_chat_input *in, size_t count,
                         bool add_generation_prompt)
{
    t2g_scope globals = {0}, own = {.parent = &globals};
    t2g_value messages;
    r->text.arena = &r->arena;
    r->now = in->now;
    r->scope = &globals;
    T2G_TRY(set_variables(r, in));
    T2G_TRY(messages_value(r, in->messages, count, &messages));
    T2G_TRY(set_variable(r, "messages", messages));
    T2G_TRY(set_variable(r, "add_generation_prompt",
                         t2g_value_boolean(add_generation_prompt)));
    r->scope = &own;
    return t2g_chat_run(r);
}

static t2g_status keep_text(t2g_chat_text *out, t2g_string text)
{
    out->text.size = out->from_input.size = 0;
    out->assistant_count = 0;
    T2G_TRY(t2g_buffer_append(&out->text, text.s, text.n));
    return t2g_buffer_append(&out->from_input,
                             text.n ? (const char *)text.from_input : "",
                             text.n);
}

static t2g_status keep_range(t2g_chat_text *out, size_t begin, size_t end)
{
    size_t n = out->assistant_count;
    t2g_chat_range *more = t2g_regrow(out->assistant, n, n + 1, sizeof *more);
    if (!more)
        return T2G_ERR_MEMORY;
    out->assistant = more;
    out->assistant[out->assistant_count++] = (t2g_chat_range){begin, end};
    return T2G_OK;
}

static t2g_status render_and_keep(t2g_render *r, const t2g_chat_input *in,
                                  bool add_generation_prompt,
                                  t2g_chat_text *out)
{
    T2G_TRY(render(r, in, json_array_size(in->messages),
                   add_generation_prompt));
    T2G_TRY(keep_text(out, t2g_built(&r->text)));
    for (size_t i = 0; i < r->generation_count; i++)
        T2G_TRY(keep_range(out, r->generation[i].begin, r->generation[i].end));
    return T2G_OK;
}

t2g_status t2g_chat_render(const t2g_chat_template *t, const t2g_chat_input *in,
                           t2g_chat_text *out)
{
    t2g_render r = {.template = t};
    T2G_TRY(check_input(in));
    t2g_status s = render_and_keep(&r, in, in->add_generation_prompt, out);
    t2g_arena_free(&r.arena);
    return s;
}

void t2g_chat_text_free(t2g_chat_text *text)
{
    t2g_buffer_free(&text->text);
    t2g_buffer_free(&text->from_input);
    t2g_free(text->assistant);
    *text = (t2g_chat_text){0};
}

/* --- assistant turns ----------------------------------------------------- */

/* Where the first `count` messages end in the whole text. */
static t2g_status prefix_length(const t2g_chat_template *t,
                                const t2g_chat_input *in, size_t count,
                                bool add_generation_prompt,
                                const t2g_chat_text *whole, size_t *length)
{
    t2g_render r = {.template = t};
    t2g_string all = {whole->text.data, NULL, whole->text.size};
    t2g_status s = render(&r, in, count, add_generation_prompt);
    if (s == T2G_OK && !t2g_text_starts(all, t2g_built(&r.text)))
        s = t2g_fail(T2G_ERR_UNSUPPORTED, "%s: the text of the first %zu "
                     "messages%s does not begin the text of all %zu; the "
                     "template needs {%% generation %%} to be trained on",
                     t->name, count,
                     add_generation_prompt ? " and the generation prompt" : "",
                     json_array_size(in->messages));
    *length = r.text.n;
    t2g_arena_free(&r.arena);
    return s;
}

/* The range without white space that follows the eos token in it. */
static size_t end_of_turn(const t2g_chat_text *whole, size_t begin, size_t end,
                          const char *eos_token)
{
    t2g_string turn = {whole->text.data + begin, NULL, end - begin};
    turn = t2g_text_strip(turn, NULL, T2G_STRIP_RIGHT);
    bool ends = eos_token && *eos_token &&
                t2g_text_ends(turn, t2g_text_of(eos_token));
    return ends ? begin + turn.n : end;
}

static bool is_assistant(const json_t *message)
{
    const char *role = json_string_value(json_object_get(message, "role"));
    return role && !strcmp(role, "assistant");
}

static t2g_status find_turns(const t2g_chat_template *t,
                             const t2g_chat_input *in, t2g_chat_text *out)
{
    for (size_t i = 0; i < json_array_size(in->messages); i++) {
        size_t begin, end;
        if (!is_assistant(json_array_get(in->messages, i)))
            continue;
        if (i == 0)
            return t2g_fail(T2G_ERR_UNSUPPORTED, "message 0 is the assistant's:"
                            " there is no prompt in front of it");
        T2G_TRY(prefix_length(t, in, i, true, out, &begin));
        T2G_TRY(prefix_length(t, in, i + 1, false, out, &end));
        if (end < begin)
            return t2g_fail(T2G_ERR_UNSUPPORTED, "%s: message %zu ends before "
                            "its generation prompt", t->name, i);
        end = end_of_turn(out, begin, end, in->eos_token);
        T2G_TRY(keep_range(out, begin, end));
    }
    return T2G_OK;
}

t2g_status t2g_chat_assistant_ranges(const t2g_chat_template *t,
                                     const t2g_chat_input *in,
                                     t2g_chat_text *out)
{
    t2g_chat_input whole = *in;
    whole.add_generation_prompt = false;
    T2G_TRY(t2g_chat_render(t, &whole, out));
    return t->has_generation ? T2G_OK : find_turns(t, &whole, out);
}
