/* SPDX-License-Identifier: MIT */
/*
 * Pages that copies remember, and how few bytes are written to one of them.
 *
 * Context of all of it: the CPU of the tables, interrupts disabled.
 */
#ifndef ARCH_UTABLE_POKE_H
#define ARCH_UTABLE_POKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lib/assert.h>
#include <lib/macros.h>
#include <arch/user_copy.h>
#include <arch/utable.h>

/* Where a page is remembered, if it is. */
static inline struct utable_seen *
utable_seen(struct utable_recall *recall, uintptr_t va)
{
    return &recall->pages[va / PAGE_SIZE % UTABLE_NR_SEEN];
}

/*
 * Find bytes that lie in one page which is remembered.
 *
 * @size  1 to PAGE_SIZE
 * @ptrp  receives where they are, in the direct map
 *
 * Returns: whether they do
 */
static inline bool
utable_recall(struct utable_recall *recall, uintptr_t va, size_t size,
              char **ptrp)
{
    const struct utable_seen *seen = utable_seen(recall, va);

    if (unlikely(va - seen->va > PAGE_SIZE - size)) {
        return false;
    }
    /* Mispredicted, it is in the frame all the same. */
    *ptrp = seen->frame + va % PAGE_SIZE;
    return true;
}

/*
 * Write few bytes into a page that is remembered.
 *
 * @size  1 to UTABLE_POKE_MAX
 *
 * Returns: whether all was written; else nothing was
 */
static inline bool
utable_poke_seen(struct utable *ut, uintptr_t va, const void *from, size_t size)
{
    char *to;

    assert(size - 1 < UTABLE_POKE_MAX);
    if (unlikely(!utable_recall(&ut->writes, va, size, &to))) {
        return false;
    }
    user_copy_frames(to, from, size);
    return true;
}

#endif /* ARCH_UTABLE_POKE_H */
