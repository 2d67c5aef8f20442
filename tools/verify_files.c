/* `t2g verify`: whole safetensors files, good and bad, against the verdict and
 * the contents that the library of the format gave. */
#include "verify.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- one opened file against the expected contents ---------------------- */

static const char *stored_name(const char *dtype)
{
    static const char *const names[][2] = {
        {"float32", "F32"}, {"float16", "F16"}, {"bfloat16", "BF16"},
        {"float64", "F64"}, {"int64", "I64"},   {"int32", "I32"},
        {"uint8", "U8"},
    };
    for (size_t i = 0; dtype && i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i][0], dtype) == 0)
            return names[i][1];
    return "none";
}

/* Numbers as they are; what JSON cannot write comes as text. */
static double wanted_value(const json_t *value)
{
    if (json_is_string(value))
        return strtod(json_string_value(value), NULL);
    return json_number_value(value);
}

/* A little-endian two's complement integer of `bytes` bytes. */
static int64_t stored_integer(const unsigned char *p, size_t bytes,
                              bool is_signed)
{
    uint64_t word = is_signed && p[bytes - 1] & 0x80 ? UINT64_MAX : 0;
    for (size_t i = bytes; i-- > 0;)
        word = word << 8 | p[i];
    return (int64_t)word;
}

static bool is_integer(t2g_dtype dtype)
{
    return dtype == T2G_I64 || dtype == T2G_I32 || dtype == T2G_U8;
}

static bool same(float got, float want)
{
    return got == want ? signbit(got) == signbit(want)
                       : isnan(got) && isnan(want);
}

static void compare_integers(verifier *v, const t2g_tensor_view *t,
                             const json_t *data)
{
    size_t bytes = t->count ? t->size / t->count : 0;
    for (size_t i = 0; i < t->count; i++) {
        int64_t got = stored_integer(t->bytes + i * bytes, bytes,
                                     t->dtype != T2G_U8);
        int64_t want = json_integer_value(json_array_get(data, i));
        if (got != want) {
            verify_fail(v, t->name, "element %zu: wanted %lld, got %lld", i,
                        (long long)want, (long long)got);
            return;
        }
    }
}

static void compare_floats(verifier *v, const t2g_tensor_view *t,
                           const json_t *data)
{
    float *got = t2g_calloc(t->count, sizeof *got);
    if (!got || t2g_tensor_to_f32(t, got) != T2G_OK) {
        verify_fail(v, t->name, "%s", t2g_error_message());
        t2g_free(got);
        return;
    }
    for (size_t i = 0; i < t->count; i++) {
        float want = (float)wanted_value(json_array_get(data, i));
        if (!same(got[i], want)) {
            verify_fail(v, t->name, "element %zu: wanted %.9g, got %.9g", i,
                        (double)want, (double)got[i]);
            break;
        }
    }
    t2g_free(got);
}

static bool same_shape(const t2g_tensor_view *t, const json_t *shape)
{
    if (t->rank != json_array_size(shape))
        return false;
    for (size_t i = 0; i < t->rank; i++)
        if (json_integer_value(json_array_get(shape, i)) !=
            (json_int_t)t->shape[i])
            return false;
    return true;
}

static void compare_tensor(verifier *v, const t2g_safetensors *st,
                           const char *name, const json_t *want)
{
    const t2g_tensor_view *t = t2g_safetensors_find(st, name);
    const char *dtype = json_string_value(json_object_get(want, "dtype"));
    const json_t *data = json_object_get(want, "data");
    if (!t)
        verify_fail(v, name, "the tensor was not found");
    else if (strcmp(t->dtype_name, stored_name(dtype)) != 0)
        verify_fail(v, name, "wanted %s, got %s", dtype ? dtype : "nothing",
                    t->dtype_name);
    else if (!same_shape(t, json_object_get(want, "shape")))
        verify_fail(v, name, "another shape than wanted");
    else if (json_array_size(data) != t->count)
        verify_fail(v, name, "wanted %zu elements, got %zu",
                    json_array_size(data), t->count);
    else if (is_integer(t->dtype))
        compare_integers(v, t, data);
    else
        compare_floats(v, t, data);
}

/* Where a case does not say what it wants, anything will do. */
static bool same_metadata(const json_t *got, const json_t *want)
{
    if (!want)
        return true;
    return json_is_null(want) ? !got : json_equal(want, got);
}

static void compare_contents(verifier *v, const t2g_safetensors *st,
                             const json_t *want)
{
    const json_t *tensors = json_object_get(want, "tensors");
    const char *name;
    json_t *tensor;

    if (tensors && json_object_size(tensors) != st->count)
        verify_fail(v, "tensors", "wanted %zu, got %zu",
                    json_object_size(tensors), st->count);
    json_object_foreach((json_t *)tensors, name, tensor)
        compare_tensor(v, st, name, tensor);
    if (!same_metadata(st->metadata, json_object_get(want, "metadata")))
        verify_fail(v, "metadata", "other metadata than wanted");
}

/* verdict: "accept", "reject" or "either". */
static void compare_file(verifier *v, const char *path, const char *verdict,
                         const json_t *want)
{
    t2g_safetensors st;
    t2g_status s = t2g_safetensors_open(&st, path);
    if (s != T2G_OK) {
        if (strcmp(verdict, "accept") == 0 || s == T2G_ERR_IO ||
            s == T2G_ERR_MEMORY)
            verify_fail(v, "verdict", "wanted %s, got: %s", verdict,
                        t2g_error_message());
        return;
    }
    if (strcmp(verdict, "reject") == 0) {
        const char *category = json_string_value(
            json_object_get(want, "category"));
        verify_fail(v, "verdict", "wanted reject (%s), got accept",
                    category ? category : "by the library");
    } else {
        compare_contents(v, &st, want);
    }
    t2g_safetensors_close(&st);
}

/* --- cases that name a file --------------------------------------------- */

static t2g_status neighbour(t2g_buffer *out, const char *path,
                            const char *file)
{
    const char *slash = strrchr(path, '/');
    if (slash)
        T2G_TRY(t2g_buffer_append(out, path, (size_t)(slash - path) + 1));
    return t2g_buffer_puts(out, file);
}

static void verify_named(verifier *v, const char *path, const json_t *one)
{
    const char *file = json_string_value(json_object_get(one, "file"));
    const char *expect = json_string_value(json_object_get(one, "expect"));
    t2g_buffer where = {0};

    if (!verify_begin(v, path, file ? file : "?"))
        return;
    if (!file || !expect)
        verify_fail(v, "case", "it lacks \"file\" or \"expect\"");
    else if (neighbour(&where, path, file) != T2G_OK)
        verify_fail(v, "case", "%s", t2g_error_message());
    else
        compare_file(v, where.data, expect, one);
    verify_end(v);
    t2g_buffer_free(&where);
}

/* --- cases that hold the file in hexadecimal ---------------------------- */

static int hex_digit(char c)
{
    static const char digits[] = "0123456789abcdef";
    const char *at = c ? strchr(digits, c) : NULL;
    return at ? (int)(at - digits) : -1;
}

static t2g_status unhex(t2g_buffer *out, const char *hex)
{
    for (size_t i = 0; hex[i]; i += 2) {
        int high = hex_digit(hex[i]), low = hex_digit(hex[i + 1]);
        if (high < 0 || low < 0)
            return t2g_fail(T2G_ERR_FORMAT, "\"hex\" is not pairs of "
                            "hexadecimal digits");
        char byte = (char)(high << 4 | low);
        T2G_TRY(t2g_buffer_append(out, &byte, 1));
    }
    return T2G_OK;
}

static t2g_status write_hex(const char *path, const char *hex)
{
    t2g_buffer bytes = {0};
    t2g_status s = unhex(&bytes, hex);
    if (s == T2G_OK)
        s = t2g_file_write(path, bytes.data, bytes.size);
    t2g_buffer_free(&bytes);
    return s;
}

static void verify_mutated(verifier *v, const char *path, const char *scratch,
                           const json_t *one)
{
    const char *hex = json_string_value(json_object_get(one, "hex"));
    const char *verdict = json_string_value(json_object_get(one, "library"));
    char id[32];

    snprintf(id, sizeof id, "%lld", (long long)json_integer_value(
                                        json_object_get(one, "id")));
    if (!verify_begin(v, path, id))
        return;
    if (!hex || !verdict)
        verify_fail(v, "case", "it lacks \"hex\" or \"library\"");
    else if (write_hex(scratch, hex) != T2G_OK)
        verify_fail(v, "case", "%s", t2g_error_message());
    else
        compare_file(v, scratch, verdict, one);
    verify_end(v);
}

static void verify_all_mutated(verifier *v, const char *path,
                               const json_t *cases)
{
    const char *directory = getenv("TMPDIR");
    char scratch[4096];
    snprintf(scratch, sizeof scratch, "%s/t2g-verify-XXXXXX",
             directory && *directory ? directory : "/tmp");
    int fd = mkstemp(scratch);
    if (fd < 0) {
        verify_skip(v, path, NULL, "no temporary file can be made (TMPDIR)");
        return;
    }
    close(fd);
    for (size_t i = 0; i < json_array_size(cases); i++)
        verify_mutated(v, path, scratch, json_array_get(cases, i));
    unlink(scratch);
}

void verify_safetensors(verifier *v, const char *path, const json_t *root)
{
    const char *kind = json_string_value(json_object_get(root, "kind"));
    const json_t *cases = json_object_get(root, "cases");

    if (kind && strcmp(kind, "safetensors") == 0) {
        for (size_t i = 0; i < json_array_size(cases); i++)
            verify_named(v, path, json_array_get(cases, i));
    } else if (kind && strcmp(kind, "safetensors_mutated") == 0) {
        verify_all_mutated(v, path, cases);
    } else {
        verify_skip(v, path, NULL, "not a kind of safetensors cases");
    }
}
