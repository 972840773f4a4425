/* SPDX-License-Identifier: MIT */
#include <kern/cpu.h>
#include <kern/init.h>
#include <kern/log.h>
#include <lib/fmt.h>
#include <lib/macros.h>
#include <lib/string.h>

#include "control.h"
#include "cpuid.h"
#include "msr.h"

#define XCR0_X87_SSE UINT64_C(0x3)
#define XCR0_AVX     UINT64_C(0x4)
#define XCR0_AVX512  UINT64_C(0xe0)
#define XCR0_PKRU    UINT64_C(0x200)
#define XCR0_WANTED  (XCR0_X87_SSE | XCR0_AVX | XCR0_AVX512 | XCR0_PKRU)

/* The legacy area of FXSAVE, for processors without XSAVE. */
#define FXSAVE_SIZE 512

#define ARCH_CAPS_RDCL_NO (UINT64_C(1) << 0)

/* Set on the boot CPU, constant from then on. */
static uint32_t control_nr_xsave_bytes = FXSAVE_SIZE;

/* Features that are a bit in CR4, with their names for the log. */
static const struct {
    enum cpuid_feature feature;
    uint64_t cr4;
    const char *name;
} control_cr4_bits[] = {
    { CPUID_PGE, CR4_PGE, "pge" },
    { CPUID_MCE, CR4_MCE, "mce" },
    { CPUID_SMEP, CR4_SMEP, "smep" },
    { CPUID_SMAP, CR4_SMAP, "smap" },
    { CPUID_UMIP, CR4_UMIP, "umip" },
    { CPUID_FSGSBASE, CR4_FSGSBASE, "fsgsbase" },
    { CPUID_PCID, CR4_PCIDE, "pcid" },
    { CPUID_XSAVE, CR4_OSXSAVE, "xsave" },
};

uint32_t
control_xsave_size(void)
{
    return control_nr_xsave_bytes;
}

static void
control_setup_xsave(void)
{
    struct cpuid_regs regs;
    uint64_t mask;

    if (!cpuid_has(CPUID_XSAVE)) {
        return;
    }

    regs = cpuid_read(0xd, 0);
    mask = (((uint64_t)regs.r[CPUID_EDX] << 32) | regs.r[CPUID_EAX]) &
           XCR0_WANTED;
    if ((mask & XCR0_AVX512) != XCR0_AVX512 || !(mask & XCR0_AVX)) {
        mask &= ~XCR0_AVX512;
    }
    __asm__ volatile("xsetbv"
                     :
                     : "c"(0), "a"((uint32_t)mask),
                       "d"((uint32_t)(mask >> 32)));
    if (cpu_id() == 0) {
        control_nr_xsave_bytes = cpuid_read(0xd, 0).r[CPUID_EBX];
    }
}

/*
 * Meltdown: a processor is safe when it says so, or is AMD's.  There is no
 * page-table isolation yet; this tells the user.
 */
static bool
control_has_meltdown(void)
{
    struct cpuid_regs vendor;

    vendor = cpuid_read(0, 0);
    if (memcmp(&vendor.r[CPUID_ECX], "cAMD", 4) == 0 ||
        memcmp(&vendor.r[CPUID_ECX], "uine", 4) == 0) {
        return false;
    }

    return !(cpuid_has(CPUID_ARCH_CAPS) &&
             (msr_read(MSR_ARCH_CAPS) & ARCH_CAPS_RDCL_NO));
}

static void
control_report(void)
{
    char names[96] = "";
    unsigned i;

    for (i = 0; i < ARRAY_SIZE(control_cr4_bits); i++) {
        if (cpuid_has(control_cr4_bits[i].feature)) {
            strlcat(names, " ", sizeof(names));
            strlcat(names, control_cr4_bits[i].name, sizeof(names));
        }
    }

    log_info("cpu: %s, %u physical address bits", cpuid_brand(),
             cpuid_phys_bits());
    log_info("cpu: features%s%s%s%s%s, xsave area %u bytes", names,
             cpuid_has(CPUID_NX) ? " nx" : "",
             cpuid_has(CPUID_X2APIC) ? " x2apic" : "",
             cpuid_has(CPUID_PAGE_1G) ? " 1g-pages" : "",
             cpuid_has(CPUID_TSC_DEADLINE) ? " tsc-deadline" : "",
             control_nr_xsave_bytes);
    log_info(
        "cpu: speculation: meltdown %s, ibrs %s, stibp %s",
        control_has_meltdown() ? "possible, not mitigated" : "no",
        cpuid_has(CPUID_IBRS_IBPB) || cpuid_has(CPUID_AMD_IBRS) ? "yes" : "no",
        cpuid_has(CPUID_STIBP) || cpuid_has(CPUID_AMD_STIBP) ? "yes" : "no");
}

static status_t
control_setup(void)
{
    uint64_t cr0, cr4;
    unsigned i;

    cr0 = cr0_read() & ~(CR0_EM | CR0_TS | CR0_CD | CR0_NW | CR0_AM);
    cr0_write(cr0 | CR0_WP | CR0_MP | CR0_NE);

    cr4 = CR4_PAE | CR4_DE | CR4_OSFXSR | CR4_OSXMMEXCPT;
    for (i = 0; i < ARRAY_SIZE(control_cr4_bits); i++) {
        if (cpuid_has(control_cr4_bits[i].feature)) {
            cr4 |= control_cr4_bits[i].cr4;
        }
    }
    cr4_write(cr4);

    if (cpuid_has(CPUID_NX)) {
        msr_write(MSR_EFER, msr_read(MSR_EFER) | EFER_NXE);
    }
    if (cpuid_has(CPUID_PAT)) {
        msr_write(MSR_PAT, CONTROL_PAT);
    }
    if (cpuid_has(CPUID_RDTSCP)) {
        msr_write(MSR_TSC_AUX, cpu_id());
    }
    control_setup_xsave();
    if (cpu_id() == 0) {
        control_report();
    }
    return OK;
}

INIT_OP(control_setup, INIT_EACH_CPU);
