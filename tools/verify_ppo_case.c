/* Reading and comparing one case of the policy optimiser. */
#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "verify_ppo.h"

/* --- memory of a case --------------------------------------------------- */

static void *keep(ppo_case *c, void *p)
{
    void **more = p ? t2g_regrow(c->owned, c->owned_count, c->owned_count + 1,
                                 sizeof *more)
                    : NULL;
    if (!more) {
        t2g_free(p);
        verify_fail(c->v, "memory", "%s", t2g_error_message());
        c->broken = true;
        return NULL;
    }
    c->owned = more;
    return c->owned[c->owned_count++] = p;
}

void *case_array(ppo_case *c, size_t count, size_t size)
{
    return keep(c, t2g_calloc(count, size));
}

float *case_floats(ppo_case *c, size_t count)
{
    return case_array(c, count, sizeof(float));
}

const char *case_name(ppo_case *c, const char *fmt, ...)
{
    char text[128];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    char *copy = keep(c, t2g_strdup(text));
    return copy ? copy : "";
}

/* --- configuration ------------------------------------------------------ */

double case_number(const ppo_case *c, const char *key, double otherwise)
{
    const json_t *value = json_object_get(c->config, key);
    return json_is_number(value) ? json_number_value(value) : otherwise;
}

const char *case_text(const ppo_case *c, const char *key)
{
    const char *text = json_string_value(json_object_get(c->config, key));
    return text ? text : "";
}

uint32_t *case_ids(ppo_case *c, const char *key, size_t *count)
{
    const json_t *list = json_object_get(c->config, key);
    *count = json_array_size(list);
    uint32_t *id = case_array(c, *count, sizeof *id);
    for (size_t i = 0; id && i < *count; i++)
        id[i] = (uint32_t)json_integer_value(json_array_get(list, i));
    return id;
}

/* --- tensors ------------------------------------------------------------ */

static bool read_tensor(ppo_case *c, const json_t *from, const char *name,
                        oracle_tensor *t)
{
    if (oracle_read(c->v, from, name, t))
        return true;
    c->broken = true;
    return false;
}

/* The numbers of a tensor and how many, *n. */
static double *read_numbers(ppo_case *c, const json_t *from, const char *name,
                            long count, size_t *n)
{
    oracle_tensor t;
    *n = 0;
    if (!read_tensor(c, from, name, &t))
        return NULL;
    if (!t.value || (count != ANY_COUNT && t.count != (size_t)count)) {
        verify_fail(c->v, name, "the case has %zu %s, expected %ld numbers",
                    t.count, t.value ? "numbers" : "strings", count);
        c->broken = true;
        oracle_free(&t);
        return NULL;
    }
    *n = t.count;
    return keep(c, t.value);
}

double *case_f64(ppo_case *c, const json_t *from, const char *name, long count)
{
    size_t n;
    return read_numbers(c, from, name, count, &n);
}

float *case_f32(ppo_case *c, const json_t *from, const char *name, long count)
{
    size_t n;
    double *x = read_numbers(c, from, name, count, &n);
    float *out = x ? case_floats(c, n) : NULL;
    for (size_t i = 0; out && i < n; i++)
        out[i] = (float)x[i];
    return out;
}

int64_t *case_i64(ppo_case *c, const json_t *from, const char *name, long count)
{
    size_t n;
    double *x = read_numbers(c, from, name, count, &n);
    int64_t *out = x ? case_array(c, n, sizeof *out) : NULL;
    for (size_t i = 0; out && i < n; i++)
        out[i] = (int64_t)x[i];
    return out;
}

uint8_t *case_mask(ppo_case *c, const json_t *from, const char *name,
                   long count)
{
    size_t n;
    double *x = read_numbers(c, from, name, count, &n);
    uint8_t *out = x ? case_array(c, n, 1) : NULL;
    for (size_t i = 0; out && i < n; i++)
        out[i] = x[i] != 0;
    return out;
}

const char **case_strings(ppo_case *c, const char *name, size_t *count)
{
    oracle_tensor t;
    *count = 0;
    if (!read_tensor(c, c->in, name, &t))
        return NULL;
    const char **text = case_array(c, t.count, sizeof *text);
    for (size_t i = 0; text && i < t.count; i++) {
        text[i] = json_string_value(json_array_get(t.data, i));
        if (!text[i]) {
            verify_fail(c->v, name, "element %zu of the case is no text", i);
            c->broken = true;
            text[i] = "";
        }
    }
    *count = t.count;
    oracle_free(&t);
    return text;
}

void case_shape(ppo_case *c, const char *name, size_t *size, size_t rank)
{
    oracle_tensor t = {0};
    memset(size, 0, rank * sizeof *size);
    if (!read_tensor(c, c->in, name, &t))
        return;
    if (t.rank == rank) {
        memcpy(size, t.shape, rank * sizeof *size);
    } else {
        verify_fail(c->v, name, "the case has rank %zu, expected %zu", t.rank,
                    rank);
        c->broken = true;
    }
    oracle_free(&t);
}

/* --- comparisons -------------------------------------------------------- */

bool case_has(const ppo_case *c, const char *name)
{
    return json_object_get(c->out, name) != NULL;
}

void case_check(ppo_case *c, const char *name, const float *got,
                const uint8_t *mask, size_t n)
{
    float *want = got ? case_f32(c, c->out, name, (long)n) : NULL;
    if (want)
        verify_f32(c->v, name, got, want, mask, n, oracle_noise(c->json, name));
}

void case_check_number(ppo_case *c, const char *name, double got)
{
    float x = (float)got;
    case_check(c, name, &x, NULL, 1);
}

void case_check_f64(ppo_case *c, const char *name, const double *got, size_t n)
{
    double *want = case_f64(c, c->out, name, (long)n);
    if (want)
        verify_f64(c->v, name, got, want, n, 1e-12, 1e-12);
}

void case_check_i64(ppo_case *c, const char *name, const int64_t *got, size_t n)
{
    int64_t *want = case_i64(c, c->out, name, (long)n);
    if (want)
        verify_i64(c->v, name, got, want, n);
}

void case_check_zero(ppo_case *c, const char *name, const float *got, size_t n)
{
    float *want = case_floats(c, n);
    if (want)
        verify_f32(c->v, name, got, want, NULL, n, 0);
}

bool case_ok(ppo_case *c, const char *what, t2g_status s)
{
    if (s != T2G_OK)
        verify_fail(c->v, what, "%s", t2g_error_message());
    return s == T2G_OK;
}

size_t count_mask(const uint8_t *mask, size_t n)
{
    size_t N = 0;
    for (size_t i = 0; i < n; i++)
        N += mask[i];
    return N;
}
