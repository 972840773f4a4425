/* SPDX-License-Identifier: MIT */
/*
 * Interrupt vectors and their handlers.
 *
 * Each vector has at most one handler.  An interrupt that nobody attached to
 * is counted and, the first time, reported; it is never fatal.
 */
#ifndef KERN_IRQ_H
#define KERN_IRQ_H

#include <stdint.h>

#include <lib/status.h>

#define IRQ_NR_VECTORS 256

typedef void (*irq_fn_t)(void *ctx);

/*
 * Have a function called when a vector comes.
 *
 * @vector  must not have a handler
 * @name    constant string, for the monitor
 * @fn      called with interrupts disabled
 */
void irq_attach_vector(unsigned vector, const char *name, irq_fn_t fn,
                       void *ctx);

/*
 * Have a function called when a device of the ISA bus interrupts, on the boot
 * CPU; overrides of the firmware are followed.
 *
 * @isa_irq  0 to 15
 *
 * Returns: OK; ERR_NOT_FOUND, no IOAPIC has this line; ERR_RANGE;
 *          ERR_NO_MEMORY, no vector is left; ERR_BUSY, somebody has the line;
 *          ERR_UNSUPPORTED, no line reaches the boot CPU
 */
status_t irq_attach_isa(unsigned isa_irq, const char *name, irq_fn_t fn,
                        void *ctx);

/*
 * Call the handler of a vector.
 *
 * Context: the trap code, interrupts disabled
 */
void irq_dispatch(unsigned vector);

/* How often a CPU has taken a vector since boot. */
uint64_t irq_nr_taken(uint32_t cpu, unsigned vector);

/* The name of a vector's handler, NULL if it has none. */
const char *irq_name(unsigned vector);

/*
 * Interrupts that came without a handler on all CPUs since boot.
 */
uint64_t irq_nr_spurious(void);

#endif /* KERN_IRQ_H */
