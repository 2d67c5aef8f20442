/* Reading GGUF: header, keys, tensor infos, padding, data. [GGUF] */
#include "t2g/gguf.h"

#include <stdlib.h>
#include <string.h>

/* --- types --------------------------------------------------------------- */

static const struct {
    const char *name;
    size_t size; /* bytes; 0: it varies */
} value_types[T2G_GGUF_TYPES] = {
    [T2G_GGUF_U8] = {"u8", 1},         [T2G_GGUF_I8] = {"i8", 1},
    [T2G_GGUF_U16] = {"u16", 2},       [T2G_GGUF_I16] = {"i16", 2},
    [T2G_GGUF_U32] = {"u32", 4},       [T2G_GGUF_I32] = {"i32", 4},
    [T2G_GGUF_F32] = {"f32", 4},       [T2G_GGUF_BOOL] = {"bool", 1},
    [T2G_GGUF_STRING] = {"string", 0}, [T2G_GGUF_ARRAY] = {"array", 0},
    [T2G_GGUF_U64] = {"u64", 8},       [T2G_GGUF_I64] = {"i64", 8},
    [T2G_GGUF_F64] = {"f64", 8},
};

static const t2g_ggml_format formats[] = {
    {T2G_GGML_F32, "F32", 1, 4},      {T2G_GGML_F16, "F16", 1, 2},
    {T2G_GGML_Q4_0, "Q4_0", 32, 18},  {T2G_GGML_Q4_1, "Q4_1", 32, 20},
    {T2G_GGML_Q5_0, "Q5_0", 32, 22},  {T2G_GGML_Q5_1, "Q5_1", 32, 24},
    {T2G_GGML_Q8_0, "Q8_0", 32, 34},  {T2G_GGML_Q4_K, "Q4_K", 256, 144},
    {T2G_GGML_Q5_K, "Q5_K", 256, 176}, {T2G_GGML_Q6_K, "Q6_K", 256, 210},
    {T2G_GGML_BF16, "BF16", 1, 2},
};

/* Types we do not read, by number; NULL where none was ever defined. */
static const char withdrawn[] = "withdrawn";
static const char *const other_types[] = {
    [4] = withdrawn,   [5] = withdrawn,   [9] = "Q8_1",      [10] = "Q2_K",
    [11] = "Q3_K",     [15] = "Q8_K",     [16] = "IQ2_XXS",  [17] = "IQ2_XS",
    [18] = "IQ3_XXS",  [19] = "IQ1_S",    [20] = "IQ4_NL",   [21] = "IQ3_S",
    [22] = "IQ2_S",    [23] = "IQ4_XS",   [24] = "I8",       [25] = "I16",
    [26] = "I32",      [27] = "I64",      [28] = "F64",      [29] = "IQ1_M",
    [31] = withdrawn,  [32] = withdrawn,  [33] = withdrawn,  [34] = "TQ1_0",
    [35] = "TQ2_0",    [36] = withdrawn,  [37] = withdrawn,  [38] = withdrawn,
    [39] = "MXFP4",
};

static t2g_status find_format(const t2g_gguf *g, uint32_t type,
                              t2g_gguf_tensor *t)
{
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if ((uint32_t)formats[i].type == type) {
            t->format = &formats[i];
            return T2G_OK;
        }
    const char *name = type < sizeof other_types / sizeof *other_types
                           ? other_types[type] : NULL;
    if (name && name != withdrawn)
        return t2g_fail(T2G_ERR_UNSUPPORTED, "%s: tensor '%s': type %s is not "
                        "supported", g->path, t->name, name);
    return t2g_fail(T2G_ERR_FORMAT, "%s: tensor '%s': the tensor type %u is "
                    "%s", g->path, t->name, type, name ? name : "unknown");
}

/* --- a cursor ------------------------------------------------------------ */

/* Where reading has come to, and in what, for messages. */
typedef struct cursor {
    const t2g_gguf *g;
    size_t at;
    char what[64];
} cursor;

static size_t bytes_left(const cursor *c)
{
    return c->g->view.size - c->at;
}

static t2g_status truncated(const cursor *c)
{
    return t2g_fail(T2G_ERR_FORMAT, "%s: truncated: the file ends after %zu "
                    "bytes, inside %s", c->g->path, c->g->view.size, c->what);
}

static t2g_status take(cursor *c, void *out, size_t n)
{
    if (bytes_left(c) < n)
        return truncated(c);
    memcpy(out, c->g->view.bytes + c->at, n);
    c->at += n;
    return T2G_OK;
}

static t2g_status take_u32(cursor *c, uint32_t *value)
{
    return take(c, value, sizeof *value);
}

static t2g_status take_u64(cursor *c, uint64_t *value)
{
    return take(c, value, sizeof *value);
}

/* A number of things that take at least `least` bytes each. */
static t2g_status take_count(cursor *c, size_t least, size_t *count)
{
    uint64_t n = 0;
    T2G_TRY(take_u64(c, &n));
    if (n > bytes_left(c) / least)
        return truncated(c);
    *count = (size_t)n;
    return T2G_OK;
}

static t2g_status skip(cursor *c, size_t n)
{
    if (bytes_left(c) < n)
        return truncated(c);
    c->at += n;
    return T2G_OK;
}

static t2g_status skip_string(cursor *c)
{
    size_t n = 0;
    T2G_TRY(take_count(c, 1, &n));
    return skip(c, n);
}

/* A name, copied with a NUL. */
static t2g_status take_name(cursor *c, char **name)
{
    size_t n = 0;
    T2G_TRY(take_count(c, 1, &n));
    const char *s = (const char *)c->g->view.bytes + c->at;
    size_t invalid = t2g_utf8_invalid(s, n);
    if (invalid < n)
        return t2g_fail(T2G_ERR_FORMAT, "%s: the name of %s is not UTF-8 at "
                        "byte %zu", c->g->path, c->what, invalid);
    if (memchr(s, '\0', n))
        return t2g_fail(T2G_ERR_FORMAT, "%s: the name of %s holds a NUL",
                        c->g->path, c->what);
    *name = t2g_strndup(s, n);
    return *name ? skip(c, n) : T2G_ERR_MEMORY;
}

/* --- keys ---------------------------------------------------------------- */

enum {
    KEY_LEAST = 8 + 4 + 1,           /* length, type, the smallest value */
    TENSOR_LEAST = 8 + 4 + 8 + 4 + 8, /* length, rank, one size, type, offset */
    STRING_LEAST = 8,
    ARRAY_LEAST = 4 + 8, /* type, count */
    DEEPEST = 8          /* arrays inside arrays */
};

static t2g_status take_value_type(cursor *c, const char *key,
                                  t2g_gguf_type *type)
{
    uint32_t number = 0;
    T2G_TRY(take_u32(c, &number));
    if (number >= T2G_GGUF_TYPES)
        return t2g_fail(T2G_ERR_FORMAT, "%s: key '%s': the value type %u is "
                        "unknown, expected 0 to %d", c->g->path, key, number,
                        T2G_GGUF_TYPES - 1);
    *type = (t2g_gguf_type)number;
    return T2G_OK;
}

static t2g_status take_array_head(cursor *c, const char *key,
                                  t2g_gguf_type *element, size_t *count)
{
    T2G_TRY(take_value_type(c, key, element));
    size_t least = value_types[*element].size;
    if (least == 0)
        least = *element == T2G_GGUF_STRING ? STRING_LEAST : ARRAY_LEAST;
    return take_count(c, least, count);
}

static t2g_status skip_elements(cursor *c, const char *key,
                                t2g_gguf_type element, size_t count, int depth)
{
    if (value_types[element].size > 0)
        return skip(c, value_types[element].size * count);
    if (depth > DEEPEST)
        return t2g_fail(T2G_ERR_UNSUPPORTED, "%s: key '%s': arrays nested more "
                        "than %d deep", c->g->path, key, DEEPEST);
    for (size_t i = 0; i < count; i++) {
        t2g_gguf_type inner = T2G_GGUF_U8;
        size_t inner_count = 0;
        if (element == T2G_GGUF_STRING) {
            T2G_TRY(skip_string(c));
            continue;
        }
        T2G_TRY(take_array_head(c, key, &inner, &inner_count));
        T2G_TRY(skip_elements(c, key, inner, inner_count, depth + 1));
    }
    return T2G_OK;
}

static t2g_status read_key(cursor *c, t2g_gguf_key *key)
{
    T2G_TRY(take_name(c, &key->name));
    T2G_TRY(take_value_type(c, key->name, &key->type));
    key->element = key->type;
    key->count = 1;
    if (key->type == T2G_GGUF_ARRAY)
        T2G_TRY(take_array_head(c, key->name, &key->element, &key->count));
    size_t begin = c->at;
    T2G_TRY(skip_elements(c, key->name, key->element, key->count, 1));
    key->value = c->g->view.bytes + begin;
    key->size = c->at - begin;
    return T2G_OK;
}

/* Both structures begin with their name. */
static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static t2g_status refuse_twins(const t2g_gguf *g, const char *what,
                               const void *list, size_t count, size_t size)
{
    const char *at = list;
    for (size_t i = 1; i < count; i++, at += size)
        if (by_name(at, at + size) == 0)
            return t2g_fail(T2G_ERR_FORMAT, "%s: duplicate: the %s '%s' occurs "
                            "twice", g->path, what, *(char *const *)at);
    return T2G_OK;
}

static t2g_status read_keys(t2g_gguf *g, cursor *c, size_t count)
{
    snprintf(c->what, sizeof c->what, "the keys");
    if (count > bytes_left(c) / KEY_LEAST)
        return truncated(c);
    g->key = t2g_calloc(count, sizeof *g->key);
    if (!g->key)
        return T2G_ERR_MEMORY;
    for (size_t i = 0; i < count; i++) {
        snprintf(c->what, sizeof c->what, "key %zu of %zu", i + 1, count);
        g->key_count++; /* the name is freed whatever comes */
        T2G_TRY(read_key(c, &g->key[i]));
    }
    qsort(g->key, count, sizeof *g->key, by_name);
    return refuse_twins(g, "key", g->key, count, sizeof *g->key);
}

const t2g_gguf_key *t2g_gguf_find(const t2g_gguf *g, const char *name)
{
    t2g_gguf_key key = {.name = (char *)name};
    if (g->key_count == 0)
        return NULL;
    return bsearch(&key, g->key, g->key_count, sizeof key, by_name);
}

/* --- keys of the container itself ---------------------------------------- */

static t2g_status read_alignment(t2g_gguf *g)
{
    uint32_t alignment = 32;
    T2G_TRY(t2g_gguf_u32(g, "general.alignment", false, &alignment));
    if (alignment == 0 || (alignment & (alignment - 1)) != 0)
        return t2g_fail(T2G_ERR_FORMAT, "%s: key 'general.alignment': %u, "
                        "expected a power of two", g->path, alignment);
    g->alignment = alignment;
    return T2G_OK;
}

/* The writers of split models use u16, but any unsigned type will do. */
static t2g_status refuse_split(const t2g_gguf *g)
{
    const t2g_gguf_key *key = t2g_gguf_find(g, "split.count");
    uint64_t parts = 0;
    if (!key)
        return T2G_OK;
    if (key->type != T2G_GGUF_U8 && key->type != T2G_GGUF_U16 &&
        key->type != T2G_GGUF_U32 && key->type != T2G_GGUF_U64)
        return t2g_fail(T2G_ERR_FORMAT, "%s: key 'split.count': %s, expected "
                        "u16", g->path, value_types[key->type].name);
    memcpy(&parts, key->value, key->size);
    if (parts > 1)
        return t2g_fail(T2G_ERR_UNSUPPORTED, "%s: one of %llu parts of a split "
                        "model (split.count), expected a whole one", g->path,
                        (unsigned long long)parts);
    return T2G_OK;
}

/* --- tensors ------------------------------------------------------------- */

static t2g_status bad_shape(const t2g_gguf *g, const t2g_gguf_tensor *t,
                            const char *what)
{
    return t2g_fail(T2G_ERR_FORMAT, "%s: tensor '%s': shape: %s", g->path,
                    t->name, what);
}

static t2g_status read_shape(cursor *c, t2g_gguf_tensor *t)
{
    uint32_t rank = 0;
    T2G_TRY(take_u32(c, &rank));
    if (rank < 1 || rank > T2G_GGUF_RANK)
        return t2g_fail(T2G_ERR_FORMAT, "%s: tensor '%s': shape: %u "
                        "dimensions, expected 1 to %d", c->g->path, t->name,
                        rank, T2G_GGUF_RANK);
    t->rank = rank;
    t->count = 1;
    for (size_t i = rank; i-- > 0;) {
        uint64_t n = 0;
        T2G_TRY(take_u64(c, &n));
        if (n == 0)
            return bad_shape(c->g, t, "a dimension of 0");
        if (n > SIZE_MAX / t->count)
            return bad_shape(c->g, t, "the product of the dimensions "
                                      "overflows");
        t->shape[i] = (size_t)n;
        t->count *= (size_t)n;
    }
    return T2G_OK;
}

static t2g_status measure(const t2g_gguf *g, t2g_gguf_tensor *t)
{
    size_t row = t->shape[t->rank - 1];
    if (row % t->format->values != 0)
        return t2g_fail(T2G_ERR_FORMAT, "%s: tensor '%s': shape: rows of %zu "
                        "values are no whole blocks of %s, which have %zu",
                        g->path, t->name, row, t->format->name,
                        t->format->values);
    size_t blocks = t->count / t->format->values;
    if (blocks > SIZE_MAX / t->format->bytes)
        return bad_shape(g, t, "the number of bytes overflows");
    t->size = blocks * t->format->bytes;
    return T2G_OK;
}

static t2g_status read_tensor(cursor *c, t2g_gguf_tensor *t)
{
    uint32_t type = 0;
    uint64_t offset = 0;
    T2G_TRY(take_name(c, &t->name));
    T2G_TRY(read_shape(c, t));
    T2G_TRY(take_u32(c, &type));
    T2G_TRY(take_u64(c, &offset));
    T2G_TRY(find_format(c->g, type, t));
    T2G_TRY(measure(c->g, t));
    if (offset % c->g->alignment != 0)
        return t2g_fail(T2G_ERR_FORMAT, "%s: tensor '%s': offset %llu is not "
                        "on the alignment of %zu", c->g->path, t->name,
                        (unsigned long long)offset, c->g->alignment);
    if (offset > SIZE_MAX - t->size)
        return t2g_fail(T2G_ERR_FORMAT, "%s: truncated: tensor '%s' begins at "
                        "offset %llu", c->g->path, t->name,
                        (unsigned long long)offset);
    t->offset = (size_t)offset;
    return T2G_OK;
}

static int by_offset(const void *a, const void *b)
{
    const t2g_gguf_tensor *x = a, *y = b;
    return (x->offset > y->offset) - (x->offset < y->offset);
}

/* Tensors sorted by offset get their data, which must not overlap. */
static t2g_status place_data(t2g_gguf *g, size_t begin)
{
    size_t room = begin < g->view.size ? g->view.size - begin : 0, end = 0;
    for (size_t i = 0; i < g->tensor_count; i++) {
        t2g_gguf_tensor *t = &g->tensor[i];
        if (t->offset < end)
            return t2g_fail(T2G_ERR_FORMAT, "%s: tensor '%s': offset %zu lies "
                            "inside tensor '%s': they overlap", g->path,
                            t->name, t->offset, t[-1].name);
        end = t->offset + t->size;
        if (end > room)
            return t2g_fail(T2G_ERR_FORMAT, "%s: truncated: tensor '%s' ends "
                            "%zu bytes behind the end of the file", g->path,
                            t->name, end - room);
        t->data = g->view.bytes + begin + t->offset;
    }
    return T2G_OK;
}

static t2g_status read_tensors(t2g_gguf *g, cursor *c, size_t count)
{
    snprintf(c->what, sizeof c->what, "the tensors");
    if (count > bytes_left(c) / TENSOR_LEAST)
        return truncated(c);
    g->tensor = t2g_calloc(count, sizeof *g->tensor);
    if (!g->tensor)
        return T2G_ERR_MEMORY;
    for (size_t i = 0; i < count; i++) {
        snprintf(c->what, sizeof c->what, "tensor %zu of %zu", i + 1, count);
        g->tensor_count++;
        T2G_TRY(read_tensor(c, &g->tensor[i]));
    }
    size_t padding = (g->alignment - c->at % g->alignment) % g->alignment;
    qsort(g->tensor, count, sizeof *g->tensor, by_name);
    T2G_TRY(refuse_twins(g, "tensor", g->tensor, count, sizeof *g->tensor));
    qsort(g->tensor, count, sizeof *g->tensor, by_offset);
    T2G_TRY(place_data(g, c->at + padding));
    qsort(g->tensor, count, sizeof *g->tensor, by_name);
    return T2G_OK;
}

const t2g_gguf_tensor *t2g_gguf_find_tensor(const t2g_gguf *g,
                                            const char *name)
{
    t2g_gguf_tensor key = {.name = (char *)name};
    if (g->tensor_count == 0)
        return NULL;
    return bsearch(&key, g->tensor, g->tensor_count, sizeof key, by_name);
}

/* --- the file ------------------------------------------------------------ */

static t2g_status read_version(t2g_gguf *g, cursor *c)
{
    char magic[4];
    T2G_TRY(take(c, magic, sizeof magic));
    if (memcmp(magic, "GGUF", sizeof magic) != 0)
        return t2g_fail(T2G_ERR_FORMAT, "%s: no GGUF file: it does not begin "
                        "with the magic 'GGUF'", g->path);
    T2G_TRY(take_u32(c, &g->version));
    if (g->version == 2 || g->version == 3)
        return T2G_OK;
    if (g->version != 0 && (g->version & 0xffffff) == 0)
        return t2g_fail(T2G_ERR_UNSUPPORTED, "%s: the version reads 0x%08x: a "
                        "big-endian file, expected a little-endian one",
                        g->path, g->version);
    return t2g_fail(T2G_ERR_UNSUPPORTED, "%s: GGUF version %u, expected 2 or "
                    "3", g->path, g->version);
}

static t2g_status read_file(t2g_gguf *g)
{
    cursor c = {.g = g, .what = "the header"};
    size_t tensors = 0, keys = 0;
    T2G_TRY(read_version(g, &c));
    T2G_TRY(take_count(&c, 1, &tensors));
    T2G_TRY(take_count(&c, 1, &keys));
    T2G_TRY(read_keys(g, &c, keys));
    T2G_TRY(read_alignment(g));
    T2G_TRY(refuse_split(g));
    return read_tensors(g, &c, tensors);
}

t2g_status t2g_gguf_open(t2g_gguf *g, const char *path)
{
    *g = (t2g_gguf){0};
    g->path = t2g_strdup(path);
    if (!g->path)
        return T2G_ERR_MEMORY;
    t2g_status s = t2g_file_view_open(&g->view, path);
    if (s == T2G_OK)
        s = read_file(g);
    if (s != T2G_OK)
        t2g_gguf_close(g);
    return s;
}

void t2g_gguf_close(t2g_gguf *g)
{
    for (size_t i = 0; i < g->key_count; i++)
        t2g_free(g->key[i].name);
    for (size_t i = 0; i < g->tensor_count; i++)
        t2g_free(g->tensor[i].name);
    t2g_free(g->key);
    t2g_free(g->tensor);
    t2g_free(g->path);
    t2g_file_view_close(&g->view);
    *g = (t2g_gguf){0};
}

/* --- typed values -------------------------------------------------------- */

/* A key of this type, or an array of it; *key = NULL when it is missing and may
 * be. */
static t2g_status find_typed(const t2g_gguf *g, const char *name,
                             bool required, bool array, t2g_gguf_type type,
                             const t2g_gguf_key **key)
{
    const char *expected = value_types[type].name;
    const t2g_gguf_key *k = *key = t2g_gguf_find(g, name);
    if (!k && required)
        return t2g_fail(T2G_ERR_FORMAT, "%s: key '%s' is missing, expected "
                        "%s%s", g->path, name, array ? "an array of " : "",
                        expected);
    if (!k || (k->element == type && array == (k->type == T2G_GGUF_ARRAY)))
        return T2G_OK;
    return t2g_fail(T2G_ERR_FORMAT, "%s: key '%s': %s%s, expected %s%s",
                    g->path, name,
                    k->type == T2G_GGUF_ARRAY ? "an array of " : "",
                    value_types[k->element].name, array ? "an array of " : "",
                    expected);
}

/* A number of fixed size into value. */
static t2g_status get_number(const t2g_gguf *g, const char *name,
                             bool required, t2g_gguf_type type, void *value)
{
    const t2g_gguf_key *key;
    T2G_TRY(find_typed(g, name, required, false, type, &key));
    if (key)
        memcpy(value, key->value, key->size);
    return T2G_OK;
}

t2g_status t2g_gguf_u32(const t2g_gguf *g, const char *name, bool required,
                        uint32_t *value)
{
    return get_number(g, name, required, T2G_GGUF_U32, value);
}

t2g_status t2g_gguf_f32(const t2g_gguf *g, const char *name, bool required,
                        float *value)
{
    return get_number(g, name, required, T2G_GGUF_F32, value);
}

t2g_status t2g_gguf_bool(const t2g_gguf *g, const char *name, bool required,
                         bool *value)
{
    const t2g_gguf_key *key;
    T2G_TRY(find_typed(g, name, required, false, T2G_GGUF_BOOL, &key));
    if (!key)
        return T2G_OK;
    if (key->value[0] > 1)
        return t2g_fail(T2G_ERR_FORMAT, "%s: key '%s': a bool of %u, expected "
                        "0 or 1", g->path, name, key->value[0]);
    *value = key->value[0] == 1;
    return T2G_OK;
}

/* The string at *at, whose length the file was found to hold. */
static t2g_gguf_text next_text(const unsigned char **at)
{
    uint64_t n = 0;
    memcpy(&n, *at, sizeof n);
    t2g_gguf_text text = {(const char *)*at + sizeof n, (size_t)n};
    *at += sizeof n + (size_t)n;
    return text;
}

static t2g_status check_text(const t2g_gguf *g, const char *name, size_t i,
                             t2g_gguf_text text)
{
    size_t invalid = t2g_utf8_invalid(text.s, text.n);
    if (invalid == text.n)
        return T2G_OK;
    return t2g_fail(T2G_ERR_FORMAT, "%s: key '%s': string %zu is not UTF-8 at "
                    "byte %zu", g->path, name, i, invalid);
}

t2g_status t2g_gguf_string(const t2g_gguf *g, const char *name, bool required,
                           t2g_gguf_text *value)
{
    const t2g_gguf_key *key;
    T2G_TRY(find_typed(g, name, required, false, T2G_GGUF_STRING, &key));
    if (!key)
        return T2G_OK;
    const unsigned char *at = key->value;
    t2g_gguf_text text = next_text(&at);
    T2G_TRY(check_text(g, name, 0, text));
    *value = text;
    return T2G_OK;
}

/* An aligned copy of an array of numbers. */
static t2g_status get_numbers(const t2g_gguf *g, const char *name,
                              bool required, t2g_gguf_type type, void **value,
                              size_t *count)
{
    const t2g_gguf_key *key;
    *value = NULL;
    *count = 0;
    T2G_TRY(find_typed(g, name, required, true, type, &key));
    if (!key)
        return T2G_OK;
    *value = t2g_calloc(key->size, 1);
    if (!*value)
        return T2G_ERR_MEMORY;
    memcpy(*value, key->value, key->size);
    *count = key->count;
    return T2G_OK;
}

t2g_status t2g_gguf_i32s(const t2g_gguf *g, const char *name, bool required,
                         int32_t **value, size_t *count)
{
    void *copy;
    t2g_status s = get_numbers(g, name, required, T2G_GGUF_I32, &copy, count);
    *value = copy;
    return s;
}

t2g_status t2g_gguf_f32s(const t2g_gguf *g, const char *name, bool required,
                         float **value, size_t *count)
{
    void *copy;
    t2g_status s = get_numbers(g, name, required, T2G_GGUF_F32, &copy, count);
    *value = copy;
    return s;
}

t2g_status t2g_gguf_strings(const t2g_gguf *g, const char *name, bool required,
                            t2g_gguf_text **value, size_t *count)
{
    const t2g_gguf_key *key;
    *value = NULL;
    *count = 0;
    T2G_TRY(find_typed(g, name, required, true, T2G_GGUF_STRING, &key));
    if (!key)
        return T2G_OK;
    t2g_gguf_text *text = t2g_calloc(key->count, sizeof *text);
    t2g_status s = text ? T2G_OK : T2G_ERR_MEMORY;
    const unsigned char *at = key->value;
    for (size_t i = 0; i < key->count && s == T2G_OK; i++) {
        text[i] = next_text(&at);
        s = check_text(g, name, i, text[i]);
    }
    if (s != T2G_OK) {
        t2g_free(text);
        return s;
    }
    *value = text;
    *count = key->count;
    return T2G_OK;
}
