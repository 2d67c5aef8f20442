/** Metrics of texts and of critics: ROUGE, BLEU, exact match, perplexity,
 * distinct-n, pass@k, win rate, agreement, and those of reward models. What
 * follows from numbers alone - intervals, tests - is in statistics.h.
 *
 * Unless said otherwise: texts are UTF-8 of any length, NULs allowed; scores
 * lie in [0, 1]; sums run in the order of the data, in double; an empty
 * denominator gives 0; functions fail with T2G_ERR_MEMORY alone and then leave
 * their outputs unspecified but safe to free. */
#ifndef T2G_METRICS_H
#define T2G_METRICS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "t2g/memory.h"
#include "t2g/status.h"

typedef struct t2g_prf {
    double precision, recall, f1;
} t2g_prf;

/** hits/predicted, hits/actual and 2PR/(P+R); 0/0 is 0. */
t2g_prf t2g_prf_of(double hits, double predicted, double actual);
/** 2PR/(P+R), or 0. */
double t2g_f1(double precision, double recall);

/* --- tokens --------------------------------------------------------------- */

/** Tokens of a text, one behind the other. Start from {0}; filling replaces
 * what was there. */
typedef struct t2g_tokens {
    t2g_buffer text;
    size_t *end; /* token i is text[end[i-1], end[i]) */
    size_t count, capacity;
} t2g_tokens;
void t2g_tokens_free(t2g_tokens *t);
t2g_text t2g_tokens_at(const t2g_tokens *t, size_t i);

/** As Python's rouge_score: lower case, maximal runs of a-z and 0-9, those of
 * more than three characters stemmed if `stem`. Other letters separate, so a
 * text in another script has no tokens. */
T2G_CHECK t2g_status t2g_rouge_tokens(t2g_tokens *out, t2g_text text,
                                      bool stem);
/** As mteval-v13a in the form of sacreBLEU ("13a"). */
T2G_CHECK t2g_status t2g_bleu_tokens(t2g_tokens *out, t2g_text text,
                                     bool lowercase);
/** Maximal runs of what is not white space (Python's str.split). */
T2G_CHECK t2g_status t2g_blank_tokens(t2g_tokens *out, t2g_text text);

/** Porter's stemmer in the variant that NLTK calls its extensions, on a word of
 * a-z and 0-9; in place. Returns the stem's length, at most n. */
size_t t2g_porter_stem(char *word, size_t n);

/* --- ROUGE (Lin 2004, as Python's rouge_score 0.1.2) ---------------------- */

enum { T2G_ROUGE_1, T2G_ROUGE_2, T2G_ROUGE_L, T2G_ROUGE_LSUM, T2G_ROUGES };

/** rouge1 and rouge2: shared n-grams; rougeL: longest common subsequence;
 * rougeLsum: union of those of the lines. T2G_ERR_UNSUPPORTED: the product of
 * the two numbers of tokens exceeds 2^30. */
T2G_CHECK t2g_status t2g_rouge(t2g_prf out[T2G_ROUGES], t2g_text reference,
                               t2g_text prediction, bool stem);
/** Several references: per type the one with the greatest F1. T2G_ERR_ARG:
 * none. */
T2G_CHECK t2g_status t2g_rouge_best(t2g_prf out[T2G_ROUGES],
                                    const t2g_text *reference, size_t count,
                                    t2g_text prediction, bool stem);

/** [T2G]'s measure of answers in training: half the mean F1 of ROUGE-1, -2 and
 * -L (stemmed) plus half the matching ratio. Errors of both. */
T2G_CHECK t2g_status t2g_similarity(double *out, t2g_text reference,
                                    t2g_text prediction);

/* --- BLEU (Papineni et al. 2002) ------------------------------------------ */

enum { T2G_BLEU_ORDER = 4 };

/** What BLEU needs of a segment; corpus counts are sums. */
typedef struct t2g_bleu_counts {
    size_t sys, ref; /* tokens; ref: the nearest reference, ties: shorter */
    size_t correct[T2G_BLEU_ORDER], total[T2G_BLEU_ORDER];
} t2g_bleu_counts;

typedef enum t2g_smoothing {
    T2G_SMOOTH_EXP,   /* k-th order without a match: 1 / (2^k total) */
    T2G_SMOOTH_FLOOR, /* value / total */
    T2G_SMOOTH_ADD_K, /* value added to both counts of n > 1 */
    T2G_SMOOTH_NONE
} t2g_smoothing;

typedef struct t2g_bleu_options {
    t2g_smoothing smoothing;
    double value;         /* of FLOOR (usually 0.1) and ADD_K (1) */
    bool effective_order; /* for single sentences: orders that exist */
} t2g_bleu_options;

typedef struct t2g_bleu {
    double score, precision[T2G_BLEU_ORDER], brevity; /* 0..100; brevity 0..1 */
} t2g_bleu;

/** Counts of one segment with 13a tokens. T2G_ERR_ARG: no reference. */
T2G_CHECK t2g_status t2g_bleu_count(t2g_bleu_counts *out, t2g_text hypothesis,
                                    const t2g_text *reference, size_t count,
                                    bool lowercase);
void t2g_bleu_add(t2g_bleu_counts *sum, const t2g_bleu_counts *more);
/** sacreBLEU 2's score of counts; options {0} are its signature
 * case:mixed|eff:no|tok:13a|smooth:exp. Without any 4-gram the score is 0. */
t2g_bleu t2g_bleu_score(const t2g_bleu_counts *c,
                        const t2g_bleu_options *options);

/** NLTK's BLEU with smoothing method 1, 0 to 1, for comparing with tables that
 * used it: tokens at white space, totals of at least 1 a segment. */
T2G_CHECK t2g_status t2g_bleu_nltk_count(t2g_bleu_counts *out,
                                         t2g_text hypothesis,
                                         const t2g_text *reference,
                                         size_t count);
double t2g_bleu_nltk_score(const t2g_bleu_counts *c);

/* --- other measures of text ----------------------------------------------- */

typedef struct t2g_perplexity {
    double perplexity;    /* exp(sum of nll / tokens) */
    double sequence_mean; /* mean over texts of theirs: not the same */
    double bits_per_byte; /* sum of nll / ln 2 / bytes */
} t2g_perplexity;
/** nll: -log p of every token of all texts in turn, text i having tokens[i] of
 * them and bytes[i] bytes. T2G_ERR_NUMERIC: a value is not finite. NaN where
 * there is nothing to divide by; texts without tokens are in no mean. */
T2G_CHECK t2g_status t2g_perplexity_of(t2g_perplexity *out, const double *nll,
                                       const size_t *tokens,
                                       const size_t *bytes, size_t texts);

typedef struct t2g_distinct {
    double corpus; /* distinct n-grams / n-grams, n-grams inside texts */
    double mean;   /* of the texts' own ratios, where a text has an n-gram */
} t2g_distinct;
/** out[n-1], n = 1..T2G_BLEU_ORDER; 13a tokens. each (may be NULL, [texts][4]):
 * the texts' ratios, NaN without an n-gram. */
T2G_CHECK t2g_status t2g_distinct_of(t2g_distinct out[T2G_BLEU_ORDER],
                                     double (*each)[T2G_BLEU_ORDER],
                                     const t2g_text *text, size_t texts);

/** SQuAD's normal form: lower case, no ASCII punctuation, no articles, single
 * blanks. Appends to out. T2G_ERR_FORMAT: not UTF-8. */
T2G_CHECK t2g_status t2g_answer_normalize(t2g_buffer *out, t2g_text text);
/** Equality and token F1 of the normal forms; two empty ones agree. */
T2G_CHECK t2g_status t2g_answer_match(bool *exact, double *f1,
                                      t2g_text reference, t2g_text prediction);

/** Unbiased chance that one of k samples is right, c of n being right (Chen et
 * al., arXiv 2107.03374): 1 - C(n-c, k) / C(n, k). 1 <= k <= n, c <= n. */
double t2g_pass_at_k(size_t n, size_t c, size_t k);

/* --- judgements ----------------------------------------------------------- */

typedef struct t2g_win_rate {
    size_t wins, losses, ties;
    double rate, lo, hi;   /* (wins + ties/2) / n, Wilson */
    double p_sign;         /* exact two-sided sign test of wins and losses */
    double consistent;     /* share of equal verdicts in both orders */
    double first_position; /* share of decided verdicts for what came first */
} t2g_win_rate;
/** Each pair judged in both orders; verdicts 1 (A is better), 0, -1. ab: A was
 * shown first. T2G_ERR_ARG: n = 0 or another verdict. */
T2G_CHECK t2g_status t2g_win_rate_of(t2g_win_rate *out, const int *ab,
                                     const int *ba, size_t n, double level);

typedef enum t2g_distance {
    T2G_DISTANCE_NOMINAL,
    T2G_DISTANCE_LINEAR,    /* kappa: |i - j| of the sorted labels found */
    T2G_DISTANCE_QUADRATIC, /* kappa: (i - j)^2 */
    T2G_DISTANCE_ORDINAL,   /* alpha: by how many values lie between */
    T2G_DISTANCE_INTERVAL   /* alpha: (c - k)^2 of the values */
} t2g_distance;
/** Cohen's kappa, weighted: 1 - sum w o / sum w e; NaN for 0/0.
 * T2G_ERR_NUMERIC: a label is NaN. T2G_ERR_ARG: a distance of alpha.
 * T2G_ERR_UNSUPPORTED: more than 256 different labels. */
T2G_CHECK t2g_status t2g_cohen_kappa(double *kappa, const double *a,
                                     const double *b, size_t n,
                                     t2g_distance weights);
/** The same of counts [K][K]: label i by one, j by the other. */
double t2g_kappa_of_counts(const double *count, size_t K,
                           t2g_distance weights);
/** Krippendorff's alpha over rating [raters][units], NaN: missing; NaN for 0/0.
 * Errors as kappa. */
T2G_CHECK t2g_status t2g_krippendorff(double *alpha, const double *rating,
                                      size_t raters, size_t units,
                                      t2g_distance distance);

/* --- reward models -------------------------------------------------------- */

/** One word with its score; NaN: a score that is no number. */
typedef struct t2g_word_score {
    t2g_text word;
    double score;
} t2g_word_score;

/** The official scripts' reading of a reference record: a new array of [word,
 * score] from word_score_list, word_scores, scores, or the first list of lists
 * or objects; empty for any other shape. */
T2G_CHECK t2g_status t2g_word_list(json_t **out, const json_t *record);
/** Such an array as scores that point into it; *out is t2g_free'd. */
T2G_CHECK t2g_status t2g_word_scores(t2g_word_score **out, size_t *count,
                                     const json_t *list);

enum { T2G_POOR, T2G_NEUTRAL, T2G_GOOD, T2G_CLASSES }; /* scores -1, 0, 1 */

/** Word sets of [T2G]'s summarisation script: per sample a map from word to
 * score (the last occurrence counts), so that order and repetition are lost. */
typedef struct t2g_word_map_counts {
    size_t hit[T2G_CLASSES], predicted[T2G_CLASSES], actual[T2G_CLASSES];
    size_t reference_words, predicted_words, missing, common;
} t2g_word_map_counts;
/** Adds one sample; one with an empty list is left out. */
T2G_CHECK t2g_status t2g_word_map_count(t2g_word_map_counts *c,
                                        const t2g_word_score *predicted,
                                        size_t predicted_count,
                                        const t2g_word_score *reference,
                                        size_t reference_count);

/** Word by word, as its question script: positions whose words differ are
 * skipped. tp, fp, fn per class and, at T2G_CLASSES, summed over them. */
typedef struct t2g_word_counts {
    size_t tp[T2G_CLASSES + 1], fp[T2G_CLASSES + 1], fn[T2G_CLASSES + 1];
} t2g_word_counts;
/** Adds one sample. */
void t2g_word_count(t2g_word_counts *c, const t2g_word_score *predicted,
                    size_t predicted_count, const t2g_word_score *reference,
                    size_t reference_count);
t2g_prf t2g_word_prf(const t2g_word_counts *c, int kind);

/** Spans: maximal runs of one class. */
typedef struct t2g_run_counts {
    size_t reference, predicted; /* runs */
    size_t exact;   /* reference runs that are a predicted run */
    size_t half;    /* ... or share at least half with one (IoU >= 0.5) */
    size_t partial; /* ... or share anything but are none */
    double iou;     /* sum over reference runs of the best IoU */
} t2g_run_counts;
/** Adds one sample: runs of one score (-1, 0, 1) in two lists.
 * T2G_ERR_MEMORY. The official `partial` counts no exact hit, so a perfect
 * prediction scores 0; partial + exact is ours. */
T2G_CHECK t2g_status t2g_run_count(t2g_run_counts *c, const double *predicted,
                                   size_t predicted_count,
                                   const double *reference,
                                   size_t reference_count, double score);

/** The same of lists of words, by their places. */
T2G_CHECK t2g_status t2g_word_run_count(t2g_run_counts *c,
                                        const t2g_word_score *predicted,
                                        size_t predicted_count,
                                        const t2g_word_score *reference,
                                        size_t reference_count, double score);

/** Characters in matching blocks (t2g_sequence_match with autojunk) / characters, of
 * generated and reference; 1, 1, 1 if both are empty; reference alone empty
 * 0, 1, 0; generated alone empty 1, 0, 0. Errors of t2g_sequence_match. */
T2G_CHECK t2g_status t2g_code_similarity(t2g_prf *out, t2g_text generated,
                                         t2g_text reference);

/** The same of members of records: a text, or a list of lines. */
T2G_CHECK t2g_status t2g_code_field_similarity(t2g_prf *out,
                                               const json_t *generated,
                                               const json_t *reference);

#endif
