/* SPDX-License-Identifier: MIT */
/*
 * References that are counted by one atomic each, and callbacks of RCU that are
 * called by who asks for them, for scenarios that are not about either: what
 * nobody refers to any more dies at once.  For one file of a program, that has
 * kern/rcu.c.
 */
#ifndef TEST_EXPLORE_COUNTS_H
#define TEST_EXPLORE_COUNTS_H

#include <stdatomic.h>
#include <stddef.h>

#include <arch/cpu.h>
#include <kern/kmalloc.h>
#include <kern/rcu.h>
#include <kern/sref.h>
#include <lib/macros.h>
#include <test/explore/explore.h>

void
sref_weak_init(struct sref_weak *weak)
{
    atomic_init(&weak->word, 0);
}

void
sref_weakable_init(struct sref_weakable *weakable,
                   const struct sref_class *class, struct sref_weak *weak)
{
    weakable->sref.class = class;
    weakable->weak = weak;
    atomic_init(&weakable->sref.word, 1);
    atomic_store(&weak->word, (uintptr_t)&weakable->sref);
}

void
sref_get(struct sref *sref)
{
    explore_expect(atomic_fetch_add(&sref->word, 1) != 0);
}

void
sref_put(struct sref *sref)
{
    uint64_t before = atomic_fetch_sub(&sref->word, 1);

    explore_expect(before != 0);
    if (before == 1) {
        sref->class->noref(sref);
    }
}

struct sref *
sref_weak_get(struct sref_weak *weak)
{
    struct sref *sref = (struct sref *)atomic_load(&weak->word);
    uint64_t word = sref != NULL ? atomic_load(&sref->word) : 0;

    while (word != 0 &&
           !atomic_compare_exchange_weak(&sref->word, &word, word + 1)) {
        cpu_pause();
    }
    return word != 0 ? sref : NULL;
}

status_t
sref_sync(uint64_t deadline __unused)
{
    return OK;
}

void
rcu_call(struct rcu_head *head, rcu_fn_t fn)
{
    rcu_synchronize();
    if ((uintptr_t)fn < RCU_FREE_MAX) {
        kfree((char *)head - (uintptr_t)fn);
    } else {
        fn(head);
    }
}

void
rcu_barrier(void)
{
}

#endif /* TEST_EXPLORE_COUNTS_H */
