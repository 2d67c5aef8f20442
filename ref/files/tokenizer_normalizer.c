/* The normalizer of a tokenizer.json. */
#include <string.h>

#include "internal.h"
#include "tokenizer_place.h"

static t2g_status add_step(t2g_tokenizer *t, t2g_normalizer_step step)
{
    t2g_normalizer *n = &t->normalizer;
    t2g_normalizer_step *grown = t2g_regrow(n->step, n->count, n->count + 1,
                                            sizeof *grown);
    if (!grown)
        return T2G_ERR_MEMORY;
    n->step = grown;
    n->step[n->count++] = step;
    return T2G_OK;
}

static t2g_status read_strip(const place *at, const json_t *in,
                             t2g_normalizer_step *step, json_t **out)
{
    T2G_TRY(t2g_get_bool(at, in, "strip_left", &step->left));
    T2G_TRY(t2g_get_bool(at, in, "strip_right", &step->right));
    *out = json_pack("{s:s,s:b,s:b}", "type", "Strip", "strip_left", step->left,
                     "strip_right", step->right);
    return *out ? T2G_OK : t2g_place_no_memory(at);
}

static t2g_status read_replace(const place *at, const json_t *in,
                               t2g_normalizer_step *step, json_t **out)
{
    json_t *pattern = NULL;
    const char *content;
    size_t n;
    t2g_status s = t2g_get_text(at, in, "content", &content, &n);
    if (s == T2G_OK)
        s = t2g_get_pattern(at, in, &step->pattern.data, &step->pattern.n,
                        &step->regex, &pattern);
    if (s == T2G_OK && step->pattern.n == 0 && !step->regex)
        s = t2g_regex_compile(&step->regex, "", 0); /* as the reference */
    if (s == T2G_OK) {
        *out = json_pack("{s:s,s:O,s:s%}", "type", "Replace", "pattern",
                         pattern, "content", content, n);
        step->content.data =
            json_string_value(json_object_get(*out, "content"));
        step->content.n = n;
        s = *out ? T2G_OK : t2g_place_no_memory(at);
    }
    json_decref(pattern);
    return s;
}

static t2g_status read_prepend(const place *at, const json_t *in,
                               t2g_normalizer_step *step, json_t **out)
{
    const char *text;
    size_t n;
    T2G_TRY(t2g_get_text(at, in, "prepend", &text, &n));
    *out = json_pack("{s:s,s:s%}", "type", "Prepend", "prepend", text, n);
    step->content.data = json_string_value(json_object_get(*out, "prepend"));
    step->content.n = n;
    return *out ? T2G_OK : t2g_place_no_memory(at);
}

static t2g_status read_bert(const place *at, const json_t *in,
                            t2g_normalizer_step *step, json_t **out)
{
    const json_t *accents = json_object_get(in, "strip_accents");
    T2G_TRY(t2g_get_bool(at, in, "clean_text", &step->clean_text));
    T2G_TRY(t2g_get_bool(at, in, "handle_chinese_chars",
                     &step->handle_chinese_chars));
    T2G_TRY(t2g_get_bool(at, in, "lowercase", &step->lowercase));
    step->strip_accents = step->lowercase;
    if (accents && !json_is_null(accents))
        T2G_TRY(t2g_get_bool(at, in, "strip_accents", &step->strip_accents));
    *out = json_pack("{s:s,s:b,s:b,s:o,s:b}", "type", "BertNormalizer",
                     "clean_text", step->clean_text, "handle_chinese_chars",
                     step->handle_chinese_chars, "strip_accents",
                     json_is_boolean(accents)
                         ? json_boolean(step->strip_accents) : json_null(),
                     "lowercase", step->lowercase);
    return *out ? T2G_OK : t2g_place_no_memory(at);
}

typedef t2g_status step_fn(const place *at, const json_t *in,
                           t2g_normalizer_step *step, json_t **out);

t2g_status t2g_read_normalizer(t2g_tokenizer *t, const place *at,
                               const json_t *in, json_t **out)
{
    static const struct {
        const char *type;
        t2g_normalizer_kind kind;
        step_fn *read; /* NULL: it has no members */
    } kinds[] = {
        {"NFC", NORMALIZE_NFC, NULL}, {"NFD", NORMALIZE_NFD, NULL},
        {"NFKC", NORMALIZE_NFKC, NULL}, {"NFKD", NORMALIZE_NFKD, NULL},
        {"Lowercase", NORMALIZE_LOWERCASE, NULL},
        {"StripAccents", NORMALIZE_STRIP_ACCENTS, NULL},
        {"Nmt", NORMALIZE_NMT, NULL},
        {"ByteLevel", NORMALIZE_BYTE_LEVEL, NULL},
        {"Strip", NORMALIZE_STRIP, read_strip},
        {"Replace", NORMALIZE_REPLACE, read_replace},
        {"Prepend", NORMALIZE_PREPEND, read_prepend},
        {"BertNormalizer", NORMALIZE_BERT, read_bert},
    };
    const char *type;
    T2G_TRY(t2g_get_type(at, in, &type));
    if (strcmp(type, "Sequence") == 0)
        return t2g_read_sequence(t, at, in, "normalizers", t2g_read_normalizer,
                                 out);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (strcmp(kinds[i].type, type) != 0)
            continue;
        t2g_normalizer_step step = {.kind = kinds[i].kind};
        t2g_status s = T2G_OK;
        if (kinds[i].read)
            s = kinds[i].read(at, in, &step, out);
        else if (!(*out = json_pack("{s:s}", "type", type)))
            s = t2g_place_no_memory(at);
        if (s == T2G_OK)
            s = add_step(t, step);
        if (s != T2G_OK)
            t2g_regex_free(step.regex);
        return s;
    }
    return t2g_place_unknown_type(at, type);
}
