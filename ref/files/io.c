#define ZLIB_CONST
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

const char *t2g_file_name(const char *path)
{
    return strcmp(path, "-") == 0 ? "stdin" : path;
}

static t2g_status os_error(const char *path)
{
    return t2g_fail(T2G_ERR_IO, "%s: %s", path, strerror(errno));
}

/* --- reading ------------------------------------------------------------ */

enum { CHUNK = 1 << 16 };

static t2g_status read_all(int fd, const char *name, t2g_buffer *out)
{
    char chunk[CHUNK];
    for (;;) {
        ssize_t n = read(fd, chunk, sizeof chunk);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return os_error(name);
        if (n == 0)
            return T2G_OK;
        T2G_TRY(t2g_buffer_append(out, chunk, (size_t)n));
    }
}

static voidpf zlib_alloc(voidpf context, uInt items, uInt size)
{
    (void)context;
    return t2g_calloc(items, size);
}

static void zlib_free(voidpf context, voidpf pointer)
{
    (void)context;
    t2g_free(pointer);
}

static bool is_gzip(const Bytef *s, size_t n)
{
    return n >= 2 && s[0] == 0x1f && s[1] == 0x8b;
}

/* Inflates the members of a gzip file, one after the other. [RFC1952] 2.2 */
static t2g_status inflate_members(z_stream *z, const char *name,
                                  const char *in, size_t n, t2g_buffer *out)
{
    const Bytef *end = (const Bytef *)in + n;
    Bytef chunk[CHUNK];

    z->next_in = (const Bytef *)in;
    for (;;) {
        size_t left = (size_t)(end - z->next_in);
        z->avail_in = left < CHUNK ? (uInt)left : CHUNK;
        z->next_out = chunk;
        z->avail_out = CHUNK;
        int result = inflate(z, Z_NO_FLUSH);
        T2G_TRY(t2g_buffer_append(out, chunk, CHUNK - z->avail_out));
        if (result == Z_STREAM_END) {
            if (z->next_in == end)
                return T2G_OK;
            if (!is_gzip(z->next_in, (size_t)(end - z->next_in)))
                return t2g_fail(T2G_ERR_FORMAT, "%s: something other than gzip "
                                "data follows at byte %zu", name,
                                n - (size_t)(end - z->next_in));
            inflateReset(z);
        } else if (result == Z_MEM_ERROR) {
            return T2G_ERR_MEMORY;
        } else if (result == Z_BUF_ERROR) {
            return t2g_fail(T2G_ERR_FORMAT, "%s: the gzip data ends too early, "
                            "after %zu bytes", name, n);
        } else if (result != Z_OK) {
            return t2g_fail(T2G_ERR_FORMAT, "%s: damaged gzip data near byte "
                            "%zu: %s", name, n - (size_t)(end - z->next_in),
                            z->msg ? z->msg : "unknown reason");
        }
    }
}

static t2g_status gunzip(const char *name, const char *in, size_t n,
                         t2g_buffer *out)
{
    z_stream z = {.zalloc = zlib_alloc, .zfree = zlib_free};
    if (inflateInit2(&z, 16 + MAX_WBITS) != Z_OK) /* 16: gzip alone */
        return t2g_fail(T2G_ERR_MEMORY, "%s: no memory to unpack gzip", name);
    t2g_status s = inflate_members(&z, name, in, n, out);
    inflateEnd(&z);
    return s;
}

static t2g_status read_path(const char *path, t2g_buffer *out)
{
    if (strcmp(path, "-") == 0)
        return read_all(STDIN_FILENO, t2g_file_name(path), out);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return os_error(path);
    t2g_status s = read_all(fd, path, out);
    close(fd);
    return s;
}

t2g_status t2g_file_read(const char *path, t2g_buffer *out)
{
    t2g_buffer raw = {0};
    t2g_status s = read_path(path, &raw);
    if (s == T2G_OK && is_gzip((const Bytef *)raw.data, raw.size)) {
        t2g_buffer plain = {0};
        s = gunzip(t2g_file_name(path), raw.data, raw.size, &plain);
        t2g_buffer_free(&raw);
        raw = plain;
    }
    if (s == T2G_OK && !out->data && raw.data) {
        *out = raw; /* nothing to append to: no second copy */
        return T2G_OK;
    }
    if (s == T2G_OK)
        s = t2g_buffer_append(out, raw.data, raw.size);
    t2g_buffer_free(&raw);
    return s;
}

/* --- writing ------------------------------------------------------------ */

struct t2g_writer {
    int fd;
    bool borrowed;   /* stdout: not ours to close */
    char *path;      /* as given, for messages */
    char *target;    /* what it names, links followed */
    char *temporary; /* NULL: in place (stdout, a device, a pipe) */
    int error;       /* errno of the first failure, 0: none */
    t2g_buffer text; /* scratch of t2g_writer_json */
    size_t used;
    char bytes[CHUNK];
};

/* Writes to links change what they point at, as an editor would. */
static char *follow_links(const char *path)
{
    char *real = realpath(path, NULL);
    char *copy = t2g_strdup(real ? real : path);
    free(real);
    return copy;
}

static t2g_status open_temporary(t2g_writer *w)
{
    size_t size = strlen(w->target) + 32;
    char *name = t2g_calloc(size, 1);
    if (!name)
        return T2G_ERR_MEMORY;
    snprintf(name, size, "%s.tmp-%ld", w->target, (long)getpid());
    unlink(name); /* left by a process killed under the same number */
    w->fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (w->fd < 0) {
        t2g_status s = os_error(w->path);
        t2g_free(name);
        return s;
    }
    w->temporary = name;
    return T2G_OK;
}

static t2g_status open_path(t2g_writer *w)
{
    struct stat old;
    bool exists = stat(w->path, &old) == 0;
    if (exists && !S_ISREG(old.st_mode)) {
        w->fd = open(w->path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
        return w->fd < 0 ? os_error(w->path) : T2G_OK;
    }
    if (exists && access(w->path, W_OK) != 0)
        return os_error(w->path);
    w->target = follow_links(w->path);
    if (!w->target)
        return T2G_ERR_MEMORY;
    T2G_TRY(open_temporary(w));
    if (exists && fchmod(w->fd, old.st_mode & 0777) != 0)
        return os_error(w->path);
    return T2G_OK;
}

t2g_status t2g_writer_open(t2g_writer **out, const char *path)
{
    bool to_stdout = strcmp(path, "-") == 0;
    *out = NULL;
    t2g_writer *w = t2g_calloc(1, sizeof *w);
    if (!w)
        return T2G_ERR_MEMORY;
    w->fd = -1;
    w->path = t2g_strdup(to_stdout ? "stdout" : path);
    t2g_status s = w->path ? T2G_OK : T2G_ERR_MEMORY;
    if (s == T2G_OK && to_stdout) {
        fflush(stdout); /* what the program printed comes first */
        w->fd = STDOUT_FILENO;
        w->borrowed = true;
    } else if (s == T2G_OK) {
        s = open_path(w);
    }
    if (s != T2G_OK) {
        t2g_writer_abort(w);
        return s;
    }
    *out = w;
    return T2G_OK;
}

static void keep_error(t2g_writer *w, int error)
{
    if (!w->error)
        w->error = error;
}

static void flush_bytes(t2g_writer *w)
{
    size_t done = 0;
    while (done < w->used && !w->error) {
        ssize_t n = write(w->fd, w->bytes + done, w->used - done);
        if (n >= 0)
            done += (size_t)n;
        else if (errno != EINTR)
            keep_error(w, errno);
    }
    w->used = 0;
}

void t2g_writer_write(t2g_writer *w, const void *bytes, size_t n)
{
    const char *p = bytes;
    while (n > 0 && !w->error) {
        size_t room = CHUNK - w->used, part = n < room ? n : room;
        memcpy(w->bytes + w->used, p, part);
        w->used += part;
        p += part;
        n -= part;
        if (w->used == CHUNK)
            flush_bytes(w);
    }
}

void t2g_writer_printf(t2g_writer *w, const char *fmt, ...)
{
    char line[512], *text = line;
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    int n = vsnprintf(line, sizeof line, fmt, args);
    va_end(args);
    if (n >= (int)sizeof line) {
        text = t2g_calloc((size_t)n + 1, 1);
        if (text)
            vsnprintf(text, (size_t)n + 1, fmt, again);
    }
    va_end(again);
    if (n < 0)
        keep_error(w, EINVAL);
    else if (!text)
        keep_error(w, ENOMEM);
    else
        t2g_writer_write(w, text, (size_t)n);
    if (text != line)
        t2g_free(text);
}

void t2g_writer_json(t2g_writer *w, const json_t *value)
{
    w->text.size = 0;
    t2g_status s = t2g_json_append(&w->text, value, false);
    if (s == T2G_OK)
        s = t2g_buffer_puts(&w->text, "\n");
    if (s == T2G_OK)
        t2g_writer_write(w, w->text.data, w->text.size);
    else
        keep_error(w, ENOMEM);
}

/* The renaming survives a power cut once the directory is on disk. Not all
 * file systems can sync one, so this is an effort, not a check. Cuts path. */
static void sync_directory(char *path)
{
    char *slash = strrchr(path, '/');
    if (slash)
        slash[1] = '\0';
    int fd = open(slash ? path : ".", O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        (void)fsync(fd);
        close(fd);
    }
}

static void close_fd(t2g_writer *w)
{
    if (w->fd >= 0 && !w->borrowed && close(w->fd) != 0)
        keep_error(w, errno);
    w->fd = -1;
}

static void make_visible(t2g_writer *w)
{
    if (!w->error && fsync(w->fd) != 0)
        keep_error(w, errno);
    close_fd(w);
    if (w->error)
        return;
    if (rename(w->temporary, w->target) != 0) {
        keep_error(w, errno);
        return;
    }
    t2g_free(w->temporary);
    w->temporary = NULL;
    sync_directory(w->target);
}

t2g_status t2g_writer_commit(t2g_writer *w)
{
    flush_bytes(w);
    if (w->temporary)
        make_visible(w);
    else
        close_fd(w);
    t2g_status s = T2G_OK;
    if (w->error)
        s = t2g_fail(w->error == ENOMEM ? T2G_ERR_MEMORY : T2G_ERR_IO,
                     "%s: not written: %s", w->path, strerror(w->error));
    t2g_writer_abort(w);
    return s;
}

void t2g_writer_abort(t2g_writer *w)
{
    if (!w)
        return;
    close_fd(w);
    if (w->temporary)
        unlink(w->temporary);
    t2g_free(w->temporary);
    t2g_free(w->target);
    t2g_free(w->path);
    t2g_buffer_free(&w->text);
    t2g_free(w);
}

t2g_status t2g_file_write(const char *path, const void *bytes, size_t n)
{
    t2g_writer *w;
    T2G_TRY(t2g_writer_open(&w, path));
    t2g_writer_write(w, bytes, n);
    return t2g_writer_commit(w);
}

/* --- directories -------------------------------------------------------- */

static t2g_status make_one(const char *path)
{
    struct stat st;
    if (mkdir(path, 0777) == 0)
        return T2G_OK;
    int reason = errno; /* EEXIST, or EROFS above an existing one */
    if (stat(path, &st) == 0) {
        if (S_ISDIR(st.st_mode))
            return T2G_OK;
        reason = ENOTDIR;
    }
    return t2g_fail(T2G_ERR_IO, "%s: cannot make this directory: %s", path,
                    strerror(reason));
}

t2g_status t2g_directory_make(const char *path)
{
    char *part = t2g_strdup(path);
    t2g_status s = part ? T2G_OK : T2G_ERR_MEMORY;
    for (size_t i = 1; s == T2G_OK && path[0] && path[i]; i++)
        if (path[i] == '/' && path[i - 1] != '/') {
            part[i] = '\0';
            s = make_one(part);
            part[i] = '/';
        }
    if (s == T2G_OK)
        s = make_one(path);
    t2g_free(part);
    return s;
}
