#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* setgroups, syscall */
#endif
#include "sandbox.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#include <sys/syscall.h>
#endif

#include "sandbox_private.h"

/* Processes and threads; open files; bytes of one file; a user that nobody
 * is, different for programs that run side by side. */
enum { MOST_PROCESSES = 32, MOST_FILES = 64, LONGEST_FILE = 16 << 20,
       FIRST_USER = 0x70000000, USERS = 1 << 22, RESULT_FD = 3 };

const char *sandbox_part(unsigned bit)
{
    static const char *const names[SANDBOX_PARTS] = {
        "network", "processes", "files", "filter", "user"};
    return names[bit];
}

/* Where processes cannot be counted or found again, it may start none. */
static bool is_alone(const sandbox *s)
{
    return !(s->has & SANDBOX_PROCESSES) || (s->root && !s->own_user);
}

/* --- in the child --------------------------------------------------------- */

static void write_all(int fd, const char *bytes, size_t n)
{
    while (n > 0) {
        ssize_t k = write(fd, bytes, n);
        if (k < 0 && errno == EINTR)
            continue;
        if (k <= 0)
            return;
        bytes += k;
        n -= (size_t)k;
    }
}

/* To the reader of the result, who knows it by the token. */
static void tell(const launch *l, const char *sign)
{
    write_all(RESULT_FD, l->job->token, strlen(l->job->token));
    write_all(RESULT_FD, sign, 1);
}

/* Says what could not be done, and ends. */
static void give_up(const launch *l, const char *step, int error)
{
    const char *why = strerror(error);
    tell(l, "!");
    write_all(RESULT_FD, step, strlen(step));
    write_all(RESULT_FD, ": ", 2);
    write_all(RESULT_FD, why, strlen(why));
    _exit(125);
}

static void close_others(void)
{
#ifdef SYS_close_range
    if (syscall(SYS_close_range, RESULT_FD + 1, ~0u, 0) == 0)
        return;
#endif
    long most = sysconf(_SC_OPEN_MAX);
    for (int fd = RESULT_FD + 1; fd < (most > 65536 ? 65536 : most); fd++)
        close(fd);
}

static void die_with_parent(void)
{
#ifdef __linux__
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
#endif
}

static int become_nobody(void)
{
    uid_t user = FIRST_USER + (uid_t)getpid() % USERS;
#ifdef __linux__ /* raw: the C library would wake all threads, which are gone */
    gid_t *none = NULL;
    if (syscall(SYS_setgroups, 0, none) != 0 ||
        syscall(SYS_setresgid, user, user, user) != 0 ||
        syscall(SYS_setresuid, user, user, user) != 0)
        return errno;
#else
    if (setgroups(0, NULL) != 0 || setgid(user) != 0 || setuid(user) != 0)
        return errno;
#endif
    die_with_parent(); /* forgotten with the old rights */
    return 0;
}

static void limit(int which, uint64_t most)
{
    struct rlimit r;
    if (getrlimit(which, &r) != 0)
        return;
    rlim_t value = (rlim_t)most;
    if (r.rlim_max != RLIM_INFINITY && value > r.rlim_max)
        value = r.rlim_max;
    r = (struct rlimit){value, value};
    setrlimit(which, &r);
}

static void set_limits(const sandbox *s)
{
    limit(RLIMIT_CPU, s->cpu_seconds);
#ifdef RLIMIT_AS
    limit(RLIMIT_AS, s->memory);
#endif
    limit(RLIMIT_DATA, s->memory);
    limit(RLIMIT_FSIZE, LONGEST_FILE);
    limit(RLIMIT_NOFILE, MOST_FILES);
    limit(RLIMIT_CORE, 0);
#ifdef RLIMIT_NPROC
    limit(RLIMIT_NPROC, MOST_PROCESSES);
#endif
}

static void write_files(const launch *l)
{
    for (size_t i = 0; i < l->job->files; i++) {
        const sandbox_file *f = &l->job->file[i];
        int fd = open(f->name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (fd < 0)
            give_up(l, f->name, errno);
        write_all(fd, f->data, f->n);
        close(fd);
    }
}

/* The program itself takes over. */
static void become_program(const launch *l)
{
    static const int usual[] = {SIGPIPE, SIGINT, SIGTERM};
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    for (size_t i = 0; i < sizeof usual / sizeof *usual; i++)
        signal(usual[i], SIG_DFL);
    setsid();
    write_files(l);
    set_limits(l->s);
    if ((l->s->has & SANDBOX_FILTER) && !sandbox_filter(is_alone(l->s)))
        give_up(l, "filter", errno);
    tell(l, ".");
    execve(l->job->argv[0], l->job->argv, l->environment);
    give_up(l, l->job->argv[0], errno);
}

/* Ends as `child` does. */
static void end_like(pid_t child)
{
    int status = 0;
    for (pid_t p; (p = wait(&status)) != child;)
        if (p < 0 && errno != EINTR)
            _exit(1);
    _exit(WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
}

/* Enters scratch before that: another user may not be let through to it. */
static void lose_rights(const launch *l)
{
    int error = chdir(l->scratch) != 0 ? errno : 0;
    if (!error && l->s->own_user)
        error = become_nobody();
    else if (!error && l->s->root && (l->s->has & SANDBOX_USER))
        error = isolate_user(l);
    if (error)
        give_up(l, "user", error);
}

/* The first process of the namespace: all others end with it. */
static void first_process(const launch *l)
{
    die_with_parent();
    int error = isolate_files(l->scratch, true);
    if (error)
        give_up(l, "mount", error);
    lose_rights(l);
    pid_t child = fork();
    if (child < 0)
        give_up(l, "fork", errno);
    if (child == 0)
        become_program(l);
    for (int fd = 0; fd < RESULT_FD; fd++)
        close(fd);
    end_like(child);
}

static void enter_namespaces(const launch *l)
{
    int error = l->s->user_namespace ? isolate_user(l) : 0;
    if (!error)
        error = isolate();
    if (error)
        give_up(l, "namespace", error);
    pid_t child = fork();
    if (child < 0)
        give_up(l, "fork", errno);
    if (child == 0)
        first_process(l);
    end_like(child);
}

static void child_main(const launch *l, int result, int output)
{
    die_with_parent();
    setsid();
    /* Above those they go to: none is overwritten before it is used. */
    int in = fcntl(l->null, F_DUPFD, 10), out = fcntl(output, F_DUPFD, 10);
    int told = fcntl(result, F_DUPFD, 10);
    dup2(in, 0);
    dup2(out, 1);
    dup2(out, 2);
    dup2(told, RESULT_FD);
    close_others();
    if (l->s->has & SANDBOX_PROCESSES)
        enter_namespaces(l);
    lose_rights(l);
    become_program(l);
}

/* --- what the machine allows ---------------------------------------------- */

/* Runs a step in a child; true if it ends with status 0. */
static bool works(bool (*step)(const launch *l), const launch *l)
{
    int status = 0;
    pid_t child = fork();
    if (child == 0)
        _exit(!step(l));
    if (child < 0)
        return false;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static bool step_filter(const launch *l)
{
    (void)l;
    return sandbox_filter(true);
}

/* As another user the program must still be there to be run. */
static bool step_nobody(const launch *l)
{
    return become_nobody() == 0 && access(l->job->argv[0], X_OK) == 0;
}

static bool step_namespaces(const launch *l)
{
    if ((l->s->user_namespace && isolate_user(l)) || isolate())
        return false;
    int status = 0;
    pid_t child = fork();
    if (child == 0)
        _exit(isolate_files(l->scratch, true) ||
              (l->s->root && !l->s->own_user && isolate_user(l)));
    while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    return child > 0 && status == 0;
}

static void write_maps(launch *l)
{
    unsigned long user = geteuid(), group = getegid();
    snprintf(l->map[0], sizeof l->map[0], "%lu %lu 1", user, user);
    snprintf(l->map[1], sizeof l->map[1], "%lu %lu 1", group, group);
}

static t2g_status make_scratch(char path[256])
{
    const char *temporary = getenv("TMPDIR");
    if (!temporary || temporary[0] != '/' || strlen(temporary) > 200)
        temporary = "/tmp";
    snprintf(path, 256, "%s/t2g-code-XXXXXX", temporary);
    return mkdtemp(path) ? T2G_OK
                         : t2g_fail(T2G_ERR_IO, "%s: %s", path,
                                    strerror(errno));
}

t2g_status sandbox_find(sandbox *s, const char *program, isolation wanted)
{
    char scratch[256];
    char *const argv[] = {(char *)(uintptr_t)program, NULL};
    const sandbox_job job = {.argv = argv, .token = ""};
    launch l = {.s = s, .job = &job, .scratch = scratch};
    T2G_TRY(make_scratch(scratch));
    write_maps(&l);
    s->has = 0;
    s->root = geteuid() == 0;
    s->own_user = s->root && works(step_nobody, &l);
    s->user_namespace = !s->root;
    if (wanted == ISOLATE_ALL && works(step_namespaces, &l))
        s->has |= SANDBOX_NETWORK | SANDBOX_PROCESSES | SANDBOX_FILES |
                  SANDBOX_USER;
    if (wanted != ISOLATE_LIMITS && works(step_filter, &l))
        s->has |= SANDBOX_FILTER;
    if (!s->root || s->own_user)
        s->has |= SANDBOX_USER;
    rmdir(scratch);
    return T2G_OK;
}

/* --- starting and ending -------------------------------------------------- */

static bool open_pipe(int ends[2])
{
    if (pipe(ends) != 0)
        return false;
    for (int i = 0; i < 2; i++)
        fcntl(ends[i], F_SETFD, FD_CLOEXEC);
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    return true;
}

static void close_pipe(int ends[2])
{
    for (int i = 0; i < 2; i++)
        if (ends[i] >= 0)
            close(ends[i]);
}

static bool fork_child(sandboxed *p, const launch *l, int result[2],
                       int output[2])
{
    if (l->null < 0 || !open_pipe(result) || !open_pipe(output))
        return false;
    /* All may enter and write, for who it will be is decided by its number;
     * only we and it know the name. */
    if (l->s->own_user && chmod(p->scratch, 01733) != 0)
        return false;
    p->pid = fork();
    if (p->pid == 0)
        child_main(l, result[1], output[1]);
    if (p->pid < 0)
        p->pid = 0;
    return p->pid > 0;
}

t2g_status sandbox_start(sandboxed *p, const sandbox *s,
                         const sandbox_job *job)
{
    char home[300], temporary[300];
    char *const environment[] = {"PATH=/usr/bin:/bin", "LANG=C.UTF-8", home,
                                 temporary, NULL};
    int result[2] = {-1, -1}, output[2] = {-1, -1};
    *p = (sandboxed){.result = -1, .output = -1};
    T2G_TRY(make_scratch(p->scratch));
    snprintf(home, sizeof home, "HOME=%s", p->scratch);
    snprintf(temporary, sizeof temporary, "TMPDIR=%s", p->scratch);
    launch l = {.s = s, .job = job, .scratch = p->scratch,
                .environment = environment,
                .null = open("/dev/null", O_RDONLY | O_CLOEXEC)};
    write_maps(&l);
    bool ok = fork_child(p, &l, result, output);
    int error = errno;
    if (l.null >= 0)
        close(l.null);
    if (!ok) {
        close_pipe(result);
        close_pipe(output);
        sandbox_end(p);
        return t2g_fail(T2G_ERR_IO, "the code cannot be run: %s",
                        strerror(error));
    }
    close(result[1]);
    close(output[1]);
    p->result = result[0];
    p->output = output[0];
    return T2G_OK;
}

/* Everything in a directory, the directory too; links are not followed. The
 * program may have taken rights away from directories of its. */
static void remove_tree(int parent, const char *name, int depth)
{
    if (unlinkat(parent, name, 0) == 0)
        return;
    fchmodat(parent, name, 0700, 0);
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW |
                    O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (!d && fd >= 0)
        close(fd);
    for (struct dirent *e; d && depth < 64 && (e = readdir(d));)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            remove_tree(dirfd(d), e->d_name, depth + 1);
    if (d)
        closedir(d);
    unlinkat(parent, name, AT_REMOVEDIR);
}

bool sandbox_ended(sandboxed *p, int *status)
{
    if (p->pid == 0 || waitpid(p->pid, status, WNOHANG) != p->pid)
        return false;
    kill(-p->pid, SIGKILL); /* what it left in its group */
    p->pid = 0;
    return true;
}

void sandbox_end(sandboxed *p)
{
    int status;
    if (p->pid != 0) {
        kill(-p->pid, SIGKILL);
        while (waitpid(p->pid, &status, 0) < 0 && errno == EINTR)
            ;
    }
    if (p->result >= 0)
        close(p->result);
    if (p->output >= 0)
        close(p->output);
    if (p->scratch[0])
        remove_tree(AT_FDCWD, p->scratch, 0);
    *p = (sandboxed){.result = -1, .output = -1};
}
