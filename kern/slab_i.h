/* SPDX-License-Identifier: MIT */
/*
 * What the magazines (slab.c), the list of caches (slab_cache.c) and reports
 * (slab_report.c) share.
 */
#ifndef KERN_SLAB_I_H
#define KERN_SLAB_I_H

#include <stddef.h>

#include <kern/slab_types.h>

/* Objects of the largest magazine. */
#define SLAB_ROUNDS_MAX 30

/*
 * Keys: [I] CPU that has it, or [S] lock of the cache whose depot has it
 */
struct slab_magazine {
    struct slab_magazine *next;    /* [S] */
    size_t nr;                     /* [I][S] objects */
    void *rounds[SLAB_ROUNDS_MAX]; /* [I][S] */
};

/* Of all magazines; set up by slab_setup(). */
extern struct slab_cache slab_magazine_cache;

/*
 * Free all magazines of a cache, with the objects in them.
 *
 * Context: thread, interrupts enabled, no spin lock held
 */
void slab_drain(struct slab_cache *cache);

#endif /* KERN_SLAB_I_H */
