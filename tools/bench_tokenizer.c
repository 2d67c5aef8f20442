/* Encoding with offsets: files of one's own with a tokenizer of one's own, or
 * made-up prose, code and many scripts with vocabularies learned from them. */
#include <string.h>

#include "bench.h"

enum { DOCUMENT = 4096 }; /* about so many bytes are a text */

typedef struct corpus {
    t2g_buffer text;
    size_t *end; /* [count], of each document */
    size_t count, next;
    const t2g_tokenizer *tok;
    int threads;
} corpus;

static void free_corpus(corpus *c)
{
    t2g_buffer_free(&c->text);
    t2g_free(c->end);
}

/* Cuts the text into documents, between characters. */
static t2g_status cut(corpus *c)
{
    c->end = t2g_calloc(c->text.size / DOCUMENT + 1, sizeof *c->end);
    if (!c->end)
        return T2G_ERR_MEMORY;
    for (size_t p = 0; p < c->text.size;) {
        p = p + DOCUMENT < c->text.size ? p + DOCUMENT : c->text.size;
        while (p < c->text.size &&
               ((unsigned char)c->text.data[p] & 0xc0) == 0x80)
            p++;
        c->end[c->count++] = p;
    }
    return T2G_OK;
}

/* --- made-up texts -------------------------------------------------------- */

typedef struct maker {
    t2g_buffer *out;
    uint64_t state;
} maker;

static uint32_t below(maker *m, uint32_t n)
{
    m->state = m->state * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return (uint32_t)(m->state >> 33) % n;
}

/* The number of a word: small ones are frequent, as in real texts. */
static uint32_t rank(maker *m, uint32_t most)
{
    uint32_t r = below(m, most) + 1;
    return below(m, r) * (below(m, 4) > 0 ? 1 : 7) % most;
}

/* A word of two to nine letters, the same for the same number. */
static t2g_status put_word(maker *m, uint32_t number)
{
    static const char *const syllables[] = {
        "the", "re", "in", "er", "an", "to", "al", "ing", "ed", "on", "it",
        "st", "con", "ver", "ma", "le", "un", "pro", "si", "ta"};
    T2G_TRY(t2g_buffer_puts(m->out, syllables[number % 20]));
    for (number /= 20; number > 0; number /= 20)
        T2G_TRY(t2g_buffer_puts(m->out, syllables[number % 20]));
    return T2G_OK;
}

static t2g_status put_sentence(maker *m)
{
    uint32_t words = 4 + below(m, 16);
    for (uint32_t i = 0; i < words; i++) {
        T2G_TRY(put_word(m, rank(m, 6000)));
        T2G_TRY(t2g_buffer_puts(m->out, i + 1 < words     ? below(m, 9) ? " "
                                                                      : ", "
                                        : below(m, 5) > 0 ? ". " : ".\n\n"));
    }
    return T2G_OK;
}

static t2g_status put_line_of_code(maker *m)
{
    static const char *const forms[] = {
        "    for %c in range(%u):\n", "        total_%c += values[%u]\n",
        "if (count_%c < %u) {\n", "    return self.%c_items[:%u]\n", "}\n\n",
        "def update_%c(x, size=%u):\n", "    \"\"\"Returns %c of %u.\"\"\"\n"};
    uint32_t form = below(m, 7);
    if (form == 4)
        return t2g_buffer_puts(m->out, forms[4]);
    return t2g_buffer_printf(m->out, forms[form], 'a' + (int)below(m, 26),
                             below(m, 1000));
}

/* A few words of one script. */
static t2g_status put_script(maker *m)
{
    static const uint32_t first[] = {0x4e00, 0x3042, 0xac00, 0x430, 0x627,
                                     0x915, 0xe0, 0x1f600};
    uint32_t script = first[below(m, 8)], words = 3 + below(m, 12);
    for (uint32_t i = 0; i < words; i++) {
        uint32_t number = rank(m, 3000);
        for (uint32_t k = 1 + number % 4; k > 0; k--, number /= 3) {
            uint32_t c = script + number % 40;
            char s[4] = {(char)(0xf0 | c >> 18),
                         (char)(0x80 | (c >> 12 & 0x3f)),
                         (char)(0x80 | (c >> 6 & 0x3f)),
                         (char)(0x80 | (c & 0x3f))};
            size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
            char *from = s + 4 - n;
            from[0] = (char)((n == 2 ? 0xc0 : n == 3 ? 0xe0 : 0xf0) |
                             c >> 6 * (n - 1));
            T2G_TRY(t2g_buffer_append(m->out, from, n));
        }
        T2G_TRY(t2g_buffer_puts(m->out, i + 1 < words ? " " : "\n"));
    }
    return T2G_OK;
}

static t2g_status make(corpus *c, t2g_status (*put)(maker *m))
{
    enum { BYTES = 2000000 };
    maker m = {&c->text, 1};
    while (c->text.size < BYTES)
        T2G_TRY(put(&m));
    return cut(c);
}

/* --- measuring ------------------------------------------------------------ */

static t2g_status encode_share(const corpus *c, size_t first, size_t end)
{
    t2g_encoding e = {0};
    t2g_status s = T2G_OK;
    for (size_t i = first; i < end && s == T2G_OK; i++) {
        size_t begin = i > 0 ? c->end[i - 1] : 0;
        e.count = 0;
        s = t2g_tokenizer_encode(c->tok, c->text.data + begin,
                                 c->end[i] - begin, 0, &e);
    }
    t2g_encoding_free(&e);
    return s;
}

static t2g_status encode_all(void *context)
{
    const corpus *c = context;
    int failed = 0;
#pragma omp parallel for num_threads(c->threads) reduction(| : failed)
    for (int k = 0; k < c->threads; k++)
        failed |= encode_share(c, (size_t)k * c->count / (size_t)c->threads,
                               (size_t)(k + 1) * c->count /
                                   (size_t)c->threads) != T2G_OK;
    return failed ? t2g_fail(T2G_ERR_FORMAT, "a text cannot be encoded")
                  : T2G_OK;
}

static t2g_status measure(bench *b, const t2g_kernels *k, corpus *c,
                          const char *shape)
{
    int most = t2g_threads();
    for (c->threads = 1; c->threads <= most; c->threads++) {
        const bench_entry e = {
            .group = "tokenizer", .name = "encode", .shape = shape,
            .isa = k->isa, .threads = c->threads, .amount =
                (double)c->text.size, .scale = 1e-6, .unit = "MB/s",
            .run = encode_all, .context = c};
        if (c->threads == 1 || c->threads == most)
            T2G_TRY(bench_measure(b, &e));
    }
    return T2G_OK;
}

static t2g_status next_document(void *context, const char **text, size_t *n)
{
    corpus *c = context;
    size_t begin = c->next > 0 ? c->end[c->next - 1] : 0;
    *text = c->next < c->count ? c->text.data + begin : NULL;
    *n = c->next < c->count ? c->end[c->next] - begin : 0;
    c->next++;
    return T2G_OK;
}

static t2g_status bench_made_up(bench *b, const t2g_kernels *k, corpus *c,
                                t2g_status (*put)(maker *m), const char *name)
{
    static const char *const splits[] = {"gpt2", "llama3"};
    t2g_status s = make(c, put);
    for (size_t i = 0; i < 2 && s == T2G_OK; i++) {
        t2g_tokenizer *tok = NULL;
        const t2g_tokenizer_training options = {
            .vocab_size = 8192, .pre_tokenizer = splits[i],
            .next = next_document, .context = c};
        char shape[64];
        snprintf(shape, sizeof shape, "%s, %s", name, splits[i]);
        c->next = 0;
        s = t2g_tokenizer_train(&tok, &options);
        c->tok = tok;
        if (s == T2G_OK)
            s = measure(b, k, c, shape);
        t2g_tokenizer_free(tok);
    }
    return s;
}

static t2g_status bench_file(bench *b, const t2g_kernels *k,
                             const t2g_tokenizer *tok, const char *path)
{
    const char *slash = strrchr(path, '/');
    corpus c = {.tok = tok};
    t2g_status s = t2g_file_read(path, &c.text);
    if (s == T2G_OK)
        s = cut(&c);
    if (s == T2G_OK)
        s = measure(b, k, &c, slash ? slash + 1 : path);
    free_corpus(&c);
    return s;
}

static t2g_status bench_files(bench *b, const t2g_kernels *k)
{
    t2g_tokenizer *tok;
    T2G_TRY(t2g_tokenizer_load(&tok, b->tokenizer));
    t2g_status s = T2G_OK;
    for (size_t i = 0; i < b->texts.count && s == T2G_OK; i++)
        s = bench_file(b, k, tok, b->texts.item[i]);
    t2g_tokenizer_free(tok);
    return s;
}

t2g_status bench_tokenizer(bench *b, const t2g_kernels *k)
{
    static const struct {
        const char *name;
        t2g_status (*put)(maker *m);
    } kinds[] = {{"prose", put_sentence}, {"code", put_line_of_code},
                 {"scripts", put_script}};
    if (b->tokenizer)
        return bench_files(b, k);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        corpus c = {.count = 0};
        t2g_status s = bench_made_up(b, k, &c, kinds[i].put, kinds[i].name);
        free_corpus(&c);
        T2G_TRY(s);
    }
    return T2G_OK;
}
