/* What the commands that touch models share: folders, data, examples, logs. */
#ifndef TRAINING_H
#define TRAINING_H

#include "chat.h"
#include "cli.h"

/* Options of sft, train-rm and train (names of transformers and TRL). */
typedef struct training_options {
    const char *model, *tokenizer, *data, *eval_data, *output_dir, *format,
        *chat_template;
    bool overwrite, skip_bad_lines, no_chat_template, spans_only;
    double learning_rate, weight_decay, adam_beta1, adam_beta2, adam_epsilon,
        max_grad_norm, epochs;
    int lr_scheduler, optim;
    uint64_t warmup_steps, batch_size, max_steps, max_length, logging_steps;
} training_options;

extern const char *const schedule_names[], *const optim_names[];

#define RECORD_OPTIONS(o)                                                      \
    {"data", OPTION_TEXT, &(o).data, "Input",                                  \
     "records, JSON Lines (- is stdin, .gz is unpacked)", 0, 0, NULL, false},  \
        {"format", OPTION_TEXT, &(o).format, "Input",                          \
         "layout of the data: ours if not given, else fgrlhf, slf5k, "         \
         "ultrafeedback, kodcode", 0, 0, NULL, false},                         \
        {"skip-bad-lines", OPTION_FLAG, &(o).skip_bad_lines, "Input",          \
         "count and list broken lines instead of stopping", 0, 0, NULL, false}

/* How spans become rewards (t2g_align_options). */
typedef struct rules_options {
    int on_repeat, on_overlap, on_unmatched, punctuation;
    double background;
    bool scale_by_similarity;
    string_list severity;
    t2g_severity *table; /* of the list, once read */
} rules_options;

extern const char *const repeat_names[], *const overlap_names[],
    *const unmatched_names[], *const punctuation_names[];

#define RULES_OPTIONS(o)                                                       \
    {"on-repeat", OPTION_CHOICE, &(o).on_repeat, "Rules",                      \
     "a quote that occurs several times: divide its score, or take one, all "  \
     "or none", 0, 0, repeat_names, false},                                    \
        {"on-overlap", OPTION_CHOICE, &(o).on_overlap, "Rules",                \
         "tokens in several spans: sum (an inner span overrules), the inner "  \
         "span alone, the least, or the first listed", 0, 0, overlap_names,    \
         false},                                                               \
        {"on-unmatched", OPTION_CHOICE, &(o).on_unmatched, "Rules",            \
         "a quote that is nowhere: keep the rest, drop the response, or "      \
         "fail", 0, 0, unmatched_names, false},                                \
        {"background", OPTION_REAL, &(o).background, "Rules",                  \
         "reward of tokens outside all spans", -1, 1, NULL, false},            \
        {"punct", OPTION_CHOICE, &(o).punctuation, "Rules",                    \
         "tokens without letter or digit: as their span, or zero", 0, 0,       \
         punctuation_names, false},                                            \
        {"scale-by-similarity", OPTION_FLAG, &(o).scale_by_similarity,         \
         "Rules", "times 1 - edits/length of a damaged quote", 0, 0, NULL,     \
         false},                                                               \
        {"severity", OPTION_LIST, &(o).severity, "Rules",                      \
         "TYPE=SCORE: score of spans with this type or note", 0, 0, NULL,      \
         false}

/* Reads the table of severities; both are freed by rules_free. */
T2G_CHECK t2g_status rules_read(t2g_align_options *out, rules_options *o);
void rules_free(rules_options *o);

#define DATA_OPTIONS(o)                                                        \
    {"model", OPTION_TEXT, &(o).model, "Input", "model folder", 0, 0, NULL,    \
     false},                                                                   \
        {"tokenizer", OPTION_TEXT, &(o).tokenizer, "Input",                    \
         "tokenizer.json or its folder (default: the model folder)", 0, 0,     \
         NULL, false},                                                         \
        RECORD_OPTIONS(o)

/* How prompts become text; those of reward models have a form of their own. */
#define CHAT_OPTIONS(o)                                                        \
    {"chat-template", OPTION_TEXT, &(o).chat_template, "Input",            \
         "a built-in template (chatml, llama3, ...) or a file with one, "      \
         "instead of the tokenizer's own", 0, 0, NULL, false},                 \
        {"no-chat-template", OPTION_FLAG, &(o).no_chat_template, "Input",      \
         "use prompts as they are", 0, 0, NULL, false}

#define OUTPUT_OPTIONS(o)                                                      \
    {"output-dir", OPTION_TEXT, &(o).output_dir, "Output",                     \
     "run directory: the model, run.json, metrics.jsonl", 0, 0, NULL, false},  \
        {"overwrite", OPTION_FLAG, &(o).overwrite, "Output",                   \
         "replace another run's files", 0, 0, NULL, false},                    \
        {"logging-steps", OPTION_COUNT, &(o).logging_steps, "Output",          \
         "updates between lines of metrics.jsonl", 1, 1e9, NULL, false}

#define OPTIMISER_OPTIONS(o)                                                   \
    {"learning-rate", OPTION_REAL, &(o).learning_rate, "Optimiser",            \
     "highest learning rate", 0, 10, NULL, false},                             \
        {"lr-scheduler", OPTION_CHOICE, &(o).lr_scheduler, "Optimiser",        \
         "how it falls after the warm-up", 0, 0, schedule_names, false},       \
        {"warmup-steps", OPTION_COUNT, &(o).warmup_steps, "Optimiser",         \
         "updates of linear warm-up", 0, 1e9, NULL, false},                    \
        {"optim", OPTION_CHOICE, &(o).optim, "Optimiser", "update rule", 0, 0, \
         optim_names, false},                                                  \
        {"weight-decay", OPTION_REAL, &(o).weight_decay, "Optimiser",          \
         "decoupled weight decay", 0, 1, NULL, false},                         \
        {"adam-beta1", OPTION_REAL, &(o).adam_beta1, "Optimiser",              \
         "first moment's memory", 0, 0.999999, NULL, false},                   \
        {"adam-beta2", OPTION_REAL, &(o).adam_beta2, "Optimiser",              \
         "second moment's memory", 0, 0.999999, NULL, false},                  \
        {"adam-epsilon", OPTION_REAL, &(o).adam_epsilon, "Optimiser",          \
         "added to the root of the second moment", 1e-30, 1, NULL, false},     \
        {"max-grad-norm", OPTION_REAL, &(o).max_grad_norm, "Optimiser",        \
         "clip the gradient's norm to this; 0: never", 0, 1e9, NULL, false},   \
        {"batch-size", OPTION_COUNT, &(o).batch_size, "Optimiser",             \
         "sequences an update", 1, 1 << 20, NULL, false}

#define LENGTH_OPTIONS(o)                                                      \
    {"max-steps", OPTION_COUNT, &(o).max_steps, "Optimiser",                   \
     "updates; 0: by --num-train-epochs", 0, 1e9, NULL, false},                \
        {"num-train-epochs", OPTION_REAL, &(o).epochs, "Optimiser",            \
         "passes over the data", 0, 1e6, NULL, false},                         \
        {"max-length", OPTION_COUNT, &(o).max_length, "Optimiser",             \
         "longest sequence; longer examples are left out and counted", 2,      \
         1 << 20, NULL, false}

t2g_optim_config optim_config(const training_options *o);

/* --- a model with its tokenizer and data ---------------------------------- */

typedef struct session {
    const invocation *inv;
    const training_options *o;
    t2g_model *model;
    t2g_tokenizer *tok;
    chat_style chat; /* how prompts are written */
    t2g_records data;
    FILE *metrics;
    char metrics_path[4096];
    progress bar;
} session;

/* Loads what the options name. */
T2G_CHECK t2g_status session_open(session *s, const invocation *inv,
                                  const training_options *o);
void session_close(session *s);
T2G_CHECK t2g_status load_tokenizer(t2g_tokenizer **t,
                                    const training_options *o);
T2G_CHECK t2g_status load_records(t2g_records *r, const invocation *inv,
                                  const training_options *o, const char *path);
/* Model and tokenizer into dir. */
T2G_CHECK t2g_status save_model(const t2g_model *m, const t2g_tokenizer *tok,
                                const char *dir);
/* Opens OUTPUT_DIR/metrics.jsonl; lines follow as the run goes on. The object
 * is consumed. */
T2G_CHECK t2g_status metrics_open(session *s);
void metrics_line(session *s, json_t *line);
T2G_CHECK t2g_status metrics_close(session *s);
T2G_CHECK t2g_status join_path(char out[4096], const char *dir,
                               const char *name);

/* Sets "offsets" (flat byte ranges) and "rewards" of a record. */
T2G_CHECK t2g_status set_token_rewards(json_t *record, const size_t *offset,
                                       const float *reward, size_t tokens);

/* --- examples ------------------------------------------------------------- */

typedef enum example_kind {
    EXAMPLE_SUPERVISED, /* messages; prompt, completion; or text */
    EXAMPLE_REWARD,     /* feedback records for the reward model */
    EXAMPLE_SPANS       /* of these the spans, without the words */
} example_kind;

/* Token sequences of a file, and the shuffled order they are drawn in: epoch e
 * by stream (seed, sample 0, step e, DATA). */
typedef struct examples {
    t2g_example *item;
    size_t count, too_long;
    uint64_t seed, epoch;
    uint32_t *order; /* of `epoch`; NULL: in file order */
} examples;

T2G_CHECK t2g_status examples_read(examples *e, const t2g_records *r,
                                   chat_style *chat, example_kind kind,
                                   size_t max_length);
T2G_CHECK t2g_status examples_shuffle(examples *e, uint64_t seed);
void examples_free(examples *e);
t2g_status examples_next(void *context, uint64_t i, t2g_example *out);

/* Opens the session, trains on its data with a progress bar and metrics lines
 * (steps by max-steps or epochs) and saves the model, interrupted or not. The
 * metrics stay open for what follows. */
T2G_CHECK t2g_status train_records(session *s, const invocation *inv,
                                   const training_options *o,
                                   example_kind kind, const char *stage);

/* Prompt ids of all records, packed. */
typedef struct prompt_set {
    t2g_encoding ids;
    size_t *row, count;
} prompt_set;
T2G_CHECK t2g_status prompts_read(prompt_set *p, const t2g_records *r,
                                  chat_style *chat);
void prompts_free(prompt_set *p);
t2g_status prompts_next(void *context, uint64_t i, const uint32_t **ids,
                        size_t *count, uint64_t *index);

/* Progress of t2g_generate through a session's bar. */
t2g_status generation_progress(void *context, size_t done, size_t total,
                               uint64_t tokens);

/* The end tokens of a run: the model's, else the tokenizer's. */
size_t end_tokens(const t2g_model *m, const t2g_tokenizer *tok,
                  int64_t eos[8]);

#endif
