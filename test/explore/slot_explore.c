/* SPDX-License-Identifier: MIT */
/*
 * Slots of trees of address spaces: locking, expanding, taking nodes out, and
 * walks that look at all of it without a lock.
 *
 * What a thread does to a slot is to change its protection, so at the end
 * each slot tells whether a change was lost.
 */
#include <stdatomic.h>

#include <arch/cpu.h>
#include <kern/rcu.h>
#include <lib/macros.h>
#include <test/explore/container.h>
#include <test/explore/threads.h>
#include <vm/region.h>
#include <vm/tree.h>

/* A slot of level 1 begins here. */
#define SLOT_VA UINT64_C(0x200000000000)

#define SLOT_FOLDED                                                            \
    ((uint64_t)SLOT_MAPPED << SLOT_TYPE_SHIFT | (uint64_t)PMAP_READ            \
                                                    << SLOT_PROT_SHIFT)

static struct vm_tree slot_tree;
static unsigned slot_inside[8]; /* threads that have page i locked */

static void
slot_setup_machine(unsigned nr_cpus)
{
    threads_setup(nr_cpus);
    explore_init_op("rcu_setup");
    explore_init_op("slot_setup");
    explore_expect(tree_init(&slot_tree, NULL, NULL) == OK);
}

/* Have 2 MiB mapped by one slot. */
static void
slot_map(void)
{
    struct tree_range range;

    explore_expect(tree_lock_range(&slot_tree, SLOT_VA,
                                   SLOT_VA + node_slot_size(1),
                                   TREE_EXPAND_EMPTY, &range) == OK);
    explore_expect(range.first.level == 1);
    slot_unlock(range.first.slot, SLOT_FOLDED);
}

static uintptr_t
slot_page(size_t page)
{
    return SLOT_VA + page * PAGE_SIZE;
}

/* Lock the slot of a page alone, as a fault does. */
static uint64_t
slot_lock_page(size_t page, struct vm_place *place)
{
    uint64_t word = tree_lock(&slot_tree, slot_page(page), place);

    while (place->level > 0) {
        explore_expect(tree_expand(&slot_tree, place, slot_page(page),
                                   slot_page(page + 1)) == OK);
        tree_find(&slot_tree, slot_page(page), place);
    }
    return word & ~SLOT_LOCK_BITS;
}

/* Have a node for a page. */
static void
slot_expand_page(size_t page)
{
    struct vm_place place;

    (void)slot_lock_page(page, &place);
    slot_release(place.slot);
}

/* Be alone with a locked page for a while. */
static void
slot_work(size_t page)
{
    explore_expect(++slot_inside[page] == 1);
    cpu_pause();
    explore_expect(--slot_inside[page] == 0);
}

/* Allow one more kind of access to a page. */
static void
slot_allow(size_t page, unsigned int prot)
{
    struct vm_place place;
    uint64_t word = slot_lock_page(page, &place);

    explore_expect(slot_type(word) == SLOT_MAPPED);
    slot_work(page);
    slot_unlock(place.slot, word | (uint64_t)prot << SLOT_PROT_SHIFT);
}

/* The protection of a page, without a lock. */
static unsigned int
slot_look(size_t page)
{
    struct vm_place place;
    uint64_t word;

    rcu_read_lock();
    do {
        word = tree_find(&slot_tree, slot_page(page), &place);
    } while (slot_type(word) == SLOT_DEAD);
    explore_expect(slot_type(word) == SLOT_MAPPED);
    rcu_read_unlock();
    return slot_prot(word);
}

/* ------------------------------------------------------------------- locks */

static void
slot_lock_twice(void *arg __unused)
{
    for (int i = 0; i < 2; i++) {
        struct vm_place place;
        uint64_t word = slot_lock_page(1, &place);

        slot_work(1);
        slot_unlock(place.slot, word);
    }
}

static void
slot_main_locks(void *arg __unused)
{
    struct thread *threads[2];

    slot_map();
    slot_expand_page(1);
    threads[0] = threads_create_on(1, slot_lock_twice, NULL);
    threads[1] = threads_create_on(0, slot_lock_twice, NULL);
    slot_lock_twice(NULL);
    thread_join(threads[0]);
    thread_join(threads[1]);
}

/* One at a time, and whoever sleeps is woken. */
EXPLORE(slot, lock)
{
    slot_setup_machine(2);
    threads_go(2, slot_main_locks, NULL);
}

/* --------------------------------------------------------------- expansion */

static void
slot_allow_write(void *arg)
{
    slot_allow((size_t)(uintptr_t)arg, PMAP_WRITE);
}

static void
slot_look_around(void *arg __unused)
{
    for (int i = 0; i < 3; i++) {
        explore_expect(slot_look(1) & PMAP_READ);
        explore_expect(slot_look(5) == PMAP_READ);
    }
}

static void
slot_main_expands(void *arg __unused)
{
    struct thread *threads[2];

    slot_map();
    threads[0] = threads_create_on(1, slot_allow_write, (void *)1);
    threads[1] = threads_create_on(0, slot_look_around, NULL);
    slot_allow(2, PMAP_EXEC);
    slot_allow(1, PMAP_EXEC);
    thread_join(threads[0]);
    thread_join(threads[1]);
    explore_expect(slot_look(1) == (PMAP_READ | PMAP_WRITE | PMAP_EXEC));
    explore_expect(slot_look(2) == (PMAP_READ | PMAP_EXEC));
    explore_expect(slot_look(0) == PMAP_READ);
}

/* A slot is expanded by two at once, while others look. */
EXPLORE(slot, expand)
{
    slot_setup_machine(2);
    threads_go(2, slot_main_expands, NULL);
}

/* ------------------------------------------------------------------ ranges */

/* Allow a kind of access to pages [first, end). */
static void
slot_allow_range(size_t first, size_t end, unsigned int prot)
{
    struct tree_range range;
    struct vm_place place;

    explore_expect(tree_lock_range(&slot_tree, slot_page(first), slot_page(end),
                                   TREE_KEEP_EMPTY, &range) == OK);
    for (size_t i = first; i < end; i++) {
        slot_work(i);
    }
    tree_for_each_place(&range, &place)
    {
        explore_expect(place.level == 0);
        slot_change(place.slot, 0, (uint64_t)prot << SLOT_PROT_SHIFT);
    }
    tree_unlock_range(&range);
}

static void
slot_allow_left(void *arg __unused)
{
    slot_allow_range(1, 4, PMAP_WRITE);
}

static void
slot_main_ranges(void *arg __unused)
{
    struct thread *thread;

    slot_map();
    thread = threads_create_on(1, slot_allow_left, NULL);
    slot_allow_range(2, 6, PMAP_EXEC);
    thread_join(thread);
    explore_expect(slot_look(1) == (PMAP_READ | PMAP_WRITE));
    explore_expect(slot_look(3) == (PMAP_READ | PMAP_WRITE | PMAP_EXEC));
    explore_expect(slot_look(5) == (PMAP_READ | PMAP_EXEC));
    explore_expect(slot_look(6) == PMAP_READ);
}

/* Ranges that overlap are locked as a whole, and nobody waits for ever. */
EXPLORE(slot, range)
{
    slot_setup_machine(2);
    threads_go(2, slot_main_ranges, NULL);
}

/* ---------------------------------------------------------------- collapse */

static void
slot_trim(void)
{
    struct tree_victim victim;

    if (tree_try_seize(&slot_tree, SLOT_VA, 0, &victim)) {
        tree_collapse(&victim);
    }
}

static void
slot_main_collapses(void *arg __unused)
{
    struct thread *threads[2];

    slot_map();
    slot_expand_page(1);
    threads[0] = threads_create_on(1, slot_allow_write, (void *)1);
    threads[1] = threads_create_on(1, slot_look_around, NULL);
    slot_trim();
    thread_join(threads[0]);
    thread_join(threads[1]);
    explore_expect(slot_look(1) == (PMAP_READ | PMAP_WRITE));
    explore_expect(slot_look(5) == PMAP_READ);
    rcu_barrier();
    /* The root, two below, and one for the page. */
    explore_expect(container_counts[CONTAINER_TABLES] == 4);
}

/* A node whose slots all say the same is taken out while one is changed. */
EXPLORE(slot, collapse)
{
    slot_setup_machine(2);
    threads_go(2, slot_main_collapses, NULL);
}
