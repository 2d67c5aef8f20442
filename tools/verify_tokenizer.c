/* Verifying the tokenizer: cases of Hugging Face tokenizers and our own. The
 * kinds of files (member "kind"):
 *   hf            texts -> ids, offsets, decoded text, for one tokenizer or a
 *                 list of them
 *   pretok        texts -> ends of pieces, for each splitter
 *   decode        ids -> text
 *   invalid_utf8  bytes -> position of the first that is not UTF-8
 *   bpe_train     texts and options -> vocabulary and merges
 *   save          a tokenizer -> digest of the file it is written to
 *   chat          conversations -> text, by chat templates
 *   tiktoken, gguf_tokenizer  in verify_tokenizer_files.c
 * Offsets there count characters as atomic, so ours are widened first. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../ref/tokenizer/tokenizer_private.h"
#include "sha256.h"
#include "verify_tokenizer_files.h"

/* --- JSON ---------------------------------------------------------------- */

static const char *text_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

/* A list of integers as C, null being -1; NULL without memory. */
static int64_t *integers(const json_t *list)
{
    size_t n = json_array_size(list);
    int64_t *value = t2g_calloc(n, sizeof *value);
    for (size_t i = 0; value && i < n; i++)
        value[i] = json_is_null(json_array_get(list, i))
                       ? -1 : json_integer_value(json_array_get(list, i));
    return value;
}

static void fail_memory(verifier *v)
{
    verify_fail(v, "memory", "%s", t2g_error_message());
}

/* --- comparisons --------------------------------------------------------- */

/* Compares what both have, then the numbers of elements. */
static void compare_integers(verifier *v, const char *field,
                             const int64_t *got, size_t n, const json_t *list)
{
    size_t wanted = json_array_size(list);
    int64_t *want = integers(list);
    if (!want) {
        fail_memory(v);
        return;
    }
    verify_i64(v, field, got, want, n < wanted ? n : wanted);
    if (n != wanted)
        verify_fail(v, field, "%zu elements, wanted %zu", n, wanted);
    t2g_free(want);
}

static void compare_text(verifier *v, const char *field, const t2g_buffer *got,
                         const json_t *want)
{
    verify_text(v, field, got->data ? got->data : "", got->size,
                json_string_value(want), json_string_length(want));
}

/* --- finding tokenizers -------------------------------------------------- */

/* What an error message says behind the name of the file. */
static const char *message_behind(const char *file)
{
    const char *message = t2g_error_message();
    size_t n = strlen(file);
    if (strncmp(message, file, n) == 0 && strncmp(message + n, ": ", 2) == 0)
        return message + n + 2;
    return message;
}

/* --tokenizers DIR: DIR/NAME, NAME.json or NAME/tokenizer.json, or those with
 * .gz; false when there is none. */
static bool find_tokenizer(const verifier *v, const char *name, char *path,
                           size_t size)
{
    static const char *const ends[] = {"/tokenizer.json", "/tokenizer.json.gz",
                                       ".json", ".json.gz", "", ".gz"};
    const char *dir = verify_settings(v)->tokenizers;
    for (size_t i = 0; dir && i < sizeof ends / sizeof *ends; i++) {
        snprintf(path, size, "%s/%s%s", dir, name, ends[i]);
        if (access(path, R_OK) == 0)
            return true;
    }
    return false;
}

/* Loads the tokenizer of case `id` (NULL: of the whole file). When that is not
 * possible the case is skipped, if it is one we do not support, or failed. */
static t2g_tokenizer *load(verifier *v, const char *file, const char *id,
                           const char *name)
{
    char path[4096];
    t2g_tokenizer *t;
    if (!name || !find_tokenizer(v, name, path, sizeof path)) {
        verify_skip(v, file, id, "its tokenizer is not in --tokenizers DIR");
        return NULL;
    }
    t2g_status s = t2g_tokenizer_load(&t, path);
    if (s == T2G_OK)
        return t;
    if (s == T2G_ERR_UNSUPPORTED) {
        verify_skip(v, file, id, message_behind(path));
    } else if (verify_begin(v, file, id ? id : name)) {
        verify_fail(v, "load", "%s", t2g_error_message());
        verify_end(v);
    }
    return NULL;
}

/* --- hf ------------------------------------------------------------------ */

static bool inside_character(const char *text, size_t n, size_t at)
{
    return at < n && ((unsigned char)text[at] & 0xc0) == 0x80;
}

/* A range widened to whole characters, as the reference reports it. */
static void widen(const char *text, size_t n, const size_t range[2],
                  int64_t wide[2])
{
    size_t begin = range[0], end = range[1];
    while (inside_character(text, n, begin))
        begin--;
    while (inside_character(text, n, end))
        end++;
    wide[0] = (int64_t)begin;
    wide[1] = (int64_t)end;
}

static void compare_ids(verifier *v, const t2g_encoding *e, const json_t *want)
{
    int64_t *got = t2g_calloc(e->count, sizeof *got);
    if (!got) {
        fail_memory(v);
        return;
    }
    for (size_t i = 0; i < e->count; i++)
        got[i] = e->id[i];
    compare_integers(v, "ids", got, e->count, want);
    t2g_free(got);
}

static void compare_decoded(verifier *v, const t2g_tokenizer *t,
                            const uint32_t *id, size_t n, const char *field,
                            bool skip_special, const json_t *want)
{
    t2g_buffer text = {0};
    if (!json_is_string(want))
        return; /* null: the reference cannot */
    if (t2g_tokenizer_decode(t, id, n, skip_special, &text) == T2G_OK)
        compare_text(v, field, &text, want);
    else
        verify_fail(v, field, "%s", t2g_error_message());
    t2g_buffer_free(&text);
}

/* type_ids, special_tokens_mask, attention_mask and sequence_ids, where the
 * case has them. */
static void compare_roles(verifier *v, const t2g_encoding *e, const json_t *c)
{
    static const char *const fields[] = {"type_ids", "special_tokens_mask",
                                         "attention_mask", "sequence_ids"};
    int64_t *got = t2g_calloc(e->count, sizeof *got);
    for (size_t k = 0; k < 4 && got; k++) {
        const json_t *want = json_object_get(c, fields[k]);
        for (size_t i = 0; i < e->count; i++) {
            unsigned role = e->role[i];
            bool special = role & (T2G_TOKEN_TEMPLATE | T2G_TOKEN_PADDING);
            bool padding = role & T2G_TOKEN_PADDING;
            int64_t text = special ? -1 : (role & T2G_TOKEN_SECOND) != 0;
            got[i] = k == 0   ? (int64_t)e->type_id[i]
                     : k == 1 ? special
                     : k == 2 ? !padding
                              : text;
        }
        if (want)
            compare_integers(v, fields[k], got, e->count, want);
    }
    if (!got)
        fail_memory(v);
    t2g_free(got);
}

/* Offsets of each token in the text it is of. */
static void compare_ranges(verifier *v, const t2g_encoding *e, const json_t *c)
{
    const json_t *want = json_object_get(c, "offsets");
    const json_t *text[2] = {json_object_get(c, "text"),
                             json_object_get(c, "pair")};
    int64_t *got = t2g_calloc(2 * e->count, sizeof *got);
    for (size_t i = 0; i < e->count && got; i++) {
        const json_t *own = text[(e->role[i] & T2G_TOKEN_SECOND) != 0];
        widen(json_string_value(own), json_string_length(own),
              e->offset + 2 * i, got + 2 * i);
    }
    if (got && want)
        compare_integers(v, "offsets", got, 2 * e->count, want);
    if (!got)
        fail_memory(v);
    t2g_free(got);
}

static t2g_status encode_case(const t2g_tokenizer *t, const json_t *c,
                              unsigned flags, t2g_encoding *e)
{
    const json_t *text = json_object_get(c, "text");
    const json_t *pair = json_object_get(c, "pair");
    const char *s = json_string_value(text), *m = json_string_value(pair);
    size_t n = json_string_length(text), length = json_string_length(pair);
    return pair ? t2g_tokenizer_encode_pair(t, s, n, m, length, flags, e)
                : t2g_tokenizer_encode(t, s, n, flags, e);
}

static void compare_encoding(verifier *v, const t2g_tokenizer *t,
                             const json_t *c, bool with_template)
{
    const json_t *decoded = json_object_get(c, "decoded");
    const json_t *skipped = json_object_get(c, "decoded_skip");
    unsigned flags = T2G_ENCODE_FIT | (with_template ? T2G_ENCODE_TEMPLATE : 0);
    t2g_encoding e = {0};
    if (encode_case(t, c, flags, &e) != T2G_OK) {
        verify_fail(v, "ids", "%s", t2g_error_message());
        t2g_encoding_free(&e);
        return;
    }
    compare_ids(v, &e, json_object_get(c, "ids"));
    compare_ranges(v, &e, c);
    compare_roles(v, &e, c);
    if (!with_template) {
        decoded = decoded ? decoded : json_object_get(c, "text");
        skipped = skipped ? skipped : decoded;
        compare_decoded(v, t, e.id, e.count, "decoded", false, decoded);
        compare_decoded(v, t, e.id, e.count, "decoded_skip", true, skipped);
    }
    t2g_encoding_free(&e);
}

/* Cases of one tokenizer, in a list of texts; ids of cases begin with name. */
static void verify_texts(verifier *v, const char *file, const char *name,
                         const t2g_tokenizer *t, const json_t *cases,
                         bool with_template)
{
    for (size_t i = 0; i < json_array_size(cases); i++) {
        const json_t *c = json_array_get(cases, i);
        const char *own = text_of(c, "id");
        char id[128];
        if (own)
            snprintf(id, sizeof id, "%s", own);
        else
            snprintf(id, sizeof id, "%.90s/%s%zu", name,
                     with_template ? "special" : "", i);
        if (verify_begin(v, file, id)) {
            compare_encoding(v, t, c, with_template);
            verify_end(v);
        }
    }
}

static void verify_one_tokenizer(verifier *v, const char *file,
                                 const char *name, const json_t *cases,
                                 t2g_tokenizer *t)
{
    if (!t)
        return;
    verify_texts(v, file, name, t, json_object_get(cases, "cases"), false);
    verify_texts(v, file, name, t, json_object_get(cases, "with_special"),
                 true);
    t2g_tokenizer_free(t);
}

/* One tokenizer, called by its `file` or name, or a list of small ones, which
 * are in a folder of their own. */
static void verify_hf(verifier *v, const char *file, const json_t *root)
{
    const json_t *list = json_object_get(root, "tokenizers");
    if (!list) {
        const char *name = text_of(root, "file");
        if (!name)
            name = text_of(root, "tokenizer");
        verify_one_tokenizer(v, file, text_of(root, "tokenizer"), root,
                             load(v, file, NULL, name));
        return;
    }
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *entry = json_array_get(list, i);
        const char *name = text_of(entry, "tokenizer");
        char path[256];
        snprintf(path, sizeof path, "synthetic/%s", name ? name : "");
        verify_one_tokenizer(v, file, name, entry,
                             load(v, file, name, name ? path : NULL));
    }
}

/* --- decode -------------------------------------------------------------- */

static void compare_decode_case(verifier *v, const t2g_tokenizer *t,
                                const json_t *c)
{
    const json_t *decoded = json_object_get(c, "decoded");
    const json_t *skipped = json_object_get(c, "decoded_skip");
    const json_t *ids = json_object_get(c, "ids");
    size_t n = json_array_size(ids);
    uint32_t *id = t2g_calloc(n, sizeof *id);
    if (!id) {
        fail_memory(v);
        return;
    }
    for (size_t i = 0; i < n; i++)
        id[i] = (uint32_t)json_integer_value(json_array_get(ids, i));
    compare_decoded(v, t, id, n, "decoded", false, decoded);
    compare_decoded(v, t, id, n, "decoded_skip", true,
                    skipped ? skipped : decoded);
    t2g_free(id);
}

static void verify_decode(verifier *v, const char *file, const json_t *root)
{
    const json_t *list = json_object_get(root, "tokenizers");
    for (size_t k = 0; k < json_array_size(list); k++) {
        const json_t *entry = json_array_get(list, k);
        const char *name = text_of(entry, "tokenizer");
        const json_t *cases = json_object_get(entry, "cases");
        t2g_tokenizer *t = load(v, file, name, name);
        for (size_t i = 0; t && i < json_array_size(cases); i++) {
            char id[128];
            snprintf(id, sizeof id, "%.90s/%zu", name, i);
            if (verify_begin(v, file, id)) {
                compare_decode_case(v, t, json_array_get(cases, i));
                verify_end(v);
            }
        }
        t2g_tokenizer_free(t);
    }
}

/* --- pretok -------------------------------------------------------------- */

typedef struct piece_ends {
    int64_t *end;
    size_t count;
} piece_ends;

static t2g_status note_end(void *context, const t2g_piece *piece)
{
    piece_ends *ends = context; /* there is room for an end at every byte */
    ends->end[ends->count++] = (int64_t)(piece->base + piece->n);
    return T2G_OK;
}

/* An empty tokenizer with this pre-tokenizer. */
static t2g_status new_splitter(t2g_tokenizer **t, const json_t *splitter)
{
    T2G_TRY(t2g_tokenizer_new(t));
    json_t *root = json_pack("{s:O}", "pre_tokenizer", splitter);
    t2g_status s = root ? t2g_tokenizer_set_components(*t, root, "splitter")
                        : t2g_fail(T2G_ERR_MEMORY, "no memory");
    json_decref(root);
    return s;
}

static void compare_pieces(verifier *v, const t2g_tokenizer *t,
                           const json_t *text, const json_t *want)
{
    t2g_piece whole = {json_string_value(text), json_string_length(text), 0,
                       NULL};
    piece_ends ends = {t2g_calloc(whole.n, sizeof *ends.end), 0};
    t2g_pretokenize_scratch scratch = {.regex = NULL};
    if (!ends.end)
        fail_memory(v);
    else if (t2g_regex_scratch_new(&scratch.regex) != T2G_OK ||
             t2g_pretokenize(&t->pre_tokenizer, &whole, &scratch, note_end,
                             &ends) != T2G_OK)
        verify_fail(v, "ends", "%s", t2g_error_message());
    else
        compare_integers(v, "ends", ends.end, ends.count, want);
    t2g_pretokenize_scratch_free(&scratch);
    t2g_free(ends.end);
}

static void verify_splitter(verifier *v, const char *file, const char *name,
                            const t2g_tokenizer *t, const json_t *texts,
                            const json_t *ends)
{
    for (size_t i = 0; i < json_array_size(texts); i++) {
        char id[128];
        snprintf(id, sizeof id, "%.90s/%zu", name, i);
        if (verify_begin(v, file, id)) {
            compare_pieces(v, t, json_array_get(texts, i),
                           json_array_get(ends, i));
            verify_end(v);
        }
    }
}

static void verify_pretok(verifier *v, const char *file, const json_t *root)
{
    const json_t *list = json_object_get(root, "splitters");
    for (size_t k = 0; k < json_array_size(list); k++) {
        const json_t *entry = json_array_get(list, k);
        const char *name = text_of(entry, "name");
        t2g_tokenizer *t = NULL;
        if (new_splitter(&t, json_object_get(entry, "pre_tokenizer")) == T2G_OK)
            verify_splitter(v, file, name, t, json_object_get(root, "texts"),
                            json_object_get(entry, "ends"));
        else
            verify_skip(v, file, name, message_behind("splitter"));
        t2g_tokenizer_free(t);
    }
}

/* --- invalid_utf8 -------------------------------------------------------- */

static int base64_digit(char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqr"
                                 "stuvwxyz0123456789+/";
    const char *at = c ? strchr(digits, c) : NULL;
    return at ? (int)(at - digits) : -1;
}

/* [RFC4648] section 4; stops at padding. */
static t2g_status base64_decode(const char *s, t2g_buffer *out)
{
    uint32_t bits = 0;
    int count = 0, digit;
    for (; (digit = base64_digit(*s)) >= 0; s++) {
        bits = bits << 6 | (uint32_t)digit;
        count += 6;
        if (count >= 8) {
            count -= 8;
            unsigned char byte = (unsigned char)(bits >> count);
            T2G_TRY(t2g_buffer_append(out, &byte, 1));
        }
    }
    return T2G_OK;
}

/* True at the bytes inside a character or an ill-formed subpart. */
static bool *insides(const t2g_buffer *bytes)
{
    const char *s = bytes->data;
    bool *inside = t2g_calloc(bytes->size + 1, sizeof *inside);
    for (size_t p = 0; inside && p < bytes->size;) {
        size_t valid = p + t2g_utf8_invalid(s + p, bytes->size - p);
        for (; p < valid; p++)
            inside[p] = inside_character(s, valid, p);
        size_t end = p < bytes->size
                         ? p + t2g_utf8_subpart(s + p, bytes->size - p) : p;
        for (; p < end; p++)
            inside[p] = p > valid;
    }
    return inside;
}

static void compare_exact(verifier *v, const t2g_encoding *e,
                          const t2g_buffer *bytes, const json_t *want)
{
    int64_t *got = t2g_calloc(2 * e->count, sizeof *got);
    bool *inside = insides(bytes);
    for (size_t i = 0; i < 2 * e->count && got && inside; i++) {
        size_t at = e->offset[i];
        while (inside[at])
            at += i % 2 ? 1 : (size_t)-1;
        got[i] = (int64_t)at;
    }
    if (got && inside)
        compare_integers(v, "offsets", got, 2 * e->count, want);
    else
        fail_memory(v);
    t2g_free(inside);
    t2g_free(got);
}

/* Both policies: the strict one refuses, naming the position, the other gives
 * ids and offsets. */
static void compare_validity(verifier *v, const t2g_tokenizer *t,
                             const char *name, const t2g_buffer *bytes,
                             const json_t *c)
{
    const json_t *want = json_object_get(json_object_get(c, "tokenizers"),
                                         name);
    int64_t invalid = json_integer_value(json_object_get(c, "first_invalid"));
    size_t at = t2g_utf8_invalid(bytes->data, bytes->size);
    int64_t found = at == bytes->size ? -1 : (int64_t)at;
    t2g_encoding e = {0};
    verify_i64(v, "first_invalid", &found, &invalid, 1);
    t2g_status s = t2g_tokenizer_encode(t, bytes->data, bytes->size, 0, &e);
    if (s != (invalid < 0 ? T2G_OK : T2G_ERR_FORMAT))
        verify_fail(v, "status", "%s", t2g_status_name(s));
    e.count = 0;
    s = t2g_tokenizer_encode(t, bytes->data, bytes->size, T2G_ENCODE_REPLACE,
                             &e);
    if (s != T2G_OK) {
        verify_fail(v, "ids", "%s", t2g_error_message());
    } else {
        compare_ids(v, &e, json_object_get(want, "ids"));
        compare_exact(v, &e, bytes, json_object_get(want, "offsets"));
    }
    t2g_encoding_free(&e);
}

static void verify_invalid(verifier *v, const char *file, const json_t *root)
{
    const json_t *cases = json_object_get(root, "cases");
    json_t *first = json_object_get(json_array_get(cases, 0), "tokenizers");
    const char *name;
    json_t *unused;
    json_object_foreach(first, name, unused) {
        t2g_tokenizer *t = load(v, file, name, name);
        for (size_t i = 0; t && i < json_array_size(cases); i++) {
            const json_t *c = json_array_get(cases, i);
            const char *base64 = text_of(c, "bytes_b64");
            t2g_buffer bytes = {0};
            char id[128];
            snprintf(id, sizeof id, "%.90s/%zu", name, i);
            if (base64 && verify_begin(v, file, id)) {
                if (base64_decode(base64, &bytes) == T2G_OK)
                    compare_validity(v, t, name, &bytes, c);
                else
                    fail_memory(v);
                verify_end(v);
            }
            t2g_buffer_free(&bytes);
        }
        t2g_tokenizer_free(t);
    }
}

/* --- bpe_train ----------------------------------------------------------- */

typedef struct text_list {
    const json_t *texts;
    size_t next;
} text_list;

static t2g_status next_text(void *context, const char **text, size_t *n)
{
    text_list *list = context;
    const json_t *s = json_array_get(list->texts, list->next++);
    *text = json_string_value(s);
    *n = json_string_length(s);
    return T2G_OK;
}

static size_t count_of(const json_t *options, const char *key, size_t missing)
{
    const json_t *value = json_object_get(options, key);
    return value ? (size_t)json_integer_value(value) : missing;
}

/* Position by position: contents by id, then the parts of each merge. */
static void compare_model(verifier *v, const t2g_tokenizer *t, const json_t *c)
{
    const json_t *vocab = json_object_get(c, "vocab");
    const json_t *merges = json_object_get(c, "merges");
    int64_t got[2] = {(int64_t)t->vocabulary.size, (int64_t)t->merges.count};
    int64_t want[2] = {(int64_t)json_array_size(vocab),
                       (int64_t)json_array_size(merges)};
    verify_i64(v, "sizes", got, want, 2);
    for (size_t i = 0; i < t->vocabulary.size && i < json_array_size(vocab);
         i++) {
        const json_t *content = json_array_get(vocab, i);
        verify_text(v, "vocab", token_content(&t->vocabulary, (uint32_t)i),
                    t->vocabulary.token[i].content_length,
                    json_string_value(content), json_string_length(content));
    }
    for (size_t i = 0; i < t->merges.count && i < json_array_size(merges);
         i++) {
        const t2g_merge *merge = &t->merges.merge[i];
        for (size_t side = 0; side < 2; side++) {
            uint32_t id = side ? merge->right : merge->left;
            const json_t *part = json_array_get(json_array_get(merges, i),
                                                side);
            verify_text(v, "merges", token_content(&t->vocabulary, id),
                        t->vocabulary.token[id].content_length,
                        json_string_value(part), json_string_length(part));
        }
    }
}

static void compare_training(verifier *v, const json_t *c)
{
    enum { DEFAULT_SIZE = 30000, SPECIALS = 64 };
    const json_t *o = json_object_get(c, "options");
    const json_t *specials = json_object_get(o, "special_tokens");
    text_list texts = {json_object_get(c, "sequences"), 0};
    const char *special[SPECIALS];
    json_t *parts = json_pack("{s:O,s:O}", "normalizer",
                              json_object_get(c, "normalizer"), "pre_tokenizer",
                              json_object_get(c, "pre_tokenizer"));
    char *components = json_dumps(parts, 0);
    t2g_tokenizer_training training = {
        .vocab_size = count_of(o, "vocab_size", DEFAULT_SIZE),
        .min_frequency = count_of(o, "min_frequency", 0),
        .max_token_length = count_of(o, "max_token_length", 0),
        .seen_bytes_only = !json_object_get(o, "initial_alphabet"),
        .limit_alphabet = count_of(o, "limit_alphabet", 0),
        .components = components, .special = special, .next = next_text,
        .context = &texts};
    for (; training.special_count < json_array_size(specials) &&
           training.special_count < SPECIALS; training.special_count++)
        special[training.special_count] = json_string_value(
            json_array_get(specials, training.special_count));
    t2g_tokenizer *t;
    if (t2g_tokenizer_train(&t, &training) == T2G_OK)
        compare_model(v, t, c);
    else
        verify_fail(v, "train", "%s", t2g_error_message());
    t2g_tokenizer_free(t);
    free(components);
    json_decref(parts);
}

static void verify_training(verifier *v, const char *file, const json_t *root)
{
    const json_t *cases = json_object_get(root, "cases");
    for (size_t i = 0; i < json_array_size(cases); i++) {
        const json_t *c = json_array_get(cases, i);
        const char *name = text_of(c, "name");
        if (verify_begin(v, file, name ? name : "-")) {
            compare_training(v, c);
            verify_end(v);
        }
    }
}

/* --- save ---------------------------------------------------------------- */

static void compare_printed(verifier *v, const t2g_tokenizer *t, bool pretty,
                            const json_t *want)
{
    const json_t *digest = json_object_get(want, "sha256");
    t2g_buffer text = {0};
    char hex[65];
    if (t2g_tokenizer_print(t, pretty, &text) != T2G_OK) {
        verify_fail(v, "save", "%s", t2g_error_message());
    } else {
        int64_t got = (int64_t)text.size;
        int64_t size = json_integer_value(json_object_get(want, "bytes"));
        sha256_hex(text.data, text.size, hex);
        verify_i64(v, pretty ? "pretty.bytes" : "compact.bytes", &got, &size,
                   1);
        verify_text(v, pretty ? "pretty.sha256" : "compact.sha256", hex, 64,
                    json_string_value(digest), json_string_length(digest));
    }
    t2g_buffer_free(&text);
}

/* Text in a file of its own, loaded. */
static t2g_status load_text(t2g_tokenizer **t, const json_t *text)
{
    const char *base = getenv("TMPDIR");
    char path[1024];
    *t = NULL;
    snprintf(path, sizeof path, "%s/t2g-verify-XXXXXX",
             base && *base ? base : "/tmp");
    int file = mkstemp(path);
    if (file < 0)
        return t2g_fail(T2G_ERR_IO, "%s: cannot make this file", path);
    close(file);
    t2g_status s = t2g_file_write(path, json_string_value(text),
                                  json_string_length(text));
    if (s == T2G_OK)
        s = t2g_tokenizer_load(t, path);
    (void)remove(path);
    return s;
}

static void compare_literal(verifier *v, const json_t *c)
{
    t2g_tokenizer *t;
    for (int pretty = 0; pretty < 2; pretty++) {
        const char *field = pretty ? "saved_pretty" : "saved_compact";
        const json_t *want = json_object_get(c, field);
        t2g_buffer text = {0};
        if (want && load_text(&t, json_object_get(c, "load")) == T2G_OK &&
            t2g_tokenizer_print(t, pretty, &text) == T2G_OK)
            compare_text(v, field, &text, want);
        else if (want)
            verify_fail(v, field, "%s", t2g_error_message());
        t2g_buffer_free(&text);
        if (want)
            t2g_tokenizer_free(t);
    }
}

static void verify_save(verifier *v, const char *file, const json_t *root)
{
    const json_t *cases = json_object_get(root, "cases");
    for (size_t i = 0; i < json_array_size(cases); i++) {
        const json_t *c = json_array_get(cases, i);
        const char *name = text_of(c, "tokenizer");
        t2g_tokenizer *t = load(v, file, name, name);
        if (t && verify_begin(v, file, name)) {
            compare_printed(v, t, false, json_object_get(c, "compact"));
            compare_printed(v, t, true, json_object_get(c, "pretty"));
            verify_end(v);
        }
        t2g_tokenizer_free(t);
    }
    const json_t *literal = json_object_get(root, "literal");
    for (size_t i = 0; i < json_array_size(literal); i++) {
        char id[64];
        snprintf(id, sizeof id, "literal/%zu", i);
        if (verify_begin(v, file, id)) {
            compare_literal(v, json_array_get(literal, i));
            verify_end(v);
        }
    }
}

/* --- all ----------------------------------------------------------------- */

void verify_tokenizer(verifier *v, const char *path, const json_t *root)
{
    static const struct {
        const char *kind;
        void (*verify)(verifier *v, const char *file, const json_t *root);
    } kinds[] = {
        {"hf", verify_hf},           {"pretok", verify_pretok},
        {"decode", verify_decode},   {"invalid_utf8", verify_invalid},
        {"bpe_train", verify_training}, {"save", verify_save},
        {"chat", verify_chat},
        {"tiktoken", verify_tiktoken},
        {"gguf_tokenizer", verify_gguf_tokenizer}, {"chat", verify_chat},
    };
    const char *kind = text_of(root, "kind");
    for (size_t i = 0; kind && i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(kind, kinds[i].kind) == 0) {
            kinds[i].verify(v, path, root);
            return;
        }
    verify_skip(v, path, NULL, "not a kind of tokenizer case");
}
