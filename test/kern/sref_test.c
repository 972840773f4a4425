/* SPDX-License-Identifier: MIT */
#include <stdatomic.h>

#include <arch/latency.h>
#include <kern/all_cpus.h>
#include <kern/cpu.h>
#include <kern/kmalloc.h>
#include <kern/sref.h>
#include <kern/thread.h>
#include <kern/timer.h>
#include <kern/xcall.h>
#include <lib/string.h>
#include <test/test.h>

#define OBJECT_ALIVE UINT64_C(0x616c697665616c69)
#define OBJECT_DEAD  UINT64_C(0xdeaddeaddeaddead)

/* The slack given to an emulated machine whose CPUs share a few real ones. */
#define SLACK UINT64_C(20000000000)

/*
 * An object that knows how many references it has: a change of the model
 * comes before that of the count on put, and after it on get, so that an
 * object that dies with references in the model died early.
 */
struct object {
    struct sref_weakable ref;
    struct sref_weak weak;
    atomic_int model;
    atomic_uint nr_deaths;
    _Atomic uint64_t life;
    uint64_t death_epoch; /* set before it counts as dead */
    atomic_uint *nr_dead; /* counts deaths of all */
    atomic_uint nr_early; /* deaths with references in the model */
};

static void
object_died(struct sref *sref)
{
    struct object *object;

    object = container_of(sref, struct object, ref.sref);
    if (atomic_load(&object->model) != 0) {
        atomic_fetch_add(&object->nr_early, 1);
    }
    object->death_epoch = sref_epoch_now();
    atomic_fetch_add(&object->nr_deaths, 1);
    atomic_fetch_add(object->nr_dead, 1);
    /* The last: somebody may bring it to life again at once. */
    atomic_store(&object->life, OBJECT_DEAD);
}

static const struct sref_class object_class = {
    .name = "test object",
    .noref = object_died,
    .is_weakable = true,
};

static void
object_init(struct object *object, atomic_uint *nr_dead)
{
    sref_weak_init(&object->weak);
    atomic_init(&object->model, 1);
    atomic_init(&object->nr_deaths, 0);
    atomic_init(&object->nr_early, 0);
    atomic_init(&object->life, OBJECT_ALIVE);
    object->nr_dead = nr_dead;
    sref_weakable_init(&object->ref, &object_class, &object->weak);
}

static void
object_get(struct object *object)
{
    sref_get(&object->ref.sref);
    atomic_fetch_add(&object->model, 1);
}

static void
object_put(struct object *object)
{
    atomic_fetch_sub(&object->model, 1);
    sref_put(&object->ref.sref);
}

static bool
object_try_get(struct object *object)
{
    if (sref_weak_get(&object->weak) == NULL) {
        return false;
    }
    atomic_fetch_add(&object->model, 1);
    return true;
}

static status_t
settle(void)
{
    return sref_sync(clock_now() + SLACK);
}

static void
free_memory(void *arg)
{
    kfree(arg);
}

/* ------------------------------------------------------------------ facts */

TEST(sref, dies_once_after_the_last_put)
{
    struct object object;
    atomic_uint nr_dead = 0;

    object_init(&object, &nr_dead);
    object_get(&object);
    object_put(&object);
    EXPECT_EQ(settle(), OK);
    EXPECT_EQ(atomic_load(&nr_dead), 0);
    object_put(&object);
    EXPECT_EQ(settle(), OK);
    EXPECT_EQ(atomic_load(&nr_dead), 1);
    EXPECT_EQ(settle(), OK);
    EXPECT_EQ(atomic_load(&nr_dead), 1);
    EXPECT(!sref_weak_is_set(&object.weak));
}

TEST(sref, lives_while_references_move_between_cpus)
{
    struct object object;
    atomic_uint nr_dead = 0;
    unsigned i;

    object_init(&object, &nr_dead);
    for (i = 0; i < 20; i++) {
        object_get(&object);
        object_put(&object);
        if (i % 5 == 0) {
            EXPECT_EQ(settle(), OK);
        }
        thread_yield();
        EXPECT_EQ(atomic_load(&nr_dead), 0);
    }
    object_put(&object);
    EXPECT_EQ(settle(), OK);
    EXPECT_EQ(atomic_load(&nr_dead), 1);
}

static void
put_once(void *arg)
{
    object_put(arg);
}

/* The deltas of two CPUs are 1 and -2: neither alone tells anything. */
TEST(sref, put_on_another_cpu)
{
    struct thread_attr attr = { .pinned = true, .cpu = cpu_nr_possible - 1 };
    struct thread *threads[2];
    struct object object;
    atomic_uint nr_dead = 0;
    unsigned i;

    if (!cpu_is_online(attr.cpu)) {
        SKIP("last CPU is not online");
    }
    object_init(&object, &nr_dead);
    object_get(&object);
    for (i = 0; i < 2; i++) {
        threads[i] = thread_create("test", put_once, &object, &attr);
        ASSERT(threads[i] != NULL);
    }
    for (i = 0; i < 2; i++) {
        thread_join(threads[i]);
    }
    EXPECT_EQ(settle(), OK);
    EXPECT_EQ(atomic_load(&nr_dead), 1);
    EXPECT_EQ(atomic_load(&object.nr_early), 0);
}

TEST(sref, weak_reference_revives_until_death)
{
    struct object object;
    atomic_uint nr_dead = 0;

    object_init(&object, &nr_dead);
    object_put(&object);
    ASSERT(object_try_get(&object));
    EXPECT_EQ(settle(), OK);
    EXPECT_EQ(atomic_load(&nr_dead), 0);
    object_put(&object);
    EXPECT_EQ(settle(), OK);
    EXPECT_EQ(atomic_load(&nr_dead), 1);
    EXPECT(!object_try_get(&object));
}

/* The object is queued and dying, then revived, again and again. */
TEST(sref, revived_while_dying)
{
    struct object object;
    atomic_uint nr_dead = 0;
    uint64_t epoch;
    unsigned i;

    object_init(&object, &nr_dead);
    for (i = 0; i < 5; i++) {
        object_put(&object);
        epoch = sref_epoch_now();
        while (sref_epoch_now() < epoch + 1 && !atomic_load(&nr_dead)) {
            thread_sleep(sref_period_ns() / 8);
        }
        if (!object_try_get(&object)) {
            break;
        }
        EXPECT_EQ(atomic_load(&nr_dead), 0);
    }
    if (!atomic_load(&nr_dead)) {
        object_put(&object);
    }
    EXPECT_EQ(settle(), OK);
    EXPECT_EQ(atomic_load(&nr_dead), 1);
    EXPECT_EQ(atomic_load(&object.nr_early), 0);
}

TEST(sref, without_activity_there_are_no_epochs)
{
    uint64_t epoch;
    uint32_t cpu;

    EXPECT_EQ(settle(), OK);
    cpu_for_each (cpu) {
        unsigned i;

        for (i = 0; i < 200 && sref_cpu_is_member(cpu); i++) {
            thread_sleep(sref_period_ns());
        }
        EXPECT(!sref_cpu_is_member(cpu));
    }
    epoch = sref_epoch_now();
    thread_sleep(3 * sref_period_ns());
    EXPECT_EQ(sref_epoch_now(), epoch);
}

/* Nobody hurries: the periods alone do it, whatever other CPUs are up to. */
static void
expect_death_in_time(struct test *t, struct object *object,
                     const atomic_uint *nr_dead)
{
    uint64_t epoch, start;

    epoch = sref_epoch_now();
    start = clock_now();
    object_put(object);
    while (atomic_load(nr_dead) == 0 && clock_now() < start + SLACK) {
        thread_sleep(sref_period_ns() / 4);
    }
    ASSERT(atomic_load(nr_dead) == 1);
    /* One epoch may begin by the put. */
    EXPECT(object->death_epoch <= epoch + SREF_EPOCHS_MAX + 1);
}

TEST(sref, dies_in_time_while_cpus_idle)
{
    struct object object;
    atomic_uint nr_dead = 0;

    object_init(&object, &nr_dead);
    expect_death_in_time(t, &object, &nr_dead);
}

static void
touch_everywhere(void *arg)
{
    object_get(arg);
    object_put(arg);
}

/* All have it in their caches and go idle. */
TEST(sref, dies_in_time_after_all_cpus_used_it)
{
    struct object object;
    atomic_uint nr_dead = 0;

    object_init(&object, &nr_dead);
    all_cpus_run(touch_everywhere, &object);
    expect_death_in_time(t, &object, &nr_dead);
    EXPECT_EQ(atomic_load(&object.nr_early), 0);
}

struct spinner {
    struct object *object;
    atomic_bool runs;
    atomic_bool stop;
};

static void
spin_with_delta(void *arg)
{
    struct spinner *spinner = arg;

    touch_everywhere(spinner->object);
    atomic_store(&spinner->runs, true);
    /* Without a pause, which an emulator takes for a rest. */
    while (!atomic_load_explicit(&spinner->stop, memory_order_relaxed)) {
        latency_turn();
        barrier();
    }
}

static void
test_with_spinner(struct test *t, const struct thread_attr *attr)
{
    struct spinner spinner = { .runs = false, .stop = false };
    atomic_uint nr_dead = 0;
    struct thread *thread;
    struct object object;

    object_init(&object, &nr_dead);
    spinner.object = &object;
    thread = thread_create("spin", spin_with_delta, &spinner, attr);
    ASSERT(thread != NULL);
    while (!atomic_load(&spinner.runs)) {
        test_pause();
    }
    expect_death_in_time(t, &object, &nr_dead);
    atomic_store(&spinner.stop, true);
    thread_join(thread);
}

TEST(sref, dies_in_time_while_a_cpu_spins)
{
    struct thread_attr attr = { .pinned = true, .cpu = cpu_nr_possible - 1 };

    if (!cpu_is_online(attr.cpu)) {
        SKIP("last CPU is not online");
    }
    test_with_spinner(t, &attr);
}

/* The thread of that CPU has to be pushed. */
TEST(sref, dies_in_time_while_a_real_time_thread_spins)
{
    struct thread_attr attr = { .policy = THREAD_FIFO,
                                .priority = 200,
                                .pinned = true,
                                .cpu = cpu_nr_possible - 1 };

    if (cpu_nr_online() < 2 || !cpu_is_online(attr.cpu)) {
        SKIP("needs a second CPU");
    }
    test_with_spinner(t, &attr);
}

static void
set_nr_slots(void *arg)
{
    sref_set_nr_slots((uint32_t)(uintptr_t)arg);
}

static void
use_tiny_cache(struct test *t)
{
    sref_set_nr_slots(4);
    test_cleanup(t, set_nr_slots, (void *)(uintptr_t)UINT32_MAX);
}

static uint64_t
count_evicted(void)
{
    struct sref_stats stats;
    uint64_t evicted;
    uint32_t cpu;

    evicted = 0;
    cpu_for_each (cpu) {
        sref_stats_get(cpu, &stats);
        evicted += stats.nr_evicted;
    }
    return evicted;
}

/* Of 80 changes the first four on each CPU that this comes to find room. */
TEST(sref, collisions_are_told_at_once)
{
    struct object *objects;
    atomic_uint nr_dead = 0;
    uint64_t evicted;
    unsigned i;

    objects = kmalloc(8 * sizeof(*objects));
    ASSERT(objects != NULL);
    test_cleanup(t, free_memory, objects);
    use_tiny_cache(t);
    for (i = 0; i < 8; i++) {
        object_init(&objects[i], &nr_dead);
    }
    evicted = count_evicted();
    for (i = 0; i < 80; i++) {
        object_get(&objects[i % 8]);
    }
    evicted = count_evicted() - evicted;
    EXPECT(evicted >= 40 && evicted <= 80);
    for (i = 0; i < 88; i++) {
        object_put(&objects[i % 8]);
    }
    EXPECT_EQ(settle(), OK);
    EXPECT_EQ(atomic_load(&nr_dead), 8);
}

static void
touch_in_interrupt(void *arg)
{
    object_get(arg);
    object_put(arg);
}

static void
put_in_interrupt(void *arg)
{
    object_put(arg);
}

TEST(sref, interrupts_may_get_and_put)
{
    struct object *objects;
    atomic_uint nr_dead = 0;
    uint32_t cpu;
    unsigned i;

    objects = kmalloc(8 * sizeof(*objects));
    ASSERT(objects != NULL);
    test_cleanup(t, free_memory, objects);
    for (i = 0; i < 8; i++) {
        object_init(&objects[i], &nr_dead);
        xcall_all(touch_in_interrupt, &objects[i]);
    }
    EXPECT_EQ(settle(), OK);
    EXPECT_EQ(atomic_load(&nr_dead), 0);
    cpu_for_each (cpu) {
        for (i = 0; i < 8; i++) {
            object_get(&objects[i]);
            xcall_one(cpu, put_in_interrupt, &objects[i]);
        }
    }
    EXPECT_EQ(settle(), OK);
    EXPECT_EQ(atomic_load(&nr_dead), 0);
    for (i = 0; i < 8; i++) {
        xcall_one(i % cpu_nr_possible, put_in_interrupt, &objects[i]);
    }
    EXPECT_EQ(settle(), OK);
    EXPECT_EQ(atomic_load(&nr_dead), 8);
}

/* ---------------------------------------------------------------- torture */

#define TORTURE_OBJECTS 24
#define TORTURE_KEPT    12
#define TORTURE_STEPS   2000
#define TORTURE_THREADS 12U
#define TORTURE_BOXES   16

/*
 * Objects die and are born again; references move through boxes to other
 * threads, so that they are put elsewhere.
 */
struct torture {
    struct object objects[TORTURE_OBJECTS];
    _Atomic(struct object *) boxes[TORTURE_BOXES];
    atomic_bool births[TORTURE_OBJECTS]; /* somebody brings it to life */
    atomic_uint nr_dead;
    atomic_uint nr_born;
    atomic_uint nr_bad;
};

struct torturer {
    struct torture *torture;
    struct thread *thread;
    struct rand rand;
    struct object *kept[TORTURE_KEPT];
};

static void
torture_check(struct torture *torture, struct object *object)
{
    if (atomic_load(&object->life) != OBJECT_ALIVE) {
        atomic_fetch_add(&torture->nr_bad, 1);
    }
}

/* A dead object begins anew, with one reference for who did it. */
static bool
torture_give_birth(struct torture *torture, unsigned i)
{
    struct object *object;

    object = &torture->objects[i];
    if (atomic_load(&object->life) != OBJECT_DEAD ||
        atomic_exchange(&torture->births[i], true)) {
        return false;
    }
    if (atomic_load(&object->life) != OBJECT_DEAD) {
        atomic_store(&torture->births[i], false);
        return false;
    }

    if (atomic_exchange(&object->nr_deaths, 0) != 1) {
        atomic_fetch_add(&torture->nr_bad, 1);
    }
    atomic_fetch_add(&torture->nr_born, 1);
    atomic_store(&object->model, 1);
    atomic_store(&object->life, OBJECT_ALIVE);
    sref_weakable_init(&object->ref, &object_class, &object->weak);
    atomic_store(&torture->births[i], false);
    return true;
}

static struct object *
torture_take(struct torturer *self)
{
    struct torture *torture = self->torture;
    struct object *object;
    unsigned i;

    i = (unsigned)rand_below(&self->rand, TORTURE_OBJECTS);
    object = &torture->objects[i];
    if (object_try_get(object)) {
        torture_check(torture, object);
        return object;
    }
    return torture_give_birth(torture, i) ? object : NULL;
}

static void
torture_step(struct torturer *self)
{
    struct torture *torture = self->torture;
    struct object **kept;
    unsigned box;

    kept = &self->kept[rand_below(&self->rand, TORTURE_KEPT)];
    if (*kept == NULL) {
        *kept = torture_take(self);
        return;
    }

    torture_check(torture, *kept);
    switch (rand_below(&self->rand, 4)) {
    case 0:
        object_get(*kept);
        object_put(*kept);
        break;
    case 1:
        box = (unsigned)rand_below(&self->rand, TORTURE_BOXES);
        *kept = atomic_exchange(&torture->boxes[box], *kept);
        break;
    default:
        object_put(*kept);
        *kept = NULL;
        break;
    }
}

static void
torture_run(void *arg)
{
    struct torturer *self = arg;
    unsigned i;

    for (i = 0; i < TORTURE_STEPS; i++) {
        torture_step(self);
        if (rand_below(&self->rand, 100) == 0) {
            thread_yield();
        }
        if (rand_below(&self->rand, 500) == 0) {
            thread_sleep(rand_below(&self->rand, 1000000));
        }
    }
    for (i = 0; i < TORTURE_KEPT; i++) {
        if (self->kept[i] != NULL) {
            object_put(self->kept[i]);
        }
    }
}

static void
torture_start(struct test *t, struct torture *torture,
              struct torturer *torturers, unsigned nr)
{
    struct thread_attr attr = { .pinned = true };
    unsigned i;

    for (i = 0; i < nr; i++) {
        torturers[i].torture = torture;
        rand_init(&torturers[i].rand, rand_u64(&t->rand));
        attr.cpu = i % cpu_nr_possible;
        attr.pinned = i % 2 == 0 && cpu_is_online(attr.cpu);
        torturers[i].thread =
            thread_create("torture", torture_run, &torturers[i], &attr);
        verify(torturers[i].thread != NULL);
    }
}

static void
torture_end(struct test *t, struct torture *torture)
{
    struct object *object;
    unsigned i;

    for (i = 0; i < TORTURE_BOXES; i++) {
        if (atomic_load(&torture->boxes[i]) != NULL) {
            object_put(atomic_load(&torture->boxes[i]));
        }
    }
    EXPECT_EQ(settle(), OK);
    for (i = 0; i < TORTURE_OBJECTS; i++) {
        object = &torture->objects[i];
        EXPECT_EQ(atomic_load(&object->model), 0);
        EXPECT_EQ(atomic_load(&object->nr_deaths), 1);
        EXPECT_EQ(atomic_load(&object->nr_early), 0);
        EXPECT(!sref_weak_is_set(&object->weak));
    }
    EXPECT_EQ(atomic_load(&torture->nr_dead), atomic_load(&torture->nr_born));
    EXPECT_EQ(atomic_load(&torture->nr_bad), 0);
}

/* Everything anew, in the same memory. */
static void
torture_once(struct test *t, struct torture *torture,
             struct torturer *torturers, bool is_hurried)
{
    const unsigned nr = MIN(2 + cpu_nr_online(), TORTURE_THREADS);
    unsigned i;

    memset(torture, 0, sizeof(*torture));
    memset(torturers, 0, TORTURE_THREADS * sizeof(*torturers));
    for (i = 0; i < TORTURE_OBJECTS; i++) {
        object_init(&torture->objects[i], &torture->nr_dead);
        atomic_fetch_add(&torture->nr_born, 1);
        object_put(&torture->objects[i]);
    }
    torture_start(t, torture, torturers, nr);
    for (i = 0; is_hurried && i < 20; i++) {
        EXPECT_EQ(settle(), OK);
    }
    for (i = 0; i < nr; i++) {
        thread_join(torturers[i].thread);
    }
    torture_end(t, torture);
}

static void
torture(struct test *t, bool is_hurried)
{
    struct torturer *torturers;
    struct torture *torture;

    torture = kmalloc(sizeof(*torture));
    ASSERT(torture != NULL);
    test_cleanup(t, free_memory, torture);
    torturers = kmalloc(TORTURE_THREADS * sizeof(*torturers));
    ASSERT(torturers != NULL);
    test_cleanup(t, free_memory, torturers);
    for (uint64_t n = 0; n < t->iterations; n++) {
        torture_once(t, torture, torturers, is_hurried);
    }
}

TEST(sref, torture)
{
    torture(t, false);
}

/* Epochs as fast as they go. */
TEST(sref, torture_in_a_hurry)
{
    torture(t, true);
}

/* Nearly each change puts the delta of another object out. */
TEST(sref, torture_with_collisions)
{
    use_tiny_cache(t);
    torture(t, true);
}
