#include "internal.h"

#include <string.h>

/* Reading in progress. */
typedef struct reader {
    t2g_records *out;
    size_t capacity;
    const char *format; /* or NULL */
    bool skip_bad;
    void (*report)(void *context, const char *message);
    void *context;
} reader;

static t2g_status grow(reader *r)
{
    t2g_records *out = r->out;
    size_t more = r->capacity ? 2 * r->capacity : 64;
    json_t **record = t2g_regrow(out->record, out->count, more,
                                 sizeof *record);
    if (!record)
        return T2G_ERR_MEMORY;
    out->record = record;
    size_t *line = t2g_regrow(out->line, out->count, more, sizeof *line);
    if (!line)
        return T2G_ERR_MEMORY;
    out->line = line;
    r->capacity = more;
    return T2G_OK;
}

static t2g_status check_and_map(const reader *r, json_t **record, size_t line)
{
    if (!json_is_object(*record))
        return t2g_fail(T2G_ERR_FORMAT, "%s:%zu: found %s, expected an object",
                        r->out->path, line, t2g_json_type(*record));
    if (!r->format)
        return T2G_OK;
    t2g_status s = t2g_layout_map(record, r->format);
    return s == T2G_OK ? s : t2g_fail_in(s, "%s:%zu", r->out->path, line);
}

/* Takes the reference to record, whatever happens. */
static t2g_status keep(reader *r, json_t *record, size_t line)
{
    t2g_records *out = r->out;
    t2g_status s = check_and_map(r, &record, line);
    if (s == T2G_OK && out->count == r->capacity)
        s = grow(r);
    if (s != T2G_OK) {
        json_decref(record);
        return s;
    }
    out->record[out->count] = record;
    out->line[out->count++] = line;
    return T2G_OK;
}

/* What becomes of a record that ended with s. */
static t2g_status judge(reader *r, t2g_status s)
{
    if (s != T2G_ERR_FORMAT || !r->skip_bad)
        return s;
    r->out->skipped++;
    if (r->report)
        r->report(r->context, t2g_error_message());
    return T2G_OK;
}

/* --- JSON Lines --------------------------------------------------------- */

static bool is_blank(const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!strchr(" \t\r", text[i]) || text[i] == '\0')
            return false;
    return true;
}

static t2g_status read_line(reader *r, const char *text, size_t n, size_t line)
{
    json_t *record;
    T2G_TRY(t2g_json_parse(&record, text, n, r->out->path, line));
    return keep(r, record, line);
}

static t2g_status read_lines(reader *r, const char *text, size_t n)
{
    size_t line = 1;
    for (size_t i = 0; i < n; line++) {
        const char *lf = memchr(text + i, '\n', n - i);
        size_t length = lf ? (size_t)(lf - text) - i : n - i;
        if (!is_blank(text + i, length))
            T2G_TRY(judge(r, read_line(r, text + i, length, line)));
        i += length + 1;
    }
    return T2G_OK;
}

/* --- one array, or one object from identifiers to records --------------- */

/* Walks over the members of the outermost array or object of valid JSON. */
typedef struct walker {
    const char *at, *end;
    size_t line;
} walker;

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void skip_space(walker *w)
{
    for (; w->at < w->end && is_space(*w->at); w->at++)
        w->line += *w->at == '\n';
}

/* Steps over one member and the comma behind it; the line it begins on. */
static size_t next_member(walker *w)
{
    bool quoted = false;
    int depth = 0;
    skip_space(w);
    size_t begins = w->line;
    while (w->at < w->end) {
        char c = *w->at++;
        if (quoted) {
            if (c == '\\')
                w->at++;
            quoted = c != '"';
        } else if (c == ',' && depth == 0) {
            break;
        } else {
            quoted = c == '"';
            depth += (c == '[' || c == '{') - (c == ']' || c == '}');
            w->line += c == '\n';
        }
    }
    return begins;
}

/* The outermost bracket is at text[0]. */
static t2g_status read_array(reader *r, json_t *array, walker w)
{
    for (size_t i = 0; i < json_array_size(array); i++) {
        size_t line = next_member(&w);
        json_t *record = json_incref(json_array_get(array, i));
        T2G_TRY(judge(r, keep(r, record, line)));
    }
    return T2G_OK;
}

static t2g_status read_map(reader *r, json_t *map, walker w)
{
    const char *key;
    json_t *record;
    json_object_foreach(map, key, record) {
        size_t line = next_member(&w);
        if (!json_object_get(record, "id") &&
            json_object_set_new(record, "id", json_string(key)) != 0)
            return t2g_fail(T2G_ERR_MEMORY, "%s:%zu: no memory", r->out->path,
                            line);
        T2G_TRY(judge(r, keep(r, json_incref(record), line)));
    }
    return T2G_OK;
}

static bool holds_objects_only(json_t *map)
{
    const char *key;
    json_t *value;
    json_object_foreach(map, key, value)
        if (!json_is_object(value))
            return false;
    return json_object_size(map) > 0;
}

/* The official files are arrays, or objects from identifiers to records; JSON
 * Lines of the same records are read as well. */
static t2g_status read_official(reader *r, const char *text, size_t n)
{
    walker w = {text, text + n, 1};
    json_t *root = NULL;

    skip_space(&w);
    char bracket = w.at < w.end ? *w.at : '\0';
    if (bracket != '[' && bracket != '{')
        return read_lines(r, text, n);
    t2g_status s = t2g_json_parse(&root, text, n, r->out->path, 1);
    w.at++;
    if (bracket == '[') {
        if (s == T2G_OK)
            s = read_array(r, root, w);
    } else if (s == T2G_OK && holds_objects_only(root)) {
        s = read_map(r, root, w);
    } else if (s == T2G_OK) {
        s = judge(r, keep(r, json_incref(root), w.line));
    } else if (s == T2G_ERR_FORMAT) {
        s = read_lines(r, text, n); /* not one object, so one a line */
    }
    json_decref(root);
    return s;
}

/* --- the interface ------------------------------------------------------ */

static t2g_status read_text(reader *r, const char *text, size_t n)
{
    t2g_records *out = r->out;
    size_t mark = t2g_utf8_mark(text, n);
    if (r->format)
        T2G_TRY(read_official(r, text + mark, n - mark));
    else
        T2G_TRY(read_lines(r, text + mark, n - mark));
    if (out->count > 0)
        return T2G_OK;
    if (out->skipped > 0)
        return t2g_fail(T2G_ERR_FORMAT, "%s: all %zu lines are bad, expected "
                        "at least one record", out->path, out->skipped);
    return t2g_fail(T2G_ERR_FORMAT, "%s: no record, expected one JSON object a "
                    "line", out->path);
}

t2g_status t2g_records_read(
    t2g_records *out, const char *path, const char *format, bool skip_bad,
    void (*report)(void *context, const char *message), void *context)
{
    reader r = {out, 0, format, skip_bad, report, context};
    t2g_buffer text = {0};

    *out = (t2g_records){0};
    if (format && !t2g_layout_known(format))
        return t2g_fail(T2G_ERR_ARG, "format '%s' is unknown, expected fgrlhf, "
                        "slf5k, ultrafeedback or kodcode", format);
    out->path = t2g_strdup(t2g_file_name(path));
    t2g_status s = out->path ? t2g_file_read(path, &text) : T2G_ERR_MEMORY;
    if (s == T2G_OK)
        s = read_text(&r, text.data, text.size);
    t2g_buffer_free(&text);
    if (s != T2G_OK)
        t2g_records_free(out);
    return s;
}

t2g_status t2g_records_line(t2g_records *out, const char *path,
                            const char *text, size_t n, size_t line)
{
    reader r = {.out = out};
    size_t mark = line == 1 ? t2g_utf8_mark(text, n) : 0;
    *out = (t2g_records){0};
    text += mark;
    n -= mark;
    n -= n > 0 && text[n - 1] == '\n';
    out->path = t2g_strdup(t2g_file_name(path));
    t2g_status s = out->path ? T2G_OK : T2G_ERR_MEMORY;
    if (s == T2G_OK && !is_blank(text, n))
        s = read_line(&r, text, n, line);
    if (s != T2G_OK)
        t2g_records_free(out);
    return s;
}

void t2g_records_free(t2g_records *r)
{
    for (size_t i = 0; i < r->count; i++)
        json_decref(r->record[i]);
    t2g_free(r->record);
    t2g_free(r->line);
    t2g_free(r->path);
    *r = (t2g_records){0};
}

t2g_status t2g_record_string(const t2g_records *r, size_t i, const char *key,
                             bool required, const char **value, size_t *length)
{
    const json_t *member = json_object_get(r->record[i], key);
    *value = NULL;
    *length = 0;
    if (!required && (!member || json_is_null(member)))
        return T2G_OK;
    if (!json_is_string(member))
        return t2g_fail(T2G_ERR_FORMAT, "%s:%zu: '%s' is %s, expected a string",
                        r->path, r->line[i], key, t2g_json_type(member));
    *value = json_string_value(member);
    *length = json_string_length(member);
    return T2G_OK;
}
