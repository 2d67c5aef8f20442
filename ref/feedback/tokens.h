/* From placed spans to one reward a token. */
#ifndef T2G_TOKENS_H
#define T2G_TOKENS_H

#include "find.h"
#include "t2g/feedback.h"

/* Sets the tokens of every placement: those with at least half of their bytes
 * (white space at the ends not counted) inside, else the one with most. */
void t2g_cover_tokens(t2g_alignment *a, const char *response,
                      const size_t *offset);
/* Which tokens get 0 whatever their spans: special ones, and those without
 * letter or digit if punctuation is to be left out. a->silent [tokens]. */
void t2g_silence_tokens(t2g_alignment *a, const char *response, size_t n,
                        const size_t *offset, bool punctuation_zero);
/* delta, conflicts and what was overruled, from the placements and silent. */
T2G_CHECK t2g_status t2g_combine_tokens(t2g_alignment *a,
                                        const t2g_align_options *o);

#endif
