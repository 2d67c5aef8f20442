/* `t2g verify model`: files of many cases - configurations, checkpoints, greedy
 * generation. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "verify_model.h"

static const char *text_of(const json_t *o, const char *key)
{
    const char *text = json_string_value(json_object_get(o, key));
    return text ? text : "";
}

/* --- configurations ------------------------------------------------------ */

static void same_integer(verifier *v, const json_t *fields, const char *key,
                         size_t got)
{
    int64_t want = json_integer_value(json_object_get(fields, key));
    int64_t found = (int64_t)got;
    if (json_object_get(fields, key))
        verify_i64(v, key, &found, &want, 1);
}

static void same_flag(verifier *v, const json_t *fields, const char *key,
                      bool got)
{
    const json_t *want = json_object_get(fields, key);
    if (want && json_is_true(want) != got)
        verify_fail(v, key, "wanted %s", got ? "false" : "true");
}

/* null is no token: -1 in ours. */
static void same_token(verifier *v, const json_t *fields, const char *key,
                       int64_t got)
{
    const json_t *id = json_object_get(fields, key);
    int64_t want = json_is_integer(id) ? json_integer_value(id) : -1;
    verify_i64(v, key, &got, &want, 1);
}

static void same_ends(verifier *v, const json_t *fields, const t2g_config *c)
{
    const json_t *eos = json_object_get(fields, "eos");
    if (json_array_size(eos) != c->eos_count) {
        verify_fail(v, "eos", "wanted %zu ids, got %zu", json_array_size(eos),
                    c->eos_count);
        return;
    }
    for (size_t i = 0; i < c->eos_count; i++) {
        int64_t want = json_integer_value(json_array_get(eos, i));
        verify_i64(v, "eos", &c->eos_token_id[i], &want, 1);
    }
}

/* got is the float nearest to what the case computed in double. */
static void same_real(verifier *v, const char *key, const json_t *want,
                      double got)
{
    double value = json_number_value(want);
    verify_f64(v, key, &got, &value, 1, 0, 1e-7);
}

static void same_rope(verifier *v, const json_t *rope, const t2g_config *c)
{
    static const char *const names[] = {"default", "linear", "llama3", "yarn"};
    const json_t *want = json_object_get(rope, "inv_freq");
    const char *type = text_of(rope, "type"), *got = names[c->rope_type];
    float scale, *freq = t2g_calloc(c->head_dim / 2, sizeof *freq);
    verify_text(v, "rope.type", got, strlen(got), type, strlen(type));
    same_real(v, "rope.theta", json_object_get(rope, "theta"), c->rope_theta);
    if (!freq || t2g_rope_frequencies(c, freq, &scale) != T2G_OK) {
        verify_fail(v, "rope", "%s", t2g_error_message());
    } else if (json_array_size(want) != c->head_dim / 2) {
        verify_fail(v, "rope.inv_freq", "wanted %zu elements, got %zu",
                    json_array_size(want), c->head_dim / 2);
    } else {
        same_real(v, "rope.table_scale", json_object_get(rope, "table_scale"),
                  scale);
        for (size_t i = 0; i < c->head_dim / 2; i++)
            same_real(v, "rope.inv_freq", json_array_get(want, i), freq[i]);
    }
    t2g_free(freq);
}

static void same_layers(verifier *v, const json_t *fields, const t2g_config *c)
{
    const json_t *scale = json_object_get(fields, "score_scale");
    const json_t *window = json_object_get(fields, "windows");
    for (size_t l = 0; l < c->num_hidden_layers; l++) {
        same_real(v, "score_scale", json_array_get(scale, l),
                  1 / sqrt((double)c->head_dim));
        if (json_integer_value(json_array_get(window, l)) != 0)
            verify_fail(v, "windows", "wanted a window in layer %zu", l);
    }
}

static void same_config(verifier *v, const json_t *fields, const t2g_config *c)
{
    same_integer(v, fields, "vocab_size", c->vocab_size);
    same_integer(v, fields, "hidden_size", c->hidden_size);
    same_integer(v, fields, "num_layers", c->num_hidden_layers);
    same_integer(v, fields, "num_heads", c->num_attention_heads);
    same_integer(v, fields, "num_kv_heads", c->num_key_value_heads);
    same_integer(v, fields, "head_dim", c->head_dim);
    same_integer(v, fields, "intermediate_size", c->intermediate_size);
    same_integer(v, fields, "max_positions", c->max_position_embeddings);
    same_flag(v, fields, "tied", c->tie_word_embeddings);
    same_flag(v, fields, "qkv_bias", c->attention_bias);
    same_flag(v, fields, "o_bias", c->attention_bias);
    same_flag(v, fields, "mlp_bias", c->mlp_bias);
    same_flag(v, fields, "qk_norm", false);
    same_token(v, fields, "bos", c->bos_token_id);
    same_token(v, fields, "pad", c->pad_token_id);
    same_ends(v, fields, c);
    same_real(v, "eps", json_object_get(fields, "eps"), c->rms_norm_eps);
    same_rope(v, json_object_get(fields, "rope"), c);
    same_layers(v, fields, c);
}

/* The case's verdict against ours on the file `scratch`. */
static void compare_config(verifier *v, const char *scratch, const json_t *one)
{
    const char *key = text_of(one, "key");
    t2g_config c;
    t2g_status s = t2g_config_read(&c, scratch);
    if (strcmp(text_of(one, "expect"), "accept") == 0) {
        if (s == T2G_OK)
            same_config(v, json_object_get(one, "fields"), &c);
        else
            verify_fail(v, "expect", "wanted acceptance: %s",
                        t2g_error_message());
    } else if (s == T2G_OK) {
        verify_fail(v, "expect", "wanted a refusal of '%s', it was accepted",
                    key);
    } else if (!strstr(t2g_error_message(), key)) {
        verify_fail(v, "expect", "wanted a message that names '%s', got: %s",
                    key, t2g_error_message());
    }
}

static t2g_status write_config(const char *scratch, const json_t *one)
{
    const char *text = json_string_value(json_object_get(one, "text"));
    if (text)
        return t2g_file_write(scratch, text, strlen(text));
    return t2g_json_write(scratch, json_object_get(one, "config"));
}

static void verify_config(verifier *v, const char *path, const char *scratch,
                          const json_t *one)
{
    const char *id = text_of(one, "id");
    const json_t *config = json_object_get(one, "config");
    char room[128];
    const char *why = model_unsupported(room, config);
    if (why && strcmp(text_of(one, "key"), "model_type") != 0) {
        verify_skip(v, path, id, why);
        return;
    }
    if (!verify_begin(v, path, id))
        return;
    if (write_config(scratch, one) == T2G_OK)
        compare_config(v, scratch, one);
    else
        verify_fail(v, "case", "%s", t2g_error_message());
    verify_end(v);
}

void verify_model_configs(verifier *v, const char *path, const json_t *root)
{
    const json_t *cases = json_object_get(root, "cases"), *one;
    const char *directory = getenv("TMPDIR");
    char scratch[4096];
    size_t i;
    snprintf(scratch, sizeof scratch, "%s/t2g-verify-XXXXXX",
             directory && *directory ? directory : "/tmp");
    int fd = mkstemp(scratch);
    if (fd < 0) {
        verify_skip(v, path, NULL, "no temporary file can be made (TMPDIR)");
        return;
    }
    close(fd);
    json_array_foreach(cases, i, one)
        verify_config(v, path, scratch, one);
    unlink(scratch);
}

/* --- logits and generated tokens ----------------------------------------- */

/* Accepts what 1e-4 allows: cases of these kinds give no noise. */
static void same_floats(verifier *v, const char *field, const float *got,
                        const float *want, size_t n)
{
    double *pair = t2g_calloc(2 * n, sizeof *pair);
    for (size_t i = 0; pair && i < n; i++) {
        pair[i] = got[i];
        pair[n + i] = want[i];
    }
    if (pair)
        verify_f64(v, field, pair, pair + n, n, 1e-4, 0);
    else
        verify_fail(v, field, "%s", t2g_error_message());
    t2g_free(pair);
}

/* Logits [tokens, V] of one row. */
static t2g_status logits_of(const t2g_model *m, const token_rows *r,
                            float **logits)
{
    t2g_activations *a = NULL;
    const t2g_batch batch = {r->id, r->row, 1};
    const float *hidden;
    size_t n = r->tokens, *position = t2g_calloc(n, sizeof *position);
    *logits = t2g_calloc(n * m->config.vocab_size, sizeof **logits);
    t2g_status s = position && *logits ? t2g_activations_new(&a, m)
                                       : T2G_ERR_MEMORY;
    for (size_t i = 0; s == T2G_OK && i < n; i++)
        position[i] = i;
    if (s == T2G_OK)
        s = t2g_forward(m, a, &batch, false, &hidden);
    if (s == T2G_OK)
        s = t2g_head_logits(m, hidden, position, n, *logits);
    t2g_activations_free(a);
    t2g_free(position);
    return s;
}

/* --- checkpoints --------------------------------------------------------- */

typedef struct checkpoints {
    verifier *v;
    const char *path;
    char folder[4096]; /* of path */
    t2g_safetensors want;
    token_rows row;
} checkpoints;

/* A folder without logits of its own (NaN among its weights) is only loaded. */
static t2g_status compare_logits(checkpoints *c, const t2g_model *m,
                                 const char *name)
{
    size_t n = c->row.tokens * m->config.vocab_size;
    const t2g_tensor_view *view = t2g_safetensors_find(&c->want, name);
    if (!view)
        return T2G_OK;
    if (view->count != n)
        return t2g_fail(T2G_ERR_FORMAT, "%s: '%s' has %zu elements, the model "
                        "gives %zu", c->want.path, name, view->count, n);
    float *got = NULL, *want = t2g_calloc(n, sizeof *want);
    t2g_status s = want ? t2g_tensor_to_f32(view, want) : T2G_ERR_MEMORY;
    if (s == T2G_OK)
        s = logits_of(m, &c->row, &got);
    if (s == T2G_OK)
        same_floats(c->v, "logits", got, want, n);
    t2g_free(got);
    t2g_free(want);
    return s;
}

static void compare_checkpoint(checkpoints *c, const char *dir,
                               const json_t *one)
{
    t2g_model *m;
    bool accept = strcmp(text_of(one, "expect"), "accept") == 0;
    t2g_status s = t2g_model_load(&m, dir, verify_kernels(c->v));
    if (s == T2G_OK && !accept)
        verify_fail(c->v, "expect", "wanted a refusal (%s), it was loaded",
                    text_of(one, "category"));
    if (s == T2G_OK && accept)
        s = compare_logits(c, m, text_of(one, "folder"));
    if (s != T2G_OK && accept)
        verify_fail(c->v, "expect", "wanted acceptance: %s",
                    t2g_error_message());
    t2g_model_free(m);
}

static void verify_checkpoint(checkpoints *c, const json_t *one)
{
    const char *name = text_of(one, "folder");
    char dir[4096], room[128];
    t2g_status s = model_path(dir, c->folder, name);
    const char *why = s == T2G_OK ? model_folder_unsupported(room, dir) : NULL;
    if (why) {
        verify_skip(c->v, c->path, name, why);
        return;
    }
    if (!verify_begin(c->v, c->path, name))
        return;
    if (s == T2G_OK)
        compare_checkpoint(c, dir, one);
    else
        verify_fail(c->v, "case", "%s", t2g_error_message());
    verify_end(c->v);
}

static t2g_status open_checkpoints(checkpoints *c, const json_t *root)
{
    char file[4096];
    json_t *rows = json_pack("[O]", json_object_get(root, "row"));
    t2g_status s = token_rows_read(&c->row, rows, "row");
    json_decref(rows);
    if (s == T2G_OK)
        s = model_folder_of(c->folder, c->path);
    if (s == T2G_OK)
        s = model_path(file, c->folder, "expected.safetensors");
    return s == T2G_OK ? t2g_safetensors_open(&c->want, file) : s;
}

void verify_model_checkpoints(verifier *v, const char *path, const json_t *root)
{
    const json_t *cases = json_object_get(root, "cases"), *one;
    const json_t *adapters = json_object_get(root, "adapters");
    checkpoints c = {.v = v, .path = path};
    size_t i;
    if (open_checkpoints(&c, root) != T2G_OK) {
        if (verify_begin(v, path, "-")) {
            verify_fail(v, "file", "%s", t2g_error_message());
            verify_end(v);
        }
    } else {
        json_array_foreach(cases, i, one)
            verify_checkpoint(&c, one);
        json_array_foreach(adapters, i, one)
            verify_skip(v, path, text_of(one, "folder"),
                        "adapters are not implemented");
    }
    t2g_safetensors_close(&c.want);
    token_rows_free(&c.row);
}

/* --- greedy generation --------------------------------------------------- */

/* A setting that the library does not have, as a reason to skip, or NULL. */
static const char *setting_unsupported(char room[128], const json_t *config)
{
    static const char *const known[] = {"max_new_tokens", "min_new_tokens",
                                        "eos_token_id"};
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)config, key, value) {
        bool found = false;
        for (size_t i = 0; i < 3; i++)
            found = found || strcmp(key, known[i]) == 0;
        if (!found) {
            snprintf(room, 128, "%.64s is not implemented", key);
            return room;
        }
    }
    return NULL;
}

static size_t end_tokens(int64_t eos[8], const json_t *config)
{
    const json_t *value = json_object_get(config, "eos_token_id");
    size_t n = json_array_size(value);
    if (json_is_integer(value)) {
        eos[0] = json_integer_value(value);
        return 1;
    }
    for (size_t i = 0; i < n && i < 8; i++)
        eos[i] = json_integer_value(json_array_get(value, i));
    return n < 8 ? n : 8;
}

static void compare_generation(verifier *v, const t2g_generation *g,
                               const json_t *expected)
{
    const json_t *tokens = json_object_get(expected, "new_tokens");
    const json_t *logprobs = json_object_get(expected, "token_logprobs");
    const char *finish = text_of(expected, "finish");
    const char *got = g->ended[0] ? "eos" : "length";
    size_t n = g->row[1];
    if (json_array_size(tokens) != n)
        verify_fail(v, "new_tokens", "wanted %zu, got %zu",
                    json_array_size(tokens), n);
    for (size_t i = 0; i < n && i < json_array_size(tokens); i++) {
        int64_t want = json_integer_value(json_array_get(tokens, i));
        int64_t id = g->id[i];
        double lp = json_number_value(json_array_get(logprobs, i));
        double found = g->logprob[i];
        char field[48];
        snprintf(field, sizeof field, "new_tokens[%zu]", i);
        verify_i64(v, field, &id, &want, 1);
        snprintf(field, sizeof field, "token_logprobs[%zu]", i);
        verify_f64(v, field, &found, &lp, 1, 1e-4, 0);
        if (id != want)
            break; /* what follows belongs to another text */
    }
    verify_text(v, "finish", got, strlen(got), finish, strlen(finish));
}

static t2g_status compare_greedy(verifier *v, const char *dir,
                                 const token_rows *prompt, const json_t *one)
{
    const json_t *config = json_object_get(one, "config");
    const json_t *most = json_object_get(config, "max_new_tokens");
    t2g_sampling sampling = {.temperature = 1, .top_p = 1};
    const t2g_batch batch = {prompt->id, prompt->row, 1};
    int64_t eos[8];
    size_t ends = end_tokens(eos, config);
    t2g_generation g = {0};
    t2g_model *m;
    sampling.max_new_tokens = most ? (size_t)json_integer_value(most) : 20;
    sampling.min_new_tokens = (size_t)json_integer_value(
        json_object_get(config, "min_new_tokens"));
    t2g_status s = t2g_model_load(&m, dir, verify_kernels(v));
    if (s == T2G_OK)
        s = t2g_generate(m, &batch, &sampling, 0, eos, ends, NULL, NULL, &g);
    if (s == T2G_OK)
        compare_generation(v, &g, json_object_get(one, "expected"));
    t2g_generation_free(&g);
    t2g_model_free(m);
    return s;
}

static void verify_greedy(verifier *v, const char *path, const char *folder,
                          const json_t *one)
{
    const char *id = text_of(one, "id");
    char dir[4096], room[128];
    t2g_status s = model_path(dir, folder, text_of(one, "model"));
    const char *why = s == T2G_OK ? model_folder_unsupported(room, dir) : NULL;
    if (!why)
        why = setting_unsupported(room, json_object_get(one, "config"));
    if (why) {
        verify_skip(v, path, id, why);
        return;
    }
    if (!verify_begin(v, path, id))
        return;
    token_rows prompt = {0};
    json_t *rows = json_pack("[O]", json_object_get(one, "prompt"));
    if (s == T2G_OK)
        s = token_rows_read(&prompt, rows, "prompt");
    if (s == T2G_OK)
        s = compare_greedy(v, dir, &prompt, one);
    if (s != T2G_OK)
        verify_fail(v, "case", "%s", t2g_error_message());
    json_decref(rows);
    token_rows_free(&prompt);
    verify_end(v);
}

void verify_model_greedy(verifier *v, const char *path, const json_t *root)
{
    const json_t *one;
    char folder[4096];
    size_t i;
    if (model_folder_of(folder, path) != T2G_OK) {
        verify_skip(v, path, NULL, "its path is too long");
        return;
    }
    json_array_foreach(json_object_get(root, "cases"), i, one)
        verify_greedy(v, path, folder, one);
}
