/* A column of a table of distances is kept as differences between neighbours,
 * which are -1, 0 or 1: two bit vectors, `more` and `less`, 64 rows a word. One
 * character of the text takes about 15 operations a word. Read block_step
 * beside figure 3 of [Hyyro03], "A bit-vector algorithm for computing
 * Levenshtein and Damerau edit distances". */
#include "kernels_ref.h"

/* The next column of 64 rows. raised, lowered: is the difference to the right
 * +1, -1? In: above the first row. Out: in the last one. */
INLINE void block_step(uint64_t *more, uint64_t *less, uint64_t match,
                       uint64_t *raised, uint64_t *lowered)
{
    uint64_t vertical = match | *less;
    match |= *lowered;
    uint64_t same = (((match & *more) + *more) ^ *more) | match;
    uint64_t up = *less | ~(same | *more), down = *more & same;
    uint64_t up_in = up << 1 | *raised, down_in = down << 1 | *lowered;
    *raised = up >> 63;
    *lowered = down >> 63;
    *more = down_in | ~(vertical | up_in);
    *less = up_in & vertical;
}

void t2g_edit_distance_ref(uint16_t *distance, uint16_t *least,
                           const uint16_t *bottom, const uint16_t *text,
                           size_t n, const uint64_t *match, size_t words,
                           uint64_t *state, size_t lanes, int top)
{
    size_t stride = t2g_edit_stride(lanes), half = words * stride;
    for (size_t l = 0; l < lanes; l++) {
        uint64_t *more = state + l, *less = more + half, d = bottom[l];
        least[l] = UINT16_MAX;
        for (size_t j = 0; j < n; j++) {
            const uint64_t *column = match + text[j] * half + l;
            uint64_t raised = (uint64_t)top, lowered = 0;
            for (size_t w = 0; w < half; w += stride)
                block_step(&more[w], &less[w], column[w], &raised, &lowered);
            d += raised - lowered;
            distance[j * stride + l] = (uint16_t)d;
            least[l] = d < least[l] ? (uint16_t)d : least[l];
        }
    }
}
