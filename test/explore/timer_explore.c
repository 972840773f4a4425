/* SPDX-License-Identifier: MIT */
#include <stdatomic.h>

#include <arch/cpu.h>
#include <kern/clock.h>
#include <kern/cpu.h>
#include <kern/timer.h>
#include <test/explore/explore.h>

static struct timer timer_tested;
static struct timer timer_second;
static struct timer timer_other;
static atomic_uint timer_calls;
static atomic_uint timer_others;
static atomic_bool timer_forbidden;
static atomic_bool timer_started;
static uint64_t timer_due;

static void
timer_note(struct timer *timer)
{
    explore_expect(timer == &timer_tested);
    explore_expect(!cpu_irq_is_enabled());
    explore_expect(clock_now() >= timer_due);
    explore_expect(!timer_forbidden);
    /* It takes a while. */
    cpu_pause();
    timer_calls++;
    explore_expect(!timer_forbidden);
}

static void
timer_prepare(unsigned nr_cpus)
{
    explore_cpus(nr_cpus);
    explore_init_op("timer_setup");
    timer_init(&timer_tested, timer_note, "explored");
}

static void
timer_start_soon(void *arg __unused)
{
    timer_due = clock_now() + explore_random(60);
    timer_start(&timer_tested, timer_due);
    timer_started = true;
}

static void
timer_cancel_once(void *arg __unused)
{
    bool queued;

    while (!timer_started) {
        cpu_pause();
    }
    queued = timer_cancel(&timer_tested);
    timer_forbidden = true;
    explore_expect(timer_calls == !queued);
}

/* The function does not run and is not called after timer_cancel(). */
EXPLORE(timer, cancel)
{
    timer_prepare(2);
    explore_fibre(timer_start_soon, NULL);
    explore_fibre(timer_cancel_once, NULL);
    explore_run();
}

static void
timer_distract(struct timer *timer)
{
    timer_others += timer == &timer_second;
}

static void
timer_start_and_wait(void *arg __unused)
{
    timer_start(&timer_second, clock_now() + explore_random(400));
    timer_start_soon(NULL);
    while (timer_calls == 0 || timer_others == 0) {
        cpu_pause();
    }
}

static void
timer_start_other(void *arg __unused)
{
    timer_start(&timer_other, clock_now() + explore_random(60));
    timer_cancel(&timer_other);
}

/* Timers that nobody cancels expire once, whatever others do. */
EXPLORE(timer, expires)
{
    timer_prepare(2);
    timer_init(&timer_other, timer_distract, "other");
    timer_init(&timer_second, timer_distract, "second");
    explore_fibre(timer_start_and_wait, NULL);
    explore_fibre(timer_start_other, NULL);
    explore_run();
    explore_expect(timer_calls == 1 && timer_others == 1);
}

static void
timer_move(void *arg __unused)
{
    while (!timer_started) {
        cpu_pause();
    }
    timer_start(&timer_tested, clock_now() + explore_random(60));
    while (timer_calls == 0) {
        cpu_pause();
    }
}

/* A timer that another CPU starts again moves there, and is not lost. */
EXPLORE(timer, moves)
{
    timer_prepare(2);
    explore_fibre(timer_start_soon, NULL);
    explore_fibre(timer_move, NULL);
    explore_run();
    explore_expect(timer_calls == 1 || timer_calls == 2);
}

static void
timer_again(struct timer *timer)
{
    explore_expect(!timer_forbidden);
    if (timer_calls++ < 3) {
        timer_start(timer, clock_now() + explore_random(30));
    }
    cpu_pause();
    explore_expect(!timer_forbidden);
}

static void
timer_cancel_periodic(void *arg __unused)
{
    while (!timer_started) {
        cpu_pause();
    }
    timer_cancel(&timer_tested);
    timer_forbidden = true;
    while (explore_random(4) != 0) {
        cpu_pause();
    }
}

/* A function that starts its timer again can be cancelled for good. */
EXPLORE(timer, cancel_periodic)
{
    timer_prepare(2);
    timer_init(&timer_tested, timer_again, "periodic");
    explore_fibre(timer_start_soon, NULL);
    explore_fibre(timer_cancel_periodic, NULL);
    explore_run();
}

static void
timer_restart_and_cancel(void *arg __unused)
{
    while (!timer_started) {
        cpu_pause();
    }
    timer_start(&timer_tested, clock_now() + explore_random(60));
    timer_cancel(&timer_tested);
    timer_forbidden = true;
}

/* Nor does it run after the timer went to another CPU while it ran. */
EXPLORE(timer, cancel_after_move)
{
    timer_prepare(2);
    explore_fibre(timer_start_soon, NULL);
    explore_fibre(timer_restart_and_cancel, NULL);
    explore_run();
}
