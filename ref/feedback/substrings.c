/* The substrings of a text as an automaton, built byte by byte from left to
 * right in linear time [DAWG]. */
#include <string.h>

#include "t2g/files.h"
#include "t2g/reply.h"

/* A move, in the list of those that leave a state. */
typedef struct move {
    uint32_t target, next;
    uint8_t byte;
} move;

/* A state stands for the substrings that end at the same places; `longest` is
 * the length of the longest, `suffix` the state of the longest suffix of it
 * that ends at more places. */
typedef struct state {
    uint32_t longest, suffix, first;
} state;

struct t2g_substrings {
    state *state;
    move *move;
    size_t states, moves, move_room;
    uint32_t whole; /* the state of the text so far */
};

static const uint32_t NONE = T2G_SUBSTRINGS_NONE;

/* Stands for bytes that are no UTF-8, of which it is none either. */
enum { NO_CHARACTER = 0xff };

static move *find(const t2g_substrings *s, uint32_t at, uint8_t byte)
{
    for (uint32_t i = s->state[at].first; i != NONE; i = s->move[i].next)
        if (s->move[i].byte == byte)
            return &s->move[i];
    return NULL;
}

static uint32_t add_state(t2g_substrings *s, uint32_t longest)
{
    s->state[s->states] = (state){longest, NONE, NONE};
    return (uint32_t)s->states++;
}

static t2g_status add_move(t2g_substrings *s, uint32_t from, uint8_t byte,
                           uint32_t target)
{
    if (s->moves == s->move_room) {
        size_t room = 2 * s->move_room;
        move *m = t2g_regrow(s->move, s->move_room, room, sizeof *m);
        if (!m)
            return T2G_ERR_MEMORY;
        s->move = m;
        s->move_room = room;
    }
    s->move[s->moves] = (move){target, s->state[from].first, byte};
    s->state[from].first = (uint32_t)s->moves++;
    return T2G_OK;
}

/* Splits off `old` what ends at one place more: strings up to `longest`. */
static t2g_status split(t2g_substrings *s, uint32_t old, uint32_t longest,
                        uint32_t *out)
{
    *out = add_state(s, longest);
    s->state[*out].suffix = s->state[old].suffix;
    s->state[old].suffix = *out;
    for (uint32_t i = s->state[old].first; i != NONE; i = s->move[i].next)
        T2G_TRY(add_move(s, *out, s->move[i].byte, s->move[i].target));
    return T2G_OK;
}

/* Appends a byte to the text. */
static t2g_status extend(t2g_substrings *s, uint8_t byte)
{
    uint32_t at = s->whole, suffix = T2G_SUBSTRINGS_EMPTY;
    uint32_t added = add_state(s, s->state[at].longest + 1);
    for (; at != NONE && !find(s, at, byte); at = s->state[at].suffix)
        T2G_TRY(add_move(s, at, byte, added));
    if (at != NONE) {
        uint32_t longest = s->state[at].longest + 1;
        uint32_t old = suffix = find(s, at, byte)->target;
        if (s->state[old].longest != longest) {
            T2G_TRY(split(s, old, longest, &suffix));
            for (move *m; at != NONE && (m = find(s, at, byte)) &&
                          m->target == old; at = s->state[at].suffix)
                m->target = suffix;
        }
    }
    s->state[added].suffix = suffix;
    s->whole = added;
    return T2G_OK;
}

static t2g_status read_text(t2g_substrings *s, const char *text, size_t n)
{
    size_t bad = t2g_utf8_invalid(text, n);
    for (size_t i = 0; i < n; i++) {
        if (i < bad) {
            T2G_TRY(extend(s, (uint8_t)text[i]));
            continue;
        }
        T2G_TRY(extend(s, NO_CHARACTER));
        bad = i + 1 + t2g_utf8_invalid(text + i + 1, n - i - 1);
    }
    return T2G_OK;
}

t2g_status t2g_substrings_new(t2g_substrings **out, const char *text, size_t n)
{
    *out = NULL;
    if (n >= 1u << 30)
        return t2g_fail(T2G_ERR_ARG, "a response of %zu bytes, expected fewer "
                        "than 2^30", n);
    t2g_substrings *s = t2g_calloc(1, sizeof *s);
    if (!s)
        return T2G_ERR_MEMORY;
    s->move_room = n + 16;
    s->state = t2g_calloc(2 * n + 2, sizeof *s->state);
    s->move = t2g_calloc(s->move_room, sizeof *s->move);
    t2g_status status = s->state && s->move ? T2G_OK : T2G_ERR_MEMORY;
    if (status == T2G_OK) {
        s->whole = add_state(s, 0);
        status = read_text(s, text, n);
    }
    if (status != T2G_OK) {
        t2g_substrings_free(s);
        return status;
    }
    *out = s;
    return T2G_OK;
}

void t2g_substrings_free(t2g_substrings *s)
{
    if (!s)
        return;
    t2g_free(s->state);
    t2g_free(s->move);
    t2g_free(s);
}

uint32_t t2g_substrings_next(const t2g_substrings *s, uint32_t at, uint8_t byte)
{
    const move *m = byte == NO_CHARACTER ? NULL : find(s, at, byte);
    return m ? m->target : NONE;
}

void t2g_substrings_each(const t2g_substrings *s, uint32_t at,
                         bool (*visit)(void *context, uint8_t byte,
                                       uint32_t next),
                         void *context)
{
    for (uint32_t i = s->state[at].first; i != NONE; i = s->move[i].next)
        if (s->move[i].byte != NO_CHARACTER &&
            !visit(context, s->move[i].byte, s->move[i].target))
            return;
}
