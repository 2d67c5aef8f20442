/* GGUF files: what is read, what is refused and how, damage of every kind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "damage.h"
#include "folder.h"
#include "gguf_builder.h"

/* --- files of our own ---------------------------------------------------- */

static void add_tensor(gguf_builder *b, const char *name, uint32_t rank,
                       const uint64_t *size, uint32_t type, uint64_t offset)
{
    b->tensor_count++;
    put_text(&b->infos, name);
    put_u32(&b->infos, rank);
    for (uint32_t i = 0; i < rank; i++)
        put_u64(&b->infos, size[i]);
    put_u32(&b->infos, type);
    put_u64(&b->infos, offset);
}

enum { DATA = 3 * 34 + 26 + 12 }; /* q, padding, v */

/* Every type of key that has a reader, and two tensors: q [3, 32] Q8_0 at 0,
 * v [3] F32 at 128. */
static void add_all(gguf_builder *b)
{
    static const char *const words[] = {"one", "", "three"};
    static const int32_t numbers[] = {1, -2, 3};
    static const float reals[] = {0.5f, -1e9f};
    static const uint64_t q[] = {32, 3}, v[] = {3};
    float epsilon = 1e-5f;
    add_text(b, "general.architecture", "llama");
    add_u32(b, "llama.block_count", 7);
    add_number(b, "llama.epsilon", T2G_GGUF_F32, &epsilon, sizeof epsilon);
    add_bool(b, "yes", 1);
    add_texts(b, "words", words, 3);
    add_numbers(b, "numbers", T2G_GGUF_I32, numbers, 3);
    add_numbers(b, "reals", T2G_GGUF_F32, reals, 2);
    add_array(b, "nested", T2G_GGUF_ARRAY, 1);
    put_u32(&b->keys, T2G_GGUF_U8);
    put_u64(&b->keys, 2);
    put_bytes(&b->keys, "ab", 2);
    add_tensor(b, "v", 1, v, T2G_GGML_F32, 128);
    add_tensor(b, "q", 2, q, T2G_GGML_Q8_0, 0);
}

static void append_data(t2g_buffer *file)
{
    static const float v[] = {1, 2, 3};
    for (size_t i = 0; i < DATA - sizeof v; i++)
        put_bytes(file, &(char){(char)i}, 1);
    put_bytes(file, v, sizeof v);
}

static t2g_buffer good_file(void)
{
    gguf_builder b = {0};
    t2g_buffer file = {0};
    add_all(&b);
    join_file(&b, 3, 32, &file);
    append_data(&file);
    free_builder(&b);
    return file;
}

static const char *store(const void *bytes, size_t n)
{
    const char *path = in_folder("test.gguf");
    put_quickly(path, bytes, n);
    return path;
}

static void open_good(t2g_gguf *g)
{
    t2g_buffer file = good_file();
    assert_int_equal(t2g_gguf_open(g, store(file.data, file.size)), T2G_OK);
    t2g_buffer_free(&file);
}

static void expect_message(const char *part)
{
    if (!strstr(t2g_error_message(), part))
        fail_msg("'%s' is not in '%s'", part, t2g_error_message());
}

/* --- what is read --------------------------------------------------------- */

static void reads_values(void **state)
{
    t2g_gguf g;
    uint32_t blocks = 0, absent = 99;
    float epsilon = 0;
    bool yes = false;
    t2g_gguf_text text = {0};
    (void)state;
    open_good(&g);
    assert_int_equal(g.version, 3);
    assert_int_equal(g.alignment, 32);
    assert_int_equal(g.key_count, 8);
    assert_int_equal(t2g_gguf_u32(&g, "llama.block_count", true, &blocks),
                     T2G_OK);
    assert_int_equal(blocks, 7);
    assert_int_equal(t2g_gguf_u32(&g, "absent", false, &absent), T2G_OK);
    assert_int_equal(absent, 99);
    assert_int_equal(t2g_gguf_f32(&g, "llama.epsilon", true, &epsilon), T2G_OK);
    assert_true(epsilon == 1e-5f);
    assert_int_equal(t2g_gguf_bool(&g, "yes", true, &yes), T2G_OK);
    assert_true(yes);
    assert_int_equal(t2g_gguf_string(&g, "general.architecture", true, &text),
                     T2G_OK);
    assert_int_equal(text.n, 5);
    assert_memory_equal(text.s, "llama", 5);
    t2g_gguf_close(&g);
}

static void reads_arrays(void **state)
{
    t2g_gguf g;
    t2g_gguf_text *words;
    int32_t *numbers;
    float *reals;
    size_t count;
    (void)state;
    open_good(&g);
    assert_int_equal(t2g_gguf_strings(&g, "words", true, &words, &count),
                     T2G_OK);
    assert_int_equal(count, 3);
    assert_int_equal(words[1].n, 0);
    assert_memory_equal(words[2].s, "three", 5);
    t2g_free(words);
    assert_int_equal(t2g_gguf_i32s(&g, "numbers", true, &numbers, &count),
                     T2G_OK);
    assert_int_equal(count, 3);
    assert_int_equal(numbers[1], -2);
    t2g_free(numbers);
    assert_int_equal(t2g_gguf_f32s(&g, "reals", true, &reals, &count), T2G_OK);
    assert_int_equal(count, 2);
    assert_true(reals[1] == -1e9f);
    t2g_free(reals);
    assert_int_equal(t2g_gguf_f32s(&g, "absent", false, &reals, &count),
                     T2G_OK);
    assert_null(reals);
    assert_int_equal(count, 0);
    t2g_gguf_close(&g);
}

static void reads_tensors(void **state)
{
    t2g_gguf g;
    float v[3];
    (void)state;
    open_good(&g);
    assert_int_equal(g.tensor_count, 2);
    const t2g_gguf_tensor *q = t2g_gguf_find_tensor(&g, "q");
    assert_non_null(q);
    assert_string_equal(q->format->name, "Q8_0");
    assert_int_equal(q->rank, 2);
    assert_int_equal(q->shape[0], 3);
    assert_int_equal(q->shape[1], 32);
    assert_int_equal(q->count, 96);
    assert_int_equal(q->size, 3 * 34);
    assert_int_equal(q->data[101], 101);
    const t2g_gguf_tensor *t = t2g_gguf_find_tensor(&g, "v");
    assert_int_equal(t->size, sizeof v);
    memcpy(v, t->data, sizeof v);
    assert_true(v[2] == 3);
    assert_null(t2g_gguf_find_tensor(&g, "w"));
    t2g_gguf_close(&g);
}

static void names_wrong_types(void **state)
{
    t2g_gguf g;
    uint32_t u;
    bool flag;
    size_t count;
    float *reals;
    t2g_gguf_text *words;
    (void)state;
    open_good(&g);
    assert_int_equal(t2g_gguf_u32(&g, "yes", true, &u), T2G_ERR_FORMAT);
    expect_message("test.gguf: key 'yes': bool, expected u32");
    assert_int_equal(t2g_gguf_u32(&g, "absent", true, &u), T2G_ERR_FORMAT);
    expect_message("key 'absent' is missing, expected u32");
    assert_int_equal(t2g_gguf_bool(&g, "numbers", false, &flag),
                     T2G_ERR_FORMAT);
    expect_message("key 'numbers': an array of i32, expected bool");
    assert_int_equal(t2g_gguf_f32s(&g, "numbers", true, &reals, &count),
                     T2G_ERR_FORMAT);
    expect_message("an array of i32, expected an array of f32");
    assert_int_equal(t2g_gguf_strings(&g, "nested", true, &words, &count),
                     T2G_ERR_FORMAT);
    expect_message("an array of array, expected an array of string");
    assert_int_equal(t2g_gguf_f32s(&g, "llama.epsilon", true, &reals, &count),
                     T2G_ERR_FORMAT);
    expect_message("f32, expected an array of f32");
    t2g_gguf_close(&g);
}

/* --- what is refused ------------------------------------------------------ */

typedef struct wrong {
    const char *part; /* of the message */
    uint32_t version;
    const char *key; /* a u32 of this name and value */
    uint32_t value;
    const char *twin; /* the name of a second tensor */
    uint32_t rank;    /* of the first */
    uint64_t size[5];
    uint32_t type;
    uint64_t offset;
    t2g_status status;
} wrong;

static const wrong wrongs[] = {
    {"version 1, expected 2 or 3", 1, NULL, 0, NULL, 1, {4}, 0, 0,
     T2G_ERR_UNSUPPORTED},
    {"big-endian", 0x03000000, NULL, 0, NULL, 1, {4}, 0, 0,
     T2G_ERR_UNSUPPORTED},
    {"'general.alignment': 24", 3, "general.alignment", 24, NULL, 1, {4}, 0, 0,
     T2G_ERR_FORMAT},
    {"'general.alignment': 0", 3, "general.alignment", 0, NULL, 1, {4}, 0, 0,
     T2G_ERR_FORMAT},
    {"one of 2 parts", 3, "split.count", 2, NULL, 1, {4}, 0, 0,
     T2G_ERR_UNSUPPORTED},
    {"the key 'first' occurs twice", 3, "first", 0, NULL, 1, {4}, 0, 0,
     T2G_ERR_FORMAT},
    {"the tensor 't' occurs twice", 3, NULL, 0, "t", 1, {4}, 0, 0,
     T2G_ERR_FORMAT},
    {"they overlap", 3, NULL, 0, "u", 1, {16}, 0, 0, T2G_ERR_FORMAT},
    {"0 dimensions", 3, NULL, 0, NULL, 0, {0}, 0, 0, T2G_ERR_FORMAT},
    {"5 dimensions", 3, NULL, 0, NULL, 5, {1, 1, 1, 1, 1}, 0, 0,
     T2G_ERR_FORMAT},
    {"a dimension of 0", 3, NULL, 0, NULL, 2, {4, 0}, 0, 0, T2G_ERR_FORMAT},
    {"overflows", 3, NULL, 0, NULL, 3, {1ull << 32, 1ull << 32, 2}, 0, 0,
     T2G_ERR_FORMAT},
    {"bytes overflows", 3, NULL, 0, NULL, 1, {1ull << 63}, 0, 0,
     T2G_ERR_FORMAT},
    {"rows of 33 values are no whole blocks of Q4_0", 3, NULL, 0, NULL, 2,
     {33, 32}, T2G_GGML_Q4_0, 0, T2G_ERR_FORMAT},
    {"type Q2_K is not supported", 3, NULL, 0, NULL, 1, {256}, 10, 0,
     T2G_ERR_UNSUPPORTED},
    {"type 4 is withdrawn", 3, NULL, 0, NULL, 1, {4}, 4, 0, T2G_ERR_FORMAT},
    {"type 200 is unknown", 3, NULL, 0, NULL, 1, {4}, 200, 0, T2G_ERR_FORMAT},
    {"not on the alignment", 3, NULL, 0, NULL, 1, {4}, 0, 8, T2G_ERR_FORMAT},
    {"truncated: tensor 't'", 3, NULL, 0, NULL, 1, {4}, 0, 1 << 20,
     T2G_ERR_FORMAT},
    {"truncated: tensor 't'", 3, NULL, 0, NULL, 1, {4}, 0,
     0xffffffffffffffe0, T2G_ERR_FORMAT},
};

static void refuses_each(void **state)
{
    static const uint64_t twin_size[] = {4};
    (void)state;
    for (size_t i = 0; i < sizeof wrongs / sizeof *wrongs; i++) {
        const wrong *w = &wrongs[i];
        gguf_builder b = {0};
        t2g_buffer file = {0};
        t2g_gguf g;
        add_u32(&b, "first", 1);
        if (w->key)
            add_u32(&b, w->key, w->value);
        add_tensor(&b, "t", w->rank, w->size, w->type, w->offset);
        if (w->twin)
            add_tensor(&b, w->twin, 1, twin_size, 0, 32);
        join_file(&b, w->version, 32, &file);
        append_data(&file);
        t2g_status s = t2g_gguf_open(&g, store(file.data, file.size));
        if (s != w->status)
            fail_msg("%s: %s", w->part, t2g_status_name(s));
        expect_message(w->part);
        free_builder(&b);
        t2g_buffer_free(&file);
    }
}

/* A file of one key, whose bytes behind its name are given. */
static void expect_bad_key(const char *name, const void *bytes, size_t n,
                           const char *part)
{
    gguf_builder b = {.key_count = 1};
    t2g_buffer file = {0};
    t2g_gguf g;
    put_text(&b.keys, name);
    put_bytes(&b.keys, bytes, n);
    join_file(&b, 3, 1, &file);
    assert_true(t2g_gguf_open(&g, store(file.data, file.size)) != T2G_OK);
    expect_message(part);
    free_builder(&b);
    t2g_buffer_free(&file);
}

static void refuses_bad_keys(void **state)
{
    static const unsigned char unknown[] = {13, 0, 0, 0, 0};
    static const unsigned char huge[] = {9, 0, 0, 0, 4, 0, 0, 0,
                                         0, 0, 0, 0, 0, 0, 0, 0x40};
    static const unsigned char strings[] = {9, 0, 0, 0, 8, 0, 0, 0,
                                            0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0};
    (void)state;
    expect_bad_key("x", unknown, sizeof unknown, "value type 13 is unknown");
    expect_bad_key("x", huge, sizeof huge, "truncated");
    expect_bad_key("x", strings, sizeof strings, "truncated");
    expect_bad_key("\xff", unknown, sizeof unknown, "not UTF-8");

    t2g_buffer deep = {0};
    put_u32(&deep, T2G_GGUF_ARRAY);
    for (int i = 0; i < 100000; i++) {
        put_u32(&deep, T2G_GGUF_ARRAY);
        put_u64(&deep, 1);
    }
    expect_bad_key("x", deep.data, deep.size, "nested more than");
    t2g_buffer_free(&deep);
}

static void refuses_what_is_no_file(void **state)
{
    t2g_gguf g;
    (void)state;
    assert_int_equal(t2g_gguf_open(&g, in_folder("absent")), T2G_ERR_IO);
    assert_int_equal(t2g_gguf_open(&g, in_folder("")), T2G_ERR_IO);
    assert_int_equal(t2g_gguf_open(&g, store("", 0)), T2G_ERR_FORMAT);
    expect_message("truncated");
    assert_int_equal(t2g_gguf_open(&g, store("GGML....", 8)), T2G_ERR_FORMAT);
    expect_message("magic");
}

/* --- damage --------------------------------------------------------------- */

static void refuses_every_truncation(void **state)
{
    t2g_buffer file = good_file();
    t2g_gguf g;
    (void)state;
    for (size_t n = 0; n < file.size; n++) {
        assert_int_equal(t2g_gguf_open(&g, store(file.data, n)),
                         T2G_ERR_FORMAT);
        expect_message("truncated");
    }
    t2g_buffer_free(&file);
}

/* Reads all that a file offers, so that a sanitizer sees every access. */
static unsigned touch(const t2g_gguf *g)
{
    unsigned sum = 0;
    for (size_t i = 0; i < g->tensor_count; i++)
        for (size_t k = 0; k < g->tensor[i].size; k++)
            sum += g->tensor[i].data[k];
    for (size_t i = 0; i < g->key_count; i++) {
        const char *name = g->key[i].name;
        t2g_gguf_text text = {0}, *texts;
        int32_t *numbers;
        float *reals, real = 0;
        size_t count;
        sum += t2g_gguf_string(g, name, true, &text) == T2G_OK;
        sum += t2g_gguf_f32(g, name, true, &real) == T2G_OK;
        if (t2g_gguf_strings(g, name, true, &texts, &count) == T2G_OK)
            t2g_free(texts);
        if (t2g_gguf_i32s(g, name, true, &numbers, &count) == T2G_OK)
            t2g_free(numbers);
        if (t2g_gguf_f32s(g, name, true, &reals, &count) == T2G_OK)
            t2g_free(reals);
    }
    return sum;
}

/* An allocator that no small file may ask for much. */
static void *sparing_alloc(void *context, size_t size, size_t align)
{
    void *p = NULL;
    size_t *largest = context;
    if (size > *largest)
        *largest = size;
    return posix_memalign(&p, align, size) == 0 ? p : NULL;
}

static void sparing_release(void *context, void *p)
{
    (void)context;
    free(p);
}

static void survives_damage(void **state)
{
    t2g_buffer file = good_file(), copy = {0};
    size_t largest = 0, opened = 0;
    const t2g_allocator sparing = {sparing_alloc, sparing_release, &largest};
    uint64_t seed = 42;
    (void)state;
    for (int i = 0; i < 20000; i++) {
        t2g_gguf g;
        copy.size = 0;
        put_bytes(&copy, file.data, file.size);
        damage(&copy, &seed);
        const char *path = store(copy.data, copy.size);
        t2g_set_allocator(&sparing);
        if (t2g_gguf_open(&g, path) == T2G_OK) {
            opened++;
            (void)touch(&g);
            t2g_gguf_close(&g);
        }
        t2g_set_allocator(NULL);
    }
    assert_true(opened > 1000);
    assert_true(largest < 8 * file.size);
    t2g_buffer_free(&file);
    t2g_buffer_free(&copy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_values),
        cmocka_unit_test(reads_arrays),
        cmocka_unit_test(reads_tensors),
        cmocka_unit_test(names_wrong_types),
        cmocka_unit_test(refuses_each),
        cmocka_unit_test(refuses_bad_keys),
        cmocka_unit_test(refuses_what_is_no_file),
        cmocka_unit_test(refuses_every_truncation),
        cmocka_unit_test(survives_damage),
    };
    return cmocka_run_group_tests_name("unit/gguf", tests, make_folder,
                                       remove_folder);
}
