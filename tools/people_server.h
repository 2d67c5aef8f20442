/* A web server for the people at this machine: it listens on 127.0.0.1 alone,
 * every address begins with a secret, one request a connection, and no client
 * however slow holds up another. HTTP/1.1 [RFC 9112], of which it takes what
 * browsers send and refuses the rest. */
#ifndef PEOPLE_SERVER_H
#define PEOPLE_SERVER_H

#include "cli.h"

typedef struct web_request {
    bool post;         /* else GET */
    const char *path;  /* behind the secret, begins with "/" */
    const char *body;  /* of a POST: said to be JSON */
    size_t body_n;
} web_request;

/* What is answered; the body is freed by the server. */
typedef struct web_reply {
    int status;
    const char *type;
    t2g_buffer body;
} web_reply;

typedef void web_handler(void *context, const web_request *q, web_reply *r);

typedef struct web_server web_server;

/* Port 0: any that is free. Bodies beyond body_limit are refused unread. */
T2G_CHECK t2g_status web_open(web_server **s, uint64_t port, size_t body_limit,
                              web_handler *handle, void *context);
/* "http://127.0.0.1:PORT/SECRET/" */
const char *web_address(const web_server *s);
/* Serves whoever is there, for `seconds` at most. */
T2G_CHECK t2g_status web_turn(web_server *s, double seconds);
/* Lets replies that are on their way arrive, then ends; s may be NULL. */
void web_close(web_server *s);

#endif
