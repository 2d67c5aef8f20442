/* The tokens of a vocabulary by their bytes. */
#ifndef T2G_TOKEN_TRIE_H
#define T2G_TOKEN_TRIE_H

#include "t2g/tokenizer.h"

enum { T2G_TRIE_DEPTH = 256 }; /* longer tokens are left out */

/* Nodes in the order of a walk: the child of one node, if it has any, is the
 * next node; `skip` is the node behind all its descendants. Node 0 has read
 * nothing. */
typedef struct t2g_trie_node {
    uint32_t skip;
    uint32_t token; /* that ends here, or T2G_NO_TOKEN; others: same[token] */
    uint16_t depth; /* bytes read */
    uint8_t byte;   /* the last of them */
} t2g_trie_node;

#define T2G_NO_TOKEN UINT32_MAX

typedef struct t2g_token_trie {
    t2g_trie_node *node;
    size_t nodes;
    uint32_t *same; /* [vocab_size] the next token of the same bytes */
} t2g_token_trie;

/* Of the ids below vocab_size, without special and end tokens. */
T2G_CHECK t2g_status t2g_token_trie_build(t2g_token_trie *trie,
                                          const t2g_tokenizer *t,
                                          size_t vocab_size,
                                          const int64_t *eos,
                                          size_t eos_count);
void t2g_token_trie_free(t2g_token_trie *trie);

/* The bytes of a token that is in the trie, else NULL. */
const char *t2g_trie_token(const t2g_tokenizer *t, size_t vocab_size,
                           const int64_t *eos, size_t eos_count, uint32_t id,
                           size_t *length);

/* cost[i] becomes the fewest tokens that write text[i .. n), for i = 0..n;
 * T2G_TRIE_NEVER where none do. */
#define T2G_TRIE_NEVER (SIZE_MAX / 16)
void t2g_trie_spell(const t2g_token_trie *trie, const char *text, size_t n,
                    size_t *cost);

#endif
