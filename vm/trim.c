/* SPDX-License-Identifier: MIT */
/*
 * Taking nodes out of the trees of spaces when all their slots say the same.
 *
 * Not at once: who maps and unmaps the same place again and again should find
 * its node there.  What a CPU has unmapped is looked through by a thread of
 * that CPU a while later.
 */
#include <kern/clock.h>
#include <kern/option.h>
#include <kern/preempt.h>
#include <kern/rcu.h>
#include <vm/space_i.h>

/* Milliseconds. */
#define TRIM_DELAY_USUAL 250
#define TRIM_DELAY_MAX   1000000

static uint64_t trim_delay = TRIM_DELAY_USUAL;

/* Have a CPU unlink its page table that is going to be taken out. */
static void
trim_unlink(struct vm_space *space, const struct tree_victim *victim)
{
    struct vm_shoot shoot;

    shoot_init(&shoot, space);
    shoot_node(&shoot, victim->node);
    shoot_perform(&shoot);
}

static void
trim_node(struct vm_space *space, uintptr_t va, unsigned int level)
{
    struct tree_victim victim;

    if (tree_try_seize(&space->tree, va, level, &victim)) {
        trim_unlink(space, &victim);
        tree_collapse(&victim);
    }
}

/* The level of the terminal slot that stands for an address. */
static unsigned int
trim_level(struct vm_space *space, uintptr_t va)
{
    struct vm_place place;

    rcu_read_lock();
    tree_find(&space->tree, va, &place);
    rcu_read_unlock();
    return place.level;
}

/* Look through the nodes of a level, going over what has none. */
static void
trim_nodes(struct vm_space *space, uintptr_t start, uintptr_t end,
           unsigned int level)
{
    size_t size = node_slot_size(level + 1);

    for (uintptr_t va = ALIGN_DOWN(start, size); va < end;) {
        unsigned int found = trim_level(space, va);

        if (found <= level) {
            trim_node(space, va, level);
            va += size;
        } else {
            va = ALIGN_DOWN(va, node_slot_size(found)) + node_slot_size(found);
        }
    }
}

void
space_trim(struct vm_space *space, uintptr_t start, uintptr_t end)
{
    for (unsigned int level = 0; level < NODE_LEVEL_TOP; level++) {
        trim_nodes(space, start, end, level);
    }
}

void
space_fold(struct vm_space *space, uintptr_t start, uintptr_t end)
{
    for (unsigned int level = 0; level < NODE_LEVEL_TOP; level++) {
        size_t size = node_slot_size(level + 1);

        trim_nodes(space, ALIGN_UP(start, size), ALIGN_DOWN(end, size), level);
    }
}

static void
trim_work(struct work *work)
{
    struct vm_space_cpu *cpu =
        container_of(work, struct vm_space_cpu, trim.work);
    uintptr_t start, end;

    preempt_disable();
    start = cpu->trim_start;
    end = cpu->trim_end;
    cpu->trim_end = 0;
    preempt_enable();
    space_trim(cpu->space, start, end);
}

void
space_trim_init(struct vm_space_cpu *cpu)
{
    work_delayed_init(&cpu->trim, trim_work);
}

void
space_trim_cancel(struct vm_space_cpu *cpu)
{
    (void)work_delayed_cancel(&cpu->trim);
}

void
space_trim_later(struct vm_space *space, uintptr_t start, uintptr_t end)
{
    struct vm_space_cpu *cpu;
    bool is_first = false;

    preempt_disable();
    cpu = space_cpu_this(space);
    if (cpu != NULL && cpu->trim_end == 0) {
        cpu->trim_start = start;
        cpu->trim_end = end;
        is_first = true;
    } else if (cpu != NULL) {
        cpu->trim_start = MIN(cpu->trim_start, start);
        cpu->trim_end = MAX(cpu->trim_end, end);
    }
    if (is_first) {
        work_delayed_start(&cpu->trim, clock_now() + trim_delay * 1000000);
    }
    preempt_enable();
}

static status_t
trim_option(const char *value)
{
    return option_number(value, TRIM_DELAY_MAX, &trim_delay);
}

OPTION(vm_trim, "MILLISECONDS",
       "how long empty nodes stay in the trees of spaces", trim_option);
