/* SPDX-License-Identifier: MIT */
/*
 * Each CPU has a stack of requests, to which any CPU pushes and from which
 * only its owner takes, all at once; requests live on the stack of the CPU
 * that waits for them.  What it has taken it serves for a bounded time, then
 * it interrupts itself.
 *
 * Invariants: a request is on at most one stack; after its done flag is set
 * nobody touches it but the waiting CPU.  An interrupt is sent by the push
 * that finds the stack empty, with interrupts disabled from the push on, so a
 * non-empty stack always has an interrupt under way, or about to be, whatever
 * else happens on the CPU that pushed; so has what was taken and not served,
 * unless it is being served.
 *
 * May run concurrently:    push   take
 *                   push   yes    yes
 *                   take   yes     -     (own CPU only)
 */
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include <arch/clock.h>
#include <arch/cpu.h>
#include <arch/smp.h>
#include <kern/clock.h>
#include <kern/cpu.h>
#include <kern/init.h>
#include <kern/percpu.h>
#include <kern/xcall.h>
#include <lib/assert.h>

/* Nanoseconds after which no further request is served in an interrupt. */
#define XCALL_BUDGET_NS UINT64_C(300)

static __aligned(CACHE_LINE) PERCPU(_Atomic(struct xcall *), xcall_stack);

/* Taken from the stack; touched by its CPU, interrupts disabled. */
static PERCPU(struct xcall *, xcall_taken);

/* In ticks of the counter; set on the boot CPU, constant from then on. */
static uint64_t xcall_budget;

static void
xcall_push(uint32_t cpu, struct xcall *call)
{
    _Atomic(struct xcall *) *stack;
    struct xcall *head;
    uint64_t flags;

    /*
     * A handler that came between the push and the interrupt, and called the
     * same CPU, would find the stack not empty and wait for an interrupt that
     * is not sent before it returns.
     */
    flags = cpu_irq_save();
    stack = percpu_ptr(xcall_stack, cpu);
    head = atomic_load_explicit(stack, memory_order_relaxed);
    do {
        call->next = head;
        /* Pairs with the acquire in xcall_next(): the call is filled. */
    } while (!atomic_compare_exchange_weak_explicit(
        stack, &head, call, memory_order_release, memory_order_relaxed));
    if (head == NULL) {
        smp_send_xcall(cpu);
    }
    cpu_irq_restore(flags);
}

/* The request to be served next, NULL for none. */
static struct xcall *
xcall_next(void)
{
    struct xcall *call;

    call = percpu_read(xcall_taken);
    if (call == NULL) {
        /* Pairs with the release in xcall_push(). */
        call = atomic_exchange_explicit(percpu_this(xcall_stack), NULL,
                                        memory_order_acquire);
    }
    if (call != NULL) {
        percpu_write(xcall_taken, call->next);
    }
    return call;
}

static void
xcall_serve(struct xcall *call)
{
    if (call->is_posted) {
        /* Posted from here on, it runs once more. */
        atomic_store(&call->done, true);
        call->fn(call->arg);
        return;
    }

    call->fn(call->arg);
    /* Pairs with the acquire in xcall_wait(). */
    atomic_store_explicit(&call->done, true, memory_order_release);
}

void
xcall_handle(void)
{
    struct xcall *call;
    uint64_t end;

    end = clock_counter() + xcall_budget;
    for (call = xcall_next(); call != NULL; call = xcall_next()) {
        xcall_serve(call);
        if (clock_counter() >= end) {
            break;
        }
    }
    /* Of two interrupts that pend, one for either, only one may have come. */
    if (call != NULL && (percpu_read(xcall_taken) != NULL ||
                         atomic_load_explicit(percpu_this(xcall_stack),
                                              memory_order_relaxed) != NULL)) {
        smp_send_xcall(cpu_id());
    }
}

void
xcall_post(struct xcall *call)
{
    uint64_t flags;

    if (!atomic_exchange(&call->done, false)) {
        return;
    }
    /* The thread must not move between naming its CPU and the push. */
    flags = cpu_irq_save();
    xcall_push(cpu_id(), call);
    cpu_irq_restore(flags);
}

static void
xcall_wait(struct xcall *call)
{
    /* Pairs with the release in xcall_serve(). */
    while (!atomic_load_explicit(&call->done, memory_order_acquire)) {
        if (!cpu_irq_is_enabled()) {
            xcall_handle();
        }
        cpu_pause();
    }
}

/*
 * Call the function here if this is the CPU that is meant.
 */
static bool
xcall_try_here(uint32_t cpu, xcall_fn_t fn, void *arg)
{
    uint64_t flags;
    bool is_here;

    /* From the look on the caller must not move to another CPU. */
    flags = cpu_irq_save();
    is_here = cpu == cpu_id();
    if (is_here) {
        fn(arg);
    }
    cpu_irq_restore(flags);
    return is_here;
}

void
xcall_one(uint32_t cpu, xcall_fn_t fn, void *arg)
{
    struct xcall call = { .fn = fn, .arg = arg };

    if (xcall_try_here(cpu, fn, arg)) {
        return;
    }

    assert(cpu_is_online(cpu));
    xcall_push(cpu, &call);
    xcall_wait(&call);
}

/* How many requests xcall_all() has under way at a time. */
#define XCALL_BATCH 32

void
xcall_all(xcall_fn_t fn, void *arg)
{
    struct xcall calls[XCALL_BATCH];
    uint32_t cpu, own, n, i;
    uint64_t flags;

    /* From here on the thread may move; then it interrupts its own CPU too. */
    flags = cpu_irq_save();
    own = cpu_id();
    fn(arg);
    cpu_irq_restore(flags);
    n = 0;
    cpu_for_each (cpu) {
        if (cpu == own) {
            continue;
        }

        calls[n].fn = fn;
        calls[n].arg = arg;
        calls[n].is_posted = false;
        atomic_init(&calls[n].done, false);
        xcall_push(cpu, &calls[n]);
        if (++n < XCALL_BATCH) {
            continue;
        }
        for (i = 0; i < n; i++) {
            xcall_wait(&calls[i]);
        }
        n = 0;
    }

    for (i = 0; i < n; i++) {
        xcall_wait(&calls[i]);
    }
}

static status_t
xcall_setup(void)
{
    xcall_budget = clock_ns_to_ticks(XCALL_BUDGET_NS);
    return OK;
}

INIT_OP(xcall_setup, INIT_BOOT_CPU, AFTER(clock_setup));
