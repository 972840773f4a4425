/* SPDX-License-Identifier: MIT */
#include <stdatomic.h>

#include <arch/cpu.h>
#include <arch/pmap.h>
#include <kern/cpu.h>
#include <kern/kmalloc.h>
#include <kern/spinlock.h>
#include <kern/sref_epoch.h>
#include <lib/assert.h>
#include <lib/macros.h>

#define SREF_EPOCH_FANOUT 16
#define SREF_EPOCH_LEVELS 3

static_assert(SREF_EPOCH_FANOUT * SREF_EPOCH_FANOUT * SREF_EPOCH_FANOUT >= 4096,
              "a rank for each level");

/*
 * Keys: [N] lock   [a] atomic, written [N]   [c] constant
 */
struct sref_node {
    struct spinlock lock;     /* rank LOCK_SREF_LEAF + level */
    uint16_t members;         /* [N] children that take part */
    uint16_t pending;         /* [N] of them, those yet to report */
    _Atomic uint64_t epoch;   /* [a] the latest that it knows */
    struct sref_node *parent; /* [c] NULL: the root */
    uint16_t bit;             /* [c] of this one in @parent's sets */
} __aligned(CACHE_LINE);

/*
 * Read by all CPUs in each pass, so alone on a line.
 *
 * Keys: [a] atomic, written once an epoch, under the root's lock
 *       [c] constant once made
 */
static struct {
    _Atomic uint64_t now;    /* [a] */
    struct sref_node *nodes; /* [c] by level, leaves first, the root last */
    size_t nr_nodes;         /* [c] */
} __aligned(CACHE_LINE) sref_epoch;

uint64_t
sref_epoch_now(void)
{
    /* Pairs with the release in sref_epoch_advance_locked(). */
    return atomic_load_explicit(&sref_epoch.now, memory_order_acquire);
}

static struct sref_node *
sref_epoch_leaf(uint32_t cpu)
{
    return &sref_epoch.nodes[cpu / SREF_EPOCH_FANOUT];
}

static uint16_t
sref_epoch_bit(uint32_t cpu)
{
    return (uint16_t)(1U << (cpu % SREF_EPOCH_FANOUT));
}

static uint64_t
sref_node_epoch(const struct sref_node *node)
{
    return atomic_load_explicit(&node->epoch, memory_order_relaxed);
}

/*
 * Begin the next epoch, if somebody takes part.
 *
 * Returns: whether it began
 */
static bool
sref_epoch_advance_locked(struct sref_node *root)
{
    uint64_t epoch;

    assert(root->parent == NULL && root->pending == 0);
    if (root->members == 0) {
        return false;
    }

    epoch = sref_node_epoch(root) + 1;
    root->pending = root->members;
    atomic_store_explicit(&root->epoch, epoch, memory_order_relaxed);
    /* Pairs with the acquire in sref_epoch_now(): all have reported. */
    atomic_store_explicit(&sref_epoch.now, epoch, memory_order_release);
    return true;
}

/*
 * Make a child a member.
 *
 * Returns: the epoch in which it counts as having reported
 */
static uint64_t
sref_node_join(struct sref_node *node, uint16_t bit)
{
    uint64_t epoch;

    spinlock_lock(&node->lock);
    assert((node->members & bit) == 0);
    if (node->members == 0 && node->parent != NULL) {
        epoch = sref_node_join(node->parent, node->bit);
        atomic_store_explicit(&node->epoch, epoch, memory_order_relaxed);
    }

    epoch = sref_node_epoch(node);
    node->members |= bit;
    if (node->parent == NULL && node->pending == 0) {
        sref_epoch_advance_locked(node);
    }
    spinlock_unlock(&node->lock);
    return epoch;
}

uint64_t
sref_epoch_join(uint32_t cpu)
{
    assert(!cpu_irq_is_enabled());
    return sref_node_join(sref_epoch_leaf(cpu), sref_epoch_bit(cpu));
}

/*
 * Tell a node, the ones above it first.
 */
static void
sref_node_enter(struct sref_node *node, uint64_t epoch)
{
    uint64_t flags;

    if (sref_node_epoch(node) == epoch) {
        return;
    }
    if (node->parent != NULL) {
        sref_node_enter(node->parent, epoch);
    }

    flags = spinlock_lock_irqsave(&node->lock);
    if (sref_node_epoch(node) != epoch) {
        assert(sref_node_epoch(node) == epoch - 1 && node->pending == 0);
        node->pending = node->members;
        atomic_store_explicit(&node->epoch, epoch, memory_order_relaxed);
    }
    spinlock_unlock_irqrestore(&node->lock, flags);
}

void
sref_epoch_enter(uint32_t cpu, uint64_t epoch)
{
    sref_node_enter(sref_epoch_leaf(cpu), epoch);
}

/*
 * A child has nothing to tell any more, in this epoch or until it joins anew.
 *
 * Returns: whether the next epoch began
 */
static bool
sref_node_done(struct sref_node *node, uint16_t bit, bool leaves)
{
    bool reports, advanced;

    spinlock_lock(&node->lock);
    assert(node->members & bit);
    reports = node->pending == bit;
    node->pending &= (uint16_t)~bit;
    if (leaves) {
        node->members &= (uint16_t)~bit;
        leaves = node->members == 0;
    }

    advanced = false;
    if (node->parent == NULL) {
        advanced = reports && sref_epoch_advance_locked(node);
    } else if (reports || leaves) {
        advanced = sref_node_done(node->parent, node->bit, leaves);
    }
    spinlock_unlock(&node->lock);
    return advanced;
}

bool
sref_epoch_report(uint32_t cpu)
{
    uint64_t flags;
    bool advanced;

    flags = cpu_irq_save();
    advanced = sref_node_done(sref_epoch_leaf(cpu), sref_epoch_bit(cpu), false);
    cpu_irq_restore(flags);
    return advanced;
}

bool
sref_epoch_leave(uint32_t cpu)
{
    assert(!cpu_irq_is_enabled());
    return sref_node_done(sref_epoch_leaf(cpu), sref_epoch_bit(cpu), true);
}

size_t
sref_epoch_tree_size(void)
{
    return sref_epoch.nr_nodes * sizeof(*sref_epoch.nodes);
}

static void
sref_node_init(size_t i, unsigned level, size_t parent)
{
    struct sref_node *node;

    node = &sref_epoch.nodes[i];
    spinlock_init(&node->lock, LOCK_SREF_LEAF + level, "epoch node");
    if (parent != i) {
        node->parent = &sref_epoch.nodes[parent];
    }
}

status_t
sref_epoch_init(void)
{
    size_t sizes[SREF_EPOCH_LEVELS], first, i;
    unsigned level, nr_levels;

    sizes[0] = DIV_ROUND_UP((size_t)cpu_nr_possible, SREF_EPOCH_FANOUT);
    sref_epoch.nr_nodes = sizes[0];
    for (nr_levels = 1; sizes[nr_levels - 1] > 1; nr_levels++) {
        verify(nr_levels < SREF_EPOCH_LEVELS);
        sizes[nr_levels] =
            DIV_ROUND_UP(sizes[nr_levels - 1], SREF_EPOCH_FANOUT);
        sref_epoch.nr_nodes += sizes[nr_levels];
    }

    sref_epoch.nodes =
        kzalloc((sref_epoch.nr_nodes + 1) * sizeof(*sref_epoch.nodes));
    if (sref_epoch.nodes == NULL) {
        return ERR_NO_MEMORY;
    }
    sref_epoch.nodes =
        (void *)ALIGN_UP((uintptr_t)sref_epoch.nodes, CACHE_LINE);
    first = 0;
    for (level = 0; level < nr_levels; level++) {
        for (i = 0; i < sizes[level]; i++) {
            sref_node_init(first + i, level,
                           level + 1 < nr_levels
                               ? first + sizes[level] + i / SREF_EPOCH_FANOUT
                               : first + i);
            sref_epoch.nodes[first + i].bit = sref_epoch_bit((uint32_t)i);
        }
        first += sizes[level];
    }
    return OK;
}
