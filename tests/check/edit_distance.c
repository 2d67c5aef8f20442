/* Integers: the arrays are made of the check's floats, whose bits they fill. */
#include "check.h"

#include <string.h>

/* n integers of `size` bytes that end at an inaccessible page. */
static void *integers(size_t n, size_t size)
{
    size_t bytes = n * size, floats = (bytes + 3) / 4;
    return (char *)check_array(floats) + (4 * floats - bytes);
}

static uint64_t random_word(void)
{
    uint64_t x = 0;
    for (size_t i = 0; i < 64; i += 16)
        x = x << 16 | check_below(65536);
    return x;
}

typedef struct tables {
    size_t words, symbols, lanes, stride, n;
    uint64_t *match, *state;
    uint16_t *text, *bottom;
    int top;
} tables;

/* Patterns of any bits, from the first column on. */
static tables random_tables(void)
{
    tables t = {.words = check_coin() ? 1 : check_between(1, 5),
                .symbols = check_between(1, 30),
                .lanes = check_between(1, T2G_EDIT_LANES),
                .n = check_below(150), .top = check_coin()};
    t.stride = t2g_edit_stride(t.lanes);
    size_t column = t.words * t.stride;
    t.match = integers(t.symbols * column, sizeof *t.match);
    t.text = integers(t.n, sizeof *t.text);
    t.bottom = integers(t.stride, sizeof *t.bottom);
    t.state = integers(2 * column, sizeof *t.state);
    for (size_t i = 0; i < t.symbols * column; i++)
        t.match[i] = random_word() & random_word();
    for (size_t i = 0; i < t.n; i++)
        t.text[i] = (uint16_t)check_below(t.symbols);
    for (size_t l = 0; l < t.stride; l++)
        t.bottom[l] = (uint16_t)(64 * t.words);
    memset(t.state, 0xff, column * sizeof *t.state);
    memset(t.state + column, 0, column * sizeof *t.state);
    return t;
}

/* What a kernel makes of them; the two parts of a text follow each other. */
typedef struct outcome {
    uint16_t *distance, *least;
    uint64_t *state;
} outcome;

static outcome run(const t2g_kernels *k, const tables *t)
{
    size_t first = t->n / 3, words = 2 * t->words * t->stride;
    outcome o = {integers(t->n * t->stride, sizeof *o.distance),
                 integers(t->stride, sizeof *o.least),
                 integers(words, sizeof *o.state)};
    memcpy(o.state, t->state, words * sizeof *o.state);
    k->edit_distance(o.distance, o.least, t->bottom, t->text, first, t->match,
                     t->words, o.state, t->lanes, t->top);
    const uint16_t *bottom =
        first ? o.distance + (first - 1) * t->stride : t->bottom;
    k->edit_distance(o.distance + first * t->stride, o.least, bottom,
                     t->text + first, t->n - first, t->match, t->words,
                     o.state, t->lanes, t->top);
    return o;
}

static void compare(const tables *t, const outcome *got, const outcome *want)
{
    for (size_t l = 0; l < t->lanes; l++) {
        check_same_value("least", got->least[l], want->least[l]);
        for (size_t j = l; j < t->n * t->stride; j += t->stride)
            check_same_value("distance", got->distance[j], want->distance[j]);
        for (size_t w = l; w < 2 * t->words * t->stride; w += t->stride)
            check_same_value("state", got->state[w] == want->state[w], 1);
    }
}

static void bench(const t2g_kernels *k)
{
    enum { N = 500, WORDS = 4, SYMBOLS = 32 };
    static uint64_t match[SYMBOLS * WORDS * T2G_EDIT_LANES];
    static uint64_t state[2 * WORDS * T2G_EDIT_LANES];
    static uint16_t text[N], distance[N * T2G_EDIT_LANES];
    static uint16_t least[T2G_EDIT_LANES], bottom[T2G_EDIT_LANES];
    for (size_t i = 0; i < N; i++)
        text[i] = (uint16_t)check_below(SYMBOLS);
    CHECK_BENCH("[500] 1 of 64", "cell", 64 * N, edit_distance, distance, least,
                bottom, text, N, match, 1, state, 1, 0);
    CHECK_BENCH("[500] 4 of 64", "cell", 256 * N, edit_distance, distance,
                least, bottom, text, N, match, 1, state, 4, 0);
    CHECK_BENCH("[500] 8 of 64", "cell", 512 * N, edit_distance, distance,
                least, bottom, text, N, match, 1, state, 8, 0);
    CHECK_BENCH("[500] 8 of 256", "cell", 2048 * N, edit_distance, distance,
                least, bottom, text, N, match, WORDS, state, 8, 0);
}

void check_edit_distance(void **state)
{
    const t2g_kernels *k = *state;
    for (size_t left = 2000; check_case(&left);) {
        tables t = random_tables();
        outcome want = run(&check_ref, &t), got = run(k, &t);
        compare(&t, &got, &want);
    }
    bench(k);
}
