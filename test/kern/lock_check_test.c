/* SPDX-License-Identifier: MIT */
#include <arch/cpu.h>
#include <kern/all_cpus.h>
#include <kern/cpu.h>
#include <kern/lock_check.h>
#include <kern/mutex.h>
#include <kern/preempt.h>
#include <kern/rcu.h>
#include <kern/rtmutex.h>
#include <kern/rwlock.h>
#include <kern/sem.h>
#include <kern/spinlock.h>
#include <kern/thread.h>
#include <test/test.h>

static struct spinlock lock_check_outer =
    SPINLOCK_INITIALIZER(LOCK_TEST_OUTER, "test outer");
static struct spinlock lock_check_inner =
    SPINLOCK_INITIALIZER(LOCK_TEST_INNER, "test inner");

/* From here to lock_test_end() violations are noted, not fatal. */
static void
lock_test_begin(void)
{
    preempt_disable();
    lock_check_expect();
}

static bool
lock_test_end(void)
{
    bool violated;

    violated = lock_check_expected();
    preempt_enable();
    return violated;
}

#define SKIP_WITHOUT_CHECKS()                                                  \
    do {                                                                       \
        if (!LOCK_CHECK_ENABLED) {                                             \
            SKIP("only in debug builds");                                      \
        }                                                                      \
    } while (0)

TEST(lock_check, right_order_passes)
{
    SKIP_WITHOUT_CHECKS();
    lock_test_begin();
    spinlock_lock(&lock_check_outer);
    spinlock_lock(&lock_check_inner);
    spinlock_unlock(&lock_check_inner);
    spinlock_unlock(&lock_check_outer);
    EXPECT(!lock_test_end());
}

TEST(lock_check, release_in_any_order_passes)
{
    SKIP_WITHOUT_CHECKS();
    lock_test_begin();
    spinlock_lock(&lock_check_outer);
    spinlock_lock(&lock_check_inner);
    spinlock_unlock(&lock_check_outer);
    spinlock_unlock(&lock_check_inner);
    spinlock_lock(&lock_check_outer);
    spinlock_unlock(&lock_check_outer);
    EXPECT(!lock_test_end());
}

TEST(lock_check, wrong_order_is_found)
{
    SKIP_WITHOUT_CHECKS();
    lock_test_begin();
    spinlock_lock(&lock_check_inner);
    spinlock_lock(&lock_check_outer);
    spinlock_unlock(&lock_check_outer);
    spinlock_unlock(&lock_check_inner);
    EXPECT(lock_test_end());
}

TEST(lock_check, same_rank_is_found)
{
    struct spinlock other;

    SKIP_WITHOUT_CHECKS();
    spinlock_init(&other, LOCK_TEST_INNER, "test inner 2");
    lock_test_begin();
    spinlock_lock(&lock_check_inner);
    spinlock_lock(&other);
    spinlock_unlock(&other);
    spinlock_unlock(&lock_check_inner);
    EXPECT(lock_test_end());
}

/* Without the lock itself, which would wait for ever. */
TEST(lock_check, recursion_is_found)
{
    SKIP_WITHOUT_CHECKS();
    lock_test_begin();
    spinlock_lock(&lock_check_outer);
    lock_check_acquire(&lock_check_outer.class, &lock_check_outer);
    lock_check_release(&lock_check_outer.class, &lock_check_outer);
    spinlock_unlock(&lock_check_outer);
    EXPECT(lock_test_end());
}

TEST(lock_check, release_of_lock_not_held_is_found)
{
    SKIP_WITHOUT_CHECKS();
    lock_test_begin();
    lock_check_release(&lock_check_outer.class, &lock_check_outer);
    EXPECT(lock_test_end());
}

/* A lock that another CPU holds is not ours to release. */
static void
lock_check_release_foreign(void *arg)
{
    if (cpu_id() == 1) {
        lock_test_begin();
        lock_check_release(&lock_check_outer.class, &lock_check_outer);
        *(bool *)arg = lock_test_end();
    }
}

TEST(lock_check, foreign_release_is_found)
{
    bool found;

    SKIP_WITHOUT_CHECKS();
    if (cpu_nr_possible < 2 || !cpu_is_online(1)) {
        SKIP("one CPU");
    }

    found = false;
    all_cpus_run(lock_check_release_foreign, &found);
    EXPECT(found);
}

TEST(lock_check, try_lock_may_be_of_any_order)
{
    SKIP_WITHOUT_CHECKS();
    lock_test_begin();
    spinlock_lock(&lock_check_inner);
    EXPECT(spinlock_try_lock(&lock_check_outer));
    spinlock_unlock(&lock_check_outer);
    spinlock_unlock(&lock_check_inner);
    EXPECT(!lock_test_end());
}

TEST(lock_check, lock_under_wrong_try_lock_is_found)
{
    struct spinlock other;

    SKIP_WITHOUT_CHECKS();
    spinlock_init(&other, LOCK_TEST_OUTER, "test outer 2");
    lock_test_begin();
    EXPECT(spinlock_try_lock(&lock_check_inner));
    spinlock_lock(&other);
    spinlock_unlock(&other);
    spinlock_unlock(&lock_check_inner);
    EXPECT(lock_test_end());
}

/* ---------------------------------------------------------------- context */

static struct spinlock lock_check_mixed =
    SPINLOCK_INITIALIZER(LOCK_TEST_INTERRUPT, "test mixed");

/* Take and release a lock as an interrupt handler does. */
static void
lock_test_in_interrupt(struct spinlock *lock)
{
    enum lock_context old;
    uint64_t flags;

    flags = cpu_irq_save();
    old = lock_check_enter(LOCK_CONTEXT_INTERRUPT);
    spinlock_lock(lock);
    spinlock_unlock(lock);
    lock_check_leave(old);
    cpu_irq_restore(flags);
}

static void
lock_test_with_interrupts(struct spinlock *lock)
{
    spinlock_lock(lock);
    spinlock_unlock(lock);
}

/* What others found out about the rank, and what a test made up. */
static void
lock_test_forget(void *arg __unused)
{
    lock_check_forget(LOCK_TEST_INTERRUPT);
    lock_check_forget(LOCK_TEST_SLEEP_OUTER);
}

static void
lock_test_begin_uses(struct test *t)
{
    lock_test_forget(NULL);
    test_cleanup(t, lock_test_forget, NULL);
    lock_test_begin();
}

TEST(lock_check, interrupts_disabled_by_all_passes)
{
    uint64_t flags;

    SKIP_WITHOUT_CHECKS();
    lock_test_begin_uses(t);
    lock_test_in_interrupt(&lock_check_mixed);
    flags = spinlock_lock_irqsave(&lock_check_mixed);
    spinlock_unlock_irqrestore(&lock_check_mixed, flags);
    EXPECT(!lock_test_end());
}

TEST(lock_check, interrupts_enabled_after_handler_is_found)
{
    SKIP_WITHOUT_CHECKS();
    lock_test_begin_uses(t);
    lock_test_in_interrupt(&lock_check_mixed);
    lock_test_with_interrupts(&lock_check_mixed);
    EXPECT(lock_test_end());
}

TEST(lock_check, handler_after_interrupts_enabled_is_found)
{
    SKIP_WITHOUT_CHECKS();
    lock_test_begin_uses(t);
    lock_test_with_interrupts(&lock_check_mixed);
    lock_test_in_interrupt(&lock_check_mixed);
    EXPECT(lock_test_end());
}

/* A handler that only tries never waits. */
TEST(lock_check, handler_that_tries_passes)
{
    enum lock_context old;
    uint64_t flags;

    SKIP_WITHOUT_CHECKS();
    lock_test_begin_uses(t);
    lock_test_with_interrupts(&lock_check_mixed);
    flags = cpu_irq_save();
    old = lock_check_enter(LOCK_CONTEXT_INTERRUPT);
    EXPECT(spinlock_try_lock(&lock_check_mixed));
    spinlock_unlock(&lock_check_mixed);
    lock_check_leave(old);
    cpu_irq_restore(flags);
    EXPECT(!lock_test_end());
}

/* Taken with interrupts disabled, and enabled too early. */
TEST(lock_check, interrupt_under_the_lock_is_found)
{
    enum lock_context old;
    uint64_t flags;

    SKIP_WITHOUT_CHECKS();
    lock_test_begin_uses(t);
    lock_test_in_interrupt(&lock_check_mixed);
    flags = spinlock_lock_irqsave(&lock_check_mixed);
    old = lock_check_enter(LOCK_CONTEXT_INTERRUPT);
    lock_check_leave(old);
    spinlock_unlock_irqrestore(&lock_check_mixed, flags);
    EXPECT(lock_test_end());
}

TEST(lock_check, lock_in_nmi_is_found)
{
    enum lock_context old;
    uint64_t flags;

    SKIP_WITHOUT_CHECKS();
    lock_test_begin_uses(t);
    flags = cpu_irq_save();
    old = lock_check_enter(LOCK_CONTEXT_NMI);
    spinlock_lock(&lock_check_mixed);
    spinlock_unlock(&lock_check_mixed);
    lock_check_leave(old);
    cpu_irq_restore(flags);
    EXPECT(lock_test_end());
}

/* ------------------------------------------------------- locks that sleep */

/* The same for locks that sleep, which need preemption. */
static void
lock_test_begin_sleeping(struct test *t, struct mutex *outer,
                         struct mutex *inner)
{
    mutex_init(outer, LOCK_TEST_SLEEP_OUTER, "test outer");
    mutex_init(inner, LOCK_TEST_UNORDERED, "test inner");
    lock_test_forget(NULL);
    test_cleanup(t, lock_test_forget, NULL);
    lock_check_expect();
}

TEST(lock_check, right_order_of_mutexes_passes)
{
    struct mutex outer, inner;

    SKIP_WITHOUT_CHECKS();
    lock_test_begin_sleeping(t, &outer, &inner);
    mutex_lock(&outer);
    mutex_lock(&inner);
    spinlock_lock(&lock_check_inner);
    spinlock_unlock(&lock_check_inner);
    mutex_unlock(&outer);
    mutex_unlock(&inner);
    EXPECT(!lock_check_expected());
}

TEST(lock_check, wrong_order_of_mutexes_is_found)
{
    struct mutex outer, inner;

    SKIP_WITHOUT_CHECKS();
    lock_test_begin_sleeping(t, &outer, &inner);
    mutex_lock(&inner);
    mutex_lock(&outer);
    mutex_unlock(&outer);
    mutex_unlock(&inner);
    EXPECT(lock_check_expected());
}

TEST(lock_check, wrong_order_with_rtmutex_is_found)
{
    struct mutex outer, inner;
    struct rtmutex rtmutex;

    SKIP_WITHOUT_CHECKS();
    lock_test_begin_sleeping(t, &outer, &inner);
    rtmutex_init(&rtmutex, LOCK_TEST_UNORDERED, "test");
    rtmutex_lock(&rtmutex);
    mutex_lock(&outer);
    mutex_unlock(&outer);
    rtmutex_unlock(&rtmutex);
    EXPECT(lock_check_expected());
}

TEST(lock_check, wrong_order_with_rwlock_is_found)
{
    struct mutex outer, inner;
    struct rwlock rwlock;

    SKIP_WITHOUT_CHECKS();
    lock_test_begin_sleeping(t, &outer, &inner);
    rwlock_init(&rwlock, LOCK_TEST_UNORDERED, "test");
    rwlock_read_lock(&rwlock);
    mutex_lock(&outer);
    mutex_unlock(&outer);
    rwlock_read_unlock(&rwlock);
    EXPECT(lock_check_expected());
}

/* A writer between the two would wait for the first, and the second for it. */
TEST(lock_check, reader_who_comes_twice_is_found)
{
    struct rwlock rwlock;

    SKIP_WITHOUT_CHECKS();
    rwlock_init(&rwlock, LOCK_TEST_UNORDERED, "test");
    lock_check_expect();
    rwlock_read_lock(&rwlock);
    rwlock_read_lock(&rwlock);
    rwlock_read_unlock(&rwlock);
    rwlock_read_unlock(&rwlock);
    EXPECT(lock_check_expected());
}

/* Free or not: it is found without anybody who holds the mutex. */
TEST(lock_check, mutex_without_preemption_is_found)
{
    struct mutex outer, inner;

    SKIP_WITHOUT_CHECKS();
    lock_test_begin_sleeping(t, &outer, &inner);
    preempt_disable();
    mutex_lock(&outer);
    mutex_unlock(&outer);
    preempt_enable();
    EXPECT(lock_check_expected());
}

TEST(lock_check, mutex_under_a_spin_lock_is_found)
{
    struct mutex outer, inner;

    SKIP_WITHOUT_CHECKS();
    lock_test_begin_sleeping(t, &outer, &inner);
    spinlock_lock(&lock_check_inner);
    mutex_lock(&outer);
    mutex_unlock(&outer);
    spinlock_unlock(&lock_check_inner);
    EXPECT(lock_check_expected());
}

TEST(lock_check, mutex_without_interrupts_is_found)
{
    struct mutex outer, inner;
    uint64_t flags;

    SKIP_WITHOUT_CHECKS();
    lock_test_begin_sleeping(t, &outer, &inner);
    flags = cpu_irq_save();
    mutex_lock(&outer);
    mutex_unlock(&outer);
    cpu_irq_restore(flags);
    EXPECT(lock_check_expected());
}

TEST(lock_check, semaphore_without_preemption_is_found)
{
    struct sem sem;

    SKIP_WITHOUT_CHECKS();
    sem_init(&sem, 1);
    lock_test_begin();
    sem_take(&sem);
    EXPECT(lock_test_end());
}

TEST(lock_check, mutex_in_a_section_passes)
{
    struct mutex outer, inner;

    SKIP_WITHOUT_CHECKS();
    lock_test_begin_sleeping(t, &outer, &inner);
    rcu_read_lock();
    mutex_lock(&outer);
    mutex_unlock(&outer);
    rcu_read_unlock();
    EXPECT(!lock_check_expected());
}

/* A reader waits for the mutex, its owner for the reader. */
TEST(lock_check, grace_period_under_a_readers_mutex_is_found)
{
    struct mutex outer, inner;

    SKIP_WITHOUT_CHECKS();
    lock_test_begin_sleeping(t, &outer, &inner);
    rcu_read_lock();
    mutex_lock(&outer);
    mutex_unlock(&outer);
    rcu_read_unlock();
    mutex_lock(&outer);
    rcu_synchronize();
    mutex_unlock(&outer);
    EXPECT(lock_check_expected());
}

TEST(lock_check, reader_of_a_mutex_held_for_a_grace_period_is_found)
{
    struct mutex outer, inner;

    SKIP_WITHOUT_CHECKS();
    lock_test_begin_sleeping(t, &outer, &inner);
    mutex_lock(&outer);
    rcu_synchronize();
    mutex_unlock(&outer);
    rcu_read_lock();
    mutex_lock(&outer);
    mutex_unlock(&outer);
    rcu_read_unlock();
    EXPECT(lock_check_expected());
}

TEST(lock_check, thread_that_ends_with_a_mutex_is_found)
{
    struct mutex outer, inner;

    SKIP_WITHOUT_CHECKS();
    lock_test_begin_sleeping(t, &outer, &inner);
    mutex_lock(&outer);
    lock_check_thread_end(&thread_self()->locks);
    mutex_unlock(&outer);
    EXPECT(lock_check_expected());
}
