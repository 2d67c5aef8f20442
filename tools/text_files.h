/* Texts of files, one after the other: plain text, or strings of records. */
#ifndef TEXT_FILES_H
#define TEXT_FILES_H

#include "cli.h"

typedef struct text_files {
    char **path;
    size_t path_count;
    const char *format; /* of records, see t2g_records_read */
    string_list fields; /* their members; none: those that hold text */
    bool by_line;       /* plain text line by line, line ends included */
    bool skip_bad;
    void (*report)(void *context, const char *message); /* each one skipped */
    void *context;
    size_t skipped; /* broken lines so far */

    size_t opened; /* files so far */
    bool is_open, is_records;
    t2g_buffer text;  /* plain text as a whole */
    t2g_lines *lines; /* plain text by line, or records; never all at once */
    size_t line;      /* of them, so far */
    t2g_records records; /* those of a format, or the one of the line */
    size_t record;       /* the next one */
    size_t found;    /* texts in this file's records so far */
    json_t *pending; /* texts of the latest record */
    size_t given;    /* of them */
} text_files;

/* JSON Lines by its name (.jsonl, .json, with .gz) or because a format or
 * fields were asked for; anything else is plain text. "-" is stdin. */
bool text_files_are_records(const text_files *t, const char *path);

/* The next text, valid until the next call; *text = NULL at the end. A member
 * that was asked for by name must be there; a file of records without any text
 * is an error. */
T2G_CHECK t2g_status text_files_next(text_files *t, const char **text,
                                     size_t *length);

/* The name of the file that the latest text came from. */
const char *text_files_current(const text_files *t);

void text_files_free(text_files *t);

#endif
