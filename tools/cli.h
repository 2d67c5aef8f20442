/* What every command of the program shares: options, messages, progress. */
#ifndef CLI_H
#define CLI_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "t2g/t2g.h"

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_KILLED = 130 };

/* --- options ------------------------------------------------------------- */

typedef enum option_kind {
    OPTION_FLAG,   /* bool: --name, --no-name, --name=true|false */
    OPTION_TEXT,   /* const char * (owned by the parser, NULL = not given) */
    OPTION_COUNT,  /* uint64_t, range checked */
    OPTION_REAL,   /* double, range checked, finite */
    OPTION_CHOICE, /* int: index into choices */
    OPTION_LIST    /* string_list: may be given several times, or "a,b" */
} option_kind;

typedef struct string_list {
    const char **item;
    size_t count;
} string_list;

/* One option of a command. Tables end with a NULL name. `target` holds the
 * default when parsing starts; it is printed by --help. `group` starts a new
 * heading in --help when it differs from the one before. A range of 0 to 0 is
 * none. */
typedef struct option {
    const char *name;  /* with dashes, e.g. "learning-rate" */
    option_kind kind;
    void *target;
    const char *group, *help;
    double min, max;            /* COUNT, REAL */
    const char *const *choices; /* CHOICE: NULL-terminated */
    bool given;                 /* out: on the command line or in --config */
} option;

/* Options that every command has. */
typedef struct common_options {
    uint64_t threads, seed;
    const char *isa;
    bool quiet, json;
} common_options;

typedef struct command {
    const char *name;
    const char *purpose; /* one line */
    const char *usage;   /* what follows the name: "[options] FILE..." */
    const char *example; /* one that works */
    int (*run)(const struct command *self, int argc, char **argv);
} command;

enum { SHARED_OPTIONS = 8 }; /* the common ones, --config, --help, the end */

/* Parsed command line. */
typedef struct invocation {
    const command *command;
    common_options common;
    option *options, shared[SHARED_OPTIONS];
    char **files; /* positional arguments */
    size_t file_count;
    t2g_kernels kernels; /* selected by --isa, T2G_ISA or the CPU */
    json_t *config;      /* --config, owned */
    const char *config_path;
    bool help;
    json_t *owned; /* strings that items of lists point into */
} invocation;

/* Parses argv[1..] into the table's targets; --config FILE (JSON object, keys =
 * option names, dashes or underscores; an unknown key is an error) fills in
 * what the command line does not give. Handles --help. Sets threads and selects
 * kernels. Returns -1 to go on, else the exit status to return at once. */
int cli_parse(invocation *inv, const command *self, option *options, int argc,
              char **argv);
void cli_free(invocation *inv);

/* "t2g COMMAND: message" on stderr; returns EXIT_FAILED (EXIT_USAGE). */
int cli_failed(const invocation *inv);                 /* t2g_error_message() */
int cli_usage(const invocation *inv, const char *fmt, ...) T2G_PRINTF(2, 3);
/* A message on stderr unless --quiet. */
void cli_note(const invocation *inv, const char *fmt, ...) T2G_PRINTF(2, 3);

/* All options as resolved, a valid --config; the caller owns it. Left out is
 * what belongs to one call on one machine: --resume, --overwrite, and --threads
 * and --isa unless they were given. */
json_t *cli_resolved(const invocation *inv);
/* The same name, be it written with dashes or underscores. */
bool cli_same_name(const char *a, const char *b);
/* The name in the NULL-terminated list that `word` probably means, or NULL. */
const char *cli_nearest(const char *word, const char *const *names);

/* Prepares OUTPUT_DIR: makes it; refuses one that holds another run or a model
 * (run.json, model.safetensors) unless `resume` or `overwrite`; writes
 * run.json. */
T2G_CHECK t2g_status cli_output_dir(const invocation *inv, const char *dir,
                                    bool resume, bool overwrite);

/* --- progress ------------------------------------------------------------ */

/* A bar on a terminal, else a plain line every ten seconds; silent if --quiet.
 * Names the stage, shows done/total, a rate ("tok/s") and the time left. */
typedef struct progress {
    const invocation *inv;
    char stage[48];
    double started, shown;
    uint64_t total, done, units;
    const char *unit_name;
    bool terminal;
} progress;
void progress_begin(progress *p, const invocation *inv, const char *stage,
                    uint64_t total);
/* done of total; units (e.g. tokens) so far for the rate, with their name;
 * extra text (loss 1.23) or NULL. */
void progress_update(progress *p, uint64_t done, uint64_t units,
                     const char *unit_name, const char *extra);
/* The last line: the stage with `summary`, or if NULL with count and rate. */
void progress_end(progress *p, const char *summary);
/* Wipes a bar off the terminal so that a message can take its line. */
void progress_clear(void);
double cli_seconds(void); /* monotonic clock */
size_t cli_peak_memory(void); /* bytes resident at most so far */

/* --- terminal ------------------------------------------------------------ */

bool cli_colour(FILE *out); /* a terminal, and NO_COLOR unset or empty */
/* Writes text with each token coloured by its reward (green good, red poor). */
void cli_rewarded_text(FILE *out, const char *text, size_t n,
                       const size_t *offset, const float *reward,
                       size_t tokens);

/* First Ctrl-C sets this; the second ends the program with status 130. */
bool cli_interrupted(void);
void cli_catch_interrupts(void);

#endif
