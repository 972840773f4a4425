/* SPDX-License-Identifier: MIT */
#include <ipc/call_error.h>
#include <ipc/calls.h>
#include <ipc/futex.h>

long
call_futex_wait(uintptr_t word, uint32_t expected, uint64_t deadline)
{
    return call_error(futex_wait(word, expected, deadline));
}

long
call_futex_wake(uintptr_t word, uint32_t count)
{
    uint32_t nr;
    status_t status = futex_wake(word, count, &nr);

    return status == OK ? (long)nr : call_error(status);
}

long
call_futex_requeue(uintptr_t word, uint32_t count, uintptr_t other,
                   uint32_t move)
{
    uint32_t nr;
    status_t status = futex_requeue(word, count, other, move, &nr);

    return status == OK ? (long)nr : call_error(status);
}
