/* SPDX-License-Identifier: MIT */
/*
 * Exceptions and interrupts: the descriptor table and who handles what.
 *
 * Invariant: the handlers here run with interrupts disabled, on the stack
 * that was interrupted or on one of the IST stacks of the CPU.
 */
#include <arch/layout.h>
#include <arch/pmap.h>
#include <arch/trap.h>
#include <kern/console.h>
#include <kern/cpu.h>
#include <kern/init.h>
#include <kern/irq.h>
#include <kern/kasan.h>
#include <kern/kva.h>
#include <kern/panic.h>
#include <kern/preempt.h>
#include <kern/sched.h>
#include <kern/sched_hooks.h>
#include <lib/macros.h>
#include <lib/string.h>

#include "apic.h"
#include "fault.h"
#include "gdt.h"
#include "msr.h"
#include "nmi.h"
#include "trap_frame.h"
#include "user.h"

/* Interrupt gate.  Source: Intel SDM vol. 3A, "64-Bit Mode IDT". */
struct trap_gate {
    uint16_t offset_low;
    uint16_t selector;
    uint8_t ist;
    uint8_t type;
    uint16_t offset_middle;
    uint32_t offset_high;
    uint32_t reserved;
};

static_assert(sizeof(struct trap_gate) == 16, "fixed by hardware");

#define TRAP_GATE_INTERRUPT 0x8e
#define TRAP_GATE_USER      0x60
#define TRAP_STUB_SIZE      16

#define TRACE_MAX_STEP MIB(1)

#define TRAP_FLAGS_TF UINT64_C(0x100)

/* Vectors that get a stack of their own, once there are stacks. */
enum trap_special {
    TRAP_SPECIAL_DEBUG,
    TRAP_SPECIAL_NMI,
    TRAP_SPECIAL_DOUBLE_FAULT,
    TRAP_SPECIAL_MACHINE_CHECK,
    TRAP_NR_SPECIALS,
};

static const struct {
    uint8_t vector;
    uint8_t ist;
} trap_specials[TRAP_NR_SPECIALS] = {
    [TRAP_SPECIAL_DEBUG] = { VECTOR_DEBUG, GDT_IST_DEBUG },
    [TRAP_SPECIAL_NMI] = { VECTOR_NMI, GDT_IST_NMI },
    [TRAP_SPECIAL_DOUBLE_FAULT] = { VECTOR_DOUBLE_FAULT, GDT_IST_DOUBLE_FAULT },
    [TRAP_SPECIAL_MACHINE_CHECK] = { VECTOR_MACHINE_CHECK,
                                     GDT_IST_MACHINE_CHECK },
};

extern const char trap_early_stubs[];
extern const char trap_stubs[], trap_code_start[], trap_code_end[];
extern const char boot_stack_guard[];
extern const char trap_safe_read_access[];

/*
 * The table that early exceptions find, then the one for good: of it a stray
 * write would be the end without a word, so it is read-only.
 *
 * Written on the boot CPU before others start.
 */
static struct trap_gate trap_early_table[VECTOR_NR] __aligned(CACHE_LINE);
static struct trap_gate *trap_table = trap_early_table;

#define TRAP_TABLE_SIZE sizeof(trap_early_table)

static_assert(TRAP_TABLE_SIZE == PAGE_SIZE, "protected as one page");

static const char *const trap_names[VECTOR_NR_EXCEPTIONS] = {
    [0] = "divide error",
    [VECTOR_DEBUG] = "debug exception",
    [VECTOR_NMI] = "non-maskable interrupt",
    [VECTOR_BREAKPOINT] = "breakpoint",
    [4] = "overflow",
    [5] = "bound range exceeded",
    [VECTOR_INVALID_OP] = "invalid opcode",
    [7] = "device not available",
    [VECTOR_DOUBLE_FAULT] = "double fault",
    [10] = "invalid TSS",
    [11] = "segment not present",
    [12] = "stack fault",
    [VECTOR_PROTECTION] = "general protection fault",
    [VECTOR_PAGE_FAULT] = "page fault",
    [16] = "floating-point error",
    [17] = "alignment check",
    [VECTOR_MACHINE_CHECK] = "machine check",
    [19] = "SIMD floating-point error",
    [20] = "virtualization exception",
    [21] = "control protection exception",
};

static void
trap_gate_set(struct trap_gate *table, unsigned vector, const char *stub,
              unsigned ist)
{
    struct trap_gate *gate;
    uint64_t addr;

    addr = (uint64_t)stub;
    gate = &table[vector];
    gate->offset_low = (uint16_t)addr;
    gate->offset_middle = (uint16_t)(addr >> 16);
    gate->offset_high = (uint32_t)(addr >> 32);
    gate->selector = GDT_KERNEL_CODE;
    gate->ist = (uint8_t)ist;
    gate->type = TRAP_GATE_INTERRUPT;
    if (vector == VECTOR_BREAKPOINT) {
        gate->type |= TRAP_GATE_USER;
    }
}

static void
trap_table_load(void)
{
    struct {
        uint16_t limit;
        uint64_t base;
    } __packed pointer;

    pointer.limit = TRAP_TABLE_SIZE - 1;
    pointer.base = (uint64_t)trap_table;
    __asm__ volatile("lidt %0" : : "m"(pointer));
}

void
trap_early_load(void)
{
    gdt_early_load();
    trap_table_load();
}

void
trap_early_setup(void)
{
    unsigned i;

    for (i = 0; i < VECTOR_NR; i++) {
        trap_gate_set(trap_table, i, trap_stubs + i * TRAP_STUB_SIZE, 0);
    }
    for (i = 0; i < TRAP_NR_SPECIALS; i++) {
        trap_gate_set(trap_table, trap_specials[i].vector,
                      trap_early_stubs + i * TRAP_STUB_SIZE, 0);
    }
    trap_early_load();
}

static status_t
trap_make_table(void)
{
    struct trap_gate *table;
    unsigned i, vector;

    table = kva_alloc(TRAP_TABLE_SIZE, "trap table");
    if (table == NULL) {
        return ERR_NO_MEMORY;
    }

    memcpy(table, trap_early_table, TRAP_TABLE_SIZE);
    for (i = 0; i < TRAP_NR_SPECIALS; i++) {
        vector = trap_specials[i].vector;
        trap_gate_set(table, vector, trap_stubs + vector * TRAP_STUB_SIZE,
                      trap_specials[i].ist);
    }
    trap_table = table;
    return pmap_protect((uintptr_t)table, TRAP_TABLE_SIZE, PMAP_READ);
}

/* From now on the special vectors have stacks of their own. */
static status_t
trap_setup(void)
{
    status_t status;

    status = cpu_id() == 0 ? trap_make_table() : OK;
    if (status != OK) {
        return status;
    }

    trap_table_load();
    return OK;
}

INIT_OP(trap_setup, INIT_EACH_CPU, AFTER(gdt_setup));

/* The page below the boot stack becomes a guard page. */
static status_t
trap_guard_setup(void)
{
    pmap_unmap((uintptr_t)boot_stack_guard, PAGE_SIZE);
    return OK;
}

INIT_OP(trap_guard_setup, INIT_BOOT_CPU, AFTER(pmap_setup), AFTER(trap_setup));

void
trap_print(const struct trap_frame *frame)
{
    struct trap_frame here;

    if (frame == NULL) {
        trap_capture(&here);
        frame = &here;
    }
    console_printf("rip %016lx rsp %016lx rflags %08lx\n"
                   "rax %016lx rbx %016lx rcx %016lx\n"
                   "rdx %016lx rsi %016lx rdi %016lx\n"
                   "rbp %016lx r8  %016lx r9  %016lx\n",
                   frame->rip, frame->rsp, frame->rflags, frame->rax,
                   frame->rbx, frame->rcx, frame->rdx, frame->rsi, frame->rdi,
                   frame->rbp, frame->r8, frame->r9);
    console_printf("r10 %016lx r11 %016lx r12 %016lx\n"
                   "r13 %016lx r14 %016lx r15 %016lx\n"
                   "cs %04lx ss %04lx vector %lu error %lx\n"
                   "cr0 %08lx cr2 %016lx cr3 %016lx cr4 %08lx\n",
                   frame->r10, frame->r11, frame->r12, frame->r13, frame->r14,
                   frame->r15, frame->cs, frame->ss, frame->vector,
                   frame->error, cr0_read(), cr2_read(), cr3_read(),
                   cr4_read());
}

uintptr_t
trap_frame_pointer(const struct trap_frame *frame)
{
    return trap_is_of_user(frame) ? 0 : frame->rbp;
}

uintptr_t
trap_pc(const struct trap_frame *frame)
{
    return frame->rip;
}

/* What a function's frame pointer points to. */
struct trace_link {
    uint64_t next; /* frame pointer of the caller */
    uint64_t pc;   /* where the function returns to */
};

static bool
trace_read_link(uintptr_t frame, struct trace_link *link)
{
    return frame >= DIRECT_MAP_BASE && IS_ALIGNED(frame, 8) &&
           trap_safe_read(frame, &link->next) &&
           trap_safe_read(frame + 8, &link->pc) && link->pc >= KERNEL_BASE;
}

/*
 * If a function was called by trap_asm.S, the address that the trap
 * interrupted, else 0.  The trap's frame is above what the call pushed.
 */
static uintptr_t
trace_interrupted_pc(uintptr_t frame, const struct trace_link *link)
{
    const struct trap_frame *trap;
    uint64_t pc;

    trap = (const struct trap_frame *)(frame + sizeof(*link));
    if (link->pc < (uintptr_t)trap_code_start ||
        link->pc >= (uintptr_t)trap_code_end ||
        !trap_safe_read((uintptr_t)&trap->rip, &pc)) {
        return 0;
    }
    return pc >= KERNEL_BASE ? pc : 0;
}

size_t
trace_collect(uintptr_t *pcs, size_t max, uintptr_t frame, uint64_t *exact)
{
    struct trace_link link;
    uintptr_t interrupted;
    size_t n;

    *exact = 0;
    n = 0;
    while (n < max && trace_read_link(frame, &link)) {
        pcs[n++] = link.pc;
        interrupted = trace_interrupted_pc(frame, &link);
        if (interrupted != 0 && n < max) {
            *exact |= UINT64_C(1) << n;
            pcs[n++] = interrupted;
        } else if (link.next <= frame || link.next - frame > TRACE_MAX_STEP) {
            /* Only a trap may have changed the stack. */
            break;
        }
        frame = link.next;
    }

    return n;
}

void
trap_check_safe_read(struct trap_frame *frame)
{
    uintptr_t sp;

    if (frame->rip == (uint64_t)trap_safe_read_access) {
        /* The functions between here and the frame never leave. */
        sp = cpu_stack_pointer();
        kasan_unpoison((const void *)sp, (uintptr_t)frame - sp);
        trap_safe_read_fail(frame);
    }
}

/*
 * A kernel stack that overflows hits its guard page; the processor cannot
 * push the frame of the page fault there and ends here, on the IST stack.
 */
__noreturn static void
trap_double_fault(struct trap_frame *frame)
{
    struct kva_info info;
    uintptr_t addr;

    addr = cr2_read();
    if (kva_find(addr, &info) && info.place == KVA_PLACE_GUARD) {
        panic_trap(frame, "stack overflow: %s, %#lx hit its guard page",
                   info.name, addr);
    }
    if (addr - (uintptr_t)boot_stack_guard < PAGE_SIZE) {
        panic_trap(frame, "stack overflow: boot stack, %#lx hit its guard page",
                   addr);
    }
    panic_trap(frame, "double fault");
}

/*
 * A program that loads %ss or sets TF right before SYSCALL may have the trap
 * come when the kernel is entered already.
 *
 * Source: CVE-2018-8897
 */
static bool
trap_is_of_entry(struct trap_frame *frame)
{
    if (!user_entry_is_at(frame->rip)) {
        return false;
    }
    frame->rflags &= ~TRAP_FLAGS_TF;
    return true;
}

static void
trap_exception(struct trap_frame *frame)
{
    const char *name;

    switch (frame->vector) {
    case VECTOR_DEBUG:
        user_clear_debug_status();
        if (trap_is_of_entry(frame)) {
            return;
        }
        break;
    case VECTOR_NMI:
        nmi_handle(frame);
        return;
    case VECTOR_PAGE_FAULT:
        fault_handle(frame);
        return;
    case VECTOR_PROTECTION:
        trap_check_safe_read(frame);
        break;
    case VECTOR_DOUBLE_FAULT:
        trap_double_fault(frame);
    default:
        break;
    }

    name = trap_names[frame->vector];
    panic_trap(frame, "%s, error code %#lx", name != NULL ? name : "exception",
               frame->error);
}

/*
 * An interrupt of the old controllers or a spurious one is not the local
 * APIC's and must not be acknowledged; but an interrupt that comes with such
 * a vector for another reason must, or it would block all lower ones.
 */
static bool
trap_needs_eoi(unsigned vector)
{
    return (vector >= VECTOR_DEVICE && vector != VECTOR_SPURIOUS) ||
           apic_is_in_service(vector);
}

/*
 * Preemption is disabled while a handler runs; afterwards the thread that was
 * interrupted may be preempted here, on its own stack.
 */
static void
trap_interrupt(unsigned vector)
{
    latency_interrupt_enter(vector);
    preempt_disable();
    sched_hook_interrupt_enter();
    irq_dispatch(vector);
    if (trap_needs_eoi(vector)) {
        apic_eoi();
    }
    latency_preempt_on();
    if (preempt_count_dec()) {
        sched_interrupt_end();
    }
    latency_interrupt_exit();
}

/* Exceptions that are not a program's, whatever it was that they interrupted */
static inline bool
trap_is_of_machine(uint64_t vector)
{
    return vector == VECTOR_NMI || vector == VECTOR_MACHINE_CHECK ||
           vector == VECTOR_DOUBLE_FAULT;
}

void
trap_dispatch(struct trap_frame *frame)
{
    bool is_user = trap_is_of_user(frame);

    if (frame->vector >= VECTOR_NR_EXCEPTIONS) {
        trap_interrupt((unsigned)frame->vector);
        if (is_user) {
            user_end_interrupt(frame);
        }
    } else if (is_user && !trap_is_of_machine(frame->vector)) {
        user_handle_exception(frame);
    } else {
        trap_exception(frame);
    }
}
