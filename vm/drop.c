/* SPDX-License-Identifier: MIT */
/*
 * Dropping page tables, which are but a cache.
 *
 * The CPUs stay in the sets of those that may have translations, so one may
 * be interrupted in vain once for each page; it finds what it needs by faults.
 */
#include <lib/rand.h>
#include <kern/init.h>
#include <kern/option.h>
#include <kern/page.h>
#include <kern/percpu.h>
#include <vm/shoot.h>
#include <vm/space_i.h>
#include <vm/space_list.h>

/* Largest interval of vm_drop=. */
#define DROP_INTERVAL_MAX 1000000

/* Faults of a CPU between two drops; 0: never. */
static uint64_t drop_interval;

static PERCPU(uint64_t, drop_countdown);

void
space_drop_tables(struct vm_space *space)
{
    struct vm_shoot shoot;

    /* The kernel's tables are the tree itself. */
    if (space->is_kernel) {
        return;
    }

    shoot_init(&shoot, space);
    shoot_all(&shoot);
    shoot_perform(&shoot);
}

void
space_drop_sometimes(struct vm_space *space)
{
    if (drop_interval == 0) {
        return;
    }
    if (percpu_read(drop_countdown) != 0) {
        percpu_add(drop_countdown, -1);
        return;
    }
    percpu_write(drop_countdown, drop_interval);
    space_drop_tables(space);
}

/* Memory is short. */
static void
drop_all_tables(void)
{
    struct vm_space *space = NULL;

    while ((space = space_list_next(space)) != NULL) {
        space_drop_tables(space);
    }
}

static struct page_shrinker drop_shrinker = {
    .name = "page tables",
    .shrink = drop_all_tables,
};

static status_t
drop_setup(void)
{
    page_register_shrinker(&drop_shrinker);
    return OK;
}

INIT_OP(drop_setup, INIT_BOOT_CPU, AFTER(thread_setup));

static status_t
drop_option(const char *value)
{
    return option_number(value, DROP_INTERVAL_MAX, &drop_interval);
}

OPTION(vm_drop, "N", "drop all page tables of a space after N faults of a CPU",
       drop_option);
