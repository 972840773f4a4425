/* SPDX-License-Identifier: MIT */
/*
 * What locks and threads embed for lock_check.h; empty in release builds.
 */
#ifndef KERN_LOCK_CHECK_TYPES_H
#define KERN_LOCK_CHECK_TYPES_H

#include <stdbool.h>

#include <kern/lock_rank.h>

#ifdef CONFIG_DEBUG

/* Locks that a CPU, or a thread, holds at most. */
#define LOCK_CHECK_MAX 16

struct lock_class {
    const char *name;
    enum lock_rank rank;
};

#define LOCK_CLASS_INITIALIZER(rank_, name_) { (name_), (rank_) }

/* Locks that are held; see lock_check.c. */
struct lock_check_stack {
    unsigned nr_held;
    bool is_mixed; /* a lock of a rank not greater was tried, and taken */
    struct {
        const void *lock;
        const struct lock_class *class;
    } held[LOCK_CHECK_MAX];
};

#else

struct lock_class {
};

struct lock_check_stack {
};

#define LOCK_CLASS_INITIALIZER(rank_, name_)                                   \
    {                                                                          \
    }

#endif /* CONFIG_DEBUG */

#endif /* KERN_LOCK_CHECK_TYPES_H */
