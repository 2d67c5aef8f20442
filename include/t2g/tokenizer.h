/** Byte-level BPE, equal to Hugging Face `tokenizers`. Behaviour: the
 * reference's tokenizer.json (GPT-2 and Llama-3 style byte-level files). A
 * loaded tokenizer is immutable and used by many threads at once without
 * locks. */
#ifndef T2G_TOKENIZER_H
#define T2G_TOKENIZER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "t2g/memory.h"
#include "t2g/status.h"

typedef struct t2g_tokenizer t2g_tokenizer;

/** Loads a tokenizer.json, or a folder holding one (tokenizer_config.json
 * beside it gives bos/eos/pad and the chat template); the tokenizer of a GGUF
 * file; or a file of tiktoken ranks, whose pattern and special tokens are those
 * of the encoding it is named after (cl100k_base, ...), else stand in NAME.json
 * or encodings.json beside it, else are Llama 3's if it has 128,000 ranks.
 * Errors name path and JSON path, key or line; what we do not support is
 * T2G_ERR_UNSUPPORTED by name. */
T2G_CHECK t2g_status t2g_tokenizer_load(t2g_tokenizer **t, const char *path);
void t2g_tokenizer_free(t2g_tokenizer *t);

/** Ids and the exact half-open byte range each token covers in the original
 * text (offset[2i], offset[2i+1]); specials added by a template have (0,0). */
typedef struct t2g_encoding {
    uint32_t *id;
    size_t *offset;
    size_t count, capacity;
} t2g_encoding;

enum {
    T2G_ENCODE_TEMPLATE = 1,  /* add the post-processor's special tokens */
    T2G_ENCODE_NO_SPECIAL = 2 /* special tokens in the text are plain text */
};

/** Appends the tokens of text (n bytes, may hold NULs) to out. Bytes that are
 * not UTF-8: T2G_ERR_FORMAT with the position. Start `out` from {0} and reuse
 * it. */
T2G_CHECK t2g_status t2g_tokenizer_encode(const t2g_tokenizer *t,
                                          const char *text, size_t n,
                                          unsigned flags, t2g_encoding *out);
/** Appends one token. T2G_ERR_MEMORY, e as it was. */
T2G_CHECK t2g_status t2g_encoding_add(t2g_encoding *e, uint32_t id,
                                      size_t begin, size_t end);
void t2g_encoding_free(t2g_encoding *e);

/** Appends the text of ids to out: lossy as the reference (invalid UTF-8
 * becomes U+FFFD), without special tokens if skip_special. Unknown ids are
 * skipped. */
T2G_CHECK t2g_status t2g_tokenizer_decode(const t2g_tokenizer *t,
                                          const uint32_t *ids, size_t n,
                                          bool skip_special, t2g_buffer *out);
/** Appends the exact bytes of ids, never altered; with ends (may be NULL, [n])
 * also the byte position after each token, counted from the first byte
 * appended, so that offsets of sampled tokens come from the ids and never from
 * encoding their text again. Special tokens contribute no bytes if
 * skip_special. */
T2G_CHECK t2g_status t2g_tokenizer_decode_bytes(const t2g_tokenizer *t,
                                                const uint32_t *ids, size_t n,
                                                bool skip_special,
                                                t2g_buffer *out, size_t *ends);

/** Largest id + 1 (what a model's vocab_size must reach). */
size_t t2g_tokenizer_size(const t2g_tokenizer *t);
/** Bytes of one token (decoded), NULL for an unknown id. Owned by t. */
const char *t2g_tokenizer_bytes(const t2g_tokenizer *t, uint32_t id,
                                size_t *length);
/** Id of a token by content (as in the file: special tokens literally), or
 * -1. */
int64_t t2g_tokenizer_id(const t2g_tokenizer *t, const char *content);
bool t2g_tokenizer_is_special(const t2g_tokenizer *t, uint32_t id);
/** From tokenizer_config.json; -1 when it names none. */
int64_t t2g_tokenizer_bos(const t2g_tokenizer *t);
int64_t t2g_tokenizer_eos(const t2g_tokenizer *t);
int64_t t2g_tokenizer_pad(const t2g_tokenizer *t);
/** The chat template's text, or NULL. */
const char *t2g_tokenizer_chat_template(const t2g_tokenizer *t);

typedef struct t2g_tokenizer_training {
    size_t vocab_size;          /* target, specials and 256 bytes included */
    uint64_t min_frequency;     /* 0 = 1 */
    size_t max_token_length;    /* bytes, as the reference counts; 0 = any */
    bool seen_bytes_only;       /* no tokens for bytes that do not occur */
    const char *pre_tokenizer;  /* "gpt2", "llama3", "qwen2" */
    const char *const *special; /* special tokens, ids from 0 */
    size_t special_count;
    const char *bos, *eos, *pad; /* which of them; NULL = none */
    /** Gives the next text (valid until the next call); *text = NULL at the
     * end. T2G_ERR_* ends the training with that status. */
    t2g_status (*next)(void *context, const char **text, size_t *length);
    void (*progress)(void *context, size_t done, size_t total); /* or NULL */
    void *context;
} t2g_tokenizer_training;

/** Trains as BpeTrainer of Hugging Face `tokenizers`: the same vocabulary and
 * merges. The result depends on nothing but the texts (not on their order) and
 * the options. */
T2G_CHECK t2g_status t2g_tokenizer_train(t2g_tokenizer **t,
                                         const t2g_tokenizer_training *options);

/** Writes DIR/tokenizer.json (byte-equal to what the reference writes, pretty
 * form) and DIR/tokenizer_config.json (PreTrainedTokenizerFast). */
T2G_CHECK t2g_status t2g_tokenizer_save(const t2g_tokenizer *t,
                                        const char *dir);

#endif
