/* What people say on the page, checked and kept, and shown again. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "people.h"

enum { MOST_SPANS = 16384, LONGEST_NAME = 200 };
static const double MOST_SECONDS = 1e8;

static const struct kind {
    const char *key;
    double sign;
} kinds[] = {{"good_spans", 1}, {"poor_spans", -1}};
enum { KINDS = sizeof kinds / sizeof *kinds };

static t2g_status no_memory(void)
{
    return t2g_fail(T2G_ERR_MEMORY, "no memory for an answer");
}

/* --- reading -------------------------------------------------------------- */

static t2g_status check_offsets(const json_t *span, const people_case *c,
                                const char *key, size_t i)
{
    const json_t *text = json_object_get(span, "text");
    const json_t *start = json_object_get(span, "start");
    const json_t *end = json_object_get(span, "end");
    size_t n = json_string_length(text);
    if (!json_is_string(text) || n == 0)
        return t2g_fail(T2G_ERR_FORMAT, "%s[%zu]: no text", key, i);
    if (!json_is_integer(start) || !json_is_integer(end))
        return t2g_fail(T2G_ERR_FORMAT, "%s[%zu]: start and end are to be "
                        "integers, byte offsets in the response", key, i);
    json_int_t a = json_integer_value(start), b = json_integer_value(end);
    if (a < 0 || b <= a || (uint64_t)b > c->n)
        return t2g_fail(T2G_ERR_FORMAT, "%s[%zu]: bytes %lld to %lld, expected "
                        "some of the response's %zu", key, i, (long long)a,
                        (long long)b, c->n);
    if ((uint64_t)(b - a) != n ||
        memcmp(c->response + a, json_string_value(text), n) != 0)
        return t2g_fail(T2G_ERR_FORMAT, "%s[%zu]: its text is not what the "
                        "response has in bytes %lld to %lld", key, i,
                        (long long)a, (long long)b);
    return T2G_OK;
}

/* How much it weighs, of the list's sign; a span without a score weighs 1. */
static t2g_status check_score(const json_t *span, const struct kind *k,
                              size_t i)
{
    const json_t *score = json_object_get(span, "score");
    double x = json_number_value(score) * k->sign;
    if (!score || (json_is_number(score) && x > 0 && x <= 1))
        return T2G_OK;
    return t2g_fail(T2G_ERR_FORMAT, "%s[%zu]: the score is not %s", k->key, i,
                    k->sign > 0 ? "in (0, 1]" : "in [-1, 0)");
}

static t2g_status check_note(const json_t *span, const char *key, size_t i)
{
    const json_t *note = json_object_get(span, "note");
    if (!note || (json_is_string(note) &&
                  strlen(json_string_value(note)) == json_string_length(note)))
        return T2G_OK;
    return t2g_fail(T2G_ERR_FORMAT, "%s[%zu]: the note is no text", key, i);
}

/* The span with the members that we know, added to `to`. */
static t2g_status copy_span(json_t *to, const json_t *span)
{
    static const char *const known[] = {"text", "start", "end", "score",
                                        "note"};
    json_t *o = json_object();
    bool ok = o != NULL;
    for (size_t i = 0; ok && i < sizeof known / sizeof *known; i++) {
        json_t *v = json_object_get(span, known[i]);
        ok = !v || json_object_set(o, known[i], v) == 0;
    }
    return json_array_append_new(to, o) == 0 && ok ? T2G_OK : no_memory();
}

static t2g_status read_spans(json_t *reply, const json_t *body,
                             const struct kind *k, const people_case *c)
{
    const json_t *list = json_object_get(body, k->key);
    json_t *out = json_array();
    if (json_object_set_new(reply, k->key, out) != 0)
        return no_memory();
    if (!json_is_array(list) || json_array_size(list) > MOST_SPANS)
        return t2g_fail(T2G_ERR_FORMAT, "'%s' is to be a list of at most %d "
                        "spans", k->key, MOST_SPANS);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *span = json_array_get(list, i);
        T2G_TRY(check_offsets(span, c, k->key, i));
        T2G_TRY(check_score(span, k, i));
        T2G_TRY(check_note(span, k->key, i));
        T2G_TRY(copy_span(out, span));
    }
    return T2G_OK;
}

/* The form in which all critics reply, so that what reads theirs reads this. */
static t2g_status read_reply(json_t *reply, const json_t *body,
                             const people_case *c)
{
    json_t *text = json_object_get(body, "critique");
    if (!json_is_string(text))
        return t2g_fail(T2G_ERR_FORMAT, "'critique' is to be a string");
    if (json_object_set(reply, "textual_feedback", text) != 0)
        return no_memory();
    for (size_t i = 0; i < KINDS; i++)
        T2G_TRY(read_spans(reply, body, &kinds[i], c));
    return T2G_OK;
}

static bool is_blank(const char *s)
{
    return s[strspn(s, " \t\r\n")] == '\0';
}

static t2g_status read_person(json_t *answer, const json_t *body,
                              const char *annotator)
{
    const json_t *name = json_object_get(body, "annotator");
    const json_t *time = json_object_get(body, "seconds");
    double seconds = json_number_value(time);
    const char *who = annotator ? annotator : json_string_value(name);
    if (!who || is_blank(who) || strlen(who) > LONGEST_NAME)
        return t2g_fail(T2G_ERR_FORMAT, "'annotator' is to be a name of at "
                        "most %d bytes", LONGEST_NAME);
    if (!json_is_number(time) || !(seconds >= 0 && seconds <= MOST_SECONDS))
        return t2g_fail(T2G_ERR_FORMAT, "'seconds' is to be a number, not "
                        "negative");
    json_t *text = t2g_json_text(who, strlen(who));
    json_t *rounded = json_real(round(10 * seconds) / 10);
    return json_object_set_new(answer, "annotator", text) == 0 &&
                   json_object_set_new(answer, "seconds", rounded) == 0
               ? T2G_OK : no_memory();
}

static t2g_status read_answer(json_t *answer, json_t *reply, const json_t *body,
                              const people_case *c, const char *annotator)
{
    T2G_TRY(read_reply(reply, body, c));
    char *text = json_dumps(reply, JSON_COMPACT);
    json_t *kept = text ? json_string(text) : NULL;
    free(text);
    if (json_object_set_new(answer, "reply", kept) != 0)
        return no_memory();
    return read_person(answer, body, annotator);
}

t2g_status people_answer(json_t **answer, const char *body, size_t body_n,
                         const people_case *c, const char *annotator)
{
    json_error_t error;
    json_t *root = json_loadb(body, body_n, JSON_REJECT_DUPLICATES |
                              JSON_ALLOW_NUL, &error);
    json_t *reply = json_object(), *made = json_object();
    t2g_status s = root && reply && made
                       ? read_answer(made, reply, root, c, annotator)
                   : root ? no_memory()
                          : t2g_fail(T2G_ERR_FORMAT, "no JSON: %s", error.text);
    *answer = s == T2G_OK ? json_incref(made) : NULL;
    json_decref(made);
    json_decref(reply);
    json_decref(root);
    return s;
}

/* --- showing -------------------------------------------------------------- */

t2g_status people_show_answer(json_t *o, const json_t *answer)
{
    const json_t *text = json_object_get(answer, "reply");
    json_t *reply = json_loadb(json_string_value(text),
                               json_string_length(text), JSON_ALLOW_NUL, NULL);
    json_t *words = json_object_get(reply, "textual_feedback");
    bool ok = !words || json_object_set(o, "critique", words) == 0;
    for (size_t i = 0; i < KINDS; i++) {
        json_t *list = json_object_get(reply, kinds[i].key);
        ok = ok && (!list || json_object_set(o, kinds[i].key, list) == 0);
    }
    json_decref(reply);
    return ok ? T2G_OK : no_memory();
}

/* A mark at a place that alignment found, as the page would send it. */
static json_t *mark(const t2g_span *span, const t2g_placement *p,
                    const people_case *c)
{
    json_t *o = json_pack("{s:o, s:I, s:I}", "text",
                          t2g_json_text(c->response + p->start,
                                        p->end - p->start),
                          "start", (json_int_t)p->start, "end",
                          (json_int_t)p->end);
    if (fabs(span->score) < 1)
        json_object_set_new(o, "score", json_real(span->score));
    if (span->note)
        json_object_set_new(o, "note", json_string(span->note));
    return o;
}

/* Neutral phrases are neither good nor poor: nothing to mark. */
static bool show_placement(json_t *o, const t2g_critique *critique,
                           const t2g_placement *p, const people_case *c)
{
    const t2g_span *span = &critique->span[p->span];
    if (span->score == 0 && !span->rejected)
        return true;
    if (strcmp(p->method, "none") == 0 || p->end <= p->start)
        return json_array_append_new(json_object_get(o, "unplaced"),
                                     t2g_json_text(span->text,
                                                   span->length)) == 0;
    const char *key = kinds[span->score < 0].key;
    return json_array_append_new(json_object_get(o, key),
                                 mark(span, p, c)) == 0;
}

static t2g_status show_critique(json_t *o, const t2g_critique *critique,
                                const people_case *c)
{
    static const t2g_align_options first = {.on_repeat = T2G_REPEAT_FIRST};
    t2g_alignment a = {0};
    T2G_TRY(t2g_align(&a, c->response, c->n, critique, NULL, 0, &first));
    bool ok = json_object_set_new(o, "critique",
                                  t2g_json_text(critique->text ? critique->text
                                                               : "",
                                                critique->text_length)) == 0;
    for (size_t i = 0; i < KINDS; i++)
        ok = ok && json_object_set_new(o, kinds[i].key, json_array()) == 0;
    ok = ok && json_object_set_new(o, "unplaced", json_array()) == 0;
    for (size_t i = 0; ok && i < a.count; i++)
        ok = show_placement(o, critique, &a.placement[i], c);
    t2g_alignment_free(&a);
    return ok ? T2G_OK : no_memory();
}

t2g_status people_show_record(json_t *o, const people_case *c)
{
    t2g_critique critique;
    T2G_TRY(t2g_critique_from_record(&critique, c->record));
    t2g_status s = show_critique(o, &critique, c);
    t2g_critique_free(&critique);
    return s;
}
