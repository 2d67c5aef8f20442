/* t2g sft: supervised fine-tuning. */
#include <string.h>

#include "training.h"

static t2g_status evaluate(session *s, const char *path, size_t max_length)
{
    t2g_records r = {0};
    examples e = {0};
    double loss = 0, accuracy = 0;
    t2g_status st = load_records(&r, s->inv, s->o, path);
    if (st == T2G_OK)
        st = examples_read(&e, &r, &s->chat, EXAMPLE_SUPERVISED, max_length);
    if (st == T2G_OK)
        st = t2g_sft_evaluate(s->model, s->o->batch_size, examples_next, &e,
                              e.count, &loss, &accuracy);
    if (st == T2G_OK) {
        metrics_line(s, json_pack("{s:s, s:f, s:f}", "stage", "sft-eval",
                                  "eval_loss", loss,
                                  "eval_mean_token_accuracy", accuracy));
        cli_note(s->inv, "held out: loss %.4f, token accuracy %.4f", loss,
                 accuracy);
        if (s->inv->common.json)
            printf("{\"eval_loss\":%.9g,\"eval_mean_token_accuracy\":%.9g}\n",
                   loss, accuracy);
    }
    examples_free(&e);
    t2g_records_free(&r);
    return st;
}

static t2g_status work(session *s, const invocation *inv,
                       const training_options *o)
{
    T2G_TRY(train_records(s, inv, o, EXAMPLE_SUPERVISED, "sft"));
    if (o->eval_data)
        T2G_TRY(evaluate(s, o->eval_data, o->max_length));
    return metrics_close(s);
}

static int run(const command *self, int argc, char **argv)
{
    training_options o = {
        .learning_rate = 2e-5, .adam_beta1 = 0.9, .adam_beta2 = 0.999,
        .adam_epsilon = 1e-8, .max_grad_norm = 1, .epochs = 1,
        .batch_size = 16, .max_length = 1024, .logging_steps = 10};
    option table[] = {
        DATA_OPTIONS(o), CHAT_OPTIONS(o),
        {"eval-data", OPTION_TEXT, &o.eval_data, "Input",
         "held-out records: loss and token accuracy at the end", 0, 0, NULL,
         false},
        OUTPUT_OPTIONS(o), OPTIMISER_OPTIONS(o), LENGTH_OPTIONS(o),
        {0}};
    invocation inv;
    int status = cli_parse(&inv, self, table, argc, argv);
    if (status >= 0)
        return status;
    if (!o.model || !o.data || !o.output_dir)
        status = cli_usage(&inv, "needs --model, --data and --output-dir");
    else {
        session s = {0};
        cli_catch_interrupts();
        status = work(&s, &inv, &o) == T2G_OK ? EXIT_DONE : cli_failed(&inv);
        session_close(&s);
    }
    cli_free(&inv);
    return status;
}

const command command_sft = {
    "sft", "supervised fine-tuning on prompts and completions",
    "--model DIR --data FILE --output-dir DIR [options]",
    "t2g sft --model base --data train.jsonl --output-dir sft "
    "--learning-rate 2e-3 --num-train-epochs 2",
    run};
