/* From text to ids: added tokens, normalizer, pre-tokenizer, byte pair
 * encoding, post-processor. [HF] tokenizers, in its order. */
#include <string.h>

#include "normalize.h"
#include "t2g/files.h"
#include "unicode.h"

typedef struct encoder {
    const t2g_tokenizer *t;
    bool no_special;
    t2g_encoding *out;
    t2g_bpe bpe;
    t2g_normalize_scratch normalized;
} encoder;

/* --- output -------------------------------------------------------------- */

t2g_status t2g_encoding_add(t2g_encoding *e, uint32_t id, size_t begin,
                            size_t end)
{
    if (e->count == e->capacity) {
        size_t capacity = e->capacity ? 2 * e->capacity : 64;
        uint32_t *ids = t2g_regrow(e->id, e->count, capacity, sizeof *ids);
        if (!ids)
            return T2G_ERR_MEMORY;
        e->id = ids;
        size_t *offset = t2g_regrow(e->offset, 2 * e->count, 2 * capacity,
                                    sizeof *offset);
        if (!offset)
            return T2G_ERR_MEMORY;
        e->offset = offset;
        e->capacity = capacity;
    }
    e->id[e->count] = id;
    e->offset[2 * e->count] = begin;
    e->offset[2 * e->count + 1] = end;
    e->count++;
    return T2G_OK;
}

void t2g_encoding_free(t2g_encoding *e)
{
    t2g_free(e->id);
    t2g_free(e->offset);
    *e = (t2g_encoding){0};
}

/* --- from open text to symbols ------------------------------------------- */

static t2g_status encode_piece(void *context, const t2g_piece *piece)
{
    encoder *e = context;
    size_t count;
    T2G_TRY(t2g_bpe_encode(e->t, &e->bpe, piece->text, piece->n, &count));
    const t2g_symbol *symbol = e->bpe.symbol;
    for (size_t i = 0, k = 0; i < count; i++, k = symbol[k].next)
        T2G_TRY(t2g_encoding_add(e->out, symbol[k].id,
                                 piece_begin(piece, symbol[k].begin),
                                 piece_end(piece, symbol[k].end)));
    return T2G_OK;
}

typedef t2g_status open_fn(encoder *e, const t2g_piece *open);

/* Emits the tokens of the set that occur in text; what is between goes on. */
static t2g_status split_added(encoder *e, const t2g_added_set *set,
                              const t2g_piece *text, open_fn *go_on)
{
    const t2g_vocabulary *v = &e->t->vocabulary;
    t2g_added_scan scan = {0, 0};
    t2g_added_match m;
    while (t2g_added_next(set, v, text->text, text->n, e->no_special, &scan,
                          &m)) {
        if (m.begin > scan.taken) {
            t2g_piece open = piece_slice(text, scan.taken, m.begin);
            T2G_TRY(go_on(e, &open));
        }
        T2G_TRY(t2g_encoding_add(e->out, m.id, piece_begin(text, m.begin),
                                 piece_end(text, m.end)));
        scan.taken = m.end;
    }
    if (scan.taken == text->n)
        return T2G_OK;
    t2g_piece open = piece_slice(text, scan.taken, text->n);
    return go_on(e, &open);
}

static t2g_status encode_normalized(encoder *e, const t2g_piece *open)
{
    return t2g_pretokenize(&e->t->pre_tokenizer, open, encode_piece, e);
}

static t2g_status encode_open(encoder *e, const t2g_piece *open)
{
    static const t2g_normalizer_step nfc = {.kind = NORMALIZE_NFC};
    t2g_piece text = *open;
    if (e->t->nfc)
        T2G_TRY(t2g_normalize_step(&nfc, open, &text, &e->normalized));
    return split_added(e, &e->t->normalized, &text, encode_normalized);
}

/* --- post-processor ------------------------------------------------------ */

/* Whether trimming takes the character at p. Tokens of the model spell text in
 * byte symbols, of which only that of the space counts, and may begin and end
 * inside a character; added tokens are plain text. */
static bool is_trimmed(const unsigned char *s, size_t p, bool added)
{
    if (!added)
        return s[p] == ' ';
    uint32_t code = utf8_decode(s + p);
    return unicode_class(code) & CLASS_SPACE || code == t2g_byte_symbol(' ');
}

/* Takes the whitespace at both ends of a token out of its range: [HF]
 * process_offsets. One space in front of the first token stays when it may be
 * the one that the pre-tokenizer adds. Where such a space stands for no byte of
 * the text nothing is taken; the reference takes the next character then. */
static void trim(const t2g_tokenizer *t, const char *text, t2g_encoding *e,
                 size_t first, size_t i)
{
    const unsigned char *s = (const unsigned char *)text;
    bool added = t->vocabulary.token[e->id[i]].flags & TOKEN_ADDED;
    size_t *range = e->offset + 2 * i, begin = range[0], end = range[1];
    size_t leading = 0;

    for (; begin < end && is_trimmed(s, begin, added); leading++)
        begin += utf8_length(s[begin]);
    if (leading == 1 && t->keeps_first_space && (i == first || range[0] == 0))
        begin = range[0];
    while (begin < end && is_trimmed(s, utf8_before(s, end), added))
        end = utf8_before(s, end);
    range[0] = begin;
    range[1] = end;
}

static t2g_status emit_template(t2g_encoding *out, const t2g_id_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        T2G_TRY(t2g_encoding_add(out, list->id[i], 0, 0));
    return T2G_OK;
}

/* --- the whole ----------------------------------------------------------- */

static t2g_status encode_all(encoder *e, const char *text, size_t n,
                             bool with_template)
{
    const t2g_tokenizer *t = e->t;
    if (with_template)
        T2G_TRY(emit_template(e->out, &t->before));
    size_t first = e->out->count;
    t2g_piece whole = {text, n, 0, NULL};
    T2G_TRY(split_added(e, &t->raw, &whole, encode_open));
    if (t->trim_offsets)
        for (size_t i = first; i < e->out->count; i++)
            trim(t, text, e->out, first, i);
    return with_template ? emit_template(e->out, &t->after) : T2G_OK;
}

t2g_status t2g_tokenizer_encode(const t2g_tokenizer *t, const char *text,
                                size_t n, unsigned flags, t2g_encoding *out)
{
    size_t valid = t2g_utf8_invalid(text, n), count = out->count;
    if (valid < n)
        return t2g_fail(T2G_ERR_FORMAT, "byte %zu of the text, 0x%02X, is not "
                        "UTF-8", valid, (unsigned char)text[valid]);
    encoder e = {.t = t, .no_special = flags & T2G_ENCODE_NO_SPECIAL,
                 .out = out};
    t2g_status s = encode_all(&e, text, n, flags & T2G_ENCODE_TEMPLATE);
    if (s != T2G_OK)
        out->count = count;
    t2g_bpe_free(&e.bpe);
    t2g_normalize_scratch_free(&e.normalized);
    return s;
}
