/* Answers that cost time or money: each is on disk before the next is asked
 * for, and a process killed at any moment leaves a file that can be read on. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../files/internal.h"
#include "t2g/critic.h"

t2g_status t2g_answer_key(char key[T2G_ANSWER_KEY], const t2g_bytes *part,
                          size_t count)
{
    t2g_digest *d;
    T2G_TRY(t2g_digest_new(&d));
    for (size_t i = 0; i < count; i++) {
        unsigned char length[8]; /* little-endian on every machine */
        for (size_t k = 0; k < sizeof length; k++)
            length[k] = (unsigned char)((uint64_t)part[i].n >> 8 * k);
        t2g_digest_bytes(d, length, sizeof length);
        t2g_digest_bytes(d, part[i].data, part[i].n);
    }
    t2g_digest_finish(d, key);
    return T2G_OK;
}

struct t2g_answers {
    int fd;
    char *path;
    json_t *by_key;
    off_t size; /* of the file: what is there is complete lines */
    t2g_buffer line;
};

static t2g_status os_error(const t2g_answers *a, const char *what)
{
    return t2g_fail(T2G_ERR_IO, "%s: %s%s", a->path, what, strerror(errno));
}

/* --- reading -------------------------------------------------------------- */

static t2g_status check_line(const t2g_answers *a, const json_t *o, size_t line)
{
    const json_t *key = json_object_get(o, "key");
    if (json_string_length(key) != T2G_ANSWER_KEY - 1)
        return t2g_fail(T2G_ERR_FORMAT, "%s:%zu: 'key' is %s, expected a "
                        "string of %d hexadecimal digits", a->path, line,
                        t2g_json_type(key), T2G_ANSWER_KEY - 1);
    if (!json_is_string(json_object_get(o, "reply")))
        return t2g_fail(T2G_ERR_FORMAT, "%s:%zu: 'reply' is %s, expected a "
                        "string", a->path, line,
                        t2g_json_type(json_object_get(o, "reply")));
    return T2G_OK;
}

static t2g_status take_line(t2g_answers *a, const char *text, size_t n,
                            size_t line)
{
    json_t *o;
    T2G_TRY(t2g_json_parse(&o, text, n, a->path, line));
    t2g_status s = check_line(a, o, line);
    const char *key = json_string_value(json_object_get(o, "key"));
    if (s == T2G_OK && json_object_set(a->by_key, key, o) != 0)
        s = t2g_fail(T2G_ERR_MEMORY, "%s:%zu: no memory", a->path, line);
    json_decref(o);
    return s;
}

/* Makes the end of the file the end of a line. */
static t2g_status mend_end(t2g_answers *a, const t2g_buffer *text)
{
    off_t whole = (off_t)text->size;
    if (a->size < whole) /* a torn line */
        return ftruncate(a->fd, a->size) == 0
                   ? T2G_OK : os_error(a, "cannot cut off a torn line: ");
    if (whole == 0 || text->data[whole - 1] == '\n')
        return T2G_OK;
    if (write(a->fd, "\n", 1) != 1)
        return os_error(a, "");
    a->size++;
    return T2G_OK;
}

static t2g_status take_lines(t2g_answers *a, const t2g_buffer *text)
{
    size_t i = 0;
    for (size_t line = 1; i < text->size; line++) {
        const char *begin = text->data + i;
        const char *lf = memchr(begin, '\n', text->size - i);
        size_t n = lf ? (size_t)(lf - begin) : text->size - i;
        bool last = i + n + 1 >= text->size;
        t2g_status s = take_line(a, begin, n, line);
        if (s == T2G_ERR_FORMAT && last)
            break;
        if (s == T2G_ERR_FORMAT)
            return t2g_fail_in(s, "the answers that are kept are damaged");
        T2G_TRY(s);
        i += n + (lf != NULL);
    }
    a->size = (off_t)i;
    return mend_end(a, text);
}

static t2g_status read_lines(t2g_answers *a)
{
    struct stat st;
    t2g_buffer text = {0};
    if (fstat(a->fd, &st) != 0)
        return os_error(a, "");
    if (!S_ISREG(st.st_mode))
        return t2g_fail(T2G_ERR_IO, "%s: no ordinary file, which answers need "
                        "to be kept", a->path);
    t2g_status s = t2g_file_read(a->path, &text);
    if (s == T2G_OK && (off_t)text.size != st.st_size)
        s = t2g_fail(T2G_ERR_FORMAT, "%s: a compressed file, expected plain "
                     "JSON Lines to append to", a->path);
    if (s == T2G_OK)
        s = take_lines(a, &text);
    t2g_buffer_free(&text);
    return s;
}

/* A new file's name is on disk once its directory is; not all file systems can
 * sync one. */
static void sync_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *directory = slash ? t2g_strndup(path, (size_t)(slash - path) + 1)
                            : t2g_strdup(".");
    int fd = directory ? open(directory, O_RDONLY | O_CLOEXEC) : -1;
    if (fd >= 0) {
        (void)fsync(fd);
        close(fd);
    }
    t2g_free(directory);
}

static t2g_status open_file(t2g_answers *a)
{
    a->fd = open(a->path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (a->fd < 0)
        return os_error(a, "");
    if (flock(a->fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
        return t2g_fail(T2G_ERR_IO, "%s: another process is adding answers to "
                        "this file; wait for it or end it", a->path);
    sync_name(a->path);
    return read_lines(a);
}

t2g_status t2g_answers_open(t2g_answers **out, const char *path)
{
    *out = NULL;
    t2g_answers *a = t2g_calloc(1, sizeof *a);
    if (!a)
        return T2G_ERR_MEMORY;
    a->fd = -1;
    a->path = t2g_strdup(path);
    a->by_key = json_object();
    t2g_status s = a->path && a->by_key
                       ? open_file(a)
                       : t2g_fail(T2G_ERR_MEMORY, "%s: no memory", path);
    if (s == T2G_OK)
        *out = a;
    else
        t2g_answers_close(a);
    return s;
}

void t2g_answers_close(t2g_answers *a)
{
    if (!a)
        return;
    if (a->fd >= 0)
        close(a->fd); /* every line is synced already */
    json_decref(a->by_key);
    t2g_buffer_free(&a->line);
    t2g_free(a->path);
    t2g_free(a);
}

const json_t *t2g_answers_find(const t2g_answers *a, const char *key)
{
    return json_object_get(a->by_key, key);
}

size_t t2g_answers_count(const t2g_answers *a)
{
    return json_object_size(a->by_key);
}

/* --- writing -------------------------------------------------------------- */

static bool write_all(int fd, const char *bytes, size_t n)
{
    while (n > 0) {
        ssize_t done = write(fd, bytes, n);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return false;
        bytes += done;
        n -= (size_t)done;
    }
    return true;
}

/* A line that is not wholly on disk is taken back. */
static t2g_status append_line(t2g_answers *a)
{
    if (write_all(a->fd, a->line.data, a->line.size) && fsync(a->fd) == 0) {
        a->size += (off_t)a->line.size;
        return T2G_OK;
    }
    t2g_status s = os_error(a, "an answer could not be kept: ");
    if (ftruncate(a->fd, a->size) != 0)
        s = t2g_fail_in(s, "and its line could not be removed");
    return s;
}

t2g_status t2g_answers_add(t2g_answers *a, const char *key,
                           const json_t *answer)
{
    json_t *line = json_pack("{s:s}", "key", key);
    a->line.size = 0;
    t2g_status s = T2G_OK;
    if (!line || json_object_update(line, (json_t *)(uintptr_t)answer) != 0)
        s = t2g_fail(T2G_ERR_MEMORY, "%s: no memory for an answer", a->path);
    if (s == T2G_OK)
        s = t2g_json_append(&a->line, line, false);
    if (s == T2G_OK)
        s = t2g_buffer_puts(&a->line, "\n");
    if (s == T2G_OK && json_object_set(a->by_key, key, line) != 0)
        s = t2g_fail(T2G_ERR_MEMORY, "%s: no memory for an answer", a->path);
    else if (s == T2G_OK && (s = append_line(a)) != T2G_OK)
        json_object_del(a->by_key, key);
    json_decref(line);
    return s;
}
