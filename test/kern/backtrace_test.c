/* SPDX-License-Identifier: MIT */
#include <arch/cpu.h>
#include <kern/backtrace.h>
#include <kern/clock.h>
#include <kern/symtab.h>
#include <kern/timer.h>
#include <lib/fmt.h>
#include <lib/string.h>
#include <test/stay.h>
#include <test/test.h>

/* Kept by calls that are not the last thing a function does. */
static volatile unsigned backtrace_calls;

__noinline static void
backtrace_test_inner(struct backtrace *trace)
{
    backtrace_take(trace, 0, cpu_frame());
    backtrace_calls++;
}

__noinline static void
backtrace_test_outer(struct backtrace *trace)
{
    backtrace_test_inner(trace);
    backtrace_calls++;
}

/* Whether the address number @i of a trace is in the function @name. */
static bool
backtrace_names(const struct backtrace *trace, size_t i, const char *name)
{
    struct symtab_entry entry;

    return i < trace->nr_pcs && backtrace_find(trace, i, &entry) &&
           strcmp(entry.name, name) == 0;
}

static bool
backtrace_contains(const struct backtrace *trace, const char *name)
{
    size_t i;

    for (i = 0; i < trace->nr_pcs; i++) {
        if (backtrace_names(trace, i, name)) {
            return true;
        }
    }
    return false;
}

TEST(backtrace, names_functions)
{
    struct backtrace trace;

    backtrace_test_outer(&trace);
    EXPECT(backtrace_names(&trace, 0, "backtrace_test_outer"));
    EXPECT(backtrace_contains(&trace, "runner_run"));
    EXPECT(backtrace_contains(&trace, "main_run"));
}

TEST(backtrace, begins_with_given_address)
{
    struct backtrace trace;

    backtrace_take(&trace, (uintptr_t)backtrace_test_inner, cpu_frame());
    EXPECT(backtrace_names(&trace, 0, "backtrace_test_inner"));
    EXPECT(trace.nr_pcs > 2);
}

/* A call that does not return may be the last instruction of its function. */
TEST(backtrace, return_address_belongs_to_caller)
{
    struct backtrace trace = {
        .nr_pcs = 1,
        .exact = 0,
        .pcs = { (uintptr_t)backtrace_test_outer },
    };

    EXPECT(!backtrace_names(&trace, 0, "backtrace_test_outer"));
    trace.exact = 1;
    EXPECT(backtrace_names(&trace, 0, "backtrace_test_outer"));
}

TEST(backtrace, offset_is_that_of_the_address)
{
    struct backtrace trace = { .nr_pcs = 1, .exact = 0 };
    struct symtab_entry entry;

    trace.pcs[0] = (uintptr_t)backtrace_test_outer + 5;
    ASSERT(backtrace_find(&trace, 0, &entry));
    EXPECT_STREQ(entry.name, "backtrace_test_outer");
    EXPECT_EQ(entry.offset, 5);
}

TEST(backtrace, garbage_frame_ends_it)
{
    struct backtrace trace;
    uint64_t garbage[2] = { UINT64_C(0xfffffffffffffff8), 0x1000 };

    backtrace_take(&trace, 0, 1);
    EXPECT_EQ(trace.nr_pcs, 0);
    backtrace_take(&trace, 0, UINT64_C(0xfffffffffffffff8));
    EXPECT_EQ(trace.nr_pcs, 0);
    backtrace_take(&trace, 0, UINT64_C(1) << 63);
    EXPECT_EQ(trace.nr_pcs, 0);
    backtrace_take(&trace, 0, (uintptr_t)garbage);
    EXPECT_EQ(trace.nr_pcs, 0);
}

/* A frame that points to itself must not be followed for ever. */
TEST(backtrace, cycle_ends_it)
{
    struct backtrace trace;
    uint64_t frame[2];

    frame[0] = (uintptr_t)frame;
    frame[1] = (uintptr_t)backtrace_test_inner;
    backtrace_take(&trace, 0, (uintptr_t)frame);
    EXPECT_EQ(trace.nr_pcs, 1);
}

static struct backtrace backtrace_of_timer;
static volatile bool backtrace_timer_ran;

static void
backtrace_timer_fn(struct timer *timer __unused)
{
    backtrace_take(&backtrace_of_timer, 0, cpu_frame());
    backtrace_timer_ran = true;
}

__noinline static void
backtrace_test_wait(struct timer *timer)
{
    timer_start(timer, clock_now());
    while (!backtrace_timer_ran) {
        cpu_pause();
    }
}

static void
backtrace_test_interrupt(void)
{
    struct timer timer;

    backtrace_timer_ran = false;
    timer_init(&timer, backtrace_timer_fn, "test");
    backtrace_test_wait(&timer);
    timer_cancel(&timer);
}

/*
 * What an interrupt interrupted is part of the trace, too, unless it comes
 * while a function that this calls has no frame, at its begin or end.
 */
TEST(backtrace, crosses_interrupt)
{
    unsigned i = 0;

    /* The interrupt is to come to this thread. */
    test_rule(t);
    do {
        backtrace_test_interrupt();
    } while (++i < 10 &&
             !backtrace_contains(&backtrace_of_timer, "backtrace_test_wait"));
    EXPECT(backtrace_contains(&backtrace_of_timer, "timer_interrupt"));
    EXPECT(backtrace_contains(&backtrace_of_timer, "trap_dispatch"));
    EXPECT(backtrace_contains(&backtrace_of_timer, "backtrace_test_wait"));
}

TEST(backtrace, formats_symbol)
{
    char text[64];

    fmt_snprintf(text, sizeof(text), "%pS", (void *)backtrace_test_outer);
    EXPECT_STREQ(text, "backtrace_test_outer+0x0");
}
