/* SPDX-License-Identifier: MIT */
/*
 * Commands that bring the kernel down, each in another way, to see what a
 * panic shows: tools/test/test_panic.py tries them all.
 */
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <lib/assert.h>
#include <lib/fmt.h>
#include <lib/macros.h>
#include <lib/string.h>
#include <arch/cpu.h>
#include <arch/layout.h>
#include <kern/all_cpus.h>
#include <kern/console.h>
#include <kern/cpu.h>
#include <kern/monitor.h>
#include <kern/panic.h>
#include <kern/spinlock.h>
#include <kern/timer.h>
#include <kern/xcall.h>

/* Times that crash_overflow() calls itself, more than a stack can hold. */
#define CRASH_DEPTH (KERNEL_STACK_SIZE / 16)

/* How many CPUs are in crash_spin(). */
static atomic_uint crash_nr_spinning;

static void
crash_nullptr(void)
{
    const volatile char *volatile ptr = (const volatile char *)16;

    (void)*ptr;
}

__noinline static uint64_t
crash_overflow(uint64_t depth)
{
    volatile uint64_t here = depth;

    if (depth == 0) {
        return here;
    }
    return crash_overflow(depth - 1) + here;
}

static void
crash_stack(void)
{
    console_printf("%lu\n", crash_overflow(CRASH_DEPTH));
}

static void
crash_assert(void)
{
    verify(cpu_nr_possible == 0);
}

/* No address: its upper bits are not all the same. */
static void
crash_gp(void)
{
    const volatile char *volatile ptr =
        (const volatile char *)(UINT64_C(1) << 63);

    (void)*ptr;
}

static void
crash_div(void)
{
    volatile unsigned one = 1, zero = 0;

    console_printf("%u\n", one / zero);
}

static void
crash_ud(void)
{
    __builtin_trap();
}

static void
crash_spin(void *arg __unused)
{
    cpu_irq_disable();
    atomic_fetch_add(&crash_nr_spinning, 1);
    for (;;) {
        cpu_pause();
    }
}

static void
crash_spin_or_panic(void *arg)
{
    if (cpu_id() != *(uint32_t *)arg) {
        crash_spin(NULL);
    }

    while (atomic_load(&crash_nr_spinning) + 1 < cpu_nr_online()) {
        cpu_pause();
    }
    panic("all other CPUs spin with interrupts disabled");
}

/* Only an NMI reaches the others. */
static void
crash_nmi(void)
{
    static uint32_t self;

    self = cpu_id();
    all_cpus_run(crash_spin_or_panic, &self);
}

static void
crash_panic_here(void *arg __unused)
{
    panic("one of many, on cpu %u", cpu_id());
}

static void
crash_panic_all(void)
{
    all_cpus_run(crash_panic_here, NULL);
}

/* The last CPU panics, this one waits for it. */
static void
crash_other(void)
{
    xcall_one(cpu_nr_possible - 1, crash_panic_here, NULL);
}

static void
crash_timer_fn(struct timer *timer __unused)
{
    panic("inside a timer's function");
}

static void
crash_timer(void)
{
    static struct timer timer;

    timer_init(&timer, crash_timer_fn, "crash");
    timer_start(&timer, 0);
    for (;;) {
        cpu_pause();
    }
}

/*
 * A console that panics while its lock, the innermost of all, is held.
 *
 * Keys: [B] this CPU
 */
static struct {
    struct console console;
    unsigned nr_panics; /* [B] that are still to come */
} crash_console;

static void
crash_console_write(struct console *console __unused, const char *text __unused,
                    size_t size __unused)
{
    if (crash_console.nr_panics != 0) {
        crash_console.nr_panics--;
        panic("inside a console, its lock is held");
    }
}

static void
crash_add_console(unsigned nr_panics)
{
    crash_console.nr_panics = nr_panics;
    crash_console.console.name = "crash";
    crash_console.console.write = crash_console_write;
    console_register(&crash_console.console);
    console_printf("one line\n");
}

static void
crash_lock(void)
{
    crash_add_console(1);
}

/* Each panic finds the console that made it. */
static void
crash_recursive(void)
{
    crash_add_console(UINT32_MAX);
}

static const struct {
    const char *name;
    void (*fn)(void);
} crash_ways[] = {
    { "nullptr", crash_nullptr },
    { "stack", crash_stack },
    { "assert", crash_assert },
    { "gp", crash_gp },
    { "nmi", crash_nmi },
    { "div", crash_div },
    { "lock", crash_lock },
    { "ud", crash_ud },
    { "panic-all", crash_panic_all },
    { "other", crash_other },
    { "timer", crash_timer },
    { "recursive", crash_recursive },
};

static void
crash_command(int argc, char **argv)
{
    unsigned i;

    for (i = 0; argc == 2 && i < ARRAY_SIZE(crash_ways); i++) {
        if (strcmp(argv[1], crash_ways[i].name) == 0) {
            crash_ways[i].fn();
            console_printf("crash: still alive\n");
            return;
        }
    }

    console_printf("crash:");
    for (i = 0; i < ARRAY_SIZE(crash_ways); i++) {
        console_printf(" %s", crash_ways[i].name);
    }
    console_printf("\n");
}

MONITOR_COMMAND(crash, "WAY", "bring the kernel down in one of many ways",
                crash_command);

static void
crash_panic_command(int argc, char **argv)
{
    char text[128] = "";
    int i;

    for (i = 1; i < argc; i++) {
        strlcat(text, argv[i], sizeof(text));
        strlcat(text, i + 1 < argc ? " " : "", sizeof(text));
    }
    panic("%s", argc > 1 ? text : "asked for");
}

MONITOR_COMMAND(panic, "[TEXT]", "panic", crash_panic_command);
