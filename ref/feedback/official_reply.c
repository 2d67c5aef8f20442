/* Replies as the released drivers read them: the first JSON object that parses,
 * whatever it is, then patterns. The patterns of the code are regular
 * expressions; here each is a small scanner. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "codes.h"
#include "../tokenizer/unicode.h"
#include "fold.h"
#include "loose.h"
#include "t2g/official.h"

enum { SHORTEST = 20, MOST_BRACES = 3, CHECKED = 10, SHOWN = 3 };

/* --- numbers and white space ---------------------------------------------- */

static size_t skip_space(t2g_text s, size_t i)
{
    size_t length;
    while (i < s.size && (length = t2g_space_at(s.data, s.size, i)))
        i += length;
    return i;
}

/* Passes decimal digits of any script, their ASCII forms go to `out`. */
static t2g_status read_digits(t2g_text s, size_t *i, t2g_buffer *out,
                              size_t *count)
{
    *count = 0;
    while (*i < s.size) {
        uint32_t code;
        size_t length = t2g_character_at(s.data, s.size, *i, &code);
        int digit = t2g_decimal(code);
        if (digit < 0)
            return T2G_OK;
        char c = (char)('0' + digit);
        T2G_TRY(t2g_buffer_append(out, &c, 1));
        *i += length;
        ++*count;
    }
    return T2G_OK;
}

/* Optional sign; digits* . digits+, else digits+. *end = i: none. */
static t2g_status read_number(t2g_text s, size_t i, size_t *end,
                              double *value)
{
    t2g_buffer b = {0};
    size_t at = i, whole, fraction = 0;
    t2g_status status = T2G_OK;
    if (at < s.size && (s.data[at] == '+' || s.data[at] == '-'))
        status = t2g_buffer_append(&b, s.data + at++, 1);
    if (status == T2G_OK)
        status = read_digits(s, &at, &b, &whole);
    size_t point = at;
    if (status == T2G_OK && at < s.size && s.data[at] == '.') {
        at++;
        status = t2g_buffer_puts(&b, ".");
        if (status == T2G_OK)
            status = read_digits(s, &at, &b, &fraction);
    }
    if (status == T2G_OK) {
        *end = fraction ? at : whole ? point : i;
        *value = b.data ? strtod(b.data, NULL) : 0;
    }
    t2g_buffer_free(&b);
    return status;
}

/* --- pairs of text and number --------------------------------------------- */

/* One item of a list of words, as the driver sees it. */
typedef struct item {
    t2g_text text;
    double score;
} item;

typedef struct items {
    item *item;
    size_t count, capacity;
} items;

static t2g_status add_item(items *l, t2g_text text, double score)
{
    if (l->count == l->capacity) {
        size_t n = l->capacity ? 2 * l->capacity : 16;
        item *more = t2g_regrow(l->item, l->count, n, sizeof *more);
        if (!more)
            return T2G_ERR_MEMORY;
        l->item = more;
        l->capacity = n;
    }
    l->item[l->count++] = (item){text, score};
    return T2G_OK;
}

/* White space, a colon, white space and a number at i; *end = 0: not so. */
static t2g_status read_colon_number(t2g_text s, size_t i, size_t *end,
                                    double *value)
{
    size_t at = skip_space(s, i), behind;
    *end = 0;
    if (at >= s.size || s.data[at] != ':')
        return T2G_OK;
    at = skip_space(s, at + 1);
    T2G_TRY(read_number(s, at, &behind, value));
    *end = behind > at ? behind : 0;
    return T2G_OK;
}

static size_t find_byte(t2g_text s, size_t from, char c)
{
    const char *hit = from < s.size ? memchr(s.data + from, c, s.size - from) : NULL;
    return hit ? (size_t)(hit - s.data) : s.size;
}

/* K: "text": number */
static t2g_status quoted_keys(items *l, t2g_text s)
{
    for (size_t i = find_byte(s, 0, '"'); i < s.size;) {
        size_t close = find_byte(s, i + 1, '"'), end = 0;
        double value;
        if (close < s.size && close > i + 1)
            T2G_TRY(read_colon_number(s, close + 1, &end, &value));
        if (end)
            T2G_TRY(add_item(l, (t2g_text){s.data + i + 1, close - i - 1},
                             value));
        i = find_byte(s, end ? end : i + 1, '"');
    }
    return T2G_OK;
}

static bool is_ascii_word(uint32_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9');
}

static bool is_kept(uint32_t c)
{
    return is_ascii_word(c) || c == '$' || c == '&' || c == 0xffe5;
}

/* W: text: number, the text being letters, digits and a few signs. */
static t2g_status bare_keys(items *l, t2g_text s)
{
    for (size_t i = 0, length = 1; i < s.size;) {
        uint32_t code;
        size_t begin = i, end = 0;
        double value;
        for (; i < s.size; i += length) {
            length = t2g_character_at(s.data, s.size, i, &code);
            if (!is_kept(code) && code != '\'')
                break;
        }
        if (i == begin) {
            i += length;
            continue;
        }
        T2G_TRY(read_colon_number(s, i, &end, &value));
        if (end) {
            T2G_TRY(add_item(l, (t2g_text){s.data + begin, i - begin},
                             value));
            i = end;
        }
    }
    return T2G_OK;
}

/* P: (text, number) */
static t2g_status tuples(items *l, t2g_text s)
{
    for (size_t i = find_byte(s, 0, '('); i < s.size;) {
        size_t comma = find_byte(s, i + 1, ','), next = i + 1;
        if (comma < s.size && comma > i + 1) {
            size_t at = skip_space(s, comma + 1), end;
            double value;
            T2G_TRY(read_number(s, at, &end, &value));
            if (end > at && end < s.size && s.data[end] == ')') {
                T2G_TRY(add_item(l, (t2g_text){s.data + i + 1,
                                                 comma - i - 1}, value));
                next = end + 1;
            }
        }
        i = find_byte(s, next, '(');
    }
    return T2G_OK;
}

/* --- the JSON loader ------------------------------------------------------ */

typedef struct loaded {
    bool null;
    t2g_loose tree; /* unless null or pairs */
    bool is_pairs;  /* what K found stands for the tree */
    items pairs;
} loaded;

static void loaded_free(loaded *l)
{
    t2g_loose_free(&l->tree);
    t2g_free(l->pairs.item);
    *l = (loaded){0};
}

/* The whole of s as JSON; *found false: it is none. */
static t2g_status read_json(t2g_text s, t2g_loose *out, bool *found)
{
    t2g_loose_reader r = {.text = s.data, .n = s.size, .strict = true,
                          .effort = SIZE_MAX};
    *found = false;
    t2g_loose_skip(&r);
    t2g_status status = t2g_loose_read(&r, out);
    if (status != T2G_OK)
        return status == T2G_ERR_FORMAT ? T2G_OK : status;
    t2g_loose_skip(&r);
    *found = r.at == s.size;
    if (!*found)
        t2g_loose_free(out);
    return T2G_OK;
}

/* End of the object that begins at i, braces in strings counted; 0: none, or
 * more than three deep. */
static size_t object_end(t2g_text s, size_t i)
{
    for (int depth = 0; i < s.size; i++) {
        depth += (s.data[i] == '{') - (s.data[i] == '}');
        if (depth > MOST_BRACES)
            return 0;
        if (depth == 0)
            return i + 1;
    }
    return 0;
}

/* The first object that is JSON, else the whole text if it is. */
static t2g_status load_tree(t2g_text s, t2g_loose *out, bool *found)
{
    *found = false;
    for (size_t i = find_byte(s, 0, '{'), end; i < s.size && !*found;
         i = find_byte(s, end ? end : i + 1, '{')) {
        end = object_end(s, i);
        if (end)
            T2G_TRY(read_json((t2g_text){s.data + i, end - i}, out, found));
    }
    return *found ? T2G_OK : read_json(s, out, found);
}

/* Printing the first three entries fails for what has no length, and for an
 * object of more. */
static bool cannot_be_shown(const t2g_loose *v)
{
    const t2g_loose *list = t2g_loose_member(v, "word_score_list");
    if (!list)
        return false;
    return list->kind < LOOSE_STRING ||
           (list->kind == LOOSE_OBJECT && list->count / 2 > SHOWN);
}

static t2g_status load(loaded *out, t2g_text s, bool log)
{
    bool found;
    *out = (loaded){0};
    T2G_TRY(load_tree(s, &out->tree, &found));
    if (found && log && cannot_be_shown(&out->tree)) {
        t2g_loose_free(&out->tree);
        found = false;
    }
    if (found)
        return T2G_OK;
    T2G_TRY(quoted_keys(&out->pairs, s));
    out->is_pairs = out->pairs.count > 0;
    out->null = !out->is_pairs;
    return T2G_OK;
}

static bool is_filled_object(const loaded *l)
{
    return !l->null && !l->is_pairs && l->tree.kind == LOOSE_OBJECT &&
           l->tree.count > 0;
}

/* --- results -------------------------------------------------------------- */

static t2g_status outcome(t2g_official_words *out, const char *status,
                          const char *reason)
{
    t2g_official_words_free(out);
    out->status = status;
    out->reason = reason;
    return T2G_OK;
}

void t2g_official_words_free(t2g_official_words *w)
{
    for (size_t i = 0; i < w->count; i++)
        t2g_free(w->word[i]);
    t2g_free(w->word);
    t2g_free(w->score);
    *w = (t2g_official_words){0};
}

static size_t characters(t2g_text s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.size; i++)
        n += ((unsigned char)s.data[i] & 0xc0) != 0x80;
    return n;
}

/* --- summaries: words ----------------------------------------------------- */

/* Quotes at both ends off. */
static t2g_text unquoted(t2g_text s)
{
    while (s.size && (*s.data == '"' || *s.data == '\''))
        s.data++, s.size--;
    while (s.size && (s.data[s.size - 1] == '"' || s.data[s.size - 1] == '\''))
        s.size--;
    return s;
}

/* K, then W, then P over the whole reply: the order of the words is lost. */
static t2g_status all_patterns(items *l, t2g_text reply)
{
    T2G_TRY(quoted_keys(l, reply));
    T2G_TRY(bare_keys(l, reply));
    T2G_TRY(tuples(l, reply));
    for (size_t i = 0; i < l->count; i++)
        l->item[i].text = unquoted(l->item[i].text);
    return T2G_OK;
}

/* Can an item be unpacked into two? */
static bool is_two(const t2g_loose *v)
{
    switch (v->kind) {
    case LOOSE_ARRAY: return v->count == 2;
    case LOOSE_OBJECT: return v->count == 4;
    case LOOSE_STRING:
        return characters((t2g_text){v->text, v->length}) == 2;
    default: return false;
    }
}

/* The exception that checking the list raises, or NULL. */
static const char *complaint_of(const t2g_loose *list)
{
    if (list->kind < LOOSE_STRING)
        return "TypeError";
    if (list->kind == LOOSE_OBJECT)
        return list->count ? "TypeError" : NULL;
    if (list->kind == LOOSE_STRING)
        return list->length ? "ValueError" : NULL;
    for (size_t i = 0; i < list->count && i < CHECKED; i++)
        if (!is_two(&list->item[i]))
            return list->item[i].kind < LOOSE_STRING ? "TypeError"
                                                     : "ValueError";
    return NULL;
}

/* What stays of a word: ends cut to ASCII letters, digits and three signs. */
static t2g_status clean(t2g_text text, char **word)
{
    t2g_codes c = {0};
    t2g_buffer b = {0};
    t2g_status s = t2g_codes_decode(&c, text.data, text.size);
    size_t begin = 0, end = c.n;
    while (begin < end && !is_kept(c.code[begin]))
        begin++;
    while (end > begin && !is_kept(c.code[end - 1]))
        end--;
    for (size_t i = begin; i < end; i++)
        c.code[i] = c.code[i] == 0x201b ? '\'' : c.code[i];
    if (s == T2G_OK && end > begin)
        s = t2g_codes_encode(c.code + begin, end - begin, &b);
    t2g_codes_free(&c);
    *word = b.data;
    return s;
}

/* Adds one word; a number too large to be one leaves the lists out of step. */
static t2g_status add_word(t2g_official_words *out, t2g_text text,
                           double score, bool too_large, bool *broken)
{
    char *word;
    T2G_TRY(clean(text, &word));
    if (!word)
        return T2G_OK;
    out->word[out->count] = word;
    out->score[out->count++] = score;
    *broken |= too_large;
    return T2G_OK;
}

static t2g_status add_list(t2g_official_words *out, const t2g_loose *list,
                           bool *broken)
{
    for (size_t i = 0; i < list->count; i++)
        if (list->item[i].kind != LOOSE_ARRAY)
            return T2G_OK; /* nothing is kept */
    for (size_t i = 0; i < list->count; i++) {
        const t2g_loose *pair = &list->item[i];
        if (pair->count != 2 || pair->item[0].kind != LOOSE_STRING)
            continue;
        const t2g_loose *v = &pair->item[1];
        if (v->kind != LOOSE_NUMBER && v->kind != LOOSE_BOOL)
            continue;
        T2G_TRY(add_word(out, (t2g_text){pair->item[0].text,
                                           pair->item[0].length},
                         v->kind == LOOSE_BOOL ? v->truth : v->number,
                         v->integer && isinf(v->number), broken));
    }
    return T2G_OK;
}

static t2g_status add_pairs(t2g_official_words *out, const items *l)
{
    bool broken = false;
    for (size_t i = 0; i < l->count; i++)
        T2G_TRY(add_word(out, l->item[i].text, l->item[i].score, false,
                         &broken));
    return T2G_OK;
}

static t2g_status make_room(t2g_official_words *out, size_t count)
{
    out->word = t2g_calloc(count, sizeof *out->word);
    out->score = t2g_calloc(count, sizeof *out->score);
    return out->word && out->score ? T2G_OK : T2G_ERR_MEMORY;
}

static t2g_status finish_words(t2g_official_words *out, bool broken)
{
    if (broken)
        return outcome(out, "error", "IndexError");
    if (out->count == 0)
        return outcome(out, "failed", "no_words");
    for (size_t i = 0; i < out->count; i++)
        out->score[i] = (double)(float)out->score[i];
    out->status = "success";
    return T2G_OK;
}

static t2g_status read_sum(t2g_official_words *out, loaded *l,
                           t2g_text reply)
{
    bool broken = false;
    items found = {0};
    const t2g_loose *list = is_filled_object(l)
                                ? t2g_loose_member(&l->tree, "word_score_list")
                                : NULL;
    const char *raised = list ? complaint_of(list) : NULL;
    if (raised)
        return outcome(out, "error", raised);
    if (list && list->count && list->kind == LOOSE_ARRAY) {
        T2G_TRY(make_room(out, list->count));
        T2G_TRY(add_list(out, list, &broken));
        return finish_words(out, broken);
    }
    t2g_status s = l->is_pairs ? T2G_OK : all_patterns(&found, reply);
    const items *from = l->is_pairs ? &l->pairs : &found;
    if (s == T2G_OK)
        s = make_room(out, from->count);
    if (s == T2G_OK)
        s = add_pairs(out, from);
    t2g_free(found.item);
    T2G_TRY(s);
    return finish_words(out, false);
}

/* --- answers and programs: spans ------------------------------------------ */

/* Spans of one list, copied. */
typedef struct spans {
    t2g_text *item;
    size_t count, capacity;
} spans;

static void free_spans(spans *l)
{
    for (size_t i = 0; i < l->count; i++)
        t2g_free((char *)(uintptr_t)l->item[i].data);
    t2g_free(l->item);
    *l = (spans){0};
}

static t2g_status keep_span(spans *l, const char *text, size_t n)
{
    if (l->count == l->capacity) {
        size_t capacity = l->capacity ? 2 * l->capacity : 8;
        t2g_text *more = t2g_regrow(l->item, l->count, capacity,
                                      sizeof *more);
        if (!more)
            return T2G_ERR_MEMORY;
        l->item = more;
        l->capacity = capacity;
    }
    char *copy = t2g_strndup(text, n);
    if (!copy)
        return T2G_ERR_MEMORY;
    l->item[l->count++] = (t2g_text){copy, n};
    return T2G_OK;
}

/* str.strip() */
static t2g_text stripped(t2g_text s)
{
    size_t begin = skip_space(s, 0), end = begin, length;
    for (size_t i = begin; i < s.size; i += length) {
        uint32_t code;
        length = t2g_character_at(s.data, s.size, i, &code);
        end = unicode_is_space(code) ? end : i + length;
    }
    return (t2g_text){s.data + begin, end - begin};
}

/* Backslash and quote become a quote (QA); stripped; empty ones are dropped. */
static t2g_status add_span(spans *l, t2g_text text, bool unescape)
{
    t2g_buffer b = {0};
    t2g_status s = t2g_buffer_append(&b, "", 0);
    for (size_t i = 0; s == T2G_OK && i < text.size; i++)
        if (!(unescape && text.data[i] == '\\' && i + 1 < text.size &&
              text.data[i + 1] == '"'))
            s = t2g_buffer_append(&b, text.data + i, 1);
    if (s == T2G_OK) {
        t2g_text span = stripped((t2g_text){b.data, b.size});
        s = span.size ? keep_span(l, span.data, span.size) : T2G_OK;
    }
    t2g_buffer_free(&b);
    return s;
}

/* The quoted runs between [ and ] on one line behind the quoted key. */
static t2g_status pattern_list(spans *l, t2g_text s, const char *key,
                               bool unescape)
{
    size_t n = strlen(key);
    for (size_t i = find_byte(s, 0, '"'); i < s.size;
         i = find_byte(s, i + 1, '"')) {
        if (s.size - i < n + 2 || memcmp(s.data + i + 1, key, n) != 0 ||
            s.data[i + 1 + n] != '"')
            continue;
        size_t at = skip_space(s, i + n + 2);
        if (at >= s.size || s.data[at] != ':')
            continue;
        at = skip_space(s, at + 1);
        if (at >= s.size || s.data[at] != '[')
            continue;
        size_t close = find_byte(s, at + 1, ']');
        if (close >= s.size || find_byte(s, at + 1, '\n') < close)
            continue;
        t2g_text inside = {s.data, close};
        for (size_t q = find_byte(inside, at + 1, '"'), e; q < close;
             q = find_byte(inside, e + 1, '"')) {
            e = find_byte(inside, q + 1, '"');
            if (e >= close)
                break;
            T2G_TRY(add_span(l, (t2g_text){s.data + q + 1, e - q - 1},
                             unescape));
        }
        return T2G_OK;
    }
    return T2G_OK;
}

static bool is_false(const t2g_loose *v)
{
    return v->kind == LOOSE_NULL || (v->kind == LOOSE_BOOL && !v->truth) ||
           (v->kind == LOOSE_NUMBER && v->number == 0) ||
           (v->kind >= LOOSE_ARRAY && v->count == 0);
}

/* A list of QA: other values than lists are empty, other items than strings
 * raise unless they are false. */
static t2g_status take_qa(spans *l, const t2g_loose *list,
                          const char **raised)
{
    if (!list || list->kind != LOOSE_ARRAY)
        return T2G_OK;
    for (size_t i = 0; i < list->count; i++) {
        const t2g_loose *v = &list->item[i];
        if (v->kind == LOOSE_STRING)
            T2G_TRY(add_span(l, (t2g_text){v->text, v->length}, true));
        else if (!is_false(v))
            *raised = "AttributeError";
    }
    return T2G_OK;
}

/* A list of CODE: anything that can be walked through. */
static t2g_status take_code(spans *l, const t2g_loose *list,
                            const char **raised)
{
    if (!list)
        return T2G_OK;
    if (list->kind < LOOSE_STRING)
        *raised = "TypeError";
    size_t step = list->kind == LOOSE_OBJECT ? 2 : 1; /* an object: its keys */
    for (size_t i = 0; list->kind >= LOOSE_ARRAY && i < list->count; i += step)
        if (list->item[i].kind == LOOSE_STRING)
            T2G_TRY(add_span(l, (t2g_text){list->item[i].text,
                                             list->item[i].length}, false));
    return T2G_OK;
}

/* Both lists; *raised names the exception that taking them ends in. */
static t2g_status take_spans(spans list[2], const loaded *l, t2g_task task,
                             t2g_text reply, const char **raised)
{
    static const char *const names[2][2] = {{"good_spans", "poor_spans"},
                                            {"wrong_code",
                                             "improvement_code"}};
    const char *const *name = names[task == T2G_TASK_CODE];
    bool usable = is_filled_object(l) &&
                  (task == T2G_TASK_CODE ||
                   t2g_loose_member(&l->tree, "textual_feedback"));
    for (size_t k = 0; k < 2; k++) {
        const t2g_loose *v = usable ? t2g_loose_member(&l->tree, name[k])
                                    : NULL;
        /* What K found is an object without these keys. */
        if (!usable && !(task == T2G_TASK_CODE && l->is_pairs))
            T2G_TRY(pattern_list(&list[k], reply, name[k],
                                 task == T2G_TASK_QA));
        else
            T2G_TRY(task == T2G_TASK_QA ? take_qa(&list[k], v, raised)
                                        : take_code(&list[k], v, raised));
    }
    return T2G_OK;
}

static t2g_status copy_words(t2g_official_words *out, t2g_text response,
                             size_t words)
{
    out->word = t2g_calloc(words, sizeof *out->word);
    if (!out->word)
        return T2G_ERR_MEMORY;
    for (size_t i = skip_space(response, 0), end; out->count < words;
         i = skip_space(response, end)) {
        for (end = i; end < response.size &&
                      !t2g_space_at(response.data, response.size, end);) {
            uint32_t code;
            end += t2g_character_at(response.data, response.size, end, &code);
        }
        char *copy = t2g_strndup(response.data + i, end - i);
        if (!copy)
            return T2G_ERR_MEMORY;
        out->word[out->count++] = copy;
    }
    return T2G_OK;
}

static t2g_status score_spans(t2g_official_words *out, t2g_task task,
                              t2g_text response, const spans list[2])
{
    size_t words = 0;
    T2G_TRY(t2g_official_word_scores(&out->score, &words, task, response,
                                     list[0].item, list[0].count, list[1].item,
                                     list[1].count, NULL));
    T2G_TRY(copy_words(out, response, words));
    for (size_t i = 0; i < words; i++)
        out->score[i] = (double)(float)out->score[i];
    out->status = "success";
    return T2G_OK;
}

static t2g_status read_spans(t2g_official_words *out, const loaded *l,
                             t2g_task task, t2g_text response,
                             t2g_text reply)
{
    spans list[2] = {{0}, {0}};
    const char *raised = NULL;
    t2g_status s = take_spans(list, l, task, reply, &raised);
    if (s == T2G_OK)
        s = raised ? outcome(out, "error", raised)
                   : score_spans(out, task, response, list);
    free_spans(&list[0]);
    free_spans(&list[1]);
    return s;
}

t2g_status t2g_official_reply(t2g_official_words *out, t2g_task task,
                              t2g_text response, t2g_text reply)
{
    loaded l;
    *out = (t2g_official_words){0};
    if (characters(reply) < SHORTEST)
        return outcome(out, "failed", "too_short");
    t2g_status s = load(&l, reply, task != T2G_TASK_QA);
    if (s == T2G_OK)
        s = task == T2G_TASK_SUM ? read_sum(out, &l, reply)
                                 : read_spans(out, &l, task, response, reply);
    loaded_free(&l);
    if (s != T2G_OK)
        t2g_official_words_free(out);
    return s;
}
