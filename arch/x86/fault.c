/* SPDX-License-Identifier: MIT */
/*
 * Page faults.
 *
 * Two kinds are no mistakes of the kernel: those of a program (user.c), and
 * those of the instructions that access users' memory for the kernel.  Who
 * installed the hook resolves them, and the instruction is repeated; one that
 * cannot be resolved ends the copy.  All others are the kernel's end, but those
 * of trap_safe_read().
 *
 * The hook may sleep, so it is called only where the interrupted thread could
 * have been preempted: with interrupts enabled, as they were, and preemption
 * not disabled.  That excludes NMIs and all other interrupts.
 */
#include <arch/cpu.h>
#include <arch/latency.h>
#include <arch/user_copy.h>
#include <arch/utable.h>
#include <kern/kva.h>
#include <kern/panic.h>
#include <kern/preempt.h>
#include <lib/assert.h>
#include <lib/macros.h>

#include "cpuid.h"
#include "fault.h"
#include "msr.h"
#include "trap_frame.h"
#include "user.h"
#include "user_access.h"

#define FLAGS_AC UINT64_C(0x40000)

/* Constant once installed. */
static user_fault_fn_t fault_fn;

user_fault_fn_t
user_fault_register(user_fault_fn_t fn)
{
    user_fault_fn_t old = fault_fn;

    fault_fn = fn;
    return old;
}

/*
 * Whether a fault below USER_END may have been meant.  Reserved bits are a
 * mistake in a table of ours.  An access to users' memory that SMAP forbids
 * would fault for ever.
 */
static inline bool
fault_is_expected(const struct trap_frame *frame)
{
    if (unlikely(frame->error & PF_RESERVED)) {
        return false;
    }
    return user_access_is_at(frame->rip) &&
           ((frame->rflags & FLAGS_AC) || !cpuid_has(CPUID_SMAP));
}

unsigned int
user_fault_access(uint64_t error)
{
    if (error & PF_FETCH) {
        return FAULT_EXEC;
    }
    return (error & PF_WRITE) ? FAULT_WRITE : FAULT_READ;
}

status_t
user_fault_resolve(uintptr_t addr, unsigned int access)
{
    return fault_fn != NULL ? fault_fn(addr, access) : ERR_FAULT;
}

/* Returns: whether the access may be repeated */
static bool
fault_resolve(const struct trap_frame *frame, uintptr_t addr)
{
    status_t status;

    if (unlikely(!(frame->rflags & CPU_FLAGS_IF) || !preempt_is_enabled())) {
        return false;
    }

    latency_irqs_off();
    cpu_irq_enable();
    status = user_fault_resolve(addr, user_fault_access(frame->error));
    cpu_irq_disable();
    /* What follows up to iretq is short. */
    latency_irqs_on();
    return status == OK;
}

__noreturn static void
fault_panic(const struct trap_frame *frame, uintptr_t addr)
{
    const char *access, *reason;
    struct kva_info info;

    access = (frame->error & PF_FETCH)   ? "executing"
             : (frame->error & PF_WRITE) ? "writing"
                                         : "reading";
    reason = (frame->error & PF_RESERVED)  ? "reserved bit in a page table"
             : (frame->error & PF_PRESENT) ? "not allowed"
                                           : "not mapped";
    if (kva_find(addr, &info)) {
        panic_trap(frame, "page fault %s %#lx: %s (%s%s)", access, addr, reason,
                   info.place == KVA_PLACE_GUARD ? "guard page of " : "",
                   info.name);
    }
    panic_trap(frame, "page fault %s %#lx: %s", access, addr, reason);
}

void
fault_handle(struct trap_frame *frame)
{
    uintptr_t addr = cr2_read();
    uintptr_t target;

    if (likely(addr < USER_END && fault_is_expected(frame))) {
        if (likely(fault_resolve(frame, addr))) {
            return;
        }
        target = user_access_fixup(frame->rip);
        if (target != 0) {
            frame->rip = target;
            return;
        }
    }

    trap_check_safe_read(frame);
    fault_panic(frame, addr);
}
