/* t2g align: feedback records to one reward a token. */
#include <string.h>

#include "training.h"

typedef struct align_options {
    training_options t;
    const char *output, *audit;
    int on_repeat, on_overlap, punctuation;
    double background;
} align_options;

/* Choices in the order of the library's enumerations. */
static const char *const repeat_names[] = {"split", "first", "last", "all",
                                           "skip", NULL};
static const char *const overlap_names[] = {"sum", "inner", "negative", NULL};
static const char *const punctuation_names[] = {"span", "zero", NULL};

/* What happened to all records together. */
typedef struct statistics {
    size_t responses, unparsed, placements, folded, unmatched, ambiguous,
        conflicts, tokens, rewarded;
} statistics;

typedef struct aligning {
    const invocation *inv;
    const align_options *o;
    t2g_align_options rules;
    t2g_tokenizer *tok; /* NULL: every record has its tokens */
    t2g_records data;
    t2g_writer *out, *audit; /* or NULL */
    statistics sum;
} aligning;

/* One record on its way. */
typedef struct judged {
    json_t *record; /* a copy that becomes the output */
    const char *response;
    size_t n;
    t2g_critique critique;
    t2g_encoding ids;
    t2g_alignment rewards;
} judged;

static void judged_free(judged *j)
{
    json_decref(j->record);
    t2g_critique_free(&j->critique);
    t2g_encoding_free(&j->ids);
    t2g_alignment_free(&j->rewards);
}

/* --- tokens --------------------------------------------------------------- */

/* Element i of a list of integers in [0, limit]. */
static t2g_status read_index(const json_t *list, const char *key, size_t i,
                             size_t limit, size_t *out)
{
    const json_t *v = json_array_get(list, i);
    json_int_t x = json_is_integer(v) ? json_integer_value(v) : -1;
    if (x < 0 || (size_t)x > limit)
        return t2g_fail(T2G_ERR_FORMAT, "'%s' has no integer from 0 to %zu at "
                        "%zu", key, limit, i);
    *out = (size_t)x;
    return T2G_OK;
}

/* Sampled tokens are never made again from their text, which might give
 * others. */
static t2g_status read_tokens(judged *j, const json_t *ids,
                              const json_t *offsets)
{
    size_t n = json_array_size(ids), id = 0;
    if (!json_is_array(ids) || !json_is_array(offsets) ||
        json_array_size(offsets) != 2 * n)
        return t2g_fail(T2G_ERR_FORMAT, "'tokens' and 'offsets' are no lists "
                        "of n and 2 n numbers");
    j->ids.id = t2g_calloc(n, sizeof *j->ids.id);
    j->ids.offset = t2g_calloc(2 * n, sizeof *j->ids.offset);
    if (!j->ids.id || !j->ids.offset)
        return T2G_ERR_MEMORY;
    j->ids.count = j->ids.capacity = n;
    for (size_t i = 0; i < n; i++) {
        T2G_TRY(read_index(ids, "tokens", i, UINT32_MAX, &id));
        j->ids.id[i] = (uint32_t)id;
    }
    for (size_t i = 0; i < 2 * n; i++)
        T2G_TRY(read_index(offsets, "offsets", i, j->n, &j->ids.offset[i]));
    return T2G_OK;
}

static t2g_status take_tokens(const aligning *a, judged *j)
{
    const json_t *ids = json_object_get(j->record, "tokens");
    const json_t *offsets = json_object_get(j->record, "offsets");
    if (ids && offsets)
        return read_tokens(j, ids, offsets);
    if (!a->tok)
        return t2g_fail(T2G_ERR_FORMAT, "no 'tokens' and 'offsets'; "
                        "--tokenizer makes them");
    return t2g_tokenizer_encode(a->tok, j->response, j->n, 0, &j->ids);
}

/* --- output --------------------------------------------------------------- */

static t2g_status set_tokens(judged *j)
{
    json_t *ids = json_array();
    int failed = 0;
    for (size_t t = 0; t < j->ids.count; t++)
        failed |= json_array_append_new(ids, json_integer(j->ids.id[t]));
    failed |= json_object_set_new(j->record, "tokens", ids);
    T2G_TRY(set_token_rewards(j->record, j->ids.offset, j->rewards.delta,
                              j->ids.count));
    failed |= json_object_set_new(j->record, "status",
                                  json_string(j->rewards.status));
    return failed ? t2g_fail(T2G_ERR_MEMORY, "no memory for a record") : T2G_OK;
}

static t2g_status write_audit(const aligning *a, const judged *j)
{
    json_t *lines = json_array(), *line;
    size_t i;
    t2g_status s = t2g_align_audit(&j->rewards, &j->critique, j->response,
                                   &a->rules, json_object_get(j->record, "id"),
                                   lines);
    if (s == T2G_OK)
        json_array_foreach(lines, i, line)
            t2g_writer_json(a->audit, line);
    json_decref(lines);
    return s;
}

/* The response in colours, and the critique in words. */
static void show(const judged *j, size_t number)
{
    printf("%zu, %s: ", number + 1, j->rewards.status);
    cli_rewarded_text(stdout, j->response, j->n, j->ids.offset,
                      j->rewards.delta, j->ids.count);
    fputs("\n    ", stdout);
    cli_rewarded_text(stdout, j->critique.text, j->critique.text_length, NULL,
                      NULL, 0);
    putchar('\n');
}

static void count(statistics *s, const judged *j)
{
    s->responses++;
    s->unparsed += j->critique.status == T2G_CRITIQUE_UNPARSED;
    s->conflicts += j->rewards.conflicts;
    s->placements += j->rewards.count;
    for (size_t i = 0; i < j->rewards.count; i++) {
        const t2g_placement *p = &j->rewards.placement[i];
        s->folded += strcmp(p->method, "folded") == 0;
        s->unmatched += strcmp(p->method, "none") == 0;
        s->ambiguous += p->ambiguous;
    }
    s->tokens += j->ids.count;
    for (size_t t = 0; t < j->ids.count; t++)
        s->rewarded += j->rewards.delta[t] != 0;
}

static void report(const aligning *a)
{
    const statistics *s = &a->sum;
    cli_note(a->inv, "%zu responses (%zu unparsed), %zu placements: %zu "
             "folded, %zu not found, %zu ambiguous; %zu of %zu tokens "
             "rewarded, %zu in conflict", s->responses, s->unparsed,
             s->placements, s->folded, s->unmatched, s->ambiguous, s->rewarded,
             s->tokens, s->conflicts);
}

/* --- records -------------------------------------------------------------- */

/* A record without a word of feedback is a mistake, not an empty critique. */
static t2g_status check_feedback(const json_t *record)
{
    static const char *const keys[] = {"good_spans", "poor_spans", "spans",
                                       "reply", "status"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (json_object_get(record, keys[i]))
            return T2G_OK;
    return t2g_fail(T2G_ERR_FORMAT, "no feedback: expected 'good_spans' and "
                    "'poor_spans', 'spans' or 'reply'");
}

static t2g_status judge(const aligning *a, size_t i, judged *j)
{
    j->record = json_deep_copy(a->data.record[i]);
    if (!j->record)
        return t2g_fail(T2G_ERR_MEMORY, "no memory for a record");
    T2G_TRY(check_feedback(j->record));
    T2G_TRY(t2g_critique_from_record(&j->critique, j->record));
    T2G_TRY(take_tokens(a, j));
    return t2g_align(&j->rewards, j->response, j->n, &j->critique,
                     j->ids.offset, j->ids.count, &a->rules);
}

static t2g_status align_record(aligning *a, size_t i)
{
    judged j = {0};
    T2G_TRY(t2g_record_string(&a->data, i, "response", true, &j.response,
                              &j.n));
    t2g_status s = judge(a, i, &j);
    if (s == T2G_OK && a->audit)
        s = write_audit(a, &j);
    if (s == T2G_OK && a->out)
        s = set_tokens(&j);
    if (s != T2G_OK)
        s = t2g_fail_in(s, "%s:%zu", a->data.path, a->data.line[i]);
    if (s == T2G_OK) {
        count(&a->sum, &j);
        if (a->out)
            t2g_writer_json(a->out, j.record);
        else
            show(&j, i);
    }
    judged_free(&j);
    return s;
}

static t2g_status align_records(aligning *a)
{
    progress bar;
    t2g_status s = T2G_OK;
    bool quiet = !a->out; /* what is shown is the progress */
    if (!quiet)
        progress_begin(&bar, a->inv, "align", a->data.count);
    for (size_t i = 0; s == T2G_OK && i < a->data.count; i++) {
        s = align_record(a, i);
        if (!quiet)
            progress_update(&bar, i + 1, a->sum.tokens, "tok", NULL);
        if (s == T2G_OK && cli_interrupted())
            s = t2g_fail(T2G_ERR_INTERRUPTED, "stopped after %zu responses, "
                         "nothing written", i + 1);
    }
    if (!quiet)
        progress_end(&bar, NULL);
    return s;
}

/* --- the command ---------------------------------------------------------- */

static t2g_status open_all(aligning *a)
{
    const align_options *o = a->o;
    bool viewed = strcmp(o->output, "-") == 0 && !a->inv->common.json &&
                  cli_colour(stdout);
    T2G_TRY(load_records(&a->data, a->inv, &o->t, o->t.data));
    if (o->t.tokenizer)
        T2G_TRY(t2g_tokenizer_load(&a->tok, o->t.tokenizer));
    if (!viewed)
        T2G_TRY(t2g_writer_open(&a->out, o->output));
    return o->audit ? t2g_writer_open(&a->audit, o->audit) : T2G_OK;
}

/* Commits both files, or neither. */
static t2g_status close_all(aligning *a, t2g_status s)
{
    t2g_writer *files[] = {a->audit, a->out};
    for (size_t i = 0; i < 2; i++) {
        if (s == T2G_OK && files[i])
            s = t2g_writer_commit(files[i]);
        else
            t2g_writer_abort(files[i]);
    }
    t2g_records_free(&a->data);
    t2g_tokenizer_free(a->tok);
    return s;
}

static t2g_status work(const invocation *inv, const align_options *o)
{
    aligning a = {
        .inv = inv, .o = o,
        .rules = {.on_repeat = (t2g_on_repeat)o->on_repeat,
                  .on_overlap = (t2g_on_overlap)o->on_overlap,
                  .background = o->background,
                  .punctuation_zero = o->punctuation == 1}};
    t2g_status s = open_all(&a);
    if (s == T2G_OK)
        s = align_records(&a);
    s = close_all(&a, s);
    if (s == T2G_OK)
        report(&a);
    return s;
}

static int run(const command *self, int argc, char **argv)
{
    align_options o = {.output = "-"};
    option table[] = {
        {"data", OPTION_TEXT, &o.t.data, "Input",
         "feedback records, JSON Lines (- is stdin, .gz is unpacked)", 0, 0,
         NULL, false},
        {"tokenizer", OPTION_TEXT, &o.t.tokenizer, "Input",
         "tokenizer.json or its folder; records with 'tokens' and 'offsets' "
         "need none", 0, 0, NULL, false},
        {"format", OPTION_TEXT, &o.t.format, "Input",
         "fgrlhf, slf5k, ultrafeedback, kodcode; ours if not given", 0, 0,
         NULL, false},
        {"skip-bad-lines", OPTION_FLAG, &o.t.skip_bad_lines, "Input",
         "count and list broken lines instead of stopping", 0, 0, NULL,
         false},
        {"output", OPTION_TEXT, &o.output, "Output",
         "token rewards; on a terminal they are shown in colours", 0, 0, NULL,
         false},
        {"audit", OPTION_TEXT, &o.audit, "Output",
         "where each span went and why, and a summary of each response", 0, 0,
         NULL, false},
        {"on-repeat", OPTION_CHOICE, &o.on_repeat, "Rules",
         "a quote that occurs several times: divide its score, or take one, "
         "all or none", 0, 0, repeat_names, false},
        {"on-overlap", OPTION_CHOICE, &o.on_overlap, "Rules",
         "tokens in several spans: sum (an inner span overrules), the inner "
         "span alone, or the least", 0, 0, overlap_names, false},
        {"background", OPTION_REAL, &o.background, "Rules",
         "reward of tokens outside all spans", -1, 1, NULL, false},
        {"punct", OPTION_CHOICE, &o.punctuation, "Rules",
         "tokens without letter or digit: as their span, or zero", 0, 0,
         punctuation_names, false},
        {0}};
    invocation inv;
    int status = cli_parse(&inv, self, table, argc, argv);
    if (status >= 0)
        return status;
    cli_catch_interrupts();
    if (!o.t.data)
        status = cli_usage(&inv, "needs --data");
    else
        status = work(&inv, &o) == T2G_OK ? EXIT_DONE : cli_failed(&inv);
    cli_free(&inv);
    return status;
}

const command command_align = {
    "align", "feedback becomes one reward a token",
    "--data FEEDBACK --tokenizer FILE|DIR [--output FILE] [--audit FILE]",
    "t2g align --data feedback.jsonl --tokenizer model --output rewards.jsonl "
    "--audit audit.jsonl",
    run};
