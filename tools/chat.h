/* How prompts and conversations of records become tokens: by a chat template,
 * or as they are. */
#ifndef CHAT_H
#define CHAT_H

#include "t2g/chat.h"
#include "t2g/files.h"
#include "t2g/tokenizer.h"
#include "t2g/train.h"

typedef struct chat_style {
    const t2g_tokenizer *tok;
    t2g_buffer source;         /* of the template; none: as they are */
    const char *name;          /* for messages */
    t2g_chat_template *chat;   /* compiled when first needed */
    char *bos, *eos, *pad;     /* as texts, or NULL */
    int64_t now;               /* SOURCE_DATE_EPOCH, or the clock */
    t2g_chat_text text;        /* the latest conversation */
    uint8_t *target;           /* of the latest example */
    size_t target_capacity;
} chat_style;

/* `given`: the name of a built-in template or a file with one; NULL: the
 * tokenizer's own, if it has one and not `off`. */
T2G_CHECK t2g_status chat_open(chat_style *c, const t2g_tokenizer *tok,
                               const char *given, bool off);
void chat_close(chat_style *c);
/* True if there is a template. */
bool chat_has_template(const chat_style *c);

/* The messages of a record: its messages, its prompt (and completion) as lists,
 * or its prompt as the one of a user. NULL without; a new reference. */
json_t *chat_messages(const json_t *record);
/* Gives a record of messages without a prompt the text of one, for those who
 * read it: the last user's message, after the earlier turns if there are. */
T2G_CHECK t2g_status chat_add_prompt(json_t *record);

/* Renders messages into c->text and appends their tokens. */
T2G_CHECK t2g_status chat_encode(chat_style *c, const json_t *messages,
                                 bool add_generation_prompt, t2g_encoding *out);
/* Appends the prompt of record i. */
T2G_CHECK t2g_status chat_encode_prompt(chat_style *c, const t2g_records *r,
                                        size_t i, t2g_encoding *out);
/* The supervised example of record i: messages, prompt and completion, or text.
 * What it points to lives in work and c until the next call. */
T2G_CHECK t2g_status chat_encode_example(chat_style *c, const t2g_records *r,
                                         size_t i, t2g_encoding *work,
                                         t2g_example *out);

#endif
