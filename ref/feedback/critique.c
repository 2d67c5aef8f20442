/* Critiques: read from a reward model's reply or a record, and written back. A
 * reply that is exactly the answer asked for is read here; of any other,
 * reply.c makes what it can. */
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "critique.h"
#include "t2g/files.h"

void t2g_critique_free(t2g_critique *c)
{
    for (size_t i = 0; i < c->count; i++) {
        t2g_free(c->span[i].text);
        t2g_free(c->span[i].note);
    }
    t2g_free(c->span);
    t2g_free(c->text);
    *c = (t2g_critique){0};
}

const char *t2g_label_of(double score)
{
    return score > 0 ? "good" : score < 0 ? "poor" : "neutral";
}

static bool same_word(const char *s, size_t n, const char *word)
{
    for (size_t i = 0; i < n; i++)
        if (word[i] == '\0' || tolower((unsigned char)s[i]) != word[i])
            return false;
    return word[n] == '\0';
}

bool t2g_label_score(const char *label, size_t n, double *score)
{
    static const struct {
        const char *word;
        double score;
    } labels[] = {{"good", 1},     {"positive", 1},  {"helpful", 1},
                  {"poor", -1},    {"negative", -1}, {"bad", -1},
                  {"harmful", -1}, {"wrong", -1},    {"neutral", 0},
                  {"improve", 0}};
    while (n && isspace((unsigned char)*label))
        label++, n--;
    while (n && isspace((unsigned char)label[n - 1]))
        n--;
    for (size_t i = 0; i < sizeof labels / sizeof *labels; i++)
        if (same_word(label, n, labels[i].word)) {
            *score = labels[i].score;
            return true;
        }
    return false;
}

const char *t2g_repair_name(unsigned bit)
{
    static const char *const names[T2G_REPAIRS] = {
        "surrounded", "unpacked_string", "single_quotes", "tuple",
        "extra_comma", "missing_comma", "missing_bracket", "comment",
        "python_literal", "raw_control", "unknown_escape", "inner_quote",
        "duplicate_key", "end_of_input", "plus_sign", "key_name",
        "no_object", "lines", "missing_field", "item_form"};
    return bit < T2G_REPAIRS ? names[bit] : "";
}

/* Room for one more: the array's size is the power of two from count up. */
static t2g_span *new_span(t2g_critique *c)
{
    if ((c->count & (c->count - 1)) != 0)
        return &c->span[c->count];
    t2g_span *s = t2g_regrow(c->span, c->count, c->count ? 2 * c->count : 1,
                             sizeof *s);
    if (!s)
        return NULL;
    c->span = s;
    return &s[c->count];
}

t2g_status t2g_critique_add(t2g_critique *c, const char *text, size_t length,
                            double score, const char *source)
{
    t2g_span *s = new_span(c);
    char *copy = s ? t2g_strndup(text, length) : NULL;
    if (!copy)
        return T2G_ERR_MEMORY;
    *s = (t2g_span){.text = copy, .length = length, .score = score,
                    .label = t2g_label_of(score), .source = source,
                    .start = T2G_NO_OFFSET, .end = T2G_NO_OFFSET};
    c->count++;
    c->status = T2G_CRITIQUE_OK;
    return T2G_OK;
}

/* --- JSON values ---------------------------------------------------------- */

/* Which key is wrong and why; kept by the caller as a reason or an error. */
typedef struct complaint {
    char text[128];
} complaint;

static bool complain(complaint *why, const char *key, const char *what)
{
    snprintf(why->text, sizeof why->text, "'%s' %s", key, what);
    return false;
}

/* An optional byte offset, by either of its names. */
static bool offset(const json_t *o, const char *key, const char *other,
                   size_t *out, complaint *why)
{
    const json_t *v = json_object_get(o, key);
    if (!v)
        v = json_object_get(o, other);
    *out = T2G_NO_OFFSET;
    if (!v || json_is_null(v))
        return true;
    if (!json_is_integer(v) || json_integer_value(v) < 0)
        return complain(why, key, "is no byte offset");
    *out = (size_t)json_integer_value(v);
    return true;
}

/* Scores outside [-1, 1] are clamped, others than numbers and labels
 * rejected. */
static void take_score(t2g_span *s, const json_t *v)
{
    double x = json_number_value(v);
    if (!v || json_is_null(v))
        return;
    bool known = json_is_number(v) ||
                 (json_is_string(v) &&
                  t2g_label_score(json_string_value(v), json_string_length(v),
                                  &x));
    if (!known || !isfinite(x)) {
        s->rejected = "rejected_score";
        return;
    }
    double y = fmin(fmax(x, -1), 1);
    s->clamped = x != y;
    s->score = y;
    s->label = t2g_label_of(y);
}

static t2g_status take_note(t2g_span *s, const json_t *item)
{
    static const char *const keys[] = {"note", "type"};
    for (size_t i = 0; i < 2 && !s->note; i++) {
        const json_t *v = json_object_get(item, keys[i]);
        if (json_is_string(v) && !(s->note = t2g_strdup(json_string_value(v))))
            return T2G_ERR_MEMORY;
    }
    return T2G_OK;
}

/* One item of a list of spans: a string, or an object. */
static t2g_status add_item(t2g_critique *c, const json_t *item, double score,
                           const char *source, bool *ok, complaint *why)
{
    const json_t *text = json_is_object(item) ? json_object_get(item, "text")
                                              : item;
    *ok = json_is_string(text) || complain(why, source, "holds an item without "
                                                        "text");
    if (!*ok)
        return T2G_OK;
    T2G_TRY(t2g_critique_add(c, json_string_value(text),
                             json_string_length(text), score, source));
    if (!json_is_object(item))
        return T2G_OK;
    t2g_span *s = &c->span[c->count - 1];
    *ok = offset(item, "start", "byte_start", &s->start, why) &&
          offset(item, "end", "byte_end", &s->end, why);
    take_score(s, json_object_get(item, "label"));
    take_score(s, json_object_get(item, "score"));
    return take_note(s, item);
}

static t2g_status add_list(t2g_critique *c, const json_t *root,
                           const char *key, double score, bool required,
                           bool *ok, complaint *why)
{
    const json_t *list = json_object_get(root, key);
    if (!*ok)
        return T2G_OK;
    if ((!list || json_is_null(list)) && !required)
        return T2G_OK;
    if (!json_is_array(list)) {
        *ok = complain(why, key, list ? "is not a list" : "is missing");
        return T2G_OK;
    }
    for (size_t i = 0; *ok && i < json_array_size(list); i++)
        T2G_TRY(add_item(c, json_array_get(list, i), score, key, ok, why));
    return T2G_OK;
}

/* A list of [word, score], as "words" or "word_score_list". */
static t2g_status add_words(t2g_critique *c, const json_t *root, bool *ok,
                            complaint *why)
{
    const char *key = json_object_get(root, "words") ? "words"
                                                     : "word_score_list";
    const json_t *list = json_object_get(root, key), *item;
    size_t i;
    if (!*ok || !list || json_is_null(list))
        return T2G_OK;
    *ok = json_is_array(list) || complain(why, key, "is not a list");
    json_array_foreach(list, i, item) {
        const json_t *word = json_array_get(item, 0);
        *ok = *ok && ((json_array_size(item) == 2 && json_is_string(word)) ||
                      complain(why, key, "holds an item that is no [word, "
                                         "score]"));
        if (!*ok)
            return T2G_OK;
        T2G_TRY(t2g_critique_add(c, json_string_value(word),
                                 json_string_length(word), 0,
                                 "word_score_list"));
        t2g_span *s = &c->span[c->count - 1];
        s->word = true;
        s->rejected = "rejected_score";
        if (!json_is_null(json_array_get(item, 1))) {
            s->rejected = NULL;
            take_score(s, json_array_get(item, 1));
        }
    }
    return T2G_OK;
}

static t2g_status set_text(t2g_critique *c, const json_t *v)
{
    size_t n = v ? json_string_length(v) : 0;
    t2g_free(c->text);
    c->text = t2g_strndup(v ? json_string_value(v) : "", n);
    c->text_length = n;
    return c->text ? T2G_OK : T2G_ERR_MEMORY;
}

/* --- replies -------------------------------------------------------------- */

t2g_status t2g_critique_unparsed(t2g_critique *c, const char *reason)
{
    t2g_critique_free(c);
    c->status = T2G_CRITIQUE_UNPARSED;
    snprintf(c->reason, sizeof c->reason, "%.*s", (int)sizeof c->reason - 1,
             reason);
    return set_text(c, NULL);
}

/* An object that is the answer asked for, and that alone, fills c; any other
 * leaves it unparsed. */
static t2g_status take_answer(t2g_critique *c, const json_t *root)
{
    complaint why = {""};
    bool ok = true;
    const json_t *text = json_object_get(root, "textual_feedback");
    if (!text)
        text = json_object_get(root, "critique");
    if (!json_is_string(text))
        return t2g_critique_unparsed(c, "no string 'textual_feedback'");
    if (json_object_get(root, "word_score_list"))
        return t2g_critique_unparsed(c, "a list of words besides");
    T2G_TRY(set_text(c, text));
    T2G_TRY(add_list(c, root, "good_spans", 1, true, &ok, &why));
    T2G_TRY(add_list(c, root, "poor_spans", -1, true, &ok, &why));
    if (!ok)
        return t2g_critique_unparsed(c, why.text);
    c->status = c->count ? T2G_CRITIQUE_OK : T2G_CRITIQUE_EMPTY;
    return T2G_OK;
}

t2g_status t2g_critique_parse(t2g_critique *out, const char *reply, size_t n)
{
    *out = (t2g_critique){.status = T2G_CRITIQUE_UNPARSED};
    json_t *root = json_loadb(reply, n, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL,
                              NULL);
    t2g_status s = json_is_object(root) ? take_answer(out, root) : T2G_OK;
    json_decref(root);
    if (s == T2G_OK && out->status == T2G_CRITIQUE_UNPARSED) {
        t2g_critique_free(out);
        s = t2g_reply_read(out, reply, n);
    }
    if (s != T2G_OK)
        t2g_critique_free(out);
    return s;
}

/* --- records -------------------------------------------------------------- */

t2g_status t2g_critique_from_record(t2g_critique *out, const json_t *record)
{
    const json_t *reply = json_object_get(record, "reply");
    const json_t *text = json_object_get(record, "critique");
    const json_t *status = json_object_get(record, "status");
    complaint why = {""};
    bool ok = true;
    *out = (t2g_critique){0};
    if (json_is_string(reply))
        return t2g_critique_parse(out, json_string_value(reply),
                                  json_string_length(reply));
    if (json_is_string(status) &&
        strcmp(json_string_value(status), "unparsed") == 0)
        return t2g_critique_unparsed(out, "recorded as unparsed");
    if (text && !json_is_null(text) && !json_is_string(text))
        return t2g_fail(T2G_ERR_FORMAT, "'critique' is not a string");
    t2g_status s = set_text(out, json_is_string(text) ? text : NULL);
    if (s == T2G_OK)
        s = add_list(out, record, "spans", 0, false, &ok, &why);
    if (s == T2G_OK)
        s = add_list(out, record, "good_spans", 1, false, &ok, &why);
    if (s == T2G_OK)
        s = add_list(out, record, "poor_spans", -1, false, &ok, &why);
    if (s == T2G_OK)
        s = add_list(out, record, "wrong_code", -1, false, &ok, &why);
    if (s == T2G_OK)
        s = add_list(out, record, "improvement_code", 0, false, &ok, &why);
    if (s == T2G_OK)
        s = add_words(out, record, &ok, &why);
    if (s == T2G_OK && !ok)
        s = t2g_fail(T2G_ERR_FORMAT, "%s", why.text);
    if (s != T2G_OK)
        t2g_critique_free(out);
    else
        out->status = out->count ? T2G_CRITIQUE_OK : T2G_CRITIQUE_EMPTY;
    return s;
}

/* --- writing -------------------------------------------------------------- */

/* A span as it was given: a plain string unless more is known about it. */
static json_t *span_json(const t2g_span *s)
{
    json_t *text = t2g_json_text(s->text, s->length);
    bool plain = fabs(s->score) == 1; /* the list says it */
    if (!text || (plain && s->start == T2G_NO_OFFSET && !s->note))
        return text;
    json_t *o = json_pack("{s:o}", "text", text);
    if (!plain)
        json_object_set_new(o, "score", json_real(s->score));
    if (s->start != T2G_NO_OFFSET) {
        json_object_set_new(o, "start", json_integer((json_int_t)s->start));
        json_object_set_new(o, "end", json_integer((json_int_t)s->end));
    }
    if (s->note)
        json_object_set_new(o, "note", json_string(s->note));
    return o;
}

/* Appends a span to the list that it belongs to. Plain lists hold the quotes
 * alone, and no neutral span: neither list would mean it. */
static bool append_span(json_t *const list[3], const t2g_span *s, bool plain)
{
    if (s->word)
        return json_array_append_new(list[2], json_pack(
                   "[o, f]", t2g_json_text(s->text, s->length), s->score)) ==
               0;
    if (plain && s->score == 0)
        return true;
    return json_array_append_new(list[s->score <= 0],
                                 plain ? t2g_json_text(s->text, s->length)
                                       : span_json(s)) == 0;
}

/* Sets the words and the lists of an object; that of words only if there are
 * any. */
static t2g_status add_answer(json_t *o, const char *words_key,
                             const t2g_critique *c, bool plain)
{
    json_t *list[3] = {json_array(), json_array(), json_array()};
    bool ok = json_object_set_new(o, words_key,
                                  t2g_json_text(c->text ? c->text : "",
                                                c->text_length)) == 0;
    for (size_t i = 0; i < c->count; i++)
        if (!c->span[i].rejected)
            ok &= append_span(list, &c->span[i], plain);
    ok &= json_object_set_new(o, "good_spans", list[0]) == 0;
    ok &= json_object_set_new(o, "poor_spans", list[1]) == 0;
    if (json_array_size(list[2]))
        ok &= json_object_set(o, "word_score_list", list[2]) == 0;
    json_decref(list[2]);
    return ok ? T2G_OK
              : t2g_fail(T2G_ERR_MEMORY, "no memory for a critique as JSON");
}

t2g_status t2g_critique_format(const t2g_critique *c, t2g_buffer *out)
{
    json_t *root = json_object();
    t2g_status s = add_answer(root, "textual_feedback", c, true);
    char *text = s == T2G_OK ? json_dumps(root, 0) : NULL;
    if (s == T2G_OK)
        s = text ? t2g_buffer_puts(out, text)
                 : t2g_fail(T2G_ERR_MEMORY, "no memory for a critique as text");
    free(text);
    json_decref(root);
    return s;
}

t2g_status t2g_critique_to_record(const t2g_critique *c, json_t *record)
{
    return add_answer(record, "critique", c, false);
}
