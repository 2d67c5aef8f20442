#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "tokenizer_private.h"
#include "unicode.h"

t2g_status t2g_tokenizer_new(t2g_tokenizer **out)
{
    static atomic_uint_fast64_t serial;
    t2g_tokenizer *t = t2g_calloc(1, sizeof *t);
    *out = t;
    if (!t)
        return T2G_ERR_MEMORY;
    t->serial = atomic_fetch_add(&serial, 1) + 1;
    t->bos = t->eos = t->pad = t->largest_added = T2G_NO_TOKEN;
    t->spelling.unk = T2G_NO_TOKEN;
    t->max_length = 1e30; /* what Hugging Face writes for no limit */
    t->parts = json_object();
    if (t->parts)
        return T2G_OK;
    t2g_free(t);
    *out = NULL;
    return t2g_fail(T2G_ERR_MEMORY, "no memory for a tokenizer");
}

static void free_normalizer(t2g_tokenizer *t)
{
    for (size_t i = 0; i < t->normalizer.count; i++)
        t2g_regex_free(t->normalizer.step[i].regex);
    t2g_free(t->normalizer.step);
}

void t2g_tokenizer_free(t2g_tokenizer *t)
{
    if (!t)
        return;
    t2g_vocabulary_free(&t->vocabulary);
    t2g_merges_free(&t->merges);
    t2g_free(t->spelling.prefix);
    t2g_free(t->spelling.suffix);
    t2g_free(t->spelling.byte_merge);
    free_normalizer(t);
    t2g_added_free(&t->raw);
    t2g_added_free(&t->normalized);
    t2g_pre_tokenizer_free(&t->pre_tokenizer);
    t2g_post_processor_free(&t->post);
    t2g_decoder_free(&t->decoder);
    json_decref(t->parts);
    t2g_free(t->chat_template);
    t2g_buffer_free(&t->warnings);
    t2g_free(t);
}

/* --- warnings ------------------------------------------------------------ */

t2g_status t2g_tokenizer_warn(t2g_tokenizer *t, const char *format, ...)
{
    char message[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    return t2g_buffer_append(&t->warnings, message, strlen(message) + 1);
}

void t2g_tokenizer_warnings(const t2g_tokenizer *t,
                            void (*note)(void *context, const char *message),
                            void *context)
{
    for (size_t i = 0; i < t->warnings.size;
         i += strlen(t->warnings.data + i) + 1)
        note(context, t->warnings.data + i);
}

/* --- added tokens -------------------------------------------------------- */

/* The id a new added token takes: behind the vocabulary, or behind the largest
 * added id once that is not below the vocabulary's count. */
static uint32_t next_added_id(const t2g_tokenizer *t)
{
    int64_t count = (int64_t)t->vocabulary.model_count;
    return (uint32_t)(t->largest_added >= count ? t->largest_added + 1 : count);
}

t2g_status t2g_tokenizer_add(t2g_tokenizer *t, const char *content, size_t n,
                             unsigned flags)
{
    const unsigned own = TOKEN_MODEL | TOKEN_SYMBOLIC;
    t2g_vocabulary *v = &t->vocabulary;
    if (n == 0)
        return T2G_OK;
    int64_t id = t2g_vocabulary_find(v, content, n);
    if (id == T2G_NO_TOKEN) {
        id = next_added_id(t);
        T2G_TRY(t2g_vocabulary_put(v, (uint32_t)id, content, n, 0));
    }
    v->token[id].flags = (v->token[id].flags & own) | flags | TOKEN_ADDED;
    if (id > t->largest_added)
        t->largest_added = id;
    return T2G_OK;
}

/* What an added token is searched as: its content, or that normalized. */
static t2g_status put_pattern(t2g_tokenizer *t, uint32_t id,
                              t2g_normalize_scratch *scratch)
{
    t2g_token *token = &t->vocabulary.token[id];
    t2g_piece content = {token_content(&t->vocabulary, id),
                         token->content_length, 0, NULL};
    t2g_piece shown = content;
    if (!(token->flags & TOKEN_NORMALIZED))
        return t2g_added_put(&t->raw, content.text, content.n, id);
    T2G_TRY(t2g_normalize(&t->normalizer, &content, &shown, scratch));
    if (shown.n == 0)
        return T2G_OK;
    if (shown.n != content.n ||
        memcmp(shown.text, content.text, shown.n) != 0) {
        token->flags |= TOKEN_SHOWN;
        T2G_TRY(t2g_vocabulary_set_bytes(
            &t->vocabulary, id, shown.text, shown.n,
            t2g_decoder_is_byte_level(&t->decoder)));
    }
    return t2g_added_put(&t->normalized, shown.text, shown.n, id);
}

static t2g_status put_patterns(t2g_tokenizer *t)
{
    t2g_normalize_scratch scratch = {0};
    t2g_status s = T2G_OK;
    for (uint32_t id = 0; id < t->vocabulary.size && s == T2G_OK; id++)
        if (t->vocabulary.token[id].flags & TOKEN_ADDED)
            s = put_pattern(t, id, &scratch);
    t2g_normalize_scratch_free(&scratch);
    t2g_added_sort(&t->raw);
    t2g_added_sort(&t->normalized);
    return s;
}

/* --- bytes of tokens ----------------------------------------------------- */

/* Of a decoder that is not ByteLevel, each token's own share of the text. */
static t2g_status set_bytes(t2g_tokenizer *t)
{
    t2g_vocabulary *v = &t->vocabulary;
    t2g_buffer text = {0};
    t2g_status s = T2G_OK;
    for (uint32_t id = 0; id < v->size && s == T2G_OK; id++) {
        const t2g_token *token = &v->token[id];
        if (token->flags == 0 || token->flags & TOKEN_SHOWN)
            continue;
        text.size = 0;
        s = t2g_decoder_token(&t->decoder, token_content(v, id),
                              token->content_length, &text);
        if (s == T2G_OK)
            s = t2g_vocabulary_set_bytes(v, id, text.data ? text.data : "",
                                         text.size, false);
    }
    t2g_buffer_free(&text);
    return s;
}

/* --- how the model spells ------------------------------------------------ */

static int64_t model_token(const t2g_vocabulary *v, const char *s, size_t n)
{
    int64_t id = t2g_vocabulary_find(v, s, n);
    return id != T2G_NO_TOKEN && v->token[id].flags & TOKEN_MODEL
               ? id : T2G_NO_TOKEN;
}

static void find_bytes(t2g_tokenizer *t)
{
    for (int byte = 0; byte < 256; byte++) {
        char name[8];
        size_t n = t->spelling.bytes
                       ? utf8_encode(name, t2g_byte_symbol((unsigned char)byte))
                       : (size_t)snprintf(name, sizeof name, "<0x%02X>", byte);
        t->spelling.byte_id[byte] = model_token(&t->vocabulary, name, n);
    }
    for (int c = 0; c < 128; c++)
        t->spelling.ascii_id[c] = model_token(&t->vocabulary, &(char){(char)c},
                                              1);
}

static bool all_bytes(const t2g_spelling *s)
{
    for (int byte = 0; byte < 256; byte++)
        if (s->byte_id[byte] == T2G_NO_TOKEN)
            return false;
    return true;
}

static t2g_status find_byte_merges(t2g_tokenizer *t)
{
    t2g_spelling *s = &t->spelling;
    s->byte_merge = t2g_calloc(256 * 256, sizeof *s->byte_merge);
    if (!s->byte_merge)
        return T2G_ERR_MEMORY;
    for (int left = 0; left < 256; left++)
        for (int right = 0; right < 256; right++) {
            const t2g_merge *m = NULL;
            if (s->byte_id[left] >= 0 && s->byte_id[right] >= 0)
                m = t2g_merges_find(&t->merges, (uint32_t)s->byte_id[left],
                                    (uint32_t)s->byte_id[right]);
            s->byte_merge[256 * left + right] = m ? m->rank + 1 : 0;
        }
    return T2G_OK;
}

/* Pieces can stay bytes when mapping them to symbols is the last thing that
 * happens and the model does nothing else with characters: then the vocabulary
 * is mapped instead. */
static void choose_spelling(t2g_tokenizer *t)
{
    t2g_pre_tokenizer *p = &t->pre_tokenizer;
    t2g_spelling *s = &t->spelling;
    s->bytes = p->count > 0 &&
               p->step[p->count - 1].kind == STEP_BYTE_SYMBOLS && !s->prefix &&
               !s->suffix;
    find_bytes(t);
    if (s->bytes && (s->unk != T2G_NO_TOKEN || s->byte_fallback) &&
        !all_bytes(s)) {
        s->bytes = false;
        find_bytes(t);
    }
    if (s->bytes)
        p->count--;
}

/* --- where no merge crosses ---------------------------------------------- */

static void note_joins(t2g_spelling *s, const char *text, size_t n)
{
    const unsigned char *u = (const unsigned char *)text;
    for (size_t p = 0, next; p < n; p = next) {
        next = p + utf8_length(u[p]);
        if (next < n)
            s->joins[cut_kind(u + p, n - p)][cut_kind(u + next, n - next)] =
                true;
    }
}

/* Whether a character of a kind always ends what waits. One of the vocabulary
 * does; others wait for their unk token, let their neighbours meet, or are bytes
 * that come out before what waits, unless all bytes exist and nothing does. */
static bool is_spelled(const t2g_tokenizer *t, size_t kind)
{
    static const char low_line[] = "\xe2\x96\x81";
    const t2g_spelling *s = &t->spelling;
    if (s->byte_fallback && all_bytes(s))
        return true;
    if (kind < 128)
        return s->ascii_id[kind] != T2G_NO_TOKEN;
    return kind == T2G_CUT_LOW_LINE &&
           model_token(&t->vocabulary, low_line, 3) != T2G_NO_TOKEN;
}

static bool is_whole_character(const t2g_tokenizer *t, uint32_t id)
{
    for (int byte = 0; byte < 256; byte++)
        if (t->spelling.byte_id[byte] == (int64_t)id)
            return false;
    return (int64_t)id != t->spelling.unk;
}

/* Vocabularies of SentencePiece come without a pre-tokenizer, but most
 * characters never meet in a token: between those that do not, words are
 * encoded one by one. Not where bytes or unk themselves merge. */
static void find_cuts(t2g_tokenizer *t)
{
    t2g_spelling *s = &t->spelling;
    const t2g_vocabulary *v = &t->vocabulary;
    s->cuts = !s->bytes && !s->ignore_merges && !s->prefix && !s->suffix;
    for (size_t i = 0; i < t->merges.count && s->cuts; i++) {
        const t2g_merge *m = &t->merges.merge[i];
        note_joins(s, token_content(v, m->id), v->token[m->id].content_length);
        s->cuts = is_whole_character(t, m->left) &&
                  is_whole_character(t, m->right);
    }
    for (size_t kind = 0; kind < T2G_CUT_KINDS && s->cuts; kind++)
        for (size_t k = 0; k < T2G_CUT_KINDS && !is_spelled(t, kind); k++)
            s->joins[kind][k] = s->joins[k][kind] = true;
}

/* --- the whole ----------------------------------------------------------- */

t2g_status t2g_tokenizer_finish(t2g_tokenizer *t)
{
    choose_spelling(t);
    if (t->spelling.bytes)
        T2G_TRY(find_byte_merges(t));
    T2G_TRY(put_patterns(t));
    if (!t2g_decoder_is_byte_level(&t->decoder))
        T2G_TRY(set_bytes(t));
    if (t->spelling.bytes && t->spelling.ignore_merges)
        T2G_TRY(t2g_vocabulary_index_bytes(&t->vocabulary));
    find_cuts(t);
    return T2G_OK;
}

size_t t2g_tokenizer_size(const t2g_tokenizer *t)
{
    return t->vocabulary.size;
}

int64_t t2g_tokenizer_id(const t2g_tokenizer *t, const char *content)
{
    return t2g_vocabulary_find(&t->vocabulary, content, strlen(content));
}

int64_t t2g_tokenizer_bos(const t2g_tokenizer *t)
{
    return t->bos;
}

int64_t t2g_tokenizer_eos(const t2g_tokenizer *t)
{
    return t->eos;
}

int64_t t2g_tokenizer_pad(const t2g_tokenizer *t)
{
    return t->pad;
}

const char *t2g_tokenizer_chat_template(const t2g_tokenizer *t)
{
    return t->chat_template;
}
