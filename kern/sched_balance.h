/* SPDX-License-Identifier: MIT */
/*
 * Which CPU a thread should run on.
 *
 * All searches look at the hints of other queues without their locks, and at
 * a bounded number of them.  So an answer may be wrong by the time it is
 * used: who uses it looks again under the lock.
 *
 * A function that takes a thread returns it "in transit": ready, in no queue,
 * thread->cpu set to where it shall go.  Nobody else will queue it.
 */
#ifndef KERN_SCHED_BALANCE_H
#define KERN_SCHED_BALANCE_H

#include <stdint.h>

#include <kern/sched_queue.h>

/*
 * Where a thread that is ready should run: where it ran last, unless it would
 * wait there; then on an idle CPU, else on one that runs something less
 * urgent.
 *
 * Context: the queue of thread->cpu locked
 */
uint32_t sched_choose_cpu(const struct thread *thread);

/*
 * Take a real-time thread that waits for another CPU, for this one.
 *
 * @min  least priority
 *
 * Context: interrupts disabled, no run queue locked
 * Returns: in transit to this CPU; NULL for none found
 */
struct thread *sched_pull(struct run_queue *own, int min);

/* The same of a given CPU, of the fair class too if @min is its priority. */
struct thread *sched_pull_from(uint32_t cpu, uint32_t to, int min);

/*
 * The next CPU behind @cpu where threads wait, for an idle CPU, which has the
 * time to look at all.
 *
 * Context: any; the longer the more CPUs there are
 * Returns: the number of @own for none
 */
uint32_t sched_find_ready(const struct run_queue *own, uint32_t cpu);

/*
 * Take a thread that waits here, and not for the end of a slice, while another
 * CPU runs something less urgent, or other fair threads if it is one.
 *
 * Context: as sched_pull()
 */
struct thread *sched_push(struct run_queue *own);

/*
 * At the end of a slice: take a thread of the fair class for a CPU that has
 * less to do.  When that cannot make the loads more equal, but for a thread
 * too many the shares are not, it does so now and then, so that the burden
 * goes round.
 *
 * Context: as sched_pull(), in the slice timer of this CPU
 */
struct thread *sched_push_fair(struct run_queue *own);

#endif /* KERN_SCHED_BALANCE_H */
