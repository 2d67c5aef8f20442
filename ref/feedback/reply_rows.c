/* Rows of a generation that follow the grammar of replies. */
#include <string.h>

#include "reply_grammar.h"
#include "t2g/memory.h"

/* One reply; what it may quote is known from its first token to its last. */
typedef struct reply {
    t2g_text response;
    t2g_substrings *pieces;
    t2g_reply_state state;
} reply;

struct t2g_reply_rows {
    const t2g_reply_grammar *g;
    t2g_constraint constraint;
    reply *reply;
    size_t rows;
};

/* False: no memory, or too long a response; t2g_fail has said so in a thread
 * that need not be the one that takes the token. */
static bool ready(reply *r)
{
    return r->pieces ||
           t2g_substrings_new(&r->pieces, r->response.data,
                              r->response.size) == T2G_OK;
}

static bool is_eos(const t2g_reply_grammar *g, uint32_t id)
{
    for (size_t i = 0; i < g->eos_count; i++)
        if (g->eos[i] == (int64_t)id)
            return true;
    return false;
}

/* The state behind a token; false: it cannot stand here. */
static bool read_token(const t2g_reply_grammar *g, const reply *r, uint32_t id,
                       t2g_reply_state *s)
{
    size_t n;
    const char *bytes = t2g_trie_token(g->tokenizer, g->vocab_size, g->eos,
                                       g->eos_count, id, &n);
    *s = r->state;
    for (size_t i = 0; bytes && i < n; i++)
        if (!t2g_reply_step(g, r->pieces, s, (uint8_t)bytes[i]))
            return false;
    return bytes != NULL;
}

/* Does it stand here, and leave tokens enough to complete the reply? */
static bool fits(const t2g_reply_grammar *g, const reply *r, uint32_t id,
                 size_t left)
{
    t2g_reply_state s;
    return read_token(g, r, id, &s) &&
           t2g_reply_bound(g, r->pieces, &s) <= left;
}

static bool allows(void *context, size_t row, uint32_t id, size_t left)
{
    const t2g_reply_rows *rows = context;
    reply *r = &rows->reply[row];
    if (!ready(r))
        return false;
    return t2g_reply_complete(rows->g, &r->state)
               ? is_eos(rows->g, id) : fits(rows->g, r, id, left);
}

/* Walks the vocabulary as far as the grammar goes along. */
static void mark_tokens(const t2g_reply_grammar *g, const reply *r,
                        uint8_t *allowed, size_t left)
{
    const t2g_token_trie *trie = &g->trie;
    t2g_reply_state state[T2G_TRIE_DEPTH + 1] = {r->state};
    for (size_t i = 1; i < trie->nodes;) {
        const t2g_trie_node *n = &trie->node[i];
        t2g_reply_state *s = &state[n->depth];
        *s = state[n->depth - 1];
        if (!t2g_reply_step(g, r->pieces, s, n->byte)) {
            i = n->skip;
            continue;
        }
        if (n->token != T2G_NO_TOKEN &&
            t2g_reply_bound(g, r->pieces, s) <= left)
            for (uint32_t id = n->token; id != T2G_NO_TOKEN;
                 id = trie->same[id])
                allowed[id] = 1;
        i++;
    }
}

static bool plain_words(const t2g_reply_grammar *g, const t2g_reply_state *s)
{
    return s->at == g->words && s->string == STRING_PLAIN;
}

/* In the words all is known but whether a token that closes them may. */
static void mark_words(const t2g_reply_grammar *g, const reply *r,
                       uint8_t *allowed, size_t left)
{
    memcpy(allowed, g->in_words, g->vocab_size);
    for (size_t i = 0; i < g->out_of_words_count; i++)
        allowed[g->out_of_words[i]] = fits(g, r, g->out_of_words[i], left);
}

static void mark(void *context, size_t row, uint8_t *allowed, size_t left)
{
    const t2g_reply_rows *rows = context;
    const t2g_reply_grammar *g = rows->g;
    reply *r = &rows->reply[row];
    if (!ready(r))
        return;
    if (t2g_reply_complete(g, &r->state))
        for (size_t i = 0; i < g->eos_count; i++)
            allowed[g->eos[i]] = 1;
    else if (plain_words(g, &r->state) && left >= g->words_left)
        mark_words(g, r, allowed, left);
    else
        mark_tokens(g, r, allowed, left);
}

static void forget(reply *r)
{
    t2g_substrings_free(r->pieces);
    r->pieces = NULL;
}

static t2g_status take(void *context, size_t row, uint32_t id, bool *finished)
{
    const t2g_reply_rows *rows = context;
    const t2g_reply_grammar *g = rows->g;
    reply *r = &rows->reply[row];
    t2g_reply_state s = r->state;
    if (!ready(r))
        return T2G_ERR_MEMORY;
    *finished = t2g_reply_complete(g, &s);
    if (!*finished && !read_token(g, r, id, &s))
        return t2g_fail(T2G_ERR_ARG, "row %zu: token %u has no place in a "
                        "reply", row, (unsigned)id);
    r->state = s;
    *finished |= g->eos_count == 0 && t2g_reply_complete(g, &s);
    if (*finished)
        forget(r);
    return T2G_OK;
}

t2g_status t2g_reply_rows_new(t2g_reply_rows **out, const t2g_reply_grammar *g,
                              const t2g_text *response, size_t n,
                              size_t max_new_tokens)
{
    *out = NULL;
    if (max_new_tokens < t2g_reply_grammar_shortest(g))
        return t2g_fail(T2G_ERR_ARG, "the shortest reply takes %zu tokens, "
                        "max_new_tokens is %zu",
                        t2g_reply_grammar_shortest(g), max_new_tokens);
    t2g_reply_rows *rows = t2g_calloc(1, sizeof *rows);
    reply *r = rows ? t2g_calloc(n, sizeof *r) : NULL;
    if (!r) {
        t2g_free(rows);
        return T2G_ERR_MEMORY;
    }
    for (size_t i = 0; i < n; i++)
        r[i].response = response[i];
    *rows = (t2g_reply_rows){
        .g = g, .reply = r, .rows = n,
        .constraint = {rows, g->vocab_size, allows, mark, take}};
    *out = rows;
    return T2G_OK;
}

void t2g_reply_rows_free(t2g_reply_rows *rows)
{
    if (!rows)
        return;
    for (size_t i = 0; i < rows->rows; i++)
        forget(&rows->reply[i]);
    t2g_free(rows->reply);
    t2g_free(rows);
}

const t2g_constraint *t2g_reply_rows_constraint(const t2g_reply_rows *rows)
{
    return &rows->constraint;
}
