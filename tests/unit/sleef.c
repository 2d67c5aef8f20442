/* The installed SLEEF has the bits that digests of training runs rely on:
 * vectors/kernels/sleef.json, whose format vectors/gen/sleef.py describes. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>
#include <xxhash.h>

#include "t2g/kernels.h"

enum { WALK = 1000000 };

typedef struct function {
    const char *name;
    float (*f32)(float);
    double (*f64)(double);
    double (*power)(double, double);
} function;

static const function functions[] = {
    {.name = "t2g_expf", .f32 = t2g_expf},
    {.name = "t2g_logf", .f32 = t2g_logf},
    {.name = "t2g_tanhf", .f32 = t2g_tanhf},
    {.name = "t2g_sinf", .f32 = t2g_sinf},
    {.name = "t2g_cosf", .f32 = t2g_cosf},
    {.name = "t2g_exp", .f64 = t2g_exp},
    {.name = "t2g_log", .f64 = t2g_log},
    {.name = "t2g_pow", .power = t2g_pow},
    {.name = "t2g_sin", .f64 = t2g_sin},
    {.name = "t2g_cos", .f64 = t2g_cos},
};
enum { FUNCTIONS = sizeof functions / sizeof *functions };

static float f32_of(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static double f64_of(uint64_t bits)
{
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* One NaN stands for all. */
static uint32_t bits_f32(float x)
{
    uint32_t bits = 0x7fc00000;
    if (!isnan(x))
        memcpy(&bits, &x, sizeof bits);
    return bits;
}

static uint64_t bits_f64(double x)
{
    uint64_t bits = 0x7ff8000000000000;
    if (!isnan(x))
        memcpy(&bits, &x, sizeof bits);
    return bits;
}

/* The function's bits at the argument with bits x, and exponent for pow. */
static uint64_t value(const function *f, uint64_t x, uint64_t exponent)
{
    if (f->f32)
        return bits_f32(f->f32(f32_of((uint32_t)x)));
    if (f->f64)
        return bits_f64(f->f64(f64_of(x)));
    return bits_f64(f->power(f64_of(x), f64_of(exponent)));
}

static uint64_t hex_at(const json_t *list, size_t i)
{
    const char *text = json_string_value(json_array_get(list, i));
    assert_non_null(text);
    return strtoull(text, NULL, 16);
}

static void compare_values(const function *f, const json_t *vector)
{
    const json_t *x = json_object_get(vector, "x");
    const json_t *exponent = json_object_get(vector, "exponent");
    const json_t *y = json_object_get(vector, "y");
    assert_true(json_array_size(x) > 100);
    assert_int_equal(json_array_size(x), json_array_size(y));
    for (size_t i = 0; i < json_array_size(x); i++) {
        uint64_t argument = hex_at(x, i);
        uint64_t got = value(f, argument, exponent ? hex_at(exponent, i) : 0);
        if (got != hex_at(y, i))
            fail_msg("%s at %llx is %llx instead of %llx", f->name,
                     (unsigned long long)argument, (unsigned long long)got,
                     (unsigned long long)hex_at(y, i));
    }
}

static uint32_t walk_f32(const function *f, uint32_t i)
{
    uint32_t w = i * 0x9E3779B1u;
    float x = i % 2 == 0 ? f32_of(w) : (float)((int32_t)w * 0x1p-24);
    return bits_f32(f->f32(x));
}

static uint64_t walk_f64(const function *f, uint64_t i)
{
    uint64_t w = i * 0x9E3779B97F4A7C15u;
    double x = i % 2 == 0 ? f64_of(w) : (double)(int64_t)w * 0x1p-56;
    if (f->f64)
        return bits_f64(f->f64(x));
    double exponent = ((int32_t)(w & 0xFFFF) - 0x8000) * 0x1p-12;
    return bits_f64(f->power(fabs(x), exponent));
}

static void compare_digest(const function *f, const char *want)
{
    XXH3_state_t *hash = XXH3_createState();
    assert_non_null(hash);
    XXH3_128bits_reset(hash);
    for (uint32_t i = 0; i < WALK; i++) {
        uint64_t y = f->f32 ? walk_f32(f, i) : walk_f64(f, i);
        unsigned char bytes[8]; /* little-endian */
        for (size_t b = 0; b < sizeof bytes; b++)
            bytes[b] = (unsigned char)(y >> 8 * b);
        XXH3_128bits_update(hash, bytes, f->f32 ? 4 : 8);
    }
    XXH128_hash_t h = XXH3_128bits_digest(hash);
    XXH3_freeState(hash);
    char got[33];
    snprintf(got, sizeof got, "%016llx%016llx", (unsigned long long)h.high64,
             (unsigned long long)h.low64);
    assert_string_equal(got, want);
}

static json_t *load(void)
{
    const char *folder = getenv("T2G_VECTORS");
    char path[4096];
    snprintf(path, sizeof path, "%s/kernels/sleef.json",
             folder && *folder ? folder : "vectors");
    json_error_t error;
    json_t *root = json_load_file(path, 0, &error);
    if (!root)
        fail_msg("%s: %s", path, error.text);
    return root;
}

static void sleef_has_the_committed_bits(void **state)
{
    (void)state;
    json_t *root = load();
    const json_t *vectors = json_object_get(root, "functions");
    assert_int_equal(json_array_size(vectors), FUNCTIONS);
    for (size_t i = 0; i < FUNCTIONS; i++) {
        const json_t *vector = json_array_get(vectors, i);
        const char *name =
            json_string_value(json_object_get(vector, "function"));
        assert_string_equal(name, functions[i].name);
        compare_values(&functions[i], vector);
        compare_digest(&functions[i],
                       json_string_value(json_object_get(vector, "digest")));
    }
    json_decref(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sleef_has_the_committed_bits),
    };
    return cmocka_run_group_tests_name("sleef", tests, NULL, NULL);
}
