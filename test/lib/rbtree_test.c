/* SPDX-License-Identifier: MIT */
/*
 * Red-black trees: after each change the invariants are checked on the whole
 * tree, from its public structure.
 */
#include <stdbool.h>
#include <stddef.h>

#include <lib/macros.h>
#include <lib/rand.h>
#include <lib/rbtree.h>
#include <test/test.h>

#define RBTREE_TEST_ITEMS 40

/* Deeper than a tree of that many can be. */
#define RBTREE_TEST_DEPTH 32

struct rbtree_item {
    unsigned int value;
    bool present;
    struct rbtree_node node;
};

struct rbtree_fixture {
    struct rbtree tree;
    struct rbtree_item items[RBTREE_TEST_ITEMS];
};

static const struct rbtree_item *
rbtree_item(const struct rbtree_node *node)
{
    return rbtree_entry(node, struct rbtree_item, node);
}

static int
rbtree_test_cmp(const struct rbtree_node *a, const struct rbtree_node *b)
{
    unsigned int left = rbtree_item(a)->value, right = rbtree_item(b)->value;

    return left < right ? -1 : left > right;
}

static int
rbtree_test_key(const void *key, const struct rbtree_node *node)
{
    unsigned int left = *(const unsigned int *)key;
    unsigned int right = rbtree_item(node)->value;

    return left < right ? -1 : left > right;
}

/* The nodes from @node to the root, and the black ones among them. */
static void
rbtree_test_depth(const struct rbtree_node *node, size_t *depth, size_t *black)
{
    *depth = 0;
    *black = 0;
    while (node != NULL) {
        (*depth)++;
        *black += (node->parent_color & 1) == 0;
        node = (const struct rbtree_node *)(node->parent_color & ~1ul);
    }
}

/* Whether no red node has a red parent and @black is what each leaf sees. */
static bool
rbtree_test_node_is_valid(const struct rbtree_node *node, size_t black)
{
    const struct rbtree_node *parent =
        (const struct rbtree_node *)(node->parent_color & ~1ul);
    size_t depth, own_black;

    if ((node->parent_color & 1) != 0 &&
        (parent == NULL || (parent->parent_color & 1) != 0)) {
        return false;
    }
    rbtree_test_depth(node, &depth, &own_black);
    if (depth > RBTREE_TEST_DEPTH) {
        return false;
    }
    return (node->child[0] != NULL && node->child[1] != NULL) ||
           own_black == black;
}

/* Expect @count elements in order and a tree in balance. */
static void
rbtree_expect_valid(struct test *t, const struct rbtree *tree, size_t count)
{
    const struct rbtree_node *last = NULL;
    struct rbtree_item *item;
    size_t seen = 0, depth, black;

    rbtree_test_depth(rbtree_first(tree), &depth, &black);
    rbtree_for_each_entry (tree, item, node) {
        EXPECT(last == NULL || rbtree_test_cmp(last, &item->node) <= 0);
        EXPECT_EQ(rbtree_prev(&item->node), last);
        EXPECT(rbtree_test_node_is_valid(&item->node, black));
        last = &item->node;
        seen++;
    }
    EXPECT_EQ(seen, count);
    EXPECT_EQ(rbtree_last(tree), last);
    EXPECT_EQ(rbtree_is_empty(tree), count == 0);
}

/* A tree of all items with the values 0, @step, 2 * @step, modulo. */
static void
rbtree_fixture_init(struct rbtree_fixture *f, unsigned int step)
{
    rbtree_init(&f->tree);
    for (unsigned int i = 0; i < RBTREE_TEST_ITEMS; i++) {
        f->items[i].value = i * step % RBTREE_TEST_ITEMS;
        rbtree_insert(&f->tree, &f->items[i].node, rbtree_test_cmp);
    }
}

TEST(rbtree, empty_tree_has_nothing)
{
    struct rbtree tree = RBTREE_INITIALIZER;
    unsigned int key = 1;

    rbtree_expect_valid(t, &tree, 0);
    EXPECT_EQ(rbtree_first(&tree), NULL);
    EXPECT_EQ(rbtree_find(&tree, &key, rbtree_test_key), NULL);
}

TEST(rbtree, rising_inserts_stay_balanced)
{
    struct rbtree_fixture f;

    rbtree_fixture_init(&f, 1);
    rbtree_expect_valid(t, &f.tree, RBTREE_TEST_ITEMS);
}

TEST(rbtree, falling_inserts_stay_balanced)
{
    struct rbtree_fixture f;

    rbtree_fixture_init(&f, RBTREE_TEST_ITEMS - 1);
    rbtree_expect_valid(t, &f.tree, RBTREE_TEST_ITEMS);
}

TEST(rbtree, equal_elements_keep_their_order)
{
    struct rbtree_fixture f;
    struct rbtree_item *item;
    size_t i = 0;

    rbtree_fixture_init(&f, 0);
    rbtree_for_each_entry (&f.tree, item, node) {
        EXPECT_EQ(item, &f.items[i]);
        i++;
    }
    EXPECT_EQ(i, RBTREE_TEST_ITEMS);
}

TEST(rbtree, find_finds_every_element)
{
    struct rbtree_fixture f;

    rbtree_fixture_init(&f, 7);
    for (unsigned int key = 0; key < RBTREE_TEST_ITEMS; key++) {
        struct rbtree_node *node = rbtree_find(&f.tree, &key, rbtree_test_key);

        ASSERT(node != NULL);
        EXPECT_EQ(rbtree_item(node)->value, key);
    }
}

TEST(rbtree, find_gives_the_first_of_equals)
{
    struct rbtree_fixture f;
    unsigned int key = 0;

    rbtree_fixture_init(&f, 0);
    EXPECT_EQ(rbtree_find(&f.tree, &key, rbtree_test_key), &f.items[0].node);
}

TEST(rbtree, find_from_gives_the_next_greater)
{
    struct rbtree_item a = { .value = 10 }, b = { .value = 20 };
    unsigned int keys[] = { 5, 10, 11, 21 };
    struct rbtree tree;

    rbtree_init(&tree);
    rbtree_insert(&tree, &b.node, rbtree_test_cmp);
    rbtree_insert(&tree, &a.node, rbtree_test_cmp);
    EXPECT_EQ(rbtree_find_from(&tree, &keys[0], rbtree_test_key), &a.node);
    EXPECT_EQ(rbtree_find_from(&tree, &keys[1], rbtree_test_key), &a.node);
    EXPECT_EQ(rbtree_find_from(&tree, &keys[2], rbtree_test_key), &b.node);
    EXPECT_EQ(rbtree_find_from(&tree, &keys[3], rbtree_test_key), NULL);
    EXPECT_EQ(rbtree_find(&tree, &keys[2], rbtree_test_key), NULL);
}

TEST(rbtree, removal_in_order_stays_balanced)
{
    struct rbtree_fixture f;

    rbtree_fixture_init(&f, 1);
    for (size_t i = 0; i < RBTREE_TEST_ITEMS; i++) {
        EXPECT_EQ(rbtree_first(&f.tree), &f.items[i].node);
        rbtree_remove(&f.tree, &f.items[i].node);
        rbtree_expect_valid(t, &f.tree, RBTREE_TEST_ITEMS - i - 1);
    }
}

TEST(rbtree, random_changes_stay_balanced)
{
    struct rbtree_fixture f;
    size_t count = 0;

    rbtree_init(&f.tree);
    for (size_t i = 0; i < RBTREE_TEST_ITEMS; i++) {
        f.items[i].present = false;
    }

    for (uint64_t n = 0; n < 2000 * t->iterations; n++) {
        struct rbtree_item *item =
            &f.items[rand_below(&t->rand, RBTREE_TEST_ITEMS)];

        if (item->present) {
            rbtree_remove(&f.tree, &item->node);
            count--;
        } else {
            item->value = (unsigned int)rand_below(&t->rand, 50);
            rbtree_insert(&f.tree, &item->node, rbtree_test_cmp);
            count++;
        }
        item->present = !item->present;
        rbtree_expect_valid(t, &f.tree, count);
    }
}
