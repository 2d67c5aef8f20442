/* Compiling and matching with PCRE2. */
#include <string.h>

#include "regex_private.h"
#include "unicode.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

enum {
    /* Both engines' own default: steps of one match attempt. */
    MATCH_LIMIT = 10 * 1000 * 1000,
    HEAP_LIMIT = 256 * 1024, /* of the interpreter, in KiB */
    STACK_FIRST = 32 * 1024, /* of compiled code, in bytes */
    STACK_MOST = 8 * 1024 * 1024
};

struct t2g_regex {
    pcre2_code *code;
    char *pattern;
    size_t n;
};

struct t2g_regex_scratch {
    pcre2_match_data *data;
    pcre2_match_context *context;
    pcre2_jit_stack *stack;
};

t2g_status t2g_regex_fail(t2g_status s, const char *pattern, size_t n,
                          size_t at, const char *why)
{
    int shown = n < 300 ? (int)n : 300;
    const char *dots = n < 300 ? "" : "...";
    if (at == T2G_NO_POSITION)
        return t2g_fail(s, "regular expression '%.*s'%s: %s", shown, pattern,
                        dots, why);
    return t2g_fail(s, "regular expression '%.*s'%s, byte %zu: %s", shown,
                    pattern, dots, at, why);
}

/* --- compiling ----------------------------------------------------------- */

/* Compiles what the translator wrote. PCRE2 keeps its own allocator here: up to
 * 10.42 its compiler to machine code crashes when an allocation fails, which
 * that of our callers may let happen at any time. */
static t2g_status compile(t2g_regex *r, const t2g_buffer *translated,
                          bool atomic)
{
    pcre2_compile_context *context = pcre2_compile_context_create(NULL);
    if (!context)
        return t2g_fail(T2G_ERR_MEMORY, "no memory to compile with");
    pcre2_set_newline(context, PCRE2_NEWLINE_LF);
    int error;
    PCRE2_SIZE at;
    r->code = pcre2_compile((PCRE2_SPTR)translated->data, translated->size,
                            PCRE2_UTF | PCRE2_MULTILINE | PCRE2_DOTALL |
                                PCRE2_NEVER_BACKSLASH_C,
                            &error, &at, context);
    pcre2_compile_context_free(context);
    if (r->code) {
        /* Machine code is a matter of speed, and where there is none the
         * interpreter matches. It alone does so in atomic groups: in 10.42
         * machine code for (?>a+?)c finds nothing in "aac". */
        if (!atomic)
            (void)pcre2_jit_compile(r->code, PCRE2_JIT_COMPLETE);
        return T2G_OK;
    }
    if (error == PCRE2_ERROR_HEAP_FAILED)
        return t2g_fail(T2G_ERR_MEMORY, "no memory to compile with");
    PCRE2_UCHAR why[256] = "";
    pcre2_get_error_message(error, why, sizeof why);
    return t2g_regex_fail(T2G_ERR_UNSUPPORTED, r->pattern, r->n,
                          T2G_NO_POSITION, (const char *)why);
}

static t2g_status translate_and_compile(t2g_regex *r)
{
    t2g_buffer translated = {0};
    bool atomic;
    t2g_status status =
        t2g_regex_translate(&translated, r->pattern, r->n, &atomic);
    if (status == T2G_OK)
        status = compile(r, &translated, atomic);
    t2g_buffer_free(&translated);
    return status;
}

t2g_status t2g_regex_compile(t2g_regex **out, const char *pattern, size_t n)
{
    *out = NULL;
    t2g_regex *r = t2g_calloc(1, sizeof *r);
    if (!r)
        return T2G_ERR_MEMORY;
    r->pattern = t2g_strndup(pattern, n);
    r->n = n;
    t2g_status status = r->pattern ? translate_and_compile(r) : T2G_ERR_MEMORY;
    if (status != T2G_OK) {
        t2g_regex_free(r);
        return status;
    }
    *out = r;
    return T2G_OK;
}

void t2g_regex_free(t2g_regex *r)
{
    if (!r)
        return;
    pcre2_code_free(r->code);
    t2g_free(r->pattern);
    t2g_free(r);
}

/* --- matching ------------------------------------------------------------ */

static void *allocate(size_t size, void *context)
{
    (void)context;
    return t2g_calloc(size, 1);
}

static void release(void *p, void *context)
{
    (void)context;
    t2g_free(p);
}

/* One pair of positions: groups are looked at by the engine alone. */
static t2g_status fill(t2g_regex_scratch *s, pcre2_general_context *memory)
{
    s->data = pcre2_match_data_create(1, memory);
    s->context = pcre2_match_context_create(memory);
    if (!s->data || !s->context)
        return T2G_ERR_MEMORY;
    pcre2_set_match_limit(s->context, MATCH_LIMIT);
    pcre2_set_heap_limit(s->context, HEAP_LIMIT);
    /* NULL where there is no compiled code: then it is not needed. */
    s->stack = pcre2_jit_stack_create(STACK_FIRST, STACK_MOST, memory);
    if (s->stack)
        pcre2_jit_stack_assign(s->context, NULL, s->stack);
    return T2G_OK;
}

t2g_status t2g_regex_scratch_new(t2g_regex_scratch **out)
{
    *out = NULL;
    t2g_regex_scratch *s = t2g_calloc(1, sizeof *s);
    pcre2_general_context *memory =
        s ? pcre2_general_context_create(allocate, release, NULL) : NULL;
    t2g_status status = memory ? fill(s, memory) : T2G_ERR_MEMORY;
    pcre2_general_context_free(memory);
    if (status != T2G_OK) {
        t2g_regex_scratch_free(s);
        return status;
    }
    *out = s;
    return T2G_OK;
}

void t2g_regex_scratch_free(t2g_regex_scratch *s)
{
    if (!s)
        return;
    pcre2_match_data_free(s->data);
    pcre2_match_context_free(s->context);
    pcre2_jit_stack_free(s->stack);
    t2g_free(s);
}

static t2g_status match_failure(const t2g_regex *r, int error)
{
    if (error == PCRE2_ERROR_NOMEMORY)
        return t2g_fail(T2G_ERR_MEMORY, "no memory to match with");
    PCRE2_UCHAR why[256] = "";
    pcre2_get_error_message(error, why, sizeof why);
    return t2g_regex_fail(T2G_ERR_FORMAT, r->pattern, r->n, T2G_NO_POSITION,
                          (const char *)why);
}

t2g_status t2g_regex_next(const t2g_regex *r, t2g_regex_scratch *s,
                          const char *text, size_t n, size_t from, bool *found,
                          size_t *begin, size_t *end)
{
    PCRE2_SPTR subject = (PCRE2_SPTR)text;
    int result = pcre2_match(r->code, subject, n, from, PCRE2_NO_UTF_CHECK,
                             s->data, s->context);
    if (result == PCRE2_ERROR_JIT_STACKLIMIT) /* the interpreter has more */
        result = pcre2_match(r->code, subject, n, from,
                             PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT, s->data,
                             s->context);
    *found = result >= 0;
    if (*found) {
        const PCRE2_SIZE *position = pcre2_get_ovector_pointer(s->data);
        *begin = position[0];
        *end = position[1];
        return T2G_OK;
    }
    return result == PCRE2_ERROR_NOMATCH ? T2G_OK : match_failure(r, result);
}

t2g_status t2g_regex_walk_next(const t2g_regex *r, t2g_regex_scratch *s,
                               const char *text, size_t n,
                               t2g_regex_walk *walk, bool *found,
                               size_t *begin, size_t *end)
{
    *found = false;
    while (walk->from <= n) {
        T2G_TRY(t2g_regex_next(r, s, text, n, walk->from, found, begin, end));
        if (!*found)
            return T2G_OK;
        if (*begin < *end || !walk->matched || *end != walk->end) {
            *walk = (t2g_regex_walk){*end, *end, true};
            return T2G_OK;
        }
        *found = false;
        walk->from += walk->from < n
                          ? utf8_length((unsigned char)text[walk->from])
                          : 1;
    }
    return T2G_OK;
}
