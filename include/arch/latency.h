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

/* Interrupts were disabled; @flags tells whether they were enabled. */
void latency_irqs_saved(uint64_t flags);

/* Interrupts were disabled; they may have been so before. */
void latency_irqs_off(void);

/* Interrupts are about to be enabled; they may be enabled already. */
void latency_irqs_on(void);

/* An interrupt has come. */
void latency_interrupt_enter(unsigned vector);

/* It has been handled, and whoever was interrupted goes on. */
void latency_interrupt_exit(void);

/* Interrupts are about to be enabled, to wait for one. */
void latency_idle(void);

/* Preemption was disabled, once or once more. */
void latency_preempt_off(void);

/* Preemption is about to be enabled, or disabled once less. */
void latency_preempt_on(void);

/*
 * Put the stretches that go on into a list of their own, with a reason: they
 * are long on purpose.
 *
 * @reason  constant string, printed with them
 *
 * Callers: test
 */
void latency_excuse(const char *reason);

/*
 * Tell that this CPU has its turn and may end it, for what does so neither by
 * a lock nor by an interrupt: its time would be taken for another's.
 */
void latency_turn(void);

/* Do not count the time since latency_turn(). */
void latency_turn_again(void);

/*
 * Record what this CPU does from now on.
 *
 * Context: the CPU's first thread, before others run
 */
void latency_start(void);

/* Record on no CPU until latency_resume(). */
void latency_stop(void);

/* Record again. */
void latency_resume(void);

#else

#define latency_irqs_saved(flags)       ((void)(flags))
#define latency_irqs_off()              ((void)0)
#define latency_irqs_on()               ((void)0)
#define latency_interrupt_enter(vector) ((void)(vector))
#define latency_interrupt_exit()        ((void)0)
#define latency_idle()                  ((void)0)
#define latency_preempt_off()           ((void)0)
#define latency_preempt_on()            ((void)0)
#define latency_excuse(reason)          ((void)(reason))
#define latency_turn()                  ((void)0)
#define latency_turn_again()            ((void)0)
#define latency_start()                 ((void)0)
#define latency_stop()                  ((void)0)
#define latency_resume()                ((void)0)

#endif /* CONFIG_LATENCY */

#endif /* ARCH_LATENCY_H */
