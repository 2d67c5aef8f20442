/* Asking critics outside this program: many questions at a time, tried again
 * when a fault may pass, every answer kept, nothing asked twice. */
#ifndef ASKING_H
#define ASKING_H

#include "cli.h"

/* What came of one try. */
typedef enum trial_end {
    TRIAL_ANSWERED,
    TRIAL_AGAIN,   /* the asker will put it otherwise: at once */
    TRIAL_LATER,   /* a fault that may pass: again after a while */
    TRIAL_REFUSED, /* this one will not be answered */
    TRIAL_HOPELESS /* none will */
} trial_end;

typedef struct trial {
    size_t slot;
    trial_end end;
    json_t *answer;   /* ANSWERED: to be kept, taken by the reader */
    double wait;      /* LATER: seconds the other side asks for, else 0 */
    char reason[384]; /* all others: why */
} trial;

/* What answers took; all 0 where nobody counts. */
typedef struct usage {
    double prompt_tokens, completion_tokens, cost;
} usage;
/* "500 + 50 tokens, cost 0.0123" into text, or "". */
void usage_text(char *text, size_t room, const usage *u);

/* A way of asking. Questions are known by the index of their record. */
typedef struct asker asker;
struct asker {
    char version[160]; /* "critic" of the records it writes */
    size_t limit;      /* slots to be used now; may change from try to try */
    usage used;        /* so far, by this run */
    /* Equal keys: the same question. */
    t2g_status (*key)(asker *a, size_t record, char key[T2G_ANSWER_KEY]);
    /* An answer of an earlier run, before any question; may be NULL. */
    void (*known)(asker *a, const json_t *answer);
    t2g_status (*start)(asker *a, size_t slot, size_t record);
    /* Lets time pass until a try ends, `seconds` at most. */
    t2g_status (*wait)(asker *a, double seconds);
    bool (*next)(asker *a, trial *out); /* the next try that ended */
    void (*close)(asker *a);
};

typedef struct asking_options {
    const char *answers;  /* the file that keeps them */
    uint64_t concurrency, retries;
    double retry_delay;   /* seconds before the first repetition */
    bool allow_failed;    /* records without an answer do not stop the run */
} asking_options;

/* How it ended. Answers are found by the keys of the records. */
typedef struct asked {
    t2g_answers *answers;
    char (*key)[T2G_ANSWER_KEY]; /* [records] */
    json_t *failed;              /* key -> why there is no answer */
    size_t questions, from_file; /* different ones, and those not asked */
    size_t tries;
    bool stopped; /* people alone: before all was answered */
} asked;

/* Asks about records 0..count-1. Without all answers it fails, saying how many
 * are kept and how to go on; what is in flight is finished first. */
T2G_CHECK t2g_status ask_all(asked *out, asker *a, const t2g_records *records,
                             const asking_options *o, const invocation *inv);
void asked_free(asked *a);

#endif
