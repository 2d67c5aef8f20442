/* The components of a tokenizer.json: normalizer, pre_tokenizer, post_processor
 * and decoder. Each reader checks one, sets what the tokenizer does for it, and
 * gives the form in which the reference writes it. What we do not do exactly as
 * the reference is refused by name. */
#include <stdlib.h>
#include <string.h>

#include "../tokenizer/tokenizer_private.h"
#include "internal.h"
#include "tokenizer_place.h"

/* --- members ------------------------------------------------------------- */

static t2g_status no_memory(const place *at)
{
    return t2g_fail(T2G_ERR_MEMORY, "%s: %s: no memory", at->file, at->path);
}

static t2g_status wrong_type(const place *at, const json_t *value,
                             const char *expected)
{
    return t2g_fail(T2G_ERR_FORMAT, "%s: %s: %s, expected %s", at->file,
                    at->path, t2g_json_type(value), expected);
}

static t2g_status unsupported(const place *at, const char *what)
{
    return t2g_fail(T2G_ERR_UNSUPPORTED, "%s: %s: %s is not supported",
                    at->file, at->path, what);
}

static t2g_status get_text(const place *at, const json_t *object,
                           const char *key, const char **value)
{
    const json_t *member = json_object_get(object, key);
    place here = place_key(at, key);
    if (!json_is_string(member))
        return wrong_type(&here, member, "a string");
    *value = json_string_value(member);
    if (strlen(*value) != json_string_length(member))
        return t2g_fail(T2G_ERR_UNSUPPORTED, "%s: %s: a NUL character inside",
                        here.file, here.path);
    return T2G_OK;
}

static t2g_status get_array(const place *at, const json_t *object,
                            const char *key, const json_t **value)
{
    *value = json_object_get(object, key);
    place here = place_key(at, key);
    return json_is_array(*value) ? T2G_OK
                                 : wrong_type(&here, *value, "an array");
}

static t2g_status get_bool(const place *at, const json_t *object,
                           const char *key, bool *value)
{
    const json_t *member = json_object_get(object, key);
    place here = place_key(at, key);
    if (!json_is_boolean(member))
        return wrong_type(&here, member, "true or false");
    *value = json_is_true(member);
    return T2G_OK;
}

/* `type` of a component; the names of others go into the refusal. */
static t2g_status get_type(const place *at, const json_t *component,
                           const char **type)
{
    if (!json_is_object(component))
        return wrong_type(at, component, "an object with a type");
    return get_text(at, component, "type", type);
}

static t2g_status unknown_type(const place *at, const char *type)
{
    place here = place_key(at, "type");
    return t2g_fail(T2G_ERR_UNSUPPORTED, "%s: %s: '%s' is not supported",
                    here.file, here.path, type);
}

/* --- sequences ----------------------------------------------------------- */

typedef t2g_status component_fn(t2g_tokenizer *t, const place *at,
                                const json_t *in, json_t **out);

/* {"type": "Sequence", key: [...]}, each element by `element`. */
static t2g_status read_sequence(t2g_tokenizer *t, const place *at,
                                const json_t *in, const char *key,
                                component_fn *element, json_t **out)
{
    const json_t *list;
    T2G_TRY(get_array(at, in, key, &list));
    *out = json_pack("{s:s,s:[]}", "type", "Sequence", key);
    place inside = place_key(at, key);
    if (!*out)
        return no_memory(at);
    if (inside.depth > PLACE_DEPTH)
        return unsupported(at, "nesting this deep");
    for (size_t i = 0; i < json_array_size(list); i++) {
        json_t *part = NULL;
        place here = place_index(&inside, i);
        t2g_status s = element(t, &here, json_array_get(list, i), &part);
        if (s == T2G_OK &&
            json_array_append(json_object_get(*out, key), part) != 0)
            s = no_memory(at);
        json_decref(part);
        T2G_TRY(s);
    }
    return T2G_OK;
}

/* --- normalizer ---------------------------------------------------------- */

static t2g_status read_normalizer(t2g_tokenizer *t, const place *at,
                                  const json_t *in, json_t **out)
{
    const char *type;
    T2G_TRY(get_type(at, in, &type));
    if (strcmp(type, "Sequence") == 0)
        return read_sequence(t, at, in, "normalizers", read_normalizer, out);
    if (strcmp(type, "NFC") != 0)
        return unknown_type(at, type);
    t->nfc = true;
    *out = json_pack("{s:s}", "type", "NFC");
    return *out ? T2G_OK : no_memory(at);
}

/* --- ByteLevel, in three roles ------------------------------------------- */

typedef struct byte_level {
    bool prefix_space, trim_offsets, regex;
} byte_level;

static t2g_status read_byte_level(const place *at, const json_t *in,
                                  byte_level *options, json_t **out)
{
    options->regex = true; /* absent in old files */
    T2G_TRY(get_bool(at, in, "add_prefix_space", &options->prefix_space));
    T2G_TRY(get_bool(at, in, "trim_offsets", &options->trim_offsets));
    if (json_object_get(in, "use_regex"))
        T2G_TRY(get_bool(at, in, "use_regex", &options->regex));
    *out = json_pack("{s:s,s:b,s:b,s:b}", "type", "ByteLevel",
                     "add_prefix_space", options->prefix_space, "trim_offsets",
                     options->trim_offsets, "use_regex", options->regex);
    return *out ? T2G_OK : no_memory(at);
}

/* --- pre-tokenizer ------------------------------------------------------- */

static t2g_status add_step(t2g_tokenizer *t, const place *at, t2g_step step)
{
    t2g_pre_tokenizer *p = &t->pre_tokenizer;
    if (p->count == T2G_STEPS)
        return unsupported(at, "a pre-tokenizer of more than 8 steps");
    p->step[p->count++] = step;
    return T2G_OK;
}

static t2g_status read_pattern(const place *at, const json_t *in,
                               t2g_matcher **match, const char **regex)
{
    place here = place_key(at, "pattern");
    const json_t *pattern = json_object_get(in, "pattern");
    if (!json_is_object(pattern))
        return wrong_type(&here, pattern, "an object");
    if (json_object_get(pattern, "String"))
        return unsupported(&here, "splitting at a String");
    T2G_TRY(get_text(&here, pattern, "Regex", regex));
    *match = t2g_matcher_of(*regex);
    if (!*match)
        return t2g_fail(T2G_ERR_UNSUPPORTED, "%s: %s.Regex: '%s' is none of "
                        "the patterns that are supported (those of GPT-2, "
                        "cl100k and Llama 3, Qwen 2, o200k, Mistral Nemo and "
                        "DeepSeek V3)", here.file, here.path, *regex);
    return T2G_OK;
}

static t2g_status read_behavior(const place *at, const json_t *in,
                                t2g_behavior *behavior, const char **name)
{
    static const char *const names[] = {"Isolated", "Removed", "Contiguous"};
    T2G_TRY(get_text(at, in, "behavior", name));
    for (int i = 0; i < 3; i++)
        if (strcmp(*name, names[i]) == 0) {
            *behavior = (t2g_behavior)i;
            return T2G_OK;
        }
    place here = place_key(at, "behavior");
    return t2g_fail(T2G_ERR_UNSUPPORTED, "%s: %s: '%s' is not supported, "
                    "expected Isolated, Removed or Contiguous", here.file,
                    here.path, *name);
}

static t2g_status read_split(t2g_tokenizer *t, const place *at,
                             const json_t *in, json_t **out)
{
    const char *regex, *behavior;
    t2g_step step = {.kind = STEP_SPLIT};
    T2G_TRY(read_pattern(at, in, &step.match, &regex));
    T2G_TRY(read_behavior(at, in, &step.behavior, &behavior));
    T2G_TRY(get_bool(at, in, "invert", &step.invert));
    *out = json_pack("{s:s,s:{s:s},s:s,s:b}", "type", "Split", "pattern",
                     "Regex", regex, "behavior", behavior, "invert",
                     step.invert);
    return *out ? add_step(t, at, step) : no_memory(at);
}

static t2g_status read_digits(t2g_tokenizer *t, const place *at,
                              const json_t *in, json_t **out)
{
    bool each;
    T2G_TRY(get_bool(at, in, "individual_digits", &each));
    *out = json_pack("{s:s,s:b}", "type", "Digits", "individual_digits", each);
    if (!*out)
        return no_memory(at);
    return add_step(t, at, (t2g_step){
        .kind = STEP_SPLIT, .match = t2g_match_digit,
        .behavior = each ? BEHAVIOR_ISOLATED : BEHAVIOR_CONTIGUOUS});
}

static t2g_status read_byte_level_step(t2g_tokenizer *t, const place *at,
                                       const json_t *in, json_t **out)
{
    byte_level options;
    T2G_TRY(read_byte_level(at, in, &options, out));
    if (options.prefix_space)
        T2G_TRY(add_step(t, at, (t2g_step){.kind = STEP_PREFIX_SPACE}));
    if (options.regex)
        T2G_TRY(add_step(t, at, (t2g_step){.kind = STEP_SPLIT,
                                           .match = t2g_match_gpt2}));
    t->pre_tokenizer.byte_level = true;
    return T2G_OK;
}

static t2g_status read_pre_tokenizer(t2g_tokenizer *t, const place *at,
                                     const json_t *in, json_t **out)
{
    const char *type;
    T2G_TRY(get_type(at, in, &type));
    if (strcmp(type, "Sequence") == 0)
        return read_sequence(t, at, in, "pretokenizers", read_pre_tokenizer,
                             out);
    if (t->pre_tokenizer.byte_level)
        return unsupported(at, "a step after ByteLevel");
    if (strcmp(type, "ByteLevel") == 0)
        return read_byte_level_step(t, at, in, out);
    if (strcmp(type, "Split") == 0)
        return read_split(t, at, in, out);
    if (strcmp(type, "Digits") == 0)
        return read_digits(t, at, in, out);
    return unknown_type(at, type);
}

/* --- post-processor ------------------------------------------------------ */

/* The ids of a named special token, checked, with the form to be written. */
static t2g_status read_template_token(const t2g_tokenizer *t, const place *at,
                                      const json_t *in, json_t **out)
{
    const char *name;
    const json_t *ids, *tokens;
    if (!json_is_object(in))
        return wrong_type(at, in, "an object");
    T2G_TRY(get_text(at, in, "id", &name));
    T2G_TRY(get_array(at, in, "ids", &ids));
    T2G_TRY(get_array(at, in, "tokens", &tokens));
    for (size_t i = 0; i < json_array_size(ids); i++) {
        const json_t *id = json_array_get(ids, i);
        json_int_t value = json_integer_value(id);
        if (!json_is_integer(id) || value < 0 ||
            (size_t)value >= t->vocabulary.size ||
            t->vocabulary.token[value].flags == 0)
            return t2g_fail(T2G_ERR_FORMAT, "%s: %s.ids[%zu]: not the id of a "
                            "token", at->file, at->path, i);
    }
    *out = json_pack("{s:s,s:O,s:O}", "id", name, "ids", ids, "tokens", tokens);
    return *out ? T2G_OK : no_memory(at);
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
        place here = place_key(at, keys[i]);
        s = read_template_token(t, &here, json_object_get(in, keys[i]),
                                &token);
        if (s == T2G_OK && json_object_set(out, keys[i], token) != 0)
            s = no_memory(at);
        json_decref(token);
    }
    t2g_free(keys);
    return s;
}

/* A piece of a template: {"SpecialToken" or "Sequence": {"id", "type_id"}}. */
static t2g_status read_template_piece(const place *at, const json_t *in,
                                      const json_t *tokens, const char **id,
                                      bool *special, json_t **out)
{
    const json_t *body = json_object_get(in, "SpecialToken");
    *special = body != NULL;
    if (!body)
        body = json_object_get(in, "Sequence");
    if (!json_is_object(body))
        return wrong_type(at, in, "a SpecialToken or Sequence");
    T2G_TRY(get_text(at, body, "id", id));
    if (!json_is_integer(json_object_get(body, "type_id")))
        return t2g_fail(T2G_ERR_FORMAT, "%s: %s: type_id is missing", at->file,
                        at->path);
    if (*special && !json_object_get(tokens, *id))
        return t2g_fail(T2G_ERR_FORMAT, "%s: %s: '%s' is not among "
                        "special_tokens", at->file, at->path, *id);
    if (!*special && strcmp(*id, "A") != 0 && strcmp(*id, "B") != 0)
        return t2g_fail(T2G_ERR_FORMAT, "%s: %s: sequence '%s', expected A or "
                        "B", at->file, at->path, *id);
    *out = json_pack("{s:{s:s,s:O}}", *special ? "SpecialToken" : "Sequence",
                     "id", *id, "type_id", json_object_get(body, "type_id"));
    return *out ? T2G_OK : no_memory(at);
}

static t2g_status append_ids(t2g_id_list *list, const json_t *ids)
{
    size_t more = json_array_size(ids);
    uint32_t *id = t2g_regrow(list->id, list->count, list->count + more,
                              sizeof *id);
    if (!id)
        return T2G_ERR_MEMORY;
    list->id = id;
    for (size_t i = 0; i < more; i++) {
        json_int_t value = json_integer_value(json_array_get(ids, i));
        id[list->count++] = (uint32_t)value;
    }
    return T2G_OK;
}

/* Reads single or pair. With t, which single has, the specials before and after
 * the one sequence are set. */
static t2g_status read_template(t2g_tokenizer *t, const place *at,
                                const json_t *in, const json_t *tokens,
                                json_t *out)
{
    bool sequence = false;
    for (size_t i = 0; i < json_array_size(in); i++) {
        const char *id;
        bool special;
        json_t *piece = NULL;
        place here = place_index(at, i);
        T2G_TRY(read_template_piece(&here, json_array_get(in, i), tokens, &id,
                                    &special, &piece));
        if (json_array_append_new(out, piece) != 0)
            return no_memory(at);
        if (!t)
            continue;
        if (special)
            T2G_TRY(append_ids(sequence ? &t->after : &t->before,
                               json_object_get(json_object_get(tokens, id),
                                               "ids")));
        else if (sequence || strcmp(id, "A") != 0)
            return unsupported(&here, "a sequence other than A, once,");
        else
            sequence = true;
    }
    if (t && !sequence)
        return unsupported(at, "a template without the sequence A");
    return T2G_OK;
}

static t2g_status read_template_processing(t2g_tokenizer *t, const place *at,
                                           const json_t *in, json_t **out)
{
    const json_t *tokens = json_object_get(in, "special_tokens");
    const json_t *single, *pair;
    place at_single = place_key(at, "single"), at_pair = place_key(at, "pair"),
          at_tokens = place_key(at, "special_tokens");
    T2G_TRY(get_array(at, in, "single", &single));
    T2G_TRY(get_array(at, in, "pair", &pair));
    if (!json_is_object(tokens))
        return wrong_type(&at_tokens, tokens, "an object");
    if (t->has_template)
        return unsupported(at, "a second TemplateProcessing");
    t->has_template = true;
    *out = json_pack("{s:s,s:[],s:[],s:{}}", "type", "TemplateProcessing",
                     "single", "pair", "special_tokens");
    if (!*out)
        return no_memory(at);
    T2G_TRY(read_template_tokens(t, &at_tokens, tokens,
                                 json_object_get(*out, "special_tokens")));
    T2G_TRY(read_template(t, &at_single, single, tokens,
                          json_object_get(*out, "single")));
    return read_template(NULL, &at_pair, pair, tokens,
                         json_object_get(*out, "pair"));
}

static t2g_status read_post_processor(t2g_tokenizer *t, const place *at,
                                      const json_t *in, json_t **out)
{
    const char *type;
    T2G_TRY(get_type(at, in, &type));
    if (strcmp(type, "Sequence") == 0)
        return read_sequence(t, at, in, "processors", read_post_processor, out);
    if (strcmp(type, "TemplateProcessing") == 0)
        return read_template_processing(t, at, in, out);
    if (strcmp(type, "ByteLevel") != 0)
        return unknown_type(at, type);
    byte_level options;
    T2G_TRY(read_byte_level(at, in, &options, out));
    if (!options.trim_offsets)
        return T2G_OK;
    if (t->trim_offsets) /* the second would trim what is trimmed already */
        return unsupported(at, "trimming offsets twice");
    t->trim_offsets = true;
    t->keeps_first_space = options.prefix_space;
    return T2G_OK;
}

/* --- decoder ------------------------------------------------------------- */

static t2g_status read_decoder(t2g_tokenizer *t, const place *at,
                               const json_t *in, json_t **out)
{
    const char *type;
    byte_level options;
    (void)t; /* decoding bytes needs none of the options */
    T2G_TRY(get_type(at, in, &type));
    if (strcmp(type, "ByteLevel") != 0)
        return unknown_type(at, type);
    return read_byte_level(at, in, &options, out);
}

/* --- all ----------------------------------------------------------------- */

t2g_status t2g_tokenizer_set_components(t2g_tokenizer *t, const json_t *root,
                                        const char *file)
{
    static const struct {
        const char *key;
        component_fn *read;
    } components[] = {
        {"normalizer", read_normalizer},
        {"pre_tokenizer", read_pre_tokenizer},
        {"post_processor", read_post_processor},
        {"decoder", read_decoder},
    };
    place top = place_top(file);
    for (size_t i = 0; i < sizeof components / sizeof *components; i++) {
        const char *key = components[i].key;
        const json_t *in = json_object_get(root, key);
        json_t *out = NULL;
        place at = place_key(&top, key);
        t2g_status s = T2G_OK;
        if (in && !json_is_null(in))
            s = components[i].read(t, &at, in, &out);
        if (s == T2G_OK &&
            json_object_set(t->parts, key, out ? out : json_null()) != 0)
            s = no_memory(&at);
        json_decref(out);
        T2G_TRY(s);
    }
    if (!t->pre_tokenizer.byte_level)
        return t2g_fail(T2G_ERR_UNSUPPORTED, "%s: pre_tokenizer: a tokenizer "
                        "without ByteLevel is not supported", file);
    if (json_is_null(json_object_get(t->parts, "decoder")))
        return t2g_fail(T2G_ERR_UNSUPPORTED, "%s: decoder: a tokenizer without "
                        "a ByteLevel decoder is not supported", file);
    return T2G_OK;
}
