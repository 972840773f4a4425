/* SPDX-License-Identifier: MIT */
/*
 * What memory objects of all kinds have in common, for those who make a kind.
 */
#ifndef VM_OBJECT_TYPES_H
#define VM_OBJECT_TYPES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lib/list.h>
#include <lib/status.h>
#include <arch/pmap.h>
#include <kern/sref_types.h>

#define OBJECT_NAME_SIZE 32

struct container;
struct vm_object;

/* Where a page of an object is. */
struct object_frame {
    paddr_t phys;
    enum pmap_cache cache;
};

/*
 * A kind of objects; constant.  A pager is one, too: it is in the kernel, or
 * stands there for a server.
 *
 * The functions are called by threads, preemptible, that have a reference.
 */
struct object_ops {
    const char *kind;
    size_t size;        /* of its struct, which begins with struct vm_object */
    bool is_memory;     /* all frames are RAM, and may be copied */
    bool is_extensible; /* may be mapped beyond its end */

    /*
     * Find a page, make it, or ask for it; see object_get_frame().  Slots of
     * address spaces are locked: it waits for nobody who may need one.
     */
    status_t (*get_frame)(struct vm_object *object, uint64_t index,
                          bool is_write, struct object_frame *frame);

    /*
     * Wait until a page for which get_frame() has said ERR_AGAIN may be there;
     * see object_wait().  NULL: it never says so.
     */
    status_t (*wait)(struct vm_object *object, uint64_t index,
                     uint64_t deadline);

    /* Change its size; see object_resize().  NULL: it is constant. */
    status_t (*resize)(struct vm_object *object, uint64_t nr_pages);

    /*
     * The last mapping is gone, but others may come any time.  Slots may be
     * locked.  NULL: nobody cares.
     */
    void (*unmapped)(struct vm_object *object);

    /* Pages that are in memory; racy.  NULL: all. */
    uint64_t (*nr_resident)(struct vm_object *object);

    /*
     * Free and refund what it is made of, but not its struct: nobody has a
     * reference.
     */
    void (*destroy)(struct vm_object *object);
};

/*
 * Keys: [c] constant once made   [a] atomic   [L] lock of the list
 *       [R] who has noticed its death, then the reaper
 */
struct vm_object {
    struct sref sref;
    const struct object_ops *ops; /* [c] */
    struct container *container;  /* [c] charged and referenced */
    unsigned int prot;            /* [c] PMAP_..., most that others get */
    enum pmap_cache cache;        /* [c] */
    paddr_t phys;                 /* [c] PADDR_NONE: not in one piece */
    _Atomic uint64_t nr_pages;    /* [a] changed by its kind */
    _Atomic uint64_t nr_mappings; /* [a] */
    struct vm_object *next_dead;  /* [R] */
    struct list node;             /* [L] of all objects */
    char name[OBJECT_NAME_SIZE];  /* [c] */
};

#endif /* VM_OBJECT_TYPES_H */
