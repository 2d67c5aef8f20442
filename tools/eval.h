/* t2g eval: what its metrics share. */
#ifndef EVAL_H
#define EVAL_H

#include "training.h"

/* The responses, and a second file about the same ones: references, or the
 * feedback to compare with. */
typedef struct evaluation {
    const invocation *inv;
    const training_options *o;
    t2g_records data, other; /* other.count 0: there is none */
    t2g_bootstrap_options resampling;
    double level; /* of intervals */
} evaluation;

/* Each puts its figures into a group of its own. */
typedef t2g_status metric_fn(evaluation *e, json_t *group);
metric_fn eval_length, eval_rouge, eval_bleu, eval_match, eval_distinct;
metric_fn eval_perplexity, eval_facts, eval_passk, eval_winrate;
metric_fn eval_span_effect, eval_agreement, eval_rm;

/* --- figures -------------------------------------------------------------- */

/* {"value", "lo", "hi", "n"}; ends that are NaN are left out. */
void figure_set(json_t *group, const char *name, double value, double lo,
                double hi, size_t n);
/* The outcome of a bootstrap over n units. One whose replicates are not all
 * numbers (too few units) gives its value without an interval. */
T2G_CHECK t2g_status figure_resampled(json_t *group, const char *name,
                                      t2g_status outcome,
                                      const t2g_bootstrap_result *r, size_t n);
/* A mean over responses, bootstrapped; a ratio of their sums, likewise. */
T2G_CHECK t2g_status figure_mean(const evaluation *e, json_t *group,
                                 const char *name, const double *x, size_t n);
T2G_CHECK t2g_status figure_ratio(const evaluation *e, json_t *group,
                                  const char *name, const double *top,
                                  const double *bottom, size_t n);
/* count of n with Wilson's interval. */
T2G_CHECK t2g_status figure_share(const evaluation *e, json_t *group,
                                  const char *name, size_t count, size_t n);
json_t *figure_group(json_t *parent, const char *name);

/* --- records -------------------------------------------------------------- */

T2G_CHECK t2g_status eval_text(const t2g_records *r, size_t i,
                               const char *key, t2g_text *out);
/* The references of response i: "reference" (a text or a list of them) or
 * "completion", of the second file if there is one (there "response" does,
 * too), else of the record itself. At most EVAL_REFERENCES. */
enum { EVAL_REFERENCES = 16 };
T2G_CHECK t2g_status eval_references(const evaluation *e, size_t i,
                                     t2g_text out[EVAL_REFERENCES],
                                     size_t *count);
/* A failure about record i, in front of which goes its place. */
t2g_status eval_fail_at(t2g_status s, const t2g_records *r, size_t i);

#endif
