/* SPDX-License-Identifier: MIT */
/*
 * What three kinds of references cost on all CPUs at once.
 *
 * A thread on each CPU takes and gives references to random objects, holding
 * a few; then all objects lose their last one, and are waited for.
 */
#include <stdatomic.h>
#include <stddef.h>

#include <arch/clock.h>
#include <kern/all_cpus.h>
#include <kern/clock.h>
#include <kern/console.h>
#include <kern/cpu.h>
#include <kern/main.h>
#include <kern/option.h>
#include <kern/page.h>
#include <kern/sref.h>
#include <kern/thread.h>
#include <kern/timer.h>
#include <kern/xcall.h>
#include <lib/rand.h>
#include <test/kern/refcache.h>

#define REFTABLE_PAIRS 2000
#define REFTABLE_KEPT  8

/*
 * A kind of counting; the objects are in an array.
 */
struct reftable_kind {
    const char *name;
    size_t size;         /* of an object, bytes */
    size_t size_of_cpu;  /* bytes of each CPU */
    bool (*start)(void); /* returns: whether there was memory */
    void (*stop)(void);
    void (*init)(void *object);
    void (*get)(void *object);
    void (*put)(void *object);
};

/*
 * A measurement.
 */
struct reftable_run {
    const struct reftable_kind *kind;
    char *objects;
    size_t nr;
    atomic_size_t nr_dead;
    _Atomic uint64_t last_death; /* clock */
};

static struct reftable_run reftable_run;

static void
reftable_died(void)
{
    atomic_fetch_add(&reftable_run.nr_dead, 1);
    atomic_store(&reftable_run.last_death, clock_now());
}

/* ----------------------------------------------------------------- atomic */

static bool
reftable_start_nothing(void)
{
    return true;
}

static void
reftable_stop_nothing(void)
{
}

static void
reftable_atomic_init(void *object)
{
    atomic_init((atomic_long *)object, 1);
}

static void
reftable_atomic_get(void *object)
{
    atomic_fetch_add((atomic_long *)object, 1);
}

static void
reftable_atomic_put(void *object)
{
    if (atomic_fetch_sub((atomic_long *)object, 1) == 1) {
        reftable_died();
    }
}

/* --------------------------------------------------------------- refcache */

static PERCPU(struct timer, reftable_timer);
static atomic_bool reftable_ticks;

static void
reftable_tick(struct timer *timer)
{
    refcache_tick();
    if (atomic_load(&reftable_ticks)) {
        timer_start(timer, clock_now() + sref_period_ns());
    }
}

static void
reftable_start_tick(void *arg __unused)
{
    struct timer *timer;

    timer = percpu_this(reftable_timer);
    timer_init(timer, reftable_tick, "refcache");
    timer_start(timer, clock_now() + sref_period_ns());
}

static bool
reftable_refcache_start(void)
{
    if (!refcache_setup()) {
        refcache_teardown();
        return false;
    }
    atomic_store(&reftable_ticks, true);
    xcall_all(reftable_start_tick, NULL);
    return true;
}

static void
reftable_refcache_stop(void)
{
    uint32_t cpu;

    atomic_store(&reftable_ticks, false);
    cpu_for_each (cpu) {
        timer_cancel(percpu_ptr(reftable_timer, cpu));
    }
    refcache_teardown();
}

static void
reftable_refcache_died(struct refcache_object *object __unused)
{
    reftable_died();
}

static void
reftable_refcache_init(void *object)
{
    refcache_init(object, reftable_refcache_died);
}

static void
reftable_refcache_get(void *object)
{
    refcache_get(object);
}

static void
reftable_refcache_put(void *object)
{
    refcache_put(object);
}

/* ------------------------------------------------------------------- sref */

static void
reftable_sref_died(struct sref *sref __unused)
{
    reftable_died();
}

static const struct sref_class reftable_class = {
    .name = "table",
    .noref = reftable_sref_died,
};

static void
reftable_sref_init(void *object)
{
    sref_init(object, &reftable_class);
}

static void
reftable_sref_get(void *object)
{
    sref_get(object);
}

static void
reftable_sref_put(void *object)
{
    sref_put(object);
}

static const struct reftable_kind reftable_kinds[] = {
    {
        .name = "atomic",
        .size = sizeof(atomic_long),
        .start = reftable_start_nothing,
        .stop = reftable_stop_nothing,
        .init = reftable_atomic_init,
        .get = reftable_atomic_get,
        .put = reftable_atomic_put,
    },
    {
        .name = "refcache",
        .size = sizeof(struct refcache_object),
        .size_of_cpu = REFCACHE_WAYS * 16,
        .start = reftable_refcache_start,
        .stop = reftable_refcache_stop,
        .init = reftable_refcache_init,
        .get = reftable_refcache_get,
        .put = reftable_refcache_put,
    },
    {
        .name = "sref",
        .size = sizeof(struct sref),
        .size_of_cpu = 1024 * 16,
        .start = reftable_start_nothing,
        .stop = reftable_stop_nothing,
        .init = reftable_sref_init,
        .get = reftable_sref_get,
        .put = reftable_sref_put,
    },
};

/* ------------------------------------------------------------ measurement */

static void *
reftable_object(struct reftable_run *run, size_t i)
{
    return run->objects + i * run->kind->size;
}

/* On each CPU: hold a few objects, give the oldest up for another one. */
static void
reftable_work(void *arg)
{
    struct reftable_run *run = arg;
    void *kept[REFTABLE_KEPT];
    struct rand rand;
    unsigned i;

    rand_init(&rand, cpu_id());
    for (i = 0; i < REFTABLE_PAIRS + REFTABLE_KEPT; i++) {
        if (i >= REFTABLE_KEPT) {
            run->kind->put(kept[i % REFTABLE_KEPT]);
        }
        kept[i % REFTABLE_KEPT] =
            reftable_object(run, rand_below(&rand, run->nr));
        run->kind->get(kept[i % REFTABLE_KEPT]);
    }
    for (i = 0; i < REFTABLE_KEPT; i++) {
        run->kind->put(kept[i]);
    }
}

/* The same with nothing to count. */
static void
reftable_ignore(void *object)
{
    __asm__ volatile("" : : "r"(object) : "memory");
}

static uint64_t
reftable_time_work(struct reftable_run *run)
{
    uint64_t start;

    start = clock_counter();
    all_cpus_run(reftable_work, run);
    return clock_counter() - start;
}

static uint64_t
reftable_time_nothing(struct reftable_run *run)
{
    const struct reftable_kind *kind = run->kind;
    struct reftable_kind nothing;
    uint64_t ticks;

    nothing = *kind;
    nothing.get = reftable_ignore;
    nothing.put = reftable_ignore;
    run->kind = &nothing;
    ticks = reftable_time_work(run);
    run->kind = kind;
    return ticks;
}

static void
reftable_measure(const struct reftable_kind *kind, size_t nr)
{
    struct reftable_run *run = &reftable_run;
    uint64_t base, ticks, put, nr_pairs;
    struct page *page;
    size_t i;

    page = page_alloc(page_order(nr * kind->size), 0);
    if (page == NULL || !kind->start()) {
        console_printf("%-9s %4u %8zu: no memory\n", kind->name,
                       cpu_nr_online(), nr);
        return;
    }

    run->kind = kind;
    run->objects = page_ptr(page);
    run->nr = nr;
    atomic_store(&run->nr_dead, 0);
    for (i = 0; i < nr; i++) {
        kind->init(reftable_object(run, i));
    }
    base = reftable_time_nothing(run);
    ticks = reftable_time_work(run);
    for (i = 0; i < nr; i++) {
        kind->put(reftable_object(run, i));
    }
    put = clock_now();
    while (atomic_load(&run->nr_dead) < nr) {
        thread_sleep(1000000);
    }
    kind->stop();
    page_free(page, page_order(nr * kind->size));

    nr_pairs = (uint64_t)cpu_nr_online() * (REFTABLE_PAIRS + REFTABLE_KEPT);
    console_printf("%-9s %4u %8zu %8lu %9lu %6zu %8zu\n", kind->name,
                   cpu_nr_online(), nr, (ticks - MIN(base, ticks)) / nr_pairs,
                   (MAX(atomic_load(&run->last_death), put) - put) / 1000,
                   kind->size, kind->size_of_cpu);
}

static bool reftable_is_wanted;

static bool
reftable_stage(void)
{
    static const size_t counts[] = { 10, 1000, 10000, 100000, 1000000 };
    unsigned i, j;

    if (!reftable_is_wanted) {
        return true;
    }

    console_printf("%-9s %4s %8s %8s %9s %6s %8s\n", "kind", "cpus", "objects",
                   "insns", "delay_us", "object", "cpu");
    for (i = 0; i < ARRAY_SIZE(counts); i++) {
        for (j = 0; j < ARRAY_SIZE(reftable_kinds); j++) {
            reftable_measure(&reftable_kinds[j], counts[i]);
        }
    }
    return true;
}

MAIN_STAGE(MAIN_BENCHMARKS, reftable_stage);

static status_t
reftable_option(const char *value)
{
    reftable_is_wanted = true;
    return value[0] == '\0' ? OK : ERR_INVALID;
}

OPTION(reftable, "nothing", "compare three kinds of references",
       reftable_option);
