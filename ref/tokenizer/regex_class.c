/* Escapes, properties and bracket classes of Oniguruma as sets of code
 * points. */
#include <string.h>

#include "regex_translator.h"

static int hex_value(char c)
{
    if (is_digit(c))
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Up to `most` hexadecimal digits; returns how many. */
static size_t take_hex(t2g_translator *t, size_t most, uint32_t *value)
{
    size_t digits = 0;
    *value = 0;
    while (digits < most && !at_end(t) &&
           hex_value(t->pattern[t->at]) >= 0) {
        *value = *value * 16 + (uint32_t)hex_value(t->pattern[t->at++]);
        digits++;
    }
    return digits;
}

/* --- escapes ------------------------------------------------------------- */

/* \x{H...}, \xHH, \uHHHH, behind the letter. */
static t2g_status take_hex_code(t2g_translator *t, char letter, size_t at,
                                uint32_t *code)
{
    bool braces = letter == 'x' && accept(t, "{");
    size_t most = braces ? 8 : letter == 'x' ? 2 : 4;
    size_t digits = take_hex(t, most, code);
    if (letter == 'u' && digits < 4)
        return wrong(t, at, "\\u needs four hexadecimal digits");
    if (digits == 0 || (braces && !accept(t, "}")))
        return refuse(t, at, "\\x with something else than one number");
    if (letter == 'x' && !braces && *code >= 0x80)
        return refuse(t, at, "a byte of a character");
    if (*code > 0x10ffff || (*code >= 0xd800 && *code <= 0xdfff))
        return refuse(t, at, "not a Unicode character");
    return T2G_OK;
}

/* An escape that stands for one character, from its letter on. */
t2g_status t2g_regex_take_escaped(t2g_translator *t, size_t at, uint32_t *code)
{
    static const char letters[] = "rntfvae", codes[] = "\r\n\t\f\v\a\x1b";
    uint32_t c = take_code(t);
    if (c == 'x' || c == 'u')
        return take_hex_code(t, (char)c, at, code);
    if (is_letter(c)) {
        const char *known = strchr(letters, (int)c);
        if (!known)
            return refuse(t, at, "an escape we do not know");
        *code = (unsigned char)codes[known - letters];
        return T2G_OK;
    }
    if (c < 0x80 && is_digit((char)c))
        return refuse(t, at, "an octal escape");
    *code = c;
    return T2G_OK;
}

/* --- properties ---------------------------------------------------------- */

/* [Onig] compares names without case, spaces, '-' and '_'. The categories have
 * long names too. */
static const char *property_name(char *name)
{
    static const char *const categories[][2] = {
        {"Letter", "L"}, {"Uppercaseletter", "Lu"}, {"Lowercaseletter", "Ll"},
        {"Titlecaseletter", "Lt"}, {"Modifierletter", "Lm"},
        {"Otherletter", "Lo"}, {"Mark", "M"}, {"Nonspacingmark", "Mn"},
        {"Spacingmark", "Mc"}, {"Enclosingmark", "Me"}, {"Number", "N"},
        {"Decimalnumber", "Nd"}, {"Letternumber", "Nl"}, {"Othernumber", "No"},
        {"Punctuation", "P"}, {"Connectorpunctuation", "Pc"},
        {"Dashpunctuation", "Pd"}, {"Openpunctuation", "Ps"},
        {"Closepunctuation", "Pe"}, {"Initialpunctuation", "Pi"},
        {"Finalpunctuation", "Pf"}, {"Otherpunctuation", "Po"},
        {"Symbol", "S"}, {"Mathsymbol", "Sm"}, {"Currencysymbol", "Sc"},
        {"Modifiersymbol", "Sk"}, {"Othersymbol", "So"}, {"Separator", "Z"},
        {"Spaceseparator", "Zs"}, {"Lineseparator", "Zl"},
        {"Paragraphseparator", "Zp"}, {"Other", "C"}, {"Control", "Cc"},
        {"Format", "Cf"}, {"Unassigned", "Cn"}, {"Privateuse", "Co"}};
    size_t kept = 0;
    for (const char *s = name; *s; s++)
        if (!strchr(" -_", *s)) {
            bool letter = is_letter((unsigned char)*s);
            name[kept] = letter ? (char)(kept ? *s | 0x20 : *s & ~0x20) : *s;
            kept++;
        }
    name[kept] = '\0';
    for (size_t i = 0; i < sizeof categories / sizeof *categories; i++)
        if (strcmp(categories[i][0], name) == 0)
            return categories[i][1];
    return name;
}

/* Of what \w matches, brackets lack six characters of Latin-1: superscripts and
 * fractions. [Onig] has two tables. */
static t2g_status add_word(const t2g_translator *t, t2g_set *set)
{
    static const t2g_unicode_range lacking[] = {
        {0xb2, 0xb3}, {0xb9, 0xb9}, {0xbc, 0xbe}};
    T2G_TRY(t2g_set_add_property(set, "Word"));
    if (t->brackets == 0)
        return T2G_OK;
    T2G_TRY(t2g_set_complement(set));
    T2G_TRY(t2g_set_add_ranges(set, lacking,
                               sizeof lacking / sizeof *lacking));
    return t2g_set_complement(set);
}

/* {name} or {^name}, behind \p or \P. */
static t2g_status take_property(t2g_translator *t, size_t at, bool negated,
                                t2g_set *set)
{
    char name[64];
    size_t n = 0, count;
    if (!accept(t, "{"))
        return refuse(t, at, "a property without braces");
    if (accept(t, "^"))
        negated = !negated;
    while (!at_end(t) && !sees(t, "}") && n + 1 < sizeof name)
        name[n++] = t->pattern[t->at++];
    name[n] = '\0';
    if (!accept(t, "}") || strlen(name) < n)
        return refuse(t, at, "a property we do not know");
    const char *property = property_name(name);
    const t2g_unicode_range *r = t2g_unicode_property(property, &count);
    if (!r)
        return refuse(t, at, "a property we do not know");
    T2G_TRY(strcmp(property, "Word") == 0 ? add_word(t, set)
                                          : t2g_set_add_ranges(set, r, count));
    return negated ? t2g_set_complement(set) : T2G_OK;
}

static t2g_status add_hex_digits(t2g_set *set)
{
    T2G_TRY(t2g_set_add(set, '0', '9'));
    T2G_TRY(t2g_set_add(set, 'A', 'F'));
    return t2g_set_add(set, 'a', 'f');
}

/* \s \d \w \h \p{...} and their opposites, at the backslash. *is is false, and
 * nothing read, for anything else. */
t2g_status t2g_regex_take_class_escape(t2g_translator *t, t2g_set *set,
                                       bool *is)
{
    size_t at = t->at;
    char letter =
        sees(t, "\\") && t->n - at >= 2 ? t->pattern[at + 1] : '\0';
    bool negated = letter >= 'A' && letter <= 'Z';
    *is = letter != '\0' && strchr("sSdDwWhHpP", letter);
    if (!*is)
        return T2G_OK;
    t->at += 2;
    switch (letter | 0x20) {
    case 's': T2G_TRY(t2g_set_add_property(set, "Space")); break;
    case 'd': T2G_TRY(t2g_set_add_property(set, "Nd")); break;
    case 'w': T2G_TRY(add_word(t, set)); break;
    case 'h': T2G_TRY(add_hex_digits(set)); break;
    default: return take_property(t, at, negated, set);
    }
    return negated ? t2g_set_complement(set) : T2G_OK;
}

/* --- bracket classes ----------------------------------------------------- */

/* Everything but what does not print. */
static t2g_status add_graph(t2g_set *set)
{
    T2G_TRY(t2g_set_add_property(set, "Space"));
    T2G_TRY(t2g_set_add_property(set, "Cc"));
    T2G_TRY(t2g_set_add_property(set, "Cn"));
    return t2g_set_complement(set);
}

/* The set of a POSIX bracket; *known is false for those that need properties we
 * have no tables of. */
static t2g_status add_posix(const t2g_translator *t, t2g_set *set,
                            const char *name, bool *known)
{
    static const struct {
        const char *name, *property[2];
    } properties[] = {
        {"blank", {"Zs", NULL}}, {"cntrl", {"Cc", NULL}},
        {"digit", {"Nd", NULL}}, {"punct", {"P", "S"}},
        {"space", {"Space", NULL}}};
    *known = true;
    for (size_t i = 0; i < sizeof properties / sizeof *properties; i++)
        if (strcmp(name, properties[i].name) == 0) {
            T2G_TRY(t2g_set_add_property(set, properties[i].property[0]));
            if (properties[i].property[1])
                T2G_TRY(t2g_set_add_property(set, properties[i].property[1]));
            return name[0] == 'b' ? t2g_set_add(set, '\t', '\t') : T2G_OK;
        }
    if (strcmp(name, "word") == 0)
        return add_word(t, set);
    if (strcmp(name, "ascii") == 0)
        return t2g_set_add(set, 0, 0x7f);
    if (strcmp(name, "xdigit") == 0)
        return add_hex_digits(set);
    *known = strcmp(name, "graph") == 0 || strcmp(name, "print") == 0;
    if (!*known)
        return T2G_OK;
    T2G_TRY(add_graph(set));
    return name[0] == 'p' ? t2g_set_add_property(set, "Zs") : T2G_OK;
}

/* [:name:] or [:^name:], at its bracket. */
static t2g_status take_posix(t2g_translator *t, t2g_set *set)
{
    size_t at = t->at, n = 0;
    char name[16];
    bool known;
    t->at += 2;
    bool negated = accept(t, "^");
    while (!at_end(t) && is_letter((unsigned char)t->pattern[t->at]) &&
           n + 1 < sizeof name)
        name[n++] = t->pattern[t->at++];
    name[n] = '\0';
    if (!accept(t, ":]"))
        return refuse(t, at, "a POSIX bracket we do not know");
    T2G_TRY(add_posix(t, set, name, &known));
    if (!known)
        return refuse(t, at, "a POSIX bracket we do not know");
    return negated ? t2g_set_complement(set) : T2G_OK;
}

/* A character of a class, escaped or not. */
static t2g_status take_member_code(t2g_translator *t, uint32_t *code)
{
    size_t at = t->at;
    if (!accept(t, "\\")) {
        *code = take_code(t);
        return T2G_OK;
    }
    if (at_end(t))
        return wrong(t, at, "ends in a backslash");
    if (accept(t, "b")) {
        *code = '\b';
        return T2G_OK;
    }
    return t2g_regex_take_escaped(t, at, code);
}

/* Whether what follows is a '-' between two members. */
static bool sees_range(const t2g_translator *t)
{
    return sees(t, "-") && !sees(t, "-]");
}

/* A character or the range it begins. */
static t2g_status take_range(t2g_translator *t, t2g_set *set, bool opening)
{
    size_t at = t->at;
    uint32_t first, last;
    bool class = false;
    if (sees_range(t) && !(opening && !sees(t, "--")))
        return refuse(t, at, "a '-' that is not first, last or in a range");
    T2G_TRY(take_member_code(t, &first));
    if (t->pattern[at] == '-' || !sees_range(t))
        return t2g_set_add(set, first, first);
    t->at++;
    if (at_end(t))
        return wrong(t, t->at, "the class has no end");
    if (sees(t, "-") || sees(t, "[") || sees(t, "&&"))
        return refuse(t, at, "a range with an unclear end");
    T2G_TRY(t2g_regex_take_class_escape(t, set, &class));
    if (class)
        return wrong(t, at, "a range that ends in a class");
    T2G_TRY(take_member_code(t, &last));
    if (first > last)
        return wrong(t, at, "an empty range");
    return t2g_set_add(set, first, last);
}

/* Adds the class that add(t, part) reads. */
static t2g_status add_part(t2g_translator *t, t2g_set *set,
                           t2g_status (*add)(t2g_translator *, t2g_set *))
{
    t2g_set part = {0};
    t2g_status status = add(t, &part);
    if (status == T2G_OK)
        status = t2g_set_add_ranges(set, part.range, part.count);
    t2g_set_free(&part);
    return status;
}

/* What stands for more than one character. *is: there was one. */
static t2g_status take_class_member(t2g_translator *t, t2g_set *set, bool *is)
{
    t2g_set part = {0};
    t2g_status status = t2g_regex_take_class_escape(t, &part, is);
    if (status == T2G_OK && *is)
        status = t2g_set_add_ranges(set, part.range, part.count);
    t2g_set_free(&part);
    if (status == T2G_OK && *is && sees_range(t))
        return sees(t, "-&&") ? refuse(t, t->at, "a '-' before '&&'")
                              : wrong(t, t->at, "a range from a class");
    return status;
}

static t2g_status take_member(t2g_translator *t, t2g_set *set, bool opening)
{
    bool class;
    if (sees(t, "[:"))
        return add_part(t, set, take_posix);
    if (sees(t, "["))
        return add_part(t, set, t2g_regex_take_class);
    T2G_TRY(take_class_member(t, set, &class));
    return class ? T2G_OK : take_range(t, set, opening);
}

/* Members up to the end of the class or a "&&". */
static t2g_status take_members(t2g_translator *t, t2g_set *set)
{
    size_t begin = t->at;
    while (!at_end(t) && !sees(t, "]") && !sees(t, "&&"))
        T2G_TRY(take_member(t, set, t->at == begin));
    if (at_end(t))
        return wrong(t, begin, "the class has no end");
    if (t->at == begin)
        return refuse(t, begin, "a class or operand of '&&' that is empty or "
                                "begins with ']'");
    return T2G_OK;
}

static bool beyond_ascii(const t2g_set *set)
{
    for (size_t i = 0; i < set->count; i++)
        if (set->range[i].last >= 0x80)
            return true;
    return false;
}

/* Oniguruma goes astray where set operations leave nothing outside ASCII: the
 * negation of such a result lacks what it should hold. */
static t2g_status check_remains(const t2g_translator *t, size_t at,
                                const t2g_set *set)
{
    return beyond_ascii(set)
               ? T2G_OK
               : refuse(t, at, "a class that leaves nothing but ASCII");
}

static t2g_status intersect(t2g_translator *t, t2g_set *set, t2g_set *operand)
{
    bool check = beyond_ascii(set) && beyond_ascii(operand);
    T2G_TRY(t2g_set_intersect(set, operand));
    return check ? check_remains(t, t->at, set) : T2G_OK;
}

/* Members, intersected with those behind each "&&". */
static t2g_status take_operands(t2g_translator *t, t2g_set *set)
{
    T2G_TRY(take_members(t, set));
    while (accept(t, "&&")) {
        t2g_set operand = {0};
        t2g_status status = take_members(t, &operand);
        if (status == T2G_OK)
            status = intersect(t, set, &operand);
        t2g_set_free(&operand);
        T2G_TRY(status);
    }
    return T2G_OK;
}

/* [...] or [^...], at its bracket. Only the outermost one folds, before it is
 * negated. */
t2g_status t2g_regex_take_class(t2g_translator *t, t2g_set *set)
{
    size_t at = t->at++;
    bool negated = accept(t, "^"), known = true;
    if (t->brackets++ == DEPTH_LIMIT)
        return refuse(t, at, "nested too deeply");
    T2G_TRY(take_operands(t, set));
    t->brackets--;
    t->at++; /* ']' */
    if (t->fold && t->brackets == 0)
        T2G_TRY(t2g_set_fold(set, negated, &known));
    if (!known)
        return refuse(t, at, "letters other than A to Z without their case");
    if (!negated)
        return T2G_OK;
    T2G_TRY(t2g_set_complement(set));
    return t->brackets > 0 ? check_remains(t, at, set) : T2G_OK;
}
