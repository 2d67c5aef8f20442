/* Verifying tokenizers read from files other than tokenizer.json:
 *   tiktoken        a rank file: texts -> ids, with and without special tokens
 *   gguf_tokenizer  GGUF files beside the cases: what is read, texts -> ids */
#include <string.h>
#include <unistd.h>

#include "../ref/tokenizer/tokenizer_private.h"
#include "verify_tokenizer_files.h"

static const char *text_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

/* --- texts --------------------------------------------------------------- */

static void compare_ids(verifier *v, const char *field, const t2g_encoding *e,
                        const json_t *list)
{
    size_t n = json_array_size(list), both = n < e->count ? n : e->count;
    for (size_t i = 0; i < both; i++) {
        int64_t got = e->id[i];
        int64_t want = json_integer_value(json_array_get(list, i));
        verify_i64(v, field, &got, &want, 1);
    }
    if (n != e->count)
        verify_fail(v, field, "%zu elements, wanted %zu", e->count, n);
}

/* Encodes the text of a case and compares; with `back` decodes it again. */
static void compare_text(verifier *v, const t2g_tokenizer *t, const json_t *c,
                         unsigned flags, const json_t *ids, bool back)
{
    const json_t *text = json_object_get(c, "text");
    const char *s = json_string_value(text);
    size_t n = json_string_length(text);
    const char *field = flags & T2G_ENCODE_NO_SPECIAL ? "ids_no_special"
                                                      : "ids";
    t2g_encoding e = {0};
    t2g_buffer again = {0};
    if (t2g_tokenizer_encode(t, s, n, flags, &e) != T2G_OK)
        verify_fail(v, field, "%s", t2g_error_message());
    else
        compare_ids(v, field, &e, ids);
    if (!back)
        ;
    else if (t2g_tokenizer_decode(t, e.id, e.count, false, &again) != T2G_OK)
        verify_fail(v, "decoded", "%s", t2g_error_message());
    else
        verify_text(v, "decoded", again.data ? again.data : "", again.size, s,
                    n);
    t2g_encoding_free(&e);
    t2g_buffer_free(&again);
}

/* --- tiktoken ------------------------------------------------------------ */

static void compare_tiktoken(verifier *v, const t2g_tokenizer *t,
                             const json_t *c)
{
    const json_t *all = json_object_get(c, "ids");
    const json_t *plain = json_object_get(c, "ids_no_special");
    compare_text(v, t, c, 0, all, true);
    compare_text(v, t, c, T2G_ENCODE_NO_SPECIAL, plain ? plain : all, true);
}

static bool find_with(const char *dir, const char *name, const char *end,
                      char *path, size_t size)
{
    int n = snprintf(path, size, "%s/%s%s", dir, name, end);
    return n > 0 && (size_t)n < size && access(path, R_OK) == 0;
}

/* DIR/NAME, or DIR/NAME.gz; false when there is none. */
static bool find_file(const char *dir, const char *name, char *path,
                      size_t size)
{
    return find_with(dir, name, "", path, size) ||
           find_with(dir, name, ".gz", path, size);
}

/* A case of its own says that a tokenizer does not load. */
static t2g_tokenizer *load(verifier *v, const char *file, const char *name,
                           const char *path)
{
    t2g_tokenizer *t;
    if (t2g_tokenizer_load(&t, path) == T2G_OK)
        return t;
    if (verify_begin(v, file, name)) {
        verify_fail(v, "load", "%s", t2g_error_message());
        verify_end(v);
    }
    return NULL;
}

void verify_tiktoken(verifier *v, const char *file, const json_t *root)
{
    const json_t *cases = json_object_get(root, "cases");
    const char *dir = verify_settings(v)->tokenizers;
    const char *name = text_of(root, "rank_file");
    char path[4096];
    if (!dir || !name || !find_file(dir, name, path, sizeof path)) {
        verify_skip(v, file, NULL, "its rank file is not in --tokenizers DIR");
        return;
    }
    t2g_tokenizer *t = load(v, file, name, path);
    for (size_t i = 0; t && i < json_array_size(cases); i++) {
        const json_t *c = json_array_get(cases, i);
        const char *id = text_of(c, "id");
        if (verify_begin(v, file, id ? id : "-")) {
            compare_tiktoken(v, t, c);
            verify_end(v);
        }
    }
    t2g_tokenizer_free(t);
}

/* --- gguf_tokenizer ------------------------------------------------------ */

static void compare_count(verifier *v, const json_t *entry, const char *key,
                          int64_t got)
{
    int64_t want = json_integer_value(json_object_get(entry, key));
    if (json_is_integer(json_object_get(entry, key)))
        verify_i64(v, key, &got, &want, 1);
}

static void compare_flag(verifier *v, const json_t *entry, const char *key,
                         bool got)
{
    const json_t *want = json_object_get(entry, key);
    if (json_is_boolean(want) && json_is_true(want) != got)
        verify_fail(v, key, "%s, wanted %s", got ? "true" : "false",
                    got ? "false" : "true");
}

/* The list names all added tokens: a surplus one shows in the number. */
static void compare_added(verifier *v, const t2g_tokenizer *t,
                          const json_t *list)
{
    int64_t found = 0, wanted = (int64_t)json_array_size(list);
    for (size_t id = 0; id < t->vocabulary.size; id++)
        found += (t->vocabulary.token[id].flags & TOKEN_ADDED) != 0;
    verify_i64(v, "added", &found, &wanted, 1);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *entry = json_array_get(list, i);
        const char *content = text_of(entry, "content");
        int64_t id = content ? t2g_tokenizer_id(t, content) : T2G_NO_TOKEN;
        compare_count(v, entry, "id", id);
        if (id != T2G_NO_TOKEN)
            compare_flag(v, entry, "special",
                         t2g_tokenizer_is_special(t, (uint32_t)id));
    }
}

/* What the file itself says. */
static void compare_contents(verifier *v, const t2g_tokenizer *t,
                             const json_t *entry)
{
    compare_count(v, entry, "n_tokens", (int64_t)t2g_tokenizer_size(t));
    compare_count(v, entry, "n_merges", (int64_t)t->merges.count);
    compare_count(v, entry, "bos", t2g_tokenizer_bos(t));
    compare_count(v, entry, "eos", t2g_tokenizer_eos(t));
    compare_count(v, entry, "pad", t2g_tokenizer_pad(t));
    compare_flag(v, entry, "ignore_merges", t->spelling.ignore_merges);
    compare_flag(v, entry, "add_bos", t->post.single.count > 0 &&
                                       t->post.single.part[0].kind ==
                                           PART_SPECIAL);
    compare_added(v, t, json_object_get(entry, "added"));
}

static void verify_entry(verifier *v, const char *file, const char *name,
                         const t2g_tokenizer *t, const json_t *entry)
{
    const json_t *cases = json_object_get(entry, "cases");
    if (verify_begin(v, file, name)) {
        compare_contents(v, t, entry);
        verify_end(v);
    }
    for (size_t i = 0; i < json_array_size(cases); i++) {
        const json_t *c = json_array_get(cases, i);
        char id[128];
        snprintf(id, sizeof id, "%.90s/%zu", name, i);
        if (verify_begin(v, file, id)) {
            compare_text(v, t, c, 0, json_object_get(c, "ids"), false);
            verify_end(v);
        }
    }
}

/* Beside the cases, or in --tokenizers DIR. */
static bool find_beside(const verifier *v, const char *file, const char *name,
                        char *path, size_t size)
{
    const char *slash = strrchr(file, '/');
    const char *dir = verify_settings(v)->tokenizers;
    char folder[4096];
    snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - file) : 1,
             slash ? file : ".");
    return find_file(folder, name, path, size) ||
           (dir && find_file(dir, name, path, size));
}

void verify_gguf_tokenizer(verifier *v, const char *file, const json_t *root)
{
    const json_t *files = json_object_get(root, "files");
    for (size_t i = 0; i < json_array_size(files); i++) {
        const json_t *entry = json_array_get(files, i);
        const char *name = text_of(entry, "file");
        char path[4096];
        if (!name || !find_beside(v, file, name, path, sizeof path)) {
            verify_skip(v, file, name, "its GGUF file is not beside it");
            continue;
        }
        t2g_tokenizer *t = load(v, file, name, path);
        if (t)
            verify_entry(v, file, name, t, entry);
        t2g_tokenizer_free(t);
    }
}
