/* Kernels one by one, on the calling thread. */
#include <string.h>

#include "bench.h"

enum { TOKENS = 64, CONTEXT = 128, BUFFERS = 8 };

/* One kernel call: the arrays it may use and the sizes it takes. */
typedef struct kernel_call {
    const t2g_kernels *k;
    float *x[BUFFERS];
    size_t n, m, t, d; /* as each call says */
} kernel_call;

/* --- calls --------------------------------------------------------------- */

static volatile float sink;

static t2g_status rmsnorm(void *context)
{
    const kernel_call *c = context;
    sink = c->k->rmsnorm(c->x[0], c->x[1], c->x[2], c->n, 1e-5f);
    return T2G_OK;
}

static t2g_status rmsnorm_bwd(void *context)
{
    const kernel_call *c = context;
    c->k->rmsnorm_bwd(c->x[0], c->x[1], c->x[2], c->x[3], 0.5f, c->n);
    return T2G_OK;
}

static t2g_status rmsnorm_gain_bwd(void *context)
{
    const kernel_call *c = context;
    c->k->rmsnorm_gain_bwd(c->x[0], c->x[1], c->x[2], c->n, c->x[3], c->n,
                           c->t);
    return T2G_OK;
}

static t2g_status rope(void *context)
{
    const kernel_call *c = context;
    c->k->rope(c->x[0], c->n / c->d, c->d, c->x[1], c->x[2], 1);
    return T2G_OK;
}

static t2g_status swiglu(void *context)
{
    const kernel_call *c = context;
    c->k->swiglu(c->x[0], c->x[1], c->x[2], c->n);
    return T2G_OK;
}

static t2g_status swiglu_bwd(void *context)
{
    const kernel_call *c = context;
    c->k->swiglu_bwd(c->x[0], c->x[1], c->x[2], c->x[3], c->x[4], c->n);
    return T2G_OK;
}

static t2g_status column_sum(void *context)
{
    const kernel_call *c = context;
    c->k->column_sum(c->x[0], c->x[1], c->n, c->n, c->t);
    return T2G_OK;
}

static t2g_status logsumexp(void *context)
{
    const kernel_call *c = context;
    float entropy;
    sink = c->k->logsumexp(c->x[1], c->n, &entropy);
    return T2G_OK;
}

static t2g_status softmax_kl(void *context)
{
    const kernel_call *c = context;
    sink = c->k->softmax_kl(c->x[1], 8, c->x[2], 8, c->n);
    return T2G_OK;
}

static t2g_status softmax_bwd(void *context)
{
    const kernel_call *c = context;
    c->k->softmax_bwd(c->x[0], c->x[1], 8, 2, 0, 1, 0.01f, c->n);
    return T2G_OK;
}

static t2g_status exponential(void *context)
{
    const kernel_call *c = context;
    c->k->exp(c->x[0], c->x[1], 1, c->n);
    return T2G_OK;
}

static t2g_status sum_squares(void *context)
{
    const kernel_call *c = context;
    sink = c->k->sum_squares(c->x[1], c->n);
    return T2G_OK;
}

static t2g_status adamw(void *context)
{
    const kernel_call *c = context;
    const t2g_adamw s = {1e-6f, 0.9f, 0.999f, 1e-8f, 1, 0.5f, 0.5f, 1};
    c->k->adamw(c->x[0], c->x[1], c->x[2], c->x[3], c->n, &s);
    return T2G_OK;
}

static t2g_status attention(void *context)
{
    const kernel_call *c = context;
    c->k->attention(c->x[0], c->d, c->x[1], c->x[2], c->d, c->t, 0, c->x[3],
                    c->x[4], c->d, c->d, 0.2f, c->x[5]);
    return T2G_OK;
}

static t2g_status attention_bwd(void *context)
{
    const kernel_call *c = context;
    float *dk = c->x[6], *dv = dk + c->t * c->d, *dq = dv + c->t * c->d;
    c->k->attention_bwd(dq, dk, dv, c->x[2], c->x[0], c->x[1], c->x[2],
                        c->x[4], c->x[3], c->x[7], c->d, c->d, c->d, c->t,
                        c->d, 0.2f, c->x[5]);
    return T2G_OK;
}

static t2g_status pack(void *context)
{
    const kernel_call *c = context;
    c->k->pack(c->x[0], c->x[1], c->n, 0, c->m, c->n);
    return T2G_OK;
}

static t2g_status matmul(void *context)
{
    const kernel_call *c = context;
    c->k->matmul(c->x[0], c->n, c->x[1], c->d, c->x[2], NULL, 0, c->m, c->n,
                 c->d);
    return T2G_OK;
}

static t2g_status matmul_tn(void *context)
{
    const kernel_call *c = context;
    c->k->matmul_tn(c->x[0], c->n, c->x[1], c->m, c->x[2], c->n, c->m, c->n,
                    c->t);
    return T2G_OK;
}

/* --- arrays -------------------------------------------------------------- */

/* Values in (0, 1]: second moments are among them, and must not be negative. */
static void fill(float *x, size_t n)
{
    uint32_t state = 1;
    for (size_t i = 0; i < n; i++) {
        state = state * 1664525 + 1013904223;
        x[i] = (float)((state >> 8) + 1) * 0x1p-24f;
    }
}

static void free_buffers(kernel_call *c)
{
    for (size_t i = 0; i < BUFFERS; i++)
        t2g_free(c->x[i]);
}

static t2g_status make_buffers(kernel_call *c, size_t n)
{
    for (size_t i = 0; i < BUFFERS; i++) {
        c->x[i] = t2g_calloc(n, sizeof(float));
        if (!c->x[i]) {
            free_buffers(c);
            return T2G_ERR_MEMORY;
        }
        fill(c->x[i], n);
    }
    return T2G_OK;
}

/* --- groups -------------------------------------------------------------- */

/* Which size of a model a row kernel runs over. */
typedef enum row_size { ROW_HIDDEN, ROW_WIDE, ROW_VOCAB, ROW_HEADS } row_size;

static const struct row_kernel {
    const char *name;
    t2g_status (*run)(void *context);
    row_size size;
    bool tokens; /* over TOKENS rows at once */
} row_kernels[] = {
    {"rmsnorm", rmsnorm, ROW_HIDDEN, false},
    {"rmsnorm_bwd", rmsnorm_bwd, ROW_HIDDEN, false},
    {"rmsnorm_gain_bwd", rmsnorm_gain_bwd, ROW_HIDDEN, true},
    {"rope", rope, ROW_HEADS, false},
    {"swiglu", swiglu, ROW_WIDE, false},
    {"swiglu_bwd", swiglu_bwd, ROW_WIDE, false},
    {"column_sum", column_sum, ROW_HIDDEN, true},
    {"logsumexp", logsumexp, ROW_VOCAB, false},
    {"softmax_kl", softmax_kl, ROW_VOCAB, false},
    {"softmax_bwd", softmax_bwd, ROW_VOCAB, false},
    {"exp", exponential, ROW_VOCAB, false},
};

static size_t row_elements(const bench_shape *s, row_size size)
{
    switch (size) {
    case ROW_HIDDEN: return s->hidden;
    case ROW_WIDE: return s->intermediate;
    case ROW_VOCAB: return s->vocab;
    case ROW_HEADS: return s->heads * s->head_dim;
    }
    return 0;
}

static bench_entry kernel_entry(const char *group, const char *name,
                                const char *shape, kernel_call *c,
                                t2g_status (*run)(void *context))
{
    return (bench_entry){.group = group, .name = name, .shape = shape,
                         .isa = c->k->isa, .threads = 1, .run = run,
                         .context = c};
}

/* Elements a second, from the cache: nothing the peaks speak about. */
static t2g_status measure_elements(bench *b, bench_entry e, double elements)
{
    e.amount = elements;
    e.scale = 1e-9;
    e.unit = "Gelem/s";
    return bench_measure(b, &e);
}

static t2g_status measure_flops(bench *b, bench_entry e, double flops)
{
    e.amount = e.cost = flops;
    e.scale = 1e-9;
    e.unit = "GFLOP/s";
    e.bound = BOUND_FLOPS;
    return bench_measure(b, &e);
}

/* `bytes` that a call reads; from memory if they exceed the cache. */
static t2g_status measure_bytes(bench *b, bench_entry e, double bytes,
                                bool from_memory)
{
    e.amount = e.cost = bytes;
    e.scale = 1e-9;
    e.unit = "GB/s";
    e.bound = from_memory ? BOUND_BANDWIDTH : BOUND_NONE;
    return bench_measure(b, &e);
}

static t2g_status bench_rows(bench *b, kernel_call *c, const bench_shape *s)
{
    char shape[64];
    c->d = s->head_dim;
    for (size_t i = 0; i < sizeof row_kernels / sizeof *row_kernels; i++) {
        c->n = row_elements(s, row_kernels[i].size);
        c->t = row_kernels[i].tokens ? TOKENS : 1;
        snprintf(shape, sizeof shape, "%s %zux%zu", s->name, c->t, c->n);
        T2G_TRY(measure_elements(b, kernel_entry("kernels", row_kernels[i].name,
                                                 shape, c, row_kernels[i].run),
                                 (double)(c->t * c->n)));
    }
    return T2G_OK;
}

/* Causal: query i meets i+1 keys. Forward two products, backward five. */
static t2g_status bench_attention(bench *b, kernel_call *c,
                                  const bench_shape *s)
{
    char shape[64];
    double pairs = 0.5 * CONTEXT * (CONTEXT + 1);
    c->d = s->head_dim;
    c->t = CONTEXT;
    snprintf(shape, sizeof shape, "t%d d%zu", CONTEXT, c->d);
    T2G_TRY(measure_flops(b, kernel_entry("kernels", "attention", shape, c,
                                          attention),
                          4 * pairs * (double)c->d));
    return measure_flops(b, kernel_entry("kernels", "attention_bwd", shape, c,
                                         attention_bwd),
                         10 * pairs * (double)c->d);
}

/* AdamW reads four arrays and writes three; here they exceed the cache. */
static t2g_status bench_memory(bench *b, kernel_call *c)
{
    char shape[32];
    kernel_call large = {.k = c->k, .n = b->cache / 8};
    T2G_TRY(make_buffers(&large, large.n));
    snprintf(shape, sizeof shape, "%zu", large.n);
    t2g_status s = measure_bytes(b, kernel_entry("kernels", "adamw", shape,
                                                 &large, adamw),
                                 7.0 * sizeof(float) * (double)large.n, true);
    free_buffers(&large);
    if (s != T2G_OK)
        return s;
    c->n = 4096;
    T2G_TRY(measure_elements(b, kernel_entry("kernels", "sum_squares", "4096",
                                             c, sum_squares), 4096));
    c->n = c->m = 256;
    return measure_bytes(b, kernel_entry("kernels", "pack", "256x256", c,
                                         pack),
                         2.0 * sizeof(float) * 256 * 256, false);
}

/* --- edit distances ------------------------------------------------------ */

enum { CHARACTERS = 500, SYMBOLS = 32, MOST_WORDS = 4 };

/* Quotes sought in a response with errors. */
typedef struct quotes {
    const t2g_kernels *k;
    size_t words, lanes;
    uint64_t match[SYMBOLS * MOST_WORDS * T2G_EDIT_LANES];
    uint64_t state[2 * MOST_WORDS * T2G_EDIT_LANES];
    uint16_t text[CHARACTERS], distance[CHARACTERS * T2G_EDIT_LANES];
    uint16_t least[T2G_EDIT_LANES], bottom[T2G_EDIT_LANES];
} quotes;

static t2g_status edit_distance(void *context)
{
    quotes *q = context;
    q->k->edit_distance(q->distance, q->least, q->bottom, q->text, CHARACTERS,
                        q->match, q->words, q->state, q->lanes, 0);
    return T2G_OK;
}

/* Elements are cells of the tables. */
static t2g_status bench_edit_distance(bench *b, const t2g_kernels *k)
{
    static const struct {
        size_t lanes, words;
    } sizes[] = {{1, 1}, {4, 1}, {8, 1}, {8, MOST_WORDS}};
    quotes *q = t2g_calloc(1, sizeof *q);
    t2g_status s = q ? T2G_OK : T2G_ERR_MEMORY;
    for (size_t i = 0; s == T2G_OK && i < sizeof sizes / sizeof *sizes; i++) {
        char shape[64];
        size_t rows = 64 * sizes[i].words;
        q->k = k;
        q->lanes = sizes[i].lanes;
        q->words = sizes[i].words;
        snprintf(shape, sizeof shape, "%zu of %zu in %d", q->lanes, rows,
                 CHARACTERS);
        s = measure_elements(b, (bench_entry){
            .group = "kernels", .name = "edit_distance", .shape = shape,
            .isa = k->isa, .threads = 1, .run = edit_distance, .context = q},
            (double)(q->lanes * rows * CHARACTERS));
    }
    t2g_free(q);
    return s;
}

t2g_status bench_kernels(bench *b, const t2g_kernels *k)
{
    kernel_call c = {.k = k};
    T2G_TRY(make_buffers(&c, (size_t)1 << 17));
    t2g_status s = T2G_OK;
    for (size_t i = 0; s == T2G_OK && i < BENCH_SHAPES; i++)
        s = bench_rows(b, &c, &bench_shapes[i]);
    for (size_t i = 1; s == T2G_OK && i < 3; i++) /* head sizes 32, 64 */
        s = bench_attention(b, &c, &bench_shapes[i]);
    if (s == T2G_OK)
        s = bench_memory(b, &c);
    free_buffers(&c);
    return s == T2G_OK ? bench_edit_distance(b, k) : s;
}

/* Forward product, weight gradient, and the vocabulary's product for one token,
 * which reads each weight once. */
static t2g_status bench_products(bench *b, kernel_call *c,
                                 const bench_shape *s)
{
    char shape[64];
    double flops = 2.0 * TOKENS * (double)(s->hidden * s->intermediate);
    c->m = TOKENS;
    c->n = s->intermediate;
    c->d = s->hidden;
    snprintf(shape, sizeof shape, "%dx%zux%zu", TOKENS, c->n, c->d);
    T2G_TRY(measure_flops(b, kernel_entry("gemm", "matmul", shape, c, matmul),
                          flops));
    c->m = s->hidden;
    c->t = TOKENS;
    snprintf(shape, sizeof shape, "%zux%zux%d", c->m, c->n, TOKENS);
    T2G_TRY(measure_flops(b, kernel_entry("gemm", "matmul_tn", shape, c,
                                          matmul_tn), flops));
    double bytes = (double)t2g_panel_floats(s->hidden, s->vocab) *
                   sizeof(float);
    c->m = 1;
    c->n = s->vocab;
    snprintf(shape, sizeof shape, "1x%zux%zu", c->n, c->d);
    return measure_bytes(b, kernel_entry("gemm", "matmul", shape, c, matmul),
                         bytes, bytes > (double)b->cache);
}

static t2g_status product_buffers(kernel_call *c, const bench_shape *s)
{
    size_t weights = s->hidden * s->intermediate;
    size_t tokens = TOKENS * s->intermediate;
    size_t vocab = t2g_panel_floats(s->hidden, s->vocab);
    size_t size[3] = {weights > s->vocab ? weights : s->vocab, tokens,
                      vocab > weights ? vocab : weights};
    for (size_t i = 0; i < 3; i++) {
        c->x[i] = t2g_calloc(size[i], sizeof(float));
        if (!c->x[i])
            return T2G_ERR_MEMORY;
        fill(c->x[i], size[i]);
    }
    return T2G_OK;
}

t2g_status bench_gemm(bench *b, const t2g_kernels *k)
{
    t2g_status s = T2G_OK;
    for (size_t i = 0; s == T2G_OK && i < BENCH_SHAPES; i++) {
        kernel_call c = {.k = k};
        s = product_buffers(&c, &bench_shapes[i]);
        if (s == T2G_OK)
            s = bench_products(b, &c, &bench_shapes[i]);
        free_buffers(&c);
    }
    return s;
}
