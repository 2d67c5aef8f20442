/** Critics outside this program: what a language model is asked, what its
 * server says, and the file that keeps answers which cost time or money. Paper,
 * section 3: dual feedback, a critique in words and the phrases it praises or
 * blames. Nothing here touches a network. */
#ifndef T2G_CRITIC_H
#define T2G_CRITIC_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "t2g/feedback.h"
#include "t2g/memory.h"
#include "t2g/status.h"

/* --- prompts -------------------------------------------------------------- */

/** The paper's tasks: summaries, answers, programs. */
typedef enum t2g_critic_task {
    T2G_CRITIC_SUM,
    T2G_CRITIC_QA,
    T2G_CRITIC_CODE
} t2g_critic_task;

/** A prompt with the places {prompt}, {response}, {reference}; {{ and }} stand
 * for braces. `name` is the file, for messages. */
typedef struct t2g_prompt_template {
    const char *name, *text;
    size_t n;
} t2g_prompt_template;

/** The built-in template of a task: think first, then criticise, then quote. */
t2g_prompt_template t2g_critic_template(t2g_critic_task task);

/** What a critic is asked about. reference may be NULL. */
typedef struct t2g_critic_case {
    const char *prompt, *response, *reference;
    size_t prompt_n, response_n, reference_n;
} t2g_critic_case;

/** A single brace or an unknown name is T2G_ERR_FORMAT "NAME:LINE:COLUMN: ...",
 * and so is a template that never shows the response. */
T2G_CHECK t2g_status t2g_critic_template_check(const t2g_prompt_template *t);

/** Appends the filled template. A case without the reference that the template
 * shows is T2G_ERR_FORMAT. */
T2G_CHECK t2g_status t2g_critic_fill(t2g_buffer *out,
                                     const t2g_prompt_template *t,
                                     const t2g_critic_case *c);

/* --- chat completions ----------------------------------------------------- */

/** What the server is told about the form of a reply; weaker ones first. */
typedef enum t2g_reply_form {
    T2G_REPLY_FREE,
    T2G_REPLY_JSON_OBJECT,
    T2G_REPLY_JSON_SCHEMA
} t2g_reply_form;

typedef struct t2g_chat_options {
    const char *model;
    double temperature, top_p;
    uint64_t max_tokens;
    const json_t *extra; /* object or NULL: members that replace ours, null
                            ones remove them */
} t2g_chat_options;

/** Appends the body of POST /chat/completions: one user message. */
T2G_CHECK t2g_status t2g_chat_request(t2g_buffer *out,
                                      const t2g_chat_options *o,
                                      t2g_reply_form form, const char *prompt,
                                      size_t n);

/** Reads the body of a chat completion. *answer, the caller's, is what an
 * answer file keeps: {"reply", "finish_reason", "model", "prompt_tokens",
 * "completion_tokens"}, members that the server did not give left out but for
 * reply. A body that is no chat completion is T2G_ERR_FORMAT. */
T2G_CHECK t2g_status t2g_chat_answer(json_t **answer, const char *body,
                                     size_t n);

/** What the body of an error says, on one line of printable characters: the
 * message of the JSON error if there is one, else how the body begins. */
void t2g_chat_error(char *out, size_t room, const char *body, size_t n);

/** The critique of an answer. Thoughts that a reasoning model puts in front
 * (<think>...</think>) are passed over. A reply that was cut (finish_reason
 * "length", "content_filter") is UNPARSED: the phrases that it lost would have
 * been the poor ones. T2G_ERR_MEMORY alone fails. */
T2G_CHECK t2g_status t2g_answer_critique(t2g_critique *out,
                                         const json_t *answer);

/* --- answers kept --------------------------------------------------------- */

enum { T2G_ANSWER_KEY = 33 }; /* 32 hexadecimal digits and a NUL */

typedef struct t2g_bytes {
    const char *data;
    size_t n;
} t2g_bytes;

/** XXH3-128 of the parts, each behind its length. */
T2G_CHECK t2g_status t2g_answer_key(char key[T2G_ANSWER_KEY],
                                    const t2g_bytes *part, size_t count);

/** A file of answers, JSON Lines, each {"key": ..., members of the answer}.
 * One process at a time has it open. */
typedef struct t2g_answers t2g_answers;

/** Opens or creates it. A last line that a crash tore is cut off; any other bad
 * line is T2G_ERR_FORMAT, for answers may have been paid for. A file that
 * another process has open is T2G_ERR_IO. */
T2G_CHECK t2g_status t2g_answers_open(t2g_answers **a, const char *path);
/** The answer under a key, owned by a; NULL: none. */
const json_t *t2g_answers_find(const t2g_answers *a, const char *key);
size_t t2g_answers_count(const t2g_answers *a);
/** Keeps an answer (an object with a string "reply"); once it returns T2G_OK
 * the line is on disk. When it fails the file is as before. */
T2G_CHECK t2g_status t2g_answers_add(t2g_answers *a, const char *key,
                                     const json_t *answer);
void t2g_answers_close(t2g_answers *a); /* a may be NULL */

#endif
