/* Philox4x32-10. [PHILOX11] Salmon et al., Parallel random numbers: as easy as
 * 1, 2, 3, SC 2011. */
#include "t2g/rng.h"

#include <math.h>
#include <string.h>

#include "t2g/kernels.h"

enum { ROUNDS = 10 };

static void philox_round(uint32_t c[4], const uint32_t key[2])
{
    uint64_t a = (uint64_t)0xD2511F53 * c[0];
    uint64_t b = (uint64_t)0xCD9E8D57 * c[2];
    uint32_t next[4] = {(uint32_t)(b >> 32) ^ c[1] ^ key[0], (uint32_t)b,
                        (uint32_t)(a >> 32) ^ c[3] ^ key[1], (uint32_t)a};
    memcpy(c, next, sizeof next);
}

void t2g_philox(uint32_t out[4], const uint32_t counter[4],
                const uint32_t key[2])
{
    uint32_t c[4], k[2] = {key[0], key[1]};
    memcpy(c, counter, sizeof c);
    for (int round = 0; round < ROUNDS; round++) {
        philox_round(c, k);
        k[0] += 0x9E3779B9; /* golden ratio */
        k[1] += 0xBB67AE85; /* sqrt(3) - 1 */
    }
    memcpy(out, c, sizeof c);
}

uint32_t t2g_random_u32(const t2g_stream *s, uint64_t i)
{
    uint32_t counter[4] = {(uint32_t)(i / 4), s->sample, s->step, s->purpose};
    uint32_t key[2] = {(uint32_t)s->seed, (uint32_t)(s->seed >> 32)};
    uint32_t block[4];
    t2g_philox(block, counter, key);
    return block[i % 4];
}

double t2g_random_unit(const t2g_stream *s, uint64_t i)
{
    return t2g_random_u32(s, i) * 0x1p-32;
}

uint32_t t2g_random_below(const t2g_stream *s, uint64_t i, uint32_t n)
{
    return (uint32_t)((uint64_t)t2g_random_u32(s, i) * n >> 32);
}

float t2g_random_normal(const t2g_stream *s, uint64_t i)
{
    const double two_pi = 6.283185307179586;
    double u = 1.0 - t2g_random_unit(s, 2 * i); /* in (0, 1]: log is finite */
    double v = t2g_random_unit(s, 2 * i + 1);
    return (float)(sqrt(-2.0 * t2g_log(u)) * t2g_cos(two_pi * v));
}

void t2g_random_shuffle(const t2g_stream *s, uint32_t *order, size_t n)
{
    for (size_t i = 0; i < n; i++)
        order[i] = (uint32_t)i;
    for (size_t i = n; i-- > 1;) {
        size_t j = t2g_random_below(s, i, (uint32_t)i + 1);
        uint32_t other = order[j];
        order[j] = order[i];
        order[i] = other;
    }
}
