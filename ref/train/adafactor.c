/* Adafactor [Adafactor] without parameter scaling, relative steps or momentum,
 * as Hugging Face's class with those flags off. */
#include <math.h>

#include "t2g/memory.h"
#include "t2g/train.h"

static const double eps1 = 1e-30;

/* row = b2*row + (1-b2)*mean over columns of g*g + eps1; col likewise. */
static void update_factors(float *row, float *col, const float *g, size_t rows,
                           size_t cols, double b2)
{
    for (size_t i = 0; i < rows; i++) {
        double sum = 0;
        for (size_t j = 0; j < cols; j++)
            sum += (double)g[i * cols + j] * (double)g[i * cols + j] + eps1;
        row[i] = (float)(b2 * (double)row[i] + (1 - b2) * sum / (double)cols);
    }
    for (size_t j = 0; j < cols; j++) {
        double sum = 0;
        for (size_t i = 0; i < rows; i++)
            sum += (double)g[i * cols + j] * (double)g[i * cols + j] + eps1;
        col[j] = (float)(b2 * (double)col[j] + (1 - b2) * sum / (double)rows);
    }
}

static double mean_of(const float *x, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += x[i];
    return sum / (double)n;
}

/* u [rows, cols]: the gradient divided by the root of its second moment. */
static void normalise(float *u, const float *g, const float *row,
                      const float *col, size_t rows, size_t cols)
{
    double mean = rows > 1 ? mean_of(row, rows) : 1;
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < cols; j++) {
            double r = rows > 1 ? 1 / sqrt((double)row[i] / mean) : 1;
            u[i * cols + j] = (float)((double)g[i * cols + j] * r /
                                      sqrt((double)col[j]));
        }
}

t2g_status t2g_adafactor(float *p, const float *g, float *row, float *col,
                         size_t rows, size_t cols, uint64_t t, double lr,
                         double weight_decay)
{
    size_t n = rows * cols;
    double b2 = 1 - t2g_pow((double)t, -0.8), squares = 0;
    float *u = t2g_calloc(n, sizeof *u);
    if (!u)
        return T2G_ERR_MEMORY;
    update_factors(row, col, g, rows, cols, b2);
    normalise(u, g, row, col, rows, cols);
    for (size_t i = 0; i < n; i++)
        squares += (double)u[i] * (double)u[i];
    double rms = sqrt(squares / (double)n), clip = rms > 1 ? rms : 1;
    for (size_t i = 0; i < n; i++) {
        double x = p[i];
        x -= weight_decay * lr * x;
        p[i] = (float)(x - lr * (double)u[i] / clip);
    }
    t2g_free(u);
    return T2G_OK;
}
