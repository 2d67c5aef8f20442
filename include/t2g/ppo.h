/** The policy optimiser's formulas: KL, rewards, advantages, whitening, the
 * clipped losses and their gradients, controllers, statistics. Everything acts
 * on flat arrays of decisions: position p decides token p+1 of its row; rows
 * follow one another and `row` [rows+1] gives their borders. mask is 0/1 per
 * decision. Sums are sequential, in double, rounded once. Sources: [PPO] arXiv
 * 1707.06347, [GAE] arXiv 1506.02438, [T2G] arXiv 2505.22338 and its released
 * code, [TRL] 0.11's PPOTrainer, whose names the statistics have. */
#ifndef T2G_PPO_H
#define T2G_PPO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "t2g/status.h"

/* --- which decisions are trained on --------------------------------------- */

typedef enum t2g_mask_kind {
    T2G_MASK_DEFAULT, /* the response through its first end token */
    T2G_MASK_PUNCT_ALIGNED, /* less decisions for a punctuation token */
    T2G_MASK_OFFICIAL, /* as released with [T2G]: punctuation and end token are
                          looked for at p, not p+1, in another row's tokens */
    T2G_MASK_TRL       /* the whole response */
} t2g_mask_kind;

/** One row of a batch: `offset` padding tokens, prompt, response, padding. */
typedef struct t2g_mask_row {
    const uint32_t *id; /* [tokens] */
    size_t tokens, offset, prompt, response;
} t2g_mask_row;

typedef struct t2g_mask_tokens {
    uint32_t end;          /* end of turn */
    const uint32_t *punct; /* tokens that are one of , . ? ! */
    size_t punct_count;
} t2g_mask_tokens;

/** mask [tokens-1] of one row. seen [tokens] (OFFICIAL only, else NULL): the
 * ids that the released code looks at, those of row b mod f of the batch for
 * row b and f rows a forward pass. T2G_ERR_ARG: no prompt token, or more
 * tokens than the row has. */
T2G_CHECK t2g_status t2g_mask(uint8_t *mask, const t2g_mask_row *row,
                              const uint32_t *seen, const t2g_mask_tokens *t,
                              t2g_mask_kind kind);

/* --- statistics under a mask ---------------------------------------------- */

/** sum(x*m)/sum(m); NaN when the mask is empty. mask NULL = all ones. */
double t2g_masked_mean(const float *x, const uint8_t *mask, size_t n);
/** Unbiased (or biased) variance under the mask; N <= 1 gives 0. */
double t2g_masked_variance(const float *x, const uint8_t *mask, size_t n,
                           bool unbiased);

typedef enum t2g_whitening {
    T2G_WHITEN_FULL,      /* (x - mean) / sqrt(var + 1e-8) */
    T2G_WHITEN_KEEP_MEAN, /* the same with the mean added back (TRL's reward
                             whitening) */
    T2G_WHITEN_SCALE,     /* x / sqrt(mean(x*x) + 1e-8): sign is kept */
    T2G_WHITEN_NONE
} t2g_whitening;

/** In place; positions with mask 0 become 0 (unless mode is NONE). N <= 1: full
 * whitening gives 0. */
void t2g_whiten(float *x, const uint8_t *mask, size_t n, t2g_whitening mode);

/* --- rewards -------------------------------------------------------------- */

typedef enum t2g_kl_penalty { T2G_KL_KL, T2G_KL_ABS, T2G_KL_MSE,
                              T2G_KL_FULL } t2g_kl_penalty;

/** kl[p] from log-probabilities of the taken tokens under policy and reference.
 * FULL needs whole distributions and is computed by the vocabulary projection:
 * T2G_ERR_ARG here. */
T2G_CHECK t2g_status t2g_kl(float *kl, const float *logprob,
                            const float *ref_logprob, size_t n,
                            t2g_kl_penalty penalty);

/** reward[p] = -coef*kl[p] + mask[p]*delta[p]; coef rounded to float first. */
void t2g_token_rewards(float *reward, const float *kl, const float *delta,
                       const uint8_t *mask, size_t n, double coef);

/** Scalar PPO as [TRL] has it: adds score to the reward of the row's last
 * unmasked decision. T2G_ERR_ARG: there is none. */
T2G_CHECK t2g_status t2g_scalar_reward(float *reward, const uint8_t *mask,
                                       size_t n, float score);

typedef enum t2g_granularity { T2G_TOKEN, T2G_STEP, T2G_WHOLE } t2g_granularity;

/** Moves the rewards of one response to where the algorithm gives them: TOKEN
 * (Text2Grad) leaves delta; STEP (PRM-PPO) puts each step's sum on its last
 * unmasked token; WHOLE (scalar PPO) puts the sum on the last unmasked token.
 * The sum over the response is the same in all three. step [n] numbers each
 * decision's step, rising (unused otherwise, may be NULL). */
void t2g_regroup_rewards(float *delta, const uint8_t *mask,
                         const uint32_t *step, size_t n, t2g_granularity g);

typedef enum t2g_reduce {
    T2G_REDUCE_SUM,
    T2G_REDUCE_MEAN,
    T2G_REDUCE_SIGN, /* of the sum: the labels of a process reward model */
    T2G_REDUCE_MIN
} t2g_reduce;

/** The STEP case with another number for a step, over its unmasked tokens. */
void t2g_step_rewards(float *delta, const uint8_t *mask, const uint32_t *step,
                      size_t n, t2g_reduce reduce);

typedef enum t2g_step_mode {
    T2G_STEPS_SENTENCE, /* prose: behind end marks and at line breaks */
    T2G_STEPS_LINE,     /* code: a blank line belongs to the step before */
    T2G_STEPS_WHOLE
} t2g_step_mode;

/** Cuts n bytes of text into steps: step k is [end[k-1], end[k]), from 0 to n.
 * Empty text has none. end out [n], *steps its used length. Bytes that are not
 * UTF-8 are characters without a class. T2G_ERR_MEMORY. */
T2G_CHECK t2g_status t2g_step_ends(size_t *end, size_t *steps, const char *text,
                                   size_t n, t2g_step_mode mode);
/** step[i] of the tokens with byte ranges offset [2*tokens]: the step that
 * holds a token's first byte that is not white space; without one (white
 * space, end token) that of the token before, at first 0. T2G_ERR_MEMORY. */
T2G_CHECK t2g_status t2g_token_steps(uint32_t *step, const char *text, size_t n,
                                     const size_t *end, size_t steps,
                                     const size_t *offset, size_t tokens);
/** Both for sentences. T2G_ERR_MEMORY. */
T2G_CHECK t2g_status t2g_sentence_steps(uint32_t *step, const char *text,
                                        size_t n, const size_t *offset,
                                        size_t tokens);

/* --- rewards as the released code of [T2G] makes them --------------------- */

/** Scores of words -> scores of the tokens of one row. token: strings decoded
 * one by one, padding included; word, word_score [words]. Both are compared
 * after stripping white space, lowering and turning U+201B into an apostrophe
 * (official.h). From the first non-empty token behind "<|start_header_id|>",
 * "assistant", "<|end_header_id|>" (*start) words are matched greedily with up
 * to 9 tokens; after `attempts` tokens (6 for KodCode, else 5) that begin no
 * match a word is given up. A matched token gets its word's score, except one
 * that starts with "<" or has no letter or digit; all others get 0. score out
 * [tokens]; *skipped: share of words given up. A word that would end at the
 * very last token is not found, as there. T2G_ERR_ARG: no assistant header,
 * outputs untouched; T2G_ERR_MEMORY. */
T2G_CHECK t2g_status t2g_official_token_scores(
    float *score, size_t *start, double *skipped, const char *const *token,
    size_t tokens, const char *const *word, const float *word_score,
    size_t words, unsigned attempts);

/** Weight of tokens by their distance from the first non-zero score (SLF5K): 1
 * before it, then with k = 1, 2, ...
 *   weight = 1 / (1 + exp(clamp(alpha*(k - length) - 6, -10, 6)))
 * weight out [n], score in [n]. */
void t2g_length_weight(double *weight, const float *score, size_t n,
                       double alpha, double length);

/* --- advantages ----------------------------------------------------------- */

typedef enum t2g_gae_gap { T2G_GAP_RESET, T2G_GAP_DECAY } t2g_gae_gap;

/** Advantages of one row of n decisions. [GAE] eq. 16:
 *   d[p]   = reward[p] + gamma*value[p+1] - value[p],  value[n] = 0
 *   adv[p] = d[p] + gamma*lambda*adv[p+1],             adv[n] = 0
 *   ret[p] = adv[p] + value[p]
 * with value and reward taken as 0 where the mask is 0. RESET also sets adv to
 * 0 there, so a gap ends the trace; DECAY lets it pass. adv, ret out [n],
 * reward units, not whitened; they may not overlap inputs. In float, one
 * operation after the other. T2G_ERR_ARG, outputs untouched: gamma or lambda
 * outside [0,1]. */
T2G_CHECK t2g_status t2g_gae(float *adv, float *ret, const float *reward,
                             const float *value, const uint8_t *mask, size_t n,
                             float gamma, float lambda, t2g_gae_gap gap);

/* --- the loss of one minibatch -------------------------------------------- */

typedef struct t2g_ppo_config {
    float cliprange, cliprange_value; /* cliprange_value <= 0: no clipping */
    float vf_coef, ent_coef;
    float ratio_threshold; /* mean ratio above it skips the minibatch */
    float logratio_clamp;  /* 20; <= 0: none (TRL) */
} t2g_ppo_config;

/** Statistics of one minibatch, or their means; see t2g_ppo_stat_names.
 * Variances are NaN when the minibatch has a single decision. */
typedef struct t2g_ppo_stats {
    double loss_policy, loss_value, loss_total; /* loss_value without vf_coef */
    double entropy, approxkl, policykl, clipfrac, advantages_mean, ratio_mean;
    double returns_mean, returns_var, vpred, val_error, val_clipfrac, val_mean,
        val_var;
    size_t decisions; /* N = sum of the mask */
    bool skipped;     /* by the ratio threshold */
} t2g_ppo_stats;

/** rho = exp(clamp(logprob - old_logprob, -limit, limit)); limit <= 0: none. */
float t2g_ratio(float old_logprob, float logprob, float limit);

/** Loss and gradients, with N = sum of the mask and the config's names:
 *   policy = sum(max(-A*rho, -A*clamp(rho, 1-cliprange, 1+cliprange))) / N
 *   value  = sum(max((v-R)^2, (clamp(v, v_old-range, v_old+range) - R)^2)) / 2N
 *   total  = policy + vf_coef*value - ent_coef*sum(entropy)/N
 * Where a clipped term is the greater one, or the log-ratio is clamped, there
 * is no gradient. mean(rho) > ratio_threshold makes the losses 0. In [n]:
 * mask, old_logprob, logprob, old_value, value, advantage, ret, entropy. Out
 * [n]: d_logprob, d_value = d loss_total / d logprob, value, and d_entropy,
 * each times `scale` (1/number of minibatches of the update). All 0 where the
 * mask is 0, after a skip, or when the mask is empty. */
void t2g_ppo_loss(float *d_logprob, float *d_value, float *d_entropy,
                  t2g_ppo_stats *stats, const uint8_t *mask,
                  const float *old_logprob, const float *logprob,
                  const float *old_value, const float *value,
                  const float *advantage, const float *ret,
                  const float *entropy, size_t n, const t2g_ppo_config *config,
                  float scale);

/* --- controllers ---------------------------------------------------------- */

typedef struct t2g_kl_controller {
    double coef, target, horizon;
    bool adaptive;
} t2g_kl_controller;
/** After a step: kl = objective/kl, n = rows of the step. */
void t2g_kl_controller_update(t2g_kl_controller *c, double kl, double n);

typedef struct t2g_running_moments {
    double mean, std, var, count;
} t2g_running_moments;
/** Start: {0, 1, 1, 1e-24}. Also gives the batch's mean and unbiased std (NaN
 * for n = 1). n = 0 changes nothing and gives NaN. */
void t2g_running_moments_update(t2g_running_moments *m, const float *x,
                                size_t n, double *batch_mean,
                                double *batch_std);

/** For scalar scores; off by default. */
typedef struct t2g_score_scaling {
    bool scale;     /* divide by the running std */
    bool normalise; /* after subtracting the running mean; only with scale */
    float clip;     /* then clamp to [-clip, clip]; <= 0: none */
} t2g_score_scaling;
/** Updates m with the scores, then scales them in place by the new state:
 * (x - mean) / (std + 2^-23). */
void t2g_scale_scores(float *score, size_t n, t2g_running_moments *m,
                      const t2g_score_scaling *c);

/** True when policykl > 1.5 * target. */
bool t2g_early_stop(double policykl, double target);

/* --- value head start ----------------------------------------------------- */

/** Ridge least squares: weight [width], bias minimising
 *   sum over unmasked p of (weight . hidden[p] + bias - ret[p])^2
 *   + ridge * N * |weight|^2
 * over hidden [n, width]; normal equations and Cholesky in double. T2G_ERR_ARG:
 * nothing unmasked; T2G_ERR_NUMERIC: not positive definite. */
T2G_CHECK t2g_status t2g_value_head_fit(float *weight, float *bias,
                                        const float *hidden, const float *ret,
                                        const uint8_t *mask, size_t n,
                                        size_t width, double ridge);

/* --- statistics of a step ------------------------------------------------- */

typedef struct t2g_step_stats {
    double kl;                    /* objective/kl: mean over rows of sum kl*m */
    double entropy;               /* objective/entropy: mean of sum -lp*m */
    double mean_non_score_reward; /* ppo/mean_non_score_reward */
    double mean_scores, std_scores; /* rows' mean delta; of unbiased std */
} t2g_step_stats;
void t2g_ppo_step_stats(t2g_step_stats *s, const float *kl,
                        const float *logprob, const float *delta,
                        const uint8_t *mask, const size_t *row, size_t rows,
                        double coef);

/** Where TRL's statistic `name` ("policy/clipfrac"; logged under "ppo/") is in
 * t2g_ppo_stats: a double at byte `offset`. */
typedef struct t2g_ppo_stat_name {
    const char *name;
    size_t offset;
} t2g_ppo_stat_name;
enum { T2G_PPO_STATS = 16 };
extern const t2g_ppo_stat_name t2g_ppo_stat_names[T2G_PPO_STATS];

/** Means over the minibatches of a step. Start from {0}. */
typedef struct t2g_ppo_average {
    t2g_ppo_stats sum;
    size_t counted[T2G_PPO_STATS]; /* values that are not finite are left out */
    size_t minibatches, skipped;
} t2g_ppo_average;
void t2g_ppo_average_add(t2g_ppo_average *a, const t2g_ppo_stats *s);
/** 0 where nothing was counted; decisions is the sum; skipped: all were. */
t2g_ppo_stats t2g_ppo_average_mean(const t2g_ppo_average *a);

/** 1 - val/error / returns/var, of the means; 0 without variance. */
double t2g_var_explained(const t2g_ppo_stats *mean);

#endif
