/* Replays vectors/feedback: replies, alignments, lists of words, the sequence
 * matcher and the built-in critic, as an independent implementation computes
 * them (vectors/gen/feedback.py). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "t2g/t2g.h"

static const char *current; /* id of the case, for messages */

/* --- reading cases -------------------------------------------------------- */

static json_t *load(const char *path, const char *kind)
{
    json_t *root;
    if (t2g_json_read(&root, path) != T2G_OK)
        fail_msg("%s (run from the top of the tree)", t2g_error_message());
    assert_string_equal(json_string_value(json_object_get(root, "kind")),
                        kind);
    assert_true(json_array_size(json_object_get(root, "cases")) > 0);
    return root;
}

static const char *text_of(const json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));
    return s ? s : "";
}

static size_t size_of(const json_t *o, const char *key)
{
    return (size_t)json_integer_value(json_object_get(o, key));
}

static size_t offset_of(const json_t *o, const char *key)
{
    return json_object_get(o, key) ? size_of(o, key) : T2G_NO_OFFSET;
}

static double number_of(const json_t *o, const char *key)
{
    return json_number_value(json_object_get(o, key));
}

/* Index of a word in a list. */
static int which(const char *word, const char *const *list)
{
    for (int i = 0; list[i]; i++)
        if (strcmp(word, list[i]) == 0)
            return i;
    fail_msg("%s: '%s' is not known", current, word);
    return -1;
}

#define SAME_TEXT(got, want)                                                   \
    do {                                                                       \
        if (strcmp((got) ? (got) : "", want) != 0)                             \
            fail_msg("%s: '%s', expected '%s'", current, (got) ? (got) : "",   \
                     want);                                                    \
    } while (0)

#define SAME(got, want, format)                                                \
    do {                                                                       \
        if ((got) != (want))                                                   \
            fail_msg("%s: %s " format ", expected " format, current, #got,     \
                     got, want);                                               \
    } while (0)

/* --- replies -------------------------------------------------------------- */

static void same_span(const t2g_span *got, const json_t *want)
{
    const json_t *text = json_object_get(want, "text");
    SAME(got->length, json_string_length(text), "%zu");
    assert_memory_equal(got->text, json_string_value(text), got->length);
    SAME(got->score, number_of(want, "score"), "%g");
    SAME(got->start, offset_of(want, "start"), "%zu");
    SAME(got->end, offset_of(want, "end"), "%zu");
    SAME_TEXT(got->note, text_of(want, "note"));
    SAME_TEXT(got->source, text_of(want, "source"));
    SAME(got->rejected != NULL, json_is_true(json_object_get(want,
                                                             "rejected")),
         "%d");
}

/* Each repair that the damage calls for is among those recorded. */
static void same_repairs(unsigned got, const json_t *wanted)
{
    const json_t *name;
    size_t i;
    json_array_foreach(wanted, i, name) {
        unsigned bit = 0;
        while (bit < T2G_REPAIRS && strcmp(t2g_repair_name(bit),
                                           json_string_value(name)) != 0)
            bit++;
        if (bit == T2G_REPAIRS || !(got & 1u << bit))
            fail_msg("%s: no repair '%s' among %x", current,
                     json_string_value(name), got);
    }
    if (!wanted)
        SAME(got, 0u, "%x");
}

static void replies(void **state)
{
    (void)state;
    static const char *const names[] = {"ok", "empty", "unparsed", NULL};
    json_t *root = load("vectors/feedback/parse.json", "feedback_parse"), *one;
    size_t i, k;
    json_array_foreach(json_object_get(root, "cases"), i, one) {
        const json_t *reply = json_object_get(one, "reply");
        const json_t *want = json_object_get(one, "expect"), *span;
        t2g_critique c;
        current = text_of(one, "id");
        assert_int_equal(t2g_critique_parse(&c, json_string_value(reply),
                                            json_string_length(reply)),
                         T2G_OK);
        SAME_TEXT(names[c.status], text_of(want, "status"));
        if (json_object_get(want, "text"))
            SAME_TEXT(c.text, text_of(want, "text"));
        same_repairs(c.repairs, json_object_get(one, "repairs"));
        SAME(c.status == T2G_CRITIQUE_UNPARSED, c.reason[0] != '\0', "%d");
        SAME(c.count, json_array_size(json_object_get(want, "spans")), "%zu");
        json_array_foreach(json_object_get(want, "spans"), k, span)
            same_span(&c.span[k], span);
        t2g_critique_free(&c);
    }
    json_decref(root);
}

/* --- alignment ------------------------------------------------------------ */

static t2g_critique critique_of(const json_t *one)
{
    t2g_critique c = {.text = t2g_strdup(text_of(one, "critique"))};
    const json_t *spans = json_object_get(one, "spans"), *span;
    size_t k;
    json_array_foreach(spans, k, span) {
        const json_t *text = json_object_get(span, "text");
        assert_int_equal(t2g_critique_add(&c, json_string_value(text),
                                          json_string_length(text),
                                          number_of(span, "score"), "spans"),
                         T2G_OK);
        c.span[k].start = offset_of(span, "start");
        c.span[k].end = offset_of(span, "end");
        if (json_object_get(span, "note"))
            c.span[k].note = t2g_strdup(text_of(span, "note"));
    }
    c.status = c.count ? T2G_CRITIQUE_OK : T2G_CRITIQUE_EMPTY;
    return c;
}

static t2g_align_options options_of(const json_t *one)
{
    static const char *const repeat[] = {"split", "first", "last", "all",
                                         "skip", NULL};
    static const char *const overlap[] = {"sum", "inner", "negative",
                                          "first", NULL};
    return (t2g_align_options){
        .on_repeat = (t2g_on_repeat)which(text_of(one, "on_repeat"), repeat),
        .on_overlap =
            (t2g_on_overlap)which(text_of(one, "on_overlap"), overlap),
        .background = number_of(one, "background"),
        .punctuation_zero =
            json_is_true(json_object_get(one, "punctuation_zero"))};
}

static void same_placement(const t2g_placement *got, const json_t *want)
{
    const json_t *tokens = json_object_get(want, "tokens");
    SAME(got->span, size_of(want, "span"), "%zu");
    SAME_TEXT(got->method, text_of(want, "method"));
    SAME_TEXT(got->rule, text_of(want, "rule"));
    SAME_TEXT(got->reason, text_of(want, "reason"));
    SAME(got->start, size_of(want, "start"), "%zu");
    SAME(got->end, size_of(want, "end"), "%zu");
    SAME(got->occurrences, size_of(want, "occurrences"), "%zu");
    SAME(got->occurrence, size_of(want, "occurrence"), "%zu");
    SAME(got->ambiguous, json_is_true(json_object_get(want, "ambiguous")),
         "%d");
    SAME(got->reward, number_of(want, "reward"), "%g");
    SAME((json_int_t)got->first_token,
         json_integer_value(json_array_get(tokens, 0)), "%lld");
    SAME((json_int_t)got->last_token,
         json_integer_value(json_array_get(tokens, 1)), "%lld");
}

static void align_case(const json_t *one)
{
    const json_t *response = json_object_get(one, "response");
    const json_t *offsets = json_object_get(one, "offsets");
    const json_t *want = json_object_get(one, "expect"), *item;
    size_t offset[256], n = json_array_size(offsets), k;
    t2g_critique c = critique_of(one);
    t2g_align_options o = options_of(one);
    t2g_alignment a;
    assert_true(n <= 256);
    for (k = 0; k < n; k++)
        offset[k] = (size_t)json_integer_value(json_array_get(offsets, k));
    assert_int_equal(t2g_align(&a, json_string_value(response),
                               json_string_length(response), &c, offset, n / 2,
                               &o), T2G_OK);
    SAME(a.count, json_array_size(json_object_get(want, "placements")), "%zu");
    json_array_foreach(json_object_get(want, "placements"), k, item)
        same_placement(&a.placement[k], item);
    json_array_foreach(json_object_get(want, "delta"), k, item)
        SAME((double)a.delta[k], json_number_value(item), "%g");
    SAME(a.conflicts, size_of(want, "conflicts"), "%zu");
    SAME_TEXT(a.status, text_of(want, "status"));
    t2g_alignment_free(&a);
    t2g_critique_free(&c);
}

static void alignments(void **state)
{
    (void)state;
    json_t *root = load("vectors/feedback/align.json", "feedback_align"), *one;
    size_t i;
    json_array_foreach(json_object_get(root, "cases"), i, one) {
        current = text_of(one, "id");
        align_case(one);
    }
    json_decref(root);
}

/* --- lists of words ------------------------------------------------------- */

/* Scores alternate, so that neighbours make no run. */
static t2g_critique critique_of_words(const json_t *words)
{
    t2g_critique c = {0};
    const json_t *word;
    size_t k;
    json_array_foreach(words, k, word) {
        assert_int_equal(t2g_critique_add(&c, json_string_value(word),
                                          json_string_length(word),
                                          k % 2 ? 1 : -1, "word_score_list"),
                         T2G_OK);
        c.span[k].word = true;
    }
    return c;
}

static void words_case(const json_t *one)
{
    const json_t *response = json_object_get(one, "response"), *at;
    t2g_critique c = critique_of_words(json_object_get(one, "words"));
    t2g_alignment a;
    size_t k;
    assert_int_equal(t2g_align(&a, json_string_value(response),
                               json_string_length(response), &c, NULL, 0,
                               NULL), T2G_OK);
    SAME(a.count, json_array_size(json_object_get(one, "expect")), "%zu");
    json_array_foreach(json_object_get(one, "expect"), k, at) {
        const t2g_placement *p = &a.placement[k];
        SAME_TEXT(p->method, json_is_null(at) ? "none" : "words");
        SAME((json_int_t)p->start, json_integer_value(json_array_get(at, 0)),
             "%lld");
        SAME((json_int_t)p->end, json_integer_value(json_array_get(at, 1)),
             "%lld");
    }
    t2g_alignment_free(&a);
    t2g_critique_free(&c);
}

static void words(void **state)
{
    (void)state;
    json_t *root = load("vectors/feedback/words.json", "feedback_words"), *one;
    size_t i;
    json_array_foreach(json_object_get(root, "cases"), i, one) {
        current = text_of(one, "id");
        words_case(one);
    }
    json_decref(root);
}

/* --- sequence matcher ----------------------------------------------------- */

static t2g_text string_of(const json_t *o, const char *key)
{
    const json_t *v = json_object_get(o, key);
    return (t2g_text){json_string_value(v), json_string_length(v)};
}

static void same_block(const t2g_block *got, const json_t *want)
{
    SAME((json_int_t)got->a, json_integer_value(json_array_get(want, 0)),
         "%lld");
    SAME((json_int_t)got->b, json_integer_value(json_array_get(want, 1)),
         "%lld");
    SAME((json_int_t)got->size, json_integer_value(json_array_get(want, 2)),
         "%lld");
}

static void matching_case(const json_t *one, bool autojunk)
{
    const json_t *want = json_object_get(one, autojunk ? "autojunk"
                                                       : "no_autojunk");
    const json_t *blocks = json_object_get(want, "blocks"), *block;
    t2g_matching m;
    size_t k;
    assert_int_equal(t2g_sequence_match(&m, string_of(one, "a"),
                                        string_of(one, "b"), autojunk),
                     T2G_OK);
    SAME(m.ratio, number_of(want, "ratio"), "%.17g");
    same_block(&m.longest, json_object_get(want, "longest"));
    SAME(m.count, json_array_size(blocks), "%zu");
    json_array_foreach(blocks, k, block)
        same_block(&m.block[k], block);
    t2g_matching_free(&m);
}

static void matchings(void **state)
{
    (void)state;
    json_t *root = load("vectors/feedback/difflib.json", "feedback_difflib");
    json_t *one;
    size_t i;
    json_array_foreach(json_object_get(root, "cases"), i, one) {
        current = text_of(one, "id");
        matching_case(one, true);
        matching_case(one, false);
    }
    json_decref(root);
}

/* --- the built-in critic -------------------------------------------------- */

static void facts_case(const json_t *one)
{
    const char *prompt = text_of(one, "prompt");
    const char *response = text_of(one, "response");
    const json_t *want = json_object_get(one, "expect"), *item;
    const json_t *count = json_object_get(want, "tally");
    t2g_critique c;
    t2g_facts_tally t = {0};
    size_t k;
    assert_int_equal(t2g_facts_check(prompt, strlen(prompt), response,
                                     strlen(response), &c, &t), T2G_OK);
    SAME_TEXT(c.text, text_of(want, "critique"));
    SAME(c.count, json_array_size(json_object_get(want, "spans")), "%zu");
    json_array_foreach(json_object_get(want, "spans"), k, item) {
        SAME_TEXT(c.span[k].text, text_of(item, "text"));
        SAME(c.span[k].start, size_of(item, "start"), "%zu");
        SAME(c.span[k].end, size_of(item, "end"), "%zu");
        SAME(c.span[k].score, number_of(item, "score"), "%g");
    }
    SAME(t.right, size_of(count, "right"), "%zu");
    SAME(t.wrong, size_of(count, "wrong"), "%zu");
    SAME(t.missing, size_of(count, "missing"), "%zu");
    SAME(t.invented, size_of(count, "invented"), "%zu");
    SAME(t.repeated, size_of(count, "repeated"), "%zu");
    t2g_critique_free(&c);
}

static void facts(void **state)
{
    (void)state;
    json_t *root = load("vectors/feedback/facts.json", "feedback_facts"), *one;
    size_t i;
    json_array_foreach(json_object_get(root, "cases"), i, one) {
        current = text_of(one, "id");
        facts_case(one);
    }
    json_decref(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replies),
        cmocka_unit_test(alignments),
        cmocka_unit_test(words),
        cmocka_unit_test(matchings),
        cmocka_unit_test(facts),
    };
    return cmocka_run_group_tests_name("feedback vectors", tests, NULL, NULL);
}
