/* What the parts of the tokenizer share. */
#ifndef T2G_TOKENIZER_PRIVATE_H
#define T2G_TOKENIZER_PRIVATE_H

#include <jansson.h>

#include "normalize.h"
#include "piece.h"
#include "regex.h"
#include "t2g/tokenizer.h"

/* --- vocabulary ---------------------------------------------------------- */

enum {
    TOKEN_MODEL = 1 << 0,    /* in the model's vocabulary */
    TOKEN_ADDED = 1 << 1,    /* an added token; the flags below are its own */
    TOKEN_SPECIAL = 1 << 2,
    TOKEN_SINGLE_WORD = 1 << 3,
    TOKEN_LSTRIP = 1 << 4,
    TOKEN_RSTRIP = 1 << 5,
    TOKEN_NORMALIZED = 1 << 6,
    TOKEN_SYMBOLIC = 1 << 7, /* every character is a byte symbol */
    TOKEN_SHOWN = 1 << 8 /* an added token that the normalizer changes */
};

/* Content is the text in the file. Bytes are what the token stands for: of a
 * byte-level tokenizer each byte symbol mapped to its byte, of others what the
 * decoder makes of one token, or the content itself. An id without a token has
 * flags 0. */
typedef struct t2g_token {
    size_t content, bytes; /* where they begin in the vocabulary's text; a NUL
                              follows the content */
    uint32_t content_length, bytes_length;
    unsigned flags;
} t2g_token;

typedef struct t2g_text_slot {
    uint32_t hash;
    uint32_t id; /* + 1; 0 = free */
} t2g_text_slot;

/* Open addressing. */
typedef struct t2g_text_index {
    t2g_text_slot *slot;
    size_t capacity, used;
} t2g_text_index;

enum { T2G_NO_TOKEN = -1 };

typedef struct t2g_vocabulary {
    t2g_token *token; /* [size], by id */
    size_t size, capacity;
    size_t model_count; /* tokens with TOKEN_MODEL */
    t2g_buffer text;
    t2g_text_index by_content;
    t2g_text_index by_bytes; /* symbolic ones of the model, once indexed */
} t2g_vocabulary;

/* Ids from here on are refused: a short file cannot ask for gigabytes. */
enum { T2G_ID_LIMIT = 1 << 22 };

static inline const char *token_content(const t2g_vocabulary *v, uint32_t id)
{
    return v->text.data + v->token[id].content;
}

static inline const char *token_bytes(const t2g_vocabulary *v, uint32_t id)
{
    return v->text.data + v->token[id].bytes;
}

/* Adds a token of the model or an added one (flags). T2G_ERR_FORMAT when the id
 * is taken or too large; the content must be new. */
T2G_CHECK t2g_status t2g_vocabulary_put(t2g_vocabulary *v, uint32_t id,
                                        const char *content, size_t n,
                                        unsigned flags);
/* The id, or T2G_NO_TOKEN. */
int64_t t2g_vocabulary_find(const t2g_vocabulary *v, const char *content,
                            size_t n);
/* Makes room for this many tokens at once. */
T2G_CHECK t2g_status t2g_vocabulary_reserve(t2g_vocabulary *v, size_t tokens);
/* Takes a token of the model away; another of its content may follow. */
void t2g_vocabulary_remove(t2g_vocabulary *v, uint32_t id);
/* Sets what a token stands for; with `symbols`, of byte symbols mapped. */
T2G_CHECK t2g_status t2g_vocabulary_set_bytes(t2g_vocabulary *v, uint32_t id,
                                              const char *text, size_t n,
                                              bool symbols);
/* Indexes the tokens of the model for t2g_vocabulary_find_bytes. */
T2G_CHECK t2g_status t2g_vocabulary_index_bytes(t2g_vocabulary *v);
/* The token of the model that stands for these bytes, or T2G_NO_TOKEN. */
int64_t t2g_vocabulary_find_bytes(const t2g_vocabulary *v, const char *bytes,
                                  size_t n);
void t2g_vocabulary_free(t2g_vocabulary *v);

/* The byte symbol of a byte: one character that prints. */
uint32_t t2g_byte_symbol(unsigned char byte);
/* Appends the bytes that the symbols stand for, or, when a character is none,
 * the text itself. */
T2G_CHECK t2g_status t2g_append_symbol_bytes(t2g_buffer *out, const char *text,
                                             size_t n);

/* --- merges -------------------------------------------------------------- */

typedef struct t2g_merge {
    uint32_t left, right;
    uint32_t rank;
    uint32_t id; /* of the concatenation */
} t2g_merge;

typedef struct t2g_merges {
    t2g_merge *merge; /* [count], by rank */
    size_t count, capacity;
    t2g_merge *slot; /* open addressing on (left, right); copies, so that a
                        look-up touches one line; id T2G_NO_ID = free */
    size_t slots;
} t2g_merges;

enum { T2G_NO_ID = UINT32_MAX };

T2G_CHECK t2g_status t2g_merges_reserve(t2g_merges *m, size_t count);
/* Appends at the next rank; of equal pairs the later rank is found. */
T2G_CHECK t2g_status t2g_merges_put(t2g_merges *m, uint32_t left,
                                    uint32_t right, uint32_t id);
/* The merge of these two, or NULL. */
const t2g_merge *t2g_merges_find(const t2g_merges *m, uint32_t left,
                                 uint32_t right);
void t2g_merges_free(t2g_merges *m);

/* --- pre-tokenizer ------------------------------------------------------- */

/* End of the match that begins at p < n, or p if there is none. s is UTF-8. */
typedef size_t t2g_matcher(const unsigned char *s, size_t p, size_t n);

/* The matcher that does exactly what this pattern does, or NULL. */
t2g_matcher *t2g_matcher_of(const char *pattern);
t2g_matcher t2g_match_gpt2, t2g_match_digit, t2g_match_punctuation,
    t2g_match_space, t2g_match_word;

/* Patterns of the pre-tokenizers that training offers, and of files that name
 * theirs or imply it. DeepSeek V3 splits three times. */
extern const char t2g_pattern_gpt2[], t2g_pattern_cl100k[], t2g_pattern_qwen2[],
    t2g_pattern_o200k[], t2g_pattern_nemo[];
extern const char *const t2g_patterns_deepseek[3];

typedef enum t2g_behavior {
    BEHAVIOR_REMOVED,
    BEHAVIOR_ISOLATED,
    BEHAVIOR_MERGED_WITH_PREVIOUS,
    BEHAVIOR_MERGED_WITH_NEXT,
    BEHAVIOR_CONTIGUOUS
} t2g_behavior;

typedef struct t2g_step {
    enum {
        STEP_SPLIT,
        STEP_SPACES, /* each space becomes `text` */
        STEP_PREPEND, /* `text` in front, unless it is there */
        STEP_BYTE_SYMBOLS /* bytes become the characters that spell them */
    } kind;
    t2g_matcher *match; /* what STEP_SPLIT looks for: this, or */
    t2g_regex *regex;   /* this, or */
    char *text;         /* this text */
    size_t length;
    t2g_behavior behavior;
    bool invert; /* matches are gaps and gaps matches */
    bool first_only; /* STEP_PREPEND: where the original begins */
} t2g_step;

enum { T2G_STEPS = 16 };

typedef struct t2g_pre_tokenizer {
    t2g_step step[T2G_STEPS];
    size_t count;
} t2g_pre_tokenizer;

void t2g_pre_tokenizer_free(t2g_pre_tokenizer *p);

/* Memory of a thread. */
typedef struct t2g_pretokenize_scratch {
    t2g_rewritten rewritten[T2G_STEPS]; /* of the steps that rewrite */
    t2g_regex_scratch *regex;
} t2g_pretokenize_scratch;

void t2g_pretokenize_scratch_free(t2g_pretokenize_scratch *s);

typedef t2g_status t2g_piece_fn(void *context, const t2g_piece *piece);

/* Runs the steps and hands each piece, never empty, to sink in order. */
T2G_CHECK t2g_status t2g_pretokenize(const t2g_pre_tokenizer *p,
                                     const t2g_piece *open,
                                     t2g_pretokenize_scratch *scratch,
                                     t2g_piece_fn *sink, void *context);

/* --- added tokens -------------------------------------------------------- */

typedef struct t2g_pattern {
    size_t begin, length; /* of the set's text */
    uint32_t id;
} t2g_pattern;

/* Contents to look for, sorted, and where each first byte's begin. */
typedef struct t2g_added_set {
    t2g_buffer text;
    t2g_pattern *pattern; /* [count] */
    size_t count, capacity;
    size_t first[257];
    int only; /* the first byte of all, or -1 */
} t2g_added_set;

/* Call sort when all are put; equal texts: the later id is found. */
T2G_CHECK t2g_status t2g_added_put(t2g_added_set *set, const char *text,
                                   size_t n, uint32_t id);
void t2g_added_sort(t2g_added_set *set);
void t2g_added_free(t2g_added_set *set);

/* Where a search is: `searched` is the end of the latest candidate, `taken`
 * that of the latest match, whitespace it stripped included. */
typedef struct t2g_added_scan {
    bool no_special;      /* special tokens are plain text, */
    const uint8_t *input; /* or those of which a byte is set here; or NULL */
    size_t searched, taken;
} t2g_added_scan;

typedef struct t2g_added_match {
    size_t begin, end;
    uint32_t id;
} t2g_added_match;

/* The next match in the piece; false when there is none. */
bool t2g_added_next(const t2g_added_set *set, const t2g_vocabulary *v,
                    const t2g_piece *piece, t2g_added_scan *scan,
                    t2g_added_match *match);

/* --- byte pair encoding -------------------------------------------------- */

typedef struct t2g_symbol {
    size_t begin, end; /* bytes of the piece */
    uint32_t id;
} t2g_symbol;

/* A merge that was possible when it was found. */
typedef struct t2g_candidate {
    uint32_t rank;
    uint32_t id;
    size_t symbol; /* the left one */
} t2g_candidate;

/* Neighbours of a symbol, those merged away being dead. */
typedef struct t2g_link {
    size_t previous, next;
    bool dead;
} t2g_link;

/* Memory of a thread. */
typedef struct t2g_bpe {
    t2g_symbol *symbol; /* the result */
    size_t capacity;
    t2g_link *link; /* for words that are long */
    t2g_candidate *heap;
    size_t long_capacity, heap_count;
    t2g_buffer text;
} t2g_bpe;

/* Kinds of characters: ASCII, U+2581 (which stands for a space), others. */
enum { T2G_CUT_LOW_LINE = 128, T2G_CUT_OTHER, T2G_CUT_KINDS };

/* How the model spells a piece. */
typedef struct t2g_spelling {
    bool bytes; /* in bytes, byte_id giving their tokens; else characters */
    int64_t byte_id[256]; /* or the tokens <0xNN>; T2G_NO_TOKEN */
    int64_t ascii_id[128]; /* the tokens of single characters */
    uint32_t *byte_merge; /* [256][256], of spellings in bytes: rank + 1 of the
                             merge of two bytes, 0 = none. Most look-ups are
                             these, and in one place they are near. */
    bool byte_fallback, fuse_unk, ignore_merges;
    int64_t unk;
    char *prefix, *suffix; /* NULL: none */
    double dropout; /* 0, or it cannot encode */
    bool cuts; /* pieces are cut where nothing joins: */
    bool joins[T2G_CUT_KINDS][T2G_CUT_KINDS]; /* kinds of neighbours between
                                                 which a merge may happen */
} t2g_spelling;

/* The kind of the character at s. */
static inline size_t cut_kind(const unsigned char *s, size_t n)
{
    if (s[0] < 0x80)
        return s[0];
    return n >= 3 && s[0] == 0xe2 && s[1] == 0x96 && s[2] == 0x81
               ? T2G_CUT_LOW_LINE : T2G_CUT_OTHER;
}

/* Encodes n bytes: *count symbols of scratch->symbol. */
T2G_CHECK t2g_status t2g_bpe_encode(const t2g_tokenizer *t, t2g_bpe *scratch,
                                    const char *text, size_t n, size_t *count);
void t2g_bpe_free(t2g_bpe *scratch);
/* Only for tests: words from this many symbols on use the heap. */
enum { T2G_LONG_WORD = 48 };

/* --- post-processor ------------------------------------------------------ */

typedef struct t2g_template_part {
    enum { PART_FIRST, PART_SECOND, PART_SPECIAL } kind;
    uint32_t type_id;
    uint32_t id; /* PART_SPECIAL */
} t2g_template_part;

typedef struct t2g_template {
    t2g_template_part *part;
    size_t count, capacity;
} t2g_template;

T2G_CHECK t2g_status t2g_template_put(t2g_template *m, t2g_template_part part);

typedef struct t2g_truncation {
    bool on, left;
    enum { LONGEST_FIRST, ONLY_FIRST, ONLY_SECOND } strategy;
    size_t max_length;
} t2g_truncation;

typedef struct t2g_padding {
    bool on, left;
    size_t fixed; /* 0: the longest of a batch, so of one text its own */
    size_t multiple;
    uint32_t id, type_id;
} t2g_padding;

typedef struct t2g_post_processor {
    bool trim_offsets, prefix_space; /* of ByteLevel or RoBERTa */
    bool has_template;
    t2g_template single, pair;
    t2g_truncation truncation;
    t2g_padding padding;
} t2g_post_processor;

void t2g_post_processor_free(t2g_post_processor *p);

/* A role until offsets are trimmed: an added token found in the text, not one
 * that the model gave, though they may have the same id. */
enum { T2G_TOKEN_MATCHED = 0x80 };

/* Takes whitespace out of the offsets of the tokens of a text, from `first` on,
 * if the tokenizer does; their roles are 0 then. */
void t2g_trim_offsets(const t2g_tokenizer *t, const char *text, size_t n,
                      t2g_encoding *e, size_t first);
/* False when t2g_post_process leaves the tokens of one text as they are. */
bool t2g_post_processes(const t2g_tokenizer *t, unsigned flags);
/* Truncates, joins, pads and appends to out; second may be NULL. */
T2G_CHECK t2g_status t2g_post_process(const t2g_tokenizer *t,
                                      const t2g_encoding *first,
                                      const t2g_encoding *second,
                                      unsigned flags, t2g_encoding *out);

/* --- decoder ------------------------------------------------------------- */

typedef struct t2g_decoder_step {
    enum {
        DECODE_BYTE_LEVEL, DECODE_REPLACE, DECODE_BYTE_FALLBACK, DECODE_FUSE,
        DECODE_STRIP, DECODE_METASPACE, DECODE_WORDPIECE, DECODE_BPE
    } kind;
    char *text; /* what is looked for: pattern, content, prefix, suffix; NULL:
                   the regex */
    size_t length;
    t2g_regex *regex;
    char *by; /* DECODE_REPLACE */
    size_t by_length;
    size_t start, stop; /* DECODE_STRIP */
    bool flag; /* DECODE_WORDPIECE: cleanup; DECODE_METASPACE: the first token
                  keeps its space */
} t2g_decoder_step;

typedef struct t2g_decoder {
    t2g_decoder_step *step;
    size_t count;
    bool present; /* without one tokens are joined by spaces */
} t2g_decoder;

/* The token of this id, or NULL. */
const t2g_token *t2g_token_at(const t2g_tokenizer *t, uint32_t id);

extern const char t2g_replacement[]; /* U+FFFD */
/* Appends bytes, each maximal subpart that is not UTF-8 as U+FFFD. */
T2G_CHECK t2g_status t2g_append_lossy(t2g_buffer *out, const char *s, size_t n);
/* The byte of a token <0xNN>, or -1. */
int t2g_fallback_byte(const char *s, size_t n);

void t2g_decoder_free(t2g_decoder *d);
/* True if it is nothing but ByteLevel. */
bool t2g_decoder_is_byte_level(const t2g_decoder *d);
/* Appends what one token of this content stands for by itself. */
T2G_CHECK t2g_status t2g_decoder_token(const t2g_decoder *d,
                                       const char *content, size_t n,
                                       t2g_buffer *out);

/* --- the tokenizer ------------------------------------------------------- */

struct t2g_tokenizer {
    uint64_t serial; /* of all that were ever made: encoders remember whose
                        words they keep */
    t2g_vocabulary vocabulary;
    t2g_merges merges;
    t2g_spelling spelling;
    t2g_normalizer normalizer;
    t2g_added_set raw, normalized; /* looked for before and after it */
    t2g_pre_tokenizer pre_tokenizer;
    t2g_post_processor post;
    t2g_decoder decoder;
    json_t *parts; /* the components and model options, as they are written */
    int64_t largest_added;
    int64_t bos, eos, pad;
    char *chat_template;
    double max_length; /* model_max_length */
    t2g_buffer warnings; /* each with its NUL */
};

/* An empty one, for the reader and the trainer to fill. */
T2G_CHECK t2g_status t2g_tokenizer_new(t2g_tokenizer **t);
/* Adds a token as the reference does: the declared id does not count, the
 * content keeps the id it has, else takes the next free one. */
T2G_CHECK t2g_status t2g_tokenizer_add(t2g_tokenizer *t, const char *content,
                                       size_t n, unsigned flags);
/* Keeps a message for t2g_tokenizer_warnings. */
T2G_CHECK t2g_status t2g_tokenizer_warn(t2g_tokenizer *t, const char *format,
                                        ...) T2G_PRINTF(2, 3);
/* Builds what encoding looks things up in. */
T2G_CHECK t2g_status t2g_tokenizer_finish(t2g_tokenizer *t);
/* Reads the options of a model object, after its vocabulary. In ref/files. */
T2G_CHECK t2g_status t2g_tokenizer_set_model_options(t2g_tokenizer *t,
                                                     const char *file,
                                                     const json_t *model);
/* Appends the whole as tokenizer.json: pretty, or compact. In ref/files. */
T2G_CHECK t2g_status t2g_tokenizer_print(const t2g_tokenizer *t, bool pretty,
                                         t2g_buffer *out);
/* Sets the components from the members truncation, padding, normalizer,
 * pre_tokenizer, post_processor, decoder of root; messages begin with file. In
 * ref/files. */
T2G_CHECK t2g_status t2g_tokenizer_set_components(t2g_tokenizer *t,
                                                  const json_t *root,
                                                  const char *file);

/* --- other files that hold a tokenizer, in ref/files ---------------------- */

typedef enum t2g_tokenizer_file {
    TOKENIZER_JSON, TOKENIZER_GGUF, TOKENIZER_TIKTOKEN
} t2g_tokenizer_file;

/* By content, or by name where that is packed; TOKENIZER_JSON for all else. */
t2g_tokenizer_file t2g_tokenizer_file_of(const char *path);
/* The tokenizer of a model in a GGUF file. */
T2G_CHECK t2g_status t2g_tokenizer_read_gguf(t2g_tokenizer *t,
                                             const char *path);
/* A file of tiktoken ranks. */
T2G_CHECK t2g_status t2g_tokenizer_read_tiktoken(t2g_tokenizer *t,
                                                 const char *path);

#endif
