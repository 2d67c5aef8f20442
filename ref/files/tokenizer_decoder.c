/* The decoder of a tokenizer.json. */
#include <string.h>

#include "internal.h"
#include "tokenizer_place.h"

static t2g_status add_step(t2g_tokenizer *t, t2g_decoder_step **step)
{
    t2g_decoder *d = &t->decoder;
    t2g_decoder_step *grown = t2g_regrow(d->step, d->count, d->count + 1,
                                         sizeof *grown);
    if (!grown)
        return T2G_ERR_MEMORY;
    d->step = grown;
    *step = &d->step[d->count++];
    **step = (t2g_decoder_step){.kind = DECODE_FUSE};
    return T2G_OK;
}

static t2g_status set_text(t2g_decoder_step *step, const char *text, size_t n)
{
    step->text = t2g_strndup(text, n);
    step->length = n;
    return step->text ? T2G_OK : T2G_ERR_MEMORY;
}

typedef t2g_status step_fn(const place *at, const json_t *in,
                           t2g_decoder_step *step, json_t **out);

static t2g_status read_bytes(const place *at, const json_t *in,
                             t2g_decoder_step *step, json_t **out)
{
    byte_level options; /* decoding needs none of them */
    step->kind = DECODE_BYTE_LEVEL;
    return t2g_read_byte_level(at, in, &options, out);
}

static t2g_status read_replace(const place *at, const json_t *in,
                               t2g_decoder_step *step, json_t **out)
{
    json_t *pattern = NULL;
    const char *text, *content;
    size_t n, length;
    T2G_TRY(t2g_get_text(at, in, "content", &content, &length));
    t2g_status s = t2g_get_pattern(at, in, &text, &n, &step->regex, &pattern);
    step->kind = DECODE_REPLACE;
    if (s == T2G_OK && n == 0 && !step->regex)
        s = t2g_regex_compile(&step->regex, "", 0);
    if (s == T2G_OK && !step->regex)
        s = set_text(step, text, n);
    if (s == T2G_OK) {
        step->by = t2g_strndup(content, length);
        step->by_length = length;
        *out = json_pack("{s:s,s:O,s:s%}", "type", "Replace", "pattern",
                         pattern, "content", content, length);
        s = *out && step->by ? T2G_OK : t2g_place_no_memory(at);
    }
    json_decref(pattern);
    return s;
}

static t2g_status read_strip(const place *at, const json_t *in,
                             t2g_decoder_step *step, json_t **out)
{
    const char *text;
    size_t n;
    step->kind = DECODE_STRIP;
    T2G_TRY(t2g_get_text(at, in, "content", &text, &n));
    T2G_TRY(t2g_get_count(at, in, "start", &step->start));
    T2G_TRY(t2g_get_count(at, in, "stop", &step->stop));
    *out = json_pack("{s:s,s:s%,s:I,s:I}", "type", "Strip", "content", text, n,
                     "start", (json_int_t)step->start, "stop",
                     (json_int_t)step->stop);
    return *out ? set_text(step, text, n) : t2g_place_no_memory(at);
}

static t2g_status read_metaspace_decoder(const place *at, const json_t *in,
                                         t2g_decoder_step *step, json_t **out)
{
    metaspace m;
    T2G_TRY(t2g_read_metaspace(at, in, &m, out));
    step->kind = DECODE_METASPACE;
    step->flag = m.scheme == SCHEME_NEVER;
    return set_text(step, m.mark, m.length);
}

static t2g_status read_wordpiece(const place *at, const json_t *in,
                                 t2g_decoder_step *step, json_t **out)
{
    const char *text;
    size_t n;
    step->kind = DECODE_WORDPIECE;
    T2G_TRY(t2g_get_text(at, in, "prefix", &text, &n));
    T2G_TRY(t2g_get_bool(at, in, "cleanup", &step->flag));
    *out = json_pack("{s:s,s:s%,s:b}", "type", "WordPiece", "prefix", text, n,
                     "cleanup", step->flag);
    return *out ? set_text(step, text, n) : t2g_place_no_memory(at);
}

static t2g_status read_bpe(const place *at, const json_t *in,
                           t2g_decoder_step *step, json_t **out)
{
    const char *text;
    size_t n;
    step->kind = DECODE_BPE;
    T2G_TRY(t2g_get_text(at, in, "suffix", &text, &n));
    *out = json_pack("{s:s,s:s%}", "type", "BPEDecoder", "suffix", text, n);
    return *out ? set_text(step, text, n) : t2g_place_no_memory(at);
}

/* ByteFallback and Fuse have no members. */
static t2g_status read_plain(const place *at, const json_t *in,
                             t2g_decoder_step *step, json_t **out)
{
    const char *type;
    T2G_TRY(t2g_get_type(at, in, &type));
    step->kind = strcmp(type, "Fuse") == 0 ? DECODE_FUSE : DECODE_BYTE_FALLBACK;
    *out = json_pack("{s:s}", "type", type);
    return *out ? T2G_OK : t2g_place_no_memory(at);
}

t2g_status t2g_read_decoder(t2g_tokenizer *t, const place *at, const json_t *in,
                        json_t **out)
{
    static const struct {
        const char *type;
        step_fn *read;
    } kinds[] = {
        {"ByteLevel", read_bytes}, {"Replace", read_replace},
        {"ByteFallback", read_plain}, {"Fuse", read_plain},
        {"Strip", read_strip}, {"Metaspace", read_metaspace_decoder},
        {"WordPiece", read_wordpiece}, {"BPEDecoder", read_bpe},
    };
    const char *type;
    T2G_TRY(t2g_get_type(at, in, &type));
    t->decoder.present = true;
    if (strcmp(type, "Sequence") == 0)
        return t2g_read_sequence(t, at, in, "decoders", t2g_read_decoder, out);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(kinds[i].type, type) == 0) {
            t2g_decoder_step *step;
            T2G_TRY(add_step(t, &step));
            return kinds[i].read(at, in, step, out);
        }
    return t2g_place_unknown_type(at, type);
}
