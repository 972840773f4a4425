/* SPDX-License-Identifier: MIT */
/*
 * The run queue of a CPU: who runs, who is ready, and what other CPUs may know
 * of it without its lock.
 *
 * A list for each real-time priority with a bitmap of those not empty, so that
 * choosing takes constant time, and the fair class.  A thread that is ready or
 * runs has "joined": it counts in the sums of the fair class if it belongs
 * there.  One that is ready is "queued" besides.
 *
 * The hot functions are inline, for thread.switch and thread.wakeup: 353 and
 * 561 instructions without, as the benchmarks count.
 */
#ifndef KERN_SCHED_QUEUE_H
#define KERN_SCHED_QUEUE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <kern/cpu.h>
#include <kern/percpu.h>
#include <kern/sched_fair.h>
#include <kern/spinlock.h>
#include <kern/thread_types.h>
#include <lib/assert.h>
#include <lib/bitmap.h>
#include <lib/list.h>

#define SCHED_NR_PRIORITIES 256

/*
 * What others look at to find a place for a thread, written under the lock of
 * the queue; on a cache line of its own.
 */
struct sched_hints {
    atomic_int running;      /* priority of the thread that runs */
    atomic_int waiting;      /* largest real-time priority that waits and may
                                move, or THREAD_PRIORITY_IDLE */
    _Atomic uint64_t weight; /* of the fair class */
};

/*
 * Keys: [Q] lock   [c] constant once the CPU runs   [O] own CPU, in its slice
 *       timer
 */
struct run_queue {
    struct spinlock lock;     /* rank LOCK_RUNQ */
    uint32_t cpu;             /* [c] */
    struct thread *current;   /* [Q] runs */
    struct thread *idle;      /* [c] */
    struct thread *previous;  /* [Q] during a switch: who left */
    uint32_t nr_ready;        /* [Q] in the lists; read by anybody */
    uint32_t nr_movable_rt;   /* [Q] of them real-time and not pinned */
    uint32_t nr_movable_fair; /* [Q] of them fair and not pinned */
    bool slice_armed;         /* [Q] */
    uint8_t aftermath;        /* [Q] of a switch: SCHED_... */
    bool is_unsettled;        /* set by its CPU, and under [Q]; see pass.h */
    struct list recalled;     /* [Q] that are HELD and should not be */
    struct sched_fair fair;   /* [Q] */
    unsigned long rt_bitmap[BITMAP_LONGS(SCHED_NR_PRIORITIES)]; /* [Q] */
    struct list rt_lists[SCHED_NR_PRIORITIES];                  /* [Q] */
    struct timer slice_timer; /* started and expiring on its CPU only */
    uint32_t nr_slices;       /* [O] ended, for balancing */
    uint32_t cursor;          /* [O] CPU that balancing looked at last */
    struct sched_hints hints __aligned(CACHE_LINE);
};

extern struct run_queue run_queue;

/* Queues on which a thread waits that another CPU should run. */
extern atomic_uint sched_nr_overloaded;

/* Make the queue of CPU @cpu empty; its slice timer is the caller's. */
void sched_queue_init(struct run_queue *queue, uint32_t cpu);

/* Whether a thread belongs to the fair class now. */
static inline bool
sched_is_fair(const struct thread *thread)
{
    return thread->priority == THREAD_PRIORITY_FAIR;
}

/* The largest real-time priority that is ready, or the fair class's. */
static inline int
sched_queue_top(const struct run_queue *queue)
{
    unsigned i;

    for (i = ARRAY_SIZE(queue->rt_bitmap); i > 0; i--) {
        if (queue->rt_bitmap[i - 1] != 0) {
            return (int)(i * 64) - 1 - __builtin_clzl(queue->rt_bitmap[i - 1]);
        }
    }
    return queue->fair.nr_queued != 0 ? THREAD_PRIORITY_FAIR
                                      : THREAD_PRIORITY_IDLE;
}

/* A thread becomes ready or runs here. */
static inline void
sched_queue_join(struct run_queue *queue, struct thread *thread)
{
    if (sched_is_fair(thread)) {
        sched_fair_join(&queue->fair, thread);
        atomic_store_explicit(&queue->hints.weight, queue->fair.weight,
                              memory_order_relaxed);
    }
}

/* It is neither ready nor runs any more. */
static inline void
sched_queue_leave(struct run_queue *queue, struct thread *thread)
{
    if (sched_is_fair(thread)) {
        sched_fair_leave(&queue->fair, thread);
        atomic_store_explicit(&queue->hints.weight, queue->fair.weight,
                              memory_order_relaxed);
    }
}

/*
 * Put a thread that has joined into the lists.
 *
 * @at_head  of its priority: it was preempted, not at the end of its turn
 */
static inline void
sched_queue_insert(struct run_queue *queue, struct thread *thread, bool at_head)
{
    assert(spinlock_is_locked(&queue->lock) && !thread->queued);
    thread->queued = true;
    ADD_ONCE(queue->nr_ready, 1);
    if (sched_is_fair(thread)) {
        queue->nr_movable_fair += !thread->pinned;
        sched_fair_queue(&queue->fair, thread);
        return;
    }

    queue->nr_movable_rt += !thread->pinned;
    bitmap_set(queue->rt_bitmap, (size_t)thread->priority);
    if (at_head) {
        list_insert_head(&queue->rt_lists[thread->priority], &thread->run_node);
    } else {
        list_insert_tail(&queue->rt_lists[thread->priority], &thread->run_node);
    }
}

/* Take a thread out of the lists. */
static inline void
sched_queue_remove(struct run_queue *queue, struct thread *thread)
{
    assert(spinlock_is_locked(&queue->lock) && thread->queued);
    thread->queued = false;
    ADD_ONCE(queue->nr_ready, -1);
    if (sched_is_fair(thread)) {
        queue->nr_movable_fair -= !thread->pinned;
        sched_fair_unqueue(&queue->fair, thread);
        return;
    }

    queue->nr_movable_rt -= !thread->pinned;
    list_remove(&thread->run_node);
    if (list_is_empty(&queue->rt_lists[thread->priority])) {
        bitmap_clear(queue->rt_bitmap, (size_t)thread->priority);
    }
}

/* Take the thread to run next out of the lists; the idle one if none is. */
static inline struct thread *
sched_queue_pick(struct run_queue *queue)
{
    struct thread *thread;
    int priority;

    priority = sched_queue_top(queue);
    if (priority == THREAD_PRIORITY_IDLE) {
        return queue->idle;
    }
    if (priority == THREAD_PRIORITY_FAIR) {
        thread = sched_fair_pick(&queue->fair);
    } else {
        thread = list_first_entry(&queue->rt_lists[priority], struct thread,
                                  run_node);
    }

    sched_queue_remove(queue, thread);
    return thread;
}

/*
 * The running real-time thread goes to the end of its priority, and the first
 * of that leaves the lists: sched_queue_insert() and sched_queue_pick() in one
 * when nobody more urgent waits.
 *
 * Returns: who was first; NULL, nothing was done
 */
static inline struct thread *
sched_queue_rotate(struct run_queue *queue, struct thread *current)
{
    struct thread *next;
    struct list *list;

    /* Pinned or not alike, so that the counts stay. */
    list = &queue->rt_lists[current->priority];
    next = list_entry(list_first(list), struct thread, run_node);
    if (list_is_empty(list) || next->pinned != current->pinned) {
        return NULL;
    }

    list_remove(&next->run_node);
    list_insert_tail(list, &current->run_node);
    next->queued = false;
    current->queued = true;
    return next;
}

/* Whether a thread may run on a CPU.  Context: its queue locked */
static inline bool
sched_may_run_on(const struct thread *thread, uint32_t cpu)
{
    /* Threads pinned to a CPU may come before it is online. */
    if (thread->pinned) {
        return cpu == atomic_load_explicit(&thread->cpu, memory_order_relaxed);
    }
    return cpu_is_online(cpu) &&
           (thread->affinity == NULL || bitmap_test(thread->affinity, cpu));
}

/*
 * A ready thread that may be moved, looking at a bounded number of them.
 *
 * @to   CPU that it must be allowed on; UINT32_MAX: any
 * @min  least priority
 *
 * Returns: still queued; NULL for none found
 */
struct thread *sched_queue_find_movable(struct run_queue *queue, uint32_t to,
                                        int min);

/*
 * The most deserving ready thread of the fair class that may be moved and is
 * not heavier than @max_weight; bounded as before.
 */
struct thread *sched_queue_find_fair(struct run_queue *queue, uint32_t to,
                                     uint64_t max_weight);

/* Behind sched_queue_publish(). */
bool sched_queue_set_waiting(struct run_queue *queue, int priority);

/*
 * Tell others what waits here, when nothing queued is about to run.
 *
 * Returns: whether it is more urgent than before, so that nobody has looked
 *          for a place for it yet
 */
static inline bool
sched_queue_publish(struct run_queue *queue)
{
    int waiting;

    waiting = unlikely(queue->nr_movable_rt != 0) ? sched_queue_top(queue)
                                                  : THREAD_PRIORITY_IDLE;
    return unlikely(waiting != atomic_load_explicit(&queue->hints.waiting,
                                                    memory_order_relaxed)) &&
           sched_queue_set_waiting(queue, waiting);
}

#endif /* KERN_SCHED_QUEUE_H */
