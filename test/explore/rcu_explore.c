/* SPDX-License-Identifier: MIT */
/*
 * Grace periods.  What is read is freed behind them, and whoever still uses
 * it then is found by the heap, or by a value that has changed where memory
 * is given out again.  No callbacks: rcu_call_explore.c has them.
 */
#include <stdatomic.h>

#include <arch/cpu.h>
#include <kern/clock.h>
#include <kern/cpu.h>
#include <kern/kmalloc.h>
#include <kern/rcu.h>
#include <kern/rcu_list.h>
#include <kern/rcu_tree.h>
#include <lib/bitmap.h>
#include <lib/macros.h>
#include <test/explore/threads.h>

struct rcu_object {
    unsigned value;
    struct list list_node;
};

static struct rcu_object *rcu_published[2];
static atomic_uint rcu_nr_made;

static struct rcu_object *
rcu_object_create(void)
{
    struct rcu_object *object;

    object = kmalloc(sizeof(*object));
    object->value = ++rcu_nr_made;
    return object;
}

static void
rcu_setup_machine(unsigned nr_cpus, unsigned stride)
{
    unsigned i;

    threads_setup_apart(nr_cpus, stride);
    explore_init_op("rcu_setup");
    for (i = 0; i < ARRAY_SIZE(rcu_published); i++) {
        rcu_published[i] = rcu_object_create();
    }
}

static void
rcu_run_main(unsigned nr_cpus, explore_fn_t main, void *arg)
{
    rcu_setup_machine(nr_cpus, 1);
    threads_go(nr_cpus, main, arg);
}

/* In a section: the object stays what it is. */
static void
rcu_use(unsigned i, void (*pause)(void))
{
    struct rcu_object *object;
    unsigned value;

    object = rcu_dereference(rcu_published[i]);
    value = READ_ONCE(object->value);
    explore_expect(value != 0);
    pause();
    explore_expect(READ_ONCE(object->value) == value);
}

static void
rcu_go_on(void)
{
}

/* A section that others overtake. */
static void
rcu_linger(void)
{
    unsigned i;

    for (i = explore_random(4); i > 0; i--) {
        cpu_pause();
    }
}

static void
rcu_read_once(void *arg __unused)
{
    rcu_read_lock();
    rcu_use(0, rcu_linger);
    rcu_read_unlock();
}

static void
rcu_read(void *arg __unused)
{
    rcu_read_once(NULL);
    rcu_read_once(NULL);
}

static void
rcu_update(unsigned i, void (*wait)(void))
{
    struct rcu_object *object, *old;

    object = rcu_object_create();
    old = rcu_protected(rcu_published[i]);
    rcu_assign(rcu_published[i], object);
    wait();
    old->value = 0;
    kfree(old);
}

/* Have a reader on each CPU. */
static void
rcu_main_waits(void *wait)
{
    struct thread *threads[2];
    uint32_t cpu;

    for (cpu = 0; cpu < ARRAY_SIZE(threads); cpu++) {
        threads[cpu] = threads_create_on(cpu, rcu_read, NULL);
    }
    rcu_update(0, (void (*)(void))wait);
    rcu_update(0, (void (*)(void))wait);
    for (cpu = 0; cpu < ARRAY_SIZE(threads); cpu++) {
        thread_join(threads[cpu]);
    }
}

/* A wait ends after the sections that had begun before it. */
EXPLORE(rcu, synchronize)
{
    rcu_run_main(2, rcu_main_waits, (void *)rcu_synchronize);
}

/* The same in a hurry. */
EXPLORE(rcu, expedited)
{
    rcu_run_main(2, rcu_main_waits, (void *)rcu_synchronize_expedited);
}

static void
rcu_poll(void)
{
    uint64_t cookie;

    cookie = rcu_poll_start();
    while (!rcu_poll_done(cookie)) {
        thread_sleep(THREADS_LOOK_NS);
    }
}

/* The same without waiting. */
EXPLORE(rcu, poll)
{
    rcu_run_main(2, rcu_main_waits, (void *)rcu_poll);
}

static void
rcu_sleep(void)
{
    thread_sleep(explore_random(400));
}

static void
rcu_read_and_sleep(void *arg __unused)
{
    rcu_read_lock();
    rcu_use(0, rcu_sleep);
    rcu_read_lock();
    rcu_use(0, rcu_go_on);
    rcu_read_unlock();
    rcu_use(0, rcu_go_on);
    rcu_read_unlock();
}

static void
rcu_main_waits_for_sleepers(void *arg __unused)
{
    struct thread *threads[2];
    unsigned i;

    for (i = 0; i < ARRAY_SIZE(threads); i++) {
        threads[i] = threads_create(rcu_read_and_sleep, NULL, NULL);
    }
    threads_sleep_below(300);
    rcu_update(0, rcu_synchronize);
    rcu_update(0, rcu_synchronize);
    for (i = 0; i < ARRAY_SIZE(threads); i++) {
        thread_join(threads[i]);
    }
}

/* A section may sleep, and go on on another CPU. */
EXPLORE(rcu, sleeping_reader)
{
    rcu_run_main(2, rcu_main_waits_for_sleepers, NULL);
}

static void
rcu_main_begins_early(void *arg __unused)
{
    struct thread *reader;
    uint64_t cookie;

    reader = threads_create_on(1, rcu_read, NULL);
    threads_sleep_below(300);
    cookie = rcu_poll_start();
    rcu_update(0, rcu_synchronize);
    explore_expect(rcu_poll_done(cookie));
    thread_join(reader);
}

/* A grace period that was wanted before is none for what comes later. */
EXPLORE(rcu, wanted_before)
{
    rcu_run_main(2, rcu_main_begins_early, NULL);
}

static void
rcu_update_other(void *arg __unused)
{
    rcu_update(1, rcu_synchronize);
}

static void
rcu_wake_in_vain(void *arg)
{
    unsigned i;

    for (i = 0; i < 3; i++) {
        thread_unpark(arg);
    }
}

static void
rcu_main_updates_too(void *arg __unused)
{
    struct thread *updater, *waker;

    updater = threads_create_on(1, rcu_update_other, NULL);
    waker = threads_create_on(1, rcu_wake_in_vain, thread_self());
    rcu_update(0, rcu_synchronize);
    thread_join(updater);
    thread_join(waker);
}

/* Several may wait, and be woken for other things. */
EXPLORE(rcu, two_updaters)
{
    rcu_run_main(2, rcu_main_updates_too, NULL);
}

/* Leave the other CPUs to what is explored. */
static void
rcu_keep_thread_here(void)
{
    unsigned long mask[BITMAP_LONGS(EXPLORE_CPUS_MAX)] = { 0 };

    bitmap_set(mask, cpu_id());
    explore_expect(thread_set_affinity(rcu_state.thread, mask) == OK);
}

static void
rcu_main_is_interrupted(void *arg __unused)
{
    unsigned i;

    rcu_keep_thread_here();
    for (i = 0; i < 2; i++) {
        explore_interrupt(1, EXPLORE_IRQ);
        threads_sleep_below(300);
        rcu_update(0, rcu_synchronize);
    }
}

/* Handlers may read, and end the idle state of their CPU before. */
EXPLORE(rcu, interrupt)
{
    rcu_setup_machine(2, 1);
    explore_handler(EXPLORE_IRQ, rcu_read_once, NULL);
    threads_go(2, rcu_main_is_interrupted, NULL);
}

/* Reads in the kernel, and is in user mode for a while. */
static void
rcu_visit_user_mode(void *arg __unused)
{
    unsigned i;

    for (i = 0; i < 2; i++) {
        rcu_read(NULL);
        cpu_irq_disable();
        rcu_user_enter();
        cpu_pause();
        rcu_user_exit();
        cpu_irq_enable();
    }
}

static void
rcu_main_has_users(void *arg __unused)
{
    struct thread *thread;

    rcu_keep_thread_here();
    thread = threads_create_on(1, rcu_visit_user_mode, NULL);
    rcu_update(0, rcu_synchronize);
    rcu_update(0, rcu_synchronize);
    thread_join(thread);
}

/* A CPU in user mode is not waited for; its sections before and after are. */
EXPLORE(rcu, user_mode)
{
    rcu_run_main(2, rcu_main_has_users, NULL);
}

static void
rcu_main_is_quick(void *arg __unused)
{
    struct thread *thread;
    uint64_t before;

    thread = threads_create_on(1, rcu_read_once, NULL);
    before = clock_now();
    rcu_update(0, rcu_synchronize);
    explore_expect(clock_now() - before < 1000000);
    thread_join(thread);
}

/* The last report ends a grace period, not the next look at silent CPUs. */
EXPLORE(rcu, ends_at_last_report)
{
    rcu_run_main(2, rcu_main_is_quick, NULL);
}

static struct list rcu_list;

static void
rcu_list_read(void *arg __unused)
{
    const struct rcu_object *object;
    unsigned i, sum;

    for (i = 0; i < 2; i++) {
        sum = 0;
        rcu_read_lock();
        rcu_list_for_each_entry (&rcu_list, object, list_node) {
            sum += READ_ONCE(object->value);
            rcu_linger();
        }
        rcu_read_unlock();
        /* The first stays, of the second and its copy one is in at most. */
        explore_expect(sum == 1 || sum == 1 + 16);
    }
}

static struct rcu_object *
rcu_list_object_create(unsigned value)
{
    struct rcu_object *object;

    object = kmalloc(sizeof(*object));
    object->value = value;
    return object;
}

static void
rcu_list_free(struct rcu_object *object)
{
    rcu_synchronize();
    object->value = 2;
    kfree(object);
}

static void
rcu_main_changes_list(void *arg __unused)
{
    struct rcu_object *object, *copy;
    struct thread *reader;

    reader = threads_create_on(1, rcu_list_read, NULL);
    object = rcu_list_object_create(16);
    rcu_list_insert_tail(&rcu_list, &object->list_node);
    copy = rcu_list_object_create(16);
    rcu_list_replace(&object->list_node, &copy->list_node);
    rcu_list_free(object);
    rcu_list_remove(&copy->list_node);
    rcu_list_free(copy);
    thread_join(reader);
}

/* Who walks along a list meets what is in, and nothing that was freed. */
EXPLORE(rcu, list)
{
    rcu_setup_machine(2, 1);
    list_init(&rcu_list);
    rcu_list_insert_head(&rcu_list, &rcu_list_object_create(1)->list_node);
    threads_go(2, rcu_main_changes_list, NULL);
}

static void
rcu_main_has_leaves(void *arg __unused)
{
    struct thread *threads[2];
    unsigned i;

    for (i = 0; i < ARRAY_SIZE(threads); i++) {
        threads[i] = threads_create_on((i + 1) * 8, rcu_read_and_sleep, NULL);
    }
    threads_sleep_below(300);
    rcu_update(0, rcu_synchronize);
    for (i = 0; i < ARRAY_SIZE(threads); i++) {
        thread_join(threads[i]);
    }
}

/* Reports of two leaves meet in the root. */
EXPLORE(rcu, two_leaves)
{
    rcu_setup_machine(3, 8);
    threads_go(3, rcu_main_has_leaves, NULL);
}
