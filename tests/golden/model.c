/* Replays vectors/model: what PyTorch and transformers compute from small Llama
 * models. Format and tolerance: vectors/model/README.md. T2G_VECTORS names
 * another folder than "vectors". */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "t2g/t2g.h"

static t2g_kernels kernels;

#define OK(call)                                                               \
    do {                                                                       \
        if ((call) != T2G_OK)                                                  \
            fail_msg("%s", t2g_error_message());                               \
    } while (0)

static void *room(size_t count, size_t size)
{
    void *p = t2g_calloc(count, size);
    assert_non_null(p);
    return p;
}

static const char *in_vectors(const char *name)
{
    static char path[3][4096];
    static unsigned next;
    const char *base = getenv("T2G_VECTORS");
    char *out = path[next++ % 3];
    snprintf(out, sizeof *path, "%s/model/%s", base && *base ? base : "vectors",
             name);
    return out;
}

/* --- rows of tokens ------------------------------------------------------- */

typedef struct token_rows {
    uint32_t *id;
    size_t *row; /* [rows+1] borders */
    size_t rows, tokens;
} token_rows;

static token_rows read_rows(const json_t *lists)
{
    token_rows r = {.rows = json_array_size(lists)};
    const json_t *list, *id;
    size_t i, k;
    assert_true(r.rows > 0);
    json_array_foreach(lists, i, list)
        r.tokens += json_array_size(list);
    r.id = room(r.tokens, sizeof *r.id);
    r.row = room(r.rows + 1, sizeof *r.row);
    json_array_foreach(lists, i, list) {
        r.row[i + 1] = r.row[i] + json_array_size(list);
        json_array_foreach(list, k, id)
            r.id[r.row[i] + k] = (uint32_t)json_integer_value(id);
    }
    return r;
}

static void free_rows(token_rows *r)
{
    t2g_free(r->id);
    t2g_free(r->row);
}

static bool ends_row(const token_rows *r, size_t token)
{
    for (size_t i = 1; i <= r->rows; i++)
        if (r->row[i] == token + 1)
            return true;
    return false;
}

/* --- a case --------------------------------------------------------------- */

typedef struct worst {
    double value;
    char where[112];
} worst;

typedef struct model_case {
    const char *name;
    json_t *root;
    t2g_safetensors want;
    token_rows rows;
    t2g_batch batch;
    t2g_model *m;
    t2g_activations *acts;
    const float *hidden; /* [tokens, H], after the final norm */
    float *d_hidden;     /* [tokens, H], zero */
    size_t compared, failed;
    worst share, relative; /* of the tolerance; of the tensor's largest */
} model_case;

static const char *part_of(const char *name, const char *part)
{
    char both[256];
    snprintf(both, sizeof both, "%s/%s", name, part);
    return in_vectors(both);
}

/* Loads the case and runs the forward pass. */
static model_case open_case(const char *name)
{
    model_case c = {.name = name};
    OK(t2g_json_read(&c.root, part_of(name, "case.json")));
    OK(t2g_safetensors_open(&c.want, part_of(name, "expected.safetensors")));
    OK(t2g_model_load(&c.m, part_of(name, "model"), &kernels));
    OK(t2g_model_make_trainable(c.m));
    OK(t2g_activations_new(&c.acts, c.m));
    c.rows = read_rows(json_object_get(c.root, "rows"));
    c.batch = (t2g_batch){c.rows.id, c.rows.row, c.rows.rows};
    OK(t2g_forward(c.m, c.acts, &c.batch, true, &c.hidden));
    c.d_hidden = room(c.rows.tokens * c.m->config.hidden_size, sizeof(float));
    return c;
}

static void close_case(model_case *c)
{
    json_decref(c->root);
    t2g_safetensors_close(&c->want);
    free_rows(&c->rows);
    t2g_activations_free(c->acts);
    t2g_model_free(c->m);
    t2g_free(c->d_hidden);
}

/* --- comparing ------------------------------------------------------------ */

static void note(worst *w, double value, const char *name, size_t i)
{
    if (value <= w->value)
        return;
    w->value = value;
    snprintf(w->where, sizeof w->where, "%.80s[%zu]", name, i);
}

/* A tensor of the case [n], which the caller frees. */
static float *wanted(const model_case *c, const char *name, size_t n)
{
    const t2g_tensor_view *view = t2g_safetensors_find(&c->want, name);
    if (!view || view->count != n)
        fail_msg("%s: no tensor '%s' of %zu elements", c->name, name, n);
    float *out = room(n, sizeof *out);
    OK(t2g_tensor_to_f32(view, out));
    return out;
}

static double largest(const float *x, size_t n)
{
    double m = 0;
    for (size_t i = 0; i < n; i++)
        m = fmax(m, fabs((double)x[i]));
    return m;
}

static void compare(model_case *c, const char *name, const float *got, size_t n)
{
    float *want = wanted(c, name, n);
    const json_t *noise = json_object_get(json_object_get(c->root, "noise"),
                                          name);
    double base = 1e-6 + 8 * json_number_value(noise), max = largest(want, n);
    size_t bad = 0;
    for (size_t i = 0; i < n; i++) {
        double off = fabs((double)got[i] - (double)want[i]);
        double share = off / (base + 1e-5 * fabs((double)want[i]));
        note(&c->share, share, name, i);
        note(&c->relative, max > 0 ? off / max : off, name, i);
        if (!(share <= 1) && bad++ == 0)
            print_error("%s: %s[%zu]: wanted %.9g, got %.9g\n", c->name, name,
                        i, (double)want[i], (double)got[i]);
    }
    c->compared++;
    c->failed += bad > 0;
    t2g_free(want);
}

static void compare_one(model_case *c, const char *name, double got)
{
    float value = (float)got;
    compare(c, name, &value, 1);
}

/* The backward pass from d_hidden, and every gradient the case has. */
static void compare_gradients(model_case *c)
{
    char name[128];
    OK(t2g_backward(c->m, c->acts, &c->batch, c->d_hidden));
    t2g_model_finish_grad(c->m);
    for (size_t i = 0; i < c->m->params; i++) {
        const t2g_param *p = &c->m->param[i];
        snprintf(name, sizeof name, "grad.%s", p->name);
        compare(c, name, p->grad, p->rows * p->cols);
    }
}

/* `given` tensors of the file are inputs; all others were compared. */
static void finish_case(model_case *c, size_t given)
{
    print_message("%s: %zu tensors, worst %.3g of the tolerance at %s, worst "
                  "relative error %.3g at %s\n", c->name, c->compared,
                  c->share.value, c->share.where, c->relative.value,
                  c->relative.where);
    assert_int_equal(c->failed, 0);
    assert_int_equal(c->compared + given, c->want.count);
    close_case(c);
}

/* --- kind "forward" ------------------------------------------------------- */

static void compare_hidden(model_case *c)
{
    size_t n = c->rows.tokens * c->m->config.hidden_size;
    char name[32];
    for (size_t l = 0; l <= c->m->config.num_hidden_layers; l++) {
        snprintf(name, sizeof name, "hidden.%zu", l);
        compare(c, name, t2g_hidden(c->acts, l), n);
    }
    compare(c, "hidden.final", c->hidden, n);
}

static void compare_logits(model_case *c)
{
    size_t n = c->rows.tokens, V = c->m->config.vocab_size;
    size_t *position = room(n, sizeof *position);
    float *logits = room(n * V, sizeof *logits);
    for (size_t i = 0; i < n; i++)
        position[i] = i;
    OK(t2g_head_logits(c->m, c->hidden, position, n, logits));
    compare(c, "logits", logits, n * V);
    t2g_free(position);
    t2g_free(logits);
}

/* Log-probability of each next token, 0 at the end of a row; entropies. */
static void compare_scores(model_case *c)
{
    size_t n = c->rows.tokens;
    t2g_decision *d = room(n, sizeof *d);
    float *logprob = room(n, sizeof *logprob);
    float *entropy = room(n, sizeof *entropy);
    for (size_t i = 0; i < n; i++)
        d[i] = (t2g_decision){i, ends_row(&c->rows, i) ? 0 : c->rows.id[i + 1]};
    OK(t2g_head_logprobs(c->m, c->hidden, NULL, NULL, d, n, logprob, entropy,
                         NULL, NULL, NULL));
    for (size_t i = 0; i < n; i++)
        if (ends_row(&c->rows, i))
            logprob[i] = 0;
    compare(c, "logprobs", logprob, n);
    compare(c, "entropy", entropy, n);
    t2g_free(d);
    t2g_free(logprob);
    t2g_free(entropy);
}

/* Decisions for the tokens that loss_mask marks; d [tokens]. */
static size_t targets(const model_case *c, t2g_decision *d)
{
    token_rows mask = read_rows(json_object_get(c->root, "loss_mask"));
    size_t n = 0;
    assert_int_equal(mask.tokens, c->rows.tokens);
    for (size_t t = 1; t < mask.tokens; t++)
        if (mask.id[t] && !ends_row(&c->rows, t - 1))
            d[n++] = (t2g_decision){t - 1, c->rows.id[t]};
    free_rows(&mask);
    return n;
}

/* Mean cross-entropy of the marked tokens; d_hidden gets its gradient. */
static void compare_loss(model_case *c)
{
    size_t all = c->rows.tokens;
    t2g_decision *d = room(all, sizeof *d);
    uint32_t *best = room(all, sizeof *best);
    float *g = room(all, sizeof *g), *logprob = room(all, sizeof *logprob);
    float *entropy = room(all, sizeof *entropy);
    size_t n = targets(c, d);
    double loss = 0;
    for (size_t i = 0; i < n; i++)
        g[i] = (float)(-1.0 / (double)n);
    OK(t2g_head_cross_entropy(c->m, c->hidden, d, n, g, c->d_hidden, logprob,
                              entropy, best));
    for (size_t i = 0; i < n; i++)
        loss -= (double)logprob[i] / (double)n;
    compare_one(c, "loss", loss);
    t2g_free(d);
    t2g_free(best);
    t2g_free(g);
    t2g_free(logprob);
    t2g_free(entropy);
}

static void forward(void **state)
{
    model_case c = open_case(*state);
    compare_hidden(&c);
    compare_logits(&c);
    compare_scores(&c);
    compare_loss(&c);
    compare_gradients(&c);
    finish_case(&c, 0);
}

/* --- kind "policy_update" ------------------------------------------------- */

/* One PPO minibatch: n decisions, those for the tokens behind each prompt. */
typedef struct update {
    size_t n;
    t2g_decision *decision;
    size_t *position;
    uint8_t *mask; /* all 1 */
    float *old_logprob, *old_value, *advantage, *ret; /* given */
    float *logprob, *entropy, *value, *d_logprob, *d_value, *d_entropy;
} update;

enum { GIVEN = 4 };

static void fill_decisions(update *u, const model_case *c)
{
    const json_t *prompt = json_object_get(c->root, "prompt");
    for (size_t r = 0; r < c->rows.rows; r++) {
        size_t t = c->rows.row[r] + (size_t)json_integer_value(
            json_array_get(prompt, r));
        for (; t < c->rows.row[r + 1]; t++) {
            u->decision[u->n] = (t2g_decision){t - 1, c->rows.id[t]};
            u->position[u->n] = t - 1;
            u->mask[u->n++] = 1;
        }
    }
}

static update open_update(const model_case *c)
{
    size_t most = c->rows.tokens;
    update u = {.decision = room(most, sizeof *u.decision),
                .position = room(most, sizeof *u.position),
                .mask = room(most, 1)};
    fill_decisions(&u, c);
    u.old_logprob = wanted(c, "old_logprobs", u.n);
    u.old_value = wanted(c, "old_values", u.n);
    u.advantage = wanted(c, "advantages", u.n);
    u.ret = wanted(c, "returns", u.n);
    float *block = room(6 * most, sizeof *block);
    float **part[] = {&u.logprob, &u.entropy, &u.value, &u.d_logprob,
                      &u.d_value, &u.d_entropy};
    for (size_t i = 0; i < 6; i++)
        *part[i] = block + i * most;
    return u;
}

static void close_update(update *u)
{
    t2g_free(u->decision);
    t2g_free(u->position);
    t2g_free(u->mask);
    t2g_free(u->old_logprob);
    t2g_free(u->old_value);
    t2g_free(u->advantage);
    t2g_free(u->ret);
    t2g_free(u->logprob); /* the block */
}

static float setting(const model_case *c, const char *name)
{
    const json_t *o = json_object_get(c->root, "config");
    return (float)json_number_value(json_object_get(o, name));
}

static void policy_update(void **state)
{
    model_case c = open_case(*state);
    update u = open_update(&c);
    const t2g_ppo_config config = {
        .cliprange = setting(&c, "cliprange"),
        .cliprange_value = setting(&c, "cliprange_value"),
        .vf_coef = setting(&c, "vf_coef"), .ent_coef = setting(&c, "ent_coef"),
        .ratio_threshold = INFINITY};
    t2g_ppo_stats stats;
    assert_non_null(c.m->value_weight);
    OK(t2g_head_logprobs(c.m, c.hidden, NULL, NULL, u.decision, u.n, u.logprob,
                         u.entropy, NULL, NULL, NULL));
    t2g_values(c.m, c.hidden, u.position, u.n, u.value);
    t2g_ppo_loss(u.d_logprob, u.d_value, u.d_entropy, &stats, u.mask,
                 u.old_logprob, u.logprob, u.old_value, u.value, u.advantage,
                 u.ret, u.entropy, u.n, &config, 1);
    OK(t2g_head_backward(c.m, c.hidden, u.decision, u.n, u.d_logprob,
                         u.d_entropy, c.d_hidden));
    t2g_values_backward(c.m, c.hidden, u.position, u.n, u.d_value, c.d_hidden);
    compare(&c, "logprobs", u.logprob, u.n);
    compare(&c, "entropy", u.entropy, u.n);
    compare(&c, "values", u.value, u.n);
    compare_one(&c, "loss_policy", stats.loss_policy);
    compare_one(&c, "loss_value", stats.loss_value);
    compare_one(&c, "loss", stats.loss_total);
    compare_gradients(&c);
    close_update(&u);
    finish_case(&c, GIVEN);
}

/* --- kind "greedy" -------------------------------------------------------- */

static size_t end_tokens(int64_t eos[8], const json_t *value)
{
    size_t n = json_array_size(value);
    assert_true(n <= 8);
    for (size_t i = 0; i < n; i++)
        eos[i] = json_integer_value(json_array_get(value, i));
    if (!json_is_integer(value))
        return n;
    eos[0] = json_integer_value(value);
    return 1;
}

static void compare_generation(const char *id, const t2g_generation *g,
                               const json_t *expected, double *off)
{
    const json_t *tokens = json_object_get(expected, "new_tokens");
    const json_t *logprobs = json_object_get(expected, "token_logprobs");
    const char *finish = json_string_value(json_object_get(expected, "finish"));
    size_t n = json_array_size(tokens);
    for (size_t i = 0; i < n && i < g->row[1]; i++) {
        json_int_t want = json_integer_value(json_array_get(tokens, i));
        if ((json_int_t)g->id[i] != want)
            fail_msg("%s: token %zu: wanted %lld, got %u", id, i,
                     (long long)want, g->id[i]);
        *off = fmax(*off, fabs((double)g->logprob[i] - json_number_value(
            json_array_get(logprobs, i))));
    }
    assert_int_equal(g->row[1], n);
    assert_string_equal(g->ended[0] ? "eos" : "length", finish);
}

static void replay_greedy(const json_t *one, double *off)
{
    const json_t *config = json_object_get(one, "config");
    const t2g_sampling s = {
        .temperature = 1, .top_p = 1,
        .max_new_tokens = (size_t)json_integer_value(
            json_object_get(config, "max_new_tokens")),
        .min_new_tokens = (size_t)json_integer_value(
            json_object_get(config, "min_new_tokens"))};
    json_t *list = json_pack("[O]", json_object_get(one, "prompt"));
    token_rows prompt = read_rows(list);
    const t2g_batch batch = {prompt.id, prompt.row, 1};
    int64_t eos[8];
    size_t ends = end_tokens(eos, json_object_get(config, "eos_token_id"));
    t2g_generation g;
    t2g_model *m;
    OK(t2g_model_load(&m, in_vectors(json_string_value(
        json_object_get(one, "model"))), &kernels));
    OK(t2g_generate(m, &batch, &s, 0, eos, ends, NULL, NULL, &g));
    compare_generation(json_string_value(json_object_get(one, "id")), &g,
                       json_object_get(one, "expected"), off);
    t2g_generation_free(&g);
    t2g_model_free(m);
    free_rows(&prompt);
    json_decref(list);
}

static void greedy(void **state)
{
    json_t *root;
    const json_t *one;
    size_t i;
    double off = 0;
    OK(t2g_json_read(&root, in_vectors(*state)));
    const json_t *cases = json_object_get(root, "cases");
    assert_true(json_array_size(cases) > 0);
    json_array_foreach(cases, i, one)
        replay_greedy(one, &off);
    print_message("%s: %zu texts, log-probabilities within %.3g\n",
                  (const char *)*state, json_array_size(cases), off);
    assert_true(off <= 1e-4);
    json_decref(root);
}

int main(void)
{
    static char tied_pad[] = "tied_pad", biases[] = "biases", longer[] = "long";
    static char head_dim[] = "head_dim", ppo[] = "policy_update";
    static char texts[] = "greedy.json";
    const struct CMUnitTest tests[] = {
        {"forward tied_pad", forward, NULL, NULL, tied_pad},
        {"forward biases", forward, NULL, NULL, biases},
        {"forward head_dim", forward, NULL, NULL, head_dim},
        {"forward long", forward, NULL, NULL, longer},
        cmocka_unit_test_prestate(policy_update, ppo),
        cmocka_unit_test_prestate(greedy, texts),
    };
    if (t2g_kernels_select(&kernels, NULL) != T2G_OK) {
        print_error("%s\n", t2g_error_message());
        return 1;
    }
    return cmocka_run_group_tests_name("golden model", tests, NULL, NULL);
}
