#include "check.h"

void check_sum_squares(void **state)
{
    const t2g_kernels *k = *state;
    for (size_t left = 1000; check_case(&left);) {
        size_t n = check_between(1, check_below(8) == 0 ? 4096 : 140);
        const float *x = check_random(n);
        check_same_value("sum", k->sum_squares(x, n),
                         check_ref.sum_squares(x, n));
    }
    enum { N = 4096 };
    check_plain();
    const float *x = check_random(N);
    CHECK_BENCH("[4096]", "B", 4.0 * N, sum_squares, x, N);
}
