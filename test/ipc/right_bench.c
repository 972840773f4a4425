/* SPDX-License-Identifier: MIT */
/*
 * What rights cost in the kernel.
 */
#include <kern/clock.h>
#include <kern/kmalloc.h>
#include <kern/page.h>
#include <kern/rcu.h>
#include <lib/assert.h>
#include <ipc/kobject.h>
#include <ipc/right.h>
#include <ipc/right_table.h>
#include <kern/container.h>
#include <test/bench.h>

/*
 * A table with entries, for one benchmark.
 */
struct right_bench {
    struct right_table *table;
    struct container *container;
    struct right *right;
    struct kobject object;
    uint32_t name; /* of the last entry */
};

static void
right_bench_release(struct kobject *object)
{
    kobject_free(object);
}

static void
right_bench_free(struct kobject *object __unused)
{
}

static const struct kobject_ops right_bench_ops = {
    .kind = KOBJECT_TEST,
    .release = right_bench_release,
    .free = right_bench_free,
};

static void
right_bench_setup(struct right_bench *bench, enum right_policy policy,
                  uint32_t nr)
{
    uint32_t i;

    bench->table = kmalloc(PAGE_SIZE);
    verify(bench->table != NULL);
    verify(container_create(&bench->container, container_root, "bench") == OK);
    right_table_init(bench->table, bench->container, 0, policy);
    kobject_init(&bench->object, &right_bench_ops, "bench");
    verify(right_create(&bench->right, &bench->object, 1, bench->container) ==
           OK);
    for (i = 0; i < nr; i++) {
        verify(right_table_insert(bench->table, bench->right, 0, 0,
                                  &bench->name) == OK);
    }
}

static void
right_bench_destroy(struct right_bench *bench)
{
    right_table_close_all(bench->table);
    right_table_destroy(bench->table);
    rcu_synchronize();
    kfree(bench->table);
    right_put(bench->right);
    kobject_put(&bench->object);
    verify(kobject_sync(CLOCK_NEVER) == OK);
    verify(kobject_sync(CLOCK_NEVER) == OK);
    container_put(bench->container);
}

static void
right_bench_dup_close(struct bench *b, enum right_policy policy, uint32_t nr)
{
    struct right_bench bench;
    uint32_t name;

    right_bench_setup(&bench, policy, nr);
    BENCH_LOOP(b)
    {
        verify(right_table_dup(bench.table, bench.name, 0, 0, &name) == OK);
        verify(right_table_close(bench.table, name) == OK);
    }
    right_bench_destroy(&bench);
}

static void
right_bench_lookup(struct bench *b, uint32_t nr)
{
    const struct right_table *table;
    struct right_bench bench;
    uint32_t name;

    right_bench_setup(&bench, RIGHT_LOWEST, nr);
    table = bench.table;
    name = bench.name;
    rcu_read_lock();
    BENCH_LOOP(b)
    {
        struct right *right = right_table_find(table, name);

        __asm__ volatile("" : : "r"(right));
    }
    rcu_read_unlock();
    right_bench_destroy(&bench);
}

/* With the table's address and the name in registers; not the section. */
BENCH_NAMED(right_lookup_10, "right.lookup.10")
{
    right_bench_lookup(b, 10);
}

BENCH_NAMED(right_lookup_10000, "right.lookup.10000")
{
    right_bench_lookup(b, 10000);
}

BENCH_NAMED(right_dup_close_10, "right.dup_close.10")
{
    right_bench_dup_close(b, RIGHT_LOWEST, 10);
}

BENCH_NAMED(right_dup_close_10000, "right.dup_close.10000")
{
    right_bench_dup_close(b, RIGHT_LOWEST, 10000);
}

BENCH_NAMED(right_dup_close_any_10, "right.dup_close_any.10")
{
    right_bench_dup_close(b, RIGHT_ANY, 10);
}

BENCH_NAMED(right_dup_close_any_10000, "right.dup_close_any.10000")
{
    right_bench_dup_close(b, RIGHT_ANY, 10000);
}

BENCH_NAMED(right_dup_close_unique_10, "right.dup_close_unique.10")
{
    right_bench_dup_close(b, RIGHT_UNIQUE, 10);
}

BENCH(right, reserve_commit_close)
{
    struct right_bench bench;
    uint32_t name;

    right_bench_setup(&bench, RIGHT_LOWEST, 10);
    BENCH_LOOP(b)
    {
        verify(right_table_reserve(bench.table, 1, 0, &name) == OK);
        right_get(bench.right);
        verify(right_table_commit(bench.table, name, bench.right, 0) == OK);
        verify(right_table_close(bench.table, name) == OK);
    }
    right_bench_destroy(&bench);
}
