/* Decoding token by token. */
#include <string.h>

#include "t2g/files.h"
#include "tokenizer_private.h"
#include "unicode.h"

void t2g_decode_stream_free(t2g_decode_stream *s)
{
    t2g_free(s->id);
    t2g_buffer_free(&s->bytes);
    *s = (t2g_decode_stream){0};
}

/* How many bytes at the end are the beginning of a character. */
static size_t incomplete(const char *s, size_t n)
{
    for (size_t back = 1; back < 4 && back <= n; back++) {
        const char *tail = s + n - back;
        unsigned char first = (unsigned char)tail[0];
        if (first >= 0xc2 && first <= 0xf4 && utf8_length(first) > back &&
            t2g_utf8_subpart(tail, back) == back)
            return back;
    }
    return 0;
}

/* Of a ByteLevel decoder: all bytes but those of such a character. */
static t2g_status push_bytes(t2g_decode_stream *s, const t2g_tokenizer *t,
                             uint32_t id, bool skip_special, t2g_buffer *out)
{
    t2g_buffer *b = &s->bytes;
    T2G_TRY(t2g_tokenizer_decode_bytes(t, &id, 1, skip_special, b, NULL));
    size_t held = incomplete(b->data, b->size);
    T2G_TRY(t2g_append_lossy(out, b->data, b->size - held));
    if (held > 0)
        memmove(b->data, b->data + b->size - held, held);
    b->size = held;
    return T2G_OK;
}

static t2g_status keep_id(t2g_decode_stream *s, uint32_t id)
{
    if (s->count == s->capacity) {
        size_t capacity = s->capacity ? 2 * s->capacity : 16;
        uint32_t *grown = t2g_regrow(s->id, s->count, capacity, sizeof *grown);
        if (!grown)
            return T2G_ERR_MEMORY;
        s->id = grown;
        s->capacity = capacity;
    }
    s->id[s->count++] = id;
    return T2G_OK;
}

/* Whether tokens to come may change the text that the last one has. */
static bool is_open(const t2g_tokenizer *t, const t2g_decode_stream *s,
                    const t2g_buffer *text)
{
    const t2g_decoder *d = &t->decoder;
    uint32_t last = s->id[s->count - 1];
    for (size_t i = 0; i < d->count && t2g_token_at(t, last); i++)
        if (d->step[i].kind == DECODE_BYTE_FALLBACK &&
            t2g_fallback_byte(token_content(&t->vocabulary, last),
                              t->vocabulary.token[last].content_length) >= 0)
            return true;
    return text->size >= 3 &&
           memcmp(text->data + text->size - 3, t2g_replacement, 3) == 0;
}

/* The tokens given out last stay as the context of a decoder that treats the
 * beginning of a text in a special way; earlier ones too while those say nothing
 * by themselves, or what follows would be taken for the beginning. */
static t2g_status forget(t2g_decode_stream *s, const t2g_tokenizer *t,
                         bool skip_special, t2g_buffer *scratch)
{
    scratch->size = 0;
    T2G_TRY(t2g_tokenizer_decode(t, s->id + s->done, s->count - s->done,
                                 skip_special, scratch));
    if (scratch->size > 0) {
        memmove(s->id, s->id + s->done, (s->count - s->done) * sizeof *s->id);
        s->count -= s->done;
    }
    s->done = s->count;
    return T2G_OK;
}

/* Appends what all kept tokens say beyond what those given out did. */
static t2g_status give_out(t2g_decode_stream *s, const t2g_tokenizer *t,
                           bool skip_special, bool at_end, t2g_buffer x[2],
                           t2g_buffer *out)
{
    T2G_TRY(t2g_tokenizer_decode(t, s->id, s->done, skip_special, &x[0]));
    T2G_TRY(t2g_tokenizer_decode(t, s->id, s->count, skip_special, &x[1]));
    if (x[1].size <= x[0].size || (!at_end && is_open(t, s, &x[1])))
        return T2G_OK;
    T2G_TRY(t2g_buffer_append(out, x[1].data + x[0].size,
                              x[1].size - x[0].size));
    return forget(s, t, skip_special, &x[0]);
}

static t2g_status advance(t2g_decode_stream *s, const t2g_tokenizer *t,
                          bool skip_special, bool at_end, t2g_buffer *out)
{
    t2g_buffer x[2] = {{0}, {0}}; /* texts before and after */
    if (s->count == 0)
        return T2G_OK;
    t2g_status status = give_out(s, t, skip_special, at_end, x, out);
    t2g_buffer_free(&x[0]);
    t2g_buffer_free(&x[1]);
    return status;
}

t2g_status t2g_decode_stream_push(t2g_decode_stream *s, const t2g_tokenizer *t,
                                  uint32_t id, bool skip_special,
                                  t2g_buffer *out)
{
    if (t2g_decoder_is_byte_level(&t->decoder))
        return push_bytes(s, t, id, skip_special, out);
    T2G_TRY(keep_id(s, id));
    return advance(s, t, skip_special, false, out);
}

t2g_status t2g_decode_stream_finish(t2g_decode_stream *s,
                                    const t2g_tokenizer *t, bool skip_special,
                                    t2g_buffer *out)
{
    t2g_status status = advance(s, t, skip_special, true, out);
    if (status == T2G_OK)
        status = t2g_append_lossy(out, s->bytes.data, s->bytes.size);
    s->count = s->done = s->bytes.size = 0;
    return status;
}
