/* Tokenizer and alignment, on the messages of the built-in task. */
#include <string.h>

#include "bench.h"

enum { MESSAGES = 512, VOCABULARY = 1024 };

/* Messages with their summaries and critiques. */
typedef struct texts {
    t2g_buffer post[MESSAGES], summary[MESSAGES];
    t2g_critique critique[MESSAGES];
    size_t bytes, next;
    t2g_tokenizer *tok;
    t2g_encoding encoding[MESSAGES], work;
} texts;

static void free_texts(texts *x)
{
    for (size_t i = 0; x && i < MESSAGES; i++) {
        t2g_buffer_free(&x->post[i]);
        t2g_buffer_free(&x->summary[i]);
        t2g_critique_free(&x->critique[i]);
        t2g_encoding_free(&x->encoding[i]);
    }
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
    for (size_t i = 0; i < MESSAGES; i++) {
        t2g_buffer *post = &x->post[i], *summary = &x->summary[i];
        T2G_TRY(t2g_facts_sample(42, (uint32_t)i, 0, &t2g_facts_spoiled, post,
                                 summary));
        T2G_TRY(t2g_facts_check(post->data, post->size, summary->data,
                                summary->size, &x->critique[i], NULL));
        x->bytes += post->size;
    }
    T2G_TRY(t2g_tokenizer_train(&x->tok, &options));
    for (size_t i = 0; i < MESSAGES; i++)
        T2G_TRY(t2g_tokenizer_encode(x->tok, x->summary[i].data,
                                     x->summary[i].size, 0, &x->encoding[i]));
    return T2G_OK;
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

static t2g_status align_all(void *context)
{
    texts *x = context;
    for (size_t i = 0; i < MESSAGES; i++) {
        t2g_alignment a = {0};
        T2G_TRY(t2g_align(&a, x->summary[i].data, x->summary[i].size,
                          &x->critique[i], x->encoding[i].offset,
                          x->encoding[i].count, NULL));
        t2g_alignment_free(&a);
    }
    return T2G_OK;
}

static t2g_status bench_texts(bench *b, const t2g_kernels *k, bench_entry e)
{
    texts *x = t2g_calloc(1, sizeof *x);
    t2g_status s = x ? make_texts(x) : T2G_ERR_MEMORY;
    e.isa = k->isa;
    e.threads = 1;
    e.context = x;
    if (s == T2G_OK) {
        if (e.amount == 0)
            e.amount = (double)x->bytes;
        s = bench_measure(b, &e);
    }
    free_texts(x);
    return s;
}

t2g_status bench_tokenizer(bench *b, const t2g_kernels *k)
{
    return bench_texts(b, k, (bench_entry){
        .group = "tokenizer", .name = "encode", .shape = "messages",
        .scale = 1e-6, .unit = "MB/s", .run = encode_all});
}

t2g_status bench_align(bench *b, const t2g_kernels *k)
{
    return bench_texts(b, k, (bench_entry){
        .group = "align", .name = "align", .shape = "summaries",
        .amount = MESSAGES, .scale = 1e-3, .unit = "k/s", .run = align_all});
}
