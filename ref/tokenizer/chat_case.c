/* Upper, lower and title case as Python's str has them: full mappings, and a
 * capital sigma at the end of a word. */
#include "chat_case.h"

#include "chat_private.h"
#include "unicode.h"

static bool in_ranges(const t2g_code_range *range, size_t count, uint32_t code)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (range[middle].last < code)
            low = middle + 1;
        else
            high = middle;
    }
    return low < count && range[low].first <= code;
}

static bool is_cased(uint32_t code)
{
    return in_ranges(t2g_cased, t2g_cased_count, code);
}

/* --- one character ------------------------------------------------------- */

static size_t mapped_alone(uint32_t code, uint32_t out[3])
{
    out[0] = code;
    return 1;
}

static bool mapped(const t2g_case_run *run, size_t runs,
                   const t2g_case_special *special, size_t specials,
                   uint32_t code, uint32_t out[3], size_t *n)
{
    for (size_t i = 0; i < specials; i++)
        if (special[i].code == code) {
            for (*n = 0; *n < 3 && special[i].becomes[*n]; ++*n)
                out[*n] = special[i].becomes[*n];
            return true;
        }
    for (size_t i = 0; i < runs && run[i].first <= code; i++)
        if (code <= run[i].last && (code - run[i].first) % run[i].step == 0) {
            *n = mapped_alone((uint32_t)((int32_t)code + run[i].delta), out);
            return true;
        }
    return false;
}

static size_t map_code(uint32_t code, t2g_case to, uint32_t out[3])
{
    size_t n;
    if (to == T2G_TITLE &&
        mapped(t2g_case_title, t2g_case_title_count, t2g_special_title,
               t2g_special_title_count, code, out, &n))
        return n;
    bool found = to == T2G_LOWER
        ? mapped(t2g_case_lower, t2g_case_lower_count, t2g_special_lower,
                 t2g_special_lower_count, code, out, &n)
        : mapped(t2g_case_upper, t2g_case_upper_count, t2g_special_upper,
                 t2g_special_upper_count, code, out, &n);
    return found ? n : mapped_alone(code, out);
}

static bool is_ignored(uint32_t code)
{
    return in_ranges(t2g_case_ignored, t2g_case_ignored_count, code);
}

/* Whether a cased character is next, those that do not count being passed. */
static bool cased_behind(const unsigned char *s, size_t n, size_t at)
{
    while (at < n && is_ignored(utf8_decode(s + at)))
        at += utf8_length(s[at]);
    return at < n && is_cased(utf8_decode(s + at));
}

static bool cased_before(const unsigned char *s, size_t at)
{
    while (at > 0) {
        at = utf8_before(s, at);
        uint32_t code = utf8_decode(s + at);
        if (!is_ignored(code))
            return is_cased(code);
    }
    return false;
}

enum { CAPITAL_SIGMA = 0x3a3, FINAL_SIGMA = 0x3c2 };

size_t t2g_lower_at(const char *text, size_t n, size_t at, uint32_t out[3])
{
    const unsigned char *s = (const unsigned char *)text;
    uint32_t code = utf8_decode(s + at);
    size_t count = map_code(code, T2G_LOWER, out);
    if (code == CAPITAL_SIGMA && cased_before(s, at) &&
        !cased_behind(s, n, at + 2))
        out[0] = FINAL_SIGMA;
    return count;
}

static uint32_t code_at(t2g_string a, size_t at)
{
    return utf8_decode((const unsigned char *)a.s + at);
}

static t2g_status build_character(t2g_builder *b, t2g_string a, size_t at,
                                  t2g_case to)
{
    char utf8[4];
    uint32_t out[3];
    size_t n = to == T2G_LOWER ? t2g_lower_at(a.s, a.n, at, out)
                               : map_code(code_at(a, at), to, out);
    bool input = a.from_input && a.from_input[at];
    for (size_t i = 0; i < n; i++)
        T2G_TRY(t2g_build_bytes(b, utf8, utf8_encode(utf8, out[i]), input));
    return T2G_OK;
}

/* --- texts --------------------------------------------------------------- */

/* The first character one way, the others the other way. */
static t2g_status build_cases(t2g_builder *b, t2g_string a, t2g_case first,
                              t2g_case others)
{
    for (size_t i = 0; i < a.n; i += utf8_length((unsigned char)a.s[i]))
        T2G_TRY(build_character(b, a, i, i ? others : first));
    return T2G_OK;
}

/* In title(), what follows a cased character is lower case. */
static t2g_status build_title(t2g_builder *b, t2g_string a)
{
    bool inside = false;
    for (size_t i = 0; i < a.n; i += utf8_length((unsigned char)a.s[i])) {
        T2G_TRY(build_character(b, a, i, inside ? T2G_LOWER : T2G_TITLE));
        inside = is_cased(code_at(a, i));
    }
    return T2G_OK;
}

t2g_status t2g_text_case(t2g_builder *b, t2g_string a, t2g_case to)
{
    return to == T2G_TITLE ? build_title(b, a) : build_cases(b, a, to, to);
}

t2g_status t2g_text_capitalize(t2g_builder *b, t2g_string a)
{
    return build_cases(b, a, T2G_TITLE, T2G_LOWER);
}

/* What the filter `title` has between words. */
static bool separates_words(uint32_t code)
{
    return unicode_is_space(code) || code == '-' || code == '(' || code == '{' ||
           code == '[' || code == '<';
}

t2g_status t2g_text_title_words(t2g_builder *b, t2g_string a)
{
    for (size_t begin = 0, end; begin < a.n; begin = end) {
        size_t first = utf8_length((unsigned char)a.s[begin]);
        bool separator = separates_words(code_at(a, begin));
        for (end = begin + first; end < a.n &&
             separates_words(code_at(a, end)) == separator;)
            end += utf8_length((unsigned char)a.s[end]);
        T2G_TRY(build_character(b, a, begin, T2G_UPPER));
        T2G_TRY(t2g_text_case(b, t2g_text_part(a, begin + first, end),
                              T2G_LOWER));
    }
    return T2G_OK;
}
