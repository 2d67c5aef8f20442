/* Ridge least squares for the value head's start: normal equations in double,
 * solved by Cholesky. The bias is fitted but not penalised. */
#include <math.h>

#include "t2g/memory.h"
#include "t2g/ppo.h"

/* A += x x', b += x y over the unmasked rows; x = (hidden, 1). */
static void accumulate(double *A, double *b, const float *hidden,
                       const float *ret, const uint8_t *mask, size_t n,
                       size_t width)
{
    size_t m = width + 1;
#pragma omp parallel for schedule(dynamic, 4)
    for (size_t i = 0; i < m; i++)
        for (size_t p = 0; p < n; p++) {
            if (!mask[p])
                continue;
            const float *x = hidden + p * width;
            double xi = i < width ? x[i] : 1;
            for (size_t j = 0; j <= i && j < width; j++)
                A[i * m + j] += xi * (double)x[j];
            if (i == width)
                A[i * m + i] += 1;
            b[i] += xi * (double)ret[p];
        }
}

/* A = L L' in place of the lower triangle; false when not positive definite. */
static bool cholesky(double *A, size_t m)
{
    for (size_t j = 0; j < m; j++) {
        double d = A[j * m + j];
        for (size_t k = 0; k < j; k++)
            d -= A[j * m + k] * A[j * m + k];
        if (!(d > 0))
            return false;
        A[j * m + j] = sqrt(d);
        for (size_t i = j + 1; i < m; i++) {
            double s = A[i * m + j];
            for (size_t k = 0; k < j; k++)
                s -= A[i * m + k] * A[j * m + k];
            A[i * m + j] = s / A[j * m + j];
        }
    }
    return true;
}

static void solve(const double *L, double *b, size_t m)
{
    for (size_t i = 0; i < m; i++) {
        for (size_t k = 0; k < i; k++)
            b[i] -= L[i * m + k] * b[k];
        b[i] /= L[i * m + i];
    }
    for (size_t i = m; i-- > 0;) {
        for (size_t k = i + 1; k < m; k++)
            b[i] -= L[k * m + i] * b[k];
        b[i] /= L[i * m + i];
    }
}

t2g_status t2g_value_head_fit(float *weight, float *bias, const float *hidden,
                              const float *ret, const uint8_t *mask, size_t n,
                              size_t width, double ridge)
{
    size_t m = width + 1, N = 0;
    for (size_t p = 0; p < n; p++)
        N += mask[p];
    if (N == 0)
        return t2g_fail(T2G_ERR_ARG, "no decision to fit the value head to");
    double *A = t2g_calloc(m * m, sizeof *A), *b = t2g_calloc(m, sizeof *b);
    t2g_status s = A && b ? T2G_OK : T2G_ERR_MEMORY;
    if (s == T2G_OK) {
        accumulate(A, b, hidden, ret, mask, n, width);
        for (size_t i = 0; i < width; i++)
            A[i * m + i] += ridge * (double)N;
        if (!cholesky(A, m))
            s = t2g_fail(T2G_ERR_NUMERIC, "the value head's normal equations "
                         "are not positive definite; raise the ridge");
    }
    if (s == T2G_OK) {
        solve(A, b, m);
        for (size_t i = 0; i < width; i++)
            weight[i] = (float)b[i];
        *bias = (float)b[width];
    }
    t2g_free(A);
    t2g_free(b);
    return s;
}
