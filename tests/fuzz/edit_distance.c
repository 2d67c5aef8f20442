/* The search of patterns with errors against the plain dynamic programme, in
 * every instruction set: bytes up to the first 0xFF are the text, those between
 * each two after it a pattern. */
#define _GNU_SOURCE
#include <string.h>

#include "../../ref/feedback/edit_distance.h"
#include "../plain_distance.h"
#include "fuzz.h"

enum { MOST = 600 };

/* A text of the input, and its end in it. */
static const uint8_t *read_part(t2g_part *part, uint32_t *code,
                                const uint8_t *at, const uint8_t *end)
{
    const uint8_t *from = at;
    while (at < end && *at != 0xFF && at - from < MOST) {
        code[at - from] = *at < 128 ? *at : 0x4e00u + *at;
        at++;
    }
    *part = (t2g_part){code, (size_t)(at - from)};
    return at;
}

/* What the plain programme finds for a pattern. */
static void plain_cells(cell *found, t2g_part pattern, t2g_part text)
{
    cell column[MOST + 1];
    plain_begin(column, pattern.n);
    for (size_t j = 0; j < text.n; j++) {
        plain_step(column, pattern.code, pattern.n, text.code[j], j);
        found[j] = column[pattern.n];
    }
}

static void check(const char *isa, const t2g_part *pattern, size_t lanes,
                  t2g_part text, cell found[][MOST])
{
    static uint16_t row[MOST], distance[MOST * T2G_EDIT_LANES];
    uint16_t least[T2G_EDIT_LANES];
    t2g_kernels k;
    t2g_patterns p;
    FUZZ_CHECK(t2g_kernels_select(&k, isa) == T2G_OK);
    FUZZ_CHECK(t2g_patterns_make(&p, pattern, lanes) == T2G_OK);
    t2g_patterns_rows(&p, row, text);
    t2g_patterns_distances(&p, &k, row, text.n, distance, least);
    for (size_t l = 0; l < lanes; l++)
        for (size_t j = 0; j < text.n; j++) {
            uint16_t got = distance[j * p.stride + l];
            FUZZ_CHECK(got == found[l][j].distance && got >= least[l]);
            FUZZ_CHECK(t2g_patterns_start(&p, &k, l, row, j + 1, got) ==
                       found[l][j].start);
        }
    t2g_patterns_free(&p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static uint32_t code[1 + T2G_EDIT_LANES][MOST];
    static cell found[T2G_EDIT_LANES][MOST];
    const uint8_t *end = data + n;
    t2g_part text, pattern[T2G_EDIT_LANES];
    size_t lanes = 0;
    data = read_part(&text, code[0], data, end);
    while (data < end && lanes < T2G_EDIT_LANES) {
        data = read_part(&pattern[lanes], code[1 + lanes], data + 1, end);
        if (pattern[lanes].n == 0)
            continue;
        plain_cells(found[lanes], pattern[lanes], text);
        lanes++;
    }
    for (const char *const *isa = t2g_isa_available(); lanes && *isa; isa++)
        check(*isa, pattern, lanes, text, found);
    return 0;
}
