/* Vectors of 16 floats: AVX-512F. Arithmetic is written with the compiler's
 * operators on vectors; each is one rounded IEEE operation a lane. */
#ifndef T2G_VEC_H
#define T2G_VEC_H

#include <immintrin.h>
#include <sleef.h>
#include <stddef.h>
#include <stdint.h>

#include "fold_x86.h"

#define ISA avx512

typedef __m512 vec;
enum { VEC = 16 };

/* A tile of a matrix product: 14 rows of 2 vectors are 28 sums; 2 registers
 * hold B and 1 an element of A, of 32. */
#define TILE_ROWS 14
#define TILE_VECS 2

static inline vec vec_load(const float *p)
{
    return _mm512_loadu_ps(p);
}

static inline void vec_store(float *p, vec v)
{
    _mm512_storeu_ps(p, v);
}

static inline __mmask16 vec_first(size_t n)
{
    return (__mmask16)((1u << n) - 1);
}

/* The first n lanes, or all if n >= VEC; the others load as +0, their memory is
 * not touched. */
static inline vec vec_load_n(const float *p, size_t n)
{
    return n < VEC ? _mm512_maskz_loadu_ps(vec_first(n), p) : vec_load(p);
}

static inline void vec_store_n(float *p, vec v, size_t n)
{
    if (n < VEC)
        _mm512_mask_storeu_ps(p, vec_first(n), v);
    else
        vec_store(p, v);
}

/* The first n lanes of v, or all if n >= VEC; the others of `other`. */
static inline vec vec_keep_n(vec v, size_t n, vec other)
{
    return n < VEC ? _mm512_mask_mov_ps(other, vec_first(n), v) : v;
}

static inline vec vec_set1(float x)
{
    return _mm512_set1_ps(x);
}

/* a*b + c, rounded once */
static inline vec vec_fma(vec a, vec b, vec c)
{
    return _mm512_fmadd_ps(a, b, c);
}

/* a > b ? a : b; never a NaN of a */
static inline vec vec_max(vec a, vec b)
{
    return _mm512_max_ps(a, b);
}

static inline vec vec_sqrt(vec v)
{
    return _mm512_sqrt_ps(v);
}

static inline vec vec_exp(vec v)
{
    return Sleef_finz_expf16_u10avx512f(v);
}

static inline __m256 vec_upper_half(vec v)
{
    return _mm256_castpd_ps(_mm512_extractf64x4_pd(_mm512_castps_pd(v), 1));
}

/* Lane j takes lane j+w, w = VEC/2 .. 1. */
static inline float vec_sum(vec v)
{
    return fold_sum8(_mm256_add_ps(_mm512_castps512_ps256(v),
                                   vec_upper_half(v)));
}

static inline float vec_maximum(vec v)
{
    return fold_max8(_mm256_max_ps(_mm512_castps512_ps256(v),
                                   vec_upper_half(v)));
}

/* --- integers, for edit distances ----------------------------------------- */

typedef unsigned long long vec64 __attribute__((vector_size(64)));
enum { VEC64 = 8 };
typedef __m128i row16; /* 8 of 16 bits */

static inline vec64 vec64_load(const uint64_t *p)
{
    return (vec64)_mm512_loadu_si512(p);
}

static inline void vec64_store(uint64_t *p, vec64 v)
{
    _mm512_storeu_si512(p, (__m512i)v);
}

/* (a ^ b) | c */
static inline vec64 vec64_xor_or(vec64 a, vec64 b, vec64 c)
{
    return (vec64)_mm512_ternarylogic_epi64((__m512i)a, (__m512i)b, (__m512i)c,
                                            0xbe);
}

/* a | ~(b | c) */
static inline vec64 vec64_or_nor(vec64 a, vec64 b, vec64 c)
{
    return (vec64)_mm512_ternarylogic_epi64((__m512i)a, (__m512i)b, (__m512i)c,
                                            0xf1);
}

/* The low 16 bits of 8 lanes. */
static inline row16 row16_of(const vec64 v[1])
{
    return _mm512_cvtepi64_epi16((__m512i)v[0]);
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
