/** Files: JSON and JSON Lines, safetensors, files that appear complete or not
 * at all, digests. Everything read here is untrusted: lengths are checked
 * first. */
#ifndef T2G_FILES_H
#define T2G_FILES_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "t2g/memory.h"
#include "t2g/status.h"

/** Reads a whole file ("-": stdin; gzip is unpacked when the content starts
 * with its magic). Appends to `out`. T2G_ERR_IO names the path and the
 * reason. */
T2G_CHECK t2g_status t2g_file_read(const char *path, t2g_buffer *out);

/** Byte position of the first byte that is not UTF-8, or n if all n bytes are
 * (overlong forms, surrogates and values above U+10FFFF are not). */
size_t t2g_utf8_invalid(const char *s, size_t n);
/** Bytes, of the n > 0 at s, of the maximal subpart of an ill-formed sequence:
 * as far as it could have begun a character. [Unicode] 3.9, as WHATWG does. */
size_t t2g_utf8_subpart(const char *s, size_t n);

/** Parses a JSON file of any top-level type; duplicate keys are an error.
 * The caller owns *out (json_decref). Errors name path, line and column. */
T2G_CHECK t2g_status t2g_json_read(json_t **out, const char *path);

/** Appends n bytes to out, each that is not UTF-8 as U+FFFD: what a model
 * samples need not be text. */
T2G_CHECK t2g_status t2g_utf8_append(t2g_buffer *out, const char *s, size_t n);
/** A JSON string of any bytes, likewise. NULL: no memory. */
json_t *t2g_json_text(const char *s, size_t n);

/** A file being written: bytes go to a neighbour "PATH.tmp-PID", commit
 * flushes, syncs and renames, abort removes. "-" is stdout. Write errors (a
 * full disk) are kept and reported by commit, which then has removed the
 * temporary file. */
typedef struct t2g_writer t2g_writer;
T2G_CHECK t2g_status t2g_writer_open(t2g_writer **w, const char *path);
void t2g_writer_write(t2g_writer *w, const void *bytes, size_t n);
void t2g_writer_printf(t2g_writer *w, const char *fmt, ...) T2G_PRINTF(2, 3);
/** One compact line of JSON, keys in insertion order, and a line break. */
void t2g_writer_json(t2g_writer *w, const json_t *value);
/** Frees w whether it succeeds or not. */
T2G_CHECK t2g_status t2g_writer_commit(t2g_writer *w);
/** Frees w and leaves nothing behind; w may be NULL. */
void t2g_writer_abort(t2g_writer *w);

/** Writes `n` bytes to path as one such file. */
T2G_CHECK t2g_status t2g_file_write(const char *path, const void *bytes,
                                    size_t n);
/** Writes value as JSON indented by two spaces and a line break. */
T2G_CHECK t2g_status t2g_json_write(const char *path, const json_t *value);

/** Records of a JSON Lines file ("-" stdin, gzip transparent), all in memory.
 * Each is an object; `line[i]` is its line number, for messages. */
typedef struct t2g_records {
    json_t **record;
    size_t *line;
    size_t count, skipped;
    char *path;
} t2g_records;

/** Reads them. Blank lines are passed over. A line that is not UTF-8, not JSON
 * or not an object is T2G_ERR_FORMAT "PATH:LINE: ...", unless skip_bad: then it
 * is counted in `skipped` and its message is given to report(context, message)
 * (may be NULL). A file without any record is T2G_ERR_FORMAT. `format` is NULL
 * (ours) or "fgrlhf" (one JSON array, FineGrainedRLHF), "slf5k",
 * "ultrafeedback", "kodcode": the official layouts, mapped to our field names
 * on reading. */
T2G_CHECK t2g_status t2g_records_read(
    t2g_records *out, const char *path, const char *format, bool skip_bad,
    void (*report)(void *context, const char *message), void *context);
void t2g_records_free(t2g_records *r);

/** Lines of a file ("-": stdin; gzip is unpacked) that need not fit in
 * memory. */
typedef struct t2g_lines t2g_lines;
T2G_CHECK t2g_status t2g_lines_open(t2g_lines **l, const char *path);
/** The next line with its end, valid until the next call; *text = NULL behind
 * the last. */
T2G_CHECK t2g_status t2g_lines_next(t2g_lines *l, const char **text, size_t *n);
void t2g_lines_close(t2g_lines *l);
/** The record of one line of a file, for walking through it with t2g_lines:
 * count is 1, or 0 when the line is blank. Errors as of t2g_records_read. */
T2G_CHECK t2g_status t2g_records_line(t2g_records *out, const char *path,
                                      const char *text, size_t n, size_t line);

/** A required or optional string member of record i, UTF-8, not copied; NUL
 * characters inside are allowed (*length counts). Missing: *value = NULL when
 * optional, else an error naming file, line and key. */
T2G_CHECK t2g_status t2g_record_string(const t2g_records *r, size_t i,
                                       const char *key, bool required,
                                       const char **value, size_t *length);

/** Makes a directory and its parents; existing ones are fine. */
T2G_CHECK t2g_status t2g_directory_make(const char *path);

/** A whole regular file in memory, read only: mapped, or on the heap where the
 * file system cannot map. bytes is NULL when it is empty. */
typedef struct t2g_file_view {
    const unsigned char *bytes;
    size_t size;
    bool mapped;
} t2g_file_view;
T2G_CHECK t2g_status t2g_file_view_open(t2g_file_view *view, const char *path);
void t2g_file_view_close(t2g_file_view *view);

/* --- safetensors ------------------------------------------------------- */

typedef enum t2g_dtype { T2G_F32, T2G_F16, T2G_BF16, T2G_F64, T2G_I64,
                         T2G_I32, T2G_U8, T2G_OTHER_DTYPE } t2g_dtype;

typedef struct t2g_tensor_view {
    char *name;
    t2g_dtype dtype;
    char dtype_name[16];
    size_t rank, shape[8], count; /* count = product of shape */
    const unsigned char *bytes;   /* unaligned, little-endian */
    size_t size;                  /* bytes */
} t2g_tensor_view;

typedef struct t2g_safetensors {
    t2g_tensor_view *tensor; /* sorted by name */
    size_t count;
    json_t *metadata; /* object or NULL */
    char *path;
    t2g_file_view view;
} t2g_safetensors;

/** Maps a file and checks its header as the format's library does: tiling
 * without holes, no overlap, no overflow; no duplicates either. Messages name
 * file and tensor. Views stay valid until t2g_safetensors_close. */
T2G_CHECK t2g_status t2g_safetensors_open(t2g_safetensors *st,
                                          const char *path);
void t2g_safetensors_close(t2g_safetensors *st);
/** NULL when there is none of that name. */
const t2g_tensor_view *t2g_safetensors_find(const t2g_safetensors *st,
                                            const char *name);
/** Widens F32, F16, BF16 exactly, rounds F64; out [view->count]. Other types
 * are T2G_ERR_UNSUPPORTED naming the tensor. */
T2G_CHECK t2g_status t2g_tensor_to_f32(const t2g_tensor_view *view, float *out);

/** One tensor to be saved; data is f32, stored as dtype (F32, F16 or BF16:
 * round to nearest even) or as is for I64 (data points at int64_t). */
typedef struct t2g_tensor_out {
    const char *name;
    t2g_dtype dtype;
    size_t rank, shape[8];
    const void *data;
} t2g_tensor_out;

/** Writes a file with __metadata__ {"format":"pt"} plus `metadata` (string to
 * string, or NULL), tensors sorted by descending element size, then name. */
T2G_CHECK t2g_status t2g_safetensors_write(const char *path,
                                           const t2g_tensor_out *tensor,
                                           size_t count,
                                           const json_t *metadata);

/* --- digests ------------------------------------------------------------ */

/** XXH3-128 of a sequence of named tensors and values: every float as its 4
 * little-endian bytes, so the same on every machine. */
typedef struct t2g_digest t2g_digest;
T2G_CHECK t2g_status t2g_digest_new(t2g_digest **d);
void t2g_digest_bytes(t2g_digest *d, const void *bytes, size_t n);
/** Frees d; hex gets 32 lower-case digits and a NUL. */
void t2g_digest_finish(t2g_digest *d, char hex[33]);

#endif
