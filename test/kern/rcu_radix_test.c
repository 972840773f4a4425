/* SPDX-License-Identifier: MIT */
#include <stdatomic.h>

#include <arch/cpu.h>
#include <kern/cpu.h>
#include <kern/kmalloc.h>
#include <kern/mutex.h>
#include <kern/page.h>
#include <kern/rcu_radix.h>
#include <kern/thread.h>
#include <lib/bitmap.h>
#include <test/kern/hog.h>
#include <test/test.h>

/* A value that tells its key. */
static void *
rcu_radix_test_value(uint32_t key)
{
    return (void *)((uintptr_t)key * 16 + 8);
}

static struct rcu_radix *
rcu_radix_test_tree(struct test *t)
{
    struct rcu_radix *tree;

    tree = kmalloc(sizeof(*tree));
    if (tree != NULL) {
        rcu_radix_init(tree);
        test_cleanup(t, (test_cleanup_fn_t)kfree, tree);
        test_cleanup(t, (test_cleanup_fn_t)rcu_radix_destroy, tree);
    }
    return tree;
}

static const uint32_t rcu_radix_test_keys[] = {
    0,      1,      63,      64,       65,
    4095,   4096,   4097,    65535,    262143,
    262144, 999999, 1048575, 16777215, 5000,
    70000,  300000, 1 << 24, 1 << 29,  RCU_RADIX_MAX_KEY - 1,
};

TEST(rcu_radix, finds_keys_of_all_sizes)
{
    struct rcu_radix *tree = rcu_radix_test_tree(t);
    uint32_t key;
    size_t i;

    ASSERT(tree != NULL);
    for (i = 0; i < ARRAY_SIZE(rcu_radix_test_keys); i++) {
        key = rcu_radix_test_keys[i];
        EXPECT(rcu_radix_find(tree, key) == NULL);
        EXPECT_EQ(rcu_radix_insert(tree, key, rcu_radix_test_value(key)), OK);
        EXPECT_EQ(rcu_radix_insert(tree, key, tree), ERR_EXISTS);
    }
    for (i = 0; i < ARRAY_SIZE(rcu_radix_test_keys); i++) {
        key = rcu_radix_test_keys[i];
        EXPECT(rcu_radix_find(tree, key) == rcu_radix_test_value(key));
        EXPECT(rcu_radix_find(tree, key ^ 0x10) == NULL);
    }
}

TEST(rcu_radix, keys_out_of_range_are_refused)
{
    struct rcu_radix *tree = rcu_radix_test_tree(t);

    ASSERT(tree != NULL);
    EXPECT_EQ(rcu_radix_insert(tree, RCU_RADIX_MAX_KEY, tree), ERR_RANGE);
    EXPECT_EQ(rcu_radix_insert(tree, UINT32_MAX, tree), ERR_RANGE);
    EXPECT(rcu_radix_find(tree, UINT32_MAX) == NULL);
    EXPECT(rcu_radix_remove(tree, UINT32_MAX) == NULL);
    EXPECT(rcu_radix_replace(tree, 5, tree) == NULL);
    EXPECT(rcu_radix_find(tree, 5) == NULL);
}

TEST(rcu_radix, all_nodes_go_with_the_keys)
{
    struct rcu_radix *tree = rcu_radix_test_tree(t);
    uint32_t key;
    size_t i;

    ASSERT(tree != NULL);
    for (i = 0; i < ARRAY_SIZE(rcu_radix_test_keys); i++) {
        key = rcu_radix_test_keys[i];
        EXPECT_EQ(rcu_radix_insert(tree, key, rcu_radix_test_value(key)), OK);
    }
    EXPECT(tree->nr_nodes > 10);
    for (i = 0; i < ARRAY_SIZE(rcu_radix_test_keys); i++) {
        key = rcu_radix_test_keys[i];
        EXPECT(rcu_radix_remove(tree, key) == rcu_radix_test_value(key));
        EXPECT(rcu_radix_remove(tree, key) == NULL);
    }
    EXPECT_EQ(tree->nr_nodes, 0);
    EXPECT(tree->root == &tree->first);
    rcu_barrier();
}

/* Who pays for nodes pays for so many in advance. */
TEST(rcu_radix, insertion_makes_a_bounded_number_of_nodes)
{
    struct rcu_radix *tree = rcu_radix_test_tree(t);
    uint32_t key;
    size_t i;

    ASSERT(tree != NULL);
    for (i = 0; i < ARRAY_SIZE(rcu_radix_test_keys); i++) {
        key = rcu_radix_test_keys[i];
        EXPECT_EQ(rcu_radix_insert(tree, key, tree), OK);
        EXPECT(tree->nr_nodes <= RCU_RADIX_MAX_NEW_NODES);
        EXPECT(rcu_radix_remove(tree, key) == tree);
    }
    EXPECT_EQ(rcu_radix_insert(tree, RCU_RADIX_MAX_KEY - 1, tree), OK);
    EXPECT_EQ(tree->nr_nodes, RCU_RADIX_MAX_NEW_NODES);
    EXPECT(rcu_radix_remove(tree, RCU_RADIX_MAX_KEY - 1) == tree);
}

TEST(rcu_radix, lowest_free_key_is_given)
{
    struct rcu_radix *tree = rcu_radix_test_tree(t);
    uint32_t key, i;

    ASSERT(tree != NULL);
    for (i = 0; i < 5000; i++) {
        ASSERT(rcu_radix_insert_lowest(tree, rcu_radix_test_value(i), 0,
                                       RCU_RADIX_MAX_KEY, &key) == OK);
        EXPECT_EQ(key, i);
    }
    EXPECT(rcu_radix_remove(tree, 4321) != NULL);
    EXPECT(rcu_radix_remove(tree, 77) != NULL);
    EXPECT_EQ(rcu_radix_insert_lowest(tree, tree, 0, 5000, &key), OK);
    EXPECT_EQ(key, 77);
    EXPECT_EQ(rcu_radix_insert_lowest(tree, tree, 0, 4000, &key), ERR_RANGE);
    EXPECT_EQ(rcu_radix_insert_lowest(tree, tree, 0, 5000, &key), OK);
    EXPECT_EQ(key, 4321);
    EXPECT_EQ(rcu_radix_insert_lowest(tree, tree, 0, 5000, &key), ERR_RANGE);
    EXPECT_EQ(rcu_radix_insert_lowest(tree, tree, 70000, 80000, &key), OK);
    EXPECT_EQ(key, 70000);
    EXPECT_EQ(rcu_radix_insert_lowest(tree, tree, 70000, 80000, &key), OK);
    EXPECT_EQ(key, 70001);
}

/* The tree beside a bitmap, at random. */
#define RADIX_MODEL_KEYS (1U << 20)

static void
rcu_radix_model_step(struct test *t, struct rcu_radix *tree,
                     unsigned long *model)
{
    uint32_t key, least, found;
    void *value;

    least = (uint32_t)rand_below(&t->rand, RADIX_MODEL_KEYS) >>
            rand_below(&t->rand, 20);
    switch (rand_below(&t->rand, 4)) {
    case 0:
        key = least;
        EXPECT_EQ(rcu_radix_insert(tree, key, rcu_radix_test_value(key)),
                  bitmap_test(model, key) ? ERR_EXISTS : OK);
        bitmap_set(model, key);
        break;
    case 1:
        for (key = least; bitmap_test(model, key); key++) {
        }
        EXPECT_EQ(rcu_radix_insert_lowest(tree, rcu_radix_test_value(key),
                                          least, RADIX_MODEL_KEYS, &found),
                  OK);
        EXPECT_EQ(found, key);
        bitmap_set(model, key);
        break;
    case 2:
        value = rcu_radix_find_next(tree, least, &key);
        if (value != NULL) {
            EXPECT(key >= least && bitmap_test(model, key));
            EXPECT(rcu_radix_remove(tree, key) == value);
            EXPECT(value == rcu_radix_test_value(key));
            bitmap_clear(model, key);
        }
        break;
    default:
        EXPECT((rcu_radix_find(tree, least) != NULL) ==
               bitmap_test(model, least));
        break;
    }
}

TEST(rcu_radix, behaves_like_a_bitmap)
{
    struct rcu_radix *tree = rcu_radix_test_tree(t);
    unsigned long *model;
    uint64_t i;

    ASSERT(tree != NULL);
    model = kzalloc(BITMAP_LONGS(RADIX_MODEL_KEYS + 64) * sizeof(*model));
    ASSERT(model != NULL);
    test_cleanup(t, (test_cleanup_fn_t)kfree, model);
    for (i = 0; i < 3000 * t->iterations && t->nr_failures == 0; i++) {
        rcu_radix_model_step(t, tree, model);
    }
    rcu_barrier();
}

TEST(rcu_radix, exhaustion_changes_nothing)
{
    struct list blocks = LIST_INITIALIZER(blocks);
    struct rcu_radix *tree = rcu_radix_test_tree(t);
    status_t status;
    uint32_t key;

    ASSERT(tree != NULL);
    EXPECT_EQ(rcu_radix_insert(tree, 3, tree), OK);
    hog_take_all(&blocks);
    status = OK;
    for (key = 64; status == OK && key < RCU_RADIX_MAX_KEY / 2; key *= 2) {
        status = rcu_radix_insert(tree, key, tree);
    }
    hog_give_all(&blocks);
    EXPECT(status == OK || status == ERR_NO_MEMORY);
    for (key = 64; key < RCU_RADIX_MAX_KEY / 2; key *= 2) {
        rcu_radix_remove(tree, key);
    }
    EXPECT_EQ(tree->nr_nodes, 0);
    EXPECT(rcu_radix_find(tree, 3) == tree);
    rcu_barrier();
}

/* A value's memory says which key it is for, until it is freed. */
struct radix_item {
    uint64_t key;
    struct rcu_head head;
};

struct radix_torture {
    struct rcu_radix tree;
    struct mutex mutex;
    atomic_bool stop;
    atomic_uint nr_wrong;
};

#define RADIX_TORTURE_KEYS 9000

static void
rcu_radix_torture_read(void *arg)
{
    struct radix_torture *torture = arg;
    const struct radix_item *item;
    struct rand rand;
    uint32_t key;

    rand_init(&rand, (uintptr_t)thread_self());
    while (!atomic_load(&torture->stop)) {
        key = (uint32_t)rand_below(&rand, RADIX_TORTURE_KEYS) >>
              rand_below(&rand, 12);
        cpu_pause();
        rcu_read_lock();
        item = rcu_radix_find(&torture->tree, key);
        if (rand_below(&rand, 128) == 0) {
            thread_yield();
        }
        if (item != NULL && READ_ONCE(item->key) != key) {
            atomic_fetch_add(&torture->nr_wrong, 1);
        }
        rcu_read_unlock();
    }
}

static void
rcu_radix_torture_poison(struct rcu_head *head)
{
    struct radix_item *item = container_of(head, struct radix_item, head);

    item->key = UINT64_MAX;
    kfree(item);
}

static void
rcu_radix_torture_change(struct test *t, struct radix_torture *torture)
{
    struct radix_item *item;
    uint32_t key;

    key = (uint32_t)rand_below(&t->rand, RADIX_TORTURE_KEYS) >>
          rand_below(&t->rand, 12);
    mutex_lock(&torture->mutex);
    item = rcu_radix_remove(&torture->tree, key);
    if (item == NULL) {
        item = kmalloc(sizeof(*item));
        if (item != NULL) {
            item->key = key;
            EXPECT_EQ(rcu_radix_insert(&torture->tree, key, item), OK);
        }
        item = NULL;
    }
    mutex_unlock(&torture->mutex);
    if (item != NULL) {
        rcu_call(&item->head, rcu_radix_torture_poison);
    }
}

TEST(rcu_radix, readers_find_living_values)
{
    struct radix_torture *torture;
    struct thread *threads[8];
    struct radix_item *item;
    unsigned i, n;
    uint32_t key;

    torture = kzalloc(sizeof(*torture));
    ASSERT(torture != NULL);
    test_cleanup(t, (test_cleanup_fn_t)kfree, torture);
    rcu_radix_init(&torture->tree);
    mutex_init(&torture->mutex, LOCK_TEST_UNORDERED, "test");
    n = MIN(cpu_nr_online(), (uint32_t)ARRAY_SIZE(threads));
    for (i = 0; i < n; i++) {
        threads[i] =
            thread_create("reads", rcu_radix_torture_read, torture, NULL);
        ASSERT(threads[i] != NULL);
    }
    for (i = 0; i < 3000 * t->iterations; i++) {
        rcu_radix_torture_change(t, torture);
        if (i % 256 == 0) {
            thread_yield();
        }
    }
    atomic_store(&torture->stop, true);
    for (i = 0; i < n; i++) {
        thread_join(threads[i]);
    }
    EXPECT_EQ(atomic_load(&torture->nr_wrong), 0);
    while ((item = rcu_radix_find_next(&torture->tree, 0, &key)) != NULL) {
        EXPECT(rcu_radix_remove(&torture->tree, key) == item);
        rcu_free(item, head);
    }
    EXPECT_EQ(torture->tree.nr_nodes, 0);
    rcu_barrier();
}
