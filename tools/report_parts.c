/* The report's tables, curves and costs. */
#include "report.h"

#include <math.h>
#include <string.h>

/* --- what is seen --------------------------------------------------------- */

/* One key of an arm over the run, as running means. */
typedef struct trend {
    double first, last, highest, highest_at, end; /* NAN: not measured */
} trend;

static t2g_status trend_read(trend *t, const report_run *r,
                             const report_arm *arm, const char *key)
{
    series s;
    *t = (trend){NAN, NAN, NAN, NAN, NAN};
    T2G_TRY(series_read(&s, &r->metrics, "arm", arm->id, "samples", key));
    if (s.count > 0) {
        size_t early = s.count < SMOOTH ? s.count - 1 : SMOOTH - 1;
        t->first = series_smooth(&s, early);
        t->last = series_smooth(&s, s.count - 1);
        t->end = s.x[s.count - 1];
        for (size_t i = early; i < s.count; i++)
            if (!(series_smooth(&s, i) <= t->highest)) {
                t->highest = series_smooth(&s, i);
                t->highest_at = s.x[i];
            }
    }
    series_free(&s);
    return T2G_OK;
}

/* Samples after which the running mean of the true accuracy first reaches
 * `level`; NAN: never. */
static t2g_status samples_to(double *samples, const report_run *r,
                             const report_arm *arm, double level)
{
    series s;
    *samples = NAN;
    T2G_TRY(series_read(&s, &r->metrics, "arm", arm->id, "samples",
                        "accuracy"));
    for (size_t i = SMOOTH - 1; isnan(*samples) && i < s.count; i++)
        if (series_smooth(&s, i) >= level)
            *samples = s.x[i];
    series_free(&s);
    return T2G_OK;
}

static void put_score(t2g_writer *w, const json_t *score, const char *key,
                      const char *se_key)
{
    double se = report_number(score, se_key);
    put_real(w, report_number(score, key), 3);
    if (!isnan(se))
        t2g_writer_printf(w, " \xc2\xb1\xc2\xa0%.3f", se);
}

static void say_scores(t2g_writer *w, const report_run *r)
{
    const char *before = "";
    put(w, "Share of the facts that summaries of held-out messages get right, "
           "by the true checker (sampled, \xc2\xb1 standard error): ");
    for (size_t i = 0; i < r->arms; i++) {
        if (!r->arm[i].score)
            continue;
        put(w, before);
        before = ", ";
        put_string(w, r->arm[i].name);
        put(w, " <b>");
        put_score(w, r->arm[i].score, "sampled", "sampled_se");
        put(w, "</b>");
    }
    put(w, ". ");
}

static void say_difference(t2g_writer *w, const json_t *a, const json_t *b)
{
    double d = report_number(a, "sampled") - report_number(b, "sampled");
    double se = hypot(report_number(a, "sampled_se"),
                      report_number(b, "sampled_se"));
    if (isnan(d) || isnan(se))
        return;
    t2g_writer_printf(w, "Text2Grad minus PPO is %+.3f \xc2\xb1\xc2\xa0%.3f, "
                      "%s two standard errors. ", d, se,
                      fabs(d) > 2 * se ? "more than" : "within");
}

static t2g_status say_speed(t2g_writer *w, const report_run *r,
                            const report_arm *t2g, const report_arm *ppo)
{
    trend p;
    double samples;
    T2G_TRY(trend_read(&p, r, ppo, "accuracy"));
    if (isnan(p.last))
        return T2G_OK;
    T2G_TRY(samples_to(&samples, r, t2g, p.last));
    t2g_writer_printf(w, "While learning, PPO ends at %.3f after %.0f samples "
                      "(mean of %d steps); Text2Grad ", p.last, p.end, SMOOTH);
    if (isnan(samples))
        put(w, "does not reach that. ");
    else
        t2g_writer_printf(w, "first reaches that after %.0f. ", samples);
    return T2G_OK;
}

static void say_stage(t2g_writer *w, const json_t *last)
{
    put(w, "Stage ");
    put_string(w, json_string_value(json_object_get(last, "stage")));
    t2g_writer_printf(w, ": %.0f updates, loss at the end ",
                      report_number(last, "step"));
    put_real(w, report_number(last, "loss"), 4);
    put(w, ", token accuracy ");
    put_real(w, report_number(last, "mean_token_accuracy"), 3);
    put(w, ". ");
}

t2g_status report_summary(t2g_writer *w, const report_run *r)
{
    const report_arm *t2g = report_find(r, "text2grad");
    const report_arm *ppo = report_find(r, "ppo");
    put(w, "<p class=summary>");
    if (!r->result && !r->metrics.count && !r->samples.count)
        put(w, "This directory holds no results of a run. ");
    if (json_object_get(r->result, "accuracy"))
        say_scores(w, r);
    if (t2g && ppo) {
        say_difference(w, t2g->score, ppo->score);
        T2G_TRY(say_speed(w, r, t2g, ppo));
        put(w, "This is one run: the standard errors are over messages and do "
               "not hold the spread between seeds.");
    } else if (r->metrics.count && r->arms == 0) {
        static const char *const stage[] = {"sft", "reward model"};
        for (size_t i = 0; i < 2; i++)
            if (report_last(r, stage[i]))
                say_stage(w, report_last(r, stage[i]));
    }
    for (size_t i = 0; i < r->arms && !(t2g && ppo); i++)
        if (r->arm[i].last) {
            put_string(w, r->arm[i].name);
            t2g_writer_printf(w, ": %.0f steps, %.0f samples. ",
                              report_number(r->arm[i].last, "step"),
                              report_number(r->arm[i].last, "samples"));
        }
    put(w, "</p>\n");
    return T2G_OK;
}

/* --- results -------------------------------------------------------------- */

static void result_row(t2g_writer *w, const report_arm *a)
{
    t2g_writer_printf(w, "<tr><th class=c%zu>", a->colour);
    put_string(w, a->name);
    put(w, "</th><td>");
    put_score(w, a->score, "sampled", "sampled_se");
    put(w, "</td><td>");
    put_score(w, a->score, "greedy", "greedy_se");
    static const char *const key[] = {"missing", "repeated", "invented"};
    for (size_t i = 0; i < 3; i++) {
        put(w, "</td><td>");
        put_real(w, report_number(a->score, key[i]), 2);
    }
    put(w, "</td><td>");
    put_real(w, strcmp(a->id, "sft") == 0
                    ? 0 : report_number(a->last, "objective/kl"), 2);
    put(w, "</td></tr>\n");
}

void report_results(t2g_writer *w, const report_run *r)
{
    bool any = false;
    for (size_t i = 0; i < r->arms; i++)
        any |= r->arm[i].score != NULL;
    put(w, "<h2>Result</h2>\n");
    if (!any) {
        put(w, "<p class=note>No held-out accuracies: result.json is missing "
               "or holds none.</p>\n");
        return;
    }
    put(w, "<div class=wide><table><tr><th></th><th>sampled</th><th>greedy</th>"
           "<th>missing</th><th>repeated</th><th>invented</th><th>KL</th>"
           "</tr>\n");
    for (size_t i = 0; i < r->arms; i++)
        if (r->arm[i].score)
            result_row(w, &r->arm[i]);
    put(w, "</table></div>\n<p class=note>Accuracy on held-out messages by the "
           "true checker, \xc2\xb1 standard error. Missing, repeated, "
           "invented: facts a sampled summary. KL: nats a response to the "
           "supervised policy, at the last step. Sampled accuracy also rises "
           "when a policy only becomes surer of what it knew; greedy accuracy "
           "does not.</p>\n<div class=charts>");
    intervals_write(w, r);
    put(w, "</div>\n");
}

/* --- curves --------------------------------------------------------------- */

typedef struct curve_kind {
    const char *key, *title, *note;
} curve_kind;

static const curve_kind rl_curve[] = {
    {"accuracy", "True accuracy",
     "Share of the facts in the samples that are right, by the true checker."},
    {"score", "Reward given",
     "Sum of the token rewards of a response. Where it keeps rising while the "
     "true accuracy falls, the policy exploits its judge."},
    {"objective/kl", "KL a response", "Nats to the reference policy."},
    {"ppo/loss/policy", "Policy loss", "Clipped objective, mean of a step."},
    {"ppo/loss/value", "Value loss", "Squared error of the value head."},
    {"ppo/policy/entropy", "Entropy", "Nats a token, of the policy."},
    {"facts/repeated", "Facts repeated",
     "A response, by the true checker."},
    {"facts/missing", "Facts missing", "A response, by the true checker."},
    {"facts/invented", "Facts invented", "A response, by the true checker."}};

static t2g_status draw_arms(t2g_writer *w, const report_run *r,
                            const curve_kind *k)
{
    series line[REPORT_ARMS] = {0};
    size_t n = 0;
    t2g_status s = T2G_OK;
    for (size_t i = 0; s == T2G_OK && i < r->arms; i++) {
        s = series_read(&line[n], &r->metrics, "arm", r->arm[i].id, "samples",
                        k->key);
        line[n].name = r->arm[i].name;
        line[n].colour = r->arm[i].colour;
        if (s == T2G_OK && line[n].count > 0)
            n++;
        else
            series_free(&line[n]);
    }
    const report_arm *start = report_find(r, "sft");
    chart c = {k->title, k->note, "samples", line, n, NAN,
               "supervised, held out", false};
    if (start && strcmp(k->key, "accuracy") == 0)
        c.level = report_number(start->score, "sampled");
    if (s == T2G_OK)
        chart_write(w, &c);
    for (size_t i = 0; i < n; i++)
        series_free(&line[i]);
    return s;
}

static t2g_status draw_loss(t2g_writer *w, const report_run *r,
                            const char *stage, const char *key,
                            const char *title, const char *note)
{
    series s;
    T2G_TRY(series_read(&s, &r->metrics, "stage", stage, "step", key));
    s.name = NULL; /* the title has it */
    chart c = {title, note, "updates", &s, 1, NAN, NULL,
               strcmp(key, "loss") == 0};
    chart_write(w, &c);
    series_free(&s);
    return T2G_OK;
}

static void put_arrow(t2g_writer *w, const trend *t, int decimals)
{
    put_real(w, t->first, decimals);
    put(w, " \xe2\x86\x92 ");
    put_real(w, t->last, decimals);
}

/* Reward given and true accuracy of an arm at the start and the end. */
static t2g_status trend_row(t2g_writer *w, const report_run *r,
                            const report_arm *a)
{
    trend score, accuracy;
    T2G_TRY(trend_read(&score, r, a, "score"));
    T2G_TRY(trend_read(&accuracy, r, a, "accuracy"));
    t2g_writer_printf(w, "<tr><th class=c%zu>", a->colour);
    put_string(w, a->name);
    put(w, "</th><td>");
    put_real(w, report_number(a->last, "samples"), 0);
    put(w, "</td><td>");
    put_arrow(w, &score, 2);
    put(w, "</td><td>");
    put_arrow(w, &accuracy, 3);
    put(w, "</td><td>");
    put_real(w, accuracy.highest, 3);
    if (!isnan(accuracy.highest))
        t2g_writer_printf(w, " after %.0f", accuracy.highest_at);
    put(w, "</td></tr>\n");
    return T2G_OK;
}

static t2g_status reinforcement_curves(t2g_writer *w, const report_run *r)
{
    put(w, "<h2>Learning from feedback</h2>\n<div class=charts>\n");
    for (size_t i = 0; i < sizeof rl_curve / sizeof *rl_curve; i++)
        T2G_TRY(draw_arms(w, r, &rl_curve[i]));
    t2g_writer_printf(w, "</div>\n<p class=note>Pale points: single steps; "
                      "lines: mean of %d.</p>\n<div class=wide><table><tr>"
                      "<th></th><th>samples</th><th>reward given</th><th>true "
                      "accuracy</th><th>its highest</th></tr>\n", SMOOTH);
    for (size_t i = 0; i < r->arms; i++)
        if (r->arm[i].last)
            T2G_TRY(trend_row(w, r, &r->arm[i]));
    t2g_writer_printf(w, "</table></div>\n<p class=note>Of responses sampled "
                      "while learning; first and last mean of %d steps, and "
                      "the highest of these means.</p>\n", SMOOTH);
    return T2G_OK;
}

static t2g_status supervised_curves(t2g_writer *w, const report_run *r)
{
    const json_t *held_out = report_last(r, "sft-eval");
    put(w, "<h2>Supervised stages</h2>\n<div class=charts>\n");
    T2G_TRY(draw_loss(w, r, "sft", "loss", "Supervised policy: loss",
                      "Nats a token of the completion."));
    T2G_TRY(draw_loss(w, r, "sft", "mean_token_accuracy",
                      "Supervised policy: token accuracy",
                      "Share of tokens that are the most likely one."));
    T2G_TRY(draw_loss(w, r, "reward model", "loss", "Reward model: loss",
                      "Nats a token of the critique."));
    T2G_TRY(draw_loss(w, r, "reward model", "mean_token_accuracy",
                      "Reward model: token accuracy",
                      "Share of tokens that are the most likely one."));
    put(w, "</div>\n");
    if (held_out) {
        put(w, "<p>Supervised policy on held-out data: loss ");
        put_real(w, report_number(held_out, "eval_loss"), 4);
        put(w, ", token accuracy ");
        put_real(w, report_number(held_out, "eval_mean_token_accuracy"), 3);
        put(w, ".</p>\n");
    }
    return T2G_OK;
}

t2g_status report_curves(t2g_writer *w, const report_run *r)
{
    bool learned = false;
    for (size_t i = 0; i < r->arms; i++)
        learned |= r->arm[i].last != NULL;
    if (learned)
        T2G_TRY(reinforcement_curves(w, r));
    if (report_last(r, "sft") || report_last(r, "reward model"))
        return supervised_curves(w, r);
    if (!learned)
        put(w, "<h2>Learning curves</h2>\n<p class=note>None: metrics.jsonl is "
               "missing or holds none.</p>\n");
    return T2G_OK;
}

/* --- reward model --------------------------------------------------------- */

void report_reward_model(t2g_writer *w, const report_run *r)
{
    static const char *const label[] = {"good", "poor"};
    static const char *const key[] = {"precision", "recall", "f1"};
    const json_t *q = report_last(r, "train-rm-eval");
    if (!q)
        return;
    put(w, "<h2>Reward model on held-out responses</h2>\n<div class=wide>"
           "<table><tr><th>tokens</th><th>precision</th><th>recall</th>"
           "<th>F1</th><th>number</th></tr>\n");
    for (size_t i = 0; i < 2; i++) {
        const json_t *scores = json_object_get(q, label[i]);
        t2g_writer_printf(w, "<tr><th><span class=%s style=\"--s:.45\">%s"
                          "</span></th>", label[i], label[i]);
        for (size_t k = 0; k < 3; k++) {
            put(w, "<td>");
            put_real(w, report_number(scores, key[k]), 3);
            put(w, "</td>");
        }
        put(w, "<td>");
        put_real(w, report_number(scores, "tokens"), 0);
        put(w, "</td></tr>\n");
    }
    put(w, "</table></div>\n<p class=note>Tokens it calls good or poor against "
           "those that the held-out critiques do. Of ");
    put_real(w, report_number(q, "responses"), 0);
    put(w, " responses it marked ");
    put_real(w, 100 * report_number(q, "exact"), 1);
    put(w, " % exactly as they do; ");
    put_real(w, 100 * report_number(q, "unparsed"), 1);
    put(w, " % of its replies could not be read.</p>\n");
}

/* --- cost ----------------------------------------------------------------- */

/* Trained tokens a second of a supervised stage; NAN if not known. */
static double tokens_a_second(const report_run *r, const char *stage)
{
    const json_t *last =
        report_last(r, strcmp(stage, "supervised policy") == 0 ? "sft" : stage);
    double seconds = report_number(last, "seconds");
    return seconds > 0 ? report_number(last, "tokens") / seconds : NAN;
}

static void cost_row(t2g_writer *w, const report_run *r, const char *stage,
                     double seconds, double most)
{
    const report_arm *arm = report_find(r, stage);
    put(w, "<tr><th>");
    put_string(w, arm ? arm->name : stage);
    put(w, "</th><td>");
    put_real(w, seconds, 1);
    t2g_writer_printf(w, "</td><td class=bar><span style=\"width:%.1f%%\">"
                      "</span></td><td>",
                      seconds > 0 && most > 0 ? 100 * seconds / most : 0);
    put_real(w, tokens_a_second(r, stage), 0);
    put(w, "</td></tr>\n");
}

/* Seconds by stage: result.json's, or if it has none those of metrics.jsonl,
 * whose lines count from the start of their stage. New reference. */
static json_t *stage_seconds(const report_run *r)
{
    json_t *known = json_object_get(r->result, "seconds");
    if (json_object_size(known) > 0)
        return json_incref(known);
    json_t *o = json_object();
    for (size_t i = 0; i < r->metrics.count; i++) {
        const json_t *line = r->metrics.record[i];
        json_t *seconds = json_object_get(line, "seconds");
        const char *name = json_string_value(json_object_get(line, "arm"));
        if (!name)
            name = json_string_value(json_object_get(line, "stage"));
        if (name && seconds)
            json_object_set(o, name, seconds);
    }
    return o;
}

/* Seconds of an arm's steps by what they were spent on, and its rates. */
typedef struct spent {
    double rollout, reward, update, tokens;
} spent;

static spent arm_spent(const report_run *r, const report_arm *a)
{
    spent t = {0};
    double drawn = 0;
    for (size_t i = 0; i < r->metrics.count; i++) {
        const json_t *line = r->metrics.record[i];
        const char *id = json_string_value(json_object_get(line, "arm"));
        if (!id || strcmp(id, a->id) != 0)
            continue;
        double samples = report_number(line, "samples");
        t.rollout += report_number(line, "time/rollout");
        t.reward += report_number(line, "time/reward");
        t.update += report_number(line, "time/update");
        t.tokens += (samples - drawn) * report_number(line, "usable") *
                    report_number(line, "tokens/responses_len_mean");
        drawn = samples;
    }
    return t;
}

static void arm_costs(t2g_writer *w, const report_run *r)
{
    put(w, "<div class=wide><table><tr><th>seconds of the steps</th>"
           "<th>sampling</th><th>judging</th><th>updating</th><th>tokens/s "
           "sampled</th></tr>\n");
    for (size_t i = 0; i < r->arms; i++) {
        const report_arm *a = &r->arm[i];
        if (!a->last)
            continue;
        spent t = arm_spent(r, a);
        t2g_writer_printf(w, "<tr><th class=c%zu>", a->colour);
        put_string(w, a->name);
        put(w, "</th><td>");
        put_real(w, t.rollout, 1);
        put(w, "</td><td>");
        put_real(w, t.reward, 1);
        put(w, "</td><td>");
        put_real(w, t.update, 1);
        put(w, "</td><td>");
        put_real(w, t.rollout > 0 ? t.tokens / t.rollout : NAN, 0);
        put(w, "</td></tr>\n");
    }
    put(w, "</table></div>\n");
}

static double peak_memory(const report_run *r)
{
    double most = report_number(r->result, "peak_memory");
    for (size_t i = 0; i < r->metrics.count; i++)
        most = fmax(most, report_number(r->metrics.record[i], "memory"));
    return most;
}

void report_cost(t2g_writer *w, const report_run *r)
{
    json_t *seconds = stage_seconds(r), *value;
    const char *name;
    double most = 0, total = 0, memory = peak_memory(r);
    bool learned = false;
    json_object_foreach(seconds, name, value) {
        most = fmax(most, report_number(seconds, name));
        total += json_number_value(value);
    }
    put(w, "<h2>Cost</h2>\n");
    if (total > 0) {
        put(w, "<div class=wide><table class=cost><tr><th>stage</th><th>"
               "seconds</th><th></th><th>tokens/s trained</th></tr>\n");
        json_object_foreach(seconds, name, value)
            cost_row(w, r, name, report_number(seconds, name), most);
        put(w, "<tr class=total><th>in all</th><td>");
        put_real(w, total, 1);
        put(w, "</td><td></td><td></td></tr></table></div>\n");
    } else {
        put(w, "<p class=note>No times were recorded.</p>\n");
    }
    json_decref(seconds);
    for (size_t i = 0; i < r->arms; i++)
        learned |= r->arm[i].last != NULL;
    if (learned)
        arm_costs(w, r);
    if (!isnan(memory))
        t2g_writer_printf(w, "<p>Peak memory %.0f MB.</p>\n", memory / 1e6);
}
