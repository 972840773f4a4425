/* SPDX-License-Identifier: MIT */
/*
 * The task as a process: who it is, and its end.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/utsname.h>

#include <portolan/calls.h>

#include "posix.h"

/* What shells show for a process that a signal ended. */
#define PROCESS_SIGNALLED 128

long
__posix_exit_group(const long *args)
{
    portolan_task_exit((int)args[0]);
}

long
__posix_getpid(const long *args)
{
    (void)args;
    return portolan_task_pid();
}

long
__posix_getppid(const long *args)
{
    struct portolan_task_info info;
    long error = portolan_task_info(PORTOLAN_SELF, &info);

    (void)args;
    return error < 0 ? error : info.parent;
}

static long
process_uid(void)
{
    struct portolan_task_info info;
    long error = portolan_task_info(PORTOLAN_SELF, &info);

    return error < 0 ? error : (long)info.credentials.uid;
}

static long
process_gid(void)
{
    struct portolan_task_info info;
    long error = portolan_task_info(PORTOLAN_SELF, &info);

    return error < 0 ? error : (long)info.credentials.gid;
}

long
__posix_getuid(const long *args)
{
    (void)args;
    return process_uid();
}

long
__posix_geteuid(const long *args)
{
    (void)args;
    return process_uid();
}

long
__posix_getgid(const long *args)
{
    (void)args;
    return process_gid();
}

long
__posix_getegid(const long *args)
{
    (void)args;
    return process_gid();
}

long
__posix_getgroups(const long *args)
{
    struct portolan_task_info info;
    uint32_t *groups = (uint32_t *)args[1];
    long error = portolan_task_info(PORTOLAN_SELF, &info);
    uint32_t count;

    if (error < 0) {
        return error;
    }
    count = info.credentials.nr_groups;
    if (args[0] == 0) {
        return count;
    }
    if (args[0] < (long)count) {
        return -EINVAL;
    }
    memcpy(groups, info.credentials.groups, count * sizeof(groups[0]));
    return count;
}

/* A signal to the caller itself; there are no handlers yet. */
static long
process_signal(long signal)
{
    switch (signal) {
    case 0:
    case SIGCHLD:
    case SIGURG:
    case SIGWINCH:
    case SIGCONT:
        return 0;
    case SIGSTOP:
    case SIGTSTP:
    case SIGTTIN:
    case SIGTTOU:
        return -ENOSYS;
    default:
        if (signal < 0 || signal >= _NSIG) {
            return -EINVAL;
        }
        portolan_task_exit(PROCESS_SIGNALLED + (int)signal);
    }
}

long
__posix_kill(const long *args)
{
    if (args[0] != portolan_task_pid()) {
        return -ENOSYS;
    }
    return process_signal(args[1]);
}

/* musl's own signals, from 32 on, are for threads. */
#define PROCESS_SIGTIMER    32
#define PROCESS_SIGCANCEL   33
#define PROCESS_SIGSYNCCALL 34

long
__posix_tkill(const long *args)
{
    if (args[1] == PROCESS_SIGCANCEL) {
        /* Its thread sees at the next cancellation point what is wanted. */
        return 0;
    }
    if (args[1] == PROCESS_SIGTIMER || args[1] == PROCESS_SIGSYNCCALL) {
        return -ENOSYS;
    }
    return process_signal(args[1]);
}

long
__posix_tgkill(const long *args)
{
    if (args[0] != portolan_task_pid()) {
        return -ENOSYS;
    }
    return __posix_tkill(&args[1]);
}

long
__posix_uname(const long *args)
{
    struct utsname *name = (struct utsname *)args[0];
    struct portolan_sysinfo info = { .version = "" };
    long error = portolan_sysinfo(&info);

    if (error < 0) {
        return error;
    }
    memset(name, 0, sizeof(*name));
    strcpy(name->sysname, "Portolan");
    strcpy(name->nodename, "localhost");
    strncpy(name->release, info.version, sizeof(name->release) - 1);
    strcpy(name->version, "1");
    strcpy(name->machine, "x86_64");
    return 0;
}

long
__posix_getrandom(const long *args)
{
    long error = portolan_random((void *)args[0], (size_t)args[1]);

    return error < 0 ? error : args[1];
}
