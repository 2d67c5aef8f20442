/** Feedback: from a critique to one reward per token. A critique is text plus
 * phrases (spans) of the response judged good or poor; alignment finds them in
 * the response by bytes and gives delta_t in [-1, 1] to its tokens. Paper,
 * section 3; behaviour: part R of the alignment specification. */
#ifndef T2G_FEEDBACK_H
#define T2G_FEEDBACK_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "t2g/memory.h"
#include "t2g/status.h"

#define T2G_NO_OFFSET SIZE_MAX

/** One judged phrase. start/end: byte range in the response when the critic
 * gave it, else T2G_NO_OFFSET. */
typedef struct t2g_span {
    char *text;
    size_t length;
    double score; /* [-1, 1]: good +1, poor -1, neutral 0, or severity */
    const char *label;  /* static: "good", "poor", "neutral" */
    const char *source; /* static: "good_spans", "poor_spans", "spans",
                           "wrong_code", "improvement_code",
                           "word_score_list" */
    bool word; /* one of a list of words in the response's order */
    size_t start, end;
    char *note;            /* or NULL */
    const char *rejected;  /* static reason why it cannot be used, or NULL */
    bool clamped;
} t2g_span;

/** What was wrong with a reply and put right in reading it. Bits. */
enum {
    T2G_REPAIR_SURROUNDED = 1 << 0,    /* other text, code fence, wrapper */
    T2G_REPAIR_UNPACKED = 1 << 1,      /* JSON in a JSON string */
    T2G_REPAIR_SINGLE_QUOTES = 1 << 2,
    T2G_REPAIR_TUPLE = 1 << 3,         /* parentheses for brackets */
    T2G_REPAIR_EXTRA_COMMA = 1 << 4,
    T2G_REPAIR_MISSING_COMMA = 1 << 5,
    T2G_REPAIR_MISSING_BRACKET = 1 << 6,
    T2G_REPAIR_COMMENT = 1 << 7,
    T2G_REPAIR_PYTHON_LITERAL = 1 << 8,
    T2G_REPAIR_RAW_CONTROL = 1 << 9,
    T2G_REPAIR_UNKNOWN_ESCAPE = 1 << 10,
    T2G_REPAIR_INNER_QUOTE = 1 << 11,  /* not escaped */
    T2G_REPAIR_DUPLICATE_KEY = 1 << 12, /* the last one counts */
    T2G_REPAIR_END_OF_INPUT = 1 << 13, /* the unfinished element is dropped */
    T2G_REPAIR_PLUS_SIGN = 1 << 14,
    T2G_REPAIR_KEY_NAME = 1 << 15,     /* another spelling of a key */
    T2G_REPAIR_NO_OBJECT = 1 << 16,    /* keys without braces, bare lists */
    T2G_REPAIR_LINES = 1 << 17,        /* "word: score", one a line */
    T2G_REPAIR_MISSING_FIELD = 1 << 18, /* one of the lists, or the words */
    T2G_REPAIR_ITEM_FORM = 1 << 19,    /* an element in another form */
    T2G_REPAIRS = 20                   /* number of bits */
};
/** "single_quotes", ...; bit < T2G_REPAIRS. */
const char *t2g_repair_name(unsigned bit);

typedef enum t2g_critique_status {
    T2G_CRITIQUE_OK,
    T2G_CRITIQUE_EMPTY,   /* a valid answer that lists nothing: delta = 0 */
    T2G_CRITIQUE_UNPARSED /* no answer found: excluded, never a reward */
} t2g_critique_status;

typedef struct t2g_critique {
    char *text; /* the critique in words, "" if there is none */
    size_t text_length;
    t2g_span *span;
    size_t count;
    t2g_critique_status status;
    char reason[128]; /* why unparsed */
    unsigned repairs; /* T2G_REPAIR_... that reading the reply took */
} t2g_critique;

void t2g_critique_free(t2g_critique *c);

/** Appends a copy of a span (score +1/-1/0 by sign gives the label). */
T2G_CHECK t2g_status t2g_critique_add(t2g_critique *c, const char *text,
                                      size_t length, double score,
                                      const char *source);

/** Reads a reply. Asked for is one JSON object with "textual_feedback" (or
 * "critique") and "good_spans", "poor_spans" (lists of strings or of objects
 * {text, start?, end?, score?, note?}); read as well are "code_feedback" with
 * "wrong_code", "improvement_code", and "word_score_list" ([word, score], ...).
 * A reply that is not quite JSON is read with the repairs that `repairs` then
 * names; scores beyond [-1, 1] are clamped, elements that are no span with a
 * score are kept as rejected. Nothing is made up: where no list is found, or a
 * list without one usable element, status is UNPARSED with the reason - that is
 * an outcome, not an error. T2G_ERR_MEMORY alone fails. */
T2G_CHECK t2g_status t2g_critique_parse(t2g_critique *out, const char *reply,
                                        size_t n);
/** The same fields out of a feedback record (cli records; "reply" is parsed).
 * A record with wrong types is T2G_ERR_FORMAT naming the key. */
T2G_CHECK t2g_status t2g_critique_from_record(t2g_critique *out,
                                              const json_t *record);
/** Appends the reply a reward model is trained to write: compact JSON
 * {"textual_feedback": ..., "good_spans": [...], "poor_spans": [...]},
 * non-ASCII kept. t2g_critique_parse gives the critique back. */
T2G_CHECK t2g_status t2g_critique_format(const t2g_critique *c,
                                         t2g_buffer *out);
/** Sets critique, good_spans, poor_spans of a record (a JSON object). */
T2G_CHECK t2g_status t2g_critique_to_record(const t2g_critique *c,
                                            json_t *record);

typedef enum { T2G_REPEAT_SPLIT, T2G_REPEAT_FIRST, T2G_REPEAT_LAST,
               T2G_REPEAT_ALL, T2G_REPEAT_SKIP } t2g_on_repeat;
typedef enum { T2G_OVERLAP_SUM, T2G_OVERLAP_INNER, T2G_OVERLAP_NEGATIVE,
               T2G_OVERLAP_FIRST } t2g_on_overlap;
typedef enum { T2G_UNMATCHED_KEEP, T2G_UNMATCHED_DROP,
               T2G_UNMATCHED_FAIL } t2g_on_unmatched;

/** Spans whose note is `type` (case ignored) get `score`. */
typedef struct t2g_severity {
    const char *type;
    double score; /* [-1, 1] */
} t2g_severity;

typedef struct t2g_align_options {
    t2g_on_repeat on_repeat;   /* default split */
    t2g_on_overlap on_overlap; /* default sum (inner overrules outer) */
    t2g_on_unmatched on_unmatched; /* default keep: the rest is used */
    double background;         /* tokens outside all spans; default 0 */
    bool punctuation_zero;     /* tokens without letter or digit get 0 */
    bool scale_by_similarity;  /* times 1 - distance/length */
    const t2g_severity *severity;
    size_t severities;
    const struct t2g_kernels *kernels; /* t2g/kernels.h; default the CPU's */
} t2g_align_options;

/** A token that a span holds in part, bytes of its core. */
typedef struct t2g_straddle {
    size_t token, overlap, core;
} t2g_straddle;
enum { T2G_STRADDLES = 2 };

/** Where one place of one span went. */
typedef struct t2g_placement {
    size_t span;         /* index in the critique */
    size_t words;        /* listed words that it stands for, from span on; 0:
                            it is no list of words */
    const char *method;  /* static: "given", "exact", "folded", "unescaped",
                            "skeleton", "ellipsis", "fuzzy", "words", "none" */
    const char *rule;    /* static: "unique", "in_order", "last_repeated",
                            "split", "first", "last", "all", "skip", "given" */
    const char *reason;  /* static, for "none": "empty", "too_short_for_fuzzy",
                            "too_long_for_fuzzy", "over_threshold",
                            "rejected_score", "rejected_element",
                            "several_occurrences", "too_many_occurrences",
                            "no_such_word", "too_many_words" */
    size_t start, end;   /* bytes */
    size_t distance, length; /* edits (the best, if none), of characters */
    size_t occurrences, occurrence;
    bool ambiguous;
    bool offset_mismatch; /* the critic's offsets do not hold its text */
    size_t first_token, last_token; /* half open; equal: none */
    size_t overruled;    /* of these, lost to a span inside this one */
    t2g_straddle straddle[T2G_STRADDLES];
    size_t straddles;
    double reward;
} t2g_placement;

/** Two placements of opposite signs that met on a token. */
typedef struct t2g_opposed {
    size_t a, b;
} t2g_opposed;
enum { T2G_MOST_OPPOSED = 1 << 16 };

typedef struct t2g_alignment {
    float *delta;       /* [tokens] in [-1, 1] */
    bool *silent;       /* [tokens]: 0 whatever the spans say */
    size_t tokens;
    t2g_placement *placement;
    size_t count;
    const char *status; /* static: "ok", "partial", "unparsed", "empty",
                           "dropped" */
    size_t conflicts;   /* tokens where opposite signs met */
    t2g_opposed *opposed_pair; /* at most T2G_MOST_OPPOSED of them */
    size_t opposed;
} t2g_alignment;

void t2g_alignment_free(t2g_alignment *a);

/** Aligns. offset: flat byte ranges [2*tokens] of the response's tokens (equal
 * ends: a special token, always 0). options NULL = defaults.
 *
 * Finding, the first level with a result: offsets given by the critic; equal
 * bytes; equal after folding (Unicode compatibility form and case, quotes,
 * dashes, white space); after taking escapes, entities and Markdown marks off
 * the quote; letters and digits alone; the pieces between dots; edit distance
 * to any substring, at most 20 to 35 of 100 characters, none under 8.
 * Occurrences between word borders are preferred. Words of a list are aligned
 * as a sequence.
 *
 * Several occurrences: equal quotes take them in order; what is blamed as a
 * repetition means the last; else on_repeat. Quotes without a place stay in the
 * audit with method "none".
 *
 * Tokens: at least half of the token's non-blank bytes inside, else the best
 * overlap; blanks between such tokens go along. Rewards add up where spans
 * overlap, an inner span overrules the outer one. Time is linear in the
 * response's length and the number of spans. T2G_ERR_FORMAT: on_unmatched is
 * fail and a span has no place. */
T2G_CHECK t2g_status t2g_align(t2g_alignment *out, const char *response,
                               size_t n, const t2g_critique *critique,
                               const size_t *offset, size_t tokens,
                               const t2g_align_options *options);

/** Appends to `lines` one audit object per placement and one summary object (id
 * may be NULL). */
T2G_CHECK t2g_status t2g_align_audit(const t2g_alignment *a,
                                     const t2g_critique *critique,
                                     const char *response,
                                     const t2g_align_options *options,
                                     const json_t *id, json_t *lines);

/** delta again, from the audit objects of one response alone (the summary is
 * the last). out->delta, tokens and placement are set; T2G_ERR_FORMAT names
 * what is missing, or says that the result is not what the summary's digest
 * tells. */
T2G_CHECK t2g_status t2g_align_rebuild(t2g_alignment *out,
                                       json_t *const *lines, size_t count);

#endif
