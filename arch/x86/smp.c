/* SPDX-License-Identifier: MIT */
/*
 * Starting the other CPUs, one after the other, and interrupts between them.
 *
 * A CPU that does not answer in time is left out.  Whether it did is decided
 * by one compare and swap of its state, by the CPU itself (STARTING to
 * ARRIVED before it takes any lock, ARRIVED to ONLINE when it is set up) or by
 * the boot CPU (to DEAD).  A dead CPU is sent INIT; should it be on its way,
 * it finds itself dead and stops, on the stack that stays its own.
 *
 * The list of CPUs is the firmware's word, so each wait is bounded, and after
 * some CPUs in a row that did not answer the others get little time.
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
#include <kern/panic.h>
#include <kern/percpu.h>
#include <kern/rcu.h>
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
#define SMP_ANSWER_NS        UINT64_C(5000000000)
#define SMP_HURRY_NS         UINT64_C(5000000)
#define SMP_HURRY_AFTER      4
#define SMP_ONLINE_NS        UINT64_C(10000000000)
#define SMP_SYNC_ROUNDS      8
#define SMP_SYNC_NS          UINT64_C(5000000000)

/* What the code of ap_boot.S finds at the end of its page. */
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

static_assert(offsetof(struct smp_params, gdt_limit) == 0x10, "ap_boot.S");
static_assert(offsetof(struct smp_params, stack) == 0x18, "ap_boot.S");
static_assert(offsetof(struct smp_params, gdt) == 0x30, "ap_boot.S");

extern const char ap_boot_start[], ap_boot_long[], ap_boot_end[];

/* Constant after smp_reserve(). */
static paddr_t smp_trampoline;

/* [B] stack of a CPU that does not exist, for the next one. */
static char *smp_spare_stack;

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
 * Answer the boot CPU's questions for the time, until it gives this CPU up.
 */
static void
smp_sync_answer(struct cpu *cpu)
{
    unsigned round;

    for (round = 1; round < 2 * SMP_SYNC_ROUNDS; round += 2) {
        /* Pairs with the release in smp_sync_ask(). */
        while (atomic_load_explicit(&smp_sync.round, memory_order_acquire) <
               round) {
            if (atomic_load_explicit(&cpu->state, memory_order_relaxed) !=
                CPU_ARRIVED) {
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

uint64_t
smp_compare_counters(uint64_t before, uint64_t there, uint64_t after,
                     int64_t *offset)
{
    *offset = (int64_t)(there - (before + (after - before) / 2));
    /* Not rounded down, as the middle is. */
    return (after - before + 1) / 2;
}

/*
 * Ask once.
 *
 * @offset  how far the other's counter is ahead
 *
 * Returns: the uncertainty of @offset, ticks; UINT64_MAX without an answer
 */
static uint64_t
smp_sync_ask(struct cpu *cpu, unsigned round, int64_t *offset)
{
    uint64_t before, after, there, timeout;

    timeout = clock_ns_to_ticks(SMP_SYNC_NS);
    before = clock_counter_ordered();
    /* Pairs with the acquire in smp_sync_answer(). */
    atomic_store_explicit(&smp_sync.round, round, memory_order_release);
    /* Pairs with the release in smp_sync_answer(). */
    while (atomic_load_explicit(&smp_sync.round, memory_order_acquire) ==
           round) {
        if (clock_counter_ordered() - before > timeout ||
            atomic_load_explicit(&cpu->state, memory_order_relaxed) ==
                CPU_DEAD) {
            return UINT64_MAX;
        }
        cpu_pause();
    }
    after = clock_counter_ordered();
    there = atomic_load_explicit(&smp_sync.time, memory_order_relaxed);
    return smp_compare_counters(before, there, after, offset);
}

/*
 * Compare the counters; correct the other's when it is certain that they
 * differ.
 *
 * Returns: false when the other does not answer
 */
static bool
smp_sync_clock(uint32_t cpu)
{
    uint64_t error, best_error, distance;
    int64_t offset, best_offset;
    unsigned round;

    best_error = UINT64_MAX;
    best_offset = 0;
    for (round = 1; round < 2 * SMP_SYNC_ROUNDS; round += 2) {
        error = smp_sync_ask(&cpu_table[cpu], round, &offset);
        if (error == UINT64_MAX) {
            return false;
        }
        if (error < best_error) {
            best_error = error;
            best_offset = offset;
        }
    }
    distance = (uint64_t)(best_offset < 0 ? -best_offset : best_offset);
    if (distance > best_error) {
        clock_set_skew(cpu, -best_offset);
        log_notice("smp: counter of cpu %u is off by %ld ticks, corrected", cpu,
                   best_offset);
    }
    return true;
}

/* Change a CPU's state, unless it is not what it was thought to be. */
static bool
smp_change_state(struct cpu *cpu, unsigned from, enum cpu_state to)
{
    return atomic_compare_exchange_strong(&cpu->state, &from, to);
}

/*
 * First C of a CPU.
 */
__noreturn static void
smp_cpu_main(void)
{
    struct cpu *cpu;

    trap_early_load();
    pmap_load();
    cpu = &cpu_table[cpu_id()];
    if (!smp_change_state(cpu, CPU_STARTING, CPU_ARRIVED)) {
        cpu_stop();
    }
    if (init_run_cpu() != OK) {
        smp_change_state(cpu, CPU_ARRIVED, CPU_DEAD);
        cpu_stop();
    }

    smp_sync_answer(cpu);
    /*
     * A panic stops the CPUs that it sees online; whom it does not see so must
     * see it.  Both accesses are sequentially consistent on both sides.
     */
    if (!smp_change_state(cpu, CPU_ARRIVED, CPU_ONLINE) || panic_is_active()) {
        cpu_stop();
    }
    latency_start();
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
 * Whether a CPU can be told from this one and from all others by what the
 * interrupts are sent to: 8 bits, of which 255 means all, without x2APIC.
 */
static bool
smp_can_reach(const struct cpu *cpu)
{
    uint32_t all;

    all = apic_is_x2apic() ? UINT32_MAX : 0xff;
    return cpu->hw_id < all && cpu->hw_id != apic_id();
}

status_t
smp_wake_cpu(struct cpu *cpu, uint64_t timeout)
{
    unsigned page;

    if (!smp_can_reach(cpu)) {
        atomic_store(&cpu->state, CPU_DEAD);
        return ERR_UNSUPPORTED;
    }

    atomic_store(&cpu->state, CPU_STARTING);
    page = (unsigned)(smp_trampoline >> PAGE_SHIFT);
    apic_send_startup(cpu->hw_id, page);
    if (!smp_wait_state(cpu, CPU_ARRIVED, MIN(timeout, SMP_STARTUP_NS))) {
        /* The second is for processors that miss the first. */
        apic_send_startup(cpu->hw_id, page);
    }
    if (smp_wait_state(cpu, CPU_ARRIVED, timeout) ||
        !smp_change_state(cpu, CPU_STARTING, CPU_DEAD)) {
        return OK;
    }

    apic_send_init(cpu->hw_id);
    return ERR_TIMEOUT;
}

/* Give a CPU up that has come, but no further. */
static status_t
smp_give_up(struct cpu *cpu)
{
    if (!smp_change_state(cpu, CPU_ARRIVED, CPU_DEAD) &&
        atomic_load(&cpu->state) == CPU_ONLINE) {
        return OK;
    }
    return ERR_STATE;
}

/*
 * Start one CPU of the table, which is in its wait for a start-up interrupt.
 *
 * @timeout  nanoseconds that it has to answer
 */
static status_t
smp_start_cpu(uint32_t number, uint64_t timeout)
{
    struct smp_params *params;
    char name[KVA_NAME_SIZE];
    struct cpu *cpu;
    status_t status;
    char *stack;

    cpu = &cpu_table[number];
    fmt_snprintf(name, sizeof(name), "stack of cpu %u", number);
    stack = smp_spare_stack != NULL ? smp_spare_stack : kva_alloc_stack(name);
    smp_spare_stack = NULL;
    if (stack == NULL) {
        return ERR_NO_MEMORY;
    }

    params = smp_params_get();
    params->stack = (uint64_t)stack + KERNEL_STACK_SIZE;
    params->gs_base = percpu_offsets[number];
    atomic_store(&smp_sync.round, 0);
    status = smp_wake_cpu(cpu, timeout);
    if (status == ERR_UNSUPPORTED || timeout == SMP_HURRY_NS) {
        /* Nobody runs on it: it would not fit thousands of times. */
        smp_spare_stack = status == OK ? NULL : stack;
    }
    if (status != OK) {
        return status;
    }

    if (smp_sync_clock(number)) {
        smp_wait_state(cpu, CPU_ONLINE, SMP_ONLINE_NS);
    }
    return smp_give_up(cpu);
}

/* Returns: whether the CPU came */
static bool
smp_start_and_report(uint32_t number, uint64_t timeout)
{
    status_t status;
    uint32_t hw_id;

    hw_id = cpu_table[number].hw_id;
    /* Until it takes part in RCU the CPU reads under this section. */
    rcu_read_lock();
    status = smp_start_cpu(number, timeout);
    rcu_read_unlock();
    if (status != OK) {
        log_error("smp: cpu %u (apic id %u) is left out: %s", number, hw_id,
                  status_string(status));
        return false;
    }

    log_debug("smp: cpu %u (apic id %u) is online", number, hw_id);
    return true;
}

void
smp_start_all(void)
{
    unsigned nr_silent;
    uint32_t cpu;

    if (smp_trampoline == PADDR_NONE || cpu_nr_possible == 1) {
        log_info("cpu: 1 CPU online");
        return;
    }

    smp_prepare_trampoline();
    for (cpu = 1; cpu < cpu_nr_possible; cpu++) {
        if (smp_can_reach(&cpu_table[cpu])) {
            apic_send_init(cpu_table[cpu].hw_id);
        }
    }
    clock_spin(SMP_INIT_NS);

    nr_silent = 0;
    for (cpu = 1; cpu < cpu_nr_possible; cpu++) {
        if (smp_start_and_report(cpu, nr_silent < SMP_HURRY_AFTER
                                          ? SMP_ANSWER_NS
                                          : SMP_HURRY_NS)) {
            nr_silent = 0;
        } else {
            nr_silent++;
        }
    }
    pmap_unmap_identity_low();
    log_info("cpu: %u CPUs online", cpu_nr_online());
}
