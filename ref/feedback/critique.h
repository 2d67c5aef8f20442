/* What the makers of critiques share. */
#ifndef T2G_CRITIQUE_H
#define T2G_CRITIQUE_H

#include "t2g/feedback.h"

/* "good", "poor" or "neutral". */
const char *t2g_label_of(double score);
/* The score that a label stands for ("good", "harmful", "wrong", ...); false:
 * none. Case does not matter. */
bool t2g_label_score(const char *label, size_t n, double *score);

/* Empties c and says why there is no critique. */
T2G_CHECK t2g_status t2g_critique_unparsed(t2g_critique *c,
                                           const char *reason);

/* Reads a reply that is not exactly the answer asked for. */
T2G_CHECK t2g_status t2g_reply_read(t2g_critique *out, const char *reply,
                                    size_t n);

#endif
