/* SPDX-License-Identifier: MIT */
/*
 * Starting CPUs.
 */
#ifndef X86_SMP_START_H
#define X86_SMP_START_H

#include <stdint.h>

#include <lib/status.h>

struct cpu;

/*
 * Send a CPU, which waits for it, the start-up interrupt, and see whether it
 * arrives.
 *
 * @cpu      its state becomes STARTING, then ARRIVED (by the CPU) or DEAD
 * @timeout  nanoseconds that it has to answer
 *
 * Context: boot CPU, thread
 * Returns: OK; ERR_TIMEOUT, it is left out; ERR_UNSUPPORTED, no interrupt can
 *          be sent to it alone
 */
status_t smp_wake_cpu(struct cpu *cpu, uint64_t timeout);

/*
 * How far another CPU's counter is ahead, from one question and its answer.
 *
 * @before, @after  own counter at the question and at the answer
 * @there           the other's counter, read in between
 * @offset          receives the best guess, ticks; if the counters are one, it
 *                  is not larger than what is returned
 *
 * Returns: the uncertainty of @offset, ticks
 */
uint64_t smp_compare_counters(uint64_t before, uint64_t there, uint64_t after,
                              int64_t *offset);

#endif /* X86_SMP_START_H */
