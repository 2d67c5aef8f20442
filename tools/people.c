/* Asks people: shows one response after the other, keeps each answer before it
 * says so, and ends when there is one for every response. */
#include <errno.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>

#include "people.h"
#include "people_server.h"

extern char **environ;

/* What a body may take beyond quotes: the critique, notes, offsets. */
enum { WORDS_LIMIT = 1 << 22 };
/* Marks that lie over each other repeat the response, escaped. */
enum { REPEATS_LIMIT = 8 };

static const double TICK = 0.2;

typedef struct people {
    const annotate_options *o;
    const t2g_records *records;
    asked *out;
    size_t *question; /* records, one for each different question */
    unsigned *revision; /* times it was answered, as far as we know */
    size_t answered, longest;
    char *annotator; /* who answered last; --annotator if given */
    web_server *server;
    progress bar;
} people;

/* --- what is to be asked -------------------------------------------------- */

/* Equal in all that is shown, records are the same question. */
static t2g_status make_key(people *w, size_t i)
{
    static const char kind[] = "people/1";
    static const char *const shown[] = {"prompt", "response", "reference"};
    t2g_bytes part[4] = {{kind, sizeof kind - 1}};
    for (size_t k = 0; k < 3; k++) {
        t2g_bytes *p = &part[1 + k];
        T2G_TRY(t2g_record_string(w->records, i, shown[k], k == 1, &p->data,
                                  &p->n));
        if (!p->data)
            *p = (t2g_bytes){"", 0};
    }
    w->longest = part[2].n > w->longest ? part[2].n : w->longest;
    return t2g_answer_key(w->out->key[i], part, 4);
}

static t2g_status read_case(const people *w, size_t q, people_case *c)
{
    size_t i = w->question[q];
    c->record = w->records->record[i];
    return t2g_record_string(w->records, i, "response", true, &c->response,
                             &c->n);
}

static const json_t *answer_of(const people *w, size_t q)
{
    return t2g_answers_find(w->out->answers, w->out->key[w->question[q]]);
}

/* What is to be corrected must be readable before anybody sits down. */
static t2g_status check_feedback(const people *w)
{
    for (size_t i = 0; w->o->prefill && i < w->records->count; i++) {
        t2g_critique c;
        t2g_status s = t2g_critique_from_record(&c, w->records->record[i]);
        if (s != T2G_OK)
            return t2g_fail_in(s, "%s:%zu", w->records->path,
                               w->records->line[i]);
        t2g_critique_free(&c);
    }
    return T2G_OK;
}

static t2g_status set_annotator(people *w, const char *name)
{
    char *copy = t2g_strdup(name);
    if (!copy)
        return T2G_ERR_MEMORY;
    t2g_free(w->annotator);
    w->annotator = copy;
    return T2G_OK;
}

static t2g_status add_question(people *w, json_t *seen, size_t i)
{
    asked *out = w->out;
    const json_t *answer = t2g_answers_find(out->answers, out->key[i]);
    const char *name = json_string_value(json_object_get(answer, "annotator"));
    if (json_object_get(seen, out->key[i]))
        return T2G_OK;
    if (json_object_set_new(seen, out->key[i], json_true()) != 0)
        return t2g_fail(T2G_ERR_MEMORY, "no memory for questions");
    w->revision[out->questions] = answer != NULL;
    w->question[out->questions++] = i;
    out->from_file += answer != NULL;
    return name && !w->o->annotator ? set_annotator(w, name) : T2G_OK;
}

static t2g_status list_questions(people *w)
{
    json_t *seen = json_object();
    t2g_status s = seen ? T2G_OK
                        : t2g_fail(T2G_ERR_MEMORY, "no memory for questions");
    for (size_t i = 0; s == T2G_OK && i < w->records->count; i++)
        s = add_question(w, seen, i);
    json_decref(seen);
    w->answered = w->out->from_file;
    return s;
}

static t2g_status prepare(people *w)
{
    asked *out = w->out;
    size_t n = w->records->count;
    out->key = t2g_calloc(n, sizeof *out->key);
    w->question = t2g_calloc(n, sizeof *w->question);
    w->revision = t2g_calloc(n, sizeof *w->revision);
    out->failed = json_object();
    if (!out->key || !w->question || !w->revision || !out->failed)
        return t2g_fail(T2G_ERR_MEMORY, "no memory for questions");
    for (size_t i = 0; i < n; i++)
        T2G_TRY(make_key(w, i));
    T2G_TRY(check_feedback(w));
    T2G_TRY(t2g_answers_open(&out->answers, w->o->asking.answers));
    if (w->o->annotator)
        T2G_TRY(set_annotator(w, w->o->annotator));
    return list_questions(w);
}

/* --- what the page asks for ----------------------------------------------- */

static void say(web_reply *r, int status, const char *text)
{
    r->status = status;
    r->type = "text/plain; charset=utf-8";
    r->body.size = 0;
    if (t2g_buffer_printf(&r->body, "%s\n", text) != T2G_OK)
        r->status = 500;
}

/* Takes the reference to o, which may be NULL: no memory. */
static void say_json(web_reply *r, int status, json_t *o)
{
    char *text = o ? json_dumps(o, JSON_COMPACT) : NULL;
    r->status = status;
    r->type = "application/json";
    if (!text || t2g_buffer_puts(&r->body, text) != T2G_OK)
        say(r, 500, "no memory");
    free(text);
    json_decref(o);
}

static void show_page(web_reply *r)
{
    r->status = 200;
    r->type = "text/html; charset=utf-8";
    if (t2g_buffer_append(&r->body, people_page, people_page_size) != T2G_OK)
        say(r, 500, "no memory");
}

static json_t *state(const people *w)
{
    json_t *done = json_array();
    for (size_t q = 0; q < w->out->questions; q++)
        json_array_append_new(done, json_boolean(w->revision[q] > 0));
    return json_pack("{s:I, s:I, s:s, s:b, s:o}", "count",
                     (json_int_t)w->out->questions, "answered",
                     (json_int_t)w->answered, "annotator",
                     w->annotator ? w->annotator : "", "known",
                     w->o->annotator != NULL, "done", done);
}

static t2g_status fill_case(const people *w, size_t q, json_t *o)
{
    static const char *const shown[] = {"id", "prompt", "response",
                                        "reference"};
    const json_t *answer = answer_of(w, q);
    people_case c;
    T2G_TRY(read_case(w, q, &c));
    for (size_t i = 0; i < sizeof shown / sizeof *shown; i++) {
        json_t *v = json_object_get(c.record, shown[i]);
        if (v && json_object_set(o, shown[i], v) != 0)
            return t2g_fail(T2G_ERR_MEMORY, "no memory for a record");
    }
    if (!answer)
        return w->o->prefill ? people_show_record(o, &c) : T2G_OK;
    json_object_set(o, "seconds", json_object_get(answer, "seconds"));
    json_object_set(o, "annotator", json_object_get(answer, "annotator"));
    return people_show_answer(o, answer);
}

static void show_case(const people *w, size_t q, int status, web_reply *r)
{
    json_t *o = json_pack("{s:I, s:I}", "index", (json_int_t)q, "revision",
                          (json_int_t)w->revision[q]);
    t2g_status s = o ? fill_case(w, q, o) : T2G_ERR_MEMORY;
    if (s == T2G_OK) {
        say_json(r, status, o);
        return;
    }
    json_decref(o);
    say(r, 500, t2g_error_message());
}

/* --- answers -------------------------------------------------------------- */

/* Equal but for the time it took. */
static bool same_answer(const json_t *kept, const json_t *answer)
{
    return json_equal(json_object_get(kept, "reply"),
                      json_object_get(answer, "reply")) &&
           json_equal(json_object_get(kept, "annotator"),
                      json_object_get(answer, "annotator"));
}

static void keep(people *w, size_t q, const json_t *answer, web_reply *r)
{
    const char *name = json_string_value(json_object_get(answer, "annotator"));
    const char *key = w->out->key[w->question[q]];
    if (t2g_answers_add(w->out->answers, key, answer) != T2G_OK) {
        say(r, 500, t2g_error_message());
        return;
    }
    w->answered += w->revision[q]++ == 0;
    w->out->tries++;
    if (set_annotator(w, name) != T2G_OK)
        say(r, 500, t2g_error_message());
    else
        say_json(r, 200, state(w));
    progress_update(&w->bar, w->answered - w->out->from_file, w->out->tries,
                    "answers", name);
}

/* An answer is to the revision that its page has seen: of two pages that show
 * the same response the slower one is told. One sent twice counts once. */
static void save(people *w, size_t q, const web_request *request, web_reply *r)
{
    people_case c;
    json_t *answer = NULL;
    json_t *body = json_loadb(request->body, request->body_n, JSON_ALLOW_NUL,
                              NULL);
    const json_t *revision = json_object_get(body, "revision");
    t2g_status s = read_case(w, q, &c);
    if (s == T2G_OK)
        s = people_answer(&answer, request->body, request->body_n, &c,
                          w->o->annotator);
    if (s != T2G_OK)
        say(r, s == T2G_ERR_FORMAT ? 422 : 500, t2g_error_message());
    else if (!json_is_integer(revision))
        say(r, 422, "'revision' is to be an integer");
    else if (same_answer(answer_of(w, q), answer))
        say_json(r, 200, state(w));
    else if (json_integer_value(revision) != (json_int_t)w->revision[q])
        show_case(w, q, 409, r);
    else
        keep(w, q, answer, r);
    json_decref(answer);
    json_decref(body);
}

/* "/item/7": 7. */
static bool read_item(const people *w, const char *path, size_t *q)
{
    static const char item[] = "/item/";
    const char *digits = path + sizeof item - 1;
    if (strncmp(path, item, sizeof item - 1) != 0)
        return false;
    size_t n = strlen(digits);
    if (n == 0 || n > 12 || strspn(digits, "0123456789") != n)
        return false;
    *q = (size_t)strtoull(digits, NULL, 10);
    return *q < w->out->questions;
}

static void handle(void *context, const web_request *request, web_reply *r)
{
    people *w = context;
    size_t q = 0;
    bool item = read_item(w, request->path, &q);
    bool page = strcmp(request->path, "/") == 0;
    bool of_state = strcmp(request->path, "/state") == 0;
    if (!item && !page && !of_state)
        say(r, 404, "There is no such page.");
    else if (request->post && !item)
        say(r, 405, "This can only be read.");
    else if (request->post)
        save(w, q, request, r);
    else if (item)
        show_case(w, q, 200, r);
    else if (page)
        show_page(r);
    else
        say_json(r, 200, state(w));
}

/* --- the run -------------------------------------------------------------- */

/* A browser that does not start is no reason to stop: the address is printed.
 * What it prints itself is not for this terminal. */
static void open_browser(const invocation *inv, const char *address)
{
    static const char *const opener[] = {"xdg-open", "open"};
    posix_spawn_file_actions_t actions;
    int error = ENOENT;
    pid_t pid;
    posix_spawn_file_actions_init(&actions);
    for (int fd = 1; fd <= 2; fd++)
        posix_spawn_file_actions_addopen(&actions, fd, "/dev/null", 1, 0);
    for (size_t i = 0; error != 0 && i < 2; i++) {
        char *argv[] = {(char *)(uintptr_t)opener[i],
                        (char *)(uintptr_t)address, NULL};
        error = posix_spawnp(&pid, opener[i], &actions, NULL, argv, environ);
    }
    posix_spawn_file_actions_destroy(&actions);
    if (error != 0)
        cli_note(inv, "no browser can be started: %s", strerror(error));
}

static t2g_status serve(people *w, const invocation *inv)
{
    size_t todo = w->out->questions - w->out->from_file;
    T2G_TRY(web_open(&w->server, w->o->port,
                     WORDS_LIMIT + REPEATS_LIMIT * w->longest, handle, w));
    const char *address = web_address(w->server);
    fprintf(stderr, "annotate: %zu of %zu responses to be judged: open %s in a "
            "browser here; Ctrl-C ends, and what is answered is kept\n", todo,
            w->out->questions, address);
    if (w->o->open)
        open_browser(inv, address);
    progress_begin(&w->bar, inv, "annotate", todo);
    t2g_status s = T2G_OK;
    while (s == T2G_OK && w->answered < w->out->questions &&
           !cli_interrupted())
        s = web_turn(w->server, TICK);
    progress_end(&w->bar, NULL);
    web_close(w->server);
    return s;
}

/* Who has stopped has left these. */
static t2g_status list_unanswered(people *w)
{
    for (size_t q = 0; q < w->out->questions; q++)
        if (!answer_of(w, q) &&
            json_object_set_new(w->out->failed,
                                w->out->key[w->question[q]],
                                json_string("nobody has judged it yet")) != 0)
            return t2g_fail(T2G_ERR_MEMORY, "no memory for questions");
    w->out->stopped = json_object_size(w->out->failed) > 0;
    return T2G_OK;
}

t2g_status ask_people(asked *out, const annotate_options *o,
                      const t2g_records *r, const invocation *inv)
{
    people w = {.o = o, .records = r, .out = out};
    *out = (asked){0};
    t2g_status s = prepare(&w);
    if (s == T2G_OK && w.answered < out->questions)
        s = serve(&w, inv);
    if (s == T2G_OK)
        s = list_unanswered(&w);
    t2g_free(w.question);
    t2g_free(w.revision);
    t2g_free(w.annotator);
    return s;
}
