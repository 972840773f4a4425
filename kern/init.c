/* SPDX-License-Identifier: MIT */
#include <stdbool.h>
#include <stddef.h>

#include <arch/clock.h>
#include <kern/clock.h>
#include <kern/init.h>
#include <kern/log.h>
#include <kern/command.h>
#include <kern/console.h>
#include <kern/panic.h>
#include <lib/fmt.h>
#include <lib/string.h>

SECTION_DECLARE(init, struct init_op);

enum init_state {
    INIT_STATE_NEW,
    INIT_STATE_VISITING,
    INIT_STATE_SORTED,
};

/* Sorted once by the boot CPU, constant from then on. */
static struct init_op *init_first;

/* Set once by the boot CPU. */
static bool init_done;

/*
 * A sort under way.
 */
struct init_sorter {
    struct init_op *const *ops;
    size_t count;
    struct init_op **tail; /* where the next one is linked */
    char *problem;
};

/*
 * The path of a depth-first search, from the operation where it began.
 */
struct init_path {
    const struct init_path *parent;
    struct init_op *op;
};

static struct init_op *
init_find(const struct init_sorter *sorter, const char *name)
{
    size_t i;

    for (i = 0; i < sorter->count; i++) {
        if (strcmp(sorter->ops[i]->name, name) == 0) {
            return sorter->ops[i];
        }
    }
    return NULL;
}

/*
 * Name the operations from the first occurrence of the repeated one.
 */
static status_t
init_describe_cycle(char *problem, const struct init_path *path,
                    const struct init_op *op)
{
    const struct init_path *step;

    strlcpy(problem, "cycle: ", INIT_PROBLEM_SIZE);
    strlcat(problem, op->name, INIT_PROBLEM_SIZE);
    for (step = path; step != NULL; step = step->parent) {
        strlcat(problem, ", needed by ", INIT_PROBLEM_SIZE);
        strlcat(problem, step->op->name, INIT_PROBLEM_SIZE);
        if (step->op == op) {
            break;
        }
    }
    return ERR_INVALID;
}

static status_t
init_visit(struct init_sorter *sorter, struct init_op *op,
           const struct init_path *parent)
{
    struct init_path path = { .parent = parent, .op = op };
    const char *const *name;
    struct init_op *needed;
    status_t status;

    if (op->state == INIT_STATE_VISITING) {
        return init_describe_cycle(sorter->problem, parent, op);
    }
    if (op->state == INIT_STATE_SORTED) {
        return OK;
    }

    op->state = INIT_STATE_VISITING;
    for (name = op->after; *name != NULL; name++) {
        needed = init_find(sorter, *name);
        if (needed == NULL) {
            fmt_snprintf(sorter->problem, INIT_PROBLEM_SIZE,
                         "%s needs %s, which does not exist", op->name, *name);
            return ERR_NOT_FOUND;
        }
        status = init_visit(sorter, needed, &path);
        if (status != OK) {
            return status;
        }
    }

    op->state = INIT_STATE_SORTED;
    *sorter->tail = op;
    sorter->tail = &op->next;
    return OK;
}

/* The unsorted operation whose name comes first, or NULL. */
static struct init_op *
init_next_by_name(const struct init_sorter *sorter)
{
    struct init_op *op, *best;
    size_t i;

    best = NULL;
    for (i = 0; i < sorter->count; i++) {
        op = sorter->ops[i];
        if (op->state == INIT_STATE_NEW &&
            (best == NULL || strcmp(op->name, best->name) < 0)) {
            best = op;
        }
    }
    return best;
}

status_t
init_sort(struct init_op *const *ops, size_t count, struct init_op **firstp,
          char *problem)
{
    struct init_sorter sorter = {
        .ops = ops,
        .count = count,
        .tail = firstp,
        .problem = problem,
    };
    struct init_op *op;
    status_t status;

    while ((op = init_next_by_name(&sorter)) != NULL) {
        status = init_visit(&sorter, op, NULL);
        if (status != OK) {
            return status;
        }
    }

    *sorter.tail = NULL;
    return OK;
}

static bool
init_needs(const struct init_op *op, const struct init_op *other)
{
    const char *const *name;

    for (name = op->after; *name != NULL; name++) {
        if (strcmp(*name, other->name) == 0) {
            return true;
        }
    }
    return false;
}

bool
init_describe_need(const struct init_op *first, const struct init_op *op,
                   char *problem)
{
    const struct init_op *needed, *other;

    strlcpy(problem, op->name, INIT_PROBLEM_SIZE);
    needed = op;
    /* Whoever needs it comes later in the list. */
    for (other = first; other != NULL; other = other->next) {
        if (init_needs(other, needed)) {
            strlcat(problem, ", needed by ", INIT_PROBLEM_SIZE);
            strlcat(problem, other->name, INIT_PROBLEM_SIZE);
            needed = other;
        }
    }
    return needed != op;
}

static void
init_run_op(struct init_op *op)
{
    char problem[INIT_PROBLEM_SIZE];
    uint64_t start;
    status_t status;

    start = clock_counter();
    status = op->fn();
    op->duration = clock_counter() - start;
    if (status == OK) {
        log_debug("init: %s took %lu ticks", op->name, op->duration);
        return;
    }

    if (init_describe_need(init_first, op, problem)) {
        panic("init: %s: %s", status_string(status), problem);
    }
    log_error("init: %s: %s", status_string(status), problem);
}

void
init_run(void)
{
    char problem[INIT_PROBLEM_SIZE];
    struct init_op *op;
    size_t count;

    count = (size_t)(__stop_table_init - __start_table_init);
    if (init_sort(__start_table_init, count, &init_first, problem) != OK) {
        panic("init: %s", problem);
    }

    for (op = init_first; op != NULL; op = op->next) {
        init_run_op(op);
    }
    WRITE_ONCE(init_done, true);
}

bool
init_is_done(void)
{
    return READ_ONCE(init_done);
}

status_t
init_run_cpu(void)
{
    struct init_op *op;
    status_t status;

    for (op = init_first; op != NULL; op = op->next) {
        if (op->where != INIT_EACH_CPU) {
            continue;
        }
        status = op->fn();
        if (status != OK) {
            log_error("init: %s failed: %s", op->name, status_string(status));
            return status;
        }
    }
    return OK;
}

static void
init_command(int argc __unused, char **argv __unused)
{
    const char *const *name;
    struct init_op *op;

    console_printf("%-20s %10s  %s\n", "operation", "us", "after");
    for (op = init_first; op != NULL; op = op->next) {
        console_printf("%-20s %10lu  %s", op->name,
                       clock_ticks_to_ns(op->duration) / 1000,
                       op->where == INIT_EACH_CPU ? "[each cpu] " : "");
        for (name = op->after; *name != NULL; name++) {
            console_printf("%s ", *name);
        }
        console_printf("\n");
    }
}

MONITOR_COMMAND(init, "", "initialisation: order, times, dependencies",
                init_command);
