/* What the released code makes of replies, spans, words and tokens, value by
 * value. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "verify_align.h"

static t2g_text string_of(const json_t *v)
{
    return (t2g_text){json_string_value(v) ? json_string_value(v) : "",
                        json_string_length(v)};
}

static t2g_text member(const json_t *o, const char *key)
{
    return string_of(json_object_get(o, key));
}

static const char *id_of(const json_t *one)
{
    return member(one, "id").data;
}

/* Numbers, and the names that stand for those JSON has not. */
static double number_of(const json_t *v)
{
    const char *name = json_string_value(v);
    if (!name)
        return json_number_value(v);
    return strcmp(name, "NaN") == 0 ? NAN
           : *name == '-'           ? -INFINITY
                                    : INFINITY;
}

/* A list of strings; t2g_free. */
static t2g_text *strings_of(const json_t *list)
{
    t2g_text *s = t2g_calloc(json_array_size(list), sizeof *s);
    for (size_t i = 0; s && i < json_array_size(list); i++)
        s[i] = string_of(json_array_get(list, i));
    return s;
}

static double *numbers_of(const json_t *list)
{
    double *x = t2g_calloc(json_array_size(list), sizeof *x);
    for (size_t i = 0; x && i < json_array_size(list); i++)
        x[i] = number_of(json_array_get(list, i));
    return x;
}

static void compare_numbers(verifier *v, const char *field, const double *got,
                            size_t n, const json_t *list, double absolute)
{
    double *want = numbers_of(list);
    if (json_array_size(list) != n)
        verify_fail(v, field, "%zu values, expected %zu", n,
                    json_array_size(list));
    else if (want)
        verify_f64(v, field, got, want, n, absolute, 0);
    t2g_free(want);
}

static void compare_text(verifier *v, const char *field, const char *got,
                         t2g_text want)
{
    verify_text(v, field, got ? got : "", got ? strlen(got) : 0, want.data,
                want.size);
}

/* --- tasks ---------------------------------------------------------------- */

static t2g_task task_of(const json_t *one)
{
    const char *name = member(one, "task").data;
    return strcmp(name, "slf5k") == 0           ? T2G_TASK_SUM
           : strcmp(name, "ultrafeedback") == 0 ? T2G_TASK_QA
                                                : T2G_TASK_CODE;
}

/* --- replies -------------------------------------------------------------- */

static void compare_words(verifier *v, const t2g_official_words *w,
                          const json_t *want)
{
    const json_t *words = json_object_get(want, "words"), *word;
    size_t i;
    compare_numbers(v, "pipeline.rewards", w->score, w->count,
                    json_object_get(want, "rewards"), 0);
    json_array_foreach(words, i, word)
        compare_text(v, "pipeline.words", i < w->count ? w->word[i] : "",
                     string_of(word));
}

void verify_official_reply(verifier *v, const json_t *one)
{
    const json_t *want = json_object_get(json_object_get(one, "expect"),
                                         "pipeline");
    t2g_official_words w;
    if (!want)
        return;
    if (t2g_official_reply(&w, task_of(one), member(one, "response"),
                           member(one, "text")) != T2G_OK) {
        verify_fail(v, "pipeline", "%s", t2g_error_message());
        return;
    }
    const json_t *reason = json_object_get(want, "reason");
    compare_text(v, "pipeline.status", w.status, member(want, "status"));
    compare_text(v, "pipeline.reason", w.reason,
                 string_of(reason ? reason : json_object_get(want, "raises")));
    if (w.count)
        compare_words(v, &w, want);
    t2g_official_words_free(&w);
}

/* --- sequence matcher ----------------------------------------------------- */

static void compare_block(verifier *v, const char *field, const t2g_block *b,
                          const json_t *want)
{
    int64_t got[3] = {(int64_t)b->a, (int64_t)b->b, (int64_t)b->size};
    int64_t wanted[3];
    for (size_t i = 0; i < 3; i++)
        wanted[i] = json_integer_value(json_array_get(want, i));
    verify_i64(v, field, got, wanted, 3);
}

static void compare_matching(verifier *v, const json_t *one, const char *mode)
{
    const json_t *want = json_object_get(one, mode), *block;
    t2g_matching m;
    size_t i;
    if (t2g_sequence_match(&m, member(one, "a"), member(one, "b"),
                           strcmp(mode, "autojunk") == 0) != T2G_OK) {
        verify_fail(v, mode, "%s", t2g_error_message());
        return;
    }
    double ratio = json_number_value(json_object_get(want, "ratio"));
    verify_f64(v, mode, &m.ratio, &ratio, 1, 0, 0);
    compare_block(v, mode, &m.longest, json_object_get(want, "longest"));
    if (json_array_size(json_object_get(want, "blocks")) != m.count)
        verify_fail(v, mode, "%zu blocks", m.count);
    else
        json_array_foreach(json_object_get(want, "blocks"), i, block)
            compare_block(v, mode, &m.block[i], block);
    t2g_matching_free(&m);
}

void verify_difflib(verifier *v, const char *path, const json_t *one)
{
    char id[48];
    snprintf(id, sizeof id, "%zu-%zu", member(one, "a").size, member(one, "b").size);
    if (!verify_begin(v, path, id))
        return;
    compare_matching(v, one, "autojunk");
    compare_matching(v, one, "no_autojunk");
    verify_end(v);
}

/* --- tokens' strings ------------------------------------------------------ */

static t2g_status unhex(t2g_buffer *out, t2g_text hex)
{
    T2G_TRY(t2g_buffer_append(out, "", 0));
    for (size_t i = 0; i + 1 < hex.size; i += 2) {
        const char pair[3] = {hex.data[i], hex.data[i + 1], '\0'};
        char byte = (char)strtoul(pair, NULL, 16);
        T2G_TRY(t2g_buffer_append(out, &byte, 1));
    }
    return T2G_OK;
}

void verify_token_text(verifier *v, const char *path, const json_t *one)
{
    t2g_buffer bytes = {0};
    char *text = NULL, *lower = NULL;
    bool special = false;
    if (!verify_begin(v, path, member(one, "hex").data))
        return;
    t2g_status s = unhex(&bytes, member(one, "hex"));
    if (s == T2G_OK)
        s = t2g_official_token_text(&text, &lower, &special,
                                    (t2g_text){bytes.data, bytes.size});
    if (s != T2G_OK)
        verify_fail(v, "hex", "%s", t2g_error_message());
    else {
        compare_text(v, "text", text, member(one, "text"));
        compare_text(v, "lower", lower, member(one, "lower"));
        verify_i64(v, "special", &(int64_t){special},
                   &(int64_t){json_is_true(json_object_get(one, "special"))},
                   1);
    }
    t2g_free(text);
    t2g_free(lower);
    t2g_buffer_free(&bytes);
    verify_end(v);
}

/* --- words to tokens ------------------------------------------------------ */

/* The inputs of a matcher. */
typedef struct row {
    t2g_text *token, *word;
    double *score, *out;
    size_t *word_of;
    size_t tokens, words;
} row;

static bool row_of(row *r, const json_t *tokens, const json_t *words,
                   const json_t *scores)
{
    *r = (row){strings_of(tokens), strings_of(words), numbers_of(scores), NULL,
               NULL, json_array_size(tokens), json_array_size(words)};
    r->out = t2g_calloc(r->tokens, sizeof *r->out);
    r->word_of = t2g_calloc(r->tokens, sizeof *r->word_of);
    return r->token && r->word && r->score && r->out && r->word_of;
}

static void row_free(row *r)
{
    t2g_free(r->token);
    t2g_free(r->word);
    t2g_free(r->score);
    t2g_free(r->out);
    t2g_free(r->word_of);
}

static void compare_match(verifier *v, row *r, const json_t *want,
                          t2g_task task)
{
    size_t skipped;
    t2g_status s = t2g_official_match(r->out, r->word_of, &skipped, r->token,
                                      r->tokens, r->word, r->score, r->words,
                                      task);
    if (s != T2G_OK) {
        if (!json_object_get(want, "raises"))
            verify_fail(v, "token_scores", "%s", t2g_error_message());
        return;
    }
    const json_t *words = json_object_get(want, "token_word");
    compare_numbers(v, "token_scores", r->out, r->tokens,
                    json_object_get(want, "token_scores"), 0);
    for (size_t t = 0; t < json_array_size(words) && t < r->tokens; t++) {
        int64_t got = r->word_of[t] == SIZE_MAX ? -1 : (int64_t)r->word_of[t];
        int64_t wanted = json_integer_value(json_array_get(words, t));
        verify_i64(v, "token_word", &got, &wanted, 1);
    }
    int64_t got = (int64_t)skipped;
    int64_t wanted = json_integer_value(json_object_get(want, "skipped"));
    verify_i64(v, "skipped", &got, &wanted, 1);
}

void verify_official_match(verifier *v, const char *path, const json_t *one)
{
    const json_t *expect = json_object_get(one, "expect");
    const json_t *want = json_object_get(expect, "slf5k_ultrafeedback");
    const json_t *code = json_object_get(expect, "kodcode");
    row r;
    if (!verify_begin(v, path, id_of(one)))
        return;
    if (row_of(&r, json_object_get(one, "tokens"),
               json_object_get(one, "words"),
               json_object_get(one, "scores"))) {
        compare_match(v, &r, want, T2G_TASK_QA);
        compare_match(v, &r, json_is_object(code) ? code : want,
                      T2G_TASK_CODE);
    }
    row_free(&r);
    verify_end(v);
}

/* --- whole rows ----------------------------------------------------------- */

static void compare_length_weight(verifier *v, const row *r,
                                  const json_t *want)
{
    double *weight = t2g_calloc(r->tokens, sizeof *weight);
    float *score = t2g_calloc(r->tokens, sizeof *score);
    if (weight && score) {
        for (size_t t = 0; t < r->tokens; t++)
            score[t] = (float)r->out[t];
        t2g_length_weight(weight, score, r->tokens, 1, 48);
        for (size_t t = 0; t < r->tokens; t++)
            weight[t] *= r->out[t];
        compare_numbers(v, "length_weighted", weight, r->tokens, want, 1e-7);
    }
    t2g_free(weight);
    t2g_free(score);
}

/* One row of a batch; false: the code raises, which ends the batch. */
static bool compare_row(verifier *v, const json_t *batch, const json_t *want,
                        const json_t *weighted, size_t b, t2g_task task)
{
    row r;
    size_t answer;
    double share;
    bool raised = false;
    const json_t *scores = json_object_get(want, "token_scores");
    if (row_of(&r, json_array_get(json_object_get(batch, "tokens"), b),
               json_array_get(json_object_get(batch, "words"), b),
               json_array_get(json_object_get(batch, "scores"), b))) {
        t2g_status s = t2g_official_rematch(r.out, &answer, &share, r.token,
                                            r.tokens, r.word, r.score, r.words,
                                            task);
        raised = s != T2G_OK;
        if (!raised && scores) {
            int64_t at = answer == SIZE_MAX ? -1 : (int64_t)answer;
            int64_t wanted = json_integer_value(json_array_get(
                json_object_get(want, "answer_index"), b));
            double part = json_number_value(json_array_get(
                json_object_get(want, "skip_fraction"), b));
            compare_numbers(v, "token_scores", r.out, r.tokens,
                            json_array_get(scores, b), 0);
            verify_i64(v, "answer_index", &at, &wanted, 1);
            verify_f64(v, "skip_fraction", &share, &part, 1, 1e-12, 0);
            if (weighted)
                compare_length_weight(v, &r, json_array_get(weighted, b));
        }
    }
    row_free(&r);
    return !raised;
}

static void compare_batch(verifier *v, const json_t *batch, const char *task,
                          t2g_task kind)
{
    const json_t *expect = json_object_get(batch, "expect");
    const json_t *own = json_object_get(expect, task), *want = own;
    bool same = json_is_string(own) ||
                json_is_true(json_object_get(own, "same_as_ultrafeedback"));
    size_t rows = json_array_size(json_object_get(batch, "tokens"));
    bool raised = false;
    if (same)
        want = json_object_get(expect, "ultrafeedback");
    for (size_t b = 0; b < rows && !raised; b++)
        raised = !compare_row(v, batch, want,
                              json_object_get(own, "length_weighted"), b,
                              kind);
    verify_i64(v, task, &(int64_t){raised},
               &(int64_t){json_object_get(want, "raises") != NULL}, 1);
}

static void verify_curve(verifier *v, const char *path, const json_t *one,
                         size_t number)
{
    char id[32];
    size_t zeros = (size_t)json_integer_value(json_object_get(
        one, "leading_zeros"));
    size_t n = zeros + (size_t)json_integer_value(json_object_get(one, "n"));
    float *score = t2g_calloc(n, sizeof *score);
    double *weight = t2g_calloc(n, sizeof *weight);
    snprintf(id, sizeof id, "curve-%zu", number);
    if (score && weight && verify_begin(v, path, id)) {
        for (size_t i = zeros; i < n; i++)
            score[i] = 1;
        t2g_length_weight(weight, score, n, 1, 48);
        compare_numbers(v, "weights", weight, n,
                        json_object_get(one, "weights"), 1e-7);
        verify_end(v);
    }
    t2g_free(score);
    t2g_free(weight);
}

void verify_official_rows(verifier *v, const char *path, const json_t *root)
{
    const json_t *one;
    size_t i;
    json_array_foreach(json_object_get(root, "batches"), i, one) {
        if (!verify_begin(v, path, id_of(one)))
            continue;
        compare_batch(v, one, "ultrafeedback", T2G_TASK_QA);
        compare_batch(v, one, "kodcode", T2G_TASK_CODE);
        compare_batch(v, one, "slf5k", T2G_TASK_SUM);
        verify_end(v);
    }
    json_array_foreach(json_object_get(root, "length_weight_curve"), i, one)
        verify_curve(v, path, one, i);
}

/* --- the mask ------------------------------------------------------------- */

enum { OTHER, END, MARKS }; /* ids from MARKS on are punctuation */

/* What the mask asks of a token: is it one of four marks, or the end? */
static uint32_t mask_id(const json_t *token)
{
    static const char marks[] = ",.?!";
    char *text = NULL, *lower = NULL;
    bool special;
    uint32_t id = OTHER;
    if (t2g_official_token_text(&text, &lower, &special, string_of(token)) ==
        T2G_OK) {
        if (strcmp(text, "<|eot_id|>") == 0)
            id = END;
        else if (strlen(text) == 1 && strchr(marks, *text))
            id = MARKS + (uint32_t)(strchr(marks, *text) - marks);
    }
    t2g_free(text);
    t2g_free(lower);
    return id;
}

static uint32_t *mask_ids(const json_t *tokens)
{
    size_t n = json_array_size(tokens);
    uint32_t *id = t2g_calloc(n, sizeof *id);
    for (size_t i = 0; id && i < n; i++)
        id[i] = mask_id(json_array_get(tokens, i));
    return id;
}

/* Row b of the batch, its tokens looked up in row `looked`. */
static void compare_mask(verifier *v, const json_t *one, size_t b,
                         size_t looked, const char *field)
{
    static const uint32_t punct[] = {MARKS, MARKS + 1, MARKS + 2, MARKS + 3};
    const t2g_mask_tokens kinds = {.punct = punct, .punct_count = 4,
                                   .end = END};
    const json_t *tokens = json_object_get(one, "tokens");
    const json_t *attention = json_array_get(json_object_get(one, "attention"),
                                             b);
    size_t n = json_array_size(json_array_get(tokens, b)), offset = 0;
    uint32_t *own = mask_ids(json_array_get(tokens, b));
    uint32_t *seen = mask_ids(json_array_get(tokens, looked));
    uint8_t *mask = t2g_calloc(n, sizeof *mask);
    while (offset < n &&
           json_integer_value(json_array_get(attention, offset)) == 0)
        offset++;
    t2g_mask_row row = {
        .id = own, .tokens = n, .offset = offset,
        .prompt = (size_t)json_integer_value(json_array_get(
            json_object_get(one, "query_len"), b)),
        .response = (size_t)json_integer_value(json_array_get(
            json_object_get(one, "response_len"), b))};
    if (own && seen && mask &&
        t2g_mask(mask, &row, seen, &kinds, T2G_MASK_OFFICIAL) == T2G_OK) {
        double *got = t2g_calloc(n, sizeof *got);
        for (size_t i = 0; got && i + 1 < n; i++)
            got[i] = mask[i];
        compare_numbers(v, field, got, n - 1,
                        json_array_get(json_object_get(one, field), b), 0);
        t2g_free(got);
    } else {
        verify_fail(v, field, "row %zu: %s", b, t2g_error_message());
    }
    t2g_free(own);
    t2g_free(seen);
    t2g_free(mask);
}

void verify_official_mask(verifier *v, const char *path, const json_t *one)
{
    size_t rows = json_array_size(json_object_get(one, "tokens"));
    size_t mini = (size_t)json_integer_value(json_object_get(one,
                                                             "mini_batch"));
    if (!verify_begin(v, path, id_of(one)))
        return;
    for (size_t b = 0; mini && b < rows; b++) {
        compare_mask(v, one, b, b % mini, "mask");
        compare_mask(v, one, b, b, "mask_own_tokens");
    }
    verify_end(v);
}

/* --- spans ---------------------------------------------------------------- */

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Expected place of a span that was matched, or NULL. They are listed without
 * white space at the ends. */
static const json_t *matched(const json_t *expect, t2g_text span)
{
    const json_t *list = json_object_get(expect, "matched"), *one;
    size_t i;
    while (span.size && is_blank(*span.data))
        span.data++, span.size--;
    while (span.size && is_blank(span.data[span.size - 1]))
        span.size--;
    json_array_foreach(list, i, one) {
        t2g_text s = member(one, "span");
        if (s.size == span.size && memcmp(s.data, span.data, s.size) == 0)
            return one;
    }
    return NULL;
}

static void compare_places(verifier *v, const json_t *expect,
                           const t2g_text *span, size_t count,
                           const t2g_official_place *place)
{
    for (size_t i = 0; i < count; i++) {
        const json_t *want = matched(expect, span[i]);
        int64_t wanted[2] = {-1, -1};
        int64_t got[2] = {(int64_t)place[i].start, (int64_t)place[i].end};
        if (want) {
            wanted[0] = json_integer_value(json_object_get(want, "start"));
            wanted[1] = json_integer_value(json_object_get(want, "end"));
        }
        verify_i64(v, "matched", got, wanted, 2);
    }
}

static void compare_finder(verifier *v, const json_t *one)
{
    json_t *found = json_object_get(json_object_get(one, "expect"),
                                    "fuzzy_find_075"), *want;
    const char *span;
    json_object_foreach(found, span, want) {
        t2g_official_place p;
        if (t2g_official_find(&p, T2G_TASK_CODE, member(one, "response"),
                              (t2g_text){span, strlen(span)}, 0.75) !=
            T2G_OK) {
            verify_fail(v, "fuzzy_find_075", "%s", t2g_error_message());
            return;
        }
        int64_t got[2] = {(int64_t)p.start, (int64_t)p.end};
        int64_t wanted[2] = {json_integer_value(json_array_get(want, 0)),
                             json_integer_value(json_array_get(want, 1))};
        verify_i64(v, "fuzzy_find_075", got, wanted, 2);
    }
}

static void compare_spans(verifier *v, const json_t *one, t2g_task task,
                          const json_t *first, const json_t *second)
{
    const json_t *expect = json_object_get(one, "expect");
    size_t n = json_array_size(first), m = json_array_size(second), words;
    t2g_text *a = strings_of(first), *b = strings_of(second);
    t2g_official_place *place = t2g_calloc(n + m, sizeof *place);
    double *scores = NULL;
    if (a && b && place &&
        t2g_official_word_scores(&scores, &words, task,
                                 member(one, "response"), a, n, b, m,
                                 place) == T2G_OK) {
        compare_numbers(v, "word_scores", scores, words,
                        json_object_get(expect, "word_scores"), 0);
        if (task == T2G_TASK_QA) {
            compare_places(v, expect, a, n, place);
            compare_places(v, expect, b, m, place + n);
        }
    } else {
        verify_fail(v, "word_scores", "%s", t2g_error_message());
    }
    t2g_free(scores);
    t2g_free(place);
    t2g_free(a);
    t2g_free(b);
}

void verify_official_spans(verifier *v, const char *path, const json_t *one)
{
    t2g_task task = task_of(one);
    bool code = task == T2G_TASK_CODE;
    if (!verify_begin(v, path, id_of(one)))
        return;
    compare_spans(v, one, task,
                  json_object_get(one, code ? "wrong_code" : "good_spans"),
                  json_object_get(one, code ? "improvement_code"
                                            : "poor_spans"));
    if (code)
        compare_finder(v, one);
    verify_end(v);
}
