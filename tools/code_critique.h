/* What a run of the tests says about a response: a critique in words, and the
 * lines that it can show to be wrong. */
#ifndef CODE_CRITIQUE_H
#define CODE_CRITIQUE_H

#include "cli.h"

typedef struct code_run {
    const t2g_code *code;
    t2g_text response;
    const json_t *result; /* the harness's report; NULL: there was none */
    const char *output;   /* the end of what it printed */
    int status;           /* as a shell would say it: 128 + signal */
    bool late;            /* we had to end it */
    bool other_language;  /* run without the harness */
    double timeout;
} code_run;

/* One word for how it went: "passed", "assertion", "exception", "syntax",
 * "timeout", "memory", "missing", "exit", "ended", "failed", ... */
const char *code_outcome(const code_run *r);

/* Appends the critique as a reply: JSON that t2g_critique_parse reads. A pass
 * praises the body of the entry point, else all code; a failure blames at most
 * one line, and none without evidence: where it was raised, where the time ran
 * out, or the one line that returned the wrong value. */
T2G_CHECK t2g_status code_critique(t2g_buffer *reply, const code_run *r);

#endif
