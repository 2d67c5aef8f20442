#include "kernels_ref.h"

FUSED float t2g_sum_squares_ref(const float *x, size_t n)
{
    return lanes_dot(x, x, n);
}
