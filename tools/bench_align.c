/* Alignment of generated responses: how many a second with exact and damaged
 * quotes, and how time grows with length and number of spans. The released code
 * (Python, its own finder) does 7500 responses a second with exact quotes, 265
 * with mixed ones and 54 with damaged ones of this size. */
#include <string.h>

#include "bench.h"

enum { RESPONSES = 64, WORDS = 70, SPANS = 5, TOKEN = 5 };

/* One response with its critique; tokens of five bytes. */
typedef struct sample {
    t2g_buffer text;
    t2g_critique critique;
    size_t *offset, tokens;
} sample;

typedef struct samples {
    sample item[RESPONSES];
    size_t count;
    t2g_stream stream;
    uint64_t drawn;
    t2g_align_options options;
} samples;

static size_t draw(samples *x, size_t n)
{
    return t2g_random_below(&x->stream, x->drawn++, (uint32_t)n);
}

static t2g_status make_text(samples *x, t2g_buffer *text, size_t words)
{
    static const char *const syllables[] = {
        "ka", "lo", "mi", "ren", "sta", "vel", "dor", "in", "qu\xc3\xa9",
        "pas", "ter", "un"};
    for (size_t i = 0; i < words; i++) {
        size_t parts = 1 + draw(x, 4);
        if (i > 0)
            T2G_TRY(t2g_buffer_puts(text, draw(x, 9) ? " " : ", "));
        for (size_t k = 0; k < parts; k++)
            T2G_TRY(t2g_buffer_puts(text, syllables[draw(x, 12)]));
    }
    return t2g_buffer_puts(text, ".");
}

static bool inside_character(const t2g_buffer *b, size_t i)
{
    return ((unsigned char)b->data[i] & 0xc0) == 0x80;
}

/* Every twelfth letter another, every fifth blank doubled, a word lost. */
static t2g_status damage(samples *x, t2g_buffer *out, const char *quote,
                         size_t n)
{
    size_t lost = draw(x, n);
    for (size_t i = 0; i < n; i++) {
        bool ascii = (unsigned char)quote[i] < 0x80;
        if (i >= lost && i < lost + 4 && ascii)
            continue;
        if (ascii && draw(x, 12) == 0)
            T2G_TRY(t2g_buffer_puts(out, "x"));
        else
            T2G_TRY(t2g_buffer_append(out, quote + i, 1));
        if (quote[i] == ' ' && draw(x, 5) == 0)
            T2G_TRY(t2g_buffer_puts(out, " "));
    }
    return T2G_OK;
}

/* A quote of about 45 characters somewhere in the text. */
static t2g_status add_quote(samples *x, sample *s, bool damaged)
{
    size_t length = 30 + draw(x, 30);
    size_t begin = draw(x, s->text.size - length), end = begin + length;
    t2g_buffer quote = {0};
    while (inside_character(&s->text, begin))
        begin++;
    while (inside_character(&s->text, end))
        end--;
    t2g_status status =
        damaged ? damage(x, &quote, s->text.data + begin, end - begin)
                : t2g_buffer_append(&quote, s->text.data + begin, end - begin);
    if (status == T2G_OK)
        status = t2g_critique_add(&s->critique, quote.data, quote.size,
                                  draw(x, 2) ? 1 : -1, "spans");
    t2g_buffer_free(&quote);
    return status;
}

static t2g_status make_sample(samples *x, sample *s, size_t words, size_t spans,
                              unsigned damaged_of_4)
{
    T2G_TRY(make_text(x, &s->text, words));
    for (size_t k = 0; k < spans; k++)
        T2G_TRY(add_quote(x, s, draw(x, 4) < damaged_of_4));
    s->tokens = (s->text.size + TOKEN - 1) / TOKEN;
    s->offset = t2g_calloc(2 * s->tokens, sizeof *s->offset);
    if (!s->offset)
        return T2G_ERR_MEMORY;
    for (size_t t = 0; t < s->tokens; t++) {
        s->offset[2 * t] = t * TOKEN;
        s->offset[2 * t + 1] = t + 1 < s->tokens ? (t + 1) * TOKEN
                                                 : s->text.size;
    }
    return T2G_OK;
}

static void free_samples(samples *x)
{
    for (size_t i = 0; x && i < RESPONSES; i++) {
        t2g_buffer_free(&x->item[i].text);
        t2g_critique_free(&x->item[i].critique);
        t2g_free(x->item[i].offset);
    }
    t2g_free(x);
}

static t2g_status align_all(void *context)
{
    samples *x = context;
    for (size_t i = 0; i < x->count; i++) {
        const sample *s = &x->item[i];
        t2g_alignment a;
        T2G_TRY(t2g_align(&a, s->text.data, s->text.size, &s->critique,
                          s->offset, s->tokens, &x->options));
        t2g_alignment_free(&a);
    }
    return T2G_OK;
}

/* What an entry aligns. */
typedef struct shape {
    const char *name, *shape;
    size_t responses, words, spans;
    unsigned damaged_of_4; /* of four quotes */
} shape;

static t2g_status bench_shape_of(bench *b, const t2g_kernels *k,
                                 const shape *p)
{
    samples *x = t2g_calloc(1, sizeof *x);
    t2g_status s = x ? T2G_OK : T2G_ERR_MEMORY;
    if (x)
        *x = (samples){.count = p->responses,
                       .stream = {42, 0, 0, T2G_RNG_DATA},
                       .options = {.kernels = k}};
    for (size_t i = 0; s == T2G_OK && i < p->responses; i++)
        s = make_sample(x, &x->item[i], p->words, p->spans, p->damaged_of_4);
    if (s == T2G_OK)
        s = bench_measure(b, &(bench_entry){
            .group = "align", .name = p->name, .shape = p->shape, .isa = k->isa,
            .threads = 1, .amount = (double)p->responses, .scale = 1,
            .unit = "resp/s", .run = align_all, .context = x});
    free_samples(x);
    return s;
}

t2g_status bench_align(bench *b, const t2g_kernels *k)
{
    static const shape shapes[] = {
        {"exact quotes", "0.5 kB, 5 spans", RESPONSES, WORDS, SPANS, 0},
        {"mixed quotes", "0.5 kB, 5 spans", RESPONSES, WORDS, SPANS, 2},
        {"damaged quotes", "0.5 kB, 5 spans", RESPONSES, WORDS, SPANS, 4},
        {"damaged, length", "1 kB, 10 spans", 8, 150, 10, 4},
        {"damaged, length", "10 kB, 10 spans", 4, 1500, 10, 4},
        {"damaged, length", "100 kB, 10 spans", 1, 15000, 10, 4},
        {"damaged, spans", "10 kB, 1 span", 4, 1500, 1, 4},
        {"damaged, spans", "10 kB, 100 spans", 4, 1500, 100, 4},
        {"damaged, both", "100 kB, 100 spans", 1, 15000, 100, 4}};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        T2G_TRY(bench_shape_of(b, k, &shapes[i]));
    return T2G_OK;
}
