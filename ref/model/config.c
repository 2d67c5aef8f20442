/* config.json of the Llama family. Every key is taken as transformers takes it;
 * what this model does not compute is refused by the name of the key. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "model_private.h"

typedef struct reader {
    const json_t *root;
    const char *path;
} reader;

static bool absent(const json_t *v)
{
    return !v || json_is_null(v);
}

static t2g_status wrong(const reader *r, const char *key, const char *expected)
{
    char *found = json_dumps(json_object_get(r->root, key),
                             JSON_ENCODE_ANY | JSON_COMPACT);
    t2g_status s = t2g_fail(T2G_ERR_FORMAT, "%s: '%s' is %.60s, expected %s",
                            r->path, key, found ? found : "absent", expected);
    free(found);
    return s;
}

/* A size. Absent: *out keeps its default, unless it is required. */
static t2g_status whole(const reader *r, const char *key, bool required,
                        size_t *out)
{
    const json_t *v = json_object_get(r->root, key);
    if (absent(v))
        return required ? t2g_fail(T2G_ERR_FORMAT, "%s: '%s' is missing",
                                   r->path, key)
                        : T2G_OK;
    if (!json_is_integer(v) || json_integer_value(v) < 1 ||
        json_integer_value(v) > (json_int_t)1 << 40)
        return wrong(r, key, "an integer from 1 to 2^40");
    *out = (size_t)json_integer_value(v);
    return T2G_OK;
}

static t2g_status real(const reader *r, const char *key, double *out)
{
    const json_t *v = json_object_get(r->root, key);
    if (absent(v))
        return T2G_OK;
    if (!json_is_number(v))
        return wrong(r, key, "a number");
    *out = json_number_value(v);
    return T2G_OK;
}

static t2g_status above_zero(const reader *r, const char *key, double *out)
{
    T2G_TRY(real(r, key, out));
    bool given = !absent(json_object_get(r->root, key));
    return given && !(*out > 0) ? wrong(r, key, "more than 0") : T2G_OK;
}

static t2g_status flag(const reader *r, const char *key, bool *out)
{
    const json_t *v = json_object_get(r->root, key);
    if (absent(v))
        return T2G_OK;
    if (!json_is_boolean(v))
        return wrong(r, key, "true or false");
    *out = json_is_true(v);
    return T2G_OK;
}

static t2g_status refuse(const reader *r, const char *key)
{
    char *found = json_dumps(json_object_get(r->root, key),
                             JSON_ENCODE_ANY | JSON_COMPACT);
    t2g_status s = t2g_fail(T2G_ERR_UNSUPPORTED, "%s: '%s' = %.80s is not "
                            "supported", r->path, key, found ? found : "?");
    free(found);
    return s;
}

/* --- what kind of model ------------------------------------------------- */

static t2g_status check_family(const reader *r)
{
    const json_t *type = json_object_get(r->root, "model_type");
    const json_t *list = json_object_get(r->root, "architectures");
    const char *first = json_string_value(json_array_get(list, 0));
    if (!absent(list) && (!json_is_array(list) || (json_array_size(list) &&
                                                   !first)))
        return wrong(r, "architectures", "a list of class names");
    if (absent(type) && !first)
        return t2g_fail(T2G_ERR_FORMAT, "%s: 'model_type' is missing",
                        r->path);
    if (!absent(type) && !json_is_string(type))
        return wrong(r, "model_type", "a string");
    if (!absent(type) && strcmp(json_string_value(type), "llama") != 0)
        return refuse(r, "model_type");
    if (first && strcmp(first, "LlamaForCausalLM") != 0 &&
        strcmp(first, "LlamaModel") != 0)
        return refuse(r, "architectures");
    return T2G_OK;
}

static t2g_status check_unsupported(const reader *r)
{
    static const char *const set[] = {"quantization_config", "num_experts",
                                      "num_local_experts"};
    static const char *const on[] = {"is_encoder_decoder",
                                     "add_cross_attention"};
    for (size_t i = 0; i < sizeof set / sizeof *set; i++)
        if (!absent(json_object_get(r->root, set[i])))
            return refuse(r, set[i]);
    for (size_t i = 0; i < sizeof on / sizeof *on; i++)
        if (json_is_true(json_object_get(r->root, on[i])))
            return refuse(r, on[i]);
    const json_t *act = json_object_get(r->root, "hidden_act");
    if (!absent(act)) {
        const char *name = json_string_value(act);
        if (!name)
            return wrong(r, "hidden_act", "a string");
        if (strcmp(name, "silu") != 0 && strcmp(name, "swish") != 0)
            return refuse(r, "hidden_act");
    }
    return T2G_OK;
}

/* --- rotary settings ---------------------------------------------------- */

/* The object that holds them: rope_scaling, else rope_parameters, else none. */
static t2g_status rope_object(const reader *r, reader *out)
{
    const json_t *s = json_object_get(r->root, "rope_scaling");
    if (!absent(s) && !json_is_object(s))
        return wrong(r, "rope_scaling", "an object");
    if (absent(s) || json_object_size(s) == 0) {
        s = json_object_get(r->root, "rope_parameters");
        if (!absent(s) && !json_is_object(s))
            return wrong(r, "rope_parameters", "an object");
    }
    *out = (reader){absent(s) ? NULL : s, r->path};
    if (out->root && (json_object_get(s, "full_attention") ||
                      json_object_get(s, "sliding_attention")))
        return refuse(r, "rope_parameters");
    return T2G_OK;
}

static t2g_status required_real(const reader *s, const char *key, double *out)
{
    if (!json_is_number(json_object_get(s->root, key)))
        return t2g_fail(T2G_ERR_FORMAT, "%s: rotary setting '%s' is missing or "
                        "no number", s->path, key);
    *out = json_number_value(json_object_get(s->root, key));
    return T2G_OK;
}

static t2g_status check_partial(const reader *r)
{
    const json_t *v = r->root ? json_object_get(r->root,
                                                "partial_rotary_factor")
                              : NULL;
    if (!absent(v) && (!json_is_number(v) || json_number_value(v) != 1))
        return refuse(r, "partial_rotary_factor");
    return T2G_OK;
}

static t2g_status theta(const reader *r, const reader *s, t2g_config *c)
{
    const json_t *v = s->root ? json_object_get(s->root, "rope_theta") : NULL;
    if (!v)
        v = json_object_get(r->root, "rope_theta");
    c->rope_theta = 10000;
    if (!v)
        return T2G_OK;
    if (!json_is_number(v) || !(json_number_value(v) > 0))
        return t2g_fail(T2G_ERR_FORMAT, "%s: 'rope_theta' must be a number "
                        "above 0", r->path);
    c->rope_theta = json_number_value(v);
    return T2G_OK;
}

static t2g_status rope_type(const reader *s, t2g_config *c)
{
    static const char *const names[] = {"default", "linear", "llama3", "yarn"};
    const json_t *v = json_object_get(s->root, "rope_type");
    if (!v)
        v = json_object_get(s->root, "type");
    const char *name = v ? json_string_value(v) : "default";
    for (int i = 0; name && i < 4; i++)
        if (strcmp(name, names[i]) == 0) {
            c->rope_type = (t2g_rope_type)i;
            return T2G_OK;
        }
    return t2g_fail(T2G_ERR_UNSUPPORTED, "%s: 'rope_type' %s is not supported "
                    "(default, linear, llama3, yarn)", s->path,
                    name ? name : "(no string)");
}

static t2g_status original_length(const reader *r, const reader *s,
                                  t2g_config *c)
{
    static const char key[] = "original_max_position_embeddings";
    size_t n = c->max_position_embeddings;
    T2G_TRY(whole(s, key, false, &n));
    T2G_TRY(whole(r, key, false, &n));
    c->rope_original = (double)n;
    return T2G_OK;
}

static t2g_status rope_values(const reader *r, const reader *s, t2g_config *c)
{
    if (c->rope_type == T2G_ROPE_LINEAR || c->rope_type == T2G_ROPE_LLAMA3)
        T2G_TRY(required_real(s, "factor", &c->rope_factor));
    if (c->rope_type == T2G_ROPE_LLAMA3) {
        T2G_TRY(required_real(s, "low_freq_factor", &c->rope_low));
        T2G_TRY(required_real(s, "high_freq_factor", &c->rope_high));
        size_t n = 0;
        T2G_TRY(whole(s, "original_max_position_embeddings",
                      absent(json_object_get(
                          r->root, "original_max_position_embeddings")),
                      &n));
    }
    if (c->rope_type == T2G_ROPE_LLAMA3 || c->rope_type == T2G_ROPE_YARN)
        T2G_TRY(original_length(r, s, c));
    if (c->rope_type == T2G_ROPE_YARN) {
        c->rope_factor = (double)c->max_position_embeddings / c->rope_original;
        T2G_TRY(real(s, "factor", &c->rope_factor));
        T2G_TRY(above_zero(s, "attention_factor", &c->rope_attention_factor));
        T2G_TRY(above_zero(s, "beta_fast", &c->rope_beta_fast));
        T2G_TRY(above_zero(s, "beta_slow", &c->rope_beta_slow));
        T2G_TRY(real(s, "mscale", &c->rope_mscale));
        T2G_TRY(real(s, "mscale_all_dim", &c->rope_mscale_all_dim));
        T2G_TRY(flag(s, "truncate", &c->rope_truncate));
    }
    return T2G_OK;
}

static t2g_status read_rope(const reader *r, t2g_config *c)
{
    reader s;
    T2G_TRY(rope_object(r, &s));
    T2G_TRY(check_partial(r));
    T2G_TRY(check_partial(&s));
    T2G_TRY(theta(r, &s, c));
    c->rope_type = T2G_ROPE_DEFAULT;
    if (!s.root)
        return T2G_OK;
    T2G_TRY(rope_type(&s, c));
    T2G_TRY(rope_values(r, &s, c));
    if (c->rope_type != T2G_ROPE_DEFAULT && !(c->rope_factor > 0))
        return t2g_fail(T2G_ERR_FORMAT, "%s: rotary 'factor' must be above 0",
                        r->path);
    if (c->rope_type == T2G_ROPE_LLAMA3 && !(c->rope_high > c->rope_low))
        return t2g_fail(T2G_ERR_FORMAT, "%s: 'high_freq_factor' must exceed "
                        "'low_freq_factor'", r->path);
    if (c->rope_type == T2G_ROPE_YARN && c->rope_theta == 1)
        return t2g_fail(T2G_ERR_FORMAT, "%s: 'rope_theta' must not be 1 with "
                        "yarn", r->path);
    return T2G_OK;
}

/* --- frequencies -------------------------------------------------------- */

static const double pi = 3.14159265358979323846;

static double llama3(const t2g_config *c, double f)
{
    double wave = 2 * pi / f;
    if (wave < c->rope_original / c->rope_high)
        return f;
    if (wave > c->rope_original / c->rope_low)
        return f / c->rope_factor;
    double s = (c->rope_original / wave - c->rope_low) /
               (c->rope_high - c->rope_low);
    return (1 - s) * f / c->rope_factor + s * f;
}

/* The dimension that turns `rotations` times over the original length. */
static double yarn_dimension(const t2g_config *c, double rotations)
{
    return (double)c->head_dim *
           t2g_log(c->rope_original / (2 * pi * rotations)) /
           (2 * t2g_log(c->rope_theta));
}

static double yarn(const t2g_config *c, double f, size_t i)
{
    double low = yarn_dimension(c, c->rope_beta_fast);
    double high = yarn_dimension(c, c->rope_beta_slow);
    if (c->rope_truncate) {
        low = floor(low);
        high = ceil(high);
    }
    low = fmax(low, 0);
    high = fmin(high, (double)c->head_dim - 1);
    if (low == high)
        high += 0.001;
    double r = fmin(fmax(((double)i - low) / (high - low), 0), 1);
    return r * f / c->rope_factor + (1 - r) * f;
}

static double yarn_mscale(double scale, double m)
{
    return scale <= 1 ? 1 : 0.1 * m * t2g_log(scale) + 1;
}

static double yarn_table_scale(const t2g_config *c)
{
    if (c->rope_attention_factor > 0)
        return c->rope_attention_factor;
    if (c->rope_mscale != 0 && c->rope_mscale_all_dim != 0)
        return yarn_mscale(c->rope_factor, c->rope_mscale) /
               yarn_mscale(c->rope_factor, c->rope_mscale_all_dim);
    return yarn_mscale(c->rope_factor, 1);
}

t2g_status t2g_rope_frequencies(const t2g_config *c, float *inv_freq,
                                float *scale)
{
    *scale = c->rope_type == T2G_ROPE_YARN ? (float)yarn_table_scale(c) : 1;
    for (size_t i = 0; i < c->head_dim / 2; i++) {
        double f = t2g_pow(c->rope_theta,
                           -2.0 * (double)i / (double)c->head_dim);
        if (c->rope_type == T2G_ROPE_LINEAR)
            f /= c->rope_factor;
        else if (c->rope_type == T2G_ROPE_LLAMA3)
            f = llama3(c, f);
        else if (c->rope_type == T2G_ROPE_YARN)
            f = yarn(c, f, i);
        inv_freq[i] = (float)f;
        if (!isfinite(inv_freq[i]))
            return t2g_fail(T2G_ERR_FORMAT, "rotary frequency %zu is not "
                            "finite", i);
    }
    return T2G_OK;
}

/* --- tokens ------------------------------------------------------------- */

static t2g_status token(const reader *r, const char *key, const json_t *v,
                        const t2g_config *c, int64_t *out)
{
    if (!json_is_integer(v) || json_integer_value(v) < 0 ||
        (uint64_t)json_integer_value(v) >= c->vocab_size)
        return wrong(r, key, "ids below vocab_size");
    *out = json_integer_value(v);
    return T2G_OK;
}

static t2g_status tokens(const reader *r, t2g_config *c)
{
    const json_t *bos = json_object_get(r->root, "bos_token_id");
    const json_t *eos = json_object_get(r->root, "eos_token_id");
    const json_t *pad = json_object_get(r->root, "pad_token_id");
    c->bos_token_id = bos ? -1 : 1;
    c->pad_token_id = -1;
    if (!absent(bos))
        T2G_TRY(token(r, "bos_token_id", bos, c, &c->bos_token_id));
    if (!absent(pad))
        T2G_TRY(token(r, "pad_token_id", pad, c, &c->pad_token_id));
    c->eos_count = 0;
    if (!eos) {
        c->eos_token_id[c->eos_count++] = 2;
    } else if (json_is_array(eos)) {
        if (json_array_size(eos) > 8)
            return wrong(r, "eos_token_id", "at most 8 ids");
        for (size_t i = 0; i < json_array_size(eos); i++)
            T2G_TRY(token(r, "eos_token_id", json_array_get(eos, i), c,
                          &c->eos_token_id[c->eos_count++]));
    } else if (!absent(eos)) {
        T2G_TRY(token(r, "eos_token_id", eos, c,
                      &c->eos_token_id[c->eos_count++]));
    }
    return T2G_OK;
}

/* --- the whole file ----------------------------------------------------- */

static t2g_status sizes(const reader *r, t2g_config *c)
{
    T2G_TRY(whole(r, "vocab_size", true, &c->vocab_size));
    T2G_TRY(whole(r, "hidden_size", true, &c->hidden_size));
    T2G_TRY(whole(r, "intermediate_size", true, &c->intermediate_size));
    T2G_TRY(whole(r, "num_hidden_layers", true, &c->num_hidden_layers));
    T2G_TRY(whole(r, "num_attention_heads", true, &c->num_attention_heads));
    c->num_key_value_heads = c->num_attention_heads;
    T2G_TRY(whole(r, "num_key_value_heads", false,
                  &c->num_key_value_heads));
    c->head_dim = c->hidden_size / c->num_attention_heads;
    T2G_TRY(whole(r, "head_dim", false, &c->head_dim));
    c->max_position_embeddings = 2048;
    return whole(r, "max_position_embeddings", false,
                 &c->max_position_embeddings);
}

static t2g_status read_config(const reader *r, t2g_config *c)
{
    double eps = 1e-6;
    *c = (t2g_config){.initializer_range = 0.02, .rope_factor = 1,
                      .rope_beta_fast = 32, .rope_beta_slow = 1,
                      .rope_truncate = true};
    T2G_TRY(check_family(r));
    T2G_TRY(check_unsupported(r));
    T2G_TRY(sizes(r, c));
    T2G_TRY(real(r, "rms_norm_eps", &eps));
    if (!(eps >= 0))
        return wrong(r, "rms_norm_eps", "at least 0");
    c->rms_norm_eps = (float)eps;
    T2G_TRY(real(r, "initializer_range", &c->initializer_range));
    T2G_TRY(flag(r, "attention_bias", &c->attention_bias));
    T2G_TRY(flag(r, "mlp_bias", &c->mlp_bias));
    T2G_TRY(flag(r, "tie_word_embeddings", &c->tie_word_embeddings));
    T2G_TRY(tokens(r, c));
    T2G_TRY(read_rope(r, c));
    t2g_status s = t2g_config_check(c);
    return s == T2G_OK ? s : t2g_fail_in(s, "%s", r->path);
}

t2g_status t2g_config_read(t2g_config *c, const char *path)
{
    char file[4096];
    struct stat st;
    bool folder = stat(path, &st) == 0 && S_ISDIR(st.st_mode);
    int n = snprintf(file, sizeof file, "%s%s", path,
                     folder ? "/config.json" : "");
    if (n < 0 || (size_t)n >= sizeof file)
        return t2g_fail(T2G_ERR_ARG, "the path '%s' is too long", path);
    json_t *root;
    T2G_TRY(t2g_json_read(&root, file));
    t2g_status s;
    if (!json_is_object(root)) {
        s = t2g_fail(T2G_ERR_FORMAT, "%s: expected a JSON object", file);
    } else {
        reader r = {root, file};
        s = read_config(&r, c);
    }
    json_decref(root);
    return s;
}

static bool product_fits(size_t a, size_t b)
{
    return a == 0 || b <= SIZE_MAX / 64 / a;
}

t2g_status t2g_config_check(const t2g_config *c)
{
    size_t A = c->num_attention_heads, K = c->num_key_value_heads;
    if (!c->vocab_size || !c->hidden_size || !c->intermediate_size ||
        !c->num_hidden_layers || !A || !K)
        return t2g_fail(T2G_ERR_FORMAT, "a size of the configuration is 0");
    if (c->hidden_size % A) /* even if head_dim is given, as transformers */
        return t2g_fail(T2G_ERR_FORMAT, "'hidden_size' %zu is no multiple of "
                        "'num_attention_heads' %zu", c->hidden_size, A);
    if (A % K)
        return t2g_fail(T2G_ERR_FORMAT, "'num_key_value_heads' %zu does not "
                        "divide 'num_attention_heads' %zu", K, A);
    if (c->head_dim < 2 || c->head_dim % 2)
        return t2g_fail(T2G_ERR_FORMAT, "'head_dim' is %zu, expected an even "
                        "number", c->head_dim);
    if (!product_fits(c->vocab_size, c->hidden_size) ||
        !product_fits(A, c->head_dim) ||
        !product_fits(A * c->head_dim, c->hidden_size) ||
        !product_fits(c->intermediate_size, c->hidden_size) ||
        c->num_hidden_layers > 1 << 16)
        return t2g_fail(T2G_ERR_FORMAT, "the sizes of the configuration "
                        "overflow (hidden_size %zu, vocab_size %zu)",
                        c->hidden_size, c->vocab_size);
    return T2G_OK;
}

static json_t *rope_json(const t2g_config *c)
{
    static const char *const names[] = {"default", "linear", "llama3", "yarn"};
    json_t *o = json_pack("{s:f, s:s}", "rope_theta", c->rope_theta,
                          "rope_type", names[c->rope_type]);
    if (c->rope_type != T2G_ROPE_DEFAULT)
        json_object_set_new(o, "factor", json_real(c->rope_factor));
    if (c->rope_type == T2G_ROPE_LLAMA3 || c->rope_type == T2G_ROPE_YARN)
        json_object_set_new(o, "original_max_position_embeddings",
                            json_integer((json_int_t)c->rope_original));
    if (c->rope_type == T2G_ROPE_LLAMA3) {
        json_object_set_new(o, "low_freq_factor", json_real(c->rope_low));
        json_object_set_new(o, "high_freq_factor", json_real(c->rope_high));
    }
    if (c->rope_type == T2G_ROPE_YARN) {
        json_object_set_new(o, "beta_fast", json_real(c->rope_beta_fast));
        json_object_set_new(o, "beta_slow", json_real(c->rope_beta_slow));
        json_object_set_new(o, "truncate", json_boolean(c->rope_truncate));
        json_object_set_new(o, "attention_factor",
                            json_real(yarn_table_scale(c)));
    }
    return o;
}

static json_t *id_json(int64_t id)
{
    return id >= 0 ? json_integer(id) : json_null();
}

json_t *t2g_config_json(const t2g_config *c)
{
    json_t *eos = json_null();
    if (c->eos_count == 1)
        eos = json_integer(c->eos_token_id[0]);
    if (c->eos_count > 1) {
        eos = json_array();
        for (size_t i = 0; i < c->eos_count; i++)
            json_array_append_new(eos, json_integer(c->eos_token_id[i]));
    }
    char eps[32]; /* the shortest decimal that reads back as the same float */
    for (int digits = 1; digits < 12; digits++) {
        snprintf(eps, sizeof eps, "%.*g", digits, (double)c->rms_norm_eps);
        if (strtof(eps, NULL) == c->rms_norm_eps)
            break;
    }
    json_t *o = json_pack(
        "{s:[s], s:b, s:o, s:s, s:o, s:I, s:s, s:I, s:f, s:I, s:I, s:b, s:s}",
        "architectures", "LlamaForCausalLM", "attention_bias",
        c->attention_bias, "bos_token_id", id_json(c->bos_token_id), "dtype",
        "float32", "eos_token_id", eos, "head_dim", (json_int_t)c->head_dim,
        "hidden_act", "silu", "hidden_size", (json_int_t)c->hidden_size,
        "initializer_range", c->initializer_range, "intermediate_size",
        (json_int_t)c->intermediate_size, "max_position_embeddings",
        (json_int_t)c->max_position_embeddings, "mlp_bias", c->mlp_bias,
        "model_type", "llama");
    json_t *more = json_pack(
        "{s:I, s:I, s:I, s:o, s:f, s:o, s:b, s:b, s:I}",
        "num_attention_heads", (json_int_t)c->num_attention_heads,
        "num_hidden_layers", (json_int_t)c->num_hidden_layers,
        "num_key_value_heads", (json_int_t)c->num_key_value_heads,
        "pad_token_id", id_json(c->pad_token_id), "rms_norm_eps",
        strtod(eps, NULL), "rope_parameters", rope_json(c),
        "tie_word_embeddings", c->tie_word_embeddings, "use_cache", true,
        "vocab_size", (json_int_t)c->vocab_size);
    if (!o || !more || json_object_update(o, more) != 0) {
        json_decref(o);
        o = NULL;
    }
    json_decref(more);
    return o;
}
