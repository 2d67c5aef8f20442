/* Critics outside the program: prompts, requests, replies, answers kept. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "scarce.h"
#include "t2g/t2g.h"

static t2g_prompt_template from(const char *text)
{
    return (t2g_prompt_template){"own.txt", text, strlen(text)};
}

static const t2g_critic_case example = {"P{x}", "R", "F", 4, 1, 1};

static void assert_message(const char *part)
{
    if (!strstr(t2g_error_message(), part))
        fail_msg("'%s' lacks '%s'", t2g_error_message(), part);
}

/* --- prompts -------------------------------------------------------------- */

static void built_in_templates(void **state)
{
    (void)state;
    for (int task = T2G_CRITIC_SUM; task <= T2G_CRITIC_CODE; task++) {
        t2g_prompt_template t = t2g_critic_template((t2g_critic_task)task);
        t2g_critic_case c = example;
        t2g_buffer out = {0};
        c.reference = NULL; /* none of them needs one */
        assert_int_equal(t2g_critic_template_check(&t), T2G_OK);
        assert_int_equal(t2g_critic_fill(&out, &t, &c), T2G_OK);
        assert_non_null(strstr(out.data, ">\nP{x}\n</"));
        assert_non_null(strstr(out.data, ">\nR\n</"));
        assert_non_null(strstr(out.data, "\n{\"reasoning\": \"...\", "));
        assert_null(strstr(out.data, "{{"));
        t2g_buffer_free(&out);
    }
}

static void places_are_filled_once(void **state)
{
    (void)state;
    t2g_prompt_template t = from("{{{prompt}}} {response}{reference}|"
                                 "{{prompt}}");
    t2g_buffer out = {0};
    assert_int_equal(t2g_critic_fill(&out, &t, &example), T2G_OK);
    assert_string_equal(out.data, "{P{x}} RF|{prompt}");
    t2g_buffer_free(&out);
}

static void bad_templates_name_the_place(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
    } bad[] = {{"{response}\n a {promt}", "own.txt:2:4: a { that"},
               {"{response} }", "own.txt:1:12: a single }"},
               {"{response} {", "own.txt:1:12: a { that"},
               {"{response", "own.txt:1:1: a { that"},
               {"{prompt} {{response}}", "own.txt: {response} is nowhere"},
               {"", "own.txt: {response} is nowhere"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        t2g_prompt_template t = from(bad[i].text);
        assert_int_equal(t2g_critic_template_check(&t), T2G_ERR_FORMAT);
        assert_message(bad[i].message);
    }
    t2g_prompt_template t = from("{response} {reference}");
    t2g_critic_case c = example;
    t2g_buffer out = {0};
    c.reference = NULL;
    assert_int_equal(t2g_critic_template_check(&t), T2G_OK);
    assert_int_equal(t2g_critic_fill(&out, &t, &c), T2G_ERR_FORMAT);
    assert_message("no string 'reference', which the template own.txt shows");
    t2g_buffer_free(&out);
}

/* --- requests ------------------------------------------------------------- */

static json_t *request(const t2g_chat_options *o, t2g_reply_form form)
{
    t2g_buffer out = {0};
    assert_int_equal(t2g_chat_request(&out, o, form, "say \"\xff\"", 7),
                     T2G_OK);
    json_t *body = json_loadb(out.data, out.size, 0, NULL);
    assert_non_null(body);
    t2g_buffer_free(&out);
    return body;
}

static const char *text_at(const json_t *o, const char *a, const char *b)
{
    const json_t *v = json_object_get(o, a);
    return json_string_value(b ? json_object_get(v, b) : v);
}

static void requests_have_members(void **state)
{
    (void)state;
    const t2g_chat_options o = {"m", 0.3, 0.95, 64, NULL};
    static const char *const type[] = {NULL, "json_object", "json_schema"};
    for (int form = T2G_REPLY_FREE; form <= T2G_REPLY_JSON_SCHEMA; form++) {
        json_t *body = request(&o, (t2g_reply_form)form);
        const json_t *message = json_array_get(json_object_get(body,
                                                               "messages"), 0);
        assert_string_equal(text_at(body, "model", NULL), "m");
        assert_string_equal(text_at(message, "content", NULL),
                            "say \"\xef\xbf\xbd\"");
        assert_int_equal(json_integer_value(json_object_get(body,
                                                            "max_tokens")), 64);
        const char *got = text_at(body, "response_format", "type");
        if (type[form])
            assert_string_equal(got, type[form]);
        else
            assert_null(got);
        json_decref(body);
    }
}

static void extra_members_win(void **state)
{
    (void)state;
    json_t *extra = json_pack("{s:n, s:i, s:f}", "max_tokens",
                              "max_completion_tokens", 9, "temperature", 1.0);
    const t2g_chat_options o = {"m", 0.3, 0.95, 64, extra};
    json_t *body = request(&o, T2G_REPLY_FREE);
    assert_null(json_object_get(body, "max_tokens"));
    assert_int_equal(json_integer_value(
        json_object_get(body, "max_completion_tokens")), 9);
    assert_true(json_real_value(json_object_get(body, "temperature")) == 1);
    json_decref(body);
    json_decref(extra);
}

/* --- replies -------------------------------------------------------------- */

#define CRITIQUE                                                               \
    "{\\\"textual_feedback\\\": \\\"t\\\", "                                     \
    "\\\"good_spans\\\": [\\\"a\\\"], \\\"poor_spans\\\": []}"
#define CHOICE(message, more)                                                  \
    "{\"choices\": [{\"message\": " message more "}]}"
#define CONTENT(text) "{\"content\": \"" text "\"}"

static t2g_critique critique_of(const char *body)
{
    t2g_critique c;
    json_t *answer;
    assert_int_equal(t2g_chat_answer(&answer, body, strlen(body)), T2G_OK);
    assert_int_equal(t2g_answer_critique(&c, answer), T2G_OK);
    json_decref(answer);
    return c;
}

static void replies_of_many_servers(void **state)
{
    (void)state;
    static const char *const good[] = {
        CHOICE(CONTENT(CRITIQUE), ""),
        CHOICE(CONTENT(CRITIQUE), ", \"finish_reason\": null"),
        CHOICE(CONTENT("\\n<think>so \\\"{}\\\" </think>\\n" CRITIQUE),
               ", \"finish_reason\": \"stop\""),
        CHOICE("{\"content\": [{\"type\": \"text\", \"text\": \"" CRITIQUE
               "\"}, {\"type\": \"x\"}], \"refusal\": null}", ""),
        "{\"error\": null, \"created\": 99999999999999999999, "
        "\"choices\": [{\"message\": " CONTENT(CRITIQUE) "}]}"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        t2g_critique c = critique_of(good[i]);
        assert_int_equal(c.status, T2G_CRITIQUE_OK);
        assert_int_equal(c.count, 1);
        assert_string_equal(c.span[0].text, "a");
        t2g_critique_free(&c);
    }
}

static void replies_that_are_no_critique(void **state)
{
    (void)state;
    static const struct {
        const char *body, *reason;
    } bad[] = {
        {CHOICE(CONTENT(CRITIQUE), ", \"finish_reason\": \"length\""),
         "cut at the limit"},
        {CHOICE(CONTENT(CRITIQUE), ", \"finish_reason\": \"content_filter\""),
         "filter"},
        {CHOICE("{\"content\": null, \"refusal\": \"No.\"}", ""), "refused"},
        {CHOICE("{\"content\": null}", ""), ""},
        {CHOICE(CONTENT("<think>never ends " CRITIQUE), ""), "thoughts"},
        {CHOICE(CONTENT("I like it."), ""), ""}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        t2g_critique c = critique_of(bad[i].body);
        assert_int_equal(c.status, T2G_CRITIQUE_UNPARSED);
        assert_int_equal(c.count, 0);
        assert_non_null(strstr(c.reason, bad[i].reason));
        t2g_critique_free(&c);
    }
}

static void bodies_that_are_no_completion(void **state)
{
    (void)state;
    static const struct {
        const char *body, *message;
    } bad[] = {
        {"", "an empty body"},
        {"<html>\x1b[31m\n log in", "begins <html> [31m log in"},
        {"{\"choices\": [", "begins {\"choices\": ["},
        {"[]", "without 'choices'"},
        {"{\"choices\": []}", "without 'choices'"},
        {"{\"choices\": [{\"text\": \"a\"}]}", "a choice without a message"},
        {"{\"error\": {\"message\": \"no\\nroom\"}}", "server says: no room"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        json_t *answer;
        assert_int_equal(t2g_chat_answer(&answer, bad[i].body,
                                         strlen(bad[i].body)), T2G_ERR_FORMAT);
        assert_null(answer);
        assert_message(bad[i].message);
    }
}

static void tokens_are_counts(void **state)
{
    (void)state;
    static const char body[] =
        "{\"model\": \"m2\", \"usage\": {\"prompt_tokens\": 7, "
        "\"completion_tokens\": -1}, \"choices\": [{\"message\": "
        "{\"content\": \"x\"}}]}";
    json_t *answer;
    assert_int_equal(t2g_chat_answer(&answer, body, sizeof body - 1), T2G_OK);
    assert_int_equal(json_integer_value(json_object_get(answer,
                                                        "prompt_tokens")), 7);
    assert_null(json_object_get(answer, "completion_tokens"));
    assert_string_equal(text_at(answer, "model", NULL), "m2");
    assert_string_equal(text_at(answer, "reply", NULL), "x");
    json_decref(answer);
}

static void errors_are_one_printable_line(void **state)
{
    (void)state;
    static const struct {
        const char *body, *text;
    } cases[] = {{"{\"detail\": \"a\\u001b]0;x\\u0007b\"}", "a ]0;x b"},
                 {"{\"message\": \"m\"}", "m"},
                 {"{\"error\": \"e\"}", "e"},
                 {"\xc2\x9bred\n\n\tx", "red x"},
                 {"aaaaaaa\xc3\xa9", "aaaaaaa"}, /* no half character */
                 {"", ""}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[9];
        t2g_chat_error(text, sizeof text, cases[i].body,
                       strlen(cases[i].body));
        assert_string_equal(text, cases[i].text);
    }
}

/* --- answers kept --------------------------------------------------------- */

static char folder[] = "/tmp/t2g-critic-XXXXXX", path[64];

static int make_folder(void **state)
{
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/answers.jsonl", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(folder);
}

static void write_file(const char *text)
{
    assert_int_equal(t2g_file_write(path, text, strlen(text)), T2G_OK);
}

static void assert_file(const char *wanted)
{
    t2g_buffer text = {0};
    assert_int_equal(t2g_file_read(path, &text), T2G_OK);
    assert_string_equal(text.data ? text.data : "", wanted);
    t2g_buffer_free(&text);
}

#define KEY_A "0123456789abcdef0123456789abcdef"
#define KEY_B "fedcba9876543210fedcba9876543210"
#define LINE_A "{\"key\":\"" KEY_A "\",\"reply\":\"a\"}\n"
#define LINE_B "{\"key\":\"" KEY_B "\",\"reply\":\"b\",\"n\":1}\n"

static void keys_keep_parts_apart(void **state)
{
    (void)state;
    const t2g_bytes one[] = {{"ab", 2}, {"c", 1}};
    const t2g_bytes two[] = {{"a", 1}, {"bc", 2}};
    const t2g_bytes three[] = {{"ab", 2}, {"c", 1}, {NULL, 0}};
    char a[T2G_ANSWER_KEY], b[T2G_ANSWER_KEY], c[T2G_ANSWER_KEY];
    assert_int_equal(t2g_answer_key(a, one, 2), T2G_OK);
    assert_int_equal(t2g_answer_key(b, two, 2), T2G_OK);
    assert_int_equal(t2g_answer_key(c, three, 3), T2G_OK);
    assert_string_not_equal(a, b);
    assert_string_not_equal(a, c);
    assert_int_equal(strlen(a), T2G_ANSWER_KEY - 1);
}

static void answers_are_kept(void **state)
{
    (void)state;
    t2g_answers *a, *second;
    json_t *answer = json_pack("{s:s, s:i}", "reply", "b", "n", 1);
    write_file(LINE_A);
    assert_int_equal(t2g_answers_open(&a, path), T2G_OK);
    assert_int_equal(t2g_answers_open(&second, path), T2G_ERR_IO);
    assert_message("another process");
    assert_null(t2g_answers_find(a, KEY_B));
    assert_int_equal(t2g_answers_add(a, KEY_B, answer), T2G_OK);
    assert_int_equal(t2g_answers_count(a), 2);
    assert_string_equal(text_at(t2g_answers_find(a, KEY_A), "reply", NULL),
                        "a");
    assert_string_equal(text_at(t2g_answers_find(a, KEY_B), "reply", NULL),
                        "b");
    assert_file(LINE_A LINE_B);
    t2g_answers_close(a);
    json_decref(answer);
}

/* A process may be killed within any byte of a line. */
static void torn_lines_are_cut_off(void **state)
{
    (void)state;
    static const char whole[] = LINE_A LINE_B;
    char text[sizeof whole];
    for (size_t n = 0; n < sizeof whole; n++) {
        t2g_answers *a;
        size_t lines = (n >= sizeof LINE_A - 2) + (n >= sizeof whole - 2);
        snprintf(text, n + 1, "%s", whole);
        write_file(text);
        assert_int_equal(t2g_answers_open(&a, path), T2G_OK);
        assert_int_equal(t2g_answers_count(a), lines);
        t2g_answers_close(a);
        assert_file(lines == 2 ? LINE_A LINE_B : lines == 1 ? LINE_A : "");
    }
}

static void damage_is_an_error(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
    } bad[] = {{"{\"key\": 1}\n" LINE_A, ":1: 'key' is an integer"},
               {"{\"key\": \"" KEY_A "\"}\n" LINE_A, ":1: 'reply' is missing"},
               {LINE_A "\n" LINE_A, ":2:"},
               {LINE_A "{\"key\"\n" LINE_B, ":2:"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        t2g_answers *a;
        write_file(bad[i].text);
        assert_int_equal(t2g_answers_open(&a, path), T2G_ERR_FORMAT);
        assert_message(bad[i].message);
        assert_file(bad[i].text);
    }
    t2g_answers *a;
    assert_int_equal(t2g_answers_open(&a, "/dev/null"), T2G_ERR_IO);
    assert_int_equal(t2g_answers_open(&a, "/nonexistent/a"), T2G_ERR_IO);
}

/* --- failed allocations --------------------------------------------------- */

static t2g_status judge(t2g_buffer *prompt, json_t **answer)
{
    static const char body[] = CHOICE(CONTENT(CRITIQUE), "");
    t2g_prompt_template t = t2g_critic_template(T2G_CRITIC_QA);
    t2g_critique c = {0};
    T2G_TRY(t2g_critic_fill(prompt, &t, &example));
    T2G_TRY(t2g_chat_answer(answer, body, sizeof body - 1));
    t2g_status s = t2g_answer_critique(&c, *answer);
    t2g_critique_free(&c);
    return s;
}

static t2g_status whole_way(void)
{
    const t2g_chat_options o = {"m", 0.3, 0.95, 64, NULL};
    t2g_buffer prompt = {0}, body = {0};
    json_t *answer = NULL;
    t2g_answers *a = NULL;
    t2g_status s = judge(&prompt, &answer);
    if (s == T2G_OK)
        s = t2g_chat_request(&body, &o, T2G_REPLY_JSON_SCHEMA, prompt.data,
                             prompt.size);
    if (s == T2G_OK)
        s = t2g_answers_open(&a, path);
    if (s == T2G_OK)
        s = t2g_answers_add(a, KEY_A, answer);
    t2g_answers_close(a);
    json_decref(answer);
    t2g_buffer_free(&prompt);
    t2g_buffer_free(&body);
    return s;
}

static void each_allocation_may_fail(void **state)
{
    (void)state;
    budget b = {0};
    const t2g_allocator allocator = {scarce, give_back, &b};
    t2g_status s = T2G_ERR_MEMORY;
    unlink(path);
    t2g_set_allocator(&allocator);
    for (size_t n = 0; n < 200 && s != T2G_OK; n++) {
        b.left = n;
        s = whole_way();
        assert_true(s == T2G_OK || s == T2G_ERR_MEMORY);
        assert_int_equal(b.alive, 0);
    }
    t2g_set_allocator(NULL);
    assert_int_equal(s, T2G_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(built_in_templates),
        cmocka_unit_test(places_are_filled_once),
        cmocka_unit_test(bad_templates_name_the_place),
        cmocka_unit_test(requests_have_members),
        cmocka_unit_test(extra_members_win),
        cmocka_unit_test(replies_of_many_servers),
        cmocka_unit_test(replies_that_are_no_critique),
        cmocka_unit_test(bodies_that_are_no_completion),
        cmocka_unit_test(tokens_are_counts),
        cmocka_unit_test(errors_are_one_printable_line),
        cmocka_unit_test(keys_keep_parts_apart),
        cmocka_unit_test(answers_are_kept),
        cmocka_unit_test(torn_lines_are_cut_off),
        cmocka_unit_test(damage_is_an_error),
        cmocka_unit_test(each_allocation_may_fail),
    };
    return cmocka_run_group_tests_name("critic", tests, make_folder,
                                       remove_folder);
}
