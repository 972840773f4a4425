/* SPDX-License-Identifier: MIT */
/*
 * The lock of the queue of those who flush protects the list too, so that they
 * look and wait in one step.
 */
#include <stddef.h>

#include <kern/clock.h>
#include <kern/cpu.h>
#include <kern/init.h>
#include <kern/percpu.h>
#include <kern/thread.h>
#include <kern/waitq.h>
#include <kern/work.h>
#include <lib/assert.h>
#include <lib/fmt.h>

/*
 * Keys: [W] lock of @flushers   [c] constant once the CPU runs
 */
struct work_cpu {
    struct waitq flushers;
    struct list works;          /* [W] */
    const struct work *running; /* [W] its function is being called */
    struct thread *thread;      /* [c] */
};

static __aligned(CACHE_LINE) PERCPU(struct work_cpu, work_cpu);

void
work_init(struct work *work, work_fn_t fn)
{
    work->fn = fn;
    work->is_queued = false;
    atomic_init(&work->cpu, cpu_id());
    list_node_init(&work->node);
}

/* Lock the queue that a work belongs to. */
static struct work_cpu *
work_lock(struct work *work, uint64_t *flags)
{
    struct work_cpu *queue;
    uint32_t cpu;

    for (;;) {
        cpu = atomic_load_explicit(&work->cpu, memory_order_relaxed);
        queue = percpu_ptr(work_cpu, cpu);
        *flags = waitq_lock(&queue->flushers);
        if (cpu == atomic_load_explicit(&work->cpu, memory_order_relaxed)) {
            return queue;
        }
        waitq_unlock(&queue->flushers, *flags);
    }
}

static void
work_insert_locked(struct work_cpu *queue, struct work *work)
{
    work->is_queued = true;
    list_insert_tail(&queue->works, &work->node);
}

bool
work_queue_on(uint32_t cpu, struct work *work)
{
    struct work_cpu *queue;
    uint64_t flags;

    assert(cpu < cpu_nr_possible);
    queue = work_lock(work, &flags);
    while (!work->is_queued && queue->running != work &&
           queue != percpu_ptr(work_cpu, cpu)) {
        /* Nobody uses it: it may change its queue. */
        atomic_store_explicit(&work->cpu, cpu, memory_order_relaxed);
        waitq_unlock(&queue->flushers, flags);
        queue = work_lock(work, &flags);
    }
    if (work->is_queued) {
        waitq_unlock(&queue->flushers, flags);
        return false;
    }

    work_insert_locked(queue, work);
    waitq_unlock(&queue->flushers, flags);
    thread_unpark(queue->thread);
    return true;
}

bool
work_queue(struct work *work)
{
    return work_queue_on(cpu_id(), work);
}

status_t
work_flush_until(struct work *work, uint64_t deadline)
{
    struct work_cpu *queue;
    status_t status;
    uint64_t flags;

    lock_check_may_sleep("work");
    status = OK;
    for (;;) {
        queue = work_lock(work, &flags);
        if (!work->is_queued && queue->running != work) {
            waitq_unlock(&queue->flushers, flags);
            return OK;
        }
        if (status != OK) {
            waitq_unlock(&queue->flushers, flags);
            return status;
        }
        assert(queue->thread != thread_self());
        status = waitq_wait_locked(&queue->flushers, flags, deadline);
    }
}

void
work_flush(struct work *work)
{
    status_t status;

    status = work_flush_until(work, CLOCK_NEVER);
    verify(status == OK);
}

bool
work_cancel(struct work *work)
{
    struct work_cpu *queue;
    uint64_t flags;
    bool was_queued;

    queue = work_lock(work, &flags);
    was_queued = work->is_queued;
    if (was_queued) {
        work->is_queued = false;
        list_remove(&work->node);
    }
    waitq_unlock(&queue->flushers, flags);
    work_flush(work);
    return was_queued;
}

static void
work_timer_expired(struct timer *timer)
{
    work_queue(&container_of(timer, struct work_delayed, timer)->work);
}

void
work_delayed_init(struct work_delayed *delayed, work_fn_t fn)
{
    work_init(&delayed->work, fn);
    timer_init(&delayed->timer, work_timer_expired, "delayed work");
}

void
work_delayed_start(struct work_delayed *delayed, uint64_t deadline)
{
    timer_start(&delayed->timer, deadline);
}

bool
work_delayed_cancel(struct work_delayed *delayed)
{
    bool was_to_come;

    was_to_come = timer_cancel(&delayed->timer);
    return work_cancel(&delayed->work) || was_to_come;
}

/* The next work, which runs now; NULL: none is there. */
static struct work *
work_next(struct work_cpu *queue)
{
    struct work *work;
    uint64_t flags;

    work = NULL;
    flags = waitq_lock(&queue->flushers);
    if (!list_is_empty(&queue->works)) {
        work = list_first_entry(&queue->works, struct work, node);
        list_remove(&work->node);
        work->is_queued = false;
        queue->running = work;
    }
    waitq_unlock(&queue->flushers, flags);
    return work;
}

static void
work_end(struct work_cpu *queue)
{
    uint64_t flags;

    flags = waitq_lock(&queue->flushers);
    queue->running = NULL;
    waitq_unlock(&queue->flushers, flags);
    waitq_wake_all(&queue->flushers);
}

static void
work_run(void *arg)
{
    struct work_cpu *queue;
    struct work *work;

    queue = arg;
    for (;;) {
        work = work_next(queue);
        if (work == NULL) {
            thread_park(CLOCK_NEVER);
            continue;
        }
        /* Afterwards the work may be gone. */
        work->fn(work);
        work_end(queue);
    }
}

static status_t
work_setup(void)
{
    struct thread_attr attr = { .pinned = true, .cpu = cpu_id() };
    char name[THREAD_NAME_SIZE];
    struct work_cpu *queue;

    queue = percpu_this(work_cpu);
    waitq_init(&queue->flushers);
    list_init(&queue->works);
    fmt_snprintf(name, sizeof(name), "work %u", cpu_id());
    queue->thread = thread_create(name, work_run, queue, &attr);
    return queue->thread != NULL ? OK : ERR_NO_MEMORY;
}

INIT_OP(work_setup, INIT_EACH_CPU, AFTER(thread_setup));
