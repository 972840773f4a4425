/* SPDX-License-Identifier: MIT */
/*
 * Invariant: one CPU, panic_cpu, prints, and not before the others had their
 * time to stop; a CPU that loses the race to panic_cpu stops by itself.
 * Nothing here takes a lock or allocates.
 *
 * What panics while a panic is printed may do so again and again: the second
 * panic says so, the third says nothing, and any further one stops the CPU.
 */
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>

#include <arch/cpu.h>
#include <arch/latency.h>
#include <arch/power.h>
#include <arch/smp.h>
#include <arch/trap.h>
#include <kern/backtrace.h>
#include <kern/clock.h>
#include <kern/console.h>
#include <kern/cpu.h>
#include <kern/log.h>
#include <kern/option.h>
#include <kern/panic.h>
#include <kern/percpu.h>
#include <lib/assert.h>
#include <lib/fmt.h>
#include <lib/string.h>

#define PANIC_NO_CPU     (~UINT32_C(0))
#define PANIC_LOG_LINES  16
#define PANIC_STOP_NS    UINT64_C(5000000000)
#define PANIC_STOP_SPINS UINT32_C(200000000)

/* [a] CPU that panics, or PANIC_NO_CPU. */
static atomic_uint panic_cpu = PANIC_NO_CPU;

/* How often the CPU that panics has panicked again; only it writes. */
static unsigned panic_nr_again;

/* [B] set by options on the boot CPU. */
static enum panic_action panic_final_action = PANIC_HALT;
static bool panic_action_is_given;

/*
 * Keys: [O] own CPU, then panic_cpu once stopped is set   [a] atomic
 */
struct panic_state {
    struct backtrace trace; /* [O] */
    atomic_bool stopped;    /* [a] it has, its trace is complete */
};

static PERCPU(struct panic_state, panic_state);

void
panic_set_default(enum panic_action action)
{
    if (!panic_action_is_given) {
        panic_final_action = action;
    }
}

bool
panic_is_active(void)
{
    /* Not relaxed: see smp_cpu_main(). */
    return atomic_load(&panic_cpu) != PANIC_NO_CPU;
}

/* Whether a CPU has stopped and its trace is complete. */
static bool
panic_is_stopped(uint32_t cpu)
{
    /* Pairs with the release in panic_stop_this(). */
    return atomic_load_explicit(&percpu_ptr(panic_state, cpu)->stopped,
                                memory_order_acquire);
}

static void
panic_print_log(void)
{
    struct log_record record;
    uint64_t sequence;

    sequence = log_next_sequence();
    sequence = sequence > PANIC_LOG_LINES ? sequence - PANIC_LOG_LINES : 0;
    console_printf("last log lines:\n");
    while (log_read(sequence, &record)) {
        log_print_record(&record);
        sequence = record.sequence + 1;
    }
}

/*
 * Stop all other CPUs and wait for them, with a bound by the clock and, if
 * that does not work any more, by a count.
 */
static void
panic_stop_others(void)
{
    uint64_t deadline;
    uint32_t cpu, spins;

    smp_stop_others();
    deadline = clock_now() + PANIC_STOP_NS;
    spins = 0;
    cpu_for_each (cpu) {
        while (cpu != cpu_id() && !panic_is_stopped(cpu) &&
               clock_now() < deadline && spins < PANIC_STOP_SPINS) {
            cpu_pause();
            spins++;
        }
    }
}

/* A panic inside a panic: end it. */
__noreturn static void
panic_again(void)
{
    panic_nr_again++;
    if (panic_nr_again == 1) {
        console_printf("\nPANIC: panic inside a panic\n");
    }
    if (panic_nr_again <= 2) {
        power_exit_after_panic(panic_final_action);
    }
    cpu_stop();
}

/* Stop this CPU, which leaves its trace for the one that prints. */
__noreturn static void
panic_stop_this(uintptr_t pc, uintptr_t fp)
{
    struct panic_state *state;

    state = percpu_this(panic_state);
    if (!atomic_load_explicit(&state->stopped, memory_order_relaxed)) {
        backtrace_take(&state->trace, pc, fp);
        /* Pairs with the acquire in panic_is_stopped(). */
        atomic_store_explicit(&state->stopped, true, memory_order_release);
    }
    cpu_stop();
}

/*
 * Become the CPU that panics, or stop.
 */
static void
panic_begin(uintptr_t pc, uintptr_t fp)
{
    unsigned expected;

    cpu_irq_disable();
    latency_stop();
    expected = PANIC_NO_CPU;
    if (!atomic_compare_exchange_strong(&panic_cpu, &expected, cpu_id())) {
        if (expected == cpu_id()) {
            panic_again();
        }
        panic_stop_this(pc, fp);
    }

    panic_stop_others();
    console_enter_panic();
}

static void
panic_print_others(void)
{
    uint32_t cpu;

    cpu_for_each (cpu) {
        if (cpu == cpu_id()) {
            continue;
        }
        if (panic_is_stopped(cpu)) {
            backtrace_print(&percpu_ptr(panic_state, cpu)->trace, cpu);
        } else {
            console_printf("cpu %u: does not answer\n", cpu);
        }
    }
}

__noreturn static void
panic_finish(const struct trap_frame *frame, uintptr_t pc, uintptr_t fp,
             const char *reason)
{
    struct panic_state *own;

    /* The line before may not have ended. */
    console_printf("\nPANIC: %s\n", reason);
    console_printf("on cpu %u of %u\n", cpu_id(), cpu_nr_possible);
    trap_print(frame);
    own = percpu_this(panic_state);
    backtrace_take(&own->trace, pc, fp);
    backtrace_print(&own->trace, cpu_id());
    panic_print_others();
    panic_print_log();
    /* Once more where a screen shows the end only. */
    console_printf("panicked: %s\n", reason);
    power_exit_after_panic(panic_final_action);
}

void
panic(const char *format, ...)
{
    char reason[256];
    va_list args;

    panic_begin(0, cpu_frame());
    va_start(args, format);
    fmt_vsnprintf(reason, sizeof(reason), format, args);
    va_end(args);
    panic_finish(NULL, 0, cpu_frame(), reason);
}

void
panic_trap(const struct trap_frame *frame, const char *format, ...)
{
    char reason[256];
    va_list args;

    panic_begin(trap_pc(frame), trap_frame_pointer(frame));
    va_start(args, format);
    fmt_vsnprintf(reason, sizeof(reason), format, args);
    va_end(args);
    panic_finish(frame, trap_pc(frame), trap_frame_pointer(frame), reason);
}

void
panic_handle_nmi(const struct trap_frame *frame)
{
    if (panic_is_active() &&
        atomic_load_explicit(&panic_cpu, memory_order_relaxed) != cpu_id()) {
        panic_stop_this(trap_pc(frame), trap_frame_pointer(frame));
    }
}

void
assert_fail(const char *expr, const char *file, int line, const char *function)
{
    panic("assertion failed: %s (%s:%d, %s)", expr, file, line, function);
}

static status_t
panic_option(const char *value)
{
    static const char *const names[] = {
        [PANIC_HALT] = "halt",
        [PANIC_REBOOT] = "reboot",
        [PANIC_EXIT] = "exit",
    };
    unsigned i;

    for (i = 0; i < ARRAY_SIZE(names); i++) {
        if (strcmp(value, names[i]) == 0) {
            panic_final_action = (enum panic_action)i;
            panic_action_is_given = true;
            return OK;
        }
    }
    return ERR_INVALID;
}

OPTION(panic, "halt|reboot|exit", "what to do after a panic", panic_option);
