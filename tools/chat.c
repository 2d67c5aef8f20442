#include "chat.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* --- templates ------------------------------------------------------------ */

static t2g_status append(t2g_buffer *out, const char *text)
{
    return t2g_buffer_append(out, text, strlen(text) + 1);
}

/* A built-in one, or a file. */
static t2g_status find_given(chat_style *c, const char *given)
{
    const char *text = t2g_chat_builtin(given);
    t2g_buffer names = {0};
    c->name = given;
    if (text)
        return append(&c->source, text);
    if (access(given, R_OK) == 0) {
        T2G_TRY(t2g_file_read(given, &c->source));
        return t2g_buffer_append(&c->source, "", 1);
    }
    for (size_t i = 0; t2g_chat_builtin_name(i); i++)
        T2G_TRY(t2g_buffer_printf(&names, "%s%s", i ? ", " : "",
                                  t2g_chat_builtin_name(i)));
    t2g_status s = t2g_fail(T2G_ERR_ARG, "chat template '%s': no such file, and "
                            "none of %s", given, names.data);
    t2g_buffer_free(&names);
    return s;
}

/* The text of a token, NULL without. */
static t2g_status token_text(const t2g_tokenizer *t, int64_t id, char **text)
{
    size_t n;
    if (id < 0)
        return T2G_OK;
    const char *bytes = t2g_tokenizer_bytes(t, (uint32_t)id, &n);
    *text = t2g_strndup(bytes ? bytes : "", n);
    return *text ? T2G_OK : T2G_ERR_MEMORY;
}

t2g_status chat_open(chat_style *c, const t2g_tokenizer *tok, const char *given,
                     bool off)
{
    const char *own = t2g_tokenizer_chat_template(tok);
    const char *epoch = getenv("SOURCE_DATE_EPOCH");
    *c = (chat_style){.tok = tok, .name = "chat_template"};
    c->now = epoch ? strtoll(epoch, NULL, 10) : (int64_t)time(NULL);
    T2G_TRY(token_text(tok, t2g_tokenizer_bos(tok), &c->bos));
    T2G_TRY(token_text(tok, t2g_tokenizer_eos(tok), &c->eos));
    T2G_TRY(token_text(tok, t2g_tokenizer_pad(tok), &c->pad));
    if (off || (!given && !own))
        return T2G_OK;
    return given ? find_given(c, given) : append(&c->source, own);
}

void chat_close(chat_style *c)
{
    t2g_buffer_free(&c->source);
    t2g_chat_free(c->chat);
    t2g_free(c->bos);
    t2g_free(c->eos);
    t2g_free(c->pad);
    t2g_chat_text_free(&c->text);
    t2g_free(c->target);
    *c = (chat_style){0};
}

bool chat_has_template(const chat_style *c)
{
    return c->source.size > 0;
}

static t2g_status compile(chat_style *c)
{
    if (c->chat)
        return T2G_OK;
    if (!chat_has_template(c))
        return t2g_fail(T2G_ERR_ARG, "messages need a chat template, and the "
                        "tokenizer has none: --chat-template NAME gives one");
    t2g_status s = t2g_chat_compile(&c->chat, c->source.data,
                                    c->source.size - 1, c->name);
    if (s == T2G_ERR_UNSUPPORTED || s == T2G_ERR_FORMAT)
        return t2g_fail(s, "%s; --chat-template NAME uses another, "
                        "--no-chat-template prompts as they are",
                        t2g_error_message());
    return s;
}

/* --- messages of records -------------------------------------------------- */

json_t *chat_messages(const json_t *record)
{
    json_t *messages = json_object_get(record, "messages");
    json_t *prompt = json_object_get(record, "prompt");
    json_t *completion = json_object_get(record, "completion");
    if (json_is_array(messages))
        return json_incref(messages);
    if (json_is_string(prompt))
        return json_pack("[{s:s, s:O}]", "role", "user", "content", prompt);
    json_t *all = json_is_array(prompt) ? json_copy(prompt) : NULL;
    if (all && json_is_array(completion))
        json_array_extend(all, completion);
    return all;
}

static const char *member(const json_t *message, const char *key)
{
    const char *text = json_string_value(json_object_get(message, key));
    return text ? text : "";
}

static bool is_assistant(const json_t *message)
{
    return strcmp(member(message, "role"), "assistant") == 0;
}

/* Texts with a role, all of them. */
static bool are_texts(const json_t *messages)
{
    for (size_t i = 0; i < json_array_size(messages); i++) {
        const json_t *m = json_array_get(messages, i);
        if (!json_is_string(json_object_get(m, "role")) ||
            !json_is_string(json_object_get(m, "content")))
            return false;
    }
    return json_array_size(messages) > 0;
}

t2g_status chat_add_prompt(json_t *record)
{
    const json_t *messages = json_object_get(record, "messages");
    size_t n = json_array_size(messages);
    t2g_buffer text = {0};
    t2g_status s = T2G_OK;
    if (!are_texts(messages) || json_object_get(record, "prompt"))
        return T2G_OK;
    n -= is_assistant(json_array_get(messages, n - 1));
    for (size_t i = 0; i + 1 < n && s == T2G_OK; i++) {
        const json_t *m = json_array_get(messages, i);
        s = t2g_buffer_printf(&text, "%s: %s\n\n", member(m, "role"),
                              member(m, "content"));
    }
    if (n > 0 && s == T2G_OK)
        s = t2g_buffer_puts(&text, member(json_array_get(messages, n - 1),
                                          "content"));
    if (s == T2G_OK &&
        json_object_set_new(record, "prompt",
                            json_stringn(text.data ? text.data : "",
                                         text.size)) != 0)
        s = t2g_fail(T2G_ERR_MEMORY, "no memory for a prompt");
    t2g_buffer_free(&text);
    return s;
}

/* --- tokens --------------------------------------------------------------- */

static t2g_chat_input input_of(const chat_style *c, const json_t *messages)
{
    return (t2g_chat_input){.messages = messages, .bos_token = c->bos,
                            .eos_token = c->eos, .pad_token = c->pad,
                            .now = c->now};
}

/* The tokens of c->text: what came from messages holds no special one. */
static t2g_status encode_text(chat_style *c, t2g_encoding *out)
{
    const t2g_buffer *text = &c->text.text;
    return t2g_tokenizer_encode_guarded(
        c->tok, text->data ? text->data : "", text->size,
        (const uint8_t *)c->text.from_input.data, 0, out);
}

t2g_status chat_encode(chat_style *c, const json_t *messages,
                       bool add_generation_prompt, t2g_encoding *out)
{
    T2G_TRY(compile(c));
    t2g_chat_input in = input_of(c, messages);
    in.add_generation_prompt = add_generation_prompt;
    T2G_TRY(t2g_chat_render(c->chat, &in, &c->text));
    return encode_text(c, out);
}

/* All turns but a last one of the assistant, which is what to be written. */
static t2g_status encode_turns(chat_style *c, const json_t *record,
                               t2g_encoding *out)
{
    json_t *all = chat_messages(record);
    json_t *turns = all ? json_copy(all) : NULL;
    size_t n = json_array_size(turns);
    if (n > 0 && is_assistant(json_array_get(turns, n - 1)))
        json_array_remove(turns, n - 1);
    t2g_status s = turns ? chat_encode(c, turns, true, out)
                         : t2g_fail(T2G_ERR_FORMAT, "no messages and no "
                                    "prompt");
    json_decref(turns);
    json_decref(all);
    return s;
}

t2g_status chat_encode_prompt(chat_style *c, const t2g_records *r, size_t i,
                              t2g_encoding *out)
{
    const json_t *record = r->record[i];
    const json_t *prompt = json_object_get(record, "prompt");
    bool messages = json_object_get(record, "messages") ||
                    json_is_array(prompt);
    const char *text;
    size_t n;
    if (messages || chat_has_template(c)) {
        t2g_status s = encode_turns(c, record, out);
        return s == T2G_OK ? s : t2g_fail_in(s, "%s:%zu", r->path, r->line[i]);
    }
    T2G_TRY(t2g_record_string(r, i, "prompt", true, &text, &n));
    return t2g_encode_prompt(c->tok, text, n, out);
}

/* --- examples ------------------------------------------------------------- */

static t2g_status reserve_targets(chat_style *c, size_t n)
{
    if (n <= c->target_capacity)
        return T2G_OK;
    t2g_free(c->target);
    c->target_capacity = 0;
    c->target = t2g_calloc(2 * n, sizeof *c->target);
    if (!c->target)
        return T2G_ERR_MEMORY;
    c->target_capacity = 2 * n;
    return T2G_OK;
}

static bool is_written(const t2g_chat_text *text, size_t begin, size_t end)
{
    for (size_t k = 0; k < text->assistant_count; k++)
        if (begin >= text->assistant[k].begin && end <= text->assistant[k].end)
            return end > begin;
    return false;
}

/* A conversation: the assistant's tokens are the targets. */
static t2g_status encode_conversation(chat_style *c, const json_t *messages,
                                      t2g_encoding *work, t2g_example *out)
{
    T2G_TRY(compile(c));
    t2g_chat_input in = input_of(c, messages);
    T2G_TRY(t2g_chat_assistant_ranges(c->chat, &in, &c->text));
    work->count = 0;
    T2G_TRY(encode_text(c, work));
    T2G_TRY(reserve_targets(c, work->count));
    size_t first = work->count;
    for (size_t i = work->count; i-- > 0;) {
        c->target[i] = is_written(&c->text, work->offset[2 * i],
                                  work->offset[2 * i + 1]);
        if (c->target[i])
            first = i;
    }
    if (first == work->count)
        return t2g_fail(T2G_ERR_FORMAT, "no turn of the assistant to learn");
    *out = (t2g_example){work->id, work->count, first, c->target};
    return T2G_OK;
}

/* prompt and completion (or reference) as two turns. */
static t2g_status encode_pair(chat_style *c, const char *prompt, size_t n,
                              const char *completion, size_t m,
                              t2g_encoding *work, t2g_example *out)
{
    json_t *messages = json_pack(
        "[{s:s, s:s%}, {s:s, s:s%}]", "role", "user", "content", prompt, n,
        "role", "assistant", "content", completion, m);
    t2g_status s = messages ? encode_conversation(c, messages, work, out)
                            : t2g_fail(T2G_ERR_MEMORY, "no memory");
    json_decref(messages);
    return s;
}

static t2g_status encode_texts(chat_style *c, const t2g_records *r, size_t i,
                               t2g_encoding *work, t2g_example *out)
{
    const char *text, *prompt, *completion;
    size_t text_n, prompt_n, n;
    T2G_TRY(t2g_record_string(r, i, "text", false, &text, &text_n));
    T2G_TRY(t2g_record_string(r, i, "prompt", !text, &prompt, &prompt_n));
    if (!prompt)
        return t2g_encode_example(c->tok, "", 0, text, text_n, work, out);
    T2G_TRY(t2g_record_string(r, i, "completion", false, &completion, &n));
    if (!completion)
        T2G_TRY(t2g_record_string(r, i, "reference", true, &completion, &n));
    return chat_has_template(c)
               ? encode_pair(c, prompt, prompt_n, completion, n, work, out)
               : t2g_encode_example(c->tok, prompt, prompt_n, completion, n,
                                    work, out);
}

t2g_status chat_encode_example(chat_style *c, const t2g_records *r, size_t i,
                               t2g_encoding *work, t2g_example *out)
{
    const json_t *record = r->record[i];
    if (!json_object_get(record, "messages") &&
        !json_is_array(json_object_get(record, "prompt")))
        return encode_texts(c, r, i, work, out);
    json_t *messages = chat_messages(record);
    t2g_status s = messages ? encode_conversation(c, messages, work, out)
                            : t2g_fail(T2G_ERR_FORMAT, "messages: expected a "
                                       "list");
    json_decref(messages);
    return s;
}
