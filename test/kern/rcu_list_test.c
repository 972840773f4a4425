/* SPDX-License-Identifier: MIT */
#include <stdatomic.h>

#include <arch/cpu.h>
#include <kern/all_cpus.h>
#include <kern/cpu.h>
#include <kern/kmalloc.h>
#include <kern/rcu_list.h>
#include <kern/thread.h>
#include <test/test.h>

struct number {
    struct list node;
    uint64_t value;
    struct rcu_head head;
};

/* The values of a list, as digits. */
static uint64_t
rcu_list_test_digits(const struct list *list)
{
    struct number *number;
    uint64_t digits;

    digits = 0;
    rcu_read_lock();
    rcu_list_for_each_entry (list, number, node) {
        digits = 10 * digits + number->value;
    }
    rcu_read_unlock();
    return digits;
}

TEST(rcu_list, keeps_the_order)
{
    struct number numbers[4] = {
        { .value = 1 }, { .value = 2 }, { .value = 3 }, { .value = 4 }
    };
    struct list list = LIST_INITIALIZER(list);

    EXPECT(rcu_list_is_empty(&list));
    rcu_list_insert_tail(&list, &numbers[1].node);
    rcu_list_insert_tail(&list, &numbers[2].node);
    rcu_list_insert_head(&list, &numbers[0].node);
    EXPECT_EQ(rcu_list_test_digits(&list), 123);
    rcu_list_replace(&numbers[1].node, &numbers[3].node);
    EXPECT_EQ(rcu_list_test_digits(&list), 143);
    rcu_list_remove(&numbers[0].node);
    EXPECT_EQ(rcu_list_test_digits(&list), 43);
    rcu_list_remove(&numbers[2].node);
    rcu_list_remove(&numbers[3].node);
    EXPECT(rcu_list_is_empty(&list));
}

TEST(rcu_list, removed_element_leads_on)
{
    struct number numbers[3] = { { .value = 1 },
                                 { .value = 2 },
                                 { .value = 3 } };
    struct list list = LIST_INITIALIZER(list);
    unsigned i;

    for (i = 0; i < 3; i++) {
        rcu_list_insert_tail(&list, &numbers[i].node);
    }
    rcu_list_remove(&numbers[1].node);
    EXPECT(rcu_list_next(&numbers[1].node) == &numbers[2].node);
}

/* Always 8 elements, values rising; the first goes, a new last one comes. */
#define LIST_TORTURE_LENGTH 8

struct rcu_list_torture {
    struct list list;
    atomic_bool stop;
    atomic_uint nr_wrong;
};

static void
rcu_list_torture_check(struct rcu_list_torture *torture)
{
    struct number *number;
    uint64_t last;
    unsigned n;

    n = 0;
    last = 0;
    rcu_read_lock();
    rcu_list_for_each_entry (&torture->list, number, node) {
        if (number->value <= last) {
            atomic_fetch_add(&torture->nr_wrong, 1);
        }
        last = number->value;
        n++;
        if (n > 1000 * LIST_TORTURE_LENGTH) {
            break;
        }
    }
    rcu_read_unlock();
    if (n < LIST_TORTURE_LENGTH - 1) {
        atomic_fetch_add(&torture->nr_wrong, 1);
    }
}

static void
rcu_list_torture_poison(struct rcu_head *head)
{
    struct number *number = container_of(head, struct number, head);

    number->value = 0;
    number->node.next = NULL;
    kfree(number);
}

/* A new last element; the first goes, if there are enough. */
static bool
rcu_list_torture_step(struct rcu_list_torture *torture, uint64_t value)
{
    struct number *number;

    number = kmalloc(sizeof(*number));
    if (number == NULL) {
        return false;
    }

    number->value = value;
    rcu_list_insert_tail(&torture->list, &number->node);
    if (value > LIST_TORTURE_LENGTH) {
        number = list_first_entry(&torture->list, struct number, node);
        rcu_list_remove(&number->node);
        rcu_call(&number->head, rcu_list_torture_poison);
    }
    return true;
}

static void
rcu_list_torture_run(void *arg)
{
    struct rcu_list_torture *torture = arg;
    unsigned i;

    for (i = 0; !atomic_load(&torture->stop); i++) {
        rcu_list_torture_check(torture);
        cpu_pause();
        if (i % 64 == 0) {
            thread_yield();
        }
    }
}

TEST(rcu_list, readers_see_whole_lists)
{
    struct rcu_list_torture torture = { .stop = false };
    struct thread *threads[8];
    struct number *number;
    uint64_t value;
    unsigned i, n;

    list_init(&torture.list);
    for (value = 1; value <= LIST_TORTURE_LENGTH; value++) {
        ASSERT(rcu_list_torture_step(&torture, value));
    }
    n = MIN(cpu_nr_online(), (uint32_t)ARRAY_SIZE(threads));
    for (i = 0; i < n; i++) {
        threads[i] =
            thread_create("reads", rcu_list_torture_run, &torture, NULL);
        ASSERT(threads[i] != NULL);
    }
    for (; value < 2000 * t->iterations; value++) {
        ASSERT(rcu_list_torture_step(&torture, value));
        if (rand_below(&t->rand, 128) == 0) {
            thread_yield();
        }
    }
    atomic_store(&torture.stop, true);
    for (i = 0; i < n; i++) {
        thread_join(threads[i]);
    }
    EXPECT_EQ(atomic_load(&torture.nr_wrong), 0);
    while (!rcu_list_is_empty(&torture.list)) {
        number = list_first_entry(&torture.list, struct number, node);
        rcu_list_remove(&number->node);
        rcu_free(number, head);
    }
    rcu_barrier();
}
