/* The built-in task: messages and erring summaries from a small grammar. */
#include <string.h>

#include "facts_private.h"
#include "t2g/rng.h"

/* --- words ---------------------------------------------------------------- */

#define COUNT(a) (sizeof(a) / sizeof *(a))

static const char *const event_first[] = {
    "safety", "team", "budget", "music", "book", "chess", "film", "yoga",
    "science", "coding", "charity", "garden"};
static const char *const event_second[] = {
    "talk", "walk", "lunch", "party", "meeting", "class", "quiz", "fair",
    "tour", "dinner", "club", "show"};
static const char *const days[] = {"Monday", "Tuesday", "Wednesday",
                                   "Thursday", "Friday", "Saturday", "Sunday"};
static const char *const times[] = {"one", "two", "three", "four", "five",
                                    "six", "seven", "eight", "nine", "ten",
                                    "eleven", "twelve"};
static const char *const places[] = {
    "lobby", "library", "kitchen", "gym", "hall", "cafe", "museum", "park",
    "school", "church", "theater", "office", "studio", "station", "hotel",
    "tower", "cellar", "barn", "pool", "yard"};
static const char *const hosts[] = {
    "Kate", "Maya", "Tom", "Anna", "Ben", "Carl", "Dora", "Emma", "Fred",
    "Greta", "Hugo", "Ida", "Jack", "Lena", "Mark", "Nora", "Oscar", "Paul",
    "Rosa", "Sam", "Tina", "Vera", "Walt", "Zoe"};
static const char *const prices[] = {"2", "3", "4", "5", "6", "8", "9", "10",
                                     "12", "15", "18", "20", "25", "30"};
static const char *const items[] = {
    "mug", "pen", "coat", "hat", "towel", "laptop", "map", "torch", "ball",
    "blanket", "camera", "snack", "chair", "notebook", "helmet", "flag"};

static const struct {
    const char *const *word;
    size_t count;
    double absent, outdated; /* shares of messages */
} values[T2G_FACTS] = {
    [T2G_FACT_EVENT] = {NULL, 0, 0, 0},
    [T2G_FACT_DAY] = {days, COUNT(days), 0, .4},
    [T2G_FACT_TIME] = {times, COUNT(times), .12, .25},
    [T2G_FACT_PLACE] = {places, COUNT(places), .15, .35},
    [T2G_FACT_HOST] = {hosts, COUNT(hosts), .2, .35},
    [T2G_FACT_PRICE] = {prices, COUNT(prices), .25, .25},
    [T2G_FACT_ITEM] = {items, COUNT(items), .3, 0}};

const char t2g_fact_letter[T2G_FACTS + 1] = "EDTPHCI";

const char *const t2g_greetings[T2G_GREETINGS] = {
    "Hi team, here is the news.", "Hello all, a short note from us.",
    "Dear friends, please read this.", "Good news for all of you.",
    "A short note about our plans."};
const char *const t2g_farewells[T2G_FAREWELLS] = {
    "See you all there.", "Thanks and best wishes.", "We look forward to it.",
    "Do tell your friends.", "Take care and have fun."};

/* The event's sentence tells the day too. */
const t2g_sentence t2g_sentences[] = {
    {T2G_FACT_EVENT, false, "The %E is on %D"},
    {T2G_FACT_EVENT, false, "We plan the %E for %D"},
    {T2G_FACT_EVENT, false, "Join us for the %E on %D"},
    {T2G_FACT_EVENT, false, "The %E takes place on %D"},
    {T2G_FACT_EVENT, true, "The %E has moved from %d to %D"},
    {T2G_FACT_EVENT, true, "The %E is on %D instead of %d"},
    {T2G_FACT_EVENT, true, "The %E was on %d but is now on %D"},
    {T2G_FACT_TIME, false, "We begin at %T"},
    {T2G_FACT_TIME, false, "Doors open at %T"},
    {T2G_FACT_TIME, false, "It starts at %T"},
    {T2G_FACT_TIME, true, "We begin at %T instead of %t"},
    {T2G_FACT_TIME, true, "The start has moved from %t to %T"},
    {T2G_FACT_TIME, true, "Doors opened at %t but now open at %T"},
    {T2G_FACT_PLACE, false, "We meet in the %P"},
    {T2G_FACT_PLACE, false, "It will be in the %P"},
    {T2G_FACT_PLACE, false, "Find us in the %P"},
    {T2G_FACT_PLACE, true, "The %p is closed, so we meet in the %P"},
    {T2G_FACT_PLACE, true, "We meet in the %P instead of the %p"},
    {T2G_FACT_PLACE, true, "We moved from the %p to the %P"},
    {T2G_FACT_HOST, false, "%H will lead it"},
    {T2G_FACT_HOST, false, "Your host is %H"},
    {T2G_FACT_HOST, false, "It is led by %H"},
    {T2G_FACT_HOST, true, "%h is ill, so %H will lead it"},
    {T2G_FACT_HOST, true, "%H leads it instead of %h"},
    {T2G_FACT_HOST, true, "The host was %h but is now %H"},
    {T2G_FACT_PRICE, false, "Tickets cost %C dollars"},
    {T2G_FACT_PRICE, false, "The price is %C dollars"},
    {T2G_FACT_PRICE, false, "Entry is %C dollars"},
    {T2G_FACT_PRICE, true, "The price went from %c to %C dollars"},
    {T2G_FACT_PRICE, true, "Tickets cost %C dollars instead of %c"},
    {T2G_FACT_PRICE, true, "Entry was %c but is now %C dollars"},
    {T2G_FACT_ITEM, false, "Please bring a %I"},
    {T2G_FACT_ITEM, false, "You will need a %I"},
    {T2G_FACT_ITEM, false, "Do not forget a %I"}};
const size_t t2g_sentence_count = COUNT(t2g_sentences);

const t2g_facts_errors t2g_facts_reference = {
    .outdated = .75, .wrong = .04, .missing = .10, .invented = .30};
const t2g_facts_errors t2g_facts_spoiled = {
    .outdated = .55, .wrong = .15, .missing = .18, .invented = .35,
    .repeated = .12, .restart = .12};

const char *t2g_fact_name(size_t fact)
{
    static const char *const names[T2G_FACTS] = {
        "event", "day", "time", "place", "host", "price", "item"};
    return fact < T2G_FACTS ? names[fact] : "?";
}

/* --- dice ----------------------------------------------------------------- */

typedef struct dice {
    t2g_stream stream;
    uint64_t next;
} dice;

static bool chance(dice *d, double p)
{
    return t2g_random_unit(&d->stream, d->next++) < p;
}

static size_t below(dice *d, size_t n)
{
    return t2g_random_below(&d->stream, d->next++, (uint32_t)n);
}

static void shuffle(dice *d, size_t *order, size_t n)
{
    for (size_t i = n; i-- > 1;) {
        size_t j = below(d, i + 1), x = order[i];
        order[i] = order[j];
        order[j] = x;
    }
}

/* --- facts ---------------------------------------------------------------- */

enum { ABSENT = -1 };

/* Values as indices; an event is 12*first + second. */
typedef struct message {
    int now[T2G_FACTS], old[T2G_FACTS]; /* or ABSENT */
} message;

static size_t value_count(size_t fact)
{
    return fact == T2G_FACT_EVENT ? COUNT(event_first) * COUNT(event_second)
                                  : values[fact].count;
}

static int other_value(dice *d, size_t fact, int than)
{
    size_t n = value_count(fact);
    return (int)(((size_t)than + 1 + below(d, n - 1)) % n);
}

static void draw_message(dice *d, message *m)
{
    for (size_t f = 0; f < T2G_FACTS; f++) {
        m->now[f] = (int)below(d, value_count(f));
        m->old[f] = other_value(d, f, m->now[f]);
        if (chance(d, values[f].absent))
            m->now[f] = ABSENT;
        if (!chance(d, values[f].outdated) || m->now[f] == ABSENT)
            m->old[f] = ABSENT;
    }
}

static t2g_status put_value(t2g_buffer *out, size_t fact, int value)
{
    if (fact == T2G_FACT_EVENT)
        return t2g_buffer_printf(
            out, "%s %s", event_first[(size_t)value / COUNT(event_second)],
            event_second[(size_t)value % COUNT(event_second)]);
    return t2g_buffer_puts(out, values[fact].word[value]);
}

/* --- the message ---------------------------------------------------------- */

static t2g_status put_sentence(t2g_buffer *out, const char *text,
                               const message *m)
{
    for (; *text; text++) {
        if (*text != '%') {
            T2G_TRY(t2g_buffer_append(out, text, 1));
            continue;
        }
        char letter = *++text;
        bool old = letter >= 'a';
        const char *at = strchr(t2g_fact_letter, old ? letter - 32 : letter);
        size_t fact = (size_t)(at - t2g_fact_letter);
        T2G_TRY(put_value(out, fact, old ? m->old[fact] : m->now[fact]));
    }
    return t2g_buffer_puts(out, ".");
}

/* One of the sentences for a fact, with or without an outdated value. */
static const char *pick_sentence(dice *d, size_t fact, bool outdated)
{
    size_t n = 0;
    for (size_t i = 0; i < t2g_sentence_count; i++)
        n += t2g_sentences[i].fact == fact &&
             t2g_sentences[i].outdated == outdated;
    size_t k = below(d, n);
    for (size_t i = 0;; i++)
        if (t2g_sentences[i].fact == fact &&
            t2g_sentences[i].outdated == outdated && k-- == 0)
            return t2g_sentences[i].text;
}

static t2g_status put_message(dice *d, t2g_buffer *out, const message *m)
{
    size_t order[T2G_FACTS], n = 0;
    for (size_t f = 0; f < T2G_FACTS; f++)
        if (f != T2G_FACT_DAY && m->now[f] != ABSENT)
            order[n++] = f;
    shuffle(d, order, n);
    T2G_TRY(t2g_buffer_puts(out, t2g_greetings[below(d, T2G_GREETINGS)]));
    for (size_t i = 0; i < n; i++) {
        size_t f = order[i];
        bool old = m->old[f == T2G_FACT_EVENT ? T2G_FACT_DAY : f] != ABSENT;
        T2G_TRY(t2g_buffer_puts(out, " "));
        T2G_TRY(put_sentence(out, pick_sentence(d, f, old), m));
    }
    return t2g_buffer_printf(out, " %s",
                             t2g_farewells[below(d, T2G_FAREWELLS)]);
}

/* --- the summary ---------------------------------------------------------- */

/* A wrong event differs in its first word, its second or both. */
static int wrong_event(dice *d, int than)
{
    size_t n = COUNT(event_first), m = COUNT(event_second);
    size_t first = (size_t)than / m, second = (size_t)than % m;
    size_t which = below(d, 3);
    if (which != 0)
        first = (first + 1 + below(d, n - 1)) % n;
    if (which != 1)
        second = (second + 1 + below(d, m - 1)) % m;
    return (int)(first * m + second);
}

static int wrong_value(dice *d, size_t fact, int than)
{
    return fact == T2G_FACT_EVENT ? wrong_event(d, than)
                                  : other_value(d, fact, than);
}

/* What a summary says of each fact after its errors. */
static void err(dice *d, const message *m, const t2g_facts_errors *e,
                int said[T2G_FACTS])
{
    for (size_t f = 0; f < T2G_FACTS; f++) {
        bool told = m->now[f] != ABSENT;
        said[f] = m->now[f];
        if (!told && chance(d, e->invented))
            said[f] = (int)below(d, value_count(f));
        if (told && m->old[f] != ABSENT && chance(d, e->outdated))
            said[f] = m->old[f];
        if (told && chance(d, e->wrong))
            said[f] = wrong_value(d, f, m->now[f]);
        if (told && f != T2G_FACT_EVENT && chance(d, e->missing))
            said[f] = ABSENT;
    }
}

static t2g_status put_piece(t2g_buffer *out, size_t fact, int value)
{
    static const struct {
        const char *before, *after;
    } piece[T2G_FACTS] = {
        [T2G_FACT_EVENT] = {" the ", ""}, [T2G_FACT_DAY] = {" on ", ""},
        [T2G_FACT_TIME] = {" at ", ""}, [T2G_FACT_PLACE] = {" in the ", ""},
        [T2G_FACT_HOST] = {", led by ", ""},
        [T2G_FACT_PRICE] = {", for ", " dollars"},
        [T2G_FACT_ITEM] = {", bring a ", ""}};
    T2G_TRY(t2g_buffer_puts(out, piece[fact].before));
    T2G_TRY(put_value(out, fact, value));
    return t2g_buffer_puts(out, piece[fact].after);
}

static t2g_status put_pieces(dice *d, t2g_buffer *out, const int *said,
                             size_t *order, size_t n,
                             const t2g_facts_errors *e)
{
    if (chance(d, 0.5))
        shuffle(d, order, n);
    for (size_t i = 0; i < n; i++) {
        size_t f = order[i];
        if (said[f] != ABSENT)
            T2G_TRY(put_piece(out, f, said[f]));
        /* A repetition: any fact once more, as it was said or otherwise. */
        if (e->repeated > 0 && chance(d, e->repeated)) {
            f = chance(d, 0.5) ? f : below(d, T2G_FACTS);
            bool other = said[f] == ABSENT || chance(d, 0.3);
            T2G_TRY(put_piece(out, f, other ? (int)below(d, value_count(f))
                                            : said[f]));
        }
    }
    return T2G_OK;
}

/* The event, then what is said of the other facts. */
static t2g_status put_pass(dice *d, t2g_buffer *out, const int *said,
                           int event, bool verb, const t2g_facts_errors *e)
{
    size_t when[] = {T2G_FACT_DAY, T2G_FACT_TIME, T2G_FACT_PLACE};
    size_t how[] = {T2G_FACT_HOST, T2G_FACT_PRICE};
    size_t last[] = {T2G_FACT_ITEM};
    T2G_TRY(put_value(out, T2G_FACT_EVENT, event));
    T2G_TRY(t2g_buffer_puts(out, verb ? " is" : ""));
    T2G_TRY(put_pieces(d, out, said, when, COUNT(when), e));
    T2G_TRY(put_pieces(d, out, said, how, COUNT(how), e));
    return put_pieces(d, out, said, last, COUNT(last), e);
}

/* Where a summary should end it begins again, maybe with less to say. */
static t2g_status put_restart(dice *d, t2g_buffer *out, const int *said,
                              const t2g_facts_errors *e)
{
    int again[T2G_FACTS], event = said[T2G_FACT_EVENT];
    bool verb = chance(d, 0.5);
    for (size_t f = 0; f < T2G_FACTS; f++)
        again[f] = chance(d, 0.4) ? ABSENT : said[f];
    if (chance(d, 0.3))
        event = (int)below(d, value_count(T2G_FACT_EVENT));
    T2G_TRY(t2g_buffer_puts(out, " the "));
    return put_pass(d, out, again, event, verb, e);
}

static t2g_status put_summary(dice *d, t2g_buffer *out, const message *m,
                              const t2g_facts_errors *e)
{
    static const char *const before[] = {" The", " Come to the", " Join the",
                                         " There is the"};
    int said[T2G_FACTS];
    err(d, m, e, said);
    size_t opening = below(d, COUNT(before));
    T2G_TRY(t2g_buffer_printf(out, "%s ", before[opening]));
    T2G_TRY(put_pass(d, out, said, said[T2G_FACT_EVENT], opening == 0, e));
    while (e->restart > 0 && chance(d, e->restart))
        T2G_TRY(put_restart(d, out, said, e));
    return t2g_buffer_puts(out, ".");
}

t2g_status t2g_facts_sample(uint64_t seed, uint32_t number, uint32_t variant,
                            const t2g_facts_errors *errors, t2g_buffer *post,
                            t2g_buffer *summary)
{
    dice d = {{seed, number, 0, T2G_RNG_TASK}, 0};
    dice e = {{seed, number, variant + 1, T2G_RNG_TASK}, 0};
    message m;
    draw_message(&d, &m);
    T2G_TRY(put_message(&d, post, &m));
    return put_summary(&e, summary, &m, errors);
}

t2g_status t2g_facts_prompt(const char *post, t2g_buffer *out)
{
    return t2g_buffer_printf(out, "POST: %s\nTL;DR:", post);
}
