/** The policy optimiser's formulas: KL, rewards, advantages, whitening, the
 * clipped losses and their gradients, controllers, statistics. Everything acts on
 * flat arrays of decisions: position p decides token p+1 of its row; rows follow
 * one another and `row` [rows+1] gives their borders. mask is 0/1 per decision.
 * Sums are sequential, in double, rounded once. Sources: [PPO] arXiv 1707.06347,
 * [GAE] arXiv 1506.02438, [T2G] arXiv 2505.22338; statistics have TRL's names. */
#ifndef T2G_PPO_H
#define T2G_PPO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "t2g/status.h"

/* --- statistics under a mask (ppo.md section 6) ------------------------- */

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

/** In place; unmasked positions become 0 (unless mode is NONE). N <= 1: full
 * whitening gives 0. */
void t2g_whiten(float *x, const uint8_t *mask, size_t n, t2g_whitening mode);

/* --- rewards (section 4.4) ---------------------------------------------- */

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

typedef enum t2g_granularity { T2G_TOKEN, T2G_STEP, T2G_WHOLE } t2g_granularity;

/** Moves the rewards of one response to where the algorithm gives them
 * (baselines.md 1, 4, 5): TOKEN leaves delta; STEP puts each step's sum on its
 * last unmasked token; WHOLE puts the sum on the last unmasked token. step [n]
 * numbers each decision's step, rising (unused otherwise, may be NULL). */
void t2g_regroup_rewards(float *delta, const uint8_t *mask,
                         const uint32_t *step, size_t n, t2g_granularity g);

/** Cuts a response into sentence steps (baselines.md 5): step[i] for the tokens
 * with byte ranges offset [2*tokens]. T2G_ERR_MEMORY. */
T2G_CHECK t2g_status t2g_sentence_steps(uint32_t *step, const char *text,
                                        size_t n, const size_t *offset,
                                        size_t tokens);

/* --- advantages (section 5) ---------------------------------------------- */

typedef enum t2g_gae_gap { T2G_GAP_RESET, T2G_GAP_DECAY } t2g_gae_gap;

/** Advantages of one row of n decisions. [GAE] eq. 16:
 *   d[p]   = reward[p] + gamma*value[p+1] - value[p],  value[n] = 0
 *   adv[p] = d[p] + gamma*lambda*adv[p+1],             adv[n] = 0
 *   ret[p] = adv[p] + value[p]
 * with value and reward taken as 0 where the mask is 0. RESET also sets adv to 0
 * there, so a gap ends the trace; DECAY lets it pass. adv, ret out [n], reward
 * units, not whitened; they may not overlap inputs. In float, one operation after
 * the other. T2G_ERR_ARG, outputs untouched: gamma or lambda outside [0,1]. */
T2G_CHECK t2g_status t2g_gae(float *adv, float *ret, const float *reward,
                             const float *value, const uint8_t *mask, size_t n,
                             float gamma, float lambda, t2g_gae_gap gap);

/* --- the loss of one minibatch (section 7, gradients section 16) ---------- */

typedef struct t2g_ppo_config {
    float cliprange, cliprange_value; /* cliprange_value <= 0: no clipping */
    float vf_coef, ent_coef;
    float ratio_threshold; /* mean ratio above it skips the minibatch */
    float logratio_clamp;  /* 20; <= 0: none (TRL) */
} t2g_ppo_config;

/** Names follow TRL: policy/clipfrac and so on. */
typedef struct t2g_ppo_stats {
    double loss_policy, loss_value, loss_total; /* loss_value without vf_coef */
    double entropy, approxkl, policykl, clipfrac, advantages_mean, ratio_mean;
    double returns_mean, returns_var, vpred, val_error, val_clipfrac, val_mean,
        val_var;
    size_t decisions; /* N = sum of the mask */
    bool skipped;     /* by the ratio threshold */
} t2g_ppo_stats;

/** Loss and gradients. In [n]: mask, old_logprob, logprob, old_value, value,
 * advantage, ret, entropy. Out [n]: d_logprob, d_value = d loss_total /
 * d logprob, value, and d_entropy, each times `scale` (1/number of minibatches of
 * the update). All 0 where the mask is 0, after a skip, or when the mask is empty. */
void t2g_ppo_loss(float *d_logprob, float *d_value, float *d_entropy,
                  t2g_ppo_stats *stats, const uint8_t *mask,
                  const float *old_logprob, const float *logprob,
                  const float *old_value, const float *value,
                  const float *advantage, const float *ret,
                  const float *entropy, size_t n, const t2g_ppo_config *config,
                  float scale);

/* --- controllers (section 10) -------------------------------------------- */

typedef struct t2g_kl_controller {
    double coef, target, horizon;
    bool adaptive;
} t2g_kl_controller;
/** After a step: kl = objective/kl, n = rows of the step. */
void t2g_kl_controller_update(t2g_kl_controller *c, double kl, double n);

typedef struct t2g_running_moments {
    double mean, std, var, count;
} t2g_running_moments;
/** Start: {0, 1, 1, 1e-24}. Also gives the batch's mean and unbiased std. */
void t2g_running_moments_update(t2g_running_moments *m, const float *x,
                                size_t n, double *batch_mean,
                                double *batch_std);

/** True when policykl > 1.5 * target (section 10.3). */
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

/* --- statistics of a step (section 9) ------------------------------------- */

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

#endif
