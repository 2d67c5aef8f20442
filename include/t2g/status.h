/** Status codes and error detail. The library never exits and never prints:
 * each function that can fail returns a t2g_status and leaves a message. */
#ifndef T2G_STATUS_H
#define T2G_STATUS_H

#ifdef __GNUC__
#define T2G_CHECK __attribute__((warn_unused_result))
#define T2G_PRINTF(fmt, first) __attribute__((format(printf, fmt, first)))
#else
#define T2G_CHECK
#define T2G_PRINTF(fmt, first)
#endif

typedef enum t2g_status {
    T2G_OK = 0,
    T2G_ERR_ARG = -1,         /* an argument is outside its range */
    T2G_ERR_MEMORY = -2,      /* allocation failed */
    T2G_ERR_IO = -3,          /* the operating system refused a file */
    T2G_ERR_FORMAT = -4,      /* a file does not hold what it should */
    T2G_ERR_UNSUPPORTED = -5, /* well formed, but not something we do */
    T2G_ERR_NUMERIC = -6,     /* a NaN or infinity arose */
    T2G_ERR_INTERRUPTED = -7  /* the caller asked to stop */
} t2g_status;

/** Records a message for this thread and returns s, so that
 * `return t2g_fail(T2G_ERR_FORMAT, "%s:%zu: ...", file, line);` reads well.
 * Messages name file, line or tensor, what was found, what was expected. */
t2g_status t2g_fail(t2g_status s, const char *fmt, ...) T2G_PRINTF(2, 3);

/** Puts "prefix: " in front of this thread's message and returns s. */
t2g_status t2g_fail_in(t2g_status s, const char *fmt, ...) T2G_PRINTF(2, 3);

/** The message of the latest failure in this thread; "" if there was none.
 * Valid until the next failure in the same thread. */
const char *t2g_error_message(void);

/** A short name of s ("format", "io", ...), never NULL. */
const char *t2g_status_name(t2g_status s);

/** Returns early when a call failed; the message stays as it is. */
#define T2G_TRY(call)                                                          \
    do {                                                                       \
        t2g_status t2g_try_status = (call);                                    \
        if (t2g_try_status != T2G_OK)                                          \
            return t2g_try_status;                                             \
    } while (0)

#endif
