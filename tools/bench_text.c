/* The tokenizer, on the messages of the built-in task. */
#include <string.h>

#include "bench.h"

enum { MESSAGES = 512, VOCABULARY = 1024 };

typedef struct texts {
    t2g_buffer post[MESSAGES];
    size_t bytes, next;
    t2g_tokenizer *tok;
    t2g_encoding work;
} texts;

static void free_texts(texts *x)
{
    for (size_t i = 0; x && i < MESSAGES; i++)
        t2g_buffer_free(&x->post[i]);
    if (x) {
        t2g_encoding_free(&x->work);
        t2g_tokenizer_free(x->tok);
    }
    t2g_free(x);
}

static t2g_status next_text(void *context, const char **text, size_t *length)
{
    texts *x = context;
    *text = NULL;
    if (x->next < MESSAGES) {
        *text = x->post[x->next].data;
        *length = x->post[x->next].size;
        x->next++;
    }
    return T2G_OK;
}

static t2g_status make_texts(texts *x)
{
    const t2g_tokenizer_training options = {
        .vocab_size = VOCABULARY, .pre_tokenizer = "gpt2", .next = next_text,
        .context = x};
    t2g_buffer summary = {0};
    t2g_status s = T2G_OK;
    for (size_t i = 0; s == T2G_OK && i < MESSAGES; i++) {
        summary.size = 0;
        s = t2g_facts_sample(42, (uint32_t)i, 0, &t2g_facts_spoiled,
                             &x->post[i], &summary);
        x->bytes += x->post[i].size;
    }
    t2g_buffer_free(&summary);
    return s == T2G_OK ? t2g_tokenizer_train(&x->tok, &options) : s;
}

static t2g_status encode_all(void *context)
{
    texts *x = context;
    for (size_t i = 0; i < MESSAGES; i++) {
        x->work.count = 0;
        T2G_TRY(t2g_tokenizer_encode(x->tok, x->post[i].data, x->post[i].size,
                                     0, &x->work));
    }
    return T2G_OK;
}

t2g_status bench_tokenizer(bench *b, const t2g_kernels *k)
{
    texts *x = t2g_calloc(1, sizeof *x);
    t2g_status s = x ? make_texts(x) : T2G_ERR_MEMORY;
    if (s == T2G_OK)
        s = bench_measure(b, &(bench_entry){
            .group = "tokenizer", .name = "encode", .shape = "messages",
            .isa = k->isa, .threads = 1, .amount = (double)x->bytes,
            .scale = 1e-6, .unit = "MB/s", .run = encode_all, .context = x});
    free_texts(x);
    return s;
}
