/* Comparing values, and what is said about it. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "verify_private.h"

const verify_options *verify_settings(const verifier *v)
{
    return &v->settings;
}

const t2g_kernels *verify_kernels(const verifier *v)
{
    return &v->inv->kernels;
}

/* --- files --------------------------------------------------------------- */

void verify_file_begin(verifier *v, const char *path)
{
    v->path = path;
    v->attempted = 0;
    v->file = (file_tally){.worst = -1, .failures = json_array(),
                           .skips = json_array()};
}

static void print_file(const verifier *v)
{
    const file_tally *f = &v->file;
    size_t cases = f->passed + f->failed;
    if (cases == 0)
        return; /* its skips are listed at the end */
    printf("%s: %zu case%s, %zu field%s", v->path, cases, cases == 1 ? "" : "s",
           f->fields, f->fields == 1 ? "" : "s");
    if (f->worst >= 0)
        printf(", worst %.3g of the tolerance at %s", f->worst, f->worst_at);
    if (f->skipped)
        printf(", %zu skipped", f->skipped);
    if (f->failed)
        printf(", %zu FAILED", f->failed);
    putchar('\n');
}

static json_t *file_report(const verifier *v)
{
    const file_tally *f = &v->file;
    json_t *out = json_pack(
        "{s:s, s:I, s:I, s:I, s:I, s:O, s:O}", "file", v->path, "passed",
        (json_int_t)f->passed, "failed", (json_int_t)f->failed, "skipped",
        (json_int_t)f->skipped, "fields", (json_int_t)f->fields, "failures",
        f->failures, "skips", f->skips);
    if (f->worst >= 0 && isfinite(f->worst)) {
        json_object_set_new(out, "worst", json_real(f->worst));
        json_object_set_new(out, "worst_at", json_string(f->worst_at));
    }
    return out;
}

void verify_file_end(verifier *v)
{
    if (v->attempted == 0 && v->file.skipped == 0)
        verify_skip(v, v->path, NULL, "no case of a kind this stage knows");
    v->passed += v->file.passed;
    v->failed += v->file.failed;
    v->skipped += v->file.skipped;
    if (v->inv->common.json)
        json_array_append_new(v->files, file_report(v));
    else
        print_file(v);
    json_decref(v->file.failures);
    json_decref(v->file.skips);
}

/* --- cases --------------------------------------------------------------- */

static bool chosen(const verifier *v, const char *id)
{
    return !v->settings.only || strcmp(v->settings.only, id) == 0;
}

bool verify_begin(verifier *v, const char *file, const char *id)
{
    (void)file;
    v->attempted++;
    snprintf(v->id, sizeof v->id, "%s", id ? id : "");
    v->case_failed = false;
    v->fields_before = v->file.fields;
    return chosen(v, v->id);
}

/* A case may compare by itself: its verdict then is its one field. */
void verify_end(verifier *v)
{
    if (v->file.fields == v->fields_before)
        v->file.fields++;
    if (v->case_failed)
        v->file.failed++;
    else
        v->file.passed++;
}

void verify_skip(verifier *v, const char *file, const char *id,
                 const char *why)
{
    (void)file;
    v->attempted++;
    if (id && !chosen(v, id))
        return;
    json_int_t n = json_integer_value(json_object_get(v->reasons, why));
    json_object_set_new(v->reasons, why, json_integer(n + 1));
    json_array_append_new(v->file.skips,
                          json_pack("{s:s*, s:s}", "case", id, "why", why));
    v->file.skipped++;
}

/* --- failures ------------------------------------------------------------ */

/* The line of a failure, and its entry for --json, which is freed. */
static void fail(verifier *v, json_t *entry, const char *text)
{
    v->case_failed = true;
    if (!v->inv->common.json)
        printf("%s: %s: %s\n", v->path, v->id, text);
    json_object_set_new(entry, "case", json_string(v->id));
    json_object_set_new(entry, "message", json_string(text));
    json_array_append_new(v->file.failures, entry);
}

void verify_fail(verifier *v, const char *field, const char *fmt, ...)
{
    char message[768], text[1024];
    va_list args;
    va_start(args, fmt);
    vsnprintf(message, sizeof message, fmt, args);
    va_end(args);
    snprintf(text, sizeof text, "%s: %s", field, message);
    fail(v, json_pack("{s:s}", "field", field), text);
}

/* Numbers that JSON cannot write become strings. */
static json_t *number_json(double x)
{
    char text[32];
    if (isfinite(x))
        return json_real(x);
    snprintf(text, sizeof text, "%g", x);
    return json_string(text);
}

/* The first element that differs, and how many do. */
typedef struct mismatch {
    size_t index, count, compared;
    double want, got, tolerance;
} mismatch;

static void fail_number(verifier *v, const char *field, const mismatch *m)
{
    char text[512];
    snprintf(text, sizeof text, "%s[%zu]: wanted %.9g, got %.9g, tolerance "
             "%.3g (%zu of %zu elements differ)", field, m->index, m->want,
             m->got, m->tolerance, m->count, m->compared);
    fail(v, json_pack("{s:s, s:I, s:o, s:o, s:o}", "field", field, "index",
                      (json_int_t)m->index, "wanted", number_json(m->want),
                      "got", number_json(m->got), "tolerance",
                      number_json(m->tolerance)), text);
}

/* --- comparisons --------------------------------------------------------- */

/* |got - want| as a share of the tolerance; more than 1 fails. */
static double share_of(double got, double want, double tolerance)
{
    if (got == want || (isnan(got) && isnan(want)))
        return 0;
    if (!isfinite(got) || !isfinite(want))
        return INFINITY;
    return fabs(got - want) / tolerance; /* tolerance 0: infinite */
}

static void keep_worst(verifier *v, const char *field, size_t i, double share)
{
    if (share <= v->file.worst)
        return;
    v->file.worst = share;
    snprintf(v->file.worst_at, sizeof v->file.worst_at, "%s/%s[%zu]", v->id,
             field, i);
}

static void note_element(verifier *v, const char *field, mismatch *m, size_t i,
                         double got, double want, double tolerance)
{
    double share = share_of(got, want, tolerance);
    keep_worst(v, field, i, share);
    m->compared++;
    if (share > 1 && m->count++ == 0) {
        m->index = i;
        m->want = want;
        m->got = got;
        m->tolerance = tolerance;
    }
}

void verify_f32(verifier *v, const char *field, const float *got,
                const float *want, const uint8_t *mask, size_t n, double noise)
{
    double factor = v->settings.tolerance < 0 ? 8 : v->settings.tolerance;
    mismatch m = {0};
    for (size_t i = 0; i < n; i++)
        if (!mask || mask[i])
            note_element(v, field, &m, i, got[i], want[i],
                         1e-6 + 1e-5 * fabs((double)want[i]) + factor * noise);
    v->file.fields++;
    if (m.count)
        fail_number(v, field, &m);
}

void verify_f64(verifier *v, const char *field, const double *got,
                const double *want, size_t n, double absolute, double relative)
{
    mismatch m = {0};
    for (size_t i = 0; i < n; i++)
        note_element(v, field, &m, i, got[i], want[i],
                     absolute + relative * fabs(want[i]));
    v->file.fields++;
    if (m.count)
        fail_number(v, field, &m);
}

void verify_i64(verifier *v, const char *field, const int64_t *got,
                const int64_t *want, size_t n)
{
    size_t first = n, count = 0;
    for (size_t i = n; i-- > 0;)
        if (got[i] != want[i]) {
            first = i;
            count++;
        }
    v->file.fields++;
    if (count)
        verify_fail(v, field, "[%zu]: wanted %lld, got %lld (%zu of %zu "
                    "elements differ)", first, (long long)want[first],
                    (long long)got[first], count, n);
}

static uint32_t bits_of(float x)
{
    uint32_t u;
    memcpy(&u, &x, sizeof u);
    return u;
}

void verify_bits(verifier *v, const char *field, const float *got,
                 const float *want, size_t n)
{
    size_t first = n, count = 0;
    for (size_t i = n; i-- > 0;)
        if (bits_of(got[i]) != bits_of(want[i]) &&
            !(isnan(got[i]) && isnan(want[i]))) {
            first = i;
            count++;
        }
    v->file.fields++;
    if (count)
        verify_fail(v, field, "[%zu]: wanted %.9g (0x%08x), got %.9g (0x%08x) "
                    "(%zu of %zu elements differ)", first, (double)want[first],
                    (unsigned)bits_of(want[first]), (double)got[first],
                    (unsigned)bits_of(got[first]), count, n);
}

/* A few bytes of text around `at`, quoted, what is not plain ASCII escaped. */
static void excerpt(char out[128], const char *text, size_t n, size_t at)
{
    size_t begin = at > 8 ? at - 8 : 0, used = 0;
    out[used++] = '"';
    for (size_t i = begin; i < n && used < 100; i++) {
        unsigned char c = (unsigned char)text[i];
        bool shown = c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
        used += (size_t)snprintf(out + used, 128 - used,
                                 shown ? "%c" : "\\x%02x", c);
    }
    snprintf(out + used, 128 - used, "\"");
}

void verify_text(verifier *v, const char *field, const char *got,
                 size_t got_length, const char *want, size_t want_length)
{
    char wanted[128], found[128];
    size_t shorter = got_length < want_length ? got_length : want_length;
    size_t at = 0;
    v->file.fields++;
    while (at < shorter && got[at] == want[at])
        at++;
    if (at == got_length && at == want_length)
        return;
    excerpt(wanted, want, want_length, at);
    excerpt(found, got, got_length, at);
    verify_fail(v, field, "byte %zu: wanted %s (%zu bytes), got %s (%zu "
                "bytes)", at, wanted, want_length, found, got_length);
}

/* --- tensors of JSON cases ----------------------------------------------- */

static bool read_number(const json_t *value, double *out)
{
    static const char *const names[] = {"nan", "inf", "-inf"};
    static const double numbers[] = {NAN, INFINITY, -INFINITY};
    const char *text = json_string_value(value);
    for (size_t i = 0; text && i < 3; i++)
        if (strcmp(text, names[i]) == 0) {
            *out = numbers[i];
            return true;
        }
    *out = json_number_value(value);
    return json_is_number(value);
}

static bool read_shape(oracle_tensor *t, const json_t *shape)
{
    const json_t *size;
    size_t i;
    if (!json_is_array(shape) || json_array_size(shape) > 8)
        return false;
    t->rank = json_array_size(shape);
    t->count = 1;
    json_array_foreach(shape, i, size) {
        json_int_t s = json_integer_value(size);
        if (!json_is_integer(size) || s < 0 || s > 1 << 28)
            return false;
        t->shape[i] = (size_t)s;
        t->count *= (size_t)s;
        if (t->count > 1 << 28)
            return false;
    }
    return json_array_size(t->data) == t->count;
}

bool oracle_read(verifier *v, const json_t *object, const char *name,
                 oracle_tensor *out)
{
    const json_t *tensor = json_object_get(object, name);
    const char *dtype = json_string_value(json_object_get(tensor, "dtype"));
    *out = (oracle_tensor){.data = json_object_get(tensor, "data")};
    if (!dtype || !read_shape(out, json_object_get(tensor, "shape"))) {
        verify_fail(v, name, "the case holds no tensor {dtype, shape, data} of "
                    "this name");
        return false;
    }
    if (strcmp(dtype, "str") == 0)
        return true;
    out->value = t2g_calloc(out->count, sizeof *out->value);
    if (!out->value) {
        verify_fail(v, name, "%s", t2g_error_message());
        return false;
    }
    for (size_t i = 0; i < out->count; i++)
        if (!read_number(json_array_get(out->data, i), &out->value[i])) {
            verify_fail(v, name, "element %zu of the case is no number", i);
            oracle_free(out);
            return false;
        }
    return true;
}

void oracle_free(oracle_tensor *t)
{
    t2g_free(t->value);
    *t = (oracle_tensor){0};
}

float *oracle_f32(const oracle_tensor *t)
{
    float *copy = t2g_calloc(t->count, sizeof *copy);
    for (size_t i = 0; copy && i < t->count; i++)
        copy[i] = (float)t->value[i];
    return copy;
}

double oracle_noise(const json_t *oracle_case, const char *name)
{
    const json_t *noise = json_object_get(oracle_case, "noise");
    double value = 0;
    (void)read_number(json_object_get(noise, name), &value);
    return value;
}
