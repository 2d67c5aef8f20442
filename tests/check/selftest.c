/* The checks notice kernels broken in the ways kernels break. */
#include "check.h"

#include <math.h>
#include <string.h>

static void matmul_without_fma(float *c, size_t ldc, const float *a, size_t lda,
                               const float *panels, const float *bias,
                               int accumulate, size_t m, size_t n, size_t k)
{
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++) {
            const float *column =
                panels + j / T2G_PANEL * T2G_PANEL * k + j % T2G_PANEL;
            float *cij = c + i * ldc + j;
            float sum = accumulate ? *cij : bias ? bias[j] : 0.0f;
            for (size_t p = 0; p < k; p++)
                sum += a[i * lda + p] * column[p * T2G_PANEL];
            *cij = sum;
        }
}

void selftest_dropped_fma(void **state)
{
    (void)state;
    t2g_kernels broken = check_ref;
    broken.matmul = matmul_without_fma;
    assert_true(check_notices(check_matmul, &broken));
    assert_false(check_notices(check_matmul, &check_ref));
}

/* A sum of 8 lanes, as a port to a narrower vector might have it. */
static float sum_squares_of_8_lanes(const float *x, size_t n)
{
    float lane[8] = {0};
    for (size_t j = 0; j < n; j++)
        lane[j % 8] = fmaf(x[j], x[j], lane[j % 8]);
    for (size_t w = 4; w > 0; w /= 2)
        for (size_t j = 0; j < w; j++)
            lane[j] += lane[j + w];
    return lane[0];
}

void selftest_other_order(void **state)
{
    (void)state;
    t2g_kernels broken = check_ref;
    broken.sum_squares = sum_squares_of_8_lanes;
    assert_true(check_notices(check_sum_squares, &broken));
    assert_false(check_notices(check_sum_squares, &check_ref));
}

static void exp_but_the_last(float *y, const float *x, float shift, size_t n)
{
    check_ref.exp(y, x, shift, n - 1);
}

void selftest_unwritten_element(void **state)
{
    (void)state;
    t2g_kernels broken = check_ref;
    broken.exp = exp_but_the_last;
    assert_true(check_notices(check_exp, &broken));
    assert_false(check_notices(check_exp, &check_ref));
}

/* Right, but for writing up to the next row. */
static void matmul_tn_over_gaps(float *c, size_t ldc, const float *a,
                                size_t lda, const float *b, size_t ldb,
                                size_t m, size_t n, size_t t)
{
    check_ref.matmul_tn(c, ldc, a, lda, b, ldb, m, n, t);
    for (size_t i = 0; i + 1 < m; i++)
        for (size_t j = n; j < ldc; j++)
            c[i * ldc + j] += 1.0f;
}

void selftest_written_gap(void **state)
{
    (void)state;
    t2g_kernels broken = check_ref;
    broken.matmul_tn = matmul_tn_over_gaps;
    assert_true(check_notices(check_matmul_tn, &broken));
    assert_false(check_notices(check_matmul_tn, &check_ref));
}

/* Word by word: no word tells the next one what happened in its last row. */
static void edit_distance_by_words(uint16_t *distance, uint16_t *least,
                                   const uint16_t *bottom, const uint16_t *text,
                                   size_t n, const uint64_t *match,
                                   size_t words, uint64_t *state, size_t lanes,
                                   int top)
{
    static const uint16_t symbol = 0;
    size_t stride = t2g_edit_stride(lanes), half = words * stride;
    for (size_t l = 0; l < lanes; l++) {
        uint16_t d = bottom[l], same;
        least[l] = UINT16_MAX;
        for (size_t j = 0; j < n; j++) {
            uint16_t before = d;
            for (size_t w = l; w < half; w += stride) {
                uint64_t word[2] = {state[w], state[half + w]};
                check_ref.edit_distance(&d, &same, &before, &symbol, 1,
                                        match + text[j] * half + w, 1, word, 1,
                                        w < stride ? top : 0);
                state[w] = word[0];
                state[half + w] = word[1];
            }
            distance[j * stride + l] = d;
            least[l] = d < least[l] ? d : least[l];
        }
    }
}

void selftest_lost_carry(void **state)
{
    (void)state;
    t2g_kernels broken = check_ref;
    broken.edit_distance = edit_distance_by_words;
    assert_true(check_notices(check_edit_distance, &broken));
    assert_false(check_notices(check_edit_distance, &check_ref));
}
