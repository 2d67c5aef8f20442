/* What happens to the tokens of one or two texts in the end: offsets without
 * whitespace, truncation, a template's special tokens, padding. */
#include <string.h>

#include "tokenizer_private.h"
#include "unicode.h"

t2g_status t2g_template_put(t2g_template *m, t2g_template_part part)
{
    if (m->count == m->capacity) {
        size_t capacity = m->capacity ? 2 * m->capacity : 8;
        t2g_template_part *grown = t2g_regrow(m->part, m->count, capacity,
                                              sizeof *grown);
        if (!grown)
            return T2G_ERR_MEMORY;
        m->part = grown;
        m->capacity = capacity;
    }
    m->part[m->count++] = part;
    return T2G_OK;
}

void t2g_post_processor_free(t2g_post_processor *p)
{
    t2g_free(p->single.part);
    t2g_free(p->pair.part);
}

/* --- offsets without whitespace ------------------------------------------ */

static bool is_trimmed(uint32_t code)
{
    return unicode_class(code) & CLASS_SPACE || code == t2g_byte_symbol(' ');
}

static size_t leading(const char *s, size_t n)
{
    const unsigned char *text = (const unsigned char *)s;
    size_t count = 0;
    for (size_t p = 0; p < n && is_trimmed(utf8_decode(text + p));
         p += utf8_length(text[p]))
        count++;
    return count;
}

static size_t trailing(const char *s, size_t n)
{
    const unsigned char *text = (const unsigned char *)s;
    size_t count = 0;
    for (size_t p = n; p > 0; count++) {
        p = utf8_before(text, p);
        if (!is_trimmed(utf8_decode(text + p)))
            break;
    }
    return count;
}

static bool continues(unsigned char byte)
{
    return (byte & 0xc0) == 0x80;
}

/* The whitespace at both ends of the token leaves its range: [HF]
 * process_offsets, which counts it in the token and takes as many characters of
 * the text, whatever they are. One space in front of the first token stays when
 * it may be the one that the pre-tokenizer adds. */
static void trim(const t2g_tokenizer *t, const char *text, size_t n,
                 t2g_encoding *e, size_t i, bool first)
{
    size_t *range = e->offset + 2 * i;
    /* an added token is the text it took, whitespace included */
    bool matched = e->role[i] & T2G_TOKEN_MATCHED;
    const char *s = matched ? text + range[0]
                            : token_content(&t->vocabulary, e->id[i]);
    size_t length = matched ? range[1] - range[0]
                            : t->vocabulary.token[e->id[i]].content_length;
    size_t before = leading(s, length), after = trailing(s, length);

    if (before == 1 && t->post.prefix_space && (first || range[0] == 0))
        before = 0;
    for (; before > 0 && range[0] < range[1]; before--)
        do
            range[0]++;
        while (range[0] < n && range[0] < range[1] &&
               continues((unsigned char)text[range[0]]));
    for (; after > 0 && range[1] > range[0]; after--)
        do
            range[1]--;
        while (range[1] > range[0] && continues((unsigned char)text[range[1]]));
}

void t2g_trim_offsets(const t2g_tokenizer *t, const char *text, size_t n,
                      t2g_encoding *e, size_t first)
{
    for (size_t i = first; i < e->count && t->post.trim_offsets; i++) {
        trim(t, text, n, e, i, i == first);
        e->role[i] = 0;
    }
}

/* --- truncation ---------------------------------------------------------- */

/* Tokens [begin, end) of an encoding. */
typedef struct kept {
    size_t begin, end;
} kept;

static void keep(kept *k, size_t count, bool left)
{
    size_t all = k->end - k->begin;
    if (count >= all)
        return;
    if (left)
        k->begin = k->end - count;
    else
        k->end = k->begin + count;
}

/* How many tokens of each text LongestFirst leaves. */
static void share(size_t limit, size_t *n, size_t *m)
{
    bool swapped = *n > *m;
    size_t less = swapped ? *m : *n, more = swapped ? *n : *m;
    if (less > limit)
        more = less;
    else
        more = less > limit - less ? less : limit - less;
    if (less + more > limit) {
        less = limit / 2;
        more = less + limit % 2;
    }
    *n = swapped ? more : less;
    *m = swapped ? less : more;
}

static t2g_status truncate_one(kept *k, size_t excess, bool left)
{
    size_t count = k->end - k->begin;
    if (excess >= count)
        return t2g_fail(T2G_ERR_FORMAT, "truncation: %zu tokens to be removed "
                        "from a text that has %zu", excess, count);
    keep(k, count - excess, left);
    return T2G_OK;
}

/* [HF] truncate_encodings; `room` is what specials leave of max_length. */
static t2g_status truncate(const t2g_truncation *how, size_t room,
                           kept *first, kept *second)
{
    size_t n = first->end, m = second ? second->end : 0;
    if (n + m <= room)
        return T2G_OK;
    if (room == 0) {
        *first = (kept){0, 0};
        if (second)
            *second = (kept){0, 0};
        return T2G_OK;
    }
    if (how->strategy == LONGEST_FIRST) {
        if (second)
            share(room, &n, &m);
        else
            n = room;
        keep(first, n, how->left);
        if (second)
            keep(second, m, how->left);
        return T2G_OK;
    }
    if (how->strategy == ONLY_FIRST)
        return truncate_one(first, n + m - room, how->left);
    if (!second)
        return t2g_fail(T2G_ERR_FORMAT, "truncation: OnlySecond, but there is "
                        "no second text");
    return truncate_one(second, n + m - room, how->left);
}

/* --- joining ------------------------------------------------------------- */

static t2g_status append_text(t2g_encoding *out, const t2g_encoding *in,
                              kept k, uint32_t type_id, unsigned role)
{
    size_t n = k.end - k.begin;
    T2G_TRY(t2g_encoding_reserve(out, n));
    size_t at = out->count;
    if (n == 0)
        return T2G_OK;
    memcpy(out->id + at, in->id + k.begin, n * sizeof *in->id);
    memcpy(out->offset + 2 * at, in->offset + 2 * k.begin,
           2 * n * sizeof *in->offset);
    memset(out->role + at, (int)role, n);
    for (size_t i = 0; i < n; i++)
        out->type_id[at + i] = type_id;
    out->count += n;
    return T2G_OK;
}

static t2g_status append_special(t2g_encoding *out, uint32_t id,
                                 uint32_t type_id, unsigned role)
{
    T2G_TRY(t2g_encoding_add(out, id, 0, 0));
    out->type_id[out->count - 1] = type_id;
    out->role[out->count - 1] = (uint8_t)role;
    return T2G_OK;
}

typedef struct texts {
    const t2g_encoding *encoding[2];
    kept kept[2];
} texts;

static t2g_status fill(const t2g_template *m, const texts *in, bool specials,
                       t2g_encoding *out)
{
    for (size_t i = 0; i < m->count; i++) {
        const t2g_template_part *p = &m->part[i];
        size_t which = p->kind == PART_SECOND;
        if (p->kind != PART_SPECIAL)
            T2G_TRY(append_text(out, in->encoding[which], in->kept[which],
                                p->type_id, which ? T2G_TOKEN_SECOND : 0));
        else if (specials)
            T2G_TRY(append_special(out, p->id, p->type_id,
                                   T2G_TOKEN_TEMPLATE));
    }
    return T2G_OK;
}

static t2g_status join(const t2g_post_processor *p, const texts *in,
                       bool specials, t2g_encoding *out)
{
    bool pair = in->encoding[1];
    if (p->has_template)
        return fill(pair ? &p->pair : &p->single, in, specials, out);
    T2G_TRY(append_text(out, in->encoding[0], in->kept[0], 0, 0));
    return pair ? append_text(out, in->encoding[1], in->kept[1], 1,
                              T2G_TOKEN_SECOND)
                : T2G_OK;
}

static size_t special_count(const t2g_post_processor *p, bool pair)
{
    const t2g_template *m = pair ? &p->pair : &p->single;
    size_t count = 0;
    for (size_t i = 0; i < m->count; i++)
        count += m->part[i].kind == PART_SPECIAL;
    return count;
}

/* --- padding ------------------------------------------------------------- */

static t2g_status pad(const t2g_padding *p, t2g_encoding *e, size_t first)
{
    size_t count = e->count - first, want = p->fixed ? p->fixed : count;
    if (p->multiple > 0 && want % p->multiple > 0)
        want += p->multiple - want % p->multiple;
    if (want <= count)
        return T2G_OK;
    size_t n = want - count, begin = p->left ? first : e->count;
    T2G_TRY(t2g_encoding_insert(e, begin, n));
    for (size_t i = begin; i < begin + n; i++) {
        e->id[i] = p->id;
        e->type_id[i] = p->type_id;
        e->role[i] = T2G_TOKEN_PADDING;
    }
    return T2G_OK;
}

/* --- the whole ----------------------------------------------------------- */

bool t2g_post_processes(const t2g_tokenizer *t, unsigned flags)
{
    const t2g_post_processor *p = &t->post;
    if (flags & T2G_ENCODE_FIT && (p->truncation.on || p->padding.on))
        return true;
    if (!p->has_template || p->single.count == 0)
        return p->has_template;
    if (flags & T2G_ENCODE_TEMPLATE)
        return true;
    size_t texts = 0, type_ids = 0;
    for (size_t i = 0; i < p->single.count; i++)
        if (p->single.part[i].kind == PART_FIRST) {
            texts++;
            type_ids += p->single.part[i].type_id;
        }
    return texts != 1 || type_ids != 0;
}

t2g_status t2g_post_process(const t2g_tokenizer *t, const t2g_encoding *first,
                            const t2g_encoding *second, unsigned flags,
                            t2g_encoding *out)
{
    const t2g_post_processor *p = &t->post;
    bool fit = flags & T2G_ENCODE_FIT, specials = flags & T2G_ENCODE_TEMPLATE;
    texts in = {{first, second},
                {{0, first->count}, {0, second ? second->count : 0}}};
    size_t begin = out->count;
    if (fit && p->truncation.on) {
        size_t added = specials ? special_count(p, second) : 0;
        size_t room = p->truncation.max_length > added
                          ? p->truncation.max_length - added : 0;
        T2G_TRY(truncate(&p->truncation, room, &in.kept[0],
                         second ? &in.kept[1] : NULL));
    }
    T2G_TRY(join(p, &in, specials, out));
    return fit && p->padding.on ? pad(&p->padding, out, begin) : T2G_OK;
}
