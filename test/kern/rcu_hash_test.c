/* SPDX-License-Identifier: MIT */
#include <stdatomic.h>

#include <arch/cpu.h>
#include <kern/all_cpus.h>
#include <kern/cpu.h>
#include <kern/kmalloc.h>
#include <kern/rcu_hash.h>
#include <kern/thread.h>
#include <test/test.h>

#define HASH_TEST_KEYS 512

struct hash_item {
    struct rcu_hash_node node;
    uint64_t check; /* ~key while it may be read */
    struct rcu_head head;
};

static void
rcu_hash_test_put(struct test *t, struct rcu_hash *hash, uint64_t key)
{
    struct hash_item *item;

    item = kmalloc(sizeof(*item));
    ASSERT(item != NULL);
    item->node.key = key;
    item->check = ~key;
    rcu_hash_insert(hash, &item->node);
}

static void
rcu_hash_test_poison(struct rcu_head *head)
{
    struct hash_item *item = container_of(head, struct hash_item, head);

    item->check = 0;
    kfree(item);
}

/* Returns: whether the key was there */
static bool
rcu_hash_test_drop(struct rcu_hash *hash, uint64_t key)
{
    struct rcu_hash_node *node;

    node = rcu_hash_find(hash, key);
    if (node == NULL) {
        return false;
    }
    rcu_hash_remove(hash, node);
    rcu_call(&container_of(node, struct hash_item, node)->head,
             rcu_hash_test_poison);
    return true;
}

TEST(rcu_hash, finds_what_was_inserted)
{
    struct rcu_hash hash;
    uint64_t key;

    ASSERT(rcu_hash_create(&hash, 16) == OK);
    for (key = 0; key < 100; key++) {
        rcu_hash_test_put(t, &hash, key * 1000);
    }
    EXPECT_EQ(hash.count, 100);
    for (key = 0; key < 100; key++) {
        EXPECT(rcu_hash_find(&hash, key * 1000) != NULL);
        EXPECT(rcu_hash_find(&hash, key * 1000 + 1) == NULL);
    }
    for (key = 0; key < 100; key++) {
        EXPECT(rcu_hash_test_drop(&hash, key * 1000));
        EXPECT(rcu_hash_find(&hash, key * 1000) == NULL);
    }
    EXPECT_EQ(hash.count, 0);
    rcu_barrier();
    rcu_hash_destroy(&hash);
}

TEST(rcu_hash, resize_keeps_all)
{
    struct rcu_hash hash;
    size_t nr_buckets;
    uint64_t key;

    ASSERT(rcu_hash_create(&hash, 2) == OK);
    for (key = 0; key < HASH_TEST_KEYS; key++) {
        rcu_hash_test_put(t, &hash, key);
    }
    for (nr_buckets = 4; nr_buckets <= 1024; nr_buckets *= 4) {
        EXPECT_EQ(rcu_hash_resize(&hash, nr_buckets), OK);
        EXPECT_EQ(rcu_hash_nr_buckets(&hash), nr_buckets);
        for (key = 0; key < HASH_TEST_KEYS; key++) {
            EXPECT(rcu_hash_find(&hash, key) != NULL);
        }
        rcu_synchronize();
    }
    EXPECT_EQ(rcu_hash_resize(&hash, 2), OK);
    for (key = 0; key < HASH_TEST_KEYS; key++) {
        EXPECT(rcu_hash_test_drop(&hash, key));
    }
    rcu_barrier();
    rcu_hash_destroy(&hash);
}

TEST(rcu_hash, second_resize_must_wait)
{
    struct rcu_hash hash;

    ASSERT(rcu_hash_create(&hash, 2) == OK);
    rcu_read_lock();
    EXPECT_EQ(rcu_hash_resize(&hash, 4), OK);
    EXPECT_EQ(rcu_hash_resize(&hash, 8), ERR_STATE);
    rcu_read_unlock();
    rcu_synchronize();
    EXPECT_EQ(rcu_hash_resize(&hash, 8), OK);
    rcu_barrier();
    rcu_hash_destroy(&hash);
}

TEST(rcu_hash, newest_of_equal_keys_is_found)
{
    struct rcu_hash_node first = { .key = 7 }, second = { .key = 7 };
    struct rcu_hash hash;

    ASSERT(rcu_hash_create(&hash, 2) == OK);
    rcu_hash_insert(&hash, &first);
    rcu_hash_insert(&hash, &second);
    EXPECT(rcu_hash_find(&hash, 7) == &second);
    rcu_hash_remove(&hash, &second);
    EXPECT(rcu_hash_find(&hash, 7) == &first);
    rcu_hash_remove(&hash, &first);
    EXPECT(rcu_hash_find(&hash, 7) == NULL);
    rcu_hash_destroy(&hash);
}

/* Even keys stay, odd ones come and go, the table is resized. */
struct rcu_hash_torture {
    struct rcu_hash hash;
    atomic_bool stop;
    atomic_uint nr_wrong;
};

static void
rcu_hash_torture_read(void *arg)
{
    struct rcu_hash_torture *torture = arg;
    struct rcu_hash_node *node;
    struct rand rand;
    uint64_t key;

    rand_init(&rand, (uintptr_t)thread_self());
    while (!atomic_load(&torture->stop)) {
        key = rand_below(&rand, HASH_TEST_KEYS);
        cpu_pause();
        rcu_read_lock();
        node = rcu_hash_find(&torture->hash, key);
        if (rand_below(&rand, 256) == 0) {
            thread_yield();
        }
        if (node != NULL
                ? container_of(node, struct hash_item, node)->check != ~key
                : key % 2 == 0) {
            atomic_fetch_add(&torture->nr_wrong, 1);
        }
        rcu_read_unlock();
    }
}

static void
rcu_hash_torture_write(struct test *t, struct rcu_hash_torture *torture)
{
    uint64_t i, key;

    for (i = 0; i < 3000 * t->iterations; i++) {
        key = rand_below(&t->rand, HASH_TEST_KEYS) | 1;
        if (!rcu_hash_test_drop(&torture->hash, key)) {
            rcu_hash_test_put(t, &torture->hash, key);
        }
        if (rand_below(&t->rand, 64) == 0 &&
            rcu_hash_resize(&torture->hash,
                            (size_t)2 << rand_below(&t->rand, 9)) ==
                ERR_STATE) {
            thread_yield();
        }
    }
}

TEST(rcu_hash, readers_find_through_resizes)
{
    struct rcu_hash_torture torture = { .stop = false };
    struct thread *threads[8];
    uint64_t key;
    unsigned i, n;

    ASSERT(rcu_hash_create(&torture.hash, 4) == OK);
    for (key = 0; key < HASH_TEST_KEYS; key += 2) {
        rcu_hash_test_put(t, &torture.hash, key);
    }
    n = MIN(cpu_nr_online(), (uint32_t)ARRAY_SIZE(threads));
    for (i = 0; i < n; i++) {
        threads[i] =
            thread_create("reads", rcu_hash_torture_read, &torture, NULL);
        ASSERT(threads[i] != NULL);
    }
    rcu_hash_torture_write(t, &torture);
    atomic_store(&torture.stop, true);
    for (i = 0; i < n; i++) {
        thread_join(threads[i]);
    }
    EXPECT_EQ(atomic_load(&torture.nr_wrong), 0);
    for (key = 0; key < HASH_TEST_KEYS; key++) {
        rcu_hash_test_drop(&torture.hash, key);
    }
    EXPECT_EQ(torture.hash.count, 0);
    rcu_barrier();
    rcu_hash_destroy(&torture.hash);
}
