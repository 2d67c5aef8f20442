/* The split patterns of real tokenizers as direct matchers: each is linear and
 * does what a backtracking engine does with the pattern. */
#include <string.h>

#include "tokenizer_private.h"
#include "unicode.h"

typedef const unsigned char *utf8;

/* Class of the character at p; none at the end of the text. */
static inline unsigned class_at(utf8 s, size_t p, size_t n)
{
    if (p >= n)
        return 0;
    return s[p] < 0x80 ? t2g_ascii_classes[s[p]]
                       : unicode_class(utf8_decode(s + p));
}

static inline size_t skip(utf8 s, size_t p)
{
    return p + utf8_length(s[p]);
}

/* End of the maximal run of characters in any of the classes. */
static inline size_t run(utf8 s, size_t p, size_t n, unsigned classes)
{
    while (p < n) {
        if (s[p] < 0x80) {
            if (!(t2g_ascii_classes[s[p]] & classes))
                break;
            p++;
        } else {
            if (!(unicode_class(utf8_decode(s + p)) & classes))
                break;
            p = skip(s, p);
        }
    }
    return p;
}

/* The same for characters in none of them. */
static size_t run_outside(utf8 s, size_t p, size_t n, unsigned classes)
{
    while (p < n && !(class_at(s, p, n) & classes))
        p = skip(s, p);
    return p;
}

static bool is_break(unsigned char c)
{
    return c == '\r' || c == '\n';
}

static size_t run_breaks(utf8 s, size_t p, size_t n, bool slash)
{
    while (p < n && (is_break(s[p]) || (slash && s[p] == '/')))
        p++;
    return p;
}

/* \p{N}{1,most} */
static size_t numbers(utf8 s, size_t p, size_t n, int most)
{
    for (int i = 0; i < most && class_at(s, p, n) & CLASS_N; i++)
        p = skip(s, p);
    return p;
}

/* 's|'t|'re|'ve|'m|'ll|'d; p when there is none. Folded, U+017F is an s too. */
static size_t contraction(utf8 s, size_t p, size_t n, bool fold)
{
    static const char suffix[][3] = {"s", "t", "re", "ve", "m", "ll", "d"};
    if (n - p < 2 || s[p] != '\'')
        return p;
    for (size_t i = 0; i < sizeof suffix / sizeof *suffix; i++) {
        size_t length = strlen(suffix[i]), same = 0;
        while (same < length && p + 1 + same < n &&
               (unsigned char)suffix[i][same] ==
                   (fold ? s[p + 1 + same] | 0x20 : s[p + 1 + same]))
            same++;
        if (same == length)
            return p + 1 + length;
    }
    if (fold && n - p >= 3 && s[p + 1] == 0xc5 && s[p + 2] == 0xbf)
        return p + 3;
    return p;
}

/* \s+(?!\S)|\s+ */
static size_t spaces(utf8 s, size_t p, size_t n)
{
    size_t end = run(s, p, n, CLASS_SPACE);
    if (end == p || end == n)
        return end;
    size_t last = utf8_before(s, end); /* left to the text that follows */
    return last > p ? last : end;
}

/* \s*[\r\n]+|\s+(?!\S)|\s+ */
static size_t lines_or_spaces(utf8 s, size_t p, size_t n)
{
    size_t end = run(s, p, n, CLASS_SPACE);
    while (end > p && !is_break(s[end - 1]))
        end--;
    return end > p ? end : spaces(s, p, n);
}

/* ' ?[^\s\p{L}\p{N}]+[\r\n]*', with slash [\r\n/]* */
static size_t symbols(utf8 s, size_t p, size_t n, bool slash)
{
    size_t begin = p + (s[p] == ' ');
    size_t end = run_outside(s, begin, n, CLASS_SPACE | CLASS_L | CLASS_N);
    return end > begin ? run_breaks(s, end, n, slash) : p;
}

/* End of [^\r\n\p{L}\p{N}] at p, or p. */
static size_t lead(utf8 s, size_t p, size_t n)
{
    if (is_break(s[p]) || class_at(s, p, n) & (CLASS_L | CLASS_N))
        return p;
    return skip(s, p);
}

/* 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+ */
size_t t2g_match_gpt2(const unsigned char *s, size_t p, size_t n)
{
    size_t end = contraction(s, p, n, false);
    if (end > p)
        return end;
    size_t begin = p + (s[p] == ' ');
    unsigned class = class_at(s, begin, n);
    if (class & CLASS_L)
        return run(s, begin, n, CLASS_L);
    if (class & CLASS_N)
        return run(s, begin, n, CLASS_N);
    end = run_outside(s, begin, n, CLASS_SPACE | CLASS_L | CLASS_N);
    return end > begin ? end : spaces(s, p, n);
}

/* (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,most}
 * | ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+ */
static size_t match_cl100k(utf8 s, size_t p, size_t n, int most)
{
    size_t end = contraction(s, p, n, true);
    if (end > p)
        return end;
    size_t begin = lead(s, p, n);
    end = run(s, begin, n, CLASS_L);
    if (end > begin)
        return end;
    end = numbers(s, p, n, most);
    if (end > p)
        return end;
    end = symbols(s, p, n, false);
    return end > p ? end : lines_or_spaces(s, p, n);
}

static size_t match_cl100k_3(const unsigned char *s, size_t p, size_t n)
{
    return match_cl100k(s, p, n, 3);
}

static size_t match_cl100k_1(const unsigned char *s, size_t p, size_t n)
{
    return match_cl100k(s, p, n, 1);
}

enum {
    UPPER = CLASS_LU | CLASS_LT | CLASS_LM | CLASS_LO | CLASS_M,
    LOWER = CLASS_LL | CLASS_LM | CLASS_LO | CLASS_M
};

/* UPPER*LOWER+ or p. The greedy UPPER* gives back characters until one of them,
 * or the one behind it, is LOWER. */
static size_t capitalised(utf8 s, size_t p, size_t n)
{
    size_t end = run(s, p, n, UPPER);
    if (class_at(s, end, n) & LOWER)
        return run(s, end, n, LOWER);
    while (end > p) {
        size_t last = utf8_before(s, end);
        if (class_at(s, last, n) & LOWER)
            return end;
        end = last;
    }
    return p;
}

/* UPPER+LOWER* or p. */
static size_t upper_word(utf8 s, size_t p, size_t n)
{
    size_t end = run(s, p, n, UPPER);
    return end > p ? run(s, end, n, LOWER) : p;
}

/* [^\r\n\p{L}\p{N}]?UPPER*LOWER+|[^\r\n\p{L}\p{N}]?UPPER+LOWER* or p. The
 * optional character may be a mark, which the rest could take as well: so with
 * it first, then without. */
static size_t cased_word(utf8 s, size_t p, size_t n)
{
    size_t begin = lead(s, p, n);
    const unsigned letters = UPPER | LOWER;
    if (!((class_at(s, begin, n) | class_at(s, p, n)) & letters))
        return p;
    size_t end = capitalised(s, begin, n);
    if (end > begin)
        return end;
    end = capitalised(s, p, n);
    if (end > p)
        return end;
    end = upper_word(s, begin, n);
    return end > begin ? end : upper_word(s, p, n);
}

/* cased_word and, if asked for, (?i:'s|'t|'re|'ve|'m|'ll|'d)?
 * |\p{N}{1,most}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+ */
static size_t match_o200k(utf8 s, size_t p, size_t n, bool contractions,
                          int most)
{
    size_t end = cased_word(s, p, n);
    if (end > p)
        return contractions ? contraction(s, end, n, true) : end;
    end = numbers(s, p, n, most);
    if (end > p)
        return end;
    end = symbols(s, p, n, true);
    return end > p ? end : lines_or_spaces(s, p, n);
}

static size_t match_o200k_full(const unsigned char *s, size_t p, size_t n)
{
    return match_o200k(s, p, n, true, 3);
}

static size_t match_nemo(const unsigned char *s, size_t p, size_t n)
{
    return match_o200k(s, p, n, false, 1);
}

/* \p{N}{1,3} */
static size_t match_numbers(const unsigned char *s, size_t p, size_t n)
{
    return numbers(s, p, n, 3);
}

/* [\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+ */
static size_t match_cjk(const unsigned char *s, size_t p, size_t n)
{
    while (p < n) {
        uint32_t c = utf8_decode(s + p);
        if (!(c >= 0x4e00 && c <= 0x9fa5) && !(c >= 0x3040 && c <= 0x30ff))
            break;
        p = skip(s, p);
    }
    return p;
}

static bool ascii_letter(unsigned char c)
{
    return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
}

static bool ascii_punctuation(unsigned char c)
{
    return c > ' ' && c < 0x7f && !ascii_letter(c) && !(c >= '0' && c <= '9');
}

/* [!-/:-~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*
 * |\s*[\r\n]+|\s+(?!\S)|\s+, the first class being ASCII punctuation. */
static size_t match_deepseek(const unsigned char *s, size_t p, size_t n)
{
    if (ascii_punctuation(s[p]) && p + 1 < n && ascii_letter(s[p + 1])) {
        for (p++; p < n && ascii_letter(s[p]); p++)
            ;
        return p;
    }
    size_t begin = p;
    if (!is_break(s[p]) && !(class_at(s, p, n) & (CLASS_L | CLASS_P | CLASS_S)))
        begin = skip(s, p);
    size_t end = run(s, begin, n, CLASS_L | CLASS_M);
    if (end > begin)
        return end;
    end = run(s, p, n, CLASS_L | CLASS_M);
    if (end > p)
        return end;
    begin = p + (s[p] == ' ');
    end = run(s, begin, n, CLASS_P | CLASS_S);
    if (end > begin)
        return run_breaks(s, end, n, false);
    return lines_or_spaces(s, p, n);
}

size_t t2g_match_digit(const unsigned char *s, size_t p, size_t n)
{
    return class_at(s, p, n) & CLASS_DIGIT ? skip(s, p) : p;
}

size_t t2g_match_punctuation(const unsigned char *s, size_t p, size_t n)
{
    return class_at(s, p, n) & CLASS_PUNCTUATION ? skip(s, p) : p;
}

size_t t2g_match_space(const unsigned char *s, size_t p, size_t n)
{
    return class_at(s, p, n) & CLASS_SPACE ? skip(s, p) : p;
}

/* \w+|[^\w\s]+ */
size_t t2g_match_word(const unsigned char *s, size_t p, size_t n)
{
    size_t end = run(s, p, n, CLASS_WORD);
    return end > p ? end : run_outside(s, p, n, CLASS_WORD | CLASS_SPACE);
}

/* --- the patterns as they stand in files --------------------------------- */

#define CONTRACTIONS "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
#define SPACES "|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define LEAD "[^\\r\\n\\p{L}\\p{N}]?"
#define UPPERS "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]"
#define LOWERS "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]"
#define CL100K(number)                                                         \
    CONTRACTIONS "|" LEAD "\\p{L}+|" number                                    \
                 "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*" SPACES
#define O200K(suffix, number)                                                  \
    LEAD UPPERS "*" LOWERS "+" suffix "|" LEAD UPPERS "+" LOWERS "*" suffix    \
                "|" number "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*" SPACES

const char t2g_pattern_gpt2[] =
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+"
    "|\\s+(?!\\S)|\\s+";
const char t2g_pattern_cl100k[] = CL100K("\\p{N}{1,3}");
const char t2g_pattern_qwen2[] = CL100K("\\p{N}");
const char t2g_pattern_o200k[] = O200K(CONTRACTIONS "?", "\\p{N}{1,3}");
const char t2g_pattern_nemo[] = O200K("", "\\p{N}");
const char *const t2g_patterns_deepseek[3] = {
    "\\p{N}{1,3}", "[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+",
    "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+"
    "|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\r\n]*"
    "|\\s*[\r\n]+|\\s+(?!\\S)|\\s+"};

t2g_matcher *t2g_matcher_of(const char *pattern)
{
    const struct {
        const char *pattern;
        t2g_matcher *match;
    } known[] = {
        {t2g_pattern_gpt2, t2g_match_gpt2},
        {t2g_pattern_cl100k, match_cl100k_3},
        {t2g_pattern_qwen2, match_cl100k_1},
        {t2g_pattern_o200k, match_o200k_full},
        {t2g_pattern_nemo, match_nemo},
        {t2g_patterns_deepseek[0], match_numbers},
        {t2g_patterns_deepseek[1], match_cjk},
        {t2g_patterns_deepseek[2], match_deepseek},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(known[i].pattern, pattern) == 0)
            return known[i].match;
    return NULL;
}
