/* SPDX-License-Identifier: MIT */
/*
 * Nodes of the trees of address spaces.
 *
 * A node is one page of 512 slots; level 0 slots are 4 KiB.  What else there
 * is to know is in its struct page, as struct page_tree:
 *
 *   home     the CPU whose page table this node is, if it is of level 0;
 *            NODE_HOME_NONE until the first one needs it; then constant;
 *            NODE_HOME_ALL in the kernel's space, once it is linked: all CPUs
 *   sharers  for each slot, which other CPUs may have its translation; 0 for
 *            those that lead to a child; NULL until one has; then constant
 *   regions  for each slot that is resident and has SLOT_REGION, its region;
 *            NULL until one is; then constant
 *
 * sharers[i] and regions[i] are protected by the lock of slot i.
 */
#ifndef VM_NODE_H
#define VM_NODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lib/status.h>
#include <kern/page.h>
#include <vm/slot.h>

#define NODE_BITS      9
#define NODE_NR_SLOTS  (1U << NODE_BITS)
#define NODE_LEVEL_TOP 3U

#define NODE_HOME_NONE UINT32_MAX
#define NODE_HOME_ALL  (UINT32_MAX - 1)

struct container;

struct vm_node {
    slot_t slots[NODE_NR_SLOTS];
};

static_assert(sizeof(struct vm_node) == PAGE_SIZE, "is a page table, too");

/* Bytes that a slot of a level stands for. */
static inline size_t
node_slot_size(unsigned int level)
{
    return PAGE_SIZE << (NODE_BITS * level);
}

/* Which slot of a node of a level stands for an address. */
static inline unsigned int
node_index(uintptr_t va, unsigned int level)
{
    return (unsigned int)(va >> (PAGE_SHIFT + NODE_BITS * level)) %
           NODE_NR_SLOTS;
}

static inline struct page_tree *
node_info(const struct vm_node *node)
{
    return &page_from_ptr(node)->tree;
}

static inline paddr_t
node_phys(const struct vm_node *node)
{
    return pmap_direct_addr(node);
}

/* The node that a slot belongs to. */
static inline struct vm_node *
node_of_slot(const slot_t *slot)
{
    return (struct vm_node *)ALIGN_DOWN((uintptr_t)slot, PAGE_SIZE);
}

/* The word of a slot that leads to a node. */
static inline uint64_t
node_word(const struct vm_node *node)
{
    return node_phys(node) | ((uint64_t)SLOT_CHILD << SLOT_TYPE_SHIFT);
}

/* The node that a slot leads to. */
static inline struct vm_node *
node_child(uint64_t word)
{
    assert(slot_type(word) == SLOT_CHILD);
    return pmap_direct_ptr(word & UWORD_FRAME_MASK);
}

/*
 * Make a node.
 *
 * @container  is charged
 * @va         first address that it stands for
 * @fill       word of all slots
 *
 * Context: thread, preemptible
 * Returns: NULL: out of memory, or the container's limit is reached
 */
struct vm_node *node_create(struct container *container, uintptr_t va,
                            unsigned int level, uint64_t fill) __must_check;

/* Free a node that nobody can reach. */
void node_destroy(struct vm_node *node);

/* Free a node when those who read it under RCU have gone. */
void node_retire(struct vm_node *node);

/*
 * The home of a node, this CPU if it had none.
 *
 * Context: the lock of a slot of it; the caller stays on its CPU
 */
uint32_t node_claim_home(struct vm_node *node, uint32_t cpu);

/* The home, or NODE_HOME_NONE or NODE_HOME_ALL. */
static inline uint32_t
node_home(const struct vm_node *node)
{
    return __atomic_load_n(&node_info(node)->home, __ATOMIC_RELAXED);
}

/* Sharers by slot, or NULL. */
static inline uint64_t *
node_sharers(const struct vm_node *node)
{
    /* Pairs with the release in node_array_ensure(): it is zeroed. */
    return __atomic_load_n(&node_info(node)->sharers, __ATOMIC_ACQUIRE);
}

/* Regions by slot, or NULL. */
static inline void **
node_regions(const struct vm_node *node)
{
    /* Pairs with the release in node_array_ensure(): it is zeroed. */
    return __atomic_load_n(&node_info(node)->regions, __ATOMIC_ACQUIRE);
}

/*
 * Have an array of sharers.
 *
 * Context: thread, preemptible, the lock of a slot of the node
 * Returns: OK; ERR_NO_MEMORY
 */
status_t node_sharers_ensure(struct vm_node *node);

/* Have an array of regions.  As node_sharers_ensure(). */
status_t node_regions_ensure(struct vm_node *node);

#endif /* VM_NODE_H */
