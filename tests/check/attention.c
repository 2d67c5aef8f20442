#include "check.h"

#include <math.h>

enum { CASES = 400 };

static size_t head_size(void)
{
    static const size_t usual[] = {4, 12, 20, 32, 44, 64, 80, 96, 112, 128};
    return check_coin() ? usual[check_below(10)] : check_between(1, 131);
}

/* K' [d, positions] by panels. The columns beyond the last position hold what
 * an earlier, longer text may have left there. */
static const float *position_panels(const float *k, size_t ld, size_t positions,
                                    size_t d)
{
    size_t floats = t2g_panel_floats(d, positions);
    float *panels = check_array(floats);
    check_ref.pack(panels, k, ld, 1, d, positions);
    for (size_t j = positions; j % T2G_PANEL != 0; j++)
        for (size_t i = 0; i < d; i++)
            panels[floats - T2G_PANEL * (d - i) + j % T2G_PANEL] =
                check_coin() ? NAN : check_coin() ? INFINITY : 1e38f;
    return panels;
}

/* The pairs (m, 1/l). The sign of a maximum of zero is free, and so is the
 * maximum of a row lost to a NaN. */
static void check_same_statistics(check_twins lse)
{
    for (size_t i = 0; i < lse.n; i += 2) {
        if (isnan(lse.want[i + 1]) || lse.got[i] == lse.want[i])
            lse.got[i] = lse.want[i];
    }
    check_same("lse", lse);
}

static void bench_attention(const t2g_kernels *k)
{
    enum { T = 256, D = 64 };
    check_plain();
    const float *q = check_random(T * D), *v = check_random(T * D);
    const float *keys = position_panels(q, D, T, D);
    float *o = check_array(T * D), *scratch = check_array(8 * (T + T + 32));
    CHECK_BENCH("256 queries, d 64", "FLOP", 2.0 * T * T * D, attention, o, D,
                NULL, q, D, T, 0, keys, v, D, D, 0.125f, scratch);
    CHECK_BENCH("1 query, 256 keys, d 64", "FLOP", 4.0 * T * D, attention, o, D,
                NULL, q, D, 1, T - 1, keys, v, D, D, 0.125f, scratch);
}

void check_attention(void **state)
{
    const t2g_kernels *k = *state;
    for (size_t left = CASES; check_case(&left);) {
        size_t d = head_size(), nq = check_between(1, 40);
        size_t first = check_coin() ? 0 : check_below(80), n = first + nq;
        size_t ldq = d + check_below(9), ldo = d + check_below(9);
        size_t ldv = d + check_below(9);
        float scale = 1.0f / sqrtf((float)d);
        const float *q = check_random((nq - 1) * ldq + d);
        const float *v = check_random((n - 1) * ldv + d);
        const float *keys = position_panels(check_random(n * d), d, n, d);
        bool with_lse = check_coin();
        check_twins o = check_output((nq - 1) * ldo + d);
        check_twins lse = check_output(with_lse ? 2 * nq : 0);
        float *scratch = check_array(8 * (n + 32));
        check_ref.attention(o.want, ldo, with_lse ? lse.want : NULL, q, ldq, nq,
                            first, keys, v, ldv, d, scale, scratch);
        k->attention(o.got, ldo, with_lse ? lse.got : NULL, q, ldq, nq, first,
                     keys, v, ldv, d, scale, check_array(8 * (n + 32)));
        check_same("o", o);
        check_same_statistics(lse);
    }
    bench_attention(k);
}

static void bench_attention_bwd(const t2g_kernels *k)
{
    enum { T = 256, D = 64 };
    check_plain();
    const float *q = check_random(T * D), *v = check_random(T * D);
    const float *keys = position_panels(q, D, T, D);
    const float *values = position_panels(v, D, T, D);
    float *o = check_array(T * D), *lse = check_array(2 * T);
    float *scratch = check_array(16 * (T + 32));
    float *dq = check_array(T * D), *dk = check_random(T * D);
    float *dv = check_random(T * D);
    check_ref.attention(o, D, lse, q, D, T, 0, keys, v, D, D, 0.125f, scratch);
    CHECK_BENCH("256 queries, d 64", "FLOP", 5.0 * T * T * D, attention_bwd, dq,
                dk, dv, v, o, lse, q, q, keys, values, D, D, D, T, D, 0.125f,
                scratch);
}

void check_attention_bwd(void **state)
{
    const t2g_kernels *kernels = *state;
    for (size_t left = CASES; check_case(&left);) {
        size_t d = head_size();
        size_t t = check_between(1, check_below(8) == 0 ? 120 : 45);
        size_t ldq = d + check_below(9), ldo = d + check_below(9);
        size_t ldkv = d + check_below(9);
        size_t q_size = (t - 1) * ldq + d, o_size = (t - 1) * ldo + d;
        size_t kv_size = (t - 1) * ldkv + d;
        float scale = 1.0f / sqrtf((float)d);
        const float *q = check_random(q_size), *k = check_random(kv_size);
        const float *v = check_random(kv_size), *do_ = check_random(o_size);
        const float *keys = position_panels(k, ldkv, t, d);
        const float *values = position_panels(v, ldkv, t, d);
        float *o = check_array(o_size), *lse = check_array(2 * t);
        float *scratch = check_array(16 * (t + 32));
        check_twins dq = check_output(q_size);
        check_twins dk = check_inout(kv_size), dv = check_inout(kv_size);
        check_ref.attention(o, ldo, lse, q, ldq, t, 0, keys, v, ldkv, d, scale,
                            scratch);
        check_ref.attention_bwd(dq.want, dk.want, dv.want, do_, o, lse, q, k,
                                keys, values, ldq, ldo, ldkv, t, d, scale,
                                scratch);
        kernels->attention_bwd(dq.got, dk.got, dv.got, do_, o, lse, q, k, keys,
                               values, ldq, ldo, ldkv, t, d, scale,
                               check_array(16 * (t + 32)));
        check_same("dq", dq);
        check_same("dk", dk);
        check_same("dv", dv);
    }
    bench_attention_bwd(kernels);
}
