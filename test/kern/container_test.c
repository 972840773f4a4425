/* SPDX-License-Identifier: MIT */
/*
 * Resource containers.
 */
#include <stdatomic.h>

#include <arch/cpu.h>
#include <kern/all_cpus.h>
#include <kern/clock.h>
#include <kern/container.h>
#include <kern/cpu.h>
#include <kern/kmalloc.h>
#include <kern/preempt.h>
#include <kern/sref.h>
#include <kern/thread.h>
#include <lib/string.h>
#include <test/kern/hog.h>
#include <test/test.h>

/* More containers than have stocks. */
#define CONTAINER_TEST_MANY 600

/* More than fit into a slab. */
#define CONTAINER_TEST_SLAB (TEST_CLEANUP_MAX - 4)

/* Wait for the end, too: tests that follow count pages. */
static void
container_test_put(void *arg)
{
    container_put(arg);
    (void)sref_sync(CLOCK_NEVER);
}

/* A container that the fixture gives up; NULL when memory is short. */
static struct container *
container_test_create(struct test *t, struct container *parent)
{
    struct container *container;

    if (container_create(&container, parent, "test") != OK) {
        return NULL;
    }
    test_cleanup(t, container_test_put, container);
    return container;
}

TEST(container, charges_are_counted_here_and_above)
{
    struct container *parent = container_test_create(t, container_root);
    struct container *child;

    ASSERT(parent != NULL);
    child = container_test_create(t, parent);
    ASSERT(child != NULL);
    EXPECT_EQ(container_charge(child, CONTAINER_PAGES, 3), OK);
    EXPECT_EQ(container_charge(parent, CONTAINER_PAGES, 5), OK);
    EXPECT_EQ(container_used(child, CONTAINER_PAGES), 3);
    EXPECT_EQ(container_used(parent, CONTAINER_PAGES), 8);
    EXPECT_EQ(container_used(parent, CONTAINER_RIGHTS), 0);

    container_refund(child, CONTAINER_PAGES, 3);
    EXPECT_EQ(container_used(parent, CONTAINER_PAGES), 5);
    container_refund(parent, CONTAINER_PAGES, 5);
    EXPECT_EQ(container_used(parent, CONTAINER_PAGES), 0);
}

TEST(container, is_within_itself_and_those_above)
{
    struct container *top = container_test_create(t, container_root);
    struct container *sibling = container_test_create(t, container_root);
    struct container *below;

    ASSERT(top != NULL && sibling != NULL);
    below = container_test_create(t, top);
    ASSERT(below != NULL);
    EXPECT(container_is_within(top, top));
    EXPECT(container_is_within(below, top));
    EXPECT(container_is_within(below, container_root));
    EXPECT(!container_is_within(top, below));
    EXPECT(!container_is_within(below, sibling));
}

TEST(container, amounts_beyond_any_stock_are_counted)
{
    struct container *container = container_test_create(t, container_root);
    const uint64_t nr = UINT64_C(1) << 40;

    ASSERT(container != NULL);
    EXPECT_EQ(container_charge(container, CONTAINER_OBJECTS, nr), OK);
    EXPECT_EQ(container_charge(container, CONTAINER_OBJECTS, 1), OK);
    EXPECT_EQ(container_used(container, CONTAINER_OBJECTS), nr + 1);
    container_refund(container, CONTAINER_OBJECTS, nr);
    EXPECT_EQ(container_used(container, CONTAINER_OBJECTS), 1);
    container_refund(container, CONTAINER_OBJECTS, 1);
    EXPECT_EQ(container_used(container, CONTAINER_OBJECTS), 0);
}

TEST(container, limit_is_met_to_the_unit)
{
    struct container *container = container_test_create(t, container_root);
    uint64_t nr = 0;

    ASSERT(container != NULL);
    container_set_limit(container, CONTAINER_PAGES, 1000);
    EXPECT_EQ(container_limit(container, CONTAINER_PAGES), 1000);
    while (nr <= 1000 &&
           container_charge(container, CONTAINER_PAGES, 1) == OK) {
        nr++;
    }
    EXPECT_EQ(nr, 1000);
    EXPECT_EQ(container_charge(container, CONTAINER_PAGES, 0), OK);
    container_refund(container, CONTAINER_PAGES, 10);
    EXPECT_EQ(container_charge(container, CONTAINER_PAGES, 11), ERR_NO_MEMORY);
    EXPECT_EQ(container_charge(container, CONTAINER_PAGES, 10), OK);
    container_refund(container, CONTAINER_PAGES, nr);
    EXPECT_EQ(container_used(container, CONTAINER_PAGES), 0);
}

static void
container_test_leave_stock(void *arg)
{
    if (container_charge(arg, CONTAINER_PAGES, 1) == OK) {
        container_refund(arg, CONTAINER_PAGES, 1);
    }
}

/* What others have in stock is not used, so it is there to be charged. */
TEST(container, stocks_of_all_cpus_are_called_in)
{
    struct container *container = container_test_create(t, container_root);
    const uint64_t limit = 2048 * cpu_nr_possible;

    ASSERT(container != NULL);
    container_set_limit(container, CONTAINER_PAGES, limit);
    all_cpus_run(container_test_leave_stock, container);
    EXPECT_EQ(container_charge(container, CONTAINER_PAGES, limit), OK);
    EXPECT_EQ(container_charge(container, CONTAINER_PAGES, 1), ERR_NO_MEMORY);
    container_refund(container, CONTAINER_PAGES, limit);
    EXPECT_EQ(container_used(container, CONTAINER_PAGES), 0);
}

TEST(container, stocks_of_siblings_are_called_in)
{
    struct container *parent = container_test_create(t, container_root);
    struct container *children[3];
    const uint64_t limit = 2048 * cpu_nr_possible;

    ASSERT(parent != NULL);
    container_set_limit(parent, CONTAINER_PAGES, limit);
    for (size_t i = 0; i < ARRAY_SIZE(children); i++) {
        children[i] = container_test_create(t, parent);
        ASSERT(children[i] != NULL);
        all_cpus_run(container_test_leave_stock, children[i]);
    }
    EXPECT_EQ(container_charge(children[1], CONTAINER_PAGES, limit), OK);
    EXPECT_EQ(container_charge(children[0], CONTAINER_PAGES, 1), ERR_NO_MEMORY);
    EXPECT_EQ(container_charge(parent, CONTAINER_PAGES, 1), ERR_NO_MEMORY);
    container_refund(children[1], CONTAINER_PAGES, limit);
    EXPECT_EQ(container_used(parent, CONTAINER_PAGES), 0);
}

/* The nearest limit that has no room is not the only one. */
TEST(container, each_limit_above_holds)
{
    struct container *outer = container_test_create(t, container_root);
    struct container *inner;

    ASSERT(outer != NULL);
    inner = container_test_create(t, outer);
    ASSERT(inner != NULL);
    container_set_limit(outer, CONTAINER_PAGES, 100);
    container_set_limit(inner, CONTAINER_PAGES, 60);

    EXPECT_EQ(container_charge(inner, CONTAINER_PAGES, 61), ERR_NO_MEMORY);
    EXPECT_EQ(container_charge(outer, CONTAINER_PAGES, 50), OK);
    EXPECT_EQ(container_charge(inner, CONTAINER_PAGES, 51), ERR_NO_MEMORY);
    EXPECT_EQ(container_charge(inner, CONTAINER_PAGES, 50), OK);
    EXPECT_EQ(container_used(inner, CONTAINER_PAGES), 50);
    EXPECT_EQ(container_used(outer, CONTAINER_PAGES), 100);
    container_refund(inner, CONTAINER_PAGES, 50);
    container_refund(outer, CONTAINER_PAGES, 50);
}

TEST(container, limit_below_what_is_used_holds_for_charges_to_come)
{
    struct container *container = container_test_create(t, container_root);

    ASSERT(container != NULL);
    EXPECT_EQ(container_charge(container, CONTAINER_PAGES, 20), OK);
    container_set_limit(container, CONTAINER_PAGES, 10);
    EXPECT_EQ(container_used(container, CONTAINER_PAGES), 20);
    EXPECT_EQ(container_charge(container, CONTAINER_PAGES, 1), ERR_NO_MEMORY);
    container_refund(container, CONTAINER_PAGES, 11);
    EXPECT_EQ(container_charge(container, CONTAINER_PAGES, 2), ERR_NO_MEMORY);
    EXPECT_EQ(container_charge(container, CONTAINER_PAGES, 1), OK);
    container_set_limit(container, CONTAINER_PAGES, CONTAINER_UNLIMITED);
    EXPECT_EQ(container_charge(container, CONTAINER_PAGES, 100), OK);
    container_refund(container, CONTAINER_PAGES, 110);
}

static void
container_test_refund_one(void *arg)
{
    container_refund(arg, CONTAINER_PAGES, 1);
}

TEST(container, units_may_be_refunded_elsewhere)
{
    struct container *container = container_test_create(t, container_root);
    const uint64_t nr = cpu_nr_online();

    ASSERT(container != NULL);
    EXPECT_EQ(container_charge(container, CONTAINER_PAGES, nr), OK);
    all_cpus_run(container_test_refund_one, container);
    EXPECT_EQ(container_used(container, CONTAINER_PAGES), 0);
}

/* Nobody can be asked for his stock then. */
TEST(container, preemption_may_be_disabled)
{
    struct container *container = container_test_create(t, container_root);

    ASSERT(container != NULL);
    container_set_limit(container, CONTAINER_PAGES, 10);
    preempt_disable();
    EXPECT_EQ(container_charge(container, CONTAINER_PAGES, 11), ERR_NO_MEMORY);
    EXPECT_EQ(container_charge(container, CONTAINER_PAGES, 10), OK);
    container_refund(container, CONTAINER_PAGES, 10);
    preempt_enable();
    EXPECT_EQ(container_used(container, CONTAINER_PAGES), 0);
}

TEST(container, parent_is_charged_for_it_until_it_is_destroyed)
{
    struct container *parent = container_test_create(t, container_root);
    struct container *child;

    ASSERT(parent != NULL);
    ASSERT(container_create(&child, parent, "child") == OK);
    EXPECT_STREQ(container_name(child), "child");
    EXPECT(container_used(parent, CONTAINER_OBJECTS) > 0);
    EXPECT_EQ(container_used(child, CONTAINER_OBJECTS), 0);
    container_get(child);
    container_put(child);
    container_put(child);
    EXPECT_EQ(sref_sync(CLOCK_NEVER), OK);
    EXPECT_EQ(container_used(parent, CONTAINER_OBJECTS), 0);
}

TEST(container, parent_at_its_limit_has_no_children)
{
    struct container *parent = container_test_create(t, container_root);
    struct container *child;

    ASSERT(parent != NULL);
    container_set_limit(parent, CONTAINER_OBJECTS, 16);
    EXPECT_EQ(container_create(&child, parent, "child"), ERR_NO_MEMORY);
    EXPECT_EQ(container_used(parent, CONTAINER_OBJECTS), 0);
}

TEST(container, depth_has_a_bound)
{
    struct container *container = container_root;

    for (size_t i = 0; i < CONTAINER_DEPTH_MAX; i++) {
        container = container_test_create(t, container);
        ASSERT(container != NULL);
    }
    EXPECT_EQ(container_create(&container, container, "deep"), ERR_RANGE);
    EXPECT_EQ(container_charge(container, CONTAINER_PAGES, 1), OK);
    container_refund(container, CONTAINER_PAGES, 1);
}

TEST(container, exhausted_memory_is_an_error_and_charges_nothing)
{
    struct container *parent = container_test_create(t, container_root);
    struct list blocks = LIST_INITIALIZER(blocks);
    status_t status = OK;
    uint64_t nr, used;

    ASSERT(parent != NULL);
    hog_take_all(&blocks);
    /* A slab that is not full has room for some. */
    for (nr = 0; nr < CONTAINER_TEST_SLAB; nr++) {
        struct container *child;

        status = container_create(&child, parent, "child");
        if (status != OK) {
            break;
        }
        test_cleanup(t, container_test_put, child);
    }
    hog_give_all(&blocks);
    EXPECT_EQ(status, ERR_NO_MEMORY);
    used = container_used(parent, CONTAINER_OBJECTS);
    EXPECT_EQ(nr != 0 ? used % nr : used, 0);
}

static void
container_test_put_many(void *arg)
{
    struct container **containers = arg;

    for (size_t i = 0; i < CONTAINER_TEST_MANY; i++) {
        if (containers[i] != NULL) {
            container_put(containers[i]);
        }
    }
    (void)sref_sync(CLOCK_NEVER);
    kfree(containers);
}

/* Those for which there are no stocks count as well. */
TEST(container, many_containers_count)
{
    struct container *parent = container_test_create(t, container_root);
    struct container **containers;

    containers = kzalloc(CONTAINER_TEST_MANY * sizeof(*containers));
    ASSERT(parent != NULL && containers != NULL);
    test_cleanup(t, container_test_put_many, containers);
    for (size_t i = 0; i < CONTAINER_TEST_MANY; i++) {
        ASSERT(container_create(&containers[i], parent, "many") == OK);
        container_set_limit(containers[i], CONTAINER_PAGES, 100);
        EXPECT_EQ(container_charge(containers[i], CONTAINER_PAGES, 7), OK);
        EXPECT_EQ(container_charge(containers[i], CONTAINER_PAGES, 94),
                  ERR_NO_MEMORY);
    }
    EXPECT_EQ(container_used(parent, CONTAINER_PAGES), 7 * CONTAINER_TEST_MANY);
    for (size_t i = 0; i < CONTAINER_TEST_MANY; i++) {
        container_refund(containers[i], CONTAINER_PAGES, 7);
        EXPECT_EQ(container_used(containers[i], CONTAINER_PAGES), 0);
    }
}

TEST(container, list_is_in_preorder)
{
    struct container *outer = container_test_create(t, container_root);
    struct container_info info, next;
    struct container *inner;
    size_t i;

    ASSERT(outer != NULL);
    inner = container_test_create(t, outer);
    ASSERT(inner != NULL);
    EXPECT_EQ(container_charge(inner, CONTAINER_RIGHTS, 9), OK);
    ASSERT(container_info_get(0, &info));
    EXPECT_STREQ(info.name, "root");
    for (i = 0; container_info_get(i, &info); i++) {
        if (strcmp(info.name, "test") == 0 && info.depth == 1) {
            break;
        }
    }
    ASSERT(container_info_get(i + 1, &next));
    EXPECT_EQ(next.depth, 2);
    EXPECT_EQ(info.used[CONTAINER_RIGHTS], 9);
    EXPECT_EQ(next.used[CONTAINER_RIGHTS], 9);
    EXPECT_EQ(next.limits[CONTAINER_RIGHTS], CONTAINER_UNLIMITED);
    container_refund(inner, CONTAINER_RIGHTS, 9);
}

/* ---------------------------------------------------------------- torture */

#define TORTURE_THREADS 6
#define TORTURE_MAX     40 /* units that a thread holds at most */

/*
 * Keys: [c] constant while threads run   [a] atomic
 */
struct torture {
    struct container *top;              /* [c] */
    struct container *containers[4];    /* [c] two below each other */
    atomic_bool stop;                   /* [a] */
    atomic_uint nr_ready;               /* [a] */
    atomic_uint nr_failed;              /* [a] charges that failed */
    _Atomic uint64_t nr_begun, nr_done; /* [a] units charged */
};

struct torturer {
    struct torture *torture;
    struct thread *thread;
    struct rand rand;
    uint64_t held[4];
    uint64_t nr_held;
    uint64_t nr_most; /* it holds no more */
};

static void
torturer_step(struct torturer *self)
{
    struct torture *torture = self->torture;
    size_t i = rand_below(&self->rand, ARRAY_SIZE(self->held));
    uint64_t nr;

    if (self->held[i] != 0) {
        nr = 1 + rand_below(&self->rand, self->held[i]);
        self->held[i] -= nr;
        self->nr_held -= nr;
        container_refund(torture->containers[i], CONTAINER_PAGES, nr);
        return;
    }
    nr = rand_below(&self->rand, self->nr_most + 1 - self->nr_held);
    if (container_charge(torture->containers[i], CONTAINER_PAGES, nr) != OK) {
        atomic_fetch_add(&torture->nr_failed, 1);
        return;
    }
    self->held[i] += nr;
    self->nr_held += nr;
}

static void
torturer_run(void *arg)
{
    struct torturer *self = arg;

    atomic_fetch_add(&self->torture->nr_ready, 1);
    while (!atomic_load(&self->torture->stop)) {
        for (int i = 0; i < 64; i++) {
            torturer_step(self);
            /* An emulator that runs CPUs in turn ends this one's. */
            cpu_pause();
        }
        thread_yield();
    }
}

static bool
torture_setup(struct test *t, struct torture *torture)
{
    torture->top = container_test_create(t, container_root);
    if (torture->top == NULL) {
        return false;
    }
    for (size_t i = 0; i < ARRAY_SIZE(torture->containers); i++) {
        torture->containers[i] =
            container_test_create(t, i < 2 ? torture->top
                                           : torture->containers[i - 2]);
        if (torture->containers[i] == NULL) {
            return false;
        }
    }
    return true;
}

static void
torture_start(struct test *t, struct torture *torture,
              struct torturer *torturers, uint64_t nr_most)
{
    for (size_t i = 0; i < TORTURE_THREADS; i++) {
        torturers[i].torture = torture;
        torturers[i].nr_most = nr_most;
        rand_init(&torturers[i].rand, rand_u64(&t->rand));
        torturers[i].thread =
            thread_create("torture", torturer_run, &torturers[i], NULL);
        verify(torturers[i].thread != NULL);
    }
    while (atomic_load(&torture->nr_ready) < TORTURE_THREADS) {
        test_pause();
    }
}

/* Stop, and compare what each container says with what the threads hold. */
static void
torture_stop(struct test *t, struct torture *torture,
             struct torturer *torturers)
{
    uint64_t held[4] = { 0 };

    atomic_store(&torture->stop, true);
    for (size_t i = 0; i < TORTURE_THREADS; i++) {
        thread_join(torturers[i].thread);
        for (size_t k = 0; k < ARRAY_SIZE(held); k++) {
            held[k] += torturers[i].held[k];
        }
    }
    EXPECT_EQ(container_used(torture->containers[2], CONTAINER_PAGES), held[2]);
    EXPECT_EQ(container_used(torture->containers[3], CONTAINER_PAGES), held[3]);
    EXPECT_EQ(container_used(torture->containers[0], CONTAINER_PAGES),
              held[0] + held[2]);
    EXPECT_EQ(container_used(torture->containers[1], CONTAINER_PAGES),
              held[1] + held[3]);
    EXPECT_EQ(container_used(torture->top, CONTAINER_PAGES),
              held[0] + held[1] + held[2] + held[3]);
    for (size_t i = 0; i < TORTURE_THREADS; i++) {
        for (size_t k = 0; k < ARRAY_SIZE(held); k++) {
            container_refund(torture->containers[k], CONTAINER_PAGES,
                             torturers[i].held[k]);
        }
    }
    EXPECT_EQ(container_used(torture->top, CONTAINER_PAGES), 0);
}

/* Wherever stocks are: what the limit allows for is not refused. */
TEST(container, torture_below_the_limit_no_charge_fails)
{
    static struct torture torture;
    static struct torturer torturers[TORTURE_THREADS];

    memset(&torture, 0, sizeof(torture));
    memset(torturers, 0, sizeof(torturers));
    ASSERT(torture_setup(t, &torture));
    container_set_limit(torture.top, CONTAINER_PAGES,
                        TORTURE_THREADS * TORTURE_MAX);
    torture_start(t, &torture, torturers, TORTURE_MAX);
    for (uint64_t i = 0; i < 10 * t->iterations; i++) {
        EXPECT(container_used(torture.top, CONTAINER_PAGES) <=
               TORTURE_THREADS * TORTURE_MAX);
        thread_sleep(rand_below(&t->rand, 500000));
    }
    torture_stop(t, &torture, torturers);
    EXPECT_EQ(atomic_load(&torture.nr_failed), 0);
}

/* Limits that are met, raised and lowered, at all levels. */
TEST(container, torture_no_limit_is_exceeded)
{
    static struct torture torture;
    static struct torturer torturers[TORTURE_THREADS];
    const uint64_t high = 2000 * cpu_nr_possible;

    memset(&torture, 0, sizeof(torture));
    memset(torturers, 0, sizeof(torturers));
    ASSERT(torture_setup(t, &torture));
    container_set_limit(torture.top, CONTAINER_PAGES, high);
    torture_start(t, &torture, torturers, high / 2);
    for (uint64_t i = 0; i < 10 * t->iterations; i++) {
        struct container *container =
            torture.containers[rand_below(&t->rand, 4)];

        container_set_limit(container, CONTAINER_PAGES,
                            rand_below(&t->rand, high));
        EXPECT(container_used(torture.top, CONTAINER_PAGES) <= high);
        thread_sleep(rand_below(&t->rand, 300000));
    }
    torture_stop(t, &torture, torturers);
}

static void
torture_charge_run(void *arg)
{
    struct torture *torture = arg;

    atomic_fetch_add(&torture->nr_ready, 1);
    while (!atomic_load(&torture->stop)) {
        atomic_fetch_add(&torture->nr_begun, 1);
        verify(container_charge(torture->containers[2], CONTAINER_PAGES, 1) ==
               OK);
        atomic_fetch_add(&torture->nr_done, 1);
        cpu_pause();
    }
}

/* The sum is that of some moment between begin and end of the call. */
TEST(container, used_is_exact_while_others_charge)
{
    struct thread *threads[TORTURE_THREADS];
    static struct torture torture;

    memset(&torture, 0, sizeof(torture));
    ASSERT(torture_setup(t, &torture));
    for (size_t i = 0; i < TORTURE_THREADS; i++) {
        threads[i] =
            thread_create("charge", torture_charge_run, &torture, NULL);
        verify(threads[i] != NULL);
    }
    while (atomic_load(&torture.nr_ready) < TORTURE_THREADS) {
        test_pause();
    }
    for (uint64_t i = 0; i < 50 * t->iterations; i++) {
        uint64_t least = atomic_load(&torture.nr_done);
        uint64_t used = container_used(torture.top, CONTAINER_PAGES);

        EXPECT(used >= least);
        EXPECT(used <= atomic_load(&torture.nr_begun));
        test_pause();
    }
    atomic_store(&torture.stop, true);
    for (size_t i = 0; i < TORTURE_THREADS; i++) {
        thread_join(threads[i]);
    }
    EXPECT_EQ(container_used(torture.top, CONTAINER_PAGES),
              atomic_load(&torture.nr_done));
    container_refund(torture.containers[2], CONTAINER_PAGES,
                     atomic_load(&torture.nr_done));
}
