/* t2g align: feedback records to one reward a token. */
#include <math.h>
#include <string.h>

#include "align_official.h"
#include "training.h"

typedef struct align_options {
    training_options t;
    const char *output, *audit, *rebuild;
    rules_options rules;
    int profile, task;
    bool compare_official;
} align_options;

enum { PROFILE_DEFAULT, PROFILE_OFFICIAL };
static const char *const profile_names[] = {"default", "official", NULL};

/* What happened to all records together. */
typedef struct statistics {
    size_t responses, unparsed, placements, ambiguous, conflicts, tokens,
        rewarded, differing;
    double sum, absolute; /* of the rewards */
    json_t *methods;      /* placements by method */
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
    float *official; /* [ids.count], or NULL */
    const char *official_status;
} judged;

static void judged_free(judged *j)
{
    json_decref(j->record);
    t2g_critique_free(&j->critique);
    t2g_encoding_free(&j->ids);
    t2g_alignment_free(&j->rewards);
    t2g_free(j->official);
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
    T2G_TRY(set_token_rewards(j->record, j->ids.offset,
                              j->official ? j->official : j->rewards.delta,
                              j->ids.count));
    failed |= json_object_set_new(j->record, "status",
                                  json_string(j->official
                                                  ? j->official_status
                                                  : j->rewards.status));
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

/* --- ours beside the released code's -------------------------------------- */

static size_t differing(const judged *j)
{
    size_t n = 0;
    for (size_t t = 0; t < j->ids.count; t++)
        n += j->rewards.delta[t] != j->official[t];
    return n;
}

static json_t *rewards_json(const float *reward, size_t n)
{
    json_t *list = json_array();
    for (size_t t = 0; t < n; t++)
        json_array_append_new(list, json_real((double)reward[t]));
    return list;
}

static t2g_status write_comparison(const aligning *a, const judged *j)
{
    size_t n = j->ids.count;
    json_t *o = json_pack(
        "{s:O*, s:s, s:s, s:I, s:I, s:o, s:o}", "id",
        json_object_get(j->record, "id"), "status", j->rewards.status,
        "official_status", j->official_status, "tokens", (json_int_t)n,
        "differing", (json_int_t)differing(j), "rewards",
        rewards_json(j->rewards.delta, n), "official",
        rewards_json(j->official, n));
    if (!o)
        return t2g_fail(T2G_ERR_MEMORY, "no memory for a record");
    t2g_writer_json(a->out, o);
    json_decref(o);
    return T2G_OK;
}

/* Runs of tokens that the two judge differently, with both rewards. */
static void print_differences(const judged *j)
{
    const float *x = j->rewards.delta, *y = j->official;
    for (size_t t = 0, end; t < j->ids.count; t = end) {
        for (end = t + 1; end < j->ids.count && x[end] == x[t] &&
                          y[end] == y[t];)
            end++;
        if (x[t] == y[t])
            continue;
        size_t begin = j->ids.offset[2 * t];
        size_t stop = j->ids.offset[2 * end - 1];
        printf("    %6.3g %8.3g  ", (double)x[t], (double)y[t]);
        cli_rewarded_text(stdout, j->response + begin, stop - begin, NULL,
                          NULL, 0);
        putchar('\n');
    }
}

static void show_comparison(const judged *j, size_t number)
{
    const float *both[2] = {j->rewards.delta, j->official};
    printf("%zu: %zu of %zu tokens differ\n", number + 1, differing(j),
           j->ids.count);
    for (size_t i = 0; i < 2; i++) {
        printf("  %-8s (%s) ", i ? "official" : "ours",
               i ? j->official_status : j->rewards.status);
        cli_rewarded_text(stdout, j->response, j->n, j->ids.offset, both[i],
                          j->ids.count);
        putchar('\n');
    }
    if (differing(j))
        puts("      ours official");
    print_differences(j);
}

/* The response in colours, and the critique in words. */
static void show(const judged *j, size_t number)
{
    printf("%zu, %s: ", number + 1,
           j->official ? j->official_status : j->rewards.status);
    cli_rewarded_text(stdout, j->response, j->n, j->ids.offset,
                      j->official ? j->official : j->rewards.delta,
                      j->ids.count);
    fputs("\n    ", stdout);
    cli_rewarded_text(stdout, j->critique.text, j->critique.text_length, NULL,
                      NULL, 0);
    putchar('\n');
}

static void count(statistics *s, const judged *j)
{
    const t2g_alignment *a = &j->rewards;
    s->responses++;
    s->unparsed += j->critique.status == T2G_CRITIQUE_UNPARSED;
    s->conflicts += a->conflicts;
    s->placements += a->count;
    for (size_t i = 0; i < a->count; i++) {
        const char *method = a->placement[i].method;
        json_int_t n = json_integer_value(json_object_get(s->methods, method));
        json_object_set_new(s->methods, method, json_integer(n + 1));
        s->ambiguous += a->placement[i].ambiguous;
    }
    s->tokens += a->tokens;
    for (size_t t = 0; t < a->tokens; t++) {
        s->rewarded += a->delta[t] != 0;
        s->sum += a->delta[t];
        s->absolute += fabs((double)a->delta[t]);
    }
    s->differing += j->official ? differing(j) : 0;
}

/* "3 exact, 1 fuzzy, 1 none" */
static t2g_status list_methods(t2g_buffer *out, const statistics *s)
{
    const char *method, *between = "";
    json_t *n;
    T2G_TRY(t2g_buffer_append(out, "", 0));
    json_object_foreach(s->methods, method, n) {
        T2G_TRY(t2g_buffer_printf(out, "%s%" JSON_INTEGER_FORMAT " %s",
                                  between, json_integer_value(n), method));
        between = ", ";
    }
    return T2G_OK;
}

static void report(const aligning *a)
{
    const statistics *s = &a->sum;
    double tokens = s->tokens ? (double)s->tokens : 1;
    t2g_buffer methods = {0};
    if (list_methods(&methods, s) == T2G_OK)
        cli_note(a->inv, "%zu responses (%zu unparsed), %zu placements%s%s; "
                 "%zu ambiguous; %zu of %zu tokens rewarded, %zu in conflict, "
                 "mean %.3g, absolute %.3g", s->responses, s->unparsed,
                 s->placements, s->placements ? ": " : "", methods.data,
                 s->ambiguous, s->rewarded, s->tokens, s->conflicts,
                 s->sum / tokens, s->absolute / tokens);
    t2g_buffer_free(&methods);
    if (a->o->compare_official)
        cli_note(a->inv, "%zu of %zu tokens get another reward from the "
                 "released code", s->differing, s->tokens);
}

/* --- records -------------------------------------------------------------- */

/* A record without a word of feedback is a mistake, not an empty critique. */
static t2g_status check_feedback(const json_t *record)
{
    static const char *const keys[] = {
        "good_spans", "poor_spans", "spans", "reply", "status", "words",
        "word_score_list", "wrong_code", "improvement_code"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (json_object_get(record, keys[i]))
            return T2G_OK;
    return t2g_fail(T2G_ERR_FORMAT, "no feedback: expected 'good_spans' and "
                    "'poor_spans', 'spans', 'words' or 'reply'");
}

/* Is anything asked of the released code? */
static bool wants_official(const align_options *o)
{
    return o->profile == PROFILE_OFFICIAL || o->compare_official;
}

static t2g_status judge_officially(const aligning *a, judged *j)
{
    j->official = t2g_calloc(j->ids.count, sizeof *j->official);
    return j->official
               ? official_rewards(j->official, &j->official_status,
                                  (t2g_task)a->o->task, j->record,
                                  &j->critique,
                                  (t2g_text){j->response, j->n},
                                  j->ids.offset, j->ids.count)
               : T2G_ERR_MEMORY;
}

static t2g_status judge(const aligning *a, size_t i, judged *j)
{
    j->record = json_deep_copy(a->data.record[i]);
    if (!j->record)
        return t2g_fail(T2G_ERR_MEMORY, "no memory for a record");
    T2G_TRY(check_feedback(j->record));
    T2G_TRY(t2g_critique_from_record(&j->critique, j->record));
    T2G_TRY(take_tokens(a, j));
    T2G_TRY(t2g_align(&j->rewards, j->response, j->n, &j->critique,
                      j->ids.offset, j->ids.count, &a->rules));
    return wants_official(a->o) ? judge_officially(a, j) : T2G_OK;
}

static void print(const aligning *a, const judged *j, size_t i)
{
    if (a->o->compare_official)
        show_comparison(j, i);
    else
        show(j, i);
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
        s = a->o->compare_official ? write_comparison(a, &j) : set_tokens(&j);
    if (s != T2G_OK)
        s = t2g_fail_in(s, "%s:%zu", a->data.path, a->data.line[i]);
    if (s == T2G_OK) {
        count(&a->sum, &j);
        if (!a->out)
            print(a, &j, i);
        else if (!a->o->compare_official)
            t2g_writer_json(a->out, j.record);
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
                  (o->compare_official || cli_colour(stdout));
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

static t2g_status align(const invocation *inv, align_options *o)
{
    aligning a = {.inv = inv, .o = o, .sum.methods = json_object()};
    t2g_status s = rules_read(&a.rules, &o->rules);
    if (s == T2G_OK)
        s = open_all(&a);
    if (s == T2G_OK)
        s = align_records(&a);
    s = close_all(&a, s);
    if (s == T2G_OK)
        report(&a);
    json_decref(a.sum.methods);
    rules_free(&o->rules);
    return s;
}

/* --- rebuilding ----------------------------------------------------------- */

/* Rewards of the response whose audit is the lines [first, last]. */
static t2g_status rebuild_one(t2g_writer *out, const t2g_records *r,
                              size_t first, size_t last)
{
    t2g_alignment a;
    t2g_status s = t2g_align_rebuild(&a, r->record + first, last - first + 1);
    if (s != T2G_OK)
        return t2g_fail_in(s, "%s:%zu", r->path, r->line[last]);
    json_t *o = json_pack("{s:O*, s:s, s:o}", "id",
                          json_object_get(r->record[last], "id"), "status",
                          json_string_value(json_object_get(r->record[last],
                                                            "status")),
                          "rewards", rewards_json(a.delta, a.tokens));
    if (o)
        t2g_writer_json(out, o);
    json_decref(o);
    t2g_alignment_free(&a);
    return o ? T2G_OK : t2g_fail(T2G_ERR_MEMORY, "no memory for a record");
}

/* A summary, which ends the lines of a response, has a digest. */
static t2g_status rebuild_all(t2g_writer *out, const t2g_records *r)
{
    size_t first = 0;
    for (size_t i = 0; i < r->count; i++) {
        if (!json_object_get(r->record[i], "digest"))
            continue;
        T2G_TRY(rebuild_one(out, r, first, i));
        first = i + 1;
    }
    return first == r->count
               ? T2G_OK
               : t2g_fail(T2G_ERR_FORMAT, "%s:%zu: no summary follows", r->path,
                          r->line[r->count - 1]);
}

static t2g_status rebuild(const invocation *inv, const align_options *o)
{
    t2g_records r = {0};
    t2g_writer *out = NULL;
    t2g_status s = t2g_records_read(&r, o->rebuild, NULL, false, NULL, NULL);
    if (s == T2G_OK)
        s = t2g_writer_open(&out, o->output);
    if (s == T2G_OK)
        s = rebuild_all(out, &r);
    if (s == T2G_OK)
        s = t2g_writer_commit(out);
    else
        t2g_writer_abort(out);
    if (s == T2G_OK)
        cli_note(inv, "every digest is that of its audit");
    t2g_records_free(&r);
    return s;
}

static bool task_given(const option *table)
{
    for (; table->name; table++)
        if (strcmp(table->name, "task") == 0)
            return table->given;
    return false;
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
        {"rebuild", OPTION_TEXT, &o.rebuild, "Output",
         "an audit instead of records: the rewards again, from it alone", 0, 0,
         NULL, false},
        RULES_OPTIONS(o.rules),
        {"profile", OPTION_CHOICE, &o.profile, "Released code",
         "official: rewards as the released code gives them, faults included",
         0, 0, profile_names, false},
        {"task", OPTION_CHOICE, &o.task, "Released code",
         "which of its three versions", 0, 0, task_names, false},
        {"compare-official", OPTION_FLAG, &o.compare_official, "Released code",
         "both rewards of every response", 0, 0, NULL, false},
        {0}};
    invocation inv;
    int status = cli_parse(&inv, self, table, argc, argv);
    if (status >= 0)
        return status;
    cli_catch_interrupts();
    if (!o.t.data == !o.rebuild)
        status = cli_usage(&inv, "needs either --data or --rebuild");
    else if (wants_official(&o) && !task_given(table))
        status = cli_usage(&inv, "needs --task sum, qa or code");
    else
        status = (o.rebuild ? rebuild(&inv, &o) : align(&inv, &o)) == T2G_OK
                     ? EXIT_DONE : cli_failed(&inv);
    cli_free(&inv);
    return status;
}

const command command_align = {
    "align", "feedback becomes one reward a token",
    "--data FEEDBACK --tokenizer FILE|DIR [--output FILE] [--audit FILE]",
    "t2g align --data feedback.jsonl --tokenizer model --output rewards.jsonl "
    "--audit audit.jsonl",
    run};
