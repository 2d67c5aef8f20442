/* Spans as runs of one score, and texts by their matching characters. [T2G],
 * scripts of the released code. */
#include "metrics_private.h"

typedef struct run {
    size_t begin, end;
} run;

/* Maximal runs of one score; *out is t2g_free'd. */
static t2g_status runs_of(run **out, size_t *count, const double *x,
                          size_t n, double score)
{
    *count = 0;
    *out = t2g_calloc(n / 2 + 1, sizeof **out);
    if (!*out)
        return T2G_ERR_MEMORY;
    for (size_t i = 0; i < n; i++) {
        if (x[i] != score)
            continue;
        bool goes_on = i > 0 && x[i - 1] == score;
        if (!goes_on)
            (*out)[(*count)++].begin = i;
        (*out)[*count - 1].end = i + 1;
    }
    return T2G_OK;
}

/* Intersection over union. */
static double iou(run a, run b)
{
    size_t begin = a.begin > b.begin ? a.begin : b.begin;
    size_t end = a.end < b.end ? a.end : b.end;
    if (begin >= end)
        return 0;
    size_t both = end - begin;
    return (double)both /
           (double)(a.end - a.begin + b.end - b.begin - both);
}

static void count_run(t2g_run_counts *c, double best)
{
    c->exact += best == 1;
    c->half += best >= 0.5;
    c->partial += best > 0 && best < 1;
    c->iou += best;
}

/* Both lists are sorted, so predicted runs that end before this reference run
 * begins are behind us for good. */
static void count_runs(t2g_run_counts *c, const run *predicted, size_t np,
                       const run *reference, size_t nr)
{
    size_t first = 0;
    for (size_t i = 0; i < nr; i++) {
        double best = 0;
        while (first < np && predicted[first].end <= reference[i].begin)
            first++;
        for (size_t j = first;
             j < np && predicted[j].begin < reference[i].end; j++) {
            double x = iou(predicted[j], reference[i]);
            best = x > best ? x : best;
        }
        count_run(c, best);
    }
    c->predicted += np;
    c->reference += nr;
}

t2g_status t2g_run_count(t2g_run_counts *c, const double *predicted,
                         size_t predicted_count, const double *reference,
                         size_t reference_count, double score)
{
    run *p = NULL, *r = NULL;
    size_t np, nr;
    t2g_status s = runs_of(&p, &np, predicted, predicted_count, score);
    if (s == T2G_OK)
        s = runs_of(&r, &nr, reference, reference_count, score);
    if (s == T2G_OK)
        count_runs(c, p, np, r, nr);
    t2g_free(p);
    t2g_free(r);
    return s;
}

t2g_status t2g_word_run_count(t2g_run_counts *c,
                              const t2g_word_score *predicted,
                              size_t predicted_count,
                              const t2g_word_score *reference,
                              size_t reference_count, double score)
{
    double *p = t2g_calloc(predicted_count, sizeof *p);
    double *r = t2g_calloc(reference_count, sizeof *r);
    t2g_status s = T2G_ERR_MEMORY;
    for (size_t i = 0; p && i < predicted_count; i++)
        p[i] = predicted[i].score;
    for (size_t i = 0; r && i < reference_count; i++)
        r[i] = reference[i].score;
    if (p && r)
        s = t2g_run_count(c, p, predicted_count, r, reference_count, score);
    t2g_free(p);
    t2g_free(r);
    return s;
}

/* --- texts ---------------------------------------------------------------- */

t2g_status t2g_code_similarity(t2g_prf *out, t2g_text generated,
                               t2g_text reference)
{
    t2g_text_matching m;
    if (generated.size == 0 || reference.size == 0) {
        *out = (t2g_prf){reference.size ? 1 : generated.size == 0,
                         generated.size ? 1 : reference.size == 0,
                         generated.size == reference.size};
        return T2G_OK;
    }
    T2G_TRY(t2g_text_match(&m, generated, reference));
    *out = t2g_prf_of((double)m.matched, (double)m.a, (double)m.b);
    return T2G_OK;
}

/* A text, or a list of lines. */
static t2g_status append_field(t2g_buffer *out, const json_t *value)
{
    const json_t *line;
    size_t i;
    if (json_is_string(value))
        return t2g_buffer_append(out, json_string_value(value),
                                 json_string_length(value));
    json_array_foreach(value, i, line) {
        T2G_TRY(t2g_buffer_puts(out, i ? "\n" : ""));
        if (json_is_string(line))
            T2G_TRY(t2g_buffer_append(out, json_string_value(line),
                                      json_string_length(line)));
    }
    return T2G_OK;
}

t2g_status t2g_code_field_similarity(t2g_prf *out, const json_t *generated,
                                     const json_t *reference)
{
    t2g_buffer g = {0}, r = {0};
    t2g_status s = append_field(&g, generated);
    if (s == T2G_OK)
        s = append_field(&r, reference);
    if (s == T2G_OK)
        s = t2g_code_similarity(out, (t2g_text){g.data, g.size},
                                (t2g_text){r.data, r.size});
    t2g_buffer_free(&g);
    t2g_buffer_free(&r);
    return s;
}
