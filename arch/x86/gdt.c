/* SPDX-License-Identifier: MIT */
#include <stddef.h>
#include <stdint.h>

#include <arch/layout.h>
#include <arch/tss.h>
#include <kern/cpu.h>
#include <kern/init.h>
#include <kern/kva.h>
#include <kern/percpu.h>
#include <lib/fmt.h>
#include <lib/macros.h>

#include "gdt.h"
#include "msr.h"
#include "trap_frame.h"

static_assert(sizeof(struct gdt_tss) == 104, "fixed by hardware");
static_assert(offsetof(struct gdt_tss, rsp) == 4, "user_entry.S");
static_assert(offsetof(struct gdt_tss, ist) == 36, "fixed by hardware");

#define GDT_CODE_64   UINT64_C(0x00af9b000000ffff)
#define GDT_DATA      UINT64_C(0x00cf93000000ffff)
#define GDT_DPL_USER  (UINT64_C(3) << 45)
#define GDT_TSS_READY UINT64_C(0x0000890000000000)

/* Own to each CPU, constant once it is up. */
static PERCPU(uint64_t, gdt_entries)[GDT_NR_ENTRIES] = {
    [GDT_KERNEL_CODE / 8] = GDT_CODE_64,
    [GDT_KERNEL_DATA / 8] = GDT_DATA,
    [GDT_USER_DATA / 8] = GDT_DATA | GDT_DPL_USER,
    [GDT_USER_CODE / 8] = GDT_CODE_64 | GDT_DPL_USER,
};

PERCPU(struct gdt_tss, gdt_tss);

static const char *const gdt_ist_names[GDT_NR_IST] = {
    [GDT_IST_NMI - 1] = "NMI",
    [GDT_IST_DOUBLE_FAULT - 1] = "double fault",
    [GDT_IST_MACHINE_CHECK - 1] = "machine check",
    [GDT_IST_DEBUG - 1] = "debug",
};

static status_t
gdt_make_stacks(struct gdt_tss *tss)
{
    char name[KVA_NAME_SIZE];
    uint64_t *top;
    void *stack;
    unsigned i;

    for (i = 0; i < GDT_NR_IST; i++) {
        fmt_snprintf(name, sizeof(name), "%s stack of cpu %u", gdt_ist_names[i],
                     cpu_id());
        stack = kva_alloc_stack(name);
        if (stack == NULL) {
            return ERR_NO_MEMORY;
        }

        /* trap_asm.S takes the base of %gs from above the frame. */
        top =
            (uint64_t *)((char *)stack + KERNEL_STACK_SIZE - IST_STACK_RESERVE);
        *top = percpu_read(percpu_offset);
        tss->ist[i] = (uint64_t)top;
    }

    return OK;
}

static void
gdt_load(uint64_t *gdt)
{
    struct {
        uint16_t limit;
        uint64_t base;
    } __packed pointer;

    pointer.limit = GDT_NR_ENTRIES * 8 - 1;
    pointer.base = (uint64_t)gdt;
    __asm__ volatile("lgdt %0\n\t"
                     "pushq %1\n\t"
                     "leaq 1f(%%rip), %%rax\n\t"
                     "pushq %%rax\n\t"
                     "lretq\n"
                     "1:\n\t"
                     "movl %2, %%eax\n\t"
                     "movl %%eax, %%ss\n\t"
                     "xorl %%eax, %%eax\n\t"
                     "movl %%eax, %%ds\n\t"
                     "movl %%eax, %%es"
                     :
                     : "m"(pointer), "i"(GDT_KERNEL_CODE), "i"(GDT_KERNEL_DATA)
                     : "rax", "memory");
}

void
gdt_early_load(void)
{
    gdt_load(gdt_entries);
}

static status_t
gdt_setup(void)
{
    struct gdt_tss *tss;
    status_t status;
    uint64_t *gdt;
    uint64_t base;

    tss = percpu_this(gdt_tss);
    status = gdt_make_stacks(tss);
    if (status != OK) {
        return status;
    }

    tss->iomap_offset = sizeof(*tss);
    gdt = *percpu_this(gdt_entries);
    base = (uint64_t)tss;
    gdt[GDT_TSS / 8] = GDT_TSS_READY | (sizeof(*tss) - 1) |
                       ((base & 0xffffff) << 16) |
                       (((base >> 24) & 0xff) << 56);
    gdt[GDT_TSS / 8 + 1] = base >> 32;
    gdt_load(gdt);
    __asm__ volatile("ltr %w0" : : "r"(GDT_TSS));
    return OK;
}

INIT_OP(gdt_setup, INIT_EACH_CPU, AFTER(kva_setup), AFTER(percpu_setup));
