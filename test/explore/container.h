/* SPDX-License-Identifier: MIT */
/*
 * One container that is never full and only counts, for scenarios that are not
 * about containers.  For one file of a program.
 */
#ifndef TEST_EXPLORE_CONTAINER_H
#define TEST_EXPLORE_CONTAINER_H

#include <stdatomic.h>
#include <stddef.h>

#include <kern/container.h>
#include <lib/macros.h>

static _Atomic uint64_t container_counts[CONTAINER_NR_KINDS];

status_t
container_charge(struct container *container __unused, enum container_kind kind,
                 uint64_t nr)
{
    atomic_fetch_add(&container_counts[kind], nr);
    return OK;
}

void
container_refund(struct container *container __unused, enum container_kind kind,
                 uint64_t nr)
{
    atomic_fetch_sub(&container_counts[kind], nr);
}

void
container_get(struct container *container __unused)
{
}

void
container_put(struct container *container __unused)
{
}

#endif /* TEST_EXPLORE_CONTAINER_H */
