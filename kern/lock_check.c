/* SPDX-License-Identifier: MIT */
/*
 * Invariant: a stack lists locks that are held, in the order in which they
 * were taken: that of a CPU the spin locks, touched by the CPU itself with
 * interrupts disabled, that of a thread the locks that sleep, touched by the
 * thread itself.  Their ranks rise, unless is_mixed is set.
 *
 * How locks of a rank are used is collected since boot.  Two uses that
 * together can deadlock are reported when the second is first seen, whether
 * or not they ever meet.
 */
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include <arch/cpu.h>
#include <kern/lock_check.h>
#include <kern/panic.h>
#include <kern/percpu.h>
#include <kern/preempt.h>
#include <lib/macros.h>

/* What can be wrong with two uses. */
enum lock_use {
    LOCK_USE_INTERRUPT, /* waited for in interrupt handlers */
    LOCK_USE_ENABLED,   /* taken while interrupts are enabled */
    LOCK_USE_READER,    /* waited for inside of RCU sections */
    LOCK_USE_GRACE,     /* held by who waits for a grace period */
    LOCK_NR_USES
};

static const struct {
    const char *text;
    enum lock_use other; /* that it cannot go with */
} lock_uses[LOCK_NR_USES] = {
    [LOCK_USE_INTERRUPT] = { "in an interrupt", LOCK_USE_ENABLED },
    [LOCK_USE_ENABLED] = { "with interrupts enabled", LOCK_USE_INTERRUPT },
    [LOCK_USE_READER] = { "inside of an RCU section", LOCK_USE_GRACE },
    [LOCK_USE_GRACE] = { "around a wait for a grace period", LOCK_USE_READER },
};

/* Where locks of a rank were first used so; 0: not yet. */
static _Atomic uintptr_t lock_check_places[LOCK_NR_RANKS][LOCK_NR_USES];

static PERCPU(struct lock_check_stack, lock_check_spinning);
static PERCPU(enum lock_context, lock_check_context);

/* A test wants the next violation, and it came; tests run one by one. */
static atomic_bool lock_check_expects, lock_check_violated;

/* --------------------------------------------------------------- reports */

/* Whether a violation is to be reported, and not what a test expects. */
static bool
lock_check_is_serious(void)
{
    if (atomic_load_explicit(&lock_check_expects, memory_order_relaxed)) {
        atomic_store_explicit(&lock_check_violated, true, memory_order_relaxed);
        return false;
    }
    return !panic_is_active();
}

static __noinline void
lock_check_report(const char *what, const struct lock_class *class,
                  const struct lock_class *other)
{
    if (lock_check_is_serious()) {
        panic("lock order: %s %s (rank %u), %s (rank %u) is held", what,
              class->name, class->rank, other != NULL ? other->name : "nothing",
              other != NULL ? other->rank : 0);
    }
}

static __noinline void
lock_check_report_context(const char *name, const char *where)
{
    if (lock_check_is_serious()) {
        panic("lock context: %s %s", name, where);
    }
}

static __noinline void
lock_check_report_uses(const struct lock_class *class, enum lock_use use,
                       uintptr_t place)
{
    enum lock_use other = lock_uses[use].other;

    if (lock_check_is_serious()) {
        panic(
            "lock context: %s (rank %u) is taken %s at %pS, and %s at %pS",
            class->name, class->rank, lock_uses[use].text, (void *)place,
            lock_uses[other].text,
            (void *)atomic_load_explicit(&lock_check_places[class->rank][other],
                                         memory_order_relaxed));
    }
}

/* ------------------------------------------------------------------ uses */

static void
lock_check_use(const struct lock_class *class, enum lock_use use,
               uintptr_t place)
{
    _Atomic uintptr_t *places = lock_check_places[class->rank];

    if (class->rank == LOCK_TEST_UNORDERED) {
        return;
    }
    if (likely(atomic_load_explicit(&places[use], memory_order_relaxed) != 0)) {
        return;
    }
    /* Sequentially consistent: of two CPUs one sees the other's use. */
    atomic_store_explicit(&places[use], place, memory_order_seq_cst);
    if (atomic_load_explicit(&places[lock_uses[use].other],
                             memory_order_seq_cst) != 0) {
        lock_check_report_uses(class, use, place);
    }
}

/* A spin lock is taken; @waits: it may have to be waited for. */
static void
lock_check_use_spinning(const struct lock_class *class, uint64_t flags,
                        bool waits, uintptr_t place)
{
    enum lock_context context = percpu_read(lock_check_context);

    if (context == LOCK_CONTEXT_NMI && waits) {
        lock_check_report_context(class->name, "is taken in an NMI");
    } else if (context == LOCK_CONTEXT_INTERRUPT && waits) {
        lock_check_use(class, LOCK_USE_INTERRUPT, place);
    } else if (flags & CPU_FLAGS_IF) {
        lock_check_use(class, LOCK_USE_ENABLED, place);
    }
}

/* ---------------------------------------------------------------- stacks */

/* Whether a lock may be taken while the one taken last is held. */
static bool
lock_check_rises(const struct lock_check_stack *stack,
                 const struct lock_class *class)
{
    return stack->nr_held == 0 ||
           stack->held[stack->nr_held - 1].class->rank < class->rank;
}

static void
lock_check_push(struct lock_check_stack *stack, const struct lock_class *class,
                const void *lock)
{
    if (stack->nr_held == LOCK_CHECK_MAX) {
        lock_check_report("too many locks with", class, NULL);
        return;
    }

    if (!lock_check_rises(stack, class)) {
        stack->is_mixed = true;
    }
    stack->held[stack->nr_held].lock = lock;
    stack->held[stack->nr_held].class = class;
    stack->nr_held++;
}

/* Compare a lock with all that are held. */
static __noinline void
lock_check_compare(const struct lock_check_stack *stack,
                   const struct lock_class *class, const void *lock)
{
    const struct lock_class *other;
    unsigned i;

    for (i = 0; i < stack->nr_held; i++) {
        other = stack->held[i].class;
        if (stack->held[i].lock == lock) {
            lock_check_report("recursion on", class, class);
        } else if (other->rank > class->rank ||
                   (other->rank == class->rank &&
                    class->rank != LOCK_TEST_UNORDERED)) {
            lock_check_report("taking", class, other);
        }
    }
}

static void
lock_check_order(const struct lock_check_stack *stack,
                 const struct lock_class *class, const void *lock)
{
    if (stack->is_mixed || !lock_check_rises(stack, class)) {
        lock_check_compare(stack, class, lock);
    }
}

/* Take a lock out of the middle of a stack. */
static __noinline void
lock_check_remove(struct lock_check_stack *stack,
                  const struct lock_class *class, const void *lock)
{
    unsigned i;

    for (i = stack->nr_held; i > 0; i--) {
        if (stack->held[i - 1].lock == lock) {
            break;
        }
    }
    if (i == 0) {
        lock_check_report("releasing", class, NULL);
        return;
    }

    stack->nr_held--;
    for (; i <= stack->nr_held; i++) {
        stack->held[i - 1] = stack->held[i];
    }
    stack->is_mixed = stack->is_mixed && stack->nr_held > 1;
}

static void
lock_check_pop(struct lock_check_stack *stack, const struct lock_class *class,
               const void *lock)
{
    if (likely(stack->nr_held > 0 && !stack->is_mixed &&
               stack->held[stack->nr_held - 1].lock == lock)) {
        stack->nr_held--;
    } else {
        lock_check_remove(stack, class, lock);
    }
}

/* ------------------------------------------------------------ spin locks */

void
lock_check_acquire(const struct lock_class *class, const void *lock)
{
    struct lock_check_stack *stack;
    uint64_t flags;

    flags = cpu_irq_save_unseen();
    stack = percpu_this(lock_check_spinning);
    lock_check_use_spinning(class, flags, true,
                            (uintptr_t)__builtin_return_address(0));
    lock_check_order(stack, class, lock);
    lock_check_push(stack, class, lock);
    cpu_irq_restore_unseen(flags);
}

void
lock_check_try_acquired(const struct lock_class *class, const void *lock)
{
    uint64_t flags;

    flags = cpu_irq_save_unseen();
    lock_check_use_spinning(class, flags, false,
                            (uintptr_t)__builtin_return_address(0));
    lock_check_push(percpu_this(lock_check_spinning), class, lock);
    cpu_irq_restore_unseen(flags);
}

void
lock_check_release(const struct lock_class *class, const void *lock)
{
    uint64_t flags;

    flags = cpu_irq_save_unseen();
    lock_check_pop(percpu_this(lock_check_spinning), class, lock);
    cpu_irq_restore_unseen(flags);
}

enum lock_context
lock_check_enter(enum lock_context context)
{
    const struct lock_check_stack *stack = percpu_this(lock_check_spinning);
    enum lock_context old = percpu_read(lock_check_context);
    const struct lock_class *class;
    unsigned i;

    percpu_write(lock_check_context, context);
    for (i = 0; context == LOCK_CONTEXT_INTERRUPT && i < stack->nr_held; i++) {
        class = stack->held[i].class;
        if (atomic_load_explicit(
                &lock_check_places[class->rank][LOCK_USE_INTERRUPT],
                memory_order_relaxed) != 0) {
            lock_check_report_context(class->name,
                                      "is held, and an interrupt came");
        }
    }
    return old;
}

void
lock_check_leave(enum lock_context old)
{
    percpu_write(lock_check_context, old);
}

/* ----------------------------------------------------- locks that sleep */

void
lock_check_may_sleep(const char *name)
{
    if (percpu_read(lock_check_context) != LOCK_CONTEXT_THREAD) {
        lock_check_report_context(name, "may sleep, in an interrupt");
    } else if (!cpu_irq_is_enabled()) {
        lock_check_report_context(name, "may sleep, interrupts are disabled");
    } else if (!preempt_is_enabled()) {
        lock_check_report_context(name, "may sleep, preemption is disabled");
    }
}

void
lock_check_sleep_acquire(struct lock_check_stack *stack,
                         const struct lock_class *class, const void *lock,
                         bool in_reader)
{
    lock_check_may_sleep(class->name);
    if (in_reader) {
        lock_check_use(class, LOCK_USE_READER,
                       (uintptr_t)__builtin_return_address(0));
    }
    lock_check_order(stack, class, lock);
}

void
lock_check_sleep_acquired(struct lock_check_stack *stack,
                          const struct lock_class *class, const void *lock)
{
    lock_check_push(stack, class, lock);
}

void
lock_check_sleep_release(struct lock_check_stack *stack,
                         const struct lock_class *class, const void *lock)
{
    lock_check_pop(stack, class, lock);
}

void
lock_check_grace_period(const struct lock_check_stack *stack)
{
    unsigned i;

    lock_check_may_sleep("grace period");
    for (i = 0; i < stack->nr_held; i++) {
        lock_check_use(stack->held[i].class, LOCK_USE_GRACE,
                       (uintptr_t)__builtin_return_address(0));
    }
}

void
lock_check_thread_end(const struct lock_check_stack *stack)
{
    if (stack->nr_held != 0) {
        lock_check_report_context(stack->held[0].class->name,
                                  "is held by a thread that ends");
    }
}

/* --------------------------------------------------------------- reports */

bool
lock_check_info_get(uint32_t cpu, unsigned index, struct lock_check_info *info)
{
    const struct lock_check_stack *stack;
    const struct lock_class *class;

    stack = percpu_ptr(lock_check_spinning, cpu);
    if (index >= READ_ONCE(stack->nr_held)) {
        return false;
    }

    class = READ_ONCE(stack->held[index].class);
    info->lock = READ_ONCE(stack->held[index].lock);
    info->name = class->name;
    info->rank = class->rank;
    return true;
}

/* ----------------------------------------------------------------- tests */

void
lock_check_expect(void)
{
    atomic_store_explicit(&lock_check_violated, false, memory_order_relaxed);
    atomic_store_explicit(&lock_check_expects, true, memory_order_relaxed);
}

bool
lock_check_expected(void)
{
    atomic_store_explicit(&lock_check_expects, false, memory_order_relaxed);
    return atomic_load_explicit(&lock_check_violated, memory_order_relaxed);
}

void
lock_check_forget(enum lock_rank rank)
{
    for (unsigned i = 0; i < LOCK_NR_USES; i++) {
        atomic_store_explicit(&lock_check_places[rank][i], 0,
                              memory_order_relaxed);
    }
}
