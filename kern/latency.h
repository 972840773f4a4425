/* SPDX-License-Identifier: MIT */
/*
 * The longest stretches with interrupts off and with preemption off.
 *
 * Each CPU keeps the ten longest of either, with the code addresses of both
 * ends, in ticks of the counter, which an instruction-counting emulator makes
 * instructions.  With more than one CPU such an emulator counts the
 * instructions of all, so only figures of one CPU are exact.
 *
 * Not recorded: what comes before latency_start(), panics, and what is taken
 * out by latency_forget().
 */
#ifndef KERN_LATENCY_H
#define KERN_LATENCY_H

#include <stdint.h>

enum latency_kind {
    LATENCY_IRQS_OFF,
    LATENCY_PREEMPT_OFF,
    LATENCY_NR_KINDS,
};

#define LATENCY_TOP 10

struct latency_stretch {
    uint64_t ticks; /* 0: none */
    uintptr_t from; /* where it began, as a return address */
    uintptr_t to;
    uint32_t cpu;
};

/*
 * Collect the longest stretches of all CPUs, longest first, the same two
 * places once.  Racy while others record.
 */
void latency_collect(enum latency_kind kind,
                     struct latency_stretch top[LATENCY_TOP]);

/* Forget all stretches. */
void latency_reset(void);

#endif /* KERN_LATENCY_H */
