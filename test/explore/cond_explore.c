/* SPDX-License-Identifier: MIT */
#include <kern/clock.h>
#include <kern/cond.h>
#include <kern/mutex.h>
#include <kern/rtmutex.h>
#include <lib/macros.h>
#include <test/explore/threads.h>

static struct mutex cond_mutex;
static struct rtmutex cond_rtmutex;
static struct cond cond_tested;
static unsigned cond_available;
static unsigned cond_taken;

static void
cond_take(void *arg __unused)
{
    mutex_lock(&cond_mutex);
    while (cond_available == 0) {
        cond_wait(&cond_tested, &cond_mutex);
        explore_expect(mutex_is_owned(&cond_mutex));
    }
    cond_available--;
    cond_taken++;
    mutex_unlock(&cond_mutex);
}

static void
cond_give(void *arg __unused)
{
    mutex_lock(&cond_mutex);
    cond_available++;
    mutex_unlock(&cond_mutex);
    cond_signal(&cond_tested);
}

/* Have two threads beside main. */
static void
cond_run(thread_fn_t first, thread_fn_t second, explore_fn_t own)
{
    struct thread *threads[2];

    mutex_init(&cond_mutex, LOCK_TEST_UNORDERED, "test");
    cond_init(&cond_tested);
    threads[0] = threads_create_on(0, first, NULL);
    threads[1] = threads_create_on(1, second, NULL);
    threads_sleep_below(1000);
    own(NULL);
    thread_join(threads[0]);
    thread_join(threads[1]);
}

static void
cond_give_two(void *arg __unused)
{
    cond_give(NULL);
    cond_give(NULL);
}

static void
cond_main_signals_twice(void *arg __unused)
{
    cond_run(cond_take, cond_take, cond_give_two);
    explore_expect(cond_taken == 2);
}

/* A signal after a change reaches one who waits for the change. */
EXPLORE(cond, signal)
{
    threads_run(2, cond_main_signals_twice, NULL);
}

static void
cond_give_to_all(void *arg __unused)
{
    mutex_lock(&cond_mutex);
    cond_available = 2;
    mutex_unlock(&cond_mutex);
    cond_broadcast(&cond_tested);
}

static void
cond_main_broadcasts(void *arg __unused)
{
    cond_run(cond_take, cond_take, cond_give_to_all);
    explore_expect(cond_taken == 2);
}

/* A broadcast reaches all. */
EXPLORE(cond, broadcast)
{
    threads_run(2, cond_main_broadcasts, NULL);
}

static void
cond_take_until(void *arg __unused)
{
    uint64_t deadline;
    status_t status;

    deadline = clock_now() + explore_random(400);
    status = OK;
    mutex_lock(&cond_mutex);
    while (cond_available == 0 && status == OK) {
        status = cond_wait_until(&cond_tested, &cond_mutex, deadline);
        explore_expect(mutex_is_owned(&cond_mutex));
    }
    if (status == OK) {
        cond_available--;
        cond_taken++;
    }
    mutex_unlock(&cond_mutex);
}

static void
cond_main_races_deadline(void *arg __unused)
{
    cond_run(cond_take, cond_take_until, cond_give_two);
    explore_expect(cond_taken + cond_available == 2);
}

/* Who gives up owns the mutex, and takes no signal away from another. */
EXPLORE(cond, deadline)
{
    threads_run(2, cond_main_races_deadline, NULL);
}

static void
cond_take_rt(void *arg __unused)
{
    rtmutex_lock(&cond_rtmutex);
    while (cond_available == 0) {
        cond_wait_rt(&cond_tested, &cond_rtmutex);
        explore_expect(rtmutex_is_owned(&cond_rtmutex));
    }
    cond_available--;
    rtmutex_unlock(&cond_rtmutex);
}

static void
cond_main_signals_rt(void *arg __unused)
{
    struct thread *thread;

    rtmutex_init(&cond_rtmutex, LOCK_TEST_UNORDERED, "test");
    cond_init(&cond_tested);
    thread = threads_create_urgent(1, 5, cond_take_rt, NULL);
    rtmutex_lock(&cond_rtmutex);
    cond_available++;
    cond_signal(&cond_tested);
    rtmutex_unlock(&cond_rtmutex);
    thread_join(thread);
}

/* The same with a mutex that inherits. */
EXPLORE(cond, rtmutex)
{
    threads_run(2, cond_main_signals_rt, NULL);
}
