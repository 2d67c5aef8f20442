/* The demo's last page: table, samples needed, one example, result.json. */
#include <math.h>
#include <string.h>

#include "demo.h"

/* --- curves --------------------------------------------------------------- */

typedef struct curve {
    double *samples, *accuracy, *score, *kl;
    size_t count;
} curve;

static void free_curve(curve *c)
{
    t2g_free(c->samples);
    t2g_free(c->accuracy);
    t2g_free(c->score);
    t2g_free(c->kl);
    *c = (curve){0};
}

static t2g_status read_curve(const demo_run *d, int arm, curve *c)
{
    char path[4096], name[64];
    t2g_records r = {0};
    snprintf(name, sizeof name, "%s/metrics.jsonl", demo_arm[arm]);
    T2G_TRY(demo_path(d, path, name));
    T2G_TRY(t2g_records_read(&r, path, NULL, false, NULL, NULL));
    *c = (curve){.samples = t2g_calloc(r.count, sizeof(double)),
                 .accuracy = t2g_calloc(r.count, sizeof(double)),
                 .score = t2g_calloc(r.count, sizeof(double)),
                 .kl = t2g_calloc(r.count, sizeof(double)), .count = r.count};
    bool ok = c->samples && c->accuracy && c->score && c->kl;
    for (size_t i = 0; ok && i < r.count; i++) {
        const json_t *o = r.record[i];
        c->samples[i] = json_number_value(json_object_get(o, "samples"));
        c->accuracy[i] = json_number_value(json_object_get(o, "accuracy"));
        c->score[i] = json_number_value(json_object_get(o, "score"));
        c->kl[i] = json_number_value(json_object_get(o, "objective/kl"));
    }
    t2g_records_free(&r);
    return ok ? T2G_OK : T2G_ERR_MEMORY;
}

enum { SMOOTH = 3 };

/* Mean of the last SMOOTH values up to i. */
static double smooth(const double *x, size_t i)
{
    double sum = 0;
    size_t from = i + 1 < SMOOTH ? 0 : i + 1 - SMOOTH;
    for (size_t k = from; k <= i; k++)
        sum += x[k];
    return sum / (double)(i + 1 - from);
}

/* Samples after which the smoothed curve first reaches `level`; 0: never. */
static double samples_to(const curve *c, double level)
{
    for (size_t i = SMOOTH - 1; i < c->count; i++)
        if (smooth(c->accuracy, i) >= level)
            return c->samples[i];
    return 0;
}

/* --- the table ------------------------------------------------------------ */

static void print_table(const demo_run *d, const curve c[ARMS])
{
    static const char *const name[ARMS] = {
        "supervised", "PPO (scalar)", "Text2Grad (spans)"};
    printf("\nFacts right on %zu held-out messages, by the true checker "
           "(+- standard error)\n\n", d->scale.held_out);
    printf("  %-18s %-15s %-15s %8s %9s %9s %7s\n", "", "sampled", "greedy",
           "missing", "repeated", "invented", "KL");
    for (int a = 0; a < ARMS; a++) {
        const demo_score *s = d->score[a];
        printf("  %-18s .%03.0f +- .%03.0f    .%03.0f +- .%03.0f    %8.2f "
               "%9.2f %9.2f ", name[a], 1000 * s[0].accuracy, 1000 * s[0].se,
               1000 * s[1].accuracy, 1000 * s[1].se, s[0].missing,
               s[0].repeated, s[0].invented);
        if (a == ARM_SFT)
            printf("%7s\n", "0");
        else
            printf("%7.2f\n", c[a].count ? c[a].kl[c[a].count - 1] : 0);
    }
    printf("\n  missing, repeated, invented: facts a sampled summary; KL: nats "
           "a response to the\n  supervised policy, at the last step.\n");
}

static void print_curves(const curve c[ARMS])
{
    const curve *p = &c[ARM_PPO], *t = &c[ARM_T2G];
    size_t n = p->count < t->count ? p->count : t->count;
    printf("\nWhile learning (fresh messages, sampled; mean of %d steps): "
           "true accuracy, and the\nreward the policy was given a response\n\n"
           "  %8s  %17s  %17s\n", SMOOTH, "samples", "PPO", "Text2Grad");
    for (size_t i = 0; i < n; i++)
        if (i % 4 == 1 || i + 1 == n)
            printf("  %8.0f  .%03.0f  reward %5.2f  .%03.0f  reward %5.2f\n",
                   p->samples[i], 1000 * smooth(p->accuracy, i),
                   smooth(p->score, i), 1000 * smooth(t->accuracy, i),
                   smooth(t->score, i));
    if (n < SMOOTH)
        return;
    double level = smooth(p->accuracy, p->count - 1);
    double need = samples_to(t, level);
    printf("\n  PPO ends at .%03.0f after %.0f samples; ", 1000 * level,
           p->samples[p->count - 1]);
    if (need > 0)
        printf("Text2Grad first reaches that after %.0f.\n", need);
    else
        printf("Text2Grad does not reach that.\n");
    printf("  One seed; each point has a standard error near .01.\n");
}

/* --- one example ---------------------------------------------------------- */

/* A critique record aligned with its response. */
typedef struct shown {
    const char *response;
    size_t n;
    t2g_critique critique;
    t2g_encoding ids;
    t2g_alignment rewards;
    double sum;
} shown;

static void free_shown(shown *s)
{
    t2g_critique_free(&s->critique);
    t2g_encoding_free(&s->ids);
    t2g_alignment_free(&s->rewards);
}

static t2g_status show(shown *s, const t2g_records *r, size_t i,
                       const t2g_tokenizer *tok)
{
    *s = (shown){0};
    T2G_TRY(t2g_record_string(r, i, "response", true, &s->response, &s->n));
    T2G_TRY(t2g_critique_from_record(&s->critique, r->record[i]));
    T2G_TRY(t2g_tokenizer_encode(tok, s->response, s->n, 0, &s->ids));
    T2G_TRY(t2g_align(&s->rewards, s->response, s->n, &s->critique,
                      s->ids.offset, s->ids.count, NULL));
    for (size_t k = 0; k < s->ids.count; k++)
        s->sum += s->rewards.delta[k];
    return T2G_OK;
}

/* The message whose summary the reward model thinks improved most. */
static t2g_status best_example(const t2g_records *before,
                               const t2g_records *after,
                               const t2g_tokenizer *tok, size_t *best)
{
    double most = -INFINITY;
    *best = 0;
    for (size_t i = 0; i < before->count && i < after->count; i++) {
        shown a, b;
        t2g_status s = show(&a, before, i, tok);
        t2g_status u = s == T2G_OK ? show(&b, after, i, tok) : s;
        double gain = u == T2G_OK ? b.sum - a.sum : 0;
        if (s == T2G_OK)
            free_shown(&a);
        if (s == T2G_OK && u == T2G_OK)
            free_shown(&b);
        T2G_TRY(u);
        if (gain > most) {
            most = gain;
            *best = i;
        }
    }
    return T2G_OK;
}

static void print_shown(const char *title, const shown *s)
{
    printf("  %s", title);
    cli_rewarded_text(stdout, s->response, s->n, s->ids.offset,
                      s->rewards.delta, s->ids.count);
    printf("\n             critic: %.*s\n", (int)s->critique.text_length,
           s->critique.text);
}

/* One line of samples.jsonl. */
static t2g_status write_sample(t2g_writer *w, const char *arm,
                               const t2g_records *r, size_t i,
                               const t2g_tokenizer *tok)
{
    shown s;
    T2G_TRY(show(&s, r, i, tok));
    json_t *o = json_deep_copy(r->record[i]);
    json_object_set_new(o, "arm", json_string(arm));
    t2g_status status = set_token_rewards(o, s.ids.offset, s.rewards.delta,
                                          s.ids.count);
    if (status == T2G_OK)
        t2g_writer_json(w, o);
    json_decref(o);
    free_shown(&s);
    return status;
}

enum { SAMPLES_SHOWN = 6 };

/* samples.jsonl of the report: the best example first, then a few others. */
static t2g_status write_samples(const demo_run *d, const t2g_records *before,
                                const t2g_records *after,
                                const t2g_tokenizer *tok, size_t best)
{
    const t2g_records *of[2] = {before, after};
    static const char *const arm[2] = {"sft", "text2grad"};
    char path[4096];
    t2g_writer *w;
    T2G_TRY(demo_path(d, path, "samples.jsonl"));
    T2G_TRY(t2g_writer_open(&w, path));
    for (size_t k = 0; k < SAMPLES_SHOWN && k < before->count; k++)
        for (int a = 0; a < 2; a++) {
            t2g_status s = write_sample(w, arm[a], of[a],
                                        (best + k) % before->count, tok);
            if (s != T2G_OK) {
                t2g_writer_abort(w);
                return s;
            }
        }
    return t2g_writer_commit(w);
}

/* Finds, prints (unless --json) and files the example. */
static t2g_status example(const demo_run *d)
{
    t2g_records before = {0}, after = {0};
    t2g_tokenizer *tok = NULL;
    char path[4096];
    size_t i = 0;
    shown a = {0}, b = {0};
    t2g_status s = demo_path(d, path, "tokenizer");
    if (s == T2G_OK)
        s = t2g_tokenizer_load(&tok, path);
    if (s == T2G_OK)
        s = demo_path(d, path, "sft_critiques.jsonl");
    if (s == T2G_OK)
        s = t2g_records_read(&before, path, NULL, false, NULL, NULL);
    if (s == T2G_OK)
        s = demo_path(d, path, "text2grad_critiques.jsonl");
    if (s == T2G_OK)
        s = t2g_records_read(&after, path, NULL, false, NULL, NULL);
    if (s == T2G_OK)
        s = best_example(&before, &after, tok, &i);
    if (s == T2G_OK)
        s = write_samples(d, &before, &after, tok, i);
    if (s == T2G_OK)
        s = show(&a, &before, i, tok);
    if (s == T2G_OK)
        s = show(&b, &after, i, tok);
    if (s == T2G_OK && !d->inv->common.json) {
        printf("\nOne held-out message, most likely summaries, tokens coloured "
               "by the reward model's\ncritique (the example it thinks "
               "improved most)\n\n  %s\n\n",
               json_string_value(json_object_get(before.record[i],
                                                 "prompt")));
        print_shown("before    ", &a);
        print_shown("after     ", &b);
    }
    free_shown(&a);
    free_shown(&b);
    t2g_records_free(&before);
    t2g_records_free(&after);
    t2g_tokenizer_free(tok);
    return s;
}

/* --- result.json ---------------------------------------------------------- */

/* One digest over the parameters of all models of the run. */
static t2g_status digest(demo_run *d)
{
    static const char *const models[] = {"sft", "rm", "ppo", "text2grad"};
    t2g_digest *sum;
    T2G_TRY(t2g_digest_new(&sum));
    t2g_status s = T2G_OK;
    for (size_t i = 0; s == T2G_OK && i < 4; i++) {
        char path[4096];
        t2g_model *m = NULL;
        s = demo_path(d, path, models[i]);
        if (s == T2G_OK)
            s = t2g_model_load(&m, path, &d->inv->kernels);
        if (s == T2G_OK)
            t2g_model_digest(m, sum);
        t2g_model_free(m);
    }
    t2g_digest_finish(sum, d->digest);
    return s;
}

static json_t *result_of(const demo_run *d)
{
    json_t *seconds = json_object(), *accuracy = json_object();
    for (int i = 0; i < STAGES; i++)
        json_object_set_new(seconds, demo_stage[i], json_real(d->seconds[i]));
    for (int a = 0; a < ARMS; a++)
        json_object_set_new(
            accuracy, demo_arm[a],
            json_pack("{s:f, s:f, s:f, s:f, s:f, s:f, s:f}", "sampled",
                      d->score[a][0].accuracy, "greedy",
                      d->score[a][1].accuracy, "sampled_se",
                      d->score[a][0].se, "greedy_se", d->score[a][1].se,
                      "missing", d->score[a][0].missing, "repeated",
                      d->score[a][0].repeated, "invented",
                      d->score[a][0].invented));
    return json_pack("{s:I, s:s, s:o, s:o, s:f}", "seed",
                     (json_int_t)d->inv->common.seed, "digest", d->digest,
                     "seconds", seconds, "accuracy", accuracy, "peak_memory",
                     (double)cli_peak_memory());
}

/* metrics.jsonl of the report: those of every stage, in order. */
static t2g_status join_metrics(const demo_run *d)
{
    static const char *const part[] = {"sft/metrics.jsonl", "rm/metrics.jsonl",
                                       "ppo/metrics.jsonl",
                                       "text2grad/metrics.jsonl"};
    t2g_buffer all = {0};
    char path[4096];
    t2g_status s = T2G_OK;
    for (size_t i = 0; s == T2G_OK && i < 4; i++) {
        s = demo_path(d, path, part[i]);
        if (s == T2G_OK)
            s = t2g_file_read(path, &all);
    }
    if (s == T2G_OK)
        s = demo_path(d, path, "metrics.jsonl");
    if (s == T2G_OK)
        s = t2g_file_write(path, all.data, all.size);
    t2g_buffer_free(&all);
    return s;
}

static void print_seconds(const demo_run *d)
{
    double total = 0;
    printf("\nSeconds:");
    for (int i = 0; i < STAGES; i++) {
        printf(" %s %.1f%s", demo_stage[i], d->seconds[i],
               i + 1 < STAGES ? "," : "");
        total += d->seconds[i];
    }
    printf("; in all %.1f. Peak memory %.0f MB.\nDigest of all parameters: "
           "%s\n", total, (double)cli_peak_memory() / 1e6, d->digest);
}

t2g_status demo_finish(demo_run *d)
{
    curve c[ARMS] = {0};
    char path[4096];
    T2G_TRY(digest(d));
    T2G_TRY(join_metrics(d));
    t2g_status s = read_curve(d, ARM_PPO, &c[ARM_PPO]);
    if (s == T2G_OK)
        s = read_curve(d, ARM_T2G, &c[ARM_T2G]);
    bool talk = s == T2G_OK && !d->inv->common.json;
    if (talk) {
        print_table(d, c);
        print_curves(c);
    }
    if (s == T2G_OK)
        s = example(d);
    if (talk)
        print_seconds(d);
    free_curve(&c[ARM_PPO]);
    free_curve(&c[ARM_T2G]);
    T2G_TRY(s);
    json_t *result = result_of(d);
    s = demo_path(d, path, "result.json");
    if (s == T2G_OK)
        s = t2g_json_write(path, result);
    if (s == T2G_OK && d->inv->common.json) {
        json_dumpf(result, stdout, JSON_COMPACT);
        putchar('\n');
    }
    json_decref(result);
    return s;
}
