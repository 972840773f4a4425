/* SPDX-License-Identifier: MIT */
/*
 * Circular lists.
 */
#include <stddef.h>

#include <lib/list.h>
#include <test/test.h>

#define LIST_TEST_ITEMS 4

struct list_item {
    int value;
    struct list node;
};

struct list_fixture {
    struct list list;
    struct list_item items[LIST_TEST_ITEMS];
};

/* A list of 0 to LIST_TEST_ITEMS - 1. */
static void
list_fixture_init(struct list_fixture *f)
{
    list_init(&f->list);
    for (int i = 0; i < LIST_TEST_ITEMS; i++) {
        f->items[i].value = i;
        list_node_init(&f->items[i].node);
        list_insert_tail(&f->list, &f->items[i].node);
    }
}

/* The values as the digits of one number, in order. */
static unsigned int
list_digits(const struct list *list)
{
    struct list_item *item;
    unsigned int digits = 0;

    list_for_each_entry (list, item, node) {
        digits = digits * 10 + (unsigned int)item->value + 1;
    }
    return digits;
}

/* The same backwards, which shows that both chains agree. */
static unsigned int
list_digits_back(const struct list *list)
{
    unsigned int digits = 0;

    for (struct list *node = list->prev; node != list; node = node->prev) {
        digits = digits * 10 +
                 (unsigned int)list_entry(node, struct list_item, node)->value +
                 1;
    }
    return digits;
}

TEST(list, init_is_empty)
{
    struct list list = LIST_INITIALIZER(list);

    EXPECT(list_is_empty(&list));
    EXPECT_EQ(list_first(&list), &list);
    EXPECT_EQ(list_last(&list), &list);
    EXPECT_EQ(list_digits(&list), 0);
}

TEST(list, insert_head)
{
    struct list_item a = { .value = 0 }, b = { .value = 1 };
    struct list list;

    list_init(&list);
    list_insert_head(&list, &a.node);
    list_insert_head(&list, &b.node);
    EXPECT_EQ(list_digits(&list), 21);
    EXPECT_EQ(list_digits_back(&list), 12);
}

TEST(list, insert_tail)
{
    struct list_fixture f;

    list_fixture_init(&f);
    EXPECT_EQ(list_digits(&f.list), 1234);
    EXPECT_EQ(list_digits_back(&f.list), 4321);
}

TEST(list, insert_beside_node)
{
    struct list_item a = { .value = 7 }, b = { .value = 8 };
    struct list_fixture f;

    list_fixture_init(&f);
    list_insert_before(&f.items[0].node, &a.node);
    list_insert_after(&f.items[1].node, &b.node);
    EXPECT_EQ(list_digits(&f.list), 812934);
    EXPECT_EQ(list_digits_back(&f.list), 439218);
}

TEST(list, insert_beside_head)
{
    struct list_item a = { .value = 7 }, b = { .value = 8 };
    struct list_fixture f;

    list_fixture_init(&f);
    list_insert_before(&f.list, &a.node);
    list_insert_after(&f.list, &b.node);
    EXPECT_EQ(list_digits(&f.list), 912348);
}

TEST(list, remove_first_middle_last)
{
    struct list_fixture f;

    list_fixture_init(&f);
    list_remove(&f.items[1].node);
    EXPECT_EQ(list_digits(&f.list), 134);
    list_remove(&f.items[0].node);
    EXPECT_EQ(list_digits(&f.list), 34);
    list_remove(&f.items[3].node);
    EXPECT_EQ(list_digits(&f.list), 3);
    EXPECT_EQ(list_digits_back(&f.list), 3);
    list_remove(&f.items[2].node);
    EXPECT(list_is_empty(&f.list));
}

TEST(list, removed_node_is_unlinked)
{
    struct list_fixture f;

    list_fixture_init(&f);
    EXPECT(list_node_is_linked(&f.items[2].node));
    list_remove(&f.items[2].node);
    EXPECT(!list_node_is_linked(&f.items[2].node));
}

TEST(list, removed_node_can_return)
{
    struct list_fixture f;

    list_fixture_init(&f);
    list_remove(&f.items[2].node);
    list_insert_head(&f.list, &f.items[2].node);
    EXPECT_EQ(list_digits(&f.list), 3124);
}

TEST(list, first_and_last_entry)
{
    struct list_fixture f;

    list_fixture_init(&f);
    EXPECT_EQ(list_first_entry(&f.list, struct list_item, node)->value, 0);
    EXPECT_EQ(list_last_entry(&f.list, struct list_item, node)->value,
              LIST_TEST_ITEMS - 1);
}

TEST(list, safe_walk_survives_removal)
{
    struct list_item *item, *tmp;
    struct list_fixture f;
    unsigned int nr_seen = 0;

    list_fixture_init(&f);
    list_for_each_entry_safe (&f.list, item, tmp, node) {
        list_remove(&item->node);
        nr_seen++;
    }
    EXPECT_EQ(nr_seen, LIST_TEST_ITEMS);
    EXPECT(list_is_empty(&f.list));
}

TEST(list, concat_appends_in_order)
{
    struct list_item a = { .value = 6 }, b = { .value = 7 };
    struct list_fixture f;
    struct list other;

    list_fixture_init(&f);
    list_init(&other);
    list_insert_tail(&other, &a.node);
    list_insert_tail(&other, &b.node);
    list_concat(&f.list, &other);
    EXPECT_EQ(list_digits(&f.list), 123478);
    EXPECT_EQ(list_digits_back(&f.list), 874321);
    EXPECT(list_is_empty(&other));
}

TEST(list, concat_of_empty_changes_nothing)
{
    struct list_fixture f;
    struct list other;

    list_fixture_init(&f);
    list_init(&other);
    list_concat(&f.list, &other);
    EXPECT_EQ(list_digits(&f.list), 1234);
    EXPECT(list_is_empty(&other));
}

TEST(list, concat_to_empty_moves_all)
{
    struct list_fixture f;
    struct list other;

    list_fixture_init(&f);
    list_init(&other);
    list_concat(&other, &f.list);
    EXPECT_EQ(list_digits(&other), 1234);
    EXPECT_EQ(list_digits_back(&other), 4321);
    EXPECT(list_is_empty(&f.list));
}
