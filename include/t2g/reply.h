/** Replies that cannot go wrong: a grammar for generation that admits the
 * reward model's training replies and nothing else. What is generated under it
 * is complete JSON, and every phrase it quotes is a piece of the response. */
#ifndef T2G_REPLY_H
#define T2G_REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "t2g/model.h"
#include "t2g/status.h"
#include "t2g/tokenizer.h"

/* --- the pieces of a text ------------------------------------------------- */

/** All substrings of a text: the smallest automaton that reads them and nothing
 * else [DAWG], at most 2n states and 3n moves. */
typedef struct t2g_substrings t2g_substrings;

enum { T2G_SUBSTRINGS_EMPTY = 0 }; /* the state that has read nothing */
#define T2G_SUBSTRINGS_NONE UINT32_MAX

/** n < 2^30 bytes, read as UTF-8: no substring holds a byte that is not part
 * of a character. */
T2G_CHECK t2g_status t2g_substrings_new(t2g_substrings **s, const char *text,
                                        size_t n);
void t2g_substrings_free(t2g_substrings *s);
/** The state after one more byte, or T2G_SUBSTRINGS_NONE. */
uint32_t t2g_substrings_next(const t2g_substrings *s, uint32_t state,
                             uint8_t byte);
/** Calls visit for each byte that may follow until it returns false. */
void t2g_substrings_each(const t2g_substrings *s, uint32_t state,
                         bool (*visit)(void *context, uint8_t byte,
                                       uint32_t next),
                         void *context);

/* --- the grammar ---------------------------------------------------------- */

/** No list of a reply is longer. */
enum { T2G_REPLY_SPANS = 64 };

/** The replies a model can write: blanks as the tokenizer writes them in front
 * of a training reply, then what t2g_critique_format writes; the words any
 * UTF-8, each span a non-empty piece of the response from one character border
 * to another, lists of up to T2G_REPLY_SPANS. A span may stand there more than
 * once: a critic that blames a repetition quotes it as often. Immutable and
 * used by any number of threads. */
typedef struct t2g_reply_grammar t2g_reply_grammar;

/** For models of this vocab_size that end with one of eos (none: a reply ends
 * where it is complete). t and eos must outlive it. Special tokens never
 * stand in a reply, nor do tokens of more than 256 bytes.
 * T2G_ERR_UNSUPPORTED: the tokenizer cannot write a reply. */
T2G_CHECK t2g_status t2g_reply_grammar_new(t2g_reply_grammar **g,
                                           const t2g_tokenizer *t,
                                           size_t vocab_size,
                                           const int64_t *eos,
                                           size_t eos_count);
void t2g_reply_grammar_free(t2g_reply_grammar *g);
/** Tokens of the shortest reply, without an end token. */
size_t t2g_reply_grammar_shortest(const t2g_reply_grammar *g);

/** How far a reply is. Starts as {0}; a copy is another attempt. */
typedef struct t2g_reply_state {
    uint32_t piece; /* the span so far, a state of t2g_substrings */
    uint16_t at;    /* bytes of the fixed text that are written */
    uint16_t items; /* of the list at hand */
    uint8_t list;   /* where in a list */
    uint8_t string; /* where in a string */
} t2g_reply_state;

/** Reads one byte; false: no reply about this response has it here (s is then
 * of no use). */
bool t2g_reply_step(const t2g_reply_grammar *g, const t2g_substrings *response,
                    t2g_reply_state *s, uint8_t byte);
bool t2g_reply_complete(const t2g_reply_grammar *g, const t2g_reply_state *s);
/** A number of tokens that certainly completes the reply, SIZE_MAX if there is
 * none. Some token that may follow has a bound smaller by one at least. */
size_t t2g_reply_bound(const t2g_reply_grammar *g,
                       const t2g_substrings *response,
                       const t2g_reply_state *s);

/* --- generation under it -------------------------------------------------- */

/** The replies of one call of t2g_generate. */
typedef struct t2g_reply_rows t2g_reply_rows;

/** Row r is about response[r], which is borrowed. T2G_ERR_ARG: max_new_tokens
 * is too few for any reply. */
T2G_CHECK t2g_status t2g_reply_rows_new(t2g_reply_rows **rows,
                                        const t2g_reply_grammar *g,
                                        const t2g_text *response, size_t n,
                                        size_t max_new_tokens);
void t2g_reply_rows_free(t2g_reply_rows *rows);
/** For t2g_sampling.constraint; owned by rows. */
const t2g_constraint *t2g_reply_rows_constraint(const t2g_reply_rows *rows);

#endif
