#include "check.h"

enum { CASES = 1000 };

void check_swiglu(void **state)
{
    const t2g_kernels *k = *state;
    for (size_t left = CASES; check_case(&left);) {
        size_t n = check_between(1, 140);
        const float *x = check_random(n), *u = check_random(n);
        bool over_x = check_coin(), same;
        check_twins y = check_in_place(over_x ? x : u, n, &same);
        bool is_x = same && over_x, is_u = same && !over_x;
        check_ref.swiglu(y.want, is_x ? y.want : x, is_u ? y.want : u, n);
        k->swiglu(y.got, is_x ? y.got : x, is_u ? y.got : u, n);
        check_same("y", y);
    }
    enum { N = 1536 };
    check_plain();
    const float *x = check_random(N), *u = check_random(N);
    float *y = check_array(N);
    CHECK_BENCH("[1536]", "B", 12.0 * N, swiglu, y, x, u, N);
}

void check_swiglu_bwd(void **state)
{
    const t2g_kernels *k = *state;
    for (size_t left = CASES; check_case(&left);) {
        size_t n = check_between(1, 140);
        const float *x = check_random(n), *u = check_random(n);
        const float *dy = check_random(n);
        bool is_x, is_u;
        check_twins dx = check_in_place(x, n, &is_x);
        check_twins du = check_in_place(u, n, &is_u);
        check_ref.swiglu_bwd(dx.want, du.want, dy, is_x ? dx.want : x,
                             is_u ? du.want : u, n);
        k->swiglu_bwd(dx.got, du.got, dy, is_x ? dx.got : x,
                      is_u ? du.got : u, n);
        check_same("dx", dx);
        check_same("du", du);
    }
    enum { N = 1536 };
    check_plain();
    const float *x = check_random(N), *u = check_random(N);
    float *dx = check_array(N), *du = check_array(N);
    CHECK_BENCH("[1536]", "B", 20.0 * N, swiglu_bwd, dx, du, u, x, u, N);
}
