/* SPDX-License-Identifier: MIT */
#include <stdatomic.h>

#include <kern/all_cpus.h>
#include <kern/clock.h>
#include <kern/cpu.h>
#include <kern/sem.h>
#include <kern/thread.h>
#include <kern/timer.h>
#include <test/test.h>

TEST(sem, counts)
{
    struct sem sem;

    sem_init(&sem, 2);
    EXPECT(sem_try_take(&sem));
    EXPECT(sem_try_take(&sem));
    EXPECT(!sem_try_take(&sem));
    EXPECT_EQ(sem_take_until(&sem, clock_now() + 500000), ERR_TIMEOUT);
    sem_release(&sem);
    EXPECT_EQ(sem_take_until(&sem, clock_now()), OK);
}

struct sem_timer {
    struct timer timer;
    struct sem sem;
};

static void
release_in_interrupt(struct timer *timer)
{
    sem_release(&container_of(timer, struct sem_timer, timer)->sem);
}

TEST(sem, interrupt_releases)
{
    struct sem_timer release;

    sem_init(&release.sem, 0);
    timer_init(&release.timer, release_in_interrupt, "test");
    timer_start(&release.timer, clock_now() + 500000);
    sem_take(&release.sem);
    timer_cancel(&release.timer);
}

struct sem_use {
    struct sem sem;
    atomic_uint nr_inside;
    atomic_uint nr_timeouts;
    atomic_bool too_many;
    uint64_t rounds;
};

static void
sem_enter_and_leave(void *arg)
{
    struct sem_use *use = arg;
    struct rand rand;
    uint64_t i;

    rand_init(&rand, (uintptr_t)thread_self());
    for (i = 0; i < use->rounds; i++) {
        if (sem_take_until(&use->sem,
                           clock_now() + rand_below(&rand, 100000)) != OK) {
            atomic_fetch_add(&use->nr_timeouts, 1);
            continue;
        }
        if (atomic_fetch_add(&use->nr_inside, 1) >= 2) {
            atomic_store(&use->too_many, true);
        }
        if (i % 4 == 0) {
            thread_yield();
        }
        atomic_fetch_sub(&use->nr_inside, 1);
        sem_release(&use->sem);
    }
}

TEST(sem, limits_with_timeouts_on_all_cpus)
{
    struct sem_use use = { .rounds = 300 * t->iterations };

    sem_init(&use.sem, 2);
    all_cpus_run(sem_enter_and_leave, &use);
    EXPECT(!atomic_load(&use.too_many));
    /* No unit was lost, none made. */
    EXPECT(sem_try_take(&use.sem));
    EXPECT(sem_try_take(&use.sem));
    EXPECT(!sem_try_take(&use.sem));
}
