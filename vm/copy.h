/* SPDX-License-Identifier: MIT */
/*
 * Copies between address spaces, of any length.
 *
 * A page or two at a time are copied through the direct map, with interrupts
 * disabled: whoever takes a page away waits for the CPUs that have it in their
 * tables, so what this CPU's tables of either space say holds until interrupts
 * are enabled, as it does for programs (vm/shoot.h).  What they do not have is
 * faulted in, as for the space's own threads.  So nothing is locked, nothing is
 * counted, and disjoint copies share no cache line but those of the pages.
 *
 * Few bytes can be poked, without faults.  The pages that were used last are
 * remembered, so that tables are seldom looked at.
 *
 * Between pieces the thread can be preempted, and move; a copy is not atomic.
 */
#ifndef VM_COPY_H
#define VM_COPY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lib/macros.h>
#include <arch/utable_poke.h>
#include <kern/kasan.h>
#include <vm/space_here.h>

/* One side; any address is allowed if there is a space. */
struct space_copy_side {
    struct vm_space *space; /* NULL: the kernel's memory, in the direct map */
    uintptr_t va;
};

/*
 * A copy, under way or not begun: it may be done in parts.
 */
struct space_copy {
    struct space_copy_side dst;
    struct space_copy_side src;
    size_t size; /* bytes that are left; @dst and @src move on */
};

enum space_copy_end {
    SPACE_COPY_DONE,
    SPACE_COPY_BAD_DST, /* the next byte cannot be written */
    SPACE_COPY_BAD_SRC, /* the next byte cannot be read */
};

/*
 * Copy what is left.
 *
 * Context: thread, preemptible, interrupts enabled; both spaces are alive
 * Blocks:  as space_fault()
 * Returns: how it ended; @copy tells exactly how far it came
 */
enum space_copy_end space_copy(struct space_copy *copy);

/*
 * Write few bytes of the kernel's into a space, if this CPU's tables say that
 * a program could there and then.
 *
 * @va    any address
 * @size  1 to UTABLE_POKE_MAX
 *
 * Context: interrupts disabled; the space is alive
 * Returns: whether all was written; if not, a part may have been, and
 *          space_copy() does it, or tells why it cannot be done
 */
static inline bool
space_poke(struct vm_space *space, uintptr_t va, const void *from, size_t size)
{
    struct utable *ut = space_tables_this(space);

    kasan_check_read(from, size);
    return likely(ut != NULL) &&
           (likely(utable_poke_seen(ut, va, from, size)) ||
            utable_poke(ut, va, from, size));
}

#endif /* VM_COPY_H */
