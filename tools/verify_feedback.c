/* The cases of vectors/feedback: replies, alignments, lists of words. */
#include <string.h>

#include "verify_align.h"

static const char *text_of(const json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));
    return s ? s : "";
}

static size_t size_of(const json_t *o, const char *key, size_t otherwise)
{
    const json_t *v = json_object_get(o, key);
    return json_is_integer(v) ? (size_t)json_integer_value(v) : otherwise;
}

static void compare_text(verifier *v, const char *field, const char *got,
                         const char *want)
{
    verify_text(v, field, got ? got : "", got ? strlen(got) : 0, want,
                strlen(want));
}

/* Index of the word among the choices, 0 if it is none of them. */
static int which(const char *word, const char *const *list)
{
    for (int i = 0; list[i]; i++)
        if (strcmp(word, list[i]) == 0)
            return i;
    return 0;
}

static t2g_status add_span(t2g_critique *c, const json_t *text, double score,
                           const char *source)
{
    return t2g_critique_add(c, json_string_value(text),
                            json_string_length(text), score, source);
}

/* --- replies -------------------------------------------------------------- */

static void compare_span(verifier *v, const t2g_span *got, const json_t *want)
{
    const json_t *text = json_object_get(want, "text");
    double score = json_number_value(json_object_get(want, "score"));
    verify_text(v, "text", got->text, got->length, json_string_value(text),
                json_string_length(text));
    verify_f64(v, "score", &got->score, &score, 1, 0, 0);
    compare_text(v, "source", got->source, text_of(want, "source"));
}

static void compare_critique(verifier *v, const t2g_critique *c,
                             const json_t *want)
{
    static const char *const names[] = {"ok", "empty", "unparsed"};
    const json_t *spans = json_object_get(want, "spans"), *span;
    size_t k;
    compare_text(v, "status", names[c->status], text_of(want, "status"));
    if (c->count != json_array_size(spans))
        verify_fail(v, "spans", "%zu were read, expected %zu", c->count,
                    json_array_size(spans));
    else
        json_array_foreach(spans, k, span)
            compare_span(v, &c->span[k], span);
}

void verify_own_reply(verifier *v, const char *path, const json_t *one)
{
    const json_t *reply = json_object_get(one, "reply");
    t2g_critique c;
    if (!verify_begin(v, path, text_of(one, "id")))
        return;
    if (t2g_critique_parse(&c, json_string_value(reply),
                           json_string_length(reply)) != T2G_OK)
        verify_fail(v, "reply", "%s", t2g_error_message());
    else
        compare_critique(v, &c, json_object_get(one, "expect"));
    t2g_critique_free(&c);
    verify_end(v);
}

/* --- alignments ----------------------------------------------------------- */

static t2g_status read_spans(t2g_critique *c, const json_t *one)
{
    const json_t *span;
    size_t k;
    json_array_foreach(json_object_get(one, "spans"), k, span) {
        T2G_TRY(add_span(c, json_object_get(span, "text"),
                         json_number_value(json_object_get(span, "score")),
                         "spans"));
        c->span[k].start = size_of(span, "start", T2G_NO_OFFSET);
        c->span[k].end = size_of(span, "end", T2G_NO_OFFSET);
        if (json_object_get(span, "note") &&
            !(c->span[k].note = t2g_strdup(text_of(span, "note"))))
            return T2G_ERR_MEMORY;
    }
    c->text = t2g_strdup(text_of(one, "critique"));
    return c->text ? T2G_OK : T2G_ERR_MEMORY;
}

static t2g_align_options rules_of(const json_t *one)
{
    static const char *const repeat[] = {"split", "first", "last", "all",
                                         "skip", NULL};
    static const char *const overlap[] = {"sum", "inner", "negative", "first",
                                          NULL};
    return (t2g_align_options){
        .on_repeat = (t2g_on_repeat)which(text_of(one, "on_repeat"), repeat),
        .on_overlap = (t2g_on_overlap)which(text_of(one, "on_overlap"),
                                            overlap),
        .background = json_number_value(json_object_get(one, "background")),
        .punctuation_zero = json_is_true(json_object_get(
            one, "punctuation_zero"))};
}

static void compare_placement(verifier *v, const t2g_placement *p,
                              const json_t *want)
{
    const json_t *tokens = json_object_get(want, "tokens");
    int64_t got[] = {(int64_t)p->start, (int64_t)p->end,
                     (int64_t)p->first_token, (int64_t)p->last_token};
    int64_t wanted[] = {(int64_t)size_of(want, "start", 0),
                        (int64_t)size_of(want, "end", 0),
                        json_integer_value(json_array_get(tokens, 0)),
                        json_integer_value(json_array_get(tokens, 1))};
    compare_text(v, "method", p->method, text_of(want, "method"));
    compare_text(v, "rule", p->rule, text_of(want, "rule"));
    verify_i64(v, "place", got, wanted, 4);
}

static void compare_alignment(verifier *v, const t2g_alignment *a,
                              const json_t *want)
{
    const json_t *places = json_object_get(want, "placements"), *place;
    const json_t *rewards = json_object_get(want, "delta"), *reward;
    size_t k;
    if (a->count != json_array_size(places) ||
        a->tokens != json_array_size(rewards)) {
        verify_fail(v, "placements", "%zu for %zu tokens, expected %zu for "
                    "%zu", a->count, a->tokens, json_array_size(places),
                    json_array_size(rewards));
        return;
    }
    json_array_foreach(places, k, place)
        compare_placement(v, &a->placement[k], place);
    json_array_foreach(rewards, k, reward) {
        float wanted = (float)json_number_value(reward);
        verify_bits(v, "delta", &a->delta[k], &wanted, 1);
    }
}

static size_t *offsets_of(const json_t *list)
{
    size_t n = json_array_size(list), *offset = t2g_calloc(n, sizeof *offset);
    for (size_t i = 0; offset && i < n; i++)
        offset[i] = (size_t)json_integer_value(json_array_get(list, i));
    return offset;
}

static t2g_status align(t2g_alignment *a, const json_t *one,
                        const t2g_critique *c, const t2g_align_options *rules)
{
    const json_t *response = json_object_get(one, "response");
    const json_t *list = json_object_get(one, "offsets");
    size_t *offset = offsets_of(list);
    t2g_status s = offset ? T2G_OK : T2G_ERR_MEMORY;
    if (s == T2G_OK)
        s = t2g_align(a, json_string_value(response),
                      json_string_length(response), c, offset,
                      json_array_size(list) / 2, rules);
    t2g_free(offset);
    return s;
}

void verify_own_alignment(verifier *v, const char *path, const json_t *one)
{
    const t2g_align_options rules = rules_of(one);
    t2g_critique c = {0};
    t2g_alignment a = {0};
    if (!verify_begin(v, path, text_of(one, "id")))
        return;
    if (read_spans(&c, one) != T2G_OK || align(&a, one, &c, &rules) != T2G_OK)
        verify_fail(v, "spans", "%s", t2g_error_message());
    else
        compare_alignment(v, &a, json_object_get(one, "expect"));
    t2g_alignment_free(&a);
    t2g_critique_free(&c);
    verify_end(v);
}

/* --- lists of words ------------------------------------------------------- */

/* Scores alternate, so that neighbours make no run. */
static t2g_status read_words(t2g_critique *c, const json_t *words)
{
    const json_t *word;
    size_t k;
    json_array_foreach(words, k, word) {
        T2G_TRY(add_span(c, word, k % 2 ? 1 : -1, "word_score_list"));
        c->span[k].word = true;
    }
    return T2G_OK;
}

static void compare_words(verifier *v, const t2g_alignment *a,
                          const json_t *want)
{
    const json_t *at;
    size_t k;
    if (a->count != json_array_size(want)) {
        verify_fail(v, "words", "%zu placements", a->count);
        return;
    }
    json_array_foreach(want, k, at) {
        int64_t got[2] = {(int64_t)a->placement[k].start,
                          (int64_t)a->placement[k].end};
        int64_t wanted[2] = {json_integer_value(json_array_get(at, 0)),
                             json_integer_value(json_array_get(at, 1))};
        verify_i64(v, "words", got, wanted, 2);
    }
}

void verify_own_words(verifier *v, const char *path, const json_t *one)
{
    t2g_critique c = {0};
    t2g_alignment a = {0};
    if (!verify_begin(v, path, text_of(one, "id")))
        return;
    if (read_words(&c, json_object_get(one, "words")) != T2G_OK ||
        align(&a, one, &c, NULL) != T2G_OK)
        verify_fail(v, "words", "%s", t2g_error_message());
    else
        compare_words(v, &a, json_object_get(one, "expect"));
    t2g_alignment_free(&a);
    t2g_critique_free(&c);
    verify_end(v);
}
