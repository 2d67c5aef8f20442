/* Checking kernels: every variant gives the bits of the scalar reference.
 *
 * A check draws cases; the arrays of a case end at an inaccessible page, so
 * that their alignment varies and reading or writing too far is caught. Outputs
 * are twins of equal poison, one for the reference and one for the kernel under
 * test, and are compared with what surrounds them. */
#ifndef CHECK_H
#define CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "t2g/kernels.h"

extern t2g_kernels check_ref;

/* Random numbers: uniform in [low, high]; one of n; a coin. */
size_t check_between(size_t low, size_t high);
size_t check_below(size_t n);
bool check_coin(void);

/* Frees the arrays of the previous case and draws the mood of this one: which
 * values its random arrays hold. Returns false when `count` cases are done, and
 * then the test fails if a comparison did. */
bool check_case(size_t *count);
/* The mood is: ordinary values only. */
void check_plain(void);

float *check_array(size_t n);  /* NaNs */
float *check_random(size_t n); /* values of the mood */
float *check_copy(const float *x, size_t n);
float check_value(void); /* one value of the mood */

typedef struct check_twins {
    float *want, *got;
    size_t n;
} check_twins;
check_twins check_output(size_t n); /* poison: every element must be written */
check_twins check_inout(size_t n);  /* values of the mood */
/* For an output that may be the input x: a copy of it half of the time, and
 * then the caller passes twins.want and twins.got for x; else poison. */
check_twins check_in_place(const float *x, size_t n, bool *in_place);

/* Equal bits, a NaN's payload excepted; what surrounds twins is included. */
void check_same(const char *what, check_twins twins);
void check_same_value(const char *what, float got, float want);

/* Does the check notice that this table is wrong? */
bool check_notices(CMUnitTestFunction check, t2g_kernels *broken);

/* Measures kernel(...) of both tables if asked to; amount is the number of
 * `unit`s (operations, or bytes moved) of one call. */
extern bool check_bench;
double check_seconds(void);
void check_report(const char *shape, const char *unit, double amount,
                  double want_ns, double got_ns);
#define CHECK_NS(result, call)                                                 \
    do {                                                                       \
        size_t calls = 1;                                                      \
        double spent;                                                          \
        for (;; calls *= 4) {                                                  \
            double start = check_seconds();                                    \
            for (size_t call_i = 0; call_i < calls; call_i++)                  \
                call;                                                          \
            spent = check_seconds() - start;                                   \
            if (spent > 0.02)                                                  \
                break;                                                         \
        }                                                                      \
        result = spent * 1e9 / (double)calls;                                  \
    } while (0)
#define CHECK_BENCH(shape, unit, amount, kernel, ...)                          \
    do {                                                                       \
        if (check_bench) {                                                     \
            double want_ns, got_ns;                                            \
            CHECK_NS(want_ns, (void)check_ref.kernel(__VA_ARGS__));            \
            CHECK_NS(got_ns, (void)k->kernel(__VA_ARGS__));                    \
            check_report(#kernel " " shape, unit, amount, want_ns, got_ns);    \
        }                                                                      \
    } while (0)

/* The checks, one for each entry of the table, which *state points to. */
void check_pack(void **state);
void check_matmul(void **state);
void check_matmul_tn(void **state);
void check_column_sum(void **state);
void check_rmsnorm(void **state);
void check_rmsnorm_bwd(void **state);
void check_rmsnorm_gain_bwd(void **state);
void check_rope(void **state);
void check_attention(void **state);
void check_attention_bwd(void **state);
void check_swiglu(void **state);
void check_swiglu_bwd(void **state);
void check_logsumexp(void **state);
void check_softmax_kl(void **state);
void check_softmax_bwd(void **state);
void check_exp(void **state);
void check_sum_squares(void **state);
void check_adamw(void **state);
void check_edit_distance(void **state);

/* Against double precision, on ordinary values; see gradients.c. */
void gradient_matmul(void **state);
void gradient_rmsnorm(void **state);
void gradient_rope(void **state);
void gradient_attention(void **state);
void gradient_swiglu(void **state);
void gradient_softmax(void **state);

/* That the checks notice broken kernels; they ignore *state. */
void selftest_dropped_fma(void **state);
void selftest_other_order(void **state);
void selftest_unwritten_element(void **state);
void selftest_written_gap(void **state);
void selftest_lost_carry(void **state);

#endif
