/* The built-in task: what it writes is what its critic reads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "t2g/t2g.h"

static void check(const char *prompt, const char *response, t2g_critique *c,
                  t2g_facts_tally *t)
{
    if (t2g_facts_check(prompt, strlen(prompt), response, strlen(response), c,
                        t) != T2G_OK)
        fail_msg("%s", t2g_error_message());
}

static void sample(uint32_t number, uint32_t variant,
                   const t2g_facts_errors *errors, t2g_buffer *prompt,
                   t2g_buffer *summary)
{
    t2g_buffer post = {0};
    assert_int_equal(t2g_facts_sample(7, number, variant, errors, &post,
                                      summary), T2G_OK);
    assert_int_equal(t2g_facts_prompt(post.data, prompt), T2G_OK);
    t2g_buffer_free(&post);
}

static void tally_of(const t2g_facts_errors *errors, uint32_t messages,
                     t2g_facts_tally *t)
{
    *t = (t2g_facts_tally){0};
    for (uint32_t i = 0; i < messages; i++) {
        t2g_buffer prompt = {0}, summary = {0};
        sample(i, 0, errors, &prompt, &summary);
        check(prompt.data, summary.data, NULL, t);
        t2g_buffer_free(&prompt);
        t2g_buffer_free(&summary);
    }
}

/* Without errors every fact of every message is right. */
static void faultless_references_are_right(void **state)
{
    (void)state;
    const t2g_facts_errors none = {0};
    t2g_facts_tally t;
    tally_of(&none, 2000, &t);
    assert_true(t2g_facts_accuracy(&t) == 1);
    for (size_t f = 0; f < T2G_FACTS; f++) {
        assert_int_equal(t.fact_right[f], t.fact_told[f]);
        assert_true(t.fact_told[f] > 1200);
    }
    assert_int_equal(t.fact_told[T2G_FACT_DAY], 2000);
}

static void errors_come_at_their_rates(void **state)
{
    (void)state;
    const t2g_facts_errors missing = {.missing = .1};
    const t2g_facts_errors invented = {.invented = .3};
    const t2g_facts_errors repeated = {.repeated = .12};
    const t2g_facts_errors restart = {.restart = .12};
    t2g_facts_tally t;
    tally_of(&t2g_facts_reference, 2000, &t);
    assert_true(t2g_facts_accuracy(&t) > .67 && t2g_facts_accuracy(&t) < .72);
    assert_int_equal(t.repeated, 0);
    tally_of(&t2g_facts_spoiled, 2000, &t);
    assert_true(t2g_facts_accuracy(&t) > .45 && t2g_facts_accuracy(&t) < .55);
    assert_true(t.repeated > 500);
    tally_of(&missing, 2000, &t);
    double other_facts = (double)(t.right + t.missing - 2000);
    assert_true((double)t.missing > .08 * other_facts &&
                (double)t.missing < .12 * other_facts);
    assert_int_equal(t.wrong + t.invented + t.repeated, 0);
    tally_of(&invented, 2000, &t);
    assert_true(t.invented > 400 && t.wrong + t.missing + t.repeated == 0);
    tally_of(&repeated, 2000, &t);
    assert_true(t.repeated > 800 && t.missing == 0);
    tally_of(&restart, 2000, &t);
    assert_true(t.repeated > 600 && t.wrong + t.missing + t.invented == 0);
}

static void the_message_depends_on_seed_and_number_alone(void **state)
{
    (void)state;
    t2g_buffer p[3] = {{0}}, s[3] = {{0}};
    sample(5, 0, &t2g_facts_reference, &p[0], &s[0]);
    sample(5, 1, &t2g_facts_spoiled, &p[1], &s[1]);
    sample(6, 0, &t2g_facts_reference, &p[2], &s[2]);
    assert_string_equal(p[0].data, p[1].data);
    assert_string_not_equal(s[0].data, s[1].data);
    assert_string_not_equal(p[0].data, p[2].data);
    for (int i = 0; i < 3; i++) {
        t2g_buffer_free(&p[i]);
        t2g_buffer_free(&s[i]);
    }
}

/* Runs are compared by digests, so the task's texts are pinned. */
static void one_message_pinned(void **state)
{
    (void)state;
    t2g_buffer prompt = {0}, summary = {0};
    sample(0, 0, &t2g_facts_reference, &prompt, &summary);
    assert_string_equal(prompt.data,
                        "POST: Dear friends, please read this. The book "
                        "meeting is on Monday instead of Tuesday. Your host is "
                        "Nora. Thanks and best wishes.\nTL;DR:");
    assert_string_equal(summary.data,
                        " There is the book meeting on Tuesday, led by Nora, "
                        "for 20 dollars, bring a blanket.");
    t2g_buffer_free(&prompt);
    t2g_buffer_free(&summary);
}

static const char prompt[] =
    "POST: Good news for all of you. The safety talk has moved from Monday to "
    "Sunday. Maya is ill, so Kate will lead it. Tickets cost 12 dollars. We "
    "begin at seven. See you all there.\nTL;DR:";

static void critique_in_words_and_spans(void **state)
{
    (void)state;
    static const char response[] =
        " The safety walk is on Sunday in the lobby, led by Maya, for 12 "
        "dollars on Monday.";
    static const struct {
        const char *text;
        double score;
    } want[] = {{"The safety walk", -1}, {"on Sunday", 1}, {"in the lobby", -1},
                {"led by Maya", -1}, {"for 12 dollars", 1}, {"on Monday", -1}};
    t2g_critique c;
    t2g_facts_tally t = {0};
    check(prompt, response, &c, &t);
    assert_string_equal(
        c.text,
        "The event is safety talk, it says safety walk instead. The day is "
        "Sunday, it says Sunday too. It says Monday again. The time is seven, "
        "it says nothing. The place is unknown, it says lobby anyway. The host "
        "is Kate, it says Maya instead. The price is 12, it says 12 too.");
    assert_int_equal(c.count, 6);
    for (size_t i = 0; i < 6; i++) {
        assert_string_equal(c.span[i].text, want[i].text);
        assert_true(c.span[i].score == want[i].score);
        assert_memory_equal(response + c.span[i].start, want[i].text,
                            c.span[i].length);
        assert_int_equal(c.span[i].end - c.span[i].start, c.span[i].length);
    }
    assert_int_equal(t.right, 2);
    assert_int_equal(t.wrong, 2);
    assert_int_equal(t.missing, 1);
    assert_int_equal(t.invented, 1);
    assert_int_equal(t.repeated, 1);
    assert_true(t2g_facts_accuracy(&t) == 2.0 / 7);
    t2g_critique_free(&c);
}

enum { MOST_BYTES = 512 };

/* Rewards of the bytes of a response. */
static void rewards_of(const char *response, const t2g_critique *c,
                       float reward[MOST_BYTES])
{
    size_t n = strlen(response), offset[2 * MOST_BYTES];
    t2g_alignment a;
    assert_true(n <= MOST_BYTES);
    for (size_t i = 0; i < n; i++) {
        offset[2 * i] = i;
        offset[2 * i + 1] = i + 1;
    }
    assert_int_equal(t2g_align(&a, response, n, c, offset, n, NULL), T2G_OK);
    memcpy(reward, a.delta, n * sizeof *reward);
    t2g_alignment_free(&a);
}

/* What a reward model is taught has no offsets: the quotes alone must lead to
 * the same rewards, repetitions included. */
static void quotes_alone_suffice(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 1000; i++) {
        t2g_buffer prompt = {0}, summary = {0}, reply = {0};
        float want[MOST_BYTES], got[MOST_BYTES];
        t2g_critique c, taught;
        sample(i, 0, &t2g_facts_spoiled, &prompt, &summary);
        check(prompt.data, summary.data, &c, NULL);
        assert_int_equal(t2g_critique_format(&c, &reply), T2G_OK);
        assert_int_equal(t2g_critique_parse(&taught, reply.data, reply.size),
                         T2G_OK);
        rewards_of(summary.data, &c, want);
        rewards_of(summary.data, &taught, got);
        assert_memory_equal(got, want, summary.size * sizeof *got);
        t2g_critique_free(&c);
        t2g_critique_free(&taught);
        t2g_buffer_free(&prompt);
        t2g_buffer_free(&summary);
        t2g_buffer_free(&reply);
    }
}

/* A policy may write anything. */
static void responses_that_are_no_summaries(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "", " ", "the", "on", "on at in the led by for dollars bring a the is",
        "\xff\xfe on \xffSunday on Sun\xff at \xe6", "in the the the the",
        " on  Sunday on\nSunday, on, Sunday"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        t2g_critique c;
        t2g_facts_tally t = {0};
        check(prompt, texts[i], &c, &t);
        assert_int_equal(t.right + t.wrong + t.invented + t.repeated, c.count);
        assert_int_equal(t2g_utf8_invalid(c.text, c.text_length),
                         c.text_length);
        for (size_t k = 0; k < c.count; k++)
            assert_int_equal(t2g_utf8_invalid(c.span[k].text,
                                              c.span[k].length),
                             c.span[k].length);
        t2g_critique_free(&c);
    }
    t2g_facts_tally t = {0};
    check(prompt, texts[7], NULL, &t); /* blanks alone join a phrase */
    assert_int_equal(t.right, 1);
    assert_int_equal(t.repeated, 0);
    check(prompt, "", NULL, &t);
    assert_true(t2g_facts_accuracy(&t) > 0);
    assert_true(t2g_facts_accuracy(&(t2g_facts_tally){0}) == 0);
}

static void other_posts_are_refused(void **state)
{
    (void)state;
    static const char *const posts[] = {
        "", "POST: \nTL;DR:", "Bloom is the second album by Troye Sivan.",
        "POST: We begin at seven.\nTL;DR:", "We begin at seven",
        "POST: The safety talk is on Sunday. ", ".", "..",
        "The safety talk is on Sunday. And more"};
    static const bool fine[] = {[5] = true, [8] = false};
    for (size_t i = 0; i < sizeof posts / sizeof *posts; i++) {
        t2g_critique c;
        t2g_status s = t2g_facts_check(posts[i], strlen(posts[i]), " on Sunday",
                                       10, &c, NULL);
        assert_int_equal(s, fine[i] ? T2G_OK : T2G_ERR_FORMAT);
        t2g_critique_free(&c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(faultless_references_are_right),
        cmocka_unit_test(errors_come_at_their_rates),
        cmocka_unit_test(the_message_depends_on_seed_and_number_alone),
        cmocka_unit_test(one_message_pinned),
        cmocka_unit_test(critique_in_words_and_spans),
        cmocka_unit_test(quotes_alone_suffice),
        cmocka_unit_test(responses_that_are_no_summaries),
        cmocka_unit_test(other_posts_are_refused),
    };
    return cmocka_run_group_tests_name("facts", tests, NULL, NULL);
}
