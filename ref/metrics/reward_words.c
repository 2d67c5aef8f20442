/* Words with scores: reading the official layouts, and comparing two lists the
 * official ways. [T2G], scripts of the released code. */
#include <math.h>
#include <string.h>
#include <strings.h>

#include "metrics_private.h"

/* --- reading -------------------------------------------------------------- */

/* The first list whose first item is a list or an object. */
static const json_t *any_list(const json_t *record)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)record, key, value) {
        const json_t *first = json_array_get(value, 0);
        if (json_is_array(first) || json_is_object(first))
            return value;
    }
    return NULL;
}

static const json_t *list_of(const json_t *record)
{
    static const char *const names[] = {"word_score_list", "word_scores",
                                        "scores"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const json_t *list = json_object_get(record, names[i]);
        if (list)
            return list;
    }
    return any_list(record);
}

/* A member by either of two names, in any case; exact names first. */
static json_t *member(const json_t *object, const char *one, const char *two)
{
    const char *key;
    json_t *value = json_object_get(object, one);
    if (value)
        return value;
    json_object_foreach((json_t *)(uintptr_t)object, key, value)
        if (strcasecmp(key, one) == 0 || strcasecmp(key, two) == 0)
            return value;
    return NULL;
}

/* [word, score], NULL for another shape. */
static json_t *pair_of(const json_t *item)
{
    json_t *word, *score;
    if (json_is_object(item)) {
        word = member(item, "word", "token");
        score = member(item, "score", "value");
    } else {
        word = json_array_get(item, 0);
        score = json_array_get(item, 1);
    }
    return json_is_string(word) && score ? json_pack("[O, O]", word, score)
                                         : NULL;
}

t2g_status t2g_word_list(json_t **out, const json_t *record)
{
    const json_t *item;
    size_t i;
    *out = json_array();
    json_array_foreach(list_of(record), i, item) {
        json_t *pair = pair_of(item);
        if (!pair) {
            json_array_clear(*out);
            break;
        }
        json_array_append_new(*out, pair);
    }
    return *out ? T2G_OK
                : t2g_fail(T2G_ERR_MEMORY, "no memory for a list of words");
}

/* A score that is no number equals no class. */
static double score_of(const json_t *value)
{
    if (json_is_boolean(value))
        return json_is_true(value);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

t2g_status t2g_word_scores(t2g_word_score **out, size_t *count,
                           const json_t *list)
{
    *count = json_array_size(list);
    *out = t2g_calloc(*count, sizeof **out);
    if (!*out)
        return T2G_ERR_MEMORY;
    for (size_t i = 0; i < *count; i++) {
        const json_t *pair = json_array_get(list, i);
        const json_t *word = json_array_get(pair, 0);
        if (!json_is_string(word) || json_array_size(pair) < 2) {
            t2g_free(*out);
            *out = NULL;
            return t2g_fail(T2G_ERR_FORMAT, "item %zu is not [word, score]",
                            i);
        }
        (*out)[i] = (t2g_word_score){
            {json_string_value(word), json_string_length(word)},
            score_of(json_array_get(pair, 1))};
    }
    return T2G_OK;
}

/* --- classes -------------------------------------------------------------- */

/* -1, 0, 1 -> T2G_POOR, ...; another score -> T2G_CLASSES. */
static int class_of(double score)
{
    return score == -1 ? T2G_POOR : score == 0 ? T2G_NEUTRAL
           : score == 1 ? T2G_GOOD : T2G_CLASSES;
}

/* --- as maps -------------------------------------------------------------- */

enum { ABSENT = T2G_CLASSES + 1 };

/* class[number of the word]; words not in the list are ABSENT. */
static t2g_status map_of(int *class, t2g_numbering *words,
                         const t2g_word_score *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t number;
        T2G_TRY(t2g_number_of(words, list[i].word, &number));
        class[number] = class_of(list[i].score);
    }
    return T2G_OK;
}

static void compare_maps(t2g_word_map_counts *c, const int *predicted,
                         const int *reference, size_t words)
{
    for (size_t i = 0; i < words; i++) {
        bool in_p = predicted[i] != ABSENT, in_r = reference[i] != ABSENT;
        c->predicted_words += in_p;
        c->reference_words += in_r;
        c->missing += in_r && !in_p;
        c->common += in_r && in_p;
        for (int k = 0; k < T2G_CLASSES; k++) {
            c->predicted[k] += predicted[i] == k;
            c->actual[k] += reference[i] == k;
            c->hit[k] += predicted[i] == k && reference[i] == k;
        }
    }
}

t2g_status t2g_word_map_count(t2g_word_map_counts *c,
                              const t2g_word_score *predicted,
                              size_t predicted_count,
                              const t2g_word_score *reference,
                              size_t reference_count)
{
    size_t most = predicted_count + reference_count;
    if (predicted_count == 0 || reference_count == 0)
        return T2G_OK;
    t2g_numbering words = {0};
    int *p = t2g_calloc(2 * most, sizeof *p), *r = p + most;
    if (!p)
        return T2G_ERR_MEMORY;
    for (size_t i = 0; i < 2 * most; i++)
        p[i] = ABSENT;
    t2g_status s = map_of(p, &words, predicted, predicted_count);
    if (s == T2G_OK)
        s = map_of(r, &words, reference, reference_count);
    if (s == T2G_OK)
        compare_maps(c, p, r, words.count);
    t2g_numbering_free(&words);
    t2g_free(p);
    return s;
}

/* --- position by position ------------------------------------------------- */

static bool same_word(t2g_text a, t2g_text b)
{
    return a.size == b.size && memcmp(a.data, b.data, a.size) == 0;
}

void t2g_word_count(t2g_word_counts *c, const t2g_word_score *predicted,
                    size_t predicted_count, const t2g_word_score *reference,
                    size_t reference_count)
{
    size_t n = predicted_count < reference_count ? predicted_count
                                                 : reference_count;
    for (size_t i = 0; i < n; i++) {
        if (!same_word(predicted[i].word, reference[i].word))
            continue;
        int p = class_of(predicted[i].score), r = class_of(reference[i].score);
        for (int k = 0; k < T2G_CLASSES; k++) {
            bool tp = p == k && r == k, fp = p == k && r != k;
            bool fn = p != k && r == k;
            c->tp[k] += tp;
            c->fp[k] += fp;
            c->fn[k] += fn;
            c->tp[T2G_CLASSES] += tp;
            c->fp[T2G_CLASSES] += fp;
            c->fn[T2G_CLASSES] += fn;
        }
    }
}

t2g_prf t2g_word_prf(const t2g_word_counts *c, int kind)
{
    size_t tp = c->tp[kind];
    return t2g_prf_of((double)tp, (double)(tp + c->fp[kind]),
                      (double)(tp + c->fn[kind]));
}
