#include "metrics_case.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "t2g/t2g.h"

/* --- a case --------------------------------------------------------------- */

enum { MOST_INPUTS = 32 };

/* The first failure stays in `status`; what follows then does nothing. */
typedef struct metrics_io {
    const json_t *in, *config;
    json_t *out;
    t2g_status status;
    void *owned[MOST_INPUTS];
    size_t owned_count;
} metrics_io;

static void *own(metrics_io *io, size_t count, size_t size)
{
    void *p = io->owned_count < MOST_INPUTS ? t2g_calloc(count, size) : NULL;
    if (p)
        io->owned[io->owned_count++] = p;
    else
        io->status = t2g_fail(T2G_ERR_MEMORY, "no memory for an input");
    return p;
}

/* The flat list of an input: a tensor's data, or NULL and a failure. */
static const json_t *data_of(metrics_io *io, const char *name)
{
    const json_t *data = json_object_get(json_object_get(io->in, name), "data");
    if (io->status == T2G_OK && !json_is_array(data))
        io->status = t2g_fail(T2G_ERR_FORMAT, "the case has no in.%s", name);
    return io->status == T2G_OK ? data : NULL;
}

double metrics_number(const json_t *value)
{
    const char *text = json_string_value(value);
    if (text && strstr(text, "inf"))
        return *text == '-' ? -INFINITY : INFINITY;
    return json_is_number(value) ? json_number_value(value) : NAN;
}

static double *numbers(metrics_io *io, const char *name, size_t *n)
{
    const json_t *data = data_of(io, name);
    *n = json_array_size(data);
    double *x = data ? own(io, *n, sizeof *x) : NULL;
    for (size_t i = 0; x && i < *n; i++)
        x[i] = metrics_number(json_array_get(data, i));
    return x;
}

/* Whole numbers that are not negative. */
static size_t *sizes(metrics_io *io, const char *name, size_t *n)
{
    const json_t *data = data_of(io, name);
    *n = json_array_size(data);
    size_t *x = data ? own(io, *n, sizeof *x) : NULL;
    for (size_t i = 0; x && i < *n; i++) {
        json_int_t value = json_integer_value(json_array_get(data, i));
        if (value < 0)
            io->status = t2g_fail(T2G_ERR_FORMAT, "in.%s[%zu] is negative",
                                  name, i);
        x[i] = (size_t)value;
    }
    return x;
}

static t2g_text text_of(const json_t *value)
{
    const char *s = json_string_value(value);
    return (t2g_text){s ? s : "", s ? json_string_length(value) : 0};
}

static t2g_text *texts(metrics_io *io, const char *name, size_t *n)
{
    const json_t *data = data_of(io, name);
    *n = json_array_size(data);
    t2g_text *x = data ? own(io, *n, sizeof *x) : NULL;
    for (size_t i = 0; x && i < *n; i++)
        x[i] = text_of(json_array_get(data, i));
    return x;
}

/* Inputs that belong together have one length. */
static void same_count(metrics_io *io, size_t a, size_t b)
{
    if (io->status == T2G_OK && a != b)
        io->status = t2g_fail(T2G_ERR_FORMAT, "inputs of %zu and %zu elements",
                              a, b);
}

static double config(const metrics_io *io, const char *key, double otherwise)
{
    const json_t *value = json_object_get(io->config, key);
    return json_is_number(value) ? json_number_value(value) : otherwise;
}

/* A count, at most 2^32 - 1. */
static size_t config_count(const metrics_io *io, const char *key,
                           double otherwise)
{
    double x = config(io, key, otherwise);
    return x >= 0 && x <= UINT32_MAX ? (size_t)x : UINT32_MAX;
}

static const char *config_text(const metrics_io *io, const char *key)
{
    const char *s = json_string_value(json_object_get(io->config, key));
    return s ? s : "";
}

/* --- its results ---------------------------------------------------------- */

static json_t *number_json(double x)
{
    return isnan(x)    ? json_string("nan")
           : isinf(x) ? json_string(x < 0 ? "-inf" : "inf")
                       : json_real(x);
}

static void put(metrics_io *io, const char *name, const double *x, size_t n)
{
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(list, number_json(x[i]));
    json_object_set_new(io->out, name, list);
}

static void put_one(metrics_io *io, const char *name, double x)
{
    put(io, name, &x, 1);
}

static void put_count(metrics_io *io, const char *name, int64_t x)
{
    json_object_set_new(io->out, name, json_pack("[I]", (json_int_t)x));
}

static void put_counts(metrics_io *io, const char *name, const size_t *x,
                       size_t n)
{
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(list, json_integer((json_int_t)x[i]));
    json_object_set_new(io->out, name, list);
}

static void put_prf(metrics_io *io, const char *name, const char *more,
                    t2g_prf s)
{
    char full[64];
    snprintf(full, sizeof full, "%s.%s", name, more);
    put(io, full, (double[]){s.precision, s.recall, s.f1}, 3);
}

static json_t *token_list(const t2g_tokens *t)
{
    json_t *list = json_array();
    for (size_t i = 0; i < t->count; i++) {
        t2g_text token = t2g_tokens_at(t, i);
        json_array_append_new(list, json_stringn(token.data, token.size));
    }
    return list;
}

/* --- words ---------------------------------------------------------------- */

static t2g_status stems(metrics_io *io)
{
    size_t n;
    t2g_text *word = texts(io, "words", &n);
    json_t *list = json_array();
    for (size_t i = 0; word && i < n; i++) {
        char *s = own(io, word[i].size + 1, 1);
        if (!s)
            break;
        memcpy(s, word[i].data, word[i].size);
        json_array_append_new(
            list, json_stringn(s, t2g_porter_stem(s, word[i].size)));
        t2g_free(io->owned[--io->owned_count]);
    }
    json_object_set_new(io->out, "stems", list);
    return io->status;
}

static t2g_status rouge_tokens(metrics_io *io, const char *name, t2g_text text)
{
    t2g_tokens t = {0};
    t2g_status s = t2g_rouge_tokens(&t, text, true);
    json_object_set_new(io->out, name, token_list(&t));
    t2g_tokens_free(&t);
    return s;
}

static t2g_status rouge(metrics_io *io)
{
    static const char *const names[] = {"rouge1", "rouge2", "rougeL",
                                        "rougeLsum"};
    t2g_text r = text_of(json_object_get(io->in, "reference"));
    t2g_text p = text_of(json_object_get(io->in, "prediction"));
    t2g_prf score[T2G_ROUGES];
    double similarity;
    for (int stem = 0; stem < 2; stem++) {
        T2G_TRY(t2g_rouge(score, r, p, stem));
        for (int k = 0; k < T2G_ROUGES; k++)
            put_prf(io, names[k], stem ? "stem" : "plain", score[k]);
    }
    T2G_TRY(t2g_similarity(&similarity, r, p));
    put_one(io, "official_similarity", similarity);
    T2G_TRY(rouge_tokens(io, "ref_tokens", r));
    return rouge_tokens(io, "pred_tokens", p);
}

/* --- BLEU ----------------------------------------------------------------- */

enum { MOST_REFERENCES = 16 };

/* Hypotheses, and up to MOST_REFERENCES lists of as many references. */
typedef struct bleu_inputs {
    t2g_text *hypothesis, *reference[MOST_REFERENCES];
    size_t n, references;
} bleu_inputs;

static t2g_status read_bleu(bleu_inputs *b, metrics_io *io)
{
    *b = (bleu_inputs){0};
    b->hypothesis = texts(io, "hypotheses", &b->n);
    for (; b->references < MOST_REFERENCES; b->references++) {
        char name[32];
        size_t n;
        snprintf(name, sizeof name, "references%zu", b->references);
        if (!json_object_get(io->in, name))
            break;
        b->reference[b->references] = texts(io, name, &n);
        same_count(io, b->n, n);
    }
    return io->status;
}

/* The references of segment i. */
static const t2g_text *references_of(const bleu_inputs *b, size_t i,
                                     t2g_text out[MOST_REFERENCES])
{
    for (size_t k = 0; k < b->references; k++)
        out[k] = b->reference[k][i];
    return out;
}

static t2g_bleu_options bleu_options(const metrics_io *io)
{
    const char *method = config_text(io, "smooth_method");
    bool floor = strcmp(method, "floor") == 0;
    return (t2g_bleu_options){
        .smoothing = floor ? T2G_SMOOTH_FLOOR
                     : strcmp(method, "add-k") == 0 ? T2G_SMOOTH_ADD_K
                     : strcmp(method, "none") == 0 ? T2G_SMOOTH_NONE
                                                   : T2G_SMOOTH_EXP,
        .value = config(io, "smooth_value", floor ? 0.1 : 1),
        .effective_order = config(io, "effective_order", 0) != 0};
}

static void put_bleu(metrics_io *io, const t2g_bleu_counts *c,
                     const t2g_bleu_options *o)
{
    t2g_bleu b = t2g_bleu_score(c, o);
    put_one(io, "score", b.score);
    put(io, "precisions", b.precision, T2G_BLEU_ORDER);
    put_one(io, "bp", b.brevity);
    put_count(io, "sys_len", (int64_t)c->sys);
    put_count(io, "ref_len", (int64_t)c->ref);
    put_counts(io, "counts", c->correct, T2G_BLEU_ORDER);
    put_counts(io, "totals", c->total, T2G_BLEU_ORDER);
}

static t2g_status join_13a(t2g_buffer *out, const t2g_tokens *t)
{
    for (size_t i = 0; i < t->count; i++) {
        t2g_text token = t2g_tokens_at(t, i);
        T2G_TRY(t2g_buffer_puts(out, i ? " " : ""));
        T2G_TRY(t2g_buffer_append(out, token.data, token.size));
    }
    return t2g_buffer_append(out, "", 0);
}

static t2g_status add_13a(json_t *list, t2g_text text, bool lowercase)
{
    t2g_tokens t = {0};
    t2g_buffer joined = {0};
    t2g_status s = t2g_bleu_tokens(&t, text, lowercase);
    if (s == T2G_OK)
        s = join_13a(&joined, &t);
    if (s == T2G_OK)
        json_array_append_new(list, json_stringn(joined.data, joined.size));
    t2g_buffer_free(&joined);
    t2g_tokens_free(&t);
    return s;
}

static t2g_status bleu(metrics_io *io)
{
    bleu_inputs b;
    t2g_text r[MOST_REFERENCES];
    t2g_bleu_counts sum = {0}, one;
    t2g_bleu_options o = bleu_options(io), single = o;
    bool lowercase = config(io, "lowercase", 0) != 0;
    T2G_TRY(read_bleu(&b, io));
    double *sentence = own(io, b.n, sizeof *sentence);
    json_t *cut = json_array();
    single.effective_order = true;
    for (size_t i = 0; io->status == T2G_OK && i < b.n; i++) {
        io->status = t2g_bleu_count(&one, b.hypothesis[i],
                                    references_of(&b, i, r), b.references,
                                    lowercase);
        if (io->status != T2G_OK)
            break;
        t2g_bleu_add(&sum, &one);
        sentence[i] = t2g_bleu_score(&one, &single).score;
        io->status = add_13a(cut, b.hypothesis[i], lowercase);
    }
    put(io, "sentence_scores", sentence, sentence ? b.n : 0);
    json_object_set_new(io->out, "hyp_13a", cut);
    put_bleu(io, &sum, &o);
    return io->status;
}

static t2g_status bleu_nltk(metrics_io *io)
{
    bleu_inputs b;
    t2g_text r[MOST_REFERENCES];
    t2g_bleu_counts sum = {0}, one;
    T2G_TRY(read_bleu(&b, io));
    double *sentence = own(io, b.n, sizeof *sentence);
    for (size_t i = 0; sentence && i < b.n; i++) {
        T2G_TRY(t2g_bleu_nltk_count(&one, b.hypothesis[i],
                                    references_of(&b, i, r), b.references));
        t2g_bleu_add(&sum, &one);
        sentence[i] = t2g_bleu_nltk_score(&one);
    }
    put_one(io, "corpus.method1", t2g_bleu_nltk_score(&sum));
    put(io, "sentence.method1", sentence, sentence ? b.n : 0);
    return io->status;
}

/* --- other measures of text ----------------------------------------------- */

static t2g_status add_normal(json_t *list, t2g_text text)
{
    t2g_buffer b = {0};
    t2g_status s = t2g_answer_normalize(&b, text);
    if (s == T2G_OK)
        json_array_append_new(list, json_stringn(b.data, b.size));
    t2g_buffer_free(&b);
    return s;
}

static t2g_status exact_match(metrics_io *io)
{
    size_t n, m;
    t2g_text *r = texts(io, "reference", &n), *p = texts(io, "prediction", &m);
    same_count(io, n, m);
    size_t *em = own(io, n, sizeof *em);
    double *f1 = own(io, n, sizeof *f1);
    json_t *normal_r = json_array(), *normal_p = json_array();
    json_object_set_new(io->out, "normalized_reference", normal_r);
    json_object_set_new(io->out, "normalized_prediction", normal_p);
    for (size_t i = 0; io->status == T2G_OK && i < n; i++) {
        bool exact;
        T2G_TRY(add_normal(normal_r, r[i]));
        T2G_TRY(add_normal(normal_p, p[i]));
        T2G_TRY(t2g_answer_match(&exact, &f1[i], r[i], p[i]));
        em[i] = exact;
    }
    if (io->status == T2G_OK) {
        put_counts(io, "em", em, n);
        put(io, "f1", f1, n);
    }
    return io->status;
}

static t2g_status distinct(metrics_io *io)
{
    size_t n;
    t2g_text *text = texts(io, "texts", &n);
    t2g_distinct d[T2G_BLEU_ORDER];
    T2G_TRY(io->status);
    T2G_TRY(t2g_distinct_of(d, NULL, text, n));
    for (int k = 0; k < T2G_BLEU_ORDER; k++) {
        char name[32];
        snprintf(name, sizeof name, "distinct%d.corpus", k + 1);
        put_one(io, name, d[k].corpus);
        snprintf(name, sizeof name, "distinct%d.mean", k + 1);
        put_one(io, name, d[k].mean);
    }
    return T2G_OK;
}

static t2g_status perplexity(metrics_io *io)
{
    size_t n, texts_count, m, total = 0;
    double *nll = numbers(io, "nll", &n);
    size_t *tokens = sizes(io, "tokens", &texts_count);
    size_t *bytes = sizes(io, "bytes", &m);
    same_count(io, texts_count, m);
    for (size_t i = 0; tokens && i < texts_count; i++)
        total += tokens[i];
    same_count(io, n, total);
    t2g_perplexity p;
    T2G_TRY(io->status);
    T2G_TRY(t2g_perplexity_of(&p, nll, tokens, bytes, texts_count));
    put_one(io, "perplexity", p.perplexity);
    put_one(io, "perplexity_seq_mean", p.sequence_mean);
    put_one(io, "bits_per_byte", p.bits_per_byte);
    return T2G_OK;
}

static t2g_status text(metrics_io *io)
{
    const char *type = config_text(io, "type");
    return strcmp(type, "exact_match") == 0 ? exact_match(io)
           : strcmp(type, "distinct") == 0 ? distinct(io) : perplexity(io);
}

static t2g_status passk(metrics_io *io)
{
    size_t count, n = config_count(io, "n", 1), k = config_count(io, "k", 1);
    size_t *c = sizes(io, "c", &count);
    double *each = own(io, count, sizeof *each), sum = 0;
    for (size_t i = 0; io->status == T2G_OK && i < count; i++) {
        if (k < 1 || k > n || c[i] > n)
            return t2g_fail(T2G_ERR_FORMAT, "%zu of %zu right, k %zu", c[i], n,
                            k);
        sum += each[i] = t2g_pass_at_k(n, c[i], k);
    }
    put(io, "per_problem", each, each ? count : 0);
    put_one(io, "pass_at_k", sum / (double)count);
    return io->status;
}

/* --- judgements ----------------------------------------------------------- */

static int *verdicts(metrics_io *io, const char *name, size_t *n)
{
    double *x = numbers(io, name, n);
    int *v = own(io, *n, sizeof *v);
    for (size_t i = 0; io->status == T2G_OK && i < *n; i++)
        v[i] = x[i] == -1 || x[i] == 0 || x[i] == 1 ? (int)x[i] : 2;
    return v;
}

static t2g_status winrate(metrics_io *io)
{
    size_t n, m;
    int *ab = verdicts(io, "verdict_ab", &n);
    int *ba = verdicts(io, "verdict_ba", &m);
    t2g_win_rate w;
    same_count(io, n, m);
    T2G_TRY(io->status);
    T2G_TRY(t2g_win_rate_of(&w, ab, ba, n, config(io, "level", 0.95)));
    put_count(io, "wins", (int64_t)w.wins);
    put_count(io, "losses", (int64_t)w.losses);
    put_count(io, "ties", (int64_t)w.ties);
    put_one(io, "rate", w.rate);
    put_one(io, "lo", w.lo);
    put_one(io, "hi", w.hi);
    put_one(io, "p_sign", w.p_sign);
    put_one(io, "consistent", w.consistent);
    put_one(io, "first_position", w.first_position);
    return T2G_OK;
}

static t2g_status cohen(metrics_io *io)
{
    static const char *const names[] = {"kappa", "kappa_linear",
                                        "kappa_quadratic"};
    static const t2g_distance weights[] = {T2G_DISTANCE_NOMINAL,
                                           T2G_DISTANCE_LINEAR,
                                           T2G_DISTANCE_QUADRATIC};
    size_t n, m;
    double *a = numbers(io, "a", &n), *b = numbers(io, "b", &m), kappa;
    same_count(io, n, m);
    T2G_TRY(io->status);
    for (int k = 0; k < 3; k++) {
        T2G_TRY(t2g_cohen_kappa(&kappa, a, b, n, weights[k]));
        put_one(io, names[k], kappa);
    }
    return T2G_OK;
}

static t2g_status krippendorff(metrics_io *io)
{
    static const char *const names[] = {"nominal", "ordinal", "interval"};
    static const t2g_distance distances[] = {T2G_DISTANCE_NOMINAL,
                                             T2G_DISTANCE_ORDINAL,
                                             T2G_DISTANCE_INTERVAL};
    size_t n;
    double *rating = numbers(io, "ratings", &n), alpha;
    const json_t *shape = json_object_get(json_object_get(io->in, "ratings"),
                                          "shape");
    size_t raters = (size_t)json_integer_value(json_array_get(shape, 0));
    T2G_TRY(io->status);
    if (raters == 0 || n % raters != 0)
        return t2g_fail(T2G_ERR_FORMAT, "%zu ratings of %zu raters", n, raters);
    for (int k = 0; k < 3; k++) {
        T2G_TRY(t2g_krippendorff(&alpha, rating, raters, n / raters,
                                 distances[k]));
        put_one(io, names[k], alpha);
    }
    return T2G_OK;
}

static t2g_status agreement(metrics_io *io)
{
    return strcmp(config_text(io, "type"), "cohen") == 0 ? cohen(io)
                                                         : krippendorff(io);
}

/* --- random numbers ------------------------------------------------------- */

static t2g_status block(metrics_io *io)
{
    size_t n, m, words[4];
    size_t *counter = sizes(io, "counter", &n), *key = sizes(io, "key", &m);
    uint32_t c[4], k[2], out[4];
    T2G_TRY(io->status);
    if (n != 4 || m != 2)
        return t2g_fail(T2G_ERR_FORMAT, "a counter of %zu and a key of %zu "
                        "words", n, m);
    for (int i = 0; i < 4; i++)
        c[i] = (uint32_t)counter[i];
    for (int i = 0; i < 2; i++)
        k[i] = (uint32_t)key[i];
    t2g_philox(out, c, k);
    for (int i = 0; i < 4; i++)
        words[i] = out[i];
    put_counts(io, "words", words, 4);
    return T2G_OK;
}

static uint64_t seed_of(const metrics_io *io)
{
    return strtoull(config_text(io, "seed"), NULL, 10);
}

/* Indices or a permutation; as many as the case shows. */
static t2g_status draws(metrics_io *io, bool shuffle)
{
    enum { SHOWN = 40 };
    size_t n = config_count(io, "n", 0), shown;
    t2g_stream s = {seed_of(io), (uint32_t)config_count(io, "sample", 0),
                    (uint32_t)config_count(io, "step", 0),
                    (uint32_t)config_count(io, "purpose", 0)};
    if (n == 0 || n >= 1 << 24)
        return t2g_fail(T2G_ERR_FORMAT, "n is %zu", n);
    uint32_t *order = own(io, n, sizeof *order);
    size_t *out = own(io, n, sizeof *out);
    T2G_TRY(io->status);
    if (shuffle)
        t2g_random_shuffle(&s, order, n);
    for (size_t i = 0; i < n; i++)
        out[i] = shuffle ? order[i] : t2g_random_below(&s, i, (uint32_t)n);
    shown = !shuffle && n > SHOWN ? SHOWN : n;
    put_counts(io, shuffle ? "perm" : "index", out, shown);
    return T2G_OK;
}

static t2g_status philox(metrics_io *io)
{
    const char *type = config_text(io, "type");
    return strcmp(type, "block") == 0 ? block(io)
                                      : draws(io, strcmp(type, "shuffle") == 0);
}

/* --- bootstrap ------------------------------------------------------------ */

typedef struct bleu_systems {
    t2g_bleu_counts *a, *b;
} bleu_systems;

static double corpus_bleu(const t2g_bleu_counts *c, const uint32_t *draw,
                          size_t n)
{
    static const t2g_bleu_options standard = {0};
    t2g_bleu_counts sum = {0};
    for (size_t i = 0; i < n; i++)
        t2g_bleu_add(&sum, &c[draw[i]]);
    return t2g_bleu_score(&sum, &standard).score;
}

static double bleu_difference(const void *data, const uint32_t *draw, size_t n)
{
    const bleu_systems *s = data;
    return corpus_bleu(s->a, draw, n) - corpus_bleu(s->b, draw, n);
}

static t2g_bleu_counts *read_counts(metrics_io *io, const char *name,
                                    size_t *n)
{
    size_t total, *x = sizes(io, name, &total);
    *n = total / 10;
    t2g_bleu_counts *c = own(io, *n, sizeof *c);
    for (size_t i = 0; io->status == T2G_OK && i < *n; i++, x += 10) {
        c[i].sys = x[0];
        c[i].ref = x[1];
        memcpy(c[i].correct, x + 2, sizeof c[i].correct);
        memcpy(c[i].total, x + 6, sizeof c[i].total);
    }
    return c;
}

static t2g_status score_systems(metrics_io *io, bleu_systems *s, size_t n)
{
    uint32_t *all = own(io, n, sizeof *all);
    for (size_t i = 0; all && i < n; i++)
        all[i] = (uint32_t)i;
    T2G_TRY(io->status);
    put_one(io, "score_a", corpus_bleu(s->a, all, n));
    put_one(io, "score_b", corpus_bleu(s->b, all, n));
    return T2G_OK;
}

static t2g_status resample(metrics_io *io, t2g_bootstrap_result *r,
                           double *replicate, const t2g_bootstrap_options *o)
{
    const char *type = config_text(io, "type");
    size_t n, m;
    if (strcmp(type, "mean") == 0) {
        double *x = numbers(io, "values", &n);
        T2G_TRY(io->status);
        return t2g_bootstrap_mean(r, replicate, x, n, o);
    }
    if (strcmp(type, "paired") == 0) {
        double *a = numbers(io, "a", &n), *b = numbers(io, "b", &m);
        same_count(io, n, m);
        T2G_TRY(io->status);
        return t2g_bootstrap_paired(r, replicate, a, b, n, o);
    }
    bleu_systems s = {read_counts(io, "stats_a", &n),
                      read_counts(io, "stats_b", &m)};
    same_count(io, n, m);
    T2G_TRY(io->status);
    T2G_TRY(score_systems(io, &s, n));
    return t2g_bootstrap(r, replicate, bleu_difference, &s, n, o);
}

static t2g_status bootstrap(metrics_io *io)
{
    enum { SHOWN = 5 };
    t2g_bootstrap_options o = {seed_of(io),
                               (uint32_t)config_count(io, "step", 0),
                               config_count(io, "B", 10000),
                               config(io, "alpha", 0.05)};
    t2g_bootstrap_result r;
    if (o.replicates > 1 << 24)
        return t2g_fail(T2G_ERR_FORMAT, "%zu replicates", o.replicates);
    double *replicate = own(io, o.replicates, sizeof *replicate);
    T2G_TRY(io->status);
    T2G_TRY(resample(io, &r, replicate, &o));
    put_one(io, "mean", r.value);
    put_one(io, "lo", r.lo);
    put_one(io, "hi", r.hi);
    put_one(io, "p", r.p);
    put_one(io, "se", r.se);
    put(io, "first", replicate, o.replicates < SHOWN ? o.replicates : SHOWN);
    return T2G_OK;
}

/* --- intervals ------------------------------------------------------------ */

static t2g_status t_quantiles(metrics_io *io, double level)
{
    size_t n;
    double *t = numbers(io, "df", &n);
    for (size_t i = 0; t && i < n; i++)
        t[i] = t2g_t_quantile(level, t[i]);
    put(io, "t", t, t ? n : 0);
    return io->status;
}

static t2g_status wilson(metrics_io *io, double level)
{
    size_t one;
    double *k = numbers(io, "k", &one), *n = numbers(io, "n", &one), lo, hi;
    T2G_TRY(io->status);
    T2G_TRY(t2g_wilson(&lo, &hi, *k / *n, (size_t)*n, level));
    put_one(io, "p", *k / *n);
    put_one(io, "lo", lo);
    put_one(io, "hi", hi);
    return T2G_OK;
}

static t2g_status t_interval(metrics_io *io, double level, bool ratio)
{
    size_t n, m;
    t2g_t_interval t;
    if (ratio) {
        double *a = numbers(io, "a", &n), *b = numbers(io, "b", &m);
        same_count(io, n, m);
        T2G_TRY(io->status);
        T2G_TRY(t2g_ratio_interval_of(&t, a, b, n, level));
    } else {
        double *x = numbers(io, "values", &n);
        T2G_TRY(io->status);
        T2G_TRY(t2g_t_interval_of(&t, x, n, level));
    }
    put_one(io, ratio ? "ratio" : "mean", t.mean);
    put_one(io, "sd", t.sd);
    put_one(io, "lo", t.lo);
    put_one(io, "hi", t.hi);
    put_one(io, "p", t.p);
    return T2G_OK;
}

static t2g_status intervals(metrics_io *io)
{
    const char *type = config_text(io, "type");
    double level = config(io, "level", 0.95);
    if (strcmp(type, "t_quantile") == 0)
        return t_quantiles(io, level);
    if (strcmp(type, "wilson") == 0)
        return wilson(io, level);
    return t_interval(io, level, strcmp(type, "ratio_interval") == 0);
}

/* --- training ------------------------------------------------------------- */

static t2g_status convergence(metrics_io *io)
{
    t2g_convergence_rule rule = {config_count(io, "window", 5),
                                 config_count(io, "hold", 3),
                                 config(io, "fraction", 0.95)};
    size_t n, m, k;
    size_t *s = sizes(io, "steps", &n);
    double *b = numbers(io, "baseline", &m), *a = numbers(io, "method", &k);
    same_count(io, n, m);
    same_count(io, n, k);
    int64_t *step = own(io, n, sizeof *step);
    double *smoothed = own(io, n, sizeof *smoothed);
    t2g_convergence c;
    T2G_TRY(io->status);
    for (size_t i = 0; i < n; i++)
        step[i] = (int64_t)s[i];
    T2G_TRY(t2g_convergence_of(&c, step, b, a, n, &rule));
    t2g_smooth(smoothed, b, n, rule.window);
    put(io, "smooth_baseline", smoothed, n);
    t2g_smooth(smoothed, a, n, rule.window);
    put(io, "smooth_method", smoothed, n);
    put_one(io, "target", c.target);
    put_count(io, "step_baseline", c.step_baseline);
    put_count(io, "step_method", c.step_method);
    put_one(io, "saving", c.saving);
    return T2G_OK;
}

static void put_effect(metrics_io *io, const char *class,
                       const t2g_class_effect *e)
{
    char name[48];
    snprintf(name, sizeof name, "%s.tokens", class);
    put_count(io, name, (int64_t)e->tokens);
    snprintf(name, sizeof name, "%s.mean", class);
    put_one(io, name, e->mean);
    snprintf(name, sizeof name, "%s.response_mean", class);
    put_one(io, name, e->response_mean);
    snprintf(name, sizeof name, "%s.up", class);
    put_one(io, name, e->up);
}

static t2g_status span_effect(metrics_io *io)
{
    size_t n, m[4];
    double *before = numbers(io, "before", &n);
    double *after = numbers(io, "after", &m[0]);
    double *delta = numbers(io, "delta", &m[1]);
    size_t *mask = sizes(io, "mask", &m[2]);
    size_t *response = sizes(io, "response", &m[3]);
    for (int k = 0; k < 4; k++)
        same_count(io, n, m[k]);
    uint8_t *in = own(io, n, sizeof *in);
    t2g_span_effect e;
    T2G_TRY(io->status);
    for (size_t i = 0; i < n; i++)
        in[i] = mask[i] != 0;
    T2G_TRY(t2g_span_effect_of(&e, before, after, delta, in, response, n));
    put_effect(io, "good", &e.good);
    put_effect(io, "poor", &e.poor);
    put_effect(io, "neutral", &e.neutral);
    put_one(io, "contrast", e.contrast);
    put_one(io, "good.excess", e.good_excess);
    put_one(io, "poor.excess", e.poor_excess);
    put_one(io, "weighted", e.weighted);
    put_one(io, "auc", e.auc);
    return T2G_OK;
}

/* --- kinds ---------------------------------------------------------------- */

static const struct {
    const char *name;
    t2g_status (*run)(metrics_io *io);
    double tolerance;
} kinds[] = {
    {"stem", stems, 1e-12}, {"stem_libstemmer", stems, 1e-12},
    {"rouge", rouge, 1e-12}, {"bleu", bleu, 1e-11},
    {"bleu_nltk", bleu_nltk, 1e-12}, {"text", text, 1e-12},
    {"passk", passk, 1e-12}, {"winrate", winrate, 1e-9},
    {"agreement", agreement, 1e-12}, {"philox", philox, 1e-12},
    {"bootstrap", bootstrap, 1e-12}, {"intervals", intervals, 1e-9},
    {"convergence", convergence, 1e-12}, {"span_effect", span_effect, 1e-12}};

static size_t kind_of(const char *name)
{
    size_t k = 0;
    while (k < sizeof kinds / sizeof *kinds && strcmp(kinds[k].name, name) != 0)
        k++;
    return k;
}

t2g_status metrics_case(json_t *out, const char *kind, const json_t *one)
{
    metrics_io io = {.in = json_object_get(one, "in"), .out = out,
                     .config = json_object_get(one, "config")};
    size_t k = kind_of(kind);
    if (k == sizeof kinds / sizeof *kinds)
        return t2g_fail(T2G_ERR_UNSUPPORTED, "no metric of kind '%s'", kind);
    t2g_status s = kinds[k].run(&io);
    while (io.owned_count > 0)
        t2g_free(io.owned[--io.owned_count]);
    return s;
}

void metrics_tolerance(const char *kind, const json_t *one, double *absolute,
                       double *relative)
{
    const json_t *type = json_object_get(json_object_get(one, "config"),
                                         "type");
    size_t k = kind_of(kind);
    bool of_bleu = strcmp(kind, "bootstrap") == 0 && json_is_string(type) &&
                   strcmp(json_string_value(type), "bleu") == 0;
    *absolute = of_bleu ? 1e-10 : k < sizeof kinds / sizeof *kinds
                                      ? kinds[k].tolerance : 0;
    *relative = *absolute;
}

bool metrics_wanted(const char *name)
{
    return strcmp(name, "libstemmer") != 0;
}
