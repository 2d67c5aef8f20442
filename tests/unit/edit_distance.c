/* Searches of a text: the bit-parallel one against the plain dynamic programme,
 * the same distance and the same range at every place, and the one for equal
 * sequences against comparing at every place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../ref/feedback/edit_distance.h"
#include "../../ref/feedback/search.h"
#include "../plain_distance.h"
#include "t2g/rng.h"

enum { MOST_TEXT = 400, MOST_PATTERN = 300 };

/* What a group makes of a text. */
typedef struct found {
    t2g_patterns patterns;
    uint16_t row[MOST_TEXT], distance[MOST_TEXT * T2G_EDIT_LANES];
    uint16_t least[T2G_EDIT_LANES];
} found;

static void compare_lane(const t2g_kernels *k, found *f, size_t lane,
                         const uint32_t *text, size_t n)
{
    t2g_part p = f->patterns.pattern[lane];
    cell column[MOST_PATTERN + 1];
    uint32_t least = UINT16_MAX;
    plain_begin(column, p.n);
    for (size_t j = 0; j < n; j++) {
        uint16_t got = f->distance[j * f->patterns.stride + lane];
        plain_step(column, p.code, p.n, text[j], j);
        cell want = column[p.n];
        if (got != want.distance)
            fail_msg("%s, m %zu, place %zu: distance %u, expected %u", k->isa,
                     p.n, j, got, want.distance);
        size_t start = t2g_patterns_start(&f->patterns, k, lane, f->row, j + 1,
                                          got);
        if (start != want.start)
            fail_msg("%s, m %zu, place %zu: start %zu, expected %zu", k->isa,
                     p.n, j, start, want.start);
        least = got < least ? got : least;
    }
    assert_int_equal(f->least[lane], least);
}

/* With every instruction set. */
static void compare(const t2g_part *pattern, size_t lanes,
                    const uint32_t *text, size_t n)
{
    for (const char *const *isa = t2g_isa_available(); *isa; isa++) {
        t2g_kernels k;
        found f;
        assert_int_equal(t2g_kernels_select(&k, *isa), T2G_OK);
        assert_int_equal(t2g_patterns_make(&f.patterns, pattern, lanes),
                         T2G_OK);
        t2g_patterns_rows(&f.patterns, f.row, (t2g_part){text, n});
        t2g_patterns_distances(&f.patterns, &k, f.row, n, f.distance, f.least);
        for (size_t l = 0; l < lanes; l++)
            compare_lane(&k, &f, l, text, n);
        t2g_patterns_free(&f.patterns);
    }
}

/* Draws that follow one another. */
typedef struct draws {
    t2g_stream stream;
    uint64_t next;
} draws;

static uint32_t below(draws *d, size_t n)
{
    return t2g_random_below(&d->stream, d->next++, (uint32_t)n);
}

static void fill(draws *s, uint32_t *x, size_t n, uint32_t letters,
                 uint32_t first)
{
    for (size_t i = 0; i < n; i++)
        x[i] = first + below(s, letters);
}

/* The pattern is there, with slips. */
static void hide(draws *s, uint32_t *text, size_t n, const uint32_t *pattern,
                 size_t m, uint32_t slip)
{
    if (n <= m)
        return;
    memcpy(text + below(s, n - m), pattern, m * sizeof *text);
    for (size_t k = 0; k < m / 10; k++)
        text[below(s, n)] = slip;
}

static void random_texts(void **state)
{
    (void)state;
    static const uint32_t letters[] = {1, 2, 4, 26, 3000};
    static const uint32_t firsts[] = {'a', 0x7e, 0x4e00, 0x1f600};
    static uint32_t code[T2G_EDIT_LANES][MOST_PATTERN], text[MOST_TEXT];
    t2g_part pattern[T2G_EDIT_LANES];
    draws s = {{7, 0, 0, T2G_RNG_DATA}, 0};
    for (size_t round = 0; round < 150; round++) {
        uint32_t of = letters[round % 5], first = firsts[round / 5 % 4];
        size_t n = below(&s, MOST_TEXT), lanes = 1 + below(&s, T2G_EDIT_LANES);
        fill(&s, text, n, of, first);
        for (size_t l = 0; l < lanes; l++) {
            size_t m = 1 + below(&s, round % 3 ? 70 : MOST_PATTERN - 1);
            pattern[l] = (t2g_part){code[l], m};
            fill(&s, code[l], m, of, first);
            if (round % 2)
                hide(&s, text, n, code[l], m, first);
        }
        compare(pattern, lanes, text, n);
    }
}

/* Lengths around the words of 64 bits. */
static void word_borders(void **state)
{
    (void)state;
    static const size_t lengths[] = {1, 2, 63, 64, 65, 127, 128, 129, 192, 193};
    uint32_t code[MOST_PATTERN], text[MOST_TEXT];
    draws s = {{8, 0, 0, T2G_RNG_DATA}, 0};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        t2g_part pattern = {code, lengths[i]};
        fill(&s, code, lengths[i], 3, 'a');
        fill(&s, text, MOST_TEXT, 3, 'a');
        memcpy(text + 100, code, lengths[i] * sizeof *text);
        compare(&pattern, 1, text, MOST_TEXT);
        compare(&pattern, 1, text, 0);
        compare(&pattern, 1, code, lengths[i]);
    }
}

static void lengths_are_checked(void **state)
{
    (void)state;
    static uint32_t x[T2G_PATTERN_MOST + 1];
    t2g_patterns p;
    t2g_part none = {x, 0}, long_one = {x, T2G_PATTERN_MOST + 1};
    t2g_part two[] = {{x, T2G_PATTERN_SHARED}, {x, T2G_PATTERN_SHARED + 1}};
    t2g_part longest = {x, T2G_PATTERN_MOST};
    assert_int_equal(t2g_patterns_make(&p, &none, 1), T2G_ERR_UNSUPPORTED);
    assert_int_equal(t2g_patterns_make(&p, &long_one, 1), T2G_ERR_UNSUPPORTED);
    assert_int_equal(t2g_patterns_make(&p, two, 2), T2G_ERR_UNSUPPORTED);
    assert_int_equal(t2g_patterns_make(&p, two, 0), T2G_ERR_UNSUPPORTED);
    assert_int_equal(t2g_patterns_make(&p, &longest, 1), T2G_OK);
    t2g_patterns_free(&p);
}

/* The plain search for equal sequences. */
static size_t next_plain(t2g_part text, t2g_part pattern, size_t from)
{
    for (size_t i = from; pattern.n && i + pattern.n <= text.n; i++)
        if (memcmp(text.code + i, pattern.code,
                   pattern.n * sizeof *text.code) == 0)
            return i;
    return SIZE_MAX;
}

static void compare_search(t2g_part text, size_t from, t2g_part pattern)
{
    t2g_search search;
    size_t got, want;
    t2g_search_begin(&search, text, from, pattern);
    do {
        assert_int_equal(t2g_search_next(&search, &got), T2G_OK);
        want = next_plain(text, pattern, from);
        assert_int_equal(got, want);
        from = want + 1;
    } while (want != SIZE_MAX);
    t2g_search_end(&search);
}

/* Few letters make texts that repeat themselves, where effort runs out. */
static void equal_sequences(void **state)
{
    (void)state;
    static const uint32_t letters[] = {1, 2, 3, 26, 3000};
    static uint32_t text[2000], code[400];
    draws s = {{9, 0, 0, T2G_RNG_DATA}, 0};
    for (size_t round = 0; round < 4000; round++) {
        size_t n = below(&s, round % 8 ? 100 : 2000);
        size_t m = below(&s, round % 8 ? 12 : 400);
        fill(&s, text, n, letters[round % 5], 'a');
        fill(&s, code, m, letters[round % 5], 'a');
        if (n > m && round % 3)
            memcpy(code, text + below(&s, n - m), m * sizeof *code);
        if (m && round % 9 == 0)
            code[0] = 'b';
        compare_search((t2g_part){text, n}, below(&s, n + 2),
                       (t2g_part){code, m});
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_texts),
        cmocka_unit_test(word_borders),
        cmocka_unit_test(lengths_are_checked),
        cmocka_unit_test(equal_sequences),
    };
    return cmocka_run_group_tests_name("edit distance", tests, NULL, NULL);
}
