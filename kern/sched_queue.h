/* SPDX-License-Identifier: MIT */
/*
 * The run queue of a CPU: who runs, who is ready, and what other CPUs may know
 * of it without its lock.
 *
 * A list for each real-time priority with a bitmap of those not empty, so that
 * choosing takes constant time, and the fair class.  A thread that is ready or
 * runs has "joined": it counts in the sums of the fair class if it belongs
 * there.  One that is ready is "queued" besides.
 */
#ifndef KERN_SCHED_QUEUE_H
#define KERN_SCHED_QUEUE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <kern/percpu.h>
#include <kern/sched_fair.h>
#include <kern/spinlock.h>
#include <kern/thread_types.h>
#include <lib/bitmap.h>
#include <lib/list.h>

#define SCHED_NR_PRIORITIES 256

/*
 * What others look at to find a place for a thread, written under the lock of
 * the queue; on a cache line of its own.
 */
struct sched_hints {
    atomic_int running;      /* priority of the thread that runs */
    atomic_int waiting;      /* largest priority that no slice's end will
                                serve and that may move, or ..._IDLE */
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
    uint32_t nr_ready;        /* [Q] in the lists */
    uint32_t nr_movable_rt;   /* [Q] of them real-time and not pinned */
    uint32_t nr_movable_fair; /* [Q] of them fair and not pinned */
    bool slice_armed;         /* [Q] */
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
void sched_queue_insert(struct run_queue *queue, struct thread *thread,
                        bool at_head);

/* Take a thread out of the lists. */
void sched_queue_remove(struct run_queue *queue, struct thread *thread);

/* Take the thread to run next out of the lists; the idle one if none is. */
struct thread *sched_queue_pick(struct run_queue *queue);

/* Whether a thread may run on a CPU.  Context: its queue locked */
bool sched_may_run_on(const struct thread *thread, uint32_t cpu);

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
void sched_queue_set_waiting(struct run_queue *queue, int priority);

/*
 * Tell others what waits here, when nothing queued is about to run.
 */
static inline void
sched_queue_publish(struct run_queue *queue)
{
    int waiting;

    waiting = THREAD_PRIORITY_IDLE;
    if (queue->nr_movable_rt != 0) {
        waiting = sched_queue_top(queue);
    } else if (queue->nr_movable_fair != 0 &&
               queue->current->priority > THREAD_PRIORITY_FAIR) {
        waiting = THREAD_PRIORITY_FAIR;
    }
    if (unlikely(waiting != atomic_load_explicit(&queue->hints.waiting,
                                                 memory_order_relaxed))) {
        sched_queue_set_waiting(queue, waiting);
    }
}

#endif /* KERN_SCHED_QUEUE_H */
