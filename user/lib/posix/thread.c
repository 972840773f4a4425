/* SPDX-License-Identifier: MIT */
/*
 * Threads: how musl makes and ends them, what they wait for, how they are
 * scheduled.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

#include <portolan/calls.h>

#include "posix.h"

#define THREAD_PRIORITY_MIN 1
#define THREAD_PRIORITY_MAX 254

/* Operations of futexes; Linux's numbers, as musl has them. */
#define FUTEX_WAIT    0
#define FUTEX_WAKE    1
#define FUTEX_REQUEUE 3
#define FUTEX_OP      0x7f /* without the flags */

/* musl's, which are in no header. */
extern volatile int __thread_list_lock;
int __clone(int (*fn)(void *), void *stack, int flags, void *arg, ...);
__attribute__((noreturn)) void __unmapself(void *base, size_t size);

/* What is cleared when the thread has ended. */
static __thread volatile int *thread_clear;

/* The one that musl means if it has not said so. */
static uintptr_t
thread_clear_address(void)
{
    volatile int *clear = thread_clear;

    return (uintptr_t)(clear != NULL ? clear : &__thread_list_lock);
}

/*
 * Make a thread, as pthread_create() wants it.  The last arguments are where
 * the tid is written to, the base of thread-local storage, and what is cleared
 * when it ends: always __thread_list_lock, here.
 */
int
__clone(int (*fn)(void *), void *stack, int flags, void *arg, ...)
{
    struct portolan_thread_params params;
    uintptr_t tid, tls;
    va_list rest;

    if ((flags & CLONE_THREAD) == 0) {
        return -ENOSYS;
    }
    va_start(rest, arg);
    tid = (uintptr_t)va_arg(rest, int *);
    tls = (uintptr_t)va_arg(rest, void *);
    va_end(rest);
    params = (struct portolan_thread_params){
        .pc = (uintptr_t)__posix_thread_entry,
        .sp = (uintptr_t)stack & ~(uintptr_t)15,
        .args = { (uintptr_t)fn, (uintptr_t)arg },
        .tid = tid,
        .tls = tls,
        .flags = PORTOLAN_THREAD_DETACHED,
        .policy = PORTOLAN_SCHED_SAME,
    };
    return (int)portolan_thread_create(&params);
}

void
__unmapself(void *base, size_t size)
{
    portolan_thread_exit(0, thread_clear_address(), (uintptr_t)base, size);
}

void
__posix_thread_end(long status)
{
    portolan_thread_exit(status, thread_clear_address(), 0, 0);
}

long
__posix_exit(const long *args)
{
    __posix_thread_end(args[0]);
}

long
__posix_set_thread_area(const long *args)
{
    return portolan_thread_set_tls((uintptr_t)args[0]);
}

long
__posix_set_tid_address(const long *args)
{
    thread_clear = (volatile int *)args[0];
    return portolan_thread_self();
}

long
__posix_gettid(const long *args)
{
    (void)args;
    return portolan_thread_self();
}

static long
thread_futex_wait(const long *args)
{
    const struct timespec *timeout = (const struct timespec *)args[3];
    uint64_t deadline = PORTOLAN_NEVER;

    if (timeout != NULL) {
        if (!__posix_is_timespec(timeout)) {
            return -EINVAL;
        }
        deadline = __posix_deadline(timeout);
    }
    return portolan_futex_wait((uintptr_t)args[0], (uint32_t)args[2], deadline);
}

static long
thread_futex_requeue(const long *args)
{
    return portolan_futex_requeue((uintptr_t)args[0], (uint32_t)args[2],
                                  (uintptr_t)args[4], (uint32_t)args[3]);
}

long
__posix_futex(const long *args)
{
    switch (args[1] & FUTEX_OP) {
    case FUTEX_WAIT:
        return thread_futex_wait(args);
    case FUTEX_WAKE:
        return portolan_futex_wake((uintptr_t)args[0], (uint32_t)args[2]);
    case FUTEX_REQUEUE:
        return thread_futex_requeue(args);
    default:
        return -ENOSYS;
    }
}

long
__posix_sched_yield(const long *args)
{
    (void)args;
    return portolan_thread_yield();
}

static int
thread_is_realtime(long policy)
{
    return policy == SCHED_FIFO || policy == SCHED_RR;
}

long
__posix_sched_get_priority_max(const long *args)
{
    if (!thread_is_realtime(args[0])) {
        return args[0] == SCHED_OTHER ? 0 : -EINVAL;
    }
    return THREAD_PRIORITY_MAX;
}

long
__posix_sched_get_priority_min(const long *args)
{
    if (!thread_is_realtime(args[0])) {
        return args[0] == SCHED_OTHER ? 0 : -EINVAL;
    }
    return THREAD_PRIORITY_MIN;
}

/* The parameter is a pointer to the priority, whatever comes behind it. */
long
__posix_sched_setscheduler(const long *args)
{
    const int *priority = (const int *)args[2];

    return portolan_thread_set_sched(PORTOLAN_SELF, (int)args[0], (int)args[1],
                                     *priority);
}

long
__posix_sched_setparam(const long *args)
{
    const int *priority = (const int *)args[1];

    return portolan_thread_set_sched(PORTOLAN_SELF, (int)args[0],
                                     PORTOLAN_SCHED_SAME, *priority);
}

long
__posix_sched_getscheduler(const long *args)
{
    struct portolan_thread_info info;
    long error = portolan_thread_info(PORTOLAN_SELF, (int)args[0], &info);

    return error < 0 ? error : info.policy;
}

long
__posix_sched_getparam(const long *args)
{
    struct portolan_thread_info info;
    int *priority = (int *)args[1];
    long error = portolan_thread_info(PORTOLAN_SELF, (int)args[0], &info);

    if (error < 0) {
        return error;
    }
    *priority = info.priority;
    return 0;
}

long
__posix_sched_setaffinity(const long *args)
{
    return portolan_thread_set_affinity(PORTOLAN_SELF, (int)args[0],
                                        (const void *)args[2], (size_t)args[1]);
}

long
__posix_sched_getaffinity(const long *args)
{
    return portolan_thread_get_affinity(PORTOLAN_SELF, (int)args[0],
                                        (void *)args[2], (size_t)args[1]);
}

long
__posix_getcpu(const long *args)
{
    unsigned int *cpu = (unsigned int *)args[0];
    unsigned int *node = (unsigned int *)args[1];
    long now = portolan_thread_cpu();

    if (now < 0) {
        return now;
    }
    if (cpu != NULL) {
        *cpu = (unsigned int)now;
    }
    if (node != NULL) {
        *node = 0;
    }
    return 0;
}

long
__posix_prctl(const long *args)
{
    struct portolan_thread_info info;
    char *name = (char *)args[1];
    long error;

    switch (args[0]) {
    case PR_SET_NAME:
        return portolan_thread_set_name(PORTOLAN_SELF, 0, name,
                                        strnlen(name, 15));
    case PR_GET_NAME:
        error = portolan_thread_info(PORTOLAN_SELF, 0, &info);
        if (error < 0) {
            return error;
        }
        memcpy(name, info.name, 15);
        name[15] = '\0';
        return 0;
    default:
        return -EINVAL;
    }
}
