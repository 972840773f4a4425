/* SPDX-License-Identifier: MIT */
/*
 * User mode: set-up, the way there, exceptions and what is to be done before a
 * return.
 *
 * Invariant: while a CPU is in user mode, %gs shows the program's base and
 * MSR_KERNEL_GS_BASE holds that of the per-CPU variables; the stack pointer in
 * the TSS is the top of the running thread's kernel stack, which is empty.
 */
#include <stddef.h>

#include <arch/cpu.h>
#include <arch/layout.h>
#include <arch/user.h>
#include <arch/user_copy.h>
#include <arch/user_switch.h>
#include <arch/utable.h>
#include <kern/cpu.h>
#include <kern/init.h>
#include <kern/kasan.h>
#include <kern/panic.h>
#include <kern/percpu.h>
#include <kern/rcu.h>
#include <kern/rcu_hooks.h>
#include <kern/thread.h>
#include <lib/assert.h>

#include "cpuid.h"
#include "fault.h"
#include "gdt.h"
#include "msr.h"
#include "trap_frame.h"
#include "user.h"

/* Flags that SYSCALL clears: all that mean something to the kernel. */
#define USER_FLAGS_CLEARED UINT64_C(0x257fd5)

/* Source: Intel SDM vol. 3B, "Debug Status Register (DR6)". */
#define DR6_NOTHING UINT64_C(0xffff0ff0)

#define STAR_KERNEL_SHIFT 32
#define STAR_USER_SHIFT   48

static_assert(offsetof(struct thread, user_work) == 8, "user_entry.S");
static_assert(offsetof(struct rcu_own, active) == 8, "user_entry.S");
static_assert(offsetof(struct user_start, pc) == 0 &&
                  offsetof(struct user_start, sp) == 8 &&
                  offsetof(struct user_start, args) == 16,
              "user_entry.S");

extern const char user_call_entry[], user_call_entry_32[];

/* Where the entry keeps the program's stack pointer for a moment. */
PERCPU(uint64_t, user_scratch);

/* Constant once installed; read by user_entry.S. */
const user_call_fn_t *user_calls;
size_t user_nr_calls;

static const struct user_hooks user_no_hooks;
static const struct user_hooks *user_hooks = &user_no_hooks;

const struct user_hooks *
user_hooks_register(const struct user_hooks *hooks)
{
    const struct user_hooks *old = user_hooks;

    user_hooks = hooks != NULL ? hooks : &user_no_hooks;
    for (size_t i = 0; i < user_hooks->nr_calls; i++) {
        verify(user_hooks->calls[i] != NULL);
    }
    user_calls = user_hooks->calls;
    user_nr_calls = user_hooks->nr_calls;
    return old == &user_no_hooks ? NULL : old;
}

/* ------------------------------------------------------------ to user mode */

/* Where the calling thread's stack begins, when it comes from user mode. */
static inline uintptr_t
user_stack_top(void)
{
    return (uintptr_t)thread_self()->stack + KERNEL_STACK_SIZE;
}

void
user_begin(struct user_state *state)
{
    struct thread *self = thread_self();
    uint64_t flags;

    assert(self->user == NULL && self->stack != NULL);
    state->stack_top = user_stack_top();
    flags = cpu_irq_save();
    self->user = state;
    user_state_load(state);
    cpu_irq_restore(flags);
}

void
user_end(void)
{
    struct thread *self = thread_self();
    uint64_t flags;

    flags = cpu_irq_save();
    self->user = NULL;
    cpu_irq_restore(flags);
}

void
user_enter(const struct user_start *start)
{
    struct user_start copy = *start;

    if (copy.pc >= USER_END) {
        copy.pc = 0;
    }
    cpu_irq_disable();
    user_finish_work();
    latency_irqs_on();
    /* Functions that never return have their marks on the stack. */
    kasan_unpoison(thread_self()->stack, KERNEL_STACK_SIZE);
    user_enter_asm(&copy);
}

/*
 * Looks with interrupts disabled, and returns so: what is requested from then
 * on interrupts user mode.
 */
void
user_finish_work(void)
{
    struct thread *self = thread_self();

    while (unlikely(
        atomic_load_explicit(&self->user_work, memory_order_relaxed) != 0)) {
        latency_irqs_off();
        cpu_irq_enable();
        user_hooks->work();
        cpu_irq_disable();
        latency_irqs_on();
    }
}

void
user_call_place(uintptr_t *pc, uintptr_t *sp, uintptr_t *frame)
{
    const struct user_call_frame *call =
        (const struct user_call_frame *)user_stack_top() - 1;

    *pc = call->pc;
    *sp = call->sp;
    *frame = call->frame;
}

/* -------------------------------------------------------------- exceptions */

bool
user_entry_is_at(uintptr_t pc)
{
    return pc == (uintptr_t)user_call_entry;
}

void
user_clear_debug_status(void)
{
    __asm__ volatile("mov %0, %%dr6" : : "r"(DR6_NOTHING));
}

/* Those that a program can cause. */
static const struct {
    uint8_t vector;
    enum user_exception_kind kind;
    const char *name;
} user_exceptions[] = {
    { 0, USER_EXCEPTION_ARITHMETIC, "divide error" },
    { VECTOR_DEBUG, USER_EXCEPTION_STEP, "debug exception" },
    { VECTOR_BREAKPOINT, USER_EXCEPTION_BREAKPOINT, "breakpoint" },
    { 4, USER_EXCEPTION_ARITHMETIC, "overflow" },
    { 5, USER_EXCEPTION_ARITHMETIC, "bound range exceeded" },
    { VECTOR_INVALID_OP, USER_EXCEPTION_INSTRUCTION, "invalid opcode" },
    { 7, USER_EXCEPTION_INSTRUCTION, "device not available" },
    { 11, USER_EXCEPTION_PROTECTION, "segment not present" },
    { 12, USER_EXCEPTION_PROTECTION, "stack fault" },
    { VECTOR_PROTECTION, USER_EXCEPTION_PROTECTION, "general protection" },
    { VECTOR_PAGE_FAULT, USER_EXCEPTION_MEMORY, "page fault" },
    { 16, USER_EXCEPTION_FLOATING, "floating-point error" },
    { 17, USER_EXCEPTION_ALIGNMENT, "alignment check" },
    { 19, USER_EXCEPTION_FLOATING, "SIMD floating-point error" },
};

/* Returns: whether a program can have caused it */
static bool
user_describe_exception(const struct trap_frame *frame,
                        struct user_exception *exception)
{
    for (size_t i = 0; i < ARRAY_SIZE(user_exceptions); i++) {
        if (user_exceptions[i].vector == frame->vector) {
            exception->kind = user_exceptions[i].kind;
            exception->name = user_exceptions[i].name;
            return true;
        }
    }
    return false;
}

/*
 * Resolve a page fault, if that is what it is.
 *
 * Context: interrupts enabled
 * Returns: OK: the program may go on
 */
static status_t
user_resolve(const struct trap_frame *frame, struct user_exception *exception)
{
    if (frame->vector != VECTOR_PAGE_FAULT) {
        return ERR_UNSUPPORTED;
    }
    if (unlikely(frame->error & PF_RESERVED)) {
        /* A table of ours is damaged: the program would fault for ever. */
        panic_trap(frame, "reserved bit in a page table of a program, at %#lx",
                   exception->addr);
    }
    return exception->addr < USER_END
               ? user_fault_resolve(exception->addr, exception->access)
               : ERR_FAULT;
}

/* Some processors jump first and fault then; IRETQ would fault, too. */
static inline void
user_check_return(struct trap_frame *frame)
{
    if (unlikely(frame->rip >= USER_END)) {
        frame->rip = 0;
    }
}

void
user_handle_exception(struct trap_frame *frame)
{
    struct user_exception exception = {
        .addr = cr2_read(),
        .access = user_fault_access(frame->error),
        .pc = frame->rip,
        .sp = frame->rsp,
        .frame = frame->rbp,
    };

    if (!user_describe_exception(frame, &exception)) {
        panic_trap(frame, "exception %lu of a program, error code %#lx",
                   frame->vector, frame->error);
    }
    if (frame->vector == VECTOR_DEBUG) {
        user_clear_debug_status();
    }
    rcu_user_exit();
    latency_irqs_off();
    cpu_irq_enable();
    exception.status = user_resolve(frame, &exception);
    if (exception.status != OK) {
        if (user_hooks->exception == NULL) {
            panic_trap(frame, "%s of a program at %#lx", exception.name,
                       exception.addr);
        }
        user_hooks->exception(&exception);
    }
    user_check_return(frame);
    cpu_irq_disable();
    user_finish_work();
    latency_irqs_on();
}

void
user_end_interrupt(struct trap_frame *frame)
{
    user_check_return(frame);
    user_finish_work();
    /* Whatever the program does for how long, RCU need not ask again. */
    rcu_user_enter();
}

size_t
user_backtrace(uintptr_t *pcs, size_t max, uintptr_t frame)
{
    struct {
        uint64_t next;
        uint64_t pc;
    } link;
    size_t n = 0;

    while (n < max && frame % sizeof(uint64_t) == 0 &&
           user_copy_in(&link, frame, sizeof(link)) == 0 && link.pc != 0) {
        pcs[n++] = link.pc;
        if (link.next <= frame) {
            break;
        }
        frame = link.next;
    }
    return n;
}

/* ------------------------------------------------------------------ set-up */

static status_t
user_setup(void)
{
    msr_write(MSR_STAR, (uint64_t)GDT_USER_BASE << STAR_USER_SHIFT |
                            (uint64_t)GDT_KERNEL_CODE << STAR_KERNEL_SHIFT);
    msr_write(MSR_LSTAR, (uint64_t)user_call_entry);
    msr_write(MSR_CSTAR, (uint64_t)user_call_entry_32);
    msr_write(MSR_SFMASK, USER_FLAGS_CLEARED);
    /* SYSENTER is a protection fault, whatever the firmware has left. */
    msr_write(MSR_SYSENTER_CS, 0);
    msr_write(MSR_KERNEL_GS_BASE, 0);
    msr_write(MSR_EFER, msr_read(MSR_EFER) | EFER_SCE);
    return OK;
}

INIT_OP(user_setup, INIT_EACH_CPU, AFTER(gdt_setup), AFTER(control_setup));
