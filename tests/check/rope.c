#include "check.h"

void check_rope(void **state)
{
    const t2g_kernels *k = *state;
    for (size_t left = 1000; check_case(&left);) {
        size_t heads = check_between(1, 5), d = 2 * check_between(1, 70);
        float sign = check_coin() ? 1.0f : -1.0f;
        const float *c = check_random(d / 2), *s = check_random(d / 2);
        check_twins x = check_inout(heads * d);
        check_ref.rope(x.want, heads, d, c, s, sign);
        k->rope(x.got, heads, d, c, s, sign);
        check_same("x", x);
    }
    enum { HEADS = 9, D = 64 };
    const float *c = check_array(D / 2), *s = check_array(D / 2);
    float *x = check_array(HEADS * D);
    CHECK_BENCH("[9,64]", "B", 8.0 * HEADS * D, rope, x, HEADS, D, c, s, 1.0f);
}
