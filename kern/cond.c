/* SPDX-License-Identifier: MIT */
#include <kern/clock.h>
#include <kern/cond.h>
#include <kern/mutex.h>
#include <kern/rtmutex.h>
#include <lib/assert.h>

void
cond_init(struct cond *cond)
{
    waitq_init(&cond->queue);
}

static void
cond_enter(struct cond *cond, struct waitq_entry *entry)
{
    uint64_t flags;

    flags = waitq_lock(&cond->queue);
    waitq_enter_locked(&cond->queue, entry);
    waitq_unlock(&cond->queue, flags);
}

status_t
cond_wait_until(struct cond *cond, struct mutex *mutex, uint64_t deadline)
{
    struct waitq_entry entry;
    status_t status;

    assert(mutex_is_owned(mutex));
    cond_enter(cond, &entry);
    mutex_unlock(mutex);
    status = waitq_wait(&cond->queue, &entry, deadline);
    mutex_lock(mutex);
    return status;
}

void
cond_wait(struct cond *cond, struct mutex *mutex)
{
    status_t status;

    status = cond_wait_until(cond, mutex, CLOCK_NEVER);
    verify(status == OK);
}

status_t
cond_wait_rt_until(struct cond *cond, struct rtmutex *mutex, uint64_t deadline)
{
    struct waitq_entry entry;
    status_t status;

    assert(rtmutex_is_owned(mutex));
    cond_enter(cond, &entry);
    rtmutex_unlock(mutex);
    status = waitq_wait(&cond->queue, &entry, deadline);
    rtmutex_lock(mutex);
    return status;
}

void
cond_wait_rt(struct cond *cond, struct rtmutex *mutex)
{
    status_t status;

    status = cond_wait_rt_until(cond, mutex, CLOCK_NEVER);
    verify(status == OK);
}

void
cond_signal(struct cond *cond)
{
    uint64_t flags;

    flags = waitq_lock(&cond->queue);
    waitq_wake_one_locked(&cond->queue);
    waitq_unlock(&cond->queue, flags);
}

void
cond_broadcast(struct cond *cond)
{
    waitq_wake_all(&cond->queue);
}
