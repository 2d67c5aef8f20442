/* BLEU. Papineni et al., BLEU: a method for automatic evaluation of machine
 * translation, 2002; scores as sacreBLEU 2 and as NLTK compute them. */
#include "metrics_private.h"

#include "t2g/kernels.h"

/* --- counts --------------------------------------------------------------- */

typedef t2g_status cut_fn(t2g_tokens *out, t2g_text text, bool lowercase);

/* A hypothesis [0] and its references [1..] under one numbering. */
typedef struct segment {
    t2g_numbering grams[T2G_BLEU_ORDER];
    t2g_sequence *text;
    size_t count;
} segment;

static t2g_status segment_read(segment *s, cut_fn *cut, bool lowercase,
                               t2g_text hypothesis, const t2g_text *reference,
                               size_t count)
{
    t2g_tokens t = {0};
    *s = (segment){.text = t2g_calloc(count + 1, sizeof *s->text)};
    t2g_status status = s->text ? T2G_OK : T2G_ERR_MEMORY;
    for (; status == T2G_OK && s->count <= count; s->count++) {
        status = cut(&t, s->count ? reference[s->count - 1] : hypothesis,
                     lowercase);
        if (status == T2G_OK)
            status = t2g_sequence_of(&s->text[s->count], &s->grams[0], &t);
    }
    t2g_tokens_free(&t);
    return status;
}

static void segment_free(segment *s)
{
    for (size_t i = 0; i < s->count; i++)
        t2g_sequence_free(&s->text[i]);
    t2g_free(s->text);
    for (int n = 0; n < T2G_BLEU_ORDER; n++)
        t2g_numbering_free(&s->grams[n]);
}

/* The reference length nearest to n; ties: the shorter. */
static size_t nearest_length(const segment *s)
{
    size_t n = s->text[0].count, best = s->text[1].count;
    for (size_t i = 2; i < s->count; i++) {
        size_t r = s->text[i].count;
        size_t off = r > n ? r - n : n - r;
        size_t best_off = best > n ? best - n : n - best;
        if (off < best_off || (off == best_off && r < best))
            best = r;
    }
    return best;
}

static t2g_status count_segment(t2g_bleu_counts *out, segment *s)
{
    *out = (t2g_bleu_counts){.sys = s->text[0].count,
                             .ref = nearest_length(s)};
    for (int n = 0; n < T2G_BLEU_ORDER; n++) {
        for (size_t i = 0; n > 0 && i < s->count; i++)
            T2G_TRY(t2g_sequence_extend(&s->text[i], &s->grams[n]));
        out->total[n] = t2g_sequence_grams(&s->text[0]);
        T2G_TRY(t2g_clipped_matches(&out->correct[n], &s->text[0],
                                    s->text + 1, s->count - 1,
                                    s->grams[n].count));
    }
    return T2G_OK;
}

static t2g_status count(t2g_bleu_counts *out, cut_fn *cut, bool lowercase,
                        t2g_text hypothesis, const t2g_text *reference,
                        size_t references)
{
    segment s;
    if (references == 0)
        return t2g_fail(T2G_ERR_ARG, "no reference");
    t2g_status status = segment_read(&s, cut, lowercase, hypothesis, reference,
                                     references);
    if (status == T2G_OK)
        status = count_segment(out, &s);
    segment_free(&s);
    return status;
}

t2g_status t2g_bleu_count(t2g_bleu_counts *out, t2g_text hypothesis,
                          const t2g_text *reference, size_t references,
                          bool lowercase)
{
    return count(out, t2g_bleu_tokens, lowercase, hypothesis, reference,
                 references);
}

static t2g_status cut_blanks(t2g_tokens *out, t2g_text text, bool lowercase)
{
    (void)lowercase;
    return t2g_blank_tokens(out, text);
}

t2g_status t2g_bleu_nltk_count(t2g_bleu_counts *out, t2g_text hypothesis,
                               const t2g_text *reference, size_t references)
{
    T2G_TRY(count(out, cut_blanks, false, hypothesis, reference, references));
    for (int n = 0; n < T2G_BLEU_ORDER; n++)
        out->total[n] = out->total[n] ? out->total[n] : 1;
    return T2G_OK;
}

void t2g_bleu_add(t2g_bleu_counts *sum, const t2g_bleu_counts *more)
{
    sum->sys += more->sys;
    sum->ref += more->ref;
    for (int n = 0; n < T2G_BLEU_ORDER; n++) {
        sum->correct[n] += more->correct[n];
        sum->total[n] += more->total[n];
    }
}

/* --- scores --------------------------------------------------------------- */

/* Punishes output shorter than its references. */
static double brevity(const t2g_bleu_counts *c)
{
    if (c->sys >= c->ref)
        return 1;
    return c->sys ? t2g_exp(1 - (double)c->ref / (double)c->sys) : 0;
}

/* Precision of an order without a match, of `total` n-grams; *k doubles. */
static double smoothed(const t2g_bleu_options *o, double total, double *k)
{
    switch (o->smoothing) {
    case T2G_SMOOTH_EXP: return 100 / ((*k *= 2) * total);
    case T2G_SMOOTH_FLOOR: return 100 * o->value / total;
    default: return 0;
    }
}

/* The precisions of the orders that exist; returns how many. */
static int precisions(double out[T2G_BLEU_ORDER], const t2g_bleu_counts *c,
                      const t2g_bleu_options *o)
{
    double k = 1;
    for (int n = 0; n < T2G_BLEU_ORDER; n++) {
        bool add = o->smoothing == T2G_SMOOTH_ADD_K && n > 0;
        double more = add ? o->value : 0;
        double correct = (double)c->correct[n] + more;
        double total = (double)c->total[n] + more;
        if (total == 0)
            return n;
        out[n] = correct > 0 ? 100 * correct / total : smoothed(o, total, &k);
    }
    return T2G_BLEU_ORDER;
}

t2g_bleu t2g_bleu_score(const t2g_bleu_counts *c, const t2g_bleu_options *o)
{
    static const double log_of_zero = -9999999999.0;
    t2g_bleu out = {.brevity = brevity(c)};
    double sum = 0;
    size_t matches = 0;
    for (int n = 0; n < T2G_BLEU_ORDER; n++)
        matches += c->correct[n];
    if (matches == 0)
        return out;
    int reached = precisions(out.precision, c, o);
    int orders = o->effective_order ? reached : T2G_BLEU_ORDER;
    for (int n = 0; n < orders; n++)
        sum += out.precision[n] > 0 ? t2g_log(out.precision[n]) : log_of_zero;
    out.score = out.brevity * t2g_exp(sum / orders);
    return out;
}

double t2g_bleu_nltk_score(const t2g_bleu_counts *c)
{
    static const double epsilon = 0.1; /* method 1 */
    double sum = 0;
    if (c->correct[0] == 0)
        return 0;
    for (int n = 0; n < T2G_BLEU_ORDER; n++) {
        double correct = c->correct[n] ? (double)c->correct[n] : epsilon;
        sum += t2g_log(correct / (double)c->total[n]) / T2G_BLEU_ORDER;
    }
    return brevity(c) * t2g_exp(sum);
}
