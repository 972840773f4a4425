/* SPDX-License-Identifier: MIT */
#include <kern/init.h>
#include <lib/fmt.h>
#include <lib/string.h>
#include <test/test.h>

#define INIT_TEST_MAX 16

/* Names, NULL ends. */
#define NAMES(...) ((const char *const[]){ __VA_ARGS__ __VA_OPT__(, ) NULL })

/*
 * A graph of a test's own.
 */
struct init_graph {
    struct init_op ops[INIT_TEST_MAX];
    struct init_op *list[INIT_TEST_MAX];
    size_t count;
    struct init_op *first;
    char problem[INIT_PROBLEM_SIZE];
};

static void
init_graph_add(struct init_graph *graph, const char *name,
               const char *const *after)
{
    struct init_op *op;

    op = &graph->ops[graph->count];
    *op = (struct init_op){ .name = name, .after = after };
    graph->list[graph->count++] = op;
}

static status_t
init_graph_sort(struct init_graph *graph)
{
    return init_sort(graph->list, graph->count, &graph->first, graph->problem);
}

/* Whether the sorted list is these names, separated by blanks. */
static bool
init_graph_is(const struct init_graph *graph, const char *expected)
{
    const struct init_op *op;
    char text[128] = "";

    for (op = graph->first; op != NULL; op = op->next) {
        strlcat(text, op == graph->first ? "" : " ", sizeof(text));
        strlcat(text, op->name, sizeof(text));
    }
    return strcmp(text, expected) == 0;
}

TEST(init, sorts_by_name_without_needs)
{
    struct init_graph graph = { .count = 0 };

    init_graph_add(&graph, "c", NAMES());
    init_graph_add(&graph, "a", NAMES());
    init_graph_add(&graph, "b", NAMES());
    EXPECT_EQ(init_graph_sort(&graph), OK);
    EXPECT(init_graph_is(&graph, "a b c"));
}

TEST(init, needs_come_first)
{
    struct init_graph graph = { .count = 0 };

    init_graph_add(&graph, "a", NAMES("c"));
    init_graph_add(&graph, "b", NAMES("d", "a"));
    init_graph_add(&graph, "c", NAMES());
    init_graph_add(&graph, "d", NAMES("c"));
    EXPECT_EQ(init_graph_sort(&graph), OK);
    EXPECT(init_graph_is(&graph, "c a d b"));
}

/* The linker may lay the table out in any order. */
TEST(init, order_of_table_does_not_matter)
{
    static const char *const names[] = { "a", "b", "c", "d", "e", "f" };
    static const char *const needs[][3] = {
        [0] = { "f", "b" },
        [1] = { "e" },
        [5] = { NULL },
    };
    struct init_graph graph;
    unsigned i, round, n;

    for (round = 0; round < ARRAY_SIZE(names); round++) {
        graph.count = 0;
        for (i = 0; i < ARRAY_SIZE(names); i++) {
            n = (i + round) % ARRAY_SIZE(names);
            init_graph_add(&graph, names[n], needs[n]);
        }
        EXPECT_EQ(init_graph_sort(&graph), OK);
        EXPECT(init_graph_is(&graph, "f e b a c d"));
    }
}

TEST(init, cycle_is_told_with_its_path)
{
    struct init_graph graph = { .count = 0 };

    init_graph_add(&graph, "start", NAMES("c"));
    init_graph_add(&graph, "c", NAMES("d"));
    init_graph_add(&graph, "d", NAMES("e"));
    init_graph_add(&graph, "e", NAMES("c"));
    EXPECT_EQ(init_graph_sort(&graph), ERR_INVALID);
    EXPECT_STREQ(graph.problem,
                 "cycle: c, needed by e, needed by d, needed by c");
}

TEST(init, need_of_itself_is_a_cycle)
{
    struct init_graph graph = { .count = 0 };

    init_graph_add(&graph, "a", NAMES("a"));
    EXPECT_EQ(init_graph_sort(&graph), ERR_INVALID);
    EXPECT_STREQ(graph.problem, "cycle: a, needed by a");
}

TEST(init, unknown_name_is_told)
{
    struct init_graph graph = { .count = 0 };

    init_graph_add(&graph, "a", NAMES());
    init_graph_add(&graph, "b", NAMES("a", "nobody"));
    EXPECT_EQ(init_graph_sort(&graph), ERR_NOT_FOUND);
    EXPECT_STREQ(graph.problem, "b needs nobody, which does not exist");
}

TEST(init, long_cycle_fits)
{
    static char names[INIT_TEST_MAX][64];
    static const char *after[INIT_TEST_MAX][2];
    static struct init_graph graph;
    unsigned i;

    graph.count = 0;
    for (i = 0; i < INIT_TEST_MAX; i++) {
        fmt_snprintf(names[i], sizeof(names[i]), "%060u", i);
        after[i][0] = names[(i + 1) % INIT_TEST_MAX];
        init_graph_add(&graph, names[i], after[i]);
    }
    EXPECT_EQ(init_graph_sort(&graph), ERR_INVALID);
    EXPECT_EQ(strlen(graph.problem), INIT_PROBLEM_SIZE - 1);
}

TEST(init, need_is_described_along_the_chain)
{
    struct init_graph graph = { .count = 0 };

    init_graph_add(&graph, "a", NAMES());
    init_graph_add(&graph, "b", NAMES("a"));
    init_graph_add(&graph, "c", NAMES("b"));
    init_graph_add(&graph, "d", NAMES());
    ASSERT(init_graph_sort(&graph) == OK);
    EXPECT(init_describe_need(graph.first, &graph.ops[0], graph.problem));
    EXPECT_STREQ(graph.problem, "a, needed by b, needed by c");
    EXPECT(!init_describe_need(graph.first, &graph.ops[3], graph.problem));
    EXPECT_STREQ(graph.problem, "d");
}

TEST(init, empty_graph_is_sorted)
{
    struct init_graph graph = { .count = 0, .first = &graph.ops[0] };

    EXPECT_EQ(init_graph_sort(&graph), OK);
    EXPECT(graph.first == NULL);
}
