/** Counter-based random numbers: Philox4x32-10. What is drawn depends on seed,
 * purpose, step, sample and position alone - not on threads, batches or the
 * order of calls. Source: Salmon et al., SC 2011; layout: number i of a stream
 * is word i mod 4 of the block with counter (i div 4, sample, step, purpose)
 * under the key (seed mod 2^32, seed div 2^32). */
#ifndef T2G_RNG_H
#define T2G_RNG_H

#include <stddef.h>
#include <stdint.h>

/** Four-letter purposes keep streams of one seed apart. */
enum {
    T2G_RNG_BOOT = 0x424F4F54, /* bootstrap replicates */
    T2G_RNG_SHUF = 0x53485546, /* shuffles; delta ablation */
    T2G_RNG_INIT = 0x494E4954, /* parameters; sample = tensor index */
    T2G_RNG_SAMP = 0x53414D50, /* token sampling; step = rollout step */
    T2G_RNG_DATA = 0x44415441, /* data order; step = epoch */
    T2G_RNG_TASK = 0x5441534B, /* built-in task; sample = message number */
    T2G_RNG_NOIS = 0x4E4F4953  /* label noise, spoiled references */
};

typedef struct t2g_stream {
    uint64_t seed;
    uint32_t sample, step, purpose;
} t2g_stream;

/** One block: out = philox(counter, key). */
void t2g_philox(uint32_t out[4], const uint32_t counter[4],
                const uint32_t key[2]);

/** Number i of the stream. */
uint32_t t2g_random_u32(const t2g_stream *s, uint64_t i);
/** Uniform in [0, 1): word * 2^-32, exact in double. */
double t2g_random_unit(const t2g_stream *s, uint64_t i);
/** floor(word * n / 2^32); 1 <= n < 2^24. */
uint32_t t2g_random_below(const t2g_stream *s, uint64_t i, uint32_t n);
/** Standard normal from words 2i and 2i+1 (Box-Muller, cosine branch, computed
 * in double with t2g_log and t2g_cos, rounded once): with u, v those words as
 * units, sqrt(-2 log(1-u)) * cos(2 pi v). */
float t2g_random_normal(const t2g_stream *s, uint64_t i);

/** Fisher-Yates: order becomes a permutation of 0..n-1: for i = n-1..1 swap i
 * with below(i+1) from number i. order [n]. */
void t2g_random_shuffle(const t2g_stream *s, uint32_t *order, size_t n);

#endif
