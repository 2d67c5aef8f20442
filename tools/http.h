/* POST requests in flight side by side. This is the program's only door to a
 * network: the library builds and reads messages and opens no connection, so
 * that whoever links it need not link libcurl. */
#ifndef HTTP_H
#define HTTP_H

#include <stdbool.h>
#include <stddef.h>

#include "t2g/t2g.h"

typedef struct http_settings {
    const char *url;
    const char *key;     /* bearer token, or NULL; never in a message */
    const char *ca_file; /* trusted certificates, NULL: the system's */
    double connect_timeout, timeout; /* seconds; timeout: the whole request */
    double stall_timeout; /* without a byte once the reply has begun */
    size_t max_bytes;     /* of a reply's body */
    size_t slots;         /* requests at a time */
} http_settings;

typedef struct http_result {
    size_t slot;
    long code;          /* of the reply; 0: there is none, see error */
    bool hopeless;      /* no later try would fare better: TLS, the URL */
    double retry_after; /* seconds the server asks to wait; 0: it does not */
    char type[64];      /* Content-Type, or "" */
    char location[256]; /* where a redirect leads, without its query, or "" */
    char error[256];    /* why code is 0 */
    t2g_buffer *body;  /* valid until the slot's next request */
} http_result;

typedef struct http_pool http_pool;
T2G_CHECK t2g_status http_open(http_pool **pool, const http_settings *s);
/* The body must stay until the slot's result. */
T2G_CHECK t2g_status http_post(http_pool *p, size_t slot, const char *body,
                               size_t n);
/* Lets requests proceed until something happens, `seconds` at most. */
T2G_CHECK t2g_status http_wait(http_pool *p, double seconds);
/* The next finished request; false: none yet. */
bool http_next(http_pool *p, http_result *out);
void http_close(http_pool *p); /* p may be NULL */

#endif
