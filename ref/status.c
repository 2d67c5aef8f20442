#include "t2g/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static _Thread_local char message[1024];

t2g_status t2g_fail(t2g_status s, const char *fmt, ...)
{
    /* Arguments may point into the message: format aside, then copy. */
    char text[sizeof message];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    memcpy(message, text, sizeof text);
    return s;
}

t2g_status t2g_fail_in(t2g_status s, const char *fmt, ...)
{
    char text[sizeof message];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text - 2, fmt, args);
    va_end(args);
    size_t n = strlen(text), room = sizeof text - n - 3;
    size_t rest = strlen(message) < room ? strlen(message) : room;
    memcpy(text + n, ": ", 2);
    memcpy(text + n + 2, message, rest);
    text[n + 2 + rest] = '\0';
    memcpy(message, text, sizeof text);
    return s;
}

const char *t2g_error_message(void)
{
    return message;
}

const char *t2g_status_name(t2g_status s)
{
    switch (s) {
    case T2G_OK: return "ok";
    case T2G_ERR_ARG: return "argument";
    case T2G_ERR_MEMORY: return "memory";
    case T2G_ERR_IO: return "io";
    case T2G_ERR_FORMAT: return "format";
    case T2G_ERR_UNSUPPORTED: return "unsupported";
    case T2G_ERR_NUMERIC: return "numeric";
    case T2G_ERR_INTERRUPTED: return "interrupted";
    }
    return "unknown";
}
