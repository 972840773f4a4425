/* SPDX-License-Identifier: MIT */
/*
 * The struct of a slab cache, for those who embed one.
 */
#ifndef KERN_SLAB_TYPES_H
#define KERN_SLAB_TYPES_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <lib/list.h>
#include <lib/macros.h>
#include <kern/spinlock.h>

/* Which list of its cache a slab is on. */
enum slab_list {
    SLAB_LIST_EMPTY,   /* no object is allocated */
    SLAB_LIST_PARTIAL, /* some are */
    SLAB_LIST_FULL,    /* all are */
    SLAB_NR_LISTS,
};

struct slab_magazine;

/*
 * Keys: [I] the CPU it belongs to, with interrupts disabled
 */
struct slab_cpu {
    struct slab_magazine *loaded;   /* [I] NULL at first */
    struct slab_magazine *previous; /* [I] full or empty, or NULL */
} __aligned(CACHE_LINE);

/*
 * Keys: [c] constant once initialised   [S] lock   [G] lock of the list of
 *       all caches
 */
struct slab_cache {
    struct spinlock lock;  /* rank LOCK_SLAB */
    const char *name;      /* [c] */
    void (*ctor)(void *);  /* [c] NULL or called once for each new object */
    size_t size;           /* [c] of an object, bytes */
    size_t align;          /* [c] */
    size_t stride;         /* [c] from an object to the next, bytes */
    size_t link_offset;    /* [c] of the free list's link in an object */
    size_t tail_offset;    /* [c] of struct slab_tail, in debug builds */
    unsigned int flags;    /* [c] */
    unsigned int order;    /* [c] pages of a slab */
    uint32_t nr_objects;   /* [c] in a slab */
    uint32_t nr_rounds;    /* [c] in a magazine */
    uint32_t nr_colours;   /* [c] */
    struct slab_cpu *cpus; /* [c] by CPU; NULL: no magazines */

    struct list slabs[SLAB_NR_LISTS];      /* [S] struct page */
    struct slab_magazine *full_magazines;  /* [S] with objects */
    struct slab_magazine *empty_magazines; /* [S] */
    size_t nr_slabs;                       /* [S] */
    size_t nr_empty_slabs;                 /* [S] */
    size_t nr_used;                        /* [S] objects out of slabs */
    size_t nr_stored;                      /* [S] of them in full_magazines */
    uint32_t colour;                       /* [S] of the next slab */
    struct list node;                      /* [G] */
    unsigned int nr_pins;                  /* [G] who walks the list */
};

#endif /* KERN_SLAB_TYPES_H */
