/* SPDX-License-Identifier: MIT */
/*
 * Resource containers: who pays for memory and kernel objects.
 *
 * Containers are a tree.  What a container is charged, its ancestors are
 * charged, too; none exceeds its limit.  Each CPU keeps a small stock of what
 * it has taken from a container and not used yet, so that charging writes no
 * line that another CPU writes; before a charge fails, the stocks of all CPUs
 * are called in, in the whole tree below the limit, so a limit is exact.
 * Banga, Druschel, Mogul, "Resource Containers", OSDI 1999.
 *
 * Invariant, for each kind and container: taken = used by those charged here
 * + stocks of CPUs + taken by its children; taken <= limit, unless the limit
 * was lowered below what was used.
 *
 * May run concurrently: everything with everything.
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

/* The root has depth 0. */
#define CONTAINER_DEPTH_MAX 15

/* name, units that a CPU takes at once, what is counted */
#define CONTAINER_KINDS(X)                                                     \
    X(PAGES, 64, "pages of memory")                                            \
    X(TABLES, 16, "pages of page tables and of the trees of spaces")           \
    X(OBJECTS, 16384, "bytes of kernel objects")                               \
    X(RIGHTS, 64, "rights")                                                    \
    X(THREADS, 4, "threads")

#define CONTAINER_KIND_ENUM(name, batch, what) CONTAINER_##name,
enum container_kind {
    CONTAINER_KINDS(CONTAINER_KIND_ENUM) CONTAINER_NR_KINDS
};

struct container;

/* What everything belongs to that belongs to nobody else; never dies. */
extern struct container *const container_root;

/*
 * Create a container.
 *
 * @parent  charged for it and for what is in it; kept alive by it
 * @name    copied, cut to CONTAINER_NAME_SIZE
 *
 * Context: thread, preemptible
 * Returns: OK; ERR_NO_MEMORY; ERR_RANGE, deeper than CONTAINER_DEPTH_MAX
 */
status_t container_create(struct container **containerp,
                          struct container *parent, const char *name);

/*
 * References, counted by an sref: some epochs after the last put it is
 * destroyed, and its parent refunded; sref_sync() waits for that.  Everything
 * must have been refunded before the last put.
 *
 * Context: as sref_get(), sref_put()
 */
void container_get(struct container *container);

/* Give a reference up; see container_get(). */
void container_put(struct container *container);

/*
 * Charge units of a kind.  Some 15 instructions when the CPU has a stock.
 *
 * Context: any but NMI and interrupts; with preemption or interrupts disabled
 *          it may fail although other CPUs have a stock
 * Locks:   takes and drops LOCK_CONTAINER
 * Blocks:  before it fails, and when a limit is near: until the stocks of
 *          other CPUs are there
 * Returns: OK; ERR_NO_MEMORY, a limit is reached and nothing was charged
 */
status_t container_charge(struct container *container, enum container_kind kind,
                          uint64_t nr) __must_check;

/*
 * Give units back, on any CPU.
 *
 * Context: any but NMI and interrupts
 * Locks:   takes and drops LOCK_CONTAINER
 */
void container_refund(struct container *container, enum container_kind kind,
                      uint64_t nr);

/*
 * Set a limit.  A limit below what is used holds for charges to come.
 *
 * @nr  units, or CONTAINER_UNLIMITED
 *
 * Context: thread, preemptible
 */
void container_set_limit(struct container *container, enum container_kind kind,
                         uint64_t nr);

/* The limit of a container itself; its ancestors' may be lower. */
uint64_t container_limit(const struct container *container,
                         enum container_kind kind);

/*
 * Units in use by those charged here and below: exactly what was in use at
 * some moment of the call.  The stocks of all CPUs are called in.
 *
 * Context: thread, preemptible
 */
uint64_t container_used(struct container *container, enum container_kind kind);

/* Whether a container is another one or below it: charged to it, too. */
bool container_is_within(const struct container *container,
                         const struct container *top);

/* The name of a container, as long as that lives. */
const char *container_name(const struct container *container);

/*
 * Give a container a number, by which those above know it; it has 0 before.
 *
 * Context: whoever has made it, before anybody else knows it
 */
void container_set_tag(struct container *container, uint64_t tag);

/* The number of a container. */
uint64_t container_tag(const struct container *container);

/* Name of a kind, in small letters; a constant. */
const char *container_kind_name(enum container_kind kind);

/*
 * What the monitor shows of a container.
 */
struct container_info {
    char name[CONTAINER_NAME_SIZE];
    uint32_t depth;
    uint64_t used[CONTAINER_NR_KINDS];
    uint64_t limits[CONTAINER_NR_KINDS];
};

/*
 * Describe the container with a given place in the list of all, in which one
 * is followed by all below it.
 *
 * Context: thread, preemptible
 * Returns: false, there is none
 */
bool container_info_get(size_t index, struct container_info *info);

#endif /* KERN_CONTAINER_H */
