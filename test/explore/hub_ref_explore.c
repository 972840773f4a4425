/* SPDX-License-Identifier: MIT */
#include <stdatomic.h>
#include <stddef.h>

#include <arch/cpu.h>
#include <kern/hub_ref.h>
#include <kern/kmalloc.h>
#include <lib/macros.h>
#include <test/explore/threads.h>

struct hub_ref_object {
    struct hub_ref hub;
    unsigned value;
};

/* References that each thread is given. */
#define HUB_REF_NR 3

static struct hub_ref_object *hub_ref_objects[2];
static struct hub_ref_object hub_ref_static;
static atomic_uint hub_ref_nr_released;
static atomic_bool hub_ref_is_dead;

static void
hub_ref_release_and_free(struct hub_ref *hub)
{
    struct hub_ref_object *object;

    object = container_of(hub, struct hub_ref_object, hub);
    hub_ref_destroy(hub);
    object->value = 0;
    kfree(object);
    hub_ref_nr_released++;
}

static void
hub_ref_setup_machine(void)
{
    unsigned i;

    threads_setup(2);
    explore_start_threads();
    for (i = 0; i < ARRAY_SIZE(hub_ref_objects); i++) {
        hub_ref_objects[i] = kmalloc(sizeof(*hub_ref_objects[i]));
        hub_ref_objects[i]->value = 42;
        hub_ref_init(&hub_ref_objects[i]->hub, hub_ref_release_and_free);
    }
}

static void
hub_ref_await_releases(unsigned nr)
{
    while (hub_ref_nr_released < nr) {
        thread_sleep(THREADS_LOOK_NS);
    }
    explore_expect(hub_ref_nr_released == nr);
}

/* Has some references, and another for a while. */
static void
hub_ref_use(void *arg)
{
    struct hub_ref_object *object = arg;
    unsigned i;

    hub_ref_get(&object->hub);
    for (i = 0; i < HUB_REF_NR + 1; i++) {
        explore_expect(READ_ONCE(object->value) == 42);
        hub_ref_put(&object->hub);
    }
}

static void
hub_ref_main_kills(void *arg __unused)
{
    struct hub_ref_object *object = hub_ref_objects[0];
    struct thread *threads[2];
    uint32_t cpu;
    unsigned i;

    for (cpu = 0; cpu < 2; cpu++) {
        for (i = 0; i < HUB_REF_NR; i++) {
            hub_ref_get(&object->hub);
        }
        threads[cpu] = threads_create_on(cpu, hub_ref_use, object);
    }
    threads_sleep_below(600);
    hub_ref_kill(&object->hub);
    hub_ref_await_releases(1);
    for (cpu = 0; cpu < 2; cpu++) {
        thread_join(threads[cpu]);
    }
}

/* Released once, when it is killed and the last reference is gone. */
EXPLORE(hub_ref, release)
{
    hub_ref_setup_machine();
    threads_go(2, hub_ref_main_kills, NULL);
}

static void
hub_ref_kill_second(void *arg __unused)
{
    hub_ref_kill(&hub_ref_objects[1]->hub);
}

static void
hub_ref_main_kills_too(void *arg __unused)
{
    struct thread *thread;

    thread = threads_create_on(1, hub_ref_kill_second, NULL);
    hub_ref_kill(&hub_ref_objects[0]->hub);
    thread_join(thread);
    hub_ref_await_releases(2);
}

/* Of two that are killed at once none is forgotten. */
EXPLORE(hub_ref, two_killed)
{
    hub_ref_setup_machine();
    threads_go(2, hub_ref_main_kills_too, NULL);
}

static void
hub_ref_note_release(struct hub_ref *hub)
{
    explore_expect(hub == &hub_ref_static.hub);
    hub_ref_static.value = 0;
    hub_ref_is_dead = true;
    hub_ref_nr_released++;
}

static void
hub_ref_try(void *arg __unused)
{
    bool was_dead;

    was_dead = hub_ref_is_dead;
    if (hub_ref_try_get(&hub_ref_static.hub)) {
        explore_expect(!was_dead);
        explore_expect(READ_ONCE(hub_ref_static.value) == 42);
        hub_ref_put(&hub_ref_static.hub);
    }
}

static void
hub_ref_try_often(void *arg __unused)
{
    unsigned i;

    for (i = 0; i < 6; i++) {
        hub_ref_try(NULL);
    }
}

static void
hub_ref_main_kills_static(void *arg __unused)
{
    struct thread *thread;

    explore_interrupt(0, EXPLORE_IRQ);
    thread = threads_create_on(1, hub_ref_try_often, NULL);
    threads_sleep_below(600);
    explore_interrupt(1, EXPLORE_IRQ);
    hub_ref_kill(&hub_ref_static.hub);
    thread_join(thread);
    hub_ref_await_releases(1);
    /* Not destroyed: a handler may still be to come. */
    explore_expect(!hub_ref_try_get(&hub_ref_static.hub));
}

/* To try gets what lives, or nothing; in interrupts, too. */
EXPLORE(hub_ref, try_get)
{
    hub_ref_setup_machine();
    hub_ref_static.value = 42;
    hub_ref_init(&hub_ref_static.hub, hub_ref_note_release);
    explore_handler(EXPLORE_IRQ, hub_ref_try, NULL);
    threads_go(2, hub_ref_main_kills_static, NULL);
}
