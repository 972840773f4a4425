/* SPDX-License-Identifier: MIT */
#include <stdatomic.h>

#include <arch/x86/control.h>
#include <arch/x86/cpuid.h>
#include <arch/x86/msr.h>
#include <kern/all_cpus.h>
#include <kern/cpu.h>
#include <kern/percpu.h>
#include <lib/string.h>
#include <test/test.h>

/* Control registers of each CPU, read by itself. */
struct cpuid_test_state {
    uint64_t cr0;
    uint64_t cr4;
    uint64_t efer;
    uint64_t pat;
    uint64_t xcr0;
};

static PERCPU(struct cpuid_test_state, cpuid_test_state);

static void
cpuid_test_collect(void *arg __unused)
{
    struct cpuid_test_state *state;
    uint32_t low, high;

    state = percpu_this(cpuid_test_state);
    state->cr0 = cr0_read();
    state->cr4 = cr4_read();
    state->efer = msr_read(MSR_EFER);
    state->pat = cpuid_has(CPUID_PAT) ? msr_read(MSR_PAT) : CONTROL_PAT;
    state->xcr0 = 0;
    if (cpuid_has(CPUID_XSAVE)) {
        __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
        state->xcr0 = ((uint64_t)high << 32) | low;
    }
}

/* Whether a bit of CR4 is set if and only if the processor has the feature. */
static bool
cpuid_test_cr4_is(uint64_t cr4, uint64_t bit, enum cpuid_feature feature)
{
    return ((cr4 & bit) != 0) == cpuid_has(feature);
}

TEST(control, protection_is_on_on_every_cpu)
{
    struct cpuid_test_state *state;
    uint32_t cpu;

    all_cpus_run(cpuid_test_collect, NULL);
    cpu_for_each (cpu) {
        state = percpu_ptr(cpuid_test_state, cpu);
        EXPECT(state->cr0 & CR0_WP);
        EXPECT(cpuid_test_cr4_is(state->cr4, CR4_SMEP, CPUID_SMEP));
        EXPECT(cpuid_test_cr4_is(state->cr4, CR4_SMAP, CPUID_SMAP));
        EXPECT(cpuid_test_cr4_is(state->cr4, CR4_UMIP, CPUID_UMIP));
        EXPECT(((state->efer & EFER_NXE) != 0) == cpuid_has(CPUID_NX));
    }
}

TEST(control, caches_and_faults_are_on_on_every_cpu)
{
    struct cpuid_test_state *state;
    uint32_t cpu;

    all_cpus_run(cpuid_test_collect, NULL);
    cpu_for_each (cpu) {
        state = percpu_ptr(cpuid_test_state, cpu);
        EXPECT_EQ(state->cr0 & (CR0_CD | CR0_NW | CR0_EM | CR0_TS), 0);
        EXPECT(state->cr0 & CR0_NE);
        EXPECT_EQ(state->pat, CONTROL_PAT);
        EXPECT(cpuid_test_cr4_is(state->cr4, CR4_MCE, CPUID_MCE));
    }
}

TEST(control, all_cpus_are_alike)
{
    struct cpuid_test_state *first;
    uint32_t cpu;

    all_cpus_run(cpuid_test_collect, NULL);
    first = percpu_ptr(cpuid_test_state, 0);
    cpu_for_each (cpu) {
        EXPECT_EQ(percpu_ptr(cpuid_test_state, cpu)->cr0, first->cr0);
        EXPECT_EQ(percpu_ptr(cpuid_test_state, cpu)->cr4, first->cr4);
        EXPECT_EQ(percpu_ptr(cpuid_test_state, cpu)->efer, first->efer);
        EXPECT_EQ(percpu_ptr(cpuid_test_state, cpu)->xcr0, first->xcr0);
    }
}

TEST(control, xsave_area_holds_what_is_enabled)
{
    uint32_t size;

    size = control_xsave_size();
    EXPECT(size >= 512);
    if (cpuid_has(CPUID_XSAVE)) {
        EXPECT_EQ(size, cpuid_read(0xd, 0).r[CPUID_EBX]);
        EXPECT(size >= 576);
        EXPECT(size <= cpuid_read(0xd, 0).r[CPUID_ECX]);
    }
}

TEST(cpuid, long_mode_processor_has_basics)
{
    EXPECT(cpuid_has(CPUID_TSC));
    EXPECT(cpuid_has(CPUID_APIC));
    EXPECT(cpuid_has(CPUID_SYSCALL));
}

TEST(cpuid, leaf_beyond_the_last_is_zero)
{
    struct cpuid_regs regs;

    regs = cpuid_read(0x7fffffff, 0);
    EXPECT_EQ(regs.r[0] | regs.r[1] | regs.r[2] | regs.r[3], 0);
    regs = cpuid_read(0x8fffffff, 0);
    EXPECT_EQ(regs.r[0] | regs.r[1] | regs.r[2] | regs.r[3], 0);
}

TEST(cpuid, copy_agrees_with_processor)
{
    uint32_t edx;

    edx = cpuid_read(1, 0).r[CPUID_EDX];
    EXPECT_EQ(cpuid_has(CPUID_PGE), (edx >> 13) & 1);
    EXPECT_EQ(cpuid_has(CPUID_PAT), (edx >> 16) & 1);
    EXPECT_EQ(cpuid_has(CPUID_NX),
              (cpuid_read(0x80000001, 0).r[CPUID_EDX] >> 20) & 1);
}

TEST(cpuid, physical_bits_are_possible)
{
    EXPECT(cpuid_phys_bits() >= 32);
    EXPECT(cpuid_phys_bits() <= 52);
}

TEST(cpuid, brand_is_text)
{
    const char *c;

    EXPECT(strlen(cpuid_brand()) > 0);
    for (c = cpuid_brand(); *c != '\0'; c++) {
        EXPECT(*c >= ' ' && *c <= '~');
    }
}
