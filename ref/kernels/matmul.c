/* Matrix products. Each element of C is one chain of fmaf over the contracted
 * index; the inner loops run over elements, never over a chain. */
#include "kernels_ref.h"

#include <string.h>

void t2g_pack_ref(float *panels, const float *b, size_t ldb, int transposed,
                  size_t k, size_t n)
{
    for (size_t left = 0; left < n; left += T2G_PANEL)
        for (size_t i = 0; i < k; i++)
            for (size_t j = left; j < left + T2G_PANEL; j++)
                *panels++ = j >= n       ? 0.0f
                            : transposed ? b[j * ldb + i]
                                         : b[i * ldb + j];
}

/* `width` elements of one row of C, all in one panel. */
INLINE void matmul_row(float *c, const float *a, const float *panel,
                       const float *start, size_t width, size_t k)
{
    float sum[T2G_PANEL] = {0};
    if (start)
        memcpy(sum, start, width * sizeof *sum);
    for (size_t i = 0; i < k; i++)
        for (size_t j = 0; j < T2G_PANEL; j++)
            sum[j] = fmaf(a[i], panel[i * T2G_PANEL + j], sum[j]);
    memcpy(c, sum, width * sizeof *sum);
}

FUSED void t2g_matmul_ref(float *c, size_t ldc, const float *a, size_t lda,
                          const float *panels, const float *bias,
                          int accumulate, size_t m, size_t n, size_t k)
{
    for (size_t j = 0; j < n; j += T2G_PANEL, panels += T2G_PANEL * k) {
        size_t width = n - j < T2G_PANEL ? n - j : T2G_PANEL;
        for (size_t i = 0; i < m; i++) {
            float *ci = c + i * ldc + j;
            const float *start = accumulate ? ci : bias ? bias + j : NULL;
            matmul_row(ci, a + i * lda, panels, start, width, k);
        }
    }
}

FUSED void t2g_matmul_tn_ref(float *c, size_t ldc, const float *a, size_t lda,
                             const float *b, size_t ldb, size_t m, size_t n,
                             size_t t)
{
    for (size_t i = 0; i < m; i++)
        for (size_t s = 0; s < t; s++) {
            float *restrict ci = c + i * ldc;
            for (size_t j = 0; j < n; j++)
                ci[j] = fmaf(a[s * lda + i], b[s * ldb + j], ci[j]);
        }
}

void t2g_column_sum_ref(float *y, const float *a, size_t lda, size_t n,
                        size_t t)
{
    for (size_t s = 0; s < t; s++)
        for (size_t j = 0; j < n; j++)
            y[j] += a[s * lda + j];
}
