/* The filter of system calls: seccomp's classic BPF, written out. It refuses
 * what reaches other programs, the network or rarely used parts of the kernel;
 * all else is bounded by limits. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* clone's flags */
#endif
#include "sandbox.h"

#if defined(__linux__) && (defined(__x86_64__) || defined(__aarch64__))

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#ifdef __x86_64__
#define ARCHITECTURE AUDIT_ARCH_X86_64
#else
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#endif

/* Not every header that we are compiled with knows the later ones; from 424 on
 * numbers are the same on all machines. */
static const unsigned refused[] = {
    __NR_socket, __NR_connect, __NR_bind, __NR_listen, __NR_accept,
    __NR_accept4, __NR_ptrace, __NR_process_vm_readv, __NR_process_vm_writev,
    __NR_mount, __NR_umount2, __NR_pivot_root, __NR_chroot, __NR_unshare,
    __NR_setns, __NR_bpf, __NR_keyctl, __NR_add_key, __NR_request_key,
    __NR_userfaultfd, __NR_perf_event_open, __NR_kexec_load, __NR_init_module,
    __NR_finit_module, __NR_delete_module, __NR_open_by_handle_at,
    __NR_name_to_handle_at, __NR_quotactl, __NR_swapon, __NR_swapoff,
    __NR_reboot, __NR_acct, __NR_syslog, __NR_sethostname, __NR_setdomainname,
    __NR_settimeofday, __NR_clock_settime, __NR_adjtimex, __NR_clock_adjtime,
    __NR_vhangup, __NR_personality, __NR_mq_open, __NR_shmget, __NR_semget,
    __NR_msgget, __NR_kcmp, __NR_lookup_dcookie, __NR_fanotify_init,
    __NR_seccomp,
#ifdef __x86_64__
    __NR_iopl, __NR_ioperm, __NR_modify_ldt,
#endif
    425, 426, 427,           /* io_uring_setup, _enter, _register */
    428, 429, 430, 431, 432, /* open_tree, move_mount, fsopen, fsconfig, ... */
    433, 438, 440, 442, 443, /* fspick, pidfd_getfd, process_madvise,
                                mount_setattr, quotactl_fd */
};

/* Of other processes, where none is hidden from it. */
static const unsigned others[] = {__NR_kill, __NR_tkill, __NR_tgkill,
                                  __NR_rt_sigqueueinfo, __NR_rt_tgsigqueueinfo,
                                  __NR_prlimit64, 424 /* pidfd_send_signal */};

enum { NAMESPACES = CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |
                    CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWCGROUP,
       CLONE3 = 435, ROOM = 256 };

typedef struct program {
    struct sock_filter line[ROOM];
    unsigned short n;
} program;

static void add(program *p, struct sock_filter line)
{
    p->line[p->n++] = line;
}

static void load(program *p, size_t offset)
{
    add(p, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
                                        (unsigned)offset));
}

static void end(program *p, unsigned what)
{
    add(p, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, what));
}

/* The next `skip` lines are passed over unless the comparison holds. */
static void only_if(program *p, unsigned short comparison, unsigned value,
                    unsigned char skip)
{
    add(p, (struct sock_filter)BPF_JUMP(
               (unsigned short)(BPF_JMP | BPF_K | comparison), value, 0, skip));
}

/* The next `skip` lines are passed over if the comparison holds. */
static void unless(program *p, unsigned short comparison, unsigned value,
                   unsigned char skip)
{
    add(p, (struct sock_filter)BPF_JUMP(
               (unsigned short)(BPF_JMP | BPF_K | comparison), value, skip, 0));
}

static void refuse(program *p, unsigned call, int error)
{
    only_if(p, BPF_JEQ, call, 1);
    end(p, SECCOMP_RET_ERRNO | (unsigned)error);
}

/* Numbers mean something else to another machine's programs. */
static void check_architecture(program *p)
{
    load(p, offsetof(struct seccomp_data, arch));
    unless(p, BPF_JEQ, ARCHITECTURE, 1);
    end(p, SECCOMP_RET_KILL_PROCESS);
    load(p, offsetof(struct seccomp_data, nr));
#ifdef __x86_64__
    only_if(p, BPF_JGE, 0x40000000, 1); /* the x32 calls */
    end(p, SECCOMP_RET_ERRNO | ENOSYS);
#endif
}

/* Connected pairs of streams reach nobody else, and asyncio needs one. */
static void check_socketpair(program *p)
{
    only_if(p, BPF_JEQ, __NR_socketpair, 5);
    load(p, offsetof(struct seccomp_data, args[1]));
    add(p, (struct sock_filter)BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xf));
    unless(p, BPF_JEQ, SOCK_STREAM, 1);
    end(p, SECCOMP_RET_ERRNO | EPERM);
    end(p, SECCOMP_RET_ALLOW);
}

/* Without namespaces of its own; alone, threads only. clone3 hides its flags
 * in memory: the C library then takes clone. */
static void check_clone(program *p, bool alone)
{
    refuse(p, CLONE3, ENOSYS);
#ifdef __x86_64__
    if (alone) {
        refuse(p, __NR_fork, EAGAIN);
        refuse(p, __NR_vfork, EAGAIN);
    }
#endif
    only_if(p, BPF_JEQ, __NR_clone, alone ? 6 : 4);
    load(p, offsetof(struct seccomp_data, args[0]));
    only_if(p, BPF_JSET, NAMESPACES, 1);
    end(p, SECCOMP_RET_ERRNO | EPERM);
    if (alone) {
        unless(p, BPF_JSET, CLONE_THREAD, 1);
        end(p, SECCOMP_RET_ERRNO | EAGAIN);
    }
    end(p, SECCOMP_RET_ALLOW);
}

bool sandbox_filter(bool alone)
{
    program p = {.n = 0};
    check_architecture(&p);
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        refuse(&p, refused[i], EPERM);
    for (size_t i = 0; alone && i < sizeof others / sizeof *others; i++)
        refuse(&p, others[i], EPERM);
    check_socketpair(&p);
    check_clone(&p, alone);
    end(&p, SECCOMP_RET_ALLOW);
    struct sock_fprog filter = {p.n, p.line};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

#else

bool sandbox_filter(bool alone)
{
    (void)alone;
    return false;
}

#endif
