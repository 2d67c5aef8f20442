/* What the children of the sandbox share. Between fork and exec they make
 * system calls only: other threads may have held any lock. */
#ifndef SANDBOX_PRIVATE_H
#define SANDBOX_PRIVATE_H

#include "sandbox.h"

typedef struct launch {
    const sandbox *s;
    const sandbox_job *job;
    const char *scratch;
    char *const *environment;
    char map[2][64]; /* of user and group in a user namespace */
    int null;
} launch;

/* Namespaces of this process but for that of users; processes: from its next
 * child on. 0, or errno. */
int isolate(void);
/* A user namespace where we are who we were, without rights outside. */
int isolate_user(const launch *l);
/* In the first process of the namespaces: a read-only system, an own /proc and
 * an empty scratch directory in memory. 0, or errno. */
int isolate_files(const char *scratch, bool own_processes);

#endif
