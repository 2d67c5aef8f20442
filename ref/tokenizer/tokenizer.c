#include <string.h>

#include "tokenizer_private.h"

t2g_status t2g_tokenizer_new(t2g_tokenizer **out)
{
    t2g_tokenizer *t = t2g_calloc(1, sizeof *t);
    *out = t;
    if (!t)
        return T2G_ERR_MEMORY;
    t->bos = t->eos = t->pad = T2G_NO_TOKEN;
    t->max_length = 1e30; /* what Hugging Face writes for no limit */
    return T2G_OK;
}

void t2g_tokenizer_free(t2g_tokenizer *t)
{
    if (!t)
        return;
    t2g_vocabulary_free(&t->vocabulary);
    t2g_merges_free(&t->merges);
    t2g_free(t->raw.id);
    t2g_free(t->normalized.id);
    t2g_free(t->before.id);
    t2g_free(t->after.id);
    json_decref(t->parts);
    t2g_free(t->chat_template);
    t2g_free(t);
}

/* The id a new added token takes: behind the vocabulary, or behind the largest
 * added id once that is not below the vocabulary's count. */
static uint32_t next_added_id(const t2g_vocabulary *v)
{
    size_t largest = 0;
    bool any = false;
    for (size_t id = 0; id < v->size; id++)
        if (v->token[id].flags & TOKEN_ADDED) {
            largest = id;
            any = true;
        }
    if (any && (largest >= v->model_count || v->model_count == 0))
        return (uint32_t)largest + 1;
    return (uint32_t)v->model_count;
}

t2g_status t2g_tokenizer_add(t2g_tokenizer *t, const char *content, size_t n,
                             unsigned flags)
{
    const unsigned own = TOKEN_MODEL | TOKEN_SYMBOLIC;
    t2g_vocabulary *v = &t->vocabulary;
    if (n == 0)
        return T2G_OK;
    int64_t id = t2g_vocabulary_find(v, content, n);
    if (id == T2G_NO_TOKEN)
        return t2g_vocabulary_put(v, next_added_id(v), content, n,
                                  flags | TOKEN_ADDED);
    v->token[id].flags = (v->token[id].flags & own) | flags | TOKEN_ADDED;
    return T2G_OK;
}

t2g_status t2g_tokenizer_finish(t2g_tokenizer *t)
{
    for (int byte = 0; byte < 256; byte++) {
        char c = (char)byte;
        t->byte_id[byte] = t2g_vocabulary_find_bytes(&t->vocabulary, &c, 1);
    }
    T2G_TRY(t2g_added_build(&t->raw, &t->vocabulary,
                            TOKEN_ADDED | TOKEN_NORMALIZED, TOKEN_ADDED));
    return t2g_added_build(&t->normalized, &t->vocabulary,
                           TOKEN_ADDED | TOKEN_NORMALIZED,
                           TOKEN_ADDED | TOKEN_NORMALIZED);
}

size_t t2g_tokenizer_size(const t2g_tokenizer *t)
{
    return t->vocabulary.size;
}

int64_t t2g_tokenizer_id(const t2g_tokenizer *t, const char *content)
{
    return t2g_vocabulary_find(&t->vocabulary, content, strlen(content));
}

int64_t t2g_tokenizer_bos(const t2g_tokenizer *t)
{
    return t->bos;
}

int64_t t2g_tokenizer_eos(const t2g_tokenizer *t)
{
    return t->eos;
}

int64_t t2g_tokenizer_pad(const t2g_tokenizer *t)
{
    return t->pad;
}

const char *t2g_tokenizer_chat_template(const t2g_tokenizer *t)
{
    return t->chat_template;
}
