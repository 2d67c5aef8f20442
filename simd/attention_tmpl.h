/* Causal attention of one head, softmax(scale * Q K') V, by blocks of queries.
 * [ATT17] Vaswani et al., 2017. A block shares its keys and values: those that
 * all of its queries see go through tiles; the block's own positions, where
 * query i+r sees the first r+1, through triangles. */
#include <string.h>

#include "product.h"

/* Queries of a block. Backward, SPAN queries go through POSITIONS positions
 * before the next: their keys, values and gradients stay in the second-level
 * cache. QUERIES divides SPAN, and SPAN divides POSITIONS. */
enum { QUERIES = 8, SPAN = 64, POSITIONS = 128 };

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

/* y[r] = fmaf(a[r][s], x[s], y[r]) for s < r: terms of a block's own positions,
 * which only its later queries have. Rows of d; rows <= QUERIES. */
INLINE void lower_triangle(float *y, size_t ldy, const float *a, size_t lda,
                           const float *x, size_t ldx, size_t rows, size_t d)
{
    for (size_t j = 0; j < d; j += VEC)
        UNROLL
        for (size_t r = 1; r < QUERIES; r++) {
            if (r >= rows)
                continue;
            float *yr = y + r * ldy + j;
            vec sum = vec_load_n(yr, d - j);
            UNROLL
            for (size_t s = 0; s < QUERIES - 1; s++)
                if (s < r)
                    sum = vec_fma(vec_set1(a[r * lda + s]),
                                  vec_load_n(x + s * ldx + j, d - j), sum);
            vec_store_n(yr, sum, d - j);
        }
}

/* The same terms the other way: y[s] = fmaf(a[r][s], x[r], y[s]) for r > s. */
INLINE void upper_triangle(float *y, size_t ldy, const float *a, size_t lda,
                           const float *x, size_t ldx, size_t rows, size_t d)
{
    for (size_t j = 0; j < d; j += VEC)
        UNROLL
        for (size_t s = 0; s < QUERIES - 1; s++) {
            if (s + 1 >= rows)
                continue;
            float *ys = y + s * ldy + j;
            vec sum = vec_load_n(ys, d - j);
            UNROLL
            for (size_t r = 1; r < QUERIES; r++)
                if (r > s && r < rows)
                    sum = vec_fma(vec_set1(a[r * lda + s]),
                                  vec_load_n(x + r * ldx + j, d - j), sum);
            vec_store_n(ys, sum, d - j);
        }
}

/* y[r] += (=) sum of a[r][j] x[j] over the first `seen` positions, and with
 * `own` the r after them. */
INLINE void weighted_sums(float *y, size_t ldy, const float *a, size_t lda,
                          const float *x, size_t ldx, size_t rows, size_t seen,
                          bool own, bool accumulate, size_t d)
{
    KERNEL(product)(&(t2g_product){
        .c = y, .ldc = ldy, .a = a, .a_row = lda, .a_step = 1, .b = x,
        .ldb = ldx, .accumulate = accumulate, .rows = rows, .columns = d,
        .steps = seen});
    if (own)
        lower_triangle(y, ldy, a + seen, lda, x + seen * ldx, ldx, rows, d);
}

/* y[j] += sum of a[r][j] x[r] over the queries r that see position j: all of
 * them the first `seen`, and with `own` r > s the position s after them. */
INLINE void add_transposed(float *y, size_t ldy, const float *a, size_t lda,
                           const float *x, size_t ldx, size_t rows, size_t seen,
                           bool own, size_t d)
{
    KERNEL(product)(&(t2g_product){
        .c = y, .ldc = ldy, .a = a, .a_row = 1, .a_step = lda, .b = x,
        .ldb = ldx, .accumulate = true, .rows = seen, .columns = d,
        .steps = rows});
    if (own)
        upper_triangle(y + seen * ldy, ldy, a + seen, lda, x, ldx, rows, d);
}

/* Rows of scratch are worked on to the end of the last group of lanes. */
INLINE size_t whole_groups(size_t n)
{
    return ceil_div(n, LANES) * LANES;
}

INLINE void multiply(float *x, float factor, size_t n)
{
    for (size_t j = 0; j < whole_groups(n); j += VEC)
        vec_store(x + j, vec_load(x + j) * vec_set1(factor));
}

/* x = scale * x; returns the maximum. After the last element x becomes -inf:
 * its exponential is the +0 that the last group of a lane sum takes. */
INLINE float scale_scores(float *x, float scale, size_t n)
{
    vec least = vec_set1(-INFINITY), m = least;
    for (size_t j = 0; j < whole_groups(n); j += VEC) {
        vec score = vec_load(x + j) * vec_set1(scale);
        score = vec_keep_n(score, excess(n, j), least);
        vec_store(x + j, score);
        m = vec_max(score, m);
    }
    return first_of_zeros(vec_maximum(m), x, n);
}

INLINE float lane_sum(const float *x, size_t n)
{
    lanes s = lanes_zero();
    lanes_add(&s, x, n);
    return lanes_fold(s);
}

/* Products q . k of a block become probabilities; row r has seen + r of them.
 * statistics[r] = (m, 1/l). One step for all rows after the other, so that the
 * long reductions of rows overlap. */
INLINE void softmax(float *p, size_t ldp, size_t rows, size_t seen, float scale,
                    float (*statistics)[2])
{
    for (size_t r = 0; r < rows; r++)
        statistics[r][0] = scale_scores(p + r * ldp, scale, seen + r);
    for (size_t r = 0; r < rows; r++)
        exp_shifted(p + r * ldp, p + r * ldp, statistics[r][0],
                    whole_groups(seen + r));
    for (size_t r = 0; r < rows; r++)
        statistics[r][1] =
            1.0f / lane_sum(p + r * ldp, whole_groups(seen + r));
    for (size_t r = 0; r < rows; r++)
        multiply(p + r * ldp, statistics[r][1], seen + r);
}

void KERNEL(attention)(float *o, size_t ldo, float *lse, const float *q,
                       size_t ldq, size_t nq, size_t first, const float *keys,
                       const float *v, size_t ldv, size_t d, float scale,
                       float *scratch)
{
    float statistics[QUERIES][2], *p = scratch;
    size_t ldp = scratch_row(first + nq);
    for (size_t i = 0; i < nq; i += QUERIES) {
        size_t rows = smaller(nq - i, QUERIES), seen = first + i + 1;
        products_with_panels(p, ldp, q + i * ldq, ldq, keys, rows,
                             seen + rows - 1, d);
        softmax(p, ldp, rows, seen, scale, statistics);
        weighted_sums(o + i * ldo, ldo, p, ldp, v, ldv, rows, seen, true,
                      false, d);
        if (lse)
            memcpy(lse + 2 * i, statistics, rows * sizeof *statistics);
    }
}

/* p = exp(scale*p - m) * (1/l) as the forward pass had it. */
INLINE void probabilities(float *p, size_t n, float scale,
                          const float statistics[2])
{
    vec m = vec_set1(statistics[0]), inverse = vec_set1(statistics[1]);
    for (size_t j = 0; j < whole_groups(n); j += VEC) {
        vec score = vec_load(p + j) * vec_set1(scale);
        vec_store(p + j, vec_exp(score - m) * inverse);
    }
}

/* dp becomes ds = (p * (dp - D)) * scale. */
INLINE void score_gradients(float *dp, const float *p, float D, size_t n,
                            float scale)
{
    for (size_t j = 0; j < whole_groups(n); j += VEC) {
        vec d = vec_load(dp + j) - vec_set1(D);
        vec_store(dp + j, (vec_load(p + j) * d) * vec_set1(scale));
    }
}

/* The arguments of t2g_attention_bwd_fn; p and ds are rows of scratch. */
typedef struct backward {
    float *dq, *dk, *dv;
    const float *do_, *o, *lse, *q, *k, *keys, *values;
    size_t ldq, ldo, ldkv, d, ldp;
    float scale, *p, *ds;
} backward;

/* The part of `rows` queries from i on in the positions from j on. */
static void backward_block(const backward *x, size_t i, size_t rows, size_t j)
{
    bool own = i - j < POSITIONS; /* are their own positions among them? */
    size_t seen = own ? i - j + 1 : POSITIONS, more = own ? 1 : 0;
    size_t all = seen + more * (rows - 1), d = x->d, ldp = x->ldp;
    const float *q = x->q + i * x->ldq, *do_ = x->do_ + i * x->ldo;
    products_with_panels(x->p, ldp, q, x->ldq, x->keys + j * d, rows, all, d);
    products_with_panels(x->ds, ldp, do_, x->ldo, x->values + j * d, rows, all,
                         d);
    for (size_t r = 0; r < rows; r++) {
        float *p = x->p + r * ldp;
        float D = lanes_dot(do_ + r * x->ldo, x->o + (i + r) * x->ldo, d);
        probabilities(p, seen + r * more, x->scale, x->lse + 2 * (i + r));
        score_gradients(x->ds + r * ldp, p, D, seen + r * more, x->scale);
    }
    weighted_sums(x->dq + i * x->ldq, x->ldq, x->ds, ldp, x->k + j * x->ldkv,
                  x->ldkv, rows, seen, own, j > 0, d);
    add_transposed(x->dk + j * x->ldkv, x->ldkv, x->ds, ldp, q, x->ldq, rows,
                   seen, own, d);
    add_transposed(x->dv + j * x->ldkv, x->ldkv, x->p, ldp, do_, x->ldo, rows,
                   seen, own, d);
}

/* Every element's chain is in order: positions rise for each query, and queries
 * for each position. */
void KERNEL(attention_bwd)(float *dq, float *dk, float *dv, const float *do_,
                           const float *o, const float *lse, const float *q,
                           const float *k, const float *keys,
                           const float *values, size_t ldq, size_t ldo,
                           size_t ldkv, size_t t, size_t d, float scale,
                           float *scratch)
{
    size_t ldp = smaller(scratch_row(t), POSITIONS + LANES);
    const backward x = {dq, dk, dv, do_, o, lse, q, k, keys, values, ldq, ldo,
                        ldkv, d, ldp, scale, scratch, scratch + QUERIES * ldp};
    for (size_t begin = 0; begin < t; begin += SPAN) {
        size_t end = smaller(begin + SPAN, t);
        for (size_t j = 0; j < end; j += POSITIONS)
            for (size_t i = begin; i < end; i += QUERIES)
                backward_block(&x, i, smaller(end - i, QUERIES), j);
    }
}
