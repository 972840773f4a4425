/* SPDX-License-Identifier: MIT */
/*
 * What the C library asks of Linux, done with what Portolan has.
 *
 * Each function is one of Linux's system calls: its arguments are in an array,
 * it returns what Linux would, -errno included.
 */
#ifndef POSIX_H
#define POSIX_H

#include <stdint.h>

struct timespec;

#define POSIX_CALL(name, what) long __posix_##name(const long *args);
#include "calls.def"
#undef POSIX_CALL

/*
 * Make any of the calls.
 *
 * Returns: what it returns; -ENOSYS if it is none of those above
 */
long __posix_call(unsigned long number, const long *args);

/*
 * The time of clock_now() that is a time from now.
 *
 * Returns: PORTOLAN_NEVER if that is too far away
 */
uint64_t __posix_deadline(const struct timespec *from_now);

/* Is it a time as POSIX wants it? */
int __posix_is_timespec(const struct timespec *time);

/* Where a thread begins; %rdi is the function, %rsi its argument. */
void __posix_thread_entry(void);

/* End the calling thread when its function has returned. */
__attribute__((noreturn)) void __posix_thread_end(long status);

#endif /* POSIX_H */
