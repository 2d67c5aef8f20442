/* From Oniguruma's syntax to PCRE2's. One pass of recursive descent that writes
 * as it reads. Both engines backtrack in the same order, so what is equal in
 * its parts is equal as a whole; where the parts differ we write other ones,
 * and where nothing equal is known we refuse. [Onig] is its document of the
 * syntax (RE) and its source. */
#include <stdio.h>
#include <string.h>

#include "regex_translator.h"
#include "t2g/files.h"

enum {
    PATTERN_LIMIT = 64 * 1024,
    OUTPUT_LIMIT = 1024 * 1024, /* far beyond what PCRE2 compiles */
    REPEAT_LIMIT = 65535,       /* of PCRE2 */
    ENDLESS = UINT32_MAX
};

/* What matters of an item to a quantifier behind it. */
typedef enum t2g_shape {
    SHAPE_PLAIN,
    SHAPE_ANY,    /* the dot and its kin */
    SHAPE_GREEDY, /* item? item* item+ */
    SHAPE_LAZY,   /* item?? item*? item+? */
    SHAPE_OTHER,  /* any other quantifier */
    SHAPE_ASSERTION
} t2g_shape;

/* Characters an expression takes at least and at most. */
typedef struct t2g_extent {
    uint32_t least, most;
    t2g_shape shape; /* of its only item; else plain */
    bool fixed;      /* no alternative varies in length */
} t2g_extent;

typedef struct t2g_quantifier {
    uint32_t least, most;
    char mode; /* '?' lazy, '+' possessive, 0 greedy */
} t2g_quantifier;


/* --- writing ------------------------------------------------------------- */

static t2g_status put(t2g_translator *t, const char *s)
{
    return t2g_buffer_puts(t->out, s);
}

static t2g_status put_set(t2g_translator *t, t2g_set *set)
{
    T2G_TRY(t2g_set_write(set, t->out));
    if (t->out->size > OUTPUT_LIMIT)
        return refuse(t, t->at, "too many large classes");
    return T2G_OK;
}

/* Puts the output from `begin` on into a group, to be one item. */
static t2g_status wrap(t2g_translator *t, size_t begin)
{
    static const char open[] = "(?:";
    size_t added = sizeof open - 1;
    T2G_TRY(put(t, "(?:)"));
    char *from = t->out->data + begin;
    memmove(from + added, from, t->out->size - begin - added - 1);
    memcpy(from, open, added);
    return T2G_OK;
}

/* --- extents ------------------------------------------------------------- */

static uint32_t sum(uint32_t a, uint32_t b)
{
    return a > ENDLESS - b ? ENDLESS : a + b;
}

static uint32_t times(uint32_t a, uint32_t b)
{
    uint64_t product = (uint64_t)a * b;
    return product > ENDLESS ? ENDLESS : (uint32_t)product;
}

static const t2g_extent one_character = {1, 1, SHAPE_PLAIN, true};
static const t2g_extent any_character = {1, 1, SHAPE_ANY, true};
static const t2g_extent nothing = {0, 0, SHAPE_PLAIN, true};
static const t2g_extent assertion = {0, 0, SHAPE_ASSERTION, true};

/* --- items --------------------------------------------------------------- */

static t2g_status put_code(t2g_translator *t, uint32_t code)
{
    return t2g_buffer_printf(t->out, "\\x{%x}", (unsigned)code);
}

/* A letter of ASCII with its partners. */
static t2g_status put_folded(t2g_translator *t, uint32_t letter)
{
    t2g_set set = {0};
    bool known;
    t2g_status status = t2g_set_add(&set, letter, letter);
    if (status == T2G_OK)
        status = t2g_set_fold(&set, false, &known);
    if (status == T2G_OK)
        status = put_set(t, &set);
    t2g_set_free(&set);
    return status;
}

static t2g_status put_literal(t2g_translator *t, size_t at, uint32_t code)
{
    if (!t->fold) {
        t->neighbour = 0;
        return put_code(t, code);
    }
    bool case_matters = false;
    if (code >= 0x80)
        T2G_TRY(t2g_code_has_case(code, &case_matters));
    if (case_matters)
        return refuse(t, at, "letters other than A to Z without their case");
    if (t->neighbour && t2g_pair_may_fold(t->neighbour, code))
        return refuse(t, at, "letters that may match as one without case");
    t->neighbour = code;
    return is_letter(code) ? put_folded(t, code) : put_code(t, code);
}

/* The set that take(t, set) reads, as an item. */
static t2g_status put_class(t2g_translator *t,
                            t2g_status (*take)(t2g_translator *, t2g_set *))
{
    t2g_set set = {0};
    t2g_status status = take(t, &set);
    if (status == T2G_OK)
        status = put_set(t, &set);
    t2g_set_free(&set);
    t->neighbour = 0;
    return status;
}

static t2g_status take_single_escape(t2g_translator *t, t2g_set *set)
{
    bool is;
    return t2g_regex_take_class_escape(t, set, &is);
}

/* \1 to \9. */
static t2g_status put_reference(t2g_translator *t, size_t at, char digit,
                                t2g_extent *e)
{
    size_t group = (size_t)(digit - '0');
    if (!at_end(t) && is_digit(t->pattern[t->at]))
        return refuse(t, at, "a number of two digits or more");
    if (group > t->groups || !t->group[group].usable)
        return refuse(t, at, "a back-reference to a group that is not complete "
                             "or in a look-around");
    if (t->fold || t->behind)
        return refuse(t, at, "a back-reference in a look-behind or without "
                             "case");
    t->referred = true;
    t->neighbour = 0;
    *e = (t2g_extent){t->group[group].least, ENDLESS, SHAPE_PLAIN, false};
    return t2g_buffer_printf(t->out, "\\g{%c}", digit);
}

/* PCRE2's own \b knows another \w. The class is written once, at the end. */
static t2g_status put_boundary(t2g_translator *t, bool inside)
{
    t->boundaries = true;
    return put(t, inside ? "(?(?<=(?&w))(?=(?&w))|(?!(?&w)))"
                         : "(?(?<=(?&w))(?!(?&w))|(?=(?&w)))");
}

/* Any character, but LF only if `all`. */
static t2g_status put_any(t2g_translator *t, bool all, t2g_extent *e)
{
    t->neighbour = 0;
    *e = any_character;
    return put(t, all ? "." : "\\N");
}

/* \z and \Z, which Oniguruma does not take in a look-behind. */
static t2g_status put_end(t2g_translator *t, size_t at, char letter)
{
    if (t->behind)
        return wrong(t, at, "the end of the text in a look-behind");
    return put(t, letter == 'z' ? "\\z" : "\\Z");
}

static t2g_status put_escape(t2g_translator *t, t2g_extent *e)
{
    size_t at = t->at;
    uint32_t code;
    if (t->n - at < 2)
        return wrong(t, at, "ends in a backslash");
    char letter = t->pattern[at + 1];
    *e = one_character;
    if (strchr("sSdDwWhHpP", letter) && letter)
        return put_class(t, take_single_escape);
    t->at = at + 2;
    if (letter >= '1' && letter <= '9')
        return put_reference(t, at, letter, e);
    switch (letter) {
    case 'N':
    case 'O': return put_any(t, letter == 'O', e);
    case 'A': *e = assertion; return put(t, "\\A");
    case 'z':
    case 'Z': *e = assertion; return put_end(t, at, letter);
    case 'b': *e = assertion; return put_boundary(t, false);
    case 'B': *e = assertion; return put_boundary(t, true);
    default: break;
    }
    t->at = at + 1;
    T2G_TRY(t2g_regex_take_escaped(t, at, &code));
    return put_literal(t, at, code);
}

/* --- groups -------------------------------------------------------------- */

static t2g_status put_alternatives(t2g_translator *t, t2g_extent *e);

/* The rest of a group whose opening is written, up to its ')'. */
static t2g_status put_rest(t2g_translator *t, size_t at, t2g_extent *e)
{
    if (t->depth++ == DEPTH_LIMIT)
        return refuse(t, at, "nested too deeply");
    T2G_TRY(put_alternatives(t, e));
    t->depth--;
    if (!accept(t, ")"))
        return wrong(t, at, "the group has no end");
    return put(t, ")");
}

static t2g_status put_capture(t2g_translator *t, size_t at, t2g_extent *e)
{
    if (t->not_behind)
        return refuse(t, at, "a capture in a negative look-behind");
    size_t number = ++t->groups;
    T2G_TRY(put(t, "("));
    T2G_TRY(put_rest(t, at, e));
    if (number <= GROUPS)
        t->group[number] = (t2g_group){t->around == 0, e->least};
    e->shape = SHAPE_PLAIN;
    return T2G_OK;
}

/* (?<name>...) or (?'name'...), behind the opening. Nothing can refer to it, so
 * it need not capture. */
static t2g_status put_named(t2g_translator *t, size_t at, const char *close,
                            t2g_extent *e)
{
    size_t begin = t->at;
    while (!at_end(t) && (is_letter((unsigned char)t->pattern[t->at]) ||
                          sees(t, "_") ||
                          (t->at > begin && is_digit(t->pattern[t->at]))))
        t->at++;
    if (t->at == begin || !accept(t, close))
        return refuse(t, at, "a group with an unusual name");
    if (t->not_behind)
        return refuse(t, at, "a capture in a negative look-behind");
    t->named = true;
    T2G_TRY(put(t, "(?:"));
    T2G_TRY(put_rest(t, at, e));
    e->shape = SHAPE_PLAIN;
    return T2G_OK;
}

static t2g_status put_look(t2g_translator *t, size_t at, const char *open,
                           t2g_extent *e)
{
    bool behind = open[2] == '<', was_behind = t->behind,
         was_not_behind = t->not_behind;
    if (t->behind)
        return refuse(t, at, "a look-around in a look-behind");
    t->behind = behind;
    t->not_behind = behind && open[3] == '!';
    t->around++;
    T2G_TRY(put(t, open));
    T2G_TRY(put_rest(t, at, e));
    if (behind && !e->fixed)
        return refuse(t, at, "a look-behind of variable length");
    t->around--;
    t->behind = was_behind;
    t->not_behind = was_not_behind;
    *e = assertion;
    return T2G_OK;
}

static t2g_status put_atomic(t2g_translator *t, size_t at, t2g_extent *e)
{
    if (t->behind)
        return refuse(t, at, "an atomic group in a look-behind");
    t->atomic = true;
    T2G_TRY(put(t, "(?>"));
    T2G_TRY(put_rest(t, at, e));
    e->shape = SHAPE_PLAIN;
    return T2G_OK;
}

/* The letters of (?i-m:...) up to ':' or ')', which stays. */
static t2g_status take_options(t2g_translator *t, size_t at)
{
    bool on = true;
    size_t begin = t->at;
    for (; !at_end(t) && !sees(t, ":") && !sees(t, ")"); t->at++)
        switch (t->pattern[t->at]) {
        case 'i': t->fold = on; break;
        case 'm': t->any = on; break;
        case '-': on = false; break;
        default: return refuse(t, at, "a kind of group we do not know");
        }
    if (at_end(t))
        return wrong(t, at, "the group has no end");
    return t->at == begin && sees(t, ")")
               ? wrong(t, at, "a group of nothing but '?'")
               : T2G_OK;
}

/* (?i:...), or (?i) and all that is left of the group around it: the
 * alternatives of the rest belong to it. */
static t2g_status put_options(t2g_translator *t, size_t at, t2g_extent *e)
{
    bool fold = t->fold, any = t->any, plain = sees(t, ":");
    T2G_TRY(take_options(t, at));
    T2G_TRY(put(t, "(?:"));
    if (accept(t, ":")) {
        T2G_TRY(put_rest(t, at, e));
    } else {
        t->at++;
        if (t->depth++ == DEPTH_LIMIT)
            return refuse(t, at, "nested too deeply");
        T2G_TRY(put_alternatives(t, e));
        t->depth--;
        T2G_TRY(put(t, ")"));
    }
    t->fold = fold;
    t->any = any;
    if (!plain)
        e->shape = SHAPE_PLAIN;
    return T2G_OK;
}

static t2g_status put_group(t2g_translator *t, t2g_extent *e)
{
    static const char *const looks[] = {"(?=", "(?!", "(?<=", "(?<!"};
    size_t at = t->at;
    for (size_t i = 0; i < sizeof looks / sizeof *looks; i++)
        if (accept(t, looks[i]))
            return put_look(t, at, looks[i], e);
    if (accept(t, "(?<"))
        return put_named(t, at, ">", e);
    if (accept(t, "(?'"))
        return put_named(t, at, "'", e);
    if (accept(t, "(?>"))
        return put_atomic(t, at, e);
    if (accept(t, "(?"))
        return put_options(t, at, e);
    if (sees(t, "(*"))
        return refuse(t, at, "a callout");
    t->at++;
    return put_capture(t, at, e);
}

/* --- quantifiers --------------------------------------------------------- */

/* A number of an interval; *is: there was one. */
static t2g_status take_number(t2g_translator *t, uint32_t *value, bool *is)
{
    size_t at = t->at;
    *value = 0;
    while (!at_end(t) && is_digit(t->pattern[t->at])) {
        *value = *value * 10 + (uint32_t)(t->pattern[t->at++] - '0');
        if (*value > REPEAT_LIMIT)
            return refuse(t, at, "more than 65535 repetitions");
    }
    *is = t->at > at;
    return T2G_OK;
}

/* {n} {n,} {n,m} {,m}; *is is false, and nothing read, if it is literal. */
static t2g_status take_interval(t2g_translator *t, t2g_quantifier *q, bool *is)
{
    size_t at = t->at++;
    bool low = false, high = false, comma;
    T2G_TRY(take_number(t, &q->least, &low));
    comma = accept(t, ",");
    if (comma)
        T2G_TRY(take_number(t, &q->most, &high));
    if (!high)
        q->most = comma ? ENDLESS : q->least;
    *is = (low || high) && accept(t, "}");
    if (!*is) {
        t->at = at;
        return T2G_OK;
    }
    if (q->least > q->most)
        return refuse(t, at, "an interval that ends before it begins");
    /* {n}? is {n} and then ?, and {n,m}+ is no possessive quantifier. */
    q->mode = comma && accept(t, "?") ? '?' : 0;
    return T2G_OK;
}

static t2g_status take_quantifier(t2g_translator *t, t2g_quantifier *q,
                                  bool *is)
{
    *is = false;
    if (sees(t, "{"))
        return take_interval(t, q, is);
    if (at_end(t) || !strchr("?*+", t->pattern[t->at]) || !t->pattern[t->at])
        return T2G_OK;
    char c = t->pattern[t->at++];
    *is = true;
    q->least = c == '+';
    q->most = c == '?' ? 1 : ENDLESS;
    q->mode = accept(t, "?") ? '?' : accept(t, "+") ? '+' : 0;
    return T2G_OK;
}

static t2g_status put_quantifier(t2g_translator *t, const t2g_quantifier *q)
{
    char text[32];
    if (q->most == ENDLESS && q->least <= 1)
        snprintf(text, sizeof text, "%c", q->least ? '+' : '*');
    else if (q->most == ENDLESS)
        snprintf(text, sizeof text, "{%u,}", (unsigned)q->least);
    else
        snprintf(text, sizeof text, "{%u,%u}", (unsigned)q->least,
                 (unsigned)q->most);
    T2G_TRY(put(t, text));
    return q->mode ? t2g_buffer_append(t->out, &q->mode, 1) : T2G_OK;
}

/* The shape of an item with q. A possessive one is an atomic group. */
static t2g_shape shape_of(const t2g_quantifier *q)
{
    bool common = q->least <= 1 && (q->most == ENDLESS ||
                                    (q->most == 1 && q->least == 0));
    if (!common || q->mode == '+')
        return SHAPE_OTHER;
    return q->mode == '?' ? SHAPE_LAZY : SHAPE_GREEDY;
}

/* Applies q to the item written from `begin` on. What Oniguruma makes of a loop
 * over nothing, and of one lazy quantifier in another, it does not say. */
static t2g_status quantify(t2g_translator *t, size_t at, size_t begin,
                           const t2g_quantifier *q, bool quantified,
                           t2g_extent *e)
{
    t2g_shape shape = shape_of(q);
    if (e->shape == SHAPE_ASSERTION)
        return wrong(t, at, "an assertion cannot be repeated");
    if (e->least == 0 && q->most > 1)
        return refuse(t, at, "repeats what may be empty");
    if ((e->shape == SHAPE_LAZY && shape != SHAPE_OTHER) ||
        (shape == SHAPE_LAZY && e->shape == SHAPE_GREEDY))
        return refuse(t, at, "a lazy quantifier next to another");
    if (e->shape == SHAPE_ANY && q->most == ENDLESS && q->mode != '?' &&
        t->asserted && !t->consumed) /* Oniguruma looks at too few places */
        return refuse(t, at, "a '.' repeated directly behind an assertion");
    if (quantified)
        T2G_TRY(wrap(t, begin));
    T2G_TRY(put_quantifier(t, q));
    e->least = times(e->least, q->least);
    e->most = q->most == ENDLESS ? ENDLESS : times(e->most, q->most);
    e->fixed = e->least == e->most;
    e->shape = shape;
    return T2G_OK;
}

/* --- sequences and alternatives ------------------------------------------ */

static t2g_status put_item(t2g_translator *t, t2g_extent *e)
{
    size_t at = t->at;
    *e = one_character;
    switch (t->pattern[at]) {
    case '(': return put_group(t, e);
    case '[': return put_class(t, t2g_regex_take_class);
    case '\\': return put_escape(t, e);
    case '.':
        t->at++;
        return put_any(t, t->any, e);
    case '^':
    case '$':
        *e = assertion;
        return put(t, t->pattern[t->at++] == '^' ? "^" : "$");
    default: return put_literal(t, at, take_code(t));
    }
}

/* An item with all its quantifiers. */
static t2g_status put_term(t2g_translator *t, t2g_extent *e)
{
    size_t begin = t->out->size, at = t->at;
    t2g_quantifier q = {0};
    bool is;
    T2G_TRY(take_quantifier(t, &q, &is));
    if (is)
        return wrong(t, at, "nothing to repeat");
    T2G_TRY(put_item(t, e));
    for (unsigned count = 0;; count++) {
        at = t->at;
        T2G_TRY(take_quantifier(t, &q, &is));
        if (!is)
            return T2G_OK;
        if (count == DEPTH_LIMIT)
            return refuse(t, at, "nested too deeply");
        T2G_TRY(quantify(t, at, begin, &q, count > 0, e));
        t->atomic = t->atomic || (q.mode == '+' && t->out->data[begin] == '(');
        t->neighbour = 0;
    }
}

/* Takes note of a term: '^' and \A, which hold where a search begins, are no
 * assertions here. */
static void note_term(t2g_translator *t, size_t at, const t2g_extent *term)
{
    bool begins = t->pattern[at] == '^' ||
                  (t->pattern[at] == '\\' && t->pattern[at + 1] == 'A');
    if (term->shape == SHAPE_ASSERTION && !begins && !t->consumed)
        t->asserted = true;
    if (term->most > 0)
        t->consumed = true;
}

static t2g_status put_sequence(t2g_translator *t, t2g_extent *e)
{
    bool consumed = t->consumed;
    *e = nothing;
    for (size_t terms = 0; !at_end(t) && !sees(t, "|") && !sees(t, ")");
         terms++) {
        t2g_extent term;
        size_t at = t->at;
        T2G_TRY(put_term(t, &term));
        note_term(t, at, &term);
        e->least = sum(e->least, term.least);
        e->most = sum(e->most, term.most);
        e->shape = terms == 0 ? term.shape : SHAPE_PLAIN;
    }
    e->fixed = e->least == e->most;
    t->consumed = consumed;
    return T2G_OK;
}

/* A look-behind may have alternatives of different lengths, but only itself and
 * not within a group: hence `fixed` and, for what is around, least and most. */
static t2g_status put_alternatives(t2g_translator *t, t2g_extent *e)
{
    T2G_TRY(put_sequence(t, e));
    while (accept(t, "|")) {
        t2g_extent next;
        t->neighbour = 0;
        T2G_TRY(put(t, "|"));
        T2G_TRY(put_sequence(t, &next));
        e->least = next.least < e->least ? next.least : e->least;
        e->most = next.most > e->most ? next.most : e->most;
        e->fixed = e->fixed && next.fixed;
        e->shape = SHAPE_PLAIN;
    }
    return T2G_OK;
}

/* What \b refers to: a group that is never entered by itself. */
static t2g_status put_word_class(t2g_translator *t)
{
    t2g_set word = {0};
    t2g_status status = t2g_set_add_property(&word, "Word");
    if (status == T2G_OK)
        status = put(t, "(?(DEFINE)(?<w>");
    if (status == T2G_OK)
        status = put_set(t, &word);
    t2g_set_free(&word);
    return status == T2G_OK ? put(t, "))") : status;
}

static t2g_status put_all(t2g_translator *t)
{
    t2g_extent e;
    T2G_TRY(put(t, "(?:"));
    T2G_TRY(put_alternatives(t, &e));
    T2G_TRY(put(t, ")"));
    if (!at_end(t))
        return wrong(t, t->at, "a ')' that closes nothing");
    if (t->named && t->referred)
        return wrong(t, T2G_NO_POSITION,
                     "back-references by number next to named groups");
    return t->boundaries ? put_word_class(t) : T2G_OK;
}

t2g_status t2g_regex_translate(t2g_buffer *out, const char *pattern, size_t n,
                               bool *atomic)
{
    t2g_translator t = {.pattern = pattern, .n = n, .out = out};
    size_t invalid = t2g_utf8_invalid(pattern, n);
    if (invalid < n)
        return wrong(&t, invalid, "not UTF-8");
    if (n > PATTERN_LIMIT)
        return refuse(&t, T2G_NO_POSITION, "longer than 64 KiB");
    t2g_status status = put_all(&t);
    *atomic = t.atomic;
    return status;
}
