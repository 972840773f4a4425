/* SPDX-License-Identifier: MIT */
/*
 * Starting CPUs.
 */
#ifndef X86_SMP_START_H
#define X86_SMP_START_H

#include <stdint.h>

#include <lib/status.h>

/*
 * Start one CPU of the table, which is in its wait for a start-up interrupt.
 *
 * @timeout  nanoseconds that it has to answer
 *
 * Context: boot CPU, thread
 * Returns: OK; ERR_TIMEOUT, it is left out; ERR_NO_MEMORY
 */
status_t smp_start_cpu(uint32_t number, uint64_t timeout);

#endif /* X86_SMP_START_H */
