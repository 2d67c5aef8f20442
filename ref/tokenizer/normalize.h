/* Rewriting a piece of text with its alignment, and the normalizers of [HF]
 * tokenizers on top of it. */
#ifndef T2G_TOKENIZER_NORMALIZE_H
#define T2G_TOKENIZER_NORMALIZE_H

#include <stdbool.h>

#include "piece.h"
#include "regex.h"
#include "t2g/memory.h"

/* --- rewriting ----------------------------------------------------------- */

/* Text that was rewritten, with its alignment to the original. Start from {0};
 * one is used again and again, and grows only. */
typedef struct t2g_rewritten {
    char *text;
    size_t *origin; /* two per byte of text */
    size_t capacity; /* in bytes of text */
} t2g_rewritten;

void t2g_rewritten_free(t2g_rewritten *r);

/* Writes a new piece while it reads an old one from beginning to end. */
typedef struct t2g_rewrite {
    const t2g_piece *in;
    t2g_rewritten *to;
    size_t start;  /* of the original: what stands before the first character */
    size_t limit;  /* the most bytes it may write */
    size_t read;   /* the next character of the old piece */
    size_t before; /* the one before it; read, at the beginning */
    size_t n;      /* bytes written */
} t2g_rewrite;

/* Rewriting fails when it makes more than T2G_GROWTH times the bytes it began
 * with, a megabyte at least: a short file cannot ask for gigabytes. */
enum { T2G_GROWTH = 256, T2G_GROWTH_LEAST = 1 << 20 };

/* `in` stays and does not lie in `to`. */
t2g_rewrite t2g_rewrite_begin(const t2g_piece *in, t2g_rewritten *to);
/* Where the next character, which must exist, ends. */
size_t t2g_rewrite_next(const t2g_rewrite *r);
/* Copies what comes before the byte `end`; each byte keeps its own range. */
T2G_CHECK t2g_status t2g_rewrite_keep(t2g_rewrite *r, size_t end);
/* code takes the place and the range of the next character; where it is that
 * character, each byte keeps its own. */
T2G_CHECK t2g_status t2g_rewrite_replace(t2g_rewrite *r, uint32_t code);
/* code takes the place and the range of the bytes before `end`, which need not
 * be UTF-8. */
T2G_CHECK t2g_status t2g_rewrite_bytes(t2g_rewrite *r, size_t end,
                                       uint32_t code);
/* Inserts text with the range of the character before the next one. */
T2G_CHECK t2g_status t2g_rewrite_insert(t2g_rewrite *r, const char *text,
                                        size_t n);
/* Inserts text with the range of the next character, which must exist. */
T2G_CHECK t2g_status t2g_rewrite_prepend(t2g_rewrite *r, const char *text,
                                         size_t n);
/* Drops what comes before the byte `end`; no character stands for it. */
void t2g_rewrite_skip(t2g_rewrite *r, size_t end);
/* Copies the rest. The piece lives in `to`. */
T2G_CHECK t2g_status t2g_rewrite_end(t2g_rewrite *r, t2g_piece *out);

/* --- the four forms of [UAX15], with the data of Unicode 9.0 ------------- */

typedef struct t2g_form {
    bool compatibility; /* the K of NFKC and NFKD */
    bool compose;       /* the C */
} t2g_form;

typedef struct t2g_form_unit t2g_form_unit;

typedef struct t2g_form_scratch {
    t2g_form_unit *unit;
    size_t capacity;
} t2g_form_scratch;

/* Where the first character that the form may change is, or the end. */
size_t t2g_form_seek(t2g_form form, const t2g_piece *in);
/* Writes the piece that r reads in that form, but for an end that it leaves
 * alone. */
T2G_CHECK t2g_status t2g_form_rewrite(t2g_form form, t2g_rewrite *r,
                                      t2g_form_scratch *scratch);
void t2g_form_scratch_free(t2g_form_scratch *scratch);

/* --- normalizers --------------------------------------------------------- */

typedef enum t2g_normalizer_kind {
    NORMALIZE_NFC,
    NORMALIZE_NFD,
    NORMALIZE_NFKC,
    NORMALIZE_NFKD,
    NORMALIZE_LOWERCASE,
    NORMALIZE_STRIP,         /* left, right */
    NORMALIZE_STRIP_ACCENTS,
    NORMALIZE_REPLACE,       /* pattern or regex; content */
    NORMALIZE_PREPEND,       /* content */
    NORMALIZE_BYTE_LEVEL,    /* each byte by its symbol */
    NORMALIZE_NMT,
    NORMALIZE_BERT           /* clean_text ... lowercase */
} t2g_normalizer_kind;

typedef struct t2g_literal {
    const char *data; /* UTF-8 */
    size_t n;
} t2g_literal;

/* One step. It owns nothing; texts and regex outlive it. */
typedef struct t2g_normalizer_step {
    t2g_normalizer_kind kind;
    t2g_literal pattern; /* literal, not empty, where regex is NULL */
    t2g_regex *regex;
    t2g_literal content;
    bool left, right;
    bool clean_text, handle_chinese_chars;
    bool strip_accents; /* null in a file means: as lowercase */
    bool lowercase;
} t2g_normalizer_step;

typedef struct t2g_normalizer {
    t2g_normalizer_step *step;
    size_t count;
} t2g_normalizer;

/* What steps write to, in turn: the result of one lasts until the next but one
 * writes. Start from {0}; used again and again, it grows only. */
typedef struct t2g_normalize_scratch {
    t2g_rewritten text[2];
    size_t turn;  /* the one to write next */
    size_t start; /* as in t2g_rewrite, of what the first step got */
    size_t limit;
    t2g_form_scratch form;
    size_t *border; /* of a literal pattern: [Knuth-Morris-Pratt] */
    size_t borders;
    t2g_regex_scratch *regex;
} t2g_normalize_scratch;

/* Runs the steps. *out is the piece itself, or a part of it, where nothing was
 * rewritten; else it lives in scratch. It may be empty. */
T2G_CHECK t2g_status t2g_normalize(const t2g_normalizer *n, const t2g_piece *in,
                                   t2g_piece *out,
                                   t2g_normalize_scratch *scratch);
/* One step alone; `in` may be what the latest one returned. */
T2G_CHECK t2g_status t2g_normalize_step(const t2g_normalizer_step *step,
                                        const t2g_piece *in, t2g_piece *out,
                                        t2g_normalize_scratch *scratch);
void t2g_normalize_scratch_free(t2g_normalize_scratch *scratch);

#endif
