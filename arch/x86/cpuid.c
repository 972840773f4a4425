/* SPDX-License-Identifier: MIT */
#include <lib/string.h>

#include "cpuid.h"

#define CPUID_EXTENDED 0x80000000U

/* Written by cpuid_setup(), constant from then on. */
static struct cpuid_regs cpuid_leaves[CPUID_NR_LEAVES];
static uint32_t cpuid_max_basic;
static uint32_t cpuid_max_extended;
static unsigned cpuid_nr_phys_bits;
static char cpuid_brand_text[49];

static const struct {
    uint32_t leaf;
    uint32_t subleaf;
} cpuid_leaf_numbers[CPUID_NR_LEAVES] = {
    [CPUID_1] = { 1, 0 },
    [CPUID_7_0] = { 7, 0 },
    [CPUID_D_1] = { 0xd, 1 },
    [CPUID_80000001] = { 0x80000001, 0 },
    [CPUID_80000007] = { 0x80000007, 0 },
    [CPUID_80000008] = { 0x80000008, 0 },
};

static struct cpuid_regs
cpuid_execute(uint32_t leaf, uint32_t subleaf)
{
    struct cpuid_regs regs;

    __asm__ volatile("cpuid"
                     : "=a"(regs.r[CPUID_EAX]), "=b"(regs.r[CPUID_EBX]),
                       "=c"(regs.r[CPUID_ECX]), "=d"(regs.r[CPUID_EDX])
                     : "a"(leaf), "c"(subleaf));
    return regs;
}

struct cpuid_regs
cpuid_read(uint32_t leaf, uint32_t subleaf)
{
    uint32_t max;

    max = leaf >= CPUID_EXTENDED ? cpuid_max_extended : cpuid_max_basic;
    if (leaf > max) {
        return (struct cpuid_regs){ { 0 } };
    }

    return cpuid_execute(leaf, subleaf);
}

bool
cpuid_has(enum cpuid_feature feature)
{
    const struct cpuid_regs *regs;

    regs = &cpuid_leaves[feature >> 8];
    return (regs->r[(feature >> 5) & 3] >> (feature & 31)) & 1;
}

unsigned
cpuid_phys_bits(void)
{
    return cpuid_nr_phys_bits;
}

const char *
cpuid_brand(void)
{
    return cpuid_brand_text;
}

static void
cpuid_read_brand(void)
{
    struct cpuid_regs regs;
    uint32_t i;

    if (cpuid_max_extended >= CPUID_EXTENDED + 4) {
        for (i = 0; i < 3; i++) {
            regs = cpuid_execute(CPUID_EXTENDED + 2 + i, 0);
            memcpy(cpuid_brand_text + i * 16, regs.r, 16);
        }
        return;
    }

    regs = cpuid_execute(0, 0);
    memcpy(cpuid_brand_text, &regs.r[CPUID_EBX], 4);
    memcpy(cpuid_brand_text + 4, &regs.r[CPUID_EDX], 4);
    memcpy(cpuid_brand_text + 8, &regs.r[CPUID_ECX], 4);
}

void
cpuid_setup(void)
{
    struct cpuid_regs sizes;
    unsigned i;

    cpuid_max_basic = cpuid_execute(0, 0).r[CPUID_EAX];
    cpuid_max_extended = cpuid_execute(CPUID_EXTENDED, 0).r[CPUID_EAX];
    for (i = 0; i < CPUID_NR_LEAVES; i++) {
        cpuid_leaves[i] = cpuid_read(cpuid_leaf_numbers[i].leaf,
                                     cpuid_leaf_numbers[i].subleaf);
    }

    sizes = cpuid_read(CPUID_EXTENDED + 8, 0);
    cpuid_nr_phys_bits = sizes.r[CPUID_EAX] & 0xff;
    if (cpuid_nr_phys_bits < 32 || cpuid_nr_phys_bits > 52) {
        cpuid_nr_phys_bits = 36;
    }
    cpuid_read_brand();
}
