/* Replays vectors/tokenizer: what Hugging Face tokenizers gave. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../ref/tokenizer/tokenizer_private.h"
#include "t2g/files.h"

#define VECTORS "vectors/tokenizer/"

static const char *const names[] = {"gpt2", "llama3", "rich"};
enum { NAMES = sizeof names / sizeof *names };

static json_t *read_vector(const char *name)
{
    char path[256];
    json_t *root;
    snprintf(path, sizeof path, VECTORS "%s.json", name);
    assert_int_equal(t2g_json_read(&root, path), T2G_OK);
    return root;
}

static t2g_tokenizer *load(const char *name)
{
    char path[256];
    t2g_tokenizer *t;
    snprintf(path, sizeof path, VECTORS "%s", name);
    assert_int_equal(t2g_tokenizer_load(&t, path), T2G_OK);
    return t;
}

/* --- encoding and decoding ----------------------------------------------- */

static size_t integer_at(const json_t *list, size_t i)
{
    return (size_t)json_integer_value(json_array_get(list, i));
}

/* Ours are exact; the vectors count a character as atomic. */
static size_t widen(const char *s, size_t n, size_t at, bool is_end)
{
    while (at < n && ((unsigned char)s[at] & 0xc0) == 0x80)
        at += is_end ? 1 : (size_t)-1;
    return at;
}

/* The text a token is of. */
static const json_t *own_text(const t2g_encoding *e, size_t i, const json_t *c)
{
    bool second = e->role[i] & T2G_TOKEN_SECOND;
    return json_object_get(c, second ? "pair" : "text");
}

static void check_offsets(const t2g_encoding *e, const json_t *c)
{
    const json_t *offsets = json_object_get(c, "offsets");
    for (size_t i = 0; offsets && i < 2 * e->count; i++) {
        const json_t *text = own_text(e, i / 2, c);
        assert_int_equal(widen(json_string_value(text),
                               json_string_length(text), e->offset[i], i % 2),
                         integer_at(offsets, i));
    }
}

static void check_roles(const t2g_encoding *e, const json_t *c)
{
    for (size_t i = 0; i < e->count; i++) {
        unsigned role = e->role[i];
        bool padding = role & T2G_TOKEN_PADDING;
        bool special = padding || role & T2G_TOKEN_TEMPLATE;
        const json_t *sequence = json_array_get(
            json_object_get(c, "sequence_ids"), i);
        assert_int_equal(e->type_id[i],
                         integer_at(json_object_get(c, "type_ids"), i));
        assert_int_equal(special, integer_at(
            json_object_get(c, "special_tokens_mask"), i));
        assert_int_equal(!padding,
                         integer_at(json_object_get(c, "attention_mask"), i));
        assert_int_equal(json_is_null(sequence), special);
        if (!special)
            assert_int_equal((role & T2G_TOKEN_SECOND) != 0,
                             json_integer_value(sequence));
    }
}

static void check_encoding(const t2g_encoding *e, const json_t *c)
{
    const json_t *ids = json_object_get(c, "ids");
    assert_int_equal(e->count, json_array_size(ids));
    for (size_t i = 0; i < e->count; i++)
        assert_int_equal(e->id[i], integer_at(ids, i));
    check_offsets(e, c);
    if (json_object_get(c, "type_ids"))
        check_roles(e, c);
}

static void check_decoded(const t2g_tokenizer *t, const t2g_encoding *e,
                          bool skip_special, const json_t *want)
{
    t2g_buffer text = {0};
    assert_int_equal(t2g_tokenizer_decode(t, e->id, e->count, skip_special,
                                          &text), T2G_OK);
    assert_int_equal(text.size, json_string_length(want));
    if (text.size)
        assert_memory_equal(text.data, json_string_value(want), text.size);
    t2g_buffer_free(&text);
}

static void check_both_decoded(const t2g_tokenizer *t, const t2g_encoding *e,
                               const json_t *c)
{
    const json_t *decoded = json_object_get(c, "decoded");
    const json_t *skipped = json_object_get(c, "decoded_skip");
    decoded = decoded ? decoded : json_object_get(c, "text");
    check_decoded(t, e, false, decoded);
    check_decoded(t, e, true, skipped ? skipped : decoded);
}

static void check_case(const t2g_tokenizer *t, const json_t *c, unsigned flags)
{
    const json_t *text = json_object_get(c, "text");
    const json_t *pair = json_object_get(c, "pair");
    const char *s = json_string_value(text);
    size_t n = json_string_length(text);
    t2g_encoding e = {0};
    flags |= T2G_ENCODE_FIT;
    t2g_status status =
        pair ? t2g_tokenizer_encode_pair(t, s, n, json_string_value(pair),
                                         json_string_length(pair), flags, &e)
             : t2g_tokenizer_encode(t, s, n, flags, &e);
    assert_int_equal(status, T2G_OK);
    check_encoding(&e, c);
    if (!(flags & T2G_ENCODE_TEMPLATE))
        check_both_decoded(t, &e, c);
    t2g_encoding_free(&e);
}

static void check_cases(const t2g_tokenizer *t, const json_t *cases,
                        unsigned flags)
{
    for (size_t i = 0; i < json_array_size(cases); i++)
        check_case(t, json_array_get(cases, i), flags);
}

static void check_tokenizer(t2g_tokenizer *t, const json_t *cases)
{
    assert_true(json_array_size(json_object_get(cases, "cases")) > 0 ||
                json_array_size(json_object_get(cases, "with_special")) > 0);
    check_cases(t, json_object_get(cases, "cases"), 0);
    check_cases(t, json_object_get(cases, "with_special"), T2G_ENCODE_TEMPLATE);
    t2g_tokenizer_free(t);
}

static void encodes_and_decodes(void **state)
{
    (void)state;
    for (size_t k = 0; k < NAMES; k++) {
        json_t *root = read_vector(names[k]);
        check_tokenizer(load(names[k]), root);
        json_decref(root);
    }
}

/* A tokenizer for each component and option. */
static void does_every_component(void **state)
{
    json_t *root = read_vector("components");
    const json_t *list = json_object_get(root, "tokenizers");
    (void)state;
    assert_true(json_array_size(list) > 80);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *entry = json_array_get(list, i);
        char file[128];
        snprintf(file, sizeof file, "synthetic/%s.json", json_string_value(
            json_object_get(entry, "tokenizer")));
        check_tokenizer(load(file), entry);
    }
    json_decref(root);
}

/* --- ids that no text gives ---------------------------------------------- */

/* NAME's folder, or NAME.json. */
static t2g_tokenizer *load_either(const char *name)
{
    char file[128];
    snprintf(file, sizeof file, VECTORS "%s", name);
    bool folder = access(file, R_OK) == 0;
    snprintf(file, sizeof file, "%s%s", name, folder ? "" : ".json");
    return load(file);
}

static void check_ids(const t2g_tokenizer *t, const json_t *c)
{
    const json_t *ids = json_object_get(c, "ids");
    t2g_encoding e = {0};
    for (size_t i = 0; i < json_array_size(ids); i++)
        assert_int_equal(t2g_encoding_add(&e, (uint32_t)integer_at(ids, i), 0,
                                          0), T2G_OK);
    check_both_decoded(t, &e, c);
    t2g_encoding_free(&e);
}

static void decodes_any_ids(void **state)
{
    json_t *root = read_vector("decode");
    const json_t *list = json_object_get(root, "tokenizers");
    (void)state;
    assert_true(json_array_size(list) > 0);
    for (size_t k = 0; k < json_array_size(list); k++) {
        const json_t *entry = json_array_get(list, k);
        const json_t *cases = json_object_get(entry, "cases");
        t2g_tokenizer *t = load_either(json_string_value(
            json_object_get(entry, "tokenizer")));
        for (size_t i = 0; i < json_array_size(cases); i++)
            check_ids(t, json_array_get(cases, i));
        t2g_tokenizer_free(t);
    }
    json_decref(root);
}

/* --- bytes that are not UTF-8 -------------------------------------------- */

static int base64_digit(char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqr"
                                 "stuvwxyz0123456789+/";
    const char *at = strchr(digits, c);
    return c && at ? (int)(at - digits) : -1;
}

/* [RFC4648] section 4. Returns the number of bytes. */
static size_t base64_decode(const char *s, char *out)
{
    uint32_t bits = 0;
    size_t n = 0;
    int count = 0, digit;
    for (; (digit = base64_digit(*s)) >= 0; s++) {
        bits = bits << 6 | (uint32_t)digit;
        count += 6;
        if (count >= 8) {
            count -= 8;
            out[n++] = (char)(bits >> count);
        }
    }
    return n;
}

/* An offset at the border of the character or ill-formed subpart it is in. */
static size_t widen_any(const char *s, size_t n, size_t at, bool is_end)
{
    size_t begin = 0, end = 0;
    while (end < at && end < n) {
        begin = end;
        size_t left = n - begin, valid = t2g_utf8_invalid(s + begin, left);
        end = begin + (valid ? 1 : t2g_utf8_subpart(s + begin, left));
        while (valid && end < begin + valid &&
               ((unsigned char)s[end] & 0xc0) == 0x80)
            end++;
    }
    return end <= at || is_end ? end : begin;
}

static void check_replaced(const t2g_tokenizer *t, const char *s, size_t n,
                           const json_t *want)
{
    const json_t *ids = json_object_get(want, "ids");
    const json_t *offsets = json_object_get(want, "offsets");
    t2g_encoding e = {0};
    assert_int_equal(t2g_tokenizer_encode(t, s, n, T2G_ENCODE_REPLACE, &e),
                     T2G_OK);
    assert_int_equal(e.count, json_array_size(ids));
    for (size_t i = 0; i < e.count; i++)
        assert_int_equal(e.id[i], integer_at(ids, i));
    for (size_t i = 0; i < 2 * e.count; i++)
        assert_int_equal(widen_any(s, n, e.offset[i], i % 2),
                         integer_at(offsets, i));
    t2g_encoding_free(&e);
}

static void check_invalid(const json_t *c, const char *name, t2g_tokenizer *t)
{
    json_int_t first = json_integer_value(json_object_get(c, "first_invalid"));
    char s[256];
    size_t n = base64_decode(json_string_value(json_object_get(c, "bytes_b64")),
                             s);
    assert_int_equal(t2g_utf8_invalid(s, n), first < 0 ? n : (size_t)first);
    check_replaced(t, s, n, json_object_get(json_object_get(c, "tokenizers"),
                                            name));
}

static void replaces_what_is_not_utf8(void **state)
{
    json_t *root = read_vector("invalid"), *unused;
    json_t *cases = json_object_get(root, "cases");
    const char *name;
    (void)state;
    assert_true(json_array_size(cases) > 0);
    json_object_foreach(json_object_get(json_array_get(cases, 0), "tokenizers"),
                        name, unused) {
        t2g_tokenizer *t = load_either(name);
        for (size_t i = 0; i < json_array_size(cases); i++)
            check_invalid(json_array_get(cases, i), name, t);
        t2g_tokenizer_free(t);
    }
    json_decref(root);
}

/* --- splitting ----------------------------------------------------------- */

typedef struct piece_ends {
    const json_t *want;
    size_t count;
} piece_ends;

static t2g_status check_piece(void *context, const t2g_piece *piece)
{
    piece_ends *ends = context;
    assert_true(ends->count < json_array_size(ends->want));
    assert_int_equal(piece->base + piece->n,
                     integer_at(ends->want, ends->count));
    ends->count++;
    return T2G_OK;
}

/* The splitter alone, so that every pattern is seen whatever the vocabulary. */
static void check_splitter(const json_t *splitter, const json_t *texts)
{
    const json_t *ends = json_object_get(splitter, "ends");
    json_t *root = json_pack("{s:O}", "pre_tokenizer",
                             json_object_get(splitter, "pre_tokenizer"));
    t2g_pretokenize_scratch scratch = {.regex = NULL};
    t2g_tokenizer *t;
    assert_int_equal(t2g_tokenizer_new(&t), T2G_OK);
    assert_int_equal(t2g_tokenizer_set_components(t, root, "splitter"), T2G_OK);
    assert_int_equal(t2g_regex_scratch_new(&scratch.regex), T2G_OK);
    for (size_t i = 0; i < json_array_size(texts); i++) {
        const json_t *text = json_array_get(texts, i);
        t2g_piece whole = {json_string_value(text), json_string_length(text),
                           0, NULL};
        piece_ends found = {json_array_get(ends, i), 0};
        assert_int_equal(t2g_pretokenize(&t->pre_tokenizer, &whole, &scratch,
                                         check_piece, &found), T2G_OK);
        assert_int_equal(found.count, json_array_size(found.want));
    }
    t2g_pretokenize_scratch_free(&scratch);
    t2g_tokenizer_free(t);
    json_decref(root);
}

static void splits_at_the_same_places(void **state)
{
    json_t *root = read_vector("pretok");
    const json_t *splitters = json_object_get(root, "splitters");
    (void)state;
    assert_true(json_array_size(splitters) >= 15);
    for (size_t i = 0; i < json_array_size(splitters); i++)
        check_splitter(json_array_get(splitters, i),
                       json_object_get(root, "texts"));
    json_decref(root);
}

/* --- saving -------------------------------------------------------------- */

/* Saves t and compares with the file that the reference saved. */
static void check_saved(const t2g_tokenizer *t, const char *name)
{
    const char *base = getenv("TMPDIR");
    char dir[256], path[300], want_path[256];
    t2g_buffer got = {0}, want = {0};
    snprintf(dir, sizeof dir, "%s/t2g-golden-XXXXXX",
             base && *base ? base : "/tmp");
    assert_non_null(mkdtemp(dir));
    assert_int_equal(t2g_tokenizer_save(t, dir), T2G_OK);
    snprintf(path, sizeof path, "%s/tokenizer_config.json", dir);
    assert_int_equal(remove(path), 0);
    snprintf(path, sizeof path, "%s/tokenizer.json", dir);
    snprintf(want_path, sizeof want_path, VECTORS "%s/tokenizer.json", name);
    assert_int_equal(t2g_file_read(path, &got), T2G_OK);
    assert_int_equal(t2g_file_read(want_path, &want), T2G_OK);
    assert_int_equal(got.size, want.size);
    assert_memory_equal(got.data, want.data, want.size);
    assert_int_equal(remove(path), 0);
    assert_int_equal(rmdir(dir), 0);
    t2g_buffer_free(&got);
    t2g_buffer_free(&want);
}

static void saves_the_same_bytes(void **state)
{
    (void)state;
    for (size_t k = 0; k < NAMES; k++) {
        t2g_tokenizer *t = load(names[k]);
        check_saved(t, names[k]);
        t2g_tokenizer_free(t);
    }
}

/* --- training ------------------------------------------------------------ */

typedef struct corpus {
    const json_t *texts;
    size_t count, given;
    bool backwards;
} corpus;

static t2g_status next_text(void *context, const char **text, size_t *n)
{
    corpus *c = context;
    size_t i = c->backwards ? c->count - 1 - c->given : c->given;
    const json_t *s = c->given < c->count ? json_array_get(c->texts, i) : NULL;
    c->given++;
    *text = json_string_value(s);
    *n = json_string_length(s);
    return T2G_OK;
}

static void check_training(const json_t *c, bool backwards)
{
    const json_t *options = json_object_get(c, "options");
    const json_t *specials = json_object_get(options, "special_tokens");
    const char *name = json_string_value(json_object_get(c, "name"));
    const char *special[2];
    corpus texts = {.texts = json_object_get(c, "sequences"),
                    .backwards = backwards};
    t2g_tokenizer_training training = {
        .vocab_size = (size_t)json_integer_value(
            json_object_get(options, "vocab_size")),
        .min_frequency = 2, .pre_tokenizer = name, .special = special,
        .special_count = 2, .next = next_text, .context = &texts};
    t2g_tokenizer *t;
    texts.count = json_array_size(texts.texts);
    for (size_t i = 0; i < 2; i++)
        special[i] = json_string_value(json_array_get(specials, i));
    assert_int_equal(t2g_tokenizer_train(&t, &training), T2G_OK);
    check_saved(t, name);
    t2g_tokenizer_free(t);
}

static void check_merge(const t2g_tokenizer *t, size_t rank, const json_t *want)
{
    const t2g_merge *m = &t->merges.merge[rank];
    assert_string_equal(token_content(&t->vocabulary, m->left),
                        json_string_value(json_array_get(want, 0)));
    assert_string_equal(token_content(&t->vocabulary, m->right),
                        json_string_value(json_array_get(want, 1)));
}

static size_t option(const json_t *c, const char *key)
{
    const json_t *options = json_object_get(c, "options");
    return (size_t)json_integer_value(json_object_get(options, key));
}

/* With components of its own: the same vocabulary and merges. */
static void check_free_training(const json_t *c)
{
    const json_t *vocab = json_object_get(c, "vocab");
    const json_t *merges = json_object_get(c, "merges");
    const json_t *specials = json_object_get(json_object_get(c, "options"),
                                             "special_tokens");
    corpus texts = {.texts = json_object_get(c, "sequences")};
    const char *special[4];
    json_t *parts = json_pack(
        "{s:O,s:O}", "normalizer", json_object_get(c, "normalizer"),
        "pre_tokenizer", json_object_get(c, "pre_tokenizer"));
    char *components = json_dumps(parts, 0);
    t2g_tokenizer *t;
    texts.count = json_array_size(texts.texts);
    for (size_t i = 0; i < json_array_size(specials); i++)
        special[i] = json_string_value(json_array_get(specials, i));
    t2g_tokenizer_training training = {
        .vocab_size = option(c, "vocab_size"),
        .min_frequency = option(c, "min_frequency"),
        .max_token_length = option(c, "max_token_length"),
        .limit_alphabet = option(c, "limit_alphabet"),
        .seen_bytes_only = !json_object_get(json_object_get(c, "options"),
                                            "initial_alphabet"),
        .components = components, .special = special,
        .special_count = json_array_size(specials), .next = next_text,
        .context = &texts};
    assert_int_equal(t2g_tokenizer_train(&t, &training), T2G_OK);
    assert_int_equal(t2g_tokenizer_size(t), json_array_size(vocab));
    for (size_t i = 0; i < json_array_size(vocab); i++)
        assert_string_equal(token_content(&t->vocabulary, (uint32_t)i),
                            json_string_value(json_array_get(vocab, i)));
    assert_int_equal(t->merges.count, json_array_size(merges));
    for (size_t i = 0; i < json_array_size(merges); i++)
        check_merge(t, i, json_array_get(merges, i));
    t2g_tokenizer_free(t);
    free(components);
    json_decref(parts);
}

/* The first cases are the tokenizers in folders, to be saved as they are,
 * whatever the order of the texts. */
static void trains_the_same(void **state)
{
    enum { FILES = 2 };
    json_t *root = read_vector("train");
    const json_t *cases = json_object_get(root, "cases");
    (void)state;
    assert_true(json_array_size(cases) > FILES);
    for (size_t i = 0; i < FILES; i++) {
        check_training(json_array_get(cases, i), false);
        check_training(json_array_get(cases, i), true);
    }
    for (size_t i = FILES; i < json_array_size(cases); i++)
        check_free_training(json_array_get(cases, i));
    json_decref(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(encodes_and_decodes),
        cmocka_unit_test(does_every_component),
        cmocka_unit_test(decodes_any_ids),
        cmocka_unit_test(replaces_what_is_not_utf8),
        cmocka_unit_test(splits_at_the_same_places),
        cmocka_unit_test(saves_the_same_bytes),
        cmocka_unit_test(trains_the_same),
    };
    return cmocka_run_group_tests_name("golden/tokenizer", tests, NULL, NULL);
}
