/* SPDX-License-Identifier: MIT */
/*
 * Completions on a stack, signalled by interrupts, also while the wait ends by
 * its deadline; what is left of them is overwritten at once.
 */
#include <kern/clock.h>
#include <kern/completion.h>
#include <kern/timer.h>
#include <lib/string.h>
#include <test/test.h>

#include "torture.h"

struct completion_torture {
    struct completion completion;
    struct timer timer;
};

static void
completion_torture_signal(struct timer *timer)
{
    completion_signal(
        &container_of(timer, struct completion_torture, timer)->completion);
}

static void
completion_torture_round(struct torture_worker *worker)
{
    struct completion_torture once;
    uint64_t deadline;

    completion_init(&once.completion);
    timer_init(&once.timer, completion_torture_signal, "test");
    timer_start(&once.timer, clock_now() + rand_below(&worker->rand, 50000));
    torture_dawdle(worker);
    deadline = torture_deadline(worker);
    if (completion_wait_until(&once.completion, deadline) == OK) {
        TORTURE_EXPECT(worker, completion_is_done(&once.completion));
    } else {
        TORTURE_EXPECT(worker, deadline != CLOCK_NEVER);
        /* It happens, or will not. */
        if (timer_cancel(&once.timer)) {
            TORTURE_EXPECT(worker, !completion_is_done(&once.completion));
        } else {
            completion_wait(&once.completion);
        }
    }
    /* The function may run still, though it touches nothing any more. */
    timer_cancel(&once.timer);
    memset(&once, 0xa5, sizeof(once));
}

TEST(completion, torture_happens_once)
{
    struct torture *torture = torture_alloc(t, sizeof(*torture));

    torture->round = completion_torture_round;
    torture->rounds = 60;
    torture_run(t, torture);
}
