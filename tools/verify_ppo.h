/* What the stages of verify_ppo share: a case whose tensors are read by name,
 * and whose arrays live until it ends. */
#ifndef VERIFY_PPO_H
#define VERIFY_PPO_H

#include "verify.h"

typedef struct ppo_case {
    verifier *v;
    const json_t *json, *config, *in, *out;
    void **owned;
    size_t owned_count;
    bool broken; /* something is missing, and that was reported */
} ppo_case;

/* --- configuration ------------------------------------------------------ */

double case_number(const ppo_case *c, const char *key, double otherwise);
/* "" when missing. */
const char *case_text(const ppo_case *c, const char *key);
/* A list of small non-negative integers; *count of them. */
uint32_t *case_ids(ppo_case *c, const char *key, size_t *count);

/* --- tensors; NULL and broken when they are not as expected ------------- */

enum { ANY_COUNT = -1 };

/* `count` elements, or any number. */
double *case_f64(ppo_case *c, const json_t *from, const char *name, long count);
float *case_f32(ppo_case *c, const json_t *from, const char *name, long count);
int64_t *case_i64(ppo_case *c, const json_t *from, const char *name,
                  long count);
uint8_t *case_mask(ppo_case *c, const json_t *from, const char *name,
                   long count);
/* Strings of in; they belong to the JSON. */
const char **case_strings(ppo_case *c, const char *name, size_t *count);
/* Sizes of a tensor of in with this rank; 0 for all when it has another. */
void case_shape(ppo_case *c, const char *name, size_t *size, size_t rank);
/* Zeroed. */
void *case_array(ppo_case *c, size_t count, size_t size);
float *case_floats(ppo_case *c, size_t count);

/* A name made of parts, owned by the case. */
const char *case_name(ppo_case *c, const char *fmt, ...) T2G_PRINTF(2, 3);

/* --- comparisons with out ----------------------------------------------- */

bool case_has(const ppo_case *c, const char *name);
/* mask may be NULL. */
void case_check(ppo_case *c, const char *name, const float *got,
                const uint8_t *mask, size_t n);
void case_check_number(ppo_case *c, const char *name, double got);
/* In double, by 1e-12 absolute and relative. */
void case_check_f64(ppo_case *c, const char *name, const double *got, size_t n);
void case_check_i64(ppo_case *c, const char *name, const int64_t *got,
                    size_t n);
/* Ours where upstream has no number or fails: zeros. */
void case_check_zero(ppo_case *c, const char *name, const float *got, size_t n);
/* A status that is not T2G_OK fails the case. */
bool case_ok(ppo_case *c, const char *what, t2g_status s);

size_t count_mask(const uint8_t *mask, size_t n);

/* Kind "step": whole PPO steps. */
void verify_ppo_step(ppo_case *c);

#endif
