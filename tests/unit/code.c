/* Programs in responses: what is code, and which bytes a line is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "t2g/t2g.h"

static t2g_text text(const char *s)
{
    return (t2g_text){s, s ? strlen(s) : 0};
}

static const char prompt[] =
    "import math\n\n\ndef f(x):\n    \"\"\"Doc.\"\"\"\n";

static void assert_code(const char *before, const char *response,
                        const char *entry, const char *want)
{
    t2g_code c;
    assert_int_equal(t2g_code_extract(&c, text(before), text(response), entry),
                     T2G_OK);
    assert_string_equal(c.text.data, want);
    for (size_t i = 0; i < c.count; i++) {
        const t2g_code_piece *p = &c.piece[i];
        assert_true(p->from + p->n <= strlen(response));
        assert_memory_equal(c.text.data + p->at, response + p->from, p->n);
    }
    t2g_code_free(&c);
}

static void fences(void **state)
{
    (void)state;
    assert_code(NULL, "x = 1", NULL, "x = 1\n");
    assert_code(NULL, "A\n```python\n\nx = 1  \n\n```\nB\n", NULL, "x = 1\n");
    assert_code(NULL, "```\nx = 1\n", NULL, "x = 1\n");
    assert_code(NULL, "```py\na\n```\nB\n```sh\nls\n```\n```\nb\n```", NULL,
                "a\n\nb\n");
    assert_code(NULL, "```sh\nls\n```\nB\n  ```js\nb\n  ```", NULL,
                "ls\n\nb\n");
    assert_code(NULL, "````python\ns = '''\n```\n'''\n````", NULL,
                "s = '''\n```\n'''\n");
    assert_code(NULL, "```x``` is inline\r\n", NULL, "```x``` is inline\n");
    assert_code(NULL, "```python\r\na\r\nb\r\n```\r\n", NULL, "a\r\nb\n");
    assert_code(NULL, "", NULL, "\n");
    assert_code(NULL, "```python\n```", NULL, "```python\n```\n");
}

static void prompts(void **state)
{
    (void)state;
    assert_code(prompt, "    return x\n", "f",
                "import math\n\n\ndef f(x):\n    \"\"\"Doc.\"\"\"\n"
                "    return x\n");
    assert_code(prompt, "```\n    return x\n```", "f",
                "import math\n\n\ndef f(x):\n    \"\"\"Doc.\"\"\"\n"
                "    return x\n");
    assert_code(prompt, "def f(x): return x", "f",
                "import math\n\n\ndef f(x):\n    \"\"\"Doc.\"\"\"\n\n"
                "def f(x): return x\n");
    assert_code("Write f.", "def f(x): pass", "f", "def f(x): pass\n");
    assert_code("def fg(x):\n", "f = 1", "f", "f = 1\n");
    assert_code("class f :\n", "  x = 1", "f", "class f :\n  x = 1\n");
    assert_code(prompt, "x", NULL, "x\n");
}

static void assert_line(const t2g_code *c, const char *response, size_t first,
                        size_t last, const char *want)
{
    size_t start = 0, end = 0;
    bool found = t2g_code_lines(c, response, first, last, &start, &end);
    assert_int_equal(found, want != NULL);
    if (!want)
        return;
    assert_int_equal(end - start, strlen(want));
    assert_memory_equal(response + start, want, end - start);
}

static void lines(void **state)
{
    static const char response[] = "\xc3\xa9\n```\n    a = 1\r\n\n    b  \n"
                                   "```\nx\n```\nc\n```\n";
    t2g_code c;
    (void)state;
    assert_int_equal(t2g_code_extract(&c, text("def f():\n"), text(response),
                                      "f"), T2G_OK);
    assert_line(&c, response, 0, 1, NULL);
    assert_line(&c, response, 1, 1, NULL); /* the prompt's */
    assert_line(&c, response, 2, 2, "a = 1");
    assert_line(&c, response, 3, 3, NULL); /* blank */
    assert_line(&c, response, 4, 4, "b");
    assert_line(&c, response, 5, 5, NULL); /* between the blocks */
    assert_line(&c, response, 6, 6, "c");
    assert_line(&c, response, 1, 4, "a = 1\r\n\n    b");
    assert_line(&c, response, 2, 99, "a = 1\r\n\n    b  \n```\nx\n```\nc");
    assert_line(&c, response, 7, 9, NULL);
    assert_line(&c, response, 4, 3, NULL);
    assert_line(&c, response, SIZE_MAX, SIZE_MAX, NULL);
    t2g_code_free(&c);
}

/* Memory that ends after `left` allocations. */
static int left;

static void *scarce(void *context, size_t size, size_t align)
{
    (void)context;
    void *p = NULL;
    if (left-- <= 0 || posix_memalign(&p, align, size) != 0)
        return NULL;
    return p;
}

static void give_back(void *context, void *p)
{
    (void)context;
    free(p);
}

static void memory_ends(void **state)
{
    const t2g_allocator few = {scarce, give_back, NULL};
    t2g_status s = T2G_ERR_MEMORY;
    (void)state;
    t2g_set_allocator(&few);
    for (int n = 0; s != T2G_OK && n < 50; n++) {
        t2g_code c;
        left = n;
        s = t2g_code_extract(&c, text(prompt), text("```\n  x\n```\n```\ny"),
                             "f");
        assert_true(s == T2G_OK || s == T2G_ERR_MEMORY);
        t2g_code_free(&c);
    }
    t2g_set_allocator(NULL);
    assert_int_equal(s, T2G_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fences), cmocka_unit_test(prompts),
        cmocka_unit_test(lines), cmocka_unit_test(memory_ends)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
