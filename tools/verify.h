/* Comparing with cases of other implementations: what `t2g verify` shares. */
#ifndef VERIFY_H
#define VERIFY_H

#include "cli.h"

typedef struct verifier verifier;

/* Options of the command that stages may read. */
typedef struct verify_options {
    const char *only;       /* case id, or NULL */
    double tolerance;       /* replaces the factor 8 of noise; < 0: default */
    const char *tokenizers; /* --tokenizers DIR, or NULL */
    const char *got;        /* --got PATH; stages then are not called: the
                               command compares the two files itself */
} verify_options;
const verify_options *verify_settings(const verifier *v);
const t2g_kernels *verify_kernels(const verifier *v);

/* A case of a file begins; returns false when --only leaves it out. Comparisons
 * that follow belong to it; verify_end counts it as passed or failed. */
bool verify_begin(verifier *v, const char *file, const char *id);
void verify_end(verifier *v);
/* The whole case (or file, with id NULL) is not compared, and why. Outside of
 * begin/end. */
void verify_skip(verifier *v, const char *file, const char *id,
                 const char *why);
/* The case fails with a message of its own. */
void verify_fail(verifier *v, const char *field, const char *fmt, ...)
    T2G_PRINTF(3, 4);

/* Accepts |got - want| <= 1e-6 + 1e-5*|want| + 8*noise, NaN meets NaN, equal
 * infinities. Reports the first failing element (flat index) and the worst
 * share of the tolerance. mask (may be NULL) 0 leaves an element out. */
void verify_f32(verifier *v, const char *field, const float *got,
                const float *want, const uint8_t *mask, size_t n,
                double noise);
/* |got - want| <= absolute + relative*|want|. */
void verify_f64(verifier *v, const char *field, const double *got,
                const double *want, size_t n, double absolute,
                double relative);
void verify_i64(verifier *v, const char *field, const int64_t *got,
                const int64_t *want, size_t n);
void verify_text(verifier *v, const char *field, const char *got,
                 size_t got_length, const char *want, size_t want_length);
void verify_bits(verifier *v, const char *field, const float *got,
                 const float *want, size_t n);

/* A tensor of an oracle case: {"dtype","shape","data"}; data widened to double,
 * text kept in json. Fails the case and returns false when malformed. */
typedef struct oracle_tensor {
    double *value; /* [count], NULL for "str" */
    size_t count, rank, shape[8];
    const json_t *data;
} oracle_tensor;
bool oracle_read(verifier *v, const json_t *object, const char *name,
                 oracle_tensor *out);
void oracle_free(oracle_tensor *t);
float *oracle_f32(const oracle_tensor *t); /* a copy; t2g_free */
double oracle_noise(const json_t *oracle_case, const char *name); /* 0: none */

/* Stages: each looks at a parsed case file (or a case folder) and compares what
 * it knows; unknown kinds are skipped with a reason. path is a file or folder;
 * root is the parsed JSON file or case.json. */
void verify_ppo(verifier *v, const char *path, const json_t *root);
void verify_align(verifier *v, const char *path, const json_t *root);
void verify_tokenizer(verifier *v, const char *path, const json_t *root);
void verify_model(verifier *v, const char *path, const json_t *root);
void verify_kernels_stage(verifier *v, const char *path, const json_t *root);
void verify_safetensors(verifier *v, const char *path, const json_t *root);
void verify_metrics(verifier *v, const char *path, const json_t *root);
/* Cases of reward models, in a file without a kind. */
void verify_rm_metrics(verifier *v, const char *path, const json_t *root);

#endif
