/* `t2g verify model`: a case folder holds a model, rows of tokens and what
 * another implementation computes from them. Fields are compared in the order
 * of the computation, so the first that fails is where the two part. */
#include "verify_model.h"

#include <string.h>

/* --- paths and rows ------------------------------------------------------ */

t2g_status model_path(char *out, const char *dir, const char *name)
{
    int n = snprintf(out, 4096, "%s/%s", dir, name);
    if (n < 0 || n >= 4096)
        return t2g_fail(T2G_ERR_ARG, "the path '%s/%s' is too long", dir, name);
    return T2G_OK;
}

t2g_status model_folder_of(char *out, const char *path)
{
    const char *slash = strrchr(path, '/');
    size_t n = slash ? (size_t)(slash - path) : 1;
    if (n >= 4096)
        return t2g_fail(T2G_ERR_ARG, "the path '%s' is too long", path);
    memcpy(out, slash ? path : ".", n);
    out[n] = '\0';
    return T2G_OK;
}

t2g_status token_rows_read(token_rows *r, const json_t *lists, const char *key)
{
    size_t i, k;
    const json_t *list, *id;
    *r = (token_rows){.rows = json_array_size(lists)};
    if (r->rows == 0)
        return t2g_fail(T2G_ERR_FORMAT, "'%s' is no list of rows", key);
    json_array_foreach(lists, i, list)
        r->tokens += json_array_size(list);
    r->id = t2g_calloc(r->tokens, sizeof *r->id);
    r->row = t2g_calloc(r->rows + 1, sizeof *r->row);
    if (!r->id || !r->row)
        return T2G_ERR_MEMORY;
    json_array_foreach(lists, i, list) {
        r->row[i + 1] = r->row[i] + json_array_size(list);
        json_array_foreach(list, k, id) {
            json_int_t value = json_integer_value(id);
            if (!json_is_integer(id) || value < 0 || value > UINT32_MAX)
                return t2g_fail(T2G_ERR_FORMAT, "'%s'[%zu][%zu] is no id", key,
                                i, k);
            r->id[r->row[i] + k] = (uint32_t)value;
        }
    }
    return T2G_OK;
}

void token_rows_free(token_rows *r)
{
    t2g_free(r->id);
    t2g_free(r->row);
    *r = (token_rows){0};
}

/* --- what is not implemented --------------------------------------------- */

const char *model_unsupported(char room[128], const json_t *config)
{
    const char *type = json_string_value(json_object_get(config, "model_type"));
    const json_t *rope = json_object_get(config, "rope_scaling");
    if (!json_object_size(rope))
        rope = json_object_get(config, "rope_parameters");
    const char *kind = json_string_value(json_object_get(rope, "rope_type"));
    if (!kind)
        kind = json_string_value(json_object_get(rope, "type"));
    if (type && strcmp(type, "llama") != 0)
        snprintf(room, 128, "model_type %.64s is not implemented", type);
    else if (kind && strcmp(kind, "dynamic") == 0)
        snprintf(room, 128, "rope_type dynamic is not implemented");
    else
        return NULL;
    return room;
}

const char *model_folder_unsupported(char room[128], const char *dir)
{
    char file[4096];
    json_t *config = NULL;
    if (model_path(file, dir, "config.json") != T2G_OK ||
        t2g_json_read(&config, file) != T2G_OK)
        return NULL;
    const char *why = model_unsupported(room, config);
    json_decref(config);
    return why;
}

/* --- a case folder ------------------------------------------------------- */

typedef struct model_case {
    verifier *v;
    const json_t *root;
    t2g_safetensors want;
    size_t used; /* tensors of `want` that were compared or read */
    token_rows rows;
    t2g_model *m;
    t2g_activations *acts;
    const float *hidden; /* [tokens, H], after the final norm */
    float *d_hidden;     /* [tokens, H], zero */
} model_case;

static void release(model_case *c)
{
    t2g_safetensors_close(&c->want);
    token_rows_free(&c->rows);
    t2g_activations_free(c->acts);
    t2g_model_free(c->m);
    t2g_free(c->d_hidden);
}

static t2g_batch batch_of(const model_case *c)
{
    return (t2g_batch){c->rows.id, c->rows.row, c->rows.rows};
}

/* Loads everything and runs the forward pass. */
static t2g_status prepare(model_case *c, const char *path, const char *dir)
{
    char file[4096];
    T2G_TRY(model_path(file, path, "expected.safetensors"));
    T2G_TRY(t2g_safetensors_open(&c->want, file));
    T2G_TRY(token_rows_read(&c->rows, json_object_get(c->root, "rows"),
                            "rows"));
    T2G_TRY(t2g_model_load(&c->m, dir, verify_kernels(c->v)));
    T2G_TRY(t2g_model_make_trainable(c->m));
    T2G_TRY(t2g_activations_new(&c->acts, c->m));
    t2g_batch batch = batch_of(c);
    T2G_TRY(t2g_forward(c->m, c->acts, &batch, true, &c->hidden));
    c->d_hidden = t2g_calloc(c->rows.tokens * c->m->config.hidden_size,
                             sizeof *c->d_hidden);
    return c->d_hidden ? T2G_OK : T2G_ERR_MEMORY;
}

/* A tensor of the case [n], which the caller frees. */
static t2g_status wanted(model_case *c, const char *name, size_t n, float **out)
{
    const t2g_tensor_view *view = t2g_safetensors_find(&c->want, name);
    *out = NULL;
    if (!view)
        return t2g_fail(T2G_ERR_FORMAT, "%s: no tensor '%s'", c->want.path,
                        name);
    if (view->count != n)
        return t2g_fail(T2G_ERR_FORMAT, "%s: '%s' has %zu elements, the model "
                        "gives %zu", c->want.path, name, view->count, n);
    c->used++;
    *out = t2g_calloc(n, sizeof **out);
    return *out ? t2g_tensor_to_f32(view, *out) : T2G_ERR_MEMORY;
}

static void compare(model_case *c, const char *name, const float *got, size_t n)
{
    float *want;
    if (wanted(c, name, n, &want) == T2G_OK)
        verify_f32(c->v, name, got, want, NULL, n,
                   oracle_noise(c->root, name));
    else
        verify_fail(c->v, name, "%s", t2g_error_message());
    t2g_free(want);
}

static void compare_one(model_case *c, const char *name, double got)
{
    float value = (float)got;
    compare(c, name, &value, 1);
}

/* Hidden states before the first layer, after each, after the final norm. */
static void compare_hidden(model_case *c)
{
    size_t L = c->m->config.num_hidden_layers;
    size_t n = c->rows.tokens * c->m->config.hidden_size;
    char name[32];
    for (size_t l = 0; l <= L; l++) {
        snprintf(name, sizeof name, "hidden.%zu", l);
        compare(c, name, t2g_hidden(c->acts, l), n);
    }
    compare(c, "hidden.final", c->hidden, n);
}

static void compare_gradient(model_case *c, const t2g_param *p)
{
    char name[128];
    snprintf(name, sizeof name, "grad.%s", p->name);
    if (t2g_safetensors_find(&c->want, name)) /* else it gets none */
        compare(c, name, p->grad, p->rows * p->cols);
}

/* The backward pass from d_hidden, then gradients from the last layer back. */
static t2g_status compare_gradients(model_case *c)
{
    t2g_batch batch = batch_of(c);
    T2G_TRY(t2g_backward(c->m, c->acts, &batch, c->d_hidden));
    t2g_model_finish_grad(c->m);
    for (size_t i = c->m->params; i-- > 0;)
        compare_gradient(c, &c->m->param[i]);
    if (c->used != c->want.count)
        verify_fail(c->v, "tensors", "the case has %zu tensors, of which %zu "
                    "could be compared", c->want.count, c->used);
    return T2G_OK;
}

/* --- kind "forward" ------------------------------------------------------ */

static t2g_status compare_logits(model_case *c)
{
    size_t n = c->rows.tokens, V = c->m->config.vocab_size;
    size_t *position = t2g_calloc(n, sizeof *position);
    float *logits = t2g_calloc(n * V, sizeof *logits);
    t2g_status s = position && logits ? T2G_OK : T2G_ERR_MEMORY;
    for (size_t i = 0; s == T2G_OK && i < n; i++)
        position[i] = i;
    if (s == T2G_OK)
        s = t2g_head_logits(c->m, c->hidden, position, n, logits);
    if (s == T2G_OK)
        compare(c, "logits", logits, n * V);
    t2g_free(position);
    t2g_free(logits);
    return s;
}

static bool ends_row(const token_rows *r, size_t token)
{
    for (size_t i = 1; i <= r->rows; i++)
        if (r->row[i] == token + 1)
            return true;
    return false;
}

/* Log-probability of each next token, 0 at the end of a row; entropies. */
static t2g_status compare_scores(model_case *c)
{
    size_t n = c->rows.tokens;
    t2g_decision *d = t2g_calloc(n, sizeof *d);
    float *logprob = t2g_calloc(2 * n, sizeof *logprob);
    t2g_status s = d && logprob ? T2G_OK : T2G_ERR_MEMORY;
    for (size_t i = 0; s == T2G_OK && i < n; i++)
        d[i] = (t2g_decision){i, ends_row(&c->rows, i) ? 0 : c->rows.id[i + 1]};
    if (s == T2G_OK)
        s = t2g_head_logprobs(c->m, c->hidden, NULL, NULL, d, n, logprob,
                              logprob + n, NULL, NULL, NULL);
    for (size_t i = 0; s == T2G_OK && i < n; i++)
        if (ends_row(&c->rows, i))
            logprob[i] = 0;
    if (s == T2G_OK) {
        compare(c, "logprobs", logprob, n);
        compare(c, "entropy", logprob + n, n);
    }
    t2g_free(d);
    t2g_free(logprob);
    return s;
}

/* Decisions for the tokens that loss_mask marks. out [tokens]. */
static t2g_status targets(const model_case *c, t2g_decision *d, size_t *n)
{
    token_rows mask;
    t2g_status s = token_rows_read(&mask, json_object_get(c->root, "loss_mask"),
                                   "loss_mask");
    if (s == T2G_OK && mask.tokens != c->rows.tokens)
        s = t2g_fail(T2G_ERR_FORMAT, "'loss_mask' has %zu entries for %zu "
                     "tokens", mask.tokens, c->rows.tokens);
    *n = 0;
    for (size_t t = 1; s == T2G_OK && t < mask.tokens; t++)
        if (mask.id[t] && !ends_row(&c->rows, t - 1))
            d[(*n)++] = (t2g_decision){t - 1, c->rows.id[t]};
    token_rows_free(&mask);
    return s;
}

/* Mean cross-entropy of the marked tokens; d_hidden gets its gradient. */
static t2g_status compare_loss(model_case *c)
{
    size_t n = 0, all = c->rows.tokens;
    t2g_decision *d = t2g_calloc(all, sizeof *d);
    uint32_t *best = t2g_calloc(all, sizeof *best);
    float *g = t2g_calloc(3 * all, sizeof *g);
    t2g_status s = d && g && best ? targets(c, d, &n) : T2G_ERR_MEMORY;
    for (size_t i = 0; i < n; i++)
        g[i] = (float)(-1.0 / (double)n);
    if (s == T2G_OK)
        s = t2g_head_cross_entropy(c->m, c->hidden, d, n, g, c->d_hidden,
                                   g + all, g + 2 * all, best);
    double loss = 0;
    for (size_t i = 0; s == T2G_OK && i < n; i++)
        loss -= (double)g[all + i] / (double)n;
    if (s == T2G_OK)
        compare_one(c, "loss", loss);
    t2g_free(d);
    t2g_free(g);
    t2g_free(best);
    return s;
}

static t2g_status compare_forward(model_case *c)
{
    compare_hidden(c);
    T2G_TRY(compare_logits(c));
    T2G_TRY(compare_scores(c));
    T2G_TRY(compare_loss(c));
    return compare_gradients(c);
}

/* --- kind "value" -------------------------------------------------------- */

static t2g_status need_value_head(const model_case *c)
{
    if (c->m->value_weight)
        return T2G_OK;
    return t2g_fail(T2G_ERR_FORMAT, "the model has no value head");
}

/* values and loss = sum of coef*values; d_hidden gets its gradient. */
static t2g_status compare_values(model_case *c, const float *coef,
                                 float *value, size_t *position)
{
    size_t n = c->rows.tokens;
    double loss = 0;
    for (size_t i = 0; i < n; i++)
        position[i] = i;
    t2g_values(c->m, c->hidden, position, n, value);
    compare(c, "values", value, n);
    for (size_t i = 0; i < n; i++)
        loss += (double)coef[i] * (double)value[i];
    compare_one(c, "loss", loss);
    t2g_values_backward(c->m, c->hidden, position, n, coef, c->d_hidden);
    return compare_gradients(c);
}

static t2g_status compare_value(model_case *c)
{
    size_t n = c->rows.tokens;
    float *coef;
    T2G_TRY(need_value_head(c));
    T2G_TRY(wanted(c, "coef", n, &coef));
    float *value = t2g_calloc(n, sizeof *value);
    size_t *position = t2g_calloc(n, sizeof *position);
    t2g_status s = value && position ? compare_values(c, coef, value, position)
                                     : T2G_ERR_MEMORY;
    t2g_free(coef);
    t2g_free(value);
    t2g_free(position);
    return s;
}

/* --- kind "policy_update" ------------------------------------------------ */

/* One PPO minibatch: n decisions, those for the tokens behind each prompt. */
typedef struct update {
    size_t n;
    t2g_decision *decision;
    size_t *position;
    uint8_t *mask; /* all 1 */
    float *old_logprob, *old_value, *advantage, *ret;          /* given */
    float *logprob, *entropy, *value, *d_logprob, *d_value, *d_entropy;
    float *block; /* of the line above */
} update;

static void update_free(update *u)
{
    t2g_free(u->decision);
    t2g_free(u->position);
    t2g_free(u->mask);
    t2g_free(u->old_logprob);
    t2g_free(u->old_value);
    t2g_free(u->advantage);
    t2g_free(u->ret);
    t2g_free(u->block);
}

static t2g_status update_allocate(update *u, size_t most)
{
    float **part[] = {&u->logprob, &u->entropy, &u->value, &u->d_logprob,
                      &u->d_value, &u->d_entropy};
    u->decision = t2g_calloc(most, sizeof *u->decision);
    u->position = t2g_calloc(most, sizeof *u->position);
    u->mask = t2g_calloc(most, 1);
    u->block = t2g_calloc(most, 6 * sizeof *u->block);
    if (!u->decision || !u->position || !u->mask || !u->block)
        return T2G_ERR_MEMORY;
    for (size_t i = 0; i < 6; i++)
        *part[i] = u->block + i * most;
    return T2G_OK;
}

static t2g_status update_decisions(update *u, const model_case *c)
{
    const json_t *prompt = json_object_get(c->root, "prompt");
    for (size_t r = 0; r < c->rows.rows; r++) {
        size_t begin = c->rows.row[r], end = c->rows.row[r + 1];
        json_int_t n = json_integer_value(json_array_get(prompt, r));
        if (n < 1 || (size_t)n > end - begin)
            return t2g_fail(T2G_ERR_FORMAT, "'prompt'[%zu] is no length within "
                            "its row", r);
        for (size_t t = begin + (size_t)n; t < end; t++) {
            u->decision[u->n] = (t2g_decision){t - 1, c->rows.id[t]};
            u->position[u->n] = t - 1;
            u->mask[u->n++] = 1;
        }
    }
    return T2G_OK;
}

static t2g_status update_given(update *u, model_case *c)
{
    T2G_TRY(wanted(c, "old_logprobs", u->n, &u->old_logprob));
    T2G_TRY(wanted(c, "old_values", u->n, &u->old_value));
    T2G_TRY(wanted(c, "advantages", u->n, &u->advantage));
    return wanted(c, "returns", u->n, &u->ret);
}

static t2g_ppo_config ppo_config_of(const model_case *c)
{
    const json_t *o = json_object_get(c->root, "config");
    t2g_ppo_config p = {.ratio_threshold = 1e9f};
    p.cliprange = (float)json_number_value(json_object_get(o, "cliprange"));
    p.cliprange_value =
        (float)json_number_value(json_object_get(o, "cliprange_value"));
    p.vf_coef = (float)json_number_value(json_object_get(o, "vf_coef"));
    p.ent_coef = (float)json_number_value(json_object_get(o, "ent_coef"));
    return p;
}

static t2g_status run_update(update *u, model_case *c)
{
    const t2g_ppo_config config = ppo_config_of(c);
    t2g_ppo_stats stats;
    T2G_TRY(update_allocate(u, c->rows.tokens));
    T2G_TRY(update_decisions(u, c));
    T2G_TRY(update_given(u, c));
    T2G_TRY(t2g_head_logprobs(c->m, c->hidden, NULL, NULL, u->decision, u->n,
                              u->logprob, u->entropy, NULL, NULL, NULL));
    t2g_values(c->m, c->hidden, u->position, u->n, u->value);
    t2g_ppo_loss(u->d_logprob, u->d_value, u->d_entropy, &stats, u->mask,
                 u->old_logprob, u->logprob, u->old_value, u->value,
                 u->advantage, u->ret, u->entropy, u->n, &config, 1);
    compare(c, "logprobs", u->logprob, u->n);
    compare(c, "entropy", u->entropy, u->n);
    compare(c, "values", u->value, u->n);
    compare_one(c, "loss_policy", stats.loss_policy);
    compare_one(c, "loss_value", stats.loss_value);
    compare_one(c, "loss", stats.loss_total);
    T2G_TRY(t2g_head_backward(c->m, c->hidden, u->decision, u->n, u->d_logprob,
                              u->d_entropy, c->d_hidden));
    t2g_values_backward(c->m, c->hidden, u->position, u->n, u->d_value,
                        c->d_hidden);
    return compare_gradients(c);
}

static t2g_status compare_update(model_case *c)
{
    update u = {0};
    T2G_TRY(need_value_head(c));
    t2g_status s = run_update(&u, c);
    update_free(&u);
    return s;
}

/* --- the stage ----------------------------------------------------------- */

typedef t2g_status compare_fn(model_case *c);

static void verify_folder(verifier *v, const char *path, const json_t *root,
                          compare_fn *compare_kind)
{
    const char *id = json_string_value(json_object_get(root, "id"));
    const char *model = json_string_value(json_object_get(root, "model"));
    char dir[4096], room[128];
    model_case c = {.v = v, .root = root};
    t2g_status s = model_path(dir, path, model ? model : "model");
    const char *why = model_folder_unsupported(room, dir);
    if (json_object_get(root, "adapter"))
        why = "adapters are not implemented";
    if (s == T2G_OK && why) {
        verify_skip(v, path, id, why);
        return;
    }
    if (!verify_begin(v, path, id))
        return;
    if (s == T2G_OK)
        s = prepare(&c, path, dir);
    if (s == T2G_OK)
        s = compare_kind(&c);
    if (s != T2G_OK)
        verify_fail(v, "case", "%s", t2g_error_message());
    release(&c);
    verify_end(v);
}

static const struct folder_kind {
    const char *kind;
    compare_fn *compare;
} folder_kinds[] = {{"forward", compare_forward},
                    {"value", compare_value},
                    {"policy_update", compare_update}};

static const struct file_kind {
    const char *kind;
    void (*verify)(verifier *v, const char *path, const json_t *root);
} file_kinds[] = {{"config", verify_model_configs},
                  {"checkpoint", verify_model_checkpoints},
                  {"greedy", verify_model_greedy}};

static const struct unknown_kind {
    const char *kind, *why;
} unknown_kinds[] = {{"lora", "adapters are not implemented"},
                     {"warpers", "processors of logits have no function of "
                                 "their own"},
                     {"beams", "beam search is not implemented"},
                     {"gguf", "GGUF is not implemented"},
                     {"gguf_bad", "GGUF is not implemented"},
                     {"gguf_tokenizer", "GGUF is not implemented"}};

void verify_model(verifier *v, const char *path, const json_t *root)
{
    const char *kind = json_string_value(json_object_get(root, "kind"));
    const char *why = "not a kind of model cases";
    for (size_t i = 0; kind && i < 3; i++) {
        if (strcmp(kind, folder_kinds[i].kind) == 0) {
            verify_folder(v, path, root, folder_kinds[i].compare);
            return;
        }
        if (strcmp(kind, file_kinds[i].kind) == 0) {
            file_kinds[i].verify(v, path, root);
            return;
        }
    }
    for (size_t i = 0; i < sizeof unknown_kinds / sizeof *unknown_kinds; i++)
        if (kind && strcmp(kind, unknown_kinds[i].kind) == 0)
            why = unknown_kinds[i].why;
    verify_skip(v, path, NULL, why);
}
