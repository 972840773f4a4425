/* SPDX-License-Identifier: MIT */
#include <stddef.h>

#include <kern/clock.h>
#include <kern/completion.h>
#include <lib/assert.h>

void
completion_init(struct completion *completion)
{
    waitq_init(&completion->queue);
    completion->is_done = false;
}

status_t
completion_wait_until(struct completion *completion, uint64_t deadline)
{
    status_t status;
    uint64_t flags;

    lock_check_may_sleep("completion");
    flags = waitq_lock(&completion->queue);
    if (completion->is_done) {
        waitq_unlock(&completion->queue, flags);
        return OK;
    }
    status = waitq_wait_locked(&completion->queue, flags, deadline);
    /*
     * Who is woken wakes the next, so that many are not woken under one hold
     * of the lock.  And who woke it may be about to unlock, and all this be on
     * the stack.
     */
    flags = waitq_lock(&completion->queue);
    if (status == OK) {
        waitq_wake_one_locked(&completion->queue);
    }
    waitq_unlock(&completion->queue, flags);
    return status;
}

void
completion_wait(struct completion *completion)
{
    status_t status;

    status = completion_wait_until(completion, CLOCK_NEVER);
    verify(status == OK);
}

bool
completion_is_done(struct completion *completion)
{
    uint64_t flags;
    bool is_done;

    flags = waitq_lock(&completion->queue);
    is_done = completion->is_done;
    waitq_unlock(&completion->queue, flags);
    return is_done;
}

void
completion_signal(struct completion *completion)
{
    uint64_t flags;

    flags = waitq_lock(&completion->queue);
    completion->is_done = true;
    waitq_wake_one_locked(&completion->queue);
    waitq_unlock(&completion->queue, flags);
}
