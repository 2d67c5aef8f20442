#include "http.h"

#include <curl/curl.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"

/* Header lines are small: more than this is an attack or a mistake. */
enum { MAX_HEADER_BYTES = 1 << 18 };

typedef struct request {
    CURL *easy;
    t2g_buffer body;
    size_t max_bytes, header_bytes;
    double last_byte;   /* when; 0: none yet */
    bool flying, ended; /* ended: by us, before libcurl did */
    const char *limit;  /* which of ours it broke, or NULL */
    char error[CURL_ERROR_SIZE];
} request;

struct http_pool {
    CURLM *multi;
    struct curl_slist *headers;
    request *slot;
    size_t slots;
    double stall_timeout;
};

/* --- what arrives --------------------------------------------------------- */

static size_t take_body(char *bytes, size_t size, size_t count, void *context)
{
    request *r = context;
    size_t n = size * count;
    r->last_byte = cli_seconds();
    if (n > r->max_bytes - r->body.size)
        r->limit = "the reply is longer than --max-reply-bytes";
    else if (t2g_buffer_append(&r->body, bytes, n) != T2G_OK)
        r->limit = "no memory for the reply";
    return r->limit ? 0 : n;
}

static size_t take_header(char *bytes, size_t size, size_t count, void *context)
{
    request *r = context;
    (void)bytes;
    r->last_byte = cli_seconds();
    r->header_bytes += size * count;
    if (r->header_bytes > MAX_HEADER_BYTES)
        r->limit = "the reply's header is too long";
    return r->limit ? 0 : size * count;
}

/* --- opening -------------------------------------------------------------- */

static t2g_status no_memory(void)
{
    return t2g_fail(T2G_ERR_MEMORY, "no memory for requests");
}

static t2g_status add_header(http_pool *p, const char *line)
{
    struct curl_slist *more = curl_slist_append(p->headers, line);
    if (!more)
        return no_memory();
    p->headers = more;
    return T2G_OK;
}

static t2g_status add_headers(http_pool *p, const char *key)
{
    t2g_buffer line = {0};
    T2G_TRY(add_header(p, "Content-Type: application/json"));
    T2G_TRY(add_header(p, "Accept: application/json"));
    T2G_TRY(add_header(p, "Expect:")); /* no extra round trip */
    if (!key)
        return T2G_OK;
    t2g_status s = t2g_buffer_printf(&line, "Authorization: Bearer %s", key);
    if (s == T2G_OK)
        s = add_header(p, line.data);
    t2g_buffer_free(&line);
    return s;
}

static void allow_http_only(CURL *e)
{
#if LIBCURL_VERSION_NUM >= 0x075500
    curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
#else
    curl_easy_setopt(e, CURLOPT_PROTOCOLS,
                     (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
}

/* Redirects are not followed: they would carry the key to another place. */
static t2g_status set_up(http_pool *p, request *r, const http_settings *s)
{
    CURL *e = r->easy = curl_easy_init();
    if (!e)
        return no_memory();
    r->max_bytes = s->max_bytes;
    allow_http_only(e);
    curl_easy_setopt(e, CURLOPT_HTTPHEADER, p->headers);
    curl_easy_setopt(e, CURLOPT_USERAGENT, "t2g/" T2G_VERSION);
    curl_easy_setopt(e, CURLOPT_POST, 1L);
    curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(e, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(e, CURLOPT_SSL_VERIFYHOST, 2L);
    if (s->ca_file)
        curl_easy_setopt(e, CURLOPT_CAINFO, s->ca_file);
    curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(e, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS,
                     (long)(1e3 * s->connect_timeout));
    curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, (long)(1e3 * s->timeout));
    curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(e, CURLOPT_WRITEDATA, r);
    curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, take_header);
    curl_easy_setopt(e, CURLOPT_HEADERDATA, r);
    curl_easy_setopt(e, CURLOPT_ERRORBUFFER, r->error);
    curl_easy_setopt(e, CURLOPT_PRIVATE, r);
    return curl_easy_setopt(e, CURLOPT_URL, s->url) == CURLE_OK ? T2G_OK
                                                                : no_memory();
}

static t2g_status set_up_all(http_pool *p, const http_settings *s)
{
    p->multi = curl_multi_init();
    p->slot = t2g_calloc(s->slots, sizeof *p->slot);
    p->stall_timeout = s->stall_timeout;
    if (!p->multi || !p->slot)
        return no_memory();
    p->slots = s->slots;
    T2G_TRY(add_headers(p, s->key));
    for (size_t i = 0; i < p->slots; i++)
        T2G_TRY(set_up(p, &p->slot[i], s));
    return T2G_OK;
}

t2g_status http_open(http_pool **out, const http_settings *s)
{
    *out = NULL;
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return t2g_fail(T2G_ERR_IO, "libcurl does not start");
    http_pool *p = t2g_calloc(1, sizeof *p);
    if (!p) {
        curl_global_cleanup();
        return T2G_ERR_MEMORY;
    }
    t2g_status status = set_up_all(p, s);
    if (status == T2G_OK)
        *out = p;
    else
        http_close(p);
    return status;
}

void http_close(http_pool *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < p->slots; i++) {
        request *r = &p->slot[i];
        if (r->flying)
            curl_multi_remove_handle(p->multi, r->easy);
        curl_easy_cleanup(r->easy);
        t2g_buffer_free(&r->body);
    }
    curl_multi_cleanup(p->multi);
    curl_slist_free_all(p->headers);
    t2g_free(p->slot);
    t2g_free(p);
    curl_global_cleanup();
}

/* --- in flight ------------------------------------------------------------ */

static t2g_status multi_error(CURLMcode code)
{
    return code == CURLM_OK
               ? T2G_OK
               : t2g_fail(T2G_ERR_IO, "libcurl: %s", curl_multi_strerror(code));
}

t2g_status http_post(http_pool *p, size_t slot, const char *body, size_t n)
{
    request *r = &p->slot[slot];
    r->body.size = r->header_bytes = 0;
    r->last_byte = 0;
    r->limit = NULL;
    r->ended = false;
    r->error[0] = '\0';
    curl_easy_setopt(r->easy, CURLOPT_POSTFIELDS, body);
    curl_easy_setopt(r->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)n);
    T2G_TRY(multi_error(curl_multi_add_handle(p->multi, r->easy)));
    r->flying = true;
    return T2G_OK;
}

/* A model may think for minutes before its first byte, but not between two. */
static void end_stalled(http_pool *p)
{
    double now = cli_seconds();
    for (size_t i = 0; i < p->slots; i++) {
        request *r = &p->slot[i];
        if (r->flying && !r->ended && r->last_byte > 0 &&
            now - r->last_byte > p->stall_timeout) {
            r->limit = "the reply stalled";
            r->ended = true;
        }
    }
}

t2g_status http_wait(http_pool *p, double seconds)
{
    int running, events;
    T2G_TRY(multi_error(curl_multi_perform(p->multi, &running)));
    if (running > 0) {
        T2G_TRY(multi_error(curl_multi_poll(p->multi, NULL, 0,
                                            (int)(1e3 * seconds), &events)));
        T2G_TRY(multi_error(curl_multi_perform(p->multi, &running)));
    }
    end_stalled(p);
    return T2G_OK;
}

/* --- what came of it ------------------------------------------------------ */

static bool is_hopeless(CURLcode code)
{
    return code == CURLE_UNSUPPORTED_PROTOCOL || code == CURLE_URL_MALFORMAT ||
           code == CURLE_PEER_FAILED_VERIFICATION ||
           code == CURLE_SSL_CACERT_BADFILE || code == CURLE_SSL_CERTPROBLEM ||
           code == CURLE_SSL_ISSUER_ERROR;
}

static void copy_text(char *out, size_t room, const char *text)
{
    snprintf(out, room, "%s", text ? text : "");
}

static void describe_failure(http_result *out, const request *r, CURLcode code)
{
    const char *why = r->limit ? r->limit
                      : r->error[0] ? r->error : curl_easy_strerror(code);
    out->code = 0;
    out->hopeless = !r->limit && is_hopeless(code);
    copy_text(out->error, sizeof out->error, why);
}

static void describe_reply(http_result *out, const request *r)
{
    curl_off_t wait = 0;
    const char *type = NULL, *to = NULL;
    curl_easy_getinfo(r->easy, CURLINFO_RESPONSE_CODE, &out->code);
    curl_easy_getinfo(r->easy, CURLINFO_RETRY_AFTER, &wait); /* or a date */
    curl_easy_getinfo(r->easy, CURLINFO_CONTENT_TYPE, &type);
    curl_easy_getinfo(r->easy, CURLINFO_REDIRECT_URL, &to);
    out->retry_after = wait > 0 ? (double)wait : 0;
    copy_text(out->type, sizeof out->type, type);
    copy_text(out->location, sizeof out->location, to);
    out->location[strcspn(out->location, "?#")] = '\0';
}

static void finish(http_pool *p, request *r, CURLcode code, http_result *out)
{
    *out = (http_result){.slot = (size_t)(r - p->slot), .body = &r->body};
    if (r->limit || code != CURLE_OK)
        describe_failure(out, r, code);
    else
        describe_reply(out, r);
    curl_multi_remove_handle(p->multi, r->easy);
    r->flying = r->ended = false;
}

bool http_next(http_pool *p, http_result *out)
{
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(p->multi, &left))) {
        request *r;
        if (message->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&r);
        finish(p, r, message->data.result, out);
        return true;
    }
    for (size_t i = 0; i < p->slots; i++)
        if (p->slot[i].ended) {
            finish(p, &p->slot[i], CURLE_OPERATION_TIMEDOUT, out);
            return true;
        }
    return false;
}
