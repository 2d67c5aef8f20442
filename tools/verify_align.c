/* `t2g verify align`: quotes found in real answers, damaged quotes, and
 * replies, as the alignment oracle records them. What the released code does
 * with them (its profile) is not compared. */
#include <string.h>

#include "verify.h"

static const char *text_of(const json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));
    return s ? s : "";
}

static json_int_t integer_of(const json_t *o, const char *key)
{
    return json_integer_value(json_object_get(o, key));
}

/* --- placing quotes ------------------------------------------------------- */

/* A critique of one quote; offsets T2G_NO_OFFSET: to be searched. */
static t2g_status one_quote(t2g_critique *c, const json_t *text, size_t start,
                            size_t end)
{
    *c = (t2g_critique){0};
    T2G_TRY(t2g_critique_add(c, json_string_value(text),
                             json_string_length(text), -1, "poor_spans"));
    c->span[0].start = start;
    c->span[0].end = end;
    return T2G_OK;
}

/* Aligns one quote with a response; a needs t2g_alignment_free. */
static t2g_status place(t2g_alignment *a, const json_t *response,
                        const json_t *text, size_t start, size_t end,
                        const size_t *offset, size_t tokens)
{
    t2g_critique c;
    t2g_status s = one_quote(&c, text, start, end);
    *a = (t2g_alignment){0};
    if (s == T2G_OK)
        s = t2g_align(a, json_string_value(response),
                      json_string_length(response), &c, offset, tokens, NULL);
    t2g_critique_free(&c);
    return s;
}

/* Intersection over union of two byte ranges. */
static double shared(size_t b1, size_t e1, size_t b2, size_t e2)
{
    size_t begin = b1 > b2 ? b1 : b2, end = e1 < e2 ? e1 : e2;
    size_t both = begin < end ? end - begin : 0;
    size_t any = (e1 - b1) + (e2 - b2) - both;
    return any ? (double)both / (double)any : 0;
}

/* The most that any place found shares with the marked range. */
static double best_share(const t2g_alignment *a, size_t start, size_t end)
{
    double best = 0;
    for (size_t i = 0; i < a->count; i++) {
        double x = shared(a->placement[i].start, a->placement[i].end, start,
                          end);
        best = x > best ? x : best;
    }
    return best;
}

static bool found(const t2g_alignment *a)
{
    return a->count > 0 && strcmp(a->placement[0].method, "none") != 0;
}

/* --- spans.json: human spans ---------------------------------------------- */

/* Token ends -> flat ranges; NULL when they are no growing list. */
static size_t *ranges_of(const json_t *ends)
{
    size_t n = json_array_size(ends), begin = 0;
    size_t *offset = t2g_calloc(2 * n, sizeof *offset);
    for (size_t t = 0; offset && t < n; t++) {
        json_int_t end = json_integer_value(json_array_get(ends, t));
        if (end < 0 || (size_t)end < begin) {
            t2g_free(offset);
            return NULL;
        }
        offset[2 * t] = begin;
        offset[2 * t + 1] = begin = (size_t)end;
    }
    return offset;
}

/* The tokens of marked bytes, by one tokenizer's ends. */
static void compare_tokens(verifier *v, const json_t *record,
                           const json_t *span, const char *tokenizer)
{
    char ends_key[32], tokens_key[32];
    snprintf(ends_key, sizeof ends_key, "%s_ends", tokenizer);
    snprintf(tokens_key, sizeof tokens_key, "%s_tokens", tokenizer);
    const json_t *ends = json_object_get(record, ends_key);
    const json_t *tokens = json_object_get(span, tokens_key);
    int64_t want[2] = {json_integer_value(json_array_get(tokens, 0)),
                       json_integer_value(json_array_get(tokens, 1))};
    size_t *offset = ranges_of(ends);
    t2g_alignment a = {0};
    if (!offset)
        verify_fail(v, ends_key, "not a list of growing positions");
    else if (place(&a, json_object_get(record, "response"),
                   json_object_get(span, "text"),
                   (size_t)integer_of(span, "byte_start"),
                   (size_t)integer_of(span, "byte_end"), offset,
                   json_array_size(ends)) != T2G_OK)
        verify_fail(v, tokens_key, "%s", t2g_error_message());
    else {
        int64_t got[2] = {(int64_t)a.placement[0].first_token,
                          (int64_t)a.placement[0].last_token};
        verify_i64(v, tokens_key, got, want, 2);
    }
    t2g_alignment_free(&a);
    t2g_free(offset);
}

/* The text alone leads to the marked place; where it occurs several times that
 * is one of the places, and said to be a guess. */
static void compare_place(verifier *v, const json_t *record,
                          const json_t *span)
{
    size_t start = (size_t)integer_of(span, "byte_start");
    size_t end = (size_t)integer_of(span, "byte_end");
    t2g_alignment a;
    if (place(&a, json_object_get(record, "response"),
              json_object_get(span, "text"), T2G_NO_OFFSET, T2G_NO_OFFSET,
              NULL, 0) != T2G_OK)
        verify_fail(v, "place", "%s", t2g_error_message());
    else if (best_share(&a, start, end) < 1)
        verify_fail(v, "place", "'%.60s' is marked at bytes %zu to %zu, found "
                    "elsewhere or not at all", text_of(span, "text"), start,
                    end);
    else {
        int64_t want[2] = {a.count > 1, 1}, got[2] = {0};
        got[0] = a.placement[0].ambiguous;
        got[1] = integer_of(span, "occurrences") >= (json_int_t)a.count;
        verify_i64(v, "ambiguous", got, want, 2);
    }
    t2g_alignment_free(&a);
}

static void verify_human(verifier *v, const char *path, const json_t *record)
{
    char id[48];
    const json_t *span;
    size_t k;
    snprintf(id, sizeof id, "%lld", (long long)integer_of(record, "example"));
    if (!verify_begin(v, path, id))
        return;
    json_array_foreach(json_object_get(record, "spans"), k, span) {
        compare_tokens(v, record, span, "llama3_1");
        compare_tokens(v, record, span, "gpt2");
        compare_place(v, record, span);
    }
    verify_end(v);
}

/* --- spans_corrupted.json: damaged quotes --------------------------------- */

/* Spans of spans.json, which lies beside it, hold the responses. */
static t2g_status read_neighbour(json_t **out, const char *path)
{
    const char *slash = strrchr(path, '/');
    t2g_buffer name = {0};
    t2g_status s = t2g_buffer_append(&name, path,
                                     slash ? (size_t)(slash + 1 - path) : 0);
    if (s == T2G_OK)
        s = t2g_buffer_puts(&name, "spans.json");
    if (s == T2G_OK)
        s = t2g_json_read(out, name.data);
    t2g_buffer_free(&name);
    return s;
}

static const json_t *response_of(const json_t *spans, json_int_t example)
{
    const json_t *record;
    size_t i;
    json_array_foreach(spans, i, record)
        if (integer_of(record, "example") == example)
            return json_object_get(record, "response");
    return NULL;
}

/* How near the marked range a quote of this class must come; 0: it must not be
 * found; < 0: the levels of search that this class needs are not built. */
static double share_wanted(const char *class)
{
    static const struct {
        const char *class;
        double share;
    } wanted[] = {{"identity", 1}, {"case", .8}, {"whitespace", .8},
                  {"quotes_dashes", .8}, {"trim_head", 1}, {"trim_tail", 1},
                  {"absent", 0}};
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        if (strcmp(class, wanted[i].class) == 0)
            return wanted[i].share;
    return -1;
}

static void compare_damaged(verifier *v, const json_t *response,
                            const json_t *one, double wanted)
{
    size_t start = (size_t)integer_of(one, "byte_start");
    size_t end = (size_t)integer_of(one, "byte_end");
    t2g_alignment a;
    if (place(&a, response, json_object_get(one, "query"), T2G_NO_OFFSET,
              T2G_NO_OFFSET, NULL, 0) != T2G_OK)
        verify_fail(v, "place", "%s", t2g_error_message());
    else if (wanted == 0 && found(&a))
        verify_fail(v, "place", "'%.60s' is not in the response, found at "
                    "bytes %zu to %zu", text_of(one, "query"),
                    a.placement[0].start, a.placement[0].end);
    else if (wanted > 0 && best_share(&a, start, end) < wanted)
        verify_fail(v, "place", "'%.60s' belongs to bytes %zu to %zu, found "
                    "to share %.2f with them, expected %.1f",
                    text_of(one, "query"), start, end,
                    best_share(&a, start, end), wanted);
    else {
        int64_t got = found(&a), want = wanted > 0;
        verify_i64(v, "found", &got, &want, 1);
    }
    t2g_alignment_free(&a);
}

static void verify_damaged(verifier *v, const char *path, const json_t *spans,
                           const json_t *one, size_t number)
{
    char id[64], why[96];
    const char *class = text_of(one, "class");
    const json_t *response = response_of(spans, integer_of(one, "example"));
    double wanted = share_wanted(class);
    snprintf(id, sizeof id, "%zu-%s", number, class);
    if (!response) {
        verify_skip(v, path, id, "spans.json has no such response");
    } else if (wanted < 0) {
        snprintf(why, sizeof why, "finding quotes damaged by %.32s is not "
                 "built in", class);
        verify_skip(v, path, id, why);
    } else if (verify_begin(v, path, id)) {
        compare_damaged(v, response, one, wanted);
        verify_end(v);
    }
}

static void verify_all_damaged(verifier *v, const char *path,
                               const json_t *root)
{
    json_t *spans = NULL;
    const json_t *one;
    size_t i;
    if (read_neighbour(&spans, path) != T2G_OK)
        verify_skip(v, path, NULL, "no spans.json beside it, which has the "
                    "responses");
    else
        json_array_foreach(root, i, one)
            verify_damaged(v, path, spans, one, i);
    json_decref(spans);
}

/* --- parse.json: replies -------------------------------------------------- */

static const char *const list_names[2] = {"good_spans", "poor_spans"};

static bool lists_of_strings(const json_t *o)
{
    const json_t *item;
    size_t i;
    for (size_t k = 0; k < 2; k++) {
        const json_t *list = json_object_get(o, list_names[k]);
        if (!json_is_array(list))
            return false;
        json_array_foreach(list, i, item)
            if (!json_is_string(item))
                return false;
    }
    return true;
}

/* The quotes that were read, list after list, are those meant. */
static void compare_lists(verifier *v, const t2g_critique *c,
                          const json_t *meant)
{
    size_t i, at = 0;
    const json_t *item;
    for (size_t k = 0; k < 2; k++)
        json_array_foreach(json_object_get(meant, list_names[k]), i, item) {
            const t2g_span *s = at < c->count ? &c->span[at] : NULL;
            if (!s || strcmp(s->source, list_names[k]) != 0) {
                verify_fail(v, list_names[k], "quote %zu was not read", i);
                return;
            }
            verify_text(v, list_names[k], s->text, s->length,
                        json_string_value(item), json_string_length(item));
            at++;
        }
    if (at < c->count)
        verify_fail(v, "spans", "%zu quotes were read, %zu are meant",
                    c->count, at);
}

/* A reply is read as it was meant or not at all. */
static void compare_reply(verifier *v, const json_t *one, const json_t *reply)
{
    const json_t *meant = json_object_get(one, "intended");
    const char *text = json_string_value(reply);
    size_t n = json_string_length(reply);
    t2g_critique c;
    json_t *own = json_loadb(text, n, JSON_REJECT_DUPLICATES, NULL);
    bool well_formed = json_is_object(own) && lists_of_strings(own) &&
                       json_is_string(json_object_get(own,
                                                      "textual_feedback"));
    if (t2g_critique_parse(&c, text, n) != T2G_OK)
        verify_fail(v, "text", "%s", t2g_error_message());
    else if (c.status != T2G_CRITIQUE_UNPARSED)
        compare_lists(v, &c, lists_of_strings(meant) ? meant : own);
    else if (well_formed)
        verify_fail(v, "text", "well formed, but unparsed: %s", c.reason);
    else
        verify_text(v, "status", "unparsed", 8, "unparsed", 8);
    t2g_critique_free(&c);
    json_decref(own);
}

static void verify_reply(verifier *v, const char *path, const json_t *one)
{
    const json_t *reply = json_object_get(one, "text");
    const char *id = text_of(one, "id");
    if (!json_is_string(reply)) {
        verify_skip(v, path, id, "no text");
    } else if (verify_begin(v, path, id)) {
        compare_reply(v, one, reply);
        verify_end(v);
    }
}

/* --- the stage ------------------------------------------------------------ */

void verify_align(verifier *v, const char *path, const json_t *root)
{
    const json_t *first = json_array_get(root, 0), *one;
    size_t i;
    if (json_object_get(first, "llama3_1_ends")) {
        json_array_foreach(root, i, one)
            verify_human(v, path, one);
    } else if (json_object_get(first, "query") &&
               json_object_get(first, "class")) {
        verify_all_damaged(v, path, root);
    } else if (json_object_get(first, "intended") &&
               json_object_get(first, "text")) {
        json_array_foreach(root, i, one)
            verify_reply(v, path, one);
    } else if (json_object_get(root, "kind")) {
        verify_skip(v, path, NULL, "replayed by tests/golden/feedback");
    } else {
        verify_skip(v, path, NULL, "the released code's behaviour is not built "
                    "in");
    }
}
