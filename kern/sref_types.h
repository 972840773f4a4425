/* SPDX-License-Identifier: MIT */
/*
 * The structs of scalable references, for those who embed them.
 */
#ifndef KERN_SREF_TYPES_H
#define KERN_SREF_TYPES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <lib/macros.h>

struct sref;

/*
 * What the objects of a type have in common; constant.
 */
struct sref_class {
    const char *name;
    /* The last reference is gone.  Context: thread, no lock held */
    void (*noref)(struct sref *sref);
    bool is_weakable; /* the objects are struct sref_weakable */
};

/*
 * Keys: [a] atomic   [c] constant   [R] the CPU on whose list it is, once
 *       @next is claimed
 */
struct sref {
    _Atomic uint64_t word; /* [a] count, and changes since it was queued */
    _Atomic(struct sref *) next;    /* [a] claim; [R] link of that list */
    const struct sref_class *class; /* [c] */
};

static_assert(sizeof(struct sref) == 24, "each page may have one");

/*
 * A pointer to an object that does not keep it alive: its address, a flag
 * while its death is being looked into, 0 when it is dead.
 */
struct sref_weak {
    _Atomic uintptr_t word; /* atomic */
};

/* An object that has a weak reference. */
struct sref_weakable {
    struct sref sref;
    struct sref_weak *weak; /* constant once set; NULL: none */
};

#endif /* KERN_SREF_TYPES_H */
