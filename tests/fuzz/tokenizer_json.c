/* Any bytes as a tokenizer file: refused, or a tokenizer that encodes, is saved
 * and loads again as the same. */
#define _GNU_SOURCE
#include <string.h>

#include "../../ref/tokenizer/tokenizer_private.h"
#include "fuzz.h"
#include "t2g/files.h"

static const char text[] =
    "  The <s>answer</s> isn't 42,\r\n\tnaïve ﬁne Ⅷ e\xcc\x81 ▁ 東京 👩‍👧 <0x41>ab";

static t2g_status encode(const t2g_tokenizer *t, t2g_encoding *e)
{
    return t2g_tokenizer_encode(t, text, sizeof text - 1,
                                T2G_ENCODE_TEMPLATE | T2G_ENCODE_FIT, e);
}

static void check_same(const t2g_encoding *a, const t2g_encoding *b)
{
    FUZZ_CHECK(a->count == b->count);
    for (size_t i = 0; i < a->count; i++)
        FUZZ_CHECK(a->id[i] == b->id[i] && a->role[i] == b->role[i] &&
                   a->offset[2 * i] == b->offset[2 * i] &&
                   a->offset[2 * i + 1] == b->offset[2 * i + 1]);
}

static void check_decoding(const t2g_tokenizer *t, const t2g_encoding *e)
{
    t2g_buffer out = {0};
    if (t2g_tokenizer_decode(t, e->id, e->count, true, &out) == T2G_OK)
        FUZZ_CHECK(t2g_utf8_invalid(out.data ? out.data : "", out.size) ==
                   out.size);
    t2g_buffer_free(&out);
}

static void check_reloaded(const t2g_tokenizer *t, t2g_status status,
                           const t2g_encoding *e)
{
    t2g_buffer file = {0};
    t2g_encoding again = {0};
    t2g_tokenizer *loaded;
    FUZZ_CHECK(t2g_tokenizer_print(t, true, &file) == T2G_OK);
    FUZZ_CHECK(t2g_tokenizer_load(&loaded, fuzz_file(file.data, file.size)) ==
               T2G_OK);
    FUZZ_CHECK(encode(loaded, &again) == status);
    check_same(e, &again);
    t2g_encoding_free(&again);
    t2g_tokenizer_free(loaded);
    t2g_buffer_free(&file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    t2g_tokenizer *t;
    t2g_encoding e = {0};
    if (t2g_tokenizer_load(&t, fuzz_file(data, n)) != T2G_OK)
        return 0;
    t2g_status status = encode(t, &e);
    check_decoding(t, &e);
    check_reloaded(t, status, &e);
    t2g_encoding_free(&e);
    t2g_tokenizer_free(t);
    return 0;
}
