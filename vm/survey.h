/* SPDX-License-Identifier: MIT */
/*
 * Looking at the trees of spaces without locks, for the monitor and for sums.
 *
 * What is said was so at some moment; while others change things, parts were
 * at different moments.  Each call looks at a bounded number of slots in one
 * section of RCU, then ends it.
 */
#ifndef VM_SURVEY_H
#define VM_SURVEY_H

#include <stdbool.h>
#include <stdint.h>

#include <vm/node.h>

struct vm_space;

/* Slots, by what they say. */
struct survey_counts {
    uint64_t nr_children;
    uint64_t nr_folded;   /* mapped, not resident */
    uint64_t nr_resident; /* pages of 4 KiB, in large ones, too */
    uint64_t nr_large;    /* slots that are large pages */
    uint64_t nr_counted;  /* pages shared with clones */
    uint64_t nr_wired;
    uint64_t nr_locked;
};

/*
 * Count the terminal slots that stand for addresses in a range.
 *
 * Context: thread, preemptible; the caller keeps the space
 */
void survey_range(struct vm_space *space, uintptr_t start, uintptr_t end,
                  struct survey_counts *counts);

/* A node. */
struct survey_node {
    uintptr_t va;
    unsigned int level;
    uint32_t home; /* or NODE_HOME_NONE */
    bool has_sharers;
    bool has_regions;
    struct survey_counts counts; /* of its slots */
};

/* The position of survey_next_node(): of the node that was last. */
struct survey_cursor {
    uintptr_t va;
    unsigned int level;
};

/* Begin before the root. */
void survey_begin(const struct vm_space *space, struct survey_cursor *cursor);

/*
 * Describe the next node, by address; those above come first.
 *
 * Context: as survey_range()
 * Returns: false, there are no more
 */
bool survey_next_node(struct vm_space *space, struct survey_cursor *cursor,
                      struct survey_node *node);

/* A slot on the way from the root to an address. */
struct survey_slot {
    uintptr_t va; /* first address that it stands for */
    unsigned int level;
    uint64_t word;
    uint32_t home;    /* of its node, or NODE_HOME_NONE */
    uint64_t sharers; /* as in vm/node.h */
};

#define SURVEY_PATH_MAX (NODE_LEVEL_TOP + 1)

/*
 * Describe the slots from the root to an address, the terminal one included.
 *
 * Context: as survey_range()
 * Returns: how many there are
 */
unsigned int survey_path(const struct vm_space *space, uintptr_t va,
                         struct survey_slot path[SURVEY_PATH_MAX]);

/* What a space takes, in pages but for the CPUs. */
struct survey_sums {
    uint64_t nr_resident;
    uint64_t nr_nodes;
    uint64_t nr_arrays; /* of sharers and regions */
    uint64_t nr_tables; /* page tables of all CPUs */
    uint32_t nr_cpus;   /* that have some */
};

/*
 * Sum up what a space takes.
 *
 * Context: as survey_range()
 */
void survey_sum(struct vm_space *space, struct survey_sums *sums);

#endif /* VM_SURVEY_H */
