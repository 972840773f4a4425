/* SPDX-License-Identifier: MIT */
/*
 * Address spaces: one for all CPUs, which work on ranges of their own.
 */
#include <stddef.h>

#include <arch/user_copy.h>
#include <kern/container.h>
#include <lib/assert.h>
#include <vm/space.h>
#include <test/sharing/share.h>

#define SHARE_PROT (PMAP_READ | PMAP_WRITE)

static struct vm_space *vm_share_space;

static void
vm_share_begin(struct share *s)
{
    if (s->index == 0) {
        verify(space_create(&vm_share_space, container_root, "share") == OK);
    }
    share_meet(s);
    space_use(vm_share_space);
}

static void
vm_share_end(struct share *s)
{
    space_use(NULL);
    share_meet(s);
    if (s->index == 0) {
        space_put(vm_share_space);
    }
}

static uintptr_t
vm_share_map(size_t size)
{
    struct space_mapping mapping = { .size = size, .prot = SHARE_PROT };
    uintptr_t va;

    verify(space_map(vm_share_space, &mapping, &va) == OK);
    return va;
}

SHARE(vm, map_touch_unmap)
{
    vm_share_begin(s);
    SHARE_LOOP(s)
    {
        uintptr_t va = vm_share_map(PAGE_SIZE);

        verify(user_write_u64(va, 1) == OK);
        verify(space_unmap(vm_share_space, va, PAGE_SIZE) == OK);
    }
    vm_share_end(s);
}

/* Pages go as they come: memory that is never given back is the node's. */
SHARE(vm, fault)
{
    uintptr_t va;

    vm_share_begin(s);
    va = vm_share_map(PAGE_SIZE);
    SHARE_LOOP(s)
    {
        verify(user_write_u64(va, 1) == OK);
        verify(space_discard(vm_share_space, va, PAGE_SIZE) == OK);
    }
    vm_share_end(s);
}

SHARE(vm, protect)
{
    unsigned int prot = SHARE_PROT;
    uintptr_t va;

    vm_share_begin(s);
    va = vm_share_map(PAGE_SIZE);
    SHARE_LOOP(s)
    {
        prot ^= PMAP_WRITE;
        verify(space_protect(vm_share_space, va, PAGE_SIZE, prot) == OK);
        /* Allowed in every second pass. */
        verify((user_write_u64(va, 1) == OK) == ((prot & PMAP_WRITE) != 0));
    }
    vm_share_end(s);
}
