/* SPDX-License-Identifier: MIT */
/*
 * Threads that hand a token on by parking and unparking, and threads that come
 * and go.
 */
#include <stdatomic.h>

#include <kern/clock.h>
#include <kern/cpu.h>
#include <kern/thread.h>
#include <test/test.h>

#include "torture.h"

/* ------------------------------------------------------------ park, unpark */

/*
 * Keys: [a] atomic   [T] who has the token
 */
struct park_torture {
    struct torture torture;
    atomic_uint owner; /* [a] number of the worker that has the token */
    uint64_t nr_turns; /* [T] */
};

/* A wait without a deadline: a permit that is lost is a wait for ever. */
static void
park_torture_round(struct torture_worker *worker)
{
    struct park_torture *torture = worker->torture->arg;
    unsigned next = (worker->number + 1) % worker->torture->nr_workers;
    struct thread *thread;

    while (atomic_load(&torture->owner) != worker->number) {
        thread_park(torture_deadline(worker));
    }
    torture->nr_turns++;
    torture_dawdle(worker);
    thread = worker->torture->workers[next].thread;
    atomic_store(&torture->owner, next);
    if (rand_below(&worker->rand, 2) == 0) {
        thread_unpark(thread);
    } else {
        thread_hand_off(thread);
    }
}

TEST(thread, torture_loses_no_permit)
{
    struct park_torture *torture = torture_alloc(t, sizeof(*torture));

    torture->torture.round = park_torture_round;
    torture->torture.rounds = 60;
    torture->torture.arg = torture;
    torture_run(t, &torture->torture);
    EXPECT_EQ(torture->nr_turns,
              torture->torture.rounds * torture->torture.nr_workers);
}

/* ----------------------------------------------------------- create, join */

struct birth_torture {
    struct torture torture;
    atomic_uint nr_created;
    atomic_uint nr_ran;
};

/* A thread that a worker creates. */
struct birth {
    struct torture_worker *worker;
    uint32_t cpu; /* where it must stay */
    bool pinned;
};

static void
birth_run(void *arg)
{
    struct birth *birth = arg;
    struct birth_torture *torture = birth->worker->torture->arg;

    if (birth->pinned) {
        TORTURE_EXPECT(birth->worker, cpu_id() == birth->cpu);
        thread_yield();
        TORTURE_EXPECT(birth->worker, cpu_id() == birth->cpu);
    }
    atomic_fetch_add(&torture->nr_ran, 1);
}

/* Without an argument, for nobody waits for its end. */
static void
birth_run_alone(void *arg)
{
    struct birth_torture *torture = arg;

    atomic_fetch_add(&torture->nr_ran, 1);
}

static void
birth_torture_detach(struct birth_torture *torture,
                     const struct thread_attr *attr)
{
    struct thread *thread;

    thread = thread_create("detached", birth_run_alone, torture, attr);
    if (thread != NULL) {
        atomic_fetch_add(&torture->nr_created, 1);
        thread_detach(thread);
    }
}

static void
birth_torture_round(struct torture_worker *worker)
{
    struct birth_torture *torture = worker->torture->arg;
    struct birth birth = { .worker = worker };
    struct thread_attr attr = {
        .policy = (enum thread_policy)rand_below(&worker->rand, 3),
        .priority = 1 + (int)rand_below(&worker->rand, 50),
    };
    struct thread *thread;

    birth.cpu = (uint32_t)rand_below(&worker->rand, cpu_nr_possible);
    birth.pinned = cpu_is_online(birth.cpu) && birth.cpu % 2 == 0;
    attr.cpu = birth.cpu;
    attr.pinned = birth.pinned;
    if (rand_below(&worker->rand, 4) == 0) {
        birth_torture_detach(torture, &attr);
        return;
    }
    thread = thread_create("child", birth_run, &birth, &attr);
    if (thread != NULL) {
        atomic_fetch_add(&torture->nr_created, 1);
        torture_dawdle(worker);
        thread_join(thread);
    }
}

TEST(thread, torture_runs_each_once)
{
    struct birth_torture *torture = torture_alloc(t, sizeof(*torture));

    torture->torture.round = birth_torture_round;
    torture->torture.rounds = 20;
    torture->torture.arg = torture;
    torture_run(t, &torture->torture);
    while (atomic_load(&torture->nr_ran) != atomic_load(&torture->nr_created)) {
        thread_sleep(100000);
    }
}

/* ------------------------------------------------------------- scheduling */

/* Time that a thread has run never falls, wherever it was meanwhile. */
static void
sched_torture_round(struct torture_worker *worker)
{
    uint64_t before, after;

    before = thread_run_time(worker->thread);
    clock_spin(rand_below(&worker->rand, 5000));
    torture_dawdle(worker);
    after = thread_run_time(worker->thread);
    TORTURE_EXPECT(worker, before <= after);
    if (rand_below(&worker->rand, 4) == 0) {
        thread_sleep(rand_below(&worker->rand, 20000));
    }
}

TEST(sched, torture_runs_all_and_counts_their_time)
{
    struct torture *torture = torture_alloc(t, sizeof(*torture));

    torture->round = sched_torture_round;
    torture->rounds = 150;
    torture_run(t, torture);
}
