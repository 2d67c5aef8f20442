/* The released code's rewards for a record, beside ours. */
#ifndef ALIGN_OFFICIAL_H
#define ALIGN_OFFICIAL_H

#include "cli.h"

extern const char *const task_names[]; /* in the order of t2g_task */

/* What the released code gives the tokens of a response, before the length
 * weight. A record with a raw reply has that read; else its spans or words are
 * put as the reply that lists them. *status: "success", or why there is
 * none (all rewards 0 then). */
T2G_CHECK t2g_status official_rewards(float *reward, const char **status,
                                      t2g_task task, const json_t *record,
                                      const t2g_critique *critique,
                                      t2g_text response,
                                      const size_t *offset, size_t tokens);

#endif
