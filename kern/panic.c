/* SPDX-License-Identifier: MIT */
/*
 * Invariant: one CPU, panic_cpu, prints; all others are stopped or have gone
 * the way of a second panic.  Nothing here takes a lock or allocates.
 */
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>

#include <arch/cpu.h>
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
#define PANIC_STOP_NS    UINT64_C(200000000)
#define PANIC_STOP_SPINS UINT32_C(100000000)

/* [a] CPU that panics, or PANIC_NO_CPU. */
static atomic_uint panic_cpu = PANIC_NO_CPU;

/* [B] set by options on the boot CPU. */
static enum panic_action panic_final_action = PANIC_HALT;

/*
 * Keys: [O] own CPU, then panic_cpu once stopped is set   [a] atomic
 */
struct panic_state {
    struct backtrace trace; /* [O] */
    atomic_bool stopped;    /* [a] trace is complete */
};

static PERCPU(struct panic_state, panic_state);

void
panic_set_action(enum panic_action action)
{
    panic_final_action = action;
}

bool
panic_is_active(void)
{
    return atomic_load_explicit(&panic_cpu, memory_order_relaxed) !=
           PANIC_NO_CPU;
}

/*
 * Become the CPU that panics, or stop.
 */
static void
panic_begin(void)
{
    unsigned expected;

    cpu_irq_disable();
    expected = PANIC_NO_CPU;
    if (atomic_compare_exchange_strong(&panic_cpu, &expected, cpu_id())) {
        console_enter_panic();
        return;
    }

    if (expected == cpu_id()) {
        console_printf("PANIC: panic inside a panic\n");
        power_exit_after_panic(panic_final_action);
    }
    /* Another CPU panics; its NMI finds this one here and takes the trace. */
    cpu_stop();
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
 * Wait for a CPU that was sent the NMI, with a bound by the clock and, if
 * that does not work any more, by a count.
 */
static bool
panic_wait_stopped(struct panic_state *state, uint64_t deadline)
{
    uint32_t spins;

    for (spins = 0; spins < PANIC_STOP_SPINS; spins++) {
        /* Pairs with the release in panic_cpu_stopped(). */
        if (atomic_load_explicit(&state->stopped, memory_order_acquire)) {
            return true;
        }
        if (clock_now() > deadline) {
            break;
        }
        cpu_pause();
    }
    return false;
}

static void
panic_print_others(void)
{
    struct panic_state *state;
    uint64_t deadline;
    uint32_t cpu;

    smp_stop_others();
    deadline = clock_now() + PANIC_STOP_NS;
    cpu_for_each (cpu) {
        if (cpu == cpu_id()) {
            continue;
        }

        state = percpu_ptr(panic_state, cpu);
        if (!panic_wait_stopped(state, deadline)) {
            console_printf("cpu %u: does not answer\n", cpu);
            continue;
        }
        backtrace_print(&state->trace, cpu);
    }
}

__noreturn static void
panic_finish(const struct trap_frame *frame, uintptr_t pc, uintptr_t fp,
             const char *reason)
{
    struct panic_state *own;

    console_printf("PANIC: %s\n", reason);
    console_printf("on cpu %u of %u\n", cpu_id(), cpu_nr_possible);
    if (frame != NULL) {
        trap_print(frame);
    }
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

    panic_begin();
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

    panic_begin();
    va_start(args, format);
    fmt_vsnprintf(reason, sizeof(reason), format, args);
    va_end(args);
    panic_finish(frame, trap_pc(frame), trap_frame_pointer(frame), reason);
}

void
panic_cpu_stopped(const struct trap_frame *frame)
{
    struct panic_state *state;

    state = percpu_this(panic_state);
    backtrace_take(&state->trace, trap_pc(frame), trap_frame_pointer(frame));
    /* Pairs with the acquire in panic_wait_stopped(). */
    atomic_store_explicit(&state->stopped, true, memory_order_release);
    cpu_stop();
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
            return OK;
        }
    }
    return ERR_INVALID;
}

OPTION(panic, "halt|reboot|exit", "what to do after a panic", panic_option);
