/* SPDX-License-Identifier: MIT */
/*
 * How fast the time-stamp counter goes: measured against HPET, the ACPI timer
 * or the PIT, in that order.  CPUID says it more exactly, where it says it,
 * but not everywhere truly, so it counts if the measurement agrees or there is
 * none.
 *
 * A measurement reads the reference between two reads of the counter and
 * keeps the pair that lies closest together, so that an interrupted reading
 * (a busy host, a system management interrupt) does not count.  It is made
 * until two in a row agree: a reference that wrapped meanwhile would be
 * believed otherwise, and the PIT's does after 55 ms.  Every wait is bounded
 * by a number of reads: a reference that stands still is given up.
 */
#include <arch/boot_info.h>
#include <arch/clock.h>
#include <arch/cpu.h>
#include <arch/image.h>
#include <arch/pmap.h>
#include <kern/clock.h>
#include <kern/init.h>
#include <kern/kva.h>
#include <kern/log.h>

#include "acpi.h"
#include "cpuid.h"
#include "io.h"
#include "tsc.h"

#define TSC_MEASURE_DIVIDER 400 /* of a second: 2.5 ms, at least twice */
#define TSC_MEASURES        10
#define TSC_READINGS        5
#define TSC_WAIT_READS      UINT32_C(20000000)
#define TSC_STUCK_READS     UINT32_C(100000)
#define TSC_AGREE_SHIFT     8 /* between two measurements */
#define TSC_BELIEVE_SHIFT   5 /* between them and CPUID */
#define TSC_MIN_HZ          UINT64_C(1000000)
#define TSC_MAX_HZ          UINT64_C(20000000000)

#define TSC_NOPS        64
#define TSC_NOPS_ROUNDS 8

#define HPET_CAPABILITIES 0x00
#define HPET_CONFIG       0x10
#define HPET_COUNTER      0xf0
#define HPET_ENABLE       1
#define HPET_SIZE         0x400
#define HPET_MAX_PERIOD   UINT64_C(100000000) /* femtoseconds */
#define FS_PER_S          UINT64_C(1000000000000000)

#define PM_TIMER_HZ UINT64_C(3579545)
#define PIT_HZ      UINT64_C(1193182)

/* A clock of known frequency that counts up. */
struct tsc_reference {
    const char *name;
    uint64_t frequency; /* ticks in a second */
    uint64_t mask;      /* where it wraps */
    uint64_t (*read)(void);
};

/* Used while calibrating on the boot CPU. */
static volatile uint32_t *tsc_hpet;
static uint16_t tsc_pm_port;

extern const uint32_t boot_tsc_lo[], boot_tsc_hi[];

static uint64_t
tsc_read_hpet(void)
{
    return tsc_hpet[HPET_COUNTER / 4];
}

static uint64_t
tsc_read_pm_timer(void)
{
    return inl(tsc_pm_port);
}

/* Channel 2, latched; it counts down. */
static uint64_t
tsc_read_pit(void)
{
    uint64_t count;

    outb(0x43, 0x80);
    count = inb(0x42);
    count |= (uint64_t)inb(0x42) << 8;
    return 0xffff - count;
}

static bool
tsc_open_hpet(struct tsc_reference *reference)
{
    const struct acpi_info *acpi;
    uint64_t period;

    acpi = acpi_info_get();
    if (!acpi->hpet.present || acpi->hpet.base.space != ACPI_SPACE_MEMORY) {
        return false;
    }
    if (!acpi_is_device(acpi->hpet.base.address, HPET_SIZE)) {
        log_warning("clock: HPET at %#lx is ignored", acpi->hpet.base.address);
        return false;
    }

    tsc_hpet =
        kva_map_mmio(acpi->hpet.base.address, HPET_SIZE, PMAP_UC, "HPET");
    if (tsc_hpet == NULL) {
        return false;
    }

    period = tsc_hpet[HPET_CAPABILITIES / 4 + 1];
    if (period == 0 || period > HPET_MAX_PERIOD) {
        log_warning("clock: HPET with a period of %lu fs is ignored", period);
        return false;
    }

    tsc_hpet[HPET_CONFIG / 4] |= HPET_ENABLE;
    reference->name = "HPET";
    reference->frequency = FS_PER_S / period;
    reference->mask = UINT32_MAX;
    reference->read = tsc_read_hpet;
    return true;
}

static bool
tsc_open_pm_timer(struct tsc_reference *reference)
{
    const struct acpi_fixed *fixed;

    fixed = &acpi_info_get()->fixed;
    if (!fixed->present || fixed->hw_reduced || fixed->pm_timer.address == 0 ||
        fixed->pm_timer.space != ACPI_SPACE_IO ||
        fixed->pm_timer.address > UINT16_MAX) {
        return false;
    }

    tsc_pm_port = (uint16_t)fixed->pm_timer.address;
    reference->name = "ACPI timer";
    reference->frequency = PM_TIMER_HZ;
    reference->mask = 0xffffff;
    reference->read = tsc_read_pm_timer;
    return true;
}

static bool
tsc_open_pit(struct tsc_reference *reference)
{
    /* Gate of channel 2 on, speaker off; then mode 0 from 65535. */
    outb(0x61, (uint8_t)((inb(0x61) & ~2U) | 1));
    outb(0x43, 0xb0);
    outb(0x42, 0xff);
    outb(0x42, 0xff);
    reference->name = "PIT";
    reference->frequency = PIT_HZ;
    reference->mask = 0xffff;
    reference->read = tsc_read_pit;
    return true;
}

static struct tsc_reading
tsc_take_reading(const struct tsc_reference *reference)
{
    struct tsc_reading best = { 0, 0 };
    uint64_t before, after, value, distance;
    unsigned i;

    distance = UINT64_MAX;
    for (i = 0; i < TSC_READINGS; i++) {
        before = clock_counter_ordered();
        value = reference->read();
        after = clock_counter_ordered();
        if (after - before < distance) {
            distance = after - before;
            best.counter = before + distance / 2;
            best.reference = value;
        }
    }
    return best;
}

/*
 * Wait until the reference has moved by @ticks.
 *
 * Returns: false when it stands still
 */
static bool
tsc_wait(const struct tsc_reference *reference, uint64_t start, uint64_t ticks)
{
    uint64_t moved;
    uint32_t reads;

    for (reads = 0; reads < TSC_WAIT_READS; reads++) {
        moved = (reference->read() - start) & reference->mask;
        if (moved >= ticks) {
            return true;
        }
        if (moved == 0 && reads > TSC_STUCK_READS) {
            return false;
        }
        cpu_pause();
    }
    return false;
}

uint64_t
tsc_compute(const struct tsc_reading *start, const struct tsc_reading *end,
            uint64_t frequency, uint64_t mask)
{
    uint64_t moved;

    moved = (end->reference - start->reference) & mask;
    if (moved == 0) {
        return 0;
    }
    return (uint64_t)((unsigned __int128)(end->counter - start->counter) *
                      frequency / moved);
}

bool
tsc_is_near(uint64_t a, uint64_t b, unsigned shift)
{
    return (a > b ? a - b : b - a) <= (a >> shift);
}

/* Returns: the frequency, 0 when the reference does not work */
static uint64_t
tsc_measure_once(const struct tsc_reference *reference)
{
    struct tsc_reading start, end;

    start = tsc_take_reading(reference);
    if (!tsc_wait(reference, start.reference,
                  reference->frequency / TSC_MEASURE_DIVIDER)) {
        log_warning("clock: %s stands still", reference->name);
        return 0;
    }

    end = tsc_take_reading(reference);
    return tsc_compute(&start, &end, reference->frequency, reference->mask);
}

/* Returns: the frequency, 0 when the reference does not work */
static uint64_t
tsc_measure(const struct tsc_reference *reference)
{
    uint64_t last, frequency;
    unsigned i;

    frequency = 0;
    for (i = 0; i < TSC_MEASURES; i++) {
        last = frequency;
        frequency = tsc_measure_once(reference);
        if (frequency == 0) {
            return 0;
        }
        if (tsc_is_near(frequency, last, TSC_AGREE_SHIFT)) {
            return frequency / 2 + last / 2;
        }
    }
    log_warning("clock: by %s at %lu kHz and at %lu", reference->name,
                last / 1000, frequency / 1000);
    return frequency;
}

/*
 * Source: Intel SDM vol. 3B, "Determining the Processor Base Frequency".
 */
static uint64_t
tsc_frequency_cpuid(void)
{
    struct cpuid_regs regs;

    regs = cpuid_read(0x15, 0);
    if (regs.r[CPUID_EAX] != 0 && regs.r[CPUID_EBX] != 0 &&
        regs.r[CPUID_ECX] != 0) {
        return (uint64_t)regs.r[CPUID_ECX] * regs.r[CPUID_EBX] /
               regs.r[CPUID_EAX];
    }
    return 0;
}

static bool
tsc_is_plausible(uint64_t frequency)
{
    return frequency >= TSC_MIN_HZ && frequency <= TSC_MAX_HZ;
}

/* By the first reference that works; 0 if none does. */
static uint64_t
tsc_measure_any(const char **source)
{
    static bool (*const open[])(struct tsc_reference *) = {
        tsc_open_hpet,
        tsc_open_pm_timer,
        tsc_open_pit,
    };
    struct tsc_reference reference;
    uint64_t frequency;
    unsigned i;

    for (i = 0; i < ARRAY_SIZE(open); i++) {
        frequency = open[i](&reference) ? tsc_measure(&reference) : 0;
        if (tsc_is_plausible(frequency)) {
            *source = reference.name;
            return frequency;
        }
    }
    return 0;
}

static uint64_t
tsc_find_frequency(const char **source)
{
    uint64_t told, measured;

    told = tsc_frequency_cpuid();
    measured = tsc_measure_any(source);
    if (!tsc_is_plausible(told)) {
        return measured;
    }
    if (measured != 0 && !tsc_is_near(told, measured, TSC_BELIEVE_SHIFT)) {
        log_warning("clock: CPUID says %lu kHz, which is not so", told / 1000);
        return measured;
    }

    *source = "CPUID";
    return told;
}

/* Ticks in which some instructions that do nothing are executed. */
static uint32_t
tsc_time_nops(void)
{
    uint32_t ticks;

    __asm__ volatile("rdtsc\n\t"
                     "movl %%eax, %0\n\t"
                     ".rept %c1\n\t"
                     "nop\n\t"
                     ".endr\n\t"
                     "rdtsc\n\t"
                     "subl %0, %%eax\n\t"
                     "movl %%eax, %0"
                     : "=&r"(ticks)
                     : "i"(TSC_NOPS)
                     : "eax", "edx", "cc");
    return ticks;
}

bool
clock_counts_instructions(void)
{
    unsigned i;

    for (i = 0; i < TSC_NOPS_ROUNDS; i++) {
        /* One read and the move are within. */
        if (tsc_time_nops() != TSC_NOPS + 2) {
            return false;
        }
    }
    return true;
}

static status_t
clock_setup(void)
{
    const uint32_t *lo, *hi;
    uint64_t frequency;
    const char *source;

    if (!cpuid_has(CPUID_TSC)) {
        return ERR_UNSUPPORTED;
    }

    frequency = tsc_find_frequency(&source);
    if (frequency == 0) {
        log_warning("clock: no reference works, taking the counter as 1 GHz");
        source = "a guess";
        frequency = UINT64_C(1000000000);
    }

    lo = pmap_direct_ptr((uintptr_t)boot_tsc_lo + kernel_phys_offset);
    hi = pmap_direct_ptr((uintptr_t)boot_tsc_hi + kernel_phys_offset);
    clock_set_frequency(frequency, ((uint64_t)*hi << 32) | *lo);
    log_info("clock: counter at %lu kHz by %s%s", frequency / 1000, source,
             cpuid_has(CPUID_INVARIANT_TSC) ? ", invariant" : "");
    return OK;
}

INIT_OP(clock_setup, INIT_BOOT_CPU, AFTER(kva_setup), AFTER(acpi_setup));
