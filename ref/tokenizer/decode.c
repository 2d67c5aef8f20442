/* From ids back to text. */
#include <string.h>

#include "tokenizer_private.h"
#include "t2g/files.h"
#include "unicode.h"

static const t2g_token *token_at(const t2g_tokenizer *t, uint32_t id)
{
    if (id >= t->vocabulary.size || t->vocabulary.token[id].flags == 0)
        return NULL;
    return &t->vocabulary.token[id];
}

const char *t2g_tokenizer_bytes(const t2g_tokenizer *t, uint32_t id,
                                size_t *length)
{
    const t2g_token *token = token_at(t, id);
    *length = token ? token->bytes_length : 0;
    return token ? token_bytes(&t->vocabulary, id) : NULL;
}

bool t2g_tokenizer_is_special(const t2g_tokenizer *t, uint32_t id)
{
    const t2g_token *token = token_at(t, id);
    return token && token->flags & TOKEN_SPECIAL;
}

t2g_status t2g_tokenizer_decode_bytes(const t2g_tokenizer *t,
                                      const uint32_t *ids, size_t n,
                                      bool skip_special, t2g_buffer *out,
                                      size_t *ends)
{
    size_t start = out->size;
    for (size_t i = 0; i < n; i++) {
        size_t length;
        const char *bytes = t2g_tokenizer_bytes(t, ids[i], &length);
        if (bytes && !(skip_special && t2g_tokenizer_is_special(t, ids[i])))
            T2G_TRY(t2g_buffer_append(out, bytes, length));
        if (ends)
            ends[i] = out->size - start;
    }
    return T2G_OK;
}

/* Bytes of the maximal subpart of an ill-formed sequence: as far as it could
 * have begun a character. [Unicode] 3.9, as WHATWG and Rust do. */
static size_t maximal_subpart(const unsigned char *s, size_t n)
{
    unsigned char low = s[0] == 0xe0 ? 0xa0 : s[0] == 0xf0 ? 0x90 : 0x80;
    unsigned char high = s[0] == 0xed ? 0x9f : s[0] == 0xf4 ? 0x8f : 0xbf;
    size_t length = s[0] < 0xc2 || s[0] > 0xf4 ? 1 : utf8_length(s[0]);
    size_t i = 1;
    while (i < length && i < n && s[i] >= low && s[i] <= high) {
        low = 0x80;
        high = 0xbf;
        i++;
    }
    return i;
}

static t2g_status append_lossy(t2g_buffer *out, const char *s, size_t n)
{
    while (n > 0) {
        size_t valid = t2g_utf8_invalid(s, n);
        T2G_TRY(t2g_buffer_append(out, s, valid));
        s += valid;
        n -= valid;
        if (n == 0)
            break;
        T2G_TRY(t2g_buffer_puts(out, "\xef\xbf\xbd")); /* U+FFFD */
        size_t bad = maximal_subpart((const unsigned char *)s, n);
        s += bad;
        n -= bad;
    }
    return T2G_OK;
}

t2g_status t2g_tokenizer_decode(const t2g_tokenizer *t, const uint32_t *ids,
                                size_t n, bool skip_special, t2g_buffer *out)
{
    t2g_buffer bytes = {0};
    t2g_status s = t2g_tokenizer_decode_bytes(t, ids, n, skip_special, &bytes,
                                              NULL);
    if (s == T2G_OK)
        s = append_lossy(out, bytes.data, bytes.size);
    t2g_buffer_free(&bytes);
    return s;
}
