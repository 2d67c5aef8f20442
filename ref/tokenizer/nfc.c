/* Normalization form C [UAX15] with the data of Unicode 9.0, and where each
 * character of the result comes from. */
#include <string.h>

#include "tokenizer_private.h"
#include "unicode.h"

/* A character on its way, numbered as the reference aligns: 0 takes the place
 * of the next character of the original, -k also of k more, 1 is inserted. */
typedef struct unit {
    uint32_t code;
    int32_t number;
    uint8_t class;
} unit;

/* --- data ---------------------------------------------------------------- */

static uint8_t combining_class(uint32_t code)
{
    size_t low = 0, high = t2g_combining_count;
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

/* The mapping that begins with a and, for pairs, b; or NULL. */
static const uint32_t *find(t2g_mapping *m, size_t count, bool pairs,
                            uint32_t a, uint32_t b)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        const uint32_t *of = m[middle];
        if (of[0] == a && (!pairs || of[1] == b))
            return of;
        if (a < of[0] || (a == of[0] && b < of[1]))
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
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
    const uint32_t *m = find(t2g_composition, t2g_composition_count, true, a,
                             b);
    return m ? m[2] : compose_hangul(a, b);
}

/* --- the three passes ---------------------------------------------------- */

static size_t put(unit *out, size_t count, uint32_t code)
{
    out[count] = (unit){code, count > 0, combining_class(code)};
    return count + 1;
}

/* Writes the full canonical decomposition of code, at most MOST characters. */
enum { MOST = 4 };
static size_t decompose(unit *out, size_t count, uint32_t code)
{
    uint32_t s;
    const uint32_t *m;
    if (within(code, S_BASE, S_COUNT, &s)) {
        count = put(out, count, L_BASE + s / (V_COUNT * T_COUNT));
        count = put(out, count, V_BASE + s / T_COUNT % V_COUNT);
        return s % T_COUNT ? put(out, count, T_BASE + s % T_COUNT) : count;
    }
    m = find(t2g_decomposition, t2g_decomposition_count, false, code, 0);
    if (!m)
        return put(out, count, code);
    count = decompose(out, count, m[1]);
    return m[2] ? put(out, count, m[2]) : count;
}

/* Sorts a run of combining characters by class, keeping the order of equals. */
static void sort_run(unit *run, size_t count, unit *scratch)
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

static void reorder(unit *u, size_t count, unit *scratch)
{
    for (size_t i = 0, end; i < count; i = end) {
        for (end = i + 1; u[i].class != 0 && end < count && u[end].class != 0;)
            end++;
        if (end - i > 1)
            sort_run(u + i, end - i, scratch);
    }
}

/* Composes in place; returns the new count. A character joins the latest
 * starter unless one between them has no lower class. */
static size_t compose(unit *u, size_t count)
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

/* --- alignment ----------------------------------------------------------- */

static t2g_status reserve(t2g_normalized *out, size_t more)
{
    size_t need = out->text.size + more;
    if (need <= out->origin_capacity)
        return T2G_OK;
    size_t capacity = 2 * need;
    size_t *origin = t2g_regrow(out->origin, 2 * out->origin_capacity,
                                2 * capacity, sizeof *origin);
    if (!origin)
        return T2G_ERR_MEMORY;
    out->origin = origin;
    out->origin_capacity = capacity;
    return T2G_OK;
}

/* Appends u, which stands for in[begin, end). An unchanged character keeps a
 * range for each of its bytes. */
static t2g_status append(t2g_normalized *out, const unit *u,
                         const t2g_piece *in, size_t begin, size_t end,
                         bool unchanged)
{
    char text[4];
    size_t n = utf8_encode(text, u->code);
    T2G_TRY(reserve(out, n));
    for (size_t k = 0; k < n; k++) {
        size_t *origin = out->origin + 2 * (out->text.size + k);
        size_t first = unchanged ? begin + k : begin;
        size_t last = unchanged ? begin + k + 1 : end;
        origin[0] = piece_begin(in, first);
        origin[1] = last > first ? piece_end(in, last) : origin[0];
    }
    return t2g_buffer_append(&out->text, text, n);
}

static t2g_status align(const unit *u, size_t count, const t2g_piece *in,
                        t2g_normalized *out)
{
    const unsigned char *s = (const unsigned char *)in->text;
    size_t read = 0, begin = 0; /* begin: of the character before `read` */
    out->text.size = 0;
    for (size_t i = 0; i < count; i++) {
        bool unchanged = false;
        size_t end = read;
        if (u[i].number <= 0) {
            begin = read;
            end = read + utf8_length(s[read]);
            unchanged = utf8_decode(s + read) == u[i].code;
            read = end;
        }
        T2G_TRY(append(out, &u[i], in, begin, end, unchanged));
        for (int32_t k = u[i].number; k < 0; k++) {
            begin = read;
            read += utf8_length(s[read]);
        }
    }
    return T2G_OK;
}

/* --- the whole ----------------------------------------------------------- */

/* Nothing that form C could change, so the text is in it. */
static bool is_untouched(const unsigned char *s, size_t n)
{
    for (size_t p = 0; p < n; p += utf8_length(s[p]))
        if (s[p] >= 0x80 && unicode_class(utf8_decode(s + p)) & CLASS_NFC)
            return false;
    return true;
}

static size_t decompose_all(unit *u, const unsigned char *s, size_t n)
{
    size_t count = 0;
    for (size_t p = 0; p < n; p += utf8_length(s[p]))
        count += decompose(u + count, 0, utf8_decode(s + p));
    return count;
}

t2g_status t2g_normalize_nfc(const t2g_piece *in, t2g_piece *out,
                             t2g_normalized *scratch)
{
    const unsigned char *s = (const unsigned char *)in->text;
    size_t characters = 0;
    *out = *in;
    if (is_untouched(s, in->n))
        return T2G_OK;
    for (size_t p = 0; p < in->n; p += utf8_length(s[p]))
        characters++;
    unit *u = t2g_calloc(characters, 2 * MOST * sizeof *u);
    if (!u)
        return T2G_ERR_MEMORY;
    size_t count = decompose_all(u, s, in->n);
    reorder(u, count, u + MOST * characters);
    count = compose(u, count);
    t2g_status status = align(u, count, in, scratch);
    t2g_free(u);
    *out = (t2g_piece){scratch->text.data, scratch->text.size, in->base,
                       scratch->origin};
    return status;
}

void t2g_normalized_free(t2g_normalized *n)
{
    t2g_buffer_free(&n->text);
    t2g_free(n->origin);
    n->origin = NULL;
    n->origin_capacity = 0;
}
