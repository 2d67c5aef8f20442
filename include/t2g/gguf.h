/** GGUF files (versions 2 and 3), read only: typed keys and quantised tensors
 * in one mapped file. Every count and length in it is untrusted: it is held
 * against the bytes that are left before anything is allocated.
 * https://github.com/ggml-org/ggml/blob/master/docs/gguf.md */
#ifndef T2G_GGUF_H
#define T2G_GGUF_H

#include "t2g/files.h"

/** Types of keys, numbered as in the files. */
typedef enum t2g_gguf_type {
    T2G_GGUF_U8, T2G_GGUF_I8, T2G_GGUF_U16, T2G_GGUF_I16, T2G_GGUF_U32,
    T2G_GGUF_I32, T2G_GGUF_F32, T2G_GGUF_BOOL, T2G_GGUF_STRING, T2G_GGUF_ARRAY,
    T2G_GGUF_U64, T2G_GGUF_I64, T2G_GGUF_F64, T2G_GGUF_TYPES
} t2g_gguf_type;

typedef struct t2g_gguf_key {
    char *name;
    t2g_gguf_type type, element; /* element: of an array */
    size_t count;                /* elements of an array */
    const unsigned char *value;  /* of an array, its first element; unaligned,
                                    little-endian */
    size_t size;                 /* bytes from there */
} t2g_gguf_key;

/** Types of tensors, numbered as in the files. */
typedef enum t2g_ggml_type {
    T2G_GGML_F32 = 0, T2G_GGML_F16 = 1, T2G_GGML_Q4_0 = 2, T2G_GGML_Q4_1 = 3,
    T2G_GGML_Q5_0 = 6, T2G_GGML_Q5_1 = 7, T2G_GGML_Q8_0 = 8, T2G_GGML_Q4_K = 12,
    T2G_GGML_Q5_K = 13, T2G_GGML_Q6_K = 14, T2G_GGML_BF16 = 30
} t2g_ggml_type;

/** A row is a whole number of blocks of `values` values in `bytes` bytes. */
typedef struct t2g_ggml_format {
    t2g_ggml_type type;
    const char *name;
    size_t values, bytes;
} t2g_ggml_format;

enum { T2G_GGUF_RANK = 4 };

typedef struct t2g_gguf_tensor {
    char *name;
    const t2g_ggml_format *format;
    size_t rank, shape[T2G_GGUF_RANK]; /* [out, in]: rows are the last, unlike
                                          in the file, which lists it first */
    size_t count;                      /* values */
    size_t offset;                     /* from the start of the data */
    const unsigned char *data;
    size_t size;                       /* bytes */
} t2g_gguf_tensor;

typedef struct t2g_gguf {
    t2g_gguf_key *key;       /* [key_count], sorted by name */
    t2g_gguf_tensor *tensor; /* [tensor_count], sorted by name */
    size_t key_count, tensor_count;
    uint32_t version;
    size_t alignment;
    char *path;
    t2g_file_view view;
} t2g_gguf;

/** Opens and checks a file: no key or tensor twice, data inside the file, on
 * the alignment, without overlap, rows of whole blocks. T2G_ERR_UNSUPPORTED by
 * name for other versions, parts of a split model and types of tensors beyond
 * t2g_ggml_type. All it hands out stays valid until t2g_gguf_close. */
T2G_CHECK t2g_status t2g_gguf_open(t2g_gguf *g, const char *path);
void t2g_gguf_close(t2g_gguf *g);

/** NULL when there is none of that name. */
const t2g_gguf_key *t2g_gguf_find(const t2g_gguf *g, const char *name);
const t2g_gguf_tensor *t2g_gguf_find_tensor(const t2g_gguf *g,
                                            const char *name);

/** Text in the file: UTF-8, no NUL at its end. */
typedef struct t2g_gguf_text {
    const char *s;
    size_t n;
} t2g_gguf_text;

/** The value of a key of exactly that type; another type is T2G_ERR_FORMAT
 * naming file, key, found and expected type. A key that is missing is an error
 * if required, else *value stays as it is. */
T2G_CHECK t2g_status t2g_gguf_u32(const t2g_gguf *g, const char *name,
                                  bool required, uint32_t *value);
T2G_CHECK t2g_status t2g_gguf_f32(const t2g_gguf *g, const char *name,
                                  bool required, float *value);
T2G_CHECK t2g_status t2g_gguf_bool(const t2g_gguf *g, const char *name,
                                   bool required, bool *value);
T2G_CHECK t2g_status t2g_gguf_string(const t2g_gguf *g, const char *name,
                                     bool required, t2g_gguf_text *value);

/** The same for arrays: *value [*count] is the caller's (t2g_free), and NULL
 * when a key that is not required is missing. Strings are UTF-8. */
T2G_CHECK t2g_status t2g_gguf_i32s(const t2g_gguf *g, const char *name,
                                   bool required, int32_t **value,
                                   size_t *count);
T2G_CHECK t2g_status t2g_gguf_f32s(const t2g_gguf *g, const char *name,
                                   bool required, float **value,
                                   size_t *count);
T2G_CHECK t2g_status t2g_gguf_strings(const t2g_gguf *g, const char *name,
                                      bool required, t2g_gguf_text **value,
                                      size_t *count);

#endif
