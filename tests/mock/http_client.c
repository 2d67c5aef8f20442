/* Sends what stands on stdin to 127.0.0.1, as it is, and prints what comes
 * back.
 *
 *   http_client PORT [--hang SECONDS]
 *   http_client PORT PATH [FILE]        GET PATH, or POST the JSON in FILE
 *
 * --hang: keeps the connection open and silent for so long before it reads.
 * Exit status 0 if something came back. With a PATH the first line printed is
 * the status, the rest the body. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LARGEST = 1 << 25 };

static char *read_all(FILE *f, size_t *n)
{
    char *text = malloc(LARGEST + 1);
    *n = text ? fread(text, 1, LARGEST, f) : 0;
    if (text)
        text[*n] = '\0';
    return text;
}

static int connect_to(int port)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons((unsigned short)port)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(fd, (struct sockaddr *)&a, sizeof a) != 0)
        exit(3);
    return fd;
}

/* A server that has had enough may close before it has read everything. */
static void send_all(int fd, const char *bytes, size_t n)
{
    while (n > 0) {
        ssize_t done = send(fd, bytes, n, MSG_NOSIGNAL);
        if (done <= 0)
            return;
        bytes += done;
        n -= (size_t)done;
    }
}

static void send_request(int fd, int port, const char *path, const char *file)
{
    char head[1024];
    size_t n = 0;
    FILE *f = file ? fopen(file, "rb") : NULL;
    char *body = f ? read_all(f, &n) : NULL;
    int m = snprintf(head, sizeof head, "%s %s HTTP/1.1\r\nHost: 127.0.0.1:%d"
                     "\r\n", body ? "POST" : "GET", path, port);
    if (body)
        m += snprintf(head + m, sizeof head - (size_t)m, "Content-Type: "
                      "application/json\r\nContent-Length: %zu\r\n", n);
    m += snprintf(head + m, sizeof head - (size_t)m, "\r\n");
    send_all(fd, head, (size_t)m);
    send_all(fd, body, n);
    free(body);
}

static int receive(int fd, int whole)
{
    size_t n = 0;
    char *text = malloc(LARGEST + 1);
    ssize_t k;
    while (text && n < LARGEST && (k = read(fd, text + n, LARGEST - n)) > 0)
        n += (size_t)k;
    if (!text || n == 0)
        return 4;
    text[n] = '\0';
    const char *body = strstr(text, "\r\n\r\n");
    if (whole || !body)
        fwrite(text, 1, n, stdout);
    else
        printf("%.3s\n%s\n", text + 9, body + 4);
    free(text);
    return 0;
}

int main(int argc, char **argv)
{
    size_t n;
    if (argc < 2)
        return 2;
    int port = atoi(argv[1]), fd = connect_to(port);
    int hangs = argc > 3 && strcmp(argv[2], "--hang") == 0;
    if (argc > 2 && !hangs) {
        send_request(fd, port, argv[2], argc > 3 ? argv[3] : NULL);
        return receive(fd, 0);
    }
    char *text = read_all(stdin, &n);
    send_all(fd, text, n);
    free(text);
    if (hangs)
        sleep((unsigned)atoi(argv[3]));
    return receive(fd, 1);
}
