/* The files of other projects, in our field names: prompt, response, critique,
 * good_spans, poor_spans, reference. */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

static t2g_status no_memory(void)
{
    return t2g_fail(T2G_ERR_MEMORY, "no memory for a record");
}

/* Takes value; NULL means that making it failed. */
static t2g_status set(json_t *to, const char *key, json_t *value)
{
    return value && json_object_set_new(to, key, value) == 0 ? T2G_OK
                                                             : no_memory();
}

static t2g_status append(json_t *array, json_t *value)
{
    return value && json_array_append_new(array, value) == 0 ? T2G_OK
                                                             : no_memory();
}

static t2g_status wrong_type(const char *key, const json_t *value,
                             const char *expected)
{
    return t2g_fail(T2G_ERR_FORMAT, "'%s' is %s, expected %s", key,
                    t2g_json_type(value), expected);
}

/* A member, NULL if missing or null. */
static json_t *member(const json_t *object, const char *key)
{
    json_t *value = json_object_get(object, key);
    return json_is_null(value) ? NULL : value;
}

static t2g_status get_string(const json_t *from, const char *key,
                             json_t **value)
{
    *value = member(from, key);
    return json_is_string(*value) ? T2G_OK
                                  : wrong_type(key, *value, "a string");
}

static t2g_status get_array(const json_t *from, const char *key,
                            json_t **value)
{
    *value = member(from, key);
    return json_is_array(*value) ? T2G_OK
                                 : wrong_type(key, *value, "an array");
}

/* Sets to[key] to the string from[name], which must be there. */
static t2g_status copy_required(json_t *to, const char *key,
                                const json_t *from, const char *name)
{
    json_t *value;
    T2G_TRY(get_string(from, name, &value));
    return set(to, key, json_incref(value));
}

/* The same for a string that may be missing. */
static t2g_status copy_optional(json_t *to, const char *key,
                                const json_t *from, const char *name)
{
    return member(from, name) ? copy_required(to, key, from, name) : T2G_OK;
}

static t2g_status copy_spans(json_t *to, const char *key, const json_t *from)
{
    json_t *value;
    if (!member(from, key))
        return T2G_OK;
    T2G_TRY(get_array(from, key, &value));
    return set(to, key, json_incref(value));
}

/* --- SLF5K: summaries --------------------------------------------------- */

static t2g_status map_slf5k(json_t *to, const json_t *from)
{
    T2G_TRY(copy_required(to, "prompt", from,
                          member(from, "Post") ? "Post" : "post"));
    T2G_TRY(copy_required(to, "response", from, "generated_summary"));
    return copy_optional(to, "critique", from,
                         member(from, "textual_feedback") ? "textual_feedback"
                                                          : "critique");
}

/* --- UltraFeedback: questions ------------------------------------------- */

static t2g_status map_ultrafeedback(json_t *to, const json_t *from)
{
    T2G_TRY(copy_required(to, "prompt", from, "prompt"));
    T2G_TRY(copy_required(to, "response", from, "response"));
    T2G_TRY(copy_optional(to, "critique", from,
                          member(from, "critique") ? "critique" : "feedback"));
    const json_t *spans = from, *annotations = member(from, "annotations");
    if (annotations && !member(from, "good_spans") &&
        !member(from, "poor_spans")) {
        if (!json_is_object(annotations))
            return wrong_type("annotations", annotations, "an object");
        spans = annotations;
    }
    T2G_TRY(copy_spans(to, "good_spans", spans));
    return copy_spans(to, "poor_spans", spans);
}

/* --- KodCode: programs -------------------------------------------------- */

/* Appends the quotes of from[key], a list of strings (a model asked for a list
 * may give one string): as they are, or as objects of score 0. */
static t2g_status append_quotes(json_t *spans, const json_t *from,
                                const char *key, bool neutral)
{
    json_t *list = member(from, key);
    size_t n = json_is_string(list) ? 1 : json_array_size(list);
    if (list && !json_is_string(list) && !json_is_array(list))
        return wrong_type(key, list, "an array of strings");
    for (size_t i = 0; i < n; i++) {
        json_t *quote = json_is_string(list) ? list : json_array_get(list, i);
        if (!json_is_string(quote))
            return t2g_fail(T2G_ERR_FORMAT, "'%s' holds %s at %zu, expected "
                            "strings", key, t2g_json_type(quote), i);
        if (json_string_length(quote) == 0)
            continue;
        T2G_TRY(append(spans, neutral ? json_pack("{s:O, s:i}", "text", quote,
                                                  "score", 0)
                                      : json_incref(quote)));
    }
    return T2G_OK;
}

/* Code that can be improved is no fault: it is listed with score 0. */
static t2g_status map_code_spans(json_t *to, const json_t *from)
{
    if (!member(from, "wrong_code") && !member(from, "improvement_code"))
        return T2G_OK;
    json_t *spans = json_array();
    T2G_TRY(set(to, "poor_spans", spans));
    T2G_TRY(append_quotes(spans, from, "wrong_code", false));
    T2G_TRY(append_quotes(spans, from, "improvement_code", true));
    return set(to, "good_spans", json_array());
}

static t2g_status map_kodcode(json_t *to, const json_t *from)
{
    T2G_TRY(copy_required(to, "prompt", from, "question"));
    T2G_TRY(copy_required(to, "response", from, "solution"));
    const json_t *analysis = member(from, "analysis");
    if (!analysis) {
        T2G_TRY(copy_optional(to, "critique", from, "code_feedback"));
        return map_code_spans(to, from);
    }
    if (!json_is_object(analysis))
        return wrong_type("analysis", analysis, "an object");
    T2G_TRY(copy_optional(to, "critique", analysis, "Code Feedback"));
    return map_code_spans(to, analysis);
}

/* --- FineGrainedRLHF: answers with marked errors ------------------------ */

/* One marked error; start, end are bytes of the answer. */
typedef struct fault {
    const char *type, *explanation;
    size_t start, end;
} fault;

static int by_start(const void *a, const void *b)
{
    const fault *x = a, *y = b;
    return (x->start > y->start) - (x->start < y->start);
}

/* Byte offset of code point number `point`, SIZE_MAX if the text is shorter. */
static size_t byte_offset(const char *text, size_t n, json_int_t point)
{
    size_t i = 0;
    for (; point > 0 && i < n; point--)
        do
            i++;
        while (i < n && ((unsigned char)text[i] & 0xc0) == 0x80);
    return point == 0 ? i : SIZE_MAX;
}

static t2g_status read_offset(const json_t *error, const char *key,
                              const json_t *answer, size_t *offset)
{
    json_t *value = member(error, key);
    if (!json_is_integer(value))
        return wrong_type(key, value, "an integer");
    *offset = byte_offset(json_string_value(answer), json_string_length(answer),
                          json_integer_value(value));
    if (*offset == SIZE_MAX)
        return t2g_fail(T2G_ERR_FORMAT, "'%s' of an error is %"
                        JSON_INTEGER_FORMAT ", expected a character of the "
                        "answer (%zu bytes)", key, json_integer_value(value),
                        json_string_length(answer));
    return T2G_OK;
}

static t2g_status read_fault(const json_t *error, const json_t *answer,
                             fault *f)
{
    json_t *type;
    T2G_TRY(get_string(error, "error type", &type));
    T2G_TRY(read_offset(error, "start", answer, &f->start));
    T2G_TRY(read_offset(error, "end", answer, &f->end));
    if (f->start > f->end)
        return t2g_fail(T2G_ERR_FORMAT, "an error starts at byte %zu of the "
                        "answer and ends at %zu before", f->start, f->end);
    const char *why = json_string_value(member(error, "explanation"));
    f->type = json_string_value(type);
    f->explanation = why ? why : "";
    return T2G_OK;
}

/* Sentence `number` of a passage is element `number` of its list, the title
 * being element 0. NULL if there is none. */
static const char *sentence(const json_t *passages, json_int_t passage,
                            json_int_t number)
{
    if (passage < 1 || number < 1)
        return NULL;
    return json_string_value(json_array_get(
        json_array_get(passages, (size_t)passage - 1), (size_t)number));
}

/* Appends every sentence that {"passage_id", "sentence_id": [...]} names. */
static t2g_status quote_sentences(t2g_buffer *out, const json_t *passages,
                                  const json_t *where)
{
    json_int_t passage = json_integer_value(member(where, "passage_id"));
    const json_t *numbers = member(where, "sentence_id");
    for (size_t i = 0; i < json_array_size(numbers); i++) {
        const char *text = sentence(
            passages, passage, json_integer_value(json_array_get(numbers, i)));
        if (text)
            T2G_TRY(t2g_buffer_printf(out, " \"%s\"", text));
    }
    return T2G_OK;
}

/* What the passages say instead. The explanation is a JSON text that names the
 * place; one that is not leaves the place out. */
static t2g_status describe_grounding(t2g_buffer *out, const json_t *passages,
                                     const char *explanation)
{
    json_t *where;
    T2G_TRY(t2g_buffer_puts(out, " is not what the passages say"));
    t2g_status s = t2g_json_parse(&where, explanation, strlen(explanation),
                                  "explanation", 1);
    if (s != T2G_OK)
        return s == T2G_ERR_FORMAT ? T2G_OK : s;
    s = t2g_buffer_puts(out, ":");
    if (s == T2G_OK)
        s = quote_sentences(out, passages, where);
    json_decref(where);
    return s;
}

static t2g_status describe_fault(t2g_buffer *out, const json_t *passages,
                                 const char *answer, const fault *f)
{
    static const struct {
        const char *type, *says;
    } plain[] = {
        {"Irrelevant", " is not relevant to the question"},
        {"Redundant", " repeats what was said before"},
        {"Incoherent", " does not fit the text around it"},
        {"Unverifiable", " is not supported by the passages"},
    };
    T2G_TRY(t2g_buffer_puts(out, "\""));
    T2G_TRY(t2g_buffer_append(out, answer + f->start, f->end - f->start));
    T2G_TRY(t2g_buffer_puts(out, "\""));
    if (strcmp(f->type, "Wrong-Grounding") == 0) {
        T2G_TRY(describe_grounding(out, passages, f->explanation));
        return t2g_buffer_puts(out, ".\n");
    }
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
        if (strcmp(f->type, plain[i].type) == 0)
            return t2g_buffer_printf(out, "%s.\n", plain[i].says);
    return t2g_buffer_printf(out, " is marked as %s.\n", f->type);
}

static t2g_status describe_gap(t2g_buffer *out, const json_t *passages,
                               const json_t *missing)
{
    json_t *type;
    T2G_TRY(get_string(missing, "error type", &type));
    const char *name = json_string_value(type);
    const char *what = strcmp(name, "Missing-Answer") == 0
                           ? "part of the answer"
                       : strcmp(name, "Missing-Major-Auxiliary") == 0
                           ? "an important detail"
                           : "a minor detail";
    T2G_TRY(t2g_buffer_printf(out, "The response leaves out %s:", what));
    T2G_TRY(quote_sentences(out, passages, missing));
    return t2g_buffer_puts(out, "\n");
}

/* One sentence a line for each error, then for each fact left out. */
static t2g_status describe(t2g_buffer *out, const json_t *passages,
                           const char *answer, const fault *f, size_t count,
                           const json_t *missing)
{
    for (size_t i = 0; i < count; i++)
        T2G_TRY(describe_fault(out, passages, answer, &f[i]));
    for (size_t i = 0; i < json_array_size(missing); i++)
        T2G_TRY(describe_gap(out, passages, json_array_get(missing, i)));
    if (!out->size)
        return t2g_buffer_puts(out, "The response has no error and leaves out "
                               "nothing.");
    out->data[--out->size] = '\0'; /* the last line break */
    return T2G_OK;
}

static t2g_status set_text(json_t *to, const char *key, const t2g_buffer *text)
{
    return set(to, key, json_stringn(text->data, text->size));
}

static t2g_status set_faults(json_t *to, const char *answer, const fault *f,
                             size_t count)
{
    json_t *spans = json_array();
    T2G_TRY(set(to, "poor_spans", spans));
    for (size_t i = 0; i < count; i++)
        T2G_TRY(append(spans, json_pack(
            "{s:s%, s:I, s:I, s:s, s:i}", "text", answer + f[i].start,
            f[i].end - f[i].start, "start", (json_int_t)f[i].start, "end",
            (json_int_t)f[i].end, "type", f[i].type, "score", -1)));
    return T2G_OK;
}

static t2g_status map_faults(json_t *to, const json_t *passages,
                             const json_t *answer, const json_t *feedback,
                             fault *f)
{
    const json_t *errors = member(feedback, "errors");
    size_t count = json_array_size(errors);
    t2g_buffer text = {0};
    for (size_t i = 0; i < count; i++)
        T2G_TRY(read_fault(json_array_get(errors, i), answer, &f[i]));
    qsort(f, count, sizeof *f, by_start);
    t2g_status s = describe(&text, passages, json_string_value(answer), f,
                            count, member(feedback, "missing-info"));
    if (s == T2G_OK)
        s = set_text(to, "critique", &text);
    t2g_buffer_free(&text);
    T2G_TRY(s);
    T2G_TRY(set(to, "good_spans", json_array()));
    return set_faults(to, json_string_value(answer), f, count);
}

static t2g_status map_feedback(json_t *to, const json_t *passages,
                               const json_t *answer, const json_t *feedback)
{
    json_t *errors, *missing;
    if (!json_is_object(feedback))
        return wrong_type("feedback", feedback, "an object");
    T2G_TRY(get_array(feedback, "errors", &errors));
    if (member(feedback, "missing-info"))
        T2G_TRY(get_array(feedback, "missing-info", &missing));
    fault *f = t2g_calloc(json_array_size(errors), sizeof *f);
    if (!f)
        return T2G_ERR_MEMORY;
    t2g_status s = map_faults(to, passages, answer, feedback, f);
    t2g_free(f);
    return s;
}

/* "[2] Title", then its sentences on one line. Where a passage opens its
 * article, the first sentence begins with the title and two line breaks. */
static t2g_status append_passage(t2g_buffer *out, const json_t *passage,
                                 size_t number)
{
    const char *title = json_string_value(json_array_get(passage, 0));
    if (!title)
        return t2g_fail(T2G_ERR_FORMAT, "passage %zu is %s, expected an array "
                        "of a title and sentences", number,
                        t2g_json_type(passage));
    size_t length = strlen(title);
    T2G_TRY(t2g_buffer_printf(out, "\n[%zu] %s\n", number, title));
    for (size_t i = 1; i < json_array_size(passage); i++) {
        const char *text = json_string_value(json_array_get(passage, i));
        if (!text)
            return t2g_fail(T2G_ERR_FORMAT, "passage %zu holds %s, expected "
                            "strings", number,
                            t2g_json_type(json_array_get(passage, i)));
        if (strncmp(text, title, length) == 0 &&
            strncmp(text + length, "\n\n", 2) == 0)
            text += length + 2;
        T2G_TRY(t2g_buffer_printf(out, "%s%s", i > 1 ? " " : "", text));
    }
    return t2g_buffer_puts(out, "\n");
}

static t2g_status write_prompt(t2g_buffer *out, const json_t *question,
                               const json_t *passages)
{
    T2G_TRY(t2g_buffer_puts(out, "Question: "));
    T2G_TRY(t2g_buffer_append(out, json_string_value(question),
                              json_string_length(question)));
    T2G_TRY(t2g_buffer_puts(out, "\n\nPassages:"));
    for (size_t i = 0; i < json_array_size(passages); i++)
        T2G_TRY(append_passage(out, json_array_get(passages, i), i + 1));
    return T2G_OK;
}

/* Only the first of the four predictions carries marked errors. */
static t2g_status map_fgrlhf(json_t *to, const json_t *from)
{
    json_t *question, *passages, *answer;
    t2g_buffer prompt = {0};
    T2G_TRY(get_string(from, "question", &question));
    T2G_TRY(get_array(from, "passages", &passages));
    T2G_TRY(get_string(from, "prediction 1", &answer));
    t2g_status s = write_prompt(&prompt, question, passages);
    if (s == T2G_OK)
        s = set_text(to, "prompt", &prompt);
    t2g_buffer_free(&prompt);
    T2G_TRY(s);
    T2G_TRY(set(to, "response", json_incref(answer)));
    T2G_TRY(copy_optional(to, "reference", from, "gold"));
    return map_feedback(to, passages, answer, member(from, "feedback"));
}

/* --- the table ---------------------------------------------------------- */

enum { RENAMED = 8 };

static const struct layout {
    const char *name;
    t2g_status (*map)(json_t *to, const json_t *from);
    const char *renamed[RENAMED]; /* members that live on under our names */
} layouts[] = {
    {"fgrlhf", map_fgrlhf, {"prediction 1", "gold"}},
    {"slf5k", map_slf5k,
     {"post", "Post", "generated_summary", "textual_feedback"}},
    {"ultrafeedback", map_ultrafeedback, {"feedback", "annotations"}},
    {"kodcode", map_kodcode,
     {"question", "solution", "code_feedback", "analysis", "wrong_code",
      "improvement_code"}},
};

static const struct layout *find_layout(const char *format)
{
    for (size_t i = 0; i < sizeof layouts / sizeof *layouts; i++)
        if (strcmp(layouts[i].name, format) == 0)
            return &layouts[i];
    return NULL;
}

bool t2g_layout_known(const char *format)
{
    return find_layout(format) != NULL;
}

static bool is_renamed(const struct layout *layout, const char *key)
{
    for (size_t i = 0; i < RENAMED && layout->renamed[i]; i++)
        if (strcmp(layout->renamed[i], key) == 0)
            return true;
    return false;
}

static t2g_status keep_others(const struct layout *layout, json_t *to,
                              json_t *from)
{
    const char *key;
    json_t *value;
    json_object_foreach(from, key, value)
        if (!is_renamed(layout, key) && !json_object_get(to, key))
            T2G_TRY(set(to, key, json_incref(value)));
    return T2G_OK;
}

t2g_status t2g_layout_map(json_t **record, const char *format)
{
    const struct layout *layout = find_layout(format);
    if (!layout)
        return t2g_fail(T2G_ERR_ARG, "format '%s' is unknown", format);
    json_t *mapped = json_object();
    t2g_status s = mapped ? layout->map(mapped, *record) : no_memory();
    if (s == T2G_OK)
        s = keep_others(layout, mapped, *record);
    if (s != T2G_OK) {
        json_decref(mapped);
        return s;
    }
    json_decref(*record);
    *record = mapped;
    return T2G_OK;
}
