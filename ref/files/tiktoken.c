/* Rank files of tiktoken: a line a token, its bytes in base64, a space, its
 * rank, which is its id. https://github.com/openai/tiktoken
 *
 * tiktoken merges the neighbours whose concatenation has the lowest rank;
 * merges by pairs do the same when each token has the pair it is made of. For
 * that, a token is encoded with the merges of all lower ranks: two symbols
 * remain, and they are the pair. A token of which more remain is made of tokens
 * of higher ranks, if at all; then all its cuts become merges, of which no text
 * ever brings more than one about. */
#include "tiktoken.h"

#include <string.h>
#include <unistd.h>

#include "internal.h"
#include "tokenizer_build.h"

/* --- lines --------------------------------------------------------------- */

static int base64_digit(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* The number of bytes of n characters of base64, which `out` has room for; 0
 * when they are none. [RFC4648] section 4, padded. */
static size_t base64_decode(const char *s, size_t n, char *out)
{
    char *at = out;
    if (n == 0 || n % 4 != 0)
        return 0;
    size_t padding = (s[n - 1] == '=') + (s[n - 1] == '=' && s[n - 2] == '=');
    for (size_t i = 0; i < n; i += 4) {
        uint32_t bits = 0;
        size_t used = i + 4 == n ? 4 - padding : 4;
        for (size_t j = 0; j < 4; j++) {
            int digit = j < used ? base64_digit(s[i + j]) : 0;
            if (digit < 0)
                return 0;
            bits = bits << 6 | (uint32_t)digit;
        }
        for (size_t j = 0; j + 1 < used; j++)
            *at++ = (char)(bits >> (16 - 8 * j));
    }
    return (size_t)(at - out);
}

/* A decimal number below T2G_ID_LIMIT, or -1. */
static int64_t parse_rank(const char *s, size_t n)
{
    int64_t rank = 0;
    for (size_t i = 0; i < n; i++) {
        if (s[i] < '0' || s[i] > '9' || rank >= T2G_ID_LIMIT)
            return -1;
        rank = 10 * rank + (s[i] - '0');
    }
    return n > 0 && rank < T2G_ID_LIMIT ? rank : -1;
}

typedef struct line {
    const char *s;
    size_t n; /* without the line break */
} line;

/* The next line, and whether there was one. */
static bool next_line(const char **at, const char *end, line *l)
{
    if (*at == end)
        return false;
    const char *lf = memchr(*at, '\n', (size_t)(end - *at));
    l->s = *at;
    l->n = (size_t)((lf ? lf : end) - *at);
    *at = lf ? lf + 1 : end;
    if (l->n > 0 && l->s[l->n - 1] == '\r')
        l->n--;
    return true;
}

/* The rank of a line and its bytes, for which there is room; -1 when it is not
 * such a line. */
static int64_t parse_line(const line *l, char *bytes, size_t *count)
{
    const char *space = memchr(l->s, ' ', l->n);
    size_t n = space ? (size_t)(space - l->s) : 0;
    *count = base64_decode(l->s, n, bytes);
    return *count > 0 ? parse_rank(space + 1, l->n - n - 1) : -1;
}

bool t2g_tiktoken_begins(const char *head, size_t n)
{
    char bytes[T2G_TIKTOKEN_HEAD];
    const char *at = head;
    size_t count;
    line l = {0};
    while (next_line(&at, head + n, &l) && l.n == 0)
        ;
    return l.n > 0 && parse_line(&l, bytes, &count) >= 0;
}

/* --- tokens -------------------------------------------------------------- */

/* The file being read, and the token of the line. */
typedef struct reader {
    t2g_tokenizer *t;
    const char *path;
    char *bytes; /* room for those of any line */
    size_t length;
    t2g_buffer content; /* the bytes as symbols */
    size_t count;       /* tokens so far */
    bool whole;         /* whole pieces are to be looked up first */
} reader;

/* Contents of byte-level vocabularies are symbols. */
static t2g_status spell(reader *r)
{
    r->content.size = 0;
    for (size_t i = 0; i < r->length; i++) {
        uint32_t symbol = t2g_byte_symbol((unsigned char)r->bytes[i]);
        char utf8[2] = {(char)symbol, 0};
        if (symbol >= 0x80) {
            utf8[0] = (char)(0xc0 | symbol >> 6);
            utf8[1] = (char)(0x80 | (symbol & 0x3f));
        }
        T2G_TRY(t2g_buffer_append(&r->content, utf8, symbol < 0x80 ? 1 : 2));
    }
    return T2G_OK;
}

static t2g_status put_token(reader *r, uint32_t rank)
{
    t2g_vocabulary *v = &r->t->vocabulary;
    T2G_TRY(spell(r));
    int64_t twin = t2g_vocabulary_find(v, r->content.data, r->content.size);
    if (twin != T2G_NO_TOKEN)
        return t2g_fail(T2G_ERR_FORMAT, "the bytes of rank %u are those of "
                        "rank %u", rank, (unsigned)twin);
    if (r->length == 1)
        r->t->spelling.byte_id[(unsigned char)r->bytes[0]] = rank;
    r->count++;
    return t2g_vocabulary_put(v, rank, r->content.data, r->content.size,
                              TOKEN_MODEL);
}

static t2g_status read_line(reader *r, const line *l)
{
    int64_t rank = parse_line(l, r->bytes, &r->length);
    if (rank < 0)
        return t2g_fail(T2G_ERR_FORMAT, "expected base64, a space and a rank "
                        "below %d", T2G_ID_LIMIT);
    return put_token(r, (uint32_t)rank);
}

static t2g_status read_lines(reader *r, const t2g_buffer *text)
{
    const char *at = text->data, *end = at + text->size;
    line l;
    r->bytes = t2g_calloc(text->size, 1);
    if (!r->bytes)
        return T2G_ERR_MEMORY;
    for (size_t number = 1; next_line(&at, end, &l); number++) {
        t2g_status s = l.n > 0 ? read_line(r, &l) : T2G_OK;
        if (s != T2G_OK)
            return t2g_fail_in(s, "%s:%zu", r->path, number);
    }
    return T2G_OK;
}

static t2g_status check_bytes(const reader *r)
{
    for (int byte = 0; byte < 256; byte++)
        if (r->t->spelling.byte_id[byte] == T2G_NO_TOKEN)
            return t2g_fail(T2G_ERR_FORMAT, "%s: the byte 0x%02X has no rank",
                            r->path, byte);
    return T2G_OK;
}

static t2g_status read_ranks(reader *r)
{
    t2g_buffer text = {0};
    r->t->spelling.bytes = true;
    for (int byte = 0; byte < 256; byte++)
        r->t->spelling.byte_id[byte] = T2G_NO_TOKEN;
    t2g_status s = t2g_file_read(r->path, &text);
    if (s == T2G_OK && text.size > 0)
        s = read_lines(r, &text);
    t2g_buffer_free(&text);
    return s == T2G_OK ? check_bytes(r) : s;
}

/* --- merges -------------------------------------------------------------- */

/* What making merges needs for each token. */
typedef struct merger {
    t2g_tokenizer *t;
    t2g_bpe bpe;
    t2g_cuts cuts;
    bool whole; /* some token may be found only as a whole piece */
} merger;

/* Every cut of a token that no two tokens of lower ranks make. */
static t2g_status put_cuts(merger *m, uint32_t id)
{
    m->whole = true;
    m->cuts.count = 0;
    T2G_TRY(t2g_cuts_add(&m->cuts, &m->t->vocabulary, id, 0));
    for (size_t i = 0; i < m->cuts.count; i++)
        T2G_TRY(t2g_merges_put(&m->t->merges, m->cuts.cut[i].left,
                               m->cuts.cut[i].right, id));
    return T2G_OK;
}

static t2g_status put_merge(merger *m, uint32_t id)
{
    const t2g_vocabulary *v = &m->t->vocabulary;
    size_t count;
    T2G_TRY(t2g_bpe_encode(m->t, &m->bpe, token_bytes(v, id),
                           v->token[id].bytes_length, &count));
    if (count != 2)
        return put_cuts(m, id);
    const t2g_symbol *part = m->bpe.symbol;
    return t2g_merges_put(&m->t->merges, part[0].id, part[1].id, id);
}

static t2g_status put_merges(reader *r)
{
    const t2g_vocabulary *v = &r->t->vocabulary;
    merger m = {.t = r->t};
    t2g_status s = T2G_OK;
    for (uint32_t id = 0; id < v->size && s == T2G_OK; id++)
        if (v->token[id].flags != 0 && v->token[id].bytes_length >= 2)
            s = put_merge(&m, id);
    t2g_bpe_free(&m.bpe);
    t2g_free(m.cuts.cut);
    r->whole = m.whole;
    return s == T2G_OK ? s : t2g_fail_in(s, "%s", r->path);
}

/* --- encodings ----------------------------------------------------------- */

typedef struct special {
    const char *content;
    uint32_t id;
} special;

/* Contents with a number in them: PREFIX N SUFFIX, N counting from number. */
typedef struct special_run {
    const char *prefix;
    uint32_t first, last, number, skipped; /* ids; one of them is another's */
} special_run;

typedef struct encoding {
    const char *name;
    size_t ranks;
    const char *pattern;
    special token[18];
    special_run run[3];
    const char *bos, *eos; /* what the models begin and end a text with */
} encoding;

#define END_OF_TEXT "<|endoftext|>"

static const encoding encodings[] = {
    {.name = "r50k_base", .ranks = 50256, .pattern = t2g_pattern_gpt2,
     .token = {{END_OF_TEXT, 50256}}, .eos = END_OF_TEXT},
    {.name = "p50k_base", .ranks = 50280, .pattern = t2g_pattern_gpt2,
     .token = {{END_OF_TEXT, 50256}}, .eos = END_OF_TEXT},
    {.name = "p50k_edit", .ranks = 50280, .pattern = t2g_pattern_gpt2,
     .token = {{END_OF_TEXT, 50256}, {"<|fim_prefix|>", 50281},
               {"<|fim_middle|>", 50282}, {"<|fim_suffix|>", 50283}},
     .eos = END_OF_TEXT},
    {.name = "cl100k_base", .ranks = 100256, .pattern = t2g_pattern_cl100k,
     .token = {{END_OF_TEXT, 100257}, {"<|fim_prefix|>", 100258},
               {"<|fim_middle|>", 100259}, {"<|fim_suffix|>", 100260},
               {"<|endofprompt|>", 100276}},
     .eos = END_OF_TEXT},
    {.name = "o200k_base", .ranks = 199998, .pattern = t2g_pattern_o200k,
     .token = {{END_OF_TEXT, 199999}, {"<|endofprompt|>", 200018}},
     .eos = END_OF_TEXT},
    {.name = "o200k_harmony", .ranks = 199998, .pattern = t2g_pattern_o200k,
     .token = {{"<|startoftext|>", 199998}, {END_OF_TEXT, 199999},
               {"<|reserved_200000|>", 200000}, {"<|reserved_200001|>", 200001},
               {"<|return|>", 200002}, {"<|constrain|>", 200003},
               {"<|reserved_200004|>", 200004}, {"<|channel|>", 200005},
               {"<|start|>", 200006}, {"<|end|>", 200007},
               {"<|message|>", 200008}, {"<|reserved_200009|>", 200009},
               {"<|reserved_200010|>", 200010}, {"<|reserved_200011|>", 200011},
               {"<|call|>", 200012}, {"<|endofprompt|>", 200018}},
     .run = {{"<|reserved_", 200013, 201087, 200013, 200018}},
     .eos = "<|return|>"},
};

/* Its file is called tokenizer.model like those of many others. */
static const encoding llama3 = {
    .name = "Llama 3", .ranks = 128000, .pattern = t2g_pattern_cl100k,
    .token = {{"<|begin_of_text|>", 128000}, {"<|end_of_text|>", 128001},
              {"<|start_header_id|>", 128006}, {"<|end_header_id|>", 128007},
              {"<|eot_id|>", 128009}},
    .run = {{"<|reserved_special_token_", 128002, 128005, 0, 0},
            {"<|reserved_special_token_", 128008, 128008, 4, 0},
            {"<|reserved_special_token_", 128010, 128255, 5, 0}},
    .bos = "<|begin_of_text|>", .eos = "<|end_of_text|>"};

/* tiktoken's own newer spellings split alike, as far as their ranks can tell,
 * but use possessive counts, which other engines read differently. */
static const char *plain_pattern(const char *pattern)
{
    static const struct {
        const char *newer, *plain;
    } twins[] = {
        {"'(?:[sdmt]|ll|ve|re)| ?\\p{L}++| ?\\p{N}++| ?[^\\s\\p{L}\\p{N}]++"
         "|\\s++$|\\s+(?!\\S)|\\s", t2g_pattern_gpt2},
        {"'(?i:[sdmt]|ll|ve|re)|[^\\r\\n\\p{L}\\p{N}]?+\\p{L}++"
         "|\\p{N}{1,3}+| ?[^\\s\\p{L}\\p{N}]++[\\r\\n]*+|\\s++$|\\s*[\\r\\n]"
         "|\\s+(?!\\S)|\\s",
         t2g_pattern_cl100k},
    };
    for (size_t i = 0; i < sizeof twins / sizeof *twins; i++)
        if (strcmp(pattern, twins[i].newer) == 0)
            return twins[i].plain;
    return pattern;
}

/* A special token is in the vocabulary too, because only there its id counts
 * for those who read a tokenizer.json. */
static t2g_status put_special(t2g_tokenizer *t, const char *content, size_t n,
                              uint32_t id)
{
    if (t2g_vocabulary_find(&t->vocabulary, content, n) != T2G_NO_TOKEN)
        return t2g_fail(T2G_ERR_FORMAT, "the special token '%.*s' is a token "
                        "already", (int)n, content);
    T2G_TRY(t2g_vocabulary_put(&t->vocabulary, id, content, n, TOKEN_MODEL));
    return t2g_tokenizer_add(t, content, n, TOKEN_SPECIAL);
}

static t2g_status put_run(t2g_tokenizer *t, const special_run *run)
{
    for (uint32_t id = run->first; run->prefix && id <= run->last; id++) {
        char content[64];
        int n = snprintf(content, sizeof content, "%s%u|>", run->prefix,
                         run->number + (id - run->first));
        if (id != run->skipped)
            T2G_TRY(put_special(t, content, (size_t)n, id));
    }
    return T2G_OK;
}

static t2g_status put_specials(t2g_tokenizer *t, const encoding *e)
{
    for (const special *s = e->token; s->content; s++)
        T2G_TRY(put_special(t, s->content, strlen(s->content), s->id));
    for (size_t i = 0; i < sizeof e->run / sizeof *e->run; i++)
        T2G_TRY(put_run(t, &e->run[i]));
    t->eos = t2g_tokenizer_id(t, e->eos);
    if (e->bos)
        t->bos = t2g_tokenizer_id(t, e->bos);
    return T2G_OK;
}

/* --- which encoding ------------------------------------------------------ */

/* Length of name without this end, or 0. */
static size_t without(const char *name, size_t n, const char *end)
{
    size_t k = strlen(end);
    return n > k && memcmp(name + n - k, end, k) == 0 ? n - k : 0;
}

/* The path up to the end of the name without .gz and .tiktoken or .model. */
static size_t stem_length(const char *path)
{
    size_t n = strlen(path), k;
    if ((k = without(path, n, ".gz")) > 0)
        n = k;
    if ((k = without(path, n, ".tiktoken")) > 0 ||
        (k = without(path, n, ".model")) > 0)
        n = k;
    return n;
}

static size_t folder_length(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? (size_t)(slash - path) + 1 : 0;
}

bool t2g_tiktoken_named(const char *path)
{
    size_t n = strlen(path), k = without(path, n, ".gz");
    return without(path, k ? k : n, ".tiktoken") > 0;
}

static const encoding *find_encoding(const char *name, size_t n)
{
    for (size_t i = 0; i < sizeof encodings / sizeof *encodings; i++)
        if (strlen(encodings[i].name) == n &&
            memcmp(encodings[i].name, name, n) == 0)
            return &encodings[i];
    return NULL;
}

/* The components of an encoding with this pattern. */
static t2g_status set_components(reader *r, const char *pattern)
{
    t2g_tokenizer *t = r->t;
    json_t *post = t2g_build_byte_level_post();
    if (t->bos != T2G_NO_TOKEN)
        post = t2g_build_sequence("processors", post,
                                  t2g_build_template(t, t->bos, T2G_NO_TOKEN));
    json_t *pre = t2g_build_sequence("pretokenizers",
                                     t2g_build_split(pattern, true),
                                     t2g_build_byte_level(false));
    return t2g_build_tokenizer(
        t, json_pack("{s:o,s:o,s:o,s:{s:b}}", "pre_tokenizer", pre,
                     "post_processor", post, "decoder",
                     t2g_build_byte_level_decoder(), "model", "ignore_merges",
                     r->whole), r->path);
}

static t2g_status use_encoding(reader *r, const encoding *e)
{
    if (r->count != e->ranks)
        return t2g_fail(T2G_ERR_FORMAT, "%s: %zu ranks, but %s has %zu",
                        r->path, r->count, e->name, e->ranks);
    t2g_status s = put_specials(r->t, e);
    if (s != T2G_OK)
        return t2g_fail_in(s, "%s", r->path);
    return set_components(r, e->pattern);
}

/* --- an encoding described in JSON ---------------------------------------- */

static t2g_status read_special(reader *r, const char *content,
                               const json_t *value)
{
    json_int_t id = json_integer_value(value);
    if (!json_is_integer(value) || id < 0 || id >= T2G_ID_LIMIT)
        return t2g_fail(T2G_ERR_FORMAT, "special_tokens: the id of '%s' is %s, "
                        "expected an integer from 0 to %d", content,
                        json_is_integer(value) ? "out of range"
                                               : t2g_json_type(value),
                        T2G_ID_LIMIT - 1);
    return put_special(r->t, content, strlen(content), (uint32_t)id);
}

static t2g_status read_specials(reader *r, const json_t *specials)
{
    const char *content;
    json_t *value;
    if (!json_is_object(specials))
        return t2g_fail(T2G_ERR_FORMAT, "special_tokens: %s, expected an "
                        "object", t2g_json_type(specials));
    json_object_foreach((json_t *)specials, content, value)
        T2G_TRY(read_special(r, content, value));
    r->t->eos = t2g_tokenizer_id(r->t, END_OF_TEXT);
    return T2G_OK;
}

/* n_vocab, if given, is the largest id + 1. */
static t2g_status check_size(const reader *r, const json_t *described)
{
    const json_t *size = json_object_get(described, "n_vocab");
    size_t found = r->t->vocabulary.size;
    if (!size || (json_is_integer(size) &&
                  json_integer_value(size) == (json_int_t)found))
        return T2G_OK;
    return t2g_fail(T2G_ERR_FORMAT, "n_vocab: expected %zu, one more than the "
                    "largest id", found);
}

static t2g_status use_description(reader *r, const json_t *described)
{
    const json_t *pattern = json_object_get(described, "pattern");
    if (!json_is_string(pattern))
        return t2g_fail(T2G_ERR_FORMAT, "pattern: %s, expected a string",
                        t2g_json_type(pattern));
    T2G_TRY(read_specials(r, json_object_get(described, "special_tokens")));
    T2G_TRY(check_size(r, described));
    return set_components(r, plain_pattern(json_string_value(pattern)));
}

/* The encoding `name` in a file of several, or the only one; *found when the
 * file has it. */
static t2g_status read_description(reader *r, const char *file,
                                   const char *name, bool *found)
{
    json_t *root = NULL;
    if (access(file, R_OK) != 0)
        return T2G_OK;
    t2g_status s = t2g_json_read(&root, file);
    if (s != T2G_OK)
        return s;
    const json_t *described = json_object_get(root, name);
    if (!described && json_object_get(root, "pattern"))
        described = root;
    if (described) {
        *found = true;
        s = use_description(r, described);
        if (s != T2G_OK)
            s = t2g_fail_in(s, "%s", file);
    }
    json_decref(root);
    return s;
}

/* NAME.json, then encodings.json in the same folder. */
static t2g_status read_beside(reader *r, bool *found)
{
    size_t folder = folder_length(r->path), stem = stem_length(r->path);
    t2g_buffer name = {0}, file = {0};
    t2g_status s = t2g_buffer_append(&name, r->path + folder, stem - folder);
    if (s == T2G_OK)
        s = t2g_buffer_printf(&file, "%.*s.json", (int)stem, r->path);
    if (s == T2G_OK)
        s = read_description(r, file.data, name.data, found);
    file.size = 0;
    if (s == T2G_OK && !*found)
        s = t2g_buffer_printf(&file, "%.*sencodings.json", (int)folder,
                              r->path);
    if (s == T2G_OK && !*found)
        s = read_description(r, file.data, name.data, found);
    t2g_buffer_free(&name);
    t2g_buffer_free(&file);
    return s;
}

static t2g_status find_and_use(reader *r)
{
    size_t folder = folder_length(r->path), stem = stem_length(r->path);
    const encoding *e = find_encoding(r->path + folder, stem - folder);
    bool found = e != NULL;
    if (e)
        return use_encoding(r, e);
    T2G_TRY(read_beside(r, &found));
    if (found)
        return T2G_OK;
    if (r->count == llama3.ranks)
        return use_encoding(r, &llama3);
    return t2g_fail(T2G_ERR_UNSUPPORTED, "%s: the ranks of no encoding known "
                    "by this name; expected %.*s.json beside it with pattern "
                    "and special_tokens", r->path, (int)(stem - folder),
                    r->path + folder);
}

t2g_status t2g_tokenizer_read_tiktoken(t2g_tokenizer *t, const char *path)
{
    reader r = {.t = t, .path = path};
    t2g_status s = read_ranks(&r);
    if (s == T2G_OK)
        s = put_merges(&r);
    if (s == T2G_OK)
        s = find_and_use(&r);
    t2g_free(r.bytes);
    t2g_buffer_free(&r.content);
    return s;
}
