/* Learning a vocabulary: count the words, then merge the most frequent pair of
 * adjacent tokens until the vocabulary is full. [SHB16] algorithm 1, with exact
 * counts and ties broken by the smaller ids, so that the order of the texts
 * does not matter. Equal to the BpeTrainer of Hugging Face tokenizers. */
#define XXH_INLINE_ALL
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "t2g/files.h"
#include "unicode.h"
#include "words.h"

enum { NO_WORD = UINT32_MAX };

/* Two adjacent tokens: how often, and in which words (a list, newest first; a
 * word may have lost the pair since). */
typedef struct pair {
    uint32_t left, right;
    uint64_t count;
    uint32_t places; /* 1 + index of the first place, 0 = none */
    uint32_t last_word;
    bool grown; /* in the list of pairs to be queued */
} pair;

typedef struct place_of_pair {
    uint32_t word, next;
} place_of_pair;

/* A pair in the queue with the count it had then; as it can only have fallen,
 * entries are checked when they come out. */
typedef struct entry {
    uint64_t count;
    uint32_t left, right, pair;
} entry;

enum { CODES = 0x110000 };

typedef struct trainer {
    t2g_tokenizer *t;
    const t2g_tokenizer_training *options;

    t2g_words words;
    uint32_t *token;  /* of all words, at the places of their texts */
    uint64_t *seen;   /* [CODES], how often each character occurs */
    uint32_t *symbol; /* [CODES], its token or T2G_NO_ID */

    pair *pair;
    size_t pair_count, pair_capacity;
    uint32_t *pair_slot;
    size_t pair_slots;

    place_of_pair *place;
    size_t place_count, place_capacity;

    uint32_t *grown;
    size_t grown_count, grown_capacity;

    entry *queue;
    size_t queue_count, queue_capacity;
} trainer;

static void trainer_free(trainer *r)
{
    t2g_words_free(&r->words);
    t2g_free(r->token);
    t2g_free(r->seen);
    t2g_free(r->symbol);
    t2g_free(r->pair);
    t2g_free(r->pair_slot);
    t2g_free(r->place);
    t2g_free(r->grown);
    t2g_free(r->queue);
}

#define GROW(r, name)                                                          \
    t2g_grow((void **)&(r)->name, (r)->name##_count, &(r)->name##_capacity,    \
             sizeof *(r)->name)

/* --- the first tokens ---------------------------------------------------- */

/* Appends a token of the model unless there is one of that content. */
static t2g_status append_token(trainer *r, const char *content, size_t n,
                               uint32_t *id)
{
    t2g_vocabulary *v = &r->t->vocabulary;
    int64_t found = t2g_vocabulary_find(v, content, n);
    *id = found == T2G_NO_TOKEN ? (uint32_t)v->size : (uint32_t)found;
    if (found != T2G_NO_TOKEN)
        return T2G_OK;
    return t2g_vocabulary_put(v, *id, content, n, TOKEN_MODEL);
}

static t2g_status append_special(trainer *r)
{
    for (size_t i = 0; i < r->options->special_count; i++) {
        const char *content = r->options->special[i];
        size_t n = strlen(content);
        uint32_t id;
        if (t2g_utf8_invalid(content, n) < n)
            return t2g_fail(T2G_ERR_ARG, "special token %zu is not UTF-8", i);
        if (n == 0)
            continue;
        T2G_TRY(append_token(r, content, n, &id));
        T2G_TRY(t2g_tokenizer_add(r->t, content, n, TOKEN_SPECIAL));
    }
    return T2G_OK;
}

static bool is_byte_level(const t2g_tokenizer *t)
{
    const t2g_pre_tokenizer *p = &t->pre_tokenizer;
    for (size_t i = 0; i < p->count; i++)
        if (p->step[i].kind == STEP_BYTE_SYMBOLS)
            return true;
    return false;
}

/* How often characters occur; the symbols of bytes always do. */
static void count_characters(trainer *r)
{
    const unsigned char *s = (const unsigned char *)r->words.text.data;
    for (size_t i = 0; i < r->words.count; i++) {
        const t2g_word *w = &r->words.word[i];
        for (size_t p = w->begin; p < w->begin + w->length;
             p += utf8_length(s[p]))
            r->seen[utf8_decode(s + p)] += w->count;
    }
    if (is_byte_level(r->t) && !r->options->seen_bytes_only)
        for (int byte = 0; byte < 256; byte++)
            r->seen[t2g_byte_symbol((unsigned char)byte)] = UINT64_MAX;
}

typedef struct character {
    uint32_t code;
    uint64_t count;
} character;

/* The most frequent first, of equals the smaller. */
static int compare_characters(const void *a, const void *b)
{
    const character *x = a, *y = b;
    if (x->count != y->count)
        return x->count < y->count ? 1 : -1;
    return (x->code > y->code) - (x->code < y->code);
}

/* Forgets all but the most frequent characters. */
static t2g_status limit_alphabet(trainer *r)
{
    size_t count = 0, limit = r->options->limit_alphabet;
    for (uint32_t code = 0; code < CODES; code++)
        count += r->seen[code] > 0;
    if (limit == 0 || count <= limit)
        return T2G_OK;
    character *all = t2g_calloc(count, sizeof *all);
    if (!all)
        return T2G_ERR_MEMORY;
    size_t k = 0;
    for (uint32_t code = 0; code < CODES; code++)
        if (r->seen[code] > 0)
            all[k++] = (character){code, r->seen[code]};
    qsort(all, count, sizeof *all, compare_characters);
    for (k = limit; k < count; k++)
        r->seen[all[k].code] = 0;
    t2g_free(all);
    return T2G_OK;
}

/* The characters by code point. */
static t2g_status append_alphabet(trainer *r)
{
    r->seen = t2g_calloc(CODES, sizeof *r->seen);
    r->symbol = t2g_calloc(CODES, sizeof *r->symbol);
    if (!r->seen || !r->symbol)
        return T2G_ERR_MEMORY;
    count_characters(r);
    T2G_TRY(limit_alphabet(r));
    for (uint32_t code = 0; code < CODES; code++) {
        char text[4];
        r->symbol[code] = T2G_NO_ID;
        if (r->seen[code] > 0)
            T2G_TRY(append_token(r, text, utf8_encode(text, code),
                                 &r->symbol[code]));
    }
    return T2G_OK;
}

/* --- counts of pairs ----------------------------------------------------- */

static size_t pair_slot_of(const trainer *r, uint32_t left, uint32_t right)
{
    uint64_t key = (uint64_t)left << 32 | right;
    size_t i = XXH3_64bits(&key, sizeof key) & (r->pair_slots - 1);
    for (; r->pair_slot[i] != 0; i = (i + 1) & (r->pair_slots - 1)) {
        const pair *p = &r->pair[r->pair_slot[i] - 1];
        if (p->left == left && p->right == right)
            break;
    }
    return i;
}

static t2g_status grow_pair_slots(trainer *r)
{
    if (2 * (r->pair_count + 1) <= r->pair_slots)
        return T2G_OK;
    size_t slots = r->pair_slots ? 2 * r->pair_slots : 4096;
    uint32_t *slot = t2g_calloc(slots, sizeof *slot);
    if (!slot)
        return T2G_ERR_MEMORY;
    t2g_free(r->pair_slot);
    r->pair_slot = slot;
    r->pair_slots = slots;
    for (size_t i = 0; i < r->pair_count; i++)
        slot[pair_slot_of(r, r->pair[i].left, r->pair[i].right)] =
            (uint32_t)i + 1;
    return T2G_OK;
}

/* The pair occurs `count` times more, in word w. */
static t2g_status gain(trainer *r, uint32_t left, uint32_t right, uint32_t w)
{
    T2G_TRY(grow_pair_slots(r));
    size_t slot = pair_slot_of(r, left, right);
    if (r->pair_slot[slot] == 0) {
        T2G_TRY(GROW(r, pair));
        r->pair[r->pair_count++] = (pair){.left = left, .right = right,
                                          .last_word = NO_WORD};
        r->pair_slot[slot] = (uint32_t)r->pair_count;
    }
    uint32_t index = r->pair_slot[slot] - 1;
    pair *p = &r->pair[index];
    if (p->last_word != w) {
        T2G_TRY(GROW(r, place));
        r->place[r->place_count++] = (place_of_pair){w, p->places};
        p->places = (uint32_t)r->place_count;
        p->last_word = w;
    }
    if (!p->grown) {
        T2G_TRY(GROW(r, grown));
        r->grown[r->grown_count++] = index;
        p->grown = true;
    }
    p->count += r->words.word[w].count;
    return T2G_OK;
}

/* It occurs less. Pairs too long for max_token_length were never counted. */
static void lose(trainer *r, uint32_t left, uint32_t right, uint32_t w)
{
    size_t slot = pair_slot_of(r, left, right);
    if (r->pair_slot[slot] != 0)
        r->pair[r->pair_slot[slot] - 1].count -= r->words.word[w].count;
}

/* From characters to tokens, those left out of the alphabet dropped, and the
 * counts to begin with. */
static t2g_status spell_words(trainer *r)
{
    const unsigned char *s = (const unsigned char *)r->words.text.data;
    r->token = t2g_calloc(r->words.text.size, sizeof *r->token);
    if (!r->token)
        return T2G_ERR_MEMORY;
    for (size_t i = 0; i < r->words.count; i++) {
        t2g_word *w = &r->words.word[i];
        uint32_t *token = r->token + w->begin;
        size_t count = 0;
        for (size_t p = w->begin; p < w->begin + w->length;
             p += utf8_length(s[p])) {
            uint32_t id = r->symbol[utf8_decode(s + p)];
            if (id != T2G_NO_ID)
                token[count++] = id;
        }
        w->length = count;
        for (size_t k = 0; k + 1 < count; k++)
            T2G_TRY(gain(r, token[k], token[k + 1], (uint32_t)i));
    }
    return T2G_OK;
}

/* --- the queue ----------------------------------------------------------- */

static bool comes_before(const entry *a, const entry *b)
{
    if (a->count != b->count)
        return a->count > b->count;
    return a->left != b->left ? a->left < b->left : a->right < b->right;
}

static t2g_status push(trainer *r, uint32_t index)
{
    const pair *p = &r->pair[index];
    entry e = {p->count, p->left, p->right, index};
    T2G_TRY(GROW(r, queue));
    size_t i = r->queue_count++;
    for (; i > 0 && comes_before(&e, &r->queue[(i - 1) / 2]); i = (i - 1) / 2)
        r->queue[i] = r->queue[(i - 1) / 2];
    r->queue[i] = e;
    return T2G_OK;
}

static entry pop(trainer *r)
{
    entry top = r->queue[0], last = r->queue[--r->queue_count];
    size_t i = 0, child;
    for (; (child = 2 * i + 1) < r->queue_count; i = child) {
        if (child + 1 < r->queue_count &&
            comes_before(&r->queue[child + 1], &r->queue[child]))
            child++;
        if (!comes_before(&r->queue[child], &last))
            break;
        r->queue[i] = r->queue[child];
    }
    r->queue[i] = last;
    return top;
}

static t2g_status push_grown(trainer *r)
{
    for (size_t i = 0; i < r->grown_count; i++) {
        r->pair[r->grown[i]].grown = false;
        if (r->pair[r->grown[i]].count > 0)
            T2G_TRY(push(r, r->grown[i]));
    }
    r->grown_count = 0;
    return T2G_OK;
}

/* The pair of the highest count, then the smallest ids; NULL when none reaches
 * the least count. An entry whose count has fallen goes back with the new. */
static t2g_status most_frequent(trainer *r, pair **best)
{
    uint64_t least = r->options->min_frequency;
    *best = NULL;
    while (r->queue_count > 0) {
        entry e = pop(r);
        pair *p = &r->pair[e.pair];
        if (p->count == e.count && p->count >= least) {
            *best = p;
            return T2G_OK;
        }
        if (p->count != e.count && p->count > 0 && p->count >= least)
            T2G_TRY(push(r, e.pair));
    }
    return T2G_OK;
}

/* --- merging ------------------------------------------------------------- */

static size_t characters_of(const t2g_vocabulary *v, uint32_t id)
{
    const unsigned char *s = (const unsigned char *)token_content(v, id);
    size_t count = 0;
    for (size_t p = 0; p < v->token[id].content_length; p += utf8_length(s[p]))
        count++;
    return count;
}

/* A pair with a new token counts only if the result stays below the limit. */
static bool fits(const trainer *r, uint32_t left, uint32_t right)
{
    const t2g_vocabulary *v = &r->t->vocabulary;
    return r->options->max_token_length == 0 ||
           characters_of(v, left) + characters_of(v, right) <
               r->options->max_token_length;
}

/* Replaces the pair in word w, from left to right. */
static t2g_status merge_word(trainer *r, uint32_t w, uint32_t left,
                             uint32_t right, uint32_t id)
{
    uint32_t *token = r->token + r->words.word[w].begin;
    size_t kept = 0, length = r->words.word[w].length;
    for (size_t i = 0; i < length;) {
        if (token[i] != left || i + 1 == length || token[i + 1] != right) {
            token[kept++] = token[i++];
            continue;
        }
        if (kept > 0) {
            lose(r, token[kept - 1], left, w);
            if (fits(r, token[kept - 1], id))
                T2G_TRY(gain(r, token[kept - 1], id, w));
        }
        if (i + 2 < length) {
            lose(r, right, token[i + 2], w);
            if (fits(r, id, token[i + 2]))
                T2G_TRY(gain(r, id, token[i + 2], w));
        }
        token[kept++] = id;
        i += 2;
    }
    r->words.word[w].length = kept;
    return T2G_OK;
}

static t2g_status merged_token(trainer *r, const pair *p, uint32_t *id)
{
    const t2g_vocabulary *v = &r->t->vocabulary;
    t2g_buffer content = {0};
    t2g_status s = t2g_buffer_append(&content, token_content(v, p->left),
                                     v->token[p->left].content_length);
    if (s == T2G_OK)
        s = t2g_buffer_append(&content, token_content(v, p->right),
                              v->token[p->right].content_length);
    if (s == T2G_OK)
        s = append_token(r, content.data, content.size, id);
    t2g_buffer_free(&content);
    return s;
}

static t2g_status merge_pair(trainer *r, pair *p)
{
    uint32_t id = 0, left = p->left, right = p->right;
    uint32_t places = p->places;
    size_t index = (size_t)(p - r->pair); /* r->pair moves when it grows */
    T2G_TRY(merged_token(r, p, &id));
    T2G_TRY(t2g_merges_put(&r->t->merges, left, right, id));
    for (; places != 0; places = r->place[places - 1].next)
        T2G_TRY(merge_word(r, r->place[places - 1].word, left, right, id));
    r->pair[index].count = 0;
    return push_grown(r);
}

static void report(const trainer *r)
{
    const t2g_tokenizer_training *o = r->options;
    if (o->progress)
        o->progress(o->context, r->t->vocabulary.size, o->vocab_size);
}

static t2g_status merge_pairs(trainer *r)
{
    enum { REPORT_EVERY = 64 };
    pair *best;
    for (size_t n = 0; r->t->vocabulary.size < r->options->vocab_size; n++) {
        if (n % REPORT_EVERY == 0)
            report(r);
        T2G_TRY(most_frequent(r, &best));
        if (!best)
            break;
        T2G_TRY(merge_pair(r, best));
    }
    report(r);
    return T2G_OK;
}

/* --- the tokenizer around it --------------------------------------------- */

static json_t *byte_level(bool prefix_space, bool regex)
{
    return json_pack("{s:s,s:b,s:b,s:b}", "type", "ByteLevel",
                     "add_prefix_space", prefix_space, "trim_offsets", 1,
                     "use_regex", regex);
}

/* GPT-2's pre-tokenizer is in ByteLevel, the others are a pattern before it. */
static json_t *pre_tokenizer(const char *pattern)
{
    if (!pattern)
        return byte_level(false, true);
    return json_pack("{s:s,s:[{s:s,s:{s:s},s:s,s:b},o]}", "type", "Sequence",
                     "pretokenizers", "type", "Split", "pattern", "Regex",
                     pattern, "behavior", "Isolated", "invert", 0,
                     byte_level(false, false));
}

/* Sets what root says, with a model that has no options; frees root. */
static t2g_status set_components(t2g_tokenizer *t, json_t *root)
{
    json_t *model = json_object();
    t2g_status s = root && model ? T2G_OK
                                 : t2g_fail(T2G_ERR_MEMORY, "no memory");
    if (s == T2G_OK)
        s = t2g_tokenizer_set_components(t, root, "training");
    if (s == T2G_OK)
        s = t2g_tokenizer_set_model_options(t, "training", model);
    json_decref(root);
    json_decref(model);
    return s;
}

static t2g_status use_named(t2g_tokenizer *t, const char *name)
{
    const char *pattern = NULL;
    if (!name)
        name = "gpt2";
    if (strcmp(name, "llama3") == 0)
        pattern = t2g_pattern_cl100k;
    else if (strcmp(name, "qwen2") == 0)
        pattern = t2g_pattern_qwen2;
    else if (strcmp(name, "gpt2") != 0)
        return t2g_fail(T2G_ERR_ARG, "pre-tokenizer '%s', expected gpt2, "
                        "llama3 or qwen2", name);
    return set_components(t, json_pack("{s:o,s:o}", "pre_tokenizer",
                                       pre_tokenizer(pattern), "decoder",
                                       byte_level(true, true)));
}

static t2g_status use_given(t2g_tokenizer *t, const char *components)
{
    json_error_t error;
    json_t *root = json_loads(components, JSON_REJECT_DUPLICATES, &error);
    if (!json_is_object(root)) {
        json_decref(root);
        return t2g_fail(T2G_ERR_ARG, "components of the tokenizer: %s",
                        root ? "not an object" : error.text);
    }
    return set_components(t, root);
}

static t2g_status set_role(const t2g_tokenizer *t, const char *role,
                           const char *content, int64_t *id)
{
    if (!content)
        return T2G_OK;
    *id = t2g_tokenizer_id(t, content);
    if (*id == T2G_NO_TOKEN || !t2g_tokenizer_is_special(t, (uint32_t)*id))
        return t2g_fail(T2G_ERR_ARG, "%s token '%s' is not among the special "
                        "tokens", role, content);
    return T2G_OK;
}

static t2g_status check_options(const t2g_tokenizer_training *o)
{
    bool bytes = !o->seen_bytes_only && !o->components;
    size_t least = o->special_count + (bytes ? 256 : 0);
    if (o->vocab_size >= T2G_ID_LIMIT)
        return t2g_fail(T2G_ERR_ARG, "vocabulary size %zu, expected less than "
                        "%d", o->vocab_size, T2G_ID_LIMIT);
    if (o->vocab_size < least)
        return t2g_fail(T2G_ERR_ARG, "vocabulary size %zu, expected at least "
                        "%zu: %zu special tokens and 256 bytes", o->vocab_size,
                        least, o->special_count);
    return T2G_OK;
}

static t2g_status train(trainer *r)
{
    const t2g_tokenizer_training *o = r->options;
    T2G_TRY(check_options(o));
    T2G_TRY(o->components ? use_given(r->t, o->components)
                          : use_named(r->t, o->pre_tokenizer));
    T2G_TRY(t2g_words_count(&r->words, r->t, o));
    T2G_TRY(append_special(r));
    T2G_TRY(append_alphabet(r));
    T2G_TRY(spell_words(r));
    T2G_TRY(push_grown(r));
    T2G_TRY(merge_pairs(r));
    T2G_TRY(set_role(r->t, "bos", o->bos, &r->t->bos));
    T2G_TRY(set_role(r->t, "eos", o->eos, &r->t->eos));
    T2G_TRY(set_role(r->t, "pad", o->pad, &r->t->pad));
    return t2g_tokenizer_finish(r->t);
}

t2g_status t2g_tokenizer_train(t2g_tokenizer **t,
                               const t2g_tokenizer_training *options)
{
    trainer r = {.options = options};
    T2G_TRY(t2g_tokenizer_new(t));
    r.t = *t;
    t2g_status s = train(&r);
    trainer_free(&r);
    if (s != T2G_OK) {
        t2g_tokenizer_free(*t);
        *t = NULL;
    }
    return s;
}
