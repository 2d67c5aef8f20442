/* Reading members of a tokenizer.json: where something stands, for messages,
 * and the readers of its components. */
#ifndef T2G_TOKENIZER_PLACE_H
#define T2G_TOKENIZER_PLACE_H

#include "../tokenizer/tokenizer_private.h"

enum { PLACE_DEPTH = 16 };

typedef struct place {
    const char *file;
    char path[256]; /* cut off when longer */
    int depth;
} place;

place t2g_place_top(const char *file);
place t2g_place_key(const place *outer, const char *key);
place t2g_place_index(const place *outer, size_t i);

/* Errors at a place. */
t2g_status t2g_place_no_memory(const place *at);
t2g_status t2g_place_wrong_type(const place *at, const json_t *value,
                            const char *expected);
t2g_status t2g_place_unsupported(const place *at, const char *what);
t2g_status t2g_place_unknown_type(const place *at, const char *type);

/* Members that must be there. Texts may hold NULs. */
T2G_CHECK t2g_status t2g_get_text(const place *at, const json_t *object,
                              const char *key, const char **value, size_t *n);
T2G_CHECK t2g_status t2g_get_array(const place *at, const json_t *object,
                               const char *key, const json_t **value);
T2G_CHECK t2g_status t2g_get_bool(const place *at, const json_t *object,
                              const char *key, bool *value);
T2G_CHECK t2g_status t2g_get_count(const place *at, const json_t *object,
                               const char *key, size_t *value);
/* One of a list of names that ends with NULL; *choice is which. */
T2G_CHECK t2g_status t2g_get_choice(const place *at, const json_t *object,
                                const char *key, const char *const *names,
                                int *choice);
/* `type` of a component. */
T2G_CHECK t2g_status t2g_get_type(const place *at, const json_t *component,
                              const char **type);
/* {"pattern": {"String" or "Regex": ...}}: *regex is NULL for a String. *out is
 * the member as it is written, and owns *text. */
T2G_CHECK t2g_status t2g_get_pattern(const place *at, const json_t *object,
                                 const char **text, size_t *n,
                                 t2g_regex **regex, json_t **out);

/* A reader checks a component, sets what the tokenizer does for it, and gives
 * the form in which the reference writes it. */
typedef t2g_status component_fn(t2g_tokenizer *t, const place *at,
                                const json_t *in, json_t **out);
component_fn t2g_read_normalizer, t2g_read_pre_tokenizer,
    t2g_read_post_processor, t2g_read_decoder;

/* {"type": "Sequence", key: [...]}, each element by `element`. */
T2G_CHECK t2g_status t2g_read_sequence(t2g_tokenizer *t, const place *at,
                                   const json_t *in, const char *key,
                                   component_fn *element, json_t **out);

/* ByteLevel, in three roles. */
typedef struct byte_level {
    bool prefix_space, trim_offsets, regex;
} byte_level;
T2G_CHECK t2g_status t2g_read_byte_level(const place *at, const json_t *in,
                                     byte_level *options, json_t **out);

/* Metaspace, in two. `mark` owns nothing. */
typedef struct metaspace {
    const char *mark; /* one character, which stands for a space */
    size_t length;
    enum { SCHEME_ALWAYS, SCHEME_FIRST, SCHEME_NEVER } scheme;
    bool split;
} metaspace;
T2G_CHECK t2g_status t2g_read_metaspace(const place *at, const json_t *in,
                                    metaspace *options, json_t **out);

/* The members truncation and padding, which may be null. */
T2G_CHECK t2g_status t2g_read_truncation(t2g_tokenizer *t, const place *at,
                                     const json_t *in, json_t **out);
T2G_CHECK t2g_status t2g_read_padding(t2g_tokenizer *t, const place *at,
                                  const json_t *in, json_t **out);

#endif
