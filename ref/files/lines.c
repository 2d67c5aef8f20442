/* Lines of files that need not fit in memory. */
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "internal.h"

struct t2g_lines {
    gzFile file; /* plain files pass through */
    const char *name;
    t2g_buffer text; /* what was read and not given yet, from `at` on */
    size_t at;
    bool at_end;
};

t2g_status t2g_lines_open(t2g_lines **out, const char *path)
{
    t2g_lines *l = t2g_calloc(1, sizeof *l);
    *out = NULL;
    if (!l)
        return T2G_ERR_MEMORY;
    l->name = t2g_file_name(path);
    errno = 0;
    l->file = strcmp(path, "-") == 0 ? gzdopen(dup(STDIN_FILENO), "rb")
                                     : gzopen(path, "rb");
    if (!l->file) {
        t2g_status s = t2g_fail(errno ? T2G_ERR_IO : T2G_ERR_MEMORY, "%s: %s",
                                l->name, errno ? strerror(errno) : "no memory");
        t2g_free(l);
        return s;
    }
    *out = l;
    return T2G_OK;
}

void t2g_lines_close(t2g_lines *l)
{
    if (!l)
        return;
    (void)gzclose(l->file);
    t2g_buffer_free(&l->text);
    t2g_free(l);
}

static t2g_status read_more(t2g_lines *l)
{
    enum { BLOCK = 1 << 18 };
    char block[4096];
    size_t left = l->text.size - l->at;
    if (l->at > 0 && left > 0)
        memmove(l->text.data, l->text.data + l->at, left);
    l->text.size = left;
    l->at = 0;
    for (size_t n = 0; n < BLOCK && !l->at_end; n += sizeof block) {
        int got = gzread(l->file, block, sizeof block);
        int problem;
        const char *message = gzerror(l->file, &problem);
        if (got < 0 || (problem != Z_OK && problem != Z_STREAM_END))
            return problem == Z_ERRNO
                       ? t2g_fail(T2G_ERR_IO, "%s: %s", l->name,
                                  strerror(errno))
                       : t2g_fail(T2G_ERR_FORMAT, "%s: damaged gzip data: %s",
                                  l->name, message);
        l->at_end = got == 0;
        T2G_TRY(t2g_buffer_append(&l->text, block, (size_t)got));
    }
    return T2G_OK;
}

t2g_status t2g_lines_next(t2g_lines *l, const char **text, size_t *n)
{
    size_t searched = 0;
    *text = NULL;
    *n = 0;
    for (;;) {
        size_t left = l->text.size - l->at;
        const char *begin = l->text.data ? l->text.data + l->at : NULL;
        const char *end = left > searched ? memchr(begin + searched, '\n',
                                                   left - searched) : NULL;
        if (end || (l->at_end && left > 0)) {
            *text = begin;
            *n = end ? (size_t)(end - begin) + 1 : left;
            l->at += *n;
            return T2G_OK;
        }
        if (l->at_end)
            return T2G_OK;
        searched = left;
        T2G_TRY(read_more(l));
    }
}
