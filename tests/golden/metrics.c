/* Replays vectors/metrics: what ROUGE's, BLEU's and other libraries give. What
 * a case computes is in tools/metrics_case.c, which `t2g verify` runs too. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../tools/metrics_case.h"
#include "t2g/t2g.h"

static void near(const char *id, const char *name, size_t i, double got,
                 double want, double absolute, double relative)
{
    bool same = got == want || (isnan(got) && isnan(want));
    if (!same && !(fabs(got - want) <= absolute + relative * fabs(want)))
        fail_msg("%s: %s[%zu] is %.17g, not %.17g", id, name, i, got, want);
}

static void check_output(const char *kind, const json_t *one, const char *name,
                         const json_t *want, const json_t *got)
{
    const char *id = json_string_value(json_object_get(one, "id"));
    const json_t *data = json_object_get(want, "data"), *w;
    double absolute, relative;
    size_t i;
    metrics_tolerance(kind, one, &absolute, &relative);
    if (json_array_size(got) != json_array_size(data))
        fail_msg("%s: %s has %zu elements, not %zu", id, name,
                 json_array_size(got), json_array_size(data));
    bool text = strcmp(json_string_value(json_object_get(want, "dtype")),
                       "str") == 0;
    json_array_foreach(data, i, w) {
        const json_t *g = json_array_get(got, i);
        if (!text)
            near(id, name, i, metrics_number(g), metrics_number(w), absolute,
                 relative);
        else if (!json_equal(g, w))
            fail_msg("%s: %s[%zu] is '%s', not '%s'", id, name, i,
                     json_string_value(g), json_string_value(w));
    }
}

/* *state is the name of the file, which is its kind. */
static void replay(void **state)
{
    const char *kind = *state, *name;
    char path[128];
    json_t *root, *want;
    const json_t *one;
    size_t i;
    snprintf(path, sizeof path, "vectors/metrics/%s.json", kind);
    if (t2g_json_read(&root, path) != T2G_OK)
        fail_msg("%s", t2g_error_message());
    assert_true(json_array_size(json_object_get(root, "cases")) > 0);
    json_array_foreach(json_object_get(root, "cases"), i, one) {
        json_t *out = json_object();
        if (metrics_case(out, kind, one) != T2G_OK)
            fail_msg("%s case %zu: %s", kind, i, t2g_error_message());
        json_object_foreach(json_object_get(one, "out"), name, want)
            check_output(kind, one, name, want, json_object_get(out, name));
        json_decref(out);
    }
    json_decref(root);
}

int main(void)
{
    static const char *const kinds[] = {
        "stem", "rouge", "bleu", "bleu_nltk", "text", "passk", "winrate",
        "agreement", "bootstrap", "intervals", "convergence", "span_effect"};
    enum { KINDS = sizeof kinds / sizeof *kinds };
    struct CMUnitTest tests[KINDS];
    for (size_t k = 0; k < KINDS; k++)
        tests[k] = (struct CMUnitTest){kinds[k], replay, NULL, NULL,
                                       (void *)(uintptr_t)kinds[k]};
    return cmocka_run_group_tests_name("metrics", tests, NULL, NULL);
}
