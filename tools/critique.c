/* t2g critique: a reward model writes critiques of responses. */
#include "judging.h"

typedef struct critique_options {
    training_options t;
    const char *output;
    uint64_t max_new_tokens;
    bool unconstrained;
} critique_options;

static t2g_status write_out(const session *s, const t2g_judgement *j,
                            const critique_options *o, size_t *unparsed)
{
    const char *decoding = o->unconstrained ? "unconstrained" : "constrained";
    t2g_writer *w;
    T2G_TRY(t2g_writer_open(&w, o->output));
    for (size_t i = 0; i < s->data.count; i++) {
        json_t *record = json_deep_copy(s->data.record[i]);
        t2g_status st = record ? t2g_critique_to_record(&j[i].critique, record)
                               : T2G_ERR_MEMORY;
        if (st == T2G_OK) {
            bool bad = j[i].critique.status == T2G_CRITIQUE_UNPARSED;
            *unparsed += bad;
            json_object_set_new(record, "critic", json_string(s->o->model));
            json_object_set_new(record, "status",
                                json_string(bad ? "unparsed" : "ok"));
            json_object_set_new(record, "decoding", json_string(decoding));
            t2g_writer_json(w, record);
        }
        json_decref(record);
        if (st != T2G_OK) {
            t2g_writer_abort(w);
            return st;
        }
    }
    return t2g_writer_commit(w);
}

static t2g_status work(session *s, const invocation *inv,
                       const critique_options *o)
{
    size_t unparsed = 0;
    T2G_TRY(session_open(s, inv, &o->t));
    t2g_judgement *j = t2g_calloc(s->data.count, sizeof *j);
    t2g_status st = j ? judge_records(j, &s->data, s->model, s->tok, s,
                                      o->max_new_tokens, o->unconstrained,
                                      "critiques")
                      : T2G_ERR_MEMORY;
    if (st == T2G_OK)
        st = write_out(s, j, o, &unparsed);
    if (st == T2G_OK)
        cli_note(inv, "%zu critiques, %zu unparsed%s", s->data.count, unparsed,
                 o->unconstrained ? " (unconstrained)" : "");
    judgements_free(j, s->data.count);
    return st;
}

static int run(const command *self, int argc, char **argv)
{
    critique_options o = {.output = "-", .max_new_tokens = 500};
    option table[] = {
        DATA_OPTIONS(o.t),
        {"output", OPTION_TEXT, &o.output, "Output", "feedback records", 0, 0,
         NULL, false},
        {"max-new-tokens", OPTION_COUNT, &o.max_new_tokens, "Writing",
         "longest critique", 1, 1 << 20, NULL, false},
        UNCONSTRAINED_OPTION(o.unconstrained, "Writing"),
        {0}};
    invocation inv;
    int status = cli_parse(&inv, self, table, argc, argv);
    if (status >= 0)
        return status;
    if (!o.t.model || !o.t.data)
        status = cli_usage(&inv, "needs --model (a reward model) and --data");
    else {
        session s = {0};
        cli_catch_interrupts();
        status = work(&s, &inv, &o) == T2G_OK ? EXIT_DONE : cli_failed(&inv);
        session_close(&s);
    }
    cli_free(&inv);
    return status;
}

const command command_critique = {
    "critique", "a reward model criticises responses",
    "--model DIR --data RESPONSES [--output FILE]",
    "t2g critique --model rm --data responses.jsonl --output feedback.jsonl",
    run};
