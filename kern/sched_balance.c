/* SPDX-License-Identifier: MIT */
#include <limits.h>
#include <stddef.h>

#include <kern/cpu.h>
#include <kern/sched_balance.h>
#include <lib/assert.h>

/* How many CPUs are looked at for a fair thread, a real-time one. */
#define SCHED_SEARCH_FAIR 8
#define SCHED_SEARCH_RT   16

/* How many queues of other CPUs are locked in search of a thread. */
#define SCHED_PULL_TRIES 2

/* Slices after which the one thread too many changes its CPU. */
#define SCHED_ROTATE_SLICES 4

static uint32_t
sched_next_cpu(uint32_t cpu)
{
    return cpu + 1 < cpu_nr_possible ? cpu + 1 : 0;
}

/* What a CPU runs, for a thread that looks for a place. */
static int
sched_running_on(uint32_t cpu)
{
    return atomic_load(&percpu_ptr(run_queue, cpu)->hints.running);
}

/* Any CPU on which a thread is allowed, of those named by its mask. */
static uint32_t
sched_first_allowed(const struct thread *thread, uint32_t otherwise)
{
    size_t cpu;

    if (thread->affinity == NULL) {
        return otherwise;
    }
    bitmap_for_each (thread->affinity, cpu_nr_possible, cpu) {
        if (cpu_is_online((uint32_t)cpu)) {
            return (uint32_t)cpu;
        }
    }
    return otherwise;
}

/* The CPU that runs the least urgent thread, of some behind @last. */
static uint32_t
sched_least_urgent(const struct thread *thread, uint32_t last, int *runningp)
{
    uint32_t cpu, best, n;
    int running;

    best = last;
    cpu = sched_next_cpu(last);
    n = sched_is_fair(thread) ? SCHED_SEARCH_FAIR : SCHED_SEARCH_RT;
    for (; n > 0 && cpu != last; n--, cpu = sched_next_cpu(cpu)) {
        running = sched_running_on(cpu);
        if (running < *runningp && sched_may_run_on(thread, cpu)) {
            best = cpu;
            *runningp = running;
        }
        if (*runningp == THREAD_PRIORITY_IDLE) {
            break;
        }
    }
    return best;
}

uint32_t
sched_choose_cpu(const struct thread *thread)
{
    uint32_t last, best;
    int running_last, running_best;
    bool may_stay;

    last = atomic_load_explicit(&thread->cpu, memory_order_relaxed);
    if (thread->pinned) {
        return last;
    }
    may_stay = sched_may_run_on(thread, last);
    running_last = may_stay ? sched_running_on(last) : INT_MAX;
    if (running_last == THREAD_PRIORITY_IDLE) {
        return last;
    }

    running_best = running_last;
    best = sched_least_urgent(thread, last, &running_best);
    if (running_best == THREAD_PRIORITY_IDLE) {
        return best;
    }
    if (!may_stay) {
        return running_best != INT_MAX ? best
                                       : sched_first_allowed(thread, last);
    }
    if (running_last < thread->priority || running_best > thread->priority) {
        return last;
    }
    /* It waits here; rather where it runs, or waits for its equals only. */
    return best;
}

/*
 * Take a queued thread out, for another CPU.
 */
static struct thread *
sched_take_locked(struct run_queue *queue, struct thread *thread, uint32_t cpu)
{
    sched_queue_remove(queue, thread);
    sched_queue_leave(queue, thread);
    sched_queue_publish(queue);
    atomic_store_explicit(&thread->cpu, cpu, memory_order_relaxed);
    return thread;
}

struct thread *
sched_pull_from(uint32_t cpu, uint32_t to, int min)
{
    struct run_queue *queue;
    struct thread *thread;

    assert(!cpu_irq_is_enabled());
    queue = percpu_ptr(run_queue, cpu);
    spinlock_lock(&queue->lock);
    thread = sched_queue_find_movable(queue, to, min);
    if (thread != NULL) {
        sched_take_locked(queue, thread, to);
    }
    spinlock_unlock(&queue->lock);
    return thread;
}

struct thread *
sched_pull(struct run_queue *own, int min)
{
    struct thread *thread;
    unsigned tries;
    uint32_t cpu, n;

    thread = NULL;
    tries = SCHED_PULL_TRIES;
    cpu = sched_next_cpu(own->cpu);
    for (n = SCHED_SEARCH_RT; n > 0 && cpu != own->cpu; n--) {
        if (atomic_load(&percpu_ptr(run_queue, cpu)->hints.waiting) >= min) {
            thread = sched_pull_from(cpu, own->cpu, min);
            if (thread != NULL || --tries == 0) {
                break;
            }
        }
        cpu = sched_next_cpu(cpu);
    }
    return thread;
}

uint32_t
sched_find_ready(const struct run_queue *own, uint32_t cpu)
{
    do {
        cpu = sched_next_cpu(cpu);
    } while (cpu != own->cpu &&
             READ_ONCE(percpu_ptr(run_queue, cpu)->nr_ready) == 0);
    return cpu;
}

/* Whether a thread that waits would rather be on another CPU. */
static bool
sched_should_push(const struct thread *thread, uint32_t from, uint32_t to)
{
    int running;

    running = sched_running_on(to);
    return to != from && (sched_is_fair(thread) ? running <= thread->priority
                                                : running < thread->priority);
}

struct thread *
sched_push(struct run_queue *own)
{
    struct thread *thread;
    uint32_t cpu;

    assert(!cpu_irq_is_enabled());
    spinlock_lock(&own->lock);
    thread = sched_queue_find_movable(own, UINT32_MAX, THREAD_PRIORITY_FAIR);
    if (thread != NULL) {
        cpu = sched_choose_cpu(thread);
        thread = sched_should_push(thread, own->cpu, cpu)
                     ? sched_take_locked(own, thread, cpu)
                     : NULL;
    }
    spinlock_unlock(&own->lock);
    return thread;
}

/* The CPU with the least fair load of some, which runs nothing more urgent. */
static uint32_t
sched_least_loaded(struct run_queue *own, uint64_t *weightp)
{
    const struct sched_hints *hints;
    uint32_t best, n;
    uint64_t weight;

    best = own->cpu;
    for (n = 0; n < SCHED_SEARCH_FAIR; n++) {
        own->cursor = sched_next_cpu(own->cursor);
        hints = &percpu_ptr(run_queue, own->cursor)->hints;
        weight = atomic_load_explicit(&hints->weight, memory_order_relaxed);
        if (weight < *weightp && cpu_is_online(own->cursor) &&
            sched_running_on(own->cursor) <= THREAD_PRIORITY_FAIR) {
            best = own->cursor;
            *weightp = weight;
        }
    }
    return best;
}

struct thread *
sched_push_fair(struct run_queue *own)
{
    uint64_t weight, excess;
    struct thread *thread;
    uint32_t cpu;

    assert(!cpu_irq_is_enabled());
    weight = atomic_load_explicit(&own->hints.weight, memory_order_relaxed);
    cpu = sched_least_loaded(own, &weight);
    if (cpu == own->cpu) {
        return NULL;
    }

    own->nr_slices++;
    spinlock_lock(&own->lock);
    excess = own->fair.weight > weight ? own->fair.weight - weight : 0;
    /* A thread lighter than the difference makes it smaller. */
    if (excess != 0 && own->nr_slices % SCHED_ROTATE_SLICES != 0) {
        excess--;
    }
    thread = sched_queue_find_fair(own, cpu, excess);
    if (thread != NULL) {
        sched_take_locked(own, thread, cpu);
    }
    spinlock_unlock(&own->lock);
    return thread;
}
