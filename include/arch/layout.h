/* SPDX-License-Identifier: MIT */
/*
 * Where things are in the kernel's half of the address space.  The figure
 * with the reasons is in doc/memory-layout.md.
 */
#ifndef ARCH_LAYOUT_H
#define ARCH_LAYOUT_H

#ifdef __ASSEMBLER__
#define LAYOUT_U64(x) x
#else
#define LAYOUT_U64(x) UINT64_C(x)
#endif

/* All physical memory, 64 TiB. */
#define DIRECT_MAP_BASE LAYOUT_U64(0xffff800000000000)
#define DIRECT_MAP_SIZE LAYOUT_U64(0x0000400000000000)

/* Kernel dynamic mappings: stacks, MMIO, large buffers; 1 TiB. */
#define KVA_BASE LAYOUT_U64(0xffffc90000000000)
#define KVA_SIZE LAYOUT_U64(0x0000010000000000)

/* struct page of each frame, by frame number; 1 TiB. */
#define PAGE_ARRAY_BASE LAYOUT_U64(0xffffea0000000000)
#define PAGE_ARRAY_SIZE LAYOUT_U64(0x0000010000000000)

/* Shadow of KASAN: one byte for eight, at (address >> 3) + offset. */
#define KASAN_SHADOW_OFFSET LAYOUT_U64(0xdffffc0000000000)
#define KASAN_SHADOW_BASE   LAYOUT_U64(0xffffec0000000000)
#define KASAN_SHADOW_END    LAYOUT_U64(0xfffffc0000000000)

/* The kernel's image, wherever the loader put it in memory. */
#define KERNEL_BASE      LAYOUT_U64(0xffffffff80000000)
#define KERNEL_LOAD_ADDR LAYOUT_U64(0x200000)
#define KERNEL_SIZE_MAX  LAYOUT_U64(0x40000000)

/* Size of a kernel stack, bytes, without its guard page. */
#ifdef CONFIG_KASAN
#define KERNEL_STACK_SIZE LAYOUT_U64(0x8000)
#else
#define KERNEL_STACK_SIZE LAYOUT_U64(0x4000)
#endif

#endif /* ARCH_LAYOUT_H */
