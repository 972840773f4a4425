/* SPDX-License-Identifier: MIT */
/*
 * System calls: what all of them have in common.
 */
#include <lib/macros.h>
#include <arch/user.h>
#include <ipc/call.h>

long
call_none(unsigned long a __unused, unsigned long b __unused,
          unsigned long c __unused, unsigned long d __unused,
          unsigned long e __unused, unsigned long f __unused)
{
    return USER_NO_CALL;
}
