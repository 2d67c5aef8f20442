/* `t2g verify align`: quotes found in real answers, damaged quotes, and
 * replies, as the alignment oracle records them. What the released code does
 * with them is compared in verify_official.c. */
#include <math.h>
#include <string.h>

#include "verify_align.h"

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

/* What is known of one class of damage: its share found at 0.8 by the best
 * place and by any place, in percent, of the reference search. */
typedef struct damage {
    const char *class;
    double best, any;
    size_t cases, best_found, any_found;
} damage;

static const damage classes[] = {
    {"identity", 97.5, 100, 0, 0, 0},
    {"case", 97.6, 100, 0, 0, 0},
    {"whitespace", 97.1, 99.4, 0, 0, 0},
    {"quotes_dashes", 99.3, 100, 0, 0, 0},
    {"punct_drop", 97.6, 99.6, 0, 0, 0},
    {"typo1", 95.5, 98.2, 0, 0, 0},
    {"typo5pct", 97.9, 100, 0, 0, 0},
    {"typo12pct", 97.3, 99.4, 0, 0, 0},
    {"word_drop1", 88.2, 90.6, 0, 0, 0},
    {"word_drop20pct", 75.5, 77.0, 0, 0, 0},
    {"word_sub1", 94.5, 97.3, 0, 0, 0},
    {"word_insert1", 97.5, 99.6, 0, 0, 0},
    {"trim_head", 97.4, 100, 0, 0, 0},
    {"trim_tail", 97.4, 100, 0, 0, 0},
    {"ellipsis", 95.0, 95.0, 0, 0, 0},
    {"unicode_form", 97.5, 100, 0, 0, 0},
    {"escaped", 98.7, 100, 0, 0, 0},
    {"markup", 97.3, 100, 0, 0, 0},
    {"absent", 0, 0, 0, 0, 0}};
enum { CLASSES = sizeof classes / sizeof *classes };

static damage *class_of(damage *d, const char *name)
{
    for (size_t i = 0; i < CLASSES; i++)
        if (strcmp(d[i].class, name) == 0)
            return &d[i];
    return NULL;
}

/* A quote of one class; what must hold of each alone is compared at once: what
 * is undamaged and unique is found exactly, what is absent is not found. */
static void compare_damaged(verifier *v, const json_t *response,
                            const json_t *one, damage *d)
{
    size_t start = (size_t)integer_of(one, "byte_start");
    size_t end = (size_t)integer_of(one, "byte_end");
    bool absent = strcmp(d->class, "absent") == 0;
    bool exact = strcmp(d->class, "identity") == 0 &&
                 integer_of(one, "truth_occurrences") == 1;
    t2g_alignment a;
    if (place(&a, response, json_object_get(one, "query"), T2G_NO_OFFSET,
              T2G_NO_OFFSET, NULL, 0) != T2G_OK) {
        verify_fail(v, "place", "%s", t2g_error_message());
        return;
    }
    const t2g_placement *p = &a.placement[0];
    int64_t got[2] = {(int64_t)p->start, (int64_t)p->end};
    int64_t want[2] = {(int64_t)start, (int64_t)end}, none[2] = {0, 0};
    if (absent || exact)
        verify_i64(v, "place", got, absent ? none : want, 2);
    else
        verify_i64(v, "placements", &(int64_t){a.count > 0},
                   &(int64_t){1}, 1);
    d->cases++;
    d->best_found += !absent && found(&a) &&
                     shared(p->start, p->end, start, end) >= .8;
    d->any_found += !absent && found(&a) && best_share(&a, start, end) >= .8;
    t2g_alignment_free(&a);
}

static void verify_damaged(verifier *v, const char *path, const json_t *spans,
                           const json_t *one, size_t number, damage *all)
{
    char id[64];
    const char *class = text_of(one, "class");
    const json_t *response = response_of(spans, integer_of(one, "example"));
    damage *d = class_of(all, class);
    snprintf(id, sizeof id, "%zu-%.40s", number, class);
    if (!response) {
        verify_skip(v, path, id, "spans.json has no such response");
    } else if (!d) {
        verify_skip(v, path, id, "no such class of damage is known");
    } else if (verify_begin(v, path, id)) {
        compare_damaged(v, response, one, d);
        verify_end(v);
    }
}

/* Shares of small samples differ by chance: allowed is one point, or two
 * deviations of a sample of this size where that is more. */
static void compare_share(verifier *v, const char *field, size_t count,
                          size_t cases, double percent)
{
    double p = percent / 100, n = (double)cases;
    double slack = fmax(1, 200 * sqrt(p * (1 - p) / n) + 100 / n);
    double got = 100 * (double)count / n;
    if (got < percent - slack)
        verify_fail(v, field, "%zu of %zu, %.1f of 100, expected %.1f", count,
                    cases, got, percent);
    else
        verify_text(v, field, "", 0, "", 0);
}

static void verify_classes(verifier *v, const char *path, const damage *d)
{
    for (size_t i = 0; i < CLASSES; i++) {
        char id[64];
        snprintf(id, sizeof id, "class-%s", d[i].class);
        if (d[i].cases == 0 || !verify_begin(v, path, id))
            continue;
        compare_share(v, "best", d[i].best_found, d[i].cases, d[i].best);
        compare_share(v, "any", d[i].any_found, d[i].cases, d[i].any);
        verify_end(v);
    }
}

static void verify_all_damaged(verifier *v, const char *path,
                               const json_t *root)
{
    json_t *spans = NULL;
    const json_t *one;
    size_t i;
    damage d[CLASSES];
    memcpy(d, classes, sizeof d);
    if (read_neighbour(&spans, path) != T2G_OK) {
        verify_skip(v, path, NULL, "no spans.json beside it, which has the "
                    "responses");
        return;
    }
    json_array_foreach(root, i, one)
        verify_damaged(v, path, spans, one, i, d);
    verify_classes(v, path, d);
    json_decref(spans);
}

/* --- parse.json: replies -------------------------------------------------- */

/* Lists of an answer and the score that they give. */
static const struct list {
    const char *name;
    double score;
} lists[] = {{"good_spans", 1}, {"poor_spans", -1}, {"wrong_code", -1},
             {"improvement_code", 0}, {"word_score_list", 0}};
enum { LISTS = sizeof lists / sizeof *lists };

/* An item as it was meant: a quote, or a word with its score. */
static bool is_item(const t2g_span *s, const struct list *list,
                    const json_t *item)
{
    const json_t *text = json_is_array(item) ? json_array_get(item, 0) : item;
    double score = json_is_array(item)
                       ? json_number_value(json_array_get(item, 1))
                       : list->score;
    return strcmp(s->source, list->name) == 0 && !s->rejected &&
           s->score == score && s->length == json_string_length(text) &&
           memcmp(s->text, json_string_value(text), s->length) == 0;
}

/* What was read, list after list, is what was meant; where the reply was cut,
 * each list may end early. */
static void compare_lists(verifier *v, const t2g_critique *c,
                          const json_t *meant)
{
    bool cut = (c->repairs & T2G_REPAIR_END_OF_INPUT) != 0;
    size_t at = 0;
    for (size_t k = 0; k < LISTS; k++) {
        const json_t *list = json_object_get(meant, lists[k].name);
        size_t n = json_array_size(list), i = 0;
        while (i < n && at < c->count &&
               is_item(&c->span[at], &lists[k], json_array_get(list, i)))
            i++, at++;
        if (i < n && !cut)
            verify_fail(v, lists[k].name, "element %zu is not as it was meant",
                        i);
        else
            verify_text(v, lists[k].name, "", 0, "", 0);
    }
    if (at < c->count)
        verify_fail(v, "spans", "%zu elements were read, of which %zu are "
                    "meant", c->count, at);
}

/* Replies that hold no list must not be read as one. */
static bool holds_nothing(const char *kind)
{
    static const char *const kinds[] = {"whitespace", "empty_object",
                                        "truncated_feedback"};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(kind, kinds[i]) == 0)
            return true;
    return false;
}

/* A reply is read as it was meant. */
static void compare_reply(verifier *v, const json_t *one, const json_t *reply)
{
    const json_t *meant = json_object_get(one, "intended");
    t2g_critique c;
    if (t2g_critique_parse(&c, json_string_value(reply),
                           json_string_length(reply)) != T2G_OK)
        verify_fail(v, "text", "%s", t2g_error_message());
    else if (json_is_object(meant) && c.status == T2G_CRITIQUE_UNPARSED)
        verify_fail(v, "text", "unparsed: %s", c.reason);
    else if (json_is_object(meant))
        compare_lists(v, &c, meant);
    else if (holds_nothing(text_of(one, "kind")))
        verify_i64(v, "status", &(int64_t){c.status},
                   &(int64_t){T2G_CRITIQUE_UNPARSED}, 1);
    t2g_critique_free(&c);
}

static void verify_reply(verifier *v, const char *path, const json_t *one)
{
    const json_t *reply = json_object_get(one, "text");
    const char *id = text_of(one, "id");
    if (!json_is_string(reply)) {
        verify_skip(v, path, id, "no text");
    } else if (verify_begin(v, path, id)) {
        compare_reply(v, one, reply);
        verify_official_reply(v, one);
        verify_end(v);
    }
}

/* --- the stage ------------------------------------------------------------ */

typedef void verify_record(verifier *v, const char *path, const json_t *one);

/* Which records a file holds, by fields of its first one. */
static const struct layout {
    const char *fields[2];
    verify_record *verify;
} layouts[] = {
    {{"llama3_1_ends", "spans"}, verify_human},
    {{"intended", "text"}, verify_reply},
    {{"autojunk", "no_autojunk"}, verify_difflib},
    {{"hex", "lower"}, verify_token_text},
    {{"tokens", "scores"}, verify_official_match},
    {{"mini_batch", "attention"}, verify_official_mask},
    {{"task", "response"}, verify_official_spans},
    {{"reply", "expect"}, verify_own_reply},
    {{"spans", "offsets"}, verify_own_alignment},
    {{"words", "response"}, verify_own_words},
};

static const struct layout *layout_of(const json_t *first)
{
    for (size_t i = 0; i < sizeof layouts / sizeof *layouts; i++)
        if (json_object_get(first, layouts[i].fields[0]) &&
            json_object_get(first, layouts[i].fields[1]))
            return &layouts[i];
    return NULL;
}

void verify_align(verifier *v, const char *path, const json_t *root)
{
    const json_t *cases = json_object_get(root, "cases");
    const json_t *list = cases ? cases : root;
    const json_t *first = json_array_get(list, 0), *one;
    const struct layout *layout = layout_of(first);
    size_t i;
    if (json_object_get(first, "query") && json_object_get(first, "class"))
        verify_all_damaged(v, path, root);
    else if (layout)
        json_array_foreach(list, i, one)
            layout->verify(v, path, one);
    else if (json_object_get(root, "batches"))
        verify_official_rows(v, path, root);
    else if (json_object_get(root, "kind"))
        verify_skip(v, path, NULL, "no cases of alignment: replayed by "
                    "tests/golden/feedback");
    else if (json_object_get(root, "rouge"))
        verify_rm_metrics(v, path, root);
    else
        verify_skip(v, path, NULL, "no cases of alignment");
}
