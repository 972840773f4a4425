/* SPDX-License-Identifier: MIT */
#include <arch/cpu.h>
#include <kern/all_cpus.h>
#include <kern/cpu.h>
#include <kern/lock_check.h>
#include <kern/preempt.h>
#include <kern/spinlock.h>
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
