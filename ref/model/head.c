/* The vocabulary head: log-probabilities, entropy, KL and their gradients from
 * hidden states, for a few decisions at a time, so that the logits of a batch
 * never exist. */
#include <string.h>

#include "model_private.h"

/* Decisions whose logits are held at once by one thread. */
enum { BLOCK = 48 };
/* Floats of logits held for the weight gradient of one group of decisions. */
enum { GROUP_FLOATS = 1 << 22, GROUP_MAX = 16 * BLOCK };

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static void gather(float *out, const float *hidden, const t2g_decision *d,
                   size_t n, size_t H)
{
    for (size_t i = 0; i < n; i++)
        memcpy(out + i * H, hidden + d[i].position * H, H * sizeof *out);
}

/* logits [n, V] of decisions d; x [n, H] is room for their hidden states. */
static void project(const t2g_model *m, float *logits, float *x,
                    const float *hidden, const t2g_decision *d, size_t n)
{
    size_t H = m->config.hidden_size, V = m->config.vocab_size;
    gather(x, hidden, d, n, H);
    m->kernels.matmul(logits, V, x, H, m->head->forward, NULL, 0, n, V, H);
}

uint32_t t2g_arg_max(const float *z, size_t n)
{
    uint32_t best = 0;
    for (size_t j = 1; j < n; j++)
        if (z[j] > z[best])
            best = (uint32_t)j;
    return best;
}

/* Where results go; any but logprob may be NULL for t2g_head_logprobs. */
typedef struct outputs {
    float *logprob, *entropy, *kl, *ref_logprob;
    uint32_t *best;
} outputs;

static void score(const t2g_model *m, const t2g_model *ref, const float *z,
                  const float *zr, uint32_t target, size_t i,
                  const outputs *out)
{
    const t2g_kernels *k = &m->kernels;
    size_t V = m->config.vocab_size;
    float lse = k->logsumexp(z, V, out->entropy ? &out->entropy[i] : NULL);
    out->logprob[i] = z[target] - lse;
    if (out->best)
        out->best[i] = t2g_arg_max(z, V);
    if (!ref)
        return;
    float lser = k->logsumexp(zr, V, NULL);
    if (out->ref_logprob)
        out->ref_logprob[i] = zr[target] - lser;
    if (out->kl)
        out->kl[i] = k->softmax_kl(z, lse, zr, lser, V);
}

static t2g_status check_targets(const t2g_model *m, const t2g_decision *d,
                                size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (d[i].target >= m->config.vocab_size)
            return t2g_fail(T2G_ERR_ARG, "target id %u of decision %zu, the "
                            "model knows 0 to %zu", d[i].target, i,
                            m->config.vocab_size - 1);
    return T2G_OK;
}

t2g_status t2g_head_logprobs(const t2g_model *m, const float *hidden,
                             const t2g_model *ref, const float *ref_hidden,
                             const t2g_decision *d, size_t n, float *logprob,
                             float *entropy, uint32_t *best, float *kl,
                             float *ref_logprob)
{
    size_t H = m->config.hidden_size, V = m->config.vocab_size;
    size_t blocks = (n + BLOCK - 1) / BLOCK;
    size_t room = BLOCK * (H + V) * (ref ? 2 : 1);
    const outputs out = {logprob, entropy, kl, ref_logprob, best};
    T2G_TRY(check_targets(m, d, n));
    if (ref && ref->config.vocab_size != V)
        return t2g_fail(T2G_ERR_ARG, "the reference has %zu tokens, the model "
                        "%zu", ref->config.vocab_size, V);
    if (ref && ref->config.hidden_size != H)
        room += BLOCK * ref->config.hidden_size;
    float *all = t2g_calloc((size_t)t2g_threads() * room, sizeof *all);
    if (!all)
        return T2G_ERR_MEMORY;
#pragma omp parallel for schedule(dynamic) if (blocks > 1)
    for (size_t b = 0; b < blocks; b++) {
        float *z = all + (size_t)t2g_thread_number() * room;
        float *zr = z + BLOCK * V, *x = z + BLOCK * V * (ref ? 2 : 1);
        size_t i = b * BLOCK, rows = smaller(n - i, BLOCK);
        project(m, z, x, hidden, d + i, rows);
        if (ref)
            project(ref, zr, x, ref_hidden, d + i, rows);
        for (size_t r = 0; r < rows; r++)
            score(m, ref, z + r * V, zr + r * V, d[i + r].target, i + r, &out);
    }
    t2g_free(all);
    return T2G_OK;
}

t2g_status t2g_head_logits(const t2g_model *m, const float *hidden,
                           const size_t *position, size_t n, float *logits)
{
    size_t H = m->config.hidden_size;
    float *x = t2g_calloc(n * H, sizeof *x);
    if (!x)
        return T2G_ERR_MEMORY;
    for (size_t i = 0; i < n; i++)
        memcpy(x + i * H, hidden + position[i] * H, H * sizeof *x);
    t2g_linear(&m->kernels, logits, x, m->head, NULL, 0, n);
    t2g_free(x);
    return T2G_OK;
}

/* A group of decisions: logits become their gradients, then flow into the
 * hidden states and, as a chain over the decisions, into the head. */
static void group_backward(t2g_model *m, float *dz, float *x, float *dx,
                           const float *hidden, const t2g_decision *d,
                           size_t n, const float *g, const float *h,
                           float *d_hidden, const outputs *out)
{
    const t2g_kernels *k = &m->kernels;
    size_t H = m->config.hidden_size, V = m->config.vocab_size;
    size_t blocks = (n + BLOCK - 1) / BLOCK;
#pragma omp parallel for schedule(dynamic) if (blocks > 1)
    for (size_t b = 0; b < blocks; b++) {
        size_t i = b * BLOCK, rows = smaller(n - i, BLOCK);
        project(m, dz + i * V, x + i * H, hidden, d + i, rows);
        for (size_t r = i; r < i + rows; r++) {
            float *z = dz + r * V, entropy = 0;
            float lse = k->logsumexp(z, V, h || out ? &entropy : NULL);
            if (out) {
                out->logprob[r] = z[d[r].target] - lse;
                out->entropy[r] = entropy;
                out->best[r] = t2g_arg_max(z, V);
            }
            k->softmax_bwd(z, z, lse, entropy, d[r].target, g[r],
                           h ? h[r] : 0, V);
        }
        gather(dx + i * H, d_hidden, d + i, rows, H);
        k->matmul(dx + i * H, H, dz + i * V, V, m->head->backward, NULL, 1,
                  rows, H, V);
        for (size_t r = i; r < i + rows; r++)
            memcpy(d_hidden + d[r].position * H, dx + r * H, H * sizeof *dx);
    }
    t2g_linear_weight_grad(k, m->head, dz, x, n);
}

/* Groups of decisions in order; out NULL or [n] arrays to fill. */
static t2g_status all_backward(t2g_model *m, const float *hidden,
                               const t2g_decision *d, size_t n, const float *g,
                               const float *h, float *d_hidden,
                               const outputs *out)
{
    size_t H = m->config.hidden_size, V = m->config.vocab_size;
    size_t group = smaller(GROUP_MAX, GROUP_FLOATS / V);
    if (group < BLOCK)
        group = BLOCK;
    if (group > n)
        group = n;
    T2G_TRY(check_targets(m, d, n));
    for (size_t i = 1; i < n; i++)
        if (d[i].position <= d[i - 1].position)
            return t2g_fail(T2G_ERR_ARG, "decision %zu is not behind the one "
                            "before", i);
    float *dz = t2g_calloc(group * (V + 2 * H), sizeof *dz);
    if (!dz)
        return T2G_ERR_MEMORY;
    for (size_t i = 0; i < n; i += group) {
        outputs part = {0};
        if (out)
            part = (outputs){.logprob = out->logprob + i,
                             .entropy = out->entropy + i,
                             .best = out->best + i};
        group_backward(m, dz, dz + group * V, dz + group * (V + H), hidden,
                       d + i, smaller(n - i, group), g + i, h ? h + i : NULL,
                       d_hidden, out ? &part : NULL);
    }
    t2g_free(dz);
    return T2G_OK;
}

t2g_status t2g_head_backward(t2g_model *m, const float *hidden,
                             const t2g_decision *d, size_t n, const float *g,
                             const float *h, float *d_hidden)
{
    return all_backward(m, hidden, d, n, g, h, d_hidden, NULL);
}

t2g_status t2g_head_cross_entropy(t2g_model *m, const float *hidden,
                                  const t2g_decision *d, size_t n,
                                  const float *g, float *d_hidden,
                                  float *logprob, float *entropy,
                                  uint32_t *best)
{
    const outputs out = {.logprob = logprob, .entropy = entropy, .best = best};
    return all_backward(m, hidden, d, n, g, NULL, d_hidden, &out);
}
