/* SPDX-License-Identifier: MIT */
/*
 * RCU: readers that pay nothing, updaters that wait for them.
 *
 * A reader's section is from rcu_read_lock() to rcu_read_unlock(); sections
 * nest.  A grace period is a time in which every section ends that had begun
 * before it.  So who takes an object out of a structure and then waits for a
 * grace period can free it: nobody holds a pointer to it any more.
 *
 * Readers may be preempted and may wait for mutexes; a section is no promise
 * to stay on a CPU.  Disabled preemption is no section; disabled interrupts are
 * one to a thread, see rcu_assert_irq_section().
 * Interrupt handlers may be readers, NMI handlers may not.
 *
 * Publishing and reading a pointer are rcu_assign() and rcu_dereference().
 *
 * Memory held back: at most RCU_CALLS_MAX callbacks a CPU and one for each
 * thread that waits in rcu_call(), plus those of contexts that cannot wait.
 *
 * May run concurrently: everything with everything; see doc/rcu.md.
 * Lock rank: LOCK_RCU_NODE.  Design: doc/rcu.md; McKenney and Slingwine,
 * "Read-Copy Update", PDCS 1998; McKenney, "Hierarchical RCU", LWN 2008.
 */
#ifndef KERN_RCU_H
#define KERN_RCU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <arch/cpu.h>
#include <kern/rcu_i.h>
#include <kern/rcu_types.h>
#include <lib/assert.h>
#include <lib/macros.h>

/* Callbacks of a CPU from which on grace periods are expedited. */
#define RCU_CALLS_URGENT 512

/* Callbacks of a CPU from which on rcu_call() waits where it can. */
#define RCU_CALLS_MAX 2048

/* An rcu_head that rcu_free() uses is less than this away from the start. */
#define RCU_FREE_MAX 4096

/*
 * Begin a section.  Two instructions, no atomic one, no barrier.
 *
 * Context: thread or interrupt, not NMI.  Nobody waits for sections of a CPU
 *          before its rcu_setup(): who starts it is in one meanwhile.
 */
static void rcu_read_lock(void);

/*
 * End a section.  Three instructions, unless somebody waits for it.
 *
 * Context: as rcu_read_lock(), and in the same thread; any lock may be held
 *          but LOCK_RCU_NODE
 */
static void rcu_read_unlock(void);

/* Whether the caller is inside a section; for assertions. */
static bool rcu_read_is_held(void);

/*
 * Say that interrupts are disabled, and that is enough: in a thread it is a
 * section as well, until they are enabled, a section ends, or the thread
 * switches.  For it is only then, and in interrupts, that a CPU reports.
 */
static inline void
rcu_assert_irq_section(void)
{
    assert(!cpu_irq_is_enabled());
}

/* Publish a pointer: what it points to was written before. */
#define rcu_assign(pointer, value)                                             \
    __atomic_store_n(&(pointer), (value), __ATOMIC_RELEASE)

/*
 * Read a pointer that somebody publishes; pairs with rcu_assign().  Consume
 * is what is meant; compilers make it acquire, which x86 has for free.
 */
#define rcu_dereference(pointer) __atomic_load_n(&(pointer), __ATOMIC_CONSUME)

/* Read a pointer under the lock of those who write it. */
#define rcu_protected(pointer) __atomic_load_n(&(pointer), __ATOMIC_RELAXED)

/*
 * Wait for a grace period.
 *
 * Context:  thread, preemptible, outside of a section
 * Blocks:   until all sections have ended that had begun before
 * Ordering: stores before the call are seen by each section that begins
 *           during it; accesses of sections that ended are before the return
 */
void rcu_synchronize(void);

/*
 * The same, but soon: a CPU that is inside a section is interrupted at once,
 * one that is in the kernel and silent after RCU_URGENT_NS, one that is idle
 * or in user mode never.
 */
void rcu_synchronize_expedited(void);

/* RCU_URGENT_NS of rcu_synchronize_expedited(), nanoseconds. */
#define RCU_URGENT_NS UINT64_C(20000)

/*
 * Have a function called when a grace period has passed.
 *
 * @head  in the object that is to be freed; nobody's until then
 * @fn    called in a thread of this CPU, in order, outside of a section; may
 *        call rcu_call(); must not wait for what is held around rcu_call()
 *
 * Context: any but NMI, no lock of rank LOCK_TIMER or more
 * Blocks:  where it can, when this CPU has RCU_CALLS_MAX callbacks under way:
 *          until they were called
 */
void rcu_call(struct rcu_head *head, rcu_fn_t fn);

/*
 * Free an object of kmalloc() or of a slab cache after a grace period.
 *
 * @member  name of its struct rcu_head
 *
 * Context: as rcu_call()
 */
#define rcu_free(object, member)                                               \
    ({                                                                         \
        static_assert(offsetof(__typeof__(*(object)), member) < RCU_FREE_MAX,  \
                      "too far from the start");                               \
        rcu_call(&(object)->member,                                            \
                 (rcu_fn_t)offsetof(__typeof__(*(object)), member));           \
    })

/*
 * Wait until all callbacks were called that were given to rcu_call() before.
 *
 * Context: thread, preemptible, outside of a section, not a callback
 */
void rcu_barrier(void);

/*
 * Begin to wait for a grace period, without waiting.
 *
 * Context: any but NMI
 * Returns: what rcu_poll_done() is to be asked
 */
uint64_t rcu_poll_start(void) __must_check;

/*
 * Whether a grace period has passed since rcu_poll_start() returned @cookie.
 *
 * Context:  any
 * Ordering: if so, as after rcu_synchronize()
 */
bool rcu_poll_done(uint64_t cookie) __must_check;

/*
 * This CPU goes to user mode: until rcu_user_exit() no grace period waits
 * for it or disturbs it.
 *
 * Context: interrupts disabled; no section until rcu_user_exit()
 */
void rcu_user_enter(void);

/* This CPU has come from user mode.  Context: interrupts disabled */
void rcu_user_exit(void);

/*
 * Counts since boot.
 */
struct rcu_stats {
    uint64_t nr_grace_periods; /* that have ended */
    uint64_t nr_urgent;        /* of them, expedited */
    uint64_t nr_inside;        /* interrupts sent to CPUs inside a section */
    uint64_t nr_silent;        /* to others that did not report */
    uint64_t nr_stalls;        /* reported */
    uint64_t nr_called;        /* callbacks */
    uint64_t nr_waits;         /* of rcu_call() */
    uint32_t max_calls;        /* most callbacks that a CPU had under way */
};

/* Read the counts, each by itself. */
void rcu_stats_get(struct rcu_stats *stats);

/*
 * Set after how long a grace period is reported that does not end.
 *
 * @ns  0 for the default
 */
void rcu_set_stall_time(uint64_t ns);

#endif /* KERN_RCU_H */
