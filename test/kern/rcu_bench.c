/* SPDX-License-Identifier: MIT */
#include <kern/rcu.h>
#include <test/bench.h>

BENCH(rcu, read_lock_unlock)
{
    BENCH_LOOP(b)
    {
        rcu_read_lock();
        rcu_read_unlock();
    }
}

static void
rcu_bench_called(struct rcu_head *head)
{
    head->next = head;
}

/* In a ring, long enough that an element has been called when it is reused. */
#define RCU_BENCH_RING 8192

static struct rcu_head rcu_bench_heads[RCU_BENCH_RING];

BENCH(rcu, call)
{
    unsigned i;

    i = 0;
    BENCH_LOOP(b)
    {
        rcu_call(&rcu_bench_heads[i], rcu_bench_called);
        i = (i + 1) % RCU_BENCH_RING;
    }
    rcu_barrier();
}

BENCH(rcu, synchronize)
{
    BENCH_LOOP(b)
    {
        rcu_synchronize();
    }
}

BENCH(rcu, synchronize_expedited)
{
    BENCH_LOOP(b)
    {
        rcu_synchronize_expedited();
    }
}
