/* Replies under the grammar: what it admits against a plain reading of the
 * rules, complete and exact replies from models that know nothing, and what
 * is said when none can be written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "t2g/t2g.h"

#define OK(call)                                                               \
    do {                                                                       \
        if ((call) != T2G_OK)                                                  \
            fail_msg("%s", t2g_error_message());                               \
    } while (0)

static t2g_kernels kernels;
static t2g_tokenizer *merged, *bytes_only;
static const int64_t eos[] = {1};

/* --- responses ------------------------------------------------------------ */

static char lengthy[20001];

static const t2g_text responses[] = {
    {"The chess lunch is on Friday in the pool, bring a notebook.", 59},
    {"", 0},
    {"x", 1},
    {"He said \"no\", twice: \"no\" and \\\"no\\\".", 37},
    {"tab\there\nand\r\nthere\x01\x1f\x7f \b\f/", 27},
    {"a\0b\0\0c", 6},
    {"caf\xc3\xa9 \xe2\x82\xac" "5 \xf0\x9f\x98\x80\xf0\x9f\x98\x81 "
     "\xe6\x97\xa5\xe6\x9c\xac\xed\x9f\xbf", 28},
    {"\xf0\x9f\x98\x80", 4},
    {"ok \xff\xfe bad \xe6\x97 cut \xc3\xa9 \xed\xa0\x80 end", 27},
    {"\xff\xff", 2},
    {"\\", 1},
    {"\n", 1},
    {"]}, \"poor_spans\": [\"", 20},
    {lengthy, 20000}};
enum { RESPONSES = sizeof responses / sizeof *responses };

static const t2g_stream chance = {17, 0, 0, T2G_RNG_TASK};
static uint64_t chances;

static uint32_t below(uint32_t n)
{
    return t2g_random_below(&chance, chances++, n);
}

static void fill_lengthy(void)
{
    static const char *const word[] = {"the ", "aa", "\"", "\\", "\xc3\xa9",
                                       "\xf0\x9f\x98\x80", "\n", "b "};
    size_t n = 0;
    while (n + 5 < sizeof lengthy) {
        const char *w = word[below(8)];
        memcpy(lengthy + n, w, strlen(w));
        n += strlen(w);
    }
    memset(lengthy + n, 'z', sizeof lengthy - 1 - n);
}

/* --- tokenizers ----------------------------------------------------------- */

/* Replies and their pieces: merges cross the borders of the form, and some
 * tokens end inside a character. */
static t2g_status next_text(void *context, const char **text, size_t *length)
{
    static const char *const texts[] = {
        " {\"textual_feedback\": \"good\", \"good_spans\": [\"a\", \"b\"], "
        "\"poor_spans\": []}",
        " {\"textual_feedback\": \"\", \"good_spans\": [], \"poor_spans\": "
        "[\"the\", \"no\\\"\", \"\\\\\", \"\\n\"]}",
        "\xf0\x9f\x98\x80\", \"\xf0\x9f\x98\x81\xe6\x97\xa5\xe6\x9c\xac",
        "\xf0\x9f\x98\x82\xf0\x9f\x98\x80\xe6\x97\xa6\xe6\x9c\xad\\u0001",
        "the chess lunch is on Friday in the pool"};
    size_t *i = context;
    *text = *i < 15 ? texts[*i % 5] : NULL;
    *length = *text ? strlen(*text) : 0;
    ++*i;
    return T2G_OK;
}

static t2g_tokenizer *new_tokenizer(size_t size)
{
    static const char *const special[] = {"<|bos|>", "<|eot|>", "<|pad|>"};
    t2g_tokenizer *t;
    size_t texts = 0;
    const t2g_tokenizer_training options = {
        .vocab_size = size, .min_frequency = 2, .special = special,
        .special_count = 3, .bos = "<|bos|>", .eos = "<|eot|>",
        .components =
            "{\"normalizer\": null, \"pre_tokenizer\": {\"type\":"
            " \"ByteLevel\","
            " \"add_prefix_space\": false, \"trim_offsets\": true,"
            " \"use_regex\": false}, \"post_processor\": null, \"decoder\":"
            " {\"type\": \"ByteLevel\", \"add_prefix_space\": true,"
            " \"trim_offsets\": true, \"use_regex\": true}}",
        .next = next_text, .context = &texts};
    OK(t2g_tokenizer_train(&t, &options));
    return t;
}

static t2g_reply_grammar *new_grammar(const t2g_tokenizer *t, size_t ends)
{
    t2g_reply_grammar *g;
    OK(t2g_reply_grammar_new(&g, t, t2g_tokenizer_size(t), eos, ends));
    return g;
}

/* --- the rules, read plainly ---------------------------------------------- */

/* The escape of a byte that must have one. */
static size_t escaped(char *out, uint8_t c)
{
    static const char bytes[] = "\"\\\b\f\n\r\t", letters[] = "\"\\bfnrt";
    const char *p = c ? strchr(bytes, c) : NULL;
    return p ? (size_t)sprintf(out, "\\%c", letters[p - bytes])
             : (size_t)sprintf(out, "\\u%04X", c);
}

static bool begins(const char *text, size_t n, const char *with, size_t m)
{
    return n <= m && memcmp(text, with, n) == 0;
}

/* Is s [n] the beginning of a character as JSON writes it? *size: its length,
 * if it is there whole, else 0. */
static bool begins_character(const char *s, size_t n, size_t *size)
{
    static const char *const tail[] = {"\x80", "\xa0", "\x80\x80", "\xa0\x80",
                                       "\x90\x80", "\x90\x80\x80",
                                       "\x80\x80\x80"};
    *size = 0;
    for (unsigned c = 0; c < 0x80; c++) {
        char form[8] = {(char)c};
        bool escape = c < 0x20 || c == '"' || c == '\\';
        size_t m = escape ? escaped(form, (uint8_t)c) : 1;
        *size = begins(form, m, s, n) ? m : 0;
        if (*size || begins(s, n, form, m))
            return true;
    }
    for (size_t k = 2; k <= 4 && k <= n; k++)
        if (t2g_utf8_invalid(s, k) == k) {
            *size = k;
            return true;
        }
    for (size_t i = 0; n < 4 && i < sizeof tail / sizeof *tail; i++) {
        char whole[8];
        size_t m = n + strlen(tail[i]);
        memcpy(whole, s, n);
        memcpy(whole + n, tail[i], m - n);
        if (t2g_utf8_invalid(whole, m) == m)
            return true;
    }
    return false;
}

/* Bytes of the string at s [n] up to its closing mark; n: no mark there. */
static size_t string_end(const char *s, size_t n)
{
    size_t i = 0;
    while (i < n && s[i] != '"')
        i += s[i] == '\\' && i + 1 < n ? 2 : 1;
    return i < n ? i : n;
}

static bool words_viable(const char *s, size_t n, bool closed)
{
    for (size_t i = 0, size; i < n; i += size) {
        if (!begins_character(s + i, n - i, &size))
            return false;
        if (size == 0)
            return !closed;
    }
    return true;
}

/* The character at `at` as JSON writes it, form [*m]; its bytes, or 0 if there
 * is none. */
static size_t character(const t2g_text *r, size_t at, char form[8], size_t *m)
{
    for (size_t k = 1; k <= 4 && at + k <= r->size; k++)
        if (t2g_utf8_invalid(r->data + at, k) == k) {
            uint8_t c = (uint8_t)r->data[at];
            bool escape = c < 0x20 || c == '"' || c == '\\';
            memcpy(form, r->data + at, k);
            *m = escape ? escaped(form, c) : k;
            return k;
        }
    return 0;
}

/* Does the response, as JSON, go on with s [n]? */
static bool goes_on(const t2g_text *r, size_t at, const char *s, size_t n,
                    bool closed)
{
    while (n > 0) {
        char form[8];
        size_t m, k = character(r, at, form, &m);
        if (k == 0 || memcmp(s, form, m < n ? m : n) != 0)
            return false;
        if (n < m)
            return !closed;
        at += k;
        s += m;
        n -= m;
    }
    return true;
}

/* Is it a span, or the beginning of one? */
static bool span_viable(const char *s, size_t n, bool closed,
                        const t2g_text *r)
{
    char form[8];
    size_t m;
    for (size_t at = 0; at < r->size; at++)
        if (character(r, at, form, &m) && (n > 0 || !closed) &&
            goes_on(r, at, s, n, closed))
            return true;
    return false;
}

/* Takes text from s if it is there; *over: s ended inside or behind it. */
static bool fixed(const char **s, size_t *n, const char *text, bool *over)
{
    size_t m = strlen(text), k = *n < m ? *n : m;
    if (memcmp(*s, text, k) != 0)
        return false;
    *s += k;
    *n -= k;
    *over = k < m || *n == 0;
    return true;
}

/* A list up to and with its bracket. */
static bool list_viable(const char **s, size_t *n, const t2g_text *response,
                        bool *over)
{
    *over = *n == 0;
    if (*over || fixed(s, n, "]", over))
        return true;
    for (int item = 1; item <= T2G_REPLY_SPANS; item++) {
        if (!fixed(s, n, item == 1 ? "\"" : ", \"", over))
            return false;
        if (*over) /* another may begin */
            return span_viable("", 0, false, response);
        size_t end = string_end(*s, *n);
        if (!span_viable(*s, end, end < *n, response))
            return false;
        *s += end;
        *n -= end;
        if (*n == 0)
            return *over = true;
        fixed(s, n, "\"", over);
        if (*over || fixed(s, n, "]", over))
            return true;
    }
    return false;
}

/* Can text become a reply about this response? */
static bool viable(const char *s, size_t n, const t2g_text *response)
{
    bool over;
    if (!fixed(&s, &n, " {\"textual_feedback\": \"", &over))
        return false;
    if (over)
        return true;
    size_t end = string_end(s, n);
    if (!words_viable(s, end, end < n))
        return false;
    s += end;
    n -= end;
    if (n == 0)
        return true;
    if (!fixed(&s, &n, "\", \"good_spans\": [", &over))
        return false;
    if (over)
        return true;
    if (!list_viable(&s, &n, response, &over))
        return false;
    if (over)
        return true;
    if (!fixed(&s, &n, ", \"poor_spans\": [", &over))
        return false;
    if (over)
        return true;
    if (!list_viable(&s, &n, response, &over))
        return false;
    if (over)
        return true;
    return fixed(&s, &n, "}", &over) && n == 0;
}

/* --- walks ---------------------------------------------------------------- */

typedef struct walk {
    const t2g_tokenizer *t;
    const t2g_constraint *c;
    uint8_t *allowed;
    t2g_buffer text;
    size_t tokens;
} walk;

/* Strings end sooner than by chance. */
static uint32_t pick(const walk *w, size_t size)
{
    uint32_t chosen = UINT32_MAX, seen = 0;
    bool mark = below(4) == 0;
    for (int round = 0; round < 2 && chosen == UINT32_MAX; round++)
        for (uint32_t id = 0; id < size; id++) {
            size_t n;
            const char *b = t2g_tokenizer_bytes(w->t, id, &n);
            if (!w->allowed[id] || (mark && round == 0 &&
                                    !memchr(b, '"', n) && !memchr(b, ']', n)))
                continue;
            if (below(++seen) == 0)
                chosen = id;
        }
    return chosen;
}

/* Chooses tokens for a reply; with `check` compares each choice with the rules
 * and the two ways to ask. */
static void take_walk(walk *w, const t2g_text *response, size_t most,
                      bool check)
{
    size_t size = t2g_tokenizer_size(w->t);
    bool finished = false;
    w->text.size = 0;
    OK(t2g_buffer_puts(&w->text, ""));
    for (w->tokens = 0; !finished; w->tokens++) {
        size_t left = most - w->tokens - 1;
        assert_true(w->tokens < most);
        memset(w->allowed, 0, size);
        w->c->mark(w->c->context, 0, w->allowed, left);
        for (uint32_t id = 0; check && id < size; id++) {
            size_t n, before = w->text.size;
            const char *b = t2g_tokenizer_bytes(w->t, id, &n);
            assert_int_equal(w->c->allows(w->c->context, 0, id, left),
                             w->allowed[id]);
            if (t2g_tokenizer_is_special(w->t, id) || left < 100)
                continue;
            OK(t2g_buffer_append(&w->text, b, n));
            bool fits = viable(w->text.data, w->text.size, response);
            if (fits != (bool)w->allowed[id])
                fail_msg("after '%.*s' the token '%.*s' is %s", (int)before,
                         w->text.data, (int)n, b,
                         fits ? "refused" : "allowed");
            w->text.size = before;
        }
        uint32_t id = pick(w, size);
        assert_true(id != UINT32_MAX);
        OK(w->c->take(w->c->context, 0, id, &finished));
        size_t n;
        const char *b = t2g_tokenizer_bytes(w->t, id, &n);
        OK(t2g_buffer_append(&w->text, b, n));
    }
}

static bool holds(const t2g_text *text, const char *piece, size_t n)
{
    for (size_t i = 0; i + n <= text->size; i++)
        if (memcmp(text->data + i, piece, n) == 0)
            return true;
    return false;
}

/* Strict JSON of exactly the form, which is written the same again; every span
 * is in the response, on character borders. */
static void assert_reply(const char *reply, size_t n, const t2g_text *response)
{
    t2g_critique c;
    t2g_buffer again = {0};
    json_t *root = json_loadb(reply, n, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL,
                              NULL);
    if (!root)
        fail_msg("no JSON: %.*s", (int)n, reply);
    json_decref(root);
    OK(t2g_critique_parse(&c, reply, n));
    assert_true(c.status != T2G_CRITIQUE_UNPARSED && c.repairs == 0);
    for (size_t i = 0; i < c.count; i++) {
        const t2g_span *s = &c.span[i];
        assert_true(s->length > 0 && holds(response, s->text, s->length));
        assert_int_equal(t2g_utf8_invalid(s->text, s->length), s->length);
    }
    OK(t2g_buffer_puts(&again, " "));
    OK(t2g_critique_format(&c, &again));
    assert_int_equal(again.size, n);
    assert_memory_equal(again.data, reply, n);
    t2g_buffer_free(&again);
    t2g_critique_free(&c);
}

static size_t spans_of(const char *reply, size_t n)
{
    t2g_critique c;
    OK(t2g_critique_parse(&c, reply, n));
    size_t count = c.count;
    t2g_critique_free(&c);
    return count;
}

/* Many replies about each response; the number of spans. */
static size_t walks(const t2g_tokenizer *t, size_t r, size_t count, size_t most,
                    bool check)
{
    size_t spans = 0;
    t2g_reply_grammar *g = new_grammar(t, 0);
    walk w = {.t = t, .allowed = t2g_calloc(t2g_tokenizer_size(t), 1)};
    for (size_t i = 0; i < count; i++) {
        t2g_reply_rows *rows;
        OK(t2g_reply_rows_new(&rows, g, &responses[r], 1, most));
        w.c = t2g_reply_rows_constraint(rows);
        take_walk(&w, &responses[r], most, check);
        assert_reply(w.text.data, w.text.size, &responses[r]);
        spans += spans_of(w.text.data, w.text.size);
        t2g_reply_rows_free(rows);
    }
    t2g_free(w.allowed);
    t2g_buffer_free(&w.text);
    t2g_reply_grammar_free(g);
    return spans;
}

/* --- tests ---------------------------------------------------------------- */

static void substrings_of_texts(void **state)
{
    (void)state;
    char text[13];
    for (int round = 0; round < 300; round++) {
        size_t n = below(13);
        for (size_t i = 0; i < n; i++)
            text[i] = (char)('a' + below(3));
        t2g_substrings *s;
        const t2g_text whole = {text, n};
        OK(t2g_substrings_new(&s, text, n));
        for (int k = 0; k < 100; k++) {
            char piece[6];
            size_t m = 1 + below(6);
            uint32_t at = T2G_SUBSTRINGS_EMPTY;
            for (size_t i = 0; i < m; i++) {
                piece[i] = (char)('a' + below(3));
                if (at != T2G_SUBSTRINGS_NONE)
                    at = t2g_substrings_next(s, at, (uint8_t)piece[i]);
            }
            assert_int_equal(at != T2G_SUBSTRINGS_NONE,
                             holds(&whole, piece, m));
        }
        t2g_substrings_free(s);
    }
}

static void what_is_no_text_is_no_substring(void **state)
{
    (void)state;
    t2g_substrings *s;
    OK(t2g_substrings_new(&s, "a\xff\xc3" "b", 4));
    assert_true(t2g_substrings_next(s, 0, 'a') != T2G_SUBSTRINGS_NONE);
    assert_true(t2g_substrings_next(s, 0, 'b') != T2G_SUBSTRINGS_NONE);
    assert_true(t2g_substrings_next(s, 0, 0xff) == T2G_SUBSTRINGS_NONE);
    assert_true(t2g_substrings_next(s, 0, 0xc3) == T2G_SUBSTRINGS_NONE);
    t2g_substrings_free(s);
    assert_int_equal(t2g_substrings_new(&s, "", (size_t)1 << 30), T2G_ERR_ARG);
}

/* Is text a reply about this response, byte by byte? */
static bool is_reply(const t2g_reply_grammar *g, const char *text,
                     const char *response)
{
    t2g_reply_state at = {0};
    t2g_substrings *s;
    OK(t2g_substrings_new(&s, response, strlen(response)));
    bool reads = true;
    for (size_t i = 0; reads && text[i]; i++)
        reads = t2g_reply_step(g, s, &at, (uint8_t)text[i]);
    t2g_substrings_free(s);
    return reads && t2g_reply_complete(g, &at);
}

static bool with_words(const t2g_reply_grammar *g, const char *words)
{
    char text[200];
    snprintf(text, sizeof text, " {\"textual_feedback\": \"%s\", "
             "\"good_spans\": [], \"poor_spans\": []}", words);
    return is_reply(g, text, "");
}

static bool with_spans(const t2g_reply_grammar *g, const char *spans,
                       const char *response)
{
    char text[1000];
    snprintf(text, sizeof text, " {\"textual_feedback\": \"\", "
             "\"good_spans\": [], \"poor_spans\": [%s]}", spans);
    return is_reply(g, text, response);
}

static void words_by_hand(void **state)
{
    (void)state;
    static const char *const good[] = {
        "", "a/b", "\\\"\\\\\\b\\f\\n\\r\\t", "\\u0000\\u000B\\u001F", "\x7f",
        "\xc2\x80", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xee\x80\x80",
        "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf"};
    static const char *const bad[] = {
        "\"", "\\", "\\/", "\\u000a", "\\u000A", "\\u0020", "\\u001f", "\n",
        "\x01", "\\ud800", "\x80", "\xc0\x80", "\xc1\xbf", "\xe0\x9f\xbf",
        "\xed\xa0\x80", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80",
        "\xf5\x80\x80\x80", "\xe6\x97", "\xff"};
    t2g_reply_grammar *g = new_grammar(merged, 1);
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(with_words(g, good[i]));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(with_words(g, bad[i]));
    t2g_reply_grammar_free(g);
}

static void spans_by_hand(void **state)
{
    (void)state;
    t2g_reply_grammar *g = new_grammar(merged, 1);
    assert_true(with_spans(g, "\"ab\", \"ba\", \"ab\"", "abab"));
    assert_false(with_spans(g, "\"aa\"", "abab"));
    assert_false(with_spans(g, "\"\"", "abab"));
    assert_false(with_spans(g, "\"ab\",\"ba\"", "abab"));
    assert_false(with_spans(g, "\"ab\", ", "abab"));
    assert_true(with_spans(g, "\"\\n\\\"\\u0001\"", "x\n\"\x01"));
    assert_false(with_spans(g, "\"n\"", "x\n"));
    assert_true(with_spans(g, "\"\xc3\xa9\"", "caf\xc3\xa9"));
    assert_false(with_spans(g, "\"\xc3\"", "caf\xc3\xa9"));
    assert_false(with_spans(g, "\"\xa9\"", "caf\xc3\xa9"));
    char list[6 * T2G_REPLY_SPANS + 6] = "\"a\"";
    for (int i = 1; i < T2G_REPLY_SPANS; i++)
        strcat(list, ", \"a\"");
    assert_true(with_spans(g, list, "a"));
    strcat(list, ", \"a\"");
    assert_false(with_spans(g, list, "a"));
    t2g_reply_grammar_free(g);
}

static void admits_what_the_rules_say(void **state)
{
    (void)state;
    for (size_t r = 0; r < RESPONSES - 1; r++) {
        walks(merged, r, 2, 150, true);
        walks(bytes_only, r, 1, 180, true);
    }
}

static void replies_are_whole_and_exact(void **state)
{
    (void)state;
    size_t shortest[2];
    const t2g_tokenizer *t[] = {merged, bytes_only};
    for (int k = 0; k < 2; k++) {
        t2g_reply_grammar *g = new_grammar(t[k], 0);
        shortest[k] = t2g_reply_grammar_shortest(g);
        t2g_reply_grammar_free(g);
    }
    assert_true(shortest[0] < shortest[1]);
    for (size_t r = 0; r < RESPONSES; r++) {
        size_t spans = 0;
        for (size_t more = 0; more < 60; more += 5)
            for (int k = 0; k < 2; k++)
                spans += walks(t[k], r, 2, shortest[k] + more, false);
        spans += walks(merged, r, 20, 300, false);
        bool something = responses[r].size > 0 && r != 9;
        assert_int_equal(spans > 0, something);
    }
}

static const t2g_config tiny = {
    .hidden_size = 16, .intermediate_size = 24, .num_hidden_layers = 1,
    .num_attention_heads = 2, .num_key_value_heads = 1, .head_dim = 8,
    .max_position_embeddings = 512, .rms_norm_eps = 1e-5f,
    .tie_word_embeddings = true, .bos_token_id = 0, .pad_token_id = 2,
    .eos_token_id = {1}, .eos_count = 1, .initializer_range = 0.5,
    .rope_theta = 10000, .rope_factor = 1, .rope_beta_fast = 32,
    .rope_beta_slow = 1};

static t2g_model *new_model(size_t vocab_size)
{
    t2g_config c = tiny;
    t2g_model *m;
    c.vocab_size = vocab_size;
    OK(t2g_model_init(&m, &c, &kernels, 5, true));
    return m;
}

enum { ROWS = 100 };

/* Prompts of one token, one for each row. */
static void make_prompts(uint32_t *id, size_t *row, t2g_text *response)
{
    row[0] = 0;
    for (size_t i = 0; i < ROWS; i++) {
        id[i] = 3 + (uint32_t)i % 200;
        row[i + 1] = i + 1;
        response[i] = responses[i % RESPONSES];
    }
}

static t2g_generation generate(const t2g_model *m, const t2g_reply_grammar *g,
                               t2g_sampling s, uint32_t first)
{
    uint32_t id[ROWS];
    size_t row[ROWS + 1];
    t2g_text response[ROWS];
    t2g_reply_rows *rows;
    t2g_generation out;
    make_prompts(id, row, response);
    const t2g_batch batch = {id, row, ROWS};
    OK(t2g_reply_rows_new(&rows, g, response, ROWS, s.max_new_tokens));
    s.constraint = t2g_reply_rows_constraint(rows);
    OK(t2g_generate(m, &batch, &s, first, eos, 1, NULL, NULL, &out));
    t2g_reply_rows_free(rows);
    return out;
}

static void assert_replies(const t2g_generation *g, const t2g_tokenizer *t)
{
    t2g_buffer reply = {0};
    for (size_t r = 0; r < g->rows; r++) {
        reply.size = 0;
        OK(t2g_tokenizer_decode_bytes(t, g->id + g->row[r],
                                      g->row[r + 1] - g->row[r], true, &reply,
                                      NULL));
        assert_reply(reply.data, reply.size, &responses[r % RESPONSES]);
    }
    t2g_buffer_free(&reply);
}

/* A model without any training writes a thousand of them. */
static void a_random_model_writes_replies(void **state)
{
    (void)state;
    t2g_model *m = new_model(t2g_tokenizer_size(merged));
    t2g_reply_grammar *grammar = new_grammar(merged, 1);
    for (uint32_t k = 0; k < 10; k++) {
        const t2g_sampling s = {
            .do_sample = k > 0, .temperature = 0.7 + 0.2 * k,
            .top_p = k % 3 == 1 ? 0.9 : 1, .top_k = k % 4 == 2 ? 20 : 0,
            .max_new_tokens = 40 + 9 * k, .seed = 3};
        t2g_generation g = generate(m, grammar, s, k * ROWS);
        assert_replies(&g, merged);
        t2g_generation_free(&g);
    }
    t2g_reply_grammar_free(grammar);
    t2g_model_free(m);
}

static void threads_change_nothing(void **state)
{
    (void)state;
    t2g_model *m = new_model(t2g_tokenizer_size(merged));
    t2g_reply_grammar *grammar = new_grammar(merged, 1);
    const t2g_sampling s = {.do_sample = true, .temperature = 1, .top_p = 0.95,
                            .max_new_tokens = 60, .seed = 9};
    t2g_generation one, g;
    OK(t2g_set_threads(1));
    one = generate(m, grammar, s, 0);
    for (int threads = 2; threads <= 4; threads *= 2) {
        OK(t2g_set_threads(threads));
        g = generate(m, grammar, s, 0);
        assert_memory_equal(g.row, one.row, (ROWS + 1) * sizeof *g.row);
        assert_memory_equal(g.id, one.id, g.row[ROWS] * sizeof *g.id);
        assert_memory_equal(g.logprob, one.logprob,
                            g.row[ROWS] * sizeof *g.logprob);
        t2g_generation_free(&g);
    }
    OK(t2g_set_threads(2));
    t2g_generation_free(&one);
    t2g_reply_grammar_free(grammar);
    t2g_model_free(m);
}

/* Where a free model would have written a reply, the grammar changes nothing:
 * the constraint that allows everything gives the bits of none. */
static bool always(void *context, size_t row, uint32_t id, size_t left)
{
    (void)row, (void)left;
    return id < *(size_t *)context;
}

static void mark_all(void *context, size_t row, uint8_t *allowed, size_t left)
{
    (void)row, (void)left;
    memset(allowed, 1, *(size_t *)context);
}

static t2g_status take_any(void *context, size_t row, uint32_t id,
                           bool *finished)
{
    (void)context, (void)row, (void)id;
    *finished = false;
    return T2G_OK;
}

static void no_restriction_no_change(void **state)
{
    (void)state;
    size_t V = t2g_tokenizer_size(merged), row[ROWS + 1];
    uint32_t id[ROWS];
    t2g_text response[ROWS];
    t2g_model *m = new_model(V);
    const t2g_constraint all = {&V, V, always, mark_all, take_any};
    make_prompts(id, row, response);
    const t2g_batch batch = {id, row, ROWS};
    for (int sampled = 0; sampled < 2; sampled++) {
        t2g_sampling s = {.do_sample = sampled, .temperature = 0.8,
                          .top_p = 0.9, .max_new_tokens = 30, .seed = 9};
        t2g_generation a, b;
        OK(t2g_generate(m, &batch, &s, 0, eos, 1, NULL, NULL, &a));
        s.constraint = &all;
        OK(t2g_generate(m, &batch, &s, 0, eos, 1, NULL, NULL, &b));
        assert_int_equal(a.row[ROWS], b.row[ROWS]);
        assert_memory_equal(a.id, b.id, a.row[ROWS] * sizeof *a.id);
        t2g_generation_free(&a);
        t2g_generation_free(&b);
    }
    t2g_model_free(m);
}

static void assert_fails(t2g_status got, t2g_status wanted, const char *words)
{
    assert_int_equal(got, wanted);
    if (!strstr(t2g_error_message(), words))
        fail_msg("'%s' without '%s'", t2g_error_message(), words);
}

static void says_what_cannot_be(void **state)
{
    (void)state;
    size_t V = t2g_tokenizer_size(merged), row[] = {0, 1};
    uint32_t id[] = {5};
    const t2g_batch batch = {id, row, 1};
    t2g_reply_grammar *g = new_grammar(merged, 1);
    t2g_reply_rows *rows;
    t2g_generation out;
    size_t shortest = t2g_reply_grammar_shortest(g);
    assert_fails(t2g_reply_rows_new(&rows, g, responses, 1, shortest - 1),
                 T2G_ERR_ARG, "the shortest reply takes");
    OK(t2g_reply_rows_new(&rows, g, responses, 1, shortest));
    t2g_sampling s = {.temperature = 1, .top_p = 1, .max_new_tokens = shortest,
                      .constraint = t2g_reply_rows_constraint(rows)};
    t2g_model *other = new_model(V + 1), *m = new_model(V);
    assert_fails(t2g_generate(other, &batch, &s, 0, eos, 1, NULL, NULL, &out),
                 T2G_ERR_ARG, "a constraint for");
    s.min_new_tokens = 1;
    assert_fails(t2g_generate(m, &batch, &s, 0, eos, 1, NULL, NULL, &out),
                 T2G_ERR_ARG, "min_new_tokens 1");
    bool finished;
    assert_fails(s.constraint->take(s.constraint->context, 0, 0, &finished),
                 T2G_ERR_ARG, "has no place in a reply");
    t2g_reply_rows_free(rows);
    t2g_reply_grammar_free(g);
    assert_fails(t2g_reply_grammar_new(&g, merged, 20, eos, 1),
                 T2G_ERR_UNSUPPORTED, "has not the tokens");
    t2g_model_free(m);
    t2g_model_free(other);
}

/* Allocation number `failing` fails. */
static long failing;

static void *give(void *context, size_t size, size_t align)
{
    (void)context;
    if (failing-- == 0)
        return NULL;
    return aligned_alloc(align, (size + align - 1) / align * align);
}

static void release(void *context, void *p)
{
    (void)context;
    free(p);
}

static t2g_status use_everything(const t2g_tokenizer *t, bool *finished)
{
    size_t V = t2g_tokenizer_size(t);
    uint8_t allowed[1024] = {0};
    t2g_reply_grammar *g = NULL;
    t2g_reply_rows *rows = NULL;
    t2g_status s = t2g_reply_grammar_new(&g, t, V, eos, 1);
    if (s == T2G_OK)
        s = t2g_reply_rows_new(&rows, g, responses, 1, 100);
    if (s == T2G_OK) {
        const t2g_constraint *c = t2g_reply_rows_constraint(rows);
        uint32_t id = 0;
        c->mark(c->context, 0, allowed, 99);
        while (id + 1 < V && !allowed[id])
            id++;
        s = c->take(c->context, 0, id, finished);
    }
    t2g_reply_rows_free(rows);
    t2g_reply_grammar_free(g);
    return s;
}

static void no_memory(void **state)
{
    (void)state;
    const t2g_allocator failing_allocator = {give, release, NULL};
    t2g_status s = T2G_ERR_MEMORY;
    t2g_set_allocator(&failing_allocator);
    failing = -1;
    t2g_tokenizer *t = new_tokenizer(300);
    for (long n = 0; s != T2G_OK; n++) {
        bool finished;
        failing = n;
        s = use_everything(t, &finished);
        /* A second try may find memory again, but not the token. */
        assert_true(s == T2G_OK || s == T2G_ERR_MEMORY || s == T2G_ERR_ARG);
        assert_true(n < 1000);
    }
    t2g_tokenizer_free(t);
    t2g_set_allocator(NULL);
}

/* Twice the text takes twice the time, be it as regular as can be. */
static void long_responses(void **state)
{
    (void)state;
    enum { LONG = 1 << 20 };
    char *text = malloc(LONG);
    t2g_substrings *s;
    memset(text, 'a', LONG);
    OK(t2g_substrings_new(&s, text, LONG));
    t2g_substrings_free(s);
    for (size_t i = 0; i < LONG; i++)
        text[i] = (char)below(256);
    OK(t2g_substrings_new(&s, text, LONG));
    t2g_substrings_free(s);
    free(text);
}

static int make_tokenizers(void **state)
{
    (void)state;
    fill_lengthy();
    merged = new_tokenizer(420);
    bytes_only = new_tokenizer(259);
    return 0;
}

static int free_tokenizers(void **state)
{
    (void)state;
    t2g_tokenizer_free(merged);
    t2g_tokenizer_free(bytes_only);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(substrings_of_texts),
        cmocka_unit_test(what_is_no_text_is_no_substring),
        cmocka_unit_test(words_by_hand),
        cmocka_unit_test(spans_by_hand),
        cmocka_unit_test(admits_what_the_rules_say),
        cmocka_unit_test(replies_are_whole_and_exact),
        cmocka_unit_test(a_random_model_writes_replies),
        cmocka_unit_test(threads_change_nothing),
        cmocka_unit_test(no_restriction_no_change),
        cmocka_unit_test(says_what_cannot_be),
        cmocka_unit_test(long_responses),
        cmocka_unit_test(no_memory)};
    if (t2g_kernels_select(&kernels, NULL) != T2G_OK)
        return 1;
    return cmocka_run_group_tests_name("reply", tests, make_tokenizers,
                                       free_tokenizers);
}
