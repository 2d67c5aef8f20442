/* What the files of `verify model` share. */
#ifndef VERIFY_MODEL_H
#define VERIFY_MODEL_H

#include "verify.h"

/* Rows of token ids, packed. */
typedef struct token_rows {
    uint32_t *id;
    size_t *row; /* [rows+1] borders */
    size_t rows, tokens;
} token_rows;

/* From a list of lists of ids; free it whether this succeeds or not. */
T2G_CHECK t2g_status token_rows_read(token_rows *r, const json_t *lists,
                                     const char *key);
void token_rows_free(token_rows *r);

/* dir/name: out [4096]. */
T2G_CHECK t2g_status model_path(char *out, const char *dir, const char *name);
/* The folder that path, a file, is in: out [4096]. */
T2G_CHECK t2g_status model_folder_of(char *out, const char *path);

/* What in a configuration the library does not have, as a reason to skip, or
 * NULL. room [128] holds it. */
const char *model_unsupported(char room[128], const json_t *config);
/* The same for a model folder; NULL too when its config.json is broken. */
const char *model_folder_unsupported(char room[128], const char *dir);

/* Files of cases: configurations, checkpoints, greedy generation. */
void verify_model_configs(verifier *v, const char *path, const json_t *root);
void verify_model_checkpoints(verifier *v, const char *path,
                              const json_t *root);
void verify_model_greedy(verifier *v, const char *path, const json_t *root);

#endif
