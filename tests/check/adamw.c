#include "check.h"

#include <math.h>

static t2g_adamw random_settings(void)
{
    float b1 = 0.9f, b2 = check_coin() ? 0.999f : 0.95f;
    float t = (float)check_between(1, 1000);
    return (t2g_adamw){.lr = 1e-3f, .b1 = b1, .b2 = b2, .eps = 1e-8f,
                       .decay = check_coin() ? 1.0f : 0.99999f,
                       .c1 = 1.0f - powf(b1, t), .c2 = 1.0f - powf(b2, t),
                       .scale = check_coin() ? 1.0f : 0.37f};
}

void check_adamw(void **state)
{
    const t2g_kernels *k = *state;
    for (size_t left = 1000; check_case(&left);) {
        size_t n = check_between(1, 140);
        t2g_adamw s = random_settings();
        check_twins p = check_inout(n), m = check_inout(n), v = check_inout(n);
        const float *g = check_random(n);
        for (size_t j = 0; j < n; j++)
            v.want[j] = v.got[j] = fabsf(v.want[j]);
        check_ref.adamw(p.want, m.want, v.want, g, n, &s);
        k->adamw(p.got, m.got, v.got, g, n, &s);
        check_same("p", p);
        check_same("m", m);
        check_same("v", v);
    }
    enum { N = 4096 };
    check_plain();
    const t2g_adamw s = random_settings();
    const float *g = check_random(N);
    float *p = check_random(N), *m = check_random(N), *v = check_random(N);
    for (size_t j = 0; j < N; j++)
        v[j] = fabsf(v[j]);
    CHECK_BENCH("[4096]", "B", 28.0 * N, adamw, p, m, v, g, N, &s);
}
