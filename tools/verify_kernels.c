/* `t2g verify`: matrix products whose bits another implementation of the same
 * contract, one chain of fused multiply-adds an element, computed. */
#include "verify.h"

#include <string.h>

/* One case: c = a b in row-major order, whatever order the file has. */
typedef struct product {
    size_t m, k, n;
    float *a, *a_transposed; /* [m,k], [k,m] */
    float *b, *b_transposed; /* [k,n], [n,k] */
    float *c;                /* [m,n], as the other implementation has it */
} product;

static void product_free(product *p)
{
    t2g_free(p->a);
    t2g_free(p->a_transposed);
    t2g_free(p->b);
    t2g_free(p->b_transposed);
    t2g_free(p->c);
}

/* --- reading ------------------------------------------------------------- */

/* The file of tensors: path with .safetensors in the place of .json. */
static t2g_status open_tensors(t2g_safetensors *st, const char *path)
{
    static const char json[] = ".json";
    size_t n = strlen(path), end = strlen(json);
    t2g_buffer name = {0};
    if (n < end || strcmp(path + n - end, json) != 0)
        return t2g_fail(T2G_ERR_ARG, "%s: its name does not end in .json",
                        path);
    t2g_status s = t2g_buffer_append(&name, path, n - end);
    if (s == T2G_OK)
        s = t2g_buffer_puts(&name, ".safetensors");
    if (s == T2G_OK)
        s = t2g_safetensors_open(st, name.data);
    t2g_buffer_free(&name);
    return s;
}

/* Tensor "id.letter", which must be F32 [rows, columns]. */
static t2g_status read_matrix(float **out, const t2g_safetensors *st,
                              const char *id, const char *letter, size_t rows,
                              size_t columns)
{
    char name[64];
    snprintf(name, sizeof name, "%s.%s", id, letter);
    const t2g_tensor_view *t = t2g_safetensors_find(st, name);
    if (!t)
        return t2g_fail(T2G_ERR_FORMAT, "%s: no tensor %s", st->path, name);
    if (t->dtype != T2G_F32 || t->rank != 2 || t->shape[0] != rows ||
        t->shape[1] != columns)
        return t2g_fail(T2G_ERR_FORMAT, "%s: %s is not F32 [%zu,%zu]",
                        st->path, name, rows, columns);
    *out = t2g_calloc(t->count, sizeof **out);
    return *out ? t2g_tensor_to_f32(t, *out) : T2G_ERR_MEMORY;
}

/* out [columns,rows] = x [rows,columns]' */
static t2g_status transpose(float **out, const float *x, size_t rows,
                            size_t columns)
{
    *out = t2g_calloc(rows * columns, sizeof **out);
    if (!*out)
        return T2G_ERR_MEMORY;
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < columns; j++)
            (*out)[j * rows + i] = x[i * columns + j];
    return T2G_OK;
}

/* Both orders of a [rows,columns] matrix that the file has in one of them. */
static t2g_status read_both(float **plain, float **transposed,
                            const t2g_safetensors *st, const char *id,
                            const char *letter, bool stored_transposed,
                            size_t rows, size_t columns)
{
    if (stored_transposed) {
        T2G_TRY(read_matrix(transposed, st, id, letter, columns, rows));
        return transpose(plain, *transposed, columns, rows);
    }
    T2G_TRY(read_matrix(plain, st, id, letter, rows, columns));
    return transpose(transposed, *plain, rows, columns);
}

static t2g_status read_size(size_t *out, const json_t *one, const char *key)
{
    const json_t *value = json_object_get(one, key);
    json_int_t size = json_integer_value(value);
    if (size < 1 || size > 1 << 28)
        return t2g_fail(T2G_ERR_FORMAT, "\"%s\" is not a size from 1 to 2^28",
                        key);
    *out = (size_t)size;
    return T2G_OK;
}

static t2g_status read_product(product *p, const t2g_safetensors *st,
                               const char *id, const json_t *one)
{
    T2G_TRY(read_size(&p->m, one, "m"));
    T2G_TRY(read_size(&p->k, one, "k"));
    T2G_TRY(read_size(&p->n, one, "n"));
    T2G_TRY(read_both(&p->a, &p->a_transposed, st, id, "a",
                      json_is_true(json_object_get(one, "trans_a")), p->m,
                      p->k));
    T2G_TRY(read_both(&p->b, &p->b_transposed, st, id, "b",
                      json_is_true(json_object_get(one, "trans_b")), p->k,
                      p->n));
    return read_matrix(&p->c, st, id, "c", p->m, p->n);
}

/* --- computing ----------------------------------------------------------- */

static void compare(verifier *v, const t2g_kernels *k, const char *kernel,
                    const float *c, const product *p)
{
    char field[64];
    snprintf(field, sizeof field, "%s %s", k->isa, kernel);
    verify_bits(v, field, c, p->c, p->m * p->n);
}

/* c [m,n] and panels [t2g_panel_floats(k,n)] are room to work in. */
static void compare_kernels(verifier *v, const t2g_kernels *k, const product *p,
                            float *c, float *panels)
{
    k->pack(panels, p->b, p->n, 0, p->k, p->n);
    k->matmul(c, p->n, p->a, p->k, panels, NULL, 0, p->m, p->n, p->k);
    compare(v, k, "matmul", c, p);

    k->pack(panels, p->b_transposed, p->k, 1, p->k, p->n);
    k->matmul(c, p->n, p->a, p->k, panels, NULL, 0, p->m, p->n, p->k);
    compare(v, k, "matmul, b transposed", c, p);

    for (size_t i = 0; i < p->m * p->n; i++)
        c[i] = 0.0f;
    k->matmul_tn(c, p->n, p->a_transposed, p->m, p->b, p->n, p->m, p->n, p->k);
    compare(v, k, "matmul_tn", c, p);
}

static void compare_product(verifier *v, const product *p)
{
    t2g_kernels scalar;
    t2g_kernels_ref(&scalar);
    const t2g_kernels *selected = verify_kernels(v);
    float *c = t2g_calloc(p->m * p->n, sizeof *c);
    float *panels = t2g_calloc(t2g_panel_floats(p->k, p->n), sizeof *panels);
    if (!c || !panels) {
        verify_fail(v, "memory", "%s", t2g_error_message());
    } else {
        compare_kernels(v, &scalar, p, c, panels);
        if (strcmp(selected->isa, scalar.isa) != 0)
            compare_kernels(v, selected, p, c, panels);
    }
    t2g_free(c);
    t2g_free(panels);
}

static void verify_product(verifier *v, const char *path,
                           const t2g_safetensors *st, const json_t *one)
{
    char id[32];
    snprintf(id, sizeof id, "%" JSON_INTEGER_FORMAT,
             json_integer_value(json_object_get(one, "id")));
    if (!verify_begin(v, path, id))
        return;
    product p = {0};
    if (read_product(&p, st, id, one) == T2G_OK)
        compare_product(v, &p);
    else
        verify_fail(v, "case", "%s", t2g_error_message());
    product_free(&p);
    verify_end(v);
}

void verify_kernels_stage(verifier *v, const char *path, const json_t *root)
{
    const char *kind = json_string_value(json_object_get(root, "kind"));
    const json_t *cases = json_object_get(root, "cases");
    t2g_safetensors st;

    if (!kind || strcmp(kind, "matmul") != 0) {
        verify_skip(v, path, NULL, "not a kind of kernel cases");
        return;
    }
    if (open_tensors(&st, path) != T2G_OK) {
        if (verify_begin(v, path, "-")) {
            verify_fail(v, "tensors", "%s", t2g_error_message());
            verify_end(v);
        }
        return;
    }
    for (size_t i = 0; i < json_array_size(cases); i++)
        verify_product(v, path, &st, json_array_get(cases, i));
    t2g_safetensors_close(&st);
}
