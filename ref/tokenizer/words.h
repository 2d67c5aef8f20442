/* The distinct words of the texts that a vocabulary is learned from. */
#ifndef T2G_TOKENIZER_WORDS_H
#define T2G_TOKENIZER_WORDS_H

#include "tokenizer_private.h"

typedef struct t2g_word {
    size_t begin, length; /* in the text of all words */
    uint64_t count;
} t2g_word;

typedef struct t2g_words {
    t2g_buffer text;
    t2g_word *word;
    size_t count, capacity;
    uint32_t *slot; /* 1 + index, 0 = free */
    size_t slots;
} t2g_words;

void t2g_words_free(t2g_words *w);

/* Makes room for one more element of an array; the number of elements stays
 * below 2^31. */
T2G_CHECK t2g_status t2g_grow(void **array, size_t count, size_t *capacity,
                              size_t size);

/* Counts the pieces into which t's normalizer and pre-tokenizer cut all texts
 * of the source. The words are the same for any number of threads, their order
 * is not. */
T2G_CHECK t2g_status t2g_words_count(t2g_words *w, const t2g_tokenizer *t,
                                     const t2g_tokenizer_training *source);

#endif
