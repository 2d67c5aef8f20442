/* The safetensors format: u64 length, JSON header, data. Every header is
 * untrusted; what is accepted tiles the data exactly, as the library of the
 * format demands. https://github.com/huggingface/safetensors */
#include "internal.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { PREFIX = 8, HEADER_MAX = 100000000, RANK_MAX = 8 };

/* --- types --------------------------------------------------------------- */

static const struct type {
    const char *name;
    t2g_dtype dtype;
    size_t size; /* bytes of an element */
} types[] = {
    {"F32", T2G_F32, 4},
    {"F16", T2G_F16, 2},
    {"BF16", T2G_BF16, 2},
    {"F64", T2G_F64, 8},
    {"I64", T2G_I64, 8},
    {"I32", T2G_I32, 4},
    {"U8", T2G_U8, 1},
    {"BOOL", T2G_OTHER_DTYPE, 1},
    {"I8", T2G_OTHER_DTYPE, 1},
    {"F8_E5M2", T2G_OTHER_DTYPE, 1},
    {"F8_E4M3", T2G_OTHER_DTYPE, 1},
    {"F8_E8M0", T2G_OTHER_DTYPE, 1},
    {"I16", T2G_OTHER_DTYPE, 2},
    {"U16", T2G_OTHER_DTYPE, 2},
    {"U32", T2G_OTHER_DTYPE, 4},
    {"U64", T2G_OTHER_DTYPE, 8},
    {"C64", T2G_OTHER_DTYPE, 8},
};

static const struct type *find_type(const char *name)
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(types[i].name, name) == 0)
            return &types[i];
    return NULL;
}

static bool multiply(size_t *product, size_t factor)
{
    if (factor != 0 && *product > SIZE_MAX / factor)
        return false;
    *product *= factor;
    return true;
}

/* Little-endian words, wherever they lie. */
static uint16_t load16(const unsigned char *p)
{
    return (uint16_t)(p[0] | p[1] << 8);
}

static uint32_t load32(const unsigned char *p)
{
    return load16(p) | (uint32_t)load16(p + 2) << 16;
}

static uint64_t load64(const unsigned char *p)
{
    return load32(p) | (uint64_t)load32(p + 4) << 32;
}

static void store(unsigned char *p, uint64_t word, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        p[i] = (unsigned char)(word >> 8 * i);
}

static float from_bits(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static uint32_t to_bits(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static float widen_bf16(uint16_t h)
{
    return from_bits((uint32_t)h << 16);
}

/* binary16: 1 sign, 5 exponent (bias 15), 10 fraction bits. */
static float widen_f16(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000) << 16;
    uint32_t exponent = h >> 10 & 0x1f, fraction = h & 0x3ff;
    if (exponent == 0x1f)
        return from_bits(sign | 0x7f800000 | fraction << 13);
    if (exponent == 0) {
        float tiny = (float)fraction * 0x1p-24f; /* exact */
        return sign ? -tiny : tiny;
    }
    return from_bits(sign | (exponent + 127 - 15) << 23 | fraction << 13);
}

/* Drops `bits` low bits, to nearest, ties to even. */
static uint32_t round_off(uint32_t x, unsigned bits)
{
    uint32_t half = UINT32_C(1) << (bits - 1);
    return (x + half - 1 + (x >> bits & 1)) >> bits;
}

static uint16_t narrow_bf16(float x)
{
    if (isnan(x))
        return 0x7fc0;
    return (uint16_t)round_off(to_bits(x), 16); /* may carry into infinity */
}

static uint16_t narrow_f16(float x)
{
    uint32_t bits = to_bits(x), magnitude = bits & 0x7fffffff;
    uint16_t sign = (uint16_t)(bits >> 16 & 0x8000);
    if (isnan(x))
        return 0x7e00;
    if (magnitude >= 0x47800000) /* 2^16, beyond the largest exponent */
        return sign | 0x7c00;
    if (magnitude >= 0x38800000) /* 2^-14, the smallest normal number */
        return (uint16_t)(sign | round_off(magnitude - (112u << 23), 13));
    uint32_t exponent = magnitude >> 23;
    if (exponent < 127 - 25) /* below half of 2^-24 */
        return sign;
    uint32_t fraction = (magnitude & 0x7fffff) | 0x800000;
    return (uint16_t)(sign | round_off(fraction, 126 - exponent));
}

/* --- reading ------------------------------------------------------------ */

static t2g_status bad(const t2g_safetensors *st, const t2g_tensor_view *t,
                      const char *what, const json_t *found,
                      const char *expected)
{
    if (json_is_integer(found))
        return t2g_fail(T2G_ERR_FORMAT, "%s: tensor '%.200s': %s is %"
                        JSON_INTEGER_FORMAT ", expected %s", st->path, t->name,
                        what, json_integer_value(found), expected);
    return t2g_fail(T2G_ERR_FORMAT, "%s: tensor '%.200s': %s is %s, expected "
                    "%s", st->path, t->name, what, t2g_json_type(found),
                    expected);
}

static t2g_status read_dtype(const t2g_safetensors *st, t2g_tensor_view *t,
                             const json_t *entry, size_t *element)
{
    const json_t *value = json_object_get(entry, "dtype");
    if (!json_is_string(value))
        return bad(st, t, "dtype", value, "a string");
    const struct type *type = find_type(json_string_value(value));
    if (!type)
        return t2g_fail(T2G_ERR_FORMAT, "%s: tensor '%.200s': dtype '%.20s' is "
                        "unknown, expected F32, F16, BF16 or the like",
                        st->path, t->name, json_string_value(value));
    t->dtype = type->dtype;
    snprintf(t->dtype_name, sizeof t->dtype_name, "%s", type->name);
    *element = type->size;
    return T2G_OK;
}

/* Not negative and no more than a size_t holds. */
static bool read_size(const json_t *value, size_t *out)
{
    json_int_t n = json_integer_value(value);
    if (!json_is_integer(value) || n < 0 || (uintmax_t)n > SIZE_MAX)
        return false;
    *out = (size_t)n;
    return true;
}

static t2g_status read_shape(const t2g_safetensors *st, t2g_tensor_view *t,
                             const json_t *entry, size_t element)
{
    const json_t *shape = json_object_get(entry, "shape");
    if (!json_is_array(shape))
        return bad(st, t, "shape", shape, "an array");
    t->rank = json_array_size(shape);
    if (t->rank > RANK_MAX)
        return t2g_fail(T2G_ERR_UNSUPPORTED, "%s: tensor '%.200s' has %zu "
                        "dimensions, expected at most %d", st->path, t->name,
                        t->rank, RANK_MAX);
    t->count = 1;
    for (size_t i = 0; i < t->rank; i++) {
        const json_t *value = json_array_get(shape, i);
        if (!read_size(value, &t->shape[i]))
            return bad(st, t, "a dimension", value, "an integer of at least 0");
        if (!multiply(&t->count, t->shape[i]))
            return t2g_fail(T2G_ERR_FORMAT, "%s: tensor '%.200s': the product "
                            "of its shape overflows", st->path, t->name);
    }
    t->size = t->count;
    if (!multiply(&t->size, element))
        return t2g_fail(T2G_ERR_FORMAT, "%s: tensor '%.200s': %zu elements of "
                        "%zu bytes overflow", st->path, t->name, t->count,
                        element);
    return T2G_OK;
}

static t2g_status read_range(const t2g_safetensors *st, t2g_tensor_view *t,
                             const json_t *entry, const unsigned char *data,
                             size_t data_size)
{
    const json_t *range = json_object_get(entry, "data_offsets");
    size_t begin = 0, end = 0;
    if (!json_is_array(range))
        return bad(st, t, "data_offsets", range, "an array");
    if (json_array_size(range) != 2)
        return t2g_fail(T2G_ERR_FORMAT, "%s: tensor '%.200s' has %zu "
                        "data_offsets, expected 2", st->path, t->name,
                        json_array_size(range));
    for (size_t i = 0; i < 2; i++)
        if (!read_size(json_array_get(range, i), i == 0 ? &begin : &end))
            return bad(st, t, "an offset", json_array_get(range, i),
                       "an integer of at least 0");
    if (begin > end || end > data_size)
        return t2g_fail(T2G_ERR_FORMAT, "%s: tensor '%.200s': data_offsets %zu "
                        "to %zu do not lie in the %zu bytes of data", st->path,
                        t->name, begin, end, data_size);
    if (end - begin != t->size)
        return t2g_fail(T2G_ERR_FORMAT, "%s: tensor '%.200s': data_offsets "
                        "hold %zu bytes, its shape and %s %zu", st->path,
                        t->name, end - begin, t->dtype_name, t->size);
    t->bytes = data + begin;
    return T2G_OK;
}

static t2g_status read_tensor(const t2g_safetensors *st, t2g_tensor_view *t,
                              const char *name, const json_t *entry,
                              const unsigned char *data, size_t data_size)
{
    size_t element = 0;
    t->name = t2g_strdup(name);
    if (!t->name)
        return T2G_ERR_MEMORY;
    if (!json_is_object(entry))
        return bad(st, t, "its entry", entry, "an object");
    T2G_TRY(read_dtype(st, t, entry, &element));
    T2G_TRY(read_shape(st, t, entry, element));
    return read_range(st, t, entry, data, data_size);
}

static t2g_status read_metadata(t2g_safetensors *st, json_t *metadata)
{
    const char *key;
    json_t *value;
    if (!metadata || json_is_null(metadata))
        return T2G_OK;
    if (!json_is_object(metadata))
        return t2g_fail(T2G_ERR_FORMAT, "%s: __metadata__ is %s, expected an "
                        "object", st->path, t2g_json_type(metadata));
    json_object_foreach(metadata, key, value)
        if (!json_is_string(value))
            return t2g_fail(T2G_ERR_FORMAT, "%s: __metadata__ holds %s as "
                            "'%.200s', expected strings", st->path,
                            t2g_json_type(value), key);
    st->metadata = json_incref(metadata);
    return T2G_OK;
}

/* By position; an empty tensor goes before the one that begins there too. */
static int by_place(const void *a, const void *b)
{
    const t2g_tensor_view *x = a, *y = b;
    if (x->bytes != y->bytes)
        return x->bytes < y->bytes ? -1 : 1;
    return (x->size > y->size) - (x->size < y->size);
}

static int by_name(const void *a, const void *b)
{
    const t2g_tensor_view *x = a, *y = b;
    return strcmp(x->name, y->name);
}

/* Each tensor begins where the one before ends, the last at the end. */
static t2g_status check_tiling(t2g_safetensors *st, const unsigned char *data,
                               size_t data_size)
{
    size_t end = 0;
    qsort(st->tensor, st->count, sizeof *st->tensor, by_place);
    for (size_t i = 0; i < st->count; i++) {
        const t2g_tensor_view *t = &st->tensor[i];
        size_t begin = (size_t)(t->bytes - data);
        if (begin != end)
            return t2g_fail(T2G_ERR_FORMAT, "%s: tensor '%.200s' begins at "
                            "byte %zu of the data, expected %zu (%s)",
                            st->path, t->name, begin, end,
                            begin > end ? "a hole" : "an overlap");
        end = begin + t->size;
    }
    if (end != data_size)
        return t2g_fail(T2G_ERR_FORMAT, "%s: %zu bytes follow the last tensor, "
                        "expected none", st->path, data_size - end);
    return T2G_OK;
}

static t2g_status read_entries(t2g_safetensors *st, const json_t *header,
                               const unsigned char *data, size_t data_size)
{
    const char *name;
    json_t *entry;
    st->tensor = t2g_calloc(json_object_size(header), sizeof *st->tensor);
    if (!st->tensor)
        return T2G_ERR_MEMORY;
    json_object_foreach((json_t *)header, name, entry) {
        if (strcmp(name, "__metadata__") == 0)
            T2G_TRY(read_metadata(st, entry));
        else
            T2G_TRY(read_tensor(st, &st->tensor[st->count++], name, entry,
                                data, data_size));
    }
    T2G_TRY(check_tiling(st, data, data_size));
    qsort(st->tensor, st->count, sizeof *st->tensor, by_name);
    return T2G_OK;
}

/* The parser wants text that ends with a NUL, which the mapping has not. */
static t2g_status parse_header(const t2g_safetensors *st, json_t **header,
                               const unsigned char *text, size_t n)
{
    char *copy = t2g_strndup((const char *)text, n);
    if (!copy)
        return T2G_ERR_MEMORY;
    t2g_status s = t2g_json_parse(header, copy, n, st->path, 1);
    t2g_free(copy);
    if (s != T2G_OK)
        return t2g_fail(s, "%s (in the header of %zu bytes)",
                        t2g_error_message(), n);
    if (json_is_object(*header))
        return T2G_OK;
    s = t2g_fail(T2G_ERR_FORMAT, "%s: the header is %s, expected an object",
                 st->path, t2g_json_type(*header));
    json_decref(*header);
    return s;
}

static t2g_status read_file(t2g_safetensors *st, const unsigned char *file,
                            size_t size)
{
    json_t *header;
    if (size < PREFIX)
        return t2g_fail(T2G_ERR_FORMAT, "%s: %zu bytes, expected at least the "
                        "%d of a safetensors file", st->path, size, PREFIX);
    uint64_t n = load64(file);
    if (n > HEADER_MAX)
        return t2g_fail(T2G_ERR_FORMAT, "%s: a header of %ju bytes, expected "
                        "at most %d (is this a safetensors file?)", st->path,
                        (uintmax_t)n, HEADER_MAX);
    if (n > size - PREFIX)
        return t2g_fail(T2G_ERR_FORMAT, "%s: a header of %ju bytes in a file "
                        "of %zu, which is cut short", st->path, (uintmax_t)n,
                        size);
    const unsigned char *data = file + PREFIX + n;
    T2G_TRY(parse_header(st, &header, file + PREFIX, (size_t)n));
    t2g_status s = read_entries(st, header, data, size - PREFIX - (size_t)n);
    json_decref(header);
    return s;
}

t2g_status t2g_safetensors_open(t2g_safetensors *st, const char *path)
{
    *st = (t2g_safetensors){0};
    st->path = t2g_strdup(path);
    if (!st->path)
        return T2G_ERR_MEMORY;
    t2g_status s = t2g_file_view_open(&st->view, path);
    if (s == T2G_OK)
        s = read_file(st, st->view.bytes, st->view.size);
    if (s != T2G_OK)
        t2g_safetensors_close(st);
    return s;
}

void t2g_safetensors_close(t2g_safetensors *st)
{
    for (size_t i = 0; i < st->count; i++)
        t2g_free(st->tensor[i].name);
    t2g_free(st->tensor);
    json_decref(st->metadata);
    t2g_file_view_close(&st->view);
    t2g_free(st->path);
    *st = (t2g_safetensors){0};
}

const t2g_tensor_view *t2g_safetensors_find(const t2g_safetensors *st,
                                            const char *name)
{
    t2g_tensor_view key = {.name = (char *)name};
    if (st->count == 0)
        return NULL;
    return bsearch(&key, st->tensor, st->count, sizeof key, by_name);
}

t2g_status t2g_tensor_to_f32(const t2g_tensor_view *view, float *out)
{
    const unsigned char *p = view->bytes;
    switch (view->dtype) {
    case T2G_F32:
        for (size_t i = 0; i < view->count; i++)
            out[i] = from_bits(load32(p + 4 * i));
        return T2G_OK;
    case T2G_F16:
        for (size_t i = 0; i < view->count; i++)
            out[i] = widen_f16(load16(p + 2 * i));
        return T2G_OK;
    case T2G_BF16:
        for (size_t i = 0; i < view->count; i++)
            out[i] = widen_bf16(load16(p + 2 * i));
        return T2G_OK;
    case T2G_F64:
        for (size_t i = 0; i < view->count; i++) {
            uint64_t bits = load64(p + 8 * i);
            double x;
            memcpy(&x, &bits, sizeof x);
            out[i] = (float)x;
        }
        return T2G_OK;
    default:
        return t2g_fail(T2G_ERR_UNSUPPORTED, "tensor '%.200s' is %s, expected "
                        "F32, F16, BF16 or F64", view->name, view->dtype_name);
    }
}

/* --- writing ------------------------------------------------------------ */

/* A tensor with its place in the file. */
typedef struct placed {
    const t2g_tensor_out *tensor;
    const struct type *type;
    size_t count, begin, end;
} placed;

static const struct type *type_of(t2g_dtype dtype)
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (types[i].dtype == dtype)
            return &types[i];
    return NULL;
}

static bool writable(t2g_dtype dtype)
{
    return dtype == T2G_F32 || dtype == T2G_F16 || dtype == T2G_BF16 ||
           dtype == T2G_I64;
}

static t2g_status measure(placed *p, const t2g_tensor_out *t)
{
    size_t length = strlen(t->name);
    if (t2g_utf8_invalid(t->name, length) != length ||
        strcmp(t->name, "__metadata__") == 0)
        return t2g_fail(T2G_ERR_ARG, "'%.200s' cannot name a tensor", t->name);
    if (!writable(t->dtype) || t->rank > RANK_MAX)
        return t2g_fail(T2G_ERR_ARG, "tensor '%.200s': only F32, F16, BF16 and "
                        "I64 of up to %d dimensions can be saved", t->name,
                        RANK_MAX);
    *p = (placed){t, type_of(t->dtype), 1, 0, 0};
    for (size_t i = 0; i < t->rank; i++)
        if (!multiply(&p->count, t->shape[i]))
            return t2g_fail(T2G_ERR_ARG, "tensor '%.200s': the product of its "
                            "shape overflows", t->name);
    size_t size = p->count;
    if (!multiply(&size, p->type->size))
        return t2g_fail(T2G_ERR_ARG, "tensor '%.200s': its size overflows",
                        t->name);
    p->end = size; /* begin and end move up in place_all */
    return T2G_OK;
}

/* Large elements first keeps each tensor aligned to its elements. */
static int by_size_and_name(const void *a, const void *b)
{
    const placed *x = a, *y = b;
    if (x->type->size != y->type->size)
        return x->type->size > y->type->size ? -1 : 1;
    return strcmp(x->tensor->name, y->tensor->name);
}

static t2g_status place_all(placed *p, const t2g_tensor_out *tensor,
                            size_t count)
{
    size_t at = 0;
    for (size_t i = 0; i < count; i++)
        T2G_TRY(measure(&p[i], &tensor[i]));
    qsort(p, count, sizeof *p, by_size_and_name);
    for (size_t i = 0; i < count; i++) {
        if (p[i].end > SIZE_MAX - at)
            return t2g_fail(T2G_ERR_ARG, "the sizes of %zu tensors overflow",
                            count);
        p[i].begin = at;
        p[i].end += at;
        at = p[i].end;
    }
    return T2G_OK;
}

static json_t *shape_json(const t2g_tensor_out *t)
{
    json_t *shape = json_array();
    for (size_t i = 0; shape && i < t->rank; i++)
        if (json_array_append_new(shape,
                                  json_integer((json_int_t)t->shape[i]))) {
            json_decref(shape);
            return NULL;
        }
    return shape;
}

static t2g_status add_entry(json_t *header, const placed *p)
{
    const char *name = p->tensor->name;
    if (json_object_get(header, name))
        return t2g_fail(T2G_ERR_ARG, "tensor '%.200s' is given twice", name);
    json_t *entry = json_pack("{s:s, s:o, s:[I, I]}", "dtype", p->type->name,
                              "shape", shape_json(p->tensor), "data_offsets",
                              (json_int_t)p->begin, (json_int_t)p->end);
    if (!entry || json_object_set_new(header, name, entry) != 0)
        return t2g_fail(T2G_ERR_MEMORY, "no memory for a safetensors header");
    return T2G_OK;
}

static t2g_status add_metadata(json_t *header, const json_t *metadata)
{
    const char *key;
    json_t *value, *all = json_pack("{s:s}", "format", "pt");
    if (!all || json_object_set_new(header, "__metadata__", all) != 0)
        return t2g_fail(T2G_ERR_MEMORY, "no memory for a safetensors header");
    json_object_foreach((json_t *)metadata, key, value) {
        if (!json_is_string(value))
            return t2g_fail(T2G_ERR_ARG, "metadata '%.200s' is %s, expected a "
                            "string", key, t2g_json_type(value));
        if (json_object_set(all, key, value) != 0)
            return t2g_fail(T2G_ERR_MEMORY, "no memory for metadata");
    }
    return T2G_OK;
}

static t2g_status header_text(t2g_buffer *text, const placed *p, size_t count,
                              const json_t *metadata)
{
    json_t *header = json_object();
    if (!header)
        return t2g_fail(T2G_ERR_MEMORY, "no memory for a safetensors header");
    t2g_status s = add_metadata(header, metadata);
    for (size_t i = 0; s == T2G_OK && i < count; i++)
        s = add_entry(header, &p[i]);
    if (s == T2G_OK)
        s = t2g_json_append(text, header, false);
    json_decref(header);
    while (s == T2G_OK && text->size % 8 != 0)
        s = t2g_buffer_puts(text, " ");
    if (s == T2G_OK && text->size > HEADER_MAX)
        s = t2g_fail(T2G_ERR_ARG, "a header of %zu bytes, at most %d can be "
                     "read back", text->size, HEADER_MAX);
    return s;
}

static uint64_t stored_word(const t2g_tensor_out *t, size_t i)
{
    if (t->dtype == T2G_I64)
        return (uint64_t)((const int64_t *)t->data)[i];
    float x = ((const float *)t->data)[i];
    switch (t->dtype) {
    case T2G_F16: return narrow_f16(x);
    case T2G_BF16: return narrow_bf16(x);
    default: return to_bits(x);
    }
}

static void write_tensor(t2g_writer *w, const placed *p)
{
    unsigned char chunk[4096];
    size_t size = p->type->size, per_chunk = sizeof chunk / size;
    for (size_t i = 0; i < p->count; i += per_chunk) {
        size_t n = p->count - i < per_chunk ? p->count - i : per_chunk;
        for (size_t j = 0; j < n; j++)
            store(chunk + j * size, stored_word(p->tensor, i + j), size);
        t2g_writer_write(w, chunk, n * size);
    }
}

static t2g_status write_file(const char *path, const placed *p, size_t count,
                             const t2g_buffer *header)
{
    unsigned char prefix[PREFIX];
    t2g_writer *w;
    T2G_TRY(t2g_writer_open(&w, path));
    store(prefix, header->size, PREFIX);
    t2g_writer_write(w, prefix, PREFIX);
    t2g_writer_write(w, header->data, header->size);
    for (size_t i = 0; i < count; i++)
        write_tensor(w, &p[i]);
    return t2g_writer_commit(w);
}

t2g_status t2g_safetensors_write(const char *path,
                                 const t2g_tensor_out *tensor, size_t count,
                                 const json_t *metadata)
{
    t2g_buffer header = {0};
    placed *p = t2g_calloc(count, sizeof *p);
    if (!p)
        return T2G_ERR_MEMORY;
    t2g_status s = place_all(p, tensor, count);
    if (s == T2G_OK)
        s = header_text(&header, p, count, metadata);
    if (s == T2G_OK)
        s = write_file(path, p, count, &header);
    t2g_buffer_free(&header);
    t2g_free(p);
    return s;
}
