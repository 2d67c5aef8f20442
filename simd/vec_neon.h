/* Vectors of 4 floats: Advanced SIMD of AArch64. Arithmetic is written with the
 * compiler's operators on vectors; each is one rounded IEEE operation a
 * lane. */
#ifndef T2G_VEC_H
#define T2G_VEC_H

#include <arm_neon.h>
#include <sleef.h>
#include <stddef.h>
#include <stdint.h>

#define ISA neon

typedef float32x4_t vec;
enum { VEC = 4 };

/* A tile of a matrix product: 6 rows of 4 vectors are 24 sums; 4 registers hold
 * B and 1 an element of A, of 32. */
#define TILE_ROWS 6
#define TILE_VECS 4

static inline vec vec_load(const float *p)
{
    return vld1q_f32(p);
}

static inline void vec_store(float *p, vec v)
{
    vst1q_f32(p, v);
}

/* The first n lanes, or all if n >= VEC; the others load as +0, their memory is
 * not touched. */
static inline vec vec_load_n(const float *p, size_t n)
{
    vec zero = vdupq_n_f32(0.0f);
    switch (n) {
    case 0:
        return zero;
    case 1:
        return vld1q_lane_f32(p, zero, 0);
    case 2:
        return vcombine_f32(vld1_f32(p), vget_low_f32(zero));
    case 3:
        return vcombine_f32(vld1_f32(p),
                            vld1_lane_f32(p + 2, vget_low_f32(zero), 0));
    default:
        return vec_load(p);
    }
}

static inline void vec_store_n(float *p, vec v, size_t n)
{
    if (n >= VEC) {
        vec_store(p, v);
        return;
    }
    if (n & 2)
        vst1_f32(p, vget_low_f32(v));
    if (n == 1)
        vst1q_lane_f32(p, v, 0);
    if (n == 3)
        vst1q_lane_f32(p + 2, v, 2);
}

/* The first n lanes of v, or all if n >= VEC; the others of `other`. */
static inline vec vec_keep_n(vec v, size_t n, vec other)
{
    static const uint32_t window[2 * VEC] = {~0u, ~0u, ~0u, ~0u};
    return n < VEC ? vbslq_f32(vld1q_u32(window + VEC - n), v, other) : v;
}

static inline vec vec_set1(float x)
{
    return vdupq_n_f32(x);
}

/* a*b + c, rounded once */
static inline vec vec_fma(vec a, vec b, vec c)
{
    return vfmaq_f32(c, a, b);
}

/* a > b ? a : b; never a NaN of a */
static inline vec vec_max(vec a, vec b)
{
    return vbslq_f32(vcgtq_f32(a, b), a, b);
}

static inline vec vec_sqrt(vec v)
{
    return vsqrtq_f32(v);
}

static inline vec vec_exp(vec v)
{
    return Sleef_finz_expf4_u10advsimd(v);
}

/* Lane j takes lane j+w, w = VEC/2 .. 1. */
static inline float vec_sum(vec v)
{
    float32x2_t low = vadd_f32(vget_low_f32(v), vget_high_f32(v));
    return vget_lane_f32(low, 0) + vget_lane_f32(low, 1);
}

static inline float vec_maximum(vec v)
{
    return vmaxnmvq_f32(v);
}

/* --- integers, for edit distances ----------------------------------------- */

typedef unsigned long long vec64 __attribute__((vector_size(16)));
enum { VEC64 = 2 };
typedef uint16x8_t row16; /* 8 of 16 bits */

static inline vec64 vec64_load(const uint64_t *p)
{
    return (vec64)vld1q_u64(p);
}

static inline void vec64_store(uint64_t *p, vec64 v)
{
    vst1q_u64(p, (uint64x2_t)v);
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

/* The low 16 bits of 8 lanes. */
static inline row16 row16_of(const vec64 v[4])
{
    uint32x4_t low = vcombine_u32(vmovn_u64((uint64x2_t)v[0]),
                                  vmovn_u64((uint64x2_t)v[1]));
    uint32x4_t high = vcombine_u32(vmovn_u64((uint64x2_t)v[2]),
                                   vmovn_u64((uint64x2_t)v[3]));
    return vcombine_u16(vmovn_u32(low), vmovn_u32(high));
}

static inline void row16_store(uint16_t *p, row16 v)
{
    vst1q_u16(p, v);
}

static inline row16 row16_min(row16 a, row16 b)
{
    return vminq_u16(a, b);
}

static inline row16 row16_most(void)
{
    return vdupq_n_u16(UINT16_MAX);
}

#endif
