/* Regular expressions of tokenizer files: against the direct matchers of the
 * same patterns, what expressions match, what is refused, hostile ones, and
 * exhaustion of memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "counting.h"
#include "../../ref/tokenizer/regex.h"
#include "../../ref/tokenizer/tokenizer_private.h"
#include "../../ref/tokenizer/unicode.h"
#include "t2g/memory.h"

/* --- against the direct matchers ----------------------------------------- */

#define FOLDED "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
#define SPACES "|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define LEAD "[^\\r\\n\\p{L}\\p{N}]?"
#define UPPERS "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]"
#define LOWERS "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]"
#define O200K(suffix, number)                                                  \
    LEAD UPPERS "*" LOWERS "+" suffix "|" LEAD UPPERS "+" LOWERS "*" suffix    \
                "|" number "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*" SPACES

static const char *const direct[] = {
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+"
    "|\\s+(?!\\S)|\\s+",
    t2g_pattern_cl100k,
    t2g_pattern_qwen2,
    O200K(FOLDED "?", "\\p{N}{1,3}"),
    O200K("", "\\p{N}"),
    "\\p{N}{1,3}",
    "[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+",
    "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+"
    "|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\r\n]*"
    "|\\s*[\r\n]+|\\s+(?!\\S)|\\s+"};

static uint64_t state = 1;

static uint32_t below(uint32_t n)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((state >> 33) % n);
}

static uint32_t random_code(void)
{
    static const uint32_t special[] = {
        ' ', ' ', ' ', '\t', '\n', '\r', '\'', '\'', 's', 'S', 'l', 'e', 'r',
        'v', 'm', 'T', '/', '1', 0x17f, 0x212a, 0x85, 0xa0, 0x2028, 0x3000,
        0x180e, 0x301, 0x345, 0x1c5, 0x2b0, 0x4e2d, 0x3042, 0x30a2, 0xbd,
        0x2167, 0x965, 0x378, 0x1c89, 0x10d40, 0x1f600, 0x10ffff};
    switch (below(6)) {
    case 0: return 0x20 + below(0x5f);
    case 1: return below(0x3000);
    case 2: return 0xe000 + below(0x110000 - 0xe000);
    default: return special[below(sizeof special / sizeof *special)];
    }
}

static size_t random_text(char *text, size_t most)
{
    size_t n = 0;
    for (uint32_t i = below((uint32_t)most); i > 0; i--)
        n += utf8_encode(text + n, random_code());
    return n;
}

static void same_matches(const t2g_regex *r, t2g_regex_scratch *s,
                         t2g_matcher *match, const char *text, size_t n)
{
    t2g_regex_walk walk = {0};
    bool found;
    size_t begin, end;
    for (size_t p = 0; p < n;) {
        size_t want = match((const unsigned char *)text, p, n);
        if (want == p) {
            p += utf8_length((unsigned char)text[p]);
            continue;
        }
        assert_int_equal(
            t2g_regex_walk_next(r, s, text, n, &walk, &found, &begin, &end),
            T2G_OK);
        assert_true(found && begin == p && end == want);
        p = end;
    }
    assert_int_equal(
        t2g_regex_walk_next(r, s, text, n, &walk, &found, &begin, &end),
        T2G_OK);
    assert_false(found);
}

static void matches_as_directly(void **unused)
{
    (void)unused;
    const char *count = getenv("T2G_REGEX_TEXTS");
    long texts = count ? atol(count) : 2000;
    t2g_regex_scratch *s;
    assert_int_equal(t2g_regex_scratch_new(&s), T2G_OK);
    for (size_t i = 0; i < sizeof direct / sizeof *direct; i++) {
        char text[4 * 40];
        t2g_regex *r;
        assert_int_equal(t2g_regex_compile(&r, direct[i], strlen(direct[i])),
                         T2G_OK);
        t2g_matcher *match = t2g_matcher_of(direct[i]);
        assert_non_null(match);
        for (long k = 0; k < texts; k++)
            same_matches(r, s, match, text, random_text(text, 40));
        t2g_regex_free(r);
    }
    t2g_regex_scratch_free(s);
}

/* --- what expressions match ---------------------------------------------- */

/* All matches, each followed by '|'. */
static void matches(const char *pattern, const char *text, const char *want)
{
    t2g_regex *r;
    t2g_regex_scratch *s;
    t2g_regex_walk walk = {0};
    t2g_buffer got = {0};
    bool found;
    size_t begin, end;
    assert_int_equal(t2g_buffer_puts(&got, ""), T2G_OK);
    assert_int_equal(t2g_regex_scratch_new(&s), T2G_OK);
    assert_int_equal(t2g_regex_compile(&r, pattern, strlen(pattern)), T2G_OK);
    for (;;) {
        assert_int_equal(t2g_regex_walk_next(r, s, text, strlen(text), &walk,
                                             &found, &begin, &end),
                         T2G_OK);
        if (!found)
            break;
        assert_int_equal(t2g_buffer_printf(&got, "%.*s|", (int)(end - begin),
                                           text + begin),
                         T2G_OK);
    }
    assert_string_equal(got.data, want);
    t2g_buffer_free(&got);
    t2g_regex_free(r);
    t2g_regex_scratch_free(s);
}

static void matches_as_oniguruma(void **unused)
{
    (void)unused;
    matches(" ?[^(\\s|[.,!?\u2026\u3002\uff0c])]+", "ab c.d", "ab| c|d|");
    matches("\\d{1,2}+", "12345 6", "12345|6|"); /* not possessive */
    matches("x{2}?", "xxx", "xx||");           /* (?:x{2})? */
    matches("a{,2}", "aaa", "aa|a|");
    matches("a{,}|b{", "a{,}b{", "a{,}|b{|");
    matches("a(?i)b|c", "aB C aC", "aB|aC|");
    matches(".+", "a\rb\nc", "a\rb|c|");
    matches("(?m:.+)", "a\nb", "a\nb|");
    matches("^a$", "a\na\n", "a|a|");
    matches("\\b", "a b", "||||");
    matches("\\w|\\s", "\u00bd\u180e\u2028", "\u00bd|\u2028|");
    matches("[\\w]", "\u00bda", "a|"); /* brackets have another table */
    matches("(?i:[sk])", "S\u017fK\u212a", "S|\u017f|K|\u212a|");
    matches("(?i)[^\\p{L}]", "a\u0345 ", " |");
    matches("[a-z&&[^aeiou]]+", "abcde", "bcd|");
    matches("(a|b)\\1", "abba", "bb|");
    matches("(?<=a|bc)d", "ad bcd d", "d|d|");
    matches("a++a|b", "aab", "b|");
    matches("\\p{ H-aN }+|\\P{^Lu}", "\u4e2d\u6587A", "\u4e2d\u6587|A|");
    matches("[[:punct:]]", "+.a", "+|.|");
    matches("[-a]|[b-]", "-ab", "-|a|b|");
    matches("(?>a+?)c", "aac", "ac|"); /* machine code of PCRE2 10.42 fails */
    matches("(ss)*+c|\\1", "ss", "");
    matches("", "ab", "|||");
}

/* --- what is refused ----------------------------------------------------- */

static void refused(const char *pattern, t2g_status want)
{
    t2g_regex *r;
    assert_int_equal(t2g_regex_compile(&r, pattern, strlen(pattern)), want);
    assert_null(r);
    assert_non_null(strstr(t2g_error_message(), "regular expression '"));
}

static void refuses(void **unused)
{
    (void)unused;
    static const char *const unknown[] = {
        "\\G", "\\K", "\\X", "\\R", "\\012", "\\0", "\\xe4", "\\x{110000}",
        "\\pL", "\\p{Foo}", "\\cA", "(?x)a", "(?#a)", "(?~a)", "(*FAIL)",
        "[]a]", "[a-b-c]", "[a&&]", "[[:alpha:]]", "[^[^\\w\\W]]", "(?i)ss",
        "(?i)(?:f)i", "(?i)\u00e9", "(?i)[\\p{L}]", "(?i)(a)\\1", "(?i)h\u0331",
        "\\1(a)", "(a\\1)", "(?=(a))\\1", "(?<=a+)b", "(?<=(?=a)a)b",
        "(?:a?)+", "(?:a|)*", "(?:a+?)+", "a{3,2}", "a{70000}",
        "(?<n>a)\\k<n>", "\\q", "$\\O+", "(?=a|b)(?:.)*"};
    static const char *const wrong[] = {
        "(", ")", "(?", "(?)", "[a", "a\\", "*a", "{2}", "|+", "[z-a]",
        "[\\d-a]", "[a-\\d]", "^*", "(?=a)*", "\\b+", "\\u12", "\xff",
        "(?<n>a)(?<=\\z)", "(a)\\1(?<n>b)|*"};
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++)
        refused(unknown[i], T2G_ERR_UNSUPPORTED);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        refused(wrong[i], T2G_ERR_FORMAT);
}

/* --- hostile ones -------------------------------------------------------- */

static void refuses_repeated(const char *part, size_t count)
{
    t2g_buffer pattern = {0};
    t2g_regex *r;
    for (size_t i = 0; i < count; i++)
        assert_int_equal(t2g_buffer_puts(&pattern, part), T2G_OK);
    assert_int_equal(t2g_regex_compile(&r, pattern.data, pattern.size),
                     T2G_ERR_UNSUPPORTED);
    t2g_buffer_free(&pattern);
}

static void survives_hostile_ones(void **unused)
{
    (void)unused;
    refuses_repeated("(", 50000);
    refuses_repeated("[", 50000);
    refuses_repeated("(?i)", 10000);
    refuses_repeated("\\p{L}", 10000);
    refuses_repeated("x", 70000);
    refused("((a{60000}){60000}){60000}", T2G_ERR_UNSUPPORTED);

    char text[64];
    t2g_regex *r;
    t2g_regex_scratch *s;
    bool found;
    size_t begin, end;
    memset(text, 'a', sizeof text);
    text[sizeof text - 1] = 'b';
    assert_int_equal(t2g_regex_scratch_new(&s), T2G_OK);
    assert_int_equal(t2g_regex_compile(&r, "(a+)+$", 6), T2G_OK);
    assert_int_equal(
        t2g_regex_next(r, s, text, sizeof text, 0, &found, &begin, &end),
        T2G_ERR_FORMAT);
    assert_non_null(strstr(t2g_error_message(), "'(a+)+$'"));
    t2g_regex_free(r);
    t2g_regex_scratch_free(s);
}

/* --- memory -------------------------------------------------------------- */

static t2g_status compile_and_match(void)
{
    static const char pattern[] = "(?i:[sk&&\\w])\\b|[^[:punct:]](?<=a|[b[c]])";
    t2g_regex *r = NULL;
    t2g_regex_scratch *s = NULL;
    bool found;
    size_t begin, end;
    t2g_status status = t2g_regex_compile(&r, pattern, sizeof pattern - 1);
    if (status == T2G_OK)
        status = t2g_regex_scratch_new(&s);
    if (status == T2G_OK)
        status = t2g_regex_next(r, s, "xs b", 4, 0, &found, &begin, &end);
    t2g_regex_free(r);
    t2g_regex_scratch_free(s);
    return status;
}

static void survives_failing_allocations(void **unused)
{
    counter c = {0};
    const t2g_allocator failing = {counting_alloc, counting_release, &c};
    t2g_status status;
    (void)unused;
    t2g_set_allocator(&failing);
    do {
        c.allocations = 0;
        c.fail_at++;
        status = compile_and_match();
        assert_int_equal(c.alive, 0);
        assert_true(status == T2G_OK || status == T2G_ERR_MEMORY);
    } while (c.allocations >= c.fail_at);
    t2g_set_allocator(NULL);
    assert_true(c.fail_at > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(matches_as_directly),
        cmocka_unit_test(matches_as_oniguruma),
        cmocka_unit_test(refuses),
        cmocka_unit_test(survives_hostile_ones),
        cmocka_unit_test(survives_failing_allocations)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
