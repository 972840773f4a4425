/* SPDX-License-Identifier: MIT */
/*
 * What the processor can do.
 *
 * A feature is a leaf, a register and a bit, packed in one number; whether the
 * processor has it is looked up in a copy of the leaves that the boot CPU made
 * once.  All CPUs are taken to have the boot CPU's features.
 *
 * Source: Intel SDM vol. 2A, "CPUID"; AMD APM vol. 3, "CPUID".
 */
#ifndef X86_CPUID_H
#define X86_CPUID_H

#include <stdbool.h>
#include <stdint.h>

enum cpuid_register {
    CPUID_EAX,
    CPUID_EBX,
    CPUID_ECX,
    CPUID_EDX
};

/* Leaves that hold features. */
enum cpuid_leaf {
    CPUID_1,
    CPUID_7_0,
    CPUID_D_1,
    CPUID_80000001,
    CPUID_80000007,
    CPUID_80000008,
    CPUID_NR_LEAVES,
};

#define CPUID_FEATURE(leaf, reg, bit) (((leaf) << 8) | ((reg) << 5) | (bit))

enum cpuid_feature {
    CPUID_TSC = CPUID_FEATURE(CPUID_1, CPUID_EDX, 4),
    CPUID_MCE = CPUID_FEATURE(CPUID_1, CPUID_EDX, 7),
    CPUID_APIC = CPUID_FEATURE(CPUID_1, CPUID_EDX, 9),
    CPUID_PGE = CPUID_FEATURE(CPUID_1, CPUID_EDX, 13),
    CPUID_PAT = CPUID_FEATURE(CPUID_1, CPUID_EDX, 16),
    CPUID_HTT = CPUID_FEATURE(CPUID_1, CPUID_EDX, 28),
    CPUID_MWAIT = CPUID_FEATURE(CPUID_1, CPUID_ECX, 3),
    CPUID_PCID = CPUID_FEATURE(CPUID_1, CPUID_ECX, 17),
    CPUID_X2APIC = CPUID_FEATURE(CPUID_1, CPUID_ECX, 21),
    CPUID_TSC_DEADLINE = CPUID_FEATURE(CPUID_1, CPUID_ECX, 24),
    CPUID_XSAVE = CPUID_FEATURE(CPUID_1, CPUID_ECX, 26),
    CPUID_AVX = CPUID_FEATURE(CPUID_1, CPUID_ECX, 28),
    CPUID_RDRAND = CPUID_FEATURE(CPUID_1, CPUID_ECX, 30),
    CPUID_HYPERVISOR = CPUID_FEATURE(CPUID_1, CPUID_ECX, 31),
    CPUID_FSGSBASE = CPUID_FEATURE(CPUID_7_0, CPUID_EBX, 0),
    CPUID_TSC_ADJUST = CPUID_FEATURE(CPUID_7_0, CPUID_EBX, 1),
    CPUID_SMEP = CPUID_FEATURE(CPUID_7_0, CPUID_EBX, 7),
    CPUID_ERMS = CPUID_FEATURE(CPUID_7_0, CPUID_EBX, 9),
    CPUID_INVPCID = CPUID_FEATURE(CPUID_7_0, CPUID_EBX, 10),
    CPUID_RDSEED = CPUID_FEATURE(CPUID_7_0, CPUID_EBX, 18),
    CPUID_SMAP = CPUID_FEATURE(CPUID_7_0, CPUID_EBX, 20),
    CPUID_UMIP = CPUID_FEATURE(CPUID_7_0, CPUID_ECX, 2),
    CPUID_LA57 = CPUID_FEATURE(CPUID_7_0, CPUID_ECX, 16),
    CPUID_IBRS_IBPB = CPUID_FEATURE(CPUID_7_0, CPUID_EDX, 26),
    CPUID_STIBP = CPUID_FEATURE(CPUID_7_0, CPUID_EDX, 27),
    CPUID_ARCH_CAPS = CPUID_FEATURE(CPUID_7_0, CPUID_EDX, 29),
    CPUID_SSBD = CPUID_FEATURE(CPUID_7_0, CPUID_EDX, 31),
    CPUID_XSAVEOPT = CPUID_FEATURE(CPUID_D_1, CPUID_EAX, 0),
    CPUID_XSAVEC = CPUID_FEATURE(CPUID_D_1, CPUID_EAX, 1),
    CPUID_SYSCALL = CPUID_FEATURE(CPUID_80000001, CPUID_EDX, 11),
    CPUID_NX = CPUID_FEATURE(CPUID_80000001, CPUID_EDX, 20),
    CPUID_PAGE_1G = CPUID_FEATURE(CPUID_80000001, CPUID_EDX, 26),
    CPUID_RDTSCP = CPUID_FEATURE(CPUID_80000001, CPUID_EDX, 27),
    CPUID_INVARIANT_TSC = CPUID_FEATURE(CPUID_80000007, CPUID_EDX, 8),
    CPUID_AMD_IBRS = CPUID_FEATURE(CPUID_80000008, CPUID_EBX, 14),
    CPUID_AMD_STIBP = CPUID_FEATURE(CPUID_80000008, CPUID_EBX, 15),
};

/*
 * Registers of a leaf, by enum cpuid_register.
 */
struct cpuid_regs {
    uint32_t r[4];
};

/* Execute CPUID; leaves beyond the greatest give zeros. */
struct cpuid_regs cpuid_read(uint32_t leaf, uint32_t subleaf);

/* Whether the processors have a feature; valid from boot on. */
bool cpuid_has(enum cpuid_feature feature);

/* Copy the leaves.  Context: boot CPU, once, first. */
void cpuid_setup(void);

/* Number of bits of a physical address. */
unsigned cpuid_phys_bits(void);

/* The processor's brand string, or its vendor. */
const char *cpuid_brand(void);

#endif /* X86_CPUID_H */
