/* SPDX-License-Identifier: MIT */
/*
 * Scenarios for the schedule explorer: write EXPLORE(module, fact) { ... } in
 * a file test/explore/NAME_explore.c, name the kernel sources it needs in
 * explore.mk, and it is built, found and run under many schedules.
 *
 * A scenario begins on a fresh kernel: all its variables, those of the kernel
 * and the per-CPU areas are as the linker left them.  What it does before
 * explore_run() is set-up and is not explored; what it does behind is a look
 * at the result.  Design: doc/explorer.md.
 */
#ifndef TEST_EXPLORE_EXPLORE_H
#define TEST_EXPLORE_EXPLORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lib/macros.h>

#define EXPLORE_CPUS_MAX 8

/* The kernel's numbers of CPUs are less. */
#define EXPLORE_NUMBERS_MAX 64

/* Interrupts of a simulated CPU, and what they do if that is linked. */
enum explore_vector {
    EXPLORE_XCALL, /* xcall_handle() */
    EXPLORE_TIMER, /* timer_interrupt() */
    EXPLORE_WAKE,  /* sched_interrupt() */
    EXPLORE_IRQ,   /* the first of those that a scenario gives a meaning */
    EXPLORE_NR_VECTORS = 32,
};

typedef void (*explore_fn_t)(void *arg);

struct explore_case {
    const char *name; /* "module.fact" */
    void (*fn)(void);
};

#define EXPLORE(module, fact)                                                  \
    static void module##_##fact##_explore(void);                               \
    static const struct explore_case module##_##fact##_case = {                \
        .name = #module "." #fact,                                             \
        .fn = module##_##fact##_explore,                                       \
    };                                                                         \
    SECTION_ENTRY(explore, module##_##fact##_case);                            \
    static void module##_##fact##_explore(void)

/*
 * Say how many CPUs there are; the first thing in a scenario.
 *
 * @nr  1 to EXPLORE_CPUS_MAX
 */
void explore_cpus(unsigned nr);

/*
 * The same with gaps, for what is arranged in trees of CPUs: CPU i has the
 * number i * @stride, those between are never started.  The functions here
 * count without gaps.
 */
void explore_cpus_apart(unsigned nr, unsigned stride);

/*
 * Have a function run on a CPU of its own: the first call means CPU 0.  A CPU
 * whose function has returned, or that has none, idles and takes interrupts.
 */
void explore_fibre(explore_fn_t fn, void *arg);

/* The same for a function that need not return before the schedule ends. */
void explore_daemon(explore_fn_t fn, void *arg);

/*
 * Run until all fibres, and the interrupts taken by then, have returned; after
 * that all stores are visible.
 */
void explore_run(void);

/*
 * Run an INIT_OP() of the kernel by its name, on each CPU if it says so.
 *
 * Context: set-up, after explore_cpus()
 */
void explore_init_op(const char *name);

/* Run the MAIN_STAGE()s that create threads.  Context: set-up */
void explore_start_threads(void);

/* Give an OPTION() a value, as the command line does.  Context: set-up */
void explore_option(const char *name, const char *value);

/* Let percpu_this() in the set-up mean CPU @cpu; it is 0 at first. */
void explore_on_cpu(unsigned cpu);

/* Have a function called when an interrupt comes.  Context: set-up */
void explore_handler(unsigned vector, explore_fn_t fn, void *arg);

/* Let an interrupt come to a CPU, soon or late.  Context: set-up, fibre */
void explore_interrupt(unsigned cpu, unsigned vector);

/* Drain this CPU's store buffer, as any locked instruction does. */
void explore_fence(void);

/* A number below @limit, that depends on the seed alone. */
uint64_t explore_random(uint64_t limit);

/* The end of the schedule: this is the bug. */
__noreturn void explore_fail(const char *format, ...) __printf(1, 2);

#define explore_expect(condition)                                              \
    ((condition)                                                               \
         ? (void)0                                                             \
         : explore_fail("%s:%d: %s is false", __FILE__, __LINE__, #condition))

#endif /* TEST_EXPLORE_EXPLORE_H */
