/* SPDX-License-Identifier: MIT */
/*
 * Resource containers: who pays for memory and kernel objects.
 *
 * Containers are a tree.  What a container is charged, its ancestors are
 * charged, too; none exceeds its limit.  Each CPU keeps a small stock of what
 * it has taken from a container and not used yet, so that charging writes no
 * line that another CPU writes; before a charge fails, the stocks of all CPUs
 * are called in, here and in the ancestors, so a limit is exact.  Banga,
 * Druschel, Mogul, "Resource Containers", OSDI 1999.
 *
 * Invariant, for each kind and container: taken = used by those charged here
 * + stocks of CPUs + taken by its children; taken <= limit.
 *
 * Lock rank: LOCK_CONTAINER.  Design: doc/containers.md.
 */
#ifndef KERN_CONTAINER_H
#define KERN_CONTAINER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lib/status.h>

#define CONTAINER_NAME_SIZE 32
#define CONTAINER_UNLIMITED UINT64_MAX

#define CONTAINER_KINDS(X)                                                     \
    X(PAGES, "pages of memory")                                                \
    X(TABLES, "pages of page tables and of the trees of spaces")               \
    X(OBJECTS, "bytes of kernel objects")                                      \
    X(RIGHTS, "rights")                                                        \
    X(THREADS, "threads")

#define CONTAINER_KIND_ENUM(name, what) CONTAINER_##name,
enum container_kind {
    CONTAINER_KINDS(CONTAINER_KIND_ENUM) CONTAINER_NR_KINDS
};

struct container;

/* What everything belongs to that belongs to nobody else; never dies. */
extern struct container *container_root;

/*
 * Create a container.
 *
 * @parent  charged for it and for what is in it; kept alive by it
 * @name    copied
 *
 * Context: thread, preemptible
 * Returns: OK; ERR_NO_MEMORY
 */
status_t container_create(struct container **containerp,
                          struct container *parent, const char *name);

/*
 * References.  The last put destroys it: everything must have been refunded.
 *
 * Context: get any but NMI; put thread, preemptible
 */
void container_get(struct container *container);
void container_put(struct container *container);

/*
 * Charge units of a kind.  Some 20 instructions when the CPU has a stock.
 *
 * Context: any but NMI and other interrupts; with preemption or interrupts
 *          disabled it may fail although other CPUs have a stock
 * Returns: OK; ERR_NO_MEMORY, a limit is reached and nothing was charged
 */
status_t container_charge(struct container *container,
                          enum container_kind kind, uint64_t nr) __must_check;

/* Give units back, on any CPU.  Context: as container_charge() */
void container_refund(struct container *container, enum container_kind kind,
                      uint64_t nr);

/*
 * Set a limit.  A limit below what is used holds for charges to come.
 *
 * @nr  units, or CONTAINER_UNLIMITED
 */
void container_set_limit(struct container *container, enum container_kind kind,
                         uint64_t nr);

uint64_t container_limit(const struct container *container,
                         enum container_kind kind);

/*
 * Units in use by those charged here and below, exactly: the stocks of all
 * CPUs are called in.
 *
 * Context: thread, preemptible
 */
uint64_t container_used(struct container *container, enum container_kind kind);

const char *container_name(const struct container *container);

#endif /* KERN_CONTAINER_H */
