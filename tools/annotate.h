/* The options of t2g annotate, and its critics outside this program. */
#ifndef ANNOTATE_H
#define ANNOTATE_H

#include "asking.h"
#include "training.h"

typedef struct annotate_options {
    training_options records; /* data, format, skip-bad-lines */
    const char *output, *answers;
    int critic;
    asking_options asking;
    double timeout; /* seconds for one answer */
    uint64_t max_reply_bytes;

    /* llm */
    const char *base_url, *model, *api_key_env, *api_key_file, *ca_file,
        *prompt_template, *extra_body;
    int task, response_format;
    double temperature, top_p, connect_timeout, stall_timeout, price_input,
        price_output;
    uint64_t max_tokens;
    bool print_prompt;

    const char *command;

    /* people */
    const char *annotator;
    uint64_t port;
    bool prefill, open;

    /* code */
    const char *interpreter;
    uint64_t memory_limit; /* MiB */
    int isolation;
    bool allow_unsandboxed;
} annotate_options;

extern const char *const response_format_names[]; /* as t2g_reply_form */

/* The template that the options name; a file's text goes into *text, which
 * must stay as long as the template. */
T2G_CHECK t2g_status load_template(t2g_prompt_template *t, t2g_buffer *text,
                                   const annotate_options *o);

/* Askers over records r; all arguments must stay until a->close(a). */
T2G_CHECK t2g_status ask_llm_open(asker **a, const annotate_options *o,
                                  const t2g_records *r, const invocation *inv);
T2G_CHECK t2g_status ask_command_open(asker **a, const annotate_options *o,
                                      const t2g_records *r);
T2G_CHECK t2g_status ask_code_open(asker **a, const annotate_options *o,
                                   const t2g_records *r, const invocation *inv);
/* What the code critic's answer adds to a feedback record. */
void code_members(json_t *record, const json_t *answer);

/* Asks people, on a page. Those who stop early, by Ctrl-C, leave out->stopped
 * and a reason for each question without an answer. */
T2G_CHECK t2g_status ask_people(asked *out, const annotate_options *o,
                                const t2g_records *r, const invocation *inv);

#endif
