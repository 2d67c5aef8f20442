/* What the readers and writers of this folder share. */
#ifndef T2G_FILES_INTERNAL_H
#define T2G_FILES_INTERNAL_H

#include "t2g/files.h"

/** Parses n bytes followed by a NUL. Duplicate keys are an error, strings may
 * hold NULs, integers beyond 64 bits become reals. Messages begin with
 * "name:LINE:COLUMN", the text being found at first_line of that file. */
T2G_CHECK t2g_status t2g_json_parse(json_t **out, const char *text, size_t n,
                                    const char *name, size_t first_line);

/** Appends value as JSON: compact, or (pretty) indented by two spaces. Reals
 * are as short as reads back equal. NULL is T2G_ERR_MEMORY: jansson gives it to
 * a caller that ran out of memory. */
T2G_CHECK t2g_status t2g_json_append(t2g_buffer *out, const json_t *value,
                                     bool pretty);

/** The same at a nesting depth; depth < 0: compact. */
T2G_CHECK t2g_status t2g_json_append_at(t2g_buffer *out, const json_t *value,
                                        int depth);
/** A quoted string, and where a member or element of that depth begins. */
T2G_CHECK t2g_status t2g_json_append_string(t2g_buffer *out, const char *s,
                                            size_t n);
T2G_CHECK t2g_status t2g_json_append_break(t2g_buffer *out, int depth);

/** "an object", "a string", ...; "missing" for NULL. */
const char *t2g_json_type(const json_t *value);

/** Length of the byte order mark that some editors put in front, 0 or 3. */
size_t t2g_utf8_mark(const char *s, size_t n);

/** How messages call a path: "-" is stdin. */
const char *t2g_file_name(const char *path);

/** True if this is the name of an official layout. */
bool t2g_layout_known(const char *format);

/** Replaces *record, an object in the layout `format`, by one with our field
 * names; other members are kept behind them. Messages do not name the file. */
T2G_CHECK t2g_status t2g_layout_map(json_t **record, const char *format);

#endif
