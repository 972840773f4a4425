/* SPDX-License-Identifier: MIT */
/*
 * The local APIC of each CPU: interrupts between CPUs, the timer.
 *
 * xAPIC (memory mapped) or x2APIC (registers) is chosen at boot: x2APIC
 * whenever the processor has it, or firmware has enabled it already.
 */
#ifndef X86_APIC_H
#define X86_APIC_H

#include <stdbool.h>
#include <stdint.h>

/* Acknowledge the interrupt that this CPU handles. */
void apic_eoi(void);

/* Whether this CPU's APIC waits for the acknowledgement of a vector. */
bool apic_is_in_service(unsigned vector);

/* The identifier of this CPU's APIC. */
uint32_t apic_id(void);

/*
 * Whether this CPU's APIC takes interrupts, its own errors, and the NMIs that
 * the firmware told of.
 */
bool apic_is_ready(void);

/* Whether x2APIC is in use. */
bool apic_is_x2apic(void);

/* Send an interrupt to the CPU with identifier @dest. */
void apic_send(uint32_t dest, unsigned vector);

/* Send an NMI. */
void apic_send_nmi(uint32_t dest);

/* Send INIT: the CPU waits for a start-up interrupt. */
void apic_send_init(uint32_t dest);

/* Send a start-up interrupt: the CPU executes from @page << 12. */
void apic_send_startup(uint32_t dest, unsigned page);

/*
 * A local interrupt line is an NMI, from the MADT.
 *
 * @lint   0 or 1
 * @flags  polarity and trigger mode of the MPS INTI flags
 */
void apic_set_nmi_line(unsigned lint, uint16_t flags);

#endif /* X86_APIC_H */
