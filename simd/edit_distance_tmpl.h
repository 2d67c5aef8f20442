/* Edit distances, a pattern in each lane of 64 bits: every step of a column
 * waits for the one before, so that one pattern leaves a CPU idle and several
 * cost hardly more. The steps are explained in the reference. */
#include "kernels_tmpl.h"

enum { PATTERNS = T2G_EDIT_LANES, VECS = PATTERNS / VEC64 };

INLINE void block_step(vec64 *more, vec64 *less, vec64 match, vec64 *raised,
                       vec64 *lowered)
{
    vec64 vertical = match | *less;
    match |= *lowered;
    vec64 same = vec64_xor_or((match & *more) + *more, *more, match);
    vec64 up = vec64_or_nor(*less, same, *more), down = *more & same;
    vec64 up_in = up << 1 | *raised, down_in = down << 1 | *lowered;
    *raised = up >> 63;
    *lowered = down >> 63;
    *more = vec64_or_nor(down_in, vertical, up_in);
    *less = up_in & vertical;
}

/* What the last rows of the tables come to. */
typedef struct last_row {
    vec64 d[VECS];
    row16 least;
} last_row;

INLINE last_row last_row_make(const uint16_t *bottom, size_t lanes)
{
    uint64_t d[PATTERNS] = {0};
    for (size_t l = 0; l < lanes; l++)
        d[l] = bottom[l];
    last_row r;
    UNROLL
    for (size_t g = 0; g < VECS; g++)
        r.d[g] = vec64_load(d + g * VEC64);
    r.least = row16_most();
    return r;
}

INLINE void last_row_put(last_row *r, uint16_t *distance)
{
    row16 row = row16_of(r->d);
    row16_store(distance, row);
    r->least = row16_min(r->least, row);
}

/* One word of each pattern: the columns stay in registers. */
INLINE void one_word(last_row *r, uint16_t *distance, const uint16_t *text,
                     size_t n, const uint64_t *match, uint64_t *state,
                     vec64 top)
{
    vec64 more[VECS], less[VECS];
    UNROLL
    for (size_t g = 0; g < VECS; g++) {
        more[g] = vec64_load(state + g * VEC64);
        less[g] = vec64_load(state + PATTERNS + g * VEC64);
    }
    for (size_t j = 0; j < n; j++) {
        const uint64_t *column = match + (size_t)text[j] * PATTERNS;
        UNROLL
        for (size_t g = 0; g < VECS; g++) {
            vec64 raised = top, lowered = {0};
            block_step(&more[g], &less[g], vec64_load(column + g * VEC64),
                       &raised, &lowered);
            r->d[g] += raised - lowered;
        }
        last_row_put(r, distance + j * PATTERNS);
    }
    UNROLL
    for (size_t g = 0; g < VECS; g++) {
        vec64_store(state + g * VEC64, more[g]);
        vec64_store(state + PATTERNS + g * VEC64, less[g]);
    }
}

/* Any number of words. */
INLINE void any_words(last_row *r, uint16_t *distance, const uint16_t *text,
                      size_t n, const uint64_t *match, size_t words,
                      uint64_t *state, vec64 top)
{
    size_t half = words * PATTERNS;
    for (size_t j = 0; j < n; j++) {
        const uint64_t *column = match + text[j] * half;
        vec64 raised[VECS], lowered[VECS];
        UNROLL
        for (size_t g = 0; g < VECS; g++) {
            raised[g] = top;
            lowered[g] = (vec64){0};
        }
        for (size_t w = 0; w < half; w += PATTERNS)
            UNROLL
            for (size_t g = 0; g < VECS; g++) {
                uint64_t *at = state + w + g * VEC64;
                vec64 more = vec64_load(at), less = vec64_load(at + half);
                block_step(&more, &less, vec64_load(column + w + g * VEC64),
                           &raised[g], &lowered[g]);
                vec64_store(at, more);
                vec64_store(at + half, less);
            }
        UNROLL
        for (size_t g = 0; g < VECS; g++)
            r->d[g] += raised[g] - lowered[g];
        last_row_put(r, distance + j * PATTERNS);
    }
}

/* In scalar registers each step takes about half the time. */
static void one_pattern(uint16_t *distance, uint16_t *least,
                        const uint16_t *bottom, const uint16_t *text, size_t n,
                        const uint64_t *match, size_t words, uint64_t *state,
                        int top)
{
    t2g_kernels k;
    t2g_kernels_ref(&k);
    k.edit_distance(distance, least, bottom, text, n, match, words, state, 1,
                    top);
}

void KERNEL(edit_distance)(uint16_t *distance, uint16_t *least,
                           const uint16_t *bottom, const uint16_t *text,
                           size_t n, const uint64_t *match, size_t words,
                           uint64_t *state, size_t lanes, int top)
{
    if (lanes == 1) {
        one_pattern(distance, least, bottom, text, n, match, words, state, top);
        return;
    }
    last_row r = last_row_make(bottom, lanes);
    vec64 first = (vec64){0} + (uint64_t)top;
    if (words == 1)
        one_word(&r, distance, text, n, match, state, first);
    else
        any_words(&r, distance, text, n, match, words, state, first);
    row16_store(least, r.least);
}
