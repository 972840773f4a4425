/* SPDX-License-Identifier: MIT */
/*
 * Model-specific and control registers.
 *
 * Source: Intel SDM vol. 4, "IA-32 Architectural MSRs"; vol. 3A, "Control
 * Registers".
 */
#ifndef X86_MSR_H
#define X86_MSR_H

#include <stdint.h>

#define MSR_APIC_BASE      0x0000001b
#define MSR_TSC_ADJUST     0x0000003b
#define MSR_SPEC_CTRL      0x00000048
#define MSR_ARCH_CAPS      0x0000010a
#define MSR_SYSENTER_CS    0x00000174
#define MSR_PAT            0x00000277
#define MSR_TSC_DEADLINE   0x000006e0
#define MSR_X2APIC_BASE    0x00000800
#define MSR_EFER           0xc0000080
#define MSR_STAR           0xc0000081
#define MSR_LSTAR          0xc0000082
#define MSR_CSTAR          0xc0000083
#define MSR_SFMASK         0xc0000084
#define MSR_FS_BASE        0xc0000100
#define MSR_GS_BASE        0xc0000101
#define MSR_KERNEL_GS_BASE 0xc0000102
#define MSR_TSC_AUX        0xc0000103

#define APIC_BASE_BSP    (UINT64_C(1) << 8)
#define APIC_BASE_X2APIC (UINT64_C(1) << 10)
#define APIC_BASE_ENABLE (UINT64_C(1) << 11)
#define APIC_BASE_ADDR   UINT64_C(0x000ffffffffff000)

#define EFER_SCE (UINT64_C(1) << 0)
#define EFER_NXE (UINT64_C(1) << 11)

#define CR0_MP (UINT64_C(1) << 1)
#define CR0_EM (UINT64_C(1) << 2)
#define CR0_TS (UINT64_C(1) << 3)
#define CR0_NE (UINT64_C(1) << 5)
#define CR0_WP (UINT64_C(1) << 16)
#define CR0_AM (UINT64_C(1) << 18)
#define CR0_NW (UINT64_C(1) << 29)
#define CR0_CD (UINT64_C(1) << 30)

#define CR4_DE         (UINT64_C(1) << 3)
#define CR4_PAE        (UINT64_C(1) << 5)
#define CR4_MCE        (UINT64_C(1) << 6)
#define CR4_PGE        (UINT64_C(1) << 7)
#define CR4_OSFXSR     (UINT64_C(1) << 9)
#define CR4_OSXMMEXCPT (UINT64_C(1) << 10)
#define CR4_UMIP       (UINT64_C(1) << 11)
#define CR4_FSGSBASE   (UINT64_C(1) << 16)
#define CR4_PCIDE      (UINT64_C(1) << 17)
#define CR4_OSXSAVE    (UINT64_C(1) << 18)
#define CR4_SMEP       (UINT64_C(1) << 20)
#define CR4_SMAP       (UINT64_C(1) << 21)

/* Read a model-specific register that exists. */
static inline uint64_t
msr_read(uint32_t msr)
{
    uint32_t low, high;

    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
    return ((uint64_t)high << 32) | low;
}

/* Write a model-specific register that exists. */
static inline void
msr_write(uint32_t msr, uint64_t value)
{
    __asm__ volatile("wrmsr"
                     :
                     : "c"(msr), "a"((uint32_t)value),
                       "d"((uint32_t)(value >> 32))
                     : "memory");
}

#define CONTROL_REGISTER(reg)                                                  \
    static inline uint64_t reg##_read(void)                                    \
    {                                                                          \
        uint64_t value;                                                        \
                                                                               \
        __asm__ volatile("mov %%" #reg ", %0" : "=r"(value) : : "memory");     \
        return value;                                                          \
    }                                                                          \
    static inline void reg##_write(uint64_t value)                             \
    {                                                                          \
        __asm__ volatile("mov %0, %%" #reg : : "r"(value) : "memory");         \
    }

CONTROL_REGISTER(cr0)
CONTROL_REGISTER(cr2)
CONTROL_REGISTER(cr3)
CONTROL_REGISTER(cr4)

#endif /* X86_MSR_H */
