/* Vectors of 8 floats: AVX2 and FMA. Arithmetic is written with the compiler's
 * operators on vectors; each is one rounded IEEE operation a lane. */
#ifndef T2G_VEC_H
#define T2G_VEC_H

#include <immintrin.h>
#include <sleef.h>
#include <stddef.h>
#include <stdint.h>

#include "fold_x86.h"

#define ISA avx2

typedef __m256 vec;
enum { VEC = 8 };

/* A tile of a matrix product: 6 rows of 2 vectors are 12 sums; 2 registers hold
 * B and 1 an element of A, of 16. */
#define TILE_ROWS 6
#define TILE_VECS 2

static inline vec vec_load(const float *p)
{
    return _mm256_loadu_ps(p);
}

static inline void vec_store(float *p, vec v)
{
    _mm256_storeu_ps(p, v);
}

static inline __m256i vec_first(size_t n)
{
    static const int window[2 * VEC] = {-1, -1, -1, -1, -1, -1, -1, -1};
    return _mm256_loadu_si256((const __m256i *)(window + VEC - n));
}

/* The first n lanes, or all if n >= VEC; the others load as +0, their memory is
 * not touched. */
static inline vec vec_load_n(const float *p, size_t n)
{
    return n < VEC ? _mm256_maskload_ps(p, vec_first(n)) : vec_load(p);
}

static inline void vec_store_n(float *p, vec v, size_t n)
{
    if (n < VEC)
        _mm256_maskstore_ps(p, vec_first(n), v);
    else
        vec_store(p, v);
}

/* The first n lanes of v, or all if n >= VEC; the others of `other`. */
static inline vec vec_keep_n(vec v, size_t n, vec other)
{
    return n < VEC ? _mm256_blendv_ps(other, v,
                                      _mm256_castsi256_ps(vec_first(n)))
                   : v;
}

static inline vec vec_set1(float x)
{
    return _mm256_set1_ps(x);
}

/* a*b + c, rounded once */
static inline vec vec_fma(vec a, vec b, vec c)
{
    return _mm256_fmadd_ps(a, b, c);
}

/* a > b ? a : b; never a NaN of a */
static inline vec vec_max(vec a, vec b)
{
    return _mm256_max_ps(a, b);
}

static inline vec vec_sqrt(vec v)
{
    return _mm256_sqrt_ps(v);
}

static inline vec vec_exp(vec v)
{
    return Sleef_finz_expf8_u10avx2(v);
}

/* Lane j takes lane j+w, w = VEC/2 .. 1. */
static inline float vec_sum(vec v)
{
    return fold_sum8(v);
}

static inline float vec_maximum(vec v)
{
    return fold_max8(v);
}

/* --- integers, for edit distances ----------------------------------------- */

typedef unsigned long long vec64 __attribute__((vector_size(32)));
enum { VEC64 = 4 };
typedef __m128i row16; /* 8 of 16 bits */

static inline vec64 vec64_load(const uint64_t *p)
{
    return (vec64)_mm256_loadu_si256((const __m256i *)p);
}

static inline void vec64_store(uint64_t *p, vec64 v)
{
    _mm256_storeu_si256((__m256i *)p, (__m256i)v);
}

/* (a ^ b) | c */
static inline vec64 vec64_xor_or(vec64 a, vec64 b, vec64 c)
{
    return (a ^ b) | c;
}

/* a | ~(b | c) */
static inline vec64 vec64_or_nor(vec64 a, vec64 b, vec64 c)
{
    return a | ~(b | c);
}

/* The low 16 bits of 8 lanes, which are below 65536. */
static inline row16 row16_of(const vec64 v[2])
{
    __m256i half = _mm256_packus_epi32((__m256i)v[0], (__m256i)v[1]);
    __m256i pairs = _mm256_packus_epi32(half, half); /* 0 1 4 5, 2 3 6 7 */
    return _mm_unpacklo_epi32(_mm256_castsi256_si128(pairs),
                              _mm256_extracti128_si256(pairs, 1));
}

static inline void row16_store(uint16_t *p, row16 v)
{
    _mm_storeu_si128((__m128i *)p, v);
}

static inline row16 row16_min(row16 a, row16 b)
{
    return _mm_min_epu16(a, b);
}

static inline row16 row16_most(void)
{
    return _mm_set1_epi16(-1);
}

#endif
