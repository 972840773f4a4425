/* SPDX-License-Identifier: MIT */
/*
 * The longest stretches with interrupts off and with preemption off.
 *
 * Each CPU keeps the ten longest of either, with the code addresses of both
 * ends, in ticks of the counter, which an instruction-counting emulator makes
 * instructions.  What is counted, and what it means where CPUs take turns:
 * doc/latency.md.
 *
 * Recorded is all from latency_start() on, which each CPU calls before its
 * scheduler gets to run, but panics.  A test that keeps interrupts or
 * preemption off on purpose says so by latency_excuse().
 */
#ifndef KERN_LATENCY_H
#define KERN_LATENCY_H

#include <stdbool.h>
#include <stdint.h>

enum latency_kind {
    LATENCY_IRQS_OFF,
    LATENCY_PREEMPT_OFF,
    LATENCY_NR_KINDS,
};

enum latency_list {
    LATENCY_CERTAIN,
    LATENCY_DOUBTFUL, /* another CPU may have run for a part of it */
    LATENCY_EXCUSED,  /* latency_excuse() */
    LATENCY_NR_LISTS,
};

#define LATENCY_TOP 10

struct latency_stretch {
    uint64_t ticks;     /* 0: none */
    uintptr_t from;     /* where it began, as a return address */
    uintptr_t to;       /* where it ended, likewise */
    const char *excuse; /* NULL: none */
    uint32_t cpu;
    uint32_t vector; /* of the interrupt that it began with, 0: none */
};

/*
 * Collect the longest stretches of all CPUs, longest first, the same two
 * places once.  Racy while others record.
 */
void latency_collect(enum latency_kind kind, enum latency_list list,
                     struct latency_stretch top[LATENCY_TOP]);

/* Forget all stretches. */
void latency_reset(void);

/* Whether CPUs take turns, and only what each does itself is counted. */
bool latency_is_own(void);

#endif /* KERN_LATENCY_H */
