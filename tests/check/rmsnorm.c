#include "check.h"

enum { CASES = 1000 };

void check_rmsnorm(void **state)
{
    const t2g_kernels *k = *state;
    for (size_t left = CASES; check_case(&left);) {
        size_t n = check_between(1, check_below(8) == 0 ? 3000 : 140);
        float eps = check_coin() ? 1e-5f : 1e-6f;
        const float *x = check_random(n), *g = check_random(n);
        bool same;
        check_twins y = check_in_place(x, n, &same);
        float want = check_ref.rmsnorm(y.want, same ? y.want : x, g, n, eps);
        float got = k->rmsnorm(y.got, same ? y.got : x, g, n, eps);
        check_same("y", y);
        check_same_value("s", got, want);
    }
    enum { N = 576 };
    check_plain();
    const float *x = check_random(N), *g = check_random(N);
    float *y = check_array(N);
    CHECK_BENCH("[576]", "B", 12.0 * N, rmsnorm, y, x, g, N, 1e-5f);
}

void check_rmsnorm_bwd(void **state)
{
    const t2g_kernels *k = *state;
    for (size_t left = CASES; check_case(&left);) {
        size_t n = check_between(1, check_below(8) == 0 ? 3000 : 140);
        const float *dy = check_random(n), *x = check_random(n);
        const float *g = check_random(n);
        float s = check_value();
        check_twins dx = check_inout(n);
        check_ref.rmsnorm_bwd(dx.want, dy, x, g, s, n);
        k->rmsnorm_bwd(dx.got, dy, x, g, s, n);
        check_same("dx", dx);
    }
    enum { N = 576 };
    check_plain();
    const float *x = check_random(N), *g = check_random(N);
    float *dx = check_random(N);
    CHECK_BENCH("[576]", "B", 20.0 * N, rmsnorm_bwd, dx, g, x, g, 0.7f, N);
}

void check_rmsnorm_gain_bwd(void **state)
{
    const t2g_kernels *k = *state;
    for (size_t left = CASES; check_case(&left);) {
        size_t n = check_between(1, 140), t = check_below(20);
        size_t ld = n + check_below(4);
        const float *dy = check_random(t * ld), *x = check_random(t * ld);
        const float *s = check_random(t);
        check_twins dg = check_inout(n);
        check_ref.rmsnorm_gain_bwd(dg.want, dy, x, ld, s, n, t);
        k->rmsnorm_gain_bwd(dg.got, dy, x, ld, s, n, t);
        check_same("dg", dg);
    }
    enum { N = 576, T = 64 };
    check_plain();
    const float *dy = check_random(T * N), *x = check_random(T * N);
    const float *s = check_random(T);
    float *dg = check_random(N);
    CHECK_BENCH("[64,576]", "B", 8.0 * N * T, rmsnorm_gain_bwd, dg, dy, x, N, s,
                N, T);
}
