/* Measuring speed: what the groups of `t2g bench` share. */
#ifndef BENCH_H
#define BENCH_H

#include "cli.h"
#include "peaks.h"

/* What limits an entry, and so which peak it is a share of. */
typedef enum bench_bound { BOUND_NONE, BOUND_FLOPS,
                           BOUND_BANDWIDTH } bench_bound;

typedef struct bench {
    const invocation *inv;
    peaks peak;
    size_t cache; /* last level, bytes: what exceeds it comes from memory */
    bool header;  /* the group's heading was printed */
    const char *tokenizer; /* whose speed on these texts is measured; NULL: */
    string_list texts;     /* our own */
} bench;

/* One thing to measure. A call of run does `amount` units (tokens, elements)
 * at `cost` floating-point operations or bytes, whichever `bound` says. */
typedef struct bench_entry {
    const char *group, *name, *shape, *isa;
    int threads;
    double amount, scale; /* printed: amount a second times scale */
    const char *unit;
    bench_bound bound;
    double cost;
    t2g_status (*run)(void *context);
    void *context;
} bench_entry;

/* Runs it often enough, prints its line. */
T2G_CHECK t2g_status bench_measure(bench *b, const bench_entry *e);

/* Sizes of the models whose kernels are measured. */
typedef struct bench_shape {
    const char *name;
    size_t hidden, intermediate, layers, heads, kv_heads, head_dim, vocab;
} bench_shape;
enum { BENCH_SHAPES = 4, BENCH_SMALL = 2 }; /* the small ones are trained */
extern const bench_shape bench_shapes[BENCH_SHAPES];

T2G_CHECK t2g_status bench_kernels(bench *b, const t2g_kernels *k);
T2G_CHECK t2g_status bench_gemm(bench *b, const t2g_kernels *k);
T2G_CHECK t2g_status bench_decode(bench *b, const t2g_kernels *k);
T2G_CHECK t2g_status bench_train(bench *b, const t2g_kernels *k);
T2G_CHECK t2g_status bench_tokenizer(bench *b, const t2g_kernels *k);
T2G_CHECK t2g_status bench_align(bench *b, const t2g_kernels *k);

#endif
