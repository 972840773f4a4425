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
#include <lib/bitmap.h>
#include <lib/macros.h>

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

/* How many requests a caller has under way at a time. */
#define XCALL_BATCH 32

/*
 * The requests of a caller, in a ring; when it is full the oldest is waited
 * for.
 */
struct xcall_batch {
    xcall_fn_t fn;
    void *arg;
    uint32_t nr; /* begun so far */
    struct xcall calls[XCALL_BATCH];
};

static void
xcall_batch_init(struct xcall_batch *batch, xcall_fn_t fn, void *arg)
{
    batch->fn = fn;
    batch->arg = arg;
    batch->nr = 0;
}

static void
xcall_batch_push(struct xcall_batch *batch, uint32_t cpu)
{
    struct xcall *call = &batch->calls[batch->nr % XCALL_BATCH];

    if (batch->nr >= XCALL_BATCH) {
        xcall_wait(call);
    }
    batch->nr++;
    call->fn = batch->fn;
    call->arg = batch->arg;
    call->is_posted = false;
    atomic_init(&call->done, false);
    xcall_push(cpu, call);
}

/* Call here, while others do, or where the caller has moved away from. */
static void
xcall_batch_call_own(struct xcall_batch *batch, uint32_t own)
{
    if (!xcall_try_here(own, batch->fn, batch->arg)) {
        xcall_batch_push(batch, own);
    }
}

static void
xcall_batch_wait(struct xcall_batch *batch)
{
    uint32_t i, n;

    n = MIN(batch->nr, (uint32_t)XCALL_BATCH);
    for (i = 0; i < n; i++) {
        xcall_wait(&batch->calls[i]);
    }
}

void
xcall_many(const unsigned long *cpus, xcall_fn_t fn, void *arg)
{
    struct xcall_batch batch;
    uint32_t own;
    size_t cpu;

    own = cpu_id();
    xcall_batch_init(&batch, fn, arg);
    bitmap_for_each (cpus, cpu_nr_possible, cpu) {
        assert(cpu_is_online((uint32_t)cpu));
        if (cpu != own) {
            xcall_batch_push(&batch, (uint32_t)cpu);
        }
    }
    if (bitmap_test(cpus, own)) {
        xcall_batch_call_own(&batch, own);
    }
    xcall_batch_wait(&batch);
}

void
xcall_all(xcall_fn_t fn, void *arg)
{
    struct xcall_batch batch;
    uint32_t own, cpu;

    own = cpu_id();
    xcall_batch_init(&batch, fn, arg);
    cpu_for_each (cpu) {
        if (cpu != own) {
            xcall_batch_push(&batch, cpu);
        }
    }
    xcall_batch_call_own(&batch, own);
    xcall_batch_wait(&batch);
}

static status_t
xcall_setup(void)
{
    xcall_budget = clock_ns_to_ticks(XCALL_BUDGET_NS);
    return OK;
}

INIT_OP(xcall_setup, INIT_BOOT_CPU, AFTER(clock_setup));
