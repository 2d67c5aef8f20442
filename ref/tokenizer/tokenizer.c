#include <string.h>

#include "tokenizer_private.h"

t2g_status t2g_tokenizer_new(t2g_tokenizer **out)
{
    t2g_tokenizer *t = t2g_calloc(1, sizeof *t);
    *out = t;
    if (!t)
        return T2G_ERR_MEMORY;
    t->bos = t->eos = t->pad = t->largest_added = T2G_NO_TOKEN;
    t->max_length = 1e30; /* what Hugging Face writes for no limit */
    t->parts = json_object();
    if (t->parts)
        return T2G_OK;
    t2g_free(t);
    *out = NULL;
    return t2g_fail(T2G_ERR_MEMORY, "no memory for a tokenizer");
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
static uint32_t next_added_id(const t2g_tokenizer *t)
{
    int64_t count = (int64_t)t->vocabulary.model_count;
    return (uint32_t)(t->largest_added >= count ? t->largest_added + 1 : count);
}

t2g_status t2g_tokenizer_add(t2g_tokenizer *t, const char *content, size_t n,
                             unsigned flags)
{
    const unsigned own = TOKEN_MODEL | TOKEN_SYMBOLIC;
    t2g_vocabulary *v = &t->vocabulary;
    if (n == 0)
        return T2G_OK;
    int64_t id = t2g_vocabulary_find(v, content, n);
    if (id == T2G_NO_TOKEN) {
        id = next_added_id(t);
        T2G_TRY(t2g_vocabulary_put(v, (uint32_t)id, content, n, 0));
    }
    v->token[id].flags = (v->token[id].flags & own) | flags | TOKEN_ADDED;
    if (id > t->largest_added)
        t->largest_added = id;
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
