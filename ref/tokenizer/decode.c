/* From ids back to text. */
#include <string.h>

#include "t2g/files.h"
#include "tokenizer_private.h"
#include "unicode.h"

const t2g_token *t2g_token_at(const t2g_tokenizer *t, uint32_t id)
{
    if (id >= t->vocabulary.size || t->vocabulary.token[id].flags == 0)
        return NULL;
    return &t->vocabulary.token[id];
}

const char *t2g_tokenizer_bytes(const t2g_tokenizer *t, uint32_t id,
                                size_t *length)
{
    const t2g_token *token = t2g_token_at(t, id);
    *length = token ? token->bytes_length : 0;
    return token ? token_bytes(&t->vocabulary, id) : NULL;
}

bool t2g_tokenizer_is_special(const t2g_tokenizer *t, uint32_t id)
{
    const t2g_token *token = t2g_token_at(t, id);
    return token && token->flags & TOKEN_SPECIAL;
}

typedef struct view {
    const char *s;
    size_t n;
} view;

/* The text a token enters the chain with. */
static view content_of(const t2g_tokenizer *t, uint32_t id)
{
    const t2g_token *token = &t->vocabulary.token[id];
    const t2g_added_set *set = &t->normalized;
    for (size_t i = 0; token->flags & TOKEN_SHOWN && i < set->count; i++)
        if (set->pattern[i].id == id)
            return (view){set->text.data + set->pattern[i].begin,
                          set->pattern[i].length};
    return (view){token_content(&t->vocabulary, id), token->content_length};
}

/* The reference compares texts: of an added token that the normalizer changed,
 * whether what it became is the content of a special token. */
static bool is_skipped(const t2g_tokenizer *t, uint32_t id)
{
    const t2g_token *token = t2g_token_at(t, id);
    if (!token || !(token->flags & TOKEN_SHOWN))
        return token && token->flags & TOKEN_SPECIAL;
    view shown = content_of(t, id);
    int64_t same = t2g_vocabulary_find(&t->vocabulary, shown.s, shown.n);
    return same != T2G_NO_TOKEN &&
           t->vocabulary.token[same].flags & TOKEN_SPECIAL;
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
        if (bytes && !(skip_special && is_skipped(t, ids[i])))
            T2G_TRY(t2g_buffer_append(out, bytes, length));
        if (ends)
            ends[i] = out->size - start;
    }
    return T2G_OK;
}

/* --- texts of tokens on their way through the decoder -------------------- */

typedef struct texts {
    t2g_buffer text;
    size_t *end; /* [count], of each in text */
    size_t count, capacity;
} texts;

static void free_texts(texts *x)
{
    t2g_buffer_free(&x->text);
    t2g_free(x->end);
}

/* The text ends here, where the next begins. */
static t2g_status close(texts *x)
{
    if (x->count == x->capacity) {
        size_t capacity = x->capacity ? 2 * x->capacity : 64;
        size_t *end = t2g_regrow(x->end, x->count, capacity, sizeof *end);
        if (!end)
            return T2G_ERR_MEMORY;
        x->end = end;
        x->capacity = capacity;
    }
    x->end[x->count++] = x->text.size;
    return T2G_OK;
}

static view text_at(const texts *x, size_t i)
{
    size_t begin = i > 0 ? x->end[i - 1] : 0;
    return (view){x->text.data ? x->text.data + begin : "", x->end[i] - begin};
}

static t2g_status append(t2g_buffer *out, view v)
{
    return t2g_buffer_append(out, v.s, v.n);
}

static bool begins(view v, const char *s, size_t n)
{
    return v.n >= n && memcmp(v.s, s, n) == 0;
}

const char t2g_replacement[] = "\xef\xbf\xbd"; /* U+FFFD */

t2g_status t2g_append_lossy(t2g_buffer *out, const char *s, size_t n)
{
    view v = {s, n};
    while (v.n > 0) {
        size_t valid = t2g_utf8_invalid(v.s, v.n);
        T2G_TRY(t2g_buffer_append(out, v.s, valid));
        v = (view){v.s + valid, v.n - valid};
        if (v.n == 0)
            break;
        T2G_TRY(t2g_buffer_puts(out, t2g_replacement));
        size_t bad = t2g_utf8_subpart(v.s, v.n);
        v = (view){v.s + bad, v.n - bad};
    }
    return T2G_OK;
}

/* --- the steps ----------------------------------------------------------- */

/* Appends v with each occurrence of `what` replaced. */
static t2g_status replace_text(t2g_buffer *out, view v, const char *what,
                               size_t n, view by)
{
    for (size_t p = 0; p < v.n;) {
        if (n > 0 && begins((view){v.s + p, v.n - p}, what, n)) {
            T2G_TRY(append(out, by));
            p += n;
        } else {
            T2G_TRY(t2g_buffer_append(out, v.s + p, 1));
            p++;
        }
    }
    return T2G_OK;
}

static t2g_status replace_regex(t2g_buffer *out, view v, const t2g_regex *regex,
                                t2g_regex_scratch *scratch, view by)
{
    t2g_regex_walk walk = {0};
    size_t done = 0, begin, end;
    bool found;
    for (;;) {
        T2G_TRY(t2g_regex_walk_next(regex, scratch, v.s, v.n, &walk, &found,
                                    &begin, &end));
        if (!found)
            return t2g_buffer_append(out, v.s + done, v.n - done);
        T2G_TRY(t2g_buffer_append(out, v.s + done, begin - done));
        T2G_TRY(append(out, by));
        done = end;
    }
}

static t2g_status replace(const t2g_decoder_step *d, t2g_regex_scratch *scratch,
                          view v, t2g_buffer *out)
{
    view by = {d->by, d->by_length};
    return d->regex ? replace_regex(out, v, d->regex, scratch, by)
                    : replace_text(out, v, d->text, d->length, by);
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int t2g_fallback_byte(const char *s, size_t n)
{
    if (n != 6 || memcmp(s, "<0x", 3) != 0 || s[5] != '>')
        return -1;
    int high = hex_digit(s[3]), low = hex_digit(s[4]);
    return high < 0 || low < 0 ? -1 : 16 * high + low;
}

/* A run of bytes is one text, or one U+FFFD a byte. */
static t2g_status end_of_bytes(texts *out, t2g_buffer *bytes)
{
    size_t n = bytes->size;
    if (n == 0)
        return T2G_OK;
    bytes->size = 0;
    if (t2g_utf8_invalid(bytes->data, n) == n) {
        T2G_TRY(t2g_buffer_append(&out->text, bytes->data, n));
        return close(out);
    }
    for (size_t i = 0; i < n; i++) {
        T2G_TRY(t2g_buffer_puts(&out->text, t2g_replacement));
        T2G_TRY(close(out));
    }
    return T2G_OK;
}

static t2g_status byte_fallback_into(const texts *in, texts *out,
                                     t2g_buffer *bytes)
{
    for (size_t i = 0; i < in->count; i++) {
        view v = text_at(in, i);
        int byte = t2g_fallback_byte(v.s, v.n);
        if (byte >= 0) {
            T2G_TRY(t2g_buffer_append(bytes, &(char){(char)byte}, 1));
            continue;
        }
        T2G_TRY(end_of_bytes(out, bytes));
        T2G_TRY(append(&out->text, v));
        T2G_TRY(close(out));
    }
    return end_of_bytes(out, bytes);
}

static t2g_status byte_fallback(const texts *in, texts *out)
{
    t2g_buffer bytes = {0};
    t2g_status s = byte_fallback_into(in, out, &bytes);
    t2g_buffer_free(&bytes);
    return s;
}

/* Up to start characters in front and stop behind that are d->text. */
static view strip(const t2g_decoder_step *d, view v)
{
    for (size_t i = 0; i < d->start && begins(v, d->text, d->length); i++)
        v = (view){v.s + d->length, v.n - d->length};
    for (size_t i = 0; i < d->stop && v.n >= d->length; i++) {
        if (memcmp(v.s + v.n - d->length, d->text, d->length) != 0)
            break;
        v.n -= d->length;
    }
    return v;
}

/* English detokenization, in this order. [HF] wordpiece::cleanup */
static t2g_status clean_up(t2g_buffer *text, size_t begin)
{
    static const char *const rules[][2] = {
        {" .", "."},     {" ?", "?"},   {" !", "!"},   {" ,", ","},
        {" ' ", "'"},    {" n't", "n't"}, {" 'm", "'m"},
        {" do not", " don't"}, {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"},
    };
    t2g_buffer cleaned = {0};
    t2g_status s = T2G_OK;
    for (size_t i = 0; i < sizeof rules / sizeof *rules && s == T2G_OK; i++) {
        view v = {text->data + begin, text->size - begin};
        cleaned.size = 0;
        s = replace_text(&cleaned, v, rules[i][0], strlen(rules[i][0]),
                         (view){rules[i][1], strlen(rules[i][1])});
        text->size = begin;
        if (s == T2G_OK)
            s = t2g_buffer_append(text, cleaned.data ? cleaned.data : "",
                                  cleaned.size);
    }
    t2g_buffer_free(&cleaned);
    return s;
}

static t2g_status wordpiece(const t2g_decoder_step *d, view v, bool first,
                            t2g_buffer *out)
{
    size_t begin = out->size;
    if (!first && begins(v, d->text, d->length))
        v = (view){v.s + d->length, v.n - d->length};
    else if (!first)
        T2G_TRY(t2g_buffer_puts(out, " "));
    T2G_TRY(append(out, v));
    return d->flag && out->size > begin ? clean_up(out, begin) : T2G_OK;
}

/* One token by a step that looks at one at a time. */
static t2g_status decode_one(const t2g_decoder_step *d, view v, bool first,
                             bool last, t2g_regex_scratch *scratch,
                             t2g_buffer *out)
{
    view space = {" ", 1}, nothing = {"", 0};
    switch (d->kind) {
    case DECODE_REPLACE: return replace(d, scratch, v, out);
    case DECODE_STRIP: return append(out, strip(d, v));
    case DECODE_METASPACE:
        return replace_text(out, v, d->text, d->length,
                            first && !d->flag ? nothing : space);
    case DECODE_WORDPIECE: return wordpiece(d, v, first, out);
    case DECODE_BPE:
        return replace_text(out, v, d->text, d->length,
                            last ? nothing : space);
    default: return append(out, v);
    }
}

/* All byte symbols of a token stand for their bytes, or none does. */
static t2g_status byte_level(const texts *in, texts *out)
{
    t2g_buffer bytes = {0};
    t2g_status s = T2G_OK;
    for (size_t i = 0; i < in->count && s == T2G_OK; i++) {
        view v = text_at(in, i);
        s = t2g_append_symbol_bytes(&bytes, v.s, v.n);
    }
    if (s == T2G_OK)
        s = t2g_append_lossy(&out->text, bytes.data, bytes.size);
    t2g_buffer_free(&bytes);
    return s == T2G_OK ? close(out) : s;
}

static t2g_status run_step(const t2g_decoder_step *d, const texts *in,
                           texts *out, t2g_regex_scratch *scratch)
{
    if (d->kind == DECODE_BYTE_FALLBACK)
        return byte_fallback(in, out);
    if (d->kind == DECODE_BYTE_LEVEL)
        return byte_level(in, out);
    if (d->kind == DECODE_FUSE) {
        T2G_TRY(append(&out->text, (view){in->text.data ? in->text.data : "",
                                          in->text.size}));
        return close(out);
    }
    for (size_t i = 0; i < in->count; i++) {
        T2G_TRY(decode_one(d, text_at(in, i), i == 0, i + 1 == in->count,
                           scratch, &out->text));
        T2G_TRY(close(out));
    }
    return T2G_OK;
}

/* --- the chain ----------------------------------------------------------- */

void t2g_decoder_free(t2g_decoder *d)
{
    for (size_t i = 0; i < d->count; i++) {
        t2g_free(d->step[i].text);
        t2g_free(d->step[i].by);
        t2g_regex_free(d->step[i].regex);
    }
    t2g_free(d->step);
}

bool t2g_decoder_is_byte_level(const t2g_decoder *d)
{
    return d->count == 1 && d->step[0].kind == DECODE_BYTE_LEVEL;
}

static t2g_status collect(const t2g_tokenizer *t, const uint32_t *ids, size_t n,
                          bool skip_special, texts *out)
{
    for (size_t i = 0; i < n; i++) {
        if (!t2g_token_at(t, ids[i]) || (skip_special && is_skipped(t, ids[i])))
            continue;
        T2G_TRY(append(&out->text, content_of(t, ids[i])));
        T2G_TRY(close(out));
    }
    return T2G_OK;
}

/* Runs the steps on x[0]; the result is x[0] again. */
static t2g_status run_chain(const t2g_decoder *d, texts x[2],
                            t2g_regex_scratch *scratch)
{
    for (size_t i = 0; i < d->count; i++) {
        x[1].text.size = x[1].count = 0;
        T2G_TRY(run_step(&d->step[i], &x[0], &x[1], scratch));
        texts swap = x[0];
        x[0] = x[1];
        x[1] = swap;
    }
    return T2G_OK;
}

static t2g_status run_with_regex(const t2g_decoder *d, texts x[2])
{
    t2g_regex_scratch *scratch = NULL;
    t2g_status s = T2G_OK;
    for (size_t i = 0; i < d->count && !scratch && s == T2G_OK; i++)
        if (d->step[i].regex)
            s = t2g_regex_scratch_new(&scratch);
    if (s == T2G_OK)
        s = run_chain(d, x, scratch);
    t2g_regex_scratch_free(scratch);
    return s;
}

/* Appends the texts; without a decoder with spaces between. */
static t2g_status concatenate(const t2g_decoder *d, const texts *x,
                              t2g_buffer *out)
{
    for (size_t i = 0; i < x->count; i++) {
        if (i > 0 && !d->present)
            T2G_TRY(t2g_buffer_puts(out, " "));
        T2G_TRY(append(out, text_at(x, i)));
    }
    return T2G_OK;
}

static t2g_status decode_chain(const t2g_tokenizer *t, const uint32_t *ids,
                               size_t n, bool skip_special, t2g_buffer *out)
{
    texts x[2] = {{.count = 0}, {.count = 0}};
    t2g_status s = collect(t, ids, n, skip_special, &x[0]);
    if (s == T2G_OK)
        s = run_with_regex(&t->decoder, x);
    if (s == T2G_OK)
        s = concatenate(&t->decoder, &x[0], out);
    free_texts(&x[0]);
    free_texts(&x[1]);
    return s;
}

static t2g_status decode_byte_level(const t2g_tokenizer *t, const uint32_t *ids,
                                    size_t n, bool skip_special,
                                    t2g_buffer *out)
{
    t2g_buffer bytes = {0};
    t2g_status s = t2g_tokenizer_decode_bytes(t, ids, n, skip_special, &bytes,
                                              NULL);
    if (s == T2G_OK)
        s = t2g_append_lossy(out, bytes.data, bytes.size);
    t2g_buffer_free(&bytes);
    return s;
}

t2g_status t2g_tokenizer_decode(const t2g_tokenizer *t, const uint32_t *ids,
                                size_t n, bool skip_special, t2g_buffer *out)
{
    return t2g_decoder_is_byte_level(&t->decoder)
               ? decode_byte_level(t, ids, n, skip_special, out)
               : decode_chain(t, ids, n, skip_special, out);
}

/* Steps that look at a whole text (Fuse, Strip) have no part in it, and of the
 * first token's space none knows here. */
t2g_status t2g_decoder_token(const t2g_decoder *d, const char *content,
                             size_t n, t2g_buffer *out)
{
    view v = {content, n};
    int byte = -1;
    for (size_t i = 0; i < d->count && byte < 0; i++)
        if (d->step[i].kind == DECODE_BYTE_FALLBACK)
            byte = t2g_fallback_byte(v.s, v.n);
    if (byte >= 0)
        return t2g_buffer_append(out, &(char){(char)byte}, 1);
    for (size_t i = 0; i < d->count; i++) {
        const t2g_decoder_step *s = &d->step[i];
        bool text = s->text && (s->kind == DECODE_REPLACE ||
                                s->kind == DECODE_METASPACE ||
                                s->kind == DECODE_BPE);
        if (!text)
            continue;
        view by = {" ", 1};
        if (s->kind == DECODE_REPLACE)
            by = (view){s->by, s->by_length};
        return replace_text(out, v, s->text, s->length, by);
    }
    return append(out, v);
}
