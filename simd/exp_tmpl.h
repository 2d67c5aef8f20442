#include "kernels_tmpl.h"

void KERNEL(exp)(float *y, const float *x, float shift, size_t n)
{
    exp_shifted(y, x, shift, n);
}
