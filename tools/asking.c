#include "asking.h"

#include <math.h>
#include <string.h>
#include <time.h>

/* Longest pause of ours, longest pause asked for that we honour (seconds), and
 * how often we look for Ctrl-C. */
static const double LONGEST_DELAY = 60, LONGEST_WISH = 3600, TICK = 0.2;

/* The purpose of the random stream, next to those of the library. */
enum { RNG_WAIT = 0x57414954 };

/* So many questions in a row without an answer: nobody is there. */
enum { HOPELESS_ROW = 5 };

typedef enum slot_state { SLOT_IDLE, SLOT_FLYING, SLOT_PAUSED } slot_state;

/* A question is in its slot until it is settled, pauses included: so a server
 * in trouble is asked for less. */
typedef struct slot {
    slot_state state;
    size_t record;
    uint64_t failures;
    double due; /* PAUSED: until when */
} slot;

typedef struct asking {
    asked *out;
    asker *a;
    const asking_options *o;
    const t2g_records *records;
    size_t *todo, todo_count, begun, settled, kept, row;
    slot *slot;
    double pause_until; /* what a server asked for holds for all */
    t2g_stream jitter;
    uint64_t pauses; /* drawn so far */
    t2g_status stop;    /* not T2G_OK: start nothing more */
    char reason[768];   /* of stop */
    progress bar;
} asking;

/* --- what is to be asked -------------------------------------------------- */

static t2g_status add_question(asking *w, json_t *seen, size_t i)
{
    const char *key = w->out->key[i];
    const json_t *answer = t2g_answers_find(w->out->answers, key);
    if (json_object_get(seen, key))
        return T2G_OK;
    if (json_object_set_new(seen, key, json_true()) != 0)
        return t2g_fail(T2G_ERR_MEMORY, "no memory for questions");
    w->out->questions++;
    if (!answer) {
        w->todo[w->todo_count++] = i;
        return T2G_OK;
    }
    w->out->from_file++;
    if (w->a->known)
        w->a->known(w->a, answer);
    return T2G_OK;
}

static t2g_status list_questions(asking *w)
{
    json_t *seen = json_object();
    t2g_status s = seen ? T2G_OK
                        : t2g_fail(T2G_ERR_MEMORY, "no memory for questions");
    for (size_t i = 0; s == T2G_OK && i < w->records->count; i++)
        s = add_question(w, seen, i);
    json_decref(seen);
    return s;
}

/* Every record is looked at before anything is opened or paid for. */
static t2g_status make_keys(asking *w)
{
    asked *out = w->out;
    out->key = t2g_calloc(w->records->count, sizeof *out->key);
    if (!out->key)
        return T2G_ERR_MEMORY;
    for (size_t i = 0; i < w->records->count; i++)
        T2G_TRY(w->a->key(w->a, i, out->key[i]));
    return T2G_OK;
}

/* --- starting ------------------------------------------------------------- */

static void stop(asking *w, t2g_status s, const char *reason)
{
    if (w->stop != T2G_OK)
        return;
    w->stop = s;
    snprintf(w->reason, sizeof w->reason, "%s", reason);
}

static void start(asking *w, size_t i)
{
    slot *s = &w->slot[i];
    if (w->a->start(w->a, i, s->record) != T2G_OK) {
        s->state = SLOT_IDLE;
        stop(w, T2G_ERR_IO, t2g_error_message());
        return;
    }
    s->state = SLOT_FLYING;
    w->out->tries++;
}

static void fill(asking *w, double now)
{
    for (size_t i = 0; i < w->o->concurrency && w->stop == T2G_OK; i++) {
        slot *s = &w->slot[i];
        if (now < w->pause_until)
            return;
        if (s->state == SLOT_PAUSED && now >= s->due) {
            start(w, i);
        } else if (s->state == SLOT_IDLE && i < w->a->limit &&
                   w->begun < w->todo_count) {
            *s = (slot){.record = w->todo[w->begun++]};
            start(w, i);
        }
    }
}

/* --- settling ------------------------------------------------------------- */

/* Doubles from failure to failure (1, 2, ...); jitter keeps many clients from
 * coming back at once. */
static double delay(asking *w, uint64_t failures)
{
    int doublings = failures < 20 ? (int)failures - 1 : 20;
    double full = fmin(ldexp(w->o->retry_delay, doublings), LONGEST_DELAY);
    return full * (0.5 + 0.5 * t2g_random_unit(&w->jitter, w->pauses++));
}

static void settle(asking *w, slot *s)
{
    s->state = SLOT_IDLE;
    w->settled++;
}

static void keep(asking *w, slot *s, json_t *answer)
{
    t2g_status status = t2g_answers_add(w->out->answers,
                                        w->out->key[s->record], answer);
    if (status != T2G_OK)
        stop(w, status, t2g_error_message());
    w->kept += status == T2G_OK;
    w->row = 0;
    settle(w, s);
}

/* No answer for this one. `absent`: nobody was there to give one. */
static void give_up(asking *w, slot *s, const char *reason, bool absent)
{
    char where[512];
    size_t i = s->record;
    snprintf(where, sizeof where, "%s:%zu: %s", w->records->path,
             w->records->line[i], reason);
    if (json_object_set_new(w->out->failed, w->out->key[i],
                            t2g_json_text(where, strlen(where))) != 0)
        stop(w, T2G_ERR_MEMORY, "no memory for failures");
    cli_note(w->bar.inv, "%s", where);
    w->row += absent || w->kept == 0;
    if (w->row >= HOPELESS_ROW)
        stop(w, T2G_ERR_IO, "no answer to any question any more");
    settle(w, s);
}

static void retry(asking *w, slot *s, const trial *t)
{
    double now = cli_seconds();
    char reason[512];
    if (t->wait > LONGEST_WISH) {
        snprintf(reason, sizeof reason, "%s; it asks to wait %.0f s", t->reason,
                 t->wait);
        stop(w, T2G_ERR_IO, reason);
        settle(w, s);
    } else if (s->failures >= w->o->retries) {
        snprintf(reason, sizeof reason, "%s, in %llu %s", t->reason,
                 (unsigned long long)s->failures + 1,
                 s->failures ? "tries" : "try");
        give_up(w, s, reason, true);
    } else {
        s->state = SLOT_PAUSED;
        s->failures++;
        s->due = now + fmax(t->wait, delay(w, s->failures));
        w->pause_until = fmax(w->pause_until, now + t->wait);
    }
}

static void take(asking *w, trial *t)
{
    slot *s = &w->slot[t->slot];
    switch (t->end) {
    case TRIAL_ANSWERED: keep(w, s, t->answer); break;
    case TRIAL_AGAIN:
        s->state = SLOT_IDLE;
        if (w->stop == T2G_OK)
            start(w, t->slot);
        break;
    case TRIAL_LATER: retry(w, s, t); break;
    case TRIAL_REFUSED: give_up(w, s, t->reason, false); break;
    case TRIAL_HOPELESS:
        stop(w, T2G_ERR_IO, t->reason);
        settle(w, s);
        break;
    }
    json_decref(t->answer);
    t->answer = NULL;
}

/* --- the loop ------------------------------------------------------------- */

static size_t flying(const asking *w)
{
    size_t n = 0;
    for (size_t i = 0; i < w->o->concurrency; i++)
        n += w->slot[i].state == SLOT_FLYING;
    return n;
}

/* Seconds until a paused question may go on. */
static double until_due(const asking *w, double now)
{
    double least = TICK;
    for (size_t i = 0; i < w->o->concurrency; i++)
        if (w->slot[i].state == SLOT_PAUSED)
            least = fmin(least, fmax(w->slot[i].due, w->pause_until) - now);
    return fmax(least, 0.001);
}

static void sleep_for(double seconds)
{
    struct timespec t = {(time_t)seconds,
                         (long)(1e9 * (seconds - floor(seconds)))};
    nanosleep(&t, NULL);
}

void usage_text(char *text, size_t room, const usage *u)
{
    text[0] = '\0';
    if (u->prompt_tokens + u->completion_tokens == 0)
        return;
    int n = snprintf(text, room, "%.0f + %.0f tokens", u->prompt_tokens,
                     u->completion_tokens);
    if (u->cost > 0 && n > 0 && (size_t)n < room)
        snprintf(text + n, room - (size_t)n, ", cost %.4f", u->cost);
}

static void show(asking *w)
{
    const usage *u = &w->a->used;
    char text[160];
    uint64_t tokens = (uint64_t)(u->prompt_tokens + u->completion_tokens);
    usage_text(text, sizeof text, u);
    size_t n = strlen(text);
    if (w->pauses > 0)
        snprintf(text + n, sizeof text - n, "%s%llu tries repeated",
                 n ? ", " : "", (unsigned long long)w->pauses);
    progress_update(&w->bar, w->settled, tokens ? tokens : w->settled,
                    tokens ? "tok" : "answers", text[0] ? text : NULL);
}

/* The asker itself has failed, not a question. */
static void lose_all(asking *w)
{
    stop(w, T2G_ERR_IO, t2g_error_message());
    for (size_t i = 0; i < w->o->concurrency; i++)
        w->slot[i].state = SLOT_IDLE;
}

static void turn(asking *w)
{
    trial t = {0};
    double now = cli_seconds();
    if (cli_interrupted())
        stop(w, T2G_ERR_INTERRUPTED, "stopped");
    fill(w, now);
    if (flying(w) == 0 && w->stop == T2G_OK)
        sleep_for(until_due(w, now));
    else if (w->a->wait(w->a, until_due(w, now)) != T2G_OK)
        lose_all(w);
    while (w->a->next(w->a, &t))
        take(w, &t);
    show(w);
}

static t2g_status ending(asking *w)
{
    size_t failed = json_object_size(w->out->failed);
    const char *file = w->o->answers;
    if (w->stop == T2G_OK && (failed == 0 || w->o->allow_failed))
        return T2G_OK;
    if (w->stop != T2G_OK)
        return t2g_fail(w->stop, "%s; %zu of %zu answers are kept in %s, the "
                        "same command goes on from there", w->reason,
                        w->out->from_file + w->kept, w->out->questions, file);
    const char *first = json_string_value(json_object_iter_value(
        json_object_iter(w->out->failed)));
    snprintf(w->reason, sizeof w->reason, "%s", first);
    return t2g_fail(T2G_ERR_IO, "%zu of %zu questions have no answer, the "
                    "first: %s; the others are kept in %s: the same command "
                    "asks for what is missing, --allow-failed writes the "
                    "records without it", failed, w->out->questions, w->reason,
                    file);
}

static t2g_status prepare(asking *w, const invocation *inv)
{
    asked *out = w->out;
    T2G_TRY(make_keys(w));
    T2G_TRY(t2g_answers_open(&out->answers, w->o->answers));
    w->todo = t2g_calloc(w->records->count, sizeof *w->todo);
    w->slot = t2g_calloc(w->o->concurrency, sizeof *w->slot);
    out->failed = json_object();
    if (!w->todo || !w->slot || !out->failed)
        return t2g_fail(T2G_ERR_MEMORY, "no memory for questions");
    T2G_TRY(list_questions(w));
    if (out->from_file > 0)
        cli_note(inv, "%zu of %zu answers are in %s already", out->from_file,
                 out->questions, w->o->answers);
    return T2G_OK;
}

static t2g_status ask(asking *w, const invocation *inv)
{
    progress_begin(&w->bar, inv, "annotate", w->todo_count);
    while (flying(w) > 0 ||
           (w->stop == T2G_OK && w->settled < w->todo_count))
        turn(w);
    progress_end(&w->bar, NULL);
    return ending(w);
}

/* Pauses must differ between runs of the same --seed. */
static uint64_t clock_seed(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

t2g_status ask_all(asked *out, asker *a, const t2g_records *records,
                   const asking_options *o, const invocation *inv)
{
    asking w = {.out = out, .a = a, .o = o, .records = records,
                .jitter = {.seed = clock_seed(), .purpose = RNG_WAIT}};
    *out = (asked){0};
    t2g_status s = prepare(&w, inv);
    if (s == T2G_OK && w.todo_count > 0)
        s = ask(&w, inv);
    t2g_free(w.todo);
    t2g_free(w.slot);
    return s;
}

void asked_free(asked *a)
{
    t2g_answers_close(a->answers);
    t2g_free(a->key);
    json_decref(a->failed);
    *a = (asked){0};
}
