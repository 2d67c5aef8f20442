/* One optimiser for all trainable parameters of a model: global norm, clipping,
 * the update rule. Sources: [AdamW] arXiv 1711.05101, [Adafactor] arXiv
 * 1804.04235 in Hugging Face's form. */
#include <math.h>
#include <string.h>

#include "t2g/threads.h"
#include "t2g/train.h"

/* Elements a work item: sums of squares are lane sums over this many, added up
 * in double in order, so that threads change nothing. */
enum { CHUNK = 4096 };

typedef struct moments {
    float *m, *v; /* Adam: first and second; Adafactor: rows (m), columns (v) */
    size_t m_floats, v_floats;
} moments;

typedef struct chunk {
    size_t param, begin, count;
} chunk;

struct t2g_optimizer {
    t2g_optim_config config;
    uint64_t step;
    moments *state;
    size_t params;
    chunk *chunk;
    double *squares; /* [chunks] */
    size_t chunks;
};

static size_t floats_of(const t2g_param *p)
{
    return p->rows * p->cols;
}

static t2g_status new_moments(moments *s, const t2g_param *p, t2g_optim kind)
{
    bool factored = kind == T2G_ADAFACTOR;
    s->m_floats = factored ? p->rows : floats_of(p);
    s->v_floats = factored ? p->cols : floats_of(p);
    s->m = t2g_calloc(s->m_floats, sizeof(float));
    s->v = t2g_calloc(s->v_floats, sizeof(float));
    return s->m && s->v ? T2G_OK : T2G_ERR_MEMORY;
}

t2g_status t2g_optimizer_new(t2g_optimizer **out,
                             const t2g_optim_config *config, const t2g_model *m)
{
    t2g_optimizer *o = t2g_calloc(1, sizeof *o);
    *out = o;
    if (!o)
        return T2G_ERR_MEMORY;
    o->config = *config;
    o->params = m->params;
    o->state = t2g_calloc(m->params, sizeof *o->state);
    for (size_t i = 0; i < m->params; i++)
        o->chunks += (floats_of(&m->param[i]) + CHUNK - 1) / CHUNK;
    o->chunk = t2g_calloc(o->chunks, sizeof *o->chunk);
    o->squares = t2g_calloc(o->chunks, sizeof *o->squares);
    t2g_status s = o->state && o->chunk && o->squares ? T2G_OK
                                                      : T2G_ERR_MEMORY;
    size_t c = 0;
    for (size_t i = 0; s == T2G_OK && i < m->params; i++) {
        size_t n = floats_of(&m->param[i]);
        for (size_t b = 0; b < n; b += CHUNK)
            o->chunk[c++] = (chunk){i, b, n - b < CHUNK ? n - b : CHUNK};
        s = new_moments(&o->state[i], &m->param[i], config->kind);
    }
    if (s != T2G_OK) {
        t2g_optimizer_free(o);
        *out = NULL;
    }
    return s;
}

void t2g_optimizer_free(t2g_optimizer *o)
{
    if (!o)
        return;
    for (size_t i = 0; o->state && i < o->params; i++) {
        t2g_free(o->state[i].m);
        t2g_free(o->state[i].v);
    }
    t2g_free(o->state);
    t2g_free(o->chunk);
    t2g_free(o->squares);
    t2g_free(o);
}

/* Global L2 norm of the gradients; names the first tensor that is not
 * finite. */
static t2g_status gradient_norm(t2g_optimizer *o, const t2g_model *m,
                                double *norm)
{
#pragma omp parallel for schedule(static)
    for (size_t c = 0; c < o->chunks; c++)
        o->squares[c] = m->kernels.sum_squares(
            m->param[o->chunk[c].param].grad + o->chunk[c].begin,
            o->chunk[c].count);
    double sum = 0;
    for (size_t c = 0; c < o->chunks; c++) {
        if (!isfinite(o->squares[c]))
            return t2g_fail(T2G_ERR_NUMERIC, "the gradient of '%s' is not "
                            "finite at update %llu",
                            m->param[o->chunk[c].param].name,
                            (unsigned long long)o->step);
        sum += o->squares[c];
    }
    *norm = sqrt(sum);
    return T2G_OK;
}

static void adam(t2g_optimizer *o, t2g_model *m, double lr, double scale)
{
    t2g_adamw s = t2g_adamw_constants(&o->config, o->step, lr, scale);
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < o->chunks; i++) {
        const chunk *k = &o->chunk[i];
        t2g_param *p = &m->param[k->param];
        m->kernels.adamw(p->weight + k->begin, o->state[k->param].m + k->begin,
                         o->state[k->param].v + k->begin, p->grad + k->begin,
                         k->count, &s);
    }
}

static t2g_status adafactor(t2g_optimizer *o, t2g_model *m, double lr,
                            double scale)
{
    for (size_t i = 0; i < m->params; i++) {
        t2g_param *p = &m->param[i];
        if (scale != 1)
            for (size_t j = 0; j < floats_of(p); j++)
                p->grad[j] *= (float)scale;
        T2G_TRY(t2g_adafactor(p->weight, p->grad, o->state[i].m, o->state[i].v,
                              p->rows, p->cols, o->step, lr,
                              o->config.weight_decay));
    }
    return T2G_OK;
}

t2g_status t2g_optimizer_step(t2g_optimizer *o, t2g_model *m, double lr,
                              double *norm)
{
    double length = 0;
    t2g_model_finish_grad(m);
    T2G_TRY(gradient_norm(o, m, &length));
    if (norm)
        *norm = length;
    double scale = t2g_clip_factor(length, o->config.max_grad_norm);
    o->step++;
    if (o->config.kind == T2G_ADAFACTOR)
        T2G_TRY(adafactor(o, m, lr, scale));
    else
        adam(o, m, lr, scale);
    t2g_model_zero_grad(m);
    t2g_model_pack(m);
    return T2G_OK;
}

void t2g_optimizer_digest(const t2g_optimizer *o, t2g_digest *d)
{
    uint64_t step = o->step;
    t2g_digest_bytes(d, &step, sizeof step);
    for (size_t i = 0; i < o->params; i++) {
        const moments *s = &o->state[i];
        t2g_digest_bytes(d, s->m, s->m_floats * sizeof(float));
        t2g_digest_bytes(d, s->v, s->v_floats * sizeof(float));
    }
}
