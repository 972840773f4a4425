/* SPDX-License-Identifier: MIT */
#include <stdatomic.h>

#include <kern/hub_ref.h>
#include <kern/clock.h>
#include <kern/sref.h>
#include <kern/thread.h>
#include <test/bench.h>
#include <test/kern/refcache.h>

static void
bench_noref(struct sref *sref __unused)
{
}

static const struct sref_class bench_class = {
    .name = "benchmark",
    .noref = bench_noref,
    .is_weakable = true,
};

static const struct sref_class bench_plain_class = {
    .name = "benchmark",
    .noref = bench_noref,
};

static void
bench_settle(void)
{
    (void)sref_sync(CLOCK_NEVER);
}

BENCH(sref, get_put)
{
    static struct sref sref;

    sref_init(&sref, &bench_plain_class);
    BENCH_LOOP(b)
    {
        sref_get(&sref);
        sref_put(&sref);
    }
    sref_put(&sref);
    bench_settle();
}

BENCH(sref, weak_get_put)
{
    struct sref_weakable object;
    struct sref_weak weak;

    sref_weakable_init(&object, &bench_class, &weak);
    BENCH_LOOP(b)
    {
        if (sref_weak_get(&weak) != NULL) {
            sref_put(&object.sref);
        }
    }
    sref_put(&object.sref);
    bench_settle();
}

/* Each get puts the delta of another object out. */
BENCH(sref, collision)
{
    struct sref_weakable objects[8];
    unsigned i;

    sref_set_nr_slots(4);
    for (i = 0; i < 8; i++) {
        sref_weakable_init(&objects[i], &bench_class, NULL);
    }
    i = 0;
    BENCH_LOOP(b)
    {
        sref_get(&objects[i++ % 8].sref);
    }
    for (; i > 0; i--) {
        sref_put(&objects[(i - 1) % 8].sref);
    }
    for (i = 0; i < 8; i++) {
        sref_put(&objects[i].sref);
    }
    sref_set_nr_slots(UINT32_MAX);
    bench_settle();
}

static void
bench_release(struct hub_ref *hub)
{
    hub->next = NULL;
}

BENCH(hub_ref, get_put)
{
    static struct hub_ref hub;

    hub_ref_init(&hub, bench_release);
    BENCH_LOOP(b)
    {
        hub_ref_get(&hub);
        hub_ref_put(&hub);
    }
    hub_ref_kill(&hub);
    while (atomic_load(&hub.count) != 0) {
        thread_sleep(1000000);
    }
    hub_ref_destroy(&hub);
}

BENCH(atomic, get_put)
{
    atomic_long count = 1;

    BENCH_LOOP(b)
    {
        atomic_fetch_add(&count, 1);
        if (atomic_fetch_sub(&count, 1) == 1) {
            break;
        }
    }
}

static void
bench_refcache_died(struct refcache_object *object __unused)
{
}

BENCH(refcache, get_put)
{
    struct refcache_object object;

    if (!refcache_setup()) {
        refcache_teardown();
        return;
    }
    refcache_init(&object, bench_refcache_died);
    BENCH_LOOP(b)
    {
        refcache_get(&object);
        refcache_put(&object);
    }
    refcache_teardown();
}
