/* Critiques in and out of replies and records, alignment's edges and audit,
 * failed allocations. The rules of placing are replayed in golden/feedback. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "scarce.h"
#include "t2g/t2g.h"

static t2g_critique parsed(const char *reply)
{
    t2g_critique c;
    assert_int_equal(t2g_critique_parse(&c, reply, strlen(reply)), T2G_OK);
    return c;
}

static json_t *json(const char *text)
{
    json_t *o = json_loads(text, 0, NULL);
    assert_non_null(o);
    return o;
}

/* --- critiques ------------------------------------------------------------ */

static void reply_and_back(void **state)
{
    (void)state;
    static const char reply[] =
        "{\"textual_feedback\": \"Sagt \\\"é\\\" zweimal.\", \"good_spans\": "
        "[\"on Sunday\"], \"poor_spans\": [\"é\", \"é\"]}";
    t2g_critique c = parsed(reply);
    t2g_buffer out = {0};
    assert_int_equal(c.status, T2G_CRITIQUE_OK);
    assert_int_equal(c.count, 3);
    assert_string_equal(c.span[2].label, "poor");
    assert_int_equal(t2g_critique_format(&c, &out), T2G_OK);
    assert_string_equal(out.data, reply);
    t2g_buffer_free(&out);
    t2g_critique_free(&c);
}

static void neutral_spans_are_not_taught(void **state)
{
    (void)state;
    t2g_critique c = {0};
    t2g_buffer out = {0};
    assert_int_equal(t2g_critique_add(&c, "a", 1, 0, "spans"), T2G_OK);
    assert_int_equal(t2g_critique_add(&c, "b", 1, -1, "spans"), T2G_OK);
    assert_string_equal(c.span[0].label, "neutral");
    assert_int_equal(t2g_critique_format(&c, &out), T2G_OK);
    assert_string_equal(out.data, "{\"textual_feedback\": \"\", "
                                  "\"good_spans\": [], \"poor_spans\": "
                                  "[\"b\"]}");
    t2g_buffer_free(&out);
    t2g_critique_free(&c);
}

static void bytes_that_are_no_text(void **state)
{
    (void)state;
    t2g_critique c = {0}, again;
    t2g_buffer out = {0};
    assert_int_equal(t2g_critique_add(&c, "a\xff", 2, 1, "spans"), T2G_OK);
    assert_int_equal(t2g_critique_format(&c, &out), T2G_OK);
    assert_int_equal(t2g_utf8_invalid(out.data, out.size), out.size);
    again = parsed(out.data);
    assert_string_equal(again.span[0].text, "a\xef\xbf\xbd");
    t2g_critique_free(&again);
    assert_int_equal(t2g_critique_parse(&again, "{\"\xff\": 1}", 8), T2G_OK);
    assert_int_equal(again.status, T2G_CRITIQUE_UNPARSED);
    t2g_critique_free(&again);
    t2g_critique_free(&c);
    t2g_buffer_free(&out);
}

static void records(void **state)
{
    (void)state;
    json_t *in = json("{\"critique\": \"Mixed.\", \"spans\": [{\"text\": \"x\","
                      " \"score\": 0.25}], \"good_spans\": [\"b\", {\"text\": "
                      "\"c\", \"start\": 1, \"end\": 2}], \"poor_spans\": "
                      "[{\"text\": \"d\", \"note\": \"again\"}]}");
    json_t *out = json_object();
    t2g_critique c, again;
    assert_int_equal(t2g_critique_from_record(&c, in), T2G_OK);
    assert_int_equal(c.count, 4);
    assert_true(c.span[0].score == 0.25 && c.span[1].score == 1 &&
                c.span[2].start == 1 && c.span[3].score == -1);
    assert_int_equal(t2g_critique_to_record(&c, out), T2G_OK);
    assert_int_equal(t2g_critique_from_record(&again, out), T2G_OK);
    assert_int_equal(again.count, c.count);
    for (size_t i = 0; i < c.count; i++) {
        assert_string_equal(again.span[i].text, c.span[i].text);
        assert_true(again.span[i].score == c.span[i].score &&
                    again.span[i].start == c.span[i].start &&
                    again.span[i].end == c.span[i].end);
    }
    assert_string_equal(again.span[3].note, "again");
    t2g_critique_free(&c);
    t2g_critique_free(&again);
    json_decref(in);
    json_decref(out);
}

static void record_of_a_reply(void **state)
{
    (void)state;
    json_t *o = json("{\"reply\": \"no answer\", \"good_spans\": [\"a\"]}");
    t2g_critique c;
    assert_int_equal(t2g_critique_from_record(&c, o), T2G_OK);
    assert_int_equal(c.status, T2G_CRITIQUE_UNPARSED);
    assert_int_equal(c.count, 0);
    t2g_critique_free(&c);
    json_object_clear(o);
    json_object_set_new(o, "status", json_string("unparsed"));
    assert_int_equal(t2g_critique_from_record(&c, o), T2G_OK);
    assert_int_equal(c.status, T2G_CRITIQUE_UNPARSED);
    t2g_critique_free(&c);
    json_decref(o);
}

static void wrong_types_name_the_key(void **state)
{
    (void)state;
    static const char *const bad[][2] = {
        {"{\"critique\": 3}", "'critique'"},
        {"{\"good_spans\": \"on Sunday\"}", "'good_spans'"},
        {"{\"poor_spans\": [3]}", "'poor_spans'"},
        {"{\"spans\": [{\"score\": 1}]}", "'spans'"},
        {"{\"spans\": [{\"text\": \"a\", \"start\": -1}]}", "'start'"},
        {"{\"spans\": [{\"text\": \"a\", \"end\": \"2\"}]}", "'end'"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        json_t *o = json(bad[i][0]);
        t2g_critique c;
        assert_int_equal(t2g_critique_from_record(&c, o), T2G_ERR_FORMAT);
        assert_non_null(strstr(t2g_error_message(), bad[i][1]));
        json_decref(o);
    }
}

/* --- alignment ------------------------------------------------------------ */

static const char text[] = "Come on Sunday, on Sunday at seven.";
/* Come| on| Sunday|,| on| Sunday| at| seven|.|<end> */
static const size_t offset[] = {0,  4,  4,  7,  7,  14, 14, 15, 15, 18,
                                18, 25, 25, 28, 28, 34, 34, 35, 35, 35};
enum { TOKENS = 10 };

static t2g_alignment aligned(const char *reply, const t2g_align_options *o)
{
    t2g_critique c = parsed(reply);
    t2g_alignment a;
    assert_int_equal(t2g_align(&a, text, sizeof text - 1, &c, offset, TOKENS,
                               o), T2G_OK);
    t2g_critique_free(&c);
    return a;
}

static void same_delta(const t2g_alignment *a, const float *want)
{
    assert_int_equal(a->tokens, TOKENS);
    for (size_t t = 0; t < TOKENS; t++)
        if (a->delta[t] != want[t])
            fail_msg("token %zu: %g, expected %g", t, (double)a->delta[t],
                     (double)want[t]);
}

static void good_then_poor_mention(void **state)
{
    (void)state;
    static const float want[TOKENS] = {0, 1, 1, 0, -1, -1, 1, 1};
    t2g_alignment a = aligned(
        "{\"textual_feedback\": \"It says Sunday again.\", \"good_spans\": "
        "[\"on Sunday\", \"at seven\"], \"poor_spans\": [\"on Sunday\"]}",
        NULL);
    same_delta(&a, want);
    assert_string_equal(a.status, "ok");
    assert_string_equal(a.placement[2].rule, "in_order");
    t2g_alignment_free(&a);
}

static void repetition_blamed_once(void **state)
{
    (void)state;
    static const float last[TOKENS] = {0, 0, 0, 0, -1, -1};
    static const float split[TOKENS] = {0, .5f, .5f, 0, .5f, .5f};
    t2g_alignment a = aligned(
        "{\"textual_feedback\": \"It says Sunday again.\", \"good_spans\": [],"
        " \"poor_spans\": [\"on Sunday\"]}", NULL);
    same_delta(&a, last);
    t2g_alignment_free(&a);
    a = aligned("{\"textual_feedback\": \"It says Sunday again.\", "
                "\"good_spans\": [\"on Sunday\"], \"poor_spans\": []}", NULL);
    same_delta(&a, split);
    assert_true(a.placement[0].ambiguous);
    t2g_alignment_free(&a);
}

static void opposite_verdicts_cancel(void **state)
{
    (void)state;
    static const float want[TOKENS] = {0};
    t2g_alignment a = aligned("{\"textual_feedback\": \"\", \"good_spans\": "
                              "[\"seven\"], \"poor_spans\": [\"seven\"]}",
                              NULL);
    same_delta(&a, want);
    assert_int_equal(a.conflicts, 1);
    t2g_alignment_free(&a);
}

static void the_inner_span_wins(void **state)
{
    (void)state;
    static const float want[TOKENS] = {0, 0, 0, 0, -1, -1, -1, 1};
    t2g_alignment a = aligned("{\"textual_feedback\": \"\", \"good_spans\": "
                              "[\"seven\"], \"poor_spans\": "
                              "[\"on Sunday at seven\"]}", NULL);
    same_delta(&a, want);
    t2g_alignment_free(&a);
}

static void a_failure_is_never_a_reward(void **state)
{
    (void)state;
    static const float none[TOKENS] = {0};
    const t2g_align_options o = {.background = 1};
    t2g_alignment a = aligned("I liked it.", &o);
    same_delta(&a, none);
    assert_string_equal(a.status, "unparsed");
    t2g_alignment_free(&a);
    a = aligned("{\"textual_feedback\": \"\", \"good_spans\": [], "
                "\"poor_spans\": []}", NULL);
    same_delta(&a, none);
    assert_string_equal(a.status, "empty");
    t2g_alignment_free(&a);
}

static void options(void **state)
{
    (void)state;
    static const float want[TOKENS] = {.5f, 1, 1, 0, .5f, .5f, .5f, .5f};
    const t2g_align_options o = {.on_repeat = T2G_REPEAT_FIRST,
                                 .background = .5, .punctuation_zero = true};
    t2g_alignment a = aligned("{\"textual_feedback\": \"\", \"good_spans\": "
                              "[\"on Sunday\"], \"poor_spans\": []}", &o);
    same_delta(&a, want);
    t2g_alignment_free(&a);
}

static void offsets_are_checked(void **state)
{
    (void)state;
    static const size_t beyond[] = {0, 4, 4, 9}, backwards[] = {3, 2};
    t2g_critique c = parsed("none");
    t2g_alignment a;
    assert_int_equal(t2g_align(&a, "text", 4, &c, beyond, 2, NULL),
                     T2G_ERR_ARG);
    assert_non_null(strstr(t2g_error_message(), "token 1"));
    assert_int_equal(t2g_align(&a, "text", 4, &c, backwards, 1, NULL),
                     T2G_ERR_ARG);
    assert_int_equal(t2g_align(&a, "", 0, &c, NULL, 0, NULL), T2G_OK);
    t2g_alignment_free(&a);
    t2g_critique_free(&c);
}

/* From the audit alone the rewards can be rebuilt. */
static void audit_rebuilds_delta(void **state)
{
    (void)state;
    t2g_critique c = parsed(
        "{\"textual_feedback\": \"\", \"good_spans\": [\"on SUNDAY\", \"at "
        "seven\"], \"poor_spans\": [\"at noon\", {\"text\": \"Come\", "
        "\"score\": \"odd\"}]}");
    t2g_alignment a;
    json_t *lines = json_array(), *id = json_string("r1"), *line;
    double sum[TOKENS] = {0};
    size_t i;
    assert_int_equal(t2g_align(&a, text, sizeof text - 1, &c, offset, TOKENS,
                               NULL), T2G_OK);
    assert_int_equal(t2g_align_audit(&a, &c, text, NULL, id, lines), T2G_OK);
    assert_int_equal(json_array_size(lines), a.count + 1);
    json_array_foreach(lines, i, line) {
        json_int_t first = 0, last = 0;
        double reward = 0;
        assert_string_equal(json_string_value(json_object_get(line, "id")),
                            "r1");
        if (i == a.count)
            break;
        assert_int_equal(json_unpack(line, "{s:[I, I], s:F}", "tokens", &first,
                                     &last, "reward", &reward), 0);
        for (json_int_t t = first; t < last; t++)
            sum[t] += reward;
    }
    for (size_t t = 0; t < TOKENS; t++)
        assert_true((float)sum[t] == a.delta[t]);
    line = json_array_get(lines, a.count);
    assert_string_equal(json_string_value(json_object_get(line, "status")),
                        "partial");
    assert_int_equal(json_integer_value(json_object_get(line,
                                                        "rewarded_tokens")), 6);
    assert_string_equal(json_string_value(json_object_get(
        json_array_get(lines, 4), "reason")), "rejected_score");
    assert_string_equal(json_string_value(json_object_get(
        json_array_get(lines, 0), "matched")), "on Sunday");
    json_decref(lines);
    json_decref(id);
    t2g_alignment_free(&a);
    t2g_critique_free(&c);
}

/* Every option's rewards come back from the audit, bit for bit. */
static void audits_rebuild(void **state)
{
    (void)state;
    static const t2g_align_options rules[] = {
        {0}, {.on_repeat = T2G_REPEAT_ALL, .background = -.25},
        {.on_overlap = T2G_OVERLAP_INNER, .punctuation_zero = true},
        {.on_overlap = T2G_OVERLAP_NEGATIVE, .scale_by_similarity = true},
        {.on_overlap = T2G_OVERLAP_FIRST, .background = 1},
        {.on_unmatched = T2G_UNMATCHED_DROP}};
    t2g_critique c = parsed(
        "{\"textual_feedback\": \"\", \"good_spans\": [\"on Sunday\", \"on "
        "Sundey at sevn\", \"nowhere in it\"], \"poor_spans\": [{\"text\": "
        "\"Sunday\", \"score\": -0.3}, \"seven\"]}");
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        t2g_alignment a, again;
        json_t *lines = json_array(), *line[32];
        assert_int_equal(t2g_align(&a, text, sizeof text - 1, &c, offset,
                                   TOKENS, &rules[i]), T2G_OK);
        assert_int_equal(t2g_align_audit(&a, &c, text, &rules[i], NULL, lines),
                         T2G_OK);
        size_t n = json_array_size(lines);
        assert_in_range(n, 1, 32);
        for (size_t k = 0; k < n; k++)
            line[k] = json_array_get(lines, k);
        assert_int_equal(t2g_align_rebuild(&again, line, n), T2G_OK);
        assert_int_equal(again.tokens, TOKENS);
        assert_memory_equal(again.delta, a.delta, sizeof(float) * TOKENS);
        t2g_alignment_free(&again);
        json_object_set_new(line[n - 1], "background", json_real(.125));
        assert_int_equal(t2g_align_rebuild(&again, line, n),
                         i == 5 ? T2G_OK : T2G_ERR_FORMAT);
        t2g_alignment_free(&again);
        json_decref(lines);
        t2g_alignment_free(&a);
    }
    t2g_critique_free(&c);
}

static void audits_that_are_none(void **state)
{
    (void)state;
    static const char *const bad[][2] = {
        {"{}", "'tokens'"}, {"{\"tokens\": 3}", "'status'"},
        {"{\"tokens\": 3, \"status\": \"ok\"}", "'on_overlap'"},
        {"{\"tokens\": 3, \"status\": \"ok\", \"on_overlap\": \"sum\"}",
         "'background'"},
        {"{\"tokens\": 3, \"status\": \"ok\", \"on_overlap\": \"sum\", "
         "\"background\": 0, \"silent\": [[2, 4]]}", "'silent'"},
        {"{\"tokens\": 3, \"status\": \"ok\", \"on_overlap\": \"sum\", "
         "\"background\": 0, \"silent\": []}", "digest"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        json_t *o = json(bad[i][0]);
        t2g_alignment a;
        assert_int_equal(t2g_align_rebuild(&a, &o, 1), T2G_ERR_FORMAT);
        assert_non_null(strstr(t2g_error_message(), bad[i][1]));
        json_decref(o);
    }
}

static void unmatched_spans(void **state)
{
    (void)state;
    static const float nothing[TOKENS] = {0};
    t2g_align_options o = {.on_unmatched = T2G_UNMATCHED_DROP};
    t2g_critique c = parsed("{\"textual_feedback\": \"\", \"good_spans\": "
                            "[\"at seven\", \"at the barn\"], "
                            "\"poor_spans\": []}");
    t2g_alignment a;
    assert_int_equal(t2g_align(&a, text, sizeof text - 1, &c, offset, TOKENS,
                               &o), T2G_OK);
    same_delta(&a, nothing);
    assert_string_equal(a.status, "dropped");
    assert_string_equal(a.placement[1].reason, "over_threshold");
    assert_true(a.placement[1].distance > 0 && a.placement[1].length == 11);
    t2g_alignment_free(&a);
    o.on_unmatched = T2G_UNMATCHED_FAIL;
    assert_int_equal(t2g_align(&a, text, sizeof text - 1, &c, offset, TOKENS,
                               &o), T2G_ERR_FORMAT);
    assert_non_null(strstr(t2g_error_message(), "at the barn"));
    t2g_critique_free(&c);
}

static void severity_and_similarity(void **state)
{
    (void)state;
    static const t2g_severity table[] = {{"Redundant", -.5}};
    static const t2g_align_options by_type = {.severity = table,
                                              .severities = 1};
    static const t2g_align_options scaled = {.scale_by_similarity = true};
    t2g_alignment a = aligned("{\"textual_feedback\": \"\", \"good_spans\": "
                              "[], \"poor_spans\": [{\"text\": \"seven\", "
                              "\"type\": \"redundant\"}]}", &by_type);
    assert_true(a.delta[7] == -.5f);
    t2g_alignment_free(&a);
    a = aligned("{\"textual_feedback\": \"\", \"good_spans\": [\"Sundai at "
                "seven\"], \"poor_spans\": []}", &scaled);
    assert_string_equal(a.placement[0].method, "fuzzy");
    assert_int_equal(a.placement[0].distance, 1);
    assert_true(a.delta[7] == (float)(1 - 1. / 15));
    t2g_alignment_free(&a);
}

static void runs_of_words(void **state)
{
    (void)state;
    static const float want[TOKENS] = {1, 1, 1, 1, 0, 0, -1, -1};
    t2g_alignment a = aligned("[[\"come\", 1], [\"on\", 1], [\"Sunday,\", 1], "
                              "[\"gone\", 1], [\"at\", -1], [\"seven\", -1]]",
                              NULL);
    same_delta(&a, want);
    assert_int_equal(a.count, 3);
    assert_int_equal(a.placement[0].words, 3);
    assert_string_equal(a.placement[1].reason, "no_such_word");
    t2g_alignment_free(&a);
}

static void repairs_are_named(void **state)
{
    (void)state;
    t2g_critique c = parsed("{'textual_feedback': 'x', 'good_spans': ['a',], "
                            "'poor_spans': []} // done");
    assert_int_equal(c.repairs, T2G_REPAIR_SINGLE_QUOTES |
                                    T2G_REPAIR_EXTRA_COMMA |
                                    T2G_REPAIR_SURROUNDED);
    for (unsigned bit = 0; bit < T2G_REPAIRS; bit++)
        assert_true(*t2g_repair_name(bit) != '\0');
    t2g_critique_free(&c);
    c = parsed("{\"textual_feedback\": \"x\", \"good_spans\": [7, \"a\"], "
               "\"poor_spans\": []}");
    assert_int_equal(c.count, 2);
    assert_string_equal(c.span[0].rejected, "rejected_element");
    t2g_critique_free(&c);
    c = parsed("{\"textual_feedback\": \"x\", \"good_spans\": [7], "
               "\"poor_spans\": []}");
    assert_int_equal(c.status, T2G_CRITIQUE_UNPARSED);
    t2g_critique_free(&c);
}

/* No input costs more than a small multiple of its length. */
static void hostile_replies(void **state)
{
    (void)state;
    static const char *const pieces[] = {"{\"", "[\"", "(", "[[", "{\"a\":",
                                         "\"/*", "\"good_spans\":", "\\",
                                         "```\n", "'", "[\"a\",1],"};
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        t2g_buffer b = {0};
        t2g_critique c;
        while (b.size < 100000)
            assert_int_equal(t2g_buffer_puts(&b, pieces[i]), T2G_OK);
        assert_int_equal(t2g_critique_parse(&c, b.data, b.size), T2G_OK);
        t2g_critique_free(&c);
        t2g_buffer_free(&b);
    }
}

static void hostile_responses(void **state)
{
    (void)state;
    enum { LENGTH = 50000 };
    t2g_critique c = {0};
    t2g_alignment a;
    char *run = t2g_calloc(LENGTH, 1);
    assert_non_null(run);
    memset(run, 'a', LENGTH);
    for (size_t m = 1; m < 40; m++)
        assert_int_equal(t2g_critique_add(&c, run, m * 25, 1, "spans"),
                         T2G_OK);
    run[1000] = 'b';
    assert_int_equal(t2g_critique_add(&c, run, 1200, -1, "spans"), T2G_OK);
    assert_int_equal(t2g_align(&a, run, LENGTH, &c, NULL, 0, NULL), T2G_OK);
    assert_string_equal(a.placement[0].reason, "too_many_occurrences");
    t2g_alignment_free(&a);
    t2g_critique_free(&c);
    t2g_free(run);
}

/* --- memory --------------------------------------------------------------- */

static t2g_status released_way(void)
{
    static const t2g_text response = {text, sizeof text - 1};
    static const char *const replies[] = {
        "{\"textual_feedback\": \"\", \"word_score_list\": [[\"Come\", 1], "
        "[\"on\", -1]]}", "{\"textual_feedback\": \"\", \"good_spans\": "
        "[\"on Sundey at\"], \"poor_spans\": []}",
        "\"wrong_code\": [\"Come onn\"], \"improvement_code\": [\"x y z a\"]"};
    for (size_t task = 0; task < 3; task++) {
        t2g_official_words w;
        T2G_TRY(t2g_official_reply(&w, (t2g_task)task, response,
                                   (t2g_text){replies[task],
                                                strlen(replies[task])}));
        t2g_official_words_free(&w);
    }
    return T2G_OK;
}

static t2g_status whole_way(void)
{
    static const char reply[] =
        "So: {'textual_feedback': 'x', 'good_spans': ['on sunday', {"
        "'text': 'at seven', 'note': 'n'}, 'on Sundey at sevn'], 'poor_spans':"
        " ['on Sunday', 'lobby', 'come...seven', '**at** x'], "
        "'word_score_list': [('Come', 1), ('on', -1)]}";
    t2g_critique c;
    t2g_alignment a;
    t2g_buffer out = {0};
    T2G_TRY(t2g_critique_parse(&c, reply, sizeof reply - 1));
    t2g_status s = t2g_critique_format(&c, &out);
    if (s == T2G_OK)
        s = t2g_align(&a, text, sizeof text - 1, &c, offset, TOKENS, NULL);
    if (s == T2G_OK)
        t2g_alignment_free(&a);
    if (s == T2G_OK)
        s = released_way();
    t2g_buffer_free(&out);
    t2g_critique_free(&c);
    return s;
}

static void each_allocation_may_fail(void **state)
{
    (void)state;
    budget b = {0};
    const t2g_allocator allocator = {scarce, give_back, &b};
    t2g_status s = T2G_ERR_MEMORY;
    t2g_set_allocator(&allocator);
    for (size_t n = 0; n < 3000 && s != T2G_OK; n++) {
        b.left = n;
        s = whole_way();
        assert_true(s == T2G_OK || s == T2G_ERR_MEMORY);
        assert_int_equal(b.alive, 0);
    }
    t2g_set_allocator(NULL);
    assert_int_equal(s, T2G_OK);
}

/* A list of words stands beside empty lists of spans, and is read again. */
static void lists_of_words_come_back(void **state)
{
    static const char reply[] = "{\"textual_feedback\": \"so\", "
        "\"word_score_list\": [[\"one\", 1], [\"two\", -0.5]]}";
    t2g_critique c, again;
    t2g_buffer text = {0};
    (void)state;
    assert_int_equal(t2g_critique_parse(&c, reply, sizeof reply - 1), T2G_OK);
    assert_int_equal(c.count, 2);
    assert_int_equal(t2g_critique_format(&c, &text), T2G_OK);
    assert_int_equal(t2g_critique_parse(&again, text.data, text.size), T2G_OK);
    assert_int_equal(again.status, T2G_CRITIQUE_OK);
    assert_int_equal(again.count, 2);
    assert_true(again.span[1].score == -0.5 && again.span[1].word);
    t2g_buffer_free(&text);
    t2g_critique_free(&c);
    t2g_critique_free(&again);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_of_words_come_back),
        cmocka_unit_test(reply_and_back),
        cmocka_unit_test(neutral_spans_are_not_taught),
        cmocka_unit_test(bytes_that_are_no_text),
        cmocka_unit_test(records),
        cmocka_unit_test(record_of_a_reply),
        cmocka_unit_test(wrong_types_name_the_key),
        cmocka_unit_test(good_then_poor_mention),
        cmocka_unit_test(repetition_blamed_once),
        cmocka_unit_test(opposite_verdicts_cancel),
        cmocka_unit_test(the_inner_span_wins),
        cmocka_unit_test(a_failure_is_never_a_reward),
        cmocka_unit_test(options),
        cmocka_unit_test(offsets_are_checked),
        cmocka_unit_test(audit_rebuilds_delta),
        cmocka_unit_test(audits_rebuild),
        cmocka_unit_test(audits_that_are_none),
        cmocka_unit_test(unmatched_spans),
        cmocka_unit_test(severity_and_similarity),
        cmocka_unit_test(runs_of_words),
        cmocka_unit_test(repairs_are_named),
        cmocka_unit_test(hostile_replies),
        cmocka_unit_test(hostile_responses),
        cmocka_unit_test(each_allocation_may_fail),
    };
    return cmocka_run_group_tests_name("feedback", tests, NULL, NULL);
}
