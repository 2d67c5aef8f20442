/* Causal attention of one head, softmax(scale * Q K') V, by blocks of queries.
 * [ATT17] Vaswani et al., 2017. A block shares its keys and values: those that
 * all of its queries see go through tiles; the block's own positions, where
 * query i+r sees the first r+1, through triangles. */
#include "product.h"

enum { QUERIES = 8 }; /* of a block */

/* Floats between a block's rows of scratch for n positions: whole panels, at
 * most n + 32. */
INLINE size_t scratch_row(size_t n)
{
    return (n + T2G_PANEL) / LANES * LANES;
}

/* y [rows, positions] = x [rows, d] times panels [d, positions]; y has whole
 * panels of columns. */
INLINE void products_with_panels(float *y, size_t ldy, const float *x,
                                 size_t ldx, const float *panels, size_t rows,
                                 size_t positions, size_t d)
{
    KERNEL(product)(&(t2g_product){
        .c = y, .ldc = ldy, .a = x, .a_row = ldx, .a_step = 1, .b = panels,
        .ldb = T2G_PANEL, .panels = true, .rows = rows,
        .columns = ceil_div(positions, T2G_PANEL) * T2G_PANEL, .steps = d});
}

/* y[r] = fmaf(a[r][s], x[s], y[r]) for s < r: the terms of a block's own
 * positions that only its later queries have. y, x rows of d. */
INLINE void lower_triangle(float *y, size_t ldy, const float *a, size_t lda,
                           const float *x, size_t ldx, size_t rows, size_t d)
{
    for (size_t j = 0; j < d; j += VEC)
        for (size_t r = 1; r < rows; r++) {
            float *yr = y + r * ldy + j;
            vec sum = vec_load_n(yr, d - j);
                for (size_t s = 0; s < r; s++)
                sum = vec_fma(vec_set1(a[r * lda + s]),
                              vec_load_n(x + s * ldx + j, d - j), sum);
            vec_store_n(yr, sum, d - j);
        }
}

/* y[s] = fmaf(a[r][s], x[r], y[s]) for r >= s: the same terms the other way. */
INLINE void upper_triangle(float *y, size_t ldy, const float *a, size_t lda,
                           const float *x, size_t ldx, size_t rows, size_t d)
{
    for (size_t j = 0; j < d; j += VEC)
        for (size_t s = 0; s < rows; s++) {
            float *ys = y + s * ldy + j;
            vec sum = vec_load_n(ys, d - j);
                for (size_t r = s; r < rows; r++)
                sum = vec_fma(vec_set1(a[r * lda + s]),
                              vec_load_n(x + r * ldx + j, d - j), sum);
            vec_store_n(ys, sum, d - j);
        }
}

/* y[r] = sum of a[r][j] x[j] over the seen + r positions that query r sees. */
INLINE void weighted_sums(float *y, size_t ldy, const float *a, size_t lda,
                          const float *x, size_t ldx, size_t rows, size_t seen,
                          size_t d)
{
    KERNEL(product)(&(t2g_product){
        .c = y, .ldc = ldy, .a = a, .a_row = lda, .a_step = 1, .b = x,
        .ldb = ldx, .rows = rows, .columns = d, .steps = seen});
    a += seen;
    x += seen * ldx;
    if (rows == QUERIES) /* unrolled */
        lower_triangle(y, ldy, a, lda, x, ldx, QUERIES, d);
    else
        lower_triangle(y, ldy, a, lda, x, ldx, rows, d);
}

/* y[j] += a[r][j] x[r] over the queries r that see position j. */
INLINE void add_transposed(float *y, size_t ldy, const float *a, size_t lda,
                           const float *x, size_t ldx, size_t rows, size_t seen,
                           size_t d)
{
    KERNEL(product)(&(t2g_product){
        .c = y, .ldc = ldy, .a = a, .a_row = 1, .a_step = lda, .b = x,
        .ldb = ldx, .accumulate = true, .rows = seen, .columns = d,
        .steps = rows});
    a += seen + lda; /* position seen + s, queries s+1 and up */
    x += ldx;
    y += seen * ldy;
    if (rows == QUERIES)
        upper_triangle(y, ldy, a, lda, x, ldx, QUERIES - 1, d);
    else
        upper_triangle(y, ldy, a, lda, x, ldx, rows - 1, d);
}

/* x = x * factor; returns the maximum. */
INLINE float scale_scores(float *x, float factor, size_t n)
{
    for (size_t j = 0; j < n; j += VEC)
        vec_store_n(x + j, vec_load_n(x + j, n - j) * vec_set1(factor), n - j);
    return maximum(x, n);
}

/* x = exp(x - m); returns its lane sum. */
INLINE float exponentials(float *x, float m, size_t n)
{
    lanes s = lanes_zero();
    for (size_t j = 0; j < n; j += LANES)
        UNROLL
        for (size_t g = 0; g < LANE_VECS; g++) {
            size_t at = j + g * VEC, left = excess(n, at);
            vec e = vec_exp(vec_load_n(x + at, left) - vec_set1(m));
            vec_store_n(x + at, e, left);
            s.part[g] += vec_keep_n(e, left);
        }
    return lanes_fold(s);
}

/* Scores of n keys become probabilities; statistics = (m, 1/l). */
INLINE void softmax(float *p, size_t n, float scale, float statistics[2])
{
    float m = scale_scores(p, scale, n);
    float inverse = 1.0f / exponentials(p, m, n);
    for (size_t j = 0; j < n; j += VEC)
        vec_store_n(p + j, vec_load_n(p + j, n - j) * vec_set1(inverse), n - j);
    statistics[0] = m;
    statistics[1] = inverse;
}

void KERNEL(attention)(float *o, size_t ldo, float *lse, const float *q,
                       size_t ldq, size_t nq, size_t first, const float *keys,
                       const float *v, size_t ldv, size_t d, float scale,
                       float *scratch)
{
    float unused[2], *p = scratch;
    size_t ldp = scratch_row(first + nq);
    for (size_t i = 0; i < nq; i += QUERIES) {
        size_t rows = smaller(nq - i, QUERIES), seen = first + i + 1;
        products_with_panels(p, ldp, q + i * ldq, ldq, keys, rows,
                             seen + rows - 1, d);
        for (size_t r = 0; r < rows; r++)
            softmax(p + r * ldp, seen + r, scale,
                    lse ? lse + 2 * (i + r) : unused);
        weighted_sums(o + i * ldo, ldo, p, ldp, v, ldv, rows, seen, d);
    }
}

/* p = exp(scale*p - m) * (1/l) as the forward pass had it. */
INLINE void probabilities(float *p, size_t n, float scale,
                          const float statistics[2])
{
    vec m = vec_set1(statistics[0]), inverse = vec_set1(statistics[1]);
    for (size_t j = 0; j < n; j += VEC) {
        vec score = vec_load_n(p + j, n - j) * vec_set1(scale);
        vec_store_n(p + j, vec_exp(score - m) * inverse, n - j);
    }
}

/* dp becomes ds = (p * (dp - D)) * scale. */
INLINE void score_gradients(float *dp, const float *p, float D, size_t n,
                            float scale)
{
    for (size_t j = 0; j < n; j += VEC) {
        vec d = vec_load_n(dp + j, n - j) - vec_set1(D);
        vec ds = (vec_load_n(p + j, n - j) * d) * vec_set1(scale);
        vec_store_n(dp + j, ds, n - j);
    }
}

void KERNEL(attention_bwd)(float *dq, float *dk, float *dv, const float *do_,
                           const float *o, const float *lse, const float *q,
                           const float *k, const float *keys,
                           const float *values, size_t ldq, size_t ldo,
                           size_t ldkv, size_t t, size_t d, float scale,
                           float *scratch)
{
    size_t ldp = scratch_row(t);
    float *p = scratch, *ds = scratch + QUERIES * ldp;
    for (size_t i = 0; i < t; i += QUERIES) {
        size_t rows = smaller(t - i, QUERIES), seen = i + 1, end = i + rows;
        const float *qi = q + i * ldq, *doi = do_ + i * ldo;
        products_with_panels(p, ldp, qi, ldq, keys, rows, end, d);
        products_with_panels(ds, ldp, doi, ldo, values, rows, end, d);
        for (size_t r = 0; r < rows; r++) {
            float D = lanes_dot(doi + r * ldo, o + (i + r) * ldo, d);
            float *pr = p + r * ldp;
            probabilities(pr, seen + r, scale, lse + 2 * (i + r));
            score_gradients(ds + r * ldp, pr, D, seen + r, scale);
        }
        weighted_sums(dq + i * ldq, ldq, ds, ldp, k, ldkv, rows, seen, d);
        add_transposed(dk, ldkv, ds, ldp, qi, ldq, rows, seen, d);
        add_transposed(dv, ldkv, p, ldp, doi, ldo, rows, seen, d);
    }
}
