/* SPDX-License-Identifier: MIT */
/*
 * Refcache as published, to compare with: Clements, Kaashoek, Zeldovich,
 * "RadixVM: Scalable Address Spaces for Multithreaded Applications", EuroSys
 * 2013, section "Refcache".
 *
 * Each CPU has a direct-mapped cache of deltas.  At each tick of a CPU it
 * tells them all to the objects, under each object's lock, then decrements
 * one counter of all CPUs, which begins the next epoch at zero, then reviews
 * its list.  Deltas that collide are told under the object's lock.
 *
 * Here the ticks come by refcache_tick(), from whoever measures.  No weak
 * references.
 */
#ifndef TEST_KERN_REFCACHE_H
#define TEST_KERN_REFCACHE_H

#include <stdbool.h>
#include <stdint.h>

#include <kern/spinlock.h>

/* Deltas of a CPU. */
#define REFCACHE_WAYS 4096

/*
 * Keys: [O] lock   [R] the CPU on whose list it is
 */
struct refcache_object {
    struct spinlock lock;         /* rank LOCK_TEST_INNER */
    int64_t count;                /* [O] */
    uint64_t review_epoch;        /* [O] */
    struct refcache_object *next; /* [R] */
    bool is_queued;               /* [O] */
    bool is_dirty;                /* [O] */
    void (*died)(struct refcache_object *object);
};

/* Allocate the caches of all CPUs.  Returns: whether there was memory */
bool refcache_setup(void);

/* Free them.  Context: nobody uses them */
void refcache_teardown(void);

/* Make an object with one reference. */
void refcache_init(struct refcache_object *object,
                   void (*died)(struct refcache_object *object));

/* Take another reference. */
void refcache_get(struct refcache_object *object);

/* Give a reference up. */
void refcache_put(struct refcache_object *object);

/* The tick of this CPU: flush if that is due, and review. */
void refcache_tick(void);

/* The present epoch. */
uint64_t refcache_epoch(void);

#endif /* TEST_KERN_REFCACHE_H */
