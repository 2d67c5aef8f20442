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
    const char *source; /* static: "good_spans", "poor_spans", "spans", ... */
    size_t start, end;
    char *note;            /* or NULL */
    const char *rejected;  /* static reason why it cannot be used, or NULL */
    bool clamped;
} t2g_span;

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
} t2g_critique;

void t2g_critique_free(t2g_critique *c);

/** Appends a copy of a span (score +1/-1/0 by sign gives the label). */
T2G_CHECK t2g_status t2g_critique_add(t2g_critique *c, const char *text,
                                      size_t length, double score,
                                      const char *source);

/** Reads a reply strictly: one JSON object with "textual_feedback" (or
 * "critique") and "good_spans", "poor_spans" (lists of strings or of objects
 * {text, start?, end?, score?, note?}). White space around it is fine; anything
 * else leaves status UNPARSED with the reason - that is an outcome, not an
 * error. T2G_ERR_MEMORY alone fails. */
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
typedef enum { T2G_OVERLAP_SUM, T2G_OVERLAP_INNER,
               T2G_OVERLAP_NEGATIVE } t2g_on_overlap;

typedef struct t2g_align_options {
    t2g_on_repeat on_repeat;   /* default split */
    t2g_on_overlap on_overlap; /* default sum (inner overrules outer) */
    double background;         /* tokens outside all spans; default 0 */
    bool punctuation_zero;     /* tokens without letter or digit get 0 */
} t2g_align_options;

/** Where one place of one span went. */
typedef struct t2g_placement {
    size_t span;         /* index in the critique */
    const char *method;  /* static: "given", "exact", "folded", "none" */
    const char *rule;    /* static: "unique", "in_order", "last_repeated",
                            "split", "first", "last", "all", "skip", "given" */
    const char *reason;  /* static, for "none": "empty", "not_found", ... */
    size_t start, end;   /* bytes */
    size_t occurrences, occurrence;
    bool ambiguous;
    size_t first_token, last_token; /* half open; equal: none */
    double reward;
} t2g_placement;

typedef struct t2g_alignment {
    float *delta; /* [tokens] in [-1, 1] */
    size_t tokens;
    t2g_placement *placement;
    size_t count;
    const char *status; /* static: "ok", "partial", "unparsed", "empty" */
    size_t conflicts;   /* tokens where opposite signs met */
} t2g_alignment;

void t2g_alignment_free(t2g_alignment *a);

/** Aligns. offset: flat byte ranges [2*tokens] of the response's tokens (equal
 * ends: a special token, always 0). options NULL = defaults. Finding: given
 * offsets, exact bytes, then folded (case, quotes, dashes, white space); equal
 * quotes are consumed in order of occurrence; unmatched spans are kept in the
 * audit with method "none". Tokens: at least half of the token's non-blank
 * bytes inside, else the best overlap (section 6.7). */
T2G_CHECK t2g_status t2g_align(t2g_alignment *out, const char *response,
                               size_t n, const t2g_critique *critique,
                               const size_t *offset, size_t tokens,
                               const t2g_align_options *options);

/** Appends to `lines` one audit object per placement and one summary object, as
 * section 6.10 (id may be NULL). */
T2G_CHECK t2g_status t2g_align_audit(const t2g_alignment *a,
                                     const t2g_critique *critique,
                                     const char *response, const json_t *id,
                                     json_t *lines);

#endif
