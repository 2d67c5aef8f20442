#include "folder.h"
#include "t2g/files.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <cmocka.h>

/* --- a folder of our own ------------------------------------------------ */

static void put(const char *path, const void *bytes, size_t n)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

static const char *put_text(const char *name, const char *text)
{
    const char *path = in_folder(name);
    put(path, text, strlen(text));
    return path;
}

static void assert_content(const char *path, const char *want)
{
    t2g_buffer got = {0};
    assert_int_equal(t2g_file_read(path, &got), T2G_OK);
    assert_int_equal(got.size, strlen(want));
    assert_memory_equal(got.data, want, got.size);
    t2g_buffer_free(&got);
}

static void assert_message(const char *part)
{
    if (!strstr(t2g_error_message(), part))
        fail_msg("'%s' lacks '%s'", t2g_error_message(), part);
}

static bool exists(const char *path)
{
    return access(path, F_OK) == 0;
}

/* No temporary file of this process may stay behind. */
static void assert_no_temporary(const char *path)
{
    char name[600];
    snprintf(name, sizeof name, "%s.tmp-%ld", path, (long)getpid());
    assert_false(exists(name));
}

/* --- UTF-8 -------------------------------------------------------------- */

static void utf8_positions(void **state)
{
    static const struct {
        const char *text;
        size_t bad;
    } cases[] = {
        {"", 0},
        {"plain ASCII, longer than a word", 31},
        {"a\xc3\xa9\xe6\xbc\xa2\xf0\x9f\x98\x80z", 11},
        {"\xf4\x8f\xbf\xbf", 4},             /* U+10FFFF */
        {"\xef\xbf\xbf\xed\x9f\xbf", 6},     /* U+FFFF, U+D7FF */
        {"0123456789\xff", 10},
        {"ab\x80", 2},                       /* a continuation alone */
        {"\xc0\xaf", 0},                     /* overlong */
        {"a\xc1\xbf", 1},
        {"\xe0\x9f\xbf", 0},
        {"\xf0\x8f\xbf\xbf", 0},
        {"\xed\xa0\x80", 0},                 /* a surrogate */
        {"\xf4\x90\x80\x80", 0},             /* U+110000 */
        {"\xf5\x80\x80\x80", 0},
        {"xy\xe6\xbc", 2},                   /* cut short */
        {"12345678\xe6\xbc" "a", 8},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(t2g_utf8_invalid(cases[i].text,
                                          strlen(cases[i].text)),
                         cases[i].bad);
    assert_int_equal(t2g_utf8_invalid("a\0b", 3), 3);
}

/* --- JSON --------------------------------------------------------------- */

static void json_good(void **state)
{
    json_t *root;
    (void)state;
    const char *path = put_text("good.json",
        "\xef\xbb\xbf{\"b\": \"x\\u0000y\", \"a\": -99999999999999999999,\n"
        " \"text\": \"\\\"12345678901234567890\", \"real\": 0.1,"
        " \"exact\": 9223372036854775807}");
    assert_int_equal(t2g_json_read(&root, path), T2G_OK);
    assert_int_equal(json_string_length(json_object_get(root, "b")), 3);
    assert_true(json_is_real(json_object_get(root, "a")));
    assert_true(json_real_value(json_object_get(root, "a")) == -1e20);
    assert_string_equal(json_string_value(json_object_get(root, "text")),
                        "\"12345678901234567890");
    assert_true(json_integer_value(json_object_get(root, "exact")) ==
                INT64_MAX);

    assert_int_equal(t2g_json_write(in_folder("out.json"), root), T2G_OK);
    assert_content(in_folder("out.json"),
        "{\n  \"b\": \"x\\u0000y\",\n  \"a\": -1e+20,\n"
        "  \"text\": \"\\\"12345678901234567890\",\n  \"real\": 0.1,\n"
        "  \"exact\": 9223372036854775807\n}\n");
    json_decref(root);
    assert_int_equal(t2g_json_read(&root, put_text("top.json", " 12 ")),
                     T2G_OK);
    assert_true(json_is_integer(root));
    json_decref(root);
}

static void json_bad(void **state)
{
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"", ":1:1: an empty file"},
        {"{\"a\": 1,\n\n \"a\": 2}", ":3:4: not JSON: duplicate object key"},
        {"[1, 2", ":1:5: not JSON"},
        {"{} x", ":1:4: not JSON: end of file expected"},
        {"[1,\n \"\xff\"]", ":2:3: byte 3 of the line, 0xFF, is not UTF-8"},
        {"[NaN]", "not JSON"},
        {"\"\\ud800\"", "not JSON"},
        {"[1e999]", "not JSON: real number overflow"},
    };
    json_t *root;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *path = put_text("bad.json", cases[i].text);
        assert_int_equal(t2g_json_read(&root, path), T2G_ERR_FORMAT);
        assert_null(root);
        assert_message(path);
        assert_message(cases[i].message);
    }
    assert_int_equal(t2g_json_read(&root, in_folder("absent")), T2G_ERR_IO);
    assert_message("absent: No such file");
    assert_int_equal(t2g_json_read(&root, folder), T2G_ERR_IO);
}

/* Whatever is written reads back as the same value. */
static void json_reals(void **state)
{
    static const struct {
        double value;
        const char *text;
    } cases[] = {
        {0.1, "[0.1]\n"},     {1.0, "[1.0]\n"},
        {-0.0, "[-0.0]\n"},   {1e300, "[1e+300]\n"},
        {2.5e-3, "[0.0025]\n"}, {0.1 + 0.2, "[0.30000000000000004]\n"},
        {123456789012345680.0, "[1.2345678901234568e+17]\n"},
        {5e-324, NULL},       {1.7976931348623157e308, NULL},
        {0.1f, NULL},         {1.0 / 3.0, NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *path = in_folder("real.json");
        json_t *root = json_pack("[f]", cases[i].value), *again;
        t2g_writer *w;
        assert_int_equal(t2g_writer_open(&w, path), T2G_OK);
        t2g_writer_json(w, root);
        assert_int_equal(t2g_writer_commit(w), T2G_OK);
        if (cases[i].text)
            assert_content(path, cases[i].text);
        assert_int_equal(t2g_json_read(&again, path), T2G_OK);
        assert_true(json_equal(root, again));
        json_decref(root);
        json_decref(again);
    }
}

static void json_compact(void **state)
{
    const char *path = in_folder("compact.json");
    json_t *root = json_pack("{s:[i, b, n, {}, []], s:s, s:{s:i}}", "z", 1, 1,
                             "a", "\t\"\\\x01\n\xc3\xa9", "o", "k", 2);
    t2g_writer *w;
    (void)state;
    assert_int_equal(t2g_writer_open(&w, path), T2G_OK);
    t2g_writer_json(w, root);
    t2g_writer_json(w, root);
    assert_int_equal(t2g_writer_commit(w), T2G_OK);
    assert_content(path,
        "{\"z\":[1,true,null,{},[]],\"a\":\"\\t\\\"\\\\\\u0001\\n\xc3\xa9\","
        "\"o\":{\"k\":2}}\n"
        "{\"z\":[1,true,null,{},[]],\"a\":\"\\t\\\"\\\\\\u0001\\n\xc3\xa9\","
        "\"o\":{\"k\":2}}\n");
    json_decref(root);
}

/* --- gzip, stdin -------------------------------------------------------- */

static void gzip_is_transparent(void **state)
{
    const char *path = in_folder("text.gz");
    (void)state;
    for (int member = 0; member < 2; member++) { /* two, one behind the other */
        gzFile f = gzopen(path, member ? "ab" : "wb");
        assert_non_null(f);
        for (int i = 0; i < 20000; i++)
            assert_true(gzprintf(f, "line %d\n", i) > 0);
        assert_int_equal(gzclose(f), Z_OK);
    }
    t2g_buffer text = {0}, raw = {0};
    assert_int_equal(t2g_buffer_puts(&text, "before"), T2G_OK);
    assert_int_equal(t2g_file_read(path, &text), T2G_OK);
    assert_int_equal(text.size, 6 + 2 * (10 * 7 + 90 * 8 + 900 * 9 + 9000 * 10 +
                                         10000 * 11));
    assert_memory_equal(text.data, "beforeline 0\n", 13);
    assert_string_equal(text.data + text.size - 11, "line 19999\n");

    /* Cut, damaged, followed by something else. */
    FILE *f = fopen(path, "rb");
    static char bytes[200000];
    size_t n = fread(bytes, 1, sizeof bytes, f);
    fclose(f);
    put(path, bytes, n / 4);
    assert_int_equal(t2g_file_read(path, &raw), T2G_ERR_FORMAT);
    assert_message("ends too early");
    put(path, bytes, 2);
    assert_int_equal(t2g_file_read(path, &raw), T2G_ERR_FORMAT);
    bytes[n] = 'x';
    put(path, bytes, n + 1);
    assert_int_equal(t2g_file_read(path, &raw), T2G_ERR_FORMAT);
    assert_message("something other than gzip");
    memset(bytes + 40, 0, 60);
    put(path, bytes, n);
    assert_int_equal(t2g_file_read(path, &raw), T2G_ERR_FORMAT);
    assert_message("damaged gzip data");
    assert_null(raw.data); /* nothing half read */
    t2g_buffer_free(&text);
}

static void dash_is_stdin(void **state)
{
    int old = dup(STDIN_FILENO);
    t2g_records r;
    (void)state;
    int fd = open(put_text("stdin", "{\"a\":1}\n[]"), O_RDONLY);
    assert_true(fd >= 0 && dup2(fd, STDIN_FILENO) == STDIN_FILENO);
    close(fd);
    assert_int_equal(t2g_records_read(&r, "-", NULL, false, NULL, NULL),
                     T2G_ERR_FORMAT);
    assert_message("stdin:2: found an array");
    dup2(old, STDIN_FILENO);
    close(old);
}

/* --- writing ------------------------------------------------------------ */

static void write_replaces(void **state)
{
    const char *path = put_text("target", "old");
    t2g_writer *w;
    struct stat st;
    (void)state;
    assert_int_equal(chmod(path, 0640), 0);
    assert_int_equal(t2g_writer_open(&w, path), T2G_OK);
    for (int i = 0; i < 30000; i++)
        t2g_writer_printf(w, "%d ", i % 10);
    t2g_writer_printf(w, "%0600d", 7); /* longer than any stack buffer */
    assert_content(path, "old"); /* until the end */
    assert_int_equal(t2g_writer_commit(w), T2G_OK);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_size, 60600);
    assert_int_equal(st.st_mode & 0777, 0640);
    assert_no_temporary(path);

    assert_int_equal(t2g_writer_open(&w, path), T2G_OK);
    t2g_writer_write(w, "x", 1);
    t2g_writer_abort(w);
    t2g_writer_abort(NULL);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_size, 60600);
    assert_no_temporary(path);
}

static void write_follows_links(void **state)
{
    const char *path = put_text("linked", "old"), *link = in_folder("link");
    struct stat st;
    (void)state;
    assert_int_equal(symlink("linked", link), 0);
    assert_int_equal(t2g_file_write(link, "new", 3), T2G_OK);
    assert_content(path, "new");
    assert_int_equal(lstat(link, &st), 0);
    assert_true(S_ISLNK(st.st_mode));
}

static void write_survives_leftovers(void **state)
{
    char name[600];
    const char *path = in_folder("again");
    (void)state;
    snprintf(name, sizeof name, "%s.tmp-%ld", path, (long)getpid());
    put(name, "left by a killed process", 24);
    assert_int_equal(t2g_file_write(path, "new", 3), T2G_OK);
    assert_content(path, "new");
    assert_no_temporary(path);
}

static void write_failures(void **state)
{
    t2g_writer *w;
    struct stat st;
    (void)state;
    assert_int_equal(t2g_writer_open(&w, in_folder("no/such/folder")),
                     T2G_ERR_IO);
    assert_null(w);
    assert_message("no/such/folder: No such file");
    assert_int_equal(t2g_writer_open(&w, folder), T2G_ERR_IO);
    assert_message("Is a directory");
    if (stat("/dev/full", &st) == 0 && S_ISCHR(st.st_mode)) {
        assert_int_equal(t2g_file_write("/dev/full", "x", 1), T2G_ERR_IO);
        assert_message("/dev/full: not written: No space left on device");
    }
    assert_int_equal(t2g_file_write("/dev/null", "x", 1), T2G_OK);
    assert_int_equal(stat("/dev/null", &st), 0);
    assert_true(S_ISCHR(st.st_mode));
}

/* A limit on file size stands for a disk that fills up on the way. */
static void write_disk_full(void **state)
{
    const char *path = put_text("full", "old");
    static char bytes[300000];
    struct rlimit old, low;
    (void)state;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    low = old;
    low.rlim_cur = 100000;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &low), 0);
    t2g_status s = t2g_file_write(path, bytes, sizeof bytes);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_int_equal(s, T2G_ERR_IO);
    assert_message("full: not written: File too large");
    assert_content(path, "old");
    assert_no_temporary(path);
}

static void dash_is_stdout(void **state)
{
    const char *path = in_folder("stdout");
    t2g_writer *w;
    (void)state;
    fflush(stdout);
    int old = dup(STDOUT_FILENO);
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    assert_true(fd >= 0 && dup2(fd, STDOUT_FILENO) == STDOUT_FILENO);
    close(fd);
    t2g_status opened = t2g_writer_open(&w, "-"), written = T2G_ERR_IO;
    if (opened == T2G_OK) {
        t2g_writer_printf(w, "%s\n", "result");
        written = t2g_writer_commit(w);
    }
    dup2(old, STDOUT_FILENO);
    close(old);
    assert_int_equal(opened, T2G_OK);
    assert_int_equal(written, T2G_OK);
    assert_content(path, "result\n");
}

static void directories(void **state)
{
    struct stat st;
    (void)state;
    for (int twice = 0; twice < 2; twice++)
        assert_int_equal(t2g_directory_make(in_folder("a//b/c/")), T2G_OK);
    assert_int_equal(stat(in_folder("a/b/c"), &st), 0);
    assert_true(S_ISDIR(st.st_mode));
    put_text("plain", "x");
    assert_int_equal(t2g_directory_make(in_folder("plain/sub")), T2G_ERR_IO);
    assert_message("plain: cannot make this directory: Not a directory");
    assert_int_equal(t2g_directory_make(""), T2G_ERR_IO);
    assert_int_equal(t2g_directory_make("/"), T2G_OK);
}

/* --- records ------------------------------------------------------------ */

static void collect(void *context, const char *message)
{
    t2g_buffer *all = context;
    assert_int_equal(t2g_buffer_puts(all, message), T2G_OK);
    assert_int_equal(t2g_buffer_puts(all, "\n"), T2G_OK);
}

static void records_good(void **state)
{
    t2g_records r;
    const char *value;
    size_t length;
    (void)state;
    const char *path = put_text("good.jsonl",
        "\xef\xbb\xbf{\"prompt\": \"p\", \"id\": 7}\r\n\r\n \t\n"
        "{\"prompt\": \"a\\u0000b\", \"x\": null}");
    assert_int_equal(t2g_records_read(&r, path, NULL, false, NULL, NULL),
                     T2G_OK);
    assert_int_equal(r.count, 2);
    assert_int_equal(r.line[0], 1);
    assert_int_equal(r.line[1], 4);
    assert_int_equal(r.skipped, 0);
    assert_int_equal(t2g_record_string(&r, 1, "prompt", true, &value, &length),
                     T2G_OK);
    assert_int_equal(length, 3);
    assert_memory_equal(value, "a\0b", 4);
    assert_int_equal(t2g_record_string(&r, 1, "x", false, &value, &length),
                     T2G_OK);
    assert_null(value);
    assert_int_equal(t2g_record_string(&r, 1, "y", false, &value, &length),
                     T2G_OK);
    assert_null(value);
    assert_int_equal(t2g_record_string(&r, 1, "x", true, &value, &length),
                     T2G_ERR_FORMAT);
    assert_message("good.jsonl:4: 'x' is null, expected a string");
    assert_int_equal(t2g_record_string(&r, 1, "y", true, &value, &length),
                     T2G_ERR_FORMAT);
    assert_message("good.jsonl:4: 'y' is missing, expected a string");
    assert_int_equal(t2g_record_string(&r, 0, "id", false, &value, &length),
                     T2G_ERR_FORMAT);
    assert_message("good.jsonl:1: 'id' is an integer, expected a string");
    t2g_records_free(&r);
}

static void records_bad(void **state)
{
    t2g_records r;
    t2g_buffer messages = {0};
    (void)state;
    const char *path = put_text("bad.jsonl",
        "[1]\n{\"a\": 1}\n{\"a\":\n{\"b\": \"\xc3\"}\n\n"
        "{\"c\": 1, \"c\": 1}\n");
    assert_int_equal(t2g_records_read(&r, path, NULL, false, NULL, NULL),
                     T2G_ERR_FORMAT);
    assert_message("bad.jsonl:1: found an array, expected an object");
    assert_null(r.record);
    assert_int_equal(t2g_records_read(&r, path, NULL, true, collect,
                                      &messages), T2G_OK);
    assert_int_equal(r.count, 1);
    assert_int_equal(r.line[0], 2);
    assert_int_equal(r.skipped, 4);
    assert_non_null(strstr(messages.data, "bad.jsonl:3:5: not JSON"));
    assert_non_null(strstr(messages.data, "bad.jsonl:4:8: byte 8 of the line, "
                                          "0xC3, is not UTF-8"));
    assert_non_null(strstr(messages.data, "bad.jsonl:6:12: not JSON: dupl"));
    t2g_records_free(&r);
    t2g_buffer_free(&messages);

    path = put_text("none.jsonl", "\n \n");
    assert_int_equal(t2g_records_read(&r, path, NULL, true, NULL, NULL),
                     T2G_ERR_FORMAT);
    assert_message("none.jsonl: no record");
    path = put_text("none.jsonl", "1\n2\n");
    assert_int_equal(t2g_records_read(&r, path, NULL, true, NULL, NULL),
                     T2G_ERR_FORMAT);
    assert_message("all 2 lines are bad");
    assert_int_equal(t2g_records_read(&r, path, "csv", true, NULL, NULL),
                     T2G_ERR_ARG);
    t2g_records_free(&r); /* harmless after a failure */
}

static void records_long_line(void **state)
{
    enum { LENGTH = 3000000 };
    t2g_records r;
    const char *path = in_folder("long.jsonl"), *value;
    size_t length;
    char *text = t2g_calloc(LENGTH, 1);
    (void)state;
    assert_non_null(text);
    memset(text, 'x', LENGTH - 1);
    t2g_writer *w;
    assert_int_equal(t2g_writer_open(&w, path), T2G_OK);
    t2g_writer_printf(w, "{\"a\":\"%s\"}\n", text);
    assert_int_equal(t2g_writer_commit(w), T2G_OK);
    assert_int_equal(t2g_records_read(&r, path, NULL, false, NULL, NULL),
                     T2G_OK);
    assert_int_equal(t2g_record_string(&r, 0, "a", true, &value, &length),
                     T2G_OK);
    assert_int_equal(length, LENGTH - 1);
    t2g_records_free(&r);
    t2g_free(text);
}

/* --- official layouts --------------------------------------------------- */

/* Reads text in a layout; each record must be the JSON of want (a line each,
 * members in this order). */
static void assert_mapped(const char *format, const char *text,
                          const char *want)
{
    t2g_records r;
    const char *path = put_text("layout.json", text);
    const char *out = in_folder("mapped.jsonl");
    t2g_writer *w;
    if (t2g_records_read(&r, path, format, false, NULL, NULL) != T2G_OK)
        fail_msg("%s", t2g_error_message());
    assert_int_equal(t2g_writer_open(&w, out), T2G_OK);
    for (size_t i = 0; i < r.count; i++)
        t2g_writer_json(w, r.record[i]);
    assert_int_equal(t2g_writer_commit(w), T2G_OK);
    assert_content(out, want);
    t2g_records_free(&r);
}

static void assert_unmapped(const char *format, const char *text,
                            const char *message)
{
    t2g_records r;
    const char *path = put_text("layout.json", text);
    assert_int_equal(t2g_records_read(&r, path, format, false, NULL, NULL),
                     T2G_ERR_FORMAT);
    assert_message(message);
}

static const char fgrlhf[] =
    "[\n {\"question\": \"Who?\",\n  \"passages\": [[\"T\", \"T\\n\\nOne.\", "
    "\"Two.\"], [\"U\", \"Three.\"]],\n"
    "  \"gold\": \"G\", \"prediction 1\": \"\u00e9a \u6f22b c\", "
    "\"preference\": [1],\n"
    "  \"feedback\": {\"errors\": [\n"
    "   {\"error type\": \"Wrong-Grounding\", \"start\": 3, \"end\": 5, "
    "\"explanation\": \"{\\\"passage_id\\\":1,\\\"sentence_id\\\":[2]}\"},\n"
    "   {\"error type\": \"Irrelevant\", \"start\": 0, \"end\": 2, "
    "\"explanation\": \"\"}],\n"
    "   \"missing-info\": [{\"error type\": \"Missing-Answer\", "
    "\"passage_id\": 2, \"sentence_id\": [1]}]}}\n]";

static void layout_fgrlhf(void **state)
{
    (void)state;
    assert_mapped("fgrlhf", fgrlhf,
        "{\"prompt\":\"Question: Who?\\n\\nPassages:\\n[1] T\\nOne. Two.\\n\\n"
        "[2] U\\nThree.\\n\",\"response\":\"\u00e9a \u6f22b c\","
        "\"reference\":\"G\",\"critique\":\"\\\"\u00e9a\\\" is not relevant to "
        "the question.\\n\\\"\u6f22b\\\" is not what the passages say: "
        "\\\"Two.\\\".\\nThe response leaves out part of the answer: "
        "\\\"Three.\\\"\",\"good_spans\":[],\"poor_spans\":["
        "{\"text\":\"\u00e9a\",\"start\":0,\"end\":3,\"type\":\"Irrelevant\","
        "\"score\":-1},"
        "{\"text\":\"\u6f22b\",\"start\":4,\"end\":8,"
        "\"type\":\"Wrong-Grounding\",\"score\":-1}],"
        "\"question\":\"Who?\",\"passages\":[[\"T\",\"T\\n\\nOne.\",\"Two.\"],"
        "[\"U\",\"Three.\"]],\"preference\":[1],\"feedback\":{\"errors\":["
        "{\"error type\":\"Wrong-Grounding\",\"start\":3,\"end\":5,"
        "\"explanation\":\"{\\\"passage_id\\\":1,\\\"sentence_id\\\":[2]}\"},"
        "{\"error type\":\"Irrelevant\",\"start\":0,\"end\":2,"
        "\"explanation\":\"\"}],\"missing-info\":[{\"error type\":"
        "\"Missing-Answer\",\"passage_id\":2,\"sentence_id\":[1]}]}}\n");
    assert_unmapped("fgrlhf", "[\n\n{\"question\": \"q\", \"passages\": [],\n"
        "\"prediction 1\": \"abc\", \"feedback\": {\"errors\": [{\"error type\""
        ": \"Irrelevant\", \"start\": 0, \"end\": 4}]}}]",
        "layout.json:3: 'end' of an error is 4, expected a character of the "
        "answer (3 bytes)");
    assert_unmapped("fgrlhf", "[{\"question\": \"q\", \"passages\": [\"p\"], "
        "\"prediction 1\": \"abc\"}]", "passage 1 is a string");
    assert_unmapped("fgrlhf", "[{\"question\": \"q\", \"passages\": [], "
        "\"prediction 1\": \"abc\"}]", "'feedback' is missing");
}

static void layout_slf5k(void **state)
{
    static const char mapped[] =
        "{\"prompt\":\"P\",\"response\":\"S\",\"critique\":\"F\","
        "\"id\":\"7\",\"word_score_list\":[[\"S\",1]]}\n";
    (void)state;
    assert_mapped("slf5k", "{\"id\": \"7\", \"post\": \"P\", "
        "\"generated_summary\": \"S\", \"textual_feedback\": \"F\", "
        "\"word_score_list\": [[\"S\", 1]]}\n", mapped);
    assert_mapped("slf5k", "{\n\"7\": {\"Post\": \"P\", "
        "\"generated_summary\": \"S\", \"critique\": \"F\", "
        "\"word_score_list\": [[\"S\", 1]]}}",
        "{\"prompt\":\"P\",\"response\":\"S\",\"critique\":\"F\","
        "\"word_score_list\":[[\"S\",1]],\"id\":\"7\"}\n");
    assert_unmapped("slf5k", "{\"a\": {\"post\": \"P\",\n "
        "\"generated_summary\": \"\"}, \"b\": {},\n\"c\": {}}",
        "layout.json:2: 'post' is missing, expected a string");
    assert_unmapped("slf5k", "{\"post\": \"P\"}\n",
        "layout.json:1: 'generated_summary' is missing, expected a string");
    assert_unmapped("slf5k", "[{\"post\": 1}]", "'post' is an integer");
}

static void layout_ultrafeedback(void **state)
{
    (void)state;
    assert_mapped("ultrafeedback", "[{\"prompt\": \"P\", \"response\": \"R\", "
        "\"critique\": \"C\", \"annotations\": {\"good_spans\": [\"g\"], "
        "\"poor_spans\": []}},\n{\"prompt\": \"P\", \"response\": \"R\", "
        "\"feedback\": \"C\", \"poor_spans\": [\"p\"], \"other\": 1}]",
        "{\"prompt\":\"P\",\"response\":\"R\",\"critique\":\"C\","
        "\"good_spans\":[\"g\"],\"poor_spans\":[]}\n"
        "{\"prompt\":\"P\",\"response\":\"R\",\"critique\":\"C\","
        "\"poor_spans\":[\"p\"],\"other\":1}\n");
    assert_unmapped("ultrafeedback", "[{\"prompt\": \"P [,{\\\"\"},\n1]",
        "layout.json:1: 'response' is missing");
    assert_unmapped("ultrafeedback", "[\n{\"prompt\": \"[,{\\\\\\\"\", "
        "\"response\": \"\"},\n1]",
        "layout.json:3: found an integer, expected an object");
    assert_unmapped("ultrafeedback", "{\"prompt\": \"\", \"response\": \"\", "
        "\"good_spans\": \"g\"}",
        "'good_spans' is a string, expected an array");
}

static void layout_kodcode(void **state)
{
    (void)state;
    assert_mapped("kodcode", "{\"question\": \"Q\", \"solution\": \"S\", "
        "\"code_feedback\": \"F\", \"wrong_code\": [\"w\", \"\"], "
        "\"improvement_code\": [\"i\"], \"test\": \"t\"}\n"
        "{\"question\": \"Q\", \"solution\": \"S\", \"analysis\": "
        "{\"Code Feedback\": \"F\", \"wrong_code\": \"w\"}}\n"
        "{\"question\": \"Q\", \"solution\": \"S\", \"analysis\": "
        "{\"error\": \"no reply\"}}\n",
        "{\"prompt\":\"Q\",\"response\":\"S\",\"critique\":\"F\","
        "\"poor_spans\":[\"w\",{\"text\":\"i\",\"score\":0}],"
        "\"good_spans\":[],\"test\":\"t\"}\n"
        "{\"prompt\":\"Q\",\"response\":\"S\",\"critique\":\"F\","
        "\"poor_spans\":[\"w\"],\"good_spans\":[]}\n"
        "{\"prompt\":\"Q\",\"response\":\"S\"}\n");
    assert_unmapped("kodcode", "{\"question\": \"Q\"}",
        "'solution' is missing");
    assert_unmapped("kodcode", "{\"question\": \"Q\", \"solution\": \"S\", "
        "\"wrong_code\": [1]}", "'wrong_code' holds an integer at 0");
    assert_unmapped("kodcode", "{\"question\": \"Q\", \"solution\": \"S\", "
        "\"wrong_code\": 1}", "'wrong_code' is an integer");
}

/* --- safetensors -------------------------------------------------------- */

/* A file of this header, its length put in front, and n bytes of data. */
static const char *put_safetensors(const char *header, const void *data,
                                   size_t n)
{
    static unsigned char bytes[4096];
    const char *path = in_folder("made.safetensors");
    size_t length = strlen(header);
    for (size_t i = 0; i < 8; i++)
        bytes[i] = (unsigned char)((uint64_t)length >> 8 * i);
    memcpy(bytes + 8, header, length);
    if (n > 0)
        memcpy(bytes + 8 + length, data, n);
    put(path, bytes, 8 + length + n);
    return path;
}

#define TENSOR(name, dtype, shape, begin, end)                                 \
    "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":" shape                   \
    ",\"data_offsets\":[" #begin "," #end "]}"

static void safetensors_good(void **state)
{
    static const unsigned char data[] = {
        0x00, 0x00, 0x80, 0x3f, 0x00, 0x00, 0x00, 0xc0, /* 1, -2 */
        0x01, 0x00, 0x00, 0x7c,                         /* 2^-24, inf */
        0x80, 0x3f,                                     /* 1 */
        9, 0xf9, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    };
    t2g_safetensors st;
    float x[2];
    (void)state;
    const char *path = put_safetensors(
        " {\"__metadata__\":{\"k\":\"v\"},"
        TENSOR("z", "F32", "[2,1]", 0, 8) "," TENSOR("e", "F32", "[0,3]", 8, 8)
        "," TENSOR("u", "U8", "[]", 14, 15) ","
        TENSOR("h", "F16", "[2]", 8, 12) "," TENSOR("b", "BF16", "[1]", 12, 14)
        "," TENSOR("i", "I64", "[1]", 15, 23) "}  ", data, sizeof data);
    if (t2g_safetensors_open(&st, path) != T2G_OK)
        fail_msg("%s", t2g_error_message());
    assert_int_equal(st.count, 6);
    assert_string_equal(st.tensor[0].name, "b");
    assert_string_equal(json_string_value(json_object_get(st.metadata, "k")),
                        "v");
    assert_null(t2g_safetensors_find(&st, "nothing"));

    const t2g_tensor_view *t = t2g_safetensors_find(&st, "z");
    assert_true(t->rank == 2 && t->shape[0] == 2 && t->shape[1] == 1);
    assert_true(t->count == 2 && t->size == 8 && t->dtype == T2G_F32);
    assert_int_equal(t2g_tensor_to_f32(t, x), T2G_OK);
    assert_true(x[0] == 1.0f && x[1] == -2.0f);
    assert_int_equal(t2g_tensor_to_f32(t2g_safetensors_find(&st, "h"), x),
                     T2G_OK);
    assert_true(x[0] == 0x1p-24f && isinf(x[1]));
    assert_int_equal(t2g_tensor_to_f32(t2g_safetensors_find(&st, "b"), x),
                     T2G_OK);
    assert_true(x[0] == 1.0f);
    assert_int_equal(t2g_safetensors_find(&st, "e")->count, 0);
    t = t2g_safetensors_find(&st, "u");
    assert_true(t->rank == 0 && t->count == 1 && t->bytes[0] == 9);
    assert_int_equal(t2g_tensor_to_f32(t, x), T2G_ERR_UNSUPPORTED);
    assert_message("tensor 'u' is U8");
    t2g_safetensors_close(&st);
}

static void safetensors_bad(void **state)
{
    static const struct {
        const char *header;
        size_t bytes;
        const char *message;
    } cases[] = {
        {"", 0, "not JSON"},
        {"[]", 0, "header is an array, expected an object"},
        {"{" TENSOR("a", "F32", "[2]", 0, 8) "}\0", 7, "do not lie in the 7"},
        {"{" TENSOR("a", "F32", "[2]", 0, 8) "}", 9, "1 bytes follow"},
        {"{" TENSOR("a", "F32", "[1]", 0, 4) ","
         TENSOR("b", "F32", "[1]", 8, 12) "}", 12, "expected 4 (a hole)"},
        {"{" TENSOR("a", "F32", "[1]", 4, 8) "}", 8, "expected 0 (a hole)"},
        {"{" TENSOR("a", "F32", "[2]", 0, 8) ","
         TENSOR("b", "F32", "[2]", 4, 12) "}", 12, "expected 8 (an overlap)"},
        {"{" TENSOR("a", "F32", "[2]", 0, 8) ","
         TENSOR("e", "F32", "[0]", 4, 4) "}", 8, "an overlap"},
        {"{" TENSOR("a", "F32", "[1]", 0, 4) ","
         TENSOR("a", "F32", "[1]", 0, 4) "}", 4, "duplicate object key"},
        {"{" TENSOR("a", "F32", "[4294967296,4294967296,4294967296]", 0, 4)
         "}", 4, "overflow"},
        {"{" TENSOR("a", "F32", "[4294967296,4294967296,0]", 0, 0) "}", 0,
         "overflow"},
        {"{" TENSOR("a", "F32", "[4611686018427387904]", 0, 0) "}", 0,
         "overflow"},
        {"{" TENSOR("a", "F32", "[18446744073709551617]", 0, 4) "}", 4,
         "a dimension is a real number"},
        {"{" TENSOR("a", "F32", "[1.0]", 0, 4) "}", 4, "a real number"},
        {"{" TENSOR("a", "F32", "[true]", 0, 4) "}", 4, "dimension is true"},
        {"{" TENSOR("a", "F32", "[-1]", 0, 4) "}", 4, "dimension is -1"},
        {"{" TENSOR("a", "F32", "[2]", 0, 4) "}", 4, "hold 4 bytes"},
        {"{" TENSOR("a", "F32", "[1]", 4, 0) "}", 4, "4 to 0 do not lie"},
        {"{" TENSOR("a", "F32", "[1]", -4, 0) "}", 4, "an offset is -4"},
        {"{" TENSOR("a", "f32", "[1]", 0, 4) "}", 4, "dtype 'f32' is unknown"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", 4,
         "data_offsets is missing"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0]}}", 4,
         "has 1 data_offsets"},
        {"{\"a\":null}", 0, "its entry is null"},
        {"{\"__metadata__\":{\"k\":1}}", 0, "'k', expected strings"},
        {"{\"__metadata__\":[]}", 0, "__metadata__ is an array"},
        {"{\"\xff\":1}", 0, "is not UTF-8"},
        {"{} {}", 0, "end of file expected"},
    };
    static const char zeros[16];
    t2g_safetensors st;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *path = put_safetensors(cases[i].header, zeros,
                                           cases[i].bytes);
        assert_int_equal(t2g_safetensors_open(&st, path), T2G_ERR_FORMAT);
        assert_message(path);
        assert_message(cases[i].message);
        assert_null(st.path);
    }
    const char *path = put_safetensors(
        "{" TENSOR("a", "F32", "[1,1,1,1,1,1,1,1,1]", 0, 4) "}", zeros, 4);
    assert_int_equal(t2g_safetensors_open(&st, path), T2G_ERR_UNSUPPORTED);
    assert_message("has 9 dimensions");
}

static void safetensors_lengths(void **state)
{
    static const struct {
        const char *bytes;
        size_t n;
        const char *message;
    } cases[] = {
        {"", 0, "0 bytes, expected at least the 8"},
        {"\2\0\0\0\0\0\0", 7, "7 bytes"},
        {"\3\0\0\0\0\0\0\0{}", 10, "a header of 3 bytes in a file of 10"},
        {"\377\377\377\377\377\377\377\377{}", 10,
         "expected at most 100000000"},
        {"\1\341\365\5\0\0\0\0{}", 10, "a header of 100000001 bytes"},
        {"\3\0\0\0\0\0\0\0{}\0", 11, "not JSON"},
    };
    t2g_safetensors st;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *path = in_folder("length.safetensors");
        put(path, cases[i].bytes, cases[i].n);
        assert_int_equal(t2g_safetensors_open(&st, path), T2G_ERR_FORMAT);
        assert_message(cases[i].message);
    }
    assert_int_equal(t2g_safetensors_open(&st, in_folder("absent")),
                     T2G_ERR_IO);
    assert_int_equal(t2g_safetensors_open(&st, folder), T2G_ERR_IO);
    assert_message("not a regular file");
}

/* Stores x as dtype and reads it back. */
static void through_file(t2g_dtype dtype, const float *x, float *y, size_t n)
{
    const char *path = in_folder("through.safetensors");
    t2g_tensor_out out = {"x", dtype, 1, {n}, x};
    t2g_safetensors st;
    assert_int_equal(t2g_safetensors_write(path, &out, 1, NULL), T2G_OK);
    assert_int_equal(t2g_safetensors_open(&st, path), T2G_OK);
    assert_int_equal(t2g_tensor_to_f32(&st.tensor[0], y), T2G_OK);
    t2g_safetensors_close(&st);
}

/* Between each two neighbours of a 16-bit type: the middle goes to the even
 * one, a bit more or less to the nearer one. */
static void check_rounding(t2g_dtype dtype, unsigned largest, unsigned bits,
                           float above_largest)
{
    enum { N = 0x8000 };
    float *x = t2g_calloc(N, sizeof *x), *all = t2g_calloc(N, sizeof *x);
    float *y = t2g_calloc(N, sizeof *y);
    const char *path = in_folder("half.safetensors");
    t2g_safetensors st;
    unsigned char *file = t2g_calloc(2, N);
    char header[200];

    /* All non-negative finite values, as a file of ours gives them. */
    for (size_t i = 0; i <= largest; i++) {
        file[2 * i] = (unsigned char)i;
        file[2 * i + 1] = (unsigned char)(i >> 8);
    }
    int n = snprintf(header, sizeof header, "%c%c%c%c%c%c%c%c{\"x\":{\"dtype\":"
                     "\"%s\",\"shape\":[%u],\"data_offsets\":[0,%u]}}", 0, 0, 0,
                     0, 0, 0, 0, 0, dtype == T2G_F16 ? "F16" : "BF16",
                     largest + 1, 2 * (largest + 1));
    header[0] = (char)(n - 8);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(header, 1, (size_t)n, f), n);
    assert_int_equal(fwrite(file, 2, largest + 1, f), largest + 1);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(t2g_safetensors_open(&st, path), T2G_OK);
    assert_int_equal(t2g_tensor_to_f32(&st.tensor[0], all), T2G_OK);
    t2g_safetensors_close(&st);
    assert_true(all[1] == ldexpf(1.0f, dtype == T2G_F16 ? -24 : -133));
    assert_true(all[1u << bits] == ldexpf(1.0f, dtype == T2G_F16 ? -14 : -126));

    through_file(dtype, all, y, largest + 1);
    assert_memory_equal(y, all, (largest + 1) * sizeof *y);
    for (int side = -1; side <= 1; side++) {
        for (size_t i = 0; i < largest; i++) {
            x[i] = (float)(((double)all[i] + all[i + 1]) / 2);
            if (side)
                x[i] = nextafterf(x[i], side > 0 ? INFINITY : -INFINITY);
        }
        through_file(dtype, x, y, largest);
        for (size_t i = 0; i < largest; i++)
            assert_true(y[i] == all[side == 0 ? i + (i & 1)
                                              : i + (side > 0)]);
    }
    float edge[5] = {above_largest, nextafterf(above_largest, 0), -INFINITY,
                     NAN, -0.0f};
    through_file(dtype, edge, y, 5);
    assert_true(isinf(y[0]) && y[1] == all[largest] && y[2] == -INFINITY);
    assert_true(isnan(y[3]) && y[4] == 0 && signbit(y[4]));
    t2g_free(file);
    t2g_free(all);
    t2g_free(x);
    t2g_free(y);
}

static void safetensors_rounding(void **state)
{
    (void)state;
    check_rounding(T2G_F16, 0x7bff, 10, 65520.0f);
    check_rounding(T2G_BF16, 0x7f7f, 7, 0x1.ffp127f);
}

static void safetensors_written(void **state)
{
    static const float x[4] = {1.5f, -2.0f, 0.0f, INFINITY};
    static const int64_t n[1] = {-5};
    const t2g_tensor_out out[] = {
        {"h", T2G_F16, 2, {2, 2}, x},
        {"b", T2G_F32, 1, {4}, x},
        {"a\"\n", T2G_F32, 0, {0}, x},
        {"n", T2G_I64, 1, {1}, n},
        {"e", T2G_BF16, 2, {0, 7}, x},
    };
    static const char want[] =
        "{\"__metadata__\":{\"format\":\"pt\",\"k\":\"v\"},"
        TENSOR("n", "I64", "[1]", 0, 8) ","
        TENSOR("a\\\"\\n", "F32", "[]", 8, 12) ","
        TENSOR("b", "F32", "[4]", 12, 28) ","
        TENSOR("e", "BF16", "[0,7]", 28, 28) ","
        TENSOR("h", "F16", "[2,2]", 28, 36) "}";
    const char *path = in_folder("written.safetensors");
    json_t *metadata = json_pack("{s:s}", "k", "v");
    t2g_buffer file = {0};
    t2g_safetensors st;
    (void)state;
    assert_int_equal(t2g_safetensors_write(path, out, 5, metadata), T2G_OK);
    assert_int_equal(t2g_file_read(path, &file), T2G_OK);
    size_t length = (unsigned char)file.data[0] +
                    256u * (unsigned char)file.data[1];
    assert_int_equal(length % 8, 0);
    assert_in_range(length, sizeof want - 1, sizeof want + 6);
    assert_int_equal(file.size, 8 + length + 36);
    assert_memory_equal(file.data + 8, want, sizeof want - 1);
    for (size_t i = sizeof want - 1; i < length; i++)
        assert_int_equal(file.data[8 + i], ' ');
    assert_int_equal(t2g_safetensors_open(&st, path), T2G_OK);
    assert_int_equal((int8_t)t2g_safetensors_find(&st, "n")->bytes[0], -5);
    t2g_safetensors_close(&st);
    t2g_buffer_free(&file);

    t2g_tensor_out twice[2] = {out[1], out[1]};
    assert_int_equal(t2g_safetensors_write(path, twice, 2, NULL), T2G_ERR_ARG);
    assert_message("tensor 'b' is given twice");
    t2g_tensor_out odd = {"x", T2G_U8, 1, {4}, x};
    assert_int_equal(t2g_safetensors_write(path, &odd, 1, NULL), T2G_ERR_ARG);
    odd = (t2g_tensor_out){"__metadata__", T2G_F32, 1, {4}, x};
    assert_int_equal(t2g_safetensors_write(path, &odd, 1, NULL), T2G_ERR_ARG);
    odd = (t2g_tensor_out){"x", T2G_F32, 2, {SIZE_MAX, 2}, x};
    assert_int_equal(t2g_safetensors_write(path, &odd, 1, NULL), T2G_ERR_ARG);
    json_object_set_new(metadata, "k", json_integer(1));
    assert_int_equal(t2g_safetensors_write(path, out, 5, metadata),
                     T2G_ERR_ARG);
    json_decref(metadata);
}

/* --- digests ------------------------------------------------------------ */

static void digest_known(void **state)
{
    char hex[33];
    t2g_digest *d;
    (void)state;
    assert_int_equal(t2g_digest_new(&d), T2G_OK);
    t2g_digest_bytes(d, NULL, 0);
    t2g_digest_finish(d, hex);
    assert_string_equal(hex, "99aa06d3014798d86001c324468d497f");
    assert_int_equal(t2g_digest_new(&d), T2G_OK);
    t2g_digest_bytes(d, "a", 1); /* pieces do not matter */
    t2g_digest_bytes(d, "bc", 2);
    t2g_digest_finish(d, hex);
    assert_string_equal(hex, "06b05ab6733a618578af5f94892f3950");
}

/* --- memory ------------------------------------------------------------- */

/* Our allocations until one fails; all that follow succeed again. jansson's own
 * are left alone: its parser reports some of them as bad JSON. */
static long until_failure;

static bool fails_now(void)
{
    return until_failure >= 0 && until_failure-- == 0;
}

static void *failing_alloc(void *context, size_t size, size_t align)
{
    void *p = NULL;
    (void)context;
    return !fails_now() && posix_memalign(&p, align, size) == 0 ? p : NULL;
}

static void failing_release(void *context, void *pointer)
{
    (void)context;
    free(pointer);
}

static t2g_status read_records_twice(void)
{
    t2g_records r;
    T2G_TRY(t2g_records_read(&r, in_folder("memory.json"), "fgrlhf", true,
                             NULL, NULL));
    t2g_records_free(&r);
    T2G_TRY(t2g_records_read(&r, in_folder("memory.gz"), NULL, false, NULL,
                             NULL));
    t2g_records_free(&r);
    return T2G_OK;
}

static t2g_status write_lines(const json_t *value)
{
    t2g_writer *w;
    T2G_TRY(t2g_writer_open(&w, in_folder("lines")));
    t2g_writer_json(w, value);
    t2g_writer_printf(w, "%0600d", 1);
    return t2g_writer_commit(w);
}

static t2g_status write_and_read(void)
{
    static const float x[2] = {1, 2};
    const t2g_tensor_out out = {"x", T2G_F16, 1, {2}, x};
    const char *path = in_folder("memory.safetensors");
    t2g_safetensors st;
    json_t *root;
    char hex[33];
    t2g_digest *d;

    T2G_TRY(t2g_safetensors_write(path, &out, 1, NULL));
    T2G_TRY(t2g_safetensors_open(&st, path));
    t2g_safetensors_close(&st);
    T2G_TRY(t2g_json_read(&root, in_folder("big.json")));
    t2g_status s = t2g_json_write(in_folder("memory.out"), root);
    if (s == T2G_OK)
        s = write_lines(root);
    json_decref(root);
    T2G_TRY(s);
    T2G_TRY(t2g_directory_make(in_folder("m/n")));
    T2G_TRY(t2g_digest_new(&d));
    t2g_digest_finish(d, hex);
    return T2G_OK;
}

/* Fails the first allocation, the second, ... until the work gets through. */
static void assert_fails_cleanly(t2g_status (*work)(void))
{
    static const t2g_allocator allocator = {failing_alloc, failing_release,
                                            NULL};
    long n = 0;
    t2g_set_allocator(&allocator);
    for (;; n++) {
        until_failure = n;
        t2g_status s = work();
        if (until_failure >= 0)
            break;
        assert_int_equal(s, T2G_ERR_MEMORY);
    }
    until_failure = -1;
    assert_int_equal(work(), T2G_OK);
    t2g_set_allocator(NULL);
    assert_true(n > 10);
}

static void allocations_fail(void **state)
{
    const char *gz = in_folder("memory.gz");
    (void)state;
    put_text("memory.json", fgrlhf);
    put_text("big.json", "{\"a\": [100000000000000000000, \"\\u0001\", 0.5]}");
    gzFile f = gzopen(gz, "wb");
    assert_non_null(f);
    for (int i = 0; i < 70; i++) /* more than the first capacity */
        gzputs(f, "{\"a\": 1}\n");
    assert_int_equal(gzclose(f), Z_OK);
    assert_fails_cleanly(read_records_twice);
    assert_fails_cleanly(write_and_read);
    assert_no_temporary(in_folder("memory.safetensors"));
    assert_no_temporary(in_folder("memory.out"));
    assert_no_temporary(in_folder("lines"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(utf8_positions),
        cmocka_unit_test(json_good),
        cmocka_unit_test(json_bad),
        cmocka_unit_test(json_reals),
        cmocka_unit_test(json_compact),
        cmocka_unit_test(gzip_is_transparent),
        cmocka_unit_test(dash_is_stdin),
        cmocka_unit_test(write_replaces),
        cmocka_unit_test(write_follows_links),
        cmocka_unit_test(write_survives_leftovers),
        cmocka_unit_test(write_failures),
        cmocka_unit_test(write_disk_full),
        cmocka_unit_test(dash_is_stdout),
        cmocka_unit_test(directories),
        cmocka_unit_test(records_good),
        cmocka_unit_test(records_bad),
        cmocka_unit_test(records_long_line),
        cmocka_unit_test(layout_fgrlhf),
        cmocka_unit_test(layout_slf5k),
        cmocka_unit_test(layout_ultrafeedback),
        cmocka_unit_test(layout_kodcode),
        cmocka_unit_test(safetensors_good),
        cmocka_unit_test(safetensors_bad),
        cmocka_unit_test(safetensors_lengths),
        cmocka_unit_test(safetensors_rounding),
        cmocka_unit_test(safetensors_written),
        cmocka_unit_test(digest_known),
        cmocka_unit_test(allocations_fail),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
