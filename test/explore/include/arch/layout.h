/* SPDX-License-Identifier: MIT */
/*
 * The machine's layout, but that a physical address is one of the host's
 * program, and all pages are those of the explorer's heap.
 */
#ifndef TEST_EXPLORE_ARCH_LAYOUT_H
#define TEST_EXPLORE_ARCH_LAYOUT_H

#include_next <arch/layout.h>

#undef DIRECT_MAP_BASE
#define DIRECT_MAP_BASE UINT64_C(0)

extern char heap_memory[], heap_pages[];

/* Less than the address of the heap's first: frames are numbered from 0. */
#undef PAGE_ARRAY_BASE
#define PAGE_ARRAY_BASE                                                        \
    ((uintptr_t)heap_pages - ((uintptr_t)heap_memory >> 12) * 64)

#endif /* TEST_EXPLORE_ARCH_LAYOUT_H */
