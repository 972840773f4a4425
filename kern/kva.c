/* SPDX-License-Identifier: MIT */
#include <stddef.h>

#include <arch/layout.h>
#include <kern/init.h>
#include <kern/kva.h>
#include <lib/assert.h>

/* Constant once registered. */
static const struct kva_ops *kva_ops;

void
kva_register(const struct kva_ops *ops)
{
    assert(kva_ops == NULL);
    kva_ops = ops;
}

void *
kva_alloc(size_t size, const char *name)
{
    return kva_ops->alloc(size, name);
}

void *
kva_alloc_stack(const char *name)
{
    return kva_alloc(KERNEL_STACK_SIZE, name);
}

void *
kva_map_mmio(paddr_t phys, size_t size, enum pmap_cache cache, const char *name)
{
    return kva_ops->map_mmio(phys, size, cache, name);
}

void
kva_free(void *ptr)
{
    kva_ops->free(ptr);
}

void
kva_purge(void)
{
    kva_ops->purge();
}

bool
kva_find(uintptr_t addr, struct kva_info *info)
{
    return kva_ops != NULL && kva_ops->find(addr, info);
}

bool
kva_find_next(uintptr_t addr, struct kva_info *info)
{
    return kva_ops != NULL && kva_ops->find_next(addr, info);
}

size_t
kva_nr_used(void)
{
    return kva_ops->nr_used();
}

size_t
kva_nr_dirty(void)
{
    return kva_ops->nr_dirty();
}

/* Who needs kernel addresses waits for this, and this for who has them. */
static status_t
kva_setup(void)
{
    return kva_ops != NULL ? OK : ERR_STATE;
}

INIT_OP(kva_setup, INIT_BOOT_CPU, AFTER(krange_setup));
