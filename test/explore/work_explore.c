/* SPDX-License-Identifier: MIT */
#include <stdatomic.h>
#include <stddef.h>

#include <arch/cpu.h>
#include <kern/clock.h>
#include <kern/cpu.h>
#include <kern/kmalloc.h>
#include <kern/work.h>
#include <lib/macros.h>
#include <test/explore/threads.h>

static struct work work_tested;
static struct work_delayed work_later;
static atomic_uint work_running;
static atomic_uint work_runs;
static atomic_uint work_asked;
static atomic_uint work_answered;
static atomic_bool work_forbidden;

static void
work_prepare(void)
{
    threads_setup(2);
    explore_init_op("work_setup");
}

static void
work_note(struct work *work)
{
    unsigned asked;

    explore_expect(work == &work_tested || work == &work_later.work);
    explore_expect(++work_running == 1);
    explore_expect(!work_forbidden);
    asked = work_asked;
    thread_yield();
    work_runs++;
    work_answered = asked;
    explore_expect(!work_forbidden);
    explore_expect(--work_running == 0);
}

static void
work_ask(uint32_t cpu)
{
    work_asked++;
    work_queue_on(cpu, &work_tested);
}

static void
work_ask_other(void *arg __unused)
{
    work_ask(1);
}

static void
work_main_asks(void *arg __unused)
{
    struct thread *thread;

    work_init(&work_tested, work_note);
    thread = threads_create_on(1, work_ask_other, NULL);
    work_ask(0);
    thread_join(thread);
    work_flush(&work_tested);
    explore_expect(work_answered == 2);
    explore_expect(work_runs == 1 || work_runs == 2);
}

/* It runs after each queueing, never twice at once, and a flush waits. */
EXPLORE(work, queue)
{
    work_prepare();
    threads_go(2, work_main_asks, NULL);
}

static void
work_main_cancels(void *arg __unused)
{
    work_init(&work_tested, work_note);
    work_ask(1);
    while (explore_random(4) != 0) {
        cpu_pause();
    }
    explore_expect(work_cancel(&work_tested) == (work_runs == 0));
    work_forbidden = true;
    thread_yield();
}

/* After a cancel it neither runs nor will. */
EXPLORE(work, cancel)
{
    work_prepare();
    threads_go(2, work_main_cancels, NULL);
}

static void
work_free(struct work *work)
{
    kfree(work);
    work_runs++;
}

static void
work_main_forgets(void *arg __unused)
{
    struct work *work;
    unsigned i;

    for (i = 0; i < 2; i++) {
        work = kmalloc(sizeof(*work));
        work_init(work, work_free);
        explore_expect(work_queue_on(1, work));
    }
    while (work_runs < 2) {
        thread_sleep(THREADS_LOOK_NS);
    }
}

/* A function may free its work. */
EXPLORE(work, freed_by_function)
{
    work_prepare();
    threads_go(2, work_main_forgets, NULL);
}

static void
work_main_delays(void *arg __unused)
{
    bool was_to_come;

    work_delayed_init(&work_later, work_note);
    work_delayed_start(&work_later, clock_now() + explore_random(300));
    while (explore_random(4) != 0) {
        cpu_pause();
    }
    was_to_come = work_delayed_cancel(&work_later);
    work_forbidden = true;
    explore_expect(was_to_come == (work_runs == 0));
}

/* A delayed one runs, or is cancelled, whether it waits for time or CPU. */
EXPLORE(work, delayed)
{
    work_prepare();
    threads_go(2, work_main_delays, NULL);
}

static void
work_ask_in_interrupt(void *arg __unused)
{
    work_asked++;
    work_queue(&work_tested);
}

static void
work_main_is_interrupted(void *arg __unused)
{
    explore_interrupt(0, EXPLORE_IRQ);
    explore_interrupt(1, EXPLORE_IRQ);
    while (work_answered < 2) {
        thread_sleep(THREADS_LOOK_NS);
    }
    work_flush(&work_tested);
}

/* Interrupt handlers may queue. */
EXPLORE(work, interrupt)
{
    work_prepare();
    work_init(&work_tested, work_note);
    explore_handler(EXPLORE_IRQ, work_ask_in_interrupt, NULL);
    threads_go(2, work_main_is_interrupted, NULL);
}
