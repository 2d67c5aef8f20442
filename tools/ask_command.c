/* Any program as a critic: it reads one record a line, JSON, and writes one
 * line about it, a critique as JSON. Some copies of it run side by side. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "annotate.h"

extern char **environ;

/* Of a line on stderr that is passed on; time to end after the last record. */
enum { LONGEST_NOTE = 4096, GRACE_MS = 2000 };

typedef enum pipe_end { TO_PROGRAM, FROM_PROGRAM, NOTES, PIPES } pipe_end;

typedef struct process {
    pid_t pid;            /* 0: not running */
    int fd[PIPES];        /* our ends; -1: closed */
    t2g_buffer question, reply, note;
    size_t sent;          /* of the question */
    bool busy, ended;     /* ended: the try has, see trial */
    double deadline;
    trial trial;
} process;

typedef struct command_asker {
    asker base;
    const annotate_options *o;
    const t2g_records *records;
    process *process;
    struct pollfd *poll; /* [PIPES * concurrency] */
} command_asker;

/* --- starting and ending a process ---------------------------------------- */

static void close_end(process *p, pipe_end e)
{
    if (p->fd[e] >= 0)
        close(p->fd[e]);
    p->fd[e] = -1;
}

static void close_ends(process *p)
{
    for (int e = 0; e < PIPES; e++)
        close_end(p, (pipe_end)e);
}

/* Both ends close by themselves in programs we start. */
static bool open_pipe(int ends[2])
{
    if (pipe(ends) != 0)
        return false;
    for (int i = 0; i < 2; i++)
        fcntl(ends[i], F_SETFD, FD_CLOEXEC);
    return true;
}

/* Its own group, so that Ctrl-C is ours and it can be ended with its children;
 * SIGPIPE, which we ignore, ends it as usual. */
static int spawn(pid_t *pid, const char *command, const int theirs[PIPES])
{
    char *const argv[] = {"sh", "-c", (char *)(uintptr_t)command, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t usual;
    sigemptyset(&usual);
    sigaddset(&usual, SIGPIPE);
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    for (int e = 0; e < PIPES; e++)
        posix_spawn_file_actions_adddup2(&actions, theirs[e], e);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setsigdefault(&attributes, &usual);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP |
                             POSIX_SPAWN_SETSIGDEF);
    int error = posix_spawn(pid, "/bin/sh", &actions, &attributes, argv,
                            environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    return error;
}

static t2g_status start_process(process *p, const char *command)
{
    int theirs[PIPES] = {-1, -1, -1}, ends[2], error = 0;
    for (int e = 0; e < PIPES && !error; e++) {
        if (!open_pipe(ends)) {
            error = errno;
            break;
        }
        int ours = e == TO_PROGRAM;
        p->fd[e] = ends[ours];
        theirs[e] = ends[!ours];
        fcntl(p->fd[e], F_SETFL, O_NONBLOCK);
    }
    if (!error)
        error = spawn(&p->pid, command, theirs);
    for (int e = 0; e < PIPES; e++)
        if (theirs[e] >= 0)
            close(theirs[e]);
    p->reply.size = p->note.size = 0;
    if (!error)
        return T2G_OK;
    p->pid = 0;
    close_ends(p);
    return t2g_fail(T2G_ERR_IO, "the command cannot be started: %s",
                    strerror(error));
}

static void pause_briefly(void)
{
    const struct timespec t = {0, 10000000};
    nanosleep(&t, NULL);
}

/* Waits `patience` milliseconds for it, then kills it; its wait status. */
static int end_process(process *p, int patience)
{
    int status = 0;
    pid_t pid = p->pid;
    close_ends(p);
    p->pid = 0;
    for (; patience > 0; patience -= 10) {
        if (waitpid(pid, &status, WNOHANG) == pid)
            return status;
        pause_briefly();
    }
    kill(-pid, SIGKILL);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return status;
}

/* --- how tries end -------------------------------------------------------- */

static void end_try(process *p, trial_end end, const char *reason)
{
    p->busy = false;
    p->ended = true;
    p->trial.end = end;
    snprintf(p->trial.reason, sizeof p->trial.reason, "%s", reason);
}

static void fail_try(process *p, const char *reason)
{
    (void)end_process(p, 0);
    end_try(p, TRIAL_LATER, reason);
}

/* The program has closed its output. The shell says 126 and 127 of programs
 * that cannot be run. */
static void program_ended(process *p)
{
    char reason[128];
    bool busy = p->busy;
    int status = end_process(p, GRACE_MS);
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
    if (WIFSIGNALED(status))
        snprintf(reason, sizeof reason, "the command was ended by signal %d "
                 "before it answered", WTERMSIG(status));
    else
        snprintf(reason, sizeof reason, "the command ended with status %d "
                 "before it answered", code);
    if (busy)
        end_try(p, code == 126 || code == 127 ? TRIAL_HOPELESS : TRIAL_LATER,
                reason);
}

/* A line that no record asked for would be taken for the next one's. */
static void out_of_step(process *p)
{
    (void)end_process(p, 0);
    end_try(p, TRIAL_HOPELESS, "the command wrote more than one line about a "
            "record, expected exactly one");
}

static void take_line(process *p, size_t n)
{
    json_t *text = t2g_json_text(p->reply.data, n);
    p->trial.answer = text ? json_pack("{s:o}", "reply", text) : NULL;
    if (p->reply.size > n + 1)
        out_of_step(p);
    else if (!p->trial.answer)
        fail_try(p, "no memory for the answer");
    else
        end_try(p, TRIAL_ANSWERED, "");
    p->reply.size = 0;
}

/* --- traffic -------------------------------------------------------------- */

static void send_more(process *p)
{
    size_t left = p->question.size - p->sent;
    ssize_t n = write(p->fd[TO_PROGRAM], p->question.data + p->sent, left);
    if (n > 0)
        p->sent += (size_t)n;
    else if (n < 0 && errno != EAGAIN && errno != EINTR)
        close_end(p, TO_PROGRAM); /* it reads no more: its output will tell */
}

static void receive(process *p, size_t limit)
{
    char chunk[1 << 16];
    ssize_t n = read(p->fd[FROM_PROGRAM], chunk, sizeof chunk);
    if (n == 0)
        program_ended(p);
    if (n <= 0)
        return;
    if (!p->busy) {
        out_of_step(p);
        return;
    }
    size_t before = p->reply.size;
    if (t2g_buffer_append(&p->reply, chunk, (size_t)n) != T2G_OK) {
        fail_try(p, "no memory for the answer");
        return;
    }
    const char *lf = memchr(p->reply.data + before, '\n', (size_t)n);
    size_t length = lf ? (size_t)(lf - p->reply.data) : p->reply.size;
    if (length > limit)
        fail_try(p, "the command wrote a line longer than --max-reply-bytes");
    else if (lf)
        take_line(p, length);
}

static void pass_on(size_t number, const char *line, size_t n)
{
    progress_clear();
    fprintf(stderr, "critic %zu: %.*s\n", number, (int)n, line);
}

/* Whole lines of its stderr, and pieces of those that do not end; true if there
 * may be more. */
static bool pass_notes(process *p, size_t number)
{
    char chunk[LONGEST_NOTE];
    ssize_t n = read(p->fd[NOTES], chunk, sizeof chunk);
    if (n == 0)
        close_end(p, NOTES);
    if (n > 0 && t2g_buffer_append(&p->note, chunk, (size_t)n) != T2G_OK)
        p->note.size = 0;
    size_t begin = 0;
    for (size_t i = 0; i < p->note.size; i++)
        if (p->note.data[i] == '\n') {
            pass_on(number, p->note.data + begin, i - begin);
            begin = i + 1;
        }
    bool rest = p->note.size > begin &&
                (n == 0 || p->note.size - begin > LONGEST_NOTE);
    if (rest)
        pass_on(number, p->note.data + begin, p->note.size - begin);
    p->note.size = rest ? 0 : p->note.size - begin;
    if (begin > 0 && p->note.size > 0)
        memmove(p->note.data, p->note.data + begin, p->note.size);
    return n == sizeof chunk;
}

static void list_pipes(command_asker *c)
{
    for (size_t i = 0; i < c->o->asking.concurrency; i++) {
        process *p = &c->process[i];
        struct pollfd *f = &c->poll[PIPES * i];
        for (int e = 0; e < PIPES; e++)
            f[e] = (struct pollfd){p->pid ? p->fd[e] : -1,
                                   e == TO_PROGRAM ? POLLOUT : POLLIN, 0};
        if (!p->busy || p->sent == p->question.size)
            f[TO_PROGRAM].fd = -1;
    }
}

static void serve(command_asker *c, size_t i)
{
    process *p = &c->process[i];
    const struct pollfd *f = &c->poll[PIPES * i];
    for (int k = 0; k < 16 && f[NOTES].revents && pass_notes(p, i + 1); k++)
        ; /* a crash's account whole, an endless one in turns with the others */
    if (f[TO_PROGRAM].revents && p->fd[TO_PROGRAM] >= 0)
        send_more(p);
    if (f[FROM_PROGRAM].revents && !p->ended)
        receive(p, c->o->max_reply_bytes);
    if (p->busy && cli_seconds() > p->deadline)
        fail_try(p, "the command gave no answer within --timeout");
}

/* --- the asker ------------------------------------------------------------ */

/* Equal but for their names, records are the same question. */
static t2g_status command_key(asker *a, size_t i, char key[T2G_ANSWER_KEY])
{
    static const char kind[] = "command/1";
    command_asker *c = (command_asker *)a;
    const t2g_records *r = c->records;
    const char *text;
    size_t n;
    T2G_TRY(t2g_record_string(r, i, "response", true, &text, &n));
    json_t *nameless = json_copy(r->record[i]);
    if (nameless)
        json_object_del(nameless, "id");
    char *line = nameless ? json_dumps(nameless, JSON_COMPACT | JSON_SORT_KEYS)
                          : NULL;
    json_decref(nameless);
    if (!line)
        return t2g_fail(T2G_ERR_MEMORY, "no memory for a record");
    const t2g_bytes parts[] = {{kind, sizeof kind - 1},
                               {c->o->command, strlen(c->o->command)},
                               {line, strlen(line)}};
    t2g_status s = t2g_answer_key(key, parts, sizeof parts / sizeof *parts);
    free(line);
    return s;
}

static t2g_status write_question(process *p, const json_t *record)
{
    char *line = json_dumps(record, JSON_COMPACT);
    p->question.size = p->sent = 0;
    if (!line)
        return t2g_fail(T2G_ERR_MEMORY, "no memory for a record");
    t2g_status s = t2g_buffer_printf(&p->question, "%s\n", line);
    free(line);
    return s;
}

static t2g_status command_start(asker *a, size_t slot, size_t record)
{
    command_asker *c = (command_asker *)a;
    process *p = &c->process[slot];
    p->trial = (trial){.slot = slot};
    if (p->pid) /* it may have ended, or said more than it was asked */
        receive(p, c->o->max_reply_bytes);
    if (p->ended)
        return T2G_OK;
    if (!p->pid)
        T2G_TRY(start_process(p, c->o->command));
    T2G_TRY(write_question(p, c->records->record[record]));
    p->busy = true;
    p->deadline = cli_seconds() + c->o->timeout;
    return T2G_OK;
}

static t2g_status command_wait(asker *a, double seconds)
{
    command_asker *c = (command_asker *)a;
    size_t n = c->o->asking.concurrency;
    list_pipes(c);
    if (poll(c->poll, (nfds_t)(PIPES * n), (int)(1e3 * seconds) + 1) < 0) {
        if (errno == EINTR)
            return T2G_OK;
        return t2g_fail(T2G_ERR_IO, "poll: %s", strerror(errno));
    }
    for (size_t i = 0; i < n; i++)
        serve(c, i);
    return T2G_OK;
}

static bool command_next(asker *a, trial *out)
{
    command_asker *c = (command_asker *)a;
    for (size_t i = 0; i < c->o->asking.concurrency; i++) {
        process *p = &c->process[i];
        if (p->ended) {
            p->ended = false;
            *out = p->trial;
            p->trial.answer = NULL;
            return true;
        }
    }
    return false;
}

/* The end of its input asks each to end; they get the same time together. */
static void command_close(asker *a)
{
    command_asker *c = (command_asker *)a;
    size_t n = c->process ? c->o->asking.concurrency : 0;
    for (size_t i = 0; i < n; i++)
        close_end(&c->process[i], TO_PROGRAM);
    for (size_t i = 0; i < n; i++) {
        process *p = &c->process[i];
        if (p->pid)
            (void)end_process(p, GRACE_MS);
        json_decref(p->trial.answer);
        t2g_buffer_free(&p->question);
        t2g_buffer_free(&p->reply);
        t2g_buffer_free(&p->note);
    }
    t2g_free(c->process);
    t2g_free(c->poll);
    t2g_free(c);
}

/* The critic's name in records: the program without folder and arguments. */
static void name_it(command_asker *c)
{
    const char *command = c->o->command;
    size_t n = strcspn(command, " \t\n"), begin = n;
    while (begin > 0 && command[begin - 1] != '/')
        begin--;
    snprintf(c->base.version, sizeof c->base.version, "command/1 %.*s",
             (int)(n - begin < 64 ? n - begin : 64), command + begin);
}

t2g_status ask_command_open(asker **out, const annotate_options *o,
                            const t2g_records *r)
{
    size_t n = o->asking.concurrency;
    command_asker *c = t2g_calloc(1, sizeof *c);
    *out = NULL;
    if (!c)
        return T2G_ERR_MEMORY;
    c->o = o;
    c->records = r;
    c->base = (asker){.limit = n, .key = command_key, .start = command_start,
                      .wait = command_wait, .next = command_next,
                      .close = command_close};
    c->process = t2g_calloc(n, sizeof *c->process);
    c->poll = t2g_calloc(PIPES * n, sizeof *c->poll);
    if (!c->process || !c->poll) {
        command_close(&c->base);
        return T2G_ERR_MEMORY;
    }
    for (size_t i = 0; i < n; i++)
        for (int e = 0; e < PIPES; e++)
            c->process[i].fd[e] = -1;
    name_it(c);
    signal(SIGPIPE, SIG_IGN); /* a program that ends early is no end of ours */
    *out = &c->base;
    return T2G_OK;
}
