/* The tokenizer of a model in a GGUF file: byte-level BPE ("gpt2") and
 * SentencePiece's BPE ("llama"). A file only names its pre-tokenizer; the names
 * known here are those for which llama.cpp splits as the tokenizer.json of the
 * family does. Normalizers have no name: Qwen's form C is not applied, as it is
 * not by llama.cpp and by the GGUF reader of transformers. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "t2g/gguf.h"
#include "tokenizer_build.h"

/* Kinds of tokens, as tokenizer.ggml.token_type numbers them. */
enum {
    KIND_NORMAL = 1, KIND_UNKNOWN, KIND_CONTROL, KIND_USER_DEFINED,
    KIND_UNUSED, KIND_BYTE
};

#define KEY(name) "tokenizer.ggml." name

typedef struct source {
    t2g_gguf g;
    t2g_gguf_text *token; /* [count] */
    int32_t *kind;        /* [count], or NULL: all are normal */
    size_t count;
    int64_t unknown;
    bool add_bos, add_eos;
} source;

/* How much of a text goes into a message. */
static int shown(size_t n)
{
    return n < 100 ? (int)n : 100;
}

/* --- tokens -------------------------------------------------------------- */

static t2g_status put_token(t2g_tokenizer *t, const source *in, size_t i)
{
    t2g_gguf_text text = in->token[i];
    const char *key = KEY("tokens");
    if (memchr(text.s, '\0', text.n))
        return t2g_fail(T2G_ERR_UNSUPPORTED, "%s: key '%s': token %zu holds a "
                        "NUL", in->g.path, key, i);
    int64_t twin = t2g_vocabulary_find(&t->vocabulary, text.s, text.n);
    if (twin != T2G_NO_TOKEN)
        return t2g_fail(T2G_ERR_FORMAT, "%s: key '%s': token %zu is token "
                        "%lld again, '%.*s'", in->g.path, key, i,
                        (long long)twin, shown(text.n), text.s);
    t2g_status s = t2g_vocabulary_put(&t->vocabulary, (uint32_t)i, text.s,
                                      text.n, TOKEN_MODEL);
    return s == T2G_OK ? s : t2g_fail_in(s, "%s: key '%s'", in->g.path, key);
}

static t2g_status read_kinds(source *in)
{
    const char *key = KEY("token_type");
    size_t count;
    T2G_TRY(t2g_gguf_i32s(&in->g, key, false, &in->kind, &count));
    if (!in->kind)
        return T2G_OK;
    if (count != in->count)
        return t2g_fail(T2G_ERR_FORMAT, "%s: key '%s': %zu elements, expected "
                        "%zu, one a token", in->g.path, key, count, in->count);
    for (size_t i = 0; i < count; i++)
        if (in->kind[i] < KIND_NORMAL || in->kind[i] > KIND_BYTE)
            return t2g_fail(T2G_ERR_FORMAT, "%s: key '%s': element %zu is %d, "
                            "expected %d to %d", in->g.path, key, i,
                            in->kind[i], KIND_NORMAL, KIND_BYTE);
    return T2G_OK;
}

static int32_t kind_of(const source *in, size_t id)
{
    return in->kind ? in->kind[id] : KIND_NORMAL;
}

static t2g_status read_tokens(t2g_tokenizer *t, source *in)
{
    T2G_TRY(t2g_gguf_strings(&in->g, KEY("tokens"), true, &in->token,
                             &in->count));
    if (in->count > T2G_ID_LIMIT)
        return t2g_fail(T2G_ERR_FORMAT, "%s: key '" KEY("tokens") "': %zu "
                        "tokens, expected at most %d", in->g.path, in->count,
                        T2G_ID_LIMIT);
    for (size_t i = 0; i < in->count; i++)
        T2G_TRY(put_token(t, in, i));
    return read_kinds(in);
}

/* Added tokens are looked for in the text as they are, before anything else.
 * SentencePiece's unknown token is special as its control tokens are. */
static t2g_status mark_added(t2g_tokenizer *t, const source *in,
                             bool unknown_too)
{
    for (size_t i = 0; i < in->count; i++) {
        int32_t kind = kind_of(in, i);
        bool special = kind == KIND_CONTROL ||
                       (unknown_too && kind == KIND_UNKNOWN);
        if (special || kind == KIND_USER_DEFINED)
            T2G_TRY(t2g_tokenizer_add(t, in->token[i].s, in->token[i].n,
                                      special ? TOKEN_SPECIAL : 0));
    }
    return T2G_OK;
}

/* --- roles --------------------------------------------------------------- */

/* *id stays as it is when the file does not name the token. */
static t2g_status read_role(const source *in, const char *key, int64_t *id)
{
    uint32_t value = 0;
    if (!t2g_gguf_find(&in->g, key))
        return T2G_OK;
    T2G_TRY(t2g_gguf_u32(&in->g, key, true, &value));
    if (value >= in->count)
        return t2g_fail(T2G_ERR_FORMAT, "%s: key '%s': id %u, but there are "
                        "%zu tokens", in->g.path, key, value, in->count);
    *id = value;
    return T2G_OK;
}

static t2g_status read_roles(t2g_tokenizer *t, source *in)
{
    T2G_TRY(read_role(in, KEY("bos_token_id"), &t->bos));
    T2G_TRY(read_role(in, KEY("eos_token_id"), &t->eos));
    T2G_TRY(read_role(in, KEY("padding_token_id"), &t->pad));
    return read_role(in, KEY("unknown_token_id"), &in->unknown);
}

/* Does encoding add this token? A key decides, else the custom of the family,
 * which does not apply to files without such a token. */
static t2g_status read_adding(const source *in, const char *key, int64_t id,
                              const char *id_key, bool custom, bool *adding)
{
    *adding = custom && id != T2G_NO_TOKEN;
    T2G_TRY(t2g_gguf_bool(&in->g, key, false, adding));
    if (*adding && id == T2G_NO_TOKEN)
        return t2g_fail(T2G_ERR_FORMAT, "%s: key '%s' is true, but key '%s' is "
                        "missing", in->g.path, key, id_key);
    return T2G_OK;
}

static t2g_status read_additions(const t2g_tokenizer *t, source *in,
                                 bool bos_is_custom)
{
    T2G_TRY(read_adding(in, KEY("add_bos_token"), t->bos, KEY("bos_token_id"),
                        bos_is_custom, &in->add_bos));
    return read_adding(in, KEY("add_eos_token"), t->eos, KEY("eos_token_id"),
                       false, &in->add_eos);
}

static t2g_status read_chat_template(t2g_tokenizer *t, const source *in)
{
    t2g_gguf_text text = {0};
    T2G_TRY(t2g_gguf_string(&in->g, "tokenizer.chat_template", false, &text));
    if (!text.s)
        return T2G_OK;
    t->chat_template = t2g_strndup(text.s, text.n);
    return t->chat_template ? T2G_OK : T2G_ERR_MEMORY;
}

/* The post-processor; *wanted = false when encoding adds nothing. */
static json_t *build_template(const t2g_tokenizer *t, const source *in,
                              bool *wanted)
{
    *wanted = in->add_bos || in->add_eos;
    return *wanted ? t2g_build_template(t, in->add_bos ? t->bos : T2G_NO_TOKEN,
                                        in->add_eos ? t->eos : T2G_NO_TOKEN)
                   : NULL;
}

/* --- merges that the file lists ------------------------------------------- */

static t2g_status find_part(const t2g_tokenizer *t, const source *in, size_t i,
                            const char *s, size_t n, uint32_t *id)
{
    int64_t found = t2g_vocabulary_find(&t->vocabulary, s, n);
    if (found == T2G_NO_TOKEN)
        return t2g_fail(T2G_ERR_FORMAT, "%s: key '" KEY("merges") "': merge "
                        "%zu: '%.*s' is no token", in->g.path, i, shown(n), s);
    *id = (uint32_t)found;
    return T2G_OK;
}

/* "left right". */
static t2g_status put_merge(t2g_tokenizer *t, const source *in, size_t i,
                            t2g_gguf_text merge, t2g_buffer *joined)
{
    uint32_t left = 0, right = 0, id = 0;
    const char *space = memchr(merge.s, ' ', merge.n);
    size_t n = space ? (size_t)(space - merge.s) : 0, rest = merge.n - n - 1;
    if (!space || memchr(space + 1, ' ', rest))
        return t2g_fail(T2G_ERR_FORMAT, "%s: key '" KEY("merges") "': merge "
                        "%zu is '%.*s', expected two parts and a space",
                        in->g.path, i, shown(merge.n), merge.s);
    joined->size = 0;
    T2G_TRY(t2g_buffer_append(joined, merge.s, n));
    T2G_TRY(t2g_buffer_append(joined, space + 1, rest));
    T2G_TRY(find_part(t, in, i, merge.s, n, &left));
    T2G_TRY(find_part(t, in, i, space + 1, rest, &right));
    T2G_TRY(find_part(t, in, i, joined->data, joined->size, &id));
    return t2g_merges_put(&t->merges, left, right, id);
}

static t2g_status read_merges(t2g_tokenizer *t, const source *in)
{
    t2g_gguf_text *merge;
    size_t count;
    t2g_buffer joined = {0};
    T2G_TRY(t2g_gguf_strings(&in->g, KEY("merges"), true, &merge, &count));
    t2g_status s = T2G_OK;
    for (size_t i = 0; i < count && s == T2G_OK; i++)
        s = put_merge(t, in, i, merge[i], &joined);
    t2g_buffer_free(&joined);
    t2g_free(merge);
    return s;
}

/* --- byte-level BPE ------------------------------------------------------ */

typedef enum split {
    SPLIT_GPT2, SPLIT_DIGITS, SPLIT_CL100K, SPLIT_QWEN2, SPLIT_O200K,
    SPLIT_NEMO, SPLIT_DEEPSEEK
} split;

typedef struct family {
    const char *name; /* tokenizer.ggml.pre */
    split split;
    bool ignore_merges, adds_bos;
} family;

static const family families[] = {
    {"gpt-2", SPLIT_GPT2, false, false},
    {"phi-2", SPLIT_GPT2, false, false},
    {"smollm", SPLIT_DIGITS, false, false},
    {"starcoder", SPLIT_DIGITS, false, false},
    {"llama-bpe", SPLIT_CL100K, true, true},
    {"llama3", SPLIT_CL100K, true, true},
    {"llama-v3", SPLIT_CL100K, true, true},
    {"dbrx", SPLIT_CL100K, false, false},
    {"smaug-bpe", SPLIT_CL100K, false, false},
    {"qwen2", SPLIT_QWEN2, false, false},
    {"deepseek-r1-qwen", SPLIT_QWEN2, false, false},
    {"megrez", SPLIT_QWEN2, false, false},
    {"gpt-4o", SPLIT_O200K, false, false},
    {"llama4", SPLIT_O200K, false, false},
    {"tekken", SPLIT_NEMO, true, true},
    {"deepseek-v3", SPLIT_DEEPSEEK, false, false},
};
enum { FAMILIES = sizeof families / sizeof *families };

static t2g_status unknown_family(const source *in, t2g_gguf_text name)
{
    t2g_buffer known = {0};
    t2g_status s = T2G_OK;
    for (size_t i = 0; i < FAMILIES && s == T2G_OK; i++)
        s = t2g_buffer_printf(&known, "%s%s", i ? ", " : "", families[i].name);
    if (s == T2G_OK)
        s = t2g_fail(T2G_ERR_UNSUPPORTED, "%s: key '" KEY("pre") "': '%.*s' is "
                     "not supported, expected one of %s", in->g.path,
                     shown(name.n), name.s, known.data);
    t2g_buffer_free(&known);
    return s;
}

/* A file that names none is refused too: a wrong split goes unnoticed. */
static t2g_status find_family(const source *in, const family **f)
{
    t2g_gguf_text name = {0};
    T2G_TRY(t2g_gguf_string(&in->g, KEY("pre"), true, &name));
    for (size_t i = 0; i < FAMILIES; i++)
        if (strlen(families[i].name) == name.n &&
            memcmp(families[i].name, name.s, name.n) == 0) {
            *f = &families[i];
            return T2G_OK;
        }
    return unknown_family(in, name);
}

static json_t *build_deepseek(void)
{
    json_t *steps = json_array();
    int failed = 0;
    for (size_t i = 0; i < 3; i++)
        failed |= json_array_append_new(
            steps, t2g_build_split(t2g_patterns_deepseek[i], false));
    failed |= json_array_append_new(steps, t2g_build_byte_level(false));
    json_t *out = json_pack("{s:s,s:o}", "type", "Sequence", "pretokenizers",
                            steps);
    if (!failed)
        return out;
    json_decref(out);
    return NULL;
}

static json_t *build_pre_tokenizer(split split)
{
    const char *const patterns[] = {
        [SPLIT_CL100K] = t2g_pattern_cl100k, [SPLIT_QWEN2] = t2g_pattern_qwen2,
        [SPLIT_O200K] = t2g_pattern_o200k, [SPLIT_NEMO] = t2g_pattern_nemo};
    switch (split) {
    case SPLIT_GPT2:
        return t2g_build_byte_level(true);
    case SPLIT_DIGITS:
        return t2g_build_sequence(
            "pretokenizers", json_pack("{s:s,s:b}", "type", "Digits",
                                       "individual_digits", 1),
            t2g_build_byte_level(true));
    case SPLIT_DEEPSEEK:
        return build_deepseek();
    default:
        return t2g_build_sequence("pretokenizers",
                                  t2g_build_split(patterns[split], false),
                                  t2g_build_byte_level(false));
    }
}

static t2g_status read_byte_level(t2g_tokenizer *t, source *in)
{
    const family *f = NULL;
    bool wanted;
    T2G_TRY(find_family(in, &f));
    T2G_TRY(read_tokens(t, in));
    T2G_TRY(read_merges(t, in));
    T2G_TRY(mark_added(t, in, false));
    T2G_TRY(read_roles(t, in));
    T2G_TRY(read_additions(t, in, f->adds_bos));
    json_t *post = t2g_build_byte_level_post();
    json_t *template = build_template(t, in, &wanted);
    if (wanted)
        post = t2g_build_sequence("processors", post, template);
    return t2g_build_tokenizer(
        t, json_pack("{s:o,s:o,s:o,s:{s:b}}", "pre_tokenizer",
                     build_pre_tokenizer(f->split), "post_processor", post,
                     "decoder", t2g_build_byte_level_decoder(), "model",
                     "ignore_merges", f->ignore_merges), in->g.path);
}

/* --- SentencePiece ------------------------------------------------------- */

#define META_SPACE "\u2581"

/* The better score first, then longer parts, then as the tokens come. */
static int by_score(const void *a, const void *b)
{
    const t2g_cut *x = a, *y = b;
    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    if (x->left_length != y->left_length)
        return x->left_length > y->left_length ? -1 : 1;
    if (x->right_length != y->right_length)
        return x->right_length > y->right_length ? -1 : 1;
    if (x->id != y->id)
        return x->id < y->id ? -1 : 1;
    return (x->left > y->left) - (x->left < y->left);
}

/* Every cut of a token that text may give, with its score. */
static t2g_status collect_cuts(const t2g_tokenizer *t, const source *in,
                               const float *score, t2g_cuts *cuts)
{
    for (uint32_t id = 0; id < in->count; id++) {
        int32_t kind = kind_of(in, id);
        if (isnan(score[id]))
            return t2g_fail(T2G_ERR_FORMAT, "key '" KEY("scores") "': element "
                            "%u is no number", id);
        if (kind != KIND_CONTROL && kind != KIND_UNKNOWN && kind != KIND_BYTE)
            T2G_TRY(t2g_cuts_add(cuts, &t->vocabulary, id, score[id]));
    }
    return T2G_OK;
}

/* A file without merges implies them: SentencePiece joins neighbours whose
 * concatenation has the best score. As transformers' generate_merges. */
static t2g_status imply_merges(t2g_tokenizer *t, const source *in,
                               const float *score)
{
    t2g_cuts cuts = {0};
    t2g_status s = collect_cuts(t, in, score, &cuts);
    if (s != T2G_OK)
        s = t2g_fail_in(s, "%s", in->g.path);
    else if (cuts.count > 0)
        qsort(cuts.cut, cuts.count, sizeof *cuts.cut, by_score);
    for (size_t i = 0; i < cuts.count && s == T2G_OK; i++)
        s = t2g_merges_put(&t->merges, cuts.cut[i].left, cuts.cut[i].right,
                           cuts.cut[i].id);
    t2g_free(cuts.cut);
    return s;
}

static t2g_status read_scores(t2g_tokenizer *t, const source *in)
{
    float *score;
    size_t count;
    if (t2g_gguf_find(&in->g, KEY("merges")))
        return read_merges(t, in);
    T2G_TRY(t2g_gguf_f32s(&in->g, KEY("scores"), true, &score, &count));
    t2g_status s =
        count == in->count
            ? imply_merges(t, in, score)
            : t2g_fail(T2G_ERR_FORMAT, "%s: key '" KEY("scores") "': %zu "
                       "elements, expected %zu, one a token", in->g.path,
                       count, in->count);
    t2g_free(score);
    return s;
}

/* What old files leave out are Llama's ids. */
static t2g_status default_roles(t2g_tokenizer *t, source *in)
{
    if (in->count < 3)
        return t2g_fail(T2G_ERR_FORMAT, "%s: key '" KEY("tokens") "': %zu "
                        "tokens, expected at least 3", in->g.path, in->count);
    in->unknown = 0;
    t->bos = 1;
    t->eos = 2;
    return T2G_OK;
}

static json_t *replace(const char *from, const char *to)
{
    return json_pack("{s:s,s:{s:s},s:s}", "type", "Replace", "pattern",
                     "String", from, "content", to);
}

static json_t *build_normalizer(bool prefix)
{
    if (!prefix)
        return replace(" ", META_SPACE);
    return t2g_build_sequence(
        "normalizers",
        json_pack("{s:s,s:s}", "type", "Prepend", "prepend", META_SPACE),
        replace(" ", META_SPACE));
}

static json_t *build_decoder(bool prefix)
{
    json_t *steps = json_pack("[o,{s:s},{s:s}]", replace(META_SPACE, " "),
                              "type", "ByteFallback", "type", "Fuse");
    int failed = prefix &&
                 json_array_append_new(
                     steps, json_pack("{s:s,s:s,s:i,s:i}", "type", "Strip",
                                      "content", " ", "start", 1, "stop", 0));
    json_t *out = json_pack("{s:s,s:o}", "type", "Sequence", "decoders",
                            steps);
    if (!failed)
        return out;
    json_decref(out);
    return NULL;
}

static json_t *build_model(const t2g_tokenizer *t, const source *in)
{
    return json_pack("{s:s,s:b,s:b}", "unk_token",
                     token_content(&t->vocabulary, (uint32_t)in->unknown),
                     "fuse_unk", 1, "byte_fallback", 1);
}

static t2g_status read_sentencepiece(t2g_tokenizer *t, source *in)
{
    bool prefix = true, wanted;
    T2G_TRY(read_tokens(t, in));
    T2G_TRY(read_scores(t, in));
    T2G_TRY(mark_added(t, in, true));
    T2G_TRY(default_roles(t, in));
    T2G_TRY(read_roles(t, in));
    T2G_TRY(read_additions(t, in, true));
    T2G_TRY(t2g_gguf_bool(&in->g, KEY("add_space_prefix"), false, &prefix));
    json_t *post = build_template(t, in, &wanted);
    if (!wanted)
        post = json_null();
    return t2g_build_tokenizer(
        t, json_pack("{s:o,s:n,s:o,s:o,s:o}", "normalizer",
                     build_normalizer(prefix), "pre_tokenizer",
                     "post_processor", post, "decoder", build_decoder(prefix),
                     "model", build_model(t, in)), in->g.path);
}

/* --- the file ------------------------------------------------------------ */

static t2g_status read_source(t2g_tokenizer *t, source *in)
{
    static const struct {
        const char *name;
        t2g_status (*read)(t2g_tokenizer *t, source *in);
    } models[] = {{"gpt2", read_byte_level}, {"llama", read_sentencepiece}};
    t2g_gguf_text model = {0};
    T2G_TRY(t2g_gguf_string(&in->g, KEY("model"), true, &model));
    for (size_t i = 0; i < sizeof models / sizeof *models; i++)
        if (strlen(models[i].name) == model.n &&
            memcmp(models[i].name, model.s, model.n) == 0) {
            T2G_TRY(models[i].read(t, in));
            return read_chat_template(t, in);
        }
    return t2g_fail(T2G_ERR_UNSUPPORTED, "%s: key '" KEY("model") "': '%.*s' "
                    "is not supported, expected gpt2 or llama", in->g.path,
                    shown(model.n), model.s);
}

t2g_status t2g_tokenizer_read_gguf(t2g_tokenizer *t, const char *path)
{
    source in = {.unknown = T2G_NO_TOKEN};
    T2G_TRY(t2g_gguf_open(&in.g, path));
    t2g_status s = read_source(t, &in);
    t2g_free(in.token);
    t2g_free(in.kind);
    t2g_gguf_close(&in.g);
    return s;
}
