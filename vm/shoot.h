/* SPDX-License-Identifier: MIT */
/*
 * Shootdown: make CPUs forget translations.
 *
 * Who has slots locked and takes translations away, or restricts them,
 * gathers from each slot the CPUs that may have it, and then has all of them
 * forget the range, at once.  A CPU that is in none of the slots' sets is not
 * disturbed; neither is any if only the caller's CPU is.
 *
 * Invariant: when shoot_perform() returns, no CPU translates the addresses
 * of slots that were added as it did before the first was added.  Frames are
 * freed, and slots unlocked, only after that.
 *
 * Design: doc/vm.md, "Shootdown".
 */
#ifndef VM_SHOOT_H
#define VM_SHOOT_H

#include <stdbool.h>
#include <stdint.h>

#include <kern/xcall.h>
#include <vm/tree.h>

struct vm_space;

/* Homes that are remembered exactly on machines with more than 64 CPUs. */
#define SHOOT_NR_HOMES 4

/*
 * A shootdown in the making; on a stack.
 */
struct vm_shoot {
    struct vm_space *space;
    uintptr_t start; /* of what is to be forgotten */
    uintptr_t end;   /* first address behind it; 0: nothing yet */
    uint64_t groups; /* CPUs whose tables are to be cleared, as in sharers */
    uint32_t homes[SHOOT_NR_HOMES];
    uint32_t nr_homes;
    bool is_drop; /* nobody unmaps: page tables go */
};

/*
 * What CPUs did for shootdowns.  Those by which page tables are dropped are
 * counted apart, since that can happen at any time.
 */
struct shoot_stats {
    uint64_t nr_local;      /* shootdowns begun here that interrupted nobody */
    uint64_t nr_remote;     /* that interrupted somebody */
    uint64_t nr_interrupts; /* other CPUs interrupted by those */
    uint64_t nr_served;     /* interrupts by others' shootdowns */
    uint64_t nr_drops;      /* interrupts to have page tables dropped */
};

/* Begin to gather CPUs. */
void shoot_init(struct vm_shoot *shoot, struct vm_space *space);

/*
 * Take the translations of a slot away, from its home and all sharers.
 *
 * Context: thread; the lock of the slot
 */
void shoot_take(struct vm_shoot *shoot, const struct vm_place *place);

/*
 * Take those away that are not the home's, and have the home forget that it
 * has looked at the word, which is there to stay.
 *
 * Context: thread; the lock of the slot
 */
void shoot_refresh(struct vm_shoot *shoot, const struct vm_place *place);

/*
 * Take the translations of one slot away, and have all CPUs forget them.
 *
 * Context: as shoot_take() and shoot_perform()
 */
void shoot_slot(struct vm_space *space, const struct vm_place *place);

/*
 * Have the CPU that is the home of a node unlink it.
 *
 * Context: thread; the locks of all slots of the node, which are empty
 */
void shoot_node(struct vm_shoot *shoot, const struct vm_node *node);

/*
 * Say that nothing is left in a range, so that page tables that lie in it are
 * cut off as a whole instead of entry by entry.
 */
void shoot_widen_tables(struct vm_shoot *shoot, uintptr_t start, uintptr_t end);

/* The same if that may be less work: a few pages are forgotten one by one. */
static inline void
shoot_widen(struct vm_shoot *shoot, uintptr_t start, uintptr_t end)
{
    /* Nothing yet is 1. */
    if (unlikely(shoot->end - shoot->start > UTABLE_FLUSH_MAX * PAGE_SIZE)) {
        shoot_widen_tables(shoot, start, end);
    }
}

/* Have all CPUs drop all tables they have for the space. */
void shoot_all(struct vm_shoot *shoot);

/*
 * Have the gathered CPUs forget.
 *
 * Context: thread, preemptible; the locks of the slots
 * Blocks:  spins, preemptible, until all have confirmed
 */
void shoot_perform(struct vm_shoot *shoot);

/*
 * Gather the CPUs that may have the translation of a slot, and leave them.
 *
 * Context: thread; the lock of the slot
 */
void shoot_gather(struct vm_shoot *shoot, const struct vm_place *place);

/*
 * Call a function on each CPU that was gathered and wait for all.
 *
 * @fn  in an interrupt
 *
 * Context: as shoot_perform()
 */
void shoot_visit(const struct vm_shoot *shoot, xcall_fn_t fn, void *arg);

/* The bit of a word of sharers that stands for a CPU. */
uint64_t shoot_group(uint32_t cpu);

/* Read the counts of one CPU; racy. */
void shoot_stats_get_cpu(uint32_t cpu, struct shoot_stats *stats);

/* Read the sums over all CPUs; racy. */
void shoot_stats_get(struct shoot_stats *stats);

#endif /* VM_SHOOT_H */
