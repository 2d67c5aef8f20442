/* From text to ids: added tokens, normalizer, pre-tokenizer, byte pair
 * encoding, post-processor. [HF] tokenizers, in its order. */
#define XXH_INLINE_ALL
#include <string.h>
#include <xxhash.h>

#include "t2g/files.h"
#include "tokenizer_private.h"
#include "unicode.h"

/* --- words encoded before ------------------------------------------------ */

/* A word and its tokens, in a cache line. */
enum { SHORT_WORD = 16, LONG_WORD = 255, WORD_TOKENS = 9 };
typedef struct word {
    uint64_t low, high; /* a short word's bytes; else a hash, and the place */
    uint32_t id[WORD_TOKENS];
    uint8_t end[WORD_TOKENS];
    uint8_t length, count; /* length 0: none */
} word;

/* Each word has one place in the table and is forgotten when another wants it,
 * or when the text of the long ones grows too large. */
enum { WORD_BITS = 15, WORDS = 1 << WORD_BITS, WORDS_TEXT = 1 << 21 };
typedef struct words {
    word *word; /* [WORDS] */
    t2g_buffer text;
} words;

/* What tells words apart: of short ones all bytes, as two numbers, which with
 * the length do so; of others a hash, and then the text. */
typedef struct word_key {
    uint64_t low, high;
    size_t slot;
} word_key;

static word_key key_of(const char *s, size_t n)
{
    word_key k = {0, 0, 0};
    if (n > SHORT_WORD) {
        k.low = XXH3_64bits(s, n);
    } else if (n >= 8) {
        memcpy(&k.low, s, 8);
        memcpy(&k.high, s + n - 8, 8);
    } else if (n >= 4) {
        memcpy(&k.low, s, 4);
        memcpy(&k.high, s + n - 4, 4);
    } else {
        k.low = (unsigned char)s[0];
        k.high = (uint64_t)(unsigned char)s[n / 2] << 8 |
                 (unsigned char)s[n - 1];
    }
    uint64_t h = (k.low ^ n) * UINT64_C(0x9e3779b97f4a7c15);
    h = (h ^ h >> 29 ^ k.high) * UINT64_C(0xbf58476d1ce4e5b9);
    k.slot = (size_t)(h >> (64 - WORD_BITS));
    return k;
}

static bool is_word(const words *w, const word *at, const word_key *k,
                    const char *s, size_t n)
{
    if (at->low != k->low || at->length != n)
        return false;
    return n > SHORT_WORD ? memcmp(w->text.data + at->high, s, n) == 0
                          : at->high == k->high;
}

static t2g_status keep_word(words *w, const word_key *k, const char *s,
                            size_t n, const t2g_symbol *symbol, size_t count)
{
    word *at = &w->word[k->slot];
    if (n > SHORT_WORD) {
        if (w->text.size + n > WORDS_TEXT) {
            memset(w->word, 0, WORDS * sizeof *w->word);
            w->text.size = 0;
        }
        at->length = 0;
        T2G_TRY(t2g_buffer_append(&w->text, s, n));
    }
    *at = (word){.low = k->low,
                 .high = n > SHORT_WORD ? w->text.size - n : k->high,
                 .length = (uint8_t)n, .count = (uint8_t)count};
    for (size_t i = 0; i < count; i++) {
        at->id[i] = symbol[i].id;
        at->end[i] = (uint8_t)symbol[i].end;
    }
    return T2G_OK;
}

/* --- the state of an encoding -------------------------------------------- */

struct t2g_encoder {
    uint64_t owner; /* serial of the tokenizer whose words these are */
    words words;
    t2g_bpe bpe;
    t2g_normalize_scratch normalize;
    t2g_pretokenize_scratch pretokenize;
    t2g_rewritten replaced;
    t2g_encoding part[2]; /* before post-processing */

    /* of the text in hand */
    const t2g_tokenizer *t;
    const uint8_t *input;
    bool no_special;
    t2g_encoding *out;
};

static void free_encoder(struct t2g_encoder *e)
{
    if (!e)
        return;
    t2g_free(e->words.word);
    t2g_buffer_free(&e->words.text);
    t2g_bpe_free(&e->bpe);
    t2g_normalize_scratch_free(&e->normalize);
    t2g_pretokenize_scratch_free(&e->pretokenize);
    t2g_rewritten_free(&e->replaced);
    t2g_encoding_free(&e->part[0]);
    t2g_encoding_free(&e->part[1]);
    t2g_free(e);
}

static t2g_status prepare(t2g_encoding *out, const t2g_tokenizer *t,
                          unsigned flags, const uint8_t *input)
{
    struct t2g_encoder *e = out->encoder;
    if (e && e->owner != t->serial) {
        free_encoder(e);
        e = out->encoder = NULL;
    }
    if (!e) {
        e = t2g_calloc(1, sizeof *e);
        if (!e)
            return T2G_ERR_MEMORY;
        out->encoder = e;
        e->owner = t->serial;
        e->words.word = t2g_calloc(WORDS, sizeof *e->words.word);
        if (!e->words.word)
            return T2G_ERR_MEMORY;
        T2G_TRY(t2g_regex_scratch_new(&e->pretokenize.regex));
    }
    e->t = t;
    e->input = input;
    e->no_special = flags & T2G_ENCODE_NO_SPECIAL;
    return T2G_OK;
}

/* --- output -------------------------------------------------------------- */

t2g_status t2g_encoding_reserve(t2g_encoding *e, size_t more)
{
    if (e->count + more <= e->capacity)
        return T2G_OK;
    size_t capacity = e->capacity ? e->capacity : 64;
    while (capacity < e->count + more)
        capacity *= 2;
    void *grown;
#define REGROW(member, per_token)                                              \
    grown = t2g_regrow(e->member, (per_token) * e->count,                      \
                       (per_token) * capacity, sizeof *e->member);             \
    if (!grown)                                                                \
        return T2G_ERR_MEMORY;                                                 \
    e->member = grown
    REGROW(id, 1);
    REGROW(offset, 2);
    REGROW(type_id, 1);
    REGROW(role, 1);
#undef REGROW
    e->capacity = capacity;
    return T2G_OK;
}

/* Call reserve first. */
static void append(t2g_encoding *e, uint32_t id, size_t begin, size_t end)
{
    size_t i = e->count++;
    e->id[i] = id;
    e->offset[2 * i] = begin;
    e->offset[2 * i + 1] = end;
    e->type_id[i] = 0;
    e->role[i] = 0;
}

t2g_status t2g_encoding_add(t2g_encoding *e, uint32_t id, size_t begin,
                            size_t end)
{
    T2G_TRY(t2g_encoding_reserve(e, 1));
    append(e, id, begin, end);
    return T2G_OK;
}

t2g_status t2g_encoding_insert(t2g_encoding *e, size_t at, size_t n)
{
    T2G_TRY(t2g_encoding_reserve(e, n));
    size_t after = e->count - at;
#define OPEN_GAP(member, per_token)                                            \
    memmove(e->member + (per_token) * (at + n), e->member + (per_token) * at,  \
            (per_token) * after * sizeof *e->member);                          \
    memset(e->member + (per_token) * at, 0,                                    \
           (per_token) * n * sizeof *e->member)
    OPEN_GAP(id, 1);
    OPEN_GAP(offset, 2);
    OPEN_GAP(type_id, 1);
    OPEN_GAP(role, 1);
#undef OPEN_GAP
    e->count += n;
    return T2G_OK;
}

void t2g_encoding_free(t2g_encoding *e)
{
    t2g_free(e->id);
    t2g_free(e->offset);
    t2g_free(e->type_id);
    t2g_free(e->role);
    free_encoder(e->encoder);
    *e = (t2g_encoding){0};
}

/* --- from open text to symbols ------------------------------------------- */

/* Ranges of the tokens of a piece; an empty one, of a symbol that was laid
 * beyond the end, is empty there. */
static void append_symbol(struct t2g_encoder *e, const t2g_piece *piece,
                          uint32_t id, size_t begin, size_t end)
{
    size_t first = begin < piece->n ? piece_begin(piece, begin)
                                    : piece_end(piece, begin);
    append(e->out, id, first, end > begin ? piece_end(piece, end) : first);
}

static t2g_status encode_word(struct t2g_encoder *e, const t2g_piece *piece,
                              const word_key *k)
{
    size_t count;
    T2G_TRY(t2g_bpe_encode(e->t, &e->bpe, piece->text, piece->n, &count));
    T2G_TRY(t2g_encoding_reserve(e->out, count));
    const t2g_symbol *symbol = e->bpe.symbol;
    bool tiles = true; /* so that the ends tell everything */
    for (size_t i = 0, end = 0; i < count; end = symbol[i++].end) {
        tiles &= symbol[i].begin == end && symbol[i].end > end;
        append_symbol(e, piece, symbol[i].id, symbol[i].begin, symbol[i].end);
    }
    if (!k || count > WORD_TOKENS || !tiles)
        return T2G_OK;
    return keep_word(&e->words, k, piece->text, piece->n, symbol, count);
}

static t2g_status encode_piece(struct t2g_encoder *e, const t2g_piece *piece)
{
    if (piece->n > LONG_WORD)
        return encode_word(e, piece, NULL);
    word_key k = key_of(piece->text, piece->n);
    const word *w = &e->words.word[k.slot];
    if (!is_word(&e->words, w, &k, piece->text, piece->n))
        return encode_word(e, piece, &k);
    T2G_TRY(t2g_encoding_reserve(e->out, w->count));
    for (size_t i = 0, begin = 0; i < w->count; begin = w->end[i++])
        append(e->out, w->id[i], piece_begin(piece, begin),
               piece_end(piece, w->end[i]));
    return T2G_OK;
}

/* A piece of text without a pre-tokenizer may be long; where no merge can happen
 * it is cut, which changes nothing but the time. */
static t2g_status encode_pieces(void *context, const t2g_piece *piece)
{
    struct t2g_encoder *e = context;
    const t2g_spelling *s = &e->t->spelling;
    const unsigned char *text = (const unsigned char *)piece->text;
    if (!s->cuts)
        return encode_piece(e, piece);
    size_t n = piece->n, begin = 0, last = cut_kind(text, n);
    for (size_t p = utf8_length(text[0]); p < n; p += utf8_length(text[p])) {
        size_t kind = cut_kind(text + p, n - p);
        if (!s->joins[last][kind]) {
            t2g_piece part = piece_slice(piece, begin, p);
            T2G_TRY(encode_piece(e, &part));
            begin = p;
        }
        last = kind;
    }
    t2g_piece part = piece_slice(piece, begin, n);
    return encode_piece(e, &part);
}

typedef t2g_status open_fn(struct t2g_encoder *e, const t2g_piece *open);

/* Emits the tokens of the set that occur in text; what is between goes on. */
static t2g_status split_added(struct t2g_encoder *e, const t2g_added_set *set,
                              const t2g_piece *text, open_fn *go_on)
{
    t2g_added_scan scan = {.no_special = e->no_special, .input = e->input};
    t2g_added_match m;
    while (t2g_added_next(set, &e->t->vocabulary, text, &scan, &m)) {
        if (m.begin > scan.taken) {
            t2g_piece open = piece_slice(text, scan.taken, m.begin);
            T2G_TRY(go_on(e, &open));
        }
        T2G_TRY(t2g_encoding_add(e->out, m.id, piece_begin(text, m.begin),
                                 piece_end(text, m.end)));
        if (e->t->post.trim_offsets)
            e->out->role[e->out->count - 1] = T2G_TOKEN_MATCHED;
        scan.taken = m.end;
    }
    if (scan.taken >= text->n)
        return T2G_OK;
    t2g_piece open = piece_slice(text, scan.taken, text->n);
    return go_on(e, &open);
}

static t2g_status encode_normalized(struct t2g_encoder *e,
                                    const t2g_piece *open)
{
    return t2g_pretokenize(&e->t->pre_tokenizer, open, &e->pretokenize,
                           encode_pieces, e);
}

static t2g_status encode_open(struct t2g_encoder *e, const t2g_piece *open)
{
    t2g_piece text;
    T2G_TRY(t2g_normalize(&e->t->normalizer, open, &text, &e->normalize));
    return split_added(e, &e->t->normalized, &text, encode_normalized);
}

/* --- the whole ----------------------------------------------------------- */

/* Each maximal subpart that is not UTF-8 becomes U+FFFD. */
static t2g_status replace_invalid(struct t2g_encoder *e, t2g_piece *text)
{
    t2g_piece old = *text;
    t2g_rewrite r = t2g_rewrite_begin(&old, &e->replaced);
    for (size_t p = 0;;) {
        p += t2g_utf8_invalid(old.text + p, old.n - p);
        T2G_TRY(t2g_rewrite_keep(&r, p));
        if (p == old.n)
            return t2g_rewrite_end(&r, text);
        p += t2g_utf8_subpart(old.text + p, old.n - p);
        T2G_TRY(t2g_rewrite_bytes(&r, p, 0xfffd));
    }
}

/* The text as a piece of UTF-8. */
static t2g_status open_text(struct t2g_encoder *e, const char *text, size_t n,
                            unsigned flags, t2g_piece *out)
{
    size_t valid = t2g_utf8_invalid(text, n);
    *out = (t2g_piece){text, n, 0, NULL};
    if (valid == n)
        return T2G_OK;
    if (flags & T2G_ENCODE_REPLACE)
        return replace_invalid(e, out);
    return t2g_fail(T2G_ERR_FORMAT, "byte %zu of the text, 0x%02X, is not "
                    "UTF-8", valid, (unsigned char)text[valid]);
}

/* Appends the tokens of a text to part. */
static t2g_status encode_part(struct t2g_encoder *e, const char *text, size_t n,
                              unsigned flags, t2g_encoding *part)
{
    t2g_piece whole;
    size_t first = part->count;
    e->out = part;
    T2G_TRY(open_text(e, text, n, flags, &whole));
    T2G_TRY(split_added(e, &e->t->raw, &whole, encode_open));
    t2g_trim_offsets(e->t, text, n, part, first);
    return T2G_OK;
}

typedef struct input {
    const char *text;
    size_t n;
    const uint8_t *from_user;
} input;

/* Of one text, or (second not NULL) of two. */
static t2g_status encode_texts(struct t2g_encoder *e, const input *first,
                               const input *second, unsigned flags,
                               t2g_encoding *out)
{
    t2g_encoding *a = &e->part[0], *b = &e->part[1];
    if (!second && !t2g_post_processes(e->t, flags))
        return encode_part(e, first->text, first->n, flags, out);
    a->count = b->count = 0;
    T2G_TRY(encode_part(e, first->text, first->n, flags, a));
    if (second)
        T2G_TRY(encode_part(e, second->text, second->n, flags, b));
    return t2g_post_process(e->t, a, second ? b : NULL, flags, out);
}

static t2g_status encode(const t2g_tokenizer *t, const input *first,
                         const input *second, unsigned flags,
                         t2g_encoding *out)
{
    size_t count = out->count;
    if (t->spelling.dropout > 0)
        return t2g_fail(T2G_ERR_UNSUPPORTED, "model.dropout of the tokenizer "
                        "is %g: merging at random is not supported, expected "
                        "null or 0", t->spelling.dropout);
    T2G_TRY(prepare(out, t, flags, first->from_user));
    t2g_status s = encode_texts(out->encoder, first, second, flags, out);
    if (s != T2G_OK)
        out->count = count;
    return s;
}

t2g_status t2g_tokenizer_encode(const t2g_tokenizer *t, const char *text,
                                size_t n, unsigned flags, t2g_encoding *out)
{
    return encode(t, &(input){text, n, NULL}, NULL, flags, out);
}

t2g_status t2g_tokenizer_encode_pair(const t2g_tokenizer *t, const char *first,
                                     size_t n, const char *second, size_t m,
                                     unsigned flags, t2g_encoding *out)
{
    return encode(t, &(input){first, n, NULL}, &(input){second, m, NULL}, flags,
                  out);
}

t2g_status t2g_tokenizer_encode_guarded(const t2g_tokenizer *t,
                                        const char *text, size_t n,
                                        const uint8_t *from_user,
                                        unsigned flags, t2g_encoding *out)
{
    return encode(t, &(input){text, n, from_user}, NULL, flags, out);
}
