/* The pre-tokenizer of a tokenizer.json. */
#include <string.h>

#include "internal.h"
#include "tokenizer_place.h"

static const char *const behaviors[] = {
    "Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous",
    NULL}; /* in the order of t2g_behavior */

static t2g_status add_step(t2g_tokenizer *t, const place *at, t2g_step step)
{
    t2g_pre_tokenizer *p = &t->pre_tokenizer;
    if (p->count == T2G_STEPS)
        return t2g_place_unsupported(at, "a pre-tokenizer of more than 16 "
                                     "steps");
    p->step[p->count++] = step;
    return T2G_OK;
}

/* A step with a text of its own. */
static t2g_status add_text_step(t2g_tokenizer *t, const place *at,
                                t2g_step step, const char *text, size_t n)
{
    step.text = t2g_strndup(text, n);
    step.length = n;
    if (!step.text)
        return T2G_ERR_MEMORY;
    t2g_status s = add_step(t, at, step);
    if (s != T2G_OK)
        t2g_free(step.text);
    return s;
}

/* --- splits -------------------------------------------------------------- */

static t2g_status add_pattern(t2g_tokenizer *t, const place *at, t2g_step step,
                              const char *text, size_t n, t2g_regex *regex)
{
    if (!regex)
        return add_text_step(t, at, step, text, n);
    step.match = strlen(text) == n ? t2g_matcher_of(text) : NULL;
    step.regex = regex;
    t2g_status s = add_step(t, at, step);
    if (s != T2G_OK)
        t2g_regex_free(regex);
    return s;
}

static t2g_status read_split(t2g_tokenizer *t, const place *at,
                             const json_t *in, json_t **out)
{
    t2g_step step = {.kind = STEP_SPLIT};
    json_t *pattern = NULL;
    t2g_regex *regex;
    const char *text;
    size_t n;
    int behavior;
    T2G_TRY(t2g_get_choice(at, in, "behavior", behaviors, &behavior));
    T2G_TRY(t2g_get_bool(at, in, "invert", &step.invert));
    step.behavior = (t2g_behavior)behavior;
    t2g_status s = t2g_get_pattern(at, in, &text, &n, &regex, &pattern);
    if (s == T2G_OK)
        s = add_pattern(t, at, step, text, n, regex);
    if (s == T2G_OK) {
        *out = json_pack("{s:s,s:O,s:s,s:b}", "type", "Split", "pattern",
                         pattern, "behavior", behaviors[behavior], "invert",
                         step.invert);
        s = *out ? T2G_OK : t2g_place_no_memory(at);
    }
    json_decref(pattern);
    return s;
}

static t2g_status read_digits(t2g_tokenizer *t, const place *at,
                              const json_t *in, json_t **out)
{
    bool each;
    T2G_TRY(t2g_get_bool(at, in, "individual_digits", &each));
    *out = json_pack("{s:s,s:b}", "type", "Digits", "individual_digits", each);
    if (!*out)
        return t2g_place_no_memory(at);
    return add_step(t, at, (t2g_step){
        .kind = STEP_SPLIT, .match = t2g_match_digit,
        .behavior = each ? BEHAVIOR_ISOLATED : BEHAVIOR_CONTIGUOUS});
}

static t2g_status read_punctuation(t2g_tokenizer *t, const place *at,
                                   const json_t *in, json_t **out)
{
    int behavior = BEHAVIOR_ISOLATED;
    if (json_object_get(in, "behavior"))
        T2G_TRY(t2g_get_choice(at, in, "behavior", behaviors, &behavior));
    *out = json_pack("{s:s,s:s}", "type", "Punctuation", "behavior",
                     behaviors[behavior]);
    if (!*out)
        return t2g_place_no_memory(at);
    return add_step(t, at, (t2g_step){.kind = STEP_SPLIT,
                                      .match = t2g_match_punctuation,
                                      .behavior = (t2g_behavior)behavior});
}

static t2g_status read_delimiter(t2g_tokenizer *t, const place *at,
                                 const json_t *in, json_t **out)
{
    const char *text;
    size_t n;
    T2G_TRY(t2g_get_text(at, in, "delimiter", &text, &n));
    *out = json_pack("{s:s,s:s%}", "type", "CharDelimiterSplit", "delimiter",
                     text, n);
    if (!*out)
        return t2g_place_no_memory(at);
    return add_text_step(t, at, (t2g_step){.kind = STEP_SPLIT,
                                           .behavior = BEHAVIOR_REMOVED},
                         text, n);
}

/* Words and runs of symbols without whitespace between, or all that whitespace
 * parts. */
static t2g_status read_whitespace(t2g_tokenizer *t, const place *at,
                                  const json_t *in, json_t **out)
{
    const char *type;
    T2G_TRY(t2g_get_type(at, in, &type));
    bool words = strcmp(type, "Whitespace") == 0;
    *out = json_pack("{s:s}", "type", type);
    if (!*out)
        return t2g_place_no_memory(at);
    return add_step(t, at, (t2g_step){
        .kind = STEP_SPLIT, .match = words ? t2g_match_word : t2g_match_space,
        .behavior = BEHAVIOR_REMOVED, .invert = words});
}

/* --- steps that rewrite -------------------------------------------------- */

static t2g_status read_byte_level_step(t2g_tokenizer *t, const place *at,
                                       const json_t *in, json_t **out)
{
    byte_level options;
    T2G_TRY(t2g_read_byte_level(at, in, &options, out));
    if (options.prefix_space)
        T2G_TRY(add_text_step(t, at, (t2g_step){.kind = STEP_PREPEND}, " ",
                              1));
    if (options.regex)
        T2G_TRY(add_step(t, at, (t2g_step){.kind = STEP_SPLIT,
                                           .match = t2g_match_gpt2,
                                           .behavior = BEHAVIOR_ISOLATED}));
    return add_step(t, at, (t2g_step){.kind = STEP_BYTE_SYMBOLS});
}

static t2g_status read_metaspace_step(t2g_tokenizer *t, const place *at,
                                      const json_t *in, json_t **out)
{
    metaspace m;
    T2G_TRY(t2g_read_metaspace(at, in, &m, out));
    T2G_TRY(add_text_step(t, at, (t2g_step){.kind = STEP_SPACES}, m.mark,
                          m.length));
    if (m.scheme != SCHEME_NEVER)
        T2G_TRY(add_text_step(t, at, (t2g_step){
            .kind = STEP_PREPEND, .first_only = m.scheme == SCHEME_FIRST},
            m.mark, m.length));
    if (!m.split)
        return T2G_OK;
    return add_text_step(t, at, (t2g_step){
        .kind = STEP_SPLIT, .behavior = BEHAVIOR_MERGED_WITH_NEXT}, m.mark,
        m.length);
}

t2g_status t2g_read_pre_tokenizer(t2g_tokenizer *t, const place *at,
                              const json_t *in, json_t **out)
{
    static const struct {
        const char *type;
        component_fn *read;
    } kinds[] = {
        {"ByteLevel", read_byte_level_step}, {"Split", read_split},
        {"Digits", read_digits}, {"Metaspace", read_metaspace_step},
        {"Punctuation", read_punctuation}, {"Whitespace", read_whitespace},
        {"WhitespaceSplit", read_whitespace},
        {"CharDelimiterSplit", read_delimiter},
    };
    const char *type;
    T2G_TRY(t2g_get_type(at, in, &type));
    if (strcmp(type, "Sequence") == 0)
        return t2g_read_sequence(t, at, in, "pretokenizers",
                                 t2g_read_pre_tokenizer, out);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(kinds[i].type, type) == 0)
            return kinds[i].read(t, at, in, out);
    return t2g_place_unknown_type(at, type);
}
