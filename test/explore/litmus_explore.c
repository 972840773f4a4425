/* SPDX-License-Identifier: MIT */
/*
 * What the explorer itself must be able to tell: small programs with a known
 * answer, each of which has broken variants.
 */
#include <stdatomic.h>

#include <arch/cpu.h>
#include <arch/layout.h>
#include <arch/thread.h>
#include <kern/cpu.h>
#include <kern/kmalloc.h>
#include <kern/kva.h>
#include <kern/percpu.h>
#include <lib/macros.h>
#include <test/explore/explore.h>

static atomic_uint litmus_wants[2];
static unsigned litmus_inside;

static void
litmus_store_and_look(void *arg)
{
    unsigned self = (unsigned)(uintptr_t)arg;

    atomic_store_explicit(&litmus_wants[self], 1, memory_order_release);
    /* Pairs with itself on the other CPU: one of the two sees the other. */
    atomic_thread_fence(memory_order_seq_cst);
    if (atomic_load_explicit(&litmus_wants[!self], memory_order_acquire) == 0) {
        explore_expect(litmus_inside++ == 0);
    }
}

/* Dekker: of two who store, then look, at least one sees the other. */
EXPLORE(litmus, store_buffering)
{
    explore_cpus(2);
    explore_fibre(litmus_store_and_look, (void *)0);
    explore_fibre(litmus_store_and_look, (void *)1);
    explore_run();
    explore_expect(litmus_inside <= 1);
}

static unsigned litmus_data[4];
static unsigned litmus_flag;

static void
litmus_send(void *arg __unused)
{
    unsigned i;

    for (i = 0; i < ARRAY_SIZE(litmus_data); i++) {
        WRITE_ONCE(litmus_data[i], i + 1);
    }
    WRITE_ONCE(litmus_flag, 1);
}

static void
litmus_receive(void *arg __unused)
{
    unsigned i;

    if (READ_ONCE(litmus_flag) == 0) {
        return;
    }
    for (i = 0; i < ARRAY_SIZE(litmus_data); i++) {
        explore_expect(READ_ONCE(litmus_data[i]) == i + 1);
    }
}

/* Stores are seen in their order: x86 needs no fence for that. */
EXPLORE(litmus, message_passing)
{
    explore_cpus(3);
    explore_fibre(litmus_send, NULL);
    explore_fibre(litmus_receive, NULL);
    explore_fibre(litmus_receive, NULL);
    explore_run();
}

static void
litmus_own_stores(void *arg)
{
    unsigned value = (unsigned)(uintptr_t)arg;

    WRITE_ONCE(litmus_data[value], value);
    explore_expect(READ_ONCE(litmus_data[value]) == value);
    WRITE_ONCE(litmus_data[value], value + 10);
    explore_expect(READ_ONCE(litmus_data[value]) == value + 10);
}

/* A CPU sees its own stores at once; in the end all are there. */
EXPLORE(litmus, forwarding)
{
    explore_cpus(2);
    explore_fibre(litmus_own_stores, (void *)1);
    explore_fibre(litmus_own_stores, (void *)2);
    explore_run();
    explore_expect(litmus_data[1] == 11 && litmus_data[2] == 12);
}

/* A stack of nodes; a tag in the low bits changes with each push. */
struct litmus_node {
    uintptr_t next;
};

#define LITMUS_TAG ((uintptr_t)15)

static _Atomic uintptr_t litmus_top;

static struct litmus_node *
litmus_node(uintptr_t top)
{
    return (struct litmus_node *)(top & ~LITMUS_TAG);
}

static void
litmus_push(struct litmus_node *node)
{
    uintptr_t top, new;

    top = atomic_load(&litmus_top);
    do {
        WRITE_ONCE(node->next, top);
        new = (uintptr_t)node | ((top + 1) & LITMUS_TAG);
    } while (!atomic_compare_exchange_strong(&litmus_top, &top, new));
}

static struct litmus_node *
litmus_pop(void)
{
    uintptr_t top, new;

    top = atomic_load(&litmus_top);
    do {
        if (litmus_node(top) == NULL) {
            return NULL;
        }
        new = READ_ONCE(litmus_node(top)->next) & ~LITMUS_TAG;
        new |= top &LITMUS_TAG;
    } while (!atomic_compare_exchange_strong(&litmus_top, &top, new));
    return litmus_node(top);
}

static __aligned(16) struct litmus_node litmus_nodes[3][2];

static void
litmus_pop_two_push_one(void *arg __unused)
{
    struct litmus_node *first, *second;

    first = litmus_pop();
    second = litmus_pop();
    if (first != NULL) {
        litmus_push(first);
    }
    if (second != NULL) {
        /* It is ours now: nobody else may have it. */
        explore_expect(second->next != 1);
        second->next = 1;
    }
}

/* ABA: a top that went and came back is not the same. */
EXPLORE(litmus, tagged_stack)
{
    unsigned i;

    explore_cpus(2);
    for (i = 0; i < 3; i++) {
        litmus_push(litmus_nodes[i]);
    }
    explore_fibre(litmus_pop_two_push_one, NULL);
    explore_fibre(litmus_pop_two_push_one, NULL);
    explore_run();
    while (litmus_node(litmus_top) != NULL) {
        explore_expect(litmus_pop()->next != 1);
    }
}

static _Atomic(unsigned *) litmus_object;
static atomic_uint litmus_users;

static void
litmus_use(void *arg __unused)
{
    unsigned *object;

    atomic_fetch_add(&litmus_users, 1);
    object = atomic_load(&litmus_object);
    if (object != NULL) {
        explore_expect(READ_ONCE(*object) == 5);
    }
    atomic_fetch_sub(&litmus_users, 1);
}

static void
litmus_free(void *arg __unused)
{
    unsigned *object;

    object = atomic_exchange(&litmus_object, NULL);
    while (atomic_load(&litmus_users) != 0) {
        cpu_pause();
    }
    kfree(object);
}

/* An object is freed when it cannot be found and nobody uses it. */
EXPLORE(litmus, free_unused)
{
    unsigned *object;

    explore_cpus(3);
    object = kmalloc(sizeof(*object));
    *object = 5;
    litmus_object = object;
    explore_fibre(litmus_use, NULL);
    explore_fibre(litmus_use, NULL);
    explore_fibre(litmus_free, NULL);
    explore_run();
}

static PERCPU(unsigned, litmus_counter) = 100;
static unsigned litmus_interrupts[2];

static void
litmus_count(void *arg __unused)
{
    percpu_add(litmus_counter, 1);
    litmus_interrupts[cpu_id()]++;
}

static void
litmus_count_often(void *arg __unused)
{
    unsigned i;

    for (i = 0; i < 3; i++) {
        percpu_add(litmus_counter, 1);
        explore_interrupt(!cpu_id(), EXPLORE_IRQ);
    }
    cpu_pause();
}

/* A per-CPU counter counts what interrupts and the interrupted count. */
EXPLORE(litmus, percpu)
{
    unsigned cpu;

    explore_cpus(2);
    explore_handler(EXPLORE_IRQ, litmus_count, NULL);
    explore_fibre(litmus_count_often, NULL);
    explore_fibre(litmus_count_often, NULL);
    explore_run();
    for (cpu = 0; cpu < 2; cpu++) {
        explore_expect(*percpu_ptr(litmus_counter, cpu) ==
                       103 + litmus_interrupts[cpu]);
    }
}

static uintptr_t litmus_main, litmus_other;
static unsigned litmus_switches;

static void
litmus_run_other(void)
{
    for (;;) {
        litmus_switches++;
        thread_context_switch(&litmus_other, litmus_main, 0);
    }
}

static void
litmus_switch_twice(void *arg __unused)
{
    uintptr_t stack;

    stack = (uintptr_t)kva_alloc_stack("other");
    litmus_other =
        thread_context_init(stack + KERNEL_STACK_SIZE, litmus_run_other);
    thread_context_switch(&litmus_main, litmus_other, 0);
    thread_context_switch(&litmus_main, litmus_other, 0);
}

/* A CPU may have several flows of control, as threads need. */
EXPLORE(litmus, contexts)
{
    explore_cpus(1);
    explore_fibre(litmus_switch_twice, NULL);
    explore_run();
    explore_expect(litmus_switches == 2);
}
