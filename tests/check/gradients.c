/* Kernels against double precision: forward ones against the formula, backward
 * ones against central differences of it. The bound is 1e-5 of the largest
 * element: f32 rounding here stays below 3e-6 of it, the differences (step
 * 1e-5, values of order 10) below 1e-9. */
#include "check.h"

#include <math.h>
#include <string.h>

enum { MAX_PARAMETERS = 2048 };
static const double bound = 1e-5, step = 1e-5;

/* Elements of x scaled to [-1, 1], as both types. */
static void fill(float *x, double *wide, size_t n)
{
    for (size_t i = 0; i < n; i++)
        wide[i] = x[i] = (float)check_between(0, 2000) / 1000.0f - 1.0f;
}

static void assert_close(const char *what, const float *got,
                         const double *want, size_t n)
{
    double largest = 0.0;
    for (size_t i = 0; i < n; i++)
        largest = fmax(largest, fabs(want[i]));
    for (size_t i = 0; i < n; i++)
        if (!(fabs(got[i] - want[i]) <= bound * largest))
            fail_msg("%s[%zu]: %.9g instead of %.9g", what, i, (double)got[i],
                     want[i]);
}

/* What a loss is a function of, and what it takes as constant. */
typedef double loss_fn(const double *x, const void *constants);

static void assert_gradient(const char *what, const float *got, loss_fn *loss,
                            const double *x, size_t n, const void *constants)
{
    double moved[MAX_PARAMETERS], want[MAX_PARAMETERS];
    assert_true(n <= MAX_PARAMETERS);
    memcpy(moved, x, n * sizeof *x);
    for (size_t i = 0; i < n; i++) {
        moved[i] = x[i] + step;
        double above = loss(moved, constants);
        moved[i] = x[i] - step;
        double below = loss(moved, constants);
        moved[i] = x[i];
        want[i] = (above - below) / (2.0 * step);
    }
    assert_close(what, got, want, n);
}

static double dot(const double *a, const double *b, size_t n)
{
    double sum = 0.0;
    for (size_t i = 0; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

/* C = bias + A B, loss = dC . C. */
enum { M = 5, K = 19, N = 37 };
typedef struct product {
    double a[M * K], b[K * N], bias[N];
} product;

static void product_forward(double *c, const product *p)
{
    for (size_t i = 0; i < M; i++)
        for (size_t j = 0; j < N; j++) {
            c[i * N + j] = p->bias[j];
            for (size_t s = 0; s < K; s++)
                c[i * N + j] += p->a[i * K + s] * p->b[s * N + j];
        }
}

static double product_loss(const double *x, const void *dc)
{
    product p;
    double c[M * N];
    memcpy(&p, x, sizeof p);
    product_forward(c, &p);
    return dot(c, dc, M * N);
}

void gradient_matmul(void **state)
{
    const t2g_kernels *k = *state;
    product p;
    float a[M * K], b[K * N], bias[N], dc[M * N], c[M * N];
    float panels[K * 2 * T2G_PANEL], transposed[N * T2G_PANEL];
    double wide_dc[M * N], want[M * N];
    fill(a, p.a, M * K);
    fill(b, p.b, K * N);
    fill(bias, p.bias, N);
    fill(dc, wide_dc, M * N);
    k->pack(panels, b, N, 0, K, N);
    k->matmul(c, N, a, K, panels, bias, 0, M, N, K);
    product_forward(want, &p);
    assert_close("c", c, want, M * N);

    struct {
        float a[M * K], b[K * N], bias[N];
    } d = {0};
    k->pack(transposed, b, N, 1, N, K);
    k->matmul(d.a, K, dc, N, transposed, NULL, 0, M, K, N);
    k->matmul_tn(d.b, N, a, K, dc, N, K, N, M);
    k->column_sum(d.bias, dc, N, N, M);
    assert_gradient("d(a, b, bias)", (const float *)&d, product_loss,
                    (const double *)&p, sizeof p / sizeof(double), wide_dc);
}

/* T rows of WIDTH, one gain; loss = dy . y. */
enum { T = 3, WIDTH = 37 };
typedef struct normed {
    double x[T * WIDTH], g[WIDTH];
} normed;
static const double eps = 1e-5;

static void rmsnorm_forward(double *y, const normed *p)
{
    for (size_t t = 0; t < T; t++) {
        const double *x = p->x + t * WIDTH;
        double s = 1.0 / sqrt(dot(x, x, WIDTH) / WIDTH + eps);
        for (size_t j = 0; j < WIDTH; j++)
            y[t * WIDTH + j] = p->g[j] * x[j] * s;
    }
}

static double rmsnorm_loss(const double *x, const void *dy)
{
    normed p;
    double y[T * WIDTH];
    memcpy(&p, x, sizeof p);
    rmsnorm_forward(y, &p);
    return dot(y, dy, T * WIDTH);
}

void gradient_rmsnorm(void **state)
{
    const t2g_kernels *k = *state;
    normed p;
    float x[T * WIDTH], g[WIDTH], dy[T * WIDTH], y[T * WIDTH], s[T];
    double wide_dy[T * WIDTH], want[T * WIDTH];
    fill(x, p.x, T * WIDTH);
    fill(g, p.g, WIDTH);
    fill(dy, wide_dy, T * WIDTH);
    struct {
        float x[T * WIDTH], g[WIDTH];
    } d = {0};
    for (size_t t = 0; t < T; t++) {
        size_t row = t * WIDTH;
        s[t] = k->rmsnorm(y + row, x + row, g, WIDTH, (float)eps);
        k->rmsnorm_bwd(d.x + row, dy + row, x + row, g, s[t], WIDTH);
    }
    k->rmsnorm_gain_bwd(d.g, dy, x, WIDTH, s, WIDTH, T);
    rmsnorm_forward(want, &p);
    assert_close("y", y, want, T * WIDTH);
    assert_gradient("d(x, g)", (const float *)&d, rmsnorm_loss,
                    (const double *)&p, sizeof p / sizeof(double), wide_dy);
}

/* Two heads turned by the same angles; loss = dy . y. */
enum { HEADS = 2, HALF = 11 };
typedef struct turned {
    double dy[HEADS * 2 * HALF], c[HALF], s[HALF];
} turned;

static void rope_forward(double *y, const double *x, const turned *p)
{
    for (size_t i = 0; i < HEADS * 2 * HALF; i++) {
        size_t pair = i % HALF;
        bool first = i / HALF % 2 == 0;
        y[i] = first ? x[i] * p->c[pair] - x[i + HALF] * p->s[pair]
                     : x[i] * p->c[pair] + x[i - HALF] * p->s[pair];
    }
}

static double rope_loss(const double *x, const void *constants)
{
    const turned *p = constants;
    double y[HEADS * 2 * HALF];
    rope_forward(y, x, p);
    return dot(y, p->dy, HEADS * 2 * HALF);
}

void gradient_rope(void **state)
{
    const t2g_kernels *k = *state;
    enum { SIZE = HEADS * 2 * HALF };
    turned p;
    float x[SIZE], dy[SIZE], c[HALF], s[HALF];
    double wide_x[SIZE], want[SIZE];
    fill(x, wide_x, SIZE);
    fill(dy, p.dy, SIZE);
    for (size_t i = 0; i < HALF; i++) {
        p.c[i] = c[i] = cosf((float)i);
        p.s[i] = s[i] = sinf((float)i);
    }
    k->rope(x, HEADS, 2 * HALF, c, s, 1.0f);
    k->rope(dy, HEADS, 2 * HALF, c, s, -1.0f);
    rope_forward(want, wide_x, &p);
    assert_close("y", x, want, SIZE);
    assert_gradient("dx", dy, rope_loss, wide_x, SIZE, &p);
}

/* One head; more positions than a panel has; loss = do . o. */
enum { POSITIONS = 37, D = 6 };
typedef struct head {
    double q[POSITIONS * D], k[POSITIONS * D], v[POSITIONS * D];
} head;
static const float scale = 2.0f; /* sharp: far from uniform weights */

static void attention_forward(double *o, const head *p)
{
    memset(o, 0, POSITIONS * D * sizeof *o);
    for (size_t i = 0; i < POSITIONS; i++) {
        double e[POSITIONS], sum = 0.0;
        for (size_t j = 0; j <= i; j++)
            sum += e[j] = exp(scale * dot(p->q + i * D, p->k + j * D, D));
        for (size_t j = 0; j <= i; j++)
            for (size_t c = 0; c < D; c++)
                o[i * D + c] += e[j] / sum * p->v[j * D + c];
    }
}

static double attention_loss(const double *x, const void *do_)
{
    head p;
    double o[POSITIONS * D];
    memcpy(&p, x, sizeof p);
    attention_forward(o, &p);
    return dot(o, do_, POSITIONS * D);
}

void gradient_attention(void **state)
{
    const t2g_kernels *kernels = *state;
    enum { SIZE = POSITIONS * D };
    head p;
    float q[SIZE], k[SIZE], v[SIZE], do_[SIZE], o[SIZE], lse[2 * POSITIONS];
    float keys[2 * T2G_PANEL * D], values[2 * T2G_PANEL * D];
    float scratch[16 * (POSITIONS + T2G_PANEL)];
    double wide_do[SIZE], want[SIZE];
    fill(q, p.q, SIZE);
    fill(k, p.k, SIZE);
    fill(v, p.v, SIZE);
    fill(do_, wide_do, SIZE);
    kernels->pack(keys, k, D, 1, D, POSITIONS);
    kernels->pack(values, v, D, 1, D, POSITIONS);
    kernels->attention(o, D, lse, q, D, POSITIONS, 0, keys, v, D, D, scale,
                       scratch);
    attention_forward(want, &p);
    assert_close("o", o, want, SIZE);

    struct {
        float q[SIZE], k[SIZE], v[SIZE];
    } d = {0};
    kernels->attention_bwd(d.q, d.k, d.v, do_, o, lse, q, k, keys, values, D, D,
                           D, POSITIONS, D, scale, scratch);
    assert_gradient("d(q, k, v)", (const float *)&d, attention_loss,
                    (const double *)&p, sizeof p / sizeof(double), wide_do);
}

/* loss = dy . y. */
typedef struct gate {
    double x[WIDTH], u[WIDTH];
} gate;

static void swiglu_forward(double *y, const gate *p)
{
    for (size_t j = 0; j < WIDTH; j++)
        y[j] = p->x[j] / (1.0 + exp(-p->x[j])) * p->u[j];
}

static double swiglu_loss(const double *x, const void *dy)
{
    gate p;
    double y[WIDTH];
    memcpy(&p, x, sizeof p);
    swiglu_forward(y, &p);
    return dot(y, dy, WIDTH);
}

void gradient_swiglu(void **state)
{
    const t2g_kernels *k = *state;
    gate p;
    float x[WIDTH], u[WIDTH], dy[WIDTH], y[WIDTH];
    double wide_dy[WIDTH], want[WIDTH];
    fill(x, p.x, WIDTH);
    fill(u, p.u, WIDTH);
    fill(dy, wide_dy, WIDTH);
    for (size_t j = 0; j < WIDTH; j++)
        p.x[j] = x[j] *= 8.0f;
    k->swiglu(y, x, u, WIDTH);
    swiglu_forward(want, &p);
    assert_close("y", y, want, WIDTH);
    struct {
        float x[WIDTH], u[WIDTH];
    } d;
    k->swiglu_bwd(d.x, d.u, dy, x, u, WIDTH);
    assert_gradient("d(x, u)", (const float *)&d, swiglu_loss,
                    (const double *)&p, sizeof p / sizeof(double), wide_dy);
}

/* loss = g*logprob(target) + h*entropy. */
typedef struct policy_loss {
    size_t target;
    double g, h;
} policy_loss;

static double logsumexp(const double *z)
{
    double sum = 0.0;
    for (size_t j = 0; j < WIDTH; j++)
        sum += exp(z[j]);
    return log(sum);
}

static double entropy_of(const double *z)
{
    double lse = logsumexp(z), sum = 0.0;
    for (size_t j = 0; j < WIDTH; j++)
        sum -= exp(z[j] - lse) * (z[j] - lse);
    return sum;
}

static double kl(const double *z, const double *zr)
{
    double lse = logsumexp(z), lser = logsumexp(zr), sum = 0.0;
    for (size_t j = 0; j < WIDTH; j++)
        sum += exp(z[j] - lse) * ((z[j] - lse) - (zr[j] - lser));
    return sum;
}

static double softmax_loss(const double *z, const void *constants)
{
    const policy_loss *p = constants;
    return p->g * (z[p->target] - logsumexp(z)) + p->h * entropy_of(z);
}

void gradient_softmax(void **state)
{
    const t2g_kernels *k = *state;
    float z[WIDTH], zr[WIDTH], dz[WIDTH], entropy;
    double wide_z[WIDTH], wide_zr[WIDTH];
    fill(z, wide_z, WIDTH);
    fill(zr, wide_zr, WIDTH);
    for (size_t j = 0; j < WIDTH; j++)
        wide_z[j] = z[j] *= 4.0f;
    float lse = k->logsumexp(z, WIDTH, &entropy);
    float lser = k->logsumexp(zr, WIDTH, NULL);
    float divergence = k->softmax_kl(z, lse, zr, lser, WIDTH);
    assert_close("lse", &lse, &(double){logsumexp(wide_z)}, 1);
    assert_close("entropy", &entropy, &(double){entropy_of(wide_z)}, 1);
    assert_close("kl", &divergence, &(double){kl(wide_z, wide_zr)}, 1);

    const policy_loss losses[] = {{5, 1.0, 0.0}, {36, -0.75, 0.25}};
    for (size_t i = 0; i < 2; i++) {
        const policy_loss *p = &losses[i];
        k->softmax_bwd(dz, z, lse, entropy, p->target, (float)p->g,
                       (float)p->h, WIDTH);
        assert_gradient("dz", dz, softmax_loss, wide_z, WIDTH, p);
    }
}
