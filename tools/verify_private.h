/* The state behind verify.h. */
#ifndef VERIFY_PRIVATE_H
#define VERIFY_PRIVATE_H

#include "verify.h"

/* What happened in one file. */
typedef struct file_tally {
    size_t passed, failed, skipped, fields;
    double worst; /* largest share of a tolerance; < 0: none was measured */
    char worst_at[256];
    json_t *failures, *skips; /* lists, for --json */
} file_tally;

struct verifier {
    const invocation *inv;
    verify_options settings;
    const char *path; /* the file or folder looked at */
    char id[128];     /* the case looked at */
    bool case_failed;
    size_t fields_before; /* of this file when the case began */
    size_t attempted; /* cases of this file, --only's others included */
    file_tally file;
    size_t passed, failed, skipped;
    json_t *reasons; /* why -> how many were skipped */
    json_t *files;   /* list of reports, for --json */
};

/* A file's comparisons begin and end: its line, its share of the totals. */
void verify_file_begin(verifier *v, const char *path);
void verify_file_end(verifier *v);

/* Compares another implementation's file (or case folder) with path's. */
void verify_other(verifier *v, const char *path, const json_t *root,
                  const char *got);

#endif
