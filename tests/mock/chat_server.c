/* A server of chat completions on 127.0.0.1 that errs on demand.
 *
 *   chat_server PORT_FILE LOG_FILE [--delay MS] [--refuse FORMATS]
 *
 * The response in a request's prompt says what is to happen to it:
 * "case=17 fault=500 times=2": the first two requests about case 17 get that
 * fault, later ones an answer that praises "case=17". FORMATS is a list of the
 * types of response_format that are turned down. The log has a line for each
 * request. A process serves each connection; the counts are shared. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

enum { CASES = 1 << 16, LARGEST_REQUEST = 1 << 22 };

static atomic_int *attempts; /* [CASES], shared */
static int delay_ms, log_fd;
static const char *refused = "";

typedef struct request {
    char *text; /* header, then body */
    char *body;
    unsigned number;
    char fault[32];
    int times, attempt;
    const char *format;
} request;

static void pause_ms(long ms)
{
    const struct timespec t = {ms / 1000, ms % 1000 * 1000000};
    nanosleep(&t, NULL);
}

static bool send_all(int fd, const char *bytes, size_t n)
{
    while (n > 0) {
        ssize_t done = send(fd, bytes, n, MSG_NOSIGNAL);
        if (done <= 0)
            return false;
        bytes += done;
        n -= (size_t)done;
    }
    return true;
}

static bool send_reply(int fd, const char *status, const char *headers,
                       const char *body)
{
    char head[512];
    int n = snprintf(head, sizeof head, "HTTP/1.1 %s\r\n%sContent-Length: "
                     "%zu\r\n\r\n", status, headers, strlen(body));
    return send_all(fd, head, (size_t)n) && send_all(fd, body, strlen(body));
}

#define JSON_TYPE "Content-Type: application/json\r\n"

/* --- answers -------------------------------------------------------------- */

static void completion(char *out, size_t room, const char *content,
                       const char *finish)
{
    snprintf(out, room, "{\"object\": \"chat.completion\", "
             "\"model\": \"mock\", \"choices\": [{\"index\": 0, "
             "\"finish_reason\": \"%s\", "
             "\"message\": {\"role\": \"assistant\", \"content\": \"%s\"}}], "
             "\"usage\": {\"prompt_tokens\": 100, \"completion_tokens\": 10}}",
             finish, content);
}

static void good_answer(char *out, size_t room, const request *r)
{
    char content[512];
    snprintf(content, sizeof content, "{\\\"reasoning\\\": \\\"Hm.\\\", "
             "\\\"textual_feedback\\\": \\\"Case %u.\\\", \\\"good_spans\\\": "
             "[\\\"case=%u\\\"], \\\"poor_spans\\\": []}", r->number,
             r->number);
    completion(out, room, content, "stop");
}

static bool send_good(int fd, const request *r)
{
    char body[1024];
    good_answer(body, sizeof body, r);
    return send_reply(fd, "200 OK", JSON_TYPE, body);
}

/* --- faults: each returns whether the connection goes on ------------------ */

static bool partly(int fd, const request *r, bool then_wait)
{
    char body[1024], head[128];
    good_answer(body, sizeof body, r);
    int n = snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Length: "
                     "%zu\r\n\r\n", strlen(body));
    send_all(fd, head, (size_t)n);
    send_all(fd, body, strlen(body) / 2);
    if (then_wait)
        pause_ms(60000);
    return false;
}

static bool dribble(int fd, const request *r)
{
    char body[1024];
    good_answer(body, sizeof body, r);
    send_all(fd, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", 38);
    for (size_t i = 0; body[i] && send_all(fd, body + i, 1); i++)
        pause_ms(100);
    return false;
}

static bool huge(int fd)
{
    static char chunk[1 << 16];
    memset(chunk, ' ', sizeof chunk);
    send_all(fd, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", 38);
    for (int i = 0; i < 1024 && send_all(fd, chunk, sizeof chunk); i++)
        ;
    return false;
}

static bool many_headers(int fd)
{
    bool open = send_all(fd, "HTTP/1.1 200 OK\r\n", 17);
    for (int i = 0; open && i < 100000; i++)
        open = send_all(fd, "X-Padding: 0123456789\r\n", 23);
    return false;
}

static bool too_many(int fd, long wait, bool as_date)
{
    char header[128], date[64];
    time_t then = time(NULL) + wait;
    strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", gmtime(&then));
    if (as_date)
        snprintf(header, sizeof header, "Retry-After: %s\r\n", date);
    else
        snprintf(header, sizeof header, "Retry-After: %ld\r\n", wait);
    return send_reply(fd, "429 Too Many Requests", header,
                      "{\"error\": {\"message\": \"slow\\u001b[31m down\"}}");
}

/* The complaint quotes the key, as some servers do. */
static bool unauthorised(int fd, const request *r)
{
    char body[512], key[256] = "";
    const char *at = strstr(r->text, "Bearer ");
    if (at)
        sscanf(at + 7, "%255s", key);
    snprintf(body, sizeof body, "{\"error\": {\"message\": \"the key %s is "
             "wrong\"}}", key);
    return send_reply(fd, "401 Unauthorized", JSON_TYPE, body);
}

static bool odd_content(int fd, const char *content, const char *finish)
{
    char body[1024];
    completion(body, sizeof body, content, finish);
    return send_reply(fd, "200 OK", JSON_TYPE, body);
}

typedef struct canned {
    const char *fault, *status, *headers, *body;
} canned;

static const canned canned_replies[] = {
    {"400", "400 Bad Request", JSON_TYPE,
     "{\"error\": {\"message\": \"too long\"}}"},
    {"500", "500 Internal Server Error", "", "oops"},
    {"redirect", "302 Found", "Location: http://127.0.0.1:9/x?secret=1\r\n",
     ""},
    {"html", "200 OK", "Content-Type: text/html\r\n",
     "<html>please log in</html>"},
    {"badjson", "200 OK", JSON_TYPE, "{\"choices\": ["},
    {"schema", "200 OK", JSON_TYPE, "{\"choices\": [{\"text\": \"a\"}]}"},
    {"error200", "200 OK", JSON_TYPE,
     "{\"error\": {\"message\": \"upstream died\"}}"},
};

static bool is(const request *r, const char *fault)
{
    return strcmp(r->fault, fault) == 0;
}

static bool do_fault(int fd, const request *r)
{
    for (size_t i = 0; i < sizeof canned_replies / sizeof *canned_replies; i++)
        if (is(r, canned_replies[i].fault))
            return send_reply(fd, canned_replies[i].status,
                              canned_replies[i].headers,
                              canned_replies[i].body);
    if (is(r, "silent"))
        pause_ms(60000);
    if (is(r, "silent") || is(r, "reset"))
        return false;
    if (is(r, "cut") || is(r, "stall"))
        return partly(fd, r, is(r, "stall"));
    if (is(r, "dribble"))
        return dribble(fd, r);
    if (is(r, "huge"))
        return huge(fd);
    if (is(r, "headers"))
        return many_headers(fd);
    if (is(r, "429") || is(r, "429date"))
        return too_many(fd, is(r, "429") ? 1 : 2, is(r, "429date"));
    if (is(r, "429long"))
        return too_many(fd, 99999, false);
    if (is(r, "401"))
        return unauthorised(fd, r);
    if (is(r, "prose"))
        return odd_content(fd, "I like it.", "stop");
    if (is(r, "length"))
        return odd_content(fd, "{\\\"textual_feedback\\\": \\\"a\\\", "
                           "\\\"good_spans\\\": [], \\\"poor_spans\\\": []}",
                           "length");
    return send_reply(fd, "500 Unknown Fault", "", r->fault);
}

/* --- requests ------------------------------------------------------------- */

static size_t content_length(const char *head)
{
    for (const char *at = head; (at = strstr(at, "\r\n")); at += 2)
        if (strncasecmp(at + 2, "content-length:", 15) == 0)
            return strtoul(at + 17, NULL, 10);
    return 0;
}

/* Reads one request; false at the end of the connection. */
static bool read_request(int fd, request *r)
{
    size_t n = 0, wanted = 0;
    char *end = NULL;
    while (!end || n < wanted) {
        ssize_t more = n + 1 < LARGEST_REQUEST
                           ? recv(fd, r->text + n, LARGEST_REQUEST - n - 1, 0)
                           : 0;
        if (more <= 0)
            return false;
        n += (size_t)more;
        r->text[n] = '\0';
        if (!end && (end = strstr(r->text, "\r\n\r\n")))
            wanted = (size_t)(end + 4 - r->text) + content_length(r->text);
    }
    r->body = end + 4;
    return true;
}

static void understand(request *r)
{
    const char *at = strstr(r->body, "case=");
    r->fault[0] = '\0';
    r->number = 0;
    r->times = 0;
    if (at)
        sscanf(at, "case=%u fault=%31[a-z0-9] times=%d", &r->number, r->fault,
               &r->times);
    r->number %= CASES;
    r->format = "none";
    if (strstr(r->body, "\"response_format\":{\"type\":\"json_object\""))
        r->format = "json_object";
    if (strstr(r->body, "\"response_format\":{\"type\":\"json_schema\""))
        r->format = "json_schema";
}

static void write_log(const request *r, const char *what)
{
    char line[256], path[64] = "";
    sscanf(r->text, "%63[^\r]", path);
    int n = snprintf(line, sizeof line, "case=%u attempt=%d format=%s auth=%s "
                     "%s %s\n", r->number, r->attempt, r->format,
                     strstr(r->text, "Authorization:") ? "yes" : "no", what,
                     path);
    if (write(log_fd, line, (size_t)n) != n)
        _exit(1);
}

static bool answer(int fd, request *r)
{
    understand(r);
    if (strstr(refused, r->format)) {
        r->attempt = 0;
        write_log(r, "refused");
        return send_reply(fd, "400 Bad Request", JSON_TYPE, "{\"error\": "
                          "{\"message\": \"response_format is unknown\"}}");
    }
    r->attempt = atomic_fetch_add(&attempts[r->number], 1) + 1;
    bool faulty = r->attempt <= r->times;
    write_log(r, faulty ? r->fault : "answered");
    if (faulty)
        return do_fault(fd, r);
    pause_ms(delay_ms);
    return send_good(fd, r);
}

static void serve(int fd)
{
    request r = {.text = malloc(LARGEST_REQUEST)};
    while (r.text && read_request(fd, &r) && answer(fd, &r))
        ;
    free(r.text);
    close(fd);
}

/* --- start ---------------------------------------------------------------- */

static int listen_somewhere(const char *port_file)
{
    struct sockaddr_in a = {.sin_family = AF_INET};
    socklen_t size = sizeof a;
    char name[4096];
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof a) != 0 ||
        listen(fd, 128) != 0 ||
        getsockname(fd, (struct sockaddr *)&a, &size) != 0)
        return -1;
    snprintf(name, sizeof name, "%s.tmp", port_file);
    FILE *f = fopen(name, "w");
    if (!f)
        return -1;
    fprintf(f, "%d\n", ntohs(a.sin_port));
    return fclose(f) == 0 && rename(name, port_file) == 0 ? fd : -1;
}

static void take_options(int argc, char **argv)
{
    for (int i = 3; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--delay") == 0)
            delay_ms = atoi(argv[i + 1]);
        if (strcmp(argv[i], "--refuse") == 0)
            refused = argv[i + 1];
    }
}

int main(int argc, char **argv)
{
    if (argc < 3)
        return 2;
    take_options(argc, argv);
    attempts = mmap(NULL, CASES * sizeof *attempts, PROT_READ | PROT_WRITE,
                    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    log_fd = open(argv[2], O_WRONLY | O_CREAT | O_APPEND, 0666);
    int fd = listen_somewhere(argv[1]);
    if (attempts == MAP_FAILED || log_fd < 0 || fd < 0) {
        perror("chat_server");
        return 1;
    }
    signal(SIGCHLD, SIG_IGN); /* nobody waits for them */
    for (;;) {
        int connection = accept(fd, NULL, NULL);
        if (connection < 0)
            continue;
        if (fork() == 0) {
            close(fd);
            alarm(120); /* no process outlives its test for long */
            serve(connection);
            _exit(0);
        }
        close(connection);
    }
}
