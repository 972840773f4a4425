/* SPDX-License-Identifier: MIT */
#include <stddef.h>

#include <kern/cpu.h>
#include <kern/sched_queue.h>
#include <lib/assert.h>

/* How many threads are looked at for one that may be moved. */
#define SCHED_MOVABLE_SEARCH 8

__aligned(CACHE_LINE) PERCPU(struct run_queue, run_queue);

atomic_uint sched_nr_overloaded;

void
sched_queue_init(struct run_queue *queue, uint32_t cpu)
{
    unsigned i;

    spinlock_init(&queue->lock, LOCK_RUNQ, "run queue");
    queue->cpu = cpu;
    sched_fair_init(&queue->fair);
    list_init(&queue->recalled);
    for (i = 0; i < SCHED_NR_PRIORITIES; i++) {
        list_init(&queue->rt_lists[i]);
    }
    /* Nobody sends threads to a CPU that does not take any yet. */
    atomic_init(&queue->hints.running, THREAD_PRIORITY_MAX);
    atomic_init(&queue->hints.waiting, THREAD_PRIORITY_IDLE);
}

static bool
sched_queue_is_movable(const struct thread *thread, uint32_t to)
{
    return !thread->pinned &&
           (to == UINT32_MAX || sched_may_run_on(thread, to));
}

/* The next smaller priority whose list is not empty, 0 for none. */
static int
sched_queue_next_priority(const struct run_queue *queue, int priority)
{
    unsigned long word;
    int i;

    i = priority / 64;
    word = queue->rt_bitmap[i] & ((1UL << (priority % 64)) - 1);
    while (word == 0 && i > 0) {
        word = queue->rt_bitmap[--i];
    }
    return word == 0 ? 0 : i * 64 + 63 - __builtin_clzl(word);
}

static struct thread *
sched_queue_find_in_list(struct list *list, uint32_t to, unsigned *nr_looks)
{
    struct thread *thread;

    list_for_each_entry (list, thread, run_node) {
        if (*nr_looks == 0) {
            return NULL;
        }
        --*nr_looks;
        if (sched_queue_is_movable(thread, to)) {
            return thread;
        }
    }
    return NULL;
}

struct thread *
sched_queue_find_movable(struct run_queue *queue, uint32_t to, int min)
{
    struct thread *thread;
    unsigned nr_looks;
    int priority;

    assert(spinlock_is_locked(&queue->lock));
    nr_looks = SCHED_MOVABLE_SEARCH;
    priority = sched_queue_top(queue);
    while (priority >= THREAD_PRIORITY_MIN && priority >= min) {
        thread =
            sched_queue_find_in_list(&queue->rt_lists[priority], to, &nr_looks);
        if (thread != NULL || nr_looks == 0) {
            return thread;
        }
        priority = sched_queue_next_priority(queue, priority);
    }
    if (min > THREAD_PRIORITY_FAIR) {
        return NULL;
    }
    return sched_queue_find_fair(queue, to, UINT64_MAX);
}

struct thread *
sched_queue_find_fair(struct run_queue *queue, uint32_t to, uint64_t max_weight)
{
    struct thread *thread;
    unsigned nr_looks;

    assert(spinlock_is_locked(&queue->lock));
    nr_looks = SCHED_MOVABLE_SEARCH;
    rbtree_for_each_entry (&queue->fair.tree, thread, fair_node) {
        if (nr_looks == 0) {
            return NULL;
        }
        nr_looks--;
        if (thread->weight <= max_weight &&
            sched_queue_is_movable(thread, to)) {
            return thread;
        }
    }
    return NULL;
}

bool
sched_queue_set_waiting(struct run_queue *queue, int priority)
{
    int before;

    before = atomic_load_explicit(&queue->hints.waiting, memory_order_relaxed);
    atomic_store_explicit(&queue->hints.waiting, priority,
                          memory_order_relaxed);
    if (before == THREAD_PRIORITY_IDLE) {
        /*
         * Pairs with the exchange in sched_set_running(): either that CPU sees
         * the count, or the caller, which looks for a place next, sees what it
         * runs.
         */
        atomic_fetch_add(&sched_nr_overloaded, 1);
    } else if (priority == THREAD_PRIORITY_IDLE) {
        atomic_fetch_sub(&sched_nr_overloaded, 1);
    }
    return priority > before;
}
