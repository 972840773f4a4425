/* SPDX-License-Identifier: MIT */
#include <stdatomic.h>
#include <stddef.h>

#include <arch/cpu.h>
#include <arch/smp.h>
#include <kern/cpu.h>
#include <kern/idle.h>
#include <kern/percpu.h>

/*
 * Keys: [a] atomic   [f] valid while fn is set
 */
struct idle_work {
    _Atomic idle_fn_t fn; /* [a] set by the asker, cleared when it is done */
    void *arg;            /* [f] */
};

static __aligned(CACHE_LINE) PERCPU(struct idle_work, idle_work);

/*
 * Do what was asked for.  Returns: whether there was anything
 */
static bool
idle_work_try(struct idle_work *work)
{
    idle_fn_t fn;

    /* Pairs with the release in idle_run_all(): arg is set. */
    fn = atomic_load_explicit(&work->fn, memory_order_acquire);
    if (fn == NULL) {
        return false;
    }

    cpu_irq_enable();
    fn(work->arg);
    /* Pairs with the acquire in idle_run_all(): it has returned. */
    atomic_store_explicit(&work->fn, NULL, memory_order_release);
    return true;
}

void
idle_loop(void)
{
    struct idle_work *work;

    work = percpu_this(idle_work);
    for (;;) {
        /* A wake-up between the look and the wait stays pending. */
        cpu_irq_disable();
        if (!idle_work_try(work)) {
            cpu_idle_wait();
        }
    }
}

void
idle_run_all(idle_fn_t fn, void *arg)
{
    struct idle_work *work;
    uint32_t cpu;

    cpu_for_each (cpu) {
        if (cpu == cpu_id()) {
            continue;
        }
        work = percpu_ptr(idle_work, cpu);
        work->arg = arg;
        /* Pairs with the acquire in idle_work_try(). */
        atomic_store_explicit(&work->fn, fn, memory_order_release);
        smp_send_wake(cpu);
    }

    fn(arg);
    cpu_for_each (cpu) {
        work = percpu_ptr(idle_work, cpu);
        /* Pairs with the release in idle_work_try(). */
        while (atomic_load_explicit(&work->fn, memory_order_acquire) != NULL) {
            cpu_pause();
        }
    }
}
