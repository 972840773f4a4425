/* SPDX-License-Identifier: MIT */
/*
 * The task-state segment of each CPU: where its stacks are.
 */
#ifndef ARCH_TSS_H
#define ARCH_TSS_H

#include <stdint.h>

#include <lib/macros.h>

/* 64-bit TSS.  Source: Intel SDM vol. 3A, "64-Bit TSS Format". */
struct gdt_tss {
    uint32_t reserved0;
    uint64_t rsp[3];
    uint64_t reserved1;
    uint64_t ist[7];
    uint64_t reserved2;
    uint16_t reserved3;
    uint16_t iomap_offset;
} __packed;

/*
 * Own to each CPU, constant once it is up, but for the stack for entries from
 * user mode, rsp[0]; read by user_entry.S.
 */
extern struct gdt_tss gdt_tss;

#endif /* ARCH_TSS_H */
