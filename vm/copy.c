/* SPDX-License-Identifier: MIT */
#include <lib/macros.h>
#include <arch/cpu.h>
#include <arch/user_copy.h>
#include <vm/copy.h>
#include <vm/space_i.h>

/*
 * Tell how a side is translated here.
 *
 * Context: interrupts disabled
 * Returns: OK; ERR_AGAIN: this CPU has no tables of it; ERR_FAULT
 */
static inline status_t
copy_look(const struct space_copy_side *side, struct utable_side *here)
{
    here->va = side->va;
    here->ut = NULL;
    if (side->space == NULL) {
        return OK;
    }
    if (unlikely(side->va >= USER_END)) {
        return ERR_FAULT;
    }
    here->ut = space_tables_this(side->space);
    return here->ut != NULL ? OK : ERR_AGAIN;
}

/* Copy what can be copied here and at once; why no more is in the sides. */
static void
copy_part(struct space_copy *copy, struct utable_side *dst,
          struct utable_side *src)
{
    status_t dst_status, src_status;

    cpu_irq_disable();
    dst_status = copy_look(&copy->dst, dst);
    src_status = copy_look(&copy->src, src);
    if (likely(dst_status == OK && src_status == OK)) {
        copy->size -= utable_copy(dst, src, copy->size);
        copy->dst.va = dst->va;
        copy->src.va = src->va;
    } else {
        dst->status = dst_status;
        src->status = src_status;
    }
    cpu_irq_enable();
}

/* Have a page in the tables.  Returns: whether it is worth another try */
static inline bool
copy_resolve(const struct space_copy_side *side, unsigned int access,
             status_t status)
{
    return status == OK || (status == ERR_AGAIN &&
                            space_fault(side->space, side->va, access) == OK);
}

enum space_copy_end
space_copy(struct space_copy *copy)
{
    struct utable_side src, dst;

    while (copy->size != 0) {
        copy_part(copy, &dst, &src);
        if (unlikely(!copy_resolve(&copy->src, FAULT_READ, src.status))) {
            return SPACE_COPY_BAD_SRC;
        }
        if (unlikely(!copy_resolve(&copy->dst, FAULT_WRITE, dst.status))) {
            return SPACE_COPY_BAD_DST;
        }
    }
    return SPACE_COPY_DONE;
}
