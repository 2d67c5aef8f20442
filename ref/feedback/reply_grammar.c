/* The replies a reward model is trained to write, byte by byte: a fixed form
 * with three gaps, the words and the two lists of spans. */
#include "reply_grammar.h"

#include <stdio.h>
#include <string.h>

#include "t2g/feedback.h"
#include "t2g/memory.h"

enum { LIST_FIRST, LIST_SPAN, LIST_AFTER, LIST_COMMA, LIST_NEXT };

/* --- strings -------------------------------------------------------------- */

static uint8_t begin_character(uint8_t c)
{
    if (c < 0x20 || c == '"')
        return STRING_STATES;
    if (c == '\\')
        return STRING_ESCAPE;
    if (c < 0x80)
        return STRING_PLAIN;
    if (c >= 0xc2 && c <= 0xdf)
        return STRING_1;
    if (c == 0xe0)
        return STRING_E0;
    if (c == 0xed)
        return STRING_ED;
    if (c >= 0xe1 && c <= 0xef)
        return STRING_2;
    if (c == 0xf0)
        return STRING_F0;
    if (c >= 0xf1 && c <= 0xf3)
        return STRING_3;
    return c == 0xf4 ? STRING_F4 : STRING_STATES;
}

/* A byte of a character behind the first, [Unicode] table 3-7. */
static uint8_t continue_character(uint8_t string, uint8_t c)
{
    static const struct {
        uint8_t low, high, next;
    } rule[] = {
        [STRING_1] = {0x80, 0xbf, STRING_PLAIN},
        [STRING_2] = {0x80, 0xbf, STRING_1},
        [STRING_3] = {0x80, 0xbf, STRING_2},
        [STRING_E0] = {0xa0, 0xbf, STRING_1},
        [STRING_ED] = {0x80, 0x9f, STRING_1},
        [STRING_F0] = {0x90, 0xbf, STRING_2},
        [STRING_F4] = {0x80, 0x8f, STRING_2}};
    bool fits = c >= rule[string].low && c <= rule[string].high;
    return fits ? rule[string].next : STRING_STATES;
}

static const char short_escape[] = "\"\\bfnrt";
static const char short_escaped[] = "\"\\\b\f\n\r\t";

enum { ESCAPE = 8 }; /* room for one */

/* How a byte is written if a string must escape it; the length, or 0. */
static size_t escape_of(uint8_t raw, char out[ESCAPE])
{
    const char *p = raw ? strchr(short_escaped, raw) : NULL;
    if (p)
        return (size_t)snprintf(out, ESCAPE, "\\%c",
                                short_escape[p - short_escaped]);
    return raw < 0x20 ? (size_t)snprintf(out, ESCAPE, "\\u%04X",
                                         (unsigned)raw)
                      : 0;
}

/* What is read of an escape. */
static const char *const escape_prefix[] = {
    [STRING_ESCAPE] = "\\", [STRING_U] = "\\u", [STRING_U0] = "\\u0",
    [STRING_U00] = "\\u00", [STRING_U000] = "\\u000",
    [STRING_U001] = "\\u001"};

static bool in_escape(uint8_t string)
{
    return string >= STRING_U001 && string <= STRING_ESCAPE;
}

/* The last digit of \u000? or \u001?, for what has no short escape. */
static uint8_t last_digit(int high, uint8_t c, int *raw)
{
    static const char digits[] = "0123456789ABCDEF";
    const char *p = c ? strchr(digits, c) : NULL;
    int value = p ? 16 * high + (int)(p - digits) : -1;
    if (!p || (value && strchr(short_escaped, value)))
        return STRING_STATES;
    *raw = value;
    return STRING_PLAIN;
}

static uint8_t continue_escape(uint8_t string, uint8_t c, int *raw)
{
    const char *p = c ? strchr(short_escape, c) : NULL;
    switch (string) {
    case STRING_ESCAPE:
        if (p)
            *raw = short_escaped[p - short_escape];
        return p ? STRING_PLAIN : c == 'u' ? STRING_U : STRING_STATES;
    case STRING_U:
        return c == '0' ? STRING_U0 : STRING_STATES;
    case STRING_U0:
        return c == '0' ? STRING_U00 : STRING_STATES;
    case STRING_U00:
        return c == '0' ? STRING_U000 : c == '1' ? STRING_U001 : STRING_STATES;
    default:
        return last_digit(string == STRING_U001, c, raw);
    }
}

uint8_t t2g_string_step(uint8_t string, uint8_t c, int *raw)
{
    *raw = -1;
    if (in_escape(string))
        return continue_escape(string, c, raw);
    uint8_t next = string == STRING_PLAIN ? begin_character(c)
                                          : continue_character(string, c);
    if (next != STRING_ESCAPE && next != STRING_STATES)
        *raw = c;
    return next;
}

/* --- bytes ---------------------------------------------------------------- */

static bool read_fixed(const t2g_reply_grammar *g, t2g_reply_state *s,
                       uint8_t c)
{
    if (s->at == g->length || c != (uint8_t)g->form[s->at])
        return false;
    *s = (t2g_reply_state){.at = (uint16_t)(s->at + 1)};
    return true;
}

static bool at_list(const t2g_reply_grammar *g, const t2g_reply_state *s)
{
    return s->at == g->list[0] || s->at == g->list[1];
}

static bool read_word(const t2g_reply_grammar *g, t2g_reply_state *s, uint8_t c)
{
    int raw;
    if (s->string == STRING_PLAIN && c == '"')
        return read_fixed(g, s, c);
    s->string = t2g_string_step(s->string, c, &raw);
    return s->string != STRING_STATES;
}

static bool read_span(const t2g_substrings *response, t2g_reply_state *s,
                      uint8_t c)
{
    int raw;
    if (s->string == STRING_PLAIN && c == '"') {
        s->list = LIST_AFTER;
        return s->piece != T2G_SUBSTRINGS_EMPTY;
    }
    s->string = t2g_string_step(s->string, c, &raw);
    if (raw >= 0)
        s->piece = t2g_substrings_next(response, s->piece, (uint8_t)raw);
    return s->string != STRING_STATES && s->piece != T2G_SUBSTRINGS_NONE;
}

static bool begin_span(t2g_reply_state *s)
{
    s->list = LIST_SPAN;
    s->piece = T2G_SUBSTRINGS_EMPTY;
    s->items++;
    return true;
}

static bool read_list(const t2g_reply_grammar *g,
                      const t2g_substrings *response, t2g_reply_state *s,
                      uint8_t c)
{
    switch (s->list) {
    case LIST_FIRST:
        return c == '"' ? begin_span(s) : read_fixed(g, s, c);
    case LIST_SPAN:
        return read_span(response, s, c);
    case LIST_AFTER:
        if (c != ',')
            return read_fixed(g, s, c);
        s->list = LIST_COMMA;
        return s->items < T2G_REPLY_SPANS;
    case LIST_COMMA:
        s->list = LIST_NEXT;
        return c == ' ';
    default:
        return c == '"' && begin_span(s);
    }
}

bool t2g_reply_step(const t2g_reply_grammar *g, const t2g_substrings *response,
                    t2g_reply_state *s, uint8_t byte)
{
    if (s->at == g->words)
        return read_word(g, s, byte);
    return at_list(g, s) ? read_list(g, response, s, byte)
                         : read_fixed(g, s, byte);
}

bool t2g_reply_complete(const t2g_reply_grammar *g, const t2g_reply_state *s)
{
    return s->at == g->length;
}

/* --- the way to the end --------------------------------------------------- */

/* Tokens, one a byte, that bring a span to a character border. */
typedef struct ending {
    const t2g_reply_grammar *g;
    const t2g_substrings *response;
    uint8_t string;
    size_t best, least; /* nothing is less than least */
} ending;

static size_t end_character(const t2g_reply_grammar *g,
                            const t2g_substrings *response, uint32_t piece,
                            uint8_t string);

static size_t rest_of_escape(const ending *e, uint8_t raw)
{
    char form[ESCAPE];
    const char *prefix = e->string == STRING_PLAIN ? ""
                                                   : escape_prefix[e->string];
    size_t n = escape_of(raw, form), read = strlen(prefix), sum = 0;
    if (n <= read || memcmp(form, prefix, read) != 0)
        return T2G_TRIE_NEVER;
    for (size_t i = read; i < n; i++)
        sum += e->g->byte[(uint8_t)form[i]];
    return sum;
}

/* The cost of going on with this byte of the response. */
static bool consider(void *context, uint8_t byte, uint32_t next)
{
    ending *e = context;
    char form[ESCAPE];
    int raw;
    size_t cost = T2G_TRIE_NEVER;
    if (in_escape(e->string) ||
        (e->string == STRING_PLAIN && escape_of(byte, form))) {
        cost = rest_of_escape(e, byte);
    } else {
        uint8_t string = t2g_string_step(e->string, byte, &raw);
        if (string != STRING_STATES)
            cost = e->g->byte[byte] + end_character(e->g, e->response, next,
                                                    string);
    }
    e->best = cost < e->best ? cost : e->best;
    return e->best > e->least;
}

static size_t cheapest(const t2g_reply_grammar *g,
                       const t2g_substrings *response, uint32_t piece,
                       uint8_t string)
{
    static const uint8_t least[STRING_STATES] = {
        [STRING_PLAIN] = 1, [STRING_U001] = 1, [STRING_U000] = 1,
        [STRING_U00] = 2, [STRING_U0] = 3, [STRING_U] = 4, [STRING_ESCAPE] = 1,
        [STRING_1] = 1, [STRING_2] = 2, [STRING_3] = 3, [STRING_E0] = 2,
        [STRING_ED] = 2, [STRING_F0] = 3, [STRING_F4] = 3};
    ending e = {g, response, string, T2G_TRIE_NEVER, least[string]};
    t2g_substrings_each(response, piece, consider, &e);
    return e.best;
}

static size_t end_character(const t2g_reply_grammar *g,
                            const t2g_substrings *response, uint32_t piece,
                            uint8_t string)
{
    return string == STRING_PLAIN ? 0 : cheapest(g, response, piece, string);
}

/* Bytes from the opening mark of another span on, and its first character. */
static size_t whole_span(const t2g_reply_grammar *g,
                         const t2g_substrings *response, const char *before)
{
    size_t cost = cheapest(g, response, T2G_SUBSTRINGS_EMPTY, STRING_PLAIN);
    for (; *before; before++)
        cost += g->byte[(uint8_t)*before];
    return cost;
}

static size_t list_bound(const t2g_reply_grammar *g,
                         const t2g_substrings *response,
                         const t2g_reply_state *s)
{
    switch (s->list) {
    case LIST_COMMA:
        return whole_span(g, response, " \"") + g->close[s->at];
    case LIST_NEXT:
        return whole_span(g, response, "\"") + g->close[s->at];
    case LIST_SPAN:
        if (s->piece == T2G_SUBSTRINGS_EMPTY && s->string == STRING_PLAIN)
            return whole_span(g, response, "") + g->close[s->at];
        return end_character(g, response, s->piece, s->string) +
               g->close[s->at];
    default:
        return g->tail[s->at];
    }
}

size_t t2g_reply_bound(const t2g_reply_grammar *g,
                       const t2g_substrings *response,
                       const t2g_reply_state *s)
{
    size_t n = at_list(g, s)       ? list_bound(g, response, s)
               : s->at == g->words ? g->finish[s->string] + g->tail[s->at]
                                   : g->tail[s->at];
    return n < T2G_TRIE_NEVER ? n : SIZE_MAX;
}

size_t t2g_reply_grammar_shortest(const t2g_reply_grammar *g)
{
    return g->tail[0];
}

/* --- making one ----------------------------------------------------------- */

/* The empty reply in the bytes that the tokenizer's tokens of it have. */
static t2g_status written(const t2g_tokenizer *t, t2g_buffer *out)
{
    const t2g_critique empty = {.text = (char *)""};
    t2g_buffer reply = {0};
    t2g_encoding ids = {0};
    t2g_status s = t2g_buffer_puts(&reply, " ");
    if (s == T2G_OK)
        s = t2g_critique_format(&empty, &reply);
    if (s == T2G_OK)
        s = t2g_tokenizer_encode(t, reply.data, reply.size, 0, &ids);
    if (s == T2G_OK)
        s = t2g_tokenizer_decode_bytes(t, ids.id, ids.count, true, out, NULL);
    size_t blanks = s == T2G_OK && out->data ? strspn(out->data, " ") : 0;
    if (s == T2G_OK && (!out->data || out->size >= REPLY_FORM ||
                        strcmp(out->data + blanks, reply.data + 1) != 0))
        s = t2g_fail(T2G_ERR_UNSUPPORTED, "the tokenizer cannot write replies: "
                     "'%s' becomes '%s'", reply.data + 1,
                     out->data ? out->data + blanks : "");
    t2g_buffer_free(&reply);
    t2g_encoding_free(&ids);
    return s;
}

static t2g_status set_form(t2g_reply_grammar *g)
{
    t2g_buffer form = {0};
    t2g_status s = written(g->tokenizer, &form);
    if (s == T2G_OK) {
        memcpy(g->form, form.data, form.size);
        g->length = form.size;
        g->words = (size_t)(strstr(g->form, "\"\"") - g->form) + 1;
        g->list[0] = (size_t)(strchr(g->form, '[') - g->form) + 1;
        g->list[1] = (size_t)(strrchr(g->form, '[') - g->form) + 1;
    }
    t2g_buffer_free(&form);
    return s;
}

/* Fewest tokens for a quotation mark and the form from `at` on. */
static size_t closing(const t2g_reply_grammar *g, size_t at)
{
    char text[REPLY_FORM + 1];
    size_t n = g->length - at, cost[REPLY_FORM + 2];
    text[0] = '"';
    memcpy(text + 1, g->form + at, n);
    t2g_trie_spell(&g->trie, text, n + 1, cost);
    return cost[0];
}

/* The cheapest end of what was begun in a string of any text. */
static void set_finish(t2g_reply_grammar *g)
{
    for (uint8_t string = STRING_PLAIN + 1; string < STRING_STATES; string++) {
        g->finish[string] = T2G_TRIE_NEVER;
        for (unsigned c = 0; c < 256; c++) {
            int raw;
            uint8_t next = t2g_string_step(string, (uint8_t)c, &raw);
            size_t cost = g->byte[c];
            if (next == STRING_STATES)
                continue;
            if (cost + g->finish[next] < g->finish[string])
                g->finish[string] = cost + g->finish[next];
        }
    }
}

static t2g_status set_costs(t2g_reply_grammar *g)
{
    for (unsigned c = 0; c < 256; c++) {
        size_t cost[2];
        t2g_trie_spell(&g->trie, (char[1]){(char)c}, 1, cost);
        g->byte[c] = cost[0];
    }
    t2g_trie_spell(&g->trie, g->form, g->length, g->tail);
    for (int k = 0; k < 2; k++)
        g->close[g->list[k]] = closing(g, g->list[k]);
    set_finish(g);
    return g->tail[0] < T2G_TRIE_NEVER
               ? T2G_OK
               : t2g_fail(T2G_ERR_UNSUPPORTED, "the model has not the tokens "
                          "to write '%s'", g->form);
}

/* Most of a vocabulary can go on with words, whatever the response: noted once,
 * where a walk would visit it all at every token. */
static void sort_word_token(t2g_reply_grammar *g, uint32_t id)
{
    t2g_reply_state s = {.at = (uint16_t)g->words};
    size_t n;
    const char *bytes = t2g_trie_token(g->tokenizer, g->vocab_size, g->eos,
                                       g->eos_count, id, &n);
    for (size_t i = 0; bytes && i < n && s.at == g->words; i++)
        if (!read_word(g, &s, (uint8_t)bytes[i]))
            return;
    if (bytes && s.at != g->words) {
        g->out_of_words[g->out_of_words_count++] = id;
    } else if (bytes && g->finish[s.string] < T2G_TRIE_NEVER) {
        size_t left = g->finish[s.string] + g->tail[g->words];
        g->in_words[id] = 1;
        g->words_left = left > g->words_left ? left : g->words_left;
    }
}

static t2g_status sort_word_tokens(t2g_reply_grammar *g)
{
    g->in_words = t2g_calloc(g->vocab_size, sizeof *g->in_words);
    g->out_of_words = t2g_calloc(g->vocab_size, sizeof *g->out_of_words);
    if (!g->in_words || !g->out_of_words)
        return T2G_ERR_MEMORY;
    for (uint32_t id = 0; id < g->vocab_size; id++)
        sort_word_token(g, id);
    return T2G_OK;
}

t2g_status t2g_reply_grammar_new(t2g_reply_grammar **out,
                                 const t2g_tokenizer *t, size_t vocab_size,
                                 const int64_t *eos, size_t eos_count)
{
    t2g_reply_grammar *g = t2g_calloc(1, sizeof *g);
    *out = NULL;
    if (!g)
        return T2G_ERR_MEMORY;
    g->tokenizer = t;
    g->vocab_size = vocab_size;
    g->eos = eos;
    g->eos_count = eos_count;
    t2g_status s = set_form(g);
    if (s == T2G_OK)
        s = t2g_token_trie_build(&g->trie, t, vocab_size, eos, eos_count);
    if (s == T2G_OK)
        s = set_costs(g);
    if (s == T2G_OK)
        s = sort_word_tokens(g);
    if (s != T2G_OK) {
        t2g_reply_grammar_free(g);
        return s;
    }
    *out = g;
    return T2G_OK;
}

void t2g_reply_grammar_free(t2g_reply_grammar *g)
{
    if (!g)
        return;
    t2g_token_trie_free(&g->trie);
    t2g_free(g->in_words);
    t2g_free(g->out_of_words);
    t2g_free(g);
}
