/* verify --got: the outputs of another implementation against a recorded case.
 * Both files have the same layout; whatever the expected one holds must be in
 * the other. For a case folder the tensors are taken in the order of the
 * computation, so that the first that fails is where the two part. */
#include <stdlib.h>
#include <string.h>

#include "verify_private.h"

/* --- JSON ---------------------------------------------------------------- */

static void compare_json(verifier *v, const char *field, const json_t *want,
                         const json_t *got, double noise);

static bool is_tensor(const json_t *value)
{
    return json_is_string(json_object_get(value, "dtype")) &&
           json_is_array(json_object_get(value, "data"));
}

static void compare_f32(verifier *v, const char *field, const oracle_tensor *w,
                        const oracle_tensor *g, double noise)
{
    float *want = oracle_f32(w), *got = oracle_f32(g);
    if (want && got)
        verify_f32(v, field, got, want, NULL, w->count, noise);
    else
        verify_fail(v, field, "%s", t2g_error_message());
    t2g_free(want);
    t2g_free(got);
}

static void compare_values(verifier *v, const char *field, const char *dtype,
                           const oracle_tensor *want, const oracle_tensor *got,
                           double noise)
{
    if (want->count != got->count)
        verify_fail(v, field, "wanted %zu elements, got %zu", want->count,
                    got->count);
    else if (!want->value || !got->value)
        compare_json(v, field, want->data, got->data, noise);
    else if (strcmp(dtype, "f32") == 0)
        compare_f32(v, field, want, got, noise);
    else if (strcmp(dtype, "f64") == 0)
        verify_f64(v, field, got->value, want->value, want->count, 1e-12,
                   1e-12);
    else
        verify_f64(v, field, got->value, want->value, want->count, 0, 0);
}

static void compare_tensors(verifier *v, const char *field, const json_t *want,
                            const json_t *got, double noise)
{
    const char *dtype = json_string_value(json_object_get(want, "dtype"));
    oracle_tensor w, g;
    json_t *both = json_pack("{s:O, s:O}", "wanted", want, "got", got);
    if (oracle_read(v, both, "wanted", &w)) {
        if (oracle_read(v, both, "got", &g)) {
            compare_values(v, field, dtype, &w, &g, noise);
            oracle_free(&g);
        }
        oracle_free(&w);
    }
    json_decref(both);
}

static void compare_arrays(verifier *v, const char *field, const json_t *want,
                           const json_t *got, double noise)
{
    char name[512];
    size_t i, n = json_array_size(want);
    const json_t *item;
    if (json_array_size(got) != n)
        verify_fail(v, field, "wanted %zu items, got %zu", n,
                    json_array_size(got));
    json_array_foreach(want, i, item) {
        if (i >= json_array_size(got) || v->case_failed)
            return; /* the first difference says where to look */
        snprintf(name, sizeof name, "%s[%zu]", field, i);
        compare_json(v, name, item, json_array_get(got, i), noise);
    }
}

static void compare_objects(verifier *v, const char *field, const json_t *want,
                            const json_t *got, double noise)
{
    char name[512];
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)want, key, value) {
        const json_t *other = json_object_get(got, key);
        snprintf(name, sizeof name, "%s%s%s", field, *field ? "." : "", key);
        if (other)
            compare_json(v, name, value, other, noise);
        else
            verify_fail(v, name, "--got lacks it");
    }
}

static void compare_scalars(verifier *v, const char *field, const json_t *want,
                            const json_t *got, double noise)
{
    if (json_is_integer(want) && json_is_integer(got)) {
        int64_t w = json_integer_value(want), g = json_integer_value(got);
        verify_i64(v, field, &g, &w, 1);
    } else if (json_is_number(want) && json_is_number(got)) {
        double w = json_number_value(want), g = json_number_value(got);
        verify_f64(v, field, &g, &w, 1, 1e-6 + 8 * noise, 1e-5);
    } else if (json_is_string(want) && json_is_string(got)) {
        verify_text(v, field, json_string_value(got), json_string_length(got),
                    json_string_value(want), json_string_length(want));
    } else {
        v->file.fields++;
        if (!json_equal((json_t *)(uintptr_t)want, (json_t *)(uintptr_t)got))
            verify_fail(v, field, "another type or truth value than wanted");
    }
}

static void compare_json(verifier *v, const char *field, const json_t *want,
                         const json_t *got, double noise)
{
    if (is_tensor(want) && is_tensor(got))
        compare_tensors(v, field, want, got, noise);
    else if (json_is_array(want) && json_is_array(got))
        compare_arrays(v, field, want, got, noise);
    else if (json_is_object(want) && json_is_object(got))
        compare_objects(v, field, want, got, noise);
    else
        compare_scalars(v, field, want, got, noise);
}

/* --- case files ---------------------------------------------------------- */

/* The name of a case: "id" or "name", else its place in the file. */
static void case_name(char out[128], const json_t *one, size_t i)
{
    const json_t *id = json_object_get(one, "id");
    const char *text = json_string_value(id);
    if (!text)
        text = json_string_value(json_object_get(one, "name"));
    if (text)
        snprintf(out, 128, "%s", text);
    else if (json_is_integer(id))
        snprintf(out, 128, "%" JSON_INTEGER_FORMAT, json_integer_value(id));
    else
        snprintf(out, 128, "%zu", i);
}

static const json_t *case_named(const json_t *cases, const char *name)
{
    char other[128];
    size_t i;
    const json_t *one;
    json_array_foreach(cases, i, one) {
        case_name(other, one, i);
        if (strcmp(name, other) == 0)
            return one;
    }
    return NULL;
}

/* With "out" only the outputs count; inputs need not be repeated. */
static void compare_case(verifier *v, const json_t *want, const json_t *got)
{
    const json_t *out = json_object_get(want, "out");
    const char *key;
    json_t *value;
    if (!json_is_object(out)) {
        compare_json(v, "", want, got, 0);
        return;
    }
    const json_t *other = json_object_get(got, "out");
    json_object_foreach((json_t *)(uintptr_t)out, key, value) {
        const json_t *g = json_object_get(other, key);
        if (g)
            compare_json(v, key, value, g, oracle_noise(want, key));
        else
            verify_fail(v, key, "--got lacks it");
    }
}

static const json_t *cases_of(const json_t *root)
{
    return json_is_array(root) ? root : json_object_get(root, "cases");
}

static void compare_cases(verifier *v, const char *path, const json_t *want,
                          const json_t *got)
{
    char name[128];
    size_t i;
    const json_t *one;
    json_array_foreach(want, i, one) {
        case_name(name, one, i);
        if (!verify_begin(v, path, name))
            continue;
        const json_t *other = case_named(got, name);
        if (other)
            compare_case(v, one, other);
        else
            verify_fail(v, "case", "--got lacks it");
        verify_end(v);
    }
}

static void compare_case_file(verifier *v, const char *path, const json_t *root,
                              const json_t *got)
{
    const json_t *want = cases_of(root), *other = cases_of(got);
    if (json_is_array(want) && json_is_array(other)) {
        compare_cases(v, path, want, other);
    } else if (verify_begin(v, path, "file")) {
        compare_json(v, "", root, got, 0);
        verify_end(v);
    }
}

/* --- case folders -------------------------------------------------------- */

/* Where in the computation a tensor arises: hidden states by layer, what is
 * made of the last one, then gradients from the last layer back. */
static long place_of(const char *name)
{
    const char *layer = strstr(name, ".layers.");
    if (!layer)
        layer = strstr(name, ".h.");
    if (strncmp(name, "hidden.", 7) == 0)
        return strcmp(name, "hidden.final") == 0 ? 99999
                                                  : atol(name + 7);
    if (strncmp(name, "grad.", 5) != 0)
        return 100000;
    return layer ? 300000 - atol(strpbrk(layer, "0123456789")) : 299999;
}

static int by_place(const void *a, const void *b)
{
    const t2g_tensor_view *x = *(const t2g_tensor_view *const *)a;
    const t2g_tensor_view *y = *(const t2g_tensor_view *const *)b;
    long p = place_of(x->name), q = place_of(y->name);
    return p != q ? (p > q) - (p < q) : strcmp(x->name, y->name);
}

static void compare_views(verifier *v, const t2g_tensor_view *want,
                          const t2g_tensor_view *got, double noise)
{
    if (want->count != got->count) {
        verify_fail(v, want->name, "wanted %zu elements, got %zu", want->count,
                    got->count);
        return;
    }
    float *w = t2g_calloc(want->count, sizeof *w);
    float *g = t2g_calloc(want->count, sizeof *g);
    if (w && g && t2g_tensor_to_f32(want, w) == T2G_OK &&
        t2g_tensor_to_f32(got, g) == T2G_OK)
        verify_f32(v, want->name, g, w, NULL, want->count, noise);
    else
        verify_fail(v, want->name, "%s", t2g_error_message());
    t2g_free(w);
    t2g_free(g);
}

static void compare_open(verifier *v, const t2g_safetensors *want,
                         const t2g_safetensors *got, const json_t *root)
{
    const t2g_tensor_view **order = t2g_calloc(want->count, sizeof *order);
    if (!order) {
        verify_fail(v, "tensors", "%s", t2g_error_message());
        return;
    }
    for (size_t i = 0; i < want->count; i++)
        order[i] = &want->tensor[i];
    qsort(order, want->count, sizeof *order, by_place);
    for (size_t i = 0; i < want->count; i++) {
        const char *name = order[i]->name;
        const t2g_tensor_view *other = t2g_safetensors_find(got, name);
        if (other)
            compare_views(v, order[i], other, oracle_noise(root, name));
        else
            verify_fail(v, name, "--got lacks it");
    }
    t2g_free(order);
}

static void compare_folder(verifier *v, const char *path, const json_t *root,
                           const char *got)
{
    char wanted_path[4096], got_path[4096];
    t2g_safetensors want, other;
    snprintf(wanted_path, sizeof wanted_path, "%s/expected.safetensors", path);
    snprintf(got_path, sizeof got_path, "%s/expected.safetensors", got);
    if (t2g_safetensors_open(&want, wanted_path) != T2G_OK) {
        verify_fail(v, "expected", "%s", t2g_error_message());
        return;
    }
    if (t2g_safetensors_open(&other, got_path) == T2G_OK) {
        compare_open(v, &want, &other, root);
        t2g_safetensors_close(&other);
    } else {
        verify_fail(v, "got", "%s", t2g_error_message());
    }
    t2g_safetensors_close(&want);
}

void verify_other(verifier *v, const char *path, const json_t *root,
                  const char *got)
{
    json_t *other = NULL;
    size_t n = strlen(path);
    if (n < 5 || !strstr(path + n - (n < 8 ? n : 8), ".json")) {
        if (verify_begin(v, path, "folder")) {
            compare_folder(v, path, root, got);
            verify_end(v);
        }
    } else if (t2g_json_read(&other, got) == T2G_OK) {
        compare_case_file(v, path, root, other);
    } else if (verify_begin(v, path, "file")) {
        verify_fail(v, "got", "%s", t2g_error_message());
        verify_end(v);
    }
    json_decref(other);
}
