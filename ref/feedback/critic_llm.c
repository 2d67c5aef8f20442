/* Chat completions, the protocol that hosted models, vLLM, llama.cpp and ollama
 * share: the request for a critique, and the critique in what comes back. All
 * that comes back is untrusted. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "../files/internal.h"
#include "t2g/critic.h"

/* --- requests ------------------------------------------------------------- */

/* The object that every template asks for. */
static json_t *critique_schema(void)
{
    json_t *lists = json_pack("{s:s, s:{s:s}}", "type", "array", "items",
                              "type", "string");
    json_t *text = json_pack("{s:s}", "type", "string");
    json_t *properties = json_pack(
        "{s:O, s:o, s:O, s:o}", "reasoning", text, "textual_feedback", text,
        "good_spans", lists, "poor_spans", lists);
    return json_pack(
        "{s:s, s:{s:s, s:b, s:{s:s, s:o, s:[s, s, s, s], s:b}}}",
        "type", "json_schema", "json_schema", "name", "critique", "strict", 1,
        "schema", "type", "object", "properties", properties, "required",
        "reasoning", "textual_feedback", "good_spans", "poor_spans",
        "additionalProperties", 0);
}

static json_t *reply_form(t2g_reply_form form)
{
    return form == T2G_REPLY_JSON_SCHEMA
               ? critique_schema()
               : json_pack("{s:s}", "type", "json_object");
}

static json_t *request(const t2g_chat_options *o, t2g_reply_form form,
                       json_t *prompt)
{
    json_t *body = json_pack(
        "{s:s, s:[{s:s, s:o}], s:f, s:f, s:I}", "model", o->model, "messages",
        "role", "user", "content", prompt, "temperature", o->temperature,
        "top_p", o->top_p, "max_tokens", (json_int_t)o->max_tokens);
    if (body && form != T2G_REPLY_FREE &&
        json_object_set_new(body, "response_format", reply_form(form)) != 0) {
        json_decref(body);
        return NULL;
    }
    return body;
}

static t2g_status merge(json_t *body, const json_t *extra)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)extra, key, value) {
        if (json_is_null(value))
            json_object_del(body, key);
        else if (json_object_set(body, key, value) != 0)
            return t2g_fail(T2G_ERR_MEMORY, "no memory for a request");
    }
    return T2G_OK;
}

t2g_status t2g_chat_request(t2g_buffer *out, const t2g_chat_options *o,
                            t2g_reply_form form, const char *prompt, size_t n)
{
    json_t *text = t2g_json_text(prompt, n);
    json_t *body = text ? request(o, form, text) : NULL;
    t2g_status s = body ? merge(body, o->extra)
                        : t2g_fail(T2G_ERR_MEMORY, "no memory for a request");
    if (s == T2G_OK)
        s = t2g_json_append(out, body, false);
    json_decref(body);
    return s;
}

/* --- answers -------------------------------------------------------------- */

static t2g_status not_chat(const char *found)
{
    return t2g_fail(T2G_ERR_FORMAT, "found %s, expected a chat completion",
                    found);
}

/* Appends a message's content: a string, or parts of which some hold text. */
static t2g_status append_content(t2g_buffer *out, const json_t *content)
{
    size_t i;
    json_t *part;
    if (json_is_string(content))
        return t2g_buffer_append(out, json_string_value(content),
                                 json_string_length(content));
    json_array_foreach(content, i, part) {
        const json_t *text = json_object_get(part, "text");
        if (json_is_string(text))
            T2G_TRY(t2g_buffer_append(out, json_string_value(text),
                                      json_string_length(text)));
    }
    return T2G_OK;
}

static bool add(json_t *o, const char *key, json_t *value)
{
    return json_object_set_new(o, key, value) == 0;
}

/* Tokens are counted in reals: whatever a server writes, it stays a count. */
static bool add_tokens(json_t *answer, const char *key, const json_t *usage)
{
    const json_t *v = json_object_get(usage, key);
    double n = json_number_value(v);
    if (!json_is_number(v) || !(n >= 0 && n < 9007199254740992.0))
        return true;
    return add(answer, key, json_integer((json_int_t)n));
}

static bool add_facts(json_t *answer, const json_t *root, const json_t *choice,
                      bool refused)
{
    const json_t *finish = json_object_get(choice, "finish_reason");
    const json_t *model = json_object_get(root, "model");
    const json_t *usage = json_object_get(root, "usage");
    bool ok = true;
    if (refused)
        ok = add(answer, "finish_reason", json_string("refusal"));
    else if (json_is_string(finish))
        ok = add(answer, "finish_reason", json_copy((json_t *)(uintptr_t)
                                                    finish));
    if (ok && json_is_string(model))
        ok = add(answer, "model", json_copy((json_t *)(uintptr_t)model));
    return ok && add_tokens(answer, "prompt_tokens", usage) &&
           add_tokens(answer, "completion_tokens", usage);
}

static t2g_status take_choice(json_t *answer, const json_t *root,
                              const json_t *choice)
{
    const json_t *message = json_object_get(choice, "message");
    const json_t *content = json_object_get(message, "content");
    const json_t *refusal = json_object_get(message, "refusal");
    bool refused = json_is_string(refusal) && json_string_length(refusal) > 0;
    t2g_buffer text = {0};
    if (!json_is_object(message))
        return not_chat("a choice without a message");
    t2g_status s = append_content(&text, refused ? refusal : content);
    if (s == T2G_OK &&
        !(add(answer, "reply", t2g_json_text(text.data, text.size)) &&
          add_facts(answer, root, choice, refused)))
        s = t2g_fail(T2G_ERR_MEMORY, "no memory for an answer");
    t2g_buffer_free(&text);
    return s;
}

static t2g_status take_root(json_t *answer, const json_t *root,
                            const char *body, size_t n)
{
    const json_t *choices = json_object_get(root, "choices");
    const json_t *error = json_object_get(root, "error");
    char text[128];
    if (error && !json_is_null(error)) {
        t2g_chat_error(text, sizeof text, body, n);
        return t2g_fail(T2G_ERR_FORMAT, "the server says: %s", text);
    }
    if (!json_is_array(choices) || json_array_size(choices) == 0)
        return not_chat("JSON without 'choices'");
    return take_choice(answer, root, json_array_get(choices, 0));
}

t2g_status t2g_chat_answer(json_t **answer, const char *body, size_t n)
{
    json_error_t error;
    char text[96];
    *answer = NULL;
    json_t *root = n ? json_loadb(body, n, JSON_ALLOW_NUL |
                                  JSON_DECODE_INT_AS_REAL, &error) : NULL;
    if (!root) {
        t2g_chat_error(text, sizeof text, body, n);
        return t2g_fail(T2G_ERR_FORMAT, "found %s%s, expected the JSON of a "
                        "chat completion", n ? "a body that begins " :
                        "an empty body", n ? text : "");
    }
    json_t *out = json_object();
    t2g_status s = out ? take_root(out, root, body, n)
                       : t2g_fail(T2G_ERR_MEMORY, "no memory for an answer");
    json_decref(root);
    if (s == T2G_OK)
        *answer = out;
    else
        json_decref(out);
    return s;
}

/* --- errors --------------------------------------------------------------- */

/* Bytes at s that would move a terminal's cursor or change its state, or are
 * white space; 0: a byte to be shown. C1 controls are two bytes of UTF-8. */
static size_t unprintable(const char *s, size_t n)
{
    unsigned char c = (unsigned char)s[0];
    if (c == 0xc2 && n > 1 && (unsigned char)s[1] < 0xa0)
        return 2;
    return c <= 0x20 || c == 0x7f;
}

/* One line; UTF-8 stays, but for a character that the end would cut. */
static void put_printable(char *out, size_t room, const char *s, size_t n)
{
    size_t used = 0;
    for (size_t i = 0; i < n && used + 1 < room;) {
        size_t skip = unprintable(s + i, n - i);
        if (skip == 0)
            out[used++] = s[i];
        else if (used > 0 && out[used - 1] != ' ')
            out[used++] = ' ';
        i += skip ? skip : 1;
    }
    out[t2g_utf8_invalid(out, used)] = '\0';
}

static const json_t *error_text(const json_t *root)
{
    static const char *const keys[] = {"error", "message", "detail"};
    for (size_t i = 0; i < 3; i++) {
        const json_t *v = json_object_get(root, keys[i]);
        if (json_is_object(v))
            v = json_object_get(v, "message");
        if (json_is_string(v))
            return v;
    }
    return NULL;
}

void t2g_chat_error(char *out, size_t room, const char *body, size_t n)
{
    json_t *root = n ? json_loadb(body, n, JSON_ALLOW_NUL |
                                  JSON_DECODE_INT_AS_REAL, NULL) : NULL;
    const json_t *text = error_text(root);
    if (text)
        put_printable(out, room, json_string_value(text),
                      json_string_length(text));
    else
        put_printable(out, room, body, n);
    json_decref(root);
}

/* --- critiques ------------------------------------------------------------ */

static t2g_status unparsed(t2g_critique *out, const char *reason)
{
    *out = (t2g_critique){.status = T2G_CRITIQUE_UNPARSED,
                          .text = t2g_strdup("")};
    snprintf(out->reason, sizeof out->reason, "%s", reason);
    return out->text ? T2G_OK : T2G_ERR_MEMORY;
}

/* Length of blanks and thoughts in front of the answer proper; more than n:
 * the thoughts never end. */
static size_t thoughts(const char *s, size_t n)
{
    static const char open[] = "<think>", close[] = "</think>";
    const size_t open_n = sizeof open - 1, close_n = sizeof close - 1;
    size_t i = 0;
    while (i < n && isspace((unsigned char)s[i]))
        i++;
    if (n - i < open_n || memcmp(s + i, open, open_n) != 0)
        return 0;
    for (i += open_n; i + close_n <= n; i++)
        if (memcmp(s + i, close, close_n) == 0)
            return i + close_n;
    return n + 1;
}

t2g_status t2g_answer_critique(t2g_critique *out, const json_t *answer)
{
    static const struct {
        const char *finish, *reason;
    } broken[] = {{"length", "the reply was cut at the limit of tokens"},
                  {"content_filter", "the reply was cut by a content filter"},
                  {"refusal", "the model refused to answer"}};
    const json_t *reply = json_object_get(answer, "reply");
    const char *finish = json_string_value(json_object_get(answer,
                                                           "finish_reason"));
    *out = (t2g_critique){0};
    for (size_t i = 0; finish && i < sizeof broken / sizeof *broken; i++)
        if (strcmp(finish, broken[i].finish) == 0)
            return unparsed(out, broken[i].reason);
    if (!json_is_string(reply))
        return unparsed(out, "no reply");
    const char *text = json_string_value(reply);
    size_t n = json_string_length(reply), skip = thoughts(text, n);
    if (skip > n)
        return unparsed(out, "the reply ends within its thoughts");
    return t2g_critique_parse(out, text + skip, n - skip);
}
