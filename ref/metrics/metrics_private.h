/* What the files of this folder share. */
#ifndef T2G_METRICS_PRIVATE_H
#define T2G_METRICS_PRIVATE_H

#include "t2g/metrics.h"

/* --- texts ---------------------------------------------------------------- */

/* What was appended to t->text since the last token becomes one, if anything
 * was. */
T2G_CHECK t2g_status t2g_tokens_close(t2g_tokens *t);
void t2g_tokens_clear(t2g_tokens *t);

/* Appends text in lower case as Unicode has it without a language: one to one,
 * but for U+0130, and sigma by its place. T2G_ERR_FORMAT: not UTF-8. */
/* Characters of two texts, and those in the blocks that difflib matches. */
typedef struct t2g_text_matching {
    size_t a, b, matched;
    double ratio;
} t2g_text_matching;
/* t2g_sequence_match with autojunk. T2G_ERR_FORMAT: not UTF-8. */
T2G_CHECK t2g_status t2g_text_match(t2g_text_matching *out, t2g_text a,
                                    t2g_text b);

T2G_CHECK t2g_status t2g_lower_text(t2g_buffer *out, t2g_text text);

/* T2G_ERR_FORMAT with the position if text is not UTF-8. */
T2G_CHECK t2g_status t2g_text_check(t2g_text text);

/* --- numbering ------------------------------------------------------------ */

/* Byte strings, numbered from 0 in the order of their first arrival. */
typedef struct t2g_numbering {
    t2g_buffer bytes;
    size_t *end;    /* string i is bytes[end[i-1], end[i]) */
    uint32_t *slot; /* hash table of number + 1, 0: free */
    size_t count, end_capacity, slots;
} t2g_numbering;
T2G_CHECK t2g_status t2g_number_of(t2g_numbering *n, t2g_text key,
                                   uint32_t *number);
void t2g_numbering_free(t2g_numbering *n);

/* A text as numbers: its words, and its n-grams of the order reached. */
typedef struct t2g_sequence {
    uint32_t *word, *gram;
    size_t count, order;
} t2g_sequence;
/* Order 1. */
T2G_CHECK t2g_status t2g_sequence_of(t2g_sequence *s, t2g_numbering *words,
                                     const t2g_tokens *t);
/* The next order, whose n-grams are numbered in `grams`. */
T2G_CHECK t2g_status t2g_sequence_extend(t2g_sequence *s,
                                         t2g_numbering *grams);
void t2g_sequence_free(t2g_sequence *s);
/* How many n-grams of the present order. */
size_t t2g_sequence_grams(const t2g_sequence *s);

/* Sum over n-grams of min(count in s, greatest count in one reference); numbers
 * are below `distinct`. */
T2G_CHECK t2g_status t2g_clipped_matches(size_t *out, const t2g_sequence *s,
                                         const t2g_sequence *reference,
                                         size_t count, size_t distinct);

/* Memory of t2g_lcs, kept from call to call. Start from {0}. */
typedef struct t2g_lcs_table {
    uint32_t *row[2]; /* lengths up to each element of b */
    uint8_t *left;    /* a bit a pair: the way back leads along b */
    size_t width, bytes;
} t2g_lcs_table;
void t2g_lcs_free(t2g_lcs_table *t);
/* Length of the longest common subsequence. member (may be NULL, [a_count]):
 * set where an element of a is in the one found from the end; the others stay.
 * T2G_ERR_UNSUPPORTED: more than 2^30 pairs. */
T2G_CHECK t2g_status t2g_lcs(t2g_lcs_table *t, size_t *length, uint8_t *member,
                             const uint32_t *a, size_t a_count,
                             const uint32_t *b, size_t b_count);

#endif
