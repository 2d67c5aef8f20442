/* Sum and maximum of eight lanes: lane j takes lane j+w, w = 4, 2, 1. */
#ifndef T2G_FOLD_X86_H
#define T2G_FOLD_X86_H

#include <immintrin.h>

static inline float fold_sum8(__m256 v)
{
    __m128 q = _mm_add_ps(_mm256_castps256_ps128(v),
                          _mm256_extractf128_ps(v, 1));
    q = _mm_add_ps(q, _mm_movehl_ps(q, q));
    return _mm_cvtss_f32(_mm_add_ss(q, _mm_movehdup_ps(q)));
}

static inline float fold_max8(__m256 v)
{
    __m128 q = _mm_max_ps(_mm256_castps256_ps128(v),
                          _mm256_extractf128_ps(v, 1));
    q = _mm_max_ps(q, _mm_movehl_ps(q, q));
    return _mm_cvtss_f32(_mm_max_ss(q, _mm_movehdup_ps(q)));
}

#endif
