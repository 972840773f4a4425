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
#include <lib/string.h>

SECTION_DECLARE(init, struct init_op);

enum init_state {
    INIT_STATE_NEW,
    INIT_STATE_VISITING,
    INIT_STATE_SORTED,
    INIT_STATE_DONE,
};

/* Sorted once by the boot CPU, constant from then on. */
static struct init_op *init_first;
static struct init_op **init_tail = &init_first;

static struct init_op *
init_find(const char *name)
{
    struct init_op *const *op;

    section_for_each (init, op) {
        if (strcmp((*op)->name, name) == 0) {
            return *op;
        }
    }
    return NULL;
}

/*
 * The path of a depth-first search, from the operation where it began.
 */
struct init_path {
    const struct init_path *parent;
    struct init_op *op;
};

/*
 * Panic with the names from the first occurrence of the repeated operation.
 */
__noreturn static void
init_panic_cycle(const struct init_path *path, const struct init_op *op)
{
    char text[512] = "";
    const struct init_path *step;

    strlcat(text, op->name, sizeof(text));
    for (step = path; step != NULL; step = step->parent) {
        strlcat(text, " is needed by ", sizeof(text));
        strlcat(text, step->op->name, sizeof(text));
        if (step->op == op) {
            break;
        }
    }
    panic("init: cycle: %s", text);
}

static void
init_visit(struct init_op *op, const struct init_path *parent)
{
    struct init_path path = { .parent = parent, .op = op };
    const char *const *name;
    struct init_op *needed;

    if (op->state == INIT_STATE_VISITING) {
        init_panic_cycle(parent, op);
    }
    if (op->state != INIT_STATE_NEW) {
        return;
    }

    op->state = INIT_STATE_VISITING;
    for (name = op->after; *name != NULL; name++) {
        needed = init_find(*name);
        if (needed == NULL) {
            panic("init: %s needs %s, which does not exist", op->name, *name);
        }
        init_visit(needed, &path);
    }

    op->state = INIT_STATE_SORTED;
    *init_tail = op;
    init_tail = &op->next;
}

/* The unsorted operation whose name comes first, or NULL. */
static struct init_op *
init_next_by_name(void)
{
    struct init_op *const *op;
    struct init_op *best;

    best = NULL;
    section_for_each (init, op) {
        if ((*op)->state != INIT_STATE_NEW) {
            continue;
        }
        if (best == NULL || strcmp((*op)->name, best->name) < 0) {
            best = *op;
        }
    }
    return best;
}

void
init_run(void)
{
    struct init_op *op;
    uint64_t start;
    status_t status;

    while ((op = init_next_by_name()) != NULL) {
        init_visit(op, NULL);
    }

    for (op = init_first; op != NULL; op = op->next) {
        start = clock_counter();
        status = op->fn();
        op->duration = clock_counter() - start;
        if (status != OK) {
            panic("init: %s failed: %s", op->name, status_string(status));
        }
        op->state = INIT_STATE_DONE;
        log_debug("init: %s took %lu ticks", op->name, op->duration);
    }
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
