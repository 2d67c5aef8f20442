/* The post_processor, truncation and padding of a tokenizer.json. */
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "tokenizer_place.h"

/* --- truncation and padding ---------------------------------------------- */

static const char *const directions[] = {"Right", "Left", NULL};

t2g_status t2g_read_truncation(t2g_tokenizer *t, const place *at,
                               const json_t *in, json_t **out)
{
    static const char *const strategies[] = {"LongestFirst", "OnlyFirst",
                                             "OnlySecond", NULL};
    t2g_truncation *r = &t->post.truncation;
    int strategy, direction = 0;
    size_t stride;
    if (!json_is_object(in))
        return t2g_place_wrong_type(at, in, "an object");
    if (json_object_get(in, "direction")) /* absent in old files */
        T2G_TRY(t2g_get_choice(at, in, "direction", directions, &direction));
    T2G_TRY(t2g_get_count(at, in, "max_length", &r->max_length));
    T2G_TRY(t2g_get_choice(at, in, "strategy", strategies, &strategy));
    T2G_TRY(t2g_get_count(at, in, "stride", &stride));
    r->strategy = strategy;
    r->left = direction == 1;
    r->on = true;
    *out = json_pack("{s:s,s:I,s:s,s:I}", "direction", directions[direction],
                     "max_length", (json_int_t)r->max_length, "strategy",
                     strategies[strategy], "stride", (json_int_t)stride);
    return *out ? T2G_OK : t2g_place_no_memory(at);
}

/* "BatchLongest" or {"Fixed": n} */
static t2g_status read_padding_strategy(const place *at, const json_t *in,
                                        size_t *fixed)
{
    place here = t2g_place_key(at, "strategy");
    const json_t *strategy = json_object_get(in, "strategy");
    const char *name = json_string_value(strategy);
    *fixed = 0;
    if (json_is_object(strategy))
        return t2g_get_count(&here, strategy, "Fixed", fixed);
    if (name && strcmp(name, "BatchLongest") == 0)
        return T2G_OK;
    return t2g_place_wrong_type(&here, strategy, "\"BatchLongest\" or "
                                "{\"Fixed\": length}");
}

t2g_status t2g_read_padding(t2g_tokenizer *t, const place *at, const json_t *in,
                        json_t **out)
{
    t2g_padding *p = &t->post.padding;
    const json_t *multiple = json_object_get(in, "pad_to_multiple_of");
    const char *token;
    size_t n, id, type_id;
    int direction;
    if (!json_is_object(in))
        return t2g_place_wrong_type(at, in, "an object");
    T2G_TRY(read_padding_strategy(at, in, &p->fixed));
    T2G_TRY(t2g_get_choice(at, in, "direction", directions, &direction));
    if (multiple && !json_is_null(multiple))
        T2G_TRY(t2g_get_count(at, in, "pad_to_multiple_of", &p->multiple));
    T2G_TRY(t2g_get_count(at, in, "pad_id", &id));
    T2G_TRY(t2g_get_count(at, in, "pad_type_id", &type_id));
    T2G_TRY(t2g_get_text(at, in, "pad_token", &token, &n));
    if (id > UINT32_MAX || type_id > UINT32_MAX)
        return t2g_fail(T2G_ERR_FORMAT, "%s: %s: pad_id %zu, pad_type_id %zu, "
                        "expected 32 bits", at->file, at->path, id, type_id);
    p->id = (uint32_t)id;
    p->type_id = (uint32_t)type_id;
    p->left = direction == 1;
    p->on = true;
    *out = json_pack("{s:O,s:s,s:o,s:I,s:I,s:s%}", "strategy",
                     json_object_get(in, "strategy"), "direction",
                     directions[direction], "pad_to_multiple_of",
                     json_is_integer(multiple) ? json_integer(
                         (json_int_t)p->multiple) : json_null(),
                     "pad_id", (json_int_t)id, "pad_type_id",
                     (json_int_t)type_id, "pad_token", token, n);
    return *out ? T2G_OK : t2g_place_no_memory(at);
}

/* --- TemplateProcessing: the special tokens ------------------------------ */

static bool is_token(const t2g_tokenizer *t, const json_t *id)
{
    json_int_t value = json_integer_value(id);
    return json_is_integer(id) && value >= 0 &&
           (size_t)value < t->vocabulary.size &&
           t->vocabulary.token[value].flags != 0;
}

/* The ids of a named special token, checked, with the form to be written. */
static t2g_status read_template_token(const t2g_tokenizer *t, const place *at,
                                      const json_t *in, json_t **out)
{
    const char *name;
    size_t n;
    const json_t *ids, *tokens;
    if (!json_is_object(in))
        return t2g_place_wrong_type(at, in, "an object");
    T2G_TRY(t2g_get_text(at, in, "id", &name, &n));
    T2G_TRY(t2g_get_array(at, in, "ids", &ids));
    T2G_TRY(t2g_get_array(at, in, "tokens", &tokens));
    for (size_t i = 0; i < json_array_size(ids); i++)
        if (!is_token(t, json_array_get(ids, i)))
            return t2g_fail(T2G_ERR_FORMAT, "%s: %s.ids[%zu]: not the id of a "
                            "token", at->file, at->path, i);
    *out = json_pack("{s:s%,s:O,s:O}", "id", name, n, "ids", ids, "tokens",
                     tokens);
    return *out ? T2G_OK : t2g_place_no_memory(at);
}

static int compare_keys(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static t2g_status read_template_tokens(const t2g_tokenizer *t, const place *at,
                                       const json_t *in, json_t *out)
{
    size_t count = 0;
    const char *key;
    json_t *value;
    const char **keys = t2g_calloc(json_object_size(in), sizeof *keys);
    if (!keys)
        return T2G_ERR_MEMORY;
    json_object_foreach((json_t *)in, key, value)
        keys[count++] = key;
    qsort(keys, count, sizeof *keys, compare_keys);
    t2g_status s = T2G_OK;
    for (size_t i = 0; i < count && s == T2G_OK; i++) {
        json_t *token = NULL;
        place here = t2g_place_key(at, keys[i]);
        s = read_template_token(t, &here, json_object_get(in, keys[i]),
                                &token);
        if (s == T2G_OK && json_object_set(out, keys[i], token) != 0)
            s = t2g_place_no_memory(at);
        json_decref(token);
    }
    t2g_free(keys);
    return s;
}

/* --- TemplateProcessing: single and pair --------------------------------- */

static t2g_status put_special(t2g_template *m, const json_t *ids,
                              uint32_t type_id)
{
    for (size_t i = 0; i < json_array_size(ids); i++) {
        json_int_t id = json_integer_value(json_array_get(ids, i));
        T2G_TRY(t2g_template_put(m, (t2g_template_part){PART_SPECIAL, type_id,
                                                        (uint32_t)id}));
    }
    return T2G_OK;
}

/* A piece: {"SpecialToken" or "Sequence": {"id", "type_id"}}. */
static t2g_status read_template_piece(t2g_template *m, const place *at,
                                      const json_t *in, const json_t *tokens,
                                      json_t **out)
{
    const json_t *body = json_object_get(in, "SpecialToken");
    const char *id;
    size_t n, type_id;
    bool special = body;
    if (!body)
        body = json_object_get(in, "Sequence");
    if (!json_is_object(body))
        return t2g_place_wrong_type(at, in, "a SpecialToken or Sequence");
    T2G_TRY(t2g_get_text(at, body, "id", &id, &n));
    T2G_TRY(t2g_get_count(at, body, "type_id", &type_id));
    *out = json_pack("{s:{s:s%,s:I}}", special ? "SpecialToken" : "Sequence",
                     "id", id, n, "type_id", (json_int_t)type_id);
    if (!*out)
        return t2g_place_no_memory(at);
    if (special) {
        const json_t *token = json_object_get(tokens, id);
        if (!token)
            return t2g_fail(T2G_ERR_FORMAT, "%s: %s: '%s' is not among "
                            "special_tokens", at->file, at->path, id);
        return put_special(m, json_object_get(token, "ids"), (uint32_t)type_id);
    }
    if (strcmp(id, "A") != 0 && strcmp(id, "B") != 0)
        return t2g_fail(T2G_ERR_FORMAT, "%s: %s: sequence '%s', expected A or "
                        "B", at->file, at->path, id);
    return t2g_template_put(m, (t2g_template_part){
        id[0] == 'A' ? PART_FIRST : PART_SECOND, (uint32_t)type_id, 0});
}

static bool has_part(const t2g_template *m, int kind)
{
    for (size_t i = 0; i < m->count; i++)
        if ((int)m->part[i].kind == kind)
            return true;
    return false;
}

static t2g_status read_template(t2g_template *m, const place *at,
                                const json_t *in, const json_t *tokens,
                                json_t *out)
{
    for (size_t i = 0; i < json_array_size(in); i++) {
        json_t *piece = NULL;
        place here = t2g_place_index(at, i);
        t2g_status s = read_template_piece(m, &here, json_array_get(in, i),
                                           tokens, &piece);
        if (s == T2G_OK && json_array_append(out, piece) != 0)
            s = t2g_place_no_memory(at);
        json_decref(piece);
        T2G_TRY(s);
    }
    return T2G_OK;
}

static t2g_status read_template_processing(t2g_tokenizer *t, const place *at,
                                           const json_t *in, json_t **out)
{
    t2g_post_processor *p = &t->post;
    const json_t *tokens = json_object_get(in, "special_tokens");
    const json_t *single, *pair;
    place at_single = t2g_place_key(at, "single"),
          at_pair = t2g_place_key(at, "pair"),
          at_tokens = t2g_place_key(at, "special_tokens");
    T2G_TRY(t2g_get_array(at, in, "single", &single));
    T2G_TRY(t2g_get_array(at, in, "pair", &pair));
    if (!json_is_object(tokens))
        return t2g_place_wrong_type(&at_tokens, tokens, "an object");
    *out = json_pack("{s:s,s:[],s:[],s:{}}", "type", "TemplateProcessing",
                     "single", "pair", "special_tokens");
    if (!*out)
        return t2g_place_no_memory(at);
    T2G_TRY(read_template_tokens(t, &at_tokens, tokens,
                                 json_object_get(*out, "special_tokens")));
    T2G_TRY(read_template(&p->single, &at_single, single, tokens,
                          json_object_get(*out, "single")));
    T2G_TRY(read_template(&p->pair, &at_pair, pair, tokens,
                          json_object_get(*out, "pair")));
    if (has_part(&p->single, PART_SECOND))
        return t2g_fail(T2G_ERR_FORMAT, "%s: %s: sequence B in the template "
                        "of one text", at->file, at_single.path);
    if (!has_part(&p->pair, PART_FIRST) || !has_part(&p->pair, PART_SECOND))
        return t2g_fail(T2G_ERR_FORMAT, "%s: %s: expected sequences A and B",
                        at->file, at_pair.path);
    return T2G_OK;
}

/* --- BertProcessing, RobertaProcessing ----------------------------------- */

/* ["[SEP]", 102] */
static t2g_status read_named_id(const t2g_tokenizer *t, const place *at,
                                const json_t *in, const char *key, uint32_t *id)
{
    const json_t *list = json_object_get(in, key);
    place here = t2g_place_key(at, key);
    if (json_array_size(list) != 2 || !json_is_string(json_array_get(list, 0)))
        return t2g_place_wrong_type(&here, list, "a token and its id");
    if (!is_token(t, json_array_get(list, 1)))
        return t2g_fail(T2G_ERR_FORMAT, "%s: %s: not the id of a token",
                        here.file, here.path);
    *id = (uint32_t)json_integer_value(json_array_get(list, 1));
    return T2G_OK;
}

static t2g_status put_all(t2g_template *m, const t2g_template_part *part,
                          size_t n)
{
    for (size_t i = 0; i < n; i++)
        T2G_TRY(t2g_template_put(m, part[i]));
    return T2G_OK;
}

/* cls A sep, and cls A sep B sep or cls A sep sep B sep. */
static t2g_status read_bert(t2g_tokenizer *t, const place *at, const json_t *in,
                            bool roberta)
{
    uint32_t sep, cls, second = roberta ? 0 : 1;
    T2G_TRY(read_named_id(t, at, in, "sep", &sep));
    T2G_TRY(read_named_id(t, at, in, "cls", &cls));
    const t2g_template_part parts[] = {
        {PART_SPECIAL, 0, cls}, {PART_FIRST, 0, 0}, {PART_SPECIAL, 0, sep},
        {PART_SPECIAL, 0, sep}, {PART_SECOND, second, 0},
        {PART_SPECIAL, second, sep}};
    T2G_TRY(put_all(&t->post.single, parts, 3));
    T2G_TRY(put_all(&t->post.pair, parts, 3));
    return put_all(&t->post.pair, roberta ? parts + 3 : parts + 4,
                   roberta ? 3 : 2);
}

static void set_trimming(t2g_tokenizer *t, bool prefix_space)
{
    t->post.trim_offsets = true;
    t->post.prefix_space = prefix_space;
}

static t2g_status read_roberta(t2g_tokenizer *t, const place *at,
                               const json_t *in, json_t **out)
{
    bool trim, prefix_space;
    T2G_TRY(read_bert(t, at, in, true));
    T2G_TRY(t2g_get_bool(at, in, "trim_offsets", &trim));
    T2G_TRY(t2g_get_bool(at, in, "add_prefix_space", &prefix_space));
    if (trim)
        set_trimming(t, prefix_space);
    *out = json_pack("{s:s,s:O,s:O,s:b,s:b}", "type", "RobertaProcessing",
                     "sep", json_object_get(in, "sep"), "cls",
                     json_object_get(in, "cls"), "trim_offsets", trim,
                     "add_prefix_space", prefix_space);
    return *out ? T2G_OK : t2g_place_no_memory(at);
}

static t2g_status read_bert_processing(t2g_tokenizer *t, const place *at,
                                       const json_t *in, json_t **out)
{
    T2G_TRY(read_bert(t, at, in, false));
    *out = json_pack("{s:s,s:O,s:O}", "type", "BertProcessing", "sep",
                     json_object_get(in, "sep"), "cls",
                     json_object_get(in, "cls"));
    return *out ? T2G_OK : t2g_place_no_memory(at);
}

/* --- all ----------------------------------------------------------------- */

static t2g_status read_trimming(t2g_tokenizer *t, const place *at,
                                const json_t *in, json_t **out)
{
    byte_level options;
    T2G_TRY(t2g_read_byte_level(at, in, &options, out));
    if (options.trim_offsets && t->post.trim_offsets)
        return t2g_place_unsupported(at, "trimming offsets twice");
    if (options.trim_offsets)
        set_trimming(t, options.prefix_space);
    return T2G_OK;
}

t2g_status t2g_read_post_processor(t2g_tokenizer *t, const place *at,
                               const json_t *in, json_t **out)
{
    static const struct {
        const char *type;
        component_fn *read;
    } templates[] = {
        {"TemplateProcessing", read_template_processing},
        {"RobertaProcessing", read_roberta},
        {"BertProcessing", read_bert_processing},
    };
    const char *type;
    T2G_TRY(t2g_get_type(at, in, &type));
    if (strcmp(type, "Sequence") == 0)
        return t2g_read_sequence(t, at, in, "processors",
                                 t2g_read_post_processor, out);
    if (strcmp(type, "ByteLevel") == 0)
        return read_trimming(t, at, in, out);
    for (size_t i = 0; i < sizeof templates / sizeof *templates; i++) {
        if (strcmp(templates[i].type, type) != 0)
            continue;
        if (t->post.has_template)
            return t2g_place_unsupported(at, "a second template");
        t->post.has_template = true;
        return templates[i].read(t, at, in, out);
    }
    return t2g_place_unknown_type(at, type);
}
