/* The normalization forms C, D, KC and KD [UAX15] with the data of Unicode 9.0,
 * and where each character of the result comes from. */
#include <string.h>

#include "normalize.h"
#include "unicode.h"

/* A character on its way, numbered as the reference aligns: 0 takes the place
 * of the next character of the old text, -k also of k more, 1 is inserted. */
struct t2g_form_unit {
    uint32_t code;
    int32_t number;
    uint8_t class;
};

/* --- data ---------------------------------------------------------------- */

static uint8_t combining_class(uint32_t code)
{
    size_t low = 0, high = t2g_combining_count;
    if (!(unicode_class(code) & CLASS_NFD))
        return 0;
    while (low < high) {
        size_t middle = (low + high) / 2;
        const t2g_combining_range *r = &t2g_combining[middle];
        if (code >= r->first && code <= r->last)
            return r->class;
        if (code < r->first)
            high = middle;
        else
            low = middle + 1;
    }
    return 0;
}

/* What code decomposes into, *length characters; NULL if a run has none. */
static const uint32_t *find_decomposed(const t2g_decomposition_run *run,
                                       size_t count, uint32_t code,
                                       size_t *length)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        const t2g_decomposition_run *r = &run[middle];
        if (code >= r->first && code - r->first < r->count) {
            *length = r->length;
            return t2g_decomposed + r->at + (code - r->first) * r->length;
        }
        if (code < r->first)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

static uint32_t find_composite(uint32_t left, uint32_t right)
{
    size_t low = 0, high = t2g_composition_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        const t2g_composite *c = &t2g_composition[middle];
        if (c->left == left && c->right == right)
            return c->code;
        if (left < c->left || (left == c->left && right < c->right))
            high = middle;
        else
            low = middle + 1;
    }
    return 0;
}

/* --- Hangul, by arithmetic: [Unicode] 3.12 ------------------------------- */

enum {
    S_BASE = 0xac00, L_BASE = 0x1100, V_BASE = 0x1161, T_BASE = 0x11a7,
    L_COUNT = 19, V_COUNT = 21, T_COUNT = 28,
    S_COUNT = L_COUNT * V_COUNT * T_COUNT
};

/* True if base <= code < base + count; *index is how far. */
static bool within(uint32_t code, uint32_t base, uint32_t count,
                   uint32_t *index)
{
    *index = code - base;
    return code >= base && *index < count;
}

static size_t decompose_hangul(uint32_t s, uint32_t part[3])
{
    part[0] = L_BASE + s / (V_COUNT * T_COUNT);
    part[1] = V_BASE + s / T_COUNT % V_COUNT;
    part[2] = T_BASE + s % T_COUNT;
    return s % T_COUNT ? 3 : 2;
}

static uint32_t compose_hangul(uint32_t a, uint32_t b)
{
    uint32_t l, v, s, t;
    if (within(a, L_BASE, L_COUNT, &l) && within(b, V_BASE, V_COUNT, &v))
        return S_BASE + (l * V_COUNT + v) * T_COUNT;
    if (within(a, S_BASE, S_COUNT, &s) && s % T_COUNT == 0 &&
        within(b, T_BASE + 1, T_COUNT - 1, &t))
        return a + t + 1;
    return 0;
}

/* The primary composite of two characters, or 0. */
static uint32_t composite(uint32_t a, uint32_t b)
{
    uint32_t code = find_composite(a, b);
    return code ? code : compose_hangul(a, b);
}

/* --- from one boundary to the next --------------------------------------- */

typedef struct forming {
    t2g_form form;
    t2g_rewrite *out;
    t2g_form_scratch *scratch;
    size_t count; /* units waiting */
} forming;

/* Room for `more` units; the second half of the array is for sorting. */
static t2g_status reserve(forming *f, size_t more)
{
    t2g_form_scratch *s = f->scratch;
    if (f->count + more <= s->capacity)
        return T2G_OK;
    size_t capacity = 2 * (f->count + more);
    t2g_form_unit *unit = t2g_regrow(s->unit, 2 * s->capacity, 2 * capacity,
                                     sizeof *unit);
    if (!unit)
        return T2G_ERR_MEMORY;
    s->unit = unit;
    s->capacity = capacity;
    return T2G_OK;
}

/* Sorts a run of combining characters by class, keeping the order of equals. */
static void sort_run(t2g_form_unit *run, size_t count, t2g_form_unit *scratch)
{
    size_t begin[257] = {0};
    for (size_t i = 0; i < count; i++)
        begin[run[i].class + 1]++;
    for (size_t class = 1; class < 257; class++)
        begin[class] += begin[class - 1];
    for (size_t i = 0; i < count; i++)
        scratch[begin[run[i].class]++] = run[i];
    memcpy(run, scratch, count * sizeof *run);
}

static void reorder(t2g_form_unit *u, size_t count, t2g_form_unit *scratch)
{
    for (size_t i = 0, end; i < count; i = end) {
        bool sorted = true;
        for (end = i + 1; u[i].class != 0 && end < count && u[end].class != 0;
             end++)
            sorted = sorted && u[end - 1].class <= u[end].class;
        if (!sorted)
            sort_run(u + i, end - i, scratch);
    }
}

/* Composes in place; returns the new count. A character joins the latest
 * starter unless one between them has no lower class. */
static size_t compose(t2g_form_unit *u, size_t count)
{
    size_t kept = 0, starter = 0;
    bool has_starter = false;
    int between = -1; /* class of the latest kept after the starter */
    for (size_t i = 0; i < count; i++) {
        uint32_t code = has_starter && between < u[i].class
                            ? composite(u[starter].code, u[i].code) : 0;
        if (code != 0) {
            u[starter].code = code;
            u[starter].number += u[i].number - 1;
            continue;
        }
        if (u[i].class == 0) {
            has_starter = true;
            starter = kept;
        }
        between = u[i].class == 0 ? -1 : u[i].class;
        u[kept++] = u[i];
    }
    return kept;
}

static t2g_status write_unit(t2g_rewrite *out, const t2g_form_unit *u)
{
    if (u->number > 0) {
        char text[4];
        return t2g_rewrite_insert(out, text, utf8_encode(text, u->code));
    }
    T2G_TRY(t2g_rewrite_replace(out, u->code));
    for (int32_t k = u->number; k < 0; k++)
        t2g_rewrite_skip(out, t2g_rewrite_next(out));
    return T2G_OK;
}

static t2g_status flush(forming *f)
{
    t2g_form_unit *u = f->scratch->unit;
    size_t count = f->count;
    if (count == 0)
        return T2G_OK;
    f->count = 0;
    reorder(u, count, u + f->scratch->capacity);
    if (f->form.compose)
        count = compose(u, count);
    for (size_t i = 0; i < count; i++)
        T2G_TRY(write_unit(f->out, &u[i]));
    return T2G_OK;
}

/* The full decomposition of code; `own` holds what no table does. */
static const uint32_t *decompose(t2g_form form, uint32_t code, uint32_t own[3],
                                 size_t *length)
{
    const uint32_t *part = NULL;
    uint32_t s;
    own[0] = code;
    *length = 1;
    if (!(unicode_class(code) & (form.compatibility ? CLASS_NFKD : CLASS_NFD)))
        return own;
    if (within(code, S_BASE, S_COUNT, &s)) {
        *length = decompose_hangul(s, own);
        return own;
    }
    if (form.compatibility)
        part = find_decomposed(t2g_compatibility, t2g_compatibility_count,
                               code, length);
    if (!part)
        part = find_decomposed(t2g_canonical, t2g_canonical_count, code,
                               length);
    return part ? part : own;
}

/* Nothing before a character that decomposes to code first can change with
 * what comes from it on. */
static bool is_boundary(t2g_form form, uint32_t code)
{
    return form.compose ? !(unicode_class(code) & CLASS_NFC)
                        : combining_class(code) == 0;
}

static t2g_status add(forming *f, uint32_t code)
{
    uint32_t own[3];
    size_t length;
    const uint32_t *part = decompose(f->form, code, own, &length);
    if (is_boundary(f->form, part[0]))
        T2G_TRY(flush(f));
    T2G_TRY(reserve(f, length));
    for (size_t i = 0; i < length; i++)
        f->scratch->unit[f->count++] =
            (t2g_form_unit){part[i], i > 0, combining_class(part[i])};
    return T2G_OK;
}

/* --- the whole ----------------------------------------------------------- */

static unsigned touched_class(t2g_form form)
{
    if (form.compatibility)
        return form.compose ? CLASS_NFKC : CLASS_NFKD;
    return form.compose ? CLASS_NFC : CLASS_NFD;
}

/* The first character at or after p that `touched` says (or not) of; n if none
 * does. */
static size_t seek(const unsigned char *s, size_t n, size_t p, unsigned touched,
                   bool wanted)
{
    while (p < n && (s[p] >= 0x80 && unicode_class(utf8_decode(s + p)) &
                                         touched) != wanted)
        p += utf8_length(s[p]);
    return p;
}

size_t t2g_form_seek(t2g_form form, const t2g_piece *in)
{
    return seek((const unsigned char *)in->text, in->n, 0, touched_class(form),
                true);
}

/* Characters that the form may change, and the one before them, which they may
 * join, go through it; the rest is kept. */
t2g_status t2g_form_rewrite(t2g_form form, t2g_rewrite *out,
                            t2g_form_scratch *scratch)
{
    const unsigned char *s = (const unsigned char *)out->in->text;
    size_t n = out->in->n, p;
    unsigned touched = touched_class(form);
    forming f = {form, out, scratch, 0};
    while ((p = seek(s, n, out->read, touched, true)) < n) {
        size_t end = seek(s, n, p, touched, false);
        size_t begin = p > out->read ? utf8_before(s, p) : p;
        T2G_TRY(t2g_rewrite_keep(out, begin));
        for (p = begin; p < end; p += utf8_length(s[p]))
            T2G_TRY(add(&f, utf8_decode(s + p)));
        T2G_TRY(flush(&f));
    }
    return T2G_OK;
}

void t2g_form_scratch_free(t2g_form_scratch *scratch)
{
    t2g_free(scratch->unit);
    *scratch = (t2g_form_scratch){0};
}
