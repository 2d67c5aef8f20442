#include "check.h"

void check_exp(void **state)
{
    const t2g_kernels *k = *state;
    for (size_t left = 1000; check_case(&left);) {
        size_t n = check_between(1, check_below(8) == 0 ? 3000 : 140);
        float *x = check_random(n);
        if (check_coin()) /* over all of exp's range */
            for (size_t i = 0; i < n; i++)
                x[i] *= 40.0f;
        float shift = check_coin() ? 0.0f : check_value();
        bool same;
        check_twins y = check_in_place(x, n, &same);
        check_ref.exp(y.want, same ? y.want : x, shift, n);
        k->exp(y.got, same ? y.got : x, shift, n);
        check_same("y", y);
    }
    enum { N = 4096 };
    check_plain();
    const float *x = check_random(N);
    float *y = check_array(N);
    CHECK_BENCH("[4096]", "B", 8.0 * N, exp, y, x, 1.0f, N);
}
