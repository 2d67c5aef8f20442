#include "people_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    CONNECTIONS = 64,
    LONGEST_HEAD = 16 << 10,
    SECRET_BYTES = 16,
    SECRET = 2 * SECRET_BYTES, /* hexadecimal digits */
    CHUNK = 1 << 16
};

/* Seconds for a whole head, a whole request, a whole reply; then until the
 * other side has closed, for closing over unread bytes would take back the
 * reply. */
static const double HEAD_TIME = 10, BODY_TIME = 30, REPLY_TIME = 30,
                    LINGER_TIME = 1;

typedef enum stage { CLOSED, HEAD, BODY, REPLY, LINGER } stage;

typedef struct connection {
    stage stage;
    int fd;
    double deadline;
    t2g_buffer in, out;
    size_t head_n, body_n, sent;
    bool post;
    char *path;
} connection;

struct web_server {
    int listener;
    unsigned port;
    char secret[SECRET + 1], address[64];
    size_t body_limit;
    web_handler *handle;
    void *context;
    connection connection[CONNECTIONS];
};

/* --- replies -------------------------------------------------------------- */

static const char *status_text(int status)
{
    static const struct {
        int status;
        const char *text;
    } texts[] = {{200, "OK"}, {400, "Bad Request"}, {403, "Forbidden"},
                 {404, "Not Found"}, {405, "Method Not Allowed"},
                 {408, "Request Timeout"}, {409, "Conflict"},
                 {411, "Length Required"}, {413, "Content Too Large"},
                 {415, "Unsupported Media Type"},
                 {422, "Unprocessable Content"},
                 {431, "Request Header Fields Too Large"},
                 {500, "Internal Server Error"}, {501, "Not Implemented"},
                 {505, "HTTP Version Not Supported"}};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (texts[i].status == status)
            return texts[i].text;
    return "Unknown";
}

static t2g_status write_reply(t2g_buffer *out, const web_reply *r)
{
    /* The page is one file and may reach nothing but this server. */
    T2G_TRY(t2g_buffer_printf(
        out, "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
        "Connection: close\r\nCache-Control: no-store\r\n"
        "Content-Security-Policy: default-src 'none'; connect-src 'self'; "
        "script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
        "img-src data:; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'\r\nReferrer-Policy: no-referrer\r\n"
        "X-Content-Type-Options: nosniff\r\n"
        "Cross-Origin-Resource-Policy: same-origin\r\n%s\r\n", r->status,
        status_text(r->status), r->type, r->body.size,
        r->status == 405 ? "Allow: GET, POST\r\n" : ""));
    return t2g_buffer_append(out, r->body.data, r->body.size);
}

static void drop(connection *c)
{
    if (c->stage != CLOSED)
        close(c->fd);
    t2g_buffer_free(&c->in);
    t2g_buffer_free(&c->out);
    t2g_free(c->path);
    *c = (connection){.fd = -1};
}

static void reply(connection *c, const web_reply *r)
{
    c->out.size = c->sent = 0;
    c->stage = REPLY;
    c->deadline = cli_seconds() + REPLY_TIME;
    if (write_reply(&c->out, r) != T2G_OK)
        drop(c);
}

static void refuse(connection *c, int status)
{
    web_reply r = {.status = status, .type = "text/plain"};
    if (t2g_buffer_printf(&r.body, "%s\n", status_text(status)) == T2G_OK)
        reply(c, &r);
    else
        drop(c);
    t2g_buffer_free(&r.body);
}

/* --- the head of a request ------------------------------------------------ */

typedef struct head {
    const char *method, *target, *host, *origin, *type, *length;
    bool chunked, waits; /* Expect: 100-continue */
} head;

static bool is_token(const char *s)
{
    static const char more[] = "!#$%&'*+-.^_`|~";
    size_t n = strlen(s);
    for (size_t i = 0; i < n; i++) {
        int low = s[i] | 0x20;
        if (!((low >= 'a' && low <= 'z') || (s[i] >= '0' && s[i] <= '9') ||
              strchr(more, s[i])))
            return false;
    }
    return n > 0;
}

/* Cuts off the line at *rest; NULL: none, or one with a control character. */
static char *cut_line(char **rest)
{
    char *line = *rest, *end = strstr(line, "\r\n");
    if (!end)
        return NULL;
    *end = '\0';
    *rest = end + 2;
    for (const char *s = line; *s; s++)
        if (((unsigned char)*s < 0x20 && *s != '\t') || *s == 0x7f)
            return NULL;
    return line;
}

/* 0, or the status to refuse with. */
static int read_request_line(head *h, char *line)
{
    char *target = strchr(line, ' ');
    char *version = target ? strchr(target + 1, ' ') : NULL;
    if (!version || strchr(version + 1, ' '))
        return 400;
    *target = *version = '\0';
    h->method = line;
    h->target = target + 1;
    if (!is_token(line) || h->target[0] != '/' ||
        strncmp(version + 1, "HTTP/", 5) != 0)
        return 400;
    return strcmp(version + 1, "HTTP/1.1") == 0 ? 0 : 505;
}

/* A field that is given twice could mean one thing to us and another to what
 * stands before us. */
static int read_field(head *h, char *line)
{
    const struct {
        const char *name;
        const char **value;
    } known[] = {{"Host", &h->host}, {"Origin", &h->origin},
                 {"Content-Type", &h->type}, {"Content-Length", &h->length}};
    char *value = strchr(line, ':');
    if (!value)
        return 400;
    *value++ = '\0';
    if (!is_token(line))
        return 400;
    value += strspn(value, " \t");
    size_t n = strlen(value);
    while (n > 0 && strchr(" \t", value[n - 1]))
        value[--n] = '\0';
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcasecmp(line, known[i].name) == 0) {
            if (*known[i].value)
                return 400;
            *known[i].value = value;
        }
    h->chunked |= strcasecmp(line, "Transfer-Encoding") == 0;
    h->waits |= strcasecmp(line, "Expect") == 0;
    return 0;
}

static int read_head(head *h, char *text, size_t n)
{
    char *line;
    if (memchr(text, '\0', n))
        return 400;
    if (!(line = cut_line(&text)))
        return 400;
    int status = read_request_line(h, line);
    while (status == 0) {
        if (!(line = cut_line(&text)))
            return 400;
        if (*line == '\0')
            break;
        status = read_field(h, line);
    }
    return status == 0 && !h->host ? 400 : status;
}

/* --- who may ask what ----------------------------------------------------- */

/* A name of another machine that leads here (DNS rebinding) is none of ours. */
static bool our_host(const web_server *s, const char *host)
{
    char name[32];
    static const char *const names[] = {"127.0.0.1", "localhost"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(name, sizeof name, "%s:%u", names[i], s->port);
        if (strcasecmp(host, name) == 0 ||
            (s->port == 80 && strcasecmp(host, names[i]) == 0))
            return true;
    }
    return false;
}

static bool our_origin(const web_server *s, const char *origin)
{
    static const char scheme[] = "http://";
    return strncmp(origin, scheme, sizeof scheme - 1) == 0 &&
           our_host(s, origin + sizeof scheme - 1);
}

/* In a time that does not tell how many digits are right. */
static bool right_secret(const web_server *s, const char *target)
{
    unsigned char wrong = 0;
    if (strlen(target) < SECRET + 2)
        return false;
    for (size_t i = 0; i < SECRET; i++)
        wrong |= (unsigned char)(s->secret[i] ^ target[1 + i]);
    return wrong == 0 && target[1 + SECRET] == '/';
}

/* Digits alone; more of them than any body has are too many. */
static bool read_length(size_t *out, const char *text)
{
    size_t n = strlen(text), value = 0;
    if (n == 0 || n > 18 || strspn(text, "0123456789") != n)
        return false;
    for (; *text; text++)
        value = 10 * value + (size_t)(*text - '0');
    *out = value;
    return true;
}

static bool says_json(const head *h)
{
    static const char json[] = "application/json";
    size_t n = sizeof json - 1;
    return h->type && strncasecmp(h->type, json, n) == 0 &&
           strchr("; \t", h->type[n]);
}

static int check_body(const web_server *s, connection *c, const head *h)
{
    if (h->chunked)
        return 501;
    if (h->length && !read_length(&c->body_n, h->length))
        return 400;
    if (!c->post)
        return c->body_n > 0 ? 400 : 0;
    if (!h->length)
        return 411;
    if (c->body_n > s->body_limit)
        return 413;
    return says_json(h) ? 0 : 415;
}

/* Strangers learn nothing but that they are. */
static int check(const web_server *s, connection *c, const head *h)
{
    if (!our_host(s, h->host) || !right_secret(s, h->target) ||
        (h->origin && !our_origin(s, h->origin)))
        return 403;
    c->post = strcmp(h->method, "POST") == 0;
    if (!c->post && strcmp(h->method, "GET") != 0)
        return 405;
    c->path = t2g_strdup(h->target + 1 + SECRET);
    return c->path ? check_body(s, c, h) : 500;
}

/* --- traffic -------------------------------------------------------------- */

static void answer(web_server *s, connection *c)
{
    web_reply r = {.status = 500, .type = "text/plain"};
    const web_request q = {c->post, c->path, c->in.data + c->head_n, c->body_n};
    s->handle(s->context, &q, &r);
    reply(c, &r);
    t2g_buffer_free(&r.body);
}

static void begin_body(web_server *s, connection *c)
{
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
    head h = {0};
    int status = read_head(&h, c->in.data, c->head_n);
    if (status == 0)
        status = check(s, c, &h);
    if (status != 0) {
        refuse(c, status);
        return;
    }
    c->stage = BODY;
    c->deadline = cli_seconds() + BODY_TIME;
    if (h.waits && c->in.size < c->head_n + c->body_n)
        (void)!send(c->fd, go_on, sizeof go_on - 1, MSG_NOSIGNAL);
}

static void find_head(web_server *s, connection *c, size_t before)
{
    size_t from = before < 3 ? 0 : before - 3;
    const char *end = strstr(c->in.data + from, "\r\n\r\n");
    if (!end && memchr(c->in.data + from, '\0', c->in.size - from))
        refuse(c, 400);
    else if (!end && c->in.size > LONGEST_HEAD)
        refuse(c, 431);
    else if (end) {
        c->head_n = (size_t)(end - c->in.data) + 4;
        if (c->head_n > LONGEST_HEAD)
            refuse(c, 431);
        else
            begin_body(s, c);
    }
}

static void receive(web_server *s, connection *c)
{
    char chunk[CHUNK];
    size_t before = c->in.size;
    ssize_t n = recv(c->fd, chunk, sizeof chunk, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        drop(c);
        return;
    }
    if (c->stage == LINGER)
        return;
    if (t2g_buffer_append(&c->in, chunk, (size_t)n) != T2G_OK) {
        drop(c);
        return;
    }
    if (c->stage == HEAD)
        find_head(s, c, before);
    if (c->stage == BODY && c->in.size >= c->head_n + c->body_n)
        answer(s, c);
}

static void send_more(connection *c)
{
    ssize_t n = send(c->fd, c->out.data + c->sent, c->out.size - c->sent,
                     MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN && errno != EINTR) {
        drop(c);
        return;
    }
    c->sent += n > 0 ? (size_t)n : 0;
    if (c->sent < c->out.size)
        return;
    shutdown(c->fd, SHUT_WR);
    c->stage = LINGER;
    c->deadline = cli_seconds() + LINGER_TIME;
}

/* The free place, else that of the one whose time is up first. */
static connection *place(web_server *s)
{
    connection *first = &s->connection[0];
    for (size_t i = 0; i < CONNECTIONS; i++) {
        connection *c = &s->connection[i];
        if (c->stage == CLOSED)
            return c;
        if (c->deadline < first->deadline)
            first = c;
    }
    drop(first);
    return first;
}

static bool nonblocking(int fd)
{
    return fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 &&
           fcntl(fd, F_SETFL, O_NONBLOCK) == 0;
}

static void take_new(web_server *s)
{
    int fd = accept(s->listener, NULL, NULL);
    if (fd < 0)
        return;
    if (!nonblocking(fd)) {
        close(fd);
        return;
    }
    connection *c = place(s);
    *c = (connection){.stage = HEAD, .fd = fd,
                      .deadline = cli_seconds() + HEAD_TIME};
}

static void serve(web_server *s, connection *c, short events)
{
    if (events && c->stage == REPLY)
        send_more(c);
    else if (events && c->stage != CLOSED)
        receive(s, c);
    if (c->stage == CLOSED || cli_seconds() < c->deadline)
        return;
    if (c->stage == HEAD || c->stage == BODY)
        refuse(c, 408);
    else
        drop(c);
}

t2g_status web_turn(web_server *s, double seconds)
{
    struct pollfd f[CONNECTIONS + 1];
    for (size_t i = 0; i < CONNECTIONS; i++) {
        const connection *c = &s->connection[i];
        f[i] = (struct pollfd){c->stage == CLOSED ? -1 : c->fd,
                               c->stage == REPLY ? POLLOUT : POLLIN, 0};
    }
    f[CONNECTIONS] = (struct pollfd){s->listener, POLLIN, 0};
    if (poll(f, CONNECTIONS + 1, (int)(1e3 * seconds)) < 0)
        return errno == EINTR ? T2G_OK
                              : t2g_fail(T2G_ERR_IO, "poll: %s",
                                         strerror(errno));
    for (size_t i = 0; i < CONNECTIONS; i++)
        if (s->connection[i].stage != CLOSED)
            serve(s, &s->connection[i], f[i].revents);
    if (f[CONNECTIONS].revents)
        take_new(s);
    return T2G_OK;
}

/* --- opening, closing ----------------------------------------------------- */

static t2g_status make_secret(char *out)
{
    unsigned char bytes[SECRET_BYTES];
    FILE *f = fopen("/dev/urandom", "rb");
    bool ok = f && fread(bytes, 1, sizeof bytes, f) == sizeof bytes;
    if (f)
        fclose(f);
    if (!ok)
        return t2g_fail(T2G_ERR_IO, "/dev/urandom: no random bytes to protect "
                        "the page with");
    for (size_t i = 0; i < sizeof bytes; i++)
        snprintf(out + 2 * i, 3, "%02x", bytes[i]);
    return T2G_OK;
}

/* An earlier run's port may be had again at once. */
static t2g_status listen_on(web_server *s, uint64_t port)
{
    int yes = 1;
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons((uint16_t)port)};
    socklen_t n = sizeof a;
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    s->listener = socket(AF_INET, SOCK_STREAM, 0);
    if (s->listener < 0 || !nonblocking(s->listener) ||
        setsockopt(s->listener, SOL_SOCKET, SO_REUSEADDR, &yes,
                   sizeof yes) != 0 ||
        bind(s->listener, (struct sockaddr *)&a, sizeof a) != 0 ||
        listen(s->listener, CONNECTIONS) != 0 ||
        getsockname(s->listener, (struct sockaddr *)&a, &n) != 0)
        return t2g_fail(T2G_ERR_IO, "127.0.0.1:%u: %s", (unsigned)port,
                        strerror(errno));
    s->port = ntohs(a.sin_port);
    return T2G_OK;
}

t2g_status web_open(web_server **out, uint64_t port, size_t body_limit,
                    web_handler *handle, void *context)
{
    web_server *s = t2g_calloc(1, sizeof *s);
    *out = NULL;
    if (!s)
        return T2G_ERR_MEMORY;
    s->listener = -1;
    s->body_limit = body_limit;
    s->handle = handle;
    s->context = context;
    signal(SIGPIPE, SIG_IGN); /* a browser that leaves is no end of ours */
    t2g_status status = make_secret(s->secret);
    if (status == T2G_OK)
        status = listen_on(s, port);
    if (status != T2G_OK) {
        web_close(s);
        return status;
    }
    snprintf(s->address, sizeof s->address, "http://127.0.0.1:%u/%s/", s->port,
             s->secret);
    *out = s;
    return T2G_OK;
}

const char *web_address(const web_server *s)
{
    return s->address;
}

static bool replying(const web_server *s)
{
    for (size_t i = 0; i < CONNECTIONS; i++)
        if (s->connection[i].stage == REPLY ||
            s->connection[i].stage == LINGER)
            return true;
    return false;
}

void web_close(web_server *s)
{
    if (!s)
        return;
    double end = cli_seconds() + 2 * LINGER_TIME;
    while (replying(s) && cli_seconds() < end && web_turn(s, 0.05) == T2G_OK)
        ;
    for (size_t i = 0; i < CONNECTIONS; i++)
        drop(&s->connection[i]);
    if (s->listener >= 0)
        close(s->listener);
    t2g_free(s);
}
