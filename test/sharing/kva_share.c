/* SPDX-License-Identifier: MIT */
/*
 * Kernel virtual addresses.
 */
#include <stddef.h>

#include <arch/layout.h>
#include <kern/kva.h>
#include <lib/assert.h>
#include <test/sharing/share.h>

/* Pages of each buffer of a CPU, at most. */
#define SHARE_SIZES 8

SHARE(kva, alloc_free_sizes)
{
    void *buffers[SHARE_SIZES];

    SHARE_LOOP(s)
    {
        for (size_t i = 0; i < SHARE_SIZES; i++) {
            buffers[i] = kva_alloc((i + 1) * PAGE_SIZE, "share");
            verify(buffers[i] != NULL);
        }
        for (size_t i = 0; i < SHARE_SIZES; i++) {
            kva_free(buffers[i]);
        }
    }
}

SHARE(kva, alloc_free)
{
    SHARE_LOOP(s)
    {
        char *stack = kva_alloc_stack("share");

        verify(stack != NULL);
        stack[KERNEL_STACK_SIZE - 1] = 0;
        kva_free(stack);
    }
}
