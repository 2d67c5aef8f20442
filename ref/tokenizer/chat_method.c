/* Methods of Python's str, dict and list, and of loops. */
#include "chat_private.h"

#include "unicode.h"

/* --- str: stripping and splitting ---------------------------------------- */

static t2g_status strip(const t2g_value *self, const t2g_value *argument,
                        unsigned sides, t2g_value *out)
{
    t2g_string set;
    bool has_set = argument[0].kind == VALUE_STRING;
    if (argument[0].kind != VALUE_NONE)
        T2G_TRY(t2g_text_argument(&argument[0], "chars", TEXT(""), &set));
    *out = t2g_value_text(t2g_text_strip(self->text, has_set ? &set : NULL,
                                         sides));
    return T2G_OK;
}

static t2g_status str_strip(t2g_render *r, const t2g_value *self,
                            const t2g_value *argument, t2g_value *out)
{
    (void)r;
    return strip(self, argument, T2G_STRIP_BOTH, out);
}

static t2g_status str_lstrip(t2g_render *r, const t2g_value *self,
                             const t2g_value *argument, t2g_value *out)
{
    (void)r;
    return strip(self, argument, T2G_STRIP_LEFT, out);
}

static t2g_status str_rstrip(t2g_render *r, const t2g_value *self,
                             const t2g_value *argument, t2g_value *out)
{
    (void)r;
    return strip(self, argument, T2G_STRIP_RIGHT, out);
}

static t2g_status add_text(t2g_render *r, t2g_list *list, t2g_string text)
{
    t2g_value item = t2g_value_text(text);
    return t2g_list_add(r, list, &item);
}

/* Bytes of `a` up to white space. */
static size_t word_length(t2g_string a)
{
    size_t n = 0;
    while (n < a.n && !unicode_is_space(utf8_decode((const unsigned char *)a.s +
                                                n)))
        n += utf8_length((unsigned char)a.s[n]);
    return n;
}

static t2g_status split_words(t2g_render *r, t2g_string a, int64_t limit,
                              t2g_list *out)
{
    a = t2g_text_strip(a, NULL, T2G_STRIP_LEFT);
    for (; a.n && limit != 0; limit--) {
        size_t n = word_length(a);
        T2G_TRY(add_text(r, out, t2g_text_part(a, 0, n)));
        a = t2g_text_strip(t2g_text_part(a, n, a.n), NULL, T2G_STRIP_LEFT);
    }
    return a.n ? add_text(r, out, a) : T2G_OK;
}

static t2g_status split_at(t2g_render *r, t2g_string a, t2g_string separator,
                           int64_t limit, t2g_list *out)
{
    size_t from = 0, at;
    if (!separator.n)
        return t2g_fail(T2G_ERR_FORMAT, "an empty separator");
    while (limit-- != 0 &&
           (at = t2g_text_find(a, separator, from)) != T2G_NOWHERE) {
        T2G_TRY(add_text(r, out, t2g_text_part(a, from, at)));
        from = at + separator.n;
    }
    return add_text(r, out, t2g_text_part(a, from, a.n));
}

static t2g_status str_split(t2g_render *r, const t2g_value *self,
                            const t2g_value *argument, t2g_value *out)
{
    int64_t limit;
    t2g_string separator;
    T2G_TRY(t2g_list_new(r, VALUE_LIST, out));
    T2G_TRY(t2g_spend(r, self->text.n / 16));
    T2G_TRY(t2g_integer_argument(&argument[1], "maxsplit", -1, &limit));
    if (argument[0].kind == VALUE_ABSENT || argument[0].kind == VALUE_NONE)
        return split_words(r, self->text, limit, out->list);
    T2G_TRY(t2g_text_argument(&argument[0], "sep", TEXT(""), &separator));
    return split_at(r, self->text, separator, limit, out->list);
}

static void reverse_list(t2g_list *list)
{
    for (size_t i = 0, j = list->count; i + 1 < j; i++) {
        t2g_value swapped = list->item[i];
        list->item[i] = list->item[--j];
        list->item[j] = swapped;
    }
}

static t2g_status str_rsplit(t2g_render *r, const t2g_value *self,
                             const t2g_value *argument, t2g_value *out)
{
    int64_t limit;
    t2g_string separator, rest = self->text;
    T2G_TRY(t2g_list_new(r, VALUE_LIST, out));
    T2G_TRY(t2g_integer_argument(&argument[1], "maxsplit", -1, &limit));
    if (limit < 0)
        return str_split(r, self, argument, out);
    if (argument[0].kind != VALUE_STRING || !argument[0].text.n)
        return t2g_fail(T2G_ERR_UNSUPPORTED, "rsplit with a limit and without "
                        "a separator is not supported");
    separator = argument[0].text;
    for (size_t at; limit-- > 0 &&
         (at = t2g_text_find_last(rest, separator, rest.n)) != T2G_NOWHERE;
         rest = t2g_text_part(rest, 0, at)) {
        T2G_TRY(t2g_spend(r, rest.n / 16));
        T2G_TRY(add_text(r, out->list, t2g_text_part(rest, at + separator.n,
                                                     rest.n)));
    }
    T2G_TRY(add_text(r, out->list, rest));
    reverse_list(out->list);
    return T2G_OK;
}

static t2g_status str_splitlines(t2g_render *r, const t2g_value *self,
                                 const t2g_value *argument, t2g_value *out)
{
    bool keep = t2g_value_true(&argument[0]);
    T2G_TRY(t2g_list_new(r, VALUE_LIST, out));
    for (size_t at = 0, next; at < self->text.n; at = next) {
        size_t end = t2g_text_line(self->text, at, &next);
        T2G_TRY(add_text(r, out->list, t2g_text_part(self->text, at,
                                                     keep ? next : end)));
    }
    return T2G_OK;
}

/* --- str: looking -------------------------------------------------------- */

typedef bool match_fn(t2g_string a, t2g_string part);

static t2g_status matches(const t2g_value *self, const t2g_value *part,
                          match_fn *match, t2g_value *out)
{
    bool found = false;
    if (part->kind != VALUE_TUPLE && part->kind != VALUE_STRING)
        return t2g_fail(T2G_ERR_FORMAT, "%s where str is expected",
                        t2g_value_type(part));
    if (part->kind == VALUE_STRING)
        found = match(self->text, part->text);
    for (size_t i = 0; part->kind == VALUE_TUPLE && i < part->list->count; i++)
        found |= part->list->item[i].kind == VALUE_STRING &&
                 match(self->text, part->list->item[i].text);
    *out = t2g_value_boolean(found);
    return T2G_OK;
}

static t2g_status str_startswith(t2g_render *r, const t2g_value *self,
                                 const t2g_value *argument, t2g_value *out)
{
    (void)r;
    return matches(self, &argument[0], t2g_text_starts, out);
}

static t2g_status str_endswith(t2g_render *r, const t2g_value *self,
                               const t2g_value *argument, t2g_value *out)
{
    (void)r;
    return matches(self, &argument[0], t2g_text_ends, out);
}

static t2g_status found_at(const t2g_value *self, size_t at, t2g_value *out)
{
    int64_t index = -1;
    if (at != T2G_NOWHERE)
        index = (int64_t)t2g_text_characters(t2g_text_part(self->text, 0, at));
    *out = t2g_value_integer(index);
    return T2G_OK;
}

static t2g_status str_find(t2g_render *r, const t2g_value *self,
                           const t2g_value *argument, t2g_value *out)
{
    t2g_string part;
    T2G_TRY(t2g_text_argument(&argument[0], "sub", TEXT(""), &part));
    T2G_TRY(t2g_spend(r, self->text.n / 16));
    return found_at(self, t2g_text_find(self->text, part, 0), out);
}

static t2g_status str_rfind(t2g_render *r, const t2g_value *self,
                            const t2g_value *argument, t2g_value *out)
{
    t2g_string part;
    T2G_TRY(t2g_text_argument(&argument[0], "sub", TEXT(""), &part));
    T2G_TRY(t2g_spend(r, self->text.n));
    return found_at(self, t2g_text_find_last(self->text, part, self->text.n),
                    out);
}

static t2g_status present(const t2g_value *at)
{
    return at->integer >= 0 ? T2G_OK
                            : t2g_fail(T2G_ERR_FORMAT, "substring not found");
}

static t2g_status str_index(t2g_render *r, const t2g_value *self,
                            const t2g_value *argument, t2g_value *out)
{
    T2G_TRY(str_find(r, self, argument, out));
    return present(out);
}

static t2g_status str_rindex(t2g_render *r, const t2g_value *self,
                             const t2g_value *argument, t2g_value *out)
{
    T2G_TRY(str_rfind(r, self, argument, out));
    return present(out);
}

static t2g_status str_count(t2g_render *r, const t2g_value *self,
                            const t2g_value *argument, t2g_value *out)
{
    t2g_string part;
    int64_t count = 0;
    T2G_TRY(t2g_text_argument(&argument[0], "sub", TEXT(""), &part));
    T2G_TRY(t2g_spend(r, self->text.n));
    if (!part.n)
        count = (int64_t)t2g_text_characters(self->text) + 1;
    for (size_t at = 0; part.n && (at = t2g_text_find(self->text, part, at)) !=
                                      T2G_NOWHERE; at += part.n)
        count++;
    *out = t2g_value_integer(count);
    return T2G_OK;
}

/* --- str: making others -------------------------------------------------- */

static t2g_status str_upper(t2g_render *r, const t2g_value *self,
                            const t2g_value *argument, t2g_value *out)
{
    return t2g_filter_find(TEXT("upper"))->run(r, self, argument, out);
}

static t2g_status str_lower(t2g_render *r, const t2g_value *self,
                            const t2g_value *argument, t2g_value *out)
{
    return t2g_filter_find(TEXT("lower"))->run(r, self, argument, out);
}

static t2g_status str_capitalize(t2g_render *r, const t2g_value *self,
                                 const t2g_value *argument, t2g_value *out)
{
    return t2g_filter_find(TEXT("capitalize"))->run(r, self, argument, out);
}

/* Not the filter of that name. */
static t2g_status str_title(t2g_render *r, const t2g_value *self,
                            const t2g_value *argument, t2g_value *out)
{
    t2g_builder b = {.arena = &r->arena};
    (void)argument;
    T2G_TRY(t2g_spend(r, self->text.n));
    T2G_TRY(t2g_text_case(&b, self->text, T2G_TITLE));
    *out = t2g_value_text(t2g_built(&b));
    return T2G_OK;
}

static t2g_status str_join(t2g_render *r, const t2g_value *self,
                           const t2g_value *argument, t2g_value *out)
{
    const t2g_list *items;
    t2g_builder b = {.arena = &r->arena};
    T2G_TRY(t2g_walk(r, &argument[0], &items));
    for (size_t i = 0; i < items->count; i++) {
        t2g_string text;
        if (i)
            T2G_TRY(t2g_build(&b, self->text));
        T2G_TRY(t2g_text_argument(&items->item[i], "an item", TEXT(""),
                                  &text));
        T2G_TRY(t2g_build(&b, text));
    }
    *out = t2g_value_text(t2g_built(&b));
    return T2G_OK;
}

/* An empty `old` stands in front of each character and at the end. */
static t2g_status insert_everywhere(t2g_builder *b, t2g_string a, t2g_string new,
                                    int64_t limit)
{
    for (size_t i = 0, n; i < a.n; i += n) {
        n = utf8_length((unsigned char)a.s[i]);
        if (limit-- != 0)
            T2G_TRY(t2g_build(b, new));
        else
            limit = 0;
        T2G_TRY(t2g_build(b, t2g_text_part(a, i, i + n)));
    }
    return limit != 0 ? t2g_build(b, new) : T2G_OK;
}

static t2g_status replace_text(t2g_builder *b, t2g_string a, t2g_string old,
                               t2g_string new, int64_t limit)
{
    size_t from = 0, at;
    while (limit-- != 0 && (at = t2g_text_find(a, old, from)) != T2G_NOWHERE) {
        T2G_TRY(t2g_build(b, t2g_text_part(a, from, at)));
        T2G_TRY(t2g_build(b, new));
        from = at + old.n;
    }
    return t2g_build(b, t2g_text_part(a, from, a.n));
}

static t2g_status str_replace(t2g_render *r, const t2g_value *self,
                              const t2g_value *argument, t2g_value *out)
{
    int64_t limit;
    t2g_string old, new;
    t2g_builder b = {.arena = &r->arena};
    T2G_TRY(t2g_text_argument(&argument[0], "old", TEXT(""), &old));
    T2G_TRY(t2g_text_argument(&argument[1], "new", TEXT(""), &new));
    T2G_TRY(t2g_integer_argument(&argument[2], "count", -1, &limit));
    T2G_TRY(t2g_spend(r, self->text.n / 16));
    T2G_TRY(old.n ? replace_text(&b, self->text, old, new, limit)
                  : insert_everywhere(&b, self->text, new, limit));
    *out = t2g_value_text(t2g_built(&b));
    return T2G_OK;
}

static t2g_status str_removeprefix(t2g_render *r, const t2g_value *self,
                                   const t2g_value *argument, t2g_value *out)
{
    t2g_string part;
    (void)r;
    T2G_TRY(t2g_text_argument(&argument[0], "prefix", TEXT(""), &part));
    size_t begin = t2g_text_starts(self->text, part) ? part.n : 0;
    *out = t2g_value_text(t2g_text_part(self->text, begin, self->text.n));
    return T2G_OK;
}

static t2g_status str_removesuffix(t2g_render *r, const t2g_value *self,
                                   const t2g_value *argument, t2g_value *out)
{
    t2g_string part;
    (void)r;
    T2G_TRY(t2g_text_argument(&argument[0], "suffix", TEXT(""), &part));
    size_t cut = t2g_text_ends(self->text, part) ? part.n : 0;
    *out = t2g_value_text(t2g_text_part(self->text, 0, self->text.n - cut));
    return T2G_OK;
}

/* --- str.format ---------------------------------------------------------- */

/* The argument that a field names: "", "0", "name". */
static t2g_status format_field(const t2g_arguments *a, t2g_string field,
                               size_t *automatic, const t2g_value **out)
{
    size_t index = field.n ? 0 : (*automatic)++;
    for (size_t i = 0; i < a->named; i++)
        if (t2g_text_same(a->name[i], field)) {
            *out = &a->value[a->count + i];
            return T2G_OK;
        }
    for (size_t i = 0; i < field.n; i++) {
        if (field.s[i] < '0' || field.s[i] > '9' || i > 3)
            return t2g_fail(T2G_ERR_UNSUPPORTED, "the format field '%.*s' is "
                            "not supported or has no argument", (int)field.n,
                            field.s);
        index = index * 10 + (size_t)(field.s[i] - '0');
    }
    if (index >= a->count)
        return t2g_fail(T2G_ERR_FORMAT, "the format has no argument %zu",
                        index);
    *out = &a->value[index];
    return T2G_OK;
}

/* What stands at the brace; *at moves behind it. */
static t2g_status format_brace(t2g_render *r, t2g_builder *b, t2g_string format,
                               const t2g_arguments *a, size_t *automatic,
                               size_t *at)
{
    const t2g_value *v = NULL;
    char brace = format.s[*at];
    if (*at + 1 < format.n && format.s[*at + 1] == brace) {
        *at += 2;
        return t2g_build(b, t2g_text_part(format, *at - 1, *at));
    }
    size_t end = t2g_text_find(format, TEXT("}"), *at);
    if (brace == '}' || end == T2G_NOWHERE)
        return t2g_fail(T2G_ERR_FORMAT, "a single '%c' in a format", brace);
    T2G_TRY(format_field(a, t2g_text_part(format, *at + 1, end), automatic,
                         &v));
    *at = end + 1;
    return t2g_print(r, b, v);
}

static t2g_status str_format(t2g_render *r, const t2g_value *self,
                             const t2g_arguments *a, t2g_value *out)
{
    size_t automatic = 0;
    t2g_string format = self->text;
    t2g_builder b = {.arena = &r->arena};
    for (size_t at = 0, plain = 0; at < format.n; plain = at) {
        while (at < format.n && format.s[at] != '{' && format.s[at] != '}')
            at++;
        T2G_TRY(t2g_build(&b, t2g_text_part(format, plain, at)));
        if (at < format.n)
            T2G_TRY(format_brace(r, &b, format, a, &automatic, &at));
    }
    *out = t2g_value_text(t2g_built(&b));
    return T2G_OK;
}

/* --- dict and list ------------------------------------------------------- */

static t2g_status dict_get(t2g_render *r, const t2g_value *self,
                           const t2g_value *argument, t2g_value *out)
{
    t2g_value *found;
    T2G_TRY(t2g_dict_find(r, self->dict, &argument[0], &found));
    *out = (t2g_value){.kind = VALUE_NONE};
    if (found || argument[1].kind != VALUE_ABSENT)
        *out = found ? *found : argument[1];
    return T2G_OK;
}

static t2g_status dict_items(t2g_render *r, const t2g_value *self,
                             const t2g_value *argument, t2g_value *out)
{
    const t2g_dict *d = self->dict;
    (void)argument;
    T2G_TRY(t2g_list_new(r, VALUE_VIEW, out));
    for (size_t i = 0; i < d->count; i++) {
        t2g_value pair;
        T2G_TRY(t2g_list_new(r, VALUE_TUPLE, &pair));
        T2G_TRY(t2g_list_add(r, pair.list, &d->key[i]));
        T2G_TRY(t2g_list_add(r, pair.list, &d->value[i]));
        T2G_TRY(t2g_list_add(r, out->list, &pair));
    }
    return T2G_OK;
}

static t2g_status view_of(t2g_render *r, const t2g_value *items, size_t count,
                          t2g_value *out)
{
    T2G_TRY(t2g_list_new(r, VALUE_VIEW, out));
    for (size_t i = 0; i < count; i++)
        T2G_TRY(t2g_list_add(r, out->list, &items[i]));
    return T2G_OK;
}

static t2g_status dict_keys(t2g_render *r, const t2g_value *self,
                            const t2g_value *argument, t2g_value *out)
{
    (void)argument;
    return view_of(r, self->dict->key, self->dict->count, out);
}

static t2g_status dict_values(t2g_render *r, const t2g_value *self,
                              const t2g_value *argument, t2g_value *out)
{
    (void)argument;
    return view_of(r, self->dict->value, self->dict->count, out);
}

static t2g_status dict_copy(t2g_render *r, const t2g_value *self,
                            const t2g_value *argument, t2g_value *out)
{
    (void)r, (void)argument;
    *out = *self; /* nothing changes a dict */
    return T2G_OK;
}

static t2g_status list_index(t2g_render *r, const t2g_value *self,
                             const t2g_value *argument, t2g_value *out)
{
    for (size_t i = 0; i < self->list->count; i++) {
        bool equal;
        T2G_TRY(t2g_value_equal(r, &self->list->item[i], &argument[0],
                                &equal));
        *out = t2g_value_integer((int64_t)i);
        if (equal)
            return T2G_OK;
    }
    return t2g_fail(T2G_ERR_FORMAT, "the list has no such item");
}

static t2g_status list_count(t2g_render *r, const t2g_value *self,
                             const t2g_value *argument, t2g_value *out)
{
    int64_t count = 0;
    for (size_t i = 0; i < self->list->count; i++) {
        bool equal;
        T2G_TRY(t2g_value_equal(r, &self->list->item[i], &argument[0],
                                &equal));
        count += equal;
    }
    *out = t2g_value_integer(count);
    return T2G_OK;
}

/* --- loop ---------------------------------------------------------------- */

static t2g_status loop_cycle(t2g_render *r, const t2g_value *self,
                             const t2g_arguments *a, t2g_value *out)
{
    (void)r;
    if (!a->count || a->named)
        return t2g_fail(T2G_ERR_FORMAT, "loop.cycle wants values");
    *out = a->value[self->loop->index % a->count];
    return T2G_OK;
}

static t2g_status loop_changed(t2g_render *r, const t2g_value *self,
                               const t2g_arguments *a, t2g_value *out)
{
    bool same = false;
    t2g_value now, before = {.kind = VALUE_TUPLE};
    before.list = self->loop->changed;
    T2G_TRY(t2g_list_new(r, VALUE_TUPLE, &now));
    for (size_t i = 0; i < a->count; i++)
        T2G_TRY(t2g_list_add(r, now.list, &a->value[i]));
    if (before.list)
        T2G_TRY(t2g_value_equal(r, &before, &now, &same));
    self->loop->changed = now.list;
    *out = t2g_value_boolean(!same);
    return T2G_OK;
}

/* --- finding methods ----------------------------------------------------- */

static const t2g_callable str_methods[] = {
    {"capitalize", str_capitalize, NULL, 0, {0}},
    {"count", str_count, NULL, 1, {"sub"}},
    {"endswith", str_endswith, NULL, 1, {"suffix"}},
    {"find", str_find, NULL, 1, {"sub"}},
    {"format", NULL, str_format, 0, {0}},
    {"index", str_index, NULL, 1, {"sub"}},
    {"join", str_join, NULL, 1, {"iterable"}},
    {"lower", str_lower, NULL, 0, {0}},
    {"lstrip", str_lstrip, NULL, 0, {"chars"}},
    {"removeprefix", str_removeprefix, NULL, 1, {"prefix"}},
    {"removesuffix", str_removesuffix, NULL, 1, {"suffix"}},
    {"replace", str_replace, NULL, 2, {"old", "new", "count"}},
    {"rfind", str_rfind, NULL, 1, {"sub"}},
    {"rindex", str_rindex, NULL, 1, {"sub"}},
    {"rsplit", str_rsplit, NULL, 0, {"sep", "maxsplit"}},
    {"rstrip", str_rstrip, NULL, 0, {"chars"}},
    {"split", str_split, NULL, 0, {"sep", "maxsplit"}},
    {"splitlines", str_splitlines, NULL, 0, {"keepends"}},
    {"startswith", str_startswith, NULL, 1, {"prefix"}},
    {"strip", str_strip, NULL, 0, {"chars"}},
    {"title", str_title, NULL, 0, {0}},
    {"upper", str_upper, NULL, 0, {0}},
    {0}};
static const t2g_callable dict_methods[] = {
    {"copy", dict_copy, NULL, 0, {0}},
    {"get", dict_get, NULL, 1, {"key", "default"}},
    {"items", dict_items, NULL, 0, {0}},
    {"keys", dict_keys, NULL, 0, {0}},
    {"values", dict_values, NULL, 0, {0}},
    {0}};
static const t2g_callable list_methods[] = {
    {"count", list_count, NULL, 1, {"value"}},
    {"index", list_index, NULL, 1, {"value"}},
    {0}};
static const t2g_callable loop_methods[] = {
    {"changed", NULL, loop_changed, 0, {0}},
    {"cycle", NULL, loop_cycle, 0, {0}},
    {0}};

/* Methods that Python has and that nothing here may call, because the sandbox
 * forbids them or no template wants them: they count as there. */
static const char *const refused_str[] = {
    "casefold", "center", "encode", "expandtabs", "format_map",
    "isalnum", "isalpha", "isascii", "isdecimal", "isdigit", "isidentifier",
    "islower", "isnumeric", "isprintable", "isspace", "istitle", "isupper",
    "ljust", "maketrans", "partition", "rjust", "rpartition",
    "swapcase", "translate", "zfill", NULL};
static const char *const refused_dict[] = {"fromkeys", NULL};
static const char *const refused_list[] = {"copy", NULL};

static void methods_of(const t2g_value *v, const t2g_callable **methods,
                       const char *const **refused)
{
    static const t2g_callable none[] = {{0}};
    static const char *const nothing[] = {NULL};
    *methods = none;
    *refused = nothing;
    if (v->kind == VALUE_STRING) {
        *methods = str_methods;
        *refused = refused_str;
    } else if (v->kind == VALUE_DICT) {
        *methods = dict_methods;
        *refused = refused_dict;
    } else if (v->kind == VALUE_LIST || v->kind == VALUE_TUPLE) {
        *methods = list_methods;
        *refused = v->kind == VALUE_LIST ? refused_list : nothing;
    } else if (v->kind == VALUE_LOOP) {
        *methods = loop_methods;
    }
}

bool t2g_method_find(const t2g_value *v, t2g_string name,
                     const t2g_callable **callable)
{
    const char *const *refused;
    methods_of(v, callable, &refused);
    for (; (*callable)->name; ++*callable)
        if (t2g_text_is(name, (*callable)->name))
            return true;
    *callable = NULL;
    while (*refused && !t2g_text_is(name, *refused))
        refused++;
    return *refused != NULL;
}
