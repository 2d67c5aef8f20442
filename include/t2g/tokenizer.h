/** Byte pair encoding, equal to Hugging Face `tokenizers` in ids and offsets,
 * for any tokenizer.json with a BPE model, tiktoken's rank files and the
 * tokenizer inside a GGUF file. A loaded tokenizer is immutable and used by
 * many threads at once without locks. */
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

/* --- encoding ------------------------------------------------------------ */

/** What a token is beside an id. */
enum {
    T2G_TOKEN_TEMPLATE = 1, /* a special that the post-processor added */
    T2G_TOKEN_PADDING = 2,  /* no attention; counts as special too */
    T2G_TOKEN_SECOND = 4    /* of the second text of a pair */
};

/** Tokens with the exact half-open byte range each covers in its own original
 * text (offset[2i], offset[2i+1]); specials and padding have (0,0). A range may
 * begin or end inside a character; characters that the tokenizer rewrote count
 * as one. Start from {0} and reuse it: `encoder` is memory kept between
 * calls, among it words encoded before. One thread at a time. */
typedef struct t2g_encoding {
    uint32_t *id;
    size_t *offset;
    uint32_t *type_id; /* token_type_ids */
    uint8_t *role;     /* T2G_TOKEN_* bits */
    size_t count, capacity;
    struct t2g_encoder *encoder;
} t2g_encoding;

enum {
    T2G_ENCODE_TEMPLATE = 1,   /* add the post-processor's special tokens */
    T2G_ENCODE_NO_SPECIAL = 2, /* special tokens in the text are plain text */
    T2G_ENCODE_FIT = 4,        /* truncate and pad as the file says */
    T2G_ENCODE_REPLACE = 8 /* each maximal subpart that is not UTF-8 counts as
                              U+FFFD; else T2G_ERR_FORMAT with its position */
};

/** Appends the tokens of text (n bytes, may hold NULs). */
T2G_CHECK t2g_status t2g_tokenizer_encode(const t2g_tokenizer *t,
                                          const char *text, size_t n,
                                          unsigned flags, t2g_encoding *out);
/** The same for a pair of texts, joined as the post-processor says. */
T2G_CHECK t2g_status t2g_tokenizer_encode_pair(const t2g_tokenizer *t,
                                               const char *first, size_t n,
                                               const char *second, size_t m,
                                               unsigned flags,
                                               t2g_encoding *out);
/** Encodes text of which the bytes with input[i] != 0 came from a user: no
 * special token is found where one of its bytes did. */
T2G_CHECK t2g_status t2g_tokenizer_encode_guarded(const t2g_tokenizer *t,
                                                  const char *text, size_t n,
                                                  const uint8_t *input,
                                                  unsigned flags,
                                                  t2g_encoding *out);
/** Makes room for this many more tokens. */
T2G_CHECK t2g_status t2g_encoding_reserve(t2g_encoding *e, size_t more);
/** Appends one token of role 0. T2G_ERR_MEMORY, e as it was. */
T2G_CHECK t2g_status t2g_encoding_add(t2g_encoding *e, uint32_t id,
                                      size_t begin, size_t end);
/** Puts n tokens of id 0, range (0,0) and role 0 in front of token `at`. */
T2G_CHECK t2g_status t2g_encoding_insert(t2g_encoding *e, size_t at, size_t n);
void t2g_encoding_free(t2g_encoding *e);

/* --- decoding ------------------------------------------------------------ */

/** Appends the text of ids to out: lossy as the reference (bytes that are not
 * UTF-8 become U+FFFD), without special tokens if skip_special. Unknown ids are
 * skipped. */
T2G_CHECK t2g_status t2g_tokenizer_decode(const t2g_tokenizer *t,
                                          const uint32_t *ids, size_t n,
                                          bool skip_special, t2g_buffer *out);
/** Appends the exact bytes of ids, never altered; with ends (may be NULL, [n])
 * also the byte position after each token, counted from the first byte
 * appended, so that offsets of sampled tokens come from the ids and never from
 * encoding their text again. What a decoder does at the beginning or the end of
 * a text only (a space it strips) is not done. Special tokens contribute no
 * bytes if skip_special. */
T2G_CHECK t2g_status t2g_tokenizer_decode_bytes(const t2g_tokenizer *t,
                                                const uint32_t *ids, size_t n,
                                                bool skip_special,
                                                t2g_buffer *out, size_t *ends);

/** Decoding token by token: what was given out is final and never ends inside a
 * character. Start from {0}. */
typedef struct t2g_decode_stream {
    uint32_t *id; /* tokens that later ones may still change the text of */
    size_t count, capacity;
    size_t done; /* of these, the ones whose text was given out */
    t2g_buffer bytes; /* of a character that is not complete */
} t2g_decode_stream;
/** Appends the text that the next token completes, perhaps none. */
T2G_CHECK t2g_status t2g_decode_stream_push(t2g_decode_stream *s,
                                            const t2g_tokenizer *t, uint32_t id,
                                            bool skip_special,
                                            t2g_buffer *out);
/** Appends what is held back (an incomplete character as U+FFFD); s is then
 * ready for another text. */
T2G_CHECK t2g_status t2g_decode_stream_finish(t2g_decode_stream *s,
                                              const t2g_tokenizer *t,
                                              bool skip_special,
                                              t2g_buffer *out);
void t2g_decode_stream_free(t2g_decode_stream *s);

/* --- tokens -------------------------------------------------------------- */

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
/** Calls note(context, message) for each oddity found while loading that does
 * not keep the tokenizer from working: an added token whose declared id is not
 * the one it gets, byte_fallback without all bytes. */
void t2g_tokenizer_warnings(const t2g_tokenizer *t,
                            void (*note)(void *context, const char *message),
                            void *context);

/* --- training ------------------------------------------------------------ */

typedef struct t2g_tokenizer_training {
    size_t vocab_size;          /* target, specials and 256 bytes included */
    uint64_t min_frequency;     /* 0 = 1 */
    size_t max_token_length;    /* in characters; 0 = any. As in the reference
                                   the longest has one less. */
    size_t limit_alphabet;      /* most characters to begin with; 0 = all */
    bool seen_bytes_only;       /* no tokens for bytes that do not occur */
    const char *pre_tokenizer;  /* "gpt2", "llama3", "qwen2" */
    const char *components;     /* instead, a JSON object with normalizer,
                                   pre_tokenizer, post_processor and decoder as
                                   in tokenizer.json; NULL = none */
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
