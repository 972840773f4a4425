/* SPDX-License-Identifier: MIT */
#include <stdatomic.h>
#include <stddef.h>

#include <arch/cpu.h>
#include <arch/layout.h>
#include <arch/sample.h>
#include <arch/smp.h>
#include <arch/trap.h>
#include <kern/backtrace.h>
#include <kern/clock.h>
#include <kern/cpu.h>
#include <kern/lock_check.h>
#include <kern/panic.h>
#include <kern/percpu.h>

#include "apic.h"
#include "msr.h"
#include "nmi.h"
#include "trap_frame.h"
#include "user.h"

#define NMI_SAMPLE_NS  UINT64_C(200000000)
#define NMI_HLT_OPCODE 0xf4

/* [a] where the NMI of a CPU stores its trace, or NULL. */
static PERCPU(_Atomic(struct backtrace *), nmi_sample);

/* Own to each CPU, read by anybody. */
static PERCPU(uint64_t, nmi_unknown);

/*
 * Do not let an idle CPU begin its wait: an NMI between the two instructions
 * of "sti; hlt" may be followed by the interrupt that was to end the wait.
 *
 * Nothing is read where a program is: it may have jumped to any address, and
 * the NMI may have come before the page fault.
 */
static void
nmi_skip_wait(struct trap_frame *frame)
{
    if (!trap_is_of_user(frame) && (frame->rflags & CPU_FLAGS_IF) &&
        frame->rip >= KERNEL_BASE &&
        *(const uint8_t *)frame->rip == NMI_HLT_OPCODE) {
        frame->rip++;
    }
}

static void
nmi_take_sample(struct trap_frame *frame)
{
    _Atomic(struct backtrace *) *sample;
    struct backtrace *trace;
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

void
nmi_handle(struct trap_frame *frame)
{
    enum lock_context old;
    uint64_t cr2;

    /* The trace may fault, and whom we interrupt may be about to read it. */
    cr2 = cr2_read();
    old = lock_check_enter(LOCK_CONTEXT_NMI);
    panic_handle_nmi(frame);
    nmi_skip_wait(frame);
    nmi_take_sample(frame);
    lock_check_leave(old);
    cr2_write(cr2);
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
