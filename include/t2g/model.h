/** Models: decoder-only transformers of the Llama family. Rows of different
 * lengths are packed without padding; each has its own positions and mask.
 * Formulas: model.md sections 3 and 4 (transformers' LlamaForCausalLM). */
#ifndef T2G_MODEL_H
#define T2G_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "t2g/files.h"
#include "t2g/kernels.h"
#include "t2g/rng.h"
#include "t2g/status.h"

typedef enum t2g_rope_type { T2G_ROPE_DEFAULT, T2G_ROPE_LINEAR, T2G_ROPE_LLAMA3,
                             T2G_ROPE_YARN } t2g_rope_type;

/** config.json's keys, resolved. */
typedef struct t2g_config {
    size_t vocab_size, hidden_size, intermediate_size, num_hidden_layers,
        num_attention_heads, num_key_value_heads, head_dim,
        max_position_embeddings;
    float rms_norm_eps;
    bool attention_bias, mlp_bias, tie_word_embeddings;
    int64_t bos_token_id, pad_token_id; /* -1: none */
    int64_t eos_token_id[8];
    size_t eos_count;
    double initializer_range;
    double rope_theta, rope_factor, rope_low, rope_high, rope_original,
        rope_attention_factor, rope_beta_fast, rope_beta_slow, rope_mscale,
        rope_mscale_all_dim; /* attention_factor, mscales: 0 = not given */
    bool rope_truncate;
    t2g_rope_type rope_type;
} t2g_config;

/** Reads DIR/config.json (or the file itself). What is not supported is refused
 * by the name of the key. */
T2G_CHECK t2g_status t2g_config_read(t2g_config *c, const char *path);
/** As transformers writes it; the caller owns the object. NULL: no memory. */
json_t *t2g_config_json(const t2g_config *c);
/** Checks sizes and their products. */
T2G_CHECK t2g_status t2g_config_check(const t2g_config *c);
/** Rotary frequencies w_i [head_dim/2] (in double, rounded once) and the factor
 * of the cosine and sine tables (1 except for yarn). */
T2G_CHECK t2g_status t2g_rope_frequencies(const t2g_config *c, float *inv_freq,
                                          float *scale);

/** A parameter: weight [rows, cols] as stored in the file ([out, in]; vectors
 * have rows = 1). Matrices keep two packed copies, refreshed by t2g_model_pack:
 * `forward` packs W' [in, out] (y = W x), `backward` packs W [out, in]. */
typedef struct t2g_param {
    char name[96];
    size_t rows, cols;
    float *weight, *grad; /* grad NULL unless trainable */
    float *forward, *backward;
    bool product; /* used in matrix products: has packed copies */
} t2g_param;

typedef struct t2g_layer {
    t2g_param *input_norm, *q, *k, *v, *o, *q_bias, *k_bias, *v_bias, *o_bias,
        *post_norm, *gate, *up, *down, *gate_bias, *up_bias, *down_bias;
} t2g_layer;

typedef struct t2g_model {
    t2g_config config;
    t2g_kernels kernels;
    t2g_param *param; /* all of them, in the order of the forward pass */
    size_t params;
    t2g_param *embed, *norm, *head; /* head == embed when tied */
    t2g_layer *layer;
    t2g_param *value_weight, *value_bias; /* v_head.summary, or NULL */
    float *inv_freq;                      /* [head_dim/2] */
    float rope_scale;                     /* yarn's table scale, else 1 */
    float *lookup_grad; /* embedding's share by lookup, apart from the head's */
    bool trainable;
} t2g_model;

/** A model with random parameters: matrices and embeddings N(0, s^2) with
 * s = initializer_range, or, if scaled, N(0, 1/fan_in), embeddings N(0, 1/H),
 * residual outputs (o, down) divided by sqrt(2L). Stream: T2G_RNG_INIT. */
T2G_CHECK t2g_status t2g_model_init(t2g_model **m, const t2g_config *c,
                                    const t2g_kernels *k, uint64_t seed,
                                    bool scaled);
/** Loads a Hugging Face folder (single or sharded safetensors). A value head in
 * it is loaded too. */
T2G_CHECK t2g_status t2g_model_load(t2g_model **m, const char *dir,
                                    const t2g_kernels *k);
/** Saves config.json, generation_config.json, model.safetensors (F32) into dir,
 * which is made when missing. */
T2G_CHECK t2g_status t2g_model_save(const t2g_model *m, const char *dir);
/** A copy with its own parameters and no gradients. */
T2G_CHECK t2g_status t2g_model_clone(t2g_model **copy, const t2g_model *m);
void t2g_model_free(t2g_model *m);

/** Adds v_head.summary.{weight,bias}, uniform in +-1/sqrt(H), if there is
 * none. */
T2G_CHECK t2g_status t2g_model_add_value_head(t2g_model *m, uint64_t seed);
/** Allocates gradients (zero) and the packed copies the backward pass reads. */
T2G_CHECK t2g_status t2g_model_make_trainable(t2g_model *m);
/** Refreshes the packed copies after the weights changed. */
void t2g_model_pack(t2g_model *m);
void t2g_model_zero_grad(t2g_model *m);
/** Adds the embedding's gradient by lookup to the one by the output projection.
 * Kept apart until all micro-batches are in, so that their number changes no
 * bit; t2g_optimizer_step calls it, others do before they read gradients. */
void t2g_model_finish_grad(t2g_model *m);
/** Feeds names and weights of all parameters to a digest. */
void t2g_model_digest(const t2g_model *m, t2g_digest *d);
size_t t2g_model_parameters(const t2g_model *m);

/** A packed batch: row r is id[row[r] .. row[r+1]-1]. */
typedef struct t2g_batch {
    const uint32_t *id;
    const size_t *row;
    size_t rows;
} t2g_batch;

/** What a forward pass leaves behind for the backward pass. Reused and
 * grown. */
typedef struct t2g_activations t2g_activations;
T2G_CHECK t2g_status t2g_activations_new(t2g_activations **a,
                                         const t2g_model *m);
void t2g_activations_free(t2g_activations *a);

/** Hidden states after the final norm, [tokens, H], owned by a. keep = true
 * keeps what t2g_backward needs. Ids outside the vocabulary are T2G_ERR_ARG. */
T2G_CHECK t2g_status t2g_forward(const t2g_model *m, t2g_activations *a,
                                 const t2g_batch *batch, bool keep,
                                 const float **hidden);
/** Input of layer l (l = 0..L-1), or of the final norm (l = L): [tokens, H];
 * only after a forward pass with keep. */
const float *t2g_hidden(const t2g_activations *a, size_t l);

/** Adds the gradients of a loss to m's: d_hidden [tokens, H] is its gradient
 * with respect to the final hidden states (overwritten). */
T2G_CHECK t2g_status t2g_backward(t2g_model *m, t2g_activations *a,
                                  const t2g_batch *batch, float *d_hidden);

/* --- vocabulary head: never holds the logits of a batch ------------------- */

/** One decision: the hidden state at `position` of the batch chose `target`. */
typedef struct t2g_decision {
    size_t position;
    uint32_t target;
} t2g_decision;

/** For n decisions: logprob, and if not NULL entropy, best (arg max id,
 * smallest among equals), kl (full KL(m || ref), needs ref and ref_hidden) and
 * ref_logprob. hidden: m's final hidden states; ref_hidden: ref's. */
T2G_CHECK t2g_status t2g_head_logprobs(const t2g_model *m, const float *hidden,
                                       const t2g_model *ref,
                                       const float *ref_hidden,
                                       const t2g_decision *d, size_t n,
                                       float *logprob, float *entropy,
                                       uint32_t *best, float *kl,
                                       float *ref_logprob);
/** Logits [n, V] of chosen positions (verification, small n). */
T2G_CHECK t2g_status t2g_head_logits(const t2g_model *m, const float *hidden,
                                     const size_t *position, size_t n,
                                     float *logits);
/** Gradient of sum g[i]*logprob[i] + h[i]*entropy[i] (h may be NULL): added to
 * d_hidden and to the head's gradient. */
T2G_CHECK t2g_status t2g_head_backward(t2g_model *m, const float *hidden,
                                       const t2g_decision *d, size_t n,
                                       const float *g, const float *h,
                                       float *d_hidden);
/** The same with h = 0 in one pass with logprob, entropy and best [n]: for
 * losses whose g does not depend on them (cross-entropy). */
T2G_CHECK t2g_status t2g_head_cross_entropy(t2g_model *m, const float *hidden,
                                            const t2g_decision *d, size_t n,
                                            const float *g, float *d_hidden,
                                            float *logprob, float *entropy,
                                            uint32_t *best);

/** value[i] = w . hidden[position[i]] + b (chain over H from b). */
void t2g_values(const t2g_model *m, const float *hidden, const size_t *position,
                size_t n, float *value);
/** Adds the gradient of sum g[i]*value[i] to d_hidden and the head's. */
void t2g_values_backward(t2g_model *m, const float *hidden,
                         const size_t *position, size_t n, const float *g,
                         float *d_hidden);

/* --- generation ----------------------------------------------------------- */

/** What rows of t2g_generate may say: a grammar, a choice among answers. Row r
 * has its own state, which take alone moves on; no two calls for a row run at
 * once, calls for several rows do. left: tokens that may still follow this
 * one. */
typedef struct t2g_constraint {
    void *context;
    size_t vocab_size; /* V of the model it is for */
    /** May this token be next? */
    bool (*allows)(void *context, size_t row, uint32_t id, size_t left);
    /** Sets allowed[id] to 1 for all that may be; zero before, [V]. */
    void (*mark)(void *context, size_t row, uint8_t *allowed, size_t left);
    /** The token was chosen (if none was allowed, any): an error ends the
     * generation. *finished: the row ends here, end token or not. */
    t2g_status (*take)(void *context, size_t row, uint32_t id, bool *finished);
} t2g_constraint;

/** Names of transformers' GenerationConfig. */
typedef struct t2g_sampling {
    bool do_sample;     /* false: greedy, ties to the smallest id */
    double temperature; /* > 0 */
    size_t top_k;       /* 0: off */
    double top_p;       /* 1: off */
    size_t max_new_tokens, min_new_tokens;
    uint64_t seed;
    uint32_t step;      /* the random stream's step */
    const t2g_constraint *constraint; /* NULL: anything goes; with one,
                                         min_new_tokens is 0 */
} t2g_sampling;

/** Samples drawn for a list of prompts. */
typedef struct t2g_generation {
    uint32_t *id;      /* all responses one after the other */
    size_t *row;       /* [rows+1] borders */
    uint8_t *ended;    /* [rows] 1: an end token was produced (it is kept), or
                          the constraint says that nothing may follow */
    float *logprob;    /* raw log-probability of each token, temperature 1 */
    size_t rows;
    uint64_t prompt_tokens;
} t2g_generation;
void t2g_generation_free(t2g_generation *g);

/** Called now and then; T2G_ERR_INTERRUPTED stops. done of total rows. */
typedef t2g_status t2g_generate_progress_fn(void *context, size_t done,
                                            size_t total, uint64_t tokens);

/** Generates a response for each row of `prompts`. Row r draws from stream
 * (seed, sample = first_sample + r, step, SAMP), so results do not depend on
 * what else is in the batch. eos: end tokens. A token is drawn from the
 * processed distribution: u = unit number i of the stream for new token i; the
 * smallest id whose running sum (double, by id) exceeds u * total. What the
 * sampling's constraint does not allow has probability 0 before temperature,
 * top_k and top_p. */
T2G_CHECK t2g_status t2g_generate(const t2g_model *m, const t2g_batch *prompts,
                                  const t2g_sampling *s, uint32_t first_sample,
                                  const int64_t *eos, size_t eos_count,
                                  t2g_generate_progress_fn *progress,
                                  void *context, t2g_generation *out);

#endif
