/* SPDX-License-Identifier: MIT */
#include <stdatomic.h>

#include <kern/all_cpus.h>
#include <kern/cpu.h>
#include <kern/hub_ref.h>
#include <kern/kmalloc.h>
#include <kern/thread.h>
#include <kern/xcall.h>
#include <test/test.h>

#define HUB_ALIVE UINT64_C(0x6875626875626875)
#define HUB_DEAD  UINT64_C(0xdead0b1edead0b1e)

/*
 * A hub with a model of its count: changed before the count on put, after it
 * on get.
 */
struct hub {
    struct hub_ref ref;
    atomic_int model;
    atomic_uint nr_releases;
    atomic_uint nr_early; /* released with references in the model */
    _Atomic uint64_t life;
};

static void
hub_released(struct hub_ref *ref)
{
    struct hub *hub;

    hub = container_of(ref, struct hub, ref);
    if (atomic_load(&hub->model) != 0) {
        atomic_fetch_add(&hub->nr_early, 1);
    }
    atomic_store(&hub->life, HUB_DEAD);
    atomic_fetch_add(&hub->nr_releases, 1);
}

static void
hub_init(struct hub *hub)
{
    atomic_init(&hub->model, 0);
    atomic_init(&hub->nr_releases, 0);
    atomic_init(&hub->nr_early, 0);
    atomic_init(&hub->life, HUB_ALIVE);
    hub_ref_init(&hub->ref, hub_released);
}

static void
hub_get(struct hub *hub)
{
    hub_ref_get(&hub->ref);
    atomic_fetch_add(&hub->model, 1);
}

static bool
hub_try_get(struct hub *hub)
{
    if (!hub_ref_try_get(&hub->ref)) {
        return false;
    }
    atomic_fetch_add(&hub->model, 1);
    return true;
}

static void
hub_put(struct hub *hub)
{
    atomic_fetch_sub(&hub->model, 1);
    hub_ref_put(&hub->ref);
}

/* Whether a killed hub is released within any reasonable time. */
static bool
hub_ends(struct hub *hub)
{
    uint64_t deadline;

    deadline = clock_now() + UINT64_C(20000000000);
    while (atomic_load(&hub->nr_releases) == 0) {
        if (clock_now() > deadline) {
            return false;
        }
        test_pause();
    }
    return true;
}

TEST(hub_ref, kill_without_references_releases)
{
    struct hub hub;

    hub_init(&hub);
    EXPECT(hub_ref_has_counter(&hub.ref));
    hub_get(&hub);
    hub_put(&hub);
    EXPECT_EQ(atomic_load(&hub.nr_releases), 0);
    hub_ref_kill(&hub.ref);
    ASSERT(hub_ends(&hub));
    EXPECT_EQ(atomic_load(&hub.nr_releases), 1);
    hub_ref_destroy(&hub.ref);
}

TEST(hub_ref, last_put_after_the_kill_releases)
{
    struct hub hub;

    hub_init(&hub);
    hub_get(&hub);
    hub_get(&hub);
    hub_ref_kill(&hub.ref);
    while (hub_ref_try_get(&hub.ref)) {
        hub_ref_put(&hub.ref);
        test_pause();
    }
    hub_put(&hub);
    EXPECT_EQ(atomic_load(&hub.nr_releases), 0);
    hub_get(&hub);
    hub_put(&hub);
    EXPECT_EQ(atomic_load(&hub.nr_releases), 0);
    hub_put(&hub);
    EXPECT_EQ(atomic_load(&hub.nr_releases), 1);
    EXPECT(!hub_try_get(&hub));
    hub_ref_destroy(&hub.ref);
}

static void
get_ten(void *arg)
{
    for (unsigned i = 0; i < 10; i++) {
        hub_get(arg);
    }
}

static void
put_in_interrupt(void *arg)
{
    hub_put(arg);
}

/* Words of CPUs that are negative in sum do not look killed. */
TEST(hub_ref, references_are_put_elsewhere)
{
    struct hub hub;
    uint32_t cpu;
    unsigned i;

    hub_init(&hub);
    all_cpus_run(get_ten, &hub);
    cpu_for_each (cpu) {
        for (i = 0; i < 10; i++) {
            xcall_one(0, put_in_interrupt, &hub);
        }
    }
    EXPECT_EQ(atomic_load(&hub.model), 0);
    hub_ref_kill(&hub.ref);
    ASSERT(hub_ends(&hub));
    EXPECT_EQ(atomic_load(&hub.nr_early), 0);
    hub_ref_destroy(&hub.ref);
}

static void
free_hubs(void *arg)
{
    kfree(arg);
}

/* More than there are words for: all of them count. */
TEST(hub_ref, hubs_without_a_counter_count_too)
{
    const unsigned nr = HUB_REF_SLOTS + 10;
    unsigned nr_without = 0, i;
    struct hub *hubs;

    hubs = kmalloc(nr * sizeof(*hubs));
    ASSERT(hubs != NULL);
    test_cleanup(t, free_hubs, hubs);
    for (i = 0; i < nr; i++) {
        hub_init(&hubs[i]);
        nr_without += !hub_ref_has_counter(&hubs[i].ref);
        EXPECT(hub_try_get(&hubs[i]));
        hub_put(&hubs[i]);
    }
    EXPECT(nr_without >= 10);
    for (i = 0; i < nr; i++) {
        hub_ref_kill(&hubs[i].ref);
    }
    for (i = 0; i < nr; i++) {
        ASSERT(hub_ends(&hubs[i]));
        EXPECT_EQ(atomic_load(&hubs[i].nr_releases), 1);
        EXPECT(!hub_try_get(&hubs[i]));
        hub_ref_destroy(&hubs[i].ref);
    }
}

/* ---------------------------------------------------------------- torture */

#define TORTURE_HUBS    8
#define TORTURE_KEPT    16
#define TORTURE_THREADS 6

struct torture {
    struct hub hubs[TORTURE_HUBS];
    atomic_bool stop;
    atomic_uint nr_bad; /* references to something dead */
};

struct torturer {
    struct torture *torture;
    struct thread *thread;
    struct rand rand;
};

/* Take and give references up, on whatever CPU, until all hubs are dead. */
static void
torture_run(void *arg)
{
    struct torturer *self = arg;
    struct torture *torture = self->torture;
    struct hub *kept[TORTURE_KEPT] = { NULL };
    unsigned i, n;

    for (n = 0; !atomic_load(&torture->stop); n++) {
        i = (unsigned)rand_below(&self->rand, TORTURE_KEPT);
        if (kept[i] != NULL) {
            hub_put(kept[i]);
            kept[i] = NULL;
        } else {
            kept[i] = &torture->hubs[rand_below(&self->rand, TORTURE_HUBS)];
            if (!hub_try_get(kept[i])) {
                kept[i] = NULL;
            } else if (atomic_load(&kept[i]->life) != HUB_ALIVE) {
                atomic_fetch_add(&torture->nr_bad, 1);
            }
        }
        if (n % 64 == 0) {
            thread_sleep(rand_below(&self->rand, 100000));
        }
    }
    for (i = 0; i < TORTURE_KEPT; i++) {
        if (kept[i] != NULL) {
            hub_put(kept[i]);
        }
    }
}

static void
torture_round(struct test *t, struct torture *torture)
{
    struct torturer torturers[TORTURE_THREADS];
    unsigned i;

    atomic_store(&torture->stop, false);
    for (i = 0; i < TORTURE_HUBS; i++) {
        hub_init(&torture->hubs[i]);
    }
    for (i = 0; i < TORTURE_THREADS; i++) {
        torturers[i].torture = torture;
        rand_init(&torturers[i].rand, rand_u64(&t->rand));
        torturers[i].thread =
            thread_create("torture", torture_run, &torturers[i], NULL);
        verify(torturers[i].thread != NULL);
    }
    for (i = 0; i < TORTURE_HUBS; i++) {
        thread_sleep(rand_below(&t->rand, 500000));
        hub_ref_kill(&torture->hubs[i].ref);
    }
    test_pause();
    atomic_store(&torture->stop, true);
    for (i = 0; i < TORTURE_THREADS; i++) {
        thread_join(torturers[i].thread);
    }
    for (i = 0; i < TORTURE_HUBS; i++) {
        EXPECT(hub_ends(&torture->hubs[i]));
        EXPECT_EQ(atomic_load(&torture->hubs[i].nr_releases), 1);
        EXPECT_EQ(atomic_load(&torture->hubs[i].nr_early), 0);
        hub_ref_destroy(&torture->hubs[i].ref);
    }
}

TEST(hub_ref, torture)
{
    struct torture *torture;
    uint64_t n;

    torture = kzalloc(sizeof(*torture));
    ASSERT(torture != NULL);
    test_cleanup(t, free_hubs, torture);
    for (n = 0; n < 5 * t->iterations; n++) {
        torture_round(t, torture);
    }
    EXPECT_EQ(atomic_load(&torture->nr_bad), 0);
}
