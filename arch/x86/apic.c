/* SPDX-License-Identifier: MIT */
/*
 * Source: Intel SDM vol. 3A, "Advanced Programmable Interrupt Controller".
 */
#include <arch/clock.h>
#include <arch/cpu.h>
#include <kern/clock.h>
#include <kern/cpu.h>
#include <kern/init.h>
#include <kern/irq.h>
#include <kern/kva.h>
#include <kern/log.h>
#include <kern/sched.h>
#include <kern/timer.h>
#include <kern/xcall.h>
#include <lib/macros.h>

#include "apic.h"
#include "cpuid.h"
#include "msr.h"
#include "trap_frame.h"

/* Register numbers: of x2APIC, and 16 bytes each in memory. */
#define APIC_ID            0x02
#define APIC_TPR           0x08
#define APIC_EOI           0x0b
#define APIC_LDR           0x0d
#define APIC_SPURIOUS      0x0f
#define APIC_ISR           0x10
#define APIC_NR_ISR        8
#define APIC_ESR           0x28
#define APIC_ICR           0x30
#define APIC_ICR_HIGH      0x31
#define APIC_LVT_TIMER     0x32
#define APIC_LVT_LINT0     0x35
#define APIC_LVT_LINT1     0x36
#define APIC_LVT_ERROR     0x37
#define APIC_TIMER_INITIAL 0x38
#define APIC_TIMER_CURRENT 0x39
#define APIC_TIMER_DIVIDE  0x3e

#define APIC_ENABLE           0x100
#define APIC_MASKED           0x10000
#define APIC_TIMER_DEADLINE   0x40000
#define APIC_TIMER_DIVIDE_BY1 0xb

#define APIC_ICR_INIT     0x500
#define APIC_ICR_STARTUP  0x600
#define APIC_ICR_NMI      0x400
#define APIC_ICR_ASSERT   0x4000
#define APIC_ICR_LEVEL    0x8000
#define APIC_ICR_PENDING  0x1000
#define APIC_ICR_SELF     0x40000
#define APIC_LVT_NMI      0x400
#define APIC_LVT_LOW      0x2000
#define APIC_LVT_LEVEL    0x8000
#define APIC_PENDING_SPIN 1000000

#define APIC_CALIBRATE_NS UINT64_C(2000000)
#define APIC_READINGS     5

/*
 * 2^33 ns, 9 s, at less than 2^6 ticks a nanosecond: the product fits in
 * 64 bits.
 */
#define APIC_TIMER_SHIFT      24
#define APIC_TIMER_MAX_NS     (UINT64_C(1) << 33)
#define APIC_TIMER_MAX_FACTOR (UINT64_C(1) << 30)

/* Set on the boot CPU, constant from then on. */
static bool apic_x2apic;
static bool apic_has_deadline;
static volatile uint32_t *apic_registers;
static uint64_t apic_timer_factor; /* ticks a nanosecond, << TIMER_SHIFT */
static uint32_t apic_lvt_nmi[2] = { APIC_MASKED, APIC_LVT_NMI };

static uint32_t
apic_read(unsigned reg)
{
    if (apic_x2apic) {
        return (uint32_t)msr_read(MSR_X2APIC_BASE + reg);
    }
    return apic_registers[reg * 4];
}

static void
apic_write(unsigned reg, uint32_t value)
{
    if (apic_x2apic) {
        msr_write(MSR_X2APIC_BASE + reg, value);
    } else {
        apic_registers[reg * 4] = value;
    }
}

void
apic_set_nmi_line(unsigned lint, uint16_t flags)
{
    if (lint > 1) {
        return;
    }

    apic_lvt_nmi[lint] = APIC_LVT_NMI;
    if ((flags & 3) == 3) {
        apic_lvt_nmi[lint] |= APIC_LVT_LOW;
    }
    if ((flags & 0xc) == 0xc) {
        apic_lvt_nmi[lint] |= APIC_LVT_LEVEL;
    }
}

void
apic_eoi(void)
{
    apic_write(APIC_EOI, 0);
}

bool
apic_is_in_service(unsigned vector)
{
    return (apic_read(APIC_ISR + vector / 32) >> (vector % 32)) & 1;
}

uint32_t
apic_id(void)
{
    uint32_t id;

    id = apic_read(APIC_ID);
    return apic_x2apic ? id : id >> 24;
}

bool
apic_is_x2apic(void)
{
    return apic_x2apic;
}

/*
 * In xAPIC mode the two halves must not be torn apart by an interrupt that
 * sends too, and the last command must have gone.
 */
static void
apic_write_icr(uint32_t dest, uint32_t command)
{
    uint64_t flags;
    uint32_t spins;

    if (apic_x2apic) {
        /*
         * Stores before are visible first: wrmsr to x2APIC waits for no store,
         * and mfence alone does not keep it from executing early.
         */
        __asm__ volatile("mfence; lfence" : : : "memory");
        msr_write(MSR_X2APIC_BASE + APIC_ICR, ((uint64_t)dest << 32) | command);
        return;
    }

    flags = cpu_irq_save();
    for (spins = 0; spins < APIC_PENDING_SPIN; spins++) {
        if (!(apic_read(APIC_ICR) & APIC_ICR_PENDING)) {
            break;
        }
        cpu_pause();
    }
    apic_write(APIC_ICR_HIGH, dest << 24);
    apic_write(APIC_ICR, command);
    cpu_irq_restore(flags);
}

void
apic_send(uint32_t dest, unsigned vector)
{
    apic_write_icr(dest, APIC_ICR_ASSERT | vector);
}

void
apic_send_nmi(uint32_t dest)
{
    apic_write_icr(dest, APIC_ICR_ASSERT | APIC_ICR_NMI);
}

void
apic_send_init(uint32_t dest)
{
    apic_write_icr(dest, APIC_ICR_LEVEL | APIC_ICR_ASSERT | APIC_ICR_INIT);
    if (!apic_x2apic) {
        apic_write_icr(dest, APIC_ICR_LEVEL | APIC_ICR_INIT);
    }
}

void
apic_send_startup(uint32_t dest, unsigned page)
{
    apic_write_icr(dest, APIC_ICR_ASSERT | APIC_ICR_STARTUP | page);
}

/*
 * @value  a deadline, or ticks to count, as the timer has it; 0 stops it
 */
static void
apic_set_timer(uint64_t value)
{
    /* The emulator that counts instructions ends the CPU's turn here. */
    latency_turn();
    if (apic_has_deadline) {
        msr_write(MSR_TSC_DEADLINE, value);
    } else {
        apic_write(APIC_TIMER_INITIAL, (uint32_t)value);
    }
    latency_turn_again();
}

void
clock_arm(uint64_t deadline)
{
    uint64_t now, ns, ticks;

    if (apic_has_deadline) {
        apic_set_timer(clock_deadline_to_counter(deadline));
        return;
    }

    now = clock_now();
    if (deadline <= now) {
        /* An emulator's timer takes a while, even for no time at all. */
        apic_write_icr(0, APIC_ICR_SELF | APIC_ICR_ASSERT | VECTOR_TIMER);
        return;
    }

    ns = MIN(deadline - now, APIC_TIMER_MAX_NS);
    ticks = ((ns * apic_timer_factor) >> APIC_TIMER_SHIFT) + 1;
    /* A longer time comes in pieces: the handler arms again. */
    apic_set_timer(MIN(ticks, UINT64_C(0xffffffff)));
}

void
clock_disarm(void)
{
    apic_set_timer(0);
}

/* Timer and clock, read at one time. */
struct apic_reading {
    uint64_t ns;
    uint32_t ticks; /* counts down */
};

/*
 * Of some readings the one that took the shortest time: the others may have
 * been interrupted, by a busy host or by system management.
 */
static struct apic_reading
apic_take_reading(void)
{
    struct apic_reading best = { 0, 0 };
    uint64_t before, after, distance;
    uint32_t ticks;
    unsigned i;

    distance = UINT64_MAX;
    for (i = 0; i < APIC_READINGS; i++) {
        before = clock_now();
        ticks = apic_read(APIC_TIMER_CURRENT);
        after = clock_now();
        if (after - before < distance) {
            distance = after - before;
            best.ns = before + distance / 2;
            best.ticks = ticks;
        }
    }
    return best;
}

/*
 * Returns: OK; ERR_IO, the timer stands still or is impossibly fast
 */
static status_t
apic_calibrate_timer(void)
{
    struct apic_reading start, end;
    uint64_t ticks, ns;

    apic_write(APIC_TIMER_DIVIDE, APIC_TIMER_DIVIDE_BY1);
    apic_write(APIC_LVT_TIMER, APIC_MASKED | VECTOR_TIMER);
    apic_write(APIC_TIMER_INITIAL, 0xffffffff);
    start = apic_take_reading();
    clock_spin(APIC_CALIBRATE_NS);
    end = apic_take_reading();
    apic_write(APIC_TIMER_INITIAL, 0);

    ticks = start.ticks - end.ticks;
    ns = end.ns - start.ns;
    apic_timer_factor = (ticks << APIC_TIMER_SHIFT) / ns;
    if (apic_timer_factor == 0 || apic_timer_factor > APIC_TIMER_MAX_FACTOR) {
        log_error("apic: timer makes %lu ticks in %lu ns", ticks, ns);
        return ERR_IO;
    }

    log_info("apic: timer at %lu kHz", ticks * UINT64_C(1000000) / ns);
    return OK;
}

static status_t
apic_choose_mode(void)
{
    uint64_t base;

    if (!cpuid_has(CPUID_APIC)) {
        return ERR_UNSUPPORTED;
    }

    base = msr_read(MSR_APIC_BASE);
    apic_x2apic = cpuid_has(CPUID_X2APIC) || (base & APIC_BASE_X2APIC);
    if (!apic_x2apic) {
        apic_registers = kva_map_mmio(base & APIC_BASE_ADDR, PAGE_SIZE, PMAP_UC,
                                      "local APIC");
        if (apic_registers == NULL) {
            return ERR_NO_MEMORY;
        }
    }
    apic_has_deadline = cpuid_has(CPUID_TSC_DEADLINE);
    log_info("apic: %s, %s timer", apic_x2apic ? "x2apic" : "xapic",
             apic_has_deadline ? "tsc deadline" : "one-shot");
    return OK;
}

static void
apic_error(void *ctx __unused)
{
    apic_write(APIC_ESR, 0);
    log_warning("apic: error %#x on cpu %u", apic_read(APIC_ESR), cpu_id());
}

static void
apic_xcall(void *ctx __unused)
{
    xcall_handle();
}

static void
apic_attach(void)
{
    irq_attach_vector(VECTOR_TIMER, "timer", timer_interrupt, NULL);
    irq_attach_vector(VECTOR_XCALL, "cross call", apic_xcall, NULL);
    irq_attach_vector(VECTOR_WAKE, "wake-up", sched_interrupt, NULL);
    irq_attach_vector(VECTOR_ERROR, "apic error", apic_error, NULL);
}

/*
 * What firmware took and did not acknowledge would block all interrupts of
 * lower priority.  Each acknowledgement ends the one of highest priority.
 */
static void
apic_end_stale(void)
{
    unsigned i, n;

    for (i = 0; i < APIC_NR_ISR; i++) {
        for (n = 0; n < 32 && apic_read(APIC_ISR + i) != 0; n++) {
            apic_eoi();
        }
    }
}

static void
apic_enable(void)
{
    uint64_t base;

    base = msr_read(MSR_APIC_BASE) | APIC_BASE_ENABLE;
    msr_write(MSR_APIC_BASE, base);
    if (apic_x2apic) {
        /* From disabled to x2APIC only by way of enabled. */
        msr_write(MSR_APIC_BASE, base | APIC_BASE_X2APIC);
    }

    /* First: while the APIC is disabled, local vectors stay masked. */
    apic_write(APIC_SPURIOUS, APIC_ENABLE | VECTOR_SPURIOUS);
    apic_end_stale();
    apic_write(APIC_TPR, 0);
    apic_write(APIC_LVT_LINT0, apic_lvt_nmi[0]);
    apic_write(APIC_LVT_LINT1, apic_lvt_nmi[1]);
    apic_write(APIC_LVT_ERROR, VECTOR_ERROR);
    apic_write(APIC_ESR, 0);
}

bool
apic_is_ready(void)
{
    uint32_t spurious, masked, lint1;

    spurious = apic_read(APIC_SPURIOUS);
    masked = apic_read(APIC_LVT_ERROR) & APIC_MASKED;
    lint1 = apic_read(APIC_LVT_LINT1) ^ apic_lvt_nmi[1];
    return (spurious & APIC_ENABLE) && !masked && !(lint1 & APIC_MASKED);
}

static status_t
apic_setup(void)
{
    status_t status;

    if (cpu_id() == 0) {
        status = apic_choose_mode();
        if (status != OK) {
            return status;
        }
        apic_attach();
    }

    apic_enable();
    if (apic_id() != cpu_table[cpu_id()].hw_id) {
        log_warning("apic: id of cpu %u is %u, not %u", cpu_id(), apic_id(),
                    cpu_table[cpu_id()].hw_id);
        cpu_table[cpu_id()].hw_id = apic_id();
    }
    if (apic_has_deadline) {
        apic_write(APIC_LVT_TIMER, APIC_TIMER_DEADLINE | VECTOR_TIMER);
        /* The mode is set before the first deadline is written. */
        __asm__ volatile("mfence; lfence" : : : "memory");
        return OK;
    }

    status = cpu_id() == 0 ? apic_calibrate_timer() : OK;
    if (status != OK) {
        return status;
    }
    apic_write(APIC_TIMER_DIVIDE, APIC_TIMER_DIVIDE_BY1);
    apic_write(APIC_LVT_TIMER, VECTOR_TIMER);
    return OK;
}

INIT_OP(apic_setup, INIT_EACH_CPU, AFTER(trap_setup), AFTER(acpi_setup),
        AFTER(clock_setup), AFTER(pic_setup));
