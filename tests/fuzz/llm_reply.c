/* Whatever a server sends as a chat completion: no crash, and no reward unless
 * it is a critique. From the root of the tree:
 *
 *   clang -g -O1 -fsanitize=fuzzer,address,undefined -std=c11 -Iinclude \
 *       -D_DEFAULT_SOURCE -D_POSIX_C_SOURCE=200809L tests/fuzz/llm_reply.c \
 *       ref/[a-z]*.c ref/[a-z]*[a-z]/[a-z]*.c simd/dispatch.c \
 *       -lsleef -ljansson -lxxhash -lz -lm -o llm_reply && ./llm_reply CORPUS
 */
#include <stdlib.h>
#include <string.h>

#include "t2g/t2g.h"

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void check_error(const char *body, size_t n)
{
    char text[64];
    t2g_chat_error(text, sizeof text, body, n);
    size_t length = strlen(text);
    require(t2g_utf8_invalid(text, length) == length);
    for (size_t i = 0; i < length; i++)
        require((unsigned char)text[i] >= ' ' && text[i] != 0x7f);
}

static void check_critique(const json_t *answer)
{
    t2g_critique c;
    require(json_is_string(json_object_get(answer, "reply")));
    require(t2g_answer_critique(&c, answer) == T2G_OK);
    require(c.status != T2G_CRITIQUE_OK || c.count > 0);
    require(c.status != T2G_CRITIQUE_UNPARSED || c.reason[0]);
    for (size_t i = 0; i < c.count; i++) {
        require(c.span[i].score >= -1 && c.span[i].score <= 1);
        require(c.status == T2G_CRITIQUE_OK || c.span[i].rejected);
    }
    t2g_critique_free(&c);
}

int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t n);
int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t n)
{
    json_t *answer;
    const char *body = (const char *)bytes;
    t2g_status s = t2g_chat_answer(&answer, body, n);
    require(s == T2G_OK || s == T2G_ERR_FORMAT);
    require((answer != NULL) == (s == T2G_OK));
    if (answer)
        check_critique(answer);
    json_decref(answer);
    check_error(body, n);
    return 0;
}
