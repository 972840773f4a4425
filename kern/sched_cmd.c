/* SPDX-License-Identifier: MIT */
/*
 * Monitor command: run queues.
 */
#include <kern/command.h>
#include <kern/console.h>
#include <kern/cpu.h>
#include <kern/sched_queue.h>
#include <lib/string.h>

/* What is shown of a queue, copied under its lock. */
struct sched_cmd_queue {
    char current[THREAD_NAME_SIZE];
    int priority;
    uint32_t nr_ready;
    uint32_t nr_fair;
    int waiting;
    uint64_t weight;
    bool slice_armed;
};

static void
sched_cmd_copy(uint32_t cpu, struct sched_cmd_queue *copy)
{
    struct run_queue *queue;
    uint64_t flags;

    queue = percpu_ptr(run_queue, cpu);
    flags = spinlock_lock_irqsave(&queue->lock);
    strlcpy(copy->current, queue->current->name, sizeof(copy->current));
    copy->priority = queue->current->priority;
    copy->nr_ready = queue->nr_ready;
    copy->nr_fair = queue->fair.nr_queued;
    copy->waiting = atomic_load(&queue->hints.waiting);
    copy->weight = queue->fair.weight;
    copy->slice_armed = queue->slice_armed;
    spinlock_unlock_irqrestore(&queue->lock, flags);
}

static void
sched_cmd_runq(int argc __unused, char **argv __unused)
{
    struct sched_cmd_queue copy;
    uint32_t cpu;

    console_printf("%4s %-24s %4s %6s %6s %8s %8s %s\n", "cpu", "runs", "prio",
                   "ready", "fair", "movable", "weight", "slice");
    cpu_for_each (cpu) {
        sched_cmd_copy(cpu, &copy);
        console_printf("%4u %-24s %4d %6u %6u %8d %8lu %s\n", cpu, copy.current,
                       copy.priority, copy.nr_ready, copy.nr_fair, copy.waiting,
                       copy.weight, copy.slice_armed ? "armed" : "-");
    }
}

MONITOR_COMMAND(runq, "", "run queues of all CPUs", sched_cmd_runq);
