/* Words and n-grams as numbers, so that counting them is indexing. */
#include "metrics_private.h"

#include <string.h>
#include <xxhash.h>

/* --- numbering ------------------------------------------------------------ */

static t2g_text string_of(const t2g_numbering *n, size_t i)
{
    size_t begin = i ? n->end[i - 1] : 0;
    return (t2g_text){n->bytes.data + begin, n->end[i] - begin};
}

/* The slot that holds key, or the free one where it belongs. */
static size_t find(const t2g_numbering *n, t2g_text key)
{
    size_t i = (size_t)XXH3_64bits(key.data, key.size) & (n->slots - 1);
    for (; n->slot[i]; i = (i + 1) & (n->slots - 1)) {
        t2g_text s = string_of(n, n->slot[i] - 1);
        if (s.size == key.size && memcmp(s.data, key.data, key.size) == 0)
            break;
    }
    return i;
}

/* Keeps the table at most half full. */
static t2g_status grow_table(t2g_numbering *n)
{
    if (2 * n->count < n->slots)
        return T2G_OK;
    size_t slots = n->slots ? 2 * n->slots : 64;
    uint32_t *slot = n->count < UINT32_MAX / 2
                         ? t2g_calloc(slots, sizeof *slot) : NULL;
    if (!slot)
        return T2G_ERR_MEMORY;
    t2g_free(n->slot);
    n->slot = slot;
    n->slots = slots;
    for (size_t i = 0; i < n->count; i++)
        slot[find(n, string_of(n, i))] = (uint32_t)i + 1;
    return T2G_OK;
}

static t2g_status add_string(t2g_numbering *n, t2g_text key)
{
    if (n->count == n->end_capacity) {
        size_t more = n->end_capacity ? 2 * n->end_capacity : 32;
        size_t *end = t2g_regrow(n->end, n->count, more, sizeof *end);
        if (!end)
            return T2G_ERR_MEMORY;
        n->end = end;
        n->end_capacity = more;
    }
    T2G_TRY(t2g_buffer_append(&n->bytes, key.data, key.size));
    n->end[n->count++] = n->bytes.size;
    return T2G_OK;
}

t2g_status t2g_number_of(t2g_numbering *n, t2g_text key, uint32_t *number)
{
    T2G_TRY(grow_table(n));
    size_t at = find(n, key);
    if (!n->slot[at]) {
        T2G_TRY(add_string(n, key));
        n->slot[at] = (uint32_t)n->count;
    }
    *number = n->slot[at] - 1;
    return T2G_OK;
}

void t2g_numbering_free(t2g_numbering *n)
{
    t2g_buffer_free(&n->bytes);
    t2g_free(n->end);
    t2g_free(n->slot);
    *n = (t2g_numbering){0};
}

/* --- sequences ------------------------------------------------------------ */

t2g_status t2g_sequence_of(t2g_sequence *s, t2g_numbering *words,
                           const t2g_tokens *t)
{
    *s = (t2g_sequence){.word = t2g_calloc(t->count, sizeof *s->word),
                        .gram = t2g_calloc(t->count, sizeof *s->gram),
                        .count = t->count, .order = 1};
    if (!s->word || !s->gram)
        return T2G_ERR_MEMORY;
    for (size_t i = 0; i < t->count; i++) {
        T2G_TRY(t2g_number_of(words, t2g_tokens_at(t, i), &s->word[i]));
        s->gram[i] = s->word[i];
    }
    return T2G_OK;
}

size_t t2g_sequence_grams(const t2g_sequence *s)
{
    return s->count < s->order ? 0 : s->count - s->order + 1;
}

t2g_status t2g_sequence_extend(t2g_sequence *s, t2g_numbering *grams)
{
    size_t shift = s->order++, n = t2g_sequence_grams(s);
    for (size_t i = 0; i < n; i++) {
        uint32_t pair[2] = {s->gram[i], s->word[i + shift]};
        T2G_TRY(t2g_number_of(grams, (t2g_text){(char *)pair, sizeof pair},
                              &s->gram[i]));
    }
    return T2G_OK;
}

void t2g_sequence_free(t2g_sequence *s)
{
    t2g_free(s->word);
    t2g_free(s->gram);
    *s = (t2g_sequence){0};
}

/* --- counting ------------------------------------------------------------- */

/* most[g] becomes at least the count of g in s; count is 0 before and after. */
static void raise_counts(uint32_t *most, uint32_t *count,
                         const t2g_sequence *s)
{
    size_t n = t2g_sequence_grams(s);
    for (size_t i = 0; i < n; i++) {
        uint32_t c = ++count[s->gram[i]];
        most[s->gram[i]] = c > most[s->gram[i]] ? c : most[s->gram[i]];
    }
    for (size_t i = 0; i < n; i++)
        count[s->gram[i]] = 0;
}

t2g_status t2g_clipped_matches(size_t *out, const t2g_sequence *s,
                               const t2g_sequence *reference, size_t count,
                               size_t distinct)
{
    uint32_t *most = t2g_calloc(distinct, sizeof *most);
    uint32_t *work = t2g_calloc(distinct, sizeof *work);
    if (most && work) {
        for (size_t i = 0; i < count; i++)
            raise_counts(most, work, &reference[i]);
        *out = 0;
        for (size_t i = 0; i < t2g_sequence_grams(s); i++)
            *out += work[s->gram[i]]++ < most[s->gram[i]];
    }
    t2g_status status = most && work ? T2G_OK : T2G_ERR_MEMORY;
    t2g_free(most);
    t2g_free(work);
    return status;
}
