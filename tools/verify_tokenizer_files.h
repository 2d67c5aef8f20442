/* Kinds of tokenizer cases about files other than tokenizer.json. */
#ifndef VERIFY_TOKENIZER_FILES_H
#define VERIFY_TOKENIZER_FILES_H

#include "verify.h"

void verify_tiktoken(verifier *v, const char *file, const json_t *root);
void verify_gguf_tokenizer(verifier *v, const char *file, const json_t *root);

/* Chat templates. */
void verify_chat(verifier *v, const char *file, const json_t *root);

#endif
