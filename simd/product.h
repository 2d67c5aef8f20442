/* A product of two matrices as the kernels need it:
 *   C = start + A B, steps in rising order.
 * A's element of row r and step s is at a[r*a_row + s*a_step]; one of the two
 * distances is 1. B's row of step s, from column j on, is at b[s*ldb + j], or
 * in panels. start is C itself if accumulate, else bias, else +0 (bias
 * NULL). */
#ifndef T2G_PRODUCT_H
#define T2G_PRODUCT_H

#include <stdbool.h>

#include "kernels_tmpl.h"

typedef struct t2g_product {
    float *c;
    size_t ldc;
    const float *a;
    size_t a_row, a_step;
    const float *b;
    size_t ldb; /* T2G_PANEL if in panels */
    bool panels, accumulate;
    const float *bias;
    size_t rows, columns, steps;
} t2g_product;

void KERNEL(product)(const t2g_product *x);

#endif
