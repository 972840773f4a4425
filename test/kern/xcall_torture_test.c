/* SPDX-License-Identifier: MIT */
/*
 * Cross calls of all kinds, by threads that move between CPUs.
 */
#include <stdatomic.h>

#include <arch/cpu.h>
#include <arch/latency.h>
#include <kern/cpu.h>
#include <kern/xcall.h>
#include <test/test.h>

#include "torture.h"

struct xcall_torture {
    struct torture torture;
    atomic_uint nr_called;
    atomic_uint nr_expected;
};

/* A call of one worker. */
struct xcall_torture_call {
    struct torture_worker *worker;
    uint32_t cpu;
    uint64_t nr; /* written by the function, read by the caller */
};

static void
xcall_torture_one(void *arg)
{
    struct xcall_torture_call *call = arg;
    struct xcall_torture *torture = call->worker->torture->arg;

    TORTURE_EXPECT(call->worker, cpu_id() == call->cpu);
    TORTURE_EXPECT(call->worker, !cpu_irq_is_enabled());
    call->nr++;
    atomic_fetch_add(&torture->nr_called, 1);
}

static void
xcall_torture_count(void *arg)
{
    struct xcall_torture *torture = arg;

    atomic_fetch_add(&torture->nr_called, 1);
}

/* Call another CPU out of a call. */
static void
xcall_torture_nested(void *arg)
{
    struct xcall_torture_call *call = arg;

    xcall_one(call->cpu, xcall_torture_one, call);
}

static void
xcall_torture_call(struct torture_worker *worker)
{
    struct xcall_torture *torture = worker->torture->arg;
    struct xcall_torture_call call = { .worker = worker };
    uint32_t via = (uint32_t)rand_below(&worker->rand, cpu_nr_possible);
    uint64_t flags;

    call.cpu = (uint32_t)rand_below(&worker->rand, cpu_nr_possible);
    if (!cpu_is_online(call.cpu) || !cpu_is_online(via)) {
        return;
    }
    switch (rand_below(&worker->rand, 3)) {
    case 0:
        xcall_one(call.cpu, xcall_torture_one, &call);
        break;
    case 1:
        flags = cpu_irq_save();
        xcall_one(call.cpu, xcall_torture_one, &call);
        latency_forget();
        cpu_irq_restore(flags);
        break;
    default:
        xcall_one(via, xcall_torture_nested, &call);
        break;
    }
    TORTURE_EXPECT(worker, call.nr == 1);
    atomic_fetch_add(&torture->nr_expected, 1);
}

static void
xcall_torture_round(struct torture_worker *worker)
{
    struct xcall_torture *torture = worker->torture->arg;

    if (rand_below(&worker->rand, 16) == 0) {
        xcall_all(xcall_torture_count, torture);
        atomic_fetch_add(&torture->nr_expected, cpu_nr_online());
    } else {
        xcall_torture_call(worker);
    }
    torture_dawdle(worker);
}

TEST(xcall, torture_calls_each_once)
{
    struct xcall_torture *torture = torture_alloc(t, sizeof(*torture));

    torture->torture.round = xcall_torture_round;
    torture->torture.rounds = 100;
    torture->torture.arg = torture;
    torture_run(t, &torture->torture);
    EXPECT_EQ(atomic_load(&torture->nr_called),
              atomic_load(&torture->nr_expected));
}
