/* t2g tokenize: text to ids, byte offsets and token texts, and back. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "chat.h"
#include "text_files.h"

typedef struct tokenize_options {
    const char *tokenizer, *text, *format, *chat_template;
    string_list fields;
    bool decode, count, add_special, split_special, skip_special, replace, fit,
        apply_chat, add_generation;
} tokenize_options;

typedef struct view {
    const invocation *inv;
    const tokenize_options *o;
    t2g_tokenizer *t;
    chat_style chat;
    t2g_encoding work; /* of the text in hand */
    bool colour;
    size_t tokens, bytes; /* so far */
} view;

/* --- JSON ---------------------------------------------------------------- */

/* Prints value on a line of its own and releases it. */
static t2g_status print_json(json_t *value)
{
    char *line = value ? json_dumps(value, JSON_COMPACT) : NULL;
    json_decref(value);
    if (!line)
        return t2g_fail(T2G_ERR_MEMORY, "no memory for a line of JSON");
    puts(line);
    free(line);
    return T2G_OK;
}

/* Text of one token, bytes that are no whole character replaced. */
static t2g_status token_text(const view *v, uint32_t id, t2g_buffer *out)
{
    out->size = 0;
    T2G_TRY(t2g_buffer_append(out, "", 0));
    return t2g_tokenizer_decode(v->t, &id, 1, false, out);
}

static t2g_status encoding_to_json(const view *v, const t2g_encoding *e,
                                   json_t *ids, json_t *offsets,
                                   json_t *tokens)
{
    t2g_buffer text = {0};
    t2g_status s = T2G_OK;
    int failed = 0;
    for (size_t i = 0; i < e->count && s == T2G_OK; i++) {
        s = token_text(v, e->id[i], &text);
        failed |= json_array_append_new(ids, json_integer(e->id[i]));
        for (size_t k = 2 * i; k < 2 * i + 2; k++)
            failed |= json_array_append_new(
                offsets, json_integer((json_int_t)e->offset[k]));
        if (s == T2G_OK)
            failed |= json_array_append_new(tokens, json_stringn(text.data,
                                                                 text.size));
    }
    t2g_buffer_free(&text);
    return failed && s == T2G_OK ? t2g_fail(T2G_ERR_MEMORY, "no memory") : s;
}

static t2g_status print_encoding_json(const view *v, const t2g_encoding *e)
{
    json_t *ids = json_array(), *offsets = json_array();
    json_t *tokens = json_array();
    t2g_status s = encoding_to_json(v, e, ids, offsets, tokens);
    json_t *line = json_pack("{s:o,s:o,s:o}", "ids", ids, "offsets", offsets,
                             "tokens", tokens);
    if (s == T2G_OK)
        return print_json(line);
    json_decref(line);
    return s;
}

/* --- plain and coloured -------------------------------------------------- */

/* A token on a line: id, begin, end, text as JSON. */
static t2g_status print_table(const view *v, const t2g_encoding *e)
{
    t2g_buffer text = {0};
    t2g_status s = T2G_OK;
    for (size_t i = 0; i < e->count && s == T2G_OK; i++) {
        s = token_text(v, e->id[i], &text);
        json_t *string = s == T2G_OK ? json_stringn(text.data, text.size)
                                     : NULL;
        char *quoted = string ? json_dumps(string, JSON_ENCODE_ANY) : NULL;
        if (s == T2G_OK && !quoted)
            s = t2g_fail(T2G_ERR_MEMORY, "no memory for a token");
        if (s == T2G_OK)
            printf("%u\t%zu\t%zu\t%s\n", e->id[i], e->offset[2 * i],
                   e->offset[2 * i + 1], quoted);
        free(quoted);
        json_decref(string);
    }
    t2g_buffer_free(&text);
    return s;
}

/* The background never runs over a line's end. */
static void print_coloured(const char *text, size_t n, int background)
{
    printf("\033[30;%dm", background);
    for (size_t i = 0; i < n; i++) {
        if (text[i] == '\n')
            fputs("\u21b5\033[0m", stdout);
        if ((unsigned char)text[i] < 0x20 && text[i] != '\n' && text[i] != '\t')
            putchar('.');
        else
            putchar(text[i]);
        if (text[i] == '\n')
            printf("\033[30;%dm", background);
    }
    fputs("\033[0m", stdout);
}

/* Tokens in changing colours; those that end inside a character share theirs
 * with the next. Special tokens that are not in the text are written out. */
static void print_view(const view *v, const t2g_encoding *e, const char *text,
                       size_t n)
{
    static const int colours[] = {46, 42, 43, 45};
    size_t shown = 0, colour = 0;
    for (size_t i = 0; i < e->count; i++) {
        size_t end = e->offset[2 * i + 1], length;
        if (end == e->offset[2 * i]) {
            const char *bytes = t2g_tokenizer_bytes(v->t, e->id[i], &length);
            print_coloured(bytes ? bytes : "", length, 47);
            continue;
        }
        if (end < n && ((unsigned char)text[end] & 0xc0) == 0x80)
            continue;
        if (end > shown)
            print_coloured(text + shown, end - shown, colours[colour++ % 4]);
        shown = end > shown ? end : shown;
    }
    fwrite(text + shown, 1, n - shown, stdout);
    printf("\n%zu tokens, %zu bytes\n", e->count, n);
}

/* --- encoding ------------------------------------------------------------ */

static t2g_status show(view *v, const t2g_encoding *e, const char *text,
                       size_t n)
{
    v->tokens += e->count;
    v->bytes += n;
    if (v->inv->common.json && v->o->count)
        return print_json(json_pack("{s:I,s:I}", "tokens",
                                    (json_int_t)e->count, "bytes",
                                    (json_int_t)n));
    if (v->inv->common.json)
        return print_encoding_json(v, e);
    if (v->o->count)
        printf("%zu\n", e->count);
    else if (v->colour)
        print_view(v, e, text, n);
    else
        return print_table(v, e);
    return T2G_OK;
}

static t2g_status encode(view *v, const char *text, size_t n)
{
    const tokenize_options *o = v->o;
    unsigned flags = (o->add_special ? T2G_ENCODE_TEMPLATE : 0) |
                     (o->split_special ? T2G_ENCODE_NO_SPECIAL : 0) |
                     (o->replace ? T2G_ENCODE_REPLACE : 0) |
                     (o->fit ? T2G_ENCODE_FIT : 0);
    v->work.count = 0;
    T2G_TRY(t2g_tokenizer_encode(v->t, text, n, flags, &v->work));
    return show(v, &v->work, text, n);
}

/* --- conversations ------------------------------------------------------- */

static t2g_status encode_messages(view *v, const json_t *record)
{
    json_t *messages = chat_messages(record);
    v->work.count = 0;
    t2g_status s = messages
                       ? chat_encode(&v->chat, messages, v->o->add_generation,
                                     &v->work)
                       : t2g_fail(T2G_ERR_FORMAT, "no messages and no prompt");
    json_decref(messages);
    const t2g_buffer *text = &v->chat.text.text;
    return s == T2G_OK ? show(v, &v->work, text->data ? text->data : "",
                              text->size) : s;
}

/* Records of messages or prompts, through the chat template. */
static t2g_status encode_conversations(view *v, const text_files *files)
{
    for (size_t k = 0; k < files->path_count; k++) {
        t2g_records r = {0};
        t2g_status s = t2g_records_read(&r, files->path[k], files->format,
                                        false, NULL, NULL);
        for (size_t i = 0; i < r.count && s == T2G_OK; i++) {
            s = encode_messages(v, r.record[i]);
            if (s != T2G_OK)
                s = t2g_fail_in(s, "%s:%zu", r.path, r.line[i]);
        }
        t2g_records_free(&r);
        T2G_TRY(s);
    }
    return T2G_OK;
}

/* --- decoding ------------------------------------------------------------ */

typedef struct id_list {
    uint32_t *id;
    size_t count, capacity;
} id_list;

static t2g_status add_id(const view *v, id_list *list, unsigned long long id)
{
    if (id >= t2g_tokenizer_size(v->t))
        return t2g_fail(T2G_ERR_FORMAT, "id %llu, expected less than %zu", id,
                        t2g_tokenizer_size(v->t));
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? 2 * list->capacity : 64;
        uint32_t *ids = t2g_regrow(list->id, list->count, capacity,
                                   sizeof *ids);
        if (!ids)
            return T2G_ERR_MEMORY;
        list->id = ids;
        list->capacity = capacity;
    }
    list->id[list->count++] = (uint32_t)id;
    return T2G_OK;
}

/* Decimal numbers with blanks, commas or brackets between them. */
static t2g_status parse_ids(const view *v, const char *text, size_t n,
                            id_list *list)
{
    for (size_t i = 0; i < n;) {
        if (strchr(" \t\r\n,[]", text[i]) && text[i]) {
            i++;
            continue;
        }
        unsigned long long id = 0;
        size_t begin = i;
        for (; i < n && isdigit((unsigned char)text[i]) && i - begin < 12; i++)
            id = 10 * id + (unsigned)(text[i] - '0');
        if (i == begin)
            return t2g_fail(T2G_ERR_FORMAT, "byte %zu, '%c', expected an id", i,
                            text[i]);
        T2G_TRY(add_id(v, list, id));
    }
    return T2G_OK;
}

static t2g_status print_decoded(const view *v, const id_list *list)
{
    t2g_buffer text = {0};
    t2g_status s = t2g_buffer_append(&text, "", 0);
    if (s == T2G_OK)
        s = t2g_tokenizer_decode(v->t, list->id, list->count,
                                 v->o->skip_special, &text);
    if (s == T2G_OK && v->inv->common.json)
        s = print_json(json_pack("{s:o}", "text",
                                 json_stringn(text.data, text.size)));
    else if (s == T2G_OK) {
        fwrite(text.data, 1, text.size, stdout);
        putchar('\n');
    }
    t2g_buffer_free(&text);
    return s;
}

static t2g_status decode(const view *v, const char *text, size_t n)
{
    id_list list = {0};
    t2g_status s = parse_ids(v, text, n, &list);
    if (s == T2G_OK)
        s = print_decoded(v, &list);
    t2g_free(list.id);
    return s;
}

/* The member ids of each record. */
static t2g_status decode_records(const view *v, const char *path)
{
    t2g_records r = {0};
    t2g_status s = t2g_records_read(&r, path, NULL, false, NULL, NULL);
    for (size_t i = 0; i < r.count && s == T2G_OK; i++) {
        const json_t *ids = json_object_get(r.record[i], "ids");
        id_list list = {0};
        if (!json_is_array(ids))
            s = t2g_fail(T2G_ERR_FORMAT, "no list of ids");
        for (size_t k = 0; k < json_array_size(ids) && s == T2G_OK; k++) {
            const json_t *id = json_array_get(ids, k);
            s = json_is_integer(id) && json_integer_value(id) >= 0
                    ? add_id(v, &list, (unsigned long long)
                                           json_integer_value(id))
                    : t2g_fail(T2G_ERR_FORMAT, "ids[%zu] is no id", k);
        }
        if (s == T2G_OK)
            s = print_decoded(v, &list);
        else
            s = t2g_fail_in(s, "%s:%zu", path, r.line[i]);
        t2g_free(list.id);
    }
    t2g_records_free(&r);
    return s;
}

/* --- the command --------------------------------------------------------- */

static t2g_status decode_files(const view *v, const text_files *files)
{
    for (size_t i = 0; i < files->path_count; i++) {
        const char *path = files->path[i];
        t2g_buffer text = {0};
        if (text_files_are_records(files, path)) {
            T2G_TRY(decode_records(v, path));
            continue;
        }
        t2g_status s = t2g_file_read(path, &text);
        if (s == T2G_OK)
            s = decode(v, text.data, text.size);
        t2g_buffer_free(&text);
        if (s == T2G_ERR_FORMAT)
            s = t2g_fail_in(s, "%s", path);
        T2G_TRY(s);
    }
    return T2G_OK;
}

static t2g_status encode_files(view *v, text_files *files)
{
    for (;;) {
        const char *text;
        size_t n;
        T2G_TRY(text_files_next(files, &text, &n));
        if (!text)
            return T2G_OK;
        t2g_status s = encode(v, text, n);
        if (s != T2G_OK)
            return t2g_fail_in(s, "%s", text_files_current(files));
    }
}

static t2g_status process(view *v, text_files *files)
{
    const tokenize_options *o = v->o;
    if (o->text)
        T2G_TRY(o->decode ? decode(v, o->text, strlen(o->text))
                          : encode(v, o->text, strlen(o->text)));
    return o->decode       ? decode_files(v, files)
           : o->apply_chat ? encode_conversations(v, files)
                           : encode_files(v, files);
}

static void show_warning(void *context, const char *message)
{
    cli_note(context, "%s", message);
}

static t2g_status work(const invocation *inv, const tokenize_options *o)
{
    view v = {.inv = inv, .o = o, .colour = cli_colour(stdout)};
    text_files files = {.path = inv->files, .path_count = inv->file_count,
                        .format = o->format, .fields = o->fields};
    T2G_TRY(t2g_tokenizer_load(&v.t, o->tokenizer));
    t2g_tokenizer_warnings(v.t, show_warning, (void *)(uintptr_t)inv);
    t2g_status s = chat_open(&v.chat, v.t, o->chat_template, false);
    if (s == T2G_OK)
        s = process(&v, &files);
    if (s == T2G_OK && (fflush(stdout) != 0 || ferror(stdout)))
        s = t2g_fail(T2G_ERR_IO, "stdout: cannot be written");
    if (s == T2G_OK && v.tokens > 0 && !v.colour)
        cli_note(inv, "%zu tokens, %zu bytes, %.2f bytes a token", v.tokens,
                 v.bytes, (double)v.bytes / (double)v.tokens);
    text_files_free(&files);
    t2g_encoding_free(&v.work);
    chat_close(&v.chat);
    t2g_tokenizer_free(v.t);
    return s;
}

static int run(const command *self, int argc, char **argv)
{
    tokenize_options o = {.add_special = true};
    option table[] = {
        {"tokenizer", OPTION_TEXT, &o.tokenizer, "Input",
         "tokenizer.json or its folder, a GGUF or a .tiktoken file", 0, 0, NULL,
         false},
        {"text", OPTION_TEXT, &o.text, "Input",
         "the text (or ids) itself, before files", 0, 0, NULL, false},
        {"field", OPTION_LIST, &o.fields, "Input",
         "members of JSON Lines records (default: text, prompt, completion, "
         "response, messages, ...)", 0, 0, NULL, false},
        {"format", OPTION_TEXT, &o.format, "Input",
         "layout of the records: fgrlhf, slf5k, ultrafeedback, kodcode", 0, 0,
         NULL, false},
        {"add-special-tokens", OPTION_FLAG, &o.add_special, "Encoding",
         "with the special tokens of the tokenizer's template", 0, 0, NULL,
         false},
        {"split-special-tokens", OPTION_FLAG, &o.split_special, "Encoding",
         "special tokens in the text are plain text", 0, 0, NULL, false},
        {"replace-invalid", OPTION_FLAG, &o.replace, "Encoding",
         "bytes that are not UTF-8 count as U+FFFD; else they are an error", 0,
         0, NULL, false},
        {"truncate-and-pad", OPTION_FLAG, &o.fit, "Encoding",
         "as the tokenizer's file says", 0, 0, NULL, false},
        {"apply-chat-template", OPTION_FLAG, &o.apply_chat, "Encoding",
         "records are conversations: messages, or a prompt", 0, 0, NULL,
         false},
        {"chat-template", OPTION_TEXT, &o.chat_template, "Encoding",
         "a built-in template (chatml, llama3, ...) or a file with one, "
         "instead of the tokenizer's own", 0, 0, NULL, false},
        {"add-generation-prompt", OPTION_FLAG, &o.add_generation, "Encoding",
         "the conversation goes on with the assistant's turn", 0, 0, NULL,
         false},
        {"count", OPTION_FLAG, &o.count, "Encoding",
         "only how many tokens each text has", 0, 0, NULL, false},
        {"decode", OPTION_FLAG, &o.decode, "Decoding",
         "from ids (numbers, or records with a list ids) to text", 0, 0, NULL,
         false},
        {"skip-special-tokens", OPTION_FLAG, &o.skip_special, "Decoding",
         "without special tokens", 0, 0, NULL, false},
        {0}};
    invocation inv;
    int status = cli_parse(&inv, self, table, argc, argv);
    if (status >= 0)
        return status;
    if (!o.tokenizer)
        status = cli_usage(&inv, "needs --tokenizer");
    else if (!o.text && inv.file_count == 0)
        status = cli_usage(&inv, "needs --text or a file (- is stdin)");
    else
        status = work(&inv, &o) == T2G_OK ? EXIT_DONE : cli_failed(&inv);
    cli_free(&inv);
    return status;
}

const command command_tokenize = {
    "tokenize", "text to ids, byte offsets and token texts, and back",
    "--tokenizer FILE|DIR [options] [FILE...]",
    "t2g tokenize --tokenizer tok --text 'Hello world' --json", run};
