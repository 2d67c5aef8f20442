/* What the parts of the tokenizer share. */
#ifndef T2G_TOKENIZER_PRIVATE_H
#define T2G_TOKENIZER_PRIVATE_H

#include <jansson.h>

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
    TOKEN_SYMBOLIC = 1 << 7 /* every character is a byte symbol */
};

/* Content is the text in the file. Bytes are what the token stands for: each
 * byte symbol mapped to its byte, or the content itself when a character is
 * none. An id without a token has flags 0. */
typedef struct t2g_token {
    size_t content, bytes; /* where they begin in the vocabulary's text; a NUL
                              follows the content */
    uint32_t content_length, bytes_length;
    unsigned flags;
} t2g_token;

/* Open addressing, id + 1 a slot, 0 = free. */
typedef struct t2g_text_index {
    uint32_t *slot;
    size_t capacity, used;
} t2g_text_index;

enum { T2G_NO_TOKEN = -1 };

typedef struct t2g_vocabulary {
    t2g_token *token; /* [size], by id */
    size_t size, capacity;
    size_t model_count; /* tokens with TOKEN_MODEL */
    t2g_buffer text;
    t2g_text_index by_content, by_bytes; /* by_bytes: symbolic, of the model */
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
/* The token of the model that stands for these bytes, or T2G_NO_TOKEN. */
int64_t t2g_vocabulary_find_bytes(const t2g_vocabulary *v, const char *bytes,
                                  size_t n);
void t2g_vocabulary_free(t2g_vocabulary *v);

/* The byte symbol of a byte: one character that prints. */
uint32_t t2g_byte_symbol(unsigned char byte);

/* --- merges -------------------------------------------------------------- */

typedef struct t2g_merge {
    uint32_t left, right, id; /* id: of the concatenation */
} t2g_merge;

typedef struct t2g_merges {
    t2g_merge *merge; /* [count], by rank */
    size_t count, capacity;
    uint32_t *slot; /* rank + 1, 0 = free; open addressing on (left, right) */
    size_t slots;
} t2g_merges;

enum { T2G_NO_MERGE = -1 };

/* Appends at the next rank; of equal pairs the later rank is found. */
T2G_CHECK t2g_status t2g_merges_put(t2g_merges *m, uint32_t left,
                                    uint32_t right, uint32_t id);
/* The rank, or T2G_NO_MERGE. */
int64_t t2g_merges_find(const t2g_merges *m, uint32_t left, uint32_t right);
void t2g_merges_free(t2g_merges *m);

/* --- pieces -------------------------------------------------------------- */

/* A stretch of text on its way to the model. Byte i stands for the bytes
 * [base + i, base + i + 1) of the original, or, after a step that rewrote it,
 * [origin[2i], origin[2i+1]). */
typedef struct t2g_piece {
    const char *text;
    size_t n;
    size_t base;
    const size_t *origin; /* NULL: not rewritten */
} t2g_piece;

static inline t2g_piece piece_slice(const t2g_piece *p, size_t begin,
                                    size_t end)
{
    return (t2g_piece){p->text + begin, end - begin, p->base + begin,
                       p->origin ? p->origin + 2 * begin : NULL};
}

/* Original range of bytes begin..end of a piece, begin < end. */
static inline size_t piece_begin(const t2g_piece *p, size_t begin)
{
    return p->origin ? p->origin[2 * begin] : p->base + begin;
}

static inline size_t piece_end(const t2g_piece *p, size_t end)
{
    return p->origin ? p->origin[2 * end - 1] : p->base + end;
}

/* --- normalizer ---------------------------------------------------------- */

/* Text rewritten by the normalizer, with its alignment to the original. */
typedef struct t2g_normalized {
    t2g_buffer text;
    size_t *origin;
    size_t origin_capacity; /* in bytes of text */
} t2g_normalized;

/* [UAX15] form C with the data of Unicode 9.0. *out is the piece itself when it
 * is in that form, else it points into scratch. */
T2G_CHECK t2g_status t2g_normalize_nfc(const t2g_piece *in, t2g_piece *out,
                                       t2g_normalized *scratch);
void t2g_normalized_free(t2g_normalized *n);

/* --- pre-tokenizer ------------------------------------------------------- */

/* End of the match that begins at p < n, or p if there is none. s is UTF-8. */
typedef size_t t2g_matcher(const unsigned char *s, size_t p, size_t n);

/* The matcher that does exactly what this pattern does, or NULL. */
t2g_matcher *t2g_matcher_of(const char *pattern);
t2g_matcher t2g_match_gpt2, t2g_match_digit;

/* Patterns of the pre-tokenizers that training offers, and of files that name
 * theirs or imply it. DeepSeek V3 splits three times. */
extern const char t2g_pattern_gpt2[], t2g_pattern_cl100k[], t2g_pattern_qwen2[],
    t2g_pattern_o200k[], t2g_pattern_nemo[];
extern const char *const t2g_patterns_deepseek[3];

typedef enum t2g_behavior {
    BEHAVIOR_ISOLATED,  /* every match and every gap is a piece */
    BEHAVIOR_REMOVED,   /* only gaps are */
    BEHAVIOR_CONTIGUOUS /* neighbouring matches are one piece */
} t2g_behavior;

/* One step; the byte mapping of ByteLevel is not one, because our pieces stay
 * bytes and the vocabulary is mapped instead. */
typedef struct t2g_step {
    enum { STEP_SPLIT, STEP_PREFIX_SPACE } kind;
    t2g_matcher *match; /* STEP_SPLIT from here */
    t2g_behavior behavior;
    bool invert; /* matches are gaps and gaps matches */
} t2g_step;

enum { T2G_STEPS = 8 };

typedef struct t2g_pre_tokenizer {
    t2g_step step[T2G_STEPS];
    size_t count;
    bool byte_level; /* complete: ByteLevel comes last */
} t2g_pre_tokenizer;

typedef t2g_status t2g_piece_fn(void *context, const t2g_piece *piece);

/* Runs the steps and hands each piece, never empty, to sink in order. */
T2G_CHECK t2g_status t2g_pretokenize(const t2g_pre_tokenizer *p,
                                     const t2g_piece *open,
                                     t2g_piece_fn *sink, void *context);

/* --- added tokens -------------------------------------------------------- */

/* Contents to look for, sorted, and where each first byte's begin. */
typedef struct t2g_added_set {
    uint32_t *id; /* [count] */
    size_t count;
    size_t first[257];
} t2g_added_set;

/* The added tokens with flags & mask == value. */
T2G_CHECK t2g_status t2g_added_build(t2g_added_set *set,
                                     const t2g_vocabulary *v, unsigned mask,
                                     unsigned value);

/* Where a search is: `searched` is the end of the latest candidate, `taken`
 * that of the latest match, whitespace it stripped included. */
typedef struct t2g_added_scan {
    size_t searched, taken;
} t2g_added_scan;

typedef struct t2g_added_match {
    size_t begin, end;
    uint32_t id;
} t2g_added_match;

/* The next match in text; false when there is none. */
bool t2g_added_next(const t2g_added_set *set, const t2g_vocabulary *v,
                    const char *text, size_t n, bool no_special,
                    t2g_added_scan *scan, t2g_added_match *match);

/* --- byte pair encoding -------------------------------------------------- */

/* A symbol of the piece; merged ones are linked, dead ones have end 0. */
typedef struct t2g_symbol {
    size_t begin, end; /* bytes of the piece */
    size_t previous, next;
    uint32_t id;
} t2g_symbol;

/* A merge that was possible when it was found. */
typedef struct t2g_candidate {
    uint32_t rank;
    uint32_t id;
    size_t symbol; /* the left one */
    size_t end;    /* of the right one */
} t2g_candidate;

typedef struct t2g_bpe {
    t2g_symbol *symbol;
    t2g_candidate *heap;
    size_t capacity; /* in symbols */
    size_t heap_count;
} t2g_bpe;

enum { T2G_LAST_SYMBOL = 0 }; /* `next` of the last one: nothing follows */

/* Encodes n bytes: *count symbols of scratch->symbol, from 0 along next. */
T2G_CHECK t2g_status t2g_bpe_encode(const t2g_tokenizer *t, t2g_bpe *scratch,
                                    const char *bytes, size_t n,
                                    size_t *count);
void t2g_bpe_free(t2g_bpe *scratch);

/* --- the tokenizer ------------------------------------------------------- */

typedef struct t2g_id_list {
    uint32_t *id;
    size_t count;
} t2g_id_list;

struct t2g_tokenizer {
    t2g_vocabulary vocabulary;
    t2g_merges merges;
    int64_t byte_id[256]; /* T2G_NO_TOKEN: such bytes are dropped */
    bool ignore_merges;
    bool nfc; /* the only normalizer so far */
    t2g_added_set raw, normalized; /* looked for before and after it */
    t2g_pre_tokenizer pre_tokenizer;
    bool trim_offsets;          /* ByteLevel as post-processor */
    bool keeps_first_space;     /* its add_prefix_space */
    bool has_template;          /* TemplateProcessing, and its specials */
    t2g_id_list before, after;
    json_t *parts; /* the components and model options, as they are written */
    int64_t largest_added;
    int64_t bos, eos, pad;
    char *chat_template;
    double max_length; /* model_max_length */
};

/* An empty one, for the reader and the trainer to fill. */
T2G_CHECK t2g_status t2g_tokenizer_new(t2g_tokenizer **t);
/* Adds a token as the reference does: the declared id does not count, the
 * content keeps the id it has, else takes the next free one. */
T2G_CHECK t2g_status t2g_tokenizer_add(t2g_tokenizer *t, const char *content,
                                       size_t n, unsigned flags);
/* Builds what encoding looks things up in. */
T2G_CHECK t2g_status t2g_tokenizer_finish(t2g_tokenizer *t);
/* Reads the options of a model object, after its vocabulary. In ref/files. */
T2G_CHECK t2g_status t2g_tokenizer_set_model_options(t2g_tokenizer *t,
                                                     const char *file,
                                                     const json_t *model);
/* Sets the components from the members normalizer, pre_tokenizer,
 * post_processor, decoder of root; messages begin with file. In ref/files. */
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
