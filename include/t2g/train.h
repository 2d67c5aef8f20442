/** Training: optimisers, schedules, and the loops that put the stages together:
 * supervised fine-tuning (the reward model is one), rollouts, the PPO step. */
#ifndef T2G_TRAIN_H
#define T2G_TRAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "t2g/feedback.h"
#include "t2g/kernels.h"
#include "t2g/model.h"
#include "t2g/ppo.h"
#include "t2g/reply.h"
#include "t2g/status.h"
#include "t2g/tokenizer.h"

/* --- optimisers ----------------------------------------------------------- */

typedef enum t2g_optim { T2G_ADAMW, T2G_ADAM, T2G_ADAFACTOR } t2g_optim;

typedef struct t2g_optim_config {
    t2g_optim kind;
    double b1, b2, eps, weight_decay; /* .9 .999 1e-8 0 */
    double max_grad_norm;             /* <= 0: no clipping */
} t2g_optim_config;

/** Moments of one model's trainable parameters. */
typedef struct t2g_optimizer t2g_optimizer;
T2G_CHECK t2g_status t2g_optimizer_new(t2g_optimizer **o,
                                       const t2g_optim_config *config,
                                       const t2g_model *m);
void t2g_optimizer_free(t2g_optimizer *o);
/** One update with m's gradients: global norm (into *norm, may be NULL),
 * clipping by min(1, max/(norm+1e-6)), the rule, gradients zeroed, panels
 * repacked. A non-finite norm is T2G_ERR_NUMERIC naming the first bad tensor;
 * nothing has changed then. */
T2G_CHECK t2g_status t2g_optimizer_step(t2g_optimizer *o, t2g_model *m,
                                        double lr, double *norm);
/** Feeds the state (step, moments) to a digest. */
void t2g_optimizer_digest(const t2g_optimizer *o, t2g_digest *d);

/** min(1, max_norm / (norm + 1e-6)); 1 if max_norm <= 0. */
double t2g_clip_factor(double norm, double max_norm);
/** The kernel's constants for update t (from 1) of Adam or AdamW. The bias
 * corrections are those of b1 and b2 as the kernel has them, rounded to float:
 * 1 - 0.999 is off by 1.3e-5 there, in numerator and denominator alike. */
t2g_adamw t2g_adamw_constants(const t2g_optim_config *c, uint64_t t, double lr,
                              double scale);
/** Adafactor (arXiv 1804.04235, alg. 4) on one tensor, as Hugging Face's class
 * with scale_parameter, relative_step and warmup_init off:
 *   b2 = 1 - t^-0.8,  s = g*g + 1e-30
 *   row = b2*row + (1-b2)*mean over columns of s;  col: mean over rows
 *   u = g / sqrt(row/mean(row)) / sqrt(col),  u = u / max(1, rms(u))
 *   p = (p - weight_decay*lr*p) - lr*u
 * p [rows, cols] in and out, g in; row [rows], col [cols] start at 0 (rows = 1:
 * a vector, whose accumulator is col). t from 1. T2G_ERR_MEMORY: all unchanged.
 */
T2G_CHECK t2g_status t2g_adafactor(float *p, const float *g, float *row,
                                   float *col, size_t rows, size_t cols,
                                   uint64_t t, double lr, double weight_decay);

typedef enum t2g_schedule {
    T2G_LINEAR,    /* lr * max(0, 1-x), x = (k - warmup) / (total - warmup) */
    T2G_COSINE,    /* lr * (1 + cos(pi*x)) / 2; rises again for x > 1 */
    T2G_CONSTANT,  /* lr */
    T2G_WARMUP_LOG /* DeepSpeed's WarmupLR: lr * min(1, ln k / ln warmup), 0 for
                      k = 0; no decay, total is not used */
} t2g_schedule;
/** Rate of update k (from 0) of `total`: for the first three, update k < warmup
 * has lr*(k+1)/warmup, then the shape (x = 1 if total <= warmup). */
double t2g_learning_rate(t2g_schedule s, double lr, uint64_t k, uint64_t warmup,
                         uint64_t total);

/* --- supervised fine-tuning (baselines.md section 2) ---------------------- */

/** One example: prompt ids (not trained on) and completion ids, of which those
 * with target[i] (NULL: all) are trained on. */
typedef struct t2g_example {
    uint32_t *id;
    size_t count, prompt;
    uint8_t *target; /* [count] */
} t2g_example;

typedef struct t2g_sft_config {
    t2g_optim_config optim;
    t2g_schedule schedule;
    double lr;
    uint64_t warmup, steps;
    size_t batch; /* sequences an update */
    uint64_t seed;
} t2g_sft_config;

/** What one update did; given to the progress callback. */
typedef struct t2g_sft_report {
    uint64_t step, steps, tokens; /* tokens: processed so far */
    double loss, accuracy, entropy, lr, grad_norm, seconds;
} t2g_sft_report;

/** Gives example number i of the run (i = step*batch + k): ids stay valid until
 * the next call. Draw from a fixed set by a shuffle, or generate. */
typedef t2g_status t2g_example_fn(void *context, uint64_t i, t2g_example *out);
/** Called after each update; T2G_ERR_INTERRUPTED ends the run cleanly. */
typedef t2g_status t2g_sft_progress_fn(void *context, const t2g_sft_report *r);

/** Trains m by cross-entropy on completions: the loss of an update is the mean
 * over all its completion tokens. */
T2G_CHECK t2g_status t2g_sft(t2g_model *m, const t2g_sft_config *config,
                             t2g_example_fn *example, void *example_context,
                             t2g_sft_progress_fn *progress,
                             void *progress_context);

/** Mean loss and accuracy over examples 0..n-1, no training. */
T2G_CHECK t2g_status t2g_sft_evaluate(const t2g_model *m, size_t batch,
                                      t2g_example_fn *example, void *context,
                                      uint64_t n, double *loss,
                                      double *accuracy);

/* --- sequences ------------------------------------------------------------ */

/** Ids of a prompt: the tokenizer's template, and its bos in front when it has
 * one that is not its eos and the template gave none. Appends to out. */
T2G_CHECK t2g_status t2g_encode_prompt(const t2g_tokenizer *t, const char *text,
                                       size_t n, t2g_encoding *out);
/** Ids of a training example: prompt, completion (tokenised alone: no merge
 * across the border), end token (the tokenizer's eos, if any). Replaces work,
 * which owns the ids of *out. */
T2G_CHECK t2g_status t2g_encode_example(const t2g_tokenizer *t,
                                        const char *prompt, size_t prompt_n,
                                        const char *completion, size_t n,
                                        t2g_encoding *work, t2g_example *out);

/* --- the generative reward model [T2G] section 3 -------------------------- */

/** The text a reward model reads: prompt, response, "\nCRITIQUE:" - a blank
 * between the first two unless there is white space already. One prompt for
 * training, run time and evaluation. Appends to out. */
T2G_CHECK t2g_status t2g_reward_prompt(const char *prompt, size_t prompt_n,
                                       const char *response, size_t n,
                                       t2g_buffer *out);
/** The training example of a critique: reward prompt -> blank and the reply. */
T2G_CHECK t2g_status t2g_reward_example(const t2g_tokenizer *t,
                                        const char *prompt, size_t prompt_n,
                                        const char *response, size_t n,
                                        const t2g_critique *critique,
                                        t2g_encoding *work, t2g_example *out);

/** A response to be judged, and the judgement. */
typedef struct t2g_judgement {
    const char *prompt, *response;
    size_t prompt_length, response_length;
    t2g_critique critique; /* out; t2g_critique_free */
} t2g_judgement;

/** Lets the reward model write a critique for each of n responses. With a
 * grammar (made for rm's vocabulary and end tokens) every reply parses and
 * quotes what is there; without (NULL) replies that do not parse have status
 * UNPARSED. progress may be NULL. */
T2G_CHECK t2g_status t2g_reward_judge(const t2g_model *rm,
                                      const t2g_tokenizer *t,
                                      const t2g_reply_grammar *grammar,
                                      t2g_judgement *j, size_t n,
                                      const t2g_sampling *sampling,
                                      t2g_generate_progress_fn *progress,
                                      void *context);

/** Token-level agreement of predicted with true rewards, per sign. */
typedef struct t2g_label_counts {
    size_t hit[2], predicted[2], actual[2]; /* 0: good (> 0), 1: poor (< 0) */
} t2g_label_counts;
void t2g_label_count(t2g_label_counts *c, const float *predicted,
                     const float *actual, size_t tokens);
/** Precision, recall, F1 of label 0 or 1; 0/0 is 0. */
void t2g_label_scores(const t2g_label_counts *c, int label, double *precision,
                      double *recall, double *f1);

/* --- rollouts and the PPO step -------------------------------------------- */

typedef struct t2g_rl_config {
    t2g_ppo_config ppo;
    t2g_optim_config optim;
    t2g_schedule schedule;
    double lr;
    uint64_t warmup, steps;         /* PPO steps; warm-up in steps */
    size_t batch, minibatch;        /* sequences a step, a minibatch */
    size_t gradient_accumulation;   /* minibatches an update */
    size_t ppo_epochs;
    t2g_granularity granularity;
    t2g_kl_penalty kl_penalty;
    t2g_kl_controller kl;           /* start value, target, horizon */
    float gamma, lam;
    t2g_whitening whiten;           /* of advantages */
    float reward_scale;
    float advantage_clamp;          /* <= 0: none; after whitening */
    bool fit_value_head;            /* least squares on the first returns */
    double value_ridge;
    bool early_stopping;
    double target_kl;
    t2g_sampling sampling;
    uint64_t seed;
} t2g_rl_config;

/** The recommended defaults (ppo.md section 15). */
t2g_rl_config t2g_rl_defaults(void);

/** Rewards for one sampled response; ids and byte ranges given. delta [tokens]
 * starts at 0. *usable = false excludes the response from the update. */
typedef struct t2g_rollout {
    const uint32_t *prompt, *response; /* ids; response with its end token */
    size_t prompt_count, response_count;
    uint64_t prompt_index;             /* which prompt of the data */
    bool ended;                        /* an end token was sampled */
    const char *text;                  /* the response's bytes, specials out */
    size_t text_length;
    const size_t *offset;              /* flat byte ranges in text */
    float *delta;                      /* out, [response_count] */
    bool usable;                       /* in: true */
} t2g_rollout;

/** Fills delta of n rollouts (all of a step at once). */
typedef t2g_status t2g_reward_fn(void *context, uint64_t step, t2g_rollout *r,
                                 size_t n);
/** Gives prompt ids of sample i = step*batch + k; valid until the next call. */
typedef t2g_status t2g_prompt_fn(void *context, uint64_t i,
                                 const uint32_t **ids, size_t *count,
                                 uint64_t *prompt_index);

typedef struct t2g_rl_report {
    uint64_t step, steps;
    t2g_step_stats step_stats;
    t2g_ppo_stats stats;      /* means over the step's minibatches */
    double kl_coef, lr, grad_norm;
    double score;             /* mean over usable rows of sum of delta */
    size_t usable, rows, response_tokens, skipped_minibatches;
    double seconds_rollout, seconds_reward, seconds_update, var_explained;
    const t2g_rollout *rollout; /* the step's rows, for logs */
} t2g_rl_report;
typedef t2g_status t2g_rl_progress_fn(void *context, const t2g_rl_report *r);

/** Text2Grad, PRM-PPO and scalar PPO by `granularity`: one code path. m needs a
 * value head; ref is the reference policy (not changed). */
T2G_CHECK t2g_status t2g_rl(t2g_model *m, const t2g_model *ref,
                            const t2g_tokenizer *tok,
                            const t2g_rl_config *config, t2g_prompt_fn *prompt,
                            void *prompt_context, t2g_reward_fn *reward,
                            void *reward_context, t2g_rl_progress_fn *progress,
                            void *progress_context);

#endif
