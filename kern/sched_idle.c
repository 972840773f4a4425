/* SPDX-License-Identifier: MIT */
/*
 * What a CPU does that has nothing to run.
 */
#include <stddef.h>

#include <arch/cpu.h>
#include <kern/percpu.h>
#include <kern/preempt.h>
#include <kern/sched.h>
#include <kern/sched_balance.h>
#include <kern/sched_hooks.h>
#include <kern/sched_i.h>
#include <kern/sched_queue.h>
#include <kern/thread.h>

SECTION_DECLARE(idle, const struct sched_idle_work);

/* Take a thread that waits for another CPU; looks at one after the other. */
static void
sched_idle_pull(void)
{
    struct run_queue *queue;
    struct thread *thread;
    uint64_t flags;
    uint32_t cpu;

    queue = percpu_this(run_queue);
    cpu = sched_find_ready(queue, queue->cpu);
    for (thread = NULL; thread == NULL && cpu != queue->cpu;
         cpu = sched_find_ready(queue, cpu)) {
        flags = cpu_irq_save();
        preempt_disable();
        thread = sched_pull_from(cpu, queue->cpu, THREAD_PRIORITY_FAIR);
        if (thread != NULL) {
            sched_enqueue_here(thread);
        }
        preempt_enable_irqrestore(flags);
    }
}

/* Do a step of each work.  Returns: whether there are more */
static bool
sched_idle_work(void)
{
    const struct sched_idle_work *const *work;
    bool more = false;

    section_for_each (idle, work) {
        more = (*work)->fn() || more;
    }
    return more;
}

/*
 * Who was interrupted between the look and the wait by a thread that ran here
 * looks again: meanwhile others may have come to wait elsewhere.
 */
void
sched_idle(void)
{
    struct thread *idle;
    uint64_t nr_switches;

    idle = thread_self();
    for (;;) {
        nr_switches = READ_ONCE(idle->nr_switches);
        sched_idle_pull();
        if (sched_idle_work()) {
            continue;
        }
        /* A wake-up between the look and the wait stays pending. */
        cpu_irq_disable();
        if (percpu_read(preempt_count) == 0 ||
            READ_ONCE(idle->nr_switches) != nr_switches) {
            cpu_irq_enable();
            preempt_now();
            continue;
        }
        sched_hook_idle_enter();
        cpu_idle_wait();
        sched_hook_idle_exit();
    }
}
