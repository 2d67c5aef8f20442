/* Longest common subsequence by the table of all pairs. */
#include "metrics_private.h"

#include <string.h>

static const size_t most_pairs = (size_t)1 << 30;

/* Room for a table of this size; it only grows. */
static t2g_status reserve(t2g_lcs_table *t, size_t width, size_t bits)
{
    if (width > t->width) {
        t2g_lcs_free(t);
        t->row[0] = t2g_calloc(width, sizeof *t->row[0]);
        t->row[1] = t2g_calloc(width, sizeof *t->row[1]);
        t->width = width;
    }
    size_t bytes = bits / 8 + 1;
    if (bits && bytes > t->bytes) {
        t2g_free(t->left);
        t->left = t2g_calloc(bytes, 1);
        t->bytes = bytes;
    }
    if (t->row[0] && t->row[1] && (t->left || !bits))
        return T2G_OK;
    t2g_lcs_free(t);
    return T2G_ERR_MEMORY;
}

void t2g_lcs_free(t2g_lcs_table *t)
{
    t2g_free(t->row[0]);
    t2g_free(t->row[1]);
    t2g_free(t->left);
    *t = (t2g_lcs_table){0};
}

static void fill_row(const uint32_t *above, uint32_t *row, uint8_t *left,
                     size_t at, uint32_t a, const uint32_t *b, size_t n)
{
    row[0] = 0;
    for (size_t j = 0; j < n; j++, at++) {
        bool along_b = row[j] > above[j + 1];
        if (a == b[j])
            row[j + 1] = above[j] + 1;
        else
            row[j + 1] = along_b ? row[j] : above[j + 1];
        if (left && along_b)
            left[at / 8] |= (uint8_t)(1 << at % 8);
    }
}

static void walk_back(const uint8_t *left, uint8_t *member, const uint32_t *a,
                      size_t i, const uint32_t *b, size_t n)
{
    for (size_t j = n; i > 0 && j > 0;) {
        size_t at = (i - 1) * n + j - 1;
        if (a[i - 1] == b[j - 1]) {
            member[i - 1] = 1;
            i--;
            j--;
        } else if (left[at / 8] >> at % 8 & 1) {
            j--;
        } else {
            i--;
        }
    }
}

t2g_status t2g_lcs(t2g_lcs_table *t, size_t *length, uint8_t *member,
                   const uint32_t *a, size_t a_count, const uint32_t *b,
                   size_t b_count)
{
    *length = 0;
    if (a_count == 0 || b_count == 0)
        return T2G_OK;
    if (b_count > most_pairs / a_count)
        return t2g_fail(T2G_ERR_UNSUPPORTED, "a common subsequence of %zu and "
                        "%zu tokens, expected at most 2^30 pairs", a_count,
                        b_count);
    size_t bits = member ? a_count * b_count : 0;
    T2G_TRY(reserve(t, b_count + 1, bits));
    memset(t->row[0], 0, (b_count + 1) * sizeof *t->row[0]);
    if (member)
        memset(t->left, 0, bits / 8 + 1);
    for (size_t i = 0; i < a_count; i++)
        fill_row(t->row[i % 2], t->row[1 - i % 2], member ? t->left : NULL,
                 i * b_count, a[i], b, b_count);
    *length = t->row[a_count % 2][b_count];
    if (member)
        walk_back(t->left, member, a, a_count, b, b_count);
    return T2G_OK;
}
