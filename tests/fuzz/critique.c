/* Replies of reward models and the answers they judge: bytes up to the first
 * 0xFF are the answer, the rest is the reply. */
#define _GNU_SOURCE
#include <math.h>
#include <string.h>

#include "fuzz.h"
#include "t2g/feedback.h"

/* Every byte of the answer is a token. */
static size_t *bytes_as_tokens(size_t n)
{
    size_t *offset = t2g_calloc(2 * n + 1, sizeof *offset);
    for (size_t i = 0; offset && i < n; i++) {
        offset[2 * i] = i;
        offset[2 * i + 1] = i + 1;
    }
    return offset;
}

/* Places lie in the answer, rewards are what they may be, and the audit alone
 * gives them again. */
static void check_alignment(const t2g_alignment *a, const t2g_critique *c,
                            const char *answer, size_t n)
{
    t2g_alignment again = {0};
    json_t *lines = json_array();
    FUZZ_CHECK(a->tokens == n);
    for (size_t i = 0; i < n; i++)
        FUZZ_CHECK(isfinite(a->delta[i]) && fabsf(a->delta[i]) <= 1);
    for (size_t i = 0; i < a->count; i++)
        FUZZ_CHECK(a->placement[i].start <= a->placement[i].end &&
                   a->placement[i].end <= n);
    FUZZ_CHECK(t2g_align_audit(a, c, answer, NULL, NULL, lines) == T2G_OK);
    size_t count = json_array_size(lines);
    json_t **line = t2g_calloc(count, sizeof *line);
    for (size_t i = 0; i < count; i++)
        line[i] = json_array_get(lines, i);
    FUZZ_CHECK(t2g_align_rebuild(&again, line, count) == T2G_OK);
    FUZZ_CHECK(again.tokens == n);
    FUZZ_CHECK(n == 0 ||
               memcmp(again.delta, a->delta, n * sizeof *a->delta) == 0);
    t2g_alignment_free(&again);
    t2g_free(line);
    json_decref(lines);
}

/* What was read is written, read and written again the same. */
static void check_format(const t2g_critique *c)
{
    t2g_buffer text = {0}, same = {0};
    t2g_critique again = {0};
    FUZZ_CHECK(t2g_critique_format(c, &text) == T2G_OK);
    FUZZ_CHECK(t2g_critique_parse(&again, text.data, text.size) == T2G_OK);
    FUZZ_CHECK(t2g_critique_format(&again, &same) == T2G_OK);
    FUZZ_CHECK(same.size == text.size &&
               memcmp(same.data, text.data, text.size) == 0);
    t2g_critique_free(&again);
    t2g_buffer_free(&text);
    t2g_buffer_free(&same);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *border = size ? memchr(data, 0xff, size) : NULL;
    size_t n = border ? (size_t)(border - data) : 0;
    const char *answer = (const char *)data;
    const char *reply = answer + n + (border != NULL);
    size_t reply_n = size - n - (border != NULL);
    t2g_critique c = {0};
    t2g_alignment a = {0};
    if (n > 4000 || size == 0)
        return 0;
    size_t *offset = bytes_as_tokens(n);
    FUZZ_CHECK(t2g_critique_parse(&c, reply, reply_n) == T2G_OK);
    if (c.status != T2G_CRITIQUE_UNPARSED)
        check_format(&c);
    if (t2g_align(&a, answer, n, &c, offset, n, NULL) == T2G_OK)
        check_alignment(&a, &c, answer, n);
    t2g_alignment_free(&a);
    t2g_critique_free(&c);
    t2g_free(offset);
    return 0;
}
