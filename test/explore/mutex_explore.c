/* SPDX-License-Identifier: MIT */
#include <arch/cpu.h>
#include <kern/clock.h>
#include <kern/mutex.h>
#include <lib/macros.h>
#include <test/explore/threads.h>

static struct mutex mutex_tested;
static unsigned mutex_inside;
static unsigned mutex_count;

static void
mutex_enter(void)
{
    explore_expect(mutex_is_owned(&mutex_tested));
    explore_expect(mutex_inside++ == 0);
    mutex_count++;
    explore_expect(--mutex_inside == 0);
}

static void
mutex_use(void *arg __unused)
{
    mutex_lock(&mutex_tested);
    mutex_enter();
    thread_yield();
    mutex_enter();
    mutex_unlock(&mutex_tested);
}

/* Have two threads use the mutex, on CPU 0 and CPU 1, beside main. */
static void
mutex_main(void *fn)
{
    struct thread *threads[2];
    uint32_t cpu;

    mutex_init(&mutex_tested, LOCK_TEST_UNORDERED, "test");
    for (cpu = 0; cpu < ARRAY_SIZE(threads); cpu++) {
        threads[cpu] = threads_create_on(cpu, (thread_fn_t)fn, NULL);
    }
    mutex_use(NULL);
    for (cpu = 0; cpu < ARRAY_SIZE(threads); cpu++) {
        thread_join(threads[cpu]);
    }
}

/* One owner at a time; who sleeps is woken. */
EXPLORE(mutex, exclusion)
{
    threads_run(2, mutex_main, (void *)mutex_use);
    explore_expect(mutex_count == 6);
}

static void
mutex_use_until(void *arg __unused)
{
    if (mutex_lock_until(&mutex_tested, clock_now() + explore_random(400)) ==
        OK) {
        mutex_enter();
        mutex_unlock(&mutex_tested);
    }
}

/* Who gives up is not given the mutex; who is given it does not give up. */
EXPLORE(mutex, deadline)
{
    threads_run(2, mutex_main, (void *)mutex_use_until);
    explore_expect(mutex_count >= 2 && mutex_count <= 4);
    explore_expect(mutex_tested.owner == 0);
}
