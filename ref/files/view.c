/* Whole files in memory, read only. */
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static t2g_status os_error(const char *path)
{
    return t2g_fail(T2G_ERR_IO, "%s: %s", path, strerror(errno));
}

/* For file systems that cannot map. */
static t2g_status read_whole(int fd, const char *path, unsigned char *bytes,
                             size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t n = read(fd, bytes + done, size - done);
        if (n > 0)
            done += (size_t)n;
        else if (n == 0)
            return t2g_fail(T2G_ERR_IO, "%s: ended after %zu of %zu bytes",
                            path, done, size);
        else if (errno != EINTR)
            return os_error(path);
    }
    return T2G_OK;
}

static t2g_status load(t2g_file_view *view, int fd, const char *path)
{
    void *map = mmap(NULL, view->size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (map != MAP_FAILED) {
        view->bytes = map;
        view->mapped = true;
        return T2G_OK;
    }
    unsigned char *heap = t2g_calloc(view->size, 1);
    view->bytes = heap;
    return heap ? read_whole(fd, path, heap, view->size) : T2G_ERR_MEMORY;
}

static t2g_status open_fd(t2g_file_view *view, int fd, const char *path)
{
    struct stat info;
    if (fstat(fd, &info) != 0)
        return os_error(path);
    if (!S_ISREG(info.st_mode))
        return t2g_fail(T2G_ERR_IO, "%s: not a regular file", path);
    if ((uintmax_t)info.st_size > SIZE_MAX)
        return t2g_fail(T2G_ERR_UNSUPPORTED, "%s: larger than the address "
                        "space", path);
    view->size = (size_t)info.st_size;
    return view->size > 0 ? load(view, fd, path) : T2G_OK;
}

t2g_status t2g_file_view_open(t2g_file_view *view, const char *path)
{
    *view = (t2g_file_view){0};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return os_error(path);
    t2g_status s = open_fd(view, fd, path);
    close(fd);
    if (s != T2G_OK)
        t2g_file_view_close(view);
    return s;
}

void t2g_file_view_close(t2g_file_view *view)
{
    if (view->mapped)
        munmap((void *)view->bytes, view->size);
    else
        t2g_free((void *)view->bytes);
    *view = (t2g_file_view){0};
}
