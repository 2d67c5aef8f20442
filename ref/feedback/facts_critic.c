/* The critic of the built-in task: reads the facts of a message, finds what a
 * response says of each, and writes down the verdicts. It never sees a
 * reference. */
#include <stdio.h>
#include <string.h>

#include "../tokenizer/unicode.h"
#include "facts_private.h"
#include "t2g/files.h"

/* A piece of text. */
typedef struct slice {
    const char *text;
    size_t n;
} slice;

/* Bytes of the letter or digit at s; 0: neither. Signs above ASCII pass for
 * letters, bytes that are not UTF-8 do not: the critique quotes words. */
static size_t letter(const char *s, size_t n)
{
    char c = n ? *s : ' ';
    if (!(c & 0x80))
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
               (c >= 'A' && c <= 'Z');
    size_t length = utf8_length((unsigned char)c);
    return length <= n && t2g_utf8_invalid(s, length) == length ? length : 0;
}

static size_t word_length(const char *s, size_t n)
{
    size_t i = 0, length;
    while ((length = letter(s + i, n - i)))
        i += length;
    return i;
}

static bool same(slice a, slice b)
{
    return a.n == b.n && memcmp(a.text, b.text, a.n) == 0;
}

static bool is(slice a, const char *word)
{
    return a.n == strlen(word) && memcmp(a.text, word, a.n) == 0;
}

/* --- the message ---------------------------------------------------------- */

/* What a message tells; n = 0: nothing. */
typedef struct truth {
    slice value[T2G_FACTS];
} truth;

/* Matches a sentence against a pattern; values of present facts go to t. */
static bool match(const char *pattern, slice s, truth *t)
{
    size_t i = 0;
    for (; *pattern; pattern++) {
        if (*pattern != '%') {
            if (i == s.n || s.text[i++] != *pattern)
                return false;
            continue;
        }
        char letter = *++pattern;
        size_t n = word_length(s.text + i, s.n - i);
        if (n && letter == 'E') { /* two words */
            size_t second = i + n < s.n && s.text[i + n] == ' '
                                ? word_length(s.text + i + n + 1,
                                              s.n - i - n - 1)
                                : 0;
            n = second ? n + 1 + second : 0;
        }
        if (n == 0)
            return false;
        const char *at = strchr(t2g_fact_letter, letter);
        if (at)
            t->value[at - t2g_fact_letter] = (slice){s.text + i, n};
        i += n;
    }
    return i == s.n;
}

static bool polite(slice s)
{
    for (size_t i = 0; i < T2G_GREETINGS; i++)
        if (is(s, t2g_greetings[i]))
            return true;
    for (size_t i = 0; i < T2G_FAREWELLS; i++)
        if (is(s, t2g_farewells[i]))
            return true;
    return false;
}

static bool read_sentence(slice s, truth *t)
{
    if (polite(s))
        return true;
    slice body = {s.text, s.n - 1}; /* without the full stop */
    for (size_t i = 0; i < t2g_sentence_count; i++) {
        truth trial = *t;
        if (match(t2g_sentences[i].text, body, &trial)) {
            *t = trial;
            return true;
        }
    }
    return false;
}

static slice strip(const char *prompt, size_t n)
{
    static const char before[] = "POST: ", after[] = "\nTL;DR:";
    size_t b = sizeof before - 1, a = sizeof after - 1;
    if (n >= b && memcmp(prompt, before, b) == 0) {
        prompt += b;
        n -= b;
    }
    if (n >= a && memcmp(prompt + n - a, after, a) == 0)
        n -= a;
    return (slice){prompt, n};
}

static t2g_status not_a_sentence(const char *text, size_t n)
{
    return t2g_fail(T2G_ERR_FORMAT, "no message of the built-in task: '%.*s' "
                    "is not one of its sentences", n < 200 ? (int)n : 200,
                    text);
}

static t2g_status read_message(const char *prompt, size_t n, truth *t)
{
    slice post = strip(prompt, n);
    *t = (truth){0};
    for (size_t i = 0; i < post.n;) {
        const char *stop = memchr(post.text + i, '.', post.n - i);
        size_t length = stop ? (size_t)(stop - post.text) + 1 - i : 0;
        slice s = {post.text + i, length};
        if (length < 2 || !read_sentence(s, t))
            return not_a_sentence(post.text + i, length ? length : post.n - i);
        i += length;
        if (i < post.n && post.text[i] == ' ')
            i++;
    }
    if (!t->value[T2G_FACT_EVENT].n)
        return t2g_fail(T2G_ERR_FORMAT, "no message of the built-in task: it "
                        "names no event");
    return T2G_OK;
}

/* --- the response --------------------------------------------------------- */

/* One mention of a fact. */
typedef struct mention {
    size_t fact;
    slice value, phrase;
} mention;

/* Words that start a phrase; never the value of one. */
static bool keyword(slice w)
{
    static const char *const words[] = {"on", "at", "in", "the", "led", "by",
                                        "for", "dollars", "bring", "a", "The",
                                        "is"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (is(w, words[i]))
            return true;
    return false;
}

/* The next word wherever it is; n = 0 at the end. */
static slice next_word(slice text, size_t *i)
{
    size_t n = 0;
    while (*i < text.n &&
           (n = word_length(text.text + *i, text.n - *i)) == 0)
        ++*i;
    slice w = {text.text + *i, n};
    *i += n;
    return w;
}

/* The word that goes on with a phrase, after blanks alone; n = 0: none. */
static slice following_word(slice text, size_t *i)
{
    size_t at = *i;
    while (at < text.n && text.text[at] == ' ')
        at++;
    slice w = {text.text + at, word_length(text.text + at, text.n - at)};
    *i = at + w.n;
    return w;
}

/* A value word: none, with the position unchanged, where a phrase begins. */
static slice value_word(slice text, size_t *i)
{
    size_t at = *i;
    slice w = following_word(text, &at);
    if (w.n == 0 || keyword(w))
        return (slice){text.text + *i, 0};
    *i = at;
    return w;
}

static bool skip_word(slice text, size_t *i, const char *word)
{
    size_t at = *i;
    if (!is(following_word(text, &at), word))
        return false;
    *i = at;
    return true;
}

/* The fact that a phrase beginning with word w is about, T2G_FACTS if none; the
 * phrase's further fixed words are passed over. */
static size_t fact_of_phrase(slice text, slice w, size_t *i)
{
    if (is(w, "on"))
        return T2G_FACT_DAY;
    if (is(w, "at"))
        return T2G_FACT_TIME;
    if (is(w, "in") && skip_word(text, i, "the"))
        return T2G_FACT_PLACE;
    if (is(w, "led") && skip_word(text, i, "by"))
        return T2G_FACT_HOST;
    if (is(w, "for"))
        return T2G_FACT_PRICE;
    if (is(w, "bring") && skip_word(text, i, "a"))
        return T2G_FACT_ITEM;
    return is(w, "the") || is(w, "The") ? T2G_FACT_EVENT : T2G_FACTS;
}

/* The mention that begins with word w (which ends at *i), if any; *i moves on
 * behind what was read of it. */
static bool read_mention(slice text, slice w, size_t *i, mention *m)
{
    m->fact = fact_of_phrase(text, w, i);
    if (m->fact == T2G_FACTS)
        return false;
    size_t at = *i;
    m->value = value_word(text, &at);
    if (m->value.n == 0)
        return false;
    if (m->fact == T2G_FACT_EVENT) {
        slice second = value_word(text, &at);
        if (second.n)
            m->value.n = (size_t)(second.text + second.n - m->value.text);
    }
    size_t end = (size_t)(m->value.text + m->value.n - text.text);
    if (m->fact == T2G_FACT_PRICE && skip_word(text, &at, "dollars"))
        end = at;
    m->phrase = (slice){w.text, (size_t)(text.text + end - w.text)};
    *i = at;
    return true;
}

/* --- the verdicts --------------------------------------------------------- */

/* What the response says of one fact, and the words about it. */
typedef struct verdict {
    slice first;      /* n = 0: nothing */
    t2g_buffer again; /* sentences about repetitions */
} verdict;

static void count_mention(t2g_facts_tally *tally, const truth *t,
                          const mention *m, bool repeated, bool right)
{
    if (repeated)
        tally->repeated++;
    else if (!t->value[m->fact].n)
        tally->invented++;
    else if (right)
        tally->right++;
    else
        tally->wrong++;
    if (!repeated && right)
        tally->fact_right[m->fact]++;
}

static t2g_status judge(const truth *t, const mention *m, const char *response,
                        verdict *v, t2g_critique *critique,
                        t2g_facts_tally *tally)
{
    bool repeated = v->first.n > 0;
    bool right = !repeated && same(m->value, t->value[m->fact]);
    count_mention(tally, t, m, repeated, right);
    if (repeated)
        T2G_TRY(t2g_buffer_printf(&v->again, " It says %.*s again.",
                                  (int)m->value.n, m->value.text));
    else
        v->first = m->value;
    if (!critique)
        return T2G_OK;
    T2G_TRY(t2g_critique_add(critique, m->phrase.text, m->phrase.n,
                             right ? 1 : -1,
                             right ? "good_spans" : "poor_spans"));
    t2g_span *s = &critique->span[critique->count - 1];
    s->start = (size_t)(m->phrase.text - response);
    s->end = s->start + s->length;
    return T2G_OK;
}

static t2g_status write_verdict(t2g_buffer *out, size_t fact, slice truth,
                                const verdict *v)
{
    slice said = v->first;
    if (!truth.n && !said.n)
        return T2G_OK;
    T2G_TRY(t2g_buffer_printf(out, "%sThe %s is %.*s, it says ",
                              out->size ? " " : "", t2g_fact_name(fact),
                              truth.n ? (int)truth.n : 7,
                              truth.n ? truth.text : "unknown"));
    if (!said.n)
        T2G_TRY(t2g_buffer_puts(out, "nothing."));
    else
        T2G_TRY(t2g_buffer_printf(out, "%.*s %s.", (int)said.n, said.text,
                                  !truth.n ? "anyway" : same(truth, said)
                                  ? "too" : "instead"));
    return t2g_buffer_append(out, v->again.data, v->again.size);
}

static t2g_status check(const truth *t, const char *response, size_t n,
                        verdict *v, t2g_critique *critique,
                        t2g_facts_tally *tally)
{
    slice text = {response, n};
    for (size_t i = 0; i < n;) {
        slice w = next_word(text, &i);
        mention m;
        if (w.n && read_mention(text, w, &i, &m))
            T2G_TRY(judge(t, &m, response, &v[m.fact], critique, tally));
    }
    for (size_t f = 0; f < T2G_FACTS; f++) {
        tally->fact_told[f] += t->value[f].n > 0;
        tally->missing += t->value[f].n > 0 && !v[f].first.n;
    }
    return T2G_OK;
}

t2g_status t2g_facts_check(const char *prompt, size_t prompt_length,
                           const char *response, size_t n,
                           t2g_critique *critique, t2g_facts_tally *tally)
{
    verdict v[T2G_FACTS] = {0};
    t2g_facts_tally ignored = {0};
    t2g_buffer words = {0};
    truth t;
    if (critique)
        *critique = (t2g_critique){.status = T2G_CRITIQUE_EMPTY};
    T2G_TRY(read_message(prompt, prompt_length, &t));
    t2g_status s = check(&t, response, n, v, critique,
                         tally ? tally : &ignored);
    for (size_t f = 0; s == T2G_OK && critique && f < T2G_FACTS; f++)
        s = write_verdict(&words, f, t.value[f], &v[f]);
    for (size_t f = 0; f < T2G_FACTS; f++)
        t2g_buffer_free(&v[f].again);
    if (s == T2G_OK && critique) {
        critique->text = words.data ? words.data : t2g_strdup("");
        critique->text_length = words.size;
        if (!critique->text)
            s = T2G_ERR_MEMORY;
    } else {
        t2g_buffer_free(&words);
    }
    if (s != T2G_OK && critique)
        t2g_critique_free(critique);
    return s;
}

double t2g_facts_accuracy(const t2g_facts_tally *t)
{
    size_t all = t->right + t->wrong + t->missing + t->invented + t->repeated;
    return all ? (double)t->right / (double)all : 0;
}
