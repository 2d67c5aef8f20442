#include "training.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *const schedule_names[] = {"linear", "cosine", "constant", NULL};
const char *const optim_names[] = {"adamw", "adam", "adafactor", NULL};

/* Choices in the order of the library's enumerations. */
const char *const repeat_names[] = {"split", "first", "last", "all", "skip",
                                    NULL};
const char *const overlap_names[] = {"sum", "inner", "negative", "first",
                                     NULL};
const char *const unmatched_names[] = {"keep", "drop_sample", "fail", NULL};
const char *const punctuation_names[] = {"span", "zero", NULL};

t2g_optim_config optim_config(const training_options *o)
{
    return (t2g_optim_config){
        .kind = (t2g_optim)o->optim, .b1 = o->adam_beta1, .b2 = o->adam_beta2,
        .eps = o->adam_epsilon, .weight_decay = o->weight_decay,
        .max_grad_norm = o->max_grad_norm};
}

t2g_status join_path(char out[4096], const char *dir, const char *name)
{
    int n = snprintf(out, 4096, "%s/%s", dir, name);
    return n > 0 && n < 4096 ? T2G_OK
                             : t2g_fail(T2G_ERR_ARG, "the path '%s/%s' is too "
                                        "long", dir, name);
}

/* --- rules of alignment --------------------------------------------------- */

/* "TYPE=SCORE" */
static t2g_status read_severity(t2g_severity *out, const char *text)
{
    const char *equals = strrchr(text, '=');
    char *end = NULL;
    double score = equals ? strtod(equals + 1, &end) : NAN;
    if (!equals || equals == text || end == equals + 1 || *end != '\0' ||
        !(fabs(score) <= 1))
        return t2g_fail(T2G_ERR_ARG, "--severity '%s': expected TYPE=SCORE, a "
                        "score from -1 to 1", text);
    out->score = score;
    out->type = t2g_strndup(text, (size_t)(equals - text));
    return out->type ? T2G_OK : T2G_ERR_MEMORY;
}

t2g_status rules_read(t2g_align_options *out, rules_options *o)
{
    *out = (t2g_align_options){
        .on_repeat = (t2g_on_repeat)o->on_repeat,
        .on_overlap = (t2g_on_overlap)o->on_overlap,
        .on_unmatched = (t2g_on_unmatched)o->on_unmatched,
        .background = o->background,
        .punctuation_zero = o->punctuation == 1,
        .scale_by_similarity = o->scale_by_similarity,
        .severities = o->severity.count};
    o->table = t2g_calloc(o->severity.count, sizeof *o->table);
    out->severity = o->table;
    if (!o->table)
        return T2G_ERR_MEMORY;
    for (size_t i = 0; i < o->severity.count; i++)
        T2G_TRY(read_severity(&o->table[i], o->severity.item[i]));
    return T2G_OK;
}

void rules_free(rules_options *o)
{
    for (size_t i = 0; o->table && i < o->severity.count; i++)
        t2g_free((char *)(uintptr_t)o->table[i].type);
    t2g_free(o->table);
    o->table = NULL;
}

/* --- session -------------------------------------------------------------- */

t2g_status load_tokenizer(t2g_tokenizer **t, const training_options *o)
{
    return t2g_tokenizer_load(t, o->tokenizer ? o->tokenizer : o->model);
}

static void report_bad_line(void *context, const char *message)
{
    cli_note(context, "skipped: %s", message);
}

t2g_status load_records(t2g_records *r, const invocation *inv,
                        const training_options *o, const char *path)
{
    T2G_TRY(t2g_records_read(r, path, o->format, o->skip_bad_lines,
                             report_bad_line, (void *)(uintptr_t)inv));
    for (size_t i = 0; i < r->count; i++)
        T2G_TRY(chat_add_prompt(r->record[i]));
    return T2G_OK;
}

t2g_status session_open(session *s, const invocation *inv,
                        const training_options *o)
{
    *s = (session){.inv = inv, .o = o};
    T2G_TRY(load_tokenizer(&s->tok, o));
    T2G_TRY(chat_open(&s->chat, s->tok, o->chat_template, o->no_chat_template));
    T2G_TRY(t2g_model_load(&s->model, o->model, &inv->kernels));
    if (t2g_tokenizer_size(s->tok) > s->model->config.vocab_size)
        return t2g_fail(T2G_ERR_FORMAT, "the tokenizer has %zu tokens, the "
                        "model %s only %zu", t2g_tokenizer_size(s->tok),
                        o->model, s->model->config.vocab_size);
    if (o->data)
        T2G_TRY(load_records(&s->data, inv, o, o->data));
    return T2G_OK;
}

void session_close(session *s)
{
    t2g_model_free(s->model);
    chat_close(&s->chat);
    t2g_tokenizer_free(s->tok);
    t2g_records_free(&s->data);
    if (s->metrics)
        fclose(s->metrics);
    *s = (session){0};
}

t2g_status save_model(const t2g_model *m, const t2g_tokenizer *tok,
                      const char *dir)
{
    T2G_TRY(t2g_model_save(m, dir));
    return t2g_tokenizer_save(tok, dir);
}

t2g_status metrics_open(session *s)
{
    T2G_TRY(join_path(s->metrics_path, s->o->output_dir, "metrics.jsonl"));
    s->metrics = fopen(s->metrics_path, "w");
    return s->metrics ? T2G_OK
                      : t2g_fail(T2G_ERR_IO, "%s: %s", s->metrics_path,
                                 strerror(errno));
}

void metrics_line(session *s, json_t *line)
{
    json_dumpf(line, s->metrics, JSON_COMPACT);
    fputc('\n', s->metrics);
    fflush(s->metrics);
    json_decref(line);
}

t2g_status metrics_close(session *s)
{
    bool bad = ferror(s->metrics);
    bad |= fclose(s->metrics) != 0;
    s->metrics = NULL;
    return bad ? t2g_fail(T2G_ERR_IO, "%s: %s", s->metrics_path,
                          strerror(errno))
               : T2G_OK;
}

t2g_status set_token_rewards(json_t *record, const size_t *offset,
                             const float *reward, size_t tokens)
{
    json_t *offsets = json_array(), *rewards = json_array();
    int failed = 0;
    for (size_t t = 0; t < tokens; t++) {
        for (size_t e = 2 * t; e < 2 * t + 2; e++)
            failed |= json_array_append_new(
                offsets, json_integer((json_int_t)offset[e]));
        failed |= json_array_append_new(rewards, json_real((double)reward[t]));
    }
    failed |= json_object_set_new(record, "offsets", offsets);
    failed |= json_object_set_new(record, "rewards", rewards);
    return failed ? t2g_fail(T2G_ERR_MEMORY, "no memory for a record") : T2G_OK;
}

/* --- examples ------------------------------------------------------------- */

static t2g_status reward(const t2g_records *r, size_t i,
                         const t2g_tokenizer *tok, bool spans_only,
                         t2g_encoding *work, t2g_example *out)
{
    const char *prompt, *response;
    size_t prompt_n, n;
    t2g_critique c = {0};
    T2G_TRY(t2g_record_string(r, i, "prompt", true, &prompt, &prompt_n));
    T2G_TRY(t2g_record_string(r, i, "response", true, &response, &n));
    t2g_status s = t2g_critique_from_record(&c, r->record[i]);
    if (s == T2G_OK && spans_only && c.text_length > 0) {
        c.text[0] = '\0';
        c.text_length = 0;
    }
    if (s == T2G_OK)
        s = t2g_reward_example(tok, prompt, prompt_n, response, n, &c, work,
                               out);
    t2g_critique_free(&c);
    return s;
}

/* A copy of an example that stays. */
static t2g_status keep_example(examples *e, const t2g_example *x)
{
    t2g_example copy = {.count = x->count, .prompt = x->prompt};
    copy.id = t2g_calloc(x->count, sizeof *copy.id);
    copy.target = x->target ? t2g_calloc(x->count, 1) : NULL;
    if (!copy.id || (x->target && !copy.target)) {
        t2g_free(copy.id);
        return T2G_ERR_MEMORY;
    }
    memcpy(copy.id, x->id, x->count * sizeof *copy.id);
    if (x->target)
        memcpy(copy.target, x->target, x->count);
    e->item[e->count++] = copy;
    return T2G_OK;
}

t2g_status examples_read(examples *e, const t2g_records *r, chat_style *chat,
                         example_kind kind, size_t max_length)
{
    t2g_encoding work = {0};
    t2g_status s = T2G_OK;
    *e = (examples){.item = t2g_calloc(r->count, sizeof *e->item)};
    if (!e->item)
        return T2G_ERR_MEMORY;
    for (size_t i = 0; s == T2G_OK && i < r->count; i++) {
        t2g_example x;
        s = kind == EXAMPLE_SUPERVISED
                ? chat_encode_example(chat, r, i, &work, &x)
                : reward(r, i, chat->tok, kind == EXAMPLE_SPANS, &work, &x);
        if (s != T2G_OK)
            s = t2g_fail_in(s, "%s:%zu", r->path, r->line[i]);
        else if (x.count > max_length)
            e->too_long++;
        else
            s = keep_example(e, &x);
    }
    t2g_encoding_free(&work);
    if (s == T2G_OK && e->count == 0)
        s = t2g_fail(T2G_ERR_FORMAT, "%s: no example of at most %zu tokens",
                     r->path, max_length);
    return s;
}

t2g_status examples_shuffle(examples *e, uint64_t seed)
{
    e->seed = seed;
    e->epoch = UINT64_MAX;
    e->order = t2g_calloc(e->count, sizeof *e->order);
    return e->order ? T2G_OK : T2G_ERR_MEMORY;
}

void examples_free(examples *e)
{
    for (size_t i = 0; i < e->count; i++) {
        t2g_free(e->item[i].id);
        t2g_free(e->item[i].target);
    }
    t2g_free(e->item);
    t2g_free(e->order);
    *e = (examples){0};
}

t2g_status examples_next(void *context, uint64_t i, t2g_example *out)
{
    examples *e = context;
    uint64_t epoch = i / e->count;
    if (e->order && epoch != e->epoch) {
        t2g_stream stream = {e->seed, 0, (uint32_t)epoch, T2G_RNG_DATA};
        t2g_random_shuffle(&stream, e->order, e->count);
        e->epoch = epoch;
    }
    size_t k = i % e->count;
    *out = e->item[e->order ? e->order[k] : k];
    return T2G_OK;
}

/* --- supervised training with a bar --------------------------------------- */

static t2g_status sft_progress(void *context, const t2g_sft_report *r)
{
    session *s = context;
    char extra[64];
    snprintf(extra, sizeof extra, "loss %.3f  accuracy %.3f", r->loss,
             r->accuracy);
    progress_update(&s->bar, r->step, r->tokens, "tok", extra);
    if (r->step % s->o->logging_steps == 0 || r->step == r->steps)
        metrics_line(s, json_pack("{s:s, s:I, s:f, s:f, s:f, s:f, s:f, s:I, "
                                  "s:f}", "stage", s->bar.stage, "step",
                                  (json_int_t)r->step, "loss", r->loss,
                                  "mean_token_accuracy", r->accuracy,
                                  "entropy", r->entropy, "learning_rate",
                                  r->lr, "grad_norm", r->grad_norm, "tokens",
                                  (json_int_t)r->tokens, "seconds",
                                  r->seconds));
    return cli_interrupted() ? t2g_fail(T2G_ERR_INTERRUPTED, "stopped after "
                                        "update %llu", (unsigned long long)
                                        r->step)
                             : T2G_OK;
}

static t2g_status train_on_examples(session *s, examples *e,
                                    const char *stage)
{
    const training_options *o = s->o;
    t2g_sft_config c = {.optim = optim_config(o),
                        .schedule = (t2g_schedule)o->lr_scheduler,
                        .lr = o->learning_rate, .warmup = o->warmup_steps,
                        .steps = o->max_steps, .batch = o->batch_size,
                        .seed = s->inv->common.seed};
    if (c.steps == 0)
        c.steps = (uint64_t)ceil(o->epochs * (double)e->count /
                                 (double)o->batch_size);
    if (e->too_long)
        cli_note(s->inv, "%zu of %zu examples are longer than %llu tokens and "
                 "left out", e->too_long, e->too_long + e->count,
                 (unsigned long long)o->max_length);
    T2G_TRY(examples_shuffle(e, s->inv->common.seed));
    progress_begin(&s->bar, s->inv, stage, c.steps);
    t2g_status status = t2g_sft(s->model, &c, examples_next, e, sft_progress,
                                s);
    progress_end(&s->bar, NULL);
    return status;
}

t2g_status train_records(session *s, const invocation *inv,
                         const training_options *o, example_kind kind,
                         const char *stage)
{
    examples e = {0};
    T2G_TRY(session_open(s, inv, o));
    t2g_status st = examples_read(&e, &s->data, &s->chat, kind,
                                  o->max_length);
    if (st == T2G_OK)
        st = cli_output_dir(inv, o->output_dir, false, o->overwrite);
    if (st == T2G_OK)
        st = metrics_open(s);
    if (st == T2G_OK)
        st = train_on_examples(s, &e, stage);
    examples_free(&e);
    if (st == T2G_OK || st == T2G_ERR_INTERRUPTED)
        T2G_TRY(save_model(s->model, s->tok, o->output_dir));
    return st;
}

/* --- prompts -------------------------------------------------------------- */

t2g_status prompts_read(prompt_set *p, const t2g_records *r, chat_style *chat)
{
    *p = (prompt_set){.row = t2g_calloc(r->count + 1, sizeof *p->row)};
    if (!p->row)
        return T2G_ERR_MEMORY;
    for (size_t i = 0; i < r->count; i++) {
        T2G_TRY(chat_encode_prompt(chat, r, i, &p->ids));
        if (p->ids.count == p->row[i])
            return t2g_fail(T2G_ERR_FORMAT, "%s:%zu: an empty prompt", r->path,
                            r->line[i]);
        p->row[i + 1] = p->ids.count;
    }
    p->count = r->count;
    return T2G_OK;
}

void prompts_free(prompt_set *p)
{
    t2g_encoding_free(&p->ids);
    t2g_free(p->row);
    *p = (prompt_set){0};
}

t2g_status prompts_next(void *context, uint64_t i, const uint32_t **ids,
                        size_t *count, uint64_t *index)
{
    const prompt_set *p = context;
    *index = i % p->count;
    *ids = p->ids.id + p->row[*index];
    *count = p->row[*index + 1] - p->row[*index];
    return T2G_OK;
}

t2g_status generation_progress(void *context, size_t done, size_t total,
                               uint64_t tokens)
{
    session *s = context;
    (void)total;
    progress_update(&s->bar, done, tokens, "tok", NULL);
    return cli_interrupted() ? t2g_fail(T2G_ERR_INTERRUPTED, "stopped after "
                                        "%zu responses", done)
                             : T2G_OK;
}

size_t end_tokens(const t2g_model *m, const t2g_tokenizer *tok, int64_t eos[8])
{
    if (m->config.eos_count) {
        memcpy(eos, m->config.eos_token_id, sizeof m->config.eos_token_id);
        return m->config.eos_count;
    }
    eos[0] = t2g_tokenizer_eos(tok);
    return eos[0] >= 0;
}
