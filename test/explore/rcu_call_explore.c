/* SPDX-License-Identifier: MIT */
#include <stdatomic.h>

#include <arch/cpu.h>
#include <kern/kmalloc.h>
#include <kern/rcu.h>
#include <lib/macros.h>
#include <test/explore/threads.h>

struct rcu_call_object {
    unsigned value;
    struct rcu_head head;
};

/* Callbacks linger for a while. */
#define RCU_CALL_LOOK_NS UINT64_C(400000)

static struct rcu_call_object *rcu_call_published;
static struct rcu_head rcu_call_heads[4];
static atomic_uint rcu_call_nr_called;
static atomic_uint rcu_call_order;
static atomic_bool rcu_call_is_over;

static void
rcu_call_setup_machine(void)
{
    threads_setup(2);
    explore_init_op("rcu_setup");
}

static struct rcu_call_object *
rcu_call_create(unsigned value)
{
    struct rcu_call_object *object;

    object = kmalloc(sizeof(*object));
    object->value = value;
    return object;
}

static void
rcu_call_read(void *arg __unused)
{
    struct rcu_call_object *object;
    unsigned i, value;

    for (i = 0; i < 2; i++) {
        rcu_read_lock();
        object = rcu_dereference(rcu_call_published);
        value = READ_ONCE(object->value);
        explore_expect(value != 0);
        threads_sleep_below(RCU_CALL_LOOK_NS * 4);
        explore_expect(READ_ONCE(object->value) == value);
        rcu_read_unlock();
    }
}

static void
rcu_call_free(struct rcu_head *head)
{
    struct rcu_call_object *object;

    explore_expect(!rcu_read_is_held());
    object = container_of(head, struct rcu_call_object, head);
    object->value = 0;
    kfree(object);
    rcu_call_nr_called++;
}

static void
rcu_call_main_frees(void *arg __unused)
{
    struct rcu_call_object *old;
    struct thread *reader;
    unsigned i;

    reader = threads_create_on(1, rcu_call_read, NULL);
    for (i = 0; i < 2; i++) {
        old = rcu_protected(rcu_call_published);
        rcu_assign(rcu_call_published, rcu_call_create(2 + i));
        rcu_call(&old->head, rcu_call_free);
        threads_sleep_below(300);
    }
    rcu_barrier();
    explore_expect(rcu_call_nr_called == 2);
    thread_join(reader);
}

/* A callback comes after a grace period, and is not forgotten. */
EXPLORE(rcu_call, frees)
{
    rcu_call_setup_machine();
    rcu_call_published = rcu_call_create(1);
    threads_go(2, rcu_call_main_frees, NULL);
}

static void
rcu_call_note(struct rcu_head *head)
{
    unsigned i = (unsigned)(head - rcu_call_heads);

    /* The first two are of one CPU. */
    explore_expect(i != 1 || (rcu_call_order & 1) != 0);
    explore_expect((rcu_call_order & (1U << i)) == 0);
    explore_expect(!rcu_call_is_over);
    rcu_call_order |= 1U << i;
}

static void
rcu_call_third(void *arg __unused)
{
    rcu_call(&rcu_call_heads[2], rcu_call_note);
}

static void
rcu_call_main_awaits_all(void *arg __unused)
{
    struct thread *thread;
    unsigned before;

    thread = threads_create_on(1, rcu_call_third, NULL);
    preempt_disable();
    rcu_call(&rcu_call_heads[0], rcu_call_note);
    rcu_call(&rcu_call_heads[1], rcu_call_note);
    preempt_enable();
    before = explore_random(2) == 0;
    if (before) {
        thread_join(thread);
    }
    rcu_barrier();
    explore_expect((rcu_call_order & 3) == 3);
    if (before) {
        explore_expect(rcu_call_order == 7);
        rcu_call_is_over = true;
    } else {
        thread_join(thread);
    }
}

/* A barrier waits for the callbacks of all CPUs, which come in order. */
EXPLORE(rcu_call, barrier)
{
    rcu_call_setup_machine();
    threads_go(2, rcu_call_main_awaits_all, NULL);
}

static void
rcu_call_in_interrupt(void *arg __unused)
{
    rcu_call(&rcu_call_heads[3], rcu_call_note);
}

static void
rcu_call_main_is_interrupted(void *arg __unused)
{
    explore_interrupt(0, EXPLORE_IRQ);
    preempt_disable();
    rcu_call(&rcu_call_heads[0], rcu_call_note);
    rcu_call(&rcu_call_heads[1], rcu_call_note);
    preempt_enable();
    while (rcu_call_order != 11) {
        thread_sleep(RCU_CALL_LOOK_NS);
    }
}

/* Handlers may call, in the midst of a call. */
EXPLORE(rcu_call, interrupt)
{
    rcu_call_setup_machine();
    explore_handler(EXPLORE_IRQ, rcu_call_in_interrupt, NULL);
    threads_go(2, rcu_call_main_is_interrupted, NULL);
}
