/* SPDX-License-Identifier: MIT */
#include <stddef.h>

#include <kern/clock.h>
#include <kern/sem.h>
#include <lib/assert.h>

void
sem_init(struct sem *sem, uint64_t count)
{
    waitq_init(&sem->queue);
    sem->count = count;
}

/* The queue is unlocked if a unit was taken. */
static bool
sem_lock_or_take(struct sem *sem, uint64_t *flags)
{
    *flags = waitq_lock(&sem->queue);
    if (sem->count == 0) {
        return false;
    }

    sem->count--;
    waitq_unlock(&sem->queue, *flags);
    return true;
}

status_t
sem_take_until(struct sem *sem, uint64_t deadline)
{
    uint64_t flags;

    lock_check_may_sleep("semaphore");
    if (sem_lock_or_take(sem, &flags)) {
        return OK;
    }
    /* Who wakes gives its unit with it. */
    return waitq_wait_locked(&sem->queue, flags, deadline);
}

void
sem_take(struct sem *sem)
{
    status_t status;

    status = sem_take_until(sem, CLOCK_NEVER);
    verify(status == OK);
}

bool
sem_try_take(struct sem *sem)
{
    uint64_t flags;

    if (sem_lock_or_take(sem, &flags)) {
        return true;
    }
    waitq_unlock(&sem->queue, flags);
    return false;
}

void
sem_release(struct sem *sem)
{
    uint64_t flags;

    flags = waitq_lock(&sem->queue);
    if (waitq_wake_one_locked(&sem->queue) == NULL) {
        sem->count++;
    }
    waitq_unlock(&sem->queue, flags);
}
