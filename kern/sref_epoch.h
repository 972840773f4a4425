/* SPDX-License-Identifier: MIT */
/*
 * Epochs of scalable references, aggregated in a tree of CPUs.
 *
 * In an epoch each CPU that takes part, a member, reports once; the last
 * report begins the next epoch.  Nodes of the tree have up to 16 children,
 * CPUs or nodes: a child reports to its node, the last of them has the node
 * report to its own.  A node learns of a new epoch when the first of its
 * children asks.
 *
 * Invariants, under the lock of a node and of those above it:
 * - a node is a member of the one above exactly if it has members itself;
 * - the children that are pending are members that have not reported in the
 *   node's epoch;
 * - a node whose epoch is e and that is a member is at most one epoch behind,
 *   and if it is, it is pending in the one above: the root cannot go on;
 * - the root has pending children exactly if it has members.
 * So a member that has reported in e knows that the epoch is e or e + 1.
 *
 * A CPU that joins counts as having reported in the epoch that its node knows:
 * it comes with nothing to tell.
 */
#ifndef KERN_SREF_EPOCH_H
#define KERN_SREF_EPOCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lib/status.h>

/*
 * Make the tree for all possible CPUs.  Context: boot CPU, once
 *
 * Returns: OK or ERR_NO_MEMORY
 */
status_t sref_epoch_init(void);

/*
 * The present epoch; rises only.
 *
 * Ordering: what members did before they reported in an earlier one is
 *           visible; the epoch at any event that is visible is not greater
 */
uint64_t sref_epoch_now(void);

/*
 * Take part from now on.
 *
 * @cpu  not a member
 *
 * Context: interrupts disabled
 * Locks:   takes and drops LOCK_SREF_LEAF to LOCK_SREF_ROOT
 * Returns: the epoch in which the CPU has reported, as it were: the present
 *          one or the one before
 */
uint64_t sref_epoch_join(uint32_t cpu);

/*
 * Learn of an epoch in which the CPU is to report.
 *
 * @cpu    a member that has reported in @epoch - 1
 * @epoch  the present one; it stays so until the CPU has reported
 *
 * Context: thread
 * Locks:   as sref_epoch_join()
 */
void sref_epoch_enter(uint32_t cpu, uint64_t epoch);

/*
 * Report in the epoch that was entered.
 *
 * Context:  as sref_epoch_enter()
 * Ordering: what was done before is visible to who sees the next epoch
 * Returns:  whether this began the next epoch
 */
bool sref_epoch_report(uint32_t cpu);

/*
 * Take part no more; a report that is due is made.
 *
 * @cpu  a member
 *
 * Context: interrupts disabled
 * Locks:   as sref_epoch_join()
 * Returns: as sref_epoch_report()
 */
bool sref_epoch_leave(uint32_t cpu);

/* Bytes of the tree. */
size_t sref_epoch_tree_size(void);

#endif /* KERN_SREF_EPOCH_H */
