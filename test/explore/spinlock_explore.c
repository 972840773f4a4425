/* SPDX-License-Identifier: MIT */
#include <kern/spinlock.h>
#include <test/explore/explore.h>

static struct spinlock spinlock_tested =
    SPINLOCK_INITIALIZER(LOCK_TEST_OUTER, "explored");
static unsigned spinlock_inside;
static unsigned spinlock_count;
static atomic_uint spinlock_turn;

#define SPINLOCK_ROUNDS 2

static void
spinlock_enter_and_leave(void *arg __unused)
{
    unsigned i;

    for (i = 0; i < SPINLOCK_ROUNDS; i++) {
        spinlock_lock(&spinlock_tested);
        explore_expect(spinlock_inside++ == 0);
        spinlock_count++;
        explore_expect(--spinlock_inside == 0);
        spinlock_unlock(&spinlock_tested);
    }
}

/* One holder at a time, and what it did is seen by the next. */
EXPLORE(spinlock, mutual_exclusion)
{
    explore_cpus(3);
    explore_fibre(spinlock_enter_and_leave, NULL);
    explore_fibre(spinlock_enter_and_leave, NULL);
    explore_fibre(spinlock_enter_and_leave, NULL);
    explore_run();
    explore_expect(spinlock_count == 3 * SPINLOCK_ROUNDS);
    explore_expect(!spinlock_is_locked(&spinlock_tested));
}

static void
spinlock_try(void *arg __unused)
{
    if (spinlock_try_lock(&spinlock_tested)) {
        explore_expect(spinlock_inside++ == 0);
        spinlock_count++;
        explore_expect(--spinlock_inside == 0);
        spinlock_unlock(&spinlock_tested);
    }
}

/* Trying excludes others as well, and never waits. */
EXPLORE(spinlock, try_lock)
{
    explore_cpus(3);
    explore_fibre(spinlock_try, NULL);
    explore_fibre(spinlock_try, NULL);
    explore_fibre(spinlock_enter_and_leave, NULL);
    explore_run();
    explore_expect(spinlock_count >= SPINLOCK_ROUNDS);
    explore_expect(spinlock_count <= SPINLOCK_ROUNDS + 2);
    explore_expect(!spinlock_is_locked(&spinlock_tested));
}

static void
spinlock_wait_for_queue(unsigned nr)
{
    while (atomic_load(&spinlock_tested.next) != nr) {
        cpu_pause();
    }
}

/* Hold the lock until two wait, the second of them asked after the first. */
static void
spinlock_hold(void *arg __unused)
{
    spinlock_lock(&spinlock_tested);
    atomic_store(&spinlock_turn, 1);
    spinlock_wait_for_queue(2);
    atomic_store(&spinlock_turn, 2);
    spinlock_wait_for_queue(3);
    spinlock_unlock(&spinlock_tested);
}

static void
spinlock_take_turn(void *arg)
{
    while (atomic_load(&spinlock_turn) < (uintptr_t)arg) {
        cpu_pause();
    }
    spinlock_lock(&spinlock_tested);
    explore_expect(++spinlock_count == (uintptr_t)arg);
    spinlock_unlock(&spinlock_tested);
}

/* First come, first served. */
EXPLORE(spinlock, fair)
{
    explore_cpus(3);
    explore_fibre(spinlock_hold, NULL);
    explore_fibre(spinlock_take_turn, (void *)1);
    explore_fibre(spinlock_take_turn, (void *)2);
    explore_run();
    explore_expect(spinlock_count == 2);
}

static unsigned spinlock_interrupts;

static void
spinlock_interrupt(void *arg __unused)
{
    spinlock_lock(&spinlock_tested);
    spinlock_interrupts++;
    spinlock_unlock(&spinlock_tested);
}

static void
spinlock_count_irqsave(void *arg __unused)
{
    uint64_t flags;

    explore_interrupt(0, EXPLORE_IRQ);
    flags = spinlock_lock_irqsave(&spinlock_tested);
    spinlock_count++;
    spinlock_unlock_irqrestore(&spinlock_tested, flags);
    explore_expect(cpu_irq_is_enabled());
}

/* A handler that takes the lock never finds its own CPU inside. */
EXPLORE(spinlock, irqsave)
{
    explore_cpus(2);
    explore_handler(EXPLORE_IRQ, spinlock_interrupt, NULL);
    explore_fibre(spinlock_count_irqsave, NULL);
    explore_fibre(spinlock_count_irqsave, NULL);
    explore_run();
    explore_expect(spinlock_count == 2);
}
