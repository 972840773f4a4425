/* SPDX-License-Identifier: MIT */
/*
 * Passing the CPU on: a thread that waits has another one run in its place, on
 * the same CPU, without a lock, an atomic instruction or the run queue.
 *
 * A CPU holds threads: they wait, and nobody but this CPU may continue them.
 * To pass is to be held, and to continue one that is held.  The run queue does
 * not learn of it: as far as it knows the current thread still runs, so who was
 * passed to runs in its place, with its priority and on its slice, and time is
 * charged to it.  If the CPU is passed back there is nothing to be told.  Else
 * the CPU settles, under the lock of its queue, before the queue is used for
 * anything by the CPU itself: then the queue's current thread is the one that
 * runs, and who was it before is held.
 *
 * INVARIANTS.  1. A thread's held_by is written only by the CPU that it belongs
 * to, with interrupts disabled, and says that CPU only while the thread is
 * held: it has saved its context, is in no list, and is HELD, or the queue's
 * current one and RUNNING.  2. What is HELD is held, runs, or was let go.
 * 3. is_unsettled is set if the thread that runs is not the queue's current
 * one, if somebody was let go, or was recalled.
 *
 * OTHER CPUS see HELD or RUNNING under the lock of the queue and cannot know
 * whether it runs.  So they leave the state alone and recall the thread: they
 * write what they want of it, its permit for example, and interrupt the CPU.
 * The barriers of the store buffers pair so: the CPU looks at the permit, and
 * passes, with interrupts disabled, without a barrier; either it saw the
 * permit, or the interrupt comes after the pass, and the CPU settles.
 *
 * Threads are passed to only by their equals: of the same priority and weight,
 * so that neither preemption nor shares change.  Whoever changes one of them
 * recalls it.
 *
 * The idea of a run queue that is brought up to date only when it is needed is
 * that of lazy scheduling: Liedtke, "Improving IPC by Kernel Design", SOSP
 * 1993.  Design: doc/scheduling.md.
 */
#ifndef KERN_PASS_H
#define KERN_PASS_H

#include <stdbool.h>
#include <stddef.h>

#include <arch/cpu.h>
#include <arch/thread.h>
#include <arch/utable_load.h>
#include <kern/cpu.h>
#include <kern/percpu.h>
#include <kern/preempt.h>
#include <kern/sched_i.h>
#include <kern/thread_space.h>
#include <kern/thread_types.h>
#include <kern/thread_user.h>
#include <lib/assert.h>

/*
 * The calling thread may pass the CPU on from now on: other CPUs interrupt this
 * one when they want something of it.
 */
static inline void
pass_begin(void)
{
    WRITE_ONCE(percpu_read(thread_current)->may_pass, true);
}

/* Per CPU: who was let go, and is continued when the running one waits. */
extern struct thread *pass_next;

/* Per CPU: the timer runs that makes who was let go ready.  Own to each */
extern bool pass_is_armed;

/*
 * Whether a thread is held by a CPU.
 *
 * Context: interrupts disabled
 */
static inline bool
pass_is_held(const struct thread *thread, uint32_t cpu)
{
    return READ_ONCE(thread->held_by) == cpu;
}

/* Whether one may run in the other's place. */
static inline bool
pass_is_equal(const struct thread *self, const struct thread *next)
{
    return READ_ONCE(self->standing) == READ_ONCE(next->standing);
}

/*
 * Whether nobody of the same real-time priority waits: it would be his turn,
 * and for a turn of RR there has to be a slice.
 */
static inline bool
pass_is_fair_to_others(const struct thread *self, const struct thread *next)
{
    const struct run_queue *queue = percpu_this(run_queue);

    return self->policy == next->policy &&
           list_is_empty(&queue->rt_lists[self->priority]);
}

/*
 * Whether the calling thread may pass the CPU on to another one.
 *
 * @cpu  this CPU
 *
 * Context: interrupts disabled
 */
static inline bool
pass_is_possible(const struct thread *self, const struct thread *next,
                 uint32_t cpu)
{
    return pass_is_held(next, cpu) && !READ_ONCE(self->permit) &&
           pass_is_equal(self, next) &&
           (likely(sched_is_fair(self)) || pass_is_fair_to_others(self, next));
}

/* Have the CPU use the space of a thread that was held. */
static __always_inline void
pass_switch_space(struct thread *self, struct thread *next)
{
    struct vm_space *space = next->space;

    self->tables = utable_loaded_here();
    if (space == NULL || space == percpu_read(thread_space_loaded)) {
        return;
    }
    if (unlikely(next->tables == NULL)) {
        thread_space_load(space);
        return;
    }
    /* Tables stay as long as their space. */
    percpu_write(thread_space_loaded, space);
    utable_load_here(next->tables);
}

/* The rest of pass_to() and pass_hold(), when a switch has continued them. */
void pass_end_switch(void);

/*
 * Be held, and continue a thread that is not held any more but belongs here.
 */
static __always_inline bool
pass_switch(struct thread *self, struct thread *next, uint32_t cpu)
{
    uintptr_t word;

    self->held_by = cpu;
    percpu_set(run_queue.is_unsettled);
    percpu_write(thread_current, next);
    pass_switch_space(self, next);
    thread_user_switch(self, next, cpu);
    word = thread_context_switch(&self->sp, next->sp, SCHED_PASSED);
    if (likely(word == SCHED_PASSED)) {
        return true;
    }
    pass_end_switch();
    return false;
}

/*
 * Wait, and continue another thread at once.
 *
 * @self  the calling thread; pass_is_possible()
 * @cpu   this CPU
 *
 * Context: thread, preemptible but for interrupts, which are disabled; outside
 *          of sections of RCU
 * Blocks:  until the CPU is passed back, or thread_unpark(), or a little less
 * Returns: true: it was passed back, interrupts are still disabled; else they
 *          are enabled, and this may be another CPU
 */
static __always_inline bool
pass_to(struct thread *self, struct thread *next, uint32_t cpu)
{
    /* It was possible; who changes that now interrupts. */
    assert(!cpu_irq_is_enabled() && self->may_pass && pass_is_held(next, cpu));
    next->held_by = THREAD_HELD_BY_NONE;
    return pass_switch(self, next, cpu);
}

/* pass_hold() when nobody was let go. */
bool pass_hold_slow(void);

/*
 * Wait, held by this CPU, and continue who was let go, else who is ready.
 *
 * Context, Blocks, Returns: as pass_to()
 */
static __always_inline bool
pass_hold(struct thread *self, uint32_t cpu)
{
    struct thread *next = percpu_read(pass_next);

    assert(!cpu_irq_is_enabled() && self->may_pass);
    if (unlikely(next == NULL || READ_ONCE(self->permit))) {
        return pass_hold_slow();
    }
    percpu_write(pass_next, NULL);
    return pass_switch(self, next, cpu);
}

/* The rest of pass_let_go(): have it run though this thread does not wait. */
void pass_arm(void);

/* Whether a thread may be let go; as pass_is_possible(). */
static inline bool
pass_may_let_go(const struct thread *self, const struct thread *thread,
                uint32_t cpu)
{
    return !percpu_is_set(pass_next) && pass_is_held(thread, cpu) &&
           pass_is_equal(self, thread);
}

/*
 * Have a thread go on as soon as the calling one waits, or after PASS_DELAY,
 * when it is ready like others.
 *
 * @thread  pass_may_let_go()
 *
 * Context: interrupts disabled
 */
static inline void
pass_let_go(struct thread *thread)
{
    thread->held_by = THREAD_HELD_BY_NONE;
    percpu_write(pass_next, thread);
    percpu_set(run_queue.is_unsettled);
    if (unlikely(!percpu_is_set(pass_is_armed))) {
        pass_arm();
    }
}

/* Who was let go is ready at the latest after this, nanoseconds. */
#define PASS_DELAY UINT64_C(500000)

#endif /* KERN_PASS_H */
