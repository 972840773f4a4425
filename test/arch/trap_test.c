/* SPDX-License-Identifier: MIT */
#include <stdatomic.h>

#include <arch/cpu.h>
#include <arch/layout.h>
#include <arch/pmap.h>
#include <arch/sample.h>
#include <arch/trap.h>
#include <arch/x86/apic.h>
#include <arch/x86/gdt.h>
#include <arch/x86/msr.h>
#include <arch/x86/nmi.h>
#include <arch/x86/trap_frame.h>
#include <kern/all_cpus.h>
#include <kern/backtrace.h>
#include <kern/clock.h>
#include <kern/cpu.h>
#include <kern/irq.h>
#include <kern/kva.h>
#include <kern/timer.h>
#include <test/stay.h>
#include <test/test.h>

#define TRAP_FLAG_DF UINT64_C(0x400)
#define TRAP_FLAG_AC UINT64_C(0x40000)

/* A kernel address that is not mapped: below all that kva hands out. */
#define TRAP_UNMAPPED KVA_BASE

/* Longest wait for another CPU. */
#define TRAP_WAIT_NS UINT64_C(20000000000)

/* Samples in a row that a CPU may not answer because it stands still. */
#define TRAP_SILENT 100

/* Most between two NMIs of a CPU, for each CPU that there is. */
#define TRAP_NMI_PAUSE_NS UINT64_C(100000)

struct trap_pointer {
    uint16_t limit;
    uint64_t base;
} __packed;

static uint64_t
trap_test_flags(void)
{
    uint64_t flags;

    __asm__ volatile("pushfq; popq %0" : "=r"(flags) : : "memory");
    return flags;
}

TEST(trap, safe_read_reads)
{
    uint64_t word = UINT64_C(0x0123456789abcdef), value = 0;

    EXPECT(trap_safe_read((uintptr_t)&word, &value));
    EXPECT_EQ(value, word);
}

TEST(trap, safe_read_of_unmapped_fails)
{
    uint64_t value = 7;

    EXPECT(!trap_safe_read(TRAP_UNMAPPED, &value));
    EXPECT(!trap_safe_read(0, &value));
    EXPECT(!trap_safe_read(TRAP_UNMAPPED - 4, &value));
    EXPECT_EQ(value, 7);
}

TEST(trap, safe_read_of_impossible_address_fails)
{
    uint64_t value = 7;

    EXPECT(!trap_safe_read(UINT64_C(1) << 63, &value));
    EXPECT(!trap_safe_read(UINT64_C(0x0000800000000000), &value));
    EXPECT(!trap_safe_read(UINT64_C(0xfffffffffffffffc), &value));
    EXPECT_EQ(value, 7);
}

/* The failure must restore all registers and the interrupt state. */
TEST(trap, failed_safe_read_keeps_interrupts)
{
    uint64_t value, flags;

    EXPECT(!trap_safe_read(TRAP_UNMAPPED, &value));
    EXPECT(cpu_irq_is_enabled());
    flags = cpu_irq_save();
    EXPECT(!trap_safe_read(TRAP_UNMAPPED, &value));
    EXPECT(!cpu_irq_is_enabled());
    cpu_irq_restore(flags);
}

static volatile uint64_t trap_timer_flags;
static volatile uint8_t trap_timer_ran;

static void
trap_timer_fn(struct timer *timer __unused)
{
    trap_timer_flags = trap_test_flags();
    trap_timer_ran = 1;
}

/* AC would let the kernel read user memory by mistake, DF break copies. */
TEST(trap, entry_clears_ac_and_df)
{
    struct timer timer;

    /* The interrupt must come to this thread. */
    test_rule(t);
    trap_timer_ran = 0;
    timer_init(&timer, trap_timer_fn, "test");
    timer_start(&timer, clock_now() + UINT64_C(1000000));
    __asm__ volatile("pushfq\n\t"
                     "orq %1, (%%rsp)\n\t"
                     "popfq\n"
                     "1:\n\t"
                     "pause\n\t"
                     "cmpb $0, %0\n\t"
                     "je 1b\n\t"
                     "pushfq\n\t"
                     "andq %2, (%%rsp)\n\t"
                     "popfq"
                     : "+m"(trap_timer_ran)
                     : "i"(TRAP_FLAG_AC | TRAP_FLAG_DF),
                       "i"((int32_t)~(TRAP_FLAG_AC | TRAP_FLAG_DF))
                     : "memory", "cc");
    timer_cancel(&timer);
    EXPECT_EQ(trap_timer_flags & (TRAP_FLAG_AC | TRAP_FLAG_DF), 0);
}

TEST(trap, table_is_read_only)
{
    struct trap_pointer pointer;
    struct pmap_walk walk;

    __asm__ volatile("sidt %0" : "=m"(pointer));
    EXPECT_EQ(pointer.limit, VECTOR_NR * 16 - 1);
    ASSERT(pmap_walk(pointer.base, &walk));
    EXPECT_EQ(walk.prot & PMAP_WRITE, 0);
}

/* What each CPU finds about itself; indexed by CPU number. */
#define TRAP_CPUS 256
static uint64_t trap_ist[TRAP_CPUS][GDT_NR_IST];
static uint64_t trap_gdt[TRAP_CPUS], trap_idt[TRAP_CPUS];

static void
trap_collect_tables(void *arg __unused)
{
    struct trap_pointer gdt, idt;
    const uint64_t *entry;
    const uint8_t *tss;
    uint32_t cpu;
    unsigned i;

    cpu = cpu_id();
    if (cpu >= TRAP_CPUS) {
        return;
    }

    __asm__ volatile("sgdt %0" : "=m"(gdt));
    __asm__ volatile("sidt %0" : "=m"(idt));
    trap_gdt[cpu] = gdt.base;
    trap_idt[cpu] = idt.base;
    entry = (const uint64_t *)(gdt.base + GDT_TSS);
    tss = (const uint8_t *)(((entry[0] >> 16) & 0xffffff) |
                            (((entry[0] >> 56) & 0xff) << 24) |
                            (entry[1] << 32));
    for (i = 0; i < GDT_NR_IST; i++) {
        __builtin_memcpy(&trap_ist[cpu][i], tss + 36 + 8 * i, 8);
    }
}

TEST(trap, tables_of_cpus)
{
    uint32_t cpu;

    all_cpus_run(trap_collect_tables, NULL);
    cpu_for_each (cpu) {
        if (cpu == 0 || cpu >= TRAP_CPUS) {
            continue;
        }
        EXPECT(trap_gdt[cpu] != trap_gdt[0]);
        EXPECT_EQ(trap_idt[cpu], trap_idt[0]);
    }
}

/* How many CPUs have a special stack within a stack's size of @top. */
static unsigned
trap_count_stacks_near(uint64_t top)
{
    uint32_t cpu;
    unsigned i, n;

    n = 0;
    cpu_for_each (cpu) {
        for (i = 0; cpu < TRAP_CPUS && i < GDT_NR_IST; i++) {
            n += trap_ist[cpu][i] + KERNEL_STACK_SIZE > top &&
                 trap_ist[cpu][i] < top + KERNEL_STACK_SIZE;
        }
    }
    return n;
}

TEST(trap, special_stacks_are_apart)
{
    struct kva_info info;
    uint32_t cpu;
    unsigned i;

    all_cpus_run(trap_collect_tables, NULL);
    cpu_for_each (cpu) {
        for (i = 0; cpu < TRAP_CPUS && i < GDT_NR_IST; i++) {
            EXPECT(IS_ALIGNED(trap_ist[cpu][i], 16));
            EXPECT_EQ(trap_count_stacks_near(trap_ist[cpu][i]), 1);
            ASSERT(kva_find(trap_ist[cpu][i] - 1, &info));
            EXPECT_EQ(info.place, KVA_PLACE_INSIDE);
        }
    }
}

/* An NMI that nobody asked for is counted, and the CPU goes on. */
TEST(trap, unknown_nmi_is_counted)
{
    uint64_t before, end;

    before = nmi_nr_unknown();
    apic_send_nmi(cpu_table[0].hw_id);
    end = clock_now() + TRAP_WAIT_NS;
    while (nmi_nr_unknown() == before && clock_now() < end) {
        cpu_pause();
    }
    EXPECT_EQ(nmi_nr_unknown(), before + 1);
}

/*
 * Keys: [V] the victim   [a] atomic
 */
static struct {
    atomic_bool ready; /* [a] the victim spins */
    uint8_t stop;      /* [a] it may end */
    uint64_t cr2;      /* [V] at its end */
    uint64_t nr_taken; /* by the sampler */
    uint64_t rounds;
} trap_nmi;

/*
 * At random times, or the victim does nothing but to take NMIs: on an emulator
 * of 10 MHz one takes it 100 us.
 */
static void
trap_nmi_pester(void)
{
    struct rand rand;

    rand_init(&rand, cpu_id());
    while (!READ_ONCE(trap_nmi.stop)) {
        apic_send_nmi(cpu_table[1].hw_id);
        clock_spin(rand_below(&rand, cpu_nr_online() * TRAP_NMI_PAUSE_NS));
    }
}

/* Spin with a frame pointer that makes each trace fault. */
static void
trap_nmi_victim(void)
{
    cr2_write(0x5a5a);
    atomic_store(&trap_nmi.ready, true);
    __asm__ volatile("pushq %%rbp\n\t"
                     "movq %1, %%rbp\n"
                     "1:\n\t"
                     "pause\n\t"
                     "cmpb $0, %0\n\t"
                     "je 1b\n\t"
                     "popq %%rbp"
                     : "+m"(trap_nmi.stop)
                     : "r"(TRAP_UNMAPPED)
                     : "memory", "cc");
    trap_nmi.cr2 = cr2_read();
}

static void
trap_nmi_sample(void)
{
    struct backtrace trace;
    unsigned nr_silent;

    while (!atomic_load(&trap_nmi.ready)) {
        cpu_pause();
    }
    nr_silent = 0;
    while (trap_nmi.nr_taken < trap_nmi.rounds && nr_silent < TRAP_SILENT) {
        if (sample_backtrace(1, &trace) == OK) {
            trap_nmi.nr_taken++;
            nr_silent = 0;
        } else {
            /* A CPU that stands still does not answer in time. */
            nr_silent++;
        }
    }
    WRITE_ONCE(trap_nmi.stop, 1);
}

static void
trap_nmi_run(void *arg __unused)
{
    if (cpu_id() == 1) {
        trap_nmi_victim();
    } else if (cpu_id() == 0) {
        trap_nmi_sample();
    } else {
        trap_nmi_pester();
    }
}

/*
 * A fault inside of an NMI must not let the next NMI in, which would come
 * down on the same stack, and not change what the CPU is about to read.
 */
TEST(trap, nmi_that_faults_is_harmless)
{
    if (cpu_nr_possible < 2 || !cpu_is_online(1)) {
        SKIP("one CPU");
    }

    atomic_store(&trap_nmi.ready, false);
    trap_nmi.stop = 0;
    trap_nmi.nr_taken = 0;
    trap_nmi.rounds = 100 * t->iterations;
    all_cpus_run(trap_nmi_run, NULL);
    EXPECT_EQ(trap_nmi.nr_taken, trap_nmi.rounds);
    EXPECT_EQ(trap_nmi.cr2, 0x5a5a);
}

/* Vectors of the old controllers, if it is the local APIC that sends them. */
TEST(trap, stray_vector_is_acknowledged)
{
    uint64_t before, end;

    test_stay(t);
    before = irq_nr_spurious();
    apic_send(apic_id(), VECTOR_PIC + 1);
    end = clock_now() + TRAP_WAIT_NS;
    while (irq_nr_spurious() < before + 1 && clock_now() < end) {
        cpu_pause();
    }
    EXPECT_EQ(irq_nr_spurious(), before + 1);
    EXPECT(!apic_is_in_service(VECTOR_PIC + 1));
}
