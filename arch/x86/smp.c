/* SPDX-License-Identifier: MIT */
/*
 * Starting the other CPUs, one after the other, and interrupts between them.
 *
 * A CPU that does not answer in time is left out.  Whether it did is decided
 * by one compare and swap of its state, by the CPU itself (STARTING to
 * ARRIVED), before it takes any lock, or by the boot CPU (STARTING to DEAD).
 * A dead CPU is sent INIT; should it be on its way, it finds itself dead and
 * stops, on the stack that stays its own.
 *
 * Source: Intel SDM vol. 3A, "MP Initialization Protocol Algorithm".
 */
#include <arch/clock.h>
#include <arch/cpu.h>
#include <arch/pmap.h>
#include <arch/smp.h>
#include <kern/bootmem.h>
#include <kern/clock.h>
#include <kern/cpu.h>
#include <kern/init.h>
#include <kern/kva.h>
#include <kern/log.h>
#include <kern/percpu.h>
#include <kern/sched.h>
#include <lib/fmt.h>
#include <lib/macros.h>
#include <lib/string.h>

#include "apic.h"
#include "gdt.h"
#include "msr.h"
#include "smp_start.h"
#include "trap_frame.h"

#define SMP_TRAMPOLINE_LIMIT UINT64_C(0xa0000)
#define SMP_INIT_NS          UINT64_C(10000000)
#define SMP_STARTUP_NS       UINT64_C(200000)
#define SMP_ANSWER_NS        UINT64_C(1000000000)
#define SMP_ONLINE_NS        UINT64_C(10000000000)
#define SMP_SYNC_ROUNDS      8
#define SMP_SYNC_NS          UINT64_C(5000000000)

/* What the code of ap_entry.S finds at the end of its page. */
struct smp_params {
    uint32_t cr3;
    uint32_t efer;
    uint32_t far_offset;
    uint16_t far_selector;
    uint16_t reserved0;
    uint16_t gdt_limit;
    uint32_t gdt_base;
    uint16_t reserved1;
    uint64_t stack;
    uint64_t gs_base;
    uint64_t entry;
    uint64_t gdt[3];
} __packed;

#define SMP_PARAMS_OFFSET 0xf80

static_assert(offsetof(struct smp_params, gdt_limit) == 0x10, "ap_entry.S");
static_assert(offsetof(struct smp_params, stack) == 0x18, "ap_entry.S");
static_assert(offsetof(struct smp_params, gdt) == 0x30, "ap_entry.S");

extern const char ap_boot_start[], ap_boot_long[], ap_boot_end[];

/* Constant after smp_reserve(). */
static paddr_t smp_trampoline;

/*
 * The boot CPU and the one that starts compare their clocks here.
 * Keys: [a] atomic, written by turns
 */
static struct {
    atomic_uint round;     /* [a] odd: asked, even: answered */
    _Atomic uint64_t time; /* [a] answer: counter of the CPU that starts */
} smp_sync;

void
smp_set_percpu_base(uintptr_t base)
{
    msr_write(MSR_GS_BASE, base);
}

void
smp_send_xcall(uint32_t cpu)
{
    apic_send(cpu_table[cpu].hw_id, VECTOR_XCALL);
}

void
smp_send_wake(uint32_t cpu)
{
    apic_send(cpu_table[cpu].hw_id, VECTOR_WAKE);
}

static status_t
smp_reserve(void)
{
    smp_trampoline = bootmem_alloc(PAGE_SIZE, PAGE_SIZE, SMP_TRAMPOLINE_LIMIT);
    if (smp_trampoline == PADDR_NONE) {
        log_warning("smp: no page below 640 KiB, going on with one CPU");
    }
    return OK;
}

INIT_OP(smp_reserve, INIT_BOOT_CPU, AFTER(pmap_setup));

static struct smp_params *
smp_params_get(void)
{
    return (struct smp_params *)((char *)pmap_direct_ptr(smp_trampoline) +
                                 SMP_PARAMS_OFFSET);
}

/*
 * Answer the boot CPU's questions for the time.
 */
static void
smp_sync_answer(void)
{
    uint64_t end;
    unsigned round;

    end = clock_counter() + clock_ns_to_ticks(SMP_SYNC_NS);
    for (round = 1; round < 2 * SMP_SYNC_ROUNDS; round += 2) {
        /* Pairs with the release in smp_sync_ask(). */
        while (atomic_load_explicit(&smp_sync.round, memory_order_acquire) <
               round) {
            if (clock_counter() > end) {
                return;
            }
            cpu_pause();
        }
        atomic_store_explicit(&smp_sync.time, clock_counter_ordered(),
                              memory_order_relaxed);
        /* Pairs with the acquire in smp_sync_ask(): the time is there. */
        atomic_store_explicit(&smp_sync.round, round + 1, memory_order_release);
    }
}

/*
 * Ask once.
 *
 * @offset  how far the other's counter is ahead
 *
 * Returns: the uncertainty of @offset, ticks; UINT64_MAX without an answer
 */
static uint64_t
smp_sync_ask(unsigned round, uint64_t timeout, int64_t *offset)
{
    uint64_t before, after, there;

    before = clock_counter_ordered();
    /* Pairs with the acquire in smp_sync_answer(). */
    atomic_store_explicit(&smp_sync.round, round, memory_order_release);
    /* Pairs with the release in smp_sync_answer(). */
    while (atomic_load_explicit(&smp_sync.round, memory_order_acquire) ==
           round) {
        if (clock_counter() - before > timeout) {
            return UINT64_MAX;
        }
        cpu_pause();
    }
    after = clock_counter_ordered();
    there = atomic_load_explicit(&smp_sync.time, memory_order_relaxed);
    *offset = (int64_t)(there - (before + (after - before) / 2));
    return (after - before) / 2;
}

/*
 * Compare the counters; correct the other's when it is certain that they
 * differ.
 */
static void
smp_sync_clock(uint32_t cpu)
{
    uint64_t error, best_error, timeout, distance;
    int64_t offset, best_offset;
    unsigned round;

    best_error = UINT64_MAX;
    best_offset = 0;
    timeout = clock_ns_to_ticks(SMP_SYNC_NS);
    for (round = 1; round < 2 * SMP_SYNC_ROUNDS; round += 2) {
        error = smp_sync_ask(round, timeout, &offset);
        if (error == UINT64_MAX) {
            break;
        }
        if (error < best_error) {
            best_error = error;
            best_offset = offset;
        }
    }
    if (best_error == UINT64_MAX) {
        log_warning("smp: cpu %u does not tell its time", cpu);
        return;
    }

    distance = (uint64_t)(best_offset < 0 ? -best_offset : best_offset);
    if (distance > best_error) {
        clock_set_skew(cpu, -best_offset);
        log_notice("smp: counter of cpu %u is off by %ld ticks, corrected", cpu,
                   best_offset);
    }
}

/*
 * First C of a CPU.
 */
__noreturn static void
smp_cpu_main(void)
{
    struct cpu *cpu;
    unsigned state;

    trap_early_load();
    pmap_load();
    cpu = &cpu_table[cpu_id()];
    state = CPU_STARTING;
    if (!atomic_compare_exchange_strong(&cpu->state, &state, CPU_ARRIVED)) {
        cpu_stop();
    }
    if (init_run_cpu() != OK) {
        cpu_stop();
    }

    smp_sync_answer();
    /* Pairs with the acquire in smp_wait_state(): all is set up. */
    atomic_store_explicit(&cpu->state, CPU_ONLINE, memory_order_release);
    sched_idle();
}

static void
smp_prepare_trampoline(void)
{
    struct smp_params *params;

    memcpy(pmap_direct_ptr(smp_trampoline), ap_boot_start,
           (size_t)(ap_boot_end - ap_boot_start));
    params = smp_params_get();
    params->cr3 = (uint32_t)pmap_map_identity_low();
    params->efer = (uint32_t)(msr_read(MSR_EFER) & (EFER_NXE | EFER_SCE)) |
                   0x100;
    params->far_offset =
        (uint32_t)(smp_trampoline + (size_t)(ap_boot_long - ap_boot_start));
    params->far_selector = 0x08;
    params->gdt_limit = sizeof(params->gdt) - 1;
    params->gdt_base = (uint32_t)(smp_trampoline + SMP_PARAMS_OFFSET +
                                  offsetof(struct smp_params, gdt));
    params->gdt[1] = UINT64_C(0x00af9b000000ffff);
    params->gdt[2] = UINT64_C(0x00cf93000000ffff);
    params->entry = (uint64_t)smp_cpu_main;
}

/*
 * Wait until a CPU has come as far as @state.
 */
static bool
smp_wait_state(struct cpu *cpu, enum cpu_state state, uint64_t ns)
{
    uint64_t end;

    end = clock_now() + ns;
    for (;;) {
        /* Pairs with the release in smp_cpu_main(). */
        if (atomic_load_explicit(&cpu->state, memory_order_acquire) >= state) {
            return true;
        }
        if (clock_now() >= end) {
            return false;
        }
        cpu_pause();
    }
}

/*
 * Send the start-up interrupt and see whether the CPU arrives.
 */
static bool
smp_wake_cpu(struct cpu *cpu, uint64_t timeout)
{
    unsigned page, state;

    page = (unsigned)(smp_trampoline >> PAGE_SHIFT);
    apic_send_startup(cpu->hw_id, page);
    if (!smp_wait_state(cpu, CPU_ARRIVED, SMP_STARTUP_NS)) {
        /* The second is for processors that miss the first. */
        apic_send_startup(cpu->hw_id, page);
    }
    if (smp_wait_state(cpu, CPU_ARRIVED, timeout)) {
        return true;
    }

    state = CPU_STARTING;
    if (!atomic_compare_exchange_strong(&cpu->state, &state, CPU_DEAD)) {
        return true;
    }
    apic_send_init(cpu->hw_id);
    return false;
}

status_t
smp_start_cpu(uint32_t number, uint64_t timeout)
{
    char name[KVA_NAME_SIZE];
    struct cpu *cpu;
    char *stack;

    cpu = &cpu_table[number];
    fmt_snprintf(name, sizeof(name), "stack of cpu %u", number);
    stack = kva_alloc_stack(name);
    if (stack == NULL) {
        return ERR_NO_MEMORY;
    }

    smp_params_get()->stack = (uint64_t)stack + KERNEL_STACK_SIZE;
    smp_params_get()->gs_base = percpu_offsets[number];
    atomic_store(&smp_sync.round, 0);
    atomic_store(&cpu->state, CPU_STARTING);
    if (!smp_wake_cpu(cpu, timeout)) {
        return ERR_TIMEOUT;
    }

    smp_sync_clock(number);
    return smp_wait_state(cpu, CPU_ONLINE, SMP_ONLINE_NS) ? OK : ERR_STATE;
}

void
smp_start_all(void)
{
    status_t status;
    uint32_t cpu;

    if (smp_trampoline == PADDR_NONE || cpu_nr_possible == 1) {
        log_info("cpu: 1 CPU online");
        return;
    }

    smp_prepare_trampoline();
    for (cpu = 1; cpu < cpu_nr_possible; cpu++) {
        apic_send_init(cpu_table[cpu].hw_id);
    }
    clock_spin(SMP_INIT_NS);
    for (cpu = 1; cpu < cpu_nr_possible; cpu++) {
        status = smp_start_cpu(cpu, SMP_ANSWER_NS);
        if (status != OK) {
            log_error("smp: cpu %u (apic id %u) is left out: %s", cpu,
                      cpu_table[cpu].hw_id, status_string(status));
        } else {
            log_debug("smp: cpu %u (apic id %u) is online", cpu,
                      cpu_table[cpu].hw_id);
        }
    }
    pmap_unmap_identity_low();
    log_info("cpu: %u CPUs online", cpu_nr_online());
}
