/* SPDX-License-Identifier: MIT */
/*
 * What the recorder of long stretches wants to know: kern/latency.h.
 *
 * Empty but in builds with DEBUG=1 or LATENCY=1.
 */
#ifndef ARCH_LATENCY_H
#define ARCH_LATENCY_H

#include <stdint.h>

#ifdef CONFIG_LATENCY

/* Interrupts were disabled, having been enabled. */
void latency_irqs_off(void);

/* Interrupts were disabled; @flags tells whether they were enabled. */
void latency_irqs_saved(uint64_t flags);

/* Interrupts were disabled; they may have been so before. */
void latency_irqs_off_again(void);

/* Interrupts are about to be enabled; they may be enabled already. */
void latency_irqs_on(void);

/* Preemption was disabled, once or once more. */
void latency_preempt_off(void);

/* Preemption is about to be enabled, or disabled once less. */
void latency_preempt_on(void);

/* Do not record the stretches that go on: a test holds something. */
void latency_forget(void);

/* Record from now on. */
void latency_start(void);

/* Record no more. */
void latency_stop(void);

#else

#define latency_irqs_off()        ((void)0)
#define latency_irqs_saved(flags) ((void)(flags))
#define latency_irqs_off_again()  ((void)0)
#define latency_irqs_on()         ((void)0)
#define latency_preempt_off()     ((void)0)
#define latency_preempt_on()      ((void)0)
#define latency_forget()          ((void)0)
#define latency_start()           ((void)0)
#define latency_stop()            ((void)0)

#endif /* CONFIG_LATENCY */

#endif /* ARCH_LATENCY_H */
