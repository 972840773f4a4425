/* SPDX-License-Identifier: MIT */
/*
 * Clocks and sleeping.  Deadlines are absolute, in nanoseconds since boot.
 */
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <portolan/calls.h>

#include "posix.h"

#define TIME_SECOND INT64_C(1000000000)

int
__posix_is_timespec(const struct timespec *time)
{
    return time->tv_sec >= 0 && time->tv_nsec >= 0 &&
           time->tv_nsec < TIME_SECOND;
}

/* Nanoseconds, or as many as there can be. */
static uint64_t
time_nanoseconds(const struct timespec *time)
{
    uint64_t result;

    if (__builtin_mul_overflow((uint64_t)time->tv_sec, (uint64_t)TIME_SECOND,
                               &result) ||
        __builtin_add_overflow(result, (uint64_t)time->tv_nsec, &result)) {
        return PORTOLAN_NEVER;
    }
    return result;
}

uint64_t
__posix_deadline(const struct timespec *from_now)
{
    uint64_t result;

    if (__builtin_add_overflow(time_nanoseconds(from_now),
                               (uint64_t)portolan_clock_now(), &result)) {
        return PORTOLAN_NEVER;
    }
    return result;
}

/* What a clock shows when clock_now() is 0; until it is known, 0. */
static int64_t
time_offset(clockid_t clock)
{
    long offset = portolan_clock_offset(clock);

    return offset < 0 ? 0 : offset;
}

/* The time of a clock; -errno. */
static long
time_now(clockid_t clock)
{
    struct portolan_task_info task;
    struct portolan_thread_info thread;
    long error;

    switch (clock) {
    case CLOCK_REALTIME:
    case CLOCK_REALTIME_COARSE:
        return portolan_clock_now() + time_offset(CLOCK_REALTIME);
    case CLOCK_MONOTONIC:
    case CLOCK_MONOTONIC_RAW:
    case CLOCK_MONOTONIC_COARSE:
    case CLOCK_BOOTTIME:
        return portolan_clock_now();
    case CLOCK_PROCESS_CPUTIME_ID:
        error = portolan_task_info(PORTOLAN_SELF, &task);
        return error < 0 ? error : (long)task.run_time;
    case CLOCK_THREAD_CPUTIME_ID:
        error = portolan_thread_info(PORTOLAN_SELF, 0, &thread);
        return error < 0 ? error : (long)thread.run_time;
    default:
        return -EINVAL;
    }
}

long
__posix_clock_gettime(const long *args)
{
    struct timespec *time = (struct timespec *)args[1];
    long now = time_now((clockid_t)args[0]);

    if (now < 0) {
        return now;
    }
    time->tv_sec = now / TIME_SECOND;
    time->tv_nsec = now % TIME_SECOND;
    return 0;
}

long
__posix_clock_getres(const long *args)
{
    struct timespec *time = (struct timespec *)args[1];
    long now = time_now((clockid_t)args[0]);

    if (now < 0) {
        return now;
    }
    if (time != NULL) {
        *time = (struct timespec){ .tv_nsec = 1 };
    }
    return 0;
}

long
__posix_nanosleep(const long *args)
{
    const struct timespec *time = (const struct timespec *)args[0];

    if (!__posix_is_timespec(time)) {
        return -EINVAL;
    }
    return portolan_sleep_until(__posix_deadline(time));
}

long
__posix_clock_nanosleep(const long *args)
{
    const struct timespec *time = (const struct timespec *)args[2];
    uint64_t deadline, offset;

    if (!__posix_is_timespec(time) ||
        (args[0] != CLOCK_REALTIME && args[0] != CLOCK_MONOTONIC)) {
        return -EINVAL;
    }
    if ((args[1] & TIMER_ABSTIME) == 0) {
        return portolan_sleep_until(__posix_deadline(time));
    }
    deadline = time_nanoseconds(time);
    offset = args[0] == CLOCK_REALTIME ? (uint64_t)time_offset(CLOCK_REALTIME)
                                       : 0;
    return portolan_sleep_until(deadline > offset ? deadline - offset : 0);
}
