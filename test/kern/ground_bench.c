/* SPDX-License-Identifier: MIT */
#include <stddef.h>

#include <kern/clock.h>
#include <kern/kmalloc.h>
#include <kern/page.h>
#include <kern/spinlock.h>
#include <kern/timer.h>
#include <test/bench.h>

static struct spinlock bench_lock =
    SPINLOCK_INITIALIZER(LOCK_TEST_OUTER, "benchmark");

BENCH(spinlock, uncontended)
{
    BENCH_LOOP(b)
    {
        spinlock_lock(&bench_lock);
        spinlock_unlock(&bench_lock);
    }
}

BENCH(clock, now)
{
    BENCH_LOOP(b)
    {
        (void)clock_now();
    }
}

BENCH(page, alloc_free)
{
    struct page *page;

    BENCH_LOOP(b)
    {
        page = page_alloc(0, 0);
        if (page != NULL) {
            page_free(page, 0);
        }
    }
}

BENCH(kmalloc, alloc_free_64)
{
    BENCH_LOOP(b)
    {
        kfree(kmalloc(64));
    }
}

static void
bench_timer_fn(struct timer *timer __unused)
{
}

BENCH(timer, start_cancel)
{
    struct timer timer;

    timer_init(&timer, bench_timer_fn, "benchmark");
    BENCH_LOOP(b)
    {
        timer_start(&timer, clock_now() + UINT64_C(3600000000000));
        timer_cancel(&timer);
    }
}
