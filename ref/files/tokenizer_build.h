/* What the readers of files other than tokenizer.json share: they build the
 * components as such a file would have them, so that a tokenizer of theirs is
 * saved and loads elsewhere like any other. */
#ifndef T2G_TOKENIZER_BUILD_H
#define T2G_TOKENIZER_BUILD_H

#include "../tokenizer/tokenizer_private.h"

/* Each gives a new component, or NULL without memory (or of arguments that are
 * NULL for that reason, which it consumes). */

/* As pre-tokenizer: bytes, after GPT-2's split if regex. */
json_t *t2g_build_byte_level(bool regex);
/* ByteLevel as post-processor (it does nothing) and as decoder. */
json_t *t2g_build_byte_level_post(void);
json_t *t2g_build_byte_level_decoder(void);
/* Splits at matches of a pattern; what none covers is dropped if only_matches,
 * else a piece too. */
json_t *t2g_build_split(const char *regex, bool only_matches);
/* TemplateProcessing: bos, the text, eos; either may be T2G_NO_TOKEN. */
json_t *t2g_build_template(const t2g_tokenizer *t, int64_t bos, int64_t eos);
/* {"type": "Sequence", key: [first, second]}; consumes both. */
json_t *t2g_build_sequence(const char *key, json_t *first, json_t *second);

/* Sets the components of root and the options of its `model` and finishes t,
 * which has its tokens and merges. Consumes root, which may be NULL. */
T2G_CHECK t2g_status t2g_build_tokenizer(t2g_tokenizer *t, json_t *root,
                                         const char *file);

/* A token as two others, one behind the other; lengths in characters. */
typedef struct t2g_cut {
    uint32_t id, left, right;
    uint32_t left_length, right_length;
    float score; /* for the caller */
} t2g_cut;

typedef struct t2g_cuts {
    t2g_cut *cut;
    size_t count, capacity;
} t2g_cuts;

/* Appends every cut of a token, by the position. T2G_ERR_UNSUPPORTED for
 * tokens so long that trying all positions would take too long. */
T2G_CHECK t2g_status t2g_cuts_add(t2g_cuts *cuts, const t2g_vocabulary *v,
                                  uint32_t id, float score);

#endif
