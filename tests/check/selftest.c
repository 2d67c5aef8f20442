/* The checks notice kernels broken in the ways kernels break. */
#include "check.h"

#include <math.h>

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
