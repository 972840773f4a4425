/* SPDX-License-Identifier: MIT */
/*
 * TimerTimeout(): it is kept here, and the next call of this thread that may
 * block takes its deadline along.  So nothing can happen between the two.
 */
#include <stdint.h>
#include <sys/neutrino.h>
#include <time.h>

#include <portolan/calls.h>

#include "qnx.h"

#define TIMEOUT_SECOND INT64_C(1000000000)

_Static_assert(_NTO_TIMEOUT_SEND == PORTOLAN_MSG_TIMEOUT_SEND &&
                   _NTO_TIMEOUT_RECEIVE == PORTOLAN_MSG_TIMEOUT_RECEIVE &&
                   _NTO_TIMEOUT_REPLY == PORTOLAN_MSG_TIMEOUT_REPLY,
               "passed on");

#define TIMEOUT_STATES                                                         \
    (_NTO_TIMEOUT_SEND | _NTO_TIMEOUT_RECEIVE | _NTO_TIMEOUT_REPLY)

/* Nanoseconds of clock_now() at which @time of @clock has come. */
static uint64_t
timeout_deadline(clockid_t clock, int flags, uint64_t time)
{
    uint64_t result;
    long offset;

    if ((flags & TIMER_ABSTIME) == 0) {
        return __builtin_add_overflow((uint64_t)portolan_clock_now(), time,
                                      &result)
                   ? PORTOLAN_NEVER
                   : result;
    }
    offset = clock == CLOCK_REALTIME ? portolan_clock_offset(clock) : 0;
    return offset > 0 && time < (uint64_t)offset
               ? 0
               : time - (offset > 0 ? (uint64_t)offset : 0);
}

int
TimerTimeout_r(clockid_t clock, int flags, const struct sigevent *notify,
               const uint64_t *ntime, uint64_t *otime)
{
    uint64_t time = ntime == NULL ? 0 : *ntime;

    if (clock != CLOCK_REALTIME && clock != CLOCK_MONOTONIC) {
        return -EINVAL;
    }
    if (notify != NULL && notify->sigev_notify != SIGEV_UNBLOCK) {
        return -ENOSYS;
    }
    if (otime != NULL) {
        *otime = 0;
    }
    __qnx_timeout.states = (uint32_t)flags & TIMEOUT_STATES;
    __qnx_timeout.deadline = time == 0 ? 0
                                       : timeout_deadline(clock, flags, time);
    return 0;
}

int
TimerTimeout(clockid_t clock, int flags, const struct sigevent *notify,
             const uint64_t *ntime, uint64_t *otime)
{
    return (int)qnx_result(TimerTimeout_r(clock, flags, notify, ntime, otime));
}

int
timer_timeout(clockid_t clock, int flags, const struct sigevent *notify,
              const struct timespec *ntime, struct timespec *otime)
{
    uint64_t time, left;
    int result;

    if (ntime != NULL) {
        time = (uint64_t)(ntime->tv_sec * TIMEOUT_SECOND + ntime->tv_nsec);
    }
    result =
        TimerTimeout(clock, flags, notify, ntime == NULL ? NULL : &time, &left);
    if (result == 0 && otime != NULL) {
        otime->tv_sec = (time_t)(left / TIMEOUT_SECOND);
        otime->tv_nsec = (long)(left % TIMEOUT_SECOND);
    }
    return result;
}

uint64_t
ClockCycles(void)
{
    return __builtin_ia32_rdtsc();
}
