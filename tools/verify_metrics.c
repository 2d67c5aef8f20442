/* `t2g verify metrics`: texts, judgements and figures with the scores that
 * other libraries give them. */
#include <string.h>

#include "metrics_case.h"
#include "verify.h"

/* --- one output ----------------------------------------------------------- */

static void compare_numbers(verifier *v, const char *name, const json_t *got,
                            const oracle_tensor *want, double absolute,
                            double relative)
{
    double *x = t2g_calloc(want->count, sizeof *x);
    for (size_t i = 0; x && i < want->count; i++)
        x[i] = metrics_number(json_array_get(got, i));
    if (x)
        verify_f64(v, name, x, want->value, want->count, absolute, relative);
    else
        verify_fail(v, name, "%s", t2g_error_message());
    t2g_free(x);
}

static void compare_texts(verifier *v, const char *name, const json_t *got,
                          const oracle_tensor *want)
{
    for (size_t i = 0; i < want->count; i++) {
        const json_t *g = json_array_get(got, i);
        const json_t *w = json_array_get(want->data, i);
        char field[96];
        snprintf(field, sizeof field, "%s[%zu]", name, i);
        if (!json_is_string(w))
            verify_fail(v, field, "this element of the case is no text");
        else
            verify_text(v, field, json_string_value(g), json_string_length(g),
                        json_string_value(w), json_string_length(w));
    }
}

/* Counts are equal, other numbers near. */
static bool is_exact(const json_t *tensor)
{
    const char *dtype = json_string_value(json_object_get(tensor, "dtype"));
    return dtype && strcmp(dtype, "i64") == 0;
}

static void compare_output(verifier *v, const char *kind, const json_t *one,
                           const char *name, const json_t *got)
{
    const json_t *outs = json_object_get(one, "out");
    oracle_tensor want;
    double absolute, relative;
    if (!oracle_read(v, outs, name, &want))
        return;
    metrics_tolerance(kind, one, &absolute, &relative);
    if (is_exact(json_object_get(outs, name)))
        absolute = relative = 0;
    if (json_array_size(got) != want.count)
        verify_fail(v, name, "wanted %zu elements, got %zu", want.count,
                    json_array_size(got));
    else if (want.value)
        compare_numbers(v, name, got, &want, absolute, relative);
    else
        compare_texts(v, name, got, &want);
    oracle_free(&want);
}

/* --- cases ---------------------------------------------------------------- */

static void run_case(verifier *v, const char *kind, const json_t *one)
{
    const char *name;
    json_t *want, *out = json_object();
    if (metrics_case(out, kind, one) != T2G_OK) {
        verify_fail(v, kind, "%s", t2g_error_message());
    } else {
        json_object_foreach(json_object_get(one, "out"), name, want)
            if (metrics_wanted(name))
                compare_output(v, kind, one, name, json_object_get(out, name));
    }
    json_decref(out);
}

static bool known(const char *kind)
{
    json_t *out = json_object(), *nothing = json_object();
    bool unknown = metrics_case(out, kind, nothing) == T2G_ERR_UNSUPPORTED;
    json_decref(out);
    json_decref(nothing);
    return !unknown;
}

void verify_metrics(verifier *v, const char *path, const json_t *root)
{
    const char *kind = json_string_value(json_object_get(root, "kind"));
    const json_t *one;
    size_t i;
    bool of_models = kind ? strcmp(kind, "reward_model") == 0
                          : json_object_get(root, "code_similarity") != NULL;
    if (of_models) {
        verify_rm_metrics(v, path, root);
        return;
    }
    if (!kind || !known(kind)) {
        verify_skip(v, path, NULL, "not a kind of metric known here");
        return;
    }
    json_array_foreach(json_object_get(root, "cases"), i, one) {
        const char *id = json_string_value(json_object_get(one, "id"));
        if (verify_begin(v, path, id)) {
            run_case(v, kind, one);
            verify_end(v);
        }
    }
}
