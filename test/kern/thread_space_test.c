/* SPDX-License-Identifier: MIT */
/*
 * When the tables of a space are loaded, with spaces that are but names.
 */
#include <stdatomic.h>

#include <arch/cpu.h>
#include <kern/cpu.h>
#include <kern/percpu.h>
#include <kern/preempt.h>
#include <kern/thread.h>
#include <kern/thread_space.h>
#include <kern/xcall.h>
#include <lib/assert.h>
#include <test/test.h>

#define SPACE_TEST_ROUNDS   50
#define SPACE_TEST_PRIORITY 20

/* Never accessed. */
#define SPACE_A ((struct vm_space *)0x1000)
#define SPACE_B ((struct vm_space *)0x2000)

/* Per CPU: what the hook was called for last, and how often. */
static PERCPU(struct vm_space *, space_test_loaded);
static PERCPU(uint32_t, space_test_calls);
static atomic_uint space_test_faults;

static void
space_test_load(struct vm_space *space)
{
    if (cpu_irq_is_enabled()) {
        atomic_fetch_add(&space_test_faults, 1);
    }
    percpu_write(space_test_loaded, space);
    percpu_add(space_test_calls, 1);
}

static void
space_test_leave(void *arg __unused)
{
    thread_space_leave(SPACE_A);
    thread_space_leave(SPACE_B);
}

static void
space_test_end(void *arg)
{
    xcall_all(space_test_leave, NULL);
    thread_space_register((thread_space_fn_t)arg);
}

static void
space_test_begin(struct test *t)
{
    uint32_t cpu;

    test_cleanup(t, space_test_end,
                 (void *)thread_space_register(space_test_load));
    atomic_store(&space_test_faults, 0);
    cpu_for_each (cpu) {
        *percpu_ptr(space_test_loaded, cpu) = NULL;
        *percpu_ptr(space_test_calls, cpu) = 0;
    }
}

/* What this thread's CPU has loaded, and how often something was. */
static bool
space_test_has(struct vm_space *space)
{
    uint64_t flags = cpu_irq_save();
    bool has = percpu_read(space_test_loaded) == space;

    cpu_irq_restore(flags);
    return has;
}

static void
space_test_yield(void *arg __unused)
{
    struct vm_space *space = thread_self()->space;

    for (unsigned int i = 0; i < SPACE_TEST_ROUNDS; i++) {
        if (space != NULL && !space_test_has(space)) {
            atomic_fetch_add(&space_test_faults, 1);
        }
        thread_yield();
    }
}

static struct thread *
space_test_thread(struct vm_space *space, bool pinned)
{
    struct thread_attr attr = {
        .policy = THREAD_FIFO,
        .priority = SPACE_TEST_PRIORITY,
        .pinned = pinned,
        .space = space,
    };

    return thread_create("space test", space_test_yield, NULL, &attr);
}

/* Begin both before one of them runs. */
static void
space_test_boss(void *arg)
{
    struct vm_space **spaces = arg;
    struct thread *threads[2];

    for (unsigned int i = 0; i < 2; i++) {
        threads[i] = space_test_thread(spaces[i], true);
        verify(threads[i] != NULL);
    }
    for (unsigned int i = 0; i < 2; i++) {
        thread_join(threads[i]);
    }
}

/*
 * Have two threads take turns on CPU 0.
 *
 * Returns: how often the hook ran there, from the beginning of the test
 */
static uint32_t
space_test_pair(struct vm_space *a, struct vm_space *b)
{
    struct thread_attr attr = {
        .policy = THREAD_FIFO,
        .priority = SPACE_TEST_PRIORITY + 1,
        .pinned = true,
    };
    struct vm_space *spaces[2] = { a, b };
    struct thread *boss;

    boss = thread_create("space boss", space_test_boss, spaces, &attr);
    verify(boss != NULL);
    thread_join(boss);
    return *percpu_ptr(space_test_calls, 0);
}

TEST(thread_space, threads_run_with_their_own)
{
    space_test_begin(t);
    EXPECT(space_test_pair(SPACE_A, SPACE_B) >= SPACE_TEST_ROUNDS);
    EXPECT_EQ(atomic_load(&space_test_faults), 0);
}

/* Threads of one space, and of none, cost nothing. */
TEST(thread_space, loads_only_what_differs)
{
    space_test_begin(t);
    EXPECT_EQ(space_test_pair(SPACE_A, SPACE_A), 1);
    EXPECT_EQ(space_test_pair(SPACE_A, NULL), 1);
    EXPECT_EQ(space_test_pair(NULL, NULL), 1);
    EXPECT_EQ(atomic_load(&space_test_faults), 0);
}

/* They move between CPUs as they like. */
TEST(thread_space, goes_where_the_thread_goes)
{
    struct thread *threads[8];

    space_test_begin(t);
    for (unsigned int i = 0; i < ARRAY_SIZE(threads); i++) {
        threads[i] = space_test_thread(i % 2 == 0 ? SPACE_A : SPACE_B, false);
        ASSERT(threads[i] != NULL);
    }
    for (unsigned int i = 0; i < ARRAY_SIZE(threads); i++) {
        thread_join(threads[i]);
    }
    EXPECT_EQ(atomic_load(&space_test_faults), 0);
}

TEST(thread_space, is_used_and_left)
{
    uint64_t flags;

    space_test_begin(t);
    preempt_disable();
    thread_space_use(SPACE_A);
    EXPECT(space_test_has(SPACE_A));
    EXPECT_EQ(percpu_read(space_test_calls), 1);
    thread_space_use(SPACE_A);
    EXPECT_EQ(percpu_read(space_test_calls), 1);
    thread_space_use(SPACE_B);
    EXPECT(space_test_has(SPACE_B));
    thread_space_use(NULL);
    EXPECT(space_test_has(SPACE_B));

    flags = cpu_irq_save();
    thread_space_leave(SPACE_A);
    EXPECT(space_test_has(SPACE_B));
    thread_space_leave(SPACE_B);
    EXPECT(space_test_has(NULL));
    cpu_irq_restore(flags);
    EXPECT_EQ(percpu_read(space_test_calls), 3);
    preempt_enable();
    EXPECT_EQ(atomic_load(&space_test_faults), 0);
}
