/** The kernel table and the numerics contract: the order of every floating-
 * point operation is part of each kernel's definition, and every variant gives
 * the same bits (a NaN's payload excepted).
 *
 * Contraction: an output element is one chain of fmaf over the contracted index
 *   in increasing order, from the value already there, +0 or a bias.
 * Lane sum of f(0..n-1): 16 lanes; element j goes to lane j mod 16, in
 *   increasing j, lanes start at +0 and missing elements of the last group of
 *   16 count as +0 terms; then lane j += lane j+w for w = 8, 4, 2, 1.
 * Elementwise: the expression as written, each operation rounded, no fusing
 *   except where fmaf is written.
 * exp, log: SLEEF's finz u10 functions with FMA.
 *
 * All arrays are f32, any alignment, and do not overlap unless said otherwise.
 * Kernels cannot fail, allocate nothing and run on the calling thread. */
#ifndef T2G_KERNELS_H
#define T2G_KERNELS_H

#include <stddef.h>
#include <stdint.h>

#include "t2g/status.h"

/** Outputs side by side in a panel; a multiple of every vector width. */
enum { T2G_PANEL = 32 };

/** Floats a packed [k,n] matrix takes: ceil(n/32) panels of [k][32]. */
static inline size_t t2g_panel_floats(size_t k, size_t n)
{
    return (n + T2G_PANEL - 1) / T2G_PANEL * T2G_PANEL * k;
}

/** Packs B [k,n] into panels: panel p holds B[i][32p+j] at [p][i][j], the
 * columns beyond n are +0. B[i][j] = b[i*ldb + j], or b[j*ldb + i] if
 * transposed. panels out [t2g_panel_floats(k,n)]. A copy: nothing to
 * specify. */
typedef void t2g_pack_fn(float *panels, const float *b, size_t ldb,
                         int transposed, size_t k, size_t n);

/** C = start + A B. c [m,n] rows ldc apart, a [m,k] rows lda apart, panels as
 * above. start: C itself if accumulate, else bias [n], else +0 (bias NULL).
 * Order: contraction over k. k >= 1. Only c's [m,n] elements are written. */
typedef void t2g_matmul_fn(float *c, size_t ldc, const float *a, size_t lda,
                           const float *panels, const float *bias,
                           int accumulate, size_t m, size_t n, size_t k);

/** C += A' B, the weight gradient: c [m,n] rows ldc apart, a [t,m] rows lda
 * apart, b [t,n] rows ldb apart. Order: contraction over t, from C. */
typedef void t2g_matmul_tn_fn(float *c, size_t ldc, const float *a, size_t lda,
                              const float *b, size_t ldb, size_t m, size_t n,
                              size_t t);

/** y[j] += sum over t of a[t][j]: bias gradients. y [n], a [t,n] rows lda
 * apart. Order: y[j] = y[j] + a[t][j], t rising. */
typedef void t2g_column_sum_fn(float *y, const float *a, size_t lda, size_t n,
                               size_t t);

/** y = g * (x*s), s = 1/sqrt(sum(x*x)/n + eps); returns s. [RMS19] eq. 4.
 * y out [n], may be x; x, g in [n]. Order: sum = lane sum of fmaf(x,x,lane). */
typedef float t2g_rmsnorm_fn(float *y, const float *x, const float *g, size_t n,
                             float eps);

/** dx += d/dx of sum(dy * rmsnorm(x)), s as the forward pass returned it.
 * With w[j] = dy[j]*g[j] and c = (lane sum of fmaf(w, x, lane)) * (s*s/n):
 *   dx[j] = dx[j] + s * (w[j] - x[j]*c). */
typedef void t2g_rmsnorm_bwd_fn(float *dx, const float *dy, const float *x,
                                const float *g, float s, size_t n);

/** dg[j] = fmaf(dy[t][j], x[t][j]*s[t], dg[j]), t rising. dg [n]; dy, x [t,n]
 * rows ld apart; s [t]. */
typedef void t2g_rmsnorm_gain_bwd_fn(float *dg, const float *dy, const float *x,
                                     size_t ld, const float *s, size_t n,
                                     size_t t);

/** Rotates `heads` consecutive heads of size d of one token, in place; pairs
 * are (i, i+d/2). c, s [d/2]; sign = +1 forward, -1 backward.
 *   y[i] = x[i]*c[i] - x[i+d/2]*(sign*s[i])
 *   y[i+d/2] = x[i+d/2]*c[i] + x[i]*(sign*s[i]) */
typedef void t2g_rope_fn(float *x, size_t heads, size_t d, const float *c,
                         const float *s, float sign);

/** Causal attention of one query head. Query i (of nq) stands at position
 * first+i and sees keys 0..first+i.
 *   score[j] = scale * (q . k[j])       contraction over d from +0
 *   m = max score, e[j] = exp(score[j] - m), l = lane sum of e (added, no fmaf)
 *   p[j] = e[j] * (1/l),  o = sum_j p[j] v[j]     contraction over j from +0
 * o out [nq] rows ldo apart; lse out [nq] pairs (m, 1/l), or NULL;
 * q in [nq] rows ldq apart; keys: panels of positions, K' [d, positions] packed
 * (position 32p+j, component i at keys[p*32*d + i*32 + j]); v rows ldv apart.
 * scratch: room for 8 * (first + nq + 32) floats, contents meaningless.
 * Panel columns beyond the last position may hold anything. */
typedef void t2g_attention_fn(float *o, size_t ldo, float *lse, const float *q,
                              size_t ldq, size_t nq, size_t first,
                              const float *keys, const float *v, size_t ldv,
                              size_t d, float scale, float *scratch);

/** Backward of the above for a whole row (first = 0, nq = t positions):
 *   p[i][j] recomputed from lse as exp(score - m) * (1/l), j <= i
 *   D[i] = lane sum of fmaf(do[i][c], o[i][c], lane) over c < d
 *   dp = do[i] . v[j] (contraction over d),  ds = (p * (dp - D[i])) * scale
 *   dq[i] = chain over j = 0..i of ds[i][j] k[j], from +0 (overwritten)
 *   dk[j] chain over i = j..t-1 of ds[i][j] q[i], from dk (accumulated)
 *   dv[j] chain over i = j..t-1 of p[i][j] do[i],  from dv (accumulated)
 * dq, do_, o, q share row distances with their forward twins (ldq, ldo); dk, dv
 * rows ldkv apart; k, v plain rows ldkv apart; keys as in the forward pass,
 * values: V' [d, t] packed likewise. scratch: 16 * (t + 32) floats. */
typedef void t2g_attention_bwd_fn(float *dq, float *dk, float *dv,
                                  const float *do_, const float *o,
                                  const float *lse, const float *q,
                                  const float *k, const float *keys,
                                  const float *values, size_t ldq, size_t ldo,
                                  size_t ldkv, size_t t, size_t d, float scale,
                                  float *scratch);

/** y = (x / (1 + exp(-x))) * u: SwiGLU's gate. y out [n], may be x or u. */
typedef void t2g_swiglu_fn(float *y, const float *x, const float *u, size_t n);

/** With s = 1/(1+exp(-x)):  du = dy*(x*s);  dx = (dy*u)*(s*(1 + x*(1 - s))).
 * dx, du out [n], may be x, u; dy may not be either. */
typedef void t2g_swiglu_bwd_fn(float *dx, float *du, const float *dy,
                               const float *x, const float *u, size_t n);

/** Log-softmax statistics of one row of logits z [n], n >= 1:
 *   m = max z; l = lane sum of exp(z-m); returns lse = m + log(l).
 * entropy (may be NULL) = lse - lane sum of fmaf(exp(z-lse), z, lane). */
typedef float t2g_logsumexp_fn(const float *z, size_t n, float *entropy);

/** KL(p || r) = lane sum of fmaf(exp(z-lse), (z-lse)-(zr-lser), lane). */
typedef float t2g_softmax_kl_fn(const float *z, float lse, const float *zr,
                                float lser, size_t n);

/** Gradient of g*logprob(target) + h*entropy with respect to logits z:
 *   P = exp(z-lse), L = z-lse
 *   dz = g*((j == target) - P) - h*(P*(L + entropy))
 * h = 0 leaves the second term out. dz out [n], may be z. */
typedef void t2g_softmax_bwd_fn(float *dz, const float *z, float lse,
                                float entropy, size_t target, float g, float h,
                                size_t n);

/** y = exp(x - shift), elementwise; y out [n], may be x. */
typedef void t2g_exp_fn(float *y, const float *x, float shift, size_t n);

/** Lane sum of fmaf(x,x,lane). n <= 4096 by convention of its callers. */
typedef float t2g_sum_squares_fn(const float *x, size_t n);

/** AdamW (Adam: decay = 1). Step t >= 1 with c1 = 1-b1^t, c2 = 1-b2^t:
 *   g' = g*scale;  m = b1*m + (1-b1)*g';  v = b2*v + ((1-b2)*g')*g'
 *   p = p*decay - lr*((m/c1) / (sqrt(v/c2) + eps)) */
typedef struct t2g_adamw {
    float lr, b1, b2, eps, decay, c1, c2, scale;
} t2g_adamw;
typedef void t2g_adamw_fn(float *p, float *m, float *v, const float *g,
                          size_t n, const t2g_adamw *s);

/** Patterns sought at once: tables of edit distances side by side. */
enum { T2G_EDIT_LANES = 8 };

/** Lanes that arrays have: one pattern stands alone, several have all 8. */
static inline size_t t2g_edit_stride(size_t lanes)
{
    return lanes == 1 ? 1 : T2G_EDIT_LANES;
}

/** Further columns of `lanes` tables of edit distances [Myers99] [Hyyro03]: the
 * same text, one pattern a lane, 64*words rows of each; L = the stride of
 * `lanes`. Row r of lane l holds symbol s if bit r%64 of match[s][r/64][l] is
 * set, match [][words][L].
 *   D[r][j] = min(D[r-1][j-1] + (row r does not hold text[j]),
 *                 D[r-1][j] + 1, D[r][j-1] + 1),  D[-1][j] = D[-1][j-1] + top
 * top is 0 (a match may begin anywhere) or 1 (it begins with the text). state
 * in out [2][words][L]: where D[r] - D[r-1] is +1, where it is -1, in the
 * column before, then in the last one. distance [n][L] out: D of the last row,
 * which was `bottom` [L] before. least [L] out: the least of each lane's
 * distances, 65535 if n is 0. What belongs to no lane may be written with
 * anything. Every distance is below 65536. Integers alone: there is no
 * order. */
typedef void t2g_edit_distance_fn(uint16_t *distance, uint16_t *least,
                                  const uint16_t *bottom, const uint16_t *text,
                                  size_t n, const uint64_t *match,
                                  size_t words, uint64_t *state, size_t lanes,
                                  int top);

typedef struct t2g_kernels {
    const char *isa; /* "scalar", "avx2", "avx512", "neon" */
    t2g_pack_fn *pack;
    t2g_matmul_fn *matmul;
    t2g_matmul_tn_fn *matmul_tn;
    t2g_column_sum_fn *column_sum;
    t2g_rmsnorm_fn *rmsnorm;
    t2g_rmsnorm_bwd_fn *rmsnorm_bwd;
    t2g_rmsnorm_gain_bwd_fn *rmsnorm_gain_bwd;
    t2g_rope_fn *rope;
    t2g_attention_fn *attention;
    t2g_attention_bwd_fn *attention_bwd;
    t2g_swiglu_fn *swiglu;
    t2g_swiglu_bwd_fn *swiglu_bwd;
    t2g_logsumexp_fn *logsumexp;
    t2g_softmax_kl_fn *softmax_kl;
    t2g_softmax_bwd_fn *softmax_bwd;
    t2g_exp_fn *exp;
    t2g_sum_squares_fn *sum_squares;
    t2g_adamw_fn *adamw;
    t2g_edit_distance_fn *edit_distance;
} t2g_kernels;

/** Fills the table with the scalar reference. */
void t2g_kernels_ref(t2g_kernels *k);

/** Fills it for an ISA: "scalar", "avx2", "avx512", "neon", or NULL: the value
 * of T2G_ISA if set, else the strongest the CPU has. An unknown name or an ISA
 * that the CPU or the build lacks is T2G_ERR_ARG, never a fallback. */
T2G_CHECK t2g_status t2g_kernels_select(t2g_kernels *k, const char *isa);

/** Names of the ISAs in this build that the CPU runs, weak to strong, "scalar"
 * first; NULL-terminated, static. */
const char *const *t2g_isa_available(void);

/** Scalar exp, log, tanh, sin, cos (float) and exp, log, pow, sin, cos (double)
 * with the contract's bits. Never libm's. */
float t2g_expf(float x);
float t2g_logf(float x);
float t2g_tanhf(float x);
float t2g_sinf(float x);
float t2g_cosf(float x);
double t2g_exp(double x);
double t2g_log(double x);
double t2g_pow(double x, double y);
double t2g_sin(double x);
double t2g_cos(double x);

#endif
