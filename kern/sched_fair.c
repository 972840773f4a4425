/* SPDX-License-Identifier: MIT */
#include <stddef.h>

#include <kern/sched_fair.h>
#include <lib/assert.h>
#include <lib/macros.h>

/* How many threads are looked at for one that is eligible. */
#define SCHED_FAIR_SEARCH 16

void
sched_fair_init(struct sched_fair *fair)
{
    rbtree_init(&fair->tree);
    fair->base = 0;
    fair->sum = 0;
    fair->weight = 0;
    fair->nr_queued = 0;
}

uint64_t
sched_fair_now(const struct sched_fair *fair)
{
    if (fair->weight == 0) {
        return fair->base;
    }
    return fair->base + (uint64_t)(fair->sum / (int64_t)fair->weight);
}

/*
 * Move the base to the present, so that offsets stay small.
 */
static void
sched_fair_rebase(struct sched_fair *fair)
{
    int64_t offset;

    if (fair->weight == 0) {
        return;
    }

    offset = fair->sum / (int64_t)fair->weight;
    fair->base += (uint64_t)offset;
    fair->sum -= offset * (int64_t)fair->weight;
}

static int64_t
sched_fair_contribution(const struct sched_fair *fair,
                        const struct thread *thread)
{
    return (int64_t)(thread->vruntime - fair->base) * (int64_t)thread->weight;
}

/* Service in virtual time. */
static uint64_t
sched_fair_scale(uint64_t ns, const struct thread *thread)
{
    return ns * THREAD_WEIGHT_MAX / thread->weight;
}

void
sched_fair_join(struct sched_fair *fair, struct thread *thread)
{
    uint64_t now;

    sched_fair_rebase(fair);
    now = sched_fair_now(fair);
    thread->vruntime = now - (uint64_t)thread->vlag;
    thread->vdeadline = thread->vruntime +
                        sched_fair_scale(SCHED_FAIR_SLICE, thread);
    fair->sum += sched_fair_contribution(fair, thread);
    fair->weight += thread->weight;
}

void
sched_fair_leave(struct sched_fair *fair, struct thread *thread)
{
    int64_t lag, slice;

    assert(fair->weight >= thread->weight);
    slice = (int64_t)sched_fair_scale(SCHED_FAIR_SLICE, thread);
    lag = (int64_t)(sched_fair_now(fair) - thread->vruntime);
    thread->vlag = MIN(MAX(lag, -slice), slice);
    fair->sum -= sched_fair_contribution(fair, thread);
    fair->weight -= thread->weight;
    if (fair->weight == 0) {
        fair->sum = 0;
        fair->base = thread->vruntime;
    }
}

void
sched_fair_sleep(struct thread *thread)
{
    thread->vlag = MIN(thread->vlag, INT64_C(0));
}

void
sched_fair_set_weight(struct thread *thread, uint32_t weight)
{
    thread->vlag = thread->vlag * (int64_t)thread->weight / (int64_t)weight;
    thread->weight = weight;
}

static int
sched_fair_compare(const struct rbtree_node *a, const struct rbtree_node *b)
{
    int64_t distance;

    distance = (int64_t)(rbtree_entry(a, struct thread, fair_node)->vdeadline -
                         rbtree_entry(b, struct thread, fair_node)->vdeadline);
    return (distance > 0) - (distance < 0);
}

void
sched_fair_queue(struct sched_fair *fair, struct thread *thread)
{
    rbtree_insert(&fair->tree, &thread->fair_node, sched_fair_compare);
    fair->nr_queued++;
}

void
sched_fair_unqueue(struct sched_fair *fair, struct thread *thread)
{
    rbtree_remove(&fair->tree, &thread->fair_node);
    fair->nr_queued--;
}

struct thread *
sched_fair_pick(const struct sched_fair *fair)
{
    struct rbtree_node *node;
    struct thread *thread;
    uint64_t now;
    unsigned n;

    node = rbtree_first(&fair->tree);
    now = sched_fair_now(fair);
    for (n = 0; node != NULL && n < SCHED_FAIR_SEARCH; n++) {
        thread = rbtree_entry(node, struct thread, fair_node);
        if ((int64_t)(thread->vruntime - now) <= 0) {
            return thread;
        }
        node = rbtree_next(node);
    }

    node = rbtree_first(&fair->tree);
    return node != NULL ? rbtree_entry(node, struct thread, fair_node) : NULL;
}

bool
sched_fair_charge(struct sched_fair *fair, struct thread *thread, uint64_t ns)
{
    uint64_t virtual_ns;

    virtual_ns = sched_fair_scale(MIN(ns, SCHED_FAIR_CHARGE_MAX), thread);
    fair->sum += (int64_t)virtual_ns * (int64_t)thread->weight;
    thread->vruntime += virtual_ns;
    if ((int64_t)(thread->vruntime - thread->vdeadline) < 0) {
        return false;
    }

    /* Threads that never sleep never join: here the base follows them. */
    sched_fair_rebase(fair);
    thread->vdeadline = thread->vruntime +
                        sched_fair_scale(SCHED_FAIR_SLICE, thread);
    return true;
}

uint64_t
sched_fair_slice_left(const struct thread *thread)
{
    uint64_t left;

    left = thread->vdeadline - thread->vruntime;
    return (int64_t)left <= 0 ? 0 : left * thread->weight / THREAD_WEIGHT_MAX;
}
