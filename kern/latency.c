/* SPDX-License-Identifier: MIT */
/*
 * Invariant: latency_since is not 0 exactly while a stretch goes on.  It is
 * written by its CPU only: for interrupts while they are disabled, for
 * preemption while it is disabled once, so that no handler does it too.
 */
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include <arch/clock.h>
#include <arch/cpu.h>
#include <arch/latency.h>
#include <arch/preempt.h>
#include <kern/cpu.h>
#include <kern/latency.h>
#include <kern/percpu.h>
#include <lib/string.h>

struct latency_state {
    uint64_t since; /* counter */
    uintptr_t from;
    struct latency_stretch top[LATENCY_TOP];
};

static PERCPU(struct latency_state, latency_states)[LATENCY_NR_KINDS];

static atomic_bool latency_is_recording;

/* Put a stretch in its place, or raise that between the same places. */
static void
latency_insert(struct latency_stretch *top,
               const struct latency_stretch *stretch)
{
    unsigned i;

    for (i = 0; i < LATENCY_TOP - 1; i++) {
        if (top[i].from == stretch->from && top[i].to == stretch->to) {
            break;
        }
    }
    if (top[i].ticks >= stretch->ticks) {
        return;
    }
    for (; i > 0 && top[i - 1].ticks < stretch->ticks; i--) {
        top[i] = top[i - 1];
    }
    top[i] = *stretch;
}

static void
latency_begin(enum latency_kind kind, void *pc)
{
    struct latency_state *state;

    state = &(*percpu_this(latency_states))[kind];
    state->from = (uintptr_t)pc;
    state->since = clock_counter();
}

static void
latency_end(enum latency_kind kind, void *pc)
{
    struct latency_stretch stretch;
    struct latency_state *state;
    uint64_t counter;

    state = &(*percpu_this(latency_states))[kind];
    if (state->since == 0) {
        return;
    }

    counter = clock_counter();
    stretch.ticks = counter - state->since;
    state->since = 0;
    if (stretch.ticks <= state->top[LATENCY_TOP - 1].ticks ||
        !atomic_load_explicit(&latency_is_recording, memory_order_relaxed)) {
        return;
    }
    stretch.from = state->from;
    stretch.to = (uintptr_t)pc;
    stretch.cpu = cpu_id();
    latency_insert(state->top, &stretch);
}

void
latency_irqs_off(void)
{
    latency_begin(LATENCY_IRQS_OFF, __builtin_return_address(0));
}

void
latency_irqs_saved(uint64_t flags)
{
    if (flags & CPU_FLAGS_IF) {
        latency_begin(LATENCY_IRQS_OFF, __builtin_return_address(0));
    }
}

void
latency_irqs_off_again(void)
{
    if ((*percpu_this(latency_states))[LATENCY_IRQS_OFF].since == 0) {
        latency_begin(LATENCY_IRQS_OFF, __builtin_return_address(0));
    }
}

void
latency_irqs_on(void)
{
    latency_end(LATENCY_IRQS_OFF, __builtin_return_address(0));
}

/* How often preemption is disabled. */
static uint32_t
latency_preempt_depth(void)
{
    return percpu_read(preempt_count) & ~PREEMPT_NOT_WANTED;
}

void
latency_preempt_off(void)
{
    if (latency_preempt_depth() == 1) {
        latency_begin(LATENCY_PREEMPT_OFF, __builtin_return_address(0));
    }
}

void
latency_preempt_on(void)
{
    if (latency_preempt_depth() == 1) {
        latency_end(LATENCY_PREEMPT_OFF, __builtin_return_address(0));
    }
}

void
latency_forget(void)
{
    uint64_t flags;

    __asm__ volatile("pushfq; popq %0; cli" : "=r"(flags) : : "memory");
    (*percpu_this(latency_states))[LATENCY_IRQS_OFF].since = 0;
    (*percpu_this(latency_states))[LATENCY_PREEMPT_OFF].since = 0;
    if (flags & CPU_FLAGS_IF) {
        __asm__ volatile("sti" : : : "memory");
    }
}

void
latency_start(void)
{
    atomic_store(&latency_is_recording, true);
}

void
latency_stop(void)
{
    atomic_store(&latency_is_recording, false);
}

void
latency_collect(enum latency_kind kind, struct latency_stretch top[LATENCY_TOP])
{
    const struct latency_state *state;
    uint32_t cpu;
    unsigned i;

    memset(top, 0, LATENCY_TOP * sizeof(*top));
    cpu_for_each (cpu) {
        state = &(*percpu_ptr(latency_states, cpu))[kind];
        for (i = 0; i < LATENCY_TOP; i++) {
            latency_insert(top, &state->top[i]);
        }
    }
}

void
latency_reset(void)
{
    unsigned kind;
    uint32_t cpu;

    cpu_for_each (cpu) {
        for (kind = 0; kind < LATENCY_NR_KINDS; kind++) {
            memset((*percpu_ptr(latency_states, cpu))[kind].top, 0,
                   sizeof((*percpu_ptr(latency_states, cpu))[kind].top));
        }
    }
}
