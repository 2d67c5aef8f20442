#include "kernels_tmpl.h"

float KERNEL(sum_squares)(const float *x, size_t n)
{
    return lanes_dot(x, x, n);
}
