#include "judging.h"

#include <string.h>

t2g_status judge_grammar(t2g_reply_grammar **g, const t2g_model *rm,
                         const t2g_tokenizer *tok, bool unconstrained)
{
    const t2g_config *c = &rm->config;
    *g = NULL;
    if (unconstrained)
        return T2G_OK;
    t2g_status s = t2g_reply_grammar_new(g, tok, c->vocab_size,
                                         c->eos_token_id, c->eos_count);
    return s == T2G_OK ? s : t2g_fail_in(s, "without --unconstrained");
}

t2g_status judge_records(t2g_judgement *out, const t2g_records *r,
                         const t2g_model *rm, const t2g_tokenizer *tok,
                         session *s, uint64_t max_new_tokens,
                         bool unconstrained, const char *stage)
{
    t2g_reply_grammar *grammar;
    const t2g_sampling greedy = {.temperature = 1, .top_p = 1,
                                 .max_new_tokens = max_new_tokens};
    for (size_t i = 0; i < r->count; i++) {
        T2G_TRY(t2g_record_string(r, i, "prompt", true, &out[i].prompt,
                                  &out[i].prompt_length));
        T2G_TRY(t2g_record_string(r, i, "response", true, &out[i].response,
                                  &out[i].response_length));
    }
    T2G_TRY(judge_grammar(&grammar, rm, tok, unconstrained));
    progress_begin(&s->bar, s->inv, stage, r->count);
    t2g_status status = t2g_reward_judge(rm, tok, grammar, out, r->count,
                                         &greedy, generation_progress, s);
    progress_end(&s->bar, NULL);
    t2g_reply_grammar_free(grammar);
    return status;
}

void judgements_free(t2g_judgement *j, size_t n)
{
    for (size_t i = 0; j && i < n; i++)
        t2g_critique_free(&j[i].critique);
    t2g_free(j);
}

static t2g_status compare(judge_quality *q, const char *response, size_t n,
                          const t2g_critique *predicted,
                          const t2g_critique *actual, const t2g_encoding *ids)
{
    t2g_alignment p = {0}, a = {0};
    t2g_status s = t2g_align(&a, response, n, actual, ids->offset, ids->count,
                             NULL);
    q->responses++;
    if (s == T2G_OK && predicted->status == T2G_CRITIQUE_UNPARSED) {
        /* Nothing was said about any token. */
        float *none = t2g_calloc(ids->count, sizeof *none);
        s = none ? T2G_OK : T2G_ERR_MEMORY;
        q->unparsed++;
        if (none)
            t2g_label_count(&q->labels, none, a.delta, ids->count);
        t2g_free(none);
    } else if (s == T2G_OK) {
        s = t2g_align(&p, response, n, predicted, ids->offset, ids->count,
                      NULL);
        if (s == T2G_OK) {
            t2g_label_count(&q->labels, p.delta, a.delta, ids->count);
            q->exact += memcmp(p.delta, a.delta,
                               ids->count * sizeof *p.delta) == 0;
        }
    }
    t2g_alignment_free(&p);
    t2g_alignment_free(&a);
    return s;
}

t2g_status judge_quality_measure(judge_quality *q, const t2g_records *r,
                                 const t2g_judgement *j,
                                 const t2g_tokenizer *tok)
{
    t2g_encoding ids = {0};
    t2g_status s = T2G_OK;
    *q = (judge_quality){0};
    for (size_t i = 0; s == T2G_OK && i < r->count; i++) {
        t2g_critique actual = {0};
        ids.count = 0;
        s = t2g_tokenizer_encode(tok, j[i].response, j[i].response_length, 0,
                                 &ids);
        if (s == T2G_OK)
            s = t2g_critique_from_record(&actual, r->record[i]);
        if (s == T2G_OK)
            s = compare(q, j[i].response, j[i].response_length,
                        &j[i].critique, &actual, &ids);
        if (s != T2G_OK)
            s = t2g_fail_in(s, "%s:%zu", r->path, r->line[i]);
        t2g_critique_free(&actual);
    }
    t2g_encoding_free(&ids);
    return s;
}

json_t *judge_quality_json(const judge_quality *q)
{
    static const char *const label[] = {"good", "poor"};
    double n = q->responses ? (double)q->responses : 1;
    json_t *o = json_pack("{s:I, s:f, s:f}", "responses",
                          (json_int_t)q->responses, "unparsed",
                          (double)q->unparsed / n, "exact",
                          (double)q->exact / n);
    for (int k = 0; k < 2; k++) {
        double p, r, f;
        t2g_label_scores(&q->labels, k, &p, &r, &f);
        json_object_set_new(o, label[k],
                            json_pack("{s:f, s:f, s:f, s:I}", "precision", p,
                                      "recall", r, "f1", f, "tokens",
                                      (json_int_t)q->labels.actual[k]));
    }
    return o;
}
