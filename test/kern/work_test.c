/* SPDX-License-Identifier: MIT */
#include <stdatomic.h>

#include <kern/all_cpus.h>
#include <kern/clock.h>
#include <kern/cpu.h>
#include <kern/kmalloc.h>
#include <kern/thread.h>
#include <kern/work.h>
#include <test/test.h>

struct counted_work {
    struct work work;
    atomic_uint nr_runs;
    atomic_uint nr_inside;
    atomic_bool together;
    atomic_uint cpu;
};

static void
count_run(struct work *work)
{
    struct counted_work *counted;

    counted = container_of(work, struct counted_work, work);
    if (atomic_fetch_add(&counted->nr_inside, 1) != 0) {
        atomic_store(&counted->together, true);
    }
    atomic_store(&counted->cpu, cpu_id());
    if (atomic_fetch_add(&counted->nr_runs, 1) % 8 == 0) {
        thread_yield();
    }
    atomic_fetch_sub(&counted->nr_inside, 1);
}

TEST(work, runs_on_the_cpu_asked)
{
    struct counted_work counted = { .nr_runs = 0 };
    uint32_t cpu, nr;

    work_init(&counted.work, count_run);
    nr = 0;
    cpu_for_each (cpu) {
        EXPECT(work_queue_on(cpu, &counted.work));
        work_flush(&counted.work);
        EXPECT_EQ(atomic_load(&counted.nr_runs), ++nr);
        EXPECT_EQ(atomic_load(&counted.cpu), cpu);
    }
}

/* A work that ends when it is told to. */
struct gated_work {
    struct work work;
    atomic_bool may_end;
};

static void
wait_for_end(struct work *work)
{
    struct gated_work *gated;

    gated = container_of(work, struct gated_work, work);
    while (!atomic_load(&gated->may_end)) {
        test_pause();
    }
}

TEST(work, flush_has_a_deadline_and_cancel_takes_out)
{
    struct counted_work counted = { .nr_runs = 0 };
    struct gated_work slow = { .may_end = false };
    uint32_t cpu;

    cpu = cpu_nr_possible - 1;
    if (!cpu_is_online(cpu)) {
        SKIP("last CPU is not online");
    }
    work_init(&slow.work, wait_for_end);
    work_init(&counted.work, count_run);
    EXPECT(work_queue_on(cpu, &slow.work));
    EXPECT_EQ(work_flush_until(&slow.work, clock_now() + 200000), ERR_TIMEOUT);
    EXPECT(work_queue_on(cpu, &counted.work));
    EXPECT(!work_queue_on(cpu, &counted.work));
    EXPECT(work_cancel(&counted.work));
    EXPECT(!work_cancel(&counted.work));
    atomic_store(&slow.may_end, true);
    work_flush(&slow.work);
    EXPECT_EQ(atomic_load(&counted.nr_runs), 0);
}

struct timed_work {
    struct work_delayed delayed;
    _Atomic uint64_t ran; /* when, 0: not yet */
};

static void
note_time(struct work *work)
{
    struct timed_work *timed;

    timed = container_of(work, struct timed_work, delayed.work);
    atomic_store(&timed->ran, clock_now());
}

TEST(work, delayed_work_waits_for_its_time)
{
    struct timed_work timed = { .ran = 0 };
    uint64_t deadline;

    work_delayed_init(&timed.delayed, note_time);
    work_delayed_start(&timed.delayed, clock_now() + UINT64_C(3600000000000));
    EXPECT(work_delayed_cancel(&timed.delayed));
    EXPECT(!work_delayed_cancel(&timed.delayed));
    EXPECT_EQ(atomic_load(&timed.ran), 0);
    deadline = clock_now() + 200000;
    work_delayed_start(&timed.delayed, deadline);
    while (atomic_load(&timed.ran) == 0) {
        test_pause();
    }
    EXPECT(atomic_load(&timed.ran) >= deadline);
    EXPECT(!work_delayed_cancel(&timed.delayed));
}

static void
free_own_work(struct work *work)
{
    kfree(container_of(work, struct counted_work, work));
}

TEST(work, function_may_free_its_work)
{
    struct gated_work last = { .may_end = true };
    struct counted_work *counted;
    unsigned i;

    work_init(&last.work, wait_for_end);
    for (i = 0; i < 100; i++) {
        counted = kzalloc(sizeof(*counted));
        ASSERT(counted != NULL);
        work_init(&counted->work, free_own_work);
        EXPECT(work_queue_on(0, &counted->work));
    }
    EXPECT(work_queue_on(0, &last.work));
    work_flush(&last.work);
}

struct work_torture {
    struct counted_work works[4];
    atomic_uint nr_queued;
    uint64_t rounds;
};

static void
work_torture_run(void *arg)
{
    struct work_torture *torture = arg;
    struct counted_work *counted;
    struct rand rand;
    uint64_t i;
    uint32_t cpu;

    rand_init(&rand, (uintptr_t)thread_self());
    for (i = 0; i < torture->rounds; i++) {
        counted = &torture->works[rand_below(&rand, 4)];
        cpu = (uint32_t)rand_below(&rand, cpu_nr_possible);
        if (!cpu_is_online(cpu)) {
            continue;
        }
        if (work_queue_on(cpu, &counted->work)) {
            atomic_fetch_add(&torture->nr_queued, 1);
        }
        if (rand_below(&rand, 8) == 0) {
            work_flush(&counted->work);
        }
    }
}

TEST(work, runs_as_often_as_queued_and_never_twice_at_once)
{
    struct work_torture torture = { .rounds = 200 * t->iterations };
    unsigned i, nr_runs;

    for (i = 0; i < 4; i++) {
        work_init(&torture.works[i].work, count_run);
    }
    all_cpus_run(work_torture_run, &torture);
    nr_runs = 0;
    for (i = 0; i < 4; i++) {
        work_flush(&torture.works[i].work);
        nr_runs += atomic_load(&torture.works[i].nr_runs);
        EXPECT(!atomic_load(&torture.works[i].together));
    }
    EXPECT_EQ(nr_runs, atomic_load(&torture.nr_queued));
}
