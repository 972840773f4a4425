/* SPDX-License-Identifier: MIT */
#include <stdatomic.h>

#include <arch/cpu.h>
#include <arch/latency.h>
#include <kern/all_cpus.h>
#include <kern/clock.h>
#include <kern/cpu.h>
#include <kern/percpu.h>
#include <kern/timer.h>
#include <kern/xcall.h>
#include <lib/rand.h>
#include <lib/sort.h>
#include <test/stay.h>
#include <test/test.h>

#define TIMER_WAIT_NS  UINT64_C(20000000000)
#define TIMER_HOUR_NS  UINT64_C(3600000000000)
#define TIMER_NR_MANY  1000
#define TIMER_SPAN_NS  UINT64_C(20000000)
#define TIMER_NR_EARLY 16

/*
 * Wait until a counter reaches a value, as long as it comes nearer.
 *
 * Returns: whether it did
 */
static bool
timer_wait(atomic_uint *count, unsigned value)
{
    unsigned seen, now;
    uint64_t end;

    seen = 0;
    end = clock_now() + TIMER_WAIT_NS;
    while ((now = atomic_load(count)) < value) {
        if (now != seen) {
            seen = now;
            end = clock_now() + TIMER_WAIT_NS;
        }
        if (clock_now() > end) {
            return false;
        }
        cpu_pause();
    }
    return true;
}

static atomic_uint timer_nr_fired;

static void
timer_count(struct timer *timer __unused)
{
    atomic_fetch_add(&timer_nr_fired, 1);
}

TEST(timer, fires_once)
{
    struct timer timer;

    atomic_store(&timer_nr_fired, 0);
    timer_init(&timer, timer_count, "test");
    timer_start(&timer, clock_now() + UINT64_C(200000));
    EXPECT(timer_wait(&timer_nr_fired, 1));
    clock_spin(UINT64_C(2000000));
    EXPECT_EQ(atomic_load(&timer_nr_fired), 1);
    EXPECT(!timer_cancel(&timer));
}

TEST(timer, past_deadline_fires_at_once)
{
    struct timer timer;

    atomic_store(&timer_nr_fired, 0);
    timer_init(&timer, timer_count, "test");
    timer_start(&timer, 0);
    EXPECT(timer_wait(&timer_nr_fired, 1));
}

TEST(timer, cancelled_does_not_fire)
{
    struct timer timer;

    atomic_store(&timer_nr_fired, 0);
    timer_init(&timer, timer_count, "test");
    timer_start(&timer, clock_now() + TIMER_HOUR_NS);
    EXPECT(timer_cancel(&timer));
    EXPECT(!timer_cancel(&timer));
    timer_start(&timer, clock_now() + TIMER_HOUR_NS);
    timer_start(&timer, CLOCK_NEVER);
    EXPECT(!timer_cancel(&timer));
    EXPECT_EQ(atomic_load(&timer_nr_fired), 0);
}

TEST(timer, start_again_moves_the_deadline)
{
    struct timer timer;
    uint64_t start;

    atomic_store(&timer_nr_fired, 0);
    timer_init(&timer, timer_count, "test");
    start = clock_now();
    timer_start(&timer, start + TIMER_HOUR_NS);
    timer_start(&timer, start + UINT64_C(1000000));
    EXPECT(timer_wait(&timer_nr_fired, 1));
    EXPECT(clock_now() - start < TIMER_HOUR_NS);
    EXPECT(!timer_cancel(&timer));
}

/* A deadline that no hardware can hold must not fire, nor fire all the time. */
TEST(timer, far_deadline_does_not_fire)
{
    struct timer timers[TIMER_NR_EARLY];
    unsigned i;

    atomic_store(&timer_nr_fired, 0);
    for (i = 0; i < TIMER_NR_EARLY; i++) {
        timer_init(&timers[i], timer_count, "test");
        timer_start(&timers[i], UINT64_MAX - 1 - i);
    }
    clock_spin(UINT64_C(1000000));
    EXPECT_EQ(atomic_load(&timer_nr_fired), 0);
    for (i = 0; i < TIMER_NR_EARLY; i++) {
        EXPECT(timer_cancel(&timers[i]));
    }
}

/*
 * Keys: [C] the CPU that started it   [c] constant
 */
struct timer_probe {
    struct timer timer;
    uint64_t deadline; /* [c] */
    uint64_t fired;    /* [C] when, 0: not yet */
    unsigned order;    /* [C] among those of this CPU */
    uint32_t cpu;      /* [C] where it fired */
};

static struct timer_probe timer_probes[TIMER_NR_MANY];
static atomic_uint timer_order;

static void
timer_probe_fire(struct timer *timer)
{
    struct timer_probe *probe;

    probe = container_of(timer, struct timer_probe, timer);
    probe->fired = clock_now();
    probe->cpu = cpu_id();
    probe->order = atomic_fetch_add(&timer_order, 1);
    atomic_fetch_add(&timer_nr_fired, 1);
}

/*
 * Start and cancel at random; what was started last counts.
 *
 * @start   no deadline is before
 * @nrp     receives how many are started in the end
 * @faults  receives how often timer_cancel() was wrong
 *
 * Returns: false if none of that is valid, for @start has come
 */
static bool
timer_play(struct rand *rand, uint64_t start, unsigned *nrp, unsigned *faults)
{
    struct timer_probe *probe;
    unsigned n;

    *nrp = 0;
    *faults = 0;
    for (n = 0; n < 3 * TIMER_NR_MANY; n++) {
        probe = &timer_probes[rand_u64(rand) % TIMER_NR_MANY];
        if (rand_u64(rand) % 3 == 0) {
            *nrp -= probe->deadline != 0;
            *faults += timer_cancel(&probe->timer) != (probe->deadline != 0);
            probe->deadline = 0;
            continue;
        }
        *nrp += probe->deadline == 0;
        probe->deadline = start + rand_u64(rand) % TIMER_SPAN_NS;
        timer_start(&probe->timer, probe->deadline);
    }
    return clock_now() < start;
}

static void
timer_reset_probes(void)
{
    unsigned i;

    for (i = 0; i < TIMER_NR_MANY; i++) {
        if (timer_probes[i].deadline != 0) {
            timer_cancel(&timer_probes[i].timer);
        }
        timer_init(&timer_probes[i].timer, timer_probe_fire, "test");
        timer_probes[i].deadline = 0;
        timer_probes[i].fired = 0;
    }
    atomic_store(&timer_nr_fired, 0);
    atomic_store(&timer_order, 0);
}

/* The model: what was started last counts, what was cancelled does not. */
TEST(timer, thousand_random_timers)
{
    struct timer_probe *a, *b;
    unsigned i, nr_expected, faults;
    uint64_t lead;

    /* None may fire before all are started, however slow this is. */
    test_stay(t);
    lead = TIMER_SPAN_NS;
    do {
        timer_reset_probes();
        lead *= 2;
    } while (!timer_play(&t->rand, clock_now() + lead, &nr_expected, &faults));

    EXPECT_EQ(faults, 0);
    EXPECT(timer_wait(&timer_nr_fired, nr_expected));
    EXPECT_EQ(atomic_load(&timer_nr_fired), nr_expected);
    for (i = 0; i < TIMER_NR_MANY; i++) {
        a = &timer_probes[i];
        EXPECT_EQ(a->fired != 0, a->deadline != 0);
        EXPECT(a->fired >= a->deadline);
        b = &timer_probes[rand_u64(&t->rand) % TIMER_NR_MANY];
        if (a->deadline != 0 && b->deadline > a->deadline) {
            EXPECT(a->order < b->order);
        }
    }
}

/* Those of one deadline fire in the order in which they were started. */
TEST(timer, equal_deadlines_are_first_come_first_served)
{
    uint64_t deadline;
    unsigned i;

    atomic_store(&timer_nr_fired, 0);
    atomic_store(&timer_order, 0);
    test_stay(t);
    deadline = clock_now() + UINT64_C(500000);
    for (i = 0; i < TIMER_NR_EARLY; i++) {
        timer_init(&timer_probes[i].timer, timer_probe_fire, "test");
        timer_start(&timer_probes[i].timer, deadline);
    }
    EXPECT(timer_wait(&timer_nr_fired, TIMER_NR_EARLY));
    for (i = 0; i < TIMER_NR_EARLY; i++) {
        EXPECT_EQ(timer_probes[i].order, i);
    }
}

static PERCPU(struct timer_probe, timer_percpu_probes)[TIMER_NR_EARLY];
static atomic_uint timer_nr_faults;

static void
timer_run_on_cpu(void *arg __unused)
{
    struct timer_probe *probes;
    uint64_t end;
    unsigned i;

    probes = *percpu_this(timer_percpu_probes);
    for (i = 0; i < TIMER_NR_EARLY; i++) {
        timer_init(&probes[i].timer, timer_probe_fire, "test");
        probes[i].fired = 0;
        probes[i].deadline = clock_now() + UINT64_C(1000) * (1U << i) / 8;
        timer_start(&probes[i].timer, probes[i].deadline);
    }
    end = clock_now() + TIMER_WAIT_NS;
    for (i = 0; i < TIMER_NR_EARLY; i++) {
        while (READ_ONCE(probes[i].fired) == 0 && clock_now() < end) {
            cpu_pause();
        }
        if (probes[i].fired < probes[i].deadline || probes[i].cpu != cpu_id()) {
            atomic_fetch_add(&timer_nr_faults, 1);
        }
    }
}

TEST(timer, never_early_on_any_cpu)
{
    atomic_store(&timer_nr_faults, 0);
    all_cpus_run(timer_run_on_cpu, NULL);
    EXPECT_EQ(atomic_load(&timer_nr_faults), 0);
}

/*
 * A timer that starts itself again all the time.
 *
 * Keys: [a] atomic
 */
static struct {
    struct timer timer;
    atomic_uint nr_fired;    /* [a] */
    atomic_uint nr_inside;   /* [a] CPUs in the function */
    atomic_uint nr_together; /* [a] times that it was two */
    atomic_bool restarts;    /* [a] */
} timer_loop;

/* Until the next time: others still do something on 10 MHz. */
#define TIMER_LOOP_NS UINT64_C(200000)

static void
timer_loop_fire(struct timer *timer)
{
    if (atomic_fetch_add(&timer_loop.nr_inside, 1) != 0) {
        atomic_fetch_add(&timer_loop.nr_together, 1);
    }
    atomic_fetch_add(&timer_loop.nr_fired, 1);
    clock_spin(UINT64_C(20000));
    latency_excuse("a slow timer function");
    if (atomic_load(&timer_loop.restarts)) {
        timer_start(timer, clock_now() + TIMER_LOOP_NS);
    }
    atomic_fetch_sub(&timer_loop.nr_inside, 1);
}

static void
timer_loop_start(void *arg __unused)
{
    timer_start(&timer_loop.timer, clock_now());
}

/* Cancelled while it runs on another CPU and starts itself again. */
TEST(timer, cancel_ends_one_that_restarts)
{
    unsigned fired;
    uint64_t i;

    for (i = 0; i < 10 * t->iterations; i++) {
        timer_init(&timer_loop.timer, timer_loop_fire, "test");
        atomic_store(&timer_loop.nr_fired, 0);
        atomic_store(&timer_loop.restarts, true);
        xcall_one(cpu_nr_possible - 1, timer_loop_start, NULL);
        EXPECT(timer_wait(&timer_loop.nr_fired, 2));
        clock_spin(rand_u64(&t->rand) % UINT64_C(40000));
        timer_cancel(&timer_loop.timer);
        fired = atomic_load(&timer_loop.nr_fired);
        EXPECT_EQ(atomic_load(&timer_loop.nr_inside), 0);
        clock_spin(UINT64_C(50000));
        EXPECT_EQ(atomic_load(&timer_loop.nr_fired), fired);
        EXPECT(!timer_cancel(&timer_loop.timer));
    }
}

/* A start on a second CPU while the function runs on the first. */
TEST(timer, never_runs_on_two_cpus)
{
    unsigned fired;
    uint64_t i;

    if (cpu_nr_online() < 2) {
        SKIP("one CPU");
    }

    atomic_store(&timer_loop.restarts, false);
    atomic_store(&timer_loop.nr_together, 0);
    for (i = 0; i < 10 * t->iterations; i++) {
        timer_init(&timer_loop.timer, timer_loop_fire, "test");
        atomic_store(&timer_loop.nr_fired, 0);
        xcall_one(cpu_nr_possible - 1, timer_loop_start, NULL);
        EXPECT(timer_wait(&timer_loop.nr_fired, 1));
        xcall_one(0, timer_loop_start, NULL);
        EXPECT(timer_wait(&timer_loop.nr_fired, 2));
        timer_cancel(&timer_loop.timer);
        fired = atomic_load(&timer_loop.nr_fired);
        EXPECT_EQ(atomic_load(&timer_loop.nr_inside), 0);
        EXPECT_EQ(fired, 2);
    }
    EXPECT_EQ(atomic_load(&timer_loop.nr_together), 0);
}

/* Memory of a timer may be used again once cancel has returned. */
static void
timer_churn(void *arg)
{
    struct rand rand;
    struct timer timer;
    uint64_t i, rounds;

    rounds = *(uint64_t *)arg;
    rand_init(&rand, cpu_id());
    for (i = 0; i < rounds; i++) {
        timer_init(&timer, timer_count, "test");
        timer_start(&timer, clock_now() + rand_u64(&rand) % 20000);
        clock_spin(rand_u64(&rand) % 20000);
        timer_cancel(&timer);
        __builtin_memset(&timer, 0xa5, sizeof(timer));
    }
}

TEST(timer, churn_on_all_cpus)
{
    uint64_t rounds = 200 * t->iterations;

    atomic_store(&timer_nr_fired, 0);
    all_cpus_run(timer_churn, &rounds);
    EXPECT(atomic_load(&timer_nr_fired) <= rounds * cpu_nr_online());
}
