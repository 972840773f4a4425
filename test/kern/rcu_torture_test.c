/* SPDX-License-Identifier: MIT */
/*
 * Readers on all CPUs, of all kinds, against updaters that free in all ways.
 */
#include <stdatomic.h>

#include <arch/cpu.h>
#include <kern/clock.h>
#include <kern/cpu.h>
#include <kern/kmalloc.h>
#include <kern/mutex.h>
#include <kern/rcu.h>
#include <kern/rtmutex.h>
#include <kern/thread.h>
#include <kern/xcall.h>
#include <test/test.h>

#define TORTURE_ALIVE  UINT64_C(0x600d0b1ec7600d0b)
#define TORTURE_POISON UINT64_C(0xdeadbeefdeadbeef)

#define TORTURE_SLOTS       16
#define TORTURE_MAX_READERS 16
#define TORTURE_UPDATERS    3
#define TORTURE_ROUNDS      300

struct torture_object {
    uint64_t state;  /* TORTURE_ALIVE, then TORTURE_POISON */
    uint64_t number; /* never the same twice */
    struct rcu_head head;
};

/*
 * Keys: [a] atomic   [c] constant   [R] RCU, exchanged by updaters
 */
struct torture {
    struct torture_object *slots[TORTURE_SLOTS]; /* [R] */
    struct mutex mutex;
    struct rtmutex rtmutex;
    atomic_bool stop;             /* [a] */
    atomic_uint nr_wrong;         /* [a] */
    _Atomic uint64_t nr_reads;    /* [a] */
    _Atomic uint64_t next_number; /* [a] */
    uint64_t rounds;              /* [c] of an updater */
    uint64_t seed;                /* [c] */
    atomic_uint nr_started;       /* [a] */
};

/* ---------------------------------------------------------------- readers */

/* Something that happens in the middle of a section. */
static void
rcu_torture_dawdle(struct torture *torture, struct rand *rand)
{
    uint64_t flags;

    switch (rand_below(rand, 64)) {
    case 0:
        thread_sleep(rand_below(rand, 300000));
        break;
    case 1:
    case 2:
        thread_yield();
        break;
    case 3:
        mutex_lock(&torture->mutex);
        mutex_unlock(&torture->mutex);
        break;
    case 4:
        rtmutex_lock(&torture->rtmutex);
        thread_yield();
        rtmutex_unlock(&torture->rtmutex);
        break;
    case 5:
        clock_spin(rand_below(rand, 50000));
        break;
    case 6:
        flags = cpu_irq_save();
        clock_spin(rand_below(rand, 1000));
        cpu_irq_restore(flags);
        break;
    case 7:
    case 8:
        /* Be on the CPU when a grace period begins, and off when it ends. */
        clock_spin(rand_below(rand, 100000));
        thread_sleep(rand_below(rand, 500000));
        break;
    default:
        break;
    }
}

static void
rcu_torture_check(struct torture *torture, const struct torture_object *object,
                  uint64_t number)
{
    if (READ_ONCE(object->state) != TORTURE_ALIVE ||
        READ_ONCE(object->number) != number) {
        atomic_fetch_add(&torture->nr_wrong, 1);
    }
}

static void
rcu_torture_read(struct torture *torture, struct rand *rand, unsigned depth)
{
    const struct torture_object *object;
    uint64_t number;

    rcu_read_lock();
    object = rcu_dereference(torture->slots[rand_below(rand, TORTURE_SLOTS)]);
    number = READ_ONCE(object->number);
    rcu_torture_check(torture, object, number);
    rcu_torture_dawdle(torture, rand);
    if (depth < 3 && rand_below(rand, 8) == 0) {
        rcu_torture_read(torture, rand, depth + 1);
    }
    rcu_torture_check(torture, object, number);
    rcu_read_unlock();
}

static void
rcu_torture_read_run(void *arg)
{
    struct torture *torture = arg;
    struct rand rand;
    uint64_t n;

    rand_init(&rand, torture->seed + atomic_fetch_add(&torture->nr_started, 1));
    for (n = 0; !atomic_load(&torture->stop); n++) {
        rcu_torture_read(torture, &rand, 0);
        cpu_pause();
        if (rand_below(&rand, 256) == 0) {
            thread_sleep(rand_below(&rand, 200000));
        }
    }
    atomic_fetch_add(&torture->nr_reads, n);
}

/* Context: interrupt, possibly of a reader */
static void
rcu_torture_read_in_interrupt(void *arg)
{
    struct torture *torture = arg;
    const struct torture_object *object;
    uint64_t number;

    rcu_read_lock();
    object = rcu_dereference(torture->slots[cpu_id() % TORTURE_SLOTS]);
    number = READ_ONCE(object->number);
    clock_spin(200);
    rcu_torture_check(torture, object, number);
    rcu_read_unlock();
}

/* --------------------------------------------------------------- updaters */

static void
rcu_torture_free(struct torture_object *object)
{
    WRITE_ONCE(object->state, TORTURE_POISON);
    WRITE_ONCE(object->number, 0);
    kfree(object);
}

static void
rcu_torture_called(struct rcu_head *head)
{
    rcu_torture_free(container_of(head, struct torture_object, head));
}

static struct torture_object *
rcu_torture_object_create(struct torture *torture)
{
    struct torture_object *object;

    object = kmalloc(sizeof(*object));
    if (object != NULL) {
        object->state = TORTURE_ALIVE;
        object->number = atomic_fetch_add(&torture->next_number, 1);
    }
    return object;
}

static void
rcu_torture_free_by_poll(struct torture_object *object)
{
    uint64_t cookie;

    cookie = rcu_poll_start();
    while (!rcu_poll_done(cookie)) {
        test_pause();
    }
    rcu_torture_free(object);
}

static void
rcu_torture_update(struct torture *torture, struct rand *rand)
{
    struct torture_object *object;

    object = rcu_torture_object_create(torture);
    if (object == NULL) {
        return;
    }

    object =
        __atomic_exchange_n(&torture->slots[rand_below(rand, TORTURE_SLOTS)],
                            object, __ATOMIC_ACQ_REL);
    switch (rand_below(rand, 16)) {
    case 0:
        rcu_synchronize();
        rcu_torture_free(object);
        break;
    case 1:
        rcu_synchronize_expedited();
        rcu_torture_free(object);
        break;
    case 2:
        rcu_torture_free_by_poll(object);
        break;
    case 3:
        rcu_call(&object->head, rcu_torture_called);
        rcu_barrier();
        break;
    default:
        rcu_call(&object->head, rcu_torture_called);
        break;
    }
}

static void
rcu_torture_update_run(void *arg)
{
    struct torture *torture = arg;
    struct rand rand;
    uint64_t i;

    rand_init(&rand, torture->seed + atomic_fetch_add(&torture->nr_started, 1));
    for (i = 0; i < torture->rounds; i++) {
        rcu_torture_update(torture, &rand);
        if (rand_below(&rand, 64) == 0) {
            xcall_all(rcu_torture_read_in_interrupt, torture);
        }
    }
}

/* ------------------------------------------------------------------- test */

static bool
rcu_torture_begin(struct torture *torture)
{
    unsigned i;

    mutex_init(&torture->mutex, LOCK_TEST_UNORDERED, "test");
    rtmutex_init(&torture->rtmutex, LOCK_TEST_UNORDERED, "test");
    for (i = 0; i < TORTURE_SLOTS; i++) {
        torture->slots[i] = rcu_torture_object_create(torture);
        if (torture->slots[i] == NULL) {
            return false;
        }
    }
    return true;
}

/* A thread with some policy. */
static struct thread *
rcu_torture_start(struct test *t, struct torture *torture, thread_fn_t fn)
{
    struct thread_attr attr = { .policy = THREAD_FAIR };

    if (rand_below(&t->rand, 4) == 0) {
        attr.policy = THREAD_RR;
        attr.priority = 1 + (int)rand_below(&t->rand, 5);
    }
    return thread_create("torture", fn, torture, &attr);
}

TEST(rcu, torture_finds_no_early_free)
{
    struct thread *readers[TORTURE_MAX_READERS], *updaters[TORTURE_UPDATERS];
    struct torture torture = { .rounds = TORTURE_ROUNDS * t->iterations };
    unsigned nr_readers, i;

    torture.seed = rand_u64(&t->rand);
    ASSERT(rcu_torture_begin(&torture));
    nr_readers = MIN(cpu_nr_online() + 2, (uint32_t)TORTURE_MAX_READERS);
    for (i = 0; i < nr_readers; i++) {
        readers[i] = rcu_torture_start(t, &torture, rcu_torture_read_run);
        ASSERT(readers[i] != NULL);
    }
    for (i = 0; i < TORTURE_UPDATERS; i++) {
        updaters[i] = rcu_torture_start(t, &torture, rcu_torture_update_run);
        ASSERT(updaters[i] != NULL);
    }
    for (i = 0; i < TORTURE_UPDATERS; i++) {
        thread_join(updaters[i]);
    }
    atomic_store(&torture.stop, true);
    for (i = 0; i < nr_readers; i++) {
        thread_join(readers[i]);
    }
    rcu_barrier();
    for (i = 0; i < TORTURE_SLOTS; i++) {
        kfree(torture.slots[i]);
    }
    EXPECT_EQ(atomic_load(&torture.nr_wrong), 0);
    EXPECT(atomic_load(&torture.nr_reads) > 0);
}

/* ----------------------------------------------------------- flood */

#define FLOOD_FREES 5000

struct flood {
    uint64_t frees;
    atomic_uint nr_failed;
};

/* Free as fast as can be. */
static void
rcu_flood_run(void *arg)
{
    struct flood *flood = arg;
    struct torture_object *object;
    uint64_t i;

    for (i = 0; i < flood->frees; i++) {
        object = kmalloc(sizeof(*object));
        if (object == NULL) {
            atomic_fetch_add(&flood->nr_failed, 1);
            return;
        }
        rcu_free(object, head);
    }
}

TEST(rcu, flood_stays_below_the_bound)
{
    struct flood flood = { .frees = FLOOD_FREES * t->iterations };
    struct rcu_stats before, after;
    struct thread *threads[4];
    unsigned i, n;

    rcu_barrier();
    rcu_stats_get(&before);
    n = MIN(cpu_nr_online(), (uint32_t)ARRAY_SIZE(threads));
    for (i = 0; i < n; i++) {
        threads[i] = thread_create("flood", rcu_flood_run, &flood, NULL);
        ASSERT(threads[i] != NULL);
    }
    for (i = 0; i < n; i++) {
        thread_join(threads[i]);
    }
    rcu_barrier();
    rcu_stats_get(&after);
    EXPECT_EQ(atomic_load(&flood.nr_failed), 0);
    EXPECT(after.nr_called - before.nr_called >= n * flood.frees);
    EXPECT(after.max_calls <= RCU_CALLS_MAX + ARRAY_SIZE(threads) + 2);
}
