/* SPDX-License-Identifier: MIT */
#include <stdatomic.h>

#include <arch/cpu.h>
#include <kern/rcu_radix.h>
#include <lib/macros.h>
#include <test/explore/threads.h>

static struct rcu_radix rcu_radix_tested;
/* Two keys stay, one makes the tree higher for a while. */
#define RCU_RADIX_SMALL  3
#define RCU_RADIX_MIDDLE 70
#define RCU_RADIX_LARGE  5000

static unsigned rcu_radix_small = 41;
static unsigned rcu_radix_middle = 42;
static unsigned rcu_radix_large = 43;

static void
rcu_radix_setup_machine(void)
{
    threads_setup(2);
    explore_init_op("rcu_setup");
    explore_init_op("rcu_radix_setup");
    rcu_radix_init(&rcu_radix_tested);
    explore_expect(rcu_radix_insert(&rcu_radix_tested, RCU_RADIX_SMALL,
                                    &rcu_radix_small) == OK);
    explore_expect(rcu_radix_insert(&rcu_radix_tested, RCU_RADIX_MIDDLE,
                                    &rcu_radix_middle) == OK);
}

static void
rcu_radix_read(void *arg __unused)
{
    unsigned i;
    void *value;

    for (i = 0; i < 2; i++) {
        rcu_read_lock();
        value = rcu_radix_find(&rcu_radix_tested, RCU_RADIX_LARGE);
        explore_expect(value == NULL || value == &rcu_radix_large);
        explore_expect(rcu_radix_find(&rcu_radix_tested, RCU_RADIX_MIDDLE) ==
                       &rcu_radix_middle);
        explore_expect(rcu_radix_find(&rcu_radix_tested, RCU_RADIX_SMALL) ==
                       &rcu_radix_small);
        rcu_read_unlock();
    }
}

static void
rcu_radix_main_changes(void *arg __unused)
{
    struct thread *reader;
    unsigned i;

    reader = threads_create_on(1, rcu_radix_read, NULL);
    for (i = 0; i < 2; i++) {
        explore_expect(rcu_radix_insert(&rcu_radix_tested, RCU_RADIX_LARGE,
                                        &rcu_radix_large) == OK);
        explore_expect(rcu_radix_remove(&rcu_radix_tested, RCU_RADIX_LARGE) ==
                       &rcu_radix_large);
    }
    thread_join(reader);
    rcu_barrier();
    explore_expect(rcu_radix_tested.nr_nodes == 2);
}

/* Readers find what is in while the tree grows and shrinks. */
EXPLORE(rcu_radix, changes)
{
    rcu_radix_setup_machine();
    threads_go(2, rcu_radix_main_changes, NULL);
}
