/* Matrix products of the model, split over threads by outputs. */
#include "model_private.h"

#ifdef _OPENMP
#include <omp.h>
#endif

/* Rows of a block: its inputs stay in the second-level cache while the panels
 * of the weights pass by. */
enum { ROWS = 64 };
/* Multiply-adds below which waking the other threads costs more. */
enum { WORTH_THREADS = 1 << 16 };

int t2g_thread_number(void)
{
#ifdef _OPENMP
    return omp_get_thread_num();
#else
    return 0;
#endif
}

static size_t ceil_div(size_t a, size_t b)
{
    return (a + b - 1) / b;
}

/* y [m,n] = start + x [m,k] panels; blocks of rows, and of panels where there
 * are too few rows to keep every thread busy. */
static void product(const t2g_kernels *kernels, float *y, const float *x,
                    const float *panels, const float *bias, int accumulate,
                    size_t m, size_t n, size_t k)
{
    size_t threads = (size_t)t2g_threads();
    size_t row_blocks = ceil_div(m, ROWS), all = ceil_div(n, T2G_PANEL);
    size_t groups = row_blocks >= 2 * threads ? 1 : threads;
    if (groups > all)
        groups = all;
    size_t width = ceil_div(all, groups);
    groups = ceil_div(all, width);
#pragma omp parallel for collapse(2) schedule(dynamic) \
    if (m * n * k >= WORTH_THREADS)
    for (size_t b = 0; b < row_blocks; b++)
        for (size_t g = 0; g < groups; g++) {
            size_t i = b * ROWS, j = g * width * T2G_PANEL;
            size_t rows = m - i < ROWS ? m - i : ROWS;
            size_t columns = width * T2G_PANEL;
            if (columns > n - j)
                columns = n - j;
            kernels->matmul(y + i * n + j, n, x + i * k, k, panels + j * k,
                            bias ? bias + j : NULL, accumulate, rows, columns,
                            k);
        }
}

void t2g_linear(const t2g_kernels *k, float *y, const float *x,
                const t2g_param *w, const float *bias, int accumulate,
                size_t tokens)
{
    product(k, y, x, w->forward, bias, accumulate, tokens, w->rows, w->cols);
}

void t2g_linear_input_grad(const t2g_kernels *k, float *dx, const float *dy,
                           const t2g_param *w, int accumulate, size_t tokens)
{
    product(k, dx, dy, w->backward, NULL, accumulate, tokens, w->cols, w->rows);
}

void t2g_linear_weight_grad(const t2g_kernels *k, t2g_param *w,
                            const float *dy, const float *x, size_t tokens)
{
    size_t block = ceil_div(w->rows, 4 * (size_t)t2g_threads());
    block = ceil_div(block, 16) * 16;
    size_t blocks = ceil_div(w->rows, block);
#pragma omp parallel for schedule(dynamic) \
    if (w->rows * w->cols * tokens >= WORTH_THREADS)
    for (size_t b = 0; b < blocks; b++) {
        size_t i = b * block;
        size_t rows = w->rows - i < block ? w->rows - i : block;
        k->matmul_tn(w->grad + i * w->cols, w->cols, dy + i, w->rows, x,
                     w->cols, rows, w->cols, tokens);
    }
}

void t2g_bias_grad(const t2g_kernels *k, t2g_param *bias, const float *dy,
                   size_t tokens)
{
    k->column_sum(bias->grad, dy, bias->cols, bias->cols, tokens);
}
