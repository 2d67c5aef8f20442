/* Which decisions of a row are trained on. Decision p is for token p+1, so
 * token i of the response is decided at offset + prompt - 1 + i. */
#include <string.h>

#include "t2g/ppo.h"

static bool is_punctuation(uint32_t id, const t2g_mask_tokens *t)
{
    for (size_t i = 0; i < t->punct_count; i++)
        if (t->punct[i] == id)
            return true;
    return false;
}

/* The decision behind that for the first end token in [begin, end). */
static size_t end_of_turn(const uint32_t *id, size_t begin, size_t end,
                          uint32_t end_id)
{
    for (size_t p = begin; p < end; p++)
        if (id[p + 1] == end_id)
            return p + 1;
    return end;
}

/* The same as released: token p is looked at in place of p+1. */
static size_t end_of_turn_official(const uint32_t *seen, size_t begin,
                                   size_t end, uint32_t end_id)
{
    for (size_t p = begin; p < end; p++)
        if (seen[p] == end_id)
            return p + 1;
    return end;
}

t2g_status t2g_mask(uint8_t *mask, const t2g_mask_row *row,
                    const uint32_t *seen, const t2g_mask_tokens *t,
                    t2g_mask_kind kind)
{
    size_t used = row->offset + row->prompt + row->response;
    if (row->offset + row->prompt == 0 || used > row->tokens)
        return t2g_fail(T2G_ERR_ARG, "a row of %zu tokens cannot hold %zu of "
                        "padding, a prompt of %zu (at least 1) and a response "
                        "of %zu", row->tokens, row->offset, row->prompt,
                        row->response);
    size_t begin = row->offset + row->prompt - 1, end = begin + row->response;
    if (kind == T2G_MASK_OFFICIAL)
        end = end_of_turn_official(seen, begin, end, t->end);
    else if (kind != T2G_MASK_TRL)
        end = end_of_turn(row->id, begin, end, t->end);
    memset(mask, 0, row->tokens - 1);
    for (size_t p = begin; p < end; p++) {
        if (kind == T2G_MASK_OFFICIAL)
            mask[p] = !is_punctuation(seen[p], t);
        else if (kind == T2G_MASK_PUNCT_ALIGNED)
            mask[p] = !is_punctuation(row->id[p + 1], t);
        else
            mask[p] = 1;
    }
    return T2G_OK;
}
