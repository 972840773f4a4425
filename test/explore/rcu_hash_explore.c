/* SPDX-License-Identifier: MIT */
#include <stdatomic.h>

#include <arch/cpu.h>
#include <kern/kmalloc.h>
#include <kern/rcu_hash.h>
#include <lib/macros.h>
#include <test/explore/threads.h>

struct rcu_hash_object {
    struct rcu_hash_node node;
    struct rcu_head head;
    unsigned value;
};

/* Two of them stay, the third comes and goes. */
#define RCU_HASH_STAYING 2
#define RCU_HASH_GOING   5

static struct rcu_hash rcu_hash_tested;

static void
rcu_hash_add(uint64_t key)
{
    struct rcu_hash_object *object;

    object = kmalloc(sizeof(*object));
    object->node.key = key;
    object->value = (unsigned)key + 40;
    rcu_hash_insert(&rcu_hash_tested, &object->node);
}

static void
rcu_hash_setup_machine(void)
{
    uint64_t key;

    threads_setup(2);
    explore_init_op("rcu_setup");
    explore_expect(rcu_hash_create(&rcu_hash_tested, 2) == OK);
    for (key = 0; key < RCU_HASH_STAYING; key++) {
        rcu_hash_add(key);
    }
}

static void
rcu_hash_look(uint64_t key)
{
    struct rcu_hash_node *node;

    rcu_read_lock();
    node = rcu_hash_find(&rcu_hash_tested, key);
    explore_expect(node != NULL || key >= RCU_HASH_STAYING);
    if (node != NULL) {
        explore_expect(
            READ_ONCE(
                container_of(node, struct rcu_hash_object, node)->value) ==
            key + 40);
    }
    rcu_read_unlock();
}

static void
rcu_hash_read(void *arg __unused)
{
    uint64_t key;

    for (key = 0; key < RCU_HASH_STAYING; key++) {
        rcu_hash_look(key);
    }
    rcu_hash_look(RCU_HASH_GOING);
}

static void
rcu_hash_free(struct rcu_head *head)
{
    struct rcu_hash_object *object;

    object = container_of(head, struct rcu_hash_object, head);
    object->value = 0;
    kfree(object);
}

static void
rcu_hash_take(uint64_t key)
{
    struct rcu_hash_node *node;

    node = rcu_hash_find(&rcu_hash_tested, key);
    rcu_hash_remove(&rcu_hash_tested, node);
    rcu_call(&container_of(node, struct rcu_hash_object, node)->head,
             rcu_hash_free);
}

static void
rcu_hash_main_changes(void *arg __unused)
{
    struct thread *reader;

    reader = threads_create_on(1, rcu_hash_read, NULL);
    rcu_hash_add(RCU_HASH_GOING);
    rcu_hash_take(RCU_HASH_GOING);
    rcu_barrier();
    thread_join(reader);
}

/* Readers find what is in while others come and go. */
EXPLORE(rcu_hash, changes)
{
    rcu_hash_setup_machine();
    threads_go(2, rcu_hash_main_changes, NULL);
}

static void
rcu_hash_main_resizes(void *arg __unused)
{
    struct thread *reader;
    size_t nr_buckets;

    reader = threads_create_on(1, rcu_hash_read, NULL);
    for (nr_buckets = 4; nr_buckets != 1; nr_buckets /= 2) {
        while (rcu_hash_resize(&rcu_hash_tested, nr_buckets) != OK) {
            thread_sleep(THREADS_LOOK_NS);
        }
        rcu_hash_add(RCU_HASH_GOING);
        rcu_hash_take(RCU_HASH_GOING);
    }
    rcu_barrier();
    thread_join(reader);
}

/* And while the table is resized, twice. */
EXPLORE(rcu_hash, resizes)
{
    rcu_hash_setup_machine();
    threads_go(2, rcu_hash_main_resizes, NULL);
}
