/* check [--bench] [PATTERN]: every instruction set that this build and CPU have
 * against the scalar reference. PATTERN (shell wildcards) selects tests. */
#include "check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

t2g_kernels check_ref;
bool check_bench;

static uint64_t random_state = 20250522;

/* SplitMix64. */
static uint64_t next_random(void)
{
    uint64_t z = random_state += 0x9E3779B97F4A7C15;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9;
    z = (z ^ z >> 27) * 0x94D049BB133111EB;
    return z ^ z >> 31;
}

size_t check_below(size_t n)
{
    return (size_t)(next_random() >> 16) % n;
}

size_t check_between(size_t low, size_t high)
{
    return low + check_below(high - low + 1);
}

bool check_coin(void)
{
    return check_below(2) == 0;
}

static float uniform(float low, float high)
{
    return low + (high - low) * (float)(next_random() >> 40) * 0x1p-24f;
}

/* What random arrays hold. */
static enum { PLAIN, WIDE, TINY, ZEROS, SPIKES, NANS, MOODS } mood;

void check_plain(void)
{
    mood = PLAIN;
}

static float spike(void)
{
    static const float spikes[] = {
        INFINITY,    -INFINITY,     3.4028235e38f, -3.4028235e38f,
        1.4e-45f,    -1.4e-45f,     1.1754942e-38f, -0.0f,
        0.0f,        88.72284f,     -87.33655f,    -104.0f,
        1e30f,       -1e30f,        16777216.0f,   1.0f,
    };
    return spikes[check_below(sizeof spikes / sizeof *spikes)];
}

float check_value(void)
{
    float x = uniform(-3.0f, 3.0f);
    switch (mood) {
    case WIDE:
        return ldexpf(x, (int)check_below(61) - 30);
    case TINY: /* products are below the smallest normal number */
        return ldexpf(x, -(int)check_between(50, 148));
    case ZEROS:
        return check_below(4) == 0 ? x : copysignf(0.0f, x);
    case SPIKES:
        return check_below(50) == 0 ? spike() : x;
    case NANS:
        return check_below(100) == 0 ? NAN : x;
    default:
        return x;
    }
}

/* Each array: [spare, poisoned][n floats][inaccessible page]. */
enum { ARRAYS = 64, SPARE = 32, POISON = 0x5a };
static struct {
    void *map;
    size_t size;
} arrays[ARRAYS];
static size_t array_count;

static void free_arrays(void)
{
    while (array_count > 0) {
        array_count--;
        munmap(arrays[array_count].map, arrays[array_count].size);
    }
}

static float *poisoned(size_t n)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t body = ((n + SPARE) * sizeof(float) + page - 1) / page * page;
    char *map = mmap(NULL, body + page, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(map != MAP_FAILED && array_count < ARRAYS);
    assert_int_equal(mprotect(map + body, page, PROT_NONE), 0);
    arrays[array_count].map = map;
    arrays[array_count++].size = body + page;
    memset(map, POISON, body);
    return (float *)(void *)(map + body) - n;
}

float *check_array(size_t n)
{
    float *x = poisoned(n);
    for (size_t i = 0; i < n; i++)
        x[i] = NAN;
    return x;
}

float *check_random(size_t n)
{
    float *x = poisoned(n);
    for (size_t i = 0; i < n; i++)
        x[i] = check_value();
    return x;
}

float *check_copy(const float *x, size_t n)
{
    return memcpy(poisoned(n), x, n * sizeof *x);
}

check_twins check_output(size_t n)
{
    return (check_twins){poisoned(n), poisoned(n), n};
}

check_twins check_inout(size_t n)
{
    float *x = check_random(n);
    return (check_twins){x, check_copy(x, n), n};
}

check_twins check_in_place(const float *x, size_t n, bool *in_place)
{
    *in_place = check_coin();
    if (!*in_place)
        return check_output(n);
    return (check_twins){check_copy(x, n), check_copy(x, n), n};
}

/* The first comparison of the test that failed; "" while none did. */
static char mismatch[160];

static bool same(float a, float b)
{
    return (isnan(a) && isnan(b)) || memcmp(&a, &b, sizeof a) == 0;
}

static void record(const char *what, ptrdiff_t i, float got, float want)
{
    if (!*mismatch)
        snprintf(mismatch, sizeof mismatch,
                 "%s[%td]: %a instead of %a (mood %d)", what, i, (double)got,
                 (double)want, (int)mood);
}

void check_same(const char *what, check_twins t)
{
    for (ptrdiff_t i = -SPARE; i < (ptrdiff_t)t.n; i++)
        if (!same(t.got[i], t.want[i])) {
            record(what, i, t.got[i], t.want[i]);
            return;
        }
}

void check_same_value(const char *what, float got, float want)
{
    if (!same(got, want))
        record(what, 0, got, want);
}

static bool expecting_mismatch;

bool check_case(size_t *count)
{
    free_arrays();
    if (*mismatch && !expecting_mismatch)
        fail_msg("%s", mismatch);
    if (*mismatch || (*count)-- == 0)
        return false;
    mood = check_coin() ? PLAIN : check_below(MOODS);
    return true;
}

bool check_notices(CMUnitTestFunction check, t2g_kernels *broken)
{
    void *state = broken;
    bool bench = check_bench;
    check_bench = false;
    expecting_mismatch = true;
    check(&state);
    expecting_mismatch = false;
    check_bench = bench;
    bool noticed = *mismatch;
    *mismatch = '\0';
    return noticed;
}

double check_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void check_report(const char *shape, const char *unit, double amount,
                  double want_ns, double got_ns)
{
    printf("  %-36s %11.0f ns  scalar %11.0f ns  x%5.1f  %7.2f G%s/s\n", shape,
           got_ns, want_ns, want_ns / got_ns, amount / got_ns, unit);
}

/* A failed test leaves its arrays and its mismatch behind. */
static int begin(void **state)
{
    (void)state;
    free_arrays();
    *mismatch = '\0';
    return 0;
}

#define TEST(function) cmocka_unit_test_setup(function, begin)

static int run_against_reference(t2g_kernels *k)
{
    struct CMUnitTest tests[] = {
        TEST(check_pack),
        TEST(check_matmul),
        TEST(check_matmul_tn),
        TEST(check_column_sum),
        TEST(check_rmsnorm),
        TEST(check_rmsnorm_bwd),
        TEST(check_rmsnorm_gain_bwd),
        TEST(check_rope),
        TEST(check_attention),
        TEST(check_attention_bwd),
        TEST(check_swiglu),
        TEST(check_swiglu_bwd),
        TEST(check_logsumexp),
        TEST(check_softmax_kl),
        TEST(check_softmax_bwd),
        TEST(check_exp),
        TEST(check_sum_squares),
        TEST(check_adamw),
        TEST(check_edit_distance),
    };
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++)
        tests[i].initial_state = k;
    char name[64];
    snprintf(name, sizeof name, "%s against scalar", k->isa);
    return _cmocka_run_group_tests(name, tests, sizeof tests / sizeof *tests,
                                   NULL, NULL);
}

static int run_against_double(t2g_kernels *k)
{
    struct CMUnitTest tests[] = {
        TEST(gradient_matmul), TEST(gradient_rmsnorm), TEST(gradient_rope),
        TEST(gradient_attention), TEST(gradient_swiglu), TEST(gradient_softmax),
    };
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++)
        tests[i].initial_state = k;
    char name[64];
    snprintf(name, sizeof name, "%s against double", k->isa);
    return _cmocka_run_group_tests(name, tests, sizeof tests / sizeof *tests,
                                   NULL, NULL);
}

static int run_selftests(void)
{
    const struct CMUnitTest tests[] = {
        TEST(selftest_dropped_fma),
        TEST(selftest_other_order),
        TEST(selftest_unwritten_element),
        TEST(selftest_written_gap),
        TEST(selftest_lost_carry),
    };
    return cmocka_run_group_tests_name("checks notice broken kernels", tests,
                                       NULL, NULL);
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--bench") == 0) {
            check_bench = true;
        } else if (argv[i][0] != '-') {
            cmocka_set_test_filter(argv[i]);
        } else {
            fprintf(stderr, "usage: check [--bench] [PATTERN]\n");
            return 2;
        }
    setvbuf(stdout, NULL, _IOLBF, 0);
    t2g_kernels_ref(&check_ref);
    int failures = run_selftests();
    for (const char *const *isa = t2g_isa_available(); *isa; isa++) {
        t2g_kernels k;
        if (t2g_kernels_select(&k, *isa) != T2G_OK ||
            strcmp(k.isa, *isa) != 0) {
            fprintf(stderr, "%s: %s\n", *isa, t2g_error_message());
            return 1;
        }
        failures += run_against_double(&k);
        if (strcmp(*isa, "scalar") != 0)
            failures += run_against_reference(&k);
    }
    return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
