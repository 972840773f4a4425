/* SPDX-License-Identifier: MIT */
#include <arch/cpu.h>
#include <kern/irq.h>
#include <test/explore/explore.h>

#define IRQ_VECTOR 0x40

static unsigned irq_context = 41;
static unsigned irq_calls;

static void
irq_handle(void *ctx)
{
    /* The handler finds its context, and what the driver made before. */
    explore_expect(ctx == &irq_context);
    explore_expect(irq_context == 42);
    irq_calls++;
}

static void
irq_interrupt(void *arg __unused)
{
    irq_dispatch(IRQ_VECTOR);
}

static void
irq_attach(void *arg __unused)
{
    irq_context = 42;
    irq_attach_vector(IRQ_VECTOR, "explored", irq_handle, &irq_context);
}

static void
irq_raise(void *arg __unused)
{
    unsigned i;

    for (i = 0; i < 3; i++) {
        explore_interrupt(1, EXPLORE_IRQ);
        cpu_pause();
    }
}

/* An interrupt during irq_attach_vector() finds nothing or all of it. */
EXPLORE(irq, attach)
{
    explore_cpus(2);
    explore_handler(EXPLORE_IRQ, irq_interrupt, NULL);
    explore_fibre(irq_attach, NULL);
    explore_fibre(irq_raise, NULL);
    explore_run();
    explore_expect(irq_calls <= 3);
}
