#include "tokenizer_build.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../tokenizer/unicode.h"
#include "internal.h"
#include "tiktoken.h"

/* --- which file ---------------------------------------------------------- */

/* The first bytes of a regular file; 0 when it is none or cannot be read. */
static size_t read_head(const char *path, char *head, size_t size)
{
    struct stat info;
    if (stat(path, &info) != 0 || !S_ISREG(info.st_mode))
        return 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    ssize_t n = read(fd, head, size);
    close(fd);
    return n > 0 ? (size_t)n : 0;
}

t2g_tokenizer_file t2g_tokenizer_file_of(const char *path)
{
    char head[T2G_TIKTOKEN_HEAD];
    size_t n = read_head(path, head, sizeof head);
    if (n >= 4 && memcmp(head, "GGUF", 4) == 0)
        return TOKENIZER_GGUF;
    return t2g_tiktoken_named(path) || t2g_tiktoken_begins(head, n)
               ? TOKENIZER_TIKTOKEN : TOKENIZER_JSON;
}

/* --- components ---------------------------------------------------------- */

static json_t *byte_level(bool prefix_space, bool trim_offsets, bool regex)
{
    return json_pack("{s:s,s:b,s:b,s:b}", "type", "ByteLevel",
                     "add_prefix_space", prefix_space, "trim_offsets",
                     trim_offsets, "use_regex", regex);
}

json_t *t2g_build_byte_level(bool regex)
{
    return byte_level(false, true, regex);
}

json_t *t2g_build_byte_level_post(void)
{
    return byte_level(true, false, true);
}

json_t *t2g_build_byte_level_decoder(void)
{
    return byte_level(true, true, true);
}

json_t *t2g_build_split(const char *regex, bool only_matches)
{
    return json_pack("{s:s,s:{s:s},s:s,s:b}", "type", "Split", "pattern",
                     "Regex", regex, "behavior",
                     only_matches ? "Removed" : "Isolated", "invert",
                     only_matches);
}

json_t *t2g_build_sequence(const char *key, json_t *first, json_t *second)
{
    return json_pack("{s:s,s:[o,o]}", "type", "Sequence", key, first, second);
}

/* A piece of a template: a special token, or a sequence ("A", "B"). */
static int add_piece(json_t *list, const char *kind, const char *id, int type)
{
    return json_array_append_new(list, json_pack("{s:{s:s,s:i}}", kind, "id",
                                                 id, "type_id", type));
}

/* bos, the sequence, eos. */
static int add_turn(const t2g_tokenizer *t, json_t *list, int64_t bos,
                    int64_t eos, int type)
{
    const t2g_vocabulary *v = &t->vocabulary;
    int failed = 0;
    if (bos != T2G_NO_TOKEN)
        failed |= add_piece(list, "SpecialToken",
                            token_content(v, (uint32_t)bos), type);
    failed |= add_piece(list, "Sequence", type ? "B" : "A", type);
    if (eos != T2G_NO_TOKEN)
        failed |= add_piece(list, "SpecialToken",
                            token_content(v, (uint32_t)eos), type);
    return failed;
}

/* What a special token of a template stands for. */
static int add_special(const t2g_tokenizer *t, json_t *tokens, int64_t id)
{
    if (id == T2G_NO_TOKEN)
        return 0;
    const char *content = token_content(&t->vocabulary, (uint32_t)id);
    return json_object_set_new(tokens, content,
                               json_pack("{s:s,s:[i],s:[s]}", "id", content,
                                         "ids", (int)id, "tokens", content));
}

json_t *t2g_build_template(const t2g_tokenizer *t, int64_t bos, int64_t eos)
{
    json_t *single = json_array(), *pair = json_array();
    json_t *tokens = json_object();
    int failed = add_turn(t, single, bos, eos, 0) |
                 add_turn(t, pair, bos, eos, 0) |
                 add_turn(t, pair, bos, eos, 1) |
                 add_special(t, tokens, bos) | add_special(t, tokens, eos);
    json_t *out = json_pack("{s:s,s:o,s:o,s:o}", "type", "TemplateProcessing",
                            "single", single, "pair", pair, "special_tokens",
                            tokens);
    if (!failed)
        return out;
    json_decref(out);
    return NULL;
}

t2g_status t2g_build_tokenizer(t2g_tokenizer *t, json_t *root,
                               const char *file)
{
    t2g_status s = root ? T2G_OK
                        : t2g_fail(T2G_ERR_MEMORY, "%s: no memory", file);
    if (s == T2G_OK)
        s = t2g_tokenizer_set_components(t, root, file);
    if (s == T2G_OK)
        s = t2g_tokenizer_set_model_options(t, file,
                                            json_object_get(root, "model"));
    if (s == T2G_OK)
        s = t2g_tokenizer_finish(t);
    json_decref(root);
    return s;
}

/* --- cuts ---------------------------------------------------------------- */

/* Trying all positions is quadratic in the length. */
enum { LONGEST_CUT = 1024 };

static t2g_status add_cut(t2g_cuts *cuts, t2g_cut cut)
{
    if (cuts->count == cuts->capacity) {
        size_t capacity = cuts->capacity ? 2 * cuts->capacity : 1024;
        t2g_cut *more = t2g_regrow(cuts->cut, cuts->capacity, capacity,
                                   sizeof *more);
        if (!more)
            return T2G_ERR_MEMORY;
        cuts->cut = more;
        cuts->capacity = capacity;
    }
    cuts->cut[cuts->count++] = cut;
    return T2G_OK;
}

static uint32_t count_characters(const unsigned char *s, size_t n)
{
    uint32_t count = 0;
    for (size_t i = 0; i < n; i += utf8_length(s[i]))
        count++;
    return count;
}

t2g_status t2g_cuts_add(t2g_cuts *cuts, const t2g_vocabulary *v, uint32_t id,
                        float score)
{
    const char *s = token_content(v, id);
    const unsigned char *u = (const unsigned char *)s;
    size_t n = v->token[id].content_length;
    if (n > LONGEST_CUT)
        return t2g_fail(T2G_ERR_UNSUPPORTED, "token %u has %zu bytes, expected "
                        "at most %d of one to be made by merging", id, n,
                        LONGEST_CUT);
    uint32_t length = count_characters(u, n), at = 1;
    for (size_t i = n ? utf8_length(u[0]) : 0; i < n;
         i += utf8_length(u[i]), at++) {
        int64_t left = t2g_vocabulary_find(v, s, i);
        int64_t right = t2g_vocabulary_find(v, s + i, n - i);
        if (left != T2G_NO_TOKEN && right != T2G_NO_TOKEN)
            T2G_TRY(add_cut(cuts, (t2g_cut){id, (uint32_t)left,
                                            (uint32_t)right, at, length - at,
                                            score}));
    }
    return T2G_OK;
}
