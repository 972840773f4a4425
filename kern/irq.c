/* SPDX-License-Identifier: MIT */
#include <stdatomic.h>
#include <stddef.h>

#include <kern/console.h>
#include <kern/cpu.h>
#include <kern/irq.h>
#include <kern/lock_check.h>
#include <kern/log.h>
#include <kern/command.h>
#include <kern/percpu.h>
#include <lib/assert.h>

/*
 * Keys: [a] atomic, set last, NULL until then   [c] constant once fn is set
 */
struct irq_vector {
    _Atomic irq_fn_t fn; /* [a] */
    void *ctx;           /* [c] */
    const char *name;    /* [c] */
};

static struct irq_vector irq_vectors[IRQ_NR_VECTORS];

/* Own to each CPU; read by anybody. */
static PERCPU(uint64_t, irq_counts)[IRQ_NR_VECTORS];

void
irq_attach_vector(unsigned vector, const char *name, irq_fn_t fn, void *ctx)
{
    struct irq_vector *entry;

    verify(vector < IRQ_NR_VECTORS);
    entry = &irq_vectors[vector];
    verify(atomic_load_explicit(&entry->fn, memory_order_relaxed) == NULL);
    entry->name = name;
    entry->ctx = ctx;
    /* Pairs with the acquire in irq_dispatch(). */
    atomic_store_explicit(&entry->fn, fn, memory_order_release);
}

void
irq_dispatch(unsigned vector)
{
    struct irq_vector *entry;
    uint64_t *counts;
    enum lock_context old;
    irq_fn_t fn;

    entry = &irq_vectors[vector];
    counts = *percpu_this(irq_counts);
    counts[vector]++;
    /* Pairs with the release in irq_attach_vector(). */
    fn = atomic_load_explicit(&entry->fn, memory_order_acquire);
    if (fn != NULL) {
        old = lock_check_enter(LOCK_CONTEXT_INTERRUPT);
        fn(entry->ctx);
        lock_check_leave(old);
        return;
    }

    if (counts[vector] == 1) {
        log_warning("irq: vector %#x has no handler", vector);
    }
}

uint64_t
irq_nr_taken(uint32_t cpu, unsigned vector)
{
    return READ_ONCE((*percpu_ptr(irq_counts, cpu))[vector]);
}

const char *
irq_name(unsigned vector)
{
    struct irq_vector *entry;

    entry = &irq_vectors[vector];
    /* Pairs with the release in irq_attach_vector(). */
    return atomic_load_explicit(&entry->fn, memory_order_acquire) != NULL
               ? entry->name
               : NULL;
}

static uint64_t
irq_total(unsigned vector)
{
    uint64_t total;
    uint32_t cpu;

    total = 0;
    cpu_for_each (cpu) {
        total += irq_nr_taken(cpu, vector);
    }
    return total;
}

uint64_t
irq_nr_spurious(void)
{
    uint64_t total;
    unsigned vector;

    total = 0;
    for (vector = 0; vector < IRQ_NR_VECTORS; vector++) {
        if (irq_vectors[vector].fn == NULL) {
            total += irq_total(vector);
        }
    }
    return total;
}

static void
irq_command(int argc __unused, char **argv __unused)
{
    struct irq_vector *entry;
    unsigned vector;
    uint64_t total;
    uint32_t cpu;

    console_printf("vector %12s  name, counts of cpus\n", "total");
    for (vector = 0; vector < IRQ_NR_VECTORS; vector++) {
        entry = &irq_vectors[vector];
        total = irq_total(vector);
        if (entry->fn == NULL && total == 0) {
            continue;
        }

        console_printf("0x%02x   %12lu  %s", vector, total,
                       entry->fn != NULL ? entry->name : "(nobody)");
        cpu_for_each (cpu) {
            if (cpu == 8) {
                console_printf(" ...");
                break;
            }
            console_printf(" %lu", irq_nr_taken(cpu, vector));
        }
        console_printf("\n");
    }
}

MONITOR_COMMAND(irqs, "", "interrupts by vector and CPU", irq_command);
