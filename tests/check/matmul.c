#include "check.h"

enum { CASES = 600 };

static size_t padded(size_t n)
{
    return n + check_below(4);
}

/* Sizes around the widths of tiles; now and then larger ones. */
static size_t size_up_to(size_t usual, size_t rare)
{
    return check_between(1, check_below(8) == 0 ? rare : usual);
}

void check_pack(void **state)
{
    const t2g_kernels *k = *state;
    for (size_t left = CASES; check_case(&left);) {
        size_t m = size_up_to(20, 70), n = size_up_to(70, 200);
        int transposed = check_coin();
        size_t rows = transposed ? n : m, width = transposed ? m : n;
        size_t ldb = padded(width);
        const float *b = check_random((rows - 1) * ldb + width);
        check_twins panels = check_output(t2g_panel_floats(m, n));
        check_ref.pack(panels.want, b, ldb, transposed, m, n);
        k->pack(panels.got, b, ldb, transposed, m, n);
        check_same("panels", panels);
    }
    enum { K = 576, N = 1536 };
    const float *b = check_random(K * N);
    float *panels = check_array(K * N);
    CHECK_BENCH("[576,1536]", "B", 8.0 * K * N, pack, panels, b, N, 0, K, N);
    CHECK_BENCH("[576,1536]'", "B", 8.0 * K * N, pack, panels, b, K, 1, K, N);
}

static const float *random_panels(size_t k, size_t n)
{
    float *panels = check_array(t2g_panel_floats(k, n));
    check_ref.pack(panels, check_random(k * n), n, 0, k, n);
    return panels;
}

static void bench_matmul(const t2g_kernels *k)
{
    enum { M = 256, K = 576, N = 1536 };
    check_plain();
    const float *a = check_random(M * K), *panels = random_panels(K, N);
    float *c = check_array(M * N);
    CHECK_BENCH("[256,576][576,1536]", "FLOP", 2.0 * M * K * N, matmul, c, N, a,
                K, panels, NULL, 0, M, N, K);
    CHECK_BENCH("[16,576][576,1536]", "FLOP", 2.0 * 16 * K * N, matmul, c, N, a,
                K, panels, NULL, 0, 16, N, K);
    CHECK_BENCH("[1,576][576,1536]", "FLOP", 2.0 * K * N, matmul, c, N, a, K,
                panels, NULL, 0, 1, N, K);
}

void check_matmul(void **state)
{
    const t2g_kernels *k = *state;
    for (size_t left = CASES; check_case(&left);) {
        size_t m = size_up_to(20, 60), n = size_up_to(100, 300);
        size_t depth = size_up_to(40, 700);
        size_t lda = padded(depth), ldc = padded(n);
        int accumulate = check_coin();
        const float *a = check_random((m - 1) * lda + depth);
        const float *panels = random_panels(depth, n);
        const float *bias = check_coin() ? check_random(n) : NULL;
        check_twins c = accumulate ? check_inout((m - 1) * ldc + n)
                                   : check_output((m - 1) * ldc + n);
        check_ref.matmul(c.want, ldc, a, lda, panels, bias, accumulate, m, n,
                         depth);
        k->matmul(c.got, ldc, a, lda, panels, bias, accumulate, m, n, depth);
        check_same("c", c);
    }
    bench_matmul(k);
}

void check_matmul_tn(void **state)
{
    const t2g_kernels *k = *state;
    for (size_t left = CASES; check_case(&left);) {
        size_t m = size_up_to(40, 100), n = size_up_to(100, 200);
        size_t t = check_below(8) == 0 ? check_below(200) : check_below(20);
        size_t lda = padded(m), ldb = padded(n), ldc = padded(n);
        const float *a = check_random(t * lda), *b = check_random(t * ldb);
        check_twins c = check_inout((m - 1) * ldc + n);
        check_ref.matmul_tn(c.want, ldc, a, lda, b, ldb, m, n, t);
        k->matmul_tn(c.got, ldc, a, lda, b, ldb, m, n, t);
        check_same("c", c);
    }
    enum { M = 576, N = 1536, T = 256 };
    check_plain();
    const float *a = check_random(T * M), *b = check_random(T * N);
    float *c = check_random(M * N);
    CHECK_BENCH("[256,576]'[256,1536]", "FLOP", 2.0 * M * N * T, matmul_tn, c,
                N, a, M, b, N, M, N, T);
}

void check_column_sum(void **state)
{
    const t2g_kernels *k = *state;
    for (size_t left = CASES; check_case(&left);) {
        size_t n = size_up_to(100, 300), t = check_below(20), lda = padded(n);
        const float *a = check_random(t * lda);
        check_twins y = check_inout(n);
        check_ref.column_sum(y.want, a, lda, n, t);
        k->column_sum(y.got, a, lda, n, t);
        check_same("y", y);
    }
    enum { N = 1536, T = 64 };
    check_plain();
    const float *a = check_random(T * N);
    float *y = check_random(N);
    CHECK_BENCH("[64,1536]", "B", 4.0 * N * T, column_sum, y, a, N, N, T);
}
