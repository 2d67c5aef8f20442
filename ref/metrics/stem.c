/* Porter's stemmer, in the variant of NLTK's default mode. Porter, An algorithm
 * for suffix stripping, 1980, with NLTK's extensions: other words of four
 * letters, irregular words, y after a consonant alone, alli, fulli and logi,
 * and any doubled consonant. What libraries call "porter" is another function:
 * it gives other stems for two words in a hundred. */
#include "metrics_private.h"

#include <string.h>

typedef struct word {
    char *s;
    size_t n;
} word;

/* --- the measures of a stem: the first n characters ----------------------- */

/* y is what the character before it is not, a consonant at the start. */
static bool consonant_after(bool consonant_before, char c)
{
    return c == 'y' ? !consonant_before : !strchr("aeiou", c);
}

static bool consonant(const char *s, size_t i)
{
    size_t first = i; /* of a run of y */
    while (first > 0 && s[first - 1] == 'y')
        first--;
    bool before = first > 0 && consonant_after(false, s[first - 1]);
    for (; first <= i; first++)
        before = consonant_after(before, s[first]);
    return before;
}

/* Number of vowel-to-consonant steps: m of [C](VC)^m[V]. */
static size_t measure(const char *s, size_t n)
{
    size_t m = 0;
    bool before = false;
    for (size_t i = 0; i < n; i++) {
        bool now = consonant_after(before, s[i]);
        m += i > 0 && !before && now;
        before = now;
    }
    return m;
}

static bool has_vowel(const char *s, size_t n)
{
    bool before = false;
    for (size_t i = 0; i < n; i++) {
        before = consonant_after(before, s[i]);
        if (!before)
            return true;
    }
    return false;
}

/* Ends like hop or fil (not in w, x, y), or is like up. */
static bool short_end(const char *s, size_t n)
{
    if (n == 2)
        return !consonant(s, 0) && consonant(s, 1);
    return n >= 3 && consonant(s, n - 3) && !consonant(s, n - 2) &&
           consonant(s, n - 1) && !strchr("wxy", s[n - 1]);
}

/* --- suffixes ------------------------------------------------------------- */

static bool ends(const word *w, const char *suffix)
{
    size_t k = strlen(suffix);
    return w->n >= k && memcmp(w->s + w->n - k, suffix, k) == 0;
}

static void replace(word *w, size_t old, const char *suffix)
{
    size_t k = strlen(suffix);
    memcpy(w->s + w->n - old, suffix, k);
    w->n += k - old;
}

/* suffix -> by, if the measure of the rest exceeds m. `kept`: characters of the
 * suffix that still count for the measure. */
typedef struct rule {
    const char *suffix, *by;
    size_t kept;
} rule;

/* The first rule whose suffix fits decides, also when its condition fails. */
static void apply(word *w, const rule *rules, size_t count, size_t m)
{
    for (size_t i = 0; i < count; i++)
        if (ends(w, rules[i].suffix)) {
            size_t k = strlen(rules[i].suffix);
            if (measure(w->s, w->n - k + rules[i].kept) > m)
                replace(w, k, rules[i].by);
            return;
        }
}
#define APPLY(w, rules, m) apply(w, rules, sizeof (rules) / sizeof *(rules), m)

/* --- the steps ------------------------------------------------------------ */

static bool irregular(word *w)
{
    static const char *const fixed[][2] = {
        {"sky", "sky"}, {"skies", "sky"}, {"dying", "die"}, {"lying", "lie"},
        {"tying", "tie"}, {"news", "news"}, {"inning", "inning"},
        {"innings", "inning"}, {"outing", "outing"}, {"outings", "outing"},
        {"canning", "canning"}, {"cannings", "canning"}, {"howe", "howe"},
        {"proceed", "proceed"}, {"exceed", "exceed"}, {"succeed", "succeed"}};
    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++)
        if (w->n == strlen(fixed[i][0]) && ends(w, fixed[i][0])) {
            replace(w, w->n, fixed[i][1]);
            return true;
        }
    return false;
}

static void plural(word *w)
{
    if (ends(w, "ies") && w->n == 4)
        w->n--;
    else if (ends(w, "sses") || ends(w, "ies"))
        w->n -= 2;
    else if (ends(w, "s") && !ends(w, "ss"))
        w->n--;
}

/* What follows the removal of ed or ing: conflat(e), hop(p), fil(e). */
static void repair(word *w)
{
    char last = w->n ? w->s[w->n - 1] : 0;
    bool doubled = w->n >= 2 && last == w->s[w->n - 2] &&
                   consonant(w->s, w->n - 1);
    if (ends(w, "at") || ends(w, "bl") || ends(w, "iz"))
        replace(w, 0, "e");
    else if (doubled)
        w->n -= !strchr("lsz", last);
    else if (measure(w->s, w->n) == 1 && short_end(w->s, w->n))
        replace(w, 0, "e");
}

static void past_and_gerund(word *w)
{
    if (ends(w, "ied")) {
        w->n -= w->n == 4 ? 1 : 2;
    } else if (ends(w, "eed")) {
        w->n -= measure(w->s, w->n - 3) > 0;
    } else {
        size_t k = ends(w, "ed") ? 2 : ends(w, "ing") ? 3 : 0;
        if (k && has_vowel(w->s, w->n - k)) {
            w->n -= k;
            repair(w);
        }
    }
}

static void final_y(word *w)
{
    if (ends(w, "y") && w->n >= 3 && consonant(w->s, w->n - 2))
        w->s[w->n - 1] = 'i';
}

static void double_suffixes(word *w)
{
    static const rule rules[] = {
        {"ational", "ate", 0}, {"tional", "tion", 0}, {"enci", "ence", 0},
        {"anci", "ance", 0}, {"izer", "ize", 0}, {"bli", "ble", 0},
        {"entli", "ent", 0}, {"eli", "e", 0}, {"ousli", "ous", 0},
        {"ization", "ize", 0}, {"ation", "ate", 0},
        {"ator", "ate", 0}, {"alism", "al", 0}, {"iveness", "ive", 0},
        {"fulness", "ful", 0}, {"ousness", "ous", 0}, {"aliti", "al", 0},
        {"iviti", "ive", 0}, {"biliti", "ble", 0}, {"fulli", "ful", 0},
        {"logi", "log", 1}};
    if (ends(w, "alli") && measure(w->s, w->n - 4) > 0)
        w->n -= 2; /* what is left may have another: rationalli */
    APPLY(w, rules, 0);
}

static void single_suffixes(word *w)
{
    static const rule rules[] = {
        {"icate", "ic", 0}, {"ative", "", 0}, {"alize", "al", 0},
        {"iciti", "ic", 0}, {"ical", "ic", 0}, {"ful", "", 0},
        {"ness", "", 0}};
    APPLY(w, rules, 0);
}

static void residual_suffixes(word *w)
{
    static const rule rules[] = {
        {"al", "", 0}, {"ance", "", 0}, {"ence", "", 0}, {"er", "", 0},
        {"ic", "", 0}, {"able", "", 0}, {"ible", "", 0}, {"ant", "", 0},
        {"ement", "", 0}, {"ment", "", 0}, {"ent", "", 0},
        {"sion", "s", 1}, {"tion", "t", 1}, {"ou", "", 0}, {"ism", "", 0},
        {"ate", "", 0}, {"iti", "", 0}, {"ous", "", 0}, {"ive", "", 0},
        {"ize", "", 0}};
    APPLY(w, rules, 1);
}

static void final_e_and_l(word *w)
{
    if (ends(w, "e")) {
        size_t m = measure(w->s, w->n - 1);
        w->n -= m > 1 || (m == 1 && !short_end(w->s, w->n - 1));
    }
    if (ends(w, "ll") && measure(w->s, w->n - 1) > 1)
        w->n--;
}

size_t t2g_porter_stem(char *s, size_t n)
{
    word w = {s, n};
    if (irregular(&w) || n <= 2)
        return w.n;
    plural(&w);
    past_and_gerund(&w);
    final_y(&w);
    double_suffixes(&w);
    single_suffixes(&w);
    residual_suffixes(&w);
    final_e_and_l(&w);
    return w.n;
}
