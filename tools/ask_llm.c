/* A language model behind an OpenAI-compatible server as a critic. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "annotate.h"
#include "http.h"

const char *const response_format_names[] = {"none", "json_object",
                                             "json_schema", NULL};

/* Question and request of one slot. */
typedef struct exchange {
    t2g_buffer prompt, request;
} exchange;

/* The form of replies is asked for as the options say. If the first request is
 * turned down, weaker forms are tried, one request at a time, until one is
 * served: from then on it is proven, and a server that turns a request down
 * means its content. */
typedef struct llm {
    asker base;
    const annotate_options *o;
    const t2g_records *records;
    t2g_prompt_template template;
    t2g_chat_options chat;
    t2g_buffer template_text, key, url, settings, conversation;
    json_t *extra;
    t2g_reply_form form;
    bool proven, answered;
    http_pool *http;
    exchange *slot;
} llm;

/* --- secrets -------------------------------------------------------------- */

static void trim(t2g_buffer *text)
{
    while (text->size > 0 && isspace((unsigned char)text->data[text->size - 1]))
        text->data[--text->size] = '\0';
}

/* What is no key must not get into a header; it is not shown either. */
static t2g_status check_key(const t2g_buffer *key, const char *where)
{
    enum { LONGEST_KEY = 8192 };
    bool good = key->size > 0 && key->size <= LONGEST_KEY;
    for (size_t i = 0; good && i < key->size; i++)
        good = key->data[i] > ' ' && key->data[i] < 0x7f;
    return good ? T2G_OK
                : t2g_fail(T2G_ERR_FORMAT, "%s: holds no API key, expected one "
                           "word of printable ASCII characters", where);
}

/* From the file, else from the environment; servers at home need none. */
static t2g_status load_key(t2g_buffer *key, const annotate_options *o)
{
    const char *name = o->api_key_env ? o->api_key_env : "OPENAI_API_KEY";
    const char *value = getenv(name);
    if (o->api_key_file) {
        T2G_TRY(t2g_file_read(o->api_key_file, key));
        trim(key);
        return check_key(key, o->api_key_file);
    }
    if (o->api_key_env && *name && !value)
        return t2g_fail(T2G_ERR_ARG, "the environment has no %s, which "
                        "--api-key-env names", name);
    if (!value || !*value)
        return T2G_OK;
    T2G_TRY(t2g_buffer_puts(key, value));
    trim(key);
    return check_key(key, name);
}

/* Servers quote keys in their complaints: stars instead, before anything is
 * parsed, cut or kept, and in messages once more for keys with escapes. */
static void redact(const llm *l, char *text, size_t size)
{
    size_t n = l->key.size;
    if (n == 0)
        return;
    for (size_t i = 0; i + n <= size; i++)
        if (text[i] == l->key.data[0] &&
            memcmp(text + i, l->key.data, n) == 0)
            memset(text + i, '*', n);
}

/* --- options -------------------------------------------------------------- */

/* BASE/chat/completions, also when all of that was given as BASE; a query (some
 * gateways want one) stays at the end. */
static t2g_status build_url(t2g_buffer *url, const char *base)
{
    static const char tail[] = "/chat/completions";
    const size_t tail_n = sizeof tail - 1;
    const char *scheme_end = strstr(base, "://");
    size_t path = strcspn(base, "?#"), end = path;
    bool web = scheme_end && (strncmp(base, "http://", 7) == 0 ||
                              strncmp(base, "https://", 8) == 0);
    if (!web)
        return t2g_fail(T2G_ERR_ARG, "base-url does not begin with http:// or "
                        "https://, expected one like http://127.0.0.1:8080/v1");
    size_t host = strcspn(scheme_end + 3, "/?#");
    if (memchr(scheme_end + 3, '@', host))
        return t2g_fail(T2G_ERR_ARG, "base-url holds a user or password, which "
                        "others can see; --api-key-file keeps secrets");
    while (end > 0 && base[end - 1] == '/')
        end--;
    if (end > tail_n && memcmp(base + end - tail_n, tail, tail_n) == 0)
        end -= tail_n;
    T2G_TRY(t2g_buffer_append(url, base, end));
    T2G_TRY(t2g_buffer_puts(url, tail));
    return t2g_buffer_puts(url, base + path);
}

t2g_status load_template(t2g_prompt_template *t, t2g_buffer *text,
                         const annotate_options *o)
{
    *t = t2g_critic_template((t2g_critic_task)o->task);
    if (!o->prompt_template)
        return T2G_OK;
    T2G_TRY(t2g_file_read(o->prompt_template, text));
    *t = (t2g_prompt_template){o->prompt_template, text->data ? text->data : "",
                               text->size};
    if (t2g_utf8_invalid(t->text, t->n) < t->n)
        return t2g_fail(T2G_ERR_FORMAT, "%s: byte %zu is not UTF-8", t->name,
                        t2g_utf8_invalid(t->text, t->n) + 1);
    return t2g_critic_template_check(t);
}

static t2g_status load_extra(llm *l)
{
    json_error_t error;
    const char *text = l->o->extra_body;
    if (!text)
        return T2G_OK;
    l->extra = json_loads(text, JSON_REJECT_DUPLICATES, &error);
    if (json_is_object(l->extra))
        return T2G_OK;
    return t2g_fail(T2G_ERR_ARG, "extra-body is no JSON object%s%s, expected "
                    "one like {\"seed\": 1}", l->extra ? "" : ": ",
                    l->extra ? "" : error.text);
}

static void warn_of_plain_http(const llm *l, const invocation *inv)
{
    static const char *const near[] = {"http://127.0.0.1", "http://localhost",
                                       "http://[::1]"};
    bool plain = strncmp(l->url.data, "http://", 7) == 0;
    for (size_t i = 0; plain && i < 3; i++)
        plain = strncmp(l->url.data, near[i], strlen(near[i])) != 0;
    if (plain && l->key.size > 0)
        cli_note(inv, "the API key goes over the network unencrypted; https:// "
                 "would protect it");
}

static t2g_status open_http(llm *l)
{
    const annotate_options *o = l->o;
    const http_settings s = {
        .url = l->url.data, .key = l->key.size ? l->key.data : NULL,
        .ca_file = o->ca_file, .connect_timeout = o->connect_timeout,
        .timeout = o->timeout, .stall_timeout = o->stall_timeout,
        .max_bytes = o->max_reply_bytes, .slots = o->asking.concurrency};
    l->slot = t2g_calloc(s.slots, sizeof *l->slot);
    return l->slot ? http_open(&l->http, &s) : T2G_ERR_MEMORY;
}

static void set_form(llm *l, t2g_reply_form form, bool proven)
{
    l->form = form;
    l->proven = proven;
    l->base.limit = proven ? l->o->asking.concurrency : 1;
}

static t2g_status prepare(llm *l)
{
    const annotate_options *o = l->o;
    t2g_reply_form wanted = (t2g_reply_form)o->response_format;
    T2G_TRY(load_key(&l->key, o));
    T2G_TRY(build_url(&l->url, o->base_url));
    T2G_TRY(load_template(&l->template, &l->template_text, o));
    T2G_TRY(load_extra(l));
    l->chat = (t2g_chat_options){o->model, o->temperature, o->top_p,
                                 o->max_tokens, l->extra};
    /* The settings are a request that asks nothing. */
    T2G_TRY(t2g_chat_request(&l->settings, &l->chat, wanted, "", 0));
    set_form(l, wanted, wanted == T2G_REPLY_FREE);
    return open_http(l);
}

/* --- questions ------------------------------------------------------------ */

/* A conversation as text: a line with the role, then what was said. */
static t2g_status write_conversation(t2g_buffer *out, const json_t *messages)
{
    size_t i;
    json_t *m;
    out->size = 0;
    json_array_foreach(messages, i, m) {
        const json_t *role = json_object_get(m, "role");
        const json_t *content = json_object_get(m, "content");
        if (!json_is_string(role) || !json_is_string(content))
            return t2g_fail(T2G_ERR_FORMAT, "message %zu is not an object with "
                            "the strings 'role' and 'content'", i + 1);
        T2G_TRY(t2g_buffer_printf(out, "%s%s:\n", i ? "\n\n" : "",
                                  json_string_value(role)));
        T2G_TRY(t2g_buffer_append(out, json_string_value(content),
                                  json_string_length(content)));
    }
    return T2G_OK;
}

/* The case of a record: its prompt, or else its messages as one. */
static t2g_status read_case(llm *l, size_t i, t2g_critic_case *c)
{
    const t2g_records *r = l->records;
    const json_t *messages = json_object_get(r->record[i], "messages");
    bool has_prompt = json_object_get(r->record[i], "prompt") != NULL;
    *c = (t2g_critic_case){0};
    if (!has_prompt && json_array_size(messages) > 0) {
        t2g_status s = write_conversation(&l->conversation, messages);
        if (s != T2G_OK)
            return t2g_fail_in(s, "%s:%zu", r->path, r->line[i]);
        c->prompt = l->conversation.data;
        c->prompt_n = l->conversation.size;
    } else {
        T2G_TRY(t2g_record_string(r, i, "prompt", true, &c->prompt,
                                  &c->prompt_n));
    }
    T2G_TRY(t2g_record_string(r, i, "response", true, &c->response,
                              &c->response_n));
    return t2g_record_string(r, i, "reference", false, &c->reference,
                             &c->reference_n);
}

static t2g_status llm_key(asker *a, size_t i, char key[T2G_ANSWER_KEY])
{
    static const char kind[] = "llm/1";
    llm *l = (llm *)a;
    t2g_critic_case c;
    T2G_TRY(read_case(l, i, &c));
    /* Filled in once for its complaints: before anything is paid for. */
    t2g_buffer prompt = {0};
    t2g_status s = t2g_critic_fill(&prompt, &l->template, &c);
    t2g_buffer_free(&prompt);
    if (s != T2G_OK)
        return t2g_fail_in(s, "%s:%zu", l->records->path, l->records->line[i]);
    const t2g_bytes parts[] = {{kind, sizeof kind - 1},
                               {l->settings.data, l->settings.size},
                               {l->template.text, l->template.n},
                               {c.prompt, c.prompt_n},
                               {c.response, c.response_n},
                               {c.reference, c.reference_n}};
    return t2g_answer_key(key, parts, sizeof parts / sizeof *parts);
}

/* The form that an earlier run found to be served is not searched again. */
static void llm_known(asker *a, const json_t *answer)
{
    llm *l = (llm *)a;
    const char *name = json_string_value(json_object_get(answer,
                                                         "response_format"));
    for (int i = 0; name && response_format_names[i]; i++)
        if (strcmp(name, response_format_names[i]) == 0)
            set_form(l, (t2g_reply_form)i, true);
}

static t2g_status llm_start(asker *a, size_t slot, size_t record)
{
    llm *l = (llm *)a;
    exchange *e = &l->slot[slot];
    t2g_critic_case c;
    e->prompt.size = e->request.size = 0;
    T2G_TRY(read_case(l, record, &c));
    T2G_TRY(t2g_critic_fill(&e->prompt, &l->template, &c));
    T2G_TRY(t2g_chat_request(&e->request, &l->chat, l->form, e->prompt.data,
                             e->prompt.size));
    return http_post(l->http, slot, e->request.data, e->request.size);
}

static t2g_status llm_wait(asker *a, double seconds)
{
    return http_wait(((llm *)a)->http, seconds);
}

/* --- replies -------------------------------------------------------------- */

static void count_tokens(llm *l, const json_t *answer)
{
    usage *u = &l->base.used;
    u->prompt_tokens +=
        json_number_value(json_object_get(answer, "prompt_tokens"));
    u->completion_tokens +=
        json_number_value(json_object_get(answer, "completion_tokens"));
    u->cost = 1e-6 * (u->prompt_tokens * l->o->price_input +
                      u->completion_tokens * l->o->price_output);
}

static void take_answer(llm *l, const http_result *r, trial *t)
{
    t2g_status s = t2g_chat_answer(&t->answer, r->body->data, r->body->size);
    if (s != T2G_OK) { /* a server in trouble may well say 200 */
        char type[64];
        t2g_chat_error(type, sizeof type, r->type, strlen(r->type));
        t->end = TRIAL_LATER;
        snprintf(t->reason, sizeof t->reason, "%s%s%s", t2g_error_message(),
                 type[0] ? "; its type is " : "", type);
        return;
    }
    json_object_set_new(t->answer, "response_format",
                        json_string(response_format_names[l->form]));
    count_tokens(l, t->answer);
    l->answered = true;
    set_form(l, l->form, true);
    t->end = TRIAL_ANSWERED;
}

/* 400 or 422: the form of replies that we ask for, or the question itself. */
static trial_end turned_down(llm *l)
{
    if (l->proven)
        return TRIAL_REFUSED;
    if (l->form == T2G_REPLY_FREE) {
        set_form(l, (t2g_reply_form)l->o->response_format, false);
        return TRIAL_REFUSED;
    }
    set_form(l, l->form - 1, false);
    return TRIAL_AGAIN;
}

static trial_end classify(llm *l, long code)
{
    switch (code) {
    case 400:
    case 422: return turned_down(l);
    case 401: /* the key */
    case 402: /* the account */
    case 404: /* the address or the model */
    case 405:
    case 407: return TRIAL_HOPELESS;
    case 403: return l->answered ? TRIAL_REFUSED : TRIAL_HOPELESS;
    case 408:
    case 409:
    case 425:
    case 429: return TRIAL_LATER;
    }
    return code >= 500 ? TRIAL_LATER
           : code >= 400 ? TRIAL_REFUSED : TRIAL_HOPELESS;
}

static void take_error(llm *l, const http_result *r, trial *t)
{
    char text[200], place[200];
    t->end = classify(l, r->code);
    t->wait = r->retry_after;
    t2g_chat_error(text, sizeof text, r->body->data, r->body->size);
    t2g_chat_error(place, sizeof place, r->location, strlen(r->location));
    if (place[0])
        snprintf(t->reason, sizeof t->reason, "the server answers %ld and "
                 "points to %s; if you trust it, give that address as "
                 "--base-url", r->code, place);
    else
        snprintf(t->reason, sizeof t->reason, "the server answers %ld%s%s",
                 r->code, text[0] ? ": " : "", text);
}

static bool llm_next(asker *a, trial *out)
{
    llm *l = (llm *)a;
    http_result r;
    if (!http_next(l->http, &r))
        return false;
    *out = (trial){.slot = r.slot};
    redact(l, r.body->data, r.body->size);
    if (r.code == 0) {
        out->end = r.hopeless ? TRIAL_HOPELESS : TRIAL_LATER;
        snprintf(out->reason, sizeof out->reason, "%s", r.error);
    } else if (r.code >= 200 && r.code < 300) {
        take_answer(l, &r, out);
    } else {
        take_error(l, &r, out);
    }
    redact(l, out->reason, strlen(out->reason));
    return true;
}

/* --- the asker ------------------------------------------------------------ */

static void llm_close(asker *a)
{
    llm *l = (llm *)a;
    http_close(l->http);
    for (size_t i = 0; l->slot && i < l->o->asking.concurrency; i++) {
        t2g_buffer_free(&l->slot[i].prompt);
        t2g_buffer_free(&l->slot[i].request);
    }
    t2g_buffer *const all[] = {&l->template_text, &l->key, &l->url,
                               &l->settings, &l->conversation};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        t2g_buffer_free(all[i]);
    json_decref(l->extra);
    t2g_free(l->slot);
    t2g_free(l);
}

t2g_status ask_llm_open(asker **out, const annotate_options *o,
                        const t2g_records *r, const invocation *inv)
{
    llm *l = t2g_calloc(1, sizeof *l);
    *out = NULL;
    if (!l)
        return T2G_ERR_MEMORY;
    l->o = o;
    l->records = r;
    l->base = (asker){.key = llm_key, .known = llm_known, .start = llm_start,
                      .wait = llm_wait, .next = llm_next, .close = llm_close};
    snprintf(l->base.version, sizeof l->base.version, "llm/1 %s", o->model);
    t2g_status s = prepare(l);
    if (s != T2G_OK) {
        llm_close(&l->base);
        return s;
    }
    warn_of_plain_http(l, inv);
    *out = &l->base;
    return T2G_OK;
}
