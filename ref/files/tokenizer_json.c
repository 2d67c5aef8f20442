/* Reading and writing tokenizer.json and tokenizer_config.json. */
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../tokenizer/tokenizer_private.h"
#include "internal.h"
#include "json_scan.h"

/* --- the two large members ----------------------------------------------- */

/* Bytes of the file, and how many elements they seem to be. */
typedef struct range {
    const char *begin, *end;
    size_t elements;
} range;

typedef struct large {
    range vocab, merges; /* begin NULL: not found */
} large;

static bool is_key(const char *key, size_t n, const char *name)
{
    return strlen(name) == n && memcmp(key, name, n) == 0;
}

/* The value at s->p becomes *r if it is the first and opens so. */
static bool note_large(json_scan *s, char open, range *r)
{
    bool wanted = t2g_json_scan_peek(s) == open && !r->begin;
    const char *begin = s->p;
    size_t elements;
    if (!t2g_json_scan_skip(s, &elements))
        return false;
    if (wanted)
        *r = (range){begin, s->p, elements};
    return true;
}

static bool scan_model(json_scan *s, large *found)
{
    if (t2g_json_scan_peek(s) != '{')
        return t2g_json_scan_skip(s, NULL);
    t2g_json_scan_take(s, '{');
    while (!t2g_json_scan_take(s, '}')) {
        const char *key;
        size_t n;
        if (!t2g_json_scan_string(s, &key, &n))
            return false;
        bool vocab = is_key(key, n, "vocab"), merges = is_key(key, n, "merges");
        if (!t2g_json_scan_take(s, ':') ||
            !(vocab    ? note_large(s, '{', &found->vocab)
              : merges ? note_large(s, '[', &found->merges)
                       : t2g_json_scan_skip(s, NULL)))
            return false;
        t2g_json_scan_take(s, ',');
    }
    return true;
}

/* Finds model.vocab and model.merges. False when the text is not JSON: reading
 * the rest says why. */
static bool scan_root(json_scan *s, large *found)
{
    if (!t2g_json_scan_take(s, '{'))
        return false;
    while (!t2g_json_scan_take(s, '}')) {
        const char *key;
        size_t n;
        if (!t2g_json_scan_string(s, &key, &n))
            return false;
        bool model = is_key(key, n, "model");
        if (!t2g_json_scan_take(s, ':') ||
            !(model ? scan_model(s, found) : t2g_json_scan_skip(s, NULL)))
            return false;
        t2g_json_scan_take(s, ',');
    }
    return true;
}

/* Appends [from, r.begin) and null in place of r, on as many lines. */
static t2g_status leave_out(t2g_buffer *out, const char **from, range r)
{
    if (!r.begin)
        return T2G_OK;
    T2G_TRY(t2g_buffer_append(out, *from, (size_t)(r.begin - *from)));
    T2G_TRY(t2g_buffer_puts(out, "null"));
    for (const char *p = r.begin;
         (p = memchr(p, '\n', (size_t)(r.end - p))) != NULL; p++)
        T2G_TRY(t2g_buffer_puts(out, "\n"));
    *from = r.end;
    return T2G_OK;
}

/* The tree of everything but the large members. */
static t2g_status parse_rest(json_t **root, const char *file,
                             const t2g_buffer *text, const large *found)
{
    bool merges_first = found->merges.begin < found->vocab.begin;
    range first = merges_first ? found->merges : found->vocab;
    range second = merges_first ? found->vocab : found->merges;
    const char *from = text->data, *end = text->data + text->size;
    t2g_buffer rest = {0};
    t2g_status s = leave_out(&rest, &from, first);
    if (s == T2G_OK)
        s = leave_out(&rest, &from, second);
    if (s == T2G_OK)
        s = t2g_buffer_append(&rest, from, (size_t)(end - from));
    if (s == T2G_OK)
        s = t2g_json_parse(root, rest.data, rest.size, file, 1);
    t2g_buffer_free(&rest);
    return s;
}

/* --- model --------------------------------------------------------------- */

static json_scan scan_range(const t2g_buffer *text, range r)
{
    return (json_scan){.begin = text->data, .p = r.begin, .end = r.end};
}

static t2g_status bad_json(const json_scan *s, const char *file,
                           const char *member, const char *expected)
{
    size_t line, column;
    if (s->no_memory)
        return t2g_fail(T2G_ERR_MEMORY, "%s: %s: no memory", file, member);
    t2g_json_scan_place(s, &line, &column);
    return t2g_fail(T2G_ERR_FORMAT, "%s:%zu:%zu: %s: expected %s", file, line,
                    column, member, expected);
}

/* Of a key that is repeated the last value counts. */
static t2g_status put_token(t2g_tokenizer *t, uint32_t id, const char *key,
                            size_t n)
{
    int64_t earlier = t2g_vocabulary_find(&t->vocabulary, key, n);
    if (earlier == (int64_t)id)
        return T2G_OK;
    if (earlier != T2G_NO_TOKEN)
        t2g_vocabulary_remove(&t->vocabulary, (uint32_t)earlier);
    return t2g_vocabulary_put(&t->vocabulary, id, key, n, TOKEN_MODEL);
}

static t2g_status read_vocabulary(t2g_tokenizer *t, const char *file,
                                  json_scan *s)
{
    t2g_json_scan_take(s, '{');
    while (!t2g_json_scan_take(s, '}')) {
        const char *key;
        size_t n;
        uint32_t id;
        if (!t2g_json_scan_string(s, &key, &n))
            return bad_json(s, file, "model.vocab", "a string");
        if (!t2g_json_scan_take(s, ':') || !t2g_json_scan_u32(s, &id))
            return bad_json(s, file, "model.vocab", "an id, an integer from 0");
        t2g_status status = put_token(t, id, key, n);
        if (status != T2G_OK)
            return t2g_fail_in(status, "%s: model.vocab", file);
        if (!t2g_json_scan_take(s, ',') && t2g_json_scan_peek(s) != '}')
            return bad_json(s, file, "model.vocab", "',' or '}'");
    }
    return T2G_OK;
}

/* The parts of a merge; right lies in the buffer or the input. */
typedef struct parts {
    t2g_buffer left, joined;
    const char *right;
    size_t right_length;
    bool as_list; /* ["left", "right"], else "left right" */
    uint32_t id;  /* of the merge before */
} parts;

static bool read_parts(json_scan *s, parts *p)
{
    const char *text;
    size_t n;
    p->left.size = 0;
    p->as_list = t2g_json_scan_take(s, '[');
    if (!t2g_json_scan_string(s, &text, &n))
        return false;
    const char *space = p->as_list ? NULL : memchr(text, ' ', n);
    size_t left = space ? (size_t)(space - text) : n;
    s->no_memory = t2g_buffer_append(&p->left, text, left) != T2G_OK;
    if (s->no_memory)
        return false;
    if (p->as_list)
        return t2g_json_scan_take(s, ',') &&
               t2g_json_scan_string(s, &p->right, &p->right_length) &&
               t2g_json_scan_take(s, ']');
    p->right = text + left + (space != NULL);
    p->right_length = n - left - (space != NULL);
    bool comment = n >= 8 && memcmp(text, "#version", 8) == 0;
    return comment || (space && !memchr(p->right, ' ', p->right_length));
}

static bool is_version(const parts *p)
{
    return !p->as_list && p->left.size >= 8 &&
           memcmp(p->left.data, "#version", 8) == 0;
}

static t2g_status find_part(const t2g_tokenizer *t, const char *file, size_t i,
                            const char *text, size_t n, uint32_t *id)
{
    int64_t found = t2g_vocabulary_find(&t->vocabulary, text, n);
    if (found == T2G_NO_TOKEN)
        return t2g_fail(T2G_ERR_FORMAT, "%s: model.merges[%zu]: '%.*s' is not "
                        "in the vocabulary", file, i, (int)n, text);
    *id = (uint32_t)found;
    return T2G_OK;
}

static bool has_content(const t2g_vocabulary *v, uint32_t id,
                        const t2g_buffer *text)
{
    return id < v->size && v->token[id].flags != 0 &&
           v->token[id].content_length == text->size &&
           memcmp(token_content(v, id), text->data, text->size) == 0;
}

/* Of p->joined. Merges usually stand in the order of the tokens they make, so
 * that it is the one before or the next. */
static t2g_status find_joined(const t2g_tokenizer *t, const char *file,
                              size_t i, parts *p)
{
    if (has_content(&t->vocabulary, p->id, &p->joined))
        return T2G_OK;
    if (has_content(&t->vocabulary, p->id + 1, &p->joined)) {
        p->id++;
        return T2G_OK;
    }
    return find_part(t, file, i, p->joined.data, p->joined.size, &p->id);
}

/* The token of a merge is both parts, without the prefix of the right one. */
static t2g_status put_merge(t2g_tokenizer *t, const char *file, size_t i,
                            parts *p)
{
    uint32_t left = 0, right = 0;
    const char *prefix = t->spelling.prefix ? t->spelling.prefix : "";
    size_t skip = strlen(prefix);
    if (p->right_length < skip || memcmp(p->right, prefix, skip) != 0)
        return t2g_fail(T2G_ERR_FORMAT, "%s: model.merges[%zu]: '%.*s' does "
                        "not begin with '%s'", file, i, (int)p->right_length,
                        p->right, prefix);
    p->joined.size = 0;
    T2G_TRY(t2g_buffer_append(&p->joined, p->left.data, p->left.size));
    T2G_TRY(t2g_buffer_append(&p->joined, p->right + skip,
                              p->right_length - skip));
    T2G_TRY(find_part(t, file, i, p->left.data, p->left.size, &left));
    T2G_TRY(find_part(t, file, i, p->right, p->right_length, &right));
    T2G_TRY(find_joined(t, file, i, p));
    return t2g_merges_put(&t->merges, left, right, p->id);
}

static t2g_status read_merge_list(t2g_tokenizer *t, const char *file,
                                  json_scan *s, parts *p)
{
    bool as_list = false;
    t2g_json_scan_take(s, '[');
    for (size_t i = 0; !t2g_json_scan_take(s, ']'); i++) {
        if (!read_parts(s, p))
            return bad_json(s, file, "model.merges",
                            "\"left right\" or [\"left\", \"right\"]");
        if (i > 0 && p->as_list != as_list)
            return bad_json(s, file, "model.merges",
                            "strings or arrays, all alike");
        as_list = p->as_list;
        if (!is_version(p))
            T2G_TRY(put_merge(t, file, i, p));
        if (!t2g_json_scan_take(s, ',') && t2g_json_scan_peek(s) != ']')
            return bad_json(s, file, "model.merges", "',' or ']'");
    }
    return T2G_OK;
}

static t2g_status read_merges(t2g_tokenizer *t, const char *file, json_scan *s)
{
    parts p = {.as_list = false};
    t2g_status status = read_merge_list(t, file, s, &p);
    t2g_buffer_free(&p.left);
    t2g_buffer_free(&p.joined);
    return status;
}

/* --- options of the model ------------------------------------------------ */

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
    if (*value && strlen(*value) != json_string_length(member))
        return t2g_fail(T2G_ERR_UNSUPPORTED, "%s: model.%s: a NUL character "
                        "inside", file, key);
    return T2G_OK;
}

/* The prefix or suffix; an empty one is none. */
static t2g_status set_affix(char **affix, const char *value)
{
    if (!value || !*value)
        return T2G_OK;
    *affix = t2g_strdup(value);
    return *affix ? T2G_OK : T2G_ERR_MEMORY;
}

/* Merges left out at random: kept, but encoding refuses. */
static t2g_status read_dropout(const char *file, const json_t *dropout,
                               double *value)
{
    *value = json_number_value(dropout);
    if ((!dropout || json_is_null(dropout) || json_is_number(dropout)) &&
        *value >= 0 && *value <= 1)
        return T2G_OK;
    return t2g_fail(T2G_ERR_FORMAT, "%s: model.dropout: expected null or a "
                    "number from 0 to 1", file);
}

t2g_status t2g_tokenizer_set_model_options(t2g_tokenizer *t, const char *file,
                                           const json_t *model)
{
    t2g_spelling *p = &t->spelling;
    const char *unk, *prefix, *suffix;
    const json_t *dropout = json_object_get(model, "dropout");
    T2G_TRY(read_dropout(file, dropout, &p->dropout));
    T2G_TRY(model_text(file, model, "unk_token", &unk));
    T2G_TRY(model_text(file, model, "continuing_subword_prefix", &prefix));
    T2G_TRY(model_text(file, model, "end_of_word_suffix", &suffix));
    T2G_TRY(model_flag(file, model, "fuse_unk", &p->fuse_unk));
    T2G_TRY(model_flag(file, model, "byte_fallback", &p->byte_fallback));
    T2G_TRY(model_flag(file, model, "ignore_merges", &p->ignore_merges));
    T2G_TRY(set_affix(&p->prefix, prefix));
    T2G_TRY(set_affix(&p->suffix, suffix));
    p->unk = unk ? t2g_tokenizer_id(t, unk) : T2G_NO_TOKEN;
    if (unk && p->unk == T2G_NO_TOKEN)
        return t2g_fail(T2G_ERR_FORMAT, "%s: model.unk_token: '%s' is not in "
                        "the vocabulary", file, unk);
    json_t *options = json_pack(
        "{s:s,s:o,s:s?,s:s?,s:s?,s:b,s:b,s:b}", "type", "BPE", "dropout",
        json_is_number(dropout) ? json_real(p->dropout) : json_null(),
        "unk_token",
        unk, "continuing_subword_prefix", prefix, "end_of_word_suffix", suffix,
        "fuse_unk", p->fuse_unk, "byte_fallback", p->byte_fallback,
        "ignore_merges", p->ignore_merges);
    if (!options || json_object_set_new(t->parts, "model", options) != 0)
        return t2g_fail(T2G_ERR_MEMORY, "%s: model: no memory", file);
    return T2G_OK;
}

/* --- the model ----------------------------------------------------------- */

static t2g_status read_model(t2g_tokenizer *t, const char *file,
                             const t2g_buffer *text, const json_t *model,
                             const large *found)
{
    const char *type;
    if (!json_is_object(model))
        return t2g_fail(T2G_ERR_FORMAT, "%s: model: %s, expected an object",
                        file, t2g_json_type(model));
    T2G_TRY(model_text(file, model, "type", &type)); /* absent in old files */
    if (type && strcmp(type, "BPE") != 0)
        return t2g_fail(T2G_ERR_UNSUPPORTED, "%s: model.type: '%s' is not "
                        "supported, expected BPE", file, type);
    if (!found->vocab.begin)
        return t2g_fail(T2G_ERR_FORMAT, "%s: model.vocab: %s, expected an "
                        "object", file,
                        t2g_json_type(json_object_get(model, "vocab")));
    if (!found->merges.begin)
        return t2g_fail(T2G_ERR_FORMAT, "%s: model.merges: %s, expected an "
                        "array", file,
                        t2g_json_type(json_object_get(model, "merges")));
    json_scan vocab = scan_range(text, found->vocab);
    json_scan merges = scan_range(text, found->merges);
    T2G_TRY(t2g_vocabulary_reserve(&t->vocabulary, found->vocab.elements));
    T2G_TRY(t2g_merges_reserve(&t->merges, found->merges.elements));
    t2g_status s = read_vocabulary(t, file, &vocab);
    if (s == T2G_OK)
        s = t2g_tokenizer_set_model_options(t, file, model);
    if (s == T2G_OK)
        s = read_merges(t, file, &merges);
    t2g_buffer_free(&vocab.text);
    t2g_buffer_free(&merges.text);
    return s;
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
    if (s != T2G_OK)
        return t2g_fail_in(s, "%s: added_tokens[%zu]", file, i);
    json_int_t declared = json_integer_value(json_object_get(entry, "id"));
    int64_t id = t2g_vocabulary_find(&t->vocabulary, json_string_value(content),
                                     json_string_length(content));
    if (id == declared || id == T2G_NO_TOKEN)
        return T2G_OK;
    return t2g_tokenizer_warn(t, "%s: added_tokens[%zu]: '%s' gets id %lld, "
                              "not the %lld that is declared", file, i,
                              json_string_value(content), (long long)id,
                              (long long)declared);
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
    }
    const json_t *version = json_object_get(root, "version");
    if (version && (!json_is_string(version) ||
                    strcmp(json_string_value(version), "1.0") != 0))
        return t2g_fail(T2G_ERR_FORMAT, "%s: version: expected \"1.0\"", file);
    return T2G_OK;
}

static t2g_status read_root(t2g_tokenizer *t, const char *file,
                            const t2g_buffer *text, const json_t *root,
                            const large *found)
{
    const json_t *added = json_object_get(root, "added_tokens");
    T2G_TRY(check_keys(file, root));
    T2G_TRY(read_model(t, file, text, json_object_get(root, "model"), found));
    T2G_TRY(read_added_tokens(t, file, added));
    T2G_TRY(t2g_tokenizer_set_components(t, root, file));
    return t2g_tokenizer_finish(t);
}

static t2g_status read_text(t2g_tokenizer *t, const char *file,
                            const t2g_buffer *text)
{
    large found = {{NULL, NULL, 0}, {NULL, NULL, 0}};
    json_t *root = NULL;
    json_scan scan = {.begin = text->data, .p = text->data,
                      .end = text->data + text->size};
    if (t2g_utf8_invalid(text->data, text->size) < text->size ||
        !scan_root(&scan, &found))
        found = (large){{NULL, NULL, 0}, {NULL, NULL, 0}};
    t2g_buffer_free(&scan.text);
    t2g_status s = parse_rest(&root, file, text, &found);
    if (s == T2G_OK)
        s = read_root(t, file, text, root, &found);
    json_decref(root);
    return s;
}

static t2g_status read_file(t2g_tokenizer *t, const char *file)
{
    t2g_buffer text = {0};
    t2g_status s = t2g_file_read(file, &text);
    if (s == T2G_OK && text.size == 0)
        s = t2g_fail(T2G_ERR_FORMAT, "%s:1:1: an empty file, expected JSON",
                     file);
    if (s == T2G_OK)
        s = read_text(t, file, &text);
    t2g_buffer_free(&text);
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

static json_t *added_tokens(const t2g_tokenizer *t)
{
    const t2g_vocabulary *v = &t->vocabulary;
    json_t *list = json_array();
    for (uint32_t id = 0; id < v->size && list; id++)
        if (v->token[id].flags & TOKEN_ADDED &&
            json_array_append_new(list, added_entry(t, id)) != 0) {
            json_decref(list);
            return NULL;
        }
    return list;
}

/* A file being written, a member a line at `depth`, or (depth < 0) compact. */
typedef struct printer {
    t2g_buffer *out;
    int depth;
    bool first; /* nothing stands in this object or list yet */
} printer;

static t2g_status begin_item(printer *p)
{
    if (!p->first)
        T2G_TRY(t2g_buffer_puts(p->out, ","));
    p->first = false;
    return t2g_json_append_break(p->out, p->depth);
}

static t2g_status open_list(printer *p, const char *bracket)
{
    p->first = true;
    p->depth += p->depth >= 0;
    return t2g_buffer_puts(p->out, bracket);
}

static t2g_status close_list(printer *p, const char *bracket)
{
    p->depth -= p->depth >= 0;
    if (!p->first)
        T2G_TRY(t2g_json_append_break(p->out, p->depth));
    p->first = false;
    return t2g_buffer_puts(p->out, bracket);
}

static t2g_status print_key(printer *p, const char *key, size_t n)
{
    T2G_TRY(begin_item(p));
    T2G_TRY(t2g_json_append_string(p->out, key, n));
    return t2g_buffer_puts(p->out, p->depth < 0 ? ":" : ": ");
}

static t2g_status print_member(printer *p, const char *key,
                               const json_t *value)
{
    T2G_TRY(print_key(p, key, strlen(key)));
    return t2g_json_append_at(p->out, value, p->depth);
}

static t2g_status print_content(printer *p, const t2g_vocabulary *v,
                                uint32_t id)
{
    return t2g_json_append_string(p->out, token_content(v, id),
                                  v->token[id].content_length);
}

static t2g_status print_vocabulary(printer *p, const t2g_vocabulary *v)
{
    T2G_TRY(print_key(p, "vocab", 5));
    T2G_TRY(open_list(p, "{"));
    for (uint32_t id = 0; id < v->size; id++) {
        if (!(v->token[id].flags & TOKEN_MODEL))
            continue;
        T2G_TRY(print_key(p, token_content(v, id),
                          v->token[id].content_length));
        T2G_TRY(t2g_buffer_printf(p->out, "%u", id));
    }
    return close_list(p, "}");
}

/* Pairs in order of rank; of a pair that occurs twice the later counts. */
static t2g_status print_merges(printer *p, const t2g_tokenizer *t)
{
    const t2g_merges *m = &t->merges;
    T2G_TRY(print_key(p, "merges", 6));
    T2G_TRY(open_list(p, "["));
    for (size_t rank = 0; rank < m->count; rank++) {
        const t2g_merge *merge = &m->merge[rank];
        if (t2g_merges_find(m, merge->left, merge->right)->rank != rank)
            continue;
        T2G_TRY(begin_item(p));
        T2G_TRY(open_list(p, "["));
        T2G_TRY(begin_item(p));
        T2G_TRY(print_content(p, &t->vocabulary, merge->left));
        T2G_TRY(begin_item(p));
        T2G_TRY(print_content(p, &t->vocabulary, merge->right));
        T2G_TRY(close_list(p, "]"));
    }
    return close_list(p, "]");
}

static t2g_status print_model(printer *p, const t2g_tokenizer *t)
{
    const char *key;
    json_t *value;
    T2G_TRY(print_key(p, "model", 5));
    T2G_TRY(open_list(p, "{"));
    json_object_foreach(json_object_get(t->parts, "model"), key, value)
        T2G_TRY(print_member(p, key, value));
    T2G_TRY(print_vocabulary(p, &t->vocabulary));
    T2G_TRY(print_merges(p, t));
    return close_list(p, "}");
}

t2g_status t2g_tokenizer_print(const t2g_tokenizer *t, bool pretty,
                               t2g_buffer *out)
{
    static const char *const before[] = {"truncation", "padding"};
    static const char *const behind[] = {"normalizer", "pre_tokenizer",
                                         "post_processor", "decoder"};
    printer p = {.out = out, .depth = pretty ? 0 : -1};
    json_t *added = added_tokens(t), *version = json_string("1.0");
    t2g_status s = open_list(&p, "{");
    if (s == T2G_OK)
        s = print_member(&p, "version", version);
    for (size_t i = 0; i < 2 && s == T2G_OK; i++)
        s = print_member(&p, before[i], json_object_get(t->parts, before[i]));
    if (s == T2G_OK)
        s = print_member(&p, "added_tokens", added);
    for (size_t i = 0; i < 4 && s == T2G_OK; i++)
        s = print_member(&p, behind[i], json_object_get(t->parts, behind[i]));
    if (s == T2G_OK)
        s = print_model(&p, t);
    json_decref(added);
    json_decref(version);
    return s == T2G_OK ? close_list(&p, "}") : s;
}

static t2g_status write_tokenizer(const t2g_tokenizer *t, const char *path)
{
    t2g_buffer text = {0};
    t2g_status s = t2g_tokenizer_print(t, true, &text);
    if (s == T2G_OK)
        s = t2g_file_write(path, text.data, text.size);
    t2g_buffer_free(&text);
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
