/* What the files of the model share. */
#ifndef T2G_MODEL_PRIVATE_H
#define T2G_MODEL_PRIVATE_H

#include "t2g/model.h"
#include "t2g/threads.h"

/* All parameters of a configuration, zero; and those of a value head. */
T2G_CHECK t2g_status t2g_model_new(t2g_model **m, const t2g_config *c,
                                   const t2g_kernels *k);
T2G_CHECK t2g_status t2g_model_new_value_head(t2g_model *m);

/* Rotary tables: cos and sin of position p at [p*half + i]. */
typedef struct t2g_rope_table {
    float *cos, *sin;
    size_t positions, half;
} t2g_rope_table;
T2G_CHECK t2g_status t2g_rope_table_reach(t2g_rope_table *t, const t2g_model *m,
                                          size_t positions);
void t2g_rope_table_free(t2g_rope_table *t);

/* Keys and values of rows being generated. Slot s, layer l, key/value head h:
 * keys in panels of positions, values plain. */
typedef struct t2g_kv_cache {
    float *keys, *values;
    size_t capacity; /* positions a slot, a multiple of T2G_PANEL */
    size_t slots;
} t2g_kv_cache;
T2G_CHECK t2g_status t2g_kv_cache_new(t2g_kv_cache *c, const t2g_model *m,
                                      size_t slots, size_t positions);
void t2g_kv_cache_free(t2g_kv_cache *c);

/* A packed row of a forward pass: tokens begin .. begin+count-1 of the batch at
 * positions first .. first+count-1, keys of earlier ones in `slot`. */
typedef struct t2g_packed_row {
    size_t begin, count, first, slot;
} t2g_packed_row;

/* What one layer leaves behind; [tokens, width] each. */
typedef struct t2g_layer_acts {
    float *x, *h1, *s1;    /* input, its norm and scale */
    float *q, *k, *v;      /* rotated queries and keys, values */
    float *o, *lse;        /* attention out; (max, 1/sum) [heads][tokens] */
    float *mid, *h2, *s2;  /* after attention, its norm and scale */
    float *gate, *up, *act;
} t2g_layer_acts;

struct t2g_activations {
    const t2g_model *model;
    t2g_layer_acts *layer;
    float *final_x, *hidden, *final_s;
    float *block; /* everything above lives here */
    size_t block_floats;
    float *scratch; /* [threads][scratch_floats] */
    size_t scratch_floats, scratch_threads;
    float *backward; /* gradients of one layer */
    size_t backward_floats;
    t2g_packed_row *row;
    size_t row_capacity;
    size_t *position; /* of each token in its row */
    size_t position_capacity;
    size_t tokens;
    t2g_rope_table rope;
};

/* The forward pass over packed rows; cache NULL: every row starts at 0 and
 * attends within the batch. a->row [rows] and the ids are given. */
T2G_CHECK t2g_status t2g_forward_rows(const t2g_model *m, t2g_activations *a,
                                      const uint32_t *id, size_t rows,
                                      size_t tokens, bool keep,
                                      t2g_kv_cache *cache);
T2G_CHECK t2g_status t2g_activations_rows(t2g_activations *a, size_t rows);
float *t2g_thread_scratch(const t2g_activations *a);
T2G_CHECK t2g_status t2g_scratch_reach(t2g_activations *a, size_t floats);

/* y [tokens, rows of w] = start + x W', split over threads. */
void t2g_linear(const t2g_kernels *k, float *y, const float *x,
                const t2g_param *w, const float *bias, int accumulate,
                size_t tokens);
/* dx [tokens, cols of w] = start + dy W. */
void t2g_linear_input_grad(const t2g_kernels *k, float *dx, const float *dy,
                           const t2g_param *w, int accumulate, size_t tokens);
/* w->grad += dy' x. */
void t2g_linear_weight_grad(const t2g_kernels *k, t2g_param *w,
                            const float *dy, const float *x, size_t tokens);
void t2g_bias_grad(const t2g_kernels *k, t2g_param *bias, const float *dy,
                   size_t tokens);

/* The id of the largest score, the smallest among equals; 0 when z[0] is
 * NaN. */
uint32_t t2g_arg_max(const float *z, size_t n);

/* Number of the calling thread in its team. */
int t2g_thread_number(void);

#endif
