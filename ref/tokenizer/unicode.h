/* Character classes of Unicode 16.0, lower case, the data of the normalization
 * forms, and walking through valid UTF-8. */
#ifndef T2G_TOKENIZER_UNICODE_H
#define T2G_TOKENIZER_UNICODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bits of one code point. */
enum {
    CLASS_LU = 1 << 0, /* upper case letter */
    CLASS_LL = 1 << 1, /* lower case letter */
    CLASS_LT = 1 << 2, /* title case letter */
    CLASS_LM = 1 << 3, /* modifier letter */
    CLASS_LO = 1 << 4, /* other letter */
    CLASS_M = 1 << 5,  /* mark */
    CLASS_N = 1 << 6,  /* number */
    CLASS_P = 1 << 7,  /* punctuation */
    CLASS_S = 1 << 8,  /* symbol */
    CLASS_SPACE = 1 << 9,  /* White_Space: \s */
    CLASS_WORD = 1 << 10,  /* \w of the Rust regex crate */
    CLASS_DIGIT = 1 << 11, /* Rust's char::is_numeric, Unicode 17.0 */
    CLASS_NFC = 1 << 12,   /* the form may change it or its neighbours */
    CLASS_NFD = 1 << 13,
    CLASS_NFKC = 1 << 14,
    CLASS_NFKD = 1 << 15,
    CLASS_UPPER = 1 << 16, /* its lower case is another, Unicode 17.0 */
    CLASS_PUNCTUATION = 1 << 17,  /* Punctuation of [HF], Unicode 8.0 */
    CLASS_ACCENT = 1 << 18,       /* StripAccents: marks of Unicode 9.0 */
    CLASS_BERT_ACCENT = 1 << 19,  /* BertNormalizer: nonspacing marks of 8.0 */
    CLASS_BERT_CONTROL = 1 << 20, /* what it cleans away, of 8.0 */
    CLASS_L = CLASS_LU | CLASS_LL | CLASS_LT | CLASS_LM | CLASS_LO
};

enum { T2G_UNICODE_BLOCK = 256 };

extern const uint8_t t2g_unicode_block[0x110000 / T2G_UNICODE_BLOCK];
extern const uint8_t t2g_unicode_kind[][T2G_UNICODE_BLOCK];
extern const uint32_t t2g_unicode_classes[]; /* of a kind */
extern const uint32_t t2g_ascii_classes[128]; /* of a code point */

/* --- lower case, Unicode 17.0 -------------------------------------------- */

/* Where CLASS_UPPER is set from first to last. */
typedef struct t2g_lower_run {
    uint32_t first, last;
    int32_t distance;
} t2g_lower_run;

extern const size_t t2g_lower_count;
extern const t2g_lower_run t2g_lower[];

/* --- normalization, Unicode 9.0 ------------------------------------------ */

typedef struct t2g_combining_range {
    uint32_t first, last;
    uint8_t class;
} t2g_combining_range;

/* Code points first, first + 1, ...: each decomposes, fully, into `length`
 * ones, which follow each other in t2g_decomposed from `at` on. */
typedef struct t2g_decomposition_run {
    uint32_t first;
    uint16_t count;
    uint8_t length;
    uint16_t at;
} t2g_decomposition_run;

/* Sorted by both parts. */
typedef struct t2g_composite {
    uint32_t left, right, code;
} t2g_composite;

extern const size_t t2g_combining_count, t2g_canonical_count,
    t2g_compatibility_count, t2g_composition_count;
extern const t2g_combining_range t2g_combining[];
extern const t2g_decomposition_run t2g_canonical[];
/* Of those code points only where it differs. */
extern const t2g_decomposition_run t2g_compatibility[];
extern const uint32_t t2g_decomposed[];
extern const t2g_composite t2g_composition[];

/* --- UTF-8 --------------------------------------------------------------- */

static inline unsigned unicode_class(uint32_t code)
{
    unsigned block = t2g_unicode_block[code / T2G_UNICODE_BLOCK];
    return t2g_unicode_classes
        [t2g_unicode_kind[block][code % T2G_UNICODE_BLOCK]];
}

/* Python's str.isspace(): White_Space and the separators of ASCII. */
static inline bool unicode_is_space(uint32_t code)
{
    return (code >= 0x1c && code <= 0x1f) ||
           (unicode_class(code) & CLASS_SPACE) != 0;
}

/* Bytes of the character whose first byte this is. */
static inline size_t utf8_length(unsigned char first)
{
    return first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

/* The character at s, which is valid UTF-8. */
static inline uint32_t utf8_decode(const unsigned char *s)
{
    switch (utf8_length(s[0])) {
    case 1: return s[0];
    case 2: return (s[0] & 0x1fu) << 6 | (s[1] & 0x3fu);
    case 3:
        return (s[0] & 0x0fu) << 12 | (s[1] & 0x3fu) << 6 | (s[2] & 0x3fu);
    default:
        return (s[0] & 0x07u) << 18 | (s[1] & 0x3fu) << 12 |
               (s[2] & 0x3fu) << 6 | (s[3] & 0x3fu);
    }
}

/* Writes code as UTF-8; returns the number of bytes, at most 4. */
static inline size_t utf8_encode(char *out, uint32_t code)
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    size_t n = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (size_t i = n - 1; i > 0; i--, code >>= 6)
        out[i] = (char)(0x80 | (code & 0x3f));
    out[0] = (char)((0xf00 >> n & 0xff) | code);
    return n;
}

/* Start of the character before p, p > 0. */
static inline size_t utf8_before(const unsigned char *s, size_t p)
{
    do
        p--;
    while ((s[p] & 0xc0) == 0x80);
    return p;
}

#endif
