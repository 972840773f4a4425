/* SPDX-License-Identifier: MIT */
/*
 * For scenarios that are not about references: they count them in a way of
 * their own, by sref_get() and sref_put().
 */
#ifndef KERN_SREF_I_H
#define KERN_SREF_I_H

#include <stdint.h>

#include <kern/sref.h>

struct sref_slot;

static inline struct sref_slot *
sref_find(struct sref *sref)
{
    return (struct sref_slot *)sref;
}

static inline void
sref_slot_add(struct sref_slot *slot, int32_t delta)
{
    struct sref *sref = (struct sref *)slot;

    if (delta > 0) {
        sref_get(sref);
    } else {
        sref_put(sref);
    }
}

#endif /* KERN_SREF_I_H */
