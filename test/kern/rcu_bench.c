/* SPDX-License-Identifier: MIT */
#include <kern/kmalloc.h>
#include <kern/rcu.h>
#include <kern/rcu_hash.h>
#include <kern/rcu_radix.h>
#include <test/bench.h>

BENCH(rcu, read_lock_unlock)
{
    BENCH_LOOP(b)
    {
        rcu_read_lock();
        rcu_read_unlock();
    }
}

static void
rcu_bench_called(struct rcu_head *head)
{
    head->next = head;
}

/* In a ring, long enough that an element has been called when it is reused. */
#define RCU_BENCH_RING 8192

static struct rcu_head rcu_bench_heads[RCU_BENCH_RING];

BENCH(rcu, call)
{
    unsigned i;

    i = 0;
    BENCH_LOOP(b)
    {
        rcu_call(&rcu_bench_heads[i], rcu_bench_called);
        i = (i + 1) % RCU_BENCH_RING;
    }
    rcu_barrier();
}

BENCH(rcu, synchronize)
{
    BENCH_LOOP(b)
    {
        rcu_synchronize();
    }
}

BENCH(rcu, synchronize_expedited)
{
    BENCH_LOOP(b)
    {
        rcu_synchronize_expedited();
    }
}

/* Look one key up in a tree that has a few. */
static void
rcu_bench_radix_find(struct bench *b, uint32_t key)
{
    struct rcu_radix *tree;
    bool is_there;

    tree = kmalloc(sizeof(*tree));
    if (tree == NULL) {
        return;
    }

    rcu_radix_init(tree);
    is_there = rcu_radix_insert(tree, key, tree) == OK &&
               rcu_radix_insert(tree, key + 1, tree) == OK;
    BENCH_LOOP(b)
    {
        rcu_read_lock();
        is_there = is_there && rcu_radix_find(tree, key) != NULL;
        rcu_read_unlock();
    }
    rcu_radix_destroy(tree);
    kfree(tree);
}

BENCH(rcu_radix, find_5)
{
    rcu_bench_radix_find(b, 5);
}

BENCH(rcu_radix, find_4000)
{
    rcu_bench_radix_find(b, 4000);
}

BENCH(rcu_radix, find_1000000)
{
    rcu_bench_radix_find(b, 1000000);
}

/* The lowest key, which is the only free one of 64. */
BENCH(rcu_radix, insert_lowest_remove)
{
    struct rcu_radix *tree;
    uint32_t key;

    tree = kmalloc(sizeof(*tree));
    if (tree == NULL) {
        return;
    }

    rcu_radix_init(tree);
    for (key = 0; key < RCU_RADIX_SLOTS; key++) {
        if (key != 40 && rcu_radix_insert(tree, key, tree) != OK) {
            break;
        }
    }
    BENCH_LOOP(b)
    {
        if (rcu_radix_insert_lowest(tree, tree, 0, 64, &key) == OK) {
            rcu_radix_remove(tree, key);
        }
    }
    rcu_radix_destroy(tree);
    kfree(tree);
}

BENCH(rcu_hash, find)
{
    struct rcu_hash_node node = { .key = 42 };
    struct rcu_hash hash;

    if (rcu_hash_create(&hash, 64) != OK) {
        return;
    }

    rcu_hash_insert(&hash, &node);
    BENCH_LOOP(b)
    {
        rcu_read_lock();
        node.key = rcu_hash_find(&hash, 42)->key;
        rcu_read_unlock();
    }
    rcu_hash_remove(&hash, &node);
    rcu_hash_destroy(&hash);
}
