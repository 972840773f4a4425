/* SPDX-License-Identifier: MIT */
/*
 * Checking of lock order, recursion and ownership, in debug builds.
 *
 * Each CPU remembers which spin locks it holds.  An acquire must have a
 * greater rank than all of them, a release must name one of them.  In release
 * builds a class is empty and the checks vanish.
 */
#ifndef KERN_LOCK_CHECK_H
#define KERN_LOCK_CHECK_H

#include <stdbool.h>
#include <stdint.h>

#include <kern/lock_rank.h>
#include <lib/macros.h>

#ifdef CONFIG_DEBUG

#define LOCK_CHECK_ENABLED true

struct lock_class {
    const char *name;
    enum lock_rank rank;
};

#define LOCK_CLASS_INITIALIZER(rank_, name_) { (name_), (rank_) }

/* Set rank and name of a lock. */
static inline void
lock_class_init(struct lock_class *class, enum lock_rank rank, const char *name)
{
    class->rank = rank;
    class->name = name;
}

/*
 * A lock is about to be waited for.  Panics when the order is violated.
 *
 * @lock  its address, the identity
 */
void lock_check_acquire(const struct lock_class *class, const void *lock);

/* A lock was taken without waiting: any order is allowed. */
void lock_check_try_acquired(const struct lock_class *class, const void *lock);

/* A lock is about to be released.  Panics when this CPU does not hold it. */
void lock_check_release(const struct lock_class *class, const void *lock);

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
 * Divert the next violation on this CPU to a flag instead of a panic.
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

#else

#define LOCK_CHECK_ENABLED false

struct lock_class {
};

#define LOCK_CLASS_INITIALIZER(rank_, name_)                                   \
    {                                                                          \
    }

#define lock_class_init(class, rank, name)   ((void)(rank), (void)(name))
#define lock_check_acquire(class, lock)      ((void)0)
#define lock_check_try_acquired(class, lock) ((void)0)
#define lock_check_release(class, lock)      ((void)0)
#define lock_check_expect()                  ((void)0)
#define lock_check_expected()                (false)

#endif /* CONFIG_DEBUG */

#endif /* KERN_LOCK_CHECK_H */
