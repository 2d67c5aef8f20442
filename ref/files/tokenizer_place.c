/* Reading members of a tokenizer.json. */
#include "tokenizer_place.h"

#include <stdio.h>
#include <string.h>

#include "../tokenizer/unicode.h"
#include "internal.h"

/* --- places -------------------------------------------------------------- */

place t2g_place_top(const char *file)
{
    return (place){.file = file};
}

place t2g_place_key(const place *outer, const char *key)
{
    place p = {.file = outer->file, .depth = outer->depth + 1};
    snprintf(p.path, sizeof p.path, "%.200s%s%.50s", outer->path,
             outer->path[0] ? "." : "", key);
    return p;
}

place t2g_place_index(const place *outer, size_t i)
{
    place p = {.file = outer->file, .depth = outer->depth};
    snprintf(p.path, sizeof p.path, "%.200s[%zu]", outer->path, i);
    return p;
}

/* --- errors -------------------------------------------------------------- */

t2g_status t2g_place_no_memory(const place *at)
{
    return t2g_fail(T2G_ERR_MEMORY, "%s: %s: no memory", at->file, at->path);
}

t2g_status t2g_place_wrong_type(const place *at, const json_t *value,
                            const char *expected)
{
    return t2g_fail(T2G_ERR_FORMAT, "%s: %s: %s, expected %s", at->file,
                    at->path, t2g_json_type(value), expected);
}

t2g_status t2g_place_unsupported(const place *at, const char *what)
{
    return t2g_fail(T2G_ERR_UNSUPPORTED, "%s: %s: %s is not supported",
                    at->file, at->path, what);
}

t2g_status t2g_place_unknown_type(const place *at, const char *type)
{
    place here = t2g_place_key(at, "type");
    return t2g_fail(T2G_ERR_UNSUPPORTED, "%s: %s: '%s' is not supported",
                    here.file, here.path, type);
}

/* --- members ------------------------------------------------------------- */

t2g_status t2g_get_text(const place *at, const json_t *object, const char *key,
                    const char **value, size_t *n)
{
    const json_t *member = json_object_get(object, key);
    place here = t2g_place_key(at, key);
    if (!json_is_string(member))
        return t2g_place_wrong_type(&here, member, "a string");
    *value = json_string_value(member);
    *n = json_string_length(member);
    return T2G_OK;
}

t2g_status t2g_get_array(const place *at, const json_t *object, const char *key,
                     const json_t **value)
{
    *value = json_object_get(object, key);
    place here = t2g_place_key(at, key);
    return json_is_array(*value)
               ? T2G_OK : t2g_place_wrong_type(&here, *value, "an array");
}

t2g_status t2g_get_bool(const place *at, const json_t *object, const char *key,
                    bool *value)
{
    const json_t *member = json_object_get(object, key);
    place here = t2g_place_key(at, key);
    if (!json_is_boolean(member))
        return t2g_place_wrong_type(&here, member, "true or false");
    *value = json_is_true(member);
    return T2G_OK;
}

t2g_status t2g_get_count(const place *at, const json_t *object, const char *key,
                     size_t *value)
{
    const json_t *member = json_object_get(object, key);
    place here = t2g_place_key(at, key);
    if (!json_is_integer(member) || json_integer_value(member) < 0)
        return t2g_place_wrong_type(&here, member, "an integer from 0");
    *value = (size_t)json_integer_value(member);
    return T2G_OK;
}

t2g_status t2g_get_choice(const place *at, const json_t *object,
                          const char *key, const char *const *names,
                          int *choice)
{
    const char *name;
    size_t n;
    T2G_TRY(t2g_get_text(at, object, key, &name, &n));
    for (*choice = 0; names[*choice]; ++*choice)
        if (strcmp(name, names[*choice]) == 0)
            return T2G_OK;
    place here = t2g_place_key(at, key);
    return t2g_fail(T2G_ERR_FORMAT, "%s: %s: '%s', expected one of %s, ...",
                    here.file, here.path, name, names[0]);
}

t2g_status t2g_get_type(const place *at, const json_t *component,
                    const char **type)
{
    size_t n;
    if (!json_is_object(component))
        return t2g_place_wrong_type(at, component, "an object with a type");
    return t2g_get_text(at, component, "type", type, &n);
}

t2g_status t2g_get_pattern(const place *at, const json_t *object,
                       const char **text, size_t *n, t2g_regex **regex,
                       json_t **out)
{
    place here = t2g_place_key(at, "pattern");
    const json_t *pattern = json_object_get(object, "pattern");
    bool literal = json_object_get(pattern, "String");
    *regex = NULL;
    if (!json_is_object(pattern))
        return t2g_place_wrong_type(&here, pattern, "an object");
    T2G_TRY(t2g_get_text(&here, pattern, literal ? "String" : "Regex", text,
                         n));
    *out = json_pack("{s:s%}", literal ? "String" : "Regex", *text, *n);
    if (!*out)
        return t2g_place_no_memory(&here);
    *text = json_string_value(json_object_get(*out, literal ? "String"
                                                            : "Regex"));
    if (literal)
        return T2G_OK;
    t2g_status s = t2g_regex_compile(regex, *text, *n);
    return s == T2G_OK ? s : t2g_fail_in(s, "%s: %s.Regex", here.file,
                                         here.path);
}

/* --- shared by components ------------------------------------------------ */

t2g_status t2g_read_sequence(t2g_tokenizer *t, const place *at,
                             const json_t *in, const char *key,
                             component_fn *element, json_t **out)
{
    const json_t *list;
    T2G_TRY(t2g_get_array(at, in, key, &list));
    *out = json_pack("{s:s,s:[]}", "type", "Sequence", key);
    place inside = t2g_place_key(at, key);
    if (!*out)
        return t2g_place_no_memory(at);
    if (inside.depth > PLACE_DEPTH)
        return t2g_place_unsupported(at, "nesting this deep");
    for (size_t i = 0; i < json_array_size(list); i++) {
        json_t *part = NULL;
        place here = t2g_place_index(&inside, i);
        t2g_status s = element(t, &here, json_array_get(list, i), &part);
        if (s == T2G_OK &&
            json_array_append(json_object_get(*out, key), part) != 0)
            s = t2g_place_no_memory(at);
        json_decref(part);
        T2G_TRY(s);
    }
    return T2G_OK;
}

t2g_status t2g_read_byte_level(const place *at, const json_t *in,
                           byte_level *options, json_t **out)
{
    options->regex = true; /* absent in old files */
    T2G_TRY(t2g_get_bool(at, in, "add_prefix_space", &options->prefix_space));
    T2G_TRY(t2g_get_bool(at, in, "trim_offsets", &options->trim_offsets));
    if (json_object_get(in, "use_regex"))
        T2G_TRY(t2g_get_bool(at, in, "use_regex", &options->regex));
    *out = json_pack("{s:s,s:b,s:b,s:b}", "type", "ByteLevel",
                     "add_prefix_space", options->prefix_space, "trim_offsets",
                     options->trim_offsets, "use_regex", options->regex);
    return *out ? T2G_OK : t2g_place_no_memory(at);
}

static const char *const schemes[] = {"always", "first", "never", NULL};

/* The old add_prefix_space: false means never, true nothing. */
static t2g_status read_scheme(const place *at, const json_t *in, int *scheme)
{
    bool prefix = true, given = json_object_get(in, "prepend_scheme");
    *scheme = SCHEME_ALWAYS;
    if (given)
        T2G_TRY(t2g_get_choice(at, in, "prepend_scheme", schemes, scheme));
    if (json_object_get(in, "add_prefix_space"))
        T2G_TRY(t2g_get_bool(at, in, "add_prefix_space", &prefix));
    if (prefix)
        return T2G_OK;
    if (given && *scheme != SCHEME_NEVER)
        return t2g_fail(T2G_ERR_FORMAT, "%s: %s: add_prefix_space is false, "
                        "but prepend_scheme '%s'", at->file, at->path,
                        schemes[*scheme]);
    *scheme = SCHEME_NEVER;
    return T2G_OK;
}

t2g_status t2g_read_metaspace(const place *at, const json_t *in,
                          metaspace *options, json_t **out)
{
    const char *mark;
    size_t n;
    int scheme;
    options->split = true;
    T2G_TRY(t2g_get_text(at, in, "replacement", &mark, &n));
    if (n == 0 || utf8_length((unsigned char)mark[0]) != n)
        return t2g_fail(T2G_ERR_FORMAT, "%s: %s.replacement: '%s', expected "
                        "one character", at->file, at->path, mark);
    T2G_TRY(read_scheme(at, in, &scheme));
    if (json_object_get(in, "split"))
        T2G_TRY(t2g_get_bool(at, in, "split", &options->split));
    *out = json_pack("{s:s,s:s%,s:s,s:b}", "type", "Metaspace", "replacement",
                     mark, n, "prepend_scheme", schemes[scheme], "split",
                     options->split);
    options->scheme = scheme;
    options->mark = json_string_value(json_object_get(*out, "replacement"));
    options->length = n;
    return *out ? T2G_OK : t2g_place_no_memory(at);
}

t2g_status t2g_tokenizer_set_components(t2g_tokenizer *t, const json_t *root,
                                        const char *file)
{
    static const struct {
        const char *key;
        component_fn *read;
    } components[] = {
        {"truncation", t2g_read_truncation},
        {"padding", t2g_read_padding},
        {"normalizer", t2g_read_normalizer},
        {"pre_tokenizer", t2g_read_pre_tokenizer},
        {"post_processor", t2g_read_post_processor},
        {"decoder", t2g_read_decoder},
    };
    place top = t2g_place_top(file);
    for (size_t i = 0; i < sizeof components / sizeof *components; i++) {
        const char *key = components[i].key;
        const json_t *in = json_object_get(root, key);
        json_t *out = NULL;
        place at = t2g_place_key(&top, key);
        t2g_status s = T2G_OK;
        if (in && !json_is_null(in))
            s = components[i].read(t, &at, in, &out);
        /* what was set may point into it: kept also after an error */
        if (json_object_set(t->parts, key, out ? out : json_null()) != 0 &&
            s == T2G_OK)
            s = t2g_place_no_memory(&at);
        json_decref(out);
        T2G_TRY(s);
    }
    return T2G_OK;
}
