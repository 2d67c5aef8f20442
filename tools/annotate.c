/* t2g annotate: critics write feedback on responses. */
#include <string.h>

#include "training.h"

/* A critic: judges the response of record i; messages name the record. Adding
 * another is a line in `critics` and a function. */
typedef struct critic {
    const char *name, *version;
    t2g_status (*judge)(const t2g_records *r, size_t i, t2g_critique *out);
} critic;

/* The built-in task's: checks every fact against the message. */
static t2g_status judge_facts(const t2g_records *r, size_t i,
                              t2g_critique *out)
{
    const char *prompt, *response;
    size_t prompt_n, n;
    T2G_TRY(t2g_record_string(r, i, "prompt", true, &prompt, &prompt_n));
    T2G_TRY(t2g_record_string(r, i, "response", true, &response, &n));
    t2g_status s = t2g_facts_check(prompt, prompt_n, response, n, out, NULL);
    return s == T2G_OK ? s : t2g_fail_in(s, "%s:%zu", r->path, r->line[i]);
}

static const critic critics[] = {{"facts", "facts/1", judge_facts}};
static const char *const critic_names[] = {"facts", NULL};

static t2g_status annotate_record(t2g_writer *w, const t2g_records *r,
                                  size_t i, const critic *c)
{
    t2g_critique critique = {0};
    json_t *record = json_deep_copy(r->record[i]);
    t2g_status s = record ? c->judge(r, i, &critique)
                          : t2g_fail(T2G_ERR_MEMORY, "no memory for a record");
    if (s == T2G_OK)
        s = t2g_critique_to_record(&critique, record);
    if (s == T2G_OK) {
        json_object_set_new(record, "critic", json_string(c->version));
        t2g_writer_json(w, record);
    }
    t2g_critique_free(&critique);
    json_decref(record);
    return s;
}

static t2g_status work(const invocation *inv, const training_options *o,
                       const critic *c, const char *output)
{
    t2g_records r = {0};
    t2g_writer *w;
    progress bar;
    T2G_TRY(load_records(&r, inv, o, o->data));
    t2g_status s = t2g_writer_open(&w, output);
    if (s != T2G_OK) {
        t2g_records_free(&r);
        return s;
    }
    progress_begin(&bar, inv, "annotate", r.count);
    for (size_t i = 0; s == T2G_OK && i < r.count; i++) {
        s = annotate_record(w, &r, i, c);
        progress_update(&bar, i + 1, i + 1, "responses", NULL);
        if (s == T2G_OK && cli_interrupted())
            s = t2g_fail(T2G_ERR_INTERRUPTED, "stopped after %zu responses, "
                         "nothing written", i + 1);
    }
    progress_end(&bar, NULL);
    if (s == T2G_OK)
        s = t2g_writer_commit(w);
    else
        t2g_writer_abort(w);
    t2g_records_free(&r);
    return s;
}

static int run(const command *self, int argc, char **argv)
{
    training_options o = {0};
    const char *output = "-";
    int which = 0;
    option table[] = {
        {"critic", OPTION_CHOICE, &which, "Critic",
         "facts: the built-in task's, checks every fact", 0, 0, critic_names,
         false},
        RECORD_OPTIONS(o),
        {"output", OPTION_TEXT, &output, "Output", "feedback records", 0, 0,
         NULL, false},
        {0}};
    invocation inv;
    int status = cli_parse(&inv, self, table, argc, argv);
    if (status >= 0)
        return status;
    cli_catch_interrupts();
    if (!o.data)
        status = cli_usage(&inv, "needs --data");
    else
        status = work(&inv, &o, &critics[which], output) == T2G_OK
                     ? EXIT_DONE : cli_failed(&inv);
    cli_free(&inv);
    return status;
}

const command command_annotate = {
    "annotate", "critics write feedback on responses",
    "--critic NAME --data RESPONSES [--output FILE]",
    "t2g annotate --critic facts --data responses.jsonl "
    "--output feedback.jsonl",
    run};
