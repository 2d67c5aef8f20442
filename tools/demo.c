#include "demo.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

const char *const demo_arm[ARMS] = {"sft", "ppo", "text2grad"};
const char *const demo_stage[STAGES] = {
    "data and tokenizer", "supervised policy", "annotation", "reward model",
    "ppo", "text2grad", "evaluation"};

/* Message numbers of the task's parts never meet. */
enum { FROM_SFT = 0, FROM_TOKENIZER = 1 << 21, FROM_RM = 1 << 22,
       FROM_RM_EVAL = 5 << 20, FROM_RL = 1 << 23, FROM_HELD_OUT = 3 << 22 };

static const demo_scale full = {
    .hidden = 128, .layers = 3, .heads = 4, .intermediate = 344, .vocab = 1024,
    .tokenizer_texts = 3000,
    .sft_steps = 450, .sft_batch = 32, .sft_rate = 2e-3,
    .rm_sampled = 4000, .rm_spoiled = 27000, .rm_steps = 1600, .rm_batch = 24,
    .rm_rate = 1.5e-3, .rm_eval = 300,
    .rl_steps = 20, .rl_batch = 96, .rl_minibatch = 48, .rl_epochs = 2,
    .t2g_rate = 3e-4, .ppo_rate = 6e-4, .held_out = 400, .rewards = "model"};

/* Every stage, tiny. So small a reward model writes no JSON yet: the policies
 * learn from the true critic. */
static const demo_scale quick = {
    .hidden = 32, .layers = 2, .heads = 2, .intermediate = 64, .vocab = 512,
    .tokenizer_texts = 60,
    .sft_steps = 12, .sft_batch = 8, .sft_rate = 5e-3,
    .rm_sampled = 4, .rm_spoiled = 24, .rm_steps = 6, .rm_batch = 6,
    .rm_rate = 5e-3, .rm_eval = 4,
    .rl_steps = 2, .rl_batch = 8, .rl_minibatch = 4, .rl_epochs = 2,
    .t2g_rate = 3e-4, .ppo_rate = 6e-4, .held_out = 8, .rewards = "facts"};

t2g_status demo_path(const demo_run *d, char out[4096], const char *name)
{
    return join_path(out, d->dir, name);
}

/* --- data ----------------------------------------------------------------- */

enum record_kind {
    PROMPTS,   /* {"prompt"} */
    REFERENCES,/* {"prompt", "completion"}: erring references */
    SPOILED,   /* {"prompt", "response"}: what RL will try */
    WHOLE      /* {"text"}: prompt, summary, critique; for the tokenizer */
};

static t2g_status whole_text(const char *prompt, size_t n,
                             const t2g_buffer *summary, t2g_buffer *out)
{
    t2g_critique c = {0};
    t2g_status s = t2g_facts_check(prompt, n, summary->data, summary->size, &c,
                                   NULL);
    if (s == T2G_OK)
        s = t2g_reward_prompt(prompt, n, summary->data, summary->size, out);
    if (s == T2G_OK)
        s = t2g_buffer_puts(out, " ");
    if (s == T2G_OK)
        s = t2g_critique_format(&c, out);
    t2g_critique_free(&c);
    return s;
}

/* One record of a kind for message `number`. */
static t2g_status make_record(const demo_run *d, enum record_kind kind,
                              uint32_t number, json_t **out)
{
    const t2g_facts_errors *errors =
        kind == SPOILED || kind == WHOLE ? &t2g_facts_spoiled
                                         : &t2g_facts_reference;
    t2g_buffer post = {0}, summary = {0}, prompt = {0}, text = {0};
    t2g_status s = t2g_facts_sample(d->inv->common.seed, number, 0, errors,
                                    &post, &summary);
    if (s == T2G_OK)
        s = t2g_facts_prompt(post.data, &prompt);
    if (s == T2G_OK && kind == WHOLE)
        s = whole_text(prompt.data, prompt.size, &summary, &text);
    if (s == T2G_OK) {
        *out = json_object();
        if (kind == WHOLE)
            json_object_set_new(*out, "text", json_string(text.data));
        else
            json_object_set_new(*out, "prompt", json_string(prompt.data));
        if (kind == REFERENCES)
            json_object_set_new(*out, "completion", json_string(summary.data));
        if (kind == SPOILED)
            json_object_set_new(*out, "response", json_string(summary.data));
    }
    t2g_buffer_free(&post);
    t2g_buffer_free(&summary);
    t2g_buffer_free(&prompt);
    t2g_buffer_free(&text);
    return s;
}

static t2g_status write_data(const demo_run *d, const char *name,
                             enum record_kind kind, uint32_t first, size_t n)
{
    char path[4096];
    t2g_writer *w;
    T2G_TRY(demo_path(d, path, name));
    T2G_TRY(t2g_writer_open(&w, path));
    for (size_t i = 0; i < n; i++) {
        json_t *record;
        t2g_status s = make_record(d, kind, first + (uint32_t)i, &record);
        if (s != T2G_OK) {
            t2g_writer_abort(w);
            return s;
        }
        t2g_writer_json(w, record);
        json_decref(record);
    }
    return t2g_writer_commit(w);
}

/* One file out of several, in order. */
static t2g_status concatenate(const demo_run *d, const char *name,
                              const char *const *part)
{
    char path[4096];
    t2g_buffer all = {0};
    t2g_status s = T2G_OK;
    for (size_t i = 0; s == T2G_OK && part[i]; i++) {
        s = demo_path(d, path, part[i]);
        if (s == T2G_OK)
            s = t2g_file_read(path, &all);
    }
    if (s == T2G_OK)
        s = demo_path(d, path, name);
    if (s == T2G_OK)
        s = t2g_file_write(path, all.data, all.size);
    t2g_buffer_free(&all);
    fprintf(d->commands, "cat");
    for (size_t i = 0; part[i]; i++)
        fprintf(d->commands, " %s", part[i]);
    fprintf(d->commands, " > %s\n", name);
    return s;
}

/* --- running commands ----------------------------------------------------- */

enum { MAX_ARGS = 96 };

/* An argument as a shell reads it. */
static void write_argument(FILE *f, const char *a)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyz"
                                "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./,=-";
    bool quote = !*a || a[strspn(a, plain)] != '\0';
    fprintf(f, quote ? " '%s'" : " %s", a);
}

/* Runs a command with arguments "a", "b", ..., NULL. An argument that starts
 * with "@" names a file in the demo's directory. */
static t2g_status call(const demo_run *d, const command *c, ...)
{
    static char paths[MAX_ARGS][4096];
    char seed[32], threads[32], *argv[MAX_ARGS + 8];
    int argc = 0;
    va_list args;
    argv[argc++] = (char *)(uintptr_t)c->name;
    fprintf(d->commands, "t2g %s", c->name);
    va_start(args, c);
    for (const char *a; (a = va_arg(args, const char *)) && argc < MAX_ARGS;) {
        write_argument(d->commands, *a == '@' ? a + 1 : a);
        if (*a == '@') {
            t2g_status s = demo_path(d, paths[argc], a + 1);
            if (s == T2G_OK && strcmp(a, "@.") == 0) /* the directory itself */
                snprintf(paths[argc], sizeof paths[argc], "%s", d->dir);
            if (s != T2G_OK) {
                va_end(args);
                return s;
            }
            a = paths[argc];
        }
        argv[argc++] = (char *)(uintptr_t)a;
    }
    va_end(args);
    snprintf(seed, sizeof seed, "--seed=%llu",
             (unsigned long long)d->inv->common.seed);
    snprintf(threads, sizeof threads, "--threads=%d", t2g_threads());
    argv[argc++] = seed;
    fprintf(d->commands, " %s\n", seed);
    fflush(d->commands);
    argv[argc++] = threads;
    if (d->inv->common.isa) {
        argv[argc++] = "--isa";
        argv[argc++] = (char *)(uintptr_t)d->inv->common.isa;
    }
    if (d->inv->common.quiet)
        argv[argc++] = "--quiet";
    argv[argc] = NULL;
    int status = c->run(c, argc, argv);
    if (cli_interrupted())
        return t2g_fail(T2G_ERR_INTERRUPTED, "interrupted");
    return status == EXIT_DONE ? T2G_OK
                               : t2g_fail(T2G_ERR_IO, "'%s' failed, see the "
                                          "message above", c->name);
}

extern const command command_train_tokenizer, command_init, command_sft,
    command_annotate, command_train_rm, command_train, command_generate,
    command_eval, command_report, command_critique;

/* Numbers as arguments: text stays valid while the demo runs. */
static const char *number(double x)
{
    static char text[64][32];
    static size_t next;
    char *t = text[next++ % 64];
    snprintf(t, sizeof text[0], "%.9g", x);
    return t;
}

/* --- stages --------------------------------------------------------------- */

static t2g_status stage_data(demo_run *d)
{
    const demo_scale *z = &d->scale;
    T2G_TRY(write_data(d, "tokenizer.jsonl", WHOLE, FROM_TOKENIZER,
                       z->tokenizer_texts));
    T2G_TRY(write_data(d, "sft.jsonl", REFERENCES, FROM_SFT,
                       z->sft_steps * z->sft_batch));
    T2G_TRY(write_data(d, "prompts.jsonl", PROMPTS, FROM_RL,
                       z->rl_steps * z->rl_batch));
    T2G_TRY(write_data(d, "held_out.jsonl", PROMPTS, FROM_HELD_OUT,
                       z->held_out));
    return call(d, &command_train_tokenizer, "@tokenizer.jsonl",
                "--vocab-size", number((double)z->vocab), "--special-tokens",
                "<|bos|>,<|eot|>,<|pad|>", "--bos-token", "<|bos|>",
                "--eos-token", "<|eot|>", "--pad-token", "<|pad|>",
                "--output-dir", "@tokenizer", "--overwrite", NULL);
}

static t2g_status stage_sft(demo_run *d)
{
    const demo_scale *z = &d->scale;
    T2G_TRY(call(d, &command_init, "--tokenizer", "@tokenizer",
                 "--hidden-size", number((double)z->hidden),
                 "--num-hidden-layers", number((double)z->layers),
                 "--num-attention-heads", number((double)z->heads),
                 "--intermediate-size", number((double)z->intermediate),
                 "--scaled-init", "--output-dir", "@start", "--overwrite",
                 NULL));
    return call(d, &command_sft, "--model", "@start", "--data", "@sft.jsonl",
                "--output-dir", "@sft", "--learning-rate", number(z->sft_rate),
                "--warmup-steps", number((double)(z->sft_steps / 9)),
                "--adam-beta2", "0.98", "--weight-decay", "0.01",
                "--batch-size", number((double)z->sft_batch), "--max-steps",
                number((double)z->sft_steps), "--overwrite", NULL);
}

/* Critiques of what the policy says at three temperatures, and of spoiled
 * references; and of other samples, held out. */
static t2g_status stage_annotate(demo_run *d)
{
    static const char *const temperature[] = {"0.7", "1", "1.2"};
    static const char *const parts[] = {"rm_0.jsonl", "rm_1.jsonl",
                                        "rm_2.jsonl", "rm_spoiled.jsonl",
                                        NULL};
    const demo_scale *z = &d->scale;
    uint32_t first = FROM_RM;
    for (size_t k = 0; k < 3; k++) {
        /* "@" marks a file for call(); write_data wants the name alone. */
        char prompts[40], responses[40], feedback[40];
        snprintf(prompts, sizeof prompts, "@rm_prompts_%zu.jsonl", k);
        snprintf(responses, sizeof responses, "@rm_responses_%zu.jsonl", k);
        snprintf(feedback, sizeof feedback, "@rm_%zu.jsonl", k);
        T2G_TRY(write_data(d, prompts + 1, PROMPTS, first, z->rm_sampled));
        first += (uint32_t)z->rm_sampled;
        T2G_TRY(call(d, &command_generate, "--model", "@sft", "--data",
                     prompts, "--do-sample", "--temperature", temperature[k],
                     "--output", responses, NULL));
        T2G_TRY(call(d, &command_annotate, "--critic", "facts", "--data",
                     responses, "--output", feedback, NULL));
    }
    T2G_TRY(write_data(d, "rm_spoiled_responses.jsonl", SPOILED, first,
                       z->rm_spoiled));
    T2G_TRY(call(d, &command_annotate, "--critic", "facts", "--data",
                 "@rm_spoiled_responses.jsonl", "--output",
                 "@rm_spoiled.jsonl", NULL));
    T2G_TRY(concatenate(d, "rm_train.jsonl", parts));
    T2G_TRY(write_data(d, "rm_eval_prompts.jsonl", PROMPTS, FROM_RM_EVAL,
                       z->rm_eval));
    T2G_TRY(call(d, &command_generate, "--model", "@sft", "--data",
                 "@rm_eval_prompts.jsonl", "--do-sample", "--output",
                 "@rm_eval_responses.jsonl", NULL));
    return call(d, &command_annotate, "--critic", "facts", "--data",
                "@rm_eval_responses.jsonl", "--output", "@rm_eval.jsonl",
                NULL);
}

static t2g_status stage_rm(demo_run *d)
{
    const demo_scale *z = &d->scale;
    return call(d, &command_train_rm, "--model", "@sft", "--data",
                "@rm_train.jsonl", "--eval-data", "@rm_eval.jsonl",
                "--output-dir", "@rm", "--learning-rate", number(z->rm_rate),
                "--warmup-steps", "20", "--adam-beta2", "0.98",
                "--weight-decay", "0.01", "--batch-size",
                number((double)z->rm_batch), "--max-steps",
                number((double)z->rm_steps), "--max-new-tokens", "260",
                "--unconstrained", "--overwrite", NULL);
}

/* Both arms: same start, prompts, rewards, samples, updates. The scalar arm
 * gets each response's summed reward on its last token. */
static t2g_status stage_rl(demo_run *d, int arm)
{
    const demo_scale *z = &d->scale;
    bool t2g = arm == ARM_T2G, model = strcmp(z->rewards, "model") == 0;
    return call(d, &command_train, "--algorithm", demo_arm[arm], "--model",
                "@sft", model ? "--reward-model" : "--critic",
                model ? "@rm" : "facts", "--data", "@prompts.jsonl", "--watch",
                "facts", "--output-dir", t2g ? "@text2grad" : "@ppo",
                "--learning-rate", number(t2g ? z->t2g_rate : z->ppo_rate),
                "--warmup-steps", "3", "--steps",
                number((double)z->rl_steps), "--batch-size",
                number((double)z->rl_batch), "--mini-batch-size",
                number((double)z->rl_minibatch), "--ppo-epochs",
                number((double)z->rl_epochs), "--lam", t2g ? "0.95" : "1",
                "--whiten", "scale", "--kl-coef", "0.05", "--reward-scale",
                "0.1", "--vf-coef", "0.5", "--cliprange-value", "0",
                "--fit-value-head", "--judge-max-new-tokens", "260",
                "--unconstrained",
                "--max-new-tokens", "64", "--overwrite", NULL);
}

static double figure(const json_t *group, const char *name)
{
    const json_t *f = json_object_get(group, name);
    return json_number_value(json_object_get(f, "value"));
}

static t2g_status stage_eval_arm(demo_run *d, int arm)
{
    static const char *const mode[] = {"sampled", "greedy"};
    char model[32];
    snprintf(model, sizeof model, "@%s", demo_arm[arm]);
    for (int k = 0; k < 2; k++) {
        char out[64], score[64];
        snprintf(out, sizeof out, "@%s_%s.jsonl", demo_arm[arm], mode[k]);
        snprintf(score, sizeof score, "@%s_%s.json", demo_arm[arm], mode[k]);
        T2G_TRY(call(d, &command_generate, "--model", model, "--data",
                     "@held_out.jsonl", k == 0 ? "--do-sample"
                                               : "--no-do-sample",
                     "--first-sample", "1000000", "--output", out, NULL));
        T2G_TRY(call(d, &command_eval, "--data", out, "--metrics",
                     "facts,length", "--output", score, NULL));
        char path[4096];
        json_t *root;
        T2G_TRY(demo_path(d, path, score + 1));
        T2G_TRY(t2g_json_read(&root, path));
        json_t *f = json_object_get(root, "facts");
        d->score[arm][k] = (demo_score){
            .accuracy = figure(f, "accuracy"),
            .se = json_number_value(json_object_get(f, "se")),
            .repeated = figure(f, "repeated"),
            .missing = figure(f, "missing"),
            .invented = figure(f, "invented"),
            .wrong = figure(f, "wrong")};
        json_decref(root);
    }
    return T2G_OK;
}

static t2g_status stage_eval(demo_run *d)
{
    for (int arm = 0; arm < ARMS; arm++)
        T2G_TRY(stage_eval_arm(d, arm));
    T2G_TRY(call(d, &command_critique, "--model", "@rm", "--data",
                 "@sft_greedy.jsonl", "--max-new-tokens", "260", "--output",
                 "@sft_critiques.jsonl", "--unconstrained", NULL));
    return call(d, &command_critique, "--model", "@rm", "--data",
                "@text2grad_greedy.jsonl", "--max-new-tokens", "260",
                "--output", "@text2grad_critiques.jsonl", "--unconstrained",
                NULL);
}

static t2g_status one_stage(demo_run *d, int stage)
{
    switch (stage) {
    case STAGE_DATA: return stage_data(d);
    case STAGE_SFT: return stage_sft(d);
    case STAGE_ANNOTATE: return stage_annotate(d);
    case STAGE_RM: return stage_rm(d);
    case STAGE_PPO: return stage_rl(d, ARM_PPO);
    case STAGE_T2G: return stage_rl(d, ARM_T2G);
    default: return stage_eval(d);
    }
}

static t2g_status work(demo_run *d)
{
    char path[4096];
    T2G_TRY(demo_path(d, path, "commands.sh"));
    d->commands = fopen(path, "w");
    if (!d->commands)
        return t2g_fail(T2G_ERR_IO, "%s: %s", path, strerror(errno));
    for (int i = 0; i < STAGES; i++) {
        double start = cli_seconds();
        if (!d->inv->common.quiet)
            fprintf(stderr, "\n[%d/%d] %s\n", i + 1, STAGES, demo_stage[i]);
        T2G_TRY(one_stage(d, i));
        d->seconds[i] = cli_seconds() - start;
    }
    T2G_TRY(demo_finish(d));
    return call(d, &command_report, "@.", NULL);
}

static int run(const command *self, int argc, char **argv)
{
    const char *output_dir = "t2g-demo";
    bool overwrite = false, is_quick = false;
    option table[] = {
        {"quick", OPTION_FLAG, &is_quick, "Demo",
         "every stage, tiny: seconds instead of minutes, no learning to see; "
         "rewards come from the true critic", 0, 0, NULL, false},
        {"output-dir", OPTION_TEXT, &output_dir, "Output",
         "models, data, metrics, commands.sh, report.html", 0, 0, NULL, false},
        {"overwrite", OPTION_FLAG, &overwrite, "Output",
         "replace another run's files", 0, 0, NULL, false},
        {0}};
    invocation inv;
    int status = cli_parse(&inv, self, table, argc, argv);
    if (status >= 0)
        return status;
    demo_run d = {.inv = &inv, .scale = is_quick ? quick : full};
    snprintf(d.dir, sizeof d.dir, "%s", output_dir);
    cli_catch_interrupts();
    t2g_status s = cli_output_dir(&inv, output_dir, false, overwrite);
    if (s == T2G_OK)
        s = work(&d);
    status = s == T2G_OK ? EXIT_DONE : cli_failed(&inv);
    if (d.commands)
        fclose(d.commands);
    cli_free(&inv);
    return status;
}

const command command_demo = {
    "demo", "the whole algorithm on a built-in task",
    "[--output-dir DIR] [--seed N] [--quick]",
    "t2g demo --output-dir demo --seed 1", run};
