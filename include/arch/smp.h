/* SPDX-License-Identifier: MIT */
/*
 * Several processors: what kern asks of the machine.
 */
#ifndef ARCH_SMP_H
#define ARCH_SMP_H

#include <stdint.h>

/* Let the per-CPU accesses of this CPU go to the area at @base. */
void smp_set_percpu_base(uintptr_t base);

/*
 * Interrupt another CPU: it calls xcall_handle().
 *
 * Context: any but NMI
 * Ordering: stores before the call are visible to the handler
 */
void smp_send_xcall(uint32_t cpu);

/*
 * Wake another CPU from its idle wait.
 *
 * Ordering: as smp_send_xcall()
 */
void smp_send_wake(uint32_t cpu);

/*
 * Stop all other CPUs by NMI, in a panic; each calls panic_handle_nmi() on its
 * way.
 *
 * Context: panic
 */
void smp_stop_others(void);

/*
 * Start all possible CPUs; those that do not answer are reported and left
 * out.
 *
 * Context: boot CPU, thread, interrupts enabled, after init_run()
 */
void smp_start_all(void);

#endif /* ARCH_SMP_H */
