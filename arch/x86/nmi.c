/* SPDX-License-Identifier: MIT */
#include <stdatomic.h>
#include <stddef.h>

#include <arch/cpu.h>
#include <arch/sample.h>
#include <arch/smp.h>
#include <arch/trap.h>
#include <kern/backtrace.h>
#include <kern/clock.h>
#include <kern/cpu.h>
#include <kern/panic.h>
#include <kern/percpu.h>

#include "apic.h"
#include "nmi.h"

#define NMI_SAMPLE_NS UINT64_C(200000000)

/* [a] where the NMI of a CPU stores its trace, or NULL. */
static PERCPU(_Atomic(struct backtrace *), nmi_sample);

/* Own to each CPU, read by anybody. */
static PERCPU(uint64_t, nmi_unknown);

void
nmi_handle(struct trap_frame *frame)
{
    _Atomic(struct backtrace *) *sample;
    struct backtrace *trace;

    panic_handle_nmi(frame);
    sample = percpu_this(nmi_sample);
    /* Pairs with the release in sample_backtrace(). */
    trace = atomic_load_explicit(sample, memory_order_acquire);
    if (trace == NULL) {
        percpu_add(nmi_unknown, 1);
        return;
    }

    backtrace_take(trace, trap_pc(frame), trap_frame_pointer(frame));
    /* Pairs with the acquire in sample_backtrace(): the trace is complete. */
    atomic_store_explicit(sample, NULL, memory_order_release);
}

uint64_t
nmi_nr_unknown(void)
{
    uint64_t total;
    uint32_t cpu;

    total = 0;
    cpu_for_each (cpu) {
        total += READ_ONCE(*percpu_ptr(nmi_unknown, cpu));
    }
    return total;
}

/*
 * A trace that comes too late is written to the static buffer, never to the
 * caller's.
 */
status_t
sample_backtrace(uint32_t cpu, struct backtrace *trace)
{
    static struct backtrace buffer;
    _Atomic(struct backtrace *) *sample;
    uint64_t deadline;

    if (cpu >= cpu_nr_possible || !cpu_is_online(cpu)) {
        return ERR_INVALID;
    }

    if (cpu == cpu_id()) {
        backtrace_take(trace, 0, cpu_frame());
        return OK;
    }

    sample = percpu_ptr(nmi_sample, cpu);
    /* Pairs with the acquire in nmi_handle(). */
    atomic_store_explicit(sample, &buffer, memory_order_release);
    apic_send_nmi(cpu_table[cpu].hw_id);
    deadline = clock_now() + NMI_SAMPLE_NS;
    /* Pairs with the release in nmi_handle(). */
    while (atomic_load_explicit(sample, memory_order_acquire) != NULL) {
        if (clock_now() > deadline) {
            atomic_store_explicit(sample, NULL, memory_order_relaxed);
            return ERR_TIMEOUT;
        }
        cpu_pause();
    }

    *trace = buffer;
    return OK;
}

void
smp_stop_others(void)
{
    uint32_t cpu;

    cpu_for_each (cpu) {
        if (cpu != cpu_id()) {
            apic_send_nmi(cpu_table[cpu].hw_id);
        }
    }
}
