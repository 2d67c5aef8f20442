/* t2g generate: responses to prompts. */
#include <string.h>

#include "training.h"

typedef struct generate_options {
    training_options t;
    const char *output;
    bool do_sample;
    uint64_t max_new_tokens, min_new_tokens, top_k, returned, first_sample;
    double temperature, top_p;
} generate_options;

static t2g_status write_record(t2g_writer *w, const session *s,
                               const t2g_generation *g, size_t row, size_t i)
{
    t2g_buffer text = {0};
    json_t *record = json_deep_copy(s->data.record[i]);
    t2g_status st = record ? t2g_tokenizer_decode(
                                 s->tok, g->id + g->row[row],
                                 g->row[row + 1] - g->row[row], true, &text)
                           : T2G_ERR_MEMORY;
    if (st == T2G_OK) {
        json_object_set_new(record, "response",
                            json_stringn(text.data ? text.data : "",
                                         text.size));
        json_object_set_new(record, "finish_reason",
                            json_string(g->ended[row] ? "stop" : "length"));
        t2g_writer_json(w, record);
    }
    json_decref(record);
    t2g_buffer_free(&text);
    return st;
}

static t2g_status write_all(const session *s, const t2g_generation *g,
                            const generate_options *o)
{
    t2g_writer *w;
    T2G_TRY(t2g_writer_open(&w, o->output));
    for (size_t i = 0; i < s->data.count; i++)
        for (uint64_t k = 0; k < o->returned; k++) {
            t2g_status st = write_record(w, s, g, i * o->returned + k, i);
            if (st != T2G_OK) {
                t2g_writer_abort(w);
                return st;
            }
        }
    return t2g_writer_commit(w);
}

/* Every prompt `returned` times. */
static t2g_status repeat(prompt_set *out, const prompt_set *p, size_t times)
{
    *out = (prompt_set){.row = t2g_calloc(p->count * times + 1,
                                          sizeof *out->row)};
    out->ids.id = t2g_calloc(p->ids.count * times, sizeof *out->ids.id);
    if (!out->row || !out->ids.id)
        return T2G_ERR_MEMORY;
    for (size_t i = 0; i < p->count; i++)
        for (size_t k = 0; k < times; k++) {
            size_t n = p->row[i + 1] - p->row[i];
            memcpy(out->ids.id + out->ids.count, p->ids.id + p->row[i],
                   n * sizeof *out->ids.id);
            out->ids.count += n;
            out->row[++out->count] = out->ids.count;
        }
    return T2G_OK;
}

static t2g_status work(session *s, const invocation *inv,
                       const generate_options *o)
{
    prompt_set once = {0}, all = {0};
    t2g_generation g = {0};
    int64_t eos[8];
    T2G_TRY(session_open(s, inv, &o->t));
    t2g_sampling sampling = {
        .do_sample = o->do_sample, .temperature = o->temperature,
        .top_k = o->top_k, .top_p = o->top_p,
        .max_new_tokens = o->max_new_tokens,
        .min_new_tokens = o->min_new_tokens, .seed = inv->common.seed};
    t2g_status st = prompts_read(&once, &s->data, &s->chat);
    if (st == T2G_OK)
        st = repeat(&all, &once, o->returned);
    if (st == T2G_OK) {
        t2g_batch batch = {all.ids.id, all.row, all.count};
        size_t n = end_tokens(s->model, s->tok, eos);
        progress_begin(&s->bar, inv, "generate", all.count);
        st = t2g_generate(s->model, &batch, &sampling,
                          (uint32_t)o->first_sample, eos, n,
                          generation_progress, s, &g);
        progress_end(&s->bar, NULL);
    }
    if (st == T2G_OK)
        st = write_all(s, &g, o);
    t2g_generation_free(&g);
    prompts_free(&once);
    prompts_free(&all);
    return st;
}

static int run(const command *self, int argc, char **argv)
{
    generate_options o = {.output = "-", .max_new_tokens = 64, .returned = 1,
                          .temperature = 1, .top_p = 1};
    option table[] = {
        DATA_OPTIONS(o.t), CHAT_OPTIONS(o.t),
        {"output", OPTION_TEXT, &o.output, "Output", "response records", 0, 0,
         NULL, false},
        {"max-new-tokens", OPTION_COUNT, &o.max_new_tokens, "Generation",
         "longest response", 1, 1 << 20, NULL, false},
        {"min-new-tokens", OPTION_COUNT, &o.min_new_tokens, "Generation",
         "no end token before this many", 0, 1 << 20, NULL, false},
        {"do-sample", OPTION_FLAG, &o.do_sample, "Generation",
         "draw tokens instead of taking the most likely", 0, 0, NULL, false},
        {"temperature", OPTION_REAL, &o.temperature, "Generation",
         "divides the logits when sampling", 1e-6, 1e6, NULL, false},
        {"top-k", OPTION_COUNT, &o.top_k, "Generation",
         "sample among the k most likely; 0: all", 0, 1 << 24, NULL, false},
        {"top-p", OPTION_REAL, &o.top_p, "Generation",
         "sample within this probability mass", 0, 1, NULL, false},
        {"num-return-sequences", OPTION_COUNT, &o.returned, "Generation",
         "responses a prompt", 1, 1 << 16, NULL, false},
        {"first-sample", OPTION_COUNT, &o.first_sample, "Generation",
         "number of the first random stream", 0, 1u << 31, NULL, false},
        {0}};
    invocation inv;
    int status = cli_parse(&inv, self, table, argc, argv);
    if (status >= 0)
        return status;
    if (!o.t.model || !o.t.data)
        status = cli_usage(&inv, "needs --model and --data");
    else {
        session s = {0};
        cli_catch_interrupts();
        status = work(&s, &inv, &o) == T2G_OK ? EXIT_DONE : cli_failed(&inv);
        session_close(&s);
    }
    cli_free(&inv);
    return status;
}

const command command_generate = {
    "generate", "responses to prompts",
    "--model DIR --data PROMPTS [--output FILE] [options]",
    "t2g generate --model sft --data prompts.jsonl --do-sample "
    "--temperature 0.7 --output responses.jsonl",
    run};
