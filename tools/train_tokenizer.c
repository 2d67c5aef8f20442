/* t2g train-tokenizer: a byte-level BPE vocabulary of one's own. */
#include <string.h>
#include <sys/stat.h>

#include "text_files.h"

typedef struct tokenizer_options {
    const char *output_dir, *format, *bos, *eos, *pad;
    string_list fields, special;
    uint64_t vocab_size, min_frequency;
    int pre_tokenizer;
    bool overwrite, skip_bad_lines;
} tokenizer_options;

static const char *const pre_tokenizers[] = {"gpt2", "llama3", "qwen2", NULL};

/* --- special tokens ------------------------------------------------------ */

static const char *const bos_names[] = {"<s>", "<|begin_of_text|>", "<bos>",
                                        "<|startoftext|>", NULL};
static const char *const eos_names[] = {"</s>", "<|end_of_text|>", "<eos>",
                                        "<|endoftext|>", "<|im_end|>", NULL};
static const char *const pad_names[] = {"<pad>", "<|pad|>", "[PAD]", NULL};

static const char *find(const string_list *list, const char *name)
{
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->item[i], name) == 0)
            return list->item[i];
    return NULL;
}

/* The token of a role: as given, else the usual name that is in the list. */
static const char *role(const string_list *special, const char *given,
                        const char *const *names)
{
    const char *found = given;
    for (; !found && *names; names++)
        found = find(special, *names);
    return found;
}

/* The special tokens and behind them those roles that are not among them; the
 * caller frees the list. */
static const char **special_tokens(const tokenizer_options *o, size_t *count)
{
    static const char *const usual[] = {"<|endoftext|>", "<|pad|>"};
    const char *const roles[] = {o->bos, o->eos, o->pad};
    size_t most = o->special.count + 3 + sizeof usual / sizeof *usual;
    const char **list = t2g_calloc(most, sizeof *list);
    *count = 0;
    for (size_t i = 0; list && i < o->special.count; i++)
        list[(*count)++] = o->special.item[i];
    for (size_t i = 0; list && i < 3; i++) {
        string_list so_far = {list, *count};
        if (roles[i] && !find(&so_far, roles[i]))
            list[(*count)++] = roles[i];
    }
    for (size_t i = 0; list && *count < 2 && i < 2 && !o->special.count &&
                       !o->bos && !o->eos && !o->pad; i++)
        list[(*count)++] = usual[i];
    return list;
}

/* --- training ------------------------------------------------------------ */

typedef struct trainer {
    const invocation *inv;
    text_files files;
    uint64_t vocab_size;
    size_t texts, bytes;
    progress bar;
} trainer;

static t2g_status next_text(void *context, const char **text, size_t *length)
{
    trainer *t = context;
    if (cli_interrupted())
        return t2g_fail(T2G_ERR_INTERRUPTED, "interrupted, nothing written");
    T2G_TRY(text_files_next(&t->files, text, length));
    if (*text) {
        t->texts++;
        t->bytes += *length;
        progress_update(&t->bar, t->bytes, t->bytes, "B", NULL);
        return T2G_OK;
    }
    progress_end(&t->bar, NULL);
    progress_begin(&t->bar, t->inv, "training the tokenizer", t->vocab_size);
    return T2G_OK;
}

/* Bytes of the files; 0 where that does not say how much text there is. */
static uint64_t size_of_files(const invocation *inv)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < inv->file_count; i++) {
        struct stat info;
        size_t n = strlen(inv->files[i]);
        bool packed = n >= 3 && strcmp(inv->files[i] + n - 3, ".gz") == 0;
        if (packed || stat(inv->files[i], &info) != 0 ||
            !S_ISREG(info.st_mode))
            return 0;
        sum += (uint64_t)info.st_size;
    }
    return sum;
}

static void show_progress(void *context, size_t done, size_t total)
{
    trainer *t = context;
    (void)total;
    progress_update(&t->bar, done, done, "token", NULL);
}

static void show_skipped(void *context, const char *message)
{
    cli_note(context, "skipped: %s", message);
}

static void report(const trainer *t, const t2g_tokenizer *tok, const char *dir)
{
    size_t size = t2g_tokenizer_size(tok);
    if (t->files.skipped)
        cli_note(t->inv, "%zu broken lines were skipped", t->files.skipped);
    if (size < t->bar.total)
        cli_note(t->inv, "only %zu of %llu tokens: the texts have no more "
                 "pairs that are frequent enough", size,
                 (unsigned long long)t->bar.total);
    if (t->inv->common.json)
        printf("{\"vocab_size\":%zu,\"texts\":%zu,\"bytes\":%zu}\n", size,
               t->texts, t->bytes);
    else
        printf("%s: %zu tokens from %zu texts (%zu bytes)\n", dir, size,
               t->texts, t->bytes);
}

static t2g_status work(const invocation *inv, const tokenizer_options *o,
                       const char **special, size_t special_count)
{
    string_list list = {special, special_count};
    trainer t = {.inv = inv, .vocab_size = o->vocab_size,
                 .files = {.path = inv->files, .path_count = inv->file_count,
                           .format = o->format, .fields = o->fields,
                           .by_line = true, .skip_bad = o->skip_bad_lines,
                           .report = show_skipped, .context = (void *)inv}};
    t2g_tokenizer_training training = {
        .vocab_size = o->vocab_size, .min_frequency = o->min_frequency,
        .pre_tokenizer = pre_tokenizers[o->pre_tokenizer],
        .special = special, .special_count = special_count,
        .bos = role(&list, o->bos, bos_names),
        .eos = role(&list, o->eos, eos_names),
        .pad = role(&list, o->pad, pad_names),
        .next = next_text, .progress = show_progress, .context = &t};
    t2g_tokenizer *tok = NULL;
    progress_begin(&t.bar, inv, "reading", size_of_files(inv));
    t2g_status s = t2g_tokenizer_train(&tok, &training);
    progress_end(&t.bar, NULL);
    if (s == T2G_OK) /* now, so that a failure leaves no half-made folder */
        s = cli_output_dir(inv, o->output_dir, false, o->overwrite);
    if (s == T2G_OK)
        s = t2g_tokenizer_save(tok, o->output_dir);
    if (s == T2G_OK)
        report(&t, tok, o->output_dir);
    t2g_tokenizer_free(tok);
    text_files_free(&t.files);
    return s;
}

/* --- the command --------------------------------------------------------- */

static int run_parsed(const invocation *inv, const tokenizer_options *o)
{
    size_t count;
    if (inv->file_count == 0 || !o->output_dir)
        return cli_usage(inv, "needs --output-dir and files of text");
    const char **special = special_tokens(o, &count);
    cli_catch_interrupts();
    int status = special && work(inv, o, special, count) == T2G_OK
                     ? EXIT_DONE : cli_failed(inv);
    t2g_free(special);
    return status;
}

static int run(const command *self, int argc, char **argv)
{
    tokenizer_options o = {.vocab_size = 30000};
    option table[] = {
        {"field", OPTION_LIST, &o.fields, "Input",
         "members of JSON Lines records to train on (default: text, prompt, "
         "completion, response, messages, ...)", 0, 0, NULL, false},
        {"format", OPTION_TEXT, &o.format, "Input",
         "layout of the records: fgrlhf, slf5k, ultrafeedback, kodcode", 0, 0,
         NULL, false},
        {"skip-bad-lines", OPTION_FLAG, &o.skip_bad_lines, "Input",
         "count and list broken lines instead of stopping", 0, 0, NULL, false},
        {"output-dir", OPTION_TEXT, &o.output_dir, "Output",
         "folder for tokenizer.json and tokenizer_config.json", 0, 0, NULL,
         false},
        {"overwrite", OPTION_FLAG, &o.overwrite, "Output",
         "replace another run's files", 0, 0, NULL, false},
        {"vocab-size", OPTION_COUNT, &o.vocab_size, "Vocabulary",
         "tokens, the 256 bytes and special tokens included", 257, 4194303,
         NULL, false},
        {"min-frequency", OPTION_COUNT, &o.min_frequency, "Vocabulary",
         "least count of a pair to be merged", 0, 1e15, NULL, false},
        {"pre-tokenizer", OPTION_CHOICE, &o.pre_tokenizer, "Vocabulary",
         "how text is cut into words", 0, 0, pre_tokenizers, false},
        {"special-tokens", OPTION_LIST, &o.special, "Special tokens",
         "in the order of their ids (default: <|endoftext|>,<|pad|>)", 0, 0,
         NULL, false},
        {"bos-token", OPTION_TEXT, &o.bos, "Special tokens",
         "begin of text (default: <s> or the like, if among them)", 0, 0, NULL,
         false},
        {"eos-token", OPTION_TEXT, &o.eos, "Special tokens",
         "end of text (default: <|endoftext|> or the like)", 0, 0, NULL, false},
        {"pad-token", OPTION_TEXT, &o.pad, "Special tokens",
         "padding (default: <|pad|> or the like)", 0, 0, NULL, false},
        {0}};
    invocation inv;
    int status = cli_parse(&inv, self, table, argc, argv);
    if (status >= 0)
        return status;
    status = run_parsed(&inv, &o);
    cli_free(&inv);
    return status;
}

const command command_train_tokenizer = {
    "train-tokenizer", "trains a byte-level BPE tokenizer on text or records",
    "--output-dir DIR [options] FILE...",
    "t2g train-tokenizer --vocab-size 2000 --output-dir tok corpus.txt",
    run};
