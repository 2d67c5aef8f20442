/* t2g train-rm: the generative reward model, from feedback records. */
#include <string.h>

#include "judging.h"

static void print_quality(const judge_quality *q)
{
    static const char *const label[] = {"good", "poor"};
    printf("%-6s %9s %9s %9s %9s\n", "tokens", "precision", "recall", "F1",
           "number");
    for (int k = 0; k < 2; k++) {
        double p, r, f;
        t2g_label_scores(&q->labels, k, &p, &r, &f);
        printf("%-6s %9.3f %9.3f %9.3f %9zu\n", label[k], p, r, f,
               q->labels.actual[k]);
    }
    printf("%zu responses: %.1f %% of the span maps exact, %.1f %% of the "
           "replies unparsed\n", q->responses,
           100.0 * (double)q->exact / (double)q->responses,
           100.0 * (double)q->unparsed / (double)q->responses);
}

static t2g_status evaluate(session *s, uint64_t max_new_tokens,
                           bool unconstrained)
{
    t2g_records r = {0};
    judge_quality q;
    t2g_status st = load_records(&r, s->inv, s->o, s->o->eval_data);
    t2g_judgement *j = st == T2G_OK ? t2g_calloc(r.count, sizeof *j) : NULL;
    if (st == T2G_OK && !j)
        st = T2G_ERR_MEMORY;
    if (st == T2G_OK)
        st = judge_records(j, &r, s->model, s->tok, s, max_new_tokens,
                           unconstrained, "reward model, held out");
    if (st == T2G_OK)
        st = judge_quality_measure(&q, &r, j, s->tok);
    if (st == T2G_OK) {
        json_t *line = judge_quality_json(&q);
        if (s->inv->common.json) {
            json_dumpf(line, stdout, JSON_COMPACT);
            putchar('\n');
        } else if (!s->inv->common.quiet) {
            print_quality(&q);
        }
        json_object_set_new(line, "stage", json_string("train-rm-eval"));
        metrics_line(s, line);
    }
    judgements_free(j, r.count);
    t2g_records_free(&r);
    return st;
}

static t2g_status work(session *s, const invocation *inv,
                       const training_options *o, uint64_t max_new_tokens,
                       bool unconstrained)
{
    T2G_TRY(train_records(s, inv, o,
                          o->spans_only ? EXAMPLE_SPANS : EXAMPLE_REWARD,
                          "reward model"));
    if (o->eval_data)
        T2G_TRY(evaluate(s, max_new_tokens, unconstrained));
    return metrics_close(s);
}

static int run(const command *self, int argc, char **argv)
{
    training_options o = {
        .learning_rate = 2e-5, .adam_beta1 = 0.9, .adam_beta2 = 0.999,
        .adam_epsilon = 1e-8, .max_grad_norm = 1, .epochs = 1,
        .batch_size = 16, .max_length = 1400, .logging_steps = 10};
    uint64_t max_new_tokens = 500;
    bool unconstrained = false;
    option table[] = {
        DATA_OPTIONS(o),
        {"eval-data", OPTION_TEXT, &o.eval_data, "Input",
         "held-out feedback: precision, recall, F1 per label at the end", 0, 0,
         NULL, false},
        {"spans-only", OPTION_FLAG, &o.spans_only, "Input",
         "learns the spans without the critique in words, to see what the "
         "words are worth", 0, 0, NULL, false},
        {"max-new-tokens", OPTION_COUNT, &max_new_tokens, "Input",
         "longest critique written for --eval-data", 1, 1 << 20, NULL, false},
        UNCONSTRAINED_OPTION(unconstrained, "Input"),
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
        status = work(&s, &inv, &o, max_new_tokens, unconstrained) == T2G_OK
                     ? EXIT_DONE : cli_failed(&inv);
        session_close(&s);
    }
    cli_free(&inv);
    return status;
}

const command command_train_rm = {
    "train-rm", "trains a generative reward model on critiques",
    "--model DIR --data FEEDBACK --output-dir DIR [options]",
    "t2g train-rm --model sft --data feedback.jsonl --eval-data held_out.jsonl "
    "--output-dir rm --learning-rate 1e-3",
    run};
