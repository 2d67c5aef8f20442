/* Matrix products by tiles of C: the elements of a tile stay in registers for
 * the whole chain of steps, as many chains at once as hide the latency of a
 * multiply-add; with few rows, several strips of columns together. */
#include <string.h>

#include "product.h"

/* Columns of a strip; strips of a tile, 6/rows of them and with more than 6
 * rows one; steps of a block of plain B: at most 32 KiB of a strip of it stay
 * in the first-level cache while the rows pass by. */
enum {
    STRIP = TILE_VECS * VEC,
    TILE_STRIPS = 6,
    BLOCK_STEPS = 256,
    LINE = 16, /* floats of a cache line */
    ALIASED = 1024 /* rows this far apart share one set of the cache */
};

/* Rows of c are ldc apart, those it starts from ldstart. */
typedef struct tile_operands {
    float *c;
    size_t ldc;
    const float *start;
    size_t ldstart;
    const float *a;
    const float *b[TILE_STRIPS]; /* the strips at the first step */
    size_t ldb, steps;
} tile_operands;

/* The next strip's part of a row of plain B: rows are too far apart for the
 * hardware to foresee it. */
INLINE void prefetch_next(const float *b)
{
    for (size_t j = 0; j < STRIP; j += LINE)
        __builtin_prefetch(b + STRIP + j);
}

/* R rows, S strips; both are constants where it is called. */
INLINE void tile(const size_t R, const size_t S, const tile_operands *t,
                 size_t a_row, size_t a_step)
{
    const size_t V = S * TILE_VECS, steps = t->steps, ldb = t->ldb;
    vec sum[TILE_ROWS * TILE_VECS], row[TILE_STRIPS * TILE_VECS];
    const float *a = t->a;
    UNROLL
    for (size_t r = 0; r < R; r++)
        UNROLL
        for (size_t v = 0; v < V; v++)
            sum[r * V + v] = vec_load(t->start + r * t->ldstart + v * VEC);
    for (size_t s = 0; s < steps; s++) {
        UNROLL
        for (size_t v = 0; v < V; v++)
            row[v] = vec_load(t->b[v / TILE_VECS] + s * ldb +
                              v % TILE_VECS * VEC);
        if (a_row == 1)
            prefetch_next(t->b[0] + s * ldb);
        UNROLL
        for (size_t r = 0; r < R; r++) {
            vec x = vec_set1(a[r * a_row + s * a_step]);
            UNROLL
            for (size_t v = 0; v < V; v++)
                sum[r * V + v] = vec_fma(x, row[v], sum[r * V + v]);
        }
    }
    UNROLL
    for (size_t r = 0; r < R; r++)
        UNROLL
        for (size_t v = 0; v < V; v++)
            vec_store(t->c + r * t->ldc + v * VEC, sum[r * V + v]);
}

INLINE void tile_of(size_t rows, size_t strips, const tile_operands *t,
                    size_t a_row, size_t a_step)
{
#define TILE(r, s)                                                             \
    case (r) * (TILE_STRIPS + 1) + (s):                                        \
        tile(r, s, t, a_row, a_step);                                          \
        break
    switch (rows * (TILE_STRIPS + 1) + strips) {
        TILE(1, 1);
        TILE(1, 2);
        TILE(1, 3);
        TILE(1, 4);
        TILE(1, 5);
        TILE(1, 6);
        TILE(2, 1);
        TILE(2, 2);
        TILE(2, 3);
        TILE(3, 1);
        TILE(3, 2);
        TILE(4, 1);
        TILE(5, 1);
        TILE(6, 1);
#if TILE_ROWS > 6
        TILE(7, 1);
        TILE(8, 1);
        TILE(9, 1);
        TILE(10, 1);
        TILE(11, 1);
        TILE(12, 1);
        TILE(13, 1);
        TILE(14, 1);
#endif
    }
#undef TILE
}

static void tile_of_rows(size_t rows, size_t strips, const tile_operands *t,
                         size_t a_row)
{
    tile_of(rows, strips, t, a_row, 1);
}

static void tile_of_columns(size_t rows, size_t strips, const tile_operands *t,
                            size_t a_step)
{
    tile_of(rows, strips, t, 1, a_step);
}

INLINE void any_tile(const t2g_product *x, size_t rows, size_t strips,
                     const tile_operands *t)
{
    if (x->a_step == 1)
        tile_of_rows(rows, strips, t, x->a_row);
    else
        tile_of_columns(rows, strips, t, x->a_step);
}

/* The first n of `all` floats, a multiple of VEC; +0 after them. */
INLINE void copy_padded(float *y, const float *x, size_t n, size_t all)
{
    for (size_t j = 0; j < all; j += VEC)
        vec_store(y + j, vec_load_n(x + j, excess(n, j)));
}

INLINE void copy(float *y, const float *x, size_t n)
{
    for (size_t j = 0; j < n; j += VEC)
        vec_store_n(y + j, vec_load_n(x + j, n - j), n - j);
}

/* A tile whose last columns C does not have: computed aside. */
static void edge_tile(const t2g_product *x, size_t rows, size_t strips,
                      tile_operands t, size_t columns)
{
    float side[TILE_ROWS * STRIP], *c = t.c;
    size_t all = strips * STRIP, ldc = t.ldc;
    for (size_t r = 0; r < rows; r++)
        copy_padded(side + r * all, t.start + r * t.ldstart, columns, all);
    t.c = side;
    t.start = side;
    t.ldc = all;
    t.ldstart = all;
    any_tile(x, rows, strips, &t);
    for (size_t r = 0; r < rows; r++)
        copy(c + r * ldc, side + r * all, columns);
}

static const float *panel_strip(const t2g_product *x, size_t column)
{
    return x->b + column / T2G_PANEL * T2G_PANEL * x->steps +
           column % T2G_PANEL;
}

/* Where a strip of plain B begins. It is a copy in `side` if B does not have
 * all of its columns, or if the cache would not hold it until it is used
 * again. */
static const float *plain_strip(const t2g_product *x, size_t column,
                                size_t from, tile_operands *t, float *side)
{
    const float *b = x->b + from * x->ldb + column;
    size_t columns = x->columns - column;
    t->ldb = x->ldb;
    bool lost = x->ldb % ALIASED == 0 && x->rows > 4 * TILE_ROWS;
    if (columns >= STRIP && !lost)
        return b;
    for (size_t s = 0; s < t->steps; s++)
        copy_padded(side + s * STRIP, b + s * x->ldb, columns, STRIP);
    t->ldb = STRIP;
    return side;
}

static void set_start(const t2g_product *x, tile_operands *t, size_t column,
                      bool again)
{
    static const float zero[TILE_STRIPS * STRIP];
    t->ldstart = 0;
    if (again || x->accumulate) {
        t->start = t->c;
        t->ldstart = t->ldc;
    } else {
        t->start = x->bias ? x->bias + column : zero;
    }
}

/* Some strips of C from `column` on: all rows, steps from `from` on. */
static void strips_of_c(const t2g_product *x, size_t column, size_t strips,
                        size_t from, size_t steps)
{
    float side[BLOCK_STEPS * STRIP];
    tile_operands t = {.ldc = x->ldc, .ldb = T2G_PANEL, .steps = steps};
    for (size_t s = 0; s < strips; s++)
        t.b[s] = x->panels ? panel_strip(x, column + s * STRIP)
                           : plain_strip(x, column + s * STRIP, from, &t, side);
    size_t columns = x->columns - column;
    size_t tiles = ceil_div(x->rows, TILE_ROWS);
    for (size_t i = 0, rows; i < x->rows; i += rows) {
        rows = ceil_div(x->rows - i, tiles--);
        t.c = x->c + i * x->ldc + column;
        t.a = x->a + i * x->a_row + from * x->a_step;
        set_start(x, &t, column, from > 0);
        if (columns >= strips * STRIP)
            any_tile(x, rows, strips, &t);
        else
            edge_tile(x, rows, strips, t, columns);
    }
}

/* How many strips to take next: whole ones of plain B, or its last alone. */
static size_t strips_together(const t2g_product *x, size_t columns)
{
    size_t rows = ceil_div(x->rows, ceil_div(x->rows, TILE_ROWS));
    size_t most = rows < TILE_STRIPS ? TILE_STRIPS / rows : 1;
    size_t strips = columns / STRIP;
    if (strips == 0 || (x->panels && columns % STRIP))
        strips++;
    return ceil_div(strips, ceil_div(strips, most));
}

void KERNEL(product)(const t2g_product *x)
{
    size_t block = x->panels ? x->steps : BLOCK_STEPS;
    for (size_t from = 0; from < x->steps; from += block) {
        size_t steps = smaller(block, x->steps - from);
        for (size_t j = 0; j < x->columns;) {
            size_t strips = strips_together(x, x->columns - j);
            strips_of_c(x, j, strips, from, steps);
            j += strips * STRIP;
        }
    }
}

void KERNEL(matmul)(float *c, size_t ldc, const float *a, size_t lda,
                    const float *panels, const float *bias, int accumulate,
                    size_t m, size_t n, size_t k)
{
    KERNEL(product)(&(t2g_product){
        .c = c, .ldc = ldc, .a = a, .a_row = lda, .a_step = 1, .b = panels,
        .ldb = T2G_PANEL, .panels = true, .accumulate = accumulate != 0,
        .bias = bias, .rows = m, .columns = n, .steps = k});
}

void KERNEL(matmul_tn)(float *c, size_t ldc, const float *a, size_t lda,
                       const float *b, size_t ldb, size_t m, size_t n, size_t t)
{
    KERNEL(product)(&(t2g_product){
        .c = c, .ldc = ldc, .a = a, .a_row = 1, .a_step = lda, .b = b,
        .ldb = ldb, .accumulate = true, .rows = m, .columns = n, .steps = t});
}

/* The n <= COLUMNS first elements of y. */
INLINE void sum_columns(float *y, const float *a, size_t lda, size_t n,
                        size_t t)
{
    vec sum[COLUMNS / VEC];
    UNROLL
    for (size_t v = 0; v < COLUMNS / VEC; v++)
        sum[v] = vec_load_n(y + v * VEC, excess(n, v * VEC));
    for (size_t i = 0; i < t; i++, a += lda)
        UNROLL
        for (size_t v = 0; v < COLUMNS / VEC; v++)
            sum[v] += vec_load_n(a + v * VEC, excess(n, v * VEC));
    UNROLL
    for (size_t v = 0; v < COLUMNS / VEC; v++)
        vec_store_n(y + v * VEC, sum[v], excess(n, v * VEC));
}

void KERNEL(column_sum)(float *y, const float *a, size_t lda, size_t n,
                        size_t t)
{
    size_t j = 0;
    for (; j + COLUMNS <= n; j += COLUMNS)
        sum_columns(y + j, a + j, lda, COLUMNS, t);
    if (j < n)
        sum_columns(y + j, a + j, lda, n - j, t);
}

typedef float quad __attribute__((vector_size(4 * sizeof(float))));

INLINE quad quad_load(const float *p)
{
    quad q;
    memcpy(&q, p, sizeof q);
    return q;
}

/* y[i*T2G_PANEL + j] = x[j*ld + i] for i, j < 4 */
INLINE void transpose4(float *y, const float *x, size_t ld)
{
    quad a = quad_load(x), b = quad_load(x + ld);
    quad c = quad_load(x + 2 * ld), d = quad_load(x + 3 * ld);
    quad ab = __builtin_shufflevector(a, b, 0, 4, 1, 5);
    quad cd = __builtin_shufflevector(c, d, 0, 4, 1, 5);
    quad AB = __builtin_shufflevector(a, b, 2, 6, 3, 7);
    quad CD = __builtin_shufflevector(c, d, 2, 6, 3, 7);
    quad out[4] = {__builtin_shufflevector(ab, cd, 0, 1, 4, 5),
                   __builtin_shufflevector(ab, cd, 2, 3, 6, 7),
                   __builtin_shufflevector(AB, CD, 0, 1, 4, 5),
                   __builtin_shufflevector(AB, CD, 2, 3, 6, 7)};
    for (size_t i = 0; i < 4; i++)
        memcpy(y + i * T2G_PANEL, &out[i], sizeof out[i]);
}

/* One panel of a transposed matrix: x is [columns, k]. */
static void pack_transposed(float *panel, const float *x, size_t ld, size_t k,
                            size_t columns)
{
    size_t j = 0;
    for (; j + 4 <= columns; j += 4, x += 4 * ld) {
        size_t i = 0;
        for (; i + 4 <= k; i += 4)
            transpose4(panel + i * T2G_PANEL + j, x + i, ld);
        for (; i < k; i++)
            for (size_t s = 0; s < 4; s++)
                panel[i * T2G_PANEL + j + s] = x[s * ld + i];
    }
    for (; j < T2G_PANEL; j++, x += ld)
        for (size_t i = 0; i < k; i++)
            panel[i * T2G_PANEL + j] = j < columns ? x[i] : 0.0f;
}

static void pack_plain(float *panel, const float *x, size_t ld, size_t k,
                       size_t columns)
{
    for (size_t i = 0; i < k; i++)
        copy_padded(panel + i * T2G_PANEL, x + i * ld, columns, T2G_PANEL);
}

void KERNEL(pack)(float *panels, const float *b, size_t ldb, int transposed,
                  size_t k, size_t n)
{
    for (size_t j = 0; j < n; j += T2G_PANEL, panels += T2G_PANEL * k)
        if (transposed)
            pack_transposed(panels, b + j * ldb, ldb, k,
                            smaller(n - j, T2G_PANEL));
        else
            pack_plain(panels, b + j, ldb, k, smaller(n - j, T2G_PANEL));
}
