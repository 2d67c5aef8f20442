/* Comparing alignment: with the released code, and with our own vectors. */
#ifndef VERIFY_ALIGN_H
#define VERIFY_ALIGN_H

#include "verify.h"

/* Within a case of its own. */
void verify_official_reply(verifier *v, const json_t *one);
/* Whole cases. */
void verify_difflib(verifier *v, const char *path, const json_t *one);
void verify_token_text(verifier *v, const char *path, const json_t *one);
void verify_official_match(verifier *v, const char *path, const json_t *one);
void verify_official_mask(verifier *v, const char *path, const json_t *one);
void verify_official_spans(verifier *v, const char *path, const json_t *one);
/* official_rematch.json */
void verify_official_rows(verifier *v, const char *path, const json_t *root);

/* vectors/feedback */
void verify_own_reply(verifier *v, const char *path, const json_t *one);
void verify_own_alignment(verifier *v, const char *path, const json_t *one);
void verify_own_words(verifier *v, const char *path, const json_t *one);

#endif
