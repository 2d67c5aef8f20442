/* A trie of the vocabulary, laid out so that a walk is one pass over an array
 * with jumps over what is refused. */
#include "token_trie.h"

#include <stdlib.h>
#include <string.h>

#include "t2g/memory.h"

typedef struct entry {
    const char *bytes;
    uint32_t length, id;
} entry;

/* By bytes, a prefix before what it begins, then by id. */
static int by_bytes(const void *a, const void *b)
{
    const entry *x = a, *y = b;
    uint32_t n = x->length < y->length ? x->length : y->length;
    int order = memcmp(x->bytes, y->bytes, n);
    if (order != 0)
        return order;
    if (x->length != y->length)
        return x->length < y->length ? -1 : 1;
    return x->id < y->id ? -1 : x->id > y->id;
}

const char *t2g_trie_token(const t2g_tokenizer *t, size_t vocab_size,
                           const int64_t *eos, size_t eos_count, uint32_t id,
                           size_t *length)
{
    const char *bytes = t2g_tokenizer_bytes(t, id, length);
    if (!bytes || *length == 0 || *length > T2G_TRIE_DEPTH ||
        id >= vocab_size || t2g_tokenizer_is_special(t, id))
        return NULL;
    for (size_t i = 0; i < eos_count; i++)
        if (eos[i] == (int64_t)id)
            return NULL;
    return bytes;
}

static uint32_t common_prefix(const entry *a, const entry *b)
{
    uint32_t n = 0;
    while (n < a->length && n < b->length && a->bytes[n] == b->bytes[n])
        n++;
    return n;
}

/* Nodes of the sorted entries. `path` holds the nodes of the latest entry. */
static void lay_out(t2g_token_trie *trie, const entry *e, size_t n)
{
    uint32_t path[T2G_TRIE_DEPTH + 1] = {0}, depth = 0;
    trie->node[0] = (t2g_trie_node){.token = T2G_NO_TOKEN};
    trie->nodes = 1;
    for (size_t i = 0; i < n; i++) {
        uint32_t shared = i ? common_prefix(&e[i - 1], &e[i]) : 0;
        for (; depth > shared; depth--)
            trie->node[path[depth]].skip = (uint32_t)trie->nodes;
        for (; depth < e[i].length; depth++) {
            path[depth + 1] = (uint32_t)trie->nodes;
            trie->node[trie->nodes++] = (t2g_trie_node){
                .token = T2G_NO_TOKEN, .depth = (uint16_t)(depth + 1),
                .byte = (uint8_t)e[i].bytes[depth]};
        }
        t2g_trie_node *end = &trie->node[path[depth]];
        trie->same[e[i].id] = end->token;
        end->token = e[i].id;
    }
    for (uint32_t d = 0; d <= depth; d++)
        trie->node[path[d]].skip = (uint32_t)trie->nodes;
}

t2g_status t2g_token_trie_build(t2g_token_trie *trie, const t2g_tokenizer *t,
                                size_t vocab_size, const int64_t *eos,
                                size_t eos_count)
{
    size_t n = 0, bytes = 0, length;
    entry *e = t2g_calloc(vocab_size, sizeof *e);
    *trie = (t2g_token_trie){0};
    if (!e)
        return T2G_ERR_MEMORY;
    for (uint32_t id = 0; id < vocab_size; id++) {
        const char *b = t2g_trie_token(t, vocab_size, eos, eos_count, id,
                                       &length);
        if (!b)
            continue;
        e[n++] = (entry){b, (uint32_t)length, id};
        bytes += length;
    }
    qsort(e, n, sizeof *e, by_bytes);
    trie->node = t2g_calloc(bytes + 1, sizeof *trie->node);
    trie->same = t2g_calloc(vocab_size, sizeof *trie->same);
    t2g_status s = trie->node && trie->same ? T2G_OK : T2G_ERR_MEMORY;
    if (s == T2G_OK)
        lay_out(trie, e, n);
    else
        t2g_token_trie_free(trie);
    t2g_free(e);
    return s;
}

void t2g_token_trie_free(t2g_token_trie *trie)
{
    t2g_free(trie->node);
    t2g_free(trie->same);
    *trie = (t2g_token_trie){0};
}

/* The child of a node that reads this byte, or 0. */
static uint32_t child(const t2g_token_trie *trie, uint32_t at, uint8_t byte)
{
    for (uint32_t i = at + 1; i < trie->node[at].skip; i = trie->node[i].skip)
        if (trie->node[i].byte == byte)
            return i;
    return 0;
}

void t2g_trie_spell(const t2g_token_trie *trie, const char *text, size_t n,
                    size_t *cost)
{
    cost[n] = 0;
    for (size_t i = n; i-- > 0;) {
        uint32_t at = 0;
        cost[i] = T2G_TRIE_NEVER;
        for (size_t k = i; k < n; k++) {
            at = child(trie, at, (uint8_t)text[k]);
            if (at == 0)
                break;
            if (trie->node[at].token != T2G_NO_TOKEN &&
                1 + cost[k + 1] < cost[i])
                cost[i] = 1 + cost[k + 1];
        }
    }
}
