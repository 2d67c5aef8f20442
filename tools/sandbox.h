/* Running a program that is not trusted: limits everywhere; on Linux also
 * namespaces, a read-only file system and a filter of system calls, as far as
 * the machine lets us. */
#ifndef SANDBOX_H
#define SANDBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "t2g/t2g.h"

/* What keeps it away from the rest of the machine. Bits. */
enum {
    SANDBOX_NETWORK = 1 << 0,   /* a namespace without any network */
    SANDBOX_PROCESSES = 1 << 1, /* it sees, and leaves behind, none but its */
    SANDBOX_FILES = 1 << 2,     /* nothing can be written but scratch */
    SANDBOX_FILTER = 1 << 3,    /* no sockets, tracing, mounting, ... */
    SANDBOX_USER = 1 << 4,      /* it has no rights of the system's */
    SANDBOX_PARTS = 5           /* number of bits */
};
const char *sandbox_part(unsigned bit); /* "network", ... */

/* How much of it is tried. */
typedef enum isolation {
    ISOLATE_ALL,
    ISOLATE_FILTER, /* no namespaces */
    ISOLATE_LIMITS  /* neither */
} isolation;

typedef struct sandbox {
    unsigned has;
    uint64_t memory;      /* bytes, of each process */
    uint64_t cpu_seconds; /* of each process */
    bool root, own_user, user_namespace; /* how it loses rights */
} sandbox;

/* Finds out, in a child, what this machine allows; `program` is what will run
 * in it, an absolute path. Limits are set by the caller. */
T2G_CHECK t2g_status sandbox_find(sandbox *s, const char *program,
                                  isolation wanted);

typedef struct sandbox_file {
    const char *name, *data;
    size_t n;
} sandbox_file;

/* Files appear in the scratch directory, where the program starts. Its stdin
 * is empty, stdout and stderr are `output`, descriptor 3 is `result`. */
typedef struct sandbox_job {
    char *const *argv; /* argv[0] an absolute path */
    sandbox_file file[2];
    size_t files;
    const char *token; /* `result` begins with it and "." once the program does,
                          or with it and "!" and what could not be done */
} sandbox_job;

typedef struct sandboxed {
    pid_t pid; /* 0: none */
    int result, output;
    char scratch[256];
} sandboxed;

T2G_CHECK t2g_status sandbox_start(sandboxed *p, const sandbox *s,
                                   const sandbox_job *job);
/* True once it has ended by itself; *status is that of waitpid. */
bool sandbox_ended(sandboxed *p, int *status);
/* Ends it and all it started, and removes its scratch directory. */
void sandbox_end(sandboxed *p);

/* Makes this process refuse dangerous system calls for good. `alone`: it may
 * neither start processes nor signal others. False: not possible here. */
bool sandbox_filter(bool alone);

#endif
