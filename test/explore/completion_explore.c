/* SPDX-License-Identifier: MIT */
#include <stdatomic.h>

#include <kern/clock.h>
#include <kern/completion.h>
#include <lib/macros.h>
#include <test/explore/threads.h>

static struct completion completion_tested;
static unsigned completion_data;
static atomic_uint completion_seen;

static void
completion_send(void *arg)
{
    completion_data = 5;
    completion_signal(arg);
}

static void
completion_ask(void)
{
    struct completion completion;
    struct thread *thread;

    completion_data = 0;
    completion_init(&completion);
    thread = threads_create_on(1, completion_send, &completion);
    thread_detach(thread);
    completion_wait(&completion);
    explore_expect(completion_data == 5);
}

static void
completion_main_asks_twice(void *arg __unused)
{
    completion_ask();
    /* The stack is left and used again while the first may still signal. */
    completion_ask();
}

/* After the wait nobody touches a completion: it may be on the stack. */
EXPLORE(completion, on_stack)
{
    threads_setup(2);
    explore_init_op("thread_reaper_setup");
    threads_go(2, completion_main_asks_twice, NULL);
}

static void
completion_wait_and_look(void *arg __unused)
{
    completion_wait(&completion_tested);
    explore_expect(completion_data == 5);
    completion_seen++;
}

static void
completion_wait_until_and_look(void *arg __unused)
{
    if (completion_wait_until(&completion_tested,
                              clock_now() + explore_random(400)) == OK) {
        explore_expect(completion_data == 5);
        completion_seen++;
    }
}

/* Two threads wait, one of them as @fn says; then it happens. */
static void
completion_main(void *fn)
{
    struct thread *threads[3];

    completion_init(&completion_tested);
    threads[0] = threads_create_on(0, completion_wait_and_look, NULL);
    threads[1] = threads_create_on(1, (thread_fn_t)fn, NULL);
    threads[2] = threads_create_on(1, completion_wait_and_look, NULL);
    threads_sleep_below(1000);
    completion_send(&completion_tested);
    thread_join(threads[0]);
    thread_join(threads[1]);
    thread_join(threads[2]);
    explore_expect(completion_is_done(&completion_tested));
}

/* All who wait, before or after, go on and see what was done. */
EXPLORE(completion, wakes_all)
{
    threads_run(2, completion_main, (void *)completion_wait_and_look);
    explore_expect(completion_seen == 3);
}

/* Who gives up keeps no other from being woken. */
EXPLORE(completion, deadline)
{
    threads_run(2, completion_main, (void *)completion_wait_until_and_look);
    explore_expect(completion_seen >= 2);
}
