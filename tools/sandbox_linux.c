/* Namespaces and mounts of the sandbox. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "sandbox_private.h"

#ifdef __linux__

#include <sched.h>
#include <sys/mount.h>
#include <sys/syscall.h>

/* struct mount_attr of Linux 5.12; not in every header. */
typedef struct mount_change {
    uint64_t set, clear, propagation, user_namespace;
} mount_change;
enum { MOUNT_SETATTR = 442, READ_ONLY = 1, NO_SUID = 2, NO_DEVICES = 4,
       RECURSIVELY = 0x8000 };

int isolate(void)
{
    int flags = CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWPID | CLONE_NEWIPC |
                CLONE_NEWUTS;
    return unshare(flags) == 0 ? 0 : errno;
}

static int write_text(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : write(fd, text, strlen(text));
    int error = errno;
    if (fd >= 0)
        close(fd);
    return n == (ssize_t)strlen(text) ? 0 : error;
}

int isolate_user(const launch *l)
{
    if (unshare(CLONE_NEWUSER) != 0)
        return errno;
    int error = write_text("/proc/self/setgroups", "deny");
    if (!error)
        error = write_text("/proc/self/uid_map", l->map[0]);
    return error ? error : write_text("/proc/self/gid_map", l->map[1]);
}

static int change_mount(const char *path, unsigned flags, uint64_t set,
                        uint64_t clear)
{
    mount_change change = {.set = set, .clear = clear};
    return (int)syscall(MOUNT_SETATTR, AT_FDCWD, path, flags, &change,
                        sizeof change);
}

/* Devices cannot be opened, least of all disks, but for those that hold
 * nothing. */
static int keep_devices(void)
{
    static const char *const harmless[] = {"/dev/null", "/dev/zero",
                                           "/dev/urandom"};
    size_t n = sizeof harmless / sizeof *harmless;
    for (size_t i = 0; i < n; i++)
        if (mount(harmless[i], harmless[i], NULL, MS_BIND, NULL) != 0)
            return -1;
    if (change_mount("/", RECURSIVELY, READ_ONLY | NO_SUID | NO_DEVICES, 0) !=
        0)
        return -1;
    for (size_t i = 0; i < n; i++)
        if (change_mount(harmless[i], 0, 0, NO_DEVICES) != 0)
            return -1;
    return 0;
}

int isolate_files(const char *scratch, bool own_processes)
{
    unsigned long flags = MS_NOSUID | MS_NODEV;
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        keep_devices() != 0 ||
        mount("scratch", scratch, "tmpfs", flags,
              "size=64m,nr_inodes=4096,mode=1777") != 0)
        return errno;
    if (own_processes &&
        mount("proc", "/proc", "proc", flags | MS_NOEXEC, NULL) != 0 &&
        mount("none", "/proc", "tmpfs", flags | MS_RDONLY, NULL) != 0)
        return errno;
    return 0;
}

#else

int isolate(void)
{
    return ENOSYS;
}

int isolate_user(const launch *l)
{
    (void)l;
    return ENOSYS;
}

int isolate_files(const char *scratch, bool own_processes)
{
    (void)scratch;
    (void)own_processes;
    return ENOSYS;
}

#endif
