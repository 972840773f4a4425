/* SPDX-License-Identifier: MIT */
/*
 * Tables of rights that many threads use at the same time: each has names that
 * nobody else touches, and which so must stay what they are; names that it
 * gives to others, who close them on other CPUs; and numbers about which all
 * quarrel.
 * Meanwhile policies change.
 */
#include <stdatomic.h>

#include <kern/rcu.h>
#include <lib/string.h>
#include <ipc/right_chunk.h>
#include <test/ipc/right_fixture.h>
#include <test/kern/torture.h>

#define TORTURE_NAMES   150
#define TORTURE_MAILBOX 32
#define TORTURE_QUARREL 5000 /* first of 64 numbers */
#define TORTURE_ROUNDS  400

/* A name and what it means; of its worker. */
struct torture_name {
    uint32_t name;
    uint32_t object;
};

struct torture_own {
    uint32_t nr;
    struct torture_name names[TORTURE_NAMES];
};

/*
 * Keys: [c] constant   [a] atomic   [W] by worker
 */
struct right_torture {
    struct right_fixture *fixture;             /* [c] */
    bool is_changing;                          /* [c] policies change */
    _Atomic uint64_t mailbox[TORTURE_MAILBOX]; /* [a] name + 1, object above */
    struct torture_own own[TORTURE_WORKERS_MAX]; /* [W] */
};

static bool
torture_means(struct right_torture *shared, uint32_t name, uint32_t object)
{
    return right_fixture_find(shared->fixture, name) == object;
}

static void
torture_open(struct torture_worker *worker, struct right_torture *shared,
             struct torture_own *own)
{
    struct torture_name *entry = &own->names[own->nr];
    uint32_t i = (uint32_t)rand_below(&worker->rand, own->nr + 1);
    status_t status;

    if (own->nr == TORTURE_NAMES) {
        return;
    }
    if (i < own->nr) {
        entry->object = own->names[i].object;
        status = right_table_dup(shared->fixture->table, own->names[i].name, 0,
                                 0, &entry->name);
    } else {
        entry->object =
            (uint32_t)rand_below(&worker->rand, RIGHT_FIXTURE_OBJECTS);
        status = right_table_insert(shared->fixture->table,
                                    shared->fixture->rights[entry->object], 0,
                                    0, &entry->name);
    }
    TORTURE_EXPECT(worker, status == OK);
    if (status == OK) {
        TORTURE_EXPECT(worker,
                       torture_means(shared, entry->name, entry->object));
        own->nr++;
    }
}

/* One of the own names, which is no more the worker's. */
static struct torture_name
torture_pick(struct torture_worker *worker, struct torture_own *own)
{
    uint32_t i = (uint32_t)rand_below(&worker->rand, own->nr);
    struct torture_name entry = own->names[i];

    own->names[i] = own->names[--own->nr];
    return entry;
}

static void
torture_close(struct torture_worker *worker, struct right_torture *shared,
              struct torture_name entry)
{
    TORTURE_EXPECT(worker, torture_means(shared, entry.name, entry.object));
    TORTURE_EXPECT(worker,
                   right_table_close(shared->fixture->table, entry.name) == OK);
}

/* Leave a name for others, and close the one that was left there. */
static void
torture_pass(struct torture_worker *worker, struct right_torture *shared,
             struct torture_own *own)
{
    uint64_t i = rand_below(&worker->rand, TORTURE_MAILBOX), word = 0;
    struct torture_name entry;

    if (own->nr != 0) {
        entry = torture_pick(worker, own);
        word = (uint64_t)entry.object << 32 | (entry.name + 1);
    }
    word = atomic_exchange(&shared->mailbox[i], word);
    if (word != 0) {
        entry.name = (uint32_t)word - 1;
        entry.object = (uint32_t)(word >> 32);
        torture_close(worker, shared, entry);
    }
}

/* Numbers of which nobody knows what they mean. */
static void
torture_quarrel(struct torture_worker *worker, struct right_torture *shared)
{
    uint32_t name = TORTURE_QUARREL +
                    (uint32_t)rand_below(&worker->rand, 64 * 3);
    uint32_t i = (uint32_t)rand_below(&worker->rand, RIGHT_FIXTURE_OBJECTS);
    struct right_table *table = shared->fixture->table;
    struct right *old = NULL;
    status_t status;

    if (rand_below(&worker->rand, 2) == 0) {
        status =
            right_table_set(table, name, shared->fixture->rights[i], 0, &old);
        TORTURE_EXPECT(worker, status == OK || status == ERR_BUSY);
    } else {
        status = right_table_remove(table, name, &old);
        TORTURE_EXPECT(worker, status == OK || status == ERR_NOT_FOUND);
        old = status == OK ? old : NULL;
    }
    if (old != NULL) {
        right_close(old);
    }
}

static void
torture_reserve(struct torture_worker *worker, struct right_torture *shared)
{
    uint32_t names[5], nr = 1 + (uint32_t)rand_below(&worker->rand, 5);
    status_t status;

    status = right_table_reserve(shared->fixture->table, nr, 0, names);
    TORTURE_EXPECT(worker, status == OK);
    if (status != OK) {
        return;
    }
    torture_dawdle(worker);
    for (uint32_t i = 0; i < nr; i++) {
        TORTURE_EXPECT(worker, torture_means(shared, names[i], UINT32_MAX));
    }
    right_table_cancel(shared->fixture->table, nr, names);
}

static void
torture_look(struct torture_worker *worker, struct right_torture *shared,
             struct torture_own *own)
{
    struct right_info info;
    uint32_t name = (uint32_t)rand_u64(&worker->rand);
    struct right *right;

    for (uint32_t i = 0; i < own->nr; i++) {
        TORTURE_EXPECT(worker, torture_means(shared, own->names[i].name,
                                             own->names[i].object));
    }
    rcu_read_lock();
    right = right_table_find(shared->fixture->table, name % 8192);
    torture_dawdle(worker);
    TORTURE_EXPECT(worker,
                   right == &right_none ||
                       right->label == container_of(right->object,
                                                    struct right_object, object)
                                           ->label);
    rcu_read_unlock();
    if (right_table_next(shared->fixture->table, name % 8192, &info) == OK) {
        TORTURE_EXPECT(worker, info.kind == KOBJECT_TEST);
    }
}

static void
torture_change(struct torture_worker *worker, struct right_torture *shared)
{
    if (shared->is_changing && worker->number == 0) {
        right_table_set_policy(shared->fixture->table,
                               (uint32_t)rand_below(&worker->rand,
                                                    RIGHT_NR_POLICIES));
    }
}

static void
torture_table_round(struct torture_worker *worker)
{
    struct right_torture *shared = worker->torture->arg;
    struct torture_own *own = &shared->own[worker->number];
    uint64_t what;

    for (unsigned step = 0; step < 8; step++) {
        what = rand_below(&worker->rand, 100);
        if (what < 40) {
            torture_open(worker, shared, own);
        } else if (what < 65) {
            if (own->nr != 0) {
                torture_close(worker, shared, torture_pick(worker, own));
            }
        } else if (what < 80) {
            torture_pass(worker, shared, own);
        } else if (what < 88) {
            torture_quarrel(worker, shared);
        } else if (what < 92) {
            torture_reserve(worker, shared);
        } else if (what < 96) {
            torture_look(worker, shared, own);
        } else {
            torture_change(worker, shared);
        }
    }
    torture_dawdle(worker);
}

/* All that a worker has is there, and goes. */
static void
torture_table_finish(struct torture_worker *worker)
{
    struct right_torture *shared = worker->torture->arg;
    struct torture_own *own = &shared->own[worker->number];

    while (own->nr != 0) {
        torture_close(worker, shared, torture_pick(worker, own));
    }
}

static void
torture_table(struct test *t, enum right_policy policy, bool is_changing)
{
    struct right_torture *shared = torture_alloc(t, sizeof(*shared));
    struct torture *torture = torture_alloc(t, sizeof(*torture));

    shared->fixture = right_fixture_create(t, policy);
    shared->is_changing = is_changing;
    torture->round = torture_table_round;
    torture->finish = torture_table_finish;
    torture->rounds = TORTURE_ROUNDS;
    torture->arg = shared;
    torture_run(t, torture);
}

TEST(right_torture, lowest)
{
    torture_table(t, RIGHT_LOWEST, false);
}

TEST(right_torture, any)
{
    torture_table(t, RIGHT_ANY, false);
}

TEST(right_torture, unique)
{
    torture_table(t, RIGHT_UNIQUE, false);
}

TEST(right_torture, policies_change)
{
    torture_table(t, RIGHT_ANY, true);
}

/* The table is closed while others work with it. */
static void
torture_closing_round(struct torture_worker *worker)
{
    struct right_torture *shared = worker->torture->arg;
    struct right_table *table = shared->fixture->table;
    uint32_t name;
    status_t status;

    if (worker->number == 0 && rand_below(&worker->rand, 100) == 0) {
        right_table_close_all(table);
    }
    status = right_table_insert(table, shared->fixture->rights[0], 0, 0, &name);
    TORTURE_EXPECT(worker, status == OK || status == ERR_CLOSED);
    if (status == OK) {
        status = right_table_close(table, name);
        TORTURE_EXPECT(worker, status == OK || status == ERR_NOT_FOUND);
    }
    (void)right_fixture_find(shared->fixture, name % 256);
    torture_dawdle(worker);
}

static void
torture_closing(struct test *t, enum right_policy policy)
{
    struct right_torture *shared = torture_alloc(t, sizeof(*shared));
    struct torture *torture = torture_alloc(t, sizeof(*torture));

    shared->fixture = right_fixture_create(t, policy);
    torture->round = torture_closing_round;
    torture->rounds = TORTURE_ROUNDS;
    torture->arg = shared;
    torture_run(t, torture);
    right_table_close_all(shared->fixture->table);
    EXPECT_EQ(right_table_count(shared->fixture->table), 0);
}

TEST(right_torture, closing_lowest)
{
    torture_closing(t, RIGHT_LOWEST);
}

TEST(right_torture, closing_any)
{
    torture_closing(t, RIGHT_ANY);
}
