#include "text_files.h"

#include <string.h>

static bool ends_with(const char *name, const char *end)
{
    size_t n = strlen(name), k = strlen(end);
    return n >= k && strcmp(name + n - k, end) == 0;
}

bool text_files_are_records(const text_files *t, const char *path)
{
    static const char *const ends[] = {".jsonl", ".jsonl.gz", ".json",
                                       ".json.gz"};
    if (t->format || t->fields.count > 0)
        return true;
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (ends_with(path, ends[i]))
            return true;
    return false;
}

const char *text_files_current(const text_files *t)
{
    return t->opened ? t->path[t->opened - 1] : "";
}

static void close_file(text_files *t)
{
    t2g_buffer_free(&t->text);
    t2g_lines_close(t->lines);
    t->lines = NULL;
    t2g_records_free(&t->records);
    json_decref(t->pending);
    t->pending = NULL;
    t->is_open = false;
}

void text_files_free(text_files *t)
{
    close_file(t);
}

static t2g_status open_next(text_files *t)
{
    const char *path = t->path[t->opened++];
    t->is_records = text_files_are_records(t, path);
    t->is_open = true;
    t->line = t->record = t->found = 0;
    if (t->is_records ? !t->format : t->by_line)
        return t2g_lines_open(&t->lines, path);
    if (!t->is_records)
        return t2g_file_read(path, &t->text);
    T2G_TRY(t2g_records_read(&t->records, path, t->format, t->skip_bad,
                             t->report, t->context));
    t->skipped += t->records.skipped;
    return T2G_OK;
}

/* The text as a whole, or its next line; *more = false at the end. */
static t2g_status next_plain(text_files *t, const char **text, size_t *length,
                             bool *more)
{
    if (t->lines) {
        T2G_TRY(t2g_lines_next(t->lines, text, length));
        *more = *text;
        return T2G_OK;
    }
    *more = t->text.size > 0 && t->line++ == 0;
    *text = t->text.data;
    *length = t->text.size;
    return T2G_OK;
}

/* --- records ------------------------------------------------------------- */

static t2g_status add_pending(text_files *t, json_t *text)
{
    if (!json_is_string(text))
        return T2G_OK;
    return json_array_append(t->pending, text) == 0
               ? T2G_OK : t2g_fail(T2G_ERR_MEMORY, "no memory for texts");
}

static t2g_status collect_named(text_files *t, size_t i)
{
    for (size_t k = 0; k < t->fields.count; k++) {
        const char *text;
        size_t length;
        T2G_TRY(t2g_record_string(&t->records, i, t->fields.item[k], true,
                                  &text, &length));
        T2G_TRY(add_pending(t, json_object_get(t->records.record[i],
                                               t->fields.item[k])));
    }
    return T2G_OK;
}

/* The members in which records of ours and of TRL keep text. */
static t2g_status collect_known(text_files *t, size_t i)
{
    static const char *const known[] = {
        "text", "prompt", "completion", "response", "chosen", "rejected",
        "reference", "critique"};
    const json_t *record = t->records.record[i];
    const json_t *messages = json_object_get(record, "messages");
    for (size_t k = 0; k < sizeof known / sizeof *known; k++)
        T2G_TRY(add_pending(t, json_object_get(record, known[k])));
    for (size_t k = 0; k < json_array_size(messages); k++)
        T2G_TRY(add_pending(t, json_object_get(json_array_get(messages, k),
                                               "content")));
    return T2G_OK;
}

/* Replaces the records by that of the next line which has one. */
static t2g_status next_line(text_files *t)
{
    const char *text;
    size_t n;
    t2g_records_free(&t->records);
    t->record = 0;
    while (t->records.count == 0) {
        T2G_TRY(t2g_lines_next(t->lines, &text, &n));
        if (!text)
            return T2G_OK;
        t2g_status s = t2g_records_line(&t->records, text_files_current(t),
                                        text, n, ++t->line);
        if (s == T2G_ERR_FORMAT && t->skip_bad) {
            t->skipped++;
            if (t->report)
                t->report(t->context, t2g_error_message());
        } else if (s != T2G_OK) {
            return s;
        }
    }
    return T2G_OK;
}

/* Texts of the next record that has any; *more = false at the end. */
static t2g_status next_record(text_files *t, bool *more)
{
    t->given = 0;
    for (;; t->record++) {
        if (t->record >= t->records.count && t->lines)
            T2G_TRY(next_line(t));
        if (t->record >= t->records.count)
            break;
        json_decref(t->pending);
        t->pending = json_array();
        if (!t->pending)
            return t2g_fail(T2G_ERR_MEMORY, "no memory for texts");
        T2G_TRY(t->fields.count ? collect_named(t, t->record)
                                : collect_known(t, t->record));
        t->found += json_array_size(t->pending);
        *more = json_array_size(t->pending) > 0;
        if (*more) {
            t->record++;
            return T2G_OK;
        }
    }
    *more = false;
    if (t->found == 0)
        return t2g_fail(T2G_ERR_FORMAT, "%s: no record has text, expected "
                        "text, prompt, completion, response, messages or a "
                        "--field", text_files_current(t));
    return T2G_OK;
}

static t2g_status next_of_records(text_files *t, const char **text,
                                  size_t *length, bool *more)
{
    *more = true;
    if (!t->pending || t->given == json_array_size(t->pending))
        T2G_TRY(next_record(t, more));
    if (!*more)
        return T2G_OK;
    const json_t *s = json_array_get(t->pending, t->given++);
    *text = json_string_value(s);
    *length = json_string_length(s);
    return T2G_OK;
}

/* --- all ----------------------------------------------------------------- */

t2g_status text_files_next(text_files *t, const char **text, size_t *length)
{
    for (;;) {
        bool more = false;
        if (!t->is_open && t->opened == t->path_count) {
            *text = NULL;
            return T2G_OK;
        }
        if (!t->is_open)
            T2G_TRY(open_next(t));
        T2G_TRY(t->is_records ? next_of_records(t, text, length, &more)
                              : next_plain(t, text, length, &more));
        if (more)
            return T2G_OK;
        close_file(t);
    }
}
