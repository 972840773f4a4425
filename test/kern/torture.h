/* SPDX-License-Identifier: MIT */
/*
 * What torture tests have in common: workers that do something in rounds, on
 * all CPUs and with all policies, and a tormentor that meanwhile suspends and
 * resumes them, moves them between CPUs, changes their policies, priorities
 * and weights, and unparks them for no reason.
 */
#ifndef TEST_KERN_TORTURE_H
#define TEST_KERN_TORTURE_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <lib/rand.h>

#define TORTURE_WORKERS_MAX 16

struct test;
struct thread;
struct torture;

struct torture_worker {
    struct torture *torture;
    unsigned number;
    struct rand rand; /* the worker's own */
    struct thread *thread;
};

/*
 * Keys: [c] constant while workers run   [a] atomic
 */
struct torture {
    /* [c] One round of a worker. */
    void (*round)(struct torture_worker *worker);
    /* [c] NULL, or called by each worker when all of them and the tormentor
     * have ended their rounds. */
    void (*finish)(struct torture_worker *worker);
    void *arg;       /* [c] of the test */
    uint64_t rounds; /* [c] of a worker, multiplied by iterations= */

    /* What follows is the runner's. */
    unsigned nr_workers; /* [c] */
    struct torture_worker workers[TORTURE_WORKERS_MAX];
    struct rand rand;                /* of the tormentor */
    atomic_bool begun;               /* [a] all workers exist */
    atomic_uint nr_left;             /* [a] workers that have rounds to do */
    atomic_bool over;                /* [a] the tormentor has ended */
    _Atomic(const char *) complaint; /* [a] the first one */
    atomic_uint nr_complaints;       /* [a] */
};

/* Memory of zeros, freed with the test; not NULL. */
void *torture_alloc(struct test *t, size_t size);

/* Do it, and fail the test if there were complaints. */
void torture_run(struct test *t, struct torture *torture);

/* Complain. */
void torture_complain(struct torture *torture, const char *text);

/* Complain if a condition does not hold, in a round. */
#define TORTURE_EXPECT(worker, condition)                                      \
    do {                                                                       \
        if (!(condition)) {                                                    \
            torture_complain((worker)->torture, #condition " is false");       \
        }                                                                      \
    } while (0)

/* Something that happens in the middle of anything: nothing, mostly. */
void torture_dawdle(struct torture_worker *worker);

/* A deadline for a wait: soon, or CLOCK_NEVER. */
uint64_t torture_deadline(struct torture_worker *worker);

#endif /* TEST_KERN_TORTURE_H */
