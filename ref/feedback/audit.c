/* The audit: what was done with each span, so that the rewards can be told, and
 * made again, from it alone. */
#include <math.h>
#include <string.h>

#include "t2g/files.h"
#include "tokens.h"

static const char *const overlap_names[] = {"sum", "inner", "negative",
                                            "first"};
enum { OVERLAPS = sizeof overlap_names / sizeof *overlap_names };

/* --- writing -------------------------------------------------------------- */

static void set_size(json_t *o, const char *key, size_t value)
{
    json_object_set_new(o, key, json_integer((json_int_t)value));
}

static json_t *repairs_json(unsigned repairs)
{
    json_t *list = json_array();
    for (unsigned bit = 0; bit < T2G_REPAIRS; bit++)
        if (repairs & 1u << bit)
            json_array_append_new(list, json_string(t2g_repair_name(bit)));
    return list;
}

static json_t *straddle_json(const t2g_placement *p)
{
    json_t *list = json_array();
    for (size_t i = 0; i < p->straddles; i++)
        json_array_append_new(list, json_pack(
            "{s:I, s:I, s:I}", "token", (json_int_t)p->straddle[i].token,
            "overlap", (json_int_t)p->straddle[i].overlap, "core",
            (json_int_t)p->straddle[i].core));
    return list;
}

static json_t *conflicts_json(const t2g_alignment *a, size_t i)
{
    json_t *list = json_array();
    for (size_t k = 0; k < a->opposed; k++) {
        const t2g_opposed *o = &a->opposed_pair[k];
        if (o->a == i || o->b == i)
            json_array_append_new(list, json_integer(
                (json_int_t)a->placement[o->a == i ? o->b : o->a].span));
    }
    return list;
}

/* The texts of a run of listed words, blanks between. */
static json_t *text_json(const t2g_placement *p, const t2g_critique *c)
{
    t2g_buffer b = {0};
    t2g_status s = t2g_buffer_append(&b, "", 0);
    for (size_t i = 0; s == T2G_OK && i < (p->words ? p->words : 1); i++) {
        if (i > 0)
            s = t2g_buffer_puts(&b, " ");
        if (s == T2G_OK)
            s = t2g_buffer_append(&b, c->span[p->span + i].text,
                                  c->span[p->span + i].length);
    }
    json_t *text = s == T2G_OK ? t2g_json_text(b.data, b.size) : NULL;
    t2g_buffer_free(&b);
    return text;
}

static void add_place(json_t *o, const t2g_placement *p, const char *response)
{
    if (p->end <= p->start)
        return;
    set_size(o, "byte_start", p->start);
    set_size(o, "byte_end", p->end);
    json_object_set_new(o, "matched", t2g_json_text(response + p->start,
                                                   p->end - p->start));
}

/* Members that most spans do without. */
static void add_particulars(json_t *o, const t2g_alignment *a, size_t i,
                            const t2g_critique *c)
{
    const t2g_placement *p = &a->placement[i];
    if (p->words > 1)
        set_size(o, "words", p->words);
    if (p->straddles)
        json_object_set_new(o, "straddle", straddle_json(p));
    if (p->overruled)
        set_size(o, "overruled", p->overruled);
    json_t *conflicts = conflicts_json(a, i);
    if (json_array_size(conflicts))
        json_object_set(o, "conflicts", conflicts);
    json_decref(conflicts);
    if (p->reason)
        json_object_set_new(o, "reason", json_string(p->reason));
    if (p->offset_mismatch)
        json_object_set_new(o, "offset_mismatch", json_true());
    if (c->span[p->span].clamped)
        json_object_set_new(o, "clamped", json_true());
}

static json_t *placement_json(const t2g_alignment *a, size_t i,
                              const t2g_critique *c, const char *response)
{
    const t2g_placement *p = &a->placement[i];
    const t2g_span *s = &c->span[p->span];
    json_t *o = json_pack(
        "{s:I, s:s, s:o, s:s, s:f, s:s, s:s, s:I, s:I, s:I, s:I, s:b, "
        "s:[I, I], s:f}",
        "k", (json_int_t)p->span, "source", s->source ? s->source : "spans",
        "text", text_json(p, c), "label", s->label, "score", s->score,
        "method", p->method, "rule", p->rule, "distance",
        (json_int_t)p->distance, "length", (json_int_t)p->length,
        "occurrences", (json_int_t)p->occurrences, "occurrence",
        (json_int_t)p->occurrence, "ambiguous", p->ambiguous, "tokens",
        (json_int_t)p->first_token, (json_int_t)p->last_token, "reward",
        p->reward);
    if (o) {
        add_place(o, p, response);
        add_particulars(o, a, i, c);
    }
    return o;
}

/* XXH3-128 of the rewards, as their 4 little-endian bytes each. */
static t2g_status digest_of(const t2g_alignment *a, char hex[33])
{
    t2g_digest *d;
    T2G_TRY(t2g_digest_new(&d));
    for (size_t t = 0; t < a->tokens; t++) {
        uint32_t bits;
        memcpy(&bits, &a->delta[t], sizeof bits);
        const unsigned char bytes[4] = {bits & 0xff, bits >> 8 & 0xff,
                                        bits >> 16 & 0xff, bits >> 24};
        t2g_digest_bytes(d, bytes, sizeof bytes);
    }
    t2g_digest_finish(d, hex);
    return T2G_OK;
}

static json_t *methods_json(const t2g_alignment *a)
{
    json_t *by = json_object();
    for (size_t i = 0; i < a->count; i++) {
        const char *method = a->placement[i].method;
        json_int_t n = json_integer_value(json_object_get(by, method));
        json_object_set_new(by, method, json_integer(n + 1));
    }
    return by;
}

/* Runs [first, one past last] of tokens that get 0 whatever the spans say. */
static json_t *silent_json(const t2g_alignment *a)
{
    json_t *list = json_array();
    for (size_t t = 0, end; t < a->tokens; t = end) {
        end = t + 1;
        if (!a->silent[t])
            continue;
        while (end < a->tokens && a->silent[end])
            end++;
        json_array_append_new(list, json_pack("[I, I]", (json_int_t)t,
                                              (json_int_t)end));
    }
    return list;
}

static json_t *summary_json(const t2g_alignment *a, const t2g_critique *c,
                            const t2g_align_options *options)
{
    size_t rewarded = 0;
    double sum = 0, absolute = 0;
    char hex[33];
    if (digest_of(a, hex) != T2G_OK)
        return NULL;
    for (size_t t = 0; t < a->tokens; t++) {
        rewarded += a->delta[t] != 0;
        sum += a->delta[t];
        absolute += fabs((double)a->delta[t]);
    }
    json_t *o = json_pack(
        "{s:s, s:o, s:I, s:I, s:I, s:f, s:f, s:s, s:f, s:o, s:o, s:s}",
        "status", a->status, "methods", methods_json(a), "tokens",
        (json_int_t)a->tokens, "rewarded_tokens", (json_int_t)rewarded,
        "conflicts", (json_int_t)a->conflicts, "sum", sum, "abs_sum", absolute,
        "on_overlap", overlap_names[options->on_overlap], "background",
        options->background, "silent", silent_json(a), "repairs",
        repairs_json(c->repairs), "digest", hex);
    if (o && c->status == T2G_CRITIQUE_UNPARSED)
        json_object_set_new(o, "reason", json_string(c->reason));
    return o;
}

t2g_status t2g_align_audit(const t2g_alignment *a,
                           const t2g_critique *critique, const char *response,
                           const t2g_align_options *options, const json_t *id,
                           json_t *lines)
{
    static const t2g_align_options defaults = {0};
    for (size_t i = 0; i <= a->count; i++) {
        json_t *o = i < a->count
                        ? placement_json(a, i, critique, response)
                        : summary_json(a, critique,
                                       options ? options : &defaults);
        if (o && id)
            json_object_set(o, "id", (json_t *)(uintptr_t)id);
        if (!o || json_array_append_new(lines, o) != 0)
            return t2g_fail(T2G_ERR_MEMORY, "an audit line cannot be made");
    }
    return T2G_OK;
}

/* --- rebuilding ----------------------------------------------------------- */

static t2g_status missing(const char *key)
{
    return t2g_fail(T2G_ERR_FORMAT, "an audit line without a usable '%s'",
                    key);
}

/* Member `key`, a whole number of at most `most`. */
static t2g_status read_size(const json_t *v, const char *key, size_t most,
                            size_t *out)
{
    json_int_t x = json_is_integer(v) ? json_integer_value(v) : -1;
    if (x < 0 || (size_t)x > most)
        return missing(key);
    *out = (size_t)x;
    return T2G_OK;
}

static t2g_status read_range(const json_t *list, const char *key, size_t most,
                             size_t *first, size_t *last)
{
    T2G_TRY(read_size(json_array_get(list, 0), key, most, first));
    T2G_TRY(read_size(json_array_get(list, 1), key, most, last));
    return *first <= *last ? T2G_OK : missing(key);
}

static t2g_status read_placement(const json_t *line, size_t tokens,
                                 t2g_placement *p)
{
    const json_t *start = json_object_get(line, "byte_start");
    const json_t *reward = json_object_get(line, "reward");
    T2G_TRY(read_range(json_object_get(line, "tokens"), "tokens", tokens,
                       &p->first_token, &p->last_token));
    if (start) {
        T2G_TRY(read_size(start, "byte_start", INT64_MAX, &p->start));
        T2G_TRY(read_size(json_object_get(line, "byte_end"), "byte_end",
                          INT64_MAX, &p->end));
    }
    if (!json_is_number(reward))
        return missing("reward");
    p->reward = json_number_value(reward);
    return T2G_OK;
}

static t2g_status read_silent(t2g_alignment *a, const json_t *list)
{
    const json_t *run;
    size_t i, first = 0, last = 0;
    json_array_foreach(list, i, run) {
        T2G_TRY(read_range(run, "silent", a->tokens, &first, &last));
        for (size_t t = first; t < last; t++)
            a->silent[t] = true;
    }
    return T2G_OK;
}

static t2g_status read_options(const json_t *summary, t2g_align_options *o)
{
    const char *name = json_string_value(json_object_get(summary,
                                                         "on_overlap"));
    const json_t *background = json_object_get(summary, "background");
    size_t i = 0;
    while (name && i < OVERLAPS && strcmp(name, overlap_names[i]) != 0)
        i++;
    if (!name || i == OVERLAPS)
        return missing("on_overlap");
    if (!json_is_number(background))
        return missing("background");
    o->on_overlap = (t2g_on_overlap)i;
    o->background = json_number_value(background);
    return T2G_OK;
}

static t2g_status check_digest(const t2g_alignment *a, const json_t *summary)
{
    const char *told = json_string_value(json_object_get(summary, "digest"));
    char hex[33];
    T2G_TRY(digest_of(a, hex));
    if (!told || strcmp(hex, told) != 0)
        return t2g_fail(T2G_ERR_FORMAT, "the rewards rebuilt from the audit "
                        "have digest %s, its summary says %s", hex,
                        told ? told : "none");
    return T2G_OK;
}

static t2g_status rebuild(t2g_alignment *a, json_t *const *lines, size_t count)
{
    const json_t *summary = lines[count - 1];
    const char *status = json_string_value(json_object_get(summary, "status"));
    t2g_align_options o = {0};
    if (!status)
        return missing("status");
    a->delta = t2g_calloc(a->tokens, sizeof *a->delta);
    a->silent = t2g_calloc(a->tokens, sizeof *a->silent);
    a->placement = t2g_calloc(count, sizeof *a->placement);
    if (!a->delta || !a->silent || !a->placement)
        return T2G_ERR_MEMORY;
    T2G_TRY(read_options(summary, &o));
    T2G_TRY(read_silent(a, json_object_get(summary, "silent")));
    for (; a->count + 1 < count; a->count++)
        T2G_TRY(read_placement(lines[a->count], a->tokens,
                               &a->placement[a->count]));
    if (strcmp(status, "unparsed") != 0 && strcmp(status, "dropped") != 0)
        T2G_TRY(t2g_combine_tokens(a, &o));
    return check_digest(a, summary);
}

t2g_status t2g_align_rebuild(t2g_alignment *out, json_t *const *lines,
                             size_t count)
{
    enum { MOST_TOKENS = 1 << 26 };
    *out = (t2g_alignment){0};
    if (count == 0)
        return missing("status");
    T2G_TRY(read_size(json_object_get(lines[count - 1], "tokens"), "tokens",
                      MOST_TOKENS, &out->tokens));
    t2g_status s = rebuild(out, lines, count);
    if (s != T2G_OK)
        t2g_alignment_free(out);
    return s;
}
