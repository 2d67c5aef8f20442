/** The built-in task: short messages that tell facts, one-sentence summaries
 * with the errors real summaries have, and a critic that checks every fact
 * against the message. The critic never sees the reference. */
#ifndef T2G_FACTS_H
#define T2G_FACTS_H

#include <stddef.h>
#include <stdint.h>

#include "t2g/feedback.h"
#include "t2g/memory.h"
#include "t2g/status.h"

enum { T2G_FACT_EVENT, T2G_FACT_DAY, T2G_FACT_TIME, T2G_FACT_PLACE,
       T2G_FACT_HOST, T2G_FACT_PRICE, T2G_FACT_ITEM, T2G_FACTS };

/** Static name of a fact: "event", "day", ... */
const char *t2g_fact_name(size_t fact);

/** How often references err: shares in [0,1]. */
typedef struct t2g_facts_errors {
    double outdated, wrong, missing, invented;
    double repeated; /* of the places where a fact may be told once more */
    double restart;  /* of summaries that begin again instead of ending */
} t2g_facts_errors;
/** The habits of the references the policy is trained on (outdated .75, wrong
 * .04, missing .10, invented .30), and the spoiled ones of the reward model's
 * data, which hold what reinforcement learning will try. */
extern const t2g_facts_errors t2g_facts_reference, t2g_facts_spoiled;

/** Message `number` of `seed` and a summary of it: appended to post, summary.
 * The message depends on (seed, number) alone, the summary also on errors and
 * variant. Training and held-out messages use different number ranges. */
T2G_CHECK t2g_status t2g_facts_sample(uint64_t seed, uint32_t number,
                                      uint32_t variant,
                                      const t2g_facts_errors *errors,
                                      t2g_buffer *post, t2g_buffer *summary);

/** The prompt of a post: "POST: <post>\nTL;DR:" (the answer then starts with a
 * blank). */
T2G_CHECK t2g_status t2g_facts_prompt(const char *post, t2g_buffer *out);

/** What the true checker found. accuracy = right / (right + wrong + missing +
 * invented + repeated). */
typedef struct t2g_facts_tally {
    size_t right, wrong, missing, invented, repeated;
    size_t fact_right[T2G_FACTS], fact_told[T2G_FACTS]; /* per fact */
} t2g_facts_tally;

/** Checks a response against a post given as its prompt (or the bare post).
 * Text that is no post of this task is T2G_ERR_FORMAT. critique (may be NULL)
 * gets the words and spans, with byte ranges; tally (may be NULL) is added
 * to. */
T2G_CHECK t2g_status t2g_facts_check(const char *prompt, size_t prompt_length,
                                     const char *response, size_t n,
                                     t2g_critique *critique,
                                     t2g_facts_tally *tally);
double t2g_facts_accuracy(const t2g_facts_tally *tally);

#endif
