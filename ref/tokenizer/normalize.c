/* The normalizers of [HF] tokenizers. */
#include <string.h>

#include "normalize.h"
#include "tokenizer_private.h"
#include "unicode.h"

/* Begins what a step writes, into the text that the latest one did not. */
static t2g_rewrite begin(const t2g_piece *in, t2g_normalize_scratch *scratch)
{
    t2g_rewrite r = t2g_rewrite_begin(in, &scratch->text[scratch->turn]);
    scratch->turn ^= 1;
    r.start = scratch->start;
    r.limit = scratch->limit;
    return r;
}

/* --- steps that see one character at a time ------------------------------ */

typedef bool touches_fn(uint32_t code);
typedef t2g_status change_fn(t2g_rewrite *r, uint32_t code);

static size_t seek(const t2g_piece *in, size_t p, touches_fn *touches)
{
    const unsigned char *s = (const unsigned char *)in->text;
    while (p < in->n && !touches(utf8_decode(s + p)))
        p += utf8_length(s[p]);
    return p;
}

/* Characters that are touched change, the others stay. out may be in. */
static inline t2g_status each(const t2g_piece *in, t2g_piece *out,
                              t2g_normalize_scratch *scratch,
                              touches_fn *touches, change_fn *change)
{
    size_t p = seek(in, 0, touches);
    if (p == in->n) {
        *out = *in;
        return T2G_OK;
    }
    t2g_rewrite r = begin(in, scratch);
    for (; p < in->n; p = seek(in, r.read, touches)) {
        T2G_TRY(t2g_rewrite_keep(&r, p));
        T2G_TRY(change(&r, utf8_decode((const unsigned char *)in->text + p)));
    }
    return t2g_rewrite_end(&r, out);
}

static t2g_status drop(t2g_rewrite *r, uint32_t code)
{
    (void)code;
    t2g_rewrite_skip(r, t2g_rewrite_next(r));
    return T2G_OK;
}

static bool is_upper(uint32_t code)
{
    return code < 0x80 ? code >= 'A' && code <= 'Z'
                       : (unicode_class(code) & CLASS_UPPER) != 0;
}

static uint32_t lower_case(uint32_t code)
{
    size_t low = 0, high = t2g_lower_count - 1;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (t2g_lower[middle].last < code)
            low = middle + 1;
        else
            high = middle;
    }
    return code + (uint32_t)t2g_lower[low].distance;
}

/* One character becomes two: I with a dot above. */
static t2g_status lower(t2g_rewrite *r, uint32_t code)
{
    static const char dot_above[] = "\xcc\x87";
    T2G_TRY(t2g_rewrite_replace(r, lower_case(code)));
    return code == 0x130 ? t2g_rewrite_insert(r, dot_above, 2) : T2G_OK;
}

static bool is_accent(uint32_t code)
{
    return unicode_class(code) & CLASS_ACCENT;
}

static bool is_bert_accent(uint32_t code)
{
    return unicode_class(code) & CLASS_BERT_ACCENT;
}

static bool is_unclean(uint32_t code)
{
    return code != ' ' &&
           unicode_class(code) & (CLASS_BERT_CONTROL | CLASS_SPACE);
}

static t2g_status clean(t2g_rewrite *r, uint32_t code)
{
    if (unicode_class(code) & CLASS_BERT_CONTROL)
        return drop(r, code);
    return t2g_rewrite_replace(r, ' ');
}

typedef struct range {
    uint32_t first, last;
} range;

static bool is_in(uint32_t code, const range *r, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (code >= r[i].first && code <= r[i].last)
            return true;
    return false;
}

#define IS_IN(code, ranges)                                                    \
    is_in(code, ranges, sizeof(ranges) / sizeof *(ranges))

/* Unified ideographs and the compatibility ones, as BERT counts them. */
static bool is_chinese(uint32_t code)
{
    static const range chinese[] = {
        {0x3400, 0x4dbf}, {0x4e00, 0x9fff}, {0xf900, 0xfaff},
        {0x20000, 0x2a6df}, {0x2a700, 0x2b81f}, {0x2b920, 0x2ceaf},
        {0x2f800, 0x2fa1f}};
    return code >= 0x3400 && IS_IN(code, chinese);
}

static t2g_status space_around(t2g_rewrite *r, uint32_t code)
{
    T2G_TRY(t2g_rewrite_prepend(r, " ", 1));
    T2G_TRY(t2g_rewrite_replace(r, code));
    return t2g_rewrite_insert(r, " ", 1);
}

static bool is_nmt_control(uint32_t code)
{
    static const range control[] = {{0x01, 0x08}, {0x0b, 0x0b}, {0x0e, 0x1f},
                                    {0x7f, 0x7f}, {0x8f, 0x8f}, {0x9f, 0x9f}};
    return code < 0xa0 && IS_IN(code, control);
}

static bool is_nmt_space(uint32_t code)
{
    static const range space[] = {
        {0x09, 0x0a}, {0x0c, 0x0d}, {0x1680, 0x1680}, {0x200b, 0x200f},
        {0x2028, 0x2029}, {0x2581, 0x2581}, {0xfeff, 0xfeff},
        {0xfffd, 0xfffd}};
    return IS_IN(code, space);
}

static bool is_nmt(uint32_t code)
{
    return (code < ' ' || code >= 0x7f) &&
           (is_nmt_control(code) || is_nmt_space(code));
}

static t2g_status nmt(t2g_rewrite *r, uint32_t code)
{
    return is_nmt_control(code) ? drop(r, code) : t2g_rewrite_replace(r, ' ');
}

/* --- forms, ends, bytes -------------------------------------------------- */

static t2g_status form(t2g_form f, const t2g_piece *in, t2g_piece *out,
                       t2g_normalize_scratch *scratch)
{
    if (t2g_form_seek(f, in) == in->n) {
        *out = *in;
        return T2G_OK;
    }
    t2g_rewrite r = begin(in, scratch);
    T2G_TRY(t2g_form_rewrite(f, &r, &scratch->form));
    return t2g_rewrite_end(&r, out);
}

static bool is_space(const unsigned char *s)
{
    return unicode_class(utf8_decode(s)) & CLASS_SPACE;
}

static t2g_piece strip(const t2g_piece *in, bool left, bool right)
{
    const unsigned char *s = (const unsigned char *)in->text;
    size_t first = 0, end = in->n;
    while (left && first < end && is_space(s + first))
        first += utf8_length(s[first]);
    while (right && first < end && is_space(s + utf8_before(s, end)))
        end = utf8_before(s, end);
    return piece_slice(in, first, end);
}

static t2g_status prepend(t2g_literal content, const t2g_piece *in, t2g_piece *out,
                          t2g_normalize_scratch *scratch)
{
    if (in->n == 0 || content.n == 0) {
        *out = *in;
        return T2G_OK;
    }
    t2g_rewrite r = begin(in, scratch);
    T2G_TRY(t2g_rewrite_prepend(&r, content.data, content.n));
    return t2g_rewrite_end(&r, out);
}

/* The first byte at or after p that is not its own symbol; those that are, are
 * characters of their own. */
static size_t seek_symbol(const t2g_piece *in, size_t p)
{
    const unsigned char *s = (const unsigned char *)in->text;
    while (p < in->n && s[p] < 0x80 && t2g_byte_symbol(s[p]) == s[p])
        p++;
    return p;
}

static t2g_status byte_level(const t2g_piece *in, t2g_piece *out,
                             t2g_normalize_scratch *scratch)
{
    size_t p = seek_symbol(in, 0);
    if (p == in->n) {
        *out = *in;
        return T2G_OK;
    }
    t2g_rewrite r = begin(in, scratch);
    for (; p < in->n; p = seek_symbol(in, r.read)) {
        T2G_TRY(t2g_rewrite_keep(&r, p));
        unsigned char byte = (unsigned char)in->text[p];
        T2G_TRY(t2g_rewrite_bytes(&r, p + 1, t2g_byte_symbol(byte)));
    }
    return t2g_rewrite_end(&r, out);
}

/* --- replacing ----------------------------------------------------------- */

/* A walk through the matches, by the rule of t2g_regex_walk_next. */
typedef struct search {
    const t2g_normalizer_step *step;
    const t2g_piece *in;
    t2g_normalize_scratch *scratch;
    t2g_regex_walk walk;
    size_t begin, end;
} search;

static t2g_status set_borders(t2g_normalize_scratch *scratch, t2g_literal pattern)
{
    if (scratch->borders < pattern.n) {
        size_t *border = t2g_regrow(scratch->border, scratch->borders,
                                    pattern.n, sizeof *border);
        if (!border)
            return T2G_ERR_MEMORY;
        scratch->border = border;
        scratch->borders = pattern.n;
    }
    size_t *border = scratch->border;
    if (pattern.n > 0)
        border[0] = 0;
    for (size_t i = 1, k = 0; i < pattern.n; border[i++] = k) {
        while (k > 0 && pattern.data[k] != pattern.data[i])
            k = border[k - 1];
        k += pattern.data[k] == pattern.data[i];
    }
    return T2G_OK;
}

/* The next occurrence of a pattern that is not empty. [Knuth-Morris-Pratt] */
static bool find_literal(search *f)
{
    t2g_literal pattern = f->step->pattern;
    const size_t *border = f->scratch->border;
    const char *s = f->in->text, *next;
    for (size_t i = f->end, k = 0; i < f->in->n; i++) {
        if (k == 0) {
            next = memchr(s + i, pattern.data[0], f->in->n - i);
            if (!next)
                return false;
            i = (size_t)(next - s);
        }
        while (k > 0 && pattern.data[k] != s[i])
            k = border[k - 1];
        k += pattern.data[k] == s[i];
        if (k == pattern.n) {
            f->end = i + 1;
            f->begin = f->end - pattern.n;
            return true;
        }
    }
    return false;
}

static t2g_status next_match(search *f, bool *found)
{
    if (f->step->regex)
        return t2g_regex_walk_next(f->step->regex, f->scratch->regex,
                                   f->in->text, f->in->n, &f->walk, found,
                                   &f->begin, &f->end);
    *found = find_literal(f);
    return T2G_OK;
}

static t2g_status prepare(const t2g_normalizer_step *step,
                          t2g_normalize_scratch *scratch)
{
    if (!step->regex)
        return set_borders(scratch, step->pattern);
    return scratch->regex ? T2G_OK : t2g_regex_scratch_new(&scratch->regex);
}

static t2g_status replace(const t2g_normalizer_step *step, const t2g_piece *in,
                          t2g_piece *out, t2g_normalize_scratch *scratch)
{
    search f = {.step = step, .in = in, .scratch = scratch};
    bool found = false;
    *out = *in;
    if (in->n == 0 || (!step->regex && step->pattern.n > in->n))
        return T2G_OK;
    T2G_TRY(prepare(step, scratch));
    T2G_TRY(next_match(&f, &found));
    if (!found)
        return T2G_OK;
    t2g_piece old = *in; /* out may be in */
    f.in = &old;
    t2g_rewrite r = begin(&old, scratch);
    while (found) {
        T2G_TRY(t2g_rewrite_keep(&r, f.begin));
        t2g_rewrite_skip(&r, f.end);
        T2G_TRY(t2g_rewrite_insert(&r, step->content.data, step->content.n));
        T2G_TRY(next_match(&f, &found));
    }
    return t2g_rewrite_end(&r, out);
}

/* --- the whole ----------------------------------------------------------- */

static const t2g_form forms[] = {
    [NORMALIZE_NFC] = {.compose = true},
    [NORMALIZE_NFD] = {.compose = false},
    [NORMALIZE_NFKC] = {.compatibility = true, .compose = true},
    [NORMALIZE_NFKD] = {.compatibility = true}};

static t2g_status bert(const t2g_normalizer_step *step, const t2g_piece *in,
                       t2g_piece *out, t2g_normalize_scratch *scratch)
{
    *out = *in;
    if (step->clean_text)
        T2G_TRY(each(out, out, scratch, is_unclean, clean));
    if (step->handle_chinese_chars)
        T2G_TRY(each(out, out, scratch, is_chinese, space_around));
    if (step->strip_accents) {
        T2G_TRY(form(forms[NORMALIZE_NFD], out, out, scratch));
        T2G_TRY(each(out, out, scratch, is_bert_accent, drop));
    }
    if (step->lowercase)
        T2G_TRY(each(out, out, scratch, is_upper, lower));
    return T2G_OK;
}

static t2g_status run(const t2g_normalizer_step *step, const t2g_piece *in,
                      t2g_piece *out, t2g_normalize_scratch *scratch)
{
    switch (step->kind) {
    case NORMALIZE_NFC:
    case NORMALIZE_NFD:
    case NORMALIZE_NFKC:
    case NORMALIZE_NFKD:
        return form(forms[step->kind], in, out, scratch);
    case NORMALIZE_LOWERCASE:
        return each(in, out, scratch, is_upper, lower);
    case NORMALIZE_STRIP:
        *out = strip(in, step->left, step->right);
        return T2G_OK;
    case NORMALIZE_STRIP_ACCENTS:
        return each(in, out, scratch, is_accent, drop);
    case NORMALIZE_REPLACE:
        return replace(step, in, out, scratch);
    case NORMALIZE_PREPEND:
        return prepend(step->content, in, out, scratch);
    case NORMALIZE_BYTE_LEVEL:
        return byte_level(in, out, scratch);
    case NORMALIZE_NMT:
        return each(in, out, scratch, is_nmt, nmt);
    case NORMALIZE_BERT:
        return bert(step, in, out, scratch);
    }
    return t2g_fail(T2G_ERR_ARG, "no normalizer has the number %d",
                    (int)step->kind);
}

/* Where the steps begin decides how far they go, not each one's input. */
static void set_out(const t2g_piece *in, t2g_normalize_scratch *scratch)
{
    t2g_rewrite r = t2g_rewrite_begin(in, &scratch->text[0]);
    scratch->start = r.start;
    scratch->limit = r.limit;
}

t2g_status t2g_normalize(const t2g_normalizer *n, const t2g_piece *in,
                         t2g_piece *out, t2g_normalize_scratch *scratch)
{
    set_out(in, scratch);
    *out = *in;
    for (size_t i = 0; i < n->count; i++)
        T2G_TRY(run(&n->step[i], out, out, scratch));
    return T2G_OK;
}

t2g_status t2g_normalize_step(const t2g_normalizer_step *step,
                              const t2g_piece *in, t2g_piece *out,
                              t2g_normalize_scratch *scratch)
{
    set_out(in, scratch);
    return run(step, in, out, scratch);
}

void t2g_normalize_scratch_free(t2g_normalize_scratch *scratch)
{
    t2g_rewritten_free(&scratch->text[0]);
    t2g_rewritten_free(&scratch->text[1]);
    t2g_form_scratch_free(&scratch->form);
    t2g_free(scratch->border);
    t2g_regex_scratch_free(scratch->regex);
    *scratch = (t2g_normalize_scratch){0};
}
