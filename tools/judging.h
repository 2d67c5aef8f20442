/* Rewards from a critic, shared by train-rm, critique and train. */
#ifndef JUDGING_H
#define JUDGING_H

#include "training.h"

#define UNCONSTRAINED_OPTION(value, group)                                     \
    {"unconstrained", OPTION_FLAG, &(value), group,                            \
     "let the reward model write anything: by default each critique is "       \
     "complete JSON and quotes the response exactly", 0, 0, NULL, false}

/* What the replies of rm must be, or NULL if they are unconstrained. */
T2G_CHECK t2g_status judge_grammar(t2g_reply_grammar **g, const t2g_model *rm,
                                   const t2g_tokenizer *tok,
                                   bool unconstrained);

/* Judges the responses of records r (prompt, response); out [r->count], to be
 * freed with judgements_free. With a bar named `stage`. */
T2G_CHECK t2g_status judge_records(t2g_judgement *out, const t2g_records *r,
                                   const t2g_model *rm,
                                   const t2g_tokenizer *tok, session *s,
                                   uint64_t max_new_tokens, bool unconstrained,
                                   const char *stage);
void judgements_free(t2g_judgement *j, size_t n);

/* Held-out quality of a reward model against the critiques in records r. */
typedef struct judge_quality {
    t2g_label_counts labels;
    size_t responses, unparsed, exact; /* exact: all token rewards equal */
} judge_quality;
T2G_CHECK t2g_status judge_quality_measure(judge_quality *q,
                                           const t2g_records *r,
                                           const t2g_judgement *j,
                                           const t2g_tokenizer *tok);
json_t *judge_quality_json(const judge_quality *q);

#endif
