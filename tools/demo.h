/* The demo: the program's own commands in sequence on the built-in task. */
#ifndef DEMO_H
#define DEMO_H

#include "training.h"

enum { ARM_SFT, ARM_PPO, ARM_T2G, ARMS };
enum { STAGE_DATA, STAGE_SFT, STAGE_ANNOTATE, STAGE_RM, STAGE_PPO, STAGE_T2G,
       STAGE_EVAL, STAGES };

extern const char *const demo_arm[ARMS], *const demo_stage[STAGES];

/* Everything that --quick makes smaller. */
typedef struct demo_scale {
    size_t hidden, layers, heads, intermediate, vocab;
    size_t tokenizer_texts;
    size_t sft_steps, sft_batch;
    double sft_rate;
    size_t rm_sampled, rm_spoiled, rm_steps, rm_batch, rm_eval;
    double rm_rate;
    size_t rl_steps, rl_batch, rl_minibatch, rl_epochs;
    double t2g_rate, ppo_rate;
    size_t held_out;
    const char *rewards; /* "model" or "facts" */
} demo_scale;

typedef struct demo_score {
    double accuracy, se, repeated, missing, invented, wrong;
} demo_score;

typedef struct demo_run {
    const invocation *inv;
    char dir[2048];
    demo_scale scale;
    FILE *commands; /* commands.sh: what was run */
    double seconds[STAGES];
    demo_score score[ARMS][2]; /* sampled, greedy */
    char digest[33];
} demo_run;

/* Reads the curves of the arms, prints the result, writes result.json. */
T2G_CHECK t2g_status demo_finish(demo_run *d);
/* A file in the demo's directory. */
T2G_CHECK t2g_status demo_path(const demo_run *d, char out[4096],
                               const char *name);

#endif
