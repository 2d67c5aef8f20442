/* Metrics of the responses' texts. */
#include <math.h>
#include <string.h>

#include "eval.h"

/* --- length --------------------------------------------------------------- */

static bool was_cut(const json_t *record)
{
    const char *why = json_string_value(json_object_get(record,
                                                        "finish_reason"));
    return why && strcmp(why, "length") == 0;
}

/* work: [2 n]. */
static t2g_status measure_length(const evaluation *e, json_t *group,
                                 double *work)
{
    size_t n = e->data.count, empty = 0, cut = 0;
    t2g_tokens words = {0};
    for (size_t i = 0; i < n; i++) {
        t2g_text text;
        T2G_TRY(eval_text(&e->data, i, "response", &text));
        t2g_status s = t2g_blank_tokens(&words, text);
        work[i] = (double)text.size;
        work[n + i] = (double)words.count;
        t2g_tokens_free(&words);
        T2G_TRY(s);
        empty += work[n + i] == 0;
        cut += was_cut(e->data.record[i]);
    }
    T2G_TRY(figure_mean(e, group, "bytes", work, n));
    T2G_TRY(figure_mean(e, group, "words", work + n, n));
    T2G_TRY(figure_share(e, group, "empty", empty, n));
    return figure_share(e, group, "cut", cut, n);
}

t2g_status eval_length(evaluation *e, json_t *group)
{
    double *work = t2g_calloc(2 * e->data.count, sizeof *work);
    t2g_status s = work ? measure_length(e, group, work) : T2G_ERR_MEMORY;
    t2g_free(work);
    return s;
}

/* --- ROUGE ---------------------------------------------------------------- */

static t2g_status score_rouge(const evaluation *e, size_t i,
                              t2g_prf out[T2G_ROUGES])
{
    t2g_text reference[EVAL_REFERENCES], text;
    size_t count;
    T2G_TRY(eval_text(&e->data, i, "response", &text));
    T2G_TRY(eval_references(e, i, reference, &count));
    t2g_status s = t2g_rouge_best(out, reference, count, text, true);
    return s == T2G_OK ? s : eval_fail_at(s, &e->data, i);
}

/* F1 with its interval; precision and recall beside it. */
static t2g_status report_rouge(const evaluation *e, json_t *group,
                               const char *name,
                               t2g_prf (*each)[T2G_ROUGES], int type,
                               double *work)
{
    static const char *const part[] = {"precision", "recall", "f1"};
    json_t *own = figure_group(group, name);
    for (int k = 0; k < 3; k++) {
        for (size_t i = 0; i < e->data.count; i++) {
            const t2g_prf *s = &each[i][type];
            work[i] = k == 0 ? s->precision : k == 1 ? s->recall : s->f1;
        }
        T2G_TRY(figure_mean(e, own, part[k], work, e->data.count));
    }
    return T2G_OK;
}

t2g_status eval_rouge(evaluation *e, json_t *group)
{
    static const char *const names[] = {"rouge1", "rouge2", "rougeL",
                                        "rougeLsum"};
    size_t n = e->data.count;
    t2g_prf(*each)[T2G_ROUGES] = t2g_calloc(n, sizeof *each);
    double *work = t2g_calloc(n, sizeof *work);
    t2g_status s = each && work ? T2G_OK : T2G_ERR_MEMORY;
    for (size_t i = 0; s == T2G_OK && i < n; i++)
        s = score_rouge(e, i, each[i]);
    for (int k = 0; s == T2G_OK && k < T2G_ROUGES; k++)
        s = report_rouge(e, group, names[k], each, k, work);
    t2g_free(each);
    t2g_free(work);
    return s;
}

/* --- BLEU ----------------------------------------------------------------- */

typedef struct bleu_set {
    t2g_bleu_counts *standard, *nltk; /* [n] */
    double *sentence;                 /* [n] */
} bleu_set;

static t2g_status count_bleu(const evaluation *e, size_t i, bleu_set *b)
{
    static const t2g_bleu_options single = {.effective_order = true};
    t2g_text reference[EVAL_REFERENCES], text;
    size_t count;
    T2G_TRY(eval_text(&e->data, i, "response", &text));
    T2G_TRY(eval_references(e, i, reference, &count));
    T2G_TRY(t2g_bleu_count(&b->standard[i], text, reference, count, false));
    b->sentence[i] = t2g_bleu_score(&b->standard[i], &single).score;
    return t2g_bleu_nltk_count(&b->nltk[i], text, reference, count);
}

static t2g_bleu_counts drawn_sum(const t2g_bleu_counts *c,
                                 const uint32_t *draw, size_t n)
{
    t2g_bleu_counts sum = {0};
    for (size_t i = 0; i < n; i++)
        t2g_bleu_add(&sum, &c[draw[i]]);
    return sum;
}

static double corpus_bleu(const void *data, const uint32_t *draw, size_t n)
{
    static const t2g_bleu_options standard = {0};
    t2g_bleu_counts sum = drawn_sum(data, draw, n);
    return t2g_bleu_score(&sum, &standard).score;
}

static double corpus_nltk(const void *data, const uint32_t *draw, size_t n)
{
    t2g_bleu_counts sum = drawn_sum(data, draw, n);
    return t2g_bleu_nltk_score(&sum);
}

static t2g_status report_bleu(const evaluation *e, json_t *group,
                              const bleu_set *b)
{
    size_t n = e->data.count;
    t2g_bootstrap_result r = {.value = NAN};
    T2G_TRY(figure_resampled(group, "corpus",
                             t2g_bootstrap(&r, NULL, corpus_bleu, b->standard,
                                           n, &e->resampling), &r, n));
    T2G_TRY(figure_mean(e, group, "sentences", b->sentence, n));
    T2G_TRY(figure_resampled(group, "nltk",
                             t2g_bootstrap(&r, NULL, corpus_nltk, b->nltk, n,
                                           &e->resampling), &r, n));
    json_object_set_new(group, "signature", json_string(
        "case:mixed|eff:no|tok:13a|smooth:exp; nltk: method1, 0 to 1"));
    return T2G_OK;
}

t2g_status eval_bleu(evaluation *e, json_t *group)
{
    size_t n = e->data.count;
    bleu_set b = {t2g_calloc(n, sizeof *b.standard),
                  t2g_calloc(n, sizeof *b.nltk),
                  t2g_calloc(n, sizeof *b.sentence)};
    t2g_status s = b.standard && b.nltk && b.sentence ? T2G_OK
                                                      : T2G_ERR_MEMORY;
    for (size_t i = 0; s == T2G_OK && i < n; i++)
        s = count_bleu(e, i, &b);
    if (s == T2G_OK)
        s = report_bleu(e, group, &b);
    t2g_free(b.standard);
    t2g_free(b.nltk);
    t2g_free(b.sentence);
    return s;
}

/* --- exact match ---------------------------------------------------------- */

/* The best over the references. */
static t2g_status match(const evaluation *e, size_t i, bool *exact, double *f1)
{
    t2g_text reference[EVAL_REFERENCES], text;
    size_t count;
    *exact = false;
    *f1 = 0;
    T2G_TRY(eval_text(&e->data, i, "response", &text));
    T2G_TRY(eval_references(e, i, reference, &count));
    for (size_t k = 0; k < count; k++) {
        bool same;
        double f;
        T2G_TRY(t2g_answer_match(&same, &f, reference[k], text));
        *exact |= same;
        *f1 = f > *f1 ? f : *f1;
    }
    return T2G_OK;
}

t2g_status eval_match(evaluation *e, json_t *group)
{
    size_t n = e->data.count, equal = 0;
    double *f1 = t2g_calloc(n, sizeof *f1);
    t2g_status s = f1 ? T2G_OK : T2G_ERR_MEMORY;
    for (size_t i = 0; s == T2G_OK && i < n; i++) {
        bool exact;
        s = match(e, i, &exact, &f1[i]);
        equal += s == T2G_OK && exact;
    }
    if (s == T2G_OK)
        s = figure_share(e, group, "exact", equal, n);
    if (s == T2G_OK)
        s = figure_mean(e, group, "f1", f1, n);
    t2g_free(f1);
    return s;
}

/* --- distinct-n ----------------------------------------------------------- */

/* The corpus ratio has no interval: a resampled set repeats its texts. */
static t2g_status report_distinct(const evaluation *e, json_t *group,
                                  const t2g_distinct *d,
                                  double (*each)[T2G_BLEU_ORDER], double *work)
{
    for (int n = 0; n < T2G_BLEU_ORDER; n++) {
        char name[16];
        size_t count = 0;
        snprintf(name, sizeof name, "%d", n + 1);
        json_t *own = figure_group(group, name);
        for (size_t i = 0; i < e->data.count; i++)
            if (!isnan(each[i][n]))
                work[count++] = each[i][n];
        figure_set(own, "corpus", d[n].corpus, NAN, NAN, e->data.count);
        T2G_TRY(figure_mean(e, own, "mean", work, count));
    }
    return T2G_OK;
}

t2g_status eval_distinct(evaluation *e, json_t *group)
{
    size_t n = e->data.count;
    t2g_text *text = t2g_calloc(n, sizeof *text);
    double(*each)[T2G_BLEU_ORDER] = t2g_calloc(n, sizeof *each);
    double *work = t2g_calloc(n, sizeof *work);
    t2g_distinct d[T2G_BLEU_ORDER];
    t2g_status s = text && each && work ? T2G_OK : T2G_ERR_MEMORY;
    for (size_t i = 0; s == T2G_OK && i < n; i++)
        s = eval_text(&e->data, i, "response", &text[i]);
    if (s == T2G_OK)
        s = t2g_distinct_of(d, each, text, n);
    if (s == T2G_OK)
        s = report_distinct(e, group, d, each, work);
    t2g_free(text);
    t2g_free(each);
    t2g_free(work);
    return s;
}

/* --- perplexity ----------------------------------------------------------- */

/* One text under a model that has read its prompt; the end token counts. */
typedef struct scoring {
    t2g_model *model;
    t2g_tokenizer *tok;
    t2g_encoding work;
    t2g_example example;
} scoring;

static t2g_status give_example(void *context, uint64_t i, t2g_example *out)
{
    const scoring *s = context;
    (void)i;
    *out = s->example;
    return T2G_OK;
}

static t2g_status score_text(scoring *s, const evaluation *e, size_t i,
                             t2g_text text, double *nll, double *tokens)
{
    t2g_text prompt;
    double loss, accuracy;
    T2G_TRY(eval_text(&e->data, i, "prompt", &prompt));
    T2G_TRY(t2g_encode_example(s->tok, prompt.data, prompt.size, text.data,
                               text.size, &s->work, &s->example));
    *tokens = (double)(s->example.count - s->example.prompt);
    *nll = 0;
    if (*tokens == 0)
        return T2G_OK;
    T2G_TRY(t2g_sft_evaluate(s->model, 1, give_example, s, 1, &loss,
                             &accuracy));
    *nll = loss * *tokens;
    return T2G_OK;
}

/* ln of a perplexity is a ratio of sums. */
static t2g_status report_perplexity(const evaluation *e, json_t *group,
                                    const char *name, const double *nll,
                                    const double *tokens, const double *bytes)
{
    size_t n = e->data.count;
    t2g_bootstrap_result r = {.value = NAN};
    json_t *own = figure_group(group, name);
    T2G_TRY(t2g_bootstrap_ratio(&r, NULL, nll, tokens, n, &e->resampling));
    figure_set(own, "perplexity", exp(r.value), exp(r.lo), exp(r.hi), n);
    T2G_TRY(t2g_bootstrap_ratio(&r, NULL, nll, bytes, n, &e->resampling));
    figure_set(own, "bits_per_byte", r.value / log(2), r.lo / log(2),
               r.hi / log(2), n);
    return T2G_OK;
}

static t2g_status measure_perplexity(scoring *s, const evaluation *e,
                                     json_t *group, bool of_references,
                                     double *work)
{
    size_t n = e->data.count, count;
    double *nll = work, *tokens = work + n, *bytes = tokens + n;
    for (size_t i = 0; i < n; i++) {
        t2g_text text[EVAL_REFERENCES];
        if (of_references)
            T2G_TRY(eval_references(e, i, text, &count));
        else
            T2G_TRY(eval_text(&e->data, i, "response", text));
        t2g_status st = score_text(s, e, i, text[0], &nll[i], &tokens[i]);
        if (st != T2G_OK)
            return eval_fail_at(st, &e->data, i);
        bytes[i] = (double)text[0].size;
        if (cli_interrupted())
            return t2g_fail(T2G_ERR_INTERRUPTED, "stopped after %zu texts", i);
    }
    return report_perplexity(e, group, of_references ? "reference"
                                                     : "response",
                             nll, tokens, bytes);
}

/* Of the responses, of the references, or of both: what the records have. */
t2g_status eval_perplexity(evaluation *e, json_t *group)
{
    session s;
    if (!e->o->model)
        return t2g_fail(T2G_ERR_ARG, "perplexity needs --model");
    training_options o = *e->o;
    o.data = NULL; /* they are read already */
    o.no_chat_template = true; /* prompts are taken as they are */
    const json_t *first = e->data.record[0];
    bool responses = json_object_get(first, "response") != NULL;
    bool references = e->other.count || json_object_get(first, "reference") ||
                      json_object_get(first, "completion") || !responses;
    t2g_status st = session_open(&s, e->inv, &o);
    double *work = t2g_calloc(3 * e->data.count, sizeof *work);
    scoring scoring = {.model = s.model, .tok = s.tok};
    if (st == T2G_OK && !work)
        st = T2G_ERR_MEMORY;
    if (st == T2G_OK && responses)
        st = measure_perplexity(&scoring, e, group, false, work);
    if (st == T2G_OK && references)
        st = measure_perplexity(&scoring, e, group, true, work);
    t2g_encoding_free(&scoring.work);
    t2g_free(work);
    session_close(&s);
    return st;
}
