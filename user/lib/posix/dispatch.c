/* SPDX-License-Identifier: MIT */
/*
 * Which function does which of Linux's system calls.
 */
#include <errno.h>
#include <stddef.h>
#include <sys/syscall.h>

#include "posix.h"

typedef long (*__posix_fn_t)(const long *args);

#define POSIX_CALL(name, what) [SYS_##name] = __posix_##name,

static const __posix_fn_t __posix_calls[] = {
#include "calls.def"
};

long
__posix_call(unsigned long number, const long *args)
{
    if (number >= sizeof(__posix_calls) / sizeof(__posix_calls[0]) ||
        __posix_calls[number] == NULL) {
        return -ENOSYS;
    }
    return __posix_calls[number](args);
}
