/* SPDX-License-Identifier: MIT */
#include <stdatomic.h>

#include <arch/cpu.h>
#include <kern/cpu.h>
#include <kern/xcall.h>
#include <test/explore/explore.h>

static unsigned xcall_runs[EXPLORE_CPUS_MAX];
static unsigned xcall_sum;

/* The function runs on the CPU that was named, with interrupts disabled. */
static void
xcall_note(void *arg)
{
    explore_expect(!cpu_irq_is_enabled());
    xcall_runs[cpu_id()]++;
    if (arg != NULL) {
        *(unsigned *)arg += 1;
    }
}

static void
xcall_call(void *arg)
{
    unsigned done = 0;

    xcall_one((uint32_t)(uintptr_t)arg, xcall_note, &done);
    explore_expect(done == 1);
}

/* Each call runs once, before it returns, and what it stored is seen. */
EXPLORE(xcall, one)
{
    explore_cpus(3);
    explore_fibre(xcall_call, (void *)2);
    explore_fibre(xcall_call, (void *)2);
    explore_run();
    explore_expect(xcall_runs[2] == 2);
}

static void
xcall_call_without_interrupts(void *arg)
{
    uint64_t flags;

    flags = cpu_irq_save();
    xcall_call(arg);
    cpu_irq_restore(flags);
}

/* Two CPUs may call each other with interrupts disabled. */
EXPLORE(xcall, both_ways)
{
    explore_cpus(2);
    explore_fibre(xcall_call_without_interrupts, (void *)1);
    explore_fibre(xcall_call_without_interrupts, (void *)0);
    explore_run();
    explore_expect(xcall_runs[0] == 1 && xcall_runs[1] == 1);
}

static void
xcall_everybody(void *arg __unused)
{
    xcall_all(xcall_note, NULL);
}

/* Two calls of everybody at once: each CPU runs both. */
EXPLORE(xcall, all_from_two)
{
    unsigned cpu;

    explore_cpus(3);
    explore_fibre(xcall_everybody, NULL);
    explore_fibre(xcall_everybody, NULL);
    explore_run();
    for (cpu = 0; cpu < 3; cpu++) {
        explore_expect(xcall_runs[cpu] == 2);
    }
}

/* Call each other CPU of three. */
static void
xcall_call_others(void *arg)
{
    uintptr_t self = (uintptr_t)arg;

    xcall_call((void *)((self + 1) % 3));
    xcall_call((void *)((self + 2) % 3));
}

/* When a call has returned, its memory, on the stack, serves the next. */
EXPLORE(xcall, again)
{
    unsigned cpu;

    explore_cpus(3);
    for (cpu = 0; cpu < 3; cpu++) {
        explore_fibre(xcall_call_others, (void *)(uintptr_t)cpu);
    }
    explore_run();
    for (cpu = 0; cpu < 3; cpu++) {
        explore_expect(xcall_runs[cpu] == 2);
    }
}

static void
xcall_publish(void *arg __unused)
{
    explore_expect(xcall_sum == 7);
    xcall_sum++;
}

static void
xcall_pass_data(void *arg __unused)
{
    xcall_sum = 7;
    xcall_one(1, xcall_publish, NULL);
    explore_expect(xcall_sum == 8);
}

/* Stores before the call are visible to the function, its own to the caller. */
EXPLORE(xcall, ordering)
{
    explore_cpus(2);
    explore_fibre(xcall_pass_data, NULL);
    explore_run();
}
