/* Causal attention of one head, softmax(scale * Q K') V. [ATT17] Vaswani et
 * al., 2017. K' and V' come by panels of positions, so that the inner loops run
 * over positions. */
#include "kernels_ref.h"

/* dot[j] = x . column j of the panels, for j < n rounded up to whole panels. */
INLINE void dot_columns(float *dot, const float *x, const float *panels,
                        size_t n, size_t d)
{
    for (size_t left = 0; left < n; left += T2G_PANEL) {
        float sum[T2G_PANEL] = {0};
        for (size_t i = 0; i < d; i++, panels += T2G_PANEL)
            for (size_t j = 0; j < T2G_PANEL; j++)
                sum[j] = fmaf(x[i], panels[j], sum[j]);
        for (size_t j = 0; j < T2G_PANEL; j++)
            dot[left + j] = sum[j];
    }
}

INLINE void multiply(float *x, float factor, size_t n)
{
    for (size_t j = 0; j < n; j++)
        x[j] *= factor;
}

/* y = fmaf(a, x, y) */
INLINE void add_scaled(float *restrict y, float a, const float *restrict x,
                       size_t d)
{
    for (size_t i = 0; i < d; i++)
        y[i] = fmaf(a, x[i], y[i]);
}

/* y = sum over j of a[j] row[j] */
INLINE void weighted_sum(float *y, const float *a, const float *rows,
                         size_t ld, size_t n, size_t d)
{
    for (size_t i = 0; i < d; i++)
        y[i] = 0.0f;
    for (size_t j = 0; j < n; j++)
        add_scaled(y, a[j], rows + j * ld, d);
}

INLINE float sum_of(const float *e, size_t n)
{
    float lane[LANES] = {0};
    for (size_t j = 0; j < n; j += LANES)
        lanes_add(lane, e + j, group_size(n - j));
    return lanes_fold(lane);
}

INLINE void attention_scores(float *score, const float *q, const float *keys,
                             size_t n, size_t d, float scale)
{
    dot_columns(score, q, keys, n, d);
    multiply(score, scale, n);
}

/* Scores become probabilities; statistics = (m, 1/l). */
INLINE void softmax(float *p, size_t n, float statistics[2])
{
    float m = maximum(p, n);
    t2g_exp_ref(p, p, m, n);
    float inverse = 1.0f / sum_of(p, n);
    multiply(p, inverse, n);
    statistics[0] = m;
    statistics[1] = inverse;
}

FUSED void t2g_attention_ref(float *o, size_t ldo, float *lse, const float *q,
                             size_t ldq, size_t nq, size_t first,
                             const float *keys, const float *v, size_t ldv,
                             size_t d, float scale, float *scratch)
{
    float *p = scratch, unused[2];
    for (size_t i = 0; i < nq; i++) {
        size_t seen = first + i + 1;
        attention_scores(p, q + i * ldq, keys, seen, d, scale);
        softmax(p, seen, lse ? lse + 2 * i : unused);
        weighted_sum(o + i * ldo, p, v, ldv, seen, d);
    }
}

/* As the forward pass had them: p = exp(score - m) * (1/l). */
INLINE void probabilities(float *p, const float *q, const float *keys,
                          const float statistics[2], size_t n, size_t d,
                          float scale)
{
    attention_scores(p, q, keys, n, d, scale);
    t2g_exp_ref(p, p, statistics[0], n);
    multiply(p, statistics[1], n);
}

/* ds = (p * (dp - D)) * scale with dp = do . v[j], D = do . o: the gradient of
 * softmax at the products q . k[j]. */
INLINE void score_gradients(float *ds, const float *p, const float *do_,
                            const float *o, const float *values, size_t n,
                            size_t d, float scale)
{
    float D = lanes_dot(do_, o, d);
    dot_columns(ds, do_, values, n, d);
    for (size_t j = 0; j < n; j++)
        ds[j] = (p[j] * (ds[j] - D)) * scale;
}

FUSED void t2g_attention_bwd_ref(float *dq, float *dk, float *dv,
                                 const float *do_, const float *o,
                                 const float *lse, const float *q,
                                 const float *k, const float *keys,
                                 const float *values, size_t ldq, size_t ldo,
                                 size_t ldkv, size_t t, size_t d, float scale,
                                 float *scratch)
{
    float *p = scratch, *ds = scratch + t + T2G_PANEL;
    for (size_t i = 0; i < t; i++) {
        size_t seen = i + 1;
        const float *qi = q + i * ldq, *doi = do_ + i * ldo;
        probabilities(p, qi, keys, lse + 2 * i, seen, d, scale);
        score_gradients(ds, p, doi, o + i * ldo, values, seen, d, scale);
        weighted_sum(dq + i * ldq, ds, k, ldkv, seen, d);
        for (size_t j = 0; j < seen; j++) {
            add_scaled(dk + j * ldkv, ds[j], qi, d);
            add_scaled(dv + j * ldkv, p[j], doi, d);
        }
    }
}
