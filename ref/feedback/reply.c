/* Finding the answer in a reply that holds more, or less, than the object asked
 * for: objects with known keys first, then such keys without an object, then
 * bare lists of words with scores. Read t2g_reply_read from the bottom up. */
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "critique.h"
#include "fold.h"
#include "loose.h"

enum { MOST_LEVELS = 4, MOST_KEY = 64 };

/* --- names ---------------------------------------------------------------- */

/* Lists that judge, by the letters of their names. */
static const struct list_name {
    const char *letters, *source;
    double score;
    bool words, labelled;
} lists[] = {
    {"goodspans", "good_spans", 1, false, false},
    {"poorspans", "poor_spans", -1, false, false},
    {"wrongcode", "wrong_code", -1, false, false},
    {"improvementcode", "improvement_code", 0, false, false},
    {"spans", "spans", 0, false, true},
    {"wordscorelist", "word_score_list", 0, true, true},
    {"wordscores", "word_score_list", 0, true, true},
};
enum { LISTS = sizeof lists / sizeof *lists };

static const char *const feedback_letters[] = {
    "textualfeedback", "critique", "feedback", "codefeedback"};

/* Is this key that name? Case, blanks, underscores and dashes do not count. */
static bool is_named(const char *key, size_t n, const char *letters)
{
    for (size_t i = 0; i < n; i++) {
        char c = key[i];
        if (c == ' ' || c == '_' || c == '-')
            continue;
        if (*letters == '\0' || tolower((unsigned char)c) != *letters++)
            return false;
    }
    return *letters == '\0';
}

static bool is_feedback(const char *key, size_t n)
{
    for (size_t i = 0; i < 4; i++)
        if (is_named(key, n, feedback_letters[i]))
            return true;
    return false;
}

/* The last member named so. */
static const t2g_loose *named(const t2g_loose *o, const char *letters,
                              const char *usual, unsigned *repairs)
{
    const t2g_loose *found = NULL;
    for (size_t i = 0; i < o->count; i += 2) {
        const t2g_loose *key = &o->item[i];
        if (!is_named(key->text, key->length, letters))
            continue;
        if (found)
            *repairs |= T2G_REPAIR_DUPLICATE_KEY;
        if (usual && strcmp(key->text, usual) != 0)
            *repairs |= T2G_REPAIR_KEY_NAME;
        found = &o->item[i + 1];
    }
    return found;
}

/* --- scores --------------------------------------------------------------- */

/* A number alone, perhaps after the word "score". */
static bool number_of_text(const char *s, size_t n, double *out)
{
    char copy[48], *end;
    while (n && isspace((unsigned char)*s))
        s++, n--;
    if (n > 5 && is_named(s, 5, "score"))
        for (s += 5, n -= 5; n && (*s == ':' || *s == '=' || *s == ' ');)
            s++, n--;
    while (n && isspace((unsigned char)s[n - 1]))
        n--;
    if (n == 0 || n >= sizeof copy)
        return false;
    memcpy(copy, s, n);
    copy[n] = '\0';
    if (strspn(copy, "+-.0123456789eE") != n)
        return false;
    *out = strtod(copy, &end);
    return *end == '\0';
}

static bool score_of(const t2g_loose *v, double *score)
{
    *score = v->number;
    if (v->kind == LOOSE_STRING)
        return t2g_label_score(v->text, v->length, score) ||
               (number_of_text(v->text, v->length, score) && isfinite(*score));
    return v->kind == LOOSE_NUMBER && isfinite(*score);
}

/* --- elements ------------------------------------------------------------- */

/* An element taken apart; text NULL: it is none. */
typedef struct element {
    const t2g_loose *text, *score, *start, *end, *note;
} element;

static const t2g_loose *any_named(const t2g_loose *o,
                                  const char *const *letters, size_t n)
{
    unsigned ignored = 0;
    const t2g_loose *found = NULL;
    for (size_t i = 0; i < n && !found; i++)
        found = named(o, letters[i], NULL, &ignored);
    return found;
}

static element take_object_apart(const t2g_loose *o, bool words)
{
    static const char *const texts[] = {"text", "span", "word", "token"};
    static const char *const scores[] = {"score", "value", "label"};
    static const char *const starts[] = {"start", "bytestart"};
    static const char *const ends[] = {"end", "byteend"};
    static const char *const notes[] = {"note", "type"};
    element e = {any_named(o, texts, 4), any_named(o, scores, 3),
                 any_named(o, starts, 2), any_named(o, ends, 2),
                 any_named(o, notes, 2)};
    if (!e.text && words && o->count == 2)
        e = (element){.text = &o->item[0], .score = &o->item[1]};
    return e;
}

static element take_apart(const t2g_loose *v, bool words)
{
    element e = {0};
    if (v->kind == LOOSE_STRING)
        e.text = v;
    else if (v->kind == LOOSE_ARRAY && v->count == 2)
        e = (element){.text = &v->item[0], .score = &v->item[1]};
    else if (v->kind == LOOSE_OBJECT)
        e = take_object_apart(v, words);
    if (e.text && e.text->kind != LOOSE_STRING)
        e.text = NULL;
    return e;
}

static size_t offset_of(const t2g_loose *v)
{
    bool fits = v && v->kind == LOOSE_NUMBER && v->integer && v->number >= 0 &&
                v->number < 9e15;
    return fits ? (size_t)v->number : T2G_NO_OFFSET;
}

static t2g_status add_element(t2g_critique *c, const element *e,
                              const struct list_name *list)
{
    const t2g_loose *text = e->text;
    double x = list->score;
    bool judged = e->score ? score_of(e->score, &x) : !list->labelled;
    double y = fmin(fmax(x, -1), 1);
    T2G_TRY(t2g_critique_add(c, text ? text->text : "", text ? text->length : 0,
                             judged ? y : 0, list->source));
    t2g_span *s = &c->span[c->count - 1];
    s->word = list->words;
    s->clamped = judged && x != y;
    s->start = offset_of(e->start);
    s->end = offset_of(e->end);
    s->rejected = !text ? "rejected_element"
                  : judged ? NULL : "rejected_score";
    if (e->note && e->note->kind == LOOSE_STRING &&
        !(s->note = t2g_strdup(e->note->text)))
        return T2G_ERR_MEMORY;
    return T2G_OK;
}

/* The usual form of an element of this list. */
static bool is_usual(const t2g_loose *v, const struct list_name *list)
{
    return list->words ? v->kind == LOOSE_ARRAY
                       : v->kind == LOOSE_STRING || v->kind == LOOSE_OBJECT;
}

static t2g_status add_elements(t2g_critique *c, const t2g_loose *list,
                               const struct list_name *name)
{
    for (size_t i = 0; i < list->count; i++) {
        const t2g_loose *v = &list->item[i];
        if (v->cut)
            continue; /* the unfinished last one */
        if (!is_usual(v, name))
            c->repairs |= T2G_REPAIR_ITEM_FORM;
        element e = take_apart(v, name->words);
        T2G_TRY(add_element(c, &e, name));
    }
    return T2G_OK;
}

/* {"word": score, ...} */
static t2g_status add_mapping(t2g_critique *c, const t2g_loose *o,
                              const struct list_name *name)
{
    c->repairs |= T2G_REPAIR_ITEM_FORM;
    for (size_t i = 0; i < o->count; i += 2) {
        element e = {.text = &o->item[i], .score = &o->item[i + 1]};
        T2G_TRY(add_element(c, &e, name));
    }
    return T2G_OK;
}

/* --- answers -------------------------------------------------------------- */

/* The search for the answer. */
typedef struct search {
    t2g_critique *best; /* UNPARSED: none yet */
    size_t effort;
} search;

static t2g_status set_words(t2g_critique *c, const t2g_loose *v)
{
    bool text = v && v->kind == LOOSE_STRING;
    c->text = t2g_strndup(text ? v->text : "", text ? v->length : 0);
    c->text_length = text ? v->length : 0;
    if (!text)
        c->repairs |= T2G_REPAIR_MISSING_FIELD;
    return c->text ? T2G_OK : T2G_ERR_MEMORY;
}

/* A list as a string that holds it. */
static t2g_status unpack_list(t2g_critique *c, const t2g_loose *v,
                              const struct list_name *name, size_t *effort,
                              bool *is_list)
{
    t2g_loose_reader r = {.text = v->text, .n = v->length, .effort = *effort};
    t2g_loose inner;
    *is_list = false;
    t2g_loose_skip(&r);
    if (r.at >= r.n || (r.text[r.at] != '[' && r.text[r.at] != '('))
        return T2G_OK;
    t2g_status s = t2g_loose_read(&r, &inner);
    *effort = r.effort;
    if (s != T2G_OK)
        return s == T2G_ERR_FORMAT ? T2G_OK : s;
    *is_list = true;
    c->repairs |= r.repairs | T2G_REPAIR_UNPACKED;
    s = add_elements(c, &inner, name);
    t2g_loose_free(&inner);
    return s;
}

static t2g_status add_list(t2g_critique *c, const t2g_loose *v,
                           const struct list_name *name, size_t *effort,
                           bool *is_list)
{
    *is_list = v && v->kind == LOOSE_ARRAY;
    if (*is_list)
        return add_elements(c, v, name);
    if (v && v->kind == LOOSE_STRING)
        return unpack_list(c, v, name, effort, is_list);
    *is_list = v && v->kind == LOOSE_OBJECT && name->words;
    return *is_list ? add_mapping(c, v, name) : T2G_OK;
}

static t2g_critique_status status_of(const t2g_critique *c)
{
    for (size_t i = 0; i < c->count; i++)
        if (!c->span[i].rejected)
            return T2G_CRITIQUE_OK;
    return c->count ? T2G_CRITIQUE_UNPARSED : T2G_CRITIQUE_EMPTY;
}

/* Keeps c if it is no worse than the best so far: the last answer counts, but
 * an empty one never beats one that lists something. Takes c over. */
static void keep_better(search *s, t2g_critique *c)
{
    static const int rank[] = {[T2G_CRITIQUE_OK] = 2, [T2G_CRITIQUE_EMPTY] = 1,
                               [T2G_CRITIQUE_UNPARSED] = 0};
    c->status = status_of(c);
    if (rank[c->status] > 0 && rank[c->status] >= rank[s->best->status]) {
        t2g_critique_free(s->best);
        *s->best = *c;
        *c = (t2g_critique){0};
    }
    t2g_critique_free(c);
}

/* Reads the lists of an object; false: it has none. */
static t2g_status read_lists(search *s, const t2g_loose *o, t2g_critique *c,
                             size_t *found)
{
    bool has[LISTS] = {false};
    *found = 0;
    for (size_t i = 0; i < LISTS; i++) {
        const t2g_loose *v = named(o, lists[i].letters, lists[i].source,
                                   &c->repairs);
        T2G_TRY(add_list(c, v, &lists[i], &s->effort, &has[i]));
        *found += has[i];
    }
    if (has[0] != has[1] || has[2] != has[3])
        c->repairs |= T2G_REPAIR_MISSING_FIELD;
    return T2G_OK;
}

static const t2g_loose *feedback_of(const t2g_loose *o, unsigned *repairs)
{
    const t2g_loose *found = NULL;
    for (size_t i = 0; i < 4 && !found; i++)
        found = named(o, feedback_letters[i], NULL, repairs);
    return found;
}

/* Answers in v, at most `levels` deep. words: the feedback around it. */
static t2g_status visit(search *s, const t2g_loose *v, const t2g_loose *words,
                        unsigned repairs, int levels)
{
    t2g_critique c = {.repairs = repairs};
    size_t found = 0;
    if (v->kind == LOOSE_OBJECT) {
        const t2g_loose *own = feedback_of(v, &c.repairs);
        words = own ? own : words;
        t2g_status status = read_lists(s, v, &c, &found);
        if (status == T2G_OK && found)
            status = set_words(&c, words);
        if (status == T2G_OK && found)
            keep_better(s, &c);
        t2g_critique_free(&c);
        T2G_TRY(status);
    }
    size_t step = v->kind == LOOSE_OBJECT ? 2 : 1;
    for (size_t i = step - 1; !found && levels > 1 && i < v->count; i += step)
        T2G_TRY(visit(s, &v->item[i], words,
                      repairs | T2G_REPAIR_SURROUNDED, levels - 1));
    return T2G_OK;
}

/* --- where to look -------------------------------------------------------- */

/* A piece of the reply: values begin in it, and end before `end`. */
typedef struct piece {
    const char *text;
    size_t begin, stop, end;
    unsigned repairs; /* what led here */
} piece;

static bool blank(const char *text, size_t begin, size_t end)
{
    while (begin < end) {
        size_t length = t2g_space_at(text, end, begin);
        if (length == 0)
            return false;
        begin += length;
    }
    return true;
}

/* Objects and arrays that hold known keys. */
static t2g_status scan_values(search *s, const piece *p)
{
    for (size_t i = p->begin; i < p->stop; i++) {
        t2g_loose_reader r = {.text = p->text, .n = p->end, .at = i,
                              .effort = s->effort};
        t2g_loose v;
        if (p->text[i] != '{' && p->text[i] != '[')
            continue;
        t2g_status status = t2g_loose_read(&r, &v);
        s->effort = r.effort;
        if (status == T2G_ERR_FORMAT)
            continue;
        T2G_TRY(status);
        unsigned repairs = p->repairs | r.repairs;
        if (!blank(p->text, 0, i) || !blank(p->text, r.at, p->end))
            repairs |= T2G_REPAIR_SURROUNDED;
        status = visit(s, &v, NULL, repairs, MOST_LEVELS);
        t2g_loose_free(&v);
        T2G_TRY(status);
        if (s->best->status != T2G_CRITIQUE_UNPARSED || p->text[i] == '{')
            i = r.at > i ? r.at - 1 : i;
    }
    return T2G_OK;
}

/* --- keys without an object ----------------------------------------------- */

static bool is_list_key(const char *key, size_t n)
{
    for (size_t i = 0; i < LISTS; i++)
        if (is_named(key, n, lists[i].letters))
            return true;
    return false;
}

/* The known key quoted at i: its value is at the returned place, or 0. */
static size_t known_key(const piece *p, size_t i, size_t *length)
{
    size_t k = i + 1;
    while (k < p->end && k < i + MOST_KEY && !strchr("\"'\n", p->text[k]))
        k++;
    *length = k - i - 1;
    if (k >= p->end || !strchr("\"'", p->text[k]) ||
        !(is_list_key(p->text + i + 1, *length) ||
          is_feedback(p->text + i + 1, *length)))
        return 0;
    for (k++; k < p->end && isspace((unsigned char)p->text[k]);)
        k++;
    if (k >= p->end || p->text[k] != ':')
        return 0;
    for (k++; k < p->end && isspace((unsigned char)p->text[k]);)
        k++;
    return k < p->end ? k : 0;
}

/* Appends key and value to an object; takes value over. */
static t2g_status add_member(t2g_loose *o, const char *key, size_t n,
                             t2g_loose *value)
{
    char *text = t2g_strndup(key, n);
    t2g_loose *item = t2g_regrow(o->item, o->count, o->count + 2,
                                 sizeof *item);
    if (item)
        o->item = item;
    if (!text || !item) {
        t2g_free(text);
        t2g_loose_free(value);
        return T2G_ERR_MEMORY;
    }
    item[o->count] = (t2g_loose){.kind = LOOSE_STRING, .text = text,
                                 .length = n};
    item[o->count + 1] = *value;
    o->count += 2;
    return T2G_OK;
}

static t2g_status collect_keys(search *s, const piece *p, t2g_loose *o,
                               unsigned *repairs)
{
    for (size_t i = p->begin, length, at; i < p->stop; i++) {
        if (p->text[i] != '"' && p->text[i] != '\'')
            continue;
        if ((at = known_key(p, i, &length)) == 0)
            continue;
        /* In an object, so that a string ends where the next key begins. */
        t2g_loose_reader r = {.text = p->text, .n = p->end, .at = at,
                              .effort = s->effort};
        t2g_loose v;
        t2g_status status = t2g_loose_read_member(&r, &v);
        s->effort = r.effort;
        if (status == T2G_ERR_FORMAT)
            continue;
        T2G_TRY(status);
        *repairs |= r.repairs;
        T2G_TRY(add_member(o, p->text + i + 1, length, &v));
        i = r.at - 1;
    }
    return T2G_OK;
}

static t2g_status scan_keys(search *s, const piece *p)
{
    t2g_loose o = {.kind = LOOSE_OBJECT};
    unsigned repairs = p->repairs | T2G_REPAIR_NO_OBJECT;
    t2g_status status = collect_keys(s, p, &o, &repairs);
    if (status == T2G_OK)
        status = visit(s, &o, NULL, repairs, 1);
    t2g_loose_free(&o);
    return status;
}

/* --- bare lists of words -------------------------------------------------- */

static bool is_pair(const t2g_loose *v)
{
    double ignored;
    return v->kind == LOOSE_ARRAY && v->count == 2 &&
           v->item[0].kind == LOOSE_STRING && score_of(&v->item[1], &ignored);
}

/* Pairs and nothing else, but for an unfinished last one. */
static bool is_pairs(const t2g_loose *v)
{
    size_t pairs = 0;
    for (size_t i = 0; i < v->count; i++) {
        if (!is_pair(&v->item[i]) && !v->item[i].cut)
            return false;
        pairs += !v->item[i].cut;
    }
    return v->kind == LOOSE_ARRAY && pairs > 0;
}

static t2g_status keep_words(search *s, const t2g_loose *pairs,
                             unsigned repairs)
{
    t2g_critique c = {.repairs = repairs | T2G_REPAIR_NO_OBJECT};
    t2g_status status = add_elements(&c, pairs, &lists[LISTS - 1]);
    if (status == T2G_OK)
        status = set_words(&c, NULL);
    if (status == T2G_OK)
        keep_better(s, &c);
    t2g_critique_free(&c);
    return status;
}

/* ("word", 1), ("word", 0) ...: pairs with nothing but commas between. */
typedef struct chain {
    t2g_loose pairs;
    size_t capacity, end; /* end: behind the last pair */
    unsigned repairs;
} chain;

static t2g_status finish_chain(search *s, chain *c)
{
    t2g_status status = T2G_OK;
    if (c->pairs.count > 1)
        status = keep_words(s, &c->pairs, c->repairs);
    t2g_loose_free(&c->pairs);
    *c = (chain){.pairs = {.kind = LOOSE_ARRAY}};
    return status;
}

static t2g_status add_to_chain(chain *c, t2g_loose *pair, size_t end,
                               unsigned repairs)
{
    if (c->pairs.count == c->capacity) {
        size_t n = c->capacity ? 2 * c->capacity : 16;
        t2g_loose *item = t2g_regrow(c->pairs.item, c->pairs.count, n,
                                     sizeof *item);
        if (!item)
            return T2G_ERR_MEMORY;
        c->pairs.item = item;
        c->capacity = n;
    }
    c->pairs.item[c->pairs.count++] = *pair;
    *pair = (t2g_loose){0};
    c->end = end;
    c->repairs |= repairs;
    return T2G_OK;
}

static bool only_commas(const char *text, size_t begin, size_t end)
{
    for (size_t i = begin; i < end; i++)
        if (text[i] != ',' && !isspace((unsigned char)text[i]))
            return false;
    return true;
}

/* The array or tuple at i, if it is a pair or a list of pairs. */
static t2g_status take_bare(search *s, chain *c, const piece *p, size_t *i)
{
    t2g_loose_reader r = {.text = p->text, .n = p->end, .at = *i,
                          .effort = s->effort};
    t2g_loose v;
    t2g_status status = t2g_loose_read(&r, &v);
    s->effort = r.effort;
    if (status != T2G_OK)
        return status == T2G_ERR_FORMAT ? T2G_OK : status;
    if (is_pair(&v) && !v.cut) {
        if (!only_commas(p->text, c->end, *i))
            status = finish_chain(s, c);
        if (status == T2G_OK)
            status = add_to_chain(c, &v, r.at, p->repairs | r.repairs);
        *i = r.at - 1;
    } else if (is_pairs(&v)) {
        status = keep_words(s, &v, p->repairs | r.repairs);
        *i = r.at - 1;
    }
    t2g_loose_free(&v);
    return status;
}

static t2g_status scan_bare(search *s, const piece *p)
{
    chain c = {.pairs = {.kind = LOOSE_ARRAY}};
    t2g_status status = T2G_OK;
    for (size_t i = p->begin; status == T2G_OK && i < p->stop; i++)
        if (p->text[i] == '[' || p->text[i] == '(')
            status = take_bare(s, &c, p, &i);
    if (status == T2G_OK)
        status = finish_chain(s, &c);
    t2g_loose_free(&c.pairs);
    return status;
}

static size_t without_blanks(const char *s, size_t n)
{
    while (n && isspace((unsigned char)s[n - 1]))
        n--;
    return n;
}

/* Length of the ":", "->" or "=>" that ends s, or 0. */
static size_t separator(const char *s, size_t n)
{
    if (n > 0 && s[n - 1] == ':')
        return 1;
    return n > 1 && s[n - 1] == '>' && strchr("-=", s[n - 2]) ? 2 : 0;
}

/* "word: 1" or "word -> 1": splits a line; false: it is none. */
static bool split_line(const char *line, size_t n, size_t *word, double *score)
{
    size_t end = without_blanks(line, n), number = end;
    while (number && strchr("+-.0123456789", line[number - 1]))
        number--;
    size_t behind = without_blanks(line, number);
    size_t length = separator(line, behind);
    if (length == 0 || !number_of_text(line + number, end - number, score))
        return false;
    *word = without_blanks(line, behind - length);
    for (size_t i = 0; i < *word; i++)
        if (isspace((unsigned char)line[i]))
            return false;
    return *word > 0 && fabs(*score) <= 1;
}

/* A reply of nothing but such lines. */
static t2g_status scan_lines(search *s, const piece *p)
{
    t2g_critique c = {.repairs = p->repairs | T2G_REPAIR_NO_OBJECT |
                                 T2G_REPAIR_LINES};
    t2g_status status = set_words(&c, NULL);
    bool all = true;
    for (size_t i = p->begin, next; status == T2G_OK && all && i < p->end;
         i = next + 1) {
        const char *line = p->text + i;
        size_t word;
        double score;
        for (next = i; next < p->end && p->text[next] != '\n';)
            next++;
        while (i < next && isspace((unsigned char)*line))
            i++, line++;
        if (i == next)
            continue;
        all = split_line(line, next - i, &word, &score);
        if (all)
            status = t2g_critique_add(&c, line, word, score,
                                      "word_score_list");
        if (all && status == T2G_OK)
            c.span[c.count - 1].word = true;
    }
    if (status == T2G_OK && all && c.count > 1)
        keep_better(s, &c);
    t2g_critique_free(&c);
    return status;
}

/* --- the reply ------------------------------------------------------------ */

static bool found(const search *s)
{
    return s->best->status != T2G_CRITIQUE_UNPARSED;
}

/* Next fenced block from `at` on: its inside; false: none. */
static bool next_fence(const char *text, size_t n, size_t *at, piece *out)
{
    const char *open = strstr(text + *at, "```");
    const char *begin = open ? strchr(open, '\n') : NULL;
    if (!begin)
        return false;
    const char *close = strstr(begin, "```");
    size_t end = close ? (size_t)(close - text) : n;
    *out = (piece){text, (size_t)(begin - text) + 1, end, n,
                   T2G_REPAIR_SURROUNDED};
    *at = close ? end + 3 : n;
    return true;
}

typedef t2g_status scanner(search *s, const piece *p);

/* In the fenced blocks. A block may hold a fence inside a string, and may leave
 * its object open: first up to where the value ends, then up to the fence. */
static t2g_status scan_fences(search *s, const char *text, size_t n,
                              scanner *scan)
{
    for (int whole = 1; whole >= 0 && !found(s); whole--) {
        size_t at = 0;
        piece p;
        while (next_fence(text, n, &at, &p)) {
            p.end = whole ? n : p.stop;
            T2G_TRY(scan(s, &p));
        }
    }
    return T2G_OK;
}

static t2g_status scan_text(search *s, const char *text, size_t n,
                            unsigned repairs)
{
    static scanner *const in_order[] = {scan_values, scan_keys, scan_bare,
                                        scan_lines};
    const piece all = {text, 0, n, n, repairs};
    T2G_TRY(scan_fences(s, text, n, scan_values));
    for (size_t i = 0; i < 4 && !found(s); i++)
        T2G_TRY(in_order[i](s, &all));
    return found(s) ? T2G_OK : scan_fences(s, text, n, scan_lines);
}

/* A JSON string that holds the reply. */
static t2g_status unpack(search *s, const char *text, size_t n)
{
    t2g_loose_reader r = {.text = text, .n = n, .effort = s->effort};
    t2g_loose v;
    t2g_loose_skip(&r);
    if (r.at >= n || text[r.at] != '"')
        return T2G_OK;
    t2g_status status = t2g_loose_read(&r, &v);
    s->effort = r.effort;
    if (status != T2G_OK)
        return status == T2G_ERR_FORMAT ? T2G_OK : status;
    t2g_loose_reader inner = {.text = v.text, .n = v.length,
                              .effort = s->effort};
    t2g_loose_skip(&inner);
    if (inner.at < inner.n && strchr("{[", inner.text[inner.at]))
        status = scan_text(s, v.text, v.length, r.repairs |
                                                    T2G_REPAIR_UNPACKED);
    t2g_loose_free(&v);
    return status;
}

t2g_status t2g_reply_read(t2g_critique *out, const char *reply, size_t n)
{
    search s = {out, 32 * n + 65536};
    char *text = t2g_strndup(reply, n);
    if (!text)
        return T2G_ERR_MEMORY;
    t2g_status status = t2g_critique_unparsed(
        out, "no list of judged phrases or words");
    if (status == T2G_OK)
        status = unpack(&s, text, n);
    if (status == T2G_OK && !found(&s))
        status = scan_text(&s, text, n, 0);
    t2g_free(text);
    return status;
}
