#include "check.h"

enum { CASES = 1000, VOCABULARY = 49152 };

static size_t row_length(void)
{
    return check_between(1, check_below(8) == 0 ? 3000 : 140);
}

void check_logsumexp(void **state)
{
    const t2g_kernels *k = *state;
    for (size_t left = CASES; check_case(&left);) {
        size_t n = row_length();
        const float *z = check_random(n);
        bool with_entropy = check_coin();
        check_twins h = check_output(1);
        float want = check_ref.logsumexp(z, n, with_entropy ? h.want : NULL);
        float got = k->logsumexp(z, n, with_entropy ? h.got : NULL);
        check_same_value("lse", got, want);
        check_same("entropy", h);
    }
    check_plain();
    const float *z = check_random(VOCABULARY);
    float entropy;
    CHECK_BENCH("[49152]", "B", 4.0 * VOCABULARY, logsumexp, z, VOCABULARY,
                &entropy);
}

void check_softmax_kl(void **state)
{
    const t2g_kernels *k = *state;
    for (size_t left = CASES; check_case(&left);) {
        size_t n = row_length();
        const float *z = check_random(n), *zr = check_random(n);
        float lse = check_ref.logsumexp(z, n, NULL);
        float lser = check_ref.logsumexp(zr, n, NULL);
        check_same_value("kl", k->softmax_kl(z, lse, zr, lser, n),
                         check_ref.softmax_kl(z, lse, zr, lser, n));
    }
    check_plain();
    const float *z = check_random(VOCABULARY), *zr = check_random(VOCABULARY);
    CHECK_BENCH("[49152]", "B", 8.0 * VOCABULARY, softmax_kl, z, 12.0f, zr,
                12.0f, VOCABULARY);
}

void check_softmax_bwd(void **state)
{
    const t2g_kernels *k = *state;
    for (size_t left = CASES; check_case(&left);) {
        size_t n = row_length(), target = check_below(n);
        const float *z = check_random(n);
        float entropy, lse = check_ref.logsumexp(z, n, &entropy);
        float g = check_value(), h = check_coin() ? check_value() : 0.0f;
        bool same;
        check_twins dz = check_in_place(z, n, &same);
        check_ref.softmax_bwd(dz.want, same ? dz.want : z, lse, entropy, target,
                              g, h, n);
        k->softmax_bwd(dz.got, same ? dz.got : z, lse, entropy, target, g, h,
                       n);
        check_same("dz", dz);
    }
    check_plain();
    const float *z = check_random(VOCABULARY);
    float *dz = check_array(VOCABULARY);
    CHECK_BENCH("[49152]", "B", 8.0 * VOCABULARY, softmax_bwd, dz, z, 12.0f,
                9.0f, 5, 0.5f, 0.01f, VOCABULARY);
}
