/* A program's own tests as a critic: each response is run against them in a
 * sandbox, and the failure says what is wrong and where. Paper, section 3, the
 * code task. */
#include <errno.h>
#include <math.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <unistd.h>

#include "annotate.h"
#include "code_critique.h"
#include "code_harness.h"
#include "sandbox.h"

/* Of a report; of what is kept of the output; of one reading of an endless one.
 * The program's own alarm goes first, it knows the line. */
enum { LONGEST_REPORT = 1 << 20, OUTPUT_KEPT = 4096, CHUNK = 1 << 16,
       TOKEN = 33 };
static const double GRACE = 1, TICK = 0.02;

typedef struct run {
    sandboxed child;
    bool busy, ended;
    double deadline;
    char token[TOKEN], output[OUTPUT_KEPT + 1];
    size_t output_n;
    t2g_buffer report;
    size_t record;
    trial trial;
} run;

typedef struct code_asker {
    asker base;
    const annotate_options *o;
    const t2g_records *records;
    sandbox sandbox;
    bool python;
    char *program; /* the interpreter's path */
    run *run;
    struct pollfd *poll; /* [2 * concurrency] */
} code_asker;

/* --- what a record asks for ----------------------------------------------- */

typedef struct question {
    t2g_text prompt, response, test;
    const char *entry; /* NULL: the tests name what they use */
    t2g_code code;
} question;

static t2g_status get(const t2g_records *r, size_t i, const char *key,
                      bool required, t2g_text *out)
{
    return t2g_record_string(r, i, key, required, &out->data, &out->size);
}

/* KodCode names the function in test_info. */
static const char *find_entry(const json_t *record)
{
    const char *name = json_string_value(json_object_get(record,
                                                         "entry_point"));
    const json_t *info = json_array_get(json_object_get(record, "test_info"),
                                        0);
    if (!name)
        name = json_string_value(json_object_get(info, "function_name"));
    return name && *name ? name : NULL;
}

static t2g_status read_question(question *q, const t2g_records *r, size_t i)
{
    *q = (question){0};
    T2G_TRY(get(r, i, "prompt", false, &q->prompt));
    T2G_TRY(get(r, i, "response", true, &q->response));
    T2G_TRY(get(r, i, "test", true, &q->test));
    q->entry = find_entry(r->record[i]);
    return t2g_code_extract(&q->code, q->prompt, q->response, q->entry);
}

static t2g_status code_key(asker *a, size_t i, char key[T2G_ANSWER_KEY])
{
    code_asker *c = (code_asker *)a;
    question q;
    char limits[64];
    T2G_TRY(read_question(&q, c->records, i));
    snprintf(limits, sizeof limits, "%.17g %llu", c->o->timeout,
             (unsigned long long)c->o->memory_limit);
    const char *entry = q.entry ? q.entry : "";
    const t2g_bytes part[] = {
        {a->version, strlen(a->version)}, {limits, strlen(limits)},
        {q.code.text.data, q.code.text.size}, {q.response.data,
        q.response.size}, {q.test.data, q.test.size}, {entry, strlen(entry)}};
    t2g_status s = t2g_answer_key(key, part, sizeof part / sizeof *part);
    t2g_code_free(&q.code);
    return s;
}

/* --- starting ------------------------------------------------------------- */

/* A word that the program cannot guess. */
static t2g_status make_token(char token[TOKEN])
{
    unsigned char bytes[(TOKEN - 1) / 2];
    if (getentropy(bytes, sizeof bytes) != 0)
        return t2g_fail(T2G_ERR_IO, "no random bytes: %s", strerror(errno));
    for (size_t i = 0; i < sizeof bytes; i++)
        snprintf(token + 2 * i, 3, "%02x", bytes[i]);
    return T2G_OK;
}

static t2g_status start_python(code_asker *c, run *r, const question *q)
{
    char *const argv[] = {c->program, "-I", "-B", "harness.py", NULL};
    json_t *o = json_pack(
        "{s:s, s:s%, s:s%, s:s, s:f}", "token", r->token, "code",
        q->code.text.data, q->code.text.size, "test", q->test.data,
        q->test.size, "entry", q->entry ? q->entry : "", "seconds",
        c->o->timeout);
    char *job = o ? json_dumps(o, JSON_COMPACT) : NULL;
    json_decref(o);
    if (!job)
        return t2g_fail(T2G_ERR_MEMORY, "no memory for a program");
    t2g_status s = sandbox_start(
        &r->child, &c->sandbox,
        &(sandbox_job){argv, {{"harness.py", code_harness,
                               strlen(code_harness)},
                              {"job.json", job, strlen(job)}},
                       2, r->token});
    free(job);
    return s;
}

/* Other languages: one file, code and tests; status 0 is a pass. */
static t2g_status start_other(code_asker *c, run *r, const question *q)
{
    char *const argv[] = {c->program, "program", NULL};
    t2g_buffer text = {0};
    t2g_status s = t2g_buffer_append(&text, q->code.text.data,
                                     q->code.text.size);
    if (s == T2G_OK)
        s = t2g_buffer_append(&text, q->test.data, q->test.size);
    if (s == T2G_OK)
        s = t2g_buffer_puts(&text, "\n");
    if (s == T2G_OK)
        s = sandbox_start(&r->child, &c->sandbox,
                          &(sandbox_job){argv, {{"program", text.data,
                                                 text.size}}, 1, r->token});
    t2g_buffer_free(&text);
    return s;
}

static t2g_status code_start(asker *a, size_t slot, size_t record)
{
    code_asker *c = (code_asker *)a;
    run *r = &c->run[slot];
    question q;
    r->trial = (trial){.slot = slot};
    r->record = record;
    r->report.size = r->output_n = 0;
    T2G_TRY(make_token(r->token));
    T2G_TRY(read_question(&q, c->records, record));
    t2g_status s = c->python ? start_python(c, r, &q) : start_other(c, r, &q);
    t2g_code_free(&q.code);
    r->busy = s == T2G_OK;
    r->deadline = cli_seconds() + c->o->timeout + GRACE;
    return s;
}

/* --- what comes back ------------------------------------------------------ */

/* The latest bytes are kept, zero bytes as blanks. */
static void keep_output(run *r, const char *bytes, size_t n)
{
    size_t old = r->output_n;
    if (n > OUTPUT_KEPT) {
        bytes += n - OUTPUT_KEPT;
        n = OUTPUT_KEPT;
    }
    size_t stay = old + n > OUTPUT_KEPT ? OUTPUT_KEPT - n : old;
    memmove(r->output, r->output + old - stay, stay);
    memcpy(r->output + stay, bytes, n);
    r->output_n = stay + n;
    for (size_t i = stay; i < r->output_n; i++)
        if (r->output[i] == '\0')
            r->output[i] = ' ';
    r->output[r->output_n] = '\0';
}

/* False once there is no more for now. */
static bool read_output(run *r)
{
    char chunk[CHUNK];
    ssize_t n = r->child.output < 0 ? 0
                                    : read(r->child.output, chunk, CHUNK);
    if (n == 0 && r->child.output >= 0) {
        close(r->child.output);
        r->child.output = -1;
    }
    if (n > 0)
        keep_output(r, chunk, (size_t)n);
    return n > 0;
}

/* A report too long is none. */
static bool read_report(run *r)
{
    char chunk[CHUNK];
    ssize_t n = r->child.result < 0 ? 0
                                    : read(r->child.result, chunk, CHUNK);
    if (n == 0 && r->child.result >= 0) {
        close(r->child.result);
        r->child.result = -1;
    }
    if (n > 0 && r->report.size < LONGEST_REPORT &&
        t2g_buffer_append(&r->report, chunk, (size_t)n) != T2G_OK)
        r->report.size = 0;
    return n > 0;
}

/* Behind the token at *p; false: this is not from us. */
static bool pass_token(const run *r, const char **p)
{
    size_t left = r->report.size - (size_t)(*p - r->report.data);
    if (left <= TOKEN - 1 || memcmp(*p, r->token, TOKEN - 1) != 0)
        return false;
    *p += TOKEN - 1;
    return true;
}

/* The sandbox says "." when the program begins, or "!" and what it could not
 * do; then comes the harness's report. NULL: the program never began; "": it
 * told nothing. */
static const char *told(const run *r)
{
    const char *p = r->report.data;
    if (r->report.size == 0 || !pass_token(r, &p))
        return NULL;
    if (*p != '.')
        return p;
    p++;
    return pass_token(r, &p) ? p : "";
}

static json_t *sandbox_json(const sandbox *s)
{
    json_t *o = json_object();
    for (unsigned i = 0; i < SANDBOX_PARTS; i++)
        json_object_set_new(o, sandbox_part(i), json_boolean(s->has >> i & 1));
    return o;
}

static void fail(run *r, trial_end end, const char *what, const char *why)
{
    r->trial.end = end;
    snprintf(r->trial.reason, sizeof r->trial.reason, "%s%.300s", what, why);
}

/* Tests that are broken say nothing about the response. */
static bool tests_are_broken(run *r, const json_t *result)
{
    const char *outcome = json_string_value(json_object_get(result, "outcome"));
    char why[320];
    if (outcome && strcmp(outcome, "no_tests") == 0) {
        fail(r, TRIAL_REFUSED, "the tests assert nothing", "");
        return true;
    }
    if (!outcome || strcmp(outcome, "test_error") != 0)
        return false;
    const char *type = json_string_value(json_object_get(result, "type"));
    const char *text = json_string_value(json_object_get(result, "message"));
    snprintf(why, sizeof why, "%.80s: %.200s", type ? type : "an error",
             text ? text : "");
    fail(r, TRIAL_REFUSED, "the tests cannot be run: ", why);
    return true;
}

static t2g_status make_answer(code_asker *c, run *r, const json_t *result,
                              int status, bool late)
{
    question q;
    t2g_buffer reply = {0};
    T2G_TRY(read_question(&q, c->records, r->record));
    code_run of = {.code = &q.code, .response = q.response, .result = result,
                   .output = r->output_n ? r->output : "", .status = status,
                   .late = late, .other_language = !c->python,
                   .timeout = c->o->timeout};
    t2g_status s = code_critique(&reply, &of);
    if (s == T2G_OK) {
        json_t *counts = json_pack(
            "{s:s, s:O*}", "outcome", code_outcome(&of), "passed",
            json_object_get(result, "passed"));
        r->trial.answer = json_pack("{s:s, s:o, s:o}", "reply", reply.data,
                                    "test_result", counts, "sandbox",
                                    sandbox_json(&c->sandbox));
        if (!r->trial.answer)
            s = t2g_fail(T2G_ERR_MEMORY, "no memory for an answer");
    }
    t2g_buffer_free(&reply);
    t2g_code_free(&q.code);
    return s;
}

static void conclude(code_asker *c, run *r, int status, bool late)
{
    const char *text = told(r);
    json_t *result = NULL;
    if (!text || *text == '!') {
        fail(r, TRIAL_LATER, "the sandbox cannot run it: ",
             text ? text + 1 : "it ended before the program began");
        return;
    }
    if (*text && c->python && !late)
        result = json_loads(text, 0, NULL);
    if (!tests_are_broken(r, result)) {
        if (make_answer(c, r, result, status, late) == T2G_OK)
            r->trial.end = TRIAL_ANSWERED;
        else
            fail(r, TRIAL_LATER, "", t2g_error_message());
    }
    json_decref(result);
}

static void serve(code_asker *c, run *r)
{
    int status = 0;
    bool late = cli_seconds() > r->deadline;
    bool over = sandbox_ended(&r->child, &status); /* before the last look */
    for (int i = 0; i < 16 && read_output(r); i++)
        ; /* an endless output in turns with the others */
    while (read_report(r) && (over || !late))
        if (r->report.size >= LONGEST_REPORT)
            break;
    if (!over && !late)
        return;
    sandbox_end(&r->child);
    conclude(c, r, WIFSIGNALED(status) ? 128 + WTERMSIG(status)
                                       : WEXITSTATUS(status), !over);
    r->busy = false;
    r->ended = true;
}

/* --- the asker ------------------------------------------------------------ */

static t2g_status code_wait(asker *a, double seconds)
{
    code_asker *c = (code_asker *)a;
    size_t n = c->o->asking.concurrency;
    for (size_t i = 0; i < n; i++) {
        const run *r = &c->run[i];
        c->poll[2 * i] = (struct pollfd){r->busy ? r->child.result : -1,
                                         POLLIN, 0};
        c->poll[2 * i + 1] = (struct pollfd){r->busy ? r->child.output : -1,
                                             POLLIN, 0};
    }
    if (poll(c->poll, (nfds_t)(2 * n), (int)(1e3 * fmin(seconds, TICK)) + 1) <
        0 && errno != EINTR)
        return t2g_fail(T2G_ERR_IO, "poll: %s", strerror(errno));
    for (size_t i = 0; i < n; i++)
        if (c->run[i].busy)
            serve(c, &c->run[i]);
    return T2G_OK;
}

static bool code_next(asker *a, trial *out)
{
    code_asker *c = (code_asker *)a;
    for (size_t i = 0; i < c->o->asking.concurrency; i++) {
        run *r = &c->run[i];
        if (r->ended) {
            r->ended = false;
            *out = r->trial;
            r->trial.answer = NULL;
            return true;
        }
    }
    return false;
}

static void code_close(asker *a)
{
    code_asker *c = (code_asker *)a;
    size_t n = c->run ? c->o->asking.concurrency : 0;
    for (size_t i = 0; i < n; i++) {
        run *r = &c->run[i];
        if (r->busy)
            sandbox_end(&r->child);
        json_decref(r->trial.answer);
        t2g_buffer_free(&r->report);
    }
    t2g_free(c->run);
    t2g_free(c->poll);
    t2g_free(c->program);
    t2g_free(c);
}

/* --- opening -------------------------------------------------------------- */

static bool is_python(const char *path)
{
    const char *name = strrchr(path, '/');
    name = name ? name + 1 : path;
    return strncmp(name, "python", 6) == 0 || strncmp(name, "pypy", 4) == 0;
}

/* The first line that a trusted command prints, without its end; "" if it
 * fails. */
static void ask_shell(char *out, size_t room, const char *command)
{
    FILE *f = popen(command, "r");
    out[0] = '\0';
    if (!f)
        return;
    if (!fgets(out, (int)room, f))
        out[0] = '\0';
    if (pclose(f) != 0)
        out[0] = '\0';
    out[strcspn(out, "\n")] = '\0';
}

/* Quoted for the shell. */
static t2g_status quote(t2g_buffer *out, const char *s)
{
    T2G_TRY(t2g_buffer_puts(out, "'"));
    for (; *s; s++)
        T2G_TRY(*s == '\'' ? t2g_buffer_puts(out, "'\\''")
                           : t2g_buffer_append(out, s, 1));
    return t2g_buffer_puts(out, "'");
}

static t2g_status ask_interpreter(code_asker *c, t2g_buffer *command)
{
    static const char where[] = " -I -c 'import sys; print(sys.version.split()"
                                "[0], sys.executable)' 2>/dev/null";
    char line[4096];
    const char *name = c->o->interpreter;
    if (!c->python)
        T2G_TRY(t2g_buffer_puts(command, "command -v "));
    T2G_TRY(quote(command, name));
    if (c->python)
        T2G_TRY(t2g_buffer_puts(command, where));
    ask_shell(line, sizeof line, command->data);
    char *path = c->python ? strchr(line, ' ') : line;
    if (path && c->python)
        *path++ = '\0';
    if (!path || path[0] != '/')
        return t2g_fail(T2G_ERR_IO, "--interpreter: '%s' cannot be run", name);
    if (c->python)
        snprintf(c->base.version, sizeof c->base.version, "code/1 python %.64s",
                 line);
    else
        snprintf(c->base.version, sizeof c->base.version, "code/1 %.64s",
                 strrchr(path, '/') + 1);
    c->program = t2g_strdup(path);
    return c->program ? T2G_OK : T2G_ERR_MEMORY;
}

/* No network, and no rights of root's: less is asked for by name. */
static bool is_safe(const sandbox *s)
{
    return (s->has & (SANDBOX_NETWORK | SANDBOX_FILTER)) &&
           (s->has & SANDBOX_USER);
}

/* Says what this machine does not allow. */
static t2g_status open_sandbox(code_asker *c, const invocation *inv)
{
    char absent[128] = "";
    sandbox *s = &c->sandbox;
    s->memory = c->o->memory_limit << 20;
    s->cpu_seconds = (uint64_t)ceil(c->o->timeout) + 1;
    T2G_TRY(sandbox_find(s, c->program, (isolation)c->o->isolation));
    for (unsigned i = 0; i < SANDBOX_PARTS; i++)
        if (!(s->has >> i & 1)) {
            size_t n = strlen(absent);
            snprintf(absent + n, sizeof absent - n, "%s%s", n ? ", " : "",
                     sandbox_part(i));
        }
    if (!is_safe(s) && !c->o->allow_unsandboxed)
        return t2g_fail(T2G_ERR_UNSUPPORTED, "code cannot be kept off the "
                        "%s here, so it is not run; --allow-unsandboxed runs "
                        "it with limits alone (not isolated: %s)",
                        s->has & SANDBOX_USER ? "network"
                                              : "system of which we are root",
                        absent);
    if (absent[0])
        cli_note(inv, "the code's sandbox is not complete here, not isolated: "
                 "%s", absent);
    return T2G_OK;
}

static t2g_status prepare(code_asker *c, const invocation *inv)
{
    t2g_buffer command = {0};
    size_t n = c->o->asking.concurrency;
    c->python = is_python(c->o->interpreter);
    t2g_status s = ask_interpreter(c, &command);
    t2g_buffer_free(&command);
    T2G_TRY(s);
    c->run = t2g_calloc(n, sizeof *c->run);
    c->poll = t2g_calloc(2 * n, sizeof *c->poll);
    if (!c->run || !c->poll)
        return T2G_ERR_MEMORY;
    return open_sandbox(c, inv);
}

t2g_status ask_code_open(asker **out, const annotate_options *o,
                         const t2g_records *r, const invocation *inv)
{
    code_asker *c = t2g_calloc(1, sizeof *c);
    *out = NULL;
    if (!c)
        return T2G_ERR_MEMORY;
    c->o = o;
    c->records = r;
    c->base = (asker){.limit = o->asking.concurrency, .key = code_key,
                      .start = code_start, .wait = code_wait, .next = code_next,
                      .close = code_close};
    t2g_status s = prepare(c, inv);
    if (s != T2G_OK) {
        code_close(&c->base);
        return s;
    }
    *out = &c->base;
    return T2G_OK;
}

/* --- the record ----------------------------------------------------------- */

/* The official layout of the code task, for those who read that. */
static json_t *analysis(const json_t *record)
{
    json_t *wrong = json_array(), *item;
    size_t i;
    json_array_foreach(json_object_get(record, "poor_spans"), i, item)
        json_array_append(wrong, json_is_string(item)
                                     ? item
                                     : json_object_get(item, "text"));
    return json_pack("{s:O, s:o, s:[]}", "Code Feedback",
                     json_object_get(record, "critique"), "wrong_code", wrong,
                     "improvement_code");
}

void code_members(json_t *record, const json_t *answer)
{
    static const char *const keys[] = {"test_result", "sandbox"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (json_object_get(answer, keys[i]))
            json_object_set(record, keys[i], json_object_get(answer, keys[i]));
    json_object_set_new(record, "analysis", analysis(record));
}
