/* SPDX-License-Identifier: MIT */
/*
 * For tests of what is a CPU's own: stay on it, but be preempted as usual.
 */
#ifndef TEST_STAY_H
#define TEST_STAY_H

#include <kern/cpu.h>
#include <kern/kmalloc.h>
#include <kern/thread.h>
#include <lib/assert.h>
#include <lib/bitmap.h>
#include <test/test.h>

/* Let the calling thread run anywhere again; for test_cleanup(). */
static inline void
test_stay_end(void *arg __unused)
{
    status_t status;

    status = thread_set_affinity(thread_self(), NULL);
    verify(status == OK);
}

/*
 * Keep the calling thread on the CPU on which it is, to the end of the test.
 *
 * Returns: the CPU
 */
static inline uint32_t
test_stay(struct test *t)
{
    unsigned long *mask;
    status_t status;
    uint32_t cpu;

    mask = kzalloc(BITMAP_LONGS(cpu_nr_possible) * sizeof(*mask));
    verify(mask != NULL);
    cpu = cpu_id();
    bitmap_set(mask, cpu);
    status = thread_set_affinity(thread_self(), mask);
    verify(status == OK);
    kfree(mask);
    test_cleanup(t, test_stay_end, NULL);
    while (cpu_id() != cpu) {
        /* The move happens at the next look at the run queue. */
        thread_yield();
    }
    return cpu;
}

/* Be no more urgent than others; for test_cleanup(). */
static inline void
test_rule_end(void *arg __unused)
{
    status_t status;

    status = thread_set_policy(thread_self(), THREAD_FAIR, 0);
    verify(status == OK);
}

/*
 * The same, and let no other thread run there: an interrupt of this CPU
 * interrupts the caller.
 */
static inline uint32_t
test_rule(struct test *t)
{
    status_t status;

    test_cleanup(t, test_rule_end, NULL);
    status = thread_set_policy(thread_self(), THREAD_FIFO, THREAD_PRIORITY_MAX);
    verify(status == OK);
    return test_stay(t);
}

#endif /* TEST_STAY_H */
