/* SPDX-License-Identifier: MIT */
/*
 * Invariant: the stack of a CPU lists the spin locks that it holds, in the
 * order in which they were taken.  Their ranks rise, unless is_mixed is set.
 * Only the CPU itself touches it, with interrupts disabled.
 */
#include <stdbool.h>
#include <stddef.h>

#include <arch/cpu.h>
#include <kern/lock_check.h>
#include <kern/panic.h>
#include <kern/percpu.h>
#include <lib/macros.h>

#define LOCK_CHECK_MAX 16

struct lock_check_held {
    const void *lock;
    const struct lock_class *class;
};

struct lock_check {
    unsigned nr_held;
    bool is_mixed; /* a lock of a rank not greater was tried, and taken */
    bool expects;  /* a test wants the next violation */
    bool violated; /* and it came */
    struct lock_check_held held[LOCK_CHECK_MAX];
};

static PERCPU(struct lock_check, lock_check);

static __noinline void
lock_check_report(struct lock_check *check, const char *what,
                  const struct lock_class *class,
                  const struct lock_class *other)
{
    if (check->expects) {
        check->violated = true;
        return;
    }
    if (panic_is_active()) {
        return;
    }

    panic("lock order: %s %s (rank %u), %s (rank %u) is held", what,
          class->name, class->rank, other != NULL ? other->name : "nothing",
          other != NULL ? other->rank : 0);
}

/* Whether a lock is of greater rank than the one taken last. */
static bool
lock_check_rises(const struct lock_check *check, const struct lock_class *class)
{
    return check->nr_held == 0 ||
           check->held[check->nr_held - 1].class->rank < class->rank;
}

static void
lock_check_push(struct lock_check *check, const struct lock_class *class,
                const void *lock)
{
    if (check->nr_held == LOCK_CHECK_MAX) {
        lock_check_report(check, "too many locks with", class, NULL);
        return;
    }

    if (!lock_check_rises(check, class)) {
        check->is_mixed = true;
    }
    check->held[check->nr_held].lock = lock;
    check->held[check->nr_held].class = class;
    check->nr_held++;
}

/* Compare a lock with all that are held. */
static __noinline void
lock_check_order(struct lock_check *check, const struct lock_class *class,
                 const void *lock)
{
    unsigned i;

    for (i = 0; i < check->nr_held; i++) {
        if (check->held[i].lock == lock) {
            lock_check_report(check, "recursion on", class, class);
        } else if (check->held[i].class->rank >= class->rank) {
            lock_check_report(check, "taking", class, check->held[i].class);
        }
    }
}

void
lock_check_acquire(const struct lock_class *class, const void *lock)
{
    struct lock_check *check;
    uint64_t flags;

    flags = cpu_irq_save_unseen();
    check = percpu_this(lock_check);
    if (check->is_mixed || !lock_check_rises(check, class)) {
        lock_check_order(check, class, lock);
    }
    lock_check_push(check, class, lock);
    cpu_irq_restore_unseen(flags);
}

void
lock_check_try_acquired(const struct lock_class *class, const void *lock)
{
    uint64_t flags;

    flags = cpu_irq_save_unseen();
    lock_check_push(percpu_this(lock_check), class, lock);
    cpu_irq_restore_unseen(flags);
}

/* Take a lock out of the middle of the stack. */
static __noinline void
lock_check_pop(struct lock_check *check, const struct lock_class *class,
               const void *lock)
{
    unsigned i;

    for (i = check->nr_held; i > 0; i--) {
        if (check->held[i - 1].lock == lock) {
            break;
        }
    }
    if (i == 0) {
        lock_check_report(check, "releasing", class, NULL);
        return;
    }

    check->nr_held--;
    for (; i <= check->nr_held; i++) {
        check->held[i - 1] = check->held[i];
    }
    check->is_mixed = check->is_mixed && check->nr_held > 1;
}

void
lock_check_release(const struct lock_class *class, const void *lock)
{
    struct lock_check *check;
    uint64_t flags;

    flags = cpu_irq_save_unseen();
    check = percpu_this(lock_check);
    if (likely(check->nr_held > 0 && !check->is_mixed &&
               check->held[check->nr_held - 1].lock == lock)) {
        check->nr_held--;
    } else {
        lock_check_pop(check, class, lock);
    }
    cpu_irq_restore_unseen(flags);
}

bool
lock_check_info_get(uint32_t cpu, unsigned index, struct lock_check_info *info)
{
    const struct lock_class *class;
    const struct lock_check *check;

    check = percpu_ptr(lock_check, cpu);
    if (index >= READ_ONCE(check->nr_held)) {
        return false;
    }

    class = READ_ONCE(check->held[index].class);
    info->lock = READ_ONCE(check->held[index].lock);
    info->name = class->name;
    info->rank = class->rank;
    return true;
}

void
lock_check_expect(void)
{
    struct lock_check *check;

    check = percpu_this(lock_check);
    check->violated = false;
    check->expects = true;
}

bool
lock_check_expected(void)
{
    struct lock_check *check;

    check = percpu_this(lock_check);
    check->expects = false;
    return check->violated;
}
