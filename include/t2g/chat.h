/** Chat templates: from messages to the text a model was trained on. Model
 * folders carry them in Jinja; what real ones use of it is rendered as
 * `apply_chat_template` of Hugging Face transformers renders it (trim_blocks,
 * lstrip_blocks, loop controls, its own tojson, generation blocks), anything
 * else is refused by name, with line and column. Templates are untrusted:
 * depth, steps, memory and with it the output are limited. */
#ifndef T2G_CHAT_H
#define T2G_CHAT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "t2g/memory.h"
#include "t2g/status.h"

/** A compiled template: immutable, used by many threads at once. */
typedef struct t2g_chat_template t2g_chat_template;

/** Compiles n bytes. `name` begins messages ("NAME:LINE:COLUMN: ...").
 * T2G_ERR_FORMAT: not Jinja, or not UTF-8. T2G_ERR_UNSUPPORTED: Jinja that
 * chat templates do not use. */
T2G_CHECK t2g_status t2g_chat_compile(t2g_chat_template **t, const char *text,
                                      size_t n, const char *name);
void t2g_chat_free(t2g_chat_template *t);

/** What a template sees. Start from {0}. */
typedef struct t2g_chat_input {
    const json_t *messages; /* array of objects: role, content, ... Members that
                               are null count as missing, and reasoning is found
                               under each of its usual names, as the reference
                               has it */
    const char *bos_token, *eos_token, *pad_token, *unk_token; /* NULL: none */
    bool add_generation_prompt;
    const json_t *variables; /* object: tools, enable_thinking, ...; or NULL */
    int64_t now;             /* strftime_now, in seconds since 1970, UTC */
} t2g_chat_input;

typedef struct t2g_chat_range {
    size_t begin, end; /* bytes of the text, half open */
} t2g_chat_range;

/** Rendered text. Start from {0}; each call replaces what is there.
 * from_input holds a byte for each byte of text: 1 where it came out of a
 * string of messages or variables, whatever the template did to it, else 0.
 * Text of users must not become a special token: a special token may lie only
 * where all bytes are 0. The role of a message counts as the template's own if
 * it is a plain word (letters, digits, '_', '-'): templates write
 * '<|' + role + '|>'. */
typedef struct t2g_chat_text {
    t2g_buffer text, from_input;
    t2g_chat_range *assistant;
    size_t assistant_count;
} t2g_chat_text;

/** Renders. `assistant` gets what lay in the template's generation blocks.
 * T2G_ERR_ARG: the template's own raise_exception, with its message, or
 * messages that are no array of objects. T2G_ERR_FORMAT: an operation that is
 * an error in Jinja too. T2G_ERR_UNSUPPORTED: a limit, or something refused;
 * T2G_ERR_MEMORY also where the template wants more than it may have. */
T2G_CHECK t2g_status t2g_chat_render(const t2g_chat_template *t,
                                     const t2g_chat_input *in,
                                     t2g_chat_text *out);

/** Renders, add_generation_prompt being ignored, and finds the bytes a model
 * has to write: content and end of turn of each assistant message. These are
 * the generation blocks of a template that has them. Otherwise the text up to a
 * message with the generation prompt must begin the text that includes the
 * message, and this the whole text; what the message adds is its range, without
 * white space behind the eos_token. T2G_ERR_UNSUPPORTED where that does not
 * hold (some templates rewrite earlier turns), naming the message. */
T2G_CHECK t2g_status t2g_chat_assistant_ranges(const t2g_chat_template *t,
                                               const t2g_chat_input *in,
                                               t2g_chat_text *out);
void t2g_chat_text_free(t2g_chat_text *text);

/** A built-in template's text by name ("chatml", "llama3", ...), or NULL: for
 * system, user and assistant turns what the models' own templates give. */
const char *t2g_chat_builtin(const char *name);
/** The i-th name, NULL behind the last. */
const char *t2g_chat_builtin_name(size_t i);

#endif
