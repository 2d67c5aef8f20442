#include "peaks.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "t2g/kernels.h"
#include "t2g/memory.h"
#include "t2g/threads.h"

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

/* Each probe keeps enough chains in flight to hide the latency of any CPU of
 * today: 10 independent accumulators. Results are returned so that nothing is
 * optimised away. */
typedef struct probe {
    const char *isa;
    float (*fma)(size_t rounds, float x); /* a round: 10*width of them */
    double width;
    float (*read)(const float *p, size_t n); /* n a multiple of 128 */
} probe;

#define TEN(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9)
#define EIGHT(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7)

#if defined(__x86_64__) && defined(T2G_HAVE_AVX2)
__attribute__((target("avx2,fma")))
static float fma_avx2(size_t rounds, float x)
{
    __m256 m = _mm256_set1_ps(0.5f), a = _mm256_set1_ps(x);
    float lane[8];
#define START(i) __m256 c##i = _mm256_set1_ps(x + i);
    TEN(START)
    for (size_t r = 0; r < rounds; r++) {
#define STEP(i) c##i = _mm256_fmadd_ps(c##i, m, a);
        TEN(STEP)
    }
#define SUM(i) a = _mm256_add_ps(a, c##i);
    TEN(SUM)
#undef START
#undef STEP
#undef SUM
    _mm256_storeu_ps(lane, a);
    return lane[0];
}

__attribute__((target("avx2,fma")))
static float read_avx2(const float *p, size_t n)
{
    float lane[8];
    __m256 a = _mm256_setzero_ps();
#define START(i) __m256 c##i = a;
    EIGHT(START)
    for (size_t j = 0; j < n; j += 64) {
#define STEP(i) c##i = _mm256_xor_ps(c##i, _mm256_loadu_ps(p + j + 8 * i));
        EIGHT(STEP)
    }
#define SUM(i) a = _mm256_xor_ps(a, c##i);
    EIGHT(SUM)
#undef START
#undef STEP
#undef SUM
    _mm256_storeu_ps(lane, a);
    return lane[0];
}
#endif

#if defined(__x86_64__) && defined(T2G_HAVE_AVX512)
__attribute__((target("avx512f")))
static float fma_avx512(size_t rounds, float x)
{
    __m512 m = _mm512_set1_ps(0.5f), a = _mm512_set1_ps(x);
#define START(i) __m512 c##i = _mm512_set1_ps(x + i);
    TEN(START)
    for (size_t r = 0; r < rounds; r++) {
#define STEP(i) c##i = _mm512_fmadd_ps(c##i, m, a);
        TEN(STEP)
    }
#define SUM(i) a = _mm512_add_ps(a, c##i);
    TEN(SUM)
#undef START
#undef STEP
#undef SUM
    return _mm512_reduce_add_ps(a);
}

__attribute__((target("avx512f")))
static float read_avx512(const float *p, size_t n)
{
    __m512i a = _mm512_setzero_si512();
#define START(i) __m512i c##i = a;
    EIGHT(START)
    for (size_t j = 0; j < n; j += 128) {
#define STEP(i)                                                                \
    c##i = _mm512_xor_si512(c##i, _mm512_loadu_si512(p + j + 16 * i));
        EIGHT(STEP)
    }
#define SUM(i) a = _mm512_xor_si512(a, c##i);
    EIGHT(SUM)
#undef START
#undef STEP
#undef SUM
    return (float)_mm512_reduce_or_epi32(a);
}
#endif

#if defined(__aarch64__) && defined(T2G_HAVE_NEON)
static float fma_neon(size_t rounds, float x)
{
    float32x4_t m = vdupq_n_f32(0.5f), a = vdupq_n_f32(x);
#define START(i) float32x4_t c##i = vdupq_n_f32(x + i);
    TEN(START)
    for (size_t r = 0; r < rounds; r++) {
        /* c = a + c*m: the chain goes through the factor, as on x86 */
#define STEP(i) c##i = vfmaq_f32(a, c##i, m);
        TEN(STEP)
    }
#define SUM(i) a = vaddq_f32(a, c##i);
    TEN(SUM)
#undef START
#undef STEP
#undef SUM
    return vaddvq_f32(a);
}

static float read_neon(const float *p, size_t n)
{
    uint32x4_t a = vdupq_n_u32(0);
#define START(i) uint32x4_t c##i = a;
    EIGHT(START)
    for (size_t j = 0; j < n; j += 32) {
#define STEP(i)                                                                \
    c##i = veorq_u32(c##i, vreinterpretq_u32_f32(vld1q_f32(p + j + 4 * i)));
        EIGHT(STEP)
    }
#define SUM(i) a = veorq_u32(a, c##i);
    EIGHT(SUM)
#undef START
#undef STEP
#undef SUM
    return (float)vaddvq_u32(a);
}
#endif

static float fma_scalar(size_t rounds, float x)
{
#define START(i) float c##i = x + i;
    TEN(START)
    for (size_t r = 0; r < rounds; r++) {
#define STEP(i) c##i = fmaf(c##i, 0.5f, x);
        TEN(STEP)
    }
#define SUM(i) x += c##i;
    TEN(SUM)
#undef START
#undef STEP
#undef SUM
    return x;
}

static float read_scalar(const float *p, size_t n)
{
    uint64_t sum[4] = {0}, word[4];
    for (size_t j = 0; j < n; j += 8) {
        memcpy(word, p + j, sizeof word);
        for (size_t i = 0; i < 4; i++)
            sum[i] ^= word[i];
    }
    return (float)(sum[0] ^ sum[1] ^ sum[2] ^ sum[3]);
}

static const probe probes[] = {
    {"scalar", fma_scalar, 1, read_scalar},
#if defined(__x86_64__) && defined(T2G_HAVE_AVX2)
    {"avx2", fma_avx2, 8, read_avx2},
#endif
#if defined(__x86_64__) && defined(T2G_HAVE_AVX512)
    {"avx512", fma_avx512, 16, read_avx512},
#endif
#if defined(__aarch64__) && defined(T2G_HAVE_NEON)
    {"neon", fma_neon, 4, read_neon},
#endif
};

static const probe *strongest(void)
{
    const probe *best = probes;
    for (const char *const *isa = t2g_isa_available(); *isa; isa++)
        for (size_t i = 0; i < sizeof probes / sizeof *probes; i++)
            if (strcmp(*isa, probes[i].isa) == 0)
                best = &probes[i];
    return best;
}

static volatile float sink;

enum { TRIES = 10 };

/* The best of a few tries: what disturbs only ever slows. Seconds. */
static double fma_seconds(const probe *p, int threads, size_t rounds)
{
    double best = INFINITY;
    for (int try = 0; try < TRIES; try++) {
        double begin = cli_seconds();
#ifdef _OPENMP
#pragma omp parallel num_threads(threads)
#endif
        {
            float x = p->fma(rounds, 1.25f);
#ifdef _OPENMP
#pragma omp critical
#endif
            sink = x;
        }
        best = fmin(best, cli_seconds() - begin);
    }
    (void)threads;
    return best;
}

/* So many rounds that one thread needs about five milliseconds. */
static size_t enough_rounds(const probe *p)
{
    const size_t few = 1 << 14;
    return (size_t)((double)few * 5e-3 / fma_seconds(p, 1, few));
}

static double fma_rate(const probe *p, int threads, size_t rounds)
{
    double flops = 2 * 10 * p->width * threads * (double)rounds;
    return flops / fma_seconds(p, threads, rounds);
}

static double read_rate(const probe *p, int threads, const float *data,
                        size_t n)
{
    double best = INFINITY;
    size_t part = n / (size_t)threads / 128 * 128;
    for (int try = 0; try < TRIES; try++) {
        double begin = cli_seconds();
#ifdef _OPENMP
#pragma omp parallel for num_threads(threads)
#endif
        for (int t = 0; t < threads; t++) {
            float x = p->read(data + (size_t)t * part, part);
#ifdef _OPENMP
#pragma omp critical
#endif
            sink = x;
        }
        best = fmin(best, cli_seconds() - begin);
    }
    return (double)(part * (size_t)threads * sizeof *data) / best;
}

/* "32768K" of a sysfs file, in bytes; 0 if there is none. */
static size_t cache_size(int index)
{
    char path[96];
    unsigned long size = 0;
    char unit = 'K';
    snprintf(path, sizeof path,
             "/sys/devices/system/cpu/cpu0/cache/index%d/size", index);
    FILE *f = fopen(path, "r");
    if (!f)
        return 0;
    int n = fscanf(f, "%lu%c", &size, &unit);
    fclose(f);
    return n < 1 ? 0 : size << (unit == 'M' ? 20 : 10);
}

size_t cache_last_level(void)
{
    size_t largest = 0;
    for (int i = 0; i < 8; i++) {
        size_t size = cache_size(i);
        largest = size > largest ? size : largest;
    }
    return largest ? largest : (size_t)32 << 20;
}

t2g_status peaks_measure(peaks *p)
{
    /* Four times the cache, so that little of it is found there again. */
    size_t bytes = 4 * cache_last_level();
    const size_t most = (size_t)512 << 20;
    size_t n = (bytes < most ? bytes : most) / sizeof(float);
    const probe *probe = strongest();
    float *data = t2g_calloc(n, sizeof *data); /* cleared: pages are there */
    if (!data)
        return T2G_ERR_MEMORY;
    *p = (peaks){.isa = probe->isa, .threads = t2g_threads()};
    size_t rounds = enough_rounds(probe);
    p->flops_one = fma_rate(probe, 1, rounds);
    p->bytes_one = read_rate(probe, 1, data, n);
    p->flops = p->threads > 1 ? fma_rate(probe, p->threads, rounds)
                              : p->flops_one;
    p->bytes = p->threads > 1 ? read_rate(probe, p->threads, data, n)
                              : p->bytes_one;
    t2g_free(data);
    return T2G_OK;
}
