/* Normalizers: what they make of a text, what each byte of it stands for, and
 * what they cost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "counting.h"
#include "../../ref/tokenizer/normalize.h"
#include "../../ref/tokenizer/unicode_properties.h"
#include "t2g/memory.h"

#define TEXT(literal) {literal, sizeof(literal) - 1}

/* The texts begin at byte 10 of their original. */
enum { BASE = 10, MOST = 12 };

static t2g_piece piece(const char *text, size_t n)
{
    return (t2g_piece){text, n, BASE, NULL};
}

typedef struct expected {
    t2g_normalizer_step step;
    t2g_literal in, out;
    size_t origin[2 * MOST]; /* from the text's beginning, per byte of out */
} expected;

static void check(const expected *e, t2g_normalize_scratch *scratch)
{
    t2g_piece in = piece(e->in.data, e->in.n), out;
    assert_int_equal(t2g_normalize_step(&e->step, &in, &out, scratch), T2G_OK);
    assert_int_equal(out.n, e->out.n);
    assert_memory_equal(out.text, e->out.data, out.n);
    for (size_t i = 0; i < out.n; i++) {
        assert_int_equal(piece_begin(&out, i), BASE + e->origin[2 * i]);
        assert_int_equal(piece_end(&out, i + 1), BASE + e->origin[2 * i + 1]);
    }
}

static void check_all(const expected *e, size_t count)
{
    t2g_normalize_scratch scratch = {0};
    for (size_t i = 0; i < count; i++)
        check(&e[i], &scratch);
    t2g_normalize_scratch_free(&scratch);
}

#define CHECK_ALL(cases) check_all(cases, sizeof(cases) / sizeof *(cases))

/* --- forms --------------------------------------------------------------- */

static void forms_say_where_characters_come_from(void **state)
{
    static const expected cases[] = {
        /* a mark that joins belongs to nothing */
        {{.kind = NORMALIZE_NFC}, TEXT("xe\xcc\x81y"), TEXT("x\xc3\xa9y"),
         {0, 1, 1, 2, 1, 2, 4, 5}},
        /* what comes apart stands for the whole */
        {{.kind = NORMALIZE_NFD}, TEXT("x\xc3\xa9y"), TEXT("xe\xcc\x81y"),
         {0, 1, 1, 3, 1, 3, 1, 3, 3, 4}},
        /* marks change places, ranges do not: U+0301 U+0323 */
        {{.kind = NORMALIZE_NFD}, TEXT("q\xcc\x81\xcc\xa3"),
         TEXT("q\xcc\xa3\xcc\x81"), {0, 1, 1, 3, 1, 3, 3, 5, 3, 5}},
        /* U+FB01 U+FF21 */
        {{.kind = NORMALIZE_NFKC}, TEXT("\xef\xac\x81\xef\xbc\xa1"),
         TEXT("fiA"), {0, 3, 0, 3, 3, 6}},
        /* U+1E9B: long s with a dot above */
        {{.kind = NORMALIZE_NFKC}, TEXT("\xe1\xba\x9b"), TEXT("\xe1\xb9\xa1"),
         {0, 3, 0, 3, 0, 3}},
        {{.kind = NORMALIZE_NFKD}, TEXT("\xe1\xba\x9b"), TEXT("s\xcc\x87"),
         {0, 3, 0, 3, 0, 3}},
        /* Hangul: U+1100 U+1161 U+11A8 and U+AC01 */
        {{.kind = NORMALIZE_NFC}, TEXT("\xe1\x84\x80\xe1\x85\xa1\xe1\x86\xa8"),
         TEXT("\xea\xb0\x81"), {0, 3, 0, 3, 0, 3}},
        {{.kind = NORMALIZE_NFD}, TEXT("\xea\xb0\x81"),
         TEXT("\xe1\x84\x80\xe1\x85\xa1\xe1\x86\xa8"),
         {0, 3, 0, 3, 0, 3, 0, 3, 0, 3, 0, 3, 0, 3, 0, 3, 0, 3}},
        /* an unchanged character keeps its bytes apart */
        {{.kind = NORMALIZE_NFC}, TEXT("\xc3\xa9\xcc\xa3\xc3\xa9"),
         TEXT("\xe1\xba\xb9\xcc\x81\xc3\xa9"),
         {0, 2, 0, 2, 0, 2, 2, 4, 2, 4, 4, 5, 5, 6}},
        /* U+0897 is newer than the data: nothing joins or moves */
        {{.kind = NORMALIZE_NFD}, TEXT("\xe0\xa2\x97\xcc\xa3"),
         TEXT("\xe0\xa2\x97\xcc\xa3"),
         {0, 1, 1, 2, 2, 3, 3, 4, 4, 5}}};
    (void)state;
    CHECK_ALL(cases);
}

/* --- the others ---------------------------------------------------------- */

static void characters_are_mapped_and_dropped(void **state)
{
    static const expected cases[] = {
        /* U+00C9, and U+0130, which becomes two */
        {{.kind = NORMALIZE_LOWERCASE}, TEXT("aB\xc3\x89\xc4\xb0"),
         TEXT("ab\xc3\xa9i\xcc\x87"),
         {0, 1, 1, 2, 2, 4, 2, 4, 4, 6, 4, 6, 4, 6}},
        {{.kind = NORMALIZE_STRIP, .left = true, .right = true},
         TEXT(" \xc2\xa0x y\t"), TEXT("x y"), {3, 4, 4, 5, 5, 6}},
        {{.kind = NORMALIZE_STRIP, .left = true}, TEXT(" x "), TEXT("x "),
         {1, 2, 2, 3}},
        {{.kind = NORMALIZE_STRIP, .right = true}, TEXT(" x "), TEXT(" x"),
         {0, 1, 1, 2}},
        {{.kind = NORMALIZE_STRIP, .left = true, .right = true}, TEXT(" \n"),
         TEXT(""), {0}},
        {{.kind = NORMALIZE_STRIP_ACCENTS}, TEXT("\xcc\x81" "e\xcc\x81x"),
         TEXT("ex"), {2, 3, 5, 6}},
        {{.kind = NORMALIZE_NMT}, TEXT("a\x01\t\xe2\x80\x8b\x7f" "b"),
         TEXT("a  b"), {0, 1, 2, 3, 3, 6, 7, 8}},
        {{.kind = NORMALIZE_BYTE_LEVEL}, TEXT("a \xc3\xa9"),
         TEXT("a\xc4\xa0\xc3\x83\xc2\xa9"),
         {0, 1, 1, 2, 1, 2, 2, 3, 2, 3, 3, 4, 3, 4}}};
    (void)state;
    CHECK_ALL(cases);
}

static void bert_cleans_spaces_and_strips(void **state)
{
    static const expected cases[] = {
        {{.kind = NORMALIZE_BERT, .clean_text = true},
         TEXT("\xef\xbf\xbd" "A\t\x01\xc2\x85"), TEXT("A "), {3, 4, 4, 5}},
        /* U+4E00: the space before it has its range, so has the one after */
        {{.kind = NORMALIZE_BERT, .handle_chinese_chars = true},
         TEXT("a\xe4\xb8\x80"), TEXT("a \xe4\xb8\x80 "),
         {0, 1, 1, 4, 1, 2, 2, 3, 3, 4, 1, 4}},
        {{.kind = NORMALIZE_BERT, .strip_accents = true, .lowercase = true},
         TEXT("\xc3\x89X"), TEXT("ex"), {0, 2, 2, 3}},
        /* U+0903 is a mark, but takes space */
        {{.kind = NORMALIZE_BERT, .strip_accents = true},
         TEXT("\xe0\xa4\x83\xcc\x81"), TEXT("\xe0\xa4\x83"),
         {0, 1, 1, 2, 2, 3}}};
    (void)state;
    CHECK_ALL(cases);
}

static void replaces_from_left_to_right(void **state)
{
    static const expected cases[] = {
        /* the range is that of the last character of the match */
        {{.kind = NORMALIZE_REPLACE, .pattern = TEXT("ab"),
          .content = TEXT("\xc3\xa9z")},
         TEXT("xabab"), TEXT("x\xc3\xa9z\xc3\xa9z"),
         {0, 1, 2, 3, 2, 3, 2, 3, 4, 5, 4, 5, 4, 5}},
        {{.kind = NORMALIZE_REPLACE, .pattern = TEXT("aab"),
          .content = TEXT("-")}, TEXT("aaab"), TEXT("a-"), {0, 1, 3, 4}},
        {{.kind = NORMALIZE_REPLACE, .pattern = TEXT("aabaaac"),
          .content = TEXT("-")}, TEXT("aabaaabaaac"), TEXT("aaba-"),
         {0, 1, 1, 2, 2, 3, 3, 4, 10, 11}},
        {{.kind = NORMALIZE_REPLACE, .pattern = TEXT("b"),
          .content = TEXT("")}, TEXT("abc"), TEXT("ac"), {0, 1, 2, 3}},
        {{.kind = NORMALIZE_REPLACE, .pattern = TEXT("abc"),
          .content = TEXT("")}, TEXT("ab"), TEXT("ab"), {0, 1, 1, 2}}};
    (void)state;
    CHECK_ALL(cases);
}

static void replaces_what_a_regex_matches(void **state)
{
    t2g_regex *empty, *run;
    assert_int_equal(t2g_regex_compile(&empty, "", 0), T2G_OK);
    assert_int_equal(t2g_regex_compile(&run, "a*", 2), T2G_OK);
    const expected cases[] = {
        /* nothing matches between all characters */
        {{.kind = NORMALIZE_REPLACE, .regex = empty, .content = TEXT("-")},
         TEXT("a\xc3\xa9"), TEXT("-a-\xc3\xa9-"),
         {0, 0, 0, 1, 0, 1, 1, 2, 2, 3, 1, 3}},
        /* but right after another match it does not count */
        {{.kind = NORMALIZE_REPLACE, .regex = run, .content = TEXT("-")},
         TEXT("aaxa"), TEXT("-x-"), {1, 2, 2, 3, 3, 4}}};
    (void)state;
    CHECK_ALL(cases);
    t2g_regex_free(empty);
    t2g_regex_free(run);
}

static void prepends_to_the_first_character(void **state)
{
    static const expected cases[] = {
        {{.kind = NORMALIZE_PREPEND, .content = TEXT("_x")}, TEXT("\xc3\xa9y"),
         TEXT("_x\xc3\xa9y"), {0, 2, 0, 2, 0, 1, 1, 2, 2, 3}}};
    (void)state;
    CHECK_ALL(cases);
}

static void steps_follow_each_other(void **state)
{
    /* Strip, NFD, StripAccents, Replace, Prepend */
    t2g_normalizer_step steps[] = {
        {.kind = NORMALIZE_STRIP, .left = true},
        {.kind = NORMALIZE_NFD},
        {.kind = NORMALIZE_STRIP_ACCENTS},
        {.kind = NORMALIZE_REPLACE, .pattern = TEXT(" "),
         .content = TEXT("_")},
        {.kind = NORMALIZE_PREPEND, .content = TEXT("_")}};
    static const size_t want[] = {1, 3, 1, 3, 3, 4, 4, 5};
    const t2g_normalizer n = {steps, sizeof steps / sizeof *steps};
    t2g_normalize_scratch scratch = {0};
    t2g_piece in = piece(" \xc3\xa9 x", 5), out;
    (void)state;
    assert_int_equal(t2g_normalize(&n, &in, &out, &scratch), T2G_OK);
    assert_int_equal(out.n, 4);
    assert_memory_equal(out.text, "_e_x", 4);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(piece_begin(&out, i), BASE + want[2 * i]);
        assert_int_equal(piece_end(&out, i + 1), BASE + want[2 * i + 1]);
    }
    t2g_normalize_scratch_free(&scratch);
}

/* --- nothing to do, too much to do --------------------------------------- */

static const t2g_normalizer_step every_kind[] = {
    {.kind = NORMALIZE_NFC}, {.kind = NORMALIZE_NFD}, {.kind = NORMALIZE_NFKC},
    {.kind = NORMALIZE_NFKD}, {.kind = NORMALIZE_LOWERCASE},
    {.kind = NORMALIZE_STRIP, .left = true, .right = true},
    {.kind = NORMALIZE_STRIP_ACCENTS},
    {.kind = NORMALIZE_REPLACE, .pattern = TEXT("\xe2\x80\x94"),
     .content = TEXT("-")},
    {.kind = NORMALIZE_NMT},
    {.kind = NORMALIZE_BERT, .clean_text = true, .handle_chinese_chars = true,
     .strip_accents = true, .lowercase = true},
    {.kind = NORMALIZE_BYTE_LEVEL},
    {.kind = NORMALIZE_PREPEND, .content = TEXT("_")}};

enum {
    KINDS = sizeof every_kind / sizeof *every_kind,
    IDLE = KINDS - 2 /* the first ones do nothing to plain text */
};

static void plain_text_is_not_copied(void **state)
{
    static const char text[] = "plain-text;10";
    t2g_normalize_scratch scratch = {0};
    t2g_piece in = piece(text, sizeof text - 1), out;
    (void)state;
    for (size_t i = 0; i < IDLE; i++) {
        assert_int_equal(t2g_normalize_step(&every_kind[i], &in, &out,
                                            &scratch), T2G_OK);
        assert_ptr_equal(out.text, text);
        assert_int_equal(out.n, in.n);
        assert_null(out.origin);
    }
    t2g_normalize_scratch_free(&scratch);
}

static void nothing_becomes_nothing(void **state)
{
    t2g_normalize_scratch scratch = {0};
    t2g_piece in = piece("", 0), out;
    (void)state;
    for (size_t i = 0; i < KINDS; i++) {
        assert_int_equal(t2g_normalize_step(&every_kind[i], &in, &out,
                                            &scratch), T2G_OK);
        assert_int_equal(out.n, 0);
    }
    t2g_normalize_scratch_free(&scratch);
}

/* a to aa, forty times: a terabyte. */
static void growth_has_an_end(void **state)
{
    t2g_normalizer_step steps[40];
    const t2g_normalizer n = {steps, 40};
    t2g_normalize_scratch scratch = {0};
    t2g_piece in = piece("a", 1), out;
    (void)state;
    for (size_t i = 0; i < n.count; i++)
        steps[i] = (t2g_normalizer_step){.kind = NORMALIZE_REPLACE,
                                         .pattern = TEXT("a"),
                                         .content = TEXT("aa")};
    assert_int_equal(t2g_normalize(&n, &in, &out, &scratch),
                     T2G_ERR_UNSUPPORTED);
    assert_non_null(strstr(t2g_error_message(), "more than 1048576 bytes"));
    t2g_normalize_scratch_free(&scratch);
}

/* --- cost ---------------------------------------------------------------- */

/* A megabyte of marks in the worst order, of ligatures, and of a pattern that
 * nearly matches everywhere: minutes, were one of them quadratic. */
static void long_texts_are_quick(void **state)
{
    enum { N = 1 << 20, PATTERN = 1 << 16 };
    static char text[N], pattern[PATTERN];
    static const char marks[] = "\xcc\x81\xcc\xa3", ligature[] = "\xef\xac\x81";
    const t2g_normalizer_step literal = {
        .kind = NORMALIZE_REPLACE, .pattern = {pattern, PATTERN}};
    t2g_normalize_scratch scratch = {0};
    t2g_piece in = piece(text, N), out;
    (void)state;
    for (size_t i = 0; i < N; i++)
        text[i] = marks[i % 4];
    for (size_t i = NORMALIZE_NFC; i <= NORMALIZE_NFKD; i++)
        assert_int_equal(t2g_normalize_step(&every_kind[i], &in, &out,
                                            &scratch), T2G_OK);
    assert_int_equal(out.n, N);
    assert_memory_equal(out.text, "\xcc\xa3\xcc\xa3", 4);
    assert_memory_equal(out.text + N - 4, "\xcc\x81\xcc\x81", 4);

    in.n = N / 3 * 3;
    for (size_t i = 0; i < in.n; i++)
        text[i] = ligature[i % 3];
    assert_int_equal(t2g_normalize_step(&every_kind[NORMALIZE_NFKC], &in, &out,
                                        &scratch), T2G_OK);
    assert_int_equal(out.n, N / 3 * 2);

    memset(text, 'a', N);
    memset(pattern, 'a', PATTERN);
    pattern[PATTERN - 1] = 'b';
    assert_int_equal(t2g_normalize_step(&literal, &in, &out, &scratch), T2G_OK);
    assert_ptr_equal(out.text, text);
    t2g_normalize_scratch_free(&scratch);
}

/* U+00C9, U+4E00, a ligature, marks, a dash */
static const char rich[] =
    " \xc3\x89x\xe4\xb8\x80\xef\xac\x81q\xcc\x81\xcc\xa3\xe2\x80\x94 ";

/* Every kind, each with a text that it changes. */
static t2g_status change_all(t2g_normalize_scratch *scratch)
{
    t2g_piece in = piece(rich, sizeof rich - 1), out;
    for (size_t i = 0; i < KINDS; i++)
        T2G_TRY(t2g_normalize_step(&every_kind[i], &in, &out, scratch));
    return T2G_OK;
}

static void survives_failing_allocations(void **state)
{
    counter c = {0};
    const t2g_allocator failing = {counting_alloc, counting_release, &c};
    t2g_status s;
    (void)state;
    t2g_set_allocator(&failing);
    do {
        t2g_normalize_scratch scratch = {0};
        c.allocations = 0;
        c.fail_at++;
        s = change_all(&scratch);
        t2g_normalize_scratch_free(&scratch);
        assert_int_equal(c.alive, 0);
        assert_true(s == T2G_OK || s == T2G_ERR_MEMORY);
    } while (s != T2G_OK);
    t2g_set_allocator(NULL);
    assert_true(c.fail_at > 6);
}

static void scratch_is_used_again(void **state)
{
    counter c = {0};
    const t2g_allocator counting = {counting_alloc, counting_release, &c};
    t2g_normalize_scratch scratch = {0};
    (void)state;
    t2g_set_allocator(&counting);
    /* the steps take turns at two texts: twice, for each to grow */
    assert_int_equal(change_all(&scratch), T2G_OK);
    assert_int_equal(change_all(&scratch), T2G_OK);
    c.allocations = 0;
    assert_int_equal(change_all(&scratch), T2G_OK);
    assert_int_equal(change_all(&scratch), T2G_OK);
    assert_int_equal(c.allocations, 0);
    t2g_normalize_scratch_free(&scratch);
    t2g_set_allocator(NULL);
}

/* --- properties ---------------------------------------------------------- */

static bool has_property(const char *name, uint32_t code)
{
    size_t count;
    const t2g_unicode_range *r = t2g_unicode_property(name, &count);
    assert_non_null(r);
    for (size_t i = 0; i < count; i++) {
        assert_true(r[i].first <= r[i].last && r[i].last < 0x110000);
        if (i > 0)
            assert_true(r[i - 1].last + 1 < r[i].first);
        if (code >= r[i].first && code <= r[i].last)
            return true;
    }
    return false;
}

static void properties_have_names(void **state)
{
    size_t count = 1;
    (void)state;
    assert_true(has_property("Lu", 'A') && !has_property("Lu", 'a'));
    assert_true(has_property("L", 0x4e00) && has_property("Han", 0x4e00));
    assert_true(has_property("Cyrillic", 0x416) && has_property("Nd", '7'));
    assert_true(has_property("Cn", 0x10ffff) && has_property("Word", '_'));
    assert_true(has_property("Space", 0x85) && !has_property("Space", 0x180e));
    assert_null(t2g_unicode_property("lu", &count));
    assert_int_equal(count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forms_say_where_characters_come_from),
        cmocka_unit_test(characters_are_mapped_and_dropped),
        cmocka_unit_test(bert_cleans_spaces_and_strips),
        cmocka_unit_test(replaces_from_left_to_right),
        cmocka_unit_test(replaces_what_a_regex_matches),
        cmocka_unit_test(prepends_to_the_first_character),
        cmocka_unit_test(steps_follow_each_other),
        cmocka_unit_test(plain_text_is_not_copied),
        cmocka_unit_test(nothing_becomes_nothing),
        cmocka_unit_test(growth_has_an_end),
        cmocka_unit_test(long_texts_are_quick),
        cmocka_unit_test(survives_failing_allocations),
        cmocka_unit_test(scratch_is_used_again),
        cmocka_unit_test(properties_have_names),
    };
    return cmocka_run_group_tests_name("unit/normalize", tests, NULL, NULL);
}
