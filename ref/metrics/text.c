/* Perplexity, distinct n-grams, and chance of a right sample. */
#include "metrics_private.h"

#include <math.h>

#include "t2g/kernels.h"

/* --- perplexity ----------------------------------------------------------- */

static t2g_status sum_finite(double *sum, const double *nll, size_t n)
{
    *sum = 0;
    for (size_t i = 0; i < n; i++) {
        if (!isfinite(nll[i]))
            return t2g_fail(T2G_ERR_NUMERIC, "token %zu has log-probability "
                            "%g, expected a finite number", i, -nll[i]);
        *sum += nll[i];
    }
    return T2G_OK;
}

t2g_status t2g_perplexity_of(t2g_perplexity *out, const double *nll,
                             const size_t *tokens, const size_t *bytes,
                             size_t texts)
{
    double sum = 0, all_tokens = 0, all_bytes = 0, means = 0, with_tokens = 0;
    for (size_t i = 0; i < texts; nll += tokens[i++]) {
        double own;
        T2G_TRY(sum_finite(&own, nll, tokens[i]));
        sum += own;
        all_tokens += (double)tokens[i];
        all_bytes += (double)bytes[i];
        if (tokens[i]) {
            means += t2g_exp(own / (double)tokens[i]);
            with_tokens++;
        }
    }
    *out = (t2g_perplexity){
        .perplexity = all_tokens > 0 ? t2g_exp(sum / all_tokens) : NAN,
        .sequence_mean = with_tokens > 0 ? means / with_tokens : NAN,
        .bits_per_byte = all_bytes > 0 ? sum / t2g_log(2) / all_bytes : NAN};
    return T2G_OK;
}

/* --- distinct-n ----------------------------------------------------------- */

/* The texts' words, and the n-grams of the order reached. */
typedef struct text_set {
    t2g_numbering grams[T2G_BLEU_ORDER];
    t2g_sequence *text;
    size_t count;
} text_set;

static t2g_status text_set_read(text_set *s, const t2g_text *text, size_t n)
{
    t2g_tokens t = {0};
    *s = (text_set){.text = t2g_calloc(n, sizeof *s->text)};
    t2g_status status = s->text ? T2G_OK : T2G_ERR_MEMORY;
    for (; status == T2G_OK && s->count < n; s->count++) {
        status = t2g_bleu_tokens(&t, text[s->count], false);
        if (status == T2G_OK)
            status = t2g_sequence_of(&s->text[s->count], &s->grams[0], &t);
    }
    t2g_tokens_free(&t);
    return status;
}

static void text_set_free(text_set *s)
{
    for (size_t i = 0; i < s->count; i++)
        t2g_sequence_free(&s->text[i]);
    t2g_free(s->text);
    for (int n = 0; n < T2G_BLEU_ORDER; n++)
        t2g_numbering_free(&s->grams[n]);
}

/* Share of a text's n-grams that are new in it. seen[g]: number + 1 of the last
 * text that had g. */
static double own_ratio(const t2g_sequence *s, size_t *seen, size_t number)
{
    size_t n = t2g_sequence_grams(s), distinct = 0;
    for (size_t i = 0; i < n; i++) {
        distinct += seen[s->gram[i]] != number + 1;
        seen[s->gram[i]] = number + 1;
    }
    return n ? (double)distinct / (double)n : NAN;
}

static t2g_status distinct_order(t2g_distinct *out,
                                 double (*each)[T2G_BLEU_ORDER],
                                 const text_set *s, int n)
{
    size_t *seen = t2g_calloc(s->grams[n].count, sizeof *seen), total = 0;
    double sum = 0, texts = 0;
    if (!seen)
        return T2G_ERR_MEMORY;
    for (size_t i = 0; i < s->count; i++) {
        double ratio = own_ratio(&s->text[i], seen, i);
        total += t2g_sequence_grams(&s->text[i]);
        if (each)
            each[i][n] = ratio;
        if (!isnan(ratio)) {
            sum += ratio;
            texts++;
        }
    }
    t2g_free(seen);
    out->corpus = total ? (double)s->grams[n].count / (double)total : 0;
    out->mean = texts > 0 ? sum / texts : 0;
    return T2G_OK;
}

t2g_status t2g_distinct_of(t2g_distinct out[T2G_BLEU_ORDER],
                           double (*each)[T2G_BLEU_ORDER],
                           const t2g_text *text, size_t texts)
{
    text_set set;
    t2g_status s = text_set_read(&set, text, texts);
    for (int n = 0; s == T2G_OK && n < T2G_BLEU_ORDER; n++) {
        for (size_t i = 0; n > 0 && s == T2G_OK && i < texts; i++)
            s = t2g_sequence_extend(&set.text[i], &set.grams[n]);
        if (s == T2G_OK)
            s = distinct_order(&out[n], each, &set, n);
    }
    text_set_free(&set);
    return s;
}

/* --- pass@k --------------------------------------------------------------- */

double t2g_pass_at_k(size_t n, size_t c, size_t k)
{
    double all_wrong = 1;
    if (n - c < k)
        return 1;
    for (size_t i = n - c + 1; i <= n; i++)
        all_wrong *= 1 - (double)k / (double)i;
    return 1 - all_wrong;
}
