/* What the training loops share. */
#ifndef T2G_TRAIN_PRIVATE_H
#define T2G_TRAIN_PRIVATE_H

#include "t2g/train.h"

/* Seconds of a monotonic clock. */
double t2g_clock(void);

/* Rows packed for a forward pass, with the decisions of their completions: the
 * decision for completion token i stands at the token before it. Row r has the
 * decisions first_decision[r] .. first_decision[r+1]-1. Start from {0}. */
typedef struct t2g_pack {
    uint32_t *id;
    size_t *row, *first_decision;
    t2g_decision *decision;
    size_t tokens, rows, decisions, token_capacity, row_capacity;
} t2g_pack;

/* A row without a prompt makes no decision about its first token, none about
 * those with target[i] = 0 (NULL: all are targets). */
T2G_CHECK t2g_status t2g_pack_add(t2g_pack *p, const uint32_t *prompt,
                                  size_t prompt_count,
                                  const uint32_t *completion, size_t count,
                                  const uint8_t *target);
t2g_batch t2g_pack_batch(const t2g_pack *p);
void t2g_pack_clear(t2g_pack *p);
void t2g_pack_free(t2g_pack *p);

/* The samples of one PPO step. Start from {0}. */
typedef struct t2g_rollouts {
    t2g_rollout *rollout;
    size_t count;
    uint32_t *prompt_id;
    size_t *prompt_row;
    t2g_generation generation;
    t2g_buffer text;
    size_t *offset, *ends;
    float *delta;
} t2g_rollouts;

/* Draws n responses to prompts first .. first+n-1; rewards are 0. */
T2G_CHECK t2g_status t2g_rollouts_draw(t2g_rollouts *r, const t2g_model *m,
                                       const t2g_tokenizer *tok,
                                       const t2g_sampling *sampling, size_t n,
                                       uint64_t first, t2g_prompt_fn *prompt,
                                       void *prompt_context);
void t2g_rollouts_free(t2g_rollouts *r);

#endif
