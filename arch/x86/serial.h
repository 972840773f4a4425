/* SPDX-License-Identifier: MIT */
/*
 * Console on a serial port, 115200 8N1.
 */
#ifndef X86_SERIAL_H
#define X86_SERIAL_H

/*
 * Look for a port, COM1 to COM4, and register the first as console "serial".
 * Input is polled until the init operation serial_irq_setup has run.
 *
 * Context: boot CPU, may be the first call in C
 */
void serial_early_setup(void);

#endif /* X86_SERIAL_H */
