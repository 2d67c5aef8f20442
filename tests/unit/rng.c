/* Philox against Random123's known answers, and what is built on it. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "t2g/rng.h"

static const t2g_stream stream = {.seed = 0x0123456789ABCDEF, .sample = 7,
                                  .step = 3, .purpose = T2G_RNG_TASK};

/* kat_vectors of Random123 1.14: philox4x32, 10 rounds. */
static void philox_known_answers(void **state)
{
    (void)state;
    static const struct {
        uint32_t counter[4], key[2], want[4];
    } cases[] = {
        {{0, 0, 0, 0},
         {0, 0},
         {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
         {0xffffffff, 0xffffffff},
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, /* digits of pi */
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint32_t got[4];
        t2g_philox(got, cases[i].counter, cases[i].key);
        assert_memory_equal(got, cases[i].want, sizeof got);
    }
}

static void philox_may_overwrite_its_counter(void **state)
{
    (void)state;
    uint32_t block[4] = {0}, key[2] = {0};
    t2g_philox(block, block, key);
    assert_int_equal(block[0], 0x6627e8d5);
}

static void streams_are_laid_out_as_documented(void **state)
{
    (void)state;
    const uint32_t key[2] = {0x89ABCDEF, 0x01234567};
    for (uint32_t i = 0; i < 40; i++) {
        const uint32_t counter[4] = {i / 4, 7, 3, T2G_RNG_TASK};
        uint32_t block[4];
        t2g_philox(block, counter, key);
        assert_int_equal(t2g_random_u32(&stream, i), block[i % 4]);
        assert_true(t2g_random_unit(&stream, i) == ldexp(block[i % 4], -32));
    }
}

static void below_stays_below(void **state)
{
    (void)state;
    static const uint32_t bounds[] = {1, 2, 3, 1000, (1u << 24) - 1};
    for (size_t b = 0; b < sizeof bounds / sizeof *bounds; b++)
        for (uint64_t i = 0; i < 2000; i++) {
            uint32_t got = t2g_random_below(&stream, i, bounds[b]);
            assert_true(got < bounds[b]);
            assert_true(got == floor(t2g_random_unit(&stream, i) * bounds[b]));
        }
}

static void below_reaches_every_value_alike(void **state)
{
    (void)state;
    enum { VALUES = 6, DRAWS = 60000 };
    size_t count[VALUES] = {0};
    for (uint64_t i = 0; i < DRAWS; i++)
        count[t2g_random_below(&stream, i, VALUES)]++;
    for (size_t v = 0; v < VALUES; v++) /* 5 standard deviations */
        assert_in_range(count[v], 10000 - 457, 10000 + 457);
}

static void shuffle_is_a_permutation(void **state)
{
    (void)state;
    enum { MAX = 300 };
    for (size_t n = 0; n <= MAX; n++) {
        uint32_t order[MAX + 1];
        unsigned char seen[MAX] = {0};
        order[n] = 0x5a5a5a5a;
        t2g_random_shuffle(&stream, order, n);
        assert_int_equal(order[n], 0x5a5a5a5a);
        for (size_t i = 0; i < n; i++) {
            assert_true(order[i] < n && !seen[order[i]]);
            seen[order[i]] = 1;
        }
    }
}

/* Swaps drawn by hand from below(i+1) at number i. */
static void shuffle_swaps_as_documented(void **state)
{
    (void)state;
    uint32_t want[5] = {0, 1, 2, 3, 4}, got[5];
    for (uint32_t i = 4; i >= 1; i--) {
        uint32_t j = t2g_random_below(&stream, i, i + 1), kept = want[i];
        want[i] = want[j];
        want[j] = kept;
    }
    t2g_random_shuffle(&stream, got, 5);
    assert_memory_equal(got, want, sizeof want);
}

/* Mean 0, variance 1, no skew, fourth moment 3: each within 5 standard errors,
 * which are sqrt(1, 2, 15, 96 / draws). */
static void normal_has_its_moments(void **state)
{
    (void)state;
    enum { DRAWS = 100000 };
    double sum[5] = {0};
    for (uint64_t i = 0; i < DRAWS; i++) {
        double x = t2g_random_normal(&stream, i), power = 1.0;
        assert_true(isfinite(x));
        for (size_t p = 1; p <= 4; p++)
            sum[p] += power *= x;
    }
    assert_true(fabs(sum[1] / DRAWS) < 5 * sqrt(1.0 / DRAWS));
    assert_true(fabs(sum[2] / DRAWS - 1) < 5 * sqrt(2.0 / DRAWS));
    assert_true(fabs(sum[3] / DRAWS) < 5 * sqrt(15.0 / DRAWS));
    assert_true(fabs(sum[4] / DRAWS - 3) < 5 * sqrt(96.0 / DRAWS));
}

static void normal_follows_box_muller(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 1000; i++) {
        double u = 1 - t2g_random_unit(&stream, 2 * i);
        double v = t2g_random_unit(&stream, 2 * i + 1);
        double want = sqrt(-2 * log(u)) * cos(2 * acos(-1) * v);
        assert_true(fabs(t2g_random_normal(&stream, i) - want) < 1e-6);
    }
}

/* One changed field changes the numbers. */
static void streams_differ(void **state)
{
    (void)state;
    t2g_stream other[5] = {stream, stream, stream, stream, stream};
    other[0].seed ^= 1;
    other[1].seed ^= (uint64_t)1 << 32;
    other[2].sample++;
    other[3].step++;
    other[4].purpose = T2G_RNG_SAMP;
    for (size_t s = 0; s < 5; s++)
        for (uint64_t i = 0; i < 100; i++)
            assert_true(t2g_random_u32(&other[s], i) !=
                        t2g_random_u32(&stream, i));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(philox_known_answers),
        cmocka_unit_test(philox_may_overwrite_its_counter),
        cmocka_unit_test(streams_are_laid_out_as_documented),
        cmocka_unit_test(below_stays_below),
        cmocka_unit_test(below_reaches_every_value_alike),
        cmocka_unit_test(shuffle_is_a_permutation),
        cmocka_unit_test(shuffle_swaps_as_documented),
        cmocka_unit_test(normal_has_its_moments),
        cmocka_unit_test(normal_follows_box_muller),
        cmocka_unit_test(streams_differ),
    };
    return cmocka_run_group_tests_name("rng", tests, NULL, NULL);
}
