/* SPDX-License-Identifier: MIT */
/*
 * Look at what a CPU is doing, even with its interrupts disabled.
 */
#ifndef ARCH_SAMPLE_H
#define ARCH_SAMPLE_H

#include <stdint.h>

#include <lib/status.h>

struct backtrace;

/*
 * Take the backtrace of an online CPU.
 *
 * Context: thread; one caller at a time
 * Blocks:  at most 200 ms, spinning
 * Returns: OK; ERR_TIMEOUT, the CPU does not answer NMIs; ERR_INVALID
 */
status_t sample_backtrace(uint32_t cpu, struct backtrace *trace);

#endif /* ARCH_SAMPLE_H */
