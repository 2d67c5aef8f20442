/* Steps of a response for PRM-PPO. Sentences: boundaries behind end marks and
 * their closers, or at line breaks; the full stop of an abbreviation, of
 * initials or before a lower-case letter ends nothing. */
#include <string.h>

#include "t2g/memory.h"
#include "t2g/ppo.h"
#include "text.h"

typedef struct character {
    uint32_t code;
    size_t begin, end; /* bytes */
} character;

/* c [at most n]; their count. */
static size_t split_characters(character *c, const char *text, size_t n)
{
    size_t count = 0;
    for (size_t i = 0, length; i < n; i += length) {
        uint32_t code = next_character(text + i, n - i, &length);
        c[count++] = (character){code, i, i + length};
    }
    return count;
}

/* --- classes of characters ---------------------------------------------- */

static bool one_of(uint32_t c, const uint32_t *set)
{
    while (*set && *set != c)
        set++;
    return *set != 0;
}

static bool stop(uint32_t c)
{
    static const uint32_t set[] = {'.', '!', '?', 0x2026, 0x3002, 0xff01,
                                   0xff1f, 0};
    return one_of(c, set);
}

static bool closer(uint32_t c)
{
    static const uint32_t set[] = {'"', '\'', ')', ']', '}', 0x201d, 0x2019,
                                   0xbb, 0x300d, 0x300f, 0xff09, 0};
    return one_of(c, set);
}

/* Stops of scripts that put no blank behind them. */
static bool wide_stop(uint32_t c)
{
    return c == 0x3002 || c == 0xff01 || c == 0xff1f;
}

static bool lower_letter(uint32_t c)
{
    return c >= 'a' && c <= 'z';
}

static bool ascii_letter(uint32_t c)
{
    return lower_letter(c | 0x20);
}

/* --- full stops that end no sentence ------------------------------------ */

/* c[0..n-1], lower-cased, is the word. */
static bool same_word(const character *c, size_t n, const char *word)
{
    for (size_t i = 0; i < n; i++)
        if ((c[i].code | 0x20) != ((unsigned char)word[i] | 0x20u))
            return false; /* letters and dots only: | 0x20 keeps them apart */
    return word[n] == '\0';
}

/* e.g, U.S, b: single letters joined by dots. */
static bool initials(const character *c, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if ((i % 2 == 0) != ascii_letter(c[i].code))
            return false;
    return n % 2 == 1;
}

/* The word of ASCII letters and dots that ends before character i. */
static bool abbreviation_before(const character *c, size_t i)
{
    static const char *const list[] = {
        "mr", "mrs", "ms", "dr", "prof", "st", "sr", "jr", "vs", "cf", "al",
        "fig", "vol", "inc", "ltd", "corp", "dept", "approx", "ph.d"};
    size_t begin = i;
    while (begin > 0 && (ascii_letter(c[begin - 1].code) ||
                         c[begin - 1].code == '.'))
        begin--;
    size_t n = i - begin;
    for (size_t k = 0; k < sizeof list / sizeof *list; k++)
        if (n <= strlen(list[k]) && same_word(c + begin, n, list[k]))
            return true;
    return initials(c + begin, n);
}

/* --- boundaries --------------------------------------------------------- */

/* Where the scan goes on after a stop at i; *boundary: a step ends there. */
static size_t after_stop(const character *c, size_t n, size_t i,
                         bool *boundary)
{
    size_t j = i, k, w;
    bool line = false;
    while (j < n && stop(c[j].code))
        j++;
    for (k = j; k < n && closer(c[k].code);)
        k++;
    if (k < n && !white_space(c[k].code)) {
        *boundary = wide_stop(c[j - 1].code);
        return k;
    }
    for (w = k; w < n && white_space(c[w].code); w++)
        line |= c[w].code == '\n';
    bool single = j - i == 1 && c[i].code == '.';
    bool lower = w < n && lower_letter(c[w].code);
    *boundary = line || !(single && (lower || abbreviation_before(c, i)));
    return w;
}

static size_t after_line_break(const character *c, size_t n, size_t i)
{
    while (i < n && white_space(c[i].code))
        i++;
    return i;
}

/* Ends of the pieces, in characters, the last is n; their count. */
static size_t cut_sentences(size_t *end, const character *c, size_t n)
{
    size_t pieces = 0;
    for (size_t i = 0; i < n;) {
        bool boundary = c[i].code == '\n';
        if (boundary)
            i = after_line_break(c, n, i);
        else if (stop(c[i].code))
            i = after_stop(c, n, i, &boundary);
        else
            i++;
        if (boundary && i < n)
            end[pieces++] = i;
    }
    if (n)
        end[pieces++] = n;
    return pieces;
}

static size_t cut_lines(size_t *end, const character *c, size_t n)
{
    size_t pieces = 0;
    for (size_t i = 0; i < n; i++)
        if (c[i].code == '\n' || i + 1 == n)
            end[pieces++] = i + 1;
    return pieces;
}

/* --- pieces to steps ---------------------------------------------------- */

static bool any_letter(const character *c, size_t begin, size_t end)
{
    for (size_t i = begin; i < end; i++)
        if (unicode_class(c[i].code) & CLASS_L)
            return true;
    return false;
}

static bool any_ink(const character *c, size_t begin, size_t end)
{
    for (size_t i = begin; i < end; i++)
        if (!white_space(c[i].code))
            return true;
    return false;
}

/* A piece without a letter is joined to the next; what is left over at the
 * end, to the last step. */
static size_t join_letterless(size_t *end, size_t pieces, const character *c)
{
    size_t steps = 0, begin = 0, last = pieces ? end[pieces - 1] : 0;
    for (size_t k = 0; k < pieces; k++)
        if (any_letter(c, begin, end[k]))
            begin = end[steps++] = end[k];
    if (steps == 0 && pieces)
        steps = 1;
    if (steps)
        end[steps - 1] = last;
    return steps;
}

/* A blank line is joined to the step before it; at the start, to the first. */
static size_t join_blank(size_t *end, size_t pieces, const character *c)
{
    size_t steps = 0, begin = 0;
    bool inked = false; /* the step at hand holds more than white space */
    for (size_t k = 0; k < pieces; k++) {
        bool ink = any_ink(c, begin, end[k]);
        begin = end[k];
        if (steps == 0 || (ink && inked))
            steps++;
        inked |= ink;
        end[steps - 1] = end[k];
    }
    return steps;
}

t2g_status t2g_step_ends(size_t *end, size_t *steps, const char *text,
                         size_t n, t2g_step_mode mode)
{
    character *c = t2g_calloc(n, sizeof *c);
    if (!c)
        return T2G_ERR_MEMORY;
    size_t count = split_characters(c, text, n);
    if (mode == T2G_STEPS_SENTENCE) {
        *steps = join_letterless(end, cut_sentences(end, c, count), c);
    } else if (mode == T2G_STEPS_LINE) {
        *steps = join_blank(end, cut_lines(end, c, count), c);
    } else {
        *steps = count > 0;
        if (count)
            end[0] = count;
    }
    for (size_t k = 0; k < *steps; k++) /* characters to bytes */
        end[k] = c[end[k] - 1].end;
    t2g_free(c);
    return T2G_OK;
}

/* --- steps to tokens ---------------------------------------------------- */

#define WHITE UINT32_MAX

/* step_at [n]: the step of each byte, WHITE for those of white space. */
static void mark_bytes(uint32_t *step_at, const character *c, size_t count,
                       const size_t *end)
{
    uint32_t step = 0;
    for (size_t i = 0; i < count; i++) {
        while (c[i].begin >= end[step])
            step++;
        for (size_t b = c[i].begin; b < c[i].end; b++)
            step_at[b] = white_space(c[i].code) ? WHITE : step;
    }
}

static uint32_t first_ink(const uint32_t *step_at, size_t begin, size_t end,
                          uint32_t otherwise)
{
    for (size_t b = begin; b < end; b++)
        if (step_at[b] != WHITE)
            return step_at[b];
    return otherwise;
}

t2g_status t2g_token_steps(uint32_t *step, const char *text, size_t n,
                           const size_t *end, size_t steps,
                           const size_t *offset, size_t tokens)
{
    character *c = t2g_calloc(n, sizeof *c);
    uint32_t *step_at = t2g_calloc(n, sizeof *step_at), before = 0;
    t2g_status s = c && step_at ? T2G_OK : T2G_ERR_MEMORY;
    if (s == T2G_OK) {
        size_t count = steps ? split_characters(c, text, n) : 0;
        mark_bytes(step_at, c, count, end);
        for (size_t t = 0; t < tokens; t++) {
            size_t to = offset[2 * t + 1] < n ? offset[2 * t + 1] : n;
            before = step[t] = first_ink(step_at, offset[2 * t], to, before);
        }
    }
    t2g_free(c);
    t2g_free(step_at);
    return s;
}

t2g_status t2g_sentence_steps(uint32_t *step, const char *text, size_t n,
                              const size_t *offset, size_t tokens)
{
    size_t *end = t2g_calloc(n, sizeof *end), steps;
    t2g_status s = end ? T2G_OK : T2G_ERR_MEMORY;
    if (s == T2G_OK)
        s = t2g_step_ends(end, &steps, text, n, T2G_STEPS_SENTENCE);
    if (s == T2G_OK)
        s = t2g_token_steps(step, text, n, end, steps, offset, tokens);
    t2g_free(end);
    return s;
}
