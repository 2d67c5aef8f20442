/* The grammar of replies, as the rows that follow it see it. */
#ifndef T2G_REPLY_GRAMMAR_H
#define T2G_REPLY_GRAMMAR_H

#include "t2g/reply.h"
#include "token_trie.h"

/* Where in a string: plain, inside an escape (named after what is read of it),
 * inside a character (named after the continuation bytes to come, or after a
 * lead byte that restricts the next). In each, what a byte leads to stands
 * further left. */
enum {
    STRING_PLAIN,
    STRING_U001, STRING_U000, STRING_U00, STRING_U0, STRING_U, STRING_ESCAPE,
    STRING_1, STRING_2, STRING_3, STRING_E0, STRING_ED, STRING_F0, STRING_F4,
    STRING_STATES
};

enum { REPLY_FORM = 128 };

struct t2g_reply_grammar {
    const t2g_tokenizer *tokenizer;
    size_t vocab_size;
    const int64_t *eos;
    size_t eos_count;
    t2g_token_trie trie;
    char form[REPLY_FORM];         /* the empty reply, blanks in front */
    size_t length;                 /* of form */
    size_t words, list[2];         /* where in form they are to be written */
    size_t tail[REPLY_FORM + 1];   /* tokens for form from here on */
    size_t close[REPLY_FORM + 1];  /* the same behind a quotation mark */
    size_t byte[256];              /* 1, or T2G_TRIE_NEVER: no such token */
    size_t finish[STRING_STATES];  /* tokens that end an escape or character */
    uint8_t *in_words;             /* [vocab_size] 1: may go on with words */
    uint32_t *out_of_words;        /* the tokens that may close them */
    size_t out_of_words_count;
    size_t words_left;             /* with so many to come, all in_words may */
};

/* The next state in a string; *raw becomes the byte of the text that c
 * completes, or -1. STRING_STATES: c cannot stand here, or is the closing
 * quotation mark. */
uint8_t t2g_string_step(uint8_t string, uint8_t c, int *raw);

#endif
