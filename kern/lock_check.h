/* SPDX-License-Identifier: MIT */
/*
 * Checking of locks, in debug builds: order, recursion, ownership, context.
 *
 * Each CPU remembers which spin locks it holds, each thread which locks that
 * sleep.  An acquire must have a greater rank than all of them, a release must
 * name one of them.  How locks of a rank are used is remembered: a spin lock
 * that an interrupt handler waits for is never taken with interrupts enabled;
 * a lock that sleeps and is waited for inside of an RCU section is not held
 * around a wait for a grace period.
 *
 * In release builds a class is empty and the checks vanish.
 */
#ifndef KERN_LOCK_CHECK_H
#define KERN_LOCK_CHECK_H

#include <stdbool.h>
#include <stdint.h>

#include <kern/lock_check_types.h>
#include <lib/macros.h>

/* What a CPU does, of which the thread it runs may know nothing. */
enum lock_context {
    LOCK_CONTEXT_THREAD,
    LOCK_CONTEXT_INTERRUPT,
    LOCK_CONTEXT_NMI,
};

#ifdef CONFIG_DEBUG

#define LOCK_CHECK_ENABLED true

/* Set rank and name of a lock. */
static inline void
lock_class_init(struct lock_class *class, enum lock_rank rank, const char *name)
{
    class->rank = rank;
    class->name = name;
}

/*
 * A spin lock is about to be waited for.  Panics when the order is violated,
 * or when its uses do not go together.
 *
 * @lock  its address, the identity
 */
void lock_check_acquire(const struct lock_class *class, const void *lock);

/* A spin lock was taken without waiting: any order is allowed. */
void lock_check_try_acquired(const struct lock_class *class, const void *lock);

/* A spin lock is about to be released.  Panics when this CPU has it not. */
void lock_check_release(const struct lock_class *class, const void *lock);

/*
 * An interrupt or an NMI begins.
 *
 * Context: interrupts disabled
 * Returns: for lock_check_leave()
 */
enum lock_context lock_check_enter(enum lock_context context);

/* It ends. */
void lock_check_leave(enum lock_context old);

/*
 * A function begins that may sleep.  Panics where that is not allowed, also
 * if it need not sleep this time.
 *
 * @name  of what it waits for
 */
void lock_check_may_sleep(const char *name);

/*
 * A lock that sleeps is about to be waited for.  Panics when the order is
 * violated, when sleeping is not allowed, or when its uses do not go together.
 *
 * @stack      of the thread
 * @in_reader  inside of an RCU section
 */
void lock_check_sleep_acquire(struct lock_check_stack *stack,
                              const struct lock_class *class, const void *lock,
                              bool in_reader);

/* A lock that sleeps was taken, after waiting or without. */
void lock_check_sleep_acquired(struct lock_check_stack *stack,
                               const struct lock_class *class,
                               const void *lock);

/* It is about to be released.  Panics when this thread has it not. */
void lock_check_sleep_release(struct lock_check_stack *stack,
                              const struct lock_class *class, const void *lock);

/*
 * A function begins that may wait for a grace period.
 *
 * @stack  of the thread
 */
void lock_check_grace_period(const struct lock_check_stack *stack);

/* A thread ends.  Panics when it holds a lock. */
void lock_check_thread_end(const struct lock_check_stack *stack);

/* What a CPU holds, for the monitor; it may change at once. */
struct lock_check_info {
    const void *lock;
    const char *name;
    enum lock_rank rank;
};

/*
 * Describe the lock number @index of those that a CPU holds.
 *
 * Returns: false, it holds fewer
 */
bool lock_check_info_get(uint32_t cpu, unsigned index,
                         struct lock_check_info *info);

/*
 * Divert violations, of any CPU, to a flag instead of a panic.
 *
 * Callers: test
 */
void lock_check_expect(void);

/*
 * End lock_check_expect().
 *
 * Callers: test
 * Returns: whether a violation was found
 */
bool lock_check_expected(void);

/*
 * Forget how locks of a rank were used.
 *
 * Callers: test
 */
void lock_check_forget(enum lock_rank rank);

#else

#define LOCK_CHECK_ENABLED false

#define lock_class_init(class, rank, name)   ((void)(rank), (void)(name))
#define lock_check_acquire(class, lock)      ((void)0)
#define lock_check_try_acquired(class, lock) ((void)0)
#define lock_check_release(class, lock)      ((void)0)
#define lock_check_enter(context)            (context)
#define lock_check_leave(old)                ((void)(old))
#define lock_check_may_sleep(name)           ((void)0)
#define lock_check_sleep_acquire(stack, class, lock, in_reader)                \
    ((void)(in_reader))
#define lock_check_sleep_acquired(stack, class, lock) ((void)0)
#define lock_check_sleep_release(stack, class, lock)  ((void)0)
#define lock_check_grace_period(stack)                ((void)0)
#define lock_check_thread_end(stack)                  ((void)0)
#define lock_check_expect()                           ((void)0)
#define lock_check_expected()                         (false)
#define lock_check_forget(rank)                       ((void)0)

#endif /* CONFIG_DEBUG */

#endif /* KERN_LOCK_CHECK_H */
