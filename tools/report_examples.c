/* The report's examples: responses as heat maps of their token rewards, beside
 * the critique the rewards come from. */
#include "report.h"

#include <math.h>
#include <string.h>

enum { MOST_EXAMPLES = 12 };

/* --- tokens --------------------------------------------------------------- */

static const char replacement[] = "\xef\xbf\xbd"; /* U+FFFD */

/* A walk over the characters of a response, counting the bytes that its tokens'
 * offsets count. */
typedef struct walk {
    const char *text;
    size_t n, at; /* bytes of the text, and how far the walk is */
    size_t raw;   /* the same position as offsets count it */
    bool replaced; /* each U+FFFD stands for one byte that was not UTF-8 */
} walk;

static size_t character_size(unsigned char first)
{
    return first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

static bool at_replacement(const walk *p)
{
    return p->n - p->at >= 3 && memcmp(p->text + p->at, replacement, 3) == 0;
}

/* Walks to the first character that begins at offset `raw` or later. */
static size_t walk_to(walk *p, size_t raw)
{
    while (p->at < p->n && p->raw < raw) {
        size_t size = character_size((unsigned char)p->text[p->at]);
        p->raw += p->replaced && at_replacement(p) ? 1 : size;
        p->at += size;
    }
    return p->at;
}

/* A policy samples bytes. Where they are no text, the record holds U+FFFD, of
 * three bytes, but its offsets count the one sampled: the last offset tells. */
static walk walk_over(const char *text, size_t n, size_t end)
{
    size_t raw = n;
    for (const char *p = text; (p = memchr(p, replacement[0],
                                           n - (size_t)(p - text))); p++)
        if (n - (size_t)(p - text) >= 3 && memcmp(p, replacement, 3) == 0)
            raw -= 2;
    return (walk){.text = text, .n = n, .replaced = raw < n && end == raw};
}

static size_t offset_of(const json_t *offsets, size_t i)
{
    return (size_t)json_integer_value(json_array_get(offsets, i));
}

static double reward_of(const json_t *rewards, size_t i)
{
    double x = json_number_value(json_array_get(rewards, i));
    return isfinite(x) ? x : 0;
}

static void put_token(t2g_writer *w, const char *text, size_t n, double reward,
                      double strongest)
{
    if (reward == 0 && n == 0)
        return;
    put(w, "<span");
    if (reward != 0)
        t2g_writer_printf(w, " class=%s style=\"--s:%.2f\"",
                          reward > 0 ? "good" : "poor",
                          0.12 + 0.48 * fabs(reward) / strongest);
    put(w, " title=\"");
    put_text(w, text, n);
    t2g_writer_printf(w, " %+.3g\">", reward);
    if (n > 0)
        put_text(w, text, n);
    else
        put(w, "\xe2\x97\xa6"); /* a token without text, such as the end */
    put(w, "</span>");
}

static bool rewards_fit(const json_t *record)
{
    size_t n = json_array_size(json_object_get(record, "rewards"));
    return n > 0 &&
           json_array_size(json_object_get(record, "offsets")) == 2 * n;
}

static void put_heat_map(t2g_writer *w, const json_t *record, double strongest)
{
    const json_t *response = json_object_get(record, "response");
    const json_t *offsets = json_object_get(record, "offsets");
    const json_t *rewards = json_object_get(record, "rewards");
    const char *text = json_string_value(response);
    size_t n = json_string_length(response), at = 0;
    size_t tokens = rewards_fit(record) ? json_array_size(rewards) : 0;
    walk p = walk_over(text, n, tokens ? offset_of(offsets, 2 * tokens - 1)
                                       : n);
    for (size_t t = 0; t < tokens;) {
        size_t begin = walk_to(&p, offset_of(offsets, 2 * t));
        size_t end = walk_to(&p, offset_of(offsets, 2 * t + 1));
        double reward = reward_of(rewards, t++);
        /* Tokens that share a character are one: the strongest counts. */
        while (t < tokens && offset_of(offsets, 2 * t) < p.raw) {
            end = walk_to(&p, offset_of(offsets, 2 * t + 1));
            if (fabs(reward_of(rewards, t)) > fabs(reward))
                reward = reward_of(rewards, t);
            t++;
        }
        put_text(w, text + at, begin - at);
        put_token(w, text + begin, end - begin, reward, strongest);
        at = end;
    }
    put_text(w, text + at, n - at);
}

/* --- critiques ------------------------------------------------------------ */

static void put_spans(t2g_writer *w, const json_t *record, const char *key,
                      const char *class)
{
    const json_t *spans = json_object_get(record, key);
    for (size_t i = 0; i < json_array_size(spans); i++) {
        const json_t *span = json_array_get(spans, i), *text = span;
        if (json_is_object(span))
            text = json_object_get(span, "text");
        if (!json_is_string(text))
            continue;
        t2g_writer_printf(w, "<span class=%s style=\"--s:.3\">", class);
        put_text(w, json_string_value(text), json_string_length(text));
        put(w, "</span> ");
    }
}

static void put_critique(t2g_writer *w, const json_t *record)
{
    const json_t *critique = json_object_get(record, "critique");
    const char *status = json_string_value(json_object_get(record, "status"));
    put(w, "<div class=critique>");
    if (status && strcmp(status, "unparsed") == 0)
        put(w, "<p class=note>The reward model's reply could not be read: no "
               "reward.</p>");
    else if (json_string_length(critique) == 0)
        put(w, "<p class=note>No critique.</p>");
    put(w, "<p>");
    put_text(w, json_string_value(critique), json_string_length(critique));
    put(w, "</p><p class=spans>");
    put_spans(w, record, "good_spans", "good");
    put_spans(w, record, "poor_spans", "poor");
    put(w, "</p></div>");
}

/* --- the section ---------------------------------------------------------- */

static double strongest_reward(const t2g_records *r)
{
    double most = 0;
    for (size_t i = 0; i < r->count; i++) {
        const json_t *rewards = json_object_get(r->record[i], "rewards");
        for (size_t k = 0; k < json_array_size(rewards); k++)
            most = fmax(most, fabs(reward_of(rewards, k)));
    }
    return most;
}

static bool same_prompt(const json_t *a, const json_t *b)
{
    return a && json_equal(json_object_get(a, "prompt"),
                           json_object_get(b, "prompt"));
}

/* before = the record above, NULL for the first. */
static void put_example(t2g_writer *w, const report_run *r,
                        const json_t *before, const json_t *record,
                        double strongest)
{
    const json_t *prompt = json_object_get(record, "prompt");
    const char *id = json_string_value(json_object_get(record, "arm"));
    const report_arm *arm = id ? report_find(r, id) : NULL;
    double step = report_number(record, "step");
    if (!same_prompt(before, record)) {
        put(w, "<blockquote>");
        put_text(w, json_string_value(prompt), json_string_length(prompt));
        put(w, "</blockquote>\n");
    }
    put(w, "<div class=example><div><h4>");
    put_string(w, arm ? arm->name : id ? id : "response");
    if (!isnan(step))
        t2g_writer_printf(w, ", step %.0f", step);
    put(w, "</h4><p class=response>");
    put_heat_map(w, record, strongest);
    put(w, "</p></div>");
    put_critique(w, record);
    put(w, "</div>\n");
}

void report_examples(t2g_writer *w, const report_run *r)
{
    const t2g_records *s = &r->samples;
    double strongest = strongest_reward(s);
    const json_t *before = NULL;
    put(w, "<h2>Examples</h2>\n");
    if (s->count == 0) {
        put(w, "<p class=note>None: samples.jsonl is missing or holds "
               "none.</p>\n");
        return;
    }
    put(w, "<p>Each token is coloured by the reward it was given: "
           "<span class=good style=\"--s:.45\">good</span>, "
           "<span class=poor style=\"--s:.45\">poor</span>, stronger the "
           "larger it is");
    if (strongest > 0)
        t2g_writer_printf(w, " (the largest is %.3g)", strongest);
    put(w, ". Beside it stands the critique that the rewards come from, with "
           "the passages it quotes.");
    if (s->count > MOST_EXAMPLES)
        t2g_writer_printf(w, " Shown are the first and the last %d of %zu "
                          "responses.", MOST_EXAMPLES / 2, s->count);
    put(w, "</p>\n");
    for (size_t i = 0; i < s->count; i++) {
        if (i >= MOST_EXAMPLES / 2 && i + MOST_EXAMPLES / 2 < s->count)
            continue;
        if (!json_is_string(json_object_get(s->record[i], "response")))
            continue;
        put_example(w, r, before, s->record[i], strongest);
        before = s->record[i];
    }
}
