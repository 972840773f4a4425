/* SPDX-License-Identifier: MIT */
/*
 * The ground that everything stands on: none of it may share.
 */
#include <stdatomic.h>
#include <stddef.h>

#include <arch/cpu.h>
#include <kern/clock.h>
#include <kern/kmalloc.h>
#include <kern/page.h>
#include <kern/percpu.h>
#include <kern/spinlock.h>
#include <kern/timer.h>
#include <test/sharing/share.h>

#define GROUND_SIZE 64

/* Far enough not to come. */
#define GROUND_LATER_NS UINT64_C(3600000000000)

static PERCPU(uint64_t, ground_counter);

/* A lock of each CPU. */
SHARE(spinlock, lock_unlock)
{
    struct spinlock lock;
    uint64_t flags;

    spinlock_init(&lock, LOCK_TEST_OUTER, "share");
    SHARE_LOOP(s)
    {
        flags = spinlock_lock_irqsave(&lock);
        spinlock_unlock_irqrestore(&lock, flags);
    }
}

SHARE(percpu, add)
{
    SHARE_LOOP(s)
    {
        percpu_add(ground_counter, 1);
    }
}

SHARE(page, alloc_free)
{
    struct page *page;

    SHARE_LOOP(s)
    {
        page = page_alloc(0, 0);
        if (page != NULL) {
            page_free(page, 0);
        }
    }
}

SHARE(kmalloc, alloc_free)
{
    SHARE_LOOP(s)
    {
        kfree(kmalloc(GROUND_SIZE));
    }
}

static void
ground_timer_fire(struct timer *timer __unused)
{
}

/* A timer of each CPU. */
SHARE(timer, start_cancel)
{
    struct timer timer;

    timer_init(&timer, ground_timer_fire, "share");
    SHARE_LOOP(s)
    {
        timer_start(&timer, clock_now() + GROUND_LATER_NS);
        timer_cancel(&timer);
    }
}

struct ground_timer {
    struct timer timer;
    atomic_bool fired;
};

static void
ground_timer_set_fired(struct timer *timer)
{
    atomic_store(&container_of(timer, struct ground_timer, timer)->fired, true);
}

/* A timer interrupt of each CPU. */
SHARE(timer, expire)
{
    struct ground_timer timer;

    timer_init(&timer.timer, ground_timer_set_fired, "share");
    SHARE_LOOP(s)
    {
        atomic_store(&timer.fired, false);
        timer_start(&timer.timer, clock_now());
        while (!atomic_load(&timer.fired)) {
            cpu_pause();
        }
    }
}

SHARE(clock, now)
{
    SHARE_LOOP(s)
    {
        (void)clock_now();
    }
}
