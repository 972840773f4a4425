/* SPDX-License-Identifier: MIT */
/*
 * The rest of the simulated machine, and what kernel modules need of others
 * that are not explored: each can be replaced, for it is weak.
 */
#include <stdarg.h>
#include <stdio.h>

#include <arch/clock.h>
#include <arch/preempt.h>
#include <arch/smp.h>
#include <arch/thread.h>
#include <arch/user_switch.h>
#include <kern/clock.h>
#include <kern/console.h>
#include <kern/init.h>
#include <kern/kva.h>
#include <kern/log.h>
#include <kern/panic.h>
#include <kern/percpu.h>
#include <kern/preempt.h>
#include <kern/rcu_hooks.h>
#include <kern/rcu_tree.h>
#include <kern/sched.h>
#include <kern/sched_hooks.h>
#include <kern/thread.h>
#include <kern/timer.h>
#include <kern/xcall.h>
#include <lib/assert.h>
#include "engine.h"

#define __weak __attribute__((weak))

#pragma weak xcall_handle
#pragma weak timer_interrupt
#pragma weak sched_interrupt
#pragma weak sched_interrupt_end

/* Without the scheduler nothing is ever preempted. */
__weak PERCPU(uint32_t, preempt_count) = PREEMPT_NOT_WANTED + 1;
__weak PERCPU(struct thread *, thread_current);

__weak void
preempt_now(void)
{
    explore_fail("preemption without a scheduler");
}

/* Without RCU nobody owes it a report. */
__weak PERCPU(struct rcu_own, rcu_own);
__weak _Atomic uint64_t rcu_begun;

__weak void
rcu_switch_slow(struct thread *thread __unused)
{
}

__weak void
rcu_interrupt_slow(void)
{
}

__weak void
rcu_quiet_enter(void)
{
}

__weak void
rcu_quiet_exit(void)
{
}

/* Grace periods alone: without callbacks, however long they take. */
__weak status_t
rcu_call_setup(void)
{
    return OK;
}

__weak void
rcu_call_wake(void)
{
}

__weak void
rcu_call_stats(struct rcu_stats *stats __unused)
{
}

__weak uint64_t
rcu_stall_deadline(uint64_t last __unused)
{
    return CLOCK_NEVER;
}

__weak void
rcu_stall_report(void)
{
}

static void
machine_xcall(void *arg __unused)
{
    if (xcall_handle != NULL) {
        xcall_handle();
    }
}

static void
machine_timer(void *arg)
{
    if (timer_interrupt != NULL) {
        timer_interrupt(arg);
    }
}

static void
machine_wake(void *arg)
{
    if (sched_interrupt != NULL) {
        sched_interrupt(arg);
    }
}

void
machine_reset(void)
{
    unsigned i;

    for (i = 0; i < EXPLORE_NR_VECTORS; i++) {
        explore_handler(i, NULL, NULL);
    }
    explore_handler(EXPLORE_XCALL, machine_xcall, NULL);
    explore_handler(EXPLORE_TIMER, machine_timer, NULL);
    explore_handler(EXPLORE_WAKE, machine_wake, NULL);
}

/* As the kernel's trap code does. */
void
machine_interrupt_begin(void)
{
    preempt_count_inc();
    sched_hook_interrupt_enter();
}

void
machine_interrupt_end(void)
{
    if (preempt_count_dec() && sched_interrupt_end != NULL) {
        sched_interrupt_end();
    }
}

bool
init_is_done(void)
{
    return true;
}

uintptr_t
thread_context_init(uintptr_t stack_top, void (*entry)(void))
{
    return (uintptr_t)engine_stack_init((char *)stack_top, entry);
}

/* What each CPU gives to the context that it continues. */
static uintptr_t machine_words[EXPLORE_CPUS_MAX];

uintptr_t
thread_context_switch(uintptr_t *old_sp, uintptr_t new_sp, uintptr_t word)
{
    machine_words[engine.cpu - engine.cpus] = word;
    engine_switch_stack((void **)old_sp, (void *)new_sp);
    return machine_words[engine.cpu - engine.cpus];
}

uintptr_t
thread_context_frame(uintptr_t sp __unused)
{
    return 0;
}

__weak void *
kva_alloc_stack(const char *name __unused)
{
    return engine_stack_alloc();
}

__weak void
kva_free(void *addr __unused)
{
}

void
smp_send_xcall(uint32_t cpu)
{
    explore_interrupt(cpu / engine.stride, EXPLORE_XCALL);
}

void
smp_send_wake(uint32_t cpu)
{
    explore_interrupt(cpu / engine.stride, EXPLORE_WAKE);
}

void
clock_arm(uint64_t deadline)
{
    engine.cpu->deadline = deadline;
    engine.next_event = 0;
}

void
clock_disarm(void)
{
    engine.cpu->deadline = ENGINE_NEVER;
}

uint64_t
clock_counter(void)
{
    return engine_time();
}

uint64_t
clock_counter_ordered(void)
{
    return engine_time();
}

__weak uint64_t
clock_now(void)
{
    return engine_time();
}

__weak uint64_t
clock_ticks_to_ns(uint64_t ticks)
{
    return ticks;
}

__weak uint64_t
clock_ns_to_ticks(uint64_t ns)
{
    return ns;
}

void
assert_fail(const char *expr, const char *file, int line, const char *function)
{
    explore_fail("%s:%d: %s: assertion failed: %s", file, line, function, expr);
}

void
panic(const char *format, ...)
{
    char text[256];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    explore_fail("panic: %s", text);
}

bool
panic_is_active(void)
{
    return false;
}

__weak void
console_printf(const char *format __unused, ...)
{
}

__weak void
log_write(enum log_level level __unused, const char *format __unused, ...)
{
}
