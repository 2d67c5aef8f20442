/* The bit-parallel search against the plain dynamic programme: the same
 * distance and the same range at every place of the text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../ref/feedback/edit_distance.h"
#include "t2g/rng.h"

enum { MOST_TEXT = 400, MOST_PATTERN = 300 };

/* A cell: distance, and the smallest start of a substring at it. */
typedef struct cell {
    uint32_t distance;
    size_t start;
} cell;

static cell better(cell a, cell b)
{
    if (a.distance != b.distance)
        return a.distance < b.distance ? a : b;
    return a.start < b.start ? a : b;
}

static cell worse_by(cell c, uint32_t d)
{
    c.distance += d;
    return c;
}

/* column[i]: the pattern's first i characters against text ending here. */
static void plain_step(cell *column, const uint32_t *pattern, size_t m,
                       uint32_t character, size_t j)
{
    cell diagonal = column[0];
    column[0] = (cell){0, j + 1};
    for (size_t i = 1; i <= m; i++) {
        cell old = column[i];
        cell best = worse_by(diagonal, pattern[i - 1] != character);
        best = better(best, worse_by(old, 1));
        column[i] = better(best, worse_by(column[i - 1], 1));
        diagonal = old;
    }
}

static void compare(const uint32_t *pattern, size_t m, const uint32_t *text,
                    size_t n)
{
    t2g_pattern p;
    uint32_t distance[MOST_TEXT];
    cell column[MOST_PATTERN + 1];
    assert_int_equal(t2g_pattern_make(&p, pattern, m), T2G_OK);
    t2g_pattern_distances(&p, text, n, distance);
    for (size_t i = 0; i <= m; i++)
        column[i] = (cell){(uint32_t)i, 0};
    for (size_t j = 0; j < n; j++) {
        plain_step(column, pattern, m, text[j], j);
        if (distance[j] != column[m].distance)
            fail_msg("m %zu, place %zu: distance %u, expected %u", m, j,
                     distance[j], column[m].distance);
        size_t start = t2g_pattern_start(&p, text, j + 1, distance[j]);
        if (start != column[m].start)
            fail_msg("m %zu, place %zu: start %zu, expected %zu", m, j, start,
                     column[m].start);
    }
    t2g_pattern_free(&p);
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

static void random_texts(void **state)
{
    (void)state;
    static const uint32_t letters[] = {1, 2, 4, 26, 3000};
    static const uint32_t firsts[] = {'a', 0x7e, 0x4e00, 0x1f600};
    uint32_t pattern[MOST_PATTERN], text[MOST_TEXT];
    draws s = {{7, 0, 0, T2G_RNG_DATA}, 0};
    for (size_t round = 0; round < 400; round++) {
        uint32_t of = letters[round % 5], first = firsts[round / 5 % 4];
        size_t m = 1 + below(&s, round % 3 ? 70 : MOST_PATTERN - 1);
        size_t n = below(&s, MOST_TEXT);
        fill(&s, pattern, m, of, first);
        fill(&s, text, n, of, first);
        if (round % 2 && n > m) /* the pattern is there, with slips */
            memcpy(text + (n - m) / 2, pattern, m * sizeof *text);
        for (size_t k = 0; round % 2 && k < m / 10 && n; k++)
            text[below(&s, n)] = first;
        compare(pattern, m, text, n);
    }
}

/* Lengths around the words of 64 bits. */
static void word_borders(void **state)
{
    (void)state;
    static const size_t lengths[] = {1, 2, 63, 64, 65, 127, 128, 129, 192, 193};
    uint32_t pattern[MOST_PATTERN], text[MOST_TEXT];
    draws s = {{8, 0, 0, T2G_RNG_DATA}, 0};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        fill(&s, pattern, lengths[i], 3, 'a');
        fill(&s, text, MOST_TEXT, 3, 'a');
        memcpy(text + 100, pattern, lengths[i] * sizeof *text);
        compare(pattern, lengths[i], text, MOST_TEXT);
        compare(pattern, lengths[i], text, 0);
        compare(pattern, lengths[i], pattern, lengths[i]);
    }
}

static void lengths_are_checked(void **state)
{
    (void)state;
    t2g_pattern p;
    uint32_t x = 'a';
    assert_int_equal(t2g_pattern_make(&p, &x, 0), T2G_ERR_UNSUPPORTED);
    assert_int_equal(t2g_pattern_make(&p, &x, T2G_PATTERN_MOST + 1),
                     T2G_ERR_UNSUPPORTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_texts),
        cmocka_unit_test(word_borders),
        cmocka_unit_test(lengths_are_checked),
    };
    return cmocka_run_group_tests_name("edit distance", tests, NULL, NULL);
}
