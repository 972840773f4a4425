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

#endif /* X86_SMP_START_H */
