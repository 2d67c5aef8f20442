/* Tokenizers of GGUF files and of tiktoken ranks: what is read, saved, refused;
 * exhaustion of memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "counting.h"
#include "damage.h"
#include "folder.h"
#include "gguf_builder.h"
#include "t2g/tokenizer.h"

static const char *put_file(const char *name, const void *bytes, size_t n)
{
    const char *path = in_folder(name);
    assert_int_equal(t2g_file_write(path, bytes, n), T2G_OK);
    return path;
}

/* --- texts and ids -------------------------------------------------------- */

static void expect_ids(const t2g_tokenizer *t, const char *text,
                       unsigned flags, const uint32_t *want, size_t n)
{
    t2g_encoding e = {0};
    assert_int_equal(t2g_tokenizer_encode(t, text, strlen(text), flags, &e),
                     T2G_OK);
    if (e.count != n)
        fail_msg("'%s': %zu tokens, expected %zu", text, e.count, n);
    for (size_t i = 0; i < n; i++)
        if (e.id[i] != want[i])
            fail_msg("'%s': token %zu is %u, expected %u", text, i, e.id[i],
                     want[i]);
    t2g_encoding_free(&e);
}

#define EXPECT_IDS(t, text, flags, ...)                                        \
    expect_ids(t, text, flags, (const uint32_t[]){__VA_ARGS__},                \
               sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t))

/* What t becomes when it is saved and loaded. */
static t2g_tokenizer *saved(t2g_tokenizer *t)
{
    t2g_tokenizer *loaded;
    char dir[512];
    snprintf(dir, sizeof dir, "%s", in_folder("saved"));
    assert_int_equal(t2g_tokenizer_save(t, dir), T2G_OK);
    assert_int_equal(t2g_tokenizer_load(&loaded, dir), T2G_OK);
    t2g_tokenizer_free(t);
    return loaded;
}

static void expect_refusal(const char *path, t2g_status status,
                           const char *part)
{
    t2g_tokenizer *t = NULL;
    t2g_status s = t2g_tokenizer_load(&t, path);
    if (s != status)
        fail_msg("%s: %s %s", part, t2g_status_name(s), t2g_error_message());
    assert_null(t);
    if (!strstr(t2g_error_message(), part))
        fail_msg("'%s' is not in '%s'", part, t2g_error_message());
}

/* --- a GGUF tokenizer ----------------------------------------------------- */

enum { A, B, C, AB, ABC, SPACE, SPACE_A, ONE, TWO, TWELVE, BEGIN, END, TOOL,
       UNUSED, TOKENS };

static const char *const tokens[TOKENS] = {
    "a", "b", "c", "ab", "abc", "\u0120", "\u0120a", "1", "2", "12", "<s>",
    "</s>", "<tool>", "[PAD13]"};
static const int32_t kinds[TOKENS] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 3, 3, 4, 5};
static const char *const merges[] = {"a b", "ab c", "\u0120 a", "1 2"};
enum { MERGES = sizeof merges / sizeof *merges };

/* What tests vary: a member that is not 0 replaces the usual value. */
typedef struct variant {
    const char *model, *pre, *token, *merge;
    size_t kind_count, score_count;
    uint32_t bos;
    bool no_pre, no_bos, add_bos, add_eos;
} variant;

static const char *gguf_file(const variant *v)
{
    gguf_builder b = {0};
    t2g_buffer file = {0};
    const char *token[TOKENS], *merge[MERGES];
    float scores[TOKENS] = {0};
    memcpy(token, tokens, sizeof tokens);
    memcpy(merge, merges, sizeof merges);
    if (v->token)
        token[B] = v->token;
    if (v->merge)
        merge[1] = v->merge;
    add_text(&b, "tokenizer.ggml.model", v->model ? v->model : "gpt2");
    if (!v->no_pre)
        add_text(&b, "tokenizer.ggml.pre", v->pre ? v->pre : "gpt-2");
    add_texts(&b, "tokenizer.ggml.tokens", token, TOKENS);
    add_numbers(&b, "tokenizer.ggml.token_type", T2G_GGUF_I32, kinds,
                v->kind_count ? v->kind_count : TOKENS);
    if (v->score_count)
        add_numbers(&b, "tokenizer.ggml.scores", T2G_GGUF_F32, scores,
                    v->score_count);
    else if (!v->model)
        add_texts(&b, "tokenizer.ggml.merges", merge, MERGES);
    if (!v->no_bos)
        add_u32(&b, "tokenizer.ggml.bos_token_id", v->bos ? v->bos : BEGIN);
    add_u32(&b, "tokenizer.ggml.eos_token_id", END);
    if (v->add_bos)
        add_bool(&b, "tokenizer.ggml.add_bos_token", 1);
    if (v->add_eos)
        add_bool(&b, "tokenizer.ggml.add_eos_token", 1);
    add_text(&b, "tokenizer.chat_template", "{{ messages }}");
    join_file(&b, 3, 32, &file);
    free_builder(&b);
    const char *path = in_folder("model.gguf");
    assert_int_equal(t2g_file_write(path, file.data, file.size), T2G_OK);
    t2g_buffer_free(&file);
    return path;
}

static t2g_tokenizer *load_gguf(const variant *v)
{
    t2g_tokenizer *t = NULL;
    if (t2g_tokenizer_load(&t, gguf_file(v)) != T2G_OK)
        fail_msg("%s", t2g_error_message());
    return t;
}

static void check_gguf(const t2g_tokenizer *t)
{
    EXPECT_IDS(t, "abc a12", 0, ABC, SPACE_A, TWELVE);
    EXPECT_IDS(t, "a<tool>b</s>", 0, A, TOOL, B, END);
    EXPECT_IDS(t, "a<tool>b</s>", T2G_ENCODE_NO_SPECIAL, A, TOOL, B);
    assert_int_equal(t2g_tokenizer_size(t), TOKENS);
    assert_int_equal(t2g_tokenizer_bos(t), BEGIN);
    assert_int_equal(t2g_tokenizer_eos(t), END);
    assert_int_equal(t2g_tokenizer_pad(t), -1);
    assert_true(t2g_tokenizer_is_special(t, END));
    assert_false(t2g_tokenizer_is_special(t, TOOL));
    assert_string_equal(t2g_tokenizer_chat_template(t), "{{ messages }}");
}

static void reads_gguf(void **state)
{
    t2g_tokenizer *t = load_gguf(&(variant){0});
    (void)state;
    check_gguf(t);
    t = saved(t);
    check_gguf(t);
    t2g_tokenizer_free(t);
}

/* Each name splits and looks up as its family does. */
static void knows_families(void **state)
{
    static const struct {
        const char *pre;
        uint32_t id[2];
    } pairs[] = { /* of "12" */
        {"gpt-2", {TWELVE}},       {"smollm", {ONE, TWO}},
        {"starcoder", {ONE, TWO}}, {"qwen2", {ONE, TWO}},
        {"dbrx", {TWELVE}},        {"gpt-4o", {TWELVE}},
        {"deepseek-v3", {TWELVE}}, {"tekken", {ONE, TWO}},
        {"llama-bpe", {TWELVE}},
    };
    (void)state;
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        t2g_tokenizer *t = load_gguf(&(variant){.pre = pairs[i].pre});
        expect_ids(t, "12", 0, pairs[i].id, pairs[i].id[1] ? 2 : 1);
        t = saved(t);
        expect_ids(t, "12", 0, pairs[i].id, pairs[i].id[1] ? 2 : 1);
        t2g_tokenizer_free(t);
    }
}

static void adds_what_the_file_says(void **state)
{
    t2g_tokenizer *t = load_gguf(&(variant){.add_bos = true, .add_eos = true});
    (void)state;
    EXPECT_IDS(t, "a", T2G_ENCODE_TEMPLATE, BEGIN, A, END);
    t = saved(t);
    EXPECT_IDS(t, "a", T2G_ENCODE_TEMPLATE, BEGIN, A, END);
    t2g_tokenizer_free(t);

    t = load_gguf(&(variant){.pre = "llama-bpe"}); /* by custom */
    EXPECT_IDS(t, "a", T2G_ENCODE_TEMPLATE, BEGIN, A);
    t2g_tokenizer_free(t);
    t = load_gguf(&(variant){.pre = "llama-bpe", .no_bos = true});
    EXPECT_IDS(t, "a", T2G_ENCODE_TEMPLATE, A);
    t2g_tokenizer_free(t);
}

static void refuses_bad_gguf(void **state)
{
    static const struct {
        variant v;
        t2g_status status;
        const char *part;
    } cases[] = {
        {{.model = "t5"}, T2G_ERR_UNSUPPORTED, "'t5' is not supported"},
        {{.pre = "default"}, T2G_ERR_UNSUPPORTED,
         "'default' is not supported, expected one of gpt-2"},
        {{.no_pre = true}, T2G_ERR_FORMAT, "ggml.pre' is missing"},
        {{.token = "a"}, T2G_ERR_FORMAT, "token 1 is token 0 again, 'a'"},
        {{.token = "\xff"}, T2G_ERR_FORMAT, "string 1 is not UTF-8"},
        {{.merge = "ab z"}, T2G_ERR_FORMAT, "merge 1: 'z' is no token"},
        {{.merge = "c c"}, T2G_ERR_FORMAT, "merge 1: 'cc' is no token"},
        {{.merge = "abc"}, T2G_ERR_FORMAT, "two parts"},
        {{.merge = "a b c"}, T2G_ERR_FORMAT, "two parts"},
        {{.kind_count = 3}, T2G_ERR_FORMAT, "3 elements, expected 14"},
        {{.bos = 99}, T2G_ERR_FORMAT, "id 99, but there are 14 tokens"},
        {{.no_bos = true, .add_bos = true}, T2G_ERR_FORMAT,
         "add_bos_token' is true, but key 'tokenizer.ggml.bos_token_id'"},
        {{.model = "llama"}, T2G_ERR_FORMAT, "ggml.scores' is missing"},
        {{.model = "llama", .score_count = 2}, T2G_ERR_FORMAT,
         "2 elements, expected 14"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect_refusal(gguf_file(&cases[i].v), cases[i].status, cases[i].part);
}

/* --- SentencePiece in GGUF ------------------------------------------------ */

enum { S_UNK, S_BOS, S_EOS, S_C3, S_BC, S_SPACE, S_A, S_B, S_SPACE_A, S_AB,
       S_SPACE_AB, S_TOKENS };

/* Scores that make merges; no merges, and roles by default. */
static t2g_tokenizer *load_sentencepiece(bool prefix)
{
    static const char *const token[S_TOKENS] = {
        "<unk>", "<s>", "</s>", "<0xC3>", "<0xBC>", "\u2581", "a", "b",
        "\u2581a", "ab", "\u2581ab"};
    static const int32_t kind[S_TOKENS] = {2, 3, 3, 6, 6, 1, 1, 1, 1, 1, 1};
    static const float score[S_TOKENS] = {0, 0, 0, 0, 0, -9, -9, -9, -1, -2,
                                          -3};
    gguf_builder b = {0};
    t2g_buffer file = {0};
    t2g_tokenizer *t = NULL;
    add_text(&b, "tokenizer.ggml.model", "llama");
    add_texts(&b, "tokenizer.ggml.tokens", token, S_TOKENS);
    add_numbers(&b, "tokenizer.ggml.token_type", T2G_GGUF_I32, kind, S_TOKENS);
    add_numbers(&b, "tokenizer.ggml.scores", T2G_GGUF_F32, score, S_TOKENS);
    add_bool(&b, "tokenizer.ggml.add_space_prefix", prefix);
    join_file(&b, 2, 32, &file);
    free_builder(&b);
    if (t2g_tokenizer_load(&t, put_file("spm.gguf", file.data, file.size)) !=
        T2G_OK)
        fail_msg("%s", t2g_error_message());
    t2g_buffer_free(&file);
    return t;
}

static void check_sentencepiece(const t2g_tokenizer *t)
{
    static const uint32_t ids[] = {S_SPACE_AB, S_SPACE_A};
    t2g_buffer text = {0};
    EXPECT_IDS(t, "ab a", T2G_ENCODE_TEMPLATE, S_BOS, S_SPACE_AB, S_SPACE_A);
    EXPECT_IDS(t, "\u00fc", 0, S_SPACE, S_C3, S_BC);
    EXPECT_IDS(t, "zz", 0, S_SPACE, S_UNK);
    assert_int_equal(t2g_tokenizer_decode(t, ids, 2, true, &text), T2G_OK);
    assert_string_equal(text.data, "ab a");
    t2g_buffer_free(&text);
    assert_int_equal(t2g_tokenizer_bos(t), S_BOS);
    assert_int_equal(t2g_tokenizer_eos(t), S_EOS);
    assert_true(t2g_tokenizer_is_special(t, S_UNK));
}

static void reads_sentencepiece(void **state)
{
    t2g_tokenizer *t = load_sentencepiece(true);
    (void)state;
    check_sentencepiece(t);
    t = saved(t);
    check_sentencepiece(t);
    t2g_tokenizer_free(t);
    t = load_sentencepiece(false);
    EXPECT_IDS(t, "ab a", 0, S_AB, S_SPACE_A);
    t2g_tokenizer_free(t);
}

/* --- tiktoken ranks ------------------------------------------------------- */

static void put_line(t2g_buffer *out, const char *bytes, size_t n,
                     unsigned rank, const char *end)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqr"
                                 "stuvwxyz0123456789+/";
    for (size_t i = 0; i < n; i += 3) {
        uint32_t bits = 0;
        char four[5] = "====";
        for (size_t j = 0; j < 3; j++)
            bits = bits << 8 | (i + j < n ? (unsigned char)bytes[i + j] : 0);
        for (size_t j = 0; j < 4 && i + j <= n; j++)
            four[j] = digits[bits >> (18 - 6 * j) & 63];
        assert_int_equal(t2g_buffer_puts(out, four), T2G_OK);
    }
    assert_int_equal(t2g_buffer_printf(out, " %u%s", rank, end), T2G_OK);
}

/* Ranks of all bytes, "ab", "abc", of "xyz", which only a later rank makes, and
 * after a hole of ten bytes of UTF-8. */
enum { R_AB = 256, R_ABC, R_XYZ, R_YZ, R_UTF8 = 270, R_END = 280, R_EOT };

static t2g_buffer ranks(const char *end)
{
    t2g_buffer out = {0};
    for (unsigned byte = 0; byte < 256; byte++)
        put_line(&out, &(char){(char)byte}, 1, byte, end);
    put_line(&out, "ab", 2, R_AB, end);
    put_line(&out, "abc", 3, R_ABC, end);
    put_line(&out, "xyz", 3, R_XYZ, end);
    put_line(&out, "yz", 2, R_YZ, end);
    assert_int_equal(t2g_buffer_puts(&out, end), T2G_OK); /* a blank line */
    put_line(&out, "\xc3\xbc", 2, R_UTF8, end);
    return out;
}

static const char description[] =
    "{\"small\": {\"pattern\": \"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\\\r\\\\n"
    "\\\\p{L}\\\\p{N}]?\\\\p{L}+|\\\\p{N}{1,3}| ?[^\\\\s\\\\p{L}\\\\p{N}]+"
    "[\\\\r\\\\n]*|\\\\s*[\\\\r\\\\n]+|\\\\s+(?!\\\\S)|\\\\s+\", \"n_vocab\": "
    "282, \"special_tokens\": {\"<|end|>\": 280, \"<|endoftext|>\": 281}}}";

static void check_ranks(const t2g_tokenizer *t)
{
    EXPECT_IDS(t, "abcab", 0, R_ABC, R_AB);
    EXPECT_IDS(t, "xyz", 0, R_XYZ);
    EXPECT_IDS(t, "xyzz", 0, R_XYZ, 'z');
    EXPECT_IDS(t, "a\xc3\xbc", 0, 'a', R_UTF8);
    EXPECT_IDS(t, "a<|end|>", 0, 'a', R_END);
    EXPECT_IDS(t, "<|end", T2G_ENCODE_NO_SPECIAL, '<', '|', 'e', 'n', 'd');
    assert_int_equal(t2g_tokenizer_size(t), R_EOT + 1);
    assert_int_equal(t2g_tokenizer_eos(t), R_EOT);
    assert_int_equal(t2g_tokenizer_id(t, "<|endoftext|>"), R_EOT);
}

static void reads_ranks(void **state)
{
    (void)state;
    put_file("encodings.json", description, sizeof description - 1);
    for (int crlf = 0; crlf < 2; crlf++) {
        t2g_buffer file = ranks(crlf ? "\r\n" : "\n");
        t2g_tokenizer *t = NULL;
        /* The second is recognised by its content. */
        const char *path = put_file(crlf ? "small.model" : "small.tiktoken",
                                    file.data, file.size);
        if (t2g_tokenizer_load(&t, path) != T2G_OK)
            fail_msg("%s", t2g_error_message());
        check_ranks(t);
        t = saved(t);
        check_ranks(t);
        EXPECT_IDS(t, "<|end|>", T2G_ENCODE_NO_SPECIAL, '<', '|', 'e', 'n',
                   'd', '|', '>');
        t2g_tokenizer_free(t);
        t2g_buffer_free(&file);
    }
    assert_int_equal(remove(in_folder("encodings.json")), 0);
}

/* A rank file with one more line. */
static void expect_bad_line(const char *line, const char *part)
{
    t2g_buffer file = ranks("\n");
    assert_int_equal(t2g_buffer_puts(&file, line), T2G_OK);
    expect_refusal(put_file("bad.tiktoken", file.data, file.size),
                   T2G_ERR_FORMAT, part);
    t2g_buffer_free(&file);
}

static void refuses_bad_ranks(void **state)
{
    (void)state;
    expect_bad_line("YWI= 300\n", "bad.tiktoken:263: the bytes of rank 300 are "
                                  "those of rank 256");
    expect_bad_line("eno= 256\n", "id 256 of 'zz' is that of 'ab'");
    expect_bad_line("enp 300\n", "expected base64");
    expect_bad_line("en=p 300\n", "expected base64");
    expect_bad_line("==== 300\n", "expected base64");
    expect_bad_line("eno=\n", "expected base64");
    expect_bad_line(" 300\n", "expected base64");
    expect_bad_line("eno= -1\n", "a rank below");
    expect_bad_line("eno= 99999999999999999999\n", "a rank below");
    expect_refusal(put_file("bad.tiktoken", "YQ== 97\n", 8), T2G_ERR_FORMAT,
                   "the byte 0x00 has no rank");
    expect_refusal(put_file("bad.tiktoken", "", 0), T2G_ERR_FORMAT,
                   "the byte 0x00 has no rank");
}

/* The description decides what is missing or does not fit. */
static void refuses_bad_descriptions(void **state)
{
    static const struct {
        const char *json, *part;
        t2g_status status;
    } cases[] = {
        {"{}", "expected small.json beside it", T2G_ERR_UNSUPPORTED},
        {"{\"pattern\": 3}", "pattern: an integer", T2G_ERR_FORMAT},
        {"{\"pattern\": \"x\"}", "special_tokens: missing", T2G_ERR_FORMAT},
        {"{\"pattern\": \"x\", \"special_tokens\": {\"<e>\": \"1\"}}",
         "the id of '<e>' is a string", T2G_ERR_FORMAT},
        {"{\"pattern\": \"x\", \"special_tokens\": {\"<e>\": 256}}",
         "id 256 of '<e>' is that of 'ab'", T2G_ERR_FORMAT},
        {"{\"pattern\": \"x\", \"special_tokens\": {\"ab\": 300}}",
         "'ab' is a token already", T2G_ERR_FORMAT},
        {"{\"pattern\": \"x\", \"special_tokens\": {}, \"n_vocab\": 9}",
         "n_vocab: expected 271", T2G_ERR_FORMAT},
    };
    t2g_buffer file = ranks("\n");
    (void)state;
    char path[512];
    snprintf(path, sizeof path, "%s",
             put_file("small.tiktoken", file.data, file.size));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        put_file("small.json", cases[i].json, strlen(cases[i].json));
        expect_refusal(path, cases[i].status, cases[i].part);
    }
    assert_int_equal(remove(in_folder("small.json")), 0);
    expect_refusal(put_file("r50k_base.tiktoken", file.data, file.size),
                   T2G_ERR_FORMAT, "261 ranks, but r50k_base has 50256");
    t2g_buffer_free(&file);
}

/* --- damage --------------------------------------------------------------- */

/* Loads what remains of a file after damage, and uses it if it can. */
static size_t load_damaged(const char *name, const t2g_buffer *file, int times)
{
    t2g_buffer copy = {0};
    uint64_t seed = 7;
    size_t loaded = 0;
    for (int i = 0; i < times; i++) {
        t2g_tokenizer *t = NULL;
        t2g_encoding e = {0};
        copy.size = 0;
        put_bytes(&copy, file->data, file->size);
        damage(&copy, &seed);
        put_quickly(in_folder(name), copy.data, copy.size);
        if (t2g_tokenizer_load(&t, in_folder(name)) == T2G_OK) {
            loaded++;
            (void)!t2g_tokenizer_encode(t, "abc a12<s>xyz", 13,
                                        T2G_ENCODE_TEMPLATE, &e);
        }
        t2g_encoding_free(&e);
        t2g_tokenizer_free(t);
    }
    t2g_buffer_free(&copy);
    return loaded;
}

static void survives_damage(void **state)
{
    t2g_buffer gguf = {0}, rank_file = ranks("\n");
    (void)state;
    assert_int_equal(t2g_file_read(gguf_file(&(variant){.add_bos = true}),
                                   &gguf), T2G_OK);
    assert_true(load_damaged("damaged.gguf", &gguf, 3000) > 30);
    put_file("damaged.json", description, sizeof description - 1);
    (void)load_damaged("damaged.tiktoken", &rank_file, 1000);
    t2g_buffer_free(&gguf);
    t2g_buffer_free(&rank_file);
}

/* --- memory --------------------------------------------------------------- */

static void fail_each_allocation(const char *path)
{
    counter c = {0};
    const t2g_allocator failing = {counting_alloc, counting_release, &c};
    t2g_status s;
    t2g_set_allocator(&failing);
    do {
        t2g_tokenizer *t = NULL;
        c.allocations = 0;
        c.fail_at++;
        s = t2g_tokenizer_load(&t, path);
        t2g_tokenizer_free(t);
        assert_int_equal(c.alive, 0);
        assert_true(s == T2G_OK || s == T2G_ERR_MEMORY);
    } while (s != T2G_OK);
    t2g_set_allocator(NULL);
    assert_true(c.fail_at > 20);
}

static void survives_failing_allocations(void **state)
{
    t2g_buffer file = ranks("\n");
    (void)state;
    fail_each_allocation(gguf_file(&(variant){.add_bos = true}));
    put_file("small.json", description, sizeof description - 1);
    fail_each_allocation(put_file("small.model", file.data, file.size));
    t2g_buffer_free(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_gguf),
        cmocka_unit_test(knows_families),
        cmocka_unit_test(adds_what_the_file_says),
        cmocka_unit_test(refuses_bad_gguf),
        cmocka_unit_test(reads_sentencepiece),
        cmocka_unit_test(reads_ranks),
        cmocka_unit_test(refuses_bad_ranks),
        cmocka_unit_test(refuses_bad_descriptions),
        cmocka_unit_test(survives_damage),
        cmocka_unit_test(survives_failing_allocations),
    };
    return cmocka_run_group_tests_name("unit/tokenizer_files", tests,
                                       make_folder, remove_folder);
}
