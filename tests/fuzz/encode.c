/* Texts for small tokenizers of the usual kinds; the first byte chooses. */
#define _GNU_SOURCE
#include <string.h>

#include "../../ref/tokenizer/tokenizer_private.h"
#include "fuzz.h"
#include "t2g/files.h"

/* --- the tokenizers ------------------------------------------------------ */

typedef struct recipe {
    const char *pre_tokenizer; /* a trained kind, or NULL: */
    const char *components;
    bool ignore_merges, byte_fallback, exact; /* decodes to the text itself */
} recipe;

#define REPLACE_SPACE                                                          \
    "{\"type\":\"Replace\",\"pattern\":{\"String\":\" \"},\"content\":\"▁\"}"
#define SENTENCE_DECODER                                                       \
    "{\"type\":\"Sequence\",\"decoders\":[{\"type\":\"Replace\",\"pattern\":"  \
    "{\"String\":\"▁\"},\"content\":\" \"},{\"type\":\"ByteFallback\"},"       \
    "{\"type\":\"Fuse\"},{\"type\":\"Strip\",\"content\":\" \",\"start\":1,"   \
    "\"stop\":0}]}"
#define BYTE_LEVEL                                                             \
    "{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"trim_offsets\":"     \
    "true,\"use_regex\":true}"

static const recipe recipes[] = {
    {.pre_tokenizer = "gpt2", .exact = true},
    {.pre_tokenizer = "llama3", .ignore_merges = true, .exact = true},
    {.pre_tokenizer = "qwen2", .exact = true},
    {.components = "{\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":["
                   "{\"type\":\"Prepend\",\"prepend\":\"▁\"}," REPLACE_SPACE
                   "]},\"decoder\":" SENTENCE_DECODER "}",
     .byte_fallback = true},
    {.components = "{\"pre_tokenizer\":{\"type\":\"Metaspace\",\"replacement\":"
                   "\"▁\",\"prepend_scheme\":\"first\",\"split\":true},"
                   "\"decoder\":{\"type\":\"Metaspace\",\"replacement\":\"▁\","
                   "\"prepend_scheme\":\"first\",\"split\":true}}"},
    {.components = "{\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":["
                   "{\"type\":\"NFKC\"},{\"type\":\"Lowercase\"},{\"type\":"
                   "\"StripAccents\"}]},\"pre_tokenizer\":" BYTE_LEVEL
                   ",\"post_processor\":" BYTE_LEVEL ",\"decoder\":" BYTE_LEVEL
                   "}"},
    {.components = "{\"normalizer\":{\"type\":\"BertNormalizer\",\"clean_text\""
                   ":true,\"handle_chinese_chars\":true,\"strip_accents\":null,"
                   "\"lowercase\":true},\"pre_tokenizer\":{\"type\":"
                   "\"Whitespace\"},\"decoder\":{\"type\":\"WordPiece\","
                   "\"prefix\":\"##\",\"cleanup\":true}}"},
    {.components = "{\"normalizer\":{\"type\":\"NFD\"},\"pre_tokenizer\":"
                   "{\"type\":\"Split\",\"pattern\":{\"Regex\":"
                   "\"(?<=\\\\p{L})\\\\d|\\\\s+(?!\\\\S)|[aeiou]{2,}\"},"
                   "\"behavior\":\"MergedWithPrevious\",\"invert\":false}}"},
};
enum { RECIPES = sizeof recipes / sizeof *recipes };

static const char *const corpus[] = {
    "the reward of the answer, the token of the reward; it's the critic's\n",
    "größe naïve ﬁne e\xcc\x81 東京 東京 한국어 🙂🙂 1234 12 0x41\t\r\n  \n", NULL};

static t2g_status next_text(void *context, const char **text, size_t *n)
{
    size_t *at = context;
    *text = corpus[(*at)++];
    *n = *text ? strlen(*text) : 0;
    return T2G_OK;
}

/* Sets options of the model that training has none for. */
static void set_options(const recipe *r, json_t *root)
{
    json_t *model = json_object_get(root, "model");
    json_t *vocab = json_object_get(model, "vocab");
    json_object_set_new(model, "ignore_merges",
                        json_boolean(r->ignore_merges));
    json_object_set_new(model, "byte_fallback",
                        json_boolean(r->byte_fallback));
    for (int byte = 0; byte < 256 && r->byte_fallback; byte++) {
        char name[8];
        snprintf(name, sizeof name, "<0x%02X>", byte);
        json_object_set_new(vocab, name,
                            json_integer((json_int_t)json_object_size(vocab)));
    }
    if (!r->pre_tokenizer)
        json_object_set_new(model, "unk_token", json_string("<unk>"));
}

static t2g_tokenizer *with_options(const recipe *r, t2g_tokenizer *t)
{
    t2g_buffer file = {0};
    FUZZ_CHECK(t2g_tokenizer_print(t, false, &file) == T2G_OK);
    t2g_tokenizer_free(t);
    json_t *root = json_loadb(file.data, file.size, JSON_ALLOW_NUL, NULL);
    set_options(r, root);
    char *text = json_dumps(root, 0);
    FUZZ_CHECK(t2g_tokenizer_load(&t, fuzz_file(text, strlen(text))) == T2G_OK);
    free(text);
    json_decref(root);
    t2g_buffer_free(&file);
    return t;
}

static t2g_tokenizer *make(const recipe *r)
{
    static const char *const special[] = {"<unk>", "<s>"};
    size_t at = 0;
    t2g_tokenizer *t;
    t2g_tokenizer_training training = {
        .vocab_size = 400, .pre_tokenizer = r->pre_tokenizer,
        .components = r->components, .special = special, .special_count = 2,
        .seen_bytes_only = r->components && !strstr(r->components, "ByteLevel"),
        .next = next_text, .context = &at};
    FUZZ_CHECK(t2g_tokenizer_train(&t, &training) == T2G_OK);
    return with_options(r, t);
}

/* --- properties ---------------------------------------------------------- */

/* Ranges lie in the text and none begins before the one in front; it may end
 * before that: text that was put in covers a whole character. */
static void check_ranges(const t2g_encoding *e, size_t n)
{
    for (size_t i = 0; i < e->count; i++) {
        const size_t *range = e->offset + 2 * i;
        FUZZ_CHECK(range[0] <= range[1] && range[1] <= n);
        FUZZ_CHECK(i == 0 || range[-2] <= range[0]);
    }
}

static void check_stream(const t2g_tokenizer *t, const t2g_encoding *e,
                         bool skip_special, const t2g_buffer *whole)
{
    t2g_decode_stream s = {0};
    t2g_buffer out = {0};
    for (size_t i = 0; i < e->count; i++) {
        FUZZ_CHECK(t2g_decode_stream_push(&s, t, e->id[i], skip_special,
                                          &out) == T2G_OK);
        FUZZ_CHECK(out.size <= whole->size);
    }
    FUZZ_CHECK(t2g_decode_stream_finish(&s, t, skip_special, &out) == T2G_OK);
    FUZZ_CHECK(out.size == whole->size &&
               (out.size == 0 || memcmp(out.data, whole->data, out.size) == 0));
    t2g_decode_stream_free(&s);
    t2g_buffer_free(&out);
}

static void check_decoding(const t2g_tokenizer *t, const t2g_encoding *e)
{
    for (int skip_special = 0; skip_special < 2; skip_special++) {
        t2g_buffer whole = {0};
        FUZZ_CHECK(t2g_tokenizer_decode(t, e->id, e->count, skip_special,
                                        &whole) == T2G_OK);
        FUZZ_CHECK(t2g_utf8_invalid(whole.data ? whole.data : "", whole.size) ==
                   whole.size);
        check_stream(t, e, skip_special, &whole);
        t2g_buffer_free(&whole);
    }
}

/* Byte-level tokenizers give the text back, and ranges are those of bytes. */
static void check_bytes(const t2g_tokenizer *t, const t2g_encoding *e,
                        const char *text, size_t n)
{
    t2g_buffer bytes = {0};
    size_t *ends = calloc(e->count + 1, sizeof *ends);
    FUZZ_CHECK(ends && t2g_tokenizer_decode_bytes(t, e->id, e->count, false,
                                                  &bytes, ends) == T2G_OK);
    FUZZ_CHECK(bytes.size == n && (n == 0 || memcmp(bytes.data, text, n) == 0));
    for (size_t i = 0; i < e->count; i++)
        FUZZ_CHECK(e->offset[2 * i] == (i > 0 ? ends[i - 1] : 0) &&
                   e->offset[2 * i + 1] == ends[i]);
    t2g_buffer_free(&bytes);
    free(ends);
}

static void check_text(const t2g_tokenizer *t, bool exact, const char *text,
                       size_t n, t2g_encoding *e)
{
    bool valid = t2g_utf8_invalid(text, n) == n;
    e->count = 0;
    t2g_status s = t2g_tokenizer_encode(t, text, n, 0, e);
    FUZZ_CHECK(s == (valid ? T2G_OK : T2G_ERR_FORMAT));
    if (valid && exact)
        check_bytes(t, e, text, n);
    e->count = 0;
    FUZZ_CHECK(t2g_tokenizer_encode(t, text, n, T2G_ENCODE_REPLACE, e) ==
               T2G_OK);
    check_ranges(e, n);
    check_decoding(t, e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static t2g_tokenizer *tokenizer[RECIPES];
    static t2g_encoding encoding[RECIPES];
    if (n == 0)
        return 0;
    size_t k = data[0] % RECIPES;
    if (!tokenizer[k])
        tokenizer[k] = make(&recipes[k]);
    check_text(tokenizer[k], recipes[k].exact, (const char *)data + 1, n - 1,
               &encoding[k]);
    return 0;
}
