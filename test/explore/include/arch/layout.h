/* SPDX-License-Identifier: MIT */
/*
 * The machine's layout, but that a physical address is one of the host's
 * program.
 */
#ifndef TEST_EXPLORE_ARCH_LAYOUT_H
#define TEST_EXPLORE_ARCH_LAYOUT_H

#include_next <arch/layout.h>

#undef DIRECT_MAP_BASE
#define DIRECT_MAP_BASE UINT64_C(0)

#endif /* TEST_EXPLORE_ARCH_LAYOUT_H */
