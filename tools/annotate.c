/* t2g annotate: critics write feedback on responses. */
#include "annotate.h"

#include <string.h>

typedef struct annotation {
    const invocation *inv;
    const annotate_options *o;
    t2g_records records;
    asker *asker;
    asked asked;
    size_t unparsed, left_out;
} annotation;

/* A critic judges the response of record i; messages name the record. Those
 * outside this program are asked about all records first. Adding another is a
 * line in `critics` and its functions. */
typedef struct critic {
    const char *name;
    t2g_status (*ask)(annotation *a); /* or NULL: judges at once */
    t2g_status (*judge)(annotation *a, size_t i, t2g_critique *out);
    void (*members)(json_t *record, const json_t *answer); /* more; or NULL */
} critic;

/* --- the critics ---------------------------------------------------------- */

/* The built-in task's: checks every fact against the message. */
static t2g_status judge_facts(annotation *a, size_t i, t2g_critique *out)
{
    const t2g_records *r = &a->records;
    const char *prompt, *response;
    size_t prompt_n, n;
    T2G_TRY(t2g_record_string(r, i, "prompt", true, &prompt, &prompt_n));
    T2G_TRY(t2g_record_string(r, i, "response", true, &response, &n));
    t2g_status s = t2g_facts_check(prompt, prompt_n, response, n, out, NULL);
    return s == T2G_OK ? s : t2g_fail_in(s, "%s:%zu", r->path, r->line[i]);
}

/* What was answered; no answer is an unparsed critique, never a reward. */
static t2g_status judge_answer(annotation *a, size_t i, t2g_critique *out)
{
    const char *key = a->asked.key[i];
    const json_t *answer = t2g_answers_find(a->asked.answers, key);
    if (answer)
        return t2g_answer_critique(out, answer);
    *out = (t2g_critique){.status = T2G_CRITIQUE_UNPARSED};
    snprintf(out->reason, sizeof out->reason, "no answer: %.110s",
             json_string_value(json_object_get(a->asked.failed, key)));
    return T2G_OK;
}

static t2g_status ask_asker(annotation *a)
{
    return ask_all(&a->asked, a->asker, &a->records, &a->o->asking, a->inv);
}

static t2g_status ask_llm(annotation *a)
{
    T2G_TRY(ask_llm_open(&a->asker, a->o, &a->records, a->inv));
    return ask_asker(a);
}

static t2g_status ask_command(annotation *a)
{
    T2G_TRY(ask_command_open(&a->asker, a->o, &a->records));
    return ask_asker(a);
}

static t2g_status ask_the_people(annotation *a)
{
    return ask_people(&a->asked, a->o, &a->records, a->inv);
}

static t2g_status ask_code(annotation *a)
{
    T2G_TRY(ask_code_open(&a->asker, a->o, &a->records, a->inv));
    return ask_asker(a);
}

static const critic critics[] = {
    {"facts", NULL, judge_facts, NULL},
    {"llm", ask_llm, judge_answer, NULL},
    {"command", ask_command, judge_answer, NULL},
    {"code", ask_code, judge_answer, code_members},
    {"people", ask_the_people, judge_answer, NULL}};
static const char *const critic_names[] = {"facts", "llm", "command", "code",
                                           "people", NULL};
enum { CRITIC_FACTS, CRITIC_LLM, CRITIC_COMMAND, CRITIC_CODE, CRITIC_PEOPLE };
static const char *const isolation_names[] = {"all", "filter", "limits", NULL};
static const char *const task_names[] = {"sum", "qa", "code", NULL};

/* --- writing -------------------------------------------------------------- */

/* Members of an earlier annotation that would speak for this critique. */
static void forget_old(json_t *record)
{
    static const char *const old[] = {"reply", "spans", "word_score_list",
                                      "status", "reason", "raw_reply",
                                      "wrong_code", "improvement_code",
                                      "test_result", "sandbox", "annotator",
                                      "seconds"};
    for (size_t i = 0; i < sizeof old / sizeof *old; i++)
        json_object_del(record, old[i]);
}

/* How an answer from outside was read. */
static void set_status(annotation *a, size_t i, const t2g_critique *c,
                       json_t *record)
{
    bool bad = c->status == T2G_CRITIQUE_UNPARSED;
    json_object_set_new(record, "status",
                        json_string(bad ? "unparsed" : "ok"));
    if (!bad)
        return;
    const json_t *answer = t2g_answers_find(a->asked.answers,
                                            a->asked.key[i]);
    json_t *reply = json_object_get(answer, "reply");
    a->unparsed++;
    json_object_set_new(record, "reason",
                        t2g_json_text(c->reason, strlen(c->reason)));
    if (reply)
        json_object_set(record, "raw_reply", reply);
}

static json_t *critic_json(const annotation *a)
{
    if (a->o->critic == CRITIC_PEOPLE)
        return json_pack("{s:s, s:s}", "name", "people", "version", "1");
    return json_string(a->asker ? a->asker->version : "facts/1");
}

/* Who has judged, and how long it took: people's answers say so. */
static void set_person(const annotation *a, size_t i, json_t *record)
{
    static const char *const keys[] = {"annotator", "seconds"};
    const json_t *answer = t2g_answers_find(a->asked.answers,
                                            a->asked.key[i]);
    for (size_t k = 0; a->o->critic == CRITIC_PEOPLE && k < 2; k++)
        json_object_set(record, keys[k], json_object_get(answer, keys[k]));
}

static t2g_status annotate_record(annotation *a, size_t i, t2g_writer *w)
{
    t2g_critique critique = {0};
    json_t *record = json_deep_copy(a->records.record[i]);
    t2g_status s = record ? critics[a->o->critic].judge(a, i, &critique)
                          : t2g_fail(T2G_ERR_MEMORY, "no memory for a record");
    if (s == T2G_OK) {
        forget_old(record);
        s = t2g_critique_to_record(&critique, record);
    }
    if (s == T2G_OK) {
        json_object_set_new(record, "critic", critic_json(a));
        if (a->asked.answers) {
            set_person(a, i, record);
            set_status(a, i, &critique, record);
        }
        if (critics[a->o->critic].members)
            critics[a->o->critic].members(
                record, t2g_answers_find(a->asked.answers, a->asked.key[i]));
        t2g_writer_json(w, record);
    }
    t2g_critique_free(&critique);
    json_decref(record);
    return s;
}

/* Without an answer, and whoever was asked has stopped. */
static bool left_out(const annotation *a, size_t i)
{
    return a->asked.stopped && !a->o->asking.allow_failed &&
           !t2g_answers_find(a->asked.answers, a->asked.key[i]);
}

static t2g_status write_records(annotation *a, t2g_writer *w)
{
    progress bar;
    size_t n = a->records.count;
    t2g_status s = T2G_OK;
    progress_begin(&bar, a->inv, a->asked.answers ? "write" : "annotate", n);
    for (size_t i = 0; s == T2G_OK && i < n; i++) {
        if (left_out(a, i))
            a->left_out++;
        else
            s = annotate_record(a, i, w);
        progress_update(&bar, i + 1, i + 1, "responses", NULL);
        if (s == T2G_OK && cli_interrupted() && !a->asked.stopped)
            s = t2g_fail(T2G_ERR_INTERRUPTED, "stopped after %zu responses, "
                         "nothing written", i + 1);
    }
    progress_end(&bar, NULL);
    return s;
}

static t2g_status write_output(annotation *a)
{
    t2g_writer *w;
    T2G_TRY(t2g_writer_open(&w, a->o->output));
    t2g_status s = write_records(a, w);
    if (s == T2G_OK)
        return t2g_writer_commit(w);
    t2g_writer_abort(w);
    return s;
}

/* --- the run -------------------------------------------------------------- */

static void print_json(const annotation *a)
{
    const asked *q = &a->asked;
    const usage none = {0}, *u = a->asker ? &a->asker->used : &none;
    json_t *o = json_pack(
        "{s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:f, s:f}", "responses",
        (json_int_t)a->records.count, "unparsed", (json_int_t)a->unparsed,
        "questions", (json_int_t)q->questions, "asked",
        (json_int_t)(q->questions - q->from_file), "tries",
        (json_int_t)q->tries, "failed",
        (json_int_t)json_object_size(q->failed), "prompt_tokens",
        u->prompt_tokens, "completion_tokens", u->completion_tokens, "cost",
        u->cost);
    json_dumpf(o, stdout, JSON_REAL_PRECISION(12));
    putchar('\n');
    json_decref(o);
}

static void report(const annotation *a)
{
    char text[96] = "";
    const asked *q = &a->asked;
    if (a->asker)
        usage_text(text, sizeof text, &a->asker->used);
    cli_note(a->inv, "%zu responses, %zu unparsed; %zu questions, %zu asked in "
             "%zu tries, %zu without an answer%s%s", a->records.count,
             a->unparsed, q->questions, q->questions - q->from_file, q->tries,
             json_object_size(q->failed), text[0] ? "; " : "", text);
    if (a->inv->common.json && strcmp(a->o->output, "-") != 0)
        print_json(a);
}

/* A file without any record could not be read. */
static t2g_status stopped(annotation *a)
{
    const asked *q = &a->asked;
    size_t failed = json_object_size(q->failed);
    if (failed < q->questions || a->o->asking.allow_failed) {
        T2G_TRY(write_output(a));
        report(a);
    }
    return t2g_fail(T2G_ERR_INTERRUPTED, "stopped; %zu of %zu answers are kept "
                    "in %s, the same command goes on from there; %zu records "
                    "without an answer are left out of %s",
                    q->questions - failed, q->questions, a->o->asking.answers,
                    failed < q->questions ? a->left_out : a->records.count,
                    a->o->output);
}

static t2g_status ask_and_write(annotation *a)
{
    const critic *c = &critics[a->o->critic];
    T2G_TRY(load_records(&a->records, a->inv, &a->o->records,
                         a->o->records.data));
    if (!c->ask)
        return write_output(a);
    T2G_TRY(c->ask(a));
    if (a->asked.stopped)
        return stopped(a);
    T2G_TRY(write_output(a));
    report(a);
    return T2G_OK;
}

static t2g_status work(const invocation *inv, const annotate_options *o)
{
    annotation a = {.inv = inv, .o = o};
    t2g_status s = ask_and_write(&a);
    if (a.asker)
        a.asker->close(a.asker);
    asked_free(&a.asked);
    t2g_records_free(&a.records);
    return s;
}

static t2g_status print_prompt(const annotate_options *o)
{
    t2g_buffer text = {0};
    t2g_prompt_template t;
    t2g_status s = load_template(&t, &text, o);
    if (s == T2G_OK)
        fwrite(t.text, 1, t.n, stdout);
    t2g_buffer_free(&text);
    return s;
}

/* --- options -------------------------------------------------------------- */

/* What is missing, or NULL. */
static const char *missing(const annotate_options *o)
{
    bool kept = o->answers || strcmp(o->output, "-") != 0;
    if (!o->records.data)
        return "needs --data";
    if (o->critic == CRITIC_LLM && !(o->base_url && o->model))
        return "--critic llm needs --base-url and --llm-model";
    if (o->critic == CRITIC_COMMAND && !(o->command && *o->command))
        return "--critic command needs --command";
    if (o->critic != CRITIC_FACTS && !kept)
        return "answers are kept beside the output: needs --output FILE or "
               "--answers FILE";
    if (o->annotator && o->annotator[strspn(o->annotator, " \t\r\n")] == '\0')
        return "--annotator is to be a name";
    if (o->answers && strcmp(o->answers, o->output) == 0)
        return "--answers and --output are the same file";
    return NULL;
}

static int run_with(const invocation *inv, annotate_options *o)
{
    t2g_buffer answers = {0};
    const char *what = missing(o);
    if (o->print_prompt)
        return print_prompt(o) == T2G_OK ? EXIT_DONE : cli_failed(inv);
    if (what)
        return cli_usage(inv, "%s", what);
    cli_catch_interrupts();
    t2g_status s = o->answers ? t2g_buffer_puts(&answers, o->answers)
                              : t2g_buffer_printf(&answers, "%s.answers.jsonl",
                                                  o->output);
    o->asking.answers = answers.data;
    if (s == T2G_OK)
        s = work(inv, o);
    int status = s == T2G_OK ? EXIT_DONE
                 : s == T2G_ERR_ARG ? cli_usage(inv, "%s", t2g_error_message())
                                    : cli_failed(inv);
    t2g_buffer_free(&answers);
    return status;
}

#define TEXT(name, target, group, help)                                        \
    {name, OPTION_TEXT, &(target), group, help, 0, 0, NULL, false}
#define COUNT(name, target, group, help, min, max)                             \
    {name, OPTION_COUNT, &(target), group, help, min, max, NULL, false}
#define REAL(name, target, group, help, min, max)                              \
    {name, OPTION_REAL, &(target), group, help, min, max, NULL, false}
#define FLAG(name, target, group, help)                                        \
    {name, OPTION_FLAG, &(target), group, help, 0, 0, NULL, false}
#define CHOICE(name, target, group, help, names)                               \
    {name, OPTION_CHOICE, &(target), group, help, 0, 0, names, false}

#define LLM_OPTIONS(o)                                                         \
    TEXT("base-url", (o).base_url, "Language model (--critic llm)",            \
         "OpenAI-compatible server; requests go to BASE/chat/completions"),    \
    TEXT("llm-model", (o).model, "Language model (--critic llm)",              \
         "the model's name there"),                                            \
    TEXT("api-key-env", (o).api_key_env, "Language model (--critic llm)",      \
         "environment variable with the key, '' for none; else "               \
         "OPENAI_API_KEY if it is set"),                                       \
    TEXT("api-key-file", (o).api_key_file, "Language model (--critic llm)",    \
         "file with the key"),                                                 \
    TEXT("ca-file", (o).ca_file, "Language model (--critic llm)",              \
         "certificates to trust, PEM; else the system's"),                     \
    CHOICE("task", (o).task, "Language model (--critic llm)",                  \
           "whose prompt to use", task_names),                                 \
    TEXT("prompt-template", (o).prompt_template,                               \
         "Language model (--critic llm)",                                      \
         "file with another prompt: {prompt}, {response}, {reference} are "    \
         "filled in, {{ and }} are braces"),                                   \
    FLAG("print-prompt", (o).print_prompt, "Language model (--critic llm)",    \
         "print the prompt's template and end"),                               \
    CHOICE("response-format", (o).response_format,                             \
           "Language model (--critic llm)",                                    \
           "strongest form of replies to ask for; weaker ones are tried if "   \
           "the server turns it down", response_format_names),                 \
    REAL("temperature", (o).temperature, "Language model (--critic llm)",      \
         "of sampling", 0, 10),                                                \
    REAL("top-p", (o).top_p, "Language model (--critic llm)",                  \
         "of sampling", 0, 1),                                                 \
    COUNT("max-tokens", (o).max_tokens, "Language model (--critic llm)",       \
          "longest reply", 1, 1 << 20),                                        \
    TEXT("extra-body", (o).extra_body, "Language model (--critic llm)",        \
         "JSON object of more members for requests; null removes one of ours"),\
    REAL("connect-timeout", (o).connect_timeout,                               \
         "Language model (--critic llm)", "seconds", 0.01, 3600),              \
    REAL("stall-timeout", (o).stall_timeout, "Language model (--critic llm)",  \
         "seconds without a byte once a reply has begun", 0.01, 86400),        \
    REAL("price-input", (o).price_input, "Language model (--critic llm)",      \
         "of a million tokens, to show what it costs", 0, 1e9),                \
    REAL("price-output", (o).price_output, "Language model (--critic llm)",    \
         "of a million tokens", 0, 1e9)

#define ANSWERS "Answers (--critic llm, command, code, people)"
#define ANSWER_OPTIONS(o)                                                      \
    TEXT("answers", (o).answers, ANSWERS,                                      \
         "file that keeps every answer; a later run asks only for what is "    \
         "missing (default: OUTPUT.answers.jsonl)"),                           \
    FLAG("allow-failed", (o).asking.allow_failed, ANSWERS,                     \
         "write records that got no answer too, with status unparsed")

#define PEOPLE_OPTIONS(o)                                                      \
    TEXT("annotator", (o).annotator, "People (--critic people)",               \
         "who judges; else the page asks once"),                               \
    FLAG("prefill", (o).prefill, "People (--critic people)",                   \
         "show the marks of feedback records, to be corrected"),               \
    COUNT("port", (o).port, "People (--critic people)",                        \
          "of the page on 127.0.0.1; 0: any that is free", 0, 65535),          \
    FLAG("open", (o).open, "People (--critic people)",                         \
         "start the browser (others on this machine could then see the "       \
         "page's secret address in the list of processes)")

#define CODE_OPTIONS(o)                                                        \
    TEXT("interpreter", (o).interpreter, "Tests (--critic code)",              \
         "what runs the code; names that begin with python or pypy are "       \
         "Python, others get code and tests as one file, status 0 is a pass"), \
    COUNT("memory-limit", (o).memory_limit, "Tests (--critic code)",           \
          "of each process, MiB", 64, 1 << 20),                                \
    CHOICE("isolation", (o).isolation, "Tests (--critic code)",                \
           "all: what the machine allows; filter: no namespaces; limits: "     \
           "neither namespaces nor a filter of system calls",                  \
           isolation_names),                                                   \
    FLAG("allow-unsandboxed", (o).allow_unsandboxed, "Tests (--critic code)",  \
         "run code that can reach the network, or the system as root")

#define ASKING "Asking (--critic llm, command, code)"
#define ASKING_OPTIONS(o)                                                      \
    COUNT("concurrency", (o).asking.concurrency, ASKING,                       \
          "requests or processes at a time", 1, 1024),                         \
    COUNT("retries", (o).asking.retries, ASKING,                               \
          "repetitions of a question after faults that may pass", 0, 1000),    \
    REAL("retry-delay", (o).asking.retry_delay, ASKING,                        \
         "seconds before the first of them; doubles from one to the next",     \
         0, 3600),                                                             \
    REAL("timeout", (o).timeout, ASKING,                                       \
         "seconds for one answer (--critic code: 10 if not given)", 0.01,      \
         86400),                                                               \
    COUNT("max-reply-bytes", (o).max_reply_bytes, ASKING, "longest answer",    \
          256, 1e9)

static bool is_given(const option *table, const char *name)
{
    while (table->name && strcmp(table->name, name) != 0)
        table++;
    return table->given;
}

static int run(const command *self, int argc, char **argv)
{
    annotate_options o = {
        .output = "-", .timeout = 600, .max_reply_bytes = 8 << 20,
        .asking = {.concurrency = 4, .retries = 6, .retry_delay = 1},
        .interpreter = "python3", .memory_limit = 1024,
        .response_format = T2G_REPLY_JSON_SCHEMA, .temperature = 0.3,
        .top_p = 0.95, .max_tokens = 2048, .connect_timeout = 10,
        .stall_timeout = 60};
    option table[] = {
        CHOICE("critic", o.critic, "Critic",
               "facts: the built-in task's; llm: a language model's server; "
               "command: any program; code: the tests in the records (test, "
               "entry_point); people: whoever opens the page that is served on "
               "this machine", critic_names),
        TEXT("command", o.command, "Critic",
             "shell command that reads a record a line and writes a critique a "
             "line: {\"textual_feedback\", \"good_spans\", \"poor_spans\"}"),
        RECORD_OPTIONS(o.records),
        TEXT("output", o.output, "Output", "feedback records"),
        ANSWER_OPTIONS(o),
        PEOPLE_OPTIONS(o),
        ASKING_OPTIONS(o),
        CODE_OPTIONS(o),
        LLM_OPTIONS(o),
        {0}};
    invocation inv;
    int status = cli_parse(&inv, self, table, argc, argv);
    if (status >= 0)
        return status;
    if (o.critic == CRITIC_CODE && !is_given(table, "timeout"))
        o.timeout = 10; /* tests are quick, and those that hang are many */
    status = run_with(&inv, &o);
    cli_free(&inv);
    return status;
}

const command command_annotate = {
    "annotate", "critics write feedback on responses",
    "--critic NAME --data RESPONSES [--output FILE]",
    "t2g annotate --critic llm --base-url http://127.0.0.1:8080/v1 --llm-model "
    "qwen3 --data responses.jsonl --output feedback.jsonl\n"
    "  t2g annotate --critic code --data programs.jsonl --output "
    "feedback.jsonl\n"
    "  t2g annotate --critic people --data responses.jsonl --output "
    "feedback.jsonl",
    run};
