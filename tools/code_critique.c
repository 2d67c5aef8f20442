#include "code_critique.h"

#include <stdlib.h>
#include <string.h>

typedef struct span {
    size_t start, end;
    bool found;
} span;

static const char *text_of(const code_run *r, const char *key)
{
    const char *s = json_string_value(json_object_get(r->result, key));
    return s ? s : "";
}

static bool is(const code_run *r, const char *outcome)
{
    return strcmp(code_outcome(r), outcome) == 0;
}

const char *code_outcome(const code_run *r)
{
    const char *told = text_of(r, "outcome");
    if (r->late)
        return "timeout";
    if (*told)
        return told;
    if (!r->other_language)
        return "ended";
    return r->status == 0 ? "passed" : "failed";
}

/* --- places --------------------------------------------------------------- */

static span lines(const code_run *r, json_int_t first, json_int_t last)
{
    span s = {0};
    s.found = first > 0 && last >= first &&
              t2g_code_lines(r->code, r->response.data, (size_t)first,
                             (size_t)last, &s.start, &s.end);
    return s;
}

/* The innermost line of the stack that is the response's: the prompt has code
 * of its own. */
static span raised(const code_run *r)
{
    const json_t *list = json_object_get(r->result, "lines");
    span s = {0};
    for (size_t i = 0; !s.found && i < json_array_size(list); i++) {
        json_int_t line = json_integer_value(json_array_get(list, i));
        s = lines(r, line, line);
    }
    return s;
}

/* The line that returned a wrong value, if there is but one. */
static span returned(const code_run *r)
{
    const json_t *list = json_object_get(r->result, "lines");
    return json_array_size(list) == 1 ? raised(r) : (span){0};
}

static json_int_t definition(const code_run *r, size_t i)
{
    return json_integer_value(
        json_array_get(json_object_get(r->result, "definition"), i));
}

/* Interpreters of other languages name the file and the line. */
static span named(const code_run *r)
{
    static const char name[] = "program:";
    span s = {0};
    for (const char *p = r->output; !s.found && (p = strstr(p, name));) {
        p += sizeof name - 1;
        long line = strtol(p, NULL, 10);
        s = lines(r, line, line);
    }
    return s;
}

static span blamed(const code_run *r)
{
    if (is(r, "assertion") || is(r, "test_exception"))
        return json_is_true(json_object_get(r->result, "signature"))
                   ? lines(r, definition(r, 0), definition(r, 0))
                   : returned(r);
    return r->other_language ? named(r) : raised(r);
}

/* --- words ---------------------------------------------------------------- */

static t2g_status say_error(t2g_buffer *b, const code_run *r)
{
    const char *message = text_of(r, "message");
    return t2g_buffer_printf(b, "%s%s%s", text_of(r, "type"),
                             *message ? ": " : "", message);
}

static t2g_status say_passed(t2g_buffer *b, const code_run *r)
{
    json_int_t n = json_integer_value(json_object_get(r->result, "passed"));
    if (n == 0)
        return t2g_buffer_puts(b, "The tests pass.");
    if (n == 1)
        return t2g_buffer_puts(b, "The only assertion of the tests passes.");
    return t2g_buffer_printf(b, "All %" JSON_INTEGER_FORMAT
                             " assertions of the tests pass.", n);
}

static t2g_status say_values(t2g_buffer *b, const code_run *r)
{
    const char *expression = text_of(r, "expression");
    const char *left = text_of(r, "left"), *right = text_of(r, "right");
    if (!*left)
        return T2G_OK;
    if (!*right)
        return t2g_buffer_printf(b, " The value is %s.", left);
    if (strstr(expression, " == "))
        return t2g_buffer_printf(b, " The value is %s, expected %s.", left,
                                 right);
    return t2g_buffer_printf(b, " The values are %s and %s.", left, right);
}

static t2g_status say_assertion(t2g_buffer *b, const code_run *r)
{
    json_int_t n = json_integer_value(json_object_get(r->result, "passed"));
    const char *expression = text_of(r, "expression");
    const char *message = text_of(r, "message");
    if (*expression)
        T2G_TRY(t2g_buffer_printf(b, "The assertion `%s` of the tests fails",
                                  expression));
    else
        T2G_TRY(t2g_buffer_puts(b, "A test fails"));
    if (n > 0)
        T2G_TRY(t2g_buffer_printf(b, ", after %" JSON_INTEGER_FORMAT " that %s",
                                  n, n == 1 ? "holds" : "hold"));
    T2G_TRY(t2g_buffer_printf(b, "%s%s.", *message ? ": " : "", message));
    return say_values(b, r);
}

static t2g_status say_missing(t2g_buffer *b, const code_run *r)
{
    const char *name = text_of(r, "name");
    if (*name)
        return t2g_buffer_printf(b, "The code does not define `%s`, which the "
                                 "tests use.", name);
    T2G_TRY(t2g_buffer_puts(b, "The code lacks what the tests use: "));
    return say_error(b, r);
}

static t2g_status say_timeout(t2g_buffer *b, const code_run *r)
{
    return t2g_buffer_printf(b, "The tests did not end within %.4g seconds: "
                             "the code is too slow or never ends.", r->timeout);
}

static t2g_status say_memory(t2g_buffer *b, const code_run *r)
{
    (void)r;
    return t2g_buffer_puts(b, "The code asks for more memory than it may have "
                           "(MemoryError).");
}

static t2g_status say_syntax(t2g_buffer *b, const code_run *r)
{
    T2G_TRY(t2g_buffer_puts(b, "The code cannot be compiled: "));
    T2G_TRY(say_error(b, r));
    return t2g_buffer_puts(b, ".");
}

static t2g_status say_exception(t2g_buffer *b, const code_run *r)
{
    T2G_TRY(t2g_buffer_puts(b, "The code raises "));
    T2G_TRY(say_error(b, r));
    return t2g_buffer_puts(b, ".");
}

static t2g_status say_exit(t2g_buffer *b, const code_run *r)
{
    (void)r;
    return t2g_buffer_puts(b, "The code ends the program (SystemExit) instead "
                           "of giving a result.");
}

static t2g_status say_test_exception(t2g_buffer *b, const code_run *r)
{
    T2G_TRY(t2g_buffer_puts(b, "The tests cannot use what the code gives "
                            "them: "));
    T2G_TRY(say_error(b, r));
    return t2g_buffer_puts(b, ".");
}

static t2g_status say_ended(t2g_buffer *b, const code_run *r)
{
    if (r->status > 128)
        return t2g_buffer_printf(b, "The program was ended by signal %d before "
                                 "the tests were through.", r->status - 128);
    return t2g_buffer_printf(b, "The program ended with status %d before the "
                             "tests were through, which is no pass.",
                             r->status);
}

/* The last line that it printed, most often the error. */
static t2g_status say_failed(t2g_buffer *b, const code_run *r)
{
    size_t end = strlen(r->output);
    while (end > 0 && strchr(" \r\n\t", r->output[end - 1]))
        end--;
    size_t begin = end;
    while (begin > 0 && r->output[begin - 1] != '\n')
        begin--;
    T2G_TRY(t2g_buffer_printf(b, "The program fails with status %d",
                              r->status));
    if (end > begin)
        T2G_TRY(t2g_buffer_printf(b, ": %.*s", (int)(end - begin),
                                  r->output + begin));
    return t2g_buffer_puts(b, ".");
}

static const struct {
    const char *outcome;
    t2g_status (*say)(t2g_buffer *b, const code_run *r);
    const char *line; /* what the blamed line has to do with it */
} words[] = {{"passed", say_passed, ""},
             {"assertion", say_assertion, "It was returned by"},
             {"exception", say_exception, "It is raised at"},
             {"syntax", say_syntax, "The error is at"},
             {"timeout", say_timeout, "It was at"},
             {"memory", say_memory, "It does so at"},
             {"missing", say_missing, ""},
             {"exit", say_exit, "It does so at"},
             {"test_exception", say_test_exception, "It comes from"},
             {"ended", say_ended, ""},
             {"failed", say_failed, "It names"}};

static t2g_status say(t2g_buffer *b, const code_run *r, span s)
{
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (is(r, words[i].outcome)) {
            T2G_TRY(words[i].say(b, r));
            if (!s.found || !*words[i].line)
                return T2G_OK;
            return t2g_buffer_printf(b, " %s `%.*s`.", words[i].line,
                                     (int)(s.end - s.start),
                                     r->response.data + s.start);
        }
    return t2g_fail(T2G_ERR_FORMAT, "the outcome of the tests is unknown: '%s'",
                    code_outcome(r));
}

/* --- the reply ------------------------------------------------------------ */

static bool append_span(json_t *list, const code_run *r, span s)
{
    if (!s.found)
        return true;
    json_t *text = t2g_json_text(r->response.data + s.start, s.end - s.start);
    return json_array_append_new(list, json_pack(
               "{s:o, s:I, s:I}", "text", text, "start", (json_int_t)s.start,
               "end", (json_int_t)s.end)) == 0;
}

/* Praised is what the tests have tried: the body of the entry point, or where
 * it is not known all code of the response. */
static bool praise(json_t *list, const code_run *r)
{
    span body = lines(r, definition(r, 1), definition(r, 2));
    if (body.found)
        return append_span(list, r, body);
    for (size_t i = 0; i < r->code->count; i++) {
        const t2g_code_piece *p = &r->code->piece[i];
        if (!append_span(list, r, (span){p->from, p->from + p->n, true}))
            return false;
    }
    return true;
}

t2g_status code_critique(t2g_buffer *reply, const code_run *r)
{
    t2g_buffer text = {0};
    json_t *good = json_array(), *poor = json_array();
    bool passed = is(r, "passed");
    span fault = passed ? (span){0} : blamed(r);
    t2g_status s = say(&text, r, fault);
    bool ok = passed ? praise(good, r) : append_span(poor, r, fault);
    json_t *o = json_pack("{s:o, s:o, s:o}", "textual_feedback",
                          t2g_json_text(text.data ? text.data : "", text.size),
                          "good_spans", good, "poor_spans", poor);
    char *line = o && ok ? json_dumps(o, JSON_COMPACT) : NULL;
    if (s == T2G_OK)
        s = line ? t2g_buffer_puts(reply, line)
                 : t2g_fail(T2G_ERR_MEMORY, "no memory for a critique");
    free(line);
    json_decref(o);
    t2g_buffer_free(&text);
    return s;
}
