/* Reading and writing tokenizer.json and tokenizer_config.json. */
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../tokenizer/tokenizer_private.h"
#include "internal.h"

/* --- model --------------------------------------------------------------- */

static t2g_status read_vocabulary(t2g_tokenizer *t, const char *file,
                                  const json_t *vocab)
{
    const char *key;
    json_t *value;
    if (!json_is_object(vocab))
        return t2g_fail(T2G_ERR_FORMAT, "%s: model.vocab: %s, expected an "
                        "object", file, t2g_json_type(vocab));
    json_object_foreach((json_t *)vocab, key, value) {
        json_int_t id = json_integer_value(value);
        if (!json_is_integer(value) || id < 0 || id > UINT32_MAX)
            return t2g_fail(T2G_ERR_FORMAT, "%s: model.vocab: the id of '%s' "
                            "is %s, expected an integer from 0", file, key,
                            json_is_integer(value) ? "out of range"
                                                   : t2g_json_type(value));
        t2g_status s = t2g_vocabulary_put(&t->vocabulary, (uint32_t)id, key,
                                          strlen(key), TOKEN_MODEL);
        if (s != T2G_OK)
            return t2g_fail_in(s, "%s: model.vocab", file);
    }
    return T2G_OK;
}

typedef struct text_part {
    const char *s;
    size_t n;
} text_part;

/* "left right" or ["left", "right"]; false when it is neither. */
static bool split_merge(const json_t *entry, text_part part[2])
{
    if (json_is_array(entry)) {
        for (size_t i = 0; i < 2; i++) {
            const json_t *text = json_array_get(entry, i);
            if (!json_is_string(text))
                return false;
            part[i] = (text_part){json_string_value(text),
                                  json_string_length(text)};
        }
        return json_array_size(entry) == 2;
    }
    const char *s = json_string_value(entry);
    size_t n = json_string_length(entry);
    const char *space = memchr(s, ' ', n);
    if (!space)
        return false;
    size_t left = (size_t)(space - s), right = n - left - 1;
    part[0] = (text_part){s, left};
    part[1] = (text_part){space + 1, right};
    return memchr(space + 1, ' ', right) == NULL;
}

static t2g_status find_part(const t2g_tokenizer *t, const char *file, size_t i,
                            text_part part, uint32_t *id)
{
    int64_t found = t2g_vocabulary_find(&t->vocabulary, part.s, part.n);
    if (found == T2G_NO_TOKEN)
        return t2g_fail(T2G_ERR_FORMAT, "%s: model.merges[%zu]: '%.*s' is not "
                        "in the vocabulary", file, i, (int)part.n, part.s);
    *id = (uint32_t)found;
    return T2G_OK;
}

static t2g_status read_merge(t2g_tokenizer *t, const char *file, size_t i,
                             const json_t *entry, t2g_buffer *joined)
{
    text_part part[2];
    uint32_t left = 0, right = 0, id = 0;
    if (!split_merge(entry, part))
        return t2g_fail(T2G_ERR_FORMAT, "%s: model.merges[%zu]: expected two "
                        "parts", file, i);
    joined->size = 0;
    T2G_TRY(t2g_buffer_append(joined, part[0].s, part[0].n));
    T2G_TRY(t2g_buffer_append(joined, part[1].s, part[1].n));
    T2G_TRY(find_part(t, file, i, part[0], &left));
    T2G_TRY(find_part(t, file, i, part[1], &right));
    T2G_TRY(find_part(t, file, i, (text_part){joined->data, joined->size},
                      &id));
    return t2g_merges_put(&t->merges, left, right, id);
}

static bool is_version_line(const json_t *entry)
{
    const char *s = json_string_value(entry);
    return s && strncmp(s, "#version", 8) == 0;
}

static t2g_status read_merges(t2g_tokenizer *t, const char *file,
                              const json_t *merges)
{
    t2g_buffer joined = {0};
    t2g_status s = T2G_OK;
    if (!json_is_array(merges))
        return t2g_fail(T2G_ERR_FORMAT, "%s: model.merges: %s, expected an "
                        "array", file, t2g_json_type(merges));
    json_type form = json_array_size(merges)
                         ? json_typeof(json_array_get(merges, 0))
                         : JSON_STRING;
    for (size_t i = 0; i < json_array_size(merges) && s == T2G_OK; i++) {
        const json_t *entry = json_array_get(merges, i);
        if (json_typeof(entry) != form ||
            (form != JSON_STRING && form != JSON_ARRAY))
            s = t2g_fail(T2G_ERR_FORMAT, "%s: model.merges[%zu]: %s, expected "
                         "strings or arrays, all alike", file, i,
                         t2g_json_type(entry));
        else if (!is_version_line(entry))
            s = read_merge(t, file, i, entry, &joined);
    }
    t2g_buffer_free(&joined);
    return s;
}

/* A boolean of the model that may be missing. */
static t2g_status model_flag(const char *file, const json_t *model,
                             const char *key, bool *value)
{
    const json_t *member = json_object_get(model, key);
    *value = json_is_true(member);
    if (member && !json_is_boolean(member))
        return t2g_fail(T2G_ERR_FORMAT, "%s: model.%s: %s, expected true or "
                        "false", file, key, t2g_json_type(member));
    return T2G_OK;
}

/* A string of the model that may be missing or null: then *value = NULL. */
static t2g_status model_text(const char *file, const json_t *model,
                             const char *key, const char **value)
{
    const json_t *member = json_object_get(model, key);
    *value = json_string_value(member);
    if (member && !json_is_string(member) && !json_is_null(member))
        return t2g_fail(T2G_ERR_FORMAT, "%s: model.%s: %s, expected a string",
                        file, key, t2g_json_type(member));
    return T2G_OK;
}

/* Refused before the merges are read, because it changes what they mean. */
static t2g_status refuse_affix(const char *file, const json_t *model,
                               const char *key)
{
    const char *value;
    T2G_TRY(model_text(file, model, key, &value));
    if (!value || value[0] == '\0')
        return T2G_OK;
    return t2g_fail(T2G_ERR_UNSUPPORTED, "%s: model.%s: '%s' is not supported, "
                    "expected null", file, key, value);
}

/* unk_token, fuse_unk and byte_fallback mean something only where a byte has no
 * token: then they are refused, otherwise kept for writing. */
static t2g_status check_fallbacks(const t2g_tokenizer *t, const char *file,
                                  const char *unk, bool byte_fallback)
{
    if (unk && t2g_tokenizer_id(t, unk) == T2G_NO_TOKEN)
        return t2g_fail(T2G_ERR_FORMAT, "%s: model.unk_token: '%s' is not in "
                        "the vocabulary", file, unk);
    for (int byte = 0; byte < 256 && (unk || byte_fallback); byte++) {
        char c = (char)byte;
        if (t2g_vocabulary_find_bytes(&t->vocabulary, &c, 1) == T2G_NO_TOKEN)
            return t2g_fail(T2G_ERR_UNSUPPORTED, "%s: model.%s: not supported "
                            "with a vocabulary that lacks bytes (0x%02X)", file,
                            unk ? "unk_token" : "byte_fallback", byte);
    }
    return T2G_OK;
}

t2g_status t2g_tokenizer_set_model_options(t2g_tokenizer *t, const char *file,
                                           const json_t *model)
{
    bool fuse_unk, byte_fallback;
    const char *unk, *prefix, *suffix;
    const json_t *dropout = json_object_get(model, "dropout");
    T2G_TRY(model_text(file, model, "unk_token", &unk));
    T2G_TRY(model_text(file, model, "continuing_subword_prefix", &prefix));
    T2G_TRY(model_text(file, model, "end_of_word_suffix", &suffix));
    T2G_TRY(model_flag(file, model, "fuse_unk", &fuse_unk));
    T2G_TRY(model_flag(file, model, "byte_fallback", &byte_fallback));
    T2G_TRY(model_flag(file, model, "ignore_merges", &t->ignore_merges));
    T2G_TRY(check_fallbacks(t, file, unk, byte_fallback));
    if (json_number_value(dropout) != 0.0 ||
        (dropout && !json_is_number(dropout) && !json_is_null(dropout)))
        return t2g_fail(T2G_ERR_UNSUPPORTED, "%s: model.dropout: expected null "
                        "or 0", file);
    json_t *options = json_pack(
        "{s:s,s:o,s:s?,s:s?,s:s?,s:b,s:b,s:b}", "type", "BPE", "dropout",
        json_is_number(dropout) ? json_real(0.0) : json_null(), "unk_token",
        unk, "continuing_subword_prefix", prefix, "end_of_word_suffix", suffix,
        "fuse_unk", fuse_unk, "byte_fallback", byte_fallback, "ignore_merges",
        t->ignore_merges);
    if (!options || json_object_set_new(t->parts, "model", options) != 0)
        return t2g_fail(T2G_ERR_MEMORY, "%s: model: no memory", file);
    return T2G_OK;
}

static t2g_status read_model(t2g_tokenizer *t, const char *file,
                             const json_t *model)
{
    const char *type;
    if (!json_is_object(model))
        return t2g_fail(T2G_ERR_FORMAT, "%s: model: %s, expected an object",
                        file, t2g_json_type(model));
    T2G_TRY(model_text(file, model, "type", &type)); /* absent in old files */
    if (type && strcmp(type, "BPE") != 0)
        return t2g_fail(T2G_ERR_UNSUPPORTED, "%s: model.type: '%s' is not "
                        "supported, expected BPE", file, type);
    T2G_TRY(refuse_affix(file, model, "continuing_subword_prefix"));
    T2G_TRY(refuse_affix(file, model, "end_of_word_suffix"));
    T2G_TRY(read_vocabulary(t, file, json_object_get(model, "vocab")));
    return read_merges(t, file, json_object_get(model, "merges"));
}

/* --- added tokens -------------------------------------------------------- */

static const struct {
    const char *key;
    unsigned flag;
} added_flags[] = { /* in the order in which they are written */
    {"single_word", TOKEN_SINGLE_WORD}, {"lstrip", TOKEN_LSTRIP},
    {"rstrip", TOKEN_RSTRIP},           {"normalized", TOKEN_NORMALIZED},
    {"special", TOKEN_SPECIAL},
};
enum { ADDED_FLAGS = sizeof added_flags / sizeof *added_flags };

static t2g_status read_added(t2g_tokenizer *t, const char *file, size_t i,
                             const json_t *entry)
{
    unsigned flags = 0;
    const json_t *content = json_object_get(entry, "content");
    if (!json_is_string(content) ||
        !json_is_integer(json_object_get(entry, "id")))
        return t2g_fail(T2G_ERR_FORMAT, "%s: added_tokens[%zu]: expected an "
                        "object with id and content", file, i);
    for (size_t k = 0; k < ADDED_FLAGS; k++) {
        const json_t *value = json_object_get(entry, added_flags[k].key);
        if (!json_is_boolean(value))
            return t2g_fail(T2G_ERR_FORMAT, "%s: added_tokens[%zu].%s: %s, "
                            "expected true or false", file, i,
                            added_flags[k].key, t2g_json_type(value));
        if (json_is_true(value))
            flags |= added_flags[k].flag;
    }
    t2g_status s = t2g_tokenizer_add(t, json_string_value(content),
                                     json_string_length(content), flags);
    return s == T2G_OK ? s : t2g_fail_in(s, "%s: added_tokens[%zu]", file, i);
}

static t2g_status read_added_tokens(t2g_tokenizer *t, const char *file,
                                    const json_t *list)
{
    if (list && !json_is_array(list) && !json_is_null(list))
        return t2g_fail(T2G_ERR_FORMAT, "%s: added_tokens: %s, expected an "
                        "array", file, t2g_json_type(list));
    for (size_t i = 0; i < json_array_size(list); i++)
        T2G_TRY(read_added(t, file, i, json_array_get(list, i)));
    return T2G_OK;
}

/* --- the file ------------------------------------------------------------ */

static t2g_status check_keys(const char *file, const json_t *root)
{
    static const char *const known[] = {
        "version", "truncation", "padding", "added_tokens", "normalizer",
        "pre_tokenizer", "post_processor", "decoder", "model", NULL};
    const char *key;
    json_t *value;
    if (!json_is_object(root))
        return t2g_fail(T2G_ERR_FORMAT, "%s: %s, expected an object", file,
                        t2g_json_type(root));
    json_object_foreach((json_t *)root, key, value) {
        size_t i = 0;
        while (known[i] && strcmp(known[i], key) != 0)
            i++;
        if (!known[i])
            return t2g_fail(T2G_ERR_FORMAT, "%s: unknown key '%s'", file, key);
        if ((i == 1 || i == 2) && !json_is_null(value))
            return t2g_fail(T2G_ERR_UNSUPPORTED, "%s: %s: not supported, "
                            "expected null", file, key);
    }
    const json_t *version = json_object_get(root, "version");
    if (version && (!json_is_string(version) ||
                    strcmp(json_string_value(version), "1.0") != 0))
        return t2g_fail(T2G_ERR_FORMAT, "%s: version: expected \"1.0\"", file);
    return T2G_OK;
}

static t2g_status read_root(t2g_tokenizer *t, const char *file,
                            const json_t *root)
{
    const json_t *model = json_object_get(root, "model");
    T2G_TRY(check_keys(file, root));
    T2G_TRY(read_model(t, file, model));
    T2G_TRY(read_added_tokens(t, file, json_object_get(root, "added_tokens")));
    T2G_TRY(t2g_tokenizer_set_components(t, root, file));
    T2G_TRY(t2g_tokenizer_set_model_options(t, file, model));
    return t2g_tokenizer_finish(t);
}

static t2g_status read_file(t2g_tokenizer *t, const char *file)
{
    json_t *root = NULL;
    t2g_status s = t2g_json_read(&root, file);
    if (s == T2G_OK)
        s = read_root(t, file, root);
    json_decref(root);
    return s;
}

/* --- tokenizer_config.json and the chat template ------------------------- */

/* bos_token and the like: null, a string, or an object with the content. */
static t2g_status read_role(const t2g_tokenizer *t, const char *file,
                            const json_t *config, const char *key, int64_t *id)
{
    const json_t *value = json_object_get(config, key);
    if (json_is_object(value))
        value = json_object_get(value, "content");
    if (!value || json_is_null(value))
        return T2G_OK;
    if (!json_is_string(value))
        return t2g_fail(T2G_ERR_FORMAT, "%s: %s: %s, expected a string", file,
                        key, t2g_json_type(value));
    *id = t2g_tokenizer_id(t, json_string_value(value));
    if (*id == T2G_NO_TOKEN)
        return t2g_fail(T2G_ERR_FORMAT, "%s: %s: '%s' is no token of the "
                        "tokenizer.json beside it", file, key,
                        json_string_value(value));
    return T2G_OK;
}

/* The template: a string, or the one called default of several. */
static const json_t *find_template(const json_t *value)
{
    for (size_t i = 0; i < json_array_size(value); i++) {
        const json_t *entry = json_array_get(value, i);
        const char *name = json_string_value(json_object_get(entry, "name"));
        if (name && strcmp(name, "default") == 0)
            return json_object_get(entry, "template");
    }
    return value;
}

static t2g_status read_config(t2g_tokenizer *t, const char *file,
                              const json_t *config)
{
    const json_t *text = find_template(json_object_get(config,
                                                       "chat_template"));
    const json_t *length = json_object_get(config, "model_max_length");
    if (!json_is_object(config))
        return t2g_fail(T2G_ERR_FORMAT, "%s: %s, expected an object", file,
                        t2g_json_type(config));
    T2G_TRY(read_role(t, file, config, "bos_token", &t->bos));
    T2G_TRY(read_role(t, file, config, "eos_token", &t->eos));
    T2G_TRY(read_role(t, file, config, "pad_token", &t->pad));
    if (json_is_number(length))
        t->max_length = json_number_value(length);
    if (!json_is_string(text))
        return T2G_OK;
    t->chat_template = t2g_strdup(json_string_value(text));
    return t->chat_template ? T2G_OK : T2G_ERR_MEMORY;
}

static t2g_status read_config_file(t2g_tokenizer *t, const char *file)
{
    json_t *config = NULL;
    t2g_status s = t2g_json_read(&config, file);
    if (s == T2G_OK)
        s = read_config(t, file, config);
    json_decref(config);
    return s;
}

static t2g_status read_template_file(t2g_tokenizer *t, const char *file)
{
    t2g_buffer text = {0};
    t2g_status s = t2g_file_read(file, &text);
    if (s == T2G_OK) {
        t2g_free(t->chat_template);
        t->chat_template = t2g_strndup(text.data ? text.data : "", text.size);
        if (!t->chat_template)
            s = T2G_ERR_MEMORY;
    }
    t2g_buffer_free(&text);
    return s;
}

/* Replaces path by dir/name; *exists when such a file can be read. */
static t2g_status join(t2g_buffer *path, const char *dir, const char *name,
                       bool *exists)
{
    path->size = 0;
    T2G_TRY(t2g_buffer_printf(path, "%s/%s", dir, name));
    *exists = access(path->data, R_OK) == 0;
    return T2G_OK;
}

static t2g_status read_folder(t2g_tokenizer *t, const char *dir,
                              t2g_buffer *path)
{
    bool exists, packed;
    T2G_TRY(join(path, dir, "tokenizer.json.gz", &packed));
    T2G_TRY(join(path, dir, "tokenizer.json", &exists));
    if (packed && !exists)
        T2G_TRY(t2g_buffer_puts(path, ".gz"));
    T2G_TRY(read_file(t, path->data));
    T2G_TRY(join(path, dir, "tokenizer_config.json", &exists));
    if (exists)
        T2G_TRY(read_config_file(t, path->data));
    T2G_TRY(join(path, dir, "chat_template.jinja", &exists));
    return exists ? read_template_file(t, path->data) : T2G_OK;
}

static t2g_status read_any(t2g_tokenizer *t, const char *path)
{
    switch (t2g_tokenizer_file_of(path)) {
    case TOKENIZER_GGUF:
        return t2g_tokenizer_read_gguf(t, path);
    case TOKENIZER_TIKTOKEN:
        return t2g_tokenizer_read_tiktoken(t, path);
    default:
        return read_file(t, path);
    }
}

t2g_status t2g_tokenizer_load(t2g_tokenizer **t, const char *path)
{
    struct stat info;
    T2G_TRY(t2g_tokenizer_new(t));
    t2g_status s;
    if (stat(path, &info) == 0 && S_ISDIR(info.st_mode)) {
        t2g_buffer file = {0};
        s = read_folder(*t, path, &file);
        t2g_buffer_free(&file);
    } else {
        s = read_any(*t, path);
    }
    if (s != T2G_OK) {
        t2g_tokenizer_free(*t);
        *t = NULL;
    }
    return s;
}

/* --- writing ------------------------------------------------------------- */

static json_t *content_of(const t2g_tokenizer *t, uint32_t id)
{
    return json_stringn(token_content(&t->vocabulary, id),
                        t->vocabulary.token[id].content_length);
}

static json_t *added_entry(const t2g_tokenizer *t, uint32_t id)
{
    unsigned flags = t->vocabulary.token[id].flags;
    json_t *entry = json_pack("{s:i,s:o}", "id", (int)id, "content",
                              content_of(t, id));
    int failed = entry == NULL;
    for (size_t k = 0; k < ADDED_FLAGS && !failed; k++)
        failed = json_object_set_new(entry, added_flags[k].key,
                                     json_boolean(flags & added_flags[k].flag));
    if (failed) {
        json_decref(entry);
        return NULL;
    }
    return entry;
}

/* The vocabulary (flag TOKEN_MODEL) by id into an object, or the added tokens
 * (TOKEN_ADDED) into an array. */
static int add_tokens(const t2g_tokenizer *t, json_t *vocab, json_t *added)
{
    const t2g_vocabulary *v = &t->vocabulary;
    int failed = 0;
    for (uint32_t id = 0; id < v->size; id++) {
        const t2g_token *token = &v->token[id];
        if (token->flags & TOKEN_MODEL)
            failed |= json_object_set_new(vocab, token_content(v, id),
                                          json_integer(id));
        if (token->flags & TOKEN_ADDED)
            failed |= json_array_append_new(added, added_entry(t, id));
    }
    return failed;
}

/* Pairs in order of rank; of a pair that occurs twice the later counts. */
static int add_merges(const t2g_tokenizer *t, json_t *list)
{
    const t2g_merges *m = &t->merges;
    int failed = 0;
    for (size_t rank = 0; rank < m->count; rank++) {
        const t2g_merge *merge = &m->merge[rank];
        if (t2g_merges_find(m, merge->left, merge->right) == (int64_t)rank)
            failed |= json_array_append_new(
                list, json_pack("[o,o]", content_of(t, merge->left),
                                content_of(t, merge->right)));
    }
    return failed;
}

/* The whole file as the reference writes it, or NULL without memory. */
static json_t *to_json(const t2g_tokenizer *t)
{
    const json_t *p = t->parts;
    json_t *vocab = json_object(), *merges = json_array();
    json_t *added = json_array();
    json_t *model = json_copy(json_object_get(p, "model"));
    int failed = add_tokens(t, vocab, added) | add_merges(t, merges);
    failed |= json_object_set_new(model, "vocab", vocab);
    failed |= json_object_set_new(model, "merges", merges);
    json_t *root = json_pack(
        "{s:s,s:n,s:n,s:o,s:O,s:O,s:O,s:O,s:o}", "version", "1.0", "truncation",
        "padding", "added_tokens", added, "normalizer",
        json_object_get(p, "normalizer"), "pre_tokenizer",
        json_object_get(p, "pre_tokenizer"), "post_processor",
        json_object_get(p, "post_processor"), "decoder",
        json_object_get(p, "decoder"), "model", model);
    if (failed) {
        json_decref(root);
        return NULL;
    }
    return root;
}

static t2g_status write_tokenizer(const t2g_tokenizer *t, const char *path)
{
    t2g_buffer text = {0};
    json_t *root = to_json(t);
    t2g_status s = t2g_json_append(&text, root, true);
    if (s == T2G_OK)
        s = t2g_file_write(path, text.data, text.size);
    t2g_buffer_free(&text);
    json_decref(root);
    return s;
}

/* No model_max_length says "no limit", as Hugging Face understands it. */
static json_t *config_to_json(const t2g_tokenizer *t)
{
    const struct {
        const char *key;
        int64_t id;
    } roles[] = {{"bos_token", t->bos}, {"eos_token", t->eos},
                 {"pad_token", t->pad}};
    json_t *config = json_pack("{s:b,s:s}", "clean_up_tokenization_spaces", 0,
                               "tokenizer_class", "PreTrainedTokenizerFast");
    int failed = config == NULL;
    for (size_t i = 0; i < sizeof roles / sizeof *roles; i++)
        if (roles[i].id != T2G_NO_TOKEN)
            failed |= json_object_set_new(config, roles[i].key,
                                          content_of(t, (uint32_t)roles[i].id));
    if (t->max_length >= 1 && t->max_length < 1e15)
        failed |= json_object_set_new(config, "model_max_length",
                                      json_integer((json_int_t)t->max_length));
    if (t->chat_template)
        failed |= json_object_set_new(config, "chat_template",
                                      json_string(t->chat_template));
    if (failed) {
        json_decref(config);
        return NULL;
    }
    return config;
}

static t2g_status write_config(const t2g_tokenizer *t, const char *path)
{
    json_t *config = config_to_json(t);
    t2g_status s = config ? t2g_json_write(path, config)
                          : t2g_fail(T2G_ERR_MEMORY, "%s: no memory", path);
    json_decref(config);
    return s;
}

t2g_status t2g_tokenizer_save(const t2g_tokenizer *t, const char *dir)
{
    t2g_buffer path = {0};
    bool exists;
    t2g_status s = t2g_directory_make(dir);
    if (s == T2G_OK)
        s = join(&path, dir, "tokenizer.json", &exists);
    if (s == T2G_OK)
        s = write_tokenizer(t, path.data);
    if (s == T2G_OK)
        s = join(&path, dir, "tokenizer_config.json", &exists);
    if (s == T2G_OK)
        s = write_config(t, path.data);
    t2g_buffer_free(&path);
    return s;
}
