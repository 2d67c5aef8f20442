/* A length, a regular expression of that many bytes, and a text: whatever
 * compiles gives matches in order, inside the text, at characters' borders. */
#define _GNU_SOURCE
#include <stdbool.h>

#include "../../ref/tokenizer/regex.h"
#include "fuzz.h"
#include "t2g/files.h"

static bool at_border(const char *text, size_t n, size_t at)
{
    return at == n || ((unsigned char)text[at] & 0xc0) != 0x80;
}

static void walk(const t2g_regex *r, t2g_regex_scratch *s, const char *text,
                 size_t n)
{
    t2g_regex_walk w = {0};
    size_t begin, end, done = 0;
    bool found = true;
    for (size_t matches = 0;; matches++) {
        if (t2g_regex_walk_next(r, s, text, n, &w, &found, &begin, &end) !=
                T2G_OK || !found)
            return;
        FUZZ_CHECK(done <= begin && begin <= end && end <= n);
        FUZZ_CHECK(at_border(text, n, begin) && at_border(text, n, end));
        FUZZ_CHECK(matches <= n);
        done = end;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    t2g_regex *r;
    t2g_regex_scratch *s;
    if (n == 0 || data[0] >= n)
        return 0;
    const char *pattern = (const char *)data + 1, *text = pattern + data[0];
    if (t2g_regex_compile(&r, pattern, data[0]) != T2G_OK)
        return 0;
    FUZZ_CHECK(t2g_regex_scratch_new(&s) == T2G_OK);
    walk(r, s, text, t2g_utf8_invalid(text, n - 1 - data[0]));
    t2g_regex_scratch_free(s);
    t2g_regex_free(r);
    return 0;
}
