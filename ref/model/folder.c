/* Hugging Face model folders: one safetensors file or shards with an index.
 * A checkpoint must hold exactly the tensors its configuration implies. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "model_private.h"

/* --- the files of a checkpoint -------------------------------------------- */

typedef struct checkpoint {
    t2g_safetensors *file;
    size_t files;
} checkpoint;

static void close_checkpoint(checkpoint *c)
{
    for (size_t i = 0; i < c->files; i++)
        t2g_safetensors_close(&c->file[i]);
    t2g_free(c->file);
}

static bool exists(const char *path)
{
    struct stat s;
    return stat(path, &s) == 0;
}

static t2g_status join(char out[4096], const char *dir, const char *name)
{
    int n = snprintf(out, 4096, "%s/%s", dir, name);
    if (n < 0 || n >= 4096)
        return t2g_fail(T2G_ERR_ARG, "the path '%s/%s' is too long", dir, name);
    return T2G_OK;
}

static const t2g_tensor_view *find(const checkpoint *c, const char *name)
{
    const t2g_tensor_view *v = NULL;
    for (size_t i = 0; i < c->files && !v; i++)
        v = t2g_safetensors_find(&c->file[i], name);
    return v;
}

/* Opens a shard unless it is open already; *index is its place. */
static t2g_status open_shard(checkpoint *c, const char *dir, const char *index,
                             const char *name, size_t *place)
{
    char path[4096];
    if (strchr(name, '/') || strchr(name, '\\') || strstr(name, "..") ||
        !*name)
        return t2g_fail(T2G_ERR_FORMAT, "%s: shard '%s' is not a plain file "
                        "name", index, name);
    T2G_TRY(join(path, dir, name));
    for (*place = 0; *place < c->files; ++*place)
        if (strcmp(c->file[*place].path, path) == 0)
            return T2G_OK;
    t2g_safetensors *more = t2g_regrow(c->file, c->files, c->files + 1,
                                       sizeof *more);
    if (!more)
        return T2G_ERR_MEMORY;
    c->file = more;
    T2G_TRY(t2g_safetensors_open(&c->file[c->files], path));
    c->files++;
    return T2G_OK;
}

static t2g_status check_map(const checkpoint *c, const char *index,
                            json_t *map)
{
    for (size_t i = 0; i < c->files; i++)
        for (size_t j = 0; j < c->file[i].count; j++)
            if (!json_object_get(map, c->file[i].tensor[j].name))
                return t2g_fail(T2G_ERR_FORMAT, "%s: tensor '%s' of %s is not "
                                "in the weight map", index,
                                c->file[i].tensor[j].name, c->file[i].path);
    return T2G_OK;
}

static t2g_status read_index(checkpoint *c, const char *dir, const char *index,
                             const json_t *root)
{
    json_t *map = json_object_get(root, "weight_map"), *value;
    const char *key;
    if (!json_is_object(map))
        return t2g_fail(T2G_ERR_FORMAT, "%s: expected an object 'weight_map'",
                        index);
    json_object_foreach(map, key, value) {
        size_t place;
        if (!json_is_string(value))
            return t2g_fail(T2G_ERR_FORMAT, "%s: the file of tensor '%s' is "
                            "not a string", index, key);
        T2G_TRY(open_shard(c, dir, index, json_string_value(value), &place));
        if (!t2g_safetensors_find(&c->file[place], key))
            return t2g_fail(T2G_ERR_FORMAT, "%s: tensor '%s' is missing from "
                            "%s", index, key, c->file[place].path);
    }
    return check_map(c, index, map);
}

static t2g_status open_checkpoint(checkpoint *c, const char *dir)
{
    char path[4096];
    *c = (checkpoint){0};
    T2G_TRY(join(path, dir, "model.safetensors"));
    if (exists(path)) {
        size_t place;
        return open_shard(c, dir, dir, "model.safetensors", &place);
    }
    T2G_TRY(join(path, dir, "model.safetensors.index.json"));
    if (exists(path)) {
        json_t *root;
        T2G_TRY(t2g_json_read(&root, path));
        t2g_status s = read_index(c, dir, path, root);
        json_decref(root);
        return s;
    }
    T2G_TRY(join(path, dir, "pytorch_model.bin"));
    if (exists(path))
        return t2g_fail(T2G_ERR_UNSUPPORTED, "%s: a pickle; save the model as "
                        "model.safetensors", path);
    return t2g_fail(T2G_ERR_IO, "%s: no model.safetensors and no "
                    "model.safetensors.index.json", dir);
}

/* --- names ---------------------------------------------------------------- */

static const char value_prefix[] = "v_head.";
static const char trl_prefix[] = "pretrained_model.";

static bool starts(const char *s, const char *prefix)
{
    return strncmp(s, prefix, strlen(prefix)) == 0;
}

/* The part of a file's tensor name that ours have too. */
static const char *plain_name(const char *name)
{
    return starts(name, trl_prefix) ? name + strlen(trl_prefix) : name;
}

static bool skipped(const char *name)
{
    size_t n = strlen(name), e = strlen(".rotary_emb.inv_freq");
    return n >= e && strcmp(name + n - e, ".rotary_emb.inv_freq") == 0;
}

/* Files of the bare body lack "model." everywhere: decided once. */
static bool lacks_prefix(const checkpoint *c)
{
    for (size_t i = 0; i < c->files; i++)
        for (size_t j = 0; j < c->file[i].count; j++)
            if (starts(plain_name(c->file[i].tensor[j].name), "model."))
                return false;
    return true;
}

/* Our name of a file's tensor, into out. */
static void our_name(char out[128], const char *file_name, bool bare)
{
    const char *name = plain_name(file_name);
    bool body = !starts(name, "lm_head.") && !starts(name, value_prefix);
    snprintf(out, 128, "%s%s", bare && body ? "model." : "", name);
}

/* The parameter of that name; a tied output matrix is the embedding. */
static t2g_param *param_of(const t2g_model *m, const char *name)
{
    if (m->head == m->embed && strcmp(name, "lm_head.weight") == 0)
        return m->embed;
    for (size_t i = 0; i < m->params; i++)
        if (strcmp(m->param[i].name, name) == 0)
            return &m->param[i];
    return NULL;
}

/* --- reading -------------------------------------------------------------- */

static t2g_status fill(t2g_param *p, const t2g_tensor_view *v,
                       const char *path)
{
    bool fits = v->rank == 1 ? p->rows == 1 && v->shape[0] == p->cols
                             : v->rank == 2 && v->shape[0] == p->rows &&
                                   v->shape[1] == p->cols;
    if (!fits) {
        char shape[200] = "";
        size_t n = 0;
        for (size_t i = 0; i < v->rank && n < sizeof shape; i++)
            n += (size_t)snprintf(shape + n, sizeof shape - n, "%s%zu",
                                  i ? ", " : "", v->shape[i]);
        return t2g_fail(T2G_ERR_FORMAT, "%s: tensor '%s' has shape [%s], "
                        "expected [%zu, %zu] by config.json", path, v->name,
                        shape, p->rows, p->cols);
    }
    t2g_status s = t2g_tensor_to_f32(v, p->weight);
    return s == T2G_OK ? s : t2g_fail_in(s, "%s", path);
}

/* Reads every tensor of the files into its parameter; filled [params]. */
static t2g_status fill_all(t2g_model *m, const checkpoint *c, bool *filled)
{
    bool bare = lacks_prefix(c);
    for (size_t i = 0; i < c->files; i++)
        for (size_t j = 0; j < c->file[i].count; j++) {
            const t2g_tensor_view *v = &c->file[i].tensor[j];
            char name[128];
            if (skipped(v->name))
                continue;
            our_name(name, v->name, bare);
            t2g_param *p = param_of(m, name);
            if (!p)
                return t2g_fail(T2G_ERR_FORMAT, "%s: unexpected tensor '%s'; "
                                "config.json implies no such parameter",
                                c->file[i].path, v->name);
            T2G_TRY(fill(p, v, c->file[i].path));
            filled[p - m->param] = true;
        }
    return T2G_OK;
}

static bool has_value_head(const checkpoint *c)
{
    for (size_t i = 0; i < c->files; i++)
        for (size_t j = 0; j < c->file[i].count; j++)
            if (starts(plain_name(c->file[i].tensor[j].name), value_prefix))
                return true;
    return false;
}

static bool same_tensor(const t2g_tensor_view *a, const t2g_tensor_view *b)
{
    return a->size == b->size && memcmp(a->bytes, b->bytes, a->size) == 0;
}

static const t2g_tensor_view *find_ours(const checkpoint *c, const char *name)
{
    const t2g_tensor_view *v = find(c, name);
    char other[160];
    if (!v) {
        snprintf(other, sizeof other, "%s%s", trl_prefix, name);
        v = find(c, other);
    }
    if (!v && starts(name, "model."))
        v = find(c, name + strlen("model."));
    return v;
}

/* How the files treat a tied output matrix: absent or equal, it is the
 * embedding; different, the two are separate parameters whatever config.json
 * says. */
static bool tied_in_files(const t2g_config *config, const checkpoint *c)
{
    const t2g_tensor_view *head = find_ours(c, "lm_head.weight");
    const t2g_tensor_view *embed = find_ours(c, "model.embed_tokens.weight");
    return config->tie_word_embeddings &&
           (!head || !embed || same_tensor(head, embed));
}

static t2g_status read_params(t2g_model *m, const checkpoint *c,
                              const char *dir)
{
    bool *filled = t2g_calloc(m->params, sizeof *filled);
    if (!filled)
        return T2G_ERR_MEMORY;
    t2g_status s = fill_all(m, c, filled);
    for (size_t i = 0; s == T2G_OK && i < m->params; i++)
        if (!filled[i])
            s = t2g_fail(T2G_ERR_FORMAT, "%s: tensor '%s' is missing", dir,
                         m->param[i].name);
    t2g_free(filled);
    return s;
}

t2g_status t2g_model_load(t2g_model **m, const char *dir, const t2g_kernels *k)
{
    t2g_config config;
    checkpoint c = {0};
    *m = NULL;
    T2G_TRY(t2g_config_read(&config, dir));
    t2g_status s = open_checkpoint(&c, dir);
    if (s == T2G_OK) {
        config.tie_word_embeddings = tied_in_files(&config, &c);
        s = t2g_model_new(m, &config, k);
    }
    if (s == T2G_OK && has_value_head(&c))
        s = t2g_model_new_value_head(*m);
    if (s == T2G_OK)
        s = read_params(*m, &c, dir);
    close_checkpoint(&c);
    if (s != T2G_OK) {
        t2g_model_free(*m);
        *m = NULL;
        return s;
    }
    t2g_model_pack(*m);
    return T2G_OK;
}

/* --- writing -------------------------------------------------------------- */

static t2g_status write_json(const char *dir, const char *name, json_t *value)
{
    char path[4096];
    if (!value)
        return t2g_fail(T2G_ERR_MEMORY, "no memory for %s", name);
    t2g_status s = join(path, dir, name);
    if (s == T2G_OK)
        s = t2g_json_write(path, value);
    json_decref(value);
    return s;
}

static json_t *generation_config(const t2g_config *c)
{
    json_t *g = json_object();
    if (c->bos_token_id >= 0)
        json_object_set_new(g, "bos_token_id", json_integer(c->bos_token_id));
    if (c->eos_count == 1)
        json_object_set_new(g, "eos_token_id",
                            json_integer(c->eos_token_id[0]));
    if (c->eos_count > 1) {
        json_t *list = json_array();
        for (size_t i = 0; i < c->eos_count; i++)
            json_array_append_new(list, json_integer(c->eos_token_id[i]));
        json_object_set_new(g, "eos_token_id", list);
    }
    if (c->pad_token_id >= 0)
        json_object_set_new(g, "pad_token_id", json_integer(c->pad_token_id));
    return g;
}

t2g_status t2g_model_save(const t2g_model *m, const char *dir)
{
    char path[4096];
    T2G_TRY(t2g_directory_make(dir));
    T2G_TRY(write_json(dir, "config.json", t2g_config_json(&m->config)));
    T2G_TRY(write_json(dir, "generation_config.json",
                       generation_config(&m->config)));
    T2G_TRY(join(path, dir, "model.safetensors"));
    t2g_tensor_out *t = t2g_calloc(m->params, sizeof *t);
    if (!t)
        return T2G_ERR_MEMORY;
    for (size_t i = 0; i < m->params; i++) {
        const t2g_param *p = &m->param[i];
        bool matrix = p->rows > 1 || p->product;
        t[i] = (t2g_tensor_out){.name = p->name, .dtype = T2G_F32,
                                .rank = matrix ? 2 : 1, .data = p->weight};
        t[i].shape[0] = matrix ? p->rows : p->cols;
        t[i].shape[1] = p->cols;
    }
    t2g_status s = t2g_safetensors_write(path, t, m->params, NULL);
    t2g_free(t);
    return s;
}
