/* SPDX-License-Identifier: MIT */
#include <stdatomic.h>

#include <kern/all_cpus.h>
#include <kern/clock.h>
#include <kern/completion.h>
#include <kern/cpu.h>
#include <kern/thread.h>
#include <lib/string.h>
#include <test/test.h>

TEST(completion, deadline_ends_the_wait)
{
    struct completion completion;

    completion_init(&completion);
    EXPECT(!completion_is_done(&completion));
    EXPECT_EQ(completion_wait_until(&completion, clock_now() + 500000),
              ERR_TIMEOUT);
    completion_signal(&completion);
    EXPECT(completion_is_done(&completion));
    completion_wait(&completion);
    completion_wait(&completion);
}

static void
signal_it(void *arg)
{
    completion_signal(arg);
}

/* The completion is on a stack that is used again at once. */
static void
wait_on_own_stack(struct test *t)
{
    struct completion completion;
    struct thread *thread;

    completion_init(&completion);
    thread = thread_create("signals", signal_it, &completion, NULL);
    ASSERT(thread != NULL);
    completion_wait(&completion);
    memset(&completion, 0xa5, sizeof(completion));
    thread_join(thread);
}

TEST(completion, may_be_on_the_stack)
{
    uint64_t i;

    for (i = 0; i < 100 * t->iterations; i++) {
        wait_on_own_stack(t);
    }
}

static void
wait_for_it(void *arg)
{
    completion_wait(arg);
}

TEST(completion, wakes_all)
{
    struct completion completion;
    struct thread *threads[6];
    unsigned i;

    completion_init(&completion);
    for (i = 0; i < ARRAY_SIZE(threads); i++) {
        threads[i] = thread_create("waits", wait_for_it, &completion, NULL);
        ASSERT(threads[i] != NULL);
    }
    thread_sleep(300000);
    completion_signal(&completion);
    for (i = 0; i < ARRAY_SIZE(threads); i++) {
        thread_join(threads[i]);
    }
}
