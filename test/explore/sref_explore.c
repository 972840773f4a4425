/* SPDX-License-Identifier: MIT */
/*
 * Scalable references.  An object frees itself in its noref(), and each thread
 * that has a reference looks at it: so one that dies too early is found by the
 * heap; one that does not die by sref_sync(), which main calls at the end.
 */
#include <stdatomic.h>
#include <stddef.h>

#include <arch/cpu.h>
#include <kern/clock.h>
#include <kern/cpu.h>
#include <kern/kmalloc.h>
#include <kern/option.h>
#include <kern/page.h>
#include <kern/sref.h>
#include <lib/macros.h>
#include <test/explore/threads.h>

/* Deltas of a CPU, of one set: the fifth object makes one collide. */
#define SREF_SLOTS "4"

/* Short epochs, so that something is going on always, microseconds. */
#define SREF_PERIOD "1"

#define SREF_OBJECTS 6

/* How often a reference changes hands. */
#define SREF_PASSES 5

struct sref_object {
    struct sref_weakable weakable;
    unsigned value;
};

static struct sref_object *sref_objects[SREF_OBJECTS];
static struct sref_weak sref_weak;
static atomic_uint sref_nr_dead;
static atomic_uint sref_nr_got;
static atomic_uint sref_turn;
static _Atomic(struct thread *) sref_threads[2];

/* What sref.c wants for the slots of each CPU. */
struct page *
page_alloc(unsigned int order, unsigned int flags __unused)
{
    static __aligned(PAGE_SIZE) char pages[EXPLORE_CPUS_MAX][PAGE_SIZE];

    explore_expect(order == 0);
    return page_from_ptr(pages[cpu_id()]);
}

void
page_register_shrinker(struct page_shrinker *shrinker __unused)
{
}

status_t
option_number(const char *value, uint64_t max __unused, uint64_t *out)
{
    *out = (uint64_t)(value[0] - '0');
    return OK;
}

static void
sref_object_noref(struct sref *sref)
{
    struct sref_object *object;

    object = container_of(sref, struct sref_object, weakable.sref);
    explore_expect(object->value == 42);
    object->value = 0;
    kfree(object);
    sref_nr_dead++;
}

static const struct sref_class sref_object_class = {
    .name = "explored",
    .noref = sref_object_noref,
    .is_weakable = true,
};

static struct sref_object *
sref_object_create(struct sref_weak *weak)
{
    struct sref_object *object;

    object = kmalloc(sizeof(*object));
    object->value = 42;
    sref_weakable_init(&object->weakable, &sref_object_class, weak);
    return object;
}

static struct sref *
sref_of(unsigned i)
{
    return &sref_objects[i]->weakable.sref;
}

static void
sref_setup_machine(unsigned nr_cpus, unsigned nr_objects)
{
    unsigned i;

    threads_setup(nr_cpus);
    explore_option("sref_slots", SREF_SLOTS);
    explore_option("sref_period", SREF_PERIOD);
    explore_init_op("sref_setup");
    explore_start_threads();
    sref_weak_init(&sref_weak);
    for (i = 0; i < nr_objects; i++) {
        sref_objects[i] = sref_object_create(i == 0 ? &sref_weak : NULL);
    }
}

static void
sref_look(const struct sref *sref)
{
    explore_expect(
        READ_ONCE(
            container_of(sref, struct sref_object, weakable.sref)->value) ==
        42);
}

static void
sref_end(unsigned nr)
{
    explore_expect(sref_sync(CLOCK_NEVER) == OK);
    explore_expect(sref_nr_dead == nr);
}

/* Give up the reference of main, after having had others. */
static void
sref_use(void *arg __unused)
{
    sref_get(sref_of(0));
    sref_look(sref_of(0));
    sref_put(sref_of(0));
    threads_sleep_below(2 * sref_period_ns());
    sref_look(sref_of(0));
    sref_put(sref_of(0));
}

static void
sref_main_shares(void *arg __unused)
{
    struct thread *thread;

    sref_get(sref_of(0));
    thread = threads_create_on(1, sref_use, NULL);
    sref_look(sref_of(0));
    sref_put(sref_of(0));
    thread_join(thread);
    sref_end(1);
}

/* An object dies once, when its last reference is gone. */
EXPLORE(sref, last_put)
{
    sref_setup_machine(2, 1);
    threads_go(2, sref_main_shares, NULL);
}

/* Wait for one's turn. */
static void
sref_await_turn(unsigned self, unsigned turn)
{
    sref_threads[self] = thread_self();
    while (sref_turn != turn) {
        thread_park(CLOCK_NEVER);
    }
}

static void
sref_end_turn(unsigned self)
{
    struct thread *other;

    sref_turn++;
    other = sref_threads[!self];
    if (other != NULL) {
        thread_unpark(other);
    }
}

/* Has the only reference passed to it and away, as the other one does. */
static void
sref_pass(void *arg)
{
    unsigned self = (unsigned)(uintptr_t)arg;
    unsigned i;

    for (i = 0; i < SREF_PASSES; i++) {
        sref_await_turn(self, 2 * i + (i % 2 != self));
        sref_look(sref_of(0));
        if (i % 2 == self) {
            sref_get(sref_of(0));
        } else {
            sref_put(sref_of(0));
        }
        sref_end_turn(self);
        threads_sleep_below(sref_period_ns());
    }
}

static void
sref_main_has_passed(void *arg __unused)
{
    struct thread *threads[2];
    uintptr_t cpu;

    for (cpu = 0; cpu < 2; cpu++) {
        threads[cpu] = threads_create_on((uint32_t)cpu, sref_pass, (void *)cpu);
    }
    for (cpu = 0; cpu < 2; cpu++) {
        thread_join(threads[cpu]);
    }
    explore_expect(sref_nr_dead == 0);
    sref_look(sref_of(0));
    sref_put(sref_of(0));
    sref_end(1);
}

/* A count that seems to be zero is none while deltas are under way. */
EXPLORE(sref, passed_around)
{
    sref_setup_machine(2, 1);
    threads_go(2, sref_main_has_passed, NULL);
}

static void
sref_use_many(void *arg __unused)
{
    unsigned i;

    for (i = 0; i < SREF_OBJECTS; i++) {
        sref_look(sref_of(i));
        sref_put(sref_of(i));
    }
}

static void
sref_main_uses_many(void *arg __unused)
{
    struct thread *thread;
    unsigned i;

    for (i = 0; i < SREF_OBJECTS; i++) {
        sref_get(sref_of(i));
    }
    thread = threads_create_on(1, sref_use_many, NULL);
    for (i = 0; i < SREF_OBJECTS; i++) {
        sref_look(sref_of(i));
        sref_put(sref_of(i));
    }
    thread_join(thread);
    sref_end(SREF_OBJECTS);
}

/* Deltas that collide are told, none is lost. */
EXPLORE(sref, collisions)
{
    sref_setup_machine(2, SREF_OBJECTS);
    threads_go(2, sref_main_uses_many, NULL);
}

/* Takes a reference to the first object, or gives it up; uses the others. */
static void
sref_use_in_interrupt(void *arg __unused)
{
    unsigned i;

    if (sref_nr_got++ % 2 == 0) {
        sref_get(sref_of(0));
    } else {
        sref_put(sref_of(0));
    }
    for (i = 1; i < SREF_OBJECTS; i++) {
        sref_get(sref_of(i));
        sref_look(sref_of(i));
        sref_put(sref_of(i));
    }
}

static void
sref_main_is_interrupted(void *arg __unused)
{
    unsigned i;

    for (i = 0; i < 4; i++) {
        explore_interrupt(0, EXPLORE_IRQ);
        sref_get(sref_of(0));
        threads_sleep_below(2 * sref_period_ns());
        sref_look(sref_of(0));
        sref_put(sref_of(0));
    }
    /* The last may still be to come. */
    thread_sleep(4 * sref_period_ns());
    cpu_irq_disable();
    if (sref_nr_got++ % 2 != 0) {
        sref_put(sref_of(0));
    }
    cpu_irq_enable();
    for (i = 0; i < SREF_OBJECTS; i++) {
        sref_put(sref_of(i));
    }
    sref_end(SREF_OBJECTS);
}

/* Handlers may do what they interrupt. */
EXPLORE(sref, interrupt)
{
    sref_setup_machine(1, SREF_OBJECTS);
    explore_handler(EXPLORE_IRQ, sref_use_in_interrupt, NULL);
    threads_go(1, sref_main_is_interrupted, NULL);
}

static void
sref_get_weakly(void *arg __unused)
{
    struct sref *sref;
    unsigned i;

    threads_sleep_below(2 * sref_period_ns());
    for (i = 0; i < 4; i++) {
        sref = sref_weak_get(&sref_weak);
        if (sref != NULL) {
            sref_look(sref);
            threads_sleep_below(3 * sref_period_ns());
            sref_look(sref);
            sref_put(sref);
        }
        threads_sleep_below(3 * sref_period_ns());
    }
}

static void
sref_main_lets_die(void *arg __unused)
{
    struct thread *thread;

    thread = threads_create_on(1, sref_get_weakly, NULL);
    threads_sleep_below(2 * sref_period_ns());
    sref_put(sref_of(0));
    thread_join(thread);
    sref_end(1);
    explore_expect(!sref_weak_is_set(&sref_weak));
    explore_expect(sref_weak_get(&sref_weak) == NULL);
}

/* A weak reference gives an object that lives, or none. */
EXPLORE(sref, weak)
{
    sref_setup_machine(2, 1);
    threads_go(2, sref_main_lets_die, NULL);
}

static void
sref_put_second(void *arg __unused)
{
    sref_put(sref_of(1));
}

static void
sref_main_waits(void *arg __unused)
{
    struct thread *thread;

    sref_get(sref_of(0));
    thread = threads_create_on(1, sref_put_second, NULL);
    thread_join(thread);
    threads_sleep_below(2 * sref_period_ns());
    sref_end(1);
    sref_put(sref_of(0));
    sref_put(sref_of(0));
    sref_end(2);
}

/* To wait for what is dead does not wait for what lives. */
EXPLORE(sref, sync)
{
    sref_setup_machine(2, 2);
    threads_go(2, sref_main_waits, NULL);
}
