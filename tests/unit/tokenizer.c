/* The tokenizer: what it refuses, where tokens lie, exhaustion of memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "counting.h"
#include "../../ref/tokenizer/tokenizer_private.h"
#include "folder.h"
#include "t2g/files.h"
#include "t2g/tokenizer.h"

/* --- files of our own ---------------------------------------------------- */

static void put(const char *name, const char *text)
{
    assert_int_equal(t2g_file_write(in_folder(name), text, strlen(text)),
                     T2G_OK);
}

/* --- tokenizers ---------------------------------------------------------- */

static const char *const texts[] = {
    "the reward of the token", "the token of the reward\n",
    "a reward, a token: the reward the token", "größer als größe",
    "10 tokens and 20 rewards", NULL};

static t2g_status next_text(void *context, const char **text, size_t *n)
{
    size_t *at = context;
    *text = texts[*at];
    *n = *text ? strlen(*text) : 0;
    (*at)++;
    return T2G_OK;
}

static const char *const specials[] = {"<|end|>", "<|pad|>"};

static t2g_status train(t2g_tokenizer **t, const char *pre_tokenizer)
{
    size_t at = 0;
    t2g_tokenizer_training options = {
        .vocab_size = 300, .pre_tokenizer = pre_tokenizer, .special = specials,
        .special_count = 2, .eos = "<|end|>", .pad = "<|pad|>",
        .next = next_text, .context = &at};
    return t2g_tokenizer_train(t, &options);
}

static t2g_tokenizer *trained(void)
{
    t2g_tokenizer *t;
    assert_int_equal(train(&t, "llama3"), T2G_OK);
    return t;
}

/* Parts of a small tokenizer.json that tests vary. */
#define BYTE_LEVEL                                                             \
    "{\"type\":\"ByteLevel\",\"add_prefix_space\":false,"                      \
    "\"trim_offsets\":true,\"use_regex\":true}"
#define PREFIXED                                                               \
    "{\"type\":\"ByteLevel\",\"add_prefix_space\":true,"                       \
    "\"trim_offsets\":true,\"use_regex\":true}"
#define MODEL                                                                  \
    "{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"ab\":2,\"\u0120\":3,"      \
    "\"\u0120a\":4},\"merges\":[\"a b\",\"\u0120 a\"]}"
#define ADDED(content, flags)                                                  \
    "{\"id\":9,\"content\":\"" content "\"," flags "}"
#define FLAGS(single, left, right, normalized, special)                        \
    "\"single_word\":" #single ",\"lstrip\":" #left ",\"rstrip\":" #right      \
    ",\"normalized\":" #normalized ",\"special\":" #special

static t2g_status load_with(t2g_tokenizer **t, const char *added,
                            const char *pre_tokenizer,
                            const char *post_processor, const char *model)
{
    t2g_buffer text = {0};
    assert_int_equal(
        t2g_buffer_printf(&text, "{\"added_tokens\":[%s],\"pre_tokenizer\":%s,"
                          "\"post_processor\":%s,\"decoder\":" BYTE_LEVEL
                          ",\"model\":%s}", added, pre_tokenizer,
                          post_processor, model), T2G_OK);
    put("tokenizer.json", text.data);
    t2g_buffer_free(&text);
    return t2g_tokenizer_load(t, in_folder("tokenizer.json"));
}

static t2g_tokenizer *small(const char *added, const char *pre_tokenizer)
{
    t2g_tokenizer *t;
    assert_int_equal(load_with(&t, added, pre_tokenizer, "null", MODEL),
                     T2G_OK);
    return t;
}

/* --- refusals ------------------------------------------------------------ */

static void expect_refusal(const char *json, t2g_status status,
                           const char *part)
{
    t2g_tokenizer *t = NULL;
    put("bad.json", json);
    assert_int_equal(t2g_tokenizer_load(&t, in_folder("bad.json")), status);
    assert_null(t);
    if (!strstr(t2g_error_message(), part))
        fail_msg("'%s' is not in '%s'", part, t2g_error_message());
}

static void refuses_what_it_does_not_do(void **state)
{
    static const struct {
        const char *json, *part;
        t2g_status status;
    } cases[] = {
        {"[]", "an array, expected an object", T2G_ERR_FORMAT},
        {"{\"extra\":1}", "unknown key 'extra'", T2G_ERR_FORMAT},
        {"{\"version\":\"2.0\"}", "version", T2G_ERR_FORMAT},
        {"{\"truncation\":{},\"model\":" MODEL "}",
         "truncation.max_length: missing", T2G_ERR_FORMAT},
        {"{\"padding\":{\"strategy\":\"Longest\"},\"model\":" MODEL "}",
         "padding.strategy: a string", T2G_ERR_FORMAT},
        {"{\"model\":{\"type\":\"Unigram\"}}", "model.type: 'Unigram'",
         T2G_ERR_UNSUPPORTED},
        {"{\"model\":{\"merges\":[]}}", "model.vocab: missing",
         T2G_ERR_FORMAT},
        {"{\"model\":{\"vocab\":{},\"merges\":1}}",
         "model.merges: an integer", T2G_ERR_FORMAT},
        {"{\"model\":{\"vocab\":{\"a\":-1},\"merges\":[]}}",
         "bad.json:1:24: model.vocab: expected an id", T2G_ERR_FORMAT},
        {"{\"model\":{\"vocab\":{\"a\":0.5},\"merges\":[]}}",
         "expected an id", T2G_ERR_FORMAT},
        {"{\"model\":{\"vocab\":{\"a\":4294967296},\"merges\":[]}}",
         "expected an id", T2G_ERR_FORMAT},
        {"{\"model\":{\"vocab\":{\"a\":0,\"b\":0},\"merges\":[]}}",
         "is that of 'a' already", T2G_ERR_FORMAT},
        {"{\"model\":{\"vocab\":{\"a\":4194304},\"merges\":[]}}",
         "expected less than 4194304", T2G_ERR_FORMAT},
        {"{\"model\":{\"vocab\":{\"\\ud800\":0},\"merges\":[]}}",
         "model", T2G_ERR_FORMAT},
        {"{\"model\":{\"vocab\":{\"a\":0},\"merges\":[\"a b\"]}}",
         "model.merges[0]: 'b' is not in the vocabulary", T2G_ERR_FORMAT},
        {"{\"model\":{\"vocab\":{\"a\":0},\"merges\":[\"a a a\"]}}",
         "model.merges: expected \"left right\"", T2G_ERR_FORMAT},
        {"{\"model\":{\"vocab\":{\"a\":0,\"aa\":1},"
         "\"merges\":[\"a a\",[\"a\",\"a\"]]}}", "all alike", T2G_ERR_FORMAT},
        {"{\"model\":{\"vocab\":{},\"merges\":[],\"unk_token\":\"?\"}}",
         "model.unk_token: '?'", T2G_ERR_FORMAT},
        {"{\"model\":{\"vocab\":{},\"merges\":[],\"dropout\":2}}",
         "model.dropout", T2G_ERR_FORMAT},
        {"{\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":"
         "[{\"type\":\"NFC\"},{\"type\":\"Precompiled\"}]},\"model\":" MODEL
         "}", "normalizer.normalizers[1].type: 'Precompiled'",
         T2G_ERR_UNSUPPORTED},
        {"{\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":\"(\"}"
         ",\"behavior\":\"Isolated\",\"invert\":false},\"model\":" MODEL "}",
         "pre_tokenizer.pattern.Regex: ", T2G_ERR_FORMAT},
        {"{\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"String\":\"x\"}"
         ",\"behavior\":\"Merged\",\"invert\":false},\"model\":" MODEL "}",
         "pre_tokenizer.behavior: 'Merged'", T2G_ERR_FORMAT},
        {"{\"pre_tokenizer\":{\"type\":\"Metaspace\",\"replacement\":\"xy\"},"
         "\"model\":" MODEL "}", "pre_tokenizer.replacement: 'xy'",
         T2G_ERR_FORMAT},
        {"{\"decoder\":{\"type\":\"CTC\"},\"model\":" MODEL "}",
         "decoder.type: 'CTC'", T2G_ERR_UNSUPPORTED},
        {"{\"pre_tokenizer\":" BYTE_LEVEL ",\"post_processor\":{\"type\":"
         "\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":\"x\","
         "\"type_id\":0}}],\"pair\":[],\"special_tokens\":{}},\"model\":" MODEL
         "}", "post_processor.single[0]: 'x' is not among", T2G_ERR_FORMAT},
        {"{\"added_tokens\":[{\"id\":1,\"content\":\"x\"}],\"model\":" MODEL
         "}", "added_tokens[0].single_word", T2G_ERR_FORMAT},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect_refusal(cases[i].json, cases[i].status, cases[i].part);
}

static void refuses_bad_training(void **state)
{
    size_t at = 0;
    t2g_tokenizer *t;
    t2g_tokenizer_training good = {.vocab_size = 300, .next = next_text,
                                   .context = &at};
    t2g_tokenizer_training bad = good;
    (void)state;
    bad.vocab_size = 255;
    assert_int_equal(t2g_tokenizer_train(&t, &bad), T2G_ERR_ARG);
    bad = good;
    bad.pre_tokenizer = "bert";
    assert_int_equal(t2g_tokenizer_train(&t, &bad), T2G_ERR_ARG);
    bad = good;
    bad.eos = "</s>";
    assert_int_equal(t2g_tokenizer_train(&t, &bad), T2G_ERR_ARG);
    assert_null(t);
}

/* --- encoding ------------------------------------------------------------ */

static void check_ids(const t2g_tokenizer *t, const char *text, unsigned flags,
                      const char *want)
{
    t2g_encoding e = {0};
    t2g_buffer got = {0};
    assert_int_equal(t2g_tokenizer_encode(t, text, strlen(text), flags, &e),
                     T2G_OK);
    for (size_t i = 0; i < e.count; i++)
        assert_int_equal(t2g_buffer_printf(&got, "%u[%zu,%zu) ", e.id[i],
                                           e.offset[2 * i],
                                           e.offset[2 * i + 1]), T2G_OK);
    assert_string_equal(got.data ? got.data : "", want);
    t2g_buffer_free(&got);
    t2g_encoding_free(&e);
}

static void merges_by_rank(void **state)
{
    t2g_tokenizer *t = small("", BYTE_LEVEL);
    (void)state;
    check_ids(t, "", 0, "");
    check_ids(t, "abab", 0, "2[0,2) 2[2,4) ");
    check_ids(t, " ab a", 0, "3[0,1) 2[1,3) 4[3,5) ");
    check_ids(t, "a?b", 0, "0[0,1) 1[2,3) "); /* no token for '?' */
    t2g_tokenizer_free(t);
}

static void finds_added_tokens(void **state)
{
    t2g_tokenizer *t = small(
        ADDED("<x>", FLAGS(false, true, true, false, true)) ","
        ADDED("<x>b", FLAGS(false, false, false, false, false)) ","
        ADDED("ba", FLAGS(true, false, false, true, false)) ","
        ADDED("  ", FLAGS(false, false, false, false, false)), BYTE_LEVEL);
    (void)state;
    check_ids(t, "a <x> a", 0, "0[0,1) 5[1,6) 0[6,7) ");
    check_ids(t, "a  <x>", 0, "0[0,1) 8[1,3) 5[3,6) ");
    check_ids(t, "<x>  a", 0, "5[0,5) 8[3,5) 0[5,6) "); /* as the reference */
    check_ids(t, "<x>ba", 0, "6[0,4) 0[4,5) ");
    check_ids(t, "ba aba", 0, "7[0,2) 3[2,3) 2[3,5) 0[5,6) ");
    check_ids(t, "a<x>", T2G_ENCODE_NO_SPECIAL, "0[0,1) ");
    t2g_tokenizer_free(t);
}

/* As in the reference. */
static void inserted_spaces_cover_a_character(void **state)
{
    t2g_tokenizer *t = small(
        ADDED("<x>", FLAGS(false, false, false, false, true)), PREFIXED);
    (void)state;
    check_ids(t, "ab", 0, "3[0,1) 2[0,2) ");
    check_ids(t, " a", 0, "4[0,2) ");
    check_ids(t, "b<x>aa", 0, "3[0,1) 1[0,1) 5[1,4) 4[4,5) 0[5,6) ");
    t2g_tokenizer_free(t);
}

static void applies_templates(void **state)
{
    static const char post[] =
        "{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":"
        "{\"id\":\"<x>\",\"type_id\":0}},{\"Sequence\":{\"id\":\"A\","
        "\"type_id\":0}},{\"SpecialToken\":{\"id\":\"<x>\",\"type_id\":0}}],"
        "\"pair\":[{\"Sequence\":{\"id\":\"A\",\"type_id\":0}},{\"Sequence\":"
        "{\"id\":\"B\",\"type_id\":1}}],\"special_tokens\":{\"<x>\":"
        "{\"id\":\"<x>\",\"ids\":[5],"
        "\"tokens\":[\"<x>\"]}}}";
    t2g_tokenizer *t;
    (void)state;
    assert_int_equal(
        load_with(&t, ADDED("<x>", FLAGS(false, false, false, false, true)),
                  BYTE_LEVEL, post, MODEL), T2G_OK);
    check_ids(t, "ab", 0, "2[0,2) ");
    check_ids(t, "ab", T2G_ENCODE_TEMPLATE, "5[0,0) 2[0,2) 5[0,0) ");
    check_ids(t, "", T2G_ENCODE_TEMPLATE, "5[0,0) 5[0,0) ");
    t2g_tokenizer_free(t);
}

static void reports_invalid_utf8(void **state)
{
    static const char text[] = "ab\xc3\xa9\xed\xa0\x80";
    t2g_tokenizer *t = trained();
    t2g_encoding e = {0};
    (void)state;
    assert_int_equal(t2g_tokenizer_encode(t, text, sizeof text - 1, 0, &e),
                     T2G_ERR_FORMAT);
    assert_non_null(strstr(t2g_error_message(), "byte 4"));
    assert_int_equal(e.count, 0);
    t2g_encoding_free(&e);
    t2g_tokenizer_free(t);
}

/* --- round trips --------------------------------------------------------- */

static uint64_t random_state;

static uint32_t random_below(uint32_t n)
{
    random_state = random_state * UINT64_C(6364136223846793005) +
                   UINT64_C(1442695040888963407);
    return (uint32_t)(random_state >> 33) % n;
}

/* Random characters, mostly of few blocks, as UTF-8. */
static size_t random_text(char *out, size_t characters)
{
    static const uint32_t blocks[] = {0x20, 0x0, 0xc0, 0x3000, 0x4e00, 0x1f600};
    size_t n = 0;
    for (size_t i = 0; i < characters; i++) {
        uint32_t c = blocks[random_below(6)] + random_below(96);
        size_t length = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
        static const unsigned char first[] = {0, 0, 0xc0, 0xe0, 0xf0};
        for (size_t k = length - 1; k > 0; k--, c >>= 6)
            out[n + k] = (char)(0x80 | (c & 0x3f));
        out[n] = (char)(first[length] | c);
        n += length;
    }
    return n;
}

/* Without normalizer the ranges tile the text, and its bytes come back. */
static void offsets_tile_the_text(void **state)
{
    t2g_tokenizer *t = trained();
    char text[400];
    t2g_encoding e = {0};
    (void)state;
    random_state = 1;
    for (int round = 0; round < 500; round++) {
        size_t n = random_text(text, random_below(90)), ends[400];
        t2g_buffer bytes = {0};
        e.count = 0;
        assert_int_equal(t2g_tokenizer_encode(t, text, n, 0, &e), T2G_OK);
        assert_int_equal(t2g_tokenizer_decode_bytes(t, e.id, e.count, false,
                                                    &bytes, ends), T2G_OK);
        assert_int_equal(bytes.size, n);
        if (n)
            assert_memory_equal(bytes.data, text, n);
        for (size_t i = 0; i < e.count; i++) {
            assert_int_equal(e.offset[2 * i], i ? e.offset[2 * i - 1] : 0);
            assert_int_equal(e.offset[2 * i + 1], ends[i]);
        }
        t2g_buffer_free(&bytes);
    }
    t2g_encoding_free(&e);
    t2g_tokenizer_free(t);
}

static void decodes_lossily(void **state)
{
    t2g_tokenizer *t = trained();
    uint32_t ids[5] = {0, 0, 0, 0, UINT32_MAX};
    t2g_buffer text = {0};
    (void)state;
    for (uint32_t id = 0; id < t2g_tokenizer_size(t); id++) {
        size_t n;
        const char *bytes = t2g_tokenizer_bytes(t, id, &n);
        if (n == 1 && (unsigned char)bytes[0] == 0xe2)
            ids[1] = id; /* begins a character of three bytes */
        if (n == 1 && (unsigned char)bytes[0] == 0x82)
            ids[2] = id; /* could go on with it */
        if (n == 1 && (unsigned char)bytes[0] == 'x')
            ids[3] = id;
    }
    assert_int_equal(t2g_tokenizer_decode(t, ids, 5, false, &text), T2G_OK);
    assert_string_equal(text.data, "<|end|>\xef\xbf\xbdx");
    text.size = 0;
    assert_int_equal(t2g_tokenizer_decode(t, ids, 5, true, &text), T2G_OK);
    assert_string_equal(text.data, "\xef\xbf\xbdx");
    t2g_buffer_free(&text);
    t2g_tokenizer_free(t);
}

/* A word of a million letters would take an hour if merging were quadratic. */
static void long_words_are_quick(void **state)
{
    static const char model[] =
        "{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"aa\":1,\"aaaa\":2,"
        "\"aaa\":3},\"merges\":[\"a a\",\"aa aa\",\"aa a\"]}";
    enum { N = 1000003 };
    t2g_tokenizer *t;
    t2g_encoding e = {0};
    char *text = t2g_calloc(N, 1);
    (void)state;
    assert_non_null(text);
    memset(text, 'a', N);
    assert_int_equal(load_with(&t, "", BYTE_LEVEL, "null", model), T2G_OK);
    assert_int_equal(t2g_tokenizer_encode(t, text, N, 0, &e), T2G_OK);
    assert_int_equal(e.count, N / 4 + 1);
    assert_int_equal(e.id[0], 2);
    assert_int_equal(e.id[N / 4], 3);
    assert_int_equal(e.offset[2 * (N / 4)], N - 3);
    t2g_free(text);
    t2g_encoding_free(&e);
    t2g_tokenizer_free(t);
}

/* --- two ways to the same ------------------------------------------------- */

static void same_encodings(const t2g_encoding *a, const t2g_encoding *b)
{
    assert_int_equal(a->count, b->count);
    if (a->count == 0)
        return;
    assert_memory_equal(a->id, b->id, a->count * sizeof *a->id);
    assert_memory_equal(a->offset, b->offset,
                        2 * a->count * sizeof *a->offset);
}

/* Merging by the definition: the leftmost pair of lowest rank, until none. */
static void merge_plainly(const t2g_tokenizer *t, uint32_t *id, size_t *count)
{
    for (;;) {
        const t2g_merge *best = NULL;
        size_t at = 0;
        for (size_t i = 0; i + 1 < *count; i++) {
            const t2g_merge *m = t2g_merges_find(&t->merges, id[i], id[i + 1]);
            if (m && (!best || m->rank < best->rank)) {
                best = m;
                at = i;
            }
        }
        if (!best)
            return;
        id[at] = best->id;
        memmove(id + at + 1, id + at + 2, (*count - at - 2) * sizeof *id);
        (*count)--;
    }
}

/* Words of all lengths about where the heap takes over; few letters, so that
 * merges overlap in every way. */
static void every_merging_is_the_definition(void **state)
{
    static const char model[] =
        "{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"aa\":2,\"ab\":3,"
        "\"ba\":4,\"aab\":5,\"aba\":6,\"abab\":7,\"baab\":8,\"aaaa\":9},"
        "\"merges\":[\"a b\",\"a a\",\"b a\",\"aa b\",\"ab a\",\"ab ab\","
        "\"ba ab\",\"aa aa\"]}";
    t2g_tokenizer *t;
    t2g_encoding e = {0};
    char text[4 * T2G_LONG_WORD];
    uint32_t want[4 * T2G_LONG_WORD];
    (void)state;
    random_state = 2;
    assert_int_equal(load_with(&t, "", BYTE_LEVEL, "null", model), T2G_OK);
    for (int round = 0; round < 3000; round++) {
        size_t n = 1 + random_below(sizeof text - 1), count = n;
        uint32_t odds = 2 + random_below(4);
        for (size_t i = 0; i < n; i++) {
            want[i] = random_below(odds) == 0;
            text[i] = want[i] ? 'b' : 'a';
        }
        merge_plainly(t, want, &count);
        e.count = 0;
        assert_int_equal(t2g_tokenizer_encode(t, text, n, 0, &e), T2G_OK);
        assert_int_equal(e.count, count);
        assert_memory_equal(e.id, want, count * sizeof *want);
    }
    t2g_encoding_free(&e);
    t2g_tokenizer_free(t);
}

/* A tokenizer of SentencePiece's kind, which may cut between characters that
 * never merge, or not. */
static t2g_tokenizer *sentences(bool cuts)
{
    static const char model[] =
        "{\"type\":\"BPE\",\"unk_token\":\"?\",\"fuse_unk\":true,"
        "\"byte_fallback\":true,\"vocab\":{\"<0x01>\":10,\"?\":0,\"a\":1,\"b\":2,\"▁\":3,\"▁a\":4,\"ab\":5,"
        "\"▁▁\":6,\"▁ab\":7,\"z\":8,\"z▁\":9},\"merges\":[\"▁ ▁\","
        "\"a b\",\"▁ a\",\"▁ ab\",\"z ▁\"]}";
    t2g_tokenizer *t;
    assert_int_equal(load_with(&t, "", "{\"type\":\"Metaspace\","
                               "\"replacement\":\"▁\",\"prepend_scheme\":"
                               "\"always\",\"split\":false}", "null", model),
                     T2G_OK);
    assert_true(t->spelling.cuts);
    t->spelling.cuts = cuts;
    return t;
}

static void cut_words_are_as_whole_ones(void **state)
{
    t2g_tokenizer *cut = sentences(true), *whole = sentences(false);
    t2g_encoding a = {0}, b = {0};
    (void)state;
    random_state = 3;
    for (int round = 0; round < 3000; round++) {
        char text[200];
        size_t n = 1 + random_below(sizeof text - 1);
        for (size_t i = 0; i < n; i++)
            text[i] = "ab  xyz\1"[random_below(8)];
        a.count = b.count = 0;
        assert_int_equal(t2g_tokenizer_encode(cut, text, n, 0, &a), T2G_OK);
        assert_int_equal(t2g_tokenizer_encode(whole, text, n, 0, &b), T2G_OK);
        same_encodings(&a, &b);
    }
    t2g_encoding_free(&a);
    t2g_encoding_free(&b);
    t2g_tokenizer_free(cut);
    t2g_tokenizer_free(whole);
}

/* Words remembered of one tokenizer are none of another's. */
static void encodings_serve_several_tokenizers(void **state)
{
    static const char text[] = "the reward of the ab token";
    t2g_tokenizer *t[2] = {trained(), small("", BYTE_LEVEL)};
    t2g_encoding shared = {0};
    (void)state;
    for (int round = 0; round < 6; round++) {
        t2g_encoding fresh = {0};
        const t2g_tokenizer *now = t[round % 2];
        shared.count = 0;
        assert_int_equal(t2g_tokenizer_encode(now, text, sizeof text - 1, 0,
                                              &shared), T2G_OK);
        assert_int_equal(t2g_tokenizer_encode(now, text, sizeof text - 1, 0,
                                              &fresh), T2G_OK);
        same_encodings(&shared, &fresh);
        t2g_encoding_free(&fresh);
    }
    t2g_encoding_free(&shared);
    t2g_tokenizer_free(t[0]);
    t2g_tokenizer_free(t[1]);
}

static void threads_encode_at_once(void **state)
{
    enum { TEXTS = 400 };
    static char text[TEXTS][400];
    static size_t length[TEXTS];
    static t2g_encoding found[TEXTS];
    t2g_tokenizer *t = trained();
    t2g_encoding alone = {0};
    int failures = 0;
    (void)state;
    random_state = 4;
    for (size_t i = 0; i < TEXTS; i++)
        length[i] = random_text(text[i], random_below(90));
#pragma omp parallel for num_threads(4) reduction(+ : failures)
    for (int i = 0; i < TEXTS; i++)
        failures += t2g_tokenizer_encode(t, text[i], length[i], 0, &found[i]) !=
                    T2G_OK;
    assert_int_equal(failures, 0);
    for (size_t i = 0; i < TEXTS; i++) {
        alone.count = 0;
        assert_int_equal(t2g_tokenizer_encode(t, text[i], length[i], 0, &alone),
                         T2G_OK);
        same_encodings(&found[i], &alone);
        t2g_encoding_free(&found[i]);
    }
    t2g_encoding_free(&alone);
    t2g_tokenizer_free(t);
}

/* --- what a user may not say ----------------------------------------------- */

static void guards_special_tokens(void **state)
{
    static const char text[] = "<x>a<x>";
    t2g_tokenizer *t = small(
        ADDED("<x>", FLAGS(false, false, false, false, true)) ","
        ADDED("ba", FLAGS(false, false, false, false, false)), BYTE_LEVEL);
    (void)state;
    for (size_t user = 0; user < sizeof text; user++) {
        uint8_t input[sizeof text] = {0};
        t2g_encoding e = {0};
        size_t found = 0;
        input[user] = 1; /* behind the text: of no byte */
        assert_int_equal(t2g_tokenizer_encode_guarded(
            t, text, sizeof text - 1, input, 0, &e), T2G_OK);
        for (size_t i = 0; i < e.count; i++)
            found += e.id[i] == 5;
        assert_int_equal(found, user == 3 || user == 7 ? 2 : 1);
        t2g_encoding_free(&e);
    }
    t2g_tokenizer_free(t);
}

static void encodes_pairs(void **state)
{
    t2g_tokenizer *t = small("", BYTE_LEVEL);
    t2g_encoding e = {0};
    (void)state;
    assert_int_equal(t2g_tokenizer_encode_pair(t, "ab", 2, " a", 2, 0, &e),
                     T2G_OK);
    assert_int_equal(e.count, 2);
    assert_int_equal(e.role[0], 0);
    assert_int_equal(e.role[1], T2G_TOKEN_SECOND);
    assert_int_equal(e.id[1], 4);
    assert_int_equal(t2g_tokenizer_encode_pair(t, "ab", 2, "\xff", 1, 0, &e),
                     T2G_ERR_FORMAT);
    assert_int_equal(e.count, 2); /* as it was */
    t2g_encoding_free(&e);
    t2g_tokenizer_free(t);
}

/* --- streams and warnings -------------------------------------------------- */

/* A character comes when its last byte does, never in parts. */
static void streams_whole_characters(void **state)
{
    static const char text[] = "a\xe2\x82\xac\xf0\x9f\x99\x82!";
    t2g_tokenizer *t = trained();
    t2g_decode_stream s = {0};
    t2g_encoding e = {0};
    t2g_buffer out = {0};
    (void)state;
    assert_int_equal(t2g_tokenizer_encode(t, text, sizeof text - 1, 0, &e),
                     T2G_OK);
    for (size_t i = 0; i < e.count; i++) {
        assert_int_equal(t2g_decode_stream_push(&s, t, e.id[i], false, &out),
                         T2G_OK);
        assert_int_equal(t2g_utf8_invalid(out.data ? out.data : "", out.size),
                         out.size);
    }
    assert_string_equal(out.data, text);
    out.size = 0; /* the beginning of a character that never ends */
    assert_int_equal(t2g_decode_stream_push(&s, t, e.id[1], false, &out),
                     T2G_OK);
    assert_int_equal(out.size, 0);
    assert_int_equal(t2g_decode_stream_finish(&s, t, false, &out), T2G_OK);
    assert_string_equal(out.data, "\xef\xbf\xbd");
    t2g_decode_stream_free(&s);
    t2g_encoding_free(&e);
    t2g_buffer_free(&out);
    t2g_tokenizer_free(t);
}

static void count_note(void *context, const char *message)
{
    assert_true(*message);
    ++*(int *)context;
}

static void warns(void **state)
{
    int notes = 0;
    t2g_tokenizer *t = small(
        ADDED("<x>", FLAGS(false, false, false, false, true)), BYTE_LEVEL);
    (void)state;
    t2g_tokenizer_warnings(t, count_note, &notes); /* id 9 declared, 5 taken */
    assert_int_equal(notes, 1);
    t2g_tokenizer_free(t);
}

/* --- folders ------------------------------------------------------------- */

static void saves_and_loads_folders(void **state)
{
    t2g_tokenizer *t = trained(), *loaded;
    char dir[512];
    (void)state;
    snprintf(dir, sizeof dir, "%s", in_folder("saved"));
    assert_int_equal(t2g_tokenizer_eos(t), 0);
    assert_int_equal(t2g_tokenizer_pad(t), 1);
    assert_int_equal(t2g_tokenizer_save(t, dir), T2G_OK);
    put("saved/chat_template.jinja", "{{ messages }}");
    assert_int_equal(t2g_tokenizer_load(&loaded, dir), T2G_OK);
    assert_int_equal(t2g_tokenizer_size(loaded), t2g_tokenizer_size(t));
    assert_int_equal(t2g_tokenizer_bos(loaded), -1);
    assert_int_equal(t2g_tokenizer_eos(loaded), 0);
    assert_int_equal(t2g_tokenizer_pad(loaded), 1);
    assert_true(t2g_tokenizer_is_special(loaded, 0));
    assert_int_equal(t2g_tokenizer_id(loaded, "<|pad|>"), 1);
    assert_string_equal(t2g_tokenizer_chat_template(loaded), "{{ messages }}");
    t2g_tokenizer_free(loaded);
    t2g_tokenizer_free(t);

    put("saved/tokenizer_config.json", "{\"eos_token\":{\"content\":\"?!\"}}");
    assert_int_equal(t2g_tokenizer_load(&loaded, dir), T2G_ERR_FORMAT);
    assert_non_null(strstr(t2g_error_message(), "eos_token: '?!'"));
}

/* --- memory -------------------------------------------------------------- */

/* Train, save, load, encode, decode, token by token too. */
static t2g_status everything(const char *dir)
{
    static const char text[] = "the reward<|pad|> of gro\xcc\x88\xc3\x9f";
    static const char word[] = /* long enough for the heap */
        "rewardrewardtokentokenrewardrewardtokentokenrewardrewardtokentoken";
    t2g_tokenizer *t = NULL, *loaded = NULL;
    t2g_decode_stream stream = {0};
    t2g_encoding e = {0};
    t2g_buffer out = {0};
    t2g_status s = train(&t, "qwen2");
    if (s == T2G_OK)
        s = t2g_tokenizer_save(t, dir);
    if (s == T2G_OK)
        s = t2g_tokenizer_load(&loaded, dir);
    if (s == T2G_OK)
        s = t2g_tokenizer_encode(loaded, text, sizeof text - 1, 0, &e);
    if (s == T2G_OK)
        s = t2g_tokenizer_decode(loaded, e.id, e.count, true, &out);
    if (s == T2G_OK)
        s = t2g_tokenizer_encode_pair(loaded, text, sizeof text - 1, word,
                                      sizeof word - 1, T2G_ENCODE_FIT, &e);
    for (size_t i = 0; i < e.count && s == T2G_OK; i++)
        s = t2g_decode_stream_push(&stream, loaded, e.id[i], false, &out);
    if (s == T2G_OK)
        s = t2g_decode_stream_finish(&stream, loaded, false, &out);
    t2g_decode_stream_free(&stream);
    t2g_encoding_free(&e);
    t2g_buffer_free(&out);
    t2g_tokenizer_free(loaded);
    t2g_tokenizer_free(t);
    return s;
}

static void survives_failing_allocations(void **state)
{
    counter c = {0};
    const t2g_allocator failing = {counting_alloc, counting_release, &c};
    char dir[512];
    t2g_status s;
    (void)state;
    snprintf(dir, sizeof dir, "%s", in_folder("failing"));
    t2g_set_allocator(&failing);
    do {
        c.allocations = 0;
        c.fail_at++;
        s = everything(dir);
        assert_int_equal(c.alive, 0);
        assert_true(s == T2G_OK || s == T2G_ERR_MEMORY);
    } while (s != T2G_OK);
    t2g_set_allocator(NULL);
    assert_true(c.fail_at > 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_what_it_does_not_do),
        cmocka_unit_test(refuses_bad_training),
        cmocka_unit_test(merges_by_rank),
        cmocka_unit_test(finds_added_tokens),
        cmocka_unit_test(inserted_spaces_cover_a_character),
        cmocka_unit_test(applies_templates),
        cmocka_unit_test(reports_invalid_utf8),
        cmocka_unit_test(offsets_tile_the_text),
        cmocka_unit_test(decodes_lossily),
        cmocka_unit_test(long_words_are_quick),
        cmocka_unit_test(every_merging_is_the_definition),
        cmocka_unit_test(cut_words_are_as_whole_ones),
        cmocka_unit_test(encodings_serve_several_tokenizers),
        cmocka_unit_test(threads_encode_at_once),
        cmocka_unit_test(guards_special_tokens),
        cmocka_unit_test(encodes_pairs),
        cmocka_unit_test(streams_whole_characters),
        cmocka_unit_test(warns),
        cmocka_unit_test(saves_and_loads_folders),
        cmocka_unit_test(survives_failing_allocations),
    };
    return cmocka_run_group_tests_name("unit/tokenizer", tests, make_folder,
                                       remove_folder);
}
